import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score, mutual_info_score

import visclust as vc
from visclust.clustering.runs import _follow_themes, _measure_variation, stack_runs


def first_pair(runs, **options):
    return vc.compare_runs(runs, **options).pairs.iloc[0]


def test_a_run_agrees_fully_with_itself_under_other_names(make_runs):
    pair = first_pair(make_runs([0, 0, 1, 1, 2], [7, 7, 3, 3, 5]))
    assert pair[["adjusted_rand", "variation_of_information", "normalized_variation"]].tolist() == [1, 0, 0]
    assert pair["matched"] == 3


def test_variation_of_information_by_hand():
    # a: halves. b: a quarter and three quarters. Jointly: 1/4, 1/4, 1/2.
    a, b = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    h_a, h_b, h_joint = 1.0, 2 - 0.75 * np.log2(3), 1.5
    variation, share = _measure_variation(a, b)
    # A few roundings of float64.
    assert variation == pytest.approx(2 * h_joint - h_a - h_b, abs=1e-12)
    assert share == pytest.approx(variation / h_joint, abs=1e-12)


def test_variation_of_information_is_that_of_mutual_information():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 9, (2, 500))
    entropies = [mutual_info_score(side, side) for side in (a, b)]
    expected = (sum(entropies) - 2 * mutual_info_score(a, b)) / np.log(2)
    # Sums of 81 terms in another order.
    assert _measure_variation(a, b)[0] == pytest.approx(expected, abs=1e-9)


def test_two_labellings_that_are_one_cluster_have_no_variation():
    assert _measure_variation(np.zeros(3, int), np.ones(3, int)) == (0, 0)


def test_an_unassigned_image_counts_as_a_cluster_of_its_own(make_runs):
    pair = first_pair(make_runs([0, 0, 1, -1, -1], [0, 0, -1, 1, 1]))
    assert pair["adjusted_rand"] == adjusted_rand_score([0, 0, 1, 2, 3], [0, 0, 2, 1, 1])
    assert pair["images"] == 5
    assert pair["assigned_both"] == 2 / 5


def test_images_unassigned_in_either_run_can_be_left_out(make_runs):
    pair = first_pair(make_runs([0, 0, 1, 1, -1, 1], [2, 2, 2, 3, 3, -1]), unassigned="drop")
    assert pair["images"] == 4
    assert pair["adjusted_rand"] == adjusted_rand_score([0, 0, 1, 1], [2, 2, 2, 3])
    # {0, 1} against {0, 1, 2}: 2/3; {2, 3} against {3}: 1/2, which is not above the limit.
    assert pair["matched"] == 1


def test_runs_without_an_image_in_common_have_no_agreement(make_runs):
    pair = first_pair(make_runs([0, 0, -1, -1], [-1, -1, 0, 0]), unassigned="drop")
    assert pair["images"] == 0
    assert np.isnan(pair["adjusted_rand"])


def test_stability_is_the_mean_of_the_largest_overlaps(make_runs):
    runs = make_runs([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 2, 2])
    clusters = vc.compare_runs(runs).clusters.set_index(["run", "cluster"])
    # {0, 1, 2, 3}: 3/4 with the second run's first; 1/2 with either half of the third's.
    assert clusters.loc[("0", 0), "stability"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert clusters.loc[("0", 0), "found_again"] == 1
    # {4, 5}: 2/3 with {3, 4, 5}; the same in the third run.
    assert clusters.loc[("0", 1), "stability"] == pytest.approx((2 / 3 + 1) / 2)
    assert clusters.loc[("0", 1), "found_again"] == 2


def test_a_theme_found_once_is_told_from_one_found_always(make_runs):
    runs = make_runs([0, 0, 0, 1, 1, 2, 2], [5, 5, 5, 6, -1, 6, 7], [3, 3, 3, -1, -1, 4, 4])
    themes = vc.compare_runs(runs).themes
    assert themes["runs"].tolist() == [3, 2, 1, 1, 1]
    assert themes.loc[0, ["size", "stability", "share"]].tolist() == [3, 1, 1]


def test_clusters_that_no_other_run_has_are_of_no_stability(make_runs):
    clusters = vc.compare_runs(make_runs([0, 0, -1, -1], [-1, -1, 0, 0])).clusters
    assert clusters["stability"].tolist() == [0, 0]


def test_a_theme_holds_at_most_one_cluster_of_each_run(make_runs):
    rng = np.random.default_rng(0)
    runs = make_runs(*(rng.integers(-1, 4, 30) for _ in range(6)))
    found = vc.compare_runs(runs, min_jaccard=0.1)
    assert not found.clusters.duplicated(["run", "theme"]).any()
    assert found.clusters.groupby("theme").size().tolist() == found.themes["runs"].tolist()
    assert found.themes["runs"].max() > 1


def test_matches_are_followed_from_the_best_and_never_to_a_second_cluster_of_a_run():
    matches = pd.DataFrame({"a": [0, 0, 1], "b": [2, 1, 2], "jaccard": [0.9, 0.7, 0.6]})
    assert _follow_themes(matches, np.array([0, 1, 2])).tolist() == [0, 0, 0]
    assert _follow_themes(matches, np.array([0, 1, 1])).tolist() == [0, 1, 0]


def test_a_run_without_any_cluster_is_compared_too(make_runs):
    found = vc.compare_runs(make_runs([0, 0, 1], [-1, -1, -1]))
    assert found.pairs["matched"].tolist() == [0]
    assert found.clusters["stability"].tolist() == [0, 0]
    nothing = vc.compare_runs(make_runs([-1, -1], [-1, -1]))
    assert nothing.pairs["adjusted_rand"].tolist() == [1]
    assert len(nothing.themes) == 0


def test_matching_is_the_best_as_a_whole_and_not_cluster_by_cluster(make_clusters):
    a = make_clusters([0] * 6 + [1] * 3 + [1])
    b = make_clusters([0] * 3 + [1] * 3 + [0] * 3 + [2])
    found = vc.match_clusters(a, b).set_index("cluster")["other"].to_dict()
    # Cluster 0 overlaps as much with 1 as with 0 (1/2 and 1/3); 1 can only take 0.
    assert found == {0: 1, 1: 0}


def test_runs_are_put_together_by_image_and_not_by_row(make_clusters):
    a = make_clusters([0, 0, 1, 1])
    assert first_pair({"a": a, "b": a.sample(frac=1, random_state=0)})["adjusted_rand"] == 1


def test_runs_on_other_images_are_an_error(make_clusters):
    a = make_clusters([0, 0, 1])
    for other in (a.head(2), a.assign(image_id=["0", "1", "z"]), make_clusters([0, 0, 1, 1])):
        with pytest.raises(ValueError, match="same images"):
            stack_runs({"a": a, "b": other})
    with pytest.raises(ValueError, match="at least two runs"):
        stack_runs({"a": a})
    with pytest.raises(ValueError, match="different names"):
        stack_runs({1: a, "1": a})


@pytest.mark.parametrize("options", [{"unassigned": "ignore"}, {"min_jaccard": 1.0}, {"min_jaccard": -0.1}])
def test_a_wrong_setting_of_the_comparison_is_an_error(make_runs, options):
    with pytest.raises(ValueError, match=r"Expected (unassigned|min_jaccard)"):
        vc.compare_runs(make_runs([0, 1], [0, 1]), **options)
