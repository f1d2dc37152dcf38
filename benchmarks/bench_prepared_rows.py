"""Which preparation of the rows gives the best clusters, over labelled corpora, encoders and seeds.

    python benchmarks/bench_prepared_rows.py                 the example, a small corpus, two seeds (minutes)
    python benchmarks/bench_prepared_rows.py --all           all corpora and encoders, five seeds (hours)
    python benchmarks/bench_prepared_rows.py --all --report  write prepared_rows.md from what has been run

Every run is kept in .cache/prepared_rows.jsonl, so that an interrupted table goes on where it stopped. Each
seed prepares the rows anew (of the four only UMAP depends on it) and clusters them by every similarity
threshold, and by single k-means with a range of K, whose precision and recall trace a curve on which
preparations can be held against each other at equal recall.
"""

import argparse
import json
import time
from typing import Any

import numpy as np
from labelled_corpora import CACHE, list_rows, load_corpus
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import pair_confusion_matrix

import visclust as vc
from visclust.clustering.hubness import measure_hubness
from visclust.clustering.kmeans import fit_kmeans

RUNS = CACHE / "prepared_rows.jsonl"
THRESHOLDS = {
    "none": (0.0, 0.01, 0.02, 0.03, 0.04, 0.05),
    "unit": (0.0, 0.01, 0.02, 0.03, 0.04, 0.05),
    "pca": (0.0, 0.02, 0.03, 0.04, 0.05, 0.1),
    "umap": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5),
}
KS = (3, 5, 10, 20, 40, 80, 160, 320)
_LAYOUT = 1  # raised when what a run holds changes


def score(labels: np.ndarray, known: np.ndarray) -> dict[str, float]:
    """Score labels against known classes, over all pairs; an unassigned image is a cluster of its own."""
    labels = labels.copy()
    alone = labels == -1
    sizes = np.sort(np.bincount(labels[~alone]))[::-1] if (~alone).any() else np.zeros(1, dtype=int)
    purity = np.nan
    if (~alone).any():
        members = known[labels == np.bincount(labels[~alone]).argmax()]
        purity = float(np.unique(members, return_counts=True)[1].max() / len(members))
    labels[alone] = labels.max() + 1 + np.arange(alone.sum())
    (_, false), (missed, true) = pair_confusion_matrix(known, labels)
    return {
        "ari": float(adjusted_rand_score(known, labels)),
        "precision": float(true / (true + false)) if true + false else float("nan"),
        "recall": float(true / (true + missed)),
        "clusters": int((sizes > 0).sum()),
        "largest": float(sizes[0] / len(labels)),
        "second": float(sizes[1] / len(labels)) if len(sizes) > 1 else 0.0,
        "largest_purity": purity,
        "unassigned": float(alone.mean()),
    }


def run(corpus: str, encoder: str, side: int, how: str, seed: int) -> dict[str, Any]:
    """Prepare the rows of a corpus by one seed, cluster them in every way, and score it all."""
    data = load_corpus(corpus, encoder, side)
    started = time.perf_counter()
    prepared = vc.prepare_rows(data.x, how=how, seed=seed, progress=False)
    seconds = time.perf_counter() - started
    rows = prepared.x
    search = vc.grid_search(
        {"rows": rows},
        step_sizes=(5,),
        similarity_thresholds=THRESHOLDS[how],
        seeds=(seed,),
        baselines=(),
        matched_baselines=False,
        progress=False,
    )
    iterative = search.table[search.table["method"].eq("iterative")]
    scores = {
        f"{row.similarity_threshold:g}": score(search.results[row.configuration].labels, data.labels)
        for row in iterative.itertuples()
    }
    single = {}
    for k in KS:
        if k <= len(rows) // 3:
            labels = vc.to_host(fit_kmeans(rows, k, seed=seed).labels)
            single[str(k)] = score(np.asarray(labels, dtype=int), data.labels)
    return {
        "layout": _LAYOUT, "corpus": corpus, "encoder": encoder, "side": side, "how": how, "seed": seed,
        "n": len(rows), "chance": chance(data.labels), "preparing_seconds": seconds,
        "clustering_seconds": time.perf_counter() - started - seconds,
        "hubness": measure_hubness(rows)._asdict(), "placement": prepared.placement,
        "iterative": scores, "single": single,
    }  # fmt: skip


def chance(labels: np.ndarray) -> float:
    """Share of the pairs of images that are of one class: the precision of one cluster that holds all."""
    sizes = np.unique(labels, return_counts=True)[1].astype(float)
    return float((sizes * (sizes - 1)).sum() / (len(labels) * (len(labels) - 1)))


def read_runs() -> list[dict[str, Any]]:
    """Read what has been run; of a run that was repeated the last."""
    if not RUNS.exists():
        return []
    found = [json.loads(line) for line in RUNS.read_text().splitlines()]
    return list({name(each): each for each in found if each["layout"] == _LAYOUT}.values())


def name(made: dict[str, Any]) -> tuple[Any, ...]:
    """Name a run by what it depends on."""
    return tuple(made[key] for key in ("corpus", "encoder", "side", "how", "seed"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--all", action="store_true", help="all corpora and encoders, five seeds")
    parser.add_argument("--seeds", type=int, help="number of seeds")
    parser.add_argument("--how", nargs="+", default=list(THRESHOLDS))
    parser.add_argument("--corpus", help="only corpora whose name holds this")
    options = parser.parse_args()
    seeds = options.seeds or (5 if options.all else 2)
    wanted = [
        (*each, how, seed)
        for seed in range(seeds)
        for each in list_rows()
        for how in options.how
        if options.all or each[:2] in (("example, 571", "lite0"), ("CIFAR-10, 1,000, heavy tail", "lite0"))
        if not options.corpus or options.corpus in each[0]
    ]
    known = {name(each) for each in read_runs()}
    for each in wanted:
        if each in known:
            continue
        made = run(*each)
        with RUNS.open("a") as file:
            file.write(json.dumps(made) + "\n")
        taken = made["preparing_seconds"] + made["clustering_seconds"]
        print(*each, f"{taken:.0f} s", flush=True)


if __name__ == "__main__":
    main()
