"""The map of a corpus: images laid out in two dimensions, the table behind the figure, and the figure.

The figure is Altair's, because it stays in a saved notebook and goes into a paper. A map to work with is
`link_map` of the widgets.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from visclust.base.arrays import rescale, take_matrix
from visclust.base.backend import to_host
from visclust.base.charts import COLOURS, drawn, name_cluster, title_chart
from visclust.base.checks import check_names, check_whole_number
from visclust.base.columns import check_clusters
from visclust.base.machine import choose_workers
from visclust.base.origins import check_origin
from visclust.base.progress import WorkBar
from visclust.base.provenance import is_embedding, recorded
from visclust.base.rows import match_rows
from visclust.base.tables import UNASSIGNED, check_columns
from visclust.embedding.layouts import lay_out_rows
from visclust.exploration.map_cells import MANY, divide_map
from visclust.images.index import locate_images
from visclust.images.thumbnails import encode_data_url, thumbnail_or_none

_OTHER = "Other clusters"
_UNASSIGNED = "Unassigned"
_NO_FRAME, _OTHER_FRAMES, _SEVERAL = "No frame", "Other frames", "Several frames"
_GRAYS = {_OTHER: "#b8b8b8", _OTHER_FRAMES: "#9a9a9a", _NO_FRAME: "#b8b8b8", _UNASSIGNED: "#dedede"}

# All seven of Okabe and Ito's; more colours than these no eye tells apart on a map.
_BLUE, _AMBER, _GREEN, _PURPLE, _VERMILION, _SKY = COLOURS
_COLOURS = (_BLUE, _AMBER, _GREEN, _VERMILION, _PURPLE, _SKY, "#f0e442")
_WIDTH, _HEIGHT = 640, 520
# Pictures in a map in squares: those of the fullest, about 8 MB in all.
_MOST_PICTURES = 4_000
_NEAR = "Near images look alike to the network; directions, sizes and far distances mean nothing."
_NUMBERS = "Numbers stand in the middle of their clusters."


@recorded
def project_map(
    x: Any,
    *,
    image_ids: Any = None,
    n_neighbors: int = 15,
    min_dist: float = 0.1,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Lay the images out on a map by UMAP: the array decides whether umap-learn or cuML makes it.

    A map shows who is near whom. Distances between far groups, their sizes and their density mean little on
    it, and another seed turns or shuffles it: find themes on it, and measure them on the embedding.

    Parameters
    ----------
    x : Embedding, or ndarray, shape (n, d), float32 or float64
        The embedding, or its matrix; NumPy for umap-learn, CuPy for cuML.
    image_ids : sequence of str, length n, optional
        Ids of its rows; then the table says which image each row is. An embedding brings them.
    n_neighbors : int, default 15
        Neighbours of each image that the map tries to keep together: more show the whole, fewer the detail.
    min_dist : float, default 0.1
        How close images may come on the map, from 0 (tight heaps) to 1.
    seed : int, default 0
        Seed; umap-learn then works on one core, so that the same seed gives the same map.
    progress : bool, default True
        Show a bar while umap-learn lays the images out; cuML has none.

    Returns
    -------
    DataFrame
        ``image_id`` (where ids were given), ``x, y``: coordinates without a unit.
        ``DataFrame.attrs["provenance"]`` is the record of the run, for `save_table` and methods sections.

    Raises
    ------
    TypeError, ValueError
        If the array or a setting is not as described.
    RuntimeError
        If umap-learn, or cuML for a CuPy array, is not installed.

    Source
    ------
    McInnes, Healy and Melville (2018), "UMAP: Uniform Manifold Approximation and Projection for Dimension
    Reduction". The paper of Casas et al. has no map; this is a way to look around.

    Examples
    --------
    >>> project_map(np.zeros((5, 2)), n_neighbors=5)
    Traceback (most recent call last):
    ValueError: Expected n_neighbors from 2 to 4 (n - 1), got 5.
    """
    image_ids = None if image_ids is None else check_names("image_ids", image_ids)
    if is_embedding(x):
        image_ids = x.image_ids if image_ids is None else image_ids
        named = None if image_ids is None else pd.DataFrame({"image_id": list(image_ids)})
        x = x.x if named is None else match_rows(x, named, what="image_ids")
    x = rescale(take_matrix(x))
    n = len(x)
    if (
        isinstance(n_neighbors, bool)
        or not isinstance(n_neighbors, int | np.integer)
        or not 2 <= n_neighbors < n
    ):
        raise ValueError(f"Expected n_neighbors from 2 to {n - 1} (n - 1), got {n_neighbors!r}.")
    if not 0 <= min_dist <= 1:
        raise ValueError(f"Expected min_dist from 0 to 1, got {min_dist!r}.")
    if image_ids is not None and len(image_ids) != n:
        raise ValueError(f"Expected an id for each of the {n} rows, got {len(image_ids)}.")
    places = to_host(
        lay_out_rows(
            x,
            n_components=2,
            n_neighbors=n_neighbors,
            min_dist=min_dist,
            metric="euclidean",
            seed=seed,
            what="Laying out the map",
            progress=progress,
        )
    )
    table = pd.DataFrame({"x": places[:, 0].astype("float64"), "y": places[:, 1].astype("float64")})
    if image_ids is not None:
        table.insert(0, "image_id", list(image_ids))
    return table


@recorded
def describe_map(
    places: pd.DataFrame,
    clusters: pd.DataFrame,
    *,
    images: pd.DataFrame | None = None,
    names: pd.DataFrame | None = None,
    frames: pd.DataFrame | None = None,
    highlight: list[int] | None = None,
    thumbnail_side: int = 72,
    images_folder: str | os.PathLike | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Make the table that `plot_map` draws: places on the map joined to clusters, names and thumbnails.

    Parameters
    ----------
    places : DataFrame
        ``image_id, x, y``, as `project_map` gives them with ids.
    clusters : DataFrame
        The clusters table (``image_id, cluster`` are enough).
    images : DataFrame, optional
        The images table; then each image's thumbnail is in the table, about 2 kB each, and so in the chart
        and in a notebook that is saved with it. For tens of thousands of images leave it out, and look at
        them with `link_map`. Of more than 50,000 images, which `plot_map` draws in squares, only those have a
        thumbnail that are shown for the 4,000 fullest squares.
    names : DataFrame, optional
        ``cluster, name``, as `read_cluster_notes` gives them.
    frames : DataFrame, optional
        The frames table (``cluster, frame``): then colours are frames, the 7 that most images have, whatever
        their clusters. A cluster of several frames is "Several frames"; one of none is gray.
    highlight : list of int, optional
        Clusters to colour, at most 7; the 7 largest by default. All others are gray. Not beside `frames`.
    thumbnail_side : int, pixels, default 72
        Longest side of the thumbnails.
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.
    progress : bool, default True
        Show a bar while thumbnails are made.

    Returns
    -------
    DataFrame
        ``image_id, x, y, cluster, name`` ("Cluster 31", or "Cluster 31: boats" where it has a name),
        ``shown_as`` (the name for coloured clusters, or the frame; else "Other clusters", "No frame" or
        "Unassigned"), ``label`` (what `plot_map` writes on the middle image of a coloured cluster: its
        number) and, with `images`, ``image``: a ``data:`` URL, missing where the file cannot be read or,
        of very many images, is not shown.

    Raises
    ------
    ValueError
        If an image of the map comes twice or is not in the clusters or images, or a cluster to be coloured or
        named is not there or comes twice, or there are too many to colour.
    FileNotFoundError
        If none of the image files is there; a warning counts them where some are gone.

    Examples
    --------
    >>> places = pd.DataFrame({"image_id": ["a", "b"], "x": [0.0, 1.0], "y": [0.0, 1.0]})
    >>> clusters = pd.DataFrame({"image_id": ["a", "b"], "cluster": [4, -1], "iteration": [1, -1],
    ...                          "silhouette": [0.1, None]})
    >>> describe_map(places, clusters)["shown_as"].tolist()
    ['Cluster 4', 'Unassigned']
    """
    clusters = check_clusters(clusters)
    check_origin(names, clusters, what="the names", made_from="the clusters")
    hint = "Give project_map the ids: image_ids=clusters['image_id']."
    check_columns(places, ("image_id", "x", "y"), "the places on the map", hint=hint)
    if places["image_id"].duplicated().any():
        twice = places.loc[places["image_id"].duplicated(), "image_id"].iloc[0]
        raise ValueError(f"Expected each image once on the map, but {twice!r} comes twice.")
    table = places[["image_id", "x", "y"]].merge(clusters[["image_id", "cluster"]], on="image_id", how="left")
    if table["cluster"].isna().any():
        lacking = table.loc[table["cluster"].isna(), "image_id"]
        raise ValueError(
            f"{len(lacking)} images of the map are not in the clusters table (first: {lacking.iloc[0]!r})."
        )
    table = table.astype({"cluster": "int64"})
    if frames is not None and highlight is not None:
        raise ValueError("Expected frames or highlight, got both: colours mean one of them.")
    sizes = table.loc[table["cluster"].ne(UNASSIGNED), "cluster"].value_counts()
    largest = sizes.sort_index().sort_values(ascending=False, kind="stable").index[: len(_COLOURS)]
    coloured = list(largest) if highlight is None else list(highlight)
    if len(coloured) > len(_COLOURS):
        raise ValueError(
            f"Expected at most {len(_COLOURS)} clusters to highlight, got {len(coloured)}: more colours "
            "cannot be told apart."
        )
    if strange := [cluster for cluster in coloured if cluster not in sizes.index]:
        raise ValueError(f"highlight= names cluster {strange[0]}, of which no image is on the map.")
    given = _read_names(names)
    called = {cluster: name_cluster(cluster, given.get(cluster)) for cluster in sizes.index}
    called[UNASSIGNED] = _UNASSIGNED
    table["name"] = table["cluster"].map(called)
    if frames is None:
        other = table["cluster"].map(lambda cluster: _UNASSIGNED if cluster == UNASSIGNED else _OTHER)
        table["shown_as"] = table["cluster"].map({one: called[one] for one in coloured}).fillna(other)
    else:
        check_origin(frames, clusters, what="the frames", made_from="the clusters")
        table["shown_as"] = _show_frames(table["cluster"], frames)
        shown = table.drop_duplicates("cluster").set_index("cluster")["shown_as"]
        coloured = [c for c in sizes.index if shown[c] not in _GRAYS]
    table["label"] = _label_middles(table, coloured)
    if images is not None:
        wanted = np.arange(len(table))
        if len(table) > MANY:
            squares = divide_map(table, list(choose_map_colours(table)), width=_WIDTH, height=_HEIGHT)
            fullest = squares.table["images"].sort_values(ascending=False, kind="stable").index
            wanted = np.sort(squares.row[fullest[:_MOST_PICTURES]])
        pictures = np.full(len(table), None, dtype=object)
        pictures[wanted] = _encode_thumbnails(
            table["image_id"].iloc[wanted], images, thumbnail_side, images_folder, progress=progress
        )
        table["image"] = pictures
    return table


@drawn
def plot_map(
    table: pd.DataFrame,
    *,
    point_size: float | None = None,
    max_points: int = MANY,
    width: int = _WIDTH,
    height: int = _HEIGHT,
) -> alt.Chart | alt.LayerChart:
    """Draw the map of a corpus, coloured by cluster; pointing at an image shows it and names its cluster.

    Very many images are drawn in squares instead of points, which would hide one another: a square has the
    commonest colour of its images, and a stronger one the more there are. Pointing at it tells how many, and
    shows one of them.

    Parameters
    ----------
    table : DataFrame
        From `describe_map`: ``x, y, cluster, name, shown_as, image_id`` and, for thumbnails, ``image``.
    point_size : float, square pixels, optional
        Area of a point; by default smaller the more there are. Squares have none.
    max_points : int, default 50,000
        Images that are drawn as points at most; more are drawn in squares of 4 x 4 pixels.
    width, height : int, pixels
        Of the chart.

    Returns
    -------
    altair.Chart
        Dragging over it makes a brush named "brush", which dims the rest; `link_map` opens what it holds.

    Raises
    ------
    ValueError
        If a column is missing or, in squares, an image has no place.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": ["a"], "x": [0.0], "y": [0.0], "cluster": [4],
    ...                       "name": ["Cluster 4"], "shown_as": ["Cluster 4"]})
    >>> plot_map(table).mark.type
    'circle'
    """
    needed = ("image_id", "x", "y", "cluster", "name", "shown_as")
    check_columns(table, needed, "the table of the map", hint="describe_map makes such a table.")
    for name, value in (("max_points", max_points), ("width", width), ("height", height)):
        check_whole_number(name, value, least=1)
    has_labels = "label" in table.columns and table["label"].ne("").any()
    said = [_NEAR, _NUMBERS] if has_labels else [_NEAR]
    if len(table) > max_points:
        chart, in_squares = _draw_squares(table, width=width, height=height)
        said.insert(0, in_squares)
    else:
        chart = _draw_points(table, point_size)
        if not has_labels:
            return chart.properties(width=width, height=height)
    title = title_chart("Map of the images", table, subtitle=said)
    if not has_labels:
        return chart.properties(width=width, height=height, title=title)
    x, y = _make_axes()
    marked = table.loc[table["label"].ne(""), ["x", "y", "label"]]
    numbers = alt.Chart(marked).encode(x=x, y=y, text="label:N")
    halo = numbers.mark_text(fontSize=11, fontWeight="bold", stroke="white", strokeWidth=3, color="white")
    text = numbers.mark_text(fontSize=11, fontWeight="bold", color="black")
    return alt.layer(chart, halo, text).properties(width=width, height=height, title=title)


def _make_axes() -> tuple[alt.X, alt.Y]:
    # Coordinates mean nothing.
    axis = alt.Axis(labels=False, ticks=False, grid=False, domain=False, title=None)
    scale = alt.Scale(zero=False, nice=False, padding=10)
    return alt.X("x:Q", axis=axis, scale=scale), alt.Y("y:Q", axis=axis, scale=scale)


def _colour_as(table: pd.DataFrame, shown: Any) -> alt.Color:
    """Colour by ``shown_as``, as the legend of the whole table has it, of those that are shown."""
    colours = {word: colour for word, colour in choose_map_colours(table).items() if word in set(shown)}
    return alt.Color(
        "shown_as:N",
        title=None,
        scale=alt.Scale(domain=list(colours), range=list(colours.values())),
        legend=alt.Legend(labelLimit=220, symbolOpacity=1, symbolSize=70),
    )


def _draw_points(table: pd.DataFrame, point_size: float | None) -> alt.Chart:
    """Draw a point per image, the last of the legend first, so that the gray ones lie below."""
    columns = ["image_id", "x", "y", "cluster", "name", "shown_as"]
    columns += [name for name in ("image", "label") if name in table.columns]
    depth = table["shown_as"].map({label: place for place, label in enumerate(choose_map_colours(table))})
    shown = table.loc[depth.sort_values(ascending=False, kind="stable").index, columns]
    brush = alt.selection_interval(name="brush", encodings=["x", "y"])
    tooltips = [alt.Tooltip("name:N", title="Cluster"), alt.Tooltip("image_id:N", title="Image")]
    if "image" in columns:  # a field of this name is shown as a picture
        tooltips.insert(0, alt.Tooltip("image:N"))
    x, y = _make_axes()
    return (
        alt.Chart(shown)
        .mark_circle(size=point_size or max(9, min(60, 60_000 / max(1, len(shown)))))
        .encode(
            x=x,
            y=y,
            color=_colour_as(table, table["shown_as"]),
            opacity=alt.condition(brush, alt.value(0.85), alt.value(0.12)),
            tooltip=tooltips,
        )
        .add_params(brush)
    )


def _draw_squares(table: pd.DataFrame, *, width: int, height: int) -> tuple[alt.Chart, str]:
    """Draw a square per place that holds images, and say in a line what squares are."""
    squares, row = divide_map(table, list(choose_map_colours(table)), width=width, height=height)
    example = table.iloc[row]
    shown = squares.assign(name=example["name"].to_numpy(), image_id=example["image_id"].to_numpy())
    tooltips = [
        alt.Tooltip("images:Q", title="Images here", format=","),
        alt.Tooltip("shown_as:N", title="Most are"),
        alt.Tooltip("share:Q", title="Share of them", format=".0%"),
        alt.Tooltip("clusters:Q", title="Clusters here", format=","),
        alt.Tooltip("name:N", title="Shown, one of them"),
        alt.Tooltip("image_id:N", title="Image"),
    ]
    if "image" in table.columns:
        shown["image"] = example["image"].to_numpy()
        tooltips.insert(0, alt.Tooltip("image:N"))
    most = int(shown["images"].max())
    # With one value a log scale has no extent.
    scale = alt.Scale(type="log", domain=[1, max(2, most)], range=[0.25, 1])
    ticks = [each for each in (1, 10, 100, 1_000, 10_000, 100_000) if each < most / 2] + [most]
    legend = alt.Legend(
        values=ticks, format=",", symbolType="square", symbolFillColor="#444", symbolStrokeWidth=0
    )
    stronger = alt.Opacity("images:Q", title="Images in a square", scale=scale, legend=legend)
    brush = alt.selection_interval(name="brush", encodings=["x", "y"])
    x, y = _make_axes()
    chart = (
        alt.Chart(shown)
        .mark_rect()
        .encode(
            x=x,
            x2="x_end:Q",
            y=y,
            y2="y_end:Q",
            color=_colour_as(table, shown["shown_as"]),
            opacity=alt.condition(brush, stronger, alt.value(0.08)),
            tooltip=tooltips,
        )
        .add_params(brush)
    )
    return chart, (
        f"{len(table):,} images in {len(shown):,} squares of 1 to {most:,}; a square has the commonest "
        "colour of its images."
    )


def _show_frames(cluster: pd.Series, frames: pd.DataFrame) -> pd.Series:
    """Give the frame of each image's cluster; beyond the colours that there are, the rarest are one."""
    check_columns(frames, ("cluster", "frame"), "the frames")
    by_cluster = frames.groupby("cluster")["frame"].agg(
        lambda each: str(each.iloc[0]) if len(each) == 1 else _SEVERAL
    )
    shown = cluster.map(by_cluster.to_dict()).fillna(_NO_FRAME).mask(cluster.eq(UNASSIGNED), _UNASSIGNED)
    counts = shown[~shown.isin(_GRAYS)].value_counts().sort_index()
    counts = counts.sort_values(ascending=False, kind="stable")
    rare = counts.index.tolist()[len(_COLOURS) :]
    return shown.mask(shown.isin(rare), _OTHER_FRAMES)


def _label_middles(table: pd.DataFrame, coloured: list[int]) -> pd.Series:
    """Put the number of each coloured cluster on the image that lies nearest to the cluster's middle."""
    labels = pd.Series("", index=table.index)
    for cluster in coloured:
        places = table.loc[table["cluster"].eq(cluster), ["x", "y"]]
        apart = ((places - places.median()) ** 2).sum(axis=1)
        nearest: Any = apart.idxmin()
        labels[nearest] = str(cluster)
    return labels


def choose_map_colours(table: pd.DataFrame) -> dict[str, str]:
    """Choose the colour of each value of ``shown_as``, in the order of the legend.

    The largest comes first; the gray ones, which are not highlighted, come last.
    """
    found = table["shown_as"].value_counts(sort=False).sort_values(ascending=False, kind="stable").index
    labels = [label for label in found if label not in _GRAYS]
    grays = {label: gray for label, gray in _GRAYS.items() if label in found}
    return dict(zip(labels, _COLOURS, strict=False)) | grays


def _read_names(names: pd.DataFrame | None) -> dict[int, str]:
    """Give the names by cluster; a missing name is none."""
    if names is None:
        return {}
    check_columns(names, ("cluster", "name"), "the names")
    if names["cluster"].duplicated().any():
        twice = names.loc[names["cluster"].duplicated(), "cluster"].iloc[0]
        raise ValueError(f"Expected one name per cluster, but cluster {twice} comes twice.")
    return dict(names.dropna(subset="name")[["cluster", "name"]].itertuples(index=False, name=None))


def _encode_thumbnails(
    image_ids: pd.Series,
    images: pd.DataFrame,
    side: int,
    folder: str | os.PathLike | None,
    *,
    progress: bool,
) -> list[str | None]:
    """Encode the thumbnail of each image; None where it cannot be read."""
    paths = locate_images(images, image_ids, folder=folder)

    def encode(image_id: str) -> str | None:
        return thumbnail_or_none(encode_data_url, paths[image_id], max_side=side, quality=70)

    with ThreadPoolExecutor(choose_workers()) as pool:  # decoding lets other threads run
        encoded = pool.map(encode, image_ids)
        return list(
            WorkBar(
                encoded,
                total=len(image_ids),
                desc="Thumbnails",
                unit="image",
                work=f"Making {len(image_ids):,} thumbnails",
                progress=progress,
            )
        )
