"""Qualtrics: the files from which a survey is built there, and its export read back.

They follow Qualtrics' support pages on Loop & Merge, embedded data, contact lists, importing surveys, and
understanding a data set.
"""

import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from html import escape, unescape
from pathlib import Path
from urllib.parse import urlencode

import pandas as pd

from visclust.base.cells import read_cells, read_truth
from visclust.base.files import restore_cell, write_cells, write_text
from visclust.survey.raw_answers import (
    CELL_COLUMNS,
    SUBMISSION_COLUMNS,
    TOO_MANY_CELLS,
    RawAnswers,
    list_problem,
)

_QUALTRICS_INSTRUCTIONS = """How to build this survey in Qualtrics

1. Import the questions. Create a project from a file and choose survey.txt (Qualtrics' "Advanced Format").
   You get an introduction, a block "Rating" with a matrix question "{tag}" ({n_items} statements,
   {low} to {high}) and a hidden timing question "{time}", and, at the top of the survey flow, the embedded
   data respondent, group, image_1 to image_{m} and address_1 to address_{m}. Leave their values empty:
   they come with each respondent.

2. Turn on Loop & Merge for the block "Rating". Paste the rows of loop_and_merge.csv into its table:
   {m} loops, Field 1 is the image's id, Field 2 its address. Do NOT randomize the order of the loops: the
   order of the images is already random for each respondent. To show the items in random order, randomize
   the statements of the question.

3. Bring the respondents, in one of two ways.
   a) You know them: add a column Email to contacts.csv (Qualtrics asks for it), upload the file as a
      contact list, keep all other columns as embedded data, and send personal links.
   b) A panel sends them: give each person who enters one row of links.csv, in the order of the rows within
      their group, and append its "query" to the survey's anonymous link after a "?". Use each row once.

4. Test with one link: {m} images appear, each with {n_items} statements. Delete the test responses, or
   leave them: read_ratings sets previews aside and lists them.

5. Export the answers: Data & Analysis, Export, CSV, all fields, with numeric values or with choice text.
   Keep the three header rows. The columns are called 1_{tag}_1 (loop, question, statement) and so on.

6. Back in Python: visclust.read_ratings("export.csv", assignment)

A cell that begins with an apostrophe before = + - @ is guarded so that spreadsheets do not run it as a
formula; read_ratings takes the apostrophe away again.

These files follow Qualtrics' documentation of Loop & Merge, embedded data, contact lists and text import.
They have not been tried in a Qualtrics account: do step 4 before you send anything.
"""

_QUESTION_TAG, _TIMING_TAG = "rating", "time"

# Qualtrics cuts values of embedded data at 1,024 characters.
_LONGEST_VALUE = 1024

_HEADER_ROWS = 3

# Qualtrics' codes and words for responses that no respondent gave, for those marked as spam, and the others.
_PREVIEW_CODES, _SPAM_CODES = ("1", "2", "9", "17"), ("8", "12", "40")
_ANSWER_CODES = ("", "0", "4", "16", "32", "48")
_PREVIEWS = ("survey preview", "survey test", "spam survey preview", "offline survey preview")
_ANSWERS = ("ip address", "imported", "offline survey", "offline survey response", "ex", "offline ex")

# By what Qualtrics knows its own columns, whatever else has their names.
_IMPORT_IDS = {
    "status": "status",
    "finished": "finished",
    "duration (in seconds)": "duration",
    "recordeddate": "recordedDate",
    "enddate": "endDate",
    "responseid": "_recordId",
    "externalreference": "externalDataReference",
}
_NAMED = ("respondent", "externaldatareference")


def write_qualtrics(
    ordered: pd.DataFrame,
    addresses: Mapping[str, str],
    *,
    folder: Path,
    items: Sequence[str],
    scale: tuple[int, int],
) -> list[Path]:
    """Write the files from which a survey is built in Qualtrics; `ordered` is by respondent and position.

    Respondents with different numbers of images, texts longer than embedded data can be, and items that
    Qualtrics would take for a command are refused before anything is written.
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
    text = _QUALTRICS_INSTRUCTIONS.format(
        tag=_QUESTION_TAG, time=_TIMING_TAG, n_items=len(items), low=low, high=high, m=m
    )
    links = [[row[0], row[1], urlencode(dict(zip(names, row, strict=True)), safe=":/")] for row in rows]
    loops = [[f"${{e://Field/image_{k}}}", f"${{e://Field/address_{k}}}"] for k in range(1, m + 1)]
    questions = _write_questions(names, items, low, high)
    return [
        write_text(folder / "INSTRUCTIONS.txt", text),
        write_cells(
            folder / "contacts.csv", ["ExternalDataReference", *names], [[row[0], *row] for row in rows]
        ),
        write_cells(folder / "links.csv", ["respondent", "group", "query"], links),
        write_cells(folder / "loop_and_merge.csv", ["Field 1", "Field 2"], loops),
        write_text(folder / "survey.txt", questions),
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
        f"[[ID:{_QUESTION_TAG}]]",
        f"{image}<br>How much does this image make you feel each of these, {ends}?",
        "[[AdvancedChoices]]",
    ]
    for number, item in enumerate(items, start=1):
        lines += [f"[[Choice:{number}]]", escape(item, quote=False)]
    lines += ["[[AdvancedAnswers]]"]
    for number in range(low, high + 1):
        lines += [f"[[Answer:{number}]]", str(number)]
    lines += ["", "[[Question:Timing]]", f"[[ID:{_TIMING_TAG}]]", ""]
    return "\n".join(lines)


def looks_like_qualtrics(rows: Sequence[Sequence[str]]) -> bool:
    """Tell by their third row, which holds ImportIds, whether rows of cells are an export of Qualtrics."""
    return len(rows) >= _HEADER_ROWS and any("ImportId" in cell for cell in rows[_HEADER_ROWS - 1])


def read_qualtrics_answers(
    path: str | os.PathLike, assignment: pd.DataFrame, items: Sequence[str]
) -> RawAnswers:
    """Read an export of the survey that `export_survey` describes; each response is a submission.

    Images are those that the response says were shown, and where it does not, those of the assignment.
    Columns are matched by the statement in the second header row, or, where none is an item, by its number,
    which is listed. Of two columns of Qualtrics' own of one name the ImportId decides, or the first counts.
    A status or a mark of completion in words that are not known is refused.
    """
    rows = read_cells(path)
    name = Path(path).name
    if not looks_like_qualtrics(rows):
        raise ValueError(
            f"Expected three header rows in {name}, the third with ImportIds, as Qualtrics exports them. "
            "Export again as CSV and leave these rows in."
        )
    header = [cell.strip() for cell in rows[0]]
    problems: list[dict[str, str]] = []
    places = _find_places(header, rows, problems, name)
    who = next(
        (places[c] for c in ("respondent", "externalreference", "externaldatareference") if c in places), None
    )
    if who is None:
        raise ValueError(
            f"Expected a column respondent (embedded data) or ExternalReference in {name}, got none. Add the "
            "embedded data to the survey flow and export all fields."
        )
    columns = _find_columns(header, rows[1], items, name, problems)
    timing = _find_timing(header)
    shown = {
        (str(row["respondent"]), int(row["position"])): str(row["image_id"])
        for row in assignment.to_dict("records")
    }
    cells, submissions = [], []
    taken: set[str] = set()
    for number, row in enumerate(rows[_HEADER_ROWS:], start=1):
        full = [cell.strip() for cell in row] + [""] * (len(header) - len(row))

        def find(column: str, full: list[str] = full) -> str:
            place = places.get(column.casefold())
            return "" if place is None else full[place]

        submission = find("ResponseId") or f"row {number}"
        if submission in taken:  # two exports in one file: answers must not be taken for another response's
            submission = f"{submission} (row {number})"
        taken.add(submission)
        respondent = restore_cell(full[who])
        where = {"submission": submission, "respondent": respondent}
        if beyond := ", ".join(cell for cell in full[len(header) :] if cell):
            problems.append(list_problem(*TOO_MANY_CELLS, where, value=beyond))
        status = _read_status(find("Status"), name)
        try:
            finished = read_truth(find("Finished")) is not False
        except ValueError as error:
            raise ValueError(
                f"Expected true or false in the column Finished of {name}, got {error}. Export the answers "
                "again with numeric values."
            ) from None
        seconds = _read_number(find("Duration (in seconds)"))
        at = find("RecordedDate") or find("EndDate")
        submissions.append([submission, respondent, finished, seconds, at, status])
        for (loop, item), place in columns.items():
            planned = shown.get((respondent, loop), "")
            image = restore_cell(find(f"image_{loop}")) or planned
            page = _read_number(full[timing[loop]]) if loop in timing else float("nan")
            cells.append([submission, image, item, full[place], "", page])
            if planned and image != planned and item == items[0]:
                what = "another image than planned at this position"
                value = f"position {loop}, planned {planned}"
                problems.append(
                    list_problem(what, "the image shown counts", where | {"image_id": image}, value=value)
                )
    return RawAnswers(
        pd.DataFrame(cells, columns=CELL_COLUMNS).astype({"seconds": float}),
        pd.DataFrame(submissions, columns=SUBMISSION_COLUMNS).astype({"seconds": float}),
        problems,
        simulated=False,
    )


def _find_places(
    header: Sequence[str], rows: Sequence[Sequence[str]], problems: list[dict[str, str]], name: str
) -> dict[str, int]:
    """Find the place of each column by its name in small letters; of Qualtrics' own, by their ImportId.

    A name of our own that comes twice with different answers is refused.
    """
    imports = [
        match[1] if (match := re.search(r'"ImportId"\s*:\s*"([^"]*)"', cell)) else "" for cell in rows[2]
    ]
    places: dict[str, int] = {}
    for place, column in enumerate(header):
        key = column.casefold()
        if key not in places:
            places[key] = place
            continue
        wanted = _IMPORT_IDS.get(key)
        first = imports[places[key]] if places[key] < len(imports) else ""
        if wanted and first != wanted and place < len(imports) and imports[place] == wanted:
            places[key] = place
        if wanted is None and (key in _NAMED or re.fullmatch(r"image_\d+", key)):
            one, two = (
                [row[at].strip() if at < len(row) else "" for row in rows[_HEADER_ROWS:]]
                for at in (places[key], place)
            )
            if one != two:
                raise ValueError(
                    f"The column {column!r} comes twice in {name} with different answers: which is meant "
                    "cannot be told. Remove one of them."
                )
        elif wanted:
            what = f"column {column} comes twice"
            problems.append(list_problem(what, f"column number {places[key] + 1} counts", {}))
    return places


def _read_status(said: str, name: str) -> str:
    """Read the column Status: "" for a respondent's answer, "preview" or "spam"."""
    word = " ".join(said.casefold().split())
    number = word.removesuffix(".0")
    if number in _PREVIEW_CODES or word in _PREVIEWS:
        return "preview"
    if number in _SPAM_CODES or "spam" in word:
        return "spam"
    if number in _ANSWER_CODES or word in _ANSWERS or re.search(r"\bip\b", word):
        return ""
    raise ValueError(
        f"Expected a status of Qualtrics in {name}, such as 'IP Address' or 'Survey Preview', got {said!r}: "
        "whether that is a respondent or a test of the survey cannot be told. Export the answers again with "
        "numeric values, or in English."
    )


def _find_columns(
    header: Sequence[str],
    texts: Sequence[str],
    items: Sequence[str],
    name: str,
    problems: list[dict[str, str]],
) -> dict[tuple[int, str], int]:
    """Find the column of each loop and item."""
    found: dict[str, list[tuple[int, int, int]]] = {}
    for place, column in enumerate(header):
        if match := re.fullmatch(r"(\d+)_(.+)_(\d+)", column):
            found.setdefault(match[2], []).append((int(match[1]), int(match[3]), place))
    tags = [tag for tag, each in found.items() if len({number for _, number, _ in each}) == len(items)]
    tag = _QUESTION_TAG if _QUESTION_TAG in tags else tags[0] if len(tags) == 1 else None
    if tag is None:
        seen = ", ".join(f"{each} ({len(places)} columns)" for each, places in found.items())
        raise ValueError(
            f"Expected columns 1_{_QUESTION_TAG}_1 to …_{_QUESTION_TAG}_{len(items)} for {len(items)} items "
            f"in {name}, got {seen or 'none like it'}. Give the items that were asked, or name the question "
            f"{_QUESTION_TAG!r} and export again."
        )
    said = {place: _clean_statement(texts[place]) for *_, place in found[tag]}
    known = {_clean_statement(item): item for item in items}
    # The longest last, so that it counts: an item may end as another does.
    matched = {
        place: item
        for place, text in said.items()
        for key, item in sorted(known.items(), key=lambda pair: len(pair[0]))
        if text == key or re.search(rf"(?:\s[-–—−]|[:|>/?.]) ?{re.escape(key)}$", text)
    }
    if not matched and (named := _match_by_word(said, known, found[tag])):
        matched = named
        pairs = "; ".join(f"{text} is {named[place]}" for place, text in list(said.items())[: len(items)])
        problems.append(list_problem("items matched by a word", "check the items", {}, value=pairs))
    if not matched:
        order = [number for loop, number, _ in sorted(found[tag], key=lambda each: (each[0], each[2]))]
        numbers = sorted(set(order))
        shown = next(iter(said.values()))
        if order != numbers * (len(order) // len(numbers)):
            raise ValueError(
                f"Expected the statements {', '.join(items)} in the second row of {name}, got {shown!r}. "
                "They cannot be matched by their numbers either, since these do not ascend. Give the items "
                "as they were asked."
            )
        matched = {place: items[numbers.index(number)] for _, number, place in found[tag]}
        pairs = ", ".join(f"{number} is {item}" for number, item in zip(numbers, items, strict=True))
        done = "check the order of the statements"
        problems.append(list_problem("items matched by number", done, {}, value=f"{shown}: {pairs}"))
    columns = {(loop, matched[place]): place for loop, _, place in found[tag] if place in matched}
    if len(matched) < len(said) or len(columns) < len(found[tag]):
        strange = next((said[place] for place in said if place not in matched), "one twice")
        raise ValueError(
            f"Expected the statements {', '.join(items)} in the second row of {name}, got {strange!r} among "
            "them. Give the items as they were asked."
        )
    return columns


def _clean_statement(text: str) -> str:
    """Bring a statement to the form by which it is compared: without tags, entities, case and odd spaces."""
    bare = re.sub(r"<[^<>]*>", " ", unescape(unescape(text)))
    plain = unicodedata.normalize("NFKC", bare)
    plain = "".join(character for character in plain if unicodedata.category(character) != "Cf")
    return " ".join(re.sub(r"""[“”„«»"*_]""", "", plain).casefold().split())


def _match_by_word(
    said: Mapping[int, str], known: Mapping[str, str], places: Sequence[tuple[int, int, int]]
) -> dict[int, str]:
    """Match statements to the one item that stands in each as a word; nothing where that is not clear."""
    named = {}
    for place, text in said.items():
        inside = [item for key, item in known.items() if re.search(rf"(?<!\w){re.escape(key)}(?!\w)", text)]
        if len(inside) != 1:
            return {}
        named[place] = inside[0]
    pairs = {(loop, named[place]) for loop, _, place in places}
    return named if len(pairs) == len(places) else {}


def _find_timing(header: Sequence[str]) -> dict[int, int]:
    """Find the column of each loop that says when its page was left; ours before any other."""
    found: dict[int, int] = {}
    for place, column in enumerate(header):
        match = re.fullmatch(r"(\d+)_(.+)_Page Submit", column)
        if match and (match[2] == _TIMING_TAG or int(match[1]) not in found):
            found[int(match[1])] = place
    return found


def _read_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
