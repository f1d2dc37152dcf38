"""Write files so that a reader never sees half of one, and cells that no spreadsheet runs as a formula."""

import hashlib
import io
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from visclust.base.checks import checked
from visclust.base.parts import hold_file, name_part, sweep_parts

# A spreadsheet runs text as a formula that begins so, whatever spaces, quotation marks and unseen signs stand
# before, and in full-width signs too; the apostrophe is guarded itself, so that guarding can be undone. Where
# the semicolon parts cells, as in much of Europe, quotation marks within a line do not hold: a cell may begin
# inside the text.
_UNSEEN = (
    r"\x7f-\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff"
    r"\"'`\xb4\u2018-\u201f\xab\xbb\u2039\u203a\uff02\uff07"
)
_SIGN = r"[=+\-@\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20]"
_FORMULA = re.compile(rf"[\t\r\n']|[\x00-\x20{_UNSEEN}]*{_SIGN}")
_INNER = rf"'|[\x00-\x08\x0b\x0c\x0e-\x20{_UNSEEN}]*{_SIGN}"
_INNER_FORMULA = re.compile(rf"([;\t\r\n])(?={_INNER})")
_GUARDED_INSIDE = re.compile(rf"([;\t\r\n])'(?={_INNER})")
_QUOTED = re.compile(r'[",;\t\r\n]|^ | \Z')


@checked
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
        If the folder cannot be written, or a folder has the file's name; what `write` raises is passed
        on. The old file stays.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_atomically(folder / "note.txt", lambda file: file.write(b"done")).read_text()
    'done'
    """
    path = Path(path)
    refuse_folder(path)
    with write_beside(path, write) as beside:
        beside.replace(path)
    flush_folder(path.parent)
    return path


@contextmanager
def write_beside(path: Path, write: Callable[[BinaryIO], object]) -> Iterator[Path]:
    """Write a file beside its final name and flush it to disk; it is gone afterwards if it was not renamed.

    Any number of threads and processes can do so at once. What dead ones left in the folder goes.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise NotADirectoryError(
            f"Expected a folder to write {path.name!r} into, got {str(path.parent)!r}, a file or in one."
        ) from None
    sweep_parts(path.parent)
    beside = name_part(path)
    try:
        with _open_to_write(beside, path) as file:
            hold_file(
                file.fileno(), wait=False
            )  # until it is closed: another machine sees that it is at work
            write(file)
            file.flush()
            os.fsync(file.fileno())
        yield beside
    finally:
        beside.unlink(missing_ok=True)


def _open_to_write(beside: Path, path: Path) -> BinaryIO:
    try:
        return beside.open("wb")
    except PermissionError as error:
        raise PermissionError(
            f"Expected to write {path.name} into {path.parent}, but this user may not write there. Change "
            "the rights of the folder, or name another one."
        ) from error


def check_writable(path: str | os.PathLike) -> None:
    """Refuse, before long work, a file or folder that could not be written at its end."""
    place = Path(path).absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    folder = place if place.is_dir() else place.parent
    if place.is_file() and place != Path(path).absolute():
        raise NotADirectoryError(f"Expected a folder at {place}, for {path}, but a file is there.")
    if not os.access(folder, os.W_OK):
        raise PermissionError(
            f"Expected to write {Path(path).name} into {folder}, but this user may not write there. Change "
            "the rights of the folder, or name another one."
        )


def refuse_folder(path: Path) -> None:
    """Refuse to write a file where a folder is."""
    if path.is_dir():
        raise IsADirectoryError(f"Expected to write a file at {path}, but a folder is there. Move it away.")


def write_checked_array(path: str | os.PathLike, x: np.ndarray) -> Path:
    """Write an array in NumPy's format in one step, with its digest: for `read_checked_array`."""
    buffer = io.BytesIO()
    np.save(buffer, x, allow_pickle=False)
    content = buffer.getvalue()
    return write_atomically(path, lambda file: file.write(content + hashlib.sha256(content).digest()))


def write_text(path: str | os.PathLike, text: str, *, encoding: str = "utf-8") -> Path:
    """Write a text in one step; half a character, as broken posts hold them, becomes a question mark."""
    return write_atomically(path, lambda file: file.write(text.encode(encoding, "replace")))


def write_json(path: str | os.PathLike, value: Any) -> Path:
    """Write a value as JSON in one step, indented so that a person can read it."""
    return write_text(path, json.dumps(value, indent=1, ensure_ascii=False))


def write_cells(path: str | os.PathLike, header: Sequence[object], rows: Iterable[Sequence[object]]) -> Path:
    """Write a CSV file in one step, with the mark by which spreadsheets know UTF-8; see `format_csv`."""
    text = format_csv(header, rows)
    return write_atomically(path, lambda file: file.write(text.encode("utf-8-sig")))


def format_csv(header: Sequence[object], rows: Iterable[Sequence[object]], *, ending: str = "\r\n") -> str:
    """Write a table as CSV, as everything does that leaves the project; csv.js writes the same in a browser.

    Text that a spreadsheet would run as a formula gets an apostrophe before it, which `restore_cell` takes
    away; numbers stay numbers, and what is missing is an empty cell.
    """
    lines = (join_cells([_format_cell(cell) for cell in row]) for row in [header, *rows])
    return "".join(f"{line}{ending}" for line in lines)


def join_cells(cells: Sequence[str], *, delimiter: str = ",") -> str:
    """Join the cells of a row as they are, quoted where they hold a delimiter, a quotation mark or a line."""
    needs_quotes = [bool(_QUOTED.search(cell)) or delimiter in cell for cell in cells]
    doubled = [cell.replace('"', '""') for cell in cells]
    quoted = [
        f'"{two}"' if needs else cell for cell, two, needs in zip(cells, doubled, needs_quotes, strict=True)
    ]
    return delimiter.join(quoted) or '""'  # an empty line would be no row


def _format_cell(value: object) -> str:
    """Write one value as text for a cell, guarded where it is no number."""
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, bool | np.bool_):
        return "True" if value else "False"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return "" if math.isnan(value) else repr(float(str(value)))  # a float32 by its own, fewer digits
    return guard_cell(str(value).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))


def guard_cell(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula."""
    inside = _INNER_FORMULA.sub(r"\1'", text)
    return f"'{inside}" if _FORMULA.match(text) else inside


def restore_cell(text: str) -> str:
    """Take away the apostrophes that `guard_cell` put there."""
    whole = text[1:] if text.startswith("'") and _FORMULA.match(text[1:]) else text
    return _GUARDED_INSIDE.sub(r"\1", whole)


def flush_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the system lets a folder be flushed."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
