"""Pages that keep their answers, and taking those back in."""

import csv
import json
import re

import pandas as pd
import pytest
from PIL import Image

from visclust.annotation.answer_files import ANSWER_COLUMNS, import_answers
from visclust.annotation.answers import current_answers, read_answers
from visclust.widgets.annotate_app import _choose_annotator, _start_annotating, main
from visclust.widgets.labelling_pages import export_pair_page

MARKUP = "</script><script>alert(1)</script><!-- & <b>"


@pytest.fixture
def study(tmp_path):
    rows = []
    for name in "abc":
        path = tmp_path / f"file of {name}.png"
        Image.new("RGB", (60, 40)).save(path)
        rows.append((name, path.name, "ok", "", 60, 40))
    images = pd.DataFrame(rows, columns=["image_id", "path", "status", "reason", "width", "height"])
    pairs = pd.DataFrame(
        {"pair_id": ["p1", "p2"], "image_a": list("ab"), "image_b": list("bc"), "stratum": "secret-stratum",
         "inclusion_probability": 0.123456}
    )  # fmt: skip
    return pairs, images


def read_data(page):
    found = re.search(
        r'<script type="application/json" id="visclust-page">(.*?)</script>', page.read_text(), re.S
    )
    return json.loads(found[1])


def make_row(event_id, **more):
    row = dict.fromkeys(ANSWER_COLUMNS) | {
        "event_id": event_id, "item_id": "p1", "annotator": "Ana", "answer": "same", "seconds": 1.25,
        "answered_at": "2026-01-05T10:00:00.000Z", "simulated": False,
    }  # fmt: skip
    return row | more


def test_the_page_holds_each_image_once_and_nothing_that_unblinds(study, tmp_path):
    page = export_pair_page(*study, annotator="Ana", save_to=tmp_path / "pages", images_folder=tmp_path)
    data = read_data(page)
    assert data["items"] == [{"id": "p1", "images": ["a", "b"]}, {"id": "p2", "images": ["b", "c"]}]
    assert sorted(data["images"]) == ["a", "b", "c"]
    assert all(url.startswith("data:image/jpeg;base64,") for url in data["images"].values())
    for secret in ("secret-stratum", "0.123456", "file of", str(tmp_path)):
        assert secret not in page.read_text()


def test_markup_in_texts_and_ids_stays_data(study, tmp_path):
    pairs, images = study
    pairs = pairs.assign(pair_id=[MARKUP, "p2"])
    texts = {"annotator": MARKUP, "question": MARKUP, "construct": MARKUP}
    page = export_pair_page(pairs, images, save_to=tmp_path, images_folder=tmp_path, **texts)
    text = page.read_text()
    assert text.count("<script") == text.count("</script>") == 2
    assert "<script>alert" not in text
    assert read_data(page)["settings"]["construct"] == MARKUP


def test_the_page_asks_nothing_of_any_network(study, tmp_path):
    text = export_pair_page(*study, annotator="Ana", save_to=tmp_path, images_folder=tmp_path).read_text()
    assert "default-src 'none'" in text
    assert not re.search(r"https?://", text)


def test_an_image_that_cannot_be_read_any_more_is_named(study, tmp_path):
    (tmp_path / "file of b.png").write_bytes(b"not an image")
    with pytest.raises(ValueError, match="'b'"):
        export_pair_page(*study, annotator="Ana", save_to=tmp_path, images_folder=tmp_path)


def test_two_annotators_get_two_pages(study, tmp_path):
    pages = {
        export_pair_page(*study, annotator=name, save_to=tmp_path, images_folder=tmp_path)
        for name in ("Ana B", "ana b")
    }
    assert len(pages) == 2
    assert len({read_data(page)["settings"]["storage_key"] for page in pages}) == 2


def test_importing_a_file_again_or_a_longer_one_adds_only_what_is_new(tmp_path):
    short, long = tmp_path / "short.jsonl", tmp_path / "long.jsonl"
    rows = [
        make_row("e1"),
        make_row("e2", item_id="p2"),
        make_row("e3", item_id="p2", answer=None, retracts="e2"),
    ]
    short.write_text(json.dumps(rows[0]) + "\n")
    long.write_text("".join(json.dumps(row) + "\n" for row in rows))
    store = tmp_path / "answers"
    assert import_answers(short, store)[:2] == (1, 0)
    assert import_answers(short, store)[:2] == (0, 1)
    assert import_answers(long, store)[:2] == (2, 1)
    assert current_answers(read_answers(store))["item_id"].tolist() == ["p1"]


def test_a_csv_download_means_the_same_as_the_jsonl_one(tmp_path):
    rows = [make_row("e1", note='a "quoted", note\nof two lines – ü', left="a", right="b"),
            make_row("e2", answer=None, retracts="e1", seconds=None)]  # fmt: skip
    (tmp_path / "one.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with (tmp_path / "two.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, ANSWER_COLUMNS, quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(
            {name: "" if value is None else value for name, value in row.items()} for row in rows
        )
    import_answers(tmp_path / "one.jsonl", tmp_path / "from jsonl")
    import_answers(tmp_path / "two.csv", tmp_path / "from csv")
    pd.testing.assert_frame_equal(read_answers(tmp_path / "from jsonl"), read_answers(tmp_path / "from csv"))


def test_a_file_of_two_annotators_is_sorted_into_their_files(tmp_path):
    path = tmp_path / "both.jsonl"
    rows = [make_row("e1"), make_row("e2", annotator="Ben"), make_row("e3", annotator="Ana", simulated=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = import_answers(path, tmp_path / "answers")
    assert (done.added, len(done.files)) == (3, 3)
    assert read_answers(tmp_path / "answers", simulated=False)["annotator"].tolist() == ["Ana", "Ben"]


@pytest.mark.parametrize("content", ['{"a": 1}\n', "3\n", json.dumps(make_row("e1", seconds="x")) + "\n"])
def test_a_file_that_holds_no_answers_is_refused_and_nothing_imported(tmp_path, content):
    path = tmp_path / "wrong.jsonl"
    path.write_text(json.dumps(make_row("e0")) + "\n" + content)
    with pytest.raises(ValueError, match="line 2"):
        import_answers(path, tmp_path / "answers")
    assert not (tmp_path / "answers").exists()


def test_other_files_are_refused_with_what_was_expected(tmp_path):
    (tmp_path / "answers.xlsx").touch()
    with pytest.raises(ValueError, match=r"\.jsonl or \.csv"):
        import_answers(tmp_path / "answers.xlsx", tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        import_answers(tmp_path / "nowhere.jsonl", tmp_path)
    (tmp_path / "bad.csv").write_text("event_id,seconds\ne1,soon\n")
    with pytest.raises(ValueError, match="line 2"):
        import_answers(tmp_path / "bad.csv", tmp_path)


def test_the_served_page_knows_its_annotator_from_the_address_or_asks(study, tmp_path, monkeypatch):
    pairs, images = study
    pairs.to_parquet(tmp_path / "pairs.parquet")
    images.to_parquet(tmp_path / "images.parquet")
    settings = {name: str(tmp_path / f"{name}.parquet") for name in ("pairs", "images")} | {
        "answers": str(tmp_path / "answers"), "images_folder": str(tmp_path), "question": "Same?",
        "construct": "", "max_unsaved": 0,
    }  # fmt: skip
    monkeypatch.setenv("VISCLUST_ANNOTATE", json.dumps(settings))
    monkeypatch.setenv("QUERY_STRING", "annotator=Ana")
    assert _start_annotating().settings["annotator"] == "ana"
    monkeypatch.setenv("QUERY_STRING", "annotator=%20")
    page = _start_annotating()
    name, start = page.children[0].children
    start.click()
    assert page.children[0].children == (name, start)  # no name, no labeller
    name.value = " Ben "
    assert page.children[0].settings["annotator"] == "ben"
    assert _choose_annotator("") == ""


def test_the_server_refuses_to_start_on_tables_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="No pairs table"):
        main(
            [
                "--pairs",
                str(tmp_path / "none"),
                "--images",
                str(tmp_path / "none"),
                "--answers",
                str(tmp_path),
            ]
        )
