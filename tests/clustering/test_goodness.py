import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, calinski_harabasz_score, silhouette_samples

import visclust as vc


@pytest.mark.parametrize("measure", ["silhouette", "macro_silhouette", "calinski_harabasz"])
def test_every_goodness_of_fit_can_choose_k(xp, blobs, measure):
    x, groups = blobs([20, 20, 20, 20])
    result = vc.cluster_iteratively(
        xp(x), step_size=4, convergence_window=1, stop_size=5, goodness_of_fit=measure
    )
    assert adjusted_rand_score(groups, result.labels) > 0.5


def test_the_measures_are_those_of_scikit_learn(blobs):
    x, groups = blobs([20, 15, 10], spread=0.7)
    x = x.astype("float64")
    sums = np.sqrt(((x[:, None] - x) ** 2).sum(2)) @ np.eye(3)[groups]
    scores = silhouette_samples(x, groups)
    within = sum(((x[groups == k] - x[groups == k].mean(0)) ** 2).sum() for k in range(3))
    expected = {
        "silhouette": scores.mean(),
        "macro_silhouette": np.mean([scores[groups == k].mean() for k in range(3)]),
        "calinski_harabasz": calinski_harabasz_score(x, groups),
        "inertia": -np.log(within),  # a difference is a relative improvement
    }
    for name, value in expected.items():
        assert vc.measure_goodness(x, groups, sums=sums, name=name) == pytest.approx(value, rel=1e-9)


def test_an_unknown_measure_is_an_error():
    with pytest.raises(ValueError, match="as name, got 'elbow'"):
        vc.measure_goodness(np.eye(2), np.arange(2), sums=np.eye(2), name="elbow")


def test_inertia_ends_the_climb_when_it_gains_less_than_one_percent(blobs):
    # 400 dimensions: splitting a round group in two hardly lowers its sum of squares.
    x, _ = blobs([20] * 5, d=400, spread=1.0)
    options = {"step_size": 1, "convergence_window": 1, "stop_size": 99, "max_stall": 0}  # one iteration
    row = vc.cluster_iteratively(x, **options, goodness_of_fit="inertia").log.iloc[0]
    gains = np.diff(row["fit"])
    assert (gains[:-1] > 0.01).all()
    assert gains[-1] <= 0.01
    assert row["k"] < 20
