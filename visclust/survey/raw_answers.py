"""Answers as they came back, before any check: from plain tables and from offline pages."""

import math
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from visclust.annotation.answer_files import SKIP
from visclust.annotation.answer_import import import_files
from visclust.annotation.answers import current_answers, read_answers, refuse_mixture
from visclust.annotation.ratings import read_rating_answer
from visclust.base.cells import fold_header, is_missing_word, read_cells, read_truth
from visclust.base.files import restore_cell
from visclust.base.provenance import digest_files, note_run
from visclust.base.tables import check_columns

CELL_COLUMNS = ["submission", "image_id", "item", "value", "reason", "seconds"]
SUBMISSION_COLUMNS = ["submission", "respondent", "finished", "seconds", "submitted_at", "status"]
PROBLEM_COLUMNS = ["problem", "submission", "respondent", "image_id", "item", "value", "done"]

# The problem that either kind of table may have, and what is done about it.
TOO_MANY_CELLS = ("more cells than columns", "the cells beyond set aside")


class RawAnswers(NamedTuple):
    """Answers by submission, image and item; the submissions; problems of reading; whether simulated."""

    cells: pd.DataFrame
    submissions: pd.DataFrame
    problems: list[dict[str, str]]
    simulated: bool


def read_table_answers(path: str | os.PathLike, items: Sequence[str]) -> RawAnswers:
    """Read a plain table: a row per respondent and image with a column per item, or a row per rating.

    The columns are ``respondent, image_id`` and the items, or ``respondent, image_id, item, rating``; further
    ``submission``, ``seconds`` (of the image) and ``simulated``, where there are any. Without ``submission``,
    a respondent's second row about an image counts as a second submission.
    """
    rows = read_cells(path)
    header = [restore_cell(cell.strip()) for cell in rows[0]] if rows else []
    header = _match_header(header, items, Path(path).name)
    width = len(header)
    table = pd.DataFrame(
        [[restore_cell(cell.strip()) for cell in (row + [""] * width)[:width]] for row in rows[1:]],
        columns=header,
        dtype=object,
    )
    is_long = {"item", "rating"} <= set(header)
    wanted = ["respondent", "image_id"] + ([] if is_long else list(items))
    hint = "A table with a row per rating has respondent, image_id, item and rating."
    check_columns(table, wanted, Path(path).name, hint=hint)
    who = header.index("respondent")
    problems = [
        list_problem(*TOO_MANY_CELLS, {"respondent": restore_cell(row[who].strip())}, value=beyond)
        for row in rows[1:]
        if (beyond := ", ".join(cell.strip() for cell in row[width:] if cell.strip()))
    ]
    key = ["respondent", "image_id", "item"] if is_long else ["respondent", "image_id"]
    long = table.rename(columns={"rating": "value"}) if is_long else table
    if "submission" not in header:
        long = long.assign(submission=long.groupby(key).cumcount().add(1).astype(str))
    long = long.assign(submission=long["respondent"] + ", " + long["submission"])
    if not is_long:
        kept = [
            name for name in ("respondent", "image_id", "submission", "seconds", "simulated") if name in long
        ]
        long = long.melt(id_vars=kept, value_vars=list(items), var_name="item", value_name="value")
    times = long.get("seconds", pd.Series("", index=long.index)).astype(str).str.replace(",", ".")
    seconds = pd.to_numeric(times, errors="coerce")
    marks = long.get("simulated", pd.Series("", index=long.index))
    try:
        truths = {mark: bool(read_truth(mark)) for mark in marks.unique()}
    except ValueError as error:
        raise ValueError(
            f"Expected true or false in the column simulated of {Path(path).name}, got {error}. "
            "Correct it: made-up ratings must not pass for people's."
        ) from None
    marked = marks.map(truths).astype(bool)
    simulated = bool(len(long)) and refuse_mixture(
        pd.DataFrame({"annotator": long["respondent"], "simulated": marked})
    )
    cells = long.assign(reason="", seconds=seconds)[CELL_COLUMNS].reset_index(drop=True)
    submissions = long.drop_duplicates("submission")[["submission", "respondent"]].assign(
        finished=True, seconds=float("nan"), submitted_at="", status=""
    )
    return RawAnswers(cells, submissions[SUBMISSION_COLUMNS].reset_index(drop=True), problems, simulated)


def _match_header(header: list[str], items: Sequence[str], name: str) -> list[str]:
    """Write the columns that are used as they are called here, whatever their case and spaces; each once."""
    ours = ("respondent", "image_id", "item", "rating", "submission", "seconds", "simulated", *items)
    wanted = {fold_header(each): each for each in ours}
    exact = set(header) & set(ours)
    found = []
    for column in header:
        meant = wanted.get(fold_header(column), column)
        found.append(column if column in exact or meant in exact else meant)
    if twice := [each for each in ours if found.count(each) > 1]:
        raise ValueError(
            f"The column {twice[0]!r} comes twice in {name}: which of them holds the answers cannot be told. "
            "Give one of them another name."
        )
    return found


def read_page_answers(path: str | os.PathLike, items: Sequence[str], scale: Sequence[int]) -> RawAnswers:
    """Read the files that respondents sent back from their offline pages, or the folder of the widget.

    Each respondent has one submission: of several answers to an image the latest not taken back. Files that
    hold the same answers twice count once.
    """
    path = Path(path)
    files = [path] if path.is_file() else sorted([*path.glob("*.jsonl"), *path.glob("*.csv")])
    if not files:
        raise FileNotFoundError(
            f"Expected a folder with the files that respondents sent back (.jsonl or .csv), got {path}, "
            "which has none. Gather them there."
        )
    note_run(inputs={"path": digest_files(files)})
    with tempfile.TemporaryDirectory() as folder:
        import_files(files, folder)
        answers = read_answers(folder)
    standing = current_answers(answers)
    simulated = refuse_mixture(standing) if len(standing) else False
    cells, problems = [], []
    for row in standing.to_dict("records"):
        who, image, answer = str(row["annotator"]), str(row["item_id"]), str(row["answer"])
        found: dict[str, int | None] = {}
        reason = "skipped"
        if answer != SKIP:
            try:
                found, reason = read_rating_answer(answer, items=items, scale=scale), "cannot say"
            except ValueError as error:
                reason = "unreadable"
                where = {"submission": who, "respondent": who, "image_id": image}
                said = f"{answer[:200]} ({str(error)[:200]})"
                problems.append(
                    list_problem("unreadable answer", "ratings set to missing", where, value=said)
                )
        for item in items:
            value = found.get(item)
            text, why = ("", reason) if value is None else (str(value), "")
            cells.append([who, image, item, text, why, row["seconds"]])
    table = pd.DataFrame(cells, columns=CELL_COLUMNS).astype({"seconds": float})
    last = standing.groupby("annotator", sort=False)["answered_at"].max()
    submissions = pd.DataFrame(
        [[who, who, True, float("nan"), at, ""] for who, at in last.items()], columns=SUBMISSION_COLUMNS
    )
    return RawAnswers(table, submissions, problems, simulated)


def read_rating(text: object, scale: tuple[int, int]) -> tuple[float, str]:
    """Read a rating as it stands in a cell, and say what is wrong with it ("" where nothing is).

    A number may be written "7", "7.0" or "7,0", or begin a label that holds no other, as in "10 (very much)".
    The rating is NaN where there is none, or one that is wrong.
    """
    said = str(text).strip()
    if is_missing_word(said):
        return math.nan, ""
    match = re.fullmatch(r"([+-]?\d+(?:[.,]\d+)?)(?![\d.,])(?:\W\D*)?", said, re.DOTALL)
    if not match:
        return math.nan, "not a number"
    number = float(match[1].replace(",", "."))
    if not number.is_integer() and math.isfinite(number):
        return math.nan, "not a whole number"
    if not scale[0] <= number <= scale[1]:
        return math.nan, "out of range"
    return number, ""


def list_problem(
    problem: str, done: str, where: Mapping[Any, object], *, value: str | None = None
) -> dict[str, str]:
    """Describe a problem as a row of the table of problems.

    `problem` is in a few words that are the same for all of its kind, `done` is what was done about it, and
    `where` any row that says the submission, respondent, image, item and value concerned, as far as it does.
    """
    row = {name: str(where.get(name, "")) for name in PROBLEM_COLUMNS}
    return row | {"problem": problem, "done": done} | ({} if value is None else {"value": value})
