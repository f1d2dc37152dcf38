"""A survey built in Qualtrics, and its export read back."""

import csv
import json
import re

import pytest
from survey_runs import ADDRESS, ITEMS, NAMES, as_rows, look_up, run_qualtrics

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


HEAD = ["StartDate", "Status", "Finished", "ResponseId"]


def write_export(path, rows, *, texts=None, numbers=(1, 2, 3), more=(), ids=None):
    """Write an export of one loop; each row is its status, finished, ratings, and what follows."""
    names = [*HEAD, *(f"1_rating_{number}" for number in numbers), "respondent", *more]
    texts = [*HEAD, *(texts or [f"How much? - {item}" for item in ITEMS]), "respondent", *more]
    ids = ids or {}
    body = [
        ["2024-01-01", status, done, f"R_{n}", *map(str, said)]
        for n, (status, done, *said) in enumerate(rows)
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        third = [json.dumps({"ImportId": ids.get(place, f"x{place}")}) for place in range(len(names))]
        csv.writer(file).writerows([names, texts, third, *body])
    return path


def read_first(path, assignment, name=None):
    found = vc.read_ratings(path, assignment, items=ITEMS)
    rows = found.ratings[found.ratings["respondent"].eq(name or NAMES[0]) & found.ratings["position"].eq(1)]
    return rows.set_index("item")["rating"].to_dict(), found


SAID = dict(zip(ITEMS, (7, 3, 1), strict=True))


@pytest.mark.parametrize(
    "wrap",
    ["Rate - <b>{}</b>", "Rate –\u00a0{}", "Rate - &lt;i&gt;{}&lt;/i&gt;", "Rate: {}",
     "Rate - <span style='x'>{}</span>", "<p>Rate</p><p>- {}</p>", "Rate -  {} ",
     "Rate - “{}”", "{}", "RATE - **{}**", "Rate&nbsp;-&nbsp;{}"],
)  # fmt: skip
def test_items_are_matched_by_their_words_whatever_stands_around_them(assignment, tmp_path, wrap):
    texts = [wrap.format(item) for item in ITEMS]
    path = write_export(tmp_path / "a.csv", [("0", "1", 7, 3, 1, NAMES[0])], texts=texts, numbers=(3, 1, 2))
    ratings, found = read_first(path, assignment)
    assert ratings == SAID
    assert found.problems.empty


def test_items_that_are_words_of_a_sentence_are_matched_and_that_is_listed(assignment, tmp_path):
    texts = [f"How {item} are you" for item in ITEMS]
    path = write_export(tmp_path / "a.csv", [("0", "1", 7, 3, 1, NAMES[0])], texts=texts, numbers=(3, 1, 2))
    ratings, found = read_first(path, assignment)
    assert ratings == SAID
    assert found.problems["problem"].tolist() == ["items matched by a word"]


def test_items_matched_by_number_are_listed_and_refused_where_numbers_do_not_ascend(assignment, tmp_path):
    texts = ["Stolz", "Wut", "Angst"]
    row = [("0", "1", 7, 3, 1, NAMES[0])]
    ratings, found = read_first(write_export(tmp_path / "a.csv", row, texts=texts), assignment)
    assert ratings == SAID
    assert found.problems[["problem", "value"]].to_numpy().tolist() == [
        ["items matched by number", "stolz: 1 is hopeful, 2 is proud, 3 is angry"]
    ]
    path = write_export(tmp_path / "b.csv", row, texts=texts, numbers=(3, 1, 2))
    with pytest.raises(ValueError, match="these do not ascend"):
        vc.read_ratings(path, assignment, items=ITEMS)


@pytest.mark.parametrize(
    ("ids", "own"), [(None, "complete"), ({1: "status"}, "complete"), ({1: "panel", 8: "status"}, "x")]
)
def test_of_two_columns_called_status_qualtrics_own_counts(assignment, tmp_path, ids, own):
    rows = [("1", "1", 1, 1, 1, NAMES[0], own), ("0", "1", 7, 3, 1, NAMES[0], own)]
    if ids == {1: "panel", 8: "status"}:
        rows = [(own, "1", 1, 1, 1, NAMES[0], "1"), (own, "1", 7, 3, 1, NAMES[0], "0")]
    path = write_export(tmp_path / "a.csv", rows, more=["Status"], ids=ids)
    ratings, found = read_first(path, assignment)
    assert ratings == SAID
    assert found.problems["problem"].tolist() == ["column Status comes twice", "preview"]


def test_a_name_that_comes_twice_with_different_respondents_is_refused(assignment, tmp_path):
    path = write_export(tmp_path / "a.csv", [("0", "1", 7, 3, 1, NAMES[0], NAMES[1])], more=["respondent"])
    with pytest.raises(ValueError, match=r"'respondent' comes twice in a\.csv with different answers"):
        vc.read_ratings(path, assignment, items=ITEMS)
    path = write_export(tmp_path / "b.csv", [("0", "1", 7, 3, 1, NAMES[0], NAMES[0])], more=["respondent"])
    assert read_first(path, assignment)[0] == SAID


@pytest.mark.parametrize(
    "status",
    [
        "Umfragevorschau",
        "Vista previa de la encuesta",
        "Aperçu du questionnaire",
        "プレビュー",
        "3",
        "complete",
    ],
)
def test_a_status_that_is_not_known_is_refused(assignment, tmp_path, status):
    path = write_export(tmp_path / "a.csv", [(status, "1", 7, 3, 1, NAMES[0])])
    with pytest.raises(ValueError, match=f"status of Qualtrics in a.csv, .* got '{status}'"):
        vc.read_ratings(path, assignment, items=ITEMS)


@pytest.mark.parametrize(
    "status", ["0", "IP Address", "IP-Adresse", "Dirección IP", "Adresse IP", "0.0", "", "Imported"]
)
@pytest.mark.parametrize("done", ["1", "True", "Wahr", "VRAI", ""])
def test_answers_are_known_in_many_languages(assignment, tmp_path, status, done):
    path = write_export(tmp_path / "a.csv", [(status, done, 7, 3, 1, NAMES[0])])
    ratings, found = read_first(path, assignment)
    assert ratings == SAID
    assert found.respondents["finished"][0]


def test_a_word_for_finished_that_is_not_known_is_refused(assignment, tmp_path):
    path = write_export(tmp_path / "a.csv", [("0", "halb", 7, 3, 1, NAMES[0])])
    with pytest.raises(ValueError, match=r"column Finished of a\.csv, got 'halb'"):
        vc.read_ratings(path, assignment, items=ITEMS)
