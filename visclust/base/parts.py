"""Names of files that are being written, and the removal of those whose process has died."""

import contextlib
import hashlib
import itertools
import os
import re
import socket
import time
from functools import cache
from pathlib import Path

# `.name.<machine>.<process>.<number>.part`; `.name.<process>.part` in folders of earlier versions.
_PART = re.compile(r"^\..+?\.(?:(?P<machine>[0-9a-f]{8})\.(?P<process>\d+)\.\d+|\d+)\.part$", re.DOTALL)
_KEPT_BYTES = 120  # of the final name, so that the longest names have room for what is added
_WEEK = 7 * 24 * 3600.0
_EVERY = 60.0  # seconds between two looks at one folder
_numbers = itertools.count()
_looked: dict[str, float] = {}


def name_part(path: Path) -> Path:
    """Name a file beside `path` to write into, which no other thread, process or machine names so too."""
    short = os.fsdecode(os.fsencode(path.name)[:_KEPT_BYTES])
    return path.with_name(f".{short}.{_name_machine()}.{os.getpid()}.{next(_numbers)}.part")


@cache
def _name_machine() -> str:
    """Name this machine, or this container: a process number means something only within one of them."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return hashlib.sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:8]


def sweep_parts(folder: Path) -> list[Path]:
    """Remove files that were being written by processes that are no longer there, and list them.

    Never those of a living process: of this machine its number is asked for; of another one nothing is known,
    and only what nobody holds and nobody has written to for a week goes. A folder is looked at once a minute.
    """
    now = time.monotonic()
    place = str(folder.absolute())
    if now - _looked.get(place, -_EVERY) < _EVERY:
        return []
    _looked[place] = now
    swept = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _PART.match(entry.name)
            if found and not _may_live(entry, found):
                with contextlib.suppress(OSError):  # Windows keeps what is open
                    Path(entry.path).unlink()
                    swept.append(Path(entry.path))
    return swept


def _may_live(entry: os.DirEntry, found: re.Match) -> bool:
    """Tell whether the writer of a file may still be at work."""
    try:
        if not entry.is_file(follow_symlinks=False):
            return True
        if found["machine"] != _name_machine():
            return time.time() - entry.stat().st_mtime < _WEEK or _is_held(entry.path)
        return _is_alive(int(found["process"])) or _is_held(entry.path)
    except (OSError, OverflowError):
        return True


def _is_alive(process: int) -> bool:
    if os.name == "nt":  # there signal 0 is no question; files that are open cannot be removed there
        return process == os.getpid()
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is there, and another user's
        return True
    return True


def hold_file(descriptor: int, *, wait: bool) -> bool:
    """Lock an open file or folder until it is closed or the process dies; False where another holds it.

    True also where the system or the file system knows no locks.
    """
    if os.name == "nt":
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_held(path: str) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return not hold_file(descriptor, wait=False)
    finally:
        os.close(descriptor)
