"""The command visclust, called as a user calls it, but in this process."""

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from PIL import Image

import visclust as vc
from visclust import commands
from visclust.commands import fill_template, main
from visclust.study import _ENTRIES
from visclust.widgets.annotate_desks import KINDS

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    """Work in a folder that is no study and holds three images and a table of posts."""
    monkeypatch.delenv("VISCLUST_STUDY", raising=False)
    monkeypatch.delenv("VISCLUST_RESULTS", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name, colour in (("a.png", "red"), ("b.png", "green"), ("c.png", "blue")):
        Image.new("RGB", (8, 6), colour).save(tmp_path / "photos" / name)
    (tmp_path / "posts.csv").write_text("post_id,text\n1,hello\n")
    return tmp_path


def test_start_makes_a_study_and_says_what_to_open(place, capsys):
    assert main(["start", "march", "--images", "photos", "--posts", "posts.csv"]) == 0
    said = capsys.readouterr().out
    assert f"Started the study 'march' in {place / 'march'}." in said
    assert "visclust lab march" in said
    study = vc.open_study("march")
    assert (study.images, study.posts) == (place / "photos", place / "posts.csv")
    shipped = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert sorted(path.name for path in study.notebooks.glob("*.ipynb")) == shipped
    assert (study.folder / "TABLES.md").exists()


def test_images_inside_the_folder_are_named_from_it(place):
    (place / "march").mkdir()
    (place / "photos").rename(place / "march" / "photos")
    assert main(["start", "march", "--images", "march/photos"]) == 0
    assert tomllib.loads((place / "march" / "study.toml").read_text())["images"] == "photos"
    (place / "march").rename(place / "april")
    assert vc.open_study("april").images == place / "april" / "photos"


def test_without_images_the_study_is_that_of_the_example(capsys):
    assert main(["start", "trial"]) == 0
    assert vc.open_study("trial").is_example
    assert "those of the example" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["start", "full", "--images", "photos"], "holds notes.txt. Choose another name"),
        (["start", "posts.csv", "--images", "photos"], "is a file. Choose another"),
        (["start", "new", "--images", "fotos"], "fotos, but there is nothing"),
        (["start", "new", "--images", "posts.csv"], "Expected a folder of images"),
        (["start", "new", "--posts", "posts.csv"], "Expected the images that the posts show too"),
        (["run", "nowhere"], "visclust start nowhere --images FOLDER"),
        (["lab", "nowhere"], "visclust start nowhere --images FOLDER"),
        (["annotate", "nowhere"], "visclust start nowhere --images FOLDER"),
        (["upgrade", "photos"], "there is no study.toml in it"),
    ],
)
def test_what_is_not_possible_is_said_in_a_sentence_and_makes_nothing(place, capsys, arguments, message):
    (place / "full").mkdir()
    (place / "full" / "notes.txt").write_text("mine")
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert not (place / "new").exists()
    assert list((place / "full").iterdir()) == [place / "full" / "notes.txt"]


def put_in_force(text):
    """Read a study file as if each entry that is commented out were none."""
    return tomllib.loads("\n".join(re.findall(r"^(?:# )?([a-z_]+ = .*)$", text, re.MULTILINE)))


def test_the_study_file_explains_every_entry_and_each_line_can_be_put_in_force(place):
    text = fill_template('the "march"', {"images": "photos"})
    assert tomllib.loads(text) == {"name": 'the "march"', "images": "photos"}
    entries = put_in_force(text)
    assert set(entries) == _ENTRIES.keys() - {"example"}
    for name, value in entries.items():
        _ENTRIES[name][1](name, value, place)  # each example passes its own check


def test_the_defaults_in_the_study_file_are_those_in_force(place):
    main(["start", "march", "--images", "photos"])
    study = vc.open_study("march")
    text = (place / "march" / "study.toml").read_text()
    shown = put_in_force(text)
    for name in ("question", "construct", "encoder"):
        assert getattr(study, name) == shown[name]
    assert study.scale == tuple(shown["scale"])
    assert study.items == {dimension: tuple(items) for dimension, items in shown["items"].items()}


def test_check_lists_files_with_their_state_and_says_what_comes_next(place, capsys):
    main(["start", "march", "--images", "photos"])
    study = vc.open_study("march")
    vc.save_table(vc.index_images(study.images, progress=False), study.results / "images.parquet", "images")
    pd.DataFrame({"a": [1]}).to_parquet(study.results / "foreign.parquet")
    assert main(["check", "march"]) == 0
    said = capsys.readouterr().out
    line = next(line for line in said.splitlines() if "images.parquet" in line)
    assert re.search(r"^fresh +images.parquet +index_images, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$", line)
    assert "no record" in next(line for line in said.splitlines() if "foreign.parquet" in line)
    assert said.rstrip().endswith("Next: 01_build_corpus.")  # posts and copies are missing


def test_check_names_what_is_stale_and_the_notebook_to_run_again(place, capsys, make_clusters):
    main(["start", "march", "--images", "photos"])
    results = vc.open_study("march").results
    path = vc.save_table(make_clusters([0, 0, 1, 1]), results / "clusters.parquet", "clusters")
    sample = vc.draw_stratified_sample(vc.read_table(path, "clusters"))
    vc.save_table(sample, results / "sample.parquet", "sample")
    vc.save_table(make_clusters([0, 1, 1, 1]), path, "clusters")
    assert main(["check", "march"]) == 1
    said = capsys.readouterr().out
    assert "stale" in next(line for line in said.splitlines() if "sample.parquet" in line)
    assert said.rstrip().endswith("Next: 08_sample_and_survey.")


def test_check_says_which_files_are_not_there(place, capsys):
    main(["start", "march", "--images", "photos"])
    (place / "photos").rename(place / "pictures")
    assert main(["check", "march"]) == 1
    assert f"Not there: {place / 'photos'}" in capsys.readouterr().out


def test_annotate_passes_on_what_it_was_told(place, monkeypatch):
    main(["start", "march", "--images", "photos"])
    asked = []
    monkeypatch.setattr(
        "visclust.annotate.annotate_study", lambda study, options: asked.append((study, options)) or 0
    )
    assert main(["annotate", "march"]) == 0
    command = (
        "annotate march --port 9000 --address 0.0.0.0 --max-unsaved 3 --only pairs ratings --add ana --open"
    )
    assert main(command.split()) == 0
    (study, plain), (_, told) = asked
    assert study.name == "march"
    assert (plain.address, plain.port, plain.may_type_names, plain.certfile) == (
        "127.0.0.1",
        8866,
        False,
        None,
    )
    assert plain.kinds == tuple(KINDS)
    assert (told.address, told.port, told.max_unsaved, told.may_type_names) == ("0.0.0.0", 9000, 3, True)
    assert (told.kinds, told.add) == (("pairs", "ratings"), ("ana",))


def test_lab_opens_the_first_notebook_in_its_study(place, monkeypatch):
    main(["start", "march", "--images", "photos"])
    called = {}

    def run(command, **more):
        called.update(more, command=command)
        return argparse.Namespace(returncode=0)

    monkeypatch.setattr(commands.subprocess, "run", run)
    assert main(["lab", "march"]) == 0
    assert str(place / "march" / "notebooks" / "00_start_here.ipynb") in called["command"]
    assert called["env"]["VISCLUST_STUDY"] == str(place / "march")


def test_a_package_that_is_missing_is_named_with_its_installation(place, monkeypatch, capsys):
    main(["start", "march", "--images", "photos"])
    monkeypatch.setattr(commands, "find_spec", lambda _name: None)
    assert main(["run", "march"]) == 2
    assert "pip install 'visclust[lab]'" in capsys.readouterr().err


def test_a_number_without_a_notebook_lists_those_that_there_are(place, capsys):
    main(["start", "march", "--images", "photos"])
    assert main(["run", "march", "--only", "44"]) == 2
    assert "04_cluster_images" in capsys.readouterr().err


def test_python_m_visclust_is_the_command():
    found = subprocess.run(
        [sys.executable, "-m", "visclust", "--help"], capture_output=True, text=True, check=True
    )
    assert "upgrade" in found.stdout


def test_the_notebooks_of_the_clone_itself_are_left_alone_by_an_upgrade(capsys):
    before = {path.name: path.read_bytes() for path in (ROOT / "notebooks").rglob("*.ipynb")}
    assert main(["upgrade", str(ROOT)]) == 0
    assert "of its version already" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in (ROOT / "notebooks").rglob("*.ipynb")} == before


def test_upgrade_says_what_it_did_with_each_notebook(place, capsys):
    main(["start", "march", "--images", "photos"])
    (place / "march" / "notebooks" / "00_start_here.ipynb").unlink()
    assert main(["upgrade", "march"]) == 0
    said = capsys.readouterr().out
    assert "00_start_here.ipynb: added again: it had been removed." in said
    assert "01_build_corpus.ipynb: up to date." in said


@pytest.mark.slow
def test_run_gives_executed_copies_and_a_page_and_says_what_failed(place, capsys):
    main(["start", "march", "--images", "photos"])
    notebooks = place / "march" / "notebooks"
    for path in notebooks.glob("*.ipynb"):
        path.unlink()
    cells = {
        "01_open": "import visclust as vc\nstudy = vc.open_study()\n"
        "print(study.images)\n(study.results / 'note.txt').write_text('kept')",
        "02_fail": "1 / 0",
        "03_after": "1",
    }
    for name, source in cells.items():
        cell = nbformat.v4.new_code_cell(source)
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), notebooks / f"{name}.ipynb")
    assert main(["run", "march", "--only", "01"]) == 0
    results = place / "march" / "results"
    executed = nbformat.read(results / "notebooks" / "01_open.ipynb", as_version=4)
    assert executed.cells[0].outputs[0].text == f"{place / 'photos'}\n"
    assert (results / "note.txt").read_text() == "kept"
    assert main(["run", "march", "--only", "02", "03"]) == 1
    assert "02_fail failed, and the notebooks after it were not run." in capsys.readouterr().out
    assert {"01_open", "02_fail"} <= set((results / "index.html").read_text().replace("<", ">").split(">"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells a closed pipe otherwise")
def test_a_reader_that_stops_reading_is_no_fault():
    main(["start", "march", "--images", "photos"])
    code = "import sys; from visclust.commands import main; sys.exit(main(['check', 'march']))"
    run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    run.stdout.close()
    assert run.wait(timeout=120) == 1
    assert run.stderr.read() == b""
