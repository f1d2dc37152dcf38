"""A preliminary scan of K on the whole corpus, with a suggestion where the curve bends."""

import time
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from visclust.base.backend import check_embedding, to_host
from visclust.goodness import GOODNESS_MEASURES, measure_goodness
from visclust.kmeans import fit_kmeans
from visclust.workspace import measure_squares, open_workspace, sum_distances

__all__ = ["plot_k_scan", "scan_k", "suggest_knee"]


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
    x : ndarray, shape (n, d), float32 or float64
        The embedding.
    ks : sequence of int, default 30, 40, …, 300
        K's, each from 2 to n - 1.
    seed : int, default 0
        Seed of each fit.
    n_init : int, default 1
        Starts of each fit.
    memory_budget : int, bytes, optional
        See `open_workspace`.
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
    check_embedding(x)
    wrong = [k for k in ks if not 2 <= k <= len(x) - 1]
    if wrong or not len(ks):
        raise ValueError(f"Expected K's from 2 to n - 1 = {len(x) - 1}, got {wrong or 'none'}.")
    workspace = open_workspace(x, memory_budget=memory_budget)
    everyone = np.arange(len(x))
    rows = []
    for k in tqdm(ks, desc="Scanning K", unit="fit", disable=not progress):
        started = time.perf_counter()
        fit = fit_kmeans(
            workspace.rows, k, seed=seed, n_init=n_init, measure=measure_squares(workspace, everyone)
        )
        n_clusters = len(fit.centers)
        measures = dict.fromkeys(GOODNESS_MEASURES, np.nan)
        if n_clusters >= 2:
            sums = sum_distances(workspace, everyone, to_host(fit.labels), n_clusters=n_clusters)
            for name in measures:
                measures[name] = measure_goodness(workspace.rows, fit.labels, sums=sums, name=name)
        measures["inertia"] = fit.inertia
        rows.append({"k": k, "clusters": n_clusters, **measures, "seconds": time.perf_counter() - started})
    return pd.DataFrame(rows)


def suggest_knee(scan: pd.DataFrame, *, measure: str = "inertia") -> int:
    """Suggest the K at which a curve bends most: where it is farthest from the line between its ends.

    A suggestion, not a test: look at the curve.

    Parameters
    ----------
    scan : DataFrame
        From `scan_k`, with three K's or more.
    measure : str, default "inertia"
        Which column.

    Returns
    -------
    int
        The K.

    Raises
    ------
    ValueError
        If there are fewer than three K's with a value.

    Source
    ------
    Satopää et al. (2011), Finding a "kneedle" in a haystack, ICDCS Workshops, without its smoothing.

    Examples
    --------
    >>> suggest_knee(pd.DataFrame({"k": [10, 20, 30, 40], "inertia": [100, 40, 35, 30]}))
    20
    """
    curve = scan[["k", measure]].dropna().sort_values("k")
    if len(curve) < 3:
        raise ValueError(f"Expected at least three K's with a value of {measure}, got {len(curve)}.")
    k, value = curve["k"].to_numpy(float), curve[measure].to_numpy(float)
    spread = float(np.ptp(value))
    if spread == 0:
        return int(k[0])
    across = (k - k[0]) / (k[-1] - k[0])
    line = value[0] + across * (value[-1] - value[0])
    return int(k[np.argmax(np.abs(value - line))])


_TITLES = {
    "silhouette": "Mean silhouette",
    "macro_silhouette": "Mean silhouette, clusters weighted equally",
    "calinski_harabasz": "Calinski-Harabasz index",
    "inertia": "Inertia (sum of squares within clusters)",
}


def plot_k_scan(
    scan: pd.DataFrame,
    *,
    measures: Sequence[str] = ("silhouette", "inertia"),
    knee: int | None = None,
    width: int = 320,
    height: int = 220,
) -> alt.HConcatChart:
    """Draw measures of fit against K.

    Parameters
    ----------
    scan : DataFrame
        From `scan_k`.
    measures : sequence of str
        Columns to draw, a panel each.
    knee : int, optional
        A K to mark, from `suggest_knee`.
    width, height : int, pixels
        Of each panel.

    Returns
    -------
    altair.Chart
        The panels side by side.

    Source
    ------
    Casas et al.: the preliminary look at K from 30 to 300.

    Examples
    --------
    >>> scan = pd.DataFrame({"k": [10, 20], "silhouette": [0.1, 0.2], "inertia": [9.0, 5.0]})
    >>> len(plot_k_scan(scan, knee=20).hconcat)
    2
    """
    panels: list[alt.LayerChart] = []
    for measure in measures:
        base = alt.Chart(scan[["k", measure]]).encode(x=alt.X("k:Q", title="Number of clusters K"))
        curve = base.mark_line(color="black", point=alt.OverlayMarkDef(color="black", size=25)).encode(
            y=alt.Y(f"{measure}:Q", title=_TITLES.get(measure, measure), scale=alt.Scale(zero=False))
        )
        layers = [curve]
        if knee is not None:
            mark = alt.Chart(pd.DataFrame({"k": [knee], "name": [f"K = {knee}"]})).encode(x="k:Q")
            layers.append(mark.mark_rule(color="#e6780a", size=2))
            label = mark.mark_text(align="left", dx=6, baseline="top", color="#e6780a", fontWeight="bold")
            layers.append(label.encode(y=alt.value(4), text="name:N"))
        panels.append(alt.layer(*layers).properties(width=width, height=height))
    return alt.hconcat(*panels, spacing=30)
