"""K-means on many rows: on samples that grow, each started from the last one's centres, then on all rows.

A sample is left once its centres move far less than from one sample to another. On all rows Lloyd's
iterations go on until little is gained; bounds on distances (Hamerly's) leave out the rows that cannot change
cluster, so that passes are exact and the later ones cost less.
"""

from typing import Any, NamedTuple

import numpy as np

from visclust.base.distances import map_blocks, square_lengths
from visclust.base.row_views import RowView
from visclust.clustering.nearest import DOUBT, NearestCenters

# Each sample is so many times the last; the first has so many rows, or so many a cluster if that is more.
# With fewer a row pulls its own centre so much that clusters freeze (benchmarks/scale.md).
_GROWTH = 4
_LEAST, _LEAST_PER_CLUSTER = 8_000, 96
# Starts of which the one that ends lowest on the first sample is gone on with, each from so many of its rows.
_STARTS = 4
_START, _START_PER_CLUSTER = 4_000, 48
# Rows whose sums are added up by one thread: fixed, so that the results depend on no number of threads.
_BLOCK = 16_384
# From this share of a block on, all its rows are assigned again.
_MANY = 0.5
# A sample is left when the centres move less than this share of what they would from sample to sample.
_SETTLED = 0.001
# All rows are left when a pass lowers the inertia by less than this share.
_GAIN = 2e-5
# Below this share of its squared length, a row is at its centre but for rounding.
_ZERO = 1e-10


class GrowingFit(NamedTuple):
    """Labels (n; int64), centres (k, d; float64) near the origin, inertia, and what was computed.

    ``work`` is what was multiplied, in products of all rows with all centres; ``passes`` over all rows.
    """

    labels: np.ndarray
    centers: np.ndarray
    inertia: float
    work: float
    passes: int


def choose_sample_sizes(n: int, n_clusters: int) -> list[int]:
    """Choose the sizes of the samples, the smallest first and all n rows last."""
    sizes = [max(_LEAST, _LEAST_PER_CLUSTER * n_clusters)]
    while sizes[-1] * (_GROWTH - 1) <= n:
        sizes.append(sizes[-1] * _GROWTH)
    return [*sizes[:-1], n]


def draw_nested_samples(n: int, n_clusters: int, *, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw samples of row numbers, sorted, each within the next one; the last are all n rows."""
    order = rng.permutation(n)
    return [np.sort(order[:size]) for size in choose_sample_sizes(n, n_clusters)]


def fit_on_samples(
    rows: RowView, start: np.ndarray, samples: list[np.ndarray], *, max_iter: int = 300
) -> GrowingFit:
    """Fit k-means from given centres (k, d) on each sample, the last of which are all rows."""
    centers, work = np.asarray(start, dtype=np.float64), 0.0
    for sample in samples[:-1]:
        fit = _Lloyd(rows.select(sample), centers).run(max_iter=max_iter, to_the_end=False)
        centers, work = fit.centers, work + fit.work * len(sample) / len(rows)
    fit = _Lloyd(rows, centers).run(max_iter=max_iter, to_the_end=True)
    return fit._replace(work=fit.work + work)


def fit_growing(
    rows: RowView, n_clusters: int, *, rng: np.random.Generator, choose_start: Any, max_iter: int = 300
) -> GrowingFit:
    """Fit k-means on many rows (n, d); `choose_start(rows, n_clusters, rng=…)` gives numbers of rows."""
    samples = draw_nested_samples(len(rows), n_clusters, rng=rng)
    starts = draw_starts(
        rows,
        samples[0],
        n_clusters,
        number=_STARTS if len(samples) > 1 else 1,
        rng=rng,
        choose_start=choose_start,
    )
    first = rows.select(samples[0])
    tried = [fit_on_samples(first, start, [samples[0]], max_iter=max_iter) for start in starts]
    best = min(tried, key=lambda fit: fit.inertia)
    if len(samples) == 1:
        return best
    fit = fit_on_samples(rows, best.centers, samples[1:], max_iter=max_iter)
    work = sum(each.work for each in tried) * len(samples[0]) / len(rows)
    return fit._replace(work=fit.work + work)


def draw_starts(
    rows: RowView,
    sample: np.ndarray,
    n_clusters: int,
    *,
    number: int,
    rng: np.random.Generator,
    choose_start: Any,
) -> list[np.ndarray]:
    """Draw several times first centres (k, d) by k-means++, each from some rows of a sample."""
    size = min(max(_START, _START_PER_CLUSTER * n_clusters), len(sample))

    def draw(own: np.random.Generator) -> np.ndarray:
        some = rows[np.sort(own.choice(sample, size, replace=False))]
        start = some[choose_start(some, n_clusters, rng=own)]
        # Fewer rows are distinct there than K: copies of a centre get no row, and so the farthest one.
        return np.concatenate([start, np.repeat(start[:1], n_clusters - len(start), axis=0)])

    # Each on one thread, so that products round alike whatever number there is.
    return list(map_blocks(draw, rng.spawn(number), rows))


class _Lloyd:
    """Lloyd's iterations on rows (n, d) from given centres (k, d), with a bound or two on each distance."""

    def __init__(self, rows: RowView, centers: np.ndarray) -> None:
        n, (k, d) = len(rows), centers.shape
        self.rows, self.centers = rows, centers
        self.labels = np.full(n, -1, dtype=np.int32)
        self.upper, self.lower = np.full(n, np.inf, dtype=np.float32), np.zeros(n, dtype=np.float32)
        self.lengths = np.empty(n, dtype=np.float32)
        self.sums, self.counts = np.zeros((k, d)), np.zeros(k, dtype=np.int64)
        self.shifts = np.zeros(k)
        self.work = 0.0

    def run(self, *, max_iter: int, to_the_end: bool) -> GrowingFit:
        """Go on until nothing changes, or hardly anything; see the numbers at the top."""
        last = np.inf
        for done in range(1, max_iter + 1):
            changed = self._pass()
            if done == 1:
                self.total = float(self.lengths.sum(dtype=np.float64))
            filled = self._fill_empty()
            inertia = self._sum_squares()
            if done == max_iter or not (changed or filled):
                break
            if to_the_end and not filled and last - inertia <= _GAIN * inertia:
                break
            last = inertia
            used = np.flatnonzero(self.counts)
            moved = self.centers.copy()
            moved[used] = self.sums[used] / self.counts[used][:, None]
            self.shifts = np.sqrt(((moved - self.centers) ** 2).sum(axis=1))
            self.centers = moved
            # What the means of another sample of this size would differ by, squared.
            chance = inertia / len(self.rows) * float((1 / self.counts[used]).sum())
            if not to_the_end and not filled and float((self.shifts**2).sum()) <= _SETTLED * chance:
                break
        return GrowingFit(self.labels.astype(np.int64), self.centers, inertia, self.work, done)

    def _sum_squares(self) -> float:
        """Sum the squared distances of the rows to the centres that they were assigned to."""
        lengths = (self.centers * self.centers).sum(axis=1)
        return self.total - 2 * float((self.centers * self.sums).sum()) + float((self.counts * lengths).sum())

    def _pass(self) -> int:
        """Assign all rows that may have changed; gives how many did."""
        k = len(self.centers)
        order = np.argsort(self.shifts, kind="stable")
        other_shifts = np.full(k, self.shifts[order[-1]])
        other_shifts[order[-1]] = self.shifts[order[-2]] if k > 1 else 0.0
        halves = _measure_half_ways(self.centers)
        blocks = [slice(i, min(i + _BLOCK, len(self.rows))) for i in range(0, len(self.rows), _BLOCK)]
        changed = 0

        def assign(block: slice) -> tuple[np.ndarray, np.ndarray, int, int]:
            return self._assign(block, other_shifts, halves)

        for sums, counts, some, multiplied in map_blocks(assign, blocks, self.upper):
            if some:
                self.sums += sums
                self.counts += counts
            changed += some
            self.work += multiplied / len(self.rows)
        return changed

    def _assign(
        self, block: slice, other_shifts: np.ndarray, halves: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, int, int]:
        from visclust.base.nearest_kernels import loosen, measure_own, settle, tighten

        labels, upper, lower, lengths = (
            each[block] for each in (self.labels, self.upper, self.lower, self.lengths)
        )
        active = np.empty(len(labels), dtype=np.int64)
        doubtful = active[: loosen(labels, upper, lower, self.shifts, other_shifts, halves, active)]
        sums, counts = np.zeros(self.centers.shape), np.zeros(len(self.centers), dtype=np.int64)
        nearest = NearestCenters(self.centers)
        squares, still = np.empty(nearest.size), np.empty(nearest.size, dtype=np.int64)
        changed = multiplied = 0
        # Where many are in doubt, all of them one after the other cost less than picking some.
        together = len(doubtful) > _MANY * len(labels)
        if together:
            doubtful = np.arange(len(labels))
        for at in range(0, len(doubtful), nearest.size):
            some = doubtful[at : at + nearest.size]
            if together:
                rows = self.rows[block.start + at : block.start + at + len(some)]
                if labels[at] < 0:
                    lengths[some] = square_lengths(rows)
            else:
                rows = self.rows[block.start + some]
                measure_own(rows, labels[some], self.centers, squares)
                left = still[: tighten(squares, some, labels, upper, lower, halves, still)]
                if len(left) < len(some):
                    some, rows = some[left], rows[left]
            if not len(some):
                continue
            found, best, second = nearest.find(rows, lengths[some])
            multiplied += len(some)
            changed += settle(
                rows, lengths[some], some, found, best, second, DOUBT, labels, upper, lower, sums, counts
            )
        return sums, counts, changed, multiplied

    def _fill_empty(self) -> bool:
        """Give each cluster without members the row farthest from its centre, while one is off its own."""
        empty = np.flatnonzero(self.counts == 0)
        if not len(empty):
            return False
        # A row alone in its cluster must stay, or that one would be empty next.
        far = np.where(self.counts[self.labels] > 1, self.upper, -1)
        some = min(2 * len(empty), len(far))
        farthest = np.argpartition(-far, some - 1)[:some]
        farthest = farthest[np.lexsort([farthest, -far[farthest]])]
        filled = 0
        for number in farthest:
            old = self.labels[number]
            row = self.rows[np.array([number])][0].astype(np.float64)
            off = float(((row - self.centers[old]) ** 2).sum())
            if filled == len(empty) or self.counts[old] < 2 or off <= _ZERO * float(self.lengths[number]):
                continue
            new = empty[filled]
            self.labels[number], self.lower[number] = new, 0
            self.sums[old] -= row
            self.counts[old] -= 1
            self.sums[new], self.counts[new] = row, 1
            filled += 1
        return filled > 0


def _measure_half_ways(centers: np.ndarray) -> np.ndarray:
    """Measure half the distance from each centre to the nearest other one."""
    k = len(centers)
    if k < 2:
        return np.full(k, np.inf)
    lengths = (centers * centers).sum(axis=1)
    squares = lengths[:, None] + lengths - 2 * (centers @ centers.T)
    squares -= 1e-12 * (lengths[:, None] + lengths)  # never more than it is
    np.fill_diagonal(squares, np.inf)
    return np.sqrt(np.maximum(squares.min(axis=1), 0)) / 2
