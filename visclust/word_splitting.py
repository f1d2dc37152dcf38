"""Split the text of a post into words and hashtags, in any script that puts spaces between its words."""

import html
import re
import sys
import unicodedata
from functools import cache

__all__ = ["split_words"]

_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|\b(?:t\.co|pic\.twitter\.com)/\S+", re.IGNORECASE)
_RETWEET = re.compile(r"^\s*RT(?=\s+@)")
_MENTION = re.compile(r"\S+@\S+\.\w+|@\w+")


def split_words(text: str, *, min_length: int = 2) -> list[str]:
    """Split a text into its words and hashtags, lower-cased; addresses and mentions are left out.

    HTML entities are read as what they stand for, and compatible forms of a character are taken for one
    (Unicode NFKC). A hashtag keeps its '#', so that it is told from the same word in a sentence. A word holds
    letters, digits and combining marks, and apostrophes and hyphens inside. Emoji are not words. Scripts
    without spaces (Chinese, Thai) are not segmented: each run of letters is one word.

    Parameters
    ----------
    text : str
        What a post says.
    min_length : int, default 2
        Characters that a word must have, without the '#'.

    Returns
    -------
    list of str
        Words in their order, repeated as often as they occur.

    Examples
    --------
    >>> split_words("RT @ann: Don’t miss FAMILIES &amp; friends! #KeepTogether https://t.co/x1")
    ["don't", 'miss', 'families', 'friends', '#keeptogether']
    """
    text = unicodedata.normalize("NFKC", html.unescape(text)).replace("’", "'")
    for pattern in (_ADDRESS, _RETWEET, _MENTION):
        text = pattern.sub(" ", text)
    found = []
    for match in _word_pattern().finditer(text.lower()):
        word = match.group()
        if not word.startswith("#"):
            word = word.strip("_")
        letters = word.lstrip("#")
        if len(letters) >= min_length and any(character.isalnum() for character in letters):
            found.append(word)
    return found


@cache
def _word_pattern() -> re.Pattern[str]:
    """Make the pattern of a word; combining marks, which Python does not count as letters, are part."""
    marks = [code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)).startswith("M")]
    ranges = "".join(f"{chr(first)}-{chr(last)}" for first, last in _list_ranges(marks))
    # The two joiners are letters' neighbours in Persian and in Indic scripts.
    inside = rf"[\w{ranges}\u200c\u200d]"
    return re.compile(rf"#\w{inside}*|\w{inside}*(?:['-]\w{inside}*)*")


def _list_ranges(codes: list[int]) -> list[tuple[int, int]]:
    """Give the first and the last of each run of consecutive numbers."""
    ranges: list[tuple[int, int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1] = (ranges[-1][0], code)
        else:
            ranges.append((code, code))
    return ranges
