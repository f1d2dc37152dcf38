"""The notebook on corpora past one machine: its form, and one run on the shards of the example."""

import re
from pathlib import Path

import nbformat
import pytest

from visclust.notebook_run import run_notebooks

FOLDER = Path(__file__).parents[2] / "notebooks" / "more"
(NOTEBOOK,) = FOLDER.glob("*.ipynb")


def list_code_cells():
    return [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]


def test_the_notebook_has_the_form_of_the_series():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    first = notebook.cells[0]
    assert re.match(r"# \w.*\?", first.source)
    assert "*Reads*" in first.source
    assert "*Writes*" in first.source
    assert notebook.cells[-1].cell_type == "markdown"
    assert "parameters" in list_code_cells()[0].metadata["tags"]
    for cell in list_code_cells():
        assert cell.outputs == []
        assert len(cell.source.splitlines()) <= 10
        assert not re.search(r"^\s*(def|class)\s", cell.source, re.MULTILINE)


@pytest.mark.slow
def test_the_notebook_runs_on_the_shards_of_the_example(tmp_path):
    runs = run_notebooks(FOLDER, to=tmp_path, parameters={"scale_out": {"n_images": 50, "shard_size": 20}})
    assert runs["status"].tolist() == ["ok"], runs["error"].tolist()
    done = nbformat.read(tmp_path / "notebooks" / NOTEBOOK.name, as_version=4)
    texts = [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for cell in done.cells if cell.cell_type == "code" for output in cell.outputs
    ]  # fmt: skip
    said = " ".join(texts)
    assert "there" in said
    assert "clusters;" in said
    assert "embed on GPUs" in said
