"""The notebook series: its form, and one headless run of all, since later ones read files of earlier ones."""

import re
from pathlib import Path

import nbformat
import pytest

from visclust.notebook_run import run_notebooks, write_index

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """Run the series once for all tests here; gives the folder with the results and the table of runs."""
    if not NOTEBOOKS:
        pytest.skip("there are no notebooks to run")  # test_there_are_notebooks fails
    to = tmp_path_factory.mktemp("series")
    return to, run_notebooks(FOLDER, to=to).set_index("notebook")


def read(path):
    return nbformat.read(path, as_version=4)


def list_code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_names_are_numbered_words_and_no_number_comes_twice():
    names = [path.stem for path in NOTEBOOKS]
    assert [name for name in names if not re.fullmatch(r"\d\d_[a-z0-9]+(_[a-z0-9]+)*", name)] == []
    assert len({name[:2] for name in names}) == len(names)


@each_notebook
def test_a_notebook_is_valid_and_stripped_of_outputs(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert "widgets" not in notebook.metadata
    assert [cell.outputs for cell in list_code_cells(path) if cell.outputs] == []
    assert {cell.execution_count for cell in list_code_cells(path)} <= {None}


@each_notebook
def test_a_notebook_opens_with_its_question_and_with_what_it_reads_and_writes(path):
    first = read(path).cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# \w", first.source)
    assert "?" in first.source
    assert "*Reads*" in first.source
    assert "*Writes*" in first.source


@each_notebook
def test_a_notebook_closes_with_text(path):
    assert read(path).cells[-1].cell_type == "markdown"


@each_notebook
def test_the_first_code_cell_holds_the_parameters(path):
    # Before it comes at most the cell that installs visclust on Colab.
    cells = [cell for cell in list_code_cells(path) if "google.colab" not in cell.source]
    assert "parameters" in cells[0].metadata.get("tags", [])


@each_notebook
def test_code_cells_have_at_most_ten_lines_and_define_nothing(path):
    for cell in list_code_cells(path):
        assert len(cell.source.splitlines()) <= 10, cell.source
        assert not re.search(r"^\s*(async\s+)?(def|class)\s", cell.source, re.MULTILINE), cell.source


@each_notebook
def test_a_notebook_runs_headless(series, path):
    to, runs = series
    assert runs.status[path.stem] == "ok", runs.error[path.stem]
    nbformat.validate(read(to / "notebooks" / path.name))


@each_notebook
def test_every_chart_of_a_run_is_saved_with_its_picture(series, path):
    to, _ = series
    for cell in list_code_cells(to / "notebooks" / path.name):
        kinds = {kind for output in cell.outputs for kind in output.get("data", {})}
        assert not any("vega" in kind for kind in kinds) or "image/png" in kinds, cell.source


def test_the_page_of_a_run_shows_pictures_of_the_series(series):
    to, runs = series
    page = write_index([to / "notebooks" / f"{name}.ipynb" for name in runs.index], to=to).read_text()
    assert page.count("<h2>") == len(NOTEBOOKS)
    assert "<img" in page
