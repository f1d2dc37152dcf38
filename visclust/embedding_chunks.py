"""Finished parts of a long embedding on disk, so that a killed run continues where it was."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from visclust.base.files import write_atomically
from visclust.base.provenance import digest_ids

__all__ = ["open_chunk_folder", "read_chunk", "write_chunk"]


def open_chunk_folder(cache: str | os.PathLike, settings: dict[str, Any]) -> Path:
    """Open the folder of the chunks that were made with exactly these settings.

    Parameters
    ----------
    cache : str or path
        Folder of all settings; each has its own folder in it.
    settings : dict
        Everything that the values depend on, besides the images; JSON must hold it.

    Returns
    -------
    pathlib.Path
        The folder, with the settings in ``settings.json``. Its name is their digest, so that chunks of
        other settings are never mixed in.

    Examples
    --------
    >>> import tempfile
    >>> cache = tempfile.mkdtemp()
    >>> open_chunk_folder(cache, {"batch": 1}) == open_chunk_folder(cache, {"batch": 2})
    False
    """
    text = json.dumps(settings, sort_keys=True, indent=2)
    folder = Path(cache) / hashlib.sha256(text.encode()).hexdigest()[:16]
    if not (folder / "settings.json").exists():
        write_atomically(folder / "settings.json", lambda file: file.write(text.encode()))
    return folder


def read_chunk(folder: Path, image_ids: list[str], dimension: int) -> np.ndarray | None:
    """Read the rows of these images if they are finished.

    Parameters
    ----------
    folder : pathlib.Path
        As `open_chunk_folder` gives it.
    image_ids : list of str
        The images of the chunk, in order.
    dimension : int
        Features per image.

    Returns
    -------
    ndarray, shape (n, dimension), float32, or None
        None where they are not finished, or where the file is damaged and must be made again.

    Examples
    --------
    >>> import tempfile
    >>> folder = open_chunk_folder(tempfile.mkdtemp(), {})
    >>> write_chunk(folder, ["a"], np.ones((1, 2), dtype=np.float32))
    >>> read_chunk(folder, ["a"], 2), read_chunk(folder, ["b"], 2)
    (array([[1., 1.]], dtype=float32), None)
    """
    path = _locate(folder, image_ids)
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    fits = rows.shape == (len(image_ids), dimension) and rows.dtype == np.float32
    return rows if fits else None


def write_chunk(folder: Path, image_ids: list[str], rows: np.ndarray) -> None:
    """Write the finished rows of these images in one step.

    Parameters
    ----------
    folder : pathlib.Path
        As `open_chunk_folder` gives it.
    image_ids : list of str
        The images of the chunk, in order.
    rows : ndarray, shape (n, d), float32
        Their features.

    Examples
    --------
    >>> import tempfile
    >>> folder = open_chunk_folder(tempfile.mkdtemp(), {})
    >>> write_chunk(folder, ["a"], np.ones((1, 2), dtype=np.float32))
    """
    write_atomically(_locate(folder, image_ids), lambda file: np.save(file, rows, allow_pickle=False))


def _locate(folder: Path, image_ids: list[str]) -> Path:
    # Named by the images, not by a number: after images are added, chunks before them are still found.
    return folder / f"{digest_ids(image_ids)}.npy"
