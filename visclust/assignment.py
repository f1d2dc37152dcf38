"""Assign sampled images to respondents: equal loads, even ratings, one image of a cluster per person."""

import numpy as np
import pandas as pd

from visclust.assignment_feasibility import refuse_impossible
from visclust.assignment_flow import assign_strata
from visclust.base.checks import check_whole_number
from visclust.base.tables import UNASSIGNED, check_table
from visclust.sampling.samples import check_sample

__all__ = ["assign_respondents", "even_out_ratings", "list_groups", "number_strata"]


def assign_respondents(
    sample: pd.DataFrame,
    respondents: pd.DataFrame,
    *,
    per_respondent: int = 8,
    groups: str | None = "party",
    seed: int = 0,
) -> pd.DataFrame:
    """Assign images to respondents so that every group of respondents rates every image.

    Each respondent rates the same number of images, each from another cluster, in an order drawn at random.
    Within a group, ratings per image are as even as the numbers allow: they differ by one at most, unless
    a cluster holds more images than that leaves respondents for. Images that one group rates once more
    than others are, as far as possible, those that earlier groups rated once less.

    Among all ways to give clusters to respondents with these numbers, one is drawn at random: SciPy's
    maximum flow finds a first, and trades between respondents drawn at random make it forget its origin.

    Parameters
    ----------
    sample : DataFrame
        The sample table. Unassigned images (cluster -1) share no theme: each counts as its own cluster.
    respondents : DataFrame
        ``respondent``, a row each, and the column that `groups` names.
    per_respondent : int, default 8
        Images for each respondent.
    groups : str or None, default "party"
        Column that holds each respondent's group; with None all are one group, "all".
    seed : int, default 0
        Seed of everything that is drawn.

    Returns
    -------
    DataFrame
        The assignment table, by respondent (in the order given) and position:
        ``respondent, group, position`` (from 1), ``image_id, cluster``.

    Raises
    ------
    ValueError
        If a table is not usable, or no such assignment exists. The message then says why, and which
        numbers would do.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, section on the survey: 720 respondents rate eight images
    each. Uniform draws by trades: Carstens, Berger and Strona (2018), "A unifying framework for fast
    randomization of ecological networks with fixed (node) degrees", MethodsX 5.

    Examples
    --------
    >>> sample = pd.DataFrame({"image_id": list("abcd"), "cluster": [0, 0, 1, 2],
    ...                        "inclusion_probability": 0.5, "weight": 2.0})
    >>> respondents = pd.DataFrame({"respondent": ["r1", "r2"], "party": "D"})
    >>> assigned = assign_respondents(sample, respondents, per_respondent=2)
    >>> sorted(assigned["image_id"])
    ['a', 'b', 'c', 'd']
    >>> assigned["position"].tolist()
    [1, 2, 1, 2]
    """
    check_sample(sample)
    check_whole_number("per_respondent", per_respondent, least=1)
    by_group = list_groups(respondents, groups)
    strata = number_strata(sample)
    sizes = np.bincount(strata)
    refuse_impossible(
        sizes,
        {group: len(names) for group, names in by_group.items()},
        per_respondent=per_respondent,
        n_loose=int(sample["cluster"].eq(UNASSIGNED).sum()),
    )
    rng = np.random.default_rng(seed)
    rated = np.zeros(len(sample), dtype=np.int64)
    parts = []
    for group, names in by_group.items():
        counts = even_out_ratings(strata, rated=rated, n_respondents=len(names), load=per_respondent, rng=rng)
        totals = np.bincount(strata, weights=counts).astype(np.int64)
        given = assign_strata(totals, n_respondents=len(names), load=per_respondent, rng=rng)
        rows = _pick_images(given, strata, counts, rng=rng)
        parts.append(
            pd.DataFrame(
                {
                    "respondent": np.repeat(names, per_respondent),
                    "group": group,
                    "position": np.tile(np.arange(1, per_respondent + 1), len(names)),
                    "image_id": sample["image_id"].to_numpy()[rows],
                    "cluster": sample["cluster"].to_numpy()[rows],
                }
            )
        )
        rated += counts
    table = pd.concat(parts, ignore_index=True)
    order = pd.Series(np.arange(len(respondents)), index=respondents["respondent"].astype(str))
    table = table.iloc[np.lexsort((table["position"], table["respondent"].map(order)))]
    return check_table(table.reset_index(drop=True), "assignment")


def list_groups(respondents: pd.DataFrame, groups: str | None) -> dict[str, np.ndarray]:
    """List the respondents of each group, in the order given.

    Parameters
    ----------
    respondents : DataFrame
        ``respondent`` and the column of groups.
    groups : str or None
        Name of that column.

    Returns
    -------
    dict of str to ndarray of str
        Respondents by group.

    Raises
    ------
    ValueError
        If a column is missing, a value is missing, or a respondent comes twice.

    Examples
    --------
    >>> list_groups(pd.DataFrame({"respondent": ["r1", "r2"], "party": ["D", "R"]}), "party")["R"].tolist()
    ['r2']
    """
    needed = ["respondent"] + ([groups] if groups is not None else [])
    missing = [name for name in needed if name not in respondents.columns]
    if missing:
        raise ValueError(
            f"The respondents need the columns {needed}; {missing} is missing (there are "
            f"{[str(name) for name in respondents.columns]}). Name the column of groups with groups=…, or "
            "use groups=None for one group."
        )
    if not len(respondents):
        raise ValueError("Expected at least one respondent, got an empty table.")
    if respondents[needed].isna().any(axis=None):
        raise ValueError(f"Expected a value in {needed} of every respondent; some are missing. Fill them in.")
    names = respondents["respondent"].astype(str)
    if names.duplicated().any():
        raise ValueError(
            f"Expected a row per respondent; {names[names.duplicated()].iloc[0]!r} comes twice. Remove one."
        )
    labels = respondents[groups].astype(str) if groups is not None else pd.Series("all", respondents.index)
    return {
        str(label): names[labels.eq(label)].to_numpy(dtype=object) for label in dict.fromkeys(labels.tolist())
    }


def number_strata(sample: pd.DataFrame) -> np.ndarray:
    """Give numbers to what a respondent may see once: the clusters, and each unassigned image by itself.

    Parameters
    ----------
    sample : DataFrame
        Any table with the column ``cluster``.

    Returns
    -------
    ndarray of int, shape (n,)
        Numbers from 0, by row.

    Examples
    --------
    >>> number_strata(pd.DataFrame({"cluster": [7, 7, -1, -1]})).tolist()
    [0, 0, 1, 2]
    """
    cluster = sample["cluster"].to_numpy()
    loose = cluster == UNASSIGNED
    numbers = np.empty(len(sample), dtype=np.int64)
    codes = np.unique(cluster[~loose], return_inverse=True)[1]
    numbers[~loose] = codes
    numbers[loose] = np.arange(loose.sum()) + (codes.max() + 1 if len(codes) else 0)
    return numbers


def even_out_ratings(
    strata: np.ndarray, *, rated: np.ndarray, n_respondents: int, load: int, rng: np.random.Generator
) -> np.ndarray:
    """Say how often each image is rated in a group: as evenly as the room in the clusters allows.

    Parameters
    ----------
    strata : ndarray of int, shape (n,)
        The cluster of each image, from `number_strata`.
    rated : ndarray of int, shape (n,)
        How often earlier groups rate each; images rated less come first when not all can have one more.
    n_respondents, load : int
        Respondents of the group, and images for each.
    rng : numpy.random.Generator
        Decides among equals.

    Returns
    -------
    ndarray of int, shape (n,)
        Ratings of each image; those of a cluster sum to `n_respondents` at most.

    Examples
    --------
    >>> even_out_ratings(np.array([0, 0, 1]), rated=np.array([1, 0, 0]), n_respondents=2, load=2,
    ...                rng=np.random.default_rng(0)).tolist()
    [1, 1, 2]
    """
    counts = np.zeros(len(strata), dtype=np.int64)
    room = np.full(strata.max() + 1, n_respondents)
    left = n_respondents * load
    while left:
        # One more for every image that can have one, or for as many as ratings are left.
        open_images = np.flatnonzero(room[strata] > 0)
        # Images rated less by earlier groups come first; chance decides among equals.
        order = open_images[np.lexsort((rng.random(len(open_images)), rated[open_images]))]
        place = pd.Series(strata[order]).groupby(strata[order]).cumcount().to_numpy()
        order = order[place < room[strata[order]]][:left]
        counts[order] += 1
        np.subtract.at(room, strata[order], 1)
        left -= len(order)
    return counts


def _pick_images(
    given: np.ndarray, strata: np.ndarray, counts: np.ndarray, *, rng: np.random.Generator
) -> np.ndarray:
    """Give each respondent one image of each of the clusters given, in an order drawn at random."""
    who, stratum = np.nonzero(given)
    # Both lists in the order of the clusters, each shuffled within a cluster, and matched by place.
    people = np.lexsort((rng.random(len(who)), stratum))
    images = np.repeat(np.arange(len(strata)), counts)
    images = images[np.lexsort((rng.random(len(images)), strata[images]))]
    rows = np.empty(len(who), dtype=np.int64)
    rows[people] = images
    return rows[np.lexsort((rng.random(len(who)), who))]
