"""By how much groups differ in each cluster, with clusters of few ratings pulled towards the rest."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t
from statsmodels.stats.multitest import multipletests

from visclust.annotation.constructs import EMOTIONS
from visclust.base.checks import check_level
from visclust.base.tables import UNASSIGNED
from visclust.cluster_errors import ClusterErrors, estimate_cluster_errors
from visclust.crossed_bootstrap import split_crossed
from visclust.crossed_designs import CrossedDesign, list_designs, weigh_images
from visclust.group_contrasts import choose_reference
from visclust.rating_tables import spread_ratings
from visclust.shrinkage import shrink_estimates

__all__ = ["contrast_clusters", "summarize_cells"]


def contrast_clusters(
    ratings: pd.DataFrame,
    sample: pd.DataFrame,
    *,
    reference: str | None = None,
    dimensions: Mapping[str, Sequence[str]] = EMOTIONS,
    groups: str = "group",
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
    level : float, default 0.95
        Level of the intervals.

    Returns
    -------
    DataFrame
        A row per outcome, group but the reference, and cluster: ``level, dimension, item, group, reference,
        cluster, estimate, standard_error, p`` (t, two-sided), ``p_adjusted`` (Benjamini-Hochberg among all
        clusters and all emotions, or all clusters and dimensions), ``shrunk, low, high`` (estimate pulled
        towards the mean, and its interval), ``kept`` (share of the distance from the mean that it keeps, 0 to
        1), ``images, ratings, simulated``.

    Raises
    ------
    ValueError
        If simulated ratings are mixed with real ones, all groups rated fewer than four clusters, or the level
        is not between 0 and 1.

    Source
    ------
    Casas et al., footnotes on single clusters. Standard errors: `estimate_cluster_errors`. Shrinkage:
    `shrink_estimates`, with what the same respondents bring to all clusters as shared error.

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
    spread = spread_ratings(ratings, dimensions=dimensions, groups=groups)
    names = sorted(spread.events["group"].unique())
    against = names.index(choose_reference(names, reference))
    parts = []
    for design in list_designs(spread, sample):
        inside = np.flatnonzero(design.clusters != UNASSIGNED)
        if not len(inside):
            raise ValueError("Expected rated images in clusters: all of them are unassigned.")
        cells = [cell[inside] for cell in summarize_cells(design)]
        shared = _measure_shared_variance(design, sample)
        clusters, codes = np.unique(design.clusters[inside], return_inverse=True)
        for number, name in enumerate(names):
            if number == against:
                continue
            contrast = np.zeros(len(names))
            contrast[[number, against]] = 1, -1
            pair = np.flatnonzero(contrast)
            errors = estimate_cluster_errors(
                *(cell[:, pair] for cell in cells), contrast=contrast[pair], clusters=codes
            )
            counts = np.bincount(codes, weights=cells[1][:, pair].sum(axis=1)).astype(int)
            for place, column in enumerate(design.columns):
                part = pd.DataFrame(
                    {
                        "outcome": column,
                        "group": name,
                        "cluster": clusters,
                        "estimate": errors.means[:, place],
                        "standard_error": errors.standard_errors[:, place],
                        "p": _test(errors, place),
                        "images": np.bincount(codes),
                        "ratings": counts,
                    }
                )  # fmt: skip
                shrunk = shrink_estimates(
                    part["estimate"],
                    part["standard_error"],
                    shared_error=float(np.sqrt(shared[pair, place].sum())),
                    level=level,
                )
                parts.append(part.join(shrunk))
    table = pd.concat(parts).sort_values(["outcome", "group", "cluster"], ignore_index=True)
    described = spread.outcomes.iloc[table["outcome"]].reset_index(drop=True)
    table = table.join(described).assign(reference=names[against], simulated=spread.simulated)
    adjusted = table.groupby("level")["p"].transform(lambda family: multipletests(family, method="fdr_bh")[1])
    first = ["level", "dimension", "item", "group", "reference", "cluster", "estimate", "standard_error", "p"]
    last = ["p_adjusted", "shrunk", "low", "high", "kept", "images", "ratings", "simulated"]
    return table.assign(p_adjusted=adjusted)[first + last]


def _test(errors: ClusterErrors, place: int) -> np.ndarray:
    """Give the p values of one outcome; 1 where everybody gave the same rating."""
    error = errors.standard_errors[:, place]
    distance = np.abs(errors.means[:, place]) / np.where(error > 0, error, 1.0)
    return 2 * t.sf(distance, errors.freedom[:, place])


def _measure_shared_variance(design: CrossedDesign, sample: pd.DataFrame) -> np.ndarray:
    """Measure the variance that a group's respondents bring to all clusters alike, by group and outcome."""
    weights = weigh_images(design, sample, "clusters")
    options: dict[str, Any] = dict(design.codes)
    return split_crossed(design.values, weights, strata=design.clusters, **options).covariance


def summarize_cells(design: CrossedDesign) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Summarize each image's ratings in each group.

    Parameters
    ----------
    design : CrossedDesign
        From `list_designs`.

    Returns
    -------
    tuple of three arrays
        Means (m, g, k), counts (m, g), and sums of squared deviations (m, g, k), as
        `estimate_cluster_errors` takes them.

    Examples
    --------
    >>> codes = {"respondents": np.array([0, 1]), "images": np.array([0, 0]), "groups": np.array([0, 0])}
    >>> design = CrossedDesign(np.array([0]), np.array([[1.0], [3.0]]), codes, np.zeros(1), np.array(["a"]))
    >>> [cell.tolist() for cell in summarize_cells(design)]
    [[[[2.0]]], [[2]], [[[2.0]]]]
    """
    n_images, n_groups = len(design.image_ids), int(design.codes["groups"].max()) + 1
    cells = design.codes["images"] * n_groups + design.codes["groups"]
    counts = np.bincount(cells, minlength=n_images * n_groups)

    def add_up(values: np.ndarray) -> np.ndarray:
        return np.column_stack([np.bincount(cells, weights=v, minlength=len(counts)) for v in values.T])

    means = add_up(design.values) / np.maximum(counts, 1)[:, None]
    squares = add_up((design.values - means[cells]) ** 2)
    shape = (n_images, n_groups)
    return means.reshape(*shape, -1), counts.reshape(shape), squares.reshape(*shape, -1)
