"""Search the settings: every configuration on all rows, prepared in each way; shared work is done once.

Each runs with several seeds, which are replicates of it. Each finished run is saved, so that a search that
was interrupted goes on where it stopped.
"""

import json
import os
import statistics
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.backend import describe_device, get_namespace, to_host
from visclust.base.checks import check_each_once, settle_options
from visclust.base.damage import explain_damage, read_checked_array
from visclust.base.files import check_writable, write_atomically, write_checked_array, write_json
from visclust.base.progress import WorkBar
from visclust.base.provenance import describe_run, digest_input, digest_text, list_versions, recorded
from visclust.base.rows import take_rows
from visclust.base.tables import UNASSIGNED
from visclust.clustering.clusters import MANY, ClusteringResult, cluster_once
from visclust.clustering.giant import find_largest
from visclust.clustering.iterative import cluster_workspace
from visclust.clustering.settings import (
    SUITED_THRESHOLDS,
    IterativeSettings,
    check_settings,
    settle_silhouette,
)
from visclust.clustering.silhouette_kinds import score_rows
from visclust.clustering.silhouettes import average_known, score_from_sums
from visclust.clustering.workspace import Workspace, open_workspace, sum_distances
from visclust.embedding.preparation import PREPARATIONS, prepare_rows

# Raised when the algorithm changes, so that results of an older one are computed again.
_ALGORITHM = 2
_PAPER_STEPS = (3, 5)


class GridResult(NamedTuple):
    """The table, a row per run, and the results: by the name of the configuration, then by seed."""

    table: pd.DataFrame
    results: dict[str, dict[int, ClusteringResult]]


class _Configuration(NamedTuple):
    """One run: an embedding, how its rows are prepared, a method with its settings, a seed; why this K.

    Runs that differ in nothing but the seed bear one name.
    """

    name: str
    embedding: str
    method: str
    settings: dict[str, Any]
    seed: int
    rows: str
    baseline: str = ""


@recorded
def grid_search(
    embeddings: Mapping[str, Any],
    *,
    rows: Sequence[str] = ("none", "umap"),
    step_sizes: Sequence[int] = _PAPER_STEPS,
    similarity_thresholds: Sequence[float] | Mapping[str, Sequence[float]] | None = None,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    baselines: Sequence[int] = (80,),
    matched_baselines: bool = True,
    cache: str | os.PathLike | None = None,
    memory_budget: int | None = None,
    progress: bool = True,
    **settings: Any,
) -> GridResult:
    """Cluster every embedding, prepared in each way, under every setting, and by single k-means beside it.

    Every configuration runs with several seeds. These are replicates of it and no settings: with another seed
    another configuration is best, since seeds differ about as much as settings do (`compare_seeds` tells by
    how much). Score configurations by their means over the seeds (`compare_configurations`).

    Runs on the same rows share their distances, and every iteration that starts from the same remaining
    images with the same seed and step size. Labels are those of each run alone. With S seeds a search takes
    about S times as long as with one, a little less on raw rows, whose distances are computed once.

    Parameters
    ----------
    embeddings : mapping of str to Embedding, or to ndarray, shape (n, d)
        Embeddings, or their matrices, by name; NumPy, or CuPy for a GPU. Rows that `prepare_rows` made
        already stay as they are, and `rows` is not applied to them.
    rows : sequence of {"none", "unit", "pca", "umap"}, default ("none", "umap")
        How the rows are prepared, as in `prepare_rows` with its defaults and each of the seeds. "none" are
        the paper's raw rows. Small corpora get "unit" for "umap", once.
    step_sizes : sequence of int, default (3, 5)
        Steps of K.
    similarity_thresholds : sequence of float, or mapping of str to such, optional
        Mean silhouettes above which clusters come out: for all rows, or for each preparation by its name. By
        default, and for those that the mapping does not name, 0, .1, .2, .3, .4 and .5 for "umap", which
        pulls clusters apart, and the paper's 0, .01, .02, .03, .04 and .05 for the others.
    seeds : sequence of int, default (0, 1, 2, 3, 4)
        Every configuration runs with each. Three are the least that tell how far seeds differ.
    baselines : sequence of int, default (80,)
        K's of single k-means. Beside them, single k-means runs with the K that the first iteration selects:
        of several seeds the median, so that all seeds of a baseline have one K.
    matched_baselines : bool, default True
        Single k-means with as many clusters as each iterative configuration has found, the median of its
        seeds.
    cache : str or path, optional
        Folder in which each finished run is saved, and rows that UMAP made. A search that was interrupted
        goes on from there and gives the same table; one with more seeds computes the new ones alone, and
        single k-means where the median of its K changes.
    memory_budget : int, bytes, optional
        As for `cluster_iteratively`; for one embedding at a time.
    progress : bool, default True
        Show one progress bar over all runs, with the time left.
    **settings
        Other settings of `cluster_iteratively`, the same for all configurations.

    Returns
    -------
    GridResult
        ``table``: a row per configuration and seed: ``configuration`` (the name that its seeds share),
        ``embedding, rows`` (how they were prepared in fact), ``method`` ("iterative" or "single"),
        ``step_size, similarity_threshold, seed, baseline`` (why this K: "selected", "fixed" or "matched"),
        ``clusters, coverage`` (share of images assigned), ``largest_share`` (of all images, in the largest
        cluster), ``giant`` (bool, see `diagnose_clusters`; a warning counts them), ``iterations,
        silhouette`` (mean over assigned images), ``seconds`` (less where work was shared), ``stop_reason``.
        ``results``: by ``configuration``, then by seed.

    Raises
    ------
    TypeError, ValueError
        Before any work, if an embedding or a setting is not as described.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, Figures 5 and 7: three embeddings, two step sizes and six
    thresholds, on raw rows. Why UMAP's are beside them: over the labelled corpora of
    ``benchmarks/prepared_rows.md`` they agree most with the known classes.

    Examples
    --------
    >>> x = np.repeat(np.eye(4), 8, axis=0) + np.linspace(0, 0.1, 32)[:, None]
    >>> found = grid_search({"toy": x}, rows=["none"], step_sizes=[2], similarity_thresholds=[0.0],
    ...                     seeds=[0, 1, 2], baselines=[3], matched_baselines=False, progress=False)
    >>> found.table.groupby("method")["seed"].nunique().to_dict(), len(found.results)
    ({'iterative': 3, 'single': 3}, 3)
    """
    settings = settle_options(IterativeSettings, settings, but=("step_size", "similarity_threshold"))
    check_each_once(
        step_sizes=step_sizes, similarity_thresholds=similarity_thresholds, seeds=seeds, baselines=baselines
    )
    taken = {name: take_rows(x, name=f"embeddings.{name}") for name, x in embeddings.items()}
    if taken:
        n = len(next(iter(taken.values())).x)
        settings = settle_silhouette(IterativeSettings(**settings), n=n)._asdict()
    adaptive = settings.get("silhouette") == "adaptive"
    grids = _list_grids(
        rows, [each.how for each in taken.values()], step_sizes, similarity_thresholds, settings
    )
    _check_grid({name: each.x for name, each in taken.items()}, grids, seeds, baselines)
    per_run = {how: len(grid) * (2 if matched_baselines else 1) for how, grid in grids.items()}
    per_run = {how: size + len(step_sizes) + len(baselines) for how, size in per_run.items()}
    finished: list[tuple[_Configuration, ClusteringResult]] = []
    n_runs = sum(
        len(seeds) * sum(per_run[how] for how in _list_ways(rows, each.how)) for each in taken.values()
    )
    with WorkBar(
        total=n_runs,
        unit="run",
        work=f"Trying {n_runs} runs: configurations with {len(seeds)} seeds each",
        bound="at most about",  # they share work, and the first ones do most of it
        progress=progress,
    ) as bar:
        for name, x in embeddings.items():
            done: set[str] = set()
            for asked in _list_ways(rows, taken[name].how):
                prepared = {seed: _prepare(x, asked, seed=seed, cache=cache) for seed in seeds}
                how = next(iter(prepared.values())).how
                if how in done:  # too few images for UMAP
                    bar.update(per_run[asked] * len(seeds))
                    continue
                done.add(how)
                label = name if how == "none" else f"{name}, rows {how}"
                search = _Search(prepared, (name, how, label), bar, memory_budget, cache, adaptive=adaptive)
                iterative = search.run_iterative(grids[how])
                ks = _list_single_ks(iterative, baselines, matched=matched_baselines)
                finished += iterative + search.run_single(ks)
                bar.update((per_run[asked] - len(grids[how]) - len(ks)) * len(seeds))
    described = pd.DataFrame([_describe(configuration, result) for configuration, result in finished])
    _warn_of_giants(described)
    results: dict[str, dict[int, ClusteringResult]] = {}
    for configuration, result in finished:
        results.setdefault(configuration.name, {})[configuration.seed] = result
    order = {name: place for place, name in enumerate(results)}
    described = described.sort_values(
        "configuration", key=lambda names: names.map(order), kind="stable", ignore_index=True
    )
    return GridResult(described, results)


def _list_ways(rows: Sequence[str], prepared: str) -> list[str]:
    """List how rows are to be prepared; those that are prepared already stay as they are."""
    return list(dict.fromkeys(rows)) if prepared == "none" else [prepared]


def _list_grids(
    rows: Sequence[str],
    prepared: Sequence[str],
    step_sizes: Sequence[int],
    thresholds: Sequence[float] | Mapping[str, Sequence[float]] | None,
    settings: dict[str, Any],
) -> dict[str, list[IterativeSettings]]:
    """List the settings to try for each preparation."""
    strange = [how for how in ([rows] if isinstance(rows, str) else rows) if how not in PREPARATIONS]
    if isinstance(rows, str) or strange or not len(rows):
        raise ValueError(
            f"Expected rows as a sequence of some of {', '.join(PREPARATIONS)}, got {rows!r}"
            f"{' without any' if not len(rows) else ''}."
        )
    given = dict(thresholds) if isinstance(thresholds, Mapping) else {}
    if unknown := [how for how in given if how not in PREPARATIONS]:
        raise ValueError(
            f"Expected similarity_thresholds by {', '.join(PREPARATIONS)}, got them for {unknown[0]!r}."
        )
    if thresholds is not None and not isinstance(thresholds, Mapping):
        given = dict.fromkeys(PREPARATIONS, thresholds)
    # With "umap" comes "unit", which small corpora get for it.
    ways = dict.fromkeys([*rows, *prepared, *(["unit"] if "umap" in rows else [])])
    return {
        how: [
            IterativeSettings(**{**settings, "step_size": step, "similarity_threshold": threshold})
            for step in step_sizes
            for threshold in given.get(how, SUITED_THRESHOLDS[how])
        ]
        for how in ways
    }


def _check_grid(
    embeddings: Mapping[str, Any],
    grids: Mapping[str, list[IterativeSettings]],
    seeds: Sequence[int],
    baselines: Sequence[int],
) -> None:
    if not embeddings or not all(grids.values()) or not seeds:
        names = "embeddings, step_sizes, similarity_thresholds and seeds"
        raise ValueError(f"Expected at least one value in each of {names}, got none in one of them.")
    lengths = {}
    for name, x in embeddings.items():
        lengths[name] = len(x)
    if len(set(lengths.values())) > 1:
        raise ValueError(f"Expected embeddings of the same images, got different numbers of rows: {lengths}.")
    narrowest = min(x.shape[1] for x in embeddings.values())
    for how, grid in grids.items():
        for settings in grid:
            for seed in seeds:
                check_settings(
                    settings, seed=seed, n_dimensions=min(PREPARATIONS[how] or narrowest, narrowest)
                )
    n = next(iter(lengths.values()))
    for k in baselines:
        if not 1 <= k <= n:
            raise ValueError(f"Expected baselines between 1 and n = {n} clusters, got {k}.")


class _Prepared(NamedTuple):
    """Rows, and how they were prepared in fact."""

    x: Any
    how: str


def _prepare(x: Any, how: str, *, seed: int, cache: str | os.PathLike | None) -> _Prepared:
    """Prepare rows, or take those of UMAP from the cache; with how it was done in fact."""
    rows, _, prepared = take_rows(x)
    if how in ("none", prepared):
        return _Prepared(rows, how)
    if how != "umap" or cache is None:
        made = prepare_rows(rows, how=how, seed=seed, progress=False)
        return _Prepared(made.x, made.how)
    made_by = [list_versions().get(name) for name in ("umap-learn", "scikit-learn", "numpy")]
    parts = json.dumps([_ALGORITHM, *made_by, digest_input(rows), how, seed, describe_device(rows)])
    path = Path(cache) / f"rows_{digest_text(parts, digits=32)}.npy"
    saved = read_checked_array(path)
    if saved is not None and len(saved) == len(rows):
        return _Prepared(get_namespace(rows).asarray(saved), how)
    made = prepare_rows(rows, how=how, seed=seed, progress=False)
    if made.how == how:
        write_json(path.with_suffix(".json"), {"provenance": made.provenance})
        write_checked_array(path, to_host(made.x))
    return _Prepared(made.x, made.how)


def _warn_of_giants(table: pd.DataFrame) -> None:
    """Warn where configurations have a giant cluster; a single k-means with a K below 5 has no choice."""
    counted = table[table["giant"] & (table["method"].eq("iterative") | table["clusters"].ge(MANY))]
    if not len(counted):
        return
    first = counted.iloc[0]
    counted = counted.drop_duplicates("configuration")  # with whatever seed
    by_rows = ", ".join(f"{count} on rows {how!r}" for how, count in counted["rows"].value_counts().items())
    warnings.warn(
        f"{len(counted)} of {table['configuration'].nunique()} configurations have one giant cluster "
        f"({by_rows}), such as {first['configuration']!r} with {first['largest_share']:.0%} of all images "
        f"(seed {first['seed']}). Look at some of its "
        "images before you choose such a configuration; people's pairs within it tell whether it is one "
        "theme.",
        stacklevel=4,
    )


class _Runner:
    """Run configurations on one embedding; its workspace is opened when the first one is not in the cache."""

    def __init__(
        self, x: Any, *, memory_budget: int | None, cache: str | os.PathLike | None, adaptive: bool = False
    ) -> None:
        self.x = x
        self._adaptive = adaptive
        self._digest = digest_input(to_host(x))
        self._memory_budget = memory_budget
        self._cache = None if cache is None else Path(cache)
        if self._cache is not None:
            check_writable(self._cache)
        self._workspace: Workspace | None = None

    @property
    def workspace(self) -> Workspace:
        """Open the workspace when it is first needed."""
        if self._workspace is None:
            self._workspace = open_workspace(
                self.x, memory_budget=self._memory_budget, hold=not self._adaptive
            )
        return self._workspace

    def run(self, configuration: _Configuration) -> ClusteringResult:
        """Load the configuration's result where it was saved; otherwise compute and save it."""
        method, settings = configuration.method, configuration.settings
        key = _name_configuration(
            self._digest, method, settings, configuration.seed, device=describe_device(self.x)
        )
        saved = _load_configuration(self._cache, key, n=len(self.x))
        if saved is not None:
            return saved
        if method == "single":
            result = cluster_once(self.x, seed=configuration.seed, score=self._score, warn=False, **settings)
        else:
            result = cluster_workspace(
                self.workspace, settings=IterativeSettings(**settings), seed=configuration.seed
            )
            provenance = describe_run(
                "cluster_iteratively",
                parameters={
                    **settings,
                    "rows": configuration.rows,
                    "memory_budget": self._memory_budget,
                    "progress": False,
                },
                seed=configuration.seed,
                inputs={"x": self._digest},
                device=describe_device(self.x),
            )
            result = result._replace(provenance=provenance)
        _save_configuration(self._cache, key, result)
        return result

    def _score(self, labels: np.ndarray, n_clusters: int) -> Any:
        """Compute silhouettes from the shared distances; of some images where decisions need no more."""
        if self._adaptive:
            return score_rows(self.workspace.rows, labels, n_clusters=n_clusters, silhouette="sampled")
        everyone = np.arange(len(labels))
        sums = sum_distances(self.workspace, everyone, labels, n_clusters=n_clusters)
        return score_from_sums(sums, get_namespace(sums).asarray(labels))


_Found = list[tuple[_Configuration, ClusteringResult]]


class _Search:
    """All runs on the rows of an embedding that were prepared in one way, with each seed."""

    def __init__(
        self,
        prepared: Mapping[int, _Prepared],
        named: tuple[str, str, str],
        bar: Any,
        memory_budget: int | None,
        cache: str | os.PathLike | None,
        *,
        adaptive: bool,
    ) -> None:
        self._prepared, self._named, self._bar = prepared, named, bar
        self._options: dict[str, Any] = {"memory_budget": memory_budget, "cache": cache, "adaptive": adaptive}
        self._runner: _Runner | None = None

    def _list_runners(self) -> Iterator[tuple[int, _Runner]]:
        """Give each seed its runner: the same one wherever the rows are, so that their distances are shared.

        UMAP's rows differ by seed: one workspace is held at a time.
        """
        for seed, made in self._prepared.items():
            if self._runner is None or (made.how == "umap" and self._runner.x is not made.x):
                self._runner = _Runner(made.x, **self._options)
            yield seed, self._runner

    def run_iterative(self, grid: list[IterativeSettings]) -> _Found:
        embedding, rows, label = self._named
        found = []
        for seed, runner in self._list_runners():
            for settings in grid:
                threshold = f"{settings.similarity_threshold:.15g}"
                name = f"{label}, step {settings.step_size}, threshold {threshold}"
                configuration = _Configuration(name, embedding, "iterative", settings._asdict(), seed, rows)
                self._bar.set_description(f"{name}, seed {seed}")
                found.append((configuration, runner.run(configuration)))
                self._bar.update()
        return found

    def run_single(self, ks: dict[int, str]) -> _Found:
        embedding, rows, label = self._named
        found = []
        for seed, runner in self._list_runners():
            for k, why in ks.items():
                name, asked = f"K = {k} ({why}), {label}", {"n_clusters": k}
                configuration = _Configuration(name, embedding, "single", asked, seed, rows, baseline=why)
                self._bar.set_description(f"{name}, seed {seed}")
                found.append((configuration, runner.run(configuration)))
                self._bar.update()
        return found


def _list_single_ks(iterative: _Found, baselines: Sequence[int], *, matched: bool) -> dict[int, str]:
    """List the K's of the single k-means, each once, with the reason that names it first.

    What an iterative configuration selects or finds differs between its seeds: the median that one of them
    has, so that the seeds of a single k-means are replicates with one K as well.
    """
    by_name: dict[str, list[ClusteringResult]] = {}
    for configuration, result in iterative:
        by_name.setdefault(configuration.name, []).append(result)
    ks: dict[int, str] = {}
    for results in by_name.values():
        logs = [result.log for result in results if len(result.log)]
        if selected := [int(log["k"].iloc[0]) for log in logs if log["k"].notna().iloc[0]]:
            ks.setdefault(statistics.median_low(selected), "selected")
    for k in baselines:
        ks.setdefault(int(k), "fixed")
    if matched:
        for results in by_name.values():
            if found := [int(result.labels.max()) + 1 for result in results if result.labels.max() > 0]:
                ks.setdefault(statistics.median_low(found), "matched")
    return ks


def _describe(configuration: _Configuration, result: ClusteringResult) -> dict[str, Any]:
    assigned = result.labels != UNASSIGNED
    iterative = configuration.method == "iterative"
    largest = find_largest(result.labels)
    return {
        "configuration": configuration.name,
        "embedding": configuration.embedding,
        "rows": configuration.rows,
        "method": configuration.method,
        "step_size": configuration.settings["step_size"] if iterative else pd.NA,
        "similarity_threshold": configuration.settings["similarity_threshold"] if iterative else np.nan,
        "seed": configuration.seed,
        "baseline": configuration.baseline,
        "clusters": int(result.labels.max()) + 1,
        "coverage": float(assigned.mean()),
        "largest_share": 0.0 if largest is None else largest.share,
        "giant": largest is not None and largest.giant,
        "iterations": len(result.log),
        "silhouette": average_known(result.silhouettes[assigned], result.labels[assigned]),
        "seconds": float(result.log["seconds"].sum()),
        "stop_reason": result.stop_reason,
    }


def _name_configuration(
    input_digest: str, method: str, settings: dict[str, Any], seed: int, *, device: str
) -> str:
    """Name a configuration by everything that its result depends on.

    NumPy draws the chance and adds up; a GPU adds up in another order.
    """
    parts = json.dumps(
        [_ALGORITHM, np.__version__, device, input_digest, method, settings, seed], sort_keys=True
    )
    return digest_text(parts, digits=32)


def _save_configuration(folder: Path | None, key: str, result: ClusteringResult) -> None:
    """Save a result in one step; without a folder, do nothing."""
    if folder is None:
        return
    record = {
        "key": key,
        "log": json.loads(result.log.to_json(orient="split", double_precision=15)),
        "stop_reason": result.stop_reason,
        "provenance": result.provenance,
    }
    write_atomically(
        folder / f"{key}.npz",
        lambda file: np.savez_compressed(
            file,
            labels=result.labels,
            iterations=result.iterations,
            silhouettes=result.silhouettes,
            record=np.frombuffer(json.dumps(record).encode(), dtype=np.uint8),
        ),
    )


def _load_configuration(folder: Path | None, key: str, *, n: int) -> ClusteringResult | None:
    """Load a saved result; None where there is none, or the file is damaged and the run is made again."""
    if folder is None or not (path := folder / f"{key}.npz").exists():
        return None
    try:
        with explain_damage(path, "a saved configuration", ""), np.load(path, allow_pickle=False) as saved:
            record = json.loads(saved["record"].tobytes())
            if record["key"] != key:
                raise ValueError("it holds another configuration")
            result = ClusteringResult(
                saved["labels"],
                pd.DataFrame(record["log"]["data"], columns=record["log"]["columns"]),
                saved["iterations"],
                saved["silhouettes"],
                record["stop_reason"],
                record["provenance"],
            )
            if {len(each) for each in (result.labels, result.iterations, result.silhouettes)} != {n}:
                raise ValueError(f"expected {n} labels, got {len(result.labels)}")
            return result
    except ValueError as error:
        print(f"{error} The configuration is computed again.")
        return None
