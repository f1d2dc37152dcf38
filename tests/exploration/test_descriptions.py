import numpy as np
import pandas as pd
import pytest

from visclust.base.backend import to_host
from visclust.exploration.descriptions import (
    ClusterDescriptions,
    describe_clusters,
    list_typical_images,
    rank_clusters,
)
from visclust.exploration.plots import plot_words
from visclust.exploration.words import list_overrepresented_words, split_words, weigh_log_odds


def make_posts(texts, authors=None, days=None):
    number = len(texts)
    return pd.DataFrame(
        {
            "post_id": [f"p{i}" for i in range(number)],
            "author": authors or [f"author {i}" for i in range(number)],
            "posted_at": pd.to_datetime(days or ["2018-06-30"] * number, utc=True),
            "text": texts,
        }
    )


def make_links(image_ids):
    return pd.DataFrame({"post_id": [f"p{i}" for i in range(len(image_ids))], "image_id": image_ids})


def test_the_medoid_is_the_image_nearest_to_the_others_on_average(xp, blobs, make_clusters):
    x, groups = blobs([30, 1, 17], spread=1.0)
    labels = np.where(np.arange(len(groups)) % 5 == 0, -1, groups)
    labels[30] = 1  # the only image of its cluster
    found = list_typical_images(make_clusters(labels), xp(x), n_images=4)
    wide = to_host(x).astype("float64")
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
    found = list_typical_images(make_clusters([0, 0]), np.array([[0.0], [1.0]]))
    assert found["image_id"].tolist() == ["0", "1"]


def test_a_clustering_without_clusters_has_no_typical_images(make_clusters):
    assert list_typical_images(make_clusters([-1, -1]), np.eye(2)).empty


def test_an_embedding_of_other_images_is_refused(make_clusters):
    with pytest.raises(ValueError, match="take the embedding that was clustered"):
        list_typical_images(make_clusters([0, 0]), np.eye(3))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Families BELONG together!", ["families", "belong", "together"]),
        ("#KeepFamiliesTogether, keep!", ["#keepfamiliestogether", "keep"]),
        ("see https://t.co/AbC1 www.x.org/a?b=c t.co/xyz now", ["see", "now"]),
        ("RT @who_1: hello @you mail me@home.org", ["hello", "mail"]),
        ("Q&amp;A &lt;b&gt;bold&lt;/b&gt;", ["bold"]),
        ("don’t don't well-known", ["don't", "don't", "well-known"]),
        ("ÑANDÚ naïve Straße", ["ñandú", "naïve", "straße"]),
        ("हिन्दी #हिन्दी", ["हिन्दी", "#हिन्दी"]),
        ("ｆｕｌｌ", ["full"]),
        ("_emphasis_ ___ #1 a 😀☀️ 2018", ["emphasis", "2018"]),
    ],
)
def test_a_text_is_split_into_words_and_hashtags(text, words):
    assert split_words(text) == words


def test_log_odds_are_those_computed_by_hand():
    found = weigh_log_odds([8, 0], [2, 5], total=40, total_elsewhere=60, prior=[1, 0.5], prior_total=10)
    # (8 + 1) / (40 + 10 - 9) = 9 / 41 against (2 + 1) / (60 + 10 - 3) = 3 / 67; variance 1/9 + 1/3.
    # (0 + 0.5) / (50 - 0.5) = 0.5 / 49.5 against 5.5 / 64.5; variance 2 + 1/5.5.
    by_hand = np.array([np.log(9 / 41) - np.log(3 / 67), np.log(0.5 / 49.5) - np.log(5.5 / 64.5)])
    # The same arithmetic in float64: only rounding differs.
    np.testing.assert_allclose(found.log_odds, by_hand, rtol=1e-12)
    np.testing.assert_allclose(found.z, by_hand / np.sqrt([1 / 9 + 1 / 3, 2 + 1 / 5.5]), rtol=1e-12)


def test_a_prior_of_zero_is_refused():
    with pytest.raises(ValueError, match="prior above 0"):
        weigh_log_odds([1], [1], total=2, total_elsewhere=2, prior=[0], prior_total=1)


def test_words_of_a_cluster_are_counted_against_all_other_posts_with_images(make_clusters):
    # Cluster 0 is image "0", cluster 1 is "1", image "2" is unassigned; the last post has no image.
    posts = make_posts(["wall wall", "wall child", "child", "child", "other", "wall"])
    links = make_links(["0", "0", "1", "1", "2"])
    found = list_overrepresented_words(
        make_clusters([0, 1, -1]), posts, links=links, min_uses=1, min_z=-9
    ).set_index(["cluster", "word"])
    assert found.loc[(0, "wall"), ["uses", "uses_elsewhere"]].tolist() == [2, 0]
    assert found.loc[(0, "child"), ["uses", "uses_elsewhere"]].tolist() == [1, 2]
    assert found.loc[(1, "child"), "share_elsewhere"] == 1 / 3
    # By hand: 6 uses in all, 2 of them "wall", so its prior is 2; 3 uses in cluster 0 and 3 elsewhere.
    z = (np.log(4 / 5) - np.log(2 / 7)) / np.sqrt(1 / 4 + 1 / 2)
    assert found.loc[(0, "wall"), "z"] == pytest.approx(z, rel=1e-12)  # rounding only


def test_a_post_with_two_images_of_a_cluster_counts_once(make_clusters):
    posts = make_posts(["wall", "child"])
    links = pd.DataFrame({"post_id": ["p0", "p0", "p1"], "image_id": ["0", "1", "2"]})
    found = list_overrepresented_words(
        make_clusters([0, 0, 1]), posts, links=links, min_uses=1, min_z=-9
    ).set_index(["cluster", "word"])
    assert found.loc[(0, "wall"), "uses"] == 1


def test_counted_by_authors_one_loud_account_does_not_name_a_cluster(make_clusters):
    loud = make_posts(
        ["buy now"] * 30 + ["march"] * 10 + ["march buy", "river"] + ["river"] * 30,
        ["loud"] * 30 + [f"a{i}" for i in range(10)] + ["loud", "loud"] + [f"b{i}" for i in range(30)],
    )
    links = make_links(["0"] * 40 + ["1"] * 32)
    clusters = make_clusters([0, 1])
    options = {"links": links, "min_uses": 1, "min_z": -9}
    by_posts = list_overrepresented_words(clusters, loud, **options)
    assert by_posts.loc[by_posts["cluster"] == 0, "word"].iloc[0] in ("buy", "now")
    by_authors = list_overrepresented_words(clusters, loud, count_by="authors", **options)
    assert by_authors.loc[by_authors["cluster"] == 0, "word"].iloc[0] == "march"
    counts = by_authors.set_index(["cluster", "word"])
    assert counts.loc[(0, "buy"), ["uses", "uses_elsewhere"]].tolist() == [1, 1]  # the loud one, in both
    assert counts.loc[(0, "now"), ["uses", "uses_elsewhere"]].tolist() == [1, 0]
    assert counts.loc[(0, "march"), "share"] == 10 / 11


def draw_posts(n_posts, n_clusters, seed=0):
    """Posts of words drawn by Zipf's law, whatever their cluster, and the cluster of each."""
    rng = np.random.default_rng(seed)
    frequency = 1 / np.arange(1, 3001)
    words = rng.choice(3000, size=(n_posts, 12), p=frequency / frequency.sum())
    return [" ".join(f"word{word}" for word in row) for row in words], rng.integers(n_clusters, size=n_posts)


def test_chance_names_no_cluster(make_clusters):
    texts, cluster = draw_posts(3000, 20)
    options = {"links": make_links(cluster.astype(str))}
    clusters, posts = make_clusters(range(20)), make_posts(texts)
    assert list_overrepresented_words(clusters, posts, **options).empty
    # A prior of few uses does what the docstring warns of.
    assert len(list_overrepresented_words(clusters, posts, prior_size=500, **options)) > 50


def test_a_hashtag_used_in_one_cluster_only_is_found(make_clusters):
    texts, cluster = draw_posts(3000, 20)
    ours = np.flatnonzero(cluster == 7)[:10]
    texts = [text + " #ourmarch" * (place in ours) for place, text in enumerate(texts)]
    found = list_overrepresented_words(
        make_clusters(range(20)), make_posts(texts), links=make_links(cluster.astype(str))
    )
    assert found[["cluster", "word", "uses", "uses_elsewhere"]].to_numpy().tolist() == [
        [7, "#ourmarch", 10, 0]
    ]


def test_stop_words_and_thresholds_leave_words_out(make_clusters):
    posts = make_posts(["march thing"] * 30 + ["river"] * 30)
    links = make_links(["0"] * 30 + ["1"] * 30)
    found = list_overrepresented_words(make_clusters([0, 1]), posts, links=links, stop_words=["thing"])
    assert found["word"].tolist() == ["march", "river"]
    assert list_overrepresented_words(make_clusters([0, 1]), posts, links=links, min_uses=31).empty


@pytest.mark.parametrize("texts", [["", None], ["march", "march"]])
def test_posts_without_two_different_words_give_an_empty_table(texts, make_clusters):
    found = list_overrepresented_words(make_clusters([0, 1]), make_posts(texts), links=make_links(["0", "1"]))
    assert found.empty
    assert "z" in found.columns


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
    found = describe_clusters(make_clusters([0, 0, 1, -1]), x, posts=posts, links=links)
    assert found.clusters["cluster"].tolist() == [0, 1]
    row = found.clusters.iloc[0]
    assert row[["images", "posts", "uses", "authors"]].tolist() == [2, 4, 5, 2]
    assert row["effective_authors"] == pytest.approx(1 / (0.75**2 + 0.25**2))  # float64 rounding
    assert (row["top_author"], row["top_author_share"]) == ("ann", 0.75)
    assert [str(row[day].date()) for day in ("first_day", "last_day")] == ["2018-06-30", "2018-07-02"]
    assert row["medoid"] == "0"


def test_a_cluster_without_posts_has_a_row_with_gaps(make_clusters):
    found = describe_clusters(
        make_clusters([0, 0, 1]), np.eye(3), posts=make_posts(["x"]), links=make_links(["0"])
    )
    row = found.clusters.set_index("cluster").loc[1]
    assert row[["posts", "uses", "authors", "words"]].tolist() == [0, 0, 0, ""]
    assert pd.isna(row["first_day"])
    assert pd.isna(row["top_author_share"])
    ranked = rank_clusters(found.clusters, by="effective_authors")
    assert ranked["Cluster"].tolist() == [0, 1]
    assert ranked["Days"].tolist() == ["2018-06-30", ""]


def test_clusters_are_ranked_by_an_unknown_column_only_with_an_error():
    with pytest.raises(ValueError, match="got 'beauty'"):
        rank_clusters(pd.DataFrame({"cluster": [0]}), by="beauty")
    with pytest.raises(TypeError, match="rank_clusters"):
        rank_clusters(ClusterDescriptions(*[pd.DataFrame()] * 3))


def test_shares_of_authors_are_of_the_posts_whose_author_is_known(make_clusters):
    posts = make_posts(["march"] * 4, authors=["ann", "ann", "bob", None])
    found = describe_clusters(make_clusters([0]), np.ones((1, 2)), posts=posts, links=make_links(["0"] * 4))
    row = found.clusters.iloc[0]
    assert (row["posts"], row["authors"]) == (4, 2)
    assert row["top_author_share"] == pytest.approx(2 / 3)


def test_words_are_drawn_as_a_panel_per_cluster(make_clusters, tmp_path):
    posts = make_posts(["march <b>"] * 30 + ["river"] * 30)
    links = make_links(["0"] * 30 + ["1"] * 30)
    words = list_overrepresented_words(make_clusters([0, 1]), posts, links=links)
    chart = plot_words(words, clusters=[1, 0, 7], names={1: "Rivers"})
    titles = [panel["title"]["text"] for panel in chart.to_dict()["concat"]]
    assert titles == ["Rivers", "Cluster 0"]
    chart.save(tmp_path / "words.png")
    with pytest.raises(ValueError, match="got none"):
        plot_words(words, clusters=[7])
