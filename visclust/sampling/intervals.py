"""The intervals of estimates from samples: one function for what is estimated and for what is planned."""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit


class Certainty(NamedTuple):
    """What an interval rests on: numbers, or arrays of one shape.

    ``variance`` of the estimate and its ``freedom``; ``n``, sampled images; ``kish``, how many unweighted
    ones their weights leave; ``left``, the share of the sampling variance that remains because the images
    are finitely many: near 1 where few of them were drawn, 0 where all were.
    """

    variance: Any
    freedom: Any
    n: Any
    kish: Any
    left: Any


class Interval(NamedTuple):
    """Lower and upper ends."""

    low: Any
    high: Any


def find_interval(
    estimate: Any, known: Certainty, *, level: float, whole: float | None = None, taken: float = 0.0
) -> Interval:
    """Give Student's interval; or with `whole`, what a share of 1 would be, Wilson's of a share.

    Wilson's is for the number of independent images that would have this variance. Without any variance in
    the sample, what the weights leave of its size is the best known; of a corpus that was seen whole, nothing
    is unknown. Where the share `taken` of guesses is used, two more sampled images of the usual weight count,
    one wrong each way: that hardly an error of the guesses was seen does not say that there is none.
    """
    variance, freedom, n, kish, left = (np.asarray(each, dtype=np.float64) for each in known)
    tail = (1 + level) / 2
    if whole is None:
        half = stdtrit(freedom, tail) * np.sqrt(variance)
        return Interval(*(_settle(each) for each in (estimate - half, estimate + half)))
    p = np.clip(np.asarray(estimate, dtype=np.float64) / whole, 0.0, 1.0)
    unseen = 2 * min(abs(taken), 1.0) ** 2 * left / ((kish + 2) * (n + 2))
    relative = variance / whole**2 + unseen
    with np.errstate(divide="ignore", invalid="ignore"):
        seen = (relative > 0) & (p > 0) & (p < 1)
        size = np.where(seen, p * (1 - p) / np.where(seen, relative, 1.0), kish / left)
        # Fewer degrees of freedom than the sample's make the number of images less sure.
        ratio = (stdtrit(n - 1, tail) / stdtrit(freedom, tail)) ** 2
        size = size * np.where((n > 1) & np.isfinite(freedom), ratio, 1.0)
    z2 = ndtri(tail) ** 2
    middle = (p + z2 / (2 * size)) / (1 + z2 / size)
    half = np.sqrt(z2 * (p * (1 - p) / size + z2 / (4 * size**2))) / (1 + z2 / size)
    ends = np.maximum(0.0, middle - half), np.minimum(1.0, middle + half)
    return Interval(*(_settle(np.where(np.isnan(variance), np.nan, end) * whole) for end in ends))


def _settle(values: np.ndarray) -> Any:
    """Give a number as a number."""
    return float(values) if np.ndim(values) == 0 else values
