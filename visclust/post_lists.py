"""Cells that hold several names: the hashtags and the media of a post, however a file writes them."""

import ast
import json
import re
from collections.abc import Iterable
from typing import Any

from visclust.post_cells import is_missing
from visclust.post_rows import strip_hash_sign, unique

__all__ = ["find_hashtags", "list_hashtags", "list_media"]

_HASHTAG = re.compile(r"(?<![\w&/])[#＃](\w*[^\W\d]\w*)")
_BETWEEN_MEDIA = re.compile(r"[|;\n]|,\s*(?=https?://)")


def list_hashtags(value: Any) -> list[str]:
    """List the hashtags of a cell: a list, a list written as text, or names with commas or spaces between.

    Parameters
    ----------
    value : object
        A cell.

    Returns
    -------
    list of str
        Without '#', each once.

    Examples
    --------
    >>> list_hashtags("#one, #two"), list_hashtags("['one']")
    (['one', 'two'], ['one'])
    """
    items = _read_list(value)
    if items is None:
        items = re.split(r"[\s,;|]+|(?<=\w)(?=[#＃])", str(value))
    return unique(strip_hash_sign(_pick(item, ("tag", "text"))) for item in items)


def find_hashtags(text: str | None) -> list[str]:
    """Find the hashtags in a text, for sources that have no column of them.

    Parameters
    ----------
    text : str or None
        What the post says.

    Returns
    -------
    list of str
        Without '#', each once. As on Twitter, a hashtag holds one character at least that is no digit.

    Examples
    --------
    >>> find_hashtags("#FamiliesBelongTogether at 5, not #1 (a&#39;b)")
    ['FamiliesBelongTogether']
    """
    return unique(_HASHTAG.findall(text)) if text else []


def list_media(value: Any, *, commas: bool = False) -> list[str]:
    """List the media of a cell: a list, a list written as text, or names with '|', ';' or newlines between.

    Parameters
    ----------
    value : object
        A cell.
    commas : bool, default False
        Part at every comma too; otherwise only at one before an address, since file names may hold commas.

    Returns
    -------
    list of str
        File names or addresses, each once.

    Examples
    --------
    >>> list_media("one.jpg|two, too.jpg")
    ['one.jpg', 'two, too.jpg']
    """
    items = _read_list(value)
    if items is None:
        items = re.split(r"[|;,\n]", str(value)) if commas else _BETWEEN_MEDIA.split(str(value))
    wanted = ("url", "preview_image_url", "media_url_https", "media_url")
    return unique(_pick(item, wanted).strip() for item in items)


def _read_list(value: Any) -> list[Any] | None:
    """Give the items where the cell is a list or writes one as JSON or Python does; None for other text."""
    if is_missing(value):
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
    if isinstance(item, dict):
        return next((str(item[key]) for key in keys if item.get(key)), "")
    return "" if is_missing(item) else str(item)
