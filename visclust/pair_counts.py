"""Count, pair by pair, what a clustering and the people say, and turn the counts into scores."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from visclust.base.tables import check_table

__all__ = ["SCORES", "PairPrediction", "compute_scores", "count_pairs", "predict_same"]

SCORES = ("precision", "recall", "f1", "mean_precision_recall", "coverage")
"""The measures, in the order of the last axis of what `compute_scores` returns."""

_TREATMENTS = ("different", "drop")


class PairPrediction(NamedTuple):
    """What a clustering says of each pair: are both images in one cluster, and have both a cluster at all."""

    same: np.ndarray
    assigned: np.ndarray


def predict_same(clusters: pd.DataFrame, pairs: pd.DataFrame) -> PairPrediction:
    """Say for each pair whether a clustering puts its two images into the same cluster.

    Parameters
    ----------
    clusters : DataFrame
        A clusters table with a row for every image of the pairs.
    pairs : DataFrame, n rows
        ``image_a, image_b``; a pairs or a gold table.

    Returns
    -------
    PairPrediction
        Two bool arrays of length n. A pair with an unassigned image (cluster -1) is not the same, two
        unassigned images neither.

    Raises
    ------
    ValueError
        If an image of the pairs is not in the clusters table.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": ["a", "b", "c"], "cluster": [0, 0, -1],
    ...                          "iteration": 0, "silhouette": 0.5})
    >>> pairs = pd.DataFrame({"image_a": ["a", "a"], "image_b": ["b", "c"]})
    >>> predict_same(clusters, pairs).same.tolist()
    [True, False]
    """
    check_table(clusters, "clusters")
    index = pd.Index(clusters["image_id"])
    rows = [index.get_indexer(pd.Index(pairs[side])) for side in ("image_a", "image_b")]
    absent = (rows[0] < 0) | (rows[1] < 0)
    if absent.any():
        example = pairs.iloc[int(np.flatnonzero(absent)[0])]
        raise ValueError(
            f"Expected every image of the pairs in the clusters table; {int(absent.sum())} of {len(pairs)} "
            f"pairs name one that it lacks, such as {example['image_a']!r} with {example['image_b']!r}. "
            f"Score the clusters of the corpus that the pairs were drawn from (unassigned images are rows "
            f"with cluster -1)."
        )
    labels = clusters["cluster"].to_numpy(dtype=np.int64)
    left, right = labels[rows[0]], labels[rows[1]]
    assigned = (left >= 0) & (right >= 0)
    return PairPrediction(assigned & (left == right), assigned)


def count_pairs(
    prediction: PairPrediction, same: np.ndarray, weights: np.ndarray, *, unassigned: str = "different"
) -> np.ndarray:
    """List what each pair adds to the sums that the scores are made of.

    Parameters
    ----------
    prediction : PairPrediction
        What the clustering says of n pairs.
    same : bool array, shape (n,)
        What the people say.
    weights : float array, shape (n,)
        Weight of each pair.
    unassigned : {"different", "drop"}, default "different"
        Whether a pair with an unassigned image counts as predicted different, or not at all.

    Returns
    -------
    float array, shape (n, 5)
        Weight of the pair in: same by both, predicted same, same by people, assigned, all.

    Raises
    ------
    ValueError
        If `unassigned` is neither of the two.

    Examples
    --------
    >>> prediction = PairPrediction(np.array([True, False]), np.array([True, False]))
    >>> count_pairs(prediction, np.array([True, True]), np.ones(2), unassigned="drop").tolist()
    [[1.0, 1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0, 1.0]]
    """
    if unassigned not in _TREATMENTS:
        raise ValueError(f'Expected unassigned="different" or "drop", got {unassigned!r}.')
    kept = prediction.assigned if unassigned == "drop" else np.ones(len(same), dtype=bool)
    marks = [prediction.same & same, prediction.same, same & kept, prediction.assigned, np.ones_like(kept)]
    return np.column_stack(marks) * weights[:, None]


def compute_scores(sums: np.ndarray) -> np.ndarray:
    """Compute the scores from sums over pairs.

    Parameters
    ----------
    sums : float array, shape (…, 5)
        Sums of what `count_pairs` lists.

    Returns
    -------
    float array, shape (…, 5)
        The measures named in `SCORES`. NaN: precision, F1 and the mean of precision and recall where nothing
        is predicted same; recall, F1 and the mean where people call nothing the same.

    Examples
    --------
    >>> compute_scores(np.array([20.0, 45.0, 20.0, 45.0, 45.0])).round(3).tolist()
    [0.444, 1.0, 0.615, 0.722, 1.0]
    """
    both, predicted, same, assigned, total = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = both / predicted, both / same
        # From the counts rather than from precision and recall, which are both 0 where nothing is shared.
        f1 = np.where((predicted > 0) & (same > 0), 2 * both / (predicted + same), np.nan)
        coverage = assigned / total
    return np.stack([precision, recall, f1, (precision + recall) / 2, coverage], axis=-1)
