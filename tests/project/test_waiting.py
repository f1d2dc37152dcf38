"""A notebook opened before its time says which one comes first, and leaves its cells out until then."""

import contextlib
import io
import json
import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from small_studies import write_study

import visclust as vc

FOLDER = Path(__file__).parents[2] / "notebooks"
FIRST = {
    "02_embed_images": "01_build_corpus",
    "03_fine_tune": "01_build_corpus and 02_embed_images",
    "04_cluster_images": "01_build_corpus and 02_embed_images",
    "05_label_pairs": "01_build_corpus and 02_embed_images",
    "06_grid_search": "01_build_corpus and 02_embed_images",
    "07_explore_clusters": "01_build_corpus and 02_embed_images and 04_cluster_images",
    "08_sample_and_survey": "01_build_corpus and 04_cluster_images",
    "09_emotions_and_partisanship": "01_build_corpus and 04_cluster_images",
}


@pytest.fixture
def run():
    """Run the source of a cell as Jupyter does, in this process; gives what it printed."""
    # A shell puts its own `__main__` in place of this process's, which processes started later need.
    own_main = sys.modules["__main__"]
    shell = InteractiveShell.instance()
    shell.reset()

    def run(source):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            shell.run_cell(source).raise_error()
        return " ".join(said.getvalue().split())

    yield run
    shell.input_transformers_post.clear()
    shell.reset()
    InteractiveShell.clear_instance()
    sys.modules["__main__"] = own_main


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study of three images, of which no notebook has run."""
    write_study(tmp_path, n=3)
    monkeypatch.setenv("VISCLUST_STUDY", str(tmp_path))
    return vc.open_study()


def list_sources(name):
    cells = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_every_notebook_after_the_first_says_what_it_waits_for():
    names = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
    assert [name for name in names if "wait_for_results" in "".join(list_sources(name))] == list(FIRST)


@pytest.mark.parametrize("name", FIRST)
def test_in_an_empty_study_a_notebook_says_what_comes_first_and_its_cells_are_left_out(name, study, run):
    said = [run(source) for source in list_sources(name)]
    (opening,) = [text for text in said if "in the results yet" in text]
    assert f"run {FIRST[name]}, then the cells below, to see here" in opening
    after = said[said.index(opening) + 1 :]
    assert len(after) > 3
    assert set(after) == {f"Left out: {FIRST[name]} comes first, as said above."}
    assert list(study.results.rglob("*")) == []


def test_the_cells_run_once_the_files_are_there(study, run):
    for source in list_sources("02_embed_images")[:2]:
        run(source)
    assert run("len(vc.read_table(study.results / 'images.parquet', 'images'))").startswith("Left out")
    vc.save_table(vc.index_images(study.images), study.results / "images.parquet", "images")
    assert run("print(len(vc.read_table(study.results / 'images.parquet', 'images')))") == "3"


def test_while_waiting_parameters_and_imports_are_kept(study, run):
    run("import visclust as vc\nstudy = vc.open_study()")
    run("vc.wait_for_results(study, 'images.parquet', shows='the images');")
    assert run("seed, rates = 5, (0.1, 0.2)") == ""
    assert run("import math") == ""
    assert run("seed = math.sqrt(4)").startswith("Left out")
    study.results.joinpath("images.parquet").touch()
    assert run("print(seed, rates, math.pi > 3)") == "5 (0.1, 0.2) True"


def test_another_call_waits_for_what_it_names_and_for_nothing_else(study, run):
    run("import visclust as vc\nstudy = vc.open_study()")
    run("vc.wait_for_results(study, 'clusters.parquet', shows='the clusters');")
    run("vc.wait_for_results(study, shows='nothing');")
    assert run("print('runs')") == "runs"


def test_where_all_is_there_nothing_is_said(study, capsys):
    study.results.joinpath("images.parquet").touch()
    assert vc.wait_for_results(study, "images.parquet", shows="the images")
    assert capsys.readouterr().out == ""


def test_embeddings_of_any_name_but_no_other_files_can_be_waited_for(study, capsys):
    assert not vc.wait_for_results(study, "embeddings/mine.npy", shows="the map")
    assert "run 03_fine_tune" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"got 'tweets\.csv'"):
        vc.wait_for_results(study, "tweets.csv", shows="posts")
