"""The pair labeller as a page of its own, with no code visible, for several annotators on one server.

``python -m visclust.widgets.annotate_app --pairs pairs.parquet --images images.parquet --answers answers``
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import ipywidgets

from visclust.annotation.answer_files import clean_name
from visclust.base.html import POLICIES
from visclust.base.tables import read_table
from visclust.widgets.labeller import label_pairs
from visclust.widgets.tasks import PAIR_QUESTION

_SETTINGS = "VISCLUST_ANNOTATE"
_CELL = "from visclust.widgets.annotate_app import start_annotating\nstart_annotating()"


def _choose_annotator(query: str) -> str:
    """Find out from a page's address who sits before it; empty where it names nobody.

    In lower case, so that "Ana" and "ana" are one person.
    """
    name = parse_qs(query).get("annotator", [""])[0]
    return clean_name(name).lower() if name.strip() else ""


def start_annotating() -> ipywidgets.DOMWidget:
    """Start the labeller for the person that the page's address names, or ask for the name first.

    Each page that is opened has its own kernel and calls this; the study's settings come from `main`
    through the environment.
    """
    if _SETTINGS not in os.environ:
        raise RuntimeError(
            "Expected the study's settings from `python -m visclust.widgets.annotate_app`, got none."
        )
    settings = json.loads(os.environ[_SETTINGS])
    annotator = _choose_annotator(os.environ.get("QUERY_STRING", ""))
    return _open_labeller(settings, annotator) if annotator else _ask_for_name(settings)


def _open_labeller(settings: dict[str, Any], annotator: str) -> ipywidgets.DOMWidget:
    """Open the labeller for one person."""
    widget = label_pairs(
        read_table(settings["pairs"], "pairs"),
        read_table(settings["images"], "images"),
        annotator=annotator,
        save_to=settings["answers"],
        question=settings["question"],
        construct=settings["construct"],
        max_unsaved=settings["max_unsaved"],
        images_folder=settings["images_folder"],
    )
    widget.settings = {**widget.settings, "autofocus": True}
    return widget


def _ask_for_name(settings: dict[str, Any]) -> ipywidgets.DOMWidget:
    """Show the first screen: six people with one fixed name would label as one."""
    name = ipywidgets.Text(
        description="Your name", placeholder="the same every time", continuous_update=False
    )
    start = ipywidgets.Button(description="Start", button_style="primary")
    page = ipywidgets.VBox([ipywidgets.HBox([name, start])])

    def open_for_name(_change: Any) -> None:
        if name.value.strip() and len(page.children) == 1 and page.children[0] is not None:
            start.disabled = name.disabled = True
            page.children = (_open_labeller(settings, clean_name(name.value).lower()),)

    name.observe(open_for_name, "value")  # Enter, or leaving the field towards the button
    start.on_click(open_for_name)
    return page


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the labeller until it is stopped.

    Annotators open ``http://<server>:<port>/?annotator=<name>``, or the address alone and type their name.
    There is no password: serve it on a network whose people you trust.
    """
    options = _read_options(arguments)
    settings = {
        **{
            name: str(getattr(options, name).absolute())
            for name in ("pairs", "images", "answers", "images_folder")
        },
        **{name: getattr(options, name) for name in ("question", "construct", "max_unsaved")},
    }
    read_table(settings["pairs"], "pairs")  # an error here is seen by who starts the server, later by nobody
    read_table(settings["images"], "images")
    try:
        from voila.app import Voila
    except ImportError:
        sys.exit("Expected the package voila, which serves the page: pip install 'visclust[lab]'")
    os.environ[_SETTINGS] = json.dumps(settings)
    with tempfile.TemporaryDirectory() as folder:  # a folder of its own: nothing else can be asked for
        notebook = Path(folder) / "annotate.ipynb"
        notebook.write_text(json.dumps(_make_notebook()))
        Voila.launch_instance(
            argv=[str(notebook), "--no-browser", f"--port={options.port}", f"--Voila.ip={options.address}"],
            tornado_settings={"headers": {"Content-Security-Policy": POLICIES["served"]}},
        )


def _read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m visclust.widgets.annotate_app", description=__doc__)
    parser.add_argument("--pairs", type=Path, required=True, help="the pairs table (Parquet)")
    parser.add_argument("--images", type=Path, required=True, help="the images table (Parquet)")
    parser.add_argument("--answers", type=Path, required=True, help="folder for the answers")
    parser.add_argument("--images-folder", type=Path, default=Path(), help="where relative image paths start")
    parser.add_argument("--question", default=PAIR_QUESTION)
    parser.add_argument("--construct", default="", help="what 'together' means in this study")
    parser.add_argument(
        "--max-unsaved", type=int, default=0, help="3 for annotators far away from the server"
    )
    parser.add_argument("--port", type=int, default=8866)
    parser.add_argument("--address", default="127.0.0.1", help="0.0.0.0 lets other computers in")
    return parser.parse_args(arguments)


def _make_notebook() -> dict[str, Any]:
    """Make the notebook of one cell that each page runs."""
    cell: dict[str, Any] = {
        "cell_type": "code",
        "id": "start",
        "metadata": {},
        "execution_count": None,
        "outputs": [],
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {
        "cells": [{**cell, "source": _CELL}],
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


if __name__ == "__main__":
    main()
