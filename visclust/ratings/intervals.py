"""Intervals and p values of one distribution, so that the two never say different things.

An interval of level 0.95 leaves out zero exactly where its p value is below 0.05.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t
from statsmodels.stats.multitest import multipletests

ROUNDING = 1e-9  # points of a scale, far below any rating: a spread of less is what rounding leaves of none


class StudentInterval(NamedTuple):
    """Ends of intervals, and the two-sided p values of no difference, as arrays of one shape."""

    low: np.ndarray
    high: np.ndarray
    p: np.ndarray


def find_student_interval(estimate: Any, error: Any, freedom: Any, *, level: float) -> StudentInterval:
    """Give the interval and the p value of a t distribution.

    Without any error, all ratings of a kind were alike: where the estimate is zero too, nobody differs, and
    p is 1; where it is not, nothing says how sure that is, and all three are missing. So they are where the
    error is.
    """
    estimate, error, freedom = (np.asarray(each, dtype=np.float64) for each in (estimate, error, freedom))
    known = error > ROUNDING
    with np.errstate(invalid="ignore"):
        reach = np.where(known, t.ppf((1 + level) / 2, freedom) * error, 0.0)
        p = np.where(known, 2 * t.sf(np.abs(estimate) / np.where(known, error, 1.0), freedom), 1.0)
    unclear = np.isnan(error) | (~known & (np.abs(estimate) > ROUNDING))
    low, high = estimate - reach, estimate + reach
    return StudentInterval(*(np.where(unclear, np.nan, each) for each in (low, high, p)))


def adjust_p(table: pd.DataFrame, families: Sequence[str], *, column: str = "p") -> pd.Series:
    """Adjust p values by Benjamini and Hochberg within families of rows; those missing stay so."""

    def adjust(part: pd.Series) -> pd.Series:
        known = part.dropna()
        if known.empty:
            return part
        return pd.Series(multipletests(known, method="fdr_bh")[1], known.index).reindex(part.index)

    return table.groupby(list(families))[column].transform(adjust)
