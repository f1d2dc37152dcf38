"""Images that are one picture, by bytes, look or features: found, combined, scored, one standing for each."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.backend import check_embedding, describe_device
from visclust.base.components import connect_pairs
from visclust.base.provenance import note_run, recorded
from visclust.base.tables import check_columns, check_table, check_used
from visclust.images.close_pairs import (
    iterate_close_hashes,
    iterate_close_rows,
    measure_from_row,
    prepare_rows,
)
from visclust.images.hashes import describe_hashes, hash_images, pack_hashes

_METHODS = ("exact", "perceptual", "embedding")
_GROUPINGS = ("connected", "centred")
# The largest at which no pair of different photographs of the example corpus was joined (precision 1): there
# perceptual hashes at 8 bits and cosine distances at 0.12 each join the first.
_DEFAULT_THRESHOLDS = {"perceptual": 6, "cosine": 0.1}


class Duplicates(NamedTuple):
    """The table of groups, a row per file, and the record of how they were found."""

    groups: pd.DataFrame
    provenance: dict[str, Any]


@recorded
def find_duplicates(
    images: pd.DataFrame,
    *,
    method: str = "exact",
    threshold: float | None = None,
    x: Any = None,
    metric: str = "cosine",
    grouping: str = "connected",
    cache: str | os.PathLike | None = None,
    images_folder: str | os.PathLike | None = None,
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
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.
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
    FileNotFoundError
        For "perceptual", if none of the files to be read is there.

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
    check_used(images, "images", ["image_id", "path", "status"])
    threshold = _check_settings(method, threshold, metric=metric, grouping=grouping)
    nodes = _list_nodes(images)
    device = "cpu"
    if method == "exact":
        standing = nodes.assign(representative=nodes["image_id"], distance=0.0)
    elif method == "perceptual":
        if x is not None:
            raise ValueError('x is for method="embedding"; method="perceptual" reads the image files.')
        hashes = hash_images(images, cache=cache, images_folder=images_folder, progress=progress)
        nodes["status"] = hashes["status"].to_numpy()
        standing = _group_hashes(nodes, hashes["hash"], threshold=int(threshold), grouping=grouping)
    else:
        rows = _check_rows(x, nodes)
        device = describe_device(rows)
        standing = _group_rows(nodes, rows, threshold=threshold, metric=metric, grouping=grouping)
    settings: dict[str, Any] = {} if method == "exact" else {"threshold": threshold}
    if method == "perceptual":
        settings["hash"] = describe_hashes()
    note_run(parameters=settings, device=device)
    return Duplicates(_list_groups(images, standing), {})


@recorded
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
    check_used(images, "images", ["image_id", "path", "status"])
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
    return Duplicates(_list_groups(images, standing), {})


@recorded
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


@recorded
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
    check_columns(known, ("image_id", "source_id", "kind"), "the known near copies")
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


def _check_settings(method: str, threshold: float | None, *, metric: str, grouping: str) -> float:
    """Check the settings of `find_duplicates`, and give the threshold, which "exact" does not use."""
    if method not in _METHODS:
        raise ValueError(f"Expected one of {', '.join(_METHODS)} as method, got {method!r}.")
    if grouping not in _GROUPINGS:
        raise ValueError(f"Expected one of {', '.join(_GROUPINGS)} as grouping, got {grouping!r}.")
    if method == "exact":
        if threshold is not None:
            raise ValueError('method="exact" has no threshold: leave it out, or take another method.')
        return 0
    if threshold is None:
        threshold = _DEFAULT_THRESHOLDS.get("perceptual" if method == "perceptual" else metric)
    if threshold is None:
        raise ValueError(
            f"Expected a threshold for metric={metric!r}, which depends on the encoder's scale: look at the "
            "distances that list_neighbours gives, or use metric='cosine'."
        )
    if isinstance(threshold, bool | str):
        raise ValueError(f"Expected threshold to be a number, got {threshold!r}.")
    if method == "perceptual" and (threshold != int(threshold) or not 0 <= threshold < 64):
        raise ValueError(f"Expected threshold to be a whole number of bits from 0 to 63, got {threshold!r}.")
    if not threshold >= 0:
        raise ValueError(f"Expected threshold to be a distance of 0 or more, got {threshold!r}.")
    return threshold


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


def _list_nodes(images: pd.DataFrame) -> pd.DataFrame:
    """List the images that can be compared, a row each; the one of the lowest rank stands for the others."""
    usable = images.loc[images["status"].eq("ok")].reindex(
        columns=["image_id", "path", "status", "width", "height"]
    )  # without sizes the first path stands for the others
    nodes = usable.drop_duplicates("image_id", ignore_index=True)
    pixels = (nodes["width"] * nodes["height"]).fillna(0).astype("int64")
    return nodes.assign(rank=np.argsort(np.lexsort((nodes["path"], -pixels))))


def _group_hashes(nodes: pd.DataFrame, hashes: pd.Series, *, threshold: int, grouping: str) -> pd.DataFrame:
    """Let each image be stood for by one whose hash is near; those without a hash stand for themselves."""
    hashed = hashes.notna().to_numpy()
    # Copies of one hash are one item: a picture saved a thousand times must not make a million pairs.
    unique, item = np.unique(pack_hashes(hashes[hashed]), return_inverse=True)
    component = connect_pairs(iterate_close_hashes(unique, threshold=threshold), len(unique))
    rank = nodes.loc[hashed, "rank"].groupby(item).min().to_numpy()
    leader, distance = _group_by_representative(
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
    """Let each image be stood for by one whose row of the embedding is near."""
    rows = prepare_rows(x, metric=metric)
    # Rows are in float32, so that a distance that equals the threshold may come out a little larger.
    reach = threshold * (1 + 1e-5)
    component = connect_pairs(iterate_close_rows(rows, threshold=reach, metric=metric), len(nodes))
    measure = measure_from_row(rows, metric=metric)
    leader, distance = _group_by_representative(
        component, nodes["rank"].to_numpy(), measure, threshold=reach, grouping=grouping
    )
    return nodes.assign(representative=nodes["image_id"].to_numpy()[leader], distance=distance)


def _group_by_representative(
    component: np.ndarray,
    rank: np.ndarray,
    measure: Callable[[int, np.ndarray], np.ndarray],
    *,
    threshold: float,
    grouping: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose what stands for each component, or for each part of it that lies around one item.

    `component` and `rank` are (n,): the item of the lowest rank is the first to stand for others. "connected"
    makes one group of a component; with "centred" that item takes all within the threshold of itself, then
    the first of those left over does, and so on. `measure` gives the distances of one item to others, by
    position. Returned are the position of the item that stands for each, and its distance, both (n,).
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


def _list_groups(images: pd.DataFrame, standing: pd.DataFrame) -> pd.DataFrame:
    """List every file with its group, in the order of the images table: a duplicates table.

    `standing` says ``representative, distance, status`` of the images that were looked at; any other stands
    for itself, with its own status.
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
    return check_table(table, "duplicates")


def _count_pairs(labels: np.ndarray) -> int:
    """Count the pairs of items that have one label."""
    sizes = np.unique(labels, return_counts=True)[1]
    return int((sizes * (sizes - 1) // 2).sum())
