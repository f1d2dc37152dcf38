"""Batches for training: of images that threads decode and augment, or of what frozen layers gave once."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from visclust.base.machine import choose_workers, memory_at_hand
from visclust.base.progress import WorkBar
from visclust.embedding.encoders import Encoder
from visclust.embedding.networks import PixelScaling
from visclust.images.batches import ImageFile, map_ahead, read_unchanged

if TYPE_CHECKING:
    import torch


_AREA = (0.08, 1.0)  # of a crop, as a share of the image's
_ASPECT = (3 / 4, 4 / 3)


class TrainingImages:
    """Give images as tensors: as the encoder has them, or with the augmentation usual for ImageNet.

    Augmented: a crop of 8 to 100% of the area and of an aspect ratio from 3:4 to 4:3 (Szegedy et al. 2015,
    Going Deeper with Convolutions, as torchvision has it), resized to `image_size` pixels (None: the
    encoder's), and flipped left to right with probability one half; then the encoder's own mean and standard
    deviation. What is drawn depends on seed, epoch and image alone, so that neither the number of threads nor
    an interruption changes it. The transform of the encoder must end in `PixelScaling`.
    """

    def __init__(
        self, files: Sequence[ImageFile], encoder: Encoder, *, image_size: int | None, seed: int
    ) -> None:
        from PIL import Image

        steps = list(getattr(encoder.transform, "transforms", []))
        if not steps or not isinstance(steps[-1], PixelScaling):
            raise ValueError(
                f"Expected an encoder whose transform ends in visclust's PixelScaling, as load_encoder gives "
                f"it, but that of {encoder.name!r} does not."
            )
        self.files, self.seed, self._scale = list(files), seed, steps[-1]
        own = int(encoder.transform(Image.new("RGB", (64, 64))).shape[-1])
        self.size = own if image_size is None else image_size
        self._resample = _find_resampling(steps)
        self._plain = (
            encoder.transform
            if self.size == own
            else self._make_transform(round(encoder.min_side * self.size / own))
        )
        self._kept: dict[int, Any] = {}
        self._room = memory_at_hand() // 4

    def give_plain(self, row: int) -> "torch.Tensor":
        """Give one image as the encoder has it."""
        return self._plain(self._decode(row))

    def give_augmented(self, row: int, epoch: int) -> "torch.Tensor":
        """Give one image cropped and flipped as drawn for this epoch."""
        from PIL import Image

        image = self._decode(row)
        key = hashlib.sha256(self.files[row].image_id.encode("utf-8", "surrogatepass")).digest()
        rng = np.random.default_rng([self.seed, epoch, int.from_bytes(key[:8], "big")])
        box = _draw_crop(*image.size, rng=rng)
        cropped = image.resize((self.size, self.size), self._resample, box=box)
        if rng.random() < 0.5:
            cropped = cropped.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return self._scale(cropped)

    def _decode(self, row: int) -> Any:
        """Decode an image, not larger than crops of it need, and keep it while there is room."""
        kept = self._kept.get(row)
        if kept is not None:
            return kept
        # Twice the size: crops that are mostly smaller than the image are then seldom enlarged.
        side = 2 * self.size
        image = read_unchanged(self.files[row], side)
        if min(image.size) > side:
            scale = side / min(image.size)
            image = image.resize([round(length * scale) for length in image.size], reducing_gap=3.0)
        size = 3 * image.size[0] * image.size[1]
        if size <= self._room:  # two threads may both take the last of it, which does no harm
            self._room -= size
            self._kept[row] = image
        return image

    def _make_transform(self, side: int) -> Callable[..., "torch.Tensor"]:
        from torchvision import transforms

        modes = transforms.InterpolationMode
        mode = modes.BICUBIC if self._resample == 3 else modes.BILINEAR
        return transforms.Compose(
            [transforms.Resize(side, interpolation=mode), transforms.CenterCrop(self.size), self._scale]
        )


def _find_resampling(steps: list[Any]) -> Any:
    """Find how an encoder's transform interpolates, in Pillow's terms."""
    from PIL import Image

    mode = next((step.interpolation for step in steps if hasattr(step, "interpolation")), "bilinear")
    word = str(getattr(mode, "value", mode)).lower()
    return Image.Resampling.BICUBIC if word == "bicubic" else Image.Resampling.BILINEAR


def _draw_crop(width: int, height: int, *, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Draw the box of a random resized crop: left, top, right, bottom in pixels, inside the image.

    Where ten draws fit none, it is the largest box in the middle whose aspect ratio is allowed.
    """
    for _ in range(10):
        area = width * height * rng.uniform(*_AREA)
        aspect = math.exp(rng.uniform(math.log(_ASPECT[0]), math.log(_ASPECT[1])))
        wide, high = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < wide <= width and 0 < high <= height:
            left, top = int(rng.integers(width - wide + 1)), int(rng.integers(height - high + 1))
            return left, top, left + wide, top + high
    wide, high = min(width, round(height * _ASPECT[1])), min(height, round(width / _ASPECT[0]))
    left, top = (width - wide) // 2, (height - high) // 2
    return left, top, left + max(1, wide), top + max(1, high)


def order_batches(rows: np.ndarray, *, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Shuffle rows for an epoch and cut them into batches.

    A last batch of a single row joins the one before it, since batch normalisation needs two.
    """
    shuffled = np.random.default_rng([seed, epoch, 1]).permutation(rows)
    batches = [shuffled[start : start + batch_size] for start in range(0, len(shuffled), batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches


class BatchSource(Protocol):
    """Where batches come from: of an epoch (augmented), or plain where the epoch is None."""

    def iterate(self, batches: list[np.ndarray], *, epoch: int | None) -> "Iterator[torch.Tensor]":
        """Give a tensor for each array of rows, in order."""
        ...


class ImageBatches:
    """Batches of images that threads decode and augment ahead of the network, in order.

    `workers` is their number: None takes one per core, 0 the calling thread alone.
    """

    def __init__(self, images: TrainingImages, *, workers: int | None) -> None:
        self.images = images
        self.workers = choose_workers() if workers is None else workers

    def iterate(self, batches: list[np.ndarray], *, epoch: int | None) -> "Iterator[torch.Tensor]":
        """Give a batch for each array of rows; about two more are under way."""

        def prepare(row: int) -> "torch.Tensor":
            return self.images.give_plain(row) if epoch is None else self.images.give_augmented(row, epoch)

        rows = [int(row) for batch in batches for row in batch]
        if self.workers == 0:
            yield from _stack(map(prepare, rows), batches)
            return
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="visclust-train")
        try:
            ahead = 2 * max((len(batch) for batch in batches), default=1)
            yield from _stack(map_ahead(pool, prepare, rows, ahead=ahead), batches)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class CachedBatches:
    """Batches of what the frozen layers gave for each image: of the plain image, then of augmented views.

    `activations` is float32 of shape (1 + views, n, …), as `cache_activations` gives it.
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


def _stack(images: Iterator[Any], batches: list[np.ndarray]) -> "Iterator[torch.Tensor]":
    import torch

    for batch in batches:
        yield torch.stack([next(images) for _ in batch])


def cache_activations(
    frozen: "torch.nn.Module", images: ImageBatches, *, views: int, batch_size: int, progress: bool
) -> "torch.Tensor":
    """Compute once what the frozen layers give for each image, and for augmented views of it.

    The result is on the CPU, float32 of shape (1 + views, n, …), the plain images first. A MemoryError says
    how large it is where it would take more than half of the memory at hand.
    """
    import torch

    n = len(images.images.files)
    device = next((each.device for each in frozen.parameters()), torch.device("cpu"))
    batches = [np.arange(start, min(start + batch_size, n)) for start in range(0, n, batch_size)]
    result: Any = torch.empty((1 + views, n))
    bar = WorkBar(
        total=n * (1 + views),
        desc="What the frozen layers give",
        unit="image",
        work=f"Computing once what the frozen layers give for {n * (1 + views):,} images",
        progress=progress,
    )
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
