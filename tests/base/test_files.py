"""Files written in one step, and tables whose cells no spreadsheet runs as formulas."""

import csv
import io
import json
import random
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

import visclust as vc
from visclust.base.files import (
    format_csv,
    guard_cell,
    restore_cell,
    write_cells,
    write_json,
    write_text,
)


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = vc.write_atomically(tmp_path / "deep" / "note.txt", lambda file: file.write(b"old"))

    def fail(file):
        file.write(b"half of the n")
        raise RuntimeError("the machine said no")

    with pytest.raises(RuntimeError, match="said no"):
        vc.write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_a_text_is_written_as_utf_8_and_half_a_character_as_a_question_mark(tmp_path):
    assert write_text(tmp_path / "a.txt", "schön \ud83d").read_bytes() == "schön ?".encode()
    assert write_text(tmp_path / "b.csv", "a,b", encoding="utf-8-sig").read_bytes() == b"\xef\xbb\xbfa,b"


def test_json_comes_back_as_it_was(tmp_path):
    value = {"größe": [1, None, 0.5], "name": "a"}
    path = write_json(tmp_path / "a.json", value)
    assert json.loads(path.read_text(encoding="utf-8")) == value
    assert "größe" in path.read_text(encoding="utf-8")


# One writer of CSV, here and in the browser.

HOSTILE = [
    "=1+1", "a;=1+1", "a;=1+1;b", "a\t=1+1", "a\n=1+1\nb", "a\r\n-1\r\n", "\t=1+1", "\r=1+1", "\n=1",
    "\t", "\r", "\n", "+1", "-1", "@SUM(1)", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff201", "\ufe621",
    '"=1+1"', "'=1+1", "''", "'", '"', '""', 'a "quoted" b', 'a,"b"\n=c', " =1", "\u00a0=1", "\u200b=1",
    "\ufeff=1+1", "\ufeff", "\x00=1", "\u3000-1", "\u201c=1\u201d", "\u22121", ";", ";;=1", "; -1", "a;'b",
    "a;'=b", "sep=;", " a ", "a ", "", "none", "NULL", "True", "a\\=1", '=HYPERLINK("http://x";"y")', "@",
    "=", "-", "a|=1", "=cmd|' /C calc'!A0", "a\x0b=1", "\u2028=1", "half \ud83d", "\ud83d\ude00=",
    "caf\u00e9", "cafe\u0301", "\u202e=1", "1e5", "a\u2028b", "日本;=1", "=\n;=\t=",
]  # fmt: skip
NUMBERS = [0, 1, -1, 1767607200000, 2**53 - 1, True, False, None]
FLOATS = [0.0, -0.0, 1.0, 2.5, 1e-7, 1.5e-5, 0.0001, 1e15, 1e16, 1e22, 123456.789, 5e-324, 0.1 + 0.2, None]


def split_where_semicolons_part_cells(text):
    """Split as a spreadsheet does for which semicolons part cells, and quotation marks open only there."""
    cells, at = [], 0
    while at < len(text):
        if text[at] == '"':
            end = at + 1
            while end < len(text) and (text[end] != '"' or text[end + 1 : end + 2] == '"'):
                end += 2 if text[end] == '"' else 1
            stop = re.search(r"[;\t\r\n]|\Z", text[end:]).start() + end
            cells.append(text[at + 1 : end].replace('""', '"') + text[end + 1 : stop])
        else:
            stop = re.search(r"[;\t\r\n]|\Z", text[at:]).start() + at
            cells.append(text[at:stop])
        at = stop + 1
    return cells


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_begins_a_formula_wherever_a_spreadsheet_parts_cells_and_it_comes_back_as_it_was(text):
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    guarded = guard_cell(text)
    assert restore_cell(guarded) == text
    written = format_csv(["x", "cell"], [["first", text], [text, "last"]])
    (_, *found), (back, _) = list(csv.reader(io.StringIO(written, newline="")))[1:3]
    assert restore_cell(found[0]) == restore_cell(back) == whole
    for cell in [found[0], back, *split_where_semicolons_part_cells(written)]:
        assert not re.match(
            r"[\s\ufeff\u200b\u202e\x00\"'\u201c]*[=+\-@\uff1d\uff0b\uff0d\uff20\ufe62]", cell
        ) or (cell.lstrip().startswith("'"))


def test_any_text_comes_back_as_it_was_and_no_part_of_it_begins_a_formula():
    chance, letters = random.Random(1), "a=+-@'\"; \t\r\n,\ufeff\uff1d\u200b\x0b|b"
    for _ in range(20_000):
        text = "".join(chance.choices(letters, k=chance.randint(0, 8)))
        guarded = guard_cell(text)
        assert restore_cell(guarded) == text
        assert not any(part.startswith(tuple("=+-@\uff1d")) for part in re.split(r"[;\t\r\n]", guarded))


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_browser_writes_the_same_bytes(tmp_path):
    header = ["=id", "text", "whole", "seconds"]
    rows = [
        [text, HOSTILE[-1 - at], NUMBERS[at % len(NUMBERS)], FLOATS[at % len(FLOATS)]]
        for at, text in enumerate(HOSTILE)
    ] + [[None, None, None, None]]
    script = (files("visclust.widgets") / "static" / "csv.js").read_text(encoding="utf-8")
    (tmp_path / "rows.json").write_text(json.dumps([header, rows]))
    (tmp_path / "csv.mjs").write_text(
        f'import {{ readFileSync, writeFileSync }} from "node:fs";\n{script}\n'
        'const [header, rows] = JSON.parse(readFileSync("rows.json", "utf8"));\n'
        'writeFileSync("browser.csv", writeCsv(header, rows, ["seconds"]));\n'
    )
    subprocess.run(["node", "csv.mjs"], cwd=tmp_path, check=True)
    write_cells(tmp_path / "python.csv", header, rows)
    assert (tmp_path / "browser.csv").read_bytes() == (tmp_path / "python.csv").read_bytes()


OTHER_WRITERS = re.compile(
    r"\.to_csv\(|\.to_excel\(|\.to_clipboard\(|csv\.(?:writer|DictWriter)|savetxt|\.write_csv\(|text/csv|tofile\("
)


def test_every_table_that_leaves_the_project_goes_through_the_one_writer():
    root = Path(vc.__file__).parents[1]
    sources = [
        path
        for folder in ("visclust", "tools", "notebooks", "benchmarks")
        for path in (root / folder).rglob("*")
        if path.suffix in (".py", ".js", ".ipynb") and "checkpoint" not in path.name
    ]
    assert len(sources) > 100
    allowed = {"visclust/base/files.py", "visclust/widgets/static/csv.js"}
    others = [
        f"{path.relative_to(root).as_posix()}: {found[0]}"
        for path in sources
        if path.relative_to(root).as_posix() not in allowed
        and (found := OTHER_WRITERS.search(path.read_text(encoding="utf-8")))
    ]
    assert others == []
