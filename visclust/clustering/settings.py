"""The settings of iterative clustering, checked before any work starts."""

import warnings
from typing import NamedTuple

from visclust.base.checks import check_whole_number
from visclust.clustering.goodness import GOODNESS_MEASURES
from visclust.clustering.silhouette_kinds import SILHOUETTES

# Mean silhouettes of real photographs lie far below: a threshold above it would leave nearly all unassigned.
_UNUSUAL_THRESHOLD = 0.2


class IterativeSettings(NamedTuple):
    """The settings of `cluster_iteratively`, which describes them; the defaults are the paper's."""

    step_size: int = 5
    sample_size: int = 1000
    convergence_window: int = 3
    similarity_threshold: float = 0.03
    stop_size: int = 20
    goodness_of_fit: str = "silhouette"
    max_stall: int = 3
    silhouette: str = "exact"


_LEAST = {"step_size": 1, "sample_size": 3, "convergence_window": 1, "stop_size": 0, "max_stall": 0}


def check_settings(settings: IterativeSettings, *, seed: int) -> None:
    """Raise ValueError for a setting or seed out of range; warn of an unusual similarity threshold."""
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
    if settings.silhouette not in SILHOUETTES:
        raise ValueError(
            f"Expected one of {', '.join(SILHOUETTES)} as silhouette, got {settings.silhouette!r}."
        )
    if threshold > _UNUSUAL_THRESHOLD:
        warnings.warn(
            f"similarity_threshold={threshold} is far above the 0 to 0.05 of the paper: "
            "few clusters will reach it, and most images will stay unassigned.",
            stacklevel=3,
        )
