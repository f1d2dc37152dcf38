"""Assign rows to the nearest of some centres: products in float32, near ties in float64, sums in float64.

What k-means on many rows, shards on many machines and new images in old clusters rest on. A row's label
depends on the row and the centres alone: not on threads, and not on which rows it stands among.
"""

from typing import Any, NamedTuple

import numpy as np

from visclust.base.backend import get_namespace, is_on_gpu
from visclust.base.distances import square_lengths

# So many rows of 512 float32 are 1 MB: they and their scores stay in a core's own cache.
_CACHED = 2**18
# What float32 rounds of a product, as a share of the squared lengths: seldom a tenth of this.
DOUBT = 2e-6


class Assigned(NamedTuple):
    """The cluster of each row (m; int64), its squared distance to that centre (m; float64), and totals.

    ``sums`` (k, d; float64) and ``counts`` (k; int64) of the rows of each cluster: added up over blocks in
    their order they give the next centres, the same for any number of workers.
    """

    labels: Any
    squares: Any
    sums: Any
    counts: Any


def assign_block(rows: Any, centers: Any) -> Assigned:
    """Assign a block of rows (m, d) to the nearest of the centres (k, d), and add up each cluster.

    Rows and centres must lie near the origin (subtract one and the same `find_origin` from both), since
    distances come from products. Where products in float32 cannot tell which centre is nearest, differences
    in float64 do; of equally near ones the first. It takes one thread, and no memory beside its results.
    """
    if is_on_gpu(rows):
        return _assign_on_device(rows, centers)
    from visclust.base.nearest_kernels import add_rows, measure_own

    centers = np.ascontiguousarray(centers, dtype=np.float64)
    labels = np.empty(len(rows), dtype=np.int64)
    squares = np.empty(len(rows))
    sums, counts = np.zeros(centers.shape), np.zeros(len(centers), dtype=np.int64)
    nearest = NearestCenters(centers)
    for start in range(0, len(rows), nearest.size):
        part = slice(start, start + nearest.size)
        some = rows[part]
        labels[part] = nearest.find(some, square_lengths(some))[0]
        measure_own(some, labels[part], centers, squares[part])
        add_rows(some, labels[part], sums, counts)
    return Assigned(labels, squares, sums, counts)


class NearestCenters:
    """Finds the nearest of the same centres (k, d) for one small block of rows after the other.

    One for each thread: it holds the block of scores.
    """

    def __init__(self, centers: np.ndarray) -> None:
        self.centers = np.ascontiguousarray(centers, dtype=np.float64)
        k, d = self.centers.shape
        self.size = max(64, min(_CACHED // max(d, k), 2048))
        """Rows at a time: so many stay in a core's cache with their scores."""
        self._factors = np.ascontiguousarray(-2 * self.centers.T, dtype=np.float32)
        self._lengths = (self.centers * self.centers).sum(axis=1).astype(np.float32)
        self._scores = np.empty((self.size, k), dtype=np.float32)

    def find(self, rows: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Find the nearest centre of each of up to `size` rows, whose squared lengths are given.

        Gives labels, and the squared distances to the nearest and the next nearest centre as products give
        them: off by a few times `DOUBT` times the squared lengths, and less than 0 at times.
        """
        from visclust.base.nearest_kernels import decide

        scores = self._scores[: len(rows)]
        np.matmul(rows.astype(np.float32, copy=False), self._factors, out=scores)
        scores += self._lengths
        labels = np.empty(len(rows), dtype=np.int64)
        best, second = np.empty(len(rows), dtype=np.float32), np.empty(len(rows), dtype=np.float32)
        decide(scores, rows, lengths, self.centers, DOUBT, labels, best, second)
        best += lengths
        second += lengths
        return labels, best, second


def _assign_on_device(rows: Any, centers: Any) -> Assigned:
    """Do the same where the array is: all in float64."""
    xp = get_namespace(rows)
    rows, centers = rows.astype(xp.float64), xp.asarray(centers, dtype=xp.float64)
    labels = (square_lengths(centers) - 2 * (rows @ centers.T)).argmin(axis=1)
    squares = square_lengths(rows - centers[labels])
    marks = xp.zeros((len(centers), len(rows)))
    marks[labels, xp.arange(len(rows))] = 1
    return Assigned(labels, squares, marks @ rows, xp.bincount(labels, minlength=len(centers)))
