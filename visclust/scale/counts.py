"""What must be counted over all shards: images by their state, and copies, found by buckets of their ids."""

import os
from typing import Any

import numpy as np
import pandas as pd

from visclust.base.damage import read_parquet
from visclust.base.progress import WorkBar
from visclust.base.provenance import recorded
from visclust.scale.executors import check_place, open_executor
from visclust.scale.parts import name_shard
from visclust.scale.run import require_parts
from visclust.scale.shards import ShardedCorpus, check_shard, take_corpus
from visclust.scale.steps import check_step

# Where the ids of a step stand.
_IDS = {"index": "image_id", "read": "post_id"}


@recorded
def count_shards(
    corpus: ShardedCorpus | str | os.PathLike,
    *,
    buckets: int = 64,
    on: Any = "here",
    workers: int | None = None,
    progress: bool = True,
    **settings: Any,
) -> pd.DataFrame:
    """Count the images, or the posts, of all shards: how many there are, and how many come more than once.

    An image is known by its bytes and a post by its id. Each bucket takes the ids that fall into it from
    every shard, so that no worker holds all of them; no id is in two buckets.

    Parameters
    ----------
    corpus : ShardedCorpus or path
        Of images, or of posts of which the step "read" was run; of a folder of images the step "index".
    buckets : int, default 64
        More of them take less memory each, and each reads the column of ids of all shards once.
    on : {"here", "processes"} or client of Dask, default "here"
        Where, as in `run_shards`.
    workers : int, optional
        Processes for "processes"; by default one per core.
    progress : bool, default True
        Show a bar over the buckets.
    **settings
        Of the step "read", where it was run with others than the defaults.

    Returns
    -------
    DataFrame
        A row per shard, and one for all of them with ``shard`` -1: ``shard, rows``; ``unique`` (ids that no
        earlier shard or row has), ``repeated`` (the others), and ``unreadable`` (images; 0 for posts). The
        sum of the last three is `rows`. Images that an images table marks as duplicates count as repeated.

    Raises
    ------
    ValueError
        If the parts of the step are not all there.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from visclust.scale.shards import make_shards
    >>> images = pd.DataFrame({"image_id": ["a", "b", "a"], "path": ["1", "2", "3"], "status": "ok",
    ...                        "reason": "", "width": 4, "height": 3})
    >>> corpus = make_shards(images, Path(tempfile.mkdtemp()) / "c", shard_size=2, progress=False)
    >>> count_shards(corpus, progress=False)[["shard", "unique", "repeated"]].values.tolist()
    [[0, 2, 0], [1, 0, 1], [-1, 2, 1]]
    """
    corpus = take_corpus(corpus)
    if not 1 <= buckets <= 65_536:
        raise ValueError(f"Expected buckets to be a number from 1 to 65,536, got {buckets}.")
    check_place(on)
    paths, column = _find_tables(corpus, settings)
    rows = np.zeros(len(paths), dtype=np.int64)
    unique, unreadable = rows.copy(), rows.copy()
    with (
        open_executor(on, workers=workers) as executor,
        WorkBar(total=buckets, desc="Counting", unit="bucket", progress=progress) as bar,
    ):
        tasks = ((paths, column, bucket, buckets) for bucket in range(buckets))
        for found in executor.map(count_bucket, tasks):
            rows += found[0]
            unique += found[1]
            unreadable += found[2]
            bar.update()
    table = pd.DataFrame(
        {
            "shard": np.arange(len(paths)),
            "rows": rows,
            "unique": unique,
            "repeated": rows - unique - unreadable,
            "unreadable": unreadable,
        }
    )
    total = table.sum().to_frame().T.assign(shard=-1)
    return pd.concat([table, total], ignore_index=True)


def _find_tables(corpus: ShardedCorpus, settings: dict[str, Any]) -> tuple[list[str], str]:
    """Find the tables that hold the ids, checked against their digests, and the column of the ids."""
    if corpus.kind == "rows":
        raise ValueError(f"Expected a corpus of images or posts, got one of rows: {corpus.folder}.")
    if corpus.kind == "images":
        files = [check_shard(corpus, number)["file"] for number in range(len(corpus.shards))]
        return [str(corpus.folder / file) for file in files], "image_id"
    step = "index" if corpus.kind == "files" else "read"
    place = require_parts(corpus, step, check_step(corpus, step, settings))
    names = [name_shard(number) for number in range(len(corpus.shards))]
    return [str(place / f"{name}.parquet") for name in names], _IDS[step]


def count_bucket(
    paths: list[str], column: str, bucket: int, buckets: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count per shard the rows whose id falls into a bucket, those seen first, and those unreadable."""
    counts = np.zeros((3, len(paths)), dtype=np.int64)
    seen: set[str] = set()
    for number, path in enumerate(paths):
        columns = [column, "status"] if column == "image_id" else [column]
        table = read_parquet(path, columns=columns)
        ids = table[column].astype("object").to_numpy()
        mine = pd.util.hash_array(ids, categorize=False) % np.uint64(buckets) == bucket
        table, ids = table[mine], ids[mine]
        bad = (
            table["status"].eq("unreadable").to_numpy() if column == "image_id" else np.zeros(len(ids), bool)
        )
        fresh = set(ids[~bad]) - seen
        seen |= fresh
        counts[:, number] = len(ids), len(fresh), bad.sum()
    return counts[0], counts[1], counts[2]
