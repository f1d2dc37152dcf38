"""Mixed model of ratings with respondents and images as crossed random effects, fitted by REML."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from visclust.annotation.constructs import EMOTIONS
from visclust.base.checks import check_level
from visclust.base.progress import WorkBar
from visclust.base.provenance import recorded
from visclust.ratings.designs import CrossedDesign, add_up, list_designs, spread_ratings
from visclust.ratings.group_contrasts import choose_reference
from visclust.ratings.intervals import adjust_p, find_student_interval

_STEP = 0.005  # of a ratio, to measure how the criterion curves
_LEAST_RATIO = 0.05  # ratios below it are stepped as if they were as large
_COMPONENTS = ("respondent_sd", "image_sd", "group_image_sd")


class MixedContrast(NamedTuple):
    """Differences between groups, and the standard deviations of the random effects."""

    differences: pd.DataFrame
    components: pd.DataFrame


@recorded
def fit_mixed_contrast(
    ratings: pd.DataFrame,
    *,
    reference: str | None = None,
    dimensions: Mapping[str, Sequence[str]] = EMOTIONS,
    groups: str = "group",
    respondent_weights: pd.DataFrame | None = None,
    primary: bool = False,
    level: float = 0.95,
    progress: bool = True,
) -> MixedContrast:
    """Compare groups by a mixed model with random effects of respondents, images, and images within a group.

    A rating is the mean of its group, plus a normal effect of the respondent, one of the image, one of the
    image in that group, and a residual. The last but one lets an image move the groups apart: without it,
    many ratings of few images would pass for certainty about all. Images weigh about equally; the model
    knows nothing of clusters or of the corpus, and stands beside `compare_groups`, not in its place.

    Parameters
    ----------
    ratings : DataFrame
        The ratings table. Images that a group did not rate are left out.
    reference : str, optional
        Group that the others are compared with; by default the last in alphabetical order.
    dimensions : mapping of str to sequence of str, default EMOTIONS
        Items by dimension.
    groups : str, default "group"
        Column of the ratings table with the groups.
    respondent_weights : DataFrame, optional
        From `rake_respondents`: ``respondent, weight``. Each respondent's part of the likelihood counts that
        often; standard errors are those of the weighted means under the model, and rather too large where
        what was raked to predicts ratings. By default all respondents count alike.
    primary : bool, default False
        Whether this model was to be the main result, before anybody saw the ratings; `compare_groups` then
        wants ``primary="mixed model"``.
    level : float, default 0.95
        Confidence level.
    progress : bool, default True
        Show a bar over the outcomes.

    Returns
    -------
    MixedContrast
        ``differences``: as those of `compare_groups`, with the ``weighting`` "mixed model"; intervals and p
        from one t distribution with Satterthwaite's degrees of freedom: with few images these are few,
        however many people rate them. A random effect that is estimated as zero counts as known to be zero,
        as in other programs, so that with few images some intervals are too short. ``components``: a row per
        outcome: ``level, item, respondent_sd, image_sd, group_image_sd, residual_sd, ratings, images,
        simulated``, in points of the scale.

    Raises
    ------
    ValueError
        If simulated ratings are mixed with real ones, there are fewer than two groups, or no respondent rated
        several images.

    Source
    ------
    Judd, Westfall & Kenny (2012), "Treating stimuli as a random factor in social psychology". REML with the
    images eliminated blockwise and the respondents by Cholesky: Bates et al. (2015), "Fitting linear
    mixed-effects models using lme4", for the profiled criterion. Degrees of freedom: Kuznetsova, Brockhoff &
    Christensen (2017), "lmerTest package: tests in linear mixed effects models". Weights: the likelihood of
    Rabe-Hesketh & Skrondal (2006), "Multilevel modelling of complex survey data", with weights of respondents
    alone; the uncertainty of the variances is blown up by the weights' design effect.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> ratings = pd.DataFrame([(f"{g}{r}", g, f"i{i}", "proud", 3.0 + (g == "D") + rng.normal(), True)
    ...     for g in "DR" for r in range(9) for i in range(4)],
    ...     columns=["respondent", "group", "image_id", "item", "rating", "simulated"])
    >>> found = fit_mixed_contrast(ratings, dimensions={}).differences
    >>> bool(found["low"].iloc[0] < 1 < found["high"].iloc[0])
    True
    """
    check_level(level)
    spread = spread_ratings(
        ratings, dimensions=dimensions, groups=groups, respondent_weights=respondent_weights
    )
    names = sorted(spread.events["group"].unique())
    against = names.index(choose_reference(names, reference))
    specification = "primary" if primary else "robustness"
    differences, components = [], []
    for design in list_designs(spread, None):
        crossed = _Crossed(design, len(names))
        if len(design.values) <= crossed.n_respondents:
            raise ValueError(
                "Expected respondents who rated several images: with one rating each, what a respondent adds "
                "cannot be told from chance."
            )
        work = f"Fitting {len(design.columns)} mixed models"
        bar = WorkBar(design.columns, desc="Mixed models", unit="outcome", work=work, progress=progress)
        for number, column in enumerate(bar):
            ratios, curved = crossed.fit(design.values[:, number])
            fit = curved.fit
            outcome = spread.outcomes.iloc[column].to_dict()
            counts = {"ratings": len(design.values), "images": len(design.image_ids)}
            sds = dict(zip(_COMPONENTS, ratios * fit.residual_sd, strict=True))
            components.append({**outcome, **sds, "residual_sd": fit.residual_sd, **counts})
            for group in range(len(names)):
                if group != against:
                    contrast = np.zeros(len(names))
                    contrast[[group, against]] = 1, -1
                    error = float(np.sqrt(contrast @ fit.covariance @ contrast))
                    estimate = float(contrast @ fit.means)
                    freedom = count_freedom(curved, contrast)
                    ends = find_student_interval(estimate, error, freedom, level=level)
                    differences.append(
                        {
                            "weighting": "mixed model", "specification": specification, **outcome,
                            "group": names[group], "reference": names[against],
                            "estimate": estimate, "standard_error": error,
                            "degrees_of_freedom": freedom,
                            **{name: float(end) for name, end in ends._asdict().items()},
                            **counts, "order": column,
                        }
                    )  # fmt: skip
    table = pd.DataFrame(differences).sort_values(["order", "group"], ignore_index=True).drop(columns="order")
    table.insert(table.columns.tolist().index("p") + 1, "p_adjusted", adjust_p(table, ["level"]))
    described = pd.DataFrame(components).drop(columns="dimension")
    return MixedContrast(
        table.assign(simulated=spread.simulated), described.assign(simulated=spread.simulated)
    )


class _Fit(NamedTuple):
    """What a set of ratios of standard deviations implies.

    The criterion is the logarithms of determinants, `logs`, plus `freedom` times that of the residual's
    variance.
    """

    criterion: float
    means: np.ndarray
    covariance: np.ndarray
    residual_sd: float
    logs: float = np.nan
    freedom: float = 0.0


class _Curved(NamedTuple):
    """A fit with what its surroundings say: how sure the variances are, and how the covariance moves.

    ``uncertainty`` (4, 4) is the covariance of the three ratios and the residual's standard deviation;
    ``slopes`` (4, g, g) the derivatives of the means' covariance by them.
    """

    fit: _Fit
    uncertainty: np.ndarray
    slopes: np.ndarray


def count_freedom(curved: _Curved, contrast: np.ndarray) -> float:
    """Count the degrees of freedom of a contrast of the means, by Satterthwaite's approximation."""
    variance = float(contrast @ curved.fit.covariance @ contrast)
    slopes = np.einsum("g,kgh,h->k", contrast, curved.slopes, contrast)
    noise = float(slopes @ curved.uncertainty @ slopes)
    return 2 * variance**2 / noise if noise > 0 else np.inf


class _Crossed:
    """A design prepared once, since all outcomes share it."""

    def __init__(self, design: CrossedDesign, n_groups: int) -> None:
        self.respondents, self.images, self.groups = (
            design.codes[name] for name in ("respondents", "images", "groups")
        )
        self.n_groups, self.n_images = n_groups, len(design.image_ids)
        self.n_respondents = int(self.respondents.max()) + 1
        n = len(self.images)
        self.weights = design.weights
        self.people_weights = np.ones(self.n_respondents)
        self.people_weights[self.respondents] = design.weights
        self.roots = np.sqrt(self.people_weights)
        self.weighted = bool((design.weights != 1).any())
        marks = csr_array((np.ones(n), (self.images, np.arange(n))), shape=(self.n_images, n))
        pairs = (marks.T @ marks).tocoo()
        one, other = pairs.coords
        self.pair_place = self.respondents[one] * self.n_respondents + self.respondents[other]
        self.pair_cell = (self.images[one], self.groups[one], self.groups[other])
        self.pair_weight = self.roots[self.respondents[one]] * self.roots[self.respondents[other]]
        self.counts = self._by_cell(self.weights[:, None])[..., 0]
        self.per_respondent = np.bincount(self.respondents)
        self.effect = float((self.people_weights**2).mean() / self.people_weights.mean() ** 2)

    def _by_cell(self, columns: np.ndarray) -> np.ndarray:
        """Sum columns by image and group: shape (images, groups, columns)."""
        cells, size = self.images * self.n_groups + self.groups, self.n_images * self.n_groups
        return add_up(columns, cells, size).reshape(self.n_images, self.n_groups, -1)

    def fit(self, y: np.ndarray) -> tuple[np.ndarray, _Curved]:
        """Find the ratios of the random effects' standard deviations to the residual's, and the fit there."""
        if np.ptp(y) == 0:  # everybody gave the same rating
            none = np.zeros((4, self.n_groups, self.n_groups))
            fit = _Fit(-np.inf, np.full(self.n_groups, y[0]), none[0], 0.0)
            return np.zeros(3), _Curved(fit, np.zeros((4, 4)), none)
        columns = np.column_stack([np.eye(self.n_groups)[self.groups], y - y.mean()])
        weighted = self.weights[:, None] * columns
        sums = (self._by_cell(weighted), add_up(weighted, self.respondents), columns.T @ weighted)
        # The matrices are small: where other work runs beside, threads would wait for each other.
        with threadpool_limits(limits=1, user_api="blas"):
            found = minimize(
                lambda ratios: self._evaluate(ratios, sums).criterion,
                np.full(3, 0.5),
                method="L-BFGS-B",
                bounds=[(0, 30)] * 3,
            )
            ratios, curved = _look_around(found.x, lambda ratios: self._evaluate(ratios, sums))
        fit = curved.fit._replace(means=curved.fit.means + y.mean())
        return ratios, curved._replace(fit=fit, uncertainty=self.effect * curved.uncertainty)

    def _evaluate(self, ratios: np.ndarray, sums: tuple[np.ndarray, ...]) -> _Fit:
        """Compute the REML criterion, with means and residual profiled out."""
        by_cell, by_respondent, cross = sums
        own, shared = ratios[2] ** 2, ratios[1] ** 2
        # What an image's effects leave: those of its groups first, then the one that they share.
        left = 1 / (1 + self.counts * own)
        whole = 1 + shared * (self.counts * left).sum(axis=1)
        shrink = (shared / whole)[:, None, None] * left[:, :, None] * left[:, None, :]
        shrink += own * left[:, :, None] * np.eye(self.n_groups)
        shrunk = np.einsum("igh,ihp->igp", shrink, by_cell)
        cross = cross - np.einsum("igp,igq->pq", by_cell, shrunk)
        taken_out = self.weights[:, None] * shrunk[self.images, self.groups]
        # Respondents' effects are scaled by the roots of their weights, which leaves a prior of one.
        rest = (by_respondent - add_up(taken_out, self.respondents)) / self.roots[:, None]
        size = self.n_respondents
        taken = np.bincount(
            self.pair_place, weights=shrink[self.pair_cell] * self.pair_weight, minlength=size**2
        )
        middle = -(ratios[0] ** 2) * taken.reshape(size, size)
        middle[np.diag_indices(size)] += 1 + ratios[0] ** 2 * self.per_respondent
        try:
            root = cho_factor(middle, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            return _Fit(
                np.inf,
                np.full(self.n_groups, np.nan),
                np.full((self.n_groups, self.n_groups), np.nan),
                np.nan,
            )
        solved = ratios[0] ** 2 * cho_solve(root, rest, check_finite=False)
        cross = cross - rest.T @ solved
        information, score = cross[:-1, :-1], cross[:-1, -1]
        means = np.linalg.solve(information, score)
        freedom = float(self.weights.sum()) - self.n_groups
        variance = (cross[-1, -1] - score @ means) / freedom
        logs = np.log(whole).sum() - np.log(left).sum() + 2 * np.log(np.diag(root[0])).sum()
        # A respondent of weight two is two respondents, each with a determinant of his or her own.
        logs += ((self.people_weights - 1) * np.log(1 + ratios[0] ** 2 * self.per_respondent)).sum()
        logs = logs + np.linalg.slogdet(information)[1]
        criterion = logs + freedom * np.log(variance)
        unscaled = np.linalg.inv(information)
        if self.weighted:
            unscaled = self._spread_means(ratios, unscaled, solved[:, :-1] / self.roots[:, None], shrink)
        covariance = unscaled * variance
        return _Fit(float(criterion), means, covariance, float(np.sqrt(variance)), float(logs), freedom)

    def _spread_means(
        self, ratios: np.ndarray, inverse: np.ndarray, felt: np.ndarray, shrink: np.ndarray
    ) -> np.ndarray:
        """Compute the covariance of weighted means under the model, over the residual variance.

        The means are sums of ratings times factors: those of the groups' own columns, from which respondents'
        effects (`felt`) and images' were taken, by the inverse of the information.
        """
        columns = np.eye(self.n_groups)[self.groups] - felt[self.respondents]
        by_cell = self._by_cell(self.weights[:, None] * columns)
        columns = columns - np.einsum("igh,ihp->igp", shrink, by_cell)[self.images, self.groups]
        factors = self.weights[:, None] * columns @ inverse
        sums = [factors, add_up(factors, self.respondents), add_up(factors, self.images)]
        sums.append(self._by_cell(factors).reshape(-1, self.n_groups))
        return sum(ratio**2 * each.T @ each for ratio, each in zip((1.0, *ratios), sums, strict=True))


def _look_around(ratios: np.ndarray, evaluate: Callable[[np.ndarray], _Fit]) -> tuple[np.ndarray, _Curved]:
    """Take a last step of Newton's to the best ratios, and measure how sure these are, by differences.

    The deviance by ratios and residual standard deviation s is logs + freedom log(s^2) + squares / s^2, whose
    second derivatives give the uncertainty. It is even in each ratio, so that steps beyond zero are no harm:
    a ratio of zero has no slope, and adds no uncertainty.
    """
    here, steps = evaluate(ratios), _STEP * np.maximum(ratios, _LEAST_RATIO)

    def step(shift: np.ndarray) -> tuple[float, float, np.ndarray]:
        fit = evaluate(ratios + shift * steps)
        return fit.logs, fit.freedom * fit.residual_sd**2, fit.covariance / fit.residual_sd**2

    sd, own = here.residual_sd, np.eye(3)
    middle = (here.logs, here.freedom * sd**2)
    around = [(step(own[k]), step(-own[k])) for k in range(3)]
    slopes = np.array([[(up[j] - down[j]) / (2 * steps[k]) for j in (0, 1)]
                       for k, (up, down) in enumerate(around)])  # fmt: skip
    curves = np.empty((3, 3, 2))
    for k, (up, down) in enumerate(around):
        curves[k, k] = [(up[j] - 2 * middle[j] + down[j]) / steps[k] ** 2 for j in (0, 1)]
    for k, m in combinations(range(3), 2):
        corners = [(a * b, step(a * own[k] + b * own[m])) for a in (1, -1) for b in (1, -1)]
        curves[k, m] = curves[m, k] = [
            sum(sign * found[j] for sign, found in corners) / (4 * steps[k] * steps[m]) for j in (0, 1)
        ]
    hessian = np.empty((4, 4))
    hessian[:3, :3] = curves[..., 0] + curves[..., 1] / sd**2
    hessian[3, :3] = hessian[:3, 3] = -2 * slopes[:, 1] / sd**3
    hessian[3, 3] = 4 * here.freedom / sd**2
    if not np.isfinite(hessian).all():  # no ratings but those that the effects explain
        return ratios, _Curved(here, np.zeros((4, 4)), np.zeros((4, *here.covariance.shape)))
    inner = np.flatnonzero(ratios > _LEAST_RATIO)
    if len(inner):
        profile = hessian[:3, :3] - np.outer(hessian[:3, 3], hessian[:3, 3]) / hessian[3, 3]
        downhill = slopes[inner] @ [1, 1 / sd**2]
        better = ratios.copy()
        better[inner] -= np.linalg.lstsq(profile[np.ix_(inner, inner)], downhill, rcond=None)[0]
        if (better >= 0).all() and (best := evaluate(better)).criterion < here.criterion:
            ratios, here = better, best
    values, vectors = np.linalg.eigh(hessian)
    sure = values > 1e-8 * values.max()
    uncertainty = 2 * (vectors[:, sure] / values[sure]) @ vectors[:, sure].T
    moves = [(up[2] - down[2]) / (2 * steps[k]) * sd**2 for k, (up, down) in enumerate(around)]
    return ratios, _Curved(here, uncertainty, np.array([*moves, 2 * here.covariance / here.residual_sd]))
