"""Cells as spreadsheets write them, and guarded against being run as formulas."""

import pytest

from visclust.base.cells import (
    fold_answer,
    fold_header,
    fold_identity,
    is_missing_word,
    read_cells,
    read_truth,
    split_rows,
    unwrap_cell,
)
from visclust.base.files import guard_cell, restore_cell, write_cells


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "'x", "'=x", "plain", ""])
def test_a_guarded_cell_is_no_formula_and_comes_back_as_it_was(text):
    assert not guard_cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert restore_cell(guard_cell(text)) == text


def test_text_is_guarded_in_the_file_and_numbers_are_as_they_are(tmp_path):
    path = write_cells(tmp_path / "a.csv", ["who", "n"], [["@x", -1]])
    assert path.read_bytes() == b"\xef\xbb\xbfwho,n\r\n'@x,-1\r\n"
    assert read_cells(path) == [["who", "n"], ["'@x", "-1"]]


def test_rows_that_hold_nothing_are_left_out(tmp_path):
    (tmp_path / "a.csv").write_text('a,b\n , \n1,"x, y"\n')
    assert read_cells(tmp_path / "a.csv") == [["a", "b"], ["1", "x, y"]]


def split(text, **options):
    return list(split_rows(text.splitlines(keepends=True), **options))


def test_a_quotation_mark_that_swallows_rows_is_found_and_every_row_inside_is_listed():
    rows = split('id,who,said\n1,ann,fine\n2,bob,"open\n3,cy,fine\n4,di,closes"\n5,ed,fine\n')
    assert [(row.line, bool(row.problem)) for row in rows] == [
        (1, False),
        (2, False),
        (3, True),
        (4, True),
        (5, True),
        (6, False),
    ]
    assert rows[3].start == "3,cy,fine"


@pytest.mark.parametrize(
    "text",
    [
        'id,said\n1,"open\n2,fine\n3,fine\n',  # never closed
        'id;said;n\n1;"open;1\n2;fine;1\n3;closes";1\n',
        'id\tsaid\tn\n1\t"open\t1\n2\tfine\t1\n3\tcloses"\t1\n',
        'a,b,c,d\nx1,1,2018-06-14,"\nx2,2,2018-06-15,\nx3,3,2018-06-15,"\n',
        'id,said,n\n1,"open,1\n2,"quoted",2\n3,fine,1\n',
    ],
)
def test_no_row_vanishes_in_an_open_quotation_mark(text):
    rows = split(text)
    assert any(row.problem for row in rows)
    assert {row.line for row in rows} == set(range(1, text.count("\n") + 1))


@pytest.mark.parametrize(
    "said",
    [
        "two\nlines",
        "I saw, today,\nmany, people, there",
        "Dear all,\n\nthanks, and bye",
        '12 said: ""no, never""\nno, 13, yes',
        "1. one\n2. two",
    ],
)
def test_a_text_of_several_lines_is_no_swallowed_row(said):
    rows = split(f'id,said,at\n1528,hello,2018-06-14\n1529,"{said}",2018-06-15\n')
    assert not any(row.problem for row in rows)
    assert rows[-1].cells[1] == said.replace('""', '"')


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\na;b\n1;2",
        '"sep=;"\r\na;b\n1;2',
        "sep=|\na|b\n1|2",
        "sep=\\t\na\tb\n1\t2",
        "\n\na;b\n1;2",
        "a|b\n1|2",
        '"x, y, z";b\n1;2',
    ],
)
def test_the_delimiter_is_read_from_its_line_or_the_header(text):
    assert [row.cells[1] for row in split(text)] == ["b", "2"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (True, True), ("WAHR", True), ("Vrai", True), ("истина", True), ("SANT", True), ("igaz", True),
        ("真", True), ("TÕENE", True), ("FALSCH", False), ("Faux", False), ("ЛОЖЬ", False),
        ("YANLIŞ", False), ("fałsz", False),
        ("0", False), (0.0, False), ("", None), (None, None), (float("nan"), None), ("NA", None),
    ],
)  # fmt: skip
def test_truth_is_read_in_many_languages(word, expected):
    assert read_truth(word) is expected


@pytest.mark.parametrize("word", ["maybe", "2", "vielleicht", "tru"])
def test_a_word_that_is_neither_true_nor_false_is_refused(word):
    with pytest.raises(ValueError, match="neither true nor false"):
        read_truth(word)


@pytest.mark.parametrize(
    "word", ["", " ", "NA", "n/a", "#N/A", "nan", "NaN", "None", "NULL", "\\N", "<NA>", "#REF!"]
)
def test_words_for_missing_are_known(word):
    assert is_missing_word(word)


@pytest.mark.parametrize("word", ["Nan", "Null", "Nil", "no", "0", "-", "nada", "Na"])
def test_names_and_words_of_people_are_not_missing(word):
    assert not is_missing_word(word)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp1251", "shift_jis"])
def test_another_encoding_is_refused_with_its_line_and_what_to_do(tmp_path, encoding):
    word = {"cp1251": "да", "shift_jis": "日本"}.get(encoding, "Zoë")
    (tmp_path / "a.csv").write_bytes(f"who,n\nann,1\n{word},2\n".encode(encoding))
    with pytest.raises(ValueError, match=r"a\.csv as UTF-8 text, .* in line 3 .*save it as"):
        read_cells(tmp_path / "a.csv")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_marks_and_zeros_tell_the_encoding(tmp_path, encoding):
    (tmp_path / "a.csv").write_bytes("who,n\nZoë,1\n".encode(encoding))
    assert read_cells(tmp_path / "a.csv") == [["who", "n"], ["Zoë", "1"]]


def test_long_numbers_kept_as_formulas_are_unwrapped():
    assert unwrap_cell('="1234567890123456789"') == "1234567890123456789"
    assert unwrap_cell('="say ""no"""') == 'say "no"'
    assert unwrap_cell("=1+1") == "=1+1"


def test_names_are_compared_without_case_accents_typed_apart_and_spaces():
    assert fold_identity(" Ana  María") == fold_identity("ana mari\u0301a")
    assert fold_identity("\ufeffAna\u200b\u00a0María\u200f") == fold_identity("ana maría")
    assert fold_identity("STRASSE") == fold_identity("straße") != fold_identity("strase")
    assert (
        fold_header("Posted_At ") == fold_header("posted at") == fold_header("\ufeffPOSTED-AT") == "postedat"
    )


def test_answers_are_compared_as_numbers_where_they_are_and_as_names_where_not():
    assert len({fold_answer(one) for one in (3, 3.0, "3", " 3.00", "+3", "03.")}) == 1
    assert fold_answer("caf\u00e9") == fold_answer("Cafe\u0301")
    assert fold_answer("v1.0") != fold_answer("v1")
    assert fold_answer(0.5) == fold_answer(".50") != fold_answer(5)
    assert fold_answer("-0") == fold_answer(0)
    assert fold_answer("1.2.0") == "1.2.0"
