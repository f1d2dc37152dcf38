"""Answers from plain tables and from pages, and single ratings, as they came back."""

import csv

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from survey_runs import ITEMS, NAMES, look_up

import visclust as vc
from visclust.annotation.answer_files import append_answer, name_answer_file
from visclust.annotation.ratings import write_rating_answer
from visclust.base.cells import read_cells
from visclust.base.files import restore_cell
from visclust.survey.raw_answers import read_rating


def test_ratings_come_back_from_a_plain_table_as_they_were_given(assignment, images, truth, tmp_path):
    vc.export_survey(assignment, images, to="csv", save_to=tmp_path, items=ITEMS)
    rows = read_cells(tmp_path / "survey.csv")
    header = rows[0]
    for row in rows[1:]:
        for item in ITEMS:
            who, image = restore_cell(row[header.index("respondent")]), row[header.index("image_id")]
            row[header.index(item)] = str(truth[who, image, item])
        row[header.index("seconds")] = "12"
    with (tmp_path / "back.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    found = vc.read_ratings(tmp_path / "back.csv", assignment, items=ITEMS)
    assert look_up(found.ratings) == truth
    assert found.problems.empty
    assert found.respondents["seconds"].tolist() == [24] * 3


def test_ratings_come_back_from_pages_as_they_were_given(assignment, images, truth, tmp_path):
    for image in "ab":
        Image.new("RGB", (8, 8), image == "a").save(tmp_path / f"{image}.jpg")
    made = vc.export_survey(
        assignment, images, to="html", save_to=tmp_path / "out", items=ITEMS, images_folder=tmp_path
    )
    pages = [path for path in made.files if path.suffix == ".html"]
    assert len(pages) == 3
    listed = read_cells(tmp_path / "out" / "respondents.csv")[1:]
    assert [restore_cell(row[0]) for row in listed] == sorted(NAMES)
    for row in assignment.itertuples():
        given = {item: truth[row.respondent, row.image_id, item] for item in ITEMS}
        append_answer(
            name_answer_file(tmp_path / "back", row.respondent),
            {
                "event_id": f"{row.respondent} {row.image_id}",
                "item_id": row.image_id,
                "annotator": row.respondent,
                "answer": write_rating_answer(given, (1, 10)),
                "answered_at": "2026-01-05T10:00:00.000Z",
                "seconds": 9.0,
            },
        )
    found = vc.read_ratings(tmp_path / "back", assignment, items=ITEMS)
    assert look_up(found.ratings) == truth
    assert found.problems.empty
    assert found.respondents["complete"].all()


def test_a_table_of_one_rating_per_row_is_read_too_and_stays_simulated(assignment, truth, tmp_path):
    rows = [(*key, value, True) for key, value in truth.items()]
    table = pd.DataFrame(rows, columns=["respondent", "image_id", "item", "rating", "simulated"])
    table.to_csv(tmp_path / "long.csv", index=False)
    found = vc.read_ratings(tmp_path / "long.csv", assignment, items=ITEMS)
    assert look_up(found.ratings) == truth
    assert found.ratings["simulated"].all()


def test_simulated_and_real_ratings_in_one_file_are_refused(assignment, truth, tmp_path):
    rows = [(*key, value, i == 0) for i, (key, value) in enumerate(truth.items())]
    table = pd.DataFrame(rows, columns=["respondent", "image_id", "item", "rating", "simulated"])
    table.to_csv(tmp_path / "long.csv", index=False)
    with pytest.raises(ValueError, match="either people's answers or simulated"):
        vc.read_ratings(tmp_path / "long.csv", assignment, items=ITEMS)


@pytest.mark.parametrize("mark", ["WAHR", "TRUE", "yes", "1.0"])
def test_a_mark_of_simulation_is_read_as_spreadsheets_write_it(assignment, tmp_path, mark):
    (tmp_path / "a.csv").write_text(f"respondent,image_id,item,rating,simulated\nr3,b,proud,7,{mark}\n")
    found = vc.read_ratings(tmp_path / "a.csv", assignment, items=["proud"])
    assert found.ratings["simulated"].all()


def test_a_mark_of_simulation_that_is_unclear_is_refused(assignment, tmp_path):
    (tmp_path / "a.csv").write_text("respondent,image_id,item,rating,simulated\nr3,b,proud,7,maybe\n")
    with pytest.raises(ValueError, match=r"true or false in the column simulated of a\.csv, got 'maybe'"):
        vc.read_ratings(tmp_path / "a.csv", assignment, items=["proud"])


def test_cells_beyond_the_last_column_are_listed(assignment, tmp_path):
    (tmp_path / "a.csv").write_text("respondent,image_id,proud\nr3,b,7,8,,9\nr3,b,1,,,\n")
    problems = vc.read_ratings(tmp_path / "a.csv", assignment, items=["proud"]).problems
    assert problems.loc[problems["problem"].eq("more cells than columns"), "value"].tolist() == ["8, 9"]


def test_cells_beyond_the_last_column_are_the_respondents_wherever_that_column_stands(assignment, tmp_path):
    (tmp_path / "a.csv").write_text("image_id,proud,respondent\nb,7,'=R1(),8\n")
    found = vc.read_ratings(tmp_path / "a.csv", assignment, items=["proud"])
    assert found.problems["respondent"].tolist() == ["=R1()"]
    assert found.respondents["respondent"].tolist() == NAMES
    assert found.respondents["problems"].tolist() == [1, 0, 0]


def test_a_table_without_an_item_is_refused_with_what_it_has(assignment, tmp_path):
    (tmp_path / "a.csv").write_text("respondent,image_id,proud\nr3,b,7\n")
    with pytest.raises(ValueError, match=r"in a\.csv; angry is missing \(it has respondent, image_id, pr"):
        vc.read_ratings(tmp_path / "a.csv", assignment, items=["proud", "angry"])


def test_a_second_row_about_an_image_is_a_second_submission(assignment, tmp_path):
    path = tmp_path / "two.csv"
    path.write_text("respondent,image_id,hopeful,proud,angry\nr3,a,1,2,3\nr3,a,9,9,9\nr3,b,4,5,6\n")
    found = vc.read_ratings(path, assignment, items=ITEMS)
    mine = found.ratings[found.ratings["respondent"] == "r3"]
    assert sorted(mine["rating"]) == [1, 2, 3, 4, 5, 6]
    assert found.problems["problem"].tolist() == ["duplicate submission"]
    assert found.set_aside["value"].tolist() == ["9", "9", "9"]


def test_an_unreadable_answer_of_a_page_is_listed(assignment, tmp_path):
    append_answer(
        name_answer_file(tmp_path, "r3"),
        {
            "event_id": "e",
            "item_id": "a",
            "annotator": "r3",
            "answer": write_rating_answer({"hopeful": 5}, (1, 7)),
            "answered_at": "2026-01-05T10:00:00.000Z",
        },
    )
    found = vc.read_ratings(tmp_path, assignment, items=ITEMS)
    assert found.problems["problem"].tolist() == ["unreadable answer"]
    assert found.ratings["rating"].isna().all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", (7, "")),
        (" 7.0 ", (7, "")),
        ("7,0", (7, "")),
        ("10 (very much)", (10, "")),
        ("1 - not at all", (1, "")),
        ("", (np.nan, "")),
        ("0", (np.nan, "out of range")),
        ("-99", (np.nan, "out of range")),
        ("1.5", (np.nan, "not a whole number")),
        ("7th", (np.nan, "not a number")),
        ("nan", (np.nan, "")),
        ("none", (np.nan, "")),
        ("1e1", (np.nan, "not a number")),
        ("7-8", (np.nan, "not a number")),
        ("5 or 6", (np.nan, "not a number")),
        ("9" * 400, (np.nan, "out of range")),
    ],
)
def test_a_rating_is_read_or_the_reason_is_given(text, expected):
    np.testing.assert_equal(read_rating(text, (1, 10)), expected)
