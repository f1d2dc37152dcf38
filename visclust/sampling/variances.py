"""The variance of estimates from simple random samples within strata, with its degrees of freedom."""

import math
from typing import NamedTuple

import numpy as np

_ROUNDING = 1e-12  # of the largest value, in float64


class StratifiedVariance(NamedTuple):
    """The variance, its degrees of freedom, and how many strata with one sampled image were collapsed."""

    variance: float
    degrees_of_freedom: float
    collapsed: int


def measure_variance(
    values: np.ndarray, strata: np.ndarray, sizes: np.ndarray, *, kind: str = "own"
) -> StratifiedVariance:
    """Estimate the variance of a total from simple random samples without replacement within strata.

    A stratum of which one image of several is sampled shows no variance by itself. Such strata are
    collapsed: paired with the nearest in size (the last three together if their number is odd; a single
    one with the stratum nearest in size), and the squared difference of their totals, each in proportion
    to its size, takes the place of the variance. That is never too small on average, and too large by as
    much as the paired strata differ. Sizes are known beforehand, so that pairing does not look at the data.

    `values` (n,) are what is totalled, or the linearised values of another estimate; `strata` (n,) codes from
    0, each at least once; `sizes` (s,) the images in each. With "pooled" the mean squared deviation within
    strata stands for every stratum; with "moderated" a stratum's own is averaged with it, as if that were one
    more sampled row; neither pairs strata. The variance is missing where the only stratum has one sampled
    image of several; the degrees of freedom are infinite where the variance is 0.
    """
    drawn = np.bincount(strata, minlength=len(sizes))
    totals = np.bincount(strata, weights=values, minlength=len(sizes)) * sizes / drawn
    means = totals / sizes
    deviations = values - means[strata]
    # Of equal values nothing but rounding is left, which must not count as a variance.
    deviations[np.abs(deviations) <= _ROUNDING * np.abs(values).max()] = 0
    squares = np.bincount(strata, weights=deviations**2, minlength=len(sizes))
    factors = sizes * (sizes - drawn) / drawn
    free = drawn - 1
    if kind != "own" and free.any():
        typical = squares.sum() / free.sum()
        if kind == "pooled":
            return StratifiedVariance(float(factors.sum() * typical), float(free.sum()), 0)
        own = measure_variance(values, strata, sizes)
        moderated = float((factors * (squares + typical) / (free + 1)).sum())
        known = own.degrees_of_freedom
        freedom = float(free.sum()) if math.isnan(known) else min(known, float(free.sum()))
        return StratifiedVariance(moderated, freedom, 0)
    parts = np.zeros(len(sizes))
    several = drawn > 1
    parts[several] = (factors * squares)[several] / free[several]
    lonely = np.flatnonzero((drawn == 1) & (sizes > 1))
    counted = several.copy()
    groups = _group_by_size(lonely, sizes)
    pieces = []
    for group in groups:
        counted[group] = False
        if len(group) == 1:
            return StratifiedVariance(math.nan, math.nan, len(lonely))
        share = sizes[group] / sizes[group].sum()
        gap = totals[group] - share * totals[group].sum()
        pieces.append((len(group) / (len(group) - 1) * float(gap @ gap), len(group) - 1))
    variances = np.array([*parts[counted], *(piece for piece, _ in pieces)])
    frees = np.array([*free[counted], *(free for _, free in pieces)])
    variance = float(variances.sum())
    spread = float((variances**2 / frees).sum()) if len(frees) else 0.0
    return StratifiedVariance(variance, variance**2 / spread if spread > 0 else math.inf, len(lonely))


def _group_by_size(lonely: np.ndarray, sizes: np.ndarray) -> list[np.ndarray]:
    """Pair strata that follow each other by size, with three in the last group if need be."""
    if not len(lonely):
        return []
    if len(lonely) == 1:
        others = np.setdiff1d(np.arange(len(sizes)), lonely)
        if not len(others):
            return [lonely]
        nearest = others[np.argmin(np.abs(sizes[others] - sizes[lonely[0]]))]
        return [np.array([lonely[0], nearest])]
    order = lonely[np.argsort(sizes[lonely], kind="stable")]
    starts = np.arange(2, len(order) - 1, 2)
    return np.split(order, starts)
