"""Choose K on a random sample, by climbing until the moving average of the fit stops rising."""

from typing import Any, NamedTuple

import numpy as np

from visclust.base.backend import to_host
from visclust.clustering_settings import IterativeSettings
from visclust.goodness import REQUIRED_GAIN, measure_goodness
from visclust.kmeans import fit_kmeans
from visclust.workspace import Workspace, measure_squares, narrow_workspace, sum_distances

__all__ = ["KCurve", "choose_from_curve", "climb_k"]


class KCurve(NamedTuple):
    """The K's tried, the fit of each, the moving average ending at each (NaN at first), and the K chosen."""

    tried: list[int]
    fit: list[float]
    moving_average: list[float]
    chosen: int | None


def climb_k(
    workspace: Workspace,
    remaining: np.ndarray,
    *,
    settings: IterativeSettings,
    seed: int,
) -> KCurve:
    """Try K = step, 2 step, … on one random sample until the moving average of the fit no longer improves.

    Parameters
    ----------
    workspace : Workspace
        From `open_workspace`.
    remaining : numpy.ndarray of int, shape (m,)
        Numbers of the rows to sample from.
    settings : IterativeSettings
        K starts at max(2, step_size), grows by step_size, and ends at sample - 1; the sample has
        sample_size rows, or all that remain; the average runs over convergence_window K's.
    seed : int
        Seed of the sample and of each k-means.

    Returns
    -------
    KCurve
        ``chosen`` is None where not even two clusters can be told apart.

    Source
    ------
    Casas et al., Figure 3, inner loop.

    Examples
    --------
    >>> from visclust.workspace import open_workspace
    >>> x = np.repeat([[0.0], [5.0], [9.0]], 4, axis=0) + np.linspace(0, 0.1, 12)[:, None]
    >>> settings = IterativeSettings(step_size=1, convergence_window=1)
    >>> climb_k(open_workspace(x), np.arange(12), settings=settings, seed=0).chosen
    3
    """
    window, gain = settings.convergence_window, REQUIRED_GAIN[settings.goodness_of_fit]
    rng = np.random.default_rng(seed)
    sample = np.sort(rng.choice(remaining, min(settings.sample_size, len(remaining)), replace=False))
    narrow = narrow_workspace(workspace, sample)
    everyone = np.arange(len(sample))
    tried: list[int] = []
    fits: list[float] = []
    averages: list[float] = []
    for k in range(max(2, settings.step_size), len(sample), settings.step_size):
        found = fit_kmeans(
            narrow.rows,
            k,
            seed=int(rng.integers(2**31)),
            measure=measure_squares(narrow, everyone),
        )
        n_clusters = len(found.centers)
        if n_clusters < 2:
            break
        sums = sum_distances(narrow, everyone, to_host(found.labels), n_clusters=n_clusters)
        tried.append(k)
        fits.append(measure_goodness(narrow.rows, found.labels, sums=sums, name=settings.goodness_of_fit))
        averages.append(float(np.mean(fits[-window:])) if len(fits) >= window else np.nan)
        if len(averages) > window and not averages[-1] > averages[-2] + gain:
            break
        if n_clusters < k:  # the sample has no more distinct rows: a larger K finds the same clusters
            break
    return KCurve(tried, fits, averages, choose_from_curve(tried, fits, averages))


def choose_from_curve(tried: list[int], fits: list[float], averages: list[float]) -> int | None:
    """Take the K at which the best moving average ends, or the best single fit where no window was filled.

    Parameters
    ----------
    tried : list of int
        K's in the order tried.
    fits, averages : list of float
        Fit of each, and moving average ending at each.

    Returns
    -------
    int or None
        The smallest such K; None where none was tried.

    Examples
    --------
    >>> choose_from_curve([5, 10, 15], [0.1, 0.3, 0.2], [np.nan, 0.2, 0.25])
    15
    >>> choose_from_curve([5, 10], [0.3, 0.1], [np.nan, np.nan])
    5
    """
    if not tried:
        return None
    scores: Any = fits if np.isnan(averages).all() else averages
    return tried[int(np.nanargmax(scores))]
