"""Let a respondent rate what images make them feel."""

import os
from collections.abc import Mapping, Sequence

import pandas as pd

from visclust.annotation.constructs import EMOTIONS
from visclust.base.checks import check_whole_number
from visclust.images.index import find_image_files
from visclust.widgets.answer_log import AnswerLog
from visclust.widgets.image_items import list_assigned_images
from visclust.widgets.labeller import Labeller
from visclust.widgets.rating_view import RATING_ENDS, RATING_QUESTION, describe_rating_view, is_rating_answer

__all__ = ["rate_images"]


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
    OSError
        If the folder cannot be written to.

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
    check_whole_number("max_side", max_side, least=32)
    settings = describe_rating_view(
        items,
        scale,
        respondent=respondent,
        save_to=save_to,
        question=question,
        construct=construct,
        ends=ends,
        allow_skip=allow_skip,
        seed=seed,
        prefetch=prefetch,
        max_unsaved=max_unsaved,
    )
    files = find_image_files(
        images, wanted=list_assigned_images(assignment, respondent), folder=images_folder
    )
    log = AnswerLog(
        files,
        annotator=respondent,
        save_to=save_to,
        accepts=lambda said: is_rating_answer(said, settings["items"], settings["scale"]),
        describe_item=lambda _: {},
        widget_version=settings["widget_version"],
    )
    return Labeller(
        log, {image: [path] for image, path in files.items()}, settings=settings, max_side=max_side
    )
