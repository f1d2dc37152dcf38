"""Cells of posts, as CSV, Parquet and JSON hold them: read as ids, times, counts, texts, hashtags and media.

What cannot be read raises MalformedPostError, whose text is the reason.
"""

import ast
import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath
from typing import Any

import pandas as pd
import regex

from visclust.base.cells import is_missing_word, read_truth as read_word_of_truth, unwrap_cell
from visclust.corpus.post_rows import MalformedPostError, strip_hash_sign, unique
from visclust.images.reading import IMAGE_ENDINGS

# How often something was taken for something else: by column, and what was done.
Notes = Counter[tuple[str, str]]

# As spreadsheets and floating-point columns write numbers: 1.05E+18, 1,05E+18, 1050118621198921728.0.
_ROUNDED = re.compile(r"\d+\.\d*([eE][+-]?\d+)?|\d+(,\d+)?[eE][+-]\d+|\d+,\d+[eE]\d+")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_V1_TIME = re.compile(r"\w{3} (\w{3}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) ([+-]\d{4}) (\d{4})")
_MAIL_TIME = re.compile(r"(?:[A-Za-z]{3}, )?\d{1,2} [A-Za-z]{3} \d{4} [\d:]+ (?:GMT|UTC|[+-]\d{4})")
_NAMED_ZONE = re.compile(r"\s*\(?\b(UTC|GMT|Z)\)?$")
_SLASHED = re.compile(
    r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d\d)(?:(,? )(\d{1,2}):\d\d(:\d\d)?( ?[APap][Mm])?)?$"
)
# Posts are of these years; a number that gives another is no time in that unit.
_FIRST_YEAR = 1980
_UNITS = (("seconds", 1), ("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9))
_WRITTEN = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}

# Inside a hashtag stand combining marks and the joiners of Persian and Indic scripts, and the marks that
# Twitter allows: middle dots, the Hebrew maqaf and geresh, Tibetan and Japanese marks.
_IN_TAG = (
    r"[\p{L}\p{N}\p{M}_\u200c\u200d\u00b7\u05be\u05f3\u05f4\u0f0b\u0f0c\u30a0\u30fb\u309b\u309c\uff5e\u301c]"
)
_HASHTAG = regex.compile(rf"(?<![\p{{L}}\p{{N}}\p{{M}}_&/])[#＃]({_IN_TAG}*\p{{L}}{_IN_TAG}*)")
_BETWEEN_MEDIA = re.compile(r"[|;\n]|,\s*(?=https?://)")
# Under these an item of a list of media has its address: Twitter's API, scrapers, Telegram and others.
_MEDIA_KEYS = (
    "url", "preview_image_url", "media_url_https", "media_url", "fullUrl", "image_url", "display_url",
    "thumbnailUrl", "thumbnail_url", "previewUrl", "src", "path", "file",
)  # fmt: skip
# Lists as JSON, Python, numpy, R, SQL and Spark write them: what stands before and behind the items.
_WRAPPED = re.compile(
    r"(?:np\.|numpy\.)?(?:c|list|array|set|frozenset|tuple|WrappedArray)?\((.*?)(?:,\s*dtype=[^)]*)?\)"
    r"|\[(.*)\]|\{(.*)\}",
    re.DOTALL,
)
_EMPTY = re.compile(r"(?:character|logical|list|c|set|array)\(0?\)")
_QUOTED = re.compile(r"""("(?:[^"\\]|\\.|"")*"|'(?:[^'\\]|\\.)*'|[^\s,;|"'][^,;|]*)|[\s,;|]+""")
_BRACKETS = re.compile(r"""[\[\](){}"<>]|^'|'$""")


def read_id(value: Any) -> str:
    """Read the id of a post as text.

    One that is missing is refused, and so is a floating-point number, or text that looks like one: 64-bit ids
    do not survive those.
    """
    if isinstance(value, bool | list | dict | bytes):
        raise MalformedPostError(f"expected the post id as text or a whole number, got {value!r:.60}")
    text = "" if _is_missing(value) else unwrap_cell(str(value)).strip()
    if is_missing_word(text):
        raise MalformedPostError("no post id")
    if isinstance(value, float) or _ROUNDED.fullmatch(text):
        raise MalformedPostError(f"the post id {text} is a rounded number: its last digits are lost")
    return re.sub(r"^'(?=\d+$)", "", text)  # the apostrophe by which spreadsheets keep numbers as text


def read_time(
    value: Any, *, form: str | None = None, zone: tzinfo | None = None, notes: Notes | None = None
) -> datetime | None:
    """Read a time as an aware datetime in UTC; None where the cell is empty.

    A datetime, ISO 8601, the forms of Twitter's API and of e-mail, and numbers since 1970 in a unit that
    gives a plausible year are known; `form` is the `strptime` form of other texts. A time without a zone is
    of `zone`, or of UTC. `notes` counts what was taken for something else.
    """
    notes = Counter() if notes is None else notes
    if _is_missing(value) or (isinstance(value, str) and is_missing_word(value)):
        return None
    if isinstance(value, datetime):
        when = value
    elif isinstance(value, date):
        when = datetime(value.year, value.month, value.day)
    elif form is not None:
        whole = isinstance(value, float) and value.is_integer()
        when = _parse_form(str(int(value)) if whole else str(value).strip(), form)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        when = _parse_number(value, notes)
    else:
        text = str(value).strip()
        when = _parse_number(text, notes) if re.fullmatch(r"-?\d+(\.\d*)?", text) else _parse_time(text)
    if when.tzinfo is None:
        if zone is None:
            notes["posted_at", "without a time zone, taken for UTC (say which it is with time_zone=)"] += 1
        when = when.replace(tzinfo=zone or UTC)
    try:
        when = when.astimezone(UTC)
    except OverflowError as error:  # the last hours of year 9999, the first of year 1
        raise MalformedPostError(f"the time {value!s} is beyond the calendar in UTC") from error
    if not _is_plausible(when):
        notes["posted_at", f"before {_FIRST_YEAR} or in the future, kept as it stands"] += 1
    return when


def _is_plausible(when: datetime) -> bool:
    return _FIRST_YEAR <= when.year <= datetime.now(UTC).year + 1


def _parse_form(text: str, form: str) -> datetime:
    """Read a time of a form; of named zones only UTC, since others are not the same everywhere."""
    zone = r"(?<!%)((?:%%)*)%Z"
    tried = (
        [re.sub(zone, rf"\1{name}", form) for name in ("UTC", "GMT", "Z")] if re.search(zone, form) else []
    )
    for each in tried or [form]:
        try:
            when = datetime.strptime(text, each)
        except ValueError:
            continue
        return when.replace(tzinfo=UTC) if tried else when
    if tried:
        raise MalformedPostError(
            f"the time {text!r} cannot be read: of the zones that %Z names only UTC and GMT mean the same "
            "everywhere. Write the others as offsets, such as -0400, and %z in time_format="
        )
    raise MalformedPostError(f"the time {text!r} cannot be read: not of the form {form!r}")


def _parse_time(text: str) -> datetime:
    bare = _NAMED_ZONE.sub("+00:00", text) if text[:4].isdigit() else text
    try:
        if not text[:4].isdigit() and (found := _V1_TIME.fullmatch(text)):
            month, day, hour, minute, second, zone, year = found.groups()
            return datetime.fromisoformat(
                f"{year}-{_MONTHS.index(month) + 1:02}-{int(day):02}T{hour}:{minute}:{second}{zone}"
            )
        if _MAIL_TIME.fullmatch(text):
            return parsedate_to_datetime(text).replace(
                tzinfo=UTC if text.endswith(("GMT", "UTC")) else parsedate_to_datetime(text).tzinfo
            )
        return datetime.fromisoformat(bare)
    except (ValueError, TypeError) as error:
        raise MalformedPostError(f"the time {text!r} cannot be read: {_suggest_form(text)}") from error


def _suggest_form(text: str) -> str:
    """Say which time_format= to give."""
    usual = "expected ISO 8601, such as 2018-06-14T12:00:00Z"
    if re.search(r"\d ?\(?[A-Z]{1,5}\)?$", text) and not text.endswith(("AM", "PM")):
        return f"{usual}; write the time zone as an offset, such as -04:00, since its name is not unique"
    if not (found := _SLASHED.fullmatch(text)):
        return f"{usual}; say its form with time_format=, such as time_format='%d %B %Y %H:%M'"
    first, mark, second, year, gap, hour, seconds, half = found.groups()
    rest = f"{mark}{'%Y' if len(year) == 4 else '%y'}"
    if hour:
        clock = "%I:%M" if half else "%H:%M"
        rest += gap + clock + (":%S" if seconds else "")
        rest += (half[:-2] + "%p") if half else ""
    ways = []
    if int(first) <= 31 and int(second) <= 12:
        ways.append(f"time_format='%d{mark}%m{rest}' (day first)")
    if int(first) <= 12 and int(second) <= 31:
        ways.append(f"time_format='%m{mark}%d{rest}' (month first)")
    return f"{usual}; give {' or '.join(ways)}" if ways else usual


def _parse_number(value: Any, notes: Notes) -> datetime:
    """Read a number: since 1970 in the unit that gives a plausible year, or the digits of a date."""
    text = str(value)
    if isinstance(value, float) and value.is_integer():
        text = str(int(value))
    if (form := _WRITTEN.get(len(text))) and text.isdigit():
        try:
            when = datetime.strptime(text, form)
        except ValueError:
            when = None
        if when is not None and _is_plausible(when):
            notes["posted_at", "numbers such as 20180614 read as year, month and day"] += 1
            return when
    for unit, factor in _UNITS:
        try:
            number = (
                int(text) * 10**6 // factor if text.lstrip("-").isdigit() else float(text) * 10**6 / factor
            )
            when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=number)
        except (ValueError, OverflowError):
            continue
        if _is_plausible(when):
            if factor > 1:
                notes["posted_at", f"read as {unit} since 1970"] += 1
            return when
    try:
        days = float(text)
    except ValueError:
        days = 0
    hint = (
        "it may be a spreadsheet's count of days: format the column as date and time, and save again"
        if 20_000 < days < 80_000
        else "say its form with time_format= or write ISO 8601, such as 2018-06-14T12:00:00Z"
    )
    raise MalformedPostError(
        f"the time {text} is a number that gives no year from {_FIRST_YEAR} on, in seconds since 1970 or "
        f"smaller units; {hint}"
    )


def read_count(value: Any, name: str) -> int | None:
    """Read a count; None where the source does not say, which is not 0."""
    if isinstance(value, int) and not isinstance(value, bool):
        count = value
    elif _is_missing(value) or is_missing_word(str(value)):
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


def read_author(value: Any) -> str | None:
    """Read an author's name: text, or that of a user whom a dictionary describes, as scrapers write them."""
    found = value
    if isinstance(value, str) and value.startswith("{") and value.endswith("}"):
        items = _read_list(value)
        found = items[0] if items and isinstance(items[0], dict) else value
    if isinstance(found, dict):
        return _pick(found, ("username", "screen_name", "userName", "handle", "name", "id")) or None
    return read_text(found)


def read_truth(value: Any) -> bool | None:
    """Read yes or no in any common language; None where the cell is empty."""
    try:
        return None if _is_missing(value) else read_word_of_truth(value)
    except ValueError as error:
        raise MalformedPostError(str(error)) from error


def _is_missing(value: Any) -> bool:
    """Say whether a cell holds nothing: None, NaN, NaT or NA."""
    return (
        value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value))
    )


def list_hashtags(value: Any) -> list[str]:
    """List the hashtags of a cell, without '#', each once.

    The cell is a list, a list written as text, or names with commas or spaces between. What still holds
    brackets or quotation marks after that is refused: it is a list in a notation that is not known.
    """
    items = _read_list(value, spaces=True)
    if items is None:
        items = re.split(r"[\s,;|]+|(?<=\w)(?=[#＃])", str(value))
    found = unique(strip_hash_sign(_pick(item, ("tag", "text", "name", "hashtag"))) for item in items)
    if strange := [tag for tag in found if _BRACKETS.search(tag)]:
        raise MalformedPostError(
            f"the hashtags {strange[0]!r:.60} are a list in a notation that is not known"
        )
    return found


def find_hashtags(text: str | None) -> list[str]:
    """Find the hashtags in a text, each once, for sources that have no column of them.

    As on Twitter, a hashtag holds one letter at least; combining marks belong to it.
    """
    return unique(_HASHTAG.findall(text)) if text else []


def list_media(value: Any, *, commas: bool = False) -> list[str]:
    """List the media of a cell, file names or addresses, each once.

    The cell is a list, one written as text, or names with '|', ';' or newlines between. With `commas` every
    comma parts too; otherwise only one before an address does, since file names may hold commas. They may
    hold a ';' as well: one behind a piece without an ending, in "smoke; fire.jpg", parts nothing.
    """
    items = _read_list(value)
    if items is None:
        items = re.split(r"[|;,\n]", str(value)) if commas else _split_media(str(value))
    return unique(_pick(item, _MEDIA_KEYS).strip() for item in items)


def _split_media(text: str) -> list[str]:
    """Split names of files and addresses, those that hold a ';' themselves left whole."""
    pieces = _BETWEEN_MEDIA.split(text)
    marks = [match[0] for match in _BETWEEN_MEDIA.finditer(text)]
    names = pieces[:1]
    for mark, piece in zip(marks, pieces[1:], strict=True):
        bare = names[-1] and not PurePosixPath(names[-1]).suffix
        is_file = PurePosixPath(pieces[-1]).suffix.lower() in IMAGE_ENDINGS
        if mark == ";" and bare and is_file and "://" not in names[-1] + piece:
            names[-1] += mark + piece
        else:
            names.append(piece)
    return names


def _read_list(value: Any, *, spaces: bool = False) -> list[Any] | None:
    """Give the items where the cell is a list or writes one in a known notation; None for other text.

    With `spaces` they part the bare items where nothing else does.
    """
    if _is_missing(value):
        return []
    if isinstance(value, dict):
        return [value]
    if not isinstance(value, str):
        return list(value) if isinstance(value, Iterable) else [value]
    text = unwrap_cell(value).strip()
    if is_missing_word(text):
        return []
    if _EMPTY.fullmatch(text):
        return []
    for read in (json.loads, ast.literal_eval):  # literals only: nothing in the cell is run
        # Python joins two texts that stand side by side, and its sets have no order: it gets dictionaries.
        if text[:1] not in "[{(" or (read is ast.literal_eval and not re.search(r"\{.*:", text, re.DOTALL)):
            continue
        try:
            found = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list | tuple | dict):
            return [found] if isinstance(found, dict) else list(found)
    if wrapped := _WRAPPED.fullmatch(text):
        inner = next(part for part in wrapped.groups() if part is not None)
        if re.fullmatch(r"\s*[\[(].*[\])]\s*", inner, re.DOTALL):  # array(['a', 'b'])
            return _read_list(inner, spaces=spaces)
        if spaces and not re.search(r"""[,;|"']""", inner):
            return [item for item in inner.split() if not is_missing_word(item)]
        return _split_items(inner)
    if re.fullmatch(r"""(["']).*\1""", text, re.DOTALL) and re.search(r"""["']\s*[,;|\s]\s*["']""", text):
        return _split_items(text)
    return None


def _split_items(text: str) -> list[str]:
    """Split the items of a list, in quotation marks or bare; bare words for missing are none."""
    found: list[str] = []
    at = 0
    while at < len(text):
        match = _QUOTED.match(text, at)
        if match is None:
            return [text]  # a mark that opens and never closes
        at = match.end()
        item = (match[1] or "").strip()
        if item[:1] in ("'", '"'):
            inner = item[1:-1].replace('""', '"') if item[0] == '"' else item[1:-1]
            found.append(re.sub(r"\\(.)", r"\1", inner))
        elif item and not is_missing_word(item):
            found.append(item)
    return found


def _pick(item: Any, keys: tuple[str, ...]) -> str:
    """Give the name in an item of a list: the item itself, or what a dictionary has under a known key."""
    if isinstance(item, dict):
        if item and not any(key in item for key in keys):
            shown = ", ".join(map(str, list(item)[:5]))
            raise MalformedPostError(f"a list with an item whose keys are {shown}: none of them is known")
        return next((str(item[key]) for key in keys if item.get(key)), "")
    return "" if _is_missing(item) else str(item)
