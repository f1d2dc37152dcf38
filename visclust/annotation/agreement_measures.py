"""Agreement between annotators from tables of counts: one table or many resamples of it at once."""

import numpy as np


def count_coincidences(value_counts: np.ndarray) -> np.ndarray:
    """Count for each unit how often each two values meet in it, by Krippendorff's rule.

    Parameters
    ----------
    value_counts : int array, shape (n, v)
        How many annotators gave each of v values to each of n units.

    Returns
    -------
    float array, shape (n, v, v)
        Coincidences; a unit with m answers adds m to the sum, one with a single answer nothing.

    Source
    ------
    Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section D.

    Examples
    --------
    >>> count_coincidences(np.array([[1, 1], [2, 0], [1, 0]])).tolist()
    [[[0.0, 1.0], [1.0, 0.0]], [[2.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]
    """
    counts = np.asarray(value_counts, dtype=np.float64)
    n_answers = counts.sum(axis=1)
    own = counts[:, :, None] * np.eye(counts.shape[1])
    ordered = counts[:, :, None] * counts[:, None, :] - own
    return ordered / np.maximum(n_answers - 1, 1)[:, None, None]


def compute_alpha(coincidences: np.ndarray) -> np.ndarray:
    """Compute Krippendorff's alpha for nominal values.

    Parameters
    ----------
    coincidences : float array, shape (…, v, v)
        Sums over units of `count_coincidences`.

    Returns
    -------
    float array, shape (…)
        Alpha; NaN where only one value occurs, since nothing could then disagree.

    Source
    ------
    Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section D.

    Examples
    --------
    >>> float(compute_alpha(np.array([[2.0, 0.0], [0.0, 4.0]])))
    1.0
    """
    of_value = coincidences.sum(axis=-1)
    n = of_value.sum(axis=-1)
    observed = n - np.trace(coincidences, axis1=-2, axis2=-1)
    expected = n**2 - (of_value**2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > 0, 1 - (n - 1) * observed / expected, np.nan)


def compute_kappa(table: np.ndarray) -> np.ndarray:
    """Compute Cohen's kappa, unweighted.

    Parameters
    ----------
    table : float array, shape (…, v, v)
        Units by the value of the first annotator (rows) and of the second (columns).

    Returns
    -------
    float array, shape (…)
        Kappa; NaN where both gave one and the same value throughout, since chance alone then agrees.

    Source
    ------
    Cohen (1960), A coefficient of agreement for nominal scales, Educational and Psychological Measurement
    20, 37-46.

    Examples
    --------
    >>> round(float(compute_kappa(np.array([[20, 5], [10, 15]]))), 3)
    0.4
    """
    table = np.asarray(table, dtype=np.float64)
    n = table.sum(axis=(-2, -1))
    agreed = n * np.trace(table, axis1=-2, axis2=-1)
    by_chance = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(by_chance < n**2, (agreed - by_chance) / (n**2 - by_chance), np.nan)


def compute_percent_agreement(sums: np.ndarray) -> np.ndarray:
    """Compute the percentage of two annotators' answers to the same unit that agree.

    Parameters
    ----------
    sums : float array, shape (…, 2)
        Pairs of answers to the same unit that agree, and all of them.

    Returns
    -------
    float array, shape (…)
        Percent, 0 to 100.

    Examples
    --------
    >>> float(compute_percent_agreement(np.array([3.0, 4.0])))
    75.0
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return 100 * sums[..., 0] / sums[..., 1]
