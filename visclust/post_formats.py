"""The formats of files of posts: which one a file has, and what makes a post of each of its lines."""

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from visclust.post_columns import make_row, match_columns
from visclust.post_rows import Malformed, MalformedPostError, PostRow
from visclust.post_tweets import read_tweets

__all__ = ["ENDINGS", "FORMATS", "Source", "find_source", "read_rows"]

FORMATS = ("twarc2", "4cat", "csv", "parquet")
ENDINGS = {
    ".jsonl": "twarc2",
    ".ndjson": "twarc2",
    ".json": "twarc2",
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".parquet": "parquet",
}
# The columns by which a CSV file of 4CAT is known.
_FOURCAT_MARKS = {"id", "thread_id", "timestamp", "body", "author"}
_START = 100
_BATCH_ROWS = 5_000
_DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, pa.ArrowInvalid)
# Bytes that are no UTF-8 become these, so that the rows around them can still be read.
_STRAY_BYTES = re.compile("[\udc80-\udcff]")


class Source(NamedTuple):
    """A file of posts: its format, and for tables the file's name of each of our columns."""

    path: Path
    format: str
    columns: dict[str, str]


def find_source(path: Path, *, format: str, columns: dict[str, str] | None) -> Source:
    """Say which format a file has and, for a table, which of its columns holds what.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    format : str
        One of `FORMATS`, or "auto" to tell it from the ending and, for CSV, from the header.
    columns : dict, optional
        The file's name of a column, by ours.

    Returns
    -------
    Source
        What `read_rows` needs.

    Raises
    ------
    ValueError
        If the ending is unknown, a column is missing, or the file is one JSON list.
    """
    if format == "auto":
        inner = path.with_suffix("") if path.suffix.lower() == ".gz" else path
        format = ENDINGS.get(inner.suffix.lower(), "")
        if not format:
            raise ValueError(
                f"Expected a file of posts ending in {', '.join(ENDINGS)} (and .gz or not), got {path.name}. "
                f"Say what it is with format=, one of {', '.join(FORMATS)}."
            )
    try:
        if format == "twarc2":
            _refuse_list(path)
            return Source(path, format, {})
        names = _read_names(path, format)
    except (*_DAMAGE, csv.Error) as error:
        raise ValueError(
            f"Expected {path.name} as {format}, but its start cannot be read: {error}."
        ) from error
    if format == "csv" and not columns and set(names) >= _FOURCAT_MARKS:
        format = "4cat"
    return Source(path, format, match_columns(names, format=format, columns=columns, file=path.name))


def read_rows(source: Source, *, time_format: str | None = None) -> Iterator[PostRow | Malformed]:
    """Read a file post by post; what cannot be read comes as `Malformed`, with its line.

    Parameters
    ----------
    source : Source
        From `find_source`.
    time_format : str, optional
        The `strptime` form of times, for tables.

    Yields
    ------
    PostRow or Malformed
        In the order of the file. The last is Malformed where the file breaks off.
    """
    line = 0
    try:
        if source.format == "twarc2":
            for line, item in _read_json(source.path):
                if isinstance(item, Malformed):
                    yield item
                else:
                    yield from read_tweets(item, line=line)
            return
        cells = _read_batches(source) if source.format == "parquet" else _read_csv(source)
        for line, row in cells:
            if isinstance(row, Malformed):
                yield row
                continue
            try:
                yield make_row(row, columns=source.columns, format=source.format, time_format=time_format)
            except MalformedPostError as error:
                yield Malformed(line, str(error), str(list(row.values()))[1:-1][:_START])
    except _DAMAGE as error:
        yield Malformed(line + 1, f"the file breaks off or is damaged from here on: {error}", "")


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def _refuse_list(path: Path) -> None:
    with _open(path) as file:
        start = file.read(256)
    if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        raise ValueError(
            f"Expected one JSON object per line in {path.name}, but it is one JSON list. Put each item on a "
            f"line of its own, for instance with: jq -c '.[]' {path.name}"
        )


def _read_json(path: Path) -> Iterator[tuple[int, Any]]:
    with _open(path) as file:
        for line, raw in enumerate(file, 1):
            if not raw.strip():
                continue
            try:
                yield line, json.loads(raw.decode("utf-8-sig" if line == 1 else "utf-8"))
            except UnicodeDecodeError as error:
                reason = f"not UTF-8: byte {error.start} is {raw[error.start]:#04x}"
                yield line, Malformed(line, reason, raw[:_START].decode("utf-8", "replace"))
            except (ValueError, RecursionError) as error:
                reason = f"not JSON: {error}"
                yield line, Malformed(line, reason, raw[:_START].decode("utf-8", "replace").rstrip("\r\n"))


def _read_names(path: Path, format: str) -> list[str]:
    if format == "parquet":
        return list(pq.read_schema(path).names)
    with _open(path) as raw, TextIOWrapper(raw, "utf-8-sig", "surrogateescape", newline="") as file:
        reader = csv.reader(file, delimiter=_find_delimiter(file.readline()), strict=True)
        file.seek(0)
        return next(reader, [])


def _find_delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _read_csv(source: Source) -> Iterator[tuple[int, dict[str, Any] | Malformed]]:
    with _open(source.path) as raw, TextIOWrapper(raw, "utf-8-sig", "surrogateescape", newline="") as file:
        delimiter = _find_delimiter(file.readline())
        file.seek(0)
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        names = next(reader, [])
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                reason = f"not CSV: {error} (lines {line} to {reader.line_num})"
                yield line, Malformed(line, reason, "")
                continue
            if not cells:
                continue
            whole = delimiter.join(cells)
            if len(cells) != len(names):
                reason = f"{len(cells)} cells where the header has {len(names)}"
                yield line, Malformed(line, reason, _show(whole))
            elif _STRAY_BYTES.search(whole):
                yield line, Malformed(line, "not UTF-8; save the file as UTF-8", _show(whole))
            else:
                yield line, dict(zip(names, cells, strict=True))


def _show(text: str) -> str:
    return _STRAY_BYTES.sub("\ufffd", text[:_START])


def _read_batches(source: Source) -> Iterator[tuple[int, dict[str, Any]]]:
    line = 0
    with pq.ParquetFile(source.path) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=list(dict.fromkeys(source.columns.values()))):
            for row in batch.to_pylist():
                line += 1
                yield line, row
