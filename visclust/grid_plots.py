"""The figure of a search: what each setting does to clusters, coverage and time."""

import altair as alt
import pandas as pd

__all__ = ["plot_grid"]

_PANELS = (
    ("clusters", "Clusters", "d"),
    ("coverage", "Share of images assigned", ".0%"),
    ("seconds", "Seconds", ".1f"),
)


def plot_grid(table: pd.DataFrame, *, cell: int = 46) -> alt.VConcatChart:
    """Draw clusters, coverage and seconds of the iterative configurations as heatmaps, a row per embedding.

    Parameters
    ----------
    table : DataFrame
        From `grid_search`; its first seed is drawn.
    cell : int, pixels, default 46
        Width of a cell.

    Returns
    -------
    altair.Chart
        Heatmaps with their numbers; darker is more.

    Examples
    --------
    >>> table = pd.DataFrame({"method": ["iterative"], "embedding": ["pretrained"], "step_size": [5],
    ...                       "similarity_threshold": [0.03], "seed": [0], "clusters": [48],
    ...                       "coverage": [0.97], "seconds": [1.5]})
    >>> len(plot_grid(table).vconcat)
    1
    """
    shown = table.loc[table["method"].eq("iterative") & table["seed"].eq(table["seed"].iloc[0])]
    shown = shown.assign(
        step_size=shown["step_size"].astype(str),
        similarity_threshold=shown["similarity_threshold"].map("{:g}".format),
    )
    rows = []
    for embedding in shown["embedding"].unique():
        data = shown.loc[shown["embedding"].eq(embedding)]
        columns = ["step_size", "similarity_threshold", *(name for name, _, _ in _PANELS)]
        panels = [_draw_panel(data[columns], *panel, cell=cell) for panel in _PANELS]
        row = alt.hconcat(*panels, spacing=24).resolve_scale(color="independent", x="shared", y="shared")
        rows.append(row.properties(title=alt.TitleParams(str(embedding), anchor="start")))
    return alt.vconcat(*rows)


def _draw_panel(data: pd.DataFrame, name: str, title: str, style: str, *, cell: int) -> alt.LayerChart:
    middle = float((data[name].min() + data[name].max()) / 2)
    base = alt.Chart(data).encode(
        x=alt.X(
            "similarity_threshold:O", title="Similarity threshold", axis=alt.Axis(labelAngle=0), sort=None
        ),
        y=alt.Y("step_size:O", title="Step size", sort=None),
    )
    color = alt.Color(f"{name}:Q", legend=None, scale=alt.Scale(scheme="greys"))
    numbers = base.mark_text(fontSize=11).encode(
        text=alt.Text(f"{name}:Q", format=style),
        color=alt.condition(f"datum.{name} > {middle}", alt.value("white"), alt.value("black")),
    )
    n_columns, n_rows = data["similarity_threshold"].nunique(), data["step_size"].nunique()
    return (base.mark_rect().encode(color=color) + numbers).properties(
        width=cell * n_columns, height=30 * n_rows, title=alt.TitleParams(title, fontSize=12)
    )
