"""Images for training: decoded once where memory allows, and cropped and flipped at random for each epoch."""

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from visclust.base.machine import memory_at_hand
from visclust.embedding.encoders import Encoder
from visclust.embedding.networks import PixelScaling
from visclust.images.batches import ImageFile, read_unchanged

if TYPE_CHECKING:
    import torch

__all__ = ["TrainingImages", "draw_crop"]

_AREA = (0.08, 1.0)
_ASPECT = (3 / 4, 4 / 3)


class TrainingImages:
    """Give images as tensors: as the encoder has them, or with the augmentation usual for ImageNet.

    Augmented: a crop of 8 to 100% of the area and of an aspect ratio from 3:4 to 4:3, resized to the
    encoder's size, and flipped left to right with probability one half; then the encoder's own mean and
    standard deviation. What is drawn depends on seed, epoch and image alone, so that neither the number of
    threads nor an interruption changes it.

    Parameters
    ----------
    files : sequence of ImageFile
        The images.
    encoder : Encoder
        Gives size, interpolation, mean and standard deviation.
    image_size : int or None
        Side in pixels; None takes the encoder's.
    seed : int
        Of the augmentation.

    Raises
    ------
    ValueError
        If the encoder's transform does not end in the standardisation of pixels.

    Source
    ------
    The crop is the random resized crop of Szegedy et al. (2015), Going Deeper with Convolutions, as
    torchvision has it.

    Examples
    --------
    >>> from visclust.embedding.encoders import load_encoder
    >>> TrainingImages([], load_encoder("efficientnet_lite0"), image_size=None, seed=0).size
    224
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
        box = draw_crop(*image.size, rng=rng)
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


def draw_crop(width: int, height: int, *, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Draw the box of a random resized crop.

    Parameters
    ----------
    width, height : int, pixels
        Of the image.
    rng : numpy.random.Generator
        Gives the draws.

    Returns
    -------
    tuple of float
        Left, top, right, bottom; inside the image. Where ten draws fit none, the largest box in the middle
        whose aspect ratio is allowed.

    Examples
    --------
    >>> left, top, right, bottom = draw_crop(40, 30, rng=np.random.default_rng(0))
    >>> 0 <= left < right <= 40 and 0 <= top < bottom <= 30
    True
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
