"""How far several runs agree: pair by pair, cluster by cluster, and theme by theme through all of them."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.stats import entropy
from sklearn.metrics import adjusted_rand_score

from visclust.base.columns import check_clusters
from visclust.base.progress import WorkBar
from visclust.base.provenance import recorded
from visclust.base.tables import UNASSIGNED


class RunLabels(NamedTuple):
    """Names of the runs, ids of the images, and a column of labels per run (-1 = unassigned)."""

    names: list[str]
    image_ids: pd.Series
    labels: np.ndarray


class RunComparison(NamedTuple):
    """A row per pair of runs, a row per cluster of each run, and a row per theme through the runs."""

    pairs: pd.DataFrame
    clusters: pd.DataFrame
    themes: pd.DataFrame


@recorded
def compare_runs(
    runs: Mapping[str, pd.DataFrame],
    *,
    unassigned: str = "alone",
    min_jaccard: float = 0.5,
    progress: bool = True,
) -> RunComparison:
    """Compare clusterings of the same images, so that a theme found once is told from one found always.

    Parameters
    ----------
    runs : mapping of str to DataFrame
        A clusters table per run, such as runs with different seeds or on different embeddings.
    unassigned : {"alone", "drop"}, default "alone"
        How the unassigned (-1) count between two runs. "alone": each as a cluster of its own, with no other
        image, as in `score_against_groups`; two runs that leave the same images over then agree on these.
        "drop": images unassigned in either of the two are left out, so that only what both assign counts.
    min_jaccard : float, default 0.5
        A cluster is found again in another run if their Jaccard overlap is above this. Above 0.5 there can
        be only one such cluster; at or below it Hennig calls a cluster dissolved.
    progress : bool, default True
        Show a bar over the pairs of runs.

    Returns
    -------
    pairs : DataFrame
        A row per pair of runs: ``run_a, run_b, images`` (compared), ``assigned_both`` (share of all
        images), ``adjusted_rand`` (1: the same; 0: as by chance), ``variation_of_information`` (bits; 0:
        the same), ``normalized_variation`` (as a share of the joint entropy: 0 the same, 1 independent),
        ``matched`` (clusters that are found again, by the best one-to-one matching), ``clusters_a,
        clusters_b``.
    clusters : DataFrame
        A row per cluster of each run: ``run, cluster, size, stability`` (mean over the other runs of its
        largest Jaccard overlap with any cluster there), ``found_again`` (other runs in which that is above
        `min_jaccard`), ``theme``.
    themes : DataFrame
        A row per theme, the most often found first: ``theme`` (from 0), ``runs`` (in how many it is found),
        ``share`` (of all runs), ``size`` (images, median over its clusters), ``stability`` (mean over its
        clusters), ``run, cluster`` (the most stable of them, to look at). A theme holds at most one cluster
        of each run.

    Raises
    ------
    ValueError
        If there are fewer than two runs, they are of different images, or a setting is out of range.

    Source
    ------
    Hubert and Arabie (1985), Comparing partitions; Meilă (2007), Comparing clusterings - an information
    based distance; Vinh, Epps and Bailey (2010) for its share of the joint entropy; Hennig (2007),
    Cluster-wise assessment of cluster stability, where the other runs are bootstrap samples.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": list("abcd"), "cluster": [0, 0, 1, 1], "iteration": 1,
    ...                       "silhouette": 0.5})
    >>> found = compare_runs({"one": table, "other": table.assign(cluster=[5, 5, 6, -1])})
    >>> found.pairs[["adjusted_rand", "matched"]].round(2).values.tolist()
    [[0.57, 1.0]]
    >>> found.themes[["runs", "stability"]].values.tolist()
    [[2.0, 1.0], [1.0, 0.5], [1.0, 0.5]]
    """
    if unassigned not in ("alone", "drop"):
        raise ValueError(f'Expected unassigned to be "alone" or "drop", got {unassigned!r}.')
    if not 0 <= min_jaccard < 1:
        raise ValueError(f"Expected min_jaccard from 0 to below 1, got {min_jaccard!r}.")
    stacked = stack_runs(runs)
    clusters = _list_clusters(stacked)
    place = {key: i for i, key in enumerate(zip(clusters["run_number"], clusters["cluster"], strict=True))}
    best = np.full((len(clusters), len(stacked.names)), np.nan)
    pairs, matches = [], []
    both_ways = list(combinations(range(len(stacked.names)), 2))
    work = f"Comparing {len(both_ways):,} pairs of runs"
    for i, j in WorkBar(both_ways, desc="Comparing runs", unit="pair", work=work, progress=progress):
        a, b = stacked.labels[:, i], stacked.labels[:, j]
        both = (a != UNASSIGNED) & (b != UNASSIGNED)
        kept = both if unassigned == "drop" else np.ones(len(a), dtype=bool)
        clusters_a, clusters_b, _, jaccard = _measure_overlaps(a[kept], b[kept])
        in_a = np.array([place[i, cluster] for cluster in clusters_a.tolist()], dtype=int)
        in_b = np.array([place[j, cluster] for cluster in clusters_b.tolist()], dtype=int)
        best[in_a, j], best[in_b, i] = jaccard.max(axis=1, initial=0), jaccard.max(axis=0, initial=0)
        rows, columns = _match_best(jaccard)
        again = jaccard[rows, columns] > min_jaccard
        rows, columns = rows[again], columns[again]
        matches.append(pd.DataFrame({"a": in_a[rows], "b": in_b[columns], "jaccard": jaccard[rows, columns]}))
        pairs.append(
            {
                "run_a": stacked.names[i],
                "run_b": stacked.names[j],
                "images": int(kept.sum()),
                "assigned_both": float(both.mean()),
                **_score_pair(_isolate_unassigned(a[kept]), _isolate_unassigned(b[kept])),
                "matched": len(rows),
                "clusters_a": len(clusters_a),
                "clusters_b": len(clusters_b),
            }
        )
    return RunComparison(pd.DataFrame(pairs), *_list_themes(clusters, best, pd.concat(matches), min_jaccard))


@recorded
def match_clusters(clusters: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Match the clusters of two runs one to one by their overlap.

    Parameters
    ----------
    clusters, others : DataFrame
        Clusters tables of the same images.

    Returns
    -------
    DataFrame
        ``cluster, other`` (its match), ``images`` (in both) and ``jaccard`` (images in both, as a share of
        those in either), the best matches first. Clusters without a match are not in it.

    Raises
    ------
    ValueError
        If the tables are of different images.

    Source
    ------
    Kuhn (1955), The Hungarian method for the assignment problem; Jaccard (1901) for the overlap.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": list("abc"), "cluster": [0, 0, 1], "iteration": 1,
    ...                       "silhouette": 0.5})
    >>> match_clusters(table, table.assign(cluster=[7, 7, 7])).round(2).values.tolist()
    [[0.0, 7.0, 2.0, 0.67]]
    """
    labels = stack_runs({"clusters": clusters, "others": others}).labels
    clusters_a, clusters_b, images, jaccard = _measure_overlaps(labels[:, 0], labels[:, 1])
    rows, columns = _match_best(jaccard)
    table = pd.DataFrame(
        {
            "cluster": clusters_a[rows],
            "other": clusters_b[columns],
            "images": images[rows, columns],
            "jaccard": jaccard[rows, columns],
        }
    )
    return table.sort_values(["jaccard", "cluster"], ascending=[False, True], ignore_index=True)


def _measure_variation(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Measure the variation of information, H(a|b) + H(b|a), in bits and as a share of the joint entropy.

    The share is 0 where that entropy is, since both are then one cluster.
    """
    joint = np.unique(np.column_stack([a, b]), axis=0, return_counts=True)[1]
    h_joint = float(entropy(joint, base=2))
    h_a, h_b = (float(entropy(np.unique(side, return_counts=True)[1], base=2)) for side in (a, b))
    # Rounding may leave a trace below 0 between equal labellings.
    variation = max(0.0, 2 * h_joint - h_a - h_b)
    return variation, variation / h_joint if h_joint else 0.0


def _score_pair(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    if len(a) < 2:  # fewer than two images in common: there is no pair to agree on
        return dict.fromkeys(("adjusted_rand", "variation_of_information", "normalized_variation"), np.nan)
    variation, share = _measure_variation(a, b)
    return {
        "adjusted_rand": float(adjusted_rand_score(a, b)),
        "variation_of_information": variation,
        "normalized_variation": share,
    }


def _list_clusters(stacked: RunLabels) -> pd.DataFrame:
    tables = []
    for i, name in enumerate(stacked.names):
        labels = stacked.labels[:, i]
        clusters, sizes = np.unique(labels[labels != UNASSIGNED], return_counts=True)
        tables.append(pd.DataFrame({"run": name, "run_number": i, "cluster": clusters, "size": sizes}))
    return pd.concat(tables, ignore_index=True)


def _list_themes(
    clusters: pd.DataFrame, best: np.ndarray, matches: pd.DataFrame, min_jaccard: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add stability and theme to the clusters, and list the themes."""
    own = np.arange(best.shape[1]) == clusters["run_number"].to_numpy()[:, None]
    # A cluster none of whose images takes part in a comparison is not found there.
    overlap = np.where(own, np.nan, np.nan_to_num(best))
    theme = _follow_themes(matches, clusters["run_number"].to_numpy())
    clusters = clusters.assign(
        stability=np.nanmean(overlap, axis=1) if len(overlap) else [],
        found_again=(overlap > min_jaccard).sum(axis=1),
        theme=theme,
    )
    by_theme: Any = clusters.groupby("theme", sort=False)
    themes = pd.DataFrame(
        {
            "runs": by_theme["run"].nunique(),
            "size": by_theme["size"].median(),
            "stability": by_theme["stability"].mean(),
        }
    ).reset_index()
    themes.insert(2, "share", themes["runs"] / best.shape[1])
    shown = clusters.sort_values(["stability", "size"], ascending=False, kind="stable")
    shown = shown.drop_duplicates("theme")[["theme", "run", "cluster"]]
    themes = themes.merge(shown, on="theme").sort_values(
        ["runs", "stability", "size", "theme"], ascending=[False, False, False, True], ignore_index=True
    )
    numbers = pd.Series(themes.index, index=themes["theme"])
    clusters = clusters.assign(theme=clusters["theme"].map(numbers)).drop(columns="run_number")
    return clusters, themes.assign(theme=themes.index)


def stack_runs(runs: Mapping[str, pd.DataFrame]) -> RunLabels:
    """Put the labels of several runs side by side, image by image, in the order of the first run.

    Raises ValueError if there are fewer than two runs, two have one name, or they are of different images.
    """
    if not isinstance(runs, Mapping) or len(runs) < 2:
        raise ValueError(
            "Expected at least two runs as a mapping of names to clusters tables, such as "
            "{'seed 0': clusters, 'seed 1': more_clusters}."
        )
    if len(set(map(str, runs))) < len(runs):
        raise ValueError(f"Expected runs of different names, got {list(runs)!r}.")
    runs = {
        name: check_clusters(table, f"the clusters table of run {name!r}") for name, table in runs.items()
    }
    first_name, first = next(iter(runs.items()))
    image_ids = first["image_id"].reset_index(drop=True)
    columns = []
    for name, table in runs.items():
        found = table.set_index("image_id")["cluster"].reindex(image_ids)
        unknown = int(found.isna().sum())
        if unknown or len(table) != len(image_ids):
            raise ValueError(
                f"Expected runs on the same images, but {name!r} has {len(table)} images, {first_name!r} has "
                f"{len(image_ids)}, and {unknown} of these are not in {name!r}. Keep the images in common."
            )
        columns.append(found.to_numpy(dtype="int64"))
    return RunLabels(list(map(str, runs)), image_ids, np.column_stack(columns))


def _isolate_unassigned(labels: np.ndarray) -> np.ndarray:
    """Make each unassigned image a cluster of its own."""
    alone = labels == UNASSIGNED
    isolated = labels.copy()
    isolated[alone] = labels.max(initial=UNASSIGNED) + 1 + np.arange(alone.sum())
    return isolated


def _measure_overlaps(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Measure how much each cluster of one run overlaps with each of another.

    Gives the k_a clusters of one and the k_b of the other, and for each two of them, (k_a, k_b), the images
    in both and their Jaccard overlap: these as a share of the images in either. The unassigned are in none.
    """
    clusters_a, sizes_a = np.unique(a[a != UNASSIGNED], return_counts=True)
    clusters_b, sizes_b = np.unique(b[b != UNASSIGNED], return_counts=True)
    both = (a != UNASSIGNED) & (b != UNASSIGNED)
    rows, columns = np.searchsorted(clusters_a, a[both]), np.searchsorted(clusters_b, b[both])
    shape = (len(clusters_a), len(clusters_b))
    images = np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1]).reshape(shape)
    return clusters_a, clusters_b, images, images / (sizes_a[:, None] + sizes_b - images)


def _match_best(jaccard: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Match rows with columns one to one so that the sum of their overlaps is the largest, and above 0."""
    rows, columns = linear_sum_assignment(jaccard, maximize=True)
    overlap = jaccard[rows, columns] > 0
    return rows[overlap], columns[overlap]


def _follow_themes(matches: pd.DataFrame, run_of: np.ndarray) -> np.ndarray:
    """Join matched clusters into themes that hold at most one cluster of each run, the best matches first.

    `matches` names two clusters, ``a, b``, by their place, `run_of` gives the run of each cluster; what comes
    back is its theme, named by the place of one of its clusters.
    """
    theme = np.arange(len(run_of))
    members: dict[Any, list[int]] = {i: [i] for i in range(len(run_of))}
    ordered = matches.sort_values(["jaccard", "a", "b"], ascending=[False, True, True])
    for a, b in zip(ordered["a"].tolist(), ordered["b"].tolist(), strict=True):
        one, other = sorted((int(theme[a]), int(theme[b])))
        if one == other:
            continue
        if {int(run_of[i]) for i in members[one]} & {int(run_of[i]) for i in members[other]}:
            continue
        theme[members[other]] = one
        members[one] += members.pop(other)
    return theme
