"""Batches for training: from images prepared ahead in threads, or from what frozen layers gave once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from tqdm.auto import tqdm

from visclust.base.machine import choose_workers, memory_at_hand
from visclust.finetune_images import TrainingImages
from visclust.images.batches import map_ahead

if TYPE_CHECKING:
    import torch

__all__ = ["BatchSource", "CachedBatches", "ImageBatches", "cache_activations", "order_batches"]


class BatchSource(Protocol):
    """Where batches come from: of an epoch (augmented), or plain where the epoch is None."""

    def iterate(self, batches: list[np.ndarray], *, epoch: int | None) -> "Iterator[torch.Tensor]":
        """Give a tensor for each array of rows, in order."""
        ...


class ImageBatches:
    """Batches of images that threads decode and augment ahead of the network, in order.

    Parameters
    ----------
    images : TrainingImages
        Gives single images.
    workers : int or None
        Threads; None takes one per core, 0 the calling thread alone.

    Examples
    --------
    >>> from visclust.embedding.encoders import load_encoder
    >>> images = TrainingImages([], load_encoder("efficientnet_lite0"), image_size=None, seed=0)
    >>> list(ImageBatches(images, workers=1).iterate([], epoch=None))
    []
    """

    def __init__(self, images: TrainingImages, *, workers: int | None) -> None:
        self.images = images
        self.workers = choose_workers() if workers is None else workers

    def iterate(self, batches: list[np.ndarray], *, epoch: int | None) -> "Iterator[torch.Tensor]":
        """Give a batch for each array of rows; about two more are under way."""
        import torch

        def prepare(row: int) -> "torch.Tensor":
            return self.images.give_plain(row) if epoch is None else self.images.give_augmented(row, epoch)

        rows = [int(row) for batch in batches for row in batch]
        if self.workers == 0:
            yield from _stack(map(prepare, rows), batches, torch.stack)
            return
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="visclust-train")
        try:
            ahead = 2 * max((len(batch) for batch in batches), default=1)
            yield from _stack(map_ahead(pool, prepare, rows, ahead=ahead), batches, torch.stack)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _stack(images: Iterator[Any], batches: list[np.ndarray], stack: Callable[..., Any]) -> Iterator[Any]:
    for batch in batches:
        yield stack([next(images) for _ in batch])


class CachedBatches:
    """Batches of what the frozen layers gave for each image: of the plain image, then of augmented views.

    Parameters
    ----------
    activations : torch.Tensor, shape (1 + views, n, …), float32
        What `cache_activations` gives.
    seed : int
        Of the draw of a view per image and epoch.

    Examples
    --------
    >>> import torch
    >>> source = CachedBatches(torch.arange(3.0).reshape(1, 3, 1), seed=0)
    >>> next(source.iterate([np.array([2, 0])], epoch=1)).flatten().tolist()
    [2.0, 0.0]
    """

    def __init__(self, activations: "torch.Tensor", *, seed: int) -> None:
        self.activations, self.seed = activations, seed

    def iterate(self, batches: list[np.ndarray], *, epoch: int | None) -> "Iterator[torch.Tensor]":
        """Give a batch for each array of rows; in an epoch each image shows one of its views."""
        import torch

        views, n = self.activations.shape[:2]
        chosen = np.zeros(n, dtype=np.int64)
        if epoch is not None:
            chosen = np.random.default_rng([self.seed, epoch, 2]).integers(views, size=n)
        for rows in batches:
            yield self.activations[torch.from_numpy(chosen[rows]), torch.from_numpy(rows)]


def cache_activations(
    frozen: "torch.nn.Module", images: ImageBatches, *, views: int, batch_size: int, progress: bool
) -> "torch.Tensor":
    """Compute once what the frozen layers give for each image, and for augmented views of it.

    Parameters
    ----------
    frozen : torch.nn.Module
        The frozen layers, in evaluation mode.
    images : ImageBatches
        The images.
    views : int
        Augmented views of each image, besides the plain one.
    batch_size : int
        Images that go through the layers together.
    progress : bool
        Show a bar.

    Returns
    -------
    torch.Tensor, shape (1 + views, n, …), float32
        On the CPU.

    Raises
    ------
    MemoryError
        If it takes more than half of the memory at hand; says how much.

    Examples
    --------
    >>> import torch
    >>> from visclust.embedding.encoders import load_encoder
    >>> images = TrainingImages([], load_encoder("efficientnet_lite0"), image_size=None, seed=0)
    >>> batches = ImageBatches(images, workers=0)
    >>> cache_activations(torch.nn.Flatten(), batches, views=0, batch_size=4, progress=False).shape[0]
    1
    """
    import torch

    n = len(images.images.files)
    device = next((each.device for each in frozen.parameters()), torch.device("cpu"))
    batches = [np.arange(start, min(start + batch_size, n)) for start in range(0, n, batch_size)]
    result: Any = torch.empty((1 + views, n))
    bar = tqdm(total=n * (1 + views), desc="What the frozen layers give", unit="image", disable=not progress)
    with torch.no_grad(), bar:
        for view in range(1 + views):
            # Views are numbered as epochs are, from 1.
            given = images.iterate(batches, epoch=view or None)
            for rows, batch in zip(batches, given, strict=True):
                part = frozen(batch.to(device, memory_format=torch.channels_last)).float().cpu()
                if result.ndim == 2:
                    result = _reserve((1 + views, n, *part.shape[1:]))
                result[view, rows[0] : rows[0] + len(rows)] = part
                bar.update(len(rows))
    return result


def _reserve(shape: tuple[int, ...]) -> Any:
    import torch

    size, at_hand = 4 * int(np.prod(shape, dtype=np.int64)), memory_at_hand()
    if size > at_hand // 2:
        raise MemoryError(
            f"What the frozen layers give takes {size / 2**30:.1f} GB, more than half of the "
            f"{at_hand / 2**30:.1f} GB at hand. Use fewer views, fewer images, or layers='head'."
        )
    return torch.empty(shape)


def order_batches(rows: np.ndarray, *, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Shuffle rows for an epoch and cut them into batches.

    Parameters
    ----------
    rows : int array
        The rows to train on.
    batch_size : int
        Rows per batch.
    seed, epoch : int
        Give the order.

    Returns
    -------
    list of int array
        A last batch of a single row joins the one before it, since batch normalisation needs two.

    Examples
    --------
    >>> [len(batch) for batch in order_batches(np.arange(9), batch_size=4, seed=0, epoch=1)]
    [4, 5]
    """
    shuffled = np.random.default_rng([seed, epoch, 1]).permutation(rows)
    batches = [shuffled[start : start + batch_size] for start in range(0, len(shuffled), batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches
