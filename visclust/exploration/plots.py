"""Figures of the use of frames by ideology, and of the words by which clusters differ."""

from collections.abc import Iterable
from typing import Literal

import altair as alt
import pandas as pd

from visclust.base.charts import (
    GRAY,
    ORANGE,
    colour_by,
    describe_intervals,
    drawn,
    label_long,
    name_cluster,
    title_chart,
)
from visclust.base.tables import check_columns

_SCALES: dict[str, tuple[str, float, Literal["linear", "log"], str]] = {
    "effect": ("Change of the probability per SD of ideology, in percentage points", 0.0, "linear", "+.1f"),
    "odds_ratio": ("Odds ratio per SD of ideology", 1.0, "log", ".2~f"),
}
_RATIOS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 10, 20, 50, 100]


@drawn
def plot_frame_effects(
    effects: pd.DataFrame,
    *,
    measure: str = "effect",
    level: float = 0.05,
    width: int = 380,
    row_height: int = 26,
) -> alt.LayerChart:
    """Draw the effect of ideology on the use of each frame, with its interval.

    Parameters
    ----------
    effects : DataFrame
        The ``effects`` of `model_frame_use`.
    measure : {"effect", "odds_ratio"}, default "effect"
        The average marginal effect in percentage points, or the odds ratio on a log scale.
    level : float, default 0.05
        Frames whose adjusted p-value is below it are coloured.
    width, row_height : int, pixels
        Width, and height of a frame's row.

    Returns
    -------
    altair.LayerChart
        A row per frame that was tested, from the largest effect to the smallest; those not tested are named
        below. Pointing at one shows its numbers.

    Raises
    ------
    ValueError
        If the measure is unknown, or no frame was tested.

    Source
    ------
    See `model_frame_use`.

    Examples
    --------
    >>> effects = pd.DataFrame({"frame": ["protest"], "posts": [90], "users": [30], "uses": [40],
    ...     "users_using": [20], "odds_ratio": [1.5], "odds_ratio_low": [1.1], "odds_ratio_high": [2.0],
    ...     "effect": [0.1], "effect_low": [0.02], "effect_high": [0.18], "p_adjusted": [0.01],
    ...     "reason": [""]})
    >>> len(plot_frame_effects(effects).layer)
    3
    """
    columns = ["frame", "posts", "users", "uses", "users_using", "p_adjusted", "reason"]
    check_columns(effects, columns, "the effects")
    if measure not in _SCALES:
        raise ValueError(f"Expected one of the measures {', '.join(_SCALES)}, got {measure!r}.")
    tested = effects.loc[effects["reason"].eq("")]
    if tested.empty:
        raise ValueError("Expected a frame that was tested, got none: see the reasons in the table.")
    title, none, scale, style = _SCALES[measure]
    told, untold = f"below {level:g}", f"{level:g} or above"
    unit = 100 if measure == "effect" else 1
    table = tested[["frame", "posts", "users", "uses", "users_using", "p_adjusted"]].assign(
        estimate=unit * tested[measure],
        low=unit * tested[f"{measure}_low"],
        high=unit * tested[f"{measure}_high"],
        told=tested["p_adjusted"].lt(level).map({True: told, False: untold}),
    )
    order = table.sort_values("estimate", ascending=False)["frame"].tolist()
    axis = alt.Axis(format=style, tickCount=6)
    if scale == "log":  # on a log axis the ticks chosen by Vega leave gaps above 1
        axis = alt.Axis(format=style, values=_RATIOS)
    span = alt.Scale(type=scale, zero=False, nice=False, padding=12)
    x = alt.X("estimate:Q", title=title, scale=span, axis=axis)
    base = alt.Chart(table).encode(
        y=alt.Y("frame:N", title=None, sort=order, axis=alt.Axis(**label_long(), labelLineHeight=10))
    )
    colour = colour_by("told", {told: ORANGE, untold: GRAY}, title="Adjusted p-value")
    intervals = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title=title, scale=span, axis=axis),
        x2="high:Q",
        color=colour,
    )
    discs = base.mark_circle(size=80, opacity=1).encode(
        x=x,
        color=colour,
        tooltip=[
            alt.Tooltip("frame:N", title="Frame"),
            alt.Tooltip("estimate:Q", title="Estimate", format=style),
            alt.Tooltip("low:Q", title="Low", format=style),
            alt.Tooltip("high:Q", title="High", format=style),
            alt.Tooltip("p_adjusted:Q", title="Adjusted p-value", format=".3g"),
            alt.Tooltip("uses:Q", title="Posts with the frame"),
            alt.Tooltip("users_using:Q", title="Users who use it"),
        ],
    )
    line = alt.Chart(pd.DataFrame({"none": [none]})).mark_rule(color="black", strokeDash=[4, 4])
    left_out = effects.loc[effects["reason"].ne(""), "frame"].tolist()
    subtitle = [
        (
            f"{table['posts'].max():,} posts by {table['users'].max():,} users. "
            f"Lines: {describe_intervals(effects)}"
        )
    ]
    if "rests_on" in effects.columns:
        subtitle.append("; ".join(dict.fromkeys(effects["rests_on"])).capitalize())
    if left_out:
        subtitle.append("Not tested: " + ", ".join(map(str, left_out)))
    heading = title_chart("Ideology and the use of frames", effects, subtitle=subtitle)
    return alt.layer(line.encode(x="none:Q"), intervals, discs).properties(
        width=width, height=alt.Step(row_height), title=heading
    )


@drawn
def plot_frame_use(
    curves: pd.DataFrame, *, own_scales: bool = False, columns: int = 3, width: int = 190, height: int = 120
) -> alt.ConcatChart:
    """Draw the predicted share of posts with each frame over ideology, with its interval.

    Parameters
    ----------
    curves : DataFrame
        The ``curves`` of `model_frame_use`.
    own_scales : bool, default False
        Whether each panel has its own vertical scale, to see rare frames; otherwise all can be compared.
    columns : int, default 3
        Panels per row.
    width, height : int, pixels
        Of each panel.

    Returns
    -------
    altair.ConcatChart
        A panel per frame, all over the same ideology.

    Raises
    ------
    ValueError
        If there is no curve.

    Source
    ------
    See `model_frame_use`.

    Examples
    --------
    >>> curves = pd.DataFrame({"frame": ["protest", "protest"], "ideology": [-1.0, 1.0],
    ...     "probability": [0.2, 0.3], "low": [0.1, 0.2], "high": [0.3, 0.4]})
    >>> type(plot_frame_use(curves)).__name__
    'ConcatChart'
    """
    check_columns(curves, ("frame", "ideology", "probability", "low", "high"), "the curves")
    if curves.empty:
        raise ValueError("Expected the curve of a frame, got none: no frame was tested.")
    ends = [float(curves["ideology"].min()), float(curves["ideology"].max())]
    # The values alone stand on the axis of each panel: what it is, the figure says once.
    scale, axis = alt.Scale(domain=ends, nice=False), alt.Axis(tickCount=4)
    title = "Predicted share of posts"
    wanted = list(dict.fromkeys(curves["frame"]))
    top = float(curves["high"].max())
    panels = []
    for place, frame in enumerate(wanted):
        table = curves.loc[curves["frame"].eq(frame), ["frame", "ideology", "probability", "low", "high"]]
        highest = float(table["high"].max()) if own_scales else top
        y_scale = alt.Scale(domain=[0, highest], nice=True)
        y_axis = alt.Axis(format=".1%" if highest < 0.03 else "%", tickCount=4)
        low = place >= len(wanted) - columns
        x = alt.X("ideology:Q", title="Ideology" if low else None, scale=scale, axis=axis)
        side = title if place % columns == 0 else None
        base = alt.Chart(table)
        band = base.mark_area(color=ORANGE, opacity=0.25).encode(
            x=x, y=alt.Y("low:Q", title=side, axis=y_axis, scale=y_scale), y2="high:Q"
        )
        line = base.mark_line(color=ORANGE).encode(
            x=x,
            y=alt.Y("probability:Q", title=side, axis=y_axis, scale=y_scale),
            tooltip=[
                alt.Tooltip("frame:N", title="Frame"),
                alt.Tooltip("ideology:Q", title="Ideology", format=".2f"),
                alt.Tooltip("probability:Q", title=title, format=".1%"),
                alt.Tooltip("low:Q", title="Low", format=".1%"),
                alt.Tooltip("high:Q", title="High", format=".1%"),
            ],
        )
        name = alt.TitleParams(str(frame), anchor="start", fontSize=11)
        panels.append(alt.layer(band, line).properties(width=width, height=height, title=name))
    said = [f"Lines: {title.lower()} over ideology; bands: {describe_intervals(curves)}"]
    if own_scales:
        said.append("Each panel has a vertical scale of its own")
    heading = title_chart("Use of frames by ideology", curves, subtitle=said)
    return alt.concat(*panels, columns=columns, spacing=16).properties(title=heading)


@drawn
def plot_words(
    words: pd.DataFrame,
    *,
    clusters: Iterable[int] | None = None,
    names: dict[int, str] | None = None,
    columns: int = 3,
    width: int = 170,
    row_height: int = 18,
) -> alt.ConcatChart:
    """Draw the over-represented words of some clusters, a panel per cluster.

    Parameters
    ----------
    words : DataFrame
        From `list_overrepresented_words`, or the ``words`` of `describe_clusters`.
    clusters : iterable of int, optional
        Which clusters, in their order; those without words are left out. Otherwise the first six.
    names : dict, optional
        Names by cluster, which stand after the numbers: "Cluster 31: boats".
    columns : int, default 3
        Panels per row.
    width, row_height : int, pixels
        Width of a panel, and height of a word's row.

    Returns
    -------
    altair.ConcatChart
        Bars of z, on one scale for all panels. Pointing at a bar shows the counts.

    Raises
    ------
    ValueError
        If none of the clusters has a word.

    Source
    ------
    After the word lists of Monroe, Colaresi and Quinn (2008), see `weigh_log_odds`.

    Examples
    --------
    >>> words = pd.DataFrame({"cluster": [0], "rank": [1], "word": ["march"], "uses": [9], "share": [0.5],
    ...     "uses_elsewhere": [2], "share_elsewhere": [0.01], "log_odds": [2.0], "z": [4.0]})
    >>> len(plot_words(words).concat)
    1
    """
    check_columns(words, ("cluster", "word", "z", "uses", "share", "uses_elsewhere", "rank"), "the words")
    wanted = list(dict.fromkeys(words["cluster"]))[:6] if clusters is None else list(clusters)
    shown = words.loc[words["cluster"].isin(wanted)]
    if shown.empty:
        raise ValueError("Expected words of at least one of the clusters, got none: lower min_z or min_uses.")
    # One scale for all, so that the panels can be compared.
    scale = alt.Scale(domain=[0, float(shown["z"].max())], nice=True)
    panels = []
    for cluster in wanted:
        table = shown.loc[shown["cluster"].eq(cluster)]
        if table.empty:
            continue
        title = name_cluster(cluster, (names or {}).get(cluster))
        panels.append(
            alt.Chart(table.drop(columns="cluster"))
            .mark_bar(color=ORANGE)
            .encode(
                x=alt.X("z:Q", title="z of the log-odds ratio", scale=scale, axis=alt.Axis(tickCount=4)),
                y=alt.Y("word:N", title=None, sort=alt.SortField("rank"), axis=alt.Axis(labelLimit=110)),
                tooltip=[
                    alt.Tooltip("word:N", title="Word"),
                    alt.Tooltip("uses:Q", title="Uses in the cluster"),
                    alt.Tooltip("share:Q", title="Share", format=".1%"),
                    alt.Tooltip("uses_elsewhere:Q", title="Uses elsewhere"),
                    alt.Tooltip("share_elsewhere:Q", title="Share elsewhere", format=".1%"),
                    alt.Tooltip("log_odds:Q", title="Log-odds ratio", format=".2f"),
                    alt.Tooltip("z:Q", title="z", format=".2f"),
                ],
            )
            .properties(
                width=width,
                height=alt.Step(row_height),
                title=alt.TitleParams(title, anchor="start", fontSize=11),
            )
        )
    return alt.concat(*panels, columns=columns, spacing=24)
