"""The last step of an encoder's image transform, in NumPy so that threads do not fight over the cores."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = ["PixelScaling", "speed_up_transform"]


class PixelScaling:
    """Turn a PIL image in RGB into a float32 tensor (3, height, width), each channel standardised.

    Torch would split work this small over all cores in each of the threads that decode images, and they
    would wait for each other; the values are the same to the last bit. In memory they stay as the image has
    them, channel by channel within each pixel, which is also how convolutions want them.

    Parameters
    ----------
    mean, std : sequence of float
        Of each channel, on the scale from 0 to 1.

    Examples
    --------
    >>> from PIL import Image
    >>> PixelScaling([0.5] * 3, [0.5] * 3)(Image.new("RGB", (1, 1), "white")).flatten().tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean = [float(value) for value in mean]
        self.std = [float(value) for value in std]

    def __call__(self, image: Any) -> "torch.Tensor":
        """Scale one image."""
        import torch

        width, height = image.size
        # Whole rows at a time: NumPy is slow along an axis of three.
        rows = np.asarray(image).reshape(height, width * 3).astype(np.float32)
        rows /= np.float32(255)
        rows -= np.tile(np.array(self.mean, dtype=np.float32), width)
        rows /= np.tile(np.array(self.std, dtype=np.float32), width)
        return torch.from_numpy(rows.reshape(height, width, 3)).permute(2, 0, 1)

    def __repr__(self) -> str:
        return f"PixelScaling(mean={self.mean}, std={self.std})"


def speed_up_transform(transform: Callable[..., "torch.Tensor"]) -> Callable[..., "torch.Tensor"]:
    """Put `PixelScaling` in the place of a transform's own conversion and standardisation.

    Parameters
    ----------
    transform : callable
        A transform from PIL image to tensor, of torchvision's weights or of timm.

    Returns
    -------
    callable
        A transform that gives the same tensors; the same object where it has other steps at its end.

    Examples
    --------
    >>> from torchvision import transforms
    >>> steps = [transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3)]
    >>> speed_up_transform(transforms.Compose(steps)).transforms
    [PixelScaling(mean=[0.5, 0.5, 0.5], std=[0.5, 0.5, 0.5])]
    """
    from timm.data.transforms import MaybeToTensor
    from torchvision import transforms
    from torchvision.transforms._presets import ImageClassification

    if isinstance(transform, ImageClassification):
        return transforms.Compose(
            [
                transforms.Resize(
                    transform.resize_size,
                    interpolation=transform.interpolation,
                    antialias=transform.antialias,
                ),
                transforms.CenterCrop(transform.crop_size),
                PixelScaling(transform.mean, transform.std),
            ]
        )
    steps = list(getattr(transform, "transforms", []))
    if len(steps) >= 2 and isinstance(steps[-1], transforms.Normalize):
        converts = isinstance(steps[-2], (MaybeToTensor, transforms.ToTensor))
        if converts and len(steps[-1].mean) == 3:
            return transforms.Compose([*steps[:-2], PixelScaling(steps[-1].mean, steps[-1].std)])
    return transform
