import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_samples

import visclust as vc
from visclust.base.progress import WorkBar
from visclust.base.tables import UNASSIGNED
from visclust.clustering import iterative, settings as settings_module
from visclust.clustering.iterative import cluster_workspace
from visclust.clustering.kmeans import fit_kmeans
from visclust.clustering.settings import IterativeSettings
from visclust.clustering.workspace import open_workspace


def cluster(x, **options):
    return vc.cluster_iteratively(x, **{"step_size": 2, "stop_size": 5, **options})


def test_clear_groups_come_out_as_clusters(xp, blobs):
    x, groups = blobs([30, 25, 20, 15, 12])
    result = cluster(xp(x), step_size=1, convergence_window=1)
    assert adjusted_rand_score(groups, result.labels) == 1
    assert result.stop_reason == "0 images remain, which is not above the stop size 5"


def test_the_same_seed_gives_the_same_labels_and_log(blobs):
    x, _ = blobs([30, 20, 10], spread=0.8)
    first, second = cluster(x, seed=4), cluster(x, seed=4)
    assert np.array_equal(first.labels, second.labels)
    pd.testing.assert_frame_equal(first.log.drop(columns="seconds"), second.log.drop(columns="seconds"))


def test_another_seed_draws_another_sample(blobs):
    x, _ = blobs([60, 50, 40], spread=1.5)
    draws = [cluster(x, sample_size=30, seed=seed).log["fit"].iloc[0] for seed in (0, 1)]
    assert draws[0] != draws[1]


def test_labels_are_unique_across_iterations(blobs):
    x, _ = blobs([12] * 12, spread=0.6)
    result = cluster(x, similarity_threshold=0.05)
    assert len(result.log) > 1
    pairs = pd.DataFrame({"cluster": result.labels, "iteration": result.iterations})
    assigned = pairs[pairs["cluster"] != UNASSIGNED]
    assert assigned.groupby("cluster")["iteration"].nunique().eq(1).all()
    assert sorted(assigned["cluster"].unique()) == list(range(assigned["cluster"].nunique()))


def test_only_clusters_strictly_above_the_threshold_come_out(blobs):
    x, _ = blobs([20] * 6, spread=0.7)
    threshold = 0.1
    result = cluster(x, similarity_threshold=threshold)
    means = pd.Series(result.silhouettes).groupby(result.labels).mean().drop(UNASSIGNED, errors="ignore")
    assert len(means) > 0
    assert (means > threshold).all()


@pytest.mark.filterwarnings("ignore:similarity_threshold")
def test_a_cluster_exactly_at_the_threshold_stays():
    # Two pairs at distance 1 and 10 apart in one dimension: all four silhouettes are known.
    x = np.array([[0.0], [1.0], [10.0], [11.0]])
    mean = float(silhouette_samples(x, [0, 0, 1, 1])[:2].mean())
    options = {"step_size": 2, "stop_size": 0, "convergence_window": 1, "max_stall": 0}
    assert (cluster(x, similarity_threshold=mean, **options).labels == UNASSIGNED).all()
    below = float(np.nextafter(mean, 0)) - 1e-9  # a hair below, beyond the rounding of the mean itself
    assert (cluster(x, similarity_threshold=below, **options).labels != UNASSIGNED).all()


def test_an_only_member_never_comes_out_even_under_a_negative_threshold():
    x = np.array([[0.0], [0.1], [0.2], [9.0], [50.0]])
    result = cluster(x, similarity_threshold=-1, stop_size=0, step_size=3, convergence_window=1)
    sizes = pd.Series(result.labels[result.labels != UNASSIGNED]).value_counts()
    assert (sizes > 1).all()


def test_silhouettes_are_those_over_all_that_remained(blobs):
    x, groups = blobs([20, 20, 20, 20])
    result = cluster(x, step_size=4, convergence_window=1)
    assert (result.iterations == 1).all()
    exact = silhouette_samples(x.astype("float64"), groups)
    np.testing.assert_allclose(result.silhouettes, exact, atol=1e-5)  # float32 distances


def test_unassigned_images_have_no_silhouette(blobs):
    x, _ = blobs([20, 20, 3])
    result = cluster(x, step_size=1, convergence_window=1, stop_size=20)
    assert (np.isnan(result.silhouettes) == (result.labels == UNASSIGNED)).all()


def test_no_cohesive_cluster_ends_after_the_allowed_seeds(blobs):
    x = np.random.default_rng(0).normal(size=(60, 40)).astype("float32")
    result = cluster(x, similarity_threshold=0.19, max_stall=2)
    assert (result.labels == UNASSIGNED).all()
    assert len(result.log) == 3
    assert result.log["seed"].nunique() == 3
    assert result.stop_reason.startswith("no cohesive cluster among the 60 images that remain, with 3 seeds")


def test_leftovers_stay_unassigned_and_are_at_most_the_stop_size(blobs):
    x, _ = blobs([30, 30, 3])
    result = cluster(x, step_size=1, convergence_window=1, stop_size=20)
    assert (result.labels == UNASSIGNED).sum() <= 20


def test_the_log_says_what_each_iteration_did(blobs):
    x, _ = blobs([12] * 12, spread=0.6)
    result = cluster(x)
    log = result.log
    assert log["remaining"].iloc[0] == len(x)
    np.testing.assert_array_equal(log["remaining"].diff().iloc[1:], -log["images_out"].iloc[:-1])
    assert log["images_out"].sum() == (result.labels != UNASSIGNED).sum()
    assert log["cohesive"].sum() == len(set(result.labels) - {UNASSIGNED})
    assert (log["k"] <= log["remaining"] - 1).all()
    assert [k in tried for k, tried in zip(log["k"], log["k_tried"], strict=True)] == [True] * len(log)


@pytest.mark.parametrize("n", range(1, 26))
def test_it_ends_on_every_tiny_corpus(n):
    rng = np.random.default_rng(n)
    for x in (
        rng.normal(size=(n, 4)),
        np.ones((n, 4)),
        np.repeat(rng.normal(size=(n, 4)), 3, axis=0)[:n],
        np.vstack([rng.normal(size=(n, 4)), 9 + rng.normal(size=(n, 4))])[:n],
    ):
        for stop_size in (0, 20):
            result = cluster(x, stop_size=stop_size, step_size=5)
            assert result.labels.shape == (n,)
            assert result.stop_reason


def test_identical_images_are_said_to_be_so():
    result = cluster(np.full((30, 3), 0.7, dtype="float32"))
    assert result.stop_reason == "the 30 images that remain cannot be told apart (identical embeddings)"
    assert len(result.log) == 0


def test_a_sample_of_copies_only_is_drawn_again(blobs):
    # 3 of 60 rows are drawn: they are often all alike, though the 60 are not.
    x = np.vstack([np.zeros((54, 2)), np.full((3, 2), 5.0), np.full((3, 2), 9.0)])
    reasons = {
        cluster(x, sample_size=3, step_size=2, seed=seed, convergence_window=1).stop_reason
        for seed in range(5)
    }
    assert not any(reason.startswith("the 60 images") for reason in reasons)


def test_two_far_clusters_are_found_and_then_it_ends(blobs):
    x, groups = blobs([40, 40])
    result = cluster(x, step_size=1, convergence_window=1)
    assert adjusted_rand_score(groups, result.labels) == 1


def test_settings_that_share_a_workspace_find_what_they_find_alone(blobs):
    x, _ = blobs([12] * 12, spread=0.9)
    for budget in (2**30, 10_000):  # distances held, and recomputed in blocks
        shared = open_workspace(x, memory_budget=budget)
        for threshold in (0.0, 0.05, 0.1):
            settings = IterativeSettings(step_size=2, stop_size=5, similarity_threshold=threshold)
            together = cluster_workspace(shared, settings=settings, seed=0)
            alone = cluster(x, similarity_threshold=threshold, memory_budget=budget)
            assert np.array_equal(together.labels, alone.labels)
            assert np.array_equal(together.silhouettes, alone.silhouettes, equal_nan=True)


def test_the_first_iteration_is_computed_once_for_all_thresholds(blobs, monkeypatch):
    x, _ = blobs([12] * 12, spread=0.9)
    shared = open_workspace(x)
    sizes = []
    for threshold in (0.0, 0.05):
        settings = IterativeSettings(step_size=2, similarity_threshold=threshold)
        log = cluster_workspace(shared, settings=settings, seed=0).log
        sizes.append((len(log), len(shared.results)))
    (first_log, first_results), (second_log, all_results) = sizes
    assert first_results == 2 * first_log  # clusters, and their scores
    assert all_results < 2 * (first_log + second_log)


def test_the_input_is_left_as_it_is(blobs):
    x, _ = blobs([20, 20])
    before = x.copy()
    cluster(x)
    assert np.array_equal(x, before)


def test_the_provenance_names_settings_seed_input_and_device(blobs):
    x, _ = blobs([10, 10])
    made = cluster(x, seed=7).provenance
    assert made["seed"] == 7
    assert made["parameters"]["similarity_threshold"] == 0.03
    assert made["inputs"]["x"] != cluster(x + 1, seed=7).provenance["inputs"]["x"]
    assert made["device"] == "cpu"


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (3.0, TypeError, "Expected x as an array"),
        (np.ones((3, 2), dtype="bool"), TypeError, "float32 or float64, got bool"),
        (np.ones(3), ValueError, "got \\(3,\\)"),
        (np.ones((0, 4)), ValueError, "got \\(0, 4\\)"),
        (np.array([[0.0], [np.nan], [np.inf]]), ValueError, "2 of 3 rows .*rows 1, 2"),
    ],
)
def test_a_wrong_embedding_is_an_error_before_any_work(x, error, message):
    with pytest.raises(error, match=message):
        vc.cluster_iteratively(x)


def test_the_bar_ends_full_though_images_stay_unassigned(blobs, monkeypatch):
    bars = []
    finish = WorkBar.finish
    monkeypatch.setattr(WorkBar, "finish", lambda bar: (finish(bar), bars.append((bar.n, bar.total))))
    noise = np.random.default_rng(0).normal(size=(30, 8), scale=9).astype("float32")
    with pytest.warns(UserWarning, match="Cluster 0 holds 48 of 70 images"):
        result = cluster(np.concatenate([blobs([20, 20])[0], noise]), similarity_threshold=0.5)
    assigned = int((result.labels >= 0).sum())
    assert 0 < assigned < 70
    assert bars[-1] == (assigned, assigned)


def test_a_bar_moves_while_the_first_k_is_chosen_and_the_silhouettes_are_computed(blobs, monkeypatch):
    moved = []
    update = WorkBar.update
    monkeypatch.setattr(WorkBar, "update", lambda bar, n=1: (moved.append(bar.desc), update(bar, n)))
    cluster(blobs([40, 40, 40])[0], progress=True, memory_budget=0)
    first = moved.index("Clustering")
    assert moved[:first].count("Choosing K") >= 3
    assert "Silhouettes" in moved[:first]


def test_adaptive_decisions_give_the_labels_of_exact_ones(xp, blobs):
    x, _ = blobs([60, 50, 40, 30, 20, 15, 10, 8], spread=0.9)
    options = {"similarity_threshold": 0.05, "memory_budget": 0}
    exact = cluster(x, silhouette="exact", **options)
    result = cluster(xp(x), silhouette="adaptive", **options)
    assert np.array_equal(result.labels, exact.labels)
    assert result.provenance["parameters"]["silhouette"] == "adaptive"
    first, was = result.log.iloc[0], exact.log.iloc[0]
    assert len(first["means"]) == first["clusters"] == len(first["decided_by"])
    np.testing.assert_allclose(first["silhouette"], was["silhouette"], atol=0.1)  # of sampled images
    assert np.isnan(was["distances"]) and was["means"] == []


def test_adaptive_decisions_are_made_for_each_threshold_on_the_same_clusters(blobs, monkeypatch):
    x, _ = blobs([40] * 8, spread=0.9)
    fits = []
    monkeypatch.setattr(iterative, "fit_kmeans", lambda *a, **k: fits.append(1) or fit_kmeans(*a, **k))
    shared = open_workspace(x, hold=False)
    assert shared.distances is None
    for threshold in (0.0, 0.1):
        settings = IterativeSettings(
            step_size=2, stop_size=5, similarity_threshold=threshold, silhouette="adaptive"
        )
        before = len(fits)
        together = cluster_workspace(shared, settings=settings, seed=0)
        alone = cluster(x, similarity_threshold=threshold, silhouette="adaptive")
        assert np.array_equal(together.labels, alone.labels)
    assert len(fits) - before < 2 * len(alone.log)  # the first iteration was there


def test_from_a_size_on_sampled_silhouettes_decide_and_it_is_said(blobs, monkeypatch, capsys):
    x, _ = blobs([40, 30, 20])
    assert cluster(x).provenance["parameters"]["silhouette"] == "exact"
    assert "adaptive" not in capsys.readouterr().out
    monkeypatch.setattr(settings_module, "ADAPTIVE_ABOVE", 80)
    result = cluster(x, risk=0.01)
    assert result.provenance["parameters"]["silhouette"] == "adaptive"
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "0.01 at most" in said and 'silhouette="exact"' in said
    assert cluster(x, silhouette="exact").provenance["parameters"]["silhouette"] == "exact"
