"""Score clusters by the exact silhouette, or by other kinds for corpora past the memory or the patience."""

import time
from typing import Any

import numpy as np
import pandas as pd

from visclust.base.arrays import take_labels, take_matrix
from visclust.base.backend import get_namespace, is_on_gpu, to_host
from visclust.base.distances import (
    center_rows,
    choose_block_size,
    count_threads,
    map_blocks,
    measure_block,
    square_lengths,
)
from visclust.base.provenance import recorded
from visclust.clustering.silhouettes import compare_with_nearest, score_from_sums, sum_by_cluster

SILHOUETTES = ("exact", "sampled", "simplified", "squared")
# Longer than a coffee takes: then the user hears of it before it starts.
_LONG = 120.0
_MANY = 20_000  # images below which no first iteration is long


@recorded
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
    Rousseeuw (1987), see `silhouette_samples`; Hruschka, de Castro and Campello (2004), Evolutionary
    algorithms for clustering gene-expression data, ICDM '04, for the simplified kind; the standard error is
    that of a mean under simple random sampling without replacement (Cochran 1977, Sampling Techniques,
    section 2.6).

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [10.0], [11.0]], dtype="float32")
    >>> score_clusters(x, np.array([0, 0, 1, 1]))["silhouette"].round(3).tolist()
    [0.9, 0.9]
    """
    x = take_matrix(x)
    used, codes = np.unique(take_labels(labels, n=len(x)), return_inverse=True)
    if not 2 <= len(used) <= len(x) - 1:
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


def score_rows(
    centered: Any,
    codes: np.ndarray,
    *,
    n_clusters: int,
    silhouette: str = "exact",
    per_cluster: int = 30,
    seed: int = 0,
) -> np.ndarray:
    """Compute the silhouette of every row (n; float64), of the kind asked for and no other.

    Rows that "sampled" did not draw are NaN. The codes are clusters from 0 to n_clusters - 1, each with a
    member.
    """
    if silhouette not in SILHOUETTES:
        raise ValueError(f"Expected one of {', '.join(SILHOUETTES)} as silhouette, got {silhouette!r}.")
    if silhouette == "sampled":
        found = _sample_silhouettes(
            centered, codes, n_clusters=n_clusters, per_cluster=per_cluster, seed=seed
        )
    elif silhouette == "simplified":
        found = _simplify_silhouettes(centered, codes, n_clusters=n_clusters)
    elif silhouette == "squared":
        found = _square_silhouettes(centered, codes, n_clusters=n_clusters)
    else:
        sums = sum_by_cluster(centered, codes, n_clusters=n_clusters)
        found = score_from_sums(sums, get_namespace(sums).asarray(codes))
    return to_host(found)


def _sample_silhouettes(
    centered: Any, codes: np.ndarray, *, n_clusters: int, per_cluster: int = 30, seed: int = 0
) -> Any:
    """Compute the exact silhouettes of some images of each cluster, drawn at random; the others are NaN.

    The mean over a cluster's drawn images estimates its mean without bias; its standard error is in
    `score_clusters`. Costs O(k per_cluster n d).
    """
    xp = get_namespace(centered)
    drawn = draw_members(codes, n_clusters=n_clusters, per_cluster=per_cluster, seed=seed)
    sizes = np.bincount(codes, minlength=n_clusters)
    sums = _sum_from(centered, drawn, codes, n_clusters)
    scores = xp.full(len(codes), np.nan)
    scores[xp.asarray(drawn)] = score_from_sums(sums, xp.asarray(codes[drawn]), sizes=xp.asarray(sizes))
    return scores


def draw_members(codes: np.ndarray, *, n_clusters: int, per_cluster: int = 30, seed: int = 0) -> np.ndarray:
    """Draw rows at random, up to so many from each cluster: their numbers, sorted."""
    shuffled = np.random.default_rng(seed).permutation(len(codes))
    # Rank of each row within its cluster, in a random order: the first ones are the draw.
    by_cluster = shuffled[np.argsort(codes[shuffled], kind="stable")]
    sizes = np.bincount(codes, minlength=n_clusters)
    rank = np.arange(len(codes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(by_cluster[rank < per_cluster])


def _sum_from(centered: Any, drawn: np.ndarray, codes: np.ndarray, n_clusters: int) -> Any:
    """Sum the distances from the drawn rows to the members of each cluster."""
    xp = get_namespace(centered)
    norms = square_lengths(centered)
    size = choose_block_size(centered, memory_budget=2**27)
    starts = [(i, j) for i in range(0, len(drawn), size) for j in range(0, len(codes), size)]

    def measure(corner: tuple[int, int]) -> tuple[int, Any]:
        i, j = corner
        some = xp.asarray(drawn[i : i + size])
        beside = slice(j, j + size)
        block = measure_block(centered[some], centered[beside], norms[some], norms[beside], same=False)
        marks = xp.zeros((block.shape[1], n_clusters), dtype=xp.float32)
        marks[xp.arange(block.shape[1]), xp.asarray(codes[beside])] = 1
        return i, block @ marks

    sums = xp.zeros((len(drawn), n_clusters))
    for i, added in map_blocks(measure, starts, centered):
        sums[i : i + size] += added
    return sums


def _simplify_silhouettes(centered: Any, codes: np.ndarray, *, n_clusters: int) -> Any:
    """Compute simplified silhouettes: distances to centres in the place of mean distances. O(n k d).

    Larger than the exact ones in general: not to be compared with them, nor with their thresholds.
    """
    xp = get_namespace(centered)
    sizes, totals, norms = _summarize(centered, codes, n_clusters)
    centers = totals / sizes[:, None]
    squares = norms[:, None] + (centers * centers).sum(axis=1) - 2 * (centered @ centers.T)
    return _compare(xp.sqrt(xp.maximum(squares, 0)), xp.asarray(codes), sizes)


def _square_silhouettes(centered: Any, codes: np.ndarray, *, n_clusters: int) -> Any:
    """Compute the silhouettes for squared Euclidean distances, exactly, in closed form. O(n k d).

    The squared distances from a point to a set sum to what its size, sum and sum of squares give.
    """
    xp = get_namespace(centered)
    sizes, totals, norms = _summarize(centered, codes, n_clusters)
    device_codes = xp.asarray(codes)
    square_sums = xp.bincount(device_codes, weights=norms, minlength=n_clusters)
    sums = sizes * norms[:, None] + square_sums - 2 * (centered @ totals.T)
    return score_from_sums(xp.maximum(sums, 0), device_codes)


def _summarize(centered: Any, codes: np.ndarray, n_clusters: int) -> tuple[Any, Any, Any]:
    """Give sizes, sums and squared lengths in float64."""
    xp = get_namespace(centered)
    device_codes = xp.asarray(codes)
    marks = xp.zeros((n_clusters, len(codes)), dtype=xp.float32)
    marks[device_codes, xp.arange(len(codes))] = 1
    sizes = xp.bincount(device_codes, minlength=n_clusters)
    norms = square_lengths(centered).astype(xp.float64)
    return sizes, (marks @ centered).astype(xp.float64), norms


def _compare(distances: Any, codes: Any, sizes: Any) -> Any:
    """Compare the distance to the own cluster with the smallest to another."""
    xp = get_namespace(distances)
    rows = xp.arange(len(distances))
    within = distances[rows, codes].copy()
    others = distances.copy()
    others[rows, codes] = np.inf
    return compare_with_nearest(within, others, own_size=sizes[codes])


def announce_cost(x: Any, *, held: bool = False) -> None:
    """Say before long work how long exact silhouettes take, the memory, and what the other kinds would cost.

    `held` says that all distances are measured once and kept.
    """
    seconds, gigabytes = _estimate_seconds(x), _estimate_bytes(x, held=held) / 2**30
    if seconds["exact"] <= _LONG:
        return
    minutes = f"{seconds['exact'] / 60:.0f} minutes"
    if held:
        print(
            f"All distances between {len(x):,} images take about {minutes} on this machine, once, and about "
            f"{gigabytes:.1f} GB beside the embedding."
        )
        return
    others = ", ".join(f"{kind} {seconds[kind]:.0f} s" for kind in SILHOUETTES[1:])
    print(
        f"Exact silhouettes of {len(x):,} images take about {minutes} per full iteration on this machine, "
        f"and about {gigabytes:.1f} GB beside the embedding. The first iteration is a full one; the next "
        f"ones have fewer images (half take a quarter). Other kinds (silhouette=…): {others}."
    )


def announce_iteration(x: Any, *, silhouette: str) -> None:
    """Say before long work how long the first iteration takes, where its silhouettes are not all exact."""
    if len(x) < _MANY:
        return
    seconds = _estimate_seconds(x)
    total = seconds["k-means"] + seconds[silhouette]
    if total > _LONG:
        print(
            f"The first iteration over {len(x):,} images takes about {total / 60:.0f} minutes on this "
            "machine; the next ones have fewer images."
        )


def _estimate_bytes(x: Any, *, held: bool, n_clusters: int = 100) -> int:
    """Estimate the memory beside the embedding: three copies of it in float32, sums, blocks, distances."""
    n, d = x.shape
    return 3 * 4 * n * d + 2 * 8 * n * n_clusters + 2**27 + (4 * n * n if held else 0)


def _estimate_seconds(centered: Any, *, n_clusters: int = 100, per_cluster: int = 30) -> dict[str, float]:
    """Estimate how long each kind of silhouette takes once, from the time of one block on this machine."""
    n = len(centered)
    some = center_rows(centered[: choose_block_size(centered, memory_budget=2**27)])
    norms = square_lengths(some)
    for _ in range(2):  # the second time counts: at the first a GPU compiles what it is to run
        started = time.perf_counter()
        float(measure_block(some, some, norms, norms, same=True)[0, 0])  # waits for a GPU to finish
        seconds = time.perf_counter() - started
    per_pair = seconds / len(some) ** 2 / (1 if is_on_gpu(centered) else count_threads())
    return {
        "exact": per_pair * n * n / 2,
        # So many passes k-means takes, and so many distances per image adaptive decisions, about
        # (benchmarks/adaptive_silhouettes.md).
        "k-means": per_pair * n * n_clusters * 15,
        "adaptive": per_pair * n * min(n / 2, 4000),
        "sampled": per_pair * min(n, n_clusters * per_cluster) * n,
        "simplified": per_pair * n * n_clusters,
        "squared": per_pair * n * n_clusters,
    }
