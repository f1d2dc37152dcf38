"""The rows of all shards as if they were one matrix, of which only what is asked for is read."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from visclust.base.arrays import find_scale
from visclust.base.damage import read_matrix
from visclust.base.distances import settle_origin
from visclust.scale.executors import Executor
from visclust.scale.parts import name_shard
from visclust.scale.shards import ShardedCorpus, check_shard
from visclust.scale.steps import MissingPartError, find_embedding, find_folders, find_state

# Rows that a worker holds at a time, whatever the size of a shard.
BLOCK_ROWS = 8192
_SPREAD = 1000


class RowFiles(NamedTuple):
    """The files of rows in the order of the shards, the first row of each, and behind the last all rows."""

    matrices: list[str]
    tables: list[str]
    starts: np.ndarray
    digest: str

    def split(self, numbers: np.ndarray) -> list[np.ndarray]:
        """Split sorted numbers of rows by shard; within each they count from its first row."""
        edges = np.searchsorted(numbers, self.starts)
        return [
            numbers[low:high] - start
            for low, high, start in zip(edges[:-1], edges[1:], self.starts[:-1], strict=True)
        ]


def find_row_files(corpus: ShardedCorpus, executor: Executor, *, embedding: str | None = None) -> RowFiles:
    """Find the files of rows of a corpus, each checked against its digest by the workers."""
    if corpus.kind == "posts":
        raise ValueError(f"Expected a corpus of images or rows, got one of posts: {corpus.folder}.")
    place = None if corpus.kind == "rows" else find_embedding(corpus, embedding)
    where = None if place is None else str(place)
    tasks = ((corpus, number, where) for number in range(len(corpus.shards)))
    found = list(executor.map(_check_rows, tasks))
    wrong = [(number, each) for number, each in enumerate(found) if isinstance(each, str)]
    if wrong:
        raise MissingPartError(
            f"Expected the rows of {len(found)} shards, but {len(wrong)} cannot be used; shard "
            f"{wrong[0][0]}: {wrong[0][1]}"
        )
    matrices, tables, counts, digests = zip(*found, strict=True)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return RowFiles(list(matrices), list(tables), starts, "\n".join(digests))


def _check_rows(corpus: ShardedCorpus, number: int, place: str | None) -> tuple[str, str, int, str] | str:
    """Check the rows of a shard: its files, rows and digest, or what is wrong with them."""
    if place is None:
        try:
            row = check_shard(corpus, number)
        except ValueError as error:
            return str(error)
        files = [str(corpus.folder / row["file"]), str(corpus.folder / row["ids"]["file"])]
        return files[0], files[1], int(row["rows"]), row["digest"]
    folder = Path(place)
    state = find_state(corpus, "embed", number, folder, find_folders(corpus, "embed", {}))
    if not state.there:
        return state.reason or "the step 'embed' was not run for it."
    name = str(folder / name_shard(number))
    first = state.record["files"][0]
    return f"{name}.npy", f"{name}.parquet", int(first["rows"]), first["digest"]


def iterate_blocks(path: str, some: np.ndarray, origin: np.ndarray) -> Any:
    """Give the rows of a file with these sorted numbers, less the origin, as float32, a block at a time.

    The file is mapped anew for each block: what was read counts as this process's memory until it is
    unmapped.
    """
    for start in range(0, len(some), BLOCK_ROWS):
        part = some[start : start + BLOCK_ROWS]
        mapped = read_matrix(path, mmap=True)
        run = len(part) == part[-1] + 1 - part[0] and bool((np.diff(part) == 1).all())
        rows = mapped[part[0] : part[-1] + 1] if run else mapped[part]
        rows = (rows - origin).astype(np.float32)
        del mapped
        yield slice(start, start + len(part)), rows


class ShardedRows:
    """Centred float32 rows of all shards, read by their numbers: what `climb_k` takes for a matrix."""

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(self, files: RowFiles, origin: np.ndarray) -> None:
        self.files, self.origin = files, origin

    def __len__(self) -> int:
        return int(self.files.starts[-1])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), len(self.origin)

    def __getitem__(self, numbers: Any) -> np.ndarray:
        numbers = np.asarray(numbers)
        order = np.argsort(numbers, kind="stable")
        found = np.empty((len(numbers), len(self.origin)), dtype=np.float32)
        pieces = self.files.split(numbers[order])
        done = 0
        for path, some in zip(self.files.matrices, pieces, strict=True):
            for part, rows in iterate_blocks(path, some, self.origin):
                found[order[done + part.start : done + part.stop]] = rows
            done += len(some)
        return found


def open_rows(files: RowFiles, executor: Executor) -> ShardedRows:
    """Find the origin of the rows as `center_rows` does, by one pass over all shards, and open them.

    Numbers far from the usual, which one machine rescales, are refused.
    """
    n = int(files.starts[-1])
    if n < 1:
        raise ValueError("Expected shards with rows, got none in any of them.")
    total, largest = np.zeros(1), 0.0
    columns: set[int] = set()
    counts = np.diff(files.starts).tolist()
    for sums, most in executor.map(_sum_columns, zip(files.matrices, counts, strict=True)):
        columns.add(len(sums))
        if len(columns) > 1:
            raise ValueError(f"Expected rows of one length in all shards, got {sorted(columns)} columns.")
        total = total + sums
        largest = max(largest, most)
    if find_scale(np.array([largest])) != 1:
        raise ValueError(
            f"Expected numbers from about 1e-9 to 1e9 in the rows, got {largest:g} as the largest. Divide "
            "all of them by one number, and make the shards again."
        )
    raw = ShardedRows(files, np.zeros(len(total)))
    spread = raw[np.arange(0, n, -(-n // _SPREAD))].astype(np.float64)
    return ShardedRows(files, settle_origin(total / n, spread))


def _sum_columns(path: str, n: int) -> tuple[np.ndarray, float]:
    mapped = read_matrix(path, mmap=True)
    total, largest = np.zeros(mapped.shape[1]), 0.0
    del mapped
    for start in range(0, n, BLOCK_ROWS):
        rows = np.array(read_matrix(path, mmap=True)[start : start + BLOCK_ROWS], dtype=np.float64)
        total += rows.sum(axis=0)
        largest = max(largest, float(np.abs(rows).max()))
    return total, largest
