import numpy as np
import pandas as pd
import pytest
from post_tables import simulate_frame_use
from scipy import stats
from scipy.special import expit
from statsmodels.discrete.discrete_model import Logit

import visclust as vc


def test_the_true_slope_is_recovered():
    posts, ideology = simulate_frame_use(3000, seed=1)
    effects = vc.model_frame_use(posts, ideology).effects.iloc[0]
    true = 0.5 * ideology["ideology"].std()
    # Four standard errors: a chance of 6 in 100,000 to fail, were the seed not fixed.
    assert abs(effects["log_odds"] - true) < 4 * effects["standard_error"]
    assert effects["standard_error"] < 0.06  # so that four of them exclude no slope and twice the slope


@pytest.mark.slow
def test_clustered_intervals_cover_where_naive_ones_are_too_narrow():
    clustered, naive = [], []
    for seed in range(60):
        posts, ideology = simulate_frame_use(100, seed=seed)
        found = vc.model_frame_use(posts, ideology)
        row = found.effects.iloc[0]
        distance = abs(row["log_odds"] - 0.5 * found.counts["ideology_sd"].iloc[0])
        reach = stats.t.ppf(0.975, 99)
        clustered.append(distance < reach * row["standard_error"])
        naive.append(distance < reach * row["naive_standard_error"])
    # Of 60 intervals that cover with 95%, fewer than 51 do so in 0.07% of draws (binomial). The naive
    # standard error is too small by a factor of 1.95 here (the root of the design effect, 1 + 7.9 * 0.36),
    # so that its intervals cover about 69%: 51 or more of 60 do so in 0.4% of draws.
    assert np.sum(clustered) >= 51 > np.sum(naive)


def test_an_effect_per_standard_deviation_does_not_depend_on_the_unit_of_the_scores():
    posts, ideology = simulate_frame_use(200)
    effects = vc.model_frame_use(posts, ideology).effects
    scaled = vc.model_frame_use(posts, ideology.assign(ideology=100 + 7 * ideology["ideology"])).effects
    # Newton's method stops at a step of 1e-8.
    pd.testing.assert_frame_equal(effects, scaled, rtol=1e-6)


def test_estimates_are_those_of_statsmodels():
    posts, ideology = simulate_frame_use(150, seed=3)
    row = vc.model_frame_use(posts, ideology).effects.iloc[0]
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


def test_a_frame_that_cannot_be_tested_has_a_row_with_the_reason():
    posts, ideology = simulate_frame_use(60)
    score = posts["author"].map(ideology.set_index("author")["ideology"])
    posts = posts.assign(
        never=False,
        always=True,
        few=posts["author"].isin(["user 1", "user 2"]),
        split=score > 0,
    )
    effects = vc.model_frame_use(posts, ideology).effects.set_index("frame")
    assert effects.loc["frame a", "reason"] == ""
    assert effects.loc["never", "reason"].startswith("0 users use it")
    assert effects.loc["always", "reason"].startswith("0 users have a post without it")
    assert effects.loc["few", "reason"] == "2 users use it; at least 10 are needed (min_users)"
    assert effects.loc["split", "reason"].startswith("separation")
    assert effects.loc["split", ["odds_ratio", "p_value", "p_adjusted"]].isna().all()
    # One frame was tested, so nothing is adjusted.
    assert effects.loc["frame a", "p_adjusted"] == effects.loc["frame a", "p_value"]


def test_p_values_are_adjusted_over_the_frames_tested():
    posts, ideology = simulate_frame_use(200)
    rng = np.random.default_rng(0)
    posts = posts.assign(**{f"noise {i}": rng.random(len(posts)) < 0.3 for i in range(3)}, never=False)
    effects = vc.model_frame_use(posts, ideology).effects
    p_values = effects["p_value"].dropna().to_numpy()
    order = np.argsort(p_values)
    by_hand = np.minimum.accumulate((p_values[order] * 4 / np.arange(1, 5))[::-1])[::-1]
    # The same arithmetic in another order.
    np.testing.assert_allclose(effects["p_adjusted"].dropna().to_numpy()[order], by_hand, rtol=1e-12)


def test_users_without_a_score_are_left_out_and_counted():
    posts, ideology = simulate_frame_use(60)
    scores = pd.concat([ideology.iloc[5:], pd.DataFrame({"author": ["stranger"], "ideology": [0.3]})])
    scores.loc[scores["author"] == "user 7", "ideology"] = np.nan
    counts = vc.model_frame_use(posts, scores).counts.iloc[0]
    left = ~posts["author"].isin([f"user {i}" for i in (0, 1, 2, 3, 4, 7)])
    assert counts["users_without_score"] == 6
    assert counts["users_analysed"] == 54
    assert counts["posts_analysed"] == left.sum()
    assert counts["scores_without_posts"] == 1
    sizes = posts.loc[left].groupby("author").size()
    assert counts["effective_users"] == pytest.approx(sizes.sum() ** 2 / (sizes**2).sum())  # rounding


def test_a_square_finds_a_frame_of_both_extremes():
    posts, ideology = simulate_frame_use(600, slope=0)
    z = posts["author"].map(ideology.set_index("author")["ideology"]).to_numpy()
    posts["extreme"] = np.random.default_rng(0).random(len(posts)) < expit(-1.5 + 0.7 * z**2)
    straight = vc.model_frame_use(posts, ideology, frames=["extreme"]).effects.iloc[0]
    curved = vc.model_frame_use(posts, ideology, frames=["extreme"], quadratic=True)
    row = curved.effects.iloc[0]
    assert row["p_value"] < 1e-6 < straight["p_value"]
    assert row["curvature_p_value"] < 1e-6
    curve = curved.curves
    assert curve["probability"].iloc[[0, -1]].min() > curve["probability"].min() + 0.2


def test_controls_come_from_posts_or_scores_and_may_be_words():
    posts, ideology = simulate_frame_use(300, seed=2)
    rng = np.random.default_rng(0)
    z = posts["author"].map(ideology.set_index("author")["ideology"]).to_numpy()
    confounder = z + rng.normal(size=len(z))
    posts = posts.assign(
        spurious=rng.random(len(posts)) < expit(confounder), confounder=confounder, verified=True
    )
    posts.loc[::2, "verified"] = False
    ideology = ideology.assign(party=np.where(rng.random(300) < 0.5, "red", "blue"))
    ideology.loc[0, "party"] = None
    without = vc.model_frame_use(posts, ideology, frames=["spurious"]).effects.iloc[0]
    controls = ["confounder", "verified", "party"]
    found = vc.model_frame_use(posts, ideology, frames=["spurious"], controls=controls)
    assert without["p_value"] < 1e-6 < found.effects.iloc[0]["p_value"]
    assert found.counts["users_analysed"].iloc[0] == 299
    assert found.curves["probability"].between(0, 1).all()
    assert vc.model_frame_use(posts, ideology, controls=["verified"]).effects["frame"].tolist() == [
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
    posts, ideology = simulate_frame_use(60)
    with pytest.raises(ValueError, match=message):
        vc.model_frame_use(posts, ideology.assign(**change), **options)


def test_the_former_name_warns_gives_the_same_and_is_no_test_to_pytest():
    posts, ideology = simulate_frame_use(60)
    with pytest.warns(DeprecationWarning, match="called model_frame_use now"):
        found = vc.test_frame_use(posts, ideology, min_users=5)
    for table, expected in zip(found, vc.model_frame_use(posts, ideology, min_users=5), strict=True):
        pd.testing.assert_frame_equal(table, expected)
    assert vc.test_frame_use.__test__ is False


def test_simulated_scores_or_frames_mark_every_table_and_figure():
    posts, ideology = simulate_frame_use(60)
    made_up = [(posts, ideology.assign(simulated=True)), (posts.assign(simulated=True), ideology)]
    for arguments in made_up:
        use = vc.model_frame_use(*arguments)
        assert all(table["simulated"].all() for table in use)
        assert "simulated" not in use.effects["frame"].tolist()
        assert "SIMULATED" in vc.plot_frame_effects(use.effects).to_json()
        assert "SIMULATED" in vc.plot_frame_use(use.curves).to_json()
    use = vc.model_frame_use(posts, ideology)
    assert not any("simulated" in table for table in use)
    assert "SIMULATED" not in vc.plot_frame_effects(use.effects).to_json()
