"""What a labeller of pairs needs of the tables: the files of each pair, blind to everything else."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from visclust.base.tables import check_table
from visclust.widgets.view_settings import describe_view

__all__ = [
    "PAIR_ANSWERS",
    "PAIR_QUESTION",
    "PairItems",
    "describe_pair_view",
    "find_pair_files",
    "name_sides",
]

PAIR_QUESTION = "Do these two images belong together?"
PAIR_ANSWERS = ("same", "different", "unsure", "skip")

_CHOICES = (
    {"value": "same", "label": "Same", "keys": ["S", "ArrowLeft"]},
    {"value": "different", "label": "Different", "keys": ["D", "ArrowRight"]},
    {"value": "unsure", "label": "Unsure", "keys": ["U", "ArrowDown"]},
    {"value": "skip", "label": "Skip", "keys": ["K"]},
)


class PairItems(NamedTuple):
    """The image ids of each pair, left and right, and the file of each image."""

    sides: dict[str, tuple[str, str]]
    files: dict[str, Path]


def find_pair_files(
    pairs: pd.DataFrame, images: pd.DataFrame, *, folder: str | os.PathLike | None = None
) -> PairItems:
    """Find the image files of every pair.

    Parameters
    ----------
    pairs : DataFrame
        A pairs table; ``image_a`` is shown on the left. Its strata and probabilities are not used.
    images : DataFrame
        An images table. Of the files of an image, the first with status "ok" is used.
    folder : str or path, optional
        Where relative paths of the images table start; the working directory by default.

    Returns
    -------
    PairItems
        In the order of `pairs`.

    Raises
    ------
    ValueError
        If there is no pair, or an image of a pair has no readable file.

    Examples
    --------
    >>> pairs = pd.DataFrame({"pair_id": ["p1"], "image_a": ["a"], "image_b": ["b"], "stratum": ["random"],
    ...                       "inclusion_probability": [0.1]})
    >>> images = pd.DataFrame({"image_id": ["a", "b"], "path": ["a.jpg", "b.jpg"], "status": "ok",
    ...                        "reason": "", "width": 1, "height": 1})
    >>> find_pair_files(pairs, images).sides
    {'p1': ('a', 'b')}
    """
    check_table(pairs, "pairs")
    check_table(images, "images")
    if pairs.empty:
        raise ValueError("Expected at least one pair to label, got an empty pairs table. Draw some first.")
    usable = images[images["status"] == "ok"].drop_duplicates("image_id")
    start = Path.cwd() if folder is None else Path(folder).absolute()
    files = {image: start / path for image, path in zip(usable["image_id"], usable["path"], strict=True)}
    wanted = pd.unique(pd.concat([pairs["image_a"], pairs["image_b"]]))
    lacking = [image for image in wanted if image not in files]
    if lacking:
        raise ValueError(
            f"Expected a row with status 'ok' in the images table for each of the {len(wanted)} images of "
            f"the pairs, got none for {len(lacking)} of them (first: {lacking[0]!r}). Use the images table "
            "that the pairs were drawn from, or leave these pairs out."
        )
    sides = zip(pairs["image_a"], pairs["image_b"], strict=True)
    return PairItems(
        dict(zip(pairs["pair_id"], sides, strict=True)), {image: files[image] for image in wanted}
    )


def describe_pair_view(
    *,
    annotator: str,
    save_to: str | os.PathLike,
    question: str,
    construct: str,
    prefetch: int,
    max_unsaved: int = 0,
) -> dict[str, Any]:
    """Describe to a view what it draws: nothing about the images, and no path.

    Parameters
    ----------
    annotator : str
        The annotator's name.
    save_to : str or path
        Folder of the study; only a digest of it reaches the browser, to tell studies apart there.
    question, construct : str
        Texts above the images.
    prefetch : int
        Pairs whose images are fetched ahead.
    max_unsaved : int, default 0
        Answers that may be on their way to the disk when the next pair shows.

    Returns
    -------
    dict
        Settings that JSON can hold.

    Raises
    ------
    ValueError
        If a text or number is not usable.

    Examples
    --------
    >>> view = describe_pair_view(
    ...     annotator="ana", save_to="answers", question="Same?", construct="", prefetch=4)
    >>> view["n_images"]
    2
    """
    shared = describe_view(
        "pairs",
        annotator=annotator,
        save_to=save_to,
        question=question,
        construct=construct,
        prefetch=prefetch,
        max_unsaved=max_unsaved,
    )
    choices = [dict(choice) for choice in _CHOICES]
    return shared | {"controls": "choices", "choices": choices, "n_images": 2}


def name_sides(items: PairItems, pair_id: str) -> Mapping[str, str]:
    """Name the images of a pair as they are shown, for the row of its answer.

    Parameters
    ----------
    items : PairItems
        From `find_pair_files`.
    pair_id : str
        A pair, or one of another list.

    Returns
    -------
    mapping
        ``left`` and ``right``; empty for a pair of another list.

    Examples
    --------
    >>> name_sides(PairItems({"p1": ("a", "b")}, {}), "p1")
    {'left': 'a', 'right': 'b'}
    """
    sides = items.sides.get(pair_id)
    return {} if sides is None else {"left": sides[0], "right": sides[1]}
