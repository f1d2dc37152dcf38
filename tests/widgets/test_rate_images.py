"""Rating images: order of images and items, what the kernel takes, and the table made of the files."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from visclust.annotation.answer_files import append_answer, name_answer_file
from visclust.annotation.answers import read_answers
from visclust.annotation.constructs import EMOTIONS
from visclust.annotation.ratings import (
    check_scale,
    list_items,
    order_items,
    read_rating_answer,
    read_rating_answers,
    write_rating_answer,
)
from visclust.base.tables import check_table
from visclust.widgets.labeller import rate_images

ITEMS = {"pleasant": ["proud", "hopeful"], "unpleasant": ["angry"]}
TEN = [item for items in EMOTIONS.values() for item in items]


@pytest.fixture
def images(tmp_path):
    rows = []
    for name in "abc":
        Image.new("RGB", (60, 40)).save(tmp_path / f"file of {name}.png")
        rows.append((name, str(tmp_path / f"file of {name}.png"), "ok", "", 60, 40))
    return pd.DataFrame(rows, columns=["image_id", "path", "status", "reason", "width", "height"])


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


@pytest.fixture
def open_rater(images, assignment, tmp_path):
    def open_one(**options):
        options = {"respondent": "r1", "save_to": tmp_path / "ratings", "items": ITEMS} | options
        widget = rate_images(assignment, images, **options)
        widget.sent = []
        widget.send = lambda content, buffers=None: widget.sent.append((content, buffers))
        return widget

    return open_one


def say(widget, event_id, item_id, said):
    event = {"event_id": event_id, "item_id": item_id, "answer": said, "seconds": 4.5, "note": None,
             "answered_at": "2026-01-05T10:00:00.000Z"}  # fmt: skip
    widget._receive(widget, {"kind": "answer", "event": event}, [])
    return widget.sent[-1][0]


def test_a_respondent_sees_the_assigned_images_by_position_and_nothing_of_groups(open_rater, tmp_path):
    widget = open_rater()
    assert widget.labelling.items == ("c", "a")
    for image in widget.labelling.items:
        widget._receive(widget, {"kind": "images", "item_id": image}, [])
    everything = json.dumps([widget.get_state(), [content for content, _ in widget.sent]], default=str)
    for secret in ("secret-party", "777", "pleasant", str(tmp_path), "file of"):
        assert secret not in everything


def test_items_come_in_an_order_of_the_respondents_own_which_a_seed_repeats():
    orders = {name: order_items(EMOTIONS, respondent=name, seed=3) for name in ("r1", "r2", "r3")}
    assert len(set(orders.values())) == 3
    for order in orders.values():
        assert sorted(order) == sorted(TEN)
    assert order_items(TEN, respondent=" r1 ", seed=3) == orders["r1"]
    assert order_items(TEN, respondent="r1", seed=4) != orders["r1"]


def test_over_many_respondents_every_item_comes_first_about_equally_often():
    first = pd.Series([order_items(TEN, respondent=f"r{number}")[0] for number in range(2000)])
    # 200 expected each; 13.4 is one standard deviation, and four of them hold ten counts in 999 of 1000 runs.
    assert first.value_counts().reindex(TEN).sub(200).abs().max() < 4 * 13.4


def test_an_answer_says_the_order_shown_and_is_on_disk(open_rater):
    widget = open_rater()
    shown = widget.settings["items"]
    said = write_rating_answer(dict(zip(shown, [3, None, 10], strict=True)), (1, 10))
    assert say(widget, "e1", "c", said)["upcoming"] == ["a"]
    (row,) = read_answers(widget.answer_file).to_dict("records")
    assert list(read_rating_answer(row["answer"], items=ITEMS)) == shown
    assert open_rater().labelling.current == "a"


@pytest.mark.parametrize(
    "said",
    [
        "same",
        "{}",
        '{"scale":[1,10],"ratings":[["proud",1],["hopeful",2]]}',
        '{"scale":[1,10],"ratings":[["proud",1],["hopeful",2],["angry",11]]}',
        '{"scale":[1,10],"ratings":[["proud",1],["hopeful",2],["angry",0]]}',
        '{"scale":[1,10],"ratings":[["proud",1],["hopeful",2],["angry",2.5]]}',
        '{"scale":[1,10],"ratings":[["proud",1],["hopeful",2],["angry",true]]}',
        '{"scale":[1,10],"ratings":[["proud",1],["hopeful",2],["angry",3],["angry",4]]}',
        '{"scale":[1,7],"ratings":[["proud",1],["hopeful",2],["angry",3]]}',
        '{"scale": [1,10],"ratings":[["proud",1],["hopeful",2],["angry",3]]}',
    ],
)
def test_what_is_no_full_answer_on_this_scale_is_refused(open_rater, said):
    widget = open_rater()
    assert "Refused" in say(widget, "e1", "c", said)["error"]
    assert not widget.answer_file.exists()


def test_other_items_or_another_scale_in_the_same_folder_are_refused(open_rater):
    widget = open_rater()
    say(widget, "e1", "c", write_rating_answer(dict.fromkeys(widget.settings["items"], 5), (1, 10)))
    for other in ({"items": ["proud"]}, {"scale": (1, 7)}):
        with pytest.raises(ValueError, match="folder of its own"):
            open_rater(**other)


def test_bad_options_are_refused_with_the_reason(open_rater):
    with pytest.raises(ValueError, match="one of the 2 respondents"):
        open_rater(respondent="R1")
    with pytest.raises(ValueError, match="two ends"):
        open_rater(ends="low")
    for scale in ((1,), (10, 1), (1, 1), "ab", (0.5, 3), (0, 200), 7):
        with pytest.raises(ValueError, match="scale"):
            check_scale(scale)
    for items in ("proud", [], {"up": "proud"}, ["proud", "Proud"], ["proud "], [3]):
        with pytest.raises(ValueError, match="item"):
            list_items(items)


def test_an_image_that_the_images_table_lacks_is_named(images, assignment, tmp_path):
    with pytest.raises(ValueError, match="'c'"):
        rate_images(assignment, images[:2], respondent="r1", save_to=tmp_path)


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
    ratings = check_table(read_rating_answers(tmp_path, assignment, items=ITEMS), "ratings")
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
    same = read_rating_answers(read_answers(tmp_path), assignment, items=ITEMS)
    pd.testing.assert_frame_equal(same, ratings)


def test_simulated_ratings_say_so(assignment, tmp_path):
    write_ratings(tmp_path, simulated=True)
    assert read_rating_answers(tmp_path, assignment, items=ITEMS)["simulated"].all()


def test_answers_that_the_assignment_does_not_foresee_are_refused(assignment, tmp_path):
    write_ratings(tmp_path)
    with pytest.raises(ValueError, match="respondent 'r1'"):
        read_rating_answers(tmp_path, assignment[assignment["respondent"] == "r2"], items=ITEMS)
    with pytest.raises(ValueError, match="image 'c'"):
        read_rating_answers(tmp_path, assignment[assignment["image_id"] != "c"], items=ITEMS)
    with pytest.raises(ValueError, match="items and the scale"):
        read_rating_answers(tmp_path, assignment, items=["proud"])
    with pytest.raises(ValueError, match="items and the scale"):
        read_rating_answers(tmp_path, assignment, items=ITEMS, scale=(1, 7))


def test_respondents_who_differ_by_spaces_only_are_refused(assignment, tmp_path):
    write_ratings(tmp_path)
    doubled = assignment.assign(respondent=["r1", " r1", "r1", " r1"])
    with pytest.raises(ValueError, match="spaces"):
        read_rating_answers(tmp_path, doubled, items=ITEMS)


def test_nobody_having_answered_yet_is_a_table_of_empty_ratings(assignment):
    empty = pd.DataFrame(columns=["item_id", "annotator", "answer", "answered_at", "seconds", "retracts"])
    ratings = read_rating_answers(empty, assignment, items=ITEMS)
    assert ratings["reason"].eq("not answered").all()
    assert len(ratings) == 12
