import hashlib
import io

import pytest
import torch
from safetensors import safe_open
from torchvision import models

import visclust as vc
from visclust.embedding import networks, weights
from visclust.embedding.weights import (
    WeightsUnreachableError,
    fetch_weights,
    fit_weights,
    read_weights,
    write_tensors,
)


def test_weights_may_lie_under_state_dict_and_carry_the_prefix_of_dataparallel(tmp_path):
    state = torch.nn.Linear(3, 2).state_dict()
    torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, tmp_path / "a.pth")
    read = read_weights(tmp_path / "a.pth")
    assert read.tensors.keys() == state.keys()
    assert torch.equal(read.tensors["weight"], state["weight"])
    assert read.digest == hashlib.sha256((tmp_path / "a.pth").read_bytes()).hexdigest()
    assert read.training == {}


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_nothing_in_a_file_of_weights_is_executed(tmp_path):
    torch.save({"conv1.weight": Trap(str(tmp_path / "executed"))}, tmp_path / "trap.pth")
    with pytest.raises(ValueError, match="Expected a state dict"):
        vc.load_encoder("resnet18", weights=tmp_path / "trap.pth")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_a_file_that_holds_no_weights_is_refused(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"<html>404</html>")
    with pytest.raises(ValueError, match="Expected a"):
        read_weights(path)
    with pytest.raises(FileNotFoundError, match="Expected a file of weights"):
        read_weights(tmp_path / f"none.{ending}")


def test_weights_of_another_network_are_refused_with_a_list():
    with torch.device("meta"):  # names and shapes are all that counts
        module, other = (models.get_model(name, weights=None) for name in ("resnet18", "resnet34"))
    with pytest.raises(ValueError, match=r"do not fit the encoder \(unknown: layer1.2.conv1.weight, .* more"):
        fit_weights(module, other.state_dict(), head="fc.", origin="a.pth")


def test_missing_weights_and_other_shapes_are_listed_and_nothing_is_put_in(resnet18, tmp_path):
    state = dict(resnet18[0].state_dict())
    del state["conv1.weight"]
    state["bn1.bias"] = torch.zeros(3)
    torch.save(state, tmp_path / "b.pth")
    with pytest.raises(ValueError, match=r"missing: conv1.weight; .* bn1.bias \(3,\) instead of \(64,\)"):
        vc.load_encoder("resnet18", weights=tmp_path / "b.pth")
    layer = torch.nn.Linear(3, 2)
    before = layer.weight.detach().clone()
    with pytest.raises(ValueError, match=r"weights in a.pth do not fit the encoder \(missing: bias\)"):
        fit_weights(layer, {"weight": torch.zeros(2, 3)}, head="fc.", origin="a.pth")
    assert torch.equal(layer.weight, before)


def publish_resnet18(folder, resnet18, monkeypatch):
    """Publish random weights as torchvision's, under the hash of their own content."""
    folder.mkdir(exist_ok=True)
    content = resnet18[1].read_bytes()
    path = folder / f"resnet18-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    path.write_bytes(content)
    monkeypatch.setattr(
        networks, "fetch_weights", lambda url, encoder: fetch_weights(path.as_uri(), encoder=encoder)
    )
    return path


def test_published_weights_are_downloaded_once_and_then_taken_from_the_cache(
    torch_home, tmp_path, resnet18, monkeypatch, capsys
):
    published = publish_resnet18(tmp_path / "published", resnet18, monkeypatch)
    encoder = vc.load_encoder("resnet18")
    assert encoder.source["weights"] == "torchvision ResNet18_Weights.IMAGENET1K_V1"
    assert (torch_home / published.name).read_bytes() == published.read_bytes()
    published.unlink()
    assert vc.load_encoder("resnet18").source == encoder.source
    assert vc.choose_encoder("resnet18").name == "resnet18"
    assert capsys.readouterr().out == ""


def test_a_download_with_another_hash_is_thrown_away(torch_home, tmp_path):
    published = tmp_path / "tiny-00000000.pth"
    published.write_bytes(b"something else")
    with pytest.raises(WeightsUnreachableError, match=r"has the hash [0-9a-f]{8} instead of 00000000"):
        fetch_weights(published.as_uri(), encoder="tiny")
    assert list(torch_home.glob("*")) == []


class Answer(io.BytesIO):
    """What a server sends: its bytes, and headers that a test puts on it."""


def test_a_download_that_was_cut_off_is_thrown_away(torch_home, monkeypatch):
    answer = Answer(b"half")
    answer.headers = {"Content-Length": "10"}
    monkeypatch.setattr(weights.urllib.request, "urlopen", lambda url, timeout: answer)
    with pytest.raises(WeightsUnreachableError, match=r"download failed \(4 of 10 bytes came\)"):
        fetch_weights("https://somewhere/tiny.safetensors", encoder="tiny")
    assert list(torch_home.glob("*")) == []


def test_an_interrupted_download_leaves_nothing_behind(torch_home, monkeypatch):
    def stop(size):
        raise KeyboardInterrupt

    answer = Answer()
    answer.headers, answer.read = {}, stop
    monkeypatch.setattr(weights.urllib.request, "urlopen", lambda url, timeout: answer)
    with pytest.raises(KeyboardInterrupt):
        fetch_weights("https://somewhere/tiny.pth", encoder="tiny")
    assert list(torch_home.glob("*")) == []


def test_weights_that_are_nowhere_are_an_error_that_names_both_places(torch_home):
    with pytest.raises(
        WeightsUnreachableError, match=r"'tiny' at .*tiny\.pth or from file:///nowhere/tiny\.pth"
    ):
        fetch_weights("file:///nowhere/tiny.pth", encoder="tiny")


def test_damaged_weights_in_the_cache_are_refused(torch_home):
    torch_home.mkdir(parents=True)
    (torch_home / "resnet18-f37072fd.pth").write_bytes(b"half a download")
    with pytest.raises(ValueError, match="the file is damaged"):
        vc.load_encoder("resnet18")


def test_a_file_of_tensors_has_the_same_bytes_each_time(tmp_path):
    texts = {name: name for name in "hgfedcba"}
    tensors = {"b": torch.ones(3), "a": torch.arange(4)}
    write_tensors(tmp_path / "one.safetensors", tensors, texts)
    write_tensors(tmp_path / "two.safetensors", tensors, dict(reversed(texts.items())))
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()
    with safe_open(tmp_path / "one.safetensors", framework="pt") as file:
        assert torch.equal(file.get_tensor("a"), torch.arange(4))
        assert file.metadata() == texts
