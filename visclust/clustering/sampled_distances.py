"""Distances from some rows to others: in many small blocks at once, or summed by the others' clusters."""

from collections.abc import Callable
from typing import Any

import numpy as np

from visclust.base.backend import get_namespace, to_host
from visclust.base.distances import (
    choose_block_size,
    map_blocks,
    measure_block,
    square_lengths,
)
from visclust.base.progress import WorkBar
from visclust.clustering.silhouettes import mark_members

GetRows = Callable[[np.ndarray], Any]

CHUNK = 8192  # rows read at a time
_BUDGET = 2**27  # bytes for blocks of distances
# As in `measure_block`: below this share of the squared lengths float32 may have cancelled a distance.
_CANCELLATION = 0.01


def measure_stacks(rows: Any, others: Any, stacks: int) -> Any:
    """Measure distances within stacks: the first part of the rows to the first part of the others, and so on.

    Rows (stacks * m, d) and others (stacks * p, d) give (stacks, m, p), each block as from `measure_block`.
    """
    xp = get_namespace(rows)
    m, p = len(rows) // stacks, len(others) // stacks
    lengths, other_lengths = square_lengths(rows), square_lengths(others)
    above = (rows * np.float32(-2)).reshape(stacks, m, rows.shape[1])
    block = above @ others.reshape(stacks, p, rows.shape[1]).swapaxes(1, 2)
    norms, other_norms = lengths.reshape(stacks, m, 1), other_lengths.reshape(stacks, 1, p)
    block += norms
    block += other_norms
    if block.min() < _CANCELLATION * (lengths.max() + other_lengths.max()):
        close = block < _CANCELLATION * (norms + other_norms)
        stack, first, second = xp.nonzero(close)
        if len(stack) > block.size // 64:  # many: each block has its way to measure them
            parts = ((slice(i * m, (i + 1) * m), slice(i * p, (i + 1) * p)) for i in range(stacks))
            return xp.stack(
                [
                    measure_block(rows[i], others[j], lengths[i], other_lengths[j], same=False)
                    for i, j in parts
                ]
            )
        flat = block.reshape(stacks * m, p)
        for start in range(0, len(stack), 4096):
            some = slice(start, start + 4096)
            i, j = stack[some] * m + first[some], stack[some] * p + second[some]
            difference = rows[i].astype(xp.float64) - others[j]
            flat[i, second[some]] = (difference * difference).sum(axis=1)
    xp.maximum(block, 0, out=block)
    return xp.sqrt(block, out=block)


def sum_blocks(rows: Any, others: Any, codes: np.ndarray, *, n_clusters: int) -> Any:
    """Sum the distances from rows (m, d) to others (p, d) by the clusters of these: (m, k), float64."""
    xp = get_namespace(rows)
    order = np.argsort(codes, kind="stable")
    others, codes = others[xp.asarray(order)], codes[order]
    norms, other_norms = square_lengths(rows), square_lengths(others)
    size = choose_block_size(rows, memory_budget=_BUDGET)
    sums = xp.zeros((len(rows), n_clusters))
    for j in range(0, len(others), size):
        beside = slice(j, j + size)
        marks = mark_members(codes[beside], xp)
        first = int(codes[j])
        for i in range(0, len(rows), size):
            above = slice(i, i + size)
            block = measure_block(rows[above], others[beside], norms[above], other_norms[beside], same=False)
            sums[above, first : first + marks.shape[1]] += block @ marks
    return sums


def sum_from(
    get_rows: GetRows, chosen: np.ndarray, codes: np.ndarray, *, n_clusters: int, bar: WorkBar, share: float
) -> np.ndarray:
    """Sum the distances from chosen rows to all members of every cluster, read in their order: (m, k)."""
    rows = get_rows(chosen)
    starts = list(range(0, len(codes), CHUNK))

    def add_up(start: int) -> Any:
        span = np.arange(start, min(start + CHUNK, len(codes)))
        return sum_blocks(rows, get_rows(span), codes[span], n_clusters=n_clusters)

    sums = get_namespace(rows).zeros((len(chosen), n_clusters))
    for added in map_blocks(add_up, starts, rows):
        sums += added
        bar.update(share * len(chosen) / len(starts))
    return to_host(sums)
