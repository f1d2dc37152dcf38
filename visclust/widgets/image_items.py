"""What a labeller of single images needs of the tables: files, and who sees which image."""

import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from visclust.answer_rows import clean_name
from visclust.base.tables import check_table

__all__ = ["find_image_files", "list_assigned_images"]


def find_image_files(
    images: pd.DataFrame,
    *,
    wanted: Iterable[str] | None = None,
    folder: str | os.PathLike | None = None,
) -> dict[str, Path]:
    """Find the file of each image.

    Parameters
    ----------
    images : DataFrame
        An images table, or rows of one. Of the files of an image, the first with status "ok" is used.
    wanted : iterable of str, optional
        Ids of the images needed; all usable ones, in the order of the rows, by default.
    folder : str or path, optional
        Where relative paths of the images table start; the working directory by default.

    Returns
    -------
    dict of str to Path
        File by image id, in the order in which they are to be shown.

    Raises
    ------
    ValueError
        If there is no usable image, or a wanted one has no readable file.

    Examples
    --------
    >>> images = pd.DataFrame({"image_id": ["a", "b"], "path": ["a.jpg", "b.jpg"], "status": "ok",
    ...                        "reason": "", "width": 1, "height": 1})
    >>> list(find_image_files(images, wanted=["b"]))
    ['b']
    """
    check_table(images, "images")
    usable = images[images["status"] == "ok"].drop_duplicates("image_id")
    start = Path.cwd() if folder is None else Path(folder).absolute()
    files = {image: start / path for image, path in zip(usable["image_id"], usable["path"], strict=True)}
    ordered = list(files if wanted is None else wanted)
    if not ordered:
        raise ValueError(
            f"Expected at least one image with status 'ok' to show, got none among {len(images)} rows of the "
            "images table."
        )
    lacking = [image for image in ordered if image not in files]
    if lacking:
        raise ValueError(
            f"Expected a row with status 'ok' in the images table for each of the {len(ordered)} images, got "
            f"none for {len(lacking)} of them (first: {lacking[0]!r}). Use the images table that they were "
            "drawn from."
        )
    return {image: files[image] for image in ordered}


def list_assigned_images(assignment: pd.DataFrame, respondent: str) -> list[str]:
    """List the images that a respondent rates, in the order in which the respondent sees them.

    Parameters
    ----------
    assignment : DataFrame
        An assignment table.
    respondent : str
        One of its respondents.

    Returns
    -------
    list of str
        Image ids by ``position``.

    Raises
    ------
    ValueError
        If the table gives the respondent no image.

    Examples
    --------
    >>> assignment = pd.DataFrame({"respondent": "r1", "group": "a", "position": [2, 1],
    ...                            "image_id": ["x", "y"], "cluster": [0, 1]})
    >>> list_assigned_images(assignment, "r1")
    ['y', 'x']
    """
    check_table(assignment, "assignment")
    name = clean_name(respondent)
    own = assignment[assignment["respondent"].map(clean_name) == name]
    if own.empty:
        raise ValueError(
            f"Expected one of the {assignment['respondent'].nunique()} respondents of the assignment table, "
            f"got {respondent!r}. Names must be written alike, upper case included."
        )
    if own["respondent"].nunique() > 1:
        raise ValueError(
            f"Expected respondents whose names differ by more than spaces, got "
            f"{' and '.join(map(repr, own['respondent'].unique()))}. Rename one."
        )
    return own.sort_values("position", kind="stable")["image_id"].tolist()
