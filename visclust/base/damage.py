"""Read files that may be damaged, and say in words which one is, and what to do."""

import contextlib
import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

# What libraries raise on bytes that are not what they expect; a damaged size of an array asks for all memory.
_DAMAGE = (
    ValueError,
    OSError,
    EOFError,
    LookupError,
    TypeError,
    RecursionError,
    MemoryError,
    pa.ArrowException,
    zipfile.BadZipFile,
    zlib.error,
)

_AGAIN = "Make the file again, by the notebook that writes it."


@contextlib.contextmanager
def explain_damage(path: str | os.PathLike, what: str, advice: str = _AGAIN) -> Iterator[None]:
    """Turn what a library raises while it reads a file into one error that names it and says what to do.

    `what` is what was expected there, such as "a Parquet file". A file that is not there stays
    a FileNotFoundError.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(f"Expected {what} at {path}, but a folder is there. Move it away.")
        yield
    except (FileNotFoundError, IsADirectoryError):
        raise
    except PermissionError as error:
        raise PermissionError(
            f"Expected to read {path}, but this user may not. Change the rights of the file."
        ) from error
    except _DAMAGE as error:
        raise ValueError(_describe_damage(path, what, error, advice)) from error


def _describe_damage(path: Path, what: str, error: BaseException, advice: str) -> str:
    with contextlib.suppress(OSError):
        if not path.stat().st_size:
            return f"Expected {what} at {path}, but the file is empty. {advice}"
    said = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    return f"Expected {what} at {path}, but it is cut off, damaged or something else ({said}). {advice}"


def read_parquet(
    path: str | os.PathLike, *, columns: Sequence[str] | None = None, advice: str = _AGAIN
) -> pd.DataFrame:
    """Read a Parquet file with its checksums."""
    with explain_damage(path, "a Parquet file", advice):
        chosen = None if columns is None else list(columns)
        return pd.read_parquet(Path(path), columns=chosen, page_checksum_verification=True)


def read_arrow(path: str | os.PathLike, *, advice: str = _AGAIN) -> pa.Table:
    """Read a Parquet file with its checksums as a table of Arrow."""
    with explain_damage(path, "a Parquet file", advice):
        return pq.read_table(path, page_checksum_verification=True)


def read_schema(path: str | os.PathLike, *, advice: str = _AGAIN) -> pa.Schema:
    """Read which columns a Parquet file has, and its record."""
    with explain_damage(path, "a Parquet file", advice):
        return pq.read_schema(Path(path))


def read_json(path: str | os.PathLike, what: str = "a JSON file", advice: str = _AGAIN) -> Any:
    """Read a file of JSON."""
    with explain_damage(path, what, advice):
        return json.loads(Path(path).read_text(encoding="utf-8"))


def read_matrix(path: str | os.PathLike, *, mmap: bool = False, advice: str = _AGAIN) -> np.ndarray:
    """Read an array of NumPy, never a pickle."""
    with explain_damage(path, "a matrix in NumPy's format", advice):
        x = np.load(Path(path), allow_pickle=False, mmap_mode="r" if mmap else None)
        if not isinstance(x, np.ndarray):
            raise ValueError("an archive of several arrays")
        return x


def digest_bytes(path: Path) -> str:
    """Digest a file's bytes to 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
