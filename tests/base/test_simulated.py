"""The mark of what a computer made up: tables that rest on it carry it, and figures say it."""

import pandas as pd

import visclust as vc
from visclust.base.charts import SIMULATED_NOTE, title_chart
from visclust.base.simulated import is_simulated, mark_simulated

MADE_UP = pd.DataFrame({"x": [1, 2], "simulated": [False, True]})
REAL = pd.DataFrame({"x": [1], "simulated": [False]})
PLAIN = pd.DataFrame({"x": [1]})


def test_one_simulated_row_makes_a_table_simulated():
    assert is_simulated(PLAIN, MADE_UP)
    assert not is_simulated(PLAIN, REAL, None)


def test_a_table_gets_the_mark_of_its_sources_and_stays_as_it_was():
    assert mark_simulated(PLAIN, REAL, MADE_UP)["simulated"].tolist() == [True]
    assert mark_simulated(PLAIN, REAL) is PLAIN
    assert list(PLAIN.columns) == ["x"]


def test_columns_chosen_from_a_simulated_table_are_simulated_still_and_a_column_of_its_own_decides():
    clusters = pd.DataFrame({"image_id": list("abc"), "cluster": 0, "iteration": 0, "silhouette": 0.5})
    gold = pd.DataFrame({"image_a": ["a"], "image_b": ["b"], "same": [True]})
    scores = vc.score_pairs(clusters, gold.assign(simulated=True), n_bootstrap=10)
    assert is_simulated(scores[["measure", "estimate"]])
    assert not is_simulated(scores.assign(simulated=False))
    assert not is_simulated(vc.score_pairs(clusters, gold, n_bootstrap=10))


def test_a_figure_says_so_below_its_title():
    assert title_chart("Rates", MADE_UP, subtitle=["by day"]).subtitle == [SIMULATED_NOTE, "by day"]
    assert title_chart("Rates", REAL, subtitle=["by day"]).subtitle == ["by day"]
    assert "SIMULATED" in SIMULATED_NOTE
