"""The map joined to the cluster browser: what is marked on the one opens in the other."""

import types

import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.widgets import linked_map
from visclust.widgets.linked_map import _find_brushed


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


def test_a_brush_holds_the_images_below_it_cluster_by_cluster(places, clusters):
    table = vc.describe_map(places, clusters)
    assert _find_brushed(table, {"x": [4.5, 1.5], "y": [-1, 1]}) == ["img44", "img43", "img42"]
    assert _find_brushed(table, {"x": [1.5, 9.5]}) == [*[f"img{i}" for i in range(44, 36, -1)]]
    assert _find_brushed(table, {}) == _find_brushed(table, None) == []


def test_what_is_marked_on_the_map_opens_in_the_browser(places, clusters):
    shown = []
    browser = types.SimpleNamespace(show=lambda ids, title: shown.append((list(ids), title)))
    table = vc.describe_map(places, clusters)
    chart = vc.link_map(table, browser, engine="altair")
    chart._vl_selections = {"brush": {"value": {"x": [1.5, 3.5], "y": [-1, 1]}, "store": []}}
    assert shown == [(["img44", "img43"], "2 images marked on the map")]
    with pytest.raises(ValueError, match="'matplotlib'"):
        vc.link_map(table, browser, engine="matplotlib")


def test_what_is_marked_by_jupyter_scatter_opens_too(places, clusters):
    jscatter = pytest.importorskip("jscatter")
    shown, made = [], []
    make = jscatter.Scatter

    def keep(**options):
        made.append(make(**options))
        return made[0]

    browser = types.SimpleNamespace(show=lambda ids, title: shown.append(list(ids)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jscatter, "Scatter", keep)
        vc.link_map(vc.describe_map(places, clusters), browser, engine="scatter")
    made[0].widget.selection = np.array([3, 0])
    assert shown == [["img46", "img43"]]


def test_jupyter_scatter_is_asked_for_only_where_it_is_installed(places, clusters, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"visclust\[map\]"):
        vc.link_map(vc.describe_map(places, clusters), None, engine="scatter")


def test_of_very_many_marked_images_the_first_ones_open_and_the_title_says_so(places, clusters, monkeypatch):
    monkeypatch.setattr(linked_map, "_MOST", 2)
    shown = []
    browser = types.SimpleNamespace(show=lambda ids, title: shown.append((list(ids), title)))
    chart = vc.link_map(vc.describe_map(places, clusters), browser, engine="altair")
    chart._vl_selections = {"brush": {"value": {"x": [1.5, 4.5], "y": [-1, 1]}, "store": []}}
    assert shown == [(["img44", "img43"], "3 images marked on the map, the first 2")]
    chart._vl_selections = {"brush": {"value": {}, "store": []}}
    assert len(shown) == 1  # nothing marked opens nothing
