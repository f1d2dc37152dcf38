"""Near copies among images to train on, grouped widely: a split must not have them on both sides."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from visclust.base.components import connect_pairs
from visclust.base.machine import choose_workers
from visclust.images.batches import ImageFile, map_ahead, read_unchanged

__all__ = ["group_copies"]

_SHARES = (0.7, 0.8, 0.9)
_SHORTER = (0.8, 0.85, 0.9)
_BLOCK = 512
_SMALL_SIDE = 128  # four times what the hash looks at


def group_copies(files: Sequence[ImageFile], *, threshold: int = 8, workers: int | None = None) -> np.ndarray:
    """Group images that may be copies of one another: saved anew, cropped, or with a caption added.

    The perceptual hash of each whole image is compared with those of all others and of parts of them:
    nine crops of 70, 80 and 90% of each side, and the image without a band of 10, 15 or 20% at its top or
    bottom. Different pictures that look alike are joined now and then; for a split that costs nothing, while
    a copy that is missed would make held-out scores too good.

    Parameters
    ----------
    files : sequence of ImageFile, n
        The images.
    threshold : int, default 8
        Bits of 64 in which two hashes may differ.
    workers : int, optional
        Threads that decode; by default one per core.

    Returns
    -------
    ndarray of int, shape (n,)
        Group of each image, from 0: connected components of the pairs within the threshold.

    Source
    ------
    The hash is pHash, of the package imagehash.

    Examples
    --------
    >>> group_copies([]).tolist()
    []
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
    for share in _SHARES:
        starts = (0.0, (1 - share) / 2, 1 - share)
        boxes += [(left, top, left + share, top + share) for left in starts for top in starts]
    for share in _SHORTER:
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
