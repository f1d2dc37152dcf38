"""Ratings made by a stated model, for runs without people: always marked, never mixed with a person's."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from visclust.base.tables import check_table
from visclust.rating_model import RatingModel, draw_cluster_effects, expect_ratings

__all__ = ["SimulatedRatings", "expect_contrasts", "simulate_ratings"]


class SimulatedRatings(NamedTuple):
    """A ratings table with ``simulated`` True throughout, and the truth behind it."""

    ratings: pd.DataFrame
    model: RatingModel
    cluster_effects: pd.DataFrame


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
        The model; by default groups "Democrat" and "Republican" that differ in the paper's directions.
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
    >>> assignment = pd.DataFrame({"respondent": ["r"], "group": ["Democrat"], "position": [1],
    ...                            "image_id": ["a"], "cluster": [0]})
    >>> simulate_ratings(assignment).ratings[["item", "rating", "simulated"]].head(2)
               item  rating  simulated
    0       hopeful     3.0       True
    1  enthusiastic     1.0       True
    """
    check_table(assignment, "assignment")
    if assignment.empty:
        raise ValueError("Expected an assignment with at least one image, got an empty table.")
    model = RatingModel() if model is None else model
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
    table = table.loc[table.index.repeat(len(items))].reset_index(drop=True)
    table = table.assign(
        item=np.tile([item for _, item in items], len(assignment)), rating=ratings.ravel(), simulated=True
    )
    return SimulatedRatings(check_table(table, "ratings"), model, cluster_effects)


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
    >>> assignment = pd.DataFrame({"respondent": ["r"], "group": ["Democrat"], "position": [1],
    ...                            "image_id": ["a"], "cluster": [0]})
    >>> sample = pd.DataFrame({"image_id": ["a"], "cluster": [0], "inclusion_probability": [0.5],
    ...                        "weight": [2.0]})
    >>> expect_contrasts(simulate_ratings(assignment), sample)["weighting"].unique().tolist()
    ['clusters', 'images', 'corpus']
    """
    check_table(sample, "sample")
    images = sample.groupby("cluster")["weight"].agg(images="size", corpus="sum")
    shares = {
        "clusters": pd.Series(1.0, index=images.index[images.index >= 0]),
        "images": images["images"].astype(float),
        "corpus": images["corpus"],
    }
    cells = expect_ratings(simulated.model, simulated.cluster_effects)
    wide = cells.pivot(index="cluster", columns=["group", "level", "item"], values="expected")
    parts = []
    for weighting, share in shares.items():
        means = (wide.loc[share.index].mul(share, axis=0)).sum() / share.sum()
        parts.append(means.rename("expected").reset_index().assign(weighting=weighting))
    return pd.concat(parts, ignore_index=True)[["weighting", "group", "level", "item", "expected"]]
