"""Labelling on the server, in a browser: two annotators, two tabs, a dead server, a full disk."""

import os
import signal

import pytest
from browser_tools import MARKUP, RESULTS, answer, read_done, wait_for_labeller, wait_until
from served_studies import read_links, serve, start_server, start_study, stop_server, wait_for_server

import visclust as vc
from visclust.annotation.answer_files import name_answer_file

pytestmark = pytest.mark.browser


def start(folder, *, construct=MARKUP, **options):
    entries = f'annotators = ["Ana", "Ben"]\nconstruct = \'{construct}\'\n'
    return start_study(folder, entries=entries, side=700, **options)


def open_task(page, process, name, kind):
    page.goto(f"{process.base}/{read_links(process.said.parent)[name]}/{kind}")
    return wait_for_labeller(page)


def read_shown(page):
    """Read the id of the item on the screen, as the view tells it."""
    return page.evaluate("window.shownItems.at(-1)")


def note_shown(page):
    page.add_init_script(
        "window.shownItems = [];"
        "addEventListener('visclust-shown', (event) => window.shownItems.push(event.detail), true);"
    )


def test_two_annotators_label_pairs_features_and_ratings_by_their_links(page, browser, tmp_path):
    study = start(tmp_path)
    RESULTS.mkdir(parents=True, exist_ok=True)
    with serve(tmp_path) as process:
        page.goto(f"{process.base}/{read_links(tmp_path)['Ana']}")
        page.screenshot(path=RESULTS / "served_tasks.png")
        page.get_by_role("link", name="Start").first.click()
        ana = wait_for_labeller(page)
        answer(page, ana, ["s", "d"], by="key")
        second = browser.new_page()
        ben = open_task(second, process, "Ben", "pairs")
        answer(second, ben, ["u", "ArrowRight"], by="key")
        answer(page, ana, ["same"], by="click")
        ana.press("z")
        wait_until(lambda: read_done(ana) == 2, what="the undo")
        answer(page, ana, ["d"], by="key")
        page.screenshot(path=RESULTS / "served_pairs.png")
        ana.locator("button.visclust-frame").first.click()
        page.locator(".visclust-zoom img").wait_for()
        # Enlarged at last: the small one is shown until the large one has come.
        wait_until(
            lambda: page.locator(".visclust-zoom img").evaluate("(image) => image.naturalWidth") == 700,
            what="zoom",
        )
        page.keyboard.press("Escape")
        page.reload()
        assert read_done(wait_for_labeller(page)) == 3
        features = open_task(page, process, "Ana", "features")
        features.press("2")
        answer(page, features, ["Enter", "n"], by="key")
        page.screenshot(path=RESULTS / "served_features.png")
        page.goto(f"{process.base}/{read_links(tmp_path)['Ana']}/ratings")
        page.wait_for_selector(".visclust-radio[aria-disabled=false]")
        ratings = page.locator(".visclust-labeller")
        for _ in range(10):
            ratings.press("4")
        ratings.press("Enter")
        wait_until(lambda: read_done(ratings) == 1, what="the rating")
        page.screenshot(path=RESULTS / "served_ratings.png")
        page.get_by_role("link", name="All tasks").click()
        assert "3 of 5 done" in page.content()
        assert "2 of 6 done" in page.content()
        page.goto(f"{process.base}/{'0' * 48}")
        page.screenshot(path=RESULTS / "served_wrong_link.png")
        assert page.evaluate("window.hacked") is None
        assert page.faults == []
    said = (
        vc.current_answers(vc.read_answers(study.results / "answers"))
        .groupby("annotator")["answer"]
        .agg(list)
    )
    assert said.to_dict() == {"Ana": ["same", "different", "different"], "Ben": ["unsure", "different"]}
    assert len(vc.read_answers(study.results / "feature_answers")) == 2
    assert len(vc.read_answers(study.results / "rating_answers")) == 1


def test_two_tabs_of_one_person_show_different_pairs_and_know_of_each_others_answers(page, browser, tmp_path):
    study = start(tmp_path, n_images=7)
    with serve(tmp_path) as process:
        note_shown(page)
        one = open_task(page, process, "Ana", "pairs")
        second = browser.new_page()
        note_shown(second)
        two = open_task(second, process, "Ana", "pairs")
        wait_until(lambda: read_shown(page) and read_shown(second), what="both to show a pair")
        assert read_shown(page) != read_shown(second)
        answer(second, two, ["d", "d"], by="key")
        page.bring_to_front()
        wait_until(lambda: read_done(one) == 2, what="the first tab to know")
        answer(page, one, ["s", "s", "s"], by="key")
        # One is left, and the second tab shows it.
        page.get_by_text("What is left is open in another tab").wait_for()
        second.bring_to_front()
        two.press("u")
        second.get_by_text("All 6 items are answered").wait_for()
        page.bring_to_front()
        page.get_by_text("All 6 items are answered").wait_for()
    rows = vc.read_answers(study.results / "answers")
    assert sorted(rows["item_id"]) == [f"p{number}" for number in range(6)]


def test_a_server_that_dies_is_said_and_what_it_did_not_confirm_is_sent_when_it_is_back(page, tmp_path):
    study = start(tmp_path)
    process = wait_for_server(start_server(tmp_path))
    try:
        ana = open_task(page, process, "Ana", "pairs")
        answer(page, ana, ["s"], by="key")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        ana.press("d")
        page.get_by_text("Not connected: the server does not answer").wait_for()
        assert page.locator(".visclust-saved").inner_text() == "1 not saved yet"
        page.screenshot(path=RESULTS / "served_not_connected.png")
        process = wait_for_server(start_server(tmp_path, port=process.port))
        wait_until(
            lambda: page.locator(".visclust-saved").inner_text() == "All answers are saved", what="saved"
        )
        assert read_done(ana) == 2
        wait_until(lambda: page.locator(".visclust-message").inner_text() == "", what="the message to go")
        answer(page, ana, ["u"], by="key")
    finally:
        stop_server(process)
    rows = vc.read_answers(study.results / "answers")
    assert rows["answer"].tolist() == ["same", "different", "unsure"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110
def test_a_disk_that_is_full_is_said_and_the_answer_is_kept_even_over_a_reload(page, tmp_path):
    study = start(tmp_path)
    with serve(tmp_path) as process:
        ana = open_task(page, process, "Ana", "pairs")
        place = name_answer_file(study.results / "answers", "Ana")
        place.symlink_to("/dev/full")
        ana.press("s")
        page.get_by_text("Not saved: No space left on device").wait_for()
        assert page.locator(".visclust-saved").inner_text() == "1 not saved yet"
        page.screenshot(path=RESULTS / "served_full_disk.png")
        page.on("dialog", lambda dialog: dialog.accept())  # "leave the page?"
        page.wait_for_timeout(1000)
        page.reload()
        page.get_by_text("Not saved: No space left on device").wait_for()
        place.unlink()
        wait_until(
            lambda: page.locator(".visclust-saved").inner_text() == "All answers are saved", what="saved"
        )
    rows = vc.read_answers(study.results / "answers")
    assert rows[["item_id", "answer"]].to_numpy().tolist() == [["p0", "same"]]


def test_where_names_are_typed_a_person_types_one_and_labels(page, tmp_path):
    start(tmp_path)
    with serve(tmp_path, "--open") as process:
        page.goto(process.base)
        page.screenshot(path=RESULTS / "served_name.png")
        page.get_by_label("Your name").fill("ana")
        page.get_by_role("button", name="Start").click()
        page.get_by_text("This name cannot be taken here").wait_for()
        page.get_by_label("Your name").fill("Eve")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Eve").wait_for()
        assert page.faults == []
