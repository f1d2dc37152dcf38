"""A confirmatory look at the dimensions: whether their items vary together as they should, in all groups.

The factor model is fitted by maximum likelihood, for items that each measure one factor.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.stats import chi2

from visclust.annotation.constructs import EMOTIONS
from visclust.base.checks import check_level, show
from visclust.base.progress import WorkBar
from visclust.base.provenance import recorded
from visclust.base.tables import check_columns
from visclust.ratings.designs import add_up, spread_ratings
from visclust.ratings.group_factors import measure_misfit
from visclust.ratings.invariance import COLUMNS, fit_invariance, take_groups, weigh_rows
from visclust.ratings.reliability import list_scales, take_items


class FactorCheck(NamedTuple):
    """How well the models fit, loadings and correlations of the factors, and whether groups can be compared.

    ``invariance, items, contrasts, counts`` have no row where no groups were named.
    """

    fit: pd.DataFrame
    loadings: pd.DataFrame
    correlations: pd.DataFrame
    invariance: pd.DataFrame
    items: pd.DataFrame
    contrasts: pd.DataFrame
    counts: pd.DataFrame


class FactorFit(NamedTuple):
    """Estimates with the factors' variances set to one, and how well the model fits.

    Of p items and f factors: ``loadings, standardized, residuals`` (variances), each (p,), ``correlations``
    (f, f), ``implied`` covariance (p, p), and ``measures``: ``chi2, df, p, cfi, tli, rmsea, rmsea_low,
    rmsea_high`` (90% interval) and ``srmr``.
    """

    loadings: np.ndarray
    standardized: np.ndarray
    correlations: np.ndarray
    residuals: np.ndarray
    implied: np.ndarray
    measures: dict[str, float]


@recorded
def confirm_factors(
    ratings: pd.DataFrame,
    *,
    dimensions: Mapping[str, Sequence[str]] = EMOTIONS,
    respondent_weights: pd.DataFrame | None = None,
    groups: str | None = None,
    reference: str | None = None,
    level: float = 0.95,
    progress: bool = True,
) -> FactorCheck:
    """Check whether the items vary together as their dimensions say, and whether groups use them alike.

    With `groups`, three models are fitted to all groups at once, with means: *configural* (the same
    dimensions), *metric* (loadings shared too) and *scalar* (intercepts shared too). Means on a dimension
    can be compared where the scalar model holds: people of different groups who feel the same then rate each
    item the same. Where a step fails, the items that stand apart are freed one by one and named (partial
    invariance), as long as two of a dimension are left; where that does not do, the dimension's means cannot
    be compared. A step fails where CFI falls by more than .01. Chi-square is no judge here: ratings share
    respondents and images, which makes it too large, and with many ratings it rejects what does not matter.
    Where groups used all items alike but respondents had habits with single items, chi-square rejected the
    scalar model in 31% of simulated surveys, the rule in 2% with 48 respondents a group, and in 10% with 24.

    Which item stands apart is decided by the majority of its dimension: if most items shift between groups
    for a reason of their own, the one that does not is named, and if all do, none is. The data cannot tell
    these apart. Ratings count as numbers on a scale of even steps.

    Parameters
    ----------
    ratings : DataFrame
        The ratings table. Ratings with a missing item of any dimension are left out, which is right where
        items are missing by chance.
    dimensions : mapping of str to sequence of str, default EMOTIONS
        Items by dimension, each a factor of its own. Those of a single item are not tested.
    respondent_weights : DataFrame, optional
        From `rake_respondents`: ``respondent, weight``. Each respondent's ratings count that often in every
        mean and covariance. By default all respondents count alike.
    groups : str, optional
        Column of the ratings table with the groups, such as "group"; by default groups are not compared.
        Ratings of images that a group did not rate are then left out for all.
    reference : str, optional
        Group that the others are compared with; by default the last in alphabetical order.
    level : float, default 0.95
        Confidence level of the latent differences.
    progress : bool, default True
        Show a progress bar where it takes more than a second.

    Returns
    -------
    FactorCheck
        ``fit``: a row for the dimensions and one for a single factor: ``model, chi2, df, p, scaling,
        chi2_scaled, p_scaled, cfi, tli, rmsea, rmsea_low, rmsea_high, srmr, ratings, respondents,
        simulated``. Rows of one respondent and rows of one image depend on each other; ``scaling`` is the
        factor by which that and non-normal ratings inflate chi-square, and ``p_scaled`` is without it. CFI,
        RMSEA and SRMR are of the unscaled model. ``loadings``: ``dimension, item, loading``
        (standardized). ``correlations``: ``dimension, other, correlation``.

        With groups, ``invariance``: a row per model, and one for a partial model where a step failed:
        ``model, freed`` (items) and the measures of ``fit``; then ``against`` which model it was held,
        ``cfi_change, chi2_change, df_change, p_change`` (unscaled), whether it ``holds`` (of the configural
        model: CFI of .90 or more), and how many residual variances are ``improper``, stopped at zero.
        ``items``: a row per group and item of the last model: ``group, dimension, item, loading, intercept,
        residual, loading_shared, intercept_shared``; factors have mean 0 and variance 1 in the reference
        group. ``contrasts``: a row per dimension and group: ``dimension, group, reference, observed,
        latent, standard_error, low, high, latent_sd, invariance, freed, sentence``. ``observed`` is the
        difference of the means of the ratings used here, each counted once or by its weight; ``latent`` the
        part of it that is a difference in the dimension (both in points of the scale), and ``latent_sd`` the
        same in standard deviations of the reference group's factor. Intervals are for new respondents and
        images. ``invariance`` is "scalar", "partial", "none", "misfit", or "untested" for single items.
        ``counts``: a row per group: ``group, respondents, images, ratings, incomplete, not_shared``, the last
        two left out. All tables have ``simulated``.

    Raises
    ------
    ValueError
        If simulated ratings are mixed with real ones, no dimension has two items, or a model does not
        converge. With groups, also if there are fewer than two, one has fewer than ten respondents or not
        more ratings than parameters, an item does not vary in one, or two items are all there is.

    See Also
    --------
    add_invariance : sets the sentence beside differences found by other functions.

    Source
    ------
    Jöreskog (1969), "A general approach to confirmatory maximum likelihood factor analysis"; measures as the
    R package lavaan (Rosseel 2012) gives them. Scaling: Satorra & Bentler (1994); Muthén & Satorra (1995),
    "Complex sample data in structural equation modeling"; by respondent plus by image minus by rating, as
    Cameron, Gelbach & Miller (2011) add up variances. Groups: Meredith (1993), "Measurement invariance,
    factor analysis and factorial invariance"; Byrne, Shavelson & Muthén (1989) on partial invariance; the
    change of CFI: Cheung & Rensvold (2002). Latent differences in points: Little, Slegers & Card (2006).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = [(f"r{r}", "all", f"i{i}", item, mood + rng.normal(), True)
    ...         for r in range(60) for i in range(4) for mood in [rng.normal()] for item in "abcd"]
    >>> names = ["respondent", "group", "image_id", "item", "rating", "simulated"]
    >>> check = confirm_factors(pd.DataFrame(rows, columns=names), dimensions={"mood": list("abcd")})
    >>> bool((check.loadings["loading"] > 0.5).all())
    True
    """
    if groups is None and reference is not None:
        raise ValueError(f"Expected groups beside the reference {reference!r}: name their column, got None.")
    check_level(level)
    spread = spread_ratings(
        ratings,
        dimensions=dimensions,
        groups="group" if groups is None else groups,
        respondent_weights=respondent_weights,
    )
    scales = list_scales(spread, least=2)
    compared = None if groups is None else take_groups(spread, scales, reference=reference)
    columns = [column for members in scales.values() for column in members]
    values, people = take_items(spread, columns)
    complete = ~np.isnan(spread.values[:, columns]).any(axis=1)
    images = pd.factorize(spread.events.loc[complete, "image_id"])[0]
    own = [place for place, members in enumerate(scales.values()) for _ in members]
    weights = weigh_rows(spread, complete)
    covariance = np.cov(values.T, bias=True, aweights=weights)
    fits, rows = [], []
    bar = WorkBar(total=8, desc="Factor analysis", unit="step", work="The factor analysis", progress=progress)
    with bar:
        for model, factors in (("dimensions", own), ("one factor", [0] * len(own))):
            fit = _fit_factor_model(covariance, len(values), factors=factors)
            fits.append(fit)
            bar.update()
            row: dict[str, object] = {"model": model, **fit.measures}
            if fit.measures["df"]:
                parts = []
                for clusters in (people, images, np.arange(len(values))):
                    parts.append(
                        _measure_scaling(values, fit, factors=factors, clusters=clusters, weights=weights)
                    )
                    bar.update()
                # What respondents and images add is not negative, but its estimate can be.
                scaling = max(parts[0] + parts[1] - parts[2], parts[2])
                scaled = fit.measures["chi2"] / scaling
                p_scaled = float(chi2.sf(scaled, fit.measures["df"]))
                row |= {"scaling": scaling, "chi2_scaled": scaled, "p_scaled": p_scaled}
            rows.append({**row, "ratings": len(values), "respondents": int(people.max()) + 1})
    order = ["model", "chi2", "df", "p", "scaling", "chi2_scaled", "p_scaled"]
    order += ["cfi", "tli", "rmsea", "rmsea_low", "rmsea_high", "srmr", "ratings", "respondents"]
    named = spread.outcomes.iloc[columns][["dimension", "item"]].reset_index(drop=True)
    pairs = [
        (one, other, fits[0].correlations[a, b])
        for a, one in enumerate(scales)
        for b, other in enumerate(scales)
        if a < b
    ]
    tables = {name: pd.DataFrame(columns=[*columns, "simulated"]) for name, columns in COLUMNS.items()}
    if compared is not None:
        tables = fit_invariance(spread, compared, level=level, progress=progress)
    return FactorCheck(
        pd.DataFrame(rows).reindex(columns=order).assign(simulated=spread.simulated),
        named.assign(loading=fits[0].standardized, simulated=spread.simulated),
        pd.DataFrame(pairs, columns=["dimension", "other", "correlation"]).assign(simulated=spread.simulated),
        **tables,
    )


@recorded
def add_invariance(differences: pd.DataFrame, check: FactorCheck | None) -> pd.DataFrame:
    """Set beside differences between groups whether the groups use a dimension's items alike.

    Parameters
    ----------
    differences : DataFrame
        Differences found by `compare_groups`, `fit_mixed_contrast` or `contrast_clusters` (``level, item,
        group, reference``).
    check : FactorCheck or None
        From `confirm_factors` with `groups`; None where it could not be had.

    Returns
    -------
    DataFrame
        The differences with ``invariance``: for each difference in a dimension the sentence of
        ``check.contrasts``, or that it was not tested; empty for single items.

    Raises
    ------
    ValueError
        If the check is of other groups, or was made without any.

    Examples
    --------
    >>> differences = pd.DataFrame({"level": ["dimension"], "item": ["anxiety"], "group": ["D"],
    ...                             "reference": ["R"], "estimate": [0.5]})
    >>> add_invariance(differences, None)["invariance"].str[:10].tolist()
    ['Not tested']
    """
    check_columns(differences, ("level", "item", "group", "reference"), "the differences")
    if check is not None and check.contrasts.empty:
        raise ValueError(
            "Expected a check of groups, got one without: call confirm_factors with groups, such as "
            'groups="group".'
        )
    known: dict[tuple[str, ...], str] = {}
    if check is not None:
        named = check.contrasts[["dimension", "group", "reference", "sentence"]].astype(str).to_numpy()
        # A sentence names the direction, and so is right of both.
        known = {(row[0], row[1], row[2]): row[3] for row in named}
        known |= {(row[0], row[2], row[1]): row[3] for row in named}
    tested = {dimension for dimension, _, _ in known}
    said = []
    rows = differences[["level", "item", "group", "reference"]]
    for level, item, group, reference in rows.itertuples(index=False, name=None):
        if level != "dimension":
            said.append("")
        elif item not in tested:
            said.append(
                f"Not tested: whether {group} and {reference} use the items of {item} alike is not known, "
                f"and a difference between their means may be one in the items."
            )
        elif (item, group, reference) in known:
            said.append(known[item, group, reference])
        else:
            raise ValueError(
                f"Expected a check of {show(group)} against {show(reference)}; it has other groups or another"
                f" reference. Call confirm_factors with the ratings and the reference of these differences."
            )
    return differences.assign(invariance=said)


def _fit_factor_model(covariance: np.ndarray, n: int, *, factors: Sequence[int]) -> FactorFit:
    """Fit a model in which each item measures one of several correlated factors.

    `covariance` (p, p) has n as its divisor; `factors` holds the factor of each item, from 0.
    """
    s, codes = np.asarray(covariance, dtype=float), np.asarray(factors)
    p, f = len(s), int(codes.max()) + 1
    n_parameters = 2 * p + f * (f - 1) // 2
    df = p * (p + 1) // 2 - n_parameters
    if df < 0:
        raise ValueError(f"The model has {n_parameters} parameters, the {p} items give {df + n_parameters}.")
    sd = np.sqrt(np.diag(s))
    correlation = s / np.outer(sd, sd)
    if not np.isfinite(correlation).all() or np.linalg.eigvalsh(correlation).min() <= 1e-10:
        raise ValueError(
            "Expected items that differ from each other and vary: their covariance matrix is singular. Leave "
            "out an item that is constant or the copy of another."
        )
    start = np.concatenate([np.full(p, 0.7), np.full(p, 0.5), np.full(f * (f - 1) // 2, 0.2)])
    bounds = [(-2, 2)] * p + [(1e-4, 2)] * p + [(-0.999, 0.999)] * (len(start) - 2 * p)
    found = minimize(
        _discrepancy, start, args=(correlation, codes), jac=True, method="L-BFGS-B", bounds=bounds,
        options={"maxiter": 2000, "ftol": 1e-14, "gtol": 1e-8},
    )  # fmt: skip
    standardized, residuals, factor_correlations = _unpack(found.x, codes)
    if not np.isfinite(found.fun) or np.abs(found.jac[(found.x > 2e-4) | (found.x < 0)]).max() > 1e-3:
        raise ValueError("The factor model did not converge: the items may not measure the factors named.")
    # A factor's sign is free: most of its items load positively.
    signs = np.array([1 if standardized[codes == one].sum() >= 0 else -1 for one in range(f)])
    factor_correlations = factor_correlations * np.outer(signs, signs)
    standardized = standardized * signs[codes]
    implied = np.outer(standardized, standardized) * factor_correlations[np.ix_(codes, codes)]
    implied[np.diag_indices(p)] = standardized**2 + residuals
    measures = _measure_fit(correlation, implied, n, df, max(float(found.fun), 0.0))
    scale = np.outer(sd, sd)
    shares = standardized / np.sqrt(np.diag(implied))
    return FactorFit(
        standardized * sd, shares, factor_correlations, residuals * sd**2, implied * scale, measures
    )


def _unpack(parameters: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    p, f = len(codes), int(codes.max()) + 1
    correlations = np.eye(f)
    rows, columns = np.triu_indices(f, 1)
    correlations[rows, columns] = correlations[columns, rows] = parameters[2 * p :]
    return parameters[:p], parameters[p : 2 * p], correlations


def _discrepancy(parameters: np.ndarray, s: np.ndarray, codes: np.ndarray) -> tuple[float, np.ndarray]:
    """Compute the likelihood's distance between the matrices, and its gradient."""
    loadings, residuals, correlations = _unpack(parameters, codes)
    pattern = np.zeros((len(codes), len(correlations)))
    pattern[np.arange(len(codes)), codes] = loadings
    implied = pattern @ correlations @ pattern.T + np.diag(residuals)
    sign, log = np.linalg.slogdet(implied)
    if sign <= 0 or np.linalg.eigvalsh(implied)[0] <= 0:
        return 1e10, np.zeros(len(parameters))
    inverse = np.linalg.inv(implied)
    value = log + np.trace(s @ inverse) - np.linalg.slogdet(s)[1] - len(s)
    slope = inverse - inverse @ s @ inverse
    by_loading = 2 * (slope @ pattern @ correlations)[np.arange(len(codes)), codes]
    by_correlation = 2 * (pattern.T @ slope @ pattern)[np.triu_indices(len(correlations), 1)]
    return float(value), np.concatenate([by_loading, np.diag(slope), by_correlation])


def _measure_fit(s: np.ndarray, implied: np.ndarray, n: int, df: int, discrepancy: float) -> dict[str, float]:
    p = len(s)
    statistic, baseline = n * discrepancy, -n * float(np.linalg.slogdet(s)[1])
    baseline_df = p * (p - 1) // 2
    rows = np.tril_indices(p)
    measures = measure_misfit(statistic, df, baseline, baseline_df, n)
    measures["srmr"] = float(np.sqrt(np.mean((s - implied)[rows] ** 2)))
    return measures


def _measure_scaling(
    values: np.ndarray,
    fit: FactorFit,
    *,
    factors: Sequence[int],
    clusters: np.ndarray,
    weights: np.ndarray | None = None,
) -> float:
    """Measure by how much clustering, weights and non-normal items inflate the model's chi-square.

    `values` (n, p) are the rows that the model was fitted to, `clusters` (n,) says which of them may depend
    on each other; a number of its own for each row gives Satorra and Bentler's factor. Chi-square divided by
    it has about the expectation of a chi-square variable.
    """
    codes, n = np.asarray(factors), len(values)
    rows, columns = np.tril_indices(len(codes))
    centered = values - np.average(values, axis=0, weights=weights)
    products = centered[:, rows] * centered[:, columns]
    products = products - np.average(products, axis=0, weights=weights)
    sums = add_up(products if weights is None else products * weights[:, None], clusters)
    spread = sums.T @ sums / n
    inverse = np.linalg.inv(fit.implied)
    # The weight of ML: half the trace form of two symmetric matrices, each pair off the diagonal twice.
    twice = np.where(rows == columns, 1.0, 2.0)
    weight = 0.5 * inverse[np.ix_(rows, rows)] * inverse[np.ix_(columns, columns)]
    weight += 0.5 * inverse[np.ix_(rows, columns)] * inverse[np.ix_(columns, rows)]
    weight *= 0.5 * np.outer(twice, twice)
    slopes = _differentiate(fit, codes)[:, rows, columns]
    projected = slopes @ weight
    rest = weight - projected.T @ np.linalg.solve(projected @ slopes.T, projected)
    return float(np.trace(rest @ spread) / fit.measures["df"])


def _differentiate(fit: FactorFit, codes: np.ndarray) -> np.ndarray:
    """Give the derivative of the implied covariance by each parameter."""
    p, f = len(codes), len(fit.correlations)
    pattern = np.zeros((p, f))
    pattern[np.arange(p), codes] = fit.loadings
    moved = pattern @ fit.correlations
    slopes = []
    for item in range(p):
        slope = np.zeros((p, p))
        slope[item] = moved[:, codes[item]]
        slopes.append(slope + slope.T)
    slopes += [np.diag(np.eye(p)[item]) for item in range(p)]
    for one, other in zip(*np.triu_indices(f, 1), strict=True):
        slope = np.outer(pattern[:, one], pattern[:, other])
        slopes.append(slope + slope.T)
    return np.array(slopes)
