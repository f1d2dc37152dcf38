"""Score each cluster by its mean silhouette, of the kind asked for."""

from typing import Any

import numpy as np
import pandas as pd

from visclust.base.backend import check_embedding, get_namespace, to_host
from visclust.base.distances import center_rows
from visclust.silhouette_variants import (
    SILHOUETTES,
    estimate_seconds,
    sample_silhouettes,
    simplify_silhouettes,
    square_silhouettes,
)
from visclust.silhouettes import score_from_sums, sum_by_cluster

__all__ = ["announce_cost", "score_clusters", "score_rows"]

# Longer than a coffee takes: then the user hears of it before it starts.
_LONG = 120.0


def score_rows(
    centered: Any,
    codes: np.ndarray,
    *,
    n_clusters: int,
    silhouette: str = "exact",
    per_cluster: int = 30,
    seed: int = 0,
) -> np.ndarray:
    """Compute the silhouette of every row, of the kind asked for and no other.

    Parameters
    ----------
    centered : ndarray, shape (n, d), float32
        From `center_rows`.
    codes : numpy.ndarray of int, shape (n,)
        Clusters as 0 .. n_clusters - 1, each with a member.
    n_clusters : int
        How many.
    silhouette : {"exact", "sampled", "simplified", "squared"}
        See `score_clusters`.
    per_cluster, seed : int
        For "sampled".

    Returns
    -------
    numpy.ndarray, shape (n,), float64
        Silhouettes; NaN for rows that "sampled" did not draw.

    Examples
    --------
    >>> score_rows(np.array([[-9.0], [-8.0], [9.0]], dtype="float32"), np.array([0, 0, 1]), n_clusters=2).size
    3
    """
    if silhouette not in SILHOUETTES:
        raise ValueError(f"Expected one of {', '.join(SILHOUETTES)} as silhouette, got {silhouette!r}.")
    if silhouette == "sampled":
        found = sample_silhouettes(centered, codes, n_clusters=n_clusters, per_cluster=per_cluster, seed=seed)
    elif silhouette == "simplified":
        found = simplify_silhouettes(centered, codes, n_clusters=n_clusters)
    elif silhouette == "squared":
        found = square_silhouettes(centered, codes, n_clusters=n_clusters)
    else:
        sums = sum_by_cluster(centered, codes, n_clusters=n_clusters)
        found = score_from_sums(sums, get_namespace(sums).asarray(codes))
    return to_host(found)


def score_clusters(
    x: Any,
    labels: Any,
    *,
    silhouette: str = "exact",
    per_cluster: int = 30,
    seed: int = 0,
) -> pd.DataFrame:
    """Score each cluster by its mean silhouette, with a standard error where only some images were drawn.

    Parameters
    ----------
    x : ndarray, shape (n, d), float32 or float64
        The embedding.
    labels : ndarray of int, shape (n,)
        Clusters; the unassigned (-1) take part as they would in scikit-learn, as one cluster: leave them
        out first.
    silhouette : {"exact", "sampled", "simplified", "squared"}, default "exact"
        "exact": Euclidean, all n² / 2 distances. "sampled": exact silhouettes of `per_cluster` images drawn
        from each cluster. "simplified": distances to centres; O(n k d). "squared": exact for squared
        Euclidean distances; O(n k d). The last two measure something else than the first: their values
        and thresholds are not those of the paper. What is asked for is what is computed.
    per_cluster : int, default 30
        Images drawn from each cluster, for "sampled".
    seed : int, default 0
        Seed of the draw.

    Returns
    -------
    DataFrame
        A row per cluster: ``cluster, size, silhouette`` (mean), ``standard_error`` (0 where all images of
        the cluster count; NaN where one was drawn), ``drawn`` (images that count).

    Raises
    ------
    ValueError
        If the kind is unknown, or there are fewer than 2 or more than n - 1 clusters.

    Source
    ------
    See `silhouette_samples`, `simplify_silhouettes`, `square_silhouettes`; the standard error is that of a
    mean under simple random sampling without replacement (Cochran 1977, Sampling Techniques, section 2.6).

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [10.0], [11.0]], dtype="float32")
    >>> score_clusters(x, np.array([0, 0, 1, 1]))["silhouette"].round(3).tolist()
    [0.9, 0.9]
    """
    check_embedding(x)
    used, codes = np.unique(to_host(labels), return_inverse=True)
    if len(codes) != len(x) or not 2 <= len(used) <= len(x) - 1:
        raise ValueError(
            f"Expected a label for each of the {len(x)} rows and 2 to n - 1 clusters, "
            f"got {len(codes)} labels and {len(used)} clusters."
        )
    scores = score_rows(
        center_rows(x),
        codes,
        n_clusters=len(used),
        silhouette=silhouette,
        per_cluster=per_cluster,
        seed=seed,
    )
    by_cluster = pd.Series(scores).groupby(codes)
    size, drawn = by_cluster.size(), by_cluster.count()
    error = (by_cluster.var() / drawn * (1 - drawn / size)) ** 0.5
    return pd.DataFrame(
        {
            "cluster": used,
            "size": size.to_numpy(),
            "silhouette": by_cluster.mean().to_numpy(),
            "standard_error": np.where(drawn < size, error, 0.0),
            "drawn": drawn.to_numpy(),
        }
    )


def announce_cost(centered: Any) -> None:
    """Say before long work how long exact silhouettes take, and what the other kinds would cost.

    Parameters
    ----------
    centered : ndarray, shape (n, d), float32
        From `center_rows`.

    Examples
    --------
    >>> announce_cost(np.zeros((100, 4), dtype="float32"))
    """
    seconds = estimate_seconds(centered)
    if seconds["exact"] > _LONG:
        others = ", ".join(f"{kind} {seconds[kind]:.0f} s" for kind in SILHOUETTES[1:])
        print(
            f"Exact silhouettes of {len(centered):,} images take about {seconds['exact'] / 60:.0f} minutes "
            f"per full iteration on this machine. Other kinds (silhouette=…): {others}."
        )
