"""Whether an analysis of ratings finds what was put into simulated ones."""

import numpy as np
import pandas as pd

from visclust.group_contrasts import GroupComparison, compare_groups
from visclust.rating_model import RatingModel, draw_cluster_effects
from visclust.simulated_ratings import SimulatedRatings, expect_contrasts, simulate_ratings

__all__ = ["compare_with_truth", "measure_coverage"]


def compare_with_truth(
    comparison: GroupComparison, simulated: SimulatedRatings, sample: pd.DataFrame
) -> pd.DataFrame:
    """Set differences between groups beside the true ones of the model that made the ratings.

    Parameters
    ----------
    comparison : GroupComparison
        What `compare_groups` found in ``simulated.ratings``.
    simulated : SimulatedRatings
        From `simulate_ratings`.
    sample : DataFrame
        The sample table.

    Returns
    -------
    DataFrame
        The ``differences`` with ``truth`` and ``covered``: whether the interval holds it.

    Examples
    --------
    >>> sample = pd.DataFrame({"image_id": ["a"], "cluster": [0], "inclusion_probability": [0.5],
    ...                        "weight": [2.0]})
    >>> assignment = pd.DataFrame({"respondent": ["r", "s"], "group": ["Democrat", "Republican"],
    ...     "position": 1, "image_id": "a", "cluster": 0})
    >>> simulated = simulate_ratings(assignment)
    >>> compared = compare_groups(simulated.ratings, sample, n_bootstrap=5)
    >>> compare_with_truth(compared, simulated, sample)[["truth", "covered"]].shape
    (39, 2)
    """
    expected = expect_contrasts(simulated, sample).set_index(["weighting", "item", "group"])["expected"]
    table = comparison.differences
    own, other = (
        expected.reindex(pd.MultiIndex.from_frame(table[["weighting", "item", name]])).to_numpy()
        for name in ("group", "reference")
    )
    truth = own - other
    return table.assign(truth=truth, covered=table["low"].le(truth) & table["high"].ge(truth))


def measure_coverage(
    assignment: pd.DataFrame,
    sample: pd.DataFrame,
    *,
    model: RatingModel | None = None,
    n_surveys: int = 40,
    n_bootstrap: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure how often the intervals of `compare_groups` hold the truth, over surveys simulated anew.

    Clusters stay as they are; respondents, images and ratings are drawn anew in each survey.

    Parameters
    ----------
    assignment, sample : DataFrame
        The design of the survey.
    model : RatingModel, optional
        By default that of `simulate_ratings`.
    n_surveys : int, default 40
        Surveys.
    n_bootstrap : int, default 200
        Resamples for each.
    level : float, default 0.95
        Confidence level.
    seed : int, default 0
        Seed of everything.

    Returns
    -------
    DataFrame
        A row per weighting and level (emotions or dimensions): ``weighting, level, intervals, coverage,
        uncertainty`` (two standard errors of the coverage, surveys counting as independent and the items of
        one survey not), ``bias`` (mean error), ``standard_error`` (mean of those estimated), ``spread``
        (standard deviation of the errors, which it should equal) and ``simulated``.

    Raises
    ------
    ValueError
        If fewer than two surveys are asked for.

    Examples
    --------
    >>> sample = pd.DataFrame({"image_id": ["a", "b"], "cluster": [0, 1], "inclusion_probability": [0.5, 0.1],
    ...                        "weight": [2.0, 10.0]})
    >>> rows = [(f"{g}{r}", g, p + 1, i, p) for g in ("Democrat", "Republican") for r in range(20)
    ...         for p, i in enumerate("ab")]
    >>> names = ["respondent", "group", "position", "image_id", "cluster"]
    >>> measure_coverage(pd.DataFrame(rows, columns=names), sample, n_surveys=2)["intervals"].tolist()
    [20, 6, 20, 6, 20, 6]
    """
    if n_surveys < 2:
        raise ValueError(f"Expected two surveys or more, got n_surveys={n_surveys}.")
    model = RatingModel() if model is None else model
    seeds = np.random.default_rng(seed).integers(2**31, size=n_surveys + 1)
    effects = draw_cluster_effects(model, assignment["cluster"], seed=int(seeds[-1]))
    found = []
    for number, own_seed in enumerate(seeds[:-1]):
        simulated = simulate_ratings(assignment, model=model, cluster_effects=effects, seed=int(own_seed))
        compared = compare_groups(
            simulated.ratings,
            sample,
            dimensions=model.dimensions,
            n_bootstrap=n_bootstrap,
            level=level,
            seed=int(own_seed),
        )
        found.append(compare_with_truth(compared, simulated, sample).assign(survey=number))
    table = pd.concat(found, ignore_index=True)
    table["error"] = table["estimate"] - table["truth"]
    keys = ["weighting", "level"]
    by_survey = table.groupby([*keys, "survey"], sort=False)["covered"].mean().groupby(keys, sort=False)
    by_item = table.groupby([*keys, "item", "group"], sort=False)["error"].std().groupby(keys, sort=False)
    summary = table.groupby(keys, sort=False).agg(
        intervals=("covered", "size"),
        coverage=("covered", "mean"),
        bias=("error", "mean"),
        standard_error=("standard_error", "mean"),
    )
    summary.insert(2, "uncertainty", 2 * by_survey.std() / np.sqrt(n_surveys))
    return summary.assign(spread=by_item.mean(), simulated=True).reset_index()
