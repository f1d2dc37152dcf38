"""Find all pairs of rows of an embedding within a distance, in blocks, wherever the array is."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from visclust.base.backend import get_namespace, to_host
from visclust.base.distances import center_rows, choose_block_size, map_blocks, measure_block

__all__ = ["METRICS", "iterate_close_rows", "measure_from_row", "prepare_rows"]

METRICS = ("cosine", "euclidean")


def prepare_rows(x: Any, *, metric: str) -> Any:
    """Make rows whose Euclidean distances tell the distances of the metric.

    Parameters
    ----------
    x : ndarray, shape (n, d), float32 or float64
        The embedding.
    metric : {"cosine", "euclidean"}
        For "cosine" rows are scaled to length 1: their squared Euclidean distance is twice the cosine
        distance (1 - cosine similarity).

    Returns
    -------
    ndarray, shape (n, d), float32
        Centred rows.

    Raises
    ------
    ValueError
        If the metric is unknown, or a row has no direction because it is all zeros.

    Examples
    --------
    >>> prepare_rows(np.array([[2.0, 0.0], [0.0, 3.0]]), metric="cosine").tolist()
    [[0.5, -0.5], [-0.5, 0.5]]
    """
    if metric not in METRICS:
        raise ValueError(f'Expected metric "cosine" or "euclidean", got {metric!r}.')
    if metric == "euclidean":
        return center_rows(x)
    xp = get_namespace(x)
    lengths = xp.sqrt(xp.square(x, dtype=xp.float64).sum(axis=1))
    if bool((lengths == 0).any()):
        row = int(xp.argmin(lengths))
        raise ValueError(
            f'Row {row} of the embedding is all zeros and has no cosine: take metric="euclidean".'
        )
    return center_rows(x / lengths[:, None])


def iterate_close_rows(
    rows: Any, *, threshold: float, metric: str, memory_budget: int = 2**27
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give all pairs of rows within a distance, a block at a time.

    All n² / 2 distances are computed, and no more of them are held at once than the budget allows.

    Parameters
    ----------
    rows : ndarray, shape (n, d), float32
        From `prepare_rows`, of the same metric.
    threshold : float
        Distance at most.
    metric : {"cosine", "euclidean"}
        Which.
    memory_budget : int, bytes, default 128 MB
        For the blocks.

    Yields
    ------
    tuple of numpy.ndarray
        Positions of the first and of the second of each pair.

    Examples
    --------
    >>> rows = prepare_rows(np.array([[0.0], [1.0], [5.0]]), metric="euclidean")
    >>> [(i.tolist(), j.tolist()) for i, j in iterate_close_rows(rows, threshold=1, metric="euclidean")]
    [([0], [1])]
    """
    xp = get_namespace(rows)
    limit = (2 * threshold) ** 0.5 if metric == "cosine" else threshold
    norms = (rows * rows).sum(axis=1)
    size = choose_block_size(rows, memory_budget=memory_budget)
    starts = range(0, len(rows), size)

    def search(corner: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        (i, j), same = corner, corner[0] == corner[1]
        a, b = slice(i, i + size), slice(j, j + size)
        close = measure_block(rows[a], rows[b], norms[a], norms[b], same=same) <= limit
        first, second = (to_host(side) for side in xp.nonzero(xp.triu(close, 1) if same else close))
        return first + i, second + j

    for first, second in map_blocks(search, ((i, j) for i in starts for j in starts if i <= j), rows):
        if len(first):
            yield first, second


def measure_from_row(rows: Any, *, metric: str) -> Callable[[int, np.ndarray], np.ndarray]:
    """Make the function that measures from one row to others.

    Parameters
    ----------
    rows : ndarray, shape (n, d), float32
        From `prepare_rows`, of the same metric.
    metric : {"cosine", "euclidean"}
        Which.

    Returns
    -------
    callable
        From a position, and an array of positions, to an array of distances in float64.

    Examples
    --------
    >>> measure = measure_from_row(np.array([[0.0], [3.0]]), metric="euclidean")
    >>> measure(0, np.array([0, 1])).tolist()
    [0.0, 3.0]
    """
    xp = get_namespace(rows)

    def measure(one: int, others: np.ndarray) -> np.ndarray:
        gaps = rows[xp.asarray(others)].astype(xp.float64) - rows[one]
        squares = to_host((gaps * gaps).sum(axis=1))
        return squares / 2 if metric == "cosine" else np.sqrt(squares)

    return measure
