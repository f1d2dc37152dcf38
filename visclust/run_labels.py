"""Several clusterings of the same images, side by side."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from visclust.base.tables import UNASSIGNED, check_table

__all__ = ["RunLabels", "isolate_unassigned", "stack_runs"]


class RunLabels(NamedTuple):
    """Names of the runs, ids of the images, and a column of labels per run (-1 = unassigned)."""

    names: list[str]
    image_ids: pd.Series
    labels: np.ndarray


def stack_runs(runs: Mapping[str, pd.DataFrame]) -> RunLabels:
    """Put the labels of several runs side by side, image by image.

    Parameters
    ----------
    runs : mapping of str to DataFrame
        A clusters table for each run, all of the same images, in whatever order.

    Returns
    -------
    RunLabels
        In the order of the first table.

    Raises
    ------
    ValueError
        If there are fewer than two runs, two have one name, or they are of different images.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": ["a", "b"], "cluster": [0, 1], "iteration": 1, "silhouette": 0.5})
    >>> stack_runs({"one": table, "other": table.iloc[::-1]}).labels.tolist()
    [[0, 0], [1, 1]]
    """
    if not isinstance(runs, Mapping) or len(runs) < 2:
        raise ValueError(
            "Expected at least two runs as a mapping of names to clusters tables, such as "
            "{'seed 0': clusters, 'seed 1': more_clusters}."
        )
    if len(set(map(str, runs))) < len(runs):
        raise ValueError(f"Expected runs of different names, got {list(runs)!r}.")
    for table in runs.values():
        check_table(table, "clusters")
    first_name, first = next(iter(runs.items()))
    image_ids = first["image_id"].reset_index(drop=True)
    columns = []
    for name, table in runs.items():
        found = table.set_index("image_id")["cluster"].reindex(image_ids)
        unknown = int(found.isna().sum())
        if unknown or len(table) != len(image_ids):
            raise ValueError(
                f"Expected runs on the same images, but {name!r} has {len(table)} images, {first_name!r} has "
                f"{len(image_ids)}, and {unknown} of these are not in {name!r}. Keep the images in common."
            )
        columns.append(found.to_numpy(dtype="int64"))
    return RunLabels(list(map(str, runs)), image_ids, np.column_stack(columns))


def isolate_unassigned(labels: np.ndarray) -> np.ndarray:
    """Make each unassigned image a cluster of its own.

    Parameters
    ----------
    labels : numpy.ndarray of int, shape (n,)
        Clusters; -1 = unassigned.

    Returns
    -------
    numpy.ndarray of int, shape (n,)
        New labels without -1.

    Examples
    --------
    >>> isolate_unassigned(np.array([0, -1, -1])).tolist()
    [0, 1, 2]
    """
    alone = labels == UNASSIGNED
    isolated = labels.copy()
    isolated[alone] = labels.max(initial=UNASSIGNED) + 1 + np.arange(alone.sum())
    return isolated
