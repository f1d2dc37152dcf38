"""How often the intervals of means over seeds hold the truth, over many simulated sets of pairs and seeds.

Part 1: pairs as in a study, 40% of them "same", judged without error. A configuration puts a "same" pair
into one cluster with a probability that varies between its seeds, and a "different" pair likewise (probit of
.6 and of .05, plus normal effects of the seed). Whether a pair is hard is partly the same for all seeds. Two
configurations have half of the variance of a seed's effect in common where they run with the same seeds, as
on UMAP's rows of that seed. The truth is the mean over all seeds and all pairs.

Part 2: the consensus over five seeds of k-means on made-up images, with its jackknife; the truth is the mean
of the consensus over many sets of seeds, on all pairs.

Runs alone: `python benchmarks/coverage_seeds.py --runs 2000`; one process, one thread.
"""

import argparse
import time
from itertools import product

import numpy as np
import pandas as pd
from scipy.stats import norm

import visclust as vc
from visclust.base.bootstrap import find_interval
from visclust.clustering.consensus import SeedConsensus, find_consensus
from visclust.validation.seeds import (
    SEEDS,
    Members,
    SeedChance,
    add_seeds,
    add_seeds_to_difference,
)

SAME = 0.4
STARTS = (norm.ppf([0.6, 0.05]), norm.ppf([0.55, 0.06]))  # of the two configurations
COMMON = 0.6  # of a pair's hardness, what all seeds share


def score_population(start, effects):
    """F1 over all pairs, by seed, from the effects (s, 2) of the seeds."""
    recall, false = norm.cdf(start[0] + effects[:, 0]), norm.cdf(start[1] + effects[:, 1])
    return 2 * SAME * recall / (SAME * recall + (1 - SAME) * false + SAME)


def score(sums, n_same):
    """F1 from the sums of pairs: the same by both, and predicted the same, in the last axis."""
    return 2 * sums[..., 0] / (sums[..., 1] + n_same)


def draw_counts(rng, same, hardness, start, effects):
    """Mark the pairs that are the same by both, and those predicted the same, under each seed."""
    n, n_seeds = len(same), len(effects)
    threshold = np.where(same[:, None], start[0] + effects[:, 0], start[1] + effects[:, 1])
    latent = np.sqrt(COMMON) * hardness + np.sqrt(1 - COMMON) * rng.normal(size=(n, n_seeds))
    predicted = latent < threshold
    return np.stack([predicted & same[:, None], predicted], axis=-1).astype(np.float32)


def measure_cell(n_seeds, sd, n_pairs, runs, n_bootstrap):
    """Coverage and width of the intervals of one configuration, and of the difference of two."""
    rng = np.random.default_rng([n_seeds, round(100 * sd), n_pairs])
    many = sd * rng.normal(size=(400_000, 2))
    by_seed = [score_population(start, many) for start in STARTS]
    truth, apart = by_seed[0].mean(), by_seed[0].mean() - by_seed[1].mean()
    none = np.array([], dtype=int)
    held, width = {}, {}
    for run in range(runs):
        if (
            run % 20 == 0
        ):  # the resamples of pairs, as counts; drawing them anew each time is half of the work
            drawn = rng.multinomial(n_pairs, np.full(n_pairs, 1 / n_pairs), size=n_bootstrap)
            drawn = drawn.astype(np.float32)
        same = rng.random(n_pairs) < SAME
        hardness = rng.normal(size=(n_pairs, 1))
        shared, *own = sd * np.sqrt(0.5) * rng.normal(size=(3, n_seeds, 2))
        counts = [draw_counts(rng, same, hardness, s, shared + o) for s, o in zip(STARTS, own, strict=True)]
        apart_effects = sd * rng.normal(size=(n_seeds, 2))  # the other configuration with seeds of its own
        counts.append(draw_counts(rng, same, hardness, STARTS[1], apart_effects))
        both = np.concatenate(counts, axis=1)
        scores = score(both.sum(axis=0), same.sum())
        sums = (drawn @ both.reshape(n_pairs, -1)).reshape(n_bootstrap, 3 * n_seeds, 2)
        resampled = score(sums, (drawn @ same)[:, None])
        draw = SeedChance(n_bootstrap, seed=run % 50)
        x, y, z = np.split(scores, 3)
        rx, ry, rz = np.split(resampled, 3, axis=1)
        difference, far = rx.mean(axis=1) - ry.mean(axis=1), rx.mean(axis=1) - rz.mean(axis=1)
        seeds = tuple(range(n_seeds))
        ours = (Members(SEEDS, seeds, none, none), x, rx)
        same_seeds = (Members(SEEDS, seeds, none, none), y, ry)
        others = (Members(SEEDS, tuple(seed + 100 for seed in seeds), none, none), z, rz)
        d, e = float(x.mean() - y.mean()), float(x.mean() - z.mean())
        found = {
            "mean, pairs alone": (rx.mean(axis=1), truth),
            "mean": (add_seeds(rx.mean(axis=1), x.mean(), x, rx, draw), truth),
            "difference, pairs alone": (difference, apart),
            "difference, same seeds": (add_seeds_to_difference(difference, d, ours, same_seeds, draw), apart),
            "difference, other seeds": (add_seeds_to_difference(far, e, ours, others, draw), apart),
        }
        for name, (replicates, value) in found.items():
            low, high = find_interval(replicates)
            held.setdefault(name, []).append(low <= value <= high)
            width.setdefault(name, []).append(high - low)
    return [
        {
            "seeds": n_seeds,
            "pairs": n_pairs,
            "sd of F1 between seeds": by_seed[0].std(),
            "interval of the": name,
            "coverage": np.mean(held[name]),
            "± (2 se)": 2 * np.sqrt(np.mean(held[name]) * (1 - np.mean(held[name])) / runs),
            "width": np.mean(width[name]),
        }
        for name in held
    ]


def measure_consensus(n_seeds, runs, *, n_pairs=554, pool=240, n_bootstrap=500):
    """Coverage of the interval of a consensus over seeds of k-means on made-up images in 20 groups."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 20)
    ids = [f"i{i:03d}" for i in range(len(groups))]
    centres = rng.normal(size=(20, 12)) * 1.1
    x = (centres[groups] + rng.normal(size=(len(groups), 12))).astype(np.float32)
    labels = [vc.cluster_once(x, n_clusters=20, seed=seed, warn=False).labels for seed in range(pool)]
    tables = [pd.DataFrame({"image_id": ids, "cluster": each}) for each in labels]
    alike = np.equal.outer(groups, groups)[np.triu_indices(len(groups), 1)]

    upper = np.column_stack(np.triu_indices(len(groups), 1))
    rows = []
    for run in range(runs):
        chosen = rng.permutation(pool)[:n_seeds]
        named = {str(seed): tables[seed] for seed in chosen}
        consensus = find_consensus(named, progress=False)
        without = {
            int(seed): find_consensus({k: v for k, v in named.items() if k != str(seed)}, progress=False)
            for seed in chosen
        }
        half = n_pairs // 2  # half of the pairs are "same", as of a design that looks for them
        drawn = np.concatenate([rng.permutation(np.flatnonzero(alike))[:half],
                                rng.permutation(np.flatnonzero(~alike))[:half]])  # fmt: skip
        pairs = upper[drawn]
        sides = {f"image_{side}": [ids[i] for i in pairs[:, place]] for place, side in enumerate("ab")}
        gold = pd.DataFrame({**sides, "same": alike[drawn], "stratum": alike[drawn].astype(str)})
        grid = {"consensus": SeedConsensus("runs", consensus, without)}
        found = vc.compare_configurations(grid, gold, n_bootstrap=n_bootstrap, seed=run).iloc[0]
        one = consensus["cluster"].to_numpy()
        together = (np.equal.outer(one, one) & (one >= 0))[tuple(upper.T)]
        rows.append((found, together[alike].mean()))
    # Recall over all pairs is what pairs drawn within "same" and "different" can speak for.
    truth = np.mean([recall for _, recall in rows])
    held = [found["recall_low"] <= truth <= found["recall_high"] for found, _ in rows]
    errors = [found["recall"] - truth for found, _ in rows]
    coverage = np.mean(held)
    return {
        "seeds": n_seeds,
        "sd of the consensus' recall between sets of seeds": np.std([r for _, r in rows], ddof=1),
        "sd of its estimate": np.std(errors, ddof=1),
        "coverage": coverage,
        "± (2 se)": 2 * np.sqrt(coverage * (1 - coverage) / runs),
        "width": np.mean([found["recall_high"] - found["recall_low"] for found, _ in rows]),
    }


def print_table(rows):
    table = pd.DataFrame(rows).round(3)
    print("| " + " | ".join(table.columns) + " |")
    print("|" + " --- |" * len(table.columns))
    for row in table.itertuples(index=False):
        print("| " + " | ".join(f"{x:.3f}" if isinstance(x, float) else str(x) for x in row) + " |")
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--bootstrap", type=int, default=400)
    parser.add_argument("--consensus-runs", type=int, default=200)
    asked = parser.parse_args()
    started = time.perf_counter()
    for sd, n_seeds in [*product((0.1,), (5, 3, 2, 10)), (0.3, 5), (0.0, 5)]:
        print_table(measure_cell(n_seeds, sd, 554, asked.runs, asked.bootstrap))
    print_table([measure_consensus(5, asked.consensus_runs)])
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
