"""Files of answers: what people send back is taken in once, and what is no answer not at all."""

import csv
import json

import pandas as pd
import pytest

import visclust as vc
from visclust.annotation.answer_files import ANSWER_COLUMNS


def make_row(event_id, **more):
    row = dict.fromkeys(ANSWER_COLUMNS) | {
        "event_id": event_id, "item_id": "p1", "annotator": "Ana", "answer": "same", "seconds": 1.25,
        "answered_at": "2026-01-05T10:00:00.000Z", "simulated": False,
    }  # fmt: skip
    return row | more


def test_importing_a_file_again_or_a_longer_one_adds_only_what_is_new(tmp_path):
    short, long = tmp_path / "short.jsonl", tmp_path / "long.jsonl"
    rows = [
        make_row("e1"),
        make_row("e2", item_id="p2"),
        make_row("e3", item_id="p2", answer=None, retracts="e2"),
    ]
    short.write_text(json.dumps(rows[0]) + "\n")
    long.write_text("".join(json.dumps(row) + "\n" for row in rows))
    store = tmp_path / "answers"
    assert vc.import_answers(short, store)[:2] == (1, 0)
    assert vc.import_answers(short, store)[:2] == (0, 1)
    assert vc.import_answers(long, store)[:2] == (2, 1)
    assert vc.current_answers(vc.read_answers(store))["item_id"].tolist() == ["p1"]


def test_a_csv_download_means_the_same_as_the_jsonl_one(tmp_path):
    rows = [make_row("e1", note='a "quoted", note\nof two lines – ü', left="a", right="b"),
            make_row("e2", answer=None, retracts="e1", seconds=None)]  # fmt: skip
    (tmp_path / "one.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with (tmp_path / "two.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, ANSWER_COLUMNS, quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(
            {name: "" if value is None else value for name, value in row.items()} for row in rows
        )
    vc.import_answers(tmp_path / "one.jsonl", tmp_path / "from jsonl")
    vc.import_answers(tmp_path / "two.csv", tmp_path / "from csv")
    pd.testing.assert_frame_equal(
        vc.read_answers(tmp_path / "from jsonl"), vc.read_answers(tmp_path / "from csv")
    )


def test_a_file_of_two_annotators_is_sorted_into_their_files(tmp_path):
    path = tmp_path / "both.jsonl"
    rows = [make_row("e1"), make_row("e2", annotator="Ben"), make_row("e3", annotator="Ana", simulated=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = vc.import_answers(path, tmp_path / "answers")
    assert (done.added, len(done.files)) == (3, 3)
    assert vc.read_answers(tmp_path / "answers", simulated=False)["annotator"].tolist() == ["Ana", "Ben"]


@pytest.mark.parametrize("content", ['{"a": 1}\n', "3\n", json.dumps(make_row("e1", seconds="x")) + "\n"])
def test_a_file_that_holds_no_answers_is_refused_and_nothing_imported(tmp_path, content):
    path = tmp_path / "wrong.jsonl"
    path.write_text(json.dumps(make_row("e0")) + "\n" + content)
    with pytest.raises(ValueError, match="line 2"):
        vc.import_answers(path, tmp_path / "answers")
    assert not (tmp_path / "answers").exists()


def test_other_files_are_refused_with_what_was_expected(tmp_path):
    (tmp_path / "answers.xlsx").touch()
    with pytest.raises(ValueError, match=r"\.jsonl or \.csv"):
        vc.import_answers(tmp_path / "answers.xlsx", tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        vc.import_answers(tmp_path / "nowhere.jsonl", tmp_path)
    (tmp_path / "bad.csv").write_text("event_id,seconds\ne1,soon\n")
    with pytest.raises(ValueError, match="line 2"):
        vc.import_answers(tmp_path / "bad.csv", tmp_path)
