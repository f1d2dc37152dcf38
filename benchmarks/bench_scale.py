"""K-means and iterative clustering of 20,000 to 10,000,000 rows, beside others, from mapped files.

Run ``make bench-scale`` (or ``python benchmarks/bench_scale.py --full``) on an idle machine; without
``--full`` it is a small trial. ``--huge`` adds 10,000,000 x 128 (5 GB on disk, removed afterwards). The rows
are made up: 300 themes whose sizes fall as 1/rank, each a normal cloud around its own centre.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from side_by_side import compare_times, describe_machine, print_table, time_alternating
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.metrics import adjusted_rand_score

import visclust as vc
from visclust.base.distances import map_blocks
from visclust.base.row_views import view_rows
from visclust.clustering.growing import (
    choose_sample_sizes,
    draw_nested_samples,
    draw_starts,
    fit_on_samples,
)
from visclust.clustering.kmeans import _choose_start
from visclust.clustering.nearest import assign_block
from visclust.clustering.silhouette_kinds import SILHOUETTES

THEMES = 300
KIND = "adaptive" if "adaptive" in SILHOUETTES else "sampled"
# Images whose labels are compared with the themes.
COMPARED = 50_000


def make_themes(path: Path, n: int, d: int, *, seed: int = 0) -> np.ndarray:
    """Write n x d float32 made-up rows to a file, in pieces; gives the theme of each row."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, THEMES + 1)
    themes = rng.choice(THEMES, n, p=share / share.sum())
    centers = rng.standard_normal((THEMES, d), dtype=np.float32)
    x = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n, d))
    for i in range(0, n, 50_000):
        some = themes[i : i + 50_000]
        x[i : i + 50_000] = centers[some] + rng.standard_normal((len(some), d), dtype=np.float32)
    x.flush()
    return themes


def measure_inertia(x: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Measure the sum of squares to the means of the clusters, in float64: the same for all programs."""
    total, sums, counts = 0.0, np.zeros((k, x.shape[1])), np.bincount(labels, minlength=k)
    for i in range(0, len(x), 50_000):
        some = x[i : i + 50_000].astype(np.float64)
        total += float((some * some).sum())
        order = np.argsort(labels[i : i + 50_000], kind="stable")
        found, starts = np.unique(labels[i : i + 50_000][order], return_index=True)
        sums[found] += np.add.reduceat(some[order], starts)
    return total - float(((sums * sums).sum(axis=1) / np.maximum(counts, 1)).sum())


def bench_assignment(x: np.ndarray, k: int, turns: int) -> None:
    centers = x[:k].copy()
    blocks = [slice(i, i + 16_384) for i in range(0, len(x), 16_384)]

    def assign() -> None:
        for _ in map_blocks(lambda block: assign_block(x[block], centers).counts, blocks, x):
            pass

    ways: dict[str, Callable[[], object]] = {
        "assignment, with distances and sums": assign,
        "bare product": lambda: x @ centers.T,
    }
    table = compare_times(time_alternating(ways, turns=turns), ours="bare product")
    print_table(f"Assignment of {len(x):,} x {x.shape[1]} to {k} centres", table)


def bench_kmeans(x: np.ndarray, themes: np.ndarray, k: int, *, lloyd: bool) -> None:
    """Fit by each program once, one after the other, each between two bare products."""
    n = len(x)

    def fit_by_faiss() -> np.ndarray:
        import faiss

        model = faiss.Kmeans(x.shape[1], k, niter=25, seed=1, max_points_per_centroid=n)
        model.train(x)
        return model.index.search(x, 1)[1][:, 0]

    def fit_by_fastkmeans() -> np.ndarray:
        from fastkmeans import FastKMeans

        model = FastKMeans(x.shape[1], k, niter=25, gpu=False, verbose=False, max_points_per_centroid=None)
        return model.fit_predict(x)

    ways: dict[str, Callable[[], np.ndarray]] = {
        "visclust": lambda: vc.fit_kmeans(x, k, seed=0).labels,
        "MiniBatchKMeans": lambda: MiniBatchKMeans(k, n_init=1, random_state=0).fit(x).labels_,
        "faiss-cpu, all rows, 25 iterations": fit_by_faiss,
        "fastkmeans, all rows, 25 iterations": fit_by_fastkmeans,
    }
    if lloyd:
        # What `fit_kmeans` starts all rows from, without any sample before: its four starts and the best.
        view = view_rows(x)
        assert view is not None
        rng = np.random.default_rng(0)
        samples = draw_nested_samples(n, k, rng=rng)
        starts = draw_starts(view, samples[0], k, number=4, rng=rng, choose_start=_choose_start)
        ends = [fit_on_samples(view.select(samples[0]), each, [samples[0]]).inertia for each in starts]
        for name, start in (("its best start", starts[int(np.argmin(ends))]), ("its first start", starts[0])):
            ways[f"scikit-learn, full Lloyd from {name}"] = lambda start=start: (
                KMeans(k, init=start + (0 if view.origin is None else view.origin), n_init=1).fit(x).labels_
            )
    vc.fit_kmeans(x[: min(n, 100_000)], 5, seed=0)  # compiles
    rows = {}
    for name, way in ways.items():
        before = time_product(x, k)
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            labels = way()
        except Exception as error:  # noqa: BLE001 - a benchmark goes on without one of the others
            print(f"{name} cannot run here ({type(error).__name__}: {error}): left out.")
            continue
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        product = (before + time_product(x, k)) / 2
        rows[name] = {
            "seconds": round(wall, 1),
            "CPU seconds": round(cpu, 1),
            "in bare products": round(wall / product, 1),
            "inertia, millions": round(measure_inertia(x, np.asarray(labels), k) / 1e6, 3),
            "ARI to the themes": round(adjusted_rand_score(themes[:COMPARED], labels[:COMPARED]), 3),
        }
        print(name, rows[name], flush=True)
    table = pd.DataFrame(rows).T
    table["inertia / ours"] = (table["inertia, millions"] / table.loc["visclust", "inertia, millions"]).round(
        5
    )
    print_table(f"k-means, {n:,} x {x.shape[1]}, K = {k}; samples {choose_sample_sizes(n, k)}", table)


def time_product(x: np.ndarray, k: int) -> float:
    """Time the bare product of all rows with K centres: the least that one pass can take."""
    centers = x[:k].T.copy()
    started = time.perf_counter()
    x @ centers
    return time.perf_counter() - started


def bench_smallest(k: int, sizes: tuple[int, ...], d: int) -> None:
    """Compare growing samples with iterations on all rows at sizes around the one where they begin."""
    from visclust.clustering import kmeans

    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for n in sizes:
            make_themes(Path(folder) / "x.npy", n, d)
            x = np.load(Path(folder) / "x.npy")
            usual = kmeans.MANY_ROWS
            seconds, inertias = {}, {}
            for name, many in (("growing", 1), ("all rows", n + 1)):
                kmeans.MANY_ROWS = many
                started = time.process_time()
                inertias[name] = np.mean([vc.fit_kmeans(x, k, seed=seed).inertia for seed in range(3)])
                seconds[name] = (time.process_time() - started) / 3
            kmeans.MANY_ROWS = usual
            rows[f"{n:,}"] = {
                "growing, CPU seconds": round(seconds["growing"], 2),
                "all rows, CPU seconds": round(seconds["all rows"], 2),
                "inertia, growing / all rows": round(inertias["growing"] / inertias["all rows"], 5),
            }
    print_table(f"Where growing samples begin to pay, d = {d}, K = {k}, 3 seeds", pd.DataFrame(rows).T)


def cluster_file(path: str, themes: str) -> None:
    """Cluster a mapped file in this process; prints seconds and gigabytes for the process that called."""
    peak = [0]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            peak[0] = max(peak[0], read_own_memory())

    x = np.load(path, mmap_mode="r")
    threading.Thread(target=watch, daemon=True).start()
    at_first = read_own_memory()
    wall, cpu = time.perf_counter(), time.process_time()
    result = vc.cluster_iteratively(x, silhouette=KIND, progress=False)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    ended.set()
    known = np.load(themes)[:COMPARED]
    found = result.labels[:COMPARED]
    ari = adjusted_rand_score(known[found >= 0], found[found >= 0]) if (found >= 0).any() else float("nan")
    extra = (max(peak) - at_first) / 2**30
    clusters, left = result.labels.max() + 1, (result.labels < 0).mean()
    print(f"RESULT {wall:.2f} {cpu:.2f} {extra:.3f} {len(result.log)} {clusters} {left:.4f} {ari:.4f}")


def read_own_memory() -> int:
    """Read the bytes of memory that this process holds itself: pages of mapped files are not among them."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    return 0


def bench_growth(sizes: tuple[int, ...], d: int) -> pd.DataFrame:
    """Cluster files of growing size, each in a process of its own."""
    rows = []
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            path, themes = Path(folder) / "x.npy", Path(folder) / "themes.npy"
            np.save(themes, make_themes(path, n, d))
            command = [sys.executable, __file__, "--cluster", str(path), str(themes)]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        line = next(line for line in said.splitlines() if line.startswith("RESULT"))
        wall, cpu, extra, iterations, clusters, left, ari = map(float, line.split()[1:])
        rows.append(
            {
                "images": n,
                "seconds": wall,
                "CPU seconds": cpu,
                "seconds per 10,000 images": round(wall / n * 1e4, 3),
                "GB beside the data": extra,
                "iterations": int(iterations),
                "clusters": int(clusters),
                "unassigned": left,
                "ARI to the themes, of the assigned": ari,
            }
        )
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    print_table(f'cluster_iteratively(silhouette="{KIND}") from a mapped file, d = {d}', table)
    return table


def draw_growth(table: pd.DataFrame, path: Path) -> None:
    import altair as alt

    data: Any = table.assign(each=table["seconds per 10,000 images"])
    chart = (
        alt.Chart(data)
        .mark_line(point=True, color="#e6780a")
        .encode(
            x=alt.X("images:Q", title="Images", scale=alt.Scale(type="log")),
            y=alt.Y("each:Q", title="Seconds per 10,000 images", scale=alt.Scale(zero=True)),
        )
        .properties(width=420, height=260, title="Iterative clustering: time per image by number of images")
    )
    chart.save(path, ppi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the sizes of benchmarks/scale.md")
    parser.add_argument("--huge", action="store_true", help="10,000,000 x 128 besides")
    parser.add_argument(
        "--lloyd", action="store_true", help="full Lloyd from the same start besides (minutes)"
    )
    parser.add_argument("--only", default="", help="assignment, kmeans, smallest, growth or huge")
    parser.add_argument("--cluster", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.cluster:
        cluster_file(*given.cluster)
        return
    print(describe_machine())
    n, d, k = (500_000, 512, 85) if given.full else (110_000, 32, 20)
    if given.only in ("", "assignment", "kmeans"):
        with tempfile.TemporaryDirectory() as folder:
            themes = make_themes(Path(folder) / "x.npy", n, d)
            x = np.load(Path(folder) / "x.npy")
        if given.only != "kmeans":
            bench_assignment(x, k, turns=5 if given.full else 2)
        if given.only != "assignment":
            bench_kmeans(x, themes, k, lloyd=given.lloyd)
    if given.only in ("", "smallest"):
        bench_smallest(k, (20_000, 50_000, 100_000, 200_000) if given.full else (10_000, 20_000), d)
    if given.only in ("", "growth"):
        sizes = (20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000) if given.full else (2_000, 4_000)
        table = bench_growth(sizes, d)
        if given.full:
            draw_growth(table, Path(__file__).parent / "scale_growth.png")
    if given.huge or given.only == "huge":
        bench_growth((10_000_000,), 128)


if __name__ == "__main__":
    main()
