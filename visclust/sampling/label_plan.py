"""How many labels a wanted interval needs: at random, stratified, and with guesses, from a pilot sample."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from visclust.base.columns import check_clusters
from visclust.base.copies import take_pictures
from visclust.base.provenance import recorded
from visclust.base.simulated import mark_simulated
from visclust.sampling.estimates import join_values
from visclust.sampling.guesses import is_cross_fitted, pick_guesses
from visclust.sampling.samples import find_design

_POINTS = 40
_NOTHING = 1e-12  # of the squared span of the values: what rounding leaves of no variance


class LabelPlan(NamedTuple):
    """Labels that each design needs for the wanted interval, and the half-width that each number gives."""

    plan: pd.DataFrame
    curve: pd.DataFrame


@recorded
def plan_labels(
    sample: pd.DataFrame,
    value: str | pd.Series,
    *,
    clusters: pd.DataFrame,
    guesses: pd.Series | pd.DataFrame | None = None,
    half_width: float = 0.05,
    level: float = 0.95,
) -> LabelPlan:
    """Compute how many labels a wanted interval of a mean or share needs, from a labelled pilot sample.

    Designs are compared by the variance that the pilot shows: a simple random sample; the stratified one with
    as many from each cluster (all but one from smaller ones); and both with guesses for all images. Equal
    numbers per cluster see every theme, which `plan_annotation` counts, but where clusters differ much in
    size they can need more labels for a share of the corpus than a random sample. The numbers rest on the
    pilot, and are no surer than it is. Where it shows no variance at all, as where all images of every
    cluster are alike, the plan reckons with one image that is not.

    Parameters
    ----------
    sample : DataFrame
        The pilot: from `draw_stratified_sample` or `draw_random_sample`, whole.
    value : str or Series
        What people saw in it: numbers, or True and False: a column of `sample`, or a Series by image id.
    clusters : DataFrame
        The clusters table that the pilot was drawn from; of pictures where it names representatives. The
        unassigned, where the pilot has them, count as one cluster.
    guesses : Series or DataFrame, optional
        Guesses for all images, as in `estimate_corpus`. Without them, only the first two designs are there.
    half_width : float, default 0.05
        Half of the wanted interval, in the unit of the value, above 0: 0.05 are five points of a share.
    level : float, default 0.95
        Confidence level of the interval.

    Returns
    -------
    plan : DataFrame
        A row per design ("random", "stratified", "random with guesses", "stratified with guesses"):
        ``images`` to label, ``half_width`` that they give (at or just below the wanted; above it where the
        design's most does not reach it), ``share_of_corpus``, ``saved``: how many labels less than random, as
        a share (below 0: more), and ``population``: the images for which the pilot speaks.
    curve : DataFrame
        ``design, images, half_width``, and ``reached``: True in the row of the plan. Both tables have a
        column ``simulated`` where the labels are marked so.

    Raises
    ------
    ValueError
        If the pilot was not drawn from these clusters, a value or a guess is missing, or all values
        are equal.

    Source
    ------
    Cochran (1977), Sampling Techniques, sections 4.4, 5.5 and 7.4; the annotation cost reduction of Casas,
    Webb Williams, Aslett and Wilkerson, for intervals instead of themes.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": [str(i) for i in range(2000)], "cluster": [0, 1] * 1000})
    >>> import visclust as vc
    >>> truth = pd.Series([i % 6 < 2 for i in range(2000)], index=clusters["image_id"], name="crowd")
    >>> pilot = vc.draw_random_sample(clusters, size=100)
    >>> good = truth ^ (np.arange(2000) % 11 == 0)
    >>> found = plan_labels(pilot, truth[pilot["image_id"]], clusters=clusters, guesses=good)
    >>> found.plan["saved"].round(1).tolist()
    [0.0, 0.0, 0.5, 0.5]
    """
    if half_width <= 0:
        raise ValueError(f"Expected half_width above 0, got {half_width!r}.")
    design = find_design(sample, clusters)
    ((name, column),) = join_values(sample, value).items()
    if column.isna().any():
        raise ValueError(
            f"{int(column.isna().sum())} images of the pilot have no value of {name!r}. Complete them."
        )
    y = column.to_numpy(dtype=float)
    if np.ptp(y) == 0:
        raise ValueError(
            f"All {len(y)} images of the pilot have the same {name!r}: how much it varies cannot be seen. "
            "Label more, or images chosen to differ."
        )
    pictures = take_pictures(check_clusters(clusters))
    if len(design.sizes) > 1:
        stratum = design.stratum_of_corpus[design.covers]
    else:
        stratum = np.unique(pictures["cluster"].to_numpy()[design.covers], return_inverse=True)[1]
    sizes = np.bincount(stratum)
    covered = pictures["image_id"][design.covers].reset_index(drop=True)
    codes = stratum[pd.Index(covered).get_indexer(sample["image_id"])]
    weights, total = design.weights, float(sizes.sum())
    span = float(np.ptp(y))
    designs = {"random": _spread(y, weights, span), "stratified": _spread_within(y, codes, sizes, span)}
    if guesses is not None:
        everyone = pick_guesses(
            guesses, name, category=None, categories=[], image_ids=pictures["image_id"], needed=design.covers
        )
        guess = everyone[pd.Index(pictures["image_id"]).get_indexer(sample["image_id"])]
        least = 0.0 if is_cross_fitted(guesses) else -math.inf
        left = y - max(least, _slope(y, guess, weights, np.zeros(len(y), dtype=np.int64))) * guess
        designs["random with guesses"] = _spread(left, weights, span)
        left = y - max(least, _slope(y, guess, weights, codes)) * guess
        designs["stratified with guesses"] = _spread_within(left, codes, sizes, span)
    z = float(stats.norm.ppf((1 + level) / 2))
    rows, curves = [], []
    for kind, spread in designs.items():
        images, widths = _try_numbers(kind, spread, sizes, total, z)
        enough = np.flatnonzero(widths <= half_width)
        at = int(enough[0]) if len(enough) else len(images) - 1
        rows.append({"design": kind, "images": int(images[at]), "half_width": float(widths[at])})
        shown = np.unique(np.append(np.geomspace(1, len(images), _POINTS).astype(np.int64) - 1, at))
        table = pd.DataFrame({"design": kind, "images": images[shown], "half_width": widths[shown]})
        curves.append(table.assign(reached=shown == at))
    plan = pd.DataFrame(rows)
    plan["share_of_corpus"] = plan["images"] / len(pictures)
    plan["saved"] = 1 - plan["images"] / plan["images"].iloc[0]
    plan["population"] = int(total)
    curve = pd.concat(curves, ignore_index=True)
    return LabelPlan(*(mark_simulated(table, sample) for table in (plan, curve)))


def _spread(values: np.ndarray, weights: np.ndarray, span: float) -> np.ndarray:
    """Give the variance between all images of the corpus (1,), from weighted ones.

    Where the pilot shows none, since the guesses are right of all of it, as if one more image had been off by
    the whole span of the values.
    """
    mean = float(np.average(values, weights=weights))
    found = np.average((values - mean) ** 2, weights=weights) * len(values) / max(len(values) - 1, 1)
    return np.array([found if found > _NOTHING * span**2 else span**2 / (len(values) + 1)])


def _spread_within(values: np.ndarray, codes: np.ndarray, sizes: np.ndarray, span: float) -> np.ndarray:
    """Give the variance within each stratum (s,): its own, and that of all as if it were one more image.

    Where the pilot shows none, since the images of every cluster are alike, as in `_spread`.
    """
    drawn = np.bincount(codes, minlength=len(sizes))
    means = np.bincount(codes, weights=values, minlength=len(sizes)) / np.maximum(drawn, 1)
    squares = np.bincount(codes, weights=(values - means[codes]) ** 2, minlength=len(sizes))
    free = np.maximum(drawn - 1, 0)
    if not free.any():
        raise ValueError(
            "The pilot has one image of each cluster, so that nothing is seen of how much they differ "
            "within. Draw two or more per cluster (max_per_cluster)."
        )
    if squares.sum() <= _NOTHING * span**2:
        return np.full(len(sizes), span**2 / (free.sum() + 2))
    return np.asarray((squares + squares.sum() / free.sum()) / (free + 1))


def _slope(y: np.ndarray, guess: np.ndarray, weights: np.ndarray, codes: np.ndarray) -> float:
    """Give the slope of the value on the guess within strata; 0 where the guesses do not differ there."""
    counts = np.bincount(codes, weights=weights)
    centred = [
        each - (np.bincount(codes, weights=weights * each) / np.maximum(counts, 1e-300))[codes]
        for each in (y, guess)
    ]
    own = float((weights * centred[1] ** 2).sum())
    return float((weights * centred[0] * centred[1]).sum()) / own if own > 1e-12 * len(y) else 0.0


def _try_numbers(
    kind: str, spread: np.ndarray, sizes: np.ndarray, total: float, z: float
) -> tuple[np.ndarray, np.ndarray]:
    """Give numbers of labels, rising, and the half-width of each."""
    if kind.startswith("random"):
        images = np.arange(2, int(total) + 1)
        return images, z * np.sqrt((1 - images / total) * spread[0] / images)
    most = np.maximum(sizes - 1, 1)
    numbers, widths = [], []
    for each in range(1, int(most.max()) + 1):
        drawn = np.minimum(each, most)
        variance = float((sizes * (sizes - drawn) / drawn * spread).sum()) / total**2
        numbers.append(int(drawn.sum()))
        widths.append(z * math.sqrt(max(variance, 0.0)))
    return np.array(numbers), np.array(widths)
