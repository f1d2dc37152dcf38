"""Pages that keep their answers: blind, self-contained, and showing what the widget shows."""

import base64
import hashlib
import json
import re

import pandas as pd
import pytest
from PIL import Image

import visclust as vc
from visclust.annotation.ratings import order_items
from visclust.base.provenance import digest_text

MARKUP = "</script><script>alert(1)</script><!-- & <b>"


@pytest.fixture
def images(tmp_path):
    rows = []
    for name in "abc":
        Image.new("RGB", (60, 40)).save(tmp_path / f"file of {name}.png")
        rows.append((name, f"file of {name}.png", "ok", "", 60, 40))
    return pd.DataFrame(rows, columns=["image_id", "path", "status", "reason", "width", "height"])


@pytest.fixture
def pairs():
    return pd.DataFrame(
        {"pair_id": ["p1", "p2"], "image_a": list("ab"), "image_b": list("bc"), "stratum": "secret-stratum",
         "inclusion_probability": 0.123456}
    )  # fmt: skip


@pytest.fixture
def assignment():
    return pd.DataFrame({"respondent": ["r1", "r1", "r2"], "group": "secret-party", "position": [2, 1, 1],
                         "image_id": ["a", "c", "b"], "cluster": 777777})  # fmt: skip


def read_data(page):
    found = re.search(
        r'<script type="application/json" id="visclust-page">(.*?)</script>', page.read_text(), re.S
    )
    return json.loads(found[1])


def test_the_page_holds_each_image_once_and_nothing_that_unblinds(pairs, images, tmp_path):
    page = vc.export_pair_page(
        pairs, images, annotator="Ana", save_to=tmp_path / "pages", images_folder=tmp_path
    )
    data = read_data(page)
    assert data["items"] == [{"id": "p1", "images": ["a", "b"]}, {"id": "p2", "images": ["b", "c"]}]
    assert sorted(data["images"]) == ["a", "b", "c"]
    assert all(url.startswith("data:image/jpeg;base64,") for url in data["images"].values())
    for secret in ("secret-stratum", "0.123456", "file of", str(tmp_path)):
        assert secret not in page.read_text()


def test_markup_in_texts_and_ids_stays_data(pairs, images, tmp_path):
    pairs = pairs.assign(pair_id=[MARKUP, "p2"])
    texts = {"annotator": MARKUP, "question": MARKUP, "construct": MARKUP}
    page = vc.export_pair_page(pairs, images, save_to=tmp_path, images_folder=tmp_path, **texts)
    text = page.read_text()
    assert text.count("<script") == text.count("</script>") == 2
    assert "<script>alert" not in text
    assert read_data(page)["settings"]["construct"] == MARKUP


def test_the_page_asks_nothing_of_any_network(pairs, images, tmp_path):
    text = vc.export_pair_page(
        pairs, images, annotator="Ana", save_to=tmp_path, images_folder=tmp_path
    ).read_text()
    assert "default-src 'none'" in text
    assert not re.search(r"https?://", text)


def test_an_image_that_cannot_be_read_any_more_is_named(pairs, images, tmp_path):
    (tmp_path / "file of b.png").write_bytes(b"not an image")
    with pytest.raises(ValueError, match="'b'"):
        vc.export_pair_page(pairs, images, annotator="Ana", save_to=tmp_path, images_folder=tmp_path)


def test_two_annotators_get_two_pages(pairs, images, tmp_path):
    pages = {
        vc.export_pair_page(pairs, images, annotator=name, save_to=tmp_path, images_folder=tmp_path)
        for name in ("Ana B", "Ana-B")
    }
    assert len(pages) == 2
    assert len({read_data(page)["settings"]["storage_key"] for page in pages}) == 2


def test_one_annotator_gets_one_page_however_the_name_is_typed(pairs, images, tmp_path):
    data = []
    for name in ("Ana B", "ana  B"):
        page = vc.export_pair_page(pairs, images, annotator=name, save_to=tmp_path, images_folder=tmp_path)
        data.append(read_data(page))
    assert len(list(tmp_path.glob("*.html"))) == 1
    assert data[0]["settings"]["storage_key"] == data[1]["settings"]["storage_key"]
    assert (
        data[0]["former_keys"] != data[1]["former_keys"]
    )  # where an earlier version kept each one's answers


def test_a_rating_page_holds_the_respondents_images_in_order_and_nothing_that_unblinds(
    images, assignment, tmp_path
):
    page = vc.export_rating_page(
        assignment, images, respondent="r1", save_to=tmp_path / "pages", seed=5, images_folder=tmp_path
    )
    data = read_data(page)
    assert data["items"] == [{"id": "c", "images": ["c"]}, {"id": "a", "images": ["a"]}]
    assert sorted(data["images"]) == ["a", "c"]
    assert data["settings"]["items"] == list(order_items(vc.EMOTIONS, respondent="r1", seed=5))
    for secret in ("secret-party", "777777", "file of", str(tmp_path), "aversion"):
        assert secret not in page.read_text()


def test_a_feature_page_asks_nothing_of_any_network_and_keeps_markup_as_data(images, tmp_path):
    page = vc.export_feature_page(
        images, [MARKUP, "men"], annotator=MARKUP, save_to=tmp_path, construct=MARKUP, images_folder=tmp_path
    )
    text = page.read_text()
    assert text.count("<script") == text.count("</script>") == 2
    assert "default-src 'none'" in text
    assert not re.search(r"https?://", text)
    assert [toggle["name"] for toggle in read_data(page)["settings"]["toggles"]] == [MARKUP, "men"]


def test_pages_of_one_person_in_one_folder_do_not_overwrite_each_other(pairs, images, assignment, tmp_path):
    options = {"save_to": tmp_path / "pages", "images_folder": tmp_path}
    pages = {
        vc.export_pair_page(pairs, images, annotator="r1", **options),
        vc.export_feature_page(images, annotator="r1", **options),
        vc.export_rating_page(assignment, images, respondent="r1", **options),
    }
    assert len(pages) == 3
    assert len({read_data(page)["settings"]["storage_key"] for page in pages}) == 3


def test_a_page_made_again_goes_on_but_one_with_other_features_starts_afresh(images, tmp_path):
    def find_key(features):
        page = vc.export_feature_page(
            images, features, annotator="Ana", save_to=tmp_path, images_folder=tmp_path
        )
        return read_data(page)["settings"]["storage_key"]

    assert find_key(["men"]) == find_key(["men"]) != find_key(["men", "women"])


@pytest.mark.filterwarnings("ignore:Expected 2 image files, but 1")
def test_a_deleted_image_is_named(images, assignment, tmp_path):
    (tmp_path / "file of c.png").unlink()
    with pytest.raises(ValueError, match="'c'"):
        vc.export_rating_page(assignment, images, respondent="r1", save_to=tmp_path, images_folder=tmp_path)


@pytest.fixture
def export_each(pairs, images, assignment, tmp_path):
    """Make a page of each kind for one person."""
    options = {"save_to": tmp_path / "pages", "images_folder": tmp_path}
    return {
        "pairs": vc.export_pair_page(pairs, images, annotator="r1", **options),
        "features": vc.export_feature_page(images, ["men"], annotator="r1", **options),
        "ratings": vc.export_rating_page(assignment, images, respondent="r1", items=["proud"], **options),
    }


@pytest.mark.parametrize("kind", ["pairs", "features", "ratings"])
def test_only_the_pages_own_script_and_style_run_and_nothing_inline(export_each, kind):
    page = export_each[kind].read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert "unsafe" not in policy
    for start, source in (('<script type="module">', "script-src"), ("<style>", "style-src")):
        text = page.split(start)[1].split("</")[0]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{source} 'sha256-{digest}';" in policy
    assert "mountPage();" in page


def test_a_page_and_the_widget_show_the_same_but_for_what_only_a_page_does(
    export_each, pairs, images, assignment, tmp_path
):
    options = {"save_to": tmp_path / "answers", "images_folder": tmp_path}
    widgets = {
        "pairs": vc.label_pairs(pairs, images, annotator="r1", **options),
        "features": vc.label_features(images, ["men"], annotator="r1", **options),
        "ratings": vc.rate_images(assignment, images, respondent="r1", items=["proud"], **options),
    }
    of_pages = {"autofocus", "remind_every", "storage_key", "downloads"}
    for kind, widget in widgets.items():
        page = read_data(export_each[kind])
        differing = {name for name, value in page["settings"].items() if widget.settings.get(name) != value}
        assert differing == of_pages
        assert [item["id"] for item in page["items"]] == list(widget.labelling.items)


def test_a_page_finds_the_answers_that_an_earlier_version_kept_in_the_browser(export_each):
    keys = {kind: read_data(page)["settings"]["storage_key"] for kind, page in export_each.items()}
    assert keys == {
        "pairs": digest_text('["r1", {"p1": ["a", "b"], "p2": ["b", "c"]}]'),
        "features": digest_text('["features", "r1", ["men"], ["a", "b", "c"]]'),
        "ratings": digest_text('["ratings", "r1", ["proud"], [1, 10], ["c", "a"]]'),
    }
