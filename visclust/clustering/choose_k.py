"""Choose K: by climbing on a random sample while the fit rises, or by looking at a scan of all images."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.arrays import find_scale
from visclust.base.backend import to_host
from visclust.base.checks import checked
from visclust.base.progress import WorkBar
from visclust.base.provenance import recorded
from visclust.base.rows import take_rows
from visclust.base.tables import check_columns
from visclust.clustering.goodness import GOODNESS_MEASURES, REQUIRED_GAIN, measure_goodness
from visclust.clustering.kmeans import fit_kmeans
from visclust.clustering.settings import IterativeSettings
from visclust.clustering.workspace import (
    Workspace,
    measure_squares,
    narrow_workspace,
    open_workspace,
    sum_distances,
)

# Of the curve's height: what is closer to the line between its ends is a line.
_LEAST_BEND = 0.1


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
    progress: bool = False,
) -> KCurve:
    """Try K = step, 2 step, … on one random sample until the moving average of the fit no longer improves.

    `remaining` (m) are the numbers of the rows to sample from. K starts at max(2, step_size) and stays below
    the size of the sample; the average runs over convergence_window K's. ``chosen`` is None where not even
    two clusters can be told apart. This is the inner loop of the paper's Figure 3.
    """
    window, gain = settings.convergence_window, REQUIRED_GAIN[settings.goodness_of_fit]
    rng = np.random.default_rng(seed)
    sample = np.sort(rng.choice(remaining, min(settings.sample_size, len(remaining)), replace=False))
    narrow = narrow_workspace(workspace, sample)
    everyone = np.arange(len(sample))
    tried: list[int] = []
    fits: list[float] = []
    averages: list[float] = []
    ks = range(max(2, settings.step_size), len(sample), settings.step_size)
    # It ends long before the last of them in most cases: what it shows is that it goes on, and where.
    with WorkBar(total=len(ks), desc="Choosing K", unit="K", leave=False, progress=progress) as bar:
        for k in ks:
            found = fit_kmeans(
                narrow.rows, k, seed=int(rng.integers(2**31)), measure=measure_squares(narrow, everyone)
            )
            n_clusters = len(found.centers)
            if n_clusters < 2:
                break
            sums = sum_distances(narrow, everyone, to_host(found.labels), n_clusters=n_clusters)
            tried.append(k)
            fits.append(measure_goodness(narrow.rows, found.labels, sums=sums, name=settings.goodness_of_fit))
            averages.append(float(np.mean(fits[-window:])) if len(fits) >= window else np.nan)
            bar.update()
            if len(averages) > window and not averages[-1] > averages[-2] + gain:
                break
            if n_clusters < k:  # the sample has no more distinct rows: a larger K finds the same clusters
                break
    return KCurve(tried, fits, averages, _choose_from_curve(tried, fits, averages))


def _choose_from_curve(tried: list[int], fits: list[float], averages: list[float]) -> int | None:
    """Take the K at which the best moving average ends, or the best single fit where no window was filled.

    Of equals the smallest; None where no K was tried.
    """
    if not tried:
        return None
    scores: Any = fits if np.isnan(averages).all() else averages
    return tried[int(np.nanargmax(scores))]


@recorded
def scan_k(
    x: Any,
    *,
    ks: Sequence[int] = range(30, 301, 10),
    seed: int = 0,
    n_init: int = 1,
    memory_budget: int | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Fit k-means on all images for each K, and measure each fit in every way.

    Parameters
    ----------
    x : Embedding, or ndarray, shape (n, d), float32 or float64
        The embedding, as `prepare_rows` or `embed_images` gives it, or its matrix.
    ks : sequence of int, default 30, 40, …, 300
        K's, each from 2 to n - 1.
    seed : int, default 0
        Seed of each fit.
    n_init : int, default 1
        Starts of each fit.
    memory_budget : int, bytes, optional
        All n x n distances are kept where they fit in it; a third of the memory at hand by default.
    progress : bool, default True
        Show a progress bar.

    Returns
    -------
    DataFrame
        A row per K: ``k, clusters`` (fewer than K where fewer images are distinct), ``silhouette,
        macro_silhouette, calinski_harabasz, inertia`` (sum of squared distances to the centres), ``seconds``.

    Raises
    ------
    ValueError
        If a K is out of range.

    Source
    ------
    Casas et al.: the preliminary look at K from 30 to 300.

    Examples
    --------
    >>> x = np.repeat(np.eye(4), 5, axis=0) + np.linspace(0, 0.1, 20)[:, None]
    >>> scan = scan_k(x, ks=[2, 4, 8], progress=False)
    >>> int(scan.loc[scan["silhouette"].idxmax(), "k"])
    4
    """
    x = take_rows(x).x
    wrong = [k for k in ks if not 2 <= k <= len(x) - 1]
    if wrong or not len(ks):
        raise ValueError(f"Expected K's (ks) from 2 to n - 1 = {len(x) - 1}, got {wrong or 'none'}.")
    workspace, scale = open_workspace(x, memory_budget=memory_budget), find_scale(x)
    everyone = np.arange(len(x))
    rows = []
    for k in WorkBar(
        ks, desc="Scanning K", unit="fit", work=f"Scanning {len(ks)} values of K", progress=progress
    ):
        started = time.perf_counter()
        fit = fit_kmeans(
            workspace.rows, k, seed=seed, n_init=n_init, measure=measure_squares(workspace, everyone)
        )
        n_clusters = len(fit.centers)
        measures = dict.fromkeys(GOODNESS_MEASURES, np.nan)
        if n_clusters >= 2:
            sums = sum_distances(workspace, everyone, to_host(fit.labels), n_clusters=n_clusters)
            for name in measures:
                measures[name] = measure_goodness(workspace.rows[:], fit.labels, sums=sums, name=name)
        measures["inertia"] = fit.inertia
        measures["inertia"] = measures["inertia"] / scale / scale
        rows.append({"k": k, "clusters": n_clusters, **measures, "seconds": time.perf_counter() - started})
    return pd.DataFrame(rows)


@checked
def suggest_knee(scan: pd.DataFrame, *, measure: str = "inertia") -> int | None:
    """Suggest the K at which a curve has a knee: where it is farthest from the line between its ends.

    Every curve that falls ever more slowly is farthest from that line somewhere, with or without a knee. So
    there is one only where two lines that meet there leave half the squared error of a smooth curve or less,
    and where the distance is a tenth of the curve's height or more; three K's alone cannot tell. A
    suggestion, not a test: look at the curve.

    Parameters
    ----------
    scan : DataFrame
        From `scan_k`, with three K's or more.
    measure : str, default "inertia"
        Which column.

    Returns
    -------
    int or None
        The K; None where the curve has no knee.

    Raises
    ------
    ValueError
        If there are fewer than three K's with a value.

    Source
    ------
    Satopää et al. (2011), Finding a "kneedle" in a haystack, ICDCS Workshops, without its smoothing; the
    comparison with a smooth curve (a quadratic of K or of log K, with as many parameters) is ours.

    Examples
    --------
    >>> suggest_knee(pd.DataFrame({"k": [10, 20, 30, 40], "inertia": [100, 40, 35, 30]}))
    20
    >>> suggest_knee(pd.DataFrame({"k": [10, 20, 40, 80, 160], "inertia": [80, 70, 60, 50, 40]}))
    """
    check_columns(scan, ("k", measure), "the scan (as measure names it)")
    curve = scan[["k", measure]].dropna().sort_values("k")
    if len(curve) < 3:
        raise ValueError(f"Expected at least three K's with a value of {measure}, got {len(curve)}.")
    k, value = curve["k"].to_numpy(float), curve[measure].to_numpy(float)
    spread = float(np.ptp(value))
    if spread == 0 or k[0] == k[-1]:
        return None
    across = (k - k[0]) / (k[-1] - k[0])
    away = np.abs(value - (value[0] + across * (value[-1] - value[0]))) / spread
    place = int(np.argmax(away))
    lines = np.column_stack([np.ones_like(across), across, np.clip(across - across[place], 0, None)])
    logs = np.log(k / k[0])
    smooth = min(
        _miss(np.column_stack([np.ones_like(each), each, each**2]), value / spread) for each in (across, logs)
    )
    if away[place] < _LEAST_BEND or _miss(lines, value / spread) > smooth / 2:
        return None
    return int(k[place])


def _miss(columns: np.ndarray, value: np.ndarray) -> float:
    """Give the sum of squares that a least-squares fit leaves; what is but rounding counts as nothing."""
    fitted = columns @ np.linalg.lstsq(columns, value, rcond=None)[0]
    return max(float(((value - fitted) ** 2).sum()), 1e-12)
