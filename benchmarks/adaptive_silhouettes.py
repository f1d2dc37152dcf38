"""Decisions from sampled silhouettes: how often they are wrong, what they cost, and from which size they pay.

``--errors``: 20,000 made-up rows in one clustering, whose exact mean silhouettes are computed once. The
threshold is put a hair beside the mean of one cluster after the other (1e-6 away, on either side by turns),
so that samples can decide this cluster by chance only. Each run decides all clusters anew with another seed,
at the smallest of the risks; a larger one is judged on the same looks, by the first at which it would have
decided. Exact silhouettes come early (after a small share of their cost) and are looked up. Counted are runs
with any wrong decision. Beside it: plain intervals (normal, of mean and standard error, at each look), from
the same numbers and at the same risk by cluster. Two clusterings: "two alike", of one width, so that both
means are at the threshold and nothing of the risk is given away; and "eight", of a heavy tail of themes.

``--growth``: distances measured for the decisions of a first iteration, by size. ``--crossing``: processor
time of whole runs of `cluster_iteratively`, adaptive and exact by turns.

Run ``python benchmarks/adaptive_silhouettes.py --errors 1000`` and so on.
"""

import argparse
import time
from statistics import NormalDist

import numpy as np
import pandas as pd
from side_by_side import describe_machine, print_table

from visclust.base.distances import center_rows
from visclust.clustering import adaptive
from visclust.clustering.adaptive import decide_above, measure_shapes
from visclust.clustering.bets import STAKES, log_winnings, pool_winnings
from visclust.clustering.iterative import cluster_iteratively
from visclust.clustering.kmeans import fit_kmeans
from visclust.clustering.silhouettes import silhouette_samples

_REPORT = adaptive._State.report


def make_rows(n: int, d: int, *, themes: int = 300, spread: float = 1.0, seed: int = 0) -> np.ndarray:
    """Make rows in themes whose sizes have a heavy tail and whose widths differ (float32, made up)."""
    rng = np.random.default_rng(seed)
    shares = 1 / np.arange(1, themes + 1)
    theme = rng.choice(themes, n, p=shares / shares.sum())
    width = rng.uniform(0.6, 1.6, themes)[theme] * spread
    rows = rng.normal(size=(themes, d))[theme] * 0.6 + rng.normal(size=(n, d)) * width[:, None]
    return center_rows(rows.astype(np.float32))


def make_two(n: int, d: int) -> np.ndarray:
    """Make two overlapping groups of one size and width, whose mean silhouettes are nearly the same."""
    group = np.repeat([0.0, 1.0], n // 2)[:, None]
    return center_rows((np.random.default_rng(0).normal(size=(n, d)) + group * 0.7).astype(np.float32))


def count_errors(
    x: np.ndarray, k: int, name: str, *, runs: int, risks: list[float], spent: float
) -> pd.DataFrame:
    """Count the runs in which any cluster is decided wrongly, by the risk that was stated."""
    codes = fit_kmeans(x, k, seed=0).labels.astype(np.int32)
    k = int(codes.max()) + 1
    exact = np.bincount(codes, weights=silhouette_samples(x, codes)) / np.bincount(codes)
    print("Means:", np.sort(exact).round(3), "sizes:", np.sort(np.bincount(codes)))
    shapes = measure_shapes(lambda rows: x[rows], codes, n_clusters=k)
    wrong, plainly = (dict.fromkeys(risks, 0) for _ in range(2))
    by_samples = dict.fromkeys(risks, 0.0)
    distances, outside = 0, 0
    states: list[adaptive._State] = []
    use_known_means(exact, states)
    adaptive._SPENT = spent
    for run in range(runs):
        threshold = exact[run % k] + (1e-6 if run // k % 2 else -1e-6)
        found = decide_above(
            lambda rows: x[rows], codes, shapes, threshold=threshold, risk=min(risks) / k, seed=run
        )
        truth = exact > threshold
        state = states.pop()
        for risk in risks:
            said = [judge(state, cluster, -np.log(risk / k)) for cluster in range(k)]
            if risk == min(risks):
                again = np.array([each is not None for each in said])
                assert (again == ~found.exact).all()
            made = [(each, right) for each, right in zip(said, truth, strict=True) if each is not None]
            wrong[risk] += any(each != right for each, right in made)
            by_samples[risk] += float(np.mean([each is not None for each in said]))
            plainly[risk] += judge_plainly(state, truth, risk=risk / k)
        distances += found.distances
        outside += bool(((found.low > exact + 1e-6) | (found.high < exact - 1e-6)).any())
        if run % 100 == 99:
            print(run + 1, wrong, plainly, outside, flush=True)
    return pd.DataFrame(
        {
            "clusters": name,
            "risk": risk,
            "runs": runs,
            "wrong runs": wrong[risk],
            "rate": wrong[risk] / runs,
            "wrong runs of plain intervals": plainly[risk],
            "clusters decided by samples": round(by_samples[risk] / runs, 3),
            "runs with a mean outside its bounds": outside if risk == min(risks) else "",
        }
        for risk in risks
    )


def judge(state: adaptive._State, cluster: int, needed: float) -> bool | None:
    """Give the decision at the first look at which one of the games is won, or None."""
    won = np.zeros((2, len(STAKES)))
    for low, high in zip(state.lower[cluster], state.upper[cluster], strict=True):
        won[0] += log_winnings(low, state.threshold)
        won[1] += log_winnings(-high, -state.threshold)
        above, below = pool_winnings(won) >= needed
        if above or below:
            return bool(above)
    return None


def use_known_means(exact: np.ndarray, states: list) -> None:
    """Let the known means stand for exact silhouettes, and keep the state of each run."""

    def look_up(self: adaptive._State, clusters: np.ndarray, _bar: object) -> None:
        self.means[clusters], self.exact[clusters] = exact[clusters], True
        self.above[clusters] = exact[clusters] > self.threshold

    def keep(self: adaptive._State) -> adaptive.Decisions:
        states.append(self)
        return _REPORT(self)

    adaptive._State.settle_exactly = look_up
    adaptive._State.report = keep


def judge_plainly(state: adaptive._State, truth: np.ndarray, *, risk: float) -> bool:
    """Tell whether plain intervals, at each look, would have decided any cluster wrongly."""
    z = NormalDist().inv_cdf(1 - risk)
    for cluster, right in enumerate(truth):
        parts = [
            (low + high) / 2 for low, high in zip(state.lower[cluster], state.upper[cluster], strict=True)
        ]
        for looks in range(1, len(parts) + 1):
            values = np.concatenate(parts[:looks])
            away = (values.mean() - state.threshold) / max(values.std(ddof=1) / len(values) ** 0.5, 1e-12)
            if abs(away) > z:
                if (away > 0) != right:
                    return True
                break
    return False


def measure_growth(sizes: list[int], *, d: int = 64, k: int = 85, threshold: float = 0.03) -> pd.DataFrame:
    """Count the distances that the decisions of one iteration take, by size."""
    rows = []
    for n in sizes:
        x = make_rows(n, d)
        codes = fit_kmeans(x, k, seed=0, max_iter=10).labels.astype(np.int32)
        found_k = int(codes.max()) + 1
        started = time.process_time()
        shapes = measure_shapes(lambda some, x=x: x[some], codes, n_clusters=found_k)
        for seed in range(3):
            found = decide_above(
                lambda some, x=x: x[some],
                codes,
                shapes,
                threshold=threshold,
                risk=0.001 / 2 / found_k,
                seed=seed,
            )
            rows.append(
                {
                    "n": n,
                    "distances": found.distances,
                    "exact clusters": int(found.exact.sum()),
                    "rows looked at": int(found.looked.sum()),
                    "CPU s": time.process_time() - started,
                }
            )
            started = time.process_time()
    table = pd.DataFrame(rows).groupby("n").mean()
    table.insert(1, "per image", table["distances"] / table.index)
    table.insert(2, "all, n² / 2", table.index.to_numpy(dtype=float) ** 2 / 2)
    return table


def measure_crossing(sizes: list[int], *, d: int = 512, turns: int = 1) -> pd.DataFrame:
    """Measure the processor time of whole runs, adaptive and exact by turns."""
    rows = []
    for n in sizes:
        x = make_rows(n, d)
        for turn in range(turns):
            labels = {}
            for kind in ("adaptive", "exact"):
                wall, cpu = time.perf_counter(), time.process_time()
                result = cluster_iteratively(x, silhouette=kind, seed=turn, progress=False)
                labels[kind] = result.labels
                rows.append(
                    {
                        "n": n,
                        "kind": kind,
                        "CPU s": time.process_time() - cpu,
                        "wall s": time.perf_counter() - wall,
                        "iterations": len(result.log),
                    }
                )
            rows[-1]["same labels"] = bool((labels["adaptive"] == labels["exact"]).all())
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--errors", type=int, default=0, metavar="RUNS")
    parser.add_argument("--growth", type=int, nargs="*", default=[], metavar="N")
    parser.add_argument("--crossing", type=int, nargs="*", default=[], metavar="N")
    parser.add_argument("--risks", type=float, nargs="*", default=[0.05, 0.001])
    options = parser.parse_args()
    print(describe_machine())
    if options.growth:
        print_table("Distances of one iteration's decisions", measure_growth(options.growth))
    if options.crossing:
        print_table("Whole runs", measure_crossing(options.crossing))
    if options.errors:
        shared = {"runs": options.errors, "risks": options.risks}
        cells = [
            count_errors(make_two(20_000, 8), 2, "two alike", spent=0.004, **shared),
            count_errors(make_rows(20_000, 8, themes=8, spread=0.8), 8, "eight", spent=0.02, **shared),
        ]
        print_table("Wrong decisions", pd.concat(cells, ignore_index=True))


if __name__ == "__main__":
    main()
