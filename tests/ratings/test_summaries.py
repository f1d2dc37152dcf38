import numpy as np
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


def test_a_summary_takes_respondents_by_their_weights(survey):
    sample, ratings = survey
    one = ratings[ratings["item"].eq("afraid")].merge(sample[["image_id", "cluster"]])
    weights = pd.Series(np.linspace(0.5, 3, one["respondent"].nunique()), sorted(one["respondent"].unique()))
    table = weights.rename("weight").rename_axis("respondent").reset_index()
    found = vc.summarize_emotions(ratings, sample, respondent_weights=table)
    found = found[found["item"].eq("afraid")].set_index("cluster")["estimate"]
    one["share"] = one["respondent"].map(weights) / one.groupby("image_id")["rating"].transform("size")
    sums = one.assign(said=one["share"] * one["rating"]).groupby("cluster")[["said", "share"]].sum()
    assert found.to_dict() == pytest.approx((sums["said"] / sums["share"]).to_dict())
    by_image = vc.summarize_emotions(ratings, sample, by="image", respondent_weights=table)
    by_image = by_image[by_image["item"].eq("afraid")].set_index("image_id")["estimate"]
    sums = one.assign(said=one["share"] * one["rating"]).groupby("image_id")[["said", "share"]].sum()
    assert by_image.to_dict() == pytest.approx((sums["said"] / sums["share"]).to_dict())


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


def test_figure_9_is_not_drawn_from_clusters_that_the_ratings_know_nothing_of(make_clusters):
    clusters = make_clusters([0] * 6 + [1] * 5 + [2] * 4)
    anew = make_clusters([0] * 4 + [1] * 5 + [2] * 6)
    sample = vc.draw_stratified_sample(clusters, max_per_cluster=2)
    people = pd.DataFrame({"respondent": list("abcdef"), "group": ["Democrat", "Republican"] * 3})
    assignment = vc.assign_respondents(sample, people, per_respondent=3)
    ratings = vc.simulate_ratings(assignment).ratings
    summary = vc.summarize_emotions(ratings, sample)
    chosen = vc.tabulate_emotion_heatmap(summary, clusters, chosen=[1]).chosen
    with pytest.raises(ValueError, match="the clusters that the summary was made from, got another"):
        vc.tabulate_emotion_heatmap(summary, anew)
    with pytest.raises(ValueError, match="the clusters that the choice was made from"):
        vc.encode_cluster_thumbnails(chosen, anew, pd.DataFrame())
    others = vc.draw_stratified_sample(anew, max_per_cluster=2)
    for call in (vc.summarize_emotions, vc.compare_groups, vc.contrast_clusters):
        with pytest.raises(ValueError, match=r"that the ratings were made from, got another"):
            call(ratings, others)
    with pytest.raises(ValueError, match="the sample that the assignment was made from"):
        vc.measure_coverage(assignment, others)


def test_ratings_without_some_respondents_still_belong_to_their_sample(survey):
    sample, ratings = survey
    some = ratings[ratings["respondent"].ne(ratings["respondent"].iloc[0])]
    assert len(vc.summarize_emotions(some, sample))
