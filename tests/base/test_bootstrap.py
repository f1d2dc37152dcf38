"""The bootstrap of sums: what each resample holds, and intervals where some replicates are undefined."""

import warnings

import numpy as np
import pytest

from visclust.base.bootstrap import find_interval, resample_sums


def test_a_resample_has_as_many_rows_as_the_data():
    assert resample_sums(np.ones((5, 1)), n_bootstrap=3).tolist() == [[5.0], [5.0], [5.0]]


def test_all_sums_of_a_resample_rest_on_the_same_rows():
    values = np.random.default_rng(0).integers(0, 5, size=(20, 1)).astype(float)
    sums = resample_sums(np.hstack([values, 2 * values]), n_bootstrap=50)
    assert np.array_equal(sums[:, 1], 2 * sums[:, 0])
    assert len(np.unique(sums[:, 0])) > 10


def test_every_resample_has_as_many_rows_of_each_stratum_as_the_data():
    strata = np.repeat(["a", "b"], [3, 7])
    inside = np.column_stack([strata == "a", strata == "b"]).astype(float)
    assert np.unique(resample_sums(inside, n_bootstrap=20, strata=strata), axis=0).tolist() == [[3.0, 7.0]]


def test_resamples_in_blocks_are_those_of_one_block(monkeypatch):
    values = np.arange(6.0)[:, None]
    whole = resample_sums(values, n_bootstrap=40, seed=2)
    monkeypatch.setattr("visclust.base.bootstrap._LARGEST_BLOCK", 13)
    assert np.array_equal(resample_sums(values, n_bootstrap=40, seed=2), whole)
    assert not np.array_equal(resample_sums(values, n_bootstrap=40, seed=3), whole)


def test_the_spread_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(1).normal(size=(400, 1))
    means = resample_sums(values, n_bootstrap=4000)[:, 0] / 400
    assert means.std() == pytest.approx(values.std() / 20, rel=0.05)


@pytest.mark.parametrize(("shape", "n_bootstrap"), [((0, 1), 5), ((3,), 5), ((3, 1), 0)])
def test_nothing_to_resample_is_an_error(shape, n_bootstrap):
    with pytest.raises(ValueError, match=f"n_bootstrap={n_bootstrap}"):
        resample_sums(np.zeros(shape), n_bootstrap=n_bootstrap)


def test_an_interval_leaves_out_what_is_undefined_and_is_undefined_where_all_is():
    low, high = find_interval(np.arange(101.0), level=0.9)
    assert (low, high) == pytest.approx((5, 95))
    replicates = np.column_stack([[*np.arange(101.0), np.nan], np.full(102, np.nan)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        low, high = find_interval(replicates, level=0.9)
    assert low == pytest.approx([5, np.nan], nan_ok=True)
    assert high == pytest.approx([95, np.nan], nan_ok=True)
    with pytest.raises(ValueError, match="got 95"):
        find_interval(np.zeros(3), level=95)
