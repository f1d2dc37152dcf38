"""For teaching: an image as three tables of numbers."""

import os
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from PIL import Image

from visclust.images.reading import read_image

__all__ = ["plot_channels", "split_channels"]

_CHANNELS = ("red", "green", "blue")


def split_channels(path: str | os.PathLike, *, side: int = 40, detail: int = 6) -> pd.DataFrame:
    """Split an image into its red, green and blue channel, at few enough pixels to be drawn one by one.

    Parameters
    ----------
    path : str or path
        The image.
    side : int, pixels, default 40
        Of the square that is cut from its middle and reduced to this.
    detail : int, pixels, default 6
        Of the part in the middle whose numbers can be shown.

    Returns
    -------
    DataFrame
        A row per pixel and panel: ``panel`` (image, red, green, blue), ``row, column`` (from the top left),
        ``value`` (0 to 255; missing for the image), ``colour`` (as #rrggbb) and ``in_detail``.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "red.png"
    >>> Image.new("RGB", (8, 6), (255, 0, 0)).save(path)
    >>> split_channels(path, side=1, detail=1)[["panel", "value"]].values.tolist()
    [['image', nan], ['red', 255.0], ['green', 0.0], ['blue', 0.0]]
    """
    image = read_image(path, min_side=2 * side)
    length = min(image.size)
    left, top = (image.size[0] - length) // 2, (image.size[1] - length) // 2
    box = (left, top, left + length, top + length)
    pixels = np.asarray(image.resize((side, side), Image.Resampling.BOX, box=box, reducing_gap=3.0))
    rows, columns = (each.ravel() for each in np.indices((side, side)))
    start = (side - detail) // 2
    inside = np.logical_and.reduce([(each >= start) & (each < start + detail) for each in (rows, columns)])
    parts = []
    for at, panel in enumerate(("image", *_CHANNELS)):
        shown = pixels if at == 0 else pixels * (np.arange(3) == at - 1).astype(np.uint8)
        parts.append(
            pd.DataFrame(
                {
                    "panel": panel,
                    "row": rows,
                    "column": columns,
                    "value": np.nan if at == 0 else pixels[..., at - 1].ravel().astype(float),
                    "colour": [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in shown.reshape(-1, 3)],
                    "in_detail": inside,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def plot_channels(pixels: pd.DataFrame, *, size: int = 180) -> alt.VConcatChart:
    """Draw an image, its three channels, and the numbers in the middle of each channel.

    Parameters
    ----------
    pixels : DataFrame
        From `split_channels`.
    size : int, pixels
        Side of each panel.

    Returns
    -------
    altair.VConcatChart
        Above the image and its channels, with a frame around the middle; below, the numbers of the middle.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, Figure 1.

    Examples
    --------
    >>> pixels = pd.DataFrame({"panel": ["image", "red", "green", "blue"], "row": 0, "column": 0,
    ...     "value": [None, 9, 8, 7], "colour": "#090807", "in_detail": True})
    >>> len(plot_channels(pixels).vconcat)
    2
    """
    hidden: Any = {"title": None, "axis": None}
    detail = pixels[pixels["in_detail"]]
    frame = pd.DataFrame(
        {
            "left": [detail["column"].min()],
            "right": [detail["column"].max() + 1],
            "top": [detail["row"].min()],
            "bottom": [detail["row"].max() + 1],
        }
    )

    def draw(table: pd.DataFrame) -> alt.Chart:
        table = table.assign(right=table["column"] + 1, bottom=table["row"] + 1)
        ends = [
            alt.Scale(domain=[int(table[a].min()), int(table[b].max())], nice=False, reverse=turned)
            for a, b, turned in (("column", "right", False), ("row", "bottom", True))
        ]
        return (
            alt.Chart(table)
            .mark_rect()
            .encode(
                x=alt.X("column:Q", scale=ends[0], **hidden),
                x2="right:Q",
                y=alt.Y("row:Q", scale=ends[1], **hidden),
                y2="bottom:Q",
                color=alt.Color("colour:N", scale=None),
            )
            .properties(width=size, height=size)
        )

    around = (
        alt.Chart(frame)
        .mark_rect(filled=False, stroke="#e6780a", strokeWidth=2.5)
        .encode(x=alt.X("left:Q", **hidden), x2="right:Q", y=alt.Y("top:Q", **hidden), y2="bottom:Q")
    )
    above = [
        (draw(table) + around).properties(title=str(panel).capitalize())
        for panel, table in pixels.groupby("panel", sort=False)
    ]
    below = []
    for panel, table in detail.groupby("panel", sort=False):
        cells = draw(table)
        if panel != "image":
            middle = table.assign(x=table["column"] + 0.5, y=table["row"] + 0.5)
            cells += (
                alt.Chart(middle)
                .mark_text(color="white", fontWeight="bold", fontSize=size / 15)
                .encode(
                    x=alt.X("x:Q", **hidden), y=alt.Y("y:Q", **hidden), text=alt.Text("value:Q", format="d")
                )
            )
        below.append(cells)
    return alt.vconcat(alt.hconcat(*above), alt.hconcat(*below)).configure_view(stroke=None)
