import pandas as pd
import pytest
from rating_surveys import make_survey

import visclust as vc


@pytest.fixture(scope="module")
def survey():
    sample, assignment = make_survey(n_clusters=12, images=3, people=36)
    return sample, vc.simulate_ratings(assignment, seed=2).ratings


def test_a_cluster_s_summary_is_the_mean_of_its_images(survey):
    sample, ratings = survey
    one = ratings[ratings["item"].eq("afraid")].merge(sample[["image_id", "cluster"]])
    expected = one.groupby(["cluster", "image_id"])["rating"].mean().groupby("cluster").mean()
    found = vc.summarize_emotions(ratings, sample)
    found = found[found["item"].eq("afraid")].set_index("cluster")
    assert found["estimate"].to_dict() == pytest.approx(expected.to_dict())
    assert (found["low"] < found["estimate"]).all()


def test_a_summary_by_image_counts_the_ratings_of_each(survey):
    found = vc.summarize_emotions(survey[1], survey[0], by="image")
    counts = survey[1][survey[1]["item"].eq("proud")].groupby("image_id").size()
    assert found[found["item"].eq("proud")].set_index("image_id")["ratings"].to_dict() == counts.to_dict()


def make_summary(n_clusters):
    return pd.DataFrame(
        {
            "level": "emotion", "dimension": "enthusiasm", "item": "proud", "cluster": range(n_clusters),
            "estimate": 2.0, "low": 1.0, "high": 3.0, "images": 1, "ratings": 4, "simulated": True,
        }
    )  # fmt: skip


def test_lines_stand_where_the_largest_clusters_reach_the_shares(make_clusters):
    clusters = make_clusters([0] * 50 + [1] * 25 + [2] * 15 + [3] * 10)
    table = vc.tabulate_emotion_heatmap(make_summary(4), clusters)
    assert table.lines["rank"].tolist() == [1, 2, 3]


def test_clusters_go_by_posts_where_links_are_given(make_clusters):
    clusters = make_clusters([0, 0, 1])
    links = pd.DataFrame({"post_id": list("pqrs"), "image_id": ["2", "2", "2", "0"]})
    table = vc.tabulate_emotion_heatmap(make_summary(2), clusters, links=links, chosen=[0])
    assert table.cells[["cluster", "size"]].to_numpy().tolist() == [[1, 3], [0, 1]]
    assert set(table.lines["size_is"]) == {"posts"}
    assert table.chosen.iloc[0].to_dict() == {"cluster": 0, "letter": "A", "size": 1, "rank": 2}


def test_a_cluster_that_was_not_rated_cannot_be_chosen(make_clusters):
    with pytest.raises(ValueError, match="Cluster 9 was chosen but not rated"):
        vc.tabulate_emotion_heatmap(make_summary(1), make_clusters([0]), chosen=[9])
