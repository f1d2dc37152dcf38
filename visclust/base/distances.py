"""Exact Euclidean distances in blocks, in float32 where that is safe and in float64 where it is not."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from visclust.base.arrays import rescale
from visclust.base.backend import get_namespace, is_on_gpu, to_host

# Below this share of the squared norms, |a|^2 + |b|^2 - 2ab loses more than about 1e-5 of the distance in
# float32 (its error is about 1e-7 of the norms), so such pairs are measured again in float64.
_CANCELLATION = 0.01
# 512 x 512 float32 is 1 MB: a block and its product stay in a core's own cache.
_CPU_BLOCK = 512
# So many rows, spread over all, tell what is usual among them; a square of lengths beyond so many times the
# usual one is far.
_SOME = 1000
_FAR = 100.0


def center_rows(x: Any) -> Any:
    """Subtract the column means in float64 and give float32: distances stay, large common offsets go.

    Tiny and huge numbers are multiplied by `find_scale`, and so are the distances. Where a few rows lie far
    away the means lie between, and the medians are subtracted. Where float32 could not tell apart what
    float64 does, as groups close in themselves and far from each other, the rows are float64.
    """
    xp = get_namespace(x)
    x = rescale(x)
    origin = find_origin(x)
    centered = xp.empty(x.shape, dtype=xp.float32)
    # In pieces, so that the float64 difference never exists as a whole.
    for start in range(0, len(x), 4096):
        centered[start : start + 4096] = x[start : start + 4096] - origin
    if not is_on_gpu(x) and 2 * count_distinct(centered) <= count_distinct(x):
        return x.astype(np.float64) - origin
    return centered


def find_origin(x: Any) -> Any:
    """Find what to subtract from rows (n, d) so that they lie near 0: the means, in float64 (d).

    The medians of some rows instead, where the means are far outside of what is usual among these.
    """
    xp = get_namespace(x)
    mean = x.mean(axis=0, dtype=xp.float64)
    some = to_host(x[:: -(-len(x) // _SOME)]).astype(np.float64)
    return xp.asarray(settle_origin(to_host(mean), some))


def settle_origin(mean: np.ndarray, some: np.ndarray) -> np.ndarray:
    """Choose between the means (d) of all rows and the medians of some (m, d), spread over all."""
    median = np.median(some, axis=0)
    usual = np.median(((some - median) ** 2).sum(axis=1))
    return mean if ((mean - median) ** 2).sum() <= _FAR * usual else median


def count_distinct(x: np.ndarray) -> int:
    """Count the rows that differ in any bit (0 and -0 are one)."""
    return len({hash((row + 0.0).tobytes()) for row in x})


def square_lengths(rows: Any) -> Any:
    """Give the squared length of each row."""
    # CuPy's einsum would make one product of 1 x d by d x 1 per row of this; NumPy's saves an n x d array.
    return (rows * rows).sum(axis=1) if is_on_gpu(rows) else np.einsum("ij,ij->i", rows, rows)


def measure_block(rows: Any, others: Any, norms: Any, other_norms: Any, *, same: bool) -> Any:
    """Measure all distances (m, p), in the rows' own type, between two sets of rows from `center_rows`.

    `norms` and `other_norms` are their squared lengths; `same` says that both are the same rows. Identical
    rows are at distance exactly 0.
    """
    xp = get_namespace(rows)
    block = (rows * np.float32(-2)) @ others.T
    block += norms[:, None]
    block += other_norms
    if same:
        xp.fill_diagonal(block, np.inf)
    # One cheap pass tells the ordinary block, which has no close pair at all.
    if block.size and block.min() < _CANCELLATION * (norms.max() + other_norms.max()):
        _measure_close_pairs_again(block, rows, others, norms, other_norms)
    xp.maximum(block, 0, out=block)
    if same:
        xp.fill_diagonal(block, 0)
    return xp.sqrt(block, out=block)


def _measure_close_pairs_again(block: Any, rows: Any, others: Any, norms: Any, other_norms: Any) -> None:
    """Replace the squared distances that float32 cancels, in place, by those of float64."""
    xp = get_namespace(block)
    close = block < _CANCELLATION * (norms[:, None] + other_norms)
    first, second = xp.nonzero(close)
    if len(first) > block.size // 64:  # many: one product in float64 costs less than the pairs one by one
        a, b = rows.astype(xp.float64), others.astype(xp.float64)
        # Centred on this block's own mean, which is where its close pairs are.
        origin = a.mean(axis=0)
        a, b = a - origin, b - origin
        precise = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * (a @ b.T)
        block[close] = precise[close]
        # Even float64 leaves a trace between identical rows, and hides what is as small: these one by one.
        trace = 1e-9 * ((a * a).sum(axis=1).max() + (b * b).sum(axis=1).max())
        close &= precise < trace
        if not is_on_gpu(block):  # most of them are identical, which is told at once
            names = [np.array([hash(row.tobytes()) for row in each]) for each in (rows, others)]
            same = close & (names[0][:, None] == names[1])
            block[same] = 0
            close &= ~same
        first, second = xp.nonzero(close)
    measure_pairs(block, rows, others, first, second)


def measure_pairs(squares: Any, rows: Any, others: Any, first: Any, second: Any) -> None:
    """Put the squared distances of some pairs of rows in their places, by differences in float64."""
    xp = get_namespace(squares)
    for start in range(0, len(first), 4096):
        i, j = first[start : start + 4096], second[start : start + 4096]
        difference = rows[i].astype(xp.float64) - others[j]
        squares[i, j] = (difference * difference).sum(axis=1)


def choose_block_size(x: Any, *, memory_budget: int) -> int:
    """Choose how many rows a block has, from the bytes that blocks may take."""
    workers = 1 if is_on_gpu(x) else count_threads()
    # A block of float32, its mask, and the float64 copies that close pairs may need.
    largest = int((memory_budget / workers / 24) ** 0.5)
    return max(16, largest if is_on_gpu(x) else min(largest, _CPU_BLOCK))


def count_threads() -> int:
    """Count the threads that this process may use: those its BLAS was given, at most its cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    given = [info["num_threads"] for info in _controller().info() if info["user_api"] == "blas"]
    return max(1, min([cores, *given]))


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def map_blocks(function: Callable[[Any], Any], items: Iterable[Any], x: Any) -> Iterator[Any]:
    """Apply a function to each item in threads with one BLAS thread each, and give the results in order.

    The results do not depend on the number of threads, since each block is computed by one of
    them and the caller adds them up in order.
    """
    items = list(items)
    if is_on_gpu(x):
        yield from map(function, items)
        return
    threads = min(count_threads(), len(items))
    with _controller().limit(limits=1, user_api="blas"), ThreadPoolExecutor(max(1, threads)) as pool:
        # A window, so that results which wait to be added up stay few.
        waiting = []
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= 8 * threads:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
