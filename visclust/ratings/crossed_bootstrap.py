"""Bootstrap of weighted means over ratings in which respondents and images are crossed.

Two kinds: one that counts each rating's own error once, and Owen's pigeonhole bootstrap to compare it with.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from visclust.ratings.designs import add_up

_LARGEST_BLOCK = 4_000_000  # numbers held at once: 32 MB


class CrossedParts(NamedTuple):
    """Means by group and what each image and each respondent adds to them beyond its expectation.

    Of g groups, k outcomes, m images and r respondents: ``means, shrinkage, covariance`` (g, k; the last is
    the variance between respondents beyond that of single ratings), ``image_parts`` (m, g, k),
    ``respondent_parts`` (r, k) and ``respondent_groups`` (r,).
    """

    means: np.ndarray
    image_parts: np.ndarray
    respondent_parts: np.ndarray
    respondent_groups: np.ndarray
    shrinkage: np.ndarray
    covariance: np.ndarray


def split_crossed(
    values: np.ndarray,
    image_weights: np.ndarray,
    *,
    respondents: np.ndarray,
    images: np.ndarray,
    groups: np.ndarray,
    strata: np.ndarray,
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
    """
    n_images, n_groups = len(image_weights), groups.max() + 1
    share = np.asarray(image_weights, dtype=np.float64) / np.sum(image_weights)
    cells = images * n_groups + groups
    counts = np.bincount(cells, minlength=n_images * n_groups)
    if not counts.all():
        raise ValueError("Expected every group to rate every image: leave out those that one group did not.")
    totals = add_up(values, cells, n_images * n_groups)
    image_means = (totals / counts[:, None]).reshape(n_images, n_groups, -1)
    means = np.einsum("i,igk->gk", share, image_means)
    image_parts = share[:, None, None] * _center(image_means, strata, seed=seed)
    rating_parts = (share[images] / counts[cells])[:, None] * (values - means[groups])
    respondent_parts = add_up(rating_parts, respondents, respondents.max() + 1)
    respondent_groups = np.zeros(len(respondent_parts), dtype=np.int64)
    respondent_groups[respondents] = groups
    by_respondent = add_up(respondent_parts**2, respondent_groups, n_groups)
    by_rating = add_up(rating_parts**2, groups, n_groups)
    people = np.bincount(respondent_groups, minlength=n_groups)[:, None]
    # The deviations are from an estimated mean; each group has its own.
    covariance = np.clip(by_respondent - by_rating, 0, None) * people / np.maximum(people - 1, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        shrinkage = np.sqrt(np.where(by_respondent > 0, covariance / by_respondent, 0))
    return CrossedParts(means, image_parts, respondent_parts, respondent_groups, shrinkage, covariance)


def resample_crossed(parts: CrossedParts, *, n_bootstrap: int = 2000, seed: int = 0) -> np.ndarray:
    """Resample respondents within groups, and images, each rating's own error counted once.

    Gives the means of each resample, shape (n_bootstrap, g, k). All groups of one resample rest on the same
    images, so that differences between them are paired.
    """
    n_images, n_groups, n_outcomes = parts.image_parts.shape
    flat = parts.image_parts.reshape(n_images, -1)
    shrunk = parts.shrinkage[parts.respondent_groups] * parts.respondent_parts
    replicates = np.empty((n_bootstrap, n_groups, n_outcomes))
    # Drawing n from n makes variances (n - 1) / n of what they should be.
    people = np.bincount(parts.respondent_groups)[parts.respondent_groups, None]
    shrunk = shrunk * np.sqrt(people / np.maximum(people - 1, 1))
    flat = flat * np.sqrt(n_images / max(n_images - 1, 1))
    for rows, extra_images, extra_people in _draw_extra_counts(
        parts.respondent_groups, n_images, n_bootstrap=n_bootstrap, seed=seed
    ):
        drawn = (extra_images @ flat).reshape(-1, n_groups, n_outcomes)
        for group in range(n_groups):
            own = parts.respondent_groups == group
            drawn[:, group] += extra_people[:, own] @ shrunk[own]
        replicates[rows] = parts.means + drawn
    return replicates


def count_freedom(parts: CrossedParts, strata: np.ndarray, *, contrast: np.ndarray) -> np.ndarray:
    """Count the degrees of freedom (k,) of a contrast's variance, by Satterthwaite's approximation.

    Few images in a stratum of large weight, or few respondents, make for a variance that is not well known.
    There is one at least; an image alone in its stratum counts as one. `contrast` (g,) holds the factors of
    the groups.
    """
    combined = np.einsum("g,igk->ik", contrast, parts.image_parts)
    _, codes, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    by_stratum = add_up(combined**2, codes, len(sizes))
    people = np.bincount(parts.respondent_groups)
    by_group = np.asarray(contrast)[:, None] ** 2 * parts.covariance
    squares = (by_stratum**2 / np.maximum(sizes - 1, 1)[:, None]).sum(axis=0)
    squares += (by_group**2 / np.maximum(people - 1, 1)[:, None]).sum(axis=0)
    total = by_stratum.sum(axis=0) + by_group.sum(axis=0)
    return np.maximum(np.where(squares > 0, total**2 / np.where(squares > 0, squares, 1), np.inf), 1.0)


def resample_pigeonhole(
    values: np.ndarray,
    image_weights: np.ndarray,
    *,
    respondents: np.ndarray,
    images: np.ndarray,
    groups: np.ndarray,
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
