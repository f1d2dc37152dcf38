"""Compare clusterings on the same judged pairs: each one's scores, and paired differences."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from visclust.base.bootstrap import find_interval, resample_sums
from visclust.configuration_grid import check_measure, count_grid, join_settings
from visclust.pair_counts import SCORES, compute_scores
from visclust.pair_weights import HEAVY, find_heaviest, find_strata

__all__ = ["compare_configurations"]


def compare_configurations(
    grid: Mapping[str, pd.DataFrame],
    gold: pd.DataFrame,
    *,
    settings: pd.DataFrame | None = None,
    reference: str | None = None,
    measure: str = "f1",
    weights: Any = None,
    unassigned: str = "different",
    n_bootstrap: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Score every configuration of a grid on all gold pairs, and its difference from one of them.

    All configurations are scored on the same resampled pairs, so that what is hard about a pair for all of
    them cancels out of the differences.

    Parameters
    ----------
    grid : mapping of str to DataFrame
        A clusters table for each configuration, by name.
    gold : DataFrame
        A gold table.
    settings : DataFrame, optional
        ``configuration`` and its settings, such as embedding, threshold and step, to have in the result.
    reference : str, optional
        Configuration to compare with; by default the best on `measure`, which by being chosen on these same
        pairs looks a little better than it is (see `cross_validate`).
    measure : str, default "f1"
        "precision", "recall", "f1" or "mean_precision_recall".
    weights, unassigned
        As for `score_pairs`; all scores are then design-weighted.
    n_bootstrap : int, default 2000
        Resamples of the pairs.
    level : float, default 0.95
        Confidence level of each interval by itself; nothing is corrected for the number of comparisons.
    seed : int, default 0
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        One row per configuration, in the order of the grid: ``configuration``, its settings, each measure
        (precision, recall, f1, mean_precision_recall, coverage) with ``…_low`` and ``…_high``, ``winner``
        (bool: the highest on `measure`, the first of equals), ``reference`` (name), ``difference`` (own minus
        the reference's), ``difference_low, difference_high``, ``cannot_be_told_apart`` (bool: the interval of
        the difference holds 0) and ``reason``.

    Raises
    ------
    ValueError
        If the tables do not match, or no configuration puts any judged pair into one cluster.

    Source
    ------
    Casas et al., "Automated Visual Clustering …", section on validation and Figure 5; paired bootstrap after
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapters 8 and 13.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": list("abc"), "cluster": [0, 0, 1],
    ...                       "iteration": 0, "silhouette": 0.5})
    >>> gold = pd.DataFrame({"pair_id": list("pqr"), "image_a": list("aab"), "image_b": list("bcc"),
    ...                      "same": [True, True, False]})
    >>> grid = {"two": table, "one": table.assign(cluster=0)}
    >>> compare_configurations(grid, gold)[["configuration", "f1", "winner"]].round(2).values.tolist()
    [['two', 0.67, False], ['one', 0.8, True]]
    """
    place = check_measure(measure)
    counts = count_grid(grid, gold, weights=weights, unassigned=unassigned)
    names, n_configurations = list(grid), len(grid)
    estimates = compute_scores(counts.sum(axis=1))
    if np.isnan(estimates[:, place]).all():
        raise ValueError(
            f"Expected a configuration whose {measure} is defined, got none: no clustering puts a judged "
            f"pair into one cluster, or people call none the same. Label more pairs within clusters."
        )
    best = int(np.nanargmax(estimates[:, place]))
    if reference is not None and reference not in grid:
        raise ValueError(f"Expected a reference from the grid ({', '.join(names)}), got {reference!r}.")
    against = best if reference is None else names.index(reference)
    # Pairs first: one row of a resample holds a pair under every configuration.
    by_pair = counts.transpose(1, 0, 2).reshape(len(gold), -1)
    strata = find_strata(gold, weights)
    sums = resample_sums(by_pair, n_bootstrap=n_bootstrap, seed=seed, strata=strata)
    replicates = compute_scores(sums.reshape(n_bootstrap, n_configurations, len(SCORES)))
    low, high = find_interval(replicates, level=level)
    table: dict[str, Any] = {"configuration": names}
    for i, name in enumerate(SCORES):
        missing = np.isnan(estimates[:, i])
        table[name] = estimates[:, i]
        table[f"{name}_low"] = np.where(missing, np.nan, low[:, i])
        table[f"{name}_high"] = np.where(missing, np.nan, high[:, i])
    paired = replicates[:, :, place] - replicates[:, [against], place]
    difference = estimates[:, place] - estimates[against, place]
    difference_low, difference_high = find_interval(paired, level=level)
    missing = np.isnan(difference)
    n_undefined = np.isnan(paired).sum(axis=0)
    heaviest = [0.0 if weights is None else find_heaviest(one)[place] for one in counts]
    table |= {
        "winner": np.arange(n_configurations) == best,
        "reference": names[against],
        "difference": difference,
        "difference_low": np.where(missing, np.nan, difference_low),
        "difference_high": np.where(missing, np.nan, difference_high),
        "cannot_be_told_apart": ~missing & (difference_low <= 0) & (difference_high >= 0),
        "reason": [
            _explain(measure, missing=bool(gone), n_undefined=int(n), n_bootstrap=n_bootstrap, heaviest=share)
            for gone, n, share in zip(missing, n_undefined, heaviest, strict=True)
        ],
    }
    return join_settings(pd.DataFrame(table), settings)


def _explain(measure: str, *, missing: bool, n_undefined: int, n_bootstrap: int, heaviest: float) -> str:
    if missing:
        return f"{measure} is undefined: no judged pair in one cluster, or none called the same"
    reasons = []
    if heaviest > HEAVY:
        reasons.append(f"one pair can carry {heaviest:.0%} of the weight: intervals are likely too narrow")
    if n_undefined:
        reasons.append(
            f"undefined in {n_undefined} of {n_bootstrap} resamples, which the interval leaves out"
        )
    return "; ".join(reasons)
