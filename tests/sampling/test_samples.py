import numpy as np
import pandas as pd
import pytest

import visclust as vc


@pytest.mark.parametrize(("size", "drawn"), [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4), (6, 5), (7, 5), (60, 5)])
def test_a_cluster_gives_five_or_all_but_one(make_clusters, size, drawn):
    clusters = make_clusters([0] * size + [1] * 6)  # the second cluster keeps the sample from being empty
    sample = vc.draw_stratified_sample(clusters)
    of_first = sample[sample["cluster"] == 0]
    assert len(of_first) == drawn
    assert of_first["inclusion_probability"].tolist() == [drawn / size] * drawn


def test_a_cluster_of_six_which_the_printed_rule_leaves_out_gives_five_and_the_documentation_says_so(
    make_clusters,
):
    assert len(vc.draw_stratified_sample(make_clusters([0] * 6))) == 5
    assert "exactly N = 6 images undefined" in vc.draw_stratified_sample.__doc__


def test_singletons_come_in_on_request(make_clusters):
    sample = vc.draw_stratified_sample(make_clusters([0, 1, 1]), keep_singletons=True)
    assert sample["cluster"].tolist() == [0, 1]
    assert sample["weight"].tolist() == [1, 2]


def test_unassigned_images_are_a_stratum_of_their_own_on_request(make_clusters):
    clusters = make_clusters([-1] * 10 + [0] * 4)
    assert -1 not in set(vc.draw_stratified_sample(clusters)["cluster"])
    sample = vc.draw_stratified_sample(clusters, n_unassigned=2)
    assert sample.loc[sample["cluster"].eq(-1), "weight"].tolist() == [5, 5]


def test_no_image_is_drawn_twice_and_the_seed_repeats_the_draw(make_clusters):
    clusters = make_clusters([i % 9 for i in range(200)])
    sample = vc.draw_stratified_sample(clusters, seed=3)
    assert sample["image_id"].is_unique
    assert sample.equals(vc.draw_stratified_sample(clusters, seed=3))
    assert not sample.equals(vc.draw_stratified_sample(clusters, seed=4))


def test_weights_add_up_to_the_images_in_the_sampled_clusters(make_clusters):
    clusters = make_clusters([0] * 50 + [1] * 7 + [2] * 2)
    assert vc.draw_stratified_sample(clusters)["weight"].sum() == pytest.approx(59)


def test_every_image_of_a_cluster_is_drawn_equally_often(make_clusters):
    clusters = make_clusters(np.repeat(np.arange(100), 8))
    draws = pd.concat([vc.draw_stratified_sample(clusters, seed=seed) for seed in range(8)])
    share = (draws["image_id"].astype(int) % 8).value_counts() / 800  # by the place in its cluster
    # Four standard errors of a share of 5/8 over 800 draws, so that 8 images pass by chance alone.
    assert np.abs(share - 5 / 8).max() < 4 * np.sqrt(5 / 8 * 3 / 8 / 800)


def test_nothing_to_draw_is_an_error_that_says_what_to_do(make_clusters):
    with pytest.raises(ValueError, match="keep_singletons=True"):
        vc.draw_stratified_sample(make_clusters([0, 1, -1]))


@pytest.mark.parametrize("option", [{"max_per_cluster": 0}, {"max_per_cluster": "5"}, {"n_unassigned": 1.5}])
def test_images_are_counted_in_whole_numbers(make_clusters, option):
    with pytest.raises(ValueError, match=f"Expected {next(iter(option))} to be a whole number"):
        vc.draw_stratified_sample(make_clusters([0] * 9), **option)


def test_an_empty_sample_is_not_summarized(make_clusters):
    clusters = make_clusters([0] * 9)
    with pytest.raises(ValueError, match="at least one image"):
        vc.summarize_samples(clusters, vc.draw_stratified_sample(clusters).head(0))


def test_a_random_sample_weighs_all_images_alike(make_clusters):
    sample = vc.draw_random_sample(make_clusters([-1] * 5 + [0] * 15), size=4)
    assert sample["weight"].tolist() == [5] * 4


@pytest.mark.parametrize("size", [0, 21])
def test_a_random_sample_cannot_be_larger_than_the_corpus(make_clusters, size):
    with pytest.raises(ValueError, match=f"(at least 1|1 to 20 images).* got .*{size}"):
        vc.draw_random_sample(make_clusters([0] * 20), size=size)


def test_the_chance_to_miss_a_cluster_is_that_of_simulation(make_clusters):
    # Sixty clusters of four images beside a large one: ten samples tell of 600 small clusters.
    clusters = make_clusters([0] * 30 + list(np.repeat(np.arange(1, 61), 4)) + [-1] * 6)
    sample = vc.draw_stratified_sample(clusters, max_per_cluster=1)
    rows = vc.compare_samples(clusters, sample).set_index("cluster").loc[list(range(1, 61))]
    seen = [set(vc.draw_random_sample(clusters, size=len(sample), seed=s)["cluster"]) for s in range(10)]
    missed = np.mean([cluster not in each for each in seen for cluster in range(1, 61)])
    # Four standard errors of a share over 600 draws; clusters compete for a sample, which narrows it.
    assert rows["chance_missed"].tolist() == pytest.approx([missed] * 60, abs=4 * np.sqrt(0.25 / 600))
    by_default = vc.compare_samples(clusters, vc.draw_stratified_sample(clusters)).set_index("cluster")
    assert by_default["stratified"].tolist() == [5] + [3] * 60


def test_a_sample_of_other_images_cannot_be_compared(make_clusters):
    sample = vc.draw_stratified_sample(make_clusters([0] * 9))
    with pytest.raises(ValueError, match="not in the clusters table"):
        vc.compare_samples(make_clusters([0] * 2), sample)


def test_the_summary_sets_both_samples_side_by_side(make_clusters):
    clusters = make_clusters([0] * 40 + [1] * 6 + [2] * 2 + [3] + [-1] * 11)
    summary = vc.summarize_samples(clusters, vc.draw_stratified_sample(clusters), draws=2000).set_index(
        "sample"
    )
    stratified, random = summary.loc["stratified"], summary.loc["random, on average"]
    assert stratified[["images", "clusters_reached", "clusters"]].tolist() == [11, 3, 4]
    assert stratified[["smallest_reached", "largest_missed"]].tolist() == [2, 1]
    weights = np.array([8.0] * 5 + [1.2] * 5 + [2])
    assert stratified["effective_size"] == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert random["effective_size"] == 11
    expected = len(clusters.query("cluster >= 0")["cluster"].unique()) - sum(
        vc.compare_samples(clusters, vc.draw_stratified_sample(clusters))["chance_missed"]
    )
    # Four standard errors: the number reached varies by less than 1.
    assert random["clusters_reached"] == pytest.approx(expected, abs=4 / np.sqrt(2000))


def test_where_no_cluster_is_missed_the_largest_missed_has_no_images(make_clusters):
    clusters = make_clusters([0] * 200 + [-1] * 4)
    sample = vc.draw_stratified_sample(clusters, max_per_cluster=1)
    assert vc.summarize_samples(clusters, sample)["largest_missed"].iloc[0] == 0


def test_a_sample_of_other_clusters_cannot_be_compared(make_clusters):
    sample = vc.draw_stratified_sample(make_clusters([0, 0, 0, 1, 1, 1]))
    for table in (sample, pd.DataFrame(sample.to_dict("list"))):  # with its record, and without
        for compare in (vc.compare_samples, vc.summarize_samples):
            with pytest.raises(ValueError, match="name another cluster than the clusters table"):
                compare(make_clusters([1, 1, 1, 0, 0, 0]), table)


def test_the_record_tells_other_clusters_where_those_of_the_sampled_images_are_alike(make_clusters):
    clusters = make_clusters([0, 0, 0, 0])
    sample = vc.draw_stratified_sample(clusters, max_per_cluster=2)
    not_drawn = ~clusters["image_id"].isin(sample["image_id"])
    others = make_clusters(not_drawn.cumsum().where(not_drawn, 0).tolist())
    with pytest.raises(ValueError, match="the clusters that the sample was made from, got another"):
        vc.compare_samples(others, sample)


def test_what_the_rule_leaves_out_is_one_stratum_on_request_and_estimates_then_speak_for_all(make_clusters):
    clusters = make_clusters([0] * 8 + [1, 2, 3, -1, -1, -1, -1])
    values = pd.Series(np.arange(15.0), index=clusters["image_id"], name="y")
    plain = vc.draw_stratified_sample(clusters)
    found = vc.estimate_corpus(plain, values[plain["image_id"]], clusters=clusters).iloc[0]
    assert (found["covered"], found["left_out"]) == (8, "4 unassigned, 3 alone in a cluster")
    estimates = []
    for seed in range(40):
        sample = vc.draw_stratified_sample(clusters, n_rest=3, seed=seed)
        assert sample["weight"].sum() == pytest.approx(15)
        estimates.append(vc.estimate_corpus(sample, values[sample["image_id"]], clusters=clusters).iloc[0])
    found = pd.DataFrame(estimates)
    assert set(found["covered"]) == {15}
    assert set(found["left_out"]) == {""}
    # Four standard errors of the mean of 40.
    assert abs(found["estimate"].mean() - 7) < 4 * found["estimate"].std() / np.sqrt(40)


def test_all_of_the_rest_is_taken_where_fewer_are_left_and_options_do_not_overlap(make_clusters):
    clusters = make_clusters([0] * 8 + [1, -1])
    sample = vc.draw_stratified_sample(clusters, n_rest=9)
    assert sorted(sample["cluster"]) == [-1, 0, 0, 0, 0, 0, 1]
    assert vc.estimate_corpus(sample.assign(y=1.0), "y", clusters=clusters)["covered"].item() == 10
    assert len(vc.draw_stratified_sample(make_clusters([0] * 8), n_rest=2)) == 5
    with pytest.raises(ValueError, match="leave out keep_singletons"):
        vc.draw_stratified_sample(clusters, n_rest=2, n_unassigned=1)
