"""Let a person say which features an image shows."""

import os
from collections.abc import Sequence

import pandas as pd

from visclust.annotation.constructs import FEATURES
from visclust.annotation.features import check_features
from visclust.base.checks import check_whole_number
from visclust.images.index import find_image_files
from visclust.widgets.answer_log import AnswerLog
from visclust.widgets.feature_view import FEATURE_QUESTION, describe_feature_view, is_feature_answer
from visclust.widgets.labeller import Labeller

__all__ = ["label_features"]


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
    OSError
        If the folder cannot be written to.

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
    names = check_features(features)
    check_whole_number("max_side", max_side, least=32)
    settings = describe_feature_view(
        names,
        annotator=annotator,
        save_to=save_to,
        question=question,
        construct=construct,
        prefetch=prefetch,
        max_unsaved=max_unsaved,
    )
    files = find_image_files(images, folder=images_folder)
    log = AnswerLog(
        files,
        annotator=annotator,
        save_to=save_to,
        accepts=lambda said: is_feature_answer(said, names),
        describe_item=lambda _: {},
        widget_version=settings["widget_version"],
        revisit_skipped=revisit_skipped,
    )
    return Labeller(
        log, {image: [path] for image, path in files.items()}, settings=settings, max_side=max_side
    )
