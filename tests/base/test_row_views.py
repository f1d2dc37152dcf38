import numpy as np

from visclust.base.distances import center_rows
from visclust.base.row_views import RowView, view_rows


def test_a_view_gives_the_rows_that_centring_gives():
    x = np.random.default_rng(0).normal(5, 2, size=(300, 4)).astype("float32")
    view = view_rows(x)
    assert (view.shape, len(view)) == ((300, 4), 300)
    for part in (slice(None), slice(7, 30), np.array([4, 4, 299]), np.arange(300) % 2 == 0):
        np.testing.assert_allclose(view[part], center_rows(x)[part], atol=1e-6)
        assert view[part].dtype == np.float32


def test_reading_a_view_leaves_the_matrix_as_it_was():
    x = 100 + np.arange(12, dtype="float32").reshape(6, 2)
    before = x.copy()
    view = view_rows(x)
    assert view.origin is not None
    assert abs(view[:].mean()) < 1
    assert abs(view.select(np.array([2, 3]))[:].mean()) < 1
    assert np.array_equal(x, before)


def test_rows_around_the_origin_are_read_as_they_are():
    x = np.random.default_rng(0).normal(size=(300, 4)).astype("float32")
    assert np.shares_memory(view_rows(x)[10:20], x)


def test_rows_selected_twice_are_those_of_the_numbers_of_the_numbers(monkeypatch):
    x = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")
    view = RowView(x, np.float32([1, 2, 3]))
    for held in (0, 2**20):
        monkeypatch.setattr("visclust.base.row_views._HELD", held)
        some = view.select(np.arange(10, 40)).select(np.array([0, 29]))
        np.testing.assert_array_equal(some[:], x[[10, 39]] - np.float32([1, 2, 3]))


def test_groups_that_float32_would_join_have_no_view():
    near = 1e-9 * np.random.default_rng(0).normal(size=(200, 2))
    assert view_rows(np.concatenate([near - 1, near + 1])) is None
