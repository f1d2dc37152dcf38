"""How stable clusterings are over seeds, whether a consensus is better, and what comparing many runs costs.

Run ``python benchmarks/bench_runs.py`` (``--quick`` for few seeds and small sizes). The corpus is the
example, embedded by EfficientNet-Lite0; its known groups are used for checking only.
"""

import argparse
import resource
import time

import numpy as np
import pandas as pd
from side_by_side import describe_machine, print_table

from visclust.clustering.clusters import assign_clusters
from visclust.clustering.consensus import find_consensus
from visclust.clustering.iterative import cluster_iteratively
from visclust.clustering.runs import compare_runs
from visclust.embedding.embed import embed_images
from visclust.example import load_example
from visclust.validation.known_groups import score_against_groups

SHOWN = ["clusters", "unassigned", "pair_precision", "pair_recall", "pair_f1", "adjusted_rand"]


def bench_stability(n_seeds: int) -> None:
    example = load_example()
    x = embed_images(example.images, encoder="efficientnet_lite0", device="cpu", progress=False).x
    runs = {
        f"seed {seed}": assign_clusters(example.images, cluster_iteratively(x, seed=seed))
        for seed in range(n_seeds)
    }
    measures = ["adjusted_rand", "variation_of_information", "normalized_variation", "matched"]
    for unassigned in ("alone", "drop"):
        pairs = compare_runs(runs, unassigned=unassigned).pairs
        table = pairs[measures].agg(["min", "mean", "max"]).round(3)
        print_table(f"{len(pairs)} pairs of {n_seeds} runs, unassigned: {unassigned}", table)
    found = compare_runs(runs)
    themes = found.themes.groupby("runs").agg(
        themes=("theme", "size"), size=("size", "median"), stability=("stability", "mean")
    )
    print_table("Themes by the number of runs that find them", themes.round(2))
    print_table("Purity of clusters of 5 images or more, by stability", measure_purity(runs, found, example))
    score_consensus(runs, example.groups)
    split_in_halves(runs)


def measure_purity(runs: dict, found, example) -> pd.DataFrame:
    """Of the pairs in a cluster, the share in one known group: are stable clusters the purer ones?"""
    tables = pd.concat([table.assign(run=name) for name, table in runs.items()])
    tables = tables[tables["cluster"] >= 0].merge(example.groups, on="image_id")
    sizes = tables.groupby(["run", "cluster", "group"]).size()
    together = (sizes * (sizes - 1)).groupby(["run", "cluster"]).sum().rename("together").reset_index()
    clusters = found.clusters.merge(together, on=["run", "cluster"])
    clusters = clusters[clusters["size"] >= 5]
    purity = clusters["together"] / (clusters["size"] * (clusters["size"] - 1))
    bins = pd.cut(clusters["stability"], [0, 0.25, 0.5, 0.75, 1], include_lowest=True)
    return purity.groupby(bins, observed=True).agg(clusters="size", purity="mean").round(2)


def score_consensus(runs: dict, groups: pd.DataFrame) -> None:
    single = pd.concat([score_against_groups(table, groups)[SHOWN] for table in runs.values()])
    rows = {f"single runs, {name}": single.agg(name) for name in ("min", "mean", "max")}
    for method in ("average", "majority"):
        for share in (0.3, 0.4, 0.5, 0.6, 0.7):
            consensus = find_consensus(runs, share=share, method=method)
            rows[f"{method}, share {share}"] = score_against_groups(consensus, groups)[SHOWN].iloc[0]
    print_table("Consensus against the known groups", pd.DataFrame(rows).T.astype(float).round(3))


def split_in_halves(runs: dict, *, turns: int = 20) -> None:
    rng = np.random.default_rng(0)
    names, found = list(runs), []
    for _ in range(turns):
        order = rng.permutation(names)
        halves = order[: len(order) // 2], order[len(order) // 2 :]
        consensus = {
            str(i): find_consensus({name: runs[name] for name in half}) for i, half in enumerate(halves)
        }
        found.append(compare_runs(consensus).pairs.loc[0, "adjusted_rand"])
    print(f"Adjusted Rand between the consensus of either half, {turns} halvings: {np.mean(found):.3f}.")


def bench_costs(n: int) -> None:
    rows = {}
    for kind in ("200 clusters, a quarter of labels random", "70 clusters that shift, all hangs together"):
        runs = make_runs(n, shifting="shift" in kind)
        ways = {
            "compare_runs": lambda runs=runs: compare_runs(runs),
            "find_consensus, majority": lambda runs=runs: find_consensus(runs, method="majority"),
            "find_consensus, average": lambda runs=runs: find_consensus(runs),
        }
        for name, way in ways.items():
            started, used = time.perf_counter(), time.process_time()
            way()
            rows[f"{name}; {kind}"] = {
                "seconds": round(time.perf_counter() - started, 1),
                "seconds of processor": round(time.process_time() - used, 1),
                "peak memory until then, GB": round(
                    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2
                ),
            }
    print_table(f"10 runs of {n:,} images", pd.DataFrame(rows).T)


def make_runs(n: int, *, shifting: bool) -> dict:
    rng = np.random.default_rng(0)
    true = rng.choice(200, n, p=rng.dirichlet(np.full(200, 0.5)))
    runs = {}
    for seed in range(10):
        if shifting:
            labels = (true + rng.integers(0, 3, n) + seed) // 3 % 70
            labels = np.where(rng.random(n) < 0.05, -1, labels)
        else:
            labels = np.where(rng.random(n) < 0.25, rng.integers(-1, 200, n), true)
        ids = [f"{i:06d}" for i in range(n)]
        runs[f"seed {seed}"] = pd.DataFrame(
            {"image_id": ids, "cluster": labels, "iteration": 1, "silhouette": 0.1}
        )
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few seeds and small sizes")
    given = parser.parse_args()
    print(describe_machine())
    bench_costs(2000 if given.quick else 18_096)  # first, while nothing else has taken memory
    bench_stability(4 if given.quick else 10)


if __name__ == "__main__":
    main()
