"""Match the clusters of one run with those of another, and follow a theme through many runs."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from visclust.base.tables import UNASSIGNED
from visclust.run_labels import stack_runs

__all__ = ["follow_themes", "match_best", "match_clusters", "measure_overlaps"]


def measure_overlaps(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Measure how much each cluster of one run overlaps with each of another.

    Parameters
    ----------
    a, b : numpy.ndarray of int, shape (n,)
        Labels of the same images; -1 = unassigned, which is in no cluster.

    Returns
    -------
    clusters_a, clusters_b : numpy.ndarray
        Labels of the rows and the columns.
    images : numpy.ndarray of int, shape (k_a, k_b)
        Images in both.
    jaccard : numpy.ndarray, shape (k_a, k_b)
        Images in both, as a share of those in either.

    Examples
    --------
    >>> measure_overlaps(np.array([0, 0, 0, 1]), np.array([5, 5, -1, 5]))[3].round(3).tolist()
    [[0.5], [0.333]]
    """
    clusters_a, sizes_a = np.unique(a[a != UNASSIGNED], return_counts=True)
    clusters_b, sizes_b = np.unique(b[b != UNASSIGNED], return_counts=True)
    both = (a != UNASSIGNED) & (b != UNASSIGNED)
    rows, columns = np.searchsorted(clusters_a, a[both]), np.searchsorted(clusters_b, b[both])
    shape = (len(clusters_a), len(clusters_b))
    images = np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1]).reshape(shape)
    return clusters_a, clusters_b, images, images / (sizes_a[:, None] + sizes_b - images)


def match_best(jaccard: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Match rows with columns one to one so that the sum of their overlaps is the largest.

    Parameters
    ----------
    jaccard : numpy.ndarray, shape (k_a, k_b)
        From `measure_overlaps`.

    Returns
    -------
    tuple of numpy.ndarray
        Rows and columns of the matches; pairs without any overlap are left out.

    Source
    ------
    Kuhn (1955), The Hungarian method for the assignment problem, by scipy.optimize.linear_sum_assignment.

    Examples
    --------
    >>> match_best(np.array([[0.6, 0.5], [0.5, 0.0]]))
    (array([0, 1]), array([1, 0]))
    """
    rows, columns = linear_sum_assignment(jaccard, maximize=True)
    overlap = jaccard[rows, columns] > 0
    return rows[overlap], columns[overlap]


def match_clusters(clusters: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Match the clusters of two runs one to one by their overlap.

    Parameters
    ----------
    clusters, others : DataFrame
        Clusters tables of the same images.

    Returns
    -------
    DataFrame
        ``cluster, other`` (its match), ``images`` (in both) and ``jaccard`` (images in both, as a share of
        those in either), the best matches first. Clusters without a match are not in it.

    Raises
    ------
    ValueError
        If the tables are of different images.

    Source
    ------
    Kuhn (1955), The Hungarian method for the assignment problem; Jaccard (1901) for the overlap.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": list("abc"), "cluster": [0, 0, 1], "iteration": 1,
    ...                       "silhouette": 0.5})
    >>> match_clusters(table, table.assign(cluster=[7, 7, 7])).round(2).values.tolist()
    [[0.0, 7.0, 2.0, 0.67]]
    """
    labels = stack_runs({"clusters": clusters, "others": others}).labels
    clusters_a, clusters_b, images, jaccard = measure_overlaps(labels[:, 0], labels[:, 1])
    rows, columns = match_best(jaccard)
    table = pd.DataFrame(
        {
            "cluster": clusters_a[rows],
            "other": clusters_b[columns],
            "images": images[rows, columns],
            "jaccard": jaccard[rows, columns],
        }
    )
    return table.sort_values(["jaccard", "cluster"], ascending=[False, True], ignore_index=True)


def follow_themes(matches: pd.DataFrame, run_of: np.ndarray) -> np.ndarray:
    """Join matched clusters into themes that hold at most one cluster of each run, the best matches first.

    Parameters
    ----------
    matches : DataFrame
        ``a, b`` (positions of two clusters) and ``jaccard``.
    run_of : numpy.ndarray of int, shape (c,)
        The run of each cluster.

    Returns
    -------
    numpy.ndarray of int, shape (c,)
        The theme of each cluster, named by the position of one of its clusters.

    Examples
    --------
    >>> matches = pd.DataFrame({"a": [0, 0, 1], "b": [2, 1, 2], "jaccard": [0.9, 0.7, 0.6]})
    >>> follow_themes(matches, np.array([0, 1, 2])).tolist()
    [0, 0, 0]
    >>> follow_themes(matches, np.array([0, 1, 1])).tolist()
    [0, 1, 0]
    """
    theme = np.arange(len(run_of))
    members: dict[Any, list[int]] = {i: [i] for i in range(len(run_of))}
    ordered = matches.sort_values(["jaccard", "a", "b"], ascending=[False, True, True])
    for a, b in zip(ordered["a"].tolist(), ordered["b"].tolist(), strict=True):
        one, other = sorted((int(theme[a]), int(theme[b])))
        if one == other:
            continue
        if {int(run_of[i]) for i in members[one]} & {int(run_of[i]) for i in members[other]}:
            continue
        theme[members[other]] = one
        members[one] += members.pop(other)
    return theme
