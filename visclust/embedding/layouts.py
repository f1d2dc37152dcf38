"""UMAP by umap-learn or cuML, as the array decides: for the map of a corpus, and for rows to cluster."""

import warnings
from typing import Any

import numpy as np

from visclust.base.backend import is_on_gpu, lay_out_by_cuml
from visclust.base.compiled import keep_compiled
from visclust.base.progress import DELAY

# Up to here exact neighbours take seconds, and umap-learn need not compile its own search (5 s each time).
_EXACT_NEIGHBOURS = 20_000


def lay_out_rows(
    x: Any,
    *,
    n_components: int,
    n_neighbors: int,
    min_dist: float,
    metric: str,
    seed: int,
    what: str,
    progress: bool,
) -> Any:
    """Lay rows (n, d) out in a few dimensions: (n, n_components), where the rows are.

    `metric` is "euclidean" or "cosine"; `what` words the bar, which cuML has none of. With umap-learn one
    core works, so that the same seed gives the same layout.

    Raises
    ------
    RuntimeError
        If umap-learn, or cuML for a CuPy array, is not installed.
    """
    settings: dict[str, Any] = {"n_neighbors": int(n_neighbors), "min_dist": min_dist, "metric": metric}
    if is_on_gpu(x):
        return lay_out_by_cuml(x, n_components=n_components, **settings, seed=seed)
    return _lay_out_by_umap_learn(x, n_components, settings, seed=seed, what=what, progress=progress)


def _lay_out_by_umap_learn(
    x: np.ndarray, n_components: int, settings: dict[str, Any], *, seed: int, what: str, progress: bool
) -> np.ndarray:
    """Lay rows out by umap-learn, with exact neighbours where that is quick."""
    try:
        from umap import UMAP
    except ImportError as error:
        raise RuntimeError(
            f"{what} needs umap-learn, which is not installed: pip install umap-learn."
        ) from error
    keep_compiled()
    known: tuple = (None, None, None)
    if len(x) <= _EXACT_NEIGHBOURS:
        from sklearn.neighbors import NearestNeighbors

        search = NearestNeighbors(
            n_neighbors=settings["n_neighbors"], algorithm="brute", metric=settings["metric"]
        )
        distances, found = search.fit(x).kneighbors(x)
        known = (found, distances.astype("float32"), None)
    with warnings.catch_warnings():  # it says that one core is used and that new rows cannot be added
        warnings.simplefilter("ignore", UserWarning)
        model = UMAP(
            n_components=n_components,
            **settings,
            random_state=seed,
            n_jobs=1,
            precomputed_knn=known,
            tqdm_kwds={"desc": what, "delay": DELAY, "disable": not progress},
        )
        return model.fit_transform(x)
