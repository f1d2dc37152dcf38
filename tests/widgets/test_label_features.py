"""The kernel's side of labelling features: answers that say what was asked, and refused mixtures."""

import json

import pandas as pd
import pytest
from PIL import Image

from visclust.annotation.answers import read_answers
from visclust.annotation.constructs import FEATURES
from visclust.annotation.features import check_features, read_feature_answer, write_feature_answer
from visclust.widgets.labeller import label_features
from visclust.widgets.tasks import describe_feature_view

ASKED = ["anger", "Größe „5“", "men"]


@pytest.fixture
def images(tmp_path):
    rows = []
    for name, status in (("b", "ok"), ("a", "ok"), ("x", "unreadable"), ("c", "ok")):
        Image.new("RGB", (60, 40)).save(tmp_path / f"<i>file of {name}.png")
        rows.append((name, str(tmp_path / f"<i>file of {name}.png"), status, "", 60, 40))
    rows.append(("b", str(tmp_path / "copy of b.png"), "duplicate", "", 60, 40))
    return pd.DataFrame(rows, columns=["image_id", "path", "status", "reason", "width", "height"])


@pytest.fixture
def open_labeller(images, tmp_path):
    def open_one(features=ASKED, **options):
        options = {"annotator": "Ana", "save_to": tmp_path / "answers"} | options
        widget = label_features(images, features, **options)
        widget.sent = []
        widget.send = lambda content, buffers=None: widget.sent.append((content, buffers))
        return widget

    return open_one


def say(widget, event_id, item_id, said):
    """Deliver an answer as the browser would, and return what the kernel replies."""
    event = {"event_id": event_id, "item_id": item_id, "answer": said, "seconds": 1.5, "note": None,
             "answered_at": "2026-01-05T10:00:00.000Z"}  # fmt: skip
    widget._receive(widget, {"kind": "answer", "event": event}, [])
    return widget.sent[-1][0]


def spell_as_a_browser_does(asked, present):
    return json.dumps({"asked": asked, "present": present}, ensure_ascii=False, separators=(",", ":"))


def test_usable_images_are_shown_once_in_the_order_of_the_rows(open_labeller):
    assert open_labeller().labelling.items == ("b", "a", "c")


def test_one_row_per_image_says_what_was_asked_and_what_is_there(open_labeller):
    widget = open_labeller()
    reply = say(widget, "e1", "b", spell_as_a_browser_does(ASKED, ["men"]))
    assert (reply["error"], reply["upcoming"]) == ("", ["a", "c"])
    say(widget, "e2", "a", spell_as_a_browser_does(ASKED, []))
    rows = read_answers(widget.answer_file)
    assert rows["item_id"].tolist() == ["b", "a"]
    assert [read_feature_answer(said) for said in rows["answer"]] == [
        {"anger": False, "Größe „5“": False, "men": True},
        dict.fromkeys(ASKED, False),
    ]
    assert rows[["left", "right"]].isna().all(axis=None)


def test_a_skip_is_an_answer_and_comes_back_where_that_is_wished(open_labeller):
    widget = open_labeller(revisit_skipped=True)
    say(widget, "e1", "b", "skip")
    assert widget.labelling.current == "a"
    for event, image in (("e2", "a"), ("e3", "c")):
        say(widget, event, image, spell_as_a_browser_does(ASKED, []))
    assert widget.labelling.current == "b"


@pytest.mark.parametrize(
    "said",
    [
        "same",
        "{}",
        "[1]",
        '{"asked":["anger"],"present":[]}',
        spell_as_a_browser_does(ASKED, ["women"]),
        spell_as_a_browser_does(ASKED, ["men", "anger"]),  # not in the order shown: no browser of ours
        json.dumps({"asked": ASKED, "present": []}),
    ],
)
def test_what_is_no_answer_about_these_features_is_refused(open_labeller, said):
    widget = open_labeller()
    assert "Refused" in say(widget, "e1", "b", said)["error"]
    assert not widget.answer_file.exists()


def test_another_list_of_features_in_the_same_folder_is_refused_rather_than_taken_as_answered(open_labeller):
    say(open_labeller(), "e1", "b", spell_as_a_browser_does(ASKED, []))
    with pytest.raises(ValueError, match="folder of its own"):
        open_labeller(["anger"])
    with pytest.raises(ValueError, match="another list"):
        open_labeller(ASKED[::-1])
    assert open_labeller().labelling.current == "a"


def test_the_browser_gets_no_path_and_a_key_for_the_first_twelve_features(open_labeller, tmp_path):
    widget = open_labeller([*FEATURES, "music"])
    for image in widget.labelling.items:
        widget._receive(widget, {"kind": "images", "item_id": image}, [])
    everything = json.dumps([widget.get_state(), [content for content, _ in widget.sent]], default=str)
    for secret in (str(tmp_path), "file of", ".png"):
        assert secret not in everything
    keys = [toggle["key"] for toggle in widget.settings["toggles"]]
    assert keys == [*"1234567890-=", ""]
    assert widget.settings["n_images"] == 1


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        ("anger", "list of features"),
        ([], "list of features"),
        (["anger", ""], "text on one line"),
        (["anger", " men"], "text on one line"),
        (["anger", 3], "text on one line"),
        (["anger\n"], "text on one line"),
        (["\ud83d"], "text on one line"),
        (["men", "Men"], "'Men' again"),
        (["image_id"], "Rename"),
        (["simulated"], "Rename"),
    ],
)
def test_a_list_that_annotators_or_tables_could_not_use_is_refused(features, reason):
    with pytest.raises(ValueError, match=reason):
        check_features(features)


def test_bad_options_are_refused_at_once(open_labeller, images):
    for bad in ({"annotator": " "}, {"question": ""}, {"construct": None}, {"prefetch": -1}, {"max_side": 0},
                {"max_unsaved": True}):  # fmt: skip
        with pytest.raises(ValueError, match="Expected"):
            open_labeller(**bad)
    with pytest.raises(ValueError, match="at least one image"):
        label_features(images[:0], ASKED, annotator="Ana", save_to="answers")


def test_an_answer_written_is_read_back_the_same():
    text = write_feature_answer(ASKED, {"men"})
    assert read_feature_answer(text) == {name: name == "men" for name in ASKED}
    assert text == spell_as_a_browser_does(ASKED, ["men"])
    with pytest.raises(ValueError, match="'women'"):
        write_feature_answer(ASKED, ["women"])


def test_pairs_and_features_of_one_person_are_kept_apart_in_the_browser(tmp_path):
    of_features = describe_feature_view(ASKED, annotator="Ana", save_to=tmp_path)["storage_key"]
    assert of_features != describe_feature_view(ASKED, annotator="Ben", save_to=tmp_path)["storage_key"]
