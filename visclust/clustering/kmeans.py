"""K-means: a k-means++ start, and Lloyd's iterations in the array's namespace or, on a GPU, cuML's.

Rows are assigned by one product, and centres follow the rows that changed cluster. Many rows (`MANY_ROWS`)
on a CPU are done by `growing.py`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from visclust.base.arrays import find_scale, rescale, take_matrix
from visclust.base.backend import get_namespace, is_on_gpu, run_gpu_lloyd
from visclust.base.checks import checked
from visclust.base.distances import find_origin, measure_pairs, square_lengths
from visclust.base.row_views import RowView, view_rows
from visclust.clustering.growing import fit_growing

# From so many rows on, k-means starts on growing samples: below it gains little (benchmarks/scale.md).
MANY_ROWS = 100_000
# Stop when the centres together move less than this share of the mean variance (scikit-learn's rule).
_TOLERANCE = 1e-4
# Up to so many marks a dense product is done before a sparse matrix is even made.
_FEW = 2**15
# Below this share of the squared lengths, a squared distance from products may be rounding.
_CANCELLED = 1e-4
# Centres whose squared distance is below this share of the largest squared length are told apart with care.
_NEAR = 1e-5
# What float64 rounds of a product of some thousand columns, with room.
_ROUNDING = 1e-11


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

    Of 100,000 rows and more on a CPU, the start and the first iterations are done on samples that grow; then
    Lloyd's iterations go on, on all rows, until one lowers the inertia by less than 1 in 50,000. The matrix
    is read in blocks and never copied, so that it may be mapped from a file (NumPy's ``mmap_mode="r"``).

    Parameters
    ----------
    x : ndarray, shape (n, d), float32 or float64
        Rows to cluster.
    n_clusters : int
        K. Where fewer rows are distinct, fewer clusters come back.
    seed : int
        Seed of the start. On a CPU the same seed and number of threads give the same labels, bit for
        bit, and for 100,000 rows and more whatever the number of threads; cuML adds up in an order that
        varies, so there they agree only nearly.
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
    variant with 2 + ln K trials per centre is scikit-learn's. Newling and Fleuret (2016), Nested mini-batch
    k-means, NIPS 29, for samples that grow once the centres move less than chance would move them; Hamerly
    (2010), Making k-means even faster, SDM '10, for the bounds.

    Examples
    --------
    >>> x = np.array([[0.0], [0.1], [9.0], [9.1]], dtype="float32")
    >>> fit = fit_kmeans(x, 2, seed=0)
    >>> bool(fit.labels[0] == fit.labels[1] != fit.labels[2])
    True
    """
    if not isinstance(x, RowView):
        x = take_matrix(x)
    if not 1 <= n_clusters <= len(x):
        raise ValueError(f"Expected between 1 and n = {len(x)} clusters, got {n_clusters}.")
    if n_init < 1:
        raise ValueError(f"Expected at least one start (n_init), got {n_init}.")
    rng = np.random.default_rng(seed)
    many = len(x) >= MANY_ROWS and measure is None and not is_on_gpu(x)
    if many and (view := x if isinstance(x, RowView) else view_rows(x)) is not None:
        return _fit_many(view, n_clusters, rng=rng, n_init=n_init, max_iter=max_iter, whole=view is not x)
    if isinstance(x, RowView):
        x = x[:]
    xp = get_namespace(x)
    scale = find_scale(x)
    scaled = rescale(x)
    origin = find_origin(scaled)
    rows = scaled - origin.astype(scaled.dtype)  # a large common offset would swamp the distances
    starts = (rows[_choose_start(rows, n_clusters, rng=rng, measure=measure)] for _ in range(n_init))
    fits = (_fit_from(rows, start, max_iter=max_iter) for start in starts)
    labels, centers, inertia = min(fits, key=lambda fit: fit[2])
    # Clusters without members (fewer distinct rows than K) leave no gap in the numbering.
    used, compact = xp.unique(labels, return_inverse=True)
    found = ((centers[used] + origin) / scale).astype(x.dtype)
    return KMeansFit(compact.reshape(-1).astype(xp.int64), found, inertia / scale / scale)


def _fit_many(
    view: RowView, n_clusters: int, *, rng: np.random.Generator, n_init: int, max_iter: int, whole: bool
) -> KMeansFit:
    """Fit by growing samples; of a `whole` matrix, seen through the view, the centres are its own."""
    fits = (
        fit_growing(view, n_clusters, rng=rng, choose_start=_choose_start, max_iter=max_iter)
        for _ in range(n_init)
    )
    fit = min(fits, key=lambda fit: fit.inertia)
    sizes = np.bincount(fit.labels, minlength=len(fit.centers))
    labels = (np.cumsum(sizes > 0) - 1)[fit.labels]
    centers = fit.centers[sizes > 0]
    if whole:
        centers = (centers + (0 if view.origin is None else view.origin)) / view.scale
    return KMeansFit(
        labels.astype(np.int64), centers.astype(view.given), fit.inertia / view.scale / view.scale
    )


def _fit_from(rows: Any, start: Any, *, max_iter: int) -> tuple[Any, Any, float]:
    """Run Lloyd's iterations from given centres, with care and in float64 where some are very near."""
    careful = _need_care(rows, start)
    if not careful and (found := run_gpu_lloyd(rows, start, max_iter=max_iter)) is not None:
        return found
    if careful:
        rows, start = rows.astype(np.float64), start.astype(np.float64)
    return _iterate_lloyd(rows, start, max_iter=max_iter, careful=careful)


def _need_care(rows: Any, start: Any) -> bool:
    """Tell whether products in the rows' type could confuse two of the centres, as where rows are far."""
    xp = get_namespace(rows)
    if len(start) < 2:
        return False
    centers = start.astype(xp.float64)
    lengths = (centers * centers).sum(axis=1)
    squares = lengths[:, None] + lengths - 2 * (centers @ centers.T)
    near = squares < _NEAR * float(square_lengths(rows).max())
    first, second = xp.nonzero(near)
    measure_pairs(squares, centers, centers, first, second)
    return bool((near & (squares > 0)).any())  # what is identical no care tells apart


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
    return xp.asarray(chosen)


def _square_distances(x: Any, norms: Any, chosen: Any) -> Any:
    """Measure squared distances from some rows to all, shape (chosen, n), never below 0.

    Those of which the product would leave little are measured again: identical rows are at exactly 0.
    """
    xp = get_namespace(x)
    squares = (x[chosen] * x.dtype.type(-2)) @ x.T
    squares += norms
    squares += norms[chosen][:, None]
    first, second = xp.nonzero(squares < _CANCELLED * (norms[chosen][:, None] + norms))
    measure_pairs(squares, x[chosen], x, first, second)
    xp.maximum(squares, 0, out=squares)
    return squares


def _iterate_lloyd(x: Any, start: Any, *, max_iter: int, careful: bool = False) -> tuple[Any, Any, float]:
    """Run Lloyd's iterations (1982) from given centres: labels (n), centres (k, d), inertia.

    Rows must lie near the origin, since distances come from products. As in scikit-learn, a cluster that
    lost all its members takes over the row farthest from its own centre. With care, near centres are told
    apart by differences, and it goes on until nothing changes: far rows make up nearly all of the variance.
    """
    xp = get_namespace(x)
    norms = square_lengths(x)
    variance = (norms.mean() - (x.mean(axis=0) ** 2).sum()) / x.shape[1]
    tolerance = 0.0 if careful else _TOLERANCE * float(variance)
    k = len(start)
    centers = start
    sums = xp.zeros((k, x.shape[1]))
    sizes = xp.zeros(k, dtype=xp.int64)
    labels = xp.full(len(x), -1)
    for _ in range(max_iter):
        new, nearest = _assign(x, centers, norms, careful=careful)
        changed = xp.flatnonzero(new != labels)
        if not len(changed):
            break
        # Sums in float64 follow the rows that changed cluster: late iterations move few.
        if careful:  # what a far row leaves behind when it is subtracted would be taken for the others
            sums = _sum_rows(x, xp.arange(len(x)), new, k)
        else:
            sums += _sum_rows(x, changed, new[changed], k)
            old = changed[labels[changed] >= 0]
            if len(old):
                sums -= _sum_rows(x, old, labels[old], k)
        labels = new
        sizes = xp.bincount(labels, minlength=k)
        if not bool(sizes.all()):
            labels = _fill_empty(labels, sizes, nearest)
            sizes = xp.bincount(labels, minlength=k)
            sums = _sum_rows(x, xp.arange(len(x)), labels, k)
        moved = (sums / xp.maximum(sizes, 1)[:, None]).astype(x.dtype)
        shift = float(((moved - centers) ** 2).sum())
        centers = moved
        if shift <= tolerance:
            break
    labels, nearest = _assign(x, centers, norms, careful=careful)
    inertia = float(xp.maximum(nearest, 0).sum(dtype=xp.float64))
    return labels, centers, inertia


def _assign(x: Any, centers: Any, norms: Any, *, careful: bool = False) -> tuple[Any, Any]:
    """Find the nearest centre of each row, and the squared distance to it; with care, by differences."""
    xp = get_namespace(x)
    scores = x @ (centers * x.dtype.type(-2)).T
    scores += square_lengths(centers)
    if careful:
        scores += norms[:, None]
        # Everything that rounding could have put in front.
        doubt = _ROUNDING * (norms + float(square_lengths(centers).max()))
        first, second = xp.nonzero(scores <= (scores.min(axis=1) + doubt)[:, None])
        measure_pairs(scores, x, centers, first, second)
        labels = scores.argmin(axis=1)
        return labels, scores[xp.arange(len(x)), labels]
    labels = scores.argmin(axis=1)
    return labels, scores[xp.arange(len(x)), labels] + norms


def find_nearest(x: Any, centers: Any) -> Any:
    """Find the nearest of some centres (k, d) for each row (n, d), whatever their scale: labels (n)."""
    return _assign(x, centers, square_lengths(x), careful=True)[0]


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
