"""Perceptual hashes of images: 64 bits that change little when an image is saved anew or made smaller."""

import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from tqdm.auto import tqdm

from visclust.base.files import write_atomically
from visclust.base.freshness import PROVENANCE_KEY
from visclust.base.machine import choose_workers
from visclust.base.provenance import digest_file, note_run, recorded
from visclust.base.tables import check_table
from visclust.images.index import locate_images
from visclust.images.reading import UnreadableImageError, read_image

# The hash looks at 32 x 32 pixels; JPEGs of photographs may be decoded smaller as long as this much is left.
_MIN_SIDE = 256
# Gray levels between the darkest and the lightest of those pixels, below which there is nothing to compare:
# the hash of a plain black and that of a plain white image are the same 64 bits.
_FLAT_RANGE = 8
_CACHE_KEY = b"visclust_hashes"


@recorded
def hash_images(
    images: pd.DataFrame,
    *,
    cache: str | os.PathLike | None = None,
    images_folder: str | os.PathLike | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Hash each unique image by its lowest frequencies (pHash of the imagehash package, 64 bits).

    Parameters
    ----------
    images : DataFrame
        The images table. The files of its rows with status "ok" are read, in threads.
    cache : str or path, optional
        A Parquet file of hashes made before, by image id: only what is missing is hashed, and the file is
        written anew. Hashes of another version of imagehash or Pillow are not used.
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.
    progress : bool, default True
        Show a progress bar.

    Returns
    -------
    DataFrame
        ``image_id, hash`` (16 hexadecimal digits; missing where there is none), ``status`` ("ok";
        "flat": one colour all over, so that there is nothing to compare; "unreadable") and ``reason``, a
        row per row of `images` with status "ok".

    Raises
    ------
    ValueError
        If it is no images table, or `cache` is some other file.
    FileNotFoundError
        If none of the files to be read is there; a warning counts them where some are.

    Source
    ------
    Zauner (2010), Implementation and benchmarking of perceptual image hash functions, section 3.2 (the hash
    by the discrete cosine transform), as the imagehash package computes it.

    Examples
    --------
    >>> import tempfile
    >>> from visclust.images.index import index_images
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.linear_gradient("L").save(folder / "gradient.png")
    >>> Image.new("RGB", (40, 30), "red").save(folder / "red.png")
    >>> hashes = hash_images(index_images(folder, progress=False), progress=False)
    >>> hashes["status"].tolist(), hashes["hash"].dropna().tolist()
    (['ok', 'flat'], ['8000800080008000'])
    """
    check_table(images, "images")
    usable = images.loc[images["status"].eq("ok"), ["image_id"]].drop_duplicates()
    known = _read_cache(cache)
    todo = usable.loc[~usable["image_id"].isin(known["image_id"]), "image_id"]
    paths = locate_images(images, todo, folder=images_folder) if len(todo) else {}
    with ThreadPoolExecutor(choose_workers()) as pool:
        made = list(
            tqdm(
                pool.map(_hash_file, paths.keys(), paths.values()),
                total=len(todo),
                desc="Hashing",
                unit="image",
                disable=not progress or todo.empty,
            )
        )
    fresh = pd.DataFrame(made, columns=["image_id", "hash", "status", "reason"])
    # Without empty tables, whose columns would turn text into objects.
    found = pd.concat([table for table in (known, fresh) if len(table)] or [fresh], ignore_index=True)
    if cache is not None and len(fresh):
        # A file that cannot be read today may be readable tomorrow.
        _write_cache(cache, found.loc[found["status"].ne("unreadable")])
    return usable.merge(found, on="image_id", how="left")


def pack_hashes(hashes: Iterable[str]) -> np.ndarray:
    """Turn hashes of 16 hexadecimal digits into uint64, (n,), whose bits can be compared at once."""
    return np.array([int(each, 16) for each in hashes], dtype=np.uint64)


def describe_hashes() -> dict[str, Any]:
    """Say what the hashes depend on besides the files: hashes of other settings are not comparable."""
    versions = {name: metadata.version(name) for name in ("imagehash", "pillow")}
    return {"hash": "phash", "bits": 64, "min_side": _MIN_SIDE, "flat_range": _FLAT_RANGE, **versions}


def _hash_file(image_id: str, path: str) -> tuple[str, str | None, str, str]:
    """Give one row of the table of hashes, after checking that the file is still the image of this id."""
    # imagehash brings SciPy's transforms with it, which importing the package should not wait for.
    import imagehash

    try:
        if not digest_file(path).startswith(image_id):
            return image_id, None, "unreadable", "changed since the images table was made"
        gray = read_image(path, min_side=_MIN_SIDE).convert("L")
    except OSError as error:
        return image_id, None, "unreadable", f"cannot be opened: {error.strerror}"
    except UnreadableImageError as error:
        return image_id, None, "unreadable", str(error)
    small = np.asarray(gray.resize((32, 32), Image.Resampling.LANCZOS))
    if int(small.max()) - int(small.min()) < _FLAT_RANGE:
        return image_id, None, "flat", "one colour all over: nothing to compare"
    return image_id, str(imagehash.phash(gray)), "ok", ""


def _read_cache(cache: str | os.PathLike | None) -> pd.DataFrame:
    """Read hashes made before; none where there are none, or where they were made by other versions."""
    nothing = pd.DataFrame(columns=["image_id", "hash", "status", "reason"])
    if cache is None or not Path(cache).exists():
        return nothing
    advice = "Name another file, or remove this one."
    try:
        record = (pq.read_schema(Path(cache)).metadata or {}).get(_CACHE_KEY)
    except pa.ArrowInvalid as error:
        raise ValueError(f"Expected a Parquet file of hashes at {cache}, but it is none. {advice}") from error
    if record is None:
        raise ValueError(f"Expected hashes in {cache}, but that file holds something else. {advice}")
    return pd.read_parquet(cache) if json.loads(record) == describe_hashes() else nothing


def _write_cache(cache: str | os.PathLike, hashes: pd.DataFrame) -> None:
    arrow = pa.Table.from_pandas(hashes, preserve_index=False)
    record = {
        _CACHE_KEY: json.dumps(describe_hashes()).encode(),
        PROVENANCE_KEY: json.dumps(note_run()).encode(),  # of the run that completed it
    }
    arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), **record})
    write_atomically(cache, lambda file: pq.write_table(arrow, file))
