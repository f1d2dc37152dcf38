"""Answers that come back from pages and downloads: read, checked for whose they are, and joined."""

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from visclust.annotation.answer_files import (
    ANSWER_COLUMNS,
    append_answer,
    check_row,
    read_rows,
    unite_answer_files,
)
from visclust.annotation.identity import clean_name, is_same_person
from visclust.base.cells import decode_text, fold_header, fold_identity, read_rows_of_cells
from visclust.base.checks import checked
from visclust.base.files import restore_cell


class ImportedAnswers(NamedTuple):
    """What an import did: rows added, rows that were there already, and the files that hold them."""

    added: int
    already_there: int
    files: tuple[Path, ...]


@checked
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
    return import_files([file], save_to, annotator=annotator)


def import_files(
    files: Sequence[str | os.PathLike], save_to: str | os.PathLike, *, annotator: str | None = None
) -> ImportedAnswers:
    """Take in several files as `import_answers` takes in one; what the study holds is read only once."""
    owners = _Owners(Path(save_to), [Path(file) for file in files])
    known: dict[Path, set[str]] = {}
    targets: dict[tuple[str, bool], Path] = {}
    added = total = 0
    for file in map(Path, files):
        rows = _read_file(file)
        if annotator is not None:
            _refuse_others(rows, file.name, clean_name(annotator))
        owners.check(rows, file.name)
        if not rows:
            warnings.warn(f"{file.name} holds no answers.", stacklevel=3)
        total += len(rows)
        for row in rows:
            person = fold_identity(row["annotator"]), row["simulated"]
            if person not in targets:
                targets[person], said = unite_answer_files(
                    save_to, row["annotator"], simulated=row["simulated"]
                )
                if said:
                    warnings.warn(said, stacklevel=3)
            target = targets[person]
            if target not in known:
                on_file = read_rows(target) if target.exists() else []
                known[target] = {one["event_id"] for one in on_file}
            if row["event_id"] not in known[target]:
                append_answer(target, row)
                known[target].add(row["event_id"])
                added += 1
    return ImportedAnswers(added, total - added, tuple(known))


def _read_file(file: Path) -> list[dict[str, Any]]:
    """Read the rows of a download."""
    if not file.exists():
        raise FileNotFoundError(f"No answers at {file}: check the path of the file that was sent back.")
    if file.suffix.lower() not in (".jsonl", ".csv"):
        raise ValueError(f"Expected a .jsonl or .csv file that a labelling page gave, got {str(file)!r}.")
    return _read_csv(file) if file.suffix.lower() == ".csv" else read_rows(file, is_copy=True)


def _refuse_others(rows: Sequence[Mapping[str, Any]], name: str, annotator: str) -> None:
    """Refuse a file with answers of anybody but the person whose it is said to be."""
    others = sorted({row["annotator"] for row in rows if not is_same_person(row["annotator"], annotator)})
    if others:
        raise ValueError(
            f"Expected answers of {annotator!r} in {name}, got answers of {', '.join(map(repr, others))}. "
            "Import it under the name of who gave them."
        )


class _Owners:
    """Whose each event of a study is, so that a file under another person's name is refused."""

    def __init__(self, folder: Path, files: Sequence[Path]) -> None:
        self._known: dict[str, tuple[Mapping[str, Any], str]] = {}
        own = {file.resolve() for file in files}
        for path in sorted(folder.glob("*.jsonl")) if folder.is_dir() else []:
            if path.resolve() not in own:
                self._known |= {row["event_id"]: (row, path.name) for row in read_rows(path)}

    def check(self, rows: Sequence[Mapping[str, Any]], name: str) -> None:
        """Refuse rows whose event, or the one that they take back, is another person's; and edited rows."""
        known = self._known | {}
        for row in rows:
            there, place = known.setdefault(row["event_id"], (row, name))
            if not is_same_person(there["annotator"], row["annotator"]):
                raise ValueError(
                    f"{name} calls event {row['event_id']} an answer of {row['annotator']!r}, and {place} "
                    f"calls it one of {there['annotator']!r}: one of the two names is wrong, and nothing of "
                    "this file was imported. Correct the annotator in the file that is wrong."
                )
            if differing := [
                one for one in ("item_id", "answer", "retracts", "simulated") if there[one] != row[one]
            ]:
                raise ValueError(
                    f"Expected event {row['event_id']} of {name} as it is in {place}, got another "
                    f"{differing[0]}: {row[differing[0]]!r}, not {there[differing[0]]!r}. The file was "
                    "edited: use the original."
                )
        for row in rows:
            undone, _ = known.get(row["retracts"] or "", (None, ""))
            if undone is not None and not is_same_person(undone["annotator"], row["annotator"]):
                raise ValueError(
                    f"{name} takes back event {row['retracts']} in the name of {row['annotator']!r}, but it "
                    f"is an answer of {undone['annotator']!r}: nobody can take back what another person "
                    "said. Correct the annotator in the file."
                )
        self._known = known


def _read_csv(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a CSV download, where nothing is an empty cell."""
    table = read_rows_of_cells(path)
    known = {fold_header(name): name for name in ANSWER_COLUMNS}
    header = [known.get(fold_header(cell), cell) for cell in table[0].cells] if table else []
    if twice := [name for name in known.values() if header.count(name) > 1]:
        raise ValueError(f"The column {twice[0]!r} comes twice in {path.name}: use the file as it was given.")
    if len(table) > 1 and len(table[-1].cells) < len(header) and not _ends_line(path):
        warnings.warn(
            f"Skipped line {table[-1].line} of {path.name}, which was cut off: this download or copy is not "
            "complete. What stands before it was taken; get the file once more for the rest, and nothing "
            "will count twice.",
            stacklevel=3,
        )
        table = table[:-1]
    rows, n_rounded = [], 0
    for line, cells, *_ in table[1:]:
        where = f"line {line} of {path.name}"
        if len(cells) > len(header):
            raise ValueError(f"Expected {len(header)} cells in {where}, got more.")
        values: dict[str, Any] = dict.fromkeys(header)
        values |= {name: cell or None for name, cell in zip(header, cells, strict=False)}
        values |= {name: restore_cell(cell) for name, cell in values.items() if isinstance(cell, str)}
        if "e" in str(values.get("counter") or "").lower():
            n_rounded += 1
            values["counter"] = None
        for name in ("seconds", "counter"):
            try:
                said = values.get(name)
                values[name] = None if said is None else float(str(said).replace(",", "."))
            except ValueError:
                raise ValueError(f"Expected {name} as a number in {where}, got {said!r}.") from None
        rows.append(check_row(values, where))
    if n_rounded:
        warnings.warn(
            f"A spreadsheet rounded {n_rounded} counters of {path.name}, which put a person's answers in "
            "order: their times do so now, which is wrong where a clock was set back. Use the file as it was "
            "given.",
            stacklevel=4,
        )
    return rows


def _ends_line(path: Path) -> bool:
    """Tell whether a text ends with the end of a line."""
    return decode_text(path.read_bytes(), path.name).endswith(("\n", "\r"))
