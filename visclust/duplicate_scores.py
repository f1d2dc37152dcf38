"""Precision and recall of duplicates that were found, where the true ones are known."""

from typing import Any

import numpy as np
import pandas as pd

from visclust.base.components import connect_pairs

__all__ = ["score_duplicates"]


def score_duplicates(duplicates: Any, known: pd.DataFrame) -> pd.DataFrame:
    """Score duplicates against known near copies, over all pairs of different images.

    Copies with the same bytes are one image here: they are found by definition and count for nothing.

    Parameters
    ----------
    duplicates : Duplicates or DataFrame
        What `find_duplicates` gave, or its table of groups.
    known : DataFrame
        ``image_id, source_id, kind``: a row per image that was made from another. What was made from one
        source belongs together as well. All other images are taken to be alone.

    Returns
    -------
    DataFrame
        First a row for ``kind`` "all": ``known`` (pairs that belong together), ``found`` (pairs in one
        group), ``correct`` (both), ``precision`` (correct of found; NaN where none is found) and ``recall``
        (correct of known). Then a row per kind, over the pairs of an image and its own source, without
        found and precision, since a wrong pair is of no kind.

    Raises
    ------
    ValueError
        If a column is missing, or an image of `known` is in no group.

    Examples
    --------
    >>> groups = pd.DataFrame({"image_id": list("abcd"), "group": [0, 0, 1, 1]})
    >>> known = pd.DataFrame({"image_id": ["b"], "source_id": ["a"], "kind": ["crop"]})
    >>> score_duplicates(groups, known)[["kind", "precision", "recall"]].values.tolist()
    [['all', 0.5, 1.0], ['crop', nan, 1.0]]
    """
    missing = [name for name in ("image_id", "source_id", "kind") if name not in known.columns]
    if missing:
        raise ValueError(f"The known near copies need the columns image_id, source_id, kind: no {missing}.")
    groups = getattr(duplicates, "groups", duplicates).drop_duplicates("image_id", ignore_index=True)
    place = pd.Series(np.arange(len(groups)), index=groups["image_id"])
    ends = pd.DataFrame({side: known[side].map(place) for side in ("image_id", "source_id")})
    if ends.isna().any(axis=None):
        raise ValueError("Some known near copies are in no group: they are of another images table.")
    copy, source = ends.to_numpy(dtype="int64").T
    truth = connect_pairs([(copy, source)], len(groups))
    found = groups["group"].to_numpy()
    n_known, n_found = _count_pairs(truth), _count_pairs(found)
    correct = _count_pairs(pd.factorize(pd.Series(zip(truth, found, strict=True)))[0])
    together = pd.DataFrame({"kind": known["kind"].to_numpy(), "together": found[copy] == found[source]})
    by_kind = together.groupby("kind", sort=False)["together"].agg(["size", "sum"])
    table = pd.DataFrame(
        {
            "kind": ["all", *by_kind.index],
            "known": [n_known, *by_kind["size"]],
            "found": pd.array([n_found, *[pd.NA] * len(by_kind)], dtype="Int64"),
            "correct": [correct, *by_kind["sum"]],
            "precision": [correct / n_found if n_found else np.nan, *[np.nan] * len(by_kind)],
        }
    )
    return table.assign(recall=table["correct"] / table["known"])


def _count_pairs(labels: np.ndarray) -> int:
    sizes = np.unique(labels, return_counts=True)[1]
    return int((sizes * (sizes - 1) // 2).sum())
