"""Files of posts: which format one has, which column holds what, and how a post is made of each line."""

import bz2
import csv
import gzip
import json
import lzma
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, tzinfo
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from visclust.base.cells import find_encoding, fold_header, is_missing_word, split_rows, unwrap_cell
from visclust.corpus.post_cells import (
    Notes,
    find_hashtags,
    list_hashtags,
    list_media,
    read_author,
    read_count,
    read_id,
    read_text,
    read_time,
    read_truth,
)
from visclust.corpus.post_columns import (
    MISSING_FIELDS,
    ColumnMap,
    is_fourcat,
    is_fourcat_twitter,
    match_columns,
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
PACKINGS = (".gz", ".bz2", ".xz", ".lzma", ".zst")

_COUNTS = ("retweets", "favourites", "followers", "friends")

_START = 100  # characters of a malformed line that are shown
_BATCH_ROWS = 5_000
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, OSError, pa.ArrowInvalid, UnicodeError)
# Bytes that are no UTF-8 become these, so that the rows around them can still be read.
_STRAY_BYTES = re.compile("[\udc80-\udcff]")
# How the rows begin that programs put under a table, in the languages of common spreadsheets.
_FOOTERS = {
    "total", "totals", "grandtotal", "subtotal", "sum", "count", "mean", "average", "median", "gesamt",
    "gesamtergebnis", "summe", "mittelwert", "anzahl", "somme", "moyenne", "totalgeneral", "suma", "promedio",
    "totale", "somma", "media", "totaal", "totalt", "razem", "итого", "всего", "合計", "总计", "toplam",
}  # fmt: skip


class Source(NamedTuple):
    """A file of posts: its format, and for tables which of its columns holds what."""

    path: Path
    format: str
    columns: ColumnMap


_NO_COLUMNS = ColumnMap({}, {}, [])


def tell_format(path: Path) -> str:
    """Tell the format of a file by its ending, whatever its case and packing; "" where it is not known."""
    name = path.name.lower()
    for packing in PACKINGS:
        name = name.removesuffix(packing)
    return ENDINGS.get(Path(name).suffix, "")


def find_source(path: Path, *, format: str, columns: Mapping[str, str | None] | None) -> Source:
    """Say which format a file has and, for a table, which of its columns holds what.

    "auto" tells the format from the ending and, for CSV, from the header. An unknown ending, a missing
    column, a start that cannot be read, and a file that is one JSON list raise ValueError.
    """
    if format == "auto":
        format = tell_format(path) or ("csv" if is_table_of_posts(path) else "")
        if not format:
            spreadsheet = path.suffix.lower() in (".xlsx", ".xls", ".ods", ".numbers")
            hint = " Save the sheet as CSV UTF-8 first, its ids as text." if spreadsheet else ""
            raise ValueError(
                f"Expected a file of posts ending in {', '.join(ENDINGS)} (packed as {', '.join(PACKINGS)} "
                f"or not), got {path.name}.{hint} Say what it is with format=, one of {', '.join(FORMATS)}."
            )
    try:
        if format == "twarc2":
            _refuse_list(path)
            return Source(path, format, _NO_COLUMNS)
        names = _read_names(path, format)
    except (*_DAMAGE, csv.Error) as error:
        raise ValueError(
            f"Expected {path.name} as {format}, but it cannot be read ({str(error).rstrip('.')}): it is cut "
            "off, damaged or something else. Get it again from where it came from."
        ) from error
    if format == "csv" and is_fourcat(names):
        format = "4cat"
    return Source(path, format, match_columns(names, format=format, columns=columns, file=path.name))


def is_table_of_posts(path: Path) -> bool:
    """Tell a text file of another ending that is a table with post ids, such as ``posts.txt``."""
    if path.suffix.lower() not in (".txt", ".dat", ".asc", ".csv_", ".psv"):
        return False
    try:
        return bool(match_columns(_read_names(path, "csv"), format="csv", columns=None, file=path.name))
    except (ValueError, *_DAMAGE):
        return False


def read_rows(
    source: Source,
    *,
    time_format: str | None = None,
    zone: tzinfo | None = None,
    notes: Notes | None = None,
) -> Iterator[PostRow | Malformed]:
    """Read a file post by post, in its order; what cannot be read comes as `Malformed`, with its line.

    Where the file breaks off, that is the last that comes. `notes` counts what was taken for something else.
    """
    notes = Counter() if notes is None else notes
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
        make = _RowMaker(source, time_format, zone, notes)
        for line, row in cells:
            if isinstance(row, Malformed):
                yield row
                continue
            try:
                yield make(row)
            except MalformedPostError as error:
                yield Malformed(line, str(error), str(list(row.values()))[1:-1][:_START])
    except _DAMAGE as error:
        yield Malformed(line + 1, f"the file breaks off or is damaged from here on: {error}", "")


def _open(path: Path) -> IO[bytes]:
    """Open a file, packed or not, as its first bytes tell."""
    with path.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(path, "rb")  # type: ignore[return-value]
    if start.startswith(b"BZh"):
        return bz2.open(path, "rb")
    if start.startswith((b"\xfd7zXZ\x00", b"\x5d\x00\x00")):
        return lzma.open(path, "rb")
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        return BufferedReader(pa.CompressedInputStream(path.open("rb"), "zstd"))  # type: ignore[arg-type]
    return path.open("rb")


def _open_text(path: Path, errors: str) -> TextIOWrapper:
    """Open a text in the encoding that its mark tells, its line ends as they are."""
    raw = _open(path)
    try:
        encoding = find_encoding(raw.peek(4)[:4])  # type: ignore[attr-defined]
    except BaseException:
        raw.close()
        raise
    return TextIOWrapper(raw, encoding, errors if encoding == "utf-8-sig" else "replace", newline="")


def _refuse_list(path: Path) -> None:
    """Refuse a file that is one JSON list: it would have to be read as a whole."""
    with _open_text(path, "surrogateescape") as file:
        start = file.read(256)
    if start.lstrip("\ufeff").lstrip().startswith("["):
        raise ValueError(
            f"Expected one JSON object per line in {path.name}, but it is one JSON list. Put each item on a "
            f"line of its own, for instance with: jq -c '.[]' {path.name}"
        )


def _read_json(path: Path) -> Iterator[tuple[int, Any]]:
    """Give each line with its number, parsed."""
    with _open(path) as raw:
        encoding = find_encoding(raw.peek(4)[:4])  # type: ignore[attr-defined]
        wide = None if encoding == "utf-8-sig" else TextIOWrapper(raw, encoding, "replace", newline="\n")
        lines: Any = raw if wide is None else (line.encode() for line in wide)
        for line, text in enumerate(lines, 1):
            if not text.strip():
                continue
            try:
                yield line, json.loads(text.decode("utf-8-sig" if line == 1 else "utf-8"))
            except UnicodeDecodeError as error:
                reason = f"not UTF-8: byte {error.start} is {text[error.start]:#04x}"
                yield line, Malformed(line, reason, text[:_START].decode("utf-8", "replace"))
            except (ValueError, RecursionError) as error:
                reason = f"not JSON: {error}"
                yield line, Malformed(line, reason, text[:_START].decode("utf-8", "replace").rstrip("\r\n"))


def _read_names(path: Path, format: str) -> list[str]:
    """Give the names of a table's columns."""
    if format == "parquet":
        return list(pq.read_schema(path).names)
    with _open_text(path, "surrogateescape") as file:
        header = next(split_rows(file, tabs=_has_tabs(path)), None)
    if header is not None and header.problem:
        raise csv.Error(header.problem)
    return [] if header is None else header.cells


def _has_tabs(path: Path) -> bool:
    return any(suffix.lower() in (".tsv", ".tab") for suffix in path.suffixes)


def _read_csv(source: Source) -> Iterator[tuple[int, dict[str, Any] | Malformed]]:
    """Give each row of a CSV file with the line on which it begins, cells by the file's names."""
    with _open_text(source.path, "surrogateescape") as file:
        rows = split_rows(file, tabs=_has_tabs(source.path))
        names = next(rows).cells
        looks = _Footers(names.index(source.columns.found["post_id"]))
        for row in rows:
            whole = row.start or " ".join(row.cells)
            if row.problem:
                yield row.line, Malformed(row.line, row.problem, _show(row.start))
            elif len(row.cells) != len(names):
                reason = f"{len(row.cells)} cells where the header has {len(names)}"
                yield row.line, Malformed(row.line, reason, _show(",".join(row.cells)))
            elif _STRAY_BYTES.search(whole):
                yield row.line, Malformed(row.line, "not UTF-8; save the file as UTF-8", _show(whole))
            elif not any(cell.strip() for cell in row.cells):
                continue
            elif reason := looks(row.cells):
                yield row.line, Malformed(row.line, reason, _show(",".join(row.cells)))
            else:
                yield row.line, dict(zip(names, map(unwrap_cell, row.cells), strict=True))


class _Footers:
    """Tells rows that programs put under a table, such as a total, by an id that is none."""

    def __init__(self, place: int) -> None:
        self.place, self.digits, self.spaces, self.seen = place, True, False, 0

    def __call__(self, cells: list[str]) -> str:
        said = unwrap_cell(cells[self.place]).strip()
        if said.isdigit():
            self.seen += 1
            return ""
        if is_missing_word(said):
            return ""
        strange = fold_header(said) in _FOOTERS
        if self.seen:
            strange |= self.digits and not any(character.isdigit() for character in said)
            strange |= not self.spaces and any(character.isspace() for character in said)
        if strange:
            return f"looks like a footer of the table: {said!r:.60} is no id like those before"
        self.seen += 1
        self.digits = False
        self.spaces |= any(character.isspace() for character in said)
        return ""


def _show(text: str) -> str:
    """Give the start of a malformed row, with a mark for each byte that is no text."""
    return _STRAY_BYTES.sub("\ufffd", text[:_START])


def _read_batches(source: Source) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give each row of a Parquet file with its number, cells by the file's names."""
    line = 0
    with pq.ParquetFile(source.path, page_checksum_verification=True) as file:
        for batch in file.iter_batches(
            _BATCH_ROWS, columns=list(dict.fromkeys(source.columns.found.values()))
        ):
            for row in batch.to_pylist():
                line += 1
                yield line, row


class _RowMaker:
    """Makes a post of a row (cells by the file's names); the text gives the hashtags where no column does."""

    def __init__(self, source: Source, time_format: str | None, zone: tzinfo | None, notes: Notes) -> None:
        self.columns, self.notes = dict(source.columns.found), notes
        self.missing = self.columns.pop(MISSING_FIELDS, None)
        self.form = time_format
        # 4CAT writes all times in UTC, and several images of Twitter with commas between.
        self.is_fourcat = source.format == "4cat"
        self.zone = UTC if self.is_fourcat else zone
        self.commas = self.is_fourcat and is_fourcat_twitter([*self.columns.values(), *source.columns.unused])

    def __call__(self, row: dict[str, Any]) -> PostRow:
        lacking = set(re.split(r"[^\w.-]+", str(row[self.missing]))) if self.missing else set()
        cells = {
            ours: None if theirs in lacking else self._clean(ours, row[theirs])
            for ours, theirs in self.columns.items()
        }
        text = read_text(cells.get("text"))
        media = list_media(cells.get("media"), commas=self.commas)
        # 4CAT names the film of a video, or its thumbnail, by where the dataset is from; only pictures count.
        media += [name for name in list_media(cells.get("videos"), commas=True) if is_image_address(name)]
        counts = {name: read_count(cells.get(name), name) for name in _COUNTS}
        return PostRow(
            post_id=read_id(cells["post_id"]),
            author=read_author(cells.get("author")),
            posted_at=read_time(cells.get("posted_at"), form=self.form, zone=self.zone, notes=self.notes),
            text=text,
            hashtags=list_hashtags(cells["hashtags"]) if "hashtags" in cells else find_hashtags(text),
            media=list(dict.fromkeys(media)),
            is_retweet=read_truth(cells.get("is_retweet")),
            **counts,
        )

    def _clean(self, ours: str, value: Any) -> Any:
        """Give a cell, or nothing where it holds a word for missing, which is noted."""
        if not isinstance(value, str) or not is_missing_word(value):
            return value
        if word := value.strip():
            self.notes[ours, f"{word} read as missing"] += 1
        return None
