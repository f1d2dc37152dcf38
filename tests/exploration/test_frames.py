import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit
from statsmodels.discrete.discrete_model import Logit

from visclust.exploration.frame_models import (
    FrameFit,
    _is_separated,
    average_effect,
    fit_frame,
    predict_shares,
)
from visclust.exploration.frame_tests import test_frame_use
from visclust.exploration.frames import label_posts
from visclust.exploration.plots import plot_frame_effects, plot_frame_use

FRAMES = pd.DataFrame({"cluster": [1, 0, 0], "frame": ["family", "protest", "family"]})
POSTS = pd.DataFrame(
    {"post_id": list("pqrstu"), "author": ["ann", "ann", "bob", "bob", "cy", None], "followers": range(6)}
)
LINKS = pd.DataFrame(
    {
        "post_id": ["p", "p", "q", "r", "s", "u", "gone"],
        "image_id": ["0", "2", "1", "3", "2", "0", "0"],
    }
)


def test_a_post_has_the_frames_of_all_its_clusters(make_clusters):
    # Image 0: cluster 0, protest and family; 1: cluster 1, family; 2: cluster 2, no frame; 3: unassigned.
    posts = label_posts(make_clusters([0, 1, 2, -1]), FRAMES, POSTS, links=LINKS).posts.set_index("post_id")
    assert list(posts.columns) == ["author", "family", "protest"]
    assert posts.loc["p", ["family", "protest"]].tolist() == [True, True]
    assert posts.loc["q", ["family", "protest"]].tolist() == [True, False]


def test_a_post_that_shows_only_a_cluster_without_frames_uses_none(make_clusters):
    posts = label_posts(make_clusters([0, 1, 2, -1]), FRAMES, POSTS, links=LINKS).posts.set_index("post_id")
    assert posts.loc["s", ["family", "protest"]].tolist() == [False, False]


def test_a_post_without_an_image_in_a_cluster_is_left_out_and_counted(make_clusters):
    labelled = label_posts(make_clusters([0, 1, 2, -1]), FRAMES, POSTS, links=LINKS)
    assert labelled.posts["post_id"].tolist() == ["p", "q", "s", "u"]
    assert labelled.counts["posts"].tolist() == [6, 5, 4, 3]
    assert labelled.counts["authors"].tolist() == [3, 2, 2, 1]


def test_a_post_that_shows_only_noise_is_left_out(make_clusters):
    labelled = label_posts(make_clusters([0, 1, 2, -1]), FRAMES, POSTS, links=LINKS, noise=[2])
    assert labelled.posts["post_id"].tolist() == ["p", "q", "u"]


def test_users_are_counted_over_their_labelled_posts(make_clusters):
    labelled = label_posts(make_clusters([0, 1, 2, -1]), FRAMES, POSTS, links=LINKS, keep=["followers"])
    assert labelled.posts["followers"].tolist() == [0, 1, 3, 5]
    assert labelled.users.to_dict("list") == {
        "author": ["ann", "ann", "bob", "bob"],
        "frame": ["family", "protest", "family", "protest"],
        "posts": [2, 2, 1, 1],
        "uses": [2, 1, 0, 0],
        "share": [1.0, 0.5, 0.0, 0.0],
        "used": [True, True, False, False],
    }


@pytest.mark.parametrize(
    ("frames", "options", "message"),
    [
        ({"cluster": [9], "frame": ["x"]}, {}, "cluster 9, which is not in the clusters table"),
        ({"cluster": [-1], "frame": ["x"]}, {}, "cluster -1"),
        ({"cluster": [0], "frame": ["x"]}, {"noise": [0]}, "Cluster 0 has a frame and is called noise"),
        ({"cluster": [0], "frame": ["x"]}, {"noise": [9]}, "noise names cluster 9"),
        ({"cluster": [0], "frame": ["author"]}, {}, "'author' is a frame and a column too"),
        ({"cluster": [0], "frame": ["x"]}, {"keep": ["age"]}, "keep=, got age"),
    ],
)
def test_frames_that_do_not_fit_are_refused(frames, options, message, make_clusters):
    with pytest.raises(ValueError, match=message):
        label_posts(make_clusters([0, 1, -1]), pd.DataFrame(frames), POSTS, links=LINKS, **options)


def test_without_frames_posts_are_labelled_with_none(make_clusters):
    labelled = label_posts(make_clusters([0, 1, 2, -1]), FRAMES.head(0), POSTS, links=LINKS)
    assert list(labelled.posts.columns) == ["post_id", "author"]
    assert labelled.users.empty


def simulate(n_users, *, slope=0.5, repeat=0.6, mean_posts=8, seed=0, intercept=-1.0):
    """Posts whose use of a frame is exactly logistic in ideology, though users repeat themselves.

    With probability `repeat` a post does what its user always does; that habit and every other post are drawn
    with the same probability, so that the regression over posts has the slope given.
    """
    rng = np.random.default_rng(seed)
    score = rng.normal(size=n_users)
    number = 1 + rng.poisson(mean_posts - 1, n_users)
    user = np.repeat(np.arange(n_users), number)
    probability = expit(intercept + slope * score)
    habit = (rng.random(n_users) < probability)[user]
    fresh = rng.random(len(user)) < probability[user]
    uses = np.where(rng.random(len(user)) < repeat, habit, fresh)
    names = np.array([f"user {i}" for i in range(n_users)])
    posts = pd.DataFrame(
        {"post_id": np.arange(len(user)).astype(str), "author": names[user], "frame a": uses}
    )
    return posts, pd.DataFrame({"author": names, "ideology": score})


def test_the_true_slope_is_recovered():
    posts, ideology = simulate(3000, seed=1)
    effects = test_frame_use(posts, ideology).effects.iloc[0]
    true = 0.5 * ideology["ideology"].std()
    # Four standard errors: a chance of 6 in 100,000 to fail, were the seed not fixed.
    assert abs(effects["log_odds"] - true) < 4 * effects["standard_error"]
    assert effects["standard_error"] < 0.06  # so that four of them exclude no slope and twice the slope


def test_clustered_intervals_cover_where_naive_ones_are_too_narrow():
    clustered, naive = [], []
    for seed in range(60):
        posts, ideology = simulate(100, seed=seed)
        found = test_frame_use(posts, ideology)
        row = found.effects.iloc[0]
        distance = abs(row["log_odds"] - 0.5 * found.counts["ideology_sd"].iloc[0])
        reach = stats.t.ppf(0.975, 99)
        clustered.append(distance < reach * row["standard_error"])
        naive.append(distance < reach * row["naive_standard_error"])
    # Of 60 intervals that cover with 95%, fewer than 51 do so in 0.07% of draws (binomial). The naive
    # standard error is too small by a factor of 1.95 here (the root of the design effect, 1 + 7.9 * 0.36),
    # so that its intervals cover about 69%: 51 or more of 60 do so in 0.4% of draws.
    assert np.sum(clustered) >= 51 > np.sum(naive)


def test_the_jackknife_is_that_of_leaving_out_each_user():
    posts, ideology = simulate(40, seed=5)
    design = np.column_stack(
        [np.ones(len(posts)), posts["author"].map(ideology.set_index("author")["ideology"])]
    )
    uses, users = posts["frame a"].to_numpy(), pd.factorize(posts["author"])[0]
    full = fit_frame(design, uses, users).parameters
    left_out = [
        fit_frame(design[users != user], uses[users != user], users[users != user]) for user in range(40)
    ]
    steps = np.array([fit.parameters for fit in left_out]) - full
    found = fit_frame(design, uses, users, errors="jackknife")
    # One Newton step instead of all: here the standard errors differ by less than 5%.
    error = np.sqrt(np.diag(39 / 40 * steps.T @ steps))
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), error, rtol=0.05)
    clustered = np.sqrt(np.diag(fit_frame(design, uses, users).covariance))
    assert (np.sqrt(np.diag(found.covariance)) > clustered).all()


def test_an_effect_per_standard_deviation_does_not_depend_on_the_unit_of_the_scores():
    posts, ideology = simulate(200)
    effects = test_frame_use(posts, ideology).effects
    scaled = test_frame_use(posts, ideology.assign(ideology=100 + 7 * ideology["ideology"])).effects
    # Newton's method stops at a step of 1e-8.
    pd.testing.assert_frame_equal(effects, scaled, rtol=1e-6)


def test_estimates_are_those_of_statsmodels():
    posts, ideology = simulate(150, seed=3)
    row = test_frame_use(posts, ideology).effects.iloc[0]
    z = (ideology["ideology"] - ideology["ideology"].mean()) / ideology["ideology"].std()
    z = posts["author"].map(dict(zip(ideology["author"], z, strict=True)))
    users = pd.factorize(posts["author"])[0]
    model = Logit(posts["frame a"].astype(float), np.column_stack([np.ones(len(z)), z]))
    fit = model.fit(disp=0, cov_type="cluster", cov_kwds={"groups": users, "df_correction": True}, use_t=True)
    margins = fit.get_margeff()
    # Two runs of the same optimization, which stops at a step of 1e-8; margins differentiate numerically.
    assert row["odds_ratio"] == pytest.approx(np.exp(fit.params.iloc[1]), rel=1e-6)
    assert row["standard_error"] == pytest.approx(fit.bse.iloc[1], rel=1e-6)
    assert np.log(row["odds_ratio_low"]) == pytest.approx(fit.conf_int().iloc[1, 0], rel=1e-5)
    assert row["p_value"] == pytest.approx(fit.pvalues.iloc[1], rel=1e-5)
    assert row["effect"] == pytest.approx(margins.margeff[0], rel=1e-6)
    reach = stats.t.ppf(0.975, len(ideology) - 1)
    assert row["effect_high"] - row["effect"] == pytest.approx(reach * margins.margeff_se[0], rel=1e-5)
    assert row["naive_standard_error"] == pytest.approx(model.fit(disp=0).bse.iloc[1], rel=1e-6)


def make_fit(parameters):
    size = len(parameters)
    covariance = 0.01 * (np.eye(size) + 0.3)
    return FrameFit(np.array(parameters), covariance, covariance, 99)


@pytest.mark.parametrize("quadratic", [False, True])
def test_effects_and_curves_agree_with_numerical_differentiation(quadratic):
    rng = np.random.default_rng(0)
    z, control = rng.normal(size=(2, 40))
    design = np.column_stack([np.ones(40), z, *([z**2] if quadratic else []), control])
    fit = make_fit([-0.5, 0.8, *([0.3] if quadratic else []), 0.4])

    def average(parameters, shift):
        moved = z + shift
        columns = [np.ones(40), moved, *([moved**2] if quadratic else []), control]
        return expit(np.column_stack(columns) @ parameters).mean()

    def effect(parameters):
        return (average(parameters, 1e-5) - average(parameters, -1e-5)) / 2e-5

    steps = 1e-4 * np.eye(len(fit.parameters))
    gradient = np.array([(effect(fit.parameters + s) - effect(fit.parameters - s)) / 2e-4 for s in steps])
    found = average_effect(fit, design, quadratic=quadratic, confidence=0.95)
    # Central differences: errors of about the square of the step, and of 1e-16 divided by both steps.
    assert found.estimate == pytest.approx(effect(fit.parameters), rel=1e-6)
    assert found.standard_error == pytest.approx(np.sqrt(gradient @ fit.covariance @ gradient), rel=1e-4)
    curve = predict_shares(fit, design, np.array([1.5]), quadratic=quadratic, confidence=0.95)
    set_to = [1, 1.5, *([1.5**2] if quadratic else [])]
    rows = np.column_stack([np.tile(set_to, (40, 1)), control])
    assert curve.estimate[0] == pytest.approx(expit(rows @ fit.parameters).mean())  # float64 rounding
    assert 0 < curve.low[0] < curve.estimate[0] < curve.high[0] < 1


@pytest.mark.parametrize(
    ("score", "uses", "expected"),
    [
        ([1, 2, 3, 4], [0, 0, 1, 1], True),
        ([1, 2, 2, 4], [0, 0, 1, 1], True),  # quasi-complete: they touch at 2
        ([1, 1, 2, 2], [0, 0, 0, 1], True),
        ([1, 2, 3, 4], [0, 1, 0, 1], False),
        ([1, 1, 2, 2], [0, 1, 0, 1], False),
    ],
)
def test_separation_is_seen(score, uses, expected):
    design = np.column_stack([np.ones(4), np.array(score, dtype=float)])
    assert _is_separated(design, np.array(uses, dtype=bool)) is expected


def test_a_frame_that_cannot_be_tested_has_a_row_with_the_reason():
    posts, ideology = simulate(60)
    score = posts["author"].map(ideology.set_index("author")["ideology"])
    posts = posts.assign(
        never=False,
        always=True,
        few=posts["author"].isin(["user 1", "user 2"]),
        split=score > 0,
    )
    effects = test_frame_use(posts, ideology).effects.set_index("frame")
    assert effects.loc["frame a", "reason"] == ""
    assert effects.loc["never", "reason"].startswith("0 users use it")
    assert effects.loc["always", "reason"].startswith("0 users have a post without it")
    assert effects.loc["few", "reason"] == "2 users use it; at least 10 are needed (min_users)"
    assert effects.loc["split", "reason"].startswith("separation")
    assert effects.loc["split", ["odds_ratio", "p_value", "p_adjusted"]].isna().all()
    # One frame was tested, so nothing is adjusted.
    assert effects.loc["frame a", "p_adjusted"] == effects.loc["frame a", "p_value"]


def test_p_values_are_adjusted_over_the_frames_tested():
    posts, ideology = simulate(200)
    rng = np.random.default_rng(0)
    posts = posts.assign(**{f"noise {i}": rng.random(len(posts)) < 0.3 for i in range(3)}, never=False)
    effects = test_frame_use(posts, ideology).effects
    p_values = effects["p_value"].dropna().to_numpy()
    order = np.argsort(p_values)
    by_hand = np.minimum.accumulate((p_values[order] * 4 / np.arange(1, 5))[::-1])[::-1]
    # The same arithmetic in another order.
    np.testing.assert_allclose(effects["p_adjusted"].dropna().to_numpy()[order], by_hand, rtol=1e-12)


def test_users_without_a_score_are_left_out_and_counted():
    posts, ideology = simulate(60)
    scores = pd.concat([ideology.iloc[5:], pd.DataFrame({"author": ["stranger"], "ideology": [0.3]})])
    scores.loc[scores["author"] == "user 7", "ideology"] = np.nan
    counts = test_frame_use(posts, scores).counts.iloc[0]
    left = ~posts["author"].isin([f"user {i}" for i in (0, 1, 2, 3, 4, 7)])
    assert counts["users_without_score"] == 6
    assert counts["users_analysed"] == 54
    assert counts["posts_analysed"] == left.sum()
    assert counts["scores_without_posts"] == 1
    sizes = posts.loc[left].groupby("author").size()
    assert counts["effective_users"] == pytest.approx(sizes.sum() ** 2 / (sizes**2).sum())  # rounding


def test_a_square_finds_a_frame_of_both_extremes():
    posts, ideology = simulate(600, slope=0)
    z = posts["author"].map(ideology.set_index("author")["ideology"]).to_numpy()
    posts["extreme"] = np.random.default_rng(0).random(len(posts)) < expit(-1.5 + 0.7 * z**2)
    straight = test_frame_use(posts, ideology, frames=["extreme"]).effects.iloc[0]
    curved = test_frame_use(posts, ideology, frames=["extreme"], quadratic=True)
    row = curved.effects.iloc[0]
    assert row["p_value"] < 1e-6 < straight["p_value"]
    assert row["curvature_p_value"] < 1e-6
    curve = curved.curves
    assert curve["probability"].iloc[[0, -1]].min() > curve["probability"].min() + 0.2


def test_controls_come_from_posts_or_scores_and_may_be_words():
    posts, ideology = simulate(300, seed=2)
    rng = np.random.default_rng(0)
    z = posts["author"].map(ideology.set_index("author")["ideology"]).to_numpy()
    confounder = z + rng.normal(size=len(z))
    posts = posts.assign(
        spurious=rng.random(len(posts)) < expit(confounder), confounder=confounder, verified=True
    )
    posts.loc[::2, "verified"] = False
    ideology = ideology.assign(party=np.where(rng.random(300) < 0.5, "red", "blue"))
    ideology.loc[0, "party"] = None
    without = test_frame_use(posts, ideology, frames=["spurious"]).effects.iloc[0]
    controls = ["confounder", "verified", "party"]
    found = test_frame_use(posts, ideology, frames=["spurious"], controls=controls)
    assert without["p_value"] < 1e-6 < found.effects.iloc[0]["p_value"]
    assert found.counts["users_analysed"].iloc[0] == 299
    assert found.curves["probability"].between(0, 1).all()
    assert test_frame_use(posts, ideology, controls=["verified"]).effects["frame"].tolist() == [
        "frame a",
        "spurious",
    ]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"author": lambda t: t["author"].str.upper()}, {}, "None of the 60 authors has a score"),
        ({"ideology": 0.5}, {}, "different scores"),
        ({"author": "user 1"}, {}, "one score per author; 'user 1' has several"),
        ({"ideology": "left"}, {}, "Expected ideology as numbers"),
        ({"ideology": np.inf}, {}, "finite ideology scores"),
        ({}, {"controls": ["age"]}, "age is not"),
        ({"age": 3}, {"controls": ["age"]}, "collinear"),
        ({}, {"frames": ["author"]}, "got author, which is not such a column"),
        ({}, {"confidence": 95}, "such as 0.95, got 95"),
        ({}, {"min_users": 1}, "2 or more, got 1"),
        ({}, {"errors": "HC1"}, "got 'HC1'"),
    ],
)
def test_bad_scores_and_settings_are_refused(change, options, message):
    posts, ideology = simulate(60)
    with pytest.raises(ValueError, match=message):
        test_frame_use(posts, ideology.assign(**change), **options)


def test_a_singular_regression_gives_a_reason():
    design = np.column_stack([np.ones(6), [1.0, 2, 1, 2, 1, 2], [1.0, 2, 1, 2, 1, 2]])
    fit = fit_frame(design, np.array([0, 1, 1, 0, 0, 1], dtype=bool), np.arange(6))
    assert isinstance(fit, str)


def test_pytest_does_not_collect_the_function_as_a_test():
    assert test_frame_use.__test__ is False


def test_effects_are_drawn_with_intervals_and_the_untested_named(tmp_path):
    posts, ideology = simulate(100)
    found = test_frame_use(posts.assign(never=False), ideology)
    for measure in ("effect", "odds_ratio"):
        chart = plot_frame_effects(found.effects, measure=measure)
        assert chart.to_dict()["title"]["subtitle"][-1] == "Not tested: never"
        chart.save(tmp_path / f"{measure}.png")
    rows = [row for data in chart.to_dict()["datasets"].values() for row in data if "frame" in row]
    assert [row["frame"] for row in rows] == ["frame a"]
    curves = plot_frame_use(found.curves)
    curves.save(tmp_path / "curves.png")
    with pytest.raises(ValueError, match="'size'"):
        plot_frame_effects(found.effects, measure="size")
    with pytest.raises(ValueError, match="that was tested, got none"):
        plot_frame_effects(found.effects.tail(1))
    with pytest.raises(ValueError, match="no frame was tested"):
        plot_frame_use(found.curves.head(0))
