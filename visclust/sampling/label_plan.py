"""How many labels a wanted interval needs: at random, stratified, and with guesses, from a pilot sample."""

import math
from bisect import bisect_left
from typing import NamedTuple

import numpy as np
import pandas as pd

from visclust.base.columns import check_clusters
from visclust.base.copies import take_pictures
from visclust.base.provenance import recorded
from visclust.base.simulated import mark_simulated
from visclust.sampling.estimates import join_values
from visclust.sampling.guesses import pick_guesses
from visclust.sampling.intervals import Certainty, find_interval
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
    size they can need more labels for a share of the corpus than a random sample. The half-width is that of
    the very interval that `estimate_corpus` gives by default, for the variance to expect: about half of the
    samples of that number give a wider one. The numbers rest on the pilot, and are no surer than it is; where
    it shows no variance at all of values that are no share, the plan reckons with one image that is off by
    their whole span. Where the clusters name representatives, the images are those for pictures.

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
    mean, is_share = float(np.average(y, weights=weights)), bool(np.isin(y, [0, 1]).all())
    span = 0.0 if is_share else float(np.ptp(y))  # the interval of a share knows of unseen errors by itself
    whole = np.array([sizes.sum()])
    designs = {
        "random": _Prospect(_spread(y, weights, span), whole, taken=None),
        "stratified": _Prospect(_spread_within(y, codes, sizes, span), sizes, taken=None),
    }
    if guesses is not None:
        everyone = pick_guesses(
            guesses, name, category=None, categories=[], image_ids=pictures["image_id"], needed=design.covers
        )
        guess = everyone[pd.Index(pictures["image_id"]).get_indexer(sample["image_id"])]
        share = _slope(y, guess, weights, np.zeros(len(y), dtype=np.int64))
        among_all = _spread(y - share * guess, weights, span)
        designs["random with guesses"] = _Prospect(among_all, whole, taken=share)
        share = _slope(y, guess, weights, codes)
        within = _spread_within(y - share * guess, codes, sizes, span)
        designs["stratified with guesses"] = _Prospect(within, sizes, taken=share)
    rows, curves = [], []
    for kind, prospect in designs.items():

        def measure(each: int, prospect: _Prospect = prospect) -> float:
            return prospect.measure(each, mean, is_share=is_share, level=level)

        least, most = prospect.least, int(prospect.most.max())
        # More labels never make it wider: the first number that will do is found by halving.
        reach = range(least, most + 1)
        at = reach[min(bisect_left(reach, 1, key=lambda each: measure(each) <= half_width), len(reach) - 1)]
        rows.append({"design": kind, "images": prospect.count(at), "half_width": measure(at)})
        shown = np.unique(np.append(np.geomspace(least, most, _POINTS).astype(np.int64), at)).tolist()
        table = pd.DataFrame({"images": [prospect.count(each) for each in shown]})
        table = table.assign(design=kind, half_width=[measure(each) for each in shown])
        table = table[["design", "images", "half_width"]]
        curves.append(table.assign(reached=[each == at for each in shown]))
    plan = pd.DataFrame(rows)
    plan["share_of_corpus"] = plan["images"] / len(pictures)
    plan["saved"] = 1 - plan["images"] / plan["images"].iloc[0]
    plan["population"] = int(total)
    curve = pd.concat(curves, ignore_index=True)
    return LabelPlan(*(mark_simulated(table, sample) for table in (plan, curve)))


class _Spread(NamedTuple):
    """Variances within strata (s,), and the fourth cumulant within strata over the variance, of all."""

    variances: np.ndarray
    excess: float


def _spread(values: np.ndarray, weights: np.ndarray, span: float) -> _Spread:
    """Give the variance between all images of the corpus (1,), from weighted ones.

    Where the pilot shows none, as where guesses are right of all of it, as if one more image had been off by
    the span.
    """
    mean = float(np.average(values, weights=weights))
    variance = np.average((values - mean) ** 2, weights=weights) * len(values) / max(len(values) - 1, 1)
    if variance <= _NOTHING * span**2:
        variance = span**2 / (len(values) + 1)
    return _Spread(np.array([variance]), 0.0)  # of one stratum, the degrees of freedom are known


def _spread_within(values: np.ndarray, codes: np.ndarray, sizes: np.ndarray, span: float) -> _Spread:
    """Give the variance within each stratum: its own, and that of all as if it were one more image.

    Where the pilot shows none, as in `_spread`.
    """
    drawn = np.bincount(codes, minlength=len(sizes))
    means = np.bincount(codes, weights=values, minlength=len(sizes)) / np.maximum(drawn, 1)
    apart = values - means[codes]
    squares = np.bincount(codes, weights=apart**2, minlength=len(sizes))
    free = np.maximum(drawn - 1, 0)
    if not free.any():
        raise ValueError(
            "The pilot has one image of each cluster, so that nothing is seen of how much they differ "
            "within. Draw two or more per cluster (max_per_cluster)."
        )
    if squares.sum() <= _NOTHING * span**2:
        return _Spread(np.full(len(sizes), span**2 / (free.sum() + 2)), 0.0)
    common = float(squares.sum() / free.sum())
    excess = float((apart**4).sum() / free.sum()) / common - 3 * common if common > 0 else 0.0
    return _Spread(np.asarray((squares + common) / (free + 1)), excess)


def _slope(y: np.ndarray, guess: np.ndarray, weights: np.ndarray, codes: np.ndarray) -> float:
    """Give the slope of the value on the guess within strata; 0 where the guesses do not differ there."""
    counts = np.bincount(codes, weights=weights)
    centred = [
        each - (np.bincount(codes, weights=weights * each) / np.maximum(counts, 1e-300))[codes]
        for each in (y, guess)
    ]
    own = float((weights * centred[1] ** 2).sum())
    return float((weights * centred[0] * centred[1]).sum()) / own if own > 1e-12 * len(y) else 0.0


class _Prospect:
    """What `estimate_corpus` will find with some number of labels, as far as the pilot can tell.

    Of one stratum, or of several that all give as many images (all but one where they have fewer). Variances
    and degrees of freedom are those expected of the estimator's default, "moderated".
    """

    def __init__(self, spread: "_Spread", sizes: np.ndarray, *, taken: float | None) -> None:
        (self.spread, self.excess), self.sizes, self.taken = spread, sizes, taken
        spread = self.spread
        one = len(sizes) == 1 and len(spread) == 1
        self.most = sizes if one else np.maximum(sizes - 1, 1)
        # One image per cluster shows nothing within; the share of guesses costs one degree of freedom more.
        self.least = min(3 if one and taken is not None else 2, int(self.most.max()))

    def count(self, each: int) -> int:
        """Count the labels."""
        return int(np.minimum(each, self.most).sum())

    def judge(self, each: int) -> Certainty:
        """Say what the interval will rest on."""
        sizes, drawn = self.sizes, np.minimum(each, self.most)
        free = (drawn - 1).astype(float)
        factors = sizes * (sizes - drawn) / drawn / float(sizes.sum()) ** 2
        everyone, n = float(free.sum()), int(drawn.sum())
        typical = float((free * self.spread).sum()) / everyone if everyone else float(self.spread.mean())
        variance = float((factors * (free * self.spread + typical) / (free + 1)).sum())
        seen = np.where(free > 0, self.spread, typical)
        # Of a stratum with one sampled image, half of the square of a pair is known. Variances seen in few
        # images vary, the more so the rarer what makes them: then few strata show one, and freedom is less.
        free = np.where(free > 0, free, 0.5)
        chance = factors**2 * (2 * seen**2 / free + np.maximum(self.excess * seen / drawn, 0.0))
        parts = factors * seen
        noise = float(((parts**2 + chance) / free).sum())
        freedom = (parts.sum() ** 2 + chance.sum()) / noise if noise > 0 else math.inf
        freedom = min(float(freedom), everyone or len(sizes) / 2) if noise > 0 else math.inf
        if self.taken and everyone > 1:
            spare = n - len(sizes)
            variance *= spare / (spare - 1)
            freedom = max(1.0, freedom - 1)
        squares = float((sizes**2 / drawn).sum())
        left = float((sizes * (sizes - drawn) / drawn).sum()) / squares
        return Certainty(variance, freedom, n, float(sizes.sum()) ** 2 / squares, left)

    def measure(self, each: int, share: float, *, is_share: bool, level: float) -> float:
        """Measure the half-width of the estimator's own interval."""
        whole = 1.0 if is_share else None
        ends = find_interval(share, self.judge(each), level=level, whole=whole, taken=self.taken or 0.0)
        return float(ends.high - ends.low) / 2
