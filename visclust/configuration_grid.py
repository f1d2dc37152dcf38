"""A grid of clusterings under one roof: checked, counted pair by pair, and joined with its settings."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from visclust.base.tables import check_table
from visclust.pair_counts import SCORES, count_pairs, predict_same
from visclust.pair_weights import read_weights

__all__ = ["check_measure", "count_grid", "join_settings"]


def count_grid(
    grid: Mapping[str, pd.DataFrame],
    gold: pd.DataFrame,
    *,
    weights: Any = None,
    unassigned: str = "different",
) -> np.ndarray:
    """Count the gold pairs under every configuration of a grid.

    Parameters
    ----------
    grid : mapping of str to DataFrame
        A clusters table for each of g configurations, by name.
    gold : DataFrame, n rows
        A gold table.
    weights, unassigned
        As for `visclust.pair_scores.score_pairs`.

    Returns
    -------
    float array, shape (g, n, 5)
        What `visclust.pair_counts.count_pairs` lists, in the order of the grid.

    Raises
    ------
    ValueError
        If the grid or the gold table is empty, or a table does not fit.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": ["a", "b"], "cluster": 0, "iteration": 0, "silhouette": 0.5})
    >>> gold = pd.DataFrame({"pair_id": ["p"], "image_a": ["a"], "image_b": ["b"], "same": [True]})
    >>> count_grid({"one": clusters}, gold).shape
    (1, 1, 5)
    """
    check_table(gold, "gold")
    if not isinstance(grid, Mapping) or not len(grid):
        raise ValueError(
            f"Expected a grid that names at least one clusters table, such as {{'k = 80': clusters}}, got "
            f"{type(grid).__name__}{' without entries' if isinstance(grid, Mapping) else ''}."
        )
    if not len(gold):
        raise ValueError("Expected at least one gold pair, got none. Label and resolve some pairs first.")
    weight = np.ones(len(gold)) if weights is None else read_weights(gold, weights)
    same = gold["same"].to_numpy(dtype=bool)
    counts = []
    for name, clusters in grid.items():
        try:
            prediction = predict_same(clusters, gold)
        except (TypeError, ValueError) as error:
            raise type(error)(f"Configuration {name!r}: {error}") from error
        counts.append(count_pairs(prediction, same, weight, unassigned=unassigned))
    return np.stack(counts)


def join_settings(table: pd.DataFrame, settings: pd.DataFrame | None) -> pd.DataFrame:
    """Join the settings of each configuration to a table of results.

    Parameters
    ----------
    table : DataFrame
        ``configuration`` and results.
    settings : DataFrame, optional
        ``configuration`` and settings, such as embedding, threshold and step.

    Returns
    -------
    DataFrame
        ``configuration``, the settings, the results; rows in the order of `table`.

    Raises
    ------
    ValueError
        If a configuration has no settings or two, or a setting has the name of a result.

    Examples
    --------
    >>> join_settings(pd.DataFrame({"configuration": ["one"], "f1": [0.5]}),
    ...               pd.DataFrame({"configuration": ["one"], "step": [5]})).columns.tolist()
    ['configuration', 'step', 'f1']
    """
    if settings is None:
        return table
    if "configuration" not in settings.columns or settings["configuration"].duplicated().any():
        raise ValueError(
            "Expected settings with one row per configuration, named in a column configuration, got columns "
            f"{', '.join(map(str, settings.columns))}"
            + (" and a name that comes twice." if "configuration" in settings.columns else ".")
        )
    absent = sorted(set(table["configuration"]) - set(settings["configuration"]))
    if absent:
        raise ValueError(
            f"Expected settings for every configuration; {', '.join(map(repr, absent))} has none."
        )
    clash = sorted((set(settings.columns) & set(table.columns)) - {"configuration"})
    if clash:
        raise ValueError(
            f"Expected settings under names of their own, got {', '.join(clash)}, which are results."
        )
    joined = table[["configuration"]].merge(settings, on="configuration", how="left", validate="many_to_one")
    return pd.concat([joined, table.drop(columns="configuration").reset_index(drop=True)], axis=1)


def check_measure(measure: str) -> int:
    """Check that a measure is one to choose by, and give its place in `SCORES`.

    Parameters
    ----------
    measure : str
        One of "precision", "recall", "f1", "mean_precision_recall".

    Returns
    -------
    int
        Its place.

    Raises
    ------
    ValueError
        If it is none of them.

    Examples
    --------
    >>> check_measure("f1")
    2
    """
    choices = SCORES[:-1]  # a high coverage alone says nothing about how good the clusters are
    if measure not in choices:
        raise ValueError(f"Expected one of the measures {', '.join(choices)}, got {measure!r}.")
    return choices.index(measure)
