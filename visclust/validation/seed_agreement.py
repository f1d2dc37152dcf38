"""How much of what configurations differ by is the seed's: seeds against settings."""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from visclust.base.provenance import recorded
from visclust.base.simulated import mark_simulated
from visclust.validation.comparison import check_measure
from visclust.validation.counted_grid import Grid, count_grid, score_clusterings
from visclust.validation.seeds import list_by_seed


@recorded
def compare_seeds(
    grid: Grid,
    gold: pd.DataFrame,
    *,
    measure: str = "f1",
    design: pd.DataFrame | None = None,
    unassigned: str = "different",
) -> pd.DataFrame:
    """Tell how far seeds agree on the configurations, and how much of their scores is the seed's.

    Parameters
    ----------
    grid : mapping of str to DataFrame, or to a mapping of int to DataFrame
        As for `compare_configurations`: at least two configurations with at least two seeds in common. What
        has one clustering, and a consensus, take no part.
    gold : DataFrame
        A gold table.
    measure : str, default "f1"
        "precision", "recall", "f1" or "mean_precision_recall".
    design : DataFrame, optional
        As for `score_pairs`: scores are then post-stratified, and raw without it.
    unassigned : {"different", "drop"}, default "different"
        As for `score_pairs`.

    Returns
    -------
    DataFrame
        One row: ``measure, n_configurations`` (of which `measure` is defined with every seed), ``n_seeds``,
        ``sd_between_seeds`` (standard deviation between the seeds of a configuration, root mean square),
        ``sd_between_configurations`` (between their means, less what the seeds alone bring to that),
        ``rank_correlation`` (Spearman's, of the configurations with one seed and with another, mean over the
        pairs of seeds: 1 if all seeds put them in one order, 0 if by chance), ``winners`` (how many
        configurations are the best with some seed), ``simulated`` where the gold pairs are.

    Raises
    ------
    ValueError
        If there are fewer configurations or common seeds, or the tables do not match.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": list("abcd"), "cluster": [0, 0, 1, 1]})
    >>> gold = pd.DataFrame({"pair_id": list("pqr"), "image_a": list("aac"), "image_b": list("bcd"),
    ...                      "same": [True, False, True]})
    >>> poor = table.assign(cluster=[0, 1, 1, 1])
    >>> grid = {"good": {0: table, 1: table}, "poor": {0: poor, 1: table}}
    >>> compare_seeds(grid, gold)[["n_configurations", "n_seeds", "winners"]].values.tolist()
    [[2, 2, 2]]
    """
    place = check_measure(measure)
    counted = count_grid(grid, gold, weights=None, design=design, unassigned=unassigned)
    scores = score_clusterings(counted)[:, place]
    by_seed = list_by_seed(scores, counted.members)
    by_seed = by_seed[~np.isnan(by_seed).any(axis=1)]
    n, n_seeds = by_seed.shape
    if n < 2 or n_seeds < 2:
        raise ValueError(
            f"Expected two or more configurations whose {measure} is defined with two or more seeds that "
            f"they have in common, got {n} with {n_seeds} seeds. Give a grid with a clusters table for each "
            "seed, such as {'k = 80': {0: clusters, 1: others}}."
        )
    within = by_seed.var(axis=1, ddof=1).mean()
    between = by_seed.mean(axis=1).var(ddof=1) - within / n_seeds
    ranks = np.stack([rankdata(column) for column in by_seed.T])
    pairs = [_correlate(ranks[i], ranks[j]) for i, j in combinations(range(n_seeds), 2)]
    row = {
        "measure": measure,
        "n_configurations": n,
        "n_seeds": n_seeds,
        "sd_between_seeds": float(np.sqrt(within)),
        "sd_between_configurations": float(np.sqrt(max(0.0, between))),
        "rank_correlation": float(np.mean(pairs)),
        "winners": int((by_seed == by_seed.max(axis=0)).any(axis=1).sum()),
    }
    return mark_simulated(pd.DataFrame([row]), gold)


def _correlate(one: np.ndarray, other: np.ndarray) -> float:
    """Correlate two rankings; NaN where one of them puts all in one place."""
    if not one.std() or not other.std():
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])
