"""Train a network epoch by epoch; a checkpoint after each lets it go on after a kill with the same result."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from visclust.base.progress import WorkBar
from visclust.base.provenance import digest_ids, digest_input
from visclust.embedding.weights import write_tensors
from visclust.finetuning.batches import BatchSource, order_batches
from visclust.finetuning.network import (
    TrainedNetwork,
    TrainingSettings,
    apply_network,
    predict_logits,
    sum_loss,
)
from visclust.finetuning.scores import average_precisions

if TYPE_CHECKING:
    import torch

MOMENTUM = 0.9
# The loss before training is near log 2; a mean of three times the first batch's is far beyond any noise.
_EXPLODED = 3.0


class Checkpoint(NamedTuple):
    """What a training continues from: tensors by name, and a record that JSON holds."""

    tensors: "dict[str, torch.Tensor]"
    record: dict[str, Any]


class TrainingRun(NamedTuple):
    """The curve, a dict per finished epoch, and why training ended."""

    curve: list[dict[str, float]]
    stop_reason: str


class _Diverged(Exception):  # noqa: N818 - a turn of events, caught here, not a mistake of the caller
    """The loss left all bounds; its text says how."""


def train_network(
    network: TrainedNetwork,
    source: BatchSource,
    targets: np.ndarray,
    *,
    held: np.ndarray,
    settings: TrainingSettings,
    start: Checkpoint | None,
    save: Callable[[Checkpoint], object],
    progress: bool,
) -> TrainingRun:
    """Train by stochastic gradient descent with momentum .9 on binary cross-entropy of known labels.

    What is made smaller is the loss summed over features and averaged over the images of a batch. `targets`
    (n, features) holds 1, 0 and NaN where missing; rows with `held` (n) True are not trained on. The network
    is changed in place: afterwards it has the weights of the last finished epoch. It goes on from the
    checkpoint `start`, and `save` is given one after each epoch. The curve has per epoch the mean loss per
    label while it was trained on, that loss and the mean average precision on the images held out, and the
    seconds spent waiting for images, computing, and on the held-out images.
    """
    import torch

    parameters = [*network.trained.parameters(), *network.head.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=settings.learning_rate, momentum=MOMENTUM)
    scaler = torch.amp.GradScaler("cuda", enabled=settings.precision == "float16")
    curve: list[dict[str, float]] = []
    first_loss: float | None = None
    if start is not None:
        curve, first_loss = list(start.record["curve"]), start.record["first_loss"]
        scaler.load_state_dict(start.record["scaler"])
        _restore_snapshot(network, optimizer, start.tensors)
    finished = _take_snapshot(network, optimizer)
    rows, held_rows = np.flatnonzero(~held), np.flatnonzero(held)
    device = network.head.weight.device
    # The same input must take the same algorithm each time, or a resumed run would differ.
    repeatable = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
    forked = torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
    bar = WorkBar(
        total=settings.epochs,
        initial=len(curve),
        desc="Training",
        unit="epoch",
        work=f"Training for {settings.epochs} epochs",
        progress=progress,
    )
    with repeatable, forked, bar:
        for epoch in range(len(curve) + 1, settings.epochs + 1):
            torch.manual_seed(int(np.random.SeedSequence([settings.seed, epoch, 3]).generate_state(1)[0]))
            batches = order_batches(rows, batch_size=settings.batch_size, seed=settings.seed, epoch=epoch)
            try:
                row, first_loss = _train_epoch(
                    network,
                    source,
                    targets,
                    batches=batches,
                    epoch=epoch,
                    settings=settings,
                    optimizer=optimizer,
                    scaler=scaler,
                    first_loss=first_loss,
                )
                row |= _judge(network, source, targets, rows=held_rows, settings=settings)
            except _Diverged as reason:
                _restore_snapshot(network, optimizer, finished)
                return TrainingRun(curve, _word_divergence(str(reason), epoch, settings))
            curve.append(row)
            finished = _take_snapshot(network, optimizer)
            save(
                Checkpoint(
                    finished, {"curve": curve, "first_loss": first_loss, "scaler": scaler.state_dict()}
                )
            )
            bar.update()
            bar.set_postfix(loss=f"{row['train_loss']:.3f}", held_out=f"{row['held_out_loss']:.3f}")
    return TrainingRun(curve, f"all {settings.epochs} epochs were trained")


def _word_divergence(reason: str, epoch: int, settings: TrainingSettings) -> str:
    kept = f"the weights are those after epoch {epoch - 1}" if epoch > 1 else "the weights are untrained"
    return (
        f"diverged in epoch {epoch}: {reason}; {kept}. Use a lower learning rate than "
        f"{settings.learning_rate:g}."
    )


def _train_epoch(
    network: TrainedNetwork,
    source: BatchSource,
    targets: np.ndarray,
    *,
    batches: list[np.ndarray],
    epoch: int,
    settings: TrainingSettings,
    optimizer: Any,
    scaler: Any,
    first_loss: float | None,
) -> tuple[dict[str, float], float]:
    """Train one epoch, and give its row of the curve and the loss of the very first batch."""
    import torch

    network.trained.train()
    total = known = waiting = 0.0
    began = time.perf_counter()
    given = source.iterate(batches, epoch=epoch)
    for rows in batches:
        asked = time.perf_counter()
        batch = next(given)
        waiting += time.perf_counter() - asked
        logits = apply_network(network, batch, settings)
        loss, count = sum_loss(logits, targets[rows], settings)
        optimizer.zero_grad(set_to_none=True)
        # The tasks' losses are summed, as multi-task models have it: a mean over features would make each
        # feature learn more slowly the more of them there are.
        scaler.scale(loss / len(rows)).backward()
        scaler.step(optimizer)
        scaler.update()
        value = float(loss.detach())
        if not np.isfinite(value):
            raise _Diverged("the loss was no longer a finite number")
        first_loss = value / max(count, 1) if first_loss is None else first_loss
        total, known = total + value, known + count
    mean = total / max(known, 1)
    if mean > _EXPLODED * first_loss:  # type: ignore[operator]
        raise _Diverged(f"the loss rose from {first_loss:.3g} to {mean:.3g}")
    with torch.no_grad():
        if not all(bool(torch.isfinite(each).all()) for each in network.trained.state_dict().values()):
            raise _Diverged("weights were no longer finite numbers")
    seconds = time.perf_counter() - began
    row = {
        "epoch": epoch,
        "train_loss": mean,
        "seconds_waiting": waiting,
        "seconds_computing": seconds - waiting,
    }
    return row, first_loss  # type: ignore[return-value]


def _judge(
    network: TrainedNetwork,
    source: BatchSource,
    targets: np.ndarray,
    *,
    rows: np.ndarray,
    settings: TrainingSettings,
) -> dict[str, float]:
    """Give loss and mean average precision on the held-out images, and the seconds that took."""
    import torch

    began = time.perf_counter()
    logits = predict_logits(network, source, rows, settings=settings)
    loss, count = sum_loss(torch.from_numpy(logits), targets[rows], settings)
    value = float(loss) / max(count, 1)
    if not np.isfinite(value):
        raise _Diverged("the loss on the held-out images was not a finite number")
    return {
        "held_out_loss": value,
        "held_out_average_precision": float(np.nanmean(average_precisions(logits, targets[rows]))),
        "seconds_held_out": time.perf_counter() - began,
    }


def locate_checkpoint(path: Path) -> Path:
    """Name the checkpoint beside an encoder file; it is there only while a training is under way."""
    return path.with_name(f"{path.stem}.checkpoint.safetensors")


def write_checkpoint(path: Path, checkpoint: Checkpoint, *, digest: str) -> Path:
    """Write a checkpoint in one step, with the digest of everything that the training's result depends on."""
    record = json.dumps(checkpoint.record)
    metadata = {"settings": digest, "record": record, "content": _digest_content(checkpoint.tensors, record)}
    return write_tensors(path, checkpoint.tensors, metadata)


def read_checkpoint(path: Path, *, digest: str) -> Checkpoint | None:
    """Read a checkpoint; None where there is none, it is damaged, or of another training: it starts anew."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("settings") != digest:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if metadata["content"] != _digest_content(tensors, metadata["record"]):
                raise ValueError("its digest is another one")
            return Checkpoint(tensors, json.loads(metadata["record"]))
    except PermissionError:
        raise
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        print(f"{path} is damaged ({error}): the training starts anew.")
        return None


def _digest_content(tensors: "dict[str, torch.Tensor]", record: str) -> str:
    """Digest what a checkpoint holds: safetensors has no checksum."""
    parts = [f"{name} {digest_input(each.detach().cpu().numpy())}" for name, each in sorted(tensors.items())]
    return digest_ids([*parts, record])


def _name_parameters(network: TrainedNetwork) -> list[tuple[str, Any]]:
    return [
        *((f"trained.{name}", each) for name, each in network.trained.named_parameters()),
        *((f"head.{name}", each) for name, each in network.head.named_parameters()),
    ]


def _take_snapshot(network: TrainedNetwork, optimizer: Any) -> "dict[str, torch.Tensor]":
    """Copy weights, running statistics and momentum of what is trained to the CPU.

    Names begin with "trained.", "head." and "momentum.".
    """
    tensors = {f"trained.{name}": each for name, each in network.trained.state_dict().items()}
    tensors |= {f"head.{name}": each for name, each in network.head.state_dict().items()}
    for name, parameter in _name_parameters(network):
        momentum = optimizer.state[parameter].get("momentum_buffer") if parameter in optimizer.state else None
        if momentum is not None:
            tensors[f"momentum.{name}"] = momentum
    return {name: each.detach().cpu().clone() for name, each in tensors.items()}


def _restore_snapshot(network: TrainedNetwork, optimizer: Any, tensors: "dict[str, torch.Tensor]") -> None:
    """Put a snapshot back into network and optimizer."""
    import torch

    for part, module in (("trained.", network.trained), ("head.", network.head)):
        module.load_state_dict(
            {name.removeprefix(part): each for name, each in tensors.items() if name.startswith(part)}
        )
    for name, parameter in _name_parameters(network):
        momentum = tensors.get(f"momentum.{name}")
        if momentum is None:
            optimizer.state.pop(parameter, None)
        else:
            optimizer.state[parameter]["momentum_buffer"] = torch.empty_like(parameter).copy_(momentum)
