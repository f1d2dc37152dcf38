"""Which column of a CSV or Parquet file holds what, and a post made of one of its rows."""

from collections.abc import Sequence
from typing import Any

from visclust.images.addresses import is_image_address
from visclust.post_cells import read_count, read_id, read_text, read_time, read_truth
from visclust.post_lists import find_hashtags, list_hashtags, list_media
from visclust.post_rows import PostRow

__all__ = ["FOURCAT_COLUMNS", "make_row", "match_columns"]

# As 4CAT exports its datasets of Twitter and X; it has neither followers nor friends.
FOURCAT_COLUMNS = {
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
_COUNTS = ("retweets", "favourites", "followers", "friends")


def match_columns(
    names: Sequence[str], *, format: str, columns: dict[str, str] | None, file: str
) -> dict[str, str]:
    """Say which column of a file holds what.

    Parameters
    ----------
    names : sequence of str
        The file's columns.
    format : str
        "4cat", "csv" or "parquet".
    columns : dict, optional
        The file's name of a column, by ours; it goes before the names that the format is known by.
    file : str
        Name of the file, for the message.

    Returns
    -------
    dict
        The file's name of a column, by ours, for those that it has.

    Raises
    ------
    ValueError
        If a name is not one of ours, a column that was named is not there, one comes twice, or none holds the
        post ids.
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
    known = FOURCAT_COLUMNS if format == "4cat" else {name: name for name in PostRow._fields}
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


def make_row(
    row: dict[str, Any], *, columns: dict[str, str], format: str, time_format: str | None = None
) -> PostRow:
    """Make a post of a row of a CSV or Parquet file.

    Parameters
    ----------
    row : dict
        Cells by the file's names.
    columns : dict
        From `match_columns`.
    format : str
        "4cat", "csv" or "parquet".
    time_format : str, optional
        The `strptime` form of times.

    Returns
    -------
    PostRow
        The post. Without a column of hashtags, those in the text are taken.

    Raises
    ------
    MalformedPostError
        If the id, a time or a count cannot be read.
    """
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
