"""Lay a corpus out in two dimensions: near on the map where near in the embedding."""

import warnings
from typing import Any

import numpy as np
import pandas as pd

from visclust.base.backend import check_embedding, describe_device, is_on_gpu, project_by_cuml, to_host
from visclust.base.provenance import describe_run

__all__ = ["project_map"]

# Up to here exact neighbours take seconds, and umap-learn need not compile its own search (5 s each time).
_EXACT_NEIGHBOURS = 20_000


def project_map(
    x: Any,
    *,
    image_ids: Any = None,
    n_neighbors: int = 15,
    min_dist: float = 0.1,
    seed: int = 0,
) -> pd.DataFrame:
    """Lay the images out on a map by UMAP: the array decides whether umap-learn or cuML makes it.

    A map shows who is near whom. Distances between far groups, their sizes and their density mean little on
    it, and another seed turns or shuffles it: find themes on it, and measure them on the embedding.

    Parameters
    ----------
    x : ndarray, shape (n, d), float32 or float64
        The embedding; NumPy for umap-learn, CuPy for cuML.
    image_ids : sequence of str, length n, optional
        Ids of its rows; then the table says which image each row is.
    n_neighbors : int, default 15
        Neighbours of each image that the map tries to keep together: more show the whole, fewer the detail.
    min_dist : float, default 0.1
        How close images may come on the map, from 0 (tight heaps) to 1.
    seed : int, default 0
        Seed; umap-learn then works on one core, so that the same seed gives the same map.

    Returns
    -------
    DataFrame
        ``image_id`` (where ids were given), ``x, y``: coordinates without a unit.
        ``DataFrame.attrs["provenance"]`` is the record of the run, for `save_table` and methods sections.

    Raises
    ------
    TypeError, ValueError
        If the array or a setting is not as described.
    RuntimeError
        If umap-learn, or cuML for a CuPy array, is not installed.

    Source
    ------
    McInnes, Healy and Melville (2018), "UMAP: Uniform Manifold Approximation and Projection for Dimension
    Reduction". The paper of Casas et al. has no map; this is a way to look around.

    Examples
    --------
    >>> project_map(np.zeros((5, 2)), n_neighbors=5)
    Traceback (most recent call last):
    ValueError: Expected n_neighbors from 2 to 4 (n - 1), got 5.
    """
    check_embedding(x)
    n = len(x)
    if (
        isinstance(n_neighbors, bool)
        or not isinstance(n_neighbors, int | np.integer)
        or not 2 <= n_neighbors < n
    ):
        raise ValueError(f"Expected n_neighbors from 2 to {n - 1} (n - 1), got {n_neighbors!r}.")
    if not 0 <= min_dist <= 1:
        raise ValueError(f"Expected min_dist from 0 to 1, got {min_dist!r}.")
    if image_ids is not None and len(image_ids) != n:
        raise ValueError(f"Expected an id for each of the {n} rows, got {len(image_ids)}.")
    settings: dict[str, Any] = {"n_neighbors": int(n_neighbors), "min_dist": min_dist}
    if is_on_gpu(x):
        places = to_host(project_by_cuml(x, **settings, seed=seed))
    else:
        places = _project_by_umap_learn(x, **settings, seed=seed)
    table = pd.DataFrame({"x": places[:, 0].astype("float64"), "y": places[:, 1].astype("float64")})
    if image_ids is not None:
        table.insert(0, "image_id", list(image_ids))
    table.attrs["provenance"] = describe_run(
        "project_map", parameters=settings, seed=seed, inputs={"x": to_host(x)}, device=describe_device(x)
    )
    return table


def _project_by_umap_learn(x: np.ndarray, *, n_neighbors: int, min_dist: float, seed: int) -> np.ndarray:
    """Lay rows out by umap-learn, with exact neighbours where that is quick."""
    try:
        from umap import UMAP
    except ImportError as error:
        raise RuntimeError(
            "A map needs umap-learn, which is not installed: pip install umap-learn."
        ) from error
    known: tuple = (None, None, None)
    if len(x) <= _EXACT_NEIGHBOURS:
        from sklearn.neighbors import NearestNeighbors

        distances, found = NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute").fit(x).kneighbors(x)
        known = (found, distances.astype("float32"), None)
    with warnings.catch_warnings():  # it says that one core is used and that new rows cannot be added
        warnings.simplefilter("ignore", UserWarning)
        model = UMAP(
            n_neighbors=n_neighbors,
            min_dist=min_dist,
            random_state=seed,
            n_jobs=1,
            precomputed_knn=known,
        )
        return model.fit_transform(x)
