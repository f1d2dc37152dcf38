import json

import numpy as np
import pytest

from visclust.embedding.embed import Embedding
from visclust.embedding.storage import list_embeddings, load_embedding, save_embedding

IDS = ["a", "b", "c"]


@pytest.fixture
def folder(tmp_path):
    x = np.arange(6, dtype="float32").reshape(3, 2)
    save_embedding(Embedding(x, IDS, {"parameters": {"encoder": "toy"}}), tmp_path, name="toy")
    return tmp_path


def test_an_embedding_comes_back_as_it_was(folder):
    loaded = load_embedding(folder, name="toy", image_ids=IDS)
    assert loaded.x.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert loaded.x.dtype == np.float32
    assert loaded.image_ids == IDS
    assert loaded.provenance == {"parameters": {"encoder": "toy"}}


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
        load_embedding(folder, name="toy", image_ids=ids)


def test_a_matrix_that_its_sidecar_does_not_describe_is_refused(folder):
    np.save(folder / "toy.npy", np.ones((3, 2), dtype="float32"))
    with pytest.raises(ValueError, match="digests differ"):
        load_embedding(folder, name="toy")


def test_a_pickle_in_the_place_of_a_matrix_is_refused(folder):
    np.save(folder / "toy.npy", np.array([{"code": "runs"}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load_embedding(folder, name="toy")


def test_a_sidecar_that_lost_an_id_is_refused(folder):
    sidecar = json.loads((folder / "toy.json").read_text())
    (folder / "toy.json").write_text(json.dumps({**sidecar, "image_ids": ["a", "b"]}))
    with pytest.raises(ValueError, match=r"Expected 3 ids in toy.json, got 2"):
        load_embedding(folder, name="toy")


@pytest.mark.parametrize("lost", ["toy.npy", "toy.json"])
def test_a_missing_file_is_named(folder, lost):
    (folder / lost).unlink()
    with pytest.raises(FileNotFoundError, match=lost):
        load_embedding(folder, name="toy")


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a:b"])
def test_a_name_that_is_no_file_name_is_refused(folder, name):
    with pytest.raises(ValueError, match="plain file name"):
        save_embedding(Embedding(np.zeros((1, 1), dtype="float32"), ["a"], {}), folder, name=name)


def test_ids_and_rows_must_be_as_many(tmp_path):
    with pytest.raises(ValueError, match="got shape \\(2, 1\\) and 1 ids"):
        save_embedding(Embedding(np.zeros((2, 1), dtype="float32"), ["a"], {}), tmp_path, name="toy")


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
        save_embedding(Embedding(x, ids, {}), tmp_path, name="toy")
    assert list(tmp_path.iterdir()) == []


def test_the_list_names_encoder_and_shape(folder):
    assert list_embeddings(folder)[["name", "images", "dimension", "encoder"]].to_numpy().tolist() == [
        ["toy", 3, 2, "toy"]
    ]
