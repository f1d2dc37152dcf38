from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score
from sklearn.metrics.cluster import pair_confusion_matrix

import visclust as vc

LETTERS = list("AAAAABBBBB")


def make_clusters(labels):
    return pd.DataFrame(
        {
            "image_id": [f"i{i:03d}" for i in range(len(labels))],
            "cluster": labels,
            "iteration": 0,
            "silhouette": 0.5,
        }
    )


def judge_all_pairs(groups):
    pairs = list(combinations(range(len(groups)), 2))
    return pd.DataFrame(
        {
            "pair_id": [f"p{i}" for i in range(len(pairs))],
            "image_a": [f"i{a:03d}" for a, _ in pairs],
            "image_b": [f"i{b:03d}" for _, b in pairs],
            "same": [groups[a] == groups[b] for a, b in pairs],
        }
    )


def get_estimates(scores, weighting="raw"):
    return scores[scores["weighting"] == weighting].set_index("measure")["estimate"]


@pytest.mark.parametrize(
    ("labels", "precision", "recall"),
    [
        ([0] * 5 + [1] * 5, 1, 1),
        ([0] * 10, 20 / 45, 1),
        ([0, 0, 0, 1, 1, 2, 2, 2, 3, 3], 1, 8 / 20),
    ],
    ids=["perfect", "one cluster", "each letter in a 3 and a 2"],
)
def test_the_toy_of_figure_4_has_its_scores(labels, precision, recall):
    gold = judge_all_pairs(LETTERS)
    assert (len(gold), gold["same"].sum()) == (45, 20)
    estimates = get_estimates(vc.score_pairs(make_clusters(labels), gold, n_bootstrap=10))
    # Ratios of small whole numbers, up to the last bit of a float; here and below.
    assert estimates["precision"] == pytest.approx(precision, rel=1e-15)
    assert estimates["recall"] == pytest.approx(recall, rel=1e-15)
    assert estimates["mean_precision_recall"] == pytest.approx((precision + recall) / 2, rel=1e-15)
    assert estimates["f1"] == pytest.approx(2 * precision * recall / (precision + recall), rel=1e-15)
    assert estimates["coverage"] == 1


def test_all_pairs_against_known_groups_agree_with_scikit_learn():
    rng = np.random.default_rng(4)
    labels, groups = rng.integers(6, size=50), rng.integers(4, size=50)
    gold = judge_all_pairs(groups)
    estimates = get_estimates(vc.score_pairs(make_clusters(labels), gold, n_bootstrap=10))
    (_, false_positive), (false_negative, true_positive) = pair_confusion_matrix(groups, labels)
    assert estimates["precision"] == pytest.approx(
        true_positive / (true_positive + false_positive), rel=1e-14
    )
    assert estimates["recall"] == pytest.approx(true_positive / (true_positive + false_negative), rel=1e-14)


def test_weighted_scores_agree_with_scikit_learns_sample_weights():
    rng = np.random.default_rng(5)
    labels = rng.integers(5, size=40)
    gold = judge_all_pairs(rng.integers(4, size=40))
    weights = rng.uniform(1, 50, size=len(gold))
    estimates = get_estimates(
        vc.score_pairs(make_clusters(labels), gold, weights=weights, n_bootstrap=10), "design-weighted"
    )
    predicted = [
        labels[int(a[1:])] == labels[int(b[1:])] for a, b in zip(gold.image_a, gold.image_b, strict=True)
    ]
    # Sums of 780 floats in another order.
    for name, function in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        expected = function(gold["same"], predicted, sample_weight=weights)
        assert estimates[name] == pytest.approx(expected, rel=1e-12)


def test_an_unassigned_image_counts_as_different():
    # A, A together; A unassigned: of three same pairs one is found.
    scores = vc.score_pairs(make_clusters([0, 0, -1]), judge_all_pairs("AAA"), n_bootstrap=10)
    estimates = get_estimates(scores)
    assert (estimates["precision"], estimates["recall"]) == (1, pytest.approx(1 / 3, rel=1e-15))
    assert estimates["coverage"] == pytest.approx(1 / 3, rel=1e-15)


def test_two_unassigned_images_are_not_in_one_cluster():
    scores = vc.score_pairs(make_clusters([-1, -1, 0, 0]), judge_all_pairs("AABB"), n_bootstrap=10)
    assert get_estimates(scores)["recall"] == 0.5


def test_the_variant_drops_pairs_with_an_unassigned_image_but_not_from_coverage():
    scores = vc.score_pairs(
        make_clusters([0, 0, -1]), judge_all_pairs("AAA"), unassigned="drop", n_bootstrap=10
    )
    estimates = get_estimates(scores)
    assert (estimates["recall"], estimates["coverage"]) == (1, pytest.approx(1 / 3, rel=1e-15))
    assert scores.set_index("measure")["n"].to_dict() == {
        "precision": 1,
        "recall": 1,
        "f1": 1,
        "mean_precision_recall": 1,
        "coverage": 3,
    }


def test_nothing_predicted_same_gives_nan_and_says_why():
    scores = vc.score_pairs(make_clusters([0, 1, 2]), judge_all_pairs("AAB"), n_bootstrap=10).set_index(
        "measure"
    )
    for measure in ("precision", "f1", "mean_precision_recall"):
        assert scores.loc[measure, ["estimate", "low", "high"]].isna().all()
        assert (
            scores.loc[measure, "reason"] == "undefined: the clustering puts no judged pair into one cluster"
        )
    assert scores.loc["recall", "estimate"] == 0


def test_people_calling_nothing_the_same_gives_nan_and_says_why():
    scores = vc.score_pairs(make_clusters([0, 0, 1]), judge_all_pairs("ABC"), n_bootstrap=10).set_index(
        "measure"
    )
    assert np.isnan(scores.loc["recall", "estimate"])
    assert scores.loc["recall", "reason"] == "undefined: people call no judged pair the same"
    assert scores.loc["precision", "estimate"] == 0


def test_an_interval_without_width_warns_of_itself():
    scores = vc.score_pairs(make_clusters([0] * 5 + [1] * 5), judge_all_pairs(LETTERS)).set_index("measure")
    assert "by the rule of three the true value may be off by 0.150" in scores.loc["precision", "reason"]


def test_resamples_that_leave_a_score_undefined_are_reported():
    # One of three pairs is predicted same: (2/3)^3 of the resamples lack it.
    scores = vc.score_pairs(make_clusters([0, 0, 1]), judge_all_pairs("ABB")).set_index("measure")
    n_undefined = int(scores.loc["f1", "reason"].split("undefined in ")[1].split()[0])
    # F1 is undefined without the pair predicted same, or without the one that is: 2 (2/3)^3 - (1/3)^3 of the
    # time; 4 standard errors of a count of 2,000 draws.
    expected = 2000 * (2 * 8 / 27 - 1 / 27)
    assert n_undefined == pytest.approx(expected, abs=4 * np.sqrt(2000 * 0.25))


def test_the_interval_of_a_share_is_that_of_the_binomial():
    # All 200 pairs are predicted same, 120 of them rightly: resampled precision is binomial(200, .6) / 200.
    n = 200
    gold = pd.DataFrame(
        {
            "pair_id": [f"p{i}" for i in range(n)],
            "image_a": [f"i{2 * i:03d}" for i in range(n)],
            "image_b": [f"i{2 * i + 1:03d}" for i in range(n)],
            "same": np.arange(n) < 120,
        }
    )
    row = (
        vc.score_pairs(make_clusters([0] * (2 * n)), gold, n_bootstrap=20_000)
        .set_index("measure")
        .loc["precision"]
    )
    # scipy.stats.binom(200, .6).ppf([.025, .975]) / 200; one step either way is Monte Carlo error.
    assert row["low"] == pytest.approx(0.53, abs=1 / n + 1e-12)
    assert row["high"] == pytest.approx(0.665, abs=1 / n + 1e-12)


def test_pairs_are_resampled_within_their_strata():
    # Every stratum is of one kind, so that resampling within strata leaves nothing to vary.
    gold = judge_all_pairs("AABB")
    gold["stratum"] = np.where(gold["same"], "within", "random")
    row = vc.score_pairs(make_clusters([0, 0, 0, 0]), gold).set_index("measure").loc["precision"]
    assert row["low"] == row["high"] == row["estimate"] == pytest.approx(1 / 3, rel=1e-15)


def test_the_pairs_table_and_the_column_of_gold_and_the_inverse_give_the_same_weights():
    clusters = make_clusters([0, 0, 0, 1, 1, 1, 2, 2])
    pairs = vc.sample_pairs(clusters, np.arange(8.0)[:, None], n_pairs=12, seed=1)
    gold = pairs.assign(same=[True, False] * 6).sample(frac=1, random_state=0)
    ways = [pairs, "inclusion_probability", 1 / gold["inclusion_probability"]]
    first, *others = (vc.score_pairs(clusters, gold, weights=way, n_bootstrap=50) for way in ways)
    for other in others:
        pd.testing.assert_frame_equal(first, other)


@pytest.mark.slow
def test_design_weights_recover_the_population_where_raw_scores_are_biased():
    # 90 images in groups of very unequal size; the pairs are drawn over one clustering and score another.
    rng = np.random.default_rng(11)
    groups = np.repeat(np.arange(6), [40, 20, 12, 8, 6, 4])
    x = rng.normal(size=(90, 2)) * 0.8 + np.column_stack([groups * 2.0, groups % 2])
    drawn_over = make_clusters(np.digitize(x[:, 0], [-0.5, 0.2, 1, 2, 4, 6, 8, 10]))
    scored = make_clusters(np.digitize(x[:, 0] + rng.normal(size=90), [1, 5]))
    everything = judge_all_pairs(groups)
    population = get_estimates(vc.score_pairs(scored, everything, n_bootstrap=1))
    group_of = dict(zip(scored["image_id"], groups, strict=True))
    draws = []
    for seed in range(300):
        pairs = vc.sample_pairs(drawn_over, x, n_pairs=400, seed=seed)
        gold = pairs.assign(same=pairs["image_a"].map(group_of) == pairs["image_b"].map(group_of))
        scores = vc.score_pairs(scored, gold, weights="inclusion_probability", n_bootstrap=1)
        draws.append(scores.set_index(["weighting", "measure"])["estimate"])
    table = pd.DataFrame(draws)
    mean, error = table.mean(), table.std() / np.sqrt(len(table))
    for measure in ("precision", "recall"):
        raw_bias = mean["raw", measure] - population[measure]
        weighted_bias = mean["design-weighted", measure] - population[measure]
        # The raw bias is plain: above .05. The weighted one is within 4 Monte Carlo standard errors of 0
        # (about .004), the bias of the ratio, of the order of 1/400, being below that.
        assert abs(raw_bias) > 0.05
        assert abs(weighted_bias) < 4 * error["design-weighted", measure]


def test_weighted_scores_that_hang_on_one_pair_say_so_and_raw_ones_do_not():
    gold = judge_all_pairs(LETTERS).assign(inclusion_probability=[0.01] + [1.0] * 44)
    scores = vc.score_pairs(make_clusters([0] * 9 + [1]), gold, weights="inclusion_probability")
    reasons = scores.set_index(["weighting", "measure"])["reason"]
    # One pair weighs 100 of the 135 of those predicted same.
    assert reasons["design-weighted", "precision"].startswith(
        "one pair of large weight moves it by up to 74%"
    )
    assert reasons["raw", "precision"] == reasons["design-weighted", "coverage"] == ""


def test_the_effective_number_of_pairs_is_that_of_kish():
    gold = judge_all_pairs(LETTERS).assign(inclusion_probability=[0.1] + [1.0] * 44)
    scores = vc.score_pairs(make_clusters([0] * 10), gold, weights="inclusion_probability", n_bootstrap=10)
    found = scores.set_index(["weighting", "measure"])["n_effective"]
    assert found["raw", "precision"] == 45
    # (10 + 44)^2 / (100 + 44), up to rounding of floats.
    assert found["design-weighted", "precision"] == pytest.approx(54**2 / 144, abs=1e-12)


def test_the_same_seed_gives_the_same_intervals_and_the_input_stays_as_it_was():
    clusters, gold = make_clusters([0, 0, 1, 1]), judge_all_pairs("AABB")
    before = clusters.copy(), gold.copy()
    first, second = (vc.score_pairs(clusters, gold, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    pd.testing.assert_frame_equal(clusters, before[0])
    pd.testing.assert_frame_equal(gold, before[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"clusters": make_clusters([0, 0])},
            "2 of 3 pairs name one that it lacks, such as 'i000' with 'i002'",
        ),
        ({"gold": judge_all_pairs("A")}, "at least one gold pair"),
        ({"unassigned": "ignore"}, 'unassigned="different" or "drop"'),
        ({"weights": "weight"}, "Expected the pairs table"),
        ({"weights": [1.0, 2.0]}, r"Expected 3 finite weights above 0, one per gold pair, got shape \(2,\)"),
        ({"weights": [1.0, 2.0, 0.0]}, "smallest value 0.0"),
        ({"weights": pd.Series([1.0, 2.0, 3.0], index=[5, 6, 7])}, "with the index of the gold table"),
        ({"level": 95}, "level to be a number between 0 and 1"),
    ],
)
def test_bad_input_says_what_was_expected(change, message):
    arguments = {"clusters": make_clusters([0, 0, 1]), "gold": judge_all_pairs("AAB"), **change}
    with pytest.raises(ValueError, match=message):
        vc.score_pairs(arguments.pop("clusters"), arguments.pop("gold"), **arguments)


def test_a_gold_pair_that_the_pairs_table_lacks_has_no_weight():
    pairs = judge_all_pairs("AAB").assign(stratum="random", inclusion_probability=0.5)
    with pytest.raises(ValueError, match="got nan for 'p0'"):
        vc.score_pairs(make_clusters([0, 0, 1]), judge_all_pairs("AAB"), weights=pairs.iloc[1:])
