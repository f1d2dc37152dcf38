"""Link posts to images a part at a time, so that neither the posts nor the links need to fit into memory."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from visclust.base.damage import explain_damage, read_schema
from visclust.base.files import write_atomically
from visclust.base.freshness import PROVENANCE_KEY, require_fresh
from visclust.base.progress import WorkBar
from visclust.base.provenance import record_stream
from visclust.base.tables import check_columns
from visclust.images.addresses import AddressMatcher, is_address

_PART = 50_000  # posts


class PostsToLink:
    """Ids and media of posts, from a table or a Parquet file, a part at a time and more than once."""

    def __init__(self, posts: pd.DataFrame | str | os.PathLike) -> None:
        self._table = posts if isinstance(posts, pd.DataFrame) else None
        hint = "read_posts makes such a table."
        if self._table is not None:
            check_columns(self._table, ("post_id", "media"), "the posts", hint=hint)
            self.n = len(self._table)
            return
        self._path = Path(posts)  # type: ignore[arg-type]
        if not self._path.is_file():
            raise FileNotFoundError(
                f"Expected a Parquet file of posts at posts, got {str(self._path)!r}, where there is none. "
                "read_posts writes one with save_to."
            )
        require_fresh(self._path)
        schema = read_schema(self._path)
        check_columns(schema.empty_table().to_pandas(), ("post_id", "media"), "the posts", hint=hint)
        with explain_damage(self._path, "a Parquet file"), pq.ParquetFile(self._path) as file:
            self.n = file.metadata.num_rows

    def read(self) -> Iterator[tuple[list[Any], list[Any]]]:
        """Give ids and media of some thousands of posts at a time."""
        if self._table is not None:
            for start in range(0, max(1, self.n), _PART):
                part = self._table.iloc[start : start + _PART]
                yield part["post_id"].tolist(), part["media"].tolist()
            return
        with (
            explain_damage(self._path, "a Parquet file"),
            pq.ParquetFile(self._path, page_checksum_verification=True) as file,
        ):
            for batch in file.iter_batches(_PART, columns=["post_id", "media"]):
                yield batch.column("post_id").to_pylist(), batch.column("media").to_pylist()


class FirstSeen:
    """Tells whether an id comes twice among very many, with 8 bytes for each."""

    def __init__(self) -> None:
        self._keys: list[np.ndarray] = []

    def add(self, post_ids: list[Any]) -> None:
        """Take the ids of some posts."""
        self._keys.append(np.array([hash(each) for each in post_ids], dtype=np.int64))

    def find_twice(self, source: PostsToLink) -> Any:
        """Give the first id that comes twice, or None; ids with one hash are looked at again as they are."""
        keys = np.sort(np.concatenate([np.empty(0, dtype=np.int64), *self._keys]))
        self._keys = []
        doubtful = set(keys[1:][keys[1:] == keys[:-1]].tolist())
        del keys
        seen = set()
        for post_ids, _ in source.read() if doubtful else ():
            for each in post_ids:
                if hash(each) in doubtful:
                    if each in seen:
                        return each
                    seen.add(each)
        return None


class Linker:
    """Finds the image of each of the media of posts; learns all addresses first: a file may be another's."""

    def __init__(self, images: pd.DataFrame, folder: str | os.PathLike | None) -> None:
        known = images.assign(path=[os.path.normpath(path) for path in images["path"]])
        if "reason" not in known.columns:  # of another tool's table: what is not readable has no reason then
            known["reason"] = ""
        self._known = known[["path", "image_id", "status", "reason"]].reset_index(drop=True)
        self._index = pd.Index(self._known["path"].astype(object))
        self._rows = None if self._index.is_unique else self._index.value_counts()
        self._readable = self._known["status"].isin(["ok", "duplicate"]).to_numpy(dtype=bool)
        self._why = self._known["reason"].to_numpy(dtype=object)
        self._start = str(Path(folder) if folder is not None else Path())
        self._matcher = AddressMatcher(known)
        self._first = ""
        self._n_media = self._n_linked = 0

    def learn(self, media: list[Any]) -> None:
        """Take the addresses among the media of some posts."""
        self._matcher.add(name for each in media for name in _list_media(each) if is_address(name))

    def link(self, post_ids: list[Any], media: list[Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Give the links of some posts, and what of them is unmatched."""
        uses = [
            (str(post), name)
            for post, each in zip(post_ids, media, strict=True)
            for name in _list_media(each)
        ]
        names = [name for _, name in uses]
        found = {name: self._find(name) for name in dict.fromkeys(names)}
        paths = pd.Index([found[name][0] for name in names], dtype=object)
        if self._rows is None:
            use, row = np.arange(len(paths)), self._index.get_indexer(paths)
        else:  # two ways to write one path: each use then meets all of its rows
            row, _ = self._index.get_indexer_non_unique(paths)
            use = np.repeat(np.arange(len(paths)), self._rows.reindex(paths).fillna(1).to_numpy(np.int64))
        there = row >= 0
        readable = there & self._readable[row] if len(self._readable) else there
        self._n_media += len(use)
        self._n_linked += int(readable.sum())
        self._first = self._first or (names[0] if names else "")
        image_id = self._known["image_id"].iloc[row[readable]].reset_index(drop=True)
        post_id = pd.Series([uses[each][0] for each in use[readable]])
        post_id = post_id if len(post_id) else post_id.astype(object)
        links = pd.DataFrame({"post_id": post_id, "image_id": image_id}).drop_duplicates()
        rest = np.flatnonzero(~readable)
        reasons = [
            self._why[row[each]]
            if there[each] and not pd.isna(self._why[row[each]])
            else found[names[use[each]]][1] or "no such file in the images table"
            for each in rest
        ]
        unmatched = [(*uses[use[each]], reason) for each, reason in zip(rest, reasons, strict=True)]
        return links, pd.DataFrame(unmatched, columns=["post_id", "media", "reason"])

    def _find(self, name: str) -> tuple[str | None, str]:
        """Give the path that a name stands for, or why it has none."""
        if is_address(name):
            return self._matcher.find(name)
        return os.path.normpath(os.path.join(self._start, name)), ""  # noqa: PTH118 - millions of names

    def check(self) -> None:
        """Refuse links of which there is none though posts have media: a folder was named wrongly.

        Files of which it cannot be said whose they are are listed.
        """
        if self._n_media and not self._n_linked and not self._matcher.has_undecided():
            raise ValueError(
                f"None of the {self._n_media} media of the posts is in the images table: the posts say "
                f"{self._first!r}, the images {self._known['path'].iloc[0]!r}. "
                "Say with folder= where the posts' paths start; addresses are found by the name of the file."
            )


def _list_media(media: Any) -> list[str]:
    """List the media of one post."""
    if isinstance(media, str):
        return [media] if media else []
    if isinstance(media, Iterable):
        return [str(name) for name in media]
    return []  # None and NaN: a post without media


def follow_posts(
    linker: Linker, source: PostsToLink, bar: WorkBar
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Give the links and what is unmatched, part by part."""
    for post_ids, media in source.read():
        yield linker.link(post_ids, media)
        bar.update(len(post_ids))


def join_parts(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Put parts together, without those that have no rows, and so no types, where others have some."""
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def name_unmatched(path: Path) -> Path:
    """Name the file of what could not be linked, beside that of the links."""
    return path.with_name(f"{path.stem}_unmatched.parquet")


def save_links(path: Path, parts: Iterator[tuple[pd.DataFrame, pd.DataFrame]], linker: Linker) -> Path:
    """Write the links, and beside them what is unmatched; where one fails, neither is there."""
    beside_path = name_unmatched(path)

    def write(file: BinaryIO, beside: BinaryIO) -> None:
        schema = _make_schema(["post_id", "image_id"], record_stream(path, "posts_images"))
        other = _make_schema(["post_id", "media", "reason"], record_stream(beside_path, None))
        with (
            pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True) as links_writer,
            pq.ParquetWriter(beside, other, compression="zstd", write_page_checksum=True) as other_writer,
        ):
            for links, unmatched in parts:
                for writer, table, kind in ((links_writer, links, schema), (other_writer, unmatched, other)):
                    if len(table):
                        writer.write_table(pa.Table.from_pandas(table, kind, preserve_index=False))
        linker.check()

    def write_both(file: BinaryIO) -> None:
        write_atomically(beside_path, lambda beside: write(file, beside))

    return write_atomically(path, write_both)


def _make_schema(names: list[str], record: dict[str, Any]) -> pa.Schema:
    """Give the Arrow schema of columns of text, with what pandas needs to read it back and the record."""
    schema = pa.schema([(name, pa.string()) for name in names])
    as_pandas = pa.Table.from_pandas(schema.empty_table().to_pandas(), preserve_index=False).schema.metadata
    return schema.with_metadata(
        {b"pandas": as_pandas[b"pandas"], PROVENANCE_KEY: json.dumps(record).encode()}
    )
