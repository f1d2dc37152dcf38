"""What this machine has for the process: memory (limits of containers and Binder count), threads, a GPU."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from visclust.base.backend import decide_on_gpu

if TYPE_CHECKING:
    import torch

_LITTLE_MEMORY = 3 * 2**30

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_at_hand() -> int:
    """Find how many bytes of memory this process may use in all.

    The least of what the machine has, what the container allows, what `ulimit` allows the process, and what
    JupyterHub and Binder announce.
    """
    limits = [_read_available()]
    for path in _CGROUP_LIMITS:
        text = _read_text(path)
        if text.isdigit():  # "max" means no limit
            limits.append(int(text))
    limits += _read_process_limits()
    announced = os.environ.get("MEM_LIMIT", "")
    if announced.isdigit() and int(announced):
        limits.append(int(announced))
    return min(limits)


def _read_process_limits() -> list[int]:
    """Read what the shell allows this process in address space and data; nothing where it allows all."""
    try:
        import resource
    except ImportError:  # Windows has none
        return []
    kinds = [getattr(resource, name) for name in ("RLIMIT_AS", "RLIMIT_DATA") if hasattr(resource, name)]
    found = [resource.getrlimit(kind)[0] for kind in kinds]
    return [limit for limit in found if limit != resource.RLIM_INFINITY and limit > 0]


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
    """Pick the device that torch computes on: the CPU or the first GPU; "auto" says where there is none."""
    import torch

    gpu = decide_on_gpu(device, _explain_torch, announcement="Encoders run on the CPU: {reason}")
    return torch.device("cuda", 0) if gpu else torch.device("cpu")


def _explain_torch() -> str:
    """Say in one line why torch cannot use a GPU here; the empty string where it can."""
    import torch

    if torch.cuda.is_available():
        return ""
    if torch.backends.cuda.is_built():
        return "PyTorch sees no NVIDIA GPU: check that `nvidia-smi` lists one."
    return "PyTorch was built without CUDA here: install one with CUDA on a machine with an NVIDIA GPU."


def describe_torch_device(device: "torch.device") -> str:
    """Name a device for the record of a run."""
    import torch

    return "cpu" if device.type == "cpu" else f"gpu: {torch.cuda.get_device_name(device)}"


def choose_workers() -> int:
    """Choose how many threads decode images: one per core, one only where memory is short, 16 at most.

    Beyond 16, one process cannot hand more images on. Decoding takes 128 megabytes a thread at most, and
    `read_image` lets larger images go one after the other.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = memory_at_hand()
    return 1 if memory < _LITTLE_MEMORY else max(1, min(cores, 16, memory // 2**29))


def choose_batch_size() -> int:
    """Choose how many images go through a network together: 32, or 8 where memory is short."""
    return 8 if memory_at_hand() < _LITTLE_MEMORY else 32
