"""By how much groups differ in each cluster, with clusters of few ratings pulled towards the rest.

The standard error of a cluster with few ratings borrows from all clusters by how much ratings spread.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtr

from visclust.annotation.constructs import EMOTIONS
from visclust.base.checks import check_level
from visclust.base.origins import check_origin
from visclust.base.provenance import recorded
from visclust.base.tables import UNASSIGNED
from visclust.ratings.crossed_bootstrap import split_crossed
from visclust.ratings.designs import (
    CrossedDesign,
    add_up,
    count_people,
    list_designs,
    name_lone_groups,
    spread_ratings,
    warn_of_gaps,
    weigh_images,
)
from visclust.ratings.group_contrasts import choose_reference
from visclust.ratings.intervals import ROUNDING, adjust_p, find_student_interval

_ESTIMATED = ("estimate", "standard_error", "degrees_of_freedom", "raw_low", "raw_high", "p")
_GRID = 80
_HALVINGS = 40  # of a range of some standard deviations: far below any digit shown


class ClusterErrors(NamedTuple):
    """Means of clusters, their standard errors and degrees of freedom: all of shape (clusters, outcomes)."""

    means: np.ndarray
    standard_errors: np.ndarray
    freedom: np.ndarray


@recorded
def contrast_clusters(
    ratings: pd.DataFrame,
    sample: pd.DataFrame,
    *,
    reference: str | None = None,
    dimensions: Mapping[str, Sequence[str]] = EMOTIONS,
    groups: str = "group",
    respondent_weights: pd.DataFrame | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare groups within each cluster, per emotion and per dimension.

    The raw difference in a cluster rests on a handful of ratings, and the largest of many raw differences are
    large mostly by chance. So each comes with a p value adjusted for the number of clusters, and with an
    estimate that is pulled towards the mean of all clusters, the more so the fewer ratings it rests on.

    Parameters
    ----------
    ratings : DataFrame
        The ratings table.
    sample : DataFrame
        A sample, assignment or clusters table: ``image_id, cluster``. Unassigned images are left out.
    reference : str, optional
        Group that the others are compared with; by default the last in alphabetical order.
    dimensions : mapping of str to sequence of str, default EMOTIONS
        Items by dimension.
    groups : str, default "group"
        Column of the ratings table with the groups.
    respondent_weights : DataFrame, optional
        From `rake_respondents`: ``respondent, weight``. By default all respondents count alike.
    level : float, default 0.95
        Level of the intervals.

    Returns
    -------
    DataFrame
        A row per outcome, group but the reference, and cluster: ``level, dimension, item, group, reference,
        cluster, estimate, standard_error, degrees_of_freedom, raw_low, raw_high, p`` (t: the interval of the
        raw difference, and its two-sided p value), ``p_adjusted`` (Benjamini-Hochberg among all clusters and
        all emotions, or all clusters and dimensions), ``shrunk, low, high`` (estimate pulled towards the
        mean, and its interval), ``shrunk_p`` (twice the probability that the true difference lies on the
        other side of zero than what was pulled; below 0.05 exactly where the 95% interval leaves out zero),
        ``kept`` (share of the distance from the mean that it keeps, 0 to 1), ``images, ratings, simulated``,
        and ``rank``, the place of the cluster in one order for all outcomes: by the mean of what was pulled
        over the dimensions, the largest first. Clusters that some group did not rate have no row; a warning
        counts them.

    Raises
    ------
    ValueError
        If simulated ratings are mixed with real ones, all groups rated fewer than four clusters, one
        respondent stands for a group, or the level is not between 0 and 1.

    Source
    ------
    Casas et al., footnotes on single clusters. Standard errors: the variance between ratings of one image is
    moderated over the clusters, Smyth (2004), "Linear models and empirical Bayes methods for assessing
    differential expression"; that between images of a cluster is taken as the same in all. Shrinkage: Morris
    (1983), "Parametric empirical Bayes inference"; Morris & Tang (2011), "Estimating random effects via
    adjustment for density maximization"; what the same respondents bring to all clusters is shared error.

    Examples
    --------
    >>> rows = [(f"{g}{r}", g, f"i{r % 4}", "proud", float(r + (g == "D")), True)
    ...     for g in "DR" for r in range(12)]
    >>> names = ["respondent", "group", "image_id", "item", "rating", "simulated"]
    >>> sample = pd.DataFrame({"image_id": ["i0", "i1", "i2", "i3"], "cluster": range(4)})
    >>> contrast_clusters(pd.DataFrame(rows, columns=names), sample, dimensions={})["estimate"].tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    check_level(level)
    check_origin(ratings, sample, what="the ratings", made_from="the sample")
    spread = spread_ratings(
        ratings, dimensions=dimensions, groups=groups, respondent_weights=respondent_weights
    )
    names = sorted(spread.events["group"].unique())
    against = names.index(choose_reference(names, reference))
    parts = []
    designs = list(list_designs(spread, sample))
    warn_of_gaps(spread, designs, sample)
    for design in designs:
        inside = np.flatnonzero(design.clusters != UNASSIGNED)
        if not len(inside):
            raise ValueError("Expected rated images in clusters: all of them are unassigned.")
        cells = Cells(*(cell[inside] for cell in summarize_cells(design)))
        _refuse_lone(names, count_people(design, weigh_images(design, sample, "clusters")))
        shared = _measure_shared_variance(design, sample)
        clusters, codes = np.unique(design.clusters[inside], return_inverse=True)
        for number, name in enumerate(names):
            if number == against:
                continue
            contrast = np.zeros(len(names))
            contrast[[number, against]] = 1, -1
            pair = np.flatnonzero(contrast)
            errors = estimate_cluster_errors(
                Cells(*(cell[:, pair] for cell in cells)), contrast=contrast[pair], clusters=codes
            )
            counts = np.bincount(codes, weights=cells.counts[:, pair].sum(axis=1)).astype(int)
            for place, column in enumerate(design.columns):
                found = [each[:, place] for each in errors]
                low, high, p = find_student_interval(*found, level=level)
                part = pd.DataFrame(
                    {
                        "outcome": column, "group": name, "cluster": clusters,
                        **dict(zip(_ESTIMATED, [*found, low, high, p], strict=True)),
                        "images": np.bincount(codes), "ratings": counts,
                    }
                )  # fmt: skip
                shrunk = _shrink_estimates(
                    part["estimate"],
                    part["standard_error"],
                    shared_error=float(np.sqrt(shared[pair, place].sum())),
                    level=level,
                )
                unknown = part["p"].isna()  # ratings all alike, of groups that differ
                part.loc[unknown, ["standard_error", "degrees_of_freedom"]] = np.nan
                parts.append(part.join(shrunk))
    table = pd.concat(parts).sort_values(["outcome", "group", "cluster"], ignore_index=True)
    described = spread.outcomes.iloc[table["outcome"]].reset_index(drop=True)
    table = table.join(described).assign(reference=names[against], simulated=spread.simulated)
    first = ["level", "dimension", "item", "group", "reference", "cluster", *_ESTIMATED]
    last = ["p_adjusted", "shrunk", "low", "high", "shrunk_p", "kept", "images", "ratings", "simulated"]
    return _rank_clusters(table.assign(p_adjusted=adjust_p(table, ["level"]))[first + last])


def _refuse_lone(names: Sequence[str], people: np.ndarray) -> None:
    """Refuse groups of one respondent, which say nothing of how much respondents differ."""
    if lone := name_lone_groups(names, people):
        raise ValueError(
            f"Expected two respondents or more in each group, who rated images in clusters; {lone}. How much "
            f"respondents differ is not seen then: leave the group out, or ask more people."
        )


def _rank_clusters(table: pd.DataFrame) -> pd.DataFrame:
    """Give the clusters of each group one order for all outcomes: by the mean of the pulled estimates.

    Of dimensions, where there are any, since each emotion would count in its dimension too.
    """
    levels = table["level"]
    counted = table[levels.eq("dimension") if levels.eq("dimension").any() else levels.notna()]
    means = counted.groupby(["group", "cluster"])["shrunk"].mean().sort_index()
    ranks = means.groupby("group").rank(ascending=False, method="first").astype("int64")
    places = pd.MultiIndex.from_frame(table[["group", "cluster"]])
    return table.assign(rank=ranks.reindex(places).to_numpy())


class Cells(NamedTuple):
    """What each group said of each image: m images, g groups, k outcomes.

    ``means`` (m, g, k) are weighted by respondents; ``counts`` (m, g) are ratings, ``squares`` (m, g, k)
    their squared deviations without weights; ``weights`` (m, g) the mean weight of who rated, and ``sizes``
    (m, g) how many ratings of equal weight would know the mean as well.
    """

    means: np.ndarray
    counts: np.ndarray
    squares: np.ndarray
    weights: np.ndarray
    sizes: np.ndarray


def summarize_cells(design: CrossedDesign) -> Cells:
    """Summarize each image's ratings in each group."""
    n_images, n_groups = len(design.image_ids), int(design.codes["groups"].max()) + 1
    cells = design.codes["images"] * n_groups + design.codes["groups"]
    size, shape = n_images * n_groups, (n_images, n_groups)
    counts, total, twice = (
        np.bincount(cells, weights=design.weights**power, minlength=size) for power in (0, 1, 2)
    )
    plain = add_up(design.values, cells, size) / np.maximum(counts, 1)[:, None]
    squares = add_up((design.values - plain[cells]) ** 2, cells, size)
    some = np.where(total > 0, total, 1.0)
    means = add_up(design.weights[:, None] * design.values, cells, size) / some[:, None]
    weights = (total / np.maximum(counts, 1)).reshape(shape)
    sizes = (total**2 / np.where(twice > 0, twice, 1)).reshape(shape)
    shown = counts.astype(np.int64).reshape(shape)
    return Cells(means.reshape(*shape, -1), shown, squares.reshape(*shape, -1), weights, sizes)


def estimate_cluster_errors(cells: Cells, *, contrast: np.ndarray, clusters: np.ndarray) -> ClusterErrors:
    """Estimate a contrast of groups in each cluster, for new respondents and new images of the cluster.

    `contrast` (g,) holds the factors of the groups: (1, -1) for a difference, (1,) for a mean; `clusters`
    (m,) codes of the images' clusters from 0. Images of a cluster weigh alike but for the weights of who
    rated them, as in `split_crossed`. The variance between ratings of one image by one group is moderated
    over clusters; that of the contrast between images of a cluster is taken as the same in all clusters,
    since most have too few images to tell. Ratings within a cluster count as independent: nobody rates two
    images of one cluster.
    """
    sizes = np.bincount(clusters)
    freedom = add_up((cells.counts - 1).sum(axis=1).astype(float)[:, None], clusters)[:, 0]
    squares = add_up(cells.squares.sum(axis=1), clusters)
    moderated, total_freedom = _moderate_variances(squares / np.maximum(freedom, 1)[:, None], freedom)
    # What an image adds to its cluster's mean, where who rated it weighs more or less than who rated others.
    own = cells.weights / (add_up(cells.weights, clusters) / sizes[:, None])[clusters]
    weighted = own[..., None] * cells.means
    center = add_up(weighted.reshape(len(own), -1), clusters) / sizes[:, None]
    center = center.reshape(len(sizes), *weighted.shape[1:])[clusters]
    by_image = np.einsum("g,mgk->mk", contrast, weighted + (1 - own[..., None]) * center)
    means = add_up(by_image, clusters) / sizes[:, None]
    chance = moderated[clusters] * ((contrast * own) ** 2 / cells.sizes).sum(axis=1)[:, None]
    seen = ((by_image - means[clusters]) ** 2).sum(axis=0)
    share = 1 - 1 / sizes[clusters][:, None]
    between = np.clip(seen - (share * chance).sum(axis=0), 0, None) / max(float(share.sum()), 1e-12)
    variance = (add_up(chance, clusters) / sizes[:, None] + between) / sizes[:, None]
    errors = np.sqrt(variance)
    return ClusterErrors(means, np.where(errors > ROUNDING, errors, 0.0), total_freedom)


def _measure_shared_variance(design: CrossedDesign, sample: pd.DataFrame) -> np.ndarray:
    """Measure the variance that a group's respondents bring to all clusters alike, by group and outcome."""
    weights = weigh_images(design, sample, "clusters")
    options: dict[str, Any] = {**design.codes, "weights": design.weights}
    return split_crossed(design.values, weights, strata=design.clusters, **options).covariance


def _moderate_variances(variances: np.ndarray, freedom: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pull variances (n, k) of few numbers towards their common mean, as far as they differ by chance.

    Gives them with their degrees of freedom: those of the sample plus those of the common mean, infinite
    where the variances differ no more than by chance. After Smyth (2004), with moments of the variances in
    place of those of their logarithms: ratings that are all alike have variance zero. The squared relative
    difference of a sample variance from the common mean has expectation c + 2 (1 + c) / freedom for normal
    data, where c is the squared coefficient of variation of the true ones.
    """
    weight = np.asarray(freedom, dtype=float)[:, None]
    total = weight.sum()
    if not total:
        raise ValueError(
            "Expected images that several respondents of a group rated: with one rating each, nothing says "
            "by how much ratings differ."
        )
    variances = np.where(weight > 0, variances, 0.0)
    common = (weight * variances).sum(axis=0) / total
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(common > 0, variances / common, 1.0)
        apart = (weight * (relative - 1) ** 2).sum(axis=0) / total
        chance = 2 * (weight > 0).sum() / total
        varying = np.clip((apart - chance) / (1 + chance), 0, None)
        prior = np.where(varying > 0, 2 * (1 + varying) / varying, np.inf)
        own = np.where(np.isinf(prior), 0.0, weight / (prior + weight))
    return common + own * (variances - common), prior + weight


def _shrink_estimates(
    estimates: pd.Series, errors: pd.Series, *, shared_error: float = 0.0, level: float = 0.95
) -> pd.DataFrame:
    """Pull noisy estimates towards their mean by a normal-normal model.

    Estimates are normal about true values, and those normal about their mean. By how much the true values
    differ is not taken as known: all variances up to a large one count, each as far as the estimates agree
    with it. An interval that rests on one best guess is too short where it is near zero.

    `shared_error` is the standard error that all estimates have in common, as when the same people stand
    behind them: it is part of `errors`, says nothing of how the estimates differ, and widens every interval.
    Gives ``shrunk`` (posterior mean), ``low, high`` (equal-tailed), ``shrunk_p`` (twice the smaller share of
    the posterior on one side of zero) and ``kept``: the share of its distance from the mean that an estimate
    keeps, 0 to 1.
    """
    raw, noise = estimates.to_numpy(dtype=float), errors.to_numpy(dtype=float) ** 2
    if len(raw) and not noise.any():  # known without error: nothing to pull
        # Where ratings are all alike and groups differ, nothing says how sure that is.
        ends, p = (np.where(np.abs(raw) <= ROUNDING, each, np.nan) for each in (0.0, 1.0))
        exact = {"shrunk": raw, "low": ends, "high": ends, "shrunk_p": p, "kept": 1.0}
        return pd.DataFrame(exact, index=estimates.index)
    if len(raw) < 4 or not (noise > 0).all():
        raise ValueError(
            f"Expected four or more estimates with positive standard errors, got {len(raw)} of which "
            f"{int((noise > 0).sum())} have one: fewer do not tell true differences from noise."
        )
    # At least a tenth of the noise is an estimate's own, whatever the shared error is said to be.
    own = np.maximum(noise - shared_error**2, 0.1 * noise)
    spread = np.linspace(0, 3 * raw.std() + 3 * np.sqrt(own.min()), _GRID)[:, None] ** 2
    precision = 1 / (own + spread)
    center_variance = 1 / precision.sum(axis=1)
    center = center_variance * (precision @ raw)
    apart = raw - center[:, None]
    logs = 0.5 * (np.log(center_variance) + (np.log(precision) - precision * apart**2).sum(axis=1))
    # Uniform in the variance: the grid is even in the standard deviation.
    weight = np.sqrt(spread[:, 0]) * np.exp(logs - logs.max())
    weight /= weight.sum()
    kept = spread * precision
    means = center[:, None] + kept * apart
    variances = kept * own + (1 - kept) ** 2 * center_variance[:, None] + shared_error**2
    used = weight > 1e-6
    weight, kept = weight[used] / weight[used].sum(), kept[used]
    means, sds = means[used], np.sqrt(variances[used])
    tail, below = (1 - level) / 2, weight @ ndtr(-means / sds)
    return pd.DataFrame(
        {
            "shrunk": weight @ means,
            "low": _find_quantile(weight, means, sds, tail),
            "high": _find_quantile(weight, means, sds, 1 - tail),
            "shrunk_p": 2 * np.minimum(below, 1 - below),
            "kept": weight @ kept,
        },
        index=estimates.index,
    )


def _find_quantile(weight: np.ndarray, means: np.ndarray, sds: np.ndarray, tail: float) -> np.ndarray:
    """Find a quantile of each column's mixture of normals by halving."""
    low, high = (means - 8 * sds).min(axis=0), (means + 8 * sds).max(axis=0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = weight @ ndtr((middle - means) / sds) < tail
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2
