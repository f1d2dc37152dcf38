import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.validation.pairs import _PAIR_STRATA, _draw_balanced

# Four clusters of unequal size on a line, and two images left unassigned.
SIZES = {0: 12, 1: 5, 2: 3, 3: 1}


def make_corpus():
    labels = np.concatenate([np.repeat(list(SIZES), list(SIZES.values())), [-1, -1]])
    x = (labels * 10.0 + np.linspace(0, 1, len(labels)))[:, None]
    clusters = pd.DataFrame(
        {
            "image_id": [f"i{row:02d}" for row in range(len(labels))],
            "cluster": labels,
            "iteration": 0,
            "silhouette": 0.5,
        }
    )
    return clusters, x


def name_unordered(pairs):
    return [tuple(sorted(both)) for both in zip(pairs["image_a"], pairs["image_b"], strict=True)]


@pytest.mark.parametrize("n_pairs", [1, 7, 60, 253])
def test_no_image_meets_itself_and_no_pair_comes_twice(n_pairs):
    pairs = vc.sample_pairs(*make_corpus(), n_pairs=n_pairs, seed=2)
    assert len(pairs) == n_pairs
    assert (pairs["image_a"] != pairs["image_b"]).all()
    assert len(set(name_unordered(pairs))) == n_pairs


def test_the_default_design_is_554_pairs_over_three_strata():
    rng = np.random.default_rng(0)
    labels = rng.integers(80, size=2000)
    clusters = pd.DataFrame(
        {"image_id": [f"i{i}" for i in range(2000)], "cluster": labels, "iteration": 0, "silhouette": 0.0}
    )
    pairs = vc.sample_pairs(clusters, rng.normal(size=(2000, 4)), seed=0)
    assert pairs["stratum"].value_counts().to_dict() == {"within": 277, "neighbouring": 166, "random": 111}


def test_each_stratum_holds_the_pairs_that_its_name_says():
    clusters, x = make_corpus()
    pairs = vc.sample_pairs(clusters, x, n_pairs=120, seed=3)
    cluster_of = clusters.set_index("image_id")["cluster"]
    for row in pairs.itertuples():
        both = sorted((cluster_of[row.image_a], cluster_of[row.image_b]))
        inside = both[0] == both[1] != -1
        next_to = both[0] != -1 and both[1] - both[0] == 1  # clusters lie on a line, in order
        expected = "within" if inside else "neighbouring" if next_to else "random"
        assert row.stratum == expected


def test_large_clusters_do_not_dominate():
    # 12, 5, 3 and 1 images hold 66, 10, 3 and 0 pairs; 9 pairs are 3 from each cluster that has any.
    clusters, x = make_corpus()
    pairs = vc.sample_pairs(clusters, x, n_pairs=9, strata={"within": 1}, seed=0)
    drawn_from = pairs["image_a"].map(clusters.set_index("image_id")["cluster"])
    assert drawn_from.value_counts().to_dict() == {0: 3, 1: 3, 2: 3}


@pytest.mark.slow
@pytest.mark.parametrize("n_pairs", [11, 40])
def test_inclusion_probabilities_are_the_frequencies_over_many_seeds(n_pairs):
    clusters, x = make_corpus()
    n_seeds = 1000
    drawn, stated = {}, {}
    for seed in range(n_seeds):
        pairs = vc.sample_pairs(clusters, x, n_pairs=n_pairs, seed=seed)
        for pair, probability in zip(name_unordered(pairs), pairs["inclusion_probability"], strict=True):
            drawn[pair] = drawn.get(pair, 0) + 1
            assert stated.setdefault(pair, probability) == probability
    assert len(stated) == 23 * 22 // 2  # every pair of the corpus can be drawn
    probability = np.array([stated[pair] for pair in stated])
    frequency = np.array([drawn[pair] for pair in stated]) / n_seeds
    # Binomial standard error of a frequency; the largest of 253 deviations stays below 4.5 of them with
    # probability above .998, and the seeds are fixed.
    error = np.sqrt(probability * (1 - probability) / n_seeds)
    assert (np.abs(frequency - probability) <= 4.5 * error + 1e-12).all()
    # Rounding of a sum of 253 floats.
    assert probability.sum() == pytest.approx(n_pairs, abs=1e-9)


def test_cells_give_the_same_number_as_far_as_they_hold_it():
    # 5 pairs of cells of 1, 8 and 80: one each, and one more of the two that have more.
    cell, rank, probability = _draw_balanced(np.array([1, 8, 80]), 5, np.random.default_rng(0))
    assert cell.tolist() == [0, 1, 1, 2, 2]
    assert probability.tolist() == [1, 0.25, 0.25, 0.025, 0.025]
    assert len(set(zip(cell, rank, strict=True))) == 5


def test_the_inverse_probabilities_of_an_exhausted_sample_are_one():
    pairs = vc.sample_pairs(*make_corpus(), n_pairs=253, seed=0)
    assert (pairs["inclusion_probability"] == 1).all()


def test_a_short_stratum_gives_all_its_pairs_and_the_others_give_the_rest():
    clusters, x = make_corpus()
    pairs = vc.sample_pairs(clusters, x, n_pairs=100, strata={"within": 0.9, "neighbouring": 0.1}, seed=0)
    counts = pairs["stratum"].value_counts().to_dict()
    assert counts == {"within": 79, "neighbouring": 21}  # 12, 5, 3 images hold 66 + 10 + 3 pairs


def test_a_stratum_without_a_share_is_never_drawn():
    clusters, x = make_corpus()
    with pytest.raises(ValueError, match=r"Expected at least 100 pairs .* got 79"):
        vc.sample_pairs(clusters, x, n_pairs=100, strata={"within": 1.0}, seed=0)


@pytest.mark.slow
def test_the_order_of_the_pairs_says_nothing_of_the_stratum():
    # Over many seeds a within pair is as likely to be first as its share, 1 of 2.
    clusters, x = make_corpus()
    first = [vc.sample_pairs(clusters, x, n_pairs=20, seed=seed)["stratum"].iloc[0] for seed in range(400)]
    # 4 binomial standard errors of a share of .5 in 400 draws.
    assert np.mean(np.array(first) == "within") == pytest.approx(0.5, abs=4 * 0.025)


def test_left_and_right_are_drawn_by_lot():
    clusters, x = make_corpus()
    pairs = vc.sample_pairs(clusters, x, n_pairs=250, seed=5)
    # 4 binomial standard errors of a share of .5 in 250 pairs.
    assert (pairs["image_a"] < pairs["image_b"]).mean() == pytest.approx(0.5, abs=4 * 0.0316)


def test_a_pair_keeps_its_id_from_one_sample_to_another():
    clusters, x = make_corpus()
    ids = [
        dict(zip(name_unordered(pairs), pairs["pair_id"], strict=True))
        for pairs in (vc.sample_pairs(clusters, x, n_pairs=253, seed=seed) for seed in (1, 2))
    ]
    assert ids[0] == ids[1]


def test_the_annotator_sees_no_stratum_no_probability_and_no_cluster():
    blind = vc.blind_pairs(vc.sample_pairs(*make_corpus(), n_pairs=20, seed=0))
    assert blind.columns.tolist() == ["pair_id", "image_a", "image_b"]


def test_the_same_seed_gives_the_same_pairs_and_the_input_stays_as_it_was():
    clusters, x = make_corpus()
    before = clusters.copy()
    first, second = (vc.sample_pairs(clusters, x, n_pairs=30, seed=9) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    pd.testing.assert_frame_equal(clusters, before)
    assert not first.equals(vc.sample_pairs(clusters, x, n_pairs=30, seed=10))


def test_a_corpus_without_any_cluster_gives_random_pairs_only():
    clusters, x = make_corpus()
    pairs = vc.sample_pairs(clusters.assign(cluster=-1), x, n_pairs=10, seed=0)
    assert (pairs["stratum"] == "random").all()


def test_more_neighbours_widen_the_neighbouring_stratum():
    clusters, x = make_corpus()
    pairs = vc.sample_pairs(clusters, x, n_pairs=100, n_neighbours=3, strata={"neighbouring": 1}, seed=0)
    cluster_of = clusters.set_index("image_id")["cluster"]
    apart = (pairs["image_a"].map(cluster_of) - pairs["image_b"].map(cluster_of)).abs()
    assert set(apart) == {1, 2, 3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((3, 1))}, r"one row for each of the 23 rows .* got shape \(3, 1\)"),
        ({"x": np.full((23, 1), np.nan)}, "Expected finite numbers"),
        ({"n_pairs": 0}, "n_pairs to be a whole number of at least 1, got 0"),
        ({"n_pairs": 254}, "Expected at least 254 pairs .* got 253"),
        ({"strata": {"near": 1.0}}, "Expected shares of 0 or more for within, neighbouring, random"),
        ({"strata": {"within": 0.0}}, "not all 0"),
        ({"strata": {"within": -1.0, "random": 2.0}}, "Expected shares of 0 or more"),
    ],
)
def test_bad_input_says_what_was_expected(change, message):
    clusters, x = make_corpus()
    arguments = {"x": x, "n_pairs": 10, **change}
    with pytest.raises(ValueError, match=message):
        vc.sample_pairs(clusters, arguments.pop("x"), **arguments)


def test_the_shares_of_the_strata_sum_to_one():
    assert sum(_PAIR_STRATA.values()) == pytest.approx(1, abs=1e-12)  # rounding
