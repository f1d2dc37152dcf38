"""Where torch computes: the CPU or an NVIDIA GPU."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["describe_torch_device", "pick_torch_device"]


def pick_torch_device(device: str = "auto") -> "torch.device":
    """Pick the device that torch computes on.

    Parameters
    ----------
    device : {"auto", "cpu", "gpu"}, default "auto"
        "gpu" without a GPU is an error; "auto" takes a GPU where torch sees one, and otherwise says
        once that there is none.

    Returns
    -------
    torch.device
        The CPU or the first GPU.

    Raises
    ------
    RuntimeError
        If `device` is "gpu" and torch sees none.
    ValueError
        If `device` is none of the three.

    Examples
    --------
    >>> pick_torch_device("cpu").type
    'cpu'
    """
    import torch

    if device not in ("auto", "cpu", "gpu"):
        raise ValueError(f'Expected device "auto", "cpu" or "gpu", got {device!r}.')
    if device == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda", 0)
    reason = (
        "torch sees no NVIDIA GPU: check that `nvidia-smi` lists one."
        if torch.backends.cuda.is_built()
        else "this torch was built without CUDA: install one with CUDA on a machine with an NVIDIA GPU."
    )
    if device == "gpu":
        raise RuntimeError(f'device="gpu" was asked for, but {reason} Or use device="auto".')
    _announce_fallback(reason)
    return torch.device("cpu")


@cache
def _announce_fallback(reason: str) -> None:
    # Cached, so that it is said once per process.
    print(f"Encoders run on the CPU: {reason}")


def describe_torch_device(device: "torch.device") -> str:
    """Name a device for the record of a run.

    Parameters
    ----------
    device : torch.device
        As `pick_torch_device` gives it.

    Returns
    -------
    str
        "cpu", or "gpu: " and the GPU's name.

    Examples
    --------
    >>> describe_torch_device(pick_torch_device("cpu"))
    'cpu'
    """
    import torch

    return "cpu" if device.type == "cpu" else f"gpu: {torch.cuda.get_device_name(device)}"
