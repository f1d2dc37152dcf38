"""From pairs of near copies to groups, each with an image that stands for it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from visclust.base.tables import check_table

__all__ = ["GROUPINGS", "group_by_representative", "list_groups", "map_to_representatives"]

GROUPINGS = ("connected", "centred")


def group_by_representative(
    component: np.ndarray,
    rank: np.ndarray,
    measure: Callable[[int, np.ndarray], np.ndarray],
    *,
    threshold: float,
    grouping: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose what stands for each component, or for each part of it that lies around one item.

    Parameters
    ----------
    component : numpy.ndarray of int, shape (n,)
        From `connect_pairs`.
    rank : numpy.ndarray of int, shape (n,)
        The item of the lowest rank is the first to stand for others.
    measure : callable
        Gives the distances of one item to others, from their positions.
    threshold : float
        Distance at most.
    grouping : {"connected", "centred"}
        "connected": one group per component. "centred": the first item takes all within the threshold of
        itself, then the first of those left over does, and so on.

    Returns
    -------
    representative : numpy.ndarray of int, shape (n,)
        Position of the item that stands for each.
    distance : numpy.ndarray, shape (n,)
        Its distance.

    Examples
    --------
    >>> line = np.array([0.0, 1.0, 2.0])
    >>> measure = lambda one, others: abs(line[others] - line[one])
    >>> component, rank = np.zeros(3, dtype=int), np.arange(3)
    >>> group_by_representative(component, rank, measure, threshold=1, grouping="connected")[0].tolist()
    [0, 0, 0]
    >>> group_by_representative(component, rank, measure, threshold=1, grouping="centred")[0].tolist()
    [0, 0, 2]
    """
    representative = np.arange(len(component))
    distance = np.zeros(len(component))
    order = np.lexsort((rank, component))
    edges = np.flatnonzero(np.diff(component[order])) + 1
    for members in np.split(order, edges):
        left = members
        while len(left) > 1:
            gaps = measure(int(left[0]), left)
            taken = np.ones(len(left), dtype=bool) if grouping == "connected" else gaps <= threshold
            taken[0] = True
            representative[left[taken]] = left[0]
            distance[left[taken]] = gaps[taken]
            left = left[~taken]
    # An item is itself, whatever a float32 product makes of it.
    distance[representative == np.arange(len(component))] = 0.0
    return representative, distance


def list_groups(images: pd.DataFrame, standing: pd.DataFrame) -> pd.DataFrame:
    """List every file with its group, in the order of the images table.

    Parameters
    ----------
    images : DataFrame
        The images table.
    standing : DataFrame
        ``image_id, representative, distance, status`` of the images that were looked at, a row each. Any
        other image stands for itself, with its own status.

    Returns
    -------
    DataFrame
        As `find_duplicates` describes it.

    Examples
    --------
    >>> images = pd.DataFrame({"image_id": ["a", "b"], "path": ["1.jpg", "2.jpg"], "status": "ok",
    ...                        "reason": "", "width": [4, 8], "height": 3})
    >>> standing = pd.DataFrame({"image_id": ["a", "b"], "representative": "b", "distance": [2.0, 0.0],
    ...                          "status": "ok"})
    >>> list_groups(images, standing)[["group", "is_representative", "size"]].values.tolist()
    [[0, False, 2], [0, True, 2]]
    """
    table = images[["image_id", "path"]].reset_index(drop=True)
    known = standing.set_index("image_id")
    text = table["image_id"].dtype
    # As objects meanwhile: where nothing is known, `map` gives a column of numbers that takes no text.
    representative = table["image_id"].map(known["representative"]).astype("object").fillna(table["image_id"])
    representative = representative.astype(text)
    table["group"] = pd.factorize(representative)[0]
    table["representative"] = representative
    # Of several files with the bytes of the representative the one that its own row came from: the first.
    own = table["image_id"].eq(representative)
    table["is_representative"] = own & ~table[own].duplicated("group").reindex(table.index, fill_value=True)
    table["distance"] = table["image_id"].map(known["distance"]).astype("float64")
    by_group = table.groupby("group")
    table["size"] = by_group["image_id"].transform("size")
    table["radius"] = by_group["distance"].transform("max")
    status = images["status"].reset_index(drop=True).replace("duplicate", "ok")
    found = table["image_id"].map(known["status"]).astype("object")
    table["status"] = found.fillna(status).astype(text)
    return table


def map_to_representatives(links: pd.DataFrame, duplicates: Any) -> pd.DataFrame:
    """Let posts point at the image that stands for each group of duplicates, so that posts still count.

    Parameters
    ----------
    links : DataFrame
        A posts_images table.
    duplicates : Duplicates or DataFrame
        What `find_duplicates` gave, or its table of groups.

    Returns
    -------
    DataFrame
        A posts_images table: ``post_id, image_id``, where `image_id` is the representative, each pair once,
        in the order of the posts. A post that shows two images of one group shows it once.

    Raises
    ------
    ValueError
        If an image of the links is in no group: the groups were made from another images table.

    Examples
    --------
    >>> links = pd.DataFrame({"post_id": ["p", "q", "q"], "image_id": ["a", "a", "b"]})
    >>> groups = pd.DataFrame({"image_id": ["a", "b"], "representative": ["b", "b"]})
    >>> map_to_representatives(links, groups)
      post_id image_id
    0       p        b
    1       q        b
    """
    check_table(links, "posts_images")
    groups = getattr(duplicates, "groups", duplicates)
    mapping = groups.drop_duplicates("image_id").set_index("image_id")["representative"]
    found = links["image_id"].map(mapping)
    if found.isna().any():
        example = links.loc[found.isna(), "image_id"].iloc[0]
        raise ValueError(
            f"{int(found.isna().sum())} links name images that are in no group (such as {example!r}): find "
            "the duplicates in the images table that the posts were linked to."
        )
    mapped = links.assign(image_id=found).drop_duplicates(["post_id", "image_id"], ignore_index=True)
    return check_table(mapped, "posts_images")
