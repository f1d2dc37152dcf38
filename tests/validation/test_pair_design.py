"""The strata of all pairs: every pair is in one, and how many each holds is known exactly."""

import itertools

import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.validation.pair_design import count_assigned, count_joined, draw_from_strata, find_strata_of

N = 60


def make_corpus(n=N, seed=0):
    """Three heaps of images, and clusters that cut them otherwise; a tenth unassigned."""
    rng = np.random.default_rng(seed)
    heap = np.arange(n) % 3
    x = (np.eye(3)[heap] * 3 + rng.normal(size=(n, 3))).astype(np.float32)
    labels = np.where(rng.random(n) < 0.1, -1, heap + 3 * (rng.random(n) < 0.4))
    return x, pd.DataFrame({"image_id": [f"i{i:02d}" for i in range(n)], "cluster": labels})


@pytest.fixture(params=["likeness", "cells"])
def how(request):
    return request.param


def test_every_pair_is_in_one_stratum(how):
    x, clusters = make_corpus()
    strata = find_strata_of(vc.design_pairs(clusters, x, how=how))
    assert strata.totals.sum() == N * (N - 1) / 2
    assert (strata.totals > 0).all()


def test_the_pairs_that_a_clustering_joins_are_counted_in_each_stratum(how):
    x, clusters = make_corpus()
    design = vc.design_pairs(clusters, x, how=how)
    strata = find_strata_of(design)
    # Drawing all pairs gives each its stratum.
    left, right, which = draw_from_strata(strata, strata.totals.astype(int), np.random.default_rng(0))
    assert len(set(zip(left, right, strict=True))) == N * (N - 1) / 2
    other = clusters.assign(cluster=np.random.default_rng(5).integers(-1, 4, N))
    labels = other["cluster"].to_numpy()
    joined = (labels[left] == labels[right]) & (labels[left] >= 0)
    both = (labels[left] >= 0) & (labels[right] >= 0)
    h = len(strata.names)
    assert np.bincount(which[joined], minlength=h).tolist() == count_joined(strata, other).tolist()
    assert np.bincount(which[both], minlength=h).tolist() == count_assigned(strata, other).tolist()


def test_by_likeness_joined_pairs_are_joined_and_near_ones_are_nearer():
    x, clusters = make_corpus()
    design = vc.design_pairs(clusters, x)
    pairs = vc.sample_pairs(design, n_pairs=400)
    label = clusters.set_index("image_id")["cluster"]
    a, b = label[pairs["image_a"]].to_numpy(), label[pairs["image_b"]].to_numpy()
    assert (pairs["stratum"].str.startswith("joined") == ((a == b) & (a >= 0))).all()
    place = design.set_index("image_id").filter(like="place_")
    likeness = (place.loc[pairs["image_a"]].to_numpy() * place.loc[pairs["image_b"]].to_numpy()).sum(axis=1)
    apart = pairs.assign(likeness=likeness)[pairs["stratum"].str.startswith("apart")]
    ranges = apart.groupby("stratum")["likeness"].agg(["min", "max"])
    for one, two in itertools.combinations(ranges.itertuples(), 2):
        assert one.max <= two.min + 1e-3 or two.max <= one.min + 1e-3  # a limit is that of a bin, .0005 wide


def test_of_several_clusterings_strata_say_whether_some_or_all_join_a_pair():
    x, clusters = make_corpus()
    coarse = clusters.assign(cluster=clusters["cluster"] % 3)
    strata = find_strata_of(vc.design_pairs({"fine": clusters, "coarse": coarse}, x))
    kinds = {name.split(",")[0] for name in strata.names}
    assert kinds == {"apart", "joined by some", "joined"}


def test_the_stated_probability_is_how_often_a_pair_is_drawn():
    x, clusters = make_corpus(12)
    design = vc.design_pairs(clusters, x)
    runs = 200
    drawn = pd.concat([vc.sample_pairs(design, n_pairs=20, seed=seed) for seed in range(runs)])
    found = drawn.groupby("pair_id").agg(share=("stratum", "size"), p=("inclusion_probability", "first"))
    # Five standard errors of a share of 200 runs, for 66 pairs at once.
    error = np.sqrt(found["p"] * (1 - found["p"]) / runs)
    assert ((found["share"] / runs - found["p"]).abs() <= 5 * error + 1e-12).all()


def test_the_same_seed_draws_the_same_pairs_and_shares_can_be_given(how):
    x, clusters = make_corpus()
    design = vc.design_pairs(clusters, x, how=how)
    assert vc.sample_pairs(design, n_pairs=30, seed=1).equals(vc.sample_pairs(design, n_pairs=30, seed=1))
    name = find_strata_of(design).names[0]
    assert set(vc.sample_pairs(design, n_pairs=5, strata={name: 1})["stratum"]) == {name}


def test_copies_make_no_pairs():
    x, clusters = make_corpus()
    clusters = clusters.assign(representative=clusters["image_id"].where(np.arange(N) != 1, "i00"))
    design = vc.design_pairs(clusters, x)
    assert "i01" not in set(design["image_id"])
    assert len(design) == N - 1


def test_of_too_many_images_some_are_drawn():
    x, clusters = make_corpus()
    design = vc.design_pairs(clusters, x, max_images=20)
    assert len(design) == 20
    assert not design.equals(vc.design_pairs(clusters, x, max_images=20, seed=1))


def test_where_no_image_is_clustered_all_pairs_are_apart_and_can_be_drawn(how):
    x, clusters = make_corpus()
    design = vc.design_pairs(clusters.assign(cluster=-1), x, how=how)
    assert len(vc.sample_pairs(design, n_pairs=20)) == 20


def test_two_images_and_images_that_are_all_alike_make_a_design():
    clusters = pd.DataFrame({"image_id": ["a", "b"], "cluster": [0, 0]})
    assert find_strata_of(vc.design_pairs(clusters, np.ones((2, 4)))).totals.tolist() == [1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, c: vc.design_pairs({"a": c, "b": c}, x, how="cells"), "one clusters table"),
        (lambda x, c: vc.design_pairs({}, x), "at least one clusters table"),
        (lambda x, c: vc.design_pairs({"a": c, "b": c[::-1]}, x), "same images in the same order"),
        (lambda x, c: vc.design_pairs(c, x[:-1]), "one row for each"),
        (lambda x, c: vc.design_pairs(c.head(1), x[:1]), "at least two images"),
        (lambda x, c: vc.sample_pairs(vc.design_pairs(c, x), x), "no x beside a pair design"),
        (lambda x, c: vc.sample_pairs(c), "Expected x"),
        (lambda x, c: vc.sample_pairs(vc.design_pairs(c, x), strata={"far": 1}), "Expected shares"),
    ],
)
def test_what_does_not_fit_is_refused(change, words):
    x, clusters = make_corpus()
    with pytest.raises(ValueError, match=words):
        change(x, clusters)
