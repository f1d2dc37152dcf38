"""Answers as Qualtrics exports them: three header rows, a row per response, loops as columns."""

import os
import re
from collections.abc import Sequence
from html import unescape
from pathlib import Path

import pandas as pd

from visclust.survey_answers import CELL_COLUMNS, SUBMISSION_COLUMNS, RawAnswers, list_problem
from visclust.survey_cells import read_rows_of_cells, restore_cell
from visclust.survey_qualtrics import QUESTION_TAG, TIMING_TAG

__all__ = ["looks_like_qualtrics", "read_qualtrics_answers"]

_HEADER_ROWS = 3
# Qualtrics' codes and words for responses that no respondent gave.
_PREVIEWS = (
    "1",
    "2",
    "9",
    "17",
    "survey preview",
    "survey test",
    "spam survey preview",
    "offline survey preview",
)


def looks_like_qualtrics(path: str | os.PathLike) -> bool:
    r"""Tell by its third row whether a file is an export of Qualtrics.

    Parameters
    ----------
    path : str or path
        A CSV or TSV file.

    Returns
    -------
    bool
        Whether the third row holds ImportIds.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_text("respondent,image_id\nr1,a\n")
    >>> looks_like_qualtrics(path)
    False
    """
    rows = read_rows_of_cells(path)
    return len(rows) >= _HEADER_ROWS and any("ImportId" in cell for cell in rows[_HEADER_ROWS - 1])


def read_qualtrics_answers(
    path: str | os.PathLike, assignment: pd.DataFrame, items: Sequence[str]
) -> RawAnswers:
    r"""Read an export of the survey that `export_survey` describes.

    Parameters
    ----------
    path : str or path
        The CSV or TSV file with its three header rows: names, texts of the questions, ImportIds.
    assignment : DataFrame
        The assignment table; says which image a loop showed where the export does not.
    items : sequence of str
        The items. Columns are matched by the statement in the second header row, or, where no statement is an
        item, by its number.

    Returns
    -------
    RawAnswers
        A submission per response. Images are those that the response says were shown.

    Raises
    ------
    ValueError
        If the header rows, the respondents or the ratings cannot be found.

    Source
    ------
    Qualtrics support page "Understanding Your Data Set".

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_text('ResponseId,respondent,image_1,1_rating_1\nResponse ID,respondent,image_1,'
    ...     'How? - proud\n"{""ImportId"":""_recordId""}",x,x,x\nR_1,r1,a,7\n')
    >>> assignment = pd.DataFrame({"respondent": ["r1"], "position": 1, "image_id": "a"})
    >>> read_qualtrics_answers(path, assignment, ["proud"]).cells[["image_id", "value"]].values.tolist()
    [['a', '7']]
    """
    rows = read_rows_of_cells(path)
    name = Path(path).name
    if not looks_like_qualtrics(path):
        raise ValueError(
            f"Expected three header rows in {name}, the third with ImportIds, as Qualtrics exports them. "
            "Export again as CSV and leave these rows in."
        )
    header = [cell.strip() for cell in rows[0]]
    places = {column.casefold(): place for place, column in enumerate(header)}
    who = next(
        (places[c] for c in ("respondent", "externalreference", "externaldatareference") if c in places), None
    )
    if who is None:
        raise ValueError(
            f"Expected a column respondent (embedded data) or ExternalReference in {name}, got none. Add the "
            "embedded data to the survey flow and export all fields."
        )
    columns = _find_columns(header, rows[1], items, name)
    timing = _find_timing(header)
    shown = {
        (str(row["respondent"]), int(row["position"])): str(row["image_id"])
        for row in assignment.to_dict("records")
    }
    cells, submissions, problems = [], [], []
    taken: set[str] = set()
    for number, row in enumerate(rows[_HEADER_ROWS:], start=1):
        full = [cell.strip() for cell in row] + [""] * (len(header) - len(row))

        def find(column: str, full: list[str] = full) -> str:
            place = places.get(column.casefold())
            return "" if place is None else full[place]

        submission = find("ResponseId") or f"row {number}"
        if submission in taken:  # two exports in one file: answers must not be taken for another response's
            submission = f"{submission} (row {number})"
        taken.add(submission)
        respondent = restore_cell(full[who])
        if beyond := ", ".join(cell for cell in full[len(header) :] if cell):
            done, where = "the cells beyond set aside", {"submission": submission, "respondent": respondent}
            problems.append(list_problem("more cells than columns", done, value=beyond, **where))
        status = "preview" if find("Status").casefold() in _PREVIEWS else ""
        if "spam" in find("Status").casefold() or find("Status") == "8":
            status = "spam"
        finished = find("Finished").casefold() in ("", "1", "true")
        seconds = _read_number(find("Duration (in seconds)"))
        at = find("RecordedDate") or find("EndDate")
        submissions.append([submission, respondent, finished, seconds, at, status])
        for (loop, item), place in columns.items():
            planned = shown.get((respondent, loop), "")
            image = restore_cell(find(f"image_{loop}")) or planned
            page = _read_number(full[timing[loop]]) if loop in timing else float("nan")
            cells.append([submission, image, item, full[place], "", page])
            if planned and image != planned and item == items[0]:
                problems.append(
                    list_problem(
                        "another image than planned at this position",
                        "the image shown counts",
                        submission=submission,
                        respondent=respondent,
                        image_id=image,
                        value=f"position {loop}, planned {planned}",
                    )
                )
    return RawAnswers(
        pd.DataFrame(cells, columns=CELL_COLUMNS).astype({"seconds": float}),
        pd.DataFrame(submissions, columns=SUBMISSION_COLUMNS).astype({"seconds": float}),
        problems,
        simulated=False,
    )


def _find_columns(
    header: Sequence[str], texts: Sequence[str], items: Sequence[str], name: str
) -> dict[tuple[int, str], int]:
    """Find the column of each loop and item."""
    found: dict[str, list[tuple[int, int, int]]] = {}
    for place, column in enumerate(header):
        if match := re.fullmatch(r"(\d+)_(.+)_(\d+)", column):
            found.setdefault(match[2], []).append((int(match[1]), int(match[3]), place))
    tags = [tag for tag, each in found.items() if len({number for _, number, _ in each}) == len(items)]
    tag = QUESTION_TAG if QUESTION_TAG in tags else tags[0] if len(tags) == 1 else None
    if tag is None:
        seen = ", ".join(f"{each} ({len(places)} columns)" for each, places in found.items())
        raise ValueError(
            f"Expected columns 1_{QUESTION_TAG}_1 to …_{QUESTION_TAG}_{len(items)} for {len(items)} items in "
            f"{name}, got {seen or 'none like it'}. Give the items that were asked, or name the question "
            f"{QUESTION_TAG!r} and export again."
        )
    said = {place: unescape(texts[place]).strip().casefold() for *_, place in found[tag]}
    matched = {
        place: item
        for place, text in said.items()
        for item in items
        if text == item.casefold() or text.endswith(f"- {item.casefold()}")
    }
    numbers = sorted({number for _, number, _ in found[tag]})
    columns = {}
    for loop, number, place in found[tag]:
        columns[loop, matched.get(place, items[numbers.index(number)])] = place
    if (matched and len(matched) < len(said)) or len(columns) < len(found[tag]):
        strange = next((said[place] for place in said if place not in matched), "one twice")
        raise ValueError(
            f"Expected the statements {', '.join(items)} in the second row of {name}, got {strange!r} among "
            "them. Give the items as they were asked."
        )
    return columns


def _find_timing(header: Sequence[str]) -> dict[int, int]:
    """Find the column of each loop that says when its page was left; ours before any other."""
    found: dict[int, int] = {}
    for place, column in enumerate(header):
        match = re.fullmatch(r"(\d+)_(.+)_Page Submit", column)
        if match and (match[2] == TIMING_TAG or int(match[1]) not in found):
            found[int(match[1])] = place
    return found


def _read_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
