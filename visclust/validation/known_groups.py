"""Check a clustering against groups that are known: for corpora such as the example, never for making one."""

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import pair_confusion_matrix

from visclust.base.columns import check_clusters
from visclust.base.provenance import recorded
from visclust.base.tables import UNASSIGNED, check_columns


@recorded
def score_against_groups(clusters: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """Score a clustering against known groups, over all pairs of images.

    An unassigned image counts as a cluster of its own: it is with no other.

    Parameters
    ----------
    clusters : DataFrame
        The clusters table (``image_id, cluster`` are enough).
    groups : DataFrame
        ``image_id, group``: the known group of every image in `clusters`.

    Returns
    -------
    DataFrame
        One row: ``images``, ``clusters``, ``unassigned`` (images), ``pair_precision`` (of the pairs in one
        cluster, the share in one group; NaN where no pair is), ``pair_recall`` (of the pairs in one group,
        the share in one cluster), ``pair_f1``, and ``adjusted_rand``.

    Raises
    ------
    ValueError
        If a column is missing, or an image has no known group or more than one.

    Source
    ------
    Hubert and Arabie (1985), Comparing partitions, Journal of Classification 2, 193-218, for the adjusted
    Rand index.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abcd"), "cluster": [0, 0, 1, -1], "iteration": 1,
    ...                          "silhouette": 0.1})
    >>> groups = pd.DataFrame({"image_id": list("abcd"), "group": ["cat", "cat", "dog", "dog"]})
    >>> score_against_groups(clusters, groups)[["pair_precision", "pair_recall"]].iloc[0].tolist()
    [1.0, 0.5]
    """
    clusters = check_clusters(clusters)
    check_columns(groups, ["image_id", "group"], "the groups")
    if groups["image_id"].duplicated().any():
        raise ValueError("Expected one known group per image; some image_id comes twice in the groups.")
    known = clusters["image_id"].map(groups.set_index("image_id")["group"])
    if known.isna().any():
        raise ValueError(
            f"{known.isna().sum()} of {len(known)} images have no known group: leave them out first."
        )
    labels = clusters["cluster"].to_numpy(copy=True)
    alone = labels == UNASSIGNED
    labels[alone] = labels.max() + 1 + np.arange(alone.sum())
    # Rows are "apart" and "together" in the groups, columns the same in the clusters; each pair counts twice.
    (_, false), (missed, true) = pair_confusion_matrix(known, labels)
    precision = true / (true + false) if true + false else np.nan
    recall = true / (true + missed) if true + missed else np.nan
    return pd.DataFrame(
        {
            "images": [len(labels)],
            "clusters": [int(clusters.loc[~alone, "cluster"].nunique())],
            "unassigned": [int(alone.sum())],
            "pair_precision": [precision],
            "pair_recall": [recall],
            "pair_f1": [2 * true / (2 * true + false + missed) if true + false + missed else np.nan],
            "adjusted_rand": [adjusted_rand_score(known, labels)],
        }
    )
