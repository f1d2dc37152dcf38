"""Score a clustering against people's judgements of pairs, as drawn and weighted to the whole corpus."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from visclust.base.bootstrap import find_interval, resample_sums
from visclust.base.checks import check_numbers
from visclust.base.columns import check_clusters, check_gold
from visclust.base.provenance import recorded
from visclust.base.simulated import mark_simulated
from visclust.base.tables import check_used
from visclust.validation.waves import explain_waves, find_waves, join_reasons

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
    unassigned: str = "different",
    n_bootstrap: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Score a clustering by the pairs that people judged: precision, recall, F1, their mean, coverage.

    Raw scores describe the pairs as drawn. Where pairs were drawn with unequal probabilities they are
    biased for the corpus, and the design-weighted ones, in which each pair counts by the inverse of its
    inclusion probability, are not (up to the small bias of any ratio of two estimated sums).

    Parameters
    ----------
    clusters : DataFrame
        A clusters table with a row for every image of the pairs.
    gold : DataFrame, n rows
        A gold table: ``pair_id, image_a, image_b, same``. If it has a column ``stratum`` (or the pairs table
        given as `weights` has), pairs are resampled within strata, as they were drawn.
    weights : DataFrame, str, Series or ndarray, optional
        The pairs table that `sample_pairs` gave; or "inclusion_probability" for that column of `gold`; or
        the weights themselves, one per row of `gold`. Adds the design-weighted rows. Of pairs of several
        draws (a column ``wave``, see `keep_answered_pairs`) these rest on the last wave alone.
    unassigned : {"different", "drop"}, default "different"
        Whether a pair with an unassigned image counts as predicted different, or not at all. Coverage is of
        all pairs in either case.
    n_bootstrap : int, default 2000
        Resamples of the pairs.
    level : float, default 0.95
        Confidence level of the percentile intervals.
    seed : int, default 0
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        One row per measure, first raw, then design-weighted: ``measure`` (precision; recall; f1;
        mean_precision_recall, the paper's "average"; coverage, the share of pairs whose two images both have
        a cluster), ``weighting`` ("raw" or "design-weighted"), ``estimate, low, high``, ``n`` (pairs that the
        measure rests on: those predicted same for precision, called same by people for recall, else all
        that count), ``n_effective`` (Kish's effective number: how many of equal weight would tell as much; of
        the mean the smaller of its two) and ``reason`` (why a number is missing, or is less sure than its
        interval looks); ``simulated`` where the gold pairs are.

    Raises
    ------
    ValueError
        If the tables do not match, there is no gold pair, or a weight is missing.

    Source
    ------
    Casas et al., "Automated Visual Clustering …", section on validation and Figure 4; the weights are those
    of Hájek's estimator of a ratio (Särndal, Swensson & Wretman 1992, section 5.7), the effective number is
    from Kish (1965), Survey Sampling, section 11.7.

    Notes
    -----
    A few random pairs stand for nearly all pairs of a corpus, so that design-weighted scores, precision above
    all, can hang on a handful of them; percentile intervals are then too narrow. `reason` says so where one
    pair could carry more than a thirtieth of the weight: give the random stratum a larger share.

    Pairs left without a gold answer (unresolved or not judged) are taken as missing at random. Pairs that
    share an image are resampled as if they did not, which makes intervals a little narrow where few images
    carry many pairs.

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
    prediction = predict_same(clusters, gold)
    same = gold["same"].to_numpy(dtype=bool)
    strata = find_strata(gold, weights)
    weightings = {"raw": np.ones(len(gold))}
    if weights is not None:
        weightings["design-weighted"] = read_weights(gold, weights)
    waves = explain_waves(gold, weights)
    rows = []
    for name, weight in weightings.items():
        # Counts of pairs say what a measure rests on, whatever their weights; pairs of other waves have none.
        used = (weight > 0).astype(np.float64)
        support = count_pairs(prediction, same, used, unassigned=unassigned).sum(axis=0)
        kept = int(used[prediction.assigned].sum()) if unassigned == "drop" else int(used.sum())
        n_of = {"precision": int(support[1]), "recall": int(support[2]), "coverage": int(used.sum())}
        counts = count_pairs(prediction, same, weight, unassigned=unassigned)
        estimates = compute_scores(counts.sum(axis=0))
        sums = resample_sums(counts, n_bootstrap=n_bootstrap, seed=seed, strata=strata)
        replicates = compute_scores(sums)
        low, high = find_interval(replicates, level=level)
        n_undefined = np.isnan(replicates).sum(axis=0)
        n_effective = _count_effective(counts)
        heaviest = find_heaviest(counts) if name != "raw" else np.zeros(len(SCORES))
        for i, measure in enumerate(SCORES):
            missing = bool(np.isnan(estimates[i]))
            rows.append(
                {
                    "measure": measure,
                    "weighting": name,
                    "estimate": estimates[i],
                    "low": np.nan if missing else low[i],
                    "high": np.nan if missing else high[i],
                    "n": n_of.get(measure, kept),
                    "n_effective": n_effective[i],
                    "reason": join_reasons(
                        [
                            *(
                                [_explain_missing(support)]
                                if missing
                                else [
                                    *_doubt_interval(measure, low[i], high[i], n_effective[i], heaviest[i]),
                                    *_report_undefined(int(n_undefined[i]), n_bootstrap),
                                ]
                            ),
                            waves if name != "raw" else "",
                        ]
                    ),
                }
            )
    return mark_simulated(pd.DataFrame(rows), gold)


def _explain_missing(support: np.ndarray) -> str:
    reasons = []
    if not support[1]:
        reasons.append("the clustering puts no judged pair into one cluster")
    if not support[2]:
        reasons.append("people call no judged pair the same")
    return "undefined: " + " and ".join(reasons)


def _doubt_interval(measure: str, low: float, high: float, n_effective: float, heaviest: float) -> list[str]:
    """Say why an interval may look surer than it is."""
    if measure == "coverage":
        return []
    reasons = []
    if low == high and low in (0.0, 1.0):
        reasons.append(f"every resample gives {low:g}, so that the interval shows no uncertainty")
        if measure in ("precision", "recall"):
            may_be_off = min(1.0, 3 / n_effective)
            reasons.append(f"by the rule of three the true value may be off by {may_be_off:.3f}")
    if heaviest > HEAVY:
        reasons.append(
            f"one pair of large weight moves it by up to {min(1.0, heaviest):.0%}, so that the interval is "
            f"likely too narrow: label more random pairs"
        )
    return reasons


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


def read_weights(gold: pd.DataFrame, weights: pd.DataFrame | pd.Series | np.ndarray | str) -> np.ndarray:
    """Find the design weight of each gold pair: the inverse of its inclusion probability.

    `weights` is as `score_pairs` describes it. Raises ValueError where a pair has none above 0. Pairs of
    earlier waves, whose probabilities are of another design, get the weight 0.
    """
    if isinstance(weights, pd.DataFrame):
        check_used(weights, "pairs", ["pair_id", "inclusion_probability"])
        found = weights.set_index("pair_id")["inclusion_probability"].reindex(gold["pair_id"])
        return _take_last_wave(_invert(found.to_numpy(dtype=np.float64), gold), gold, weights)
    if isinstance(weights, str):
        if weights != "inclusion_probability" or weights not in gold.columns:
            raise ValueError(
                f'Expected the pairs table, an array of weights, or "inclusion_probability" where the gold '
                f"table has that column (it has {', '.join(map(str, gold.columns))}), got {weights!r}."
            )
        return _take_last_wave(_invert(gold[weights].to_numpy(dtype=np.float64), gold), gold, weights)
    if isinstance(weights, pd.Series) and not weights.index.equals(gold.index):
        raise ValueError(
            "Expected a Series of weights with the index of the gold table, got another index. "
            "Make it from the gold table's own columns, or give the pairs table instead."
        )
    values = check_numbers("weights", weights)
    if values.shape != (len(gold),) or not np.isfinite(values).all() or (values <= 0).any():
        raise ValueError(
            f"Expected {len(gold)} finite weights above 0, one per gold pair, got shape {values.shape}"
            + (f" with smallest value {values.min()}." if values.size else ".")
        )
    return values


def _take_last_wave(weight: np.ndarray, gold: pd.DataFrame, weights: object) -> np.ndarray:
    waves = find_waves(gold, weights)
    return weight if waves is None else np.where(waves == waves.max(), weight, 0.0)


def find_strata(gold: pd.DataFrame, weights: object = None) -> np.ndarray | None:
    """Find the stratum, within its wave, of each gold pair, if gold or the pairs table says so."""
    if "stratum" in gold.columns:
        found = gold["stratum"]
    elif isinstance(weights, pd.DataFrame) and "stratum" in weights.columns:
        found = weights.drop_duplicates("pair_id").set_index("pair_id")["stratum"].reindex(gold["pair_id"])
    else:
        return None
    strata = found.astype(str).to_numpy(dtype=str)
    waves = find_waves(gold, weights)
    return strata if waves is None else np.char.add(np.char.add(waves.astype(str), " "), strata)


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


def _invert(probability: np.ndarray, gold: pd.DataFrame) -> np.ndarray:
    # Written so that NaN is caught too.
    wrong = ~((probability > 0) & (probability <= 1))
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"Expected an inclusion probability above 0 and at most 1 for every gold pair, got "
            f"{probability[at]} for {gold['pair_id'].iloc[at]!r} ({int(wrong.sum())} such pairs). "
            f"Give the pairs table that these gold pairs were drawn with."
        )
    return 1 / probability
