"""One answer as a row, and the file of each annotator: rows that are on disk before the call returns."""

import errno
import json
import math
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from visclust.annotation.identity import (
    SIMULATED,
    clean_name as clean_name,
    find_answer_file,
    list_former_files,
    name_answer_file as name_answer_file,
)
from visclust.base.cells import decode_text, find_encoding, read_truth
from visclust.base.files import flush_folder, write_atomically

try:
    import fcntl
except ImportError:  # Windows has no fcntl; one annotator's file has one writer there
    fcntl = None  # type: ignore[assignment]

# The answer to an item that is left without a judgement, whatever the question.
SKIP = "skip"

# How a torn last line is closed off, so that it is not taken for damage later: no answer ends so.
_CLOSED_OFF = b" #cut off"
_LINE_END = re.compile(rb"\r\n|\n|\r")
_LONGEST_LINE = 1_000_000  # bytes of an answer

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
    "counter",
)


def unite_answer_files(
    folder: str | os.PathLike, annotator: str, *, simulated: bool = False
) -> tuple[Path, str]:
    """Find the one file of a person, with what an earlier version kept for other spellings of the name.

    Those files stay as they are; their answers are copied, and an answer counts once. Gives the file, and
    in words what was done.
    """
    path = find_answer_file(folder, annotator, simulated=simulated)
    others = [one for one in list_former_files(folder, annotator, simulated=simulated) if one != path]
    known = {row["event_id"] for row in read_rows(path)} if others and path.exists() else set()
    said = []
    for other in others:
        rows = [row for row in read_rows(other) if row["event_id"] not in known]
        for row in rows:
            if row["event_id"] not in known:
                append_answer(path, row)
            known.add(row["event_id"])
        if rows:
            said.append(
                f"{len(rows)} answers under the name {rows[0]['annotator']!r} are the same person's, and "
                f"were taken over from {other.name}."
            )
    return path, " ".join(said)


def append_answer(path: str | os.PathLike, row: Mapping[str, Any]) -> dict[str, Any]:
    """Append one answer to a file, and return it, every column present, only when it is on disk.

    `row` holds ``event_id, item_id, annotator, answer, answered_at`` (ISO 8601 with its offset from UTC) and,
    where there are any, ``seconds, retracts`` (the event that an undo takes back; its answer is None),
    ``left, right`` (image ids as shown), ``note, widget_version, simulated``. After an OSError (a full disk)
    the file is as before, as far as the system allows, and the same row may be sent again: readers count an
    event once. A simulated answer is refused in a person's file, and the reverse.
    """
    path = Path(path)
    complete = check_row(row, f"the row for {path.name}")
    if complete["simulated"] != path.name.startswith(f"{SIMULATED}-"):
        raise ValueError(
            f"{path.name} got {'a simulated' if complete['simulated'] else 'a real'} answer: simulated "
            "answers go to files whose name starts with 'simulated-', and only they do."
        )
    line = json.dumps(complete, allow_nan=False).encode() + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with _open_to_append(path) as (descriptor, locked):
        size = os.fstat(descriptor).st_size
        if closing := _close_off(descriptor, size, path.name):
            line = closing + line  # the remains of a cut-off write must not swallow this answer
            warnings.warn(_describe_closing(closing, path), stacklevel=2)
        written = os.write(descriptor, line)  # one write, so that rows of two processes never mix
        if written < len(line):
            if locked:
                os.ftruncate(descriptor, size)
            raise OSError(errno.ENOSPC, "The disk took only a part of the answer", str(path))
        os.fsync(descriptor)
    return complete


def repair_answers(path: str | os.PathLike) -> str:
    """Close off a torn last line, the remains of a write that was cut off before it was acknowledged.

    Says what was found and done, for the annotator to read, or nothing where the file was in order. The
    remains stay as a line of their own, marked as torn, which readers skip.
    """
    path = Path(path)
    if not path.exists():
        return ""
    with _open_to_append(path) as (descriptor, _):
        closing = _close_off(descriptor, os.fstat(descriptor).st_size, path.name)
        if not closing:
            return ""
        os.write(descriptor, closing)
        os.fsync(descriptor)
    return _describe_closing(closing, path)


@contextmanager
def _open_to_append(path: Path) -> Iterator[tuple[int, bool]]:
    """Open a file for appending under a lock, where there are locks; say whether it holds."""
    while True:
        is_new = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
        try:
            if is_new:
                flush_folder(path.parent)
            locked = _lock(descriptor)
            if locked and not _is_at(descriptor, path):
                continue  # while this waited, `rewrite_rows` put another file in its place
            yield descriptor, locked
            return
        finally:
            os.close(descriptor)  # this gives the lock back too


def _is_at(descriptor: int, path: Path) -> bool:
    """Tell whether an open file is still the one that a path names."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def rewrite_rows(
    path: str | os.PathLike, change: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> list[dict[str, Any]]:
    """Take rows out of a file of answers, or change them, for a person who withdrew; give those taken out.

    `change` gets each row and gives it back, changed or not, or None for one to take out. The file is
    replaced in one step and only where something changed; lines that are no answers stay as they are. Answers
    that are given at the same time wait, and go into the new file.
    """
    path = Path(path)
    taken, lines, changed = [], [], False
    with _open_to_append(path):
        for line in path.read_bytes().split(b"\n"):
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict):
                lines.append(line)
                continue
            new = change(dict(row))
            if new is None:
                taken.append(row)
            else:
                lines.append(line if new == row else json.dumps(new, allow_nan=False).encode())
            changed |= new != row
        if changed and fcntl is not None:
            write_atomically(path, lambda file: file.write(b"\n".join(lines)))
    if changed and fcntl is None:  # Windows replaces no file that is open
        write_atomically(path, lambda file: file.write(b"\n".join(lines)))
    return taken


def _lock(descriptor: int) -> bool:
    """Wait for the file's lock; some network drives have none, and a single write stays whole without it."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        return False
    return True


def _close_off(descriptor: int, size: int, name: str) -> bytes:
    """Give what ends a torn last line: a newline, with the mark of a torn line before it; or nothing."""
    if not size:
        return b""
    start = _read_at(descriptor, 0, 4)
    if (encoding := find_encoding(start)) != "utf-8-sig":
        raise ValueError(
            f"Expected {name} as UTF-8 text, got {encoding.upper()}: another program saved it so, and no "
            "answer can be added to it. Save it as UTF-8, no line changed, or take the file from a copy."
        )
    if _read_at(descriptor, size - 1, 1) in (b"\n", b"\r"):
        return b""
    tail = _read_at(descriptor, max(0, size - _LONGEST_LINE), _LONGEST_LINE)
    try:
        whole = isinstance(json.loads(_LINE_END.split(tail)[-1].decode("utf-8-sig")), dict)
    except (ValueError, RecursionError):
        whole = False
    return b"\n" if whole else _CLOSED_OFF + b"\n"


def _read_at(descriptor: int, place: int, size: int) -> bytes:
    """Read some bytes of an open file; appending ignores the position that this leaves."""
    os.lseek(descriptor, place, os.SEEK_SET)
    return os.read(descriptor, size)


def _describe_closing(closing: bytes, path: Path) -> str:
    """Say what a repair did."""
    if closing == b"\n":
        return f"The last line of {path.name} lacked only its end and has been closed off; its answer counts."
    return (
        f"The last line of {path.name} was cut off while being written and has been closed off. No answer "
        "that was acknowledged in this file is lost, and the item concerned will be shown again."
    )


def read_rows(
    path: str | os.PathLike, *, start: int = 0, is_copy: bool = False, refuse_others: bool = False
) -> list[dict[str, Any]]:
    """Read the rows of one file in the order in which they were appended, repeated events included.

    `start` is a byte where a line begins, for reading what was added since; `is_copy` says that the file was
    sent or downloaded. Only a last line without its newline is torn, or one that `append_answer` closed off
    as such: it is left out with a warning, unless it is whole but for the newline. Any other line that cannot
    be read is damage, which another warning names. A line that is whole but no answer, and bytes of another
    encoding, are errors; with `refuse_others` a file without any answer too, unless it is empty or holds but
    the beginning of one.
    """
    path = Path(path)
    before, content = _read_content(path, start)
    lines = _LINE_END.split(content)
    rows: list[dict[str, Any]] = []
    torn: list[str] = []
    damaged: list[str] = []
    for number, line in enumerate(lines, start=1):
        remains = line.removesuffix(_CLOSED_OFF)
        if not remains.strip():
            continue
        where = f"line {before + number} of {path.name}"
        try:
            row = json.loads(remains.decode())
        except (ValueError, RecursionError) as error:
            _refuse_other_encoding(remains, error, path.name, where)
            if line != remains or number == len(lines):
                torn.append(where)
            else:
                start_of_line = remains[:60].decode("utf-8", "replace")
                damaged.append(f"{where}, which is damaged ({error}; it begins {start_of_line!r})")
            continue
        if not isinstance(row, dict):
            raise ValueError(f"Expected an answer in {where}, got {row!r:.80}. Is this an annotator's file?")
        rows.append(check_row(row, where))
    if is_copy and not rows and content.strip():
        raise ValueError(
            f"Expected answers in {path.name}, a line of JSON each, got no line that can be read: it begins "
            f"{content[:60].decode('utf-8', 'replace')!r}. Use the file as the page or widget gave it."
        )
    if refuse_others and not rows and (damaged or (torn and not content.lstrip().startswith(b"{"))):
        raise ValueError(
            f"Expected answers in {path}, a line of JSON each as the labelling page writes it (.jsonl), got "
            f"no line that can be read of {len(damaged) + len(torn)}: it begins "
            f"{content.strip()[:60].decode('utf-8', 'replace')!r}. Name the folder or file of answers; a CSV "
            "that was downloaded is read by import_answers; a damaged file of answers is taken from a copy."
        )
    for where in torn:
        warnings.warn(_describe_torn_line(where, is_copy=is_copy), stacklevel=2)
    if damaged:
        more = f", and {len(damaged) - 5} more lines" if len(damaged) > 5 else ""
        warnings.warn(
            f"Skipped {'; '.join(damaged[:5])}{more}. It was a whole line once, so an answer may be lost "
            "here: take it from a copy of the file, or ask for it again.",
            stacklevel=2,
        )
    return rows


def _read_content(path: Path, start: int) -> tuple[int, bytes]:
    """Count the lines before a byte, and read what follows it, in UTF-8; a mark tells another encoding."""
    with path.open("rb") as file:
        before = file.read(start).count(b"\n")
        content = file.read()
    encoding = "utf-8-sig" if start else find_encoding(content[:4])
    if encoding != "utf-8-sig":
        unit = 4 if encoding == "utf-32" else 2
        content = decode_text(content[: len(content) // unit * unit], path.name).encode()
    return before, content.removeprefix(b"\xef\xbb\xbf")


def _refuse_other_encoding(line: bytes, error: Exception, name: str, where: str) -> None:
    """Refuse a line that is a whole answer but for its letters; other bytes that are no UTF-8 are damage."""
    if not isinstance(error, UnicodeDecodeError):
        return
    try:
        json.loads(line.decode("latin-1"))
    except (ValueError, RecursionError):
        return
    shown = line[max(0, error.start - 20) : error.start + 20].decode("ascii", "replace")
    raise ValueError(
        f"Expected {name} as UTF-8 text, got bytes that are none in {where} ({shown!r}). A program saved it "
        "in another encoding, such as Windows-1252: use the file as the page or widget gave it, or save it "
        "as UTF-8 with that program."
    ) from None


def _describe_torn_line(where: str, *, is_copy: bool) -> str:
    """Say what a torn line means in the file of a study, and in a copy, which may have been whole once."""
    if is_copy:
        return (
            f"Skipped {where}, which was cut off: this download or copy is not complete. What stands before "
            "it was taken; get the file once more for the rest, and nothing will count twice."
        )
    return (
        f"Skipped {where}, which was cut off while being written, or is just being written. It has not been "
        "acknowledged: the labelling page asks for that answer again or sends it again."
    )


def check_row(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Check that a mapping is one answer, and complete it with the columns that it leaves out."""
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
    complete["counter"] = _check_counter(complete["counter"], where)
    try:
        complete["simulated"] = bool(read_truth(complete["simulated"]))
    except ValueError as error:
        raise ValueError(
            f"Expected true or false in simulated in {where}, got {error}. Correct it: made-up answers must "
            "not pass for people's."
        ) from None
    _check_time(complete["answered_at"], where)
    return complete


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


def place_event(row: Mapping[str, Any]) -> tuple[float, float]:
    """Give what puts a person's events in order, whatever a clock said: the counter, and then the time.

    A counter is at least the tenth of a second in which the event was given, and more than that of every
    event of the person that was known then, so that events of two devices that know nothing of each other
    stand in order of time, and later ones of either after both. Events of earlier versions have none, and
    stand at their time. Tenths have eleven digits, the most that spreadsheets write in full.
    """
    time = datetime.fromisoformat(row["answered_at"]).timestamp() * 10
    counter = row.get("counter")
    return time if counter is None else float(counter), time


def count_on(latest: float) -> int:
    """Give the counter of an event that comes after all those known, of which the last is at `latest`."""
    return max(int(datetime.now(UTC).timestamp() * 10), int(latest) + 1)


def _check_counter(value: Any, where: str) -> int | None:
    """Return the place of an event among those of its person, or None for one of an earlier version."""
    if value is None or value != value:
        return None
    is_number = not isinstance(value, bool) and isinstance(value, int | float | np.integer)
    if not is_number or not 0 <= value < 2**53 or value != int(value):
        raise ValueError(
            f"Expected counter as a whole number in {where}, got {value!r}: it puts the answers in order. "
            "Use the file as it was given."
        )
    return int(value)


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
