"""What tests let workers of Dask do: here, as a worker imports what it runs, and should import little."""

import os
import resource
import signal
import time
from pathlib import Path


def kill_self_once(mark, i):
    """Square a number; the worker that gets the third one dies, once."""
    if i == 3 and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01)
    return i * i


def kill_self():
    os.kill(os.getpid(), signal.SIGKILL)


def measure_peak(_):
    """Give the most bytes of memory that this worker has held.

    Linux counts what the process that started it held into `ru_maxrss`, so that its status is read there.
    """
    time.sleep(0.2)
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
