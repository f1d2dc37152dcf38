"""A clustering as a result and as tables; the single k-means baseline; leftovers by nearest centre."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.arrays import take_labels
from visclust.base.backend import get_namespace, is_on_gpu, to_host
from visclust.base.checks import checked
from visclust.base.columns import check_clusters
from visclust.base.copies import take_pictures
from visclust.base.distances import center_rows, count_distinct
from visclust.base.origins import find_row_ids
from visclust.base.provenance import add_inputs, carry_record, note_run, recorded
from visclust.base.rows import take_rows
from visclust.base.tables import UNASSIGNED, check_columns, check_table
from visclust.clustering.giant import warn_of_giant
from visclust.clustering.kmeans import find_nearest, fit_kmeans
from visclust.clustering.silhouettes import average_known, silhouette_samples
from visclust.images.index import select_usable

# With fewer clusters asked for, one of them can hold more than a fifth without being a giant.
MANY = 5


class ClusteringResult(NamedTuple):
    """Labels (-1 = unassigned), the log, and per image the iteration and the silhouette it came out with.

    ``image_ids`` are those of the embedding that was clustered; None where it was a bare matrix.
    """

    labels: np.ndarray
    log: pd.DataFrame
    iterations: np.ndarray
    silhouettes: np.ndarray
    stop_reason: str
    provenance: dict[str, Any]
    image_ids: list[str] | None = None


@recorded
def cluster_once(
    x: Any,
    *,
    n_clusters: int = 80,
    seed: int = 0,
    n_init: int = 1,
    score: Callable[[np.ndarray, int], Any] | None = None,
    warn: bool = True,
) -> ClusteringResult:
    """Cluster by a single k-means: the baseline that iterative clustering is compared with.

    Parameters
    ----------
    x : Embedding, or ndarray, shape (n, d), float32 or float64
        The embedding, as `prepare_rows` or `embed_images` gives it, or its matrix; NumPy, or CuPy for a GPU.
    n_clusters : int, default 80
        K. Where fewer rows are distinct, fewer clusters come back.
    seed : int, default 0
        Seed of the start.
    n_init : int, default 1
        Starts; the best by inertia is kept.
    score : callable, optional
        Gives the silhouettes from the labels and their number, where distances are held already.
    warn : bool, default True
        Warn of a giant cluster.

    Returns
    -------
    ClusteringResult
        Every image is assigned. The log has one row; silhouettes are NaN where they are not defined
        (fewer than 2 clusters, or as many as images). Where one cluster is a giant (see
        `diagnose_clusters`), a warning says so and what to try; a K below 5 leaves no other choice, and no
        warning.

    Raises
    ------
    TypeError, ValueError
        If `x` or a setting is not as described.

    Source
    ------
    Casas et al., the single-iteration comparison of Figure 7.

    Examples
    --------
    >>> labels = cluster_once(np.array([[0.0], [0.1], [9.0], [9.1]]), n_clusters=2).labels
    >>> bool(labels[0] == labels[1] != labels[2] == labels[3])
    True
    """
    started = time.perf_counter()
    x, image_ids, how = take_rows(x)
    note_run(parameters={"rows": how})
    if not 1 <= n_clusters <= len(x):
        raise ValueError(f"Expected between 1 and n = {len(x)} clusters, got n_clusters={n_clusters}.")
    fit = fit_kmeans(x, n_clusters, seed=seed, n_init=n_init)
    found = len(fit.centers)
    labels = to_host(fit.labels)
    silhouettes = np.full(len(x), np.nan)
    if 2 <= found < len(x):
        silhouettes = to_host(score(labels, found) if score else silhouette_samples(x, fit.labels))
    log = pd.DataFrame(
        {
            "iteration": [1],
            "remaining": [len(x)],
            "k": [n_clusters],
            "clusters": [found],
            "silhouette": [average_known(silhouettes, labels)],
            "inertia": [fit.inertia],
            "seed": [seed],
            "seconds": [time.perf_counter() - started],
        }
    )
    reason = "one k-means" if found == n_clusters else f"one k-means; only {found} distinct images"
    if found < n_clusters and not is_on_gpu(x) and count_distinct(x) > found:
        reason = f"one k-means; {n_clusters - found} of {n_clusters} clusters kept no image"
    if warn and n_clusters >= MANY:
        warn_of_giant(labels, x, how=how)
    return ClusteringResult(labels, log, np.ones(len(x), dtype=np.int64), silhouettes, reason, {}, image_ids)


@checked
def assign_clusters(images: pd.DataFrame | None, result: ClusteringResult) -> pd.DataFrame:
    """Make the clusters table from a result.

    Parameters
    ----------
    images : DataFrame, or None
        The images table; its rows with status "ok" are the rows of the embedding, in their order. None where
        an embedding was clustered, which brings the ids of its rows.
    result : ClusteringResult
        From `cluster_iteratively` or `cluster_once`.

    Returns
    -------
    DataFrame
        ``image_id, cluster, iteration, silhouette``; cluster and iteration are -1, and the silhouette
        missing, for unassigned images. It carries the record of the clustering.

    Raises
    ------
    ValueError
        If there are not as many usable images as labels, other images are known to have been clustered, or
        there is no images table and the ids are not known.

    Examples
    --------
    >>> images = pd.DataFrame({"image_id": ["a", "b"], "path": ["1.jpg", "2.jpg"], "status": "ok",
    ...                        "reason": "", "width": 4, "height": 3})
    >>> assign_clusters(images, cluster_once(np.eye(2), n_clusters=1))
      image_id  cluster  iteration  silhouette
    0        a        0          1         NaN
    1        b        0          1         NaN
    """
    if images is None and result.image_ids is None:
        raise ValueError(
            "Expected an images table, since a bare matrix was clustered, whose images are not known. Give "
            "the images table, or cluster the embedding itself."
        )
    usable = pd.DataFrame({"image_id": result.image_ids}) if images is None else select_usable(images)
    if len(usable) != len(result.labels):
        raise ValueError(
            f"Expected a label for each of the {len(usable)} usable images, got {len(result.labels)}: "
            "the embedding was made from another images table. Run the embedding step again."
        )
    clustered = result.image_ids or find_row_ids(result.provenance.get("inputs", {}).get("x", ""))
    if clustered is not None and clustered != usable["image_id"].tolist():
        raise ValueError(
            "Expected the usable images in the order of the rows that were clustered; these are others, "
            "or in another order. Load the embedding with image_ids=select_usable(images)['image_id'], and "
            "cluster it again."
        )
    table = check_table(
        pd.DataFrame(
            {
                "image_id": usable["image_id"],
                "cluster": result.labels,
                "iteration": result.iterations,
                "silhouette": result.silhouettes,
            }
        ),
        "clusters",
    )
    if not result.provenance:
        return table
    # The record is that of the clustering: it holds the settings, and this is its result with ids beside it.
    given = {} if images is None else {"images": images}
    return carry_record(table, add_inputs(result.provenance, **given))


@checked
def assign_nearest(x: Any, labels: Any) -> np.ndarray:
    """Give each unassigned image the cluster with the nearest centre: a step of its own, never done unasked.

    Parameters
    ----------
    x : Embedding, or ndarray, shape (n, d)
        The rows that were clustered.
    labels : ndarray of int, shape (n,)
        Clusters; -1 = unassigned.

    Returns
    -------
    numpy.ndarray of int, shape (n,)
        New labels without -1; those assigned before are unchanged.

    Raises
    ------
    ValueError
        If no image is assigned, or the lengths differ.

    Examples
    --------
    >>> assign_nearest(np.array([[0.0], [9.0], [1.0]]), np.array([4, 7, -1])).tolist()
    [4, 7, 4]
    """
    x = take_rows(x).x
    labels = take_labels(labels, n=len(x))
    left = np.flatnonzero(labels == UNASSIGNED)
    clusters = np.unique(labels[labels != UNASSIGNED])
    if not len(clusters):
        raise ValueError("Expected at least one assigned image, got none: there is no centre to be near to.")
    if not len(left):
        return labels.copy()
    xp = get_namespace(x)
    rows = center_rows(x).astype(xp.float64)
    centers = xp.stack([rows[xp.asarray(labels == cluster)].mean(axis=0) for cluster in clusters])
    full = labels.copy()
    full[left] = clusters[to_host(find_nearest(rows[xp.asarray(left)], centers))]
    return full


@recorded
def list_k_curve(log: pd.DataFrame, *, iteration: int = 1) -> pd.DataFrame:
    """List the K's that an iteration tried, a row each.

    Parameters
    ----------
    log : DataFrame
        The log of `cluster_iteratively`.
    iteration : int, default 1
        Which iteration.

    Returns
    -------
    DataFrame
        ``k, fit, moving_average, chosen``.

    Raises
    ------
    ValueError
        If there was no such iteration.

    Examples
    --------
    >>> log = pd.DataFrame({"iteration": [1], "k_tried": [[5, 10]], "fit": [[0.1, 0.2]],
    ...                     "moving_average": [[0.1, 0.2]], "k": [10]})
    >>> list_k_curve(log)["chosen"].tolist()
    [False, True]
    """
    check_columns(log, ("iteration", "k", "k_tried", "fit", "moving_average"), "the log")
    row = log.loc[log["iteration"].eq(iteration)]
    if row.empty:
        raise ValueError(f"Expected an iteration from 1 to {len(log)}, got {iteration}.")
    found = row.iloc[0]
    curve = pd.DataFrame(
        {"k": found["k_tried"], "fit": found["fit"], "moving_average": found["moving_average"]}
    )
    return curve.assign(chosen=curve["k"].eq(found["k"]))


@recorded
def list_decisions(log: pd.DataFrame) -> pd.DataFrame:
    """List how "adaptive" silhouettes decided about the clusters of each iteration.

    Parameters
    ----------
    log : DataFrame
        The log of `cluster_iteratively`. Other kinds of silhouette decide by one number each, so that nothing
        is listed for them.

    Returns
    -------
    DataFrame
        A row per iteration and cluster: ``iteration, size`` (images), ``silhouette`` (mean: exact, or an
        estimate), ``low, high`` (bounds of the exact mean; each fails at the cluster's share of the risk),
        ``looked`` (silhouettes looked at, some images more than once), ``decided_by`` ("sampled", "exact").

    Raises
    ------
    ValueError
        If it is the log of something else.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = np.repeat(rng.normal(size=(3, 8)), 10, axis=0) + rng.normal(scale=0.05, size=(30, 8))
    >>> from visclust.clustering.iterative import cluster_iteratively
    >>> result = cluster_iteratively(x, step_size=1, convergence_window=1, silhouette="adaptive")
    >>> list_decisions(result.log)["size"].tolist()
    [10, 10, 10]
    """
    lists = ["sizes", "means", "low", "high", "looked", "decided_by"]
    check_columns(log, ("iteration", *lists), "the log")
    long = log[["iteration", *lists]].explode(lists).dropna(subset="sizes").reset_index(drop=True)
    long = long.rename(columns={"sizes": "size", "means": "silhouette"})
    kinds = {"size": "int64", "silhouette": float, "low": float, "high": float, "looked": "int64"}
    return long.astype({"iteration": "int64", **kinds, "decided_by": str})


@recorded
def summarize_clusters(clusters: pd.DataFrame) -> pd.DataFrame:
    """Summarize each cluster in a row, the largest first.

    Parameters
    ----------
    clusters : DataFrame
        The clusters table (``image_id, cluster`` are enough).

    Returns
    -------
    DataFrame
        ``cluster, size`` (images), ``share`` (of all images), ``silhouette`` (mean), ``iteration``; the
        unassigned, as cluster -1, come last.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abc"), "cluster": [0, 1, 1], "iteration": [1, 1, 1],
    ...                          "silhouette": [0.0, 0.2, 0.4]})
    >>> summarize_clusters(clusters)["size"].tolist()
    [2, 1]
    """
    clusters = check_clusters(clusters, fill=True)
    summary = (
        clusters.groupby("cluster")
        .agg(size=("image_id", "size"), silhouette=("silhouette", "mean"), iteration=("iteration", "first"))
        .reset_index()
    )
    summary.insert(2, "share", summary["size"] / len(clusters))
    last = summary["cluster"].eq(UNASSIGNED)
    return (
        summary.assign(last=last)
        .sort_values(["last", "size", "cluster"], ascending=[True, False, True], ignore_index=True)
        .drop(columns="last")
    )


@recorded
def pick_cluster_rows(
    clusters: pd.DataFrame, *, n_clusters: int = 20, n_images: int = 10, seed: int = 0
) -> pd.DataFrame:
    """Pick clusters at random, and images at random from each, to look at as rows.

    Parameters
    ----------
    clusters : DataFrame
        The clusters table (``image_id, cluster`` are enough).
    n_clusters : int, default 20
        Clusters at most; the unassigned are never among them.
    n_images : int, default 10
        Images per cluster at most.
    seed : int, default 0
        Seed of the draw.

    Returns
    -------
    DataFrame
        The picked rows of the table with ``size`` (images in the cluster), the largest cluster first.

    Source
    ------
    Casas et al., Figure 8: 20 random clusters.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abc"), "cluster": [0, 1, 1], "iteration": [1, 1, 1],
    ...                          "silhouette": [0.0, 0.2, 0.4]})
    >>> pick_cluster_rows(clusters, n_clusters=2, n_images=1)["cluster"].tolist()
    [1, 0]
    """
    clusters = check_clusters(clusters)
    rng = np.random.default_rng(seed)
    assigned = clusters.loc[clusters["cluster"].ne(UNASSIGNED)]
    sizes = assigned["cluster"].value_counts().sort_index()
    assigned = take_pictures(assigned)
    chosen = rng.choice(sizes.index, min(n_clusters, len(sizes)), replace=False)
    shuffled = assigned.loc[assigned["cluster"].isin(chosen)].sample(frac=1, random_state=rng)
    picked = shuffled.groupby("cluster").head(n_images)
    picked = picked.assign(size=picked["cluster"].map(sizes))
    return picked.sort_values(["size", "cluster"], ascending=[False, True], kind="stable", ignore_index=True)
