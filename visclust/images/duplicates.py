"""Images that are one picture, by bytes, look or features: found, combined, scored, one standing for each."""

import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix

from visclust.base.arrays import take_matrix
from visclust.base.backend import describe_device
from visclust.base.checks import check_choice
from visclust.base.components import connect_pairs
from visclust.base.progress import WorkBar
from visclust.base.provenance import note_run, recorded
from visclust.base.tables import check_columns, check_table, check_used
from visclust.images.close_pairs import (
    iterate_close_hashes,
    iterate_close_rows,
    measure_from_row,
    prepare_rows,
)
from visclust.images.hashes import describe_hashes, hash_images, pack_hashes
from visclust.images.looks import describe_looks, make_comparison, read_looks

_METHODS = ("exact", "perceptual", "embedding")
_GROUPINGS = ("connected", "centred")
# Without a finer look, the largest at which no pair of different photographs of the example corpus was joined
# (precision 1): there hashes at 8 bits and cosine distances at 0.12 each join the first. With it, hashes may
# be further apart: a crop of a twentieth of each side changes 8 bits of them.
_DEFAULT_THRESHOLDS = {"perceptual": 6, "cosine": 0.1}
_CONFIRMED_BITS = 10
# Pairs of near hashes that are kept, 16 bytes each: of more, which only very like pictures make, an image is
# measured against all that small steps join to it.
_MOST_PAIRS = 100_000_000


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
    grouping: str = "centred",
    confirm: bool | None = None,
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
        (pHash) that differs in few of them: the picture saved anew, at another size, lighter, with a small
        crop, border or watermark. "embedding": also rows of the embedding `x` that are near: larger crops
        and captions too, but in time different pictures of one thing.
    threshold : float, optional
        Distance at most. For "perceptual" a number of bits, by default 10, or 6 without `confirm`; for
        "embedding" by default 0.1 with the cosine distance. The Euclidean distance depends on the encoder's
        scale and has no default.
    x : ndarray, shape (n, d), or Embedding, optional
        For "embedding": a row per image with status "ok", in their order; NumPy, or CuPy for a GPU. Of an
        `Embedding` the ids of the rows are checked.
    metric : {"cosine", "euclidean"}, default "cosine"
        For "embedding".
    grouping : {"centred", "connected"}, default "centred"
        "centred": every image is within the threshold of its representative and, with `confirm`, was itself
        compared with it, at the price that two copies can be in different groups. "connected": any two
        copies are together; by a chain of small steps a group can come to hold images that are further
        apart, which the column `radius` shows and a warning counts.
    confirm : bool, optional
        Whether images whose distance is within the threshold are only candidates, and a finer look at their
        pixels decides; see the notes for where the line is. By default True for "perceptual" and False for
        "embedding". The files of candidates, and only these, are opened for it.
    cache : str or path, optional
        For "perceptual": Parquet file of hashes to read and to complete, see `hash_images`. The thumbnails of
        the finer look are kept beside it, in ``<name>_thumbnails.parquet``.
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.
    progress : bool, default True
        Show a progress bar while images are hashed and compared.

    Returns
    -------
    groups : DataFrame
        A duplicates table, a row per row of `images`, in their order: ``image_id, path``; ``group`` (from 0,
        in the order in which they appear); ``representative`` (the image_id that stands for the group: the
        largest in pixels, of equals the first by path); ``is_representative`` (True in one row per group);
        ``distance`` (to the representative; in bits, or of the metric; missing where not compared); ``size``
        (files in the group); ``radius`` (largest distance in the group); ``difference`` (share of the
        area that differs from the representative, by the finer look; missing without one); ``status`` ("ok";
        "unreadable"; "flat": one colour all over, where a perceptual hash says nothing, so that only the
        same bytes count).
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
    The finer look lays one picture over the other by size and place, evens out contrast, brightness and slow
    changes of light, and compares thumbnails of 128 x 128 grey pixels, less where a file is smaller. Copies
    may differ in 1.5% of the area by what was added or taken away, as a small watermark. **The same picture
    with other words, or another face, is no copy**: where one is darker in one place and the other in another
    in more than 8 of the 16,384 pixels, the two stay apart. A plain border may be of any width; of a crop no
    more than 12% of the area. What is written too small for a thumbnail, a word that is a fiftieth of the
    picture's height, is not seen. A mirrored picture is no copy.

    The thresholds rest on 571 images and on made-up copies (``benchmarks/README.md``): look at the groups of
    the largest radius before you rely on them.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, data section: 88,075 images of which 18,096 are unique. The
    search among hashes is that of Norouzi, Punjani and Fleet (2012), see `iterate_close_hashes`; the pictures
    are laid over one another as by Lucas and Kanade (1981).

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
    check_choice("metric", metric, ("cosine", "euclidean"))
    if x is not None and method != "embedding":
        raise ValueError(f'x is for method="embedding"; method={method!r} does not use it.')
    confirm = _check_confirm(confirm, method)
    threshold = _check_settings(method, threshold, metric=metric, grouping=grouping, confirm=confirm)
    nodes = _list_nodes(images)
    device = "cpu"
    if method == "exact":
        standing = nodes.assign(representative=nodes["image_id"], distance=0.0, difference=np.nan)
    elif method == "perceptual":
        hashes = hash_images(images, cache=cache, images_folder=images_folder, progress=progress)
        nodes["status"] = hashes["status"].to_numpy()
        candidates = _find_close_hashes(hashes["hash"], threshold=int(threshold))
    else:
        rows = _check_rows(x, nodes)
        device = describe_device(rows)
        candidates = _find_close_rows(rows, threshold=threshold, metric=metric, progress=progress)
    if method != "exact":
        standing = _group(
            nodes,
            candidates,
            grouping=grouping,
            confirm=confirm,
            look={"images": images, "cache": cache, "images_folder": images_folder, "progress": progress},
        )
    settings: dict[str, Any] = {} if method == "exact" else {"threshold": threshold}
    if method == "perceptual":
        settings["hash"] = describe_hashes()
    settings |= {"confirm": describe_looks() if confirm else False}
    note_run(parameters=settings, device=device)
    groups = _list_groups(images, standing)
    _warn_of_chains(groups, threshold)
    return Duplicates(groups, {})


@recorded
def combine_duplicates(images: pd.DataFrame, *found: Duplicates) -> Duplicates:
    """Put the groups of several methods together: images that any of them joins are in one group.

    Perceptual hashes find what was saved anew, embeddings find crops and captions; each misses what the other
    finds. Two images can be in one group by a third that one method joins to the first and another to the
    second; a warning counts the files that no method joined to their representative.

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
    ...                               threshold=1) for x in ([[0.0], [1], [9]], [[0.0], [9], [1]]))
    >>> combine_duplicates(images, one, other).groups["group"].tolist()
    [0, 0, 0]
    """
    check_used(images, "images", ["image_id", "path", "status"])
    if not found:
        raise ValueError("Expected at least one result of find_duplicates, got none.")
    nodes = _list_nodes(images)
    place = pd.Series(nodes.index, index=nodes["image_id"])
    pairs, joins = [], []
    for each in found:
        groups = check_table(each.groups, "duplicates").drop_duplicates("image_id").set_index("image_id")
        if not place.index.isin(groups.index).all():
            raise ValueError("Expected duplicates of these images, got some that were found in other images.")
        joins.append(place[groups.loc[place.index, "representative"]].to_numpy())
        pairs.append((place.to_numpy(), joins[-1]))
    component = connect_pairs(pairs, len(nodes))
    first = nodes.sort_values("rank")["image_id"].groupby(component[np.argsort(nodes["rank"])]).first()
    representative = first.loc[component].to_numpy()
    near = [join == join[place[representative].to_numpy()] for join in joins]
    if far := int((~np.any(near, axis=0)).sum()):
        warnings.warn(
            "Images in the group of a representative that no method joined them to, but only to another of "
            f"its images: {far}. Look at these groups, or combine fewer methods.",
            stacklevel=3,
        )
    standing = nodes.assign(representative=representative, distance=np.nan, difference=np.nan)
    return Duplicates(_list_groups(images, standing), {})


@recorded
def map_to_representatives(links: pd.DataFrame, duplicates: Duplicates | pd.DataFrame) -> pd.DataFrame:
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
    groups = duplicates.groups if isinstance(duplicates, Duplicates) else duplicates
    check_columns(groups, ("image_id", "representative"), "the duplicates")
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
def score_duplicates(duplicates: Duplicates | pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
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
    groups = duplicates.groups if isinstance(duplicates, Duplicates) else duplicates
    check_columns(groups, ("image_id", "group"), "the duplicates")
    groups = groups.drop_duplicates("image_id", ignore_index=True)
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


def _check_confirm(confirm: Any, method: str) -> bool:
    if confirm is None:
        return method == "perceptual"
    if not isinstance(confirm, bool | np.bool_):
        raise ValueError(f"Expected confirm to be True, False or None, got {confirm!r}.")
    if confirm and method == "exact":
        raise ValueError('method="exact" compares bytes, and has nothing to confirm: leave confirm out.')
    return bool(confirm)


def _check_settings(
    method: str, threshold: float | None, *, metric: str, grouping: str, confirm: bool
) -> float:
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
        if method == "perceptual" and confirm:
            threshold = _CONFIRMED_BITS
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
    rows = take_matrix(rows)
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


class _Candidates(NamedTuple):
    """What may be copies: the component of each image (n,), and which others are how far from one, and near.

    `measure` gives distances (m,) of the image at a position to others; `reach` is the largest that is near,
    and in `compared` are the images (n,) that can be compared at all. `near`, where it is known, gives those
    that are near the one at a position at once: in a million images small steps join most of them.
    """

    component: np.ndarray
    measure: Callable[[int, np.ndarray], np.ndarray]
    reach: float
    compared: np.ndarray
    near: Callable[[int], np.ndarray] | None = None


def _find_close_hashes(hashes: pd.Series, *, threshold: int) -> _Candidates:
    """Find the images whose hashes are near; those without a hash are alone."""
    compared = hashes.notna().to_numpy()
    packed = np.zeros(len(hashes), dtype=np.uint64)
    packed[compared] = pack_hashes(hashes[compared])
    # Copies of one hash are one item: a picture saved a thousand times must not make a million pairs.
    unique, item = np.unique(packed[compared], return_inverse=True)
    kept: list[tuple[np.ndarray, np.ndarray]] | None = []

    def keep() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        nonlocal kept
        n_pairs = 0
        for i, j in iterate_close_hashes(unique, threshold=threshold):
            n_pairs += len(i)
            if kept is not None and n_pairs <= _MOST_PAIRS:
                kept.append((i.astype(np.int32), j.astype(np.int32)))
            else:
                kept = None
            yield i, j

    joined = connect_pairs(keep(), len(unique))
    component = len(unique) + np.arange(len(hashes))
    component[compared] = joined[item]

    def measure(one: int, others: np.ndarray) -> np.ndarray:
        return np.bitwise_count(packed[others] ^ packed[one]).astype("float64")

    near = None if kept is None else _list_near(kept, item, np.flatnonzero(compared), len(hashes))
    return _Candidates(component, measure, threshold, compared, near)


def _list_near(
    pairs: list[tuple[np.ndarray, np.ndarray]], item: np.ndarray, image: np.ndarray, n: int
) -> Callable[[int], np.ndarray]:
    """Make the function from an image (of n) to the others near it: of the same item, and of items paired.

    `item` (m,) says which hash each of some images has; `pairs` are of hashes, and may come more than once.
    """
    n_items = int(item.max()) + 1 if len(item) else 0
    i, j = (np.concatenate([np.empty(0, np.int32), *(pair[side] for pair in pairs)]) for side in (0, 1))
    pairs.clear()
    linked = coo_matrix((np.ones(len(i), dtype=bool), (i, j)), shape=(n_items, n_items)).tocsr()
    linked = (linked + linked.T).tocsr()
    order = np.argsort(item, kind="stable")
    starts = np.searchsorted(item[order], np.arange(n_items + 1))
    members, own = image[order], np.full(n, -1)
    own[image] = item

    def near(one: int) -> np.ndarray:
        if own[one] < 0:
            return np.empty(0, dtype=np.int64)
        items = [own[one], *linked.indices[linked.indptr[own[one]] : linked.indptr[own[one] + 1]]]
        found = np.concatenate([members[starts[each] : starts[each + 1]] for each in items])
        return found[found != one]

    return near


def _find_close_rows(x: Any, *, threshold: float, metric: str, progress: bool) -> _Candidates:
    """Find the images whose rows of the embedding are near."""
    rows = prepare_rows(x, metric=metric)
    # Rows are in float32, so that a distance that equals the threshold may come out a little larger.
    reach = threshold * (1 + 1e-5)
    close = iterate_close_rows(rows, threshold=reach, metric=metric, progress=progress)
    component = connect_pairs(close, len(rows))
    return _Candidates(
        component, measure_from_row(rows, metric=metric), reach, np.ones(len(rows), dtype=bool)
    )


def _group(
    nodes: pd.DataFrame, found: _Candidates, *, grouping: str, confirm: bool, look: dict[str, Any]
) -> pd.DataFrame:
    """Choose what stands for each image: `nodes` with ``representative, distance, difference``.

    "connected" makes one group of all that small steps join. With "centred" the image of the lowest rank
    takes all that are near it, then the first of those left over does, and so on. With `confirm` only what
    the finer look calls a copy is near.
    """
    n = len(nodes)
    leader, distance, difference = np.arange(n), np.zeros(n), np.full(n, np.nan)
    order = np.lexsort((nodes["rank"], found.component))
    edges = np.flatnonzero(np.diff(found.component[order])) + 1
    groups = [members for members in np.split(order, edges) if len(members) > 1]
    several = np.sort(np.concatenate(groups)) if groups else np.array([], dtype=np.int64)
    compare = None
    if confirm and len(several):
        seat = np.full(n, -1)
        seat[several] = np.arange(len(several))
        looks = read_looks(ids=nodes["image_id"].to_numpy()[several].tolist(), **look)
        finer = make_comparison(looks)

        def compare(one: int, others: np.ndarray) -> np.ndarray:
            return finer(int(seat[one]), seat[others])

    bar = WorkBar(
        total=len(several),
        desc="Comparing",
        unit="image",
        work=f"Comparing {len(several):,} images that may be copies",
        bound="at most about",
        progress=look["progress"],
    )
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n)
    chain = grouping == "connected"
    standing = np.ones(n, dtype=bool)  # for themselves, as far as is known
    with bar:
        if found.near is not None and not (compare is None and chain):
            for one in (int(one) for members in groups for one in members):
                if not standing[one]:
                    continue
                standing[one] = False
                mine, gaps = _take_near(one, standing, found.near, compare, rank, chain=chain)
                leader[mine] = one
                distance[mine] = found.measure(one, mine)
                difference[mine] = gaps
                bar.update(1 + len(mine))
            groups = []
        for members in groups:
            left = members
            while len(left):
                one, others = int(left[0]), left[1:]
                if compare is None and chain:
                    taken, gaps = np.ones(len(others), dtype=bool), np.full(len(others), np.nan)
                else:
                    taken, gaps = _find_near(one, others, found, compare, chain=chain)
                mine = others[taken]
                leader[mine] = one
                distance[mine] = found.measure(one, mine)
                difference[mine] = gaps[taken]
                left = others[~taken]
                bar.update(1 + len(mine))
    distance[~found.compared] = np.nan
    if confirm:
        difference[leader == np.arange(n)] = 0.0
    return nodes.assign(
        representative=nodes["image_id"].to_numpy()[leader], distance=distance, difference=difference
    )


def _take_near(
    one: int,
    standing: np.ndarray,
    near: Callable[[int], np.ndarray],
    compare: Callable[[int, np.ndarray], np.ndarray] | None,
    rank: np.ndarray,
    *,
    chain: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Take of those that still stand for themselves what `_find_near` finds, and let them stand no longer.

    Beside them comes the share of the area in which each differs from the one, where that was looked at.
    """
    taken: list[np.ndarray] = []
    differences: list[np.ndarray] = []
    asking = [one]
    while asking:
        others = near(asking[0])
        others = others[standing[others]]
        others = others[np.argsort(rank[others])]
        gaps = np.full(len(others), np.nan)
        if compare is not None and len(others):
            gaps = compare(asking[0], others)
            others, gaps = others[np.isfinite(gaps)], gaps[np.isfinite(gaps)]
        taken.append(others)
        differences.append(gaps if asking[0] == one else np.full(len(others), np.nan))
        standing[others] = False
        asking = [*asking[1:], *others.tolist()] if chain else []
    return np.concatenate(taken), np.concatenate(differences)


def _find_near(
    one: int,
    others: np.ndarray,
    found: _Candidates,
    compare: Callable[[int, np.ndarray], np.ndarray] | None,
    *,
    chain: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Say which others are near one, or with `chain` near one that is, and so forth: a mask (m,).

    Beside it stands the share of the area in which each differs from the one, where that was looked at.
    """
    taken = np.zeros(len(others), dtype=bool)
    difference = np.full(len(others), np.nan)
    asking = [one]
    while asking:
        near = ~taken
        near[near] = found.measure(asking[0], others[near]) <= found.reach
        if compare is not None:
            gaps = compare(asking[0], others[near])
            places = np.flatnonzero(near)[np.isfinite(gaps)]
            near = np.zeros(len(others), dtype=bool)
            near[places] = True
            if asking[0] == one:
                difference[places] = gaps[np.isfinite(gaps)]
        taken |= near
        asking = [*asking[1:], *others[near].tolist()] if chain else []
    return taken, difference


def _warn_of_chains(groups: pd.DataFrame, threshold: float) -> None:
    """Say how many groups hold images further from their representative than the threshold."""
    wide = groups.loc[groups["radius"] > threshold * (1 + 1e-5)]
    if len(wide):
        warnings.warn(
            f"{wide['group'].nunique()} of {groups['group'].nunique()} groups are chains: images in them are "
            f"up to {wide['radius'].max():g} from the one that stands for them, and the threshold is "
            f'{threshold:g}. Look at the column radius, or use grouping="centred".',
            stacklevel=3,
        )


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
    table["difference"] = table["image_id"].map(known["difference"]).astype("float64")
    status = images["status"].reset_index(drop=True).replace("duplicate", "ok")
    found = table["image_id"].map(known["status"]).astype("object")
    table["status"] = found.fillna(status).astype(text)
    return check_table(table, "duplicates")


def _count_pairs(labels: np.ndarray) -> int:
    """Count the pairs of items that have one label."""
    sizes = np.unique(labels, return_counts=True)[1]
    return int((sizes * (sizes - 1) // 2).sum())
