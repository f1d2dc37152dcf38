"""One step of training: precision, logits, and the loss over known labels."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from visclust.finetune_batches import BatchSource
from visclust.finetune_network import TrainedNetwork

if TYPE_CHECKING:
    import torch

__all__ = ["TrainingSettings", "apply_network", "choose_precision", "predict_logits", "sum_loss"]

_PRECISIONS = ("auto", "float32", "bfloat16")


class TrainingSettings(NamedTuple):
    """How to train: see `finetune`; ``positive_weights`` is one per feature, or None."""

    epochs: int
    learning_rate: float
    batch_size: int
    seed: int
    positive_weights: np.ndarray | None
    precision: str


def choose_precision(precision: str, device: "torch.device") -> str:
    """Choose the number format that the network computes in; its weights stay float32.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
        "auto": float32 on a CPU; on a GPU bfloat16 where it has it (from compute capability 8), else float16.
    device : torch.device
        Where it computes.

    Returns
    -------
    str
        "float32", "bfloat16" or "float16".

    Raises
    ------
    ValueError
        If `precision` is none of the three.

    Examples
    --------
    >>> import torch
    >>> choose_precision("auto", torch.device("cpu"))
    'float32'
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
    """Give the logit of each feature for plain images.

    Parameters
    ----------
    network : TrainedNetwork
        Left in evaluation mode.
    source : BatchSource
        Gives batches by row.
    rows : int array, shape (m,)
        The images.
    settings : TrainingSettings
        Batch size and precision count.

    Returns
    -------
    float array, shape (m, f), float32

    Examples
    --------
    >>> import torch
    >>> from visclust.finetune_batches import CachedBatches
    >>> network = TrainedNetwork(torch.nn.Identity(), None, torch.nn.Identity(), torch.nn.Linear(1, 2), "")
    >>> how = TrainingSettings(1, 0.1, 2, 0, None, "float32")
    >>> source = CachedBatches(torch.zeros(1, 3, 1), seed=0)
    >>> predict_logits(network, source, np.arange(3), how).shape
    (3, 2)
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
    """Give the logits of a batch.

    Parameters
    ----------
    network : TrainedNetwork
        In the mode that is wanted.
    batch : torch.Tensor, shape (b, …)
        Images, or what the frozen layers gave for them; on any device.
    settings : TrainingSettings
        The precision counts.

    Returns
    -------
    torch.Tensor, shape (b, f), float32
        On the network's device.

    Examples
    --------
    >>> import torch
    >>> network = TrainedNetwork(torch.nn.Identity(), None, torch.nn.Identity(), torch.nn.Linear(1, 2), "")
    >>> how = TrainingSettings(1, 0.1, 2, 0, None, "float32")
    >>> tuple(apply_network(network, torch.zeros(3, 1), how).shape)
    (3, 2)
    """
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
    """Give the binary cross-entropy summed over known labels, and how many those are.

    Parameters
    ----------
    logits : torch.Tensor, shape (b, f)
        Of the network.
    targets : float array, shape (b, f)
        Labels: 1, 0, NaN where missing.
    settings : TrainingSettings
        The weights of positive labels count.

    Returns
    -------
    tuple of (torch.Tensor, int)
        The sum, and the number of labels.

    Examples
    --------
    >>> import torch
    >>> how = TrainingSettings(1, 0.1, 2, 0, None, "float32")
    >>> loss, count = sum_loss(torch.zeros(1, 2), np.array([[1.0, np.nan]]), how)
    >>> round(float(loss), 3), count
    (0.693, 1)
    """
    import torch

    wanted = torch.from_numpy(np.asarray(targets, dtype=np.float32)).to(logits.device)
    known = ~torch.isnan(wanted)
    weights = settings.positive_weights
    scale = None if weights is None else torch.as_tensor(weights, dtype=torch.float32, device=logits.device)
    losses = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, torch.nan_to_num(wanted), reduction="none", pos_weight=scale
    )
    return (losses * known).sum(), int(known.sum())
