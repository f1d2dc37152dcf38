"""Uses of hashtags as a table: which post uses which hashtag on which day, upper and lower case alike."""

import unicodedata
import warnings
from itertools import chain
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_list_like

from visclust.post_rows import strip_hash_sign

__all__ = ["HashtagUses", "has_capital", "list_uses", "number_days", "start_of_days"]


class HashtagUses(NamedTuple):
    """Uses (``row`` of the posts, ``day``, ``key`` and ``form`` by number), and the forms as written."""

    uses: pd.DataFrame
    forms: np.ndarray
    last_day: int


def list_uses(posts: pd.DataFrame, *, timezone: str) -> HashtagUses:
    """List which post uses which hashtag on which day.

    Parameters
    ----------
    posts : DataFrame
        With ``posted_at`` and ``hashtags``.
    timezone : str
        Whose midnights part the days, such as "UTC" or "America/New_York".

    Returns
    -------
    uses : DataFrame
        ``row`` (position of the post), ``day`` (days since 1970-01-01 in that zone), ``key`` (number of the
        hashtag, the same for every way to write it), ``form`` (number of the way in which it is written).
        A post that repeats a hashtag uses it once. Posts without a time are left out, with a warning. A
        missing list, or a missing name in one, is no hashtag.
    forms : ndarray of text
        The hashtag as written, by number, without '#'.
    last_day : int
        The last day with a post.
    """
    days = number_days(posts["posted_at"], timezone=timezone)
    if days.isna().any():
        warnings.warn(
            f"{int(days.isna().sum()):,} of {len(posts):,} posts have no time and are left out.", stacklevel=3
        )
    listed = [[tag for tag in tags if tag] if is_list_like(tags) else [] for tags in posts["hashtags"]]
    lengths = np.array([len(tags) for tags in listed], dtype="int64")
    flat = np.array(list(chain.from_iterable(listed)), dtype=object)
    written, raw = pd.factorize(flat)
    # The same letters may be stored in two ways (é as one character or two); NFC makes them one.
    cleaned = [unicodedata.normalize("NFC", strip_hash_sign(str(form))) for form in raw]
    form_of, forms = pd.factorize(np.array(cleaned, dtype=object))
    key_of, _ = pd.factorize(np.array([form.casefold() for form in forms], dtype=object))
    form = form_of[written] if len(flat) else np.array([], dtype="int64")
    row = np.repeat(np.arange(len(posts)), lengths)
    day = days.to_numpy(dtype="float64", na_value=np.nan)[row]
    uses = pd.DataFrame({"row": row, "day": day, "key": key_of[form] if len(form) else form, "form": form})
    uses = uses.dropna().astype("int64").drop_duplicates(["row", "key"], ignore_index=True)
    return HashtagUses(uses, np.asarray(forms, dtype=object), int(days.max()) if days.notna().any() else 0)


def number_days(times: pd.Series, *, timezone: str) -> pd.Series:
    """Give the number of the day that each time falls on in a timezone.

    Parameters
    ----------
    times : Series of times
        Those without a zone are UTC.
    timezone : str
        Whose midnights part the days.

    Returns
    -------
    Series of Int64
        Days since 1970-01-01; missing where the time is.
    """
    if times.dt.tz is None:
        times = times.dt.tz_localize("UTC")
    local = times.dt.tz_convert(timezone).dt.tz_localize(None)
    number = (local - pd.Timestamp(0)) // pd.Timedelta(days=1)
    return number.astype("Int64")


def start_of_days(days: np.ndarray, *, timezone: str) -> pd.DatetimeIndex:
    """Give the moment at which each day begins in a timezone.

    Parameters
    ----------
    days : ndarray of int
        Days since 1970-01-01.
    timezone : str
        Whose midnights they are.

    Returns
    -------
    DatetimeIndex
        With that zone. Where a clock change leaves a day without a midnight, its first moment; where there
        are two, the first.
    """
    midnights = pd.DatetimeIndex(
        np.asarray(days, dtype="int64").astype("datetime64[D]").astype("datetime64[s]")
    )
    return midnights.tz_localize(
        timezone, ambiguous=np.ones(len(midnights), dtype=bool), nonexistent="shift_forward"
    )


def has_capital(form: str) -> bool:
    """Say whether a hashtag has a capital after its first character, as names written together have.

    Parameters
    ----------
    form : str
        As written, without '#'.

    Returns
    -------
    bool
        Whether any character but the first is an upper-case (or title-case) letter of any script.

    Examples
    --------
    >>> has_capital("FamiliesBelongTogether"), has_capital("Immigration")
    (True, False)
    """
    return any(unicodedata.category(character) in ("Lu", "Lt") for character in form[1:])
