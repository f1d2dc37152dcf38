"""Labelled images to train on: matched with their files, near copies grouped, some images held out."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.components import connect_pairs
from visclust.base.machine import choose_workers
from visclust.base.provenance import recorded
from visclust.base.simulated import MARK
from visclust.base.tables import check_columns, check_table
from visclust.images.batches import ImageFile, list_files, map_ahead, read_unchanged

_CROPPED = (0.7, 0.8, 0.9)  # shares of each side that are left of a copy without its margins
_SHORTENED = (0.8, 0.85, 0.9)  # shares of the height that are left of one without its caption
_BLOCK = 512  # images
_LEAST_LABELS = 5  # of either answer; intervals of scores need as many held out
_SMALL_SIDE = 128  # pixels; four times what the hash looks at


class LabelledImages(NamedTuple):
    """Files, their labels (n, features; 1, 0, NaN where missing), features, how many had none, if made up."""

    files: list[ImageFile]
    targets: np.ndarray
    features: list[str]
    unlabelled: int
    simulated: bool = False


def match_labels(
    images: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    features: Sequence[str] | None = None,
    folder: str | os.PathLike | None = None,
) -> LabelledImages:
    """Match labels with image files, and refuse labels that nothing can be learnt from.

    The result is in the order of the images table; its labels are float32. Images without any label are left
    out and counted. An error names the feature that has a label other than 1, 0 and missing, or no positive
    or no negative one.
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
    files = list_files(images, folder=folder)
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


def match_groups(groups: Any, image_ids: list[str]) -> np.ndarray:
    """Give the group of each image as a whole number from 0, in the order of `image_ids`.

    `groups` is a Series by image id, or a table with ``image_id`` and ``group`` as `find_duplicates` gives
    it, where an image may have several rows that agree. An image without a group is one of its own.
    """
    if isinstance(groups, pd.DataFrame):
        groups = check_columns(groups, ("image_id", "group"), "groups").set_index("image_id")["group"]
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


@recorded
def list_trainable_features(
    images: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    held_out: float = 0.2,
    seed: int = 0,
    images_folder: str | os.PathLike | None = None,
) -> pd.DataFrame:
    """List for which features the labels are enough to train a network, and why not for the others.

    Parameters
    ----------
    images, labels : DataFrame
        As for `finetune`; the labels may have no row.
    held_out : float, default .2
        Share of the images held out.
    seed : int, default 0
        Seed of that split.
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.

    Returns
    -------
    DataFrame
        A row per feature: ``feature, positives, negatives`` (labels) and ``reason``, empty where the feature
        can be learned. `finetune` takes those features together, with the same `held_out` and `seed`.

    Raises
    ------
    ValueError
        If a labelled image is not among the images, or a label is none of 1, 0 and missing.

    Examples
    --------
    >>> images = pd.DataFrame(columns=["image_id", "path", "status", "reason", "width", "height"])
    >>> list_trainable_features(images, pd.DataFrame({"image_id": []})).columns.tolist()
    ['feature', 'positives', 'negatives', 'reason']
    """
    rows = []
    for name in [name for name in labels.columns if name not in ("image_id", MARK)]:
        values = _read_feature(labels[name])
        counts = {"positives": int((values == 1).sum()), "negatives": int((values == 0).sum())}
        few = [f"{word} are {n}" for word, n in counts.items() if n < _LEAST_LABELS]
        reason = f"its {' and its '.join(few)}; {_LEAST_LABELS} are needed at least" if few else ""
        rows.append({"feature": name, **counts, "reason": reason})
    table = pd.DataFrame(rows, columns=["feature", "positives", "negatives", "reason"])
    while kept := table.loc[table["reason"].eq(""), "feature"].tolist():
        labelled = match_labels(images, labels, features=kept, folder=images_folder)
        codes = group_copies(labelled.files).astype(np.int64)
        try:
            split_labelled(labelled.targets, codes, features=kept, held_out=held_out, seed=seed)
        except ValueError:
            groups = [
                min(len(np.unique(codes[column == answer])) for answer in (0.0, 1.0))
                for column in labelled.targets.T
            ]
            worst = kept[int(np.argmin(groups))]
            table.loc[table["feature"].eq(worst), "reason"] = (
                f"one of its answers is in {min(groups)} group(s) of near copies only, which stay on one side"
            )
            continue
        break
    return table


def split_labelled(
    targets: np.ndarray, groups: np.ndarray, *, features: list[str], held_out: float, seed: int
) -> np.ndarray:
    """Split images so that each feature has its share on both sides, and no group is on two.

    The result (n) is True for images held out. `targets` (n, features) holds 1, 0 and NaN, `groups` (n)
    whole numbers from 0. Groups are given out one by one, those with the rarest answer (a feature's "yes" or
    "no") first, each to the side that lacks most of that answer: algorithm 1 of Sechidis, Tsoumakas and
    Vlahavas (2011), On the stratification of multi-label data, with groups of images in the place of single
    ones. The seed breaks ties.
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
    _check_sides(targets, groups, held=held, features=features)
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


def _check_sides(targets: np.ndarray, groups: np.ndarray, *, held: np.ndarray, features: list[str]) -> None:
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


def group_copies(files: Sequence[ImageFile], *, threshold: int = 8, workers: int | None = None) -> np.ndarray:
    """Group images that may be copies of one another: saved anew, cropped, or with a caption added.

    The perceptual hash of each whole image (pHash, of the package imagehash) is compared with those of all
    others and of parts of them: nine crops each of 70, 80 and 90% of each side, and the image without a band
    of 10, 15 or 20% at its top or bottom. Pairs are joined that differ in at most `threshold` of 64 bits, and
    groups are what hangs together; they are numbered from 0. Different pictures that look alike are joined
    now and then; for a split that costs nothing, while a copy that is missed would make held-out scores too
    good.
    """
    if not files:
        return np.zeros(0, dtype=np.int64)
    with ThreadPoolExecutor(choose_workers() if workers is None else max(1, workers)) as pool:
        hashes = np.stack(list(map_ahead(pool, _hash_parts, files, ahead=os.cpu_count() or 1)))
    return connect_pairs(_iterate_pairs(hashes, threshold), len(files))


def _hash_parts(file: ImageFile) -> np.ndarray:
    """Hash an image and its parts: bits as -1 and 1, the whole image first."""
    import imagehash

    image = read_unchanged(file, 2 * _SMALL_SIDE).convert("L")
    image.thumbnail((2 * _SMALL_SIDE, 2 * _SMALL_SIDE))
    width, height = image.size
    boxes = [(0.0, 0.0, 1.0, 1.0)]
    for share in _CROPPED:
        starts = (0.0, (1 - share) / 2, 1 - share)
        boxes += [(left, top, left + share, top + share) for left in starts for top in starts]
    for share in _SHORTENED:
        boxes += [(0.0, 0.0, 1.0, share), (0.0, 1 - share, 1.0, 1.0)]
    parts: Any = (
        image.crop(
            (
                round(left * width),
                round(top * height),
                max(round(right * width), round(left * width) + 1),
                max(round(bottom * height), round(top * height) + 1),
            )
        )
        for left, top, right, bottom in boxes
    )
    bits = np.stack([imagehash.phash(part).hash.ravel() for part in parts])
    return np.where(bits, np.float32(1), np.float32(-1))


def _iterate_pairs(hashes: np.ndarray, threshold: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give positions of pairs, block by block: a whole image near another or near a part of it."""
    n, parts, bits = hashes.shape
    whole = hashes[:, 0].T
    for start in range(0, n, _BLOCK):
        block = hashes[start : start + _BLOCK].reshape(-1, bits)
        # The product of two rows of -1 and 1 is the bits that agree minus those that differ.
        near = (block @ whole >= bits - 2 * threshold).reshape(-1, parts, n).any(axis=1)
        first, second = np.nonzero(near)
        yield first + start, second
