"""Read posts from the files that researchers have, as one table, without losing any of them silently."""

import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from visclust.base.files import write_atomically
from visclust.base.progress import WorkBar
from visclust.base.provenance import digest_file, note_run, recorded
from visclust.base.tables import check_table
from visclust.corpus.post_files import ENDINGS, FORMATS, Source, find_source, read_rows
from visclust.corpus.post_rows import Malformed, PostRow, make_batch, make_frame, make_schema, mend_text

_BATCH_ROWS = 20_000
# A file that is not what it was taken for has nothing but malformed lines; the first of them say so.
_LISTED = 10_000


class ReadPosts(NamedTuple):
    """What `read_posts` returns: the posts, what could not be read, and the counts per file."""

    posts: pd.DataFrame
    malformed: pd.DataFrame
    files: pd.DataFrame
    summary: str


@recorded
def read_posts(
    path: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    format: str = "auto",
    columns: dict[str, str] | None = None,
    time_format: str | None = None,
    save_to: str | os.PathLike | None = None,
    progress: bool = True,
) -> ReadPosts:
    r"""Read posts from files of tweets, 4CAT exports, or tables of your own.

    Parameters
    ----------
    path : str, path, or list of them
        A file, a folder (its files with a known ending, those of its subfolders too, in the order of their
        paths), or several of both. Files may be packed with gzip (``.gz``).
    format : {"auto", "twarc2", "4cat", "csv", "parquet"}, default "auto"
        "twarc2": one JSON object per line, each a page of results as ``twarc2 search`` writes them, or one
        tweet as ``twarc2 flatten`` does; tweets of version 1.1 of the API, and 4CAT's NDJSON of Twitter
        datasets, are read as well. "4cat": 4CAT's CSV export of Twitter and X datasets. "csv" (parted by
        comma, semicolon or tab; UTF-8) and "parquet": tables with one row per post. "auto" tells them by
        ending and header.
    columns : dict, optional
        For tables: the file's name of a column by ours, ``{"post_id": "tweet_id", "text": "full_text"}``.
        Columns called as in the posts table need no entry; those that the file lacks are left missing.
    time_format : str, optional
        How a table writes times, as `datetime.strptime` takes it, where it is neither ISO 8601 nor seconds
        since 1970. Times without a zone are taken for UTC.
    save_to : str or path, optional
        A Parquet file to write while reading, with the record of how it was made.
    progress : bool, default True
        Show a progress bar.

    Returns
    -------
    posts : DataFrame
        The posts table in the order of the files, and ``is_retweet`` (True, False, or missing where the
        source does not say). Ids are text. Counts are Int64, missing where the source does not say, which is
        not 0. An id that came before is left out and counted: the first stays.
    malformed : DataFrame
        ``file, line, reason, start``: what could not be read, the first 10,000. The line of a Parquet file
        is its row. `start` shows the first characters.
    files : DataFrame
        ``file, format, posts, repeated, malformed``: how many of each came from each file.
    summary : str
        The same in one sentence; a warning too where lines were malformed.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no file of posts in a folder.
    ValueError
        If a file's format is unknown, a column is missing, or nothing in the files is a post.

    Notes
    -----
    A retweet is a post. It shows the images of the tweet that it shares, has that tweet's hashtags besides
    its own, and its text is completed, as the API cuts it off. The images of quoted and answered tweets do
    not belong to the post. A long tweet comes with its whole text where the data have it (``note_tweet``,
    ``full_text``, ``extended_tweet``). A video or GIF gives the address of its thumbnail; an image whose
    address the data lack gives ``media_key:…``, so that `link_posts` lists it. An author whose name the data
    lack is given by id. Counts are as the source gave them: version 2 gives a retweet the retweets of the
    original, and no favourites.

    Of 4CAT's columns these are read: id, author, timestamp, body, hashtags, retweet_count, like_count,
    images, is_retweet, and videos where they are thumbnails; it has neither followers nor friends. For its
    datasets of other platforms, name the columns.

    A table without a column of hashtags has those of the text. A cell may hold a list as JSON or Python
    writes it, hashtags with commas or spaces between, media with "|", ";" or newlines between.

    Source
    ------
    Documenting the Now, twarc. S. Peeters and S. Hagen, "The 4CAT Capture and Analysis Toolkit",
    Computational Communication Research 4 (2022).

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "mine.csv"
    >>> _ = path.write_text("id,when,text\n12,2018-06-14T12:00:00Z,#KeepFamiliesTogether now\n")
    >>> read = read_posts(path, columns={"post_id": "id", "posted_at": "when"}, progress=False)
    >>> read.posts[["post_id", "hashtags"]]
      post_id                hashtags
    0      12  [KeepFamiliesTogether]
    >>> read.summary
    '1 post read from 1 file; 0 repeated ids left out, 0 malformed lines.'
    """
    if format not in ("auto", *FORMATS):
        raise ValueError(f"Expected format 'auto' or one of {', '.join(FORMATS)}, got {format!r}.")
    files = _list_files(path)
    sources = [find_source(each, format=format, columns=columns) for each in files]
    if (columns or time_format) and all(source.format == "twarc2" for source in sources):
        raise ValueError(
            "columns= and time_format= are for tables, but these are files of tweets: leave them out."
        )
    # Files that `path` names are in the record already; here are those of its folders.
    given = [Path(each) for each in ([path] if isinstance(path, str | os.PathLike) else path)]
    note_run(inputs={str(each): digest_file(each)[:32] for each in files if each not in given})
    reader = _Reader(sources, time_format, progress=progress)
    if save_to is None:
        schema = make_schema()
        batches = [make_batch(rows, schema) for rows in reader.read()]
        reader.check()
        table = pa.Table.from_batches(batches, schema)
        del batches
        posts = make_frame(table)
    else:
        schema = make_schema({"kind": "posts", **note_run()})
        write_atomically(save_to, lambda file: _write(file, reader, schema))
        posts = make_frame(pq.read_table(save_to))
    check_table(posts, "posts")
    if reader.n_malformed.total():
        first = reader.malformed[0]
        warnings.warn(
            f"{reader.summarize()} The first: {first[0]}, line {first[1]}: {first[2]}. "
            "The table `malformed` lists them.",
            stacklevel=2,
        )
    malformed = pd.DataFrame(reader.malformed, columns=["file", "line", "reason", "start"])
    return ReadPosts(posts, malformed, reader.count(), reader.summarize())


def _list_files(path: str | os.PathLike | Sequence[str | os.PathLike]) -> list[Path]:
    """List the files of posts: each file given, and those with a known ending in each folder, once."""
    given = [path] if isinstance(path, str | os.PathLike) else list(path)
    files = []
    for each in map(Path, given):
        if each.is_dir():
            inside = sorted(
                file
                for file in each.rglob("*")
                if file.name.removesuffix(".gz").endswith(tuple(ENDINGS))
                and not file.name.startswith(".")
                and file.is_file()
            )
            if not inside:
                raise FileNotFoundError(
                    f"Expected files of posts in {each}, found none ending in {', '.join(ENDINGS)}."
                )
            files += inside
        elif each.exists():
            files.append(each)
        else:
            raise FileNotFoundError(
                f"Expected a file or folder of posts, but there is no {each}. Check its name."
            )
    if not files:
        raise FileNotFoundError("Expected at least one file of posts, got an empty list.")
    return list(dict.fromkeys(files))


def _write(file: Any, reader: "_Reader", schema: pa.Schema) -> None:
    """Write the posts to a Parquet file as they are read."""
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for rows in reader.read():
            writer.write_batch(make_batch(rows, schema))
    reader.check()  # inside, so that a file without any post leaves nothing behind


class _Reader:
    """Reads the sources once in batches of rows, and keeps count of what is left out."""

    def __init__(self, sources: list[Source], time_format: str | None, *, progress: bool) -> None:
        self.sources, self.time_format, self.progress = sources, time_format, progress
        self.seen: set[str] = set()
        self.malformed: list[tuple[str, int, str, str]] = []
        self.n_posts: Counter[Path] = Counter()
        self.n_repeated: Counter[Path] = Counter()
        self.n_malformed: Counter[Path] = Counter()

    def read(self) -> Iterator[list[PostRow]]:
        rows: list[PostRow] = []
        with WorkBar(desc="Reading", unit="post", progress=self.progress) as bar:
            for source in self.sources:
                for row in read_rows(source, time_format=self.time_format):
                    if self._keep(row, source.path):
                        rows.append(row)  # type: ignore[arg-type]
                    if len(rows) == _BATCH_ROWS:
                        yield rows
                        bar.update(len(rows))
                        rows = []
            if rows:
                yield rows
                bar.update(len(rows))

    def _keep(self, row: PostRow | Malformed, path: Path) -> bool:
        if isinstance(row, Malformed):
            self.n_malformed[path] += 1
            if len(self.malformed) < _LISTED:
                self.malformed.append((str(path), row.line, mend_text(row.reason), mend_text(row.start)))
            return False
        if row.post_id in self.seen:
            self.n_repeated[path] += 1
            return False
        self.seen.add(row.post_id)
        self.n_posts[path] += 1
        return True

    def check(self) -> None:
        if not self.seen and self.malformed:
            file, line, reason, _ = self.malformed[0]
            raise ValueError(
                f"None of {self.n_malformed.total():,} lines could be read as a post. The first: {file}, "
                f"line {line}: {reason}. Say with format= what the files are."
            )
        self.seen = set()  # the ids are in the batches; a million of them as text would take 100 MB

    def count(self) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "file": [str(source.path) for source in self.sources],
                "format": [source.format for source in self.sources],
                "posts": [self.n_posts[source.path] for source in self.sources],
                "repeated": [self.n_repeated[source.path] for source in self.sources],
                "malformed": [self.n_malformed[source.path] for source in self.sources],
            }
        )

    def summarize(self) -> str:
        posts, files = self.n_posts.total(), len(self.sources)
        return (
            f"{posts:,} post{'s' * (posts != 1)} read from {files} file{'s' * (files != 1)}; "
            f"{self.n_repeated.total():,} repeated ids left out, "
            f"{self.n_malformed.total():,} malformed lines."
        )
