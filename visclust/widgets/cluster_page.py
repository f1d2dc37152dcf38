"""Share a look at the clusters: one HTML file with the pictures inside, for people without a notebook."""

import os
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from visclust.base.checks import check_whole_number
from visclust.base.columns import check_clusters, check_frames
from visclust.base.files import write_text
from visclust.base.html import build_data_page
from visclust.base.machine import choose_workers
from visclust.base.origins import check_origin
from visclust.base.progress import WorkBar
from visclust.base.provenance import note_run, recorded
from visclust.base.simulated import is_simulated
from visclust.base.tables import check_columns
from visclust.corpus.links import ImagePosts
from visclust.exploration.notes import ClusterNote, key_clusters
from visclust.images.index import locate_images
from visclust.images.thumbnails import encode_data_url, thumbnail_or_none
from visclust.widgets.assets import load_asset
from visclust.widgets.browsing import Browsing, catalogue_clusters, describe_cluster

_HEIGHT = 760  # pixels of the part that scrolls

_STYLE = """body { margin: 12px; background: #fff; font-family: system-ui, sans-serif; }
h1 { margin: 0 0 4px; font-size: 22px; overflow-wrap: anywhere; }
.visclust-about-page { margin: 0 0 10px; color: #555; font-size: 14px; }
"""


@recorded
def export_cluster_page(
    clusters: pd.DataFrame,
    images: pd.DataFrame,
    *,
    save_to: str | os.PathLike,
    posts: pd.DataFrame | None = None,
    links: pd.DataFrame | None = None,
    names: pd.DataFrame | None = None,
    frames: pd.DataFrame | None = None,
    title: str = "Clusters of images",
    max_images_per_cluster: int = 24,
    max_images: int = 20_000,
    max_posts_per_image: int = 3,
    max_side: int = 160,
    images_folder: str | os.PathLike | None = None,
    progress: bool = True,
) -> Path:
    """Write one HTML file in which co-authors look through the clusters, offline, on any computer.

    The page looks like `browse_clusters`, to be read only: rows of thumbnails that can be sorted and
    filtered, clusters that open, posts beside their image. It holds its pictures itself, asks nothing of any
    network, and forbids by its content policy every script but its own, whatever a post says.

    Whoever has the file has the pictures and, where posts are given, texts and authors: before you pass it
    on, think of the people in them and of the platform's terms.

    Parameters
    ----------
    clusters : DataFrame
        The clusters table (``image_id, cluster`` are enough).
    images : DataFrame
        The images table. Paths stay out of the page.
    save_to : str or path
        The file to write, such as ``clusters.html``.
    posts : DataFrame, optional
        ``post_id, text`` and, where there are any, ``author, posted_at``. Leave out the column ``author`` to
        keep names out of the page.
    links : DataFrame, optional
        The posts_images table; needed where there are posts.
    names : DataFrame, optional
        ``cluster, name, noise, note``, as `read_cluster_notes` gives them; the last two may be missing.
    frames : DataFrame, optional
        The frames table. Where a column ``simulated`` marks names or frames as made up, the page says so.
    title : str, optional
        Above the clusters.
    max_images_per_cluster : int, default 24
        Images of each cluster in the page, the most typical (of highest silhouette) first. The page says how
        many a cluster has.
    max_images : int, default 20,000
        Images in the page at most, about 120 MB of photographs, which a browser still opens: where clusters
        are very many each has fewer, but one at least.
    max_posts_per_image : int, default 3
        Posts of each image in the page, the earliest first. The page says how many there are. Words,
        authors and days are sought in these posts only.
    max_side : int, pixels, default 160
        Longest side of the pictures: about 6 kB each for a photograph.
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.
    progress : bool, default True
        Show a progress bar.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ValueError
        If a table or an option is not usable.
    FileNotFoundError
        If none of the image files is there; a warning counts them where some are gone.

    Source
    ------
    Casas et al., Figure 8.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (8, 8)).save(folder / "a.png")
    >>> clusters = pd.DataFrame({"image_id": ["a"], "cluster": [0], "iteration": [1], "silhouette": [0.1]})
    >>> images = pd.DataFrame({"image_id": ["a"], "path": ["a.png"], "status": "ok", "reason": "",
    ...                        "width": 8, "height": 8})
    >>> page = export_cluster_page(
    ...     clusters, images, save_to=folder / "clusters.html", images_folder=folder, progress=False)
    >>> page.name
    'clusters.html'
    """
    for name, value in (
        ("max_images_per_cluster", max_images_per_cluster),
        ("max_images", max_images),
        ("max_posts_per_image", max_posts_per_image),
        ("max_side", max_side),
    ):
        check_whole_number(name, value, least=1)
    clusters = check_clusters(clusters)
    for table, what in ((names, "the names"), (frames, "the frames")):
        check_origin(table, clusters, what=what, made_from="the clusters")
    paths = list(locate_images(images, clusters["image_id"], folder=images_folder).values())
    image_posts = ImagePosts(clusters["image_id"], posts, links)
    state = Browsing(catalogue_clusters(clusters, image_posts.count_by), notes=_gather_notes(names, frames))
    keys = key_clusters(clusters)
    sizes = [len(one.images) for one in state.clusters.values()]
    while (
        max_images_per_cluster > 1 and sum(min(size, max_images_per_cluster) for size in sizes) > max_images
    ):
        max_images_per_cluster -= 1
    shown = [row for one in state.clusters.values() for row in one.images[:max_images_per_cluster]]
    places = {row: place for place, row in enumerate(shown)}
    with ThreadPoolExecutor(choose_workers()) as pool:  # decoding lets other threads run
        encoded = pool.map(lambda row: _encode(paths[row], max_side), shown)
        bar = WorkBar(encoded, total=len(shown), desc="Encoding", unit="image", progress=progress)
        sources = list(bar)
    described = [
        describe_cluster(state, cluster, keys.get(cluster))
        | {"images": [places[row] for row in one.images[:max_images_per_cluster]]}
        for cluster, one in state.clusters.items()
    ]
    page = {
        "settings": {
            "researcher": "",
            "frames": [],
            "has_posts": image_posts.given,
            "has_authors": image_posts.has_authors,
            "has_times": image_posts.has_times,
            "has_neighbours": False,
            "readonly": True,
            "height": _HEIGHT,
            "storage_key": "",
        },
        "message": "",
        "provenance": _describe_page(),
        "clusters": described,
        "images": [
            {
                "id": str(clusters["image_id"].iloc[row]),
                "cluster": int(clusters["cluster"].iloc[row]),
                "source": source,
                "total": image_posts.count_posts(row),
                "posts": image_posts.list_posts(row, limit=max_posts_per_image),
            }
            for row, source in zip(shown, sources, strict=True)
        ],
    }
    n_clusters = len(keys)
    about = f"{n_clusters} clusters of {len(clusters)} images; {len(shown)} of the images are in this page."
    if is_simulated(names, frames):
        about += " SIMULATED names or frames: a computer made them up, and nobody gave them."
    html = _fill_page(title=title, about=about, data=page)
    return write_text(save_to, html)


def _describe_page() -> dict[str, Any]:
    """Give the record of the run without what the page must not tell: where files are on this computer."""
    record = note_run()
    record.pop("inputs_made_by", None)  # whose parameters are paths too
    for name in ("save_to", "images_folder"):
        path = record["parameters"][name]
        record["parameters"][name] = None if path is None else Path(path).name
    return record


def _gather_notes(names: pd.DataFrame | None, frames: pd.DataFrame | None) -> dict[int, ClusterNote]:
    """Put the tables of names and frames together by cluster."""
    notes: dict[int, ClusterNote] = {}
    if names is not None:
        check_columns(names, ("cluster", "name"), "the names")
        full = names.assign(**{c: names.get(c, default) for c, default in (("noise", False), ("note", ""))})
        for row in full.to_dict("records"):
            texts = [str(row[c]) if isinstance(row[c], str) else "" for c in ("name", "note")]
            notes[int(row["cluster"])] = ClusterNote(texts[0], (), bool(row["noise"]), texts[1])
    if frames is not None:
        for cluster, ticked in check_frames(frames).groupby("cluster")["frame"]:
            number = int(str(cluster))
            note = notes.get(number, ClusterNote())
            notes[number] = ClusterNote(note.name, tuple(map(str, ticked)), note.noise, note.note)
    return notes


def _encode(path: str, max_side: int) -> str | None:
    """Encode a picture, or None where it cannot be read: the page then says so in its place."""
    return thumbnail_or_none(encode_data_url, path, max_side=max_side, quality=80)


def _fill_page(*, title: str, about: str, data: dict[str, Any]) -> str:
    """Put the parts of the page together, each text escaped for its place."""
    return build_data_page(
        title=title,
        style=_STYLE + load_asset("browser.css"),
        body=f"""<h1>{escape(title)}</h1>
<p class="visclust-about-page">{escape(about)}</p>
<div id="visclust-root"></div>""",
        data=data,
        script=load_asset("browser_page.js") + "\nmountClusterPage();",
    )
