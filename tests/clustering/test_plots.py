import numpy as np
import pytest
import vl_convert

import visclust as vc


@pytest.fixture(scope="module")
def log():
    x = np.random.default_rng(0).normal(size=(80, 4)).astype("float32")
    return vc.cluster_iteratively(x, step_size=2, stop_size=5).log


def render(chart):
    """A chart that Vega-Lite cannot compile raises here."""
    return vl_convert.vegalite_to_svg(chart.to_dict(), vl_version="5.20")


def test_figure_6_draws_the_three_panels_with_named_axes(log):
    drawn = render(vc.plot_iterations(log))
    for title in (
        "Remaining images",
        "Clusters",
        "Mean images per cluster",
        "Iteration",
        "Cohesive",
    ):
        assert title in drawn


def test_the_figure_holds_the_numbers_of_the_log(log):
    spec = vc.plot_iterations(log).to_dict()
    (rows,) = spec["datasets"].values()
    assert [row["remaining"] for row in rows] == log["remaining"].tolist()
    assert [row["cohesive"] for row in rows] == log["cohesive"].tolist()


def test_the_k_curve_names_the_k_that_was_taken(log):
    assert f"K = {log['k'].iloc[0]}" in render(vc.plot_k_curve(vc.list_k_curve(log)))


def test_the_scan_is_drawn_with_its_knee(blobs):
    scan = vc.scan_k(blobs([30, 25])[0], ks=[2, 4, 8], progress=False)
    drawn = render(vc.plot_k_scan(scan, knee=4))
    assert "K = 4" in drawn
    assert "No knee" in render(vc.plot_k_scan(scan, knee=None))
    assert "nee" not in render(vc.plot_k_scan(scan))
    assert "Inertia (sum of squares within clusters)" in drawn
    assert "Mean silhouette" in drawn


def test_the_agreement_of_runs_is_drawn_from_its_tables(make_runs):
    found = vc.compare_runs(make_runs([0, 0, 1, 1], [0, 0, 0, 1], [0, 1, 1, 1]))
    cells = vc.plot_run_agreement(found.pairs).to_dict()
    assert len(next(iter(cells["datasets"].values()))) == 6  # both halves of the table
    matched = vc.plot_run_agreement(found.pairs, measure="matched").to_dict()
    assert matched["title"].startswith("Clusters found")
    assert len(vc.plot_theme_stability(found.themes).hconcat) == 2
    with pytest.raises(ValueError, match="adjusted_rand"):
        vc.plot_run_agreement(found.pairs, measure="rand")
