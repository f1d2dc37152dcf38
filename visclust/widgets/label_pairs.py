"""Let a person judge whether two images belong together."""

import os

import pandas as pd

from visclust.base.checks import check_whole_number
from visclust.widgets.answer_log import AnswerLog
from visclust.widgets.labeller import Labeller
from visclust.widgets.pair_items import (
    PAIR_ANSWERS,
    PAIR_QUESTION,
    describe_pair_view,
    find_pair_files,
    name_sides,
)

__all__ = ["label_pairs"]


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
    OSError
        If the folder cannot be written to.

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
    check_whole_number("max_side", max_side, least=32)
    settings = describe_pair_view(
        annotator=annotator,
        save_to=save_to,
        question=question,
        construct=construct,
        prefetch=prefetch,
        max_unsaved=max_unsaved,
    )
    items = find_pair_files(pairs, images, folder=images_folder)
    log = AnswerLog(
        items.sides,
        annotator=annotator,
        save_to=save_to,
        accepts=PAIR_ANSWERS.__contains__,
        describe_item=lambda pair_id: name_sides(items, pair_id),
        widget_version=settings["widget_version"],
        revisit_skipped=revisit_skipped,
    )
    paths = {pair: [items.files[image] for image in sides] for pair, sides in items.sides.items()}
    return Labeller(log, paths, settings=settings, max_side=max_side)
