"""Draw the pairs of images that people judge, each with the probability that it was drawn."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics.pairwise import euclidean_distances

from visclust.base.backend import to_host
from visclust.base.columns import check_clusters
from visclust.base.copies import take_picture_rows
from visclust.base.provenance import digest_text, recorded
from visclust.base.rows import match_rows
from visclust.base.tables import UNASSIGNED, check_table, check_used

_PAIR_STRATA: Mapping[str, float] = MappingProxyType({"within": 0.5, "neighbouring": 0.3, "random": 0.2})
"""Share of the pairs that each stratum gets unless others are asked for."""
_WITHIN, _NEIGHBOURING, _RANDOM = range(3)  # a stratum's number is its place among them


class _Members(NamedTuple):
    """Row numbers grouped by cluster: where each group starts in `order`, its size and its label.

    The groups are in the order of their labels; the unassigned rows are a group of their own.
    """

    order: np.ndarray
    start: np.ndarray
    size: np.ndarray
    label: np.ndarray


class _Cells(NamedTuple):
    """Pairs of clusters: the two groups, the pairs of images they hold, the number of their stratum.

    Every pair of images lies in one cell, and every cell in one stratum.
    """

    first: np.ndarray
    second: np.ndarray
    capacity: np.ndarray
    stratum: np.ndarray


@recorded
def sample_pairs(
    clusters: pd.DataFrame,
    x: Any,
    *,
    n_pairs: int = 554,
    strata: Mapping[str, float] = _PAIR_STRATA,
    n_neighbours: int = 1,
    seed: int = 0,
) -> pd.DataFrame:
    """Draw pairs of images within clusters, between neighbouring clusters and at random, for people to judge.

    The strata split all pairs of the corpus among them, so that a pair can be drawn in one way only:
    "within" holds the pairs inside one cluster, "neighbouring" those between a cluster and one of its
    `n_neighbours` nearest (by the distance of their centres), "random" every other pair, those with an
    unassigned image among them. In the first two, each cluster (or pair of neighbouring clusters) gives
    the same number of pairs, as far as it has that many, so that large clusters do not dominate; which
    of them give one more is drawn by lot. The random stratum is a simple random sample of its pairs.

    Parameters
    ----------
    clusters : DataFrame, n rows
        A clusters table. The paper's design is a single k-means with 80 clusters on the pretrained embedding.
        Where it names representatives (see `add_copies`), each picture is there once: no pair is of copies.
    x : Embedding or array_like, shape (n, d)
        The embedding, one row per row of `clusters`, in the same order; its ids, where known, are checked.
    n_pairs : int, default 554
        Pairs to draw; the paper's number.
    strata : mapping of str to float
        Share of each stratum, of "within", "neighbouring" and "random"; scaled to sum to 1. Pairs of a
        stratum without a share are never drawn, and then no weighting can speak for them.
    n_neighbours : int, default 1
        Nearest clusters of each cluster that count as its neighbours.
    seed : int, default 0
        Seed of the draw, of the order, and of left and right.

    Returns
    -------
    DataFrame, n_pairs rows
        A pairs table in random order, left and right by lot: ``pair_id`` (a digest of the two image ids,
        so that the same pair has the same id in every sample and the id says nothing of the stratum),
        ``image_a, image_b, stratum, inclusion_probability`` (exact: the expected number of pairs that the
        pair's cell gives, over the number that it holds). A stratum with fewer pairs than its share gives
        them all, and the others give the rest.

    Raises
    ------
    ValueError
        If the tables do not match, a stratum is unknown, or there are fewer pairs than asked for.

    Notes
    -----
    The default shares are made for raw scores: they show people many pairs that a clustering might join. For
    design-weighted scores give the random stratum more, such as 0.6, since its few pairs stand for nearly all
    pairs of the corpus; `score_pairs` says where too much hangs on one of them.

    Source
    ------
    Casas, Webb Williams, Aslett & Wilkerson, "Automated Visual Clustering for Image Corpus Exploration,
    Stratified Random Sampling, and Annotation Cost Reduction", section on validation. The split into
    disjoint cells and the inclusion probabilities are ours; see Särndal, Swensson & Wretman (1992),
    Model Assisted Survey Sampling, chapters 3 and 4.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abcdef"), "cluster": [0, 0, 0, 1, 1, 1],
    ...                          "iteration": 0, "silhouette": 0.5})
    >>> pairs = sample_pairs(clusters, np.arange(6.0)[:, None], n_pairs=4,
    ...                      strata={"within": 0.5, "neighbouring": 0.5}, seed=1)
    >>> pairs["stratum"].value_counts().to_dict() == {"within": 2, "neighbouring": 2}
    True
    >>> pairs.loc[pairs["stratum"] == "within", "inclusion_probability"].round(3).tolist()
    [0.333, 0.333]
    """
    clusters = check_clusters(clusters)
    x = match_rows(x, clusters)
    clusters, x = take_picture_rows(clusters, x)
    _check_input(clusters, x, n_pairs=n_pairs, n_neighbours=n_neighbours)
    labels = clusters["cluster"].to_numpy(dtype=np.int64)
    shares = _check_strata(strata)
    rng = np.random.default_rng(seed)
    members = _group_rows(labels)
    cells = _list_cells(members, _find_neighbours(to_host(x), members, n_neighbours))
    available = np.array([cells.capacity[cells.stratum == code].sum() for code in range(len(_PAIR_STRATA))])
    quotas = _split_quota(n_pairs, shares, available)
    parts = []
    for code, name in enumerate(_PAIR_STRATA):
        if not quotas[code]:
            continue
        inside = np.flatnonzero(cells.stratum == code)
        if name == "random":
            cell, rank, probability = _draw_simply(cells.capacity[inside], quotas[code], rng)
        else:
            cell, rank, probability = _draw_balanced(cells.capacity[inside], quotas[code], rng)
        left, right = _find_images(cells, members, inside[cell], rank)
        parts.append(
            pd.DataFrame({"a": left, "b": right, "stratum": name, "inclusion_probability": probability})
        )
    drawn = pd.concat(parts).iloc[rng.permutation(n_pairs)].reset_index(drop=True)
    swapped = rng.random(n_pairs) < 0.5
    image_ids = clusters["image_id"].to_numpy(dtype=object)
    image_a = image_ids[np.where(swapped, drawn["b"], drawn["a"])]
    image_b = image_ids[np.where(swapped, drawn["a"], drawn["b"])]
    pairs = pd.DataFrame(
        {
            "pair_id": [_name_pair(*both) for both in zip(image_a, image_b, strict=True)],
            "image_a": image_a,
            "image_b": image_b,
            "stratum": drawn["stratum"],
            "inclusion_probability": drawn["inclusion_probability"],
        }
    )
    return check_table(pairs, "pairs")


@recorded
def blind_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Keep of a pairs table only what an annotator may see.

    Parameters
    ----------
    pairs : DataFrame
        A pairs table.

    Returns
    -------
    DataFrame
        ``pair_id, image_a, image_b``: no stratum, no probability, no cluster.

    Examples
    --------
    >>> pairs = pd.DataFrame({"pair_id": ["p"], "image_a": ["a"], "image_b": ["b"],
    ...                       "stratum": ["within"], "inclusion_probability": [0.5]})
    >>> blind_pairs(pairs).columns.tolist()
    ['pair_id', 'image_a', 'image_b']
    """
    shown = ["pair_id", "image_a", "image_b"]
    return check_used(pairs, "pairs", shown)[shown].reset_index(drop=True)


def _check_input(clusters: pd.DataFrame, x: Any, *, n_pairs: int, n_neighbours: int) -> None:
    if getattr(x, "ndim", 0) != 2 or x.shape[0] != len(clusters):
        raise ValueError(
            f"Expected x of shape (n, d) with one row for each of the {len(clusters)} rows of the clusters "
            f"table, got shape {getattr(x, 'shape', None)}. Load the embedding of the same images."
        )
    if not np.isfinite(to_host(x)).all():
        raise ValueError("Expected finite numbers in x, got NaN or infinity. Embed those images again.")
    if n_pairs < 1 or n_neighbours < 1:
        raise ValueError(f"Expected n_pairs and n_neighbours of 1 or more, got {n_pairs} and {n_neighbours}.")


def _check_strata(strata: Mapping[str, float]) -> np.ndarray:
    unknown = sorted(set(strata) - set(_PAIR_STRATA))
    shares = np.array([float(strata.get(name, 0)) for name in _PAIR_STRATA])
    if unknown or not np.isfinite(shares).all() or (shares < 0).any() or shares.sum() <= 0:
        raise ValueError(
            f"Expected shares of 0 or more for {', '.join(_PAIR_STRATA)}, not all 0, got {dict(strata)}."
        )
    return shares


def _split_quota(n_pairs: int, shares: np.ndarray, available: np.ndarray) -> np.ndarray:
    """Split the pairs by share (largest remainders); what a stratum lacks goes to those that have more."""
    within_reach = int(available[shares > 0].sum())
    if within_reach < n_pairs:
        raise ValueError(
            f"Expected at least {n_pairs} pairs of images in the strata asked for, got {within_reach}. "
            f"Ask for fewer pairs, or for other strata."
        )
    quotas = np.zeros(len(shares), dtype=np.int64)
    while (missing := n_pairs - quotas.sum()) > 0:
        open_shares = np.where(quotas < available, shares, 0.0)
        wanted = missing * open_shares / open_shares.sum()
        extra = np.floor(wanted).astype(np.int64)
        by_remainder = np.argsort(-(wanted - extra), kind="stable")
        extra[by_remainder[: missing - extra.sum()]] += 1
        quotas = np.minimum(quotas + extra, available)
    return quotas


def _name_pair(image_a: str, image_b: str) -> str:
    # Derived from the images alone: a second sample or a swapped side never gives a pair another name.
    return digest_text("\n".join(sorted((image_a, image_b))))


def _group_rows(labels: np.ndarray) -> _Members:
    """Group row numbers by cluster."""
    label, size = np.unique(labels, return_counts=True)
    return _Members(np.argsort(labels, kind="stable"), np.cumsum(size) - size, size, label)


def _find_neighbours(x: np.ndarray, members: _Members, n_neighbours: int) -> np.ndarray:
    """Mark which of the k groups are neighbours: one is among the nearest of the other, by their centres.

    (k, k) and symmetric; the unassigned are nobody's.
    """
    n_groups = len(members.label)
    near = np.zeros((n_groups, n_groups), dtype=bool)
    real = np.flatnonzero(members.label != UNASSIGNED)
    if len(real) < 2:
        return near
    sums = np.add.reduceat(x[members.order].astype(np.float64), members.start, axis=0)
    centres = (sums / members.size[:, None])[real]
    distances = euclidean_distances(centres)
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, : min(n_neighbours, len(real) - 1)]
    near[real[:, None], real[nearest]] = True
    return near | near.T


def _list_cells(members: _Members, near: np.ndarray) -> _Cells:
    """List the cells with at least one pair of images, each with its stratum."""
    first, second = np.triu_indices(len(members.label))
    own = first == second
    size = members.size.astype(np.int64)
    capacity = np.where(own, size[first] * (size[first] - 1) // 2, size[first] * size[second])
    stratum = np.full(len(first), _RANDOM, dtype=np.int8)
    stratum[near[first, second]] = _NEIGHBOURING
    stratum[own & (members.label[first] != UNASSIGNED)] = _WITHIN
    filled = capacity > 0
    return _Cells(first[filled], second[filled], capacity[filled], stratum[filled])


def _draw_simply(capacity: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Draw a simple random sample, without replacement, over all cells together.

    Gives of each of the n pairs its cell, its rank in the cell and its inclusion probability.
    """
    ends = np.cumsum(capacity)
    drawn = rng.choice(int(ends[-1]), size=n, replace=False)
    cell = np.searchsorted(ends, drawn, side="right")
    return cell, drawn - (ends - capacity)[cell], np.full(n, n / ends[-1])


def _draw_balanced(capacity: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Draw the same number from each cell as far as it has that many; a remainder goes to cells by lot.

    Gives what `_draw_simply` gives; the probability is the number that the cell is expected to give, over the
    number that it holds.
    """
    level, above = 0, n + 1  # the most that every cell can give within n; found by halving
    while above - level > 1:
        middle = (level + above) // 2
        level, above = (middle, above) if np.minimum(capacity, middle).sum() <= n else (level, middle)
    given = np.minimum(capacity, level)
    can_give_more = np.flatnonzero(capacity > level)
    left_over = n - int(given.sum())
    expected = given.astype(np.float64)
    if left_over:
        expected[can_give_more] += left_over / len(can_give_more)
        given[rng.choice(can_give_more, size=left_over, replace=False)] += 1
    cell = np.repeat(np.arange(len(capacity)), given)
    rank = np.concatenate(
        [rng.choice(int(capacity[i]), size=given[i], replace=False) for i in np.flatnonzero(given)]
    )
    return cell, rank, (expected / capacity)[cell]


def _find_images(
    cells: _Cells, members: _Members, cell: np.ndarray, rank: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Turn ranks in cells into the two row numbers of each pair.

    Inside one cluster pairs are counted 0-1, 0-2, 1-2 and on.
    """
    first, second = cells.first[cell], cells.second[cell]
    upper = ((1 + np.sqrt(1 + 8 * rank.astype(np.float64))) // 2).astype(np.int64)
    width = members.size[second]
    own = first == second
    i = np.where(own, rank - upper * (upper - 1) // 2, rank // width)
    j = np.where(own, upper, rank % width)
    return members.order[members.start[first] + i], members.order[members.start[second] + j]
