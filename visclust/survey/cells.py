"""Text in CSV files that people open in a spreadsheet: guarded on the way out, restored on the way in."""

import csv
import io
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from visclust.base.files import write_atomically

# What makes a spreadsheet take a cell for a formula; the apostrophe itself, so that guarding can be undone.
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "'")


def _guard_cell(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(_DANGEROUS) else text


def restore_cell(text: str) -> str:
    """Take away the apostrophe that `_guard_cell` put there."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_DANGEROUS) else text


def write_cells(
    path: str | os.PathLike, header: Sequence[str], rows: Iterable[Sequence[str | int | float]]
) -> Path:
    """Write a CSV file in one step, text guarded, with the mark by which spreadsheets know UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    for row in [header, *rows]:
        writer.writerow([_guard_cell(cell) if isinstance(cell, str) else cell for cell in row])
    return write_atomically(path, lambda file: file.write(text.getvalue().encode("utf-8-sig")))


def read_rows_of_cells(path: str | os.PathLike) -> list[list[str]]:
    r"""Read the rows of a CSV or TSV file in UTF-8 or UTF-16; cells as they stand there."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No file {path}: check where the survey's export was saved.")
    content = path.read_bytes()
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Expected {path.name} as UTF-8 text, got bytes that are none ({error.reason} at {error.start}). "
            "Export it again as CSV UTF-8."
        ) from None
    named = re.match(r'"?sep=(.)"?[ \t]*(?:\r\n|\r|\n)', text)
    text = text[named.end() :] if named else text
    first = text.partition("\n")[0]
    tabs = path.suffix.lower() == ".tsv" or (wide and "\t" in first)
    # Some spreadsheets save CSV with semicolons, where the comma is the decimal sign.
    semicolons = first.count(";") > first.count(",")
    delimiter = named[1] if named else "\t" if tabs else ";" if semicolons else ","
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise ValueError(
            f"Expected {path.name} as a table of cells, which it is not ({error}). A quotation mark "
            "may be open somewhere: export it again."
        ) from None
    return [row for row in rows if any(cell.strip() for cell in row)]
