"""Hubs among the rows of an embedding: a few rows that are near neighbours of very many others."""

from typing import Any, NamedTuple

import numpy as np

from visclust.base.backend import get_namespace, to_host
from visclust.base.distances import center_rows, measure_block, square_lengths

_BLOCK = 1_024


class Hubness(NamedTuple):
    """How often rows are among the nearest neighbours of others.

    ``n_neighbours`` looked at per row; ``most`` is how often the most frequent neighbour is one, relative to
    that number (1 on average, n / n_neighbours at most); ``skewness`` of these counts over the rows; and
    ``nobody``, the share of rows that are neighbours of none. ``rows`` were looked at.
    """

    n_neighbours: int
    most: float
    skewness: float
    nobody: float
    rows: int


def measure_hubness(x: Any, *, n_neighbours: int = 10, max_rows: int = 5_000, seed: int = 0) -> Hubness:
    """Measure how often rows (n, d) are among the nearest neighbours of others, by Euclidean distance.

    Of more than `max_rows` a random sample stands for all. The skewness is Radovanović's (2010); with fewer
    than three rows nothing can be said, and the numbers are NaN.
    """
    xp = get_namespace(x)
    if len(x) > max_rows:
        chosen = np.sort(np.random.default_rng(seed).choice(len(x), max_rows, replace=False))
        x = x[xp.asarray(chosen)]
    n = len(x)
    k = min(n_neighbours, n - 1)
    if n < 3:
        return Hubness(max(k, 0), np.nan, np.nan, np.nan, n)
    rows = center_rows(x)
    norms = square_lengths(rows)
    counts = np.zeros(n, dtype=np.int64)
    for start in range(0, n, _BLOCK):
        some = slice(start, start + _BLOCK)
        distances = measure_block(rows[some], rows, norms[some], norms, same=False)
        own = xp.arange(len(distances))
        distances[own, own + start] = np.inf
        found = xp.argpartition(distances, k - 1, axis=1)[:, :k]
        counts += np.bincount(to_host(found).ravel(), minlength=n)
    spread = counts.std()
    skewness = float((((counts - counts.mean()) / spread) ** 3).mean()) if spread > 0 else 0.0
    return Hubness(k, float(counts.max() / k), skewness, float((counts == 0).mean()), n)
