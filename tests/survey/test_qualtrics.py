"""A survey built in Qualtrics, and its export read back."""

import csv
import json
import re

import pytest
from survey_runs import ADDRESS, ITEMS, as_rows, look_up, run_qualtrics

import visclust as vc
from visclust.base.cells import read_cells


@pytest.mark.parametrize("choice_text", [False, True])
def test_ratings_come_back_from_qualtrics_as_they_were_given(
    assignment, images, truth, tmp_path, choice_text
):
    vc.export_survey(assignment, images, save_to=tmp_path, items=ITEMS, image_address=ADDRESS)
    run_qualtrics(tmp_path, truth, tmp_path / "back.csv", choice_text=choice_text, rows_of=as_rows)
    found = vc.read_ratings(tmp_path / "back.csv", assignment, items=ITEMS)
    assert look_up(found.ratings) == truth
    assert found.problems.empty
    assert found.set_aside.empty
    assert found.respondents["complete"].all()
    assert set(found.ratings["seconds"]) == {30.5}
    assert found.respondents["seconds"].tolist() == [120] * 3
    assert not found.ratings["simulated"].any()


def test_the_qualtrics_files_fit_together(assignment, images, tmp_path):
    made = vc.export_survey(assignment, images, save_to=tmp_path, image_address=ADDRESS)
    questions = (tmp_path / "survey.txt").read_text()
    assert questions.startswith("[[AdvancedFormat]]\n")
    contacts = read_cells(tmp_path / "contacts.csv")
    assert contacts[0][1:] == re.findall(r"\[\[ED:(.*)\]\]", questions)
    assert "[[Answer:1]]\n1\n" in questions
    assert "[[Answer:10]]\n10\n" in questions
    assert [len(row) for row in read_cells(tmp_path / "loop_and_merge.csv")] == [2, 2, 2]
    links = read_cells(tmp_path / "links.csv")
    assert "respondent=%3DR1%28%29&group=D&image_1=b" in links[1][2]
    assert json.loads((tmp_path / "survey.json").read_text())["function"] == "export_survey"
    assert {path.name for path in made.files} >= {"INSTRUCTIONS.txt", "contacts.csv", "survey.json"}


def test_text_in_items_is_escaped_for_qualtrics(assignment, images, tmp_path):
    items = ["<b>bold</b> & brave", "calm"]
    vc.export_survey(assignment, images, save_to=tmp_path, items=items, image_address=ADDRESS)
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; brave" in (tmp_path / "survey.txt").read_text()


def test_two_responses_under_one_id_keep_their_own_answers(assignment, images, truth, tmp_path):
    vc.export_survey(assignment, images, save_to=tmp_path, items=ITEMS, image_address=ADDRESS)

    def give_one_id(dicts):
        return as_rows([{**row, "ResponseId": "R_1"} for row in dicts])

    run_qualtrics(tmp_path, truth, tmp_path / "back.csv", rows_of=give_one_id)
    found = vc.read_ratings(tmp_path / "back.csv", assignment, items=ITEMS)
    assert found.ratings.set_index(["respondent", "image_id", "item"])["rating"].to_dict() == truth
    assert found.problems.empty


def test_statements_of_another_questionnaire_are_refused(assignment, images, truth, tmp_path):
    vc.export_survey(assignment, images, save_to=tmp_path, items=ITEMS, image_address=ADDRESS)
    run_qualtrics(tmp_path, truth, tmp_path / "back.csv", rows_of=as_rows)
    with pytest.raises(ValueError, match=r"'.* - angry' among them"):
        vc.read_ratings(tmp_path / "back.csv", assignment, items=("hopeful", "proud", "bored"))
    with pytest.raises(ValueError, match=r"for 10 items in back.csv, got rating \(6 columns\)"):
        vc.read_ratings(tmp_path / "back.csv", assignment, items=vc.EMOTIONS)


def test_an_export_with_tabs_in_utf_16_is_read(assignment, images, truth, tmp_path):
    vc.export_survey(assignment, images, save_to=tmp_path, items=ITEMS, image_address=ADDRESS)
    run_qualtrics(tmp_path, truth, tmp_path / "back.csv", rows_of=as_rows)
    rows = read_cells(tmp_path / "back.csv")
    with (tmp_path / "back.tsv").open("w", newline="", encoding="utf-16") as file:
        csv.writer(file, delimiter="\t").writerows(rows)
    assert look_up(vc.read_ratings(tmp_path / "back.tsv", assignment, items=ITEMS).ratings) == truth
