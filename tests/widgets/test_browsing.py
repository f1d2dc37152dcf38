"""The cluster browser as a state machine: sorting, filtering, opening, selecting."""

import pandas as pd
import pytest

from visclust.exploration.notes import ClusterNote
from visclust.widgets.browsing import (
    Browsing,
    catalogue_clusters,
    filter_clusters,
    go_back,
    list_rows,
    list_sheet,
    open_cluster,
    open_images,
    select_images,
    sort_clusters,
)


@pytest.fixture
def state():
    # Positions:        0    1    2    3    4    5    6
    labels = [0, 1, 1, 1, 2, 2, -1]
    table = pd.DataFrame(
        {"image_id": list("abcdefg"), "cluster": labels, "iteration": [2, 1, 1, 1, 1, 1, -1],
         "silhouette": [0.9, 0.1, 0.3, 0.2, 0.5, None, None]}
    )  # fmt: skip
    notes = {2: ClusterNote("zebras"), 0: ClusterNote("Apes", noise=True)}
    return Browsing(catalogue_clusters(table), notes=notes)


def list_order(state):
    return [cluster for cluster, _ in list_rows(state)]


@pytest.mark.parametrize(
    ("by", "order"),
    [("size", [1, 2, 0]), ("silhouette", [0, 2, 1]), ("iteration", [1, 2, 0]), ("name", [0, 2, 1])],
)
def test_clusters_are_sorted_and_the_unassigned_come_last_however(state, by, order):
    assert list_order(sort_clusters(state, by)) == [*order, -1]


def test_the_most_typical_images_come_first_and_those_without_a_silhouette_last(state):
    assert state.clusters[1].images == (2, 3, 1)
    assert state.clusters[2].images == (4, 5)


@pytest.mark.parametrize(
    ("shown", "clusters"), [("all", [1, 2, 0, -1]), ("open", [1]), ("named", [2]), ("noise", [0])]
)
def test_clusters_are_shown_by_what_was_said_of_them(state, shown, clusters):
    assert list_order(filter_clusters(state, shown=shown)) == clusters


def test_words_leave_the_images_whose_posts_have_them(state):
    found = filter_clusters(state, words="march", matches=[1, 2, 6])
    assert list_rows(found) == [(1, (2, 1)), (-1, (6,))]
    assert list_rows(filter_clusters(found, words=" ")) == list_rows(state)


def test_words_are_sought_without_the_spaces_around_them_and_empty_ones_take_the_filter_away(state):
    filtered = filter_clusters(state, words=" march ", matches=[3])
    assert (filtered.words, filtered.matches) == ("march", frozenset({3}))
    again = filter_clusters(filtered, words=" ", matches=[3])
    assert (again.words, again.matches) == ("", None)
    assert filter_clusters(filtered, shown="noise").words == "march"  # what is left out stays as it was


def test_a_cluster_whose_name_has_the_words_stays_whole(state):
    assert list_rows(filter_clusters(state, words="ZEBRA", matches=[])) == [(2, (4, 5))]


def test_an_opened_cluster_is_filtered_as_its_row_is_but_other_images_are_not(state):
    found = filter_clusters(open_cluster(state, 1), words="march", matches=[1])
    assert list_sheet(found) == (1,)
    assert list_sheet(open_images(found, [6, 0], title="Like this")) == (6, 0)


def test_going_back_leads_through_the_sheets_and_ends_at_the_rows(state):
    deep = open_cluster(open_images(open_cluster(state, 1), [4], title="Like this"), 2)
    titles = []
    while deep.sheets:
        titles.append(deep.sheets[-1].title)
        deep = go_back(deep)
    assert titles == ["Cluster 2", "Like this", "Cluster 1"]
    assert list_sheet(go_back(deep)) == ()


def test_a_selection_keeps_its_order_and_each_image_once(state):
    chosen = select_images(select_images(state, [5, 1], on=True), [1, 0], on=True)
    assert chosen.selected == (5, 1, 0)
    assert select_images(chosen, [1, 6], on=False).selected == (5, 0)
    assert state.selected == ()


def test_what_does_not_exist_is_refused(state):
    with pytest.raises(ValueError, match="size, silhouette, iteration, name"):
        sort_clusters(state, "colour")
    with pytest.raises(ValueError, match="all, open, named, noise"):
        filter_clusters(state, shown="some")
    with pytest.raises(ValueError, match="one of the 4 clusters"):
        open_cluster(state, 9)
    with pytest.raises(ValueError, match="at least one image"):
        catalogue_clusters(pd.DataFrame({"image_id": [], "cluster": [], "iteration": [], "silhouette": []}))
