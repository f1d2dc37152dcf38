"""K-means over shards: a start on a sample, then passes in which each shard gives the sums of its clusters.

The sums are float64 and are added in the order of the shards, so that the centres are the same bits for any
number of workers, and wherever these are.
"""

from typing import Any, NamedTuple

import numpy as np

from visclust.base.distances import square_lengths
from visclust.base.progress import WorkBar
from visclust.clustering.kmeans import fit_kmeans
from visclust.clustering.nearest import assign_block
from visclust.scale.executors import Executor
from visclust.scale.row_files import ShardedRows, iterate_blocks

# As on one machine: stop when the centres together move less than this share of the mean variance.
_TOLERANCE = 1e-4
_MOST_PASSES = 300
# After a start on a sample of the rows: stop when a pass gains less than this share of the inertia.
_LITTLE = 1e-4


class ShardedFit(NamedTuple):
    """Labels from 0 without gaps (m), centres in that order (k, d; float64), and the inertia."""

    labels: np.ndarray
    centers: np.ndarray
    inertia: float


class _Sums(NamedTuple):
    """What a shard adds: sums (k, d) and counts (k) of clusters, squares, and its labels if asked for."""

    sums: np.ndarray
    counts: np.ndarray
    inertia: float
    squares: float
    labels: np.ndarray | None


def fit_shards(
    rows: ShardedRows,
    remaining: np.ndarray,
    n_clusters: int,
    *,
    seed: int,
    start_size: int,
    executor: Executor,
    progress: bool = False,
) -> ShardedFit:
    """Fit k-means to the rows with these sorted numbers (m).

    Where there are at most `start_size` of them the start is that of `fit_kmeans` on all; otherwise k-means
    on a sample of so many gives the first centres, and the passes over all rows are few. A cluster that loses
    all its rows, which is rare after such a start, keeps its centre, and is left out at the end.
    """
    whole = len(remaining) <= start_size
    sample = remaining
    if not whole:
        chosen = np.random.default_rng([seed, 1]).choice(len(remaining), start_size, replace=False)
        sample = remaining[np.sort(chosen)]
    # One iteration of Lloyd's on all rows is one on the way that the passes go on.
    start = fit_kmeans(rows[sample], n_clusters, seed=seed, max_iter=1 if whole else _MOST_PASSES)
    centers = np.asarray(start.centers, dtype=np.float64)
    pieces = [_pack(some) for some in rows.files.split(remaining)]
    before = np.inf
    for _ in range(_MOST_PASSES):
        total = _pass_over(rows, pieces, centers, executor, progress=progress)
        found = total.counts > 0
        moved = np.where(found[:, None], total.sums / np.maximum(total.counts, 1)[:, None], centers)
        shift = float(((moved - centers) ** 2).sum())
        mean = total.sums.sum(axis=0) / len(remaining)
        variance = (total.squares / len(remaining) - float(mean @ mean)) / len(mean)
        centers = moved
        little = not whole and before - total.inertia <= _LITTLE * total.inertia
        if shift <= _TOLERANCE * variance or little:
            break
        before = total.inertia
    total = _pass_over(rows, pieces, centers, executor, with_labels=True, progress=progress)
    assert total.labels is not None
    used, compact = np.unique(total.labels, return_inverse=True)
    return ShardedFit(compact.reshape(-1).astype(np.int32), centers[used], total.inertia)


def _pass_over(
    rows: ShardedRows,
    pieces: list[tuple[np.ndarray, int]],
    centers: np.ndarray,
    executor: Executor,
    *,
    with_labels: bool = False,
    progress: bool = False,
) -> _Sums:
    """Assign all rows to the nearest centre, and add up what the shards give, in their order."""
    sums, counts = np.zeros(centers.shape), np.zeros(len(centers), dtype=np.int64)
    inertia, squares = 0.0, 0.0
    labels: list[Any] = []
    tasks = (
        (path, *piece, rows.origin, centers, with_labels)
        for path, piece in zip(rows.files.matrices, pieces, strict=True)
    )
    found = executor.map(assign_shard, tasks)
    total = len(pieces)
    for each in WorkBar(found, total=total, desc="k-means", unit="shard", leave=False, progress=progress):
        sums += each.sums
        counts += each.counts
        inertia += each.inertia
        squares += each.squares
        labels.append(each.labels)
    return _Sums(sums, counts, inertia, squares, np.concatenate(labels) if with_labels else None)


def _pack(some: np.ndarray) -> tuple[np.ndarray, int]:
    """Pack sorted numbers of rows of a shard into a bit per row, and say how many bits count."""
    n = int(some[-1]) + 1 if len(some) else 0
    bits = np.zeros(n, dtype=bool)
    bits[some] = True
    return np.packbits(bits), n


def assign_shard(
    path: str,
    bits: np.ndarray,
    n: int,
    origin: np.ndarray,
    centers: np.ndarray,
    with_labels: bool,  # noqa: FBT001 - tasks have plain arguments in order
) -> _Sums:
    """Assign the marked rows of a shard: the part of a pass that one worker does."""
    some = np.flatnonzero(np.unpackbits(bits, count=n))
    sums, counts = np.zeros(centers.shape), np.zeros(len(centers), dtype=np.int64)
    labels = np.empty(len(some), dtype=np.int32)
    inertia, squares = 0.0, 0.0
    for part, rows in iterate_blocks(path, some, origin):
        found = assign_block(rows, centers)
        labels[part] = found.labels
        sums += found.sums
        counts += found.counts
        inertia += float(found.squares.sum())
        squares += float(square_lengths(rows).sum(dtype=np.float64))
    return _Sums(sums, counts, inertia, squares, labels if with_labels else None)
