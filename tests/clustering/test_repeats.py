import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.clustering.repeats import _summarise


@pytest.fixture
def runs(make_clusters):
    return {
        seed: make_clusters(labels) for seed, labels in {0: [0, 0, 1], 4: [0, 1, 1], 7: [0, 0, 0]}.items()
    }


def count_first(clusters):
    return pd.DataFrame({"estimate": [float(clusters["cluster"].eq(0).sum())], "standard_error": [1.0]})


def test_an_estimate_is_repeated_with_each_seed_and_its_spread_reported(runs):
    found = vc.repeat_over_seeds(count_first, runs)
    assert found.by_seed[["seed", "estimate"]].values.tolist() == [[0, 2], [4, 1], [7, 3]]
    row = found.summary.iloc[0]
    assert row[["n_seeds", "mean", "seed_sd", "smallest", "largest"]].tolist() == [3, 2, 1, 1, 3]
    # Rubin: 1 within, 1 between times 4/3.
    assert row["total_error"] == pytest.approx(np.sqrt(1 + 4 / 3))
    assert row["seed_share"] == pytest.approx((4 / 3) / (7 / 3))


def test_rows_are_told_apart_by_keys_and_one_that_a_seed_lacks_counts_fewer_seeds(runs):
    def measure(clusters):
        sizes = clusters["cluster"].value_counts().sort_index()
        return pd.DataFrame({"size_rank": sizes.index, "estimate": sizes.to_numpy()})

    summary = vc.repeat_over_seeds(measure, runs, keys=["size_rank"]).summary.set_index("size_rank")
    assert summary["n_seeds"].to_dict() == {0: 3, 1: 2}
    assert "total_error" not in summary.columns
    with pytest.raises(ValueError, match="Name in keys what tells rows apart"):
        vc.repeat_over_seeds(measure, runs)


def test_a_sample_that_was_rated_keeps_its_rows_and_gets_the_clusters_of_each_seed(runs):
    sample = pd.DataFrame(
        {"image_id": runs[0]["image_id"].iloc[[2, 0]], "cluster": [9, 9], "weight": [2.0, 3.0]}
    )

    def measure(given):
        assert given[["image_id", "weight"]].equals(sample[["image_id", "weight"]])
        return pd.DataFrame({"estimate": [given["cluster"].iloc[0]]})

    assert vc.repeat_over_seeds(measure, runs, sample=sample).by_seed["estimate"].tolist() == [1, 1, 0]
    with pytest.raises(ValueError, match="image of the sample in the clusters of seed 0; 1 are not"):
        vc.repeat_over_seeds(measure, runs, sample=sample.assign(image_id=["x", sample["image_id"].iloc[0]]))


def test_simulated_stays_simulated(runs):
    found = vc.repeat_over_seeds(lambda clusters: count_first(clusters).assign(simulated=True), runs)
    assert found.summary["simulated"].all()


def test_one_seed_or_no_table_is_refused(runs):
    with pytest.raises(ValueError, match="two seeds or more as runs, got 1"):
        vc.repeat_over_seeds(count_first, {0: runs[0]})
    with pytest.raises(ValueError, match="give a table, got int for seed 0"):
        vc.repeat_over_seeds(len, runs)


def test_estimates_of_the_corpus_are_repeated_with_a_sample_drawn_from_each_seed():
    rng = np.random.default_rng(0)
    ids = [f"i{i:03d}" for i in range(200)]
    value = pd.Series(rng.normal(size=200), index=ids, name="value")
    runs = {seed: pd.DataFrame({"image_id": ids, "cluster": rng.integers(20, size=200)}) for seed in range(3)}

    def estimate(clusters):
        sample = vc.draw_stratified_sample(clusters)
        return vc.estimate_corpus(sample, value, clusters=clusters)

    summary = vc.repeat_over_seeds(estimate, runs, keys=["value"]).summary
    assert summary["n_seeds"].tolist() == [3]
    assert summary["low"].item() < value.mean() < summary["high"].item()


def test_rubin_s_interval_holds_the_truth_as_often_as_it_says():
    # Errors of the estimate, common to five seeds, and of the seeds. 1,000 runs: 95% are known to 1.4%.
    rng = np.random.default_rng(0)
    held = []
    for _ in range(1000):
        values = rng.normal() + rng.normal(size=5)
        row = _summarise(pd.DataFrame({"e": values, "standard_error": 1.0}), "e", 0.95)
        held.append(row["low"] <= 0 <= row["high"])
    assert np.mean(held) > 0.936
