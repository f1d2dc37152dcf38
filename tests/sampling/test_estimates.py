import itertools
import math

import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.sampling.variances import measure_variance

LABELS = [0] * 4 + [1] * 3 + [2] * 3


VALUES = np.array([1.0, 4.0, 2.0, 9.0, 5.0, 5.5, 7.0, 0.0, 3.0, 1.0])


KINDS = np.array(list("abaabbbaab"))


def enumerate_samples(clusters, takes):
    """Give every stratified sample with these numbers of images; all are equally likely."""
    groups = [clusters.index[clusters["cluster"] == label] for label in sorted(clusters["cluster"].unique())]
    for rows in itertools.product(
        *(itertools.combinations(g, take) for g, take in zip(groups, takes, strict=True))
    ):
        parts = []
        for members, drawn in zip(groups, rows, strict=True):
            part = clusters.loc[list(drawn), ["image_id", "cluster"]]
            share = len(drawn) / len(members)
            parts.append(part.assign(inclusion_probability=share, weight=1 / share))
        yield pd.concat(parts, ignore_index=True)


def estimate_all(clusters, takes, **options):
    values = pd.Series(VALUES[: len(clusters)], index=clusters["image_id"], name="y")
    rows = [
        vc.estimate_corpus(sample, values, clusters=clusters, **options)
        for sample in enumerate_samples(clusters, takes)
    ]
    return pd.concat(rows, ignore_index=True)


@pytest.mark.parametrize("estimator", ["hajek", "horvitz-thompson"])
@pytest.mark.parametrize(("statistic", "truth"), [("mean", VALUES.mean()), ("total", VALUES.sum())])
def test_over_all_samples_the_estimate_and_its_variance_are_exactly_unbiased(
    make_clusters, estimator, statistic, truth
):
    options = {"estimator": estimator, "statistic": statistic, "variance": "own"}
    found = estimate_all(make_clusters(LABELS), [2, 2, 2], **options)
    assert len(found) == 6 * 3 * 3
    assert found["estimate"].mean() == pytest.approx(truth)  # up to rounding in float64
    assert (found["standard_error"] ** 2).mean() == pytest.approx(found["estimate"].var(ddof=0))


def test_over_all_samples_the_total_of_a_domain_and_its_variance_are_exactly_unbiased(make_clusters):
    clusters = make_clusters(LABELS)
    kinds = pd.Series(KINDS, index=clusters["image_id"])
    options = {"statistic": "total", "estimator": "horvitz-thompson", "variance": "own"}
    found = estimate_all(clusters, [2, 2, 2], by=kinds, **options)
    for kind in "ab":
        part = found[found["domain"] == kind]
        # A sample without the domain gives no row: its estimate is 0, and so is its variance.
        missing = np.zeros(54 - len(part))
        estimates = np.concatenate([part["estimate"], missing])
        assert estimates.mean() == pytest.approx(VALUES[kind == KINDS].sum())
        variances = np.concatenate([part["standard_error"] ** 2, missing])
        assert variances.mean() == pytest.approx(estimates.var())


def test_over_all_samples_a_share_is_exactly_unbiased_and_its_interval_stays_between_0_and_1(make_clusters):
    clusters = make_clusters(LABELS)
    kinds = pd.Series(KINDS, index=clusters["image_id"])
    rows = [
        vc.estimate_corpus(sample, kinds, clusters=clusters, statistic="proportion")
        for sample in enumerate_samples(clusters, [2, 2, 2])
    ]
    found = pd.concat(rows)
    # A category that a sample does not hold has no row in it: a share of 0.
    shares = found.groupby("category")["estimate"].sum() / len(rows)
    assert shares.to_dict() == pytest.approx({"a": 0.5, "b": 0.5})
    assert found["low"].ge(0).all()
    assert found["high"].le(1).all()
    assert (found["low"] < found["high"]).all()


def test_over_all_samples_collapsed_strata_never_understate_the_variance(make_clusters):
    found = estimate_all(make_clusters(LABELS), [2, 1, 1], statistic="total", variance="own")
    assert (found["standard_error"] ** 2).mean() > found["estimate"].var(ddof=0)
    assert set(found["strata_collapsed"]) == {2}


def test_over_all_samples_collapsed_strata_of_one_size_and_mean_are_exactly_unbiased(make_clusters):
    clusters = make_clusters([0, 0, 0, 1, 1, 1])
    values = pd.Series([1.0, 2.0, 6.0, 4.0, 0.0, 5.0], index=clusters["image_id"])
    found = pd.concat(
        vc.estimate_corpus(sample, values, clusters=clusters, variance="own")
        for sample in enumerate_samples(clusters, [1, 1])
    )
    assert (found["standard_error"] ** 2).mean() == pytest.approx(found["estimate"].var(ddof=0))


@pytest.mark.slow  # 96 samples each
@pytest.mark.parametrize("variance", ["moderated", "pooled"])
def test_over_all_samples_a_shared_variance_is_exactly_unbiased_where_clusters_vary_alike(
    make_clusters, variance
):
    clusters = make_clusters([0] * 4 + [1] * 4 + [2] * 4)
    values = pd.Series(
        [y + shift for shift in (0, 10, 50) for y in (1.0, 4, 2, 9)], index=clusters["image_id"]
    )
    found = pd.concat(
        vc.estimate_corpus(sample, values, clusters=clusters, variance=variance)
        for sample in enumerate_samples(clusters, [3, 2, 1])  # the last alone shows no variance
    )
    assert (found["standard_error"] ** 2).mean() == pytest.approx(found["estimate"].var(ddof=0))
    assert found["degrees_of_freedom"].max() <= 3  # 6 images in 3 clusters
    assert set(found["strata_collapsed"]) == {0}


def test_a_moderated_variance_counts_that_of_all_clusters_as_one_more_image():
    values, strata = np.array([1.0, 3.0, 8.0, 0.0, 0.0, 0.0, 5.0]), np.array([0, 0, 0, 1, 1, 1, 2])
    found = measure_variance(values, strata, np.array([9, 30, 4]), kind="moderated")
    typical = 26 / 4  # squares of 1, 3, 8 around 4, and none of the others; 2 + 2 degrees of freedom
    parts = [9 * 6 / 3 * (26 + typical) / 3, 30 * 27 / 3 * (0 + typical) / 3, 4 * 3 / 1 * typical]
    assert found.variance == pytest.approx(sum(parts))
    own = measure_variance(values, strata, np.array([9, 30, 4]))
    assert found.degrees_of_freedom == pytest.approx(min(own.degrees_of_freedom, 4))
    assert found.collapsed == 0


def test_where_large_clusters_happen_to_show_no_variance_the_default_does_not_believe_it(make_clusters):
    clusters = make_clusters([0] * 500 + [1] * 8 + [2] * 8)
    sample = vc.draw_stratified_sample(clusters).assign(y=[2.0] * 5 + [1, 2, 3, 4, 5] * 2)
    error = {
        kind: vc.estimate_corpus(sample, "y", clusters=clusters, variance=kind)["standard_error"][0]
        for kind in ("own", "moderated", "pooled")
    }
    assert error["own"] < error["moderated"] / 5
    assert error["own"] < error["moderated"] < error["pooled"]


@pytest.mark.parametrize("estimator", ["hajek", "horvitz-thompson"])
def test_means_and_totals_of_yes_or_no_have_the_interval_of_a_share(make_clusters, estimator):
    clusters = make_clusters([0] * 40 + [1] * 8)
    sample = vc.draw_stratified_sample(clusters).assign(y=[True] + [False] * 9)
    options = {"clusters": clusters, "estimator": estimator}
    share = vc.estimate_corpus(sample, "y", statistic="proportion", **options).query("category").iloc[0]
    mean = vc.estimate_corpus(sample, "y", **options).iloc[0]
    total = vc.estimate_corpus(sample, "y", statistic="total", **options).iloc[0]
    bounds = ["estimate", "low", "high", "standard_error"]
    assert 0 < mean["low"] < mean["estimate"] < mean["high"] < 1
    assert mean[bounds].tolist() == pytest.approx(share[bounds].tolist())
    assert total[bounds].tolist() == pytest.approx((48 * share[bounds]).tolist())


def test_a_total_of_what_was_never_seen_has_an_upper_bound(make_clusters):
    clusters = make_clusters([0] * 40 + [1] * 8)
    sample = vc.draw_stratified_sample(clusters).assign(y=0, kind=list("aaabbaabbb"))
    found = vc.estimate_corpus(sample, "y", clusters=clusters, statistic="total", by="kind")
    assert found["estimate"].tolist() == [0, 0]
    assert found["low"].tolist() == [0, 0]
    assert found["high"].between(0, 48, inclusive="neither").all()


def test_the_hajek_total_of_a_domain_is_its_mean_times_its_size_where_that_is_known(make_clusters):
    clusters = make_clusters([0] * 40 + [1] * 8)
    kinds = pd.Series(list("aab") * 16, index=clusters["image_id"])
    sample = vc.draw_stratified_sample(clusters).assign(y=np.arange(10.0))
    columns = ["estimate", "standard_error", "low", "high"]
    mean = vc.estimate_corpus(sample, "y", clusters=clusters, by=kinds)
    total = vc.estimate_corpus(sample, "y", clusters=clusters, by=kinds, statistic="total")
    sizes = mean["domain"].map({"a": 32, "b": 16}).to_numpy()
    assert total[columns].to_numpy() == pytest.approx(mean[columns].to_numpy() * sizes[:, None])
    assert total["n_effective"].tolist() == pytest.approx(mean["n_effective"].tolist())


def test_a_simple_random_sample_has_the_textbook_standard_error(make_clusters):
    clusters = make_clusters([0] * 8 + [-1] * 12)
    sample = vc.draw_random_sample(clusters, size=5)
    y = pd.Series(np.arange(20.0) ** 2, index=clusters["image_id"])
    row = vc.estimate_corpus(sample, y, clusters=clusters, design="random").iloc[0]
    seen = y[sample["image_id"]]
    assert row["estimate"] == pytest.approx(seen.mean())
    assert row["standard_error"] == pytest.approx(math.sqrt((1 - 5 / 20) * seen.var() / 5))
    assert row["design_effect"] == pytest.approx(1)
    assert row["n_effective"] == pytest.approx(5)
    assert row["degrees_of_freedom"] == pytest.approx(4)
    assert row["covered"] == row["corpus"] == 20


def test_the_design_is_read_from_the_probabilities_unless_it_is_named(make_clusters):
    clusters = make_clusters([0] * 8 + [1] * 12)
    y = pd.Series(np.arange(20.0) ** 2, index=clusters["image_id"])
    random = vc.draw_random_sample(clusters, size=6, seed=1)
    assert vc.estimate_corpus(random, y, clusters=clusters)["degrees_of_freedom"][0] == pytest.approx(5)
    with pytest.raises(ValueError, match="probabilities of a stratified sample"):
        vc.estimate_corpus(random, y, clusters=clusters, design="stratified")
    with pytest.raises(ValueError, match="probabilities of a random sample"):
        vc.estimate_corpus(vc.draw_stratified_sample(clusters), y, clusters=clusters, design="random")


def test_the_table_says_for_how_many_images_an_estimate_speaks(make_clusters):
    clusters = make_clusters([0] * 6 + [1] + [-1] * 3)  # a singleton and unassigned images stay out
    sample = vc.draw_stratified_sample(clusters).assign(y=1.0)
    row = vc.estimate_corpus(sample, "y", clusters=clusters).iloc[0]
    assert (row["covered"], row["corpus"]) == (6, 10)


def test_a_clusters_own_mean_rests_on_that_cluster_alone(make_clusters):
    clusters = make_clusters([0] * 5 + [1] * 5 + [2] * 2)
    sample = vc.draw_stratified_sample(clusters, max_per_cluster=3).assign(y=[1.0, 2, 3, 7, 7, 7, 5])
    found = vc.estimate_corpus(sample, "y", clusters=clusters, by="cluster", estimator="horvitz-thompson")
    assert found["estimate"].tolist() == pytest.approx([2, 7, 5])
    assert found["standard_error"].tolist()[:2] == pytest.approx([math.sqrt((1 - 3 / 5) / 3), 0])
    assert math.isnan(found["standard_error"][2])  # one image of two says nothing about their spread
    assert found["covered"].tolist() == [5, 5, 2]


def test_images_without_a_value_are_refused_or_weighed_up_within_their_cluster(make_clusters):
    clusters = make_clusters([0] * 6 + [1] * 6 + [2] * 2)
    sample = vc.draw_stratified_sample(clusters, max_per_cluster=3).assign(
        y=[1.0, None, 3.0, 10.0, 10.0, 10.0, None]
    )
    with pytest.raises(ValueError, match="2 of 7 sampled images have no value of 'y'"):
        vc.estimate_corpus(sample, "y", clusters=clusters)
    row = vc.estimate_corpus(sample, "y", clusters=clusters, missing="adjust").iloc[0]
    assert row["estimate"] == pytest.approx((6 * 2 + 6 * 10) / 12)
    assert (row["n"], row["covered"], row["corpus"]) == (5, 12, 14)


def test_several_values_come_as_a_table_and_leave_as_rows(make_clusters):
    clusters = make_clusters([0] * 6)
    table = pd.DataFrame({"image_id": clusters["image_id"], "u": 1.0, "v": [True] * 6})
    found = vc.estimate_corpus(vc.draw_stratified_sample(clusters), table, clusters=clusters)
    assert found["value"].tolist() == ["u", "v"]
    assert found["estimate"].tolist() == [1, 1]


def test_values_alike_within_clusters_need_few_images(make_clusters):
    clusters = make_clusters([0] * 50 + [1] * 50)
    y = pd.Series([0.0, 0.01] * 25 + [10.0, 10.01] * 25, index=clusters["image_id"])
    row = vc.estimate_corpus(vc.draw_stratified_sample(clusters), y, clusters=clusters).iloc[0]
    assert row["design_effect"] < 0.001
    assert row["n_effective"] > 95  # nearly all 100 images in a simple random sample


def test_lonely_strata_are_paired_by_size_and_three_close_an_odd_number():
    # Sizes 2, 9, 3, 8, 20 with one image of each: pairs by size are (2, 3) and (8, 9, 20).
    sizes = np.array([2, 9, 3, 8, 20])
    values = np.array([0.0, 0, 0, 0, 1])
    found = measure_variance(values, np.arange(5), sizes)
    gap = np.array([-8 / 37 * 20, -9 / 37 * 20, 20 - 20 / 37 * 20])
    assert found.variance == pytest.approx(3 / 2 * (gap**2).sum())
    assert found.collapsed == 5


def test_one_lonely_stratum_is_joined_with_the_nearest_in_size():
    found = measure_variance(np.array([1.0, 1.0, 3.0]), np.array([0, 1, 1]), np.array([4, 4]))
    # Totals 4 and 8: twice the sum of the squared distances from 6.
    assert found.variance == pytest.approx(2 * (2**2 + 2**2))


def test_a_stratum_seen_whole_adds_no_variance():
    assert measure_variance(np.array([1.0, 9.0]), np.array([0, 1]), np.array([1, 1])).variance == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": "nothing"}, "no column 'nothing'"),
        ({"value": pd.Series(["x"] * 9, index=list("012345678"))}, "statistic='proportion'"),
        ({"value": pd.Series([1.0, 2.0], index=["0", "0"])}, "'0' comes twice"),
        ({"value": pd.Series([1.0], index=["z"])}, "None of the images has a value"),
        ({"value": pd.Series([np.inf] * 9, index=list("012345678"))}, "finite numbers"),
        ({"statistic": "median"}, "mean, total, proportion"),
        ({"level": 95}, "between 0 and 1"),
        ({"variance": "none"}, "moderated, own, pooled"),
        ({"by": "nowhere"}, "has a column 'nowhere'"),
        ({"by": "kind", "estimator": "horvitz-thompson"}, "only known if `by` is a column of the clusters"),
    ],
)
def test_what_cannot_be_estimated_is_refused(make_clusters, change, message):
    clusters = make_clusters([0] * 9)
    sample = vc.draw_stratified_sample(clusters).assign(y=1.0, kind="k")
    with pytest.raises(ValueError, match=message):
        vc.estimate_corpus(sample, **{"value": "y", "clusters": clusters, **change})


def test_a_sample_cut_after_drawing_is_refused(make_clusters):
    clusters = make_clusters([0] * 9 + [1] * 9)
    sample = vc.draw_stratified_sample(clusters).assign(y=1.0)
    with pytest.raises(ValueError, match="give it whole"):
        vc.estimate_corpus(sample.head(7), "y", clusters=clusters)
    with pytest.raises(ValueError, match="not in the clusters table"):
        vc.estimate_corpus(sample, "y", clusters=make_clusters([0] * 4))


def test_labels_that_are_alike_within_every_cluster_do_not_make_an_interval_without_a_width(make_clusters):
    # What is left of 0.1 + 0.2 - 0.3 is no variance.
    clusters = make_clusters([0] * 70 + [1] * 30 + [2] * 23)
    sample = vc.draw_stratified_sample(clusters, max_per_cluster=7)
    found = vc.estimate_corpus(sample.assign(y=sample["cluster"].eq(1)), "y", clusters=clusters).iloc[0]
    assert found["standard_error"] == 0
    assert found["low"] < 0.15 < found["high"] - 0.2


def test_a_census_is_the_share_itself_and_nearly_one_is_nearly(make_clusters):
    clusters = make_clusters([0] * 60)
    rows = clusters.assign(crowd=[1, 0, 0] * 20)

    def estimate(size):
        drawn = vc.draw_random_sample(rows, size=size)
        seen = rows.set_index("image_id")["crowd"][drawn["image_id"]]
        return vc.estimate_corpus(drawn, seen, clusters=clusters).iloc[0]

    census, nearly, half = (estimate(size) for size in (60, 59, 30))
    assert census[["estimate", "low", "high"]].tolist() == pytest.approx([1 / 3] * 3)
    assert 0 < nearly["high"] - nearly["low"] < 0.2 * (half["high"] - half["low"])
    guess = rows.set_index("image_id")["crowd"] * 0.8 + np.linspace(0, 0.1, 60)
    drawn = vc.draw_random_sample(rows, size=60)
    seen = rows.set_index("image_id")["crowd"]
    found = vc.estimate_corpus(drawn, seen[drawn["image_id"]], clusters=clusters, guesses=guess).iloc[0]
    assert found[["estimate", "low", "high"]].tolist() == pytest.approx([1 / 3] * 3)


def test_what_was_never_seen_in_all_but_one_image_is_nearly_not_there(make_clusters):
    clusters = make_clusters([0] * 60)
    highs = []
    for size in (30, 54, 59, 60):
        drawn = vc.draw_random_sample(clusters, size=size).assign(crowd=0)
        highs.append(vc.estimate_corpus(drawn, "crowd", clusters=clusters)["high"].item())
    assert (np.diff(highs) < 0).all()
    assert highs[-1] == 0


def test_weights_that_contradict_the_probabilities_are_refused(make_clusters):
    clusters = make_clusters([0] * 9)
    sample = vc.draw_stratified_sample(clusters).assign(crowd=[1, 0, 1, 1, 0])
    for weight in (sample["weight"] * [1, 1, 1, 1, 3], sample["weight"] * np.nan, -sample["weight"]):
        with pytest.raises(ValueError, match="weight"):
            vc.estimate_corpus(sample.assign(weight=weight), "crowd", clusters=clusters)
    rounded = sample.assign(weight=sample["weight"].round(2))
    assert len(vc.estimate_corpus(rounded, "crowd", clusters=clusters)) == 1
