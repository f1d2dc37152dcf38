"""The map of a corpus: coordinates, the table behind it, and the figure."""

import sys
import types

import altair as alt
import numpy as np
import pandas as pd
import pytest
import strict_arrays
from PIL import Image

import visclust as vc
from visclust.base import backend
from visclust.embedding import layouts
from visclust.exploration.maps import choose_map_colours


@pytest.fixture(scope="module")
def groups():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 20)
    centers = np.eye(3, 10) * 9
    return (centers[labels] + rng.normal(scale=0.1, size=(60, 10))).astype("float32"), labels


@pytest.fixture(scope="module")
def projected(groups):
    x, _ = groups
    return vc.project_map(x, image_ids=[f"img{i}" for i in range(60)], n_neighbors=5, seed=3)


@pytest.mark.slow  # umap-learn compiles its functions anew in each process
def test_far_groups_are_apart_on_the_map(projected, groups):
    places, (_, labels) = projected[["x", "y"]].to_numpy(), groups
    centers = np.stack([places[labels == group].mean(axis=0) for group in range(3)])
    nearest = np.linalg.norm(places[:, None] - centers, axis=2).argmin(axis=1)
    assert nearest.tolist() == labels.tolist()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_map_and_another_one_another(projected, groups):
    x, _ = groups
    again = vc.project_map(x, n_neighbors=5, seed=3)
    assert np.array_equal(again[["x", "y"]], projected[["x", "y"]])
    assert not np.array_equal(vc.project_map(x, n_neighbors=5, seed=4)["x"], projected["x"])


@pytest.fixture
def asked(monkeypatch):
    """Put in the place of umap-learn a class that keeps what it is asked and gives the first two columns."""
    settings = {}

    class UMAP:
        def __init__(self, **given):
            settings.update(given)

        def fit_transform(self, rows):
            return rows[:, :2]

    monkeypatch.setitem(sys.modules, "umap", types.SimpleNamespace(UMAP=UMAP))
    return settings


def test_a_map_says_how_it_was_made_and_leaves_its_input_alone(groups, asked):
    x = groups[0].copy()
    table = vc.project_map(x, image_ids=[f"img{i}" for i in range(60)], n_neighbors=5, seed=3)
    record = table.attrs["provenance"]
    assert (record["function"], record["seed"], record["device"]) == ("project_map", 3, "cpu")
    assert record["parameters"].items() >= {"n_neighbors": 5, "min_dist": 0.1}.items()
    assert (asked["n_neighbors"], asked["min_dist"], asked["random_state"]) == (5, 0.1, 3)
    assert table["image_id"].tolist()[:2] == ["img0", "img1"]
    assert np.array_equal(x, groups[0])


@pytest.mark.parametrize(("limit", "given"), [(60, True), (59, False)])
def test_neighbours_are_exact_up_to_a_size_and_umap_learn_s_own_above(
    groups, asked, monkeypatch, limit, given
):
    monkeypatch.setattr(layouts, "_EXACT_NEIGHBOURS", limit)
    vc.project_map(groups[0], n_neighbors=5)
    found, distances, _ = asked["precomputed_knn"]
    assert (found is not None) is given
    if given:
        assert found[:, 0].tolist() == list(range(60))
        assert distances.shape == (60, 5)


def test_bad_settings_are_refused_before_any_work(groups, monkeypatch):
    x, _ = groups
    monkeypatch.setitem(sys.modules, "umap", None)
    for bad in ({"n_neighbors": 1}, {"n_neighbors": 60}, {"n_neighbors": 2.5}, {"min_dist": 2},
                {"image_ids": ["a"]}):  # fmt: skip
        with pytest.raises(ValueError, match="Expected"):
            vc.project_map(x, **bad)
    with pytest.raises(RuntimeError, match="pip install umap-learn"):
        vc.project_map(x)


def test_an_array_on_a_gpu_is_laid_out_by_cuml_with_the_same_settings(groups, strict_with_cuml, monkeypatch):
    asked = {}

    class UMAP(strict_arrays.UMAP):
        def __init__(self, **settings):
            asked.update(settings)
            super().__init__(**settings)

    monkeypatch.setattr(sys.modules["cuml.manifold"], "UMAP", UMAP)
    table = vc.project_map(strict_with_cuml(groups[0]), n_neighbors=7, min_dist=0.2, seed=5)
    settings = {"n_neighbors": 7, "min_dist": 0.2, "random_state": 5, "output_type": "cupy"}
    assert asked == settings | {"n_components": 2, "metric": "euclidean"}
    assert table["y"].tolist() == groups[0][:, 1].astype("float32").tolist()
    assert table.attrs["provenance"]["device"] == "gpu: Stand-in"


@pytest.mark.gpu
def test_cuml_lays_far_groups_apart(groups):
    if backend.explain_gpu():
        pytest.skip(backend.explain_gpu())
    x, labels = groups
    places = vc.project_map(backend.to_device(x, device="gpu"), n_neighbors=5)[["x", "y"]].to_numpy()
    centers = np.stack([places[labels == group].mean(axis=0) for group in range(3)])
    nearest = np.linalg.norm(places[:, None] - centers, axis=2).argmin(axis=1)
    assert nearest.tolist() == labels.tolist()


@pytest.fixture
def clusters():
    # Nine clusters, the largest with the highest number, and two images that are in none.
    labels = [cluster for cluster in range(9) for _ in range(cluster + 1)] + [-1, -1]
    return pd.DataFrame(
        {"image_id": [f"img{i}" for i in range(len(labels))], "cluster": labels, "iteration": 1,
         "silhouette": 0.1}
    )  # fmt: skip


@pytest.fixture
def places(clusters):
    n = len(clusters)
    return pd.DataFrame(
        {"image_id": clusters["image_id"][::-1], "x": np.arange(n, dtype=float), "y": np.zeros(n)}
    )


def test_the_seven_largest_clusters_are_coloured_and_the_rest_is_gray(places, clusters):
    table = vc.describe_map(places, clusters)
    colours = choose_map_colours(table)
    assert list(colours) == [*[f"Cluster {c}" for c in range(8, 1, -1)], "Other clusters", "Unassigned"]
    assert len(set(colours.values())) == 9
    assert table["image_id"].tolist() == places["image_id"].tolist()
    assert set(table.loc[table["shown_as"] == "Other clusters", "cluster"]) == {0, 1}


def test_chosen_clusters_are_coloured_under_their_names(places, clusters):
    names = pd.DataFrame({"cluster": [0, 1, 2], "name": ["boats", "", "birds"]})
    table = vc.describe_map(places, clusters, names=names, highlight=[0, 1])
    assert list(choose_map_colours(table))[:2] == [
        "Cluster 1",
        "Cluster 0: boats",
    ]
    assert set(table.loc[table["cluster"] == 2, "name"]) == {"Cluster 2: birds"}
    with pytest.raises(ValueError, match="at most 7"):
        vc.describe_map(places, clusters, highlight=list(range(8)))


def test_two_clusters_of_one_name_have_two_colours(places, clusters):
    names = pd.DataFrame({"cluster": [7, 8], "name": ["boats", "boats"]})
    table = vc.describe_map(places, clusters, names=names, highlight=[7, 8])
    assert list(choose_map_colours(table))[:2] == ["Cluster 8: boats", "Cluster 7: boats"]


@pytest.mark.parametrize("name", ["Other clusters", "Unassigned"])
def test_a_cluster_called_as_the_gray_ones_are_has_its_colour(places, clusters, name):
    names = pd.DataFrame({"cluster": [0], "name": [name]})
    table = vc.describe_map(places, clusters, names=names, highlight=[0])
    assert table.loc[table["cluster"].eq(0), "shown_as"].unique().tolist() == [f"Cluster 0: {name}"]


def test_a_missing_name_is_the_number_of_the_cluster(places, clusters):
    table = vc.describe_map(places, clusters, names=pd.DataFrame({"cluster": [0], "name": [None]}))
    assert table.loc[table["cluster"].eq(0), "name"].unique().tolist() == ["Cluster 0"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"highlight": [99]}, "cluster 99, of which no image"),
        ({"names": pd.DataFrame({"number": [0]})}, "cluster, name is missing"),
        ({"names": pd.DataFrame({"cluster": [0, 0], "name": ["a", "b"]})}, "cluster 0 comes twice"),
    ],
)
def test_names_and_highlights_that_do_not_fit_are_an_error(places, clusters, options, message):
    with pytest.raises(ValueError, match=message):
        vc.describe_map(places, clusters, **options)


def test_an_image_that_is_twice_on_the_map_is_an_error(places, clusters):
    with pytest.raises(ValueError, match="comes twice"):
        vc.describe_map(pd.concat([places, places]), clusters)


def test_thumbnails_are_in_the_table_and_one_that_cannot_be_read_is_missing(places, clusters, tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(len(clusters))]
    for path in paths[1:]:
        Image.new("RGB", (200, 100)).save(path)
    images = pd.DataFrame({"image_id": clusters["image_id"], "path": [path.name for path in paths],
                           "status": "ok", "reason": "", "width": 200, "height": 100})  # fmt: skip
    table = vc.describe_map(places, clusters, images=images, images_folder=tmp_path)
    assert table["image"].isna().tolist() == [False] * (len(clusters) - 1) + [True]
    assert table["image"][0].startswith("data:image/jpeg")
    with pytest.raises(ValueError, match="none for 2 of them"):
        vc.describe_map(places, clusters, images=images[2:])


def test_an_image_without_a_cluster_is_an_error(places, clusters):
    with pytest.raises(ValueError, match="1 images of the map are not in the clusters"):
        vc.describe_map(places, clusters[1:])
    with pytest.raises(ValueError, match="image_ids="):
        vc.describe_map(places.drop(columns="image_id"), clusters)


def test_the_map_is_a_chart_with_pictures_on_hover_and_a_brush(places, clusters):
    table = vc.describe_map(places, clusters).assign(image="data:image/jpeg;base64,AA")
    assert table.loc[table["label"].ne(""), "label"].tolist() == list("8765432")
    spec = vc.plot_map(table).to_dict()
    assert [one["field"] for one in spec["layer"][0]["encoding"]["tooltip"]] == ["image", "name", "image_id"]
    assert spec["params"][0]["name"] == "brush"
    assert isinstance(vc.plot_map(table.drop(columns=["image", "label"])), alt.Chart)
    with pytest.raises(ValueError, match="shown_as is missing"):
        vc.plot_map(table.drop(columns="shown_as"))


def test_coloured_points_are_drawn_over_gray_ones(places, clusters):
    shown = vc.plot_map(vc.describe_map(places, clusters)).layer[0].data["shown_as"].tolist()
    assert shown[0] == "Unassigned"
    assert shown[-1] == "Cluster 8"


def test_more_images_than_points_can_show_are_drawn_in_squares(places, clusters):
    table = vc.describe_map(places, clusters).assign(image="data:image/jpeg;base64,AA")
    chart = vc.plot_map(table, max_points=46, width=40)  # 47 images in ten columns
    squares = chart.layer[0].data
    assert (len(squares), squares["images"].sum()) == (10, 47)
    spec = chart.to_dict()
    assert spec["layer"][0]["mark"]["type"] == "rect"
    assert [one["field"] for one in spec["layer"][0]["encoding"]["tooltip"]][:3] == [
        "image", "images", "shown_as"
    ]  # fmt: skip
    assert spec["params"][0]["name"] == "brush"
    assert "47 images in 10 squares of " in spec["title"]["subtitle"][0]
    assert vc.plot_map(table, max_points=47).layer[0].mark.type == "circle"


def test_of_very_many_images_only_those_that_are_shown_get_a_thumbnail(
    places, clusters, tmp_path, monkeypatch
):
    monkeypatch.setattr("visclust.exploration.maps.MANY", 46)
    monkeypatch.setattr("visclust.exploration.maps._MOST_PICTURES", 3)
    paths = [f"{i}.png" for i in range(len(clusters))]
    for path in paths:
        Image.new("RGB", (20, 10)).save(tmp_path / path)
    images = pd.DataFrame({"image_id": clusters["image_id"], "path": paths, "status": "ok"})
    table = vc.describe_map(places, clusters, images=images, images_folder=tmp_path)
    assert table["image"].notna().sum() == 3
    assert vc.plot_map(table, max_points=46).layer[0].data["image"].notna().sum() == 3


def test_colours_are_frames_where_people_gave_some(places, clusters):
    frames = pd.DataFrame({"cluster": [8, 7, 7, 6], "frame": ["protest", "protest", "family", "family"]})
    table = vc.describe_map(places, clusters, frames=frames).set_index("cluster")["shown_as"]
    shown = table.groupby("cluster").first().to_dict()
    assert shown == {8: "protest", 7: "Several frames", 6: "family", -1: "Unassigned"} | dict.fromkeys(
        range(6), "No frame"
    )
    assert list(choose_map_colours(table.reset_index()))[:3] == ["protest", "Several frames", "family"]
    with pytest.raises(ValueError, match="frames or highlight, got both"):
        vc.describe_map(places, clusters, frames=frames, highlight=[8])
