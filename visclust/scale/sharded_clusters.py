"""Cluster the rows of shards iteratively, as `cluster_iteratively` does where one machine holds all rows."""

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from visclust.base.checks import check_choice, check_whole_number
from visclust.base.damage import read_checked_array, read_json, read_parquet
from visclust.base.distances import measure_block, square_lengths
from visclust.base.files import write_checked_array, write_json
from visclust.base.progress import WorkBar
from visclust.base.provenance import digest_text, note_run, recorded
from visclust.base.tables import UNASSIGNED
from visclust.clustering.adaptive import Decisions, decide_above, measure_away, split_risk, sum_members
from visclust.clustering.choose_k import KCurve, climb_k
from visclust.clustering.clusters import ClusteringResult
from visclust.clustering.giant import warn_of_giant
from visclust.clustering.iterative import cluster_workspace
from visclust.clustering.settings import SUITED_THRESHOLD, IterativeSettings, check_settings
from visclust.clustering.silhouette_brackets import ClusterShapes
from visclust.clustering.silhouette_kinds import draw_members
from visclust.clustering.silhouettes import average_by_cluster, score_from_sums
from visclust.clustering.workspace import Workspace
from visclust.scale.executors import Executor, check_place, open_executor
from visclust.scale.parts import name_shard, to_text, write_file
from visclust.scale.row_files import ShardedRows, find_row_files, iterate_blocks, open_rows
from visclust.scale.sharded_kmeans import fit_shards
from visclust.scale.shards import ShardedCorpus, take_corpus

SHARDED_SILHOUETTES = ("adaptive", "sampled")
# Raised when the way from rows to clusters changes, so that iterations of an older one are made again.
_ALGORITHM = 2
# Ids of more images than this stay in the files of the clusters.
_FEW_IDS = 1_000_000
# Rows on which it is measured whether a giant cluster may be one of hubs.
_FEW_ROWS = 2000
_DECIDED = np.dtype(
    [("above", "?"), ("low", np.float64), ("high", np.float64), ("looked", np.int64), ("exact", "?")]
)
_Found = tuple[KCurve, int, np.ndarray, np.ndarray, np.ndarray, Decisions | None]


@recorded
def cluster_shards(
    corpus: ShardedCorpus | str | os.PathLike,
    *,
    embedding: str | None = None,
    step_size: int = 5,
    sample_size: int = 1000,
    convergence_window: int = 3,
    similarity_threshold: float | None = None,
    stop_size: int = 20,
    goodness_of_fit: str = "silhouette",
    max_stall: int = 3,
    silhouette: str = "adaptive",
    risk: float = 0.001,
    seed: int = 0,
    start_size: int = 50_000,
    on: Any = "here",
    workers: int | None = None,
    progress: bool = True,
) -> ClusteringResult:
    """Cluster the rows of shards as `cluster_iteratively` clusters a matrix, with the same settings and log.

    K is chosen on the same sample, k-means has the same start where it fits (see `start_size`), and the same
    rows are drawn for the silhouettes, so that the clusters are those of one machine but for the rounding of
    sums. Workers pass over the shards; only samples, sums, and a few numbers per row come together. What each
    iteration found is kept in the folder of the clusters, and a run that was killed goes on from there.

    Parameters
    ----------
    corpus : ShardedCorpus or path
        Shards of rows, or of images of which the step "embed" was run.
    embedding : str, optional
        The folder of the embedding's parts, where there are several (`check_shards` lists them).
    step_size, sample_size, convergence_window, stop_size, max_stall : int
        As in `cluster_iteratively`.
    similarity_threshold : float, optional
        Mean silhouette above which a cluster comes out; by default what suits the rows, as there.
    goodness_of_fit : str, default "silhouette"
        As there; on the sample.
    silhouette : {"adaptive", "sampled"}, default "adaptive"
        "adaptive": which clusters come out is decided from sampled rows and members, with more where it is
        close, as in `cluster_iteratively`; the calling process reads these rows from the shards. "sampled":
        exact silhouettes of 30 rows drawn from each cluster. Exact ones of all rows take all n² / 2 distances
        and are refused: `cluster_iteratively` has them where the rows fit one machine.
    risk : float, default 0.001
        With "adaptive": probability at most that any decision of the run is not that of exact silhouettes.
    seed : int, default 0
        The same seed gives the same labels, for any number and kind of workers.
    start_size : int, default 50,000
        k-means starts on all remaining rows where they are no more than this, and otherwise on a sample of
        so many, followed by few passes over all.
    on : {"here", "processes"} or client of Dask, default "here"
        Where, as in `run_shards`.
    workers : int, optional
        Processes for "processes"; by default one per core.
    progress : bool, default True
        Show how many rows are assigned.

    Returns
    -------
    ClusteringResult
        As of `cluster_iteratively`; silhouettes are those of the rows drawn. ``image_ids`` are given up to
        1,000,000 rows. In the folder of the clusters, which is printed, is a table of clusters per shard
        (``image_id, cluster, iteration, silhouette``), ``log.parquet``, and ``centers.npy``, the mean of
        each cluster, for the step "assign".

    Raises
    ------
    TypeError, ValueError
        Before any work, if a setting is wrong, or the rows of a shard are missing or damaged.
    RuntimeError
        If a worker died several times in one task (`WorkerDiedError`); what was finished is kept.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, Figure 3, as in `cluster_iteratively`.

    Examples
    --------
    >>> import tempfile
    >>> from visclust.scale.shards import make_shards
    >>> rng = np.random.default_rng(0)
    >>> x = np.repeat(rng.normal(size=(3, 8)), 10, axis=0) + rng.normal(scale=0.05, size=(30, 8))
    >>> corpus = make_shards(x, Path(tempfile.mkdtemp()) / "corpus", shard_size=7, progress=False)
    >>> result = cluster_shards(corpus, step_size=1, convergence_window=1, stop_size=5, progress=False)
    >>> np.bincount(result.labels).tolist()
    [10, 10, 10]
    """
    corpus = take_corpus(corpus)
    how = corpus.settings.get("prepared", "none")
    threshold = SUITED_THRESHOLD[how] if similarity_threshold is None else similarity_threshold
    settings = IterativeSettings(
        step_size,
        sample_size,
        convergence_window,
        threshold,
        stop_size,
        goodness_of_fit,
        max_stall,
        silhouette,
        risk,
    )
    check_choice("silhouette", silhouette, SHARDED_SILHOUETTES)
    check_whole_number("start_size", start_size, least=1)
    check_place(on)
    with open_executor(on, workers=workers) as executor:
        files = find_row_files(corpus, executor, embedding=embedding)
        rows = open_rows(files, executor)
        check_settings(settings, seed=seed, n_dimensions=rows.shape[1])
        about = {"algorithm": _ALGORITHM, "seed": seed, "start_size": start_size, **settings._asdict()}
        key = digest_text(to_text({**about, "rows": files.digest}))
        folder = corpus.folder / "clusterings" / key
        write_json(folder / "settings.json", about)
        search = functools.partial(
            _recall_search, folder=folder, rows=rows, start_size=start_size, executor=executor
        )
        result = cluster_workspace(
            Workspace(rows, None, 2**27), settings=settings, seed=seed, progress=progress, search=search
        )
        _write_clusters(folder, rows, result, executor)
    few = np.random.default_rng(0).choice(len(rows), min(_FEW_ROWS, len(rows)), replace=False)
    warn_of_giant(result.labels, rows[np.sort(few)], how=how)
    ids = None
    if len(rows) <= _FEW_IDS:
        ids = [name for path in files.tables for name in read_parquet(path)["image_id"]]
    note_run(parameters={"similarity_threshold": threshold, "rows": how, "clusters_in": folder.name})
    if progress:
        print(f"The clusters of {len(rows):,} rows are in {folder}.")
    return result._replace(image_ids=ids)


def _recall_search(
    remaining: np.ndarray,
    *,
    settings: IterativeSettings,
    seed: int,
    number: int,
    progress: bool,
    folder: Path,
    rows: ShardedRows,
    start_size: int,
    executor: Executor,
) -> _Found:
    """Give what an iteration found, from the folder where it is kept, or by searching."""
    name = f"search_{seed:010d}_{len(remaining)}"
    about = folder / f"{name}.json"
    arrays = [folder / f"{name}_{each}.npy" for each in ("codes", "scores", "means", "decided")]
    if about.exists():
        known = read_json(about)
        codes, drawn, means, decided = (read_checked_array(path) for path in arrays)
        if codes is not None and drawn is not None and means is not None and decided is not None:
            scores = np.full(len(remaining), np.nan)
            scores[drawn["row"]] = drawn["score"]
            made: Decisions | None = None
            if known["distances"] is not None:
                made = Decisions(
                    decided["above"],
                    means,
                    decided["low"],
                    decided["high"],
                    decided["looked"],
                    decided["exact"],
                    scores,
                    known["distances"],
                )
            return KCurve(*known["curve"]), seed, codes, scores, means, made
    found = search_shards(
        remaining,
        settings=settings,
        seed=seed,
        number=number,
        progress=progress,
        rows=rows,
        start_size=start_size,
        executor=executor,
    )
    curve, _, codes, scores, means, made = found
    looked = np.flatnonzero(~np.isnan(scores))
    drawn = np.empty(len(looked), dtype=[("row", np.int64), ("score", np.float64)])
    drawn["row"], drawn["score"] = looked, scores[looked]
    decided = np.empty(0 if made is None else len(means), dtype=_DECIDED)
    if made is not None:
        for each in ("above", "low", "high", "looked", "exact"):
            decided[each] = getattr(made, each)
    for path, array in zip(arrays, (codes, drawn, means, decided), strict=True):
        write_checked_array(path, array)
    write_json(about, {"curve": curve, "distances": None if made is None else int(made.distances)})
    return found


def search_shards(
    remaining: np.ndarray,
    *,
    settings: IterativeSettings,
    seed: int,
    number: int,
    progress: bool,
    rows: ShardedRows,
    start_size: int,
    executor: Executor,
) -> _Found:
    """Choose K on a sample, cluster all that remains with it, and score the clusters: steps 1 to 3."""
    curve = climb_k(Workspace(rows, None, 2**27), remaining, settings=settings, seed=seed, progress=progress)
    m = len(remaining)
    nothing = curve, seed, np.zeros(m, dtype=np.int32), np.full(m, np.nan), np.array([np.nan]), None
    if curve.chosen is None:
        return nothing
    fit = fit_shards(
        rows,
        remaining,
        curve.chosen,
        seed=seed,
        start_size=start_size,
        executor=executor,
        progress=progress,
    )
    n_clusters = len(fit.centers)
    if not 2 <= n_clusters < m:
        return nothing
    if settings.silhouette == "adaptive":
        made = decide_above(
            lambda chosen: rows[remaining[chosen]],
            fit.labels,
            _measure_shapes(rows, remaining, fit.labels, n_clusters=n_clusters, executor=executor),
            threshold=settings.similarity_threshold,
            risk=split_risk(settings.risk, iteration=number + 1, n_clusters=n_clusters),
            seed=seed,
            progress=progress,
        )
        return curve, seed, fit.labels, made.scores, made.means, made
    drawn = draw_members(fit.labels, n_clusters=n_clusters, seed=seed)
    scores = np.full(m, np.nan)
    sums = _sum_distances(
        rows, remaining, fit.labels, drawn, n_clusters=n_clusters, executor=executor, progress=progress
    )
    sizes = np.bincount(fit.labels, minlength=n_clusters)
    scores[drawn] = score_from_sums(sums, fit.labels[drawn], sizes=sizes)
    means = average_by_cluster(scores[drawn], fit.labels[drawn], n_clusters=n_clusters)
    return curve, seed, fit.labels, scores, means, None


def _measure_shapes(
    rows: ShardedRows, remaining: np.ndarray, codes: np.ndarray, *, n_clusters: int, executor: Executor
) -> ClusterShapes:
    """Measure the shapes of clusters as `measure_shapes` does, in two passes over the shards."""
    sizes = np.bincount(codes, minlength=n_clusters)
    sums = np.zeros((n_clusters, rows.shape[1]))
    cut = ((*task, rows.origin, n_clusters) for task in _cut_codes(rows, remaining, codes))
    for added, _ in executor.map(_sum_members, cut):
        sums += added
    centers = sums / np.maximum(sizes, 1)[:, None]
    squares, reach = np.zeros(n_clusters), np.zeros(n_clusters)
    measured = ((*task, rows.origin, centers) for task in _cut_codes(rows, remaining, codes))
    for added, farthest in executor.map(_measure_members, measured):
        squares += added
        reach = np.maximum(reach, farthest)
    return ClusterShapes(sizes, centers, squares / np.maximum(sizes, 1), reach)


def _measure_members(
    path: str, some: np.ndarray, codes: np.ndarray, origin: np.ndarray, centers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sum the squared distances of a shard's rows to their centres, and find the largest, by cluster."""
    squares, reach = np.zeros(len(centers)), np.zeros(len(centers))
    for part, rows in iterate_blocks(path, some, origin):
        away = measure_away(rows, centers[codes[part]])
        squares += np.bincount(codes[part], weights=away, minlength=len(centers))
        np.maximum.at(reach, codes[part], np.sqrt(away))
    return squares, reach


def _sum_distances(
    rows: ShardedRows,
    remaining: np.ndarray,
    codes: np.ndarray,
    drawn: np.ndarray,
    *,
    n_clusters: int,
    executor: Executor,
    progress: bool,
) -> np.ndarray:
    """Sum the distances from the drawn rows to the members of each cluster, shard after shard."""
    some = rows[remaining[drawn]]
    cut = _cut_codes(rows, remaining, codes)
    found = executor.map(sum_shard, ((*task, rows.origin, some, n_clusters) for task in cut))
    sums = np.zeros((len(drawn), n_clusters))
    total = len(rows.files.matrices)
    for added in WorkBar(
        found, total=total, desc="Silhouettes", unit="shard", leave=False, progress=progress
    ):
        sums += added
    return sums


def _cut_codes(
    rows: ShardedRows, remaining: np.ndarray, codes: np.ndarray
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Give for each shard its file, the numbers of its remaining rows, and their clusters."""
    first = 0
    for path, some in zip(rows.files.matrices, rows.files.split(remaining), strict=True):
        yield path, some.astype(np.int32), codes[first : first + len(some)].astype(np.int32)
        first += len(some)


def sum_shard(
    path: str, some: np.ndarray, codes: np.ndarray, origin: np.ndarray, drawn: np.ndarray, n_clusters: int
) -> np.ndarray:
    """Sum the distances from drawn rows to the members of each cluster in one shard: (drawn, n_clusters)."""
    sums = np.zeros((len(drawn), n_clusters))
    norms = square_lengths(drawn)
    for part, rows in iterate_blocks(path, some, origin):
        beside = square_lengths(rows)
        for start in range(0, len(rows), 512):
            few = slice(start, start + 512)
            block = measure_block(drawn, rows[few], norms, beside[few], same=False)
            marks = np.zeros((block.shape[1], n_clusters), dtype=np.float32)
            marks[np.arange(block.shape[1]), codes[part][few]] = 1
            sums += block @ marks
    return sums


def _write_clusters(folder: Path, rows: ShardedRows, result: ClusteringResult, executor: Executor) -> None:
    """Write the table of clusters of each shard, the log, and the mean of each cluster."""
    assigned = np.flatnonzero(result.labels != UNASSIGNED)
    n_clusters = int(result.labels.max()) + 1
    sums, counts = np.zeros((n_clusters, rows.shape[1])), np.zeros(n_clusters, dtype=np.int64)
    tasks = _cut_codes(rows, assigned, result.labels[assigned])
    for added, count in executor.map(_sum_members, ((*task, rows.origin, n_clusters) for task in tasks)):
        sums += added
        counts += count
    write_file(folder / "centers.npy", sums / np.maximum(counts, 1)[:, None] + rows.origin)
    log = result.log.drop(columns="seconds")  # which differ from run to run
    write_file(folder / "log.parquet", log)
    starts = rows.files.starts
    for number, (path, first, last) in enumerate(
        zip(rows.files.tables, starts[:-1], starts[1:], strict=True)
    ):
        part = slice(int(first), int(last))
        ids = pq.read_table(path, columns=["image_id"]).to_pandas()
        table = ids.assign(
            cluster=result.labels[part],
            iteration=result.iterations[part],
            silhouette=result.silhouettes[part],
        )
        write_file(folder / f"{name_shard(number)}.parquet", table)


def _sum_members(
    path: str, some: np.ndarray, codes: np.ndarray, origin: np.ndarray, n_clusters: int
) -> tuple[np.ndarray, np.ndarray]:
    sums = np.zeros((n_clusters, len(origin)))
    for part, rows in iterate_blocks(path, some, origin):
        sums += sum_members(rows, codes[part], n_clusters)
    return sums, np.bincount(codes, minlength=n_clusters)
