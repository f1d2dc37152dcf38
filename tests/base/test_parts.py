"""Files that are being written: no two have one name, and those of the dead go."""

import os
import subprocess
import sys
import threading
import time

import pytest

import visclust as vc
from visclust.base import parts
from visclust.base.parts import name_part, sweep_parts


@pytest.fixture(autouse=True)
def look_each_time(monkeypatch):
    monkeypatch.setattr(parts, "_EVERY", 0.0)


def name_of(folder, *, machine=None, process, number=0):
    return folder / f".a.npy.{machine or parts._name_machine()}.{process}.{number}.part"


@pytest.fixture
def dead_process():
    run = subprocess.Popen([sys.executable, "-c", ""])
    run.wait()
    return run.pid


def test_threads_of_one_process_write_one_file_beside_each_other(tmp_path):
    texts = [str(number).encode() * 50_000 for number in range(8)]
    path, wrong = tmp_path / "note.txt", []

    def write(text):
        for _ in range(20):
            try:
                vc.write_atomically(path, lambda file: file.write(text))
                if path.read_bytes() not in texts:
                    wrong.append("half of a file")
            except OSError as error:
                wrong.append(error)

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert list(tmp_path.iterdir()) == [path]


def test_no_two_names_are_one_and_the_longest_name_of_a_file_has_room(tmp_path):
    names = {name_part(tmp_path / "a.npy") for _ in range(100)}
    assert len(names) == 100
    longest = tmp_path / ("ü" * 125 + ".npy")
    assert vc.write_atomically(longest, lambda file: file.write(b"a")).read_bytes() == b"a"


def test_what_a_dead_process_left_goes_with_the_next_file_written(tmp_path, dead_process):
    left = name_of(tmp_path, process=dead_process)
    left.write_bytes(b"half")
    vc.write_atomically(tmp_path / "a.npy", lambda file: file.write(b"whole"))
    assert [each.name for each in tmp_path.iterdir()] == ["a.npy"]


def test_what_a_living_process_writes_stays_and_comes_to_its_end(tmp_path):
    code = (
        "import sys; from visclust.base.files import write_atomically\n"
        "def write(file):\n    file.write(b'ha'); file.flush(); print('now', flush=True); sys.stdin.read()\n"
        "    file.write(b'lf')\n"
        f"write_atomically({str(tmp_path / 'slow.txt')!r}, write)"
    )
    path = os.pathsep.join(filter(None, sys.path))
    run = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert run.stdout.readline() == b"now\n"
    (written,) = tmp_path.iterdir()
    os.utime(written, (0, 0))
    # Not even where its name were that of a process that died, or of another machine a week ago.
    assert sweep_parts(tmp_path) == []
    other = name_of(tmp_path, machine="00000000", process=1)
    written.rename(other)
    assert sweep_parts(tmp_path) == []
    other.rename(written)
    run.communicate()
    assert run.returncode == 0
    assert (tmp_path / "slow.txt").read_bytes() == b"half"


@pytest.mark.parametrize(
    ("machine", "age", "goes"), [("00000000", 0, False), ("00000000", 8, True), ("", 1, False), ("", 8, True)]
)
def test_what_another_machine_or_an_earlier_version_left_goes_after_a_week(tmp_path, machine, age, goes):
    left = name_of(tmp_path, machine=machine, process=3) if machine else tmp_path / ".a.npy.3.part"
    left.write_bytes(b"half")
    then = time.time() - age * 24 * 3600
    os.utime(left, (then, then))
    assert sweep_parts(tmp_path) == ([left] if goes else [])


@pytest.mark.parametrize(
    "name", ["mine.part", ".part", ".hidden", ".a.part", ".a.npy.12.json", ".a.npy.xyz.1.2.part.txt"]
)
def test_files_of_others_stay(tmp_path, name, dead_process):
    (tmp_path / name).write_text("mine")
    os.utime(tmp_path / name, (0, 0))
    folder = name_of(tmp_path, process=dead_process)
    folder.mkdir()
    assert sweep_parts(tmp_path) == []
