"""Ratings before any analysis: real or simulated but never both, and one row per respondent and image."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from visclust.annotation.constructs import EMOTIONS
from visclust.base.tables import check_table

__all__ = ["RatingEvents", "check_ratings", "find_simulated", "join_clusters", "spread_ratings"]


class RatingEvents(NamedTuple):
    """One row per respondent and image, one column of values per item and then per dimension."""

    events: pd.DataFrame
    values: np.ndarray
    outcomes: pd.DataFrame
    simulated: bool


def check_ratings(ratings: pd.DataFrame) -> bool:
    """Check a ratings table, and refuse one in which simulated ratings stand among real ones.

    Parameters
    ----------
    ratings : DataFrame
        The ratings table.

    Returns
    -------
    bool
        Whether the ratings are simulated, all of them.

    Raises
    ------
    ValueError
        If it is no ratings table, has no rating or an infinite one, or mixes simulated and real ones.

    Examples
    --------
    >>> check_ratings(pd.DataFrame({"respondent": ["r"], "group": ["Democrat"], "image_id": ["a"],
    ...     "item": ["proud"], "rating": [3.0], "simulated": [True]}))
    True
    """
    check_table(ratings, "ratings")
    if ratings["rating"].isna().all():
        raise ValueError(
            "Expected ratings, got a table without any: every rating is missing, or no row is there."
        )
    if np.isinf(ratings["rating"].to_numpy(dtype=float, na_value=np.nan)).any():
        raise ValueError("Expected finite ratings, got an infinite one. Correct it, or set it to missing.")
    if ratings["simulated"].nunique() > 1:
        raise ValueError(
            f"Expected either people's ratings or simulated ones, got both: {ratings['simulated'].sum()} of "
            f"{len(ratings)} rows are simulated. Numbers from a mixture would pass for people's: keep one."
        )
    return bool(ratings["simulated"].iloc[0])


def find_simulated(table: pd.DataFrame) -> bool:
    """Tell from the column ``simulated`` whether a table of results rests on simulated ratings.

    Parameters
    ----------
    table : DataFrame
        What an analysis of ratings returned.

    Returns
    -------
    bool
        True where any row does: a figure of it must say so.

    Raises
    ------
    ValueError
        If the column is missing.

    Examples
    --------
    >>> find_simulated(pd.DataFrame({"simulated": [False]}))
    False
    """
    if "simulated" not in table.columns:
        raise ValueError(
            "Expected a table with the column simulated, which says whether its ratings were made by a "
            "computer. Use the table that the analysis function returned, with all its columns."
        )
    return bool(table["simulated"].any())


def spread_ratings(
    ratings: pd.DataFrame, *, dimensions: Mapping[str, Sequence[str]] = EMOTIONS, groups: str = "group"
) -> RatingEvents:
    """Set all items of one respondent's rating of one image side by side, with their means by dimension.

    Parameters
    ----------
    ratings : DataFrame
        The ratings table.
    dimensions : mapping of str to sequence of str, default EMOTIONS
        Items of each dimension. Items that it does not name are kept as items only.
    groups : str, default "group"
        Column with the respondents' groups.

    Returns
    -------
    RatingEvents
        ``events`` (``respondent, group, image_id``; n rows), ``values`` (float, shape (n, k), NaN where an
        item was not rated; a dimension needs all of its items), ``outcomes`` (k rows: ``level`` "emotion"
        or "dimension", ``item``, ``dimension``), ``simulated``.

    Raises
    ------
    ValueError
        If it is no ratings table, mixes simulated and real, lacks the column of groups, names no group
        somewhere, or gives one respondent two groups.

    Examples
    --------
    >>> ratings = pd.DataFrame({"respondent": "r", "group": "Democrat", "image_id": "a",
    ...     "item": ["proud", "calm"], "rating": [3.0, 5.0], "simulated": True})
    >>> spread_ratings(ratings, dimensions={"pride": ["proud"]}).values.tolist()
    [[3.0, 5.0, 3.0]]
    """
    simulated = check_ratings(ratings)
    if groups not in ratings.columns or ratings[groups].isna().any():
        raise ValueError(
            f"Expected a column {groups!r} with the group of every respondent; it is missing or has gaps. "
            f"Name the column, or leave out respondents without a group knowingly."
        )
    rated = set(ratings["item"])
    known = {name: tuple(items) for name, items in dimensions.items() if set(items) <= rated}
    partial = [name for name, items in dimensions.items() if name not in known and set(items) & rated]
    if partial:
        raise ValueError(
            f"The dimension {partial[0]!r} needs the items {', '.join(dimensions[partial[0]])}, and not all "
            f"of them were rated. Give `dimensions` with the items that were."
        )
    owner = {item: name for name, items in known.items() for item in items}
    items = [*owner, *sorted(rated - owner.keys())]
    wide = ratings.set_index(["respondent", groups, "image_id", "item"])["rating"].unstack("item")
    events = wide.index.to_frame(index=False).set_axis(["respondent", "group", "image_id"], axis=1)
    if (events.groupby("respondent")["group"].nunique() > 1).any():
        raise ValueError(f"Expected one group per respondent; some have two in the column {groups!r}.")
    values = wide[items].to_numpy(dtype=np.float64)
    means = [values[:, [items.index(item) for item in members]].mean(axis=1) for members in known.values()]
    outcomes = pd.DataFrame(
        {
            "level": ["emotion"] * len(items) + ["dimension"] * len(known),
            "item": [*items, *known],
            "dimension": [*(owner.get(item, item) for item in items), *known],
        }
    )
    return RatingEvents(events, np.column_stack([values, *means]), outcomes, simulated)


def join_clusters(events: pd.DataFrame, clusters: pd.DataFrame) -> np.ndarray:
    """Look up the cluster of each rated image.

    Parameters
    ----------
    events : DataFrame
        With the column ``image_id``.
    clusters : DataFrame
        A sample, assignment or clusters table: ``image_id, cluster``.

    Returns
    -------
    ndarray of int, shape (n,)
        Clusters, by row of `events`.

    Raises
    ------
    ValueError
        If a column is missing, an image has no cluster, or two.

    Examples
    --------
    >>> join_clusters(pd.DataFrame({"image_id": ["a"]}), pd.DataFrame({"image_id": ["a"], "cluster": [7]}))
    array([7])
    """
    missing = [name for name in ("image_id", "cluster") if name not in clusters.columns]
    if missing:
        raise ValueError(
            f"Expected a sample, assignment or clusters table; its column {missing[0]} is missing."
        )
    known = clusters[["image_id", "cluster"]].drop_duplicates()
    if known["image_id"].duplicated().any():
        raise ValueError("Expected one cluster per image; some images have two: mix no two clusterings.")
    found = events["image_id"].map(known.set_index("image_id")["cluster"])
    if found.isna().any():
        raise ValueError(
            f"{events.loc[found.isna(), 'image_id'].nunique()} rated images have no cluster (the first is "
            f"{events.loc[found.isna(), 'image_id'].iloc[0]}). Give the sample that the survey was made from."
        )
    return found.to_numpy(dtype=np.int64)
