import numpy as np
import pytest
from sklearn.cluster import KMeans

from visclust.base.backend import to_host
from visclust.clustering.kmeans import _iterate_lloyd


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
