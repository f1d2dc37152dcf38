"""Whether ideology predicts which frames users choose: scores joined to posts, a regression per frame."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from visclust.base.checks import checked
from visclust.base.provenance import recorded
from visclust.base.simulated import MARK, mark_simulated
from visclust.base.tables import check_columns
from visclust.exploration.frame_corrections import (
    PostLabels,
    check_known,
    check_post_labels,
    correct_outcomes,
    fit_corrected,
    match_labels,
    name_labelled_frames,
)
from visclust.exploration.frame_models import FrameFit, average_effect, fit_frame, predict_shares

_COUNTS = ("frame", "posts", "users", "uses", "users_using")
_ESTIMATES = (
    "odds_ratio",
    "odds_ratio_low",
    "odds_ratio_high",
    "effect",
    "effect_low",
    "effect_high",
    "log_odds",
    "standard_error",
    "naive_standard_error",
    "p_value",
)


class FrameUse(NamedTuple):
    """The effect of ideology on the use of each frame, predicted shares to draw, and what was analysed."""

    effects: pd.DataFrame
    curves: pd.DataFrame
    counts: pd.DataFrame


class FrameDesign(NamedTuple):
    """The posts that are analysed, their regressors and users, and how many were left out.

    ``matrix`` (n, k) has the constant, ideology in standard deviations, its square where asked for, and
    controls. ``users`` (n,) holds codes from 0, ``scores`` ideology in its own unit, a value per user.
    """

    posts: pd.DataFrame
    matrix: np.ndarray
    users: np.ndarray
    scores: np.ndarray
    counts: pd.DataFrame


@recorded
def model_frame_use(
    posts: pd.DataFrame,
    ideology: pd.DataFrame,
    *,
    frames: Iterable[str] | None = None,
    controls: Iterable[str] = (),
    quadratic: bool = False,
    errors: str = "clustered",
    min_users: int = 10,
    confidence: float = 0.95,
    n_points: int = 41,
    labels: pd.DataFrame | None = None,
    folds: int = 5,
    seed: int = 0,
) -> FrameUse:
    """Model the use of each frame by the ideology of users, and test whether ideology predicts it.

    For each frame, a logistic regression over posts of its use on the ideology of the post's author. Posts of
    one user are not independent: the covariance is clustered by user, and intervals and p-values use the t
    distribution with as many degrees of freedom as users less one. Posts weigh equally, so that busy users
    weigh more, and intervals are somewhat too narrow where a few users carry the weight: look at
    ``effective_users``, and where they are few take ``errors="jackknife"``.

    Frames that clusters give are guesses: a cluster takes in other images too, and where one side posts more
    of these, ideology seems to predict a frame that it does not (a true odds ratio of 1 was estimated as
    1.36, and called significant in nearly every simulated corpus, ``benchmarks/coverage_guesses.md``). With
    `labels`, what people say of a random sample of the posts corrects that: estimates and intervals are then
    of what people would say of all posts, however poor the guesses are, and narrower the better they are.

    Parameters
    ----------
    posts : DataFrame
        The ``posts`` of `label_posts`: ``post_id, author``, and a True-or-False column per frame. With
        `labels` a guess may be any number, such as a probability.
    ideology : DataFrame
        ``author, ideology``: a number per author from elsewhere, such as the scores of Barberá. Users without
        one are left out and counted.
    frames : iterable of str, optional
        Columns of `posts` to test; otherwise every True-or-False column that is not a control.
    controls : iterable of str, optional
        Columns of `posts` (see the ``keep`` of `label_posts`) or of `ideology` to hold constant; text becomes
        a column per value. Posts without a value are left out and counted.
    quadratic : bool, default False
        Whether to add the square of ideology, for frames of both extremes or of the middle.
    errors : {"clustered", "jackknife"}, default "clustered"
        "clustered": the sandwich of statsmodels, with its correction for few clusters. "jackknife": leaves
        out one user at a time; wider, and closer to what it should be with few or very unequal users.
        Of 95% intervals for 500 users of very unequal activity (107 effective users), posts correlated at
        0.36, 93.4% held the truth ("clustered"), 95.2% ("jackknife"), and 53.0% naively; for 30 users, 93.6%,
        95.8% and 81.0% (500 simulated corpora each, ``benchmarks/coverage_frame_use.py``).
    min_users : int, default 10
        Users who use a frame, and users with a post without it, that a test needs.
    confidence : float, default 0.95
        Of all intervals.
    n_points : int, default 41
        Points per curve, from the 1st to the 99th percentile of the users' scores.
    labels : DataFrame, optional
        What people say of a sample of the posts, whole: ``post_id, inclusion_probability`` and a
        True-or-False column per frame, from `draw_post_sample` and `join_post_labels`. A post uses a frame
        where any of its images does, so it is posts that are sampled. Every post must have had a chance
        above 0: the analysis speaks of `posts`, and of no others.
    folds : int, default 5
        Parts into which users are split to learn from labels what a guess is worth (cross-fitting).
    seed : int, default 0
        Seed of that split.

    Returns
    -------
    effects : DataFrame
        A row per frame: ``frame, posts, users`` (analysed), ``uses`` (posts), ``users_using``; ``odds_ratio``
        per standard deviation of ideology over users, with ``_low`` and ``_high`` (with the square: at the
        mean); ``effect``, the average marginal effect: the change of the probability of use per standard
        deviation, averaged over posts, with ``_low`` and ``_high``; ``log_odds`` (logarithm of the odds
        ratio), ``standard_error`` (by user), ``naive_standard_error`` (as if posts were independent: for
        comparison only); ``p_value`` (Wald test that ideology, with its square if there is one, has no part
        in it); ``p_adjusted`` (Benjamini-Hochberg over the frames tested); ``reason`` (why a frame was not
        tested; then its numbers are missing), ``rests_on`` (in words: frames as given, which are
        guesses where clusters gave them, or corrected by labels), ``confidence`` (of the intervals). With the
        square also ``curvature``, its coefficient, and ``curvature_p_value``. With `labels`, ``uses`` is the
        corrected number of posts, ``users_using`` those seen using it in the labels, and there are
        ``labelled`` (posts), ``labelled_uses``, and ``odds_ratio_guessed``, that of the guesses without
        correction.
    curves : DataFrame
        ``frame, ideology`` (in its own unit), ``probability, low, high, confidence``: the predicted share of
        posts with the frame, had all users this ideology, averaged over the controls as they are.
    counts : DataFrame
        One row: ``posts, posts_with_score, posts_analysed, users, users_without_score, users_analysed``,
        ``effective_users`` (that many users, posting equally often, would be as concentrated),
        ``scores_without_posts, ideology_mean, ideology_sd`` (over users). All three tables have a column
        ``simulated`` where the scores or the frames are marked as simulated.

    Raises
    ------
    ValueError
        If a table or a setting is not as described, no author has a score, or regressors are collinear.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, section 3, for the question. Liang and Zeger (1986),
    Longitudinal data analysis using generalized linear models, Biometrika 73, 13-22, for the covariance;
    Cameron and Miller (2015), A practitioner's guide to cluster-robust inference, Journal of Human Resources
    50, 317-372, for G - 1 degrees of freedom; MacKinnon, Nielsen and Webb (2024), Cluster-robust jackknife
    and bootstrap inference for logistic regression models, arXiv 2406.00650, for the jackknife (there CV3L);
    Egami, Hinck, Stewart and Wei (2023), Using imperfect surrogates for downstream inference: design-based
    supervised learning, NeurIPS 36, for the correction by labels;
    Benjamini and Hochberg (1995), Controlling the false discovery rate, Journal of the Royal Statistical
    Society B 57, 289-300.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> ideology = pd.DataFrame({"author": [f"user {i}" for i in range(60)],
    ...                          "ideology": np.linspace(-2, 2, 60)})
    >>> posts = ideology.loc[np.repeat(np.arange(60), 10), ["author"]].reset_index(drop=True)
    >>> posts["protest"] = rng.random(600) < np.repeat(np.linspace(0.2, 0.8, 60), 10)
    >>> found = model_frame_use(posts, ideology)
    >>> bool(found.effects["odds_ratio_low"].item() > 1)
    True
    """
    controls = list(controls)
    if not 0 < confidence < 1:
        raise ValueError(f"Expected confidence between 0 and 1, such as 0.95, got {confidence!r}.")
    if min_users < 2 or n_points < 2:
        raise ValueError(f"Expected min_users and n_points of 2 or more, got {min_users!r} and {n_points!r}.")
    if errors not in ("clustered", "jackknife"):
        raise ValueError(f'Expected errors "clustered" or "jackknife", got {errors!r}.')
    check_columns(posts, ["author"], "the posts", hint="Take the posts of label_posts.")
    if labels is None:
        names = _name_frames(posts, frames, controls)
    else:
        if folds < 2:
            raise ValueError(f"Expected folds of 2 or more, got {folds!r}.")
        names = name_labelled_frames(check_post_labels(labels, posts), posts, frames, controls)
    design = _make_frame_design(posts, ideology, controls=controls, quadratic=quadratic)
    settings: dict[str, Any] = {"quadratic": quadratic, "confidence": confidence}
    lowest, highest = np.quantile(design.scores, [0.01, 0.99])
    grid = np.linspace(lowest, highest, n_points)
    centre, deviation = design.counts["ideology_mean"].item(), design.counts["ideology_sd"].item()
    rows, curves = [], []
    said = None if labels is None else match_labels(labels, design.posts)
    for name in names:
        if said is None:
            uses = design.posts[name].to_numpy(dtype=bool)
            row = _count_uses(name, uses, design.users)
            fit = _explain_shortage(uses, design.users, min_users) or fit_frame(
                design.matrix, uses, design.users, errors=errors
            )
        else:
            options: dict[str, Any] = {"errors": errors, "min_users": min_users, "folds": folds, "seed": seed}
            row, fit = _correct(name, design, said, **options)
        if isinstance(fit, str):
            rows.append({**row, "reason": fit})
            continue
        rows.append({**row, **_estimate(fit, design, **settings), "reason": ""})
        predicted = predict_shares(fit, design.matrix, (grid - centre) / deviation, **settings)
        curves.append(
            pd.DataFrame(
                {
                    "frame": name,
                    "ideology": grid,
                    "probability": predicted.estimate,
                    "low": predicted.low,
                    "high": predicted.high,
                }
            )
        )
    estimates = [*_ESTIMATES, *(["curvature", "curvature_p_value"] if quadratic else [])]
    counted = list(_COUNTS)
    if labels is not None:
        counted += ["labelled", "labelled_uses"]
        estimates.insert(3, "odds_ratio_guessed")
    effects = pd.DataFrame(rows).reindex(columns=[*counted, *estimates, "reason"])
    corrected = None if labels is None else f"frames corrected by labels of {len(labels):,} posts"
    effects["rests_on"] = corrected or "frames as given, not corrected by labels"
    effects[estimates] = effects[estimates].astype(float)
    effects.insert(list(effects).index("p_value") + 1, "p_adjusted", _adjust(effects["p_value"]))
    empty = pd.DataFrame({"frame": [], "ideology": [], "probability": [], "low": [], "high": []})
    effects, curves_made = (
        table.assign(confidence=confidence)
        for table in (effects, pd.concat(curves, ignore_index=True) if curves else empty)
    )
    tables = (effects, curves_made, design.counts)
    return FrameUse(*(mark_simulated(table, posts, ideology, labels) for table in tables))


@checked
def test_frame_use(*args: Any, **options: Any) -> FrameUse:
    """Call `model_frame_use` by its former name, which goes in version 0.2.

    Parameters
    ----------
    *args, **options
        Those of `model_frame_use`.

    Returns
    -------
    FrameUse
        What `model_frame_use` gives.

    Warns
    -----
    DeprecationWarning
        Always.

    Examples
    --------
    >>> with warnings.catch_warnings(action="error"):
    ...     test_frame_use()
    Traceback (most recent call last):
    DeprecationWarning: test_frame_use is called model_frame_use now; the old name goes in version 0.2.
    """
    warnings.warn(
        "test_frame_use is called model_frame_use now; the old name goes in version 0.2.",
        DeprecationWarning,
        stacklevel=2,
    )
    return model_frame_use(*args, **options)


# Its name would have pytest take it for a test wherever it is imported.
test_frame_use.__test__ = False  # type: ignore[attr-defined]


def _correct(
    name: str, design: FrameDesign, labels: PostLabels, *, errors: str, min_users: int, folds: int, seed: int
) -> tuple[dict[str, Any], FrameFit | str]:
    """Count the posts of a frame and fit its regression, both corrected by the labels."""
    sampled, users = labels.sampled, design.users
    says = labels.table[name].to_numpy()[sampled].astype(bool)
    row = _count_uses(name, says, users[sampled])
    row |= {
        "labelled": len(says),
        "labelled_uses": row["uses"],
        "posts": len(users),
        "users": users.max() + 1,
    }
    if short := _explain_shortage(says, users[sampled], min_users):
        return row, f"of the labelled posts: {short}"
    guess = design.posts[name].to_numpy(dtype=float)
    split: dict[str, Any] = {"matrix": design.matrix, "users": users, "folds": folds, "seed": seed}
    outcomes = correct_outcomes(guess, labels, name, **split)
    row["uses"] = round(float(np.clip(outcomes.sum(), 0, len(users))))
    alone = fit_corrected(design.matrix, guess, users, np.full(len(users), fill_value=True))
    row["odds_ratio_guessed"] = np.nan if isinstance(alone, str) else float(np.exp(alone.parameters[1]))
    return row, fit_corrected(design.matrix, outcomes, users, sampled, errors=errors)


def _name_frames(posts: pd.DataFrame, frames: Iterable[str] | None, controls: list[str]) -> list[str]:
    """Give the columns to test."""
    truth = [name for name in posts.columns if pd.api.types.is_bool_dtype(posts[name])]
    names = [name for name in truth if name not in (*controls, MARK)] if frames is None else list(frames)
    if not names or (wrong := [name for name in names if name not in truth]):
        got = "none" if not names else f"{', '.join(wrong)}, which is not such a column"
        raise ValueError(f"Expected frames as True-or-False columns of the posts, got {got}.")
    check_known(posts, names, "the posts")
    return names


def _count_uses(name: str, uses: np.ndarray, users: np.ndarray) -> dict[str, Any]:
    return {
        "frame": name,
        "posts": len(uses),
        "users": len(np.unique(users)),
        "uses": int(uses.sum()),
        "users_using": len(np.unique(users[uses.astype(bool)])),
    }


def _explain_shortage(uses: np.ndarray, users: np.ndarray, min_users: int) -> str:
    """Say why there are too few users for a test; empty if there are enough."""
    using, sparing = len(np.unique(users[uses])), len(np.unique(users[~uses]))
    if using < min_users:
        return f"{using} users use it; at least {min_users} are needed (min_users)"
    if sparing < min_users:
        return f"{sparing} users have a post without it; at least {min_users} are needed (min_users)"
    return ""


def _estimate(fit: FrameFit, design: FrameDesign, *, quadratic: bool, confidence: float) -> dict[str, float]:
    """Turn a fit into the numbers of its row."""
    tested = slice(1, 3 if quadratic else 2)
    slope, error = fit.parameters[1], np.sqrt(fit.covariance[1, 1])
    reach = stats.t.ppf((1 + confidence) / 2, fit.degrees_of_freedom) * error
    effect = average_effect(fit, design.matrix, quadratic=quadratic, confidence=confidence)
    ideology = fit.parameters[tested]
    wald = ideology @ np.linalg.solve(fit.covariance[tested, tested], ideology) / len(ideology)
    row = {
        "odds_ratio": np.exp(slope),
        "odds_ratio_low": np.exp(slope - reach),
        "odds_ratio_high": np.exp(slope + reach),
        "effect": effect.estimate,
        "effect_low": effect.low,
        "effect_high": effect.high,
        "log_odds": slope,
        "standard_error": error,
        "naive_standard_error": np.sqrt(fit.naive_covariance[1, 1]),
        "p_value": stats.f.sf(wald, len(ideology), fit.degrees_of_freedom),
    }
    if quadratic:
        t = fit.parameters[2] / np.sqrt(fit.covariance[2, 2])
        row["curvature"] = fit.parameters[2]
        row["curvature_p_value"] = 2 * stats.t.sf(abs(t), fit.degrees_of_freedom)
    return {name: float(value) for name, value in row.items()}


def _adjust(p_values: pd.Series) -> pd.Series:
    """Adjust by Benjamini and Hochberg; missing values stay missing and do not count."""
    adjusted = pd.Series(np.nan, index=p_values.index)
    tested = p_values.notna()
    if tested.any():
        adjusted[tested] = multipletests(p_values[tested], method="fdr_bh")[1]
    return adjusted


def _make_frame_design(
    posts: pd.DataFrame, ideology: pd.DataFrame, *, controls: Sequence[str] = (), quadratic: bool = False
) -> FrameDesign:
    """Join ideology to the posts by author, and make the regressors.

    Ideology gets mean 0 and standard deviation 1 over the users, each counted once. Controls are columns of
    either table: numbers and truth values are standardized over posts, text becomes a column per value but
    the first.
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
    # By name and not by appearance, so that lots drawn over users do not hang on the order of the posts.
    users, names = pd.factorize(used["author"], sort=True)
    scores = used.drop_duplicates("author").set_index("author")["ideology"].reindex(names).to_numpy(float)
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
    check_columns(ideology, ("author", "ideology"), "the scores")
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
