import hashlib

import pytest
import torch
from safetensors.torch import save_file

import visclust as vc
from visclust.embedding.weights import WeightsUnreachableError


def test_encoders_are_frozen_and_in_evaluation_mode(lite0):
    assert not any(layer.training for layer in lite0.module.modules())
    assert not any(parameter.requires_grad for parameter in lite0.module.parameters())


def test_loading_leaves_torchs_random_numbers_alone(resnet18):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    vc.load_encoder("efficientnet_lite0")
    vc.load_encoder("resnet18", weights=resnet18[1])
    assert torch.equal(torch.rand(3), expected)


def widen_head(state):
    """Give the weights of ResNet-18 a last layer for twelve features."""
    return {**state, "fc.weight": torch.zeros(12, 512), "fc.bias": torch.zeros(12)}


def test_a_fine_tuned_head_of_another_size_is_left_out(resnet18, tmp_path):
    torch.save(widen_head(resnet18[0].state_dict()), tmp_path / "tuned.pth")
    assert vc.load_encoder("resnet18", weights=tmp_path / "tuned.pth").dimension == 512


def test_a_safetensors_file_says_what_it_was_trained_from(resnet18, tmp_path):
    state = widen_head(resnet18[0].state_dict())
    path = tmp_path / "tuned.safetensors"
    save_file(state, path, metadata={"encoder": "resnet18", "learning_rate": "0.005"})
    source = vc.load_encoder("resnet18", weights=path).source
    assert source["training"] == {"encoder": "resnet18", "learning_rate": "0.005"}
    assert source["weights"] == "file tuned.safetensors"
    assert source["weights_digest"] == hashlib.sha256(path.read_bytes()).hexdigest()
    save_file(state, path, metadata={"encoder": "resnet34"})
    with pytest.raises(ValueError, match="made for 'resnet34'"):
        vc.load_encoder("resnet18", weights=path)


def test_resnet18_out_of_reach_is_an_error_that_says_what_to_do(no_network):
    with pytest.raises(WeightsUnreachableError) as caught:
        vc.load_encoder("resnet18")
    said = str(caught.value)
    assert str(no_network / "resnet18-f37072fd.pth") in said
    assert "no route to host" in said
    assert "weights=" in said
    assert 'encoder="efficientnet_lite0"' in said
    assert list(no_network.glob("*")) == []


def test_the_example_says_in_one_line_that_it_takes_another_encoder(no_network, capsys):
    choice = vc.choose_encoder("resnet18")
    assert choice.name == "efficientnet_lite0"
    assert "resnet18" in choice.reason
    assert "no route to host" in choice.reason
    printed = capsys.readouterr().out
    assert printed.startswith("Using efficientnet_lite0: the weights of resnet18 are neither")
    assert printed.count("\n") == 1


def test_choosing_fails_for_a_name_that_is_none(no_network):
    with pytest.raises(ValueError, match=r"got 'resnte18'. Did you mean .*resnet18"):
        vc.choose_encoder("resnte18")


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match='device="gpu" was asked for'):
        vc.load_encoder("efficientnet_lite0", device="gpu")
    with pytest.raises(ValueError, match="Expected device"):
        vc.load_encoder("efficientnet_lite0", device="cuda")
