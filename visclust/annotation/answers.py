"""Read, merge and reduce the answers that annotators gave."""

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from visclust.annotation.answer_files import ANSWER_COLUMNS, check_row, place_event, read_rows
from visclust.annotation.identity import SIMULATED
from visclust.base.cells import fold_identity, read_truth
from visclust.base.provenance import digest_files, note_run, recorded
from visclust.base.tables import check_table


@recorded
def read_answers(
    source: str | os.PathLike | Iterable[str | os.PathLike], *, simulated: bool | None = None
) -> pd.DataFrame:
    r"""Read the answers of one or more annotators.

    Parameters
    ----------
    source : str, path, or several of them
        A folder (all its ``.jsonl`` files), a file, or several of either.
    simulated : bool, optional
        Read only the simulated answers (True) or only people's (False). Not needed where there is one kind.

    Returns
    -------
    DataFrame
        The answers table: ``item_id, annotator, answer, answered_at, seconds, retracts`` and ``event_id,
        left, right, note, widget_version, simulated, counter``; one row per event, an undo being a row that
        names in ``retracts`` what it takes back. An event that was sent twice is one row. Names that differ
        in case, spaces or the way of typing accents are one annotator's, which a warning says.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If a file holds no answers but something else, such as a CSV or a page; if a line is whole but not an
        answer, if one event_id stands for two different answers, or if people's
        and simulated answers would be mixed.

    Warns
    -----
    UserWarning
        Naming each line that was cut off while being written (no acknowledged answer is such a line), and
        each that is damaged.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "ana.jsonl"
    >>> row = ('{"event_id": "e1", "item_id": "p1", "annotator": "ana", "answer": "same", '
    ...        '"answered_at": "2026-01-05T10:00:00.000Z", "seconds": 2.5}')
    >>> _ = path.write_text(f"{row}\n{row}\n")
    >>> read_answers(path.parent)[["item_id", "answer"]]
      item_id answer
    0      p1   same
    """
    sources = [source] if isinstance(source, str | os.PathLike) else list(source)
    files = _list_files(sources)
    note_run(inputs={"source": digest_files(files)}, answer_files=files)
    rows = [row for path in files for row in read_rows(path, refuse_others=True)]
    if simulated is not None:
        rows = [row for row in rows if row["simulated"] == simulated]
    return _make_table(rows)


@recorded
def merge_answers(paths: Iterable[str | os.PathLike | pd.DataFrame]) -> pd.DataFrame:
    """Merge answers from several places, each event once however often it comes.

    Parameters
    ----------
    paths : sequence of str, path or DataFrame
        Files, folders, or tables from `read_answers`.

    Returns
    -------
    DataFrame
        One answers table in the order in which the answers were given. Merging it again with any of its parts
        changes nothing.

    Raises
    ------
    FileNotFoundError
        If a file or folder does not exist.
    ValueError
        As for `read_answers`.

    Examples
    --------
    >>> one = pd.DataFrame([{"event_id": "e1", "item_id": "p1", "annotator": "ana", "answer": "same",
    ...     "answered_at": "2026-01-05T10:00:00.000Z", "seconds": 2.5, "retracts": None}])
    >>> len(merge_answers([one, one]))
    1
    """
    rows: list[dict[str, Any]] = []
    for place, part in enumerate(paths):
        if isinstance(part, pd.DataFrame):
            table = part.astype(object).where(part.notna(), None)
            rows += [
                check_row({str(name): value for name, value in row.items()}, "a row of a table")
                for row in table.to_dict("records")
            ]
        else:
            files = _list_files([part])
            note_run(inputs={f"paths.{place}": digest_files(files)}, answer_files=files)
            rows += [row for path in files for row in read_rows(path, refuse_others=True)]
    return _make_table(sorted(rows, key=place_event))


@recorded
def current_answers(answers: pd.DataFrame) -> pd.DataFrame:
    """Keep the answer that stands for each annotator and item.

    Parameters
    ----------
    answers : DataFrame
        The answers table, as `read_answers` returns it.

    Returns
    -------
    DataFrame
        The columns of `answers`; at most one row per annotator and item: the latest of those not taken back,
        in the order in which they were given. Where an undo takes back a second thought, the first stands.
        Names that differ in case, spaces or the way of typing accents are one annotator's, which a warning
        says; the first way of writing stays.

    Raises
    ------
    ValueError
        If the table is not an answers table, or has retractions but no ``event_id`` that they could name.

    Examples
    --------
    >>> answers = pd.DataFrame({
    ...     "item_id": ["p1", "p1", "p2"], "annotator": "ana", "answer": ["same", None, "different"],
    ...     "answered_at": ["2026-01-05T10:00:00Z", "2026-01-05T10:00:03Z", "2026-01-05T10:00:05Z"],
    ...     "seconds": 1.0, "retracts": [None, "e1", None], "event_id": ["e1", "e2", "e3"]})
    >>> current_answers(answers)[["item_id", "answer"]]
      item_id     answer
    0      p2  different
    """
    check_table(answers, "answers")
    answers = _unite_annotators(answers)
    is_retraction = answers["retracts"].notna() & (answers["retracts"] != "")
    kept = answers[~is_retraction]
    if is_retraction.any():
        if "event_id" not in answers.columns:
            raise ValueError(
                "Expected a column event_id, which the column retracts points to; got none. "
                "Read the answers with read_answers."
            )
        undone = set(
            zip(answers["annotator"][is_retraction], answers["retracts"][is_retraction], strict=True)
        )
        named = zip(kept["annotator"], kept["event_id"], strict=True)
        kept = kept[[pair not in undone for pair in named]]
    if "event_id" in kept.columns:
        kept = kept[kept["event_id"].isna() | ~kept.duplicated(["annotator", "event_id"])]
    kept = kept.reset_index(drop=True)
    kept = kept.iloc[_order_events(kept)]
    return kept.drop_duplicates(["annotator", "item_id"], keep="last").reset_index(drop=True)


def _order_events(answers: pd.DataFrame) -> np.ndarray:
    """Give the places of the rows in the order in which they were given, see `place_event`."""
    times = pd.to_datetime(answers["answered_at"], utc=True, format="ISO8601")
    moments = (times - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy(dtype=float) * 10
    places = moments
    if "counter" in answers.columns:
        counters = pd.to_numeric(answers["counter"]).to_numpy(dtype=float, na_value=np.nan)
        places = np.where(np.isnan(counters), moments, counters)
    return np.lexsort((moments, places))  # stable


def _unite_annotators(answers: pd.DataFrame, *, stacklevel: int = 4) -> pd.DataFrame:
    """Write the names of one annotator alike, as the first is written."""
    first: dict[str, str] = {}
    written = {
        name: first.setdefault(fold_identity(name), name) for name in answers["annotator"].dropna().unique()
    }
    if others := [f"{name!r} for {kept!r}" for name, kept in written.items() if name != kept]:
        warnings.warn(
            f"Names of annotators that differ only in the way of writing are taken for one person: "
            f"{', '.join(others[:5])}. Give two people names that differ in more.",
            stacklevel=stacklevel,
        )
        return answers.assign(annotator=answers["annotator"].map(written))
    return answers


def _list_files(sources: Iterable[str | os.PathLike]) -> list[Path]:
    """List the answer files named or contained in what was given."""
    files: list[Path] = []
    for source in map(Path, sources):
        if not source.exists():
            raise FileNotFoundError(f"No answers at {source}: label some items first, or correct the path.")
        files += sorted(source.glob("*.jsonl")) if source.is_dir() else [source]
    return files


def _make_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Put rows into an answers table, each event once."""
    if len({row["simulated"] for row in rows}) > 1:
        raise ValueError(
            "Expected either people's answers or simulated ones, got both. Choose with simulated=False or "
            "simulated=True in read_answers, or keep them in different folders."
        )
    events: dict[str, dict[str, Any]] = {}
    for row in rows:
        first = events.setdefault(row["event_id"], row)
        differing = [name for name in ("item_id", "answer", "retracts") if first[name] != row[name]]
        if fold_identity(first["annotator"]) != fold_identity(row["annotator"]):
            differing.append("annotator")
        if differing:
            name = differing[0]
            raise ValueError(
                f"Expected one answer for event {row['event_id']}, got two that differ in {name}: "
                f"{first[name]!r} and {row[name]!r}. One of the files was edited: use the original."
            )
    table = pd.DataFrame(list(events.values()), columns=list(ANSWER_COLUMNS))
    table = table.astype({"seconds": float, "simulated": bool, "counter": "Int64"})
    return _unite_annotators(table, stacklevel=5)


def refuse_mixture(answers: pd.DataFrame) -> bool:
    """Raise an error where simulated answers stand among people's; else say whether they are simulated.

    A row is simulated if its column ``simulated`` says so, or if the annotator's name starts with that word.
    """
    simulated = answers["annotator"].astype(str).str.startswith(SIMULATED)
    if "simulated" in answers.columns:
        simulated = simulated | answers["simulated"].map(lambda mark: bool(read_truth(mark)))
    if simulated.nunique() > 1:
        people = answers.loc[~simulated, "annotator"].iloc[0]
        made_up = answers.loc[simulated, "annotator"].iloc[0]
        raise ValueError(
            f"Expected either people's answers or simulated ones, got both ({people!r} and {made_up!r}): "
            f"numbers from a mixture would pass for people's. Keep only one kind."
        )
    return bool(simulated.any())
