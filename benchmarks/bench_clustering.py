"""Silhouettes, k-means and the settings search, ours beside others', on 18,096 x 512 with real structure.

Run ``python benchmarks/bench_clustering.py`` (``--quick`` for a small one; ``--embeddings 3`` for the
whole search of 36 configurations, which takes scikit-learn's program most of an hour on 2 cores).
"""

import argparse
import resource
import time
import tracemalloc

import numpy as np
import pandas as pd
from cifar_embeddings import load_cifar_embeddings
from side_by_side import compare_times, describe_machine, print_table, time_alternating
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_samples as sklearn_silhouettes, silhouette_score

from visclust.base.backend import explain_gpu, to_device
from visclust.clustering.grid import grid_search
from visclust.clustering.kmeans import fit_kmeans
from visclust.clustering.silhouette_kinds import score_clusters
from visclust.clustering.silhouettes import silhouette_samples

THRESHOLDS = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05)


def multiply_upper_triangle(x: np.ndarray, size: int = 1024) -> None:
    """The bare products that distances rest on: the limit for silhouettes."""
    for i in range(0, len(x), size):
        for j in range(i, len(x), size):
            x[i : i + size] @ x[j : j + size].T


def bench_silhouettes(x: np.ndarray, turns: int) -> None:
    labels = fit_kmeans(x, 80, seed=0).labels
    ways = {
        "visclust": lambda: silhouette_samples(x, labels),
        "bare float32 product, upper triangle": lambda: multiply_upper_triangle(x),
        "scikit-learn": lambda: sklearn_silhouettes(x, labels),
    }
    table = compare_times(time_alternating(ways, turns=turns), ours="visclust")
    print_table(f"Exact silhouettes, {x.shape[0]:,} x {x.shape[1]}, K = 80", table)
    difference = np.abs(
        silhouette_samples(x, labels) - sklearn_silhouettes(x.astype("float64"), labels)
    ).max()
    tracemalloc.start()
    silhouette_samples(x, labels)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    print(f"Largest difference from scikit-learn in float64: {difference:.1e}. Extra memory: {peak:.0f} MB.")


def bench_kmeans(x: np.ndarray, turns: int) -> None:
    for k in (15, 100):
        ways = {
            "visclust": lambda k=k: fit_kmeans(x, k, seed=0),
            "scikit-learn": lambda k=k: KMeans(k, n_init=1, random_state=0).fit(x),
            **list_other_kmeans(x, k),
        }
        table = compare_times(time_alternating(ways, turns=turns), ours="visclust")
        table["inertia / ours"] = compare_inertia(x, k)
        print_table(
            f"k-means, {x.shape[0]:,} x {x.shape[1]}, K = {k} (fixed 25 iterations for faiss, fastkmeans)",
            table,
        )


def list_other_kmeans(x: np.ndarray, k: int) -> dict:
    others = {}
    try:
        import faiss

        others["faiss-cpu"] = lambda: faiss.Kmeans(x.shape[1], k, niter=25, seed=1).train(x)
    except ImportError:
        print("faiss-cpu is not installed: left out.")
    try:
        from fastkmeans import FastKMeans

        def fit_fast() -> None:
            FastKMeans(x.shape[1], k, niter=25, gpu=False, verbose=False).train(x)

        fit_fast()
        others["fastkmeans"] = fit_fast
    except Exception as error:  # noqa: BLE001 - a benchmark goes on without one of the others
        print(f"fastkmeans cannot run here ({type(error).__name__}: {error}): left out.")
    return others


def compare_inertia(x: np.ndarray, k: int) -> pd.Series:
    ours = np.median([fit_kmeans(x, k, seed=seed).inertia for seed in range(3)])
    theirs = np.median([KMeans(k, n_init=1, random_state=seed).fit(x).inertia_ for seed in range(3)])
    return pd.Series({"visclust": 1.0, "scikit-learn": round(theirs / ours, 4)})


def cluster_plainly(x: np.ndarray, *, step: int, threshold: float, seed: int) -> np.ndarray:
    """The same method as a plain scikit-learn program, as a researcher would write it."""
    rng = np.random.default_rng(seed)
    labels = np.full(len(x), -1)
    remaining = np.arange(len(x))
    stalled = 0
    while len(remaining) > 20 and stalled <= 3:
        sample = x[rng.choice(remaining, min(1000, len(remaining)), replace=False)]
        fits, averages, ks = [], [], []
        for k in range(max(2, step), len(sample), step):
            model = KMeans(k, n_init=1, random_state=int(rng.integers(2**31))).fit(sample)
            fits.append(silhouette_score(sample, model.labels_))
            ks.append(k)
            averages.append(np.mean(fits[-3:]) if len(fits) >= 3 else np.nan)
            if len(averages) > 3 and averages[-1] <= averages[-2]:
                break
        scores = fits if np.isnan(averages).all() else averages
        k = ks[int(np.nanargmax(scores))]
        rows = x[remaining]
        found = KMeans(k, n_init=1, random_state=int(rng.integers(2**31))).fit(rows).labels_
        silhouettes = pd.Series(sklearn_silhouettes(rows, found))
        means = silhouettes.groupby(found).mean()
        cohesive = [c for c in means.index if means[c] > threshold and (found == c).sum() > 1]
        for c in cohesive:
            labels[remaining[found == c]] = labels.max() + 1
        remaining = remaining[~np.isin(found, cohesive)]
        stalled = 0 if cohesive else stalled + 1
    return labels


def time_search(
    embeddings: dict[str, np.ndarray], steps: tuple[int, ...], thresholds: tuple[float, ...]
) -> tuple[float, float, float]:
    """Seconds of the iterative configurations, of all that `grid_search` does, and iterations on average."""
    started = time.perf_counter()
    search = grid_search(
        embeddings,
        step_sizes=steps,
        similarity_thresholds=thresholds,
        seeds=(0,),  # one, as in the plain program
        baselines=(),
        matched_baselines=False,
    )
    whole = time.perf_counter() - started
    single = search.table["method"].eq("single")
    alike = whole - search.table.loc[single, "seconds"].sum()
    return alike, whole, search.table.loc[~single, "iterations"].mean()


def bench_grid(
    embeddings: dict[str, np.ndarray], steps: tuple[int, ...], thresholds: tuple[float, ...]
) -> None:
    """Time ours before and after the plain program, so that a machine that slows down shows."""
    before = time_search(embeddings, steps, thresholds)
    plain = 0.0
    for x in embeddings.values():
        for step in steps:
            for threshold in thresholds:
                started = time.perf_counter()
                cluster_plainly(x, step=step, threshold=threshold, seed=0)
                each = time.perf_counter() - started
                plain += each
                print(f"plain: step {step}, threshold {threshold}: {each:.0f} s", flush=True)
    after = time_search(embeddings, steps, thresholds)
    n = len(embeddings) * len(steps) * len(thresholds)
    rows = {"plain scikit-learn program": (plain, 1.0, np.nan)}
    for when, (alike, whole, iterations) in (("before", before), ("after", after)):
        rows[f"visclust, {when} it"] = (alike, plain / alike, iterations)
        rows[f"visclust, {when} it, with single k-means at the selected K's besides"] = (
            whole,
            plain / whole,
            iterations,
        )
    columns = ["seconds", "ratio to the plain program", "iterations, mean"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).round(1)
    print_table(f"The search, {n} configurations on {len(embeddings)} embedding(s)", table)


def bench_kinds(x: np.ndarray) -> None:
    """Error and time of the other kinds of silhouette against the exact, by cluster."""
    labels = fit_kmeans(x, 80, seed=0).labels
    exact = score_clusters(x, labels)
    rows = {}
    for kind in ("exact", "sampled", "simplified", "squared"):
        started = time.perf_counter()
        scores = score_clusters(x, labels, silhouette=kind)
        seconds = time.perf_counter() - started
        gap = scores["silhouette"] - exact["silhouette"]
        rows[kind] = {
            "seconds": round(seconds, 2),
            "mean difference": round(gap.mean(), 4),
            "largest": round(gap.abs().max(), 4),
            "rank correlation": round(scores["silhouette"].corr(exact["silhouette"], method="spearman"), 3),
            "standard error, mean": round(scores["standard_error"].mean(), 4),
        }
    print_table(
        f"Mean silhouettes per cluster against the exact ones, {len(x):,} x {x.shape[1]}",
        pd.DataFrame(rows).T,
    )


def bench_growth(turns: int, sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    rows = {}
    for n in sizes:
        centers = rng.normal(size=(100, 512)).astype("float32")
        labels = rng.integers(0, 100, n)
        x = centers[labels] + rng.normal(scale=2, size=(n, 512)).astype("float32")
        ways = {
            "silhouettes": lambda x=x, labels=labels: silhouette_samples(x, labels),
            "product": lambda x=x: multiply_upper_triangle(x),
        }
        seconds = time_alternating(ways, turns=turns)
        ratio = (seconds["product"] / seconds["silhouettes"]).median()
        rows[f"{n:,}"] = {
            "silhouettes, seconds": round(seconds["silhouettes"].median(), 2),
            "bare product, seconds": round(seconds["product"].median(), 2),
            "share of the product's rate": round(ratio, 2),
        }
    table = pd.DataFrame(rows).T
    print_table("Growth of exact silhouettes, d = 512, K = 100", table)
    draw_growth(table)


def draw_growth(table: pd.DataFrame) -> None:
    from pathlib import Path

    import altair as alt

    data = table.iloc[:, :2].set_axis(["silhouettes", "bare product"], axis=1).reset_index(names="images")
    data["images"] = data["images"].str.replace(",", "").astype(int)
    data = data.melt("images", var_name="work", value_name="seconds")
    x = alt.X(
        "images:Q",
        title="Images",
        scale=alt.Scale(type="log"),
        axis=alt.Axis(values=data["images"].unique().tolist()),
    )
    chart = (
        alt.Chart(data)
        .mark_line(point=True)
        .encode(
            x=x,
            y=alt.Y("seconds:Q", title="Seconds", scale=alt.Scale(type="log")),
            color=alt.Color("work:N", title=None, scale=alt.Scale(range=["#9e9e9e", "#e6780a"])),
        )
        .properties(width=420, height=260, title="Exact silhouettes grow with the square of the images")
    )
    chart.save(Path(__file__).parent / "growth.png", ppi=110)


def bench_gpu(x: np.ndarray, turns: int) -> None:
    if explain_gpu():
        print(f"GPU: {explain_gpu()}")
        return
    labels = fit_kmeans(x, 80, seed=0).labels
    there, there_labels = to_device(x, device="gpu"), to_device(labels, device="gpu")
    ways = {
        "visclust on the GPU": lambda: float(silhouette_samples(there, there_labels).sum()),
        "visclust on the CPU": lambda: silhouette_samples(x, labels),
    }
    table = compare_times(time_alternating(ways, turns=turns), ours="visclust on the GPU")
    print_table(f"Exact silhouettes, {x.shape[0]:,} x {x.shape[1]}", table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes and few turns")
    parser.add_argument("--embeddings", type=int, default=1, help="how many of the three the search runs on")
    parser.add_argument("--only", default="", help="silhouettes, kmeans, grid, kinds, growth or gpu")
    given = parser.parse_args()
    embeddings = load_cifar_embeddings()
    if given.quick:
        embeddings = {name: x[:3000] for name, x in embeddings.items()}
    x = next(iter(embeddings.values()))
    turns = 2 if given.quick else 5
    some = dict(list(embeddings.items())[: given.embeddings])
    print(describe_machine())
    steps, thresholds = ((5,), (0.0, 0.05)) if given.quick else ((3, 5), THRESHOLDS)
    sizes = (1000, 2000) if given.quick else (5000, 10_000, 20_000, 40_000, 80_000)
    parts = {
        "silhouettes": lambda: bench_silhouettes(x, turns),
        "kmeans": lambda: bench_kmeans(x, turns),
        "kinds": lambda: bench_kinds(x if given.quick else load_cifar_embeddings(20_000)["principal"]),
        "gpu": lambda: bench_gpu(x, turns),
        "growth": lambda: bench_growth(min(turns, 3), sizes),
        "grid": lambda: bench_grid(some, steps, thresholds),
    }
    for name, part in parts.items():
        if given.only in ("", name):
            part()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"Largest resident memory of the whole run: {peak:.1f} GB.")


if __name__ == "__main__":
    main()
