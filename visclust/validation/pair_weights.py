"""The weights of judged pairs: how many pairs of the corpus each speaks for, and the strata they are of."""

from typing import Any

import numpy as np
import pandas as pd

from visclust.base.checks import check_numbers
from visclust.base.tables import check_used
from visclust.validation.waves import find_waves

LOOK_WEIGHT = "look_weight"


def read_weights(gold: pd.DataFrame, weights: pd.DataFrame | pd.Series | np.ndarray | str) -> np.ndarray:
    """Find the design weight of each gold pair: the inverse of its inclusion probability.

    `weights` is as `score_pairs` describes it. Raises ValueError where a pair has none above 0. Pairs of
    earlier waves, whose probabilities are of another design, get the weight 0.
    """
    if isinstance(weights, pd.DataFrame):
        check_used(weights, "pairs", ["pair_id", "inclusion_probability"])
        found = weights.set_index("pair_id")["inclusion_probability"].reindex(gold["pair_id"])
        weight = invert_probabilities(found.to_numpy(dtype=np.float64), gold) * _read_look_weights(gold)
        return _take_last_wave(weight, gold, weights)
    if isinstance(weights, str):
        if weights != "inclusion_probability" or weights not in gold.columns:
            raise ValueError(
                f'Expected the pairs table, an array of weights, or "inclusion_probability" where the gold '
                f"table has that column (it has {', '.join(map(str, gold.columns))}), got {weights!r}."
            )
        weight = invert_probabilities(gold[weights].to_numpy(dtype=np.float64), gold) * _read_look_weights(
            gold
        )
        return _take_last_wave(weight, gold, weights)
    if isinstance(weights, pd.Series) and not weights.index.equals(gold.index):
        raise ValueError(
            "Expected a Series of weights with the index of the gold table, got another index. "
            "Make it from the gold table's own columns, or give the pairs table instead."
        )
    values = check_numbers("weights", weights)
    if values.shape != (len(gold),) or not np.isfinite(values).all() or (values <= 0).any():
        raise ValueError(
            f"Expected {len(gold)} finite weights above 0, one per gold pair, got shape {values.shape}"
            + (f" with smallest value {values.min()}." if values.size else ".")
        )
    return values


def settle_weights(gold: pd.DataFrame, weights: Any, design: pd.DataFrame | None) -> Any:
    """Take the probabilities in the gold table where a design is given and no weights are."""
    given = design is not None and weights is None and "inclusion_probability" in gold.columns
    return "inclusion_probability" if given else weights


def read_design_weights(gold: pd.DataFrame, weights: Any, design: pd.DataFrame) -> np.ndarray:
    """Find the weight of each gold pair in its stratum: given, from the gold table, or 1 where all are equal.

    Raises ValueError where pairs of unequal probability lack these.
    """
    weights = settle_weights(gold, weights, design)
    if weights is not None:
        return read_weights(gold, weights)
    if "cell" in design.columns:
        raise ValueError(
            "Expected the probabilities of pairs drawn by cells, got a gold table without the column "
            "inclusion_probability. Resolve the answers with pairs=, or give weights=pairs."
        )
    return _take_last_wave(_read_look_weights(gold), gold, None)


def _read_look_weights(gold: pd.DataFrame) -> np.ndarray:
    """Read how many pairs of the first look each row speaks for; 1 without a second look."""
    if LOOK_WEIGHT not in gold.columns:
        return np.ones(len(gold))
    values = gold[LOOK_WEIGHT].to_numpy(dtype=np.float64)
    if not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(
            f"Expected finite numbers above 0 in the column {LOOK_WEIGHT} of the gold table, got "
            f"{values.min()} among them. Make it with merge_looks."
        )
    return values


def _take_last_wave(weight: np.ndarray, gold: pd.DataFrame, weights: object) -> np.ndarray:
    waves = find_waves(gold, weights)
    return weight if waves is None else np.where(waves == waves.max(), weight, 0.0)


def find_strata(gold: pd.DataFrame, weights: object = None) -> np.ndarray | None:
    """Find the stratum, within its wave, of each gold pair, if gold or the pairs table says so."""
    strata = find_stratum_names(gold, weights)
    waves = find_waves(gold, weights)
    if strata is None or waves is None:
        return strata
    return np.char.add(np.char.add(waves.astype(str), " "), strata)


def find_stratum_names(gold: pd.DataFrame, weights: object = None) -> np.ndarray | None:
    """Find the stratum of each gold pair, (n,), as the draw named it, if gold or the pairs table says so."""
    if "stratum" in gold.columns:
        found = gold["stratum"]
    elif isinstance(weights, pd.DataFrame) and "stratum" in weights.columns:
        found = weights.drop_duplicates("pair_id").set_index("pair_id")["stratum"].reindex(gold["pair_id"])
    else:
        return None
    return found.astype(str).to_numpy(dtype=str)


def invert_probabilities(
    probability: np.ndarray, gold: pd.DataFrame, *, kind: str = "gold pair"
) -> np.ndarray:
    """Give the weights 1 / p of n pairs; ValueError names a pair whose p is no probability."""
    # Written so that NaN is caught too.
    wrong = ~((probability > 0) & (probability <= 1))
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"Expected an inclusion probability above 0 and at most 1 for every {kind}, got "
            f"{probability[at]} for {gold['pair_id'].iloc[at]!r} ({int(wrong.sum())} such pairs). "
            f"Give the pairs table that they were drawn with."
        )
    return 1 / probability
