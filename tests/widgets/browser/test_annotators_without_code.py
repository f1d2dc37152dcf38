"""The pages for annotators who do not code: one file on a laptop, one server for several."""

import pandas as pd
import pytest
from browser_tools import (
    MARKUP,
    RESULTS,
    answer,
    make_study,
    open_browser,
    read_done,
    wait_for_labeller,
    wait_until,
)

import visclust as vc

pytestmark = pytest.mark.browser


def export_page(folder, **options):
    images, pairs = make_study(folder, **options)
    return vc.export_pair_page(pairs, images, annotator="Ana", save_to=folder / "pages", construct=MARKUP)


def download(page, labeller, label, folder):
    with page.expect_download() as expected:
        labeller.get_by_role("button", name=label).click()
    path = folder / expected.value.suggested_filename
    expected.value.save_as(path)
    return path


def test_answers_on_a_page_survive_a_reload_and_come_back_by_download(page, tmp_path):
    page.goto(export_page(tmp_path).as_uri())
    labeller = wait_for_labeller(page)
    answer(page, labeller, ["s", "d", "u"], by="key")
    answer(page, labeller, ["skip", "same"], by="click")
    labeller.press("z")
    wait_until(lambda: read_done(labeller) == 4, what="the undo")
    page.reload()
    labeller = wait_for_labeller(page)
    assert read_done(labeller) == 4
    labeller.locator(".visclust-note").fill(MARKUP)
    labeller.focus()
    answer(page, labeller, ["d"], by="key")
    RESULTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=RESULTS / "label_pairs_page.png")
    lines = download(page, labeller, "Download answers", tmp_path)
    answer(page, labeller, ["s"], by="key")
    table = download(page, labeller, "Download as CSV", tmp_path)

    store = tmp_path / "answers"
    assert vc.import_answers(lines, store)[:2] == (7, 0)
    assert vc.import_answers(table, store)[:2] == (1, 7)
    assert vc.import_answers(table, store)[:2] == (0, 8)
    rows = vc.current_answers(vc.read_answers(store))
    assert rows["answer"].tolist() == ["same", "different", "unsure", "skip", "different", "same"]
    assert rows["item_id"].tolist() == [f"pair{number:03}" for number in range(6)]
    assert rows["note"].dropna().tolist() == [MARKUP]
    assert rows[["left", "right"]].iloc[5].tolist() == ["img005", "img006"]
    assert page.evaluate("window.hacked") is None
    assert page.faults == []


def test_answers_on_a_page_survive_a_restart_of_the_browser(needs_browser, tmp_path):
    address = export_page(tmp_path).as_uri()
    with open_browser(tmp_path / "profile") as context:
        page = context.pages[0]
        page.goto(address)
        answer(page, wait_for_labeller(page), ["s", "d", "u"], by="key")
    with open_browser(tmp_path / "profile") as context:
        page = context.pages[0]
        page.goto(address)
        assert read_done(wait_for_labeller(page)) == 3


def test_a_page_reminds_to_download_after_fifty_answers_and_ends_with_thanks(page, tmp_path):
    page.goto(export_page(tmp_path, n_pairs=51, side=400).as_uri())
    labeller = wait_for_labeller(page)
    answer(page, labeller, ["s"] * 49, by="key")
    said = labeller.locator(".visclust-message")
    assert said.inner_text() == ""
    answer(page, labeller, ["s"], by="key")
    assert "50 answers since your last download" in said.inner_text()
    page.screenshot(path=RESULTS / "label_pairs_page_reminder.png")
    download(page, labeller, "Download answers", tmp_path)
    wait_until(lambda: said.inner_text() == "", what="the reminder to go")
    labeller.press("s")
    page.get_by_text("All 51 items are answered").wait_for()
    labeller.press("z")
    wait_until(lambda: read_done(labeller) == 50, what="the undo after the end")


def test_two_tabs_of_one_page_double_nothing(page, browser, tmp_path):
    address = export_page(tmp_path).as_uri()
    page.goto(address)
    labeller = wait_for_labeller(page)
    second = browser.new_page()
    second.goto(address)
    other = wait_for_labeller(second)
    answer(second, other, ["d"], by="key")
    wait_until(lambda: read_done(labeller) == 1, what="the first tab to know of the second one's answer")
    answer(page, labeller, ["s"], by="key")
    path = download(page, labeller, "Download answers", tmp_path)
    rows = pd.read_json(path, lines=True)
    assert rows[["item_id", "answer"]].to_numpy().tolist() == [["pair000", "different"], ["pair001", "same"]]
