"""Checkpoints of a training: what it continues from after a kill, with the same result."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from visclust.embedding.weights import write_tensors
from visclust.finetune_network import TrainedNetwork

if TYPE_CHECKING:
    import torch

__all__ = [
    "Checkpoint",
    "locate_checkpoint",
    "read_checkpoint",
    "restore_snapshot",
    "take_snapshot",
    "write_checkpoint",
]


class Checkpoint(NamedTuple):
    """What a training continues from: tensors by name, and a record that JSON holds."""

    tensors: "dict[str, torch.Tensor]"
    record: dict[str, Any]


def locate_checkpoint(path: Path) -> Path:
    """Name the checkpoint beside an encoder file.

    Parameters
    ----------
    path : pathlib.Path
        The encoder's file.

    Returns
    -------
    pathlib.Path
        The checkpoint's file; there is one only while a training is under way.

    Examples
    --------
    >>> locate_checkpoint(Path("mine.safetensors")).name
    'mine.checkpoint.safetensors'
    """
    return path.with_name(f"{path.stem}.checkpoint.safetensors")


def write_checkpoint(path: Path, checkpoint: Checkpoint, *, settings: str) -> Path:
    """Write a checkpoint in one step.

    Parameters
    ----------
    path : pathlib.Path
        Where to.
    checkpoint : Checkpoint
        What to continue from.
    settings : str
        Digest of the training's settings.

    Returns
    -------
    pathlib.Path
        The file.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "mine.checkpoint.safetensors"
    >>> _ = write_checkpoint(path, Checkpoint({}, {"epoch": 3}), settings="abc")
    >>> read_checkpoint(path, settings="abc").record, read_checkpoint(path, settings="other")
    ({'epoch': 3}, None)
    """
    metadata = {"settings": settings, "record": json.dumps(checkpoint.record)}
    return write_tensors(path, checkpoint.tensors, metadata)


def read_checkpoint(path: Path, *, settings: str) -> Checkpoint | None:
    """Read a checkpoint if it is one of this very training.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    settings : str
        Digest of the training's settings.

    Returns
    -------
    Checkpoint or None
        None where there is none, it is damaged, or it is of other settings: then training starts anew.

    Examples
    --------
    >>> read_checkpoint(Path("none.safetensors"), settings="") is None
    True
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("settings") != settings:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return Checkpoint(tensors, json.loads(metadata["record"]))
    except (SafetensorError, OSError, ValueError, KeyError):
        return None


def _name_parameters(network: TrainedNetwork) -> list[tuple[str, Any]]:
    return [
        *((f"trained.{name}", each) for name, each in network.trained.named_parameters()),
        *((f"head.{name}", each) for name, each in network.head.named_parameters()),
    ]


def take_snapshot(network: TrainedNetwork, optimizer: Any) -> "dict[str, torch.Tensor]":
    """Copy weights, running statistics and momentum of what is trained to the CPU.

    Parameters
    ----------
    network : TrainedNetwork
        The network.
    optimizer : torch.optim.SGD
        Of its trained parameters.

    Returns
    -------
    dict of str to torch.Tensor
        Names begin with "trained.", "head." and "momentum.".

    Examples
    --------
    >>> import torch
    >>> network = TrainedNetwork(torch.nn.Identity(), None, torch.nn.Identity(), torch.nn.Linear(1, 2), "")
    >>> list(take_snapshot(network, torch.optim.SGD(network.head.parameters())))
    ['head.weight', 'head.bias']
    """
    tensors = {f"trained.{name}": each for name, each in network.trained.state_dict().items()}
    tensors |= {f"head.{name}": each for name, each in network.head.state_dict().items()}
    for name, parameter in _name_parameters(network):
        momentum = optimizer.state[parameter].get("momentum_buffer") if parameter in optimizer.state else None
        if momentum is not None:
            tensors[f"momentum.{name}"] = momentum
    return {name: each.detach().cpu().clone() for name, each in tensors.items()}


def restore_snapshot(network: TrainedNetwork, optimizer: Any, tensors: "dict[str, torch.Tensor]") -> None:
    """Put a snapshot back.

    Parameters
    ----------
    network : TrainedNetwork
        Changed in place.
    optimizer : torch.optim.SGD
        Changed in place.
    tensors : dict of str to torch.Tensor
        From `take_snapshot`.

    Examples
    --------
    >>> import torch
    >>> network = TrainedNetwork(torch.nn.Identity(), None, torch.nn.Identity(), torch.nn.Linear(1, 2), "")
    >>> optimizer = torch.optim.SGD(network.head.parameters())
    >>> restore_snapshot(network, optimizer, take_snapshot(network, optimizer))
    """
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
