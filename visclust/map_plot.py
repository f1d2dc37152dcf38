"""The map of a corpus as a figure: Altair, because it stays in a saved notebook and goes into a paper.

A map to work with is `visclust.widgets.linked_map`, which says what draws it and why.
"""

import altair as alt
import pandas as pd

from visclust.map_tables import choose_map_colours

__all__ = ["plot_map"]


def plot_map(
    table: pd.DataFrame,
    *,
    point_size: float | None = None,
    width: int = 640,
    height: int = 520,
) -> alt.Chart:
    """Draw the map of a corpus, coloured by cluster; pointing at an image shows it and names its cluster.

    Parameters
    ----------
    table : DataFrame
        From `describe_map`: ``x, y, cluster, name, shown_as, image_id`` and, for thumbnails, ``image``.
    point_size : float, square pixels, optional
        Area of a point; by default smaller the more there are.
    width, height : int, pixels
        Of the chart.

    Returns
    -------
    altair.Chart
        Dragging over it makes a brush named "brush", which dims the rest; `link_map` opens what it holds.

    Raises
    ------
    ValueError
        If a column is missing.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": ["a"], "x": [0.0], "y": [0.0], "cluster": [4],
    ...                       "name": ["Cluster 4"], "shown_as": ["Cluster 4"]})
    >>> plot_map(table).mark.type
    'circle'
    """
    needed = ("image_id", "x", "y", "cluster", "name", "shown_as")
    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise ValueError(f"Expected the columns {', '.join(needed)}; {', '.join(missing)} is missing.")
    columns = [*needed, *(["image"] if "image" in table.columns else [])]
    colours = choose_map_colours(table)
    # The last of the legend first, so that the gray ones lie below.
    depth = table["shown_as"].map({label: place for place, label in enumerate(colours)})
    shown = table.loc[depth.sort_values(ascending=False, kind="stable").index, columns]
    brush = alt.selection_interval(name="brush", encodings=["x", "y"])
    axis = alt.Axis(
        labels=False, ticks=False, grid=False, domain=False, title=None
    )  # coordinates mean nothing
    tooltips = [alt.Tooltip("name:N", title="Cluster"), alt.Tooltip("image_id:N", title="Image")]
    if "image" in columns:  # a field of this name is shown as a picture
        tooltips.insert(0, alt.Tooltip("image:N"))
    return (
        alt.Chart(shown)
        .mark_circle(size=point_size or max(9, min(60, 60_000 / max(1, len(shown)))))
        .encode(
            x=alt.X("x:Q", axis=axis, scale=alt.Scale(zero=False, nice=False, padding=10)),
            y=alt.Y("y:Q", axis=axis, scale=alt.Scale(zero=False, nice=False, padding=10)),
            color=alt.Color(
                "shown_as:N",
                title=None,
                scale=alt.Scale(domain=list(colours), range=list(colours.values())),
                legend=alt.Legend(labelLimit=220, symbolOpacity=1),
            ),
            opacity=alt.condition(brush, alt.value(0.85), alt.value(0.12)),
            tooltip=tooltips,
        )
        .add_params(brush)
        .properties(width=width, height=height)
    )
