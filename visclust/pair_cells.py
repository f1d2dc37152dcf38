"""The cells that pairs are drawn from: every pair of images lies in one pair of clusters, in one stratum.

Parts of `visclust.pairs`; use `sample_pairs`.
"""

from typing import NamedTuple

import numpy as np
from sklearn.metrics.pairwise import euclidean_distances

__all__ = [
    "NEIGHBOURING",
    "RANDOM",
    "UNASSIGNED",
    "WITHIN",
    "Cells",
    "Members",
    "draw_balanced",
    "draw_simply",
    "find_images",
    "find_neighbours",
    "group_rows",
    "list_cells",
]

UNASSIGNED = -1
WITHIN, NEIGHBOURING, RANDOM = 0, 1, 2


class Cells(NamedTuple):
    """Pairs of clusters: the two clusters, the pairs of images they hold, the number of their stratum."""

    first: np.ndarray
    second: np.ndarray
    capacity: np.ndarray
    stratum: np.ndarray


class Members(NamedTuple):
    """Row numbers grouped by cluster: where each group starts in `order`, its size and its label."""

    order: np.ndarray
    start: np.ndarray
    size: np.ndarray
    label: np.ndarray


def group_rows(labels: np.ndarray) -> Members:
    """Group row numbers by cluster.

    Parameters
    ----------
    labels : int array, shape (n,)
        Cluster of each row, -1 for unassigned.

    Returns
    -------
    Members
        The groups in order of their label; the unassigned rows are a group of their own.

    Examples
    --------
    >>> group_rows(np.array([1, 0, 1])).order.tolist()
    [1, 0, 2]
    """
    label, size = np.unique(labels, return_counts=True)
    return Members(np.argsort(labels, kind="stable"), np.cumsum(size) - size, size, label)


def find_neighbours(x: np.ndarray, members: Members, n_neighbours: int) -> np.ndarray:
    """Mark which clusters are neighbours: one is among the nearest of the other, by distance of centres.

    Parameters
    ----------
    x : float array, shape (n, d)
        The embedding.
    members : Members
        Its rows by cluster, k groups.
    n_neighbours : int
        Nearest clusters of each cluster that count.

    Returns
    -------
    bool array, shape (k, k)
        Symmetric; unassigned rows have no neighbours.

    Examples
    --------
    >>> near = find_neighbours(np.array([[0.0], [1.0], [9.0]]), group_rows(np.arange(3)), 1)
    >>> bool(near[0, 1]), bool(near[1, 2]), bool(near[0, 2])
    (True, True, False)
    """
    n_groups = len(members.label)
    near = np.zeros((n_groups, n_groups), dtype=bool)
    real = np.flatnonzero(members.label != UNASSIGNED)
    if len(real) < 2:
        return near
    sums = np.add.reduceat(x[members.order].astype(np.float64), members.start, axis=0)
    centres = (sums / members.size[:, None])[real]
    distances = euclidean_distances(centres)
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, : min(n_neighbours, len(real) - 1)]
    near[real[:, None], real[nearest]] = True
    return near | near.T


def list_cells(members: Members, near: np.ndarray) -> Cells:
    """List the cells with at least one pair of images, each with its stratum.

    Parameters
    ----------
    members : Members
        Rows by cluster, k groups.
    near : bool array, shape (k, k)
        Which clusters are neighbours.

    Returns
    -------
    Cells
        Together they hold each of the n (n - 1) / 2 pairs once.

    Examples
    --------
    >>> members = group_rows(np.array([0, 0, 1]))
    >>> list_cells(members, np.zeros((2, 2), dtype=bool)).capacity.tolist()
    [1, 2]
    """
    first, second = np.triu_indices(len(members.label))
    own = first == second
    size = members.size.astype(np.int64)
    capacity = np.where(own, size[first] * (size[first] - 1) // 2, size[first] * size[second])
    stratum = np.full(len(first), RANDOM, dtype=np.int8)
    stratum[near[first, second]] = NEIGHBOURING
    stratum[own & (members.label[first] != UNASSIGNED)] = WITHIN
    filled = capacity > 0
    return Cells(first[filled], second[filled], capacity[filled], stratum[filled])


def draw_simply(capacity: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Draw a simple random sample, without replacement, over all cells together.

    Parameters
    ----------
    capacity : int array, shape (m,)
        Pairs in each cell.
    n : int
        Pairs to draw, at most the sum of `capacity`.
    rng : numpy.random.Generator
        Where the chance comes from.

    Returns
    -------
    tuple of three arrays, shape (n,)
        Cell of each pair drawn, its rank in the cell, its inclusion probability.

    Examples
    --------
    >>> draw_simply(np.array([3, 1]), 2, np.random.default_rng(0))[2].tolist()
    [0.5, 0.5]
    """
    ends = np.cumsum(capacity)
    drawn = rng.choice(int(ends[-1]), size=n, replace=False)
    cell = np.searchsorted(ends, drawn, side="right")
    return cell, drawn - (ends - capacity)[cell], np.full(n, n / ends[-1])


def draw_balanced(capacity: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Draw the same number from each cell as far as it has that many; a remainder goes to cells by lot.

    Parameters
    ----------
    capacity : int array, shape (m,)
        Pairs in each cell.
    n : int
        Pairs to draw, at most the sum of `capacity`.
    rng : numpy.random.Generator
        Where the chance comes from.

    Returns
    -------
    tuple of three arrays, shape (n,)
        Cell of each pair drawn, its rank in the cell, and its inclusion probability: the number that the
        cell is expected to give, over the number that it holds.

    Examples
    --------
    >>> draw_balanced(np.array([1, 8, 80]), 5, np.random.default_rng(0))[2].tolist()
    [1.0, 0.25, 0.25, 0.025, 0.025]
    """
    level, above = 0, n + 1  # the most that every cell can give within n; found by halving
    while above - level > 1:
        middle = (level + above) // 2
        level, above = (middle, above) if np.minimum(capacity, middle).sum() <= n else (level, middle)
    given = np.minimum(capacity, level)
    can_give_more = np.flatnonzero(capacity > level)
    left_over = n - int(given.sum())
    expected = given.astype(np.float64)
    if left_over:
        expected[can_give_more] += left_over / len(can_give_more)
        given[rng.choice(can_give_more, size=left_over, replace=False)] += 1
    cell = np.repeat(np.arange(len(capacity)), given)
    rank = np.concatenate(
        [rng.choice(int(capacity[i]), size=given[i], replace=False) for i in np.flatnonzero(given)]
    )
    return cell, rank, (expected / capacity)[cell]


def find_images(
    cells: Cells, members: Members, cell: np.ndarray, rank: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Turn ranks in cells into row numbers.

    Parameters
    ----------
    cells : Cells
        The cells.
    members : Members
        Rows by cluster.
    cell, rank : int array, shape (n,)
        Cell of each pair and its rank there. Inside one cluster pairs are counted 0-1, 0-2, 1-2 and on.

    Returns
    -------
    tuple of two int arrays, shape (n,)
        The two rows of each pair, never the same.

    Examples
    --------
    >>> members = group_rows(np.zeros(3, dtype=int))
    >>> cells = list_cells(members, np.zeros((1, 1), dtype=bool))
    >>> left, right = find_images(cells, members, np.zeros(3, dtype=int), np.arange(3))
    >>> list(zip(left.tolist(), right.tolist()))
    [(0, 1), (0, 2), (1, 2)]
    """
    first, second = cells.first[cell], cells.second[cell]
    upper = ((1 + np.sqrt(1 + 8 * rank.astype(np.float64))) // 2).astype(np.int64)
    width = members.size[second]
    own = first == second
    i = np.where(own, rank - upper * (upper - 1) // 2, rank // width)
    j = np.where(own, upper, rank % width)
    return members.order[members.start[first] + i], members.order[members.start[second] + j]
