"""All pairs that are near: of 64-bit hashes without comparing all of them, of rows of an embedding in blocks.

Norouzi, Punjani and Fleet (2012), Fast search in Hamming space with multi-index hashing, CVPR, is the search
among hashes.
"""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import combinations
from math import comb
from typing import Any, NamedTuple

import numpy as np

from visclust.base.arrays import find_scale, rescale
from visclust.base.backend import get_namespace, to_host
from visclust.base.distances import center_rows, choose_block_size, map_blocks, measure_block
from visclust.base.progress import WorkBar

_METRICS = ("cosine", "euclidean")

_BITS = 64
# Candidates that are verified together: a few arrays of 16 MB.
_BLOCK = 2**21
# A candidate, and a probe of one value, cost about as much as this many comparisons of rows in their order.
_COST_OF_CANDIDATE = 12
_COST_OF_PROBE = 25
_MOST_PROBES = 5000
_SAMPLE = 1000
# From so many candidates on they are verified by compiled code, ten times as fast once it is compiled (1 s).
_MANY = 20_000_000
# Below this all pairs take a tenth of a second, less than planning would.
_FEW = 8000


class Plan(NamedTuple):
    """How to search: per chunk its lowest bit, its width, and the distance within it that makes a candidate.

    Without chunks all pairs are compared.
    """

    chunks: tuple[tuple[int, int, int], ...]
    candidates: float


def iterate_close_hashes(
    hashes: np.ndarray, *, threshold: int, plan: Plan | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give the positions of all pairs of hashes that differ in at most so many bits (0 to 63), in blocks.

    `hashes` (n,), uint64, must differ from one another: of copies there may be very many. A pair may come
    more than once.

    The hashes are cut into chunks. Two hashes that differ in few bits must agree, or nearly agree, in one of
    the chunks (pigeonhole principle), so that only pairs which do are candidates; each candidate's distance
    is then computed. No pair is missed. Where hashes are so alike that chunks tell little apart, all pairs
    are compared instead, which is then faster; `_plan_search` decides.
    """
    plan = plan or _plan_search(hashes, threshold=threshold)
    if not plan.chunks:
        yield from _compare_all(hashes, threshold)
    verify = _verify_compiled if plan.candidates >= _MANY else _verify
    for first_bit, width, radius in plan.chunks:
        values = (hashes >> np.uint64(first_bit)) & np.uint64(2**width - 1)
        order = np.argsort(values, kind="stable")
        ordered = hashes[order]
        for left, start, count in _iterate_probes(values[order], width, radius):
            for i, j in verify(ordered, left, start, count, threshold):
                yield order[i], order[j]


def _plan_search(hashes: np.ndarray, *, threshold: int) -> Plan:
    """Choose the chunks that make the fewest candidates, by counting them on a sample of the hashes."""
    n = len(hashes)
    n_pairs = n * (n - 1) / 2
    best, least = Plan((), n_pairs), n_pairs
    if n <= _FEW:
        return best
    sample = np.random.default_rng(0).choice(hashes, _SAMPLE, replace=False)
    first, second = np.triu_indices(_SAMPLE, 1)
    differences = sample[first] ^ sample[second]
    for m in range(2, min(threshold + 1, 16) + 1):
        chunks = _cut_bits(m, threshold=threshold)
        probes = sum(_count_probes(width, radius) for _, width, radius in chunks)
        if probes > _MOST_PROBES:
            continue
        share = sum(
            float(
                (np.bitwise_count((differences >> np.uint64(bit)) & np.uint64(2**width - 1)) <= radius).mean()
            )
            for bit, width, radius in chunks
        )
        # Each probe looks every different value up once.
        cost = share * n_pairs * _COST_OF_CANDIDATE + probes * n * _COST_OF_PROBE
        if cost < least:
            best, least = Plan(chunks, share * n_pairs), cost
    return best


def _cut_bits(m: int, *, threshold: int) -> tuple[tuple[int, int, int], ...]:
    """Cut 64 bits into chunks, and say how near two hashes within the threshold must be in one of them."""
    edges = np.linspace(0, _BITS, m + 1).round().astype(int)
    least, extra = divmod(threshold, m)
    # Were all of the first extra + 1 chunks further than `least` and all others further than `least` - 1, the
    # distance would be (extra + 1)(least + 1) + (m - extra - 1) least = threshold + 1 at the least.
    radii = [least if chunk <= extra else least - 1 for chunk in range(m)]
    return tuple(
        (int(low), int(high - low), radius)
        for low, high, radius in zip(edges[:-1], edges[1:], radii, strict=True)
        if radius >= 0
    )


def _count_probes(width: int, radius: int) -> int:
    return sum(comb(width, bits) for bits in range(radius + 1))


def _iterate_probes(
    ordered: np.ndarray, width: int, radius: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Give, for each way that two values may differ, which rows meet which run of rows.

    Each answer is three arrays: a row, the first row that it meets, and how many it meets from there.
    """
    rows = np.arange(len(ordered))
    used, starts, counts = np.unique(ordered, return_index=True, return_counts=True)
    run = np.repeat(np.arange(len(used)), counts)
    yield rows, rows + 1, (starts + counts)[run] - rows - 1
    for bits in range(1, radius + 1):
        for places in combinations(range(width), bits):
            sought = used ^ np.uint64(sum(1 << place for place in places))
            at = np.minimum(np.searchsorted(used, sought), len(used) - 1)
            # From the smaller value to the larger, so that each pair of values meets once.
            meets = (used[at] == sought) & (sought > used)
            if meets.any():
                left = rows[meets[run]]
                yield left, starts[at[run[left]]], counts[at[run[left]]]


def _verify(
    ordered: np.ndarray, left: np.ndarray, start: np.ndarray, count: np.ndarray, threshold: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give the pairs of rows, and the runs they meet, that are near."""
    for i, j in _expand(left, start, count):
        close = np.bitwise_count(ordered[i] ^ ordered[j]) <= threshold
        if close.any():
            yield i[close], j[close]


def _verify_compiled(
    ordered: np.ndarray, left: np.ndarray, start: np.ndarray, count: np.ndarray, threshold: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give what `_verify` gives, by compiled code."""
    find, place = _compile(), np.zeros(2, dtype=np.int64)
    while place[0] < len(left):
        first, second = np.empty((2, _BLOCK // 8), dtype=np.int64)
        found = find(ordered, left, start, count, np.uint64(threshold), first, second, place)
        if found:
            yield first[:found], second[:found]


@cache
def _compile() -> Any:
    """Compile the verification of candidates: through rows and their runs, until its room is full."""
    import numba

    def find(ordered, left, start, count, threshold, first, second, place):  # type: ignore[no-untyped-def]
        found = 0
        row, done = place[0], place[1]
        while row < len(left):
            own, low, n = ordered[left[row]], start[row], count[row]
            while done < n:
                bits = own ^ ordered[low + done]
                bits -= (bits >> np.uint64(1)) & np.uint64(0x5555555555555555)
                bits = (bits & np.uint64(0x3333333333333333)) + (
                    (bits >> np.uint64(2)) & np.uint64(0x3333333333333333)
                )
                bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
                if (bits * np.uint64(0x0101010101010101)) >> np.uint64(56) <= threshold:
                    if found == len(first):
                        place[0], place[1] = row, done
                        return found
                    first[found], second[found] = left[row], low + done
                    found += 1
                done += 1
            done = 0
            row += 1
        place[0], place[1] = row, 0
        return found

    return numba.njit(nogil=True)(find)


def _expand(
    left: np.ndarray, start: np.ndarray, count: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Turn rows and the runs they meet into pairs of rows, a block at a time."""
    ends = np.cumsum(count)
    total = int(ends[-1]) if len(ends) else 0
    for low in range(0, total, _BLOCK):
        pair = np.arange(low, min(low + _BLOCK, total))
        row = np.searchsorted(ends, pair, side="right")
        yield left[row], start[row] + pair - (ends[row] - count[row])


def _compare_all(hashes: np.ndarray, threshold: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    step = max(1, _BLOCK // max(1, len(hashes)))
    for low in range(0, len(hashes), step):
        rows = hashes[low : low + step]
        # Only what comes later in the order: the rest was compared before.
        close = np.bitwise_count(rows[:, None] ^ hashes[low:]) <= threshold
        i, j = np.nonzero(close)
        later = i < j
        if later.any():
            yield i[later] + low, j[later] + low


def prepare_rows(x: Any, *, metric: str) -> Any:
    """Make centred rows (n, d), float32, whose Euclidean distances tell the distances of the metric.

    For "cosine" they are scaled to length 1 first: their squared distance is twice the cosine distance
    (1 - cosine similarity). A row of zeros has no direction and raises ValueError.
    """
    if metric not in _METRICS:
        raise ValueError(f'Expected metric "cosine" or "euclidean", got {metric!r}.')
    if metric == "euclidean":
        if find_scale(x) != 1:
            raise ValueError(
                "Expected numbers from about 1e-9 to 1e9, got all smaller or larger ones: divide the "
                'embedding and the threshold by one number, or take metric="cosine", which knows no scale.'
            )
        return center_rows(x)
    x = rescale(x)
    xp = get_namespace(x)
    lengths = xp.sqrt(xp.square(x, dtype=xp.float64).sum(axis=1))
    if bool((lengths == 0).any()):
        row = int(xp.argmin(lengths))
        raise ValueError(
            f'Row {row} of the embedding is all zeros and has no cosine: take metric="euclidean".'
        )
    return center_rows(x / lengths[:, None])


def iterate_close_rows(
    rows: Any, *, threshold: float, metric: str, memory_budget: int = 2**27, progress: bool = False
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give the positions of all pairs of rows of `prepare_rows` within a distance, a block at a time.

    All n² / 2 distances are computed, on the device of the rows, and no more of them are held at once than
    the budget (bytes) allows.
    """
    xp = get_namespace(rows)
    limit = (2 * threshold) ** 0.5 if metric == "cosine" else threshold
    norms = (rows * rows).sum(axis=1)
    size = choose_block_size(rows, memory_budget=memory_budget)
    starts = range(0, len(rows), size)

    def search(corner: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        (i, j), same = corner, corner[0] == corner[1]
        a, b = slice(i, i + size), slice(j, j + size)
        close = measure_block(rows[a], rows[b], norms[a], norms[b], same=same) <= limit
        first, second = (to_host(side) for side in xp.nonzero(xp.triu(close, 1) if same else close))
        return first + i, second + j

    blocks = map_blocks(search, ((i, j) for i in starts for j in starts if i <= j), rows)
    bar = WorkBar(
        total=len(starts) * (len(starts) + 1) // 2,
        desc="Comparing rows",
        unit="block",
        work=f"Comparing {len(rows):,} images with one another",
        progress=progress,
    )
    with bar:
        for first, second in blocks:
            bar.update()
            if len(first):
                yield first, second


def measure_from_row(rows: Any, *, metric: str) -> Callable[[int, np.ndarray], np.ndarray]:
    """Make the function from a position, and positions of others, to their distances in float64."""
    xp = get_namespace(rows)

    def measure(one: int, others: np.ndarray) -> np.ndarray:
        gaps = rows[xp.asarray(others)].astype(xp.float64) - rows[one]
        squares = to_host((gaps * gaps).sum(axis=1))
        return squares / 2 if metric == "cosine" else np.sqrt(squares)

    return measure
