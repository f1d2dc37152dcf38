"""A survey out and back in, for each format, and what the checks on the way back say."""

import csv
import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from visclust.annotation.answer_files import append_answer, name_answer_file
from visclust.annotation.constructs import EMOTIONS
from visclust.annotation.ratings import write_rating_answer
from visclust.base.files import guard_cell, restore_cell
from visclust.survey.cells import read_rows_of_cells
from visclust.survey.export import export_survey
from visclust.survey.raw_answers import read_rating
from visclust.survey.reading import read_ratings
from visclust.survey.respondents import drop_respondents

ITEMS = ("hopeful", "proud", "angry")
ADDRESS = "https://example.org/i/{image_id}.jpg"
NAMES = ["=R1()", "Zoë, the second", "r3"]


@pytest.fixture
def assignment():
    rows = [
        (name, "D" if i < 2 else "R", k + 1, image, k)
        for i, name in enumerate(NAMES)
        for k, image in enumerate(["a", "b"] if i % 2 else ["b", "a"])
    ]
    return pd.DataFrame(rows, columns=["respondent", "group", "position", "image_id", "cluster"])


@pytest.fixture
def images(make_images):
    return make_images(["a", "b"])


@pytest.fixture
def truth(assignment):
    """Ratings by respondent, image and item, all different enough to show a mix-up."""
    keys = [(row.respondent, row.image_id, item) for row in assignment.itertuples() for item in ITEMS]
    return {key: 1 + (3 * i) % 10 for i, key in enumerate(keys)}


def look_up(ratings):
    return {(row.respondent, row.image_id, row.item): row.rating for row in ratings.itertuples()}


def run_qualtrics(folder, truth, path, *, choice_text=False, rows_of=lambda rows: rows):
    """Stand in for Qualtrics: take the exported files, and give what its CSV export looks like."""
    contacts = read_rows_of_cells(folder / "contacts.csv")
    questions = (folder / "survey.txt").read_text()
    items = re.findall(r"\[\[Choice:\d+\]\]\n(.*)", questions)
    fields = re.findall(r"\[\[ED:(.*)\]\]", questions)
    loops = len(read_rows_of_cells(folder / "loop_and_merge.csv")) - 1
    names = ["StartDate", "Status", "Finished", "Duration (in seconds)", "ResponseId", "ExternalReference"]
    texts = ["Start Date", "Response Type", "Finished", "Duration (in seconds)", "Response ID", "External"]
    for loop in range(1, loops + 1):
        for number, item in enumerate(items, start=1):
            names.append(f"{loop}_rating_{number}")
            texts.append(f'"How much?", from 1\nto 10 - {item}')
        names.append(f"{loop}_time_Page Submit")
        texts.append("Timing - Page Submit")
    names, texts = names + fields, texts + fields
    body = []
    for number, contact in enumerate(contacts[1:], start=1):
        given = dict(zip(contacts[0], contact, strict=True))
        row = ["2026-01-05", "IP Address", "True", "120", f"R_{number}", given["ExternalDataReference"]]
        for loop in range(1, loops + 1):
            for item in items:
                rating = truth[restore_cell(given["respondent"]), given[f"image_{loop}"], item]
                row.append(f"{rating} (label)" if choice_text else str(rating))
            row.append("30.5")
        body.append(row + [given[field] for field in fields])
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        ids = [json.dumps({"ImportId": f"QID_{i}"}) for i in range(len(names))]
        writer.writerows([names, texts, ids, *rows_of([dict(zip(names, row, strict=True)) for row in body])])


def as_rows(dicts):
    return [list(row.values()) for row in dicts]


@pytest.mark.parametrize("choice_text", [False, True])
def test_ratings_come_back_from_qualtrics_as_they_were_given(
    assignment, images, truth, tmp_path, choice_text
):
    export_survey(assignment, images, save_to=tmp_path, items=ITEMS, image_address=ADDRESS)
    run_qualtrics(tmp_path, truth, tmp_path / "back.csv", choice_text=choice_text, rows_of=as_rows)
    found = read_ratings(tmp_path / "back.csv", assignment, items=ITEMS)
    assert look_up(found.ratings) == truth
    assert found.problems.empty
    assert found.set_aside.empty
    assert found.respondents["complete"].all()
    assert set(found.ratings["seconds"]) == {30.5}
    assert found.respondents["seconds"].tolist() == [120] * 3
    assert not found.ratings["simulated"].any()


def test_ratings_come_back_from_a_plain_table_as_they_were_given(assignment, images, truth, tmp_path):
    export_survey(assignment, images, to="csv", save_to=tmp_path, items=ITEMS)
    rows = read_rows_of_cells(tmp_path / "survey.csv")
    header = rows[0]
    for row in rows[1:]:
        for item in ITEMS:
            who, image = restore_cell(row[header.index("respondent")]), row[header.index("image_id")]
            row[header.index(item)] = str(truth[who, image, item])
        row[header.index("seconds")] = "12"
    with (tmp_path / "back.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    found = read_ratings(tmp_path / "back.csv", assignment, items=ITEMS)
    assert look_up(found.ratings) == truth
    assert found.problems.empty
    assert found.respondents["seconds"].tolist() == [24] * 3


def test_ratings_come_back_from_pages_as_they_were_given(assignment, images, truth, tmp_path):
    for image in "ab":
        Image.new("RGB", (8, 8), image == "a").save(tmp_path / f"{image}.jpg")
    made = export_survey(
        assignment, images, to="html", save_to=tmp_path / "out", items=ITEMS, images_folder=tmp_path
    )
    pages = [path for path in made.files if path.suffix == ".html"]
    assert len(pages) == 3
    listed = read_rows_of_cells(tmp_path / "out" / "respondents.csv")[1:]
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
    found = read_ratings(tmp_path / "back", assignment, items=ITEMS)
    assert look_up(found.ratings) == truth
    assert found.problems.empty
    assert found.respondents["complete"].all()


def test_a_table_of_one_rating_per_row_is_read_too_and_stays_simulated(assignment, truth, tmp_path):
    rows = [(*key, value, True) for key, value in truth.items()]
    table = pd.DataFrame(rows, columns=["respondent", "image_id", "item", "rating", "simulated"])
    table.to_csv(tmp_path / "long.csv", index=False)
    found = read_ratings(tmp_path / "long.csv", assignment, items=ITEMS)
    assert look_up(found.ratings) == truth
    assert found.ratings["simulated"].all()


def test_simulated_and_real_ratings_in_one_file_are_refused(assignment, truth, tmp_path):
    rows = [(*key, value, i == 0) for i, (key, value) in enumerate(truth.items())]
    table = pd.DataFrame(rows, columns=["respondent", "image_id", "item", "rating", "simulated"])
    table.to_csv(tmp_path / "long.csv", index=False)
    with pytest.raises(ValueError, match="either people's answers or simulated"):
        read_ratings(tmp_path / "long.csv", assignment, items=ITEMS)


@pytest.mark.parametrize("mark", ["WAHR", "TRUE", "yes", "1.0"])
def test_a_mark_of_simulation_is_read_as_spreadsheets_write_it(assignment, tmp_path, mark):
    (tmp_path / "a.csv").write_text(f"respondent,image_id,item,rating,simulated\nr3,b,proud,7,{mark}\n")
    found = read_ratings(tmp_path / "a.csv", assignment, items=["proud"])
    assert found.ratings["simulated"].all()


def test_a_mark_of_simulation_that_is_unclear_is_refused(assignment, tmp_path):
    (tmp_path / "a.csv").write_text("respondent,image_id,item,rating,simulated\nr3,b,proud,7,maybe\n")
    with pytest.raises(ValueError, match=r"true or false in the column simulated of a\.csv, got 'maybe'"):
        read_ratings(tmp_path / "a.csv", assignment, items=["proud"])


def test_two_responses_under_one_id_keep_their_own_answers(assignment, images, truth, tmp_path):
    export_survey(assignment, images, save_to=tmp_path, items=ITEMS, image_address=ADDRESS)

    def give_one_id(dicts):
        return as_rows([{**row, "ResponseId": "R_1"} for row in dicts])

    run_qualtrics(tmp_path, truth, tmp_path / "back.csv", rows_of=give_one_id)
    found = read_ratings(tmp_path / "back.csv", assignment, items=ITEMS)
    assert found.ratings.set_index(["respondent", "image_id", "item"])["rating"].to_dict() == truth
    assert found.problems.empty


@pytest.mark.parametrize("text", ["sep=;\r\nrespondent;image_id;proud;seconds\r\nr3;b;7;4,5\r\n",
                                  "respondent;image_id;proud;seconds\rr3;b;7,0;4,5\r"])  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_are_read_as_spreadsheets_of_other_languages_write_them(assignment, tmp_path, text, encoding):
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    row = (
        read_ratings(tmp_path / "a.csv", assignment, items=["proud"]).ratings.dropna(subset="rating").iloc[0]
    )
    assert (row["rating"], row["seconds"]) == (7, 4.5)


def test_cells_beyond_the_last_column_are_listed(assignment, tmp_path):
    (tmp_path / "a.csv").write_text("respondent,image_id,proud\nr3,b,7,8,,9\nr3,b,1,,,\n")
    problems = read_ratings(tmp_path / "a.csv", assignment, items=["proud"]).problems
    assert problems.loc[problems["problem"].eq("more cells than columns"), "value"].tolist() == ["8, 9"]


def test_a_file_that_is_no_table_is_refused(assignment, tmp_path):
    (tmp_path / "a.csv").write_text('respondent,image_id,proud\nr3,b,"' + "x" * 200_000)
    with pytest.raises(ValueError, match="quotation mark may be open"):
        read_ratings(tmp_path / "a.csv", assignment, items=["proud"])


def spoil(dicts):
    """Spoil a Qualtrics export in every way that is checked for."""
    first, second, third = dicts
    again = {**first, "ResponseId": "R_again", "1_rating_1": "1"}
    half = {**second, "ResponseId": "R_half", "Finished": "False", "2_rating_2": ""}
    preview = {**third, "ResponseId": "R_test", "Status": "Survey Preview"}
    stranger = {**third, "ResponseId": "R_who", "respondent": "nobody"}
    first |= {"1_rating_1": "11", "1_rating_2": "3.5", "1_rating_3": "lots", "2_rating_1": ""}
    second |= {f"{loop}_rating_{n}": "4" for loop in (1, 2) for n in (1, 2, 3)}
    third |= {"image_2": "elsewhere", "Duration (in seconds)": "1"}
    third |= {f"{loop}_time_Page Submit": "0.4" for loop in (1, 2)}
    return as_rows([preview, half, first, again, second, third, stranger])


@pytest.fixture
def spoiled(assignment, images, truth, tmp_path):
    export_survey(assignment, images, save_to=tmp_path, items=ITEMS, image_address=ADDRESS)
    run_qualtrics(tmp_path, truth, tmp_path / "back.csv", rows_of=spoil)
    return read_ratings(tmp_path / "back.csv", assignment, items=ITEMS)


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


def test_flags_name_who_is_incomplete_double_straight_or_too_fast(spoiled):
    people = spoiled.respondents.set_index("respondent")
    flags = people[["incomplete", "duplicate", "straight_lining", "too_fast"]]
    assert flags.loc["=R1()"].tolist() == [True, True, False, False]
    assert flags.loc["Zoë, the second"].tolist() == [False, True, True, False]
    assert flags.loc["r3"].tolist() == [True, False, False, True]
    assert people["missing"].tolist() == [4, 0, 3]
    assert people["submissions"].tolist() == [2, 2, 1]


def test_nobody_is_dropped_unless_it_is_asked_for_and_then_with_a_log(spoiled, assignment):
    assert set(spoiled.ratings["respondent"]) == set(assignment["respondent"])
    kept, log = drop_respondents(
        spoiled.ratings, spoiled.respondents, because=["straight_lining", "too_fast", "incomplete"]
    )
    assert kept.empty
    assert log.set_index("respondent")["because"].to_dict() == {
        "=R1()": "incomplete",
        "Zoë, the second": "straight_lining",
        "r3": "too_fast, incomplete",
    }
    assert log["ratings"].sum() == spoiled.ratings["rating"].notna().sum()
    with pytest.raises(ValueError, match="True and False named 'rude'"):
        drop_respondents(spoiled.ratings, spoiled.respondents, because=["rude"])


def test_who_never_answered_is_there_all_the_same(assignment, tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("respondent,image_id,hopeful,proud,angry\nr3,a,1,2,3\n")
    found = read_ratings(path, assignment, items=ITEMS)
    assert len(found.ratings) == len(assignment) * len(ITEMS)
    people = found.respondents.set_index("respondent")
    assert people["submissions"].to_dict() == dict(zip(NAMES, [0, 0, 1], strict=True))
    assert people["too_fast"].sum() == 0  # nobody's speed is known


@pytest.mark.parametrize("kind", ["qualtrics", "csv"])
def test_a_survey_without_any_answer_yet_is_read(assignment, images, truth, tmp_path, kind):
    path = tmp_path / "back.csv"
    if kind == "csv":
        path.write_text("respondent,image_id,hopeful,proud,angry\n")
    else:
        export_survey(assignment, images, save_to=tmp_path, items=ITEMS, image_address=ADDRESS)
        run_qualtrics(tmp_path, truth, path, rows_of=lambda rows: [])
    found = read_ratings(path, assignment, items=ITEMS)
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
    assert read_ratings(path, assignment, items=ITEMS).ratings["rating"].dropna().tolist() == [2, 2]
    path.write_text(path.read_text() + "R3,True,r3,3,,\nR4,True,r3,4,4,4\n")
    assert read_ratings(path, assignment, items=ITEMS).ratings["rating"].dropna().tolist() == [3]


def test_a_second_row_about_an_image_is_a_second_submission(assignment, tmp_path):
    path = tmp_path / "two.csv"
    path.write_text("respondent,image_id,hopeful,proud,angry\nr3,a,1,2,3\nr3,a,9,9,9\nr3,b,4,5,6\n")
    found = read_ratings(path, assignment, items=ITEMS)
    mine = found.ratings[found.ratings["respondent"] == "r3"]
    assert sorted(mine["rating"]) == [1, 2, 3, 4, 5, 6]
    assert found.problems["problem"].tolist() == ["duplicate submission"]
    assert found.set_aside["value"].tolist() == ["9", "9", "9"]


def test_unknown_items_of_a_long_table_are_set_aside(assignment, tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("respondent,image_id,item,rating\nr3,a,hopeful,1\nr3,a,sleepy,2\n")
    found = read_ratings(path, assignment, items=ITEMS)
    assert found.problems["problem"].tolist() == ["unknown item"]
    assert found.set_aside["item"].tolist() == ["sleepy"]


def test_statements_of_another_questionnaire_are_refused(assignment, images, truth, tmp_path):
    export_survey(assignment, images, save_to=tmp_path, items=ITEMS, image_address=ADDRESS)
    run_qualtrics(tmp_path, truth, tmp_path / "back.csv", rows_of=as_rows)
    with pytest.raises(ValueError, match=r"'.* - angry' among them"):
        read_ratings(tmp_path / "back.csv", assignment, items=("hopeful", "proud", "bored"))
    with pytest.raises(ValueError, match=r"for 10 items in back.csv, got rating \(6 columns\)"):
        read_ratings(tmp_path / "back.csv", assignment, items=EMOTIONS)


def test_an_export_with_tabs_in_utf_16_is_read(assignment, images, truth, tmp_path):
    export_survey(assignment, images, save_to=tmp_path, items=ITEMS, image_address=ADDRESS)
    run_qualtrics(tmp_path, truth, tmp_path / "back.csv", rows_of=as_rows)
    rows = read_rows_of_cells(tmp_path / "back.csv")
    with (tmp_path / "back.tsv").open("w", newline="", encoding="utf-16") as file:
        csv.writer(file, delimiter="\t").writerows(rows)
    assert look_up(read_ratings(tmp_path / "back.tsv", assignment, items=ITEMS).ratings) == truth


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
    found = read_ratings(tmp_path, assignment, items=ITEMS)
    assert found.problems["problem"].tolist() == ["unreadable answer"]
    assert found.ratings["rating"].isna().all()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "'x", "'=x", "plain", ""])
def test_a_guarded_cell_is_no_formula_and_comes_back_as_it_was(text):
    assert not guard_cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert restore_cell(guard_cell(text)) == text


@pytest.mark.parametrize("to", ["qualtrics", "csv", "html"])
def test_no_exported_table_holds_a_formula(assignment, images, tmp_path, to):
    for image in "ab":
        Image.new("RGB", (8, 8)).save(tmp_path / f"{image}.jpg")
    made = export_survey(
        assignment, images, to=to, save_to=tmp_path, image_address=ADDRESS, images_folder=tmp_path
    )
    tables = [path for path in made.files if path.suffix == ".csv"]
    assert tables
    cells = [cell for path in tables for row in read_rows_of_cells(path) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert any("R1()" in cell for cell in cells)


def test_the_qualtrics_files_fit_together(assignment, images, tmp_path):
    made = export_survey(assignment, images, save_to=tmp_path, image_address=ADDRESS)
    questions = (tmp_path / "survey.txt").read_text()
    assert questions.startswith("[[AdvancedFormat]]\n")
    contacts = read_rows_of_cells(tmp_path / "contacts.csv")
    assert contacts[0][1:] == re.findall(r"\[\[ED:(.*)\]\]", questions)
    assert "[[Answer:1]]\n1\n" in questions
    assert "[[Answer:10]]\n10\n" in questions
    assert [len(row) for row in read_rows_of_cells(tmp_path / "loop_and_merge.csv")] == [2, 2, 2]
    links = read_rows_of_cells(tmp_path / "links.csv")
    assert "respondent=%3DR1%28%29&group=D&image_1=b" in links[1][2]
    assert json.loads((tmp_path / "survey.json").read_text())["function"] == "export_survey"
    assert {path.name for path in made.files} >= {"INSTRUCTIONS.txt", "contacts.csv", "survey.json"}


def test_text_in_items_is_escaped_for_qualtrics(assignment, images, tmp_path):
    items = ["<b>bold</b> & brave", "calm"]
    export_survey(assignment, images, save_to=tmp_path, items=items, image_address=ADDRESS)
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; brave" in (tmp_path / "survey.txt").read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"to": "paper"}, "'qualtrics', 'csv' or 'html'"),
        ({"image_address": None}, "Qualtrics shows images by their address"),
        ({"image_address": "https://example.org/a.jpg"}, r"with \{image_id\} in it"),
        ({"image_address": "javascript:alert({image_id})"}, "https:// or http://"),
        ({"image_address": 'https://x.org/"onerror={image_id}'}, "no spaces, quotes"),
        ({"image_address": {"a": "https://x.org/a"}}, "1 assigned images have no address"),
        ({"image_address": "https://x.org/" + "y" * 1100 + "{image_id}"}, "1024 characters at most"),
        ({"items": ["a", "[[b]]"]}, r"without '\[\['"),
        ({"to": "csv", "items": ["seconds"]}, "rename the item 'seconds'"),
    ],
)
def test_a_survey_that_cannot_be_made_is_refused(assignment, images, tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        export_survey(assignment, images, save_to=tmp_path, **{"image_address": ADDRESS, **change})
    assert not list(tmp_path.iterdir())


def test_an_assigned_image_that_is_not_usable_is_refused_before_anything_is_written(
    assignment, images, tmp_path
):
    with pytest.raises(ValueError, match=r"1 are not .*'b'"):
        export_survey(assignment, images.head(1), to="csv", save_to=tmp_path)
    with pytest.raises(ValueError, match="as many images for every respondent"):
        export_survey(assignment.head(5), images, save_to=tmp_path, image_address=ADDRESS)


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
        ("nan", (np.nan, "not a number")),
        ("1e1", (np.nan, "not a number")),
        ("7-8", (np.nan, "not a number")),
        ("5 or 6", (np.nan, "not a number")),
        ("9" * 400, (np.nan, "out of range")),
    ],
)
def test_a_rating_is_read_or_the_reason_is_given(text, expected):
    np.testing.assert_equal(read_rating(text, (1, 10)), expected)
