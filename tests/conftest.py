"""What several tests share: the array module under test, small embeddings with structure, a real encoder."""

import sys

import numpy as np
import pandas as pd
import pytest
import strict_arrays

import visclust as vc
from visclust.base import origins
from visclust.base.backend import explain_gpu, to_device


@pytest.fixture
def strict(monkeypatch):
    """Let a stand-in for CuPy count as a GPU without cuML; see strict_arrays.py."""
    monkeypatch.setitem(sys.modules, "cupy", strict_arrays.make_cupy())
    monkeypatch.setitem(sys.modules, "cuml", None)
    explain_gpu.cache_clear()
    yield lambda x: to_device(np.asarray(x), device="gpu")
    explain_gpu.cache_clear()


@pytest.fixture
def strict_with_cuml(strict, monkeypatch):
    """The same, with a stand-in for cuML that takes what cuML takes."""
    for name, module in strict_arrays.make_cuml().items():
        monkeypatch.setitem(sys.modules, name, module)
    return strict


@pytest.fixture(params=["cpu", "strict", pytest.param("gpu", marks=pytest.mark.gpu)])
def xp(request):
    """Put a NumPy array on the device under test: NumPy, a stand-in as strict as CuPy, or CuPy itself."""
    if request.param == "strict":
        return request.getfixturevalue("strict")
    if request.param == "gpu" and explain_gpu():
        pytest.skip(explain_gpu())
    return lambda x: to_device(np.asarray(x), device=request.param)


@pytest.fixture(scope="session")
def lite0():
    """Load EfficientNet-Lite0 once, whose weights are installed; leave it as it is."""
    return vc.load_encoder("efficientnet_lite0")


@pytest.fixture(scope="session")
def example():
    """Load the example corpus once; copy a table before changing it."""
    return vc.load_example()


@pytest.fixture
def blobs():
    """Make tight groups around far centres: (x, group of each row)."""

    def make(sizes, *, d=8, spread=0.05, seed=0):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(len(sizes)), sizes)
        centers = rng.normal(size=(len(sizes), d))
        x = centers[groups] + rng.normal(scale=spread, size=(len(groups), d))
        return x.astype("float32"), groups

    return make


@pytest.fixture
def make_images():
    """Make an images table of usable images from their ids."""

    def make(image_ids):
        return pd.DataFrame(
            {
                "image_id": list(image_ids),
                "path": [f"{image_id}.jpg" for image_id in image_ids],
                "status": "ok",
                "reason": "",
                "width": 4,
                "height": 3,
            }
        )

    return make


@pytest.fixture
def make_clusters():
    """Make a clusters table from labels; images are called 0, 1, 2, …"""

    def make(labels):
        return pd.DataFrame(
            {
                "image_id": [str(i) for i in range(len(labels))],
                "cluster": np.asarray(labels, dtype="int64"),
                "iteration": np.where(np.asarray(labels) < 0, -1, 1),
                "silhouette": np.where(np.asarray(labels) < 0, np.nan, 0.1),
            }
        )

    return make


@pytest.fixture(autouse=True)
def _no_memory_of_other_tests():
    """Forget whose rows a matrix has: tests use the same small matrices for different images."""
    origins._row_ids.clear()
