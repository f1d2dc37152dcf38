"""Rates of one core for each step over shards: what `plan_scale` rests on.

Each step runs on one shard in this process with one thread; its time is CPU time (`time.process_time`), so
that others on the machine count little. Run it alone:

    OMP_NUM_THREADS=1 python benchmarks/bench_shards.py

It prints the table that shard_rates.md holds, and the lines for RATES in visclust/scale/plan.py.
"""

import json
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from torchvision.models import resnet18

import visclust as vc
from visclust.scale.executors import Executor
from visclust.scale.row_files import find_row_files, open_rows
from visclust.scale.sharded_clusters import sum_shard
from visclust.scale.sharded_kmeans import _pack, assign_shard
from visclust.scale.steps import _load_once

N_IMAGES = 48
N_POSTS = 6_000
N_ROWS = 16_384


def make_photos(folder):
    """Make JPEGs of 1,024 x 768 about as large as photographs of that size are (some 150 kB)."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for i in range(N_IMAGES):
        coarse = Image.fromarray(rng.integers(0, 255, (96, 128, 3), dtype=np.uint8))
        picture = coarse.resize((1024, 768), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1))
        picture.save(folder / f"{i}.jpg", quality=90)
    return sum(path.stat().st_size for path in folder.iterdir()) / N_IMAGES


def make_posts(path):
    """Make tweets as version 1.1 of the API gives them, with the fields that are read and some others."""
    with path.open("w") as file:
        for i in range(N_POSTS):
            tweet = {
                "id_str": str(10**17 + i),
                "created_at": "Thu Jun 14 12:00:00 +0000 2018",
                "full_text": f"Words about the march number {i} #KeepFamiliesTogether and more words " * 2,
                "user": {"screen_name": f"person{i % 997}", "followers_count": i, "friends_count": 3,
                         "description": "some words " * 10},
                "retweet_count": i % 7,
                "favorite_count": i % 11,
                "entities": {"hashtags": [{"text": "KeepFamiliesTogether"}],
                             "media": [{"media_url_https": f"https://pbs.twimg.com/media/{i}.jpg"}]},
                "other": "x" * 1500,
            }  # fmt: skip
            file.write(json.dumps(tweet) + "\n")
    return path.stat().st_size / N_POSTS


def clock(work):
    """Give the CPU seconds of a piece of work."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def main():
    folder = Path(tempfile.mkdtemp())
    rates, sizes = {}, {}
    sizes["image"] = make_photos(folder / "photos")
    sizes["post"] = make_posts(folder / "posts.jsonl")
    posts = vc.make_shards(folder / "posts.jsonl", folder / "p", kind="posts", progress=False)
    seconds, done = clock(lambda: vc.run_shards(posts, "read", progress=False))
    rates["read"], sizes["read"] = N_POSTS / seconds, done["bytes"][0] / N_POSTS
    corpus = vc.make_shards(folder / "photos", folder / "c", shard_size=N_IMAGES, progress=False)
    # Weights at random: the time does not depend on their values, and no network is needed.
    torch.save(resnet18(weights=None).state_dict(), folder / "weights.pth")
    for step, options in (("index", {}), ("hash", {}), ("embed", {"weights": folder / "weights.pth"})):
        if step == "embed":  # loading the network is not counted
            _load_once("resnet18", str(folder / "weights.pth"), "cpu")
        seconds, done = clock(lambda: vc.run_shards(corpus, step, progress=False, **options))  # noqa: B023
        assert set(done["status"]) == {"made"}, done["reason"].tolist()
        rates[step], sizes[step] = N_IMAGES / seconds, done["bytes"][0] / N_IMAGES
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(100, 512)) * 2
    x = (centers[rng.integers(0, 100, N_ROWS)] + rng.normal(size=(N_ROWS, 512))).astype("float32")
    rows = vc.make_shards(x, folder / "r", shard_size=N_ROWS, progress=False)
    executor = Executor()
    opened = open_rows(find_row_files(rows, executor), executor)
    path, everyone = opened.files.matrices[0], np.arange(N_ROWS)
    task = (path, *_pack(everyone), opened.origin, centers, False)
    list(executor.map(assign_shard, [task]))
    seconds, _ = clock(lambda: list(executor.map(assign_shard, [task])))
    rates["k-means pass"] = N_ROWS / seconds
    codes, drawn = rng.integers(0, 100, N_ROWS).astype(np.int32), opened[everyone[:3000]]
    task = (path, everyone.astype(np.int32), codes, opened.origin, drawn, 100)
    seconds, _ = clock(lambda: list(executor.map(sum_shard, [task])))
    rates["silhouettes"] = N_ROWS / seconds
    np.save(folder / "centers.npy", centers)
    seconds, done = clock(
        lambda: vc.run_shards(rows, "assign", centers=folder / "centers.npy", progress=False)
    )
    rates["assign"], sizes["assign"] = N_ROWS / seconds, done["bytes"][0] / N_ROWS
    print(f"{platform.machine()}, {platform.processor() or 'processor not named'}; one thread; CPU time")
    for name, rate in rates.items():
        print(f"| {name} | {rate:,.0f} | {sizes.get(name, 0):,.0f} |")
    print({name: float(f"{rate:.3g}") for name, rate in rates.items()})
    print({name: float(f"{size:.3g}") for name, size in sizes.items()})


if __name__ == "__main__":
    main()
