"""Figures of what people felt, by group and by cluster; they say so where the ratings were simulated."""

import json
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from visclust.base.charts import (
    COLOURS,
    GRAY,
    SHAPES,
    arrange_legend,
    colour_by,
    describe_intervals,
    drawn,
    label_long,
    name_cluster,
    rank_clusters,
    title_chart,
)
from visclust.base.checks import checked
from visclust.base.tables import check_columns
from visclust.ratings.designs import find_simulated

_SIMULATED_NOTE = "SIMULATED ratings, made by a computer: nobody felt this"

_BLUE, _AMBER, _GREEN, _PURPLE, _VERMILION, _SKY = COLOURS

_OTHERS = [_BLUE, _VERMILION, _GREEN, _PURPLE, _AMBER]
_WEIGHTINGS = {
    "clusters": "Clusters weigh alike",
    "images": "Rated images weigh alike",
    "corpus": "Weighted to the corpus",
}

_RAW, _FOUND, _PULLED = "raw", "raw, adjusted p < 0.05", "pulled towards the mean, with interval"
_KINDS = {_RAW: _SKY, _FOUND: "#c95f00", _PULLED: "black"}

_RED = "#d01c1c"
# None near red or gray, which have a meaning in the heatmap.
_MARKS = [_BLUE, _AMBER, _GREEN, _PURPLE, _SKY, "#b5a800"]
_ROW = 18  # pixels
# Pictures in a row of them: so many are still large enough in a column of a journal.
_PICTURES_IN_ROW = 9
# The part of a heatmap in a column of a journal that the label of a share takes.
_LABEL = 0.12


@drawn
def plot_group_means(
    means: pd.DataFrame,
    *,
    weighting: str = "clusters",
    colours: Mapping[str, str] | None = None,
    width: int = 420,
    row: int = 26,
) -> alt.VConcatChart:
    """Draw each group's mean of every emotion with its interval; the dimensions are gray bands.

    Parameters
    ----------
    means : DataFrame
        The ``means`` of `compare_groups`.
    weighting : str, default "clusters"
        Which of its weightings to draw.
    colours : mapping of str to str, optional
        Colours by group, and their order; groups without one get one of the palette, after the others.
    width : int, pixels, default 420
        Of a band.
    row : int, pixels, default 26
        Height of an emotion.

    Returns
    -------
    altair.VConcatChart
        A band per dimension, with its emotions and, in bold below them, the mean of all of them.

    Raises
    ------
    ValueError
        If the table has no such weighting.

    Source
    ------
    Casas et al., Figure 10.

    Examples
    --------
    >>> means = pd.DataFrame({"weighting": "clusters", "level": "emotion", "dimension": "enthusiasm",
    ...     "item": "proud", "group": ["Democrat", "Republican"], "estimate": [3.0, 2.0], "low": [2.5, 1.5],
    ...     "high": [3.5, 2.5], "ratings": 9, "images": 4, "simulated": True})
    >>> len(plot_group_means(means).vconcat)
    1
    """
    check_columns(means, ("weighting", "dimension", "item", "group", "estimate", "low", "high"), "the means")
    table = means[means["weighting"].eq(weighting)]
    if table.empty:
        raise ValueError(
            f"Expected one of the weightings {', '.join(map(str, means['weighting'].unique()))}, "
            f"got {weighting!r}."
        )
    own = {str(group): colour for group, colour in (colours or {}).items()}
    present = set(table["group"])
    groups = [*(group for group in own if group in present), *sorted(present - own.keys())]
    others = iter([colour for colour in _OTHERS if colour not in own.values()] * len(groups) or _OTHERS)
    shown = {group: own.get(group) or next(others) for group in groups}
    shape = alt.Scale(domain=groups, range=[SHAPES[n % len(SHAPES)] for n in range(len(groups))])
    ends = [float(table["low"].min()), float(table["high"].max())]
    dimensions = list(dict.fromkeys(table["dimension"]))
    panels = []
    for number, dimension in enumerate(dimensions):
        part = table[table["dimension"].eq(dimension)]
        last = number == len(dimensions) - 1
        order = list(dict.fromkeys(part["item"]))
        axis = alt.Axis(
            title=f"Mean rating, {describe_intervals(means)}" if last else None,
            labels=last, ticks=last, domain=last,
            gridColor="white",
        )  # fmt: skip
        base = alt.Chart(
            part[["level", "item", "group", "estimate", "low", "high", "ratings", "images"]]
        ).encode(
            y=alt.Y(
                "item:N", sort=order, title=None,
                axis=alt.Axis(
                    ticks=False, domain=False, **label_long(wide=24, limit=150), labelLineHeight=10,
                    minExtent=50, labelFontWeight=alt.ExprRef(
                        f"datum.value === {json.dumps(str(dimension))} ? 'bold' : 'normal'"
                    ),
                ),
            ),
            yOffset=alt.YOffset("group:N", sort=groups),
            color=colour_by("group", shown, orient="top"),
            opacity=alt.value(1),
        )  # fmt: skip
        x = alt.X("low:Q", scale=alt.Scale(domain=ends, zero=False), axis=axis)
        thick = alt.condition("datum.level === 'dimension'", alt.value(3), alt.value(1.5))
        intervals = base.mark_rule().encode(x=x, x2="high:Q", strokeWidth=thick)
        points = base.mark_point(filled=True).encode(
            x=alt.X("estimate:Q"),
            shape=alt.Shape("group:N", scale=shape, title=None),
            size=alt.condition("datum.level === 'dimension'", alt.value(110), alt.value(65)),
            tooltip=[
                "item:N",
                "group:N",
                *_list_numbers("estimate", "low", "high"),
                "ratings:Q",
                "images:Q",
            ],
        )
        view = alt.ViewConfig(fill="#ececec", stroke=None)
        panels.append(
            alt.layer(intervals, points).properties(
                width=width, height=alt.Step(row, **{"for": "position"}), view=view
            )
        )
    subtitle = [_WEIGHTINGS.get(weighting, weighting)]
    title = _title_ratings("What each group felt", table, subtitle=subtitle)
    return (
        alt.vconcat(*panels, spacing=8).properties(title=title).resolve_legend(color="shared", shape="shared")
    )


@checked
def plot_party_means(means: pd.DataFrame, **options: Any) -> alt.VConcatChart:
    """Call `plot_group_means` by its former name, which goes in version 0.2.

    Parameters
    ----------
    means, **options
        Those of `plot_group_means`.

    Returns
    -------
    altair.VConcatChart
        What `plot_group_means` gives.

    Warns
    -----
    DeprecationWarning
        Always.

    Examples
    --------
    >>> with warnings.catch_warnings(action="error"):
    ...     plot_party_means(pd.DataFrame())
    Traceback (most recent call last):
    DeprecationWarning: plot_party_means is called plot_group_means now; the old name goes in version 0.2.
    """
    warnings.warn(
        "plot_party_means is called plot_group_means now; the old name goes in version 0.2.",
        DeprecationWarning,
        stacklevel=2,
    )
    return plot_group_means(means, **options)


@drawn
def plot_cluster_contrasts(
    contrasts: pd.DataFrame,
    *,
    items: Sequence[str] = ("enthusiasm", "aversion", "anxiety"),
    width: int = 860,
    height: int = 120,
) -> alt.VConcatChart:
    """Draw by how much groups differ in each cluster: raw, and pulled towards the mean with intervals.

    Parameters
    ----------
    contrasts : DataFrame
        From `contrast_clusters`, for one pair of groups.
    items : sequence of str, default ("enthusiasm", "aversion", "anxiety")
        Emotions or dimensions, a panel each.
    width, height : int, pixels
        Of each panel.

    Returns
    -------
    altair.VConcatChart
        A column per cluster, which bears its number, in one order over all panels: by the mean of what was
        pulled (``rank``). Blue dots are raw differences; those whose adjusted p value is below 0.05 are
        orange diamonds.

    Raises
    ------
    ValueError
        If an item is not in the table, or it holds several pairs of groups.

    Source
    ------
    After the footnotes on single clusters in Casas et al.

    Examples
    --------
    >>> contrasts = pd.DataFrame({"item": "proud", "group": "Democrat", "reference": "Republican",
    ...     "cluster": [0, 1], "estimate": [1.0, 0.0], "p_adjusted": [0.3, 0.9], "shrunk": [0.6, 0.4],
    ...     "low": [0.1, 0.0], "high": [1.0, 0.9], "images": 3, "ratings": 9, "simulated": True})
    >>> len(plot_cluster_contrasts(contrasts, items=["proud"]).vconcat)
    1
    """
    columns = ["item", "group", "reference", "cluster", "estimate"]
    columns += ["p_adjusted", "shrunk", "low", "high", "images", "ratings"]
    check_columns(contrasts, columns, "the contrasts")
    unknown = [item for item in items if item not in set(contrasts["item"])]
    if unknown:
        raise ValueError(
            f"{unknown[0]!r} is not in the table, which has {', '.join(contrasts['item'].unique())}."
        )
    pairs = contrasts[["group", "reference"]].drop_duplicates()
    if len(pairs) != 1:
        raise ValueError(f"Expected one pair of groups, got {len(pairs)}: keep the rows of one.")
    group, reference = pairs.iloc[0]
    numbers = ["estimate", "p_adjusted", "shrunk", "low", "high"]
    colour = alt.Scale(domain=list(_KINDS), range=list(_KINDS.values()))
    shape = alt.Scale(domain=list(_KINDS), range=["circle", "diamond", "circle"])
    legend = alt.Legend(orient="top", **arrange_legend(_KINDS))
    if "rank" in contrasts.columns:
        order = contrasts.drop_duplicates("cluster").sort_values("rank")["cluster"].tolist()
    else:  # a table of an older version
        order = sorted(contrasts["cluster"].unique())
    places = {cluster: place for place, cluster in enumerate(order, start=1)}
    panels = []
    for number, item in enumerate(items):
        part = contrasts.loc[contrasts["item"].eq(item), ["cluster", *numbers, "images", "ratings"]]
        part = part.assign(rank=part["cluster"].map(places))
        base = alt.Chart(part).transform_calculate(kind=f"datum.p_adjusted < 0.05 ? '{_FOUND}' : '{_RAW}'")
        last = number == len(items) - 1
        title = "Cluster, by the mean of the pulled differences" if last else None
        x = rank_clusters(order, title=title, labels=last)
        y_title = "Difference"
        raw = base.mark_point(filled=True, size=24, opacity=1).encode(
            x=x,
            y=alt.Y("estimate:Q", title=y_title),
            color=alt.Color("kind:N", title=None, scale=colour, legend=legend),
            shape=alt.Shape("kind:N", title=None, scale=shape, legend=legend),
            tooltip=[
                "cluster:Q",
                *_list_numbers(*numbers),
                "images:Q",
                "ratings:Q",
            ],
        )
        intervals = base.mark_rule(strokeWidth=1.2, color="#a8a8a8").encode(
            x=x, y=alt.Y("low:Q", title=y_title), y2="high:Q"
        )
        pulled = base.mark_circle(color="black", size=14, opacity=1).encode(x=x, y="shrunk:Q")
        zero = alt.Chart(part.head(1)).mark_rule(strokeDash=[4, 3], color=GRAY).encode(y=alt.datum(0))
        name = alt.TitleParams(item, anchor="start", fontSize=12)
        panels.append(
            alt.layer(intervals, zero, raw, pulled).properties(width=width, height=height, title=name)
        )
    said = [f"{group} minus {reference}; lines: {describe_intervals(contrasts)} of what was pulled"]
    heading = _title_ratings("Differences between groups, cluster by cluster", contrasts, subtitle=said)
    return alt.vconcat(*panels, spacing=8).properties(title=heading).resolve_scale(y="shared")


@drawn
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
    check_columns(cells, ("dimension", "item", "cluster", "rank", "estimate"), "the cells")
    check_columns(lines, ("share", "rank", "size_is"), "the lines")
    if chosen is not None:
        check_columns(chosen, ("letter", "rank", "cluster", "size"), "the chosen clusters")
    if thumbnails is not None and len(thumbnails):
        check_columns(thumbnails, ("letter", "cluster", "block", "place", "url"), "the thumbnails")
    last = int(cells["rank"].max())
    scale = alt.Scale(domain=[0.5, last + 0.5], nice=False, zero=False, padding=0)
    order = cells.drop_duplicates("cluster").sort_values("rank")["cluster"].tolist()
    size_is = str(lines["size_is"].iloc[0]) if len(lines) else "images"
    marked = pd.DataFrame(columns=["letter", "rank", "cluster", "size"]) if chosen is None else chosen
    letters = marked["letter"].tolist()
    colours = alt.Scale(domain=letters, range=[_MARKS[n % len(_MARKS)] for n in range(len(letters))])
    shade = alt.Scale(scheme="greys", domain=[float(cells["estimate"].min()), float(cells["estimate"].max())])
    panels: list[alt.LayerChart] = [_draw_heads(lines, marked, scale, colours, width, last)]
    groups = list(cells.groupby("dimension", sort=False))
    for number, (dimension, part) in enumerate(groups):
        title = f"Cluster, the largest by {size_is} first" if number == len(groups) - 1 else None
        x = alt.X("left:Q", scale=scale, axis=None)
        if title:
            x = rank_clusters(order, title=title, field="left")
        heat = _draw_cells(part, str(dimension), x, shade, legend=number == len(groups) - 1)
        frames = _draw_frames(lines, marked, scale, colours)
        panels.append(alt.layer(heat, *frames).properties(width=width, height=alt.Step(_ROW)))
    if thumbnails is not None and len(thumbnails):
        panels.append(_draw_thumbnails(thumbnails, colours, width))
    shares = ", ".join(f"{share:.0%}" for share in lines["share"])
    what = {"images": "unique images", "posts": "images in posts"}[size_is]
    note = f"Darker is stronger. Red lines: where the largest clusters make up {shares} of the {what}"
    heading = _title_ratings("What people felt about each cluster", cells, subtitle=[note])
    return alt.vconcat(*panels, spacing=5).properties(title=heading).resolve_scale(color="independent")


def _draw_heads(
    lines: pd.DataFrame, chosen: pd.DataFrame, scale: alt.Scale, colours: alt.Scale, width: int, last: int
) -> alt.LayerChart:
    """Name the red lines and the chosen clusters above the panels; what would touch gets rows."""
    shares = lines[["share", "rank"]].assign(row=_place_apart(lines["rank"], last * _LABEL))
    letters = chosen[["letter", "rank", "cluster", "size"]].assign(
        row=_place_apart(chosen["rank"], last * _LABEL / 2)
    )
    high = 12 * (1 + int(shares["row"].max())) if len(shares) else 0
    deep = 13 * (1 + int(letters["row"].max())) if len(letters) else 0
    shares["y"], letters["y"] = high - 12 * shares["row"], high + deep - 13 * letters["row"]
    pixels: dict[str, Any] = {
        "axis": None,
        "scale": alt.Scale(domain=[high + deep + 9, 0], nice=False, zero=False),
    }
    shown = alt.Chart(shares).transform_calculate(edge="datum.rank + 0.5")
    words = shown.mark_text(color=_RED, fontWeight="bold", baseline="bottom").encode(
        x=alt.X("edge:Q", scale=scale, axis=None),
        y=alt.Y("y:Q", **pixels),
        text=alt.Text("share:Q", format=".0%"),
    )
    base = alt.Chart(letters).encode(
        x=alt.X("rank:Q", scale=scale, axis=None),
        color=alt.Color("letter:N", scale=colours, legend=None),
        tooltip=["letter:N", "cluster:Q", "size:Q"],
    )
    names = base.mark_text(fontSize=12, fontWeight="bold", baseline="bottom").encode(
        y=alt.Y("y:Q", **pixels), text="letter:N"
    )
    points = base.mark_point(shape="triangle-down", filled=True, size=45, opacity=1).encode(
        y=alt.value(high + deep + 4)
    )
    view = alt.ViewConfig(stroke=None)
    return alt.layer(words, names, points).properties(width=width, height=high + deep + 9, view=view)


def _place_apart(ranks: pd.Series, gap: float) -> list[int]:
    """Give labels at these places rows from 0, so that two in one row are a gap apart."""
    ends: list[float] = []
    rows = dict.fromkeys(ranks.index, 0)
    for label, rank in ranks.sort_values(kind="stable").items():
        row = next((place for place, end in enumerate(ends) if rank - end >= gap), len(ends))
        ends[row : row + 1] = [float(rank)]
        rows[label] = row
    return [rows[label] for label in ranks.index]


def _draw_cells(part: pd.DataFrame, dimension: str, x: alt.X, shade: alt.Scale, *, legend: bool) -> alt.Chart:
    shown = None
    if legend:
        shown = alt.Legend(
            title="Mean rating", orient="bottom", direction="horizontal", gradientLength=120, format=".1f"
        )
    order = list(dict.fromkeys(part["item"]))
    numbers = ["estimate", "low", "high"]
    return (
        alt.Chart(part[["cluster", "rank", "size", "item", *numbers, "images", "ratings"]])
        .transform_calculate(left="datum.rank - 0.5", right="datum.rank + 0.5")
        .mark_rect()
        .encode(
            x=x,
            x2="right:Q",
            y=alt.Y(
                "item:N",
                sort=order,
                title=dimension,
                axis=alt.Axis(ticks=False, minExtent=60, **label_long(wide=20, limit=130), labelLineHeight=9),
            ),
            color=alt.Color("estimate:Q", scale=shade, legend=shown),
            tooltip=[
                "item:N",
                *_list_numbers(*numbers),
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
    """Draw the chosen clusters' pictures side by side, under their letters.

    Places are parts of the panel's width, whatever it becomes in print; a row holds what stays large enough.
    """
    n_blocks, per_block = int(thumbnails["block"].max()) + 1, int(thumbnails["place"].max()) + 1
    per_row = min(n_blocks, max(1, _PICTURES_IN_ROW // per_block))
    n_rows = -(-n_blocks // per_row)
    column, line = thumbnails["block"] % per_row, thumbnails["block"] // per_row
    table = thumbnails[["letter", "cluster", "block", "place", "url"]].assign(
        left=(column + 0.02) / per_row,
        right=(column + 0.98) / per_row,
        x=(column + 0.02 + 0.96 * (thumbnails["place"] + 0.5) / per_block) / per_row,
        line=line,
        name=[
            f"{letter}: {name_cluster(cluster)}"
            for letter, cluster in zip(thumbnails["letter"], thumbnails["cluster"], strict=True)
        ],
    )
    scale = alt.Scale(domain=[0, 1], nice=False)
    colour = alt.Color("letter:N", scale=colours, legend=None)
    base = alt.Chart(table)
    first = base.transform_filter("datum.place === 0")
    frames = first.mark_rect(fillOpacity=0, strokeWidth=2).encode(
        x=alt.X("left:Q", scale=scale, axis=None),
        x2="right:Q",
        y=alt.Y("line:O", axis=None, scale=alt.Scale(paddingInner=0.16, paddingOuter=0.1)),
        stroke=alt.Stroke("letter:N", scale=colours, legend=None),
    )
    names = first.mark_text(align="left", baseline="bottom", fontWeight="bold", fontSize=10).encode(
        x=alt.X("left:Q", scale=scale), y=alt.Y("line:O", bandPosition=0), text="name:N", color=colour
    )
    height = n_rows * min(110, 20 + width / (per_row * per_block))
    size = min(0.9 * width / (per_row * per_block), 0.8 * height / n_rows) - 4
    pictures = base.mark_image(width=size, height=size, aspect=True).encode(
        x=alt.X("x:Q", scale=scale), y=alt.Y("line:O"), url="url:N"
    )
    view = alt.ViewConfig(stroke=None)
    return alt.layer(frames, names, pictures).properties(width=width, height=height, view=view)


def _list_numbers(*names: str) -> list[alt.Tooltip]:
    """List columns of ratings as what pointing at a mark shows."""
    return [alt.Tooltip(f"{name}:Q", format=".2f") for name in names]


def _title_ratings(text: str, table: pd.DataFrame, *, subtitle: Sequence[str] = ()) -> alt.TitleParams:
    """Title a figure, with a note below wherever its table rests on simulated ratings."""
    find_simulated(table)  # refuses a table that does not say
    title = title_chart(text, table, subtitle=subtitle, note=_SIMULATED_NOTE)
    title.subtitleColor, title.offset = "#444", 8
    return title
