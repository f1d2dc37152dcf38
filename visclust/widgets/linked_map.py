"""Join the map of a corpus to the cluster browser: what is marked on the one opens in the other.

What draws it was decided by trying three ways in JupyterLab, in a browser without a GPU or a network.
jupyter-scatter (1.0) draws 18,000 points by WebGL, zooms, has a lasso, and asks for a thumbnail only when it
is pointed at. It brings about 105 MB of packages that nothing else here needs, so it is an extra (``pip
install 'visclust[map]'``), used where it is installed. Without it, Altair draws the map: fit for a few
thousand images.

embedding-atlas does more: with 2,000 points its version 0.22 drew by WebGL, showed thumbnails on hover, gave
the brushed rows back to Python and counted them by cluster, all without a network. But since 0.24 it draws by
WebGPU with 16-bit floats (``shader-f16``) only: 0.26 left the map empty, in Chromium as it comes and with
WebGPU in software, and said that WebGPU is unavailable. It asks for pandas 3, which Colab lacks, and for some
50 packages (470 MB, clients of language models among them), and its widget lets the page run any SQL in the
kernel. Where everybody has a GPU and pandas 3 it is worth another look.
"""

import importlib.util
from collections.abc import Callable
from typing import Any

import altair as alt
import pandas as pd

from visclust.base.checks import checked, show
from visclust.exploration.maps import choose_map_colours, plot_map

_WAIT = 250  # ms after the last movement of the brush
_MANY = 3000  # images; so many are drawn as smaller points
_MOST = 2000  # images opened at once; the browser scrolls more than a person does


@checked
def link_map(table: pd.DataFrame, browser: Any, *, engine: str = "auto", height: int = 520) -> Any:
    """Show the map so that the images marked on it open in a cluster browser.

    With jupyter-scatter: take the lasso from the bar beside it and draw around images; the wheel zooms. With
    Altair: drag. Both work without a network.

    Parameters
    ----------
    table : DataFrame
        From `describe_map`.
    browser : ClusterBrowser
        From `browse_clusters`, of the same clusters.
    engine : {"auto", "scatter", "altair"}, default "auto"
        What draws it: "scatter" is jupyter-scatter, an extra; "auto" takes it where it is installed.
    height : int, pixels, default 520
        Of the map.

    Returns
    -------
    widget
        Leave it as the last line of a cell. Of more than 2,000 marked images the first 2,000 open.

    Raises
    ------
    ValueError
        If a column is missing, or the engine is none of the three.
    RuntimeError
        If jupyter-scatter was asked for and is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from visclust.widgets.browser import browse_clusters
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (8, 8)).save(folder / "a.png")
    >>> clusters = pd.DataFrame({"image_id": ["a"], "cluster": [0], "iteration": [1], "silhouette": [0.1]})
    >>> images = pd.DataFrame({"image_id": ["a"], "path": ["a.png"], "status": "ok", "reason": "",
    ...                        "width": 8, "height": 8})
    >>> browser = browse_clusters(clusters, images, save_to=folder, images_folder=folder)
    >>> table = pd.DataFrame({"image_id": ["a"], "x": [0.0], "y": [0.0], "cluster": [0],
    ...                       "name": ["Cluster 0"], "shown_as": ["Cluster 0"]})
    >>> type(link_map(table, browser, engine="altair")).__name__
    'JupyterChart'
    """
    if engine not in ("auto", "scatter", "altair"):
        raise ValueError(f'Expected engine "auto", "scatter" or "altair", got {engine!r}.')
    chart = plot_map(table, height=height)  # says which column is missing, if one is
    has_scatter = importlib.util.find_spec("jscatter") is not None
    if engine == "scatter" and not has_scatter:
        raise RuntimeError(
            "engine='scatter' needs jupyter-scatter: pip install 'visclust[map]', or use 'altair'."
        )

    if not callable(getattr(browser, "show", None)):
        raise TypeError(f"Expected browser to be what browse_clusters gives, got {show(browser)}.")

    def open_images(found: list[str]) -> None:
        if found:
            more = f", the first {_MOST}" if len(found) > _MOST else ""
            browser.show(found[:_MOST], title=f"{len(found)} images marked on the map{more}")

    if engine == "altair" or not has_scatter:
        return _show_by_altair(table, chart, open_images)
    return _show_by_scatter(table, open_images, height=height)


def _show_by_altair(
    table: pd.DataFrame, chart: alt.Chart | alt.LayerChart, open_images: Callable[[list[str]], None]
) -> Any:
    """Show the chart as a widget; its drawing library comes from vl-convert-python, not from a network."""
    widget: Any = alt.JupyterChart  # its attributes are made while it runs, out of a type checker's sight
    widget.enable_offline()
    shown = widget(chart, debounce_wait=_WAIT)
    shown.selections.observe(lambda change: open_images(_find_brushed(table, change.new.value)), ["brush"])
    return shown


def _show_by_scatter(table: pd.DataFrame, open_images: Callable[[list[str]], None], *, height: int) -> Any:
    """Show the map by jupyter-scatter; its selection holds the numbers of the rows."""
    import jscatter

    rows = table.reset_index(drop=True)
    scatter = jscatter.Scatter(data=rows, x="x", y="y", height=height)
    scatter.size(default=3 if len(rows) > _MANY else 7)
    scatter.color(by="shown_as", map=choose_map_colours(table))
    scatter.axes(False).legend(True)  # noqa: FBT003 - jupyter-scatter's own way
    options = {"preview": "image", "preview_type": "image"} if "image" in rows.columns else {}
    scatter.tooltip(True, properties=["name"], histograms=False, **options)  # noqa: FBT003
    scatter.widget.observe(lambda change: open_images(_list_rows(rows, change["new"])), names="selection")
    return scatter.show()


def _list_rows(rows: pd.DataFrame, selected: Any) -> list[str]:
    """List the images of these rows, cluster by cluster."""
    found = rows.iloc[list(selected)] if len(selected) else rows.iloc[:0]
    return found.sort_values("cluster", kind="stable")["image_id"].tolist()


def _find_brushed(table: pd.DataFrame, brush: dict[str, list[float]] | None) -> list[str]:
    """Find the images below a brush."""
    if not brush:
        return []
    found = table
    for axis in set(brush) & {"x", "y"}:
        found = found[found[axis].between(min(brush[axis]), max(brush[axis]))]
    if "cluster" in found.columns:
        found = found.sort_values("cluster", kind="stable")
    return found["image_id"].tolist()
