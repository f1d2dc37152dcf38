"""Does iterative clustering beat a single k-means: each configuration against the best single one."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.comparison import compare_configurations
from visclust.configuration_grid import check_measure, count_grid, join_settings
from visclust.pair_counts import compute_scores

__all__ = ["IterativeComparison", "compare_iterative_with_single"]


class IterativeComparison(NamedTuple):
    """Each iterative configuration against the best single k-means, and the summary."""

    points: pd.DataFrame
    summary: pd.DataFrame


def compare_iterative_with_single(
    grid: Mapping[str, pd.DataFrame],
    gold: pd.DataFrame,
    *,
    settings: pd.DataFrame,
    by: str = "embedding",
    measure: str = "f1",
    weights: Any = None,
    unassigned: str = "different",
    n_bootstrap: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> IterativeComparison:
    """Compare each iterative configuration with the best single k-means on the same embedding.

    The baseline is the single k-means that scores best on these pairs, which favours it: an advantage of an
    iterative configuration chosen beforehand is rather understated.

    Parameters
    ----------
    grid : mapping of str to DataFrame
        A clusters table for each configuration, by name.
    gold : DataFrame
        A gold table.
    settings : DataFrame
        ``configuration``, ``method`` ("iterative" or "single") and the column named by `by`.
    by : str, default "embedding"
        Column of `settings`; configurations are compared within its values.
    measure : str, default "f1"
        "precision", "recall", "f1" or "mean_precision_recall".
    weights, unassigned, n_bootstrap, level, seed
        As for `compare_configurations`.

    Returns
    -------
    IterativeComparison
        ``points``: per iterative configuration its settings, ``estimate, low, high``,
        ``baseline_configuration, baseline``, ``difference`` (own minus baseline) with ``difference_low,
        difference_high``, ``above`` (bool), ``cannot_be_told_apart`` (bool) and ``rank`` (1 is best) within
        the value of `by`. ``summary``: per value of `by`, and for "all" where there are several:
        ``n_iterative, n_above, share_above``, and of the best iterative one against the baseline
        ``best_configuration, best, baseline_configuration, baseline, difference, difference_low,
        difference_high``. "all" sets the best of all against the best single k-means of all; its counts are
        the sums of the others.

    Raises
    ------
    ValueError
        If settings are missing, or an embedding has configurations of one method only.

    Source
    ------
    Casas et al., "Automated Visual Clustering …", Figure 7.

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
    options: dict[str, Any] = {
        "measure": measure, "weights": weights, "unassigned": unassigned, "n_bootstrap": n_bootstrap,
        "level": level, "seed": seed,
    }  # fmt: skip
    known = join_settings(pd.DataFrame({"configuration": list(grid)}), settings)
    known["score"] = compute_scores(
        count_grid(grid, gold, weights=weights, unassigned=unassigned).sum(axis=1)
    )[:, place]
    points, summary = [], []
    for value, group in known.groupby(by, sort=False):
        single, iterative = (group[group["method"] == method] for method in ("single", "iterative"))
        if single["score"].isna().all() or not len(iterative):
            raise ValueError(
                f"Expected for {by} {value!r} a single k-means whose {measure} is defined and an iterative "
                f"configuration, got {len(single)} single and {len(iterative)} iterative ones."
            )
        baseline = _name_best(single)
        inside = {name: grid[name] for name in [baseline, *iterative["configuration"]]}
        part = _list_points(compare_configurations(inside, gold, reference=baseline, **options), measure)
        points.append(join_settings(part, known.drop(columns="score")))
        summary.append({by: value, **_summarise(part)})
    if len(summary) > 1:
        above = pd.concat(points)["above"]
        baseline, top = (_name_best(known[known["method"] == method]) for method in ("single", "iterative"))
        two = {baseline: grid[baseline], top: grid[top]}
        best = _list_points(compare_configurations(two, gold, reference=baseline, **options), measure)
        counts = {"n_iterative": len(above), "n_above": int(above.sum()), "share_above": float(above.mean())}
        summary.append({by: "all", **_summarise(best), **counts})
    return IterativeComparison(pd.concat(points, ignore_index=True), pd.DataFrame(summary))


def _list_points(compared: pd.DataFrame, measure: str) -> pd.DataFrame:
    """List the configurations other than the reference, best first."""
    own = compared["configuration"] == compared["reference"]
    points = compared[~own].rename(
        columns={measure: "estimate", f"{measure}_low": "low", f"{measure}_high": "high",
                 "reference": "baseline_configuration"}
    )  # fmt: skip
    points = points.assign(baseline=compared.loc[own, measure].iloc[0], above=points["difference"] > 0)
    points = points.sort_values("estimate", ascending=False, kind="stable", ignore_index=True)
    points["rank"] = np.arange(1, len(points) + 1)
    columns = ["configuration", "estimate", "low", "high", "baseline_configuration", "baseline", "difference",
               "difference_low", "difference_high", "above", "cannot_be_told_apart", "rank"]  # fmt: skip
    return points[columns]


def _summarise(points: pd.DataFrame) -> dict[str, Any]:
    best = points.iloc[0]
    return {
        "n_iterative": len(points),
        "n_above": int(points["above"].sum()),
        "share_above": float(points["above"].mean()),
        "best_configuration": best["configuration"],
        "best": best["estimate"],
        **{name: best[name] for name in ("baseline_configuration", "baseline", "difference", "difference_low",
                                         "difference_high")},
    }  # fmt: skip


def _name_best(scored: pd.DataFrame) -> str:
    """Name the configuration with the highest score, the first of equals; an undefined one comes last."""
    return str(scored["configuration"].iloc[int(scored["score"].fillna(-1.0).to_numpy().argmax())])
