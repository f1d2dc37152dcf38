"""Mixed model of ratings with respondents and images as crossed random effects, fitted by REML."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.stats import t
from statsmodels.stats.multitest import multipletests
from threadpoolctl import threadpool_limits

from visclust.annotation.constructs import EMOTIONS
from visclust.base.checks import check_level
from visclust.base.progress import WorkBar
from visclust.base.provenance import recorded
from visclust.ratings.designs import CrossedDesign, add_up, list_designs, spread_ratings
from visclust.ratings.group_contrasts import choose_reference

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
    level : float, default 0.95
        Confidence level.
    progress : bool, default True
        Show a bar over the outcomes.

    Returns
    -------
    MixedContrast
        ``differences``: as those of `compare_groups`, with the ``weighting`` "mixed model"; intervals and p
        from a t distribution with respondents minus groups as degrees of freedom. ``components``: a row per
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
    mixed-effects models using lme4", for the profiled criterion.

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
    spread = spread_ratings(ratings, dimensions=dimensions, groups=groups)
    names = sorted(spread.events["group"].unique())
    against = names.index(choose_reference(names, reference))
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
            ratios, fit = crossed.fit(design.values[:, number])
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
                    freedom = crossed.n_respondents - len(names)
                    reach = t.ppf((1 + level) / 2, freedom) * error
                    differences.append(
                        {
                            "weighting": "mixed model", **outcome, "group": names[group],
                            "reference": names[against], "estimate": estimate, "standard_error": error,
                            "low": estimate - reach, "high": estimate + reach,
                            "p": 2 * t.sf(abs(estimate) / (error or 1.0), freedom), **counts, "order": column,
                        }
                    )  # fmt: skip
    table = pd.DataFrame(differences).sort_values(["order", "group"], ignore_index=True).drop(columns="order")
    adjusted = table.groupby("level")["p"].transform(lambda family: multipletests(family, method="fdr_bh")[1])
    place = table.columns.tolist().index("p") + 1
    table.insert(place, "p_adjusted", adjusted)
    described = pd.DataFrame(components).drop(columns="dimension")
    return MixedContrast(
        table.assign(simulated=spread.simulated), described.assign(simulated=spread.simulated)
    )


class _Fit(NamedTuple):
    """What a set of ratios of standard deviations implies."""

    criterion: float
    means: np.ndarray
    covariance: np.ndarray
    residual_sd: float


class _Crossed:
    """A design prepared once, since all outcomes share it."""

    def __init__(self, design: CrossedDesign, n_groups: int) -> None:
        self.respondents, self.images, self.groups = (
            design.codes[name] for name in ("respondents", "images", "groups")
        )
        self.n_groups, self.n_images = n_groups, len(design.image_ids)
        self.n_respondents = int(self.respondents.max()) + 1
        n = len(self.images)
        marks = csr_array((np.ones(n), (self.images, np.arange(n))), shape=(self.n_images, n))
        pairs = (marks.T @ marks).tocoo()
        one, other = pairs.coords
        self.pair_place = self.respondents[one] * self.n_respondents + self.respondents[other]
        self.pair_cell = (self.images[one], self.groups[one], self.groups[other])
        self.counts = self._by_cell(np.ones((n, 1)))[..., 0]
        self.per_respondent = np.bincount(self.respondents)

    def _by_cell(self, columns: np.ndarray) -> np.ndarray:
        """Sum columns by image and group: shape (images, groups, columns)."""
        cells, size = self.images * self.n_groups + self.groups, self.n_images * self.n_groups
        return add_up(columns, cells, size).reshape(self.n_images, self.n_groups, -1)

    def fit(self, y: np.ndarray) -> tuple[np.ndarray, _Fit]:
        """Find the ratios of the random effects' standard deviations to the residual's, and the fit there."""
        if np.ptp(y) == 0:  # everybody gave the same rating
            none = np.zeros((self.n_groups, self.n_groups))
            return np.zeros(3), _Fit(-np.inf, np.full(self.n_groups, y[0]), none, 0.0)
        columns = np.column_stack([np.eye(self.n_groups)[self.groups], y - y.mean()])
        sums = (self._by_cell(columns), add_up(columns, self.respondents), columns.T @ columns)
        # The matrices are small: where other work runs beside, threads would wait for each other.
        with threadpool_limits(limits=1, user_api="blas"):
            found = minimize(
                lambda ratios: self._evaluate(ratios, sums).criterion,
                np.full(3, 0.5),
                method="L-BFGS-B",
                bounds=[(0, 30)] * 3,
            )
        fit = self._evaluate(found.x, sums)
        return found.x, fit._replace(means=fit.means + y.mean())

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
        rest = by_respondent - add_up(shrunk[self.images, self.groups], self.respondents)
        size = self.n_respondents
        taken = np.bincount(self.pair_place, weights=shrink[self.pair_cell], minlength=size**2)
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
        cross = cross - ratios[0] ** 2 * rest.T @ cho_solve(root, rest, check_finite=False)
        information, score = cross[:-1, :-1], cross[:-1, -1]
        means = np.linalg.solve(information, score)
        freedom = len(self.images) - self.n_groups
        variance = (cross[-1, -1] - score @ means) / freedom
        logs = np.log(whole).sum() - np.log(left).sum() + 2 * np.log(np.diag(root[0])).sum()
        criterion = logs + np.linalg.slogdet(information)[1] + freedom * np.log(variance)
        return _Fit(float(criterion), means, np.linalg.inv(information) * variance, float(np.sqrt(variance)))
