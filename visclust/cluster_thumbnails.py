"""Thumbnails of chosen clusters, for figures that hold their pictures inside."""

import pandas as pd

from visclust.image_reading import UnreadableImageError
from visclust.thumbnails import encode_data_url

__all__ = ["encode_cluster_thumbnails"]


def encode_cluster_thumbnails(
    chosen: pd.DataFrame,
    clusters: pd.DataFrame,
    images: pd.DataFrame,
    *,
    n_images: int = 3,
    side: int = 144,
) -> pd.DataFrame:
    """Encode the most typical images of chosen clusters for a figure.

    Parameters
    ----------
    chosen : DataFrame
        The ``chosen`` of `tabulate_emotion_heatmap`: ``cluster, letter``.
    clusters : DataFrame
        The clusters table; the images of highest silhouette are taken.
    images : DataFrame
        The images table, which says where the files are.
    n_images : int, default 3
        Images per cluster at most. Those that cannot be read are passed over.
    side : int, pixels, default 144
        Longest side.

    Returns
    -------
    DataFrame
        A row per picture: ``cluster, letter, block`` (number of the cluster, from 0), ``place`` (number
        within it), ``image_id, url`` (a ``data:`` URL).

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> path = Path(tempfile.mkdtemp()) / "red.png"
    >>> Image.new("RGB", (4, 3), "red").save(path)
    >>> images = pd.DataFrame({"image_id": ["a"], "path": [str(path)], "status": ["ok"]})
    >>> clusters = pd.DataFrame({"image_id": ["a"], "cluster": [7], "iteration": [1], "silhouette": [0.1]})
    >>> chosen = pd.DataFrame({"cluster": [7], "letter": ["A"]})
    >>> encode_cluster_thumbnails(chosen, clusters, images)[["cluster", "letter", "place"]]
       cluster letter  place
    0        7      A      0
    """
    paths = images.drop_duplicates("image_id").set_index("image_id")["path"]
    rows = []
    for block, (cluster, letter) in enumerate(zip(chosen["cluster"], chosen["letter"], strict=True)):
        members = clusters[clusters["cluster"].eq(cluster)].sort_values("silhouette", ascending=False)
        place = 0
        for image_id in members["image_id"]:
            if place == n_images:
                break
            try:
                url = encode_data_url(paths[image_id], max_side=side, quality=80)
            except UnreadableImageError:
                continue
            rows.append((cluster, letter, block, place, image_id, url))
            place += 1
    return pd.DataFrame(rows, columns=["cluster", "letter", "block", "place", "image_id", "url"])
