import numpy as np
import pandas as pd
import pytest
from judged_grids import GOLD, GRID, GROUPS, N_IMAGES, make_clusters, make_gold, make_grid

import visclust as vc
from visclust.validation.cross_validation import _assign_folds, _find_sharing_pairs

SETTINGS = pd.DataFrame({"configuration": list(GRID), "method": "iterative"})


def test_folds_have_the_same_size_and_share_of_same():
    fold = _assign_folds(GOLD, group_by_image=False).fold
    sizes = np.bincount(fold)
    # Even to within one pair of each answer.
    assert sizes.max() - sizes.min() <= 2
    same = np.bincount(fold, weights=GOLD["same"])
    assert same.max() - same.min() <= 1


def test_pairs_with_a_common_image_stay_in_one_fold():
    # 60 chains of three pairs: a-b, b-c, c-d.
    gold = pd.DataFrame(
        [(f"p{c}{k}", f"{c}-{k}", f"{c}-{k + 1}", k == 0) for c in range(60) for k in range(3)],
        columns=["pair_id", "image_a", "image_b", "same"],
    )
    found = _assign_folds(gold, seed=3)
    assert found.note == ""
    for number in range(5):
        assert not _find_sharing_pairs(gold, found.fold == number).any()


def test_a_component_larger_than_a_fold_is_spread_and_the_note_says_so():
    gold = make_gold(GROUPS[:60], n_pairs=200, disjoint=False)
    found = _assign_folds(gold)
    sizes = np.bincount(found.fold, minlength=5)
    assert sizes.sum() == len(gold)
    assert sizes.min() >= 30  # 40 pairs are a fold's worth
    assert "pairs are linked by common images, more than a fold's worth (40)" in found.note


def test_cutting_along_a_walk_leaves_out_fewer_pairs_than_chance():
    # One long chain of 100 pairs: five pieces have four cuts, each with one pair on the other side.
    gold = pd.DataFrame(
        {
            "pair_id": [f"p{k}" for k in range(100)],
            "image_a": [f"i{k}" for k in range(100)],
            "image_b": [f"i{k + 1}" for k in range(100)],
            "same": [True, False] * 50,
        }
    ).sample(frac=1, random_state=0, ignore_index=True)
    fold = _assign_folds(gold).fold
    assert sum(_find_sharing_pairs(gold, fold == number).sum() for number in range(5)) == 8


def test_selection_never_sees_an_image_of_the_pairs_held_out():
    gold = make_gold(GROUPS[:150], n_pairs=200, disjoint=False)
    found = vc.cross_validate(GRID, gold, n_bootstrap=10)
    assert found.note != ""
    assert (found.selections["n_left_out"] > 0).all()
    total = found.selections[["n_selection", "n_left_out", "n_pairs"]].sum(axis=1)
    assert (total == len(gold)).all()


def test_without_grouping_no_pair_is_left_out():
    gold = make_gold(GROUPS[:150], n_pairs=200, disjoint=False)
    found = vc.cross_validate(GRID, gold, group_by_image=False, n_bootstrap=10)
    assert found.note == ""
    assert (found.selections["n_left_out"] == 0).all()


def test_means_and_deviations_are_those_of_the_folds_scored_one_by_one():
    found = vc.cross_validate(GRID, GOLD, seed=2, n_bootstrap=10)
    fold = _assign_folds(GOLD, seed=2).fold
    row = found.configurations.set_index("configuration").loc["error 0.3"]
    scores = [
        vc.score_pairs(GRID["error 0.3"], GOLD[fold == number], n_bootstrap=1).set_index("measure")[
            "estimate"
        ]
        for number in range(5)
    ]
    for measure in ("precision", "recall", "f1", "mean_precision_recall", "coverage"):
        values = [score[measure] for score in scores]
        # Rounding of floats.
        assert row[f"{measure}_mean"] == pytest.approx(np.mean(values), abs=1e-12)
        assert row[f"{measure}_sd"] == pytest.approx(np.std(values, ddof=1), abs=1e-12)


def test_the_configurations_come_best_first_and_the_clearly_best_one_wins():
    found = vc.cross_validate(GRID, GOLD, n_bootstrap=10)
    assert found.configurations["configuration"].tolist() == ["error 0.1", "error 0.3", "error 0.5"]
    winner = found.winner.iloc[0]
    assert winner["configuration"] == "error 0.1"
    assert winner["times_selected"] == 5
    # Selected everywhere, its held-out scores are its scores by fold.
    assert winner["honest_mean"] == pytest.approx(winner["mean"], abs=1e-12)
    assert found.comparison.set_index("configuration")["winner"].to_dict() == {
        "error 0.5": False,
        "error 0.1": True,
        "error 0.3": False,
    }


@pytest.mark.slow
def test_the_winner_of_many_equals_looks_better_than_it_is_and_its_honest_score_does_not():
    # 60 clusterings, equally good but for chance, over 25 corpora. Seeds of grids and gold differ, so that
    # errors and pairs are drawn independently.
    naive, honest, fresh = [], [], []
    for seed in range(25):
        grid = make_grid([0.3 + i / 1e6 for i in range(60)], seed=seed)
        found = vc.cross_validate(grid, make_gold(GROUPS, 60, seed=seed + 500), n_bootstrap=1, seed=seed)
        winner = found.winner.iloc[0]
        naive.append(winner["mean"])
        honest.append(winner["honest_mean"])
        new = vc.score_pairs(
            grid[winner["configuration"]], make_gold(GROUPS, seed=seed + 1000), n_bootstrap=1
        )
        fresh.append(new.set_index("measure").loc["f1", "estimate"])
    naive_error, honest_error = (np.std(np.subtract(one, fresh), ddof=1) / 5 for one in (naive, honest))
    # The winner's own mean is above its score on fresh pairs by more than 4 standard errors of that mean over
    # 25 corpora (about .13 of .69); the held-out mean is not above it by even 1.
    assert np.mean(naive) - np.mean(fresh) > 4 * naive_error
    assert np.mean(honest) - np.mean(fresh) < honest_error


def test_a_fold_without_anything_predicted_same_is_left_out_of_the_mean_and_counted():
    lonely = make_clusters(np.arange(N_IMAGES))
    lonely.loc[lonely["image_id"].isin(GOLD.loc[0, ["image_a", "image_b"]]), "cluster"] = 0
    found = vc.cross_validate({**GRID, "lonely": lonely}, GOLD, n_bootstrap=10).configurations
    row = found.set_index("configuration").loc["lonely"]
    assert row["n_folds"] == 1
    assert np.isnan(row["precision_sd"])
    assert found["configuration"].iloc[-1] == "lonely"  # it ranks as 0 where it is undefined


def test_design_weights_reach_every_score():
    gold = GOLD.assign(inclusion_probability=np.where(GOLD["same"], 0.5, 0.01))
    found = vc.cross_validate(GRID, gold, weights="inclusion_probability", n_bootstrap=10)
    assert found.winner["weighting"].item() == "design-weighted"
    expected = vc.score_pairs(GRID["error 0.3"], gold, weights="inclusion_probability", n_bootstrap=1)
    expected = expected.set_index(["weighting", "measure"]).loc[("design-weighted", "precision"), "estimate"]
    row = found.comparison.set_index("configuration").loc["error 0.3"]
    assert row["precision"] == pytest.approx(expected, abs=1e-12)  # rounding of floats


def test_settings_are_joined_to_every_configuration():
    settings = pd.DataFrame({"configuration": list(GRID), "threshold": [0.03, 0.04, 0.05]})
    found = vc.cross_validate(GRID, GOLD, settings=settings, n_bootstrap=10)
    expected = dict(zip(settings["configuration"], settings["threshold"], strict=True))
    for table in (found.configurations, found.comparison):
        assert table.set_index("configuration")["threshold"].to_dict() == expected


def test_the_same_seed_gives_the_same_result_and_the_input_stays_as_it_was():
    before = GOLD.copy(), {name: table.copy() for name, table in GRID.items()}
    first, second = (vc.cross_validate(GRID, GOLD, seed=7, n_bootstrap=20) for _ in range(2))
    for one, other in zip(first[:5], second[:5], strict=True):
        pd.testing.assert_frame_equal(one, other)
    pd.testing.assert_frame_equal(GOLD, before[0])
    for name, table in GRID.items():
        pd.testing.assert_frame_equal(table, before[1][name])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vc.cross_validate({}, GOLD), "at least one clusters table"),
        (lambda: vc.cross_validate([GRID], GOLD), "got list"),
        (
            lambda: vc.cross_validate({"small": make_clusters([0, 1])}, GOLD),
            "Configuration 'small': Expected every",
        ),
        (lambda: vc.cross_validate(GRID, GOLD.iloc[:0]), "at least one gold pair"),
        (lambda: vc.cross_validate(GRID, GOLD, folds=1), "from 2 folds to as many as there are gold pairs"),
        (lambda: vc.cross_validate(GRID, GOLD, measure="coverage"), "got 'coverage'"),
        (
            lambda: vc.cross_validate({"alone": make_clusters(np.arange(N_IMAGES))}, GOLD),
            "f1 is defined on some fold, got none",
        ),
        (lambda: vc.cross_validate(GRID, GOLD, settings=SETTINGS.iloc[1:]), "'error 0.5' has none"),
        (lambda: vc.cross_validate(GRID, GOLD, settings=SETTINGS[["method"]]), "one row per configuration"),
        (
            lambda: vc.cross_validate(GRID, GOLD, settings=SETTINGS.rename(columns={"method": "winner"})),
            "under names of their own, got winner",
        ),
    ],
)
def test_bad_input_says_what_was_expected(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_every_table_says_where_the_pairs_were_simulated():
    for gold, marked in ((GOLD, False), (GOLD.assign(simulated=True), True)):
        found = vc.cross_validate(GRID, gold, n_bootstrap=20)
        assert ["simulated" in table for table in found[:5]] == [marked] * 5


@pytest.mark.parametrize("disjoint", [True, False])
def test_folds_do_not_hang_on_the_order_of_the_gold_pairs(disjoint):
    gold = make_gold(GROUPS[:60], n_pairs=30, disjoint=disjoint)
    mixed = gold.sample(frac=1, random_state=1)
    fold = pd.Series(_assign_folds(gold, seed=3).fold, gold["pair_id"])
    again = pd.Series(_assign_folds(mixed, seed=3).fold, mixed["pair_id"])
    pd.testing.assert_series_equal(again.reindex(fold.index), fold)
