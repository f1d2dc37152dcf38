"""Figures of iterations, the choice of K, sizes, a grid, several runs and drift, from their tables."""

from collections.abc import Sequence
from types import EllipsisType

import altair as alt
import pandas as pd

from visclust.base.charts import ORANGE, PALE_GRAY, colour_by, drawn, rank_clusters, scale_log
from visclust.base.tables import UNASSIGNED, check_columns

# Measures of fit: columns of `scan_k`.
_FITS = {
    "silhouette": "Mean silhouette",
    "macro_silhouette": "Mean silhouette, clusters weighted equally",
    "calinski_harabasz": "Calinski-Harabasz index",
    "inertia": "Inertia (sum of squares within clusters)",
}
# Panels of a grid: column, title, format.
_PANELS = (
    ("clusters", "Clusters", ".0f"),
    ("coverage", "Share of images assigned", ".0%"),
    ("seconds", "Seconds", ".1f"),
)
# Measures of agreement: columns of the pairs of `compare_runs`.
_AGREEMENTS = {
    "adjusted_rand": "Adjusted Rand index",
    "variation_of_information": "Variation of information, bits",
    "normalized_variation": "Variation of information, share",
    "matched": "Clusters found again",
    "assigned_both": "Share of images that both assign",
}
# Measures from 0 to 1: the same colour in every figure.
_SHARES = ("adjusted_rand", "normalized_variation", "assigned_both")
# Numbers in the cells are legible up to about this many runs.
_MOST_NUMBERS = 12


@drawn
def plot_iterations(log: pd.DataFrame, *, width: int = 260, height: int = 180) -> alt.HConcatChart:
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
    check_columns(log, ("iteration", "remaining", "k", "cohesive", "mean_cohesive_size"), "the log")
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
            color=colour_by("kind", {"All (K)": PALE_GRAY, "Cohesive": ORANGE}),
        )
        .properties(width=width, height=height, title="Clusters found")
    )
    sizes = (
        base.mark_line(color=ORANGE, point=alt.OverlayMarkDef(color=ORANGE, size=25))
        .encode(y=alt.Y("mean_cohesive_size:Q", title="Mean images per cluster"))
        .properties(width=width, height=height, title="Size of the cohesive clusters")
    )
    return alt.hconcat(remaining, clusters, sizes, spacing=30).resolve_scale(color="independent")


@drawn
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
    check_columns(curve, ("k", "fit", "moving_average", "chosen"), "the curve")
    base = alt.Chart(curve).encode(x=alt.X("k:Q", title="Number of clusters K"))
    fit = base.mark_circle(color=PALE_GRAY, size=50, opacity=1).encode(
        y=alt.Y("fit:Q", title="Goodness of fit on the sample", scale=alt.Scale(zero=False)),
        tooltip=["k", alt.Tooltip("fit:Q", format=".4f")],
    )
    average = base.mark_line(color="black").encode(y="moving_average:Q")
    chosen = base.transform_filter("datum.chosen").mark_rule(color=ORANGE, size=2)
    name = (
        base.transform_filter("datum.chosen")
        .transform_calculate(name="'K = ' + datum.k")
        .mark_text(align="right", dx=-6, baseline="bottom", color=ORANGE, fontWeight="bold")
        .encode(y=alt.value(height - 4), text="name:N")
    )
    return (chosen + average + fit + name).properties(
        width=width, height=height, title="Fit (dots), its moving average (line), the K taken"
    )


@drawn
def plot_k_scan(
    scan: pd.DataFrame,
    *,
    measures: Sequence[str] = ("silhouette", "inertia"),
    knee: int | EllipsisType | None = ...,
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
    knee : int or None, optional
        What `suggest_knee` gives: a K, which is marked, or None, which the figure says. Not given, neither.
    width, height : int, pixels
        Of each panel.

    Returns
    -------
    altair.Chart
        The panels side by side.

    Raises
    ------
    ValueError
        If `measures` names none of its columns.

    Source
    ------
    Casas et al.: the preliminary look at K from 30 to 300.

    Examples
    --------
    >>> scan = pd.DataFrame({"k": [10, 20], "silhouette": [0.1, 0.2], "inertia": [9.0, 5.0]})
    >>> len(plot_k_scan(scan, knee=20).hconcat)
    2
    """
    if not measures:
        raise ValueError("Expected at least one column of the scan in measures, got none.")
    check_columns(scan, ("k", *measures), "the scan (as measures name them)")
    panels: list[alt.LayerChart] = []
    for measure in measures:
        base = alt.Chart(scan[["k", measure]]).encode(x=alt.X("k:Q", title="Number of clusters K"))
        curve = base.mark_line(color="black", point=alt.OverlayMarkDef(color="black", size=25)).encode(
            y=alt.Y(f"{measure}:Q", title=_FITS.get(measure, measure), scale=alt.Scale(zero=False))
        )
        layers = [curve]
        if isinstance(knee, int):
            mark = alt.Chart(pd.DataFrame({"k": [knee], "name": [f"K = {knee}"]})).encode(x="k:Q")
            layers.append(mark.mark_rule(color=ORANGE, size=2))
            label = mark.mark_text(align="left", dx=6, baseline="top", color=ORANGE, fontWeight="bold")
            layers.append(label.encode(y=alt.value(4), text="name:N"))
        panels.append(alt.layer(*layers).properties(width=width, height=height))
    chart = alt.hconcat(*panels, spacing=30)
    if knee is ...:
        return chart
    said = "No knee: the curve bends nowhere more than elsewhere, so it speaks for no K"
    if knee is not None:
        said = f"Orange: K = {knee}, where the curve bends most"
    title = alt.TitleParams("How the fit changes with K", subtitle=[said], anchor="start")
    return chart.properties(title=title)


@drawn
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
        One panel. Sizes are on a log scale that starts at the smallest, so that one large cluster does not
        hide the others; each place bears the number of its cluster, where there is room.

    Examples
    --------
    >>> summary = pd.DataFrame({"cluster": [0, -1], "size": [4, 2], "silhouette": [0.1, None]})
    >>> type(plot_cluster_sizes(summary)).__name__
    'LayerChart'
    """
    check_columns(summary, ("cluster", "size", "silhouette"), "the summary")
    table = summary[["cluster", "size", "silhouette"]]
    inside = table[table["cluster"].ne(UNASSIGNED)].reset_index(drop=True)
    inside = inside.assign(rank=range(1, len(inside) + 1))
    scale, axis = scale_log(inside["size"])
    x = rank_clusters(inside["cluster"].tolist(), title="Cluster, the largest first")
    base = alt.Chart(inside).encode(x=x)
    dots = base.mark_circle(color="black", size=26, opacity=1).encode(
        y=alt.Y("size:Q", title="Images (log scale)", scale=scale, axis=axis),
        tooltip=["cluster:Q", "size:Q", alt.Tooltip("silhouette:Q", format=".3f")],
    )
    left = int(table.loc[table["cluster"].eq(UNASSIGNED), "size"].sum())
    said = [f"{len(inside):,} clusters of {int(inside['size'].sum()):,} images; {left:,} are unassigned"]
    title = alt.TitleParams("Sizes of the clusters", subtitle=said, anchor="start")
    return alt.layer(dots).properties(width=width, height=height, title=title)


@drawn
def plot_grid(table: pd.DataFrame, *, cell: int = 46) -> alt.VConcatChart:
    """Draw clusters, coverage and seconds of the iterative configurations as heatmaps.

    There is a row of heatmaps for each embedding and each preparation of its rows.

    Parameters
    ----------
    table : DataFrame
        From `grid_search`. Means over the seeds are drawn; the title says of how many.
    cell : int, pixels, default 46
        Width of a cell.

    Returns
    -------
    altair.Chart
        Heatmaps with their numbers; darker is more.

    Examples
    --------
    >>> table = pd.DataFrame({"method": ["iterative"], "embedding": ["pretrained"], "step_size": [5],
    ...                       "similarity_threshold": [0.03], "seed": [0], "clusters": [48],
    ...                       "coverage": [0.97], "seconds": [1.5]})
    >>> len(plot_grid(table).vconcat)
    1
    """
    columns = ["method", "embedding", "step_size", "similarity_threshold"]
    columns += ["seed", "clusters", "coverage", "seconds"]
    check_columns(table, columns, "the table of the grid")
    seeds = table["seed"].nunique()
    iterative = table.loc[table["method"].eq("iterative")]
    keys = [
        name
        for name in ("embedding", "rows", "step_size", "similarity_threshold")
        if name in iterative.columns
    ]
    measures = [name for name, _, _ in _PANELS]
    shown = iterative.groupby(keys, sort=False, as_index=False)[measures].mean()
    shown = shown.assign(
        step_size=shown["step_size"].astype(str),
        similarity_threshold=shown["similarity_threshold"].map("{:g}".format),
    )
    if "rows" in shown.columns and shown["rows"].nunique() > 1:
        prepared = ", " + shown["rows"].replace("none", "raw") + " rows"
        shown["embedding"] = shown["embedding"].astype(str) + prepared
    rows = []
    for name, data in shown.groupby("embedding", sort=False):
        columns = ["step_size", "similarity_threshold", *(name for name, _, _ in _PANELS)]
        panels = [_draw_panel(data[columns], *panel, cell=cell) for panel in _PANELS]
        row = alt.hconcat(*panels, spacing=24).resolve_scale(color="independent", x="shared", y="shared")
        rows.append(row.properties(title=alt.TitleParams(str(name), anchor="start")))
    chart = alt.vconcat(*rows)
    if seeds < 2:
        return chart
    said = alt.TitleParams("Each configuration", subtitle=[f"Means over {seeds} seeds"], anchor="start")
    return chart.properties(title=said)


def _draw_panel(data: pd.DataFrame, name: str, title: str, style: str, *, cell: int) -> alt.LayerChart:
    middle = float((data[name].min() + data[name].max()) / 2)
    base = alt.Chart(data).encode(
        x=alt.X(
            "similarity_threshold:O", title="Similarity threshold", axis=alt.Axis(labelAngle=0), sort=None
        ),
        y=alt.Y("step_size:O", title="Step size", sort=None),
    )
    color = alt.Color(f"{name}:Q", legend=None, scale=alt.Scale(scheme="greys"))
    numbers = _write_numbers(base, name, style, size=10, white_above=middle)
    n_columns = data["similarity_threshold"].nunique()
    return (base.mark_rect().encode(color=color) + numbers).properties(
        width=cell * n_columns, height=alt.Step(24), title=alt.TitleParams(title, fontSize=12)
    )


def _write_numbers(base: alt.Chart, name: str, style: str, *, size: int, white_above: float) -> alt.Chart:
    """Write a column's numbers into the cells of a heatmap, in white where these are dark."""
    return base.mark_text(fontSize=size).encode(
        text=alt.Text(f"{name}:Q", format=style),
        color=alt.condition(f"datum.{name} > {white_above}", alt.value("white"), alt.value("black")),
    )


@drawn
def plot_run_agreement(
    pairs: pd.DataFrame, *, measure: str = "adjusted_rand", size: int = 340
) -> alt.LayerChart:
    """Draw how far each pair of runs agrees, as a table of colours.

    Parameters
    ----------
    pairs : DataFrame
        The pairs of `compare_runs`.
    measure : str, default "adjusted_rand"
        One of its measures: adjusted_rand, variation_of_information, normalized_variation, matched,
        assigned_both.
    size : int, pixels
        Width and height.

    Returns
    -------
    altair.Chart
        One panel, the same above and below the diagonal. Darker is the larger number: more agreement, but
        for the two variations less.

    Raises
    ------
    ValueError
        If there is no such measure.

    Examples
    --------
    >>> pairs = pd.DataFrame({"run_a": ["one"], "run_b": ["other"], "images": [9], "adjusted_rand": [0.4]})
    >>> type(plot_run_agreement(pairs)).__name__
    'LayerChart'
    """
    if measure not in _AGREEMENTS:
        raise ValueError(f"Expected one of {', '.join(_AGREEMENTS)} as measure, got {measure!r}.")
    columns = ["run_a", "run_b", "images", measure]
    check_columns(pairs, columns, "the pairs of runs")
    turned = pairs.rename(columns={"run_a": "run_b", "run_b": "run_a"})
    table = pd.concat([pairs[columns], turned[columns]], ignore_index=True)
    runs = list(dict.fromkeys([*pairs["run_a"], *pairs["run_b"]]))
    whole = measure == "matched"
    largest = 1.0 if measure in _SHARES else float(table[measure].max())
    base = alt.Chart(table).encode(
        x=alt.X("run_a:N", title=None, sort=runs, axis=alt.Axis(labelAngle=-45, labelLimit=130)),
        y=alt.Y("run_b:N", title=None, sort=runs, axis=alt.Axis(labelLimit=130)),
    )
    number = ",.0f" if whole else ".2f"
    cells = base.mark_rect().encode(
        color=alt.Color(
            f"{measure}:Q",
            title=_AGREEMENTS[measure],
            scale=alt.Scale(scheme="oranges", domain=[0, largest], clamp=True),
            legend=alt.Legend(orient="bottom", gradientLength=200),
        ),
        tooltip=["run_a:N", "run_b:N", "images:Q", alt.Tooltip(f"{measure}:Q", format=number)],
    )
    layers = [cells]
    if len(runs) <= _MOST_NUMBERS:
        layers.append(_write_numbers(base, measure, number, size=10, white_above=0.6 * largest))
    return alt.layer(*layers).properties(
        width=size, height=size, title=f"{_AGREEMENTS[measure].split(',')[0]} between two runs"
    )


@drawn
def plot_theme_stability(themes: pd.DataFrame, *, width: int = 420, height: int = 260) -> alt.HConcatChart:
    """Draw how many themes are found in how many of the runs, and each theme by size and stability.

    Parameters
    ----------
    themes : DataFrame
        The themes of `compare_runs`.
    width, height : int, pixels
        Of the right panel; the left one is half as wide.

    Returns
    -------
    altair.Chart
        Two panels; darker is found in more runs. The line is at 0.5, where Hennig calls a cluster dissolved.

    Source
    ------
    Hennig (2007), Cluster-wise assessment of cluster stability, Computational Statistics & Data Analysis 52,
    258-271.

    Examples
    --------
    >>> themes = pd.DataFrame({"theme": [0], "runs": [2], "share": [1.0], "size": [9.0], "stability": [0.8],
    ...                        "run": ["one"], "cluster": [3]})
    >>> len(plot_theme_stability(themes).hconcat)
    2
    """
    check_columns(themes, ("theme", "runs", "share", "size", "stability", "run", "cluster"), "the themes")
    n_runs = round(float((themes["runs"] / themes["share"]).iloc[0]))
    color = alt.Color(
        "runs:Q",
        title="Runs that find it",
        scale=alt.Scale(scheme="oranges", domain=[0, n_runs]),
        legend=None,
    )
    base = alt.Chart(themes[["theme", "runs", "size", "stability", "run", "cluster"]])
    bars = (
        base.mark_bar(stroke="black", strokeWidth=0.6)
        .encode(
            x=alt.X("runs:O", title="Runs that find the theme", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("count():Q", title="Themes"),
            color=color,
            tooltip=["runs:O", alt.Tooltip("count():Q", title="themes")],
        )
        .properties(width=width // 2, height=height, title=f"Themes by runs, of {n_runs}")
    )
    scale, axis = scale_log(themes["size"])
    points = base.mark_circle(size=70, opacity=0.9, stroke="black", strokeWidth=0.6).encode(
        x=alt.X("size:Q", title="Images, median over the runs (log scale)", scale=scale, axis=axis),
        y=alt.Y("stability:Q", title="Mean largest Jaccard overlap", scale=alt.Scale(domain=[0, 1])),
        color=color,
        tooltip=[
            "theme:Q",
            "runs:Q",
            "size:Q",
            alt.Tooltip("stability:Q", format=".2f"),
            "run:N",
            "cluster:Q",
        ],
    )
    line = alt.Chart().mark_rule(color="black", strokeDash=[4, 3]).encode(y=alt.datum(0.5))
    title = alt.TitleParams("Each theme: size and stability", subtitle="Dashed: 0.5, below it dissolved")
    panel = (line + points).properties(width=width, height=height, title=title)
    return alt.hconcat(bars, panel, spacing=30)


@drawn
def plot_drift(drift: pd.DataFrame, *, width: int = 420, height: int = 160) -> alt.VConcatChart:
    """Draw by period the share of new images that are perhaps a new theme, and how far images are.

    Parameters
    ----------
    drift : DataFrame
        From `measure_drift`; images without a time are left out of the figure.
    width, height : int, pixels
        Of each of the two panels.

    Returns
    -------
    altair.Chart
        Shares and mean distances with their intervals. The dashed lines show what images like the members of
        their clusters would have.

    Examples
    --------
    >>> drift = pd.DataFrame({"period": pd.to_datetime(["2018-06-01"]), "images": 9, "share": 0.1, "low": 0.0,
    ...                       "high": 0.4, "expected": 0.01, "relative_distance": 1.1, "relative_low": 1.0,
    ...                       "relative_high": 1.2})
    >>> len(plot_drift(drift).vconcat)
    2
    """
    needed = ["period", "images", "share", "low", "high", "expected"]
    needed += ["relative_distance", "relative_low", "relative_high"]
    check_columns(drift, needed, "the drift")
    data = drift.loc[drift["period"].notna(), needed].assign(as_members=1.0)
    panels = []
    for value, low, high, expected, title, form in (
        ("share", "low", "high", "expected", "Perhaps a new theme", ".1%"),
        ("relative_distance", "relative_low", "relative_high", "as_members", "Distance, members = 1", ".2f"),
    ):
        base = alt.Chart(data).encode(x=alt.X("period:T", title="Beginning of the period"))
        axis = alt.Axis(format="%") if form.endswith("%") else alt.Axis()
        scale = alt.Scale(zero=form.endswith("%"))
        band = base.mark_rule(color=ORANGE).encode(
            y=alt.Y(f"{low}:Q", title=title, axis=axis, scale=scale), y2=f"{high}:Q"
        )
        line = base.mark_line(point=True, color=ORANGE).encode(
            y=alt.Y(f"{value}:Q", title=title, axis=axis, scale=scale),
            tooltip=[
                "period:T",
                "images:Q",
                *(alt.Tooltip(f"{each}:Q", format=form) for each in (value, low, high)),
            ],
        )
        usual = base.mark_line(color="black", strokeDash=[4, 3], strokeWidth=1).encode(
            y=alt.Y(f"{expected}:Q", title=title, axis=axis, scale=scale)
        )
        panels.append((usual + band + line).properties(width=width, height=height))
    return alt.vconcat(*panels)
