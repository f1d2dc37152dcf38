"""Which preparation of the rows gives the best clusters, over labelled corpora, encoders and seeds.

    python benchmarks/bench_prepared_rows.py                 the example, a small corpus, two seeds (minutes)
    python benchmarks/bench_prepared_rows.py --all           all corpora and encoders, five seeds (hours)
    python benchmarks/bench_prepared_rows.py --report        print the tables of prepared_rows.md

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
import pandas as pd
from labelled_corpora import CACHE, list_rows, load_corpus
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import pair_confusion_matrix

import visclust as vc
from visclust.clustering.hubness import measure_hubness
from visclust.clustering.kmeans import fit_kmeans
from visclust.clustering.settings import SUITED_THRESHOLD

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
        f"{row.similarity_threshold:g}": score(search.results[row.configuration][seed].labels, data.labels)
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


def report(runs: list[dict[str, Any]]) -> str:
    """Word what has been run as the tables of prepared_rows.md."""
    per_run = pd.DataFrame([describe(each) for each in runs])
    corpus = ["corpus", "encoder", "side"]
    means = per_run.groupby([*corpus, "how"]).mean(numeric_only=True)
    spread = per_run.groupby([*corpus, "how"])["ari"].std()
    ways = list(THRESHOLDS)
    ruler = "| --- | --- | --- |" + " --- |" * len(ways)
    lines = ["| corpus | rows by | images, chance | " + " | ".join(ways) + " |", ruler]
    at_equal = ["| corpus | rows by | recalls | " + " | ".join(ways) + " |", ruler]
    for place in means.index.droplevel("how").unique():
        one = [each for each in runs if tuple(each[key] for key in corpus) == place]
        first = f"| {place[0]} | {place[1]}, {place[2]} px |"
        ari = means.loc[place]["ari"].reindex(ways)
        cells = [_word(ari[how], spread[(*place, how)], best=how == ari.idxmax()) for how in ways]
        lines.append(f"{first} {one[0]['n']:,}, {one[0]['chance']:.2f} | " + " | ".join(cells) + " |")
        recalls, precision = compare_at_equal_recall(one)
        best = max(precision, key=precision.__getitem__)
        cells = [_word(precision[how], best=how == best) for how in ways]
        at_equal.append(f"{first} {recalls[0]:.2f} to {recalls[-1]:.2f} | " + " | ".join(cells) + " |")
    shown = {
        "ari": "adjusted Rand index",
        "largest": "share of the largest cluster, mean",
        "giants": "runs with a giant cluster",
        "unassigned": "unassigned",
        "clusters": "clusters",
        "hub_most": "most frequent neighbour, times the average",
        "hub_nobody": "neighbours of none",
        "preparing": "seconds to prepare",
    }
    sums = per_run.groupby("how")[list(shown)].mean().T.reindex(columns=ways)
    overall = [
        "| all runs at the suited threshold | " + " | ".join(ways) + " |",
        "| --- |" + " --- |" * len(ways),
    ]
    overall += [
        f"| {shown[name]} | " + " | ".join(f"{value:.2f}" for value in row) + " |"
        for name, row in sums.iterrows()
    ]
    parts = {
        "Adjusted Rand index, iterative, suited threshold: mean over seeds (standard deviation)": lines,
        "Precision at equal recall, single k-means": at_equal,
        "Beside it": overall,
        "Thresholds: adjusted Rand index, mean over all corpora, encoders and seeds": tell_thresholds(runs),
    }
    return "\n\n".join(f"## {title}\n\n" + "\n".join(table) for title, table in parts.items())


def describe(made: dict[str, Any]) -> dict[str, Any]:
    """Describe a run at the threshold that suits its rows."""
    scores = made["iterative"][f"{SUITED_THRESHOLD[made['how']]:g}"]
    others = (1 - scores["unassigned"] - scores["largest"]) / max(scores["clusters"] - 1, 1)
    giant = (
        scores["largest"] > 0.2 and scores["largest"] >= 5 * others and scores["largest"] * made["n"] >= 20
    )
    kept = {key: made[key] for key in ("corpus", "encoder", "side", "how", "seed")}
    hubs = made["hubness"]
    return kept | {
        **scores, "giants": float(giant), "hub_most": hubs["most"], "hub_nobody": hubs["nobody"],
        "preparing": made["preparing_seconds"], **{f"placed_{k}": v for k, v in made["placement"].items()},
    }  # fmt: skip


def compare_at_equal_recall(runs: list[dict[str, Any]]) -> tuple[np.ndarray, dict[str, float]]:
    """Compare the precision of single k-means over the recalls that all preparations reach with some K."""
    curves = {}
    for how in THRESHOLDS:
        some = [pd.DataFrame(each["single"]).T for each in runs if each["how"] == how]
        curves[how] = pd.concat(some).groupby(level=0)[["recall", "precision"]].mean().sort_values("recall")
    low = max(curve["recall"].min() for curve in curves.values())
    high = min(curve["recall"].max() for curve in curves.values())
    recalls = np.geomspace(low, high, 9)
    found = {
        how: float(np.interp(np.log(recalls), np.log(curve["recall"]), curve["precision"]).mean())
        for how, curve in curves.items()
    }
    return recalls, found


def tell_thresholds(runs: list[dict[str, Any]]) -> list[str]:
    """Tell the mean score of each threshold, for each preparation."""
    lines = ["| rows | threshold: adjusted Rand index (share unassigned) |", "| --- | --- |"]
    for how, thresholds in THRESHOLDS.items():
        some = [each["iterative"] for each in runs if each["how"] == how]
        cells = []
        for threshold in thresholds:
            scores = pd.DataFrame([each[f"{threshold:g}"] for each in some]).mean(numeric_only=True)
            cells.append(f"{threshold:g}: {scores['ari']:.3f} ({scores['unassigned']:.2f})")
        lines.append(f"| {how} | {'; '.join(cells)} |")
    return lines


def _word(value: float, spread: float | None = None, *, best: bool) -> str:
    said = f"{value:.2f}" + ("" if spread is None else f" ({spread:.2f})")
    return f"**{said}**" if best else said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--all", action="store_true", help="all corpora and encoders, five seeds")
    parser.add_argument("--seeds", type=int, help="number of seeds")
    parser.add_argument("--how", nargs="+", default=list(THRESHOLDS))
    parser.add_argument("--corpus", help="only corpora whose name holds this")
    parser.add_argument("--report", action="store_true", help="print the tables of what has been run")
    options = parser.parse_args()
    if options.report:
        print(report(read_runs()))
        return
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
