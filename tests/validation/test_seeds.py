import numpy as np
import pandas as pd
import pytest
from judged_grids import GOLD, GRID, N_IMAGES, make_clusters, make_seeds
from scipy.stats import norm

import visclust as vc
from visclust.base.bootstrap import find_interval, resample_sums
from visclust.validation.scores import compute_scores
from visclust.validation.seeds import ONE, SEEDS, Members, SeedChance, add_seeds, share_wins


def test_a_configuration_scores_the_mean_over_its_seeds():
    runs = make_seeds(0.3)
    row = vc.compare_configurations({"runs": runs}, GOLD).iloc[0]
    alone = [vc.score_pairs(table, GOLD).set_index("measure")["estimate"] for table in runs.values()]
    for measure in ("precision", "recall", "f1", "mean_precision_recall", "coverage"):
        assert row[measure] == pytest.approx(np.mean([each[measure] for each in alone]))
    f1 = [each["f1"] for each in alone]
    assert row["n_seeds"] == 5
    assert row["kind"] == "mean over seeds"
    assert row["seed_sd"] == pytest.approx(np.std(f1, ddof=1))
    assert row["seed_error"] == pytest.approx(np.std(f1, ddof=1) / np.sqrt(5))
    assert row["reason"] == ""


def test_five_times_the_same_clustering_is_as_sure_as_one_but_for_the_seed_that_it_has():
    table = GRID["error 0.3"]
    found = vc.compare_configurations({"one": table, "five": dict.fromkeys(range(5), table)}, GOLD)
    one, five = found.iloc[0], found.iloc[1]
    for name in ("f1", "f1_low", "f1_high"):
        assert five[name] == pytest.approx(one[name])
    assert five["seed_sd"] == 0
    assert "another seed would change" in one["reason"]
    assert five["reason"] == ""


def test_seeds_that_differ_widen_the_interval_and_more_of_them_narrow_it():
    def width(runs):
        row = vc.compare_configurations({"runs": runs}, GOLD).iloc[0]
        return row["f1_high"] - row["f1_low"]

    alike, apart = make_seeds(0.4, 5), make_seeds(0.4, 5, spread=0.2)
    assert width(apart) > 1.5 * width(alike)
    assert width(make_seeds(0.4, 20, spread=0.2)) < width(apart)


def test_the_winner_is_the_best_mean_and_not_the_best_seed():
    lucky = {**make_seeds(0.5), 0: make_seeds(0.0)[0]}
    grid = {"lucky": lucky, "steady": make_seeds(0.15)}
    found = vc.compare_configurations(grid, GOLD).set_index("configuration")
    assert found["winner"].to_dict() == {"lucky": False, "steady": True}
    assert found["share_won"].to_dict() == {"lucky": 0.2, "steady": 0.8}


def test_what_pairs_alone_tell_apart_seeds_may_not():
    # Each seed by itself is far from the other configuration's, now above and now below it.
    runs = {seed: make_seeds(rate)[0] for seed, rate in enumerate([0.0, 0.7, 0.05, 0.65, 0.1])}
    others = dict.fromkeys(range(5), GRID["error 0.5"])
    by_seeds = vc.compare_configurations({"runs": runs, "others": others}, GOLD).set_index("configuration")
    by_one = vc.compare_configurations({"runs": runs[0], "others": others[0]}, GOLD).set_index(
        "configuration"
    )
    assert not by_one.loc["others", "cannot_be_told_apart"]
    assert by_seeds.loc["others", "cannot_be_told_apart"]


def test_two_with_the_same_seeds_are_compared_seed_by_seed():
    # What a seed brings to both cancels out; with other seeds it does not.
    base = make_seeds(0.4, 5, spread=0.2)
    worse = {
        seed: table.assign(cluster=np.where(np.arange(N_IMAGES) % 25 == 0, -1, table["cluster"]))
        for seed, table in base.items()
    }
    renamed = {seed + 10: table for seed, table in worse.items()}
    options = {"reference": "base", "seed": 3}
    paired = vc.compare_configurations({"base": base, "worse": worse}, GOLD, **options).iloc[1]
    apart = vc.compare_configurations({"base": base, "worse": renamed}, GOLD, **options).iloc[1]
    assert paired["difference"] == pytest.approx(apart["difference"])
    width = paired["difference_high"] - paired["difference_low"]
    assert width < (apart["difference_high"] - apart["difference_low"]) / 2
    assert np.isnan(apart["share_won"])


def test_a_measure_that_is_undefined_with_one_seed_is_undefined():
    runs = {**make_seeds(0.3, 3), 1: make_clusters(np.arange(N_IMAGES))}
    found = vc.compare_configurations({"runs": runs, **GRID}, GOLD, n_bootstrap=20).iloc[0]
    assert np.isnan(found["f1"])
    assert found["reason"].startswith("f1 is undefined with 1 of 3 seeds")
    assert vc.list_comparable({"runs": runs, **GRID}, GOLD) == list(GRID)


def test_a_consensus_is_a_row_scored_like_the_others_with_the_settings_of_its_runs():
    runs = make_seeds(0.2)
    grid = vc.add_consensus({"runs": runs, "one": GRID["error 0.5"]}, progress=False)
    settings = pd.DataFrame({"configuration": ["runs", "one"], "method": ["iterative", "single"]})
    found = vc.compare_configurations(grid, GOLD, settings=settings).set_index("configuration")
    row = found.loc["consensus of runs"]
    assert (row["kind"], row["method"], row["n_seeds"]) == ("consensus", "iterative", 5)
    alone = vc.score_pairs(vc.find_consensus({str(s): t for s, t in runs.items()}), GOLD)
    assert row["f1"] == alone.set_index("measure").loc["f1", "estimate"]
    assert row["f1"] > found.loc["runs", "f1"]  # errors that seeds do not share
    assert row["seed_error"] > 0
    assert row["f1_low"] < row["f1"] < row["f1_high"]
    honest = vc.cross_validate(grid, GOLD, settings=settings, n_bootstrap=20)
    assert honest.winner["configuration"].item() == "consensus of runs"
    assert honest.configurations["method"].notna().all()


def test_cross_validation_selects_by_the_mean_over_seeds():
    lucky = {**make_seeds(0.5), 0: make_seeds(0.0)[0]}
    found = vc.cross_validate({"lucky": lucky, "steady": make_seeds(0.15)}, GOLD, n_bootstrap=20)
    assert found.winner["configuration"].item() == "steady"
    row = found.selections.iloc[0]
    in_fold = found.folds[found.folds["fold"].eq(1) & found.folds["configuration"].eq(row["configuration"])]
    assert row["f1"] == in_fold["f1"].item()


def test_iterative_and_single_are_compared_by_means_over_their_seeds_and_consensus_takes_no_part():
    grid = vc.add_consensus({"ours": make_seeds(0.1), "theirs": make_seeds(0.4)}, progress=False)
    settings = pd.DataFrame(
        {"configuration": ["ours", "theirs"], "method": ["iterative", "single"], "embedding": "resnet18"}
    )
    found = vc.compare_iterative_with_single(grid, GOLD, settings=settings, n_bootstrap=200)
    point = found.points.iloc[0]
    assert found.points["configuration"].tolist() == ["ours"]
    assert (point["n_seeds"], point["side"]) == (5, "above")
    assert point["seed_sd"] > 0


def test_a_configuration_without_any_seed_is_an_error():
    with pytest.raises(ValueError, match="clusters table for each seed of 'runs', got none"):
        vc.compare_configurations({"runs": {}}, GOLD)


def test_ties_share_a_seed():
    none = np.array([], dtype=int)
    members = [Members(SEEDS, (0, 1), np.array([0, 1]), none), Members(SEEDS, (0, 1), np.array([2, 3]), none)]
    members.append(Members(ONE, (), np.array([4]), none))
    shares = share_wins(np.array([0.5, 0.7, 0.5, 0.6, 0.9]), members)
    assert shares.tolist()[:2] == [0.75, 0.25]
    assert np.isnan(shares[2])


def test_intervals_of_a_mean_over_seeds_hold_the_truth_as_often_as_they_say():
    # 300 runs of 300 pairs and 5 seeds that differ by 0.06 in F1: 95% are known to 1.3% (one standard error),
    # and pairs alone hold the truth in about 70%. `benchmarks/coverage_seeds.py` has 2,000 runs a cell.
    rng = np.random.default_rng(0)
    n, n_seeds, n_bootstrap, sd = 300, 5, 200, 0.2
    effects = sd * rng.normal(size=(100_000, 2))
    recall, false = norm.cdf(0.25 + effects[:, 0]), norm.cdf(-1.6 + effects[:, 1])
    truth = (2 * 0.4 * recall / (0.4 * recall + 0.6 * false + 0.4)).mean()
    held = {"both": [], "pairs": []}
    for run in range(300):
        same = rng.random(n) < 0.4
        effect = sd * rng.normal(size=(n_seeds, 2))
        threshold = np.where(same[:, None], 0.25 + effect[:, 0], -1.6 + effect[:, 1])
        latent = np.sqrt(0.6) * rng.normal(size=(n, 1)) + np.sqrt(0.4) * rng.normal(size=(n, n_seeds))
        predicted = latent < threshold
        ones = np.ones_like(predicted)
        counts = np.stack([predicted & same[:, None], predicted, ones & same[:, None], ones, ones], axis=-1)
        values = compute_scores(counts.sum(axis=0))[:, 2]
        sums = resample_sums(counts.reshape(n, -1), n_bootstrap=n_bootstrap, seed=run)
        resampled = compute_scores(sums.reshape(n_bootstrap, n_seeds, 5))[..., 2]
        draw = SeedChance(n_bootstrap, seed=run)
        both = add_seeds(resampled.mean(axis=1), values.mean(), values, resampled, draw)
        for name, replicates in (("both", both), ("pairs", resampled.mean(axis=1))):
            low, high = find_interval(replicates)
            held[name].append(low <= truth <= high)
    assert 0.91 <= np.mean(held["both"]) <= 0.98
    assert np.mean(held["pairs"]) < 0.85
