"""Variance of an estimate from a stratified random sample, strata with a single sampled image included."""

import math
from typing import NamedTuple

import numpy as np

__all__ = ["StratifiedVariance", "measure_variance"]


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

    Parameters
    ----------
    values : ndarray of float, shape (n,)
        What is totalled, or the linearised values of another estimate.
    strata : ndarray of int, shape (n,)
        Stratum of each row, from 0 to s - 1, each at least once.
    sizes : ndarray of int, shape (s,)
        Images in each stratum.
    kind : {"own", "moderated", "pooled"}, default "own"
        "pooled": the mean squared deviation within strata stands for every stratum, as if strata differed in
        it by chance or regardless of their size. "moderated": the stratum's own, averaged with the pooled one
        as if that were one more sampled row of it; degrees of freedom are those of "own", and n minus s at
        most. In both, strata with one sampled row need no partner.

    Returns
    -------
    StratifiedVariance
        ``variance`` (NaN where the only stratum has one sampled image of several), ``degrees_of_freedom``
        after Satterthwaite (infinite where the variance is 0), and ``collapsed``.

    Source
    ------
    Cochran (1977), Sampling Techniques, 3rd edition, section 5.6 (variance), 5A.12 (collapsed strata) and
    formula 5.16 (degrees of freedom); Hansen, Hurwitz and Madow (1953) for collapsing by size; Wolter
    (2007), Introduction to Variance Estimation, section 2.5. Moderation: Smyth (2004), Statistical
    Applications in Genetics and Molecular Biology 3(1), with one prior degree of freedom instead of an
    estimated number.

    Examples
    --------
    >>> measure_variance(np.array([1.0, 3.0]), np.array([0, 0]), np.array([4])).variance
    8.0
    >>> measure_variance(np.array([1.0, 3.0]), np.array([0, 1]), np.array([2, 2])).variance
    16.0
    """
    drawn = np.bincount(strata, minlength=len(sizes))
    totals = np.bincount(strata, weights=values, minlength=len(sizes)) * sizes / drawn
    means = totals / sizes
    squares = np.bincount(strata, weights=(values - means[strata]) ** 2, minlength=len(sizes))
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
