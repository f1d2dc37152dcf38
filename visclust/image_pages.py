"""Pages on which a person labels or rates single images on any computer, offline."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from visclust.annotation.constructs import EMOTIONS, FEATURES
from visclust.images.index import find_image_files
from visclust.labelling_pages import write_labelling_page
from visclust.widgets.feature_view import FEATURE_QUESTION, describe_feature_view
from visclust.widgets.image_items import list_assigned_images
from visclust.widgets.rating_view import describe_rating_view

__all__ = ["export_feature_page", "export_rating_page"]

_MAX_SIDE = 640  # pixels: a single image is shown larger than one of a pair; about 50 kB each


def export_feature_page(
    images: pd.DataFrame,
    features: Sequence[str] = FEATURES,
    *,
    annotator: str,
    save_to: str | os.PathLike,
    question: str = FEATURE_QUESTION,
    construct: str = "",
    max_side: int = _MAX_SIDE,
    revisit_skipped: bool = False,
    images_folder: str | os.PathLike | None = None,
) -> Path:
    """Write one HTML file in which one annotator labels features, looking and working like `label_features`.

    The answers stay in the browser, where they survive its restart; the annotator downloads them and sends
    the file back for `import_answers`. The page asks nothing of any network.

    Parameters
    ----------
    images : DataFrame
        An images table, or rows of one: its usable images, in the order of the rows. Paths stay out of the
        page.
    features : sequence of str, default `visclust.FEATURES`
        Names, in the order in which they are shown. The first twelve have a key.
    annotator : str
        Who will answer; make one page per person.
    save_to : str or path
        Folder for the page.
    question, construct : str, optional
        Texts above the image.
    max_side : int, default 640
        Longest side of the images, in pixels: about 50 kB an image.
    revisit_skipped : bool, default False
        Show skipped images once more after all others.
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.

    Returns
    -------
    pathlib.Path
        The page, named after the annotator.

    Raises
    ------
    ValueError
        If the table, the features or an option is not usable, or an image cannot be read (any more).

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (8, 8)).save(folder / "a.png")
    >>> images = pd.DataFrame({"image_id": ["a"], "path": ["a.png"], "status": "ok", "reason": "",
    ...                        "width": 8, "height": 8})
    >>> export_feature_page(images, annotator="Ana", save_to=folder, images_folder=folder).name
    'ana-dea210f0-features.html'
    """
    settings = describe_feature_view(
        features, annotator=annotator, save_to=save_to, question=question, construct=construct
    )
    files = find_image_files(images, folder=images_folder)
    return write_labelling_page(
        settings | {"revisit_skipped": revisit_skipped},
        {image: [image] for image in files},
        files,
        save_to=save_to,
        study=["features", settings["annotator"], list(features), list(files)],
        suffix="-features",
        max_side=max_side,
    )


def export_rating_page(
    assignment: pd.DataFrame,
    images: pd.DataFrame,
    *,
    respondent: str,
    save_to: str | os.PathLike,
    items: Mapping[str, Sequence[str]] | Sequence[str] = EMOTIONS,
    scale: Sequence[int] = (1, 10),
    seed: int = 0,
    images_folder: str | os.PathLike | None = None,
) -> Path:
    """Write one HTML file in which one respondent rates images, looking and working like `rate_images`.

    The ratings stay in the browser, where they survive its restart; the respondent downloads them and sends
    the file back for `import_answers`, and `read_rating_answers` makes a ratings table of all of them. The
    page says nothing of groups and clusters, and asks nothing of any network.

    Parameters
    ----------
    assignment : DataFrame
        An assignment table; the respondent's images are shown in the order of ``position``.
    images : DataFrame
        The images table. Paths stay out of the page.
    respondent : str
        Who will rate; make one page per respondent.
    save_to : str or path
        Folder for the page.
    items : mapping of str to sequence of str, or sequence of str, default `visclust.EMOTIONS`
        What is rated, by dimension or as a plain list.
    scale : sequence of two int, default (1, 10)
        Lowest and highest number.
    seed : int, default 0
        Seed of the order of the items, as for `rate_images`.
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.

    Returns
    -------
    pathlib.Path
        The page, named after the respondent.

    Raises
    ------
    ValueError
        If a table or an option is not usable, or an image cannot be read (any more).

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (8, 8)).save(folder / "a.png")
    >>> images = pd.DataFrame({"image_id": ["a"], "path": ["a.png"], "status": "ok", "reason": "",
    ...                        "width": 8, "height": 8})
    >>> assignment = pd.DataFrame({"respondent": ["Ana"], "group": "democrat", "position": 1,
    ...                            "image_id": "a", "cluster": 0})
    >>> export_rating_page(assignment, images, respondent="Ana", save_to=folder, images_folder=folder).name
    'ana-dea210f0-ratings.html'
    """
    settings = describe_rating_view(items, scale, respondent=respondent, save_to=save_to, seed=seed)
    files = find_image_files(
        images, wanted=list_assigned_images(assignment, respondent), folder=images_folder
    )
    return write_labelling_page(
        settings,
        {image: [image] for image in files},
        files,
        save_to=save_to,
        study=["ratings", settings["annotator"], settings["items"], settings["scale"], list(files)],
        suffix="-ratings",
        max_side=_MAX_SIDE,
    )
