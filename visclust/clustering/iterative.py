"""Cluster iteratively: find clusters, pull out the cohesive ones, repeat on what remains.

The paper's Figure 3, step by step, and what takes each step:

1. draw a random sample of the remaining images, and raise K on it while the moving average of the fit
   rises (`climb_k`);
2. run k-means with that K on all remaining images (`fit_kmeans`);
3. take the mean silhouette of each cluster, among all remaining images, or as much of it as tells on which
   side of the threshold it lies (`_find_clusters` holds 1 to 3);
4. take out the clusters above the similarity threshold (`_number_cohesive`); the others' images go back;
5. repeat while more images remain than the stop size (`cluster_workspace`).
"""

import hashlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.backend import get_namespace, to_host
from visclust.base.progress import WorkBar
from visclust.base.provenance import note_run, recorded
from visclust.base.row_views import RowView
from visclust.base.rows import take_rows
from visclust.base.tables import UNASSIGNED
from visclust.clustering.adaptive import Decisions, decide_above, measure_shapes, split_risk
from visclust.clustering.choose_k import KCurve, climb_k
from visclust.clustering.clusters import ClusteringResult
from visclust.clustering.giant import warn_of_giant
from visclust.clustering.kmeans import fit_kmeans
from visclust.clustering.settings import (
    SUITED_THRESHOLD,
    IterativeSettings,
    check_settings,
    settle_silhouette,
)
from visclust.clustering.silhouette_kinds import announce_cost, announce_iteration, score_rows
from visclust.clustering.silhouettes import average_by_cluster, score_from_sums
from visclust.clustering.workspace import (
    Workspace,
    fits_in_memory,
    measure_squares,
    open_workspace,
    recall,
    select_rows,
    sum_distances,
)

# Rows at a time of which it is asked whether they are all one.
_LOOKED_AT = 2**16
_LOG_COLUMNS = [
    "iteration",
    "remaining",
    "k_tried",
    "fit",
    "moving_average",
    "k",
    "clusters",
    "cohesive",
    "images_out",
    "mean_cohesive_size",
    "silhouette",
    "cohesive_silhouette",
    "decided_by",
    "sizes",
    "means",
    "low",
    "high",
    "looked",
    "distances",
    "seed",
    "seconds",
]


class _Iteration(NamedTuple):
    """What one iteration found among the m images that remained, before a threshold is applied.

    How K was chosen, the seed, cluster (m, from 0) and silhouette (m) per image, mean silhouette per cluster,
    and how each was decided, where that was done for a threshold.
    """

    curve: KCurve
    seed: int
    codes: np.ndarray
    scores: np.ndarray
    means: np.ndarray
    decisions: Decisions | None = None


@recorded
def cluster_iteratively(
    x: Any,
    *,
    step_size: int = 5,
    sample_size: int = 1000,
    convergence_window: int = 3,
    similarity_threshold: float | None = None,
    stop_size: int = 20,
    goodness_of_fit: str = "silhouette",
    max_stall: int = 3,
    silhouette: str = "auto",
    risk: float = 0.001,
    seed: int = 0,
    memory_budget: int | None = None,
    progress: bool = True,
) -> ClusteringResult:
    """Cluster images iteratively: k-means, pull out the cohesive clusters, repeat on the images that remain.

    Each iteration draws one random sample of the remaining images and raises K on it while the moving
    average of the fit improves; k-means with that K then runs on all remaining images. The clusters whose
    mean silhouette is strictly above the threshold come out; the others go back.

    Parameters
    ----------
    x : Embedding, or ndarray, shape (n, d), float32 or float64
        The embedding, a row per image, as `prepare_rows` or `embed_images` gives it, or its matrix; NumPy, or
        CuPy for a GPU. The paper's rows are the raw ones; prepared ones gave better clusters on nearly all
        labelled corpora that were tried (see `grid_search`).
    step_size : int, default 5
        K starts at max(2, step_size) and grows by this step.
    sample_size : int, default 1000
        Images in the sample on which K is chosen; K stays below it and below the number remaining.
    convergence_window : int, default 3
        K's in the moving average of the fit. The K with the best moving average is taken.
    similarity_threshold : float, optional
        Mean silhouette above which a cluster is cohesive. By default what suits the rows: 0.2 for those that
        `prepare_rows` made by UMAP, and otherwise 0.03, as for any bare matrix. The paper's are 0 to 0.05
        (the 0.4 in its text is a slip for the 0.04 of its figure): a value above 0.2 gives a warning where
        the rows have more than 16 dimensions.
    stop_size : int, default 20
        Repeat while more than this many images remain.
    goodness_of_fit : str, default "silhouette"
        What the choice of K climbs on; see `measure_goodness`.
    max_stall : int, default 3
        New seeds tried, one after the other, when no cluster is cohesive.
    silhouette : {"auto", "exact", "adaptive", "sampled", "simplified", "squared"}, default "auto"
        What decides which clusters come out. "exact": the silhouettes of all images. "adaptive": those of
        some, more of them only where a cluster's mean may still lie on either side of the threshold, and
        exact ones where it stays so; the decisions are the exact ones but for `risk`, and the cost grows
        with n, not with its square. "auto" is exact up to 40,000 images, where it costs little, and adaptive
        above, which is said. For the others see `score_clusters`. The choice of K on the sample is always
        exact.
    risk : float, default 0.001
        For "adaptive": the probability, at most, that any cluster in the whole run is decided otherwise than
        its exact mean silhouette would.
    seed : int, default 0
        The same seed gives the same labels.
    memory_budget : int, bytes, optional
        All n x n distances are kept where they fit in it (by default a third of the memory at hand), and
        computed again and again where not. Never changes a result by more than the rounding of a distance.
    progress : bool, default True
        Show how many images are assigned, and say what takes minutes.

    Returns
    -------
    ClusteringResult
        ``labels`` (int array, n; -1 = unassigned, never forced), ``log`` (a row per iteration: remaining,
        K's tried with their fit, K, cohesive clusters, their mean size and silhouettes, how each was decided,
        see `list_decisions`, seed, seconds), ``iterations``, ``silhouettes`` (with "adaptive": exact ones, in
        clusters that needed them, and estimates for the other images looked at; missing for the rest),
        ``stop_reason``, ``provenance``, and the ``image_ids`` of an embedding. Where one cluster is a giant
        (see `diagnose_clusters`), a warning says so and what to try.

    Raises
    ------
    TypeError, ValueError
        Before any work, if `x` or a setting is not as described.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson, Figure 3. Its printed STOP condition is inverted there.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = np.repeat(rng.normal(size=(3, 8)), 10, axis=0) + rng.normal(scale=0.05, size=(30, 8))
    >>> result = cluster_iteratively(x, step_size=1, convergence_window=1, stop_size=5)
    >>> sorted(pd.Series(result.labels).value_counts().tolist())
    [10, 10, 10]
    """
    rows, image_ids, how = take_rows(x)
    threshold = SUITED_THRESHOLD[how] if similarity_threshold is None else similarity_threshold
    settings = IterativeSettings(
        step_size,
        sample_size,
        convergence_window,
        threshold,
        stop_size,
        goodness_of_fit,
        max_stall,
        silhouette,
        risk,
    )
    check_settings(settings, seed=seed, n_dimensions=rows.shape[1])
    settings = settle_silhouette(settings, n=len(rows))
    adaptive = settings.silhouette == "adaptive"
    note_run(
        parameters={
            "similarity_threshold": threshold,
            "rows": how,
            "silhouette": settings.silhouette,
            "risk": risk if adaptive else None,
        }
    )
    held = not adaptive and fits_in_memory(rows, memory_budget=memory_budget)
    if settings.silhouette == "exact" or held:
        announce_cost(rows, held=held)
    else:
        announce_iteration(rows, silhouette=settings.silhouette)
    workspace = open_workspace(rows, memory_budget=memory_budget, hold=held, keep=False)
    result = cluster_workspace(workspace, settings=settings, seed=seed, progress=progress)
    warn_of_giant(result.labels, rows, how=how)
    return result._replace(image_ids=image_ids)


def cluster_workspace(
    workspace: Workspace,
    *,
    settings: IterativeSettings,
    seed: int,
    progress: bool = False,
    search: Callable[..., tuple[Any, ...]] | None = None,
) -> ClusteringResult:
    """Run the iterations on a prepared workspace, re-using what other settings have computed there.

    The settings must have been checked; the provenance is left empty for the caller to fill. Where the rows
    are not in one place, `search` does steps 1 to 3 in their place, and gives the fields of an iteration.
    """
    n = len(workspace.rows)
    settings = settle_silhouette(settings, n=n)
    labels = np.full(n, UNASSIGNED, dtype=np.int64)
    iterations = np.full(n, UNASSIGNED, dtype=np.int64)
    silhouettes = np.full(n, np.nan)
    remaining = np.arange(n)
    log: list[dict[str, Any]] = []
    stalled = 0
    with WorkBar(
        total=n,
        desc="Clustering",
        unit="image",
        # After an iteration: the next ones take out about the same share of fewer images.
        work=f"Clustering {n:,} images",
        progress=progress,
    ) as bar:
        while len(remaining) > settings.stop_size:
            started = time.perf_counter()
            found = _find_clusters(
                workspace,
                remaining,
                settings=settings,
                seed=seed,
                number=len(log),
                progress=progress,
                search=search,
            )
            if found.curve.chosen is None and (reason := _explain_why_none(workspace, remaining)):
                break
            # Step 4: a number per cluster that comes out, UNASSIGNED for those that go back.
            out = _number_cohesive(found, settings.similarity_threshold, first=labels.max() + 1)
            coming = out[found.codes] != UNASSIGNED
            labels[remaining[coming]] = out[found.codes[coming]]
            iterations[remaining[coming]] = len(log) + 1
            silhouettes[remaining[coming]] = found.scores[coming]
            log.append(_describe_iteration(len(log) + 1, found, out, started=started))
            bar.update(int(coming.sum()))
            remaining = remaining[~coming]
            stalled = 0 if coming.any() else stalled + 1
            if stalled > settings.max_stall:
                reason = (
                    f"no cohesive cluster among the {len(remaining)} images that remain, "
                    f"with {stalled} seeds one after the other"
                )
                break
        else:
            reason = f"{len(remaining)} images remain, which is not above the stop size {settings.stop_size}"
    table = pd.DataFrame(log, columns=_LOG_COLUMNS)
    return ClusteringResult(labels, table, iterations, silhouettes, reason, {})


def _find_clusters(
    workspace: Workspace,
    remaining: np.ndarray,
    *,
    settings: IterativeSettings,
    seed: int,
    number: int,
    progress: bool = False,
    search: Callable[..., tuple[Any, ...]] | None = None,
) -> _Iteration:
    """Do steps 1 to 3 on the images that remain: once for all settings that come to the same state."""
    # The seed of an iteration depends on the run's seed and the iteration's number only, so that
    # configurations that come to the same state go on with the same draws.
    round_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    if search is not None:
        found = search(remaining, settings=settings, seed=round_seed, number=number, progress=progress)
        return _Iteration(*found)
    # The threshold and what ends a run are left out of the key, since nothing in here depends on them.
    shared = settings._replace(similarity_threshold=0, stop_size=0, max_stall=0, silhouette="", risk=0)
    key = (hashlib.sha256(remaining.tobytes()).digest(), round_seed, shared)
    fit = recall(
        workspace,
        key,
        lambda: _fit_remaining(workspace, remaining, settings=shared, seed=round_seed, progress=progress),
    )
    m = len(remaining)
    if not 2 <= fit.n_clusters < m:  # no silhouette is defined, so nothing can come out
        return _Iteration(
            fit.curve, round_seed, np.zeros(m, np.int32), np.full(m, np.nan), np.array([np.nan])
        )
    if settings.silhouette == "adaptive":  # these decisions are made for the threshold
        how: tuple[Any, ...] = (settings.similarity_threshold, settings.risk, number)
    else:
        how = (settings.silhouette,)
    return recall(
        workspace,
        (*key, *how),
        lambda: _score_remaining(
            workspace, remaining, fit, settings=settings, seed=round_seed, number=number, progress=progress
        ),
    )


class _Fit(NamedTuple):
    """How K was chosen, and the clusters of k-means (m; from 0) among the m images that remained."""

    curve: KCurve
    codes: np.ndarray
    n_clusters: int


def _fit_remaining(
    workspace: Workspace,
    remaining: np.ndarray,
    *,
    settings: IterativeSettings,
    seed: int,
    progress: bool = False,
) -> _Fit:
    """Choose K on a sample, and cluster all that remains with it."""
    curve = climb_k(workspace, remaining, settings=settings, seed=seed, progress=progress)
    if curve.chosen is None:
        return _Fit(curve, np.zeros(len(remaining), dtype=np.int32), 0)
    rows = select_rows(workspace, remaining)
    words = f"k-means of {len(remaining):,} images, K = {curve.chosen}"
    with (
        WorkBar(desc=words, bar_format="{desc}: {elapsed}", leave=False, progress=progress) as bar,
        bar.ticking(),
    ):
        fit = fit_kmeans(rows, curve.chosen, seed=seed, measure=measure_squares(workspace, remaining))
    return _Fit(curve, to_host(fit.labels).astype(np.int32), len(fit.centers))


def _score_remaining(
    workspace: Workspace,
    remaining: np.ndarray,
    fit: _Fit,
    *,
    settings: IterativeSettings,
    seed: int,
    number: int,
    progress: bool = False,
) -> _Iteration:
    """Score the clusters; "adaptive" decides which are above the threshold, and scores as few as it can."""
    curve, codes, k = fit
    xp = get_namespace(workspace.rows)
    if settings.silhouette == "adaptive":

        def get_rows(chosen: np.ndarray) -> Any:
            return workspace.rows[xp.asarray(remaining[chosen])]

        decisions = decide_above(
            get_rows,
            codes,
            measure_shapes(get_rows, codes, n_clusters=k),
            threshold=settings.similarity_threshold,
            risk=split_risk(settings.risk, iteration=number + 1, n_clusters=k),
            seed=seed,
            progress=progress,
        )
        return _Iteration(curve, seed, codes, decisions.scores, decisions.means, decisions)
    if settings.silhouette == "exact":
        sums = sum_distances(workspace, remaining, codes, n_clusters=k, progress=progress)
        scores = to_host(score_from_sums(sums, xp.asarray(codes)))
    else:
        rows = select_rows(workspace, remaining)
        if isinstance(rows, RowView):
            rows = rows[:]
        scores = score_rows(rows, codes, n_clusters=k, silhouette=settings.silhouette, seed=seed)
    counted = ~np.isnan(scores)  # "sampled" leaves out those that were not drawn
    means = average_by_cluster(scores[counted], codes[counted], n_clusters=k)
    return _Iteration(curve, seed, codes, scores, means)


def _number_cohesive(found: _Iteration, threshold: float, *, first: int) -> np.ndarray:
    """Give each cohesive cluster its final number, the largest first, and every other one -1."""
    sizes = np.bincount(found.codes, minlength=len(found.means))
    # A cluster of one scores 0 by definition, so it says nothing even under a negative threshold.
    above = found.means > threshold if found.decisions is None else found.decisions.above
    cohesive = np.flatnonzero(above & (sizes > 1))
    cohesive = cohesive[np.argsort(-sizes[cohesive], kind="stable")]
    out = np.full(len(found.means), UNASSIGNED, dtype=np.int64)
    out[cohesive] = first + np.arange(len(cohesive))
    return out


def _explain_why_none(workspace: Workspace, remaining: np.ndarray) -> str:
    """Tell why no K could be tried, where another sample would not help either."""
    xp = get_namespace(workspace.rows)
    if len(remaining) < 3:
        return f"{len(remaining)} images remain, too few for two clusters"
    first = workspace.rows[xp.asarray(remaining[:1])]
    for start in range(0, len(remaining), _LOOKED_AT):
        rows = workspace.rows[xp.asarray(remaining[start : start + _LOOKED_AT])]
        if not bool((rows == first).all()):
            return ""
    return f"the {len(remaining)} images that remain cannot be told apart (identical embeddings)"


def _describe_iteration(
    iteration: int, found: _Iteration, out: np.ndarray, *, started: float
) -> dict[str, Any]:
    """Describe one iteration as a row of the log; `out` is the final number of each cluster, or -1."""
    cohesive = out != UNASSIGNED
    coming = cohesive[found.codes]
    return {
        "iteration": iteration,
        "remaining": len(found.codes),
        "k_tried": found.curve.tried,
        "fit": found.curve.fit,
        "moving_average": found.curve.moving_average,
        "k": found.curve.chosen,
        "clusters": len(out),
        "cohesive": int(cohesive.sum()),
        "images_out": int(coming.sum()),
        "mean_cohesive_size": float(coming.sum() / cohesive.sum()) if cohesive.any() else np.nan,
        "silhouette": _average(found, np.ones(len(out), dtype=bool)),
        "cohesive_silhouette": _average(found, cohesive),
        **_describe_decisions(found),
        "seed": found.seed,
        "seconds": time.perf_counter() - started,
    }


def _average(found: _Iteration, clusters: np.ndarray) -> float:
    """Average the silhouettes over the images of some clusters; "adaptive" knows means of clusters alone."""
    if found.decisions is None:
        scores = found.scores[clusters[found.codes]]
        return float(np.nanmean(scores)) if not np.isnan(scores).all() else np.nan
    sizes = np.bincount(found.codes, minlength=len(found.means)) * clusters
    return float((sizes * found.means).sum() / sizes.sum()) if sizes.any() else np.nan


def _describe_decisions(found: _Iteration) -> dict[str, Any]:
    """Say in lists how "adaptive" decided each cluster; of the other kinds there is nothing to say."""
    made = found.decisions
    if made is None:
        return {
            **{name: [] for name in ("decided_by", "sizes", "means", "low", "high", "looked")},
            "distances": np.nan,
        }
    return {
        "decided_by": np.where(made.exact, "exact", "sampled").tolist(),
        "sizes": np.bincount(found.codes, minlength=len(made.means)).tolist(),
        "means": made.means.tolist(),
        "low": made.low.tolist(),
        "high": made.high.tolist(),
        "looked": made.looked.tolist(),
        "distances": float(made.distances),
    }
