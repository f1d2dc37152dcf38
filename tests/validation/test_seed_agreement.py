import numpy as np
import pytest
from judged_grids import GOLD, GRID, make_seeds

import visclust as vc


def test_seeds_that_say_the_same_agree_in_full():
    grid = {name: dict.fromkeys(range(3), table) for name, table in GRID.items()}
    row = vc.compare_seeds(grid, GOLD).iloc[0]
    assert (row["n_configurations"], row["n_seeds"], row["winners"]) == (3, 3, 1)
    assert row["rank_correlation"] == pytest.approx(1)
    assert row["sd_between_seeds"] == 0
    f1 = vc.compare_configurations(GRID, GOLD)["f1"]
    assert row["sd_between_configurations"] == pytest.approx(f1.std(ddof=1))


def test_configurations_that_differ_by_their_seeds_alone_are_ranked_by_chance():
    grid = {f"same {i}": make_seeds(0.3, 6, spread=0.1, seed=i) for i in range(12)}
    row = vc.compare_seeds(grid, GOLD).iloc[0]
    assert abs(row["rank_correlation"]) < 0.35  # 15 pairs of 12 ranks: standard error of about 0.1
    assert row["winners"] > 2
    assert row["sd_between_configurations"] < row["sd_between_seeds"] / 2


def test_what_has_one_clustering_takes_no_part_and_one_seed_is_refused():
    grid = {"a": make_seeds(0.1), "b": make_seeds(0.4), **GRID}
    assert vc.compare_seeds(grid, GOLD)["n_configurations"].item() == 2
    with pytest.raises(ValueError, match="have in common, got 0 with 0 seeds"):
        vc.compare_seeds(GRID, GOLD)
    other = {seed + 10: table for seed, table in grid["b"].items()}
    with pytest.raises(ValueError, match="in common, got"):
        vc.compare_seeds({"a": grid["a"], "b": other}, GOLD)


def test_what_the_simulated_pairs_say_is_marked():
    grid = {"a": make_seeds(0.1, 2), "b": make_seeds(0.4, 2)}
    assert vc.compare_seeds(grid, GOLD.assign(simulated=True))["simulated"].all()
    assert np.isfinite(vc.compare_seeds(grid, GOLD)["rank_correlation"].item())
