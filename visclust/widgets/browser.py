"""Browse clusters in Jupyter: rows of thumbnails to open, name, tick frames for, and select from.

The widget does what its view in the browser asks for, and puts each note on disk before it is acknowledged.
"""

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import pandas as pd
import traitlets

import visclust
from visclust.base.arrays import take_matrix
from visclust.base.backend import to_host
from visclust.base.checks import checked
from visclust.base.columns import check_clusters
from visclust.base.distances import center_rows, measure_block, square_lengths
from visclust.base.provenance import digest_text
from visclust.base.rows import match_rows
from visclust.corpus.links import ImagePosts
from visclust.exploration.notes import (
    ClusterNote,
    ClusterNotes,
    key_clusters,
    record_notes,
    tabulate_notes,
)
from visclust.images.index import locate_images
from visclust.images.thumbnails import ZOOM_SIDE, encode_thumbnail, thumbnail_or_none
from visclust.widgets.assets import load_asset
from visclust.widgets.browsing import (
    Browsing,
    catalogue_clusters,
    describe_cluster,
    filter_clusters,
    go_back,
    list_rows,
    list_sheet,
    open_cluster,
    open_images,
    select_images,
    sort_clusters,
)
from visclust.widgets.logs import NoteLog, record_or_explain

_POSTS = 50  # of one image; a viral one has thousands
_LIKE = 120  # images shown as being most like one
_MOST_AT_ONCE = 400  # thumbnails in one request; a screen has fewer
_FILTERS = ("words", "author", "since", "until", "frame")
_FRAME_LENGTH = 200  # letters
_NONSENSE = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)


class _NearestImages:
    """Rows of an embedding ordered by their Euclidean distance from one of them.

    `visclust.list_neighbours` makes a table of neighbours and builds its index anew each time;
    this keeps the rows ready, since a person waits.
    """

    def __init__(self, x: Any) -> None:
        self._x = x
        self._rows: np.ndarray | None = None

    def find(self, image: int, *, n: int) -> list[int]:
        """Find the `n` nearest images, after the image itself, the nearest first."""
        if self._rows is None:  # made when it is first needed: it takes as much memory as the embedding
            self._rows = center_rows(self._x)
            self._norms = square_lengths(self._rows)
        rows, norms = self._rows, self._norms
        one = slice(image, image + 1)
        distances = measure_block(rows[one], rows, norms[one], norms, same=False)[0]
        distances[image] = -1  # before its copies, which are at distance 0
        return np.argsort(distances, kind="stable")[: n + 1].tolist()


class ClusterBrowser(anywidget.AnyWidget):
    """Clusters as rows of thumbnails, each of which opens; made by `browse_clusters`.

    `selection()`, `names()` and `frames()` give tables; `show(image_ids)` opens images. The browser gets
    thumbnails of what it shows, and posts of the image looked at; paths stay in the kernel.

    Images are known by their position in `clusters`, to which `paths`, the rows of `x`, and `posts` belong;
    `keys` names each cluster by its images (`key_clusters`), so that a note finds it again. `side` is that of
    the thumbnails sent, in pixels, and `settings` what the view needs.
    """

    _esm = load_asset("browser_kernel.js")
    _css = load_asset("browser.css")
    settings = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        state: Browsing,
        clusters: pd.DataFrame,
        paths: Sequence[str],
        *,
        x: np.ndarray | None,
        posts: ImagePosts,
        log: NoteLog,
        keys: Mapping[int, str],
        settings: dict[str, Any],
        side: int,
    ) -> None:
        super().__init__(settings=settings)
        self._table = clusters.copy()  # it may change in the notebook meanwhile
        self._image_paths = paths
        self._nearest = None if x is None else _NearestImages(x)
        self._posts = posts
        self._notes_log = log
        self._keys = keys
        self._side = side
        self._state = replace(state, notes=log.notes)
        self._row_lists: dict[str, tuple[int, ...]] = {}
        self._sheet_list: dict[str, tuple[int, ...]] = {}
        self._filters = self._opened = 0
        self._pool = ThreadPoolExecutor(2)  # decoding lets other threads run
        self._turn = threading.RLock()  # newer Jupyters may deliver messages from more than one thread
        self.on_msg(self._receive)

    @property
    def browsing(self) -> Browsing:
        """Where the researcher stands, with notes that another kernel wrote to the file."""
        with self._turn:
            if self._notes_log.catch_up():
                self._state = replace(self._state, notes=self._notes_log.notes)
            return self._state

    @property
    def notes_file(self) -> Path:
        """The researcher's file."""
        return self._notes_log.path

    def selection(self) -> pd.DataFrame:
        """Give the selected images: their rows of the clusters table and ``path``, in order of selection."""
        rows = list(self.browsing.selected)
        paths = [str(self._image_paths[row]) for row in rows]
        return self._table.iloc[rows].reset_index(drop=True).assign(path=pd.Series(paths, dtype="str"))

    def names(self) -> pd.DataFrame:
        """Give ``cluster, name, noise, note`` of every cluster, with empty text where nothing was said."""
        return self._tabulate().names

    def frames(self) -> pd.DataFrame:
        """Give ``cluster, frame``, a row per frame ticked: a table of the kind "frames"."""
        return self._tabulate().frames

    def _tabulate(self) -> ClusterNotes:
        """Make the tables of notes, with the record that names the clusters and the researcher's file."""
        notes = tabulate_notes(self.browsing.notes, self._keys)
        return record_notes(notes, self._table, self.notes_file)

    def show(self, image_ids: Iterable[str], *, title: str = "Images chosen in the notebook") -> None:
        """Open images, in this order; those that are not in the clustering raise ValueError."""
        wanted = list(image_ids)
        rows = pd.Index(self._table["image_id"]).get_indexer(pd.Index(wanted, dtype=object))
        if (rows < 0).any():
            raise ValueError(
                f"Expected ids of images of this clustering, got {wanted[int(np.argmin(rows))]!r} among them."
            )
        with self._turn:  # what is shown takes the place of what was shown before
            sheets = (
                () if self._state.sheets and self._state.sheets[-1].cluster is None else self._state.sheets
            )
            self._state = open_images(replace(self._state, sheets=sheets), rows.tolist(), title=title)
            self._tell("sheet")

    def _receive(self, _widget: Any, message: Any, _buffers: Any) -> None:
        """Do what a view asks for, and tell all views of this widget what holds now."""
        actions = {
            "ready": lambda: self._tell("clusters", "rows", "sheet", "selected", "undoable"),
            "images": lambda: self._send_images(message["wanted"]),
            "posts": lambda: self._send_posts(self._check_image(message["image"])),
            "zoom": lambda: self._send_zoom(self._check_image(message["image"])),
            "sort": lambda: self._change("rows", sort_clusters(self._state, message["by"])),
            "filter": lambda: self._filter(message),
            "open": lambda: self._change("sheet", open_cluster(self._state, int(message["cluster"]))),
            "like": lambda: self._open_like(self._check_image(message["image"])),
            "selection": lambda: self._change(
                "sheet", open_images(self._state, self._state.selected, title="Selected images")
            ),
            "back": lambda: self._change("sheet", go_back(self._state)),
            "select": lambda: self._select(message),
            "note": lambda: self._record(message.get("event") or {}),
        }
        with self._turn:
            try:
                actions[message["kind"]]()
            except _NONSENSE as error:  # from a view of another version
                self._tell(error=f"The browser asked for something unknown: {error}")

    def _check_image(self, image: Any) -> int:
        """Check that the browser names an image; it is outside, whoever sits before it."""
        if not isinstance(image, int) or not 0 <= image < len(self._image_paths):
            raise ValueError(f"image {image!r}")
        return image

    def _change(self, part: str, state: Browsing) -> None:
        """Take a new state and tell what of it changed."""
        self._state = state
        self._tell(part)

    def _filter(self, message: Mapping[str, Any]) -> None:
        """Filter by words, author, days, frame or kind of cluster, or by several of them."""
        asked = {name: message.get(name) for name in ("shown", *_FILTERS)}
        self._state = filter_clusters(self._state, **asked, find=self._posts.find_images)
        self._tell("rows", "sheet")

    def _open_like(self, image: int) -> None:
        """Open the images most like one, itself first."""
        if self._nearest is None:
            raise ValueError("there is no embedding")
        rows = self._nearest.find(image, n=_LIKE)
        self._change("sheet", open_images(self._state, rows, title="Most like the first image, by distance"))

    def _select(self, message: Mapping[str, Any]) -> None:
        """Select images one by one, or all of the sheet that is open."""
        images: Iterable[Any] = message["images"]
        if images == "sheet":
            images = list_sheet(self._state)
        elif images == "all":
            images = self._state.selected
        checked = [self._check_image(image) for image in images]
        self._change("selected", select_images(self._state, checked, on=bool(message["on"])))

    def _record(self, event: Mapping[str, Any]) -> None:
        """Record a note; only then is it acknowledged."""
        acknowledged, error = record_or_explain(self._notes_log, event)
        before, notes = self._state.notes, self._notes_log.notes
        self._state = replace(self._state, notes=notes)
        plain = ClusterNote()
        changed = [c for c in self._keys if before.get(c, plain) != notes.get(c, plain)]
        # The rows stay in their places while somebody types; sorting again is a click away.
        self._tell("undoable", changed=changed, acknowledged=acknowledged, error=error)

    def _tell(
        self,
        *parts: str,
        changed: Sequence[int] = (),
        acknowledged: Sequence[str] = (),
        error: str = "",
    ) -> None:
        """Send those parts of the state that a view has to draw again."""
        try:
            state = self.browsing
        except (OSError, ValueError) as problem:  # damaged or gone: what was read of it before still stands
            state = self._state
            reason = problem.strerror or type(problem).__name__ if isinstance(problem, OSError) else problem
            error = error or f"The notes cannot be read: {reason}"
        content: dict[str, Any] = {}
        if "clusters" in parts:
            changed = list(state.clusters)
        if changed:
            content["clusters"] = [describe_cluster(state, one, self._keys.get(one)) for one in changed]
        if "rows" in parts:
            self._filters += state.filters_images
            rows = list_rows(state)
            self._row_lists = {self._name_list(cluster): images for cluster, images in rows}
            content["rows"] = [[cluster, len(images), self._name_list(cluster)] for cluster, images in rows]
            content |= {name: getattr(state, name) for name in ("sort", "shown", *_FILTERS)}
        if "sheet" in parts:
            content["sheet"] = self._describe_sheet(state)
        if "selected" in parts:
            content["selected"] = list(state.selected)
        if "undoable" in parts:
            content["undoable"] = self._notes_log.undoable
        self.send(
            {
                "kind": "state",
                "parts": content,
                "acknowledged": list(acknowledged),
                "error": error,
                "message": self._notes_log.message,
            }
        )

    def _name_list(self, cluster: int) -> str:
        """Name the images of a cluster as filtered now: a view keeps thumbnails under this name."""
        return f"c{cluster}.{self._filters}" if self._state.filters_images else f"c{cluster}"

    def _describe_sheet(self, state: Browsing) -> dict[str, Any] | None:
        """Describe the sheet that is open, and keep its images for being asked for."""
        if not state.sheets:
            return None
        sheet, images = state.sheets[-1], list_sheet(state)
        self._opened += 1
        name = f"s{self._opened}" if sheet.cluster is None else self._name_list(sheet.cluster)
        self._sheet_list = {name: images}
        described = {"title": sheet.title, "cluster": sheet.cluster, "depth": len(state.sheets)}
        return described | {"count": len(images), "list": name}

    def _send_images(self, wanted: Sequence[Mapping[str, Any]]) -> None:
        """Send the thumbnails that a view says are seen, a message per row."""
        for one in wanted:
            # Nothing under a name of before the last filter, which is said too: the view waits for it.
            images = (self._row_lists | self._sheet_list).get(str(one["list"]), ())
            start = max(0, int(one["start"]))
            shown = images[start : min(int(one["stop"]), start + _MOST_AT_ONCE)]
            jpegs = list(self._pool.map(lambda row: self._encode(row, self._side), shown))
            self.send(
                {
                    "kind": "images",
                    "list": one["list"],
                    "start": start,
                    "images": list(shown),
                    "readable": [jpeg is not None for jpeg in jpegs],
                },
                [jpeg or b"-" for jpeg in jpegs],
            )

    def _send_posts(self, image: int) -> None:
        """Send the posts that show one image."""
        row = self._table.iloc[image]
        content = {"image": image, "image_id": str(row["image_id"]), "cluster": int(row["cluster"])}
        posts = self._posts.list_posts(image, limit=_POSTS)
        self.send({"kind": "posts", **content, "total": self._posts.count_posts(image), "posts": posts})

    def _send_zoom(self, image: int) -> None:
        """Send one image large."""
        jpeg = self._encode(image, ZOOM_SIDE)
        if jpeg is not None:
            self.send({"kind": "zoom", "image": image}, [jpeg])

    def _encode(self, image: int, side: int) -> bytes | None:
        """Encode an image, or None where it cannot be read (any more); the reason may hold a path."""
        return thumbnail_or_none(encode_thumbnail, self._image_paths[image], max_side=side)


@checked
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

    Rows can be sorted by size, posts, silhouette, iteration or name, and filtered by words of the posts, by a
    name or number ("cluster 31"), by frame, and by the author and the days of posts (UTC). An opened
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
        The clusters table (``image_id, cluster`` are enough).
    images : DataFrame
        The images table.
    x : Embedding, or ndarray, shape (n, d), optional
        The embedding or its matrix, a row per row of `clusters` (the order in which `assign_clusters` makes
        them); needed for "more like this".
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
        If a table or an option is not usable, or `x` has not as many rows as `clusters`, or is known to have
        others or another order.
    FileNotFoundError
        If none of the image files is there; a warning counts them where some are gone.
    OSError
        If the folder cannot be written to.

    Source
    ------
    Casas et al., Figure 8 (clusters as rows of images) and Section 3 (frames read off clusters).

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in "ab":
    ...     Image.new("RGB", (8, 8)).save(folder / f"{name}.png")
    >>> clusters = pd.DataFrame({"image_id": ["a", "b"], "cluster": [0, 0], "iteration": [1, 1],
    ...                          "silhouette": [0.1, 0.2]})
    >>> images = pd.DataFrame({"image_id": ["a", "b"], "path": ["a.png", "b.png"], "status": "ok",
    ...                        "reason": "", "width": 8, "height": 8})
    >>> browser = browse_clusters(
    ...     clusters, images, save_to=folder / "answers", frames=["justice"], images_folder=folder)
    >>> browser.names()
       cluster name  noise note
    0        0       False
    """
    for name, value, least in (("max_side", max_side, 32), ("height", height, 200)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"Expected {name} as a whole number, {least} or more, got {value!r}.")
    frames = _check_frames(frames)
    clusters = check_clusters(clusters)
    x = None if x is None else match_rows(x, clusters)
    if x is not None and (getattr(x, "ndim", 0) != 2 or len(x) != len(clusters)):
        raise ValueError(
            f"Expected an embedding with a row for each of the {len(clusters)} rows of the clusters table, "
            f"got {getattr(x, 'shape', type(x).__name__)}. Load the one that the clusters were made from."
        )
    if x is not None:
        x = take_matrix(x)
    paths = locate_images(images, clusters["image_id"], folder=images_folder)
    image_posts = ImagePosts(clusters["image_id"], posts, links)
    catalogue = catalogue_clusters(clusters, image_posts.count_by)
    keys = key_clusters(clusters)
    version = f"browser {visclust.__version__}"
    log = NoteLog(keys, researcher=researcher, save_to=save_to, widget_version=version)
    study = digest_text(str(log.path))
    settings = {
        "researcher": log.researcher,
        "frames": list(frames),
        "has_posts": image_posts.given,
        "has_authors": image_posts.has_authors,
        "has_times": image_posts.has_times,
        "has_neighbours": x is not None,
        "readonly": False,
        "height": height,
        "storage_key": f"notes:{study}",
    }
    return ClusterBrowser(
        Browsing(catalogue),
        clusters,
        list(paths.values()),
        x=None if x is None else to_host(x),
        posts=image_posts,
        log=log,
        keys=keys,
        settings=settings,
        side=max_side,
    )


def _check_frames(frames: Sequence[str]) -> tuple[str, ...]:
    """Check the researcher's list of frames."""
    if isinstance(frames, str) or not all(isinstance(frame, str) for frame in frames):
        raise ValueError(f"Expected the frames as a list of texts, got {frames!r}.")
    cleaned = tuple(frame.strip() for frame in frames)
    if not all(cleaned) or len(set(cleaned)) < len(cleaned) or any(len(f) > _FRAME_LENGTH for f in cleaned):
        raise ValueError(f"Expected different frames of 1 to {_FRAME_LENGTH} letters, got {list(frames)!r}.")
    return cleaned
