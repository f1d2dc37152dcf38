"""Clusters of shards: those of one machine, the same for any workers, and kept when a run is killed."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

import visclust as vc
from visclust.scale import sharded_clusters
from visclust.scale.executors import Executor
from visclust.scale.row_files import find_row_files, open_rows
from visclust.scale.sharded_kmeans import fit_shards

SETTINGS = {"similarity_threshold": 0.1, "sample_size": 150, "progress": False}


def make_themes(n=900, d=8, themes=15, seed=0):
    """Make rows in themes of very different sizes, some of them wide, around a common offset."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, themes + 1)
    theme = rng.choice(themes, n, p=share / share.sum())
    centers = rng.normal(size=(themes, d)) * 2
    return (centers[theme] + rng.normal(size=(n, d)) * 0.5 + 7).astype("float32")


@pytest.fixture(scope="module")
def rows():
    return make_themes()


@pytest.fixture
def corpus(rows, tmp_path):
    return vc.make_shards(rows, tmp_path / "corpus", shard_size=250, progress=False)


@pytest.mark.filterwarnings("ignore:Cluster 0 holds")
@pytest.mark.parametrize("seed", [0, 1])
def test_sharded_and_whole_agree_at_the_same_seed(rows, corpus, seed):
    whole = vc.cluster_iteratively(rows, silhouette="sampled", seed=seed, **SETTINGS)
    sharded = vc.cluster_shards(corpus, silhouette="sampled", seed=seed, **SETTINGS)
    assert adjusted_rand_score(whole.labels, sharded.labels) > 0.999
    assert len(np.unique(whole.labels)) > 10
    assert sharded.log.columns.tolist() == whole.log.columns.tolist()
    same = ["iteration", "k_tried", "k", "clusters", "cohesive", "seed"]
    pd.testing.assert_frame_equal(sharded.log[same], whole.log[same])
    for name in ("fit", "silhouette", "cohesive_silhouette"):
        first, second = (np.hstack(log[name].tolist()) for log in (sharded.log, whole.log))
        np.testing.assert_allclose(first, second, atol=0.002)
    assert sharded.stop_reason == whole.stop_reason
    assert sharded.image_ids == [str(i) for i in range(len(rows))]


@pytest.mark.filterwarnings("ignore:Cluster 0 holds")
def test_adaptive_decisions_over_shards_are_those_of_exact_silhouettes(rows, corpus):
    exact = vc.cluster_iteratively(rows, silhouette="exact", **SETTINGS)
    sharded = vc.cluster_shards(corpus, **SETTINGS)
    assert adjusted_rand_score(exact.labels, sharded.labels) > 0.999
    assert sharded.log["cohesive"].tolist() == exact.log["cohesive"].tolist()
    assert set(sharded.log["decided_by"].sum()) <= {"sampled", "exact"}
    again = vc.cluster_shards(corpus, **SETTINGS)  # from what was kept
    pd.testing.assert_frame_equal(again.log.drop(columns="seconds"), sharded.log.drop(columns="seconds"))


def test_rows_are_read_in_any_order_and_some_more_than_once(rows, corpus):
    opened = open_rows(find_row_files(corpus, Executor()), Executor())
    for numbers in ([0, 0, 2], [5, 899, 3, 3, 250, 249], list(range(240, 260))):
        np.testing.assert_allclose(opened[np.array(numbers)] + opened.origin, rows[numbers], atol=1e-5)


def test_k_means_of_shards_reaches_what_k_means_of_all_rows_reaches(rows, corpus):
    executor = Executor()
    opened = open_rows(find_row_files(corpus, executor), executor)
    everyone = np.arange(len(rows))
    whole = vc.fit_kmeans(rows, 12, seed=3)
    found = fit_shards(opened, everyone, 12, seed=3, start_size=10_000, executor=executor)
    assert found.inertia == pytest.approx(whole.inertia, rel=1e-5)
    assert adjusted_rand_score(found.labels, whole.labels) > 0.999
    # From a start on a sample another optimum comes, as of another seed, and it is as good.
    sampled = fit_shards(opened, everyone, 12, seed=3, start_size=500, executor=executor)
    others = [vc.fit_kmeans(rows, 12, seed=seed).inertia for seed in range(5)]
    assert sampled.inertia < max(others)


def test_the_cut_into_shards_changes_nothing_but_rounding(rows, tmp_path):
    labels = []
    for size in (90, 900):
        corpus = vc.make_shards(rows, tmp_path / str(size), shard_size=size, progress=False)
        labels.append(vc.cluster_shards(corpus, **SETTINGS).labels)
    assert adjusted_rand_score(*labels) > 0.999


def test_the_files_hold_the_clusters_of_each_shard_and_centres_to_assign_by(rows, corpus, capsys):
    result = vc.cluster_shards(corpus, **{**SETTINGS, "progress": True})
    (folder,) = (corpus.folder / "clusterings").iterdir()
    assert str(folder) in capsys.readouterr().out
    table = pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("0*.parquet"))])
    assert table["cluster"].tolist() == result.labels.tolist()
    vc.run_shards(corpus, "assign", centers=folder / "centers.npy", progress=False)
    nearest = vc.read_parts(corpus, "assign", centers=folder / "centers.npy")["cluster"]
    means = [rows[result.labels == cluster].mean(axis=0) for cluster in range(result.labels.max() + 1)]
    np.testing.assert_allclose(np.load(folder / "centers.npy"), means, rtol=1e-5)
    np.testing.assert_array_equal(
        nearest, ((rows[:, None] - np.array(means)) ** 2).sum(axis=2).argmin(axis=1)
    )


def test_a_run_that_was_killed_goes_on_from_its_last_iteration(corpus, monkeypatch):
    search, made = sharded_clusters.search_shards, []

    def count(*args, **kwargs):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(1)
        return search(*args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(sharded_clusters, "search_shards", count)
        with pytest.raises(KeyboardInterrupt):
            vc.cluster_shards(corpus, **SETTINGS)
        made[:] = [0]
        with pytest.raises(KeyboardInterrupt):
            vc.cluster_shards(corpus, **SETTINGS)
    once = vc.cluster_shards(corpus, **SETTINGS)
    with monkeypatch.context() as patched:
        made[:] = [0, 0]
        patched.setattr(sharded_clusters, "search_shards", count)
        again = vc.cluster_shards(corpus, **SETTINGS)  # a rerun searches nothing
    assert again.labels.tolist() == once.labels.tolist()
    pd.testing.assert_frame_equal(again.log.drop(columns="seconds"), once.log.drop(columns="seconds"))


def test_rows_that_are_damaged_or_far_from_the_usual_are_refused(rows, corpus, tmp_path):
    with pytest.raises(ValueError, match="as silhouette, got 'exact'"):
        vc.cluster_shards(corpus, silhouette="exact", progress=False)
    path = corpus.folder / "shards" / "00002.npy"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"1 cannot be used; shard 2: .*00002\.npy is damaged"):
        vc.cluster_shards(corpus, progress=False)
    huge = vc.make_shards(rows[:50].astype("float64") * 1e200, tmp_path / "huge", progress=False)
    with pytest.raises(ValueError, match="Divide all of them"):
        vc.cluster_shards(huge, progress=False)
