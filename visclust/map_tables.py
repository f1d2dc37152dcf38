"""The table behind a map: where each image lies, how its cluster is shown, and its thumbnail."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from visclust.base.tables import UNASSIGNED, check_table
from visclust.images.index import select_usable
from visclust.images.reading import UnreadableImageError
from visclust.images.thumbnails import encode_data_url

__all__ = ["choose_map_colours", "describe_map"]

_OTHER = "Other clusters"
_UNASSIGNED = "Unassigned"
_GRAYS = {_OTHER: "#b8b8b8", _UNASSIGNED: "#dedede"}
# Okabe and Ito's colours, told apart with any colour vision; more than these no eye tells apart on a map.
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442")


def describe_map(
    places: pd.DataFrame,
    clusters: pd.DataFrame,
    *,
    images: pd.DataFrame | None = None,
    names: pd.DataFrame | None = None,
    highlight: list[int] | None = None,
    thumbnail_side: int = 72,
    images_folder: str | os.PathLike | None = None,
) -> pd.DataFrame:
    """Make the table that `plot_map` draws: places on the map joined to clusters, names and thumbnails.

    Parameters
    ----------
    places : DataFrame
        ``image_id, x, y``, as `project_map` gives them with ids.
    clusters : DataFrame
        The clusters table.
    images : DataFrame, optional
        The images table; then each image's thumbnail is in the table, about 2 kB each, and so in the chart
        and in a notebook that is saved with it. For tens of thousands of images leave it out, and look at
        them with `link_map`.
    names : DataFrame, optional
        ``cluster, name``, as `read_cluster_notes` gives them.
    highlight : list of int, optional
        Clusters to colour, at most 7; the 7 largest by default. All others are gray.
    thumbnail_side : int, pixels, default 72
        Longest side of the thumbnails.
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.

    Returns
    -------
    DataFrame
        ``image_id, x, y, cluster, name`` (the cluster's name, or its number in words), ``shown_as`` (the
        name for coloured clusters; else "Other clusters" or "Unassigned") and, with `images`, ``image``: a
        ``data:`` URL, missing where the file cannot be read.

    Raises
    ------
    ValueError
        If an image of the map comes twice or is not in the clusters or images, or a cluster to be coloured or
        named is not there or comes twice, or there are too many to colour.

    Examples
    --------
    >>> places = pd.DataFrame({"image_id": ["a", "b"], "x": [0.0, 1.0], "y": [0.0, 1.0]})
    >>> clusters = pd.DataFrame({"image_id": ["a", "b"], "cluster": [4, -1], "iteration": [1, -1],
    ...                          "silhouette": [0.1, None]})
    >>> describe_map(places, clusters)["shown_as"].tolist()
    ['Cluster 4', 'Unassigned']
    """
    check_table(clusters, "clusters")
    missing = [name for name in ("image_id", "x", "y") if name not in places.columns]
    if missing:
        raise ValueError(
            f"Expected the columns image_id, x, y; {', '.join(missing)} is missing. "
            "Give project_map the ids: image_ids=clusters['image_id']."
        )
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
    called = {cluster: given.get(cluster) or f"Cluster {cluster}" for cluster in sizes.index}
    called[UNASSIGNED] = _UNASSIGNED
    table["name"] = table["cluster"].map(called)
    other = table["cluster"].map(lambda cluster: _UNASSIGNED if cluster == UNASSIGNED else _OTHER)
    # Two clusters of one name are two colours, and one called as the gray ones are is not gray.
    named = list(called.values())
    twice = {called[one] for one in coloured if named.count(called[one]) > 1 or called[one] in _GRAYS}
    labels = {one: f"{called[one]} ({one})" if called[one] in twice else called[one] for one in coloured}
    table["shown_as"] = table["cluster"].map(labels).fillna(other)
    if images is not None:
        table["image"] = _encode_thumbnails(table["image_id"], images, thumbnail_side, images_folder)
    return table


def choose_map_colours(table: pd.DataFrame) -> dict[str, str]:
    """Choose the colour of each entry of the legend: the largest first, gray for all that is not highlighted.

    Parameters
    ----------
    table : DataFrame
        From `describe_map`.

    Returns
    -------
    dict of str to str
        Values of ``shown_as`` and their colours, in the legend's order.

    Examples
    --------
    >>> choose_map_colours(pd.DataFrame({"shown_as": ["Unassigned", "marches"]}))
    {'marches': '#0072b2', 'Unassigned': '#dedede'}
    """
    found = table["shown_as"].value_counts(sort=False).sort_values(ascending=False, kind="stable").index
    labels = [label for label in found if label not in _GRAYS]
    grays = {label: gray for label, gray in _GRAYS.items() if label in found}
    return dict(zip(labels, _COLOURS, strict=False)) | grays


def _read_names(names: pd.DataFrame | None) -> dict[int, str]:
    """Give the names by cluster; a missing name is none."""
    if names is None:
        return {}
    if missing := [name for name in ("cluster", "name") if name not in names.columns]:
        raise ValueError(f"Expected names with the columns cluster, name; {', '.join(missing)} is missing.")
    if names["cluster"].duplicated().any():
        twice = names.loc[names["cluster"].duplicated(), "cluster"].iloc[0]
        raise ValueError(f"Expected one name per cluster, but cluster {twice} comes twice.")
    return dict(names.dropna(subset="name")[["cluster", "name"]].itertuples(index=False, name=None))


def _encode_thumbnails(
    image_ids: pd.Series, images: pd.DataFrame, side: int, folder: str | os.PathLike | None
) -> list[str | None]:
    """Encode the thumbnail of each image; None where it cannot be read."""
    paths = select_usable(images).set_index("image_id")["path"]
    unknown = image_ids[~image_ids.isin(paths.index)]
    if len(unknown):
        raise ValueError(
            f"{len(unknown)} images of the map have no row with status 'ok' in the images table "
            f"(first: {unknown.iloc[0]!r})."
        )
    start = Path() if folder is None else Path(folder)

    def encode(image_id: str) -> str | None:
        try:
            return encode_data_url(start / paths[image_id], max_side=side, quality=70)
        except UnreadableImageError:
            return None

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoding lets other threads run
        return list(pool.map(encode, image_ids))
