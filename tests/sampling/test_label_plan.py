import numpy as np
import pandas as pd
import pytest
from scipy import stats

import visclust as vc


@pytest.fixture
def corpus():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(20), 100)
    ids = pd.Index([str(i) for i in range(2000)], name="image_id")
    crowd = pd.Series(rng.random(2000) < rng.beta(1, 2, 20)[labels], index=ids, name="crowd")
    guess = pd.Series(np.where(rng.random(2000) < 0.1, ~crowd, crowd), index=ids, name="crowd")
    return pd.DataFrame({"image_id": ids, "cluster": labels}), crowd, guess


def test_a_random_sample_needs_what_the_textbook_says(corpus):
    clusters, crowd, _ = corpus
    pilot = vc.draw_random_sample(clusters, size=200)
    seen = crowd[pilot["image_id"]] * 2.0  # numbers, and no share
    plan = vc.plan_labels(pilot, seen, clusters=clusters, half_width=0.1).plan.set_index("design")
    # Cochran (1977), 4.4, with the variance of the pilot and Student's t for so many: n0 = t² S² / d²,
    # n = n0 / (1 + n0 / N).
    first = stats.t.ppf(0.975, plan.loc["random", "images"] - 1) ** 2 * seen.var() / 0.1**2
    assert plan.loc["random", "images"] == np.ceil(first / (1 + first / 2000))
    assert plan.loc["random", "half_width"] <= 0.1
    assert plan["population"].tolist() == [2000, 2000]


def test_planned_numbers_give_the_half_width_that_was_asked_for(corpus):
    clusters, crowd, guess = corpus
    pilot = vc.draw_stratified_sample(clusters, max_per_cluster=15)
    plan = vc.plan_labels(pilot, crowd[pilot["image_id"]], clusters=clusters, guesses=guess, half_width=0.03)
    images = plan.plan.set_index("design")["images"]
    assert images["stratified with guesses"] < images["stratified"] < images["random"]
    assert images["random with guesses"] < 0.7 * images["random"]
    for name in ("stratified", "stratified with guesses"):
        again = vc.draw_stratified_sample(clusters, max_per_cluster=int(images[name]) // 20, seed=5)
        options = {"guesses": guess} if "guesses" in name else {}
        found = vc.estimate_corpus(again, crowd[again["image_id"]], clusters=clusters, **options).iloc[0]
        # The pilot's variances rest on 300 labels, the sample's on some hundreds.
        assert (found["high"] - found["low"]) / 2 == pytest.approx(0.03, rel=0.2)


@pytest.mark.parametrize("wrong", [0.0, 0.02])
def test_good_guesses_are_not_promised_more_than_their_estimate_gives(corpus, wrong):
    clusters, crowd, _ = corpus
    flips = np.random.default_rng(1).random(2000) < wrong
    guess = crowd ^ flips
    pilot = vc.draw_random_sample(clusters, size=1000)  # so large that what it does not know hardly counts
    plan = vc.plan_labels(pilot, crowd[pilot["image_id"]], clusters=clusters, guesses=guess).plan
    size = int(plan.set_index("design").loc["random with guesses", "images"])
    assert size > 50  # Bonett and Price: 1.96 * sqrt(2) / (n + 2) alone needs 54 for 0.05
    reached = []
    for seed in range(12):
        drawn = vc.draw_random_sample(clusters, size=size, seed=seed)
        found = vc.estimate_corpus(drawn, crowd[drawn["image_id"]], clusters=clusters, guesses=guess)
        reached.append(float((found["high"] - found["low"]).iloc[0]) / 2)
    chance = np.std(reached, ddof=1) / np.sqrt(len(reached))
    assert np.mean(reached) == pytest.approx(0.05, abs=0.001 + 3 * chance)


def test_each_design_marks_where_it_gets_there_and_guesses_alike_in_a_cluster_save_nothing(corpus):
    clusters, crowd, _ = corpus
    pilot = vc.draw_stratified_sample(clusters, max_per_cluster=15).assign(simulated=True)
    flat = clusters.set_index("image_id")["cluster"] / 20.0
    plan, curve = vc.plan_labels(pilot, crowd[pilot["image_id"]], clusters=clusters, guesses=flat)
    assert curve.groupby("design")["reached"].sum().tolist() == [1, 1, 1, 1]
    assert (curve.groupby("design")["half_width"].diff().dropna() <= 0).all()
    images = plan.set_index("design")["images"]
    assert images["stratified with guesses"] == images["stratified"]
    assert plan["simulated"].all()
    assert "SIMULATED" in vc.plot_label_cost(curve).to_json()


@pytest.mark.parametrize("largest", [1.0, 5.0])
def test_a_pilot_that_shows_no_variance_promises_no_interval_without_a_width(corpus, largest):
    """Shares have the estimator's interval, which has a width; of other values one image counts as off."""
    clusters, _, _ = corpus
    pilot = vc.draw_stratified_sample(clusters, max_per_cluster=3)
    alike = (clusters.set_index("image_id")["cluster"].lt(6) * largest).rename("alike")
    options = {"clusters": clusters, "guesses": alike, "half_width": 0.03 * largest}
    plan = vc.plan_labels(pilot, alike[pilot["image_id"]], **options).plan.set_index("design")
    assert plan["half_width"].between(0.01 * largest, 0.03 * largest).all()
    assert (plan["images"] >= 60).all()  # as many as the pilot, of which nothing was wrong


@pytest.mark.parametrize(
    ("seen", "options", "message"),
    [
        (1.0, {}, "the same 'y'"),
        (np.nan, {}, "2 images of the pilot|have no value|no value"),
        ([1.0, 0, 1, 0, 1], {"half_width": 0.0}, "half_width above 0"),
        ([1.0, 0, 1, 0, 1], {"guesses": pd.Series([1.0], index=["0"])}, "8 have none"),
    ],
)
def test_plans_that_cannot_be_made_are_refused(make_clusters, seen, options, message):
    clusters = make_clusters([0] * 9)
    pilot = vc.draw_stratified_sample(clusters).assign(y=seen)
    with pytest.raises(ValueError, match=message):
        vc.plan_labels(pilot, "y", clusters=clusters, **options)


def test_one_image_per_cluster_shows_nothing_of_what_varies_within(make_clusters):
    clusters = make_clusters([0] * 9 + [1] * 9)
    pilot = vc.draw_stratified_sample(clusters, max_per_cluster=1).assign(y=[0.0, 1.0])
    with pytest.raises(ValueError, match="Draw two or more per cluster"):
        vc.plan_labels(pilot, "y", clusters=clusters)
