import warnings

import numpy as np
import pytest

import visclust as vc
from visclust.embedding.embed import Embedding


def test_a_cluster_of_a_fifth_of_all_and_five_times_the_others_is_a_giant(make_clusters):
    labels = [0] * 30 + [1, 2, 3] * 5 + [-1] * 5
    told = vc.diagnose_clusters(make_clusters(labels)).iloc[0]
    assert told["giant"]
    assert told["largest_cluster"] == 0
    assert told["largest_share"] == pytest.approx(0.6)
    assert told["times_others"] == pytest.approx(6)
    assert "Cluster 0 holds 30 of 50 images (60%), 6 times as many" in told["advice"]
    assert "prepare_rows" in told["advice"]


@pytest.mark.parametrize(
    "labels",
    [
        [0] * 40 + [1] * 20 + [2] * 20,  # three themes
        [0] * 10 + [1, 2],  # few images, which everyone sees
        [0] * 20 + list(range(1, 90)),  # large beside the others, and less than a fifth
        [-1] * 30,
    ],
)
def test_no_wolf_is_cried(labels, make_clusters):
    told = vc.diagnose_clusters(make_clusters(labels)).iloc[0]
    assert not told["giant"]


def test_two_giants_do_not_hide_each_other(make_clusters):
    labels = [0] * 40 + [1] * 35 + list(range(2, 27))
    assert vc.diagnose_clusters(make_clusters(labels)).iloc[0]["giant"]


def test_all_images_in_one_cluster_are_a_giant(make_clusters):
    assert vc.diagnose_clusters(make_clusters([3] * 25)).iloc[0]["giant"]


def test_nothing_and_little_assigned_is_said(make_clusters):
    assert "No image is in a cluster" in vc.diagnose_clusters(make_clusters([-1] * 9))["advice"][0]
    assert (
        "70% of the images are in no cluster"
        in vc.diagnose_clusters(make_clusters([0] * 3 + [-1] * 7))["advice"][0]
    )


def test_a_row_that_is_everyones_neighbour_is_a_hub(make_clusters):
    # The middle of a star: each end has it as its nearest neighbour, and no end is another's.
    x = np.concatenate([np.zeros((1, 12)), np.eye(12)]).astype("float32")
    told = vc.diagnose_clusters(make_clusters([0] * 13), x, n_neighbours=1).iloc[0]
    assert told["hub_most"] == 12
    assert told["hub_skewness"] > 2
    assert told["hub_nobody"] == pytest.approx(11 / 13)  # one end is the middle's neighbour
    ring = np.stack([np.cos(np.arange(12) * np.pi / 6), np.sin(np.arange(12) * np.pi / 6)], axis=1)
    told = vc.diagnose_clusters(make_clusters([0] * 12), ring + 0.0, n_neighbours=2).iloc[0]
    assert told["hub_most"] == pytest.approx(1)


def test_hubs_of_one_or_two_rows_are_not_known(make_clusters):
    told = vc.diagnose_clusters(make_clusters([0, 0]), np.eye(2)).iloc[0]
    assert np.isnan(told["hub_most"])


def test_seeds_are_compared_with_the_settings_of_the_record(blobs):
    x, _ = blobs([12] * 5, spread=0.1, seed=0)
    result = vc.cluster_once(x, n_clusters=5)
    told = vc.diagnose_clusters(result, x, seeds=(0, 1, 2), progress=False).iloc[0]
    one, other, third = (vc.cluster_once(x, n_clusters=5, seed=seed).labels for seed in range(3))
    from sklearn.metrics import adjusted_rand_score

    pairs = [(one, other), (one, third), (other, third)]
    assert told["seeds_rand"] == pytest.approx(np.mean([adjusted_rand_score(a, b) for a, b in pairs]))


def test_seeds_without_rows_or_a_record_are_refused(make_clusters):
    clusters = make_clusters([0, 0, 1, 1])
    with pytest.raises(ValueError, match="Expected x"):
        vc.diagnose_clusters(clusters, seeds=(0, 1))
    with pytest.raises(ValueError, match="whose record names the settings"):
        vc.diagnose_clusters(clusters, np.eye(4), seeds=(0, 1))
    with pytest.raises(ValueError, match="two or more different seeds"):
        vc.diagnose_clusters(clusters, np.eye(4), seeds=(1, 1))


def test_rows_of_other_images_are_refused(make_clusters):
    embedding = Embedding(np.eye(2, dtype="float32"), ["x", "y"], {})
    with pytest.raises(ValueError, match="image"):
        vc.diagnose_clusters(make_clusters([0, 0]), embedding)
    with pytest.raises(ValueError, match="a row for each of the 2 images"):
        vc.diagnose_clusters(make_clusters([0, 0]), np.eye(3) * 1.5)


def make_heap():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(size=(60, 3)) * 0.01, np.arange(1, 11)[:, None] * 50 + np.eye(10, 3)])


def test_a_giant_is_never_silent():
    x = make_heap()
    with pytest.warns(UserWarning, match=r"holds 60 of 70 images \(86%\).*prepare_rows"):
        vc.cluster_once(x, n_clusters=6, seed=1)
    with pytest.warns(UserWarning, match=r"times as many as the other clusters|every other image"):
        vc.cluster_iteratively(x, step_size=1, similarity_threshold=0.5, sample_size=70, progress=False)


def test_even_clusters_are_silent(blobs):
    x, _ = blobs([12] * 5, spread=0.1, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vc.cluster_iteratively(x, step_size=1, progress=False)
        vc.cluster_once(x, n_clusters=5)


def test_an_embedding_brings_its_ids_and_how_it_was_prepared(blobs):
    x, _ = blobs([12] * 5, spread=0.1, seed=0)
    embedding = Embedding(x, [f"i{i}" for i in range(60)], {})
    prepared = vc.prepare_rows(embedding, how="unit")
    result = vc.cluster_iteratively(prepared, step_size=1, progress=False)
    assert result.provenance["parameters"]["similarity_threshold"] == 0.03
    clusters = vc.assign_clusters(None, result)
    assert clusters["image_id"].tolist() == embedding.image_ids
    bare = vc.cluster_iteratively(prepared.x, step_size=1, progress=False)
    assert np.array_equal(bare.labels, result.labels)
    as_umap = prepared._replace(how="umap")
    result = vc.cluster_iteratively(as_umap, step_size=1, progress=False)
    assert result.provenance["parameters"]["similarity_threshold"] == 0.2
    assert len(vc.scan_k(embedding, ks=[2, 3], progress=False)) == 2
    assert vc.cluster_once(embedding, n_clusters=2).image_ids == embedding.image_ids
    with pytest.raises(ValueError, match="Expected an images table"):
        vc.assign_clusters(None, vc.cluster_once(x + 17, n_clusters=2))
