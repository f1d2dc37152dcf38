"""Owen's bootstrap of crossed data, for comparison: safe, and wider than it need be."""

import numpy as np

from visclust.crossed_bootstrap import draw_extra_counts

__all__ = ["resample_pigeonhole"]


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

    Parameters
    ----------
    values, image_weights, respondents, images, groups
        As in `split_crossed`.
    n_bootstrap : int, default 2000
        Resamples.
    seed : int, default 0
        Seed of the resampling.

    Returns
    -------
    float array, shape (n_bootstrap, g, k)
        Means of each resample.

    Source
    ------
    Owen (2007), "The pigeonhole bootstrap"; Owen & Eckles (2012), "Bootstrapping data arrays of arbitrary
    order".

    Examples
    --------
    >>> resample_pigeonhole(np.ones((2, 1)), np.ones(1), respondents=np.array([0, 1]),
    ...     images=np.array([0, 0]), groups=np.array([0, 1]), n_bootstrap=3).ravel().tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    n_groups = groups.max() + 1
    cells = images * n_groups + groups
    own_weight = np.asarray(image_weights, dtype=float)[images] / np.bincount(cells)[cells]
    respondent_groups = np.zeros(respondents.max() + 1, dtype=np.int64)
    respondent_groups[respondents] = groups
    replicates = np.empty((n_bootstrap, n_groups, values.shape[1]))
    for rows, extra_images, extra_people in draw_extra_counts(
        respondent_groups, len(image_weights), n_bootstrap=n_bootstrap, seed=seed
    ):
        for group in range(n_groups):
            own = np.flatnonzero(groups == group)
            weight = (1 + extra_people[:, respondents[own]]) * (1 + extra_images[:, images[own]])
            weight *= own_weight[own]
            replicates[rows, group] = weight @ values[own] / weight.sum(axis=1, keepdims=True)
    return replicates
