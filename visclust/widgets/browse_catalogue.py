"""The clusters of a table as a browser needs them: each with its images in the order of showing."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from visclust.base.tables import check_table

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
    numbers = clusters["cluster"].to_numpy(dtype="int64")
    iterations = clusters["iteration"].to_numpy(dtype="int64")
    silhouettes = clusters["silhouette"].to_numpy(dtype="float64", na_value=np.nan)
    # The last key sorts first; where it is missing, NaN goes to the end of its cluster.
    order = np.lexsort((-silhouettes, numbers))
    starts = np.flatnonzero(np.diff(numbers[order], prepend=numbers[order[0]] - 1))
    found = {}
    for members in np.split(order, starts[1:]):
        known = silhouettes[members][~np.isnan(silhouettes[members])]
        found[int(numbers[members[0]])] = Cluster(
            int(numbers[members[0]]),
            float(known.mean()) if len(known) else None,
            int(iterations[members[0]]),
            tuple(members.tolist()),
        )
    return MappingProxyType(found)
