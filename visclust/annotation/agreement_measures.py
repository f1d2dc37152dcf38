"""Agreement between annotators from tables of counts: one table or many resamples of it at once."""

import numpy as np


def count_coincidences(value_counts: np.ndarray) -> np.ndarray:
    """Count for each unit how often each two values meet in it, by Krippendorff's rule."""
    counts = np.asarray(value_counts, dtype=np.float64)
    n_answers = counts.sum(axis=1)
    own = counts[:, :, None] * np.eye(counts.shape[1])
    ordered = counts[:, :, None] * counts[:, None, :] - own
    return ordered / np.maximum(n_answers - 1, 1)[:, None, None]


def compute_alpha(coincidences: np.ndarray) -> np.ndarray:
    """Compute Krippendorff's alpha for nominal values."""
    of_value = coincidences.sum(axis=-1)
    n = of_value.sum(axis=-1)
    observed = n - np.trace(coincidences, axis1=-2, axis2=-1)
    expected = n**2 - (of_value**2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > 0, 1 - (n - 1) * observed / expected, np.nan)


def compute_kappa(table: np.ndarray) -> np.ndarray:
    """Compute Cohen's kappa, unweighted."""
    table = np.asarray(table, dtype=np.float64)
    n = table.sum(axis=(-2, -1))
    agreed = n * np.trace(table, axis1=-2, axis2=-1)
    by_chance = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(by_chance < n**2, (agreed - by_chance) / (n**2 - by_chance), np.nan)


def compute_percent_agreement(sums: np.ndarray) -> np.ndarray:
    """Compute the percentage of two annotators' answers to the same unit that agree."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return 100 * sums[..., 0] / sums[..., 1]
