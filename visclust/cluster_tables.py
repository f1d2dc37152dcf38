"""Tables for looking at a clustering: the curve behind a K, and clusters drawn for display."""

import numpy as np
import pandas as pd

from visclust.base.tables import UNASSIGNED, check_table

__all__ = ["list_k_curve", "pick_cluster_rows", "summarize_clusters"]


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
    row = log.loc[log["iteration"].eq(iteration)]
    if row.empty:
        raise ValueError(f"Expected an iteration from 1 to {len(log)}, got {iteration}.")
    found = row.iloc[0]
    curve = pd.DataFrame(
        {"k": found["k_tried"], "fit": found["fit"], "moving_average": found["moving_average"]}
    )
    return curve.assign(chosen=curve["k"].eq(found["k"]))


def summarize_clusters(clusters: pd.DataFrame) -> pd.DataFrame:
    """Summarize each cluster in a row, the largest first.

    Parameters
    ----------
    clusters : DataFrame
        The clusters table.

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
    check_table(clusters, "clusters")
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


def pick_cluster_rows(
    clusters: pd.DataFrame, *, n_clusters: int = 20, n_images: int = 10, seed: int = 0
) -> pd.DataFrame:
    """Pick clusters at random, and images at random from each, to look at as rows.

    Parameters
    ----------
    clusters : DataFrame
        The clusters table.
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
    check_table(clusters, "clusters")
    rng = np.random.default_rng(seed)
    assigned = clusters.loc[clusters["cluster"].ne(UNASSIGNED)]
    sizes = assigned["cluster"].value_counts().sort_index()
    chosen = rng.choice(sizes.index, min(n_clusters, len(sizes)), replace=False)
    shuffled = assigned.loc[assigned["cluster"].isin(chosen)].sample(frac=1, random_state=rng)
    picked = shuffled.groupby("cluster").head(n_images)
    picked = picked.assign(size=picked["cluster"].map(sizes))
    return picked.sort_values(["size", "cluster"], ascending=[False, True], kind="stable", ignore_index=True)
