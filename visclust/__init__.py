"""Explore, cluster, sample and annotate large image corpora.

Everything that the notebooks call is here: ``import visclust as vc``. A name's module is imported when
the name is first used, so that importing the package is quick and needs no GPU library.
"""

from importlib import import_module
from typing import Any

_EXPORTS = {
    "backend": ("describe_device", "to_device", "to_host"),
    "charts": ("show_charts",),
    "cluster_plots": ("plot_cluster_sizes", "plot_iterations", "plot_k_curve", "plot_sample_coverage"),
    "cluster_tables": ("list_k_curve", "pick_cluster_rows", "summarize_clusters"),
    "clusters": ("assign_clusters", "assign_nearest", "cluster_once"),
    "corpus": ("index_images", "link_posts", "select_usable"),
    "embedding": ("embed_images",),
    "embedding_files": ("list_embeddings", "load_embedding", "save_embedding"),
    "encoders": ("choose_encoder", "list_encoders", "load_encoder"),
    "example": ("load_example",),
    "files": ("write_atomically",),
    "goodness": ("measure_goodness",),
    "grid": ("grid_search",),
    "image_uses": ("count_image_uses", "plot_image_uses"),
    "iterative": ("cluster_iteratively",),
    "kmeans": ("fit_kmeans",),
    "known_groups": ("score_against_groups",),
    "launch": ("install_missing", "results_folder", "suggest_settings"),
    "neighbours": ("list_neighbours",),
    "provenance": ("describe_run",),
    "sampling": ("compare_samples", "draw_random_sample", "draw_stratified_sample"),
    "silhouettes": ("silhouette_samples",),
    "tables": ("check_table", "read_provenance", "read_table", "save_table"),
    "thumbnail_rows": ("show_thumbnail_rows",),
}
_MODULES = {name: module for module, names in _EXPORTS.items() for name in names}

__all__ = sorted(_MODULES)  # noqa: PLE0605 - a list of text all the same
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'visclust' has no attribute {name!r}")
    value = getattr(import_module(f"visclust.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
