"""Lloyd's iterations in the array's namespace: rows are assigned by one product, centres follow changes."""

from typing import Any

import numpy as np
from scipy import sparse

from visclust.base.backend import get_namespace, is_on_gpu
from visclust.base.distances import square_lengths

__all__ = ["iterate_lloyd"]

# Stop when the centres together move less than this share of the mean variance (scikit-learn's rule).
_TOLERANCE = 1e-4
# Up to so many marks a dense product is done before a sparse matrix is even made.
_FEW = 2**15


def iterate_lloyd(x: Any, start: Any, *, max_iter: int) -> tuple[Any, Any, float]:
    """Run Lloyd's iterations from given centres.

    Parameters
    ----------
    x : ndarray, shape (n, d), float32 or float64
        Rows; near the origin, since distances come from products.
    start : ndarray, shape (k, d)
        First centres.
    max_iter : int
        Iterations at most.

    Returns
    -------
    tuple
        Labels (n,), int; centres (k, d), the means of their members; inertia. A cluster that lost all its
        members takes over the row farthest from its own centre, as in scikit-learn.

    Source
    ------
    Lloyd (1982), Least squares quantization in PCM, IEEE Transactions on Information Theory 28, 129-137.

    Examples
    --------
    >>> x = np.array([[-4.0], [-3.0], [7.0]])
    >>> labels, centers, inertia = iterate_lloyd(x, x[[0, 2]], max_iter=10)
    >>> labels.tolist(), centers.ravel().tolist(), round(inertia, 6)
    ([0, 0, 1], [-3.5, 7.0], 0.5)
    """
    xp = get_namespace(x)
    norms = square_lengths(x)
    variance = (norms.mean() - (x.mean(axis=0) ** 2).sum()) / x.shape[1]
    tolerance = _TOLERANCE * float(variance)
    k = len(start)
    centers = start
    sums = xp.zeros((k, x.shape[1]))
    sizes = xp.zeros(k, dtype=xp.int64)
    labels = xp.full(len(x), -1)
    for _ in range(max_iter):
        new, nearest = _assign(x, centers)
        changed = xp.flatnonzero(new != labels)
        if not len(changed):
            break
        # Sums in float64 follow the rows that changed cluster: late iterations move few.
        sums += _sum_rows(x, changed, new[changed], k)
        old = changed[labels[changed] >= 0]
        if len(old):
            sums -= _sum_rows(x, old, labels[old], k)
        labels = new
        sizes = xp.bincount(labels, minlength=k)
        if not bool(sizes.all()):
            labels = _fill_empty(labels, sizes, nearest + norms)
            sizes = xp.bincount(labels, minlength=k)
            sums = _sum_rows(x, xp.arange(len(x)), labels, k)
        moved = (sums / xp.maximum(sizes, 1)[:, None]).astype(x.dtype)
        shift = float(((moved - centers) ** 2).sum())
        centers = moved
        if shift <= tolerance:
            break
    labels, nearest = _assign(x, centers)
    inertia = float(xp.maximum(nearest + norms, 0).sum(dtype=xp.float64))
    return labels, centers, inertia


def _assign(x: Any, centers: Any) -> tuple[Any, Any]:
    """Find the nearest centre of each row, and the squared distance to it less the row's squared length."""
    xp = get_namespace(x)
    scores = x @ (centers * x.dtype.type(-2)).T
    scores += square_lengths(centers)
    labels = scores.argmin(axis=1)
    return labels, scores[xp.arange(len(x)), labels]


def _sum_rows(x: Any, rows: Any, labels: Any, k: int) -> Any:
    """Sum the given rows by their labels, in float64 across clusters."""
    xp = get_namespace(x)
    if is_on_gpu(x) or k * len(rows) <= _FEW:
        marks = xp.zeros((k, len(rows)), dtype=x.dtype)
        marks[labels, xp.arange(len(rows))] = 1
        return (marks @ x[rows]).astype(xp.float64)
    marks = sparse.csr_array((np.ones(len(rows), dtype=x.dtype), (labels, rows)), shape=(k, len(x)))
    return (marks @ x).astype(np.float64)


def _fill_empty(labels: Any, sizes: Any, distances: Any) -> Any:
    """Move the rows farthest from their centres to the clusters without members."""
    xp = get_namespace(labels)
    empty = xp.flatnonzero(sizes == 0)
    # A row alone in its cluster must stay, or that one would be empty next.
    movable = xp.where(sizes[labels] > 1, distances, -xp.inf)
    farthest = xp.argsort(-movable)[: len(empty)]
    filled = labels.copy()
    filled[farthest] = empty
    return filled
