"""What was withdrawn is known by digests alone, and is left out of what is read anew."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import visclust as vc
from visclust.base.provenance import digest_input
from visclust.base.withdrawals import WITHDRAWN_FILE, find_withdrawn, note_withdrawn, read_withdrawn
from visclust.embedding.embed import Embedding


def test_images_and_posts_that_were_withdrawn_are_left_out_and_counted(tmp_path, make_images, capsys):
    note_withdrawn(tmp_path, [("image", "b"), ("author", "Ana")])
    assert vc.leave_out_withdrawn(make_images(["a", "b"]), tmp_path)["image_id"].tolist() == ["a"]
    posts = pd.DataFrame({"post_id": ["1", "2", "3"], "author": ["@ana", "ben", None]})
    assert vc.leave_out_withdrawn(posts, tmp_path)["post_id"].tolist() == ["2", "3"]
    assert "1 of 2 rows left out: they were withdrawn." in capsys.readouterr().out


def test_without_withdrawals_the_table_stays_as_it_is(tmp_path, make_images):
    images = make_images(["a", "b"])
    assert vc.leave_out_withdrawn(images, tmp_path) is images


def test_the_record_stays_that_of_the_function_that_made_the_table_and_counts_what_is_gone(tmp_path):
    for name, colour in (("a.png", "red"), ("b.png", "blue")):
        Image.new("RGB", (4, 3), colour).save(tmp_path / name)
    images = vc.index_images(tmp_path, progress=False)
    note_withdrawn(tmp_path, [("image", images["image_id"][0])])
    kept = vc.leave_out_withdrawn(images, tmp_path)
    record = kept.attrs["provenance"]
    assert (record["function"], record["withdrawn_rows"]) == ("index_images", 1)
    assert record["result"] == digest_input(kept)
    assert "withdrawn_rows" not in images.attrs["provenance"]


def test_the_file_holds_no_name(tmp_path):
    text = note_withdrawn(tmp_path, [("author", "ana")]).read_text()
    assert "ana" not in text
    assert len(read_withdrawn(tmp_path)) == 1


def test_more_withdrawals_join_those_that_there_are_and_none_comes_twice(tmp_path):
    note_withdrawn(tmp_path, [("author", "ana")])
    note_withdrawn(tmp_path, [("author", "@ANA"), ("image", "a")])
    known = read_withdrawn(tmp_path)
    assert [kind for kind, *_ in known] == ["author", "image"]
    assert find_withdrawn("author", ["ana", "ben"], known) == {"ana"}
    assert find_withdrawn("image", ["ana", "a"], known) == {"a"}


def test_an_author_is_known_however_the_accents_are_typed(tmp_path):
    note_withdrawn(tmp_path, [("author", "@Jos\u00e9")])
    known = read_withdrawn(tmp_path)
    assert find_withdrawn("author", ["jose\u0301", "jose"], known) == {"jose\u0301"}


def test_two_studies_have_other_digests_of_one_author(tmp_path):
    for name in ("one", "two"):
        note_withdrawn(tmp_path / name, [("author", "ana")])
    assert read_withdrawn(tmp_path / "one")[0][1] != read_withdrawn(tmp_path / "two")[0][1]


def test_a_file_changed_by_hand_is_refused(tmp_path, make_images):
    (tmp_path / WITHDRAWN_FILE).write_text("kind,digest,salt\nauthor,ana,\n")
    with pytest.raises(ValueError, match=r"line 2 of .*withdrawn\.csv"):
        vc.leave_out_withdrawn(make_images(["a"]), tmp_path)


def test_a_table_of_neither_images_nor_posts_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Expected the column image_id or author"):
        vc.leave_out_withdrawn(pd.DataFrame({"x": [1]}), tmp_path)


def test_what_was_withdrawn_is_not_written_into_the_study_again(tmp_path, make_images):
    (tmp_path / "study.toml").write_text('images = "photos"')
    note_withdrawn(tmp_path, [("image", "b"), ("author", "ana")])
    embedding = Embedding(np.zeros((1, 2), dtype="float32"), ["b"], {})
    authors = pd.DataFrame({"author": ["Ana"], "posts": [3]})
    with pytest.raises(ValueError, match=r"would hold 1 image withdrawn .*leave_out_withdrawn"):
        vc.save_table(make_images(["a", "b"]), tmp_path / "results" / "images.parquet", "images")
    with pytest.raises(ValueError, match="would hold 1 author withdrawn"):
        vc.save_csv(authors, tmp_path / "results" / "authors.csv")
    with pytest.raises(ValueError, match="would hold 1 image withdrawn"):
        vc.save_embedding(embedding, tmp_path / "results" / "embeddings", name="pretrained")
    assert not (tmp_path / "results").exists()
    vc.save_table(make_images(["a"]), tmp_path / "results" / "images.parquet", "images")
