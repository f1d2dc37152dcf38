"""Append answers to a file per annotator, each on disk before the call returns."""

import errno
import hashlib
import json
import os
import re
import unicodedata
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from visclust.answer_rows import check_row, clean_name
from visclust.base.files import _flush_folder

try:
    import fcntl
except ImportError:  # Windows has no fcntl; one annotator's file has one writer there
    fcntl = None  # type: ignore[assignment]

__all__ = ["append_answer", "name_answer_file", "repair_answers"]

_SIMULATED_PREFIX = "simulated-"


def name_answer_file(folder: str | os.PathLike, annotator: str, *, simulated: bool = False) -> Path:
    """Name the file that holds one annotator's answers.

    Parameters
    ----------
    folder : str or path
        Folder of the study's answers.
    annotator : str
        The annotator's name, any text; spaces at its ends and the way accents are typed do not count.
    simulated : bool, default False
        Whether the answers are simulated; such files are named so and never hold a person's answers.

    Returns
    -------
    pathlib.Path
        ``<slug>-<digest>.jsonl`` in the folder: the digest keeps apart names with the same slug, and no
        name can lead out of the folder.

    Raises
    ------
    ValueError
        If the name is empty.

    Examples
    --------
    >>> name_answer_file("answers", "../Ana Ruiz").name
    'ana-ruiz-08eb489c.jsonl'
    """
    name = clean_name(annotator)
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40] or "annotator"
    if slug.startswith("simulated"):
        slug = f"person-{slug}"  # a name is no sign of a simulation
    return Path(folder) / f"{_SIMULATED_PREFIX if simulated else ''}{slug}-{digest}.jsonl"


def append_answer(path: str | os.PathLike, row: Mapping[str, Any]) -> dict[str, Any]:
    """Append one answer to a file, and return only when it is on disk.

    Parameters
    ----------
    path : str or path
        The annotator's file, from `name_answer_file`. It and its folder are made if missing.
    row : mapping
        ``event_id, item_id, annotator, answer, answered_at`` (ISO 8601 with its offset from UTC) and, where
        there are any, ``seconds, retracts`` (the event_id that an undo takes back; its answer is None),
        ``left, right`` (image ids as shown), ``note, widget_version, simulated``.

    Returns
    -------
    dict
        The row as written, every column present.

    Raises
    ------
    ValueError
        If the row is not an answer, or a simulated one is meant for a person's file or the reverse.
    OSError
        If the disk is full or fails. The file is then as before, as far as the system allows; the same row
        may be sent again, since readers count an event_id once.

    Examples
    --------
    >>> import tempfile
    >>> path = name_answer_file(tempfile.mkdtemp(), "ana")
    >>> row = {"event_id": "e1", "item_id": "p1", "annotator": "ana", "answer": "same",
    ...        "answered_at": "2026-01-05T10:00:00.000Z", "seconds": 2.5}
    >>> append_answer(path, row)["answer"]
    'same'
    """
    path = Path(path)
    complete = check_row(row, f"the row for {path.name}")
    if complete["simulated"] != path.name.startswith(_SIMULATED_PREFIX):
        raise ValueError(
            f"{path.name} got {'a simulated' if complete['simulated'] else 'a real'} answer: simulated "
            "answers go to files whose name starts with 'simulated-', and only they do."
        )
    line = json.dumps(complete, allow_nan=False).encode() + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with _open_to_append(path) as (descriptor, locked):
        size = os.fstat(descriptor).st_size
        if _ends_torn(descriptor, size):
            line = b"\n" + line  # the remains of a cut-off write must not swallow this answer
            warnings.warn(_describe_torn_end(path), stacklevel=2)
        written = os.write(descriptor, line)  # one write, so that rows of two processes never mix
        if written < len(line):
            if locked:
                os.ftruncate(descriptor, size)
            raise OSError(errno.ENOSPC, "The disk took only a part of the answer", str(path))
        os.fsync(descriptor)
    return complete


def repair_answers(path: str | os.PathLike) -> str:
    """Close off a torn last line, the remains of a write that was cut off before it was acknowledged.

    Parameters
    ----------
    path : str or path
        An annotator's file; a missing one needs no repair.

    Returns
    -------
    str
        What was found and done, for the annotator to read; empty if the file was in order. Nothing is
        deleted: the remains stay as a line of their own, which readers skip.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "ana.jsonl"
    >>> _ = path.write_text('{"event_id": "e1", "ite')
    >>> repair_answers(path)
    'The last line of ana.jsonl was cut off while being written and has been closed off; ...'
    >>> repair_answers(path)
    ''
    """
    path = Path(path)
    if not path.exists():
        return ""
    with _open_to_append(path) as (descriptor, _):
        if not _ends_torn(descriptor, os.fstat(descriptor).st_size):
            return ""
        os.write(descriptor, b"\n")
        os.fsync(descriptor)
    return _describe_torn_end(path)


@contextmanager
def _open_to_append(path: Path) -> Iterator[tuple[int, bool]]:
    """Open a file for appending under a lock, where there are locks; say whether it holds."""
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
    try:
        if is_new:
            _flush_folder(path.parent)
        yield descriptor, _lock(descriptor)
    finally:
        os.close(descriptor)  # this gives the lock back too


def _lock(descriptor: int) -> bool:
    """Wait for the file's lock; some network drives have none, and a single write stays whole without it."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        return False
    return True


def _ends_torn(descriptor: int, size: int) -> bool:
    """Tell whether the last byte of a file is something other than a newline."""
    if not size:
        return False
    os.lseek(descriptor, size - 1, os.SEEK_SET)  # appending ignores this position
    return os.read(descriptor, 1) != b"\n"


def _describe_torn_end(path: Path) -> str:
    """Say what a repair did."""
    return (
        f"The last line of {path.name} was cut off while being written and has been closed off; no "
        "acknowledged answer is lost, and the item concerned will be shown again."
    )
