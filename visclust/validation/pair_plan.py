"""How many pairs to judge for a wanted width of the intervals, before anybody has labelled one."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from visclust.base.columns import check_gold
from visclust.base.provenance import recorded
from visclust.validation.pair_design import count_joined, find_strata_of
from visclust.validation.pair_weights import read_design_weights
from visclust.validation.pairs import split_quota, suggest_shares
from visclust.validation.poststratified import (
    N_KINDS,
    CellCounts,
    count_cells,
    find_ends,
    suppose_shares,
)
from visclust.validation.scores import SCORES, predict_same

_NUMBERS = (100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800)
_N_SIMULATED = 16  # draws of pairs for each number, whose half-widths are averaged
_N_DRAWS = 200  # of each interval
_PLANNED = ("precision", "recall", "f1")


class PairPlan(NamedTuple):
    """How many pairs each measure needs, and the half-widths of intervals by number of pairs."""

    needed: pd.DataFrame
    curve: pd.DataFrame


@recorded
def plan_pairs(
    design: pd.DataFrame,
    clusters: pd.DataFrame,
    *,
    half_width: float = 0.1,
    precision: float = 0.5,
    recall: float = 0.5,
    gold: pd.DataFrame | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> PairPlan:
    """Plan how many pairs people must judge for intervals of a wanted half-width.

    Judgements are simulated as the clustering's supposed precision and recall would have them, drawn from the
    design as `sample_pairs` draws, and scored as `score_pairs` scores. Answers are supposed to be right.

    Parameters
    ----------
    design : DataFrame
        A pair design by likeness, see `design_pairs`.
    clusters : DataFrame
        A clusters table that will be scored, or one like it: what it joins in each stratum counts.
    half_width : float, default 0.1
        Half the width that the intervals of precision, recall and F1 may have.
    precision, recall : float, default 0.5
        What is supposed of the clustering. The same pairs that it misses are supposed to lie in all strata in
        equal numbers, as far as these hold so many: the fewer lie far apart, the narrower is recall.
    gold : DataFrame, optional
        Pairs of the design that are judged already: what they say takes the place of `precision`, `recall`.
    level : float, default 0.95
        Confidence level of the intervals.
    seed : int, default 0
        Seed of the simulation.

    Returns
    -------
    PairPlan
        ``needed``: ``measure, half_width, n_pairs`` (missing where not even 12,800 would do) and ``supposed``
        (the value of the measure). ``curve``: ``n_pairs, measure, half_width``.

    Raises
    ------
    ValueError
        If the design is by cells, or the tables do not match it.

    Examples
    --------
    >>> from visclust.validation.pair_design import design_pairs
    >>> rng = np.random.default_rng(0)
    >>> x = np.repeat(np.eye(3), 40, axis=0) * 4 + rng.normal(size=(120, 3))
    >>> clusters = pd.DataFrame({"image_id": [f"i{i}" for i in range(120)],
    ...                          "cluster": np.repeat([0, 1, 2], 40)})
    >>> plan = plan_pairs(design_pairs(clusters, x), clusters, half_width=0.2)
    >>> plan.needed["measure"].tolist()
    ['precision', 'recall', 'f1']
    """
    for name, value in (("half_width", half_width), ("precision", precision), ("recall", recall)):
        if not 0 < value < 1:
            raise ValueError(f"Expected a number above 0 and below 1 as {name}, got {value}.")
    strata = find_strata_of(design)
    if "cell" in design.columns:
        raise ValueError(
            'Expected a pair design by likeness, got one by cells. Make it with design_pairs(how="likeness").'
        )
    joined = count_joined(strata, clusters)
    if not joined.sum():
        raise ValueError(
            "Expected clusters that join at least two images, got clusters that join none: neither precision "
            "nor recall can be planned for them. Give clusters like those that will be scored."
        )
    totals = np.column_stack([strata.totals - joined, joined]).ravel()
    if gold is None:
        rates = _suppose_rates(totals, precision=precision, recall=recall)
    else:
        gold = check_gold(gold)
        weight = read_design_weights(gold, None, design)
        prediction = predict_same(clusters, gold)
        counted = count_cells(
            [clusters], [prediction], gold, design, weight=weight, weights=None, unassigned="different"
        )
        rates = suppose_shares(counted)
    same = rates * totals
    both, missed = same[1::N_KINDS].sum(), same[::N_KINDS].sum()
    truth = {"precision": both / joined.sum()}
    truth |= {"recall": both / (both + missed), "f1": 2 * both / (joined.sum() + both + missed)}
    rng = np.random.default_rng(seed)
    shares = suggest_shares(strata)
    rows = []
    n_all = int(strata.totals.sum())
    numbers = [number for number in _NUMBERS if number < n_all]
    if n_all <= _NUMBERS[-1]:
        numbers.append(n_all)
    for n_pairs in numbers:
        quotas = split_quota(n_pairs, shares, strata.totals.astype(np.int64))
        widths = [_simulate_half_widths(quotas, totals, rates, rng, level=level) for _ in range(_N_SIMULATED)]
        means = np.mean(widths, axis=0)
        rows += [
            {"n_pairs": n_pairs, "measure": measure, "half_width": means[SCORES.index(measure)]}
            for measure in _PLANNED
        ]
    curve = pd.DataFrame(rows, columns=["n_pairs", "measure", "half_width"])
    needed = [
        {"measure": measure, "half_width": half_width, "supposed": truth[measure],
         "n_pairs": _read_number(curve[curve["measure"] == measure], half_width)}
        for measure in _PLANNED
    ]  # fmt: skip
    table = pd.DataFrame(needed).astype({"n_pairs": "Int64"})
    return PairPlan(table[["measure", "half_width", "n_pairs", "supposed"]], curve)


def _suppose_rates(totals: np.ndarray, *, precision: float, recall: float) -> np.ndarray:
    """Suppose the share of "same" in each cell: one for joined pairs; the missed ones in equal numbers."""
    rates = np.where(np.arange(len(totals)) % N_KINDS == 1, precision, 0.0)
    apart = np.flatnonzero((np.arange(len(totals)) % N_KINDS == 0) & (totals > 0))
    left = precision * totals[1::N_KINDS].sum() * (1 / recall - 1)
    # From the smallest cell on, so that what a small one cannot hold goes to the larger ones.
    for place, cell in enumerate(apart[np.argsort(totals[apart])]):
        part = min(left / (len(apart) - place), totals[cell] * precision)
        rates[cell] = part / totals[cell]
        left -= part
    return rates


def _simulate_half_widths(
    quotas: np.ndarray, totals: np.ndarray, rates: np.ndarray, rng: np.random.Generator, *, level: float
) -> np.ndarray:
    """Draw and judge pairs once, and give half the width of the interval of each measure, (5,)."""
    held = totals.reshape(-1, N_KINDS)
    share = np.divide(held[:, 1], held.sum(axis=1), out=np.zeros(len(held)), where=held.sum(axis=1) > 0)
    stratum = np.repeat(np.arange(len(held)), quotas)
    cell = N_KINDS * stratum + (rng.random(len(stratum)) < share[stratum])
    same = rng.random(len(stratum)) < rates[cell]
    counted = CellCounts(same, np.ones(len(stratum)), stratum, cell[None], totals[None], np.ones(1))
    low, high = find_ends(counted, n_draws=_N_DRAWS, seed=int(rng.integers(2**31)), level=level)
    return (high[0] - low[0]) / 2


def _read_number(curve: pd.DataFrame, half_width: float) -> int | None:
    """Read the number of pairs at which a curve falls to a half-width, between its points by their logs."""
    numbers, widths = np.log(curve["n_pairs"].to_numpy()), curve["half_width"].to_numpy()
    enough = np.flatnonzero(widths <= half_width)
    if not len(enough):
        return None
    first = int(enough[0])
    if first == 0:
        return int(curve["n_pairs"].iloc[0])
    share = (widths[first - 1] - half_width) / (widths[first - 1] - widths[first])
    between = numbers[first - 1] + share * (numbers[first] - numbers[first - 1])
    return int(np.ceil(np.exp(between)))
