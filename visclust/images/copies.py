"""Let near copies count once: work on pictures, and let the copies follow the one that stands for them."""

from typing import Any

import numpy as np
import pandas as pd

from visclust.base.columns import check_clusters
from visclust.base.copies import REPRESENTATIVE, list_standing
from visclust.base.provenance import is_embedding, recorded
from visclust.base.tables import check_columns
from visclust.images.index import select_usable


@recorded
def leave_out_copies(data: Any, duplicates: Any) -> Any:
    """Leave out the near copies, so that each picture is there once, as its representative.

    Parameters
    ----------
    data : DataFrame or Embedding
        A table with ``image_id``, such as the images table, or an embedding; prepared rows too.
    duplicates : Duplicates or DataFrame
        What `find_duplicates` gave, or its table of groups (``image_id, representative`` are enough). An
        image that is in no group stands for itself.

    Returns
    -------
    DataFrame or Embedding
        The rows that stand for a picture, in the same order. Where the representative of a group is not in
        `data`, the first of its copies there stands for it.

    Raises
    ------
    TypeError, ValueError
        If it is no such table or embedding, or the groups name no representatives.

    See Also
    --------
    add_copies : Gives the copies back, each in the cluster of its representative.

    Examples
    --------
    >>> images = pd.DataFrame({"image_id": ["a", "b", "c"]})
    >>> groups = pd.DataFrame({"image_id": ["a", "b", "c"], "representative": ["b", "b", "c"]})
    >>> leave_out_copies(images, groups)["image_id"].tolist()
    ['b', 'c']
    """
    stands_for = _map_copies(duplicates)
    if is_embedding(data):
        if data.image_ids is None:
            raise ValueError(
                "Expected rows whose images are known, got a bare matrix that was prepared without ids. "
                "Leave copies out of the embedding, then prepare its rows."
            )
        rows = pd.Series(data.image_ids, dtype="object")
        kept = list_standing(rows, _name_pictures(rows, stands_for))
        ids = [each for each, stays in zip(data.image_ids, kept, strict=True) if stays]
        return data._replace(x=data.x[np.flatnonzero(kept)], image_ids=ids, provenance={})
    if not isinstance(data, pd.DataFrame):
        raise TypeError(
            f"Expected data as a table with image_id or an embedding, got {type(data).__name__}: "
            "the ids say which rows are copies."
        )
    check_columns(data, ("image_id",), "the data")
    standing = list_standing(data["image_id"], _name_pictures(data["image_id"], stands_for))
    return data.loc[standing].reset_index(drop=True)


@recorded
def add_copies(clusters: pd.DataFrame, images: pd.DataFrame, duplicates: Any) -> pd.DataFrame:
    """Put the near copies into the cluster of the picture that stands for them.

    Parameters
    ----------
    clusters : DataFrame
        Clusters of pictures (``image_id, cluster`` are enough): of the images that `leave_out_copies` left.
    images : DataFrame
        The images table, with the copies.
    duplicates : Duplicates or DataFrame
        What `leave_out_copies` was given.

    Returns
    -------
    DataFrame
        A row per usable image, in the order of `images`: the columns of `clusters`, those of a copy as its
        representative has them, and ``representative``. By that column functions that draw, pick or count
        images (`draw_stratified_sample`, `sample_pairs`, `plan_annotation`, `pick_cluster_rows` and their
        like) take each picture once; without it, or where no image has a copy, every image is a picture.

    Raises
    ------
    ValueError
        If an image and its representative are both in no cluster row: the clusters are of other images.

    Examples
    --------
    >>> images = pd.DataFrame({"image_id": ["a", "b", "c"], "path": ["a", "b", "c"], "status": "ok"})
    >>> groups = pd.DataFrame({"image_id": ["a", "b", "c"], "representative": ["b", "b", "c"]})
    >>> clusters = pd.DataFrame({"image_id": ["b", "c"], "cluster": [0, -1]})
    >>> add_copies(clusters, images, groups)["cluster"].tolist()
    [0, 0, -1]
    """
    clusters = check_clusters(clusters)
    stands_for = _map_copies(duplicates)
    ids = select_usable(images)["image_id"]
    picture = _name_pictures(ids, stands_for)
    known = set(clusters["image_id"])
    # The one that stands is the representative; where it has no row, as when it is not usable, a copy does.
    deputy = ids[ids.isin(known)].groupby(picture).first()
    picture = picture.where(picture.isin(known), picture.map(deputy))
    if picture.isna().any():
        raise ValueError(
            f"{int(picture.isna().sum())} usable images are in no row of the clusters table, nor is the one "
            f"that stands for them (the first is {ids[picture.isna()].iloc[0]!r}). Give the clusters that "
            "were made of leave_out_copies(images, duplicates)."
        )
    if picture.eq(ids).all():
        return clusters.set_index("image_id").loc[ids].reset_index()[list(clusters.columns)]
    text = clusters["image_id"].dtype
    spread = clusters.set_index("image_id").loc[picture].reset_index(drop=True)
    spread.insert(0, "image_id", ids.to_numpy())
    spread[REPRESENTATIVE] = picture.to_numpy()
    return spread.astype({"image_id": text, REPRESENTATIVE: text})[[*clusters.columns, REPRESENTATIVE]]


def _map_copies(duplicates: Any) -> pd.Series:
    """Map each image of the groups to its representative."""
    groups = getattr(duplicates, "groups", duplicates)
    if not isinstance(groups, pd.DataFrame):
        raise TypeError(
            "Expected what find_duplicates gave, or its table of groups, as duplicates, got "
            f"{type(duplicates).__name__}."
        )
    check_columns(groups, ("image_id", "representative"), "the table of duplicates")
    named = groups[["image_id", "representative"]].drop_duplicates()
    if named["image_id"].duplicated().any() or named.isna().any(axis=None):
        raise ValueError(
            "Expected one representative for each image in the table of duplicates, got an image with two or "
            "none. Give the table of find_duplicates or combine_duplicates as it is."
        )
    stands_for = dict(zip(named["image_id"], named["representative"], strict=True))
    return pd.Series({image_id: _follow(image_id, stands_for) for image_id in stands_for}, dtype="object")


def _follow(image_id: str, stands_for: dict[str, str]) -> str:
    """Follow an image to the one that stands for it, through copies of copies."""
    seen = {image_id}
    while (other := stands_for.get(image_id, image_id)) != image_id:
        if other in seen:
            raise ValueError(
                f"Expected one image that stands for its copies in the table of duplicates, but {other!r} "
                "stands for itself by way of others. Give the table of find_duplicates or "
                "combine_duplicates as it is."
            )
        seen.add(other)
        image_id = other
    return image_id


def _name_pictures(ids: pd.Series, stands_for: pd.Series) -> pd.Series:
    """Name the picture of each image; one in no group is a picture of its own."""
    return ids.map(stands_for).astype("object").where(ids.isin(stands_for.index), ids)
