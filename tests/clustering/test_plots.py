import numpy as np
import pytest
import vl_convert

from visclust.clustering.clusters import list_k_curve
from visclust.clustering.iterative import cluster_iteratively
from visclust.clustering.plots import plot_iterations, plot_k_curve
from visclust.sampling.plots import plot_sample_coverage
from visclust.sampling.samples import compare_samples, draw_stratified_sample


@pytest.fixture(scope="module")
def log():
    x = np.random.default_rng(0).normal(size=(80, 4)).astype("float32")
    return cluster_iteratively(x, step_size=2, stop_size=5).log


def render(chart):
    """A chart that Vega-Lite cannot compile raises here."""
    return vl_convert.vegalite_to_svg(chart.to_dict(), vl_version="5.20")


def test_figure_6_draws_the_three_panels_with_named_axes(log):
    drawn = render(plot_iterations(log))
    for title in (
        "Remaining images",
        "Clusters",
        "Images per cohesive cluster, mean",
        "Iteration",
        "Cohesive",
    ):
        assert title in drawn


def test_the_figure_holds_the_numbers_of_the_log(log):
    spec = plot_iterations(log).to_dict()
    (rows,) = spec["datasets"].values()
    assert [row["remaining"] for row in rows] == log["remaining"].tolist()
    assert [row["cohesive"] for row in rows] == log["cohesive"].tolist()


def test_the_k_curve_names_the_k_that_was_taken(log):
    assert f"K = {log['k'].iloc[0]}" in render(plot_k_curve(list_k_curve(log)))


def test_the_samples_are_drawn_one_above_the_other(make_clusters):
    clusters = make_clusters([0] * 30 + [1] * 3)
    drawn = render(plot_sample_coverage(compare_samples(clusters, draw_stratified_sample(clusters))))
    assert "Stratified by cluster" in drawn
    assert "Simple random sample" in drawn


def test_the_axis_of_many_sampled_clusters_has_no_places_without_a_cluster(make_clusters):
    clusters = make_clusters([i % 300 for i in range(900)])
    drawn = render(plot_sample_coverage(compare_samples(clusters, draw_stratified_sample(clusters))))
    assert "\N{MINUS SIGN}" not in drawn  # as on an axis that is rounded out beyond zero
    assert ">320<" not in drawn
