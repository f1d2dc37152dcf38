"""Write files so that a reader never sees half of one, and cells that no spreadsheet runs as a formula."""

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

# What makes a spreadsheet take a cell for a formula; the apostrophe itself, so that guarding can be undone.
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "'")


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

    Raises
    ------
    OSError
        If the folder cannot be written; what `write` raises is passed on. The old file stays.

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


def write_cells(
    path: str | os.PathLike, header: Sequence[str], rows: Iterable[Sequence[str | int | float]]
) -> Path:
    """Write a CSV file in one step, text guarded, with the mark by which spreadsheets know UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    for row in [header, *rows]:
        writer.writerow([guard_cell(cell) if isinstance(cell, str) else cell for cell in row])
    return write_atomically(path, lambda file: file.write(text.getvalue().encode("utf-8-sig")))


def guard_cell(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(_DANGEROUS) else text


def restore_cell(text: str) -> str:
    """Take away the apostrophe that `guard_cell` put there."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_DANGEROUS) else text


def flush_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the system lets a folder be flushed."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
