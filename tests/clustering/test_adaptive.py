import numpy as np
import pytest

import visclust as vc
from visclust.base.backend import get_namespace
from visclust.base.distances import center_rows
from visclust.clustering.adaptive import decide_above, measure_shapes


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
