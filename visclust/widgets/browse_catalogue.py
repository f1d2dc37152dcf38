"""The clusters of a table as a browser needs them: each with its images in the order of showing."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd

from visclust.tables import check_table

__all__ = ["Cluster", "catalogue_clusters"]


@dataclass(frozen=True)
class Cluster:
    """One cluster: its number, its mean silhouette, its iteration and its images, the most typical first."""

    cluster: int
    silhouette: float | None
    iteration: int
    images: tuple[int, ...]


def catalogue_clusters(clusters: pd.DataFrame) -> Mapping[int, Cluster]:
    """List the clusters of a table with their images, known by their position in it.

    Parameters
    ----------
    clusters : DataFrame
        The clusters table.

    Returns
    -------
    mapping of int to Cluster
        Within a cluster, images come by falling silhouette: the most typical first. -1 holds the unassigned.

    Raises
    ------
    ValueError
        If the table is not of its kind, or empty.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abc"), "cluster": [0, 1, 1], "iteration": [1, 1, 1],
    ...                          "silhouette": [0.0, 0.2, 0.4]})
    >>> catalogue_clusters(clusters)[1].images
    (2, 1)
    """
    check_table(clusters, "clusters")
    if clusters.empty:
        raise ValueError("Expected at least one image in the clusters table, got none.")
    table = clusters.reset_index(drop=True)
    order = table["silhouette"].sort_values(ascending=False, na_position="last", kind="stable").index
    found = {}
    for cluster, members in table.loc[order].groupby(table["cluster"].to_numpy()[order], sort=True):
        mean, number = members["silhouette"].mean(), int(str(cluster))
        found[number] = Cluster(
            number,
            None if pd.isna(mean) else float(mean),
            int(members["iteration"].iloc[0]),
            tuple(members.index.tolist()),
        )
    return MappingProxyType(found)
