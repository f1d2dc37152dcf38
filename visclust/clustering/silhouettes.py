"""Exact Euclidean silhouettes without ever holding all distances."""

from typing import Any

import numpy as np

from visclust.base.arrays import rescale, take_labels, take_matrix
from visclust.base.backend import get_namespace, score_by_cuml
from visclust.base.checks import checked
from visclust.base.distances import center_rows, choose_block_size, map_blocks, measure_block, square_lengths
from visclust.base.progress import WorkBar


@checked
def silhouette_samples(x: Any, labels: Any, *, memory_budget: int = 2**27, engine: str = "blocks") -> Any:
    """Compute the exact Euclidean silhouette of every row.

    Parameters
    ----------
    x : ndarray, shape (n, d), float32 or float64
        Rows; NumPy or CuPy.
    labels : ndarray of int, shape (n,)
        Cluster of each row.
    memory_budget : int, bytes, default 128 MB
        For blocks of distances. Beside it, a centred float32 copy of `x` and one float64 per row and
        cluster are held.
    engine : {"blocks", "cuml"}, default "blocks"
        "blocks" is ours, on CPU and GPU alike. "cuml" is cuML's kernel, for CuPy arrays: a cross-check.

    Returns
    -------
    ndarray, shape (n,), float64
        (b - a) / max(a, b): a is the mean distance to the others of the own cluster, b the smallest
        mean distance to another cluster. 0 for the only member of a cluster. The same values, bit for
        bit, whatever the number of threads.

    Raises
    ------
    ValueError
        If there are fewer than 2 or more than n - 1 clusters, a row or a label is missing, the lengths
        differ, or the engine is unknown.

    Source
    ------
    Rousseeuw (1987), Silhouettes: a graphical aid to the interpretation and validation of cluster
    analysis, Journal of Computational and Applied Mathematics 20, 53-65.

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [10.0], [11.0]], dtype="float32")
    >>> silhouette_samples(x, np.array([0, 0, 1, 1])).round(3).tolist()
    [0.905, 0.895, 0.895, 0.905]
    """
    x = take_matrix(x)
    xp = get_namespace(x)
    used, codes = np.unique(take_labels(labels, n=len(x)), return_inverse=True)
    if not 2 <= len(used) <= len(x) - 1:
        raise ValueError(
            f"Silhouettes need at least 2 clusters and at most n - 1 = {len(x) - 1}, got {len(used)}."
        )
    if engine == "cuml":
        return score_by_cuml(rescale(x), xp.asarray(codes))
    if engine != "blocks":
        raise ValueError(f'Expected engine "blocks" or "cuml", got {engine!r}.')
    sums = sum_by_cluster(center_rows(x), codes, n_clusters=len(used), memory_budget=memory_budget)
    return score_from_sums(sums, xp.asarray(codes))


def sum_by_cluster(
    centered: Any,
    codes: np.ndarray,
    *,
    n_clusters: int,
    memory_budget: int = 2**27,
    progress: bool = False,
) -> Any:
    """Sum the distances from every row to the members of every cluster: shape (n, n_clusters), float64.

    The rows are those of `center_rows` (n, d; float32), the codes (n) clusters from 0 to n_clusters - 1.
    """
    xp = get_namespace(centered)
    # Sorted by cluster, a block of columns spans few clusters, so a narrow 0/1 matrix adds it up.
    order = np.argsort(codes, kind="stable")
    device_order = xp.asarray(order)
    rows, codes = centered[device_order], codes[order]
    norms = square_lengths(rows)
    size = choose_block_size(centered, memory_budget=memory_budget)
    starts = range(0, len(rows), size)
    members = {start: mark_members(codes[start : start + size], xp) for start in starts}

    def measure(corner: tuple[int, int]) -> tuple[int, int, Any, Any]:
        i, j = corner
        above, beside = slice(i, i + size), slice(j, j + size)
        block = measure_block(rows[above], rows[beside], norms[above], norms[beside], same=i == j)
        return i, j, block @ members[j], None if i == j else block.T @ members[i]

    sums = xp.zeros((len(rows), n_clusters))
    # The matrix is symmetric: the blocks below the diagonal are those above it, read the other way.
    corners = [(i, j) for i in starts for j in starts if j >= i]
    with WorkBar(total=len(corners), desc="Silhouettes", unit="block", leave=False, progress=progress) as bar:
        for i, j, to_right, to_left in map_blocks(measure, corners, rows):
            sums[i : i + size, codes[j] : codes[j] + to_right.shape[1]] += to_right
            if to_left is not None:
                sums[j : j + size, codes[i] : codes[i] + to_left.shape[1]] += to_left
            bar.update()
    unsorted = xp.empty_like(sums)
    unsorted[device_order] = sums
    return unsorted


def mark_members(codes: np.ndarray, xp: Any) -> Any:
    """Make a 0/1 matrix, rows by the clusters from the first of these sorted codes to the last."""
    marks = np.zeros((len(codes), codes[-1] - codes[0] + 1), dtype=np.float32)
    marks[np.arange(len(codes)), codes - codes[0]] = 1
    return xp.asarray(marks)


def score_from_sums(sums: Any, codes: Any, *, sizes: Any | None = None) -> Any:
    """Turn the distances summed per cluster, (n, k), into silhouettes (n).

    Each of the clusters 0 to k - 1 has a member; `sizes` (k) are given where the rows here are not all.
    """
    xp = get_namespace(sums)
    rows = xp.arange(len(sums))
    if sizes is None:
        sizes = xp.bincount(codes, minlength=sums.shape[1])
    own_size = sizes[codes]
    within = sums[rows, codes] / xp.maximum(own_size - 1, 1)
    means = sums / sizes
    means[rows, codes] = np.inf
    return compare_with_nearest(within, means, own_size=own_size)


def compare_with_nearest(within: Any, between: Any, *, own_size: Any) -> Any:
    """Compare the distance to the own cluster with the smallest to another: (b - a) / max(a, b).

    `within` (n) is a, `between` (n, k) the distances to all clusters, infinite for the own. The only member
    of its cluster scores 0.
    """
    xp = get_namespace(within)
    nearest = between.min(axis=1)
    larger = xp.maximum(within, nearest)
    scores = (nearest - within) / xp.where(larger > 0, larger, 1)
    return xp.where(own_size > 1, scores, 0.0)


def average_by_cluster(values: Any, codes: Any, *, n_clusters: int) -> Any:
    """Average a value over the rows of each cluster."""
    xp = get_namespace(values)
    totals = xp.bincount(codes, weights=values, minlength=n_clusters)
    return totals / xp.bincount(codes, minlength=n_clusters)


def average_known(scores: np.ndarray, labels: np.ndarray) -> float:
    """Average over images (n); where some are missing, those known of a cluster stand for its others."""
    known = ~np.isnan(scores)
    if known.all() or not known.any():
        return float(scores.mean()) if len(scores) else np.nan
    _, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    counts = np.bincount(codes[known], minlength=len(sizes))
    sums = np.bincount(codes[known], weights=scores[known], minlength=len(sizes))
    means = sums / np.maximum(counts, 1)
    return float((means * sizes)[counts > 0].sum() / sizes[counts > 0].sum())
