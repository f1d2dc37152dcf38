"""What people feel about each cluster or image, per emotion and per dimension."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t

from visclust.annotation.constructs import EMOTIONS
from visclust.base.checks import check_level
from visclust.base.columns import check_clusters
from visclust.base.origins import check_origin
from visclust.base.provenance import recorded
from visclust.base.tables import UNASSIGNED, check_columns
from visclust.corpus.summary import count_image_uses
from visclust.ratings.cluster_contrasts import Cells, estimate_cluster_errors, summarize_cells
from visclust.ratings.designs import find_simulated, list_designs, spread_ratings


class EmotionHeatmap(NamedTuple):
    """Cells of the heatmap, where the red lines stand, and which clusters are marked."""

    cells: pd.DataFrame
    lines: pd.DataFrame
    chosen: pd.DataFrame


@recorded
def summarize_emotions(
    ratings: pd.DataFrame,
    sample: pd.DataFrame,
    *,
    by: str = "cluster",
    dimensions: Mapping[str, Sequence[str]] = EMOTIONS,
    respondent_weights: pd.DataFrame | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Summarize what all respondents felt about each cluster or each image.

    Parameters
    ----------
    ratings : DataFrame
        The ratings table. All ratings of one image count alike, whoever gave them, or by
        `respondent_weights`.
    sample : DataFrame
        A sample, assignment or clusters table: ``image_id, cluster``.
    by : {"cluster", "image"}, default "cluster"
        What makes a row. In a cluster, its rated images count alike; unassigned images are left out.
    dimensions : mapping of str to sequence of str, default EMOTIONS
        Items by dimension; a dimension's rating is the mean of its items.
    respondent_weights : DataFrame, optional
        From `rake_respondents`: ``respondent, weight``. By default all respondents count alike.
    level : float, default 0.95
        Confidence level.

    Returns
    -------
    DataFrame
        A row per outcome and cluster (or image): ``level, dimension, item, cluster`` (and ``image_id``),
        ``estimate, standard_error, low, high, images, ratings, simulated``. Intervals are for new respondents
        and, by cluster, for new images of the cluster, with standard errors as in `contrast_clusters`. They
        may reach past the ends of the scale.

    Raises
    ------
    ValueError
        If simulated ratings are mixed with real ones, no image was rated twice, or the record of the ratings
        says that they were made from another sample.

    Examples
    --------
    >>> sample = pd.DataFrame({"image_id": ["a", "b"], "cluster": [0, 0]})
    >>> ratings = pd.DataFrame({"respondent": list("rsrs"), "group": "all", "image_id": list("aabb"),
    ...     "item": "proud", "rating": [2.0, 4.0, 3.0, 5.0], "simulated": True})
    >>> summarize_emotions(ratings, sample, dimensions={})[["item", "cluster", "estimate", "ratings"]]
        item  cluster  estimate  ratings
    0  proud        0       3.5        4
    """
    if by not in ("cluster", "image"):
        raise ValueError(f'Expected by="cluster" or by="image", got {by!r}.')
    check_level(level)
    check_origin(ratings, sample, what="the ratings", made_from="the sample, assignment or clusters")
    spread = spread_ratings(ratings, dimensions=dimensions, respondent_weights=respondent_weights)
    alike = spread._replace(events=spread.events.assign(group="all"))
    parts = []
    for design in list_designs(alike, sample):
        inside = np.flatnonzero((design.clusters != UNASSIGNED) | (by == "image"))
        if not len(inside):
            raise ValueError("Expected rated images in clusters: all of them are unassigned.")
        cells = Cells(*(cell[inside] for cell in summarize_cells(design)))
        names = design.clusters[inside] if by == "cluster" else np.arange(len(inside))
        _, first, codes = np.unique(names, return_index=True, return_inverse=True)
        errors = estimate_cluster_errors(cells, contrast=np.ones(1), clusters=codes)
        reach = t.ppf((1 + level) / 2, errors.freedom) * errors.standard_errors
        shown = pd.DataFrame(
            {
                "cluster": design.clusters[inside][first],
                "image_id": design.image_ids[inside][first],
                "images": np.bincount(codes),
                "ratings": np.bincount(codes, weights=cells.counts[:, 0]).astype(int),
            }
        )
        for place, column in enumerate(design.columns):
            estimate, error = errors.means[:, place], errors.standard_errors[:, place]
            ends = {"low": estimate - reach[:, place], "high": estimate + reach[:, place]}
            parts.append(shown.assign(outcome=column, estimate=estimate, standard_error=error, **ends))
    keys = ["cluster"] if by == "cluster" else ["cluster", "image_id"]
    table = pd.concat(parts).sort_values(["outcome", *keys], ignore_index=True)
    table = table.join(spread.outcomes.iloc[table["outcome"]].reset_index(drop=True))
    numbers = ["estimate", "standard_error", "low", "high", "images", "ratings", "simulated"]
    return table.assign(simulated=spread.simulated)[["level", "dimension", "item", *keys, *numbers]]


@recorded
def tabulate_emotion_heatmap(
    summary: pd.DataFrame,
    clusters: pd.DataFrame,
    *,
    links: pd.DataFrame | None = None,
    chosen: Sequence[int] = (),
    shares: Sequence[float] = (0.5, 0.75, 0.9),
) -> EmotionHeatmap:
    """Arrange the clusters by size for the heatmap of emotions.

    Parameters
    ----------
    summary : DataFrame
        From `summarize_emotions`, by cluster.
    clusters : DataFrame
        The clusters table of the whole corpus, for the sizes.
    links : DataFrame, optional
        The posts_images table: a cluster's size is then the number of times that posts show its images;
        without it, the number of its unique images.
    chosen : sequence of int, default ()
        Clusters to mark, in the order in which they are lettered A, B, ….
    shares : sequence of float, default (0.5, 0.75, 0.9)
        Where to draw lines: after the clusters that together make up these shares of all clusters shown.

    Returns
    -------
    EmotionHeatmap
        ``cells``: a row per emotion and cluster: ``cluster, rank`` (from 1, the largest), ``size, dimension,
        item, estimate, low, high, images, ratings, simulated``. ``lines``: ``share, rank`` (the last cluster
        before the line), ``size_is`` ("images" or "posts"). ``chosen``: ``cluster, letter, rank, size``.

    Raises
    ------
    ValueError
        If a cluster was chosen or rated that is not in the tables, the record of the summary says that it was
        made from other clusters, or a share is not between 0 and 1.

    Source
    ------
    Casas et al., Figure 9.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abcd"), "cluster": [0, 1, 1, 1], "iteration": 1,
    ...                          "silhouette": 0.1})
    >>> summary = pd.DataFrame({"level": "emotion", "dimension": "enthusiasm", "item": "proud",
    ...     "cluster": [0, 1], "estimate": [2.0, 3.0], "low": 1.0, "high": 4.0, "images": 1, "ratings": 4,
    ...     "simulated": True})
    >>> table = tabulate_emotion_heatmap(summary, clusters, shares=[0.5])
    >>> table.cells[["rank", "cluster", "size", "estimate"]]
       rank  cluster  size  estimate
    0     1        1     3       3.0
    1     2        0     1       2.0
    >>> table.lines["rank"].tolist()
    [1]
    """
    clusters = check_clusters(clusters)
    check_origin(summary, clusters, what="the summary", made_from="the clusters")
    check_columns(summary, ("level", "cluster", "simulated"), "the summary")
    find_simulated(summary)
    if not all(0 < share < 1 for share in shares):
        raise ValueError(f"Expected shares between 0 and 1, such as 0.5, got {list(shares)}.")
    counted = clusters[["image_id", "cluster"]].assign(size=1)
    if links is not None:
        uses = count_image_uses(links).set_index("image_id")["posts"]
        counted["size"] = counted["image_id"].map(uses).fillna(0).astype("int64")
    rated = summary.loc[summary["level"].eq("emotion")]
    sizes = counted.groupby("cluster")["size"].sum().reindex(rated["cluster"].unique())
    if sizes.isna().any():
        raise ValueError(
            f"Cluster {sizes.index[sizes.isna()][0]} was rated but is not in the clusters table."
        )
    unknown = [cluster for cluster in chosen if cluster not in sizes.index]
    if unknown:
        raise ValueError(f"Cluster {unknown[0]} was chosen but not rated: choose among those of the summary.")
    order = sizes.rename_axis("cluster").rename("size").astype("int64").reset_index()
    order = order.sort_values(["size", "cluster"], ascending=[False, True], ignore_index=True)
    order["rank"] = range(1, len(order) + 1)
    reached = order["size"].cumsum() / order["size"].sum()
    # A share that the sum reaches but for rounding counts as reached.
    ends = [int((reached < share - 1e-9).sum()) + 1 for share in shares]
    lines = pd.DataFrame(
        {"share": list(shares), "rank": ends, "size_is": "images" if links is None else "posts"}
    )
    letters = [chr(ord("A") + place) if place < 26 else str(place + 1) for place in range(len(chosen))]
    marked = pd.DataFrame({"cluster": list(chosen), "letter": letters}).astype({"cluster": "int64"})
    columns = ["dimension", "item", "cluster", "rank", "size", "estimate", "low", "high", "images", "ratings"]
    items = {item: place for place, item in enumerate(dict.fromkeys(rated["item"]))}
    cells = rated.merge(order, on="cluster").assign(place=lambda table: table["item"].map(items))
    cells = cells.sort_values(["place", "rank"], ignore_index=True)[[*columns, "simulated"]]
    return EmotionHeatmap(cells, lines, marked.merge(order, on="cluster"))
