import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import silhouette_samples as sklearn_silhouettes

import visclust as vc
from visclust.clustering import silhouette_kinds
from visclust.clustering.silhouette_kinds import announce_cost, announce_iteration


@pytest.fixture
def labelled():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), [120, 80, 60, 40, 20, 1])
    return (rng.normal(size=(6, 10))[labels] + rng.normal(size=(321, 10))).astype("float32"), labels


def test_exact_scores_are_the_means_of_scikit_learns(xp, labelled):
    x, labels = labelled
    scores = vc.score_clusters(xp(x), xp(labels))
    exact = pd.Series(sklearn_silhouettes(x.astype("float64"), labels)).groupby(labels).mean()
    np.testing.assert_allclose(scores["silhouette"], exact, atol=1e-5)  # float32 distances
    assert (scores["standard_error"] == 0).all()


def test_squared_silhouettes_are_exact_for_the_squared_metric(xp, labelled):
    x, labels = labelled
    scores = vc.score_clusters(xp(x), xp(labels), silhouette="squared")
    squared = ((x[:, None].astype("float64") - x) ** 2).sum(2)
    exact = pd.Series(sklearn_silhouettes(squared, labels, metric="precomputed")).groupby(labels).mean()
    np.testing.assert_allclose(scores["silhouette"], exact, atol=1e-5)  # float32 products
    assert not np.allclose(exact, vc.score_clusters(x, labels)["silhouette"], atol=0.01)


def test_simplified_silhouettes_compare_centres(xp, labelled):
    x, labels = labelled
    centers = np.stack([x[labels == k].mean(0) for k in range(6)])
    distances = np.sqrt(((x[:, None] - centers) ** 2).sum(2))
    a = distances[np.arange(321), labels]
    distances[np.arange(321), labels] = np.inf
    b = distances.min(1)
    expected = pd.Series((b - a) / np.maximum(a, b)).groupby(labels).mean()
    expected[5] = 0  # the only member of its cluster
    scores = vc.score_clusters(xp(x), xp(labels), silhouette="simplified")
    np.testing.assert_allclose(scores["silhouette"], expected, atol=1e-5)  # float32 products


def test_sampled_scores_with_every_image_drawn_are_exact(xp, labelled):
    x, labels = labelled
    sampled = vc.score_clusters(xp(x), xp(labels), silhouette="sampled", per_cluster=500)
    np.testing.assert_allclose(sampled["silhouette"], vc.score_clusters(x, labels)["silhouette"], atol=1e-6)
    assert (sampled["standard_error"] == 0).all()
    assert (sampled["drawn"] == sampled["size"]).all()


@pytest.mark.slow
def test_sampled_scores_are_unbiased_and_their_standard_error_is_honest(labelled):
    x, labels = labelled
    exact = vc.score_clusters(x, labels)
    runs = [
        vc.score_clusters(x, labels, silhouette="sampled", per_cluster=10, seed=seed) for seed in range(300)
    ]
    means = np.stack([run["silhouette"] for run in runs])[:, :5]
    errors = np.stack([run["standard_error"] for run in runs])[:, :5]
    spread = means.std(0, ddof=1)
    # Four standard errors of a mean over 300 draws.
    assert np.all(np.abs(means.mean(0) - exact["silhouette"][:5]) < 4 * spread / np.sqrt(300))
    # A standard deviation from 300 draws is known to 1 / sqrt(2 * 299) = 4%; four of these.
    np.testing.assert_allclose(np.sqrt((errors**2).mean(0)), spread, rtol=0.16)


def test_sampled_scores_draw_the_same_images_with_the_same_seed(labelled):
    x, labels = labelled
    first, second = (
        vc.score_clusters(x, labels, silhouette="sampled", per_cluster=5, seed=3) for _ in range(2)
    )
    pd.testing.assert_frame_equal(first, second)
    assert first["drawn"].tolist() == [5, 5, 5, 5, 5, 1]


def test_an_unknown_kind_is_an_error(labelled):
    with pytest.raises(ValueError, match="got 'fast'"):
        vc.score_clusters(*labelled, silhouette="fast")
    with pytest.raises(ValueError, match="silhouette, got 'fast'"):
        vc.cluster_iteratively(labelled[0], silhouette="fast")


@pytest.mark.parametrize("kind", ["sampled", "simplified", "squared"])
def test_iterative_clustering_can_use_another_kind_and_says_so(xp, blobs, kind):
    x, _ = blobs([30, 25, 20])
    result = vc.cluster_iteratively(xp(x), step_size=1, convergence_window=1, stop_size=5, silhouette=kind)
    assert result.labels.max() >= 2
    assert result.provenance["parameters"]["silhouette"] == kind


def test_long_work_is_announced_with_what_the_others_cost(monkeypatch, capsys):
    announce_cost(np.zeros((10, 2), dtype="float32"))
    assert capsys.readouterr().out == ""
    seconds = {"exact": 600.0, "sampled": 20.0, "simplified": 3.0, "squared": 4.0}
    monkeypatch.setattr(silhouette_kinds, "_estimate_seconds", lambda _: seconds)
    announce_cost(np.zeros((10, 2), dtype="float32"))
    said = capsys.readouterr().out
    assert "about 10 minutes" in said
    assert "about 0.1 GB beside the embedding" in said
    assert "sampled 20 s, simplified 3 s, squared 4 s" in said


def test_a_long_first_iteration_is_announced_whatever_decides(monkeypatch, capsys):
    x = np.zeros((30_000, 2), dtype="float32")
    seconds = {"k-means": 200.0, "adaptive": 40.0, "sampled": 3.0}
    monkeypatch.setattr(silhouette_kinds, "_estimate_seconds", lambda _: seconds)
    announce_iteration(x, silhouette="adaptive")
    assert "over 30,000 images takes about 4 minutes" in capsys.readouterr().out
    announce_iteration(x[:100], silhouette="adaptive")
    seconds["k-means"] = 1.0
    announce_iteration(x, silhouette="sampled")
    assert capsys.readouterr().out == ""
