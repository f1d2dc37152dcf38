"""Write a labelling view, its images and its items into one HTML file that needs no server and no network."""

import json
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from visclust.annotation.answer_files import ANSWER_COLUMNS, name_answer_file
from visclust.annotation.constructs import EMOTIONS, FEATURES
from visclust.base.files import write_atomically
from visclust.base.provenance import digest_text
from visclust.images.index import locate_images
from visclust.images.reading import UnreadableImageError
from visclust.images.thumbnails import encode_data_url
from visclust.widgets.assets import load_page_script, load_page_template, load_style
from visclust.widgets.tasks import (
    FEATURE_QUESTION,
    PAIR_QUESTION,
    describe_feature_view,
    describe_pair_view,
    describe_rating_view,
    find_pair_files,
    list_assigned_images,
)

_REMIND_EVERY = 50  # answers; a lost laptop then costs a quarter of an hour

_MAX_SIDE = 640  # pixels: a single image is shown larger than one of a pair; about 50 kB each


def _write_labelling_page(
    settings: Mapping[str, Any],
    items: Mapping[str, Sequence[str]],
    files: Mapping[str, str],
    *,
    save_to: str | os.PathLike,
    study: Sequence[Any],
    suffix: str = "",
    max_side: int = 384,
) -> Path:
    """Write the page of one annotator."""
    stem = name_answer_file(save_to, settings["annotator"]).stem + suffix
    page = {
        "settings": {
            **settings,
            "autofocus": True,
            "remind_every": _REMIND_EVERY,
            "storage_key": digest_text(json.dumps(study)),
            "downloads": [
                {"format": "jsonl", "label": "Download answers"},
                {"format": "csv", "label": "Download as CSV"},
            ],
        },
        "file_stem": stem,
        "columns": list(ANSWER_COLUMNS),
        "items": [{"id": item, "images": list(images)} for item, images in items.items()],
        "images": {image: _encode(image, path, max_side) for image, path in files.items()},
    }
    title = f"{settings['question']} – {settings['annotator']}"
    html = _fill_template(title=title, data=json.dumps(page), script=load_page_script())
    return write_atomically(Path(save_to) / f"{stem}.html", lambda file: file.write(html.encode()))


def _encode(image: str, path: str, max_side: int) -> str:
    """Encode an image for the page, or say which one it was."""
    try:
        return encode_data_url(path, max_side=max_side)
    except UnreadableImageError as error:
        raise ValueError(
            f"Expected every image of the page to be readable, got {error} for image {image!r} at {path}. "
            "Restore the file, or leave the image out."
        ) from error


def _fill_template(*, title: str, data: str, script: str) -> str:
    """Put the parts of a page together, each escaped for its place."""
    # In a script element only "<" could end it or open a comment; JSON may spell it otherwise.
    parts = {
        "title": escape(title),
        "style": load_style(),
        "data": data.replace("<", "\\u003c"),
        "script": script,
    }
    pieces = load_page_template().split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        name, rest = piece.split("}}", 1)
        filled += [parts[name], rest]
    return "".join(filled)


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
    files = locate_images(images, folder=images_folder)
    return _write_labelling_page(
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
    files = locate_images(images, list_assigned_images(assignment, respondent), folder=images_folder)
    return _write_labelling_page(
        settings,
        {image: [image] for image in files},
        files,
        save_to=save_to,
        study=["ratings", settings["annotator"], settings["items"], settings["scale"], list(files)],
        suffix="-ratings",
        max_side=_MAX_SIDE,
    )


def export_pair_page(
    pairs: pd.DataFrame,
    images: pd.DataFrame,
    *,
    annotator: str,
    save_to: str | os.PathLike,
    question: str = PAIR_QUESTION,
    construct: str = "",
    max_side: int = 384,
    revisit_skipped: bool = False,
    images_folder: str | os.PathLike | None = None,
) -> Path:
    """Write one HTML file in which one annotator labels pairs on any computer, offline.

    The page has its images inside, looks and works like `label_pairs`, and keeps the answers in the
    browser, where they survive its restart. The annotator downloads them, is reminded every 50 answers,
    and sends the file back for `import_answers`. The page asks nothing of any network.

    Parameters
    ----------
    pairs : DataFrame
        A pairs table; ``image_a`` is shown on the left. Strata and probabilities stay out of the page.
    images : DataFrame
        The images table. Paths stay out of the page.
    annotator : str
        Who will answer; make one page per person.
    save_to : str or path
        Folder for the page.
    question, construct : str, optional
        Texts above the images.
    max_side : int, default 384
        Longest side of the images, in pixels: about 20 kB an image.
    revisit_skipped : bool, default False
        Show skipped pairs once more after all others.
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.

    Returns
    -------
    pathlib.Path
        The page, named after the annotator.

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
    >>> images = pd.DataFrame({"image_id": ["a", "b"], "path": "a.png", "status": "ok",
    ...                        "reason": "", "width": 8, "height": 8})
    >>> images.loc[1, "path"] = "./a.png"
    >>> pairs = pd.DataFrame({"pair_id": ["p1"], "image_a": ["a"], "image_b": ["b"], "stratum": ["random"],
    ...                       "inclusion_probability": [0.1]})
    >>> export_pair_page(pairs, images, annotator="Ana", save_to=folder, images_folder=folder).name
    'ana-dea210f0.html'
    """
    items = find_pair_files(pairs, images, folder=images_folder)
    settings = describe_pair_view(
        annotator=annotator, save_to=save_to, question=question, construct=construct, prefetch=4
    )
    return _write_labelling_page(
        settings | {"revisit_skipped": revisit_skipped},
        items.sides,
        items.files,
        save_to=save_to,
        study=[settings["annotator"], items.sides],
        max_side=max_side,
    )
