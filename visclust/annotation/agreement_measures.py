"""Agreement between annotators from tables of counts: of one table, or of many resamples of it at once."""

import numpy as np


def count_coincidences(value_counts: np.ndarray) -> np.ndarray:
    """Count for each unit how often each two values meet in it, by Krippendorff's (2011) rule.

    Takes how many annotators gave each of v values to each of n units, shape (n, v), and gives shape
    (n, v, v). A unit with m answers adds m to the sum, and one with a single answer nothing.
    """
    counts = np.asarray(value_counts, dtype=np.float64)
    n_answers = counts.sum(axis=1)
    own = counts[:, :, None] * np.eye(counts.shape[1])
    ordered = counts[:, :, None] * counts[:, None, :] - own
    return ordered / np.maximum(n_answers - 1, 1)[:, None, None]


def compute_alpha(coincidences: np.ndarray) -> np.ndarray:
    """Compute Krippendorff's alpha for nominal values from coincidences summed over units, shape (…, v, v).

    It is NaN where only one value occurs, since nothing could then disagree.
    """
    of_value = coincidences.sum(axis=-1)
    n = of_value.sum(axis=-1)
    observed = n - np.trace(coincidences, axis1=-2, axis2=-1)
    expected = n**2 - (of_value**2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > 0, 1 - (n - 1) * observed / expected, np.nan)


def compute_kappa(table: np.ndarray) -> np.ndarray:
    """Compute Cohen's (1960) kappa, unweighted, from units by first (rows) and second annotator, (…, v, v).

    It is NaN where both gave one and the same value throughout, since chance alone then agrees.
    """
    table = np.asarray(table, dtype=np.float64)
    n = table.sum(axis=(-2, -1))
    agreed = n * np.trace(table, axis1=-2, axis2=-1)
    by_chance = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(by_chance < n**2, (agreed - by_chance) / (n**2 - by_chance), np.nan)


def compute_percent_agreement(sums: np.ndarray) -> np.ndarray:
    """Compute the percentage of agreeing among all pairs of answers to one unit; `sums` is (…, 2) of both."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return 100 * sums[..., 0] / sums[..., 1]
