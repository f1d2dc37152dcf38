"""Ratings made by a stated model, for runs without people: always marked, never mixed with a person's.

What the model implies for the ratings is known exactly, so that an analysis can be held against it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtr

from visclust.annotation.constructs import EMOTIONS
from visclust.base.checks import checked, show
from visclust.base.origins import check_origin
from visclust.base.progress import WorkBar
from visclust.base.provenance import recorded
from visclust.base.tables import check_columns, check_table
from visclust.ratings.group_contrasts import GroupComparison, compare_groups
from visclust.sampling.samples import check_sample

_MEANS = {
    "hopeful": 3.9, "enthusiastic": 3.3, "proud": 3.5, "angry": 3.6, "resentful": 2.9, "bitter": 2.8,
    "hateful": 2.4, "worried": 3.6, "scared": 3.0, "afraid": 3.0,
}  # fmt: skip
_FIRST_GROUP = {"hopeful": 1.0, "proud": 0.9, "worried": 0.7, "scared": 0.6, "afraid": 0.6}
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

    By default there are two groups, "first" and "second"; `make_rating_model` makes a model for groups of
    other names. They differ in the directions in which the paper's two do: the first is higher on hopeful,
    proud, worried, scared and afraid, similar on resentful, bitter and hateful. The sizes, and no difference
    in enthusiastic and angry, are our choice.

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
    effects: Mapping[str, Mapping[str, float]] = {"first": _FIRST_GROUP, "second": {}}
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


@checked
def make_rating_model(
    groups: Sequence[str],
    *,
    dimensions: Mapping[str, Sequence[str]] = EMOTIONS,
    scale: Sequence[int] = (1, 10),
) -> RatingModel:
    """Make a model of how ratings come about for the groups, items and scale of a study.

    Parameters
    ----------
    groups : sequence of str
        The groups. The first differs from the others: as the first of the paper's does on its emotions, and
        by a point on the first item of every other dimension.
    dimensions : mapping of str to sequence of str, default `visclust.EMOTIONS`
        Items by dimension.
    scale : sequence of two int, default (1, 10)
        Its lowest and highest number. Means and standard deviations are stretched to it.

    Returns
    -------
    RatingModel
        The model. Items that the paper does not have get a mean a third up the scale and a loading of 0.95,
        and dimensions other than the paper's three are correlated by 0.3.

    Raises
    ------
    ValueError
        If there is no group or no item, or the scale has no two numbers.

    Examples
    --------
    >>> model = make_rating_model(["men", "women"], dimensions={"trust": ["honest", "fair"]}, scale=(1, 5))
    >>> model.scale, model.effects["women"], sorted(model.means)
    ((1, 5), {}, ['fair', 'honest'])
    """
    if len(scale) != 2:
        raise ValueError(f"Expected scale to be its two ends, such as (1, 10), got {show(scale)}.")
    low, high = (int(end) for end in scale)
    items = [item for members in dimensions.values() for item in members]
    if not groups or not items or low >= high:
        raise ValueError(
            f"Expected groups, items and a scale of two numbers, got {list(groups)}, {items} and {scale}."
        )
    unit = (high - low) / 9  # the paper's scale has ten numbers
    firsts = [members[0] for members in dimensions.values() if members[0] not in _MEANS]
    effects = {item: by * unit for item, by in _FIRST_GROUP.items() if item in items} | dict.fromkeys(
        firsts, unit
    )
    sizes = {
        name: value * unit for name, value in RatingModel._field_defaults.items() if name.endswith("_sd")
    }
    n = len(dimensions)
    plain = np.where(np.eye(n, dtype=bool), 1.0, 0.3).tolist()
    return RatingModel(
        dimensions=dict(dimensions),
        means={item: low + (_MEANS.get(item, 4.0) - 1) * unit for item in items},
        effects={str(group): effects if place == 0 else {} for place, group in enumerate(groups)},
        loadings={item: _LOADINGS.get(item, 0.95) for item in items},
        correlations=RatingModel._field_defaults["correlations"]
        if dict(dimensions) == dict(EMOTIONS)
        else plain,
        scale=(low, high),
        **sizes,
    )


class SimulatedRatings(NamedTuple):
    """A ratings table with ``simulated`` True throughout, and the truth behind it."""

    ratings: pd.DataFrame
    model: RatingModel
    cluster_effects: pd.DataFrame


@recorded
def simulate_ratings(
    assignment: pd.DataFrame,
    *,
    model: RatingModel | None = None,
    cluster_effects: pd.DataFrame | None = None,
    seed: int = 0,
) -> SimulatedRatings:
    """Simulate what respondents feel about the images assigned to them, from a stated model.

    Parameters
    ----------
    assignment : DataFrame, n rows
        The assignment table.
    model : RatingModel, optional
        The model; by default `make_rating_model` of the assignment's groups, in the order of their names.
    cluster_effects : DataFrame, optional
        From `draw_cluster_effects`, to hold the clusters fixed while respondents, images and chance are drawn
        anew; by default drawn too.
    seed : int, default 0
        Seed of everything that is drawn.

    Returns
    -------
    SimulatedRatings
        ``ratings`` (the ratings table; n rows per item), ``model`` and ``cluster_effects``, the parameters
        that an analysis should recover.

    Raises
    ------
    ValueError
        If it is no assignment table, or the model knows nothing of one of its groups or clusters.

    Source
    ------
    The design and the directions of the effects: Casas et al., section on partisanship and emotions. The
    model is ours, see `RatingModel`.

    Examples
    --------
    >>> assignment = pd.DataFrame({"respondent": ["r"], "group": ["women"], "position": [1],
    ...                            "image_id": ["a"], "cluster": [0]})
    >>> simulate_ratings(assignment).ratings[["item", "rating", "simulated"]].head(2)
               item  rating  simulated
    0       hopeful     3.0       True
    1  enthusiastic     1.0       True
    """
    check_table(assignment, "assignment")
    if assignment.empty:
        raise ValueError("Expected an assignment with at least one image, got an empty table.")
    model = make_rating_model(sorted(assignment["group"].unique())) if model is None else model
    strangers = sorted(set(assignment["group"]) - set(model.effects))
    if strangers:
        raise ValueError(
            f"The model knows the groups {', '.join(model.effects)}, and not {strangers[0]!r}. Give one with "
            f"it: RatingModel()._replace(effects={{{strangers[0]!r}: {{}}, …}})."
        )
    streams = np.random.default_rng(seed).spawn(6)
    if cluster_effects is None:
        own_seed = int(streams[0].integers(2**31))
        cluster_effects = draw_cluster_effects(model, assignment["cluster"], seed=own_seed)
    check_columns(cluster_effects, ("cluster", "group", "dimension", "effect"), "the cluster_effects")
    by_cell = cluster_effects.pivot(index=["cluster", "group"], columns="dimension", values="effect")
    cells = pd.MultiIndex.from_frame(assignment[["cluster", "group"]])
    known = by_cell.index.get_indexer(cells)
    if (known < 0).any():
        raise ValueError(
            f"cluster_effects has no row for cluster and group {cells[known < 0][0]}: draw them for all."
        )
    # Numbered in sorted order, so that the order of the assignment's rows changes nothing.
    respondent, image, group = (
        np.unique(assignment[name], return_inverse=True)[1] for name in ("respondent", "image_id", "group")
    )
    n_groups, n_dimensions = group.max() + 1, len(model.dimensions)
    root = np.linalg.cholesky(np.asarray(model.correlations))
    shape = (image.max() + 1, n_groups, n_dimensions)
    images = streams[1].normal(size=(shape[0], 1, n_dimensions)) * model.image_sd
    images = images + streams[2].normal(size=shape) * model.group_image_sd
    order = np.lexsort((image, respondent))
    moods, noise = (np.empty((len(order), size)) for size in (n_dimensions, len(model.means)))
    moods[order] = streams[3].normal(size=moods.shape) * model.rating_sd
    noise[order] = streams[4].normal(size=noise.shape) * model.residual_sd
    people = streams[5].normal(size=(respondent.max() + 1, 1 + n_dimensions))
    felt = by_cell[list(model.dimensions)].to_numpy()[known] + images[image, group] @ root.T + moods @ root.T
    felt += people[respondent, 1:] * model.respondent_sd
    items = [(number, item) for number, names in enumerate(model.dimensions.values()) for item in names]
    shifts = {
        item: assignment["group"].map(lambda g, e=item: model.effects[g].get(e, 0.0)) for _, item in items
    }
    rated = [
        model.means[item]
        + shifts[item].to_numpy(dtype=float)
        + people[respondent, 0] * model.tendency_sd
        + model.loadings[item] * felt[:, number]
        + noise[:, column]
        for column, (number, item) in enumerate(items)
    ]
    ratings = np.clip(np.rint(np.column_stack(rated)), *model.scale)
    table = assignment[["respondent", "group", "image_id"]]
    table = table.iloc[np.repeat(np.arange(len(table)), len(items))].reset_index(drop=True)
    table = table.assign(
        item=np.tile([item for _, item in items], len(assignment)), rating=ratings.ravel(), simulated=True
    )
    return SimulatedRatings(check_table(table, "ratings"), model, cluster_effects)


@recorded
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


@recorded
def expect_contrasts(simulated: SimulatedRatings, sample: pd.DataFrame) -> pd.DataFrame:
    """Compute the true means of the groups behind simulated ratings, after rounding and clipping.

    Parameters
    ----------
    simulated : SimulatedRatings
        From `simulate_ratings`.
    sample : DataFrame
        The sample table whose images were rated.

    Returns
    -------
    DataFrame
        A row per weighting, group, and item or dimension: ``weighting`` ("clusters", "images", "corpus", as
        `compare_groups` calls them), ``group, level, item, expected``.

    Examples
    --------
    >>> assignment = pd.DataFrame({"respondent": ["r"], "group": ["women"], "position": [1],
    ...                            "image_id": ["a"], "cluster": [0]})
    >>> sample = pd.DataFrame({"image_id": ["a"], "cluster": [0], "inclusion_probability": [0.5],
    ...                        "weight": [2.0]})
    >>> expect_contrasts(simulate_ratings(assignment), sample)["weighting"].unique().tolist()
    ['clusters', 'images', 'corpus']
    """
    sample = check_sample(sample)
    images = sample.groupby("cluster")["weight"].agg(images="size", corpus="sum")
    shares = {
        "clusters": pd.Series(1.0, index=images.index[images.index >= 0]),
        "images": images["images"].astype(float),
        "corpus": images["corpus"],
    }
    cells = _expect_ratings(simulated.model, simulated.cluster_effects)
    wide = cells.pivot(index="cluster", columns=["group", "level", "item"], values="expected")
    parts = []
    for weighting, share in shares.items():
        means = (wide.loc[share.index].mul(share, axis=0)).sum() / share.sum()
        parts.append(means.rename("expected").reset_index().assign(weighting=weighting))
    return pd.concat(parts, ignore_index=True)[["weighting", "group", "level", "item", "expected"]]


@recorded
def compare_with_truth(
    comparison: GroupComparison, simulated: SimulatedRatings, sample: pd.DataFrame
) -> pd.DataFrame:
    """Set differences between groups beside the true ones of the model that made the ratings.

    Parameters
    ----------
    comparison : GroupComparison
        What `compare_groups` found in ``simulated.ratings``.
    simulated : SimulatedRatings
        From `simulate_ratings`.
    sample : DataFrame
        The sample table.

    Returns
    -------
    DataFrame
        The ``differences`` with ``truth`` and ``holds_truth``: whether the interval holds it.

    Examples
    --------
    >>> sample = pd.DataFrame({"image_id": ["a"], "cluster": [0], "inclusion_probability": [0.5],
    ...                        "weight": [2.0]})
    >>> assignment = pd.DataFrame({"respondent": ["r", "s"], "group": ["men", "women"],
    ...     "position": 1, "image_id": "a", "cluster": 0})
    >>> simulated = simulate_ratings(assignment)
    >>> compared = compare_groups(simulated.ratings, sample, n_bootstrap=5)
    >>> compare_with_truth(compared, simulated, sample)[["truth", "holds_truth"]].shape
    (39, 2)
    """
    expected = expect_contrasts(simulated, sample).set_index(["weighting", "item", "group"])["expected"]
    table = comparison.differences
    own, other = (
        expected.reindex(pd.MultiIndex.from_frame(table[["weighting", "item", name]])).to_numpy()
        for name in ("group", "reference")
    )
    truth = own - other
    return table.assign(truth=truth, holds_truth=table["low"].le(truth) & table["high"].ge(truth))


@recorded
def measure_coverage(
    assignment: pd.DataFrame,
    sample: pd.DataFrame,
    *,
    model: RatingModel | None = None,
    n_surveys: int = 40,
    n_bootstrap: int = 200,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure how often the intervals of `compare_groups` hold the truth, over surveys simulated anew.

    Clusters stay as they are; respondents, images and ratings are drawn anew in each survey.

    Parameters
    ----------
    assignment, sample : DataFrame
        The design of the survey.
    model : RatingModel, optional
        By default that of `simulate_ratings`.
    n_surveys : int, default 40
        Surveys.
    n_bootstrap : int, default 200
        Resamples for each.
    level : float, default 0.95
        Confidence level.
    seed : int, default 0
        Seed of everything.
    progress : bool, default True
        Show a bar over the surveys.

    Returns
    -------
    DataFrame
        A row per weighting and level (emotions or dimensions): ``weighting, level, intervals, coverage,
        uncertainty`` (two standard errors of the coverage, surveys counting as independent and the items of
        one survey not), ``bias`` (mean error), ``standard_error`` (mean of those estimated), ``spread``
        (standard deviation of the errors, which it should equal) and ``simulated``.

    Raises
    ------
    ValueError
        If fewer than two surveys are asked for.

    Examples
    --------
    >>> sample = pd.DataFrame({"image_id": ["a", "b"], "cluster": [0, 1], "inclusion_probability": [0.5, 0.1],
    ...                        "weight": [2.0, 10.0]})
    >>> rows = [(f"{g}{r}", g, p + 1, i, p) for g in ("men", "women") for r in range(20)
    ...         for p, i in enumerate("ab")]
    >>> names = ["respondent", "group", "position", "image_id", "cluster"]
    >>> measure_coverage(pd.DataFrame(rows, columns=names), sample, n_surveys=2)["intervals"].tolist()
    [20, 6, 20, 6, 20, 6]
    """
    check_columns(assignment, ("group", "cluster"), "the assignment")
    check_origin(assignment, sample, what="the assignment", made_from="the sample")
    if n_surveys < 2:
        raise ValueError(f"Expected two surveys or more, got n_surveys={n_surveys}.")
    model = make_rating_model(sorted(assignment["group"].unique())) if model is None else model
    seeds = np.random.default_rng(seed).integers(2**31, size=n_surveys + 1)
    effects = draw_cluster_effects(model, assignment["cluster"], seed=int(seeds[-1]))
    found = []
    work = f"Analysing {n_surveys} simulated surveys"
    for number, own_seed in enumerate(
        WorkBar(seeds[:-1], desc="Surveys", unit="survey", work=work, progress=progress)
    ):
        simulated = simulate_ratings(assignment, model=model, cluster_effects=effects, seed=int(own_seed))
        compared = compare_groups(
            simulated.ratings,
            sample,
            dimensions=model.dimensions,
            n_bootstrap=n_bootstrap,
            level=level,
            seed=int(own_seed),
            progress=False,
        )
        found.append(compare_with_truth(compared, simulated, sample).assign(survey=number))
    table = pd.concat(found, ignore_index=True)
    table["error"] = table["estimate"] - table["truth"]
    keys = ["weighting", "level"]
    by_survey = table.groupby([*keys, "survey"], sort=False)["holds_truth"].mean().groupby(keys, sort=False)
    by_item = table.groupby([*keys, "item", "group"], sort=False)["error"].std().groupby(keys, sort=False)
    summary = table.groupby(keys, sort=False).agg(
        intervals=("holds_truth", "size"),
        coverage=("holds_truth", "mean"),
        bias=("error", "mean"),
        standard_error=("standard_error", "mean"),
    )
    summary.insert(2, "uncertainty", 2 * by_survey.std() / np.sqrt(n_surveys))
    return summary.assign(spread=by_item.mean(), simulated=True).reset_index()


def _measure_spread(model: RatingModel) -> pd.Series:
    """Give each item's standard deviation about its mean in one cluster and group, before rounding."""
    inner = model.respondent_sd**2 + model.image_sd**2 + model.group_image_sd**2 + model.rating_sd**2
    loadings = pd.Series(dict(model.loadings), dtype=float)
    return (model.tendency_sd**2 + loadings**2 * inner + model.residual_sd**2) ** 0.5


def _expect_ratings(model: RatingModel, cluster_effects: pd.DataFrame) -> pd.DataFrame:
    """Compute the exact expected rating per item, dimension, cluster and group, after rounding and clipping.

    The expectation is over respondents, images of the cluster, and chance.

    A rounded and clipped normal variable is a sum of steps: its expectation is the lowest number of the
    scale plus, for each half between two numbers, the probability of passing it.
    """
    spread = _measure_spread(model)
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
