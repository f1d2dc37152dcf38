"""Standard errors of clusters with few ratings, which borrow what spread means from all clusters."""

from typing import NamedTuple

import numpy as np

__all__ = ["ClusterErrors", "estimate_cluster_errors", "moderate_variances"]


class ClusterErrors(NamedTuple):
    """Means of clusters, their standard errors and degrees of freedom: all of shape (clusters, outcomes)."""

    means: np.ndarray
    standard_errors: np.ndarray
    freedom: np.ndarray


def moderate_variances(variances: np.ndarray, freedom: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pull variances of few numbers towards their common mean, as far as they differ by chance.

    Parameters
    ----------
    variances : float array, shape (n, k)
        Sample variances; ignored where there are no degrees of freedom.
    freedom : float array, shape (n,)
        Their degrees of freedom.

    Returns
    -------
    tuple of two float arrays, shape (n, k)
        Moderated variances and their degrees of freedom: those of the sample plus those of the common mean,
        infinite where the variances differ no more than by chance.

    Raises
    ------
    ValueError
        If there are no degrees of freedom at all.

    Source
    ------
    Smyth (2004), "Linear models and empirical Bayes methods for assessing differential expression", with
    moments of the variances in place of those of their logarithms: ratings that are all alike have variance
    zero. The squared relative difference of a sample variance from the common mean has expectation
    c + 2 (1 + c) / freedom for normal data, where c is the squared coefficient of variation of the true ones.

    Examples
    --------
    >>> moderated, freedom = moderate_variances(np.array([[1.0], [1.0], [1.0]]), np.array([1, 2, 3]))
    >>> moderated.ravel().tolist(), freedom.ravel().tolist()
    ([1.0, 1.0, 1.0], [inf, inf, inf])
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


def estimate_cluster_errors(
    cell_means: np.ndarray,
    cell_counts: np.ndarray,
    cell_squares: np.ndarray,
    *,
    contrast: np.ndarray,
    clusters: np.ndarray,
) -> ClusterErrors:
    """Estimate a contrast of groups in each cluster, for new respondents and new images of the cluster.

    Parameters
    ----------
    cell_means, cell_squares : float arrays, shape (m, g, k)
        Mean rating of each image in each group, and the sum of squared deviations from it.
    cell_counts : int array, shape (m, g)
        Ratings of each image in each group.
    contrast : float array, shape (g,)
        Factors of the groups: (1, -1) for a difference, (1,) for a mean.
    clusters : int array, shape (m,)
        Clusters of the images, numbered from 0.

    Returns
    -------
    ClusterErrors
        Images of a cluster weigh alike. The variance between ratings of one image by one group is moderated
        over clusters (`moderate_variances`); that of the contrast between images of a cluster is taken as the
        same in all clusters, since most have too few images to tell. Ratings within a cluster count as
        independent: nobody rates two images of one cluster.

    Examples
    --------
    >>> errors = estimate_cluster_errors(np.array([[[2.0]], [[4.0]]]), np.array([[2], [2]]),
    ...     np.array([[[2.0]], [[2.0]]]), contrast=np.ones(1), clusters=np.array([0, 0]))
    >>> errors.means.tolist(), errors.standard_errors.tolist()
    ([[3.0]], [[1.0]])
    """
    sizes = np.bincount(clusters)
    freedom = _add_up((cell_counts - 1).sum(axis=1).astype(float)[:, None], clusters)[:, 0]
    squares = _add_up(cell_squares.sum(axis=1), clusters)
    moderated, total_freedom = moderate_variances(squares / np.maximum(freedom, 1)[:, None], freedom)
    by_image = np.einsum("g,mgk->mk", contrast, cell_means)
    means = _add_up(by_image, clusters) / sizes[:, None]
    chance = moderated[clusters] * (contrast**2 / cell_counts).sum(axis=1)[:, None]
    seen = ((by_image - means[clusters]) ** 2).sum(axis=0)
    share = 1 - 1 / sizes[clusters][:, None]
    between = np.clip(seen - (share * chance).sum(axis=0), 0, None) / max(float(share.sum()), 1e-12)
    variance = (_add_up(chance, clusters) / sizes[:, None] + between) / sizes[:, None]
    return ClusterErrors(means, np.sqrt(variance), total_freedom)


def _add_up(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    return np.column_stack([np.bincount(codes, weights=column) for column in values.T])
