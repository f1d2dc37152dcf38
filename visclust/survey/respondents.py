"""What each respondent did, with flags that warn and do nothing; and the step that drops, with its log."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from visclust.base.checks import check_choice
from visclust.base.provenance import recorded
from visclust.base.tables import check_columns, check_table

_FLAGS = ("incomplete", "duplicate", "straight_lining", "too_fast")

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
        The right answer to each check, by column. Spaces around an answer, capitals, and whether a number
        was written 3, 3.0 or "3" make no difference.
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


def _fold_answer(answer: object) -> str:
    """Write an answer so that those meant alike are one: 3, 3.0 and "3", Blue and " blue"; none as empty."""
    if pd.isna(answer):
        return ""
    text = str(answer).strip().casefold()
    return text.removesuffix(".0")


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
    by_person = ratings.groupby("respondent", sort=False)
    people = by_person.agg(
        group=("group", "first"),
        expected=("rating", "size"),
        given=("rating", "count"),
        different_numbers=("rating", "nunique"),
    )
    sent = submissions[submissions["known"] & submissions["status"].ne("preview")]
    counts = sent[sent["why"].eq("")].set_index("respondent")
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
    seconds = counts["seconds"].reindex(people.index)
    seconds = seconds.where(seconds.notna(), rated["seconds"].groupby("respondent").sum(min_count=1))
    per_image = page.reindex(people.index)
    shared = seconds / rated.groupby("respondent").size().reindex(people.index)
    per_image = per_image.where(per_image.notna(), shared)
    finished = counts["finished"].reindex(people.index).eq(other=True)
    n_sent = sent.groupby("respondent").size().reindex(people.index).fillna(0).astype("int64")
    same = alike.reindex(people.index)
    return people.assign(
        missing=people["expected"] - people["given"],
        submissions=n_sent,
        finished=finished,
        complete=people["expected"].eq(people["given"]),
        incomplete=people["expected"].ne(people["given"]),
        duplicate=n_sent.gt(1),
        all_alike=same,
        straight_lining=same.ge(straight_share),
        seconds=seconds.astype(float),
        seconds_per_image=per_image.astype(float),
        too_fast=per_image.lt(min_seconds_per_image),
        problems=problems["respondent"].value_counts().reindex(people.index).fillna(0).astype("int64"),
    ).reset_index()
