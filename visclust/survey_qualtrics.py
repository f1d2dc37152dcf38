"""Write a survey for Qualtrics: contacts with embedded data, links, a Loop & Merge table, questions."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import urlencode

import pandas as pd

from visclust.base.files import write_atomically
from visclust.survey_cells import write_cells
from visclust.survey_instructions import QUALTRICS_INSTRUCTIONS

__all__ = ["QUESTION_TAG", "TIMING_TAG", "write_qualtrics"]

QUESTION_TAG, TIMING_TAG = "rating", "time"

# Qualtrics cuts values of embedded data at 1,024 characters.
_LONGEST_VALUE = 1024


def write_qualtrics(
    ordered: pd.DataFrame,
    addresses: Mapping[str, str],
    *,
    folder: Path,
    items: Sequence[str],
    scale: tuple[int, int],
) -> list[Path]:
    """Write the files from which a survey is built in Qualtrics.

    Parameters
    ----------
    ordered : DataFrame
        The assignment table, sorted by respondent and position.
    addresses : mapping of str to str
        Where each image is on the web.
    folder : pathlib.Path
        Folder for the files.
    items : sequence of str
        What is rated.
    scale : tuple of two int
        Lowest and highest number.

    Returns
    -------
    list of pathlib.Path
        Instructions, contacts, links, the Loop & Merge table, and the questions.

    Raises
    ------
    ValueError
        If respondents have different numbers of images, a value is too long for embedded data, or an item
        holds "[[", which Qualtrics would take for a command.

    Source
    ------
    Qualtrics support pages: Loop & Merge, Embedded Data, Importing and Exporting Surveys, Adding Directory
    Contacts.

    Examples
    --------
    >>> import tempfile
    >>> ordered = pd.DataFrame({"respondent": ["r1"], "group": "D", "position": 1, "image_id": "a"})
    >>> made = write_qualtrics(ordered, {"a": "https://example.org/a.jpg"}, folder=Path(tempfile.mkdtemp()),
    ...                        items=["proud"], scale=(1, 3))
    >>> print(made[3].read_text(encoding="utf-8-sig").strip())
    Field 1,Field 2
    ${e://Field/image_1},${e://Field/address_1}
    """
    loads = ordered.groupby("respondent").size()
    m = int(loads.max())
    if loads.min() != m:
        raise ValueError(
            f"Expected as many images for every respondent, since Qualtrics loops as often for all; got "
            f"{loads.min()} to {m}. Assign again, or use to='html' or to='csv'."
        )
    if any("[[" in item for item in items):
        raise ValueError("Expected items without '[[', which Qualtrics takes for a command. Rename them.")
    names = ["respondent", "group"]
    names += [f"image_{k}" for k in range(1, m + 1)] + [f"address_{k}" for k in range(1, m + 1)]
    rows = []
    for respondent, part in ordered.groupby("respondent", sort=False):
        images = [str(image) for image in part["image_id"]]
        rows.append(
            [str(respondent), str(part["group"].iloc[0]), *images, *(addresses[image] for image in images)]
        )
    longest = max(len(cell) for row in rows for cell in row)
    if longest > _LONGEST_VALUE:
        raise ValueError(
            f"Expected names, ids and addresses of {_LONGEST_VALUE} characters at most, the limit of "
            f"Qualtrics' embedded data; got one of {longest}. Shorten the addresses."
        )
    low, high = scale
    text = QUALTRICS_INSTRUCTIONS.format(
        tag=QUESTION_TAG, time=TIMING_TAG, n_items=len(items), low=low, high=high, m=m
    )
    links = [[row[0], row[1], urlencode(dict(zip(names, row, strict=True)), safe=":/")] for row in rows]
    loops = [[f"${{e://Field/image_{k}}}", f"${{e://Field/address_{k}}}"] for k in range(1, m + 1)]
    questions = _write_questions(names, items, low, high)
    return [
        write_atomically(folder / "INSTRUCTIONS.txt", lambda file: file.write(text.encode())),
        write_cells(
            folder / "contacts.csv", ["ExternalDataReference", *names], [[row[0], *row] for row in rows]
        ),
        write_cells(folder / "links.csv", ["respondent", "group", "query"], links),
        write_cells(folder / "loop_and_merge.csv", ["Field 1", "Field 2"], loops),
        write_atomically(folder / "survey.txt", lambda file: file.write(questions.encode())),
    ]


def _write_questions(names: Sequence[str], items: Sequence[str], low: int, high: int) -> str:
    """Write the questions in Qualtrics' Advanced Format; recode values equal the numbers shown."""
    image = '<img src="${lm://Field/2}" alt="Image to rate" style="max-width:100%;max-height:60vh">'
    ends = f"from {low} (not at all) to {high} (very much)"
    lines = ["[[AdvancedFormat]]", ""]
    lines += [f"[[ED:{name}]]" for name in names]
    lines += [
        "",
        "[[Block:Introduction]]",
        "[[Question:DB]]",
        "[[ID:introduction]]",
        f"You will see images one after the other. Please say how much each makes you feel, {ends}.",
        "",
        "[[Block:Rating]]",
        "[[Question:Matrix]]",
        f"[[ID:{QUESTION_TAG}]]",
        f"{image}<br>How much does this image make you feel each of these, {ends}?",
        "[[AdvancedChoices]]",
    ]
    for number, item in enumerate(items, start=1):
        lines += [f"[[Choice:{number}]]", escape(item, quote=False)]
    lines += ["[[AdvancedAnswers]]"]
    for number in range(low, high + 1):
        lines += [f"[[Answer:{number}]]", str(number)]
    lines += ["", "[[Question:Timing]]", f"[[ID:{TIMING_TAG}]]", ""]
    return "\n".join(lines)
