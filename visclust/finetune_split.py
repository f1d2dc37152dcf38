"""Split labelled images into those to train on and those held out, by feature and by group of near copies."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["match_groups", "split_labelled"]


def match_groups(groups: Any, image_ids: list[str]) -> np.ndarray:
    """Give the group of each image as a whole number.

    Parameters
    ----------
    groups : Series or DataFrame
        A Series of groups by image id, or a table with ``image_id`` and ``group``, such as the groups that
        `find_duplicates` gives; several rows of one image must agree.
    image_ids : list of str
        The images. One that has no group is a group of its own.

    Returns
    -------
    ndarray of int, shape (n,)
        Group of each, from 0.

    Raises
    ------
    ValueError
        If an image has two groups, or no image has one.

    Examples
    --------
    >>> match_groups(pd.Series({"a": "x", "b": "x"}), ["b", "c", "a"]).tolist()
    [0, 1, 0]
    """
    if isinstance(groups, pd.DataFrame):
        if not {"image_id", "group"} <= set(groups.columns):
            raise ValueError(
                f"Expected groups with the columns image_id and group, got {list(groups.columns)}."
            )
        groups = groups.set_index("image_id")["group"]
    if not isinstance(groups, pd.Series):
        raise ValueError(f"Expected groups as a Series by image id or a table, got {type(groups).__name__}.")
    pairs = pd.DataFrame({"image_id": groups.index, "group": groups.to_numpy()}).dropna().drop_duplicates()
    twice = pairs.loc[pairs["image_id"].duplicated(), "image_id"]
    if len(twice):
        raise ValueError(f"Expected one group per image, but image {twice.iloc[0]!r} has several.")
    found = pairs.set_index("image_id")["group"].reindex(image_ids)
    if found.isna().all():
        raise ValueError("Expected groups of the labelled images, but none of them has one: check their ids.")
    alone = [("alone", number) for number in range(len(found))]
    names = [alone[at] if pd.isna(name) else ("group", name) for at, name in enumerate(found)]
    return pd.factorize(pd.Series(names, dtype=object))[0]


def split_labelled(
    targets: np.ndarray, groups: np.ndarray, *, features: list[str], held_out: float, seed: int
) -> np.ndarray:
    """Split images so that each feature has its share on both sides, and no group is on two.

    Groups are given out one by one, those with the rarest answer (a feature's "yes" or "no") first, each to
    the side that lacks most of that answer.

    Parameters
    ----------
    targets : float array, shape (n, f)
        Labels: 1, 0, NaN where missing.
    groups : int array, shape (n,)
        Group of near copies of each image, from 0.
    features : list of str, f
        Their names, for errors.
    held_out : float
        Share of the images that is wanted on the side that is held out.
    seed : int
        Seed of the order among equals.

    Returns
    -------
    bool array, shape (n,)
        True where held out.

    Raises
    ------
    ValueError
        If a feature has no positive or no negative label on a side; names it.

    Source
    ------
    Sechidis, Tsoumakas and Vlahavas (2011), On the stratification of multi-label data, ECML PKDD, algorithm
    1, with groups of images in the place of single ones.

    Examples
    --------
    >>> targets = np.array([[1.0], [1.0], [1.0], [0.0], [0.0], [0.0]])
    >>> held = split_labelled(targets, np.array([0, 0, 1, 2, 3, 3]), features=["a"], held_out=0.5, seed=0)
    >>> bool(held[0] == held[1]), bool(held[4] == held[5])
    (True, True)
    """
    n_groups = int(groups.max()) + 1
    # Both answers to each feature count: "no" can be the rare one.
    answers = np.concatenate([targets == 1, targets == 0], axis=1).astype(float)
    counts = np.zeros((n_groups, answers.shape[1]))
    np.add.at(counts, groups, answers)
    sizes = np.bincount(groups, minlength=n_groups).astype(float)
    rng = np.random.default_rng(seed)
    shares = np.array([1 - held_out, held_out])
    wanted = shares[:, None] * counts.sum(axis=0)
    # An answer that is rare is still needed on either side.
    wanted = np.maximum(wanted, np.minimum(1, counts.sum(axis=0) / 2))
    room = shares * sizes.sum()
    side = np.full(n_groups, -1)
    order = rng.permutation(n_groups)
    for group, answer in _order_by_rarity(counts, order):
        lacking = room if answer is None else wanted[:, answer]
        side[group] = np.lexsort((rng.random(2), room, lacking))[-1]  # equals are broken by the seed
        wanted[side[group]] -= counts[group]
        room[side[group]] -= sizes[group]
    held = side[groups] == 1
    _check_sides(targets, groups, held, features)
    return held


def _order_by_rarity(counts: np.ndarray, order: np.ndarray) -> Iterator[tuple[int, int | None]]:
    """Give groups in turn, with the answer they are given out for: that of which fewest are left."""
    left = np.ones(len(counts), dtype=bool)
    while left.any():
        remaining = counts[left].sum(axis=0)
        if not (remaining > 0).any():
            yield from ((int(group), None) for group in order if left[group])
            return
        answer = int(np.argmin(np.where(remaining > 0, remaining, np.inf)))
        chosen = [int(group) for group in order if left[group] and counts[group, answer] > 0]
        # Large groups first: small ones can still even out what they leave.
        chosen.sort(key=lambda group: -counts[group, answer])
        left[chosen] = False
        yield from ((group, answer) for group in chosen)


def _check_sides(targets: np.ndarray, groups: np.ndarray, held: np.ndarray, features: list[str]) -> None:
    """Refuse a split that leaves a feature without positives or negatives on a side."""
    for name, column in zip(features, targets.T, strict=True):
        for word, answer in (("positive", 1.0), ("negative", 0.0)):
            for side, where in (("to train on", ~held), ("held out", held)):
                if (column[where] == answer).any():
                    continue
                found = column == answer
                raise ValueError(
                    f"Expected {word} labels of {name!r} on both sides of the split, but none is left "
                    f"{side}: it has {found.sum()}, in {len(np.unique(groups[found]))} group(s) of copies "
                    "that stay together. Label more images, leave the feature out with features=[…], or "
                    "change held_out or the seed."
                )
