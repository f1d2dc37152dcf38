"""The network that is trained: which part stays frozen, which is trained, and the new last layer."""

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

from visclust.embedding.encoders import Encoder
from visclust.embedding.networks import TORCHVISION_ENCODERS

if TYPE_CHECKING:
    import torch

__all__ = ["LAYERS", "TrainedNetwork", "prepare_network"]

LAYERS = ("all", "last_block", "head")


class TrainedNetwork(NamedTuple):
    """A copy of an encoder's network in parts: ``head(trained(frozen(images)))`` gives a logit per feature.

    ``module`` is the whole without the head and shares its parameters with ``frozen`` (None where all
    layers are trained) and ``trained``. ``head_name`` is what the names of the last layer begin with in a
    file of weights; empty where that is not known.
    """

    module: "torch.nn.Module"
    frozen: "torch.nn.Module | None"
    trained: "torch.nn.Module"
    head: "torch.nn.Linear"
    head_name: str


def prepare_network(encoder: Encoder, *, n_features: int, layers: str, seed: int) -> TrainedNetwork:
    """Copy an encoder's network, give it a last layer with one output per feature, and part it.

    Parameters
    ----------
    encoder : Encoder
        It stays as it is.
    n_features : int
        Outputs of the last layer.
    layers : {"all", "last_block", "head"}
        What is trained.
    seed : int
        Of the last layer's starting values (uniform between plus and minus one over the square root of the
        number of inputs, as torch has it).

    Returns
    -------
    TrainedNetwork
        On the device of the encoder.

    Raises
    ------
    ValueError
        If the last block of this network is not known.

    Examples
    --------
    >>> import torch
    >>> layers = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4), torch.nn.ReLU())
    >>> encoder = Encoder("toy", layers, None, 4, 2, {})
    >>> parts = prepare_network(encoder, n_features=3, layers="last_block", seed=0)
    >>> len(parts.frozen), len(parts.trained), parts.head.out_features
    (1, 2, 3)
    """
    import torch

    if layers not in LAYERS:
        raise ValueError(f"Expected one of {', '.join(LAYERS)} as layers, got {layers!r}.")
    module = copy.deepcopy(encoder.module)
    device = next(module.parameters()).device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = torch.nn.Linear(encoder.dimension, n_features).to(device)
    frozen: Any = None
    trained: Any = module
    if layers == "head":
        frozen, trained = module, torch.nn.Identity()
    elif layers == "last_block":
        frozen, trained = _split_last_block(module, encoder.name)
    module.requires_grad_(requires_grad=False).eval()
    trained.requires_grad_(requires_grad=True)
    return TrainedNetwork(module, frozen, trained, head, _name_head(module, encoder.name))


def _split_last_block(module: Any, name: str) -> tuple[Any, Any]:
    """Part a network before its last block; what comes after the block is trained with it."""
    from torch.nn import Flatten, Sequential

    parts = dict(module.named_children())
    if "layer4" in parts:  # the ResNets of torchvision and timm
        before, after = _cut(parts, "layer4")
    elif "blocks" in parts and "conv_head" in parts:  # timm's EfficientNets
        *blocks, last = module.blocks
        before, after = _cut(parts, "blocks")
        before, after = [*before, *blocks], [last, *after[1:]]
    elif {"features", "avgpool", "classifier"} <= parts.keys():  # VGG and AlexNet
        layers = list(module.classifier)
        at = max(n for n, layer in enumerate(layers) if any(True for _ in layer.parameters()))
        before = [module.features, module.avgpool, Flatten(1), *layers[:at]]
        after = layers[at:]
        return Sequential(*before), Sequential(*after)
    elif isinstance(module, Sequential):
        layers = list(module)
        at = max(n for n, layer in enumerate(layers) if any(True for _ in layer.parameters()))
        return Sequential(*layers[:at]), Sequential(*layers[at:])
    else:
        raise ValueError(
            f"Expected a network whose last block is known (ResNet, EfficientNet, VGG, AlexNet or a "
            f'torch.nn.Sequential), but {name!r} is none. Use layers="all" or layers="head".'
        )
    return Sequential(*before), Sequential(*after, Flatten(1))


def _cut(parts: dict[str, Any], name: str) -> tuple[list[Any], list[Any]]:
    """Part a network's children before the one named."""
    at = list(parts).index(name)
    layers = list(parts.values())
    return layers[:at], layers[at:]


def _name_head(module: Any, name: str) -> str:
    """Find what the names of the last layer begin with in files of weights."""
    if name in TORCHVISION_ENCODERS:
        return TORCHVISION_ENCODERS[name]
    classifier = getattr(module, "pretrained_cfg", {}).get("classifier")
    return f"{classifier}." if isinstance(classifier, str) and classifier else ""
