"""Files of a sharded corpus: written whole, the same bytes from the same content, known by their digests.

A part has a record beside it, ``<part>.json``, which names its files with their digests and what it was made
from. A part whose record and digests hold is never made again; anything else is.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from visclust.base.damage import digest_bytes, read_json
from visclust.base.files import write_atomically, write_json

# Raised when the way from a shard to its part changes, so that parts of an older one are made again.
ALGORITHM = 1


class PartState(NamedTuple):
    """Whether a part is there, its record, and why it is not: "" where nothing lies in its place."""

    record: dict[str, Any]
    reason: str
    there: bool = False


def name_shard(number: int) -> str:
    """Name a shard's files: five digits or more, so that they sort as they are numbered."""
    return f"{number:05d}"


def write_file(path: Path, content: pd.DataFrame | np.ndarray) -> dict[str, Any]:
    """Write a table (Parquet) or an array (``.npy``) in one step, and describe the file for a record.

    No time and no record of a run goes in, so that the same content makes the same bytes whoever writes it.
    """
    if isinstance(content, np.ndarray):
        array = np.ascontiguousarray(content)
        write_atomically(path, lambda file: np.save(file, array, allow_pickle=False))
        return {**describe_file(path), "rows": len(array), "dtype": str(array.dtype)}
    table = content.copy(deep=False)
    table.attrs = {}  # where the record of a run lies, with the time at which it was made
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    write_atomically(path, lambda file: pq.write_table(arrow, file, write_page_checksum=True))
    return {**describe_file(path), "rows": len(table)}


def describe_file(path: Path) -> dict[str, Any]:
    """Give a file's name, bytes and digest as they are on the disk."""
    return {"file": path.name, "bytes": path.stat().st_size, "digest": digest_bytes(path)}


def is_intact(path: Path, described: Mapping[str, Any]) -> bool:
    """Tell whether a file is the one that a record or a manifest describes, to the last byte."""
    try:
        return path.stat().st_size == described["bytes"] and digest_bytes(path) == described["digest"]
    except OSError:
        return False


def write_part(
    folder: Path, number: int, files: Mapping[str, pd.DataFrame | np.ndarray], about: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the files of a part, and its record last: without one they do not count.

    `files` are contents by what stands behind the number of the shard, such as ``.npy``; `about` is what the
    part was made from and with.
    """
    name = name_shard(number)
    written = [write_file(folder / f"{name}{ending}", content) for ending, content in files.items()]
    record = {"shard": number, **about, "files": written}
    write_json(folder / f"{name}.json", record)
    return record


def find_part(folder: Path, number: int, inputs: Mapping[str, str]) -> PartState:
    """Find out whether a part lies there whole, made from these inputs (digests by name)."""
    about = folder / f"{name_shard(number)}.json"
    if not about.exists():
        left = any(folder.glob(f"{name_shard(number)}*")) if folder.is_dir() else False
        return PartState({}, "it was not finished" if left else "")
    try:
        record = read_json(about, "the record of a part")
        files = list(record["files"])
        same = record["inputs"] == dict(inputs) and record["algorithm"] == ALGORITHM
    except (ValueError, KeyError, TypeError):
        return PartState({}, "its record is damaged")
    if not same:
        return PartState(record, "it was made from something else")
    broken = [each["file"] for each in files if not is_intact(folder / each["file"], each)]
    if broken:
        return PartState(record, f"{broken[0]} is damaged or gone")
    return PartState(record, "", there=True)


def digest_record(record: Mapping[str, Any]) -> str:
    """Give one digest for the files of a part, for the records of what is made from it."""
    return " ".join(each["digest"][:32] for each in record["files"])


def to_text(settings: Mapping[str, Any]) -> str:
    """Write settings as text that is the same for the same settings."""
    return json.dumps(settings, sort_keys=True, ensure_ascii=False)
