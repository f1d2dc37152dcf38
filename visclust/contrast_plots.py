"""Figures of how groups differ: their means, and their differences in each cluster."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from visclust.rating_titles import title_ratings

__all__ = ["plot_cluster_contrasts", "plot_party_means"]

# Blue and red that differ in lightness too, then colours of Okabe and Ito; groups differ in shape besides.
_PARTIES = {"Democrat": "#2166ac", "Republican": "#d6402b"}
_OTHERS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"]
_SHAPES = ["circle", "square", "triangle-up", "diamond", "cross"]
_WEIGHTINGS = {
    "clusters": "Clusters weigh alike",
    "images": "Rated images weigh alike",
    "corpus": "Weighted to the corpus",
}
_ORANGE, _BLUE, _GRAY = "#c95f00", "#56B4E9", "#757575"
_RAW, _FOUND, _PULLED = "raw", "raw, adjusted p < 0.05", "pulled towards the mean, with interval"


def plot_party_means(
    means: pd.DataFrame, *, weighting: str = "clusters", width: int = 420, row: int = 26
) -> alt.VConcatChart:
    """Draw each group's mean of every emotion with its interval; the dimensions are gray bands.

    Parameters
    ----------
    means : DataFrame
        The ``means`` of `compare_groups`.
    weighting : str, default "clusters"
        Which of its weightings to draw.
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
    >>> len(plot_party_means(means).vconcat)
    1
    """
    table = means[means["weighting"].eq(weighting)]
    if table.empty:
        raise ValueError(
            f"Expected one of the weightings {', '.join(map(str, means['weighting'].unique()))}, "
            f"got {weighting!r}."
        )
    groups = sorted(table["group"].unique())
    others = iter(_OTHERS * len(groups))
    colour = alt.Scale(domain=groups, range=[_PARTIES.get(group) or next(others) for group in groups])
    shape = alt.Scale(domain=groups, range=[_SHAPES[n % len(_SHAPES)] for n in range(len(groups))])
    ends = [float(table["low"].min()), float(table["high"].max())]
    dimensions = list(dict.fromkeys(table["dimension"]))
    panels = []
    for number, dimension in enumerate(dimensions):
        part = table[table["dimension"].eq(dimension)]
        last = number == len(dimensions) - 1
        order = list(dict.fromkeys(part["item"]))
        height = row * len(order)
        axis = alt.Axis(
            title="Mean rating and its interval" if last else None, labels=last, ticks=last, domain=last,
            gridColor="white",
        )  # fmt: skip
        base = alt.Chart(
            part[["level", "item", "group", "estimate", "low", "high", "ratings", "images"]]
        ).encode(
            y=alt.Y(
                "item:N", sort=order, title=None,
                axis=alt.Axis(
                    ticks=False, domain=False,
                    labelFontWeight=alt.ExprRef(f"datum.value === '{dimension}' ? 'bold' : 'normal'"),
                ),
            ),
            yOffset=alt.YOffset("group:N", sort=groups),
            color=alt.Color("group:N", scale=colour, title=None, legend=alt.Legend(orient="top")),
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
                *[alt.Tooltip(f"{name}:Q", format=".2f") for name in ("estimate", "low", "high")],
                "ratings:Q",
                "images:Q",
            ],
        )
        view = alt.ViewConfig(fill="#ececec", stroke=None)
        panels.append(alt.layer(intervals, points).properties(width=width, height=height, view=view))
    subtitle = [_WEIGHTINGS.get(weighting, weighting)]
    title = title_ratings("What each group felt", table, subtitle=subtitle)
    return (
        alt.vconcat(*panels, spacing=8).properties(title=title).resolve_legend(color="shared", shape="shared")
    )


def plot_cluster_contrasts(
    contrasts: pd.DataFrame,
    *,
    items: Sequence[str] = ("enthusiasm", "aversion", "anxiety"),
    width: int = 860,
    height: int = 150,
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
        A column per cluster, ordered by the estimate that was pulled. Blue dots are raw differences; those
        whose adjusted p value is below 0.05 are orange diamonds.

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
    kinds = [_RAW, _FOUND, _PULLED]
    colour = alt.Scale(domain=kinds, range=[_BLUE, _ORANGE, "black"])
    shape = alt.Scale(domain=kinds, range=["circle", "diamond", "circle"])
    legend = alt.Legend(orient="top", labelLimit=300)
    panels = []
    for number, item in enumerate(items):
        part = contrasts.loc[contrasts["item"].eq(item), ["cluster", *numbers, "images", "ratings"]]
        base = (
            alt.Chart(part)
            .transform_window(rank="row_number()", sort=[alt.SortField("shrunk", order="descending")])
            .transform_calculate(kind=f"datum.p_adjusted < 0.05 ? '{_FOUND}' : '{_RAW}'")
        )
        title = "Clusters, by the pulled difference" if number == len(items) - 1 else None
        x = alt.X(
            "rank:Q", title=title, axis=alt.Axis(format="d", tickMinStep=1, grid=False, labels=bool(title)),
            scale=alt.Scale(domain=[0.5, len(part) + 0.5], nice=False),
        )  # fmt: skip
        y_title = f"{group} - {reference}"
        raw = base.mark_point(filled=True, size=24, opacity=1).encode(
            x=x,
            y=alt.Y("estimate:Q", title=y_title),
            color=alt.Color("kind:N", title=None, scale=colour, legend=legend),
            shape=alt.Shape("kind:N", title=None, scale=shape, legend=legend),
            tooltip=[
                "cluster:Q",
                *[alt.Tooltip(f"{name}:Q", format=".2f") for name in numbers],
                "images:Q",
                "ratings:Q",
            ],
        )
        intervals = base.mark_rule(strokeWidth=1.2, color="#a8a8a8").encode(
            x=x, y=alt.Y("low:Q", title=y_title), y2="high:Q"
        )
        pulled = base.mark_circle(color="black", size=14, opacity=1).encode(x=x, y="shrunk:Q")
        zero = alt.Chart(part.head(1)).mark_rule(strokeDash=[4, 3], color=_GRAY).encode(y=alt.datum(0))
        name = alt.TitleParams(item, anchor="start", fontSize=12)
        panels.append(
            alt.layer(intervals, zero, raw, pulled).properties(width=width, height=height, title=name)
        )
    heading = title_ratings("Differences between groups, cluster by cluster", contrasts)
    return alt.vconcat(*panels, spacing=8).properties(title=heading).resolve_scale(y="shared")
