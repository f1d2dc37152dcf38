import altair as alt
import pytest
import vl_convert

import visclust as vc


@pytest.fixture
def curve(make_clusters):
    return vc.plan_annotation(make_clusters([0] * 60 + [1] * 30 + [2] * 10)).curve


def test_each_panel_marks_where_each_design_reaches_the_goal(curve):
    for panel in vc.plot_annotation_cost(curve).hconcat:
        texts = [layer for layer in panel.layer if layer.mark.type == "text"]
        assert len(texts) == 2
        shown = [step.filter for layer in texts for step in layer.transform]
        assert "datum.reached" in shown
        assert {"datum.design === 'random'", "datum.design === 'stratified'"} <= set(shown)


def test_the_table_is_drawn_as_it_is_and_left_alone(curve):
    before = curve.copy()
    chart = vc.plot_annotation_cost(curve)
    assert curve.equals(before)
    assert isinstance(chart, alt.HConcatChart)
    drawn = next(iter(chart.to_dict()["datasets"].values()))
    assert [row["images"] for row in drawn] == curve["images"].tolist()
    assert {row["name"] for row in drawn} == {"Random sample", "Stratified by cluster"}


def test_the_chart_can_be_printed(curve, tmp_path):
    path = tmp_path / "cost.png"
    vc.plot_annotation_cost(curve).save(path)
    assert path.stat().st_size > 5000  # an empty frame is smaller


def render(clusters):
    """Draw two samples of the clusters as SVG."""
    chart = vc.plot_sample_coverage(vc.compare_samples(clusters, vc.draw_stratified_sample(clusters)))
    return vl_convert.vegalite_to_svg(chart.to_dict(), vl_version="5.20")


def test_the_samples_are_drawn_one_above_the_other(make_clusters):
    clusters = make_clusters([0] * 30 + [1] * 3)
    drawn = render(clusters)
    assert "Stratified by cluster" in drawn
    assert "Simple random sample" in drawn


def test_the_axis_of_many_sampled_clusters_has_no_places_without_a_cluster(make_clusters):
    clusters = make_clusters([i % 300 for i in range(900)])
    drawn = render(clusters)
    assert "\N{MINUS SIGN}" not in drawn  # as on an axis that is rounded out beyond zero
    assert ">320<" not in drawn
