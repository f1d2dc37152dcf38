"""Figures of the clustering steps, drawn from their tables."""

import altair as alt
import pandas as pd

from visclust.base.charts import _GRAY, _ORANGE
from visclust.base.tables import UNASSIGNED


def plot_iterations(log: pd.DataFrame, *, width: int = 260, height: int = 220) -> alt.HConcatChart:
    """Draw what each iteration did: images left, K and cohesive clusters, mean size of the cohesive.

    Parameters
    ----------
    log : DataFrame
        The log of `cluster_iteratively`.
    width, height : int, pixels
        Of each of the three panels.

    Returns
    -------
    altair.Chart
        Three panels side by side.

    Source
    ------
    Casas et al., Figure 6.

    Examples
    --------
    >>> log = pd.DataFrame({"iteration": [1, 2], "remaining": [90, 40], "k": [20, 10], "cohesive": [9, 2],
    ...                     "mean_cohesive_size": [5.5, 4.0]})
    >>> len(plot_iterations(log).hconcat)
    3
    """
    table = log[["iteration", "remaining", "k", "cohesive", "mean_cohesive_size"]]
    step = alt.X("iteration:Q", title="Iteration", axis=alt.Axis(format="d", tickMinStep=1))
    base = alt.Chart(table).encode(x=step)
    remaining = (
        base.mark_line(color="black", point=alt.OverlayMarkDef(color="black", size=25))
        .encode(y=alt.Y("remaining:Q", title="Remaining images", scale=alt.Scale(zero=True)))
        .properties(width=width, height=height, title="Images that remain")
    )
    counts = base.transform_fold(["k", "cohesive"], as_=["kind", "count"]).transform_calculate(
        kind="datum.kind === 'k' ? 'All (K)' : 'Cohesive'"
    )
    clusters = (
        counts.mark_line(point=alt.OverlayMarkDef(size=25))
        .encode(
            y=alt.Y("count:Q", title="Clusters"),
            color=alt.Color(
                "kind:N",
                title=None,
                scale=alt.Scale(domain=["All (K)", "Cohesive"], range=[_GRAY, _ORANGE]),
                legend=alt.Legend(orient="bottom"),
            ),
        )
        .properties(width=width, height=height, title="Clusters found")
    )
    sizes = (
        base.mark_line(color=_ORANGE, point=alt.OverlayMarkDef(color=_ORANGE, size=25))
        .encode(y=alt.Y("mean_cohesive_size:Q", title="Images per cohesive cluster, mean"))
        .properties(width=width, height=height, title="Size of the cohesive")
    )
    return alt.hconcat(remaining, clusters, sizes, spacing=30).resolve_scale(color="independent")


def plot_k_curve(curve: pd.DataFrame, *, width: int = 420, height: int = 240) -> alt.LayerChart:
    """Draw how the fit and its moving average climb with K, and which K was taken.

    Parameters
    ----------
    curve : DataFrame
        ``k, fit, moving_average, chosen`` (True in one row), as `list_k_curve` makes it.
    width, height : int, pixels
        Size.

    Returns
    -------
    altair.Chart
        One panel.

    Source
    ------
    Casas et al., Figure 3, inner loop.

    Examples
    --------
    >>> curve = pd.DataFrame({"k": [5, 10], "fit": [0.1, 0.2], "moving_average": [None, 0.15],
    ...                       "chosen": [False, True]})
    >>> type(plot_k_curve(curve)).__name__
    'LayerChart'
    """
    base = alt.Chart(curve).encode(x=alt.X("k:Q", title="Number of clusters K"))
    fit = base.mark_circle(color=_GRAY, size=50, opacity=1).encode(
        y=alt.Y("fit:Q", title="Goodness of fit on the sample", scale=alt.Scale(zero=False)),
        tooltip=["k", alt.Tooltip("fit:Q", format=".4f")],
    )
    average = base.mark_line(color="black").encode(y="moving_average:Q")
    chosen = base.transform_filter("datum.chosen").mark_rule(color=_ORANGE, size=2)
    name = (
        base.transform_filter("datum.chosen")
        .transform_calculate(name="'K = ' + datum.k")
        .mark_text(align="right", dx=-6, baseline="bottom", color=_ORANGE, fontWeight="bold")
        .encode(y=alt.value(height - 4), text="name:N")
    )
    return (chosen + average + fit + name).properties(
        width=width, height=height, title="Fit (dots), its moving average (line), the K taken"
    )


def plot_sample_coverage(
    comparison: pd.DataFrame, *, width: int = 620, height: int = 130
) -> alt.VConcatChart:
    """Draw how many images of each cluster two samples of one size hold, one above the other.

    Parameters
    ----------
    comparison : DataFrame
        From `compare_samples`.
    width, height : int, pixels
        Of each panel.

    Returns
    -------
    altair.Chart
        Two panels; clusters without an image are marked.

    Source
    ------
    After the stratified sampling of Casas et al.

    Examples
    --------
    >>> comparison = pd.DataFrame({"cluster": [0], "size": [4], "stratified": [3], "random": [0],
    ...                            "chance_missed": [0.1]})
    >>> len(plot_sample_coverage(comparison).vconcat)
    2
    """
    base = alt.Chart(comparison).transform_window(rank="row_number()")
    # Half a cluster of room at both ends; bars that touch neither each other nor, where many, vanish.
    axis = alt.Scale(domain=[0.5, len(comparison) + 0.5], nice=False, zero=False, padding=0)
    thick = max(1.0, min(40.0, 0.9 * width / max(1, len(comparison))))

    def draw(name: str, title: str) -> alt.LayerChart:
        ticks = alt.Axis(tickMinStep=1, format="d", grid=False)
        x = alt.X("rank:Q", title="Clusters, the largest first", axis=ticks, scale=axis)
        panel = base.encode(x=x)
        bars = panel.mark_bar(color=_GRAY, size=thick).encode(
            y=alt.Y(f"{name}:Q", title="Images drawn", axis=alt.Axis(tickMinStep=1)),
            tooltip=["cluster:Q", "size:Q", f"{name}:Q", alt.Tooltip("chance_missed:Q", format=".1%")],
        )
        missed = (
            panel.transform_filter(f"datum.{name} === 0")
            .mark_point(shape="triangle-up", color=_ORANGE, filled=True, size=45, yOffset=-5)
            .encode(y=alt.datum(0))
        )
        return (bars + missed).properties(width=width, height=height, title=title)

    return alt.vconcat(
        draw("stratified", "Stratified by cluster (triangles: clusters without an image)"),
        draw("random", "Simple random sample of the same size"),
    ).resolve_scale(y="shared")


def plot_cluster_sizes(summary: pd.DataFrame, *, width: int = 620, height: int = 200) -> alt.LayerChart:
    """Draw the sizes of the clusters, the largest first, and name the number of unassigned images.

    Parameters
    ----------
    summary : DataFrame
        From `summarize_clusters`.
    width, height : int, pixels
        Size.

    Returns
    -------
    altair.Chart
        One panel.

    Examples
    --------
    >>> summary = pd.DataFrame({"cluster": [0, -1], "size": [4, 2], "silhouette": [0.1, None]})
    >>> type(plot_cluster_sizes(summary)).__name__
    'LayerChart'
    """
    unassigned = f"datum.cluster === {UNASSIGNED}"
    base = alt.Chart(summary[["cluster", "size", "silhouette"]])
    bars = (
        base.transform_filter(f"!({unassigned})")
        .transform_window(rank="row_number()")
        .mark_bar(color=_GRAY)
        .encode(
            x=alt.X("rank:Q", title="Clusters, the largest first", axis=alt.Axis(tickMinStep=1, format="d")),
            y=alt.Y("size:Q", title="Images"),
            tooltip=["cluster:Q", "size:Q", alt.Tooltip("silhouette:Q", format=".3f")],
        )
    )
    note = (
        base.transform_filter(unassigned)
        .transform_calculate(note="datum.size + ' images are unassigned'")
        .mark_text(align="right", baseline="top", color=_ORANGE)
        .encode(x=alt.value(width - 5), y=alt.value(5), text="note:N")
    )
    return (bars + note).properties(width=width, height=height, title="Sizes of the clusters")
