"""A file and its sidecar, replaced as one: a reader finds both old or both new, whenever the writer dies.

The new sidecar first waits beside, under a name that holds the digest of the new file; the file is renamed
into its place; then the sidecar is. A reader that finds a sidecar waiting finishes the step or drops it.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from visclust.base.damage import digest_bytes
from visclust.base.files import flush_folder, refuse_folder, write_atomically, write_beside
from visclust.base.parts import hold_file

_DIGITS = 32
_renaming = threading.RLock()


def write_pair(
    path: Path, write: Callable[[BinaryIO], object], sidecar: Path, describe: Callable[[str], str]
) -> Path:
    """Write a file and its sidecar as one.

    `write` is called with the open file; `describe` gives the text of the sidecar from the SHA-256 of the
    file's bytes. Both lie in one folder.
    """
    for place in (path, sidecar):
        refuse_folder(place)
    with write_beside(path, write) as beside:
        digest = digest_bytes(beside)
        text = describe(digest).encode("utf-8", "replace")
        with hold_folder(path.parent):
            # What another writer left there goes first: its file would not be told from this one.
            settle_pair(path, sidecar)
            waiting = write_atomically(_name_waiting(sidecar, digest), lambda file: file.write(text))
            beside.replace(path)
            flush_folder(path.parent)
            waiting.replace(sidecar)
    flush_folder(path.parent)
    return path


def settle_pair(path: Path, sidecar: Path) -> Path:
    """Finish or drop a replacement that a dead writer left half done, and say where the sidecar is.

    That is the waiting one where it belongs to the file, and the folder cannot be written to.
    """
    start = f".{sidecar.name}."
    if not any(_is_waiting(name, start) for name in _list_names(sidecar.parent)):
        return sidecar
    with hold_folder(sidecar.parent):  # a living writer is done after that
        waiting = [sidecar.parent / name for name in _list_names(sidecar.parent) if _is_waiting(name, start)]
        digest = digest_bytes(path) if waiting and path.is_file() else ""
        current = sidecar
        for each in waiting:
            try:
                if digest and each == _name_waiting(sidecar, digest):
                    current = each
                    each.replace(sidecar)
                    current = sidecar
                else:
                    each.unlink()
            except OSError:  # a folder that cannot be written to
                continue
    return current


def _name_waiting(sidecar: Path, digest: str) -> Path:
    return sidecar.with_name(f".{sidecar.name}.{digest[:_DIGITS]}.next")


def _is_waiting(name: str, start: str) -> bool:
    return name.startswith(start) and name.endswith(".next") and len(name) == len(start) + _DIGITS + 5


def _list_names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208  # names only, in one call of the system
    except OSError:
        return []


@contextlib.contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Let one thread of one process at a time rename in a folder, where the file system knows locks."""
    with _renaming:
        if os.name == "nt" or getattr(_held, "folder", None) == folder:
            yield
            return
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            hold_file(descriptor, wait=True)
            _held.folder = folder
            yield
        finally:
            _held.folder = None
            os.close(descriptor)


_held = threading.local()
