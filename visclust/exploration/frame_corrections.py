"""Correct the frames that clusters guess by what people say of a sample of posts with known probabilities.

A guess h for every post, and labels of a sample, make a corrected outcome: h + (label - h) * sampled /
probability, whose expectation is the label whatever h is. It takes the frame's place in the equations of the
regression.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit

from visclust.base.simulated import MARK
from visclust.base.tables import check_columns
from visclust.exploration.frame_models import FrameFit, jackknife_users

_PRIOR = 1.0  # the precision of what a slope of the guessing model is thought to be, per standard deviation
_STEPS = 100
_FEWEST = 1 + 1e-9  # a post drawn of all of them stands for all of them, but for rounding


class PostLabels(NamedTuple):
    """Which posts are labelled (n,), their probabilities (n,; 1 elsewhere), and the labels' table by post."""

    sampled: np.ndarray
    probabilities: np.ndarray
    table: pd.DataFrame


def check_post_labels(labels: pd.DataFrame, posts: pd.DataFrame) -> pd.DataFrame:
    """Check that labels are of these posts, each once, with probabilities that add up to all of them."""
    check_columns(
        labels,
        ["post_id", "inclusion_probability"],
        "the labels",
        hint="Take the sample of draw_post_sample.",
    )
    check_columns(posts, ["post_id"], "the posts", hint="Take the posts of label_posts.")
    if labels.empty:
        raise ValueError("Expected at least one labelled post, got none.")
    if (twice := labels["post_id"].duplicated()).any():
        raise ValueError(
            f"Expected each post once in the labels; {labels.loc[twice, 'post_id'].iloc[0]!r} is twice."
        )
    if posts["post_id"].duplicated().any():
        raise ValueError("Expected each post once in the posts, got several rows of one post_id.")
    if not labels["post_id"].isin(posts["post_id"]).all():
        other = labels.loc[~labels["post_id"].isin(posts["post_id"]), "post_id"]
        raise ValueError(
            f"{len(other)} labelled posts are not among the posts, {other.iloc[0]!r} for one. Give the posts "
            "that the sample was drawn from."
        )
    chances = pd.to_numeric(labels["inclusion_probability"], errors="coerce").to_numpy(dtype=float)
    if not ((chances > 0) & (chances <= 1)).all():
        raise ValueError(
            "Expected inclusion probabilities above 0 and up to 1 in the labels. Give them as drawn."
        )
    tiny = chances < 1 / len(posts) / _FEWEST
    if tiny.any():
        raise ValueError(
            f"Expected inclusion probabilities of which no labelled post stands for more than all "
            f"{len(posts):,} posts together, got {chances[tiny].min():.2g} of "
            f"{labels['post_id'][tiny].iloc[0]!r}, which would stand for {1 / chances[tiny].min():,.0f}. "
            "Give the probabilities as drawn, and only the posts that the sample was drawn from."
        )
    weighed, error = float((1 / chances).sum()), float(np.sqrt(((1 - chances) / chances**2).sum()))
    if abs(weighed - len(posts)) > 5 * error + 1e-6 * len(posts):
        raise ValueError(
            f"The labelled posts stand for {weighed:,.0f} by their probabilities, but there are "
            f"{len(posts):,}: some posts could not be drawn, or rows were left out. Give all sampled posts, "
            "and only the posts that the sample was drawn from."
        )
    return labels


def check_known(table: pd.DataFrame, names: Iterable[str], what: str) -> None:
    """Check that True-or-False columns have no gaps, which some types of tables can have."""
    for name in names:
        if (gaps := table[name].isna()).any():
            raise ValueError(
                f"Expected True or False of {name!r} in every row of {what}; {int(gaps.sum())} have neither, "
                f"{table['post_id'][gaps].iloc[0]!r} for one. Complete them, or leave the column out."
                if "post_id" in table.columns
                else f"Expected True or False of {name!r} in every row of {what}; {int(gaps.sum())} have "
                "neither. Complete them, or leave the column out."
            )


def name_labelled_frames(
    labels: pd.DataFrame, posts: pd.DataFrame, frames: Iterable[str] | None, controls: Iterable[str]
) -> list[str]:
    """Give the frames that people labelled, each with a guess among the columns of the posts."""
    truth = [name for name in labels.columns if pd.api.types.is_bool_dtype(labels[name]) and name != MARK]
    names = [name for name in truth if name not in set(controls)] if frames is None else list(frames)
    check_known(labels, [name for name in names if name in truth], "the labels")
    if not names or (wrong := [name for name in names if name not in truth]):
        got = "none" if not names else f"{', '.join(wrong)}, which is not such a column"
        raise ValueError(f"Expected frames as True-or-False columns of the labels, without gaps, got {got}.")
    for name in names:
        column = posts[name] if name in posts.columns else pd.Series(dtype=object)
        known = (
            pd.api.types.is_numeric_dtype(column)
            and np.isfinite(column.to_numpy(float, na_value=np.nan)).all()
        )
        if not known:
            raise ValueError(
                f"Expected a guess of {name!r} for every post, True or False or a number, as a column of the "
                "posts. label_posts gives those of the clusters."
            )
    return names


def match_labels(labels: pd.DataFrame, posts: pd.DataFrame) -> PostLabels:
    """Find the labels of the posts that are analysed."""
    found = labels.set_index("post_id").reindex(posts["post_id"])
    chances = found["inclusion_probability"].to_numpy(dtype=float, na_value=np.nan)
    sampled = ~np.isnan(chances)
    return PostLabels(sampled, np.where(sampled, chances, 1.0), found)


def correct_outcomes(
    guess: np.ndarray,
    labels: PostLabels,
    name: str,
    *,
    matrix: np.ndarray,
    users: np.ndarray,
    folds: int,
    seed: int,
) -> np.ndarray:
    """Make the corrected outcome of each post (n,).

    What is guessed, h, is first learned from the labels: a logistic regression of the label on the guess, on
    the regressors, and on ideology times the guess, so that poor guesses weigh little. It is cross-fitted:
    users are split into folds, and the h of a labelled post is learned from the users of the other folds.
    """
    sampled = labels.sampled
    spread = guess.std()
    scaled = (guess - guess.mean()) / (spread if spread > 0 else 1)
    features = np.column_stack([matrix, scaled, scaled * matrix[:, 1]])
    said = labels.table[name].to_numpy()[sampled].astype(float)
    weights = 1 / labels.probabilities[sampled]
    own, codes = np.unique(users[sampled], return_inverse=True)
    fold_of = np.random.default_rng(seed).permutation(len(own))[codes] % min(folds, len(own))
    likely, mine = np.zeros(len(guess)), np.empty(len(said))
    numbers = np.unique(fold_of)
    for fold in numbers:
        others = fold_of != fold
        learned = _learn(features[sampled][others], said[others], weights[others])
        likely += expit(features @ learned) / len(numbers)
        mine[~others] = expit(features[sampled][~others] @ learned)
    likely[sampled] = mine
    outcome = likely.copy()
    outcome[sampled] += (said - mine) * weights
    return outcome


def fit_corrected(
    design: np.ndarray,
    outcomes: np.ndarray,
    users: np.ndarray,
    labelled: np.ndarray,
    *,
    errors: str = "clustered",
) -> FrameFit | str:
    """Solve the equations of the logistic regression for corrected outcomes, or say why not.

    Errors as in `fit_frame`. What is known lies in the labels: freedom is that of labelled users.
    """
    parameters = np.zeros(design.shape[1])
    share = float(np.clip(outcomes.mean(), 1e-6, 1 - 1e-6))
    parameters[0] = np.log(share / (1 - share))
    for _ in range(_STEPS):
        probability = expit(design @ parameters)
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design
        try:
            step = np.linalg.solve(curvature, design.T @ (outcomes - probability))
        except np.linalg.LinAlgError:
            return "the corrected regression has no solution: too few labels say so"
        parameters = parameters + step * min(1.0, 2 / max(np.abs(step).max(), 1e-300))
        if np.abs(step).max() < 1e-9:
            break
    if not np.isfinite(parameters).all() or np.abs(step).max() >= 1e-9 or np.abs(parameters).max() > 30:
        return "the corrected regression did not converge: too few labelled posts use it, or do not"
    probability = expit(design @ parameters)
    curvature = (design * (probability * (1 - probability))[:, None]).T @ design
    scores = design * (outcomes - probability)[:, None]
    by_user = np.column_stack([np.bincount(users, column) for column in scores.T])
    inner = np.linalg.inv(curvature)
    n, groups = len(outcomes), len(np.unique(users[labelled]))
    if groups < 2:
        return "labels of one user alone say nothing of users"
    covariance = (
        inner @ (by_user.T @ by_user) @ inner * groups / (groups - 1) * (n - 1) / (n - design.shape[1])
    )
    if errors == "jackknife":
        covariance = jackknife_users(design, outcomes, users, parameters)
    naive = inner @ (scores.T @ scores) @ inner
    return FrameFit(parameters, covariance, naive, groups - 1)


def _learn(features: np.ndarray, said: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Fit a weighted logistic regression with slopes drawn a little towards 0, so that it has a solution."""
    weights = weights * len(weights) / weights.sum()
    prior = np.full(features.shape[1], _PRIOR)
    prior[0] = 1e-3
    found = np.zeros(features.shape[1])
    for _ in range(_STEPS):
        probability = expit(features @ found)
        slope = features.T @ (weights * (said - probability)) - prior * found
        curvature = (features * (weights * probability * (1 - probability))[:, None]).T @ features
        step = np.linalg.solve(curvature + np.diag(prior), slope)
        found = found + step * min(1.0, 3 / max(np.abs(step).max(), 1e-300))
        if np.abs(step).max() < 1e-6:
            break
    return found
