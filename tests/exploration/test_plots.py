import pytest
from post_tables import make_links, make_posts, simulate_frame_use

import visclust as vc


def test_words_are_drawn_as_a_panel_per_cluster(make_clusters, tmp_path):
    posts = make_posts(["march <b>"] * 30 + ["river"] * 30)
    links = make_links(["0"] * 30 + ["1"] * 30)
    words = vc.list_overrepresented_words(make_clusters([0, 1]), posts, links=links)
    chart = vc.plot_words(words, clusters=[1, 0, 7], names={1: "Rivers"})
    titles = [panel["title"]["text"] for panel in chart.to_dict()["concat"]]
    assert titles == ["Cluster 1: Rivers", "Cluster 0"]
    chart.save(tmp_path / "words.png")
    with pytest.raises(ValueError, match="got none"):
        vc.plot_words(words, clusters=[7])


def test_effects_are_drawn_with_intervals_and_the_untested_named(tmp_path):
    posts, ideology = simulate_frame_use(100)
    found = vc.model_frame_use(posts.assign(never=False), ideology)
    for measure in ("effect", "odds_ratio"):
        chart = vc.plot_frame_effects(found.effects, measure=measure)
        assert chart.to_dict()["title"]["subtitle"][-1] == "Not tested: never"
        chart.save(tmp_path / f"{measure}.png")
    rows = [row for data in chart.to_dict()["datasets"].values() for row in data if "frame" in row]
    assert [row["frame"] for row in rows] == ["frame a"]
    curves = vc.plot_frame_use(found.curves)
    curves.save(tmp_path / "curves.png")
    with pytest.raises(ValueError, match="'size'"):
        vc.plot_frame_effects(found.effects, measure="size")
    with pytest.raises(ValueError, match="that was tested, got none"):
        vc.plot_frame_effects(found.effects.tail(1))
    with pytest.raises(ValueError, match="no frame was tested"):
        vc.plot_frame_use(found.curves.head(0))
