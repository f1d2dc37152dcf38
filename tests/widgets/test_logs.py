"""Answers and notes joined to their files: nothing that was acknowledged is lost, whoever else writes."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import warnings

import pytest

import visclust as vc
from visclust.annotation.answer_files import append_answer, name_answer_file
from visclust.widgets import logs
from visclust.widgets.logs import AnswerLog, NoteLog, RefusedAnswerError, TailedFile, record_or_explain

KEYS = {0: "aaaa", 1: "bbbb"}


def make_row(event_id, item_id="p1", said="same", **more):
    row = {"event_id": event_id, "item_id": item_id, "annotator": "Ana", "answer": said,
           "answered_at": "2026-01-05T10:00:00.000Z"}  # fmt: skip
    return row | more


class Reader:
    """A tailed file and what it has brought: the ids of the events, and how often it started afresh."""

    def __init__(self, folder):
        self.file = TailedFile(name_answer_file(folder, "Ana"))
        self.ids, self.fresh_starts = [], 0

    def look(self):
        return self.file.read_on(self.take)

    def take(self, rows, *, afresh):
        if afresh:
            self.ids, self.fresh_starts = [], self.fresh_starts + 1
        self.ids += [row["event_id"] for row in rows]


@pytest.fixture
def reader(tmp_path):
    return Reader(tmp_path / "answers")


def open_answers(folder, **options):
    return AnswerLog(
        ["p1", "p2", "p3"],
        **{"annotator": "Ana", "save_to": folder, "accepts": {"same", "different"}.__contains__,
           "describe_item": lambda item: {"left": f"left of {item}"}, "widget_version": "1"} | options
    )  # fmt: skip


def open_notes(folder):
    return NoteLog(KEYS, researcher="Ana", save_to=folder, widget_version="1")


def make_note(event_id, cluster=0, field="name", said="written", text="marches", **more):
    return make_row(event_id, f"cluster:{KEYS[cluster]}:{field}", said, note=text) | more


def write_torn(path, row, *, kept):
    """Leave a file as a process leaves it that is killed while it writes a row."""
    with path.open("ab") as file:
        file.write((json.dumps(row) + "\n").encode()[:kept])


# The file itself.


def test_the_folder_is_made_and_the_file_only_with_the_first_row(reader):
    assert reader.file.path.parent.is_dir()
    assert not reader.file.path.exists()
    assert (reader.file.message, reader.look()) == ("", False)
    assert reader.file.append(make_row("e1"))
    assert reader.look()
    assert (reader.ids, reader.look()) == (["e1"], False)


def test_rows_of_others_come_in_the_order_of_the_file_with_ones_own_among_them(reader):
    append_answer(reader.file.path, make_row("other 1"))
    reader.file.append(make_row("own"))
    append_answer(reader.file.path, make_row("other 2"))
    reader.look()
    append_answer(reader.file.path, make_row("other 3"))
    reader.look()
    assert reader.ids == ["other 1", "own", "other 2", "other 3"]
    assert reader.fresh_starts == 0


def test_a_row_counts_once_however_often_it_stands_in_the_file_or_is_sent(reader):
    for event_id in ("e1", "e2", "e1"):
        append_answer(reader.file.path, make_row(event_id))
    reader.look()
    append_answer(reader.file.path, make_row("e2"))
    assert reader.look()
    assert reader.ids == ["e1", "e2"]
    assert not reader.file.append(make_row("e2"))
    assert len(reader.file.path.read_text().splitlines()) == 4


@pytest.mark.parametrize("kept", [1, 40, -2])
def test_a_torn_last_line_is_closed_off_when_the_file_is_opened_which_is_said(reader, kept):
    append_answer(reader.file.path, make_row("e1"))
    write_torn(reader.file.path, make_row("e2"), kept=kept)
    again = Reader(reader.file.path.parent)
    assert "closed off" in again.file.message
    with pytest.warns(UserWarning, match="line 2 .* cut off"):
        again.look()
    assert again.ids == ["e1"]
    assert again.file.append(make_row("e2"))  # the browser sends again what was not acknowledged
    again.look()
    assert again.ids == ["e1", "e2"]


def test_a_line_that_another_process_is_just_writing_is_read_when_it_is_whole(reader):
    whole = (json.dumps(make_row("e2")) + "\n").encode()
    append_answer(reader.file.path, make_row("e1"))
    with reader.file.path.open("ab", buffering=0) as other:
        other.write(whole[:30])
        with pytest.warns(UserWarning, match="cut off"):
            reader.look()
        assert reader.ids == ["e1"]
        other.write(whole[30:])
    reader.look()
    assert (reader.ids, reader.fresh_starts) == (["e1", "e2"], 0)


def test_a_row_after_the_torn_line_of_another_process_is_whole_and_read(reader):
    append_answer(reader.file.path, make_row("e1"))
    reader.look()
    write_torn(reader.file.path, make_row("e2"), kept=50)
    with pytest.warns(UserWarning, match="closed off"):
        reader.file.append(make_row("e3"))
    with pytest.warns(UserWarning, match="cut off"):
        reader.look()
    assert reader.ids == ["e1", "e3"]
    with pytest.warns(UserWarning, match="cut off"):
        assert vc.read_answers(reader.file.path)["event_id"].tolist() == ["e1", "e3"]


def test_a_last_line_that_lacks_only_its_newline_counts_once(reader):
    append_answer(reader.file.path, make_row("e1"))
    reader.file.path.write_bytes(reader.file.path.read_bytes().rstrip(b"\n"))
    reader.look()
    with pytest.warns(UserWarning, match="closed off"):
        reader.file.append(make_row("e2"))
    reader.look()
    assert reader.ids == ["e1", "e2"]


def test_a_file_that_shrank_says_alone_what_stands(reader):
    for number in range(3):
        reader.file.append(make_row(f"e{number}"))
    reader.look()
    kept = b"".join(reader.file.path.read_bytes().splitlines(keepends=True)[:1])
    reader.file.path.write_bytes(kept)
    reader.look()
    assert (reader.ids, reader.fresh_starts) == (["e0"], 1)
    assert reader.file.append(make_row("e2"))  # it is not on file any more
    reader.look()
    assert (reader.ids, reader.fresh_starts) == (["e0", "e2"], 1)


def test_a_file_that_was_moved_away_starts_afresh_and_so_does_one_put_back(reader):
    reader.file.append(make_row("e1"))
    reader.look()
    aside = reader.file.path.with_suffix(".old")
    reader.file.path.rename(aside)
    assert reader.look()
    assert (reader.ids, reader.look()) == ([], False)
    aside.rename(reader.file.path)
    reader.look()
    assert reader.ids == ["e1"]


@pytest.mark.skipif(os.name == "nt", reason="Windows replaces no file that is open")
@pytest.mark.parametrize("n_rows", [1, 5])
def test_a_file_that_another_one_replaced_is_read_from_its_start_however_long_it_is(reader, tmp_path, n_rows):
    reader.file.append(make_row("e0"))
    reader.look()
    other = name_answer_file(tmp_path / "copy", "Ana")
    for number in range(n_rows):
        append_answer(other, make_row(f"x{number}"))
    other.replace(reader.file.path)  # as a tool does that puts a copy back; with one row it has the same size
    assert reader.look()
    assert (reader.ids, reader.fresh_starts) == ([f"x{number}" for number in range(n_rows)], 1)
    assert reader.file.append(make_row("e0"))


def test_what_was_refused_or_could_not_be_read_comes_again_with_the_next_look(reader):
    append_answer(reader.file.path, make_row("e1"))

    def refuse(rows, *, afresh):
        raise ValueError("another question")

    for _ in range(2):
        with pytest.raises(ValueError, match="another question"):
            reader.file.read_on(refuse)
    reader.look()
    assert reader.ids == ["e1"]
    whole = reader.file.path.read_bytes()
    reader.file.path.write_bytes(whole + b'{"some": "other file"}\n')
    for _ in range(2):
        with pytest.raises(ValueError, match=r"in line 2 of ana-24d4b96f\.jsonl"):
            reader.look()
    reader.file.path.write_bytes(whole)  # mended
    append_answer(reader.file.path, make_row("e2"))
    reader.look()
    assert reader.ids == ["e1", "e2"]


# Both logs: what they take in, and in which words they fail.


def test_an_undo_shows_its_item_again_and_another_kernels_answer_moves_on(tmp_path):
    log = open_answers(tmp_path)
    for number, item in enumerate(("p1", "p2")):
        log.record(make_row(f"e{number}", item))
    log.record(make_row("e2", "p2", None, retracts="e1"))
    log.record(make_row("e3", "p1", None, retracts="e0"))
    log.record(make_row("e4", "p1"))
    log.record(make_row("e5", "p2", "different"))
    log.record(make_row("e6", "p2", None, retracts="e5"))
    assert log.state.current == "p2"
    log.catch_up()
    assert log.state.current == "p2"
    log.record(make_row("e7", "p1", None, retracts="e4"))
    assert log.state.current == "p1"
    open_answers(tmp_path).record(make_row("e8", "p1", "different"))
    log.catch_up()
    assert (log.state.current, log.state.answers["p1"].answer) == ("p2", "different")
    assert open_answers(tmp_path).state.standing == log.state.standing


def test_a_row_that_another_kernel_writes_just_before_ones_own_is_taken_in(tmp_path, monkeypatch):
    answers, notes = open_answers(tmp_path / "answers"), open_notes(tmp_path / "notes")
    append = append_answer

    def append_after_another(path, row):
        monkeypatch.setattr(logs, "append_answer", append)
        other = make_note("other", text="boats") if path == notes.path else make_row("other", "p2")
        append(path, other)
        return append(path, row)

    monkeypatch.setattr(logs, "append_answer", append_after_another)
    answers.record(make_row("own", "p1"))
    assert answers.state.current == "p3"
    monkeypatch.setattr(logs, "append_answer", append_after_another)
    notes.record(make_note("own", text="birds"))
    assert notes.notes[0].name == open_notes(tmp_path / "notes").notes[0].name == "birds"  # the later one
    assert notes.undoable["event_id"] == "own"


def test_a_clock_that_was_set_back_does_not_make_an_undo_take_back_another_answer(tmp_path):
    log = open_answers(tmp_path)
    log.record(make_row("e1", "p1", answered_at="2026-01-05T12:00:00Z"))
    log.record(make_row("e2", "p2", answered_at="2026-01-05T09:00:00Z"))  # the clock was set back
    for state in (log.state, open_answers(tmp_path).state):
        assert state.undoable.event_id == "e2"
    log.record(make_row("u1", "p2", None, answered_at="2026-01-05T09:01:00Z", retracts="e2"))
    log.record(make_row("e3", "p1", "different", answered_at="2026-01-05T09:02:00Z"))
    standing = vc.current_answers(vc.read_answers(tmp_path))
    assert standing[["item_id", "answer"]].to_numpy().tolist() == [["p1", "different"]]


def test_a_later_answer_exceeds_those_of_another_device_whose_clock_was_ahead(tmp_path):
    log = open_answers(tmp_path)
    ahead = 41_024_448_000  # the year 2100 in tenths of a second
    append_answer(log.path, make_row("e1", counter=ahead, answered_at="2100-01-01T00:00:00Z"))
    log.record(make_row("e2", "p1", "different"))
    assert vc.read_answers(tmp_path)["counter"].tolist() == [ahead, ahead + 1]
    assert vc.current_answers(vc.read_answers(tmp_path))["answer"].tolist() == ["different"]


def test_a_note_on_a_cluster_is_the_latest_whatever_the_clock_says(tmp_path):
    log = open_notes(tmp_path)
    log.record(make_note("e1", text="first", answered_at="2026-01-05T12:00:00Z"))
    log.record(make_note("e2", text="second", answered_at="2026-01-05T09:00:00Z"))
    for one in (log, open_notes(tmp_path)):
        assert one.notes[0].name == "second"
        assert one.undoable["event_id"] == "e2"


def test_what_an_undo_takes_back_may_come_after_it(tmp_path):
    rows = [make_row("u1", "p1", None, retracts="e1"), make_row("e1", "p1"), make_row("e2", "p2")]
    log, path = open_answers(tmp_path), name_answer_file(tmp_path, "Ana")
    for row in rows:  # as where a spreadsheet sorted a download that was imported then
        append_answer(path, row)
        log.catch_up()
    for one in (log, open_answers(tmp_path)):
        assert [event.event_id for event in one.state.standing] == ["e2"]
    assert vc.current_answers(vc.read_answers(path))["event_id"].tolist() == ["e2"]
    notes = open_notes(tmp_path / "notes")
    for row in (
        make_note("u2", said=None, text=None, retracts="n1"),
        make_note("n1"),
        make_note("n2", text="x"),
    ):
        append_answer(notes.path, row)
        notes.catch_up()
    for one in (notes, open_notes(tmp_path / "notes")):
        assert one.undoable["event_id"] == "n2"


def test_two_spellings_of_a_name_are_one_log_that_goes_on_with_the_first(tmp_path):
    log = open_answers(tmp_path)
    log.record(make_row("e1", "p1"))
    other = open_answers(tmp_path, annotator=" aNA\u200b")
    assert (other.annotator, other.path) == ("Ana", log.path)
    other.record(make_row("e2", "p2"))
    log.catch_up()
    assert [event.event_id for event in log.state.standing] == ["e1", "e2"]
    assert vc.read_answers(tmp_path)["annotator"].tolist() == ["Ana", "Ana"]


def test_rows_of_somebody_else_in_ones_file_are_left_alone(tmp_path):
    answers, notes = open_answers(tmp_path / "answers"), open_notes(tmp_path / "notes")
    append_answer(answers.path, make_row("e1", annotator="Ben"))
    append_answer(notes.path, make_note("e1", annotator="Ben"))
    answers.catch_up()
    notes.catch_up()
    assert (answers.state.current, notes.notes) == ("p1", {})


def test_a_file_with_answers_to_another_question_is_refused_each_time_and_the_state_kept(tmp_path):
    log = open_answers(tmp_path)
    log.record(make_row("e1", "p1"))
    append_answer(log.path, make_row("e2", "p2", "yellow"))
    for _ in range(2):
        with pytest.raises(ValueError, match="another question"):
            log.record(make_row("e3", "p3"))
    assert list(log.state.answers) == ["p1"]
    assert len(vc.read_answers(log.path)) == 2


def test_a_replaced_file_says_what_is_answered_and_noted(tmp_path):
    answers, notes = open_answers(tmp_path / "answers"), open_notes(tmp_path / "notes")
    answers.record(make_row("e1", "p1"))
    notes.record(make_note("e1"))
    shutil.rmtree(tmp_path / "answers")
    shutil.rmtree(tmp_path / "notes")
    answers.record(make_row("e2", "p2"))
    notes.record(make_note("e2", 1))
    assert list(answers.state.answers) == ["p2"]
    assert list(notes.notes) == [1]


@pytest.mark.parametrize("open_log", [open_answers, open_notes])
def test_a_failure_is_said_in_words_without_a_path_and_what_failed_may_be_sent_again(
    tmp_path, monkeypatch, open_log
):
    log = open_log(tmp_path)
    event = make_row("e1") if open_log is open_answers else make_note("e1")

    def fail(path, row):
        raise OSError(28, "No space left on device", "/secret/path")

    with monkeypatch.context() as full:
        full.setattr(logs, "append_answer", fail)
        acknowledged, error = record_or_explain(log, event)
    assert (acknowledged, "No space left on device" in error, "secret" in error) == ([], True, False)
    assert "kept in this browser" in error
    assert record_or_explain(log, event) == (["e1"], "")
    assert record_or_explain(log, event) == (["e1"], "")
    assert len(vc.read_answers(log.path)) == 1

    acknowledged, error = record_or_explain(log, event | {"event_id": "e2", "answer": "yellow"})
    assert acknowledged == ["e2"]
    assert error.startswith("Refused: ")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # reading goes on in the middle of a line
        log.path.write_text('{"event_id": 3}\n' * 40)
        acknowledged, error = record_or_explain(log, event | {"event_id": "e4"})
    assert (acknowledged, error.startswith("Not saved, but kept")) == ([], True)


def test_what_is_no_answer_or_no_note_is_refused_and_nothing_written(tmp_path):
    answers, notes = open_answers(tmp_path / "answers"), open_notes(tmp_path / "notes")
    for change in ({"answer": "yellow"}, {"answer": None}, {"seconds": "long"}, {"answered_at": "now"}):
        with pytest.raises(RefusedAnswerError):
            answers.record(make_row("e1") | change)
    for change in ({"answer": "yes"}, {"item_id": "p1"}, {"answered_at": "now"}, {"event_id": ""}):
        with pytest.raises(RefusedAnswerError):
            notes.record(make_note("e1") | change)
    assert not answers.path.exists()
    assert not notes.path.exists()


def test_rows_say_whose_they_are_and_what_was_shown_and_long_notes_are_cut(tmp_path):
    answers, notes = open_answers(tmp_path / "answers"), open_notes(tmp_path / "notes")
    answers.record(make_row("e1", seconds=2, note="x" * 3000, annotator="somebody else", simulated=True))
    notes.record(make_note("e1", text="x" * 3000, annotator="somebody else", seconds=2))
    for log, left, seconds in ((answers, "left of p1", 2), (notes, None, None)):
        row = json.loads(log.path.read_text())
        assert (row["annotator"], row["widget_version"], row["simulated"]) == ("Ana", "1", False)
        assert (row["left"], row["seconds"], len(row["note"])) == (left, seconds, 2000)


# What follows happens in a process of its own, which is killed.

WRITER = """
import os, sys
from visclust.widgets.logs import AnswerLog, record_or_explain
items = [f"p{number}" for number in range(50)]
log = AnswerLog(items, annotator="Ana", save_to=sys.argv[1], accepts="same".__eq__,
                describe_item=lambda item: {}, widget_version="1")
number = 0
while True:
    event = {"event_id": f"{sys.argv[2]}-{number}", "item_id": items[number % 50], "answer": "same",
             "answered_at": "2026-01-05T10:00:00Z", "note": "x" * (number % 300)}
    acknowledged, error = record_or_explain(log, event)
    assert acknowledged and not error, error
    os.write(1, (acknowledged[0] + "\\n").encode())
    number += 1
"""


def start_writer(folder, name):
    command = [sys.executable, "-c", WRITER, str(folder), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is a signal of POSIX systems")
def test_kill_9_while_writing_loses_nothing_that_was_acknowledged(tmp_path):
    chance = random.Random(7)
    reader, acknowledged = Reader(tmp_path), []
    for kill in range(3):
        # Two kernels of one annotator at once, while a third one reads on.
        writers = [start_writer(tmp_path, f"{kill}{name}") for name in "ab"]
        for writer in writers:
            acknowledged += [writer.stdout.readline().decode().strip() for _ in range(3)]
        end = time.monotonic() + chance.uniform(0.05, 0.2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a line just being written
            while time.monotonic() < end:
                reader.look()
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
        for writer in writers:
            acknowledged += [line.decode().strip() for line in writer.stdout if line.endswith(b"\n")]
            writer.wait()
            writer.stdout.close()
    again = Reader(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of lines that were cut off, which nobody acknowledged
        reader.look()
        again.look()
    assert set(acknowledged) <= set(again.ids)
    assert len(acknowledged) == len(set(acknowledged)) >= 18
    assert reader.ids == again.ids
    assert reader.fresh_starts == 0
    assert len(again.ids) - len(acknowledged) <= 2 * 3  # written, and killed before it was acknowledged
