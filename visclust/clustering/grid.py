"""Search the settings: every configuration on every embedding, sharing what they have in common.

Each finished configuration is saved, so that a search that was interrupted goes on where it stopped.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.arrays import take_rows
from visclust.base.backend import describe_device, get_namespace, to_host
from visclust.base.damage import explain_damage
from visclust.base.files import check_writable, write_atomically
from visclust.base.progress import WorkBar
from visclust.base.provenance import describe_run, digest_input, digest_text, recorded
from visclust.base.tables import UNASSIGNED
from visclust.clustering.clusters import ClusteringResult, cluster_once
from visclust.clustering.iterative import cluster_workspace
from visclust.clustering.settings import IterativeSettings, check_settings
from visclust.clustering.silhouettes import score_from_sums
from visclust.clustering.workspace import Workspace, open_workspace, sum_distances

# Raised when the algorithm changes, so that results of an older one are computed again.
_ALGORITHM = 2
_PAPER_STEPS = (3, 5)
_PAPER_THRESHOLDS = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05)


class GridResult(NamedTuple):
    """The table, a row per configuration, and each configuration's result by its name."""

    table: pd.DataFrame
    results: dict[str, ClusteringResult]


class _Configuration(NamedTuple):
    """One run: an embedding, a method with its settings, a seed; for a single k-means, why it has this K."""

    name: str
    embedding: str
    method: str
    settings: dict[str, Any]
    seed: int
    baseline: str = ""


@recorded
def grid_search(
    embeddings: Mapping[str, Any],
    *,
    step_sizes: Sequence[int] = _PAPER_STEPS,
    similarity_thresholds: Sequence[float] = _PAPER_THRESHOLDS,
    seeds: Sequence[int] = (0,),
    baselines: Sequence[int] = (80,),
    matched_baselines: bool = True,
    cache: str | os.PathLike | None = None,
    memory_budget: int | None = None,
    progress: bool = True,
    **settings: Any,
) -> GridResult:
    """Cluster every embedding under every setting, and by single k-means beside it.

    Configurations on one embedding share its distances, and every iteration that starts from the same
    remaining images with the same seed and step size. Labels are those of each configuration run alone.

    Parameters
    ----------
    embeddings : mapping of str to ndarray, shape (n, d)
        Embeddings by name; NumPy, or CuPy for a GPU.
    step_sizes : sequence of int, default (3, 5)
        Steps of K.
    similarity_thresholds : sequence of float, default (0, .01, .02, .03, .04, .05)
        Mean silhouettes above which clusters come out.
    seeds : sequence of int, default (0,)
        Every configuration runs with each.
    baselines : sequence of int, default (80,)
        K's of single k-means. Beside them, single k-means runs with the K that the first iteration selects.
    matched_baselines : bool, default True
        Single k-means with as many clusters as each iterative configuration has found.
    cache : str or path, optional
        Folder in which each finished configuration is saved. A search that was interrupted goes on from
        there and gives the same table.
    memory_budget : int, bytes, optional
        As for `cluster_iteratively`; for one embedding at a time.
    progress : bool, default True
        Show one progress bar over all configurations, with the time left.
    **settings
        Other settings of `cluster_iteratively`, the same for all configurations.

    Returns
    -------
    GridResult
        ``table``: ``configuration, embedding, method`` ("iterative" or "single"), ``step_size,
        similarity_threshold, seed, baseline`` (why this K: "selected", "fixed" or "matched"), ``clusters,
        coverage`` (share of images assigned), ``iterations, silhouette`` (mean over assigned images),
        ``seconds`` (less where work was shared), ``stop_reason``. ``results``: by ``configuration``.

    Raises
    ------
    TypeError, ValueError
        Before any work, if an embedding or a setting is not as described.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, Figures 5 and 7: three embeddings, two step sizes and six
    thresholds.

    Examples
    --------
    >>> x = np.repeat(np.eye(4), 8, axis=0) + np.linspace(0, 0.1, 32)[:, None]
    >>> found = grid_search({"toy": x}, step_sizes=[2], similarity_thresholds=[0.0], baselines=[3],
    ...                     matched_baselines=False, progress=False)
    >>> found.table["method"].tolist()
    ['iterative', 'single', 'single']
    """
    grid = [
        IterativeSettings(**{**settings, "step_size": step, "similarity_threshold": threshold})
        for step in step_sizes
        for threshold in similarity_thresholds
    ]
    embeddings = {name: take_rows(x, name=f"embeddings.{name}") for name, x in embeddings.items()}
    _check_grid(embeddings, grid, seeds, baselines)
    per_run = len(grid) * (2 if matched_baselines else 1) + len(step_sizes) + len(baselines)
    finished: list[tuple[_Configuration, ClusteringResult]] = []
    n_runs = len(embeddings) * len(seeds) * per_run
    with WorkBar(
        total=n_runs,
        unit="configuration",
        work=f"Trying {n_runs} configurations",
        bound="at most about",  # they share work, and the first ones do most of it
        progress=progress,
    ) as bar:
        for name, x in embeddings.items():
            runner = _Runner(x, memory_budget=memory_budget, cache=cache)
            for seed in seeds:
                iterative = list(_run_iterative(runner, name, grid, seed, bar))
                ks = _list_single_ks(iterative, baselines, matched=matched_baselines)
                finished += iterative
                finished += _run_single(runner, name, ks, seed, bar)
                bar.update(per_run - len(grid) - len(ks))
    rows = [_describe(configuration, result) for configuration, result in finished]
    results = {configuration.name: result for configuration, result in finished}
    return GridResult(pd.DataFrame(rows), results)


def _check_grid(
    embeddings: Mapping[str, Any],
    grid: list[IterativeSettings],
    seeds: Sequence[int],
    baselines: Sequence[int],
) -> None:
    if not embeddings or not grid or not seeds:
        raise ValueError("Expected at least one embedding, step size, similarity threshold and seed.")
    lengths = {}
    for name, x in embeddings.items():
        lengths[name] = len(x)
    if len(set(lengths.values())) > 1:
        raise ValueError(f"Expected embeddings of the same images, got different numbers of rows: {lengths}.")
    for settings in grid:
        for seed in seeds:
            check_settings(settings, seed=seed)
    n = next(iter(lengths.values()))
    for k in baselines:
        if not 1 <= k <= n:
            raise ValueError(f"Expected baselines between 1 and n = {n} clusters, got {k}.")


class _Runner:
    """Run configurations on one embedding; its workspace is opened when the first one is not in the cache."""

    def __init__(self, x: Any, *, memory_budget: int | None, cache: str | os.PathLike | None) -> None:
        self.x = x
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
            self._workspace = open_workspace(self.x, memory_budget=self._memory_budget)
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
            result = cluster_once(self.x, seed=configuration.seed, score=self._score, **settings)
        else:
            result = cluster_workspace(
                self.workspace, settings=IterativeSettings(**settings), seed=configuration.seed
            )
            provenance = describe_run(
                "cluster_iteratively",
                parameters={**settings, "memory_budget": self._memory_budget, "progress": False},
                seed=configuration.seed,
                inputs={"x": self._digest},
                device=describe_device(self.x),
            )
            result = result._replace(provenance=provenance)
        _save_configuration(self._cache, key, result)
        return result

    def _score(self, labels: np.ndarray, n_clusters: int) -> Any:
        """Compute silhouettes from the distances that the workspace shares."""
        everyone = np.arange(len(labels))
        sums = sum_distances(self.workspace, everyone, labels, n_clusters=n_clusters)
        return score_from_sums(sums, get_namespace(sums).asarray(labels))


def _run_iterative(
    runner: _Runner, embedding: str, grid: list[IterativeSettings], seed: int, bar: Any
) -> Iterator[tuple[_Configuration, ClusteringResult]]:
    for settings in grid:
        threshold = f"{settings.similarity_threshold:g}"
        name = f"{embedding}, step {settings.step_size}, threshold {threshold}, seed {seed}"
        configuration = _Configuration(name, embedding, "iterative", settings._asdict(), seed)
        bar.set_description(name)
        yield configuration, runner.run(configuration)
        bar.update()


def _list_single_ks(
    iterative: list[tuple[_Configuration, ClusteringResult]], baselines: Sequence[int], *, matched: bool
) -> dict[int, str]:
    """List the K's of the single k-means, each once, with the reason that names it first."""
    ks: dict[int, str] = {}
    for _, result in iterative:
        if len(result.log) and result.log["k"].notna().iloc[0]:
            ks.setdefault(int(result.log["k"].iloc[0]), "selected")
    for k in baselines:
        ks.setdefault(int(k), "fixed")
    if matched:
        for _, result in iterative:
            if result.labels.max() > 0:
                ks.setdefault(int(result.labels.max()) + 1, "matched")
    return ks


def _run_single(
    runner: _Runner, embedding: str, ks: dict[int, str], seed: int, bar: Any
) -> list[tuple[_Configuration, ClusteringResult]]:
    found = []
    for k, why in ks.items():
        name = f"K = {k} ({why}), {embedding}, seed {seed}"
        configuration = _Configuration(name, embedding, "single", {"n_clusters": k}, seed, baseline=why)
        found.append((configuration, runner.run(configuration)))
        bar.update()
    return found


def _describe(configuration: _Configuration, result: ClusteringResult) -> dict[str, Any]:
    assigned = result.labels != UNASSIGNED
    iterative = configuration.method == "iterative"
    return {
        "configuration": configuration.name,
        "embedding": configuration.embedding,
        "method": configuration.method,
        "step_size": configuration.settings["step_size"] if iterative else pd.NA,
        "similarity_threshold": configuration.settings["similarity_threshold"] if iterative else np.nan,
        "seed": configuration.seed,
        "baseline": configuration.baseline,
        "clusters": int(result.labels.max()) + 1,
        "coverage": float(assigned.mean()),
        "iterations": len(result.log),
        "silhouette": float(result.silhouettes[assigned].mean()) if assigned.any() else np.nan,
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
