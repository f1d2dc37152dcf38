"""The order of the items, one image's ratings as text, and the table made of the files."""

import json

import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.annotation.answer_files import ANSWER_COLUMNS, append_answer, name_answer_file
from visclust.annotation.ratings import (
    check_scale,
    list_items,
    order_items,
    read_rating_answer,
    write_rating_answer,
)
from visclust.base.tables import check_table

ITEMS = {"pleasant": ["proud", "hopeful"], "unpleasant": ["angry"]}
TEN = [item for items in vc.EMOTIONS.values() for item in items]


@pytest.fixture
def assignment():
    return pd.DataFrame(
        {
            "respondent": ["r1", "r2", "r1", "r2"],
            "group": ["secret-party", "other-party"] * 2,
            "position": [2, 1, 1, 2],
            "image_id": ["a", "a", "c", "b"],
            "cluster": [777, 777, 778, 779],
        }
    )


def test_items_come_in_an_order_of_the_respondents_own_which_a_seed_repeats():
    orders = {name: order_items(vc.EMOTIONS, respondent=name, seed=3) for name in ("r1", "r2", "r3")}
    assert len(set(orders.values())) == 3
    for order in orders.values():
        assert sorted(order) == sorted(TEN)
    assert order_items(TEN, respondent=" r1 ", seed=3) == orders["r1"]
    assert order_items(TEN, respondent="r1", seed=4) != orders["r1"]


def test_over_many_respondents_every_item_comes_first_about_equally_often():
    first = pd.Series([order_items(TEN, respondent=f"r{number}")[0] for number in range(2000)])
    # 200 expected each; 13.4 is one standard deviation, and four of them hold ten counts in 999 of 1000 runs.
    assert first.value_counts().reindex(TEN).sub(200).abs().max() < 4 * 13.4


def test_a_scale_or_items_that_cannot_be_used_are_refused():
    for scale in ((1,), (10, 1), (1, 1), "ab", (0.5, 3), (0, 200), 7):
        with pytest.raises(ValueError, match="scale"):
            check_scale(scale)
    for items in ("proud", [], {"up": "proud"}, ["proud", "Proud"], ["proud "], [3]):
        with pytest.raises(ValueError, match="item"):
            list_items(items)


def test_ratings_are_read_back_in_the_order_shown():
    text = write_rating_answer({"proud": 7, "angry": None}, (1, 10))
    assert text == '{"scale":[1,10],"ratings":[["proud",7],["angry",null]]}'
    assert list(read_rating_answer(text, items=["angry", "proud"]).items()) == [("proud", 7), ("angry", None)]


def write_ratings(folder, *, simulated=False):
    """Write r1's ratings of image c and skip of image a, with one undo, and nothing of r2."""
    path = name_answer_file(folder, "r1", simulated=simulated)
    answers = [
        ("e1", "c", write_rating_answer({"angry": 9, "proud": 9, "hopeful": 9}, (1, 10)), None),
        ("e2", "c", None, "e1"),
        ("e3", "c", write_rating_answer({"angry": None, "proud": 7, "hopeful": 1}, (1, 10)), None),
        ("e4", "a", "skip", None),
    ]
    for at, (event, image, said, retracts) in enumerate(answers):
        row = {"event_id": event, "item_id": image, "annotator": "r1", "answer": said, "retracts": retracts,
               "answered_at": f"2026-01-05T10:00:{at:02}Z", "seconds": None if retracts else at + 1.0,
               "simulated": simulated}  # fmt: skip
        append_answer(path, row)


def test_the_ratings_table_has_every_assigned_row_and_says_why_one_is_empty(assignment, tmp_path):
    write_ratings(tmp_path)
    ratings = check_table(vc.read_rating_answers(tmp_path, assignment, items=ITEMS), "ratings")
    assert len(ratings) == 4 * 3
    assert ratings["image_id"].tolist() == [image for image in "aacb" for _ in range(3)]
    of_c = ratings[ratings["image_id"] == "c"]
    assert of_c[["item", "rating", "place", "reason"]].astype(object).to_numpy().tolist()[:2] == [
        ["proud", 7.0, 2, ""],
        ["hopeful", 1.0, 3, ""],
    ]
    assert of_c.iloc[2][["item", "place", "reason"]].tolist() == ["angry", 1, "cannot say"]
    assert np.isnan(of_c["rating"].iloc[2])
    assert of_c["seconds"].tolist() == [3.0] * 3
    assert (
        ratings.loc[ratings["image_id"].eq("a"), "reason"].tolist() == ["skipped"] * 3 + ["not answered"] * 3
    )
    assert set(ratings["group"]) == {"secret-party", "other-party"}
    assert not ratings["simulated"].any()
    same = vc.read_rating_answers(vc.read_answers(tmp_path), assignment, items=ITEMS)
    pd.testing.assert_frame_equal(same, ratings)


def test_simulated_ratings_say_so(assignment, tmp_path):
    write_ratings(tmp_path, simulated=True)
    assert vc.read_rating_answers(tmp_path, assignment, items=ITEMS)["simulated"].all()


def test_answers_that_the_assignment_does_not_foresee_are_refused(assignment, tmp_path):
    write_ratings(tmp_path)
    with pytest.raises(ValueError, match="respondent 'r1'"):
        vc.read_rating_answers(tmp_path, assignment[assignment["respondent"] == "r2"], items=ITEMS)
    with pytest.raises(ValueError, match="image 'c'"):
        vc.read_rating_answers(tmp_path, assignment[assignment["image_id"] != "c"], items=ITEMS)
    with pytest.raises(ValueError, match="items and the scale"):
        vc.read_rating_answers(tmp_path, assignment, items=["proud"])
    with pytest.raises(ValueError, match="items and the scale"):
        vc.read_rating_answers(tmp_path, assignment, items=ITEMS, scale=(1, 7))


def test_respondents_who_differ_by_spaces_only_are_refused(assignment, tmp_path):
    write_ratings(tmp_path)
    doubled = assignment.assign(respondent=["r1", " r1", "r1", " r1"])
    with pytest.raises(ValueError, match="spaces"):
        vc.read_rating_answers(tmp_path, doubled, items=ITEMS)


def test_nobody_having_answered_yet_is_a_table_of_empty_ratings(assignment):
    empty = pd.DataFrame(columns=["item_id", "annotator", "answer", "answered_at", "seconds", "retracts"])
    ratings = vc.read_rating_answers(empty, assignment, items=ITEMS)
    assert ratings["reason"].eq("not answered").all()
    assert len(ratings) == 12


def test_a_rating_download_comes_back_once_however_often_it_is_imported(assignment, tmp_path):
    said = write_rating_answer({"proud": 7}, (1, 10))
    row = dict.fromkeys(ANSWER_COLUMNS) | {
        "event_id": "e1", "item_id": "c", "annotator": "r1", "answer": said, "seconds": 4.0,
        "answered_at": "2026-01-05T10:00:00.000Z", "simulated": False,
    }  # fmt: skip
    (tmp_path / "download.jsonl").write_text(json.dumps(row) + "\n")
    for added in (1, 0):
        assert vc.import_answers(tmp_path / "download.jsonl", tmp_path / "ratings").added == added
    ratings = vc.read_rating_answers(tmp_path / "ratings", assignment, items=["proud"])
    assert ratings.set_index("image_id")["rating"].to_dict()["c"] == 7
