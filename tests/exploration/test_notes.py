import hashlib
import json

import pandas as pd
import pytest

import visclust as vc
from visclust.annotation.answer_files import append_answer, name_answer_file
from visclust.exploration.notes import check_note, key_clusters


@pytest.fixture
def clusters():
    return pd.DataFrame(
        {"image_id": list("abcde"), "cluster": [3, 3, 5, 5, -1], "iteration": 1, "silhouette": 0.1}
    )


@pytest.fixture
def say(tmp_path, clusters):
    """Put a note on disk as the widget does."""
    numbers = iter(range(100))

    def write(cluster, field, answer, text=None, *, researcher="Ana", keys=None, retracts=None):
        event = f"e{next(numbers)}"
        row = {"event_id": event, "item_id": f"cluster:{(keys or key_clusters(clusters))[cluster]}:{field}",
               "annotator": researcher, "answer": answer, "note": text, "retracts": retracts,
               "answered_at": f"2026-01-05T10:00:{int(event[1:]):02}Z"}  # fmt: skip
        append_answer(name_answer_file(tmp_path, researcher), row)
        return event

    return write


def test_the_latest_name_stands_and_a_cleared_one_is_empty(say, clusters, tmp_path):
    say(3, "name", "written", "boats")
    say(3, "name", "written", "ships")
    say(5, "name", "written", "birds")
    say(5, "name", "cleared")
    names = vc.read_cluster_notes(tmp_path, clusters).names
    assert names.to_dict("list") == {
        "cluster": [3, 5], "name": ["ships", ""], "noise": [False, False], "note": ["", ""],
    }  # fmt: skip


def test_frames_that_are_ticked_make_a_frames_table_and_those_unticked_do_not(say, clusters, tmp_path):
    say(5, "frame:security: at the border", "yes")
    say(5, "frame:family", "yes")
    say(3, "frame:family", "yes")
    say(3, "frame:family", "no")
    frames = vc.read_cluster_notes(tmp_path, clusters).frames
    assert frames.to_numpy().tolist() == [[5, "family"], [5, "security: at the border"]]


def test_a_frames_table_without_a_frame_is_still_one(say, clusters, tmp_path):
    say(3, "noise", "yes")
    notes = vc.read_cluster_notes(tmp_path, clusters)
    assert list(notes.frames.columns) == ["cluster", "frame"]
    assert notes.names["noise"].tolist() == [True, False]


def test_what_was_taken_back_does_not_stand_and_what_stood_before_does(say, clusters, tmp_path):
    say(3, "name", "written", "boats")
    second = say(3, "name", "written", "birds")
    say(3, "name", None, retracts=second)
    assert vc.read_cluster_notes(tmp_path, clusters).names["name"].tolist() == ["boats", ""]


def test_a_cluster_of_the_same_images_keeps_its_notes_under_another_number_and_in_another_order(
    say, clusters, tmp_path
):
    say(3, "name", "written", "boats")
    again = clusters.assign(cluster=[8, 8, 1, 1, -1])[::-1]
    assert vc.read_cluster_notes(tmp_path, again).names.to_numpy().tolist()[1] == [8, "boats", False, ""]


def test_a_cluster_of_the_same_number_with_one_image_more_has_no_notes_and_that_is_said(
    say, clusters, tmp_path
):
    say(3, "name", "written", "boats")
    say(5, "name", "written", "birds")
    again = clusters.assign(cluster=[3, 3, 5, 5, 3])
    with pytest.warns(UserWarning, match="1 clusters with notes .* other images"):
        names = vc.read_cluster_notes(tmp_path, again).names
    assert names["name"].tolist() == ["", "birds"]


def test_notes_of_two_people_are_not_mixed(say, clusters, tmp_path):
    say(3, "name", "written", "boats")
    say(3, "name", "written", "ships", researcher="Ben")
    with pytest.raises(ValueError, match="Ana, Ben: say whose"):
        vc.read_cluster_notes(tmp_path, clusters)
    assert vc.read_cluster_notes(tmp_path, clusters, researcher="Ben").names["name"][0] == "ships"
    assert vc.read_cluster_notes(tmp_path, clusters, researcher=" BEN").names["name"][0] == "ships"
    with pytest.raises(ValueError, match="'Cleo'"):
        vc.read_cluster_notes(tmp_path, clusters, researcher="Cleo")


def test_answers_to_pairs_in_the_same_folder_are_left_alone(say, clusters, tmp_path):
    say(3, "name", "written", "boats")
    row = {"event_id": "p", "item_id": "pair1", "annotator": "Ben", "answer": "same",
           "answered_at": "2026-01-05T10:00:00Z"}  # fmt: skip
    append_answer(name_answer_file(tmp_path, "Ben"), row)
    assert vc.read_cluster_notes(tmp_path, clusters).names["name"].tolist() == ["boats", ""]


def test_a_key_is_the_start_of_the_digest_of_the_sorted_images():
    clusters = pd.DataFrame({"image_id": ["b", "a"], "cluster": 7, "iteration": 1, "silhouette": 0.1})
    assert key_clusters(clusters) == {7: hashlib.sha256(b"a\nb").hexdigest()[:16]}


def test_the_unassigned_have_no_key(clusters):
    assert list(key_clusters(clusters)) == [3, 5]


@pytest.mark.parametrize(
    ("item", "answer", "expected"),
    [
        ("cluster:k:name", "written", True),
        ("cluster:k:name", "yes", False),
        ("cluster:k:noise", "no", True),
        ("cluster:k:frame:a:b", "yes", True),
        ("cluster:k:frame:", "yes", False),
        ("cluster:k:frame", "yes", False),
        ("cluster:k:name:x", "written", False),
        ("cluster::name", "written", False),
        ("pair1", "same", False),
        (None, "yes", False),
    ],
)
def test_only_what_can_be_said_of_a_cluster_is_a_note(item, answer, expected):
    assert check_note(item, answer) is expected


def test_a_note_is_one_line_that_a_person_can_read(say, tmp_path):
    say(3, "name", "written", "boats")
    row = json.loads(name_answer_file(tmp_path, "Ana").read_text())
    assert (row["answer"], row["note"]) == ("written", "boats")
