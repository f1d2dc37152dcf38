"""Connected components of a graph whose edges come in blocks."""

from collections.abc import Iterable

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

# Pairs that are collected before they are merged into components.
_PENDING = 2**21


def connect_pairs(pairs: Iterable[tuple[np.ndarray, np.ndarray]], n: int) -> np.ndarray:
    """Find the connected components of n items from blocks of pairs, without holding all pairs at once.

    A block is two arrays with the places of the first and the second of each pair; the components come as
    whole numbers from 0, shape (n,).
    """
    component = np.arange(n)
    pending: list[tuple[np.ndarray, np.ndarray]] = []
    waiting = 0
    for i, j in pairs:
        new = component[i] != component[j]
        pending.append((component[i[new]], component[j[new]]))
        waiting += int(new.sum())
        if waiting > _PENDING:
            component = _merge(component, pending)
            pending, waiting = [], 0
    return _merge(component, pending)


def _merge(component: np.ndarray, pending: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    if not pending:
        return component
    i, j = (np.concatenate(side) for side in zip(*pending, strict=True))
    n = len(component)
    links = coo_matrix((np.ones(len(i), dtype=bool), (i, j)), shape=(n, n))
    return connected_components(links, directed=False)[1][component]
