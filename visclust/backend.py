"""The only file that imports CuPy or cuML: where arrays live, and what computes on them."""

import importlib.util
import warnings
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

__all__ = [
    "KMeansFit",
    "describe_device",
    "explain_gpu",
    "fit_kmeans",
    "get_namespace",
    "to_device",
    "to_host",
]


class KMeansFit(NamedTuple):
    """Labels from 0 without gaps, centres in that order, and the sum of squared distances to them."""

    labels: Any
    centers: Any
    inertia: float


@cache
def explain_gpu() -> str:
    """Say in one line why a GPU cannot be used here; the empty string where one can.

    Returns
    -------
    str
        "" where CuPy sees a GPU; otherwise what is missing and what to do about it.

    Examples
    --------
    >>> isinstance(explain_gpu(), str)
    True
    """
    if importlib.util.find_spec("cupy") is None:
        return 'CuPy is not installed: pip install -e ".[gpu]" on a machine with an NVIDIA GPU.'
    try:
        import cupy
    except ImportError as error:
        return f"CuPy is installed but cannot be imported ({error}): reinstall it to match the CUDA driver."
    if not cupy.is_available():
        return "CuPy is installed but finds no GPU or no NVIDIA driver: check that `nvidia-smi` lists a GPU."
    return ""


@cache
def _announce_fallback(reason: str) -> None:
    # Cached, so that it is said once per reason and process.
    print(f"No GPU is used: {reason} Working on the CPU.")


def to_device(x: Any, *, device: str = "auto") -> Any:
    """Put an array where the work shall be done: everything after follows the array.

    Parameters
    ----------
    x : array_like, shape (n, d)
        NumPy or CuPy array.
    device : {"auto", "cpu", "gpu"}, default "auto"
        "gpu" without a GPU is an error; "auto" takes a GPU where there is one, and
        otherwise says once that there is none.

    Returns
    -------
    ndarray
        CuPy array on the GPU, or NumPy array; the same object where it is there already.

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
    if device not in ("auto", "cpu", "gpu"):
        raise ValueError(f'Expected device "auto", "cpu" or "gpu", got {device!r}.')
    if device == "cpu":
        return to_host(x)
    reason = explain_gpu()
    if not reason:
        import cupy

        return cupy.asarray(x)
    if device == "gpu":
        raise RuntimeError(f'device="gpu" was asked for. {reason} Or use device="auto".')
    _announce_fallback(reason)
    return to_host(x)


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
    return x.get() if _is_cupy(x) else np.asarray(x)


def get_namespace(x: Any) -> ModuleType:
    """Give the module whose functions work on this array: `cupy` for CuPy arrays, otherwise `numpy`.

    Parameters
    ----------
    x : ndarray
        The array.

    Returns
    -------
    module
        numpy or cupy.

    Examples
    --------
    >>> get_namespace(np.zeros(1)).__name__
    'numpy'
    """
    if _is_cupy(x):
        import cupy

        return cupy
    return np


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
    if not _is_cupy(x):
        return "cpu"
    import cupy

    return "gpu: " + cupy.cuda.runtime.getDeviceProperties(x.device.id)["name"].decode()


def _is_cupy(x: Any) -> bool:
    return type(x).__module__.partition(".")[0] == "cupy"


def fit_kmeans(x: Any, n_clusters: int, *, seed: int, n_init: int = 1, max_iter: int = 300) -> KMeansFit:
    """Fit k-means (k-means++ start, Lloyd's iterations) with scikit-learn or cuML, as the array decides.

    Parameters
    ----------
    x : ndarray, shape (n, d), float32 or float64
        Rows to cluster.
    n_clusters : int
        K. Where fewer rows are distinct, fewer clusters come back.
    seed : int
        Seed of the start. On the CPU the same seed gives the same labels.
    n_init : int, default 1
        Starts tried; the one with the smallest inertia is returned.
    max_iter : int, default 300
        Lloyd iterations at most per start.

    Returns
    -------
    KMeansFit
        ``labels`` (int array, n), ``centers`` (k, d), ``inertia``.

    Examples
    --------
    >>> x = np.array([[0.0], [0.1], [9.0], [9.1]], dtype="float32")
    >>> fit = fit_kmeans(x, 2, seed=0)
    >>> bool(fit.labels[0] == fit.labels[1] != fit.labels[2])
    True
    """
    if _is_cupy(x):
        return _fit_kmeans_on_gpu(x, n_clusters, seed=seed, n_init=n_init, max_iter=max_iter)
    with warnings.catch_warnings():
        # Fewer distinct rows than clusters: the labels are compacted below, and callers see the number.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KMeans(n_clusters, init="k-means++", n_init=n_init, max_iter=max_iter, random_state=seed).fit(
            x
        )
    return _drop_empty(model.labels_, model.cluster_centers_, float(model.inertia_))


def _fit_kmeans_on_gpu(x: Any, n_clusters: int, *, seed: int, n_init: int, max_iter: int) -> KMeansFit:
    import cupy
    from cuml.cluster import KMeans as GpuKMeans

    rows = cupy.ascontiguousarray(x, dtype=cupy.float32)
    # cuML's defaults differ from scikit-learn's, so every setting is passed.
    model = GpuKMeans(
        n_clusters=n_clusters,
        init="k-means++",
        n_init=n_init,
        max_iter=max_iter,
        tol=1e-4,
        random_state=seed,
        output_type="cupy",
    ).fit(rows)
    return _drop_empty(model.labels_, model.cluster_centers_, float(model.inertia_))


def _drop_empty(labels: Any, centers: Any, inertia: float) -> KMeansFit:
    """Renumber the clusters that have members from 0, without gaps."""
    xp = get_namespace(labels)
    used, compact = xp.unique(labels, return_inverse=True)
    return KMeansFit(compact.reshape(-1).astype(xp.int64), centers[used], inertia)
