"""Numbers that a row's silhouette lies between on average, from a few members of each cluster.

How and why is told in `adaptive.py`; here is the arithmetic, on the host and in float64.
"""

from typing import Any, NamedTuple

import numpy as np

from visclust.base.backend import get_namespace, to_host


class ClusterShapes(NamedTuple):
    """What is known exactly of k clusters: sizes, centres (k, d), mean squared and largest distance to them.

    Sizes are whole numbers, the rest is float64. Over shards, sizes, sums of rows and of squares add up.
    """

    sizes: np.ndarray
    centers: np.ndarray
    squares: np.ndarray
    reach: np.ndarray


class Controls(NamedTuple):
    """By row and cluster (m, k): mean squared distance u², the slope b, and the largest d - b (d² - u²)."""

    squares: np.ndarray
    slope: np.ndarray
    most: np.ndarray


def find_controls(rows: Any, shapes: ClusterShapes) -> Controls:
    """Find the slopes b at which d - b (d² - u²) varies least and is never below 0, for rows (m, d)."""
    xp = get_namespace(rows)
    precise = rows.astype(xp.float64)
    products = to_host(precise @ xp.asarray(shapes.centers).T)
    lengths = to_host((precise * precise).sum(axis=1))[:, None]
    apart = np.maximum(lengths + (shapes.centers**2).sum(axis=1) - 2 * products, 0)
    squares = apart + shapes.squares
    farthest = (np.sqrt(apart) + shapes.reach) * (1 + 1e-5)  # what float32 may round up
    # 0 or more for all distances up to the farthest: d / (d² - u²) falls with d.
    excess = farthest**2 - squares
    best = 0.5 / np.sqrt(np.maximum(squares, 1e-300))
    slope = np.minimum(best, np.where(excess > 0, farthest / np.where(excess > 0, excess, 1), np.inf))
    return Controls(squares, slope, 0.25 / slope + slope * squares)


def control_means(means: np.ndarray, mean_squares: np.ndarray, controls: Controls) -> np.ndarray:
    """Turn means of sampled distances, and of their squares, into estimates of the mean distance."""
    return np.clip(means - controls.slope * (mean_squares - controls.squares), 0, controls.most)


def bracket_scores(
    first: np.ndarray,
    second: np.ndarray,
    most: np.ndarray,
    exact: np.ndarray,
    own: np.ndarray,
    sizes: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Give numbers that are at most and at least a row's silhouette on average: two arrays (m).

    The lower is never below -1, the upper never above 1.

    Parameters
    ----------
    first, second : ndarray, shape (m, k)
        Two independent unbiased estimates of the mean distances to the members, the row itself among those of
        its own cluster.
    most : ndarray, shape (m, k)
        The largest that an estimate can be; the smallest is 0.
    exact : ndarray of bool, shape (k,)
        Clusters for which both are no estimates but the means themselves.
    own : ndarray of int, shape (m,)
        Cluster of each row, with two members at least.
    sizes : ndarray of int, shape (k,)
        Sizes of the clusters.
    """
    rows = np.arange(len(own))
    others = sizes[own] / (sizes[own] - 1)  # the distance to itself is 0 and does not count
    within = [half[rows, own] * others for half in (first, second)]
    most_within = most[rows, own] * others
    between = []
    for half in (first, second):
        half = half.copy()
        half[rows, own] = np.inf
        between.append(half)
    mean_within = (within[0] + within[1]) / 2
    nearest = ((between[0] + between[1]) / 2).min(axis=1)
    lower, upper = [], []
    for one, other in ((0, 1), (1, 0)):
        # The tangent in a touches where one half says, but not so low that the other could fall below -1.
        touch = np.where(exact[own], within[one], np.maximum(within[one], most_within / 2))
        lower.append(_follow_within(touch, within[other], nearest))
        chosen = between[one].argmin(axis=1)
        told = between[one][rows, chosen]
        touch = np.where(exact[chosen], told, np.maximum(told, most[rows, chosen] / 2))
        upper.append(_follow_between(touch, between[other][rows, chosen], mean_within))
    return (lower[0] + lower[1]) / 2, (upper[0] + upper[1]) / 2


def _follow_within(touch: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Follow the tangent in a to (b - a) / max(a, b) from where it touches: never above that convex curve."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(touch < b, 1 - a / b, b * (2 * touch - a) / touch**2 - 1)
    return np.where((touch == 0) & (b == 0), 0.0, found)


def _follow_between(touch: np.ndarray, b: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Follow the tangent in b to (b - a) / max(a, b) from where it touches; never below the concave curve."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(a < touch, 1 - a * (2 * touch - b) / touch**2, b / a - 1)
    return np.where((touch == 0) & (a == 0), 0.0, found)
