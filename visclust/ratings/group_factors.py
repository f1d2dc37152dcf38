"""A factor model of several groups at once, with means: maximum likelihood with what the groups share.

Each item measures one factor. In the first group factors have mean 0 and variance 1; in another group a
factor has a variance of its own where it shares loadings with the first, and a mean where it shares
intercepts.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtr, chdtrc, chndtr

from visclust.ratings.designs import add_up

_LEAST = 1e-4  # variance that is an item's own, of its variance in the groups: it cannot be negative
_MAX_STEPS = 500
_FLAT = 1e-6  # slope of the discrepancy at which a fit counts as found: seven digits of chi-square


class GroupMoments(NamedTuple):
    """What the likelihood needs of g groups and p items.

    ``sizes`` (g,), ``means`` (g, p), ``covariances`` (g, p, p) with the size as divisor; of weighted rows,
    with the sums of their weights as sizes.
    """

    sizes: np.ndarray
    means: np.ndarray
    covariances: np.ndarray


class _Layout(NamedTuple):
    """Where each number of the model stands among its free parameters; -1 where it is fixed."""

    loadings: np.ndarray
    intercepts: np.ndarray
    residuals: np.ndarray
    covariances: np.ndarray
    means: np.ndarray
    size: int


class GroupFit(NamedTuple):
    """Estimates for g groups, p items and f factors, and how well the model fits.

    ``loadings, intercepts, residuals`` (variances), each (g, p); ``covariances`` (g, f, f) and ``means``
    (g, f) of the factors; ``measures``: ``chi2, df, p, cfi, tli, rmsea, rmsea_low, rmsea_high, srmr``;
    ``improper``: how many residual variances stopped at their bound near zero; ``layout`` says where each
    number stands among the free parameters.
    """

    loadings: np.ndarray
    intercepts: np.ndarray
    residuals: np.ndarray
    covariances: np.ndarray
    means: np.ndarray
    measures: dict[str, float]
    improper: int
    layout: _Layout


def measure_moments(
    values: np.ndarray, groups: np.ndarray, weights: np.ndarray | None = None
) -> GroupMoments:
    """Compute sizes, means and covariances of the rows (n, p) of each group, numbered from 0.

    `weights` (n,) have a mean of 1; a group's size is the sum of its weights.
    """
    weights = np.ones(len(values)) if weights is None else weights
    parts = [(values[groups == g], weights[groups == g]) for g in range(int(groups.max()) + 1)]
    return GroupMoments(
        np.array([own.sum() for _, own in parts]),
        np.array([np.average(part, axis=0, weights=own) for part, own in parts]),
        np.array([np.cov(part.T, bias=True, aweights=own) for part, own in parts]),
    )


def fit_group_factors(
    moments: GroupMoments,
    *,
    factors: Sequence[int],
    loadings: np.ndarray | bool = False,
    intercepts: np.ndarray | bool = False,
    start: GroupFit | None = None,
) -> GroupFit:
    """Fit the factor model to all groups at once.

    `factors` (p,) holds the factor of each item, from 0; `loadings` and `intercepts`, one truth value or
    (p,), say which of them all groups share. Both False is the configural model, loadings True the metric
    one, both True the scalar one. The search starts from the estimates of `start`, of a model much like this.
    """
    codes = np.asarray(factors)
    p, n_groups = len(codes), len(moments.sizes)
    shared = [np.broadcast_to(np.asarray(each, dtype=bool), p) for each in (loadings, intercepts)]
    layout = _lay_out(codes, n_groups, *shared)
    df = n_groups * p * (p + 3) // 2 - layout.size
    if df < 0:
        raise ValueError(f"The model has {layout.size} parameters, the items give {df + layout.size}.")
    # In units in which the items vary alike: the steps are then of one size, and what is shared stays so.
    weights = moments.sizes / moments.sizes.sum()
    scale = np.sqrt(np.einsum("g,gii->i", weights, moments.covariances))
    center = weights @ moments.means
    unit = GroupMoments(
        moments.sizes, (moments.means - center) / scale, moments.covariances / np.outer(scale, scale)
    )
    if start is None:
        x = _start(unit, codes, layout)
    else:
        own = (start.loadings / scale, (start.intercepts - center) / scale, start.residuals / scale**2)
        x = _pack((*own, start.covariances, start.means), layout)
    found, discrepancy, bounded = _minimize(x, unit, codes, layout)
    numbers = _unpack(found, codes, layout)
    measures = _measure_fit(unit, _imply(numbers, codes), df, max(discrepancy, 0.0))
    lam, tau, theta, phi, kappa = _turn(numbers, codes, shared[0])
    return GroupFit(
        lam * scale, tau * scale + center, theta * scale**2, phi, kappa, measures, bounded, layout
    )


def measure_group_scaling(
    values: np.ndarray,
    groups: np.ndarray,
    fit: GroupFit,
    *,
    factors: Sequence[int],
    clusters: np.ndarray,
    weights: np.ndarray | None = None,
) -> float:
    """Measure by how much dependent, weighted and non-normal rows inflate the model's chi-square.

    As for one group: chi-square divided by it has about the expectation of a chi-square variable. `clusters`
    (n,) says which rows may depend on each other, also across groups.
    """
    codes, weights = np.asarray(factors), np.ones(len(values)) if weights is None else weights
    moments = measure_moments(values, groups, weights)
    shares = moments.sizes / len(values)
    numbers = _read(fit)
    implied = _imply(numbers, codes)[1]
    slopes = _differentiate(numbers, codes, fit.layout)
    metric, m = _weigh(implied), slopes.shape[1]
    weight, stacked = np.zeros((len(shares) * m,) * 2), slopes.reshape(-1, slopes.shape[2])
    rows = np.zeros((len(values), len(shares) * m))
    for g, share in enumerate(shares):
        block = slice(g * m, (g + 1) * m)
        weight[block, block] = share * metric[g]
        own = _take_statistics(values[groups == g], moments.means[g], moments.covariances[g])
        rows[groups == g, block] = own / share
    projected = stacked.T @ weight
    rest = weight - projected.T @ np.linalg.solve(projected @ stacked, projected)
    sums = add_up(rows * weights[:, None], clusters)
    return float(np.einsum("ci,ij,cj->", sums, rest, sums) / len(values) / fit.measures["df"])


def measure_errors(
    values: np.ndarray,
    groups: np.ndarray,
    fit: GroupFit,
    *,
    factors: Sequence[int],
    clusters: Sequence[np.ndarray],
    weights: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Give the covariance of all free parameters (q, q) for each way in which rows may depend on each other.

    By the sandwich with the observed information, times c / (c - 1) for the c clusters of a group; parameters
    at a bound count as known. `clusters` holds an array (n,) for each way; clusters may go across groups.
    """
    codes, layout = np.asarray(factors), fit.layout
    weights = np.ones(len(values)) if weights is None else weights
    moments = measure_moments(values, groups, weights)
    numbers = _read(fit)
    means, implied = _imply(numbers, codes)
    slopes = _differentiate(numbers, codes, layout)
    metric = _weigh(implied)
    scores = np.zeros((len(values), layout.size))
    for g in range(len(moments.sizes)):
        own = _take_statistics(values[groups == g], means[g], implied[g])
        scores[groups == g] = own @ metric[g] @ slopes[g]
    scores *= weights[:, None]
    x = _pack(numbers, layout)
    free = np.ones(layout.size, dtype=bool)
    floor = _LEAST * np.einsum("g,gii->i", moments.sizes / moments.sizes.sum(), moments.covariances)
    free[layout.residuals[fit.residuals <= 1.01 * floor]] = False
    steps = np.diag(1e-5 * np.maximum(np.abs(x), 0.1))
    ends = [_take_slopes(x + sign * steps, moments, codes, layout) for sign in (1, -1)]
    hessian = (ends[0] - ends[1]) / (2 * np.diag(steps)[:, None]) * len(values) / 2
    hessian = (hessian + hessian.T)[np.ix_(free, free)] / 2
    covariances = []
    for each in clusters:
        few = [len(np.unique(each[groups == g])) for g in range(len(moments.sizes))]
        factor = np.sqrt([count / max(count - 1, 1) for count in few])
        sums = add_up(scores[:, free] * factor[groups][:, None], each)
        bread = np.linalg.solve(hessian, sums.T)
        full = np.zeros((layout.size, layout.size))
        full[np.ix_(free, free)] = bread @ bread.T
        covariances.append(full)
    return covariances


def measure_misfit(
    statistic: float, df: int, baseline: float, baseline_df: int, n: float
) -> dict[str, float]:
    """Measure misfit by the statistics of a model and of independence: chi-square, CFI, TLI and RMSEA."""
    excess, baseline_excess = max(statistic - df, 0.0), max(baseline - baseline_df, statistic - df, 0.0)
    measures = {
        "chi2": statistic,
        "df": df,
        "p": float(chdtrc(df, statistic)) if df else np.nan,
        "cfi": 1 - excess / baseline_excess if baseline_excess else 1.0,
        "tli": np.nan,
        "rmsea": float(np.sqrt(excess / (df * n))) if df else 0.0,
    }
    if df and baseline != baseline_df:
        ratio = baseline / baseline_df
        measures["tli"] = float((ratio - statistic / df) / (ratio - 1))
    for name, tail in (("rmsea_low", 0.95), ("rmsea_high", 0.05)):
        measures[name] = find_rmsea(statistic, df, n, tail) if df else 0.0
    return measures


def find_rmsea(statistic: float, df: int, n: float, tail: float) -> float:
    """Find the RMSEA at which the statistic would be exceeded no more often than `tail` says."""
    if chdtr(df, statistic) < tail:
        return 0.0
    upper = max(4.0, 10 * statistic)
    center = brentq(lambda value: chndtr(statistic, df, value) - tail, 1e-8, upper)
    return float(np.sqrt(center / (df * n)))


def _lay_out(codes: np.ndarray, n_groups: int, loadings: np.ndarray, intercepts: np.ndarray) -> _Layout:
    p, f = len(codes), int(codes.max()) + 1
    size = 0

    def number(free: np.ndarray, same: np.ndarray) -> np.ndarray:
        """Give places to what is free (g, k), on from `size`; what is the same has the first group's."""
        nonlocal size
        places = np.full(free.shape, -1)
        own = free.copy()
        own[1:, same] = False
        places[own] = size + np.arange(own.sum())
        size += int(own.sum())
        places[1:, same] = places[0, same]
        return places

    every, never = np.ones((n_groups, p), dtype=bool), np.zeros(p, dtype=bool)
    lam, tau = number(every, loadings), number(every, intercepts)
    theta = number(every, never)
    later = np.arange(n_groups)[:, None] > 0
    scaled = later & np.array([loadings[codes == one].any() for one in range(f)])
    located = later & np.array([intercepts[codes == one].any() for one in range(f)])
    rows, columns = np.tril_indices(f)
    free = (rows != columns) | scaled[:, rows]
    lower = number(free, np.zeros(len(rows), dtype=bool))
    phi = np.full((n_groups, f, f), -1)
    phi[:, rows, columns] = phi[:, columns, rows] = lower
    kappa = number(located, np.zeros(f, dtype=bool))
    return _Layout(lam, tau, theta, phi, kappa, size)


def _start(moments: GroupMoments, codes: np.ndarray, layout: _Layout) -> np.ndarray:
    """Start from the first principal component of each factor's items within groups."""
    within = np.einsum("g,gij->ij", moments.sizes / moments.sizes.sum(), moments.covariances)
    f = int(codes.max()) + 1
    pattern = np.zeros((len(codes), f))
    for one in range(f):
        items = np.flatnonzero(codes == one)
        values, vectors = np.linalg.eigh(within[np.ix_(items, items)])
        shared = max(values[-1] - 1, 0.2) / max(len(items) - 1, 1)  # what one factor would leave
        own = vectors[:, -1] * np.sign(vectors[:, -1].sum() or 1)
        pattern[items, one] = np.clip(own * np.sqrt(len(items) * shared), -0.95, 0.95)
    lam = pattern[np.arange(len(codes)), codes]
    lam = np.where(np.abs(lam) < 0.1, 0.1, lam)
    pattern[np.arange(len(codes)), codes] = lam
    squares = (pattern**2).sum(axis=0)
    phi = (pattern / squares).T @ (within - np.diag(1 - lam**2)) @ (pattern / squares)
    sd = np.sqrt(np.maximum(np.diag(phi), 0.2))
    phi = np.clip(phi / np.outer(sd, sd), -0.7, 0.7)
    np.fill_diagonal(phi, 1.0)
    while np.linalg.eigvalsh(phi)[0] < 0.1:  # many factors: as correlated as a covariance matrix allows
        phi = 0.7 * phi + 0.3 * np.eye(f)
    start = np.zeros(layout.size)
    for g in reversed(range(len(moments.sizes))):  # the first group's last, whose numbers are shared
        kappa = (moments.means[g] - moments.means[0]) @ pattern / squares
        for places, numbers in (
            (layout.loadings[g], lam),
            (layout.intercepts[g], moments.means[g]),
            (layout.residuals[g], np.maximum(np.diag(moments.covariances[g]) - lam**2, 0.3)),
            (layout.covariances[g], phi),
            (layout.means[g], kappa),
        ):
            start[places[places >= 0]] = np.asarray(numbers)[places >= 0]
    return start


def _minimize(
    x: np.ndarray, moments: GroupMoments, codes: np.ndarray, layout: _Layout
) -> tuple[np.ndarray, float, int]:
    """Minimize the discrepancy by scoring, with steps as short as need be; residuals stay above zero."""
    least = np.full(layout.size, -np.inf)
    least[layout.residuals] = _LEAST
    value, slope, information = _slope(x, moments, codes, layout)
    damping = 1e-3
    for _ in range(_MAX_STEPS):
        free = (x > least) | (slope < 0)
        if np.abs(slope[free]).max(initial=0.0) < _FLAT:
            break
        inner = information[np.ix_(free, free)]
        inner = inner + damping * np.diag(np.maximum(np.diag(inner), 1e-6))
        moved = x.copy()
        moved[free] -= np.linalg.solve(inner, slope[free] / 2)
        moved = np.maximum(moved, least)
        tried = _slope(moved, moments, codes, layout)
        step = moved - x
        # Where the model fits badly, the likelihood bends more than its information says: shorter steps then.
        gain = (value - tried[0]) / max(-slope @ step - step @ information @ step, 1e-300)
        damping = max(damping / 5, 1e-9) if gain > 0.7 else max(damping * 4, 1e-2) if gain < 0.5 else damping
        # At the end rounding hides which of two points is lower.
        if tried[0] < value or (tried[0] < value + 1e-12 and np.abs(tried[1]).max() < np.abs(slope).max()):
            x, (value, slope, information) = moved, tried
        elif damping > 1e10:
            break
    free = (x > least) | (slope < 0)
    if not np.isfinite(value) or np.abs(slope[free]).max(initial=0.0) > 1e-4:
        raise ValueError(
            "The factor model of the groups did not converge: the items may not measure the dimensions named "
            "in every group. Give dimensions with three items or more, or leave out the item that fits least."
        )
    diagonal = np.sqrt(np.maximum(np.diag(information)[free[: layout.size]], 1e-12))
    known = information[np.ix_(free, free)] / np.outer(diagonal, diagonal)
    if np.linalg.eigvalsh(known)[0] < 1e-9:
        raise ValueError(
            "The factor model is not identified by these ratings: several solutions fit alike. A dimension "
            "of two items must be correlated with another dimension in every group; give it a third item, or "
            "leave it out."
        )
    return x, value, int((~(x > least))[layout.residuals.ravel()].sum())


def _slope(
    x: np.ndarray, moments: GroupMoments, codes: np.ndarray, layout: _Layout
) -> tuple[float, np.ndarray, np.ndarray]:
    """Compute the likelihood's distance between model and moments, its gradient, and the information."""
    numbers = _unpack(x, codes, layout)
    means, implied = _imply(numbers, codes)
    slopes = _differentiate(numbers, codes, layout)
    if np.linalg.eigvalsh(implied).min() <= 1e-10:
        return np.inf, np.zeros(layout.size), np.zeros((layout.size,) * 2)
    shares = moments.sizes / moments.sizes.sum()
    apart = moments.means - means
    seen = moments.covariances + apart[:, :, None] * apart[:, None, :]
    logs = np.linalg.slogdet(implied)[1] - np.linalg.slogdet(moments.covariances)[1]
    distances = logs + np.einsum("gij,gji->g", seen, np.linalg.inv(implied)) - len(codes)
    rows, columns, _ = _number_pairs(len(codes))
    left = np.concatenate([apart, (seen - implied)[:, rows, columns]], axis=1)
    weighted = slopes.swapaxes(1, 2) @ (_weigh(implied) * shares[:, None, None])
    gradient = -2 * np.einsum("gqm,gm->q", weighted, left)
    return float(shares @ distances), gradient, (weighted @ slopes).sum(axis=0)


def _take_slopes(points: np.ndarray, moments: GroupMoments, codes: np.ndarray, layout: _Layout) -> np.ndarray:
    """Compute the gradient of the discrepancy at many points (b, q) at once."""
    known = np.eye(int(codes.max()) + 1)
    lam, tau, _, phi, kappa = (points[:, places] for places in layout[:5])
    phi = np.where(layout.covariances >= 0, phi, known)
    kappa = np.where(layout.means >= 0, kappa, 0.0)
    at, shares = np.arange(len(codes)), moments.sizes / moments.sizes.sum()
    pattern = np.zeros((*lam.shape, len(known)))
    pattern[:, :, at, codes] = lam
    implied = pattern @ phi @ pattern.swapaxes(-1, -2)
    implied[:, :, at, at] += points[:, layout.residuals]
    apart = moments.means - tau - lam * kappa[:, :, codes]
    inverse = np.linalg.inv(implied)
    seen = moments.covariances + apart[..., :, None] * apart[..., None, :]
    by_covariance = (inverse - inverse @ seen @ inverse) * shares[:, None, None]
    by_mean = -2 * np.einsum("bgij,bgj->bgi", inverse, apart) * shares[:, None]
    by_loading = 2 * (by_covariance @ pattern @ phi)[:, :, at, codes] + by_mean * kappa[:, :, codes]
    by_phi = pattern.swapaxes(-1, -2) @ by_covariance @ pattern
    lower = np.tril_indices(len(known))
    by_phi = (by_phi * np.where(np.eye(len(known), dtype=bool), 1.0, 2.0))[:, :, lower[0], lower[1]]
    slopes = np.zeros_like(points)
    for places, values in (
        (layout.loadings, by_loading),
        (layout.intercepts, by_mean),
        (layout.residuals, by_covariance[:, :, at, at]),
        (layout.covariances[:, lower[0], lower[1]], by_phi),
        (layout.means, np.einsum("bgif,bgi->bgf", pattern, by_mean)),
    ):
        own = places >= 0
        np.add.at(slopes.T, places[own], values[:, own].T)
    return slopes


def _unpack(x: np.ndarray, codes: np.ndarray, layout: _Layout) -> tuple[np.ndarray, ...]:
    none = np.zeros(1)
    known = (none, none, none, np.eye(int(codes.max()) + 1), none)
    return tuple(
        np.where(places >= 0, x[places], fixed) for places, fixed in zip(layout[:5], known, strict=True)
    )


def _pack(numbers: tuple[np.ndarray, ...], layout: _Layout) -> np.ndarray:
    x = np.zeros(layout.size)
    for places, values in zip(layout[:5], numbers, strict=True):
        x[places[places >= 0]] = values[places >= 0]
    return x


def _read(fit: GroupFit) -> tuple[np.ndarray, ...]:
    return fit.loadings, fit.intercepts, fit.residuals, fit.covariances, fit.means


def _imply(numbers: tuple[np.ndarray, ...], codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the means (g, p) and covariances (g, p, p) that the numbers imply."""
    lam, tau, theta, phi, kappa = numbers
    implied = lam[:, :, None] * lam[:, None, :] * phi[:, codes][:, :, codes]
    at = np.arange(len(codes))
    implied[:, at, at] += theta
    return tau + lam * kappa[:, codes], implied


def _differentiate(numbers: tuple[np.ndarray, ...], codes: np.ndarray, layout: _Layout) -> np.ndarray:
    """Give the derivative of each group's means and covariances (g, p + p(p+1)/2, q) by each parameter."""
    lam, _, _, phi, kappa = numbers
    n_groups, p, f = len(lam), len(codes), phi.shape[1]
    (rows, columns, _), at, each = _number_pairs(p), np.arange(p), np.arange(n_groups)[:, None]
    pattern = np.zeros((n_groups, p, f))
    pattern[:, at, codes] = lam
    moved = (pattern @ phi)[:, :, codes]  # (g, i, j): of item i by the loading of item j
    slopes = np.zeros((n_groups, p + len(rows), layout.size))
    slopes[each, at, layout.loadings] = kappa[:, codes]
    slopes[each, at, layout.intercepts] = 1.0
    slopes[each, p + np.flatnonzero(rows == columns), layout.residuals] = 1.0
    pairs = p + np.arange(len(rows))
    # A covariance changes by the loading of either of its items, a variance by its own twice.
    np.add.at(slopes, (each, pairs, layout.loadings[:, rows]), moved[:, columns, rows])
    np.add.at(slopes, (each, pairs, layout.loadings[:, columns]), moved[:, rows, columns])
    for a, b in zip(*np.tril_indices(f), strict=True):
        one = pattern[:, rows, a] * pattern[:, columns, b]
        if a != b:
            one = one + pattern[:, rows, b] * pattern[:, columns, a]
        free = np.flatnonzero(layout.covariances[:, a, b] >= 0)
        slopes[free[:, None], pairs, layout.covariances[free, a, b][:, None]] = one[free]
    for g, factor in zip(*np.nonzero(layout.means >= 0), strict=True):
        slopes[g, :p, layout.means[g, factor]] = pattern[g, :, factor]
    return slopes


def _weigh(implied: np.ndarray) -> np.ndarray:
    """Weigh means and covariances as the normal likelihood does (g, m, m), for one row."""
    p = implied.shape[-1]
    rows, columns, half = _number_pairs(p)
    inverse = np.linalg.inv(implied)
    weight = np.zeros((len(implied), p + len(rows), p + len(rows)))
    weight[:, :p, :p] = inverse
    first, second = inverse[:, rows], inverse[:, columns]
    block = first[:, :, rows] * second[:, :, columns] + first[:, :, columns] * second[:, :, rows]
    weight[:, p:, p:] = block * half
    return weight


@cache
def _number_pairs(p: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the pairs of p items, and how their products count: a pair off the diagonal stands twice."""
    rows, columns = np.tril_indices(p)
    twice = np.where(rows == columns, 0.5, 1.0)
    return rows, columns, np.outer(twice, twice)


def _take_statistics(rows: np.ndarray, means: np.ndarray, covariances: np.ndarray) -> np.ndarray:
    """Take from each row (n, p) what it adds to means and covariances, less those given."""
    lower = _number_pairs(rows.shape[1])[:2]
    apart = rows - means
    return np.column_stack([apart, apart[:, lower[0]] * apart[:, lower[1]] - covariances[lower]])


def _turn(numbers: tuple[np.ndarray, ...], codes: np.ndarray, shared: np.ndarray) -> tuple[np.ndarray, ...]:
    """Turn factors so that most of their items load positively; those that groups share turn in all."""
    lam, tau, theta, phi, kappa = numbers
    signs = np.ones((len(lam), phi.shape[1]))
    for one in range(phi.shape[1]):
        items = codes == one
        items = items & shared if (items & shared).any() else items
        signs[:, one] = np.where(lam[:, items].sum(axis=1) < 0, -1.0, 1.0)
    return lam * signs[:, codes], tau, theta, phi * signs[:, :, None] * signs[:, None, :], kappa * signs


def _measure_fit(
    moments: GroupMoments, implied: tuple[np.ndarray, np.ndarray], df: int, discrepancy: float
) -> dict[str, float]:
    n, n_groups, p = float(moments.sizes.sum()), len(moments.sizes), moments.means.shape[1]
    sd = np.sqrt(np.einsum("gii->gi", moments.covariances))
    scale = sd[:, :, None] * sd[:, None, :]
    statistic = n * discrepancy
    baseline = -float(moments.sizes @ np.linalg.slogdet(moments.covariances / scale)[1])
    baseline_df = n_groups * p * (p - 1) // 2
    # RMSEA is of misfit per row of a group.
    measures = measure_misfit(statistic, df, baseline, baseline_df, n / n_groups)
    lower = np.tril_indices(p)
    covariances = (((moments.covariances - implied[1]) / scale)[:, lower[0], lower[1]] ** 2).sum(axis=1)
    means = (((moments.means - implied[0]) / sd) ** 2).sum(axis=1)
    roots = np.sqrt((covariances + means) / (p * (p + 3) / 2))
    measures["srmr"] = float(moments.sizes @ roots / n)
    return measures
