"""Figures of the validation, drawn from the tables of the analysis functions."""

from typing import Any

import altair as alt
import pandas as pd

from visclust.base.charts import (
    GRAY,
    ORANGE,
    SHAPES,
    arrange_legend,
    choose_colours,
    describe_intervals,
    drawn,
    label_long,
    title_chart,
)
from visclust.base.tables import check_columns

_HINT = "Draw the table that the analysis function named in the documentation returns, made with settings."
_NOT_SET = "none (single k-means)"
_APART = "cannot be told apart"
_SIDES = {"above": (ORANGE, "circle"), _APART: (GRAY, "square"), "below": ("#0072b2", "triangle-down")}
_MEASURES = {
    "f1": "F1",
    "precision": "Precision",
    "recall": "Recall",
    "mean_precision_recall": "Mean of precision and recall",
}
_WORDS = {
    "f1": "F1, the harmonic mean of precision and recall; the paper's Figure 7 has their mean",
    "mean_precision_recall": "the mean of precision and recall, as in the paper's Figure 7",
}
# A page of 235 mm in pixels of 0.7 points; what stands around the panels, and beside the rows of each line.
_PAGE, _AROUND, _BESIDE = 950, 135, 180
_ABREAST = 3  # panels that a page holds side by side
_HIGH_ROW, _LOW_ROW = 16, 10  # pixels; letters in lower rows would touch
_WIDEST = 30  # letters of a label
_SIMULATED_NOTE = "SIMULATED answers, made by a computer: nobody judged these pairs"


@drawn
def plot_precision_recall(
    table: pd.DataFrame,
    *,
    colour: str = "embedding",
    shape: str | None = None,
    size: str = "threshold",
    fill: str = "step",
    width: int = 480,
    height: int = 380,
) -> alt.LayerChart:
    """Draw precision against recall of every configuration, the winner circled.

    Parameters
    ----------
    table : DataFrame
        What `compare_configurations` returns, or the ``comparison`` of `cross_validate`, made with settings.
    colour, size, fill : str, default "embedding", "threshold", "step"
        Columns of settings that the points show: `fill` by how full they are. A missing setting is shown as
        that of a single k-means.
    shape : str, optional
        Column of settings that the shapes show; by default that of the colours, for who does not see these.
    width, height : int, pixels
        Of the chart.

    Returns
    -------
    altair.LayerChart
        A point per configuration, the mean over its seeds, with its intervals as thin lines, in print too;
        the figure says whether they hold the chance of the seeds. The winner is circled, and the figure says
        by which measure it won. Pointing at a point sets off its intervals and tells numbers.

    Source
    ------
    Casas et al., "Automated Visual Clustering …", Figure 5.

    Examples
    --------
    >>> table = pd.DataFrame({"configuration": ["one"], "embedding": ["resnet18"], "threshold": [0.03],
    ...     "step": [5], "winner": [True], "precision": [0.8], "precision_low": [0.7],
    ...     "precision_high": [0.9], "recall": [0.4], "recall_low": [0.3], "recall_high": [0.5],
    ...     "f1": [0.53], "f1_low": [0.4], "f1_high": [0.6]})
    >>> len(plot_precision_recall(table).layer)
    4
    """
    scores = [f"{name}{end}" for name in ("precision", "recall", "f1") for end in ("", "_low", "_high")]
    shape = shape or colour
    settings = list(dict.fromkeys([colour, shape, size, fill]))
    check_columns(table, ["configuration", "winner", *scores, *settings], "the table", hint=_HINT)
    shown = table[["configuration", "winner", *scores, *settings]].copy()
    orders = {name: _word_setting(shown, name) for name in settings}
    # The ends of the intervals belong to the domain, so that none leaves the panel.
    scale = alt.Scale(zero=False, nice=False, padding=14)
    axis = alt.Axis(tickCount=6, format=".2~f")
    x = alt.X("recall:Q", title="Recall", scale=scale, axis=axis)
    y = alt.Y("precision:Q", title="Precision", scale=scale, axis=axis)
    pointed = alt.selection_point(fields=["configuration"], on="pointerover", empty=False, name="pointed")
    base = alt.Chart(shown)
    faint = alt.condition(pointed, alt.value(1), alt.value(0.3))
    colours = choose_colours(orders[colour])
    hues = alt.Scale(domain=list(colours), range=list(colours.values()))
    hue = alt.Color(
        f"{colour}:N", title=_title(colour), scale=hues,
        legend=alt.Legend(orient="bottom", **arrange_legend(orders[colour])),
    )  # fmt: skip
    lines = base.encode(color=hue, opacity=faint)
    across = lines.mark_rule(strokeWidth=0.8).encode(
        x=alt.X("recall_low:Q", title="Recall", scale=scale, axis=axis), x2="recall_high:Q", y=y
    )
    along = lines.mark_rule(strokeWidth=0.8).encode(
        x=x, y=alt.Y("precision_low:Q", title="Precision", scale=scale, axis=axis), y2="precision_high:Q"
    )
    ring = (
        base.mark_point(shape="circle", size=420, color="black", strokeWidth=1.8, filled=False)
        .transform_filter("datum.winner")
        .encode(x=x, y=y)
    )
    forms = [SHAPES[place % len(SHAPES)] for place in range(len(orders[shape]))]
    below: dict[str, Any] = {"orient": "bottom", "symbolStrokeColor": "black"}
    full = [0.05, 0.9] if len(orders[fill]) > 1 else [0.7, 0.7]
    points = (
        base.mark_point(filled=True, strokeWidth=1.4, opacity=1)
        .encode(
            x=x,
            y=y,
            color=hue,
            stroke=alt.Stroke(f"{colour}:N", legend=None, scale=hues),
            shape=alt.Shape(
                f"{shape}:N", title=_title(shape), scale=alt.Scale(domain=orders[shape], range=forms),
                legend=alt.Legend(orient="bottom", **arrange_legend(orders[shape])),
            ),
            size=alt.Size(
                f"{size}:O", title=_title(size), sort=orders[size], scale=alt.Scale(range=[25, 170]),
                legend=alt.Legend(**below, **arrange_legend(orders[size])),
            ),
            fillOpacity=alt.FillOpacity(
                f"{fill}:O", sort=orders[fill], scale=alt.Scale(range=full), legend=None
            ),
            tooltip=[
                alt.Tooltip("configuration:N", title="Configuration"),
                *[alt.Tooltip(f"{name}:N", title=_title(name)) for name in orders],
                *[alt.Tooltip(f"{name}:Q", title=_title(name), format=".3f") for name in scores],
            ],
        )
        .add_params(pointed)
    )  # fmt: skip
    said = [f"Lines: {describe_intervals(table)}{_say_chance(table)}. {_say_winner(table)}"]
    if len(orders[fill]) > 1:  # Vega-Lite draws no legend of it
        said.append(f"From open to full marks: {_title(fill).lower()} {', '.join(orders[fill])}")
    title = title_chart("Configurations against people", table, subtitle=said, note=_SIMULATED_NOTE)
    return alt.layer(across, along, ring, points).properties(width=width, height=height, title=title)


def _say_chance(table: pd.DataFrame) -> str:
    """Say which chance the intervals hold: that of the pairs, and of the seeds where there are several."""
    if "n_seeds" not in table.columns or not len(table):
        return ""
    fewest, most = int(table["n_seeds"].min()), int(table["n_seeds"].max())
    if most == 1:
        return ", of the pairs but not of the seed, of which there is one"
    return f", of the pairs and of {most if fewest == most else f'{fewest} to {most}'} seeds"


def _say_winner(table: pd.DataFrame) -> str:
    """Say which configuration won by which measure."""
    won = table.loc[table["winner"]]
    if not len(won):
        return "The winner is not among these"
    name = won["configuration"].iloc[0]
    by = str(won["criterion"].iloc[0]) if "criterion" in won.columns else ""
    measure = {"mean_precision_recall": "the mean of precision and recall", "f1": "F1"}.get(by, by)
    return f"Circled: {name}, the winner by {measure}" if measure else f"Circled: {name}, the winner"


@drawn
def plot_iterative_against_single(
    points: pd.DataFrame,
    *,
    summary: pd.DataFrame,
    by: str = "embedding",
    measure: str | None = None,
    width: int | None = None,
    row: int | None = None,
) -> alt.HConcatChart:
    """Draw the score of every iterative configuration against the best single k-means.

    Parameters
    ----------
    points, summary : DataFrame
        What `compare_iterative_with_single` returns.
    by : str, default "embedding"
        The column that it compared within.
    measure : str, optional
        The measure that it compared; by default what the points say, and "f1" where an older table does not.
    width : int, pixels, optional
        Of each panel; by default 260, or 90 where there are many, so that three stand side by side on a page.
    row : int, pixels, optional
        Height of the row of a configuration; by default such that a page holds the figure. Where it could
        not with all configurations, the best of each panel are drawn, and its heading says of how many.

    Returns
    -------
    altair.HConcatChart
        The title names the measure. One panel per value of `by`: configurations by name, from best to worst,
        with their intervals, and the baseline as a line. A configuration counts as above it only where the
        interval of their difference, which is narrower than the two intervals, says so; the others are drawn
        as not told apart.

    Raises
    ------
    ValueError
        If a column is missing, or `measure` is none that the points could be of, or not theirs.

    Source
    ------
    Casas et al., "Automated Visual Clustering …", Figure 7, which is by the mean of precision and recall.

    Examples
    --------
    >>> points = pd.DataFrame({"configuration": ["one"], "embedding": ["resnet18"], "estimate": [0.6],
    ...     "low": [0.5], "high": [0.7], "baseline": [0.5], "baseline_configuration": ["k = 80"],
    ...     "difference": [0.1], "difference_low": [0.02], "difference_high": [0.18], "above": [True],
    ...     "rank": [1]})
    >>> summary = pd.DataFrame({"embedding": ["resnet18"], "n_iterative": [1], "n_above": [1],
    ...                         "share_above": [1.0]})
    >>> len(plot_iterative_against_single(points, summary=summary).hconcat)
    1
    """
    numbers = ["estimate", "low", "high", "baseline", "difference", "difference_low", "difference_high"]
    names = ["configuration", "baseline_configuration"]
    check_columns(points, [by, *names, *numbers, "above", "rank"], "the points", hint=_HINT)
    check_columns(summary, [by, "n_iterative", "n_above", "share_above"], "the summary", hint=_HINT)
    measure = _find_measure(points, measure)
    counts = summary.set_index(by)
    scale = alt.Scale(zero=False, nice=True, padding=4)
    sides = alt.Scale(domain=list(_SIDES), range=[colour for colour, _ in _SIDES.values()])
    forms = alt.Scale(domain=list(_SIDES), range=[form for _, form in _SIDES.values()])
    key = alt.Legend(orient="bottom", title="By the interval of the difference", **arrange_legend(_SIDES))
    panels, shortened = [], False
    sizes = points.groupby(by, sort=False).size()
    row, most = _fit_rows(sizes) if row is None else (row, len(points))
    if width is None:
        width = 90 if len(sizes) > 4 else 260
    for value, part in points.groupby(by, sort=False):
        table = part[[*names, *numbers, "above", "rank"]].assign(name=_drop_common(part, value))
        table["side"] = part["side"] if "side" in part.columns else _find_side(part)
        counted: Any = counts.loc[value]
        told = int(counted.get("n_told_above", table["side"].eq("above").sum()))
        table = table.nsmallest(most, "rank")
        shortened |= any("threshold" in each for each in table["configuration"]) and not any(
            "threshold" in each for each in table["name"]
        )
        base = alt.Chart(table).encode(
            y=alt.Y(
                "name:N", sort=alt.SortField("rank"), title=None,
                axis=alt.Axis(**label_long(wide=30, limit=180), labelLineHeight=9, minExtent=30),
            ),
        )  # fmt: skip
        x = alt.X("estimate:Q", title=_MEASURES[measure], scale=scale)
        colour = alt.Color("side:N", title=None, scale=sides, legend=key)
        intervals = base.mark_rule(strokeWidth=1.5, opacity=0.5).encode(
            x=alt.X("low:Q", title=_MEASURES[measure], scale=scale), x2="high:Q", color=colour
        )
        tooltip = [alt.Tooltip(f"{name}:N", title=_title(name)) for name in names]
        tooltip += [alt.Tooltip(f"{name}:Q", title=_title(name), format=".3f") for name in numbers]
        discs = base.mark_point(size=45, opacity=1, filled=True).encode(
            x=x, color=colour, shape=alt.Shape("side:N", title=None, scale=forms, legend=key), tooltip=tooltip
        )
        line = alt.Chart(table.head(1)).mark_rule(strokeDash=[5, 4], color="black").encode(x="baseline:Q")
        heading = alt.TitleParams(
            str(value),
            subtitle=[
                (
                    f"{told} of {int(counted['n_iterative'])} above by the interval, "
                    f"{int(counted['n_above'])} by the estimate"
                ),
                f"Dashed: {table['baseline'].iloc[0]:.3f}, {_shorten_baseline(table, value)}",
                *([f"Drawn: the best {most} of {len(part)}"] if most < len(part) else []),
            ],
            anchor="start",
        )
        panels.append(
            alt.layer(line, intervals, discs).properties(width=width, height=alt.Step(row), title=heading)
        )
    said = [f"Lines: {describe_intervals(points)} of each score; dashed: the best single k-means"]
    said.insert(0, f"By {_WORDS.get(measure, measure)}")
    if shortened:
        said.append("Bare numbers in names: the threshold of similarity")
    name = "Iterative against single k-means"
    title = title_chart(name, points, summary, subtitle=said, note=_SIMULATED_NOTE)
    return alt.hconcat(*panels, spacing=25).resolve_scale(x="shared").properties(title=title)


def _find_measure(points: pd.DataFrame, measure: str | None) -> str:
    """Find the measure that points are of, and refuse another one."""
    if measure is not None and measure not in _MEASURES:
        raise ValueError(f"Expected one of the measures {', '.join(_MEASURES)}, got {measure!r}.")
    own = points["measure"].unique().tolist() if "measure" in points.columns else []
    if len(own) > 1:
        raise ValueError(
            f"Expected points of one measure, got those of {', '.join(map(str, own))}. Draw one figure each."
        )
    if own and measure is not None and measure != own[0]:
        raise ValueError(
            f"Expected points compared by {measure}, got those of {own[0]}. Leave measure out, or compare "
            f"again with measure={measure!r}."
        )
    return str(own[0]) if own else measure or "f1"


def _find_side(points: pd.DataFrame) -> pd.Series:
    """Give the side of each point of an older table, which does not say it."""
    low, high = points["difference_low"], points["difference_high"]
    return pd.Series(_APART, index=points.index).mask(low.gt(0), "above").mask(high.lt(0), "below")


def _drop_common(points: pd.DataFrame, value: object) -> list[str]:
    """Name the configurations without what all of a panel share, where that leaves them apart."""
    names = points["configuration"].astype(str)
    parts = [name.split(", ") for name in names]
    shared = set.intersection(*map(set, parts)) if len(parts) > 1 else {str(value)}
    short = pd.Series([", ".join(part for part in each if part not in shared) for each in parts])
    if not (short.ne("").all() and short.is_unique):
        short = names.str.replace(str(value), "", n=1, regex=False).str.strip(" ,;:_-/")
    found = short if short.ne("").all() and short.is_unique else names
    if found.str.len().max() > _WIDEST:
        found = found.str.replace(r"\bthreshold (?=[\d.])", "", regex=True)
    return found.tolist()


def _shorten_baseline(table: pd.DataFrame, value: object) -> str:
    """Name the baseline without what the heading says already."""
    parts = str(table["baseline_configuration"].iloc[0]).split(", ")
    known = set(str(value).split(", "))
    return ", ".join(each for each in parts if each not in known) or ", ".join(parts)


def _fit_rows(sizes: pd.Series) -> tuple[int, int]:
    """Find how high rows are, and how many a panel holds at most, so that all panels fit on a page."""
    lines = -(-len(sizes) // _ABREAST)
    room = (_PAGE - _AROUND - lines * _BESIDE) / lines
    row = int(min(_HIGH_ROW, max(_LOW_ROW, room / max(sizes))))
    return row, max(int(room / row), 1)


def _word_setting(table: pd.DataFrame, name: str) -> list[str]:
    """Turn a setting into words in place, and list them in their order, the missing one first."""
    values = sorted(table[name].dropna().unique())
    words = [f"{value:g}" if isinstance(value, int | float) else str(value) for value in values]
    known = dict(zip(values, words, strict=True))
    missing = table[name].isna()
    table[name] = [known.get(value, _NOT_SET) for value in table[name].astype(object)]
    return [_NOT_SET, *words] if missing.any() else words


def _title(name: str) -> str:
    return _MEASURES.get(name) or name.replace("f1", "F1").replace("_", " ").capitalize()
