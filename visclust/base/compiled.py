"""What is compiled of umap-learn is kept on disk, so that not every process compiles it again."""

from contextlib import suppress
from typing import Any

_PARTS = (
    "smooth_knn_dist",
    "compute_membership_strengths",
    "clip",
    "_nb_optimize_layout_euclidean_single_epoch",
)


def keep_compiled() -> None:
    """Have Numba keep what it compiles of umap-learn: beside it, or in the user's cache (NUMBA_CACHE_DIR).

    A process otherwise spends some ten seconds on it, longer than a map of some thousand images takes. A
    version of umap-learn without such a part, or a machine that lets nothing be kept, compiles as it did.
    """
    try:
        from umap import layouts, umap_
    except ImportError:
        return
    for name in _PARTS:
        part: Any = getattr(umap_, name, None) or getattr(layouts, name, None)
        with suppress(AttributeError, RuntimeError, OSError):
            part.enable_caching()
