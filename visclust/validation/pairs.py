"""Draw the pairs of images that people judge, each with the probability that it was drawn."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.arrays import rescale, take_matrix
from visclust.base.backend import to_host
from visclust.base.columns import check_clusters
from visclust.base.copies import take_picture_rows
from visclust.base.provenance import digest_text, recorded
from visclust.base.rows import match_rows
from visclust.base.tables import UNASSIGNED, check_table, check_used
from visclust.validation.pair_design import (
    PairStrata,
    check_rows,
    draw_from_strata,
    find_neighbours,
    find_strata_of,
)

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
    x: Any = None,
    *,
    n_pairs: int = 554,
    strata: Mapping[str, float] | None = None,
    n_neighbours: int = 1,
    seed: int = 0,
) -> pd.DataFrame:
    """Draw pairs of images for people to judge, each with the probability that it was drawn.

    Of a pair design (see `design_pairs`), each stratum gives a simple random sample of its pairs. By
    "likeness" each gets about as many as make the intervals of precision, recall and F1 narrow: in proportion
    to its pairs times the spread of its answers, where half of the joined pairs are supposed to be the same,
    and the others to hold half as many same pairs again, in equal parts; a tenth is spread evenly.

    Of a clusters table and its embedding, pairs are drawn as in the paper: within clusters, between
    neighbouring clusters and at random. These strata split all pairs of the corpus among them, so that a pair
    can be drawn in one way only: "within" holds the pairs inside one cluster, "neighbouring" those between a
    cluster and one of its `n_neighbours` nearest (by the distance of their centres), "random" every other
    pair, those with an unassigned image among them. In the first two, each cluster (or pair of neighbouring
    clusters) gives the same number of pairs, as far as it has that many, so that large clusters do not
    dominate; which of them give one more is drawn by lot. The random stratum is a simple random sample of its
    pairs.

    Parameters
    ----------
    clusters : DataFrame, n rows
        A pair design, or a clusters table. The paper's design is a single k-means with 80 clusters on the
        pretrained embedding. Where it names representatives (see `add_copies`), each picture is there once:
        no pair is of copies.
    x : Embedding or array_like, shape (n, d), optional
        With a clusters table the embedding, one row per row of it, in the same order; its ids, where known,
        are checked. With a design nothing.
    n_pairs : int, default 554
        Pairs to draw; the paper's number.
    strata : mapping of str to float, optional
        Share of each stratum, of "within", "neighbouring" and "random" (by default .5, .3 and .2) or of those
        of the design; scaled to sum to 1. Pairs of a stratum without a share are never drawn, and then no
        weighting can speak for them.
    n_neighbours : int, default 1
        Of a clusters table: nearest clusters of each cluster that count as its neighbours.
    seed : int, default 0
        Seed of the draw, of the order, and of left and right.

    Returns
    -------
    DataFrame, n_pairs rows
        A pairs table in random order, left and right by lot: ``pair_id`` (a digest of the two image ids,
        so that the same pair has the same id in every sample and the id says nothing of the stratum),
        ``image_a, image_b, stratum, inclusion_probability`` (exact: the expected number of pairs that the
        pair's stratum, or cell, gives, over the number that it holds). A stratum with fewer pairs than its
        share gives them all, and the others give the rest.

    Raises
    ------
    ValueError
        If the tables do not match, a stratum is unknown, or there are fewer pairs than asked for.

    Notes
    -----
    The paper's shares are made for raw scores: they show people many pairs that a clustering might join. For
    scores that speak for the whole corpus draw from a design by likeness, and let `plan_pairs` say how many.

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
    if n_pairs < 1 or n_neighbours < 1:
        raise ValueError(f"Expected n_pairs and n_neighbours of 1 or more, got {n_pairs} and {n_neighbours}.")
    if "cluster" not in clusters.columns and {"place_1", "cell"} & set(clusters.columns):
        if x is not None:
            raise ValueError("Expected no x beside a pair design, which holds what it needs, got one.")
        return _draw_from_design(clusters, n_pairs=n_pairs, strata=strata, seed=seed)
    clusters = check_clusters(clusters)
    if x is None:
        raise ValueError(
            "Expected x, the embedding of the clustered images, beside a clusters table, got NoneType. "
            "Give it, or draw from a pair design."
        )
    x = rescale(take_matrix(match_rows(x, clusters)))
    clusters, x = take_picture_rows(clusters, x)
    check_rows(x, len(clusters))
    labels = clusters["cluster"].to_numpy(dtype=np.int64)
    shares = _check_strata(_PAIR_STRATA if strata is None else strata, tuple(_PAIR_STRATA))
    rng = np.random.default_rng(seed)
    members = _group_rows(labels)
    cells = _list_cells(members, _mark_neighbours(to_host(x), members, labels, n_neighbours))
    available = np.array([cells.capacity[cells.stratum == code].sum() for code in range(len(_PAIR_STRATA))])
    quotas = split_quota(n_pairs, shares, available)
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
    return _make_pairs(pd.concat(parts), clusters["image_id"].to_numpy(dtype=object), rng)


def _draw_from_design(
    design: pd.DataFrame, *, n_pairs: int, strata: Mapping[str, float] | None, seed: int
) -> pd.DataFrame:
    """Draw a simple random sample from each stratum of a design."""
    found = find_strata_of(design)
    shares = suggest_shares(found) if strata is None else _check_strata(strata, tuple(found.names))
    quotas = split_quota(n_pairs, shares, found.totals.astype(np.int64))
    rng = np.random.default_rng(seed)
    left, right, which = draw_from_strata(found, quotas, rng)
    drawn = pd.DataFrame({"a": left, "b": right, "stratum": np.array(found.names, dtype=object)[which]})
    drawn["inclusion_probability"] = quotas[which] / found.totals[which]
    return _make_pairs(drawn, found.images.to_numpy(dtype=object), rng)


def suggest_shares(strata: PairStrata, rates: np.ndarray | None = None) -> np.ndarray:
    """Share pairs out over the strata, (h,): in proportion to their pairs times the spread of their answers.

    `rates` (h,) are the shares of "same" to suppose; by default half of the pairs that a clustering joins,
    and half as many same pairs again among the others, in equal parts.
    """
    rates = suppose_rates(strata) if rates is None else rates
    spread = strata.totals * np.sqrt(rates * (1 - rates))
    spread = spread if spread.any() else strata.totals
    return 0.9 * spread / spread.sum() + 0.1 / len(spread)


def suppose_rates(strata: PairStrata, *, precision: float = 0.5, recall: float = 2 / 3) -> np.ndarray:
    """Suppose the share of "same" in each stratum, (h,), from a precision and recall of what joins pairs."""
    joined = (strata.joined > 0) & (strata.totals > 0)
    apart = (strata.joined == 0) & (strata.totals > 0)
    rates = np.where(joined, precision, 0.0)
    n_missed = precision * strata.totals[joined].sum() * (1 / recall - 1)
    if apart.any():
        # Where nothing is joined, one pair in a hundred is supposed to be the same.
        missed = (n_missed if joined.any() else 0.01 * strata.totals.sum()) / apart.sum()
        rates[apart] = np.minimum(missed / strata.totals[apart], 0.5)
    return rates


def _make_pairs(drawn: pd.DataFrame, image_ids: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Make the pairs table of rows ``a`` and ``b``, in random order, left and right by lot."""
    drawn = drawn.iloc[rng.permutation(len(drawn))].reset_index(drop=True)
    swapped = rng.random(len(drawn)) < 0.5
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


def _check_strata(strata: Mapping[str, float], names: tuple[str, ...]) -> np.ndarray:
    unknown = sorted(set(strata) - set(names))
    shares = np.array([float(strata.get(name, 0)) for name in names])
    if unknown or not np.isfinite(shares).all() or (shares < 0).any() or shares.sum() <= 0:
        raise ValueError(
            f"Expected shares of 0 or more for {', '.join(names)}, not all 0, got {dict(strata)}."
        )
    return shares


def split_quota(n_pairs: int, shares: np.ndarray, available: np.ndarray) -> np.ndarray:
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


def _mark_neighbours(x: np.ndarray, members: _Members, labels: np.ndarray, n_neighbours: int) -> np.ndarray:
    """Mark which of the k groups are neighbours of each other, (k, k)."""
    near = find_neighbours(x, labels, n_neighbours)
    return np.array([np.isin(members.label, np.asarray(each, dtype=np.int64)) for each in near])


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
