"""The kernel's side of the labellers: what it sends, what it writes, and in which order."""

import json
import multiprocessing
import os
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

import visclust as vc
from visclust.annotation.answer_files import name_answer_file
from visclust.annotation.features import read_feature_answer
from visclust.annotation.ratings import read_rating_answer, write_rating_answer
from visclust.widgets import logs

SECRET = "secret-stratum"
ASKED = ["anger", "Größe „5“", "men"]
ITEMS = {"pleasant": ["proud", "hopeful"], "unpleasant": ["angry"]}


@pytest.fixture
def images(tmp_path):
    rows = []
    for name in "abcd":
        path = tmp_path / f"<i>file of {name}.png"
        Image.new("RGB", (60, 40)).save(path)
        rows.append((name, str(path), "ok", "", 60, 40))
    rows.append(("a", str(tmp_path / "copy of a.png"), "duplicate", "", 60, 40))
    return pd.DataFrame(rows, columns=["image_id", "path", "status", "reason", "width", "height"])


@pytest.fixture
def pairs():
    return pd.DataFrame(
        {"pair_id": ["p1", "p2", "p3"], "image_a": list("abc"), "image_b": list("bcd"), "stratum": SECRET,
         "inclusion_probability": 0.123456}
    )  # fmt: skip


@pytest.fixture
def assignment():
    return pd.DataFrame({"respondent": ["r1", "r2", "r1", "r2"], "group": ["secret-party", "other-party"] * 2,
                         "position": [2, 1, 1, 2], "image_id": list("aacb"),
                         "cluster": [777, 777, 778, 779]})  # fmt: skip


def listen(widget):
    """Keep what the widget sends instead of sending it."""
    widget.sent = []
    widget.send = lambda content, buffers=None: widget.sent.append((content, buffers))
    return widget


@pytest.fixture
def open_labeller(pairs, images, tmp_path):
    def open_one(**options):
        options = {"annotator": "Ana", "save_to": tmp_path / "answers"} | options
        return listen(vc.label_pairs(pairs, images, **options))

    return open_one


@pytest.fixture
def open_features(images, tmp_path):
    def open_one(features=ASKED, **options):
        options = {"annotator": "Ana", "save_to": tmp_path / "answers"} | options
        return listen(vc.label_features(images[:3], features, **options))

    return open_one


@pytest.fixture
def open_rater(images, assignment, tmp_path):
    def open_one(**options):
        options = {"respondent": "r1", "save_to": tmp_path / "ratings", "items": ITEMS} | options
        return listen(vc.rate_images(assignment, images, **options))

    return open_one


def list_everything_sent(widget):
    """Let a browser ask for every image, and list all that it is told."""
    tell(widget, "ready")
    for item in widget.labelling.items:
        tell(widget, "images", item_id=item)
        tell(widget, "zoom", item_id=item, side=0)
    return json.dumps([widget.get_state(), [content for content, _ in widget.sent]], default=str)


def tell(widget, kind, **message):
    """Deliver a message as the browser would, and return what the kernel sends back."""
    before = len(widget.sent)
    widget._receive(widget, {"kind": kind, **message}, [])
    return widget.sent[before:]


def say(widget, event_id, item_id, said="same", **more):
    event = {"event_id": event_id, "item_id": item_id, "answer": said, "seconds": 1.5, "note": None,
             "answered_at": "2026-01-05T10:00:00.000Z"} | more  # fmt: skip
    return tell(widget, "undo" if "retracts" in more else "answer", event=event)[-1][0]


def test_an_answer_is_on_disk_before_it_is_acknowledged_and_the_next_pair_shows(open_labeller, monkeypatch):
    widget = open_labeller()
    order = []
    flush, send = os.fsync, widget.send
    monkeypatch.setattr(os, "fsync", lambda descriptor: (order.append("flushed"), flush(descriptor)))
    widget.send = lambda *message: (order.append("acknowledged"), send(*message))
    say(widget, "e0", "p1")  # makes the file, and flushes its folder too
    order.clear()
    reply = say(widget, "e1", "p2", note="why")
    assert order == ["flushed", "acknowledged"]
    assert (reply["acknowledged"], reply["upcoming"]) == (["e1"], ["p3"])
    row = vc.read_answers(widget.answer_file).iloc[1]
    assert row[["item_id", "annotator", "answer", "left", "right", "note"]].tolist() == [
        "p2", "Ana", "same", "b", "c", "why",
    ]  # fmt: skip


def test_the_browser_gets_no_stratum_no_probability_and_no_path(open_labeller, tmp_path):
    widget = open_labeller(construct="<img src=x onerror=alert(1)>")
    tell(widget, "ready")
    for pair in ("p1", "p2", "p3"):
        tell(widget, "images", item_id=pair)
        tell(widget, "zoom", item_id=pair, side=1)
    say(widget, "e1", "p1")
    everything = json.dumps([widget.get_state(), [content for content, _ in widget.sent]], default=str)
    for secret in (SECRET, "0.123456", "stratum", str(tmp_path), "file of", ".png"):
        assert secret not in everything
    for _, buffers in widget.sent:
        for buffer in buffers or []:
            assert b"file of" not in bytes(buffer)
    assert "p1" in everything


def test_images_come_as_small_jpegs_in_the_order_of_the_pair(open_labeller):
    ((content, buffers),) = tell(open_labeller(max_side=32), "images", item_id="p1")
    assert content == {"kind": "images", "item_id": "p1", "readable": [True, True]}
    assert [bytes(buffer[:2]) for buffer in buffers] == [b"\xff\xd8"] * 2


def test_an_image_that_was_deleted_since_is_said_to_be_unreadable(open_labeller, images):
    widget = open_labeller()
    Path(images["path"][1]).unlink()
    ((content, _),) = tell(widget, "images", item_id="p1")
    assert content["readable"] == [True, False]


def test_undo_appends_a_retraction_and_shows_the_pair_again(open_labeller):
    widget = open_labeller()
    say(widget, "e1", "p1")
    reply = say(widget, "e2", "p2", "different")
    assert reply["undoable"] == {"event_id": "e2", "item_id": "p2"}
    reply = say(widget, "e3", "p2", None, retracts="e2", seconds=None)
    assert reply["upcoming"][0] == "p2"
    rows = vc.read_answers(widget.answer_file)
    assert rows["event_id"].tolist() == ["e1", "e2", "e3"]
    assert vc.current_answers(rows)["item_id"].tolist() == ["p1"]


def test_an_answer_sent_again_is_acknowledged_and_not_written_again(open_labeller):
    widget = open_labeller()
    for _ in range(3):
        reply = say(widget, "e1", "p1")
        assert (reply["acknowledged"], reply["progress"]["done"]) == (["e1"], 1)
    assert len(widget.answer_file.read_text().splitlines()) == 1


def test_a_cell_that_is_run_again_resumes_at_the_first_unanswered_pair(open_labeller):
    first = open_labeller()
    say(first, "e1", "p1")
    say(first, "e2", "p2")
    again = open_labeller()
    assert tell(again, "ready")[0][0]["upcoming"] == ["p3"]
    assert say(again, "e2", "p2")["progress"]["done"] == 2  # the browser had not heard of its being saved
    assert len(vc.read_answers(again.answer_file)) == 2


def test_two_kernels_on_one_file_see_each_others_answers(open_labeller):
    one, other = open_labeller(), open_labeller()
    say(one, "e1", "p1")
    reply = say(other, "e2", "p2")
    assert (reply["progress"]["done"], reply["upcoming"]) == (2, ["p3"])
    say(other, "e3", "p1", None, retracts="e1", seconds=None)
    assert one.labelling.current == "p1"


def test_two_annotators_have_a_file_each(open_labeller, tmp_path):
    ana, ben = open_labeller(), open_labeller(annotator="Ben")
    say(ana, "e1", "p1")
    assert ben.labelling.current == "p1"
    say(ben, "e2", "p1", "different")
    assert len(list((tmp_path / "answers").iterdir())) == 2
    assert vc.read_answers(tmp_path / "answers")["annotator"].tolist() == ["Ana", "Ben"]


def test_a_full_disk_is_shown_the_pair_stays_and_the_answer_sent_again_is_saved(open_labeller, monkeypatch):
    widget = open_labeller()

    def fail(path, row):
        raise OSError(28, "No space left on device", "/secret/path")

    with monkeypatch.context() as full:
        full.setattr(logs, "append_answer", fail)
        reply = say(widget, "e1", "p1")
    assert "No space left" in reply["error"]
    assert "/secret" not in json.dumps(reply)
    assert (reply["acknowledged"], reply["upcoming"][0], reply["progress"]["done"]) == ([], "p1", 0)
    reply = say(widget, "e1", "p1")
    assert (reply["acknowledged"], reply["error"]) == (["e1"], "")
    assert len(vc.read_answers(widget.answer_file)) == 1


def test_a_torn_last_line_is_repaired_with_a_message_and_its_pair_shown_again(open_labeller):
    widget = open_labeller()
    say(widget, "e1", "p1")
    say(widget, "e2", "p2")
    path = widget.answer_file
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.warns(UserWarning, match="cut off"):
        again = open_labeller()
    state = tell(again, "ready")[0][0]
    assert "closed off" in state["message"]
    assert state["upcoming"][0] == "p2"
    say(again, "e2", "p2")
    with pytest.warns(UserWarning, match="cut off"):
        assert vc.read_answers(path)["event_id"].tolist() == ["e1", "e2"]


def test_what_is_no_answer_of_this_widget_is_refused_and_not_asked_for_again(open_labeller):
    widget = open_labeller()
    for change in ({"said": "banana"}, {"said": None}, {"seconds": "long"}, {"answered_at": "now"}):
        reply = say(widget, "e1", "p1", **change)
        assert "Refused" in reply["error"]
        assert reply["acknowledged"] == ["e1"]
    assert not widget.answer_file.exists()


def test_an_edited_file_keeps_the_answer_in_the_browser(open_labeller):
    widget = open_labeller()
    say(widget, "e1", "p1")
    widget.answer_file.write_text('{"event_id": 3}\n' * 40)
    reply = say(widget, "e2", "p2")
    assert "Not saved" in reply["error"]
    assert reply["acknowledged"] == []


def test_an_answer_kept_from_an_earlier_list_of_pairs_is_not_lost(open_labeller):
    widget = open_labeller()
    assert say(widget, "e1", "pair of last week")["acknowledged"] == ["e1"]
    assert widget.labelling.current == "p1"
    assert vc.read_answers(widget.answer_file)["item_id"].tolist() == ["pair of last week"]


def test_a_file_that_was_moved_away_starts_the_labelling_afresh(open_labeller):
    widget = open_labeller()
    say(widget, "e1", "p1")
    widget.answer_file.rename(widget.answer_file.with_suffix(".old"))
    assert widget.labelling.current == "p1"
    say(widget, "e2", "p1")
    assert vc.read_answers(widget.answer_file)["event_id"].tolist() == ["e2"]


def test_skipped_pairs_come_back_where_that_is_wished(open_labeller):
    widget = open_labeller(revisit_skipped=True)
    for number, pair in enumerate(("p1", "p2", "p3")):
        reply = say(widget, f"e{number}", pair, "skip" if pair == "p1" else "same")
    assert reply["upcoming"] == ["p1"]


def spell_as_a_browser_does(asked, present):
    return json.dumps({"asked": asked, "present": present}, ensure_ascii=False, separators=(",", ":"))


def test_one_row_per_image_says_what_was_asked_and_what_is_there(open_features):
    widget = open_features()
    reply = say(widget, "e1", "b", spell_as_a_browser_does(ASKED, ["men"]))
    assert (reply["error"], reply["upcoming"]) == ("", ["a", "c"])
    say(widget, "e2", "a", spell_as_a_browser_does(ASKED, []))
    rows = vc.read_answers(widget.answer_file)
    assert rows["item_id"].tolist() == ["b", "a"]
    assert [read_feature_answer(said) for said in rows["answer"]] == [
        {"anger": False, "Größe „5“": False, "men": True},
        dict.fromkeys(ASKED, False),
    ]
    assert rows[["left", "right"]].isna().all(axis=None)


def test_a_skip_is_an_answer_and_comes_back_where_that_is_wished(open_features):
    widget = open_features(revisit_skipped=True)
    say(widget, "e1", "b", "skip")
    assert widget.labelling.current == "a"
    for event, image in (("e2", "a"), ("e3", "c")):
        say(widget, event, image, spell_as_a_browser_does(ASKED, []))
    assert widget.labelling.current == "b"


def test_another_list_of_features_in_the_same_folder_is_refused_rather_than_taken_as_answered(open_features):
    say(open_features(), "e1", "b", spell_as_a_browser_does(ASKED, []))
    with pytest.raises(ValueError, match="folder of its own"):
        open_features(["anger"])
    with pytest.raises(ValueError, match="another list"):
        open_features(ASKED[::-1])
    assert open_features().labelling.current == "a"


def test_a_respondent_sees_the_assigned_images_by_position_and_nothing_of_groups(open_rater, tmp_path):
    widget = open_rater()
    assert widget.labelling.items == ("c", "a")
    told = list_everything_sent(widget)
    for secret in ("secret-party", "777", "pleasant", str(tmp_path), "file of"):
        assert secret not in told


def test_who_labels_features_is_told_no_path(open_features, tmp_path):
    told = list_everything_sent(open_features())
    for secret in (str(tmp_path), "file of", ".png"):
        assert secret not in told


def test_an_answer_says_the_order_shown_and_is_on_disk(open_rater):
    widget = open_rater()
    shown = widget.settings["items"]
    said = write_rating_answer(dict(zip(shown, [3, None, 10], strict=True)), (1, 10))
    assert say(widget, "e1", "c", said)["upcoming"] == ["a"]
    (row,) = vc.read_answers(widget.answer_file).to_dict("records")
    assert list(read_rating_answer(row["answer"], items=ITEMS)) == shown
    assert open_rater().labelling.current == "a"


def test_other_items_or_another_scale_in_the_same_folder_are_refused(open_rater):
    widget = open_rater()
    say(widget, "e1", "c", write_rating_answer(dict.fromkeys(widget.settings["items"], 5), (1, 10)))
    for other in ({"items": ["proud"]}, {"scale": (1, 7)}):
        with pytest.raises(ValueError, match="folder of its own"):
            open_rater(**other)


def test_bad_tables_and_options_are_refused_at_once(pairs, images, tmp_path):
    options = {"annotator": "Ana", "save_to": tmp_path}
    with pytest.raises(ValueError, match="'b'"):
        vc.label_pairs(pairs, images[images["image_id"] != "b"], **options)
    unreadable = images.assign(status=["ok", "unreadable", "ok", "ok", "duplicate"])
    with pytest.raises(ValueError, match="status 'ok'"):
        vc.label_pairs(pairs, unreadable, **options)
    with pytest.raises(ValueError, match="at least one pair"):
        vc.label_pairs(pairs[:0], images, **options)
    with pytest.raises(ValueError, match="image_b"):
        vc.label_pairs(pairs.drop(columns="image_b"), images, **options)
    for bad in ({"annotator": " "}, {"question": ""}, {"construct": None}, {"prefetch": -1}, {"max_side": 0},
                {"max_unsaved": -1}):  # fmt: skip
        with pytest.raises(ValueError, match="Expected"):
            vc.label_pairs(pairs, images, **(options | bad))


def test_what_is_no_answer_about_these_features_or_items_is_refused_and_not_written(
    open_features, open_rater
):
    of_other_features = spell_as_a_browser_does(["anger"], [])
    of_some_items = write_rating_answer({"proud": 1, "hopeful": 2}, (1, 10))
    for widget, item, said in ((open_features(), "b", of_other_features), (open_rater(), "c", of_some_items)):
        reply = say(widget, "e1", item, said)
        assert "Refused" in reply["error"]
        assert reply["acknowledged"] == ["e1"]
        assert not widget.answer_file.exists()


def test_bad_options_of_features_and_ratings_are_refused_at_once(
    open_features, open_rater, images, assignment, tmp_path
):
    for bad in ({"annotator": " "}, {"question": ""}, {"construct": None}, {"prefetch": -1}, {"max_side": 0},
                {"max_unsaved": True}):  # fmt: skip
        with pytest.raises(ValueError, match="Expected"):
            open_features(**bad)
    with pytest.raises(ValueError, match="at least one image"):
        vc.label_features(images[:0], ASKED, annotator="Ana", save_to=tmp_path)
    with pytest.raises(ValueError, match="one of the 2 respondents"):
        open_rater(respondent="r3")
    with pytest.raises(ValueError, match="ends to be a list"):
        open_rater(ends="low")
    with pytest.raises(ValueError, match="'c'"):
        vc.rate_images(assignment, images[:2], respondent="r1", save_to=tmp_path)
    assert list(tmp_path.glob("*.jsonl")) == []


def label_in_a_process(pairs, images, folder, name):
    widget = vc.label_pairs(pairs, images, annotator="Ana", save_to=folder)
    widget.send = lambda *_: None
    for number in range(50):
        say_quietly(widget, f"{name}-{number}", pairs["pair_id"][number % len(pairs)])


def say_quietly(widget, event_id, item_id):
    event = {
        "event_id": event_id,
        "item_id": item_id,
        "answer": "same",
        "answered_at": "2026-01-05T10:00:00Z",
    }
    widget._receive(widget, {"kind": "answer", "event": event}, [])


@pytest.mark.slow
def test_two_kernels_that_label_at_once_lose_and_double_nothing(pairs, images, tmp_path):
    context = multiprocessing.get_context("spawn")
    kernels = [
        context.Process(target=label_in_a_process, args=(pairs, images, tmp_path / "answers", name))
        for name in "xy"
    ]
    for kernel in kernels:
        kernel.start()
    for kernel in kernels:
        kernel.join(60)
        assert kernel.exitcode == 0
    lines = name_answer_file(tmp_path / "answers", "Ana").read_text().splitlines()
    events = sorted(json.loads(line)["event_id"] for line in lines)
    assert events == sorted(f"{name}-{number}" for name in "xy" for number in range(50))
    assert len(vc.current_answers(vc.read_answers(tmp_path / "answers"))) == 3
