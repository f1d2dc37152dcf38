import numpy as np
import pandas as pd
import pytest
from post_tables import make_links, make_posts

import visclust as vc
from visclust.exploration.descriptions import ClusterDescriptions


def test_the_medoid_is_the_image_nearest_to_the_others_on_average(xp, blobs, make_clusters):
    x, groups = blobs([30, 1, 17], spread=1.0)
    labels = np.where(np.arange(len(groups)) % 5 == 0, -1, groups)
    labels[30] = 1  # the only image of its cluster
    found = vc.list_typical_images(make_clusters(labels), xp(x), n_images=4)
    wide = vc.to_host(x).astype("float64")
    for cluster in (0, 2):
        members = np.flatnonzero(labels == cluster)
        distances = np.linalg.norm(wide[members, None] - wide[members], axis=2)
        means = distances.sum(axis=1) / (len(members) - 1)
        part = found[found["cluster"] == cluster]
        assert part["image_id"].tolist() == [str(i) for i in members[np.argsort(means)[:4]]]
        # Distances are float32, whose relative error is about 1e-7; the sums are float64.
        np.testing.assert_allclose(part["mean_distance"], np.sort(means)[:4], rtol=1e-5)
    alone = found[found["cluster"] == 1]
    assert alone["image_id"].tolist() == ["30"]
    assert alone["mean_distance"].isna().all()


def test_of_equally_typical_images_the_earlier_row_comes_first(make_clusters):
    found = vc.list_typical_images(make_clusters([0, 0]), np.array([[0.0], [1.0]]))
    assert found["image_id"].tolist() == ["0", "1"]


def test_a_clustering_without_clusters_has_no_typical_images(make_clusters):
    assert vc.list_typical_images(make_clusters([-1, -1]), np.eye(2)).empty


def test_an_embedding_of_other_images_is_refused(make_clusters):
    with pytest.raises(ValueError, match="take the embedding that was clustered"):
        vc.list_typical_images(make_clusters([0, 0]), np.eye(3))


def test_a_cluster_is_described_by_images_posts_days_and_authors(make_clusters):
    posts = make_posts(
        ["x"] * 4,
        ["ann", "ann", "ann", "bob"],
        ["2018-07-02 23:59", "2018-06-30 00:00", "2018-07-01 12:00", "2018-07-01 12:00"],
    )
    links = pd.DataFrame(
        {"post_id": ["p0", "p0", "p1", "p2", "p3", "elsewhere"], "image_id": ["0", "1", "0", "0", "1", "0"]}
    )
    x = np.array([[0.0], [1.0], [9.0], [5.0]])
    found = vc.describe_clusters(make_clusters([0, 0, 1, -1]), x, posts=posts, links=links)
    assert found.clusters["cluster"].tolist() == [0, 1]
    row = found.clusters.iloc[0]
    assert row[["images", "posts", "uses", "authors"]].tolist() == [2, 4, 5, 2]
    assert row["effective_authors"] == pytest.approx(1 / (0.75**2 + 0.25**2))  # float64 rounding
    assert (row["top_author"], row["top_author_share"]) == ("ann", 0.75)
    assert [str(row[day].date()) for day in ("first_day", "last_day")] == ["2018-06-30", "2018-07-02"]
    assert row["medoid"] == "0"


def test_a_cluster_without_posts_has_a_row_with_gaps(make_clusters):
    found = vc.describe_clusters(
        make_clusters([0, 0, 1]), np.eye(3), posts=make_posts(["x"]), links=make_links(["0"])
    )
    row = found.clusters.set_index("cluster").loc[1]
    assert row[["posts", "uses", "authors", "words"]].tolist() == [0, 0, 0, ""]
    assert pd.isna(row["first_day"])
    assert pd.isna(row["top_author_share"])
    ranked = vc.rank_clusters(found.clusters, by="effective_authors")
    assert ranked["Cluster"].tolist() == [0, 1]
    assert ranked["Days"].tolist() == ["2018-06-30", ""]


def test_clusters_are_ranked_by_an_unknown_column_only_with_an_error():
    with pytest.raises(ValueError, match="got 'beauty'"):
        vc.rank_clusters(pd.DataFrame({"cluster": [0], "first_day": None, "last_day": None}), by="beauty")
    with pytest.raises(TypeError, match="ClusterDescriptions: give one of its tables, clusters"):
        vc.rank_clusters(ClusterDescriptions(*[pd.DataFrame()] * 3))


def test_shares_of_authors_are_of_the_posts_whose_author_is_known(make_clusters):
    posts = make_posts(["march"] * 4, authors=["ann", "ann", "bob", None])
    found = vc.describe_clusters(
        make_clusters([0]), np.ones((1, 2)), posts=posts, links=make_links(["0"] * 4)
    )
    row = found.clusters.iloc[0]
    assert (row["posts"], row["authors"]) == (4, 2)
    assert row["top_author_share"] == pytest.approx(2 / 3)
