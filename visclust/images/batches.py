"""Decode and transform images in threads, ahead of the network and in order."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from visclust.base.provenance import digest_file
from visclust.images.index import locate_images, select_usable
from visclust.images.reading import UnreadableImageError, read_image

if TYPE_CHECKING:
    import torch


class ImageFile(NamedTuple):
    """A file, and the image id that its bytes must still have."""

    image_id: str
    path: str


def list_files(images: pd.DataFrame, *, folder: str | os.PathLike | None = None) -> list[ImageFile]:
    """List the file of each usable image, in the order of the table; they must all be there.

    No usable image, or two usable rows of one, raise ValueError; missing files raise FileNotFoundError, which
    counts them, before anything is loaded or trained.
    """
    usable = select_usable(images)
    if usable["image_id"].duplicated().any():
        repeated = usable.loc[usable["image_id"].duplicated(), "image_id"].iloc[0]
        raise ValueError(
            f"Expected one row with status 'ok' per image, but image_id {repeated!r} has several. "
            "Make the table with index_images, which marks further copies as 'duplicate'."
        )
    return [ImageFile(*each) for each in locate_images(usable, folder=folder, complete=True).items()]


def iterate_batches(
    files: Sequence[ImageFile],
    *,
    batch_size: int,
    transform: Callable[..., "torch.Tensor"],
    min_side: int | None,
    workers: int,
    overlap: bool = True,
) -> Iterator["torch.Tensor"]:
    """Give batches (b, 3, height, width) of transformed images, float32, in the order of the files.

    The channels of a pixel lie beside each other in memory; the last batch may be smaller. `min_side`
    (pixels) lets large JPEGs be decoded smaller, and 0 workers decode in the calling thread. With `overlap`
    two more batches at most are prepared while the caller works on one, which suits a network on a GPU. A
    network on a CPU takes all cores itself: threads beside it hold up one of its threads while the others
    wait for that one, so without `overlap` the two take turns, and the next files are only read meanwhile.

    Threads rather than processes: decoding releases the interpreter's lock, nothing is copied between
    processes, and it works in every notebook, container and operating system alike.
    """

    def prepare(file: ImageFile) -> "torch.Tensor":
        return transform(read_unchanged(file, min_side))

    if workers == 0:
        yield from _stack_batches(map(prepare, files), batch_size)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="visclust-decode")
    try:
        if overlap:
            images = map_ahead(pool, prepare, files, ahead=2 * batch_size)
        else:
            images = _take_turns(pool, prepare, files, batch_size)
        yield from _stack_batches(images, batch_size)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _take_turns(
    pool: ThreadPoolExecutor, prepare: Callable[..., Any], files: Sequence[ImageFile], batch_size: int
) -> Iterator[Any]:
    """Prepare a batch of images when the first of them is asked for, and read the next files meanwhile."""
    for start in range(0, len(files), batch_size):
        images = list(pool.map(prepare, files[start : start + batch_size]))
        for file in files[start + batch_size : start + 2 * batch_size]:
            pool.submit(_read_into_memory, file)
        yield from images


def _read_into_memory(file: ImageFile) -> None:
    """Have the system read a file, so that it is at hand when its turn comes."""
    # What is wrong with a file is told when its turn comes.
    with suppress(OSError), Path(file.path).open("rb") as opened:
        while opened.read(2**20):
            pass


def _stack_batches(images: Iterator[Any], batch_size: int) -> "Iterator[torch.Tensor]":
    """Stack as many images as make a batch."""
    import torch

    while batch := list(islice(images, batch_size)):
        # Channels last: the layout of PixelScaling and of the networks, so that nothing is copied twice.
        yield torch.stack([image.permute(1, 2, 0) for image in batch]).permute(0, 3, 1, 2)


def map_ahead(
    pool: ThreadPoolExecutor, function: Callable[..., Any], items: Sequence[Any], *, ahead: int
) -> Iterator[Any]:
    """Map in order with only so many items under way, so that memory does not grow with their number."""
    waiting: deque[Future] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def read_unchanged(file: ImageFile, min_side: int | None) -> Any:
    """Read an image in RGB after checking that its bytes still give its image id; otherwise ValueError."""
    advice = "Run index_images again, and then this; finished chunks in the cache are kept."
    try:
        # An image id is the start of the hash: other bytes are another image under the old one's name.
        if not digest_file(file.path).startswith(file.image_id):
            raise ValueError(
                f"Expected {file.path} to be as it was when the images table was made (image_id "
                f"{file.image_id}), but its bytes have changed. {advice}"
            )
        return read_image(file.path, min_side=min_side)
    except (UnreadableImageError, OSError) as error:
        raise ValueError(
            f"Expected {file.path} to be readable as it was when the images table was made, but now it is "
            f"not ({error}). {advice}"
        ) from error
