import numpy as np
import pytest
from sklearn.metrics import silhouette_samples as sklearn_silhouettes

import visclust as vc
from visclust.base.backend import explain_gpu, to_device, to_host
from visclust.base.distances import center_rows
from visclust.clustering.silhouettes import average_by_cluster, score_from_sums, sum_by_cluster


def compare(xp, x, labels, **options):
    """Largest difference from scikit-learn, which is given float64."""
    ours = to_host(vc.silhouette_samples(xp(x), xp(labels), **options))
    return np.abs(ours - sklearn_silhouettes(x.astype("float64"), labels)).max()


def test_silhouettes_are_those_of_scikit_learn(xp):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1300, 32)).astype("float32")
    # 1e-5: float32 products are good to about 1e-6 of a distance; means over members are better still.
    assert compare(xp, x, rng.integers(0, 40, 1300)) < 1e-5


def test_double_precision_rows_are_taken_too(xp):
    x = np.random.default_rng(1).normal(size=(80, 5))
    assert compare(xp, x, np.arange(80) % 7) < 1e-5  # as above: distances are float32


def test_tight_clusters_far_apart_keep_their_digits(xp, blobs):
    x, groups = blobs([40, 40, 40], spread=1e-3)
    labels = groups * 2 + np.arange(120) % 2
    # 1e-5: close pairs are measured again in float64, so cancellation costs nothing.
    assert compare(xp, x, labels) < 1e-5


def test_a_large_common_offset_does_no_harm(xp, blobs):
    x, groups = blobs([30, 30, 30], spread=0.5)
    # 1e-3: at an offset of 1e4 float32 input itself is rounded to about 1e-3; both sides see the same input.
    assert compare(xp, x + np.float32(1e4), groups) < 1e-3


@pytest.mark.parametrize("copies", [2, 60])
def test_exact_duplicates_are_at_distance_zero(xp, copies):
    x = np.repeat(np.random.default_rng(2).normal(size=(9, 16)).astype("float32"), copies, axis=0)
    labels = np.repeat(np.arange(9), copies)
    scores = to_host(vc.silhouette_samples(xp(x), xp(labels)))
    assert (scores == 1).all()


def test_duplicates_in_different_clusters_score_as_in_scikit_learn(xp):
    x = np.repeat(np.random.default_rng(3).normal(size=(20, 16)).astype("float32"), 5, axis=0)
    assert compare(xp, x, np.arange(100) % 3) < 1e-3  # the bound; means over near-zero distances


def test_the_only_member_of_a_cluster_scores_zero(xp):
    x = np.array([[0.0], [1.0], [5.0]], dtype="float32")
    assert to_host(vc.silhouette_samples(xp(x), xp([0, 0, 1])))[2] == 0


def test_labels_may_skip_numbers_and_be_negative(xp):
    x = np.random.default_rng(4).normal(size=(30, 3)).astype("float32")
    labels = np.array([-1, 7, 100])[np.arange(30) % 3]
    assert compare(xp, x, labels) < 1e-5


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
def test_one_cluster_or_as_many_as_rows_is_an_error(xp, labels):
    with pytest.raises(ValueError, match="at least 2 clusters and at most n - 1 = 2"):
        vc.silhouette_samples(xp(np.eye(3, dtype="float32")), xp(labels))


def test_labels_of_another_length_are_an_error(xp):
    with pytest.raises(ValueError, match="for each of the 3 rows, got 2"):
        vc.silhouette_samples(xp(np.eye(3, dtype="float32")), xp([0, 1]))


def test_a_small_memory_budget_changes_nothing_but_rounding(xp):
    rng = np.random.default_rng(5)
    x, labels = rng.normal(size=(300, 8)).astype("float32"), rng.integers(0, 5, 300)
    large = to_host(vc.silhouette_samples(xp(x), xp(labels)))
    small = to_host(vc.silhouette_samples(xp(x), xp(labels), memory_budget=20_000))
    np.testing.assert_allclose(small, large, atol=1e-6)  # float32 sums in another order


def test_the_number_of_threads_changes_nothing_at_all(monkeypatch):
    rng = np.random.default_rng(6)
    x, labels = rng.normal(size=(1500, 16)).astype("float32"), rng.integers(0, 9, 1500)
    found = []
    for threads in (1, 2, 4):
        monkeypatch.setattr("visclust.base.distances.count_threads", lambda threads=threads: threads)
        found.append(vc.silhouette_samples(x, labels, memory_budget=2**27))
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_the_arguments_are_left_as_they_are():
    x = np.ones((6, 2), dtype="float32") * np.arange(6, dtype="float32")[:, None]
    labels = np.array([1, 0, 1, 0, 1, 0])
    vc.silhouette_samples(x, labels)
    assert x[3, 0] == 3
    assert labels.tolist() == [1, 0, 1, 0, 1, 0]


def test_sums_by_cluster_are_those_of_the_distance_matrix(xp):
    x = np.random.default_rng(8).normal(size=(50, 4))
    codes = np.arange(50) % 6
    exact = np.sqrt(((x[:, None] - x) ** 2).sum(2)) @ np.eye(6)[codes]
    sums = to_host(sum_by_cluster(center_rows(xp(x)), codes, n_clusters=6))
    np.testing.assert_allclose(sums, exact, rtol=1e-5)  # float32 distances


def test_sums_of_some_rows_are_scored_by_the_sizes_of_whole_clusters():
    sums, codes = np.array([[1.0, 3.0], [1.0, 2.0], [5.0, 0.0]]), np.array([0, 0, 1])
    whole = score_from_sums(sums, codes)
    assert whole.round(3).tolist() == [0.667, 0.5, 0]
    assert score_from_sums(sums[:1], codes[:1], sizes=np.array([2, 1])).tolist() == whole[:1].tolist()


def test_a_value_is_averaged_cluster_by_cluster():
    assert average_by_cluster(np.array([1.0, 2.0, 5.0]), np.array([0, 0, 1]), n_clusters=2).tolist() == [
        1.5,
        5,
    ]


def test_an_unknown_engine_and_cuml_without_a_gpu_are_errors():
    x, labels = np.eye(4, dtype="float32"), np.array([0, 0, 1, 1])
    with pytest.raises(ValueError, match="got 'magic'"):
        vc.silhouette_samples(x, labels, engine="magic")
    with pytest.raises(RuntimeError, match="need a CuPy array"):
        vc.silhouette_samples(x, labels, engine="cuml")


@pytest.mark.gpu
def test_ours_on_a_gpu_and_cumls_kernel_agree():
    if explain_gpu():
        pytest.skip(explain_gpu())
    pytest.importorskip("cuml")
    rng = np.random.default_rng(0)
    x = to_device(rng.normal(size=(3000, 64)).astype("float32"), device="gpu")
    labels = to_device(rng.integers(0, 25, 3000), device="gpu")
    ours, theirs = (to_host(vc.silhouette_samples(x, labels, engine=engine)) for engine in ("blocks", "cuml"))
    # 1e-4: cuML adds up in float32 by atomic additions, in an order that varies.
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
