"""Write a survey from an assignment: for Qualtrics, as a plain CSV, or as offline pages."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import pandas as pd

from visclust.annotation.constructs import EMOTIONS
from visclust.annotation.ratings import check_scale, list_items
from visclust.base.files import write_cells, write_json, write_text
from visclust.base.provenance import note_run, recorded
from visclust.base.simulated import is_simulated
from visclust.base.tables import check_table, check_used
from visclust.survey.qualtrics import write_qualtrics

_CSV_INSTRUCTIONS = """How to use survey.csv

Each row is one image for one respondent, in the order of "position". Show the respondent the image (its
address is in the row, if one was given), ask how much it makes them feel each of
  {items}
from {low} (not at all) to {high} (very much), and write the numbers into the columns of these names.
Leave a cell empty where there is no answer. "seconds" may hold the seconds that the image took.
Do not change "respondent" and "image_id". An apostrophe before = + - @ keeps spreadsheets from running
text as a formula; leave it there.

Back in Python: visclust.read_ratings("survey.csv", assignment)
"""

_PAGE_INSTRUCTIONS = """How to use the pages

Each file in "pages" is for one respondent; respondents.csv says whose it is. It runs in any current
browser, offline. The respondent rates {n} images, presses "Download answers" at the end, and sends the
file back. Gather the files that come back in one folder.

Back in Python: visclust.read_ratings("folder of the files", assignment)
"""


class SurveyFiles(NamedTuple):
    """The folder of a survey, and the files in it."""

    folder: Path
    files: tuple[Path, ...]


@recorded
def export_survey(
    assignment: pd.DataFrame,
    images: pd.DataFrame,
    *,
    to: str = "qualtrics",
    save_to: str | os.PathLike,
    items: Mapping[str, Sequence[str]] | Sequence[str] = EMOTIONS,
    scale: Sequence[int] = (1, 10),
    image_address: str | Mapping[str, str] | pd.Series | None = None,
    images_folder: str | os.PathLike | None = None,
    seed: int = 0,
) -> SurveyFiles:
    """Write everything that a survey of an assignment needs, and say in a text file how to use it.

    Parameters
    ----------
    assignment : DataFrame
        From `assign_respondents`.
    images : DataFrame
        The images table; every assigned image must be usable.
    to : {"qualtrics", "csv", "html"}, default "qualtrics"
        "qualtrics": a list of contacts with each respondent's images as embedded data, the same as links for
        a panel, a Loop & Merge table, and the questions in Qualtrics' text format. "csv": one table to be
        filled in by any means. "html": a page for each respondent that runs offline.
    save_to : str or path
        Folder for the files.
    items : mapping of str to sequence of str, or sequence of str, default `visclust.EMOTIONS`
        What is rated, by dimension or as a plain list.
    scale : sequence of two int, default (1, 10)
        Lowest and highest number.
    image_address : str, mapping or Series, optional
        Where the images are on the web: a text with ``{image_id}`` in it, such as
        "https://example.org/images/{image_id}.jpg", or addresses by image id. Qualtrics needs it.
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.
    seed : int, default 0
        For "html": seed of the order of the items.

    Returns
    -------
    SurveyFiles
        ``folder`` and ``files``; ``survey.json`` among them records how they were made.

    Raises
    ------
    ValueError
        If a table or an option is not usable, an assigned image is not usable, or an address is none.
    FileNotFoundError
        For "html", if none of the image files is there.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, section on the survey (ten emotions from 1 to 10).

    Examples
    --------
    >>> import tempfile
    >>> images = pd.DataFrame({"image_id": ["a"], "path": "a.jpg", "status": "ok", "reason": "", "width": 8,
    ...                        "height": 8})
    >>> assignment = pd.DataFrame({"respondent": ["r1"], "group": "D", "position": 1, "image_id": "a",
    ...                            "cluster": 0})
    >>> made = export_survey(assignment, images, to="csv", save_to=tempfile.mkdtemp())
    >>> [path.name for path in made.files]
    ['INSTRUCTIONS.txt', 'survey.csv', 'survey.json']
    """
    if to not in ("qualtrics", "csv", "html"):
        raise ValueError(f"Expected to='qualtrics', 'csv' or 'html', got {to!r}.")
    check_table(assignment, "assignment")
    check_used(images, "images", ["image_id", "path", "status"])
    names, (low, high) = list_items(items), check_scale(scale)
    if not len(assignment):
        raise ValueError("Expected an assignment with at least one row, got an empty table.")
    usable = set(images.loc[images["status"].eq("ok"), "image_id"])
    lost = sorted(set(assignment["image_id"]) - usable)
    if lost:
        raise ValueError(
            f"Expected every assigned image among the usable ones of the images table; {len(lost)} are not "
            f"(the first is {lost[0]!r}). Give the images table that the clusters were made from."
        )
    addresses = _find_addresses(assignment, image_address)
    folder = Path(save_to)
    ordered = assignment.sort_values(["respondent", "position"], kind="stable")
    words = {"items": ", ".join(names), "low": low, "high": high, "n": _describe_load(assignment)}
    if to == "qualtrics":
        if addresses is None:
            raise ValueError(
                "Qualtrics shows images by their address on the web: put them on a server (or in Qualtrics' "
                "library) and give image_address='https://…/{image_id}.jpg', or addresses by image id."
            )
        files = write_qualtrics(ordered, addresses, folder=folder, items=names, scale=(low, high))
    elif to == "csv":
        files = _write_csv(ordered, addresses, folder=folder, items=names)
        files = [write_text(folder / "INSTRUCTIONS.txt", _CSV_INSTRUCTIONS.format(**words)), *files]
    else:
        options = {"items": names, "scale": (low, high), "seed": seed, "images_folder": images_folder}
        files = _write_pages(ordered, images, folder=folder, **options)
        files = [write_text(folder / "INSTRUCTIONS.txt", _PAGE_INSTRUCTIONS.format(**words)), *files]
    if is_simulated(assignment):
        instructions = folder / "INSTRUCTIONS.txt"
        text = instructions.read_text(encoding="utf-8")
        write_text(
            instructions, "SIMULATED respondents: nobody has these names. A trial of the survey.\n\n" + text
        )
    return SurveyFiles(folder, (*files, write_json(folder / "survey.json", note_run())))


def _describe_load(assignment: pd.DataFrame) -> str:
    loads = assignment.groupby("respondent").size()
    return str(loads.min()) if loads.min() == loads.max() else f"{loads.min()} to {loads.max()}"


def _find_addresses(
    assignment: pd.DataFrame, image_address: str | Mapping[str, str] | pd.Series | None
) -> dict[str, str] | None:
    """Give the address of each assigned image, checked."""
    if image_address is None:
        return None
    wanted = sorted(set(assignment["image_id"]))
    if isinstance(image_address, str):
        if "{image_id}" not in image_address:
            raise ValueError(
                "Expected image_address with {image_id} in it, such as "
                f"'https://example.org/images/{{image_id}}.jpg', got {image_address!r}."
            )
        found = {image: image_address.replace("{image_id}", quote(image, safe="")) for image in wanted}
    else:
        known = dict(image_address)
        lost = [image for image in wanted if not isinstance(known.get(image), str)]
        if lost:
            raise ValueError(
                f"{len(lost)} assigned images have no address (the first is {lost[0]!r}). "
                "Add them to image_address."
            )
        found = {image: known[image] for image in wanted}
    for address in found.values():
        parts = urlsplit(address)
        plain = address.isprintable() and not set(address) & set(" \"'<>\\`${}")
        if parts.scheme not in ("http", "https") or not parts.netloc or not plain:
            raise ValueError(
                f"Expected addresses that start with https:// or http:// and hold no spaces, quotes or "
                f"brackets, got {address!r}. Percent-encode such characters."
            )
    return found


def _write_csv(
    ordered: pd.DataFrame, addresses: dict[str, str] | None, *, folder: Path, items: Sequence[str]
) -> list[Path]:
    """Write one row per respondent and image, with empty cells for the ratings."""
    known = ["respondent", "group", "position", "image_id", "address"]
    taken = [item for item in items if item in [*known, "seconds", "submission"]]
    if taken:
        raise ValueError(f"The survey's table has columns {known} of its own; rename the item {taken[0]!r}.")
    columns = ordered[["respondent", "group", "position", "image_id"]].astype(
        {"respondent": str, "group": str, "image_id": str}
    )
    rows = []
    for respondent, group, position, image in columns.itertuples(index=False, name=None):
        address = (addresses or {}).get(image, "")
        rows.append([respondent, group, int(position), image, address, *([""] * (len(items) + 1))])
    return [write_cells(folder / "survey.csv", [*known, *items, "seconds"], rows)]


def _write_pages(ordered: pd.DataFrame, images: pd.DataFrame, *, folder: Path, **options: Any) -> list[Path]:
    """Write one offline page per respondent, and a list of whose is which."""
    # Only here: a survey that goes elsewhere needs no widgets, and reading one back never does.
    from visclust.widgets.labelling_pages import export_rating_page

    pages = {}
    for respondent in ordered["respondent"].unique():
        pages[respondent] = export_rating_page(
            ordered, images, respondent=respondent, save_to=folder / "pages", **options
        )
    rows = [[str(respondent), f"pages/{page.name}"] for respondent, page in pages.items()]
    return [write_cells(folder / "respondents.csv", ["respondent", "page"], rows), *pages.values()]
