"""Let a person label pairs, features or ratings in Jupyter, each answer on disk before the next item shows.

One widget serves all three: it passes messages between a view in the browser and the annotator's file.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import pandas as pd
import traitlets

from visclust.annotation.constructs import EMOTIONS, FEATURES
from visclust.base.checks import check_whole_number, checked
from visclust.images.thumbnails import ZOOM_SIDE, encode_thumbnail, thumbnail_or_none
from visclust.widgets.assets import load_asset
from visclust.widgets.labelling import Labelling, describe_progress, list_upcoming
from visclust.widgets.logs import AnswerLog, record_or_explain
from visclust.widgets.tasks import (
    FEATURE_QUESTION,
    PAIR_QUESTION,
    RATING_ENDS,
    RATING_QUESTION,
    Task,
    feature_task,
    pair_task,
    rating_task,
)


class Labeller(anywidget.AnyWidget):
    """A widget that shows items one by one and keeps each answer on disk before it shows the next.

    Made by `label_pairs` and its like. The browser gets item ids, thumbnails and the settings; paths and
    whatever else is known of the images stay in the kernel.
    """

    _esm = load_asset("labelling_kernel.js")
    _css = load_asset("labelling.css")
    settings = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        task: Task,
        *,
        annotator: str,
        save_to: str | os.PathLike,
        prefetch: int,
        max_side: int,
        max_unsaved: int,
        revisit_skipped: bool = False,
    ) -> None:
        check_whole_number("max_side", max_side, least=32)
        settings = task.describe_view(
            annotator=annotator, save_to=save_to, prefetch=prefetch, max_unsaved=max_unsaved
        )
        log = AnswerLog(
            task.items,
            annotator=annotator,
            save_to=save_to,
            accepts=task.accepts,
            describe_item=task.describe_item,
            widget_version=settings["widget_version"],
            revisit_skipped=revisit_skipped,
        )
        super().__init__(settings=settings | {"annotator": log.annotator})
        self._task = task
        self._log = log
        self._max_side = max_side
        self._n_ahead = settings["prefetch"] + settings["max_unsaved"]
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
        acknowledged, error = record_or_explain(self._log, event)
        self._send_state(acknowledged=acknowledged, error=error)

    def _send_state(self, *, acknowledged: Sequence[str] = (), error: str = "") -> None:
        """Send what the views draw, with what another tab's kernel wrote meanwhile."""
        try:
            self._log.catch_up()
        except (OSError, ValueError) as problem:  # it was said, or will be, when an answer is recorded
            error = error or f"The file of answers cannot be read on: {type(problem).__name__}."
        state = self._log.state
        undoable = state.undoable
        self.send(
            {
                "kind": "state",
                "acknowledged": list(acknowledged),
                "error": error,
                "message": self._log.message,
                "upcoming": list_upcoming(state, self._n_ahead),
                "undoable": undoable and {"event_id": undoable.event_id, "item_id": undoable.item_id},
                "progress": describe_progress(state),
            }
        )

    def _send_images(self, item_id: str) -> None:
        """Send the thumbnails of an item; one that cannot be read is said to be so."""
        jpegs = [self._encode(image, self._max_side) for image in self._task.items.get(item_id, ())]
        self.send(
            {"kind": "images", "item_id": item_id, "readable": [jpeg is not None for jpeg in jpegs]},
            [jpeg or b"-" for jpeg in jpegs],
        )

    def _send_zoom(self, item_id: str, side: int) -> None:
        """Send one image large."""
        images = self._task.items.get(item_id, ())
        jpeg = self._encode(images[side], ZOOM_SIDE) if 0 <= side < len(images) else None
        if jpeg is not None:
            self.send({"kind": "zoom", "item_id": item_id, "side": side}, [jpeg])

    def _send_file(self) -> None:
        """Send the annotator's file, for a server that keeps nothing."""
        content = self._log.path.read_bytes() if self._log.path.exists() else b""
        self.send({"kind": "file", "name": self._log.path.name}, [content or b"\n"])

    def _encode(self, image: str, max_side: int) -> bytes | None:
        """Encode an image, or None where it cannot be read (any more); the reason may hold a path."""
        return thumbnail_or_none(encode_thumbnail, self._task.files[image], max_side=max_side)


@checked
def label_pairs(
    pairs: pd.DataFrame,
    images: pd.DataFrame,
    *,
    annotator: str,
    save_to: str | os.PathLike,
    question: str = PAIR_QUESTION,
    construct: str = "",
    prefetch: int = 4,
    max_side: int = 384,
    revisit_skipped: bool = False,
    max_unsaved: int = 0,
    images_folder: str | os.PathLike | None = None,
) -> Labeller:
    """Show pairs of images side by side and keep each answer on disk before the next pair shows.

    By key or button: Same (S or left arrow), Different (D or right arrow), Unsure (U or down arrow),
    Skip (K), Undo (Z). A click on an image enlarges it. Running the cell again, also after a restart of
    the kernel, goes on at the first pair that this annotator has not answered. The annotator sees nothing
    of clusters, strata or file names, and neither does the browser.

    Parameters
    ----------
    pairs : DataFrame
        A pairs table, as `sample_pairs` returns it: shown in its order, ``image_a`` on the left.
    images : DataFrame
        The images table.
    annotator : str
        Who answers; each person has a file of their own.
    save_to : str or path
        Folder of the study's answers.
    question : str, optional
        The question above the images.
    construct : str, default ""
        What "together" means in this study, shown above the question.
    prefetch : int, default 4
        Pairs whose images are sent ahead.
    max_side : int, default 384
        Longest side of the images sent, in pixels; the enlarged image is sent on request.
    revisit_skipped : bool, default False
        Show skipped pairs once more after all others. Otherwise "skip" is an answer like any other.
    max_unsaved : int, default 0
        Answers that may still be on their way to the disk when the next pair shows. 0 keeps to "on disk
        first"; 3 suits a server so far away that waiting for it would slow people down. Until it is on
        disk, an answer is kept in the browser.
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.

    Returns
    -------
    Labeller
        The widget; leave it as the last line of a cell. Its `labelling` is the state, its `answer_file` the
        file.

    Raises
    ------
    ValueError
        If a table or an option is not usable, or an image of a pair has no readable file.
    FileNotFoundError
        If none of the image files is there; a warning counts them where some are gone.
    OSError
        If none of the image files is there, or the folder cannot be written to.

    Source
    ------
    Casas, Webb Williams, Aslett & Wilkerson, "Automated Visual Clustering for Image Corpus Exploration,
    Stratified Random Sampling, and Annotation Cost Reduction", section on validation by annotated pairs.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in "ab":
    ...     Image.new("RGB", (8, 8)).save(folder / f"{name}.png")
    >>> images = pd.DataFrame({"image_id": ["a", "b"], "path": ["a.png", "b.png"], "status": "ok",
    ...                        "reason": "", "width": 8, "height": 8})
    >>> pairs = pd.DataFrame({"pair_id": ["p1"], "image_a": ["a"], "image_b": ["b"], "stratum": ["random"],
    ...                       "inclusion_probability": [0.1]})
    >>> widget = label_pairs(pairs, images, annotator="ana", save_to=folder / "answers", images_folder=folder)
    >>> widget.labelling.current
    'p1'
    """
    task = pair_task(pairs, images, question=question, construct=construct, images_folder=images_folder)
    return Labeller(
        task,
        annotator=annotator,
        save_to=save_to,
        prefetch=prefetch,
        max_side=max_side,
        max_unsaved=max_unsaved,
        revisit_skipped=revisit_skipped,
    )


@checked
def label_features(
    images: pd.DataFrame,
    features: Sequence[str] = FEATURES,
    *,
    annotator: str,
    save_to: str | os.PathLike,
    question: str = FEATURE_QUESTION,
    construct: str = "",
    prefetch: int = 4,
    max_side: int = 640,
    revisit_skipped: bool = False,
    max_unsaved: int = 0,
    images_folder: str | os.PathLike | None = None,
) -> Labeller:
    """Show images one by one, each with a switch per feature, and keep each answer on disk before the next.

    By key or click: 1 to 9, 0, - and = switch the features, Enter or space goes on (Next), N says that
    none of them is there (Nothing here), Z undoes, K skips. Next waits for a feature that is on, so that a
    slip of the finger is no answer; "Nothing here" waits until all are off. After an undo the image comes
    back with its former answer. Running the cell again, also after a restart of the kernel, goes on at the
    first image that this annotator has not answered.

    Parameters
    ----------
    images : DataFrame
        An images table, or rows of one: its usable images are shown in the order of the rows.
    features : sequence of str, default `visclust.FEATURES`
        Names, in the order in which they are shown. The first twelve have a key.
    annotator : str
        Who answers; each person has a file of their own.
    save_to : str or path
        Folder of the study's answers. Another list of features needs another folder.
    question : str, optional
        The question above the image.
    construct : str, default ""
        Instructions, shown above the question.
    prefetch : int, default 4
        Images that are sent ahead.
    max_side : int, default 640
        Longest side of the images sent, in pixels; the enlarged image is sent on request.
    revisit_skipped : bool, default False
        Show skipped images once more after all others.
    max_unsaved : int, default 0
        Answers that may still be on their way to the disk when the next image shows; see `label_pairs`.
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.

    Returns
    -------
    Labeller
        The widget; leave it as the last line of a cell. Its `labelling` is the state, its `answer_file` the
        file. One row per image, whose answer names the features asked and those present:
        `aggregate_labels` makes a table of them.

    Raises
    ------
    ValueError
        If a table, the features or an option is not usable, or the file holds answers to another question
        about the same images.
    FileNotFoundError
        If none of the image files is there; a warning counts them where some are gone.
    OSError
        If none of the image files is there, or the folder cannot be written to.

    Source
    ------
    Casas, Webb Williams, Aslett & Wilkerson, "Automated Visual Clustering for Image Corpus Exploration,
    Stratified Random Sampling, and Annotation Cost Reduction": twelve features, annotated for fine-tuning.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (8, 8)).save(folder / "a.png")
    >>> images = pd.DataFrame({"image_id": ["a"], "path": ["a.png"], "status": "ok", "reason": "",
    ...                        "width": 8, "height": 8})
    >>> widget = label_features(images, ["anger", "men"], annotator="ana", save_to=folder / "answers",
    ...                         images_folder=folder)
    >>> widget.labelling.current
    'a'
    """
    task = feature_task(images, features, question=question, construct=construct, images_folder=images_folder)
    return Labeller(
        task,
        annotator=annotator,
        save_to=save_to,
        prefetch=prefetch,
        max_side=max_side,
        max_unsaved=max_unsaved,
        revisit_skipped=revisit_skipped,
    )


@checked
def rate_images(
    assignment: pd.DataFrame,
    images: pd.DataFrame,
    *,
    respondent: str,
    save_to: str | os.PathLike,
    items: Mapping[str, Sequence[str]] | Sequence[str] = EMOTIONS,
    scale: Sequence[int] = (1, 10),
    question: str = RATING_QUESTION,
    construct: str = "",
    ends: Sequence[str] = RATING_ENDS,
    allow_skip: bool = False,
    seed: int = 0,
    prefetch: int = 4,
    max_side: int = 640,
    max_unsaved: int = 0,
    images_folder: str | os.PathLike | None = None,
) -> Labeller:
    """Show a respondent's images one by one, each with all items to rate, and keep each answer on disk.

    By key: digits rate the marked item and mark the next one (0 is ten), the arrows up and down or Tab go
    from item to item, left and right change the rating, C marks "can't say", Enter goes on once every item
    has a rating or "can't say", Z undoes. After an undo the image comes back with its former ratings. The
    order of the items is shuffled once per respondent and stays the same from image to image; every answer
    says in which order the items were shown. The respondent sees nothing of clusters, groups or file names.

    Parameters
    ----------
    assignment : DataFrame
        An assignment table; the respondent's images are shown in the order of ``position``.
    images : DataFrame
        The images table.
    respondent : str
        Who rates; one of the assignment's respondents, with a file of their own.
    save_to : str or path
        Folder of the study's ratings. Other items or another scale need another folder.
    items : mapping of str to sequence of str, or sequence of str, default `visclust.EMOTIONS`
        What is rated, by dimension or as a plain list. Dimensions are not shown.
    scale : sequence of two int, default (1, 10)
        Lowest and highest number. Up to eleven numbers are shown as buttons, more as a slider.
    question : str, optional
        The question above the image, which the items complete.
    construct : str, default ""
        Instructions, shown above the question.
    ends : sequence of two str, default ("not at all", "very much")
        What the lowest and the highest number mean.
    allow_skip : bool, default False
        Offer to skip an image as a whole. One that cannot be read can always be skipped.
    seed : int, default 0
        Seed of the order of the items: the same seed and respondent give the same order, here and on a page.
    prefetch : int, default 4
        Images that are sent ahead.
    max_side : int, default 640
        Longest side of the images sent, in pixels; the enlarged image is sent on request.
    max_unsaved : int, default 0
        Answers that may still be on their way to the disk when the next image shows; see `label_pairs`.
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.

    Returns
    -------
    Labeller
        The widget; leave it as the last line of a cell. `read_rating_answers` makes a ratings table of its
        files.

    Raises
    ------
    ValueError
        If a table or an option is not usable, the respondent has no images, an image has no readable file,
        or the file holds answers to another question about the same images.
    FileNotFoundError
        If none of the image files is there; a warning counts them where some are gone.
    OSError
        If none of the image files is there, or the folder cannot be written to.

    Source
    ------
    Casas, Webb Williams, Aslett & Wilkerson, "Automated Visual Clustering for Image Corpus Exploration,
    Stratified Random Sampling, and Annotation Cost Reduction", survey of the emotions that images evoke.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (8, 8)).save(folder / "a.png")
    >>> images = pd.DataFrame({"image_id": ["a"], "path": ["a.png"], "status": "ok", "reason": "",
    ...                        "width": 8, "height": 8})
    >>> assignment = pd.DataFrame({"respondent": ["r1"], "group": "democrat", "position": 1,
    ...                            "image_id": "a", "cluster": 0})
    >>> widget = rate_images(assignment, images, respondent="r1", save_to=folder / "ratings",
    ...                      images_folder=folder)
    >>> widget.labelling.current, len(widget.settings["items"])
    ('a', 10)
    """
    task = rating_task(
        assignment,
        images,
        respondent=respondent,
        items=items,
        scale=scale,
        question=question,
        construct=construct,
        ends=ends,
        allow_skip=allow_skip,
        seed=seed,
        images_folder=images_folder,
    )
    return Labeller(
        task,
        annotator=respondent,
        save_to=save_to,
        prefetch=prefetch,
        max_side=max_side,
        max_unsaved=max_unsaved,
    )
