import itertools
import warnings

import numpy as np
import pandas as pd
import pytest

import visclust as vc

PPI = [
    (1, 1.459905, 1.329563, 1.590246),
    (0.5, 1.456299, 1.319828, 1.59277),
    (None, 1.458767, 1.33202, 1.585515),
]


def make_corpus(sizes, *, seed=0, share=0.3):
    """Make clusters, whether each image shows a crowd, and the chance of it that a fair model would give."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    ids = pd.Index([str(i) for i in range(len(labels))], name="image_id")
    likely = rng.beta(4 * share, 4 * (1 - share), len(labels))
    clusters = pd.DataFrame({"image_id": ids, "cluster": labels})
    crowd = pd.Series(rng.random(len(labels)) < likely, index=ids, name="crowd")
    return clusters, crowd, pd.Series(likely, index=ids, name="crowd")


def label(sample, truth):
    return truth[sample["image_id"]]


def test_for_independent_labels_the_estimates_are_those_of_ppi_python():
    # ppi_py 0.2.3: ppi_mean_pointestimate and ppi_mean_ci(y[seen], g[seen], g[~seen], alpha=0.05, lam=lam)
    rng = np.random.default_rng(0)
    g = 4 * rng.random(20_000)
    y = 0.75 * g + rng.normal(size=len(g))
    clusters = pd.DataFrame({"image_id": [str(i) for i in range(len(g))], "cluster": 0})
    sample = clusters.iloc[::100].assign(inclusion_probability=0.01)
    values, guesses = (pd.Series(each, index=clusters["image_id"], name="y") for each in (y, g))
    options = {"clusters": clusters, "guesses": guesses, "design": "random"}
    for lam, point, low, high in PPI:
        # There the guesses' mean is over the images without a label, here over all.
        tuning = None if lam is None else lam * (1 + 200 / 19_800)
        found = vc.estimate_corpus(sample, label(sample, values), tuning=tuning, **options).iloc[0]
        # Tuned here by the variance of the guesses in the sample, there by that in all.
        assert found["estimate"] == pytest.approx(point, abs=1e-6 if lam else 2e-3)
        # Here with Student's t, n - 1, and what is left to see: 1% in all of the half-width.
        assert (found["low"], found["high"]) == pytest.approx((low, high), abs=2.5e-3)


def test_over_all_samples_the_estimate_and_its_variance_are_exactly_unbiased_with_any_guesses(make_clusters):
    y = np.array([1.0, 4.0, 2.0, 9.0, 5.0, 5.5, 7.0])
    clusters = make_clusters([0] * 4 + [1] * 3)
    values = pd.Series(y, index=clusters["image_id"], name="y")
    wild = pd.Series([3.0, -20, 5, 0, 1e3, 4, 4], index=clusters["image_id"])
    rows = []
    for first, second in itertools.product(
        itertools.combinations(range(4), 2), itertools.combinations((4, 5, 6), 2)
    ):
        part = clusters.iloc[[*first, *second]][["image_id", "cluster"]]
        sample = part.assign(inclusion_probability=[1 / 2] * 2 + [2 / 3] * 2)
        options = {"clusters": clusters, "variance": "own", "guesses": wild, "tuning": 0.1}
        rows.append(vc.estimate_corpus(sample, label(sample, values), **options))
    found = pd.concat(rows)
    assert len(found) == 6 * 3
    assert found["estimate"].mean() == pytest.approx(y.mean())  # up to rounding in float64
    assert (found["standard_error"] ** 2).mean() == pytest.approx(found["estimate"].var(ddof=0))


def test_perfect_guesses_give_the_truth_and_useless_ones_the_labels_alone():
    clusters, crowd, _ = make_corpus([200] * 5)
    score = pd.Series(np.arange(1000.0), index=crowd.index)
    sample = vc.draw_random_sample(clusters, size=60, seed=1)
    exact = vc.estimate_corpus(sample, label(sample, score), clusters=clusters, guesses=3 * score + 5).iloc[0]
    assert exact["estimate"] == pytest.approx(score.mean())
    assert exact["tuning"] == pytest.approx(1 / 3)
    assert exact["labels_saved"] == pytest.approx(1)
    alone = vc.estimate_corpus(sample, label(sample, crowd), clusters=clusters).iloc[0]
    none = vc.estimate_corpus(sample, label(sample, crowd), clusters=clusters, guesses=score, tuning=0).iloc[
        0
    ]
    same = ["estimate", "standard_error", "low", "high", "n_effective", "degrees_of_freedom"]
    assert none[same].to_dict() == alone[same].to_dict()
    assert none["standard_error_alone"] == alone["standard_error"]
    noise = pd.Series(np.random.default_rng(2).random(1000), index=crowd.index)
    useless = vc.estimate_corpus(sample, label(sample, crowd), clusters=clusters, guesses=noise).iloc[0]
    assert useless["standard_error"] == pytest.approx(alone["standard_error"], rel=0.05)
    assert useless["tuning"] == pytest.approx(0, abs=0.5)


def test_guesses_without_an_error_in_the_sample_do_not_make_an_interval_without_a_width():
    clusters, crowd, _ = make_corpus([100] * 10)
    sample = vc.draw_random_sample(clusters, size=100, seed=0)
    found = vc.estimate_corpus(sample, label(sample, crowd), clusters=clusters, guesses=crowd).iloc[0]
    assert found["estimate"] == pytest.approx(crowd.mean())
    # About 3 of n wrong each way may stay unseen (the rule of three).
    assert found["low"] < crowd.mean() - 0.02
    assert found["high"] > crowd.mean() + 0.02


def test_guesses_that_are_the_same_in_a_whole_cluster_save_nothing_in_a_stratified_sample_and_it_says_so():
    clusters, crowd, likely = make_corpus([50, 80, 20])
    sample = vc.draw_stratified_sample(clusters, max_per_cluster=10)
    seen, options = label(sample, crowd), {"clusters": clusters}
    flat = clusters.set_index("image_id")["cluster"].map({0: 0.9, 1: 0.1, 2: 0.4})
    with pytest.warns(UserWarning, match="save no labels: all sampled images of a cluster have the same one"):
        found = vc.estimate_corpus(sample, seen, guesses=flat, **options).iloc[0]
    alone = vc.estimate_corpus(sample, seen, **options).iloc[0]
    assert found["labels_saved"] == 0
    assert found[["estimate", "low", "high"]].tolist() == pytest.approx(
        alone[["estimate", "low", "high"]].tolist()
    )
    random = vc.draw_random_sample(clusters, size=60)
    with warnings.catch_warnings(action="error"):
        vc.estimate_corpus(sample, seen, guesses=likely, **options)
        vc.estimate_corpus(random, label(random, crowd), guesses=flat, **options)


def test_guesses_for_shares_are_probabilities_categories_or_a_column_per_category():
    clusters, crowd, likely = make_corpus([60, 90])
    sample = vc.draw_stratified_sample(clusters, max_per_cluster=20)
    kind = crowd.map({True: "many", False: "few"}).rename("people")
    options = {"clusters": clusters, "statistic": "proportion"}
    mean = vc.estimate_corpus(sample, label(sample, crowd), clusters=clusters, guesses=likely).iloc[0]
    truth = vc.estimate_corpus(sample, label(sample, crowd), guesses=likely, **options)
    table = pd.DataFrame({"image_id": likely.index, "many": likely.to_numpy(), "few": 1 - likely.to_numpy()})
    named = vc.estimate_corpus(sample, label(sample, kind), guesses=table, **options)
    numbers = ["estimate", "low", "high", "tuning"]
    assert truth.set_index("category").loc[True, numbers].tolist() == pytest.approx(mean[numbers].tolist())
    assert named.set_index("category").loc["many", numbers].tolist() == pytest.approx(mean[numbers].tolist())
    assert truth["estimate"].sum() == pytest.approx(1)
    guessed = pd.Series(np.where(likely > 0.5, "many", "few"), index=likely.index)
    one_hot = vc.estimate_corpus(sample, label(sample, kind), guesses=guessed, **options).set_index(
        "category"
    )
    binary = vc.estimate_corpus(sample, label(sample, crowd), clusters=clusters, guesses=likely > 0.5).iloc[0]
    assert one_hot.loc["many", numbers].tolist() == pytest.approx(binary[numbers].tolist())


@pytest.mark.parametrize("estimator", ["hajek", "horvitz-thompson"])
@pytest.mark.parametrize("statistic", ["mean", "total"])
def test_domains_and_copies_are_those_of_the_guesses_too(estimator, statistic):
    clusters, _, _ = make_corpus([60, 90])
    ids = clusters["image_id"]
    clusters["representative"] = [ids[i - 1] if i % 7 == 1 else ids[i] for i in range(len(ids))]
    clusters["week"] = np.where(np.arange(len(ids)) // 7 % 2, "first", "second")
    score = pd.Series(np.arange(len(ids)) // 7 % 5 + 1.0, index=ids, name="score")
    sample = vc.draw_stratified_sample(clusters, max_per_cluster=30)
    options = {"clusters": clusters, "statistic": statistic, "estimator": estimator, "by": "week"}
    found = vc.estimate_corpus(sample, label(sample, score), guesses=score, tuning=1.0, **options)
    whole = score.groupby(clusters["week"].to_numpy()).agg("sum" if statistic == "total" else "mean")
    assert found.set_index("domain")["estimate"].to_dict() == pytest.approx(whole.to_dict())
    assert found["standard_error"].max() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("guesses", "options", "message"),
    [
        (pd.Series([1.0, 2], index=["0", "0"]), {}, "'0' comes twice"),
        (pd.Series([1.0] * 5, index=list("01234")), {}, "15 images .* 10 have none"),
        (pd.Series([np.inf] * 15, index=map(str, range(15))), {}, "finite guesses"),
        (pd.Series(["a"] * 15, index=map(str, range(15))), {}, "Expected numbers"),
        (pd.DataFrame({"other": [1.0]}), {}, "a table with image_id"),
        (pd.DataFrame({"image_id": list("0"), "other": 1.0}), {}, "no column 'y'"),
        (pd.Series([1.0] * 15, index=map(str, range(15))), {"by": "kind"}, "domain of every image"),
        (
            pd.Series([1.0] * 15, index=map(str, range(15))),
            {"statistic": "proportion"},
            "probabilities per category",
        ),
        (None, {"tuning": 1.0}, "give guesses too"),
    ],
)
def test_guesses_that_do_not_fit_are_refused(make_clusters, guesses, options, message):
    clusters = make_clusters([0] * 15)
    sample = vc.draw_stratified_sample(clusters).assign(y=[1.0, 2, 3, 4, 5], kind="k")
    with pytest.raises(ValueError, match=message):
        vc.estimate_corpus(sample, "y", clusters=clusters, guesses=guesses, **options)


def test_images_that_cannot_enter_the_sample_need_no_guess(make_clusters):
    clusters = make_clusters([0] * 15 + [1, -1])
    sample = vc.draw_stratified_sample(clusters).assign(y=[1.0, 2, 3, 4, 5])
    guesses = pd.Series(np.arange(15.0), index=map(str, range(15)))
    assert vc.estimate_corpus(sample, "y", clusters=clusters, guesses=guesses)["covered"].item() == 15


@pytest.mark.slow
@pytest.mark.parametrize("design", ["random", "stratified"])
def test_intervals_with_guesses_hold_the_truth_as_often_as_promised_and_are_narrower(design):
    clusters, crowd, likely = make_corpus([40] * 10 + [150] * 8 + [300])
    truth, estimate = crowd.mean(), vc.estimate_corpus.__wrapped__
    held, width = [], []
    for seed in range(120):
        if design == "random":
            sample = vc.draw_random_sample.__wrapped__(clusters, size=120, seed=seed)
        else:
            sample = vc.draw_stratified_sample.__wrapped__(clusters, max_per_cluster=8, seed=seed)
        seen = label(sample, crowd)
        found = [estimate(sample, seen, clusters=clusters, guesses=g).iloc[0] for g in (None, likely)]
        held.append([row["low"] <= truth <= row["high"] for row in found])
        width.append([row["high"] - row["low"] for row in found])
    # 95% of 120 has a standard error of 2 points: three of them below.
    assert np.mean(held, axis=0)[1] > 0.89
    assert np.mean(width, axis=0)[1] < 0.95 * np.mean(width, axis=0)[0]
