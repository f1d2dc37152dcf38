import json

import numpy as np
import pandas as pd
import pytest
import vl_convert
from PIL import Image
from rating_surveys import make_survey

import visclust as vc
from visclust.ratings.plots import _SIMULATED_NOTE, _place_apart


def render(chart):
    """A chart that Vega-Lite cannot compile raises here; no picture is fetched."""
    return vl_convert.vegalite_to_svg(chart.to_dict(), vl_version="5.20", allowed_base_urls=[])


@pytest.fixture(scope="module")
def survey():
    sample, assignment = make_survey(people=24)
    return sample, assignment, vc.simulate_ratings(assignment, seed=1)


@pytest.fixture(scope="module")
def heatmap(survey):
    sample, _, simulated = survey
    labels = np.repeat(np.arange(12), np.arange(12, 0, -1))
    clusters = pd.DataFrame(
        {
            "image_id": [f"i{number}" for number in range(len(labels))],
            "cluster": labels,
            "iteration": 1,
            "silhouette": 0.1,
        }
    )
    return vc.tabulate_emotion_heatmap(
        vc.summarize_emotions(simulated.ratings, sample), clusters, chosen=[2, 5]
    )


def test_figure_9_names_emotions_dimensions_lines_and_chosen_clusters(heatmap):
    drawn = render(vc.plot_emotion_heatmap(heatmap.cells, lines=heatmap.lines, chosen=heatmap.chosen))
    for word in ("hopeful", "afraid", "enthusiasm", "anxiety", "50%", "90%", ">A<", ">B<"):
        assert word in drawn


def test_figure_9_holds_every_cluster_and_emotion(heatmap):
    spec = vc.plot_emotion_heatmap(heatmap.cells, lines=heatmap.lines).to_dict()
    rows = [rows for rows in spec["datasets"].values() if rows and "item" in rows[0]]
    assert sum(map(len, rows)) == 12 * 10


def test_figure_9_holds_the_pictures_of_the_chosen_clusters_itself(heatmap, tmp_path):
    path = tmp_path / "red.png"
    Image.new("RGB", (8, 4), "red").save(path)
    images = pd.DataFrame({"image_id": ["x", "y"], "path": [str(path), str(tmp_path / "gone.png")],
                           "status": "ok", "reason": "", "width": 8, "height": 4})  # fmt: skip
    clusters = pd.DataFrame({"image_id": ["x", "y"], "cluster": [2, 5], "silhouette": 0.1})
    chosen = pd.DataFrame(heatmap.chosen.to_dict("list"))  # without its record, which knows other clusters
    thumbnails = vc.encode_cluster_thumbnails(chosen, clusters, images)
    assert thumbnails["image_id"].tolist() == ["x"]  # the unreadable one is passed over
    chart = vc.plot_emotion_heatmap(
        heatmap.cells, lines=heatmap.lines, chosen=heatmap.chosen, thumbnails=thumbnails
    )
    assert "data:image/jpeg;base64," in render(chart)


def test_figure_10_names_both_groups_and_the_weighting(survey):
    means = vc.compare_groups(survey[2].ratings, survey[0], n_bootstrap=10).means
    drawn = render(vc.plot_group_means(means, weighting="corpus"))
    for word in ("Democrat", "Republican", "Weighted to the corpus", "hateful", "aversion"):
        assert word in drawn


def test_figure_10_refuses_a_weighting_that_is_not_there(survey):
    means = vc.compare_groups(survey[2].ratings, survey[0], weightings=["images"], n_bootstrap=5).means
    with pytest.raises(ValueError, match="weightings images, got 'corpus'"):
        vc.plot_group_means(means, weighting="corpus")


def test_differences_by_cluster_are_drawn_one_panel_per_item(survey):
    chart = vc.plot_cluster_contrasts(
        vc.contrast_clusters(survey[2].ratings, survey[0]), items=["proud", "anxiety"]
    )
    assert len(chart.vconcat) == 2
    assert "Democrat minus Republican; lines: 95% intervals" in render(chart)


def test_the_panels_of_differences_have_one_order_which_the_table_says(survey):
    contrasts = vc.contrast_clusters(survey[2].ratings, survey[0])
    assert contrasts.groupby("cluster")["rank"].nunique().eq(1).all()
    means = contrasts[contrasts["level"].eq("dimension")].groupby("cluster")["shrunk"].mean()
    order = means.sort_values(ascending=False).index.tolist()
    assert contrasts.drop_duplicates("cluster").sort_values("rank")["cluster"].tolist() == order
    chart = vc.plot_cluster_contrasts(contrasts, items=["anxiety", "proud"]).to_dict()
    for panel in chart["vconcat"]:
        rows = chart["datasets"][panel["layer"][0]["data"]["name"]] if "data" in panel["layer"][0] else None
        rows = rows or chart["datasets"][panel["data"]["name"]]
        assert {row["cluster"]: row["rank"] for row in rows} == {c: n for n, c in enumerate(order, start=1)}


def test_labels_that_would_touch_stand_above_each_other():
    places = _place_apart(pd.Series([1, 2, 9, 10]), 3)
    assert places == [0, 1, 0, 1]
    assert _place_apart(pd.Series([1, 20, 40]), 3) == [0, 0, 0]


def test_every_figure_says_that_ratings_were_simulated_and_only_then(survey, heatmap):
    sample, _, simulated = survey
    proud = simulated.ratings[
        simulated.ratings["item"].eq("proud")
    ]  # one item: three analyses in little time
    for real in (False, True):
        ratings = proud.assign(simulated=not real)
        means = vc.compare_groups(ratings, sample, dimensions={}, n_bootstrap=5).means
        contrasts = vc.contrast_clusters(ratings, sample, dimensions={})
        charts = [
            vc.plot_emotion_heatmap(heatmap.cells.assign(simulated=not real), lines=heatmap.lines),
            vc.plot_group_means(means),
            vc.plot_cluster_contrasts(contrasts, items=["proud"]),
        ]
        assert [_SIMULATED_NOTE in json.dumps(chart.to_dict()) for chart in charts] == [not real] * 3


def test_a_table_that_does_not_say_so_is_not_drawn(heatmap):
    with pytest.raises(ValueError, match="column simulated"):
        vc.plot_emotion_heatmap(heatmap.cells.drop(columns="simulated"), lines=heatmap.lines)


def test_figure_10_takes_the_study_s_colours_in_their_order_and_has_some_for_other_groups(survey):
    means = vc.compare_groups(survey[2].ratings, survey[0], n_bootstrap=5).means
    means["group"] = means["group"].map({"Democrat": "men", "Republican": "women"})
    scale = vc.plot_group_means(means, colours={"women": "#123456", "men": ""}).to_dict()
    drawn = json.dumps(scale)
    assert '"domain": ["women", "men"]' in drawn
    assert '"range": ["#123456", "#0072b2"]' in drawn


def test_the_former_name_warns(survey):
    means = vc.compare_groups(survey[2].ratings, survey[0], n_bootstrap=5).means
    with pytest.warns(DeprecationWarning, match="plot_group_means"):
        vc.plot_party_means(means)
