"""For teaching: an image as three tables of numbers, and images as rows of numbers in several embeddings."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from PIL import Image

from visclust.base.charts import ORANGE, drawn
from visclust.base.checks import checked
from visclust.base.figure_layout import TOGETHER
from visclust.base.tables import check_columns
from visclust.embedding.embed import Embedding
from visclust.images.reading import read_image

_CHANNELS = ("red", "green", "blue")


@checked
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

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "red.png"
    >>> Image.new("RGB", (8, 6), (255, 0, 0)).save(path)
    >>> split_channels(path, side=1, detail=1)[["panel", "value"]].values.tolist()
    [['image', nan], ['red', 255.0], ['green', 0.0], ['blue', 0.0]]
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"Expected an image file as path, got {str(path)!r}, where there is none.")
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


@drawn
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
    check_columns(pixels, ("panel", "in_detail", "column", "row", "colour", "value"), "the pixels")
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
            .mark_rect(strokeWidth=0.6)
            .encode(
                x=alt.X("column:Q", scale=ends[0], **hidden),
                x2="right:Q",
                y=alt.Y("row:Q", scale=ends[1], **hidden),
                y2="bottom:Q",
                color=alt.Color("colour:N", scale=None),
                stroke=alt.Stroke("colour:N", scale=None),  # or paper shines through between the pixels
            )
            .properties(width=size, height=size)
        )

    around = (
        alt.Chart(frame)
        .mark_rect(filled=False, stroke=ORANGE, strokeWidth=2.5)
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
                .mark_text(color="white", fontWeight="bold", fontSize=max(9, size / 20))
                .encode(
                    x=alt.X("x:Q", **hidden), y=alt.Y("y:Q", **hidden), text=alt.Text("value:Q", format="d")
                )
            )
        below.append(cells)
    return alt.vconcat(alt.hconcat(*above), alt.hconcat(*below)).configure_view(stroke=None)


@checked
def list_embedding_values(
    embeddings: Mapping[str, Embedding], *, of: Sequence[str], n: int = 64
) -> pd.DataFrame:
    """List the first numbers of some images in each of several embeddings, and what each was trained on.

    Parameters
    ----------
    embeddings : dict of str to Embedding
        By name, such as "pretrained".
    of : sequence of str
        Ids of the images.
    n : int, default 64
        How many of the numbers.

    Returns
    -------
    DataFrame
        ``image_id, embedding, trained_on, position`` (from 1) and ``value``.

    Raises
    ------
    ValueError
        If an embedding has no such image.

    Examples
    --------
    >>> embedding = Embedding(np.array([[0.5, 2.0]], dtype="float32"), ["a"], {})
    >>> list_embedding_values({"pretrained": embedding}, of=["a"], n=2)["value"].tolist()
    [0.5, 2.0]
    """
    if not embeddings or not of:
        raise ValueError("Expected at least one of embeddings and one image in of, got none.")
    parts = []
    for name, embedding in embeddings.items():
        where = {image_id: row for row, image_id in enumerate(embedding.image_ids)}
        for image_id in of:
            if image_id not in where:
                raise ValueError(f"Expected an image of the embedding {name!r}, got {image_id!r}.")
            values = np.asarray(embedding.x[where[image_id]][:n], dtype=float)
            parts.append(
                pd.DataFrame(
                    {
                        "image_id": image_id,
                        "embedding": name,
                        "trained_on": _describe_training(embedding),
                        "position": np.arange(1, len(values) + 1),
                        "value": values,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def _describe_training(embedding: Embedding) -> str:
    """Say in a few words what an embedding's network was trained on."""
    training = embedding.provenance.get("parameters", {}).get("training") or {}
    if "learning_rate" not in training:
        return "ImageNet"
    layers = {"all": "all layers", "last_block": "last block", "head": "last layer"}
    part = layers.get(training.get("layers", ""), "")
    return f"ImageNet, then labels: {part}, learning rate {training['learning_rate']}"


@drawn
def plot_embedding_values(
    values: pd.DataFrame, images: pd.DataFrame, *, width: int = 640, row: int = 22
) -> alt.VConcatChart:
    """Draw each image beside its row of numbers in each embedding.

    Parameters
    ----------
    values : DataFrame
        From `list_embedding_values`.
    images : DataFrame
        The pixels of each image: what `split_channels` gives, with a column ``image_id``.
    width : int, pixels
        Of the rows of numbers.
    row : int, pixels
        Height of one.

    Returns
    -------
    altair.VConcatChart
        A band per image; brighter is larger, on one scale throughout.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, Figure 2.

    Examples
    --------
    >>> values = pd.DataFrame({"image_id": "a", "embedding": "pretrained", "trained_on": "ImageNet",
    ...                        "position": [1, 2], "value": [0.5, 2.0]})
    >>> pixels = pd.DataFrame({"image_id": ["a"], "panel": "image", "row": 0, "column": 0,
    ...                        "colour": "#090807"})
    >>> len(plot_embedding_values(values, pixels).vconcat)
    1
    """
    check_columns(values, ("image_id", "embedding", "trained_on", "position", "value"), "the values")
    check_columns(images, ("image_id", "panel", "row", "column", "colour"), "the images")
    names = values["embedding"].drop_duplicates().tolist()
    n_numbers = int(values["position"].max())
    side = row * len(names)
    scale = alt.Scale(scheme="viridis", domain=[float(values["value"].min()), float(values["value"].max())])
    bands: list[Any] = []
    wanted = list(values.groupby("image_id", sort=False))
    for place, (image_id, table) in enumerate(wanted):
        pixels = images[(images["image_id"] == image_id) & (images["panel"] == "image")]
        picture = (
            alt.Chart(pixels[["row", "column", "colour"]])
            .mark_rect(strokeWidth=0.6)
            .encode(
                x=alt.X("column:O", title=None, axis=None, scale=alt.Scale(padding=0)),
                y=alt.Y("row:O", title=None, axis=None, scale=alt.Scale(padding=0)),
                color=alt.Color("colour:N", scale=None),
                stroke=alt.Stroke("colour:N", scale=None),  # or paper shines through between the pixels
            )
            .properties(width=side, height=side, name=f"still_{place}")
        )
        last = place == len(wanted) - 1
        # A number is a cell as wide as all others: places rounded to pixels would leave gaps here and there.
        table = table.assign(left=table["position"] - 0.5, right=table["position"] + 0.5)
        ends = alt.Scale(domain=[0.5, n_numbers + 0.5], nice=False, zero=False)
        axis = alt.Axis(format="d", tickCount=8, grid=False, title="Place of the number") if last else None
        strip = (
            alt.Chart(table)
            .mark_rect()
            .encode(
                x=alt.X("left:Q", title=None, axis=axis, scale=ends),
                x2="right:Q",
                y=alt.Y("embedding:N", sort=names, title=None, scale=alt.Scale(padding=0),
                        axis=alt.Axis(labelLimit=120, ticks=False, domain=False)),
                color=alt.Color(
                    "value:Q",
                    title="Value",
                    scale=scale,
                    legend=alt.Legend(orient="bottom", direction="horizontal", gradientLength=160)
                    if last
                    else None,
                ),
                tooltip=["embedding:N", "trained_on:N", "position:Q", alt.Tooltip("value:Q", format=".3f")],
            )
            .properties(width=width, height=alt.Step(row))
        )  # fmt: skip
        pair = alt.hconcat(picture, strip, spacing=10, name=f"{TOGETHER}_{place}")
        bands.append(pair.resolve_scale(color="independent"))
    said = values.drop_duplicates("embedding")
    lines = [f"{name}: {words}" for name, words in zip(said["embedding"], said["trained_on"], strict=True)]
    title = alt.Title(
        f"Images in {len(names)} embedding{'s' if len(names) > 1 else ''}: the first {n_numbers} numbers",
        subtitle=lines,
        anchor="start",
    )
    chart = alt.vconcat(*bands, title=title, spacing=8)
    return chart.resolve_scale(color="independent").configure_view(stroke=None)
