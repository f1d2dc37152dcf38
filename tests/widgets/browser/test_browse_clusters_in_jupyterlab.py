"""The cluster browser and the map in a real JupyterLab and a real browser."""

import json
import time

import numpy as np
import pandas as pd
import pytest
from browser_tools import (
    RESULTS,
    STARTUP_SECONDS,
    close_notebooks,
    open_notebook,
    run_command,
    start_jupyterlab,
    wait_for_idle_kernel,
    wait_until,
)
from browsing_studies import BROWSE, FRAMES, HOSTILE, READ, make_corpus, write_cells

from visclust.annotation.answers import read_answers
from visclust.exploration.notes import read_cluster_notes

pytestmark = pytest.mark.browser

SIZES = [30, 12, 25, 4, 9, *[3] * 60]
SAVE = """browser.selection().to_json("selection.json", orient="records")
browser.names().to_json("names.json", orient="records")
browser.frames().to_json("frames.json", orient="records")"""
MAP = """rng = np.random.default_rng(0)
centers = rng.normal(size=(70, 2)) * 9
places = pd.DataFrame({"image_id": clusters["image_id"],
                       "x": centers[clusters["cluster"], 0] + rng.normal(size=len(clusters)) / 3,
                       "y": centers[clusters["cluster"], 1] + rng.normal(size=len(clusters)) / 3})
table = vc.describe_map(places, clusters, images=images)
vc.show_charts()
"""
LISTEN = """
asked = []
receive = type(browser)._receive
browser.on_msg(lambda _, message, __: asked.append(message))"""
SAVE_ASKED = """import json
from pathlib import Path
Path("asked.json").write_text(json.dumps(asked))"""


@pytest.fixture(scope="module")
def server(needs_browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    with start_jupyterlab(folder) as address:
        yield folder, address


@pytest.fixture
def open_study(server, page, request):
    """Write a corpus of this test's own, open its notebook, and run it."""
    folder, address = server

    def open_one(*more, browse=BROWSE):
        study = folder / request.node.name
        make_corpus(study, SIZES, n_files=40, unassigned=6)
        write_cells(study / "browse.ipynb", [READ, browse, *more])
        open_notebook(page, address, f"{study.name}/browse.ipynb")
        return run_all(page, address), study

    yield open_one
    close_notebooks(address)


def run_all(page, address):
    run_command(page, "notebook:run-all-cells")
    browser = page.locator(".visclust-browser").last
    browser.locator(".visclust-row img").first.wait_for(timeout=STARTUP_SECONDS * 1000)
    wait_for_idle_kernel(address)
    browser.scroll_into_view_if_needed()
    return browser


def run_cell(page, at, made):
    """Run one cell again and wait for the file that it writes."""
    made.unlink(missing_ok=True)
    cell = page.locator(".jp-Notebook .jp-Cell").nth(at)
    cell.locator(".jp-InputPrompt").click()
    run_command(page, "notebook:run-cell")
    return wait_until(lambda: made.exists() and made.read_text(), what=made.name)


def save_screenshot(page, name):
    RESULTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=RESULTS / name)


def list_heads(browser):
    return browser.locator(".visclust-row-name").all_inner_texts()  # at one moment, not one by one


def open_cluster(browser, name):
    browser.get_by_role("button", name=name).first.click()
    browser.locator(".visclust-cell img").first.wait_for()


def wait_for_still_box(locator):
    """Give an element's place once it has stopped moving: JupyterLab moves cells while it draws."""
    places = []

    def stands_still():
        places.append(locator.bounding_box())
        return places[-1] and len(places) >= 10 and all(place == places[-1] for place in places[-10:])

    wait_until(stands_still, what="the element to stand still")
    return places[-1]


def read_sheet_head(browser):
    """Read the title and the facts of the open images at one moment: a brush may still be bringing more."""
    return browser.evaluate("""(browser) => [".visclust-sheet-title", ".visclust-row-facts"]
      .map((name) => browser.querySelector(`.visclust-sheet-head ${name}`).textContent)""")


def test_a_cluster_is_opened_named_framed_and_selected_from_and_a_new_kernel_goes_on(
    page, server, open_study
):
    browser, study = open_study(SAVE)
    assert list_heads(browser)[:3] == ["Cluster 0", "Cluster 2", "Cluster 1"]  # by size
    assert browser.locator(".visclust-count").inner_text() == "65 clusters, 266 images"
    save_screenshot(page, "browse_clusters.png")

    open_cluster(browser, "Cluster 2")
    assert browser.locator(".visclust-row-facts").last.inner_text().startswith("25 images")
    browser.get_by_text("1 post").wait_for()
    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    page.keyboard.press("ArrowDown")
    browser.locator(".visclust-cell input").nth(3).click()
    wait_until(lambda: browser.locator(".visclust-selected").inner_text() == "2 selected", what="two")
    page.keyboard.press("n")
    page.keyboard.type("Marches & <b>")
    page.keyboard.press("Enter")
    browser.get_by_label(FRAMES[1]).check()
    # The reply to the first tick may redraw the list while the second is set; it must hold in the end.
    browser.get_by_label(FRAMES[2]).click()
    wait_until(lambda: browser.get_by_label(FRAMES[2]).is_checked(), what="the second tick")
    browser.get_by_label(FRAMES[1]).uncheck()
    browser.get_by_label("Notes").fill("many dd in it")
    page.keyboard.press("Enter")
    browser.get_by_text("All notes are saved").wait_for()
    save_screenshot(page, "browse_clusters_opened.png")
    page.keyboard.press("Escape")
    browser.locator(".visclust-overview").wait_for()
    assert list_heads(browser)[1] == "Marches & <b>"

    open_cluster(browser, "Cluster 0")
    browser.get_by_role("checkbox", name="Noise").check()
    wait_until(lambda: len(read_answers(study / "answers")) == 6, what="six rows on disk")
    run_cell(page, 2, study / "frames.json")
    clusters = pd.read_parquet(study / "clusters.parquet")
    typical = clusters[clusters["cluster"] == 2].sort_values("silhouette", ascending=False, kind="stable")
    selected = pd.read_json(study / "selection.json")
    assert selected["image_id"].tolist() == [typical["image_id"].iloc[1], typical["image_id"].iloc[3]]
    assert selected["cluster"].tolist() == [2, 2]
    names = pd.read_json(study / "names.json").set_index("cluster")
    assert names.loc[2].tolist() == ["Marches & <b>", False, "many dd in it"]
    assert names.loc[0].tolist() == ["", True, ""]
    assert json.loads((study / "frames.json").read_text()) == [{"cluster": 2, "frame": FRAMES[2]}]

    run_command(page, "kernelmenu:restart")
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    page.locator(".jp-Dialog").wait_for(state="detached")
    wait_for_idle_kernel(server[1])
    browser = run_all(page, server[1])
    assert list_heads(browser)[:2] == ["Cluster 0", "Marches & <b>"]
    assert browser.locator(".visclust-mark").all_inner_texts() == ["noise", FRAMES[2]]
    notes = read_cluster_notes(study / "answers", clusters)
    assert notes.frames.to_numpy().tolist() == [[2, FRAMES[2]]]
    open_cluster(browser, "Marches & <b>")
    browser.get_by_role("button", name="Undo the last").click()  # the noise, on another cluster
    wait_until(lambda: read_answers(study / "answers")["retracts"].notna().sum() == 1, what="the undo")
    assert not read_cluster_notes(study / "answers", clusters).names["noise"].any()
    assert page.faults == []


def test_clusters_are_sorted_and_filtered_by_words_and_by_kind(page, open_study):
    browser, study = open_study()
    clusters = pd.read_parquet(study / "clusters.parquet")
    means = clusters[clusters["cluster"] >= 0].groupby("cluster")["silhouette"].mean()
    browser.get_by_label("Sort by").select_option("silhouette")
    best = means.sort_values(ascending=False, kind="stable").index[:2]
    wait_until(lambda: list_heads(browser)[:2] == [f"Cluster {c}" for c in best], what="the order")
    browser.get_by_label("Sort by").select_option("iteration")
    wait_until(lambda: list_heads(browser)[:2] == ["Cluster 0", "Cluster 3"], what="the order")

    browser.get_by_label("Words in posts or names").fill("NUMBER7 peace")
    n = sum(i % 10 == 7 for i in range(len(clusters)))
    wait_until(
        lambda: browser.locator(".visclust-count").inner_text().endswith(f", {n} images"), what="the filter"
    )
    first = browser.locator(".visclust-row").first
    matching = clusters[clusters["image_id"].str[-1].eq("7") & clusters["cluster"].eq(0)]
    assert first.locator(".visclust-row-facts").last.inner_text() == f"{len(matching)} pass the filter"
    save_screenshot(page, "browse_clusters_filtered.png")
    browser.get_by_label("Words in posts or names").fill("no post says this")
    browser.get_by_text("No cluster passes the filter").wait_for()
    browser.get_by_label("Words in posts or names").fill("")
    wait_until(lambda: len(list_heads(browser)) > 3, what="all clusters again")
    browser.get_by_label("Show").select_option("named")
    browser.get_by_text("No cluster passes the filter").wait_for()
    assert page.faults == []


def test_a_cluster_is_found_by_its_number_and_by_frame_author_and_days_of_its_posts(page, open_study):
    browser, study = open_study()
    clusters = pd.read_parquet(study / "clusters.parquet")
    posts = pd.read_parquet(study / "posts.parquet")
    words = browser.get_by_label("Words in posts or names")
    words.fill("cluster 31")
    wait_until(lambda: list_heads(browser) == ["Cluster 31"], what="the cluster of that number")
    open_cluster(browser, "Cluster 31")
    page.keyboard.press("n")
    page.keyboard.type("birds")
    page.keyboard.press("Enter")
    browser.get_by_label(FRAMES[0]).check()
    browser.get_by_text("All notes are saved").wait_for()
    browser.locator(".visclust-back").click()
    wait_until(lambda: list_heads(browser) == ["birds"], what="the cluster under its name")
    number = browser.locator(".visclust-row-number")
    assert number.all_inner_texts() == ["Cluster 31"]  # a name takes no number away
    browser.get_by_label("Author").fill("user")
    browser.locator(".visclust-row img").first.wait_for()
    save_screenshot(page, "browse_clusters_named.png")
    browser.get_by_label("Author").fill("")
    assert "3 images · 3 posts" in browser.locator(".visclust-row-facts").first.inner_text()

    words.fill("")
    browser.get_by_label("Frame", exact=True).select_option(FRAMES[0])
    wait_until(lambda: list_heads(browser) == ["birds"], what="the filter by frame")
    browser.get_by_label("Frame", exact=True).select_option("")
    browser.get_by_label("Author").fill("USER 3")
    browser.get_by_label("Posted from").fill("2018-06-16")
    browser.get_by_label("Posted until").fill("2018-06-18")
    days = posts["posted_at"].dt.strftime("%Y-%m-%d")
    n = int((posts["author"].eq("user 3") & days.between("2018-06-16", "2018-06-18")).sum())
    assert 0 < n < len(clusters) / 7
    wait_until(
        lambda: browser.locator(".visclust-count").inner_text().endswith(f", {n} images"),
        what="the filter by author and days",
    )
    save_screenshot(page, "browse_clusters_filtered_by_author_and_days.png")
    browser.get_by_label("Sort by").select_option("posts")
    browser.get_by_label("Author").fill("")
    browser.get_by_label("Posted from").fill("")
    browser.get_by_label("Posted until").fill("")
    wait_until(lambda: list_heads(browser)[:3] == ["Cluster 0", "Cluster 2", "Cluster 1"], what="the order")
    assert page.faults == []


def test_scrolling_asks_for_no_row_that_is_not_seen(page, open_study):
    browser, study = open_study(SAVE_ASKED, browse=BROWSE.replace("\nbrowser", LISTEN + "\nbrowser"))
    box = browser.locator(".visclust-overview")
    on_screen = box.evaluate("(box) => Math.ceil(box.clientHeight / 112) + 1")
    box.evaluate("""async (box) => {
      for (let top = 0; top < box.scrollHeight; top += 120) {
        box.scrollTop = top;
        await new Promise((done) => setTimeout(done, 10));
      }
    }""")  # past all 66 rows in a second, and to the end
    wait_until(
        lambda: box.evaluate(
            "(box) => [...box.querySelectorAll('[data-key]')].every((c) => c.querySelector('img'))"
        ),
        what="the last rows",
    )
    run_cell(page, 2, study / "asked.json")
    asked = [
        message["wanted"] for message in json.loads((study / "asked.json").read_text()) if "wanted" in message
    ]
    ranges = [(one["list"], one["start"], one["stop"]) for wanted in asked for one in wanted]
    rows = {name for name, _, _ in ranges}
    per_row = browser.locator(".visclust-row").last.locator("[data-key]").count()
    assert len(ranges) == len(set(ranges))  # nothing is asked for twice
    assert all(stop <= max(per_row, 10) for _, _, stop in ranges)  # of a row, only what fits the screen
    # One screen at the top, one at the end, and at most two where scrolling stood still for a moment on a
    # busy machine: far from all 66 rows.
    assert len(rows) <= 4 * on_screen
    sent = sum(stop - start for _, start, stop in ranges)
    assert sent <= len(rows) * max(per_row, 10)


def test_more_like_this_shows_the_nearest_and_leads_to_their_cluster_and_back(page, open_study):
    browser, study = open_study()
    open_cluster(browser, "Cluster 2")
    browser.get_by_text("1 post").wait_for()
    identity = browser.locator(".visclust-identity").inner_text()
    page.keyboard.press("m")
    browser.get_by_text("Most like the first image").wait_for()
    wait_until(lambda: browser.locator(".visclust-identity").count(), what="the first image")
    assert browser.locator(".visclust-identity").inner_text() == identity
    x = np.load(study / "x.npy")
    ids = pd.read_parquet(study / "clusters.parquet")["image_id"]
    row = ids[ids == identity].index[0]
    nearest = ids[np.argsort(np.linalg.norm(x - x[row], axis=1))[1]]
    page.keyboard.press("ArrowRight")
    wait_until(lambda: browser.locator(".visclust-identity").inner_text() == nearest, what="the nearest")
    save_screenshot(page, "browse_clusters_more_like_this.png")
    browser.locator(".visclust-open").click()
    wait_until(
        lambda: browser.locator(".visclust-sheet-title").inner_text() == "Cluster 2", what="its cluster"
    )
    page.keyboard.press("Escape")
    browser.get_by_text("Most like the first image").wait_for()
    wait_until(lambda: browser.locator(".visclust-identity").inner_text() == nearest, what="the place left")
    page.keyboard.press("Enter")
    zoomed = browser.locator(".visclust-zoom img")
    wait_until(lambda: zoomed.evaluate("(image) => image.naturalWidth") == 400, what="the large image")
    page.keyboard.press("Escape")
    zoomed.wait_for(state="detached")
    assert page.faults == []


def test_keys_stay_in_the_browser_and_texts_from_elsewhere_stay_text(page, open_study):
    browser, _ = open_study()
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    open_cluster(browser, "Cluster 0")
    for key in "xxbbaadd":  # JupyterLab's commands: cut, insert below, insert above, delete
        page.keyboard.press(key)
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells
    shown = browser.locator(".visclust-post p")
    for _ in range(30):
        shown.first.wait_for()
        if HOSTILE in shown.first.inner_text():
            break
        page.keyboard.press("ArrowRight")
        time.sleep(0.15)
    assert HOSTILE in shown.first.inner_text()
    assert shown.first.locator("*").count() == 0
    assert browser.locator("legend + label span").first.inner_text() == FRAMES[0]
    assert browser.get_by_label(FRAMES[2]).count() == 1
    assert page.evaluate("window.hacked") is None


def test_a_note_to_a_dead_kernel_is_kept_and_saved_when_the_cell_runs_again(page, server, open_study):
    browser, study = open_study()
    open_cluster(browser, "Cluster 1")
    run_command(page, "kernelmenu:restart")
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    page.locator(".jp-Dialog").wait_for(state="detached")
    wait_for_idle_kernel(server[1])
    browser.get_by_role("textbox", name="Name").fill("kept")
    page.keyboard.press("Enter")
    browser.get_by_text("1 not saved yet").wait_for()
    browser.get_by_text("kept in this browser").wait_for()
    run_all(page, server[1])
    wait_until(lambda: list((study / "answers").iterdir()), what="the note on disk")
    wait_until(lambda: len(read_answers(study / "answers")) == 1, what="the note on disk")
    assert read_answers(study / "answers")["note"].tolist() == ["kept"]


def test_the_brush_on_the_map_opens_its_images_in_the_browser(page, open_study):
    browser, _ = open_study(MAP + "vc.plot_map(table)", 'vc.link_map(table, browser, engine="altair")')
    charts = page.locator(".vega-embed canvas, .vega-embed svg.marks")
    wait_until(lambda: charts.count() == 2, what="the two maps")
    still, linked = charts.nth(0), charts.nth(1)
    still.scroll_into_view_if_needed()
    box = wait_for_still_box(still)
    tooltip = page.locator("#vg-tooltip-element.visible img")

    def hover_until_a_thumbnail_shows():
        for across in range(10, 200, 4):
            for down in range(10, 200, 8):
                page.mouse.move(box["x"] + box["width"] * across / 270, box["y"] + box["height"] * down / 210)
                if tooltip.count():
                    return True
        return False

    wait_until(hover_until_a_thumbnail_shows, what="a thumbnail")
    wait_until(
        # The pointer may have been a step further than the page: then it is gone again, and sought again.
        lambda: (
            (tooltip.count() or hover_until_a_thumbnail_shows())
            and tooltip.evaluate_all("(images) => images[0]?.naturalWidth") == 72
        ),
        what="the thumbnail",
    )
    save_screenshot(page, "map.png")
    linked.scroll_into_view_if_needed()
    box = wait_for_still_box(linked)
    page.mouse.move(box["x"] + 30, box["y"] + 100)  # below the title
    page.mouse.down()
    page.mouse.move(box["x"] + 600, box["y"] + 400, steps=8)
    page.mouse.up()
    browser.locator(".visclust-cell").first.wait_for()
    # On a busy machine the brush opens what it has reached while it is still being drawn, and then the rest.
    wait_until(lambda: "marked on the map" in read_sheet_head(browser)[0], what="the brushed images")
    save_screenshot(page, "map_brushed.png")
    browser.scroll_into_view_if_needed()
    save_screenshot(page, "map_brushed_images.png")
    title, facts = read_sheet_head(browser)
    count = int(title.split()[0])
    assert 0 < count < 266
    assert facts == f"{count} images"


def test_a_lasso_on_the_map_by_jupyter_scatter_opens_its_images(page, open_study):
    pytest.importorskip("jscatter", reason="no jupyter-scatter: pip install 'visclust[map]'")
    browser, _ = open_study(MAP + 'shown = vc.link_map(table, browser, engine="scatter")\nshown')
    canvases = page.locator(".jp-OutputArea canvas")
    canvases.first.wait_for(timeout=STARTUP_SECONDS * 1000)
    canvases.first.scroll_into_view_if_needed()
    time.sleep(2)  # for the points, which WebGL paints without a word
    box = max((canvas.bounding_box() for canvas in canvases.all()), key=lambda box: box["width"])
    page.locator(".jp-OutputArea").last.locator("button").nth(1).click()  # its lasso
    page.mouse.move(box["x"] + 150, box["y"] + 150)
    page.mouse.down()
    right, down = box["width"] - 60, box["height"] - 30
    for x, y in ((right, 150), (right, down), (150, down), (152, 152)):
        page.mouse.move(box["x"] + x, box["y"] + y, steps=12)
    page.mouse.up()
    save_screenshot(page, "map_by_scatter.png")
    title = browser.locator(".visclust-sheet-title")
    wait_until(lambda: "marked on the map" in title.inner_text(), what="the marked images")
    assert int(title.inner_text().split()[0]) > 0
