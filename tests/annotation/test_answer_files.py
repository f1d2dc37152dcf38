"""The store: what was acknowledged is there, once, whatever happens to the process or the disk."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
from made_up_answers import make_row

import visclust as vc
from visclust.annotation.answer_files import (
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


@pytest.mark.parametrize("at", [1, 5, 30, 57, 60, 100, 120, -1, -2, -3])
def test_a_last_line_that_breaks_off_is_called_cut_off_and_not_acknowledged(tmp_path, at):
    line = LINE.encode()[:at]
    (tmp_path / "a.jsonl").write_bytes(LINE.replace("e0", "e9").encode() + b"\n" + line)
    with pytest.warns(UserWarning, match=r"line 2 of a\.jsonl, which was cut off .* not been acknowledged"):
        assert len(vc.read_answers(tmp_path / "a.jsonl")) == 1


@pytest.mark.parametrize(
    "line",
    [b"\0" * 40, LINE.encode()[10:], LINE.encode()[:-1], LINE.encode()[:30],
     LINE.encode().replace(b'"item_id":', b'"item_id"'), b"hello", b"[" * 100_000,
     LINE.encode().replace(b"same", b"sa\0me"), LINE.encode() + LINE.encode(), b"\xff\x00\x9c" * 9],
)  # fmt: skip
def test_any_line_but_the_last_is_damage_and_not_called_cut_off(tmp_path, line):
    (tmp_path / "a.jsonl").write_bytes(line + b"\n" + LINE.encode() + b"\n")
    with pytest.warns(
        UserWarning, match=r"line 1 of a\.jsonl, which is damaged .* an answer may be lost"
    ) as said:
        assert len(vc.read_answers(tmp_path / "a.jsonl")) == 1
    assert "cut off" not in str(said[0].message)


def test_a_torn_line_is_told_from_damage_after_it_was_closed_off(tmp_path):
    path = name_answer_file(tmp_path, "Ana")
    whole = (json.dumps(make_row("e1")) + "\n").encode()
    path.write_bytes(whole[:50])
    with pytest.warns(UserWarning, match="has been closed off. No answer that was acknowledged"):
        append_answer(path, make_row("e2"))
    path.write_bytes(path.read_bytes() + whole[:50] + b"\n")
    with pytest.warns(UserWarning) as said:
        assert [row["event_id"] for row in read_rows(path)] == ["e2"]
    torn, damaged = (str(one.message) for one in said)
    assert "line 1 of" in torn
    assert "not been acknowledged" in torn
    assert "line 3 of" in damaged
    assert "may be lost" in damaged


def test_all_damaged_lines_of_a_file_are_named_in_one_warning(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"x\n" * 7 + LINE.encode() + b"\n")
    with pytest.warns(UserWarning, match="line 5 .*, and 2 more lines") as said:
        vc.read_answers(tmp_path / "a.jsonl")
    assert len(said) == 1


@pytest.mark.parametrize(
    "content",
    [b"item_id,annotator,answer\np0,ana,same\np1,ana,same\n", b"<!doctype html>\n<html>\n<p>Hi</p>\n</html>",
     b"some words", b"some words\nand more\n", b"\0" * 600 + b"\n", b"\x89PNG\r\n\x1a\n\0\0IHDR"],
)  # fmt: skip
def test_a_file_that_holds_no_answers_is_one_error_and_no_warning(tmp_path, content):
    (tmp_path / "a.jsonl").write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=r"Expected answers in .*a\.jsonl.* got no line .* begins"):
            vc.read_answers(tmp_path / "a.jsonl")
        with pytest.raises(ValueError, match="Expected answers in"):
            vc.merge_answers([tmp_path])


@pytest.mark.parametrize("content", [b"", b"\n\n", b" \r\n"])
def test_an_empty_file_is_an_empty_table(tmp_path, content):
    (tmp_path / "a.jsonl").write_bytes(content)
    assert vc.read_answers(tmp_path / "a.jsonl").empty


def test_a_file_with_only_the_beginning_of_an_answer_is_an_empty_table_with_a_warning(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(LINE.encode()[:50])
    with pytest.warns(UserWarning, match="which was cut off"):
        assert vc.read_answers(tmp_path / "a.jsonl").empty


def test_lines_that_end_in_any_way_are_lines(tmp_path):
    lines = [LINE.replace("e0", f"e{n}") for n in range(4)]
    (tmp_path / "a.jsonl").write_text("\r\n".join(lines[:2]) + "\r" + "\n".join(lines[2:]), newline="")
    assert vc.read_answers(tmp_path / "a.jsonl")["event_id"].tolist() == ["e0", "e1", "e2", "e3"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_no_answer_is_added_to_a_file_that_another_program_saved_as_utf_16(tmp_path, encoding):
    path = name_answer_file(tmp_path, "Ana")
    path.write_bytes(f"{LINE}\n".encode(encoding))
    before = path.read_bytes()
    for change in (lambda: append_answer(path, make_row()), lambda: repair_answers(path)):
        with pytest.raises(ValueError, match=r"as UTF-8 text, got UTF-(16|32).* Save it as UTF-8"):
            change()
    assert path.read_bytes() == before


def test_a_text_for_false_in_a_line_of_json_is_false(tmp_path):
    (tmp_path / "a.jsonl").write_text(LINE[:-1] + ', "simulated": "false"}\n')
    assert vc.read_answers(tmp_path / "a.jsonl")["simulated"].tolist() == [False]
