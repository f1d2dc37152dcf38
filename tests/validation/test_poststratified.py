"""Scores by a pair design: exact where everything is known, and honest where little is."""

import numpy as np
import pandas as pd
import pytest
from judged_corpora import N, find_truth, get_weighted, judge, make_corpus
from scipy import stats

import visclust as vc
from visclust.validation.pair_design import find_strata_of
from visclust.validation.poststratified import CellCounts, draw_scores, find_ends


@pytest.mark.parametrize("how", ["likeness", "cells"])
@pytest.mark.parametrize("unassigned", ["different", "drop"])
def test_where_every_pair_is_judged_scores_are_those_of_the_corpus_without_doubt(how, unassigned):
    x, theme, clusters = make_corpus()
    design = vc.design_pairs(clusters, x, how=how)
    pairs = vc.sample_pairs(design, n_pairs=N * (N - 1) // 2)
    gold = judge(pairs, theme, clusters)
    found = get_weighted(vc.score_pairs(clusters, gold, design=design, unassigned=unassigned, n_bootstrap=20))
    assigned = clusters["cluster"].to_numpy() >= 0
    truth = find_truth(theme, clusters, assigned if unassigned == "drop" else None)
    truth["coverage"] = find_truth(theme, clusters)["coverage"]
    for measure, value in truth.items():
        # Rounding of sums of up to 4,005 ones.
        assert found.loc[measure, ["estimate", "low", "high"]].tolist() == pytest.approx(
            [value] * 3, rel=1e-9
        )


def test_intervals_hold_the_corpus_value_about_as_often_as_they_say():
    x, theme, clusters = make_corpus()
    truth = find_truth(theme, clusters)
    design = vc.design_pairs(clusters, x)
    held = []
    for seed in range(100):
        gold = judge(vc.sample_pairs(design, n_pairs=250, seed=seed), theme, clusters)
        found = get_weighted(vc.score_pairs(clusters, gold, design=design, n_bootstrap=200, seed=seed))
        held.append(
            [found.loc[m, "low"] <= truth[m] <= found.loc[m, "high"] for m in ("precision", "recall", "f1")]
        )
    # 0.95, and 3.5 standard errors of a share of 100 below it; too wide ones are seen in the benchmark.
    assert (np.mean(held, axis=0) > 0.95 - 3.5 * np.sqrt(0.95 * 0.05 / 100)).all()


def count_shares(n_same, n_judged, totals):
    """What judged pairs say of one clustering, from the same and all judged ones in each cell."""
    cell = np.repeat(np.arange(len(totals)), n_judged)
    same = np.concatenate([np.arange(n) < k for k, n in zip(n_same, n_judged, strict=True)])
    # Each pair weighs as its stratum is drawn.
    judged = np.asarray(n_judged).reshape(-1, 2).sum(axis=1)
    weight = (np.asarray(totals).reshape(-1, 2).sum(axis=1) / judged)[cell // 2]
    return CellCounts(same, weight, cell // 2, cell[None], np.array([totals], dtype=float), np.ones(1))


def test_a_score_that_rests_on_one_cell_has_the_exact_interval_and_one_of_many_hardly_leans():
    # One stratum, of whose joined pairs 18 of 20 are the same: precision has Clopper and Pearson's interval.
    low, high = find_ends(count_shares([0, 18], [20, 20], [1e6, 1e6]), n_draws=20_000, seed=0)
    exact = stats.binomtest(18, 20).proportion_ci(method="exact")
    # Of 20,000 draws the percentile 2.5 has a standard error of .0011 over the density, of .0017 and .0002.
    assert low[0, 0] == pytest.approx(exact.low, abs=0.007)
    assert high[0, 0] == pytest.approx(exact.high, abs=0.001)
    # The same in each of ten strata, a tenth of the variance each: of 21 pairs one leans by .05 from a half,
    # which moves the mean of the draws by .0024, and the percentiles by not much more or less.
    counted = count_shares([0, 18] * 10, [20, 20] * 10, [1e6, 1e6] * 10)
    ends = np.array(find_ends(counted, n_draws=20_000, seed=0))[:, 0, 0]
    halfway = np.quantile(draw_scores(counted, n_draws=20_000, seed=0)[1, :, 0, 0], [0.025, 0.975])
    assert halfway[0] - ends[0] == pytest.approx(0.05 / 21, rel=0.6)
    assert ends[1] - halfway[1] == pytest.approx(0.05 / 21, rel=0.6)


@pytest.mark.slow
def test_intervals_hold_where_strata_of_which_hardly_a_pair_is_the_same_outweigh_all():
    # 554 pairs by likeness at the scale of the paper: pairs of the corpus and judged ones in the eleven
    # strata, not joined and joined, and the shares of "same" (`benchmarks/coverage_pairs.py`). One same pair
    # found in the first is taken for half a million. With lots that do not lean, recall is held in 92.0% of
    # these runs, and F1 in 91.0%.
    totals = [151_200_448, 28, 7_721_876, 528, 1_541_803, 2_066, 302_173, 1_100, 78_751, 707, 164_392,
              1_922, 408_011, 6_759, 1_003_524, 72_802, 70_011, 52_212, 88_776, 216_054, 114_873,
              674_744]  # fmt: skip
    rates = [0.00064, 0, 0.00109, 0, 0.00017, 0.035, 0.0002, 0.044, 0.00086, 0.323, 0.00116, 0.009, 0.00265,
             0.064, 0.05401, 0.671, 0.339, 0.591, 0.788, 0.922, 0.993, 0.998]  # fmt: skip
    n_judged = [304, 0, 72, 0, 34, 0, 15, 0, 8, 0, 10, 0, 18, 0, 36, 3, 5, 4, 4, 11, 4, 26]
    same = np.multiply(rates, totals)
    both, missed, joined = same[1::2].sum(), same[::2].sum(), np.sum(totals[1::2])
    truth = [both / (both + missed), 2 * both / (joined + both + missed)]
    rng = np.random.default_rng(0)
    held = []
    for run in range(400):
        counted = count_shares(rng.binomial(n_judged, rates), n_judged, totals)
        low, high = find_ends(counted, n_draws=200, seed=run)
        held.append((low[0, 1:3] <= truth) & (truth <= high[0, 1:3]))
    # Two and a half standard errors of a share of 400 below .95.
    assert (np.mean(held, axis=0) > 0.95 - 2.5 * np.sqrt(0.95 * 0.05 / 400)).all()


def test_scores_with_a_design_are_nearer_the_truth_than_with_weights_alone():
    x, theme, clusters = make_corpus()
    truth = find_truth(theme, clusters)["precision"]
    drafts = clusters.assign(cluster=vc.cluster_once(x, n_clusters=8, seed=0).labels)
    design = vc.design_pairs(drafts, x, how="cells")
    errors = {"post-stratified": [], "design-weighted": []}
    for seed in range(60):
        shares = {"within": 0.1, "neighbouring": 0.1, "random": 0.8}
        pairs = vc.sample_pairs(drafts, x, n_pairs=120, strata=shares, seed=seed)
        gold = judge(pairs, theme, clusters)
        both = pd.concat(
            [vc.score_pairs(clusters, gold, weights=pairs, n_bootstrap=10),
             vc.score_pairs(clusters, gold, weights=pairs, design=design, n_bootstrap=10)]
        )  # fmt: skip
        for way, one in both[both["measure"] == "precision"].groupby("weighting"):
            if way in errors:
                errors[way].append((one["estimate"].iloc[0] - truth) ** 2)
    assert np.nanmean(errors["post-stratified"]) < np.nanmean(errors["design-weighted"])


def test_pairs_that_all_agree_leave_the_interval_open():
    x, theme, clusters = make_corpus()
    design = vc.design_pairs(clusters, x)
    gold = judge(vc.sample_pairs(design, n_pairs=60), theme, clusters).assign(same=True)
    found = get_weighted(vc.score_pairs(clusters, gold, design=design, n_bootstrap=500))
    assert found.loc["precision", "estimate"] == 1
    assert found.loc["precision", "low"] < 0.98


def test_cells_without_a_judged_pair_are_said_and_may_be_anything():
    x, theme, clusters = make_corpus()
    design = vc.design_pairs(clusters, x)
    gold = judge(vc.sample_pairs(design, n_pairs=200), theme, clusters)
    gold = gold[~gold["stratum"].str.startswith("joined")]
    found = get_weighted(vc.score_pairs(clusters, gold, design=design, n_bootstrap=500))
    assert "no judged pair is joined" in found.loc["precision", "reason"]
    assert found.loc["precision", "high"] - found.loc["precision", "low"] > 0.5


def test_a_look_weight_counts_as_so_many_pairs():
    x, theme, clusters = make_corpus()
    design = vc.design_pairs(clusters, x)
    gold = judge(vc.sample_pairs(design, n_pairs=300), theme, clusters)
    label = clusters.set_index("image_id")["cluster"]
    joined = gold["image_a"].map(label).eq(gold["image_b"].map(label))
    # Of two pairs that nothing tells apart, one is left out and the other speaks for both.
    place = gold.groupby(["stratum", joined, "same"]).cumcount()
    left_out = place.eq(1)
    speaks = place.eq(0) & gold.groupby(["stratum", joined, "same"])["pair_id"].transform("size").gt(1)
    weighted = gold.assign(look_weight=np.where(speaks, 2.0, 1.0))[~left_out]
    assert left_out.sum() > 5
    one, two = (
        get_weighted(vc.score_pairs(clusters, each, design=design, n_bootstrap=10))["estimate"]
        for each in (gold, weighted)
    )
    assert one.to_numpy() == pytest.approx(two.to_numpy(), rel=1e-12)  # the same sums, in another order
    with pytest.raises(ValueError, match="look_weight"):
        vc.score_pairs(clusters, gold.assign(look_weight=-1.0), design=design)


def test_pairs_of_another_wave_do_not_count():
    x, theme, clusters = make_corpus()
    design = vc.design_pairs(clusters, x)
    gold = judge(vc.sample_pairs(design, n_pairs=200), theme, clusters)
    before = gold.assign(pair_id=gold["pair_id"] + "x", stratum="within", same=~gold["same"], wave=1)
    both = pd.concat([before, gold.assign(wave=2)])
    one, two = (
        get_weighted(vc.score_pairs(clusters, each, design=design, n_bootstrap=10)) for each in (gold, both)
    )
    assert one["estimate"].tolist() == two["estimate"].tolist()
    assert two["reason"].str.contains("wave 2").all()


def test_a_clustering_that_joins_nothing_has_recall_0_and_no_precision():
    x, theme, clusters = make_corpus()
    design = vc.design_pairs(clusters, x)
    gold = judge(vc.sample_pairs(design, n_pairs=100), theme, clusters)
    alone = clusters.assign(cluster=range(N))
    found = get_weighted(vc.score_pairs(alone, gold, design=design, n_bootstrap=10))
    assert found.loc["recall", "estimate"] == 0
    assert np.isnan(found.loc["precision", ["estimate", "low", "high"]].astype(float)).all()
    assert "joins no pair" in found.loc["precision", "reason"]


def leave_out(gold, image="i000"):
    return gold[gold["image_a"].ne(image) & gold["image_b"].ne(image)]


def add_turned_round(gold):
    turned = gold.head(1).rename(columns={"image_a": "image_b", "image_b": "image_a"})
    return pd.concat([gold, turned.assign(pair_id="another")])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda g, d, c: (g.drop(columns="stratum"), d, c), "column stratum"),
        (lambda g, d, c: (g.assign(stratum="within"), d, c), "the strata of this pair design"),
        (lambda g, d, c: (g, d.tail(30), c), "images of the pair design"),
        (lambda g, d, c: (leave_out(g), d, c[c["image_id"] != "i000"]), "lacks, such as 'i000'"),
        (
            lambda g, d, c: (g.assign(stratum=g["stratum"].to_numpy()[::-1]), d, c),
            "the pair design puts it in",
        ),
        (lambda g, d, c: (g, d.assign(image_id=d["image_id"].to_numpy()[::-1]), c), "puts it in, got"),
        (lambda g, d, c: (g.assign(image_b=g["image_a"]), d, c), "of an image with itself"),
        (lambda g, d, c: (add_turned_round(g), d, c), "Expected each pair of images once"),
        (lambda g, d, c: (g, d[["image_id"]], c), "the pair design"),
        (lambda g, d, c: (g, pd.concat([d, d]), c), "90 of them of an image that is there already"),
        (lambda g, d, c: (g, d.assign(place_1=np.nan), c), "90 with a gap"),
    ],
)
def test_what_does_not_belong_together_is_refused(spoil, words):
    x, theme, clusters = make_corpus()
    design = vc.design_pairs(clusters, x)
    gold = judge(vc.sample_pairs(design, n_pairs=100), theme, clusters)
    gold, design, clusters = spoil(gold, design, clusters)
    with pytest.raises(ValueError, match=words):
        vc.score_pairs(clusters, gold, design=design)


def test_pairs_by_cells_need_their_probabilities():
    x, theme, clusters = make_corpus()
    design = vc.design_pairs(clusters, x, how="cells")
    gold = judge(vc.sample_pairs(design, n_pairs=100), theme, clusters).drop(columns="inclusion_probability")
    with pytest.raises(ValueError, match="probabilities of pairs drawn by cells"):
        vc.score_pairs(clusters, gold, design=design)


def test_wilsons_interval_is_that_of_a_simple_random_sample_where_weights_are_equal():
    # 30 pairs that a clustering joins, 24 of them the same: Wilson's interval with t of 29 degrees.
    gold = pd.DataFrame({"pair_id": [f"p{i}" for i in range(30)], "same": [True] * 24 + [False] * 6})
    gold = gold.assign(image_a=[f"a{i}" for i in range(30)], image_b=[f"b{i}" for i in range(30)])
    ids = [*gold["image_a"], *gold["image_b"]]
    clusters = pd.DataFrame({"image_id": ids, "cluster": [*range(30), *range(30)]})
    scores = vc.score_pairs(clusters, gold, weights=np.ones(30), n_bootstrap=10)
    found = scores[(scores["weighting"] == "design-weighted") & (scores["measure"] == "precision")].iloc[0]
    # The variance has n - 1 in its denominator, so that 29 pairs stand for the 30.
    t, n, p = 2.0452296, 29, 0.8
    centre, half = (
        (p + t**2 / 2 / n) / (1 + t**2 / n),
        t / (1 + t**2 / n) * np.sqrt(p * 0.2 / n + t**2 / 4 / n**2),
    )
    assert [found["low"], found["high"]] == pytest.approx([centre - half, centre + half], abs=1e-6)


def test_the_same_seed_gives_the_same_interval():
    x, theme, clusters = make_corpus()
    design = vc.design_pairs(clusters, x)
    gold = judge(vc.sample_pairs(design, n_pairs=100), theme, clusters)
    one, two = (vc.score_pairs(clusters, gold, design=design, n_bootstrap=50, seed=3) for _ in range(2))
    assert one.equals(two)
    assert len(find_strata_of(design).names) == len(set(find_strata_of(design).names))


def test_a_pair_at_the_limit_of_two_strata_is_taken_for_either():
    """Likeness rounds by the block it is computed in; a design is never refused for its own pairs."""
    x, theme, clusters = make_corpus()
    for seed in range(5):
        design = vc.design_pairs(clusters, x + 0.001 * seed)
        everything = len(x) * (len(x) - 1) // 2
        gold = judge(vc.sample_pairs(design, n_pairs=everything, seed=seed), theme, clusters)
        found = get_weighted(vc.score_pairs(clusters, gold, design=design, n_bootstrap=10))
        truth = find_truth(theme, clusters)["recall"]
        # Every pair is judged: the estimate is the truth, but for adding up in another order.
        assert found.loc["recall", "estimate"] == pytest.approx(truth, rel=1e-12)


def test_undefined_scores_say_what_is_lacking_and_no_more():
    x, theme, clusters = make_corpus()
    design = vc.design_pairs(clusters, x)
    gold = judge(vc.sample_pairs(design, n_pairs=100), theme, clusters).assign(same=False)
    found = get_weighted(vc.score_pairs(clusters, gold, design=design, n_bootstrap=10))
    assert found.loc["recall", "reason"] == "undefined: people call no judged pair the same"
    assert found.loc["precision", "estimate"] == 0
