"""A survey's answers back in, whatever it was run with, and checked: all is listed, and nobody is dropped."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from visclust.annotation.answer_files import clean_name
from visclust.annotation.constructs import EMOTIONS
from visclust.annotation.ratings import check_scale, list_items
from visclust.base.cells import fold_identity, read_cells
from visclust.base.provenance import recorded
from visclust.base.tables import check_table
from visclust.survey.qualtrics import looks_like_qualtrics, read_qualtrics_answers
from visclust.survey.raw_answers import (
    PROBLEM_COLUMNS,
    RawAnswers,
    list_problem,
    read_page_answers,
    read_rating,
    read_table_answers,
)
from visclust.survey.respondents import SECONDS_PER_ITEM, describe_respondents

_RATING_COLUMNS = [
    "respondent", "group", "image_id", "item", "rating", "simulated", "position", "reason", "seconds",
]  # fmt: skip

# What may be wrong with one answer of a submission that counts.
_CELL_PROBLEMS = (
    "unknown item",
    "image not assigned to this respondent",
    "answered twice in one submission",
)


class SurveyRatings(NamedTuple):
    """Ratings of every assigned respondent, what each did, problems, and answers that did not count."""

    ratings: pd.DataFrame
    respondents: pd.DataFrame
    problems: pd.DataFrame
    set_aside: pd.DataFrame


@recorded
def read_ratings(
    path: str | os.PathLike,
    assignment: pd.DataFrame,
    *,
    items: Mapping[str, Sequence[str]] | Sequence[str] = EMOTIONS,
    scale: Sequence[int] = (1, 10),
    format: str = "auto",
    min_seconds_per_image: float | None = None,
    straight_share: float = 0.75,
) -> SurveyRatings:
    r"""Read the answers to a survey, check them, and report what is wrong; nobody is dropped.

    Of several submissions by one respondent one counts: the first finished one in the file, or, where none is
    finished, the one with most answers. Ratings that are no whole number on the scale are set to missing. All
    of this is listed, and what does not count is given back.

    Parameters
    ----------
    path : str or path
        An export of Qualtrics (CSV or TSV with its three header rows); the filled-in ``survey.csv``, or any
        table with ``respondent, image_id`` and the items as columns, or ``item, rating``; or the folder of
        files that came back from the offline pages (or that `rate_images` wrote).
    assignment : DataFrame
        The assignment table that the survey was made from.
    items : mapping of str to sequence of str, or sequence of str, default `visclust.EMOTIONS`
        What was rated.
    scale : sequence of two int, default (1, 10)
        Lowest and highest number.
    format : {"auto", "qualtrics", "csv", "html"}, default "auto"
        "auto" looks at the file.
    min_seconds_per_image : float, seconds, optional
        Who takes less per image is flagged as too fast. By default half a second for each item: reading and
        rating cannot be done in that. (Huang et al. (2012), Journal of Business and Psychology 27, take less
        than 2 seconds per item for careless.)
    straight_share : float, default 0.75
        Who gives all items of an image one number, on this share of the images or more, is flagged as
        straight-lining. On a neutral image that can be an honest answer: look before you drop.

    Returns
    -------
    ratings : DataFrame
        A ratings table with a row for every respondent, assigned image and item, answered or not:
        ``respondent, group, image_id, item, rating, simulated, position, reason`` (why a rating is missing)
        and ``seconds`` (for the image, where known).
    respondents : DataFrame
        A row per assigned respondent: ``respondent, group``; ratings ``expected, given, missing``;
        ``different_numbers`` used; ``submissions`` sent; ``finished`` (as the host says); ``complete``;
        ``all_alike``, the share of images on which all items got one number; ``seconds`` in all and
        ``seconds_per_image`` (the median of the images, or else the mean); ``problems`` listed; and the
        flags ``incomplete, duplicate, straight_lining, too_fast``. See `drop_respondents`.
    problems : DataFrame
        ``problem, submission, respondent, image_id, item, value, done``.
    set_aside : DataFrame
        Answers that do not count: ``why, submission, respondent, image_id, item, value, seconds``.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If the file is of another form, or simulated answers stand among people's.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "survey.csv"
    >>> _ = path.write_text("respondent,image_id,proud,angry\nr1,a,7,11\n")
    >>> assignment = pd.DataFrame({"respondent": ["r1"], "group": "D", "position": 1, "image_id": "a",
    ...                            "cluster": 0})
    >>> found = read_ratings(path, assignment, items=["proud", "angry"])
    >>> found.ratings[["item", "rating", "reason"]]
        item  rating        reason
    0  proud     7.0
    1  angry     NaN  out of range
    """
    names, ends = list_items(items), check_scale(scale)
    check_table(assignment, "assignment")
    if not 0 < straight_share <= 1:
        raise ValueError(f"Expected straight_share above 0 and up to 1, got {straight_share}.")
    kind = _find_format(Path(path), format)
    if kind == "qualtrics":
        raw = read_qualtrics_answers(path, assignment, names)
    elif kind == "html":
        raw = read_page_answers(path, names, ends)
    else:
        raw = read_table_answers(path, names)
    fastest = SECONDS_PER_ITEM * len(names) if min_seconds_per_image is None else min_seconds_per_image
    return _check_answers(
        raw,
        assignment,
        items=names,
        scale=ends,
        min_seconds_per_image=fastest,
        straight_share=straight_share,
    )


def _find_format(path: Path, wanted: str) -> str:
    """Tell the format of a file, or take the one that was named."""
    if wanted not in ("auto", "qualtrics", "csv", "html"):
        raise ValueError(f"Expected format='auto', 'qualtrics', 'csv' or 'html', got {wanted!r}.")
    if not path.exists():
        raise FileNotFoundError(f"No file or folder {path}: check where the answers were saved.")
    if wanted != "auto":
        return wanted
    if path.is_dir() or path.suffix.lower() == ".jsonl":
        return "html"
    rows = read_cells(path)
    if looks_like_qualtrics(rows):
        return "qualtrics"
    return "html" if rows and {"event_id", "annotator"} <= {cell.strip() for cell in rows[0]} else "csv"


def _check_answers(
    raw: RawAnswers,
    assignment: pd.DataFrame,
    *,
    items: Sequence[str],
    scale: tuple[int, int],
    min_seconds_per_image: float,
    straight_share: float,
) -> SurveyRatings:
    """Sort raw answers into ratings, problems, and answers set aside, and describe each respondent."""
    problems = list(raw.problems)
    submissions = _name_respondents(raw.submissions, assignment, problems)
    why = pd.Series(_choose_submissions(raw, submissions, problems), submissions.index, dtype=object)
    submissions = submissions.assign(why=why)
    # A table without rows has no types of its own.
    texts = raw.cells.astype(dict.fromkeys(("submission", "image_id", "item", "value", "reason"), object))
    cells = texts.merge(submissions[["submission", "respondent", "why"]], on="submission", how="left")
    cells["why"] = _find_strangers(cells, assignment, items, problems)
    counted = cells[cells["why"].eq("")]
    read = [read_rating(value, scale) for value in counted["value"]]
    counted = counted.assign(rating=[number for number, _ in read], wrong=[why for _, why in read])
    problems += [
        list_problem(row["wrong"], "rating set to missing", row)
        for row in counted[counted["wrong"].ne("")].to_dict("records")
    ]
    problems += _suspect_codes(counted, scale)
    ratings = _fill_in(counted, assignment, items, simulated=raw.simulated)
    table = pd.DataFrame(problems, columns=PROBLEM_COLUMNS)
    respondents = describe_respondents(
        ratings,
        submissions,
        table,
        min_seconds_per_image=min_seconds_per_image,
        straight_share=straight_share,
    )
    aside = cells[cells["why"].ne("") & cells["value"].astype(str).ne("")]
    columns = ["why", "submission", "respondent", "image_id", "item", "value", "seconds"]
    return SurveyRatings(ratings, respondents, table, aside[columns].reset_index(drop=True))


def _name_respondents(
    submissions: pd.DataFrame, assignment: pd.DataFrame, problems: list[dict[str, str]]
) -> pd.DataFrame:
    """Write respondents' names as the assignment does, where only spaces, case or the way of typing differ.

    A number whose zeros in front a spreadsheet dropped is found too, where it can be only one, and listed.
    """
    names = assignment["respondent"].drop_duplicates().tolist()
    exact = {_clean(name): name for name in names}
    folded = _index_unique(names, fold_identity)
    numbers = _index_unique([name for name in names if name.isdecimal()], lambda name: name.lstrip("0"))
    written, known = [], []
    for row in submissions.to_dict("records"):
        said = str(row["respondent"])
        name = exact.get(_clean(said)) or folded.get(fold_identity(said))
        number = said.strip().removesuffix(".0")
        if name is None and number.isdecimal() and (name := numbers.get(number.lstrip("0"))) is not None:
            done = f"taken for {name}"
            problems.append(list_problem("zeros of a respondent's number lost", done, row, value=said))
        written.append(said if name is None else name)
        known.append(name is not None)
    found = submissions.assign(respondent=written, known=known)
    return found.astype({"submission": object, "respondent": object, "known": bool, "finished": bool})


def _clean(name: object) -> str:
    return clean_name(str(name)) if str(name).strip() else ""


def _index_unique(names: Sequence[str], key: Callable[[str], str]) -> dict[str, str]:
    """Index names by a key, without those that share one."""
    keys = pd.Series([key(name) for name in names], dtype=object)
    return {each: name for each, name, twice in zip(keys, names, keys.duplicated(keep=False), strict=True)
            if not twice}  # fmt: skip


def _suspect_codes(counted: pd.DataFrame, scale: tuple[int, int]) -> list[dict[str, str]]:
    """Say once where ratings look like codes of choices: many beyond the scale, or its other end unused."""
    beyond = counted["wrong"].eq("out of range")
    said = pd.to_numeric(counted["value"].astype(str).str.replace(",", ".").str.extract(r"(-?\d+)")[0])
    given = said.notna()
    if not beyond.any():
        return []
    low, high = int(said.min()), int(said.max())
    shifted = beyond.sum() > 2 and (low > scale[0] or high < scale[1])
    if beyond.sum() < 0.1 * given.sum() and not shifted:
        return []
    value = (
        f"{int(beyond.sum())} of {int(given.sum())} ratings are not within {scale[0]} to {scale[1]}: they "
    )
    value += f"go from {low} to {high}"
    done = "those on the scale are kept: check scale=, and whether the export holds codes of choices"
    return [list_problem("ratings may be codes of choices", done, {}, value=value)]


def _choose_submissions(
    raw: RawAnswers, submissions: pd.DataFrame, problems: list[dict[str, str]]
) -> list[str]:
    """Say why a submission does not count, empty where it does: one for each known respondent."""
    given = raw.cells[raw.cells["value"].astype(str).ne("")].groupby("submission").size()
    table = submissions.assign(given=submissions["submission"].map(given).fillna(0))
    # The first finished counts, however much it holds; only among the unfinished does the fuller win.
    fuller = table["given"].where(~table["finished"], 0)
    rank = table.assign(fuller=fuller, order=np.arange(len(table))).sort_values(
        ["finished", "fuller", "order"], ascending=[False, False, True]
    )
    usable = rank[rank["known"] & rank["status"].ne("preview")]
    first = usable.drop_duplicates("respondent").set_index("respondent")["submission"].to_dict()
    reasons = []
    for row in table.to_dict("records"):
        why, value = "", ""
        if row["status"] == "preview":
            why, value = "preview", "a test of the survey"
        elif not row["known"]:
            why, value = "unknown respondent", row["respondent"] or "no name"
        elif first[row["respondent"]] != row["submission"]:
            why, value = "duplicate submission", f"{first[row['respondent']]} counts"
        if why:
            problems.append(list_problem(why, f"{int(row['given'])} answers set aside", row, value=value))
        elif row["status"] == "spam":
            problems.append(list_problem("marked as spam by the survey's host", "counts", row))
        reasons.append(why)
    return reasons


def _find_strangers(
    cells: pd.DataFrame, assignment: pd.DataFrame, items: Sequence[str], problems: list[dict[str, str]]
) -> pd.Series:
    """Set aside answers about images not assigned, about unknown items, and second answers."""
    why = cells["why"].fillna("").copy()
    pairs = pd.MultiIndex.from_frame(cells[["respondent", "image_id"]].astype(str))
    assigned = pairs.isin(pd.MultiIndex.from_frame(assignment[["respondent", "image_id"]].astype(str)))
    given = cells["value"].astype(str).ne("") | cells["reason"].ne("")
    why[why.eq("") & ~cells["item"].isin(list(items))] = "unknown item"
    why[why.eq("") & ~assigned & given] = "image not assigned to this respondent"
    why[why.eq("") & ~given] = "no answer"
    open_cells = cells[why.eq("")]
    again = open_cells.duplicated(["respondent", "image_id", "item"])
    why[again[again].index] = "answered twice in one submission"
    problems += [
        list_problem(row["why"], "answer set aside", row)
        for row in cells.assign(why=why)[why.isin(_CELL_PROBLEMS)].to_dict("records")
    ]
    return why


def _fill_in(
    counted: pd.DataFrame, assignment: pd.DataFrame, items: Sequence[str], *, simulated: bool
) -> pd.DataFrame:
    """Give a row to every respondent, assigned image and item, and say of each without a rating why."""
    names = pd.DataFrame({"item": list(items)})
    grid = assignment[["respondent", "group", "image_id", "position"]].merge(names, how="cross")
    key = ["respondent", "image_id", "item"]
    answers = counted[[*key, "rating", "reason", "wrong", "seconds"]]
    full = grid.merge(answers, on=key, how="left")
    wrong = full["wrong"].astype(object).fillna("")
    reason = wrong.where(wrong.ne(""), full["reason"].astype(object))
    reason = reason.where(reason.notna(), "not answered").mask(full["rating"].notna(), "")
    table = full.assign(reason=reason, simulated=simulated).astype({"rating": float, "seconds": float})
    return check_table(table[_RATING_COLUMNS], "ratings")
