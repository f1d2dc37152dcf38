"""Files of posts: which format one has, which column holds what, and how a post is made of each line."""

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from visclust.corpus.post_cells import (
    find_hashtags,
    list_hashtags,
    list_media,
    read_count,
    read_id,
    read_text,
    read_time,
    read_truth,
)
from visclust.corpus.post_rows import Malformed, MalformedPostError, PostRow
from visclust.corpus.tweets import read_tweets
from visclust.images.addresses import is_image_address

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

# As 4CAT exports its datasets of Twitter and X; it has neither followers nor friends.
_FOURCAT_COLUMNS = {
    "post_id": "id",
    "author": "author",
    "posted_at": "timestamp",
    "text": "body",
    "hashtags": "hashtags",
    "retweets": "retweet_count",
    "favourites": "like_count",
    "media": "images",
    "is_retweet": "is_retweet",
}
# The columns by which a CSV file of 4CAT is known.
_FOURCAT_MARKS = {"id", "thread_id", "timestamp", "body", "author"}
_COUNTS = ("retweets", "favourites", "followers", "friends")

_START = 100  # characters of a malformed line that are shown
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

    "auto" tells the format from the ending and, for CSV, from the header. An unknown ending, a missing
    column, a start that cannot be read, and a file that is one JSON list raise ValueError.
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
    return Source(path, format, _match_columns(names, format=format, columns=columns, file=path.name))


def read_rows(source: Source, *, time_format: str | None = None) -> Iterator[PostRow | Malformed]:
    """Read a file post by post, in its order; what cannot be read comes as `Malformed`, with its line.

    Where the file breaks off, that is the last that comes.
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
                yield _make_row(row, columns=source.columns, format=source.format, time_format=time_format)
            except MalformedPostError as error:
                yield Malformed(line, str(error), str(list(row.values()))[1:-1][:_START])
    except _DAMAGE as error:
        yield Malformed(line + 1, f"the file breaks off or is damaged from here on: {error}", "")


def _open(path: Path) -> IO[bytes]:
    """Open a file, packed or not."""
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def _refuse_list(path: Path) -> None:
    """Refuse a file that is one JSON list: it would have to be read as a whole."""
    with _open(path) as file:
        start = file.read(256)
    if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        raise ValueError(
            f"Expected one JSON object per line in {path.name}, but it is one JSON list. Put each item on a "
            f"line of its own, for instance with: jq -c '.[]' {path.name}"
        )


def _read_json(path: Path) -> Iterator[tuple[int, Any]]:
    """Give each line with its number, parsed."""
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
    """Give the names of a table's columns."""
    if format == "parquet":
        return list(pq.read_schema(path).names)
    with _open(path) as raw, TextIOWrapper(raw, "utf-8-sig", "surrogateescape", newline="") as file:
        reader = csv.reader(file, delimiter=_find_delimiter(file.readline()), strict=True)
        file.seek(0)
        return next(reader, [])


def _find_delimiter(header: str) -> str:
    """Say what parts the cells: of comma, semicolon and tab the one that the header has most of."""
    return max(",;\t", key=header.count)


def _read_csv(source: Source) -> Iterator[tuple[int, dict[str, Any] | Malformed]]:
    """Give each row of a CSV file with the line on which it begins, cells by the file's names."""
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
    """Give the start of a malformed row, with a mark for each byte that is no text."""
    return _STRAY_BYTES.sub("\ufffd", text[:_START])


def _read_batches(source: Source) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give each row of a Parquet file with its number, cells by the file's names."""
    line = 0
    with pq.ParquetFile(source.path) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=list(dict.fromkeys(source.columns.values()))):
            for row in batch.to_pylist():
                line += 1
                yield line, row


def _match_columns(
    names: Sequence[str], *, format: str, columns: dict[str, str] | None, file: str
) -> dict[str, str]:
    """Give the file's name of each of our columns that it has; `columns` goes before the names of the format.

    ValueError says if a name is not one of ours, a column that was named is not there, one comes twice, or
    none holds the post ids.
    """
    has = f"The columns of {file} are {', '.join(map(str, names)) or 'none'}."
    columns = columns or {}
    if unknown := [name for name in columns if name not in PostRow._fields]:
        raise ValueError(
            f"Expected names of ours as the keys of columns=, got {', '.join(unknown)}. Ours are "
            f"{', '.join(PostRow._fields)}. Write columns={{'post_id': 'its name in the file'}}."
        )
    if absent := [name for name in columns.values() if name not in names]:
        raise ValueError(f"There is no column {', '.join(map(repr, absent))}, which columns= names. {has}")
    known = _FOURCAT_COLUMNS if format == "4cat" else {name: name for name in PostRow._fields}
    found = {ours: theirs for ours, theirs in {**known, **columns}.items() if theirs in names}
    if "post_id" not in found:
        raise ValueError(
            f"No column of {file} is known to hold the post ids. {has} "
            "Say which it is: columns={'post_id': 'its name in the file'}."
        )
    if twice := [name for name in found.values() if list(names).count(name) > 1]:
        raise ValueError(f"The column {twice[0]!r} comes twice in {file}: give one of them another name.")
    if format == "4cat" and "videos" in names:
        found["videos"] = "videos"
    return found


def _make_row(
    row: dict[str, Any], *, columns: dict[str, str], format: str, time_format: str | None = None
) -> PostRow:
    """Make a post of a row (cells by the file's names); the text gives the hashtags where no column does."""
    cells = {ours: row[theirs] for ours, theirs in columns.items()}
    text = read_text(cells.get("text"))
    commas = format == "4cat"
    media = list_media(cells.get("media"), commas=commas)
    # 4CAT names the film of a video, or its thumbnail, by where the dataset comes from; only pictures count.
    media += [name for name in list_media(cells.get("videos"), commas=True) if is_image_address(name)]
    counts = {name: read_count(cells.get(name), name) for name in _COUNTS}
    return PostRow(
        post_id=read_id(cells["post_id"]),
        author=read_text(cells.get("author")),
        posted_at=read_time(cells.get("posted_at"), form=time_format),
        text=text,
        hashtags=list_hashtags(cells["hashtags"]) if "hashtags" in cells else find_hashtags(text),
        media=list(dict.fromkeys(media)),
        is_retweet=read_truth(cells.get("is_retweet")),
        **counts,
    )
