"""One answer as a row, and the file of each annotator: rows that are on disk before the call returns."""

import errno
import json
import math
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from visclust.annotation.identity import (
    SIMULATED,
    clean_name as clean_name,
    find_answer_file,
    is_same_person,
    list_former_files,
    name_answer_file as name_answer_file,
)
from visclust.base.cells import (
    decode_text,
    find_encoding,
    fold_header,
    fold_identity,
    read_rows_of_cells,
    read_truth,
)
from visclust.base.files import flush_folder, restore_cell, write_atomically

try:
    import fcntl
except ImportError:  # Windows has no fcntl; one annotator's file has one writer there
    fcntl = None  # type: ignore[assignment]

# The answer to an item that is left without a judgement, whatever the question.
SKIP = "skip"

# What may stand at the end of a line of JSON that breaks off: a word, a number or an escape that began.
_UNENDED = re.compile(
    r"t(ru?)?|f(a(ls?)?)?|n(ul?)?|-|\.|\.?\d*[eE][+-]?|\\(u[0-9a-fA-F]{0,3})?|u[0-9a-fA-F]{0,3}"
)

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


class ImportedAnswers(NamedTuple):
    """What an import did: rows added, rows that were there already, and the files that hold them."""

    added: int
    already_there: int
    files: tuple[Path, ...]


def import_answers(
    file: str | os.PathLike, save_to: str | os.PathLike, *, annotator: str | None = None
) -> ImportedAnswers:
    """Take answers that an annotator sent back into the study's folder.

    Parameters
    ----------
    file : str or path
        A download of a page or a widget: ``.jsonl`` or ``.csv``.
    save_to : str or path
        Folder of the study's answers; each annotator's rows go to the annotator's file.
    annotator : str, optional
        Whose file it is; one with rows of anybody else is refused then.

    Returns
    -------
    ImportedAnswers
        ``added, already_there, files``. Importing a file again, or a later download that holds its rows
        too, adds only what is new.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is of another kind, a row is not an answer, or the file is not whose it says: with answers
        that are somebody else's in the study already, or undos of them. Nothing is imported then.

    Examples
    --------
    >>> import tempfile
    >>> import json
    >>> folder = Path(tempfile.mkdtemp())
    >>> row = {"event_id": "e1", "item_id": "p1", "annotator": "Ana", "answer": "same",
    ...        "answered_at": "2026-01-05T10:00:00.000Z"}
    >>> _ = (folder / "ana.jsonl").write_text(json.dumps(row))
    >>> import_answers(folder / "ana.jsonl", folder / "answers").added
    1
    >>> import_answers(folder / "ana.jsonl", folder / "answers").added
    0
    """
    file = Path(file)
    if not file.exists():
        raise FileNotFoundError(f"No answers at {file}: check the path of the file that was sent back.")
    if file.suffix.lower() not in (".jsonl", ".csv"):
        raise ValueError(f"Expected a .jsonl or .csv file that a labelling page gave, got {file.name}.")
    rows = _read_csv(file) if file.suffix.lower() == ".csv" else read_rows(file)
    _check_owners(rows, file, Path(save_to), annotator)
    known: dict[Path, set[str]] = {}
    targets: dict[tuple[str, bool], Path] = {}
    added = 0
    for row in rows:
        person = fold_identity(row["annotator"]), row["simulated"]
        if person not in targets:
            targets[person], said = unite_answer_files(save_to, row["annotator"], simulated=row["simulated"])
            if said:
                warnings.warn(said, stacklevel=2)
        target = targets[person]
        if target not in known:
            on_file = read_rows(target) if target.exists() else []
            known[target] = {one["event_id"] for one in on_file}
        if row["event_id"] not in known[target]:
            append_answer(target, row)
            known[target].add(row["event_id"])
            added += 1
    return ImportedAnswers(added, len(rows) - added, tuple(known))


def _check_owners(rows: Sequence[Mapping[str, Any]], file: Path, folder: Path, annotator: str | None) -> None:
    """Refuse a file that came under another person's name before it changes what anybody said."""
    if annotator is not None:
        expected = clean_name(annotator)
        others = sorted({row["annotator"] for row in rows if not is_same_person(row["annotator"], expected)})
        if others:
            raise ValueError(
                f"Expected answers of {expected!r} in {file.name}, got answers of "
                f"{', '.join(map(repr, others))}. Import it under the name of who gave them."
            )
    known: dict[str, Mapping[str, Any]] = {}
    for path in sorted(folder.glob("*.jsonl")) if folder.is_dir() else []:
        if path.resolve() != file.resolve():
            known |= {row["event_id"]: row for row in read_rows(path)}
    for row in rows:
        there = known.setdefault(row["event_id"], row)
        if not is_same_person(there["annotator"], row["annotator"]):
            raise ValueError(
                f"{file.name} calls event {row['event_id']} an answer of {row['annotator']!r}, but it is "
                f"{there['annotator']!r}'s in this study: the file was given under another name. Correct the "
                f"annotator in it, or, if both are one person, import it as {there['annotator']!r}."
            )
        if differing := [name for name in ("item_id", "answer", "retracts") if there[name] != row[name]]:
            raise ValueError(
                f"Expected event {row['event_id']} of {file.name} as it is in this study, got another "
                f"{differing[0]}: {row[differing[0]]!r}, not {there[differing[0]]!r}. The file was edited: "
                "use the original."
            )
    for row in rows:
        undone = known.get(row["retracts"] or "")
        if undone is not None and not is_same_person(undone["annotator"], row["annotator"]):
            raise ValueError(
                f"{file.name} takes back event {row['retracts']} in the name of {row['annotator']!r}, but it "
                f"is an answer of {undone['annotator']!r}: nobody can take back what another person said. "
                "Correct the annotator in the file."
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

    Says what was found and done, for the annotator to read, or nothing where the file was in order. The
    remains stay as a line of their own, which readers skip.
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


def read_rows(path: str | os.PathLike, *, start: int = 0) -> list[dict[str, Any]]:
    """Read the rows of one file in the order in which they were appended, repeated events included.

    `start` is a byte where a line begins, for reading what was added since. A last line that is whole but for
    its newline counts; one that was cut off is left out with a warning, and so is a damaged one with another;
    one that is whole but no answer, and another encoding, are errors.
    """
    path = Path(path)
    rows = []
    for number, line in enumerate(_split_lines(path, start), start=1):
        if not line.strip():
            continue
        where = f"line {number} of {path.name}" + (f" after byte {start}" if start else "")
        try:
            row = json.loads(line)
        except ValueError as error:
            if _is_cut_off(line) or (start and number == 1):
                warnings.warn(
                    f"Skipped {where}, which was cut off while being written. It had not been acknowledged, "
                    "so the labelling page asked for that answer again or sent it again.",
                    stacklevel=2,
                )
                continue
            if isinstance(error, UnicodeDecodeError) and b"\0" not in line:
                raise ValueError(
                    f"Expected {path.name} as UTF-8 text, got bytes that are none in {where} "
                    f"({line[max(0, error.start - 20) : error.start + 20].decode('ascii', 'replace')!r}). A "
                    "program saved it in another encoding, such as Windows-1252: use the file as the page or "
                    "widget gave it, or save it as UTF-8."
                ) from None
            warnings.warn(
                f"Skipped {where}, which is damaged and was not cut off ({error}; it begins "
                f"{line[:60].decode('utf-8', 'replace')!r}). If it was an answer, it is lost here: take it "
                "from a copy of the file, or ask for it again.",
                stacklevel=2,
            )
            continue
        if not isinstance(row, dict):
            raise ValueError(f"Expected an answer in {where}, got {row!r}. Is this an annotator's file?")
        rows.append(check_row(row, where))
    return rows


def _split_lines(path: Path, start: int) -> list[bytes]:
    """Split a file, from a byte on, into lines in UTF-8; another encoding is known by its mark."""
    with path.open("rb") as file:
        file.seek(start)
        content = file.read()
    encoding = "utf-8-sig" if start else find_encoding(content[:4])
    if encoding != "utf-8-sig":
        content = decode_text(content, path.name).encode()
    return content.removeprefix(b"\xef\xbb\xbf").split(b"\n")


def _is_cut_off(line: bytes) -> bool:
    """Tell a line that breaks off, as a write that was cut off leaves it, from one that is damaged inside."""
    if not line.startswith(b"{") or b"\0" in line:
        return False
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data" or error.end < len(line):
            return False
        text = line[: error.start].decode()
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        # At the very end something is expected; or a text, a word or an escape that began does not end.
        rest = text[error.pos :]
        return not rest.strip() or error.msg.startswith("Unterminated") or bool(_UNENDED.fullmatch(rest))
    return len(text) < len(line)


def _read_csv(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a CSV download, where nothing is an empty cell."""
    table = read_rows_of_cells(path)
    known = {fold_header(name): name for name in ANSWER_COLUMNS}
    header = [known.get(fold_header(cell), cell) for cell in table[0].cells] if table else []
    if twice := [name for name in known.values() if header.count(name) > 1]:
        raise ValueError(f"The column {twice[0]!r} comes twice in {path.name}: use the file as it was given.")
    rows = []
    for line, cells, *_ in table[1:]:
        where = f"line {line} of {path.name}"
        if len(cells) > len(header):
            raise ValueError(f"Expected {len(header)} cells in {where}, got more.")
        values: dict[str, Any] = dict.fromkeys(header)
        values |= {name: cell or None for name, cell in zip(header, cells, strict=False)}
        values |= {name: restore_cell(cell) for name, cell in values.items() if isinstance(cell, str)}
        for name in ("seconds", "counter"):
            try:
                said = values.get(name)
                values[name] = None if said is None else float(str(said).replace(",", "."))
            except ValueError:
                raise ValueError(f"Expected {name} as a number in {where}, got {said!r}.") from None
        rows.append(check_row(values, where))
    return rows


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

    A counter is at least the second in which the event was given, and more than that of every event of the
    person that was known then, so that events of two devices that know nothing of each other stand in order
    of time, and later ones of either after both. Events of earlier versions have none, and stand at their
    second.
    """
    time = datetime.fromisoformat(row["answered_at"]).timestamp()
    counter = row.get("counter")
    return time if counter is None else float(counter), time


def count_on(latest: float) -> int:
    """Give the counter of an event that comes after all those known, of which the last is at `latest`."""
    return max(int(datetime.now(UTC).timestamp()), int(latest) + 1)


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
