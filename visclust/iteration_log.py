"""The log of iterative clustering: a row per iteration, from which its figure is drawn."""

import time
from typing import Any, NamedTuple

import numpy as np

from visclust.base.tables import UNASSIGNED
from visclust.choose_k import KCurve

__all__ = ["LOG_COLUMNS", "Iteration", "describe_iteration"]


class Iteration(NamedTuple):
    """How K was chosen, the seed, cluster and silhouette per image, and mean silhouette per cluster."""

    curve: KCurve
    seed: int
    codes: np.ndarray
    scores: np.ndarray
    means: np.ndarray


LOG_COLUMNS = [
    "iteration",
    "remaining",
    "k_tried",
    "fit",
    "moving_average",
    "k",
    "clusters",
    "cohesive",
    "images_out",
    "mean_cohesive_size",
    "silhouette",
    "cohesive_silhouette",
    "seed",
    "seconds",
]


def describe_iteration(
    iteration: int,
    found: Iteration,
    out: np.ndarray,
    *,
    started: float,
) -> dict[str, Any]:
    """Describe one iteration as a row of the log.

    Parameters
    ----------
    iteration : int
        Its number, from 1.
    found : Iteration
        What it found.
    out : ndarray of int, shape (k,)
        Final number of each cluster that comes out; -1 for the others.
    started : float, seconds
        `time.perf_counter` at its start.

    Returns
    -------
    dict
        The columns of `LOG_COLUMNS`.

    Examples
    --------
    >>> found = Iteration(KCurve([2], [0.9], [0.9], 2), 0, np.array([0, 0, 1]), np.array([0.9, 0.8, 0.0]),
    ...                   np.array([0.85, 0.0]))
    >>> row = describe_iteration(1, found, np.array([7, -1]), started=0.0)
    >>> row["remaining"], row["cohesive"], row["images_out"], row["mean_cohesive_size"]
    (3, 1, 2, 2.0)
    """
    cohesive = out != UNASSIGNED
    coming = cohesive[found.codes]
    return {
        "iteration": iteration,
        "remaining": len(found.codes),
        "k_tried": found.curve.tried,
        "fit": found.curve.fit,
        "moving_average": found.curve.moving_average,
        "k": found.curve.chosen,
        "clusters": len(out),
        "cohesive": int(cohesive.sum()),
        "images_out": int(coming.sum()),
        "mean_cohesive_size": float(coming.sum() / cohesive.sum()) if cohesive.any() else np.nan,
        "silhouette": float(np.nanmean(found.scores)) if not np.isnan(found.scores).all() else np.nan,
        "cohesive_silhouette": float(np.nanmean(found.scores[coming])) if coming.any() else np.nan,
        "seed": found.seed,
        "seconds": time.perf_counter() - started,
    }
