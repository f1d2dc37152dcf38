"""The only file that imports CuPy or cuML: where arrays live, and what computes on them."""

import importlib.util
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from visclust.base.checks import checked


@cache
def explain_gpu() -> str:
    """Say in one line why a GPU cannot be used here; the empty string where one can."""
    if importlib.util.find_spec("cupy") is None:
        return 'CuPy is not installed: with an NVIDIA GPU, pip install -e ".[gpu]" (needs pip 24 or newer).'
    try:
        import cupy
    except ImportError as error:
        return f"CuPy is installed but cannot be imported ({error}): reinstall it to match the CUDA driver."
    if not cupy.is_available():
        return "CuPy is installed but finds no GPU or no NVIDIA driver: check that `nvidia-smi` lists a GPU."
    return ""


def decide_on_gpu(device: str, explain: Callable[[], str], *, announcement: str) -> bool:
    """Decide by "auto", "cpu" or "gpu" whether a GPU is used, where `explain` says why none can be, or "".

    Without one, "gpu" is a RuntimeError; "auto" prints the announcement, with the reason in it, once.
    """
    if device not in ("auto", "cpu", "gpu"):
        raise ValueError(f'Expected device "auto", "cpu" or "gpu", got {device!r}.')
    if device == "cpu":
        return False
    reason = explain()
    if reason and device == "gpu":
        raise RuntimeError(f'device="gpu" was asked for. {reason} Or use device="auto".')
    if reason:
        _announce(announcement.format(reason=reason))
    return not reason


@cache  # so that it is said once per process
def _announce(text: str) -> None:
    print(text)


@checked
def to_device(x: Any, *, device: str = "auto") -> Any:
    """Put an array where the work shall be done: everything after follows the array.

    Parameters
    ----------
    x : array_like, shape (n, d), or Embedding
        NumPy or CuPy array, or an embedding, of which the matrix is moved.
    device : {"auto", "cpu", "gpu"}, default "auto"
        "gpu" without a GPU is an error; "auto" takes a GPU where there is one, and
        otherwise says once that there is none.

    Returns
    -------
    ndarray
        CuPy array on the GPU, or NumPy array; the same object where it is there already. Of an embedding the
        embedding, with its matrix there.

    Raises
    ------
    RuntimeError
        If `device` is "gpu" and there is none.
    ValueError
        If `device` is none of the three.

    Examples
    --------
    >>> to_device(np.zeros((2, 2), dtype="float32"), device="cpu").dtype
    dtype('float32')
    """
    if {"x", "image_ids"} <= set(getattr(x, "_fields", ())):
        return x._replace(x=to_device(x.x, device=device))
    announcement = "No GPU is used: {reason} Working on the CPU."
    if not decide_on_gpu(device, explain_gpu, announcement=announcement):
        return to_host(x)
    import cupy

    return cupy.asarray(x)


def get_namespace(x: Any) -> ModuleType:
    """Give the module whose functions work on this array: `cupy` for CuPy arrays, otherwise `numpy`."""
    if is_on_gpu(x):
        import cupy

        return cupy
    return np


@checked
def describe_device(x: Any) -> str:
    """Name the device that an array is on, for the record of a run.

    Parameters
    ----------
    x : ndarray
        The array.

    Returns
    -------
    str
        "cpu", or "gpu: " and the GPU's name.

    Examples
    --------
    >>> describe_device(np.zeros(1))
    'cpu'
    """
    if not is_on_gpu(x):
        return "cpu"
    import cupy

    return "gpu: " + cupy.cuda.runtime.getDeviceProperties(x.device.id)["name"].decode()


def run_gpu_lloyd(x: Any, centers: Any, *, max_iter: int) -> tuple[Any, Any, float] | None:
    """Run Lloyd's iterations by cuML, where the array is on a GPU and cuML is installed."""
    if not is_on_gpu(x):
        return None
    try:
        from cuml.cluster import KMeans
    except ImportError as error:
        _announce(f"k-means runs on CuPy alone, by visclust's own code: cuML cannot be used ({error}).")
        return None
    import cupy

    # cuML stops when the squared shift of the centres, in later versions also when the share by which inertia
    # falls, is below `tol`, at any scale. Near a variance of 0.01 a `tol` of 1e-6 is scikit-learn's 1e-4 of
    # the variance; a power of two as the factor rounds nothing.
    variance = float((x * x).mean())
    scale = 2.0 ** round(np.log2(0.01 / variance) / 2) if variance > 0 else 1.0
    # float32 in C order, and every setting is passed: cuML's defaults differ from scikit-learn's.
    rows, start = (cupy.ascontiguousarray(part * scale, dtype=cupy.float32) for part in (x, centers))
    settings = {"n_init": 1, "tol": 1e-6, "random_state": 0, "output_type": "cupy"}
    model = KMeans(n_clusters=len(start), init=start, max_iter=max_iter, **settings).fit(rows)
    inertia = float(model.inertia_) / scale**2
    return cupy.asarray(model.labels_), cupy.asarray(model.cluster_centers_) / scale, inertia


def score_by_cuml(x: Any, codes: Any) -> Any:
    """Compute silhouettes by cuML's own kernel: a cross-check of ours on a GPU."""
    if not is_on_gpu(x) or importlib.util.find_spec("cuml") is None:
        raise RuntimeError("Silhouettes by cuML need a CuPy array and cuML: use engine='blocks'.")
    import cupy
    from cuml.metrics.cluster import silhouette_samples

    n_clusters = int(codes.max()) + 1
    if len(x) * n_clusters >= 2**31:
        raise ValueError(f"cuML overflows at n x k = {len(x)} x {n_clusters}: use engine='blocks'.")
    # It takes float32 only: other types it may score wrongly without a word.
    rows = cupy.ascontiguousarray(x, dtype=cupy.float32)
    scores = silhouette_samples(rows, codes.astype(cupy.int32), metric="euclidean", chunksize=8192)
    return cupy.asarray(scores)


def lay_out_by_cuml(
    x: Any, *, n_components: int, n_neighbors: int, min_dist: float, metric: str, seed: int
) -> Any:
    """Lay rows out in a few dimensions by cuML's UMAP."""
    if not is_on_gpu(x) or importlib.util.find_spec("cuml") is None:
        raise RuntimeError("UMAP by cuML needs a CuPy array and cuML: give to_host(x) to work on the CPU.")
    import cupy
    from cuml.manifold import UMAP

    model = UMAP(
        n_components=n_components,
        n_neighbors=n_neighbors,
        min_dist=min_dist,
        metric=metric,
        random_state=seed,
        output_type="cupy",
    )
    return cupy.asarray(model.fit_transform(cupy.ascontiguousarray(x, dtype=cupy.float32)))


def is_on_gpu(x: Any) -> bool:
    """Say whether an array is a CuPy array."""
    return type(x).__module__.partition(".")[0] == "cupy"


@checked
def to_host(x: Any) -> np.ndarray:
    """Bring an array into the computer's own memory as NumPy.

    Parameters
    ----------
    x : array_like
        NumPy or CuPy array.

    Returns
    -------
    numpy.ndarray
        The same object where it is NumPy already.

    Examples
    --------
    >>> to_host([1, 2])
    array([1, 2])
    """
    return x.get() if is_on_gpu(x) else np.asarray(x)
