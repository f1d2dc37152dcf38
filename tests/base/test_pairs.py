"""A file and its sidecar are both old or both new, whenever their writer dies."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.base.pairs import settle_pair, write_pair
from visclust.embedding.embed import Embedding

# Saves a second embedding over a first one in a child that kills itself before or after one of its steps, and
# prints what is then found. A step is a flush to the disk or a renaming.
KILLED_AT_EACH_STEP = """
import os, signal, sys
from pathlib import Path
import numpy as np
from visclust.base.freshness import read_record
from visclust.embedding.embed import Embedding
from visclust.embedding.storage import load_embedding, save_embedding

folder = Path(sys.argv[1])

def save(value, rows):
    x = np.full((rows, 2), value, dtype=np.float32)
    ids = [f"{value}-{row}" for row in range(rows)]
    save_embedding(Embedding(x, ids, {"note": str(value)}), folder, name="toy")

def count_steps(die_at):
    steps = 0
    def wrap(do):
        def step(*given):
            nonlocal steps
            for _ in range(2):  # before, and after
                steps += 1
                if steps == die_at:
                    os.kill(os.getpid(), signal.SIGKILL)
                if steps % 2:
                    found = do(*given)
            return found
        return step
    os.fsync, Path.replace = wrap(os.fsync), wrap(Path.replace)

for die_at in range(1, 100):
    save(1, 3)
    child = os.fork()
    if not child:
        count_steps(die_at)
        save(2, 4)
        os._exit(0)
    died = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    note = read_record(folder / "toy.npy").get("note")
    found = load_embedding(folder, name="toy")
    again = load_embedding(folder, name="toy")
    assert found.image_ids == again.image_ids
    left = [each.name for each in folder.iterdir() if each.name.endswith(".next")]
    print(die_at, died, found.x[0, 0], len(found.x), found.image_ids[0], found.provenance["note"], note, left)
    if not died:
        break
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot fork")
def test_a_writer_killed_at_each_step_leaves_the_old_pair_or_the_new_one(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", KILLED_AT_EACH_STEP, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    rows = run.stdout.splitlines()
    assert len(rows) > 10
    old, new = "1.0 3 1-0 1 1 []", "2.0 4 2-0 2 2 []"
    said = [row.split(" ", 2)[1:] for row in rows]
    assert {each[1] for each in said} == {old, new}
    assert [each[0] for each in said] == ["True"] * (len(rows) - 1) + ["False"]
    # Once it is the new one it stays so: there is one moment at which both change.
    assert [each[1] for each in said] == sorted(each[1] for each in said)


def test_what_a_dead_writer_left_before_its_file_was_renamed_is_dropped(tmp_path):
    path, side = tmp_path / "a.npy", tmp_path / "a.json"
    write_pair(path, lambda file: file.write(b"old"), side, lambda digest: digest)
    waiting = tmp_path / f".a.json.{'0' * 32}.next"
    waiting.write_text("new")
    assert settle_pair(path, side) == side
    assert not waiting.exists()
    assert len(side.read_text()) == 64


def test_threads_that_write_one_pair_leave_one_of_theirs(tmp_path):
    def save(value):
        x = np.full((50, 3), value, dtype=np.float32)
        ids = [f"{value}-{row}" for row in range(50)]
        for _ in range(10):
            vc.save_embedding(Embedding(x, ids, {}), tmp_path, name="toy")

    threads = [threading.Thread(target=save, args=(value,)) for value in range(6)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if (tmp_path / "toy.json").exists():
            assert_whole(vc.load_embedding, tmp_path)
    assert_whole(vc.load_embedding, tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["toy.json", "toy.npy"]


def assert_whole(load, folder):
    found = load(folder, name="toy")
    assert found.image_ids[0] == f"{int(found.x[0, 0])}-0"


def test_a_table_for_spreadsheets_and_its_record_change_together(tmp_path, monkeypatch):
    path = vc.save_csv(pd.DataFrame({"a": [1]}), tmp_path / "a.csv", provenance={"note": "old"})
    rename = Path.replace

    def die_before_the_sidecar(self, target):
        if str(target).endswith(".json"):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", die_before_the_sidecar)
    with pytest.raises(KeyboardInterrupt):
        vc.save_csv(pd.DataFrame({"a": [2]}), path, provenance={"note": "new"})
    monkeypatch.undo()
    assert path.read_text(encoding="utf-8-sig").split() == ["a", "2"]
    assert vc.read_provenance(path)["note"] == "new"
