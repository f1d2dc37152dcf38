import numpy as np
import pandas as pd
import pytest
from judged_grids import GOLD, GRID, N_IMAGES, make_clusters, make_grid

import visclust as vc
from visclust.validation import counted_grid


def test_a_paired_difference_is_surer_than_the_two_scores():
    # The two differ in the clusters of 4 images only.
    twin = GRID["error 0.3"].copy()
    twin.loc[[0, 100, 200, 300], "cluster"] = -1
    table = vc.compare_configurations({"one": GRID["error 0.3"], "twin": twin}, GOLD, reference="one")
    row = table.set_index("configuration").loc["twin"]
    assert row["difference_high"] - row["difference_low"] < (row["f1_high"] - row["f1_low"]) / 2


def test_the_clearly_worse_can_be_told_apart_from_the_best_and_an_equal_cannot():
    grid = {**GRID, "copy": GRID["error 0.1"].copy()}
    table = vc.compare_configurations(grid, GOLD).set_index("configuration")
    assert table["winner"].to_dict() == {
        "error 0.5": False,
        "error 0.1": True,
        "error 0.3": False,
        "copy": False,
    }
    assert table["cannot_be_told_apart"].to_dict() == {
        "error 0.5": False,
        "error 0.1": True,
        "error 0.3": False,
        "copy": True,
    }
    assert table.loc["copy", ["difference", "difference_low", "difference_high"]].tolist() == [0, 0, 0]
    assert table.loc["error 0.5", "difference_high"] < 0


def test_the_intervals_of_the_comparison_are_those_of_score_pairs_alone():
    # With one configuration the two bootstraps draw the same rows.
    row = vc.compare_configurations({"one": GRID["error 0.3"]}, GOLD, seed=6).iloc[0]
    scores = vc.score_pairs(GRID["error 0.3"], GOLD, seed=6).set_index("measure")
    for measure in ("precision", "recall", "f1"):
        assert row[[measure, f"{measure}_low", f"{measure}_high"]].tolist() == pytest.approx(
            scores.loc[measure, ["estimate", "low", "high"]].tolist(), abs=1e-12
        )  # rounding of floats


def test_a_configuration_that_predicts_nothing_same_is_undefined_and_says_so():
    grid = {**GRID, "alone": make_clusters(np.arange(N_IMAGES))}
    row = vc.compare_configurations(grid, GOLD, n_bootstrap=20).set_index("configuration").loc["alone"]
    assert np.isnan(row["f1"])
    assert not row["cannot_be_told_apart"]
    assert row["reason"].startswith("f1 is undefined")


def test_a_weighted_comparison_that_hangs_on_one_pair_says_so():
    probability = np.where(np.arange(len(GOLD)) == 0, 0.001, 1.0)
    gold = GOLD.assign(inclusion_probability=probability)
    for weights, said in ((None, False), ("inclusion_probability", True)):
        reasons = vc.compare_configurations(GRID, gold, weights=weights, n_bootstrap=50)["reason"]
        assert reasons.str.contains("intervals are likely too narrow").all() == said


SETTINGS = pd.DataFrame(
    {
        "configuration": ["error 0.5", "error 0.1", "error 0.3", "other single", "other iterative"],
        "method": ["iterative", "iterative", "single", "single", "iterative"],
        "embedding": ["resnet18"] * 3 + ["vgg16"] * 2,
    }
)


TWO_EMBEDDINGS = {
    **GRID,
    "other single": make_grid([0.2])["error 0.2"],
    "other iterative": make_grid([0.7])["error 0.7"],
}


def test_iterative_configurations_are_set_against_the_best_single_of_their_embedding():
    found = vc.compare_iterative_with_single(TWO_EMBEDDINGS, GOLD, settings=SETTINGS, n_bootstrap=200)
    points = found.points.set_index("configuration")
    assert points["baseline_configuration"].to_dict() == {
        "error 0.1": "error 0.3",
        "error 0.5": "error 0.3",
        "other iterative": "other single",
    }
    assert points["above"].to_dict() == {"error 0.1": True, "error 0.5": False, "other iterative": False}
    assert points["rank"].to_dict() == {"error 0.1": 1, "error 0.5": 2, "other iterative": 1}
    assert (points["difference"] == points["estimate"] - points["baseline"]).all()


def test_the_summary_counts_the_share_above_and_compares_the_best_with_the_best():
    found = vc.compare_iterative_with_single(TWO_EMBEDDINGS, GOLD, settings=SETTINGS, n_bootstrap=200)
    summary = found.summary.set_index("embedding")
    assert summary["n_above"].to_dict() == {"resnet18": 1, "vgg16": 0, "all": 1}
    assert summary["share_above"].tolist() == [0.5, 0.0, 1 / 3]
    assert summary.loc["all", ["best_configuration", "baseline_configuration"]].tolist() == [
        "error 0.1",
        "other single",
    ]
    row = summary.loc["resnet18"]
    assert row["difference_low"] < row["difference"] < row["difference_high"]


def test_each_configuration_is_counted_once(monkeypatch):
    counted = []
    count = counted_grid.predict_same
    monkeypatch.setattr(counted_grid, "predict_same", lambda *both: counted.append(1) or count(*both))
    vc.compare_iterative_with_single(TWO_EMBEDDINGS, GOLD, settings=SETTINGS, n_bootstrap=10)
    assert len(counted) == len(TWO_EMBEDDINGS)
    vc.cross_validate(GRID, GOLD, n_bootstrap=10)
    assert len(counted) == len(TWO_EMBEDDINGS) + len(GRID)


def test_one_embedding_has_a_single_line_of_summary():
    settings = SETTINGS[SETTINGS["embedding"] == "resnet18"]
    assert len(vc.compare_iterative_with_single(GRID, GOLD, settings=settings, n_bootstrap=10).summary) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: vc.compare_configurations(GRID, GOLD, reference="best"),
            "Expected a reference from the grid",
        ),
        (
            lambda: vc.compare_configurations({"alone": make_clusters(np.arange(N_IMAGES))}, GOLD),
            "f1 is defined, got none",
        ),
        (
            lambda: vc.compare_iterative_with_single(GRID, GOLD, settings=SETTINGS.assign(method="dbscan")),
            "got 'dbscan'",
        ),
        (
            lambda: vc.compare_iterative_with_single(GRID, GOLD, settings=SETTINGS.drop(columns="embedding")),
            "Expected settings with the column embedding",
        ),
        (
            lambda: vc.compare_iterative_with_single(
                GRID, GOLD, settings=SETTINGS.assign(method="iterative")
            ),
            "got 0 single and 3 iterative",
        ),
    ],
)
def test_bad_input_says_what_was_expected(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_only_configurations_whose_scores_are_defined_are_comparable():
    apart = make_clusters(np.arange(N_IMAGES))
    assert vc.list_comparable({**GRID, "apart": apart}, GOLD) == list(GRID)
    assert vc.list_comparable(GRID, GOLD.assign(same=False)) == []
    assert vc.list_comparable(GRID, GOLD, least=len(GOLD)) == []
    assert vc.list_comparable({}, GOLD.head(0)) == []
