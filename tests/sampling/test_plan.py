import itertools
import math

import numpy as np
import pytest

import visclust as vc
from visclust.sampling.plan import _chance_all_seen, _count_expected, _draw_waits, _find_smallest


def enumerate_chance(labels, wanted, n):
    """Count the samples of n among all that show at least so many themes (labels above 0)."""
    samples = list(itertools.combinations(labels, n))
    return sum(len({label for label in sample if label > 0}) >= wanted for sample in samples) / len(samples)


@pytest.mark.parametrize("n", range(1, 10))
def test_the_chance_to_see_all_themes_is_that_of_going_through_all_samples(n):
    labels = [1, 1, 1, 2, 2, 3, 0, 0, 0]
    found = _chance_all_seen(np.array([3, 2, 1]), len(labels), n)
    # Rounding of a Fourier transform of few terms.
    assert found == pytest.approx(enumerate_chance(labels, 3, n), abs=1e-12)


@pytest.mark.parametrize("n", [40, 300, 900, 2500, 9000])
def test_the_chance_is_that_of_inclusion_and_exclusion_in_whole_numbers(n):
    sizes, n_images = [700, 90, 11, 10, 3, 2], 10_000
    total = sum(
        (-1) ** len(left_out) * math.comb(n_images - sum(left_out), n)
        for k in range(len(sizes) + 1)
        for left_out in itertools.combinations(sizes, k)
    )
    exact = total * 10**30 // math.comb(n_images, n) / 10**30
    # The documented rounding error.
    assert _chance_all_seen(np.array(sizes), n_images, n) == pytest.approx(exact, abs=1e-11)


def test_the_chance_grows_with_the_sample():
    chances = [_chance_all_seen(np.array([9] * 80), 2000, n) for n in range(80, 2000, 20)]
    assert all(b >= a - 1e-11 for a, b in itertools.pairwise(chances))
    assert chances[0] < 1e-9
    assert chances[-1] > 0.999


@pytest.mark.parametrize("wanted", [1, 2, 3])
def test_simulated_waits_give_the_chance_of_going_through_all_samples(wanted):
    labels = [1, 1, 1, 2, 2, 3, 0, 0, 0]
    waits = _draw_waits(np.array([3, 2, 1]), len(labels), themes=wanted, draws=3000, seed=0)
    for n in range(1, 10):
        # Four standard errors of a share over 3,000 draws.
        expected = enumerate_chance(labels, wanted, n)
        assert (waits <= n).mean() == pytest.approx(expected, abs=4 * math.sqrt(0.25 / 3000))


@pytest.mark.parametrize("n", range(1, 10))
def test_themes_expected_are_those_of_going_through_all_samples(n):
    labels = [1, 1, 1, 2, 2, 3, 0, 0, 0]
    seen = [len(set(sample) - {0}) for sample in itertools.combinations(labels, n)]
    found = _count_expected(np.array([3, 2, 1]), len(labels), np.array([n]))[0]
    assert found == pytest.approx(np.mean(seen))  # rounding in float64


def test_the_smallest_number_that_is_enough_is_found():
    assert [_find_smallest(lambda n, at=at: n >= at, 0, 9) for at in range(10)] == list(range(10))


def test_a_random_sample_needs_more_images_than_one_from_each_theme(make_clusters):
    clusters = make_clusters([0] * 60 + [1] * 30 + [2] * 5 + [3] + [-1] * 4)
    plan = vc.plan_annotation(clusters).plan.set_index("design")
    assert plan["themes"].tolist() == [3, 3, 3]  # the cluster of one image is no theme
    assert plan["images"]["one per cluster"] == 3
    assert plan["images"]["stratified"] == 5 + 5 + 4
    n = plan["images"]["random"]
    sizes = np.array([60, 30, 5])
    assert _chance_all_seen(sizes, 100, n) >= 0.95 > _chance_all_seen(sizes, 100, n - 1)
    assert plan["saved"]["one per cluster"] == pytest.approx(1 - 3 / n)


def test_larger_themes_are_seen_with_fewer_images(make_clusters):
    clusters = make_clusters([0] * 60 + [1] * 30 + [2] * 5 + [-1] * 5)
    needed = [vc.plan_annotation(clusters, theme_size=s).plan["images"][0] for s in (2, 6, 31)]
    assert needed == sorted(needed, reverse=True)
    assert len(set(needed)) == 3


def test_a_share_of_the_themes_is_simulated_with_its_error(make_clusters):
    clusters = make_clusters(np.repeat(np.arange(20), 5))
    plan = vc.plan_annotation(clusters, coverage=0.7).plan.set_index("design")
    assert plan["images"]["one per cluster"] == 14
    row = plan.loc["random"]
    assert row["chance"] >= 0.95
    assert row["chance_error"] == pytest.approx(math.sqrt(row["chance"] * (1 - row["chance"]) / 2000))
    assert row["images"] < vc.plan_annotation(clusters).plan["images"][0]


def test_a_budget_says_how_small_a_theme_is_surely_seen(make_clusters):
    clusters = make_clusters([0] * 60 + [1] * 30 + [2] * 8 + [3] * 2)
    plan = vc.plan_annotation(clusters, budget=20).plan.set_index("design")
    assert plan["images"].to_dict() == {"random": 20, "one per cluster": 4, "stratified": 16}
    assert plan["sure_size"].to_dict() == {"random": 30, "one per cluster": 2, "stratified": 2}
    few = vc.plan_annotation(clusters, budget=2).plan.set_index("design")
    assert few["themes_seen"]["one per cluster"] == 2
    assert few["sure_size"]["one per cluster"] == 30


def test_a_budget_that_leaves_out_one_of_two_themes_of_a_size_is_not_sure_of_that_size(make_clusters):
    clusters = make_clusters([0] * 9 + [1] * 4 + [2] * 4)
    plan = vc.plan_annotation(clusters, budget=2).plan.set_index("design")
    assert plan["sure_size"]["one per cluster"] == 9


def test_the_curve_marks_where_each_design_reaches_the_goal(make_clusters):
    clusters = make_clusters([0] * 60 + [1] * 30 + [2] * 10)
    plan, curve = vc.plan_annotation(clusters)
    reached = curve[curve["reached"]].set_index("design")["images"]
    assert reached["stratified"] == 3
    assert reached["random"] == plan["images"][0]
    assert curve.groupby("design")["share_seen"].apply(lambda part: part.is_monotonic_increasing).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": 5, "coverage": 0.5}, "either a budget or a coverage"),
        ({"coverage": 1.2}, "coverage to be a number between 0 and 1"),
        ({"probability": 1.0}, "probability to be a number between 0 and 1"),
        ({"budget": 0}, "1 to 12 images"),
        ({"budget": 2.5}, "budget to be a whole number"),
        ({"theme_size": 20}, "largest has 12"),
        ({"theme_size": 0}, "theme_size to be a whole number of at least 1"),
    ],
)
def test_impossible_plans_are_refused(make_clusters, options, message):
    with pytest.raises(ValueError, match=message):
        vc.plan_annotation(make_clusters([0] * 12), **options)
