import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, homogeneity_score

import visclust as vc
from visclust.base import distances
from visclust.base.row_views import view_rows
from visclust.clustering import growing, kmeans, workspace
from visclust.clustering.growing import draw_nested_samples, fit_on_samples
from visclust.clustering.nearest import assign_block


@pytest.fixture
def many(monkeypatch):
    """Let a few thousand rows count as many."""
    monkeypatch.setattr(kmeans, "MANY_ROWS", 2_000)
    monkeypatch.setattr(workspace, "MANY_ROWS", 2_000)
    monkeypatch.setattr(growing, "_LEAST", 500)
    monkeypatch.setattr(growing, "_LEAST_PER_CLUSTER", 20)
    monkeypatch.setattr(growing, "_BLOCK", 1_000)


def _make_themes(n, d, themes, seed=0):
    rng = np.random.default_rng(seed)
    groups = rng.integers(themes, size=n)
    x = 3 * rng.normal(size=(themes, d))[groups] + rng.normal(size=(n, d))
    return x.astype("float32"), groups


def test_clear_groups_among_many_rows_are_found(many):
    x, groups = _make_themes(6_000, 8, 5)
    fit = vc.fit_kmeans(x + np.float32(1000), 5, seed=0)
    assert adjusted_rand_score(groups, fit.labels) > 0.99
    means = np.stack([x[fit.labels == k].mean(axis=0) + 1000 for k in range(5)])
    np.testing.assert_allclose(fit.centers, means, atol=0.01)


def test_every_row_is_at_its_nearest_centre_and_inertia_is_the_sum_of_squares(many):
    # Groups that overlap: bounds must hold through many iterations.
    rng = np.random.default_rng(1)
    x = rng.normal(size=(6_000, 5)).astype("float32")
    rows = view_rows(x)
    fit = fit_on_samples(rows, x[:30], draw_nested_samples(len(x), 30, rng=rng))
    found = assign_block(rows[:], fit.centers)
    assert np.array_equal(found.labels, fit.labels)
    assert fit.inertia == pytest.approx(found.squares.sum(), rel=1e-6)  # lengths in float32
    assert fit.passes > 3


def test_without_samples_it_takes_lloyds_steps():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(3_000, 6)).astype("float32")
    rows = view_rows(x)
    centers = rows[:20].astype("float64")
    fit = fit_on_samples(rows, centers, [np.arange(len(x))], max_iter=12)
    for _ in range(fit.passes):
        found = assign_block(rows[:], centers)
        centers = found.sums / found.counts[:, None]
    assert fit.passes == 12
    assert fit.inertia == pytest.approx(found.squares.sum(), rel=1e-6)
    # The last pass moves no centre: labels and inertia belong to the centres that are returned.
    assert np.array_equal(assign_block(rows[:], fit.centers).labels, fit.labels)


def test_it_ends_about_as_low_as_lloyd_from_the_same_start(many):
    x, _ = _make_themes(8_000, 16, 40)
    rows, ratios = view_rows(x), []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        start = rows[rng.choice(len(x), 20, replace=False)]
        grown = fit_on_samples(rows, start, draw_nested_samples(len(x), 20, rng=rng))
        ratios.append(grown.inertia / fit_on_samples(rows, start, [np.arange(len(x))]).inertia)
    # 5%: from random rows both end in local optima, which here differ by some percent in either direction.
    assert np.median(ratios) < 1.05


def test_the_same_seed_gives_the_same_labels_for_any_number_of_threads(many, monkeypatch):
    x = np.random.default_rng(0).normal(size=(6_000, 24)).astype("float32")
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(distances, "count_threads", lambda threads=threads: threads)
        found.append(vc.fit_kmeans(x, 30, seed=1))
    assert np.array_equal(found[0].labels, found[1].labels)
    assert np.array_equal(found[0].centers, found[1].centers)
    assert found[0].inertia == found[1].inertia


def test_a_file_mapped_into_memory_gives_the_same_labels(many, tmp_path):
    x, _ = _make_themes(4_000, 8, 6)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.array_equal(vc.fit_kmeans(mapped, 6, seed=0).labels, vc.fit_kmeans(x, 6, seed=0).labels)


def test_fewer_distinct_rows_than_clusters_end_with_fewer_clusters(many):
    x = np.repeat(np.array([[0.0, 1], [5, 5], [9, 0]], dtype="float32"), 1000, axis=0)
    fit = vc.fit_kmeans(x, 7, seed=0)
    assert len(fit.centers) == 3
    assert fit.inertia == pytest.approx(0, abs=1e-3)


def test_rare_rows_that_no_sample_holds_get_the_clusters_that_are_left(many):
    x = np.zeros((4_000, 2), dtype="float32")
    x[1234], x[2345] = [50, 0], [0, 80]
    fit = vc.fit_kmeans(x, 3, seed=3)
    assert len(fit.centers) == 3
    assert np.bincount(fit.labels).tolist().count(1) == 2


def test_below_the_number_that_counts_as_many_nothing_changes(monkeypatch):
    x, _ = _make_themes(1_500, 8, 6)
    before = vc.fit_kmeans(x, 6, seed=0)
    monkeypatch.setattr(kmeans, "fit_growing", lambda *_, **__: pytest.fail("not many"))
    assert np.array_equal(before.labels, vc.fit_kmeans(x, 6, seed=0).labels)


def test_huge_and_tiny_numbers_are_clustered_alike(many):
    x, _ = _make_themes(4_000, 8, 6)
    fit = vc.fit_kmeans(x.astype("float64") * 1e200, 6, seed=0)
    other = vc.fit_kmeans(x.astype("float64") * 1e-200, 6, seed=0)
    assert adjusted_rand_score(fit.labels, other.labels) > 0.99
    assert np.isfinite(fit.centers).all()


@pytest.mark.parametrize("silhouette", ["exact", "adaptive", "sampled"])
def test_a_mapped_file_of_many_rows_is_clustered_iteratively_without_a_copy(many, tmp_path, silhouette):
    x, groups = _make_themes(3_000, 8, 6)
    np.save(tmp_path / "x.npy", x + np.float32(100))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    opened = workspace.open_workspace(mapped, memory_budget=2**20)
    assert np.shares_memory(opened.rows._x, mapped)
    options = {"silhouette": silhouette, "sample_size": 100, "memory_budget": 2**20, "progress": False}
    labels = vc.cluster_iteratively(mapped, **options).labels
    assert np.array_equal(labels, vc.cluster_iteratively(np.array(mapped), **options).labels)
    assert (labels >= 0).mean() > 0.9
    assert (
        homogeneity_score(groups[labels >= 0], labels[labels >= 0]) > 0.95
    )  # parts of themes are no mixtures
