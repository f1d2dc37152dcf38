"""Answers read, merged, and reduced to those that stand; the simulated never mixed with people's."""

import subprocess
import sys

import pandas as pd
import pytest
from made_up_answers import make_answers, make_row, make_undo

import visclust as vc
from visclust.annotation.answer_files import append_answer, name_answer_file
from visclust.annotation.answers import refuse_mixture


def test_an_appended_answer_is_read_back_with_every_column(tmp_path):
    path = name_answer_file(tmp_path / "new" / "folder", "Ana")
    append_answer(
        path, make_row(left="a", right="b", note='two\nlines, "quotes" – ü \ud800', widget_version="1")
    )
    table = vc.read_answers(path.parent)
    assert list(table.columns) == [
        "item_id", "annotator", "answer", "answered_at", "seconds", "retracts", "event_id", "left", "right",
        "note", "widget_version", "simulated", "counter",
    ]  # fmt: skip
    row = table.iloc[0]
    assert (row["answer"], row["left"], row["right"], row["seconds"]) == ("same", "a", "b", 1.5)
    assert row["note"] == 'two\nlines, "quotes" – ü \ufffd'  # half a character cannot be kept
    assert not row["simulated"]
    assert path.read_bytes().count(b"\n") == 1


def test_an_event_that_is_sent_twice_is_read_once(tmp_path):
    path = name_answer_file(tmp_path, "Ana")
    for _ in range(3):
        append_answer(path, make_row())
    assert len(vc.read_answers(path)) == 1


def test_the_latest_answer_stands_and_an_undo_brings_the_one_before_back():
    table = vc.merge_answers(
        [pd.DataFrame([make_row("e1"), make_row("e2", said="different", minute=1) | {"retracts": None}])]
    )
    assert vc.current_answers(table)["answer"].tolist() == ["different"]
    undone = vc.merge_answers([table, pd.DataFrame([make_undo("e3", "e2", minute=2)])])
    assert len(undone) == 3
    assert vc.current_answers(undone)["answer"].tolist() == ["same"]


def test_an_undo_takes_back_only_the_annotators_own_answer():
    other = make_undo("e2", "e1") | {"annotator": "Ben"}
    assert len(vc.current_answers(vc.merge_answers([pd.DataFrame([make_row(), other])]))) == 1


def test_times_are_compared_across_time_zones():
    late = make_row("e1", said="late", answered_at="2026-01-05T10:00:00+01:00")
    later = make_row("e2", said="later", answered_at="2026-01-05T09:30:00Z")
    table = vc.merge_answers([pd.DataFrame([later]), pd.DataFrame([late])])
    assert vc.current_answers(table)["answer"].tolist() == ["later"]


def test_a_clock_that_was_set_back_does_not_bring_the_older_answer_back(tmp_path):
    rows = [make_row("e1", minute=30, counter=10), make_row("e2", said="different", minute=5, counter=11)]
    path = name_answer_file(tmp_path, "Ana")
    for row in rows:
        append_answer(path, row)
    for table in (vc.read_answers(path), vc.merge_answers([pd.DataFrame(rows[::-1])])):
        assert vc.current_answers(table)["answer"].tolist() == ["different"]
    undone = vc.merge_answers([path, pd.DataFrame([make_undo("e3", "e2", minute=1) | {"counter": 12}])])
    assert undone["event_id"].tolist() == ["e1", "e2", "e3"]
    assert vc.current_answers(undone)["answer"].tolist() == ["same"]


def test_answers_of_earlier_versions_stand_at_their_time_among_those_that_are_counted():
    at_ten = 17676072000  # 2026-01-05T10:00:00Z in tenths of a second
    rows = [
        make_row("new", said="unsure", minute=20, counter=at_ten + 20 * 600),
        make_row("old", said="same", minute=10),
        make_row("latest", said="different", minute=2, counter=at_ten + 20 * 600 + 1),
    ]
    merged = vc.merge_answers([pd.DataFrame(rows)])
    assert merged["event_id"].tolist() == ["old", "new", "latest"]
    assert vc.current_answers(merged)["answer"].tolist() == ["different"]


@pytest.mark.parametrize("counter", [-1, 1.5, "soon", True, 2.0**60])
def test_a_counter_that_is_no_whole_number_is_refused(counter):
    with pytest.raises(ValueError, match="counter as a whole number"):
        vc.merge_answers([pd.DataFrame([make_row(counter=counter)])])


def test_current_answers_do_not_depend_on_the_index_of_the_table():
    table = vc.merge_answers([pd.DataFrame([make_row("e1"), make_row("e2", "p2", minute=1)])])
    table.index = pd.Index([7, 7])
    assert vc.current_answers(table)["item_id"].tolist() == ["p1", "p2"]


def test_retractions_without_event_ids_are_refused():
    table = vc.merge_answers([pd.DataFrame([make_row(), make_undo("e2", "e1")])]).drop(columns="event_id")
    with pytest.raises(ValueError, match="event_id"):
        vc.current_answers(table)


def test_merging_a_merge_with_its_parts_changes_nothing(tmp_path):
    ana, ben = name_answer_file(tmp_path / "one", "Ana"), name_answer_file(tmp_path / "two", "Ben")
    append_answer(ana, make_row("e1"))
    append_answer(ben, make_row("e2", annotator="Ben", minute=1))
    append_answer(ana, make_undo("e3", "e1", minute=2))
    merged = vc.merge_answers([tmp_path / "one", ben])
    assert merged["event_id"].tolist() == ["e1", "e2", "e3"]
    pd.testing.assert_frame_equal(vc.merge_answers([merged, ana, tmp_path / "two", merged]), merged)


def test_one_event_id_with_two_answers_is_an_error():
    with pytest.raises(ValueError, match=r"e1.*differ in answer"):
        vc.merge_answers([pd.DataFrame([make_row()]), pd.DataFrame([make_row(said="different")])])


def test_a_missing_folder_is_an_error_and_an_empty_one_an_empty_table(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        vc.read_answers(tmp_path / "nowhere")
    assert vc.current_answers(vc.read_answers(tmp_path)).empty


@pytest.mark.parametrize("other", ["Ana", " ANA", "\u200bana", "ana\u00a0"])
def test_one_person_in_two_spellings_answers_once_which_is_said(other):
    table = make_answers({"ana": ["same"], other: ["different"], "ben": ["same"]})
    with pytest.warns(UserWarning, match="taken for one person"):
        standing = vc.current_answers(table)
    assert standing["annotator"].tolist() == ["ana", "ben"]
    with pytest.warns(UserWarning, match="taken for one person"):
        assert vc.agreement(table, n_bootstrap=9).prevalence["annotator"].tolist() == ["ana", "ben"]


def test_people_are_not_taken_for_simulated():
    assert refuse_mixture(make_answers({"ana": ["same"]}).assign(simulated=False)) is False


def test_answers_are_simulated_by_their_name_even_without_the_column():
    assert refuse_mixture(make_answers({"simulated-1": ["same"], "simulated-2": ["same"]})) is True


IMPORTS = """
import sys
from importlib import import_module
from pathlib import Path
import visclust.annotation
for path in Path(visclust.annotation.__file__).parent.glob("*.py"):
    import_module(f"visclust.annotation.{path.stem}")
print(sorted({name.split(".")[1] for name in sys.modules if name.startswith("visclust.")}))
print([name for name in ("PIL", "altair", "anywidget", "ipywidgets", "sklearn") if name in sys.modules])
"""


def test_answers_need_nothing_but_base_and_neither_pictures_nor_widgets():
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['_lazy', 'annotation', 'base']", "[]"]
