"""Write files so that a reader never sees half of one."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO


def write_atomically(path: str | os.PathLike, write: Callable[[BinaryIO], object]) -> Path:
    """Write a file beside its final name, flush it to disk, and rename it into place.

    Parameters
    ----------
    path : str or path
        Final name. Missing parent folders are made.
    write : callable
        Called once with the open binary file.

    Returns
    -------
    pathlib.Path
        The final name. After a crash at any moment it holds either the old
        content or the new, never a part.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_atomically(folder / "note.txt", lambda file: file.write(b"done")).read_text()
    'done'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)
    return path


def write_text(path: str | os.PathLike, text: str, *, encoding: str = "utf-8") -> Path:
    """Write a text in one step; half a character, as broken posts hold them, becomes a question mark."""
    return write_atomically(path, lambda file: file.write(text.encode(encoding, "replace")))


def write_json(path: str | os.PathLike, value: Any) -> Path:
    """Write a value as JSON in one step, indented so that a person can read it."""
    return write_text(path, json.dumps(value, indent=1, ensure_ascii=False))


def flush_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the system lets a folder be flushed."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
