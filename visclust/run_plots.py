"""Figures of how far several runs agree, drawn from their tables."""

import altair as alt
import pandas as pd

__all__ = ["plot_run_agreement", "plot_theme_stability"]

_GRAY, _ORANGE = "#9e9e9e", "#e6780a"
_TITLES = {
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
    if measure not in _TITLES or measure not in pairs.columns:
        raise ValueError(f"Expected one of {', '.join(_TITLES)} as measure, got {measure!r}.")
    columns = ["run_a", "run_b", "images", measure]
    turned = pairs.rename(columns={"run_a": "run_b", "run_b": "run_a"})
    table = pd.concat([pairs[columns], turned[columns]], ignore_index=True)
    runs = list(dict.fromkeys([*pairs["run_a"], *pairs["run_b"]]))
    whole = measure == "matched"
    largest = 1.0 if measure in _SHARES else float(table[measure].max())
    base = alt.Chart(table).encode(
        x=alt.X("run_a:N", title=None, sort=runs, axis=alt.Axis(labelAngle=-45)),
        y=alt.Y("run_b:N", title=None, sort=runs),
    )
    number = ",.0f" if whole else ".2f"
    cells = base.mark_rect().encode(
        color=alt.Color(
            f"{measure}:Q",
            title=_TITLES[measure],
            scale=alt.Scale(scheme="oranges", domain=[0, largest], clamp=True),
            legend=alt.Legend(orient="bottom", gradientLength=200),
        ),
        tooltip=["run_a:N", "run_b:N", "images:Q", alt.Tooltip(f"{measure}:Q", format=number)],
    )
    layers = [cells]
    if len(runs) <= _MOST_NUMBERS:
        # White where the colour is dark.
        dark = f"datum.{measure} > {0.6 * largest}"
        layers.append(
            base.mark_text(fontSize=10).encode(
                text=alt.Text(f"{measure}:Q", format=number),
                color=alt.condition(dark, alt.value("white"), alt.value("black")),
            )
        )
    return alt.layer(*layers).properties(
        width=size, height=size, title=f"{_TITLES[measure].split(',')[0]} between two runs"
    )


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
    n_runs = round(float((themes["runs"] / themes["share"]).iloc[0]))
    color = alt.Color(
        "runs:Q",
        title="Runs that find it",
        scale=alt.Scale(scheme="oranges", domain=[0, n_runs]),
        legend=None,
    )
    base = alt.Chart(themes[["theme", "runs", "size", "stability", "run", "cluster"]])
    bars = (
        base.mark_bar(stroke=_GRAY, strokeWidth=0.5)
        .encode(
            x=alt.X("runs:O", title="Runs that find the theme", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("count():Q", title="Themes"),
            color=color,
            tooltip=["runs:O", alt.Tooltip("count():Q", title="themes")],
        )
        .properties(width=width // 2, height=height, title=f"Themes by runs, of {n_runs}")
    )
    points = base.mark_circle(size=70, opacity=0.9, stroke=_GRAY, strokeWidth=0.5).encode(
        x=alt.X("size:Q", title="Images (median over the runs)", scale=alt.Scale(type="log")),
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
    panel = (points + line).properties(width=width, height=height, title="Each theme: size and stability")
    return alt.hconcat(bars, panel, spacing=30)
