"""The page of clusters for co-authors: what is inside, and what is kept out."""

import base64
import hashlib
import json
import re

import pandas as pd
import pytest
from PIL import Image

import visclust as vc

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=alert(1)>"


@pytest.fixture
def corpus(tmp_path):
    for name in "abc":
        Image.new("RGB", (60, 40)).save(tmp_path / f"secret {name}.png")
    images = pd.DataFrame(
        {"image_id": list("abc"), "path": [f"secret {name}.png" for name in "abc"], "status": "ok",
         "reason": "", "width": 60, "height": 40}
    )  # fmt: skip
    clusters = pd.DataFrame(
        {
            "image_id": list("abc"),
            "cluster": [4, 4, -1],
            "iteration": [1, 1, -1],
            "silhouette": [0.1, 0.3, None],
        }
    )
    posts = pd.DataFrame({"post_id": ["p", "q"], "text": [HOSTILE, "second"], "author": "ana"})
    links = pd.DataFrame({"post_id": ["p", "q"], "image_id": ["b", "b"]})
    return clusters, images, posts, links


@pytest.fixture
def export(corpus, tmp_path):
    def export_one(**options):
        clusters, images, posts, links = corpus
        given = {"posts": posts, "links": links} | options
        page = vc.export_cluster_page(
            clusters, images, save_to=tmp_path / "page.html", images_folder=tmp_path, progress=False, **given
        )
        html = page.read_text()
        data = re.search(r'id="visclust-page">(.*?)</script>', html, re.DOTALL).group(1)
        return html, json.loads(data)

    return export_one


def test_the_page_has_its_pictures_inside_and_no_path_and_no_address(export, tmp_path):
    html, page = export()
    assert all(image["source"].startswith("data:image/jpeg;base64,") for image in page["images"])
    assert [image["id"] for image in page["images"]] == ["c", "b", "a"]  # the most typical of a cluster first
    assert "secret" not in html
    assert str(tmp_path) not in html
    assert not re.search(r"(src|href)\s*=\s*[\"']?https?:", html)


def test_text_of_posts_and_titles_cannot_leave_its_place(export):
    html, page = export(title=HOSTILE)
    assert html.count("</script>") == 2  # the data's own and the script's own
    assert "<img" not in html
    assert page["images"][1]["posts"][0]["text"] == HOSTILE


def test_the_policy_lets_only_the_pages_own_script_run(export):
    html, _ = export()
    script = re.search(r'<script type="module">(.*?)</script>', html, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html).group(1)
    assert f"script-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")


def test_names_frames_and_noise_are_in_the_page(export):
    names = pd.DataFrame({"cluster": [4], "name": [HOSTILE], "noise": [True], "note": [None]})
    frames = pd.DataFrame({"cluster": [4, 4], "frame": ["family", "order"]})
    _, page = export(names=names, frames=frames)
    cluster = next(one for one in page["clusters"] if one["cluster"] == 4)
    assert (cluster["name"], cluster["noise"], cluster["note"]) == (HOSTILE, True, "")
    assert cluster["frames"] == ["family", "order"]


def test_only_so_many_images_and_posts_go_into_the_page_and_their_numbers_are_told(export):
    html, page = export(max_images_per_cluster=1, max_posts_per_image=1)
    cluster = next(one for one in page["clusters"] if one["cluster"] == 4)
    assert (cluster["size"], len(cluster["images"])) == (2, 1)
    assert "1 clusters of 3 images; 2 of the images are in this page." in html
    typical = page["images"][cluster["images"][0]]
    assert (typical["id"], typical["total"], len(typical["posts"])) == ("b", 2, 1)


def test_without_posts_no_text_is_in_the_page_and_without_authors_no_author(export, corpus):
    html, page = export(posts=None, links=None)
    assert "hacked" not in html
    assert page["settings"]["has_posts"] is False
    html, _ = export(posts=corpus[2].drop(columns="author"))
    assert '"ana"' not in html


def test_a_picture_that_cannot_be_read_is_said_to_be_so(export, tmp_path):
    (tmp_path / "secret a.png").write_text("no image")
    _, page = export()
    assert [image["source"] is None for image in page["images"]] == [False, False, True]


def test_the_page_holds_the_record_of_how_it_was_made(export):
    record = export(max_side=64)[1]["provenance"]
    assert (record["function"], record["parameters"]["max_side"]) == ("export_cluster_page", 64)
    assert record["inputs"].keys() >= {"clusters", "images"}


def test_bad_options_are_refused(export):
    for bad in ({"max_side": 0}, {"max_images_per_cluster": 1.5}, {"links": None}):
        with pytest.raises(ValueError, match=r"Expected|need"):
            export(**bad)
    with pytest.raises(ValueError, match="name is missing"):
        export(names=pd.DataFrame({"cluster": [1]}))


def test_frames_that_nobody_ticked_are_said_to_be_simulated(export):
    frames = pd.DataFrame({"cluster": [4], "frame": ["calm"]})
    assert "SIMULATED" in export(frames=frames.assign(simulated=True))[0]
    assert "SIMULATED" not in export(frames=frames)[0]


def test_a_page_of_very_many_clusters_has_fewer_images_of_each_but_one_at_least(export):
    assert [image["id"] for image in export(max_images=2)[1]["images"]] == ["c", "b"]
    assert len(export(max_images=1)[1]["images"]) == 2
    assert "2 of the images are in this page" in export(max_images=2)[0]
