from itertools import product

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples

from visclust.clustering.bets import STAKES, pool_winnings
from visclust.clustering.silhouette_brackets import (
    ClusterShapes,
    Controls,
    bracket_scores,
    control_means,
    find_controls,
)


def describe(x, codes):
    centers = np.stack([x[codes == k].mean(0) for k in range(codes.max() + 1)])
    away = ((x - centers[codes]) ** 2).sum(1)
    squares = np.bincount(codes, weights=away) / np.bincount(codes)
    reach = np.array([away[codes == k].max() ** 0.5 for k in range(codes.max() + 1)])
    return ClusterShapes(np.bincount(codes), centers, squares, reach)


@pytest.fixture(params=["near", "apart", "with a far row", "with copies"])
def three_clusters(request):
    rng = np.random.default_rng(1)
    codes = np.repeat([0, 1, 2], 3)
    x = rng.normal(size=(9, 2)) + codes[:, None] * {"apart": 3}.get(request.param, 0.2)
    if request.param == "with a far row":
        x[2] = 30
    if request.param == "with copies":
        x[3:5] = x[0]
    return x, codes


def test_the_controlled_distances_keep_their_mean_and_stay_within_their_limits(three_clusters):
    x, codes = three_clusters
    controls = find_controls(x, describe(x, codes))
    distances = np.sqrt(((x[:, None] - x) ** 2).sum(2))
    for k in range(3):
        here = distances[:, codes == k]
        controlled = here - controls.slope[:, k : k + 1] * (here**2 - controls.squares[:, k : k + 1])
        np.testing.assert_allclose(controlled.mean(1), here.mean(1), atol=1e-9)
        assert (controlled > -1e-9).all()
        assert (controlled <= controls.most[:, k : k + 1] + 1e-9).all()


def test_over_all_samples_the_two_numbers_hold_the_silhouette_between_them_on_average(three_clusters):
    # One member of each cluster in each half: all 3^6 draws, so that the expectations are exact.
    x, codes = three_clusters
    shapes = describe(x, codes)
    controls = find_controls(x, shapes)
    distances = np.sqrt(((x[:, None] - x) ** 2).sum(2))
    lower, upper = [], []
    for draw in product(range(3), repeat=6):
        halves = []
        for members in (draw[:3], draw[3:]):
            means = distances[:, np.array(members) + np.array([0, 3, 6])]
            halves.append(control_means(means, means**2, controls))
        low, high = bracket_scores(*halves, controls.most, np.zeros(3, dtype=bool), codes, shapes.sizes)
        lower.append(low)
        upper.append(high)
    exact = silhouette_samples(x, codes)
    assert (np.mean(lower, axis=0) <= exact + 1e-9).all()
    assert (np.mean(upper, axis=0) >= exact - 1e-9).all()
    assert np.min(lower) >= -1 - 1e-9
    assert np.max(upper) <= 1 + 1e-9


def test_plain_estimates_would_be_biased():
    # What the two numbers are for: the silhouette of estimates is, on average, off by more than rounding.
    rng = np.random.default_rng(0)
    means = np.tile([1.0, 1.0, 1.0], (20_000, 1))
    first, second = (means + rng.uniform(-0.3, 0.3, means.shape) for _ in range(2))
    own, sizes = np.zeros(len(means), dtype=int), np.array([10**9, 10**9, 10**9])
    most = np.full_like(means, 1.4)
    low, high = bracket_scores(first, second, most, np.zeros(3, dtype=bool), own, sizes)
    plain = first[:, 1:].min(axis=1) / first[:, 0] - 1
    error = 4 * plain.std() / len(means) ** 0.5
    assert plain.mean() < -error  # the silhouette is 0
    assert low.mean() < error and high.mean() > -error
    assert high.mean() - low.mean() < 0.2


def test_means_that_are_exact_give_the_silhouettes_themselves(three_clusters):
    x, codes = three_clusters
    distances = np.sqrt(((x[:, None] - x) ** 2).sum(2))
    means = np.stack([distances[:, codes == k].mean(1) for k in range(3)], axis=1)
    low, high = bracket_scores(
        means, means, np.full_like(means, 99), np.ones(3, dtype=bool), codes, np.array([3, 3, 3])
    )
    exact = silhouette_samples(x, codes)
    np.testing.assert_allclose(low, exact, atol=1e-9)
    np.testing.assert_allclose(high, exact, atol=1e-9)


def test_looking_again_and_again_at_a_mean_at_the_threshold_errs_no_more_often_than_the_risk():
    # 400 runs of 256 looks, one row and two times two members of each cluster each; all looks are judged.
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2, 3], 100)
    x = rng.normal(size=(400, 3)) + 0.5 * codes[:, None]
    shapes, distances = describe(x, codes), np.sqrt(((x[:, None] - x) ** 2).sum(2))
    threshold, risk, runs, looks = silhouette_samples(x, codes)[:100].mean(), 0.1, 400, 256
    drawn = rng.integers(0, 100, runs * looks)
    controls = Controls(*(each[drawn] for each in find_controls(x, shapes)))
    halves, plain = [], []
    for _ in range(2):
        members = rng.integers(0, 100, (2, len(drawn), 4)) + 100 * np.arange(4)
        seen = distances[drawn[:, None], members]
        halves.append(control_means(seen.mean(0), (seen**2).mean(0), controls))
        plain.append(seen.mean(0))
    own, exact = np.zeros(len(drawn), dtype=int), np.zeros(4, dtype=bool)
    low, high = bracket_scores(*halves, controls.most, exact, own, shapes.sizes)
    for values, at in ((low, threshold), (-high, -threshold)):
        gains = np.log1p(STAKES[:, None, None] * ((1 + values.reshape(runs, looks)) / (1 + at) - 1))
        won = pool_winnings(np.moveaxis(gains.cumsum(axis=2), 0, -1)).max(axis=1) > -np.log(risk)
        # At a rate of 10%, 400 runs have at most 54 with a probability of .99.
        assert won.sum() <= 54
    means = sum(plain) / 2
    naive = means[:, 1:].min(axis=1) / (means[:, 0] * 100 / 99)
    naive = np.where(naive < 1, naive - 1, 1 - 1 / naive).reshape(runs, looks)
    gains = np.log1p(STAKES[:, None, None] * ((1 - naive) / (1 - threshold) - 1))
    lost = pool_winnings(np.moveaxis(gains.cumsum(axis=2), 0, -1)).max(axis=1) > -np.log(risk)
    assert lost.sum() > 54  # the silhouettes of the estimates themselves would err
