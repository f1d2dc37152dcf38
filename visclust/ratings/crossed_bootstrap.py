"""Bootstrap of weighted means over ratings in which respondents and images are crossed.

Two kinds: one that counts each rating's own error once, and Owen's pigeonhole bootstrap to compare it with.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from visclust.base.tables import UNASSIGNED
from visclust.ratings.designs import add_up

_LARGEST_BLOCK = 4_000_000  # numbers held at once: 32 MB


class CrossedParts(NamedTuple):
    """Means by group and what each image and each respondent adds to them beyond its expectation.

    Of g groups, k outcomes, m images (or clusters, where these are drawn too) and r respondents: ``means,
    shrinkage, covariance`` (g, k; the last is the variance between respondents beyond that of single
    ratings), ``image_parts`` (m, g, k), ``strata, shares`` (m,), ``respondent_parts`` (r, k), and
    ``respondent_groups, respondent_weights`` (r,; 0 for who rated nothing that counts). ``lone_image``:
    images count as drawn, and one alone counts, so that nothing says how images differ.
    """

    means: np.ndarray
    image_parts: np.ndarray
    respondent_parts: np.ndarray
    respondent_groups: np.ndarray
    shrinkage: np.ndarray
    covariance: np.ndarray
    strata: np.ndarray
    shares: np.ndarray
    respondent_weights: np.ndarray
    lone_image: bool


def split_crossed(
    values: np.ndarray,
    image_weights: np.ndarray,
    *,
    respondents: np.ndarray,
    images: np.ndarray,
    groups: np.ndarray,
    strata: np.ndarray,
    weights: np.ndarray | None = None,
    fractions: np.ndarray | None = None,
    random_strata: bool = False,
    seed: int = 0,
) -> CrossedParts:
    """Compute weighted means by group, and split their error into parts of images and of respondents.

    The mean of a group is the weighted mean of the images' means in that group. Two things make it vary:

    * Images were drawn within strata: an image's part is its weight times the distance of its mean from that
      of its stratum. It holds the error of its single ratings too.
    * Respondents rate several images: what the images' parts miss is the covariance of ratings of one
      respondent. A respondent's part is the weighted sum of his or her deviations from the group's mean, and
      `shrinkage` takes out the share of its variance that single ratings alone make, counted already.

    The sum of both variances is the two-way cluster-robust variance: by image, plus by respondent, minus by
    rating (Cameron, Gelbach and Miller 2011; split before resampling as by Menzel 2021).

    `values` (n, k) are without gaps; `image_weights` and `strata` are (m,), `respondents`, `images` and
    `groups` codes from 0, (n,). Every group must rate every image. An image alone in its stratum shows no
    spread there: it gets the deviation of an image drawn from the other strata, or where all are alone, its
    distance from the mean of all.

    `weights` (n,) are those of the ratings' respondents. A group's mean then is the weighted mean of its
    ratings, each by that weight times the image's share of its ratings: dividing by the sum of weights image
    by image would take the weights out again where an image has one rating. `fractions` (m,) say which share
    of its stratum's images was rated: their parts shrink by it, and the error of single ratings, which does
    not, is taken in with the respondents. With `random_strata` the strata were drawn too, and are the units;
    each image of the stratum -1 is one of its own.
    """
    n_images, n_groups = len(image_weights), groups.max() + 1
    share = np.asarray(image_weights, dtype=np.float64) / np.sum(image_weights)
    cells = images * n_groups + groups
    counts = np.bincount(cells, minlength=n_images * n_groups)
    if not counts.all():
        raise ValueError("Expected every group to rate every image: leave out those that one group did not.")
    own = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    factors = own / counts[cells]
    factors = factors / np.bincount(groups, weights=share[images] * factors)[groups]
    rating_shares = share[images] * factors
    means = add_up(rating_shares[:, None] * values, groups, n_groups)
    apart = values - means[groups]
    deviations = add_up(factors[:, None] * apart, cells, n_images * n_groups)
    deviations = deviations.reshape(n_images, n_groups, -1)
    units = images
    if random_strata:
        image_parts, shares, unit_of = _join_strata(share[:, None, None] * deviations, share, strata)
        strata, units = np.zeros(len(shares), dtype=np.int64), unit_of[images]
    else:
        image_parts, shares = share[:, None, None] * _center(deviations, strata, seed=seed), share
    rating_parts = rating_shares[:, None] * apart
    respondent_parts = add_up(rating_parts, respondents, respondents.max() + 1)
    respondent_groups = np.zeros(len(respondent_parts), dtype=np.int64)
    respondent_groups[respondents] = groups
    counts_at_all = share[images] > 0
    respondent_weights = np.zeros(len(respondent_parts))
    respondent_weights[respondents[counts_at_all]] = own[counts_at_all]
    by_respondent = add_up(respondent_parts**2, respondent_groups, n_groups)
    _, first, pairs = np.unique(
        respondents * (units.max() + 1) + units, return_index=True, return_inverse=True
    )
    by_rating = add_up(add_up(rating_parts, pairs) ** 2, groups[first], n_groups)
    people = np.bincount(respondent_groups[respondent_weights > 0], minlength=n_groups)[:, None]
    # The deviations are from an estimated mean; each group has its own.
    covariance = np.clip(by_respondent - by_rating, 0, None) * people / np.maximum(people - 1, 1)
    drawn = share > 0 if fractions is None else (share > 0) & (fractions < 1)
    lone_image = bool((shares > 0).sum() == 1 and drawn.any())
    if fractions is not None:
        image_parts = image_parts * np.sqrt(1 - fractions)[:, None, None]
        noise = _measure_rating_noise(values, cells, groups)
        covariance = covariance + add_up(
            (fractions[images] * rating_shares**2)[:, None] * noise, groups, n_groups
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        shrinkage = np.sqrt(np.where(by_respondent > 0, covariance / by_respondent, 0))
    return CrossedParts(
        means, image_parts, respondent_parts, respondent_groups, shrinkage, covariance, strata, shares,
        respondent_weights, lone_image,
    )  # fmt: skip


def _join_strata(
    parts: np.ndarray, share: np.ndarray, strata: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add up images' parts (m, g, k) by stratum: parts, shares, and the unit of each image (m,)."""
    names = np.where(strata == UNASSIGNED, -1 - np.arange(len(strata)), strata)
    names = np.where(share > 0, names, np.iinfo(np.int64).max)  # what does not count is one unit, left out
    _, unit_of = np.unique(names, return_inverse=True)
    n_units = int(unit_of[share > 0].max()) + 1
    if n_units < 2:
        raise ValueError(
            "Expected ratings of two clusters or more where clusters are random, got one: nothing says how "
            "clusters differ."
        )
    joined = add_up(parts.reshape(len(parts), -1), unit_of)[:n_units] * np.sqrt(n_units / (n_units - 1))
    return joined.reshape(n_units, *parts.shape[1:]), np.bincount(unit_of, share)[:n_units], unit_of


def _measure_rating_noise(values: np.ndarray, cells: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Measure the variance of single ratings of one image by one group, for each rating (n, k).

    A rating alone in its cell takes the mean of its group's other cells.
    """
    counts = np.bincount(cells)[cells][:, None]
    apart = values - (add_up(values, cells)[cells] / counts)
    several = counts > 1
    own = np.where(several, apart**2 * counts / np.maximum(counts - 1, 1), 0.0)
    known = add_up(several.astype(float), groups)[groups]
    if not known.all():
        raise ValueError(
            "Expected images that several respondents of each group rated: with one rating each, how much "
            "ratings differ cannot be told from how much images do, so that finite_population=True has no "
            "answer."
        )
    return np.where(several, own, add_up(own, groups)[groups] / known)


def resample_crossed(parts: CrossedParts, *, n_bootstrap: int = 2000, seed: int = 0) -> np.ndarray:
    """Resample respondents within groups, and images, each rating's own error counted once.

    Gives the means of each resample, shape (n_bootstrap, g, k). All groups of one resample rest on the same
    images, so that differences between them are paired.
    """
    n_images, n_groups, n_outcomes = parts.image_parts.shape
    flat = parts.image_parts.reshape(n_images, -1)
    shrunk = parts.shrinkage[parts.respondent_groups] * parts.respondent_parts
    replicates = np.empty((n_bootstrap, n_groups, n_outcomes))
    # The parts of a kind sum to zero, so that drawing n from n gives the variance of `measure_contrast`: what
    # estimated means took from it is in the parts already.
    for rows, extra_images, extra_people in _draw_extra_counts(
        parts.respondent_groups, n_images, n_bootstrap=n_bootstrap, seed=seed
    ):
        drawn = (extra_images @ flat).reshape(-1, n_groups, n_outcomes)
        for group in range(n_groups):
            own = parts.respondent_groups == group
            drawn[:, group] += extra_people[:, own] @ shrunk[own]
        replicates[rows] = parts.means + drawn
    return replicates


def measure_contrast(parts: CrossedParts, contrast: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Measure the variance (k,) of a contrast, and its degrees of freedom by Satterthwaite's approximation.

    Few images in a stratum of large weight, or few respondents, make for a variance that is not well known;
    so do a few with much of the weight, which count as that many fewer. There is one degree at least; an
    image alone in its stratum counts as one. `contrast` (g,) holds the factors of the groups. Both are
    missing where one respondent stands for a group of the contrast, or one image for all: nothing then says
    how much respondents, or images, differ.
    """
    people = np.bincount(parts.respondent_groups[parts.respondent_weights > 0], minlength=len(contrast))
    if parts.lone_image or (people[np.asarray(contrast) != 0] < 2).any():
        nothing = np.full(parts.means.shape[1], np.nan)
        return nothing, nothing
    combined = np.einsum("g,igk->ik", contrast, parts.image_parts)
    _, codes = np.unique(parts.strata, return_inverse=True)
    by_stratum = add_up(combined**2, codes)
    by_group = np.asarray(contrast)[:, None] ** 2 * parts.covariance
    squares = (by_stratum**2 / (_count_alike(parts.shares, codes) - 1).clip(1)[:, None]).sum(axis=0)
    alike = _count_alike(parts.respondent_weights, parts.respondent_groups)
    squares += (by_group**2 / (alike - 1).clip(1)[:, None]).sum(axis=0)
    total = by_stratum.sum(axis=0) + by_group.sum(axis=0)
    freedom = np.where(squares > 0, total**2 / np.where(squares > 0, squares, 1), np.inf)
    return total, np.maximum(freedom, 1.0)


def _count_alike(weights: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Count how many of equal weight would know a variance as well as these do, by code."""
    squares, fourths = (np.bincount(codes, weights=weights**power) for power in (2, 4))
    return np.where(fourths > 0, squares**2 / np.where(fourths > 0, fourths, 1), 1.0)


def resample_pigeonhole(
    values: np.ndarray,
    image_weights: np.ndarray,
    *,
    respondents: np.ndarray,
    images: np.ndarray,
    groups: np.ndarray,
    weights: np.ndarray | None = None,
    n_bootstrap: int = 2000,
    seed: int = 0,
) -> np.ndarray:
    """Resample respondents and images independently, each rating weighted by the product of both counts.

    Wider than it should be where single ratings make most of the error, which it counts three times; kept for
    comparison with `resample_crossed`.
    """
    n_groups = groups.max() + 1
    cells = images * n_groups + groups
    own_weight = np.asarray(image_weights, dtype=float)[images] / np.bincount(cells)[cells]
    own_weight = own_weight if weights is None else own_weight * weights
    respondent_groups = np.zeros(respondents.max() + 1, dtype=np.int64)
    respondent_groups[respondents] = groups
    replicates = np.empty((n_bootstrap, n_groups, values.shape[1]))
    for rows, extra_images, extra_people in _draw_extra_counts(
        respondent_groups, len(image_weights), n_bootstrap=n_bootstrap, seed=seed
    ):
        for group in range(n_groups):
            own = np.flatnonzero(groups == group)
            weight = (1 + extra_people[:, respondents[own]]) * (1 + extra_images[:, images[own]])
            weight *= own_weight[own]
            replicates[rows, group] = weight @ values[own] / weight.sum(axis=1, keepdims=True)
    return replicates


def _draw_extra_counts(
    respondent_groups: np.ndarray, n_images: int, *, n_bootstrap: int, seed: int
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Draw, in blocks, how often more than once each image (b, m) and each respondent (b, r) comes.

    Every resample has as many respondents of each group as there are.
    """
    if n_bootstrap < 1:
        raise ValueError(f"Expected at least one resample, got n_bootstrap={n_bootstrap}.")
    rng = np.random.default_rng(seed)
    step = max(1, _LARGEST_BLOCK // (n_images + len(respondent_groups)))
    for start in range(0, n_bootstrap, step):
        block = min(step, n_bootstrap - start)
        images = rng.multinomial(n_images, np.full(n_images, 1 / n_images), size=block) - 1.0
        people = np.empty((block, len(respondent_groups)))
        for group in np.unique(respondent_groups):
            own = np.flatnonzero(respondent_groups == group)
            people[:, own] = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), size=block) - 1.0
        yield slice(start, start + block), images, people


def _center(image_means: np.ndarray, strata: np.ndarray, *, seed: int) -> np.ndarray:
    """Deviate from the stratum's mean, blown up for what the estimated mean took away."""
    flat = image_means.reshape(len(image_means), -1)
    _, codes, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    size = sizes[codes][:, None]
    centered = flat - (add_up(flat, codes, len(sizes)) / sizes[:, None])[codes]
    centered = centered * np.sqrt(size / np.maximum(size - 1, 1))
    alone = size[:, 0] == 1
    if alone.all():
        centered = flat - flat.mean(axis=0)
    elif alone.any():
        donors = np.random.default_rng(seed).choice(np.flatnonzero(~alone), alone.sum())
        centered[alone] = centered[donors]
    return centered.reshape(image_means.shape)
