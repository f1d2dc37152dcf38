"""One clustering from several runs: images that most runs put together."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, is_valid_linkage, linkage
from scipy.sparse import csr_matrix

from visclust.base.checks import checked
from visclust.base.components import connect_pairs
from visclust.base.machine import memory_at_hand
from visclust.base.progress import WorkBar
from visclust.base.provenance import recorded
from visclust.base.tables import UNASSIGNED, check_table
from visclust.clustering.runs import stack_runs

_METHODS = ("average", "majority")
# Rows of the co-association matrix at a time: with a thousand images in common per row, a few megabytes.
_BLOCK = 512
# Shares are counts of runs: a share of 0.3 of 10 runs is 3 of them, whatever the division rounds to.
_ROUNDING = 1e-9
# A consensus of two runs is what either says, or what both say: no majority.
_LEAST_SEEDS = 3


class SeedConsensus(NamedTuple):
    """The consensus over a configuration's seeds; `without` has, by seed, that of the other seeds.

    ``of`` names the configuration. What changes when a seed is left out tells what other seeds would change.
    """

    of: str
    clusters: pd.DataFrame
    without: dict[int, pd.DataFrame]


@checked
def add_consensus(
    grid: Mapping[str, pd.DataFrame | Mapping[int, pd.DataFrame] | SeedConsensus],
    *,
    only: Sequence[str] | None = None,
    share: float = 0.5,
    memory_budget: int | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Add to a grid, for each configuration of three seeds or more, the consensus over its seeds.

    It stands beside the mean over the seeds as a configuration of its own, to be scored like the others. It
    is one clustering, so that who chooses it need not choose a seed.

    Parameters
    ----------
    grid : mapping of str to DataFrame or to a mapping of int to DataFrame
        For each configuration a clusters table by seed, of the same images. What has fewer than three stays
        without a consensus.
    only : sequence of str, optional
        Names of the configurations that get one; by default all that can.
    share : float, default 0.5
        As for `find_consensus`, whose average linkage is used.
    memory_budget : int, bytes, optional
        As for `find_consensus`.
    progress : bool, default True
        Show a progress bar over all consensus clusterings: one for all seeds, and one without each of them.

    Returns
    -------
    dict
        The grid in its order, each consensus after its configuration, named "consensus of …": a tuple
        `SeedConsensus` with ``clusters``, its clusters table as `find_consensus` makes it.

    Raises
    ------
    ValueError
        If a name is none of the grid's, or the tables of a configuration are of different images.
    MemoryError
        As for `find_consensus`.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": list("abcd"), "cluster": [0, 0, 1, 1]})
    >>> seeds = {0: table, 1: table, 2: table.assign(cluster=[0, 1, 1, -1])}
    >>> grid = add_consensus({"k = 2": seeds}, progress=False)
    >>> grid["consensus of k = 2"].clusters["cluster"].tolist()
    [0, 0, 1, 1]
    """
    if unknown := [name for name in only or () if name not in grid]:
        raise ValueError(f"Expected names of configurations in only, got {unknown[0]!r}.")
    found: dict[str, Any] = {}
    chosen = [
        name
        for name, runs in grid.items()
        if (only is None or name in only)
        and isinstance(runs, Mapping)
        and len(runs) >= _LEAST_SEEDS
        and name_consensus(name) not in grid
    ]
    total = sum(1 + len(grid[name]) for name in chosen)
    work = f"Finding the consensus of {len(chosen)} configurations"
    with WorkBar(total=total, desc="Consensus", unit="clustering", work=work, progress=progress) as bar:
        for name, runs in grid.items():
            found[name] = runs
            if name not in chosen or not isinstance(runs, Mapping):
                continue
            named = {f"seed {seed}": table for seed, table in runs.items()}
            options: dict[str, Any] = {"share": share, "memory_budget": memory_budget, "progress": False}
            clusters = find_consensus(named, **options)
            bar.update()
            without = {}
            for seed in runs:
                without[seed] = find_consensus(
                    {key: table for key, table in named.items() if key != f"seed {seed}"}, **options
                )
                bar.update()
            found[name_consensus(name)] = SeedConsensus(name, clusters, without)
    return found


def name_consensus(name: str) -> str:
    """Name the consensus over the seeds of a configuration."""
    return f"consensus of {name}"


@recorded
def find_consensus(
    runs: Mapping[str, pd.DataFrame],
    *,
    share: float = 0.5,
    method: str = "average",
    min_size: int = 2,
    memory_budget: int | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Find the clustering that several runs have in common, by how often they put two images together.

    Two images are as close as the share of all runs that puts them into one cluster; a run that leaves one
    of them unassigned does not. What is together in fewer runs than `share` is not together here, so that
    images on which the runs do not agree stay unassigned.

    Parameters
    ----------
    runs : mapping of str to DataFrame
        A clusters table per run, of the same images.
    share : float, default 0.5
        Above 0 and up to 1: the share of runs that makes two images, or two groups of them, one.
    method : {"average", "majority"}, default "average"
        "average": average linkage (evidence accumulation): clusters are merged while their images are
        together in at least `share` of the runs on average. "majority": connected components of the pairs
        that are together in at least `share` of the runs; it needs little memory, but a chain of such
        pairs makes one cluster of images that are hardly ever together.
    min_size : int, default 2
        Clusters of fewer images stay unassigned.
    memory_budget : int, bytes, optional
        For "average", which holds the distances within one component of "majority" at a time, since it can
        merge nothing beyond it: 17 bytes for each pair of its images. Half of the memory at hand by default.
        The paper's 18,096 images take 2.7 GB where all of them hang together.
    progress : bool, default True
        Show a progress bar where it takes more than a second.

    Returns
    -------
    DataFrame
        A clusters table in the order of the first run's: ``image_id, cluster`` (from 0, the largest first;
        -1 = unassigned), ``iteration`` (1, or -1 where unassigned), ``silhouette`` (missing: a consensus
        rests on no distance), and ``agreement`` (the share of the runs in which the image is together with
        the others of its cluster, on average over these; missing where unassigned).

    Raises
    ------
    ValueError
        If the runs are of different images or of none, or a setting is out of range.
    MemoryError
        If a component does not fit in the budget; says what to do.

    Notes
    -----
    Shares of a few runs are often equal, and average linkage then depends a little on the order of images:
    keep the order of the images table. On the example corpus "majority" joined most of the images by chains,
    and agreed with the known groups less than any single run; take it where memory leaves no choice.

    Source
    ------
    Fred and Jain (2005), Combining multiple clusterings using evidence accumulation, IEEE Transactions on
    Pattern Analysis and Machine Intelligence 27, 835-850.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": list("abcd"), "cluster": [0, 0, 1, 1], "iteration": 1,
    ...                       "silhouette": 0.5})
    >>> runs = {"one": table, "two": table, "three": table.assign(cluster=[0, 1, 1, -1])}
    >>> find_consensus(runs)[["cluster", "agreement"]].round(2).values.tolist()
    [[0.0, 0.67], [0.0, 0.67], [1.0, 0.67], [1.0, 0.67]]
    """
    if method not in _METHODS:
        raise ValueError(f"Expected one of {', '.join(_METHODS)} as method, got {method!r}.")
    if not 0 < share <= 1:
        raise ValueError(f"Expected share above 0 and up to 1, got {share!r}.")
    if min_size < 1:
        raise ValueError(f"Expected min_size of at least 1, got {min_size!r}.")
    stacked = stack_runs(runs)
    if not len(stacked.image_ids):
        raise ValueError("Expected runs of at least one image, got empty clusters tables.")
    marks = _mark(stacked.labels)
    n_runs = len(stacked.names)
    n = marks.shape[0]
    bar = WorkBar(
        total=2 * n if method == "average" else n,
        desc="Consensus",
        unit="image",
        work=f"Finding what {n_runs} runs of {n:,} images have in common",
        progress=progress,
    )
    with bar:
        groups = connect_pairs(_iterate_often_together(marks, share * n_runs - _ROUNDING, bar), n)
        if method == "average":
            budget = memory_at_hand() // 2 if memory_budget is None else memory_budget
            groups = _split_by_average(marks, groups, n_runs, share, budget, bar)
    labels = _number_by_size(groups, min_size)
    assigned = labels != UNASSIGNED
    table = pd.DataFrame(
        {
            "image_id": stacked.image_ids,
            "cluster": labels,
            "iteration": np.where(assigned, 1, UNASSIGNED),
            "silhouette": np.nan,
            "agreement": _count_together(stacked.labels, labels) / n_runs,
        }
    )
    return check_table(table, "clusters")


def _count_together(run_labels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Count in how many runs each image is together with the others of its cluster, on average over these.

    NaN where the image is unassigned or alone in its cluster.
    """
    total = np.zeros(len(labels))
    for column in run_labels.T:
        there = np.flatnonzero((column != UNASSIGNED) & (labels != UNASSIGNED))
        pairs = np.column_stack([labels[there], column[there]])
        _, which, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
        total[there] += counts[which.ravel()] - 1
    _, which, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    others = np.where(labels == UNASSIGNED, 0, sizes[which] - 1)
    return np.divide(total, others, out=np.full(len(labels), np.nan), where=others > 0)


def _mark(labels: np.ndarray) -> csr_matrix:
    """Make the sparse matrix that marks each image's cluster in each run: a column per run and cluster."""
    n, n_runs = labels.shape
    rows, run = np.nonzero(labels != UNASSIGNED)
    keys = np.column_stack([run, labels[rows, run]])
    columns = np.unique(keys, axis=0, return_inverse=True)[1].ravel()
    # Counts of runs fit in a byte up to 127, and products take the type of their factors.
    kind = np.int8 if n_runs < 128 else np.int32
    width = int(columns.max(initial=-1)) + 1
    return csr_matrix((np.ones(len(rows), dtype=kind), (rows, columns)), shape=(n, width))


def _iterate_often_together(
    marks: csr_matrix, least: float, bar: WorkBar
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give the pairs that are together in at least so many runs, a block of rows at a time."""
    turned = marks.T.tocsr()
    for start in range(0, marks.shape[0], _BLOCK):
        together = (marks[start : start + _BLOCK] @ turned).tocoo()
        often = (together.data >= least) & (together.row + start < together.col)
        yield together.row[often].astype(np.int64) + start, together.col[often].astype(np.int64)
        bar.update(min(_BLOCK, marks.shape[0] - start))


def _split_by_average(
    marks: csr_matrix, groups: np.ndarray, n_runs: int, share: float, budget: int, bar: WorkBar
) -> np.ndarray:
    """Split each component by average linkage.

    No two components have a pair that is together often enough, hence no average of such pairs is.
    """
    order = np.argsort(groups, kind="stable")
    split = np.empty(len(groups), dtype=np.int64)
    done = 0
    for members in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        parts = np.ones(len(members), dtype=np.int64)
        if len(members) > 2:
            _check_memory(len(members), budget)
            parts = _cut_average_linkage(marks[members], n_runs, share, bar)
        else:
            bar.update(len(members))
        split[members] = parts + done
        done += int(parts.max())
    return split


def _check_memory(n: int, budget: int) -> None:
    # The distances, SciPy's own copy of them, and its check that they are finite.
    needed = 17 * n * (n - 1) // 2
    if needed > budget:
        raise MemoryError(
            f"{n:,} images hang together in the runs, and average linkage among them takes "
            f"{needed / 2**30:.1f} GB, where {budget / 2**30:.1f} GB are allowed. Raise share, which makes "
            "smaller components; or take method='majority'; or raise memory_budget."
        )


def _cut_average_linkage(marks: csr_matrix, n_runs: int, share: float, bar: WorkBar) -> np.ndarray:
    """Cut the tree of average linkage where images are together in the share of runs; parts from 1."""
    n = marks.shape[0]
    turned = marks.T.tocsr()
    condensed = np.empty(n * (n - 1) // 2)
    at = 0
    for start in range(0, n, _BLOCK):
        together = (marks[start : start + _BLOCK] @ turned).toarray()
        for i, row in enumerate(together, start):
            # Runs that do not put two together: whole numbers, whose averages keep equal what is equal.
            condensed[at : at + n - 1 - i] = n_runs - row[i + 1 :]
            at += n - 1 - i
        bar.update(len(together))
    return fcluster(_link(condensed), (1 - share) * n_runs + _ROUNDING, criterion="distance")


def _link(condensed: np.ndarray) -> np.ndarray:
    """Make the tree of average linkage.

    Among many equal distances rounding can lead SciPy's chain of nearest neighbours astray, to a tree that
    counts images twice; where it does, the later of equal pairs is set apart by less than any rounding.
    """
    tree = linkage(condensed, "average")
    if not is_valid_linkage(tree):
        condensed += np.linspace(0, _ROUNDING / 10, len(condensed))
        tree = linkage(condensed, "average")
    return tree


def _number_by_size(groups: np.ndarray, min_size: int) -> np.ndarray:
    """Give groups their numbers, the largest first; of equals the one that comes first; small ones get -1."""
    _, first, which, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order))
    return np.where(sizes[which] >= min_size, number[which], UNASSIGNED)
