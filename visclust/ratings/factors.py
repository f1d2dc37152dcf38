"""A confirmatory look at the dimensions: whether their items vary together as they should.

The factor model is fitted by maximum likelihood, for items that each measure one factor.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import brentq, minimize
from scipy.stats import chi2, ncx2

from visclust.annotation.constructs import EMOTIONS
from visclust.base.progress import WorkBar
from visclust.base.provenance import recorded
from visclust.ratings.designs import add_up, spread_ratings
from visclust.ratings.reliability import list_scales, take_items


class FactorCheck(NamedTuple):
    """How well the models fit, and loadings and correlations of the factors."""

    fit: pd.DataFrame
    loadings: pd.DataFrame
    correlations: pd.DataFrame


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
    progress: bool = True,
) -> FactorCheck:
    """Check whether the items vary together as their dimensions say, against one factor for all.

    Parameters
    ----------
    ratings : DataFrame
        The ratings table. Ratings with a missing item are left out.
    dimensions : mapping of str to sequence of str, default EMOTIONS
        Items by dimension, each a factor of its own.
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

    Raises
    ------
    ValueError
        If simulated ratings are mixed with real ones, no dimension has two items, or a model does not
        converge.

    Source
    ------
    Jöreskog (1969), "A general approach to confirmatory maximum likelihood factor analysis"; measures as the
    R package lavaan (Rosseel 2012) gives them. Scaling: Satorra & Bentler (1994); Muthén & Satorra (1995),
    "Complex sample data in structural equation modeling"; by respondent plus by image minus by rating, as
    Cameron, Gelbach & Miller (2011) add up variances.

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
    spread = spread_ratings(ratings, dimensions=dimensions)
    scales = list_scales(spread, least=2)
    columns = [column for members in scales.values() for column in members]
    values, people = take_items(spread, columns)
    complete = ~np.isnan(spread.values[:, columns]).any(axis=1)
    images = pd.factorize(spread.events.loc[complete, "image_id"])[0]
    own = [place for place, members in enumerate(scales.values()) for _ in members]
    covariance = np.cov(values.T, bias=True)
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
                    parts.append(_measure_scaling(values, fit, factors=factors, clusters=clusters))
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
    return FactorCheck(
        pd.DataFrame(rows).reindex(columns=order).assign(simulated=spread.simulated),
        named.assign(loading=fits[0].standardized, simulated=spread.simulated),
        pd.DataFrame(pairs, columns=["dimension", "other", "correlation"]).assign(simulated=spread.simulated),
    )


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
    excess, baseline_excess = max(statistic - df, 0.0), max(baseline - baseline_df, statistic - df, 0.0)
    rows = np.tril_indices(p)
    measures = {
        "chi2": statistic,
        "df": df,
        "p": float(chi2.sf(statistic, df)) if df else np.nan,
        "cfi": 1 - excess / baseline_excess if baseline_excess else 1.0,
        "tli": np.nan,
        "rmsea": float(np.sqrt(excess / (df * n))) if df else 0.0,
    }
    if df and baseline != baseline_df:
        ratio = baseline / baseline_df
        measures["tli"] = float((ratio - statistic / df) / (ratio - 1))
    for name, tail in (("rmsea_low", 0.95), ("rmsea_high", 0.05)):
        measures[name] = _find_rmsea(statistic, df, n, tail) if df else 0.0
    measures["srmr"] = float(np.sqrt(np.mean((s - implied)[rows] ** 2)))
    return measures


def _find_rmsea(statistic: float, df: int, n: int, tail: float) -> float:
    """Find the RMSEA at which the statistic would be exceeded no more often than `tail` says."""
    if chi2.cdf(statistic, df) < tail:
        return 0.0
    upper = max(4.0, 10 * statistic)
    center = brentq(lambda value: ncx2.cdf(statistic, df, value) - tail, 1e-8, upper)
    return float(np.sqrt(center / (df * n)))


def _measure_scaling(
    values: np.ndarray, fit: FactorFit, *, factors: Sequence[int], clusters: np.ndarray
) -> float:
    """Measure by how much clustering and non-normal items inflate the model's chi-square.

    `values` (n, p) are the rows that the model was fitted to, `clusters` (n,) says which of them may depend
    on each other; a number of its own for each row gives Satorra and Bentler's factor. Chi-square divided by
    it has about the expectation of a chi-square variable.
    """
    codes, n = np.asarray(factors), len(values)
    rows, columns = np.tril_indices(len(codes))
    centered = values - values.mean(axis=0)
    products = centered[:, rows] * centered[:, columns]
    products = products - products.mean(axis=0)
    sums = add_up(products, clusters)
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
