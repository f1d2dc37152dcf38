"""Figure of the emotions that each cluster evokes."""

import altair as alt
import pandas as pd

from visclust.rating_titles import title_ratings

__all__ = ["plot_emotion_heatmap"]

_RED = "#d01c1c"
# Okabe and Ito's colours for all kinds of colour vision, without black and without those near red and gray.
_MARKS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#B5A800"]
_ROW = 18  # pixels


def plot_emotion_heatmap(
    cells: pd.DataFrame,
    *,
    lines: pd.DataFrame,
    chosen: pd.DataFrame | None = None,
    thumbnails: pd.DataFrame | None = None,
    width: int = 900,
) -> alt.VConcatChart:
    """Draw every cluster's emotions as a column, the largest cluster first: darker is stronger.

    Parameters
    ----------
    cells, lines, chosen : DataFrame
        What `tabulate_emotion_heatmap` returns.
    thumbnails : DataFrame, optional
        From `encode_cluster_thumbnails`, for the chosen clusters.
    width : int, pixels, default 900
        Of the heatmap.

    Returns
    -------
    altair.VConcatChart
        A panel per dimension; red lines where the largest clusters make up the shares; the chosen clusters
        framed in colour, with their pictures below. Pointing at a cell shows its numbers.

    Source
    ------
    Casas et al., Figure 9.

    Examples
    --------
    >>> cells = pd.DataFrame({"cluster": [0], "rank": [1], "size": [4], "dimension": ["enthusiasm"],
    ...     "item": ["proud"], "estimate": [2.0], "low": [1.0], "high": [3.0], "images": [2], "ratings": [9],
    ...     "simulated": [True]})
    >>> lines = pd.DataFrame({"share": [0.5], "rank": [1], "size_is": ["images"]})
    >>> len(plot_emotion_heatmap(cells, lines=lines).vconcat)
    2
    """
    last = int(cells["rank"].max())
    scale = alt.Scale(domain=[0.5, last + 0.5], nice=False, zero=False)
    size_is = str(lines["size_is"].iloc[0]) if len(lines) else "images"
    marked = pd.DataFrame(columns=["letter", "rank", "cluster", "size"]) if chosen is None else chosen
    letters = marked["letter"].tolist()
    colours = alt.Scale(domain=letters, range=[_MARKS[n % len(_MARKS)] for n in range(len(letters))])
    shade = alt.Scale(scheme="greys", domain=[float(cells["estimate"].min()), float(cells["estimate"].max())])
    panels: list[alt.LayerChart] = [_draw_heads(lines, marked, scale, colours, width)]
    groups = list(cells.groupby("dimension", sort=False))
    # The legend stands beside the tallest panel, which it does not stretch.
    tallest = max(range(len(groups)), key=lambda place: groups[place][1]["item"].nunique())
    for number, (dimension, part) in enumerate(groups):
        title = f"Clusters, the largest by {size_is} first" if number == len(groups) - 1 else None
        axis = alt.Axis(title=title, format="d", tickMinStep=1, grid=False) if title else None
        heat = _draw_cells(
            part, str(dimension), alt.X("left:Q", scale=scale, axis=axis), shade, legend=number == tallest
        )
        frames = _draw_frames(lines, marked, scale, colours)
        height = _ROW * part["item"].nunique()
        panels.append(alt.layer(heat, *frames).properties(width=width, height=height))
    if thumbnails is not None and len(thumbnails):
        panels.append(_draw_thumbnails(thumbnails, colours, width))
    shares = ", ".join(f"{share:.0%}" for share in lines["share"])
    what = {"images": "unique images", "posts": "images in posts"}[size_is]
    note = f"Darker is stronger. Red lines: where the largest clusters make up {shares} of the {what}"
    heading = title_ratings("What people felt about each cluster", cells, subtitle=[note])
    return alt.vconcat(*panels, spacing=5).properties(title=heading).resolve_scale(color="independent")


def _draw_heads(
    lines: pd.DataFrame, chosen: pd.DataFrame, scale: alt.Scale, colours: alt.Scale, width: int
) -> alt.LayerChart:
    """Name the red lines and the chosen clusters above the panels."""
    shown = alt.Chart(lines[["share", "rank"]]).transform_calculate(edge="datum.rank + 0.5")
    words = shown.mark_text(color=_RED, fontWeight="bold", baseline="bottom").encode(
        x=alt.X("edge:Q", scale=scale, axis=None),
        y=alt.value(12),
        text=alt.Text("share:Q", format=".0%"),
    )
    base = alt.Chart(chosen[["letter", "rank", "cluster", "size"]]).encode(
        x=alt.X("rank:Q", scale=scale, axis=None),
        color=alt.Color("letter:N", scale=colours, legend=None),
        tooltip=["letter:N", "cluster:Q", "size:Q"],
    )
    names = base.mark_text(fontSize=12, fontWeight="bold", baseline="bottom").encode(
        y=alt.value(26), text="letter:N"
    )
    points = base.mark_point(shape="triangle-down", filled=True, size=45, opacity=1).encode(y=alt.value(30))
    view = alt.ViewConfig(stroke=None)
    return alt.layer(words, names, points).properties(
        width=width, height=34 if len(chosen) else 13, view=view
    )


def _draw_cells(part: pd.DataFrame, dimension: str, x: alt.X, shade: alt.Scale, *, legend: bool) -> alt.Chart:
    shown = alt.Legend(title="Mean rating", gradientLength=48, format=".1f") if legend else None
    order = list(dict.fromkeys(part["item"]))
    numbers = ["estimate", "low", "high"]
    return (
        alt.Chart(part[["cluster", "rank", "size", "item", *numbers, "images", "ratings"]])
        .transform_calculate(left="datum.rank - 0.5", right="datum.rank + 0.5")
        .mark_rect()
        .encode(
            x=x,
            x2="right:Q",
            y=alt.Y("item:N", sort=order, title=dimension, axis=alt.Axis(ticks=False, minExtent=86)),
            color=alt.Color("estimate:Q", scale=shade, legend=shown),
            tooltip=[
                "item:N",
                *[alt.Tooltip(f"{name}:Q", format=".2f") for name in numbers],
                *[f"{name}:Q" for name in ("cluster", "size", "images", "ratings")],
            ],
        )
    )


def _draw_frames(
    lines: pd.DataFrame, chosen: pd.DataFrame, scale: alt.Scale, colours: alt.Scale
) -> list[alt.Chart]:
    """Draw the red lines, and a line in colour just inside both sides of each chosen cluster."""
    edge = alt.X("edge:Q", scale=scale)
    shown = alt.Chart(lines[["share", "rank"]]).transform_calculate(edge="datum.rank + 0.5")
    sides = alt.Chart(chosen[["letter", "rank"]])
    colour = alt.Color("letter:N", scale=colours, legend=None)
    return [
        shown.mark_rule(color="white", strokeWidth=3).encode(x=edge),  # sets red off in black-and-white print
        shown.mark_rule(color=_RED, strokeWidth=1.5).encode(
            x=edge, tooltip=alt.Tooltip("share:Q", format=".0%")
        ),
        *[
            sides.transform_calculate(edge=f"datum.rank {side} 0.46")
            .mark_rule(strokeWidth=1.5)
            .encode(x=edge, color=colour)
            for side in "-+"
        ],
    ]


def _draw_thumbnails(thumbnails: pd.DataFrame, colours: alt.Scale, width: int) -> alt.LayerChart:
    """Draw the chosen clusters' pictures side by side, under their letters."""
    block = width / (int(thumbnails["block"].max()) + 1)
    per_block = int(thumbnails["place"].max()) + 1
    side = min(96, (block - 14) / per_block)
    middle = f"datum.block * {block} + (datum.place + 0.5) * {side} + 4"
    base = alt.Chart(thumbnails[["letter", "cluster", "block", "place", "url"]]).transform_calculate(
        x=middle, left=f"datum.block * {block}", right=f"datum.block * {block} + {per_block * side + 8}"
    )
    scale = alt.Scale(domain=[0, width], nice=False)
    colour = alt.Color("letter:N", scale=colours, legend=None)
    frames = (
        base.transform_filter("datum.place === 0")
        .mark_rect(fillOpacity=0, strokeWidth=2)
        .encode(
            x=alt.X("left:Q", scale=scale, axis=None),
            x2="right:Q",
            y=alt.value(18),
            y2=alt.value(side + 26),
            stroke=alt.Stroke("letter:N", scale=colours, legend=None),
        )
    )
    names = (
        base.transform_filter("datum.place === 0")
        .transform_calculate(name="datum.letter + ': cluster ' + datum.cluster")
        .mark_text(align="left", baseline="bottom", fontWeight="bold")
        .encode(x=alt.X("left:Q", scale=scale), y=alt.value(15), text="name:N", color=colour)
    )
    pictures = base.mark_image(width=side - 4, height=side - 4, aspect=True).encode(
        x=alt.X("x:Q", scale=scale), y=alt.value(22 + side / 2), url="url:N"
    )
    view = alt.ViewConfig(stroke=None)
    return alt.layer(frames, names, pictures).properties(width=width, height=side + 30, view=view)
