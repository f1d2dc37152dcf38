"""Figures of the validation, drawn from the tables of the analysis functions."""

import altair as alt
import pandas as pd

from visclust.base.charts import GRAY, ORANGE, colour_by, title_chart
from visclust.base.checks import checked
from visclust.base.simulated import is_simulated
from visclust.base.tables import check_columns

_HINT = "Draw the table that the analysis function named in the documentation returns, made with settings."
_NOT_SET = "none (single k-means)"
_MEASURES = {
    "f1": "F1",
    "precision": "Precision",
    "recall": "Recall",
    "mean_precision_recall": "Mean of precision and recall",
}


@checked
def plot_precision_recall(
    table: pd.DataFrame,
    *,
    colour: str = "embedding",
    shape: str = "threshold",
    size: str = "step",
    width: int = 480,
    height: int = 380,
) -> alt.LayerChart:
    """Draw precision against recall of every configuration, the winner circled.

    Parameters
    ----------
    table : DataFrame
        What `compare_configurations` returns, or the ``comparison`` of `cross_validate`, made with settings.
    colour, shape, size : str, default "embedding", "threshold", "step"
        Columns of settings that the points show. A missing setting is shown as that of a single k-means.
    width, height : int, pixels
        Of the chart.

    Returns
    -------
    altair.LayerChart
        A point per configuration. Pointing at one shows its intervals, as lines and in numbers.

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
    check_columns(table, ["configuration", "winner", *scores, colour, shape, size], "the table", hint=_HINT)
    shown = table[["configuration", "winner", *scores, *dict.fromkeys([colour, shape, size])]].copy()
    orders = {name: _word_setting(shown, name) for name in dict.fromkeys([colour, shape, size])}
    # The ends of the intervals belong to the domain, so that none leaves the panel when it is shown.
    scale = alt.Scale(zero=False, nice=False, padding=14)
    axis = alt.Axis(tickCount=6, format=".2~f")
    x = alt.X("recall:Q", title="Recall", scale=scale, axis=axis)
    y = alt.Y("precision:Q", title="Precision", scale=scale, axis=axis)
    pointed = alt.selection_point(fields=["configuration"], on="pointerover", empty=False, name="pointed")
    base = alt.Chart(shown)
    faint = alt.condition(pointed, alt.value(1), alt.value(0))
    across = base.mark_rule(color=GRAY).encode(
        x=alt.X("recall_low:Q", title="Recall", scale=scale, axis=axis),
        x2="recall_high:Q",
        y=y,
        opacity=faint,
    )
    along = base.mark_rule(color=GRAY).encode(
        x=x,
        y=alt.Y("precision_low:Q", title="Precision", scale=scale, axis=axis),
        y2="precision_high:Q",
        opacity=faint,
    )
    ring = (
        base.mark_point(shape="circle", size=420, color="black", strokeWidth=1.8, filled=False)
        .transform_filter("datum.winner")
        .encode(x=x, y=y)
    )
    points = (
        base.mark_point(filled=True, opacity=0.75, stroke="white", strokeWidth=0.5)
        .encode(
            x=x,
            y=y,
            color=alt.Color(f"{colour}:N", title=_title(colour), sort=orders[colour]),
            shape=alt.Shape(f"{shape}:N", title=_title(shape), sort=orders[shape]),
            size=alt.Size(
                f"{size}:O", title=_title(size), sort=orders[size], scale=alt.Scale(range=[50, 200])
            ),
            tooltip=[
                alt.Tooltip("configuration:N", title="Configuration"),
                *[alt.Tooltip(f"{name}:N", title=_title(name)) for name in orders],
                *[alt.Tooltip(f"{name}:Q", title=_title(name), format=".3f") for name in scores],
            ],
        )
        .add_params(pointed)
    )
    title = title_chart("Configurations against people", table, subtitle=["The winner is circled"])
    return alt.layer(across, along, ring, points).properties(width=width, height=height, title=title)


@checked
def plot_iterative_against_single(
    points: pd.DataFrame,
    *,
    summary: pd.DataFrame,
    by: str = "embedding",
    measure: str = "f1",
    width: int = 260,
    height: int = 260,
) -> alt.HConcatChart:
    """Draw the score of every iterative configuration against the best single k-means.

    Parameters
    ----------
    points, summary : DataFrame
        What `compare_iterative_with_single` returns.
    by : str, default "embedding"
        The column that it compared within.
    measure : str, default "f1"
        The measure that it compared.
    width, height : int, pixels
        Of each panel.

    Returns
    -------
    altair.HConcatChart
        One panel per value of `by`: configurations from best to worst with their intervals, the baseline as a
        line, and the share above it.

    Raises
    ------
    ValueError
        If a column is missing, or `measure` is none that the points could be of.

    Source
    ------
    Casas et al., "Automated Visual Clustering …", Figure 7.

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
    if measure not in _MEASURES:
        raise ValueError(f"Expected one of the measures {', '.join(_MEASURES)}, got {measure!r}.")
    counts = summary.set_index(by)
    scale = alt.Scale(domain=[0, 1])
    colour = colour_by("side", {"above the baseline": ORANGE, "not above": GRAY}, title="Estimate")
    panels = []
    for number, (value, part) in enumerate(points.groupby(by, sort=False)):
        table = part[[*names, *numbers, "above", "rank"]]
        base = alt.Chart(table).transform_calculate(side="datum.above ? 'above the baseline' : 'not above'")
        x = alt.X(
            "rank:Q", title="Iterative configurations, best first",
            axis=alt.Axis(format="d", tickMinStep=1, grid=False),
            scale=alt.Scale(domain=[0.5, len(table) + 0.5], nice=False),
        )  # fmt: skip
        title = _MEASURES[measure] if number == 0 else None
        y = alt.Y("estimate:Q", title=title, scale=scale)
        intervals = base.mark_rule(strokeWidth=1.5, opacity=0.5).encode(
            x=x, y=alt.Y("low:Q", title=title, scale=scale), y2="high:Q", color=colour
        )
        tooltip = [alt.Tooltip(f"{name}:N", title=_title(name)) for name in names]
        tooltip += [alt.Tooltip(f"{name}:Q", title=_title(name), format=".3f") for name in numbers]
        discs = base.mark_circle(size=50, opacity=1).encode(x=x, y=y, color=colour, tooltip=tooltip)
        line = alt.Chart(table.head(1)).mark_rule(strokeDash=[5, 4], color="black").encode(y="baseline:Q")
        row = counts.loc[value]
        heading = alt.TitleParams(
            str(value),
            subtitle=[
                f"{row['n_above']} of {row['n_iterative']} ({row['share_above']:.0%}) above single k-means",
                f"Dashed: {table['baseline'].iloc[0]:.3f}, {table['baseline_configuration'].iloc[0]}",
            ],
            anchor="start",
            limit=width + 30,
        )
        panels.append((intervals + discs + line).properties(width=width, height=height, title=heading))
    chart = alt.hconcat(*panels, spacing=25)
    if is_simulated(points, summary):
        return chart.properties(title=title_chart("Iterative against single k-means", points, summary))
    return chart


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
