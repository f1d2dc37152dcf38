import numpy as np
import pandas as pd
import pytest
from apart_ratings import DIMENSIONS, make_apart_ratings

import visclust as vc
from visclust.ratings.group_factors import measure_moments
from visclust.ratings.invariance import GroupRatings, fit_model, measure_latent


@pytest.fixture(scope="module")
def ratings():
    return make_apart_ratings()


@pytest.fixture(scope="module")
def check(ratings):
    return vc.confirm_factors(ratings, dimensions=DIMENSIONS, groups="group")


def test_the_item_that_stands_apart_is_named(check):
    models = check.invariance.set_index("model")
    assert models.index.tolist() == ["configural", "metric", "scalar", "partial scalar"]
    assert models["holds"].tolist() == [True, True, False, True]
    assert models["freed"].tolist() == ["", "", "", "proud"]
    # lavaan's figures, see test_group_factors.py.
    assert models["cfi"].round(3).tolist() == [1.0, 1.0, 0.927, 1.0]
    assert models.loc["scalar", "chi2_change"] == pytest.approx(103.198 - 21.770, abs=0.002)
    assert models.loc["scalar", "df_change"] == 5
    items = check.items.set_index(["group", "item"])
    shift = items["intercept"]["b"] - items["intercept"]["a"]
    # 0.9 lower was put in; 160 ratings a group with a standard deviation of about 1.5, each twice.
    assert shift["proud"] == pytest.approx(-0.9, abs=2 * 1.5 * np.sqrt(2 / 160))
    assert shift.drop("proud").eq(0).all()


def test_latent_differences_stand_beside_observed_ones_in_the_same_points(check, ratings):
    contrasts = check.contrasts.set_index("dimension")
    assert contrasts[["group", "reference"]].drop_duplicates().values.tolist() == [["a", "b"]]
    joy = ratings[ratings["item"].isin(DIMENSIONS["joy"])].groupby("group")["rating"].mean()
    assert contrasts.loc["joy", "observed"] == pytest.approx(joy["a"] - joy["b"])
    # lavaan: -0.22441 standard deviations, times the mean of its loadings.
    assert contrasts.loc["joy", "latent_sd"] == pytest.approx(-0.2244, abs=2e-4)
    assert contrasts.loc["joy", "latent"] == pytest.approx(-0.2594, abs=3e-4)
    assert contrasts["low"].lt(contrasts["latent"]).all() and contrasts["latent"].lt(contrasts["high"]).all()
    assert contrasts["invariance"].to_dict() == {"joy": "partial", "anger": "scalar"}


def test_each_dimension_has_a_plain_sentence(check):
    said = check.contrasts.set_index("dimension")["sentence"]
    assert said["joy"].startswith("SIMULATED ratings. Scalar invariance fails (CFI falls by 0.073)")
    assert "at the same joy, proud is 1.16 points higher for a than for b" in said["joy"]
    assert "latent -0.26 points" in said["joy"] and "observed +0.12" in said["joy"]
    assert "by items of other dimensions (proud)" in said["anger"]


def test_groups_that_use_all_items_alike_pass_every_step(ratings):
    alike = ratings[ratings["group"].eq("a")].copy()
    number = alike["respondent"].str[1:].astype(int)
    alike["party"] = np.where(number % 2 == 0, "left", "right")
    check = vc.confirm_factors(alike, dimensions=DIMENSIONS, groups="party", reference="left")
    assert check.invariance["model"].tolist() == ["configural", "metric", "scalar"]
    assert check.invariance["holds"].all()
    assert check.contrasts["invariance"].eq("scalar").all()
    assert check.contrasts["sentence"].str.contains("Scalar invariance holds").all()
    # Without an item apart, latent and observed say the same, up to how the likelihood weighs items.
    assert check.contrasts["latent"].tolist() == pytest.approx(check.contrasts["observed"].tolist(), abs=0.1)


def test_a_loading_that_differs_is_freed_before_the_intercepts():
    check = vc.confirm_factors(make_apart_ratings(groups="ac"), dimensions=DIMENSIONS, groups="group")
    models = check.invariance.set_index("model")
    assert not models.loc["metric", "holds"] and models.loc["partial metric", "freed"] == "hateful"
    items = check.items.set_index(["group", "item"])
    assert not items.loc[("a", "hateful"), "loading_shared"]
    assert not items.loc[("a", "hateful"), "intercept_shared"]
    assert items["loading"]["c"]["hateful"] > items["loading"]["a"]["hateful"] + 0.5
    said = check.contrasts.set_index("dimension").loc["anger", "sentence"]
    assert "Metric invariance fails, and scalar with it" in said and "hateful" in said


def test_a_dimension_of_which_no_two_items_agree_has_no_latent_difference(ratings):
    torn = ratings.copy()
    for item, shift in (("keen", 2.0), ("proud", -2.0)):
        torn.loc[torn["item"].eq(item) & torn["group"].eq("a"), "rating"] += shift
    check = vc.confirm_factors(torn, dimensions=DIMENSIONS, groups="group")
    joy, anger = (check.contrasts.set_index("dimension").loc[name] for name in ("joy", "anger"))
    assert joy["invariance"] == "none" and np.isnan(joy["latent"])
    assert "no two items of joy shift together" in joy["sentence"]
    assert anger["invariance"] == "scalar" and np.isfinite(anger["latent"])


def test_dimensions_that_do_not_fit_are_said_not_to(ratings):
    mixed = {"one": ["hopeful", "angry", "proud"], "other": ["keen", "bitter", "hateful", "resentful"]}
    check = vc.confirm_factors(ratings, dimensions=mixed, groups="group")
    assert check.contrasts["invariance"].eq("misfit").all()
    assert check.contrasts["sentence"].str.contains("do not fit the groups").all()


def test_a_dimension_of_one_item_is_not_tested_and_says_so(ratings):
    scales = {**DIMENSIONS, "anger": ["angry", "bitter", "hateful"], "grudge": ["resentful"]}
    contrasts = vc.confirm_factors(ratings, dimensions=scales, groups="group").contrasts
    row = contrasts.set_index("dimension").loc["grudge"]
    assert row["invariance"] == "untested" and row["sentence"].startswith("SIMULATED ratings. One item")
    assert np.isfinite(row["observed"]) and np.isnan(row["latent"])


def test_ratings_left_out_are_counted(ratings):
    gaps = ratings.drop(ratings.index[:1])  # an item of the first rating of group a
    lone = gaps.copy()
    moved = lone["respondent"].eq("b00") & lone["image_id"].eq(lone["image_id"].iloc[-1])
    lone.loc[moved | lone.index.isin(lone.index[-7:]), "image_id"] = "only here"
    counts = vc.confirm_factors(lone, dimensions=DIMENSIONS, groups="group").counts.set_index("group")
    assert counts.loc["a", "incomplete"] == 1
    assert counts.loc["b", "not_shared"] >= 1
    assert counts.loc["a", "ratings"] == 159


def test_groups_of_three_are_each_held_against_the_reference():
    check = vc.confirm_factors(
        make_apart_ratings(groups="abc"), dimensions=DIMENSIONS, groups="group", reference="c"
    )
    assert check.contrasts.groupby("dimension")["group"].agg(list).tolist() == [["a", "b"], ["a", "b"]]
    assert check.invariance["freed"].iloc[-1] == "proud, hateful"


def test_without_groups_nothing_is_compared(ratings):
    check = vc.confirm_factors(ratings, dimensions=DIMENSIONS)
    assert all(len(table) == 0 for table in (check.invariance, check.items, check.contrasts, check.counts))
    assert "sentence" in check.contrasts.columns


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda r: r[r["group"].eq("a")], "at least two groups, got a only"),
        (lambda r: r[r["group"].eq("a") | r["respondent"].lt("b06")], "'b' has 6 respondents"),
        (
            lambda r: r.assign(rating=r["rating"].mask(r["item"].eq("keen") & r["group"].eq("b"), 4.0)),
            "'keen' 4",
        ),
        (lambda r: r.assign(image_id=r["image_id"] + r["group"]), "images that every group rated"),
        (
            lambda r: r.assign(
                rating=np.where(r["item"].eq("keen"), r["rating"].shift(1), r["rating"])
            ).query("item != 'x'"),
            "copy or the sum",
        ),
    ],
    ids=["one group", "few people", "a constant item", "no shared image", "a copied item"],
)
def test_what_cannot_be_decided_is_refused_in_words(ratings, change, match):
    with pytest.raises(ValueError, match=match):
        vc.confirm_factors(change(ratings), dimensions=DIMENSIONS, groups="group")


def test_two_items_alone_are_refused(ratings):
    with pytest.raises(ValueError, match="Two items fit any groups"):
        vc.confirm_factors(ratings, dimensions={"joy": ["hopeful", "keen"]}, groups="group")


def test_a_reference_without_groups_is_refused(ratings):
    with pytest.raises(ValueError, match="Expected groups beside the reference 'a'"):
        vc.confirm_factors(ratings, dimensions=DIMENSIONS, reference="a")


def test_sentences_are_set_beside_the_differences_of_dimensions(ratings, check):
    mixed = vc.fit_mixed_contrast(ratings, dimensions=DIMENSIONS).differences
    beside = vc.add_invariance(mixed, check).set_index("item")["invariance"]
    assert beside["joy"] == check.contrasts.set_index("dimension").loc["joy", "sentence"]
    assert beside["keen"] == ""
    turned = vc.fit_mixed_contrast(ratings, dimensions=DIMENSIONS, reference="a").differences
    assert vc.add_invariance(turned, check).set_index("item")["invariance"]["joy"] == beside["joy"]


def test_what_was_not_tested_says_so():
    row = pd.DataFrame({"level": ["dimension"], "item": "joy", "group": "a", "reference": "b"})
    assert vc.add_invariance(row, None)["invariance"].iloc[0].startswith("Not tested: whether a and b")


def test_a_check_of_other_groups_or_of_none_is_refused(ratings, check):
    row = pd.DataFrame({"level": ["dimension"], "item": "joy", "group": "x", "reference": "b"})
    with pytest.raises(ValueError, match="Expected a check of 'x' against 'b'"):
        vc.add_invariance(row, check)
    with pytest.raises(ValueError, match="call confirm_factors with groups"):
        vc.add_invariance(row, vc.confirm_factors(ratings, dimensions=DIMENSIONS))


@pytest.mark.slow
def test_intervals_of_latent_differences_hold_for_new_respondents_and_images():
    rng = np.random.default_rng(4)
    factors, loadings = np.array([0, 0, 0, 1, 1, 1]), np.array([1.0, 0.9, 0.8, 1.0, 0.9, 0.8])
    person = np.repeat(np.arange(60), 6)
    image, group = np.arange(360) % 180 % 36, (person >= 30).astype(int)
    names, every = list("uvwxyz"), np.ones(6, dtype=bool)
    design = GroupRatings(
        np.empty(0), person, image, group, ["b", "a"], names, factors, ["one", "two"], person, pd.DataFrame()
    )
    held, naive = [], []
    for _ in range(100):
        felt = rng.normal(size=(60, 2))[person] + rng.normal(size=(36, 2))[image] * 0.5
        felt += rng.normal(size=(360, 2)) + 0.5 * group[:, None]
        habits = 0.3 * rng.normal(size=(60, 6))[person]
        values = loadings * felt[:, factors] + habits + rng.normal(size=(360, 6))
        model = fit_model(measure_moments(values, group), factors, every, every)
        for (place, _g), row in measure_latent(design._replace(values=values), model, level=0.95).items():
            truth = 0.5 * loadings[factors == place].mean()
            held.append(row["low"] <= truth <= row["high"])
            alone = design._replace(values=values, people=np.arange(360), images=np.arange(360))
            other = measure_latent(alone, model, level=0.95)[place, 1]
            naive.append(other["low"] <= truth <= other["high"])
    # 200 intervals, two of a run nearly independent: a share of .95 is known to .03, two standard errors.
    assert 0.90 <= np.mean(held) <= 0.99
    assert np.mean(naive) < 0.85  # as if each rating came from a person of its own


def test_two_items_that_shift_apart_leave_a_dimension_undecided(ratings):
    scales = {"joy": ["hopeful", "proud"], "anger": DIMENSIONS["anger"]}
    contrasts = vc.confirm_factors(ratings, dimensions=scales, groups="group").contrasts.set_index(
        "dimension"
    )
    # Either may be the one that stands apart.
    assert contrasts.loc["joy", "invariance"] == "none"
    assert contrasts.loc["joy", "freed"] == "hopeful, proud"
    assert contrasts.loc["anger", "invariance"] == "scalar"


def test_weights_of_respondents_count_in_every_table(ratings, check):
    weights = pd.DataFrame({"respondent": ratings["respondent"].unique()})
    weights["weight"] = 1 + 0.5 * (weights["respondent"].str[1:].astype(int) % 3)
    weighed = vc.confirm_factors(ratings, dimensions=DIMENSIONS, groups="group", respondent_weights=weights)
    # lavaan: cfa(m, d, sampling.weights = "w") of all ratings, and of the groups as in test_group_factors.py
    assert weighed.fit["chi2"].iloc[0] == pytest.approx(7.221, abs=0.0006)
    standardized = [0.847, 0.751, 0.664, 0.840, 0.781, 0.685, 0.776]
    assert weighed.loadings["loading"].tolist() == pytest.approx(standardized, abs=0.0006)
    assert weighed.invariance["chi2"].iloc[-1] == pytest.approx(23.878, abs=0.0006)
    joy = ratings[ratings["item"].isin(DIMENSIONS["joy"])].merge(weights, on="respondent")
    means = joy.assign(rating=joy["rating"] * joy["weight"]).groupby("group")[["rating", "weight"]].sum()
    means = means["rating"] / means["weight"]
    observed = weighed.contrasts.set_index("dimension")["observed"]
    assert observed["joy"] == pytest.approx(means["a"] - means["b"])
    alike = vc.confirm_factors(
        ratings, dimensions=DIMENSIONS, groups="group", respondent_weights=weights.assign(weight=3.0)
    )
    pd.testing.assert_frame_equal(alike.contrasts, check.contrasts)


def test_a_fit_that_stops_at_a_variance_of_zero_is_named_in_every_sentence(ratings, check):
    apart = ratings["item"].eq("proud") & ratings["group"].eq("a")
    found = vc.confirm_factors(
        ratings.assign(rating=ratings["rating"] + 6 * apart), dimensions=DIMENSIONS, groups="group"
    )
    stopped = found.invariance.set_index("model")["improper"]
    assert stopped["scalar"] > 0
    told = f"Improper: scalar ({stopped['scalar']} residual variances) stopped at zero"
    assert found.contrasts["sentence"].str.contains(told, regex=False).all()
    assert not check.contrasts["sentence"].str.contains("Improper").any()
