"""The cluster browser as a state machine: sorting, filtering, opening, selecting."""

from dataclasses import replace

import pandas as pd
import pytest

from visclust.exploration.notes import ClusterNote
from visclust.widgets.browsing import (
    Browsing,
    catalogue_clusters,
    describe_cluster,
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


def find(images, within=()):
    """Stand in for posts: these images have the words, and the author and days as well as `within`."""
    return lambda words, **where: images if words else within


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
    found = filter_clusters(state, words="march", find=find([1, 2, 6]))
    assert list_rows(found) == [(1, (2, 1)), (-1, (6,))]
    assert list_rows(filter_clusters(found, words=" ")) == list_rows(state)


def test_words_are_sought_without_the_spaces_around_them_and_empty_ones_take_the_filter_away(state):
    filtered = filter_clusters(state, words=" march ", find=find([3]))
    assert (filtered.words, filtered.matches) == ("march", frozenset({3}))
    again = filter_clusters(filtered, words=" ", find=find([3]))
    assert (again.words, again.matches) == ("", None)
    assert filter_clusters(filtered, shown="noise").words == "march"  # what is left out stays as it was


def test_a_cluster_whose_name_has_the_words_stays_whole(state):
    assert list_rows(filter_clusters(state, words="ZEBRA", find=find([]))) == [(2, (4, 5))]


@pytest.mark.parametrize("words", ["cluster 2", "Cluster 2", "2", "#2", "cluster #2"])
def test_a_cluster_is_found_by_its_number_whatever_its_name(state, words):
    assert list_rows(filter_clusters(state, words=words, find=find([]))) == [(2, (4, 5))]


def test_the_number_of_a_cluster_is_not_part_of_another():
    clusters = pd.DataFrame({"image_id": list("abcd"), "cluster": [3, 31, 310, -1]})
    state = Browsing(catalogue_clusters(clusters))
    assert list_order(filter_clusters(state, words="cluster 31")) == [31]
    assert list_order(filter_clusters(state, words="unassigned")) == [-1]


def test_numbers_in_posts_are_found_beside_the_cluster_of_that_number(state):
    assert list_rows(filter_clusters(state, words="2", find=find([1]))) == [(1, (1,)), (2, (4, 5))]


def test_an_author_and_days_leave_the_images_that_they_posted_in_a_cluster_found_by_name_too(state):
    found = filter_clusters(state, author=" ana ", since="2018-06-30", find=find([], within=[1, 4]))
    assert (found.author, found.since, found.until) == ("ana", "2018-06-30", "")
    assert list_rows(found) == [(1, (1,)), (2, (4,))]
    assert list_rows(filter_clusters(found, words="zebras", find=find([], within=[1, 4]))) == [(2, (4,))]
    assert list_rows(filter_clusters(found, author="", since="")) == list_rows(state)


def test_what_posts_are_asked_for_is_asked_together(state):
    asked = []
    filtered = filter_clusters(state, words="march", author="ana")
    filter_clusters(
        filtered, until="2018-07-01", find=lambda words, **where: asked.append((words, where)) or ()
    )
    where = {"author": "ana", "since": "", "until": "2018-07-01"}
    assert asked == [("", where), ("march", where)]


def test_clusters_are_filtered_by_frame(state):
    framed = replace(state, notes={1: ClusterNote(frames=("family", "law")), 2: ClusterNote(frames=("law",))})
    assert list_order(filter_clusters(framed, frame="law")) == [1, 2]
    assert list_order(filter_clusters(framed, frame="family")) == [1]
    assert list_order(filter_clusters(framed, frame="")) == [1, 2, 0, -1]


def test_clusters_are_sorted_by_their_posts():
    clusters = pd.DataFrame({"image_id": list("abcd"), "cluster": [0, 0, 1, -1]})
    counted = catalogue_clusters(clusters, lambda numbers: {1: 7, 0: 2, -1: 9})
    assert list_order(sort_clusters(Browsing(counted), "posts")) == [1, 0, -1]
    assert describe_cluster(Browsing(counted), 1, None)["posts"] == 7


def test_clusters_of_another_tool_have_no_iteration_and_stand_behind_those_that_have():
    state = Browsing(catalogue_clusters(pd.DataFrame({"image_id": list("ab"), "cluster": [0, 1]})))
    assert list_order(sort_clusters(state, "iteration")) == [0, 1]
    described = describe_cluster(state, 0, None)
    assert (described["iteration"], described["silhouette"]) == (None, None)


def test_an_opened_cluster_is_filtered_as_its_row_is_but_other_images_are_not(state):
    found = filter_clusters(open_cluster(state, 1), words="march", find=find([1]))
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
    with pytest.raises(ValueError, match="size, posts, silhouette, iteration, name"):
        sort_clusters(state, "colour")
    with pytest.raises(ValueError, match="all, open, named, noise"):
        filter_clusters(state, shown="some")
    with pytest.raises(ValueError, match=r"a day such as 2018-06-30, got '30\.6\.2018'"):
        filter_clusters(state, since="30.6.2018")
    with pytest.raises(ValueError, match="one of the 4 clusters"):
        open_cluster(state, 9)
    with pytest.raises(ValueError, match="at least one image"):
        catalogue_clusters(pd.DataFrame({"image_id": [], "cluster": [], "iteration": [], "silhouette": []}))
