"""Many noisy estimates pulled towards their mean, as far as they differ by no more than chance."""

import numpy as np
import pandas as pd
from scipy.special import ndtr

__all__ = ["shrink_estimates"]

_GRID = 80
_HALVINGS = 40  # of a range of some standard deviations: far below any digit shown


def shrink_estimates(
    estimates: pd.Series, errors: pd.Series, *, shared_error: float = 0.0, level: float = 0.95
) -> pd.DataFrame:
    """Pull noisy estimates towards their mean by a normal-normal model.

    Estimates are normal about true values, and those normal about their mean. By how much the true values
    differ is not taken as known: all variances up to a large one count, each as far as the estimates agree
    with it. An interval that rests on one best guess is too short where it is near zero.

    Parameters
    ----------
    estimates, errors : Series, n rows
        Estimates and their standard errors.
    shared_error : float, default 0
        Standard error that all estimates have in common, as when the same people stand behind them. It is
        part of `errors`; it says nothing of how the estimates differ, and widens every interval.
    level : float, default 0.95
        Level of the intervals.

    Returns
    -------
    DataFrame, n rows
        ``shrunk`` (posterior mean), ``low``, ``high`` (equal-tailed posterior interval), and ``kept``: the
        share of its distance from the mean that an estimate keeps, 0 to 1.

    Raises
    ------
    ValueError
        If there are fewer than four estimates, whose spread cannot be told from noise, or some errors are
        zero and some are not.

    Source
    ------
    Morris (1983), "Parametric empirical Bayes inference"; Morris & Tang (2011), "Estimating random effects
    via adjustment for density maximization", for the uniform prior of the variance and what it covers.

    Examples
    --------
    >>> errors = pd.Series([0.2, 0.2, 0.2, 9.0])
    >>> shrink_estimates(pd.Series([0.0, 2.0, 4.0, 10.0]), errors)["shrunk"].round(1).tolist()
    [0.0, 2.0, 4.0, 4.5]
    """
    raw, noise = estimates.to_numpy(dtype=float), errors.to_numpy(dtype=float) ** 2
    if len(raw) and not noise.any():  # known without error: nothing to pull
        exact = {"shrunk": raw, "low": raw, "high": raw, "kept": 1.0}
        return pd.DataFrame(exact, index=estimates.index)
    if len(raw) < 4 or not (noise > 0).all():
        raise ValueError(
            f"Expected four or more estimates with positive standard errors, got {len(raw)} of which "
            f"{int((noise > 0).sum())} have one: fewer do not tell true differences from noise."
        )
    # At least a tenth of the noise is an estimate's own, whatever the shared error is said to be.
    own = np.maximum(noise - shared_error**2, 0.1 * noise)
    spread = np.linspace(0, 3 * raw.std() + 3 * np.sqrt(own.min()), _GRID)[:, None] ** 2
    precision = 1 / (own + spread)
    center_variance = 1 / precision.sum(axis=1)
    center = center_variance * (precision @ raw)
    apart = raw - center[:, None]
    logs = 0.5 * (np.log(center_variance) + (np.log(precision) - precision * apart**2).sum(axis=1))
    # Uniform in the variance: the grid is even in the standard deviation.
    weight = np.sqrt(spread[:, 0]) * np.exp(logs - logs.max())
    weight /= weight.sum()
    kept = spread * precision
    means = center[:, None] + kept * apart
    variances = kept * own + (1 - kept) ** 2 * center_variance[:, None] + shared_error**2
    tail = (1 - level) / 2
    return pd.DataFrame(
        {
            "shrunk": weight @ means,
            "low": _find_quantile(weight, means, np.sqrt(variances), tail),
            "high": _find_quantile(weight, means, np.sqrt(variances), 1 - tail),
            "kept": weight @ kept,
        },
        index=estimates.index,
    )


def _find_quantile(weight: np.ndarray, means: np.ndarray, sds: np.ndarray, tail: float) -> np.ndarray:
    """Find a quantile of each column's mixture of normals by halving."""
    used = weight > 1e-6
    weight, means, sds = weight[used] / weight[used].sum(), means[used], sds[used]
    low, high = (means - 8 * sds).min(axis=0), (means + 8 * sds).max(axis=0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = weight @ ndtr((middle - means) / sds) < tail
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2
