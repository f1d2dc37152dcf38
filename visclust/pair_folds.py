"""Split gold pairs into folds so that no image helps both to choose a clustering and to score it."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

__all__ = ["PairFolds", "assign_folds", "find_sharing_pairs"]


class PairFolds(NamedTuple):
    """Fold of each pair, from 0, and a sentence on what stood in the way of keeping images together."""

    fold: np.ndarray
    note: str


def assign_folds(
    gold: pd.DataFrame, *, folds: int = 5, group_by_image: bool = True, seed: int = 0
) -> PairFolds:
    """Assign gold pairs to folds of about the same size and the same share of "same".

    Pairs that share an image are linked, and so are the pairs linked to those: such a component goes into
    one fold. A component with more pairs than a fold should have is cut, along a breadth-first walk over its
    images so that few images lie on both sides of a cut; `find_sharing_pairs` finds the pairs that do.

    Parameters
    ----------
    gold : DataFrame, n rows
        A gold table.
    folds : int, default 5
        Number of folds, from 2 to n.
    group_by_image : bool, default True
        Whether pairs with a common image stay together. If not, each pair goes its own way.
    seed : int, default 0
        Seed of the order in which groups are dealt out.

    Returns
    -------
    PairFolds
        ``fold`` (int array, n) and ``note`` ("" where no component had to be cut).

    Raises
    ------
    ValueError
        If there are fewer groups of pairs than folds.

    Examples
    --------
    >>> gold = pd.DataFrame({"pair_id": list("pqrs"), "image_a": list("abxy"), "image_b": list("bcyz"),
    ...                      "same": [True, False, True, False]})
    >>> found = assign_folds(gold, folds=2)
    >>> bool(found.fold[0] == found.fold[1] != found.fold[2])
    True
    """
    n = len(gold)
    if not 2 <= folds <= n:
        raise ValueError(f"Expected from 2 folds to as many as there are gold pairs ({n}), got {folds}.")
    groups, note = _group_linked(gold, limit=-(-n // folds)) if group_by_image else (np.arange(n), "")
    n_groups = len(np.unique(groups))
    if n_groups < folds:
        raise ValueError(
            f"Expected at least {folds} groups of pairs without a common image, got {n_groups}. Ask for "
            f"fewer folds, or label more pairs."
        )
    fold = _deal_groups(groups, gold["same"].to_numpy(dtype=bool), folds, np.random.default_rng(seed))
    return PairFolds(fold, note)


def find_sharing_pairs(gold: pd.DataFrame, chosen: np.ndarray) -> np.ndarray:
    """Find the pairs outside a choice of pairs that have an image in common with it.

    Parameters
    ----------
    gold : DataFrame, n rows
        A gold table.
    chosen : bool array, shape (n,)
        The choice, such as the pairs of one fold.

    Returns
    -------
    bool array, shape (n,)
        True for pairs that are not chosen and share an image with one that is.

    Examples
    --------
    >>> gold = pd.DataFrame({"image_a": ["a", "b", "x"], "image_b": ["b", "c", "y"]})
    >>> find_sharing_pairs(gold, np.array([True, False, False])).tolist()
    [False, True, False]
    """
    images = set(gold.loc[chosen, "image_a"]) | set(gold.loc[chosen, "image_b"])
    shares = gold["image_a"].isin(images) | gold["image_b"].isin(images)
    return shares.to_numpy(dtype=bool) & ~chosen


def _deal_groups(groups: np.ndarray, same: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Deal groups to folds, the largest first, each to where its answers are rarest so far."""
    number = np.unique(groups, return_inverse=True)[1]
    content = np.stack([np.bincount(number, weights=same), np.bincount(number, weights=~same)], axis=1)
    shares = content / np.maximum(content.sum(axis=0), 1)
    order = rng.permutation(len(content))
    order = order[np.argsort(-content.sum(axis=1)[order], kind="stable")]
    fold_of, held, size = np.empty(len(content), dtype=np.int64), np.zeros((folds, 2)), np.zeros(folds)
    for group in order:
        # An empty fold comes before all others, so that none stays empty.
        fold = int(np.lexsort((size, held @ shares[group]))[0])
        fold_of[group] = fold
        held[fold] += shares[group]
        size[fold] += content[group].sum()
    return fold_of[number]


def _group_linked(gold: pd.DataFrame, *, limit: int) -> tuple[np.ndarray, str]:
    """Group pairs by linked images, in groups of `limit` pairs at most."""
    codes, images = pd.factorize(pd.concat([gold["image_a"], gold["image_b"]]))
    left, right = codes[: len(gold)], codes[len(gold) :]
    links = coo_array((np.ones(2 * len(gold)), (np.r_[left, right], np.r_[right, left])))
    links = links.tocsr()
    group = connected_components(links, directed=False)[1][left].astype(np.int64)
    sizes = np.bincount(group)
    too_large = np.flatnonzero(sizes > limit)
    for component in too_large:
        inside = np.flatnonzero(group == component)
        # Starting at the image where another walk ends makes the walk long and its cuts narrow.
        end = breadth_first_order(links, left[inside[0]], directed=False)[0][-1]
        place = np.empty(len(images), dtype=np.int64)
        walk = breadth_first_order(links, end, directed=False)[0]
        place[walk] = np.arange(len(walk))
        ordered = inside[np.argsort(np.maximum(place[left[inside]], place[right[inside]]), kind="stable")]
        for part in np.array_split(ordered, -(-len(ordered) // limit))[1:]:
            group[part] = group.max() + 1
    if not len(too_large):
        return group, ""
    largest = int(sizes.max())
    return group, (
        f"{largest} of {len(gold)} pairs are linked by common images, more than a fold's worth ({limit}): "
        f"they are spread over folds, and pairs that share an image with those held out take no part in "
        f"selecting the configuration scored on them."
    )
