"""Mixed model of ratings with respondents and images as crossed random effects, fitted by REML."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

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
from visclust.ratings.designs import (
    CrossedDesign,
    add_up,
    count_left_out,
    count_people,
    list_designs,
    name_lone_groups,
    spread_ratings,
    warn_of_left_out,
    warn_of_lone,
)
from visclust.ratings.group_contrasts import choose_reference
from visclust.ratings.intervals import adjust_p, find_student_interval
from visclust.ratings.kenward_roger import Judgement, judge_means, scale_cells

_TINY = 1e-5  # a ratio below it is none
_LEAST = 0.02  # a ratio below it is held against larger ones, since a search may have stuck at zero
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
        The ratings table. Images that a group did not rate are left out; a warning says how many.
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
        ``differences``: as those of `compare_groups` without ``covered`` and ``corpus``, with the
        ``weighting`` "mixed model"; standard errors, intervals and p values are Kenward and Roger's, of one t
        distribution: with few images the degrees of freedom are few, however many people rate them, and a
        variance that is estimated as zero counts as estimated. They are missing, with a warning, where one
        respondent stands for a group, or one image for all. ``images`` are those that all groups rated,
        ``images_left_out`` the others. ``components``: a row per outcome: ``level, item, respondent_sd,
        image_sd, group_image_sd, residual_sd, ratings, images, images_left_out, simulated``, in points of the
        scale.

    Raises
    ------
    ValueError
        If simulated ratings are mixed with real ones, there are fewer than two groups, or no respondent rated
        several images.

    Source
    ------
    Judd, Westfall & Kenny (2012), "Treating stimuli as a random factor in social psychology". REML with the
    respondents or the images eliminated in closed form, whichever are more, and the others by Cholesky: Bates
    et al. (2015), "Fitting linear mixed-effects models using lme4", for the profiled criterion. Kenward &
    Roger (1997), "Small sample inference for fixed effects from restricted maximum likelihood", as in
    pbkrtest; for a single contrast its degrees of freedom are Satterthwaite's with the expected information.
    Weights: the likelihood of Rabe-Hesketh & Skrondal (2006), "Multilevel modelling of complex survey data",
    with weights of respondents alone; the variances are less sure by the weights' design effect.

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
    reasons: set[str] = set()
    designs = list(list_designs(spread, None))
    warn_of_left_out(spread, designs)
    for design in designs:
        crossed = _Crossed(design, len(names))
        if len(design.values) <= crossed.n_respondents:
            raise ValueError(
                "Expected respondents who rated several images: with one rating each, what a respondent adds "
                "cannot be told from chance."
            )
        work = f"Fitting {len(design.columns)} mixed models"
        people, lone_image = count_people(design), len(design.image_ids) < 2
        reasons |= {name_lone_groups(names, people)} - {""}
        reasons |= {"one image stands for all"} if lone_image else set()
        bar = WorkBar(design.columns, desc="Mixed models", unit="outcome", work=work, progress=progress)
        for number, column in enumerate(bar):
            ratios, fit, judgement = crossed.fit(design.values[:, number])
            outcome = spread.outcomes.iloc[column].to_dict()
            counts = {"ratings": len(design.values), "images": len(design.image_ids),
                      "images_left_out": count_left_out(spread, design)}  # fmt: skip
            sds = dict(zip(_COMPONENTS, ratios * fit.residual_sd, strict=True))
            components.append({**outcome, **sds, "residual_sd": fit.residual_sd, **counts})
            for group in range(len(names)):
                if group != against:
                    contrast = np.zeros(len(names))
                    contrast[[group, against]] = 1, -1
                    estimate = float(contrast @ fit.means)
                    error, freedom = judgement.judge(contrast)
                    if lone_image or people[[group, against]].min() < 2:
                        error = freedom = np.nan
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
    warn_of_lone(reasons)
    table = pd.DataFrame(differences).sort_values(["order", "group"], ignore_index=True).drop(columns="order")
    table.insert(table.columns.tolist().index("p") + 1, "p_adjusted", adjust_p(table, ["level"]))
    described = pd.DataFrame(components).drop(columns="dimension")
    return MixedContrast(
        table.assign(simulated=spread.simulated), described.assign(simulated=spread.simulated)
    )


class _Fit(NamedTuple):
    """What a set of ratios of standard deviations implies; ``shrunk``: effects of cells."""

    criterion: float
    means: np.ndarray
    information: np.ndarray
    residual_sd: float
    shrunk: np.ndarray


class _Crossed:
    """A design prepared once, since all outcomes share it."""

    def __init__(self, design: CrossedDesign, n_groups: int, *, few_cells: bool | None = None) -> None:
        self.respondents, images, self.groups = (
            design.codes[name] for name in ("respondents", "images", "groups")
        )
        self.n_groups, self.n_images = n_groups, len(design.image_ids)
        self.cells = images * n_groups + self.groups
        self.n_respondents, self.n_cells = int(self.respondents.max()) + 1, self.n_images * n_groups
        self.weights = design.weights
        self.people_weights = np.ones(self.n_respondents)
        self.people_weights[self.respondents] = design.weights
        self.roots = np.sqrt(self.people_weights)
        self.weighted = bool((design.weights != 1).any())
        self.per_respondent = np.bincount(self.respondents)
        self.effect = float((self.people_weights**2).mean() / self.people_weights.mean() ** 2)
        self.counts = self._by_cell(self.weights[:, None])[..., 0]
        # The matrix that is left to solve has the size of the cells or of the respondents: of the fewer.
        self.few_cells = self.n_cells < self.n_respondents if few_cells is None else few_cells
        if self.few_cells:
            # Respondents with as many ratings are of one kind, whose sums are all that the model asks for.
            self.numbers, self.kinds = np.unique(self.per_respondent, return_inverse=True)
            one, other = _pair_up(self.respondents)
            place = self.cells[one] * self.n_cells + self.cells[other]
            place, back = np.unique(
                place * len(self.numbers) + self.kinds[self.respondents[one]], return_inverse=True
            )
            self.pair_place, self.pair_kind = place // len(self.numbers), place % len(self.numbers)
            self.pair_weight = np.bincount(back, weights=self.weights[one])
        else:
            one, other = _pair_up(images)
            self.pair_place = self.respondents[one] * self.n_respondents + self.respondents[other]
            self.pair_cell = (images[one], self.groups[one], self.groups[other])
            self.pair_weight = self.roots[self.respondents[one]] * self.roots[self.respondents[other]]

    def _by_cell(self, columns: np.ndarray) -> np.ndarray:
        """Sum columns by image and group: shape (images, groups, columns)."""
        return add_up(columns, self.cells, self.n_cells).reshape(self.n_images, self.n_groups, -1)

    def fit(self, y: np.ndarray) -> tuple[np.ndarray, _Fit, Judgement]:
        """Find the ratios of the random effects' standard deviations to the residual's, and the fit there."""
        if np.ptp(y) == 0:  # everybody gave the same rating
            none = np.zeros((4, self.n_groups, self.n_groups))
            fit = _Fit(-np.inf, np.full(self.n_groups, y[0]), none[0], 0.0, none[0])
            return np.zeros(3), fit, Judgement(none[0], none[0], none, np.zeros((4, 4)))
        columns = np.column_stack([np.eye(self.n_groups)[self.groups], y - y.mean()])
        weighted = self.weights[:, None] * columns
        by_respondent = add_up(weighted, self.respondents)
        parts = self._sum_kinds(by_respondent) if self.few_cells else (by_respondent,)
        sums = (columns.T @ weighted, self._by_cell(weighted), *parts)

        def judge(ratios: np.ndarray) -> float:
            return self._evaluate(ratios, sums).criterion

        slope = (lambda ratios: self._find_slope(ratios, sums)) if self.few_cells else None
        # The matrices are small: where other work runs beside, threads would wait for each other.
        with threadpool_limits(limits=1, user_api="blas"):
            ratios = _find_ratios(judge, slope)
            fit = self._evaluate(ratios, sums)
            judgement = self._judge(ratios, fit)
        return ratios, fit._replace(means=fit.means + y.mean()), judgement

    def _evaluate(self, ratios: np.ndarray, sums: tuple[np.ndarray, ...]) -> _Fit:
        """Compute the REML criterion, with means and residual profiled out."""
        try:
            logs, cross, shrunk = (self._solve_cells if self.few_cells else self._solve_respondents)(
                ratios, *sums
            )
        except LinAlgError:
            none = np.full((self.n_groups, self.n_groups), np.nan)
            return _Fit(np.inf, none[0], none, np.nan, none)
        information, score = cross[:-1, :-1], cross[:-1, -1]
        means = np.linalg.solve(information, score)
        freedom = float(self.weights.sum()) - self.n_groups
        variance = (cross[-1, -1] - score @ means) / freedom
        logs += np.linalg.slogdet(information)[1]
        criterion = logs + freedom * np.log(variance)
        return _Fit(float(criterion), means, information, float(np.sqrt(variance)), shrunk)

    def _sum_kinds(self, by_respondent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sum by kind of respondents: their sums in the cells that they rated, and their cross products."""
        n, k = len(self.numbers), by_respondent.shape[1]
        kinds = self.kinds[self.respondents]
        reach = add_up(by_respondent[self.respondents], self.cells * n + kinds, self.n_cells * n)
        outer = by_respondent[:, :, None] * by_respondent[:, None, :] / self.people_weights[:, None, None]
        crossed = add_up(outer.reshape(-1, k * k), self.kinds, n).reshape(n, k, k)
        return reach.reshape(self.n_cells, n, k), crossed

    def _solve_cells(
        self,
        ratios: np.ndarray,
        cross: np.ndarray,
        by_cell: np.ndarray,
        reach: np.ndarray,
        crossed: np.ndarray,
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Take out respondents in closed form and cells by Cholesky.

        Gives the logarithms of determinants, the cross products that are left, and the cells' effects. A
        respondent of weight two is two respondents, each with an effect and a determinant of his or her own.
        """
        scale = 1 + ratios[0] ** 2 * self.numbers
        taken = ratios[0] ** 2 / scale
        size = self.n_cells
        middle = np.diag(self.counts.ravel()) - self._sum_pairs(taken)
        rest = by_cell.reshape(size, -1) - np.einsum("n,cnk->ck", taken, reach)
        cross = cross - np.einsum("n,nkm->km", taken, crossed)
        middle = scale_cells(scale_cells(middle, ratios, self.n_groups).T, ratios, self.n_groups)
        middle[np.diag_indices(size)] += 1
        lower = cho_factor(middle, lower=True, overwrite_a=True, check_finite=False)
        scaled = scale_cells(rest, ratios, self.n_groups)
        solved = cho_solve(lower, scaled, check_finite=False)
        logs = 2 * np.log(np.diag(lower[0])).sum() + (self.people_weights * np.log(scale)[self.kinds]).sum()
        return float(logs), cross - scaled.T @ solved, scale_cells(solved, ratios, self.n_groups)

    def _sum_pairs(self, by_kind: np.ndarray) -> np.ndarray:
        """Sum a number of each respondent's, known by kind, over pairs of cells that he or she rated."""
        size = self.n_cells
        weights = by_kind[self.pair_kind] * self.pair_weight
        return np.bincount(self.pair_place, weights=weights, minlength=size**2).reshape(size, size)

    def _find_slope(self, ratios: np.ndarray, sums: tuple[np.ndarray, ...]) -> np.ndarray:
        """Find the slopes of the criterion by the ratios, where respondents are taken out in closed form."""
        cross, by_cell, reach, crossed = sums
        size, squared = self.n_cells, 1 / (1 + ratios[0] ** 2 * self.numbers) ** 2
        left = np.sqrt(squared)
        taken = ratios[0] ** 2 * left
        cells = np.diag(self.counts.ravel()) - self._sum_pairs(taken)
        rest = by_cell.reshape(size, -1) - np.einsum("n,cnk->ck", taken, reach)
        root = scale_cells(np.eye(size), ratios, self.n_groups)
        inner = root @ np.linalg.solve(np.eye(size) + root @ cells @ root, root)
        felt = inner @ rest
        cross = cross - np.einsum("n,nkm->km", taken, crossed) - rest.T @ felt
        # By the squares of the ratios: of the logarithms of determinants, and of the cross products.
        moved, pairs = np.einsum("n,cnk->ck", squared, reach), self._sum_pairs(squared)
        by_people = moved.T @ felt
        by_people += by_people.T - felt.T @ pairs @ felt - np.einsum("n,nkm->km", squared, crossed)
        last, within = rest - cells @ felt, cells - cells @ inner @ cells
        by_image = last.reshape(self.n_images, self.n_groups, -1).sum(axis=1)
        blocks = within.reshape(self.n_images, self.n_groups, self.n_images, self.n_groups)
        people = (self.people_weights * (self.numbers * left)[self.kinds]).sum()
        logs = [people - (inner * pairs).sum(), np.einsum("igih->", blocks), np.trace(within)]
        moves = np.array([by_people, -by_image.T @ by_image, -last.T @ last])
        means = np.linalg.solve(cross[:-1, :-1], cross[:-1, -1])
        toward = np.append(-means, 1.0)
        freedom = float(self.weights.sum()) - self.n_groups
        slopes = np.array(logs) + np.einsum("kgh,hg->k", moves[:, :-1, :-1], np.linalg.inv(cross[:-1, :-1]))
        slopes += freedom * (toward @ moves @ toward) / (toward @ cross @ toward)
        return 2 * ratios * slopes

    def _solve_respondents(
        self, ratios: np.ndarray, cross: np.ndarray, by_cell: np.ndarray, by_respondent: np.ndarray
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Take out images in closed form and respondents by Cholesky. Gives the same."""
        own, shared = ratios[2] ** 2, ratios[1] ** 2
        # What an image's effects leave: those of its groups first, then the one that they share.
        left = 1 / (1 + self.counts * own)
        whole = 1 + shared * (self.counts * left).sum(axis=1)
        shrink = (shared / whole)[:, None, None] * left[:, :, None] * left[:, None, :]
        shrink += own * left[:, :, None] * np.eye(self.n_groups)
        shrunk = np.einsum("igh,ihp->igp", shrink, by_cell)
        cross = cross - np.einsum("igp,igq->pq", by_cell, shrunk)
        taken_out = self.weights[:, None] * shrunk.reshape(self.n_cells, -1)[self.cells]
        # Respondents' effects are scaled by the roots of their weights, which leaves a prior of one.
        rest = (by_respondent - add_up(taken_out, self.respondents)) / self.roots[:, None]
        size = self.n_respondents
        taken = np.bincount(
            self.pair_place, weights=shrink[self.pair_cell] * self.pair_weight, minlength=size**2
        )
        middle = -(ratios[0] ** 2) * taken.reshape(size, size)
        middle[np.diag_indices(size)] += 1 + ratios[0] ** 2 * self.per_respondent
        root = cho_factor(middle, lower=True, overwrite_a=True, check_finite=False)
        solved = ratios[0] ** 2 * cho_solve(root, rest, check_finite=False)
        logs = np.log(whole).sum() - np.log(left).sum() + 2 * np.log(np.diag(root[0])).sum()
        logs += ((self.people_weights - 1) * np.log(1 + ratios[0] ** 2 * self.per_respondent)).sum()
        people = self.weights[:, None] * (solved / self.roots[:, None])[self.respondents]
        shrunk = shrunk - np.einsum("igh,ihp->igp", shrink, self._by_cell(people))
        return float(logs), cross - rest.T @ solved, shrunk.reshape(self.n_cells, -1)

    def _judge(self, ratios: np.ndarray, fit: _Fit) -> Judgement:
        """Find what contrasts are judged by: Kenward and Roger's, or that of weighted means.

        Weights are no part of the model, so that weighted means have the covariance that the model gives to
        sums of ratings; the variances are less sure by the weights' design effect.
        """
        marks = csr_array((np.ones(len(self.cells)), (self.respondents, self.cells)),
                          shape=(self.n_respondents, self.n_cells))  # fmt: skip
        counts = np.bincount(self.cells, minlength=self.n_cells).reshape(self.n_images, self.n_groups)
        judgement = judge_means(marks, counts, ratios, fit.residual_sd)
        if not self.weighted:
            return judgement
        factors = self._find_factors(ratios, fit)
        cells = self._by_cell(factors)
        sums = [add_up(factors, self.respondents), cells.sum(axis=1), cells.reshape(-1, self.n_groups)]
        slopes = np.array([each.T @ each for each in (*sums, factors)])
        variances = fit.residual_sd**2 * np.append(ratios**2, 1.0)
        plain = np.tensordot(variances, slopes, 1)
        larger = plain + self.effect * (judgement.covariance - judgement.plain)
        return Judgement(larger, plain, slopes, self.effect * judgement.noise)

    def _find_factors(self, ratios: np.ndarray, fit: _Fit) -> np.ndarray:
        """Find the factors by which the means are sums of ratings, (n, g).

        They are the groups' own columns, from which effects of cells and respondents were taken, by the
        inverse of the information.
        """
        columns = np.eye(self.n_groups)[self.groups] - fit.shrunk[self.cells, :-1]
        taken = ratios[0] ** 2 / (1 + ratios[0] ** 2 * self.per_respondent)
        columns -= (taken[:, None] * add_up(columns, self.respondents))[self.respondents]
        return self.weights[:, None] * columns @ np.linalg.inv(fit.information)


def _find_ratios(
    judge: Callable[[np.ndarray], float], slope: Callable[[np.ndarray], np.ndarray] | None
) -> np.ndarray:
    """Find the ratios of the least criterion, with or without knowing its slope.

    It is even in each ratio, so that a search that comes to zero sees no slope there and stays, though zero
    may be no minimum. So ratios of zero are left again as long as any larger one is better.
    """
    options: dict[str, Any] = {"method": "L-BFGS-B", "bounds": [(0, 30)] * 3}
    exact = {"ftol": 1e-13, "gtol": 1e-6}
    start = np.full(3, 0.5)
    for _ in range(5):
        ratios = minimize(judge, start, jac=slope, **options, options=exact if slope else {}).x
        ratios[ratios < _TINY] = 0.0
        least = best = judge(ratios)
        for k in np.flatnonzero(ratios < _LEAST):
            for far in _LEAST * 2.0 ** np.arange(6):
                other = np.where(np.arange(3) == k, far, ratios)
                if (found := judge(other)) < best:
                    best, start = found, other
        if best == least:
            break
    # Differences to both sides are exact enough for the last digits.
    return ratios if slope else minimize(judge, ratios, jac="3-point", **options, options=exact).x


def _pair_up(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pair all ratings of the same code, each also with itself."""
    n = len(codes)
    marks = csr_array((np.ones(n), (codes, np.arange(n))), shape=(int(codes.max()) + 1, n))
    one, other = (marks.T @ marks).tocoo().coords
    return one, other
