"""Loops over rows that NumPy would do in several passes, compiled by Numba when first used.

Each row is done by itself and in one order, so that results depend neither on threads nor on blocks. Import
this module where it is used: Numba takes half a second to load.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit


def _compile(**options: Any) -> Callable[[Any], Any]:
    """Compile a function at its first call, and keep the result on disk where something can be kept."""

    def decorate(function: Any) -> Any:
        try:
            return njit(nogil=True, cache=True, **options)(function)
        except RuntimeError:  # neither the package's folder nor the user's cache can be written
            return njit(nogil=True, **options)(function)

    return decorate


@_compile()
def decide(
    scores: np.ndarray,
    rows: np.ndarray,
    lengths: np.ndarray,
    centers: np.ndarray,
    doubt: float,
    labels: np.ndarray,
    best: np.ndarray,
    second: np.ndarray,
) -> None:
    """Find the nearest centre of each row from scores (m, k): squared distances less the rows' own lengths.

    Fills in the label, the smallest and the next smallest score. Centres that rounding may have put in the
    wrong order (closer than `doubt` times what the products add up) are measured again by differences in
    float64; of equals the first counts.
    """
    for i in range(scores.shape[0]):
        low, next_low, label = np.float32(np.inf), np.float32(np.inf), 0
        for j in range(scores.shape[1]):
            score = scores[i, j]
            if score < next_low:
                if score < low:
                    next_low = low
                    low = score
                    label = j
                else:
                    next_low = score
        # A centre as near as the nearest has a squared length of at most 2 (length + distance).
        margin = doubt * (6 * lengths[i] + 4 * max(low + lengths[i], 0))
        if next_low - low <= margin:
            nearest = np.inf
            for j in range(scores.shape[1]):
                if scores[i, j] <= low + margin:
                    square = 0.0
                    for at in range(rows.shape[1]):
                        difference = np.float64(rows[i, at]) - centers[j, at]
                        square += difference * difference
                    if square < nearest:
                        nearest = square
                        label = j
        labels[i] = label
        best[i] = low
        second[i] = next_low


@_compile()
def add_rows(rows: np.ndarray, labels: np.ndarray, sums: np.ndarray, counts: np.ndarray) -> None:
    """Add the rows to the sums (k, d; float64) and counts of their clusters, in their order."""
    for i in range(rows.shape[0]):
        label = labels[i]
        counts[label] += 1
        for at in range(rows.shape[1]):
            sums[label, at] += rows[i, at]


# Several partial sums at a time are several times faster; their number is fixed when it is compiled.
@_compile(fastmath={"reassoc", "contract"})
def measure_own(rows: np.ndarray, labels: np.ndarray, centers: np.ndarray, squares: np.ndarray) -> None:
    """Measure the squared distance of each row to the centre of its cluster, by differences in float64."""
    for i in range(rows.shape[0]):
        label = labels[i]
        square = 0.0
        for at in range(rows.shape[1]):
            difference = np.float64(rows[i, at]) - centers[label, at]
            square += difference * difference
        squares[i] = square


@_compile()
def loosen(
    labels: np.ndarray,
    upper: np.ndarray,
    lower: np.ndarray,
    shifts: np.ndarray,
    other_shifts: np.ndarray,
    halves: np.ndarray,
    active: np.ndarray,
) -> int:
    """Move the bounds of rows along with the centres; put the rows that may change cluster into `active`.

    A row stays if its centre is nearer than any other can be, or than half the way to any other.
    """
    count = 0
    for i in range(len(labels)):
        label = labels[i]
        if label >= 0:
            upper[i] += shifts[label]
            lower[i] -= other_shifts[label]
            if upper[i] * 1.00001 < max(lower[i], halves[label]):
                continue
        active[count] = i
        count += 1
    return count


@_compile()
def tighten(
    squares: np.ndarray,
    numbers: np.ndarray,
    labels: np.ndarray,
    upper: np.ndarray,
    lower: np.ndarray,
    halves: np.ndarray,
    active: np.ndarray,
) -> int:
    """Set some rows' upper bounds to measured distances; put those still in doubt into `active`."""
    count = 0
    for at in range(len(numbers)):
        i = numbers[at]
        upper[i] = np.sqrt(squares[at]) * 1.000001
        if not upper[i] * 1.00001 < max(lower[i], halves[labels[i]]):
            active[count] = at
            count += 1
    return count


@_compile()
def settle(
    rows: np.ndarray,
    lengths: np.ndarray,
    numbers: np.ndarray,
    found: np.ndarray,
    best: np.ndarray,
    second: np.ndarray,
    doubt: float,
    labels: np.ndarray,
    upper: np.ndarray,
    lower: np.ndarray,
    sums: np.ndarray,
    counts: np.ndarray,
) -> int:
    """Write down the clusters found for some rows, with bounds on their distances; move those that changed.

    `sums` and `counts` take what is to be added to those of each cluster; gives how many rows changed.
    """
    changed = 0
    for at in range(len(numbers)):
        i = numbers[at]
        off = doubt * (6 * lengths[at] + 4 * max(best[at], 0))
        upper[i] = np.sqrt(max(best[at], 0) + off) * 1.000001
        lower[i] = np.sqrt(max(second[at] - off, 0)) * 0.999999
        old, new = labels[i], found[at]
        if old == new:
            continue
        changed += 1
        labels[i] = new
        counts[new] += 1
        for j in range(rows.shape[1]):
            sums[new, j] += rows[at, j]
        if old >= 0:
            counts[old] -= 1
            for j in range(rows.shape[1]):
                sums[old, j] -= rows[at, j]
    return changed
