"""What the iterations on one embedding share: centred rows, their distances, and fits already made."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from visclust.base.backend import get_namespace, is_on_gpu
from visclust.base.distances import center_rows, choose_block_size, map_blocks, measure_block, square_lengths
from visclust.base.machine import memory_at_hand
from visclust.base.row_views import RowView, view_rows
from visclust.clustering.kmeans import MANY_ROWS
from visclust.clustering.silhouettes import sum_by_cluster

# Up to here one dense product adds up the distances faster than anything that avoids it.
_SMALL = 2048
# Rows added up in float32 at a time, before float64 takes over: keeps the rounding below 1e-6.
_ADDED_IN_FLOAT32 = 256


@dataclass(frozen=True)
class Workspace:
    """Centred rows on their device, all distances where they fit, and results by what they depend on.

    The rows are an array, or a `RowView` of many rows that are not copied.
    """

    rows: Any
    distances: Any | None
    memory_budget: int
    results: dict[Any, Any] | None = field(default_factory=dict)


def fits_in_memory(x: Any, *, memory_budget: int | None = None) -> bool:
    """Tell whether all distances between the rows are held, of float32: never on a GPU."""
    return not is_on_gpu(x) and len(x) ** 2 * 4 <= _choose_budget(memory_budget)


def _choose_budget(memory_budget: int | None) -> int:
    return memory_at_hand() // 3 if memory_budget is None else memory_budget


def open_workspace(
    x: Any, *, memory_budget: int | None = None, hold: bool = True, keep: bool = True
) -> Workspace:
    """Prepare what every iteration on an embedding (n, d) needs.

    All n x n distances are held in float32 where they fit in the budget (bytes; a third of the memory at hand
    by default), and computed anew in blocks where not, as always on a GPU. `hold` is False for work that
    needs few of them: then they are never held. Of many rows no centred copy is made either: they are centred
    block by block when they are used. Results are kept for other settings, or not (`keep`).
    """
    budget = _choose_budget(memory_budget)
    fits = hold and fits_in_memory(x, memory_budget=budget)
    many = len(x) >= MANY_ROWS and not fits and not is_on_gpu(x)
    if many and (view := view_rows(x)) is not None:
        return Workspace(view, None, budget, {} if keep else None)
    rows = center_rows(x)
    distances = _measure_all(rows, memory_budget=budget) if fits else None
    return Workspace(rows, distances, budget, {} if keep else None)


def _measure_all(rows: np.ndarray, *, memory_budget: int) -> np.ndarray:
    """Measure all distances, each pair once."""
    size = choose_block_size(rows, memory_budget=memory_budget)
    norms = square_lengths(rows)
    distances = np.empty((len(rows), len(rows)), dtype=np.float32)
    starts = range(0, len(rows), size)

    def measure(corner: tuple[int, int]) -> None:
        above, beside = (slice(start, start + size) for start in corner)
        same = above == beside
        block = measure_block(rows[above], rows[beside], norms[above], norms[beside], same=same)
        distances[above, beside] = block
        if not same:
            distances[beside, above] = block.T

    for _ in map_blocks(measure, ((i, j) for i in starts for j in starts if j >= i), rows):
        pass
    return distances


def sum_distances(
    workspace: Workspace, remaining: np.ndarray, codes: np.ndarray, *, n_clusters: int, progress: bool = False
) -> Any:
    """Sum the distances from each remaining row to the members of each cluster: (m, n_clusters), float64.

    `remaining` (m) are row numbers, `codes` (m) their clusters from 0 to n_clusters - 1.
    """
    if workspace.distances is None:
        xp = get_namespace(workspace.rows)
        return sum_by_cluster(
            workspace.rows[xp.asarray(remaining)],  # of a view as well an array: each row is read often
            codes,
            n_clusters=n_clusters,
            memory_budget=min(workspace.memory_budget, 2**27),
            progress=progress,
        )
    if len(workspace.rows) == len(remaining) <= _SMALL:
        marks = np.zeros((len(codes), n_clusters), dtype=np.float32)
        marks[np.arange(len(codes)), codes] = 1
        return (workspace.distances @ marks).astype(np.float64)
    # Each piece of a cluster adds up whole rows of the (symmetric) matrix: no distance is copied.
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes, minlength=n_clusters)
    pieces = [
        (code, order[start : min(start + _ADDED_IN_FLOAT32, end)])
        for code, end, size in zip(range(n_clusters), np.cumsum(sizes), sizes, strict=True)
        for start in range(end - size, end, _ADDED_IN_FLOAT32)
    ]
    groups = np.array_split(np.arange(len(pieces)), min(len(pieces), 64))

    def add_up(group: np.ndarray) -> np.ndarray:
        members = [remaining[pieces[piece][1]] for piece in group]
        columns = np.concatenate(members)
        ends = np.cumsum([len(rows) for rows in members])
        marks = sparse.csr_array(
            (np.ones(len(columns), dtype=np.float32), columns, np.concatenate([[0], ends])),
            shape=(len(group), len(workspace.rows)),
        )
        return (marks @ workspace.distances)[:, remaining]

    sums = np.zeros((n_clusters, len(remaining)))
    for group, added in zip(groups, map_blocks(add_up, groups, workspace.rows), strict=True):
        for piece, row in zip(group, added, strict=True):
            sums[pieces[piece][0]] += row
    return sums.T


def narrow_workspace(workspace: Workspace, some: np.ndarray) -> Workspace:
    """Make a workspace of some of the rows, with their distances if they are few."""
    xp = get_namespace(workspace.rows)
    rows = workspace.rows[xp.asarray(some)]
    if workspace.distances is not None:
        distances = workspace.distances[np.ix_(some, some)]
    elif not is_on_gpu(rows) and len(rows) <= _SMALL:
        distances = _measure_all(rows, memory_budget=workspace.memory_budget)
    else:
        distances = None
    return Workspace(rows, distances, workspace.memory_budget)


def select_rows(workspace: Workspace, remaining: np.ndarray) -> Any:
    """Give the remaining rows, by number: an array, or a view where the workspace has one."""
    if isinstance(workspace.rows, RowView):
        return workspace.rows.select(remaining)
    return workspace.rows[get_namespace(workspace.rows).asarray(remaining)]


def measure_squares(workspace: Workspace, remaining: np.ndarray) -> Callable[[Any], Any] | None:
    """Make `fit_kmeans` its `measure` where all distances are held; None where they are not.

    It takes numbers of rows among the m remaining, and gives their squared distances to all m: (rows, m).
    """
    held = workspace.distances
    if held is None:
        return None
    return lambda chosen: held[np.ix_(remaining[chosen], remaining)] ** 2


def recall(workspace: Workspace, key: Any, make: Callable[[], Any]) -> Any:
    """Give the result that was made for this key, or make and keep it.

    The key holds everything that the result depends on beside the rows.
    """
    if workspace.results is None:
        return make()
    if key not in workspace.results:
        workspace.results[key] = make()
    return workspace.results[key]
