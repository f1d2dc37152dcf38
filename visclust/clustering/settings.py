"""The settings of iterative clustering, checked before any work starts."""

import warnings
from typing import NamedTuple

from visclust.base.checks import check_whole_number
from visclust.clustering.goodness import GOODNESS_MEASURES
from visclust.clustering.silhouette_kinds import SILHOUETTES

# Mean silhouettes of photographs in raw rows lie far below: a threshold above it would leave nearly all
# unassigned. UMAP pulls clusters apart, so that theirs are ten times as high.
_UNUSUAL_THRESHOLD = 0.2
_FEW_DIMENSIONS = 16
# The threshold for each preparation of the rows where none is given, and those that a grid tries: the paper's
# for all but UMAP, for which benchmarks/prepared_rows.md holds the scores of each.
SUITED_THRESHOLD = {"none": 0.03, "unit": 0.03, "pca": 0.03, "umap": 0.2}
PAPER_THRESHOLDS = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05)
SUITED_THRESHOLDS = {
    "none": PAPER_THRESHOLDS,
    "unit": PAPER_THRESHOLDS,
    "pca": PAPER_THRESHOLDS,
    "umap": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5),
}

# What may decide which clusters come out: "auto" is exact up to so many images and adaptive above them, where
# benchmarks/adaptive_silhouettes.md shows that it costs less.
DECIDING = ("auto", *SILHOUETTES, "adaptive")
ADAPTIVE_ABOVE = 40_000


class IterativeSettings(NamedTuple):
    """The settings of `cluster_iteratively`, which describes them; the defaults are the paper's."""

    step_size: int = 5
    sample_size: int = 1000
    convergence_window: int = 3
    similarity_threshold: float = 0.03
    stop_size: int = 20
    goodness_of_fit: str = "silhouette"
    max_stall: int = 3
    silhouette: str = "auto"
    risk: float = 0.001


_LEAST = {"step_size": 1, "sample_size": 3, "convergence_window": 1, "stop_size": 0, "max_stall": 0}


def check_settings(settings: IterativeSettings, *, seed: int, n_dimensions: int) -> None:
    """Raise ValueError for a setting or seed out of range; warn of an unusual similarity threshold.

    What is unusual depends on the number of dimensions of the rows.
    """
    for name, least in {**_LEAST, "seed": 0}.items():
        check_whole_number(name, seed if name == "seed" else getattr(settings, name), least=least)
    threshold = settings.similarity_threshold
    if not -1 <= threshold <= 1:
        raise ValueError(
            f"Expected similarity_threshold between -1 and 1 (a mean silhouette), got {threshold!r}."
        )
    if settings.goodness_of_fit not in GOODNESS_MEASURES:
        raise ValueError(
            f"Expected one of {', '.join(GOODNESS_MEASURES)} as goodness_of_fit, "
            f"got {settings.goodness_of_fit!r}."
        )
    if settings.silhouette not in DECIDING:
        raise ValueError(f"Expected one of {', '.join(DECIDING)} as silhouette, got {settings.silhouette!r}.")
    if not 0 < settings.risk < 1:
        raise ValueError(f"Expected risk between 0 and 1 (a probability), got {settings.risk!r}.")
    if threshold > _UNUSUAL_THRESHOLD and n_dimensions > _FEW_DIMENSIONS:
        warnings.warn(
            f"similarity_threshold={threshold} is far above the 0 to 0.05 of the paper: "
            "few clusters will reach it, and most images will stay unassigned.",
            stacklevel=3,
        )


def settle_silhouette(settings: IterativeSettings, *, n: int) -> IterativeSettings:
    """Replace "auto" by the kind of silhouette for so many images, and say so where it is not exact."""
    if settings.silhouette != "auto":
        return settings
    if n <= ADAPTIVE_ABOVE:
        return settings._replace(silhouette="exact")
    print(
        f"Which clusters of {n:,} images come out is decided from sampled silhouettes (adaptive): the risk "
        f"that any decision of the run is not the exact one is {settings.risk:g} at most. "
        'silhouette="exact" computes them all.'
    )
    return settings._replace(silhouette="adaptive")
