"""The images that stand for a cluster: its medoid, and the images next to it in typicality."""

from typing import Any

import numpy as np
import pandas as pd

from visclust.base.backend import check_embedding, get_namespace, to_host
from visclust.base.distances import center_rows
from visclust.base.tables import UNASSIGNED, check_table
from visclust.clustering.silhouettes import sum_by_cluster

__all__ = ["list_typical_images"]


def list_typical_images(clusters: pd.DataFrame, x: Any, *, n_images: int = 5) -> pd.DataFrame:
    """List the most typical images of each cluster, its medoid first.

    An image is the more typical, the smaller its mean Euclidean distance to the other images of its cluster.
    The most typical is the medoid. All distances within a cluster are computed, none is sampled.

    Parameters
    ----------
    clusters : DataFrame
        The clusters table; its rows are the rows of `x`, in their order. The unassigned are left out.
    x : ndarray, shape (n, d), float32 or float64
        The embedding; NumPy, or CuPy for a GPU.
    n_images : int, default 5
        Images per cluster at most.

    Returns
    -------
    DataFrame
        ``cluster, rank`` (1 is the medoid), ``image_id, mean_distance`` (to the others of the cluster;
        missing for the only image of a cluster), by cluster and rank. Of equally typical images, the one in
        the earlier row comes first.

    Raises
    ------
    ValueError
        If `x` has not as many rows as `clusters`, or `n_images` is not positive.

    Source
    ------
    Kaufman and Rousseeuw (1990), Finding Groups in Data, chapter 2, for the medoid.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abc"), "cluster": 0, "iteration": 1, "silhouette": 0.1})
    >>> list_typical_images(clusters, np.array([[0.0], [4.0], [5.0]]), n_images=2)
       cluster  rank image_id  mean_distance
    0        0     1        b            2.5
    1        0     2        c            3.0
    """
    check_table(clusters, "clusters")
    check_embedding(x)
    if len(clusters) != len(x):
        raise ValueError(
            f"Expected a row of the embedding for each of the {len(clusters)} images of the clusters table, "
            f"got {len(x)}: take the embedding that was clustered."
        )
    if n_images < 1:
        raise ValueError(f"Expected n_images of 1 or more, got {n_images!r}.")
    labels = clusters["cluster"].to_numpy()
    image_ids = clusters["image_id"].to_numpy()
    parts = []
    for cluster in np.unique(labels[labels != UNASSIGNED]):
        members = np.flatnonzero(labels == cluster)
        means = _average_distances(x[get_namespace(x).asarray(members)])
        order = np.argsort(means, kind="stable")[:n_images]
        parts.append(
            pd.DataFrame(
                {
                    "cluster": cluster,
                    "rank": np.arange(1, len(order) + 1),
                    "image_id": image_ids[members[order]],
                    "mean_distance": means[order],
                }
            )
        )
    if not parts:
        return pd.DataFrame({"cluster": [], "rank": [], "image_id": [], "mean_distance": []}).astype(
            {"cluster": "int64", "rank": "int64", "image_id": "str"}
        )
    return pd.concat(parts, ignore_index=True)


def _average_distances(rows: Any) -> np.ndarray:
    """Give each row's mean distance to the others; NaN for a single row."""
    if len(rows) == 1:
        return np.array([np.nan])
    sums = sum_by_cluster(center_rows(rows), np.zeros(len(rows), dtype=int), n_clusters=1)
    return to_host(sums)[:, 0] / (len(rows) - 1)
