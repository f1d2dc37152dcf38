"""Label pairs, features or ratings on any computer, offline: one HTML file per person.

A page looks and works like the widget for the same task, needs no server and no network, and keeps the
answers until the person sends them back.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from visclust.annotation.answer_files import ANSWER_COLUMNS
from visclust.annotation.constructs import EMOTIONS, FEATURES
from visclust.annotation.identity import name_answer_file
from visclust.base.cells import fold_identity
from visclust.base.checks import checked
from visclust.base.files import write_text
from visclust.base.html import build_data_page
from visclust.base.provenance import digest_text
from visclust.images.reading import UnreadableImageError
from visclust.images.thumbnails import encode_data_url
from visclust.widgets.assets import load_asset
from visclust.widgets.tasks import (
    FEATURE_QUESTION,
    PAIR_QUESTION,
    Task,
    feature_task,
    pair_task,
    rating_task,
)

_REMIND_EVERY = 50  # answers; a lost laptop then costs a quarter of an hour

_MAX_SIDE = 640  # pixels: a single image is shown larger than one of a pair; about 50 kB each

_STYLE = "body { margin: 12px; background: #fff; }\n.visclust-labeller { margin: 0 auto; }\n"


@checked
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
    FileNotFoundError
        If none of the image files is there.

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
    'ana-24d4b96f.html'
    """
    task = pair_task(pairs, images, question=question, construct=construct, images_folder=images_folder)
    return _write_page(
        task, annotator=annotator, save_to=save_to, max_side=max_side, revisit_skipped=revisit_skipped
    )


@checked
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
    FileNotFoundError
        If none of the image files is there.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (8, 8)).save(folder / "a.png")
    >>> images = pd.DataFrame({"image_id": ["a"], "path": ["a.png"], "status": "ok", "reason": "",
    ...                        "width": 8, "height": 8})
    >>> export_feature_page(images, annotator="Ana", save_to=folder, images_folder=folder).name
    'ana-24d4b96f-features.html'
    """
    task = feature_task(images, features, question=question, construct=construct, images_folder=images_folder)
    return _write_page(
        task, annotator=annotator, save_to=save_to, max_side=max_side, revisit_skipped=revisit_skipped
    )


@checked
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
    FileNotFoundError
        If none of the image files is there.

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
    'ana-24d4b96f-ratings.html'
    """
    task = rating_task(
        assignment,
        images,
        respondent=respondent,
        items=items,
        scale=scale,
        seed=seed,
        images_folder=images_folder,
    )
    return _write_page(task, annotator=respondent, save_to=save_to, max_side=_MAX_SIDE)


def _write_page(
    task: Task, *, annotator: str, save_to: str | os.PathLike, max_side: int, revisit_skipped: bool = False
) -> Path:
    """Write the page of one person, named after them; a page made again for the same task replaces it.

    Images are inside, with a longest side of `max_side` pixels; paths stay out. The answers are kept in the
    browser under a digest of the task and the person, so that the page made again goes on with them.
    """
    settings = task.describe_view(annotator=annotator, save_to=save_to)
    key, *former = (
        digest_text(json.dumps([*task.marks, name, *task.asked]))
        for name in (fold_identity(settings["annotator"]), settings["annotator"])
    )
    settings |= {
        "revisit_skipped": revisit_skipped,
        "autofocus": True,
        "remind_every": _REMIND_EVERY,
        "storage_key": key,
        "downloads": [
            {"format": "jsonl", "label": "Download answers"},
            {"format": "csv", "label": "Download as CSV"},
        ],
    }
    stem = "-".join([name_answer_file(save_to, settings["annotator"]).stem, *task.marks])
    html = build_data_page(
        title=f"{task.question} – {settings['annotator']}",
        style=_STYLE + load_asset("labelling.css"),
        body='<div id="visclust-root"></div>',
        data={
            "settings": settings,
            "file_stem": stem,
            "former_keys": [one for one in former if one != key],  # of versions to which Ana and ana were two
            "columns": list(ANSWER_COLUMNS),
            "items": [{"id": item, "images": list(images)} for item, images in task.items.items()],
            "images": {image: _encode(image, path, max_side) for image, path in task.files.items()},
        },
        script=load_asset("labelling_page.js") + "\nmountPage();",
    )
    return write_text(Path(save_to) / f"{stem}.html", html)


def _encode(image: str, path: str, max_side: int) -> str:
    """Encode an image for the page, or say which one it was."""
    try:
        return encode_data_url(path, max_side=max_side)
    except UnreadableImageError as error:
        raise ValueError(
            f"Expected every image of the page to be readable, got {error} for image {image!r} at {path}. "
            "Restore the file, or leave the image out."
        ) from error
