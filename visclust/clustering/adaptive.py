"""Decide which clusters have a mean silhouette above a threshold from few distances, with a bounded risk of
error.

Sampled rows are compared with sampled members of each cluster. Three things make the decisions those of
exact silhouettes, but for a stated risk, whatever the rows are:

1. **Mean distances without bias.** Of each cluster its size, centre, mean squared distance to it and reach
   (largest distance to it) are known exactly. So is then the root mean square u of the distances from a row
   to its members, and since the mean of d² is u², for every b: mean(d) = mean(d - b (d² - u²)). With
   b = 1 / (2u) the right-hand side varies far less than d itself: it is u - (d - u)² / (2u). A few members
   estimate it without bias, and as a number between 0 and a known largest one.
2. **The smallest of estimates is no estimate of the smallest.** A silhouette g(a, b) = (b - a) / max(a, b)
   is convex in a, concave in b, and b is the smallest of mean distances to the other clusters. By Jensen's
   inequality the smallest of unbiased estimates of these is too small on average, and the estimate for the
   cluster that *another* sample finds nearest is too large on average. So each sample of members is drawn
   as two independent halves: with a tangent to g in a, placed by one half and evaluated at the other, comes
   a number whose expectation is **at most** the row's silhouette, and with a tangent in b, one whose
   expectation is **at least** that (`bracket_scores`). Both lie on the right side of -1 and 1. What is
   between them falls as more members are drawn.
3. **Looking again and again.** Every look has members of its own, and one number per cluster comes of it,
   the mean over the few rows of the cluster that share the members; so the numbers of a cluster are
   independent, given what was decided before they were drawn. They are bets in two games, of which one
   cannot be won too often (`bets.py`): that the mean is above the threshold, and that it is not.

A cluster is settled when one of the games is won. Otherwise twice as many looks follow, with more members
where the two numbers lie far apart, until half of what the cluster's exact silhouettes cost is spent; then
these decide. The risk of a run is split over its iterations, 1 / (t (t + 1)) to the t-th, which sums to 1,
and within one equally over the clusters.

Rows are asked for by their numbers alone (`get_rows`), so that they may stand in memory, in a file or in
shards.

Source: Rousseeuw (1987), see `silhouette_samples`; for the games, `bets.py`; the rest is ours.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from visclust.base.backend import get_namespace, is_on_gpu, to_host
from visclust.base.distances import map_blocks
from visclust.base.progress import WorkBar
from visclust.clustering.bets import STAKES, find_lower_bound, log_winnings, pool_winnings
from visclust.clustering.sampled_distances import CHUNK, GetRows, measure_stacks, sum_blocks, sum_from
from visclust.clustering.silhouette_brackets import (
    ClusterShapes,
    bracket_scores,
    control_means,
    find_controls,
)
from visclust.clustering.silhouettes import score_from_sums

_FIRST_LOOKS = 32
_FIRST_MEMBERS = 4  # of each half
_MOST_MEMBERS = 512
_MOST_SHARING = 64
# Reading and preparing a row costs about as much as so many distances: so many rows make a look worth it.
_READING = 16
_ROWS_OF_A_LOOK = 32
# Exact silhouettes come when this share of their cost would be exceeded.
_SPENT = 0.5
_IN_A_JOB = 2**14  # members read by a job, about
_DISTANCES_IN_A_JOB = 2**19  # and distances that it holds
_IN_FLOAT32 = 64  # distances added up before float64 takes over
_EXACT_ROWS = 2**14  # rows at a time whose exact silhouettes are taken


class Decisions(NamedTuple):
    """For each of k clusters: is its mean silhouette above the threshold, and how it was decided.

    ``above`` (bool), ``means`` (estimates, or exact), ``low, high`` (bounds of the mean, each at the risk
    that was the cluster's), ``looked`` (rows drawn, some more than once), ``exact`` (bool). Per row:
    ``scores`` (n), the silhouettes in clusters that were exact, estimates for other rows that were looked at,
    NaN for the rest. ``distances``: how many were measured.
    """

    above: np.ndarray
    means: np.ndarray
    low: np.ndarray
    high: np.ndarray
    looked: np.ndarray
    exact: np.ndarray
    scores: np.ndarray
    distances: int


def measure_shapes(get_rows: GetRows, codes: np.ndarray, *, n_clusters: int) -> ClusterShapes:
    """Measure the shapes of clusters from the cluster of each row (n; 0 to k - 1), in two passes."""
    sizes = np.bincount(codes, minlength=n_clusters)
    starts, first = range(0, len(codes), CHUNK), get_rows(np.arange(min(1, len(codes))))

    def add_up(start: int) -> np.ndarray:
        return sum_members(get_rows(_span(start, codes)), codes[start : start + CHUNK], n_clusters)

    centers = sum(map_blocks(add_up, starts, first)) / np.maximum(sizes, 1)[:, None]
    squares, reach = np.zeros(n_clusters), np.zeros(n_clusters)

    def measure(start: int) -> np.ndarray:
        return measure_away(get_rows(_span(start, codes)), centers[codes[start : start + CHUNK]])

    for start, away in zip(starts, map_blocks(measure, starts, first), strict=True):
        some = codes[start : start + CHUNK]
        squares += np.bincount(some, weights=away, minlength=n_clusters)
        np.maximum.at(reach, some, np.sqrt(away))
    return ClusterShapes(sizes, centers, squares / np.maximum(sizes, 1), reach)


def sum_members(rows: Any, codes: np.ndarray, n_clusters: int) -> np.ndarray:
    """Add up the rows (m, d) of each cluster, in float64 on the host: (k, d)."""
    xp = get_namespace(rows)
    if is_on_gpu(rows):
        marks = xp.zeros((n_clusters, len(codes)), dtype=xp.float64)
        marks[xp.asarray(codes), xp.arange(len(codes))] = 1
        return to_host(marks @ rows.astype(xp.float64))
    ones = np.ones(len(codes))
    return sparse.csr_array((ones, (codes, np.arange(len(codes)))), shape=(n_clusters, len(codes))) @ rows


def measure_away(rows: Any, centers: np.ndarray) -> np.ndarray:
    """Measure the squared distance of each row to its centre (m, d), by differences in float64."""
    xp = get_namespace(rows)
    away = rows - xp.asarray(centers)
    return to_host((away * away).sum(axis=1))


def _span(start: int, codes: np.ndarray) -> np.ndarray:
    return np.arange(start, min(start + CHUNK, len(codes)))


def split_risk(risk: float, *, iteration: int, n_clusters: int) -> float:
    """Give a cluster's share of the risk of a whole run, in the iteration of this number (from 1)."""
    return risk / (iteration * (iteration + 1)) / n_clusters


def decide_above(
    get_rows: GetRows,
    codes: np.ndarray,
    shapes: ClusterShapes,
    *,
    threshold: float,
    risk: float,
    seed: int,
    progress: bool = False,
) -> Decisions:
    """Decide which clusters have a mean silhouette strictly above the threshold.

    Parameters
    ----------
    get_rows : callable
        Gives rows (m, d) by an int array of their numbers (m, in any order, some more than once): NumPy or
        CuPy, float32 or float64, near the origin (`center_rows`). Called from several threads. Only rows
        that are drawn are asked for; but all in turn where a cluster needs exact silhouettes.
    codes : ndarray of int, shape (n,)
        Cluster of each row, 0 to k - 1, each with a member.
    shapes : ClusterShapes
        Of the same rows.
    threshold : float
        From -1 to 1.
    risk : float
        Probability at most, for each cluster, of deciding otherwise than its exact mean silhouette would.
    seed : int
        The same seed, the same decisions, for any number of threads.
    progress : bool
        Show a bar of the clusters that are settled.

    Returns
    -------
    Decisions
        Single members count as not above.
    """
    state = _State(get_rows, codes, shapes, threshold, risk)
    n_clusters = len(shapes.sizes)
    undecided = np.flatnonzero(shapes.sizes > 1)
    with WorkBar(
        total=n_clusters, desc="Deciding clusters", unit="cluster", leave=False, progress=progress
    ) as bar:
        bar.update(n_clusters - len(undecided))
        for number in range(64):
            too_dear = undecided[state.tell_dear(undecided, _FIRST_LOOKS << max(number - 1, 0))]
            state.settle_exactly(too_dear, bar)
            undecided = np.setdiff1d(undecided, too_dear)
            if not len(undecided):
                break
            for half in np.unique(state.half[undecided]):
                some = undecided[state.half[undecided] == half]
                state.look(some, _FIRST_LOOKS << max(number - 1, 0), seed=(seed, number), bar=bar)
            settled = state.tell_settled(undecided)
            bar.update(int(settled.sum()))
            undecided = undecided[~settled]
            state.plan(undecided)
    return state.report()


class _State:
    """What has been seen of each cluster so far."""

    def __init__(
        self, get_rows: GetRows, codes: np.ndarray, shapes: ClusterShapes, threshold: float, risk: float
    ) -> None:
        k = len(shapes.sizes)
        self.get_rows, self.codes, self.shapes = get_rows, codes, shapes
        self.threshold, self.needed, self.risk = threshold, -np.log(risk), risk
        self.order = np.argsort(codes, kind="stable")
        self.starts = np.cumsum(shapes.sizes) - shapes.sizes
        self.half = np.full(k, _FIRST_MEMBERS)  # members of each half sample
        self.sharing = np.ones(k, dtype=np.int64)  # rows that share a sample of members
        self.spent = np.zeros(k)
        self.winnings = np.zeros(
            (2, k, len(STAKES))
        )  # on means above the threshold, and on means not above it
        self.hope = np.zeros(k)  # looks that are needed still if all goes well
        self.lower: list[list[np.ndarray]] = [[] for _ in range(k)]
        self.upper: list[list[np.ndarray]] = [[] for _ in range(k)]
        self.above, self.exact = np.zeros(k, dtype=bool), np.zeros(k, dtype=bool)
        self.means = np.where(shapes.sizes == 1, 0.0, np.nan)
        self.looked = np.zeros(k, dtype=np.int64)
        self.scores, self.times = np.zeros(len(codes)), np.zeros(len(codes), dtype=np.int64)
        self.distances, self.rows_seen = 0, 0
        self.some = get_rows(self.order[:1])  # tells where the work is done

    def tell_dear(self, clusters: np.ndarray, looks: int) -> np.ndarray:
        """Tell for which clusters exact silhouettes are cheaper than so many looks, or all that it takes."""
        per_look = self._price(clusters)
        exact = self.shapes.sizes[clusters] * float(len(self.codes))
        hoped = self.spent[clusters] + self.hope[clusters] * per_look > exact
        return hoped | (self.spent[clusters] + looks * per_look > _SPENT * exact)

    def _price(self, clusters: np.ndarray) -> np.ndarray:
        """Give the cost of a look for each cluster, in distances; those together share the reading."""
        half, sharing = self.half[clusters], self.sharing[clusters]
        per_row = np.array([np.minimum(self.shapes.sizes, 2 * each).sum() for each in half])
        together = np.array([sharing[half == each].sum() for each in half])
        return per_row * sharing * (1 + _READING / np.maximum(together, 1))

    def look(self, clusters: np.ndarray, looks: int, *, seed: tuple[int, int], bar: WorkBar) -> None:
        """Look at some rows of clusters that have the same number of members in a half sample."""
        sizes, half = self.shapes.sizes, int(self.half[clusters[0]])
        sharing = self.sharing[clusters]
        owners, firsts = np.repeat(clusters, sharing), np.cumsum(sharing) - sharing
        members = _Members.list(self, half)
        per_look = 2 * half * len(members.large)
        in_a_block = _DISTANCES_IN_A_JOB // max(per_look * len(owners), 1)
        per_job = max(1, min(_IN_A_JOB // max(per_look, 1), _IN_A_JOB // len(owners), in_a_block))
        jobs = [(start, min(per_job, looks - start)) for start in range(0, looks, per_job)]

        def observe(job: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            start, count = job
            rng = np.random.default_rng([*seed, half, start])
            drawn = self.draw(owners, (count, len(owners)), rng)
            rows = self.get_rows(drawn.ravel())
            controls = find_controls(rows, self.shapes)
            means, mean_squares = members.measure(self, rows, count, rng)
            first, second = (control_means(means[h], mean_squares[h], controls) for h in (0, 1))
            for estimate, mean in ((first, means[0]), (second, means[1])):
                estimate[:, members.small] = mean[:, members.small]
            own = np.tile(owners, count)
            low, high = bracket_scores(first, second, controls.most, sizes <= 2 * half, own, sizes)
            return drawn, low.reshape(drawn.shape), high.reshape(drawn.shape)

        lows, highs = [], []
        for drawn, low, high in map_blocks(observe, jobs, self.some):
            np.add.at(self.scores, drawn, (low + high) / 2)
            np.add.at(self.times, drawn, 1)
            lows.append(np.add.reduceat(low, firsts, axis=1) / sharing)
            highs.append(np.add.reduceat(high, firsts, axis=1) / sharing)
            self.rows_seen += drawn.size
            bar.set_postfix_str(f"{self.rows_seen:,} images looked at")
        for cluster, low, high in zip(clusters, np.concatenate(lows).T, np.concatenate(highs).T, strict=True):
            low, high = np.maximum(low, -1), np.minimum(high, 1)  # rounding alone could pass them
            self.winnings[0, cluster] += log_winnings(low, self.threshold)
            self.winnings[1, cluster] += log_winnings(-high, -self.threshold)
            self.lower[cluster].append(low)
            self.upper[cluster].append(high)
        self.looked[clusters] += looks * sharing
        self.spent[clusters] += looks * self._price(clusters)
        self.distances += looks * len(owners) * int(np.minimum(sizes, 2 * half).sum())

    def draw(self, clusters: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Draw members of the clusters, with replacement; the last axis goes over the clusters."""
        return self.order[self.starts[clusters] + rng.integers(0, self.shapes.sizes[clusters], size=shape)]

    def tell_settled(self, clusters: np.ndarray) -> np.ndarray:
        """Tell for which clusters one of the games is won."""
        above, below = pool_winnings(self.winnings[:, clusters]) >= self.needed
        self.above[clusters] = above
        return above | below

    def plan(self, clusters: np.ndarray) -> None:
        """Plan the next looks: more members where the two numbers lie apart, more rows where rows differ."""
        for cluster in clusters:
            low, high = self.lower[cluster][-1], self.upper[cluster][-1]
            middle = (low + high) / 2
            away, spread = abs(float(middle.mean()) - self.threshold), float(middle.var())
            if high.mean() - low.mean() > away / 2:
                self.half[cluster] = min(2 * self.half[cluster], _MOST_MEMBERS)
            worth = spread * self.sharing[cluster] / (4 * max(away, 1e-3))
            self.sharing[cluster] = _round_down(worth)
            hoped = away + 2 * (spread / len(low)) ** 0.5
            self.hope[cluster] = (self.needed - self._lead(cluster)) / min(
                STAKES[0] * hoped, hoped**2 / max(2 * spread, 1e-12)
            )
        for half in np.unique(self.half[clusters]):
            some = clusters[self.half[clusters] == half]
            self.sharing[some] = np.maximum(self.sharing[some], _round_down(_ROWS_OF_A_LOOK / len(some)))

    def _lead(self, cluster: int) -> float:
        return max(float(pool_winnings(self.winnings[:, cluster]).max()), 0.0)

    def settle_exactly(self, clusters: np.ndarray, bar: WorkBar) -> None:
        """Decide by the exact silhouettes of all members, against all rows."""
        if not len(clusters):
            return
        n, k = len(self.codes), len(self.shapes.sizes)
        mine = self.order[np.isin(self.codes[self.order], clusters)]
        for start in range(0, len(mine), _EXACT_ROWS):
            chosen = mine[start : start + _EXACT_ROWS]
            sums = sum_from(
                self.get_rows, chosen, self.codes, n_clusters=k, bar=bar, share=len(clusters) / len(mine)
            )
            self.scores[chosen] = score_from_sums(sums, self.codes[chosen], sizes=self.shapes.sizes)
            self.times[chosen] = 1
        means = np.bincount(self.codes[mine], weights=self.scores[mine], minlength=k) / self.shapes.sizes
        self.means[clusters] = means[clusters]
        self.above[clusters] = means[clusters] > self.threshold
        self.exact[clusters] = True
        self.looked[clusters] = self.shapes.sizes[clusters]
        self.distances += len(mine) * n

    def report(self) -> Decisions:
        """Give the decisions with the bounds at which they were made."""
        low, high = self.means.copy(), self.means.copy()
        for cluster in np.flatnonzero(~self.exact & (self.shapes.sizes > 1)):
            lower, upper = (np.concatenate(each[cluster]) for each in (self.lower, self.upper))
            last = (self.lower[cluster][-1] + self.upper[cluster][-1]) / 2
            low[cluster] = find_lower_bound(lower, risk=self.risk)
            high[cluster] = -find_lower_bound(-upper, risk=self.risk)
            self.means[cluster] = np.clip(last.mean(), low[cluster], high[cluster])
        scores = np.where(self.times > 0, self.scores / np.maximum(self.times, 1), np.nan)
        return Decisions(self.above, self.means, low, high, self.looked, self.exact, scores, self.distances)


class _Members(NamedTuple):
    """Members to compare with: new ones of each large cluster at each look, and all of each small one."""

    half: int
    large: np.ndarray
    small: np.ndarray
    fixed: Any
    fixed_codes: np.ndarray

    @classmethod
    def list(cls, state: _State, half: int) -> "_Members":
        """List the clusters by whether all their members are fewer than two half samples."""
        few = state.shapes.sizes <= 2 * half
        chosen = state.order[few[state.codes[state.order]]]
        small = np.flatnonzero(few)
        fixed = state.get_rows(chosen) if len(chosen) else None
        return cls(half, np.flatnonzero(~few), small, fixed, np.searchsorted(small, state.codes[chosen]))

    def measure(
        self, state: _State, rows: Any, looks: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Measure mean distances, and mean squared ones, by half, row and cluster: (2, m, k) each.

        The rows are those of so many looks, one after the other.
        """
        xp = get_namespace(rows)
        n_large, per_look = len(self.large), len(rows) // looks
        sums = xp.zeros((2, looks, per_look, 2, n_large))
        across = max(2 * n_large * looks, 1)  # members read for one more of each half sample
        at_once = min(_IN_A_JOB // across, _DISTANCES_IN_A_JOB // (across * per_look))
        at_once = max(1, min(self.half, at_once, _IN_FLOAT32))
        for start in range(0, self.half if n_large else 0, at_once):
            shape = (looks, 2, min(at_once, self.half - start), n_large)
            members = state.get_rows(state.draw(self.large, shape, rng).ravel())
            block = measure_stacks(rows, members, looks).reshape(looks, per_look, *shape[1:])
            sums[0] += block.sum(axis=3)
            block *= block
            sums[1] += block.sum(axis=3)
        found = np.zeros((2, 2, len(rows), len(state.shapes.sizes)))
        by_half = to_host(sums).reshape(2, len(rows), 2, n_large) / self.half
        found[..., self.large] = np.moveaxis(by_half, 2, 1)
        if len(self.small):
            added = sum_blocks(rows, self.fixed, self.fixed_codes, n_clusters=len(self.small))
            found[0][..., self.small] = to_host(added) / state.shapes.sizes[self.small]
        return found[0], found[1]


def _round_down(number: float) -> int:
    """Round down to a power of two, between 1 and what is sensible."""
    return min(2 ** int(np.log2(max(number, 1))), _MOST_SHARING)
