"""The command visclust scale, as a job of an array calls it, and as an array of jobs where SLURM answers."""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from visclust.commands import main

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 4))[np.arange(60) % 3] * 5 + rng.normal(size=(60, 4)) * 0.1
    np.save("x.npy", x.astype("float32"))
    np.save("centers.npy", x[:2])
    return tmp_path


def test_a_job_per_shard_makes_what_one_run_makes(place, capsys):
    assert main(["scale", "make", "x.npy", "corpus", "--shard-size", "20"]) == 0
    assert "3 shards of rows, 60 rows, in corpus." in capsys.readouterr().out
    shutil.copytree("corpus", "other")
    for number in ("0", "1", "2"):
        assert main(["scale", "assign", "corpus", "--shard", number, "--centers", "centers.npy"]) == 0
    assert main(["scale", "assign", "other", "--centers", "centers.npy"]) == 0
    assert "3 shards made: 60 rows" in capsys.readouterr().out
    parts = [
        {path.name: path.read_bytes() for path in Path(name, "parts").rglob("*.*")}
        for name in ("corpus", "other")
    ]
    assert parts[0] == parts[1]
    assert main(["scale", "assign", "corpus", "--centers", "centers.npy"]) == 0
    assert "3 shards there" in capsys.readouterr().out


def test_clusters_and_checks_and_a_plan_are_printed(place, capsys):
    main(["scale", "make", "x.npy", "corpus", "--shard-size", "20"])
    assert main(["scale", "cluster", "corpus", "--threshold", "0.3"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"\d+ clusters; \d+ of 60 rows unassigned\.", said)
    tables = [pd.read_parquet(path) for path in sorted(Path("corpus").glob("clusterings/*/0*.parquet"))]
    clusters = pd.concat(tables, ignore_index=True)
    found = clusters.loc[clusters["cluster"].ge(0)]
    assert len(found) > 30
    assert found.groupby("cluster").agg(lambda ids: ids.astype(int).mod(3).nunique())["image_id"].eq(1).all()
    assert main(["scale", "check", "corpus"]) == 0
    path = Path("corpus/shards/00001.npy")
    path.write_bytes(path.read_bytes()[:-1])
    assert main(["scale", "check", "corpus"]) == 1
    assert main(["scale", "assign", "corpus", "--shard", "1", "--centers", "centers.npy"]) == 1
    assert "1 shards refused" in capsys.readouterr().out
    assert main(["scale", "plan", "--posts", "1000"]) == 0
    assert "What breaks first" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "match"),
    [
        (["embed", "nowhere"], "which has none: make it with make_shards"),
        (["assign", "corpus", "--shard", "7", "--centers", "centers.npy"], "from 0 to 2, got 7"),
        (["assign", "corpus", "--centers", "none.npy"], "as centers, but there is none"),
        (["cluster", "corpus", "--dask", "none.json"], "there is no none.json"),
    ],
)
def test_what_is_not_possible_is_said_in_one_line(place, capsys, command, match):
    main(["scale", "make", "x.npy", "corpus", "--shard-size", "20"])
    assert main(["scale", *command]) == 2
    assert match in capsys.readouterr().err


def submit(*arguments):
    return subprocess.run(arguments, capture_output=True, text=True, timeout=20, check=False)


@pytest.fixture
def slurm():
    """Skip where no cluster of SLURM answers; tools/one_node_slurm.sh starts one of one node."""
    if not shutil.which("sbatch"):
        pytest.skip("SLURM is not installed (Debian: slurm-wlm)")
    if submit("sinfo", "--noheader").returncode:
        pytest.skip("no cluster of SLURM answers here: sinfo fails")


@pytest.mark.slow
def test_an_array_of_slurm_jobs_makes_the_parts(place, slurm):
    main(["scale", "make", "x.npy", "corpus", "--shard-size", "20"])
    command = (
        f"{sys.executable} -m visclust scale assign corpus --centers centers.npy --shard $SLURM_ARRAY_TASK_ID"
    )
    script = f"#!/bin/sh\nexport PYTHONPATH={ROOT}\ncd {place}\n{command}\n"
    Path("step.sh").write_text(script)
    sent = submit("sbatch", "--array=0-2", "--output=said_%a.txt", "step.sh")
    deadline, said = time.monotonic() + 120, ""
    while said.count("shards") < 3 and time.monotonic() < deadline:
        time.sleep(0.5)
        said = "".join(path.read_text() for path in Path().glob("said_*.txt"))
    assert main(["scale", "assign", "corpus", "--centers", "centers.npy"]) == 0, f"{sent} {said}"
    assert said.count("1 shards made") == 3
