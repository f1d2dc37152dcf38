"""What runs on a GPU, run on a stand-in as strict as CuPy; the tests that take `xp` run on it as well."""

import inspect

import numpy as np
import pandas as pd
import pytest
import strict_arrays

from visclust.base import backend
from visclust.base.backend import describe_device, is_on_gpu, to_device, to_host
from visclust.base.provenance import digest_input
from visclust.clustering import kmeans, silhouette_kinds as silhouette_variants
from visclust.clustering.choose_k import scan_k
from visclust.clustering.clusters import assign_clusters, assign_nearest, cluster_once
from visclust.clustering.grid import grid_search
from visclust.clustering.iterative import cluster_iteratively
from visclust.clustering.kmeans import fit_kmeans
from visclust.clustering.silhouette_kinds import score_clusters
from visclust.clustering.silhouettes import silhouette_samples
from visclust.embedding.embed import Embedding
from visclust.embedding.neighbours import list_neighbours
from visclust.embedding.storage import load_embedding, save_embedding
from visclust.exploration.descriptions import list_typical_images
from visclust.validation.pairs import sample_pairs


@pytest.fixture
def x(blobs):
    return blobs([40, 30, 25, 20, 9], d=12, spread=0.3)[0]


def test_the_stand_in_becomes_no_numpy_array_unasked(strict, x):
    with pytest.raises(TypeError, match="Implicit conversion"):
        np.asarray(strict(x))
    with pytest.raises(TypeError, match="its own module"):
        np.concatenate([strict(x), strict(x)])
    assert to_host(strict(x)).tolist() == x.tolist()


def test_the_stand_in_does_not_mix_with_numpy_arrays(strict, x):
    there = strict(x)
    for mix in (
        lambda: there + x,
        lambda: x + there,
        lambda: x @ there.T,
        lambda: there < x,
        lambda: there.__iadd__(x),
        lambda: there.sum(axis=0, out=x[0]),
    ):
        with pytest.raises(TypeError):
            mix()
    with pytest.raises(ValueError, match="fill"):
        there[:] = x


def test_the_stand_in_takes_numbers_and_numpy_arrays_as_indices_as_cupy_does(strict, x):
    there = strict(x)
    assert to_host(np.float32(2) * there).tolist() == (2 * x).tolist()
    assert to_host(there[np.array([1, 0])]).tolist() == x[[1, 0]].tolist()
    assert is_on_gpu(there.sum()) and there.sum().shape == ()


@pytest.mark.gpu
def test_the_stand_in_offers_nothing_that_cupy_lacks():
    cupy = pytest.importorskip("cupy")
    for name, keywords in strict_arrays.FUNCTIONS.items():
        assert tuple(inspect.signature(getattr(cupy, name)).parameters)[: len(keywords)] == keywords, name
    for name, keywords in strict_arrays.METHODS.items():
        words = getattr(cupy.ndarray, name).__doc__.split(") ->")[0].partition("(")[2]
        assert {part.split("=")[0].split()[-1] for part in words.split(",")} >= set(keywords), name
    assert all(isinstance(getattr(cupy, name), cupy.ufunc) for name in strict_arrays.UFUNCS)
    assert all(hasattr(cupy, name) for name in strict_arrays.CONSTANTS)
    assert cupy.ndarray.__module__ == strict_arrays.ndarray.__module__


def test_auto_takes_the_gpu_and_the_record_names_it(strict, x):
    there = to_device(x)
    assert is_on_gpu(there)
    assert describe_device(there) == "gpu: Stand-in"
    assert to_device(there, device="cpu").tolist() == x.tolist()


def test_iterative_clustering_finds_the_same_and_records_the_gpu(strict, x):
    settings = {"step_size": 1, "convergence_window": 2, "similarity_threshold": 0.0, "stop_size": 5}
    there, here = (cluster_iteratively(each, **settings) for each in (strict(x), x))
    assert there.labels.tolist() == here.labels.tolist()
    assert there.log.drop(columns="seconds").astype(str).equals(there.log.drop(columns="seconds").astype(str))
    # float32 distances, added up in another order.
    np.testing.assert_allclose(there.silhouettes, here.silhouettes, atol=1e-5)
    assert there.provenance["device"] == "gpu: Stand-in"
    assert there.provenance["inputs"] == {"x": digest_input(x)}


def test_a_grid_search_gives_the_same_table(strict, x, tmp_path):
    settings = {
        "rows": ["none", "unit"],  # UMAP is another program on each device
        "step_sizes": [2, 3],
        "similarity_thresholds": [0.0, 0.2],
        "baselines": [3],
        "stop_size": 5,
        "seeds": [0, 1],
        "progress": False,
    }
    there, here = (
        grid_search({"toy": each}, cache=tmp_path / name, **settings)
        for name, each in {"there": strict(x), "here": x}.items()
    )
    # Silhouettes are of float32 distances, added up in another order.
    pd.testing.assert_frame_equal(
        there.table.drop(columns="seconds"), here.table.drop(columns="seconds"), atol=1e-5
    )
    by_seed = [result for each in there.results.values() for result in each.values()]
    assert {result.provenance["device"] for result in by_seed} == {"gpu: Stand-in"}
    again = grid_search({"toy": strict(x)}, cache=tmp_path / "there", **settings)
    assert again.table.drop(columns="seconds").equals(there.table.drop(columns="seconds"))


def test_a_scan_of_k_gives_the_same_measures(strict, x):
    there, here = (scan_k(each, ks=[2, 5, 9], progress=False) for each in (strict(x), x))
    # Sums of float32 squares and distances, in another order.
    pd.testing.assert_frame_equal(there.drop(columns="seconds"), here.drop(columns="seconds"), rtol=1e-5)


@pytest.mark.parametrize("kind", ["exact", "sampled", "simplified", "squared"])
def test_scores_of_clusters_are_the_same_for_each_kind_of_silhouette(strict, x, kind):
    labels = np.arange(len(x)) % 7
    there, here = (score_clusters(each, labels, silhouette=kind, per_cluster=5) for each in (strict(x), x))
    pd.testing.assert_frame_equal(there, here, atol=1e-5)  # as above


def test_tables_made_from_an_embedding_are_the_same(strict, x, make_images):
    images = make_images([str(i) for i in range(len(x))])
    clusters = assign_clusters(images, cluster_once(strict(x), n_clusters=5))
    ids = images["image_id"]
    for make in (
        lambda x: list_typical_images(clusters, x),
        lambda x: list_neighbours(x, ids, of=["3", "5"], n=4),
        lambda x: sample_pairs(clusters, x, n_pairs=30),
    ):
        # 1e-5: typical images rest on float32 distances, added up in another order.
        pd.testing.assert_frame_equal(make(strict(x)), make(x), rtol=1e-5)


def test_leftovers_where_there_are_none_stay_as_they_are(xp):
    labels = np.array([3, 5, 5])
    found = assign_nearest(xp(np.eye(3)), labels)
    assert found.tolist() == [3, 5, 5]
    assert found is not labels


def test_an_embedding_on_a_gpu_is_saved_as_any_other(strict, x, tmp_path):
    ids = [str(i) for i in range(len(x))]
    save_embedding(Embedding(strict(x), ids, {}), tmp_path, name="toy")
    assert load_embedding(tmp_path, name="toy", image_ids=ids).x.tolist() == x.tolist()


def test_the_first_block_on_a_gpu_compiles_and_does_not_count_in_the_time(strict, x, monkeypatch):
    clock = iter([0.0, 90.0, 100.0, 101.0])  # 90 s for the first block, 1 s for the second
    monkeypatch.setattr(silhouette_variants.time, "perf_counter", lambda: next(clock))
    # One block holds all rows; exact silhouettes need half of its pairs.
    assert silhouette_variants._estimate_seconds(strict(x))["exact"] == pytest.approx(0.5)


def test_k_means_without_cuml_says_so_once(strict, x, capsys):
    backend._announce.cache_clear()  # another test may have heard it
    for _ in range(2):
        fit_kmeans(strict(x), 3, seed=0)
    assert capsys.readouterr().out.count("k-means runs on CuPy alone") == 1


def test_k_means_by_cuml_starts_as_ours_and_leaves_no_gap_in_the_labels(strict_with_cuml):
    rows = np.repeat([[0.0, 0], [9, 0], [0, 9]], [4, 3, 5], axis=0)  # float64; cuML is given float32
    fit = fit_kmeans(strict_with_cuml(rows), 6, seed=0)
    assert sorted(np.bincount(to_host(fit.labels))) == [3, 4, 5]
    assert fit.labels.dtype == np.int64
    assert to_host(fit.centers)[to_host(fit.labels)].tolist() == pytest.approx(rows)
    assert fit.inertia == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_k_means_by_cuml_stops_at_the_same_point_at_every_scale(strict_with_cuml, scale):
    x = np.random.default_rng(0).normal(size=(300, 6)).astype("float32")
    one, other = (fit_kmeans(strict_with_cuml(rows), 9, seed=2) for rows in (x, x * np.float32(scale)))
    assert to_host(one.labels).tolist() == to_host(other.labels).tolist()
    assert other.inertia == pytest.approx(one.inertia * scale**2, rel=1e-4)  # float32 sums


def test_clusters_that_cuml_leaves_empty_are_dropped(strict_with_cuml, monkeypatch):
    start = strict_with_cuml([0, 1, 3])  # the second centre equals the first, which takes all the rows
    monkeypatch.setattr(kmeans, "_choose_start", lambda *_, **__: start)
    rows = np.float32([[2], [2], [2], [8], [9]])
    fit = fit_kmeans(strict_with_cuml(rows), 3, seed=0)
    assert to_host(fit.labels).tolist() == [0, 0, 0, 1, 1]
    assert to_host(fit.centers).ravel().tolist() == pytest.approx([2, 8.5])


def test_cuml_is_given_float32_rows_in_c_order_whatever_comes(strict_with_cuml, x):
    labels = np.arange(len(x)) % 4 * 10
    for rows in (x, x.astype("float64"), np.asfortranarray(x)):
        theirs = silhouette_samples(strict_with_cuml(rows), strict_with_cuml(labels), engine="cuml")
        np.testing.assert_allclose(to_host(theirs), silhouette_samples(x, labels), atol=1e-5)  # float32
        assert len(fit_kmeans(strict_with_cuml(rows), 3, seed=0).centers) == 3


def test_cuml_is_not_asked_for_more_than_it_can_count(strict_with_cuml):
    x, codes = strict_with_cuml(np.eye(4, dtype="float32")), strict_with_cuml([0, 1, 1, 2**29])
    with pytest.raises(ValueError, match="overflows at n x k = 4 x 536870913"):
        backend.score_by_cuml(x, codes)
