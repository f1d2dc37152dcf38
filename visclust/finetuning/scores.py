"""How well each feature is found on held-out images, with intervals over groups of near copies."""

import numpy as np
import pandas as pd

from visclust.base.bootstrap import find_interval

_MEASURES = ("average_precision", "roc_auc", "f1")
_LARGEST_BLOCK = 4_000_000  # weights of images in resamples at a time
# Resampling so few hardly ever shows what other images of the kind would have scored.
_FEW = 5


def score_features(
    probabilities: np.ndarray,
    targets: np.ndarray,
    *,
    features: list[str],
    groups: np.ndarray | None = None,
    cutoff: float = 0.5,
    n_bootstrap: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Score each feature by average precision, ROC AUC and F1, with bootstrap intervals.

    `probabilities` and `targets` (1, 0, NaN where missing) have shape (n, features); missing labels count for
    nothing. The columns of the result are described in `finetune`. Average precision is as in scikit-learn,
    the sum over thresholds of precision times the step in recall; F1 takes a feature as found from the
    `cutoff` on. Whole `groups` of near copies, shape (n), are resampled (by default every image is its own;
    Davison and Hinkley 1997, Bootstrap Methods and their Application, section 3.8). The percentile intervals
    say how much the scores depend on which images were held out, not how much on the training's seed.
    """
    groups = np.arange(len(targets)) if groups is None else np.unique(groups, return_inverse=True)[1]
    rows = []
    for at, feature in enumerate(features):
        known = ~np.isnan(targets[:, at])
        truth, score = targets[known, at] == 1, probabilities[known, at]
        once = np.ones((1, len(truth)))
        estimates = _measure_all(score, truth, weights=once, cutoff=cutoff)[:, 0]
        replicates = np.full((len(_MEASURES), 1), np.nan)
        if len(truth):
            replicates = _bootstrap(
                score, truth, groups=groups[known], cutoff=cutoff, n_bootstrap=n_bootstrap, seed=seed
            )
        low, high = find_interval(replicates.T, level=level)
        base_rate = float(truth.mean()) if len(truth) else np.nan
        guesses = {"average_precision": base_rate, "roc_auc": 0.5, "f1": 2 * base_rate / (1 + base_rate)}
        for measure, estimate, lower, upper in zip(_MEASURES, estimates, low, high, strict=True):
            rows.append(
                {
                    "feature": feature,
                    "measure": measure,
                    "estimate": estimate,
                    "low": lower,
                    "high": upper,
                    "base_rate": base_rate,
                    "by_guessing": guesses[measure],
                    "positives": int(truth.sum()),
                    "n": len(truth),
                    "reason": _explain(truth, estimate),
                }
            )
    return pd.DataFrame(rows)


def _explain(truth: np.ndarray, estimate: float) -> str:
    if not np.isnan(estimate):
        few = min(truth.sum(), (~truth).sum()) < _FEW
        return f"fewer than {_FEW} labels of one kind: the interval is too narrow" if few else ""
    if not len(truth):
        return "no image with a label"
    return "no positive label" if not truth.any() else "no negative label"


def average_precisions(probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Give the average precision of each feature, without intervals; NaN where it has no positive label."""
    result = np.full(targets.shape[1], np.nan)
    for at, column in enumerate(targets.T):
        known = ~np.isnan(column)
        once = np.ones((1, int(known.sum())))
        found = _measure_all(probabilities[known, at], column[known] == 1, weights=once, cutoff=0.5)
        result[at] = found[0, 0]
    return result


def _bootstrap(
    score: np.ndarray, truth: np.ndarray, *, groups: np.ndarray, cutoff: float, n_bootstrap: int, seed: int
) -> np.ndarray:
    """Give replicates of each measure, shape (measures, n_bootstrap): whole groups drawn with replacement."""
    code = np.unique(groups, return_inverse=True)[1]
    n_groups = int(code.max()) + 1
    rng = np.random.default_rng(seed)
    step = max(1, _LARGEST_BLOCK // len(truth))
    blocks = []
    for start in range(0, n_bootstrap, step):
        size = min(step, n_bootstrap - start)
        drawn = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=size)
        weights = drawn[:, code].astype(float)
        blocks.append(_measure_all(score, truth, weights=weights, cutoff=cutoff))
    return np.concatenate(blocks, axis=1)


def _measure_all(score: np.ndarray, truth: np.ndarray, *, weights: np.ndarray, cutoff: float) -> np.ndarray:
    """Give the measures (three, m) for each row of `weights` (m, n), how often each image counts.

    NaN where a measure is undefined.
    """
    if not len(truth):
        return np.full((len(_MEASURES), len(weights)), np.nan)
    order = np.argsort(-score, kind="stable")
    score, truth, weights = score[order], truth[order], weights[:, order]
    # Images of one score are one threshold: only the sums after the last of them count.
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    true = np.cumsum(weights * truth, axis=1)[:, last]
    false = np.cumsum(weights * ~truth, axis=1)[:, last]
    positives, negatives = true[:, -1], false[:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        # Where no image has been drawn yet there is no precision, and no step in recall either.
        precision = true / np.maximum(true + false, 1e-300)
        steps = np.diff(true, axis=1, prepend=0)
        average = (precision * steps).sum(axis=1) / positives
        false_steps = np.diff(false, axis=1, prepend=0)
        auc = (false_steps * (true - steps / 2)).sum(axis=1) / (positives * negatives)
        found = score >= cutoff
        hits, alarms = (weights * (truth & found)).sum(axis=1), (weights * (~truth & found)).sum(axis=1)
        f1 = 2 * hits / (hits + alarms + positives)
    f1[positives == 0] = np.nan
    return np.stack([average, auc, f1])
