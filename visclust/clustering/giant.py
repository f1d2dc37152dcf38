"""Never a giant cluster in silence: how large the largest one is, and what is said where it is a giant."""

import warnings
from typing import Any, NamedTuple

import numpy as np

from visclust.base.tables import UNASSIGNED
from visclust.clustering.hubness import measure_hubness

# More than one image in five, and five times what the other clusters hold on average. In the runs of
# benchmarks/prepared_rows.md, which counts them, clusters of this size were mixtures; a corpus of three or
# four themes has clusters above a fifth as well, but none that is five times the others.
_SHARE = 0.2
_TIMES = 5.0
# In fewer images than this everyone sees what a cluster holds.
_FEW = 20
_SAMPLE = 2_000


class Largest(NamedTuple):
    """The largest cluster: its number, images in it, its share of all images, and whether it is a giant.

    ``times_others`` is its size over the mean size of the other clusters, infinite where there is none.
    """

    cluster: int
    size: int
    share: float
    times_others: float
    giant: bool


def find_largest(labels: np.ndarray) -> Largest | None:
    """Find the largest cluster among labels (n; -1 = unassigned); None where no image is assigned."""
    numbers, sizes = np.unique(labels[labels != UNASSIGNED], return_counts=True)
    if not len(sizes):
        return None
    first = int(sizes.argmax())
    size = int(sizes[first])
    others = sizes.sum() - size
    times = size * (len(sizes) - 1) / others if others else float("inf")
    share = size / len(labels)
    giant = share > _SHARE and times >= _TIMES and size >= _FEW
    return Largest(int(numbers[first]), size, share, float(times), bool(giant))


def advise(largest: Largest, *, n: int, how: str, hubs: float = float("nan")) -> str:
    """Say in plain words what a giant cluster may be and what to try; `how` the rows were prepared."""
    beside = (
        "every other image is unassigned"
        if np.isinf(largest.times_others)
        else f"{largest.times_others:.0f} times as many as the other clusters on average"
    )
    said = (
        f"Cluster {largest.cluster} holds {largest.size:,} of {n:,} images ({largest.share:.0%}), {beside}."
    )
    if hubs > 5:
        said += (
            f" The rows have hubs: one is near neighbour to {hubs:.0f} times as many others as the average."
        )
    try_this = {
        "none": 'prepared rows, prepare_rows(embedding, how="umap") or how="unit"',
        "unit": 'other rows, prepare_rows(embedding, how="umap") or how="pca"',
        "pca": 'other rows, prepare_rows(embedding, how="umap")',
        "umap": "a higher similarity_threshold, another encoder, or near copies counted once "
        "(find_duplicates)",
    }
    return (
        f"{said} Look at some of them: it is one large theme, or a heap of images that the rows cannot tell "
        f"apart. For a heap try {try_this[how]}."
    )


def warn_of_giant(labels: np.ndarray, x: Any, *, how: str) -> None:
    """Warn where a clustering of rows x (n, d) has a giant cluster."""
    largest = find_largest(labels)
    if largest is None or not largest.giant:
        return
    hubs = measure_hubness(x, max_rows=_SAMPLE).most
    warnings.warn(advise(largest, n=len(labels), how=how, hubs=hubs), stacklevel=4)
