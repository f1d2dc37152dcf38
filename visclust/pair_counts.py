"""Count, pair by pair, what a clustering and the people say, and turn the counts into scores."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from visclust.tables import check_table

__all__ = [
    "SCORES",
    "PairPrediction",
    "compute_scores",
    "count_pairs",
    "find_strata",
    "predict_same",
    "read_weights",
]

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


def read_weights(gold: pd.DataFrame, weights: pd.DataFrame | pd.Series | np.ndarray | str) -> np.ndarray:
    """Find the design weight of each gold pair: the inverse of its inclusion probability.

    Parameters
    ----------
    gold : DataFrame, n rows
        A gold table.
    weights : DataFrame, str, Series or ndarray
        The pairs table that `sample_pairs` gave; or "inclusion_probability" for that column of `gold`; or the
        weights themselves, one per row of `gold` (a Series must have the index of `gold`).

    Returns
    -------
    float array, shape (n,)
        Weights above 0.

    Raises
    ------
    ValueError
        If a pair has no weight, or one that is not above 0.

    Examples
    --------
    >>> gold = pd.DataFrame({"pair_id": ["p", "q"], "inclusion_probability": [0.5, 0.1]})
    >>> read_weights(gold, "inclusion_probability").tolist()
    [2.0, 10.0]
    """
    if isinstance(weights, pd.DataFrame):
        check_table(weights, "pairs")
        found = weights.set_index("pair_id")["inclusion_probability"].reindex(gold["pair_id"])
        return _invert(found.to_numpy(dtype=np.float64), gold)
    if isinstance(weights, str):
        if weights != "inclusion_probability" or weights not in gold.columns:
            raise ValueError(
                f'Expected the pairs table, an array of weights, or "inclusion_probability" where the gold '
                f"table has that column (it has {', '.join(map(str, gold.columns))}), got {weights!r}."
            )
        return _invert(gold[weights].to_numpy(dtype=np.float64), gold)
    if isinstance(weights, pd.Series) and not weights.index.equals(gold.index):
        raise ValueError(
            "Expected a Series of weights with the index of the gold table, got another index. "
            "Make it from the gold table's own columns, or give the pairs table instead."
        )
    values = np.asarray(weights, dtype=np.float64)
    if values.shape != (len(gold),) or not np.isfinite(values).all() or (values <= 0).any():
        raise ValueError(
            f"Expected {len(gold)} finite weights above 0, one per gold pair, got shape {values.shape}"
            + (f" with smallest value {values.min()}." if values.size else ".")
        )
    return values


def find_strata(gold: pd.DataFrame, weights: object = None) -> np.ndarray | None:
    """Find the stratum that each gold pair was drawn from, where that is known.

    Parameters
    ----------
    gold : DataFrame, n rows
        A gold table, with or without a column ``stratum``.
    weights : object, optional
        If a pairs table, its strata are taken where `gold` has none.

    Returns
    -------
    str array, shape (n,), or None
        Strata, to resample within; None where they are not known.

    Examples
    --------
    >>> find_strata(pd.DataFrame({"pair_id": ["p"], "stratum": ["within"]})).tolist()
    ['within']
    """
    if "stratum" in gold.columns:
        return gold["stratum"].astype(str).to_numpy(dtype=str)
    if isinstance(weights, pd.DataFrame) and "stratum" in weights.columns:
        found = weights.drop_duplicates("pair_id").set_index("pair_id")["stratum"].reindex(gold["pair_id"])
        return found.astype(str).to_numpy(dtype=str)
    return None


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


def _invert(probability: np.ndarray, gold: pd.DataFrame) -> np.ndarray:
    # Written so that NaN is caught too.
    wrong = ~((probability > 0) & (probability <= 1))
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"Expected an inclusion probability above 0 and at most 1 for every gold pair, got "
            f"{probability[at]} for {gold['pair_id'].iloc[at]!r} ({int(wrong.sum())} such pairs). "
            f"Give the pairs table that these gold pairs were drawn with."
        )
    return 1 / probability
