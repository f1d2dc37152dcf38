"""The pair labeller in a real JupyterLab and a real browser."""

import json
import re
import shutil
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from browser_tools import (
    MARKUP,
    STARTUP_SECONDS,
    answer,
    close_notebooks,
    make_study,
    open_notebook,
    read_done,
    read_json,
    restart_kernel,
    run_command,
    save_screenshot,
    start_jupyterlab,
    wait_for_labeller,
    wait_until,
    write_notebook,
)

from visclust.annotation.answers import current_answers, read_answers
from visclust.base.tables import read_table, save_table
from visclust.embedding.embed import Embedding
from visclust.embedding.storage import save_embedding
from visclust.example import load_example
from visclust.images.index import select_usable

pytestmark = pytest.mark.browser

OWN_NOTEBOOK = Path(__file__).parents[3] / "notebooks" / "05_label_pairs.ipynb"
KEYS = {"s": "same", "d": "different", "u": "unsure", "k": "skip", "ArrowLeft": "same",
        "ArrowRight": "different", "ArrowDown": "unsure"}  # fmt: skip


@pytest.fixture(scope="module")
def server(needs_browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    with start_jupyterlab(folder) as address:
        yield folder, address


@pytest.fixture
def open_study(server, page, request):
    """Write a study of this test's own, open its notebook, and run it."""
    folder, address = server

    def open_one(**options):
        study = folder / request.node.name
        make_study(study)
        write_notebook(study / "label.ipynb", **options)
        open_notebook(page, address, f"{study.name}/label.ipynb")
        return run_all(page), study / "answers"

    yield open_one
    close_notebooks(address)


def show_cell(page, labeller):
    """Scroll a notebook to the cell of a labeller: cells out of sight are hidden, and their text is empty."""
    page.evaluate(
        """(at) => { void window.jupyterapp.shell.currentWidget.content.scrollToItem(at, 'center'); }""",
        page.evaluate(
            """() => window.jupyterapp.shell.currentWidget.content.widgets.findIndex(
                 (cell) => cell.node.querySelector('.visclust-labeller'))"""
        ),
    )
    return labeller.is_visible()


def run_all(page):
    run_command(page, "notebook:run-all-cells")
    return wait_for_labeller(page)


def test_twenty_pairs_by_key_and_click_an_undo_a_restart_and_exactly_these_rows(page, server, open_study):
    labeller, answers = open_study()
    answer(page, labeller, KEYS, by="key")
    answer(page, labeller, ["same", "different", "unsure", "skip", "same"], by="click")
    save_screenshot(page, "label_pairs_in_jupyterlab.png")

    labeller.press("z")
    wait_until(lambda: read_done(labeller) == 11, what="the undo")
    answer(page, labeller, ["d"], by="key")

    restart_kernel(page, server[1])
    labeller = run_all(page)
    wait_until(lambda: read_done(labeller) == 12, what="the labeller to resume")
    answer(page, labeller, ["s", "d"], by="key")
    answer(page, labeller, ["same", "different", "unsure", "same", "different", "unsure"], by="click")

    (path,) = answers.iterdir()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    first = [*KEYS.values(), "same", "different", "unsure", "skip", "same"]
    last = ["different", "same", "different", "same", "different", "unsure", "same", "different", "unsure"]
    pairs = [f"pair{number:03}" for number in range(20)]
    assert [row["answer"] for row in rows] == [*first, None, *last]
    assert [row["item_id"] for row in rows] == [*pairs[:12], pairs[11], *pairs[11:]]
    assert rows[12]["retracts"] == rows[11]["event_id"]
    assert [(row["left"], row["right"]) for row in rows[:2]] == [("img000", "img001"), ("img001", "img002")]
    assert {row["annotator"] for row in rows} == {"Ana"}
    assert all(row["seconds"] > 0 for row in rows if not row["retracts"])
    assert len({row["event_id"] for row in rows}) == len(rows) == 22
    assert current_answers(read_answers(path))["answer"].tolist() == first[:11] + last
    assert page.faults == []


def test_images_are_large_and_undistorted_and_nothing_overlaps(page, open_study):
    labeller, _ = open_study()
    parts = ["head", "construct", "question", "images", "controls", "note", "status", "message"]
    boxes = [labeller.locator(f".visclust-{part}").bounding_box() for part in parts]
    for above, below in pairwise(boxes):
        assert above["y"] + above["height"] <= below["y"] + 0.5  # half a pixel of rounding
    left, right = (frame.bounding_box() for frame in labeller.locator(".visclust-frame").all())
    assert left["x"] + left["width"] <= right["x"]
    assert min(left["width"], right["width"], left["height"], right["height"]) >= 300
    for image in labeller.locator(".visclust-image").all():
        assert image.evaluate("(image) => getComputedStyle(image).objectFit") == "contain"
    buttons = [button.bounding_box() for button in labeller.locator(".visclust-button").all()]
    for one, other in pairwise(buttons):
        assert one["x"] + one["width"] <= other["x"] or one["y"] + one["height"] <= other["y"]


def test_texts_from_elsewhere_are_shown_as_text(page, open_study):
    labeller, _ = open_study()
    assert labeller.locator(".visclust-construct").inner_text() == MARKUP
    assert labeller.locator(".visclust-construct *").count() == 0
    assert page.evaluate("window.hacked") is None


def test_keys_stay_in_the_labeller_and_a_note_is_typed_without_answering(page, open_study):
    labeller, answers = open_study()
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    labeller.locator(".visclust-note").click()
    page.keyboard.type("sdukz dd: <b>why</b>")
    assert read_done(labeller) == 0
    page.keyboard.press("Enter")
    labeller.press("d")
    wait_until(lambda: read_done(labeller) == 1, what="the answer")
    for key in "xxbbaa":  # JupyterLab's commands: cut, insert below, insert above
        labeller.press(key)
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells
    row = read_answers(answers).iloc[0]
    assert (row["answer"], row["note"]) == ("different", "sdukz dd: <b>why</b>")
    assert labeller.locator(".visclust-note").input_value() == ""


def test_a_key_held_down_is_one_answer(page, open_study):
    labeller, answers = open_study()
    labeller.focus()
    for _ in range(10):  # without "up" between them the browser marks all but the first as repeated
        page.keyboard.down("s")
        time.sleep(0.05)
    page.keyboard.up("s")
    wait_until(lambda: read_done(labeller) == 1, what="the answer")
    assert len(read_answers(answers)) == 1


def test_a_click_enlarges_an_image_and_escape_goes_back(page, open_study):
    labeller, answers = open_study()
    labeller.locator(".visclust-frame").first.click()
    zoomed = labeller.locator(".visclust-zoom img")
    # The large copy replaces the 384 pixels that are there at once.
    wait_until(lambda: zoomed.evaluate("(image) => image.naturalHeight") == 900, what="the large image")
    save_screenshot(page, "label_pairs_zoomed.png")
    page.keyboard.press("s")
    page.keyboard.press("Escape")
    zoomed.wait_for(state="detached")
    assert not list(answers.iterdir())
    page.keyboard.press("s")
    wait_until(lambda: read_done(labeller) == 1, what="the answer after the zoom")


def test_an_answer_to_a_dead_kernel_is_kept_and_saved_when_the_cell_runs_again(page, server, open_study):
    labeller, answers = open_study()
    answer(page, labeller, ["s", "d"], by="key")
    restart_kernel(page, server[1])
    labeller.press("u")  # the widget is still on the screen, its kernel is not
    page.get_by_text("1 not saved yet").wait_for()
    labeller.press("s")
    page.get_by_text("kept in this browser").wait_for()
    save_screenshot(page, "label_pairs_kernel_gone.png")
    assert len(read_answers(answers)) == 2
    labeller = run_all(page)
    wait_until(lambda: read_done(labeller) == 3, what="the kept answer")
    assert read_answers(answers)["answer"].tolist() == ["same", "different", "unsure"]


def test_two_tabs_on_one_notebook_show_the_same_and_double_nothing(page, browser, server, open_study):
    labeller, answers = open_study()
    answer(page, labeller, ["s"], by="key")
    run_command(page, "docmanager:save")
    wait_until(lambda: "widget-view" in (answers.parent / "label.ipynb").read_text(), what="the save")
    second = browser.new_page()
    open_notebook(second, server[1], f"{answers.parent.name}/label.ipynb")
    other = wait_for_labeller(second)
    wait_until(lambda: read_done(other) == 1, what="the second tab to know of the answer")
    answer(second, other, ["d", "u"], by="key")
    wait_until(lambda: read_done(labeller) == 3, what="the first tab to know of the second one's answers")
    answer(page, labeller, ["d"], by="key")
    assert read_answers(answers)["item_id"].tolist() == ["pair000", "pair001", "pair002", "pair003"]


def test_two_notebooks_of_one_person_never_ask_the_same_pair(page, browser, server, open_study):
    labeller, answers = open_study()
    write_notebook(answers.parent / "other.ipynb", annotator=" ANA")
    second = browser.new_page()
    second.goto(f"{server[1]}/lab/tree/{answers.parent.name}/other.ipynb?reset")
    second.wait_for_selector(".jp-Notebook .jp-Cell")
    wait_until(lambda: count_idle_kernels(server[1]) == 2, what="a second kernel")
    tabs = [(page, labeller), (second, run_all(second))]
    for turn in range(8):
        tab, shown = tabs[turn % 2]
        tab.bring_to_front()
        wait_until(lambda turn=turn, shown=shown: read_done(shown) == turn, what="the other's answer")
        answer(tab, shown, ["s"], by="key")
    rows = read_answers(answers)
    assert rows["item_id"].tolist() == [f"pair{number:03}" for number in range(8)]
    assert rows["annotator"].unique().tolist() == ["Ana"]
    assert rows["counter"].is_monotonic_increasing
    assert rows["counter"].is_unique


def count_idle_kernels(address):
    kernels = [session["kernel"] for session in read_json(f"{address}/api/sessions")]
    return sum(one["connections"] > 0 and one["execution_state"] == "idle" for one in kernels)


SLOW_DISK = """record = widget._log.record
widget._log.record = lambda event: (time.sleep(1.5), record(event))"""


def test_the_next_pair_waits_for_the_disk(page, open_study):
    labeller, answers = open_study(then=SLOW_DISK)
    shown = labeller.locator(".visclust-image").first.get_attribute("src")
    labeller.press("s")
    labeller.press("d")
    page.get_by_text("1 not saved yet").wait_for()
    assert labeller.locator(".visclust-image").first.get_attribute("src") == shown
    assert not list(answers.iterdir())
    wait_until(lambda: read_done(labeller) == 1, what="the answer")
    assert labeller.locator(".visclust-image").first.get_attribute("src") != shown
    assert read_answers(answers)["answer"].tolist() == ["same"]


def test_with_a_far_server_three_answers_may_be_under_way_but_not_four(page, open_study):
    labeller, answers = open_study(then=SLOW_DISK, options=", max_unsaved=3")
    for key in "sdus":
        labeller.press(key)
        time.sleep(0.2)  # for the next pair's images, which are there already
    page.get_by_text("3 not saved yet").wait_for()
    wait_until(lambda: read_done(labeller) == 3, what="the three answers")
    page.get_by_text("All answers are saved").wait_for()
    rows = read_answers(answers)
    assert rows["answer"].tolist() == ["same", "different", "unsure"]
    assert rows["item_id"].tolist() == ["pair000", "pair001", "pair002"]


FULL_DISK = """import visclust.widgets.logs as log
append, room = log.append_answer, []
def append_where_there_is_room(path, row):
    if not room:
        raise OSError(28, "No space left on device", str(path))
    return append(path, row)
log.append_answer = append_where_there_is_room
import threading
threading.Timer(6, lambda: room.append(1)).start()"""


def test_a_full_disk_is_shown_and_the_answer_saved_once_there_is_room(page, open_study):
    labeller, answers = open_study(then=FULL_DISK)
    labeller.press("d")
    said = labeller.locator(".visclust-message")
    wait_until(lambda: "No space left on device" in said.inner_text(), what="the message")
    save_screenshot(page, "label_pairs_full_disk.png")
    wait_until(lambda: read_done(labeller) == 1, what="the answer that was tried again")
    assert said.inner_text() == ""
    assert read_answers(answers)["answer"].tolist() == ["different"]


@pytest.fixture
def series_folder(tmp_path, monkeypatch):
    """Copy the project's own notebook beside the files that earlier notebooks leave for it."""
    monkeypatch.setenv("VISCLUST_RESULTS", str(tmp_path / "results"))
    example = load_example()
    save_table(example.images, tmp_path / "results" / "images.parquet", "images")
    ids = select_usable(example.images)["image_id"].tolist()
    x = np.random.default_rng(0).normal(size=(len(ids), 8)).astype("float32")  # no network is needed to label
    save_embedding(Embedding(x, ids, {}), tmp_path / "results" / "embeddings", name="pretrained")
    shutil.copy(OWN_NOTEBOOK, tmp_path / OWN_NOTEBOOK.name)
    return tmp_path


def test_the_projects_own_notebook_labels_resumes_after_a_restart_and_keeps_exactly_these_rows(
    page, series_folder
):
    with start_jupyterlab(series_folder) as address:
        open_notebook(page, address, OWN_NOTEBOOK.name)
        labeller = run_all(page)
        answer(page, labeller, KEYS, by="key")
        answer(page, labeller, ["same", "different", "unsure", "skip", "same"], by="click")
        labeller.press("z")
        wait_until(lambda: read_done(labeller) == 11, what="the undo")
        labeller.scroll_into_view_if_needed()
        save_screenshot(page, "05_label_pairs.png")
        assert re.search(r"\d+ left", labeller.locator(".visclust-progress").inner_text())

        restart_kernel(page, address)
        labeller = run_all(page)
        # The cells before the labeller draw the pairs again, and the page goes to the last of those after it.
        wait_until(
            lambda: show_cell(page, labeller) and read_done(labeller) == 11,
            seconds=STARTUP_SECONDS,
            what="the labeller to resume",
        )
        answer(page, labeller, ["d"] * 9, by="key")

    (path,) = (series_folder / "results" / "answers").iterdir()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    first = [*KEYS.values(), "same", "different", "unsure", "skip", "same"]
    pairs = read_table(series_folder / "results" / "pairs.parquet", "pairs")["pair_id"].tolist()
    assert [row["answer"] for row in rows] == [*first, None, *["different"] * 9]
    assert [row["item_id"] for row in rows] == [*pairs[:12], pairs[11], *pairs[11:20]]
    assert current_answers(read_answers(path))["answer"].tolist() == [*first[:11], *["different"] * 9]
