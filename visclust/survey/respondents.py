"""What each respondent did, with flags that warn and do nothing; and the step that drops, with its log."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.cells import fold_answer
from visclust.base.checks import check_choice
from visclust.base.provenance import recorded
from visclust.base.tables import check_columns, check_table

_FLAGS = ("incomplete", "duplicate", "straight_lining", "too_fast")

_DESCRIBED = (
    "group", "expected", "given", "different_numbers", "missing", "submissions", "finished", "complete",
    "incomplete", "duplicate", "all_alike", "straight_lining", "seconds", "seconds_per_image", "too_fast",
    "problems",
)  # fmt: skip
SECONDS_PER_ITEM = 0.5  # in less nobody reads and rates
_FEWEST_ITEMS = 3  # two equal ratings on an image are nothing strange


class DroppedRespondents(NamedTuple):
    """Ratings of those who stay, and who was dropped, why, and with how many ratings."""

    ratings: pd.DataFrame
    log: pd.DataFrame


@recorded
def drop_respondents(
    ratings: pd.DataFrame, respondents: pd.DataFrame, *, because: str | Sequence[str] = ("incomplete",)
) -> DroppedRespondents:
    """Drop respondents for stated reasons, and log every one.

    Parameters
    ----------
    ratings, respondents : DataFrame
        From `read_ratings`.
    because : sequence of str, default ("incomplete",)
        Columns of `respondents` that are True for those to drop: "incomplete", "duplicate",
        "straight_lining", "too_fast", or one that you added.

    Returns
    -------
    ratings : DataFrame
        Ratings of all others.
    log : DataFrame
        A row per dropped respondent: ``respondent, group, because`` (all reasons that apply) and
        ``ratings``, how many ratings went.

    Raises
    ------
    ValueError
        If a reason is no True-or-False column, or a respondent is not in the table.

    Examples
    --------
    >>> ratings = pd.DataFrame({"respondent": ["r1", "r2"], "group": "D", "image_id": "a", "item": "proud",
    ...                         "rating": [3.0, 4.0], "simulated": False})
    >>> respondents = pd.DataFrame({"respondent": ["r1", "r2"], "group": "D", "too_fast": [False, True]})
    >>> kept = drop_respondents(ratings, respondents, because=["too_fast"])
    >>> kept.ratings["respondent"].tolist(), kept.log["because"].tolist()
    (['r1'], ['too_fast'])
    """
    check_table(ratings, "ratings")
    reasons = [because] if isinstance(because, str) else list(because)
    for reason in reasons:
        if reason not in respondents.columns or not pd.api.types.is_bool_dtype(respondents[reason]):
            raise ValueError(
                f"Expected a column of True and False named {reason!r} among the respondents, such as "
                f"{', '.join(_FLAGS)}; there are {', '.join(map(str, respondents.columns))}."
            )
    check_columns(respondents, ("respondent", "group"), "the respondents")
    unknown = sorted(set(ratings["respondent"]) - set(respondents["respondent"]))
    if unknown:
        raise ValueError(
            f"Expected every respondent of the ratings in the table of respondents; {unknown[0]!r} is not. "
            "Give the two tables of one read_ratings."
        )
    dropped = respondents[respondents[reasons].any(axis=1)] if reasons else respondents.iloc[:0]
    given = ratings.groupby("respondent")["rating"].count()
    log = pd.DataFrame(
        {
            "respondent": dropped["respondent"],
            "group": dropped["group"],
            "because": [
                ", ".join(np.array(reasons)[list(row)]) for row in dropped[reasons].itertuples(index=False)
            ],
            "ratings": dropped["respondent"].map(given).fillna(0).astype("int64"),
        }
    )
    kept = ratings[~ratings["respondent"].isin(dropped["respondent"])]
    return DroppedRespondents(kept.reset_index(drop=True), log.reset_index(drop=True))


@recorded
def flag_respondents(
    ratings: pd.DataFrame, *, min_seconds_per_image: float | None = None, straight_share: float = 0.75
) -> pd.DataFrame:
    """Flag respondents by their ratings alone, where the table of `read_ratings` is not at hand.

    Parameters
    ----------
    ratings : DataFrame
        The ratings table; with ``seconds`` per image, speed is judged too.
    min_seconds_per_image : float, seconds, optional
        Who takes less per image, in the median, is too fast; by default half a second for each item, as in
        `read_ratings`.
    straight_share : float, default 0.75
        Who gives all items of an image one number, on this share of the images or more, is straight-lining.
        Images with fewer than three items, or with an item missing, do not tell.

    Returns
    -------
    DataFrame
        A row per respondent: ``respondent, group``; ratings ``expected, given, missing`` (rows of the table,
        those with a rating, those without); ``all_alike``, the share of images on which all items got one
        number; ``seconds_per_image`` (missing where unknown); and the flags ``incomplete, straight_lining,
        too_fast``, for `drop_respondents` and `compare_exclusions`. Nobody is dropped.

    Raises
    ------
    ValueError
        If the table is no ratings table, or a number is out of range.

    Examples
    --------
    >>> ratings = pd.DataFrame([(r, "D", "a", item, rating, False) for r, numbers in
    ...     {"r1": (1, 4, 2), "r2": (3, 3, 3)}.items() for item, rating in zip("xyz", numbers)],
    ...     columns=["respondent", "group", "image_id", "item", "rating", "simulated"])
    >>> flag_respondents(ratings)[["respondent", "straight_lining", "too_fast"]]
      respondent  straight_lining  too_fast
    0         r1            False     False
    1         r2             True     False
    """
    check_table(ratings, "ratings")
    if not 0 < straight_share <= 1:
        raise ValueError(f"Expected straight_share above 0 and up to 1, got {straight_share}.")
    table = ratings if "seconds" in ratings.columns else ratings.assign(seconds=np.nan)
    people = _describe_ratings(table, pd.Series(dtype=float), straight_share=straight_share)
    fastest = SECONDS_PER_ITEM * ratings["item"].nunique()
    fastest = fastest if min_seconds_per_image is None else min_seconds_per_image
    people["too_fast"] = people["seconds_per_image"].lt(fastest)
    columns = ["group", "expected", "given", "missing", "all_alike", "seconds_per_image"]
    return people[[*columns, "incomplete", "straight_lining", "too_fast"]].reset_index()


@recorded
def flag_inattentive(
    respondents: pd.DataFrame,
    answers: Mapping[str, str | float],
    *,
    most_failed: int = 0,
    missing: str = "failed",
) -> pd.DataFrame:
    """Flag respondents who failed attention checks, such as "choose the third answer here".

    Parameters
    ----------
    respondents : DataFrame
        ``respondent``, and a column per check with what each person answered: the table of `read_ratings`,
        joined with the columns of the survey's export.
    answers : mapping of str to str or number
        The right answer to each check, by column. Spaces, capitals, the way accents are typed, and whether a
        number was written 3, 3.0 or "3.00" make no difference.
    most_failed : int, default 0
        How many checks somebody may fail and still count as attentive.
    missing : {"failed", "passed"}, default "failed"
        What an empty answer counts as.

    Returns
    -------
    DataFrame
        The table with ``checks_failed`` (how many), ``checks_missing``, and ``inattentive``, for
        `drop_respondents` and `compare_exclusions`.

    Raises
    ------
    ValueError
        If there is no check, a column is missing, or nobody gave an answer that was said to be right.

    Examples
    --------
    >>> respondents = pd.DataFrame({"respondent": ["r1", "r2", "r3"], "check": ["Blue", "red", None]})
    >>> flag_inattentive(respondents, {"check": "blue"})["inattentive"].tolist()
    [False, True, True]
    """
    check_choice("missing", missing, ("failed", "passed"))
    if not answers:
        raise ValueError("Expected the right answers by column, such as {'check': 'blue'}, got no answers.")
    check_columns(respondents, ("respondent", *answers), "the respondents")
    failed = pd.DataFrame(index=respondents.index)
    empty = pd.DataFrame(index=respondents.index)
    for name, right in answers.items():
        said = respondents[name].map(_fold_answer)
        empty[name] = said.eq("")
        if len(said) and not said.eq(_fold_answer(right)).any():
            seen = ", ".join(map(repr, sorted(set(said) - {""})[:5])) or "nothing"
            raise ValueError(
                f"Nobody gave the answer {right!r} to {name!r}, which answers says is right: they said "
                f"{seen}. Check its spelling, and whether the column holds codes."
            )
        failed[name] = said.ne(_fold_answer(right)) & (~empty[name] | (missing == "failed"))
    count = failed.sum(axis=1).astype("int64")
    return respondents.assign(
        checks_failed=count,
        checks_missing=empty.sum(axis=1).astype("int64"),
        inattentive=count.gt(most_failed),
    )


def _fold_answer(answer: Any) -> str:
    """Write an answer as `fold_answer`; none as empty."""
    return "" if pd.isna(answer) else fold_answer(answer)


def describe_respondents(
    ratings: pd.DataFrame,
    submissions: pd.DataFrame,
    problems: pd.DataFrame,
    *,
    min_seconds_per_image: float,
    straight_share: float,
) -> pd.DataFrame:
    """Describe what each assigned respondent did, those who did nothing included; see `read_ratings`.

    `submissions` has ``respondent, known, why`` (empty for the one that counts), ``finished, seconds`` and
    ``status``.
    """
    sent = submissions[submissions["known"] & submissions["status"].ne("preview")]
    counts = sent[sent["why"].eq("")].set_index("respondent")
    people = _describe_ratings(ratings, counts["seconds"], straight_share=straight_share)
    finished = counts["finished"].reindex(people.index).eq(other=True)
    n_sent = sent.groupby("respondent").size().reindex(people.index).fillna(0).astype("int64")
    people = people.assign(
        submissions=n_sent,
        finished=finished,
        duplicate=n_sent.gt(1),
        too_fast=people["seconds_per_image"].lt(min_seconds_per_image),
        problems=problems["respondent"].value_counts().reindex(people.index).fillna(0).astype("int64"),
    )
    return people[list(_DESCRIBED)].reset_index()


def _describe_ratings(ratings: pd.DataFrame, whole: pd.Series, *, straight_share: float) -> pd.DataFrame:
    """Describe respondents, who are the index, by their ratings; `whole` are seconds for all of a survey."""
    by_person = ratings.groupby("respondent", sort=False)
    people = by_person.agg(
        group=("group", "first"),
        expected=("rating", "size"),
        given=("rating", "count"),
        different_numbers=("rating", "nunique"),
    )
    images = ratings.groupby(["respondent", "image_id"], sort=False).agg(
        given=("rating", "count"),
        expected=("rating", "size"),
        low=("rating", "min"),
        high=("rating", "max"),
        seconds=("seconds", "first"),
    )
    full = images[images["given"].eq(images["expected"]) & images["expected"].ge(_FEWEST_ITEMS)]
    alike = full["low"].eq(full["high"]).groupby("respondent").mean()
    rated = images[images["given"].gt(0)]
    page = rated["seconds"].groupby("respondent").median()
    seconds = whole.reindex(people.index)
    seconds = seconds.where(seconds.notna(), rated["seconds"].groupby("respondent").sum(min_count=1))
    per_image = page.reindex(people.index)
    shared = seconds / rated.groupby("respondent").size().reindex(people.index)
    per_image = per_image.where(per_image.notna(), shared)
    same = alike.reindex(people.index)
    return people.assign(
        missing=people["expected"] - people["given"],
        complete=people["expected"].eq(people["given"]),
        incomplete=people["expected"].ne(people["given"]),
        all_alike=same,
        straight_lining=same.ge(straight_share),
        seconds=seconds.astype(float),
        seconds_per_image=per_image.astype(float),
    )
