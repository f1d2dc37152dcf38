"""Let a researcher look through clusters, name them, and say which frames they show."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import visclust
from visclust.base.backend import check_embedding, to_host
from visclust.base.tables import check_table
from visclust.corpus.links import ImagePosts
from visclust.exploration.notes import key_clusters
from visclust.widgets.browse_catalogue import catalogue_clusters
from visclust.widgets.browsing import Browsing
from visclust.widgets.cluster_browser import ClusterBrowser
from visclust.widgets.note_log import NoteLog

__all__ = ["browse_clusters", "check_frames", "find_image_files"]

_FRAME_LENGTH = 200


def browse_clusters(
    clusters: pd.DataFrame,
    images: pd.DataFrame,
    x: Any = None,
    *,
    save_to: str | os.PathLike,
    posts: pd.DataFrame | None = None,
    links: pd.DataFrame | None = None,
    frames: Sequence[str] = (),
    researcher: str = "researcher",
    max_side: int = 160,
    height: int = 620,
    images_folder: str | os.PathLike | None = None,
) -> ClusterBrowser:
    """Show clusters as rows of thumbnails to open, name, tick frames for, mark as noise, and select from.

    Rows can be sorted by size, silhouette, iteration or name, and filtered by words of the posts. An opened
    cluster shows all its images, the most typical first, with the posts of the image pointed at; from any
    image one gets to those most like it. Only what is seen is sent to the browser. Everything works by
    keyboard: arrows move, Enter opens and enlarges, Space selects, M shows more like this, Escape goes back,
    N goes to the name, / to the filter.

    Names, frames, noise and notes go to disk one by one as they are given, in the researcher's own file
    beside other answers; running the cell again, also after a restart of the kernel, shows them again. They
    belong to the images of a cluster and not to its number: another clustering shows them only for a
    cluster of exactly the same images. `read_cluster_notes` reads them without a widget.

    Parameters
    ----------
    clusters : DataFrame
        The clusters table.
    images : DataFrame
        The images table.
    x : ndarray, shape (n, d), optional
        The embedding, a row per row of `clusters` (the order in which `assign_clusters` makes them); needed
        for "more like this".
    save_to : str or path
        Folder of the study's answers.
    posts : DataFrame, optional
        ``post_id, text`` and, where there are any, ``author, posted_at``; shown as plain text.
    links : DataFrame, optional
        The posts_images table; needed where there are posts.
    frames : sequence of str
        The researcher's own list of frames, to tick for each cluster.
    researcher : str, default "researcher"
        Whose notes these are; each person has a file of their own.
    max_side : int, pixels, default 160
        Longest side of the thumbnails sent; an enlarged image is sent on request.
    height : int, pixels, default 620
        Height of the part that scrolls.
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.

    Returns
    -------
    ClusterBrowser
        The widget; leave it as the last line of a cell. In later cells, ``selection()`` gives the selected
        images, ``names()`` the table ``cluster, name, noise, note``, ``frames()`` the frames table, and
        ``show(image_ids)`` opens images in it.

    Raises
    ------
    ValueError
        If a table or an option is not usable, or `x` has not as many rows as `clusters`.
    OSError
        If the folder cannot be written to.

    Source
    ------
    Casas et al., Figure 8 (clusters as rows of images) and Section 3 (frames read off clusters).

    Examples
    --------
    >>> import tempfile
    >>> clusters = pd.DataFrame({"image_id": ["a", "b"], "cluster": [0, 0], "iteration": [1, 1],
    ...                          "silhouette": [0.1, 0.2]})
    >>> images = pd.DataFrame({"image_id": ["a", "b"], "path": ["a.png", "b.png"], "status": "ok",
    ...                        "reason": "", "width": 8, "height": 8})
    >>> browser = browse_clusters(clusters, images, save_to=tempfile.mkdtemp(), frames=["justice"])
    >>> browser.names()
       cluster name  noise note
    0        0       False
    """
    for name, value, least in (("max_side", max_side, 32), ("height", height, 200)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"Expected {name} as a whole number, {least} or more, got {value!r}.")
    frames = check_frames(frames)
    catalogue = catalogue_clusters(clusters)
    if x is not None and (getattr(x, "ndim", 0) != 2 or len(x) != len(clusters)):
        raise ValueError(
            f"Expected an embedding with a row for each of the {len(clusters)} rows of the clusters table, "
            f"got {getattr(x, 'shape', type(x).__name__)}. Load the one that the clusters were made from."
        )
    if x is not None:
        check_embedding(x)
    paths = find_image_files(clusters, images, folder=images_folder)
    image_posts = ImagePosts(clusters["image_id"], posts, links)
    keys = key_clusters(clusters)
    version = f"browser {getattr(visclust, '__version__', '0.1.0')}"
    log = NoteLog(keys, researcher=researcher, save_to=save_to, widget_version=version)
    study = hashlib.sha256(str(log.path).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    settings = {
        "researcher": log.researcher,
        "frames": list(frames),
        "has_posts": image_posts.given,
        "has_neighbours": x is not None,
        "readonly": False,
        "height": height,
        "storage_key": f"notes:{study}",
    }
    return ClusterBrowser(
        Browsing(catalogue),
        clusters,
        paths,
        x=None if x is None else to_host(x),
        posts=image_posts,
        log=log,
        keys=keys,
        settings=settings,
        side=max_side,
    )


def check_frames(frames: Sequence[str]) -> tuple[str, ...]:
    """Check the researcher's list of frames.

    Parameters
    ----------
    frames : sequence of str
        The list.

    Returns
    -------
    tuple of str
        Without spaces at their ends.

    Raises
    ------
    ValueError
        If it is no list of different, short texts.

    Examples
    --------
    >>> check_frames([" justice", "order"])
    ('justice', 'order')
    """
    if isinstance(frames, str) or not all(isinstance(frame, str) for frame in frames):
        raise ValueError(f"Expected the frames as a list of texts, got {frames!r}.")
    cleaned = tuple(frame.strip() for frame in frames)
    if not all(cleaned) or len(set(cleaned)) < len(cleaned) or any(len(f) > _FRAME_LENGTH for f in cleaned):
        raise ValueError(f"Expected different frames of 1 to {_FRAME_LENGTH} letters, got {list(frames)!r}.")
    return cleaned


def find_image_files(
    clusters: pd.DataFrame, images: pd.DataFrame, *, folder: str | os.PathLike | None = None
) -> list[str]:
    """Find the file of every row of the clusters table.

    Parameters
    ----------
    clusters : DataFrame
        The clusters table.
    images : DataFrame
        The images table. Of the files of an image, the first with status "ok" is used.
    folder : str or path, optional
        Where relative paths start; the working directory by default.

    Returns
    -------
    list of str
        Absolute paths, in the order of `clusters`. Whether they can be read is found out when they are shown.

    Raises
    ------
    ValueError
        If an image of the clusters has no usable file in the images table.

    Examples
    --------
    >>> images = pd.DataFrame({"image_id": ["a"], "path": ["a.jpg"], "status": ["ok"], "reason": [""],
    ...                        "width": [4], "height": [3]})
    >>> clusters = pd.DataFrame({"image_id": ["a"], "cluster": [0], "iteration": [1], "silhouette": [0.1]})
    >>> find_image_files(clusters, images, folder="/data")
    ['/data/a.jpg']
    """
    check_table(images, "images")
    usable = images[images["status"] == "ok"].drop_duplicates("image_id").set_index("image_id")["path"]
    found = clusters["image_id"].map(usable)
    if found.isna().any():
        lacking = clusters.loc[found.isna(), "image_id"]
        raise ValueError(
            f"Expected a row with status 'ok' in the images table for each of the {len(clusters)} images of "
            f"the clusters, got none for {len(lacking)} of them (first: {lacking.iloc[0]!r}). Use the images "
            "table that the clusters were made from."
        )
    start = Path.cwd() if folder is None else Path(folder).absolute()
    # As text: 20,000 Paths take half a second to make, and a person waits for the first rows.
    return [path if os.path.isabs(path) else f"{start}{os.sep}{path}" for path in found]  # noqa: PTH117
