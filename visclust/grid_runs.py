"""Run one configuration of a search: from the cache, or on a workspace shared with the others."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from visclust.base.backend import describe_device, get_namespace, to_host
from visclust.base.provenance import describe_run, digest_input
from visclust.clustering_settings import IterativeSettings
from visclust.clusters import ClusteringResult, cluster_once
from visclust.grid_files import load_configuration, name_configuration, save_configuration
from visclust.iterative import cluster_workspace
from visclust.silhouettes import score_from_sums
from visclust.workspace import Workspace, open_workspace, sum_distances

__all__ = ["Configuration", "ConfigurationRunner"]


class Configuration(NamedTuple):
    """One run: an embedding, a method with its settings, a seed."""

    name: str
    embedding: str
    method: str
    settings: dict[str, Any]
    seed: int


class ConfigurationRunner:
    """Run configurations on one embedding; its workspace is opened when the first one is not in the cache."""

    def __init__(self, x: Any, *, memory_budget: int | None, cache: str | os.PathLike | None) -> None:
        self.x = x
        self._digest = digest_input(to_host(x))
        self._memory_budget = memory_budget
        self._cache = None if cache is None else Path(cache)
        self._workspace: Workspace | None = None

    @property
    def workspace(self) -> Workspace:
        """Open the workspace when it is first needed."""
        if self._workspace is None:
            self._workspace = open_workspace(self.x, memory_budget=self._memory_budget)
        return self._workspace

    def run(self, configuration: Configuration) -> ClusteringResult:
        """Load the configuration's result where it was saved; otherwise compute and save it."""
        method, settings = configuration.method, configuration.settings
        key = name_configuration(self._digest, method, settings, configuration.seed)
        saved = load_configuration(self._cache, key, n=len(self.x))
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
                parameters=settings,
                seed=configuration.seed,
                inputs={"x": self._digest},
                device=describe_device(self.x),
            )
            result = result._replace(provenance=provenance)
        save_configuration(self._cache, key, result)
        return result

    def _score(self, labels: np.ndarray, n_clusters: int) -> Any:
        """Compute silhouettes from the distances that the workspace shares."""
        everyone = np.arange(len(labels))
        sums = sum_distances(self.workspace, everyone, labels, n_clusters=n_clusters)
        return score_from_sums(sums, get_namespace(sums).asarray(labels))
