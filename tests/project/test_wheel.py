"""A wheel, installed away from the clone, is enough to start and run a study."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
PARTS = ["visclust", "notebooks", "pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Build the wheel from a copy of the sources and install it alone into a folder; gives the folder."""
    pytest.importorskip("setuptools", minversion="77")
    copy, wheels, target = (tmp_path_factory.mktemp(name) for name in ("copy", "wheels", "target"))
    for name in PARTS:
        ignored = shutil.ignore_patterns("__pycache__")
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, copy / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", wheels, copy], check=True)
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", target, wheel], check=True)
    return target


@pytest.mark.slow
def test_a_study_is_started_and_run_without_a_clone(installed, tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(40):
        colour = (number * 6, 255 - number * 6, 128)
        Image.new("RGB", (16, 12), colour).save(tmp_path / "photos" / f"{number}.png")
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    environment = {name: value for name, value in environment.items() if not name.startswith("VISCLUST")}

    def call(*command):
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    where = call(sys.executable, "-c", "import visclust; print(visclust.__file__)")
    assert where.stdout.strip() == str(installed / "visclust" / "__init__.py")
    script = installed / "bin" / "visclust"
    start = [sys.executable, script] if script.exists() else [sys.executable, "-m", "visclust"]
    started = call(*start, "start", "march", "--images", "photos")
    assert started.returncode == 0, started.stderr
    shipped = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert sorted(path.name for path in (tmp_path / "march" / "notebooks").iterdir()) == shipped
    run = call(*start, "run", "march", "--only", "00")
    assert run.returncode == 0, run.stdout + run.stderr
    assert (tmp_path / "march" / "results" / "index.html").exists()
    assert (tmp_path / "march" / "results" / "notebooks" / "00_start_here.ipynb").exists()
