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
import PIL.features
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from visclust.base.damage import read_parquet, read_schema
from visclust.base.files import check_writable, write_atomically
from visclust.base.freshness import PROVENANCE_KEY
from visclust.base.machine import choose_workers
from visclust.base.progress import WorkBar
from visclust.base.provenance import digest_file, note_run, recorded
from visclust.base.tables import check_used
from visclust.images.index import locate_images
from visclust.images.reading import UnreadableImageError, read_image

# The hash looks at 32 x 32 pixels; JPEGs of photographs may be decoded smaller as long as this much is left.
_MIN_SIDE = 256
# Gray levels between the darkest and the lightest of those pixels, below which there is nothing to compare:
# the hash of a plain black and that of a plain white image are the same 64 bits.
_FLAT_RANGE = 8
_CACHE_KEY = b"visclust_hashes"
# Raised when the way from a file to its hash changes, so that hashes of an older one are made again.
_ALGORITHM = 1


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
    check_used(images, "images", ["image_id", "path", "status"])
    usable = images.loc[images["status"].eq("ok"), ["image_id"]].drop_duplicates()
    if cache is not None:
        check_writable(cache)
    known = _read_cache(cache)
    todo = usable.loc[~usable["image_id"].isin(known["image_id"]), "image_id"]
    paths = locate_images(images, todo, folder=images_folder) if len(todo) else {}
    with ThreadPoolExecutor(choose_workers()) as pool:
        made = list(
            WorkBar(
                pool.map(_hash_file, paths.keys(), paths.values()),
                total=len(todo),
                desc="Hashing",
                unit="image",
                work=f"Hashing {len(todo):,} images",
                progress=progress,
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
    return {
        "algorithm": _ALGORITHM,
        "hash": "phash",
        "bits": 64,
        "min_side": _MIN_SIDE,
        "flat_range": _FLAT_RANGE,
        **describe_decoding(),
        # The transform is SciPy's, the median NumPy's.
        **{name: metadata.version(name) for name in ("imagehash", "scipy", "numpy")},
    }


def describe_decoding() -> dict[str, Any]:
    """Say which versions turn the bytes of a file into pixels: Pillow may use the system's libjpeg."""
    return {"pillow": metadata.version("pillow"), "libjpeg": PIL.features.version("jpg")}


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
    path = Path(cache)
    try:
        metadata = read_schema(path, advice=advice).metadata or {}
        if _CACHE_KEY not in metadata:
            raise OtherFileError(f"Expected hashes in {cache}, but that file holds something else. {advice}")
        if not is_record_of(metadata[_CACHE_KEY], describe_hashes()):
            return nothing
        found = read_parquet(path, advice=advice)
        if found.columns.tolist() != nothing.columns.tolist() or found["image_id"].duplicated().any():
            raise ValueError("other columns or rows than hashes have")
        return found
    except OtherFileError:
        raise
    except ValueError as error:
        if not is_cut_parquet(path):
            raise ValueError(
                f"Expected a Parquet file of hashes at {cache}, but it is none. {advice}"
            ) from error
        print(f"{path} is damaged: the images are hashed again, and the file is written anew.")
        return nothing


class OtherFileError(ValueError):
    """A file with the name of a cache that holds something else, which nobody wants overwritten."""


def is_record_of(found: bytes, wanted: dict[str, Any]) -> bool:
    """Tell whether the record in a cache says that it was made by what would make it now."""
    try:
        return json.loads(found) == wanted
    except ValueError:
        return False


def is_cut_parquet(path: Path) -> bool:
    """Tell whether a file that cannot be read began as Parquet, or is empty: it is nobody's other file."""
    with path.open("rb") as file:
        return file.read(4) in (b"", b"PAR1")


def _write_cache(cache: str | os.PathLike, hashes: pd.DataFrame) -> None:
    arrow = pa.Table.from_pandas(hashes, preserve_index=False)
    record = {
        _CACHE_KEY: json.dumps(describe_hashes()).encode(),
        PROVENANCE_KEY: json.dumps(note_run()).encode(),  # of the run that completed it
    }
    arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), **record})
    write_atomically(cache, lambda file: pq.write_table(arrow, file, write_page_checksum=True))
