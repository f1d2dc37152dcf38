"""The labels that a network is trained on: checked, and matched with their images."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from visclust.base.tables import check_table
from visclust.images.batches import ImageFile, list_files

__all__ = ["LabelledImages", "match_labels"]


class LabelledImages(NamedTuple):
    """Files, their labels (n, features; 1, 0, NaN where missing), features, how many had none, if made up."""

    files: list[ImageFile]
    targets: np.ndarray
    features: list[str]
    unlabelled: int
    simulated: bool = False


def match_labels(
    images: pd.DataFrame, labels: pd.DataFrame, *, features: Sequence[str] | None = None
) -> LabelledImages:
    """Match labels with image files, and refuse labels that nothing can be learnt from.

    Parameters
    ----------
    images : DataFrame
        The images table.
    labels : DataFrame
        The labels table: ``image_id`` and a column per feature with 1, 0 or missing.
    features : sequence of str, optional
        Columns to learn; by default all but ``image_id`` and ``simulated``.

    Returns
    -------
    LabelledImages
        In the order of the images table. Images without any label are left out and counted.

    Raises
    ------
    ValueError
        If a label is none of 1, 0 and missing, a labelled image is not in the images table, or a feature
        has no positive or no negative label; names it.

    Examples
    --------
    >>> images = pd.DataFrame(columns=["image_id", "path", "status", "reason", "width", "height"])
    >>> match_labels(images, pd.DataFrame({"image_id": ["a"]}))
    Traceback (most recent call last):
    ValueError: Expected a column per feature in the labels table, got image_id only. ...
    """
    check_table(labels, "labels")
    if isinstance(features, str):
        raise ValueError(f"Expected features as a list, such as [{features!r}], got {features!r}.")
    possible = [name for name in labels.columns if name not in ("image_id", "simulated")]
    names = possible if features is None else list(features)
    if not names:
        raise ValueError(
            "Expected a column per feature in the labels table, got image_id only. Make it with "
            "aggregate_labels, or give it a column of 1, 0 and missing for each feature."
        )
    absent = [name for name in names if name not in possible]
    if absent or len(set(names)) < len(names):
        raise ValueError(f"Expected features that are columns of the labels, once each; got {names!r}.")
    values = np.column_stack([_read_feature(labels[name]) for name in names])
    known = ~np.isnan(values).all(axis=1)
    ids = labels.loc[known, "image_id"]
    files = list_files(images)
    unknown = sorted(set(ids) - {file.image_id for file in files})
    if unknown:
        raise ValueError(
            f"Expected labels of usable images, but {len(unknown)} of the {len(ids)} labelled are not in the "
            f"images table with status 'ok'; the first is {unknown[0]!r}. Give the table that was labelled."
        )
    _check_both_answers(values, names)
    row = pd.Series(np.flatnonzero(known), index=ids)
    chosen = [file for file in files if file.image_id in row.index]
    targets = values[row[[file.image_id for file in chosen]].to_numpy()]
    simulated = "simulated" in labels.columns and labels["simulated"].eq(True).any()  # noqa: FBT003
    return LabelledImages(chosen, targets.astype(np.float32), names, int((~known).sum()), bool(simulated))


def _read_feature(column: pd.Series) -> np.ndarray:
    """Give a feature's labels as numbers, NaN where missing."""
    values = np.full(len(column), np.nan)
    given = column.notna().to_numpy()
    numbers = pd.to_numeric(column[given], errors="coerce").to_numpy(dtype=float)
    wrong = ~np.isin(numbers, (0.0, 1.0))
    if wrong.any():
        raise ValueError(
            f"Expected 1, 0 or missing as labels of {column.name!r}, got "
            f"{column[given].tolist()[int(np.flatnonzero(wrong)[0])]!r}."
        )
    values[given] = numbers
    return values


def _check_both_answers(values: np.ndarray, names: list[str]) -> None:
    for word, answer in (("positive", 1.0), ("negative", 0.0)):
        lacking = [name for name, column in zip(names, values.T, strict=True) if not (column == answer).any()]
        if lacking:
            raise ValueError(
                f"Expected at least one {word} label of each feature, but there is none of "
                f"{', '.join(map(repr, lacking))}: nothing can be learnt of it. Label images that "
                f"{'show' if answer else 'do not show'} it, or leave it out with features=[…]."
            )
