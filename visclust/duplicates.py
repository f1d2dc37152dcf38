"""Find images that are one picture: the same bytes, the same look, or the same features."""

import os
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.backend import check_embedding, describe_device, to_host
from visclust.base.components import connect_pairs
from visclust.base.provenance import describe_run
from visclust.base.tables import check_table
from visclust.duplicate_groups import group_by_representative, list_groups
from visclust.duplicate_settings import check_duplicate_settings
from visclust.hash_search import iterate_close_hashes
from visclust.perceptual_hashes import describe_hashes, hash_images, pack_hashes
from visclust.row_search import iterate_close_rows, measure_from_row, prepare_rows

__all__ = ["Duplicates", "combine_duplicates", "find_duplicates"]


class Duplicates(NamedTuple):
    """The table of groups, a row per file, and the record of how they were found."""

    groups: pd.DataFrame
    provenance: dict[str, Any]


def find_duplicates(
    images: pd.DataFrame,
    *,
    method: str = "exact",
    threshold: float | None = None,
    x: Any = None,
    metric: str = "cosine",
    grouping: str = "connected",
    cache: str | os.PathLike | None = None,
    progress: bool = True,
) -> Duplicates:
    """Group images that are copies or near copies of one another, each group with one that stands for it.

    Parameters
    ----------
    images : DataFrame
        The images table.
    method : {"exact", "perceptual", "embedding"}, default "exact"
        "exact": the same bytes, that is the same `image_id`. "perceptual": also a perceptual hash of 64 bits
        (pHash) that differs in few of them: the picture saved anew, or at another size; crops and added
        captions are mostly beyond it. "embedding": also rows of the embedding `x` that are near: crops
        and captions too, but in time different pictures of one thing.
    threshold : float, optional
        Distance at most. For "perceptual" a number of bits, by default 6; for "embedding" by default 0.1 with
        the cosine distance. The Euclidean distance depends on the encoder's scale and has no default.
    x : ndarray, shape (n, d), or Embedding, optional
        For "embedding": a row per image with status "ok", in their order; NumPy, or CuPy for a GPU. Of an
        `Embedding` the ids of the rows are checked.
    metric : {"cosine", "euclidean"}, default "cosine"
        For "embedding".
    grouping : {"connected", "centred"}, default "connected"
        "connected": groups are connected components, so that any two images within the threshold are
        together; by a chain of small steps a group can come to hold images that are further apart, which the
        column `radius` shows. "centred": every image is within the threshold of its representative, at the
        price that two images within the threshold can be in different groups.
    cache : str or path, optional
        For "perceptual": Parquet file of hashes to read and to complete, see `hash_images`.
    progress : bool, default True
        Show a progress bar while images are hashed.

    Returns
    -------
    groups : DataFrame
        A duplicates table, a row per row of `images`, in their order: ``image_id, path``; ``group`` (from 0,
        in the order in which they appear); ``representative`` (the image_id that stands for the group: the
        largest in pixels, of equals the first by path); ``is_representative`` (True in one row per group);
        ``distance`` (to the representative; in bits, or of the metric; missing where not compared); ``size``
        (files in the group); ``radius`` (largest distance in the group); ``status`` ("ok"; "unreadable";
        "flat": one colour all over, where a perceptual hash says nothing, so that only the same bytes
        count).
    provenance : dict
        How they were found.

    Raises
    ------
    TypeError, ValueError
        Before any work, if a table or a setting is not as described.

    Notes
    -----
    The default thresholds rest on 571 images. A corpus of 18,096 has a thousand times as many pairs of
    different pictures, of which some will be nearer than any there: look at the groups of the largest radius
    before you rely on them.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, data section: 88,075 images of which 18,096 are unique. The
    search among hashes is that of Norouzi, Punjani and Fleet (2012), see `iterate_close_hashes`.

    Examples
    --------
    >>> images = pd.DataFrame({"image_id": ["a", "a", "b"], "path": ["1.jpg", "2.jpg", "3.jpg"],
    ...                        "status": ["ok", "duplicate", "ok"], "reason": ["", "same bytes as 1.jpg", ""],
    ...                        "width": 4, "height": 3})
    >>> find_duplicates(images).groups[["path", "group", "is_representative", "size"]]
        path  group  is_representative  size
    0  1.jpg      0               True     2
    1  2.jpg      0              False     2
    2  3.jpg      1               True     1
    """
    check_table(images, "images")
    threshold = check_duplicate_settings(method, threshold, metric=metric, grouping=grouping)
    nodes = _list_nodes(images)
    device = "cpu"
    if method == "exact":
        standing = nodes.assign(representative=nodes["image_id"], distance=0.0)
    elif method == "perceptual":
        if x is not None:
            raise ValueError('x is for method="embedding"; method="perceptual" reads the image files.')
        hashes = hash_images(images, cache=cache, progress=progress)
        nodes["status"] = hashes["status"].to_numpy()
        standing = _group_hashes(nodes, hashes["hash"], threshold=int(threshold), grouping=grouping)
    else:
        rows = _check_rows(x, nodes)
        device = describe_device(rows)
        standing = _group_rows(nodes, rows, threshold=threshold, metric=metric, grouping=grouping)
    groups = check_table(list_groups(images, standing), "duplicates")
    settings: dict[str, Any] = {"method": method}
    if method != "exact":
        settings |= {"threshold": threshold, "grouping": grouping}
    if method == "perceptual":
        settings["hash"] = describe_hashes()
    if method == "embedding":
        settings["metric"] = metric
    inputs = {"images": images} | ({"x": to_host(rows)} if method == "embedding" else {})
    return Duplicates(
        groups, describe_run("find_duplicates", parameters=settings, inputs=inputs, device=device)
    )


def combine_duplicates(images: pd.DataFrame, *found: Duplicates) -> Duplicates:
    """Put the groups of several methods together: images that any of them joins are in one group.

    Perceptual hashes find what was saved anew, embeddings find crops and captions; each misses what the other
    finds.

    Parameters
    ----------
    images : DataFrame
        The images table that the duplicates were found in.
    *found : Duplicates
        From `find_duplicates`.

    Returns
    -------
    Duplicates
        As `find_duplicates` gives them. ``distance`` and ``radius`` are missing, since distances of different
        methods are on different scales.

    Raises
    ------
    ValueError
        If nothing is given, or it was found in other images.

    Examples
    --------
    >>> images = pd.DataFrame({"image_id": list("abc"), "path": list("123"), "status": "ok", "reason": "",
    ...                        "width": 4, "height": 3})
    >>> one, other = (find_duplicates(images, method="embedding", x=np.array(x), metric="euclidean",
    ...                               threshold=1) for x in ([[0.0], [1], [9]], [[0.0], [9], [9]]))
    >>> combine_duplicates(images, one, other).groups["group"].tolist()
    [0, 0, 0]
    """
    check_table(images, "images")
    if not found:
        raise ValueError("Expected at least one result of find_duplicates, got none.")
    nodes = _list_nodes(images)
    place = pd.Series(nodes.index, index=nodes["image_id"])
    pairs = []
    for each in found:
        groups = check_table(each.groups, "duplicates").drop_duplicates("image_id").set_index("image_id")
        if not place.index.isin(groups.index).all():
            raise ValueError("Expected duplicates of these images, got some that were found in other images.")
        pairs.append((place.to_numpy(), place[groups.loc[place.index, "representative"]].to_numpy()))
    component = connect_pairs(pairs, len(nodes))
    first = nodes.sort_values("rank")["image_id"].groupby(component[np.argsort(nodes["rank"])]).first()
    standing = nodes.assign(representative=first.loc[component].to_numpy(), distance=np.nan)
    settings = {"found": [each.provenance["parameters"] for each in found]}
    inputs = {"images": images} | {f"found {i}": each.groups for i, each in enumerate(found)}
    groups = check_table(list_groups(images, standing), "duplicates")
    return Duplicates(groups, describe_run("combine_duplicates", parameters=settings, inputs=inputs))


def _list_nodes(images: pd.DataFrame) -> pd.DataFrame:
    """List the images that can be compared, a row each; the one of the lowest rank stands for the others."""
    usable = images.loc[images["status"].eq("ok"), ["image_id", "path", "status", "width", "height"]]
    nodes = usable.drop_duplicates("image_id", ignore_index=True)
    pixels = (nodes["width"] * nodes["height"]).fillna(0).astype("int64")
    return nodes.assign(rank=np.argsort(np.lexsort((nodes["path"], -pixels))))


def _check_rows(x: Any, nodes: pd.DataFrame) -> Any:
    """Check that the embedding has a row per image that can be compared, and give its array."""
    if x is None:
        raise ValueError('method="embedding" needs the embedding: pass it as x.')
    if hasattr(x, "image_ids") and list(x.image_ids) != nodes["image_id"].tolist():
        raise ValueError("The embedding's image ids are not those of the images table with status 'ok'.")
    rows = x.x if hasattr(x, "image_ids") else x
    check_embedding(rows)
    if len(rows) != len(nodes):
        raise ValueError(
            f"Expected a row for each of the {len(nodes)} images with status 'ok', got {len(rows)}: the "
            "embedding was made from another images table."
        )
    return rows


def _group_hashes(nodes: pd.DataFrame, hashes: pd.Series, *, threshold: int, grouping: str) -> pd.DataFrame:
    hashed = hashes.notna().to_numpy()
    # Copies of one hash are one item: a picture saved a thousand times must not make a million pairs.
    unique, item = np.unique(pack_hashes(hashes[hashed]), return_inverse=True)
    component = connect_pairs(iterate_close_hashes(unique, threshold=threshold), len(unique))
    rank = nodes.loc[hashed, "rank"].groupby(item).min().to_numpy()
    leader, distance = group_by_representative(
        component,
        rank,
        lambda one, others: np.bitwise_count(unique[others] ^ unique[one]).astype("float64"),
        threshold=threshold,
        grouping=grouping,
    )
    first = nodes.loc[hashed].sort_values("rank").set_index("rank")["image_id"]
    found = nodes.assign(representative=nodes["image_id"], distance=np.nan)
    found.loc[hashed, "representative"] = first.loc[rank[leader[item]]].to_numpy()
    found.loc[hashed, "distance"] = distance[item]
    return found


def _group_rows(nodes: pd.DataFrame, x: Any, *, threshold: float, metric: str, grouping: str) -> pd.DataFrame:
    rows = prepare_rows(x, metric=metric)
    # Rows are in float32, so that a distance that equals the threshold may come out a little larger.
    reach = threshold * (1 + 1e-5)
    component = connect_pairs(iterate_close_rows(rows, threshold=reach, metric=metric), len(nodes))
    measure = measure_from_row(rows, metric=metric)
    leader, distance = group_by_representative(
        component, nodes["rank"].to_numpy(), measure, threshold=reach, grouping=grouping
    )
    return nodes.assign(representative=nodes["image_id"].to_numpy()[leader], distance=distance)
