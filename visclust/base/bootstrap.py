"""Bootstrap of sums: resample rows, add up their values, and read percentile intervals."""

import warnings
from typing import Any

import numpy as np

from visclust.base.checks import check_level

_LARGEST_BLOCK = 4_000_000  # counts held at once: 32 MB


def resample_sums(
    values: np.ndarray, *, n_bootstrap: int = 2000, seed: int = 0, strata: Any = None
) -> np.ndarray:
    """Resample rows with replacement and add up each column, many times.

    Rows with the same values are drawn together as one multinomial count, which has the same distribution
    as drawing them singly and takes less time.

    Parameters
    ----------
    values : float array, shape (n, m)
        What each row adds to each of m sums. All m sums of a resample rest on the same rows, so that
        their differences are paired.
    n_bootstrap : int, default 2000
        Resamples.
    seed : int, default 0
        Seed of the resampling.
    strata : array_like, shape (n,), optional
        Stratum of each row; every resample then has as many rows of each stratum as the data have.

    Returns
    -------
    float array, shape (n_bootstrap, m)
        The sums of each resample.

    Raises
    ------
    ValueError
        If there are no rows, or less than one resample is asked for.

    Source
    ------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapters 6 and 13.

    Examples
    --------
    >>> resample_sums(np.ones((5, 1)), n_bootstrap=3).tolist()
    [[5.0], [5.0], [5.0]]
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or not len(values) or n_bootstrap < 1:
        raise ValueError(
            f"Expected at least one row of values and one resample, got shape {values.shape} and "
            f"n_bootstrap={n_bootstrap}."
        )
    rng = np.random.default_rng(seed)
    code = np.zeros(len(values)) if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1]
    distinct, count = np.unique(np.column_stack([code, values]), axis=0, return_counts=True)
    sums = np.zeros((n_bootstrap, values.shape[1]))
    for stratum in np.unique(distinct[:, 0]):
        inside = distinct[:, 0] == stratum
        rows, size = distinct[inside, 1:], int(count[inside].sum())
        step = max(1, _LARGEST_BLOCK // len(rows))
        for start in range(0, n_bootstrap, step):
            block = min(step, n_bootstrap - start)
            drawn = rng.multinomial(size, count[inside] / size, size=block)
            sums[start : start + block] += drawn @ rows
    return sums


def find_interval(replicates: np.ndarray, *, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Read the percentile interval from bootstrap replicates, leaving out those that are undefined.

    Parameters
    ----------
    replicates : float array, shape (n_bootstrap, …)
        Replicates of one or more estimates; NaN where a resample leaves the estimate undefined.
    level : float, default 0.95
        Confidence level, between 0 and 1.

    Returns
    -------
    tuple of two arrays
        Lower and upper ends; NaN where every replicate is.

    Raises
    ------
    ValueError
        If the level is not between 0 and 1.

    Source
    ------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, section 13.3.

    Examples
    --------
    >>> [round(float(end), 2) for end in find_interval(np.arange(101.0), level=0.9)]
    [5.0, 95.0]
    """
    check_level(level)
    tail = (1 - level) / 2
    with warnings.catch_warnings():
        # An estimate without any defined replicate gives NaN, and callers say why.
        warnings.filterwarnings("ignore", "All-NaN slice encountered", RuntimeWarning)
        low, high = np.nanquantile(replicates, [tail, 1 - tail], axis=0)
    return low, high
