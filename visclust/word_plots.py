"""The figure of the words by which clusters differ."""

from collections.abc import Iterable

import altair as alt
import pandas as pd

__all__ = ["plot_words"]

_ORANGE = "#e6780a"


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
        Titles of panels by cluster; otherwise "Cluster" and its number.
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
        title = (names or {}).get(cluster, f"Cluster {cluster}")
        panels.append(
            alt.Chart(table.drop(columns="cluster"))
            .mark_bar(color=_ORANGE)
            .encode(
                x=alt.X("z:Q", title="z of the log-odds ratio", scale=scale),
                y=alt.Y("word:N", title=None, sort=alt.SortField("rank"), axis=alt.Axis(labelLimit=140)),
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
                title=alt.TitleParams(str(title), anchor="start", limit=width + 120),
            )
        )
    return alt.concat(*panels, columns=columns, spacing=24)
