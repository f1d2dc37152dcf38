"""Join ideology to posts, and make the regressors of the tests of frame use."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

__all__ = ["FrameDesign", "make_frame_design"]


class FrameDesign(NamedTuple):
    """The posts that are analysed, their regressors and users, and how many were left out.

    ``matrix`` has the constant, ideology in standard deviations, its square where asked for, and controls.
    ``scores`` holds ideology, a value per user.
    """

    posts: pd.DataFrame
    matrix: np.ndarray
    users: np.ndarray
    scores: np.ndarray
    counts: pd.DataFrame


def make_frame_design(
    posts: pd.DataFrame, ideology: pd.DataFrame, *, controls: Sequence[str] = (), quadratic: bool = False
) -> FrameDesign:
    """Join ideology to the posts by author, and make the regressors.

    Parameters
    ----------
    posts : DataFrame
        ``author`` and the controls that are not in `ideology`.
    ideology : DataFrame
        ``author, ideology``, a row per author; controls that differ between users may be in it.
    controls : sequence of str, optional
        Columns of either table: numbers and truth values are standardized, text becomes a column per value
        but the first.
    quadratic : bool, default False
        Whether the square of ideology is a regressor.

    Returns
    -------
    FrameDesign
        Ideology has mean 0 and standard deviation 1 over the users, each counted once.

    Raises
    ------
    ValueError
        If a table is not as described, no author has a score, all have the same, or regressors are collinear.

    Examples
    --------
    >>> posts = pd.DataFrame({"author": ["ann", "bob", "bob", "cy"]})
    >>> scores = pd.DataFrame({"author": ["ann", "bob"], "ideology": [-1.0, 1.0]})
    >>> design = make_frame_design(posts, scores)
    >>> design.matrix[:, 1].round(2).tolist(), int(design.counts["users_without_score"].iloc[0])
    ([-0.71, 0.71, 0.71], 1)
    """
    _check_scores(ideology)
    controls = list(controls)
    known = ideology.dropna(subset=["author", "ideology"])
    scored = posts.drop(columns="ideology", errors="ignore")
    scored = scored.loc[scored["author"].isin(known["author"])]
    if scored.empty:
        raise ValueError(
            f"None of the {posts['author'].nunique()} authors has a score: the posts have names like "
            f"{_show(posts['author'])}, the scores names like {_show(known['author'])}. Write both alike."
        )
    from_scores = [name for name in controls if name not in posts.columns]
    if missing := [name for name in from_scores if name not in ideology.columns]:
        raise ValueError(
            f"Expected the controls among the columns of posts or of ideology; {', '.join(missing)} is not. "
            "label_posts(…, keep=[…]) carries columns of the posts along."
        )
    scored = scored.merge(known[["author", "ideology", *from_scores]], on="author", how="left")
    used = scored.dropna(subset=controls).reset_index(drop=True)
    users, names = pd.factorize(used["author"])
    scores = used.drop_duplicates("author")["ideology"].to_numpy(dtype=float)
    if len(scores) < 2 or np.ptp(scores) == 0:
        raise ValueError(
            f"Expected at least two users with different scores, got {len(scores)} users and "
            f"{len(np.unique(scores))} different scores."
        )
    mean, deviation = scores.mean(), scores.std(ddof=1)
    z = (used["ideology"].to_numpy(dtype=float) - mean) / deviation
    columns = [np.ones(len(used)), z] + ([z**2] if quadratic else [])
    for name in controls:
        columns += _code_control(used[name])
    matrix = np.column_stack(columns)
    if np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        raise ValueError(
            "The regressors are collinear: a control is constant, or follows from the others (or ideology "
            "has too few different values for its square). Leave one out."
        )
    per_user = np.bincount(users)
    counts = pd.DataFrame(
        {
            "posts": [len(posts)],
            "posts_with_score": [len(scored)],
            "posts_analysed": [len(used)],
            "users": [posts["author"].nunique()],
            "users_without_score": [posts["author"].nunique() - scored["author"].nunique()],
            "users_analysed": [len(names)],
            "effective_users": [per_user.sum() ** 2 / (per_user.astype(float) ** 2).sum()],
            "scores_without_posts": [int((~known["author"].isin(posts["author"])).sum())],
            "ideology_mean": [mean],
            "ideology_sd": [deviation],
        }
    )
    return FrameDesign(used, matrix, users, scores, counts)


def _check_scores(ideology: pd.DataFrame) -> None:
    """Check the table of scores."""
    if missing := [name for name in ("author", "ideology") if name not in ideology.columns]:
        raise ValueError(
            f"Expected the scores as a table with the columns author and ideology; {', '.join(missing)} is "
            "missing. Rename it."
        )
    if not pd.api.types.is_numeric_dtype(ideology["ideology"]):
        raise ValueError(f"Expected ideology as numbers, got dtype {ideology['ideology'].dtype}.")
    if np.isinf(ideology["ideology"].to_numpy(dtype=float, na_value=np.nan)).any():
        raise ValueError("Expected finite ideology scores, got an infinite one.")
    names = ideology["author"].dropna()
    if len(twice := names[names.duplicated()]):
        raise ValueError(f"Expected one score per author; {twice.iloc[0]!r} has several.")


def _code_control(values: pd.Series) -> list[np.ndarray]:
    """Make the columns of a control."""
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.to_numpy(dtype=float)
        spread = numbers.std()
        return [(numbers - numbers.mean()) / (spread if spread > 0 else 1)]
    return list(pd.get_dummies(values, drop_first=True).to_numpy(dtype=float).T)


def _show(names: pd.Series) -> str:
    return repr(names.dropna().iloc[0]) if names.notna().any() else "(none)"
