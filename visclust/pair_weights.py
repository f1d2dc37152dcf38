"""Weights of judged pairs: read from the design, and checked for how much hangs on a single pair."""

import numpy as np
import pandas as pd

from visclust.base.tables import check_table
from visclust.pair_counts import SCORES

__all__ = ["HEAVY", "count_effective", "find_heaviest", "find_strata", "read_weights"]

# In simulations of the default design, intervals held the population's value clearly less often than they
# should once one pair could carry more than this share of the weight that a measure rests on.
HEAVY = 1 / 30


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


def count_effective(counts: np.ndarray) -> np.ndarray:
    """Count how many pairs of equal weight would tell as much as those that each measure rests on.

    Parameters
    ----------
    counts : float array, shape (n, 5)
        What `visclust.pair_counts.count_pairs` lists.

    Returns
    -------
    float array, shape (5,)
        Kish's effective number per measure of `SCORES`; of the mean the smaller of its two.

    Source
    ------
    Kish (1965), Survey Sampling, section 11.7.

    Examples
    --------
    >>> count_effective(np.ones((4, 5))).tolist()
    [4.0, 4.0, 4.0, 4.0, 4.0]
    """
    effective = [one.sum() ** 2 / (one**2).sum() if one.any() else 0.0 for one in _list_weights(counts)]
    effective[3] = min(effective[:2])
    return np.array(effective)


def find_heaviest(counts: np.ndarray) -> np.ndarray:
    """Find the largest share of the weight behind each measure that one pair could have.

    Any pair, of the largest weight too, might have been among those that a measure rests on.

    Parameters
    ----------
    counts : float array, shape (n, 5)
        What `visclust.pair_counts.count_pairs` lists.

    Returns
    -------
    float array, shape (5,)
        Shares per measure of `SCORES`, 1 at most; of the mean the larger of its two; 0 for coverage, whose
        pairs are all there are, and where a measure rests on nothing.

    Examples
    --------
    >>> find_heaviest(np.array([[1.0, 1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 9.0, 9.0, 9.0]])).round(2).tolist()
    [1.0, 0.9, 0.9, 1.0, 0.0]
    """
    largest = counts[:, 4].max()
    shares = [min(1.0, largest / one.sum()) if one.any() else 0.0 for one in _list_weights(counts)]
    shares[3] = max(shares[:2])
    shares[SCORES.index("coverage")] = 0.0
    return np.array(shares)


def _list_weights(counts: np.ndarray) -> list[np.ndarray]:
    """List the weights of the pairs that each measure rests on."""
    _, predicted, same, _, everything = counts.T
    either = np.maximum(predicted, same)
    return [predicted, same, either, either, everything]


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
