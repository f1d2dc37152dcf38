"""The kernel's side of the cluster browser: what it sends, what it writes, what it gives back."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import visclust as vc
from visclust.base.freshness import find_state, read_record
from visclust.corpus.links import ImagePosts
from visclust.embedding.embed import Embedding
from visclust.exploration.notes import key_clusters
from visclust.widgets import logs

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def corpus(tmp_path):
    rows = []
    for number in range(12):
        path = tmp_path / f"<i>file {number}.png"
        Image.new("RGB", (60, 40), (20 * number, 0, 0)).save(path)
        rows.append((f"img{number}", str(path), "ok", "", 60, 40))
    images = pd.DataFrame(rows, columns=["image_id", "path", "status", "reason", "width", "height"])
    clusters = pd.DataFrame(
        {"image_id": images["image_id"], "cluster": [0] * 6 + [1] * 4 + [-1] * 2, "iteration": 1,
         "silhouette": np.linspace(0.5, 0, 12)}
    )  # fmt: skip
    x = np.arange(12, dtype="float32")[:, None] * np.ones((1, 3), dtype="float32")
    posts = pd.DataFrame({"post_id": ["p1", "p2", "p3"], "text": ["A March", HOSTILE, "a march again"],
                          "author": ["ana", "ben", None]})  # fmt: skip
    posts["posted_at"] = pd.to_datetime(["2018-07-02", "2018-07-01", None], utc=True)
    links = pd.DataFrame({"post_id": ["p1", "p2", "p3", "p9"], "image_id": ["img0", "img0", "img7", "img1"]})
    return clusters, images, x, posts, links


@pytest.fixture
def open_browser(corpus, tmp_path):
    def open_one(**options):
        clusters, images, x, posts, links = corpus
        given = {"save_to": tmp_path / "answers", "posts": posts, "links": links, "frames": ["family"],
                 "researcher": "Ana"} | options  # fmt: skip
        browser = vc.browse_clusters(given.pop("clusters", clusters), images, given.pop("x", x), **given)
        browser.sent = []
        browser.send = lambda content, buffers=None: browser.sent.append((content, buffers or []))
        return browser

    return open_one


def tell(browser, kind, **message):
    """Deliver a message as the browser would, and return what the kernel sends back."""
    before = len(browser.sent)
    browser._receive(browser, {"kind": kind, **message}, [])
    return [content for content, _ in browser.sent[before:]]


def say(browser, corpus, event_id, cluster, field, answer, text=None, **more):
    event = {"event_id": event_id, "item_id": f"cluster:{key_clusters(corpus[0])[cluster]}:{field}",
             "answer": answer, "note": text, "answered_at": "2026-01-05T10:00:00.000Z"} | more  # fmt: skip
    return tell(browser, "note", event=event)[-1]


def test_a_view_that_opens_gets_the_clusters_and_no_image_and_no_path(open_browser, tmp_path):
    browser = open_browser()
    (state,) = tell(browser, "ready")
    assert [row[:2] for row in state["parts"]["rows"]] == [[0, 6], [1, 4], [-1, 2]]
    everything = json.dumps([browser.get_state(), state], default=str)
    for kept in ("img1", "<i>file", str(tmp_path), "March"):
        assert kept not in everything


def test_only_the_thumbnails_asked_for_are_sent(open_browser):
    browser = open_browser()
    rows = tell(browser, "ready")[0]["parts"]["rows"]
    (reply,) = tell(browser, "images", wanted=[{"list": rows[1][2], "start": 1, "stop": 3}])
    assert (reply["images"], reply["readable"]) == ([7, 8], [True, True])
    assert [bytes(jpeg[:2]) for jpeg in browser.sent[-1][1]] == [b"\xff\xd8"] * 2
    (reply,) = tell(browser, "images", wanted=[{"list": "of yesterday", "start": 0, "stop": 5}])
    assert reply["images"] == []


def test_one_request_cannot_ask_for_thousands_of_thumbnails(open_browser, monkeypatch):
    browser = open_browser()
    tell(browser, "ready")
    monkeypatch.setattr("visclust.widgets.browser._MOST_AT_ONCE", 3)
    (reply,) = tell(browser, "images", wanted=[{"list": "c0", "start": 0, "stop": 10**9}])
    assert reply["images"] == [0, 1, 2]


def test_an_image_that_was_deleted_since_is_said_to_be_unreadable(open_browser, corpus):
    browser = open_browser()
    tell(browser, "ready")
    Path(corpus[1]["path"][1]).unlink()
    (reply,) = tell(browser, "images", wanted=[{"list": "c0", "start": 0, "stop": 2}])
    assert reply["readable"] == [True, False]


def test_posts_of_an_image_come_in_order_of_time_and_as_they_are(open_browser):
    (reply,) = tell(open_browser(), "posts", image=0)
    assert [post["text"] for post in reply["posts"]] == [HOSTILE, "A March"]
    assert reply["posts"][1] == {"author": "ana", "posted_at": "2018-07-02 00:00", "text": "A March"}
    assert (reply["image_id"], reply["cluster"], reply["total"]) == ("img0", 0, 2)


def test_words_are_found_in_posts_whatever_their_capitals(open_browser):
    browser = open_browser()
    (state,) = tell(browser, "filter", words="MARCH")
    assert [row[:2] for row in state["parts"]["rows"]] == [[0, 1], [1, 1]]
    rows = state["parts"]["rows"]
    (reply,) = tell(browser, "images", wanted=[{"list": rows[1][2], "start": 0, "stop": 9}])
    assert reply["images"] == [7]
    (state,) = tell(browser, "filter", words="")
    assert [row[1] for row in state["parts"]["rows"]] == [6, 4, 2]


def test_posts_are_filtered_by_author_and_days_and_counted_for_sorting(open_browser):
    browser = open_browser()
    assert browser.settings["has_authors"]
    assert browser.settings["has_times"]
    (state,) = tell(browser, "ready")
    assert {one["cluster"]: one["posts"] for one in state["parts"]["clusters"]} == {0: 2, 1: 1, -1: 0}
    for asked, expected in (
        ({"author": "ANA"}, [[0, 1]]),
        ({"author": "", "since": "2018-07-02"}, [[0, 1]]),
        ({"since": "", "until": "2018-07-01"}, [[0, 1]]),
        ({"since": "2018-07-03", "until": ""}, []),
        ({"since": ""}, [[0, 6], [1, 4], [-1, 2]]),
        ({"author": "ben", "words": "march"}, []),  # both of one post
    ):
        (state,) = tell(browser, "filter", **asked)
        assert [row[:2] for row in state["parts"]["rows"]] == expected
    assert state["parts"]["author"] == "ben"
    (state,) = tell(browser, "filter", since="yesterday")
    assert "Expected a day such as 2018-06-30" in state["error"]


def test_a_list_under_another_filter_has_another_name(open_browser):
    browser = open_browser()
    names = [
        tell(browser, "filter", words=words)[0]["parts"]["rows"][0][2] for words in ("march", "again", "")
    ]
    assert len(set(names)) == 3


def test_a_note_is_on_disk_before_it_is_acknowledged(open_browser, corpus, monkeypatch):
    browser = open_browser()
    order = []
    flush, send = os.fsync, browser.send
    monkeypatch.setattr(os, "fsync", lambda descriptor: (order.append("flushed"), flush(descriptor)))
    say(browser, corpus, "e0", 1, "name", "written", "birds")
    order.clear()
    browser.send = lambda *message: (order.append("acknowledged"), send(*message))
    reply = say(browser, corpus, "e1", 0, "name", "written", "boats")
    assert order == ["flushed", "acknowledged"]
    assert reply["acknowledged"] == ["e1"]
    assert reply["parts"]["clusters"][0]["name"] == "boats"
    assert vc.read_answers(browser.notes_file)["note"].tolist() == ["birds", "boats"]


def test_names_and_frames_come_back_as_tables_and_after_a_restart(open_browser, corpus):
    browser = open_browser()
    say(browser, corpus, "e1", 1, "name", "written", "birds")
    say(browser, corpus, "e2", 1, "frame:family", "yes")
    say(browser, corpus, "e3", 0, "noise", "yes")
    say(browser, corpus, "e4", 0, "note", "written", "seen twice")
    for one in (browser, open_browser()):
        assert one.names().to_numpy().tolist() == [[0, "", True, "seen twice"], [1, "birds", False, ""]]
        assert vc.check_table(one.frames(), "frames").to_numpy().tolist() == [[1, "family"]]


def test_frames_go_back_to_the_clusters_and_to_the_file_in_which_they_were_ticked(
    open_browser, corpus, tmp_path
):
    folder = tmp_path / "cluster_notes"
    browser = open_browser(save_to=folder)
    say(browser, corpus, "e1", 1, "frame:family", "yes")
    assert set(browser.frames().attrs["provenance"]["origins"]) == {"clusters", "answers"}
    read = vc.read_cluster_notes(folder, corpus[0]).frames
    assert read.attrs["provenance"]["origins"]["answers"]
    path = vc.save_table(browser.frames(), tmp_path / "frames.parquet", "frames")
    (file,) = folder.glob("*.jsonl")
    assert find_state(path).status == "fresh"
    assert list(read_record(path)["sources"]) == [f"cluster_notes/{file.name}"]
    (folder / "ben.jsonl").write_text("")  # another's notes are no update of these
    assert find_state(path).status == "fresh"
    with file.open("a") as more:
        more.write(file.read_text().splitlines()[0].replace('"e1"', '"e9"') + "\n")
    assert find_state(path).status == "update available"


def test_undo_takes_back_the_latest_and_what_stood_before_stands_again(open_browser, corpus):
    browser = open_browser()
    say(browser, corpus, "e1", 1, "name", "written", "birds")
    reply = say(browser, corpus, "e2", 1, "name", "written", "bees")
    undoable = reply["parts"]["undoable"]
    assert undoable["event_id"] == "e2"
    reply = tell(browser, "note", event={"event_id": "e3", "item_id": undoable["item_id"], "retracts": "e2",
                                         "answered_at": "2026-01-05T10:00:02Z"})[-1]  # fmt: skip
    assert reply["parts"]["clusters"][0]["name"] == "birds"
    assert reply["parts"]["undoable"]["event_id"] == "e1"
    assert len(vc.read_answers(browser.notes_file)) == 3


def test_a_note_sent_again_is_acknowledged_and_not_written_again(open_browser, corpus):
    browser = open_browser()
    for _ in range(3):
        assert say(browser, corpus, "e1", 1, "noise", "yes")["acknowledged"] == ["e1"]
    assert len(browser.notes_file.read_text().splitlines()) == 1


def test_two_kernels_on_one_file_see_each_others_notes(open_browser, corpus):
    one, other = open_browser(), open_browser()
    say(one, corpus, "e1", 1, "name", "written", "birds")
    say(other, corpus, "e2", 0, "name", "written", "boats")
    assert one.names()["name"].tolist() == other.names()["name"].tolist() == ["boats", "birds"]


def test_notes_are_not_carried_to_another_clustering(open_browser, corpus):
    say(open_browser(), corpus, "e1", 1, "name", "written", "birds")
    another = corpus[0].assign(cluster=[0] * 5 + [1] * 5 + [-1] * 2)
    browser = open_browser(clusters=another)
    assert browser.names()["name"].tolist() == ["", ""]
    # One that the browser kept and sends only now stays on file for the clustering that it is about.
    assert say(browser, corpus, "e2", 1, "note", "written", "late")["acknowledged"] == ["e2"]
    assert browser.names()["note"].tolist() == ["", ""]
    assert open_browser().names().iloc[1].tolist() == [1, "birds", False, "late"]


def test_a_full_disk_is_shown_and_the_note_sent_again_is_saved(open_browser, corpus, monkeypatch):
    browser = open_browser()

    def fail(path, row):
        raise OSError(28, "No space left on device", "/secret/path")

    with monkeypatch.context() as full:
        full.setattr(logs, "append_answer", fail)
        reply = say(browser, corpus, "e1", 1, "name", "written", "birds")
    assert "No space left" in reply["error"]
    assert "/secret" not in json.dumps(reply)
    assert reply["acknowledged"] == []
    assert browser.names()["name"].tolist() == ["", ""]
    assert say(browser, corpus, "e1", 1, "name", "written", "birds")["acknowledged"] == ["e1"]


def test_an_edited_file_keeps_the_note_in_the_browser_and_what_was_read_before_still_stands(
    open_browser, corpus
):
    browser = open_browser()
    say(browser, corpus, "e1", 1, "name", "written", "birds")
    browser.notes_file.write_text('{"event_id": 3}\n' * 40)
    reply = say(browser, corpus, "e2", 1, "name", "written", "bees")
    assert "Not saved, but kept" in reply["error"]
    assert reply["acknowledged"] == []
    sorted_reply = tell(browser, "sort", by="name")[-1]
    assert "The notes cannot be read" in sorted_reply["error"]
    assert sorted_reply["parts"]["rows"][0][0] == 1


def test_a_drive_that_is_gone_is_said_without_a_path(open_browser, corpus, monkeypatch):
    browser = open_browser()
    say(browser, corpus, "e1", 1, "name", "written", "birds")

    def fail(self):
        raise OSError(5, "Input/output error", "/secret/path")

    monkeypatch.setattr(logs.TailedFile, "_find_end", fail)
    reply = say(browser, corpus, "e2", 1, "name", "written", "bees")
    assert "Not saved: Input/output error" in reply["error"]
    reply = tell(browser, "ready")[-1]
    assert reply["error"] == "The notes cannot be read: Input/output error"
    assert "secret" not in json.dumps(reply)


def test_what_is_no_note_is_refused_and_not_asked_for_again(open_browser, corpus):
    browser = open_browser()
    for field, answer in (("name", "yes"), ("colour", "written"), ("frame:", "yes"), ("noise", None)):
        reply = say(browser, corpus, "e1", 1, field, answer)
        assert "Refused" in reply["error"]
        assert reply["acknowledged"] == ["e1"]
    assert not browser.notes_file.exists()


def test_a_torn_last_line_is_repaired_with_a_message(open_browser, corpus):
    browser = open_browser()
    say(browser, corpus, "e1", 1, "name", "written", "birds")
    say(browser, corpus, "e2", 0, "name", "written", "boats")
    browser.notes_file.write_bytes(browser.notes_file.read_bytes()[:-30])
    with pytest.warns(UserWarning, match="cut off"):
        again = open_browser()
    assert "closed off" in tell(again, "ready")[0]["message"]
    assert again.names()["name"].tolist() == ["", "birds"]


def test_the_selection_comes_back_as_rows_of_the_clusters_table(open_browser, corpus):
    browser = open_browser()
    assert len(browser.selection()) == 0
    tell(browser, "select", images=[7, 2], on=True)
    tell(browser, "open", cluster=-1)
    tell(browser, "select", images="sheet", on=True)
    tell(browser, "select", images=[2], on=False)
    chosen = browser.selection()
    assert chosen["image_id"].tolist() == ["img7", "img10", "img11"]
    assert chosen["cluster"].tolist() == [1, -1, -1]
    assert [Path(path) for path in chosen["path"]] == [Path(corpus[1]["path"][i]) for i in (7, 10, 11)]
    tell(browser, "select", images="all", on=False)
    assert browser.selection().columns.tolist() == chosen.columns.tolist()


def test_the_selection_stays_what_it_is_when_the_table_changes_in_the_notebook(open_browser, corpus):
    clusters = corpus[0].copy()
    browser = open_browser(clusters=clusters)
    tell(browser, "select", images=[7], on=True)
    clusters["image_id"] = clusters["image_id"].to_numpy()[::-1]
    assert browser.selection()["image_id"].tolist() == ["img7"]


def test_more_like_this_comes_by_distance_with_the_image_itself_first(open_browser):
    browser = open_browser()
    (state,) = tell(browser, "like", image=4)
    sheet = state["parts"]["sheet"]
    (reply,) = tell(browser, "images", wanted=[{"list": sheet["list"], "start": 0, "stop": 5}])
    assert (sheet["count"], reply["images"][0], sorted(reply["images"][1:3])) == (12, 4, [3, 5])
    assert sorted(reply["images"]) == [2, 3, 4, 5, 6]


def test_images_are_opened_from_the_notebook_in_the_order_given(open_browser):
    browser = open_browser()
    for ids in (["img3", "img1"], ["img5"]):
        browser.show(ids, title="From the map")
    sheet = browser.sent[-1][0]["parts"]["sheet"]
    assert (sheet["title"], sheet["count"], sheet["depth"]) == ("From the map", 1, 1)
    with pytest.raises(ValueError, match="'nowhere'"):
        browser.show(["img1", "nowhere"])


def test_a_message_that_makes_no_sense_is_answered_and_changes_nothing(open_browser):
    browser = open_browser()
    before = browser.browsing
    for message in ({"kind": "dance"}, {"kind": "sort", "by": "colour"}, {"kind": "posts", "image": 99},
                    {"kind": "zoom", "image": "1"}, {"kind": "open", "cluster": "x"}, {"kind": "images"},
                    {"kind": "select", "images": [-1], "on": True}, {"kind": "filter", "words": 5},
                    {"kind": "note", "event": [1]}, {"kind": "open", "cluster": float("inf")}):  # fmt: skip
        assert "unknown" in tell(browser, message.pop("kind"), **message)[-1]["error"]
    assert browser.browsing == before
    assert "unknown" in tell(open_browser(x=None), "like", image=1)[-1]["error"]


def test_bad_tables_and_options_are_refused_at_once(open_browser, corpus):
    clusters, _, x, posts, _ = corpus
    with pytest.raises(ValueError, match="for each of the 12 rows"):
        open_browser(x=x[:5])
    with pytest.raises(ValueError, match="posts and links together"):
        open_browser(links=None)
    with pytest.raises(ValueError, match="text is missing"):
        open_browser(posts=posts.drop(columns="text"))
    with pytest.raises(ValueError, match="come twice"):
        open_browser(posts=pd.concat([posts, posts]))
    with pytest.raises(ValueError, match="NaN"):
        open_browser(x=x * np.nan)
    with pytest.raises(ValueError, match="'unknown'"):
        open_browser(clusters=clusters.replace("img3", "unknown"))
    for bad in ({"frames": "family"}, {"frames": ["a", " a"]}, {"frames": [""]}, {"frames": [3]},
                {"researcher": " "}, {"max_side": 0}, {"height": 1.5}):  # fmt: skip
        with pytest.raises(ValueError, match="Expected"):
            open_browser(**bad)


def test_posts_of_images_that_are_not_browsed_do_not_count():
    posts = pd.DataFrame({"post_id": ["p"], "text": ["x"]})
    links = pd.DataFrame({"post_id": ["p", "p"], "image_id": ["a", "elsewhere"]})
    found = ImagePosts(["a", "b"], posts, links)
    assert (found.count_posts(0), found.count_posts(1), found.find_images("x")) == (1, 0, frozenset({0}))
    assert ImagePosts(["a"]).find_images("x") == frozenset()


def test_an_embedding_of_other_images_is_refused(open_browser, corpus):
    x = corpus[2]
    ids = corpus[0]["image_id"].tolist()
    open_browser(x=Embedding(x, ids, {}))
    with pytest.raises(ValueError, match="its rows are other images"):
        open_browser(x=Embedding(x, [f"other{name}" for name in ids], {}))
    with pytest.raises(ValueError, match="in another order"):
        open_browser(x=Embedding(x, ids[::-1], {}))
