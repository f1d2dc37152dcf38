"""Choose among clusterings by cross-validation, and score the winner without the luck of its choice.

Pairs are split into folds so that no image helps both to choose a clustering and to score it.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from visclust.base.provenance import recorded
from visclust.base.simulated import mark_simulated
from visclust.validation.comparison import (
    check_measure,
    compare_counted,
    extend_settings,
    join_settings,
)
from visclust.validation.counted_grid import CountedGrid, Grid, count_grid, score_clusterings
from visclust.validation.pair_weights import settle_weights
from visclust.validation.scores import SCORES, compute_scores
from visclust.validation.seeds import average_over_seeds
from visclust.validation.waves import explain_waves, join_reasons


class _PairFolds(NamedTuple):
    """Fold of each pair, from 0, and a sentence on what stood in the way of keeping images together."""

    fold: np.ndarray
    note: str


class CrossValidation(NamedTuple):
    """What cross-validation says of each configuration, of the winner, and of how well both are known."""

    configurations: pd.DataFrame
    folds: pd.DataFrame
    selections: pd.DataFrame
    winner: pd.DataFrame
    comparison: pd.DataFrame
    note: str


@recorded
def cross_validate(
    grid: Grid,
    gold: pd.DataFrame,
    *,
    folds: int = 5,
    group_by_image: bool = True,
    settings: pd.DataFrame | None = None,
    measure: str = "f1",
    weights: Any = None,
    design: pd.DataFrame | None = None,
    unassigned: str = "different",
    n_bootstrap: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> CrossValidation:
    """Cross-validate a grid of clusterings on the pairs that people judged.

    A clustering is made without the judgements, so that nothing is fitted on the folds: they show (a) how
    scores vary between them, as in the paper, and (b) what choosing the best of many costs. For (b) the
    configuration is selected on the other folds together and scored on the one held out. Scores are means
    over the seeds of a configuration throughout: a configuration is selected, and not a lucky seed.

    Parameters
    ----------
    grid : mapping of str to DataFrame, or to a mapping of int to DataFrame
        As for `compare_configurations`.
    gold : DataFrame, n rows
        A gold table.
    folds : int, default 5
        Number of folds.
    group_by_image : bool, default True
        Keep pairs with a common image together. Where too many are linked for one fold, they are spread, and
        the pairs that share an image with the held-out ones are left out of the selection; `note` says so.
    settings : DataFrame, optional
        ``configuration`` and its settings, such as embedding, threshold and step.
    measure : str, default "f1"
        Measure to select by: "precision", "recall", "f1" or "mean_precision_recall". Where it is undefined,
        with any of its seeds, a configuration ranks as if it were 0.
    weights, design, unassigned
        As for `score_pairs`; with a design all scores are post-stratified, with weights alone
        design-weighted.
    n_bootstrap, level
        As for `compare_configurations`.
    seed : int, default 0
        Seed of the folds and of the bootstrap.

    Returns
    -------
    CrossValidation
        ``configurations``: best first, ``configuration``, its settings, ``…_mean`` and ``…_sd`` (n - 1 in the
        denominator) of each measure over the folds where it is defined, and ``n_folds``, the folds where
        `measure` is.
        ``folds``: ``configuration, fold`` (from 1), ``n_pairs`` and each measure.
        ``selections``: per ``fold`` the ``configuration`` selected on the others, ``n_selection`` (pairs
        that it was selected on), ``n_left_out`` (pairs of the other folds that share an image with this
        one), ``selection_score``, and on the fold ``n_pairs`` and each measure.
        ``winner``: one row, ``configuration`` (the best mean), ``measure, weighting, mean, sd``,
        ``honest_mean, honest_sd`` (of the held-out scores in ``selections``), ``honest_pooled`` (all held-out
        pairs together, by what the seeds count on average; with a design the folds' scores, by their pairs),
        ``optimism`` (mean minus honest mean),
        ``times_selected``.
        ``comparison``: what `compare_configurations` gives with the winner as the reference: which
        configurations cannot be told apart from the best.
        ``note``: what stood in the way of keeping images together, or "".

    Raises
    ------
    ValueError
        If the tables do not match, there are fewer groups of pairs than folds, or `measure` is undefined
        for all configurations.

    Source
    ------
    Casas et al., "Automated Visual Clustering …", section on validation, for (a); Varma & Simon (2006), Bias
    in error estimation when using cross-validation for model selection, BMC Bioinformatics 7:91, for (b).

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": list("abcdefgh"), "cluster": [0, 0, 1, 1, 2, 2, 3, 3],
    ...                       "iteration": 0, "silhouette": 0.5})
    >>> gold = pd.DataFrame({"pair_id": list("pqrs"), "image_a": list("aceg"), "image_b": list("bdfh"),
    ...                      "same": [True, True, True, True]})
    >>> grid = {"pairs": table, "halves": table.assign(cluster=[0, 1, 1, 1, 2, 2, 2, 3])}
    >>> cross_validate(grid, gold, folds=2, n_bootstrap=50).winner["configuration"].item()
    'pairs'
    """
    place = check_measure(measure)
    counted = count_grid(grid, gold, weights=weights, design=design, unassigned=unassigned)
    names = np.array(counted.names, dtype=object)
    fold, note = _assign_folds(gold, folds=folds, group_by_image=group_by_image, seed=seed)
    # Scores of every configuration on every fold: configurations by folds by measures.
    scores = np.stack([_score(counted, fold == f) for f in range(folds)], axis=1)
    if np.isnan(scores[:, :, place]).all():
        raise ValueError(
            f"Expected a configuration whose {measure} is defined on some fold, got none: no clustering puts "
            f"a judged pair into one cluster, or people call none the same. Label more pairs within clusters."
        )
    ranking = np.nan_to_num(scores[:, :, place]).mean(axis=1)
    order = np.argsort(-ranking, kind="stable")
    best = int(order[0])
    selections, held_out_scores = _select(counted, gold, fold, place=place, group_by_image=group_by_image)
    n_pairs = np.bincount(fold, minlength=folds)
    by_fold = {"configuration": np.repeat(names, folds), "fold": np.tile(np.arange(1, folds + 1), len(names))}
    by_fold |= {"n_pairs": np.tile(n_pairs, len(names))}
    by_fold |= {name: scores[:, :, i].ravel() for i, name in enumerate(SCORES)}
    held_out = selections[measure]
    mean, sd = _average(scores[best, :, place])
    honest_mean, honest_sd = _average(held_out.to_numpy())
    winner = {
        "configuration": names[best],
        "measure": measure,
        "weighting": counted.weighting,
        "mean": mean,
        "sd": sd,
        "honest_mean": honest_mean,
        "honest_sd": honest_sd,
        "honest_pooled": held_out_scores[place],
        "optimism": mean - honest_mean,
        "times_selected": int((selections["configuration"] == names[best]).sum()),
    }
    comparison = compare_counted(
        counted, reference=names[best], measure=measure, n_bootstrap=n_bootstrap, level=level, seed=seed
    )
    settings = extend_settings(settings, grid)
    tables = (
        join_settings(_average_folds(scores, names, place).iloc[order].reset_index(drop=True), settings),
        pd.DataFrame(by_fold),
        selections,
        pd.DataFrame([winner]),
        # The winner of the folds, so that all tables speak of the same one.
        join_settings(comparison.assign(winner=comparison["configuration"] == names[best]), settings),
    )
    configurations, by_fold_table, selected, of_winner, compared = (
        mark_simulated(table, gold) for table in tables
    )
    note = join_reasons([note, explain_waves(gold, settle_weights(gold, weights, design))])
    return CrossValidation(configurations, by_fold_table, selected, of_winner, compared, note)


def _select(
    counted: CountedGrid, gold: pd.DataFrame, fold: np.ndarray, *, place: int, group_by_image: bool
) -> tuple[pd.DataFrame, np.ndarray]:
    """Select on all folds but one and score on that one, in turn; the scores of all held-out pairs too."""
    names, counts = counted.names, counted.counts
    rows = []
    # A selected configuration adds what its seeds count on average.
    total = np.zeros(counts.shape[2])
    for f in range(int(fold.max()) + 1):
        held_out = fold == f
        left_out = _find_sharing_pairs(gold, held_out) if group_by_image else np.zeros(len(fold), dtype=bool)
        chosen_on = ~held_out & ~left_out
        selection = _score(counted, chosen_on)[:, place]
        if np.isnan(selection).all():
            raise ValueError(
                f"Expected a score to select by outside fold {f + 1}, got none on its {int(chosen_on.sum())} "
                f"pairs. Label more pairs, or ask for fewer folds."
            )
        best = int(np.nanargmax(selection))
        total += counts[counted.members[best].estimate][:, held_out].sum(axis=1).mean(axis=0)
        rows.append(
            {
                "fold": f + 1,
                "configuration": names[best],
                "n_selection": int(chosen_on.sum()),
                "n_left_out": int(left_out.sum()),
                "selection_score": selection[best],
                "n_pairs": int(held_out.sum()),
                **dict(zip(SCORES, _score(counted, held_out)[best], strict=True)),
            }
        )
    table = pd.DataFrame(rows)
    if counted.cells is None:
        return table, compute_scores(total)
    # What configurations join in the corpus cannot be pooled: the folds' scores are, by their pairs.
    pooled = [_average_by(table[name], table["n_pairs"]) for name in SCORES]
    return table, np.array(pooled)


def _average_by(values: pd.Series, weights: pd.Series) -> float:
    """Average the defined values by weights; NaN where there is none."""
    defined = values.notna()
    return float(np.average(values[defined], weights=weights[defined])) if defined.any() else np.nan


def _score(counted: CountedGrid, chosen: np.ndarray) -> np.ndarray:
    """Score every configuration (c, 5) on some of the pairs: means over the seeds."""
    return average_over_seeds(score_clusterings(counted, chosen), counted.members)


def _average_folds(scores: np.ndarray, names: np.ndarray, place: int) -> pd.DataFrame:
    """Average every measure over folds, configuration by configuration."""
    table: dict[str, Any] = {"configuration": names}
    for i, name in enumerate(SCORES):
        averages = [_average(row) for row in scores[:, :, i]]
        table[f"{name}_mean"] = [mean for mean, _ in averages]
        table[f"{name}_sd"] = [sd for _, sd in averages]
    table["n_folds"] = (~np.isnan(scores[:, :, place])).sum(axis=1)
    return pd.DataFrame(table)


def _average(values: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the defined values; NaN where there are too few."""
    defined = values[~np.isnan(values)]
    mean = float(defined.mean()) if len(defined) else np.nan
    return mean, float(defined.std(ddof=1)) if len(defined) > 1 else np.nan


def _assign_folds(
    gold: pd.DataFrame, *, folds: int = 5, group_by_image: bool = True, seed: int = 0
) -> _PairFolds:
    """Assign gold pairs to folds of about the same size and the same share of "same".

    Pairs that share an image are linked, and so are the pairs linked to those: such a component goes into
    one fold. A component with more pairs than a fold should have is cut, along a breadth-first walk over its
    images so that few images lie on both sides of a cut; `_find_sharing_pairs` finds the pairs that do.
    Raises ValueError if there are fewer groups of pairs than folds.
    """
    n = len(gold)
    # By the images' names and not by their rows, so that the folds do not hang on the order of the table.
    names = gold[["image_a", "image_b"]].astype(str).reset_index(drop=True)
    order = names.sort_values(["image_a", "image_b"], kind="stable").index.to_numpy()
    gold = gold.iloc[order]
    if not 2 <= folds <= n:
        raise ValueError(f"Expected from 2 folds to as many as there are gold pairs ({n}), got {folds}.")
    groups, note = _group_linked(gold, limit=-(-n // folds)) if group_by_image else (np.arange(n), "")
    n_groups = len(np.unique(groups))
    if n_groups < folds:
        raise ValueError(
            f"Expected at least {folds} groups of pairs without a common image, got {n_groups}. Ask for "
            f"fewer folds, or label more pairs."
        )
    fold = _deal_groups(groups, gold["same"].to_numpy(dtype=bool), folds, np.random.default_rng(seed))
    back = np.empty(n, dtype=np.int64)
    back[order] = fold
    return _PairFolds(back, note)


def _find_sharing_pairs(gold: pd.DataFrame, chosen: np.ndarray) -> np.ndarray:
    """Find the pairs outside a choice of pairs (a truth value each) that have an image in common with it."""
    images = set(gold.loc[chosen, "image_a"]) | set(gold.loc[chosen, "image_b"])
    shares = gold["image_a"].isin(images) | gold["image_b"].isin(images)
    return shares.to_numpy(dtype=bool) & ~chosen


def _deal_groups(groups: np.ndarray, same: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Deal groups to folds, the largest first, each to where its answers are rarest so far."""
    number = np.unique(groups, return_inverse=True)[1]
    content = np.stack([np.bincount(number, weights=same), np.bincount(number, weights=~same)], axis=1)
    shares = content / np.maximum(content.sum(axis=0), 1)
    order = rng.permutation(len(content))
    order = order[np.argsort(-content.sum(axis=1)[order], kind="stable")]
    fold_of, held, size = np.empty(len(content), dtype=np.int64), np.zeros((folds, 2)), np.zeros(folds)
    for group in order:
        # An empty fold comes before all others, so that none stays empty.
        fold = int(np.lexsort((size, held @ shares[group]))[0])
        fold_of[group] = fold
        held[fold] += shares[group]
        size[fold] += content[group].sum()
    return fold_of[number]


def _group_linked(gold: pd.DataFrame, *, limit: int) -> tuple[np.ndarray, str]:
    """Group pairs by linked images, in groups of `limit` pairs at most."""
    codes, images = pd.factorize(pd.concat([gold["image_a"], gold["image_b"]]))
    left, right = codes[: len(gold)], codes[len(gold) :]
    links = coo_array((np.ones(2 * len(gold)), (np.r_[left, right], np.r_[right, left])))
    links = links.tocsr()
    group = connected_components(links, directed=False)[1][left].astype(np.int64)
    sizes = np.bincount(group)
    too_large = np.flatnonzero(sizes > limit)
    for component in too_large:
        inside = np.flatnonzero(group == component)
        # Starting at the image where another walk ends makes the walk long and its cuts narrow.
        end = breadth_first_order(links, left[inside[0]], directed=False)[0][-1]
        place = np.empty(len(images), dtype=np.int64)
        walk = breadth_first_order(links, end, directed=False)[0]
        place[walk] = np.arange(len(walk))
        ordered = inside[np.argsort(np.maximum(place[left[inside]], place[right[inside]]), kind="stable")]
        for part in np.array_split(ordered, -(-len(ordered) // limit))[1:]:
            group[part] = group.max() + 1
    if not len(too_large):
        return group, ""
    largest = int(sizes.max())
    return group, (
        f"{largest} of {len(gold)} pairs are linked by common images, more than a fold's worth ({limit}): "
        f"they are spread over folds, and pairs that share an image with those held out take no part in "
        f"selecting the configuration scored on them."
    )
