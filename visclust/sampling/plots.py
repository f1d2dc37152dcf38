"""Figures of sampling: what annotation costs, and which clusters a sample reaches."""

import altair as alt
import pandas as pd

from visclust.base.charts import (
    COLOURS,
    GRAY,
    ORANGE,
    PALE_GRAY,
    colour_by,
    drawn,
    rank_clusters,
    scale_log,
    title_chart,
)
from visclust.base.tables import check_columns

_DESIGNS = {"random": "Random sample", "stratified": "Stratified by cluster"}


@drawn
def plot_annotation_cost(curve: pd.DataFrame, *, width: int = 320, height: int = 240) -> alt.HConcatChart:
    """Draw what annotation brings: themes seen, and the chance of the goal, by images annotated.

    Parameters
    ----------
    curve : DataFrame
        The ``curve`` of `plan_annotation`.
    width, height : int, pixels
        Of each of the two panels.

    Returns
    -------
    altair.Chart
        Two panels. A rule with a number marks where each design reaches the goal.

    Source
    ------
    The annotation cost reduction of Casas et al.

    Examples
    --------
    >>> curve = pd.DataFrame({"design": ["random", "stratified"], "images": [40, 2], "share_seen": 1.0,
    ...                       "chance": 1.0, "reached": True})
    >>> len(plot_annotation_cost(curve).hconcat)
    2
    """
    check_columns(curve, ("design", "images"), "the curve")
    shown = curve.assign(name=curve["design"].map(_DESIGNS).fillna(curve["design"]))
    colour = colour_by("name", {_DESIGNS["random"]: GRAY, _DESIGNS["stratified"]: ORANGE})
    scale, axis = scale_log(shown["images"], grid=False)
    x = alt.X("images:Q", title="Images annotated (log scale)", scale=scale, axis=axis)
    # A number stands on the side of its rule where its own curve has not been.
    sides = {"random": {"align": "left", "dx": 4}, "stratified": {"align": "right", "dx": -4}}

    def draw(column: str, axis: str, title: str) -> alt.LayerChart:
        base = alt.Chart(shown).encode(x=x, color=colour)
        line = base.mark_line(strokeWidth=2).encode(
            y=alt.Y(f"{column}:Q", title=axis, axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
            strokeDash=alt.StrokeDash("name:N", title=None, legend=None),
            tooltip=[
                "name:N",
                alt.Tooltip("images:Q", format=",d"),
                alt.Tooltip(f"{column}:Q", format=".1%"),
            ],
        )
        goal = base.transform_filter("datum.reached")
        marks = [goal.mark_rule(strokeDash=[2, 3]), line]
        for design, side in sides.items():
            text = goal.transform_filter(f"datum.design === '{design}'").mark_text(
                baseline="bottom", fontWeight="bold", **side
            )
            marks.append(text.encode(y=alt.value(height - 6), text=alt.Text("images:Q", format=",d")))
        return alt.layer(*marks).properties(width=width, height=height, title=title)

    return alt.hconcat(
        draw("share_seen", "Themes seen, on average", "How many of the themes are seen"),
        draw("chance", "Chance to reach the goal", "How sure the goal is reached"),
        spacing=30,
    )


@drawn
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
    check_columns(comparison, ("cluster", "size", "stratified", "random", "chance_missed"), "the comparison")
    shown = comparison.assign(rank=range(1, len(comparison) + 1))
    shown["left"], shown["right"] = shown["rank"] - 0.45, shown["rank"] + 0.45
    numbers = shown["cluster"].tolist()

    def draw(name: str, title: str, *, last: bool = False) -> alt.LayerChart:
        said = "Cluster, the largest first" if last else None
        panel = alt.Chart(shown).encode(x=rank_clusters(numbers, title=said, labels=last))
        ends = rank_clusters(numbers, title=said, field="left", labels=last)
        bars = panel.mark_bar(color=PALE_GRAY).encode(
            x=ends,
            x2="right:Q",
            y2=alt.datum(0),
            y=alt.Y(f"{name}:Q", title="Images drawn", axis=alt.Axis(tickMinStep=1)),
            tooltip=["cluster:Q", "size:Q", f"{name}:Q", alt.Tooltip("chance_missed:Q", format=".1%")],
        )
        missed = (
            panel.transform_filter(f"datum.{name} === 0")
            .mark_point(shape="triangle-up", color=ORANGE, filled=True, size=45, yOffset=-5)
            .encode(y=alt.datum(0))
        )
        return (bars + missed).properties(width=width, height=height, title=title)

    return alt.vconcat(
        draw("stratified", "Stratified by cluster (triangles: clusters without an image)"),
        draw("random", "Simple random sample of the same size", last=True),
    ).resolve_scale(y="shared")


@drawn
def plot_label_cost(curve: pd.DataFrame, *, width: int = 480, height: int = 260) -> alt.LayerChart:
    """Draw the half-width of an interval over the number of labels: at random, stratified, and with guesses.

    Parameters
    ----------
    curve : DataFrame
        The ``curve`` of `plan_labels`.
    width, height : int, pixels
        Of the figure.

    Returns
    -------
    altair.Chart
        A line per design; the dot marks the labels that give the wanted interval, the legend says how many.

    Source
    ------
    After the annotation cost reduction of Casas et al.

    Examples
    --------
    >>> curve = pd.DataFrame({"design": "random", "images": [50, 200], "half_width": [0.1, 0.05],
    ...                       "reached": [False, True]})
    >>> len(plot_label_cost(curve).layer)
    2
    """
    check_columns(curve, ("design", "images", "half_width", "reached"), "the curve")
    names = {
        **_DESIGNS,
        "random with guesses": "Random sample, with guesses",
        "stratified with guesses": "Stratified by cluster, with guesses",
    }
    needed = curve[curve["reached"].astype(bool)].groupby("design")["images"].min()
    # Numbers stand in the legend: in the figure they would lie on each other where designs cost alike.
    spoken = {design: names.get(design, design) for design in curve["design"].unique()}
    spoken |= {design: f"{spoken[design]}: {images:,}" for design, images in needed.items()}
    colours = {"random": GRAY, "stratified": ORANGE, "random with guesses": COLOURS[0]}
    shown = curve.assign(name=curve["design"].map(spoken))
    scale, axis = scale_log(shown["images"], grid=False)
    base = alt.Chart(shown).encode(
        x=alt.X("images:Q", title="Images labelled (log scale)", scale=scale, axis=axis),
        y=alt.Y("half_width:Q", title="Half-width of the interval"),
        color=colour_by("name", {name: colours.get(design, COLOURS[2]) for design, name in spoken.items()}),
        tooltip=["name:N", alt.Tooltip("images:Q", format=",d"), alt.Tooltip("half_width:Q", format=".3f")],
    )
    dot = base.transform_filter("datum.reached").mark_point(filled=True, size=70, opacity=1)
    title = title_chart("What labels and guesses bring: images to label for the interval", curve)
    # Guesses that save nothing lie on the line without them, which shows through the dashes.
    guessed = alt.condition("indexof(datum.design, 'guesses') >= 0", alt.value([6, 6]), alt.value([1, 0]))
    line = base.mark_line(strokeWidth=2).encode(strokeDash=guessed)
    return alt.layer(line, dot).properties(width=width, height=height, title=title)
