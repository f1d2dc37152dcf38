"""What to look at beside a clustering: its largest cluster, hubs among the rows, and how far seeds agree."""

import inspect
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from visclust.base.arrays import take_matrix
from visclust.base.checks import check_whole_number
from visclust.base.columns import check_clusters
from visclust.base.origins import find_record
from visclust.base.progress import WorkBar
from visclust.base.provenance import recorded
from visclust.base.rows import match_rows, take_rows
from visclust.base.tables import UNASSIGNED
from visclust.clustering.clusters import ClusteringResult, cluster_once
from visclust.clustering.giant import advise, find_largest
from visclust.clustering.hubness import measure_hubness
from visclust.clustering.iterative import cluster_iteratively
from visclust.clustering.settings import IterativeSettings

_NO_CLUSTERS = "No image is in a cluster: try a lower similarity_threshold, or other rows (prepare_rows)."
_MANY_LEFT = 0.5


@recorded
def diagnose_clusters(
    clusters: pd.DataFrame | ClusteringResult,
    x: Any = None,
    *,
    seeds: Sequence[int] = (),
    n_neighbours: int = 10,
    max_rows: int = 5_000,
    progress: bool = True,
) -> pd.DataFrame:
    """Tell what a clustering should be looked at for before it is used.

    Parameters
    ----------
    clusters : DataFrame or ClusteringResult
        The clusters table (``image_id, cluster`` are enough), or what `cluster_iteratively` or `cluster_once`
        gave.
    x : Embedding, or ndarray, shape (n, d), optional
        The rows that were clustered; without them nothing is said of hubs and seeds.
    seeds : sequence of int, optional
        Cluster the same rows again with each of these seeds (two or more), with the settings that the record
        of `clusters` names, and tell how far they agree. Takes as long as so many clusterings. The rows stay
        as they are: what another seed of UMAP changes shows where they are prepared anew.
    n_neighbours : int, default 10
        Nearest neighbours of each row that are looked at for hubs.
    max_rows : int, default 5000
        Of more rows a random sample is searched for hubs.
    progress : bool, default True
        Show a bar over the seeds.

    Returns
    -------
    DataFrame
        One row: ``images, clusters``; ``unassigned`` (share of the images); ``largest_cluster`` (its number),
        ``largest_share`` (of all images), ``times_others`` (its size over the mean size of the other
        clusters), ``giant`` (bool: more than a fifth of all images, at least 20, and at least five times the
        others' mean); ``hub_most`` (how often the most frequent neighbour is one, over `n_neighbours`: the
        average row is at 1), ``hub_skewness`` (of these counts; 0 where there are no hubs),
        ``hub_nobody`` (share of rows that are neighbours of none); ``seeds`` (how many), ``seeds_rand`` and
        ``seeds_rand_min`` (adjusted Rand index between two of them, mean and smallest; an unassigned image is
        a cluster of its own); ``advice``: what to try in plain words, or nothing.

    Raises
    ------
    ValueError
        If clusters and rows do not match, or seeds are wanted without rows or without a record of settings.

    Source
    ------
    Radovanović, Nanopoulos and Ivanović (2010), "Hubs in Space", Journal of Machine Learning Research 11, for
    the skewness of how often rows are neighbours.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": map(str, range(40)), "cluster": [0] * 36 + [1, 2, 3, -1]})
    >>> diagnose_clusters(clusters)[["largest_share", "times_others", "giant"]].to_dict("records")
    [{'largest_share': 0.9, 'times_others': 36.0, 'giant': True}]
    """
    if isinstance(clusters, ClusteringResult):
        labels, rows = np.asarray(clusters.labels), None if x is None else take_rows(x).x
    else:
        table = check_clusters(clusters)
        labels = table["cluster"].to_numpy()
        rows = None if x is None else match_rows(x, table)
    how = "none" if x is None else take_rows(x).how
    if rows is not None:
        rows = take_matrix(rows)
        if len(rows) != len(labels):
            raise ValueError(f"Expected a row for each of the {len(labels)} images, got {len(rows)}.")
    check_whole_number("n_neighbours", n_neighbours, least=1)
    check_whole_number("max_rows", max_rows, least=3)
    found = _describe_sizes(labels)
    hubs = None if rows is None else measure_hubness(rows, n_neighbours=n_neighbours, max_rows=max_rows)
    found |= {
        "hub_most": np.nan if hubs is None else hubs.most,
        "hub_skewness": np.nan if hubs is None else hubs.skewness,
        "hub_nobody": np.nan if hubs is None else hubs.nobody,
    }
    found |= _compare_seeds(clusters, x, list(seeds), progress=progress)
    found["advice"] = _advise(labels, found, how)
    return pd.DataFrame([found])


def _describe_sizes(labels: np.ndarray) -> dict[str, Any]:
    largest = find_largest(labels)
    return {
        "images": len(labels),
        "clusters": len(np.unique(labels[labels != UNASSIGNED])),
        "unassigned": float((labels == UNASSIGNED).mean()) if len(labels) else np.nan,
        "largest_cluster": UNASSIGNED if largest is None else largest.cluster,
        "largest_share": 0.0 if largest is None else largest.share,
        "times_others": np.nan if largest is None else largest.times_others,
        "giant": largest is not None and largest.giant,
    }


def _advise(labels: np.ndarray, found: dict[str, Any], how: str) -> str:
    largest = find_largest(labels)
    if largest is None:
        return _NO_CLUSTERS
    said = []
    if largest.giant:
        said.append(advise(largest, n=len(labels), how=how, hubs=found["hub_most"]))
    if found["unassigned"] > _MANY_LEFT:
        said.append(
            f"{found['unassigned']:.0%} of the images are in no cluster: try a lower similarity_threshold."
        )
    return " ".join(said)


def _compare_seeds(clusters: Any, x: Any, seeds: list[int], *, progress: bool) -> dict[str, Any]:
    """Cluster the rows again with each seed, and compare each two."""
    nothing = {"seeds": len(seeds), "seeds_rand": np.nan, "seeds_rand_min": np.nan}
    if not seeds:
        return nothing
    if x is None:
        raise ValueError("Expected x, the rows that were clustered, to cluster them again with other seeds.")
    if len(set(seeds)) < 2:
        raise ValueError(f"Expected two or more different seeds to compare, got {seeds}.")
    record = find_record(clusters)
    makers: dict[str, Callable[..., ClusteringResult]] = {
        "cluster_iteratively": cluster_iteratively,
        "cluster_once": cluster_once,
    }
    maker = makers.get(record.get("function", ""))
    if maker is None:
        raise ValueError(
            "Expected clusters whose record names the settings they were made with, to use these again: the "
            "result of cluster_iteratively or cluster_once, or assign_clusters of it. Clusters of other "
            "makes are compared by compare_runs."
        )
    known = {*IterativeSettings._fields, "memory_budget", "n_clusters", "n_init"}
    known &= set(inspect.signature(maker).parameters)
    given = record["parameters"].items()  # None: what this kind of run has no use for
    settings = {name: value for name, value in given if name in known and value is not None}
    if maker is cluster_iteratively:
        settings["progress"] = False
    rows = take_matrix(x)
    runs = []
    work = f"Clustering with {len(seeds)} seeds"
    for seed in WorkBar(seeds, desc="Seeds", unit="run", work=work, progress=progress):
        labels = maker(rows, seed=seed, **settings).labels.copy()
        alone = labels == UNASSIGNED
        labels[alone] = labels.max() + 1 + np.arange(alone.sum())
        runs.append(labels)
    agreement = [adjusted_rand_score(one, other) for one, other in combinations(runs, 2)]
    return nothing | {"seeds_rand": float(np.mean(agreement)), "seeds_rand_min": float(np.min(agreement))}
