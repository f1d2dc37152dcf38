"""Ratings as designs in which respondents and images are crossed: who rated what, and how much it counts."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from visclust.base.tables import UNASSIGNED
from visclust.rating_tables import RatingEvents, join_clusters

__all__ = ["WEIGHTINGS", "CrossedDesign", "list_designs", "weigh_images"]

# Which images count how much in a mean: the paper's first.
WEIGHTINGS = ("clusters", "images", "corpus")


class CrossedDesign(NamedTuple):
    """Ratings of some outcomes without gaps, numbered for `split_crossed`."""

    columns: np.ndarray
    values: np.ndarray
    codes: dict[str, np.ndarray]
    clusters: np.ndarray
    image_ids: np.ndarray


def list_designs(spread: RatingEvents, sample: pd.DataFrame | None) -> Iterator[CrossedDesign]:
    """Go through the outcomes, those together that the same ratings have.

    Parameters
    ----------
    spread : RatingEvents
        From `spread_ratings`.
    sample : DataFrame or None
        Images and their clusters; without, all images count as one cluster.

    Yields
    ------
    CrossedDesign
        ``columns`` (which outcomes), ``values`` (n, k), ``codes`` (``respondents, images, groups``, each
        (n,)), ``clusters`` and ``image_ids`` of the images, (m,).

    Raises
    ------
    ValueError
        If no image was rated by every group.

    Examples
    --------
    >>> from visclust.rating_tables import spread_ratings
    >>> ratings = pd.DataFrame({"respondent": ["r", "s", "s"], "group": ["D", "R", "R"],
    ...     "image_id": ["a", "a", "b"], "item": "proud", "rating": 5.0, "simulated": True})
    >>> sample = pd.DataFrame({"image_id": ["a", "b"], "cluster": [0, 1]})
    >>> [design.image_ids.tolist() for design in list_designs(spread_ratings(ratings, dimensions={}), sample)]
    [['a']]
    """
    n_rows = len(spread.events)
    clusters = np.zeros(n_rows, dtype=np.int64) if sample is None else join_clusters(spread.events, sample)
    names, group = np.unique(spread.events["group"].to_numpy(dtype=object), return_inverse=True)
    image = pd.factorize(spread.events["image_id"])[0]
    known = ~np.isnan(spread.values)
    patterns, pattern_of = np.unique(known, axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        rows = patterns[:, number]
        columns = np.flatnonzero(pattern_of == number)
        cells = np.unique(image[rows] * len(names) + group[rows]) // len(names)
        rated_by_all = np.bincount(cells, minlength=image.max() + 1) == len(names)
        rows = np.flatnonzero(rows & rated_by_all[image])
        if not len(rows):
            raise ValueError(
                f"No image has ratings of {spread.outcomes['item'].iloc[columns[0]]!r} by all groups "
                f"({', '.join(names)}): nothing can be compared."
            )
        events = spread.events.iloc[rows]
        ids, first, images = np.unique(
            events["image_id"].to_numpy(dtype=object), return_index=True, return_inverse=True
        )
        codes = {
            "respondents": pd.factorize(events["respondent"])[0],
            "images": images,
            "groups": group[rows],
        }
        yield CrossedDesign(columns, spread.values[np.ix_(rows, columns)], codes, clusters[rows][first], ids)


def weigh_images(design: CrossedDesign, sample: pd.DataFrame, weighting: str) -> np.ndarray:
    """Weigh the images that were rated; in a cluster they stand for those that were not.

    Parameters
    ----------
    design : CrossedDesign
        From `list_designs`.
    sample : DataFrame
        The sample table; its weights are used for "corpus" only.
    weighting : {"clusters", "images", "corpus"}
        As in `compare_groups`.

    Returns
    -------
    float array, shape (m,)
        Weights, not yet made to sum to one.

    Raises
    ------
    ValueError
        If clusters should weigh alike and every image is unassigned.

    Examples
    --------
    >>> design = CrossedDesign(np.array([0]), np.ones((3, 1)), {}, np.array([0, 0, 1]), np.array(list("abc")))
    >>> weigh_images(design, pd.DataFrame(), "clusters").tolist()
    [0.5, 0.5, 1.0]
    """
    clusters = pd.Series(design.clusters)
    if weighting == "images":
        return np.ones(len(clusters))
    rated = clusters.map(clusters.value_counts()).to_numpy(dtype=float)
    if weighting == "clusters":
        weights = np.where(clusters == UNASSIGNED, 0.0, 1 / rated)
    else:
        weights = clusters.map(sample.groupby("cluster")["weight"].sum()).to_numpy(dtype=float) / rated
    if not weights.any():
        raise ValueError('The weighting "clusters" needs images in clusters: all rated ones are unassigned.')
    return weights
