"""The network that is trained: what stays frozen, what is trained, the new last layer; logits and loss."""

import copy
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from visclust.embedding.encoders import Encoder
from visclust.embedding.networks import TORCHVISION_ENCODERS
from visclust.finetuning.batches import BatchSource

if TYPE_CHECKING:
    import torch


LAYERS = ("all", "last_block", "head")
_PRECISIONS = ("auto", "float32", "bfloat16")


class TrainingSettings(NamedTuple):
    """How to train: the settings of `finetune`, and what follows from them once images and network are known.

    ``positive_weights`` is float64 of shape (features,), or None where positive labels count once.
    """

    layers: str
    epochs: int
    learning_rate: float
    batch_size: int
    weight_rare: bool
    views: int
    held_out: float
    image_size: int | None
    precision: str
    seed: int
    workers: int | None
    n_bootstrap: int
    positive_weights: np.ndarray | None = None


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

    The encoder stays as it is; the copy is on its device. The last layer starts from values that the seed
    draws uniformly between plus and minus one over the square root of the number of inputs, as torch has it.
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


def choose_precision(precision: str, device: "torch.device") -> str:
    """Choose the number format that the network computes in; its weights stay float32.

    "auto" is float32 on a CPU; on a GPU bfloat16 where it has it (from compute capability 8), else float16.
    """
    import torch

    if precision not in _PRECISIONS:
        raise ValueError(f"Expected one of {', '.join(_PRECISIONS)} as precision, got {precision!r}.")
    if precision != "auto":
        return precision
    if device.type == "cpu":
        return "float32"
    return "bfloat16" if torch.cuda.get_device_capability(device) >= (8, 0) else "float16"


def predict_logits(
    network: TrainedNetwork, source: BatchSource, rows: np.ndarray, settings: TrainingSettings
) -> np.ndarray:
    """Give the logit of each feature for plain images, float32 of shape (rows, features).

    The network is left in evaluation mode.
    """
    import torch

    network.trained.eval()
    size = settings.batch_size
    batches = [rows[start : start + size] for start in range(0, len(rows), size)]
    with torch.inference_mode():
        parts = [
            apply_network(network, batch, settings).cpu().numpy()
            for batch in source.iterate(batches, epoch=None)
        ]
    return np.concatenate(parts)


def apply_network(
    network: TrainedNetwork, batch: "torch.Tensor", settings: TrainingSettings
) -> "torch.Tensor":
    """Give the logits of a batch."""
    import torch

    device = network.head.weight.device
    batch = batch.to(device, memory_format=torch.channels_last) if batch.ndim == 4 else batch.to(device)
    with _mix(device, settings.precision):
        return network.head(network.trained(batch)).float()


def _mix(device: "torch.device", precision: str) -> AbstractContextManager:
    """Compute in half precision where that was chosen; weights stay float32."""
    import torch

    dtype = torch.float16 if precision == "float16" else torch.bfloat16
    return torch.autocast(device.type, dtype=dtype, enabled=precision != "float32")


def sum_loss(
    logits: "torch.Tensor", targets: np.ndarray, settings: TrainingSettings
) -> tuple["torch.Tensor", int]:
    """Give the binary cross-entropy summed over known labels, and how many those are."""
    import torch

    wanted = torch.from_numpy(np.asarray(targets, dtype=np.float32)).to(logits.device)
    known = ~torch.isnan(wanted)
    weights = settings.positive_weights
    scale = None if weights is None else torch.as_tensor(weights, dtype=torch.float32, device=logits.device)
    losses = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, torch.nan_to_num(wanted), reduction="none", pos_weight=scale
    )
    return (losses * known).sum(), int(known.sum())
