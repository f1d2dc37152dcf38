import json

import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.base.provenance import digest_input
from visclust.embedding.embed import Embedding

IDS = ["a", "b", "c"]


@pytest.fixture
def folder(tmp_path):
    x = np.arange(6, dtype="float32").reshape(3, 2)
    vc.save_embedding(Embedding(x, IDS, {"parameters": {"encoder": "toy"}}), tmp_path, name="toy")
    return tmp_path


def test_an_embedding_comes_back_as_it_was(folder):
    loaded = vc.load_embedding(folder, name="toy", image_ids=IDS)
    assert loaded.x.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert loaded.x.dtype == np.float32
    assert loaded.image_ids == IDS
    assert loaded.provenance == {"parameters": {"encoder": "toy"}, "sources": {}}


def test_a_matrix_changed_after_it_was_made_is_saved_with_a_record_that_says_so(tmp_path):
    x = np.arange(6, dtype="float32").reshape(3, 2)
    made = Embedding(x, IDS, {**vc.describe_run("embed_images"), "result": {"x": digest_input(x)}})
    vc.save_embedding(made, tmp_path, name="same")
    vc.save_embedding(made._replace(x=x * 2), tmp_path, name="doubled")
    assert vc.read_provenance(tmp_path / "same.npy") == {**made.provenance, "sources": {}}
    doubled = vc.read_provenance(tmp_path / "doubled.npy")
    assert (doubled["function"], doubled["changed_after"]) == ("embed_images", True)
    assert doubled["result"] == {"x": digest_input(x * 2)}


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        (["a", "b"], "0 images are not in it, and 1 of its rows are other images"),
        (["a", "b", "z"], "1 images are not in it, and 1 of its rows are other images"),
        (["b", "a", "c"], "the same images in another order"),
    ],
)
def test_a_matrix_of_other_images_is_refused(folder, ids, reason):
    with pytest.raises(ValueError, match=reason):
        vc.load_embedding(folder, name="toy", image_ids=ids)


def test_a_matrix_that_its_sidecar_does_not_describe_is_refused(folder):
    np.save(folder / "toy.npy", np.ones((3, 2), dtype="float32"))
    with pytest.raises(ValueError, match="digests differ"):
        vc.load_embedding(folder, name="toy")


def test_a_pickle_in_the_place_of_a_matrix_is_refused(folder):
    np.save(folder / "toy.npy", np.array([{"code": "runs"}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        vc.load_embedding(folder, name="toy")


def test_a_sidecar_that_lost_an_id_is_refused(folder):
    sidecar = json.loads((folder / "toy.json").read_text())
    (folder / "toy.json").write_text(json.dumps({**sidecar, "image_ids": ["a", "b"]}))
    with pytest.raises(ValueError, match=r"Expected 3 ids in toy.json, got 2"):
        vc.load_embedding(folder, name="toy")


@pytest.mark.parametrize("lost", ["toy.npy", "toy.json"])
def test_a_missing_file_is_named(folder, lost):
    (folder / lost).unlink()
    with pytest.raises(FileNotFoundError, match=lost):
        vc.load_embedding(folder, name="toy")


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "a:b"])
def test_a_name_that_is_no_file_name_is_refused(folder, name):
    with pytest.raises(ValueError, match="plain file name"):
        vc.save_embedding(Embedding(np.zeros((1, 1), dtype="float32"), ["a"], {}), folder, name=name)


def test_ids_and_rows_must_be_as_many(tmp_path):
    with pytest.raises(ValueError, match="got shape \\(2, 1\\) and 1 ids"):
        vc.save_embedding(Embedding(np.zeros((2, 1), dtype="float32"), ["a"], {}), tmp_path, name="toy")


@pytest.mark.parametrize(
    ("x", "ids", "message"),
    [
        (np.array([[1.0], [np.nan]]), ["a", "b"], "finite numbers"),
        (np.array([["1"], ["2"]]), ["a", "b"], "finite numbers"),
        (np.ones((2, 1)), ["a", 2], "text, got 2"),
        (np.ones((2, 1)), ["a", "a"], "'a' has several"),
    ],
)
def test_rows_that_no_image_could_be_found_by_are_not_saved(tmp_path, x, ids, message):
    with pytest.raises(ValueError, match=message):
        vc.save_embedding(Embedding(x, ids, {}), tmp_path, name="toy")
    assert list(tmp_path.iterdir()) == []


def test_the_list_names_encoder_and_shape(folder):
    assert vc.list_embeddings(folder)[["name", "images", "dimension", "encoder"]].to_numpy().tolist() == [
        ["toy", 3, 2, "toy"]
    ]


def test_a_matrix_left_on_disk_is_checked_and_cannot_be_written_to(folder):
    kept = vc.load_embedding(folder, name="toy")
    loaded = vc.load_embedding(folder, name="toy", image_ids=pd.Series(IDS), mmap=True)
    assert isinstance(loaded.x, np.memmap)
    assert loaded.x.tobytes() == kept.x.tobytes()
    assert loaded.provenance == kept.provenance
    with pytest.raises(ValueError, match="read-only"):
        loaded.x[0, 0] = 1


def test_the_first_row_of_other_images_is_named(tmp_path):
    vc.save_embedding(Embedding(np.ones((3, 2), dtype=np.float32), ["a", "b", "c"], {}), tmp_path, name="toy")
    with pytest.raises(ValueError, match="the first difference is row 1: 'b' instead of 'x'"):
        vc.load_embedding(tmp_path, name="toy", image_ids=["a", "x", "c"])


@pytest.mark.parametrize("content", ["{half", "[]", '{"name": "toy"}'])
def test_a_damaged_sidecar_is_refused(tmp_path, content):
    vc.save_embedding(Embedding(np.ones((1, 2), dtype=np.float32), ["a"], {}), tmp_path, name="toy")
    (tmp_path / "toy.json").write_text(content)
    with pytest.raises(ValueError, match=r"damaged.*Embed the images again"):
        vc.load_embedding(tmp_path, name="toy")


def test_ids_changed_in_the_sidecar_are_refused(tmp_path):
    vc.save_embedding(Embedding(np.ones((1, 2), dtype=np.float32), ["a"], {}), tmp_path, name="toy")
    sidecar = json.loads((tmp_path / "toy.json").read_text())
    (tmp_path / "toy.json").write_text(json.dumps({**sidecar, "image_ids": ["b"]}))
    with pytest.raises(ValueError, match=r"ids in toy.json have changed"):
        vc.load_embedding(tmp_path, name="toy", image_ids=["b"])
