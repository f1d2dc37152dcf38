"""Figures of sampling: what annotation costs, and what a sample says of the corpus."""

import altair as alt
import pandas as pd

__all__ = ["plot_annotation_cost"]

_GRAY, _ORANGE = "#757575", "#e6780a"
_DESIGNS = {"random": "Random sample", "stratified": "Stratified by cluster"}


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
    shown = curve.assign(name=curve["design"].map(_DESIGNS).fillna(curve["design"]))
    colour = alt.Color(
        "name:N",
        title=None,
        scale=alt.Scale(domain=list(_DESIGNS.values()), range=[_GRAY, _ORANGE]),
        legend=alt.Legend(orient="bottom"),
    )
    x = alt.X(
        "images:Q",
        title="Images annotated (log scale)",
        scale=alt.Scale(type="log", nice=False),
        axis=alt.Axis(format=",d", tickCount=6, grid=False),
    )
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
