"""The accounts that a collection follows: matched with the authors of posts, and counted by kind."""

import pandas as pd

from visclust.base.cells import fold_header, fold_identity
from visclust.base.provenance import recorded
from visclust.base.simulated import mark_simulated
from visclust.base.tables import check_columns, check_posts
from visclust.corpus.post_rows import strip_hash_sign

_NEEDED = ["author", "posted_at", "hashtags", "followers"]


def check_accounts(accounts: pd.DataFrame) -> pd.DataFrame:
    """Check the table of accounts; gives ``account, kind`` and the ``key`` by which authors are matched."""
    if isinstance(accounts, pd.DataFrame):
        folded = {fold_header(name): name for name in reversed(accounts.columns)}
        absent = [name for name in ("account", "kind") if name not in accounts.columns and name in folded]
        accounts = accounts.rename(columns={folded[name]: name for name in absent})
    check_columns(accounts, ("account", "kind"), "the accounts")
    table = accounts[["account", "kind"]].reset_index(drop=True)
    if table.empty:
        raise ValueError("Expected at least one account to track, got none.")
    if table.isna().any(axis=None):
        row = table.loc[table.isna().any(axis=1)].iloc[0].tolist()
        raise ValueError(f"Expected an account and a kind in every row of the accounts, got {row}.")
    table = table.astype(str)
    table["key"] = [_make_key(name) for name in table["account"]]
    if table["key"].duplicated().any():
        twice = table.loc[table["key"].duplicated(), "account"].iloc[0]
        raise ValueError(
            f"Expected each account once, but {twice!r} comes twice (upper and lower case are the same). "
            "Give it one kind."
        )
    return table


def match_authors(authors: pd.Series, accounts: pd.DataFrame) -> pd.Series:
    """Find the row of each author in `check_accounts`' table, upper and lower case alike, as Twitter does.

    Gives Int64, missing for other authors.
    """
    rows = {key: row for row, key in enumerate(accounts["key"])}
    known = {name: rows.get(_make_key(name)) for name in authors.dropna().unique()}
    return authors.map(known).astype("Int64")


def _make_key(name: str) -> str:
    """Write a name so that the same account is written alike."""
    return fold_identity(str(name).strip().lstrip("@＠"))


def refuse_strangers(authors: pd.Series, accounts: pd.DataFrame) -> None:
    """Refuse accounts of which none is an author: names and ids, or two platforms, were taken together."""
    if authors.notna().any() and match_authors(authors, accounts).isna().all():
        raise ValueError(
            f"Expected accounts that are authors of posts, but none of {len(accounts):,} is: the accounts "
            f"are such as {accounts['account'].iloc[0]!r}, the authors such as {authors.dropna().iloc[0]!r}. "
            "Give accounts as the posts name their authors, by name or by id."
        )


@recorded
def describe_accounts(
    posts: pd.DataFrame, accounts: pd.DataFrame, *, spans: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Count accounts, posts, hashtags and followers by kind of account.

    Parameters
    ----------
    posts : DataFrame
        The posts table.
    accounts : DataFrame
        ``account, kind``: those tracked.
    spans : DataFrame, optional
        From `track_hashtags`, to count the hashtags that each kind brought in.

    Returns
    -------
    DataFrame
        ``kind`` (in order of their names, then "all"), ``accounts``, ``active`` (those with a post among
        `posts`), ``posts``, ``posts_median`` (per active account), ``hashtags`` (different ones used, upper
        and lower case alike), ``entered`` (entries of hashtags through an account of the kind; missing
        without `spans`), ``followers_median`` (over the active accounts, each by its latest known number);
        ``simulated`` where the accounts are.

    Raises
    ------
    ValueError
        If a column is missing or of another type, or a post or an account is repeated.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, Appendix A: organizations, politicians and media accounts.

    Examples
    --------
    >>> posts = pd.DataFrame({"post_id": ["1", "2"], "author": ["aclu", "ada"], "followers": [90, 5],
    ...     "posted_at": pd.to_datetime(["2018-06-14", "2018-06-15"], utc=True), "hashtags": [["A"], []]})
    >>> accounts = pd.DataFrame({"account": ["ACLU", "CNN"], "kind": ["organization", "media"]})
    >>> describe_accounts(posts, accounts)[["kind", "accounts", "active", "posts"]]
               kind  accounts  active  posts
    0         media         1       0      0
    1  organization         1       1      1
    2           all         2       1      1
    """
    if spans is not None:
        check_columns(spans, ("kind",), "the spans")
    given, accounts = accounts, check_accounts(accounts)
    check_posts(posts, _NEEDED)
    row = match_authors(posts["author"], accounts)
    theirs = posts.loc[row.notna(), _NEEDED]
    theirs = theirs.assign(row=row.dropna().astype("int64"))
    theirs["kind"] = accounts["kind"].to_numpy()[theirs["row"].to_numpy()]
    tags = theirs[["kind", "hashtags"]].explode("hashtags").dropna()
    tags["hashtags"] = tags["hashtags"].map(lambda tag: strip_hash_sign(tag).casefold())
    known = theirs.dropna(subset=["followers"]).sort_values("posted_at", kind="stable")
    latest = known.drop_duplicates("row", keep="last")
    kinds = sorted(accounts["kind"].unique())
    rows = []
    for kind in [*kinds, "all"]:
        inside = [kind] if kind != "all" else kinds
        mine = theirs.loc[theirs["kind"].isin(inside)]
        rows.append(
            {
                "kind": kind,
                "accounts": int(accounts["kind"].isin(inside).sum()),
                "active": mine["row"].nunique(),
                "posts": len(mine),
                "posts_median": mine.groupby("row").size().median(),
                "hashtags": tags.loc[tags["kind"].isin(inside), "hashtags"].nunique(),
                "entered": pd.NA if spans is None else int(spans["kind"].isin(inside).sum()),
                "followers_median": latest.loc[latest["kind"].isin(inside), "followers"].median(),
            }
        )
    numbers = {"posts_median": "float64", "followers_median": "Float64", "entered": "Int64"}
    return mark_simulated(pd.DataFrame(rows).astype(numbers), given, spans)
