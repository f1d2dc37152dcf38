"""How reliably the items of each dimension measure it: alpha and omega, over ratings and over respondents."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from visclust.annotation.constructs import EMOTIONS
from visclust.base.bootstrap import find_interval
from visclust.base.progress import WorkBar
from visclust.base.provenance import recorded
from visclust.ratings.designs import RatingEvents, add_up, spread_ratings

_LEVELS = ("all ratings", "within respondents", "between respondents")


@recorded
def measure_reliability(
    ratings: pd.DataFrame,
    *,
    dimensions: Mapping[str, Sequence[str]] = EMOTIONS,
    respondent_weights: pd.DataFrame | None = None,
    n_bootstrap: int = 200,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure how reliably the items of each dimension measure it: Cronbach's alpha and McDonald's omega.

    A respondent rates several images, so there are three answers. "all ratings" takes every rating of an
    image as a row of its own: is one rating of one image reliable? "within respondents" is about what makes a
    respondent rate one image higher than another, free of people's habits. "between respondents" is about
    differences between people, free of what single images did to them.

    Parameters
    ----------
    ratings : DataFrame
        The ratings table. A rating with a missing item is left out for that dimension.
    dimensions : mapping of str to sequence of str, default EMOTIONS
        Items by dimension. Omega needs three items; those with fewer get alpha only, single items nothing.
    respondent_weights : DataFrame, optional
        From `rake_respondents`: ``respondent, weight``. Each respondent's ratings count
        that often in every covariance. By default all respondents count alike.
    n_bootstrap : int, default 200
        Resamples of respondents, each with all of his or her ratings.
    level : float, default 0.95
        Confidence level.
    seed : int, default 0
        Seed of the resampling.
    progress : bool, default True
        Show a bar over the dimensions.

    Returns
    -------
    DataFrame
        A row per dimension and kind of difference: ``dimension, differences, alpha, alpha_low, alpha_high,
        omega, omega_low, omega_high, undefined, items, ratings, respondents, simulated``. Intervals are for
        new respondents and these images.

        Covariances between respondents are what is left when those within are taken off. Few respondents can
        leave items that correlate by more than 1: alpha is then set to 1, which no reliability exceeds. They
        can also leave no variance at all: neither measure is then defined (NaN). ``undefined`` is the share
        of the resamples of which that is so; where it is more than a tail of the interval, its lower ends are
        not known (NaN).

    Raises
    ------
    ValueError
        If simulated ratings are mixed with real ones, or no dimension has two items.

    Source
    ------
    Cronbach (1951); McDonald (1999), Test Theory, with one factor by least squares: Harman & Jones (1966),
    "Factor analysis by minimizing residuals".
    Within and between: Geldhof, Preacher & Zyphur (2014), "Reliability estimation in a multilevel
    confirmatory factor analysis framework", with covariances from the analysis of variance.

    Examples
    --------
    >>> ratings = pd.DataFrame([(f"r{r}", "all", f"i{i}", item, float((3 * r + 5 * i) % 7 + extra), True)
    ...     for r in range(9) for i in range(4) for extra, item in enumerate(("hopeful", "proud"))],
    ...     columns=["respondent", "group", "image_id", "item", "rating", "simulated"])
    >>> table = measure_reliability(ratings, dimensions={"enthusiasm": ["hopeful", "proud"]}, n_bootstrap=5)
    >>> table["alpha"].round(3).tolist()[:2]
    [1.0, 1.0]
    """
    spread = spread_ratings(ratings, dimensions=dimensions, respondent_weights=respondent_weights)
    rng = np.random.default_rng(seed)
    rows = []
    scales = list_scales(spread, least=2).items()
    work = f"Resampling {n_bootstrap:,} times"
    for name, items in WorkBar(scales, desc="Reliability", unit="dimension", work=work, progress=progress):
        values, people = take_items(spread, items)
        n_people = int(people.max()) + 1
        counts = rng.multinomial(n_people, np.full(n_people, 1 / n_people), size=n_bootstrap)
        weights = np.vstack([np.ones(n_people), counts]) * _weigh_people(spread, items, people)
        for kind, covariances in zip(_LEVELS, _split_covariance(values, people, weights), strict=True):
            row: dict[str, object] = {"dimension": name, "differences": kind}
            for measure, found in (("alpha", _alpha(covariances)), ("omega", _omega(covariances))):
                low, high = find_interval(found[1:], level=level)
                known = np.isnan(found[1:]).mean() <= (1 - level) / 2
                row |= {
                    measure: found[0],
                    f"{measure}_low": low if known else np.nan,
                    f"{measure}_high": high,
                }
            row["undefined"] = float(np.isnan(_alpha(covariances)[1:]).mean())
            rows.append({**row, "items": len(items), "ratings": len(values), "respondents": n_people})
    return pd.DataFrame(rows).assign(simulated=spread.simulated)


def list_scales(spread: RatingEvents, *, least: int) -> dict[str, list[int]]:
    """List the columns of each dimension's items, of the dimensions with `least` of them or more."""
    emotions = spread.outcomes[spread.outcomes["level"].eq("emotion")]
    known = spread.outcomes.loc[spread.outcomes["level"].eq("dimension"), "item"]
    scales = {name: emotions.index[emotions["dimension"].eq(name)].tolist() for name in known}
    scales = {name: columns for name, columns in scales.items() if len(columns) >= least}
    if not scales:
        raise ValueError(f"Expected a dimension of {least} rated items or more. Give `dimensions`.")
    return scales


def take_items(spread: RatingEvents, columns: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Take the complete rows of p items, (n, p), and number their respondents, (n,)."""
    complete = ~np.isnan(spread.values[:, columns]).any(axis=1)
    if complete.sum() < 2:
        raise ValueError("Expected ratings in which all items of a dimension were rated; there are none.")
    return spread.values[complete][:, columns], pd.factorize(spread.events.loc[complete, "respondent"])[0]


def _weigh_people(spread: RatingEvents, columns: list[int], people: np.ndarray) -> np.ndarray:
    """Give the weights (n_people,) of those whom `take_items` numbered, with a mean of 1."""
    complete = ~np.isnan(spread.values[:, columns]).any(axis=1)
    weights = np.zeros(int(people.max()) + 1)
    weights[people] = spread.events.loc[complete, "weight"]
    return weights / weights.mean()


def _split_covariance(values: np.ndarray, people: np.ndarray, weights: np.ndarray) -> list[np.ndarray]:
    """Compute covariances of all ratings, within and between respondents, for many weightings."""
    n_items = values.shape[1]
    n = np.bincount(people)
    values = values - values.mean(axis=0)
    means = add_up(values, people) / n[:, None]
    apart = values - means[people]
    products = (apart[:, :, None] * apart[:, None, :]).reshape(len(values), -1)
    inside = add_up(products, people)
    outside = (n[:, None, None] * means[:, :, None] * means[:, None, :]).reshape(len(n), -1)
    ratings, respondents = weights @ n, weights.sum(axis=1)
    grand = weights @ (n[:, None] * means) / ratings[:, None]
    within = (weights @ inside).reshape(-1, n_items, n_items)
    between = (weights @ outside).reshape(-1, n_items, n_items)
    between = between - ratings[:, None, None] * grand[:, :, None] * grand[:, None, :]
    total = (within + between) / (ratings - 1)[:, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        within = within / (ratings - respondents)[:, None, None]
        usual = (ratings - weights @ n**2 / ratings) / (respondents - 1)
        between = (between / (respondents - 1)[:, None, None] - within) / usual[:, None, None]
    return [total, within, between]


def _alpha(s: np.ndarray) -> np.ndarray:
    """Share of the sum's variance that is not the items' own; NaN without variance, 1 at most."""
    p, own, total = s.shape[-1], np.einsum("...ii->...", s), s.sum(axis=(-1, -2))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = p / (p - 1) * (1 - own / total)
    # Covariances of people never give more than 1; their estimates, which are differences, can.
    return np.where((total > 0) & (own > 0), np.minimum(found, 1.0), np.nan)


def _omega(s: np.ndarray) -> np.ndarray:
    """Share of the sum's variance that one factor makes; NaN for two items, which do not identify it."""
    usable = np.isfinite(s).all(axis=(-1, -2)) & (np.einsum("...ii->...i", s) > 0).all(axis=-1)
    found = np.full(len(s), np.nan)
    if s.shape[-1] > 2 and usable.any():
        loadings = _fit_one_factor(s[usable])
        common = loadings.sum(axis=-1) ** 2
        left = np.maximum(np.einsum("...ii->...i", s[usable]) - loadings**2, 0).sum(axis=-1)
        found[usable] = common / (common + left)
    return found


def _fit_one_factor(covariances: np.ndarray, *, n_steps: int = 300) -> np.ndarray:
    """Fit one factor to many covariance matrices (…, p, p), by least squares of what lies off the diagonal.

    Gives the loadings (…, p), by steps of iterated principal axes; there must be three items or more.
    """
    s = np.array(covariances, dtype=float)
    diagonal = np.einsum("...ii->...i", s).copy()
    shared = diagonal * 0.5
    loadings = np.zeros_like(diagonal)
    for _ in range(n_steps):
        np.einsum("...ii->...i", s)[...] = shared
        values, vectors = np.linalg.eigh(s)
        loadings = vectors[..., -1] * np.sqrt(np.maximum(values[..., -1:], 0))
        shared = np.minimum(loadings**2, diagonal)
    return loadings * np.where(loadings.sum(axis=-1, keepdims=True) < 0, -1, 1)
