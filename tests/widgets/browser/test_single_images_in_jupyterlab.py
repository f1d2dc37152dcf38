"""Labelling features and rating images in a real JupyterLab and a real browser."""

import json

import pandas as pd
import pytest
from browser_tools import (
    MARKUP,
    close_notebooks,
    make_study,
    open_notebook,
    read_done,
    restart_kernel,
    run_command,
    save_screenshot,
    start_jupyterlab,
    wait_until,
)
from browsing_studies import write_cells

from visclust.annotation.answers import current_answers, read_answers
from visclust.annotation.constructs import FEATURES
from visclust.annotation.features import aggregate_labels, read_feature_answer
from visclust.annotation.ratings import read_rating_answer, read_rating_answers

pytestmark = pytest.mark.browser

READ = """import pandas as pd
import visclust as vc
images = pd.read_parquet("images.parquet")"""
FEATURE_CELL = f"""widget = vc.label_features(
    images, annotator="Ana", save_to="answers", construct={MARKUP!r})
widget"""
RATING_CELL = f"""assignment = pd.read_parquet("assignment.parquet")
widget = vc.rate_images(assignment, images, respondent="r1", save_to="answers", construct={MARKUP!r}, seed=7)
widget"""


@pytest.fixture(scope="module")
def server(needs_browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    with start_jupyterlab(folder) as address:
        yield folder, address


@pytest.fixture
def open_study(server, page, request):
    """Write a study of this test's own, open its notebook, and run it."""
    folder, address = server

    def open_one(cell):
        study = folder / request.node.name
        images, _ = make_study(study, n_pairs=9)
        make_assignment(images).to_parquet(study / "assignment.parquet")
        write_cells(study / "label.ipynb", [READ, cell])
        open_notebook(page, address, f"{study.name}/label.ipynb")
        return run_all(page), study / "answers"

    yield open_one
    close_notebooks(address)


def make_assignment(images):
    """Assign the first eight images to r1, in reversed order."""
    ids = images["image_id"].iloc[:8]
    return pd.DataFrame(
        {
            "respondent": "r1",
            "group": "secret-party",
            "position": range(8, 0, -1),
            "image_id": ids,
            "cluster": 7,
        }
    )


def run_all(page):
    run_command(page, "notebook:run-all-cells")
    page.wait_for_selector(".visclust-toggle[aria-disabled=false], .visclust-radio[aria-disabled=false]",
                           timeout=120_000, state="attached")  # fmt: skip
    return page.locator(".visclust-labeller").last


def press(page, labeller, keys, *, done):
    """Press keys one after the other, and wait until this many items are done and the next one shows."""
    for key in keys:
        page.keyboard.press(key)
    wait_until(lambda: read_done(labeller) == done, what=f"item {done} to count")
    labeller.locator(
        ".visclust-toggle[aria-disabled=false], .visclust-radio[aria-disabled=false]"
    ).first.wait_for()


def read_rows(answers):
    (path,) = answers.iterdir()
    return [json.loads(line) for line in path.read_text().splitlines()]


def list_pressed(labeller):
    return [
        one.get_attribute("data-name")
        for one in labeller.locator(".visclust-toggle[aria-pressed=true]").all()
    ]


def test_features_by_key_and_click_an_undo_a_restart_and_exactly_these_rows(page, server, open_study):
    labeller, answers = open_study(FEATURE_CELL)
    labeller.focus()
    press(page, labeller, ["1", "0", "-", "=", "Enter"], done=1)
    press(page, labeller, ["n"], done=2)
    press(page, labeller, ["k"], done=3)
    labeller.locator(".visclust-toggle[data-name=men]").click()
    labeller.locator(".visclust-toggle[data-name=women]").click()
    assert list_pressed(labeller) == ["men", "women"]
    save_screenshot(page, "label_features_in_jupyterlab.png")
    labeller.locator(".visclust-choice[data-value=next]").click()
    wait_until(lambda: read_done(labeller) == 4, what="the click to count")
    assert list_pressed(labeller) == []

    labeller.press("z")
    wait_until(lambda: read_done(labeller) == 3, what="the undo")
    wait_until(lambda: list_pressed(labeller) == ["men", "women"], what="the former answer")
    labeller.locator(".visclust-toggle[aria-disabled=false]").first.wait_for()
    press(page, labeller, ["9", "8", "8", "Space"], done=4)

    restart_kernel(page, server[1])
    labeller = run_all(page)
    wait_until(lambda: read_done(labeller) == 4, what="the labeller to resume")
    labeller.focus()
    press(page, labeller, ["2", "Enter"], done=5)

    rows = read_rows(answers)
    images = ["img000", "img001", "img002", "img003", "img003", "img003", "img004"]
    assert [row["item_id"] for row in rows] == images
    assert [row["retracts"] for row in rows] == [None] * 4 + [rows[3]["event_id"], None, None]
    assert rows[2]["answer"] == "skip"
    said = [
        [name for name, there in read_feature_answer(row["answer"]).items() if there]
        for row in rows
        if row["answer"] not in (None, "skip")
    ]
    assert said == [
        ["enthusiasm", "children", "symbols of collective identity", "the movement will succeed"],
        [], ["men", "women"], ["men"], ["anger"],
    ]  # fmt: skip
    assert all(list(read_feature_answer(rows[at]["answer"])) == list(FEATURES) for at in (0, 1, 3, 5, 6))
    labels = aggregate_labels(read_answers(answers)).labels.set_index("image_id")
    assert labels["men"].fillna(-1).to_dict() == {
        "img000": 0,
        "img001": 0,
        "img002": -1,
        "img003": 1,
        "img004": 0,
    }
    assert page.faults == []
    assert page.evaluate("window.hacked") is None


def test_next_waits_for_a_feature_and_nothing_here_for_none(page, open_study):
    labeller, answers = open_study(FEATURE_CELL)
    labeller.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    page.keyboard.press("3")
    page.keyboard.press("n")
    assert read_done(labeller) == 0
    assert list_pressed(labeller) == ["anxiety"]
    press(page, labeller, ["Enter"], done=1)
    assert len(read_rows(answers)) == 1


def test_switches_can_be_reached_and_pressed_with_tab_and_space(page, open_study):
    labeller, _ = open_study(FEATURE_CELL)
    labeller.locator(".visclust-frame").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert list_pressed(labeller) == ["enthusiasm", "anger"]
    assert page.evaluate("document.activeElement.dataset.name") == "anger"
    page.keyboard.press("Space")
    assert list_pressed(labeller) == ["enthusiasm"]
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    for key in "dd":
        page.keyboard.press(key)
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells


def test_the_image_is_large_and_the_switches_stand_beside_it_in_two_columns(page, open_study):
    labeller, _ = open_study(FEATURE_CELL)
    frame = labeller.locator(".visclust-frame").bounding_box()
    boxes = [toggle.bounding_box() for toggle in labeller.locator(".visclust-toggle").all()]
    assert min(frame["width"], frame["height"]) >= 300
    assert len({round(box["x"]) for box in boxes}) == 2
    assert len({round(box["y"]) for box in boxes}) == 6
    assert min(box["x"] for box in boxes) >= frame["x"] + frame["width"]
    assert labeller.locator(".visclust-construct *").count() == 0


def test_ratings_by_key_and_click_an_undo_a_restart_and_exactly_these_rows(page, server, open_study):
    labeller, answers = open_study(RATING_CELL)
    items = [row.get_attribute("data-item") for row in labeller.locator(".visclust-rating").all()]
    labeller.focus()
    press(page, labeller, [*"1234567890", "Enter"], done=1)
    # Down, up and Tab go between items; right starts at the low end, left at the high one; c is "can't say".
    keys = [
        "ArrowDown",
        "ArrowUp",
        "ArrowRight",
        "ArrowRight",
        "Tab",
        "ArrowLeft",
        "Tab",
        *"555c55",
        "End",
        "ArrowDown",
        "Home",
    ]
    press(page, labeller, [*keys, "Enter"], done=2)
    for at, item in enumerate(items):
        value = "null" if at == 3 else str(at + 1)
        labeller.locator(f".visclust-rating[data-item={item}] .visclust-radio[data-value='{value}']").click()
    save_screenshot(page, "rate_images_in_jupyterlab.png")
    labeller.locator(".visclust-choice[data-value=next]").click()
    wait_until(lambda: read_done(labeller) == 3, what="the click to count")

    labeller.press("z")
    wait_until(lambda: read_done(labeller) == 2, what="the undo")
    checked = labeller.locator(".visclust-radio[aria-checked=true]")
    wait_until(lambda: checked.count() == 10, what="the former ratings")
    labeller.locator(".visclust-radio[aria-disabled=false]").first.wait_for()
    press(page, labeller, ["9", "Enter"], done=3)

    restart_kernel(page, server[1])
    labeller = run_all(page)
    wait_until(lambda: read_done(labeller) == 3, what="the rater to resume")
    assert [row.get_attribute("data-item") for row in labeller.locator(".visclust-rating").all()] == items
    labeller.focus()
    press(page, labeller, [*"1" * 10, "Enter"], done=4)

    rows = read_rows(answers)
    assert [row["item_id"] for row in rows] == ["img007", "img006", "img005", "img005", "img005", "img004"]
    assert rows[3]["retracts"] == rows[2]["event_id"]
    assert rows[0]["answer"] == json.dumps(
        {"scale": [1, 10], "ratings": [[item, at + 1] for at, item in enumerate(items)]},
        separators=(",", ":"),
    )
    ratings = [
        list(read_rating_answer(row["answer"], items=items).values())
        for row in rows
        if row["answer"] is not None
    ]
    assert ratings == [
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        [2, 10, 5, 5, 5, None, 5, 5, 10, 1],
        [1, 2, 3, None, 5, 6, 7, 8, 9, 10],
        [9, 2, 3, None, 5, 6, 7, 8, 9, 10],
        [1] * 10,
    ]
    table = read_rating_answers(answers, make_assignment(pd.read_parquet(answers.parent / "images.parquet")))
    assert table["rating"].notna().sum() == 10 + 9 + 9 + 10
    assert table["reason"].value_counts().to_dict() == {"": 38, "not answered": 40, "cannot say": 2}
    assert len(current_answers(read_answers(answers))) == 4
    assert page.faults == []
    assert page.evaluate("window.hacked") is None


def test_an_image_goes_on_only_when_every_item_is_rated(page, open_study):
    labeller, answers = open_study(RATING_CELL)
    labeller.focus()
    for key in [*"123", "ArrowDown", *"56789", "Enter"]:
        page.keyboard.press(key)
    assert labeller.locator(".visclust-count").inner_text() == "8 of 10 rated"
    assert read_done(labeller) == 0
    current = labeller.locator(".visclust-current")
    assert current.get_attribute("data-item") == labeller.locator(".visclust-rating").nth(3).get_attribute(
        "data-item"
    )
    press(
        page,
        labeller,
        ["c", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "0", "Enter"],
        done=1,
    )
    assert len(read_rows(answers)) == 1
    focused = page.evaluate("document.activeElement.closest('.visclust-rating')?.dataset.item")
    assert focused == labeller.locator(".visclust-rating").first.get_attribute("data-item")


def test_a_screen_reader_finds_a_named_group_per_item_and_one_tab_stop_in_each(page, open_study):
    labeller, _ = open_study(RATING_CELL)
    groups = labeller.get_by_role("radiogroup")
    assert groups.count() == 10
    for group in groups.all():
        item = group.get_attribute("data-item")
        assert group.get_attribute("aria-label") == f"{item}, from 1, not at all, to 10, very much"
        assert group.get_by_role("radio").count() == 11
        assert group.locator("[tabindex='0']").count() == 1
    assert "secret-party" not in page.content()
    assert labeller.locator(".visclust-choice[data-value=next]").get_attribute("aria-disabled") == "true"
    assert not labeller.locator(".visclust-choice[data-value=skip]").is_visible()
