"""Encoders and pictures small enough to embed and train with in a moment, also in a process to be killed."""

import numpy as np
import torch
from PIL import Image

from visclust.embedding.encoders import Encoder


class MeanColours(torch.nn.Module):
    """Give each image's mean colours, so that rows can be checked by hand; counts the batches."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.batches = []

    def forward(self, batch):
        self.batches.append(len(batch))
        return batch.mean(dim=(2, 3)) * self.scale


def to_tensor(image):
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float()


def colour_encoder():
    source = {"encoder": "mean colours", "weights_digest": "none"}
    return Encoder("mean colours", MeanColours(), to_tensor, 3, 2, source)


def tiny_encoder():
    """Give a network of two convolutions for images of 8 x 8 pixels; its weights are always the same."""
    from torchvision import transforms

    from visclust.embedding.networks import PixelScaling

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3, padding=1, bias=False),
            torch.nn.BatchNorm2d(4),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.2),
            torch.nn.Conv2d(4, 6, 3),
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(1),
        )
    steps = [transforms.Resize(10), transforms.CenterCrop(8), PixelScaling([0.5] * 3, [0.25] * 3)]
    source = {
        "encoder": "tiny",
        "weights": "seed 3",
        "weights_digest": "none",
        "training": {},
        "dimension": 6,
        "transform": "",
    }
    return Encoder("tiny", layers.eval(), transforms.Compose(steps), 6, 10, source)


def paint(rng, red, *, side=48):
    """Paint smooth shapes at random, reddish or bluish, so that no two are near copies."""
    coarse = Image.fromarray(rng.integers(0, 150, (6, 6, 3), dtype=np.uint8))
    pixels = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC)).copy()
    pixels[..., 0 if red else 2] = np.clip(pixels[..., 0 if red else 2].astype(int) + 100, 0, 255)
    return Image.fromarray(pixels)
