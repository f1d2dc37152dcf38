import warnings

import numpy as np
import pandas as pd
import pytest

import visclust as vc


def make_clusters(labels):
    return pd.DataFrame({"image_id": list("abcdef"), "cluster": labels, "iteration": 0, "silhouette": 0.5})


GOLD = pd.DataFrame(
    {
        "pair_id": list("pqrst"),
        "image_a": list("abcda"),
        "image_b": list("bcdef"),
        "same": [True, True, False, True, False],
    }
)


GRID = {
    "good": make_clusters([0, 0, 0, 1, 1, 1]),
    "poor": make_clusters([0, 0, 1, 1, 2, 2]),
    "k = 2": make_clusters([0, 0, 0, 0, 1, 1]),
}


SETTINGS = pd.DataFrame(
    {
        "configuration": list(GRID),
        "method": ["iterative", "iterative", "single"],
        "embedding": "<b>resnet18</b>",
        "threshold": [0.03, 0.04, np.nan],
        "step": [5, 10, np.nan],
    }
)


def compare():
    return vc.compare_iterative_with_single(GRID, GOLD, settings=SETTINGS, n_bootstrap=50)


def make_comparison():
    return vc.compare_configurations(GRID, GOLD, settings=SETTINGS, n_bootstrap=50)


def get_rows(chart):
    """The data rows of a chart, all its panels and layers together."""
    return [row for rows in chart.to_dict()["datasets"].values() for row in rows]


def is_picture(chart, path):
    chart.save(path, ppi=72)
    return path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_every_configuration_is_a_point_and_the_winner_is_circled():
    table = make_comparison()
    chart = vc.plot_precision_recall(table).to_dict()
    rows = get_rows(vc.plot_precision_recall(table))
    assert {row["configuration"]: row["winner"] for row in rows} == {
        "good": True,
        "poor": False,
        "k = 2": False,
    }
    rings = [layer for layer in chart["layer"] if layer.get("transform") == [{"filter": "datum.winner"}]]
    assert len(rings) == 1


def test_intervals_are_faint_in_print_and_clear_when_a_point_is_pointed_at():
    chart = vc.plot_precision_recall(make_comparison()).to_dict()
    (selection,) = chart["params"]
    assert (selection["select"]["on"], selection["select"]["fields"]) == ("pointerover", ["configuration"])
    rules = [layer for layer in chart["layer"] if layer["mark"]["type"] == "rule"]
    assert {layer["encoding"]["x"]["field"] for layer in rules} == {"recall_low", "recall"}
    for layer in rules:
        assert layer["encoding"]["opacity"]["condition"]["param"] == selection["name"]
        assert 0 < layer["encoding"]["opacity"]["value"] < 0.5


def test_figure_5_says_by_what_the_winner_won_and_tells_embeddings_apart_by_shape_too():
    table = make_comparison()
    chart = vc.plot_precision_recall(table).to_dict()
    lines = "Lines: 95% intervals, of the pairs but not of the seed, of which there is one."
    assert f"{lines} Circled: good, the winner by F1" in chart["title"]["subtitle"]
    points = next(layer for layer in chart["layer"] if "shape" in layer["encoding"])
    assert points["encoding"]["shape"]["field"] == points["encoding"]["color"]["field"] == "embedding"
    by_precision = vc.compare_configurations(
        GRID, GOLD, settings=SETTINGS, n_bootstrap=50, measure="precision"
    )
    assert "the winner by precision" in vc.plot_precision_recall(by_precision).to_json()


def test_a_missing_setting_is_that_of_a_single_k_means():
    rows = {row["configuration"]: row for row in get_rows(vc.plot_precision_recall(make_comparison()))}
    assert rows["k = 2"]["threshold"] == "none (single k-means)"
    assert (rows["good"]["threshold"], rows["good"]["step"]) == ("0.03", "5")


def test_iterative_points_stand_against_the_baseline_with_the_share_above():
    found = compare()
    panel = vc.plot_iterative_against_single(found.points, summary=found.summary).to_dict()["hconcat"][0]
    # F1 is 1 for "good", 2 / 5 for "poor", and 4 / 6 for the single k-means.
    assert found.points.set_index("configuration")["above"].to_dict() == {"good": True, "poor": False}
    assert panel["title"]["subtitle"][0] == "0 of 2 above by the interval, 1 by the estimate"
    assert panel["title"]["subtitle"][1] == "Dashed: 0.667, k = 2"


def test_every_figure_becomes_a_picture(tmp_path):
    found = compare()
    assert is_picture(vc.plot_pair_toy(vc.score_pair_toy()), tmp_path / "toy.png")
    assert is_picture(vc.plot_precision_recall(make_comparison()), tmp_path / "grid.png")
    chart = vc.plot_iterative_against_single(found.points, summary=found.summary)
    assert is_picture(chart, tmp_path / "iterative.png")


def test_a_figure_leaves_its_table_as_it_was():
    table, found = make_comparison(), compare()
    before = table.copy(), found.points.copy()
    vc.plot_precision_recall(table)
    vc.plot_iterative_against_single(found.points, summary=found.summary)
    pd.testing.assert_frame_equal(table, before[0])
    pd.testing.assert_frame_equal(found.points, before[1])


def test_one_setting_may_be_shown_in_two_ways():
    chart = vc.plot_precision_recall(make_comparison(), shape="embedding", size="threshold")
    assert get_rows(chart)[0]["embedding"] == "<b>resnet18</b>"


def test_a_table_without_settings_is_refused_with_what_is_missing():
    with pytest.raises(ValueError, match="embedding, threshold, step is missing"):
        vc.plot_precision_recall(make_comparison().drop(columns=["embedding", "threshold", "step"]))


def test_an_unknown_measure_is_refused():
    found = compare()
    with pytest.raises(ValueError, match="got 'accuracy'"):
        vc.plot_iterative_against_single(found.points, summary=found.summary, measure="accuracy")


def test_scores_against_simulated_pairs_are_marked_and_their_figures_say_so():
    for gold, marked in ((GOLD, False), (GOLD.assign(simulated=True), True)):
        options = {"settings": SETTINGS, "n_bootstrap": 20}
        compared = vc.compare_configurations(GRID, gold, **options)
        against = vc.compare_iterative_with_single(GRID, gold, **options)
        tables = [compared, *against]
        tables.append(vc.score_pairs(next(iter(GRID.values())), gold, n_bootstrap=20))
        assert ["simulated" in table for table in tables] == [marked] * len(tables)
        charts = [
            vc.plot_precision_recall(compared),
            vc.plot_iterative_against_single(against.points, summary=against.summary),
        ]
        for chart in charts:
            first = chart.to_dict()["title"]["subtitle"][0]
            assert (first == "SIMULATED answers, made by a computer: nobody judged these pairs") == marked
        # The figure says so too where the columns that it draws were chosen from the table.
        bare = compared.drop(columns="simulated", errors="ignore")
        assert ("SIMULATED" in vc.plot_precision_recall(bare).to_json()) == marked


def test_figure_7_is_drawn_by_the_mean_of_precision_and_recall_or_by_f1_and_says_by_which():
    drawn = {}
    for measure in ("mean_precision_recall", "f1"):
        found = vc.compare_iterative_with_single(
            GRID, GOLD, settings=SETTINGS, measure=measure, n_bootstrap=20
        )
        assert found.points["measure"].tolist() == [measure] * 2
        assert found.summary["measure"].tolist() == [measure]
        spec = vc.plot_iterative_against_single(found.points, summary=found.summary).to_dict()
        axis = spec["hconcat"][0]["layer"][2]["encoding"]["x"]["title"]
        drawn[measure] = axis, spec["title"]["subtitle"][0]
    assert drawn["mean_precision_recall"][0] == "Mean of precision and recall"
    assert "as in the paper's Figure 7" in drawn["mean_precision_recall"][1]
    assert drawn["f1"][0] == "F1"
    assert "the paper's Figure 7 has their mean" in drawn["f1"][1]


def test_a_figure_by_another_measure_than_that_of_its_points_is_refused():
    found = compare()
    with pytest.raises(ValueError, match=r"compared by recall, got those of f1.*measure='recall'"):
        vc.plot_iterative_against_single(found.points, summary=found.summary, measure="recall")
    mixed = found.points.assign(measure=["f1", "recall"])
    with pytest.raises(ValueError, match="points of one measure, got those of f1, recall"):
        vc.plot_iterative_against_single(mixed, summary=found.summary)
    older = found.points.drop(columns="measure")
    spec = vc.plot_iterative_against_single(older, summary=found.summary, measure="recall").to_dict()
    assert spec["title"]["subtitle"][0] == "By recall"


def test_a_winner_that_is_not_drawn_is_said_to_be_elsewhere():
    table = make_comparison()
    chart = vc.plot_precision_recall(table[~table["winner"]]).to_dict()
    assert any("The winner is not among these" in line for line in chart["title"]["subtitle"])


def test_a_configuration_is_above_only_where_the_interval_of_the_difference_says_so():
    points = compare().points
    assert points["side"].tolist() == ["cannot be told apart", "cannot be told apart"]
    sure = points.assign(side=["above", "below"])
    summary = compare().summary.assign(n_told_above=1)
    spec = vc.plot_iterative_against_single(sure, summary=summary).to_dict()
    rows = [row for rows in spec["datasets"].values() for row in rows]
    assert {row["name"]: row["side"] for row in rows} == {"good": "above", "poor": "below"}
    assert spec["hconcat"][0]["title"]["subtitle"][0].startswith("1 of 2 above by the interval")
    assert spec["hconcat"][0]["layer"][2]["encoding"]["y"]["field"] == "name"  # names, no ranks


def test_names_of_configurations_leave_out_what_all_of_a_panel_share():
    points = compare().points
    long = [f"pretrained, rows umap, step 5, threshold {value}, seed 0" for value in ("0.1", "0.2")]
    summary = compare().summary
    spec = vc.plot_iterative_against_single(points.assign(configuration=long), summary=summary).to_dict()
    rows = [row for rows in spec["datasets"].values() for row in rows]
    assert {row["name"] for row in rows} == {"threshold 0.1", "threshold 0.2"}


def test_figure_5_says_of_how_many_seeds_its_intervals_are():
    seeds = {name: dict.fromkeys(range(3), table) for name, table in GRID.items()}
    table = vc.compare_configurations(seeds, GOLD, settings=SETTINGS, n_bootstrap=50)
    said = vc.plot_precision_recall(table).to_dict()["title"]["subtitle"]
    assert any("95% intervals, of the pairs and of 3 seeds" in line for line in said)
    mixed = vc.compare_configurations(
        {**seeds, "k = 2": GRID["k = 2"]}, GOLD, settings=SETTINGS, n_bootstrap=50
    )
    said = vc.plot_precision_recall(mixed).to_dict()["title"]["subtitle"]
    assert any("of the pairs and of 1 to 3 seeds" in line for line in said)


def make_many(panels, rows):
    """Give points of many panels and configurations, each with a long name."""
    table = pd.DataFrame(
        {
            "configuration": f"e{panel}, step {step}, threshold 0.{number:02d}, consensus",
            "embedding": f"e{panel}", "estimate": 0.7 - number / 200, "low": 0.4, "high": 0.8,
            "baseline": 0.5, "baseline_configuration": f"e{panel}, single k-means, K = 80",
            "difference": 0.1, "difference_low": -0.1, "difference_high": 0.2, "above": True,
            "rank": 2 * number + step % 2, "measure": "f1",
        }
        for panel in range(panels) for number in range(rows // 2) for step in (3, 6)
    )  # fmt: skip
    counts = table.groupby("embedding").size().rename("n_iterative").reset_index()
    return table, counts.assign(n_above=1, share_above=0.1)


@pytest.mark.parametrize("panels", [2, pytest.param(6, marks=pytest.mark.slow)])
def test_a_page_holds_figure_7_of_many_configurations(tmp_path, panels):
    points, summary = make_many(panels, 30)
    figure = vc.plot_iterative_against_single(points, summary=summary)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of a figure higher than a page
        vc.save_figure(figure, tmp_path / "figure.svg", width="page")
    heading = figure.to_dict()["hconcat"][0]["title"]["subtitle"]
    assert heading[1] == "Dashed: 0.500, single k-means, K = 80"
    drawn = {row["configuration"]: row["rank"] for row in get_rows(figure)}
    if panels == 2:
        assert len(drawn) == 60
        assert len(heading) == 2
    else:
        assert heading[2] == f"Drawn: the best {len(drawn) // 6} of 30"
        assert max(drawn.values()) == len(drawn) // 6 - 1  # the best, numbered from 0
        assert len(drawn) % 6 == 0


def test_labels_that_would_touch_leave_out_a_word_that_the_title_says():
    points, summary = make_many(1, 4)
    spec = vc.plot_iterative_against_single(
        points.assign(configuration=points["configuration"] + ", of five seeds " + points.index.astype(str)),
        summary=summary,
    ).to_dict()
    names = [row["name"] for rows in spec["datasets"].values() for row in rows if "name" in row]
    assert "step 3, 0.00, of five seeds 0" in names
    assert "Bare numbers in names: the threshold of similarity" in spec["title"]["subtitle"]
