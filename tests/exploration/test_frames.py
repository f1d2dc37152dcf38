import pandas as pd
import pytest

import visclust as vc

FRAMES = pd.DataFrame({"cluster": [1, 0, 0], "frame": ["family", "protest", "family"]})


POSTS = pd.DataFrame(
    {"post_id": list("pqrstu"), "author": ["ann", "ann", "bob", "bob", "cy", None], "followers": range(6)}
)


LINKS = pd.DataFrame(
    {
        "post_id": ["p", "p", "q", "r", "s", "u", "gone"],
        "image_id": ["0", "2", "1", "3", "2", "0", "0"],
    }
)


def test_a_post_has_the_frames_of_all_its_clusters(make_clusters):
    # Image 0: cluster 0, protest and family; 1: cluster 1, family; 2: cluster 2, no frame; 3: unassigned.
    posts = vc.label_posts(make_clusters([0, 1, 2, -1]), FRAMES, POSTS, links=LINKS).posts.set_index(
        "post_id"
    )
    assert list(posts.columns) == ["author", "family", "protest"]
    assert posts.loc["p", ["family", "protest"]].tolist() == [True, True]
    assert posts.loc["q", ["family", "protest"]].tolist() == [True, False]


def test_a_post_that_shows_only_a_cluster_without_frames_uses_none(make_clusters):
    posts = vc.label_posts(make_clusters([0, 1, 2, -1]), FRAMES, POSTS, links=LINKS).posts.set_index(
        "post_id"
    )
    assert posts.loc["s", ["family", "protest"]].tolist() == [False, False]


def test_a_post_without_an_image_in_a_cluster_is_left_out_and_counted(make_clusters):
    labelled = vc.label_posts(make_clusters([0, 1, 2, -1]), FRAMES, POSTS, links=LINKS)
    assert labelled.posts["post_id"].tolist() == ["p", "q", "s", "u"]
    assert labelled.counts["posts"].tolist() == [6, 5, 4, 3]
    assert labelled.counts["authors"].tolist() == [3, 2, 2, 1]


def test_a_post_that_shows_only_noise_is_left_out(make_clusters):
    labelled = vc.label_posts(make_clusters([0, 1, 2, -1]), FRAMES, POSTS, links=LINKS, noise=[2])
    assert labelled.posts["post_id"].tolist() == ["p", "q", "u"]


def test_users_are_counted_over_their_labelled_posts(make_clusters):
    labelled = vc.label_posts(make_clusters([0, 1, 2, -1]), FRAMES, POSTS, links=LINKS, keep=["followers"])
    assert labelled.posts["followers"].tolist() == [0, 1, 3, 5]
    assert labelled.users.to_dict("list") == {
        "author": ["ann", "ann", "bob", "bob"],
        "frame": ["family", "protest", "family", "protest"],
        "posts": [2, 2, 1, 1],
        "uses": [2, 1, 0, 0],
        "share": [1.0, 0.5, 0.0, 0.0],
        "used": [True, True, False, False],
    }


@pytest.mark.parametrize(
    ("frames", "options", "message"),
    [
        ({"cluster": [9], "frame": ["x"]}, {}, "cluster 9, which is not in the clusters table"),
        ({"cluster": [-1], "frame": ["x"]}, {}, "cluster -1"),
        ({"cluster": [0], "frame": ["x"]}, {"noise": [0]}, "Cluster 0 has a frame and is called noise"),
        ({"cluster": [0], "frame": ["x"]}, {"noise": [9]}, "noise names cluster 9"),
        ({"cluster": [0], "frame": ["author"]}, {}, "'author' is a frame and a column too"),
        ({"cluster": [0], "frame": ["x"]}, {"keep": ["age"]}, "keep=, got age"),
    ],
)
def test_frames_that_do_not_fit_are_refused(frames, options, message, make_clusters):
    with pytest.raises(ValueError, match=message):
        vc.label_posts(make_clusters([0, 1, -1]), pd.DataFrame(frames), POSTS, links=LINKS, **options)


def test_without_frames_posts_are_labelled_with_none(make_clusters):
    labelled = vc.label_posts(make_clusters([0, 1, 2, -1]), FRAMES.head(0), POSTS, links=LINKS)
    assert list(labelled.posts.columns) == ["post_id", "author"]
    assert labelled.users.empty


def test_frames_that_were_given_to_other_clusters_are_refused(make_clusters, tmp_path):
    clusters, others = make_clusters([0, 1, 2, -1]), make_clusters([1, 0, 2, -1])
    path = vc.save_table(FRAMES, tmp_path / "frames.parquet", "frames", made_from=[clusters])
    frames = vc.read_table(path, "frames")
    assert len(vc.label_posts(clusters, frames, POSTS, links=LINKS).posts)
    with pytest.raises(ValueError, match="the clusters that the frames were made from, got another"):
        vc.label_posts(others, frames, POSTS, links=LINKS)


def test_posts_labelled_by_simulated_frames_are_marked():
    clusters = pd.DataFrame({"image_id": ["a"], "cluster": [0], "iteration": 1, "silhouette": 0.1})
    frames = pd.DataFrame({"cluster": [0], "frame": ["calm"], "simulated": [True]})
    posts = pd.DataFrame({"post_id": ["p"], "author": ["ann"]})
    links = pd.DataFrame({"post_id": ["p"], "image_id": ["a"]})
    labelled = vc.label_posts(clusters, frames, posts, links=links)
    assert all(table["simulated"].all() for table in labelled)
    assert not any(
        "simulated" in table for table in vc.label_posts(clusters, frames.iloc[:, :2], posts, links=links)
    )
