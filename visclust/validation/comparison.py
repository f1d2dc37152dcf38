"""Compare configurations on the same judged pairs: those of a grid, and iterative ones with a single k-means.

The seeds of a configuration are replicates of it: what is compared are means over them.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.bootstrap import find_interval
from visclust.base.columns import check_gold
from visclust.base.provenance import recorded
from visclust.base.simulated import mark_simulated
from visclust.clustering.consensus import SeedConsensus
from visclust.validation.counted_grid import (
    CountedGrid,
    Grid,
    count_grid,
    doubt_scores,
    keep_configurations,
    replicate_scores,
    score_clusterings,
)
from visclust.validation.pair_weights import settle_weights
from visclust.validation.scores import SCORES, predict_same
from visclust.validation.seeds import (
    ONE,
    SEEDS,
    SeedChance,
    add_seeds,
    add_seeds_to_difference,
    average_over_seeds,
    list_seed_values,
    measure_seed_error,
    share_wins,
    unfold_grid,
)
from visclust.validation.waves import explain_waves, join_reasons


class IterativeComparison(NamedTuple):
    """Each iterative configuration against the best single k-means, and the summary."""

    points: pd.DataFrame
    summary: pd.DataFrame


@recorded
def compare_configurations(
    grid: Grid,
    gold: pd.DataFrame,
    *,
    settings: pd.DataFrame | None = None,
    reference: str | None = None,
    measure: str = "f1",
    weights: Any = None,
    design: pd.DataFrame | None = None,
    unassigned: str = "different",
    n_bootstrap: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Score every configuration of a grid on all gold pairs, and its difference from one of them.

    Seeds are replicates: a configuration's score is the mean over its seeds, and so is the difference of two.
    The intervals carry the chance of the pairs, which are the same for all seeds and do not average out, and
    the chance of the seeds. All configurations are scored on the same resampled pairs, and two that ran with
    the same seeds are compared seed by seed, so that what is hard or lucky for both cancels out.

    Parameters
    ----------
    grid : mapping of str to DataFrame, or to a mapping of int to DataFrame
        For each configuration, by name, its clusters table, or one for each seed; `add_consensus` adds the
        consensus over the seeds as a configuration of its own.
    gold : DataFrame
        A gold table.
    settings : DataFrame, optional
        ``configuration`` and its settings, such as embedding, threshold and step, to have in the result. A
        consensus has those of its configuration.
    reference : str, optional
        Configuration to compare with; by default the best on `measure`, which by being chosen on these same
        pairs looks a little better than it is (see `cross_validate`).
    measure : str, default "f1"
        "precision", "recall", "f1" or "mean_precision_recall".
    weights, design, unassigned
        As for `score_pairs`; with a design all scores are post-stratified, with weights alone
        design-weighted.
    n_bootstrap : int, default 2000
        Resamples of the pairs.
    level : float, default 0.95
        Confidence level of each interval by itself; nothing is corrected for the number of comparisons.
    seed : int, default 0
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        One row per configuration, in the order of the grid: ``configuration``, its settings, each measure
        (precision, recall, f1, mean_precision_recall, coverage: means over the seeds) with ``…_low`` and
        ``…_high``, ``kind`` ("mean over seeds", "consensus" or "one clustering"), ``n_seeds``, ``seed_sd``
        (of `measure` between seeds; missing for a consensus), ``seed_error`` (the standard error of `measure`
        that is owed to the seeds alone), ``share_won`` (of the seeds, in how many it is the best; missing
        where the configurations have no seeds in common), ``winner`` (bool: the highest on `measure`, the
        first of equals), ``criterion`` (`measure`), ``reference`` (name), ``difference`` (own minus the
        reference's), ``difference_low, difference_high``, ``cannot_be_told_apart`` (bool: the interval of
        the difference holds 0) and ``reason``; ``simulated`` where the gold pairs are.

    Raises
    ------
    ValueError
        If the tables do not match, or no configuration puts any judged pair into one cluster.

    Notes
    -----
    To the bootstrap of the pairs each interval adds the variance between seeds over their number S, by draws
    from Student's t with S - 1 degrees of freedom, as few seeds know their variance badly. What each seed's
    own luck with the pairs adds to that variance is taken out of the bootstrap, to be counted once. In
    simulations such intervals held the truth in 93 to 97% for three seeds and more; two seeds give very wide
    ones (``benchmarks/coverage_seeds.md``). Of a consensus the seeds' part is a jackknife over the seeds.
    With one clustering the interval leaves out what another seed would change, and `reason` says so.

    Source
    ------
    Casas et al., "Automated Visual Clustering …", section on validation and Figure 5; paired bootstrap and
    jackknife after Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapters 8, 11 and 13.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": list("abc"), "cluster": [0, 0, 1],
    ...                       "iteration": 0, "silhouette": 0.5})
    >>> gold = pd.DataFrame({"pair_id": list("pqr"), "image_a": list("aab"), "image_b": list("bcc"),
    ...                      "same": [True, True, False]})
    >>> grid = {"two": table, "one": table.assign(cluster=0)}
    >>> compare_configurations(grid, gold)[["configuration", "f1", "winner"]].round(2).values.tolist()
    [['two', 0.67, False], ['one', 0.8, True]]
    """
    check_measure(measure)
    counted = count_grid(grid, gold, weights=weights, design=design, unassigned=unassigned)
    table = compare_counted(
        counted, reference=reference, measure=measure, n_bootstrap=n_bootstrap, level=level, seed=seed
    )
    waves = explain_waves(gold, settle_weights(gold, weights, design))
    table["reason"] = [join_reasons([reason, waves]) for reason in table["reason"]]
    return mark_simulated(join_settings(table, extend_settings(settings, grid)), gold)


@recorded
def compare_iterative_with_single(
    grid: Grid,
    gold: pd.DataFrame,
    *,
    settings: pd.DataFrame,
    by: str = "embedding",
    measure: str = "f1",
    weights: Any = None,
    design: pd.DataFrame | None = None,
    unassigned: str = "different",
    n_bootstrap: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> IterativeComparison:
    """Compare each iterative configuration with the best single k-means on the same embedding.

    The baseline is the single k-means that scores best on these pairs, which favours it: an advantage of an
    iterative configuration chosen beforehand is rather understated. Both are means over their seeds.

    Parameters
    ----------
    grid : mapping of str to DataFrame, or to a mapping of int to DataFrame
        As for `compare_configurations`. A consensus takes no part: single k-means has none here to be set
        against it.
    gold : DataFrame
        A gold table.
    settings : DataFrame
        ``configuration``, ``method`` ("iterative" or "single") and the column named by `by`.
    by : str, default "embedding"
        Column of `settings`; configurations are compared within its values.
    measure : str, default "f1"
        "precision", "recall", "f1" or "mean_precision_recall". The paper's Figure 7 is drawn by the last, the
        mean of precision and recall, which a clustering of high recall and little precision can win as well;
        F1 asks for both. The two can name different winners: report by which one you chose.
    weights, design, unassigned, n_bootstrap, level, seed
        As for `compare_configurations`.

    Returns
    -------
    IterativeComparison
        ``points``: per iterative configuration its settings, ``measure``, ``estimate, low, high``,
        ``n_seeds, seed_sd, baseline_configuration, baseline``, ``difference`` (own minus baseline) with
        ``difference_low, difference_high``, ``above`` (bool), ``cannot_be_told_apart`` (bool) and ``rank``
        (1 is best) within the value of `by`. ``summary``: per value of `by`, and for "all" where there are
        several: ``measure, n_iterative, n_above, share_above``, and of the best iterative one against the
        baseline ``best_configuration, best, baseline_configuration, baseline, difference, difference_low,
        difference_high``. "all" sets the best of all against the best single k-means of all; its counts are
        the sums of the others.

    Raises
    ------
    ValueError
        If settings are missing, or an embedding has configurations of one method only.

    Source
    ------
    Casas et al., "Automated Visual Clustering …", Figure 7, drawn by ``measure="mean_precision_recall"``.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": list("abc"), "cluster": [0, 0, 1],
    ...                       "iteration": 0, "silhouette": 0.5})
    >>> gold = pd.DataFrame({"pair_id": list("pqr"), "image_a": list("aab"), "image_b": list("bcc"),
    ...                      "same": [True, False, False]})
    >>> grid = {"iterative": table, "single": table.assign(cluster=0)}
    >>> settings = pd.DataFrame({"configuration": list(grid), "method": list(grid), "embedding": "resnet18"})
    >>> compare_iterative_with_single(grid, gold, settings=settings).summary["share_above"].tolist()
    [1.0]
    """
    place = check_measure(measure)
    absent = [name for name in ("configuration", "method", by) if name not in settings.columns]
    if absent:
        raise ValueError(
            f"Expected settings with the column {absent[0]}, got {', '.join(map(str, settings.columns))}."
        )
    strange = settings.loc[~settings["method"].isin(["iterative", "single"]), "method"]
    if len(strange):
        raise ValueError(
            f'Expected the methods "iterative" and "single" in the settings, got {strange.iloc[0]!r}.'
        )
    grid = {name: each for name, each in grid.items() if not isinstance(each, SeedConsensus)}
    known = join_settings(pd.DataFrame({"configuration": list(grid)}), settings)
    counted = count_grid(grid, gold, weights=weights, design=design, unassigned=unassigned)
    scores = score_clusterings(counted)
    known["score"] = average_over_seeds(scores, counted.members)[:, place]

    def compare_with(baseline: str, others: Iterable[str]) -> pd.DataFrame:
        compared = compare_counted(
            keep_configurations(counted, [baseline, *others]),
            reference=baseline, measure=measure, n_bootstrap=n_bootstrap, level=level, seed=seed,
        )  # fmt: skip
        return _list_points(compared, measure)

    points, summary = [], []
    for value, group in known.groupby(by, sort=False):
        single, iterative = (group[group["method"] == method] for method in ("single", "iterative"))
        if single["score"].isna().all() or not len(iterative):
            raise ValueError(
                f"Expected for {by} {value!r} a single k-means whose {measure} is defined and an iterative "
                f"configuration, got {len(single)} single and {len(iterative)} iterative ones."
            )
        part = compare_with(_name_best(single), iterative["configuration"])
        points.append(join_settings(part, known.drop(columns="score")))
        summary.append({by: value, "measure": measure, **_summarise(part)})
    if len(summary) > 1:
        above = pd.concat(points)["above"]
        baseline, top = (_name_best(known[known["method"] == method]) for method in ("single", "iterative"))
        shares = {"n_iterative": len(above), "n_above": int(above.sum()), "share_above": float(above.mean())}
        shares["n_told_above"] = sum(row["n_told_above"] for row in summary)
        best = _summarise(compare_with(baseline, [top]))
        summary.append({by: "all", "measure": measure, **best, **shares})
    return IterativeComparison(
        mark_simulated(pd.concat(points, ignore_index=True), gold),
        mark_simulated(pd.DataFrame(summary), gold),
    )


@recorded
def list_comparable(grid: Grid, gold: pd.DataFrame, *, least: int = 1) -> list[str]:
    """List the configurations whose precision, recall and F1 are defined on the judged pairs.

    Parameters
    ----------
    grid : mapping of str to DataFrame, or to a mapping of int to DataFrame
        As for `compare_configurations`; it may be empty.
    gold : DataFrame
        A gold table; it may be empty.
    least : int, default 1
        Judged pairs that must be in one cluster, with every seed, and as many that people call the same.

    Returns
    -------
    list of str
        The names. `compare_configurations` and its like refuse a grid in which there is none.

    Raises
    ------
    ValueError
        If the tables do not match.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": list("abc"), "cluster": [0, 0, 1]})
    >>> gold = pd.DataFrame({"pair_id": ["p"], "image_a": ["a"], "image_b": ["b"], "same": [True]})
    >>> grid = {"two": table.assign(iteration=0, silhouette=0.5)}
    >>> list_comparable(grid, gold), list_comparable(grid, gold.head(0))
    (['two'], [])
    """
    gold = check_gold(gold)
    if gold["same"].sum() < least:
        return []
    flat, members = unfold_grid(grid)
    enough = np.array([predict_same(clusters, gold).same.sum() >= least for _, clusters in flat])
    return [name for name, each in zip(grid, members, strict=True) if enough[each.estimate].all()]


def compare_counted(
    counted: CountedGrid,
    *,
    reference: str | None = None,
    measure: str,
    n_bootstrap: int,
    level: float,
    seed: int,
) -> pd.DataFrame:
    """Do what `compare_configurations` does on a grid that is counted already; without settings."""
    place = check_measure(measure)
    names, members = counted.names, counted.members
    scores = score_clusterings(counted)
    estimates = average_over_seeds(scores, members)
    if np.isnan(estimates[:, place]).all():
        raise ValueError(
            f"Expected a configuration whose {measure} is defined, got none: no clustering puts a judged "
            f"pair into one cluster, or people call none the same. Label more pairs within clusters."
        )
    best = int(np.nanargmax(estimates[:, place]))
    if reference is not None and reference not in names:
        raise ValueError(f"Expected a reference from the grid ({', '.join(names)}), got {reference!r}.")
    against = best if reference is None else names.index(reference)
    by_clustering = replicate_scores(counted, n_bootstrap=n_bootstrap, seed=seed)
    return tabulate_comparison(
        counted, scores, by_clustering, against=against, measure=measure, level=level, seed=seed
    )


def tabulate_comparison(
    counted: CountedGrid,
    scores: np.ndarray,
    by_clustering: np.ndarray,
    *,
    against: int,
    measure: str,
    level: float,
    seed: int,
) -> pd.DataFrame:
    """Tabulate the configurations from the scores (g, 5) of all clusterings and their replicates.

    Each replicate is of one resample of the pairs, the same for all clusterings; `by_clustering`
    (3, B, g, 5) as `replicate_scores` gives it.
    """
    place, names, members = check_measure(measure), counted.names, counted.members
    estimates = average_over_seeds(scores, members)
    all_means = average_over_seeds(by_clustering, members)
    n_bootstrap = by_clustering.shape[1]
    draw = SeedChance(n_bootstrap, seed=seed)
    sides = all_means[[0, -1]]
    for c, each in enumerate(members):
        for i in range(len(SCORES)):
            own = list_seed_values(scores[:, i], each)
            for side, drawn in zip(sides, (by_clustering[0], by_clustering[-1]), strict=True):
                resampled = list_seed_values(drawn[..., i], each)
                side[:, c, i] = add_seeds(side[:, c, i], estimates[c, i], own, resampled, draw)
    low, high = (np.clip(find_interval(side, level=level)[end], 0, 1) for end, side in enumerate(sides))
    means, by_clustering = all_means[1], by_clustering[1]
    table: dict[str, Any] = {"configuration": names}
    for i, name in enumerate(SCORES):
        missing = np.isnan(estimates[:, i])
        table[name] = estimates[:, i]
        table[f"{name}_low"] = np.where(missing, np.nan, low[:, i])
        table[f"{name}_high"] = np.where(missing, np.nan, high[:, i])
    ours, resampled = scores[:, place], by_clustering[:, :, place]
    said = [(each, list_seed_values(ours, each), list_seed_values(resampled, each)) for each in members]
    paired = np.stack(
        [
            add_seeds_to_difference(
                means[:, c, place] - means[:, against, place],
                float(estimates[c, place] - estimates[against, place]),
                said[c],
                said[against],
                draw,
            )
            for c in range(len(names))
        ],
        axis=1,
    )
    difference = estimates[:, place] - estimates[against, place]
    difference_low, difference_high = (np.clip(end, -1, 1) for end in find_interval(paired, level=level))
    missing = np.isnan(difference)
    n_undefined = np.isnan(paired).sum(axis=0)
    doubts = [doubt_scores(counted, each, place) for each in members]
    best = int(np.nanargmax(estimates[:, place]))
    errors = [measure_seed_error(values) for _, values, _ in said]
    table |= {
        "kind": [each.kind for each in members],
        "n_seeds": [max(1, len(each.seeds)) for each in members],
        "seed_sd": [values.std(ddof=1) if each.kind == SEEDS else np.nan for each, values, _ in said],
        "seed_error": errors,
        "share_won": share_wins(ours, members),
        "winner": np.arange(len(names)) == best,
        "criterion": measure,
        "reference": names[against],
        "difference": difference,
        "difference_low": np.where(missing, np.nan, difference_low),
        "difference_high": np.where(missing, np.nan, difference_high),
        "cannot_be_told_apart": ~missing & (difference_low <= 0) & (difference_high >= 0),
        "reason": [
            _explain(
                measure, ours[each.estimate], each.kind, seed_error=error,
                n_undefined=int(n), n_bootstrap=n_bootstrap, doubts=doubt,
            )
            for each, error, n, doubt in zip(members, errors, n_undefined, doubts, strict=True)
        ],
    }  # fmt: skip
    return pd.DataFrame(table)


def _explain(
    measure: str,
    scores: np.ndarray,
    kind: str,
    *,
    seed_error: float,
    n_undefined: int,
    n_bootstrap: int,
    doubts: list[str],
) -> str:
    """Say what is missing, and what the interval does not hold, of the scores of a configuration's seeds."""
    if gone := int(np.isnan(scores).sum()):
        seeds = f" with {gone} of {len(scores)} seeds" if len(scores) > 1 else ""
        return f"{measure} is undefined{seeds}: no judged pair in one cluster, or none called the same"
    reasons = []
    if kind == ONE:
        reasons.append("one clustering: the interval leaves out what another seed would change")
    elif np.isnan(seed_error):
        return f"{measure} is undefined without one of the seeds: nothing tells what other seeds would change"
    reasons += doubts
    if n_undefined:
        reasons.append(
            f"undefined in {n_undefined} of {n_bootstrap} resamples, which the interval leaves out"
        )
    return "; ".join(reasons)


def _list_points(compared: pd.DataFrame, measure: str) -> pd.DataFrame:
    """List the configurations other than the reference, best first."""
    own = compared["configuration"] == compared["reference"]
    points = compared[~own].rename(
        columns={measure: "estimate", f"{measure}_low": "low", f"{measure}_high": "high",
                 "reference": "baseline_configuration"}
    )  # fmt: skip
    points = points.assign(baseline=compared.loc[own, measure].iloc[0], above=points["difference"] > 0)
    told = points["difference"].notna() & ~points["cannot_be_told_apart"]
    points["side"] = np.where(told, np.where(points["above"], "above", "below"), "cannot be told apart")
    points = points.sort_values("estimate", ascending=False, kind="stable", ignore_index=True)
    points["rank"] = np.arange(1, len(points) + 1)
    columns = ["configuration", "measure", "estimate", "low", "high", "baseline_configuration", "baseline",
               "difference", "difference_low", "difference_high", "above", "cannot_be_told_apart", "side",
               "rank", "n_seeds", "seed_sd"]  # fmt: skip
    return points.assign(measure=measure)[columns]


def _summarise(points: pd.DataFrame) -> dict[str, Any]:
    best = points.iloc[0]
    return {
        "n_iterative": len(points),
        "n_above": int(points["above"].sum()),
        "share_above": float(points["above"].mean()),
        "n_told_above": int(points["side"].eq("above").sum()),
        "best_configuration": best["configuration"],
        "best": best["estimate"],
        **{name: best[name] for name in ("baseline_configuration", "baseline", "difference", "difference_low",
                                         "difference_high")},
    }  # fmt: skip


def _name_best(scored: pd.DataFrame) -> str:
    """Name the configuration with the highest score, the first of equals; an undefined one comes last."""
    return str(scored["configuration"].iloc[int(scored["score"].fillna(-1.0).to_numpy().argmax())])


def extend_settings(settings: pd.DataFrame | None, grid: Grid) -> pd.DataFrame | None:
    """Give each consensus of a grid the settings of its configuration, where it has none of its own."""
    if settings is None or "configuration" not in settings.columns:
        return settings
    known = set(settings["configuration"])
    added = [
        settings[settings["configuration"].eq(each.of)].assign(configuration=name)
        for name, each in grid.items()
        if isinstance(each, SeedConsensus) and name not in known
    ]
    return pd.concat([settings, *added], ignore_index=True) if added else settings


def join_settings(table: pd.DataFrame, settings: pd.DataFrame | None) -> pd.DataFrame:
    """Join the settings of each configuration to a table of results: its name, the settings, the results.

    Raises ValueError if a configuration has no settings or two, or a setting has the name of a result.
    """
    if settings is None:
        return table
    if "configuration" not in settings.columns or settings["configuration"].duplicated().any():
        raise ValueError(
            "Expected settings with one row per configuration, named in a column configuration, got columns "
            f"{', '.join(map(str, settings.columns))}"
            + (" and a name that comes twice." if "configuration" in settings.columns else ".")
        )
    absent = sorted(set(table["configuration"]) - set(settings["configuration"]))
    if absent:
        raise ValueError(
            f"Expected settings for every configuration; {', '.join(map(repr, absent))} has none."
        )
    clash = sorted((set(settings.columns) & set(table.columns)) - {"configuration"})
    if clash:
        raise ValueError(
            f"Expected settings under names of their own, got {', '.join(clash)}, which are results."
        )
    joined = table[["configuration"]].merge(settings, on="configuration", how="left", validate="many_to_one")
    return pd.concat([joined, table.drop(columns="configuration").reset_index(drop=True)], axis=1)


def check_measure(measure: str) -> int:
    """Check that a measure is one to choose by, and give its place in `SCORES`."""
    choices = SCORES[:-1]  # a high coverage alone says nothing about how good the clusters are
    if measure not in choices:
        raise ValueError(f"Expected one of the measures {', '.join(choices)}, got {measure!r}.")
    return choices.index(measure)
