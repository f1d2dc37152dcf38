"""Who rates what: every design that can be is assigned, at random, and no other."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy.stats import chisquare
from survey_runs import make_respondents, make_sample

import visclust as vc
from visclust.survey.assignment import _assign_strata, even_out_ratings, number_strata


@st.composite
def designs(draw):
    """Draw feasible designs: three conditions are all that feasibility asks."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=12))
    loose = draw(st.integers(0, 3))
    n, strata = sum(sizes) + loose, len(sizes) + loose
    load = draw(st.integers(1, strata))
    fewest = max(-(-n // load), max(sizes))
    counts = draw(st.lists(st.integers(fewest, fewest + 6), min_size=1, max_size=3))
    return sizes, loose, load, dict(zip("DRI", counts, strict=False))


@given(designs(), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_every_feasible_design_is_assigned_and_keeps_its_promises(design, seed):
    sizes, loose, load, counts = design
    sample = make_sample(sizes, loose=loose)
    assigned = vc.assign_respondents(sample, make_respondents(**counts), per_respondent=load, seed=seed)
    checks = vc.check_assignment(assigned, sample)
    assert checks["holds"].all(), checks
    assert len(assigned) == load * sum(counts.values())
    assert list(dict.fromkeys(assigned["respondent"])) == make_respondents(**counts)["respondent"].tolist()


@given(designs())
@settings(max_examples=30, deadline=None)
def test_ratings_are_as_even_as_the_clusters_leave_room_for(design):
    sizes, loose, load, counts = design
    sample = make_sample(sizes, loose=loose)
    assigned = vc.assign_respondents(sample, make_respondents(**counts), per_respondent=load)
    for group, people in counts.items():
        part = assigned[assigned["group"] == group]
        per_image = part["image_id"].value_counts()
        # An image may fall two short of another only if all respondents see its cluster already.
        for cluster, images in sample.groupby("cluster")["image_id"]:
            full = people * (len(images) if cluster == -1 else 1) == part["cluster"].eq(cluster).sum()
            assert full or per_image[images].min() >= per_image.max() - 1


@given(designs(), st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_a_refused_design_becomes_possible_with_each_change_that_the_error_names(design, cut):
    sizes, loose, load, counts = design
    sample = make_sample(sizes, loose=loose)
    counts = {group: max(1, people // (cut + 1)) for group, people in counts.items()}
    try:
        vc.assign_respondents(sample, make_respondents(**counts), per_respondent=load)
    except ValueError as error:
        text = str(error)
    else:
        return
    assert "alone would do" in text
    changes = text.split("would do: ")[1]
    if match := re.search(r"(?:^|; or )per_respondent=(\d+)", changes):
        vc.assign_respondents(sample, make_respondents(**counts), per_respondent=int(match[1]))
        with pytest.raises(ValueError, match="No such assignment"):
            vc.assign_respondents(sample, make_respondents(**counts), per_respondent=int(match[1]) - 1)
    if match := re.search(r"(\d+) respondents in every group", changes):
        wanted = {group: max(people, int(match[1])) for group, people in counts.items()}
        vc.assign_respondents(sample, make_respondents(**wanted), per_respondent=load)
        with pytest.raises(ValueError, match="No such assignment"):
            fewer = {group: min(people, int(match[1]) - 1) for group, people in wanted.items()}
            vc.assign_respondents(sample, make_respondents(**fewer), per_respondent=load)
    if match := re.search(r"max_per_cluster=(\d+)", changes):
        smaller = make_sample([min(size, int(match[1])) for size in sizes], loose=loose)
        vc.assign_respondents(smaller, make_respondents(**counts), per_respondent=load)


def test_the_paper_s_design_gives_two_or_three_ratings_per_party():
    sample = make_sample([5] * 160 + [4] * 20 + [2] * 78 + [1] * 51)
    assigned = vc.assign_respondents(sample, make_respondents(D=360, R=360))
    assert vc.check_assignment(assigned, sample)["holds"].all()
    per_image = assigned.groupby(["group", "image_id"]).size()
    assert set(per_image) == {n := 2880 // len(sample), n + 1}
    # Over both parties, ratings per image differ by one as well.
    assert assigned.groupby("image_id").size().agg(lambda counts: counts.max() - counts.min()) == 1


def test_a_cluster_with_more_images_than_room_is_rated_less_and_the_rest_evenly():
    # Three images in one cluster, three respondents who see three clusters each: 3 of 9 ratings at most.
    assigned = vc.assign_respondents(make_sample([3, 1, 1]), make_respondents(D=3), per_respondent=3)
    assert sorted(assigned["image_id"].value_counts()) == [1, 1, 1, 3, 3]


def test_unassigned_images_may_be_seen_together():
    assigned = vc.assign_respondents(make_sample([1], loose=3), make_respondents(D=1), per_respondent=4)
    assert len(assigned) == 4


def test_the_seed_repeats_the_assignment_and_another_changes_it():
    sample, people = make_sample([2] * 9), make_respondents(D=6, R=7)
    first = vc.assign_respondents(sample, people, per_respondent=4, seed=1)
    assert first.equals(vc.assign_respondents(sample, people, per_respondent=4, seed=1))
    assert not first.equals(vc.assign_respondents(sample, people, per_respondent=4, seed=2))


def test_a_group_is_every_respondent_where_groups_is_none():
    people = make_respondents(D=4)[["respondent"]]
    assigned = vc.assign_respondents(make_sample([1] * 4), people, per_respondent=2, groups=None)
    assert set(assigned["group"]) == {"all"}


@pytest.mark.slow
def test_every_table_of_respondents_and_clusters_is_drawn_equally_often():
    # All 0-1 tables with rows of 2 and columns of 2, 2, 1, 1; counted by going through all of them.
    totals = np.array([2, 2, 1, 1])
    rows = [row for row in itertools.product([0, 1], repeat=4) if sum(row) == 2]
    tables = [t for t in itertools.product(rows, repeat=3) if (np.sum(t, axis=0) == totals).all()]
    rng = np.random.default_rng(0)
    drawn = [
        tuple(map(tuple, _assign_strata(totals, n_respondents=3, load=2, rng=rng).astype(int)))
        for _ in range(600)
    ]
    counts = pd.Series(drawn).value_counts().reindex(pd.Index(tables, tupleize_cols=False), fill_value=0)
    assert counts.sum() == 600
    # A uniform draw falls below this once in a thousand runs; the seed is fixed.
    assert chisquare(counts).pvalue > 1e-3


@pytest.mark.slow
def test_an_image_has_every_position_equally_often():
    sample, people = make_sample([1] * 4), make_respondents(D=2)
    runs = [vc.assign_respondents(sample, people, per_respondent=4, seed=seed) for seed in range(300)]
    places = pd.concat(runs).groupby(["image_id", "position"]).size()
    # 16 cells with 150 expected each; a uniform draw falls below this once in a thousand runs.
    assert chisquare(places).pvalue > 1e-3


@pytest.mark.parametrize(
    ("sizes", "people", "load", "reason", "change"),
    [
        ([2, 2, 2], 2, 2, r"2 x 2 = 4 ratings, fewer than the 6 images", "per_respondent=3;"),
        ([2, 2, 2], 2, 2, "fewer than the 6 images", r"3 respondents in every group \(1 more in group 'D'\)"),
        ([2, 2, 2], 2, 2, "fewer than the 6 images", "max_per_cluster=1: 3 images"),
        ([1, 1], 2, 8, "8 images of different clusters, but the sample has 2 clusters", "dent=2"),
        ([4, 1, 1], 3, 2, "one cluster has 4 images and nobody may see two", "4 respondents in every group"),
    ],
)
def test_an_impossible_design_is_refused_with_the_reason_and_the_smallest_change(
    sizes, people, load, reason, change
):
    with pytest.raises(ValueError, match=f"{reason}.*{change}"):
        vc.assign_respondents(make_sample(sizes), make_respondents(D=people), per_respondent=load)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame({"respondent": ["a"]}), "group is missing"),
        (pd.DataFrame({"respondent": ["a", "a"], "group": "D"}), "'a' comes twice"),
        (pd.DataFrame({"respondent": ["b", "jos\u00e9", "JOSE\u0301"], "group": "D"}), "would be one person"),
        (pd.DataFrame({"respondent": ["a"], "group": [None]}), "some are missing"),
        (pd.DataFrame({"respondent": [], "group": []}), "at least one respondent"),
    ],
)
def test_a_table_of_respondents_that_cannot_be_used_is_refused(table, message):
    with pytest.raises(ValueError, match=message):
        vc.assign_respondents(make_sample([1, 1]), table)


@pytest.mark.parametrize(
    ("rows", "load", "message"),
    [(2, 1.5, "per_respondent to be a whole"), (2, 0, "at least 1, got 0"), (0, 1, "at least one image")],
)
def test_a_sample_or_a_load_that_cannot_be_used_is_refused(rows, load, message):
    with pytest.raises(ValueError, match=message):
        vc.assign_respondents(make_sample([1, 1]).head(rows), make_respondents(D=3), per_respondent=load)


def test_every_unassigned_image_counts_as_a_cluster_of_its_own():
    assert number_strata(pd.DataFrame({"cluster": [7, 7, -1, -1]})).tolist() == [0, 0, 1, 2]


def test_images_that_earlier_groups_rated_less_come_first():
    strata, rated = np.array([0, 0, 1]), np.array([1, 0, 0])
    counts = even_out_ratings(strata, rated=rated, n_respondents=1, load=2, rng=np.random.default_rng(0))
    assert counts.tolist() == [0, 1, 1]
    counts = even_out_ratings(strata, rated=rated, n_respondents=2, load=2, rng=np.random.default_rng(0))
    assert counts.tolist() == [1, 1, 2]
