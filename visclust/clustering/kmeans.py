"""K-means: a k-means++ start, and Lloyd's iterations in the array's namespace or, on a GPU, cuML's.

Rows are assigned by one product, and centres follow the rows that changed cluster.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from visclust.base.backend import check_embedding, get_namespace, is_on_gpu, run_gpu_lloyd
from visclust.base.checks import checked
from visclust.base.distances import square_lengths

# Stop when the centres together move less than this share of the mean variance (scikit-learn's rule).
_TOLERANCE = 1e-4
# Up to so many marks a dense product is done before a sparse matrix is even made.
_FEW = 2**15


class KMeansFit(NamedTuple):
    """Labels from 0 without gaps, centres in that order, and the sum of squared distances to them."""

    labels: Any
    centers: Any
    inertia: float


@checked
def fit_kmeans(
    x: Any,
    n_clusters: int,
    *,
    seed: int,
    n_init: int = 1,
    max_iter: int = 300,
    measure: Callable[[Any], Any] | None = None,
) -> KMeansFit:
    """Fit k-means (greedy k-means++ start, Lloyd's iterations) on the device that the array is on.

    Parameters
    ----------
    x : ndarray, shape (n, d), float32 or float64
        Rows to cluster.
    n_clusters : int
        K. Where fewer rows are distinct, fewer clusters come back.
    seed : int
        Seed of the start. On a CPU the same seed and number of threads give the same labels, bit for
        bit; cuML adds up in an order that varies, so there they agree only nearly.
    n_init : int, default 1
        Starts that are really run; the one with the smallest inertia is returned.
    max_iter : int, default 300
        Lloyd iterations at most per start.
    measure : callable, optional
        Gives the squared distances from some rows, by number, to all: shape (rows, n). Where they are held
        already, the start costs next to nothing.

    Returns
    -------
    KMeansFit
        ``labels`` (int array, n), ``centers`` (k, d), ``inertia``.

    Raises
    ------
    ValueError
        If `n_clusters` is below 1 or above n, or `n_init` below 1.

    Source
    ------
    Arthur and Vassilvitskii (2007), k-means++: the advantages of careful seeding, SODA '07; the greedy
    variant with 2 + ln K trials per centre is scikit-learn's.

    Examples
    --------
    >>> x = np.array([[0.0], [0.1], [9.0], [9.1]], dtype="float32")
    >>> fit = fit_kmeans(x, 2, seed=0)
    >>> bool(fit.labels[0] == fit.labels[1] != fit.labels[2])
    True
    """
    check_embedding(x)
    if not 1 <= n_clusters <= len(x):
        raise ValueError(f"Expected between 1 and n = {len(x)} clusters, got {n_clusters}.")
    if n_init < 1:
        raise ValueError(f"Expected at least one start (n_init), got {n_init}.")
    rng = np.random.default_rng(seed)
    mean = x.mean(axis=0)
    rows = x - mean  # a large common offset would swamp the distances
    starts = (rows[_choose_start(rows, n_clusters, rng=rng, measure=measure)] for _ in range(n_init))
    fits = (
        run_gpu_lloyd(rows, start, max_iter=max_iter) or _iterate_lloyd(rows, start, max_iter=max_iter)
        for start in starts
    )
    labels, centers, inertia = min(fits, key=lambda fit: fit[2])
    xp = get_namespace(x)
    # Clusters without members (fewer distinct rows than K) leave no gap in the numbering.
    used, compact = xp.unique(labels, return_inverse=True)
    return KMeansFit(compact.reshape(-1).astype(xp.int64), centers[used] + mean, inertia)


def _choose_start(
    x: Any, n_clusters: int, *, rng: np.random.Generator, measure: Callable[[Any], Any] | None = None
) -> Any:
    """Choose rows as first centres by greedy k-means++: fewer than K where fewer rows are distinct.

    Chance is drawn on the host, so that CPU and GPU start alike.
    """
    xp = get_namespace(x)
    norms = square_lengths(x)
    trials = 2 + int(np.log(n_clusters))
    chosen = [int(rng.integers(len(x)))]
    measure = measure or (lambda rows: _square_distances(x, norms, rows))
    nearest = measure(xp.asarray(chosen))[0]
    # What float32 leaves between identical rows must not be taken for a distance.
    trace = 1e-6 * float(norms.max())
    nearest[nearest < trace] = 0
    for _ in range(1, n_clusters):
        cumulative = xp.cumsum(nearest, dtype=xp.float64)
        total = float(cumulative[-1])
        if total <= 0:
            break  # every row coincides with a chosen one
        draws = xp.asarray(rng.random(trials) * total)
        candidates = xp.minimum(xp.searchsorted(cumulative, draws, side="right"), len(x) - 1)
        reached = xp.minimum(measure(candidates), nearest)
        best = int(reached.sum(axis=1, dtype=xp.float64).argmin())
        chosen.append(int(candidates[best]))
        nearest = reached[best]
        nearest[nearest < trace] = 0
    return xp.asarray(chosen)


def _square_distances(x: Any, norms: Any, chosen: Any) -> Any:
    """Measure squared distances from some rows to all, shape (chosen, n), never below 0."""
    xp = get_namespace(x)
    squares = (x[chosen] * x.dtype.type(-2)) @ x.T
    squares += norms
    squares += norms[chosen][:, None]
    xp.maximum(squares, 0, out=squares)
    return squares


def _iterate_lloyd(x: Any, start: Any, *, max_iter: int) -> tuple[Any, Any, float]:
    """Run Lloyd's iterations (1982) from given centres: labels (n), centres (k, d), inertia.

    Rows must lie near the origin, since distances come from products. As in scikit-learn, a cluster that
    lost all its members takes over the row farthest from its own centre.
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
