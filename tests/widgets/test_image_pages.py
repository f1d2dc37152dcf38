"""Pages for single images: blind, self-contained, and their answers taken back in."""

import json
import re

import pandas as pd
import pytest
from PIL import Image

from visclust.annotation.answer_files import ANSWER_COLUMNS, import_answers
from visclust.annotation.constructs import EMOTIONS
from visclust.annotation.ratings import order_items, read_rating_answers, write_rating_answer
from visclust.widgets.labelling_pages import export_feature_page, export_pair_page, export_rating_page

MARKUP = "</script><script>alert(1)</script><!-- & <b>"


@pytest.fixture
def images(tmp_path):
    rows = []
    for name in "abc":
        Image.new("RGB", (60, 40)).save(tmp_path / f"file of {name}.png")
        rows.append((name, f"file of {name}.png", "ok", "", 60, 40))
    return pd.DataFrame(rows, columns=["image_id", "path", "status", "reason", "width", "height"])


@pytest.fixture
def assignment():
    return pd.DataFrame({"respondent": ["r1", "r1", "r2"], "group": "secret-party", "position": [2, 1, 1],
                         "image_id": ["a", "c", "b"], "cluster": 777777})  # fmt: skip


def read_data(page):
    found = re.search(
        r'<script type="application/json" id="visclust-page">(.*?)</script>', page.read_text(), re.S
    )
    return json.loads(found[1])


def test_a_rating_page_holds_the_respondents_images_in_order_and_nothing_that_unblinds(
    images, assignment, tmp_path
):
    page = export_rating_page(
        assignment, images, respondent="r1", save_to=tmp_path / "pages", seed=5, images_folder=tmp_path
    )
    data = read_data(page)
    assert data["items"] == [{"id": "c", "images": ["c"]}, {"id": "a", "images": ["a"]}]
    assert sorted(data["images"]) == ["a", "c"]
    assert data["settings"]["items"] == list(order_items(EMOTIONS, respondent="r1", seed=5))
    for secret in ("secret-party", "777777", "file of", str(tmp_path), "aversion"):
        assert secret not in page.read_text()


def test_a_feature_page_asks_nothing_of_any_network_and_keeps_markup_as_data(images, tmp_path):
    page = export_feature_page(images, [MARKUP, "men"], annotator=MARKUP, save_to=tmp_path, construct=MARKUP,
                               images_folder=tmp_path)  # fmt: skip
    text = page.read_text()
    assert text.count("<script") == text.count("</script>") == 2
    assert "default-src 'none'" in text
    assert not re.search(r"https?://", text)
    assert [toggle["name"] for toggle in read_data(page)["settings"]["toggles"]] == [MARKUP, "men"]


def test_pages_of_one_person_in_one_folder_do_not_overwrite_each_other(images, assignment, tmp_path):
    pairs = pd.DataFrame({"pair_id": ["p"], "image_a": ["a"], "image_b": ["b"], "stratum": "s",
                          "inclusion_probability": 0.5})  # fmt: skip
    options = {"save_to": tmp_path / "pages", "images_folder": tmp_path}
    pages = {
        export_pair_page(pairs, images, annotator="r1", **options),
        export_feature_page(images, annotator="r1", **options),
        export_rating_page(assignment, images, respondent="r1", **options),
    }
    assert len(pages) == 3
    assert len({read_data(page)["settings"]["storage_key"] for page in pages}) == 3


def test_a_page_made_again_goes_on_but_one_with_other_features_starts_afresh(images, tmp_path):
    def find_key(features):
        page = export_feature_page(
            images, features, annotator="Ana", save_to=tmp_path, images_folder=tmp_path
        )
        return read_data(page)["settings"]["storage_key"]

    assert find_key(["men"]) == find_key(["men"]) != find_key(["men", "women"])


def test_a_deleted_image_is_named(images, assignment, tmp_path):
    (tmp_path / "file of c.png").unlink()
    with pytest.raises(ValueError, match="'c'"):
        export_rating_page(assignment, images, respondent="r1", save_to=tmp_path, images_folder=tmp_path)


def test_a_rating_download_comes_back_once_however_often_it_is_imported(assignment, tmp_path):
    said = write_rating_answer({"proud": 7}, (1, 10))
    row = dict.fromkeys(ANSWER_COLUMNS) | {
        "event_id": "e1", "item_id": "c", "annotator": "r1", "answer": said, "seconds": 4.0,
        "answered_at": "2026-01-05T10:00:00.000Z", "simulated": False,
    }  # fmt: skip
    (tmp_path / "download.jsonl").write_text(json.dumps(row) + "\n")
    for added in (1, 0):
        assert import_answers(tmp_path / "download.jsonl", tmp_path / "ratings").added == added
    ratings = read_rating_answers(tmp_path / "ratings", assignment, items=["proud"])
    assert ratings.set_index("image_id")["rating"].to_dict()["c"] == 7
