"""For teaching: images as rows of numbers in several embeddings, and what each embedding was trained on."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from visclust.embedding import Embedding

__all__ = ["list_embedding_values", "plot_embedding_values"]


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
    names = values["embedding"].drop_duplicates().tolist()
    side = row * len(names)
    scale = alt.Scale(scheme="viridis", domain=[float(values["value"].min()), float(values["value"].max())])
    bands: list[Any] = []
    for image_id, table in values.groupby("image_id", sort=False):
        pixels = images[(images["image_id"] == image_id) & (images["panel"] == "image")]
        picture = (
            alt.Chart(pixels[["row", "column", "colour"]])
            .mark_rect()
            .encode(
                x=alt.X("column:O", title=None, axis=None, scale=alt.Scale(paddingInner=0)),
                y=alt.Y("row:O", title=None, axis=None, scale=alt.Scale(paddingInner=0)),
                color=alt.Color("colour:N", scale=None),
            )
            .properties(width=side, height=side)
        )
        base = alt.Chart(table).encode(
            y=alt.Y("embedding:N", sort=names, title=None, axis=alt.Axis(labelLimit=200))
        )
        first = not bands
        strip = (
            base.mark_rect()
            .encode(
                x=alt.X("position:O", title=None, axis=None),
                color=alt.Color(
                    "value:Q", title="Value", scale=scale, legend=alt.Legend() if first else None
                ),
                tooltip=["embedding:N", "trained_on:N", "position:Q", alt.Tooltip("value:Q", format=".3f")],
            )
            .properties(width=width, height=side)
        )
        bands.append(alt.hconcat(picture, strip).resolve_scale(color="independent"))
    said = values.drop_duplicates("embedding")
    lines = [f"{name}: {words}" for name, words in zip(said["embedding"], said["trained_on"], strict=True)]
    chart = alt.vconcat(
        *bands,
        title=alt.Title(
            f"Images in {len(names)} embeddings: the first {int(values['position'].max())} numbers",
            subtitle=lines,
        ),
    )
    return chart.resolve_scale(color="independent").configure_view(stroke=None)
