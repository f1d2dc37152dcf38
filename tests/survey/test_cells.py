"""Cells as spreadsheets write them, and guarded against being run as formulas."""

import pytest

import visclust as vc
from visclust.base.files import guard_cell, restore_cell, write_cells
from visclust.survey.cells import read_rows_of_cells


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "'x", "'=x", "plain", ""])
def test_a_guarded_cell_is_no_formula_and_comes_back_as_it_was(text):
    assert not guard_cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert restore_cell(guard_cell(text)) == text


def test_text_is_guarded_in_the_file_and_numbers_are_as_they_are(tmp_path):
    path = write_cells(tmp_path / "a.csv", ["who", "n"], [["@x", -1]])
    assert path.read_bytes() == b"\xef\xbb\xbfwho,n\r\n'@x,-1\r\n"
    assert read_rows_of_cells(path) == [["who", "n"], ["'@x", "-1"]]


def test_rows_that_hold_nothing_are_left_out(tmp_path):
    (tmp_path / "a.csv").write_text('a,b\n , \n1,"x, y"\n')
    assert read_rows_of_cells(tmp_path / "a.csv") == [["a", "b"], ["1", "x, y"]]


@pytest.mark.parametrize("text", ["sep=;\r\nrespondent;image_id;proud;seconds\r\nr3;b;7;4,5\r\n",
                                  "respondent;image_id;proud;seconds\rr3;b;7,0;4,5\r"])  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_are_read_as_spreadsheets_of_other_languages_write_them(assignment, tmp_path, text, encoding):
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    row = (
        vc.read_ratings(tmp_path / "a.csv", assignment, items=["proud"])
        .ratings.dropna(subset="rating")
        .iloc[0]
    )
    assert (row["rating"], row["seconds"]) == (7, 4.5)


def test_a_file_that_is_no_table_is_refused(assignment, tmp_path):
    (tmp_path / "a.csv").write_text('respondent,image_id,proud\nr3,b,"' + "x" * 200_000)
    with pytest.raises(ValueError, match="quotation mark may be open"):
        vc.read_ratings(tmp_path / "a.csv", assignment, items=["proud"])
