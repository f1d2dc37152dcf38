"""Pages for single images, opened from disk in a real browser."""

import pandas as pd
import pytest
from browser_tools import make_study, read_done, save_screenshot, wait_until

import visclust as vc

pytestmark = pytest.mark.browser

READY = (
    ".visclust-toggle[aria-disabled=false], .visclust-radio[aria-disabled=false], .visclust-slider:enabled"
)


def open_page(page, path):
    page.goto(path.as_uri())
    page.wait_for_selector(READY)
    return page.locator(".visclust-labeller")


def press(page, labeller, keys, *, done):
    for key in keys:
        page.keyboard.press(key)
    wait_until(lambda: read_done(labeller) == done, what=f"item {done} to count")


def download(page, labeller, label, folder):
    with page.expect_download() as expected:
        labeller.get_by_role("button", name=label).click()
    path = folder / expected.value.suggested_filename
    expected.value.save_as(path)
    return path


def assign(images, n, respondent="r1"):
    ids = images["image_id"].iloc[:n]
    return pd.DataFrame({"respondent": respondent, "group": "a", "position": range(1, n + 1), "image_id": ids,
                         "cluster": 0})  # fmt: skip


def test_ratings_on_a_page_survive_a_reload_and_come_back_by_both_downloads(page, tmp_path):
    images, _ = make_study(tmp_path, n_pairs=3)
    assignment = assign(images, 3)
    path = vc.export_rating_page(assignment, images, respondent="r1", save_to=tmp_path / "pages")
    labeller = open_page(page, path)
    press(page, labeller, [*"1234567890", "Enter"], done=1)
    press(page, labeller, [*"c" * 10, "Enter"], done=2)
    press(page, labeller, ["z"], done=1)
    page.reload()
    page.wait_for_selector(READY)
    assert read_done(labeller) == 1
    for key in "22222":
        page.keyboard.press(key)
    save_screenshot(page, "rate_images_page.png")
    press(page, labeller, [*"22222", "Enter"], done=2)
    lines = download(page, labeller, "Download answers", tmp_path)
    press(page, labeller, [*"3333333333", "Enter"], done=3)
    page.get_by_text("All 3 items are answered").wait_for()
    table = download(page, labeller, "Download as CSV", tmp_path)

    store = tmp_path / "answers"
    assert vc.import_answers(lines, store)[:2] == (4, 0)
    assert vc.import_answers(table, store)[:2] == (1, 4)
    assert vc.import_answers(table, store)[:2] == (0, 5)
    ratings = vc.read_rating_answers(store, assignment)
    assert ratings["rating"].notna().all()
    by_image = ratings.sort_values("place").groupby("image_id")["rating"].agg(list).to_dict()
    assert by_image == {"img000": [*range(1, 11)], "img001": [2] * 10, "img002": [3] * 10}
    assert vc.read_answers(store)[["left", "right"]].isna().all(axis=None)
    assert page.faults == []


def test_features_on_a_page_mean_the_same_as_in_the_widget(page, tmp_path):
    images, _ = make_study(tmp_path, n_pairs=2)
    features = ["Größe „5“", 'with "quotes" & <b>', "10"]
    path = vc.export_feature_page(images, features, annotator="Ana", save_to=tmp_path / "pages")
    labeller = open_page(page, path)
    press(page, labeller, ["1", "2", "Enter"], done=1)
    page.keyboard.press("3")
    save_screenshot(page, "label_features_page.png")
    press(page, labeller, ["Enter"], done=2)
    press(page, labeller, ["n"], done=3)
    vc.import_answers(download(page, labeller, "Download as CSV", tmp_path), tmp_path / "answers")
    labels = vc.aggregate_labels(vc.read_answers(tmp_path / "answers")).labels
    assert list(labels) == ["image_id", *features]
    assert labels[features].to_numpy().tolist() == [[1, 1, 0], [0, 0, 1], [0, 0, 0]]
    # What the page wrote is, letter by letter, an answer of the widget, which goes on where it stopped.
    widget = vc.label_features(images, features, annotator="Ana", save_to=tmp_path / "answers")
    assert widget.labelling.current is None
    assert page.faults == []


def test_a_scale_of_many_numbers_is_a_slider_that_suggests_no_number(page, tmp_path):
    images, _ = make_study(tmp_path, n_pairs=1)
    assignment = assign(images, 2)
    items = ["warm", "close"]
    path = vc.export_rating_page(
        assignment, images, respondent="r1", save_to=tmp_path / "pages", items=items, scale=(0, 100)
    )
    labeller = open_page(page, path)
    sliders = labeller.get_by_role("slider")
    assert [slider.get_attribute("aria-valuetext") for slider in sliders.all()] == ["not rated yet"] * 2
    for key in ("ArrowRight", "ArrowRight", "PageUp", "ArrowDown", "End"):
        page.keyboard.press(key)
    save_screenshot(page, "rate_images_page_slider.png")
    press(page, labeller, ["Enter"], done=1)
    assert sliders.first.get_attribute("aria-valuetext") == "not rated yet"
    box = sliders.first.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
    press(page, labeller, ["ArrowDown", "c", "Enter"], done=2)
    vc.import_answers(download(page, labeller, "Download answers", tmp_path), tmp_path / "answers")
    ratings = vc.read_rating_answers(tmp_path / "answers", assignment, items=items, scale=(0, 100))
    by_image = ratings.sort_values("place").groupby("image_id")["rating"].agg(list)
    assert by_image["img000"] == [50 + 1 + 10, 100]  # from the middle by one, and by a tenth of the scale
    assert by_image["img001"][0] == pytest.approx(25, abs=2)  # the thumb is a few pixels wide
    assert by_image["img001"][1] != by_image["img001"][1]
    assert page.faults == []


def test_an_image_that_the_browser_cannot_show_can_only_be_skipped(page, tmp_path):
    images, _ = make_study(tmp_path, n_pairs=1)
    path = vc.export_rating_page(assign(images, 2), images, respondent="r1", save_to=tmp_path / "pages")
    broken = path.read_text().replace("data:image/jpeg;base64,", "data:image/jpeg;base64,AAAA", 1)
    path.write_text(broken)
    page.goto(path.as_uri())
    labeller = page.locator(".visclust-labeller")
    labeller.get_by_text("could not be read").wait_for()
    assert labeller.locator(".visclust-radio[aria-disabled=false]").count() == 0
    press(page, labeller, ["k"], done=1)
    labeller.locator(".visclust-radio[aria-disabled=false]").first.wait_for()
    assert not labeller.locator(".visclust-choice[data-value=skip]").is_visible()


def test_a_script_that_got_into_a_page_would_not_run(page, tmp_path):
    images, _ = make_study(tmp_path, n_pairs=1)
    path = vc.export_feature_page(images, ["men"], annotator="Ana", save_to=tmp_path / "pages")
    smuggled = (
        "<script>window.hacked=1</script><img src=x onerror='window.hacked=1'><b style='color: red'>b</b>"
    )
    path.write_text(path.read_text().replace("<body>", f"<body>{smuggled}"))
    press(page, open_page(page, path), ["1", "Enter"], done=1)
    assert page.evaluate("window.hacked") is None
    assert len([fault for fault in page.faults if "Content Security Policy" in fault]) >= 3
