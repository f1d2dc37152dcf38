"""Join the map of a corpus to the cluster browser: what is brushed on the one opens in the other."""

from typing import Any

import altair as alt
import pandas as pd

from visclust.map_plot import plot_map
from visclust.widgets.cluster_browser import ClusterBrowser

__all__ = ["find_brushed", "link_map"]

_WAIT = 250  # ms after the last movement of the brush
_MOST = 2000  # images opened at once; the browser scrolls them, a person does not


def link_map(
    table: pd.DataFrame, browser: ClusterBrowser, *, width: int = 640, height: int = 520
) -> alt.JupyterChart:
    """Show the map so that dragging over it opens the images below in a cluster browser.

    Works without a network: the drawing library comes from the package vl-convert-python.

    Parameters
    ----------
    table : DataFrame
        From `describe_map`; thumbnails are not needed.
    browser : ClusterBrowser
        From `browse_clusters`, of the same clusters.
    width, height : int, pixels
        Of the map.

    Returns
    -------
    altair.JupyterChart
        Leave it as the last line of a cell. Of more than 2,000 brushed images the first 2,000 open.

    Raises
    ------
    ValueError
        If a column is missing.

    Examples
    --------
    >>> import tempfile
    >>> from visclust.widgets.browse_clusters import browse_clusters
    >>> clusters = pd.DataFrame({"image_id": ["a"], "cluster": [0], "iteration": [1], "silhouette": [0.1]})
    >>> images = pd.DataFrame({"image_id": ["a"], "path": ["a.png"], "status": "ok", "reason": "",
    ...                        "width": 8, "height": 8})
    >>> browser = browse_clusters(clusters, images, save_to=tempfile.mkdtemp())
    >>> table = pd.DataFrame({"image_id": ["a"], "x": [0.0], "y": [0.0], "cluster": [0],
    ...                       "name": ["Cluster 0"], "shown_as": ["Cluster 0"]})
    >>> type(link_map(table, browser)).__name__
    'JupyterChart'
    """
    widget: Any = alt.JupyterChart  # its attributes are made while it runs, out of a type checker's sight
    widget.enable_offline()
    chart = widget(plot_map(table, width=width, height=height), debounce_wait=_WAIT)

    def open_brushed(change: Any) -> None:
        found = find_brushed(table, change.new.value)
        if found:
            count = f"{len(found)} images brushed on the map"
            more = f", the first {_MOST}" if len(found) > _MOST else ""
            browser.show(found[:_MOST], title=count + more)

    chart.selections.observe(open_brushed, ["brush"])
    return chart


def find_brushed(table: pd.DataFrame, brush: dict[str, list[float]] | None) -> list[str]:
    """Find the images below a brush.

    Parameters
    ----------
    table : DataFrame
        ``image_id, x, y``.
    brush : dict or None
        The brush's ends by axis, ``{"x": [low, high], "y": [low, high]}``; nothing when it is gone.

    Returns
    -------
    list of str
        Their ids, cluster by cluster where the table has a column ``cluster``.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": ["a", "b"], "x": [0.0, 5.0], "y": [0.0, 5.0]})
    >>> find_brushed(table, {"x": [-1, 1], "y": [1, -1]})
    ['a']
    """
    if not brush:
        return []
    found = table
    for axis in set(brush) & {"x", "y"}:
        found = found[found[axis].between(min(brush[axis]), max(brush[axis]))]
    if "cluster" in found.columns:
        found = found.sort_values("cluster", kind="stable")
    return found["image_id"].tolist()
