"""Turn images into a matrix of features with a pretrained network, in chunks that survive a killed run."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import PIL.features

from visclust.base.checks import check_choice
from visclust.base.damage import read_checked_array
from visclust.base.files import check_writable, refuse_folder, write_checked_array, write_text
from visclust.base.machine import choose_batch_size, choose_workers, describe_torch_device
from visclust.base.progress import WorkBar
from visclust.base.provenance import digest_ids, digest_text, list_versions, note_run, recorded
from visclust.embedding.encoders import Encoder, EncoderChoice, load_for_use
from visclust.images.batches import ImageFile, iterate_batches, list_files

if TYPE_CHECKING:
    import torch


_BATCHES_PER_CHUNK = 16
# Raised when the way from a file to its features changes, so that chunks of an older one are not used.
_ALGORITHM = 1


class Embedding(NamedTuple):
    """Features ``x`` (n, d), the images of its rows in order, and the record of how they were made."""

    x: np.ndarray
    image_ids: list[str]
    provenance: dict[str, Any]


@recorded
def embed_images(
    images: pd.DataFrame,
    *,
    encoder: str | EncoderChoice | Encoder = "resnet18",
    weights: str | os.PathLike | None = None,
    batch_size: int | None = None,
    device: str = "auto",
    cache: str | os.PathLike | None = None,
    chunk_size: int | None = None,
    workers: int | None = None,
    fast_decoding: bool = True,
    images_folder: str | os.PathLike | None = None,
    progress: bool = True,
) -> Embedding:
    """Embed images: one row of features per unique readable image, from a pretrained network.

    Parameters
    ----------
    images : DataFrame
        The images table. Its rows with status "ok" are embedded, in their order.
    encoder : str, EncoderChoice or Encoder, default "resnet18"
        A name from `list_encoders` or of a timm model, what `choose_encoder` gave, or a loaded encoder.
    weights : str or path, optional
        A file of weights instead of the published ones, as in `load_encoder`.
    batch_size : int, optional
        Images that go through the network together; by default 32, or 8 where there is little memory (under
        3 GB, as on Binder). It moves the last bits of the features, and is recorded.
    device : {"auto", "cpu", "gpu"}, default "auto"
        Where the network runs; "gpu" without a GPU is an error, "auto" says once that there is none. A
        loaded encoder runs where it is, in evaluation mode whatever its mode.
    cache : str or path, optional
        Folder for finished chunks. A run that was killed continues from them, with the same bytes as if it
        had not been; chunks of other settings are never used. The folder may be deleted at any time.
    chunk_size : int, optional
        Images per chunk, a multiple of `batch_size`; by default 16 batches.
    workers : int, optional
        Threads that decode images; by default one per core, fewer where memory is short; 0 decodes in the
        calling thread. Beside a GPU they decode ahead, on a CPU in turns with the network, which is faster
        than both at once. The result does not depend on it.
    fast_decoding : bool, default True
        Decode large JPEGs at a half, quarter or eighth of their size, never below the side that the encoder
        resizes to. It takes about half the time for photographs of 1024 x 768 pixels; cosine similarities
        of .995 to .999 to the features from full decoding were measured there. Images whose shorter side is
        less than twice the encoder's (512 pixels for most) are the same either way.
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.
    progress : bool, default True
        Show a bar with images per second and the time left.

    Returns
    -------
    Embedding
        ``x`` (float32, n rows by d features), ``image_ids`` (list of n), ``provenance``.

    Raises
    ------
    ValueError
        If the table is not an images table or has no usable row, if a setting is wrong, or if a file has
        changed since the table was made.
    FileNotFoundError
        If image files are missing; says how many.
    WeightsUnreachableError
        If the encoder's weights are neither on this machine nor reachable.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson: each image is represented by the 512 values of the global
    average pool of a pretrained ResNet-18.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from visclust.images.index import index_images
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (40, 30), "red").save(folder / "red.png")
    >>> images = index_images(folder, progress=False)
    >>> embed_images(images, encoder="efficientnet_lite0", device="cpu", progress=False).x.shape
    (1, 1280)
    """
    check_choice("device", device, ("auto", "cpu", "gpu"))
    batch_size = choose_batch_size() if batch_size is None else batch_size
    chunk_size = _check_sizes(batch_size=batch_size, chunk_size=chunk_size, workers=workers)
    files = list_files(images, folder=images_folder)
    loaded, reason = load_for_use(encoder, weights=weights, device=device)
    target = next(loaded.module.parameters()).device
    image_ids = [file.image_id for file in files]
    min_side = loaded.min_side if fast_decoding else None
    settings = _describe_settings(loaded, batch_size=batch_size, min_side=min_side, device=target)
    folder = _open_chunk_folder(cache, settings) if cache is not None else None
    x = np.empty((len(files), loaded.dimension), dtype=np.float32)
    starts = range(0, len(files), chunk_size)
    finished = set() if folder is None else _read_finished(x, image_ids, starts, folder)
    todo = [start for start in starts if start not in finished]
    batches = iterate_batches(
        [file for start in todo for file in files[start : start + chunk_size]],
        batch_size=batch_size,
        transform=loaded.transform,
        min_side=min_side,
        workers=choose_workers() if workers is None else workers,
        overlap=target.type != "cpu",
    )
    done = sum(len(files[start : start + chunk_size]) for start in finished)
    with WorkBar(
        total=len(files),
        initial=done,
        desc=f"Embedding ({loaded.name})",
        unit="image",
        work=f"Embedding {len(files) - done:,} images",
        progress=progress,
    ) as bar:
        for start in todo:
            stop = min(start + chunk_size, len(files))
            for first in range(start, stop, batch_size):
                rows = _encode(loaded, next(batches), target)
                x[first : first + len(rows)] = rows
                bar.update(len(rows))
            _check_finite(x[start:stop], files[start:stop])
            if folder is not None:
                _write_chunk(folder, image_ids[start:stop], x[start:stop])
    note_run(
        parameters={
            **loaded.source,
            "encoder_reason": reason,
            "batch_size": batch_size,
            "settings": settings,
        },
        inputs={"images": digest_ids(image_ids)},
        device=describe_torch_device(target),
    )
    return Embedding(x, image_ids, {})


def _check_sizes(*, batch_size: int, chunk_size: int | None, workers: int | None) -> int:
    """Check the settings that are whole numbers, and give the chunk size."""
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"Expected a whole number of 1 or more as batch_size, got {batch_size!r}.")
    if workers is not None and (not isinstance(workers, int) or workers < 0):
        raise ValueError(f"Expected a whole number of 0 or more as workers, or None, got {workers!r}.")
    if chunk_size is None:
        return _BATCHES_PER_CHUNK * batch_size
    if not isinstance(chunk_size, int) or chunk_size < 1 or chunk_size % batch_size:
        raise ValueError(
            f"Expected a multiple of batch_size ({batch_size}) as chunk_size, so that batches end where "
            f"chunks do; got {chunk_size!r}."
        )
    return chunk_size


def _describe_settings(
    encoder: Encoder, *, batch_size: int, min_side: int | None, device: "torch.device"
) -> dict[str, Any]:
    """List what the values depend on besides the images, to the last bit."""
    import torch

    versions = list_versions()
    packages = ("visclust", "torch", "torchvision", "timm", "pillow")
    return {
        "algorithm": _ALGORITHM,
        "encoder": encoder.source,
        "jpeg_min_side": min_side,
        "batch_size": batch_size,
        "device": describe_torch_device(device),
        # Sums are split by threads and by instruction set, which moves the last bits.
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "versions": {
            **{name: versions[name] for name in packages if name in versions},
            "libjpeg": PIL.features.version("jpg"),  # that of the system where Pillow brings none
        },
    }


def _read_finished(x: np.ndarray, image_ids: list[str], starts: range, folder: Path) -> set[int]:
    """Copy finished chunks into their rows of `x` (n, d), and give where they start."""
    finished = set()
    for start in starts:
        rows = _read_chunk(folder, image_ids[start : start + starts.step], x.shape[1])
        if rows is not None:
            x[start : start + len(rows)] = rows
            finished.add(start)
    return finished


def _encode(encoder: Encoder, batch: "torch.Tensor", device: "torch.device") -> np.ndarray:
    import torch

    # On a GPU the same input must take the same algorithm each time, or a resumed run would differ.
    repeatable = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
    with torch.inference_mode(), repeatable, _in_evaluation(encoder.module):
        features = encoder.module(batch.to(device, memory_format=torch.channels_last))
        return features.to(dtype=torch.float32, device="cpu").numpy()


@contextmanager
def _in_evaluation(module: "torch.nn.Module") -> Iterator[None]:
    """Put a network in evaluation mode, and each part of it back: it may be in the middle of training."""
    training = [each for each in module.modules() if each.training]
    module.eval()
    try:
        yield
    finally:
        for each in training:
            each.training = True


def _check_finite(rows: np.ndarray, files: list[ImageFile]) -> None:
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise ValueError(
            f"Expected finite features, but the encoder gave others for {len(bad)} images; the first is "
            f"{files[bad[0]].path}. The weights are probably damaged, or their training diverged."
        )


def _open_chunk_folder(cache: str | os.PathLike, settings: dict[str, Any]) -> Path:
    """Open the folder of the chunks that were made with exactly these settings.

    Its name is the settings' digest, so that chunks of other settings are never mixed in; ``settings.json``
    in it says what they were.
    """
    text = json.dumps(settings, sort_keys=True, indent=2)
    folder = Path(cache) / digest_text(text)
    check_writable(folder)
    about = folder / "settings.json"
    refuse_folder(about)
    try:
        known = about.read_bytes() == text.encode()
    except OSError:
        known = False
    if not known:
        write_text(about, text)
    return folder


def _read_chunk(folder: Path, image_ids: list[str], dimension: int) -> np.ndarray | None:
    """Read the rows of these images; None where they are not finished, or damaged and to be made again."""
    rows = read_checked_array(_locate_chunk(folder, image_ids))
    fits = rows is not None and rows.shape == (len(image_ids), dimension) and rows.dtype == np.float32
    return rows if fits else None


def _write_chunk(folder: Path, image_ids: list[str], rows: np.ndarray) -> None:
    """Write the finished rows of these images in one step, and behind them their digest."""
    write_checked_array(_locate_chunk(folder, image_ids), rows)


def _locate_chunk(folder: Path, image_ids: list[str]) -> Path:
    # Named by the images, not by a number: after images are added, chunks before them are still found.
    return folder / f"{digest_ids(image_ids)}.npy"
