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

    Of `values` (n, m), each row adds to each of m sums; what comes back is (n_bootstrap, m). All sums of a
    resample rest on the same rows, so that their differences are paired. With `strata` (n,), every resample
    has as many rows of each stratum as the data have. Rows with the same values are drawn together as one
    multinomial count, which has the same distribution as drawing them singly and takes less time. See Efron
    & Tibshirani (1993), An Introduction to the Bootstrap, chapters 6 and 13.
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
    """Read the percentile interval from replicates (n_bootstrap, …), leaving out those that are NaN.

    An estimate without any defined replicate has NaN at both ends.
    """
    check_level(level)
    tail = (1 - level) / 2
    with warnings.catch_warnings():
        # An estimate without any defined replicate gives NaN, and callers say why.
        warnings.filterwarnings("ignore", "All-NaN slice encountered", RuntimeWarning)
        low, high = np.nanquantile(replicates, [tail, 1 - tail], axis=0)
    return low, high
