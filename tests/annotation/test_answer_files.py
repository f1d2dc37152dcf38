"""The store: what was acknowledged is there, once, whatever happens to the process or the disk."""

import csv
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
from made_up_answers import make_row

import visclust as vc
from visclust.annotation.answer_files import (
    ANSWER_COLUMNS,
    append_answer,
    name_answer_file,
    read_rows,
    repair_answers,
    rewrite_rows,
)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a/b", "..", "C:\\x", "a\0b", "ünï", "<b>", "x" * 500, "日本"]
)
def test_no_name_of_an_annotator_leads_out_of_the_folder(tmp_path, name):
    path = name_answer_file(tmp_path, name)
    assert path.parent == tmp_path
    assert re.fullmatch(r"[a-z0-9-]+\.jsonl", path.name)
    append_answer(path, make_row(annotator=name))
    assert path.resolve().parent == tmp_path.resolve()


def test_two_names_with_the_same_letters_get_two_files(tmp_path):
    names = ["Ana B", "Ana-B", "Ana/B", "Aña B", "日本", "中国", "simulated-ana"]
    assert len({name_answer_file(tmp_path, name) for name in names}) == len(names)


def test_a_name_has_the_same_file_in_every_version(tmp_path):
    assert name_answer_file(tmp_path, "../Ana Ruiz").name == "ana-ruiz-4e3645b6.jsonl"


def test_simulated_answers_never_enter_a_persons_file_nor_are_they_read_together(tmp_path):
    person, machine = name_answer_file(tmp_path, "Ana"), name_answer_file(tmp_path, "Ana", simulated=True)
    with pytest.raises(ValueError, match="simulated"):
        append_answer(person, make_row(simulated=True))
    with pytest.raises(ValueError, match="simulated"):
        append_answer(machine, make_row())
    append_answer(person, make_row())
    append_answer(machine, make_row("e2", simulated=True))
    with pytest.raises(ValueError, match="both"):
        vc.read_answers(tmp_path)
    assert vc.read_answers(tmp_path, simulated=False)["event_id"].tolist() == ["e1"]
    assert vc.read_answers(tmp_path, simulated=True)["event_id"].tolist() == ["e2"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"answer": None}, "answer"),
        ({"event_id": ""}, "event_id"),
        ({"answered_at": "2026-01-05T10:00:00"}, "offset"),
        ({"answered_at": "yesterday"}, "offset"),
        ({"seconds": -1}, "seconds"),
        ({"seconds": float("nan")}, "seconds"),
        ({"seconds": "2"}, "seconds"),
        ({"cluster": 4}, "cluster"),
        ({"note": 3}, "note"),
    ],
)
def test_a_row_that_is_no_answer_is_refused_before_anything_is_written(tmp_path, change, said):
    path = name_answer_file(tmp_path, "Ana")
    with pytest.raises(ValueError, match=said):
        append_answer(path, make_row() | change)
    assert not path.exists()


@pytest.mark.parametrize("kept", [1, 40, -2])
def test_a_torn_last_line_is_closed_off_and_swallows_nothing(tmp_path, kept):
    path = name_answer_file(tmp_path, "Ana")
    append_answer(path, make_row("e1"))
    append_answer(path, make_row("e2", "p2"))
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second[:kept])
    with pytest.warns(UserWarning, match="line 2 .* cut off"):
        assert vc.read_answers(path)["event_id"].tolist() == ["e1"]
    assert "closed off" in repair_answers(path)
    assert repair_answers(path) == ""
    append_answer(path, make_row("e3", "p3"))
    with pytest.warns(UserWarning, match="line 2 .* cut off"):
        assert vc.read_answers(path)["event_id"].tolist() == ["e1", "e3"]


def test_appending_to_a_torn_line_closes_it_off_first(tmp_path):
    path = name_answer_file(tmp_path, "Ana")
    path.write_bytes(b'{"event_id": "e1", "item')
    with pytest.warns(UserWarning, match="closed off"):
        append_answer(path, make_row("e2"))
    with pytest.warns(UserWarning, match="line 1 .* cut off"):
        assert vc.read_answers(path)["event_id"].tolist() == ["e2"]


def test_a_last_line_that_lacks_only_its_newline_counts_once(tmp_path):
    path = name_answer_file(tmp_path, "Ana")
    append_answer(path, make_row("e1"))
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert len(vc.read_answers(path)) == 1
    repair_answers(path)
    append_answer(path, make_row("e1"))
    assert len(vc.read_answers(path)) == 1


def test_rows_added_since_are_read_from_the_byte_where_they_start(tmp_path):
    path = name_answer_file(tmp_path, "Ana")
    append_answer(path, make_row("e1"))
    start = path.stat().st_size
    append_answer(path, make_row("e2"))
    assert [row["event_id"] for row in read_rows(path, start=start)] == ["e2"]


def test_a_whole_line_that_is_no_answer_is_an_error_that_names_it(tmp_path):
    path = name_answer_file(tmp_path, "Ana")
    append_answer(path, make_row())
    with path.open("a") as file:
        file.write('{"some": "other file"}\n')
    with pytest.raises(ValueError, match="line 2"):
        vc.read_answers(path)


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


# What follows happens in processes of its own: they are killed, limited and set against each other.

WRITER = """
import os, sys
from visclust.annotation.answer_files import append_answer, name_answer_file
path = name_answer_file(sys.argv[1], "Ana")
writer, number = sys.argv[2], 0
while number < int(sys.argv[3]):
    event = f"{writer}-{number}"
    append_answer(path, {"event_id": event, "item_id": f"{writer}-p{number}", "annotator": "Ana",
        "answer": "same", "answered_at": "2026-01-05T10:00:00Z", "note": "x" * (number % 300)})
    os.write(1, (event + "\\n").encode())  # the acknowledgement: unbuffered, only after append_answer
    number += 1
"""


def start_writer(folder, name, *, n=1_000_000, **more):
    command = [sys.executable, "-c", WRITER, str(folder), name, str(n)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, **more)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is a signal of POSIX systems")
@pytest.mark.slow
def test_kill_9_loses_no_acknowledged_answer(tmp_path):
    chance = random.Random(5)
    acknowledged = []
    for kill in range(5):
        # Two at once, so that one is killed while the other writes; the third line shows that both run.
        writers = [start_writer(tmp_path, f"kill{kill}-{name}") for name in "ab"]
        for writer in writers:
            acknowledged += [writer.stdout.readline().decode().strip() for _ in range(3)]
        time.sleep(chance.uniform(0.0, 0.15))
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
        for writer in writers:
            # A line without its newline was cut off in the pipe; the answer itself is on file all the same.
            acknowledged += [line.decode().strip() for line in writer.stdout if line.endswith(b"\n")]
            writer.wait()
            writer.stdout.close()
    repair_answers(name_answer_file(tmp_path, "Ana"))
    rows = vc.read_answers(tmp_path)
    lost = set(acknowledged) - set(rows["event_id"])
    assert not lost
    assert len(acknowledged) == len(set(acknowledged)) >= 30
    # One more per kill and writer may be on file, written but killed before it was acknowledged.
    assert len(rows) - len(acknowledged) <= 2 * 5
    print(f"kill -9: 10 writers, {len(acknowledged)} acknowledged, {len(lost)} lost, {len(rows)} on file")


def test_processes_that_write_one_file_lose_and_mix_nothing(tmp_path):
    writers = [start_writer(tmp_path, f"tab{number}", n=150) for number in range(4)]
    acknowledged = [
        line.strip().decode() for writer in writers for line in writer.communicate()[0].splitlines()
    ]
    assert len(acknowledged) == 600
    lines = name_answer_file(tmp_path, "Ana").read_text().splitlines()
    assert sorted(json.loads(line)["event_id"] for line in lines) == sorted(acknowledged)


LIMITED = """
import resource, signal, sys
from visclust.annotation.answer_files import append_answer, name_answer_file
from visclust.annotation.answers import read_answers
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))  # the file can hold 1000 bytes
path = name_answer_file(sys.argv[1], "Ana")
row = {"item_id": "p1", "annotator": "Ana", "answer": "same", "answered_at": "2026-01-05T10:00:00Z"}
kept = 0
try:
    while True:
        append_answer(path, row | {"event_id": f"e{kept}"})
        kept += 1
except OSError as error:
    print(kept, path.stat().st_size, type(error).__name__)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))  # room again
append_answer(path, row | {"event_id": f"e{kept}"})
print(len(read_answers(path)))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of a process's files")
def test_a_write_that_the_disk_takes_in_part_is_an_error_and_leaves_the_file_as_it_was(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIMITED, tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    kept, size, name = first.split()
    assert name == "OSError"
    assert int(kept) >= 3
    assert int(second) == int(kept) + 1
    content = name_answer_file(tmp_path, "Ana").read_bytes()
    assert content[: int(size)].count(b"\n") == int(kept)
    assert content[int(size) - 1 : int(size)] == b"\n"


@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="/dev/full, a disk without room, is a file of Linux"
)
def test_a_full_disk_is_an_error(tmp_path):
    path = tmp_path / "ana.jsonl"
    path.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        append_answer(path, make_row())


def test_rows_are_taken_out_or_changed_and_torn_lines_stay(tmp_path):
    path = name_answer_file(tmp_path, "ana")
    for event in ("e1", "e2", "e3"):
        append_answer(path, make_row(annotator="ana", event_id=event))
    with path.open("ab") as file:
        file.write(b'{"torn')
    before = path.read_bytes().split(b"\n")

    def change(row):
        return {"e1": None, "e2": row | {"note": "less"}}.get(row["event_id"], row)

    assert [row["event_id"] for row in rewrite_rows(path, change)] == ["e1"]
    after = path.read_bytes().split(b"\n")
    assert json.loads(after[0])["note"] == "less"
    assert after[1:] == before[2:]


def test_a_file_without_anything_to_take_out_is_not_touched(tmp_path):
    path = name_answer_file(tmp_path, "ana")
    append_answer(path, make_row(annotator="ana"))
    number = path.stat().st_ino
    assert rewrite_rows(path, lambda row: row) == []
    assert path.stat().st_ino == number


def test_an_answer_given_while_others_are_taken_out_is_not_lost(tmp_path):
    path = name_answer_file(tmp_path, "ana")
    for event in ("e1", "e2"):
        append_answer(path, make_row(annotator="ana", event_id=event))
    late = make_row(annotator="ana", event_id="late")
    writers = []

    def change(row):
        if not writers:  # waits for the lock, and holds the file that is about to be replaced
            writers.append(threading.Thread(target=append_answer, args=(path, late)))
            writers[0].start()
            time.sleep(0.2)
        return None if row["event_id"] == "e1" else row

    rewrite_rows(path, change)
    writers[0].join()
    assert [row["event_id"] for row in read_rows(path)] == ["e2", "late"]


LINE = (
    '{"event_id": "e0", "item_id": "p0", "annotator": "Zo\u00eb", "answer": "same", '
    '"answered_at": "2026-01-05T10:00:00.000Z", "seconds": 4.0}'
)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp850", "mac-roman"])
def test_a_file_saved_in_another_encoding_is_refused_in_words_and_not_called_cut_off(tmp_path, encoding):
    path = tmp_path / "a.jsonl"
    path.write_bytes("".join(f"{LINE.replace('e0', f'e{n}')}\n" for n in range(5)).encode(encoding))
    for read in (vc.read_answers, lambda file: vc.import_answers(file, tmp_path / "answers")):
        with pytest.raises(ValueError, match=r"a\.jsonl as UTF-8 text, got bytes that are none in line 1"):
            read(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_the_mark_of_a_file_tells_its_encoding(tmp_path, encoding):
    (tmp_path / "a.jsonl").write_bytes(f"{LINE}\r\n".encode(encoding))
    header = "event_id,item_id,annotator,answer,answered_at"
    (tmp_path / "a.csv").write_bytes(f"{header}\ne1,p1,Zo\u00eb,same,2026-01-05T10:00:00Z\n".encode(encoding))
    for name in ("a.jsonl", "a.csv"):
        assert vc.import_answers(tmp_path / name, tmp_path / "answers").added == 1
    assert vc.read_answers(tmp_path / "answers")["annotator"].tolist() == ["Zo\u00eb"] * 2


@pytest.mark.parametrize("at", [1, 5, 30, 57, 60, 100, 120, -1, -2, -3])
def test_a_line_that_breaks_off_anywhere_is_called_cut_off(tmp_path, at):
    line = LINE.encode()[:at]
    (tmp_path / "a.jsonl").write_bytes(LINE.replace("e0", "e9").encode() + b"\n" + line)
    with pytest.warns(UserWarning, match=r"line 2 of a\.jsonl, which was cut off"):
        assert len(vc.read_answers(tmp_path / "a.jsonl")) == 1


@pytest.mark.parametrize(
    "line",
    [b"\0" * 40, LINE.encode()[10:], LINE.encode().replace(b'"item_id":', b'"item_id"'), b"hello",
     LINE.encode().replace(b"same", b"sa\0me"), LINE.encode() + LINE.encode()],
)  # fmt: skip
def test_a_damaged_line_is_called_damaged(tmp_path, line):
    (tmp_path / "a.jsonl").write_bytes(line + b"\n" + LINE.encode() + b"\n")
    with pytest.warns(UserWarning, match=r"line 1 of a\.jsonl, which is damaged and was not cut off"):
        assert len(vc.read_answers(tmp_path / "a.jsonl")) == 1


def write_csv(path, simulated, name="test-run"):
    header = "event_id,item_id,annotator,answer,answered_at,seconds,simulated"
    path.write_text(f"{header}\ne1,p1,{name},same,2026-01-05T10:00:00Z,2.5,{simulated}\n")
    return path


@pytest.mark.parametrize("word", ["WAHR", "VRAI", "VERDADERO", "ИСТИНА", "1", "True"])
def test_a_mark_of_simulation_is_read_in_the_language_of_the_spreadsheet(tmp_path, word):
    vc.import_answers(write_csv(tmp_path / "a.csv", word), tmp_path / "answers")
    assert vc.read_answers(tmp_path / "answers")["simulated"].tolist() == [True]


@pytest.mark.parametrize("word", ["FALSCH", "FAUX", "", "0", "NO", "NA"])
def test_an_answer_that_is_not_simulated_is_a_persons(tmp_path, word):
    vc.import_answers(write_csv(tmp_path / "a.csv", word), tmp_path / "answers")
    assert vc.read_answers(tmp_path / "answers")["simulated"].tolist() == [False]


@pytest.mark.parametrize("word", ["vielleicht", "2", "simulated"])
def test_a_mark_of_simulation_that_is_no_word_for_it_is_refused(tmp_path, word):
    with pytest.raises(ValueError, match="true or false in simulated in line 2 of a"):
        vc.import_answers(write_csv(tmp_path / "a.csv", word), tmp_path / "answers")


def test_a_text_for_false_in_a_line_of_json_is_false(tmp_path):
    (tmp_path / "a.jsonl").write_text(LINE[:-1] + ', "simulated": "false"}\n')
    assert vc.read_answers(tmp_path / "a.jsonl")["simulated"].tolist() == [False]


def test_a_note_that_swallows_answers_is_an_error_that_names_the_line(tmp_path):
    header = "event_id,item_id,annotator,answer,answered_at,note"
    rows = "".join(
        f"e{n},p{n},ana,same,2026-01-05T10:00:00Z,{note}\n" for n, note in enumerate(['"x', "", 'y"'])
    )
    (tmp_path / "a.csv").write_text(f"{header}\n{rows}")
    with pytest.raises(ValueError, match="line 2 is none"):
        vc.import_answers(tmp_path / "a.csv", tmp_path / "answers")
