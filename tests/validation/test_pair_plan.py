"""How many pairs to judge is said before anybody has judged one."""

import numpy as np
import pytest
from judged_corpora import find_truth, get_weighted, judge, make_corpus

import visclust as vc


@pytest.fixture(scope="module")
def corpus():
    x, theme, clusters = make_corpus(n=300)
    return theme, clusters, vc.design_pairs(clusters, x)


def test_narrower_intervals_need_more_pairs_and_what_cannot_be_had_is_missing(corpus):
    _, clusters, design = corpus
    wide, narrow, never = (
        vc.plan_pairs(design, clusters, half_width=width).needed["n_pairs"] for width in (0.2, 0.1, 0.0001)
    )
    assert (wide < narrow).all()
    assert never.isna().all()


def test_of_a_small_corpus_all_pairs_leave_nothing_open():
    x, _, clusters = make_corpus(n=30)
    plan = vc.plan_pairs(vc.design_pairs(clusters, x), clusters, half_width=0.001)
    assert (plan.needed["n_pairs"] <= 30 * 29 / 2).all()
    assert plan.curve["half_width"].iloc[-1] < 1e-9  # rounding


def test_curves_fall(corpus):
    _, clusters, design = corpus
    curve = vc.plan_pairs(design, clusters).curve
    ends = curve.groupby("measure")["half_width"].agg(["first", "last"])
    assert (ends["last"] < ends["first"] / 2).all()


def test_the_half_width_that_was_planned_is_about_the_one_that_comes(corpus):
    theme, clusters, design = corpus
    truth = find_truth(theme, clusters)
    plan = vc.plan_pairs(design, clusters, precision=truth["precision"], recall=truth["recall"])
    planned = plan.curve.set_index(["n_pairs", "measure"])["half_width"]
    found = []
    for seed in range(12):
        gold = judge(vc.sample_pairs(design, n_pairs=800, seed=seed), theme, clusters)
        scores = get_weighted(vc.score_pairs(clusters, gold, design=design, n_bootstrap=300, seed=seed))
        found.append((scores["high"] - scores["low"]) / 2)
    came = np.mean([[one[m] for m in ("precision", "recall", "f1")] for one in found], axis=0)
    # The missed pairs lie otherwise than supposed; a factor of 1.6 is what a plan must not be off by.
    ratio = came / planned[800].loc[["precision", "recall", "f1"]].to_numpy()
    assert ((ratio > 1 / 1.6) & (ratio < 1.6)).all()


def test_judged_pairs_take_the_place_of_suppositions(corpus):
    theme, clusters, design = corpus
    gold = judge(vc.sample_pairs(design, n_pairs=2000), theme, clusters)
    supposed = vc.plan_pairs(design, clusters, gold=gold).needed.set_index("measure")["supposed"]
    truth = find_truth(theme, clusters)
    for measure in ("precision", "recall", "f1"):
        assert supposed[measure] == pytest.approx(truth[measure], abs=0.08)  # 2,000 pairs, drawn once


def test_a_design_by_cells_and_strange_numbers_are_refused(corpus):
    _, clusters, design = corpus
    x = np.random.default_rng(0).normal(size=(300, 4))
    with pytest.raises(ValueError, match="by likeness"):
        vc.plan_pairs(vc.design_pairs(clusters, x, how="cells"), clusters)
    with pytest.raises(ValueError, match="above 0 and below 1 as precision"):
        vc.plan_pairs(design, clusters, precision=1.5)


def test_clusters_that_join_nothing_have_no_plan(corpus):
    _, clusters, design = corpus
    with pytest.raises(ValueError, match="join none"):
        vc.plan_pairs(design, clusters.assign(cluster=range(len(clusters))), half_width=0.1)
