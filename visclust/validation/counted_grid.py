"""A grid of clusterings, checked and counted once on the judged pairs; its scores and their replicates."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.bootstrap import resample_sums
from visclust.base.columns import check_gold
from visclust.clustering.consensus import SeedConsensus
from visclust.validation.pair_weights import (
    find_strata,
    read_design_weights,
    read_weights,
    settle_weights,
)
from visclust.validation.poststratified import (
    CellCounts,
    count_cells,
    describe_empty,
    draw_scores,
    estimate_scores,
    keep_clusterings,
    keep_pairs,
)
from visclust.validation.scores import (
    HEAVY,
    SCORES,
    compute_scores,
    count_pairs,
    find_heaviest,
    predict_same,
)
from visclust.validation.seeds import Members, unfold_grid

Grid = Mapping[str, pd.DataFrame | Mapping[int, pd.DataFrame] | SeedConsensus]
"""Configurations by name: one clusters table, or one for each seed, or the consensus over them."""


class CountedGrid(NamedTuple):
    """A grid of c configurations with g clusterings in all, checked and counted once on n gold pairs.

    ``names`` (c) and ``members`` (c) say which clusterings are whose; ``counts`` (g, n, 5) is what
    `count_pairs` lists for each clustering, weighted where the grid is; ``strata`` (n) are those to resample
    within, where they are known; ``cells`` are there where a pair design is given, and then scores are
    post-stratified.
    """

    names: list[str]
    counts: np.ndarray
    strata: np.ndarray | None
    weighting: str
    members: list[Members]
    cells: CellCounts | None = None


def count_grid(
    grid: Grid, gold: pd.DataFrame, *, weights: Any, design: pd.DataFrame | None, unassigned: str
) -> CountedGrid:
    """Check a grid and count the gold pairs under each of its clusterings, as `score_pairs` would."""
    gold = check_gold(gold, named=isinstance(weights, pd.DataFrame))
    if not isinstance(grid, Mapping) or not len(grid):
        raise ValueError(
            f"Expected a grid that names at least one clusters table, such as {{'k = 80': clusters}}, got "
            f"{type(grid).__name__}{' without entries' if isinstance(grid, Mapping) else ''}."
        )
    if not len(gold):
        raise ValueError("Expected at least one gold pair, got none. Label and resolve some pairs first.")
    weights = settle_weights(gold, weights, design)
    weight = np.ones(len(gold)) if weights is None else read_weights(gold, weights)
    if design is not None:
        weight = read_design_weights(gold, weights, design)
    same = gold["same"].to_numpy(dtype=bool)
    flat, members = unfold_grid(grid)
    counts, predictions = [], []
    for words, clusters in flat:
        try:
            prediction = predict_same(clusters, gold)
        except (TypeError, ValueError) as error:
            raise type(error)(f"Configuration {words}: {error}") from error
        predictions.append(prediction)
        counts.append(count_pairs(prediction, same, weight, unassigned=unassigned))
    strata, cells, weighting = find_strata(gold, weights), None, "raw"
    if design is not None:
        weighting = "post-stratified"
        cells = count_cells(
            [clusters for _, clusters in flat], predictions, gold, design, weight=weight, weights=weights,
            unassigned=unassigned,
        )  # fmt: skip
    elif weights is not None:
        weighting = "design-weighted"
    return CountedGrid(list(grid), np.stack(counts), strata, weighting, members, cells)


def keep_configurations(counted: CountedGrid, names: list[str]) -> CountedGrid:
    """Keep some configurations of a counted grid, in the order of their names here."""
    kept, members, start = [], [], 0
    for name in names:
        each = counted.members[counted.names.index(name)]
        places = np.arange(start, start + len(each.estimate) + len(each.without))
        kept += [*each.estimate, *each.without]
        ends = len(each.estimate)
        members.append(each._replace(estimate=places[:ends], without=places[ends:]))
        start += len(places)
    cells = None if counted.cells is None else keep_clusterings(counted.cells, kept)
    return counted._replace(names=names, counts=counted.counts[kept], members=members, cells=cells)


def score_clusterings(counted: CountedGrid, chosen: np.ndarray | None = None) -> np.ndarray:
    """Score every clustering of a grid, (g, 5), on all pairs or on those chosen (n,)."""
    if counted.cells is not None:
        return estimate_scores(counted.cells if chosen is None else keep_pairs(counted.cells, chosen))
    counts = counted.counts if chosen is None else counted.counts[:, chosen]
    return compute_scores(counts.sum(axis=1))


def replicate_scores(counted: CountedGrid, *, n_bootstrap: int, seed: int) -> np.ndarray:
    """Replicate the scores of every clustering, (3, n_bootstrap, g, 5), as other pairs might have given them.

    The pairs of a replicate are the same for all clusterings. The first are for the lower ends of intervals,
    the last for the upper ones, and those between for differences; they are the same without a design.
    """
    if counted.cells is not None:
        return draw_scores(counted.cells, n_draws=n_bootstrap, seed=seed)
    # Pairs first: one row of a resample holds a pair under every clustering.
    by_pair = counted.counts.transpose(1, 0, 2).reshape(counted.counts.shape[1], -1)
    sums = resample_sums(by_pair, n_bootstrap=n_bootstrap, seed=seed, strata=counted.strata)
    replicates = compute_scores(sums.reshape(n_bootstrap, len(counted.counts), len(SCORES)))
    return np.broadcast_to(replicates, (3, *replicates.shape))


def doubt_scores(counted: CountedGrid, each: Members, place: int) -> list[str]:
    """Say why the intervals of a configuration may be surer than they look."""
    if counted.cells is not None:
        empty = max(describe_empty(counted.cells, int(one))[0] for one in each.estimate)
        said = f"{empty:.1%} of the joined pairs lie in strata where no joined pair was judged"
        return [said] if empty > 0.001 else []
    if counted.weighting == "raw":
        return []
    heaviest = max(find_heaviest(counted.counts[one])[place] for one in each.estimate)
    said = f"one pair can carry {heaviest:.0%} of the weight: intervals are likely too narrow"
    return [said] if heaviest > HEAVY else []
