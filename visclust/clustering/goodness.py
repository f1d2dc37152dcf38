"""Goodness of fit of one clustering, by name: what the choice of K climbs on."""

from collections.abc import Callable
from typing import Any

import numpy as np

from visclust.base.arrays import take_matrix
from visclust.base.backend import get_namespace
from visclust.base.checks import checked, show
from visclust.clustering.silhouettes import average_by_cluster, score_from_sums

# Inertia falls with every K, so rising at all says nothing: its moving average must still gain 1% per step.
REQUIRED_GAIN = {"silhouette": 0.0, "macro_silhouette": 0.0, "calinski_harabasz": 0.0, "inertia": 0.01}


@checked
def measure_goodness(x: Any, codes: Any, *, sums: Any, name: str = "silhouette") -> float:
    """Measure how well a clustering fits, larger being better.

    Parameters
    ----------
    x : ndarray, shape (n, d), float32
        Centred rows.
    codes : ndarray of int, shape (n,)
        Clusters as 0 .. k - 1, each with a member.
    sums : ndarray, shape (n, k), float64
        Summed distances to each cluster, from `sum_by_cluster`; the silhouettes rest on them.
    name : {"silhouette", "macro_silhouette", "calinski_harabasz", "inertia"}
        Mean silhouette over rows (the paper's); mean over clusters of their mean silhouettes, which large
        clusters do not dominate; the ratio of variances between and within clusters; or minus the log of
        the sum of squared distances to the centres, so that a difference is a
        relative improvement; one below 1% from K to K ends the climb.

    Returns
    -------
    float
        The fit.

    Raises
    ------
    ValueError
        If `name` is none of the four.

    Source
    ------
    Rousseeuw (1987) for silhouettes; Calinski and Harabasz (1974), A dendrite method for cluster analysis,
    Communications in Statistics 3, 1-27.

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [10.0], [11.0]], dtype="float32")
    >>> distances = abs(x - x.T)
    >>> sums = np.column_stack([distances[:, :2].sum(1), distances[:, 2:].sum(1)])
    >>> round(measure_goodness(x, np.array([0, 0, 1, 1]), sums=sums, name="calinski_harabasz"))
    200
    """
    x = take_matrix(x)
    if getattr(codes, "ndim", 0) != 1 or len(codes) != len(x) or codes.dtype.kind not in "iu":
        raise ValueError(f"Expected codes to be {len(x)} whole numbers in an array, got {show(codes)}.")
    if getattr(sums, "ndim", 0) != 2 or len(sums) != len(x) or sums.dtype.kind != "f":
        raise ValueError(f"Expected sums to be a matrix of {len(x)} rows of numbers, got {show(sums)}.")
    if len(codes) and not 0 <= int(codes.min()) <= int(codes.max()) < sums.shape[1]:
        raise ValueError(f"Expected codes from 0 to {sums.shape[1] - 1}, a column of sums each, got others.")
    if name not in GOODNESS_MEASURES:
        raise ValueError(f"Expected one of {', '.join(GOODNESS_MEASURES)} as name, got {name!r}.")
    return float(GOODNESS_MEASURES[name](x, codes, sums))


def _silhouette(_x: Any, codes: Any, sums: Any) -> float:
    return score_from_sums(sums, codes).mean()


def _macro_silhouette(_x: Any, codes: Any, sums: Any) -> float:
    return average_by_cluster(score_from_sums(sums, codes), codes, n_clusters=sums.shape[1]).mean()


def _calinski_harabasz(x: Any, codes: Any, sums: Any) -> float:
    n, k = len(x), sums.shape[1]
    within = _sum_squares_within(x, codes, k)
    total = float(((x - x.mean(axis=0)) ** 2).sum(dtype=np.float64))
    if within <= 0:  # every cluster is one point repeated: no ratio is larger
        return np.inf
    return (total - within) / within * (n - k) / (k - 1)


def _inertia(x: Any, codes: Any, sums: Any) -> float:
    within = _sum_squares_within(x, codes, sums.shape[1])
    return -np.log(within) if within > 0 else np.inf


def _sum_squares_within(x: Any, codes: Any, k: int) -> float:
    xp = get_namespace(x)
    marks = xp.zeros((k, len(x)), dtype=x.dtype)
    marks[codes, xp.arange(len(x))] = 1
    centers = (marks @ x) / marks.sum(axis=1)[:, None]
    return float(((x - centers[codes]) ** 2).sum(dtype=np.float64))


GOODNESS_MEASURES: dict[str, Callable[[Any, Any, Any], float]] = {
    "silhouette": _silhouette,
    "macro_silhouette": _macro_silhouette,
    "calinski_harabasz": _calinski_harabasz,
    "inertia": _inertia,
}
