"""What the checks on the way back say, and what counts of what came back."""

import subprocess
import sys

import pandas as pd
import pytest
from survey_runs import ADDRESS, ITEMS, run_qualtrics

import visclust as vc


def test_everything_strange_is_listed_with_its_place(spoiled):
    listed = spoiled.problems
    assert listed["problem"].value_counts().to_dict() == {
        "preview": 1,
        "duplicate submission": 2,
        "unknown respondent": 1,
        "another image than planned at this position": 1,
        "image not assigned to this respondent": 3,
        "out of range": 1,
        "not a whole number": 1,
        "not a number": 1,
    }
    wrong = listed.set_index("problem")
    assert wrong.loc["out of range", ["submission", "respondent", "image_id", "item", "value"]].tolist() == [
        "R_1",
        "=R1()",
        "b",
        "hopeful",
        "11",
    ]
    assert wrong.loc["unknown respondent", "value"] == "nobody"


def test_what_does_not_count_is_given_back_and_nothing_is_lost(spoiled):
    # Seven responses with six ratings each, less the two cells that were left empty.
    came = 7 * 6 - 2
    kept = spoiled.ratings["rating"].notna().sum()
    set_to_missing = spoiled.problems["done"].eq("rating set to missing").sum()
    assert kept + set_to_missing + len(spoiled.set_aside) == came


def test_a_rating_off_the_scale_is_missing_with_its_reason(spoiled):
    mine = spoiled.ratings[spoiled.ratings["respondent"] == "=R1()"].set_index(["image_id", "item"])
    assert mine["reason"].to_dict() == {
        ("b", "hopeful"): "out of range",
        ("b", "proud"): "not a whole number",
        ("b", "angry"): "not a number",
        ("a", "hopeful"): "not answered",
        ("a", "proud"): "",
        ("a", "angry"): "",
    }
    assert mine["rating"].isna().sum() == 4


@pytest.mark.parametrize("kind", ["qualtrics", "csv"])
def test_a_survey_without_any_answer_yet_is_read(assignment, images, truth, tmp_path, kind):
    path = tmp_path / "back.csv"
    if kind == "csv":
        path.write_text("respondent,image_id,hopeful,proud,angry\n")
    else:
        vc.export_survey(assignment, images, save_to=tmp_path, items=ITEMS, image_address=ADDRESS)
        run_qualtrics(tmp_path, truth, path, rows_of=lambda rows: [])
    found = vc.read_ratings(path, assignment, items=ITEMS)
    assert len(found.ratings) == len(assignment) * len(ITEMS)
    assert set(found.ratings["reason"]) == {"not answered"}
    assert found.respondents["submissions"].tolist() == [0, 0, 0]
    assert found.problems.empty


def test_an_unfinished_submission_gives_way_to_a_finished_one_and_to_a_fuller_one(assignment, tmp_path):
    header = "ResponseId,Finished,respondent,1_rating_1,1_rating_2,1_rating_3\n"
    lines = [
        "Response,Finished,respondent,x - hopeful,x - proud,x - angry\n",
        '"{""ImportId"":1}",x,x,x,x,x\n',
    ]
    path = tmp_path / "back.csv"
    path.write_text(header + "".join(lines) + "R1,False,r3,1,,\nR2,False,r3,2,2,\n")
    assert vc.read_ratings(path, assignment, items=ITEMS).ratings["rating"].dropna().tolist() == [2, 2]
    path.write_text(path.read_text() + "R3,True,r3,3,,\nR4,True,r3,4,4,4\n")
    assert vc.read_ratings(path, assignment, items=ITEMS).ratings["rating"].dropna().tolist() == [3]


def test_unknown_items_of_a_long_table_are_set_aside(assignment, tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("respondent,image_id,item,rating\nr3,a,hopeful,1\nr3,a,sleepy,2\n")
    found = vc.read_ratings(path, assignment, items=ITEMS)
    assert found.problems["problem"].tolist() == ["unknown item"]
    assert found.set_aside["item"].tolist() == ["sleepy"]


IMPORTS = """
import sys
import visclust.survey.export, visclust.survey.reading
print([name for name in ("PIL", "anywidget", "visclust.images", "visclust.widgets") if name in sys.modules])
"""


def test_reading_a_survey_imports_no_page_and_no_widget():
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


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
    with pytest.raises(ValueError, match=r"[Qq]uotation mark may be open"):
        vc.read_ratings(tmp_path / "a.csv", assignment, items=["proud"])


def read_simple(assignment, tmp_path, text, **options):
    (tmp_path / "a.csv").write_text(text)
    return vc.read_ratings(tmp_path / "a.csv", assignment, **{"items": ["proud", "angry"], **options})


def assign(*names):
    rows = {"respondent": list(names), "group": "D", "position": 1, "image_id": "a", "cluster": 0}
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("ratings", "scale"),
    [("9,2", (1, 7)), ("0,0", (1, 7)), ("4,10", (1, 7)), ("11,12", (1, 10)), ("70,30", (1, 7))],
)
def test_many_ratings_beyond_the_scale_are_said_once_for_the_file(assignment, tmp_path, ratings, scale):
    rows = "".join(f"r3,{image},{ratings}\n" for image in "ab")
    found = read_simple(assignment, tmp_path, f"respondent,image_id,proud,angry\n{rows}", scale=scale)
    assert found.problems["problem"].eq("ratings may be codes of choices").sum() == 1


def test_a_single_slip_is_no_sign_of_codes(tmp_path):
    names = [f"r{n}" for n in range(9)]
    rows = "r0,a,11,1\n" + "".join(f"{name},a,5,5\n" for name in names[1:])
    found = read_simple(assign(*names), tmp_path, f"respondent,image_id,proud,angry\n{rows}")
    assert "ratings may be codes of choices" not in found.problems["problem"].tolist()


@pytest.mark.parametrize("header", ["Respondent,Image ID,PROUD,Angry", "RESPONDENT, image_id ,proud ,ANGRY"])
def test_columns_are_known_whatever_their_case_and_spaces(assignment, tmp_path, header):
    found = read_simple(assignment, tmp_path, f"{header}\nr3,b,7,3\n")
    assert found.ratings["rating"].dropna().tolist() == [7, 3]


@pytest.mark.parametrize("items", ["proud,angry,proud", "Proud,angry,PROUD", "Pr oud,angry,PROUD"])
def test_a_column_that_comes_twice_is_refused(assignment, tmp_path, items):
    with pytest.raises(ValueError, match=r"'proud' comes twice in a\.csv"):
        read_simple(assignment, tmp_path, f"respondent,image_id,{items}\nr3,b,7,3,1\n")


def test_numbers_of_respondents_that_lost_their_zeros_are_found_and_listed(tmp_path):
    assignment = assign("007", "012")
    found = read_simple(assignment, tmp_path, "respondent,image_id,proud,angry\n7,a,7,3\n12.0,a,1,1\n")
    assert found.ratings["rating"].tolist() == [7, 3, 1, 1]
    assert found.problems["done"].tolist() == ["taken for 007", "taken for 012"]


def test_a_number_that_may_be_two_respondents_is_set_aside(tmp_path):
    assignment = assign("007", "07")
    found = read_simple(assignment, tmp_path, "respondent,image_id,proud,angry\n7,a,7,3\n")
    assert found.problems["problem"].tolist() == ["unknown respondent"]
    assert len(found.set_aside) == 2


@pytest.mark.parametrize("said", ["ana", "ANA", " Ana "])
def test_respondents_are_the_same_in_any_case_but_where_two_differ_by_it(tmp_path, said):
    assignment = assign("Ana")
    found = read_simple(assignment, tmp_path, f"respondent,image_id,proud,angry\n{said},a,7,3\n")
    assert found.ratings["rating"].tolist() == [7, 3]


@pytest.mark.parametrize("word", ["NA", "NULL", "n/a", "#N/A", "nan"])
def test_words_for_missing_are_no_ratings_and_no_problem(assignment, tmp_path, word):
    found = read_simple(assignment, tmp_path, f"respondent,image_id,proud,angry\nr3,b,{word},3\n")
    assert found.ratings["rating"].dropna().tolist() == [3]
    assert found.problems.empty


def test_a_row_that_a_quotation_mark_swallows_is_an_error_that_names_the_line(assignment, tmp_path):
    for end in ('"', ""):
        rows = f'r1,a,7,3,"nice\nr2,b,6,2,ok\nr3,b,6,2,ok{end}\n'
        with pytest.raises(ValueError, match=r"line 2 is none: .* quotation mark"):
            read_simple(assignment, tmp_path, f"respondent,image_id,proud,angry,comment\n{rows}")
