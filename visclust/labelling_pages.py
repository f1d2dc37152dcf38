"""Write a labelling view, its images and its items into one HTML file that needs no server and no network."""

import json
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from visclust.annotation.answer_files import ANSWER_COLUMNS, name_answer_file
from visclust.base.files import write_atomically
from visclust.base.provenance import digest_text
from visclust.images.reading import UnreadableImageError
from visclust.images.thumbnails import encode_data_url
from visclust.widgets.assets import load_page_script, load_page_template, load_style

__all__ = ["write_labelling_page"]

_REMIND_EVERY = 50  # answers; a lost laptop then costs a quarter of an hour


def write_labelling_page(
    settings: Mapping[str, Any],
    items: Mapping[str, Sequence[str]],
    files: Mapping[str, Path],
    *,
    save_to: str | os.PathLike,
    study: Sequence[Any],
    suffix: str = "",
    max_side: int = 384,
) -> Path:
    """Write the page of one annotator.

    Parameters
    ----------
    settings : mapping
        What the view is told.
    items : mapping of str to sequence of str
        Image ids of each item, in the order shown.
    files : mapping of str to Path
        File of each image; paths stay out of the page.
    save_to : str or path
        Folder for the page.
    study : sequence
        What makes this study: a page made again for the same one goes on where the first one stopped.
    suffix : str, default ""
        End of the file's name, to tell pages of one person apart.
    max_side : int, default 384
        Longest side of the images, in pixels.

    Returns
    -------
    pathlib.Path
        The page, named after the annotator.

    Raises
    ------
    ValueError
        If an image cannot be read (any more).

    Examples
    --------
    >>> import tempfile
    >>> from visclust.widgets.view_settings import describe_view
    >>> folder = tempfile.mkdtemp()
    >>> view = describe_view("pairs", annotator="Ana", save_to=folder, question="Same?", construct="",
    ...                      prefetch=4)
    >>> write_labelling_page(view, {}, {}, save_to=folder, study=["Ana"]).name
    'ana-dea210f0.html'
    """
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


def _encode(image: str, path: Path, max_side: int) -> str:
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
