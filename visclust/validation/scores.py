"""Score a clustering against people's judgements of pairs, as drawn and weighted to the whole corpus."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from visclust.base.bootstrap import find_interval, resample_sums
from visclust.base.columns import check_clusters, check_gold
from visclust.base.provenance import recorded
from visclust.base.simulated import mark_simulated
from visclust.validation.pair_weights import find_strata, read_design_weights, read_weights, settle_weights
from visclust.validation.poststratified import (
    CellCounts,
    count_cells,
    describe_empty,
    estimate_scores,
    find_ends,
)
from visclust.validation.waves import explain_waves, join_reasons

SCORES = ("precision", "recall", "f1", "mean_precision_recall", "coverage")
"""The measures, in the order of the last axis of what `compute_scores` returns."""
# In simulations of the default design, intervals held the population's value clearly less often than they
# should once one pair could carry more than this share of the weight that a measure rests on.
HEAVY = 1 / 30
_TREATMENTS = ("different", "drop")


class PairPrediction(NamedTuple):
    """What a clustering says of each pair: are both images in one cluster, and have both a cluster at all."""

    same: np.ndarray
    assigned: np.ndarray


@recorded
def score_pairs(
    clusters: pd.DataFrame,
    gold: pd.DataFrame,
    *,
    weights: pd.DataFrame | pd.Series | np.ndarray | str | None = None,
    design: pd.DataFrame | None = None,
    unassigned: str = "different",
    n_bootstrap: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Score a clustering by the pairs that people judged: precision, recall, F1, their mean, coverage.

    Raw scores describe the pairs as drawn, which are chosen to be hard, and not the corpus. With the pair
    design they are post-stratified: how many pairs the clustering joins in each stratum is known exactly, and
    the pairs judged there say what share of them people call the same. With weights alone each pair counts by
    the inverse of its inclusion probability, which leaves far more to chance. Both speak for the corpus as
    far as the answers are right: a wrong "same" among the many pairs that are far apart weighs as much as a
    right one (see `select_for_review`).

    Parameters
    ----------
    clusters : DataFrame
        A clusters table with a row for every image of the pairs.
    gold : DataFrame, n rows
        A gold table: ``pair_id, image_a, image_b, same``. If it has a column ``stratum`` (or the pairs table
        given as `weights` has), pairs are resampled within strata, as they were drawn.
    weights : DataFrame, str, Series or ndarray, optional
        The pairs table that `sample_pairs` gave; or "inclusion_probability" for that column of `gold`; or
        the weights themselves, one per row of `gold`. Adds the design-weighted rows, or serves the
        post-stratified ones. Of pairs of several draws (a column ``wave``, see `keep_answered_pairs`) these
        rest on the last wave alone. A column ``look_weight`` of `gold` multiplies them, other than weights
        given as numbers (see `merge_looks`).
    design : DataFrame, optional
        The pair design that the pairs were drawn with, see `design_pairs`; adds the post-stratified rows. The
        strata, and unless `weights` are given the probabilities, are taken from `gold`.
    unassigned : {"different", "drop"}, default "different"
        Whether a pair with an unassigned image counts as predicted different, or not at all. Coverage is of
        all pairs in either case.
    n_bootstrap : int, default 2000
        Resamples of the pairs, or draws of what they leave open.
    level : float, default 0.95
        Confidence level of the intervals.
    seed : int, default 0
        Seed of the resamples and draws.

    Returns
    -------
    DataFrame
        One row per measure, first raw, then weighted: ``measure`` (precision; recall; f1;
        mean_precision_recall, the paper's "average"; coverage, the share of pairs whose two images both have
        a cluster), ``weighting`` ("raw", "post-stratified" or "design-weighted"), ``estimate, low, high``,
        ``n`` (pairs that the measure rests on: those predicted same for precision, called same by people for
        recall, else all that count), ``n_effective`` (Kish's effective number: how many of equal weight would
        tell as much; of the mean the smaller of its two) and ``reason`` (why a number is missing, or is less
        sure than its interval looks); ``simulated`` where the gold pairs are.

    Raises
    ------
    ValueError
        If the tables do not match, there is no gold pair, or a weight is missing.

    Source
    ------
    Casas et al., "Automated Visual Clustering …", section on validation and Figure 4. Post-stratification:
    Särndal, Swensson & Wretman (1992), Model Assisted Survey Sampling, section 7.6; its draws: Rubin (1981),
    The Bayesian Bootstrap, and Fay, Proschan & Brittain (2015), Combining One-Sample Confidence Procedures,
    Biometrics 71. Weights alone: Hájek's ratio (Särndal et al., section 5.7) with Wilson's interval on the
    effective number after Korn & Graubard (1998), Survey Methodology 24. Kish (1965), Survey Sampling, 11.7.

    Notes
    -----
    Raw intervals are percentiles of resamples within strata. Post-stratified ones are percentiles of draws
    (see ``benchmarks/coverage_pairs.md`` for how often they hold the truth, and where less often than they
    say): exact where a score rests on one cell, that is the joined or the other pairs of one stratum, and the
    more like mid-P intervals the more cells share its variance. Where judged pairs of a cell all agree, they
    stay open, and cells without a judged pair, which are taken to be like the nearest ones, may be anything:
    `reason` says how much lies there. Coverage is then known exactly.

    Pairs left without a gold answer (unresolved or not judged) are taken as missing at random. Pairs that
    share an image are resampled as if they did not: what is left to chance is which pairs were drawn.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abc"), "cluster": [0, 0, 1],
    ...                          "iteration": 0, "silhouette": 0.5})
    >>> gold = pd.DataFrame({"pair_id": list("pqr"), "image_a": list("aab"), "image_b": list("bcc"),
    ...                      "same": [True, True, False]})
    >>> score_pairs(clusters, gold)[["measure", "estimate"]].round(3).head(3)
         measure  estimate
    0  precision     1.000
    1     recall     0.500
    2         f1     0.667
    """
    gold = check_gold(gold, named=isinstance(weights, pd.DataFrame))
    if not len(gold):
        raise ValueError("Expected at least one gold pair, got none. Label and resolve some pairs first.")
    weights = settle_weights(gold, weights, design)
    prediction = predict_same(clusters, gold)
    same = gold["same"].to_numpy(dtype=bool)
    strata = find_strata(gold, weights)
    waves = explain_waves(gold, weights)
    counts = count_pairs(prediction, same, np.ones(len(gold)), unassigned=unassigned)
    kept = prediction.assigned if unassigned == "drop" else np.ones(len(gold), dtype=bool)
    rows = _score_raw(counts, strata, kept, n_bootstrap=n_bootstrap, level=level, seed=seed)
    if design is not None:
        weight = read_design_weights(gold, weights, design)
        counted = count_cells(
            [clusters], [prediction], gold, design, weight=weight, weights=weights, unassigned=unassigned
        )
        counts = count_pairs(prediction, same, weight, unassigned=unassigned)
        rows += _score_by_design(
            counted, counts, kept, n_draws=n_bootstrap, level=level, seed=seed, waves=waves
        )
    elif weights is not None:
        counts = count_pairs(prediction, same, read_weights(gold, weights), unassigned=unassigned)
        rows += _score_weighted(counts, strata, kept, level=level, waves=waves)
    return mark_simulated(pd.DataFrame(rows), gold)


def _score_raw(
    counts: np.ndarray,
    strata: np.ndarray | None,
    kept: np.ndarray,
    *,
    n_bootstrap: int,
    level: float,
    seed: int,
) -> list[dict]:
    """Score the pairs as drawn; intervals are percentiles of resamples within strata."""
    estimates = compute_scores(counts.sum(axis=0))
    replicates = compute_scores(resample_sums(counts, n_bootstrap=n_bootstrap, seed=seed, strata=strata))
    low, high = find_interval(replicates, level=level)
    n_undefined = np.isnan(replicates).sum(axis=0)
    n_effective, n_of = _count_effective(counts), _count_support(counts, kept)
    rows = []
    for i, measure in enumerate(SCORES):
        missing = bool(np.isnan(estimates[i]))
        reasons = (
            [_explain_missing(counts.sum(axis=0))]
            if missing
            else [
                *_doubt_interval(measure, low[i], high[i], n_effective[i]),
                *_report_undefined(int(n_undefined[i]), n_bootstrap),
            ]
        )
        interval = (np.nan, np.nan) if missing else (low[i], high[i])
        rows.append(
            _make_row(measure, "raw", estimates[i], interval, n_of[i], n_effective[i], join_reasons(reasons))
        )
    return rows


def _score_by_design(
    counted: CellCounts, counts: np.ndarray, kept: np.ndarray, *, n_draws: int, level: float, seed: int,
    waves: str,
) -> list[dict]:  # fmt: skip
    """Score by the strata of a design; intervals are percentiles of draws, and hold the estimate."""
    estimates = estimate_scores(counted)[0]
    low, high = (end[0] for end in find_ends(counted, n_draws=n_draws, seed=seed, level=level))
    n_of, n_effective = _count_support(counts, kept), _count_effective(counts)
    empty_joined, empty_apart = describe_empty(counted, 0)
    support = (counts > 0).sum(axis=0)
    rows = []
    for i, measure in enumerate(SCORES):
        missing = bool(np.isnan(estimates[i]))
        reasons = []
        if missing:
            none_joined = not counted.totals[0][1::2].sum()
            whys = ["the clustering joins no pair"] * (none_joined and measure != "recall")
            whys += ["people call no judged pair the same"] * (not support[2] and measure != "precision")
            reasons.append(f"undefined: {' and '.join(whys) or 'no pair counts for it'}")
        elif measure == "coverage":
            reasons.append("known exactly")
        else:
            reasons += _report_empty(measure, empty_joined, empty_apart, support)
        interval = (np.nan, np.nan) if missing else (low[i], high[i])
        reasons.append(waves)
        rows.append(
            _make_row(
                measure, "post-stratified", estimates[i], interval, n_of[i], n_effective[i],
                join_reasons(reasons),
            )
        )  # fmt: skip
    return rows


def _report_empty(measure: str, joined: float, apart: float, support: np.ndarray) -> list[str]:
    """Say how much of the corpus lies in cells where no pair was judged."""
    reasons = []
    if not support[1]:
        reasons.append("no judged pair is joined, so that it is a guess")
    elif not support[2] and measure != "precision":
        reasons.append("people call no judged pair the same, so that it is a guess")
    elif joined > 0.001:
        reasons.append(f"{joined:.1%} of the joined pairs lie in strata where no joined pair was judged")
    if apart > 0.001 and measure != "precision":
        reasons.append(f"{apart:.1%} of the other pairs lie in strata where no such pair was judged")
    return reasons


def _score_weighted(
    counts: np.ndarray, strata: np.ndarray | None, kept: np.ndarray, *, level: float, waves: str
) -> list[dict]:
    """Score by weights alone: Hájek's ratios, with Wilson's interval on the effective number of pairs."""
    estimates, heaviest = compute_scores(counts.sum(axis=0)), find_heaviest(counts)
    n_effective, n_of = _count_effective(counts), _count_support(counts, kept)
    variances = _linearise(counts, strata)
    rows = []
    for i, measure in enumerate(SCORES):
        missing = bool(np.isnan(estimates[i]))
        reasons = [_explain_missing(counts.sum(axis=0))] if missing else _doubt_weight(measure, heaviest[i])
        interval = (np.nan, np.nan)
        if not missing:
            interval = _find_wilson(estimates[i], variances[i], n_effective[i], level=level)
        reasons.append(waves)
        rows.append(
            _make_row(
                measure, "design-weighted", estimates[i], interval, n_of[i], n_effective[i],
                join_reasons(reasons),
            )
        )  # fmt: skip
    return rows


def _make_row(
    measure: str, weighting: str, estimate: float, interval: tuple[float, float], n: int, n_effective: float,
    reason: str,
) -> dict:  # fmt: skip
    low, high = interval
    return {"measure": measure, "weighting": weighting, "estimate": estimate, "low": low, "high": high,
            "n": n, "n_effective": n_effective, "reason": reason}  # fmt: skip


def _count_support(counts: np.ndarray, kept: np.ndarray) -> list[int]:
    """Count the pairs that each measure rests on, whatever their weights; pairs of other waves have none."""
    used = counts[:, 4] > 0
    either = int((used & kept).sum())
    return [int((counts[:, 1] > 0).sum()), int((counts[:, 2] > 0).sum()), either, either, int(used.sum())]


def _linearise(counts: np.ndarray, strata: np.ndarray | None) -> np.ndarray:
    """Estimate the variance of each score, (5,), by linearization of its ratio within strata."""
    both, predicted, same, assigned, total = counts.T
    sums = counts.sum(axis=0)
    scores = compute_scores(sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        residuals = [
            (both - scores[0] * predicted) / sums[1],
            (both - scores[1] * same) / sums[2],
            (2 * both - scores[2] * (predicted + same)) / (sums[1] + sums[2]),
        ]
        residuals += [(residuals[0] + residuals[1]) / 2, (assigned - scores[4] * total) / sums[4]]
    code = np.zeros(len(counts)) if strata is None else np.unique(strata, return_inverse=True)[1]
    variances = np.zeros(len(SCORES))
    for each in np.unique(code):
        inside = np.stack(residuals)[:, code == each]
        n = inside.shape[1]
        spread = inside - inside.mean(axis=1, keepdims=True) if n > 1 else inside
        variances += n / max(n - 1, 1) * (spread**2).sum(axis=1)
    return variances


def _find_wilson(
    estimate: float, variance: float, n_effective: float, *, level: float
) -> tuple[float, float]:
    """Find Wilson's interval where the variance says how many pairs a simple random sample would need.

    Kish's effective number bounds that number, and stands in for it where all pairs agree; a t distribution
    with one less stands in for the normal.
    """
    n = n_effective
    if variance > 0 and 0 < estimate < 1:
        n = min(n, estimate * (1 - estimate) / variance)
    critical = float(stats.t.ppf((1 + level) / 2, max(n_effective - 1, 1)))
    shrunk = critical**2 / n
    centre = (estimate + shrunk / 2) / (1 + shrunk)
    half = critical / (1 + shrunk) * np.sqrt(estimate * (1 - estimate) / n + shrunk / (4 * n))
    return max(0.0, min(estimate, centre - half)), min(1.0, max(estimate, centre + half))


def _explain_missing(support: np.ndarray) -> str:
    reasons = []
    if not support[1]:
        reasons.append("the clustering puts no judged pair into one cluster")
    if not support[2]:
        reasons.append("people call no judged pair the same")
    return "undefined: " + " and ".join(reasons)


def _doubt_interval(measure: str, low: float, high: float, n_effective: float) -> list[str]:
    """Say why an interval of raw scores may look surer than it is."""
    if measure == "coverage" or not (low == high and low in (0.0, 1.0)):
        return []
    reasons = [f"every resample gives {low:g}, so that the interval shows no uncertainty"]
    if measure in ("precision", "recall"):
        may_be_off = min(1.0, 3 / n_effective)
        reasons.append(f"by the rule of three the true value may be off by {may_be_off:.3f}")
    return reasons


def _doubt_weight(measure: str, heaviest: float) -> list[str]:
    """Say where one pair carries much of what a weighted measure rests on."""
    if measure == "coverage" or heaviest <= HEAVY:
        return []
    share = min(1.0, heaviest)
    return [f"one pair of large weight moves it by up to {share:.0%}: give the pair design, which helps"]


def _report_undefined(n_undefined: int, n_bootstrap: int) -> list[str]:
    if not n_undefined:
        return []
    return [f"undefined in {n_undefined} of {n_bootstrap} resamples, which the interval leaves out"]


def predict_same(clusters: pd.DataFrame, pairs: pd.DataFrame) -> PairPrediction:
    """Say for each of n pairs whether a clustering puts its two images into the same cluster.

    A pair with an unassigned image is not the same, two unassigned images neither. Raises ValueError where an
    image of the pairs is not in the clusters table.
    """
    clusters = check_clusters(clusters)
    index = pd.Index(clusters["image_id"])
    rows = [index.get_indexer(pd.Index(pairs[side])) for side in ("image_a", "image_b")]
    absent = (rows[0] < 0) | (rows[1] < 0)
    if absent.any():
        example = pairs.iloc[int(np.flatnonzero(absent)[0])]
        raise ValueError(
            f"Expected every image of the pairs in the clusters table; {int(absent.sum())} of {len(pairs)} "
            f"pairs name one that it lacks, such as {example['image_a']!r} with {example['image_b']!r}. "
            f"Score the clusters of the corpus that the pairs were drawn from (unassigned images are rows "
            f"with cluster -1)."
        )
    labels = clusters["cluster"].to_numpy(dtype=np.int64)
    left, right = labels[rows[0]], labels[rows[1]]
    assigned = (left >= 0) & (right >= 0)
    return PairPrediction(assigned & (left == right), assigned)


def count_pairs(
    prediction: PairPrediction, same: np.ndarray, weights: np.ndarray, *, unassigned: str = "different"
) -> np.ndarray:
    """List what each pair adds to the sums that the scores are made of, shape (n, 5).

    Its weight where it is: same by both, predicted same, same by people, assigned, there at all.
    """
    if unassigned not in _TREATMENTS:
        raise ValueError(f'Expected unassigned="different" or "drop", got {unassigned!r}.')
    kept = prediction.assigned if unassigned == "drop" else np.ones(len(same), dtype=bool)
    marks = [prediction.same & same, prediction.same, same & kept, prediction.assigned, np.ones_like(kept)]
    return np.column_stack(marks) * weights[:, None]


def compute_scores(sums: np.ndarray) -> np.ndarray:
    """Compute the scores (…, 5; as in `SCORES`) from sums (…, 5) over what `count_pairs` lists.

    NaN: precision, F1 and the mean where nothing is predicted same; recall, F1 and the mean where people call
    nothing the same.
    """
    both, predicted, same, assigned, total = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = both / predicted, both / same
        # From the counts rather than from precision and recall, which are both 0 where nothing is shared.
        f1 = np.where((predicted > 0) & (same > 0), 2 * both / (predicted + same), np.nan)
        coverage = assigned / total
    return np.stack([precision, recall, f1, (precision + recall) / 2, coverage], axis=-1)


def _count_effective(counts: np.ndarray) -> np.ndarray:
    """Count how many pairs of equal weight would tell as much as those that each measure rests on (Kish).

    A number per measure of `SCORES`; of the mean the smaller of its two.
    """
    effective = [one.sum() ** 2 / (one**2).sum() if one.any() else 0.0 for one in _list_weights(counts)]
    effective[3] = min(effective[:2])
    return np.array(effective)


def find_heaviest(counts: np.ndarray) -> np.ndarray:
    """Find the largest share of the weight behind each measure that one pair could have.

    Any pair, of the largest weight too, might have been among those that a measure rests on. A share per
    measure of `SCORES`: of the mean the larger of its two; 0 for coverage, whose pairs are all there are, and
    where a measure rests on nothing.
    """
    largest = counts[:, 4].max()
    shares = [min(1.0, largest / one.sum()) if one.any() else 0.0 for one in _list_weights(counts)]
    shares[3] = max(shares[:2])
    shares[SCORES.index("coverage")] = 0.0
    return np.array(shares)


def _list_weights(counts: np.ndarray) -> list[np.ndarray]:
    """List the weights of the pairs that each measure rests on."""
    _, predicted, same, _, everything = counts.T
    either = np.maximum(predicted, same)
    return [predicted, same, either, either, everything]
