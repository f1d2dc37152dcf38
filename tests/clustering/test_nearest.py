import numpy as np
import pytest

from visclust.base.backend import to_host
from visclust.clustering.nearest import assign_block


def _assign_plainly(x, centers):
    squares = ((x[:, None].astype("float64") - centers) ** 2).sum(axis=2)
    return squares.argmin(axis=1), squares.min(axis=1)


def test_each_row_goes_to_the_nearest_centre_with_distance_sums_and_counts(xp):
    rng = np.random.default_rng(0)
    x, centers = rng.normal(size=(700, 6)).astype("float32"), rng.normal(size=(9, 6))
    found = assign_block(xp(x), xp(centers))
    labels, squares = _assign_plainly(x, centers)
    assert np.array_equal(to_host(found.labels), labels)
    np.testing.assert_allclose(to_host(found.squares), squares, rtol=1e-12)
    sums = np.stack([x[labels == k].sum(axis=0, dtype="float64") for k in range(9)])
    np.testing.assert_allclose(to_host(found.sums), sums, rtol=1e-12, atol=1e-12)
    assert to_host(found.counts).tolist() == np.bincount(labels, minlength=9).tolist()


def test_a_row_has_the_same_label_whatever_block_it_stands_in():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3000, 64)).astype("float32")
    # Centres in pairs that differ by less than float32 products can tell.
    centers = np.repeat(rng.normal(size=(10, 64)), 2, axis=0)
    centers[1::2] += 1e-6 * rng.normal(size=(10, 64))
    whole = assign_block(x, centers)
    parts = [assign_block(x[i : i + 77], centers) for i in range(0, len(x), 77)]
    assert np.array_equal(whole.labels, np.concatenate([part.labels for part in parts]))
    assert np.array_equal(whole.squares, np.concatenate([part.squares for part in parts]))
    assert np.array_equal(whole.labels, _assign_plainly(x, centers)[0])


def test_of_centres_equally_near_the_first_counts():
    x = np.array([[1.0, 0], [-1, 0], [0, 3]], dtype="float32")
    centers = np.array([[0, 1.0], [0, -1], [0, 1]])
    assert assign_block(x, centers).labels.tolist() == [0, 0, 0]


def test_a_centre_very_far_away_does_not_blur_the_near_ones():
    x = np.array([[0.1], [0.2], [5e6]], dtype="float32")
    assert assign_block(x, np.array([[0.0], [0.3], [5e6]])).labels.tolist() == [0, 1, 2]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_of_both_types_are_taken_and_left_as_they_are(dtype):
    x = np.arange(6, dtype=dtype).reshape(3, 2)
    before = x.copy()
    assert assign_block(x, np.array([[0, 1.0], [4, 5]])).counts.sum() == 3
    assert np.array_equal(x, before)
