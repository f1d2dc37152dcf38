"""Take a survey's answers back in, from whatever it was run with."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from visclust.annotation.constructs import EMOTIONS
from visclust.annotation.ratings import check_scale, list_items
from visclust.base.tables import check_table
from visclust.survey_answers import read_page_answers, read_table_answers
from visclust.survey_cells import read_rows_of_cells
from visclust.survey_checks import SurveyRatings, check_answers
from visclust.survey_qualtrics_answers import looks_like_qualtrics, read_qualtrics_answers

__all__ = ["read_ratings"]

_SECONDS_PER_ITEM = 0.5


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
    fastest = _SECONDS_PER_ITEM * len(names) if min_seconds_per_image is None else min_seconds_per_image
    return check_answers(
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
    if looks_like_qualtrics(path):
        return "qualtrics"
    rows = read_rows_of_cells(path)
    return "html" if rows and {"event_id", "annotator"} <= set(rows[0]) else "csv"
