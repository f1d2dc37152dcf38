import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.clustering import consensus


def test_the_consensus_of_equal_runs_is_that_run(make_runs):
    found = vc.find_consensus(make_runs([4, 4, 4, 2, 2, -1], [4, 4, 4, 2, 2, -1]))
    assert found["cluster"].tolist() == [0, 0, 0, 1, 1, -1]
    assert found["agreement"].tolist()[:5] == [1, 1, 1, 1, 1]
    assert found["iteration"].tolist() == [1, 1, 1, 1, 1, -1]
    assert np.isnan(found["agreement"].iloc[5])


def test_what_the_majority_puts_together_is_together(make_runs):
    runs = make_runs([0, 0, 1, 1], [0, 0, 0, 1], [0, 1, 1, 1])
    # Together in 2 of 3 runs: the first and second; the second and third; the third and fourth.
    assert vc.find_consensus(runs, method="majority")["cluster"].tolist() == [0, 0, 0, 0]
    average = vc.find_consensus(runs)
    assert average["cluster"].tolist() == [0, 0, 1, 1]
    assert average["agreement"].tolist() == pytest.approx([2 / 3] * 4)
    assert vc.find_consensus(runs, share=1)["cluster"].tolist() == [-1, -1, -1, -1]


def test_an_image_that_most_runs_leave_over_stays_over(make_runs):
    found = vc.find_consensus(make_runs([0, 0, 0], [0, 0, -1], [0, 0, -1]))
    assert found["cluster"].tolist() == [0, 0, -1]


def test_images_that_are_all_left_over_are_not_together_for_that(make_runs):
    assert vc.find_consensus(make_runs([-1, -1], [-1, -1]))["cluster"].tolist() == [-1, -1]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_clusters_are_together_often_enough_and_no_two_of_them_could_be_one(make_runs, share, monkeypatch):
    monkeypatch.setattr("visclust.clustering.consensus._BLOCK", 7)
    rng = np.random.default_rng(1)
    true = rng.integers(0, 8, 120)
    runs = [np.where(rng.random(120) < 0.3, rng.integers(-1, 8, 120), true) for _ in range(7)]
    found = vc.find_consensus(make_runs(*runs), share=share, min_size=1)["cluster"].to_numpy()
    labels = np.column_stack(runs)
    together = ((labels[:, None] == labels) & (labels[:, None] >= 0)).mean(axis=2)
    marks = found[:, None] == np.arange(found.max() + 1)
    sizes = marks.sum(axis=0)
    sums = marks.T @ together @ marks
    between = sums / np.outer(sizes, sizes)
    np.fill_diagonal(between, 0)
    own = [marks[:, k] @ together.diagonal() for k in range(len(sizes))]
    several = sizes > 1
    within = ((sums.diagonal() - own) / np.maximum(sizes * (sizes - 1), 1))[several]
    # Roundings of float64 beside shares of sevenths.
    assert within.min() >= share - 1e-9
    assert between.max() < share - 1e-9
    assert several.sum() > 1


def test_small_clusters_of_a_consensus_stay_unassigned(make_runs):
    runs = make_runs([0, 0, 0, 1, 1], [0, 0, 0, 1, 1])
    assert vc.find_consensus(runs, min_size=3)["cluster"].tolist() == [0, 0, 0, -1, -1]


def test_a_component_beyond_the_budget_is_an_error_that_says_what_to_do(make_runs):
    runs = make_runs([0] * 50, [0] * 50)
    with pytest.raises(MemoryError, match="method='majority'"):
        vc.find_consensus(runs, memory_budget=1000)
    assert vc.find_consensus(runs, memory_budget=1000, method="majority")["cluster"].eq(0).all()


@pytest.mark.parametrize("options", [{"share": 0}, {"share": 1.1}, {"method": "vote"}, {"min_size": 0}])
def test_a_wrong_setting_of_the_consensus_is_an_error(make_runs, options):
    with pytest.raises(ValueError, match="Expected"):
        vc.find_consensus(make_runs([0, 1], [0, 1]), **options)


def test_a_consensus_on_no_image_is_an_error(make_clusters):
    with pytest.raises(ValueError, match="at least one image"):
        vc.find_consensus({"a": make_clusters([]), "b": make_clusters([])})


def test_many_runs_are_counted_beyond_a_byte(make_clusters):
    runs = {str(i): make_clusters([0, 0, 1] if i < 140 else [0, 1, 1]) for i in range(200)}
    assert vc.find_consensus(runs)["cluster"].tolist() == [0, 0, -1]


# Three runs in which nearly all distances are equal, a sign for each image's cluster: as thirds, average
# linkage of SciPy 1.17 counted images twice here.
TIED = (
    (
        "3114103430100014111111103443400110305031430114000033300011004031010510113100001101151115531431011030111051"
        "113103113141110100143301000100001011410110110100"
    ),
    (
        "0000000001011000100000000000000000010000001000101000011100110000000001000011110010000000000000100000000100"
        "010000000000001001000010100000110100001000001011"
    ),
    "0" * 107 + "2" + "0" * 46,
)


def test_many_equal_distances_do_not_lead_average_linkage_astray(make_runs):
    labels = [[int(sign) for sign in run] for run in TIED]
    together = sum((np.equal.outer(run, run)).astype(int) for run in labels)
    distances = 1 - together[np.triu_indices(len(labels[0]), 1)] / 3
    tree = consensus._link(distances.copy())
    assert tree[-1, 3] == len(labels[0])
    found = vc.find_consensus(make_runs(*labels), share=2 / 3)
    assert found["cluster"].ge(0).mean() > 0.9


def test_three_seeds_get_the_consensus_over_them_and_without_each_of_them(
    make_clusters,
):
    runs = [make_clusters([0, 0, 1, 1]), make_clusters([0, 0, 1, 1]), make_clusters([0, 1, 1, -1])]
    seeds = dict(enumerate(runs))
    grid = vc.add_consensus({"many": seeds, "two": {0: runs[0], 1: runs[1]}, "one": runs[0]}, progress=False)
    assert list(grid) == ["many", "consensus of many", "two", "one"]
    found = grid["consensus of many"]
    alone = vc.find_consensus({str(seed): table for seed, table in seeds.items()}, progress=False)
    pd.testing.assert_frame_equal(found.clusters, alone)
    assert set(found.without) == {0, 1, 2}
    without = vc.find_consensus({"0": runs[0], "1": runs[1]}, progress=False)
    pd.testing.assert_frame_equal(found.without[2], without)
    assert list(vc.add_consensus(grid, progress=False)) == list(grid)  # nothing twice


def test_only_the_configurations_named_get_a_consensus(make_clusters):
    seeds = dict(enumerate([make_clusters([0, 0, 1])] * 3))
    grid = vc.add_consensus({"a": seeds, "b": seeds}, only=["b"], progress=False)
    assert list(grid) == ["a", "b", "consensus of b"]
    with pytest.raises(ValueError, match="names of configurations in only, got 'c'"):
        vc.add_consensus({"a": seeds}, only=["c"])
