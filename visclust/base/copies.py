"""Near copies count once: which rows of a table stand for a picture, where copies follow a representative."""

from typing import Any

import numpy as np
import pandas as pd

from visclust.base.backend import get_namespace

# The column of a clusters table that names, for each image, the one that stands for its picture.
REPRESENTATIVE = "representative"


def take_pictures(table: pd.DataFrame) -> pd.DataFrame:
    """Give the rows that stand for a picture each; without a column ``representative`` every image is one.

    A row stands for its picture if it is the representative itself or, where that was filtered out of the
    table, if it is the first of its copies.
    """
    if REPRESENTATIVE not in table.columns:
        return table
    return table.loc[list_standing(table["image_id"], name_pictures(table))]


def take_picture_rows(table: pd.DataFrame, x: Any) -> tuple[pd.DataFrame, Any]:
    """Give the rows of a table that stand for a picture each, and those of its matrix (n, d)."""
    if REPRESENTATIVE not in table.columns or len(table) != len(x):
        return table, x
    standing = list_standing(table["image_id"], name_pictures(table))
    return table.loc[standing], x[get_namespace(x).asarray(np.flatnonzero(standing))]


def count_copies(table: pd.DataFrame) -> pd.Series:
    """Count the images of each picture, by the ``image_id`` of the row that stands for it."""
    standing = take_pictures(table)
    if REPRESENTATIVE not in table.columns:
        return pd.Series(1, index=pd.Index(standing["image_id"]), dtype="int64")
    pictures = name_pictures(table)
    sizes = pictures.value_counts()
    counted = pictures[standing.index].map(sizes).to_numpy(dtype=np.int64)
    return pd.Series(counted, index=pd.Index(standing["image_id"]))


def name_pictures(table: pd.DataFrame) -> pd.Series:
    """Name the picture of each row: its representative, or the image itself where none is named."""
    if REPRESENTATIVE not in table.columns:
        return table["image_id"]
    return table[REPRESENTATIVE].astype("object").where(table[REPRESENTATIVE].notna(), table["image_id"])


def list_standing(image_ids: pd.Series, pictures: pd.Series) -> np.ndarray:
    """Say which images stand for their picture: the representative, or else the first of the copies."""
    own = pictures.eq(image_ids)
    orphaned = ~pictures.isin(set(pictures[own]))
    return (own | (orphaned & ~pictures.where(orphaned).duplicated())).to_numpy()
