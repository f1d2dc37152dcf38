"""Repeat what was found with one seed over others, and report the spread."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t

from visclust.base.checks import check_level
from visclust.base.columns import check_clusters
from visclust.base.provenance import recorded
from visclust.base.tables import check_columns


class SeedRepeats(NamedTuple):
    """What the function gave with each seed, a column ``seed`` before it, and the summary over the seeds."""

    by_seed: pd.DataFrame
    summary: pd.DataFrame


@recorded
def repeat_over_seeds(
    function: Callable[..., Any],
    runs: Mapping[int, pd.DataFrame],
    *,
    keys: Sequence[str] = (),
    sample: pd.DataFrame | None = None,
    estimate: str = "estimate",
    level: float = 0.95,
) -> SeedRepeats:
    """Repeat an estimate or a contrast over the seeds of a configuration, and report the spread.

    A configuration that was chosen is not one clustering, and what is found with the clusters of one seed
    carries that seed's chance, which no interval of `estimate_corpus`, `compare_groups` or
    `contrast_clusters` knows of.

    Parameters
    ----------
    function : callable
        Takes the clusters table of a seed (with `sample`, the sample) and gives a table with a row per
        estimate, such as ``lambda clusters: vc.estimate_corpus(draw(clusters), …, clusters=clusters)``.
    runs : mapping of int to DataFrame
        A clusters table for each of two seeds or more, of the same images: one of the grid's entries.
    keys : sequence of str, default ()
        Columns that say which rows of the tables are of the same thing, such as "item"; none where each table
        has one row. Cluster numbers are none: cluster 3 of one seed is another cluster with the next.
    sample : DataFrame, optional
        A sample that people have rated already. It cannot be drawn anew: each seed then only says which
        theme each of its images belongs to, in its column ``cluster``; the images, their weights and the
        ratings stay. So do estimates that rest on the weights alone, which are right whatever the clusters.
    estimate : str, default "estimate"
        Column with the number that is repeated; ``standard_error`` is read beside it where there is one.
    level : float, default 0.95
        Level of the intervals.

    Returns
    -------
    SeedRepeats
        ``by_seed``: all tables, with ``seed``. ``summary``: a row per value of `keys`: these, ``n_seeds`` (in
        which it is there and defined), ``mean, seed_sd`` (between seeds), ``smallest, largest``; and where
        there are standard errors ``standard_error`` (of one seed: their root mean square), ``total_error,
        low, high`` and ``seed_share`` (of the total variance, what is the seeds').

    Raises
    ------
    ValueError
        If there are fewer than two seeds, a table lacks a column, two of its rows have the same `keys`, or an
        image of the sample is not in a clusters table.

    Notes
    -----
    The total is Rubin's for multiple imputations: the mean of the variances, plus that between the S seeds
    times 1 + 1 / S, with a t distribution of (S - 1) (1 + within / between)² degrees of freedom. Where all
    seeds use one sample its chance is common to them, and the total is right if it is in every standard
    error; where each draws a sample of its own, the chance of drawing is in both parts, and the interval is
    wider than it need be.

    Source
    ------
    Rubin (1987), Multiple Imputation for Nonresponse in Surveys, section 3.1.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": list("abcd"), "cluster": [0, 0, 1, 1]})
    >>> runs = {0: table, 1: table.assign(cluster=[0, 0, 0, 1]), 2: table.assign(cluster=[0, 0, 1, -1])}
    >>> def measure(clusters):
    ...     return pd.DataFrame({"estimate": [clusters["cluster"].eq(0).mean()]})
    >>> repeat_over_seeds(measure, runs).summary[["n_seeds", "mean", "seed_sd"]].round(2).values.tolist()
    [[3.0, 0.58, 0.14]]
    """
    check_level(level)
    if len(runs) < 2:
        raise ValueError(
            f"Expected the clusters of two seeds or more as runs, got {len(runs)}: one seed has no spread. "
            "Search with several seeds, as `grid_search` does."
        )
    if sample is not None:
        check_columns(sample, ["image_id"], "the sample")
    checked = {seed: check_clusters(clusters) for seed, clusters in runs.items()}
    columns = [*keys, estimate]
    tables = []
    for seed, clusters in checked.items():
        found = function(clusters if sample is None else _join_clusters(sample, clusters, seed))
        if not isinstance(found, pd.DataFrame):
            raise ValueError(
                f"Expected the function to give a table, got {type(found).__name__} for seed {seed}. Of a "
                "result of several tables give one, such as `compare_groups(…).differences`."
            )
        check_columns(found, columns, f"the table of seed {seed}")
        if found.duplicated(list(keys)).any() if keys else len(found) > 1:
            raise ValueError(
                f"Expected one row per value of {', '.join(keys) or 'no keys'} in the table of seed "
                f"{seed}, got {len(found)} rows, some of one value. Name in keys what tells rows apart."
            )
        found = found.drop(columns="seed", errors="ignore").reset_index(drop=True)
        tables.append(pd.concat([pd.Series(seed, index=found.index, name="seed"), found], axis=1))
    by_seed = pd.concat(tables, ignore_index=True)
    groups = by_seed.groupby(list(keys), sort=False, dropna=False) if keys else [((), by_seed)]
    rows = [dict(zip(keys, value, strict=True)) | _summarise(part, estimate, level) for value, part in groups]
    summary = pd.DataFrame(rows)
    if "simulated" in by_seed.columns:
        summary["simulated"] = bool(by_seed["simulated"].astype(bool).any())
    return SeedRepeats(by_seed, summary)


def _join_clusters(sample: pd.DataFrame, clusters: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Give the sample with the clusters of a seed."""
    labels = sample["image_id"].map(clusters.set_index("image_id")["cluster"])
    if labels.isna().any():
        raise ValueError(
            f"Expected every image of the sample in the clusters of seed {seed}; {int(labels.isna().sum())} "
            f"are not, such as {sample.loc[labels.isna(), 'image_id'].iloc[0]!r}."
        )
    return sample.assign(cluster=labels.astype("int64"))


def _summarise(part: pd.DataFrame, estimate: str, level: float) -> dict[str, Any]:
    """Summarise one estimate over the seeds; only those with which it is defined."""
    there = part[part[estimate].notna()]
    values = there[estimate].to_numpy(dtype=float)
    n = len(values)
    between = float(values.var(ddof=1)) if n > 1 else np.nan
    row = {
        "n_seeds": n,
        "mean": float(values.mean()) if n else np.nan,
        "seed_sd": float(np.sqrt(between)),
        "smallest": float(values.min()) if n else np.nan,
        "largest": float(values.max()) if n else np.nan,
    }
    if "standard_error" not in part.columns:
        return row
    within = float((there["standard_error"].to_numpy(dtype=float) ** 2).mean()) if n else np.nan
    seeds = (1 + 1 / n) * between if n else np.nan
    total = within + seeds
    freedom = (n - 1) * (total / seeds) ** 2 if n > 1 and seeds > 0 else np.inf
    half = t.ppf((1 + level) / 2, freedom) * np.sqrt(total)
    return row | {
        "standard_error": float(np.sqrt(within)),
        "total_error": float(np.sqrt(total)),
        "low": row["mean"] - half,
        "high": row["mean"] + half,
        "seed_share": seeds / total if total > 0 else np.nan,
    }
