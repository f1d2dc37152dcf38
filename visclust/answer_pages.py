"""Label without a server: a page that keeps its own answers, and its answers taken back in."""

import csv
import os
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from visclust.answer_files import append_answer, name_answer_file
from visclust.answer_rows import check_row, read_rows
from visclust.labelling_pages import write_labelling_page
from visclust.widgets.pair_items import PAIR_QUESTION, describe_pair_view, find_pair_files

__all__ = ["ImportedAnswers", "export_pair_page", "import_answers"]


class ImportedAnswers(NamedTuple):
    """What an import did: rows added, rows that were there already, and the files that hold them."""

    added: int
    already_there: int
    files: tuple[Path, ...]


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
    return write_labelling_page(
        settings | {"revisit_skipped": revisit_skipped},
        items.sides,
        items.files,
        save_to=save_to,
        study=[settings["annotator"], items.sides],
        max_side=max_side,
    )


def import_answers(file: str | os.PathLike, save_to: str | os.PathLike) -> ImportedAnswers:
    """Take answers that an annotator sent back into the study's folder.

    Parameters
    ----------
    file : str or path
        A download of a page or a widget: ``.jsonl`` or ``.csv``.
    save_to : str or path
        Folder of the study's answers; each annotator's rows go to the annotator's file.

    Returns
    -------
    ImportedAnswers
        ``added, already_there, files``. Importing a file again, or a later download that holds its rows
        too, adds only what is new.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is of another kind or a row is not an answer; nothing is imported then.

    Examples
    --------
    >>> import tempfile
    >>> import json
    >>> folder = Path(tempfile.mkdtemp())
    >>> row = {"event_id": "e1", "item_id": "p1", "annotator": "Ana", "answer": "same",
    ...        "answered_at": "2026-01-05T10:00:00.000Z"}
    >>> _ = (folder / "ana.jsonl").write_text(json.dumps(row))
    >>> import_answers(folder / "ana.jsonl", folder / "answers").added
    1
    >>> import_answers(folder / "ana.jsonl", folder / "answers").added
    0
    """
    file = Path(file)
    if not file.exists():
        raise FileNotFoundError(f"No answers at {file}: check the path of the file that was sent back.")
    if file.suffix.lower() not in (".jsonl", ".csv"):
        raise ValueError(f"Expected a .jsonl or .csv file that a labelling page gave, got {file.name}.")
    rows = _read_csv(file) if file.suffix.lower() == ".csv" else read_rows(file)
    known: dict[Path, set[str]] = {}
    added = 0
    for row in rows:
        target = name_answer_file(save_to, row["annotator"], simulated=row["simulated"])
        if target not in known:
            on_file = read_rows(target) if target.exists() else []
            known[target] = {one["event_id"] for one in on_file}
        if row["event_id"] not in known[target]:
            append_answer(target, row)
            known[target].add(row["event_id"])
            added += 1
    return ImportedAnswers(added, len(rows) - added, tuple(known))


def _read_csv(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a CSV download, where nothing is an empty cell."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        rows = []
        for row in reader:
            where = f"line {reader.line_num} of {path.name}"
            if None in row:
                raise ValueError(f"Expected {len(reader.fieldnames or ())} cells in {where}, got more.")
            values: dict[str, Any] = {name: value or None for name, value in row.items()}
            try:
                values["seconds"] = None if values.get("seconds") is None else float(values["seconds"])
            except ValueError:
                raise ValueError(
                    f"Expected seconds as a number in {where}, got {row['seconds']!r}."
                ) from None
            values["simulated"] = str(values.get("simulated")).lower() == "true"
            rows.append(check_row(values, where))
    return rows
