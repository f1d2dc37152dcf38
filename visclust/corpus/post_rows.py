"""One post as a row, and rows as Arrow batches: the columns that `read_posts` gives and their types."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa


class PostRow(NamedTuple):
    """One post; None where the source does not say."""

    post_id: str
    author: str | None = None
    posted_at: datetime | None = None
    text: str | None = None
    hashtags: Sequence[str] = ()
    retweets: int | None = None
    favourites: int | None = None
    followers: int | None = None
    friends: int | None = None
    media: Sequence[str] = ()
    is_retweet: bool | None = None


class Malformed(NamedTuple):
    """A line, or one post of a line, that could not be read."""

    line: int
    reason: str
    start: str


class MalformedPostError(ValueError):
    """Something that cannot be read as a post; its text is the reason in plain words."""


_TYPES = {
    "post_id": pa.string(),
    "author": pa.string(),
    "posted_at": pa.timestamp("us", tz="UTC"),
    "text": pa.string(),
    "hashtags": pa.list_(pa.string()),
    "retweets": pa.int64(),
    "favourites": pa.int64(),
    "followers": pa.int64(),
    "friends": pa.int64(),
    "media": pa.list_(pa.string()),
    "is_retweet": pa.bool_(),
}
_PANDAS_TYPES: dict[pa.DataType, Any] = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
# From pandas 3 on text has a type of its own, which a column without any text should have too.
if isinstance(_text := pd.Series(["text"]).dtype, pd.StringDtype):
    _PANDAS_TYPES[pa.string()] = _text


def check_texts(row: PostRow) -> PostRow:
    """Check that what should be text is text, since a column of a table holds nothing else; gives it back."""
    for name in ("author", "text"):
        value = getattr(row, name)
        if value is not None and not isinstance(value, str):
            raise MalformedPostError(f"expected {name} as text, got {value!r:.60}")
    for name in ("hashtags", "media"):
        for value in getattr(row, name):
            if not isinstance(value, str):
                raise MalformedPostError(f"expected {name} as text, got {value!r:.60}")
    return row


def make_schema(record: dict[str, Any] | None = None) -> pa.Schema:
    """Give the Arrow schema, with what pandas needs to read it back and the record of how it was made."""
    plain = pa.schema(_TYPES)
    as_pandas = pa.Table.from_pandas(make_frame(plain.empty_table()), preserve_index=False).schema.metadata
    return plain.with_metadata(
        {b"pandas": as_pandas[b"pandas"], b"visclust": json.dumps(record or {}).encode()}
    )


def make_batch(rows: list[PostRow], schema: pa.Schema) -> pa.RecordBatch:
    """Make an Arrow batch of rows, one at least; halves of surrogate pairs in them are mended."""
    columns = zip(*rows, strict=True)
    arrays = [_make_array(list(values), field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.record_batch(arrays, schema=schema)


def _make_array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Make a column; its texts are gone through one by one only where Arrow refuses them."""
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:
        return pa.array([_mend(value) for value in values], kind)


def mend_text(text: str) -> str:
    """Put the replacement character where half of a surrogate pair stands, as cut emoji leave it."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _mend(value: Any) -> Any:
    if isinstance(value, str):
        return mend_text(value)
    return [_mend(each) for each in value] if isinstance(value, list | tuple) else value


def make_frame(table: pa.Table) -> pd.DataFrame:
    """Turn the Arrow table into the posts table of pandas, column by column to keep the peak low.

    Lists are Python lists, counts Int64, times in UTC.
    """
    columns = {}
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_list(column.type):
            columns[name] = pd.Series(column.to_pylist(), dtype=object)
        else:
            columns[name] = column.to_pandas(types_mapper=_PANDAS_TYPES.get)
    return pd.DataFrame(columns)


def strip_hash_sign(hashtag: str) -> str:
    """Take spaces and the '#' (or the full-width '＃') from the front of a hashtag."""
    return hashtag.strip().lstrip("#＃")


def unique(names: Iterable[str | None]) -> list[str]:
    """Keep each name once, in the order of its first coming, without the empty."""
    return [name for name in dict.fromkeys(names) if name]
