"""How much memory this process may use: the limit of its container or Binder session counts too."""

import os
from pathlib import Path

__all__ = ["memory_at_hand"]

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_at_hand() -> int:
    """Find how much memory this process may use in all.

    Returns
    -------
    int, bytes
        The smallest of the memory available on the machine, the limit of the container, and the limit
        that JupyterHub and Binder announce in MEM_LIMIT.

    Examples
    --------
    >>> memory_at_hand() > 10**8
    True
    """
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
