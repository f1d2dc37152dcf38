import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

import visclust as vc
from visclust.base.backend import explain_gpu, to_device, to_host
from visclust.clustering.kmeans import _choose_start, _iterate_lloyd


def test_clear_groups_are_found(xp, blobs):
    x, groups = blobs([30, 20, 10])
    fit = vc.fit_kmeans(xp(x), 3, seed=0)
    assert adjusted_rand_score(groups, to_host(fit.labels)) == 1
    assert fit.centers.shape == (3, 8)


def test_the_fit_is_as_good_as_scikit_learns(xp):
    x = np.random.default_rng(0).normal(size=(600, 16)).astype("float32")
    ours = np.median([vc.fit_kmeans(xp(x), 12, seed=seed).inertia for seed in range(9)])
    theirs = np.median([KMeans(12, n_init=1, random_state=seed).fit(x).inertia_ for seed in range(9)])
    # 2%: local optima of structureless data differ by about 1% between starts; a bad start by far more.
    assert ours == pytest.approx(theirs, rel=0.02)


def test_inertia_is_the_sum_of_squares_to_the_own_centre(xp, blobs):
    x, _ = blobs([15, 15])
    fit = vc.fit_kmeans(xp(x), 4, seed=1)
    labels, centers = to_host(fit.labels), to_host(fit.centers)
    assert fit.inertia == pytest.approx(((x - centers[labels]) ** 2).sum(), rel=1e-3)  # float32 sums


def test_the_same_seed_gives_the_same_labels_bit_for_bit_on_a_cpu():
    x = np.random.default_rng(1).normal(size=(500, 8)).astype("float32")
    first, second = (vc.fit_kmeans(x, 9, seed=3) for _ in range(2))
    assert np.array_equal(first.labels, second.labels)
    assert np.array_equal(first.centers, second.centers)


def test_another_seed_gives_another_start():
    x = np.random.default_rng(1).normal(size=(500, 8)).astype("float32")
    assert vc.fit_kmeans(x, 9, seed=3).inertia != vc.fit_kmeans(x, 9, seed=4).inertia


def test_more_starts_are_really_run_and_the_best_is_kept(xp):
    x = np.random.default_rng(2).normal(size=(300, 4)).astype("float32")
    rng = np.random.default_rng(5)
    singles = []
    for _ in range(6):  # the same draws, one start at a time
        start = _choose_start(x, 15, rng=rng)
        singles.append(KMeans(15, init=x[start], n_init=1).fit(x).inertia_)
    several = vc.fit_kmeans(xp(x), 15, seed=5, n_init=6).inertia
    assert several == pytest.approx(min(singles), rel=1e-3)  # float32 sums; Lloyd's tolerance on a GPU
    assert min(singles) < singles[0] * 0.999


def test_more_clusters_than_distinct_rows_end_with_fewer_clusters(xp):
    x = np.repeat(np.array([[0.0, 1], [5, 5], [9, 0]], dtype="float32"), 4, axis=0)
    fit = vc.fit_kmeans(xp(x), 7, seed=0)
    assert len(fit.centers) == 3
    assert sorted(np.unique(to_host(fit.labels))) == [0, 1, 2]


def test_identical_rows_are_one_cluster(xp):
    fit = vc.fit_kmeans(xp(np.full((10, 3), 2.5, dtype="float32")), 4, seed=0)
    assert to_host(fit.labels).tolist() == [0] * 10


def test_a_large_offset_does_not_hide_the_groups(xp, blobs):
    x, groups = blobs([20, 20, 20])
    fit = vc.fit_kmeans(xp(x + np.float32(1e4)), 3, seed=0)
    assert adjusted_rand_score(groups, to_host(fit.labels)) == 1


@pytest.mark.parametrize("n_clusters", [0, 11])
def test_a_number_of_clusters_outside_1_to_n_is_an_error(xp, n_clusters):
    with pytest.raises(ValueError, match=f"(at least 1|n = 10 clusters), got {n_clusters}"):
        vc.fit_kmeans(xp(np.zeros((10, 2), dtype="float32")), n_clusters, seed=0)


def test_no_start_at_all_is_an_error():
    with pytest.raises(ValueError, match="n_init to be a whole number of at least 1"):
        vc.fit_kmeans(np.zeros((10, 2)), 2, seed=0, n_init=0)


@pytest.mark.parametrize("seed", range(4))
def test_from_the_same_start_the_labels_are_those_of_scikit_learn(xp, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(400, 6))
    start = x[rng.choice(400, 8, replace=False)]
    labels, centers, inertia = _iterate_lloyd(xp(x), xp(start), max_iter=300)
    model = KMeans(8, init=start, n_init=1, max_iter=300).fit(x)
    assert np.array_equal(to_host(labels), model.labels_)
    np.testing.assert_allclose(to_host(centers), model.cluster_centers_, atol=1e-10)  # float64 on both sides
    assert inertia == pytest.approx(model.inertia_, rel=1e-10)


def test_centres_are_the_means_of_their_members_after_many_changes(xp):
    x = np.random.default_rng(0).normal(size=(2000, 4)).astype("float32")
    labels, centers, _ = (to_host(part) for part in _iterate_lloyd(xp(x), xp(x[:20]), max_iter=300))
    means = np.stack([x[labels == k].mean(axis=0, dtype="float64") for k in range(20)])
    # 0.01: it stops when the centres together move less than 1e-4 of the variance, so within 0.01 of each.
    np.testing.assert_allclose(centers, means, atol=0.01)


def test_iterations_end_at_the_limit(xp):
    x = np.random.default_rng(1).normal(size=(500, 3))
    short = _iterate_lloyd(xp(x), xp(x[:10]), max_iter=1)[2]
    assert short > _iterate_lloyd(xp(x), xp(x[:10]), max_iter=100)[2]


def test_a_cluster_that_lost_its_members_takes_over_the_farthest_row(xp):
    x = np.array([[0.0], [0.1], [0.2], [50.0]])
    # The third centre is nearest to no row.
    labels = to_host(_iterate_lloyd(xp(x), xp([[0.1], [40.0], [1000.0]]), max_iter=50)[0])
    assert len(set(labels.tolist())) == 3


def test_a_row_alone_in_its_cluster_is_not_taken_over(xp):
    x = np.array([[0.0], [1.0], [100.0]])
    labels = to_host(_iterate_lloyd(xp(x), xp([[0.4], [90.0], [1e6]]), max_iter=50)[0])
    assert sorted(labels.tolist()) == [0, 1, 2]


@pytest.mark.gpu
def test_k_means_on_a_gpu_is_as_good_as_on_the_cpu(blobs):
    if explain_gpu():
        pytest.skip(explain_gpu())
    x, _ = blobs([200, 150, 100], d=32, spread=0.3)
    there, here = (vc.fit_kmeans(to_device(x, device=d), 3, seed=0) for d in ("gpu", "cpu"))
    assert adjusted_rand_score(to_host(there.labels), here.labels) == 1  # the groups are clear
    assert there.inertia == pytest.approx(here.inertia, rel=1e-3)  # float32 sums, another order
