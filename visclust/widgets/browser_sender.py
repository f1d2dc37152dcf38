"""What the cluster browser sends to its views: the state, thumbnails of what is seen, posts of one image."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import anywidget
import numpy as np
import pandas as pd
import traitlets

from visclust.corpus.links import ImagePosts
from visclust.images.reading import UnreadableImageError
from visclust.images.thumbnails import encode_thumbnail
from visclust.widgets.browse_rows import describe_cluster, list_rows, list_sheet
from visclust.widgets.browser_assets import load_browser_script, load_browser_style
from visclust.widgets.browsing import Browsing
from visclust.widgets.nearest_images import NearestImages
from visclust.widgets.note_log import NoteLog

__all__ = ["BrowserSender"]

_ZOOM_SIDE = 1600  # pixels; a large screen
_POSTS = 50  # of one image; a viral one has thousands
_MOST_AT_ONCE = 400  # thumbnails in one request; a screen has fewer


class BrowserSender(anywidget.AnyWidget):
    """A widget that knows where a researcher stands and sends it to its views.

    Parameters
    ----------
    state : Browsing
        Where to start.
    clusters : DataFrame
        The clusters table, whose positions are the images of the state.
    paths : sequence of str
        The image file of each row.
    x : ndarray, shape (n, d), optional
        The embedding of the rows, for "more like this".
    posts : ImagePosts
        The posts of the images.
    log : NoteLog
        The researcher's notes and file.
    keys : mapping of int to str
        From `visclust.exploration.notes.key_clusters`.
    settings : dict
        What the view needs.
    side : int
        Longest side of the thumbnails sent, in pixels.
    """

    _esm = load_browser_script()
    _css = load_browser_style()
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
        self._nearest = None if x is None else NearestImages(x)
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

    @property
    def browsing(self) -> Browsing:
        """Where the researcher stands, with notes that another kernel wrote to the file."""
        with self._turn:
            if self._notes_log.catch_up():
                self._state = replace(self._state, notes=self._notes_log.notes)
            return self._state

    def _tell(
        self,
        *parts: str,
        changed: Sequence[int] = (),
        acknowledged: Sequence[str] = (),
        error: str = "",
    ) -> None:
        """Send those parts of the state that a view has to draw again."""
        state = self.browsing
        content: dict[str, Any] = {}
        if "clusters" in parts:
            changed = list(state.clusters)
        if changed:
            content["clusters"] = [describe_cluster(state, one, self._keys.get(one)) for one in changed]
        if "rows" in parts:
            self._filters += bool(state.words)
            rows = list_rows(state)
            self._row_lists = {self._name_list(cluster): images for cluster, images in rows}
            content["rows"] = [[cluster, len(images), self._name_list(cluster)] for cluster, images in rows]
            content |= {"sort": state.sort, "shown": state.shown, "words": state.words}
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
        return f"c{cluster}.{self._filters}" if self._state.words else f"c{cluster}"

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
        jpeg = self._encode(image, _ZOOM_SIDE)
        if jpeg is not None:
            self.send({"kind": "zoom", "image": image}, [jpeg])

    def _encode(self, image: int, side: int) -> bytes | None:
        """Encode an image, or None where it cannot be read (any more); the reason may hold a path."""
        try:
            return encode_thumbnail(self._image_paths[image], max_side=side)
        except UnreadableImageError:
            return None
