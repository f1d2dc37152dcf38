"""The command ``visclust scale``: steps over the shards of a corpus, as the jobs of a cluster run them."""

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_STEPS = {
    "index": "read the files of images, and list them",
    "hash": "make perceptual hashes",
    "read": "read posts, a file each",
    "embed": "embed images",
    "assign": "give each row the nearest of some centres",
}


def add_scale_command(commands: Any) -> None:
    """Add ``visclust scale`` with what it can do."""
    words = "work on corpora past one machine: shards, steps over them, clusters of all"
    scale = commands.add_parser("scale", help=words, description=f"{words[0].upper()}{words[1:]}.")
    kinds = scale.add_subparsers(dest="what", required=True, metavar="WHAT")

    def add(name: str, do: Any, help: str) -> argparse.ArgumentParser:
        command = kinds.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
        command.set_defaults(do=do)
        return command

    make = add("make", _make, "cut a folder of images, posts or a matrix into shards")
    make.add_argument(
        "source", help="a folder of images; posts (with --posts); images.parquet; a matrix (.npy)"
    )
    make.add_argument("corpus", help="the folder to make")
    make.add_argument("--posts", action="store_true", help="the source is posts, a file for each shard")
    make.add_argument("--shard-size", type=int, default=10_000, metavar="N", help="rows of a shard (10,000)")
    make.add_argument("--images-folder", metavar="FOLDER", help="where relative paths of a table start")

    for step, words in _STEPS.items():
        command = add(step, _run, words)
        command.add_argument("corpus", help="the folder of shards")
        command.add_argument(
            "--shard", type=int, nargs="+", metavar="N", help="only these, such as $SLURM_ARRAY_TASK_ID"
        )
        _add_places(command)
        if step == "embed":
            command.add_argument("--encoder", help="a name from list_encoders (resnet18)")
            command.add_argument("--weights", metavar="FILE")
            command.add_argument("--batch-size", type=int, metavar="N", help="images at once (32)")
            command.add_argument("--device", choices=["cpu", "gpu", "auto"], help="(cpu)")
            command.add_argument("--threads", type=int, metavar="N", help="of torch, per worker (1)")
        if step == "read":
            command.add_argument("--format", help="twarc2, 4cat, csv, parquet (told by the file)")
            command.add_argument("--time-format", metavar="TEXT")
            command.add_argument("--time-zone", metavar="ZONE")
        if step == "assign":
            command.add_argument(
                "--centers", metavar="FILE", required=True, help="a matrix (.npy), a row each"
            )
            command.add_argument("--embedding", metavar="NAME", help="where there are several")

    cluster = add("cluster", _cluster, "cluster the rows of all shards iteratively")
    cluster.add_argument("corpus", help="the folder of shards")
    cluster.add_argument("--threshold", type=float, dest="similarity_threshold", metavar="S")
    cluster.add_argument("--embedding", metavar="NAME", help="where there are several")
    cluster.add_argument("--seed", type=int, default=0)
    _add_places(cluster)

    check = add("check", _check, "check all shards and parts, and list what is there")
    check.add_argument("corpus", help="the folder of shards")

    plan = add("plan", _plan, "estimate bytes, hours and cost of each step")
    plan.add_argument("--posts", type=int, default=400_000_000, metavar="N")
    plan.add_argument("--images", type=int, default=100_000_000, metavar="N")
    plan.add_argument("--workers", type=int, default=256, metavar="N", help="cores")
    plan.add_argument("--gpus", type=int, default=4, metavar="N")


def _add_places(command: argparse.ArgumentParser) -> None:
    where = command.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, metavar="N", help="processes of this machine")
    where.add_argument("--dask", metavar="ADDRESS", help='a scheduler of Dask, its file, or "local"')


@contextlib.contextmanager
def _open_place(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    if options.dask is None:
        yield {"on": "processes", "workers": options.workers} if options.workers else {"on": "here"}
        return
    from visclust.scale.dask_workers import open_workers

    local = options.dask == "local"
    with open_workers(None if local else options.dask, dashboard=local) as client:
        yield {"on": client}


def _make(options: argparse.Namespace) -> int:
    import numpy as np

    from visclust.base.damage import read_matrix
    from visclust.base.tables import read_table
    from visclust.scale.shards import make_shards

    source: Any = Path(options.source)
    if not options.posts and source.suffix == ".npy":
        source = read_matrix(source, mmap=True)
    elif not options.posts and source.suffix == ".parquet":
        source = read_table(source, "images")
    kind = "posts" if options.posts else "rows" if isinstance(source, np.ndarray) else "images"
    corpus = make_shards(
        source, options.corpus, kind=kind, shard_size=options.shard_size, source_folder=options.images_folder
    )
    n = len(corpus.shards)
    print(f"{n} shards of {corpus.kind}, {corpus.rows:,} rows, in {corpus.folder}.")
    print(f"Their numbers go from 0 to {n - 1}: sbatch --array=0-{n - 1}, and --shard $SLURM_ARRAY_TASK_ID.")
    return 0


def _run(options: argparse.Namespace) -> int:
    from visclust.scale.run import DONE, run_shards

    names = ["encoder", "weights", "batch_size", "device", "threads", "format", "time_format", "time_zone"]
    names += ["centers", "embedding"]
    given = {name: value for name in names if (value := getattr(options, name, None)) is not None}
    with _open_place(options) as place:
        done = run_shards(options.corpus, options.what, shards=options.shard, **place, **given)
    for status, rows in done.groupby("status", sort=False):
        print(f"{len(rows)} shards {status}: {rows['rows'].sum():,} rows, {rows['bytes'].sum():,} bytes.")
    return int(not done["status"].isin(DONE).all())


def _cluster(options: argparse.Namespace) -> int:
    from visclust.scale.sharded_clusters import cluster_shards

    with _open_place(options) as place:
        result = cluster_shards(
            options.corpus,
            similarity_threshold=options.similarity_threshold,
            embedding=options.embedding,
            seed=options.seed,
            **place,
        )
    left = int((result.labels < 0).sum())
    print(f"{result.labels.max() + 1} clusters; {left:,} of {len(result.labels):,} rows unassigned.")
    print(f"It ended as {result.stop_reason}.")
    return 0


def _check(options: argparse.Namespace) -> int:
    from visclust.scale.run import check_shards

    table = check_shards(options.corpus)
    print(table.to_string(index=False))
    return int(table["damaged"].gt(0).any())


def _plan(options: argparse.Namespace) -> int:
    from visclust.scale.plan import plan_scale

    plan = plan_scale(posts=options.posts, images=options.images, workers=options.workers, gpus=options.gpus)
    print(plan.to_string(index=False))
    first = plan.loc[plan["breaks_first"], "step"]
    print(f"What breaks first: {', '.join(first)}. SCALE.md says what the numbers rest on.")
    return 0
