"""The notebooks of a study are brought to a newer version, and what a user changed is kept."""

import json

import pytest

import visclust.study_notebooks as study_notebooks
from visclust.study_notebooks import find_shipped_notebooks, upgrade_notebooks, write_notebooks


def make_notebook(*cells):
    """Make the text of a notebook from sources; the first is that of the parameters."""
    made = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {"tags": ["parameters"]} if number == 0 else {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(cells)
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def ship(tmp_path, monkeypatch):
    """Let visclust ship one notebook of these sources."""
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    monkeypatch.setattr(study_notebooks, "find_shipped_notebooks", lambda: shipped)

    def ship(*cells, name="01_first.ipynb"):
        (shipped / name).write_text(make_notebook(*cells))

    return ship


@pytest.fixture
def study(tmp_path, ship):
    """A study started when the notebook had two cells; gives its folder."""
    ship("n = 5", "print(n)")
    write_notebooks(tmp_path / "march")
    return tmp_path / "march"


def change(study, *cells, outputs=()):
    notebook = json.loads(make_notebook(*cells))
    notebook["cells"][-1]["outputs"] = list(outputs)
    (study / "notebooks" / "01_first.ipynb").write_text(json.dumps(notebook))


def read_sources(study, name="01_first.ipynb"):
    cells = json.loads((study / "notebooks" / name).read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells]


def upgrade(study):
    return upgrade_notebooks(study).set_index("notebook")["done"]["01_first.ipynb"]


def test_a_notebook_that_was_only_run_is_replaced(study, ship):
    output = {"output_type": "stream", "name": "stdout", "text": "5"}
    change(study, "n = 5", "print(n)", "", outputs=[output])  # Jupyter adds an empty cell
    ship("n = 5", "print(n + 1)")
    assert upgrade(study) == "replaced by the new version"
    assert read_sources(study) == ["n = 5", "print(n + 1)"]


def test_changed_parameters_go_into_the_new_notebook(study, ship):
    change(study, "n = 9", "print(n)")
    ship("n = 5", "print(n + 1)", "print('more')")
    assert upgrade(study) == "replaced by the new version, with your parameters"
    assert read_sources(study) == ["n = 9", "print(n + 1)", "print('more')"]


def test_a_notebook_that_was_changed_otherwise_is_kept_and_the_new_one_stands_beside_it(study, ship):
    change(study, "n = 9", "print('mine')")
    ship("n = 5", "print(n + 1)")
    assert "kept, since you changed more than its parameters" in upgrade(study)
    assert read_sources(study) == ["n = 9", "print('mine')"]
    assert read_sources(study, "01_first.new.ipynb") == ["n = 5", "print(n + 1)"]


def test_parameters_that_both_changed_are_not_guessed(study, ship):
    change(study, "n = 9", "print(n)")
    ship("n = 5\nm = 1", "print(n + m)")
    assert "that the new version changed too" in upgrade(study)
    assert read_sources(study) == ["n = 9", "print(n)"]


def test_changes_stay_where_there_is_no_newer_version(study):
    change(study, "n = 9", "print('mine')")
    assert upgrade(study) == "up to date, with your changes"
    assert read_sources(study) == ["n = 9", "print('mine')"]
    assert not (study / "notebooks" / "01_first.new.ipynb").exists()


def test_parameters_are_carried_through_several_versions(study, ship):
    change(study, "n = 9", "print(n)")
    for version in ("a", "b"):
        ship("n = 5", f"print(n, '{version}')")
        assert upgrade(study) == "replaced by the new version, with your parameters"
    assert read_sources(study) == ["n = 9", "print(n, 'b')"]


def test_without_a_note_of_what_was_shipped_nothing_is_overwritten(study, ship):
    (study / ".visclust_notebooks.json").unlink()
    ship("n = 5", "print(n + 1)")
    assert "how it was shipped is not known" in upgrade(study)
    assert read_sources(study) == ["n = 5", "print(n)"]


def test_new_and_removed_notebooks_and_those_that_cannot_be_read_are_said(study, ship):
    (study / "notebooks" / "01_first.ipynb").write_text("{")
    ship("x = 1", name="02_second.ipynb")
    done = upgrade_notebooks(study).set_index("notebook")["done"]
    assert done["02_second.ipynb"] == "added"
    assert "cannot be read as a notebook" in done["01_first.ipynb"]
    (study / "notebooks" / "01_first.ipynb").unlink()
    assert upgrade(study) == "added again: it had been removed"


def test_links_to_the_page_of_tables_lead_there_from_a_study(tmp_path, monkeypatch):
    write_notebooks(tmp_path)
    texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "notebooks").glob("*.ipynb")]
    assert len(texts) == len(list(find_shipped_notebooks().glob("*.ipynb")))
    assert not any("../visclust/" in text for text in texts)
