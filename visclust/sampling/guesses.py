"""Guesses for all images beside people's labels of a sample: read by image, weighed by what they are worth.

The estimate is the sum of the guesses g over the corpus, and the weighted sum of what they leave over in the
sample, y - g. The design alone makes it right on average, whatever the guesses are; they make it narrower.
"""

import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.checks import show

# Guesses of one stratum that differ by less than this share of the largest are the same but for rounding.
_SAME = 1e-9


class Guess(NamedTuple):
    """Guesses of the sampled rows (n,), their sum over all images that an estimate speaks for, least tuning.

    Where a cluster has few labels, one left out lies on the other side of their mean than the rest: guesses
    that are cross-fitted seem to go against the labels then, which is no worth of theirs (`least` is 0).
    """

    sampled: np.ndarray
    total: float
    least: float = -math.inf


class Tuning(NamedTuple):
    """How much of the guesses is taken, and whether they differ at all within the strata."""

    share: float
    varies: bool


def pick_guesses(
    guesses: pd.Series | pd.DataFrame,
    name: str,
    *,
    category: Any,
    categories: list[Any],
    image_ids: pd.Series,
    needed: np.ndarray,
) -> np.ndarray:
    """Give the guess of each picture of the corpus (n,) for one value, or for one category of it.

    `needed` (n,) says for which a guess must be there. Named categories become 1 and 0; a number for a value
    of True and False (or 1 and 0) is the guessed share of True, and for False its complement.
    """
    found = _pick_column(guesses, name, category)
    if found.index.duplicated().any():
        twice = found.index[found.index.duplicated()][0]
        raise ValueError(f"Expected one guess per image; {twice!r} comes twice. Average or choose first.")
    column = found.reindex(image_ids).reset_index(drop=True)
    if (lacking := column.isna().to_numpy() & needed).any():
        example = image_ids.reset_index(drop=True)[lacking].iloc[0]
        raise ValueError(
            f"Expected a guess of {name!r} for each of the {int(needed.sum())} images for which the estimate "
            f"speaks, sampled or not; {int(lacking.sum())} have none, {example!r} among them. Index the "
            "guesses by image_id, and fill gaps with any number, such as the mean: the estimate stays right."
        )
    if _is_number(column):
        numbers = column.to_numpy(dtype=float, na_value=np.nan)
        if np.isinf(numbers).any():
            raise ValueError(f"Expected finite guesses of {name!r}, got an infinite one. Correct it.")
        if category is None or _names_category(guesses, name, category):
            return numbers
        if set(categories) <= {0, 1}:
            return numbers if category == 1 else 1 - numbers
        raise ValueError(
            f"{name!r} has the categories {show(categories)}, and its guesses are numbers: give the guessed "
            "category of each image, or a table with image_id and a column of probabilities per category."
        )
    if category is None:
        raise ValueError(
            f"Expected numbers, or True and False, as guesses of {name!r}, got {column.dropna().iloc[0]!r}."
        )
    return column.eq(category).to_numpy(dtype=float)


def _pick_column(guesses: pd.Series | pd.DataFrame, name: str, category: Any) -> pd.Series:
    """Take the guesses of one value or category, indexed by image id."""
    if isinstance(guesses, pd.Series):
        return guesses
    if "image_id" not in guesses.columns:
        raise ValueError(
            "Expected guesses as a Series indexed by image id, or a table with image_id, got the columns "
            f"{list(map(str, guesses.columns))}."
        )
    indexed = guesses.set_index("image_id")
    wanted = name if name in indexed.columns or category is None else str(category)
    if wanted not in indexed.columns:
        either = "" if category is None else f" or {wanted!r}, its category"
        raise ValueError(
            f"The guesses have no column {name!r}{either} (they have "
            f"{', '.join(map(str, indexed.columns)) or 'none'}). Name the column as what is guessed."
        )
    return indexed[wanted]


def _names_category(guesses: pd.Series | pd.DataFrame, name: str, category: Any) -> bool:
    """Say whether the guesses have a column of the category's own."""
    return (
        isinstance(guesses, pd.DataFrame) and name not in guesses.columns and str(category) in guesses.columns
    )


def _is_number(column: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(column):
        return True
    return bool(column.dropna().map(lambda each: isinstance(each, bool | int | float | np.number)).all())


def tune_guess(
    y: np.ndarray,
    guess: np.ndarray,
    strata: np.ndarray,
    measure: Callable[[np.ndarray], float],
    *,
    tuning: float | None,
    least: float = -math.inf,
) -> Tuning:
    """Find how much of the guesses makes the variance least.

    `measure` gives the variance of linearised values. The variance of y - t g is a parabola in t, whose least
    point is the covariance of y and g over the variance of g, all under the design. Where the guesses do not
    differ within strata, nothing can be had.
    """
    means = np.bincount(strata, weights=guess) / np.bincount(strata)
    varies = bool(np.abs(guess - means[strata]).max() > _SAME * np.abs(guess).max())
    if tuning is not None or not varies:
        return Tuning(tuning or 0.0, varies=varies)
    own, shared = measure(guess), (measure(y + guess) - measure(y - guess)) / 4
    return Tuning(max(least, shared / own) if own > 0 and math.isfinite(shared) else 0.0, varies=True)


def is_cross_fitted(guesses: Any) -> bool:
    """Say whether guesses are known to be those of `guess_labels`, by their record."""
    record = getattr(guesses, "attrs", {}).get("provenance") or {}
    return bool(record.get("function") == "guess_labels")


def warn_of_constant(name: str, *, one_stratum: bool) -> None:
    """Say that guesses which do not differ within the strata save no labels."""
    where = "all sampled images have the same one"
    if not one_stratum:
        where = (
            "all sampled images of a cluster have the same one, and what is known of whole clusters a "
            "stratified sample uses already"
        )
    warnings.warn(
        f"The guesses of {name!r} save no labels: {where}. They cancel out, and the estimate is that of the "
        "labels alone. Give guesses that differ within clusters, such as the probabilities of a fine-tuned "
        "network, or the likeness of each image to its cluster's centre.",
        stacklevel=5,
    )
