"""Read posts from the files that researchers have, as one table, without losing any of them silently."""

import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import gammainc

from visclust.base.damage import read_arrow
from visclust.base.files import write_atomically
from visclust.base.progress import WorkBar
from visclust.base.provenance import digest_file, note_run, record_stream, recorded
from visclust.base.tables import check_table
from visclust.corpus.post_cells import Notes
from visclust.corpus.post_files import (
    ENDINGS,
    FORMATS,
    Source,
    find_source,
    is_table_of_posts,
    read_rows,
    tell_format,
)
from visclust.corpus.post_rows import Malformed, PostRow, make_batch, make_frame, make_schema, mend_text
from visclust.corpus.seen_posts import SeenPosts

_BATCH_ROWS = 20_000
# A file that is not what it was taken for has nothing but malformed lines; the first of them say so.
_LISTED = 10_000


class ReadPosts(NamedTuple):
    """What `read_posts` returns: posts, what could not be read, counts per file, what was taken how.

    `posts` is a table or, where it was not to be loaded, the path of its file.
    """

    posts: Any
    malformed: pd.DataFrame
    files: pd.DataFrame
    summary: str
    columns: pd.DataFrame
    notes: pd.DataFrame


@recorded
def read_posts(
    path: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    format: str = "auto",
    columns: Mapping[str, str | None] | None = None,
    time_format: str | None = None,
    time_zone: str | None = None,
    save_to: str | os.PathLike | None = None,
    load: bool = True,
    progress: bool = True,
) -> ReadPosts:
    r"""Read posts from files of tweets, 4CAT exports, or tables of your own.

    Parameters
    ----------
    path : str, path, or list of them
        A file, a folder (its files with a known ending in any case, those of its subfolders too, in the order
        of their paths; the others are listed), or several of both. Files may be packed (``.gz``, ``.bz2``,
        ``.xz``, ``.zst``).
    format : {"auto", "twarc2", "4cat", "csv", "parquet"}, default "auto"
        "twarc2": one JSON object per line, each a page of results as ``twarc2 search`` writes them, or one
        tweet as ``twarc2 flatten`` does; tweets of version 1.1 of the API, and 4CAT's NDJSON of Twitter
        datasets, are read as well. "4cat": 4CAT's CSV export, of Twitter and X or another platform. "csv"
        (parted by comma, semicolon, tab or bar; UTF-8, or UTF-16 with its mark) and "parquet": tables with
        one row per post. "auto" tells them by ending and header.
    columns : dict, optional
        For tables: the file's name of a column by ours, ``{"post_id": "tweet_id", "text": "full_text"}``; it
        goes before what is known or guessed, and None leaves a column out. Names are compared without case,
        spaces and underscores. Columns called as in the posts table, or as 4CAT calls them, need no entry;
        others are guessed by their names (``tweet_id``, ``created_at``, ``image_file``, …), which is shown
        before it is used and listed in the result. Those that the file lacks are left missing.
    time_format : str, optional
        How a table writes times, as `datetime.strptime` takes it, where it is neither ISO 8601 nor a number
        since 1970. Of named zones (``%Z``) only UTC and GMT are taken, as others mean different things.
    time_zone : str, optional
        Of the times of tables that say none, such as "Europe/Berlin"; without it they are taken for UTC,
        which the notes say. 4CAT's times are UTC.
    save_to : str or path, optional
        A Parquet file to write while reading, with the record of how it was made.
    load : bool, default True
        Whether the posts come as a table. False is for more of them than fit into memory, and needs
        `save_to`: they go to the file, some thousands at a time, and its path comes, which `link_posts`
        takes.
    progress : bool, default True
        Show a progress bar, and print a line for each column that is guessed or not used.

    Returns
    -------
    posts : DataFrame, or pathlib.Path without `load`
        The posts table in the order of the files, and ``is_retweet`` (True, False, or missing where the
        source does not say). Ids are text. Counts are Int64, missing where the source does not say, which is
        not 0. An id that came before is left out and counted: the first stays.
    malformed : DataFrame
        ``file, line, reason, start``: what could not be read, the first 10,000. The line of a Parquet file
        is its row. `start` shows the first characters.
    files : DataFrame
        ``file, format, posts, repeated, malformed, note``: how many of each came from each file, and of the
        files of a folder that were not read (format "") why.
    summary : str
        The same in one sentence; a warning too where lines were malformed.
    columns : DataFrame
        ``file, ours, theirs, how``: the columns of tables, "given", "known", "guessed" or "not used".
    notes : DataFrame
        ``file, column, note, posts``: what was taken for something else, and in how many posts; and each post
        left out because its id came before with another author or text.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no file of posts in a folder.
    ValueError
        If posts are neither to be loaded nor saved, a file's format is unknown, a column is missing or could
        be one of several, a time zone or format is none, or nothing in the files is a post.

    Warns
    -----
    UserWarning
        Where lines were malformed, ids look rounded by a spreadsheet, an id stands for different posts, or
        files of a folder with a known ending cannot be read.

    Notes
    -----
    A retweet is a post. It shows the images of the tweet that it shares, has that tweet's hashtags besides
    its own, and its text is completed, as the API cuts it off. The images of quoted and answered tweets do
    not belong to the post. A long tweet comes with its whole text where the data have it (``note_tweet``,
    ``full_text``, ``extended_tweet``). A video or GIF gives the address of its thumbnail; an image whose
    address the data lack gives ``media_key:…``, so that `link_posts` lists it. An author whose name the data
    lack is given by id. Counts are as the source gave them: version 2 gives a retweet the retweets of the
    original, and no favourites.

    Of 4CAT's columns for Twitter these are read: id, author, timestamp, body, hashtags, retweet_count,
    like_count, images, is_retweet, and videos where they are thumbnails; it has no followers and friends. Of
    its datasets of other platforms id, author, timestamp and body are known, and the rest is guessed. What
    stands in its column missing_fields is missing.

    A table without a column of hashtags has those of the text. A cell may hold a list as JSON, Python, numpy,
    R or SQL write it, hashtags with commas or spaces between, media with "|", ";" or newlines between. Words
    for missing (NA, NULL, None, NaN, N/A, #N/A, \N and the like) are missing in every column.

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
    if not load and save_to is None:
        raise ValueError(
            "Expected save_to beside load=False, got none: name the Parquet file for the posts to go to."
        )
    zone = _find_zone(time_zone)
    _check_form(time_format)
    files, skipped = list_post_files(path)
    given = [Path(each) for each in ([path] if isinstance(path, str | os.PathLike) else path)]
    sources = []
    for each in files:
        try:
            sources.append(find_source(each, format=format, columns=columns))
        except ValueError as error:
            if each in given or len(files) == 1:
                raise
            # A table whose columns are not clear would be lost among others: that is for the user to say.
            if tell_format(each) in ("csv", "parquet") and "cannot be read" not in str(error):
                raise
            skipped.append((each, str(error)))
    if not sources:
        raise ValueError(f"None of the {len(skipped)} files can be read. The first: {skipped[0][1]}")
    if (columns or time_format or time_zone) and all(source.format == "twarc2" for source in sources):
        raise ValueError(
            "columns=, time_format= and time_zone= are for tables, but these are files of tweets: leave them "
            "out."
        )
    if progress:
        _show_columns(sources)
    # Files that `path` names are in the record already; here are those of its folders.
    note_run(inputs={str(source.path): digest_file(source.path)[:32] for source in sources
                     if source.path not in given})  # fmt: skip
    reader = _Reader(sources, time_format, zone, progress=progress)
    posts: pd.DataFrame | Path
    if save_to is None:
        schema = make_schema()
        batches = [make_batch(rows, schema) for rows in reader.read()]
        reader.check()
        table = pa.Table.from_batches(batches, schema)
        del batches
        posts = make_frame(table)
    else:
        schema = make_schema(record_stream(save_to, "posts"))
        posts = write_atomically(save_to, lambda file: _write(file, reader, schema))
        if load:
            posts = make_frame(read_arrow(save_to))
    if isinstance(posts, pd.DataFrame):
        check_table(posts, "posts")
    for warning in reader.list_warnings(skipped):
        warnings.warn(warning, stacklevel=2)
    malformed = pd.DataFrame(reader.malformed, columns=["file", "line", "reason", "start"])
    explained = [(str(source.path), *row) for source in sources for row in source.columns.explain()]
    return ReadPosts(
        posts,
        malformed,
        reader.count(skipped),
        reader.summarize(len(skipped)),
        pd.DataFrame(explained, columns=["file", "ours", "theirs", "how"]),
        reader.list_notes(),
    )


def _find_zone(name: str | None) -> tzinfo | None:
    """Find a time zone by its name."""
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        raise ValueError(
            f"Expected time_zone as the name of a zone, such as 'Europe/Berlin' or 'UTC', got {name!r}."
        ) from error


def _check_form(form: str | None) -> None:
    """Refuse a form that `datetime.strptime` does not know, before a row is read."""
    if form is None:
        return
    try:
        datetime.strptime("", form)
    except (ValueError, TypeError, re.error) as error:
        if not isinstance(form, str) or not re.match("time data|unconverted", str(error)):
            raise ValueError(
                f"Expected time_format as strptime takes it, such as '%d/%m/%Y %H:%M', got {form!r}: {error}."
            ) from error


def _show_columns(sources: list[Source]) -> None:
    """Print what was guessed of each kind of table, once, before it is used."""
    shown = set()
    for source in sources:
        rows = source.columns.explain()
        lines = [f"  {ours} is guessed to be {theirs!r}" for ours, theirs, how in rows if how == "guessed"]
        if unused := [theirs for _, theirs, how in rows if how == "not used"]:
            lines.append(f"  not used: {', '.join(map(str, unused))}")
        if lines and tuple(lines) not in shown:
            shown.add(tuple(lines))
            print(f"Columns of {source.path.name} (say others with columns=):", *lines, sep="\n")


def list_post_files(
    path: str | os.PathLike | Sequence[str | os.PathLike],
) -> tuple[list[Path], list[tuple[Path, str]]]:
    """List the files of posts, once: each file given, and those of each folder; and its other files."""
    given = [path] if isinstance(path, str | os.PathLike) else list(path)
    files, skipped = [], []
    for each in map(Path, given):
        if each.is_dir():
            inside = []
            for file in sorted(file for file in each.rglob("*") if file.is_file() or file.is_symlink()):
                if any(part.startswith(".") for part in file.relative_to(each).parts):
                    skipped.append((file, "a hidden file"))
                elif not file.is_file():
                    skipped.append((file, "a broken link"))
                elif tell_format(file) or is_table_of_posts(file):
                    inside.append(file)
                else:
                    skipped.append((file, f"no file of posts by its ending {file.suffix or '(none)'}"))
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
        raise FileNotFoundError("Expected at least one file of posts as path, got an empty list.")
    return list(dict.fromkeys(files)), skipped


def _write(file: Any, reader: "_Reader", schema: pa.Schema) -> None:
    """Write the posts to a Parquet file as they are read."""
    with pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True) as writer:
        for rows in reader.read():
            writer.write_batch(make_batch(rows, schema))
    reader.check()  # inside, so that a file without any post leaves nothing behind


class _Reader:
    """Reads the sources once in batches of rows, and keeps count of what is left out."""

    def __init__(
        self, sources: list[Source], time_format: str | None, zone: tzinfo | None, *, progress: bool
    ) -> None:
        self.sources, self.time_format, self.zone, self.progress = sources, time_format, zone, progress
        # By id what author and text were, as a number: the same id with others is another post.
        self.seen = SeenPosts()
        self.malformed: list[tuple[str, int, str, str]] = []
        self.n_posts: Counter[Path] = Counter()
        self.n_repeated: Counter[Path] = Counter()
        self.n_malformed: Counter[Path] = Counter()
        self.n_other = 0
        self.notes: dict[Path, Notes] = {source.path: Counter() for source in sources}
        self.ids = _RoundedIds()

    def read(self) -> Iterator[list[PostRow]]:
        rows: list[PostRow] = []
        with WorkBar(desc="Reading", unit="post", progress=self.progress) as bar:
            for source in self.sources:
                notes, line = self.notes[source.path], 0
                for line, row in enumerate(
                    read_rows(source, time_format=self.time_format, zone=self.zone, notes=notes), 1
                ):
                    if self._keep(row, source.path, line):
                        rows.append(row)  # type: ignore[arg-type]
                    if len(rows) == _BATCH_ROWS:
                        yield rows
                        bar.update(len(rows))
                        rows = []
            if rows:
                yield rows
                bar.update(len(rows))

    def _keep(self, row: PostRow | Malformed, path: Path, number: int) -> bool:
        if isinstance(row, Malformed):
            self._list(path, row)
            return False
        said = hash((row.author, row.text))
        first = self.seen.find(row.post_id)
        if first is not None:
            self.n_repeated[path] += 1
            if first != said:
                self.n_other += 1
                if self.n_other <= _LISTED:
                    start = mend_text((row.text or "")[:40])
                    note = f"{row.post_id} in record {number} ({start!r}) came before as another post"
                    self.notes[path]["post_id", note] += 1
            return False
        self.seen.add(row.post_id, said)
        self.ids.see(row.post_id)
        self.n_posts[path] += 1
        return True

    def _list(self, path: Path, row: Malformed) -> None:
        self.n_malformed[path] += 1
        if len(self.malformed) < _LISTED:
            self.malformed.append((str(path), row.line, mend_text(row.reason), mend_text(row.start)))

    def check(self) -> None:
        n_posts = self.n_posts.total()
        if not n_posts and self.malformed:
            file, line, reason, _ = self.malformed[0]
            hint = " Say with format= what the files are." if reason.startswith(("not ", "neither")) else ""
            raise ValueError(
                f"None of {self.n_malformed.total():,} lines could be read as a post. The first: {file}, "
                f"line {line}: {reason}.{hint}"
            )
        if not n_posts:
            raise ValueError(
                f"Nothing in {', '.join(source.path.name for source in self.sources[:3])} is a post: there "
                "are no rows. Check that these are the files, and that their download was complete."
            )
        del self.seen  # the ids are in the batches

    def count(self, skipped: list[tuple[Path, str]]) -> pd.DataFrame:
        paths = [source.path for source in self.sources]
        table = pd.DataFrame(
            {
                "file": [str(path) for path in paths],
                "format": [source.format for source in self.sources],
                "posts": [self.n_posts[path] for path in paths],
                "repeated": [self.n_repeated[path] for path in paths],
                "malformed": [self.n_malformed[path] for path in paths],
                "note": "",
            }
        )
        others = pd.DataFrame(
            [(str(path), "", 0, 0, 0, why) for path, why in skipped], columns=table.columns
        ).astype(table.dtypes.to_dict())
        return pd.concat([table, others], ignore_index=True) if skipped else table

    def list_notes(self) -> pd.DataFrame:
        rows = [
            (str(path), column, note, number)
            for path, notes in self.notes.items()
            for (column, note), number in notes.items()
        ]
        return pd.DataFrame(rows, columns=["file", "column", "note", "posts"])

    def list_warnings(self, skipped: list[tuple[Path, str]]) -> list[str]:
        """Give the warnings, each in words: what is malformed, what ids stand for, what was not read."""
        found = []
        if self.n_malformed.total():
            first = self.malformed[0]
            found.append(
                f"{self.summarize(len(skipped))} The first: {first[0]}, line {first[1]}: {first[2]}. "
                "The table `malformed` lists them."
            )
        if self.n_other:
            found.append(
                f"{self.n_other:,} posts have an id that came before with another author or text, and are "
                "left out. Ids that are unique within a channel or file only must be made unique first, for "
                "instance by the channel's name before them; ids that a spreadsheet rounded must be "
                "exported again as text."
            )
        if self.ids.are_rounded():
            found.append(
                f"{self.ids.rounded:,} of {self.ids.long:,} long ids end in zeros after their 15th digit: a "
                "spreadsheet has rounded them, so that different posts may share one. Export them again as "
                "text."
            )
        known = [(path, why) for path, why in skipped if tell_format(path)]
        if known := [each for each in known if each[1] != "a hidden file"]:
            found.append(
                f"{len(known)} files of the folder could not be read and are left out, the first "
                f"{known[0][0]}: {known[0][1]} The table `files` lists them."
            )
        return found

    def summarize(self, n_skipped: int) -> str:
        posts, files = self.n_posts.total(), len(self.sources)
        others = f" {n_skipped} other file{'s' * (n_skipped != 1)} not read." if n_skipped else ""
        return (
            f"{posts:,} post{'s' * (posts != 1)} read from {files} file{'s' * (files != 1)}; "
            f"{self.n_repeated.total():,} repeated ids left out, "
            f"{self.n_malformed.total():,} malformed lines.{others}"
        )


class _RoundedIds:
    """Counts long ids that have only zeros after the 15 digits that spreadsheets keep."""

    def __init__(self) -> None:
        self.long, self.rounded, self.expected = 0, 0, 0.0

    def see(self, post_id: str) -> None:
        beyond = len(post_id) - 15
        if beyond > 1 and post_id.isdigit():
            self.long += 1
            self.rounded += not post_id[15:].strip("0")
            self.expected += 10.0**-beyond  # true ids end so by chance

    def are_rounded(self) -> bool:
        """Say whether more ids end so than one corpus in a thousand has by chance (Poisson)."""
        if self.rounded > 10 * self.expected + 20:
            return True
        return self.rounded > 0 and bool(gammainc(self.rounded, self.expected) < 0.001)
