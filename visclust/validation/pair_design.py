"""The strata of all pairs of a corpus: by likeness and what clusterings join, or by cells of one clustering.

A design is a table with a row per image, small enough to be kept beside the pairs. From it the stratum of any
two images follows, and with it how many pairs each stratum holds, of all pairs and of those that a clustering
joins: numbers that need no judgement, and that scores are weighted with.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics.pairwise import euclidean_distances

from visclust.base.arrays import rescale, take_matrix
from visclust.base.backend import to_host
from visclust.base.checks import check_choice
from visclust.base.columns import check_clusters
from visclust.base.copies import take_picture_rows
from visclust.base.provenance import digest_input, recorded
from visclust.base.rows import match_rows
from visclust.base.tables import UNASSIGNED, check_columns

WITHIN, NEIGHBOURING, RANDOM = "within", "neighbouring", "random"
_N_PLACES = 32  # numbers per image that likeness is measured with
_N_BINS = 4_000  # of likeness, from -1 to 1; the strata's limits are limits of bins
_LIKENESS_ROUNDS = 1e-5  # 32 products in float32 round by less, and a bin is fifty times as wide
_ROWS = 20_000  # made float64 together
_BLOCK = 512  # rows of images whose pairs are looked at together
# Of the pairs that no clustering joins, the strata hold the nearest this much, and the rest; of those that
# clusterings join, the farthest this much, and the rest. Same pairs are rare where pairs are many.
_NEAREST = (0.0005, 0.0024, 0.012, 0.06)
_FARTHEST = (0.1, 0.35)
_JOINS = ("apart", "joined by some", "joined")
_CACHE: dict[str, "PairStrata"] = {}
_JOINED: dict[str, np.ndarray] = {}
_N_KEPT = 10_000  # clusterings whose joined pairs are kept, a few hundred bytes each


class PairStrata(NamedTuple):
    """The h strata of a design, from the least alike to the most: names, numbers of pairs, and how to tell.

    ``joined`` says of each whether no, some or all clusterings of the design join its pairs (0, 1, 2).
    """

    names: list[str]
    totals: np.ndarray
    joined: np.ndarray
    images: pd.Index
    coder: "_Cells | _Likeness"
    key: str = ""


class _Cells(NamedTuple):
    """Pairs are told by the cells of their images: the stratum of each two cells, (k, k)."""

    cell: np.ndarray
    code: np.ndarray


class _Likeness(NamedTuple):
    """Pairs are told by their likeness and how many clusterings join them: a stratum for each (3, bins)."""

    place: np.ndarray
    joined: np.ndarray
    code: np.ndarray


@recorded
def design_pairs(
    clusters: pd.DataFrame | Mapping[str, pd.DataFrame],
    x: Any,
    *,
    how: str = "likeness",
    n_neighbours: int = 1,
    max_images: int = 30_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Divide all pairs of a corpus into strata from which pairs for people to judge can be drawn.

    Nearly every pair of a corpus is "different", so that pairs are best drawn where it is open whether people
    call them the same: by "likeness", the strata are made of how alike two images are in the embedding and
    of whether given clusterings join them; by "cells", the paper's way, of the clusters of one k-means.

    Parameters
    ----------
    clusters : DataFrame or mapping of str to DataFrame, n rows each
        One clusters table or several, best those that will be scored, or others that are like them. "cells"
        takes one.
    x : Embedding or array_like, shape (n, d)
        The embedding, one row per row of the clusters tables, in the same order.
    how : {"likeness", "cells"}, default "likeness"
        What strata are made of. "likeness": of the pairs that no clustering joins, the nearest 0.05%, 0.24%,
        1.2%, 6% and the rest (by the cosine of their first 32 principal components), and of the pairs that
        some, and that all of them join, the farthest 10%, 35% and the rest. "cells": "within" clusters,
        "neighbouring" and "random", as `sample_pairs` describes them.
    n_neighbours : int, default 1
        By "cells": nearest clusters of each cluster that count as its neighbours.
    max_images : int, default 30000
        By "likeness" every pair is looked at; of a larger corpus this many images are drawn at random, and
        the pairs are pairs of these.
    seed : int, default 0
        Seed of that draw.

    Returns
    -------
    DataFrame, a row per picture
        ``image_id`` and, by "likeness", ``place_1, place_2, …`` (up to 32 numbers, whose inner products are
        the likeness) and ``joined_1, …`` (its cluster in each clustering); by "cells", ``cell`` and
        ``neighbours`` (list of cells).
        Give it to `sample_pairs` to draw, to `plan_pairs` to plan, and to `score_pairs` to weight.

    Raises
    ------
    ValueError
        If the tables do not match each other or `x`, or there are fewer than two images.

    Source
    ------
    Särndal, Swensson & Wretman (1992), Model Assisted Survey Sampling, section 3.7 (stratified designs) and
    7.6 (post-stratification). The strata are ours.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = np.repeat(np.eye(3), 20, axis=0) * 4 + rng.normal(size=(60, 3))
    >>> clusters = pd.DataFrame({"image_id": [f"i{i}" for i in range(60)],
    ...                          "cluster": np.repeat([0, 1, 2], 20)})
    >>> design_pairs(clusters, x).columns.tolist()
    ['image_id', 'place_1', 'place_2', 'place_3', 'joined_1']
    >>> design_pairs(clusters, x, how="cells").columns.tolist()
    ['image_id', 'cell', 'neighbours']
    """
    check_choice("how", how, ("likeness", "cells"))
    tables = dict(clusters) if isinstance(clusters, Mapping) else {"clusters": clusters}
    if not tables or (how == "cells" and len(tables) > 1):
        raise ValueError(
            f"Expected {'one clusters table' if how == 'cells' else 'at least one clusters table'}, got "
            f"{len(tables)}."
        )
    checked = [check_clusters(table) for table in tables.values()]
    first = checked[0]
    for name, table in zip(tables, checked, strict=True):
        if table["image_id"].tolist() != first["image_id"].tolist():
            raise ValueError(
                f"Expected all clusters tables to have the same images in the same order, got others in "
                f"{name!r}. Use tables of one corpus."
            )
    rows = rescale(take_matrix(match_rows(x, first)))
    check_rows(rows, len(first))
    joined = np.column_stack([table["cluster"].to_numpy(dtype=np.int64) for table in checked])
    first, numbered = take_picture_rows(first.assign(_row=np.arange(len(first))), rows)
    rows, joined = to_host(numbered), joined[first["_row"].to_numpy()]
    if len(rows) < 2:
        raise ValueError(f"Expected at least two images to make pairs of, got {len(rows)}.")
    ids = first["image_id"].astype(str).to_numpy(dtype=object)
    if how == "cells":
        labels = joined[:, 0]
        near = find_neighbours(rows, labels, n_neighbours)
        own = dict(zip(np.unique(labels).tolist(), near, strict=True))
        return pd.DataFrame(
            {"image_id": ids, "cell": labels, "neighbours": [own[label] for label in labels.tolist()]}
        )
    if len(rows) > max_images:
        chosen = np.sort(np.random.default_rng(seed).choice(len(rows), max_images, replace=False))
        rows, joined, ids = rows[chosen], joined[chosen], ids[chosen]
    places = _find_places(rows)
    design = {"image_id": ids} | {f"place_{i + 1}": place for i, place in enumerate(places.T)}
    return pd.DataFrame(design | {f"joined_{i + 1}": labels for i, labels in enumerate(joined.T)})


def check_rows(x: Any, n: int) -> None:
    """Check that a matrix has a row for each of n images."""
    if getattr(x, "ndim", 0) != 2 or x.shape[0] != n:
        raise ValueError(
            f"Expected x of shape (n, d) with one row for each of the {n} rows of the clusters "
            f"table, got shape {getattr(x, 'shape', None)}. Load the embedding of the same images."
        )


def find_neighbours(x: np.ndarray, labels: np.ndarray, n_neighbours: int) -> list[list[int]]:
    """List for each cluster, in the order of their labels, its neighbours by the distance of centres.

    One of two neighbours is among the nearest of the other; the unassigned are nobody's.
    """
    groups, code = np.unique(labels, return_inverse=True)
    real = np.flatnonzero(groups != UNASSIGNED)
    near: list[list[int]] = [[] for _ in groups]
    if len(real) < 2:
        return near
    sums = np.zeros((len(groups), x.shape[1]))
    for start in range(0, len(x), _ROWS):  # all of a million rows in float64 are 4 GB
        np.add.at(sums, code[start : start + _ROWS], x[start : start + _ROWS].astype(np.float64))
    distances = euclidean_distances((sums / np.bincount(code)[:, None])[real])
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, : min(n_neighbours, len(real) - 1)]
    linked = np.zeros((len(groups), len(groups)), dtype=bool)
    linked[real[:, None], real[nearest]] = True
    linked |= linked.T
    return [groups[row].tolist() for row in linked]


def _find_places(x: np.ndarray) -> np.ndarray:
    """Give each row's first principal components, scaled to length 1, (n, 32 at most)."""
    centred = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    places = centred @ vectors[:, ::-1][:, :_N_PLACES]
    length = np.linalg.norm(places, axis=1, keepdims=True)
    return (places / np.where(length > 0, length, 1)).astype(np.float32)


def find_strata_of(design: pd.DataFrame) -> PairStrata:
    """Find the strata of a design and how many pairs each holds; one pass over all pairs by likeness.

    What was found is kept for the design at hand, since a grid of clusterings asks for it many times.
    """
    check_columns(design, ("image_id",), "the pair design", hint="Make it with design_pairs.")
    if len(design) < 2 or design["image_id"].duplicated().any() or design.isna().any(axis=None):
        raise ValueError(
            f"Expected each of two images or more once in the pair design, and nothing missing, got "
            f"{len(design)} rows, {int(design['image_id'].duplicated().sum())} of them of an image that is "
            f"there already, {int(design.isna().any(axis=1).sum())} with a gap. Make it with design_pairs."
        )
    key = digest_input(design)
    if key not in _CACHE:
        _CACHE.clear()
        found = _read_cells(design) if "cell" in design.columns else _read_likeness(design)
        _CACHE[key] = found._replace(key=key)
    return _CACHE[key]


def list_strata(design: pd.DataFrame) -> list[str]:
    """List the names of a design's strata."""
    return find_strata_of(design).names


def _read_cells(design: pd.DataFrame) -> PairStrata:
    check_columns(design, ("cell", "neighbours"), "the pair design", hint="Make it with design_pairs.")
    groups, cell = np.unique(design["cell"].to_numpy(dtype=np.int64), return_inverse=True)
    near = dict(zip(cell.tolist(), design["neighbours"], strict=True))
    code = np.zeros((len(groups), len(groups)), dtype=np.int8)
    for own, others in near.items():
        code[own, np.isin(groups, np.asarray(others, dtype=np.int64))] = 1
    real = np.flatnonzero(groups != UNASSIGNED)
    code[real, real] = 2
    sizes = np.bincount(cell).astype(np.float64)
    held = np.outer(sizes, sizes)
    held[np.diag_indices(len(sizes))] -= sizes
    totals = np.array([held[code == each].sum() / 2 for each in range(3)])
    return PairStrata(
        [RANDOM, NEIGHBOURING, WITHIN], totals, np.array([0, 0, 2]), pd.Index(design["image_id"]),
        _Cells(cell, code),
    )  # fmt: skip


def _read_likeness(design: pd.DataFrame) -> PairStrata:
    names = ("place_1", "joined_1")
    check_columns(design, names, "the pair design", hint="Make it with design_pairs.")
    place, joined = (
        np.ascontiguousarray(design[[name for name in design.columns if name.startswith(start)]].to_numpy())
        for start in ("place_", "joined_")
    )
    place, joined = place.astype(np.float32), joined.astype(np.int64)
    bins = np.arange(3 * _N_BINS).reshape(3, _N_BINS)
    counted = np.zeros(3 * _N_BINS, dtype=np.int64)
    for start, codes in iterate_codes(_Likeness(place, joined, bins), np.arange(len(place))):
        counted += np.bincount(_take_later(codes, start), minlength=3 * _N_BINS)
    by_kind = counted.reshape(3, _N_BINS)
    code = np.zeros((3, _N_BINS), dtype=np.int8)
    called: list[str] = []
    kinds: list[int] = []
    totals: list[int] = []
    for kind in range(3):
        if not by_kind[kind].any():
            continue
        for name, bin_from, bin_to in _cut(by_kind[kind], kind):
            code[kind, bin_from:bin_to] = len(called)
            called.append(f"{_JOINS[kind]}, {name}")
            kinds.append(kind)
            totals.append(int(by_kind[kind, bin_from:bin_to].sum()))
    return PairStrata(
        called, np.array(totals, dtype=np.float64), np.array(kinds), pd.Index(design["image_id"]),
        _Likeness(place, joined, code),
    )  # fmt: skip


def _cut(counted: np.ndarray, kind: int) -> list[tuple[str, int, int]]:
    """Cut the bins of one kind of pair into strata; those that would hold no pair are left out."""
    below = np.concatenate([[0], np.cumsum(counted)])
    total = below[-1]
    if kind == 0:
        limits = [np.searchsorted(below, total * (1 - share), side="left") for share in _NEAREST[::-1]]
        words = [f"beyond the nearest {_NEAREST[-1]:.2%}"]
        words += [f"the nearest {share:.2%}" for share in _NEAREST[::-1]]
    else:
        limits = [np.searchsorted(below, total * share, side="left") for share in _FARTHEST]
        words = [f"the farthest {share:.0%}" for share in _FARTHEST] + ["the others"]
    edges = [0, *[int(limit) for limit in limits], len(counted)]
    parts = zip(words, edges[:-1], edges[1:], strict=True)
    kept = [(word, low, high) for word, low, high in parts if below[high] > below[low]]
    # A bin that belongs to no stratum holds no pair of the corpus; it goes to the next stratum.
    starts = [0, *[high for _, _, high in kept[:-1]]]
    ends = [*[high for _, _, high in kept[:-1]], len(counted)]
    return [(word, low, high) for (word, _, _), low, high in zip(kept, starts, ends, strict=True)]


def iterate_codes(coder: _Cells | _Likeness, rows: np.ndarray) -> Any:
    """Give the strata of all pairs of some images in blocks: where the block starts, and (b, len(rows))."""
    for start in range(0, len(rows), _BLOCK):
        yield start, _code(coder, rows[start : start + _BLOCK], rows)


def _code(coder: _Cells | _Likeness, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    if isinstance(coder, _Cells):
        return coder.code[np.ix_(coder.cell[left], coder.cell[right])]
    likeness = coder.place[left] @ coder.place[right].T
    likeness += 1
    likeness *= _N_BINS / 2
    at = likeness.astype(np.int32)
    np.clip(at, 0, _N_BINS - 1, out=at)
    n_joins = np.zeros(at.shape, dtype=np.int16)
    for labels in coder.joined.T:
        n_joins += (labels[left][:, None] == labels[right]) & (labels[left] >= 0)[:, None]
    at += _N_BINS * ((n_joins > 0).astype(np.int32) + (n_joins == coder.joined.shape[1]))
    return coder.code.ravel()[at]


def tell_stratum(strata: PairStrata, left: np.ndarray, right: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Tell whether each pair, of two rows of the design, lies in the stratum of this number (n,).

    Likeness is rounded by the size of the block that it is computed in, so that a pair at the limit of two
    strata may belong to both.
    """
    coder = strata.coder
    if isinstance(coder, _Cells):
        return np.asarray(coder.code[coder.cell[left], coder.cell[right]] == number)
    likeness = np.einsum("ij,ij->i", coder.place[left], coder.place[right], dtype=np.float64)
    together = (coder.joined[left] == coder.joined[right]) & (coder.joined[left] >= 0)
    kind = together.any(axis=1).astype(np.int64) + together.all(axis=1)
    found = np.zeros(len(number), dtype=bool)
    for rounded in (-_LIKENESS_ROUNDS, 0.0, _LIKENESS_ROUNDS):
        at = ((likeness + rounded + 1) * (_N_BINS / 2)).astype(np.int64)
        found |= coder.code[kind, np.clip(at, 0, _N_BINS - 1)] == number
    return found


def _take_later(codes: np.ndarray, start: int) -> np.ndarray:
    """Keep of a block the pairs of each image with later ones, so that every pair is there once."""
    return codes[np.arange(codes.shape[1]) > np.arange(start, start + len(codes))[:, None]]


def count_within(strata: PairStrata, rows: np.ndarray) -> np.ndarray:
    """Count the pairs of some images, by stratum (h,)."""
    counted = np.zeros(len(strata.names), dtype=np.int64)
    for start, codes in iterate_codes(strata.coder, rows):
        counted += np.bincount(_take_later(codes, start), minlength=len(counted))
    return counted.astype(np.float64)


def count_joined(strata: PairStrata, clusters: pd.DataFrame) -> np.ndarray:
    """Count the pairs that a clustering joins, by stratum (h,).

    Raises ValueError where it lacks an image of the design.
    """
    labels = take_labels_of(strata, clusters)
    key = f"{strata.key} {digest_input(labels)}"
    if key in _JOINED:  # a grid is counted again by each function that compares it
        return _JOINED[key]
    order = np.argsort(labels, kind="stable")
    found, starts = np.unique(labels[order], return_index=True)
    counted = np.zeros(len(strata.names))
    for label, rows in zip(found, np.split(order, starts[1:]), strict=True):
        if label != UNASSIGNED and len(rows) > 1:
            counted += count_within(strata, rows)
    if len(_JOINED) >= _N_KEPT:
        _JOINED.clear()
    _JOINED[key] = counted
    return counted


def count_assigned(strata: PairStrata, clusters: pd.DataFrame) -> np.ndarray:
    """Count the pairs whose two images have a cluster, by stratum (h,)."""
    labels = take_labels_of(strata, clusters)
    if (labels != UNASSIGNED).all():
        return strata.totals
    return count_within(strata, np.flatnonzero(labels != UNASSIGNED))


def take_labels_of(strata: PairStrata, clusters: pd.DataFrame) -> np.ndarray:
    """Take the cluster of each image of a design; ValueError where one has no row."""
    clusters = check_clusters(clusters)
    rows = pd.Index(clusters["image_id"]).get_indexer(strata.images)
    if (rows < 0).any():
        example = strata.images[int(np.flatnonzero(rows < 0)[0])]
        raise ValueError(
            f"Expected every image of the pair design in the clusters table, got {int((rows < 0).sum())} "
            f"that it lacks, such as {example!r}. Score clusters of the corpus that pairs were drawn from."
        )
    return clusters["cluster"].to_numpy(dtype=np.int64)[rows]


def draw_from_strata(
    strata: PairStrata, quotas: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw so many pairs from each stratum, simply and without replacement; the rows of both, the strata."""
    wanted = [
        np.sort(rng.choice(int(total), size=int(quota), replace=False))
        for total, quota in zip(strata.totals, quotas, strict=True)
    ]
    seen = np.zeros(len(strata.names), dtype=np.int64)
    left, right, which = [], [], []
    n = len(strata.images)
    for start, codes in iterate_codes(strata.coder, np.arange(n)):
        later = np.arange(n) > np.arange(start, start + len(codes))[:, None]
        flat = np.where(later, codes, -1).ravel()
        held = np.bincount(flat[flat >= 0], minlength=len(seen))
        for code in np.flatnonzero(held):
            ranks = wanted[code]
            here = ranks[(ranks >= seen[code]) & (ranks < seen[code] + held[code])] - seen[code]
            if len(here):
                at = np.flatnonzero(flat == code)[here]
                left.append(start + at // n)
                right.append(at % n)
                which.append(np.full(len(at), code))
        seen += held
    return np.concatenate(left), np.concatenate(right), np.concatenate(which)
