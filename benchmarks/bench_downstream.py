"""What comes after the clusters, at 10,000, 100,000 and 1,000,000 images, and posts up to ten million.

    python benchmarks/bench_downstream.py [--sizes 10000 100000 1000000] [--posts 10000 ... 10000000]
        [--only hashes pairs design map browse page posts]

Each line is a process of its own: seconds on the wall clock and of the processor, of the calls alone, and the
peak of the whole process's memory, Python, libraries and data included. All is made up: themes with a heavy
tail, hashes as `bench_duplicates.py` makes them, 200 image files under many names, and posts of which six in
ten show one of as many images as there are tenths of posts, under addresses as Twitter gives them. Files are
written into the system's folder for temporary files, of ten million posts some 7 GB, and removed.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from bench_duplicates import make_hashes
from bench_posts import run
from PIL import Image

import visclust as vc

_DIMENSIONS = 512
_FILES = 200
_LINK = "https://pbs.twimg.com/media/{}?format=jpg&name=large"


def make_clusters(n: int) -> pd.DataFrame:
    """Images in themes with a heavy tail, one in ten in none."""
    rng = np.random.default_rng(0)
    k = max(2, min(1_000, n // 50))
    weights = 1 / np.arange(1, k + 1)
    labels = np.where(rng.random(n) < 0.1, -1, rng.choice(k, n, p=weights / weights.sum()))
    ids = [f"{number:032x}" for number in range(n)]
    return pd.DataFrame({"image_id": ids, "cluster": labels, "iteration": 1, "silhouette": rng.random(n)})


def make_images(clusters: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """An images table, each row with a name of its own for one of 200 files."""
    rng = np.random.default_rng(0)
    for number in range(_FILES):
        coarse = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((800, 600), Image.Resampling.BICUBIC).save(folder / f"{number}.jpg")
    rounds = [number // _FILES for number in range(len(clusters))]
    paths = [
        f"{folder}/{'./' * (each % 71)}{'/' * (each // 71)}{number % _FILES}.jpg"
        for number, each in enumerate(rounds)
    ]
    return pd.DataFrame({"image_id": clusters["image_id"], "path": paths, "status": "ok", "reason": "",
                         "width": 800, "height": 600})  # fmt: skip


def bench_hashes(n: int, folder: Path) -> dict[str, Callable[[], object]]:
    hashes = make_hashes(n, kind="clumped")
    ids = [f"{number:032x}" for number in range(n)]
    images = pd.DataFrame(
        {"image_id": ids, "path": ids, "status": "ok", "reason": "", "width": 4, "height": 3}
    )
    from visclust.images.hashes import _write_cache

    table = pd.DataFrame({"image_id": ids, "hash": hashes, "status": "ok", "reason": ""})
    _write_cache(folder / "hashes.parquet", table)
    options = {
        "method": "perceptual",
        "cache": folder / "hashes.parquet",
        "confirm": False,
        "progress": False,
    }
    # The default of 6 bits, and the 10 of candidates for the finer look, without the look.
    return {
        f"find_duplicates, {bits} bits": lambda bits=bits: vc.find_duplicates(
            images, threshold=bits, **options
        )
        for bits in (6, 10)
    }


def bench_pairs(n: int, _folder: Path) -> dict[str, Callable[[], object]]:
    clusters, x = make_clusters(n), make_rows(n)
    return {"sample_pairs": lambda: vc.sample_pairs(clusters, x)}


def bench_design(n: int, _folder: Path) -> dict[str, Callable[[], object]]:
    clusters, x = make_clusters(n), make_rows(n)
    made = []
    return {
        "design_pairs": lambda: made.append(vc.design_pairs(clusters, x)),
        "sample_pairs, from the design": lambda: vc.sample_pairs(made[0]),
    }


def make_rows(n: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, _DIMENSIONS), dtype=np.float32)


def bench_map(n: int, folder: Path) -> dict[str, Callable[[], object]]:
    clusters = make_clusters(n)
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(clusters["cluster"].max() + 2, 2)) * 10
    places = centres[clusters["cluster"]] + rng.normal(size=(n, 2))
    table = pd.DataFrame({"image_id": clusters["image_id"], "x": places[:, 0], "y": places[:, 1]})
    made = []
    vc.show_charts()
    return {
        "describe_map, plot_map": lambda: made.append(vc.plot_map(vc.describe_map(table, clusters))),
        "save_figure of it, PNG": lambda: vc.save_figure(made[0], folder / "map.png", width="page"),
    }


def bench_browse(n: int, folder: Path) -> dict[str, Callable[[], object]]:
    clusters = make_clusters(n)
    images = make_images(clusters, folder)
    made = []

    def open_browser() -> None:
        made.append(vc.browse_clusters(clusters, images, save_to=folder / "answers"))

    def show_rows() -> None:
        made[0].send = lambda *_: None
        made[0]._receive(None, {"kind": "ready"}, [])
        wanted = [{"list": f"c{cluster}", "start": 0, "stop": 10} for cluster in range(8)]
        made[0]._receive(None, {"kind": "images", "wanted": wanted}, [])

    return {"browse_clusters": open_browser, "its clusters, and the first 80 thumbnails": show_rows}


def bench_page(n: int, folder: Path) -> dict[str, Callable[[], object]]:
    clusters = make_clusters(n)
    images = make_images(clusters, folder)
    page = folder / "clusters.html"
    return {
        "export_cluster_page": lambda: vc.export_cluster_page(clusters, images, save_to=page, progress=False)
    }


def write_posts(path: Path, n: int) -> None:
    """A line per post as ``twarc2 flatten`` writes it, without what is not read."""
    generator = random.Random(0)
    with path.open("w") as file:
        for number in range(n):
            tweet = {
                "id": str(10**18 + number * 7919),
                "text": f"Families belong together, {number} of us in the street today #KeepFamiliesTogether",
                "created_at": "2018-06-30T12:00:00.000Z",
                "author": {"username": f"user_{number % 100_000}", "public_metrics": {"followers_count": 7}},
                "public_metrics": {"retweet_count": number % 97, "like_count": number % 211},
            }
            if generator.random() < 0.6:
                name = f"{generator.randrange(max(1, n // 10)):015x}"
                media = [{"media_key": name, "type": "photo", "url": _LINK.format(name)}]
                tweet["attachments"] = {"media_keys": [name], "media": media}
            file.write(json.dumps(tweet) + "\n")


def bench_posts(n: int, folder: Path) -> dict[str, Callable[[], object]]:
    write_posts(folder / "posts.jsonl", n)
    # Nine images in ten were downloaded.
    names = [f"{number:015x}" for number in range(n // 10) if number % 10]
    images = pd.DataFrame({"image_id": names, "path": [f"{name}.jpg" for name in names], "status": "ok"})
    posts, links = folder / "posts.parquet", folder / "posts_images.parquet"
    quiet = {"load": False, "progress": False}
    return {
        "read_posts, to a file": lambda: vc.read_posts(folder / "posts.jsonl", save_to=posts, **quiet),
        "link_posts, from file to file": lambda: vc.link_posts(posts, images, save_to=links, **quiet),
    }


KINDS = {"hashes": bench_hashes, "pairs": bench_pairs, "design": bench_design, "map": bench_map,
         "browse": bench_browse, "page": bench_page, "posts": bench_posts}  # fmt: skip


def work(kind: str, n: int) -> None:
    """Run one kind at one size in this process, and print what each call took."""
    warnings.simplefilter("ignore")
    folder = Path(tempfile.mkdtemp(prefix="visclust-bench-"))
    try:
        for name, call in KINDS[kind](n, folder).items():
            getattr(vc, name.split(",")[0], None)  # imports are no part of it
            wall, processor = time.perf_counter(), time.process_time()
            call()
            took = [time.perf_counter() - wall, time.process_time() - processor]
            print(json.dumps([name, *took]), flush=True)
    finally:
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--posts", type=int, nargs="+", default=[10_000, 100_000, 1_000_000, 10_000_000])
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    given = parser.parse_args()
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print(
        "| | n | seconds | of the processor | peak memory, GB |\n| --- | --- | --- | --- | --- |", flush=True
    )
    here = str(Path(__file__).parent)
    for kind in given.only:
        for n in given.posts if kind == "posts" else given.sizes:
            code = f"import sys; sys.path.insert(0, {here!r})\nimport bench_downstream\n"
            code += f"bench_downstream.work({kind!r}, {n})"
            printed, _, gigabytes = run(code)
            for line in printed.splitlines():
                if line.startswith("["):
                    name, wall, processor = json.loads(line)
                    print(f"| {name} | {n:,} | {wall:.1f} | {processor:.1f} | {gigabytes:.2f} |", flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
