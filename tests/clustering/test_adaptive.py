import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import visclust as vc
from visclust.base.backend import get_namespace
from visclust.base.distances import center_rows
from visclust.clustering import adaptive
from visclust.clustering.adaptive import decide_above, measure_shapes, split_risk


@pytest.fixture(scope="module")
def crowded():
    """Make 2,400 rows in overlapping clusters of very different sizes: rows, clusters, exact means."""
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(12), [900, 500, 300, 250, 150, 120, 80, 50, 30, 15, 4, 1]).astype(np.int32)
    spread = rng.uniform(0.4, 1.1, 12)[codes][:, None]
    x = center_rows(rng.normal(size=(12, 12))[codes] * 0.7 + rng.normal(size=(2400, 12)) * spread)
    exact = np.bincount(codes, weights=vc.silhouette_samples(x, codes)) / np.bincount(codes)
    return x, codes, exact


def decide(x, codes, **options):
    xp = get_namespace(x)

    def get_rows(numbers):
        return x[xp.asarray(numbers)]

    shapes = measure_shapes(get_rows, codes, n_clusters=codes.max() + 1)
    return decide_above(get_rows, codes, shapes, **{"threshold": 0.0, "risk": 1e-4, "seed": 0, **options})


def test_shapes_are_those_of_the_members(xp, crowded):
    x, codes, _ = crowded
    on_device = xp(x)
    shapes = measure_shapes(
        lambda numbers: on_device[get_namespace(on_device).asarray(numbers)], codes, n_clusters=12
    )
    for k in (0, 9, 11):
        members = x[codes == k].astype("float64")
        away = np.sqrt(((members - members.mean(0)) ** 2).sum(1))
        np.testing.assert_allclose(shapes.centers[k], members.mean(0), atol=1e-6)
        np.testing.assert_allclose(shapes.squares[k], (away**2).mean(), atol=1e-5)
        np.testing.assert_allclose(shapes.reach[k], away.max(), atol=1e-5)


@pytest.mark.parametrize("threshold", [-0.2, 0.0, 0.05, 0.2])
def test_decisions_are_those_of_exact_silhouettes(xp, crowded, threshold):
    x, codes, exact = crowded
    found = decide(xp(x), codes, threshold=threshold)
    several = np.bincount(codes) > 1
    assert (found.above == ((exact > threshold) & several)).all()
    assert (found.low <= exact + 1e-5).all() and (found.high >= exact - 1e-5).all()  # float32 distances
    settled = ~found.exact & several
    assert ((found.low > threshold) | (found.high <= threshold))[settled].all()
    np.testing.assert_allclose(found.means[found.exact], exact[found.exact], atol=1e-5)


def test_the_same_seed_decides_alike_with_any_number_of_threads(crowded):
    x, codes, _ = crowded
    with threadpool_limits(1):
        one = decide(x, codes, threshold=0.05)
    with threadpool_limits(2):
        two = decide(x, codes, threshold=0.05)
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)
    assert (decide(x, codes, threshold=0.05, seed=1).low != one.low).any()


def test_only_rows_that_are_drawn_are_read(crowded):
    x, codes, _ = crowded
    read = set()

    def get_rows(numbers):
        read.update(numbers.tolist())
        return x[numbers]

    large = np.isin(codes, [0, 1, 2])
    keep = np.flatnonzero(large)
    some = measure_shapes(lambda numbers: x[keep[numbers]], codes[keep], n_clusters=3)
    far = decide_above(
        lambda numbers: get_rows(keep[numbers]), codes[keep], some, threshold=-0.9, risk=0.5, seed=0
    )
    assert not far.exact.any()
    assert 0 < len(read) < len(keep)


def test_a_cluster_at_the_threshold_is_decided_by_all_its_images(crowded):
    x, codes, exact = crowded
    found = decide(x, codes, threshold=float(exact[1]) - 1e-7)
    assert found.exact[1] and found.above[1]
    assert found.looked[1] == 500
    assert found.low[1] == found.high[1] == pytest.approx(exact[1], abs=1e-5)  # float32 distances


def test_copies_and_far_rows_are_decided_exactly_as_well(xp):
    rng = np.random.default_rng(0)
    x = np.concatenate([np.zeros((200, 3)), np.full((100, 3), 2.0), rng.normal(size=(200, 3)) + 1])
    x[-1] = 1e4
    codes = np.repeat([0, 1, 2], [200, 100, 200]).astype(np.int32)
    exact = np.bincount(codes, weights=vc.silhouette_samples(x, codes)) / np.bincount(codes)
    found = decide(xp(center_rows(x)), codes, threshold=0.3)
    assert (found.above == (exact > 0.3)).all()
    assert (found.low <= exact + 1e-5).all() and (found.high >= exact - 1e-5).all()


def test_the_risk_of_a_run_is_the_sum_of_all_that_is_spent():
    spent = sum(20 * split_risk(0.05, iteration=t, n_clusters=20) for t in range(1, 10_000))
    assert 0.0499 < spent <= 0.05


def test_distances_do_not_grow_with_the_square_of_the_number_of_images():
    rng = np.random.default_rng(0)
    measured = []
    for n in (4_000, 16_000):
        codes = rng.permutation(np.arange(n) % 8).astype(np.int32)
        x = center_rows((rng.normal(size=(8, 16))[codes] + rng.normal(size=(n, 16)) * 0.8).astype("float32"))
        measured.append(decide(x, codes, threshold=0.0).distances)
    assert measured[1] < 2 * measured[0]  # not 16 times
    assert measured[1] < 16_000**2 / 2 / 50


@pytest.mark.slow
def test_decisions_at_the_very_threshold_are_wrong_no_more_often_than_the_risk(monkeypatch):
    # Both means are at the threshold: samples decide by chance only. Exact silhouettes are looked up.
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1], 1500).astype(np.int32)
    x = center_rows(rng.normal(size=(3000, 4)) + codes[:, None] * 0.8)
    exact = np.bincount(codes, weights=vc.silhouette_samples(x, codes)) / 1500
    shapes = measure_shapes(lambda numbers: x[numbers], codes, n_clusters=2)

    def look_up(state, clusters, _bar):
        state.exact[clusters], state.means[clusters] = True, exact[clusters]
        state.above[clusters] = exact[clusters] > state.threshold

    monkeypatch.setattr(adaptive._State, "settle_exactly", look_up)
    monkeypatch.setattr(adaptive, "_SPENT", 0.05)
    wrong = 0
    for run in range(60):
        threshold = exact[run % 2] + (1e-6 if run % 4 < 2 else -1e-6)
        found = decide_above(
            lambda numbers: x[numbers], codes, shapes, threshold=threshold, risk=0.4, seed=run
        )
        wrong += int((found.above != (exact > threshold)).sum())
    # Of 120 decisions at a risk of .4 at most 60 are wrong with a probability of .98.
    assert wrong <= 60
    assert wrong > 0  # they can be
