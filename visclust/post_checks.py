"""Check the columns of the posts table that a function needs, so that a table with fewer serves as well."""

from collections.abc import Iterable

import pandas as pd

from visclust.table_kinds import TABLES, TYPE_CHECKS, TYPE_WORDS

__all__ = ["check_posts"]


def check_posts(posts: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Check that a table of posts has some of the columns of its kind, and one row per post.

    Parameters
    ----------
    posts : DataFrame
        The posts table, or a part of it.
    names : iterable of str
        Columns needed beside ``post_id``; types as in the posts table. A column may hold missing values.

    Returns
    -------
    DataFrame
        The same object.

    Raises
    ------
    TypeError
        If `posts` is not a DataFrame.
    ValueError
        If a column is missing or of another type, or a post comes twice or has no id.

    Examples
    --------
    >>> posts = pd.DataFrame({"post_id": ["p"], "author": ["ann"]})
    >>> check_posts(posts, ["author"]) is posts
    True
    """
    if not isinstance(posts, pd.DataFrame):
        raise TypeError(f"Expected the posts as a pandas DataFrame, got {type(posts).__name__}.")
    wanted = ["post_id", *names]
    missing = [name for name in wanted if name not in posts.columns]
    if missing:
        raise ValueError(
            f"Expected posts with the columns {', '.join(wanted)}; {', '.join(missing)} is missing. "
            "read_posts makes such a table."
        )
    for name in wanted:
        kind = TABLES["posts"].columns[name]
        known = posts[name].dropna()
        if len(known) and not TYPE_CHECKS[kind](known):
            raise ValueError(
                f"Column {name!r} of the posts should hold {TYPE_WORDS[kind]}, got dtype {known.dtype} "
                f"(first value {known.iloc[0]!r})."
            )
    if posts["post_id"].isna().any() or posts["post_id"].duplicated().any():
        raise ValueError("Expected one row per post, each with its post_id; some are missing or come twice.")
    return posts
