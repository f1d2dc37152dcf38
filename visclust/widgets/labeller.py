"""The kernel's side of a labelling widget: it passes messages between a view and an annotator's file."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from visclust.images.reading import UnreadableImageError
from visclust.images.thumbnails import encode_thumbnail
from visclust.widgets.answer_log import AnswerLog, RefusedAnswerError
from visclust.widgets.assets import load_style, load_widget_script
from visclust.widgets.labelling import Labelling
from visclust.widgets.progress import describe_progress, list_upcoming

__all__ = ["Labeller"]

_ZOOM_SIDE = 1600  # pixels; a large screen


class Labeller(anywidget.AnyWidget):
    """A widget that shows items one by one and keeps each answer on disk before it shows the next.

    Made by `label_pairs` and its like. The browser gets item ids, thumbnails and the settings; paths and
    whatever else is known of the images stay in the kernel.

    Parameters
    ----------
    log : AnswerLog
        The annotator's state and file.
    paths : mapping of str to sequence of path
        The image files of each item, in the order in which they are shown.
    settings : dict
        What the view needs: texts, controls, choices, limits.
    max_side : int, default 384
        Longest side of the images sent, in pixels.
    """

    _esm = load_widget_script()
    _css = load_style()
    settings = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        log: AnswerLog,
        paths: Mapping[str, Sequence[Path]],
        *,
        settings: dict[str, Any],
        max_side: int = 384,
    ) -> None:
        super().__init__(settings=settings)
        self._log = log
        self._image_paths = paths
        self._max_side = max_side
        self._prefetch = int(settings["prefetch"]) + int(settings["max_unsaved"])
        self._turn = threading.Lock()  # newer Jupyters may deliver messages from more than one thread
        self.on_msg(self._receive)

    @property
    def labelling(self) -> Labelling:
        """The state of the labelling, with answers that another kernel wrote to the file."""
        self._log.catch_up()
        return self._log.state

    @property
    def answer_file(self) -> Path:
        """The annotator's file."""
        return self._log.path

    def _receive(self, _widget: Any, message: Any, _buffers: Any) -> None:
        """Do what a view asks for, and tell all views of this widget what holds now."""
        with self._turn:
            kind = message.get("kind")
            if kind == "images":
                self._send_images(str(message.get("item_id")))
            elif kind == "zoom":
                self._send_zoom(str(message.get("item_id")), int(message.get("side", 0)))
            elif kind == "download":
                self._send_file()
            elif kind in ("answer", "undo"):
                self._record(message.get("event") or {})
            elif kind == "ready":
                self._send_state()

    def _record(self, event: Mapping[str, Any]) -> None:
        """Record an answer; only then is it acknowledged."""
        try:
            self._log.record(event)
        except OSError as error:
            self._send_state(
                error=f"Not saved: {error.strerror or type(error).__name__}. Your answer is kept in this "
                "browser and tried again every few seconds; make room on the disk, or ask whoever runs it."
            )
        except RefusedAnswerError as error:  # sending it again would not help
            self._send_state(acknowledged=[str(event.get("event_id"))], error=f"Refused: {error}")
        except ValueError as error:  # the file was edited while it is in use
            self._send_state(error=f"Not saved, but kept in this browser: {error}")
        else:
            self._send_state(acknowledged=[str(event["event_id"])])

    def _send_state(self, *, acknowledged: Sequence[str] = (), error: str = "") -> None:
        """Send what the views draw."""
        state = self._log.state
        undoable = state.undoable
        self.send(
            {
                "kind": "state",
                "acknowledged": list(acknowledged),
                "error": error,
                "message": self._log.message,
                "upcoming": list_upcoming(state, self._prefetch),
                "undoable": undoable and {"event_id": undoable.event_id, "item_id": undoable.item_id},
                "progress": describe_progress(state),
            }
        )

    def _send_images(self, item_id: str) -> None:
        """Send the thumbnails of an item; one that cannot be read is said to be so."""
        jpegs = [self._encode(path, self._max_side) for path in self._image_paths.get(item_id, ())]
        self.send(
            {"kind": "images", "item_id": item_id, "readable": [jpeg is not None for jpeg in jpegs]},
            [jpeg or b"-" for jpeg in jpegs],
        )

    def _send_zoom(self, item_id: str, side: int) -> None:
        """Send one image large."""
        paths = self._image_paths.get(item_id, ())
        jpeg = self._encode(paths[side], _ZOOM_SIDE) if 0 <= side < len(paths) else None
        if jpeg is not None:
            self.send({"kind": "zoom", "item_id": item_id, "side": side}, [jpeg])

    def _send_file(self) -> None:
        """Send the annotator's file, for a server that keeps nothing."""
        content = self._log.path.read_bytes() if self._log.path.exists() else b""
        self.send({"kind": "file", "name": self._log.path.name}, [content or b"\n"])

    def _encode(self, path: Path, max_side: int) -> bytes | None:
        """Encode an image, or None where it cannot be read (any more); the reason may hold a path."""
        try:
            return encode_thumbnail(path, max_side=max_side)
        except UnreadableImageError:
            return None
