"""The images most like one, fast enough to be asked for by a key."""

from typing import Any

import numpy as np

from visclust.base.distances import center_rows, measure_block, square_lengths

__all__ = ["NearestImages"]


class NearestImages:
    """Rows of an embedding ordered by their Euclidean distance from one of them.

    `visclust.list_neighbours` makes a table of neighbours and builds its index anew each time;
    this keeps the rows ready, since a person waits.

    Parameters
    ----------
    x : ndarray, shape (n, d)
        The embedding.

    Examples
    --------
    >>> NearestImages(np.array([[0.0], [1.0], [5.0]])).find(0, n=1)
    [0, 1]
    """

    def __init__(self, x: Any) -> None:
        self._x = x
        self._rows: np.ndarray | None = None

    def find(self, image: int, *, n: int) -> list[int]:
        """Find the `n` nearest images, after the image itself, the nearest first."""
        if self._rows is None:  # made when it is first needed: it takes as much memory as the embedding
            self._rows = center_rows(self._x)
            self._norms = square_lengths(self._rows)
        rows, norms = self._rows, self._norms
        one = slice(image, image + 1)
        distances = measure_block(rows[one], rows, norms[one], norms, same=False)[0]
        distances[image] = -1  # before its copies, which are at distance 0
        return np.argsort(distances, kind="stable")[: n + 1].tolist()
