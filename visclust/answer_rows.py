"""One answer as a row: what it must hold, and reading rows back from a file."""

import json
import math
import os
import unicodedata
import warnings
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

__all__ = ["ANSWER_COLUMNS", "check_row", "clean_name", "read_rows"]

ANSWER_COLUMNS = (
    "item_id",
    "annotator",
    "answer",
    "answered_at",
    "seconds",
    "retracts",
    "event_id",
    "left",
    "right",
    "note",
    "widget_version",
    "simulated",
)


def clean_name(annotator: str) -> str:
    """Bring a name to the one form under which it is stored.

    Parameters
    ----------
    annotator : str
        The name as typed.

    Returns
    -------
    str
        Without spaces at its ends or doubled, accents in composed form.

    Raises
    ------
    ValueError
        If nothing is left.

    Examples
    --------
    >>> clean_name("  Ana  Ruiz ")
    'Ana Ruiz'
    """
    if not isinstance(annotator, str) or not annotator.strip():
        raise ValueError(
            f"Expected the annotator's name as text, got {annotator!r}. Give each person their own."
        )
    return unicodedata.normalize("NFC", " ".join(annotator.split()))


def check_row(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Check that a mapping is one answer, and complete it with the columns that it leaves out.

    Parameters
    ----------
    row : mapping
        The row, as `append_answer` takes it. Keys beyond the known ones are refused.
    where : str
        Where it comes from, for the error.

    Returns
    -------
    dict
        The row with every column of the answers table, in their order.

    Raises
    ------
    ValueError
        If it is not an answer.

    Examples
    --------
    >>> check_row({"event_id": "e1"}, "line 3 of ana.jsonl")
    Traceback (most recent call last):
    ValueError: Expected text in item_id in line 3 of ana.jsonl, got None: this is not a row that ...
    """
    complete: dict[str, Any] = dict.fromkeys(ANSWER_COLUMNS)
    complete |= {name: _mend(value) for name, value in row.items() if name in complete}
    unknown = [str(name) for name in row if name not in complete]
    if unknown:
        raise ValueError(
            f"Expected only the columns {', '.join(ANSWER_COLUMNS)} in {where}, "
            f"got also {', '.join(unknown)}. Remove them."
        )
    undo = complete["retracts"] is not None
    for name in ("event_id", "item_id", "annotator", "answered_at", "retracts" if undo else "answer"):
        if not isinstance(complete[name], str) or not complete[name]:
            raise ValueError(
                f"Expected text in {name} in {where}, got {complete[name]!r}: this is not a row that the "
                "labelling tools wrote. Correct or remove it."
            )
    for name in ("left", "right", "note", "widget_version"):
        if complete[name] is not None and not isinstance(complete[name], str):
            raise ValueError(f"Expected text or nothing in {name} in {where}, got {complete[name]!r}.")
    if undo:
        complete["answer"] = None
    complete["annotator"] = clean_name(complete["annotator"])
    complete["seconds"] = _check_seconds(complete["seconds"], where)
    complete["simulated"] = bool(complete["simulated"])
    _check_time(complete["answered_at"], where)
    return complete


def read_rows(path: str | os.PathLike, *, start: int = 0) -> list[dict[str, Any]]:
    """Read the rows of one file in the order in which they were appended.

    Parameters
    ----------
    path : str or path
        An annotator's file.
    start : int, default 0
        Byte to start from, the beginning of a line: for reading what was added since.

    Returns
    -------
    list of dict
        Whole rows, repeated events included. A last line that is whole but for its newline counts.

    Raises
    ------
    ValueError
        If a line is whole but not an answer.

    Warns
    -----
    UserWarning
        For each line that was cut off while being written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "ana.jsonl"
    >>> _ = path.write_text("")
    >>> read_rows(path)
    []
    """
    path = Path(path)
    rows = []
    with path.open("rb") as file:
        file.seek(start)
        lines = file.read().split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"line {number} of {path.name}" + (f" after byte {start}" if start else "")
        try:
            row = json.loads(line)
        except ValueError:
            warnings.warn(
                f"Skipped {where}, which was cut off while being written. It had not been acknowledged, "
                "so the labelling page asked for that answer again or sent it again.",
                stacklevel=2,
            )
            continue
        if not isinstance(row, dict):
            raise ValueError(f"Expected an answer in {where}, got {row!r}. Is this an annotator's file?")
        rows.append(check_row(row, where))
    return rows


def _mend(value: Any) -> Any:
    """Replace halves of characters, which a browser can send and no table or file can hold."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _check_seconds(value: Any, where: str) -> float | None:
    """Return the seconds taken as a float, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"Expected a number of seconds, 0 or more, in {where}, got {value!r}.")
    return float(value)


def _check_time(value: str, where: str) -> None:
    """Refuse a time without its offset: laptops in two time zones would be put in the wrong order."""
    try:
        aware = datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise ValueError(
            f"Expected answered_at in {where} as ISO 8601 with its offset from UTC, such as "
            f"2026-01-05T10:00:00.000Z, got {value!r}."
        )
