"""How much memory this process may use: the limit of its container or Binder session counts too."""

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


_LITTLE_MEMORY = 3 * 2**30

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_at_hand() -> int:
    """Find how much memory this process may use in all."""
    limits = [_read_available()]
    for path in _CGROUP_LIMITS:
        text = _read_text(path)
        if text.isdigit():  # "max" means no limit
            limits.append(int(text))
    announced = os.environ.get("MEM_LIMIT", "")
    if announced.isdigit() and int(announced):
        limits.append(int(announced))
    return min(limits)


def _read_available() -> int:
    for line in _read_text("/proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError):  # Windows has neither: take what any laptop has
        return 4 * 2**30


def _read_text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def pick_torch_device(device: str = "auto") -> "torch.device":
    """Pick the device that torch computes on."""
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
    """Name a device for the record of a run."""
    import torch

    return "cpu" if device.type == "cpu" else f"gpu: {torch.cuda.get_device_name(device)}"


def choose_workers() -> int:
    """Choose how many threads decode images: one per core, one only where memory is short."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if memory_at_hand() < _LITTLE_MEMORY else min(cores, 16)
