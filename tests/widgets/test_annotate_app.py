"""Labelling without code: the page that Voila serves, short of Voila itself."""

import json

import pandas as pd
import pytest
from PIL import Image

from visclust.widgets.annotate_app import _choose_annotator, _make_notebook, main, start_annotating


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Set what `main` hands to the pages that it serves, and the address that a page is opened with."""
    for name in "abc":
        Image.new("RGB", (60, 40)).save(tmp_path / f"{name}.png")
    images = pd.DataFrame({"image_id": list("abc"), "path": [f"{name}.png" for name in "abc"], "status": "ok",
                           "reason": "", "width": 60, "height": 40})  # fmt: skip
    pairs = pd.DataFrame({"pair_id": ["p1", "p2"], "image_a": list("ab"), "image_b": list("bc"),
                          "stratum": "s", "inclusion_probability": 0.5})  # fmt: skip
    pairs.to_parquet(tmp_path / "pairs.parquet")
    images.to_parquet(tmp_path / "images.parquet")
    settings = {name: str(tmp_path / f"{name}.parquet") for name in ("pairs", "images")} | {
        "answers": str(tmp_path / "answers"), "images_folder": str(tmp_path), "question": "Same?",
        "construct": "", "max_unsaved": 0,
    }  # fmt: skip
    monkeypatch.setenv("VISCLUST_ANNOTATE", json.dumps(settings))
    return lambda query: monkeypatch.setenv("QUERY_STRING", query)


def test_the_served_page_knows_its_annotator_from_the_address_or_asks(serve):
    serve("annotator=Ana")
    assert start_annotating().settings["annotator"] == "ana"
    serve("annotator=%20")
    page = start_annotating()
    name, start = page.children[0].children
    start.click()
    assert page.children[0].children == (name, start)  # no name, no labeller
    name.value = " Ben "
    assert page.children[0].settings["annotator"] == "ben"


def test_one_person_is_one_annotator_however_the_address_spells_the_name():
    assert (
        _choose_annotator("annotator=Ana%20Ruiz&x=1") == _choose_annotator("annotator=ana+ruiz") == "ana ruiz"
    )
    assert _choose_annotator("") == ""


def test_the_one_cell_of_a_served_page_opens_the_labeller_with_its_keys_at_once(serve):
    serve("annotator=Ana")
    (cell,) = _make_notebook()["cells"]
    *before, last = cell["source"].splitlines()
    names = {}
    exec("\n".join([*before, f"widget = {last}"]), names)
    widget = names["widget"]
    assert (widget.settings["question"], widget.settings["autofocus"]) == ("Same?", True)


def test_a_page_that_nobody_serves_says_what_would(monkeypatch):
    monkeypatch.delenv("VISCLUST_ANNOTATE", raising=False)
    with pytest.raises(RuntimeError, match=r"python -m visclust\.widgets\.annotate_app"):
        start_annotating()


def test_the_server_refuses_to_start_on_tables_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="No pairs table"):
        main(
            [
                "--pairs",
                str(tmp_path / "none"),
                "--images",
                str(tmp_path / "none"),
                "--answers",
                str(tmp_path),
            ]
        )
