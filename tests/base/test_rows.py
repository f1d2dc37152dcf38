"""The rows of a matrix beside the rows of a table."""

import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.base.rows import match_rows
from visclust.embedding.embed import Embedding

TABLE = pd.DataFrame({"image_id": ["a", "b", "c"]})


def make_embedding(ids=("a", "b", "c"), *, seed=0):
    x = np.random.default_rng(seed).normal(size=(len(ids), 2)).astype("float32")
    return Embedding(x, list(ids), {})


def test_an_embedding_of_these_images_gives_its_matrix():
    embedding = make_embedding()
    assert match_rows(embedding, TABLE) is embedding.x


def test_an_embedding_of_other_images_is_refused():
    with pytest.raises(ValueError, match="1 of the images are not in it, and 1 of its rows are other images"):
        match_rows(make_embedding(["a", "b", "z"]), TABLE)


def test_another_order_is_refused_and_the_error_says_from_where_on():
    with pytest.raises(ValueError, match=r"another order, from row 1 on \(c instead of b\)"):
        match_rows(make_embedding(["a", "c", "b"]), TABLE)


def test_the_matrix_of_an_embedding_that_was_loaded_is_known_by_its_values(tmp_path):
    vc.save_embedding(make_embedding(seed=1), tmp_path, name="toy")
    loaded = vc.load_embedding(tmp_path, name="toy")
    assert match_rows(loaded.x, TABLE) is loaded.x
    with pytest.raises(ValueError, match="another order"):
        match_rows(loaded.x, TABLE[::-1])


def test_a_matrix_from_elsewhere_passes():
    x = np.full((3, 2), 0.25)
    assert match_rows(x, TABLE) is x


def test_typical_images_pairs_and_maps_hold_the_rows_against_the_clusters():
    ids = [f"i{n}" for n in range(8)]
    x = np.repeat(np.eye(2, dtype="float32"), 4, axis=0) + np.arange(8, dtype="float32")[:, None] / 100
    embedding = Embedding(x, ids, {})
    clusters = pd.DataFrame(
        {"image_id": ids, "cluster": [0] * 4 + [1] * 4, "iteration": 1, "silhouette": 0.1}
    )
    shuffled = clusters.sample(frac=1, random_state=1)
    assert vc.list_typical_images(clusters, embedding).equals(vc.list_typical_images(clusters, x))
    assert len(vc.sample_pairs(clusters, embedding, n_pairs=4)) == 4
    records = [vc.list_typical_images(clusters, each).attrs["provenance"] for each in (embedding, x)]
    assert records[0]["inputs"] == records[1]["inputs"]
    assert records[0]["parameters"] == {"n_images": 5}
    for call in (vc.list_typical_images, vc.sample_pairs):
        with pytest.raises(ValueError, match="another order"):
            call(shuffled, embedding)
    with pytest.raises(ValueError, match="another order"):
        vc.project_map(embedding, image_ids=ids[::-1])


def test_another_embedding_of_the_same_images_is_said(tmp_path, capsys):
    folder = tmp_path / "embeddings"
    for name, seed in (("pretrained", 2), ("finetuned", 3)):
        vc.save_embedding(make_embedding("abcd", seed=seed), folder, name=name)
    columns = {"status": "ok", "reason": "", "width": 1, "height": 1}
    images = pd.DataFrame({"image_id": list("abcd"), "path": list("abcd"), **columns})
    first, second = (vc.load_embedding(folder, name=name) for name in ("pretrained", "finetuned"))
    clusters = vc.assign_clusters(images, vc.cluster_once(first.x, n_clusters=2))
    vc.list_typical_images(clusters, first)
    assert capsys.readouterr().out == ""
    vc.list_typical_images(clusters, second.x)
    said = "was made from embeddings/pretrained.npy; distances here are those of embeddings/finetuned.npy."
    assert said in capsys.readouterr().out


def test_clusters_are_not_put_on_images_in_another_order(tmp_path):
    vc.save_embedding(make_embedding("abcd", seed=4), tmp_path, name="toy")
    columns = {"status": "ok", "reason": "", "width": 1, "height": 1}
    images = pd.DataFrame({"image_id": list("abcd"), "path": list("abcd"), **columns})
    result = vc.cluster_once(vc.load_embedding(tmp_path, name="toy").x, n_clusters=2)
    assert len(vc.assign_clusters(images, result)) == 4
    with pytest.raises(ValueError, match="in the order of the rows that were clustered"):
        vc.assign_clusters(images[::-1], result)
