"""Figures of sampling: what annotation costs, and which clusters a sample reaches."""

import altair as alt
import pandas as pd

from visclust.base.charts import GRAY, ORANGE, PALE_GRAY, colour_by, drawn, rank_clusters, scale_log
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
