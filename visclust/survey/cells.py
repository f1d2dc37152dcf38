"""Read the cells of CSV and TSV files as spreadsheets and survey platforms write them."""

import csv
import io
import os
import re
from pathlib import Path


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
