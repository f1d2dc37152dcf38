"""A confirmatory look at the dimensions: whether their items vary together as they should."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import chi2

from visclust.annotation.constructs import EMOTIONS
from visclust.factor_model import fit_factor_model, measure_scaling
from visclust.rating_tables import spread_ratings
from visclust.scale_reliability import list_scales, take_items

__all__ = ["FactorCheck", "confirm_factors"]


class FactorCheck(NamedTuple):
    """How well the models fit, and loadings and correlations of the factors."""

    fit: pd.DataFrame
    loadings: pd.DataFrame
    correlations: pd.DataFrame


def confirm_factors(
    ratings: pd.DataFrame, *, dimensions: Mapping[str, Sequence[str]] = EMOTIONS
) -> FactorCheck:
    """Check whether the items vary together as their dimensions say, against one factor for all.

    Parameters
    ----------
    ratings : DataFrame
        The ratings table. Ratings with a missing item are left out.
    dimensions : mapping of str to sequence of str, default EMOTIONS
        Items by dimension, each a factor of its own.

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
    `fit_factor_model`; `measure_scaling`, by respondent plus by image minus by rating, as Cameron, Gelbach &
    Miller (2011) add up variances.

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
    for model, factors in (("dimensions", own), ("one factor", [0] * len(own))):
        fit = fit_factor_model(covariance, len(values), factors=factors)
        fits.append(fit)
        row: dict[str, object] = {"model": model, **fit.measures}
        if fit.measures["df"]:
            parts = [
                measure_scaling(values, fit, factors=factors, clusters=clusters)
                for clusters in (people, images, np.arange(len(values)))
            ]
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
