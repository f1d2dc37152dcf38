import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import silhouette_score

import visclust as vc
from visclust.clustering.choose_k import _choose_from_curve


def test_k_starts_at_the_step_grows_by_it_and_stays_below_the_sample(blobs):
    x, _ = blobs([4] * 20)
    tried = (
        vc.cluster_iteratively(x, step_size=3, sample_size=10, convergence_window=9).log["k_tried"].iloc[0]
    )
    assert tried == [3, 6, 9]


def test_a_step_of_one_starts_at_two(blobs):
    x, _ = blobs([10, 10])
    assert vc.cluster_iteratively(x, step_size=1, stop_size=5).log["k_tried"].iloc[0][0] == 2


def test_k_stops_growing_when_the_moving_average_does_not_improve(blobs):
    x, _ = blobs([30, 25, 20, 15, 12])
    row = vc.cluster_iteratively(x, step_size=1, convergence_window=2).log.iloc[0]
    averages = row["moving_average"]
    assert np.isnan(averages[0])
    assert averages[1] == pytest.approx(np.mean(row["fit"][:2]))
    assert np.all(np.diff(averages[1:-1]) > 0)
    assert averages[-1] <= averages[-2]
    assert row["k"] == row["k_tried"][-2]


@pytest.mark.parametrize(
    ("fits", "averages", "chosen"),
    [
        ([0.1, 0.2, 0.4, 0.2], [np.nan, 0.15, 0.3, 0.3], 6),  # of equals the smaller K
        ([0.3, 0.2], [np.nan, np.nan], 2),  # no window was filled: the best single fit
        ([], [], None),
    ],
)
def test_the_k_with_the_best_moving_average_is_taken(fits, averages, chosen):
    assert _choose_from_curve([2, 4, 6, 8][: len(fits)], fits, averages) == chosen


def test_the_scan_measures_every_fit(xp, blobs):
    x, _ = blobs([30, 25, 20, 15])
    scan = vc.scan_k(xp(x), ks=[2, 4, 8], progress=False)
    assert scan["k"].tolist() == [2, 4, 8]
    assert scan["inertia"].is_monotonic_decreasing
    assert scan.loc[scan["silhouette"].idxmax(), "k"] == 4
    assert scan.loc[scan["calinski_harabasz"].idxmax(), "k"] == 4


def test_the_scan_agrees_with_scikit_learn(blobs):
    x, groups = blobs([30, 25, 20, 15])  # so clear that every start ends in the groups
    row = vc.scan_k(x, ks=[4], progress=False).iloc[0]
    assert row["silhouette"] == pytest.approx(silhouette_score(x.astype("float64"), groups), abs=1e-5)


@pytest.mark.parametrize("ks", [[1, 5], [5, 90], []])
def test_a_scan_out_of_range_is_an_error(blobs, ks):
    with pytest.raises(ValueError, match="Expected K's \\(ks\\) from 2 to n - 1 = 89"):
        vc.scan_k(blobs([45, 45])[0], ks=ks)


def test_the_knee_is_where_the_curve_bends():
    k = np.arange(10, 110, 10)
    scan = pd.DataFrame({"k": k, "inertia": np.where(k <= 40, 100 - 2 * k, 22 - 0.05 * k)})
    assert vc.suggest_knee(scan) == 40
    with pytest.raises(ValueError, match="at least three"):
        vc.suggest_knee(scan.head(2))


@pytest.mark.parametrize(
    "inertia",
    [
        lambda k: np.full(len(k), 5.0),  # flat
        lambda k: 300.0 - k,  # a line
        lambda k: 1000 / np.sqrt(k),  # ever slower, and nowhere more so than elsewhere
        lambda k: 100 - 15 * np.log(k),
    ],
)
def test_a_curve_that_bends_nowhere_in_particular_has_no_knee(inertia):
    k = np.arange(30, 301, 10)
    assert vc.suggest_knee(pd.DataFrame({"k": k, "inertia": inertia(k)})) is None
