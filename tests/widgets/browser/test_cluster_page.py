"""The page of clusters for co-authors, opened as a file without a server."""

import json

import pandas as pd
import pytest
from browser_tools import RESULTS, wait_until
from browsing_studies import FRAMES, HOSTILE, make_corpus

from visclust.widgets.cluster_page import export_cluster_page

pytestmark = pytest.mark.browser

NAMES = pd.DataFrame(
    {"cluster": [1, 2, 3], "name": ["Zebras", HOSTILE, "apes"], "noise": [False, False, True]}
)
TICKED = pd.DataFrame({"cluster": [1, 1], "frame": FRAMES[1:]})


@pytest.fixture
def address(tmp_path):
    images, clusters, _, posts, links = make_corpus(tmp_path, [30, 12, 25, 4], n_files=40, unassigned=6)
    page = export_cluster_page(
        clusters, images, posts=posts, links=links, names=NAMES, frames=TICKED, title=f"Study {HOSTILE}",
        save_to=tmp_path / "clusters.html", max_images_per_cluster=20, progress=False,
    )  # fmt: skip
    return page.as_uri()


def list_names(page):
    return page.locator(".visclust-row-name").all_inner_texts()  # at one moment, not one by one


def test_the_page_sorts_filters_and_opens_offline_and_runs_nothing_that_a_post_says(page, address):
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: said.append(request.url) if "data:" not in request.url[:5] else None)
    page.goto(address)
    page.locator(".visclust-row img").first.wait_for()
    assert said == [address]  # no request but for the page itself, and no word of a blocked one
    assert page.locator("h1").inner_text() == f"Study {HOSTILE}"
    assert list_names(page) == ["Cluster 0", HOSTILE, "Zebras", "apes", "Unassigned images"]
    RESULTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=RESULTS / "cluster_page.png")

    page.get_by_label("Sort by").select_option("name")
    wait_until(lambda: list_names(page)[1] == "apes", what="the order")
    assert list_names(page) == [HOSTILE, "apes", "Zebras", "Cluster 0", "Unassigned images"]
    page.get_by_label("Words in posts or names").fill("zebra")
    wait_until(lambda: list_names(page) == ["Zebras"], what="the filter by name")
    page.get_by_label("Words in posts or names").fill("NUMBER7")
    wait_until(lambda: len(list_names(page)) > 1, what="the filter by posts")
    page.get_by_label("Words in posts or names").fill("cluster 0")
    wait_until(lambda: list_names(page) == ["Cluster 0"], what="the cluster of that number")
    page.get_by_label("Words in posts or names").fill("")
    page.get_by_label("Author").fill("nobody")
    page.get_by_text("No cluster passes the filter").wait_for()
    page.get_by_label("Author").fill("USER 1")
    page.get_by_label("Posted until").fill("2018-06-15")
    wait_until(lambda: 0 < len(list_names(page)) < 5, what="the filter by author and days")
    page.get_by_label("Author").fill("")
    page.get_by_label("Posted until").fill("")
    wait_until(lambda: len(list_names(page)) == 5, what="all clusters again")
    page.get_by_label("Frame", exact=True).select_option(FRAMES[1])
    wait_until(lambda: list_names(page) == ["Zebras"], what="the filter by frame")
    page.get_by_label("Frame", exact=True).select_option("")
    page.get_by_label("Sort by").select_option("posts")
    wait_until(lambda: list_names(page)[-1] == "Unassigned images", what="the order by posts")
    page.get_by_label("Show").select_option("noise")
    wait_until(lambda: list_names(page) == ["apes"], what="what is marked as noise")
    page.get_by_label("Show").select_option("all")

    page.get_by_role("button", name="Zebras").first.click()
    page.locator(".visclust-post").first.wait_for()
    assert page.locator(".visclust-form").inner_text() == ", ".join(FRAMES[1:])
    page.keyboard.press("Escape")
    page.get_by_label("Words in posts or names").fill("window.hacked")
    wait_until(
        lambda: page.locator(".visclust-row-facts", has_text="the filter").count(),
        what="the filter by what hostile posts say",
    )
    page.get_by_role("button", name="Cluster 0").first.click()
    page.locator(".visclust-post").first.wait_for()
    post = page.locator(".visclust-post p").first
    assert HOSTILE in post.inner_text()
    assert post.locator("*").count() == 0
    page.screenshot(path=RESULTS / "cluster_page_opened.png")
    page.keyboard.press("Enter")
    page.locator(".visclust-zoom img").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.locator(".visclust-overview").wait_for()
    assert page.locator("input[type=checkbox]").count() == 0  # nothing to tick: it is to be read only
    assert page.evaluate("window.hacked") is None
    assert page.faults == []


def test_a_script_that_got_into_the_page_would_not_run(page, address, tmp_path):
    path = tmp_path / "clusters.html"
    smuggled = "<script>window.hacked=1</script><img src=x onerror='window.hacked=1'>"
    path.write_text(path.read_text().replace("<h1>", smuggled + "<h1>"))
    page.goto(address)
    page.locator(".visclust-row img").first.wait_for()
    assert page.evaluate("window.hacked") is None
    assert json.dumps(list_names(page)[:1]) == '["Cluster 0"]'
