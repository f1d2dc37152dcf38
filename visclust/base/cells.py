"""Cells and rows of text tables, as spreadsheets, statistics programs and platforms write them.

Everything about quotation marks, separators, encodings, and words for missing, true and false stands here,
for posts, answers and surveys alike.
"""

import csv
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import regex

# What programs write where there is nothing: pandas' list, R, MySQL, and the errors of spreadsheets.
_MISSING_WORDS = (
    "na n/a #n/a #na nan -nan nat none null <na> <null> \\n #null! #value! #ref! #name? #div/0! "
    "1.#ind 1.#qnan -1.#ind -1.#qnan undefined"
)
_MISSING = frozenset(("", "#n/a n/a", *_MISSING_WORDS.split()))
# Programs write these words in one case, or so; Nan and Null are names of people.
_LONGEST_MISSING = 40  # with the spaces around; longer cells need no look
_MIXED = ("NaN", "-NaN", "None", "NaT")

# As people write them, and spreadsheets in the language of the machine.
_TRUE_WORDS = (
    "true 1 1.0 yes y t x on wahr ja j vrai oui verdadero cierto sí si vero sì verdadeiro sim waar sand "
    "sandt sann sant tosi kyllä prawda tak pravda ano áno да истина истинно правда істина так igaz igen "
    "doğru evet adevărat da istina tačno jah tõene jā patiess taip tiesa teisinga cert egia egiazkoa "
    "αληθές αληθησ αληθήσ ναι benar ya đúng 真 是 はい 참 예 صحيح نعم אמת כן सत्य हाँ จริง ใช่"
)
_TRUE = frozenset(_TRUE_WORDS.split())
_FALSE_WORDS = (
    "false 0 0.0 no n f off falsch nein faux non falso não nao onwaar nee falsk falskt usand usann usant nej "
    "nei epätosi ei fałsz nie nepravda ne нет ложь неправда хибність хиба ні hamis nem yanlış yanliş hayır "
    "hayir fals nu neistina netačno väär nē aplams aplam netiesa klaidinga gezurra faltsua ψευδές ψευδήσ "
    "ψευδησ όχι salah tidak sai 假 否 いいえ 偽 거짓 아니요 خطأ لا שקר לא असत्य नहीं เท็จ ไม่ใช่"
)
_FALSE = frozenset(_FALSE_WORDS.split())

# Spreadsheets keep long numbers as text so: ="1234567890123456789".
_FORMULA = re.compile(r'\s*="((?:[^"]|"")*)"\s*', re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d{1,20}(\.\d{0,20})?|\.\d{1,20})", re.ASCII)
_SEPARATOR_LINE = re.compile(r'"?sep=(.|\\t)"?[ \t]*[,;\t]*(?:\r\n|\r|\n)?', re.IGNORECASE)
_LETTERS = regex.compile(r"\p{L}[\p{L}\p{M}]*")
_START = 100  # characters of a row that are shown
_LEARNED = 1000  # rows from which the shapes of cells are learned
_SHAPES = 50  # a column of more shapes than these is text, and says nothing


class Row(NamedTuple):
    """A row of a table with the lines it stands on; where it cannot be read, why, and its start."""

    line: int
    cells: list[str]
    problem: str = ""
    start: str = ""


def is_missing_word(text: str) -> bool:
    r"""Say whether a cell holds nothing, or a word that programs write for it: NA, NULL, \N, #N/A."""
    if len(text) > _LONGEST_MISSING:
        return False
    word = text.strip()
    return word.casefold() in _MISSING and (word in (word.upper(), word.lower()) or word in _MIXED)


def read_truth(value: Any) -> bool | None:
    """Read true or false in the words of any common language; None where the cell holds nothing.

    A word that is neither raises ValueError.
    """
    if value is None or (isinstance(value, float) and value != value):
        return None
    word = unicodedata.normalize("NFC", str(value).strip().casefold())
    if word in _MISSING:
        return None
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"{str(value)!r:.60} is neither true nor false")


def fold_identity(name: object) -> str:
    """Bring a name to the form by which it is compared: as `clean_identity`, and case folded."""
    text = unicodedata.normalize("NFD", clean_identity(str(name)))
    return unicodedata.normalize("NFC", text.casefold())


def fold_answer(value: object) -> str:
    """Bring an answer or a category to the form by which it is compared.

    Numbers are compared as numbers, however they were written (3, 3.0, "3.00"), and all else as
    `fold_identity`, so that "v1.0" is not "v1".
    """
    text = fold_identity(value)
    if _NUMBER.fullmatch(text):
        return format(Decimal(text).normalize() + 0, "f")
    return text


def clean_identity(name: str) -> str:
    """Bring a name to the form in which it is shown: spaces single, accents composed, no unseen signs."""
    seen = name if name.isascii() else "".join(one for one in name if unicodedata.category(one) != "Cf")
    return unicodedata.normalize("NFC", " ".join(seen.split()))


def fold_header(name: object) -> str:
    """Bring the name of a column to the form by which it is compared: no case, spaces or marks between."""
    text = unicodedata.normalize("NFKC", str(name)).casefold()
    return re.sub(r"[\W_]+", "", text)


def unwrap_cell(text: str) -> str:
    """Take away the formula by which spreadsheets keep a number as text."""
    match = _FORMULA.fullmatch(text) if '="' in text else None
    return match[1].replace('""', '"') if match else text


def find_encoding(start: bytes) -> str:
    """Tell the encoding of a text from its first bytes: UTF-8 unless a mark says UTF-16 or UTF-32."""
    if start.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "utf-32"
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    # Without a mark, the zeros beside two plain letters tell.
    low, high = start[:4:2], start[1:4:2]
    for name, letters, zeros in (("utf-16-le", low, high), ("utf-16-be", high, low)):
        if zeros == b"\0\0" and letters.isascii() and b"\0" not in letters:
            return name
    return "utf-8-sig"


def decode_text(content: bytes, name: str) -> str:
    """Decode a file by its mark, or as UTF-8; other bytes raise ValueError, which says what to do."""
    encoding = find_encoding(content[:4])
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8-sig":
            raise ValueError(
                f"Expected {name} as {encoding.upper()} text, as its beginning says, got bytes that are none "
                f"({error.reason} at byte {error.start}): it was cut off or damaged. Get the file once more."
            ) from None
        line = content[: error.start].count(b"\n") + 1
        shown = content[max(0, error.start - 20) : error.start + 20].decode("ascii", "replace")
        raise ValueError(
            f"Expected {name} as UTF-8 text, got bytes that are none in line {line} "
            f"({error.reason} at byte {error.start}: {shown!r}). It was saved in another encoding, such as "
            "Windows-1252: open it with the program that wrote it, and save it as CSV UTF-8 or UTF-8."
        ) from None


def find_delimiter(header: str, *, tabs: bool = False) -> str:
    """Say what parts the cells: of comma, semicolon, tab and bar the one that the header has most of."""
    bare = re.sub(r'"[^"]*"', "", header)
    return "\t" if tabs and "\t" in bare else max(",;\t|", key=bare.count)


def split_rows(lines: Iterable[str], *, tabs: bool = False) -> Iterator[Row]:
    """Split the lines of a table into rows of cells, the header first; empty lines come as no row.

    A first line ``sep=;`` names the delimiter. What a quotation mark that was never meant to open has
    swallowed is no text: each such line comes as a row with a problem, and so does the row that it stands in.
    """
    source = _Lines(lines)
    while (first := source.peek()) and not first.strip():
        next(source)
    named = _SEPARATOR_LINE.fullmatch(first)
    if named:
        next(source)
    delimiter = named[1].replace("\\t", "\t") if named else find_delimiter(first, tabs=tabs)
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    shapes: list[set[str] | None] = []
    width = learned = 0
    while True:
        source.begin()
        try:
            cells, problem = next(reader), ""
        except StopIteration:
            return
        except csv.Error as error:
            cells, problem = [], f"not CSV: {error}; a quotation mark may be open"
        line, last = source.first, source.first + len(source.lines) - 1
        if not cells and not problem:
            continue
        if not width:
            width, shapes = len(cells), [set() for _ in cells]
            yield Row(line, cells, problem, source.lines[0][:_START])
            continue
        if learned >= _LEARNED and not problem and last == line:
            yield Row(line, cells)
            continue
        learned += 1
        inside = source.lines[1:]
        # Of a row that breaks off, what stands before the mark that opens says what its rows look like.
        whole = cells if not problem else _split_line(source.lines[0], delimiter)[:-1]
        own: list[str | None] = [None if re.search(r"[\r\n]", cell) else _shape(cell) for cell in whole]
        own += [None] * (width - len(own))
        known = [
            None if seen is None else seen | ({mine} if mine is not None else set())
            for seen, mine in zip(shapes, own[:width], strict=True)
        ]
        swallowed = [
            (number, text)
            for number, text in enumerate(inside, line + 1)
            if _looks_like_row(text, delimiter, known)
        ]
        if swallowed and not problem:
            problem = (
                f"a quotation mark opens here and closes in line {last}; {len(swallowed)} lines inside look "
                "like rows of their own. Where the text is meant so, give the table as Parquet"
            )
        elif problem and last > line:
            problem += f" (lines {line} to {last})"
        start = source.lines[0].rstrip("\r\n")[:_START]
        yield Row(line, cells, problem, start if problem else "")
        for number, text in swallowed:
            yield Row(
                number,
                [],
                f"swallowed by the quotation mark that opens in line {line}",
                text.rstrip("\r\n")[:_START],
            )
        if not problem and len(cells) == width:
            for at, mine in enumerate(own):
                seen = shapes[at]
                if seen is not None and mine is not None:
                    seen.add(mine)
                    if len(seen) > _SHAPES:
                        shapes[at] = None


class _Lines:
    """Lines with their numbers, which remembers those of the current row."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._ahead: list[str] = []
        self._number = 0
        self.first, self.lines = 1, [""]

    def peek(self) -> str:
        self._ahead = [line for line in [next(self._lines, "")] if line]
        return self._ahead[0] if self._ahead else ""

    def begin(self) -> None:
        self.first, self.lines = self._number + 1, []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._ahead.pop() if self._ahead else next(self._lines)
        self._number += 1
        self.lines.append(line)
        return line


def _shape(cell: str) -> str:
    """Write what a cell looks like: 9 for digits, a for letters, anything else, spaces too, as it is."""
    return _LETTERS.sub("a", re.sub(r"\d+", "9", cell.rstrip("\r\n")))[:40]


def _split_line(text: str, delimiter: str) -> list[str]:
    """Split one line by itself; nothing where that cannot be done."""
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        return []


def _looks_like_row(text: str, delimiter: str, known: Sequence[set[str] | None]) -> bool:
    """Say whether a line inside a cell looks like the rows around it: as many cells, and alike."""
    cells = _split_line(text, delimiter)
    if len(cells) != len(known) or len(cells) < 2:
        return False
    told = [
        _shape(cell) in shapes
        for cell, shapes in zip(cells, known, strict=True)
        if shapes  # none: nothing known
    ]
    if not told:
        return len(cells) > 2
    first = known[0]
    return (not first or _shape(cells[0]) in first) and sum(told) * 2 > len(told)


def read_cells(path: str | os.PathLike) -> list[list[str]]:
    """Read the rows of a CSV or TSV file as `read_rows_of_cells` does, without their lines."""
    return [row.cells for row in read_rows_of_cells(path)]


def read_rows_of_cells(path: str | os.PathLike) -> list[Row]:
    """Read the rows of a CSV or TSV file in UTF-8, or UTF-16 by its mark; cells as they stand there.

    Rows without anything are left out. What is no table, and a quotation mark that swallows rows, raise
    ValueError, which names the line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No file {path}: check where it was saved.")
    content = path.read_bytes()
    text = decode_text(content, path.name)
    wide = find_encoding(content[:4]).startswith("utf-16")
    rows = []
    tabs = path.suffix.lower() in (".tsv", ".tab") or wide
    for row in split_rows(re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", text), tabs=tabs):
        if row.problem:
            raise ValueError(
                f"Expected {path.name} as a table of cells, but line {row.line} is none: {row.problem}. It "
                f"begins {row.start[:60]!r}. A quotation mark may be open there: correct it, or export the "
                "file again."
            )
        if any(cell.strip() for cell in row.cells):
            rows.append(row._replace(cells=[unwrap_cell(cell) for cell in row.cells]))
    return rows
