"""Replay the tracking of hashtags: which enter through the accounts, how long they stay, what they find."""

import unicodedata
import warnings
from itertools import chain
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_list_like

from visclust.base.checks import check_whole_number
from visclust.base.provenance import recorded
from visclust.base.simulated import mark_simulated
from visclust.base.tables import check_posts
from visclust.corpus.accounts import check_accounts, match_authors, refuse_strangers
from visclust.corpus.post_rows import strip_hash_sign
from visclust.corpus.summary import number_days, start_of_days

_NOT_RENEWED, _POSTS_END = "not renewed", "posts end"


class TrackedHashtags(NamedTuple):
    """What `track_hashtags` returns: the spans of tracking, and the posts that each collects."""

    spans: pd.DataFrame
    posts: pd.DataFrame


@recorded
def track_hashtags(
    posts: pd.DataFrame,
    accounts: pd.DataFrame,
    *,
    min_uses: int = 2,
    min_length: int = 12,
    days: int = 2,
    renewed_by: str = "organization",
    need_capital: bool = True,
    with_entry_day: bool = False,
    timezone: str = "UTC",
) -> TrackedHashtags:
    """Replay which hashtags a collection would have tracked, and the posts that they would have brought in.

    Parameters
    ----------
    posts : DataFrame
        The posts table: those of the accounts, and those of everybody else, among which the tracked
        hashtags collect.
    accounts : DataFrame
        ``account`` (name, with or without '@'), ``kind`` ("organization", "politician", "media", …). Where
        a column ``simulated`` marks them as made up, it goes on to both tables of the result.
    min_uses : int, default 2
        A hashtag must be used in more posts than this.
    min_length : int, default 12
        Characters at least, without '#'.
    days : int, default 2
        For how many days a hashtag is tracked before it is looked at again.
    renewed_by : str, default "organization"
        The kind of account that can renew a hashtag.
    need_capital : bool, default True
        Whether a hashtag needs a capital after its first character. Scripts without capitals (Arabic,
        Chinese, …) can only enter without this rule.
    with_entry_day : bool, default False
        Collect the posts of the day on which a hashtag met the rule as well: a search backwards could, a
        collection that looks at each day when it is over could not.
    timezone : str, default "UTC"
        Whose midnights part the days.

    Returns
    -------
    spans : DataFrame
        A row per hashtag and time of tracking: ``hashtag`` (as the account that brought it in wrote it most),
        ``met`` (the day on which it met the rule of entry), ``entered`` and ``left`` (the midnights between
        which it was tracked), ``entered_by`` and ``kind`` (the account that used it most on that day),
        ``uses`` (that account's posts with it on that day), ``renewals``, ``reason`` ("not renewed", or
        "posts end" where the posts end before the next look), ``posts`` (collected).
    posts : DataFrame
        ``hashtag, post_id, span`` (the row of `spans`): the posts that use a hashtag while it is tracked.

    Raises
    ------
    ValueError
        If a column is missing or of another type, a post comes twice, a setting is out of range, or no
        account is of the kind `renewed_by`, or no account is the author of a post.

    Notes
    -----
    The rules, day by day:

    1. A day is looked at when it is over. A hashtag that is not tracked on it enters if one account has used
       it in more than `min_uses` of its posts of that day, if it has `min_length` characters, and if that
       account wrote it with a capital after its first character at least once.
    2. It is then tracked on the following `days` days.
    3. At their end it leaves, unless one account of the kind `renewed_by` has used it in more than
       `min_uses` posts within these `days` days, all together. Then it is tracked for another `days` days,
       and so on.
    4. What an account does with a hashtag while that is tracked does not count as an entry. After it has
       left, it may enter again.

    Ways to write a hashtag that differ in upper and lower case only are one hashtag; the rule of the capital
    looks at each as it is written. A post that repeats a hashtag uses it once. Retweets among `posts` count
    as posts of the account that shared them; leave them out first if they should not.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, Appendix A.

    Examples
    --------
    >>> day, tag = pd.Timestamp("2018-06-14", tz="UTC"), ["FamiliesBelongTogether"]
    >>> posts = pd.DataFrame({
    ...     "post_id": ["1", "2", "3", "4"], "author": ["aclu", "aclu", "aclu", "ada"],
    ...     "posted_at": [day, day, day, day + pd.Timedelta(days=1)], "hashtags": [tag] * 4})
    >>> accounts = pd.DataFrame({"account": ["ACLU"], "kind": ["organization"]})
    >>> tracked = track_hashtags(posts, accounts)
    >>> tracked.spans[["hashtag", "entered_by", "uses", "posts"]]
                      hashtag entered_by  uses  posts
    0  FamiliesBelongTogether       ACLU     3      1
    >>> tracked.posts["post_id"].tolist()
    ['4']
    """
    given, accounts = accounts, check_accounts(accounts)
    _check(posts, accounts, min_uses, min_length, days, renewed_by)
    uses, forms, last_day = _list_uses(posts, timezone=timezone)
    refuse_strangers(posts["author"], accounts)
    account = match_authors(posts["author"], accounts).to_numpy(dtype="float64", na_value=np.nan)
    theirs = uses.assign(account=account[uses["row"].to_numpy()]).dropna(subset=["account"])
    theirs = theirs.astype({"account": "int64"})
    fits = np.array([not need_capital or _has_capital(form) for form in forms], dtype=bool)
    fits &= np.array([len(form) >= min_length for form in forms], dtype=bool)
    entries = _find_entries(theirs, fits, min_uses)
    renewing = theirs.loc[accounts["kind"].eq(renewed_by).to_numpy()[theirs["account"].to_numpy()]]
    found = _replay(entries, renewing, min_uses=min_uses, days=days, last_day=last_day)
    spans = _name_spans(found, theirs, fits, forms)
    collected = _collect(uses, spans, first_shift=0 if with_entry_day else 1)
    collected["post_id"] = posts["post_id"].astype(str).to_numpy()[collected["row"].to_numpy()]
    counts = collected["span"].value_counts().reindex(spans.index, fill_value=0)
    spans = pd.DataFrame(
        {
            "hashtag": spans["hashtag"],
            "met": start_of_days(spans["met"].to_numpy(), timezone=timezone),
            "entered": start_of_days(spans["met"].to_numpy() + 1, timezone=timezone),
            "left": start_of_days(spans["end"].clip(upper=last_day).to_numpy() + 1, timezone=timezone),
            "entered_by": accounts["account"].to_numpy()[spans["account"].to_numpy()],
            "kind": accounts["kind"].to_numpy()[spans["account"].to_numpy()],
            "uses": spans["uses"],
            "renewals": spans["renewals"],
            "reason": spans["reason"],
            "posts": counts,
        }
    )
    return TrackedHashtags(
        mark_simulated(spans, given),
        mark_simulated(collected[["hashtag", "post_id", "span"]].reset_index(drop=True), given),
    )


def _check(
    posts: pd.DataFrame, accounts: pd.DataFrame, min_uses: int, min_length: int, days: int, renewed_by: str
) -> None:
    """Check posts and settings; the accounts are checked before."""
    check_posts(posts, ["author", "posted_at", "hashtags"])
    for name, value, least in (("min_uses", min_uses, 0), ("min_length", min_length, 1), ("days", days, 1)):
        check_whole_number(name, value, least=least)
    if not accounts["kind"].eq(renewed_by).any():
        kinds = ", ".join(sorted(accounts["kind"].unique()))
        raise ValueError(
            f"No account is of the kind {renewed_by!r}, which renews hashtags; the kinds are {kinds}. "
            "Name the kind that does with renewed_by=."
        )


class _HashtagUses(NamedTuple):
    """Uses of hashtags, the hashtags as written (by their ``form``, without '#'), and the last day of posts.

    `uses` has ``row`` (position of the post), ``day`` (since 1970-01-01), ``key`` (number of the hashtag, the
    same for every way to write it) and ``form`` (number of the way in which it is written).
    """

    uses: pd.DataFrame
    forms: np.ndarray
    last_day: int


def _list_uses(posts: pd.DataFrame, *, timezone: str) -> _HashtagUses:
    """List which post uses which hashtag on which day, each once; posts without a time only in a warning.

    A missing list of hashtags, or a missing name in one, is no hashtag.
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
    return _HashtagUses(uses, np.asarray(forms, dtype=object), int(days.max()) if days.notna().any() else 0)


def _has_capital(form: str) -> bool:
    """Say whether a hashtag has a capital after its first character, as names written together have."""
    return any(unicodedata.category(character) in ("Lu", "Lt") for character in form[1:])


def _find_entries(theirs: pd.DataFrame, fits: np.ndarray, min_uses: int) -> pd.DataFrame:
    """Hashtag, day, account and uses wherever the rule of entry is met; of several accounts the busiest."""
    theirs = theirs.assign(fits=fits[theirs["form"].to_numpy()])
    groups = theirs.groupby(["key", "day", "account"], sort=True)["fits"]
    table = groups.agg(["size", "any"]).reset_index()
    table = table.loc[table["any"] & table["size"].gt(min_uses)].rename(columns={"size": "uses"})
    table = table.sort_values(["key", "day", "uses", "account"], ascending=[True, True, False, True])
    return table.drop_duplicates(["key", "day"])[["key", "day", "account", "uses"]]


def _replay(
    entries: pd.DataFrame, renewing: pd.DataFrame, *, min_uses: int, days: int, last_day: int
) -> pd.DataFrame:
    """Go through each hashtag's days of entry and the looks at it that follow."""
    renewing = renewing.loc[renewing["key"].isin(entries["key"])].sort_values("day")
    by_key = {
        key: (part["day"].to_numpy(), part["account"].to_numpy()) for key, part in renewing.groupby("key")
    }
    nobody = (np.array([], dtype="int64"), np.array([], dtype="int64"))
    rows = []
    for key, part in entries.groupby("key", sort=False):
        used_on, used_by = by_key.get(key, nobody)
        tracked_until = -np.inf
        for day, account, uses in zip(part["day"], part["account"], part["uses"], strict=True):
            if day <= tracked_until:
                continue
            end, renewals, reason = day + days, 0, _POSTS_END
            while end <= last_day:
                first, beyond = np.searchsorted(used_on, [end - days + 1, end + 1])
                if not _is_renewed(used_by[first:beyond], min_uses):
                    reason = _NOT_RENEWED
                    break
                end, renewals = end + days, renewals + 1
            tracked_until = end
            rows.append((key, day, end, account, uses, renewals, reason))
    names = ["key", "met", "end", "account", "uses", "renewals", "reason"]
    return pd.DataFrame(rows, columns=names).astype(dict.fromkeys(names[:-1], "int64"))


def _is_renewed(used_by: np.ndarray, min_uses: int) -> bool:
    """Say whether one account alone made more uses than `min_uses`."""
    return bool((np.unique(used_by, return_counts=True)[1] > min_uses).any())


def _name_spans(
    spans: pd.DataFrame, theirs: pd.DataFrame, fits: np.ndarray, forms: np.ndarray
) -> pd.DataFrame:
    """Name each hashtag as the account that first brought it in wrote it most on that day."""
    first = spans.sort_values("met").drop_duplicates("key")
    written = theirs.loc[fits[theirs["form"].to_numpy()]].merge(
        first[["key", "met", "account"]],
        left_on=["key", "day", "account"],
        right_on=["key", "met", "account"],
    )
    often = written.groupby(["key", "form"]).size().rename("n").reset_index()
    often = often.sort_values(["n", "form"], ascending=[False, True]).drop_duplicates("key")
    names = dict(zip(often["key"], forms[often["form"].to_numpy()], strict=True))
    named = spans.assign(hashtag=spans["key"].map(names).astype("str"))
    return named.sort_values(["met", "hashtag"], kind="stable", ignore_index=True)


def _collect(uses: pd.DataFrame, spans: pd.DataFrame, *, first_shift: int) -> pd.DataFrame:
    """Find the uses of a hashtag while it is tracked, each with the row of its span."""
    starts = spans.assign(first=spans["met"] + first_shift, span=spans.index)
    starts = starts[["first", "key", "hashtag", "end", "span"]].sort_values("first", kind="stable")
    mine = uses.loc[uses["key"].isin(spans["key"]), ["row", "day", "key"]].sort_values("day", kind="stable")
    joined = pd.merge_asof(mine, starts, left_on="day", right_on="first", by="key").dropna(subset=["span"])
    joined = joined.loc[joined["day"].le(joined["end"])].astype({"span": "int64"})
    return joined.sort_values(["span", "row"], kind="stable")
