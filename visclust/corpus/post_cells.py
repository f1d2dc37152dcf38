"""Cells of posts, as CSV, Parquet and JSON hold them: read as ids, times, counts, texts, hashtags and media.

What cannot be read raises MalformedPostError, whose text is the reason.
"""

import ast
import json
import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd

from visclust.corpus.post_rows import MalformedPostError, strip_hash_sign, unique

# As spreadsheets and floating-point columns write numbers: 1.05E+18, 1050118621198921728.0.
_ROUNDED = re.compile(r"\d+\.\d*([eE][+-]?\d+)?|\d+[eE][+-]\d+")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_V1_TIME = re.compile(r"\w{3} (\w{3}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) ([+-]\d{4}) (\d{4})")
_NOTHING = {"", "nan", "nat", "none", "null"}
_TRUE, _FALSE = {"yes", "true", "1", "y", "t"}, {"no", "false", "0", "n", "f"}

_HASHTAG = re.compile(r"(?<![\w&/])[#＃](\w*[^\W\d]\w*)")
_BETWEEN_MEDIA = re.compile(r"[|;\n]|,\s*(?=https?://)")


def read_id(value: Any) -> str:
    """Read the id of a post as text.

    One that is missing is refused, and so is a floating-point number, or text that looks like one: 64-bit ids
    do not survive those.
    """
    if isinstance(value, bool | list | dict | bytes):
        raise MalformedPostError(f"expected the post id as text or a whole number, got {value!r:.60}")
    text = "" if _is_missing(value) else str(value).strip()
    if not text:
        raise MalformedPostError("no post id")
    if isinstance(value, float) or _ROUNDED.fullmatch(text):
        raise MalformedPostError(f"the post id {text} is a rounded number: its last digits are lost")
    return text


def read_time(value: Any, *, form: str | None = None) -> datetime | None:
    """Read a time as an aware datetime in UTC; None where the cell is empty.

    A datetime, ISO 8601, Twitter's "Wed Oct 10 20:19:24 +0000 2018" and seconds since 1970 are known; `form`
    is the `strptime` form of other texts. A time without a zone is UTC already.
    """
    if _is_missing(value):
        return None
    if isinstance(value, datetime):
        when = value
    elif isinstance(value, date):
        when = datetime(value.year, value.month, value.day)
    elif isinstance(value, int | float):
        return _from_seconds(float(value))
    else:
        text = str(value).strip()
        if text.lower() in _NOTHING:
            return None
        when = _parse_time(text, form)
    if when.tzinfo is None:
        return when.replace(tzinfo=UTC)
    try:
        return when.astimezone(UTC)
    except OverflowError as error:  # the last hours of year 9999, the first of year 1
        raise MalformedPostError(f"the time {value!s} is beyond the calendar in UTC") from error


def _parse_time(text: str, form: str | None) -> datetime:
    try:
        if form is not None:
            return datetime.strptime(text, form)
        if re.fullmatch(r"\d{9,11}(\.\d+)?", text):  # nine to eleven digits: seconds of 1973 to 5138
            return _from_seconds(float(text))
        if not text[:4].isdigit() and (found := _V1_TIME.fullmatch(text)):
            month, day, hour, minute, second, zone, year = found.groups()
            return datetime.fromisoformat(
                f"{year}-{_MONTHS.index(month) + 1:02}-{int(day):02}T{hour}:{minute}:{second}{zone}"
            )
        return datetime.fromisoformat(text)
    except ValueError as error:
        hint = f"not of the form {form!r}" if form else "expected ISO 8601, such as 2018-06-14T12:00:00Z"
        raise MalformedPostError(f"the time {text!r} cannot be read: {hint}") from error


def _from_seconds(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise MalformedPostError(f"the time {seconds:g} is not in seconds since 1970") from error


def read_count(value: Any, name: str) -> int | None:
    """Read a count; None where the source does not say, which is not 0."""
    if isinstance(value, int) and not isinstance(value, bool):
        count = value
    elif _is_missing(value) or str(value).strip().lower() in _NOTHING:
        return None
    else:
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if isinstance(value, bool) or not number.is_integer():
            raise MalformedPostError(f"{name} {value!r} is no whole number")
        count = int(number)
    if abs(count) >= 2**63:
        raise MalformedPostError(f"{name} {count} is too large")
    return count


def read_text(value: Any) -> str | None:
    """Read text; None where the cell is missing or empty."""
    return None if _is_missing(value) or value == "" else str(value)


def read_truth(value: Any) -> bool | None:
    """Read yes or no; None for anything else."""
    word = "" if _is_missing(value) else str(value).strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


def _is_missing(value: Any) -> bool:
    """Say whether a cell holds nothing: None, NaN, NaT or NA."""
    return (
        value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value))
    )


def list_hashtags(value: Any) -> list[str]:
    """List the hashtags of a cell, without '#', each once.

    The cell is a list, a list written as text, or names with commas or spaces between.
    """
    items = _read_list(value)
    if items is None:
        items = re.split(r"[\s,;|]+|(?<=\w)(?=[#＃])", str(value))
    return unique(strip_hash_sign(_pick(item, ("tag", "text"))) for item in items)


def find_hashtags(text: str | None) -> list[str]:
    """Find the hashtags in a text, each once, for sources that have no column of them.

    As on Twitter, a hashtag holds one character at least that is no digit.
    """
    return unique(_HASHTAG.findall(text)) if text else []


def list_media(value: Any, *, commas: bool = False) -> list[str]:
    """List the media of a cell, file names or addresses, each once.

    The cell is a list, one written as text, or names with '|', ';' or newlines between. With `commas` every
    comma parts too; otherwise only one before an address does, since file names may hold commas.
    """
    items = _read_list(value)
    if items is None:
        items = re.split(r"[|;,\n]", str(value)) if commas else _BETWEEN_MEDIA.split(str(value))
    wanted = ("url", "preview_image_url", "media_url_https", "media_url")
    return unique(_pick(item, wanted).strip() for item in items)


def _read_list(value: Any) -> list[Any] | None:
    """Give the items where the cell is a list or writes one as JSON or Python does; None for other text."""
    if _is_missing(value):
        return []
    if not isinstance(value, str):
        return list(value) if isinstance(value, Iterable) else [value]
    text = value.strip()
    if text.startswith("[") and text.endswith("]"):
        for read in (json.loads, ast.literal_eval):  # literals only: nothing in the cell is run
            try:
                found = read(text)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(found, list):
                return found
    return None


def _pick(item: Any, keys: tuple[str, ...]) -> str:
    """Give the name in an item of a list: the item itself, or what a dictionary has under a known key."""
    if isinstance(item, dict):
        return next((str(item[key]) for key in keys if item.get(key)), "")
    return "" if _is_missing(item) else str(item)
