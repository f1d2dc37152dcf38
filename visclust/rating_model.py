"""A stated model of how people rate images, and what it implies for the ratings on their scale."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtr

from visclust.annotation.constructs import EMOTIONS

__all__ = ["RatingModel", "draw_cluster_effects", "expect_ratings", "measure_spread"]

_MEANS = {
    "hopeful": 3.9, "enthusiastic": 3.3, "proud": 3.5, "angry": 3.6, "resentful": 2.9, "bitter": 2.8,
    "hateful": 2.4, "worried": 3.6, "scared": 3.0, "afraid": 3.0,
}  # fmt: skip
_DEMOCRATS = {"hopeful": 1.0, "proud": 0.9, "worried": 0.7, "scared": 0.6, "afraid": 0.6}
_LOADINGS = {
    "hopeful": 1.0, "enthusiastic": 0.95, "proud": 0.95, "angry": 1.0, "resentful": 0.95, "bitter": 0.95,
    "hateful": 0.85, "worried": 0.95, "scared": 1.0, "afraid": 1.0,
}  # fmt: skip


class RatingModel(NamedTuple):
    """State how ratings come about: a linear model with normal random effects, rounded to the scale.

    A respondent of group g who rates item e of dimension d for an image of a cluster feels

        mean(e) + effect(g, e) + tendency(respondent)
            + loading(e) * [ respondent + cluster + group x cluster + image + group x image + rating ](d)
            + residual

    and answers with the nearest whole number of the scale. Every random effect is normal with mean zero;
    those in brackets differ by dimension. The effects of clusters, images and single ratings are correlated
    between dimensions as `correlations` says; the respondents' are independent.

    By default the groups differ in the directions that the paper reports: Democrats higher on hopeful, proud,
    worried, scared and afraid, similar on resentful, bitter and hateful. The sizes, and no difference in
    enthusiastic and angry, are our choice.

    Parameters
    ----------
    dimensions : mapping of str to sequence of str
        Items by dimension.
    means, loadings : mapping of str to float
        By item.
    effects : mapping of str to mapping of str to float
        By group, and by item where it is not zero.
    correlations : array_like, shape (d, d)
        Between the dimensions, in their order.
    tendency_sd, respondent_sd : float
        Standard deviation between respondents, in points of the scale: of all items alike, and by dimension.
    cluster_sd, group_cluster_sd : float
        Between clusters: for all alike, and for each group by itself.
    image_sd, group_image_sd : float
        Between the images of a cluster, likewise.
    rating_sd, residual_sd : float
        Of one respondent's feeling about one image: by dimension, and by item.
    scale : tuple of two int
        Its lowest and highest number.

    Returns
    -------
    RatingModel
        Change parameters with its ``_replace``.

    Examples
    --------
    >>> RatingModel()._replace(effects={"men": {}, "women": {"proud": 0.5}}).scale
    (1, 10)
    """

    dimensions: Mapping[str, Sequence[str]] = EMOTIONS
    means: Mapping[str, float] = _MEANS
    effects: Mapping[str, Mapping[str, float]] = {"Democrat": _DEMOCRATS, "Republican": {}}
    loadings: Mapping[str, float] = _LOADINGS
    correlations: Sequence[Sequence[float]] = ((1.0, -0.3, -0.2), (-0.3, 1.0, 0.6), (-0.2, 0.6, 1.0))
    tendency_sd: float = 1.0
    respondent_sd: float = 0.9
    cluster_sd: float = 0.8
    group_cluster_sd: float = 0.3
    image_sd: float = 0.5
    group_image_sd: float = 0.2
    rating_sd: float = 1.3
    residual_sd: float = 1.0
    scale: tuple[int, int] = (1, 10)


def draw_cluster_effects(
    model: RatingModel, clusters: Sequence[int] | pd.Series, *, seed: int = 0
) -> pd.DataFrame:
    """Draw how each cluster departs from the mean, and each group within it.

    Parameters
    ----------
    model : RatingModel
        The model.
    clusters : sequence of int
        Clusters; repeated ones count once.
    seed : int, default 0
        Seed of the draw.

    Returns
    -------
    DataFrame
        A row per cluster, group and dimension: ``cluster, group, dimension, effect``, the sum of the
        cluster's effect and that of the group in it.

    Examples
    --------
    >>> draw_cluster_effects(RatingModel(), [5]).shape
    (6, 4)
    """
    rng = np.random.default_rng(seed)
    numbers = np.unique(np.asarray(clusters))
    n_groups, n_dimensions = len(model.effects), len(model.dimensions)
    root = np.linalg.cholesky(np.asarray(model.correlations))
    shared = rng.normal(size=(len(numbers), 1, n_dimensions)) * model.cluster_sd
    own = rng.normal(size=(len(numbers), n_groups, n_dimensions)) * model.group_cluster_sd
    index = pd.MultiIndex.from_product(
        [numbers, list(model.effects), list(model.dimensions)], names=["cluster", "group", "dimension"]
    )
    return pd.DataFrame({"effect": ((shared + own) @ root.T).ravel()}, index=index).reset_index()


def measure_spread(model: RatingModel) -> pd.Series:
    """Give each item's standard deviation about its mean in one cluster and group, before rounding.

    Parameters
    ----------
    model : RatingModel
        The model.

    Returns
    -------
    Series
        By item, in points of the scale.

    Examples
    --------
    >>> model = RatingModel()._replace(tendency_sd=3, respondent_sd=4, image_sd=0, group_image_sd=0,
    ...                                rating_sd=0, residual_sd=0)
    >>> float(measure_spread(model)["hopeful"])
    5.0
    """
    inner = model.respondent_sd**2 + model.image_sd**2 + model.group_image_sd**2 + model.rating_sd**2
    loadings = pd.Series(dict(model.loadings), dtype=float)
    return (model.tendency_sd**2 + loadings**2 * inner + model.residual_sd**2) ** 0.5


def expect_ratings(model: RatingModel, cluster_effects: pd.DataFrame) -> pd.DataFrame:
    """Compute the exact expected rating per item, cluster and group, after rounding and clipping.

    A rounded and clipped normal variable is a sum of steps: its expectation is the lowest number of the
    scale plus, for each half between two numbers, the probability of passing it.

    Parameters
    ----------
    model : RatingModel
        The model.
    cluster_effects : DataFrame
        From `draw_cluster_effects`.

    Returns
    -------
    DataFrame
        A row per cluster, group, and item or dimension (the mean of its items): ``cluster, group, level,
        item, expected``. The expectation is over respondents, images of that cluster, and chance.

    Examples
    --------
    >>> model = RatingModel()
    >>> still = draw_cluster_effects(model, [0]).assign(effect=0.0)
    >>> expected = expect_ratings(model, still).set_index(["group", "item"])["expected"]
    >>> round(float(expected["Democrat", "hopeful"] - expected["Republican", "hopeful"]), 3)
    0.935
    """
    spread = measure_spread(model)
    lowest, highest = model.scale
    halves = np.arange(lowest, highest) + 0.5
    wide = cluster_effects.pivot(index=["cluster", "group"], columns="dimension", values="effect")
    groups = wide.index.get_level_values("group")
    expected = {}
    for dimension, items in model.dimensions.items():
        for item in items:
            shift = np.array([model.effects[group].get(item, 0.0) for group in groups])
            felt = model.means[item] + shift + model.loadings[item] * wide[dimension].to_numpy()
            expected["emotion", item] = lowest + ndtr((felt[:, None] - halves) / spread[item]).sum(axis=1)
    for dimension, items in model.dimensions.items():
        expected["dimension", dimension] = np.mean([expected["emotion", item] for item in items], axis=0)
    parts = [
        pd.DataFrame({"level": level, "item": item, "expected": mean}, index=wide.index)
        for (level, item), mean in expected.items()
    ]
    return pd.concat(parts).reset_index()
