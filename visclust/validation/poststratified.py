"""Scores of clusterings from judged pairs, weighted by strata whose sizes are known exactly.

How many pairs a clustering joins in each stratum needs no judgement; only what share of them people call the
same is estimated, cell by cell (a stratum's pairs that the clustering joins, or does not). Draws of these
shares, the same for all clusterings, carry what sampling leaves open.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from visclust.base.bootstrap import find_interval
from visclust.base.tables import UNASSIGNED
from visclust.validation.pair_design import (
    PairStrata,
    count_assigned,
    count_joined,
    find_strata_of,
    take_labels_of,
    tell_stratum,
)
from visclust.validation.pair_weights import find_stratum_names

N_KINDS = 2  # of cell in each stratum: not joined, joined


class CellCounts(NamedTuple):
    """What n judged pairs and h strata say of g clusterings.

    ``weight`` (n,) is what a pair counts for in its cell, 0 where it is not used; ``cell`` (g, n) its cell,
    -1 where it is not counted; ``totals`` (g, 2h) the pairs of the corpus in each cell; ``coverage`` (g,).
    """

    same: np.ndarray
    weight: np.ndarray
    stratum: np.ndarray
    cell: np.ndarray
    totals: np.ndarray
    coverage: np.ndarray


def count_cells(
    clusterings: Sequence[pd.DataFrame],
    predictions: Sequence,
    gold: pd.DataFrame,
    design: pd.DataFrame,
    *,
    weight: np.ndarray,
    weights: object,
    unassigned: str,
) -> CellCounts:
    """Sort judged pairs into the cells of each clustering, and count the corpus's pairs in these.

    `weight` (n,) is what each pair counts for, and `weights` where it came from, as for `score_pairs`.
    Raises ValueError where the pairs were drawn by another design.
    """
    strata = find_strata_of(design)
    stratum = _place_pairs(gold, strata, find_stratum_names(gold, weights), used=weight > 0)
    cells, totals, coverage = [], [], []
    n_all = strata.totals.sum()
    for clusters, prediction in zip(clusterings, predictions, strict=True):
        joined = count_joined(strata, clusters)
        # Going through all pairs is only needed where their strata count.
        counted = count_assigned(strata, clusters) if unassigned == "drop" else strata.totals
        totals.append(np.column_stack([np.maximum(counted - joined, 0), joined]).ravel())
        cell = N_KINDS * stratum + prediction.same
        cells.append(np.where(prediction.assigned, cell, -1) if unassigned == "drop" else cell)
        n_assigned = int((take_labels_of(strata, clusters) != UNASSIGNED).sum())
        coverage.append(n_assigned * (n_assigned - 1) / 2 / n_all)
    cell = np.where(weight > 0, np.stack(cells), -1)
    return CellCounts(
        gold["same"].to_numpy(dtype=bool), weight, stratum, cell, np.stack(totals), np.array(coverage)
    )


def _place_pairs(
    gold: pd.DataFrame, strata: PairStrata, names: np.ndarray | None, *, used: np.ndarray
) -> np.ndarray:
    """Find the number of each pair's stratum; those of earlier draws, which are not used, have 0."""
    if names is None:
        raise ValueError(
            "Expected a column stratum in the gold table, or in the pairs table given as weights, to weight "
            "by a pair design; got none. Resolve the answers with pairs=, or give weights=pairs."
        )
    images = set(strata.images)
    there = gold["image_a"].isin(images).to_numpy() & gold["image_b"].isin(images).to_numpy()
    if (used & ~there).any():
        raise ValueError(
            f"Expected pairs of the images of the pair design, got {int((used & ~there).sum())} with "
            f"another. Give the design that they were drawn with."
        )
    place = pd.Index(strata.names).get_indexer(pd.Index(names))
    strange = (place < 0) & used
    if strange.any():
        example = str(names[int(np.flatnonzero(strange)[0])])
        raise ValueError(
            f"Expected pairs drawn from the strata of this pair design ({'; '.join(strata.names)}), got "
            f"{int(strange.sum())} of others, such as {example!r}. Give the design that they were drawn with."
        )
    rows = [pd.Index(strata.images).get_indexer(pd.Index(gold[side])) for side in ("image_a", "image_b")]
    at = np.flatnonzero(used)
    # Strata of any two designs have the same names, so that these alone do not tell whose pairs they are.
    other = at[~tell_stratum(strata, rows[0][at], rows[1][at], place[at])]
    if len(other):
        first = gold.iloc[int(other[0])]
        raise ValueError(
            f"Expected each pair in the stratum that the pair design puts it in, got {len(other)} of "
            f"{len(at)} in another, such as {first['image_a']!r} with {first['image_b']!r} in "
            f"{str(names[int(other[0])])!r}. Give the design that they were drawn with, and the strata as "
            f"sample_pairs gave them."
        )
    return np.maximum(place, 0)


def keep_pairs(counted: CellCounts, kept: np.ndarray) -> CellCounts:
    """Keep some of the judged pairs, (n,); the corpus stays what it is."""
    return counted._replace(
        same=counted.same[kept], weight=counted.weight[kept], stratum=counted.stratum[kept],
        cell=counted.cell[:, kept],
    )  # fmt: skip


def keep_clusterings(counted: CellCounts, rows: Sequence[int]) -> CellCounts:
    """Keep some of the clusterings, in this order."""
    rows = list(rows)
    return counted._replace(
        cell=counted.cell[rows], totals=counted.totals[rows], coverage=counted.coverage[rows]
    )


def estimate_scores(counted: CellCounts) -> np.ndarray:
    """Estimate precision, recall, F1, their mean and coverage of each clustering, (g, 5)."""
    rates = np.stack([_estimate_rates(counted, i)[0] for i in range(len(counted.cell))])
    return _score(rates, counted)


def draw_scores(counted: CellCounts, *, n_draws: int, seed: int) -> np.ndarray:
    """Draw scores of each clustering from what sampling leaves open, (3, n_draws, g, 5), jointly.

    The first draws are for the lower ends of intervals, the last for the upper ones, and those between for
    differences of clusterings. Each pair gets a random weight, one for all clusterings, and each cell one
    more pair, whose answer is drawn by lot: "the same" or not. In a simple random sample the share of a cell
    then has the distribution that lies halfway between the two of the exact (Clopper-Pearson) interval's
    ends, which is that of the mid-P interval, and keeps an interval open where all judged pairs of a cell
    agree. A cell without a judged pair may be anything. What is drawn is pulled to the estimate as far as the
    cell's pairs are all judged.

    For an end the lots lean to its side, in each cell by the share of the score's variance that the cell
    holds. The mid-P interval of one share holds the truth as often as it says on average over shares, and at
    some far less often (a side may miss 5% where 2.5% are meant); where a score is made of many cells alike,
    these cancel out. So a score that rests on one cell gets the exact interval, which never holds the truth
    less often than it says, one of many cells nearly the mid-P interval, which is not too wide, and what lies
    between lies between. All scores grow with the shares of "same" among joined pairs and fall with those
    among the others, which is what makes a side.
    """
    scores = np.empty((3, n_draws, len(counted.cell), 5))
    side = np.where(np.arange(counted.totals.shape[1]) % N_KINDS == 1, 0.5, -0.5)
    for i, cells in enumerate(_iterate_cells(counted, n_draws=n_draws, seed=seed)):
        one = keep_clusterings(counted, [i])
        shares = _draw_shares(cells, 0.5)
        scores[:, :, i] = _score(shares, one)
        for at, held in enumerate(_share_variance(shares, counted.totals[i])):
            for end, sign in ((0, -1), (2, 1)):
                leaning = _draw_shares(cells, 0.5 + sign * held * side)
                scores[end, :, i, at] = _score(leaning, one)[:, at]
    return scores


def find_ends(
    counted: CellCounts, *, n_draws: int, seed: int, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Find the ends of the interval of each score of each clustering, (g, 5) each; the estimate is inside."""
    estimates = estimate_scores(counted)
    drawn = draw_scores(counted, n_draws=n_draws, seed=seed)
    low, high = find_interval(drawn[0], level=level)[0], find_interval(drawn[2], level=level)[1]
    return np.fmin(low, estimates), np.fmax(high, estimates)


class _Cells(NamedTuple):
    """Draws of a clustering's cells, (n_draws, 2h): the weights of all pairs and of the same ones, what the
    pair that is added weighs, and its lot; and for each cell the estimate and how much of the way from it to
    a draw is gone, (2h,).
    """

    whole: np.ndarray
    same: np.ndarray
    added: np.ndarray
    lot: np.ndarray
    rates: np.ndarray
    reach: np.ndarray


def _iterate_cells(counted: CellCounts, *, n_draws: int, seed: int) -> Iterator[_Cells]:
    """Draw the weights of the pairs, the same for all clusterings, and sum them up for each."""
    rng = np.random.default_rng(seed)
    n_cells = counted.totals.shape[1]
    # Pairs that no clustering tells apart are drawn together: their exponentials add up to a gamma variable.
    alike = np.column_stack([counted.weight, counted.same, counted.cell.T])
    _, first, times = np.unique(alike, axis=0, return_index=True, return_counts=True)
    shared = rng.standard_gamma(times, size=(n_draws, len(times)))
    added = rng.standard_exponential((n_draws, n_cells))
    lot = rng.random((n_draws, n_cells))
    for i in range(len(counted.cell)):
        rates, judged, weights = _estimate_rates(counted, i)
        some = judged > 0
        # The pair that is added weighs as much as one of as many equal ones as tell as much (Kish).
        one = np.divide((weights**2).sum(axis=0), weights.sum(axis=0), out=np.ones(n_cells), where=some)
        left = np.clip(1 - judged / np.maximum(counted.totals[i], 1), 0, 1)
        kept = weights[first]
        yield _Cells(
            shared @ kept, shared @ (kept * counted.same[first, None]), added * one, lot, rates,
            np.where(some, np.sqrt(left), 1.0),
        )  # fmt: skip


def _draw_shares(cells: _Cells, chance: float | np.ndarray) -> np.ndarray:
    """Draw the shares of "same", (n_draws, 2h), where added pairs are the same with a chance (2h,)."""
    drawn = (cells.same + cells.added * (cells.lot < chance)) / (cells.whole + cells.added)
    return cells.rates + cells.reach * (drawn - cells.rates)


def _share_variance(shares: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Find what share of the variance of precision, recall, F1 and their mean each cell holds, (4, 2h).

    By the derivatives of the scores at the mean of the draws (n_draws, 2h).
    """
    means, variances = shares.mean(axis=0), shares.var(axis=0)
    is_joined = np.arange(len(totals)) % N_KINDS == 1
    same = means * totals
    both, missed, joined = same[is_joined].sum(), same[~is_joined].sum(), totals[is_joined].sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(is_joined, totals / joined, 0.0)
        recall = np.where(is_joined, missed, -both) * totals / (both + missed) ** 2
        f1 = np.where(is_joined, joined + missed, -both) * totals * 2 / (joined + both + missed) ** 2
    slopes = np.nan_to_num(np.stack([precision, recall, f1, (precision + recall) / 2]))
    parts = slopes**2 * variances
    whole = parts.sum(axis=1, keepdims=True)
    return np.divide(parts, whole, out=np.zeros_like(parts), where=whole > 0)


def estimate_shares(counted: CellCounts) -> np.ndarray:
    """Estimate the share of "same" in each cell of the first clustering, (2h,)."""
    return _estimate_rates(counted, 0)[0]


def suppose_shares(counted: CellCounts) -> np.ndarray:
    """Suppose the share of "same" in each cell of the first clustering, (2h,), with half a pair of each."""
    rates, judged, _ = _estimate_rates(counted, 0)
    return (rates * judged + 0.5) / (judged + 1)


def describe_empty(counted: CellCounts, i: int) -> tuple[float, float]:
    """Give the share of the joined pairs, and of the others, that lie in cells without a judged pair."""
    judged = _count_judged(counted, i)
    totals = counted.totals[i]
    shares = []
    for kind in (1, 0):
        all_pairs = totals[kind::N_KINDS].sum()
        empty = totals[kind::N_KINDS][judged[kind::N_KINDS] == 0].sum()
        shares.append(float(empty / all_pairs) if all_pairs else 0.0)
    return shares[0], shares[1]


def _count_judged(counted: CellCounts, i: int) -> np.ndarray:
    used = counted.cell[i] >= 0
    return np.bincount(counted.cell[i][used], minlength=counted.totals.shape[1])


def _estimate_rates(counted: CellCounts, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimate the share of "same" in each cell of a clustering; how many pairs it rests on; their weights.

    A cell without a judged pair is taken to be like the nearest stratum's with one, of the same kind; without
    any, half of it is taken for the same.
    """
    cell, n_cells = counted.cell[i], counted.totals.shape[1]
    used = np.flatnonzero(cell >= 0)
    weights = np.zeros((len(cell), n_cells))
    weights[used, cell[used]] = counted.weight[used]
    judged = _count_judged(counted, i)
    whole = weights.sum(axis=0)
    rates = np.divide(counted.same @ weights, whole, out=np.full(n_cells, 0.5), where=whole > 0)
    filled = rates.copy()
    for empty in np.flatnonzero(judged == 0):
        others = np.flatnonzero((judged > 0) & (np.arange(n_cells) % N_KINDS == empty % N_KINDS))
        if len(others):
            # Of two equally near ones the more alike: a clustering joins pairs there for better reasons.
            filled[empty] = rates[others[np.argmin(np.abs(others - empty - 0.5))]]
    return filled, judged, weights


def _score(rates: np.ndarray, counted: CellCounts) -> np.ndarray:
    """Compute the scores (…, 5) from the shares of "same" in all cells (…, 2h)."""
    same = rates * counted.totals
    both, missed = same[..., 1::N_KINDS].sum(axis=-1), same[..., 0::N_KINDS].sum(axis=-1)
    joined = np.broadcast_to(counted.totals[..., 1::N_KINDS].sum(axis=-1), both.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = both / joined, both / (both + missed)
        f1 = np.where((joined > 0) & (both + missed > 0), 2 * both / (joined + both + missed), np.nan)
    coverage = np.broadcast_to(counted.coverage, both.shape)
    return np.stack([precision, recall, f1, (precision + recall) / 2, coverage], axis=-1)
