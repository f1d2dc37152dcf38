"""New images in old clusters: a model of the clusters, a flag for images that no cluster may fit, and drift.

An image goes to the cluster with the nearest centre, always; beyond the distance that members seldom exceed
it is flagged "perhaps a new theme", and a person looks. A share of flags that grows over time is drift.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from visclust.base.backend import get_namespace, to_host
from visclust.base.checks import check_choice
from visclust.base.columns import check_clusters
from visclust.base.provenance import digest_input, is_embedding, note_run, recorded
from visclust.base.rows import match_rows, take_rows
from visclust.base.simulated import mark_simulated
from visclust.base.tables import UNASSIGNED, check_columns
from visclust.base.times import take_times
from visclust.clustering.nearest import assign_block

_BLOCK = 8192  # rows read at a time
_PERIODS = {"day": "D", "week": "W", "month": "M", "quarter": "Q", "year": "Y"}
# What an encoder is known by in records of embeddings; the digest of its weights tells more than its name.
_ENCODER = ("weights_digest", "encoder")


class ClusterModel(NamedTuple):
    """What new images need to be put into old clusters; see `make_cluster_model`.

    ``table`` has a row per cluster: ``cluster, size, distance`` (mean of its members), ``threshold,
    false_alarm``. ``centers`` (k, d; float64) are in its order. ``quantile`` is what the thresholds rest on,
    ``space`` tells the rows by ``dimensions, how`` and ``encoder``, and ``unassigned_flagged`` the share of
    the images left unassigned then that would be flagged (NaN where there were none).
    """

    table: pd.DataFrame
    centers: np.ndarray
    quantile: float
    space: dict[str, Any]
    unassigned_flagged: float
    provenance: dict[str, Any]


@recorded
def make_cluster_model(x: Any, clusters: pd.DataFrame, *, quantile: float = 0.99) -> ClusterModel:
    """Make a model of clusters, by which `assign_new` puts new images into them.

    Each cluster is its centre and a distance that its members seldom exceed. That threshold is a quantile of
    the distances of its own members, each measured to the mean of the others, as a new image is.

    Parameters
    ----------
    x : Embedding, PreparedRows, or ndarray, shape (n, d)
        The rows that were clustered.
    clusters : DataFrame
        The clusters table of the same images (``image_id, cluster`` are enough).
    quantile : float, default 0.99
        Share of the members' distances that the threshold is to hold, between 0 and 1.

    Returns
    -------
    ClusterModel
        For `assign_new` and `save_cluster_model`. Of m members the threshold is the distance of rank
        (m + 1) * quantile, rounded up, so that a new image of the same kind exceeds it with a probability of
        1 - quantile at most; of fewer members than that takes (99 for 0.99) it is the largest, and the
        probability, ``false_alarm``, is 1 / (m + 1). A cluster of one has no threshold.

    Raises
    ------
    ValueError
        If no image is assigned, the rows are other images than the clusters', or `quantile` is not between
        0 and 1.

    Source
    ------
    Barber, Candès, Ramdas and Tibshirani (2021), Predictive inference with the jackknife+, Annals of
    Statistics 49, 486-507, of which this is the jackknife: exact for images exchangeable with the members
    but for the little that one member moves the centre.

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [2.0], [9.0], [10.0]])
    >>> clusters = pd.DataFrame({"image_id": list("abcde"), "cluster": [0, 0, 0, 1, 1]})
    >>> make_cluster_model(x, clusters).table[["cluster", "size", "threshold"]].values.tolist()
    [[0.0, 3.0, 1.5], [1.0, 2.0, 1.0]]
    """
    if not 0 < quantile < 1:
        raise ValueError(f"Expected quantile between 0 and 1, such as 0.99, got {quantile!r}.")
    clusters = check_clusters(clusters)
    space = _describe_space(x)
    rows = take_rows(x).x
    if len(rows) != len(clusters):
        raise ValueError(
            f"Expected a row of x for each of the {len(clusters)} images of the clusters table, "
            f"got {len(rows)}."
        )
    match_rows(x, clusters)
    labels = clusters["cluster"].to_numpy(dtype=np.int64)
    numbers, codes = np.unique(labels[labels != UNASSIGNED], return_inverse=True)
    if not len(numbers):
        raise ValueError("Expected at least one assigned image in the clusters table, got none.")
    members = np.flatnonzero(labels != UNASSIGNED)
    sizes = np.bincount(codes)
    centers, distances = _measure_members(rows, members, codes, len(numbers))
    # The mean of the others is farther: by n / (n - 1), since a member pulls its own centre.
    distances *= (sizes / np.maximum(sizes - 1, 1))[codes]
    thresholds, alarms = _find_thresholds(distances, codes, sizes, quantile)
    means = np.bincount(codes, weights=distances) / sizes
    table = pd.DataFrame(
        {
            "cluster": numbers,
            "size": sizes,
            "distance": np.where(sizes > 1, means, np.nan),
            "threshold": thresholds,
            "false_alarm": alarms,
        }
    )
    left = np.flatnonzero(labels == UNASSIGNED)
    flagged = float("nan")
    if len(left):
        found, distance = _find_nearest(rows, left, centers)
        flagged = float((distance > thresholds[found]).mean())
    note_run(parameters={"space": space})
    return ClusterModel(table, centers, quantile, space, flagged, {})


def _describe_space(x: Any) -> dict[str, Any]:
    """Tell what space rows are in: their dimensions, how they were prepared, and by what encoder made."""
    how = take_rows(x).how if is_embedding(x) else "not known"
    matrix = x.x if is_embedding(x) else x
    record = x.provenance if is_embedding(x) else {}
    made = record if record.get("function") == "embed_images" else {}
    made = made or record.get("inputs_made_by", {}).get("x", {})
    known = made.get("parameters", {}) if made.get("function") == "embed_images" else {}
    encoder = {name: known[name] for name in _ENCODER if known.get(name) is not None}
    parts = getattr(x, "parts", None)
    return {
        "dimensions": int(take_rows(matrix).x.shape[1]),
        "how": how,
        "encoder": encoder,
        "preparation": {name: digest_input(parts[name]) for name in sorted(parts)} if parts else {},
    }


def _measure_members(
    rows: Any, members: np.ndarray, codes: np.ndarray, n_clusters: int
) -> tuple[np.ndarray, np.ndarray]:
    """Measure the centre of each cluster, and the distance of each member to it, in float64."""
    xp = get_namespace(rows)
    sums = np.zeros((n_clusters, rows.shape[1]))
    starts = range(0, len(members), _BLOCK)
    for i in starts:
        some = rows[xp.asarray(members[i : i + _BLOCK])].astype(xp.float64)
        marks = xp.zeros((n_clusters, len(some)))
        marks[xp.asarray(codes[i : i + _BLOCK]), xp.arange(len(some))] = 1
        sums += to_host(marks @ some)
    centers = sums / np.bincount(codes)[:, None]
    distances = np.empty(len(members))
    for i in starts:
        some = rows[xp.asarray(members[i : i + _BLOCK])].astype(xp.float64)
        away = some - xp.asarray(centers[codes[i : i + _BLOCK]])
        distances[i : i + _BLOCK] = to_host(xp.sqrt((away * away).sum(axis=1)))
    return centers, distances


def _find_thresholds(
    distances: np.ndarray, codes: np.ndarray, sizes: np.ndarray, quantile: float
) -> tuple[np.ndarray, np.ndarray]:
    """Find each cluster's threshold, and how often a new image of its kind exceeds that."""
    order = np.lexsort([distances, codes])
    first = np.cumsum(sizes) - sizes
    # The rounding of (m + 1) * quantile must not add a rank.
    ranks = np.minimum(np.ceil((sizes + 1) * quantile - 1e-9).astype(np.int64), sizes)
    thresholds = distances[order][first + ranks - 1]
    alone = sizes < 2
    return np.where(alone, np.nan, thresholds), np.where(alone, np.nan, 1 - ranks / (sizes + 1))


def _find_nearest(rows: Any, numbers: np.ndarray, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest centre of some rows and the distance to it, block by block."""
    xp = get_namespace(rows)
    origin = centers.mean(axis=0)
    found, distance = np.empty(len(numbers), dtype=np.int64), np.empty(len(numbers))
    for i in range(0, len(numbers), _BLOCK):
        some = rows[xp.asarray(numbers[i : i + _BLOCK])].astype(xp.float64) - xp.asarray(origin)
        block = assign_block(some, xp.asarray(centers - origin))
        found[i : i + _BLOCK] = to_host(block.labels)
        distance[i : i + _BLOCK] = np.sqrt(to_host(block.squares))
    return found, distance


@recorded
def assign_new(
    x: Any, model: ClusterModel, *, image_ids: Sequence[str] | pd.Series | None = None
) -> pd.DataFrame:
    """Assign new images to the old clusters, and flag those that are perhaps a new theme.

    Each goes to the cluster with the nearest centre, however far; one farther than that cluster's threshold
    is flagged. A flag is a reason to look, no finding: some of the members would be flagged too
    (``false_alarm``), and a new theme near an old one is not.

    Parameters
    ----------
    x : Embedding, PreparedRows, or ndarray, shape (m, d)
        The new images by the same encoder, and prepared as the old ones were (`apply_preparation`).
    model : ClusterModel
        From `make_cluster_model` or `load_cluster_model`.
    image_ids : sequence of str, length m, optional
        Ids of the rows of a bare matrix; without them its rows are called 0, 1, 2, ….

    Returns
    -------
    DataFrame
        A row per image: ``image_id, cluster, distance`` (to its centre), ``threshold`` (of that cluster),
        ``perhaps_new`` (true, false, or missing for a cluster of one, which has no threshold),
        ``relative_distance`` (over the mean distance of the members), ``false_alarm`` (how often an image of
        the same kind as the members is flagged).

    Raises
    ------
    ValueError
        If the rows have another number of dimensions, another preparation or another encoder than those of
        the model. What the records do not tell cannot be held against each other, which a line says.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abcde"), "cluster": [0, 0, 0, 1, 1]})
    >>> model = make_cluster_model(np.array([[0.0], [1.0], [2.0], [9.0], [10.0]]), clusters)
    >>> assign_new(np.array([[1.5], [5.0]]), model)[["cluster", "perhaps_new"]].values.tolist()
    Not checked, since the records do not tell it of both: how the rows were prepared and the encoder.
    [[0, False], [0, True]]
    """
    taken = take_rows(x)
    _check_space(_describe_space(x), model.space)
    ids = taken.image_ids if image_ids is None else [str(each) for each in image_ids]
    if ids is None:
        ids = [str(i) for i in range(len(taken.x))]
    if len(ids) != len(taken.x):
        raise ValueError(f"Expected image_ids, one for each of the {len(taken.x)} rows, got {len(ids)}.")
    if taken.image_ids is not None and ids != taken.image_ids:
        raise ValueError("Expected no image_ids beside an embedding, which brings its own, got others.")
    found, distance = _find_nearest(taken.x, np.arange(len(taken.x)), model.centers)
    of_cluster = model.table.iloc[found].reset_index(drop=True)
    threshold = of_cluster["threshold"]
    flag = pd.Series(distance > threshold, dtype="boolean").where(threshold.notna())
    note_run(parameters={"quantile": model.quantile, "space": model.space})
    return pd.DataFrame(
        {
            "image_id": ids,
            "cluster": of_cluster["cluster"],
            "distance": distance,
            "threshold": threshold,
            "perhaps_new": flag,
            "relative_distance": distance / of_cluster["distance"].where(of_cluster["distance"] > 0),
            "false_alarm": of_cluster["false_alarm"],
        }
    )


def _check_space(new: dict[str, Any], old: dict[str, Any]) -> None:
    """Refuse rows of another space than the model's; say what cannot be told."""
    advice = (
        "Embed the new images by the encoder of the old ones, and put them in place by apply_preparation."
    )
    if new["dimensions"] != old["dimensions"]:
        raise ValueError(
            f"Expected rows x of {old['dimensions']} dimensions, as those of the model, got "
            f"{new['dimensions']}. {advice}"
        )
    unknown = []
    if "not known" in (new["how"], old["how"]):
        unknown.append("how the rows were prepared")
    elif new["how"] != old["how"]:
        raise ValueError(f"Expected rows x prepared by {old['how']!r}, got {new['how']!r}. {advice}")
    elif new["preparation"] != old["preparation"]:
        raise ValueError(
            f"Expected rows x in the space of the model; they were prepared by {new['how']!r} as well, but "
            f"anew, from other images. {advice}"
        )
    ours, theirs = new["encoder"], old["encoder"]
    known = next((name for name in _ENCODER if name in ours and name in theirs), None)
    if known is not None and ours[known] != theirs[known]:
        raise ValueError(
            f"Expected rows x by the encoder of the model, {_name_encoder(theirs)}, got "
            f"{_name_encoder(ours)}. {advice}"
        )
    if known is None:
        unknown.append("the encoder")
    if unknown:
        print(f"Not checked, since the records do not tell it of both: {' and '.join(unknown)}.")


def _name_encoder(known: dict[str, Any]) -> str:
    return " with weights ".join(str(known[name]) for name in reversed(_ENCODER) if name in known)


@recorded
def measure_drift(
    assigned: pd.DataFrame, *, time: str = "time", every: str = "month", confidence: float = 0.95
) -> pd.DataFrame:
    """Measure by period how many new images are flagged, and how far they are from their clusters.

    Parameters
    ----------
    assigned : DataFrame
        From `assign_new`, with a column of times joined to it.
    time : str, default "time"
        That column.
    every : {"day", "week", "month", "quarter", "year"}, default "month"
        Length of a period; weeks begin on Monday.
    confidence : float, default 0.95
        Of the intervals.

    Returns
    -------
    DataFrame
        A row per period with images, in order: ``period`` (its first day; missing for images without a
        time), ``images, judged`` (those whose cluster has a threshold), ``flagged, share`` (of the judged),
        ``low, high`` (Wilson's interval), ``expected`` (the share if all were like the members of their
        clusters), ``relative_distance`` (mean; 1 = as far as members), ``relative_low, relative_high``.

    Raises
    ------
    ValueError
        If columns are missing or no times, or a setting is out of range.

    Source
    ------
    Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22, 209-212.
    Images count as independent; many from one event are not, and the intervals are then too short.

    Examples
    --------
    >>> assigned = pd.DataFrame({"perhaps_new": [False, True, True], "relative_distance": [1.0, 2.0, 3.0],
    ...                          "false_alarm": 0.01, "time": ["2018-06-01", "2018-06-02", "2018-07-09"]})
    >>> measure_drift(assigned)[["images", "flagged", "share"]].values.tolist()
    [[2.0, 1.0, 0.5], [1.0, 1.0, 1.0]]
    """
    check_columns(assigned, ("perhaps_new", "relative_distance", "false_alarm", time), "the assigned images")
    check_choice("every", every, tuple(_PERIODS))
    times = take_times(assigned, time, "the assigned images")
    if getattr(times.dt, "tz", None) is not None:
        times = times.dt.tz_localize(None)  # periods by the clock of their own zone
    period = times.dt.to_period(_PERIODS[every]).dt.start_time
    parts = []
    for start, part in assigned.groupby(period.to_numpy(), dropna=False, sort=True):
        judged = part["perhaps_new"].notna()
        flagged, n = int(part.loc[judged, "perhaps_new"].sum()), int(judged.sum())
        low, high = (
            proportion_confint(flagged, n, alpha=1 - confidence, method="wilson") if n else (np.nan,) * 2
        )
        away = part["relative_distance"].dropna().to_numpy(float)
        half = _measure_half_width(away, confidence)
        mean = float(away.mean()) if len(away) else np.nan
        parts.append(
            {
                "period": start,
                "images": len(part),
                "judged": n,
                "flagged": flagged,
                "share": flagged / n if n else np.nan,
                "low": low,
                "high": high,
                "expected": float(part.loc[judged, "false_alarm"].mean()) if n else np.nan,
                "relative_distance": mean,
                "relative_low": mean - half,
                "relative_high": mean + half,
            }
        )
    return mark_simulated(pd.DataFrame(parts), assigned)


def _measure_half_width(values: np.ndarray, confidence: float) -> float:
    """Measure half the width of Student's interval of a mean; NaN of fewer than two values."""
    from scipy.stats import t

    if len(values) < 2:
        return float("nan")
    return float(t.ppf((1 + confidence) / 2, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5)
