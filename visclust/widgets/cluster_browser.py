"""The kernel's side of the cluster browser: it does what a view asks for, and puts each note on disk."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from visclust.exploration.notes import ClusterNote, tabulate_notes
from visclust.widgets.answer_log import RefusedAnswerError
from visclust.widgets.browse_rows import list_sheet
from visclust.widgets.browser_sender import BrowserSender
from visclust.widgets.browsing import (
    Browsing,
    filter_clusters,
    go_back,
    open_cluster,
    open_images,
    select_images,
    sort_clusters,
)

__all__ = ["ClusterBrowser"]

_LIKE = 120  # images shown as being most like one
_NONSENSE = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)


class ClusterBrowser(BrowserSender):
    """Clusters as rows of thumbnails, each of which opens; made by `browse_clusters`.

    `selection()`, `names()` and `frames()` give tables; `show(image_ids)` opens images. The browser gets
    thumbnails of what it shows, and posts of the image looked at; paths stay in the kernel.

    The parameters are those of `BrowserSender`.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.on_msg(self._receive)

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
        return tabulate_notes(self.browsing.notes, self._keys).names

    def frames(self) -> pd.DataFrame:
        """Give ``cluster, frame``, a row per frame ticked: a table of the kind "frames"."""
        return tabulate_notes(self.browsing.notes, self._keys).frames

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
        """Filter by words, by kind of cluster, or by both."""
        words = message.get("words")
        matches = self._posts.find_images(words.strip()) if words and words.strip() else ()
        state = filter_clusters(self._state, shown=message.get("shown"), words=words, matches=matches)
        self._state = state
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
        acknowledged, error = [str(event.get("event_id"))], ""
        try:
            self._notes_log.record(event)
        except OSError as problem:
            acknowledged = []
            error = (
                f"Not saved: {problem.strerror or type(problem).__name__}. What you said is kept in this "
                "browser and tried again every few seconds; make room on the disk, or ask whoever runs it."
            )
        except RefusedAnswerError as problem:  # sending it again would not help
            error = f"Refused: {problem}"
        except ValueError as problem:  # the file was edited while it is in use
            acknowledged, error = [], f"Not saved, but kept in this browser: {problem}"
        before, notes = self._state.notes, self._notes_log.notes
        self._state = replace(self._state, notes=notes)
        plain = ClusterNote()
        changed = [c for c in self._keys if before.get(c, plain) != notes.get(c, plain)]
        # The rows stay in their places while somebody types; sorting again is a click away.
        self._tell("undoable", changed=changed, acknowledged=acknowledged, error=error)
