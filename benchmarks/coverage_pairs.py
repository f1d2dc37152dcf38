"""How often the intervals of weighted pair scores hold the truth, over many draws of pairs.

Two corpora whose groups are known, so that every pair has an answer without error: a made-up one at the
scale of the paper (18,096 images, 309 themes of uneven size, a third of them in several places of the
embedding, 0.8% of all pairs the same), and the example study. Pairs are drawn by cells, the paper's way, with
two shares of random pairs, and by likeness; clusterings are scored by weights alone with percentiles of
resamples (as before), by weights alone with Wilson's interval, and post-stratified.

Runs alone: `python benchmarks/coverage_pairs.py --runs 2000`; then `--table coverage_pairs.parquet`.
"""

import argparse
import time

import numpy as np
import pandas as pd
from labelled_corpora import CORPORA

import visclust as vc
from visclust.base.bootstrap import find_interval, resample_sums
from visclust.validation import pairs
from visclust.validation.pair_design import count_joined, find_strata_of, iterate_codes
from visclust.validation.pairs import split_quota, suggest_shares
from visclust.validation.poststratified import CellCounts, estimate_scores, find_ends
from visclust.validation.scores import (
    _count_effective,
    _find_wilson,
    _linearise,
    compute_scores,
)

MEASURES = ("precision", "recall", "f1")
N_DRAWS = 500  # of each interval; a fifth of a point of coverage less than 2,000 at most
SHARES = (0.4, 0.9)  # of random pairs
WAYS = ("weights, resampled", "weights, Wilson", "post-stratified")


def make_paper_scale(n=18_096, n_themes=309, seed=3):
    """Make rows and themes: sizes are tempered until 0.8% of all pairs are the same."""
    rng = np.random.default_rng(seed)
    sizes, low, high = rng.lognormal(0, 1, n_themes), 0.1, 3.0
    for _ in range(60):
        middle = (low + high) / 2
        share = sizes**middle / (sizes**middle).sum()
        low, high = (low, middle) if (share**2).sum() > 0.008 else (middle, high)
    theme = rng.choice(n_themes, n, p=share)
    places = rng.normal(0, 1, (40, 24))
    centres = places[rng.integers(40, size=(n_themes, 3))] + rng.normal(0, 0.6, (n_themes, 3, 24))
    several = rng.random(n_themes) < 0.35
    place = np.where(several[theme], rng.choice(3, n, p=[0.75, 0.15, 0.1]), 0)
    spread = rng.uniform(0.3, 0.6, n_themes)[theme]
    return (centres[theme, place] + rng.normal(0, 1, (n, 24)) * spread[:, None]).astype(np.float32), theme


def load_example():
    corpus = CORPORA["example, 571"][0]("lite0", 224)
    return corpus.x, np.unique(corpus.labels, return_inverse=True)[1]


def tabulate(labels):
    return pd.DataFrame({"image_id": [f"i{i:05d}" for i in range(len(labels))], "cluster": labels})


def measure_truth(labels, theme):
    def count(values):
        sizes = np.unique(values, return_counts=True)[1].astype(float)
        return (sizes * (sizes - 1) / 2).sum()

    some = labels >= 0
    both = count(labels[some].astype(np.int64) * (theme.max() + 1) + theme[some])
    joined, same = count(labels[some]), count(theme)
    return np.array([both / joined, both / same, 2 * both / (joined + same)])


class Urn:
    """All pairs of a corpus by stratum, to draw from quickly."""

    def __init__(self, design):
        self.strata = find_strata_of(design)
        n = len(self.strata.images)
        lists = [[] for _ in self.strata.names]
        for start, codes in iterate_codes(self.strata.coder, np.arange(n)):
            later = np.arange(n) > np.arange(start, start + len(codes))[:, None]
            flat = np.where(later, codes, -1).ravel()
            for code in range(len(lists)):
                at = np.flatnonzero(flat == code)
                if len(at):
                    lists[code].append((start * n + at).astype(np.int32))
        self.pairs = [np.concatenate(each) for each in lists]
        self.n = n

    def draw(self, quotas, rng):
        flat = [
            one[rng.choice(len(one), q, replace=False)] for one, q in zip(self.pairs, quotas, strict=True)
        ]
        stratum = np.repeat(np.arange(len(quotas)), quotas)
        weight = (self.strata.totals / quotas)[stratum]
        return *np.divmod(np.concatenate(flat), self.n), stratum, weight


class Deck:
    """All pairs of a corpus by cells, drawn as `vc.sample_pairs` draws them, without making tables."""

    def __init__(self, drafts, x):
        labels = drafts["cluster"].to_numpy()
        self.members = pairs._group_rows(labels)
        self.cells = pairs._list_cells(self.members, pairs._mark_neighbours(x, self.members, labels, 1))

    def draw(self, n_pairs, random_share, rng):
        near = (1 - random_share) / 8
        held = [int(self.cells.capacity[self.cells.stratum == code].sum()) for code in range(3)]
        quotas = pairs.split_quota(n_pairs, np.array([5 * near, 3 * near, random_share]), np.array(held))
        parts = []
        for code, quota in enumerate(quotas):
            inside = np.flatnonzero(self.cells.stratum == code)
            draw = pairs._draw_simply if code == pairs._RANDOM else pairs._draw_balanced
            cell, rank, probability = draw(self.cells.capacity[inside], quota, rng)
            left, right = pairs._find_images(self.cells, self.members, inside[cell], rank)
            # A design numbers its strata from the least alike to the most.
            parts.append((left, right, np.full(len(left), 2 - code), 1 / probability))
        return [np.concatenate(each) for each in zip(*parts, strict=True)]


def score(left, right, stratum, weight, *, labels, theme, totals, coverage, seed, ways):
    """Give (estimate, low, high) of each way, (3, 3) each."""
    same = theme[left] == theme[right]
    joined = (labels[left] == labels[right]) & (labels[left] >= 0)
    found = {}
    if "post-stratified" in ways:
        counted = CellCounts(
            same, weight, stratum, (2 * stratum + joined)[None], totals[None], np.array([coverage])
        )
        estimate = estimate_scores(counted)[0, :3]
        low, high = find_ends(counted, n_draws=N_DRAWS, seed=seed)
        found["post-stratified"] = estimate, low[0, :3], high[0, :3]
    ones = np.ones_like(same)
    counts = np.column_stack([same & joined, joined, same, ones, ones]) * weight[:, None]
    estimate = compute_scores(counts.sum(axis=0))[:3]
    if "weights, resampled" in ways:
        sums = resample_sums(counts, n_bootstrap=N_DRAWS, seed=seed, strata=stratum)
        found["weights, resampled"] = (estimate, *find_interval(compute_scores(sums)[:, :3]))
    if "weights, Wilson" in ways:
        variance, n_effective = _linearise(counts, stratum), _count_effective(counts)
        ends = [
            (np.nan, np.nan)
            if np.isnan(estimate[i])
            else _find_wilson(estimate[i], variance[i], n_effective[i], level=0.95)
            for i in range(3)
        ]
        found["weights, Wilson"] = (estimate, *np.array(ends).T)
    return found


def run_cell(draw, clusterings, theme, strata, *, runs, ways):
    """Draw and score many times; a row per clustering, way and measure."""
    truths = {name: measure_truth(labels, theme) for name, labels in clusterings.items()}
    totals = {}
    for name, labels in clusterings.items():
        joined = count_joined(strata, tabulate(labels))
        totals[name] = np.column_stack([strata.totals - joined, joined]).ravel()
    held = {}
    for run in range(runs):
        drawn = draw(run)
        for name, labels in clusterings.items():
            found = score(
                *drawn, labels=labels, theme=theme, totals=totals[name], coverage=1.0, seed=run, ways=ways
            )
            for way, result in found.items():
                held.setdefault((name, way), []).append(np.stack(result))
    rows = []
    for (name, way), results in held.items():
        estimate, low, high = np.stack(results, axis=1)
        truth = truths[name]
        inside = (low <= truth) & (truth <= high)  # a missing interval holds nothing
        for i, measure in enumerate(MEASURES):
            rows.append(
                {"clustering": name, "way": way, "measure": measure, "truth": truth[i],
                 "mean": np.nanmean(estimate[:, i]),
                 "rmse": np.sqrt(np.nanmean((estimate[:, i] - truth[i]) ** 2)),
                 "coverage": inside[:, i].mean(), "width": np.nanmean((high - low)[:, i])}
            )  # fmt: skip
    return rows


def write_tables(rows):
    """Write a table of each corpus in Markdown; of several results for one cell the last counts."""
    keys = ["corpus", "design", "n", "clustering", "way"]
    rows = rows.drop_duplicates([*keys, "measure"], keep="last")
    said = []
    for corpus, part in rows.groupby("corpus", sort=False):
        ends = "".join(f" {each}: RMSE | coverage | width |" for each in MEASURES).replace("f1", "F1")
        said += [f"## {corpus.capitalize()}", "", "| design | pairs | clustering | way |" + ends]
        said.append("|" + " --- |" * 13)
        cells = list(part.groupby(keys[1:], sort=False))
        order = {key: at for at, key in enumerate(dict.fromkeys(key[:2] for key, _ in cells))}
        cells.sort(key=lambda cell: (order[cell[0][:2]], WAYS.index(cell[0][3])))
        for key, cell in cells:
            cell = cell.set_index("measure").loc[list(MEASURES)]
            values = [f"{one.rmse:.3f} | {one.coverage:.3f} | {one.width:.2f}" for one in cell.itertuples()]
            said.append("| " + " | ".join([*map(str, key), *values]) + " |")
        truths = part.drop_duplicates(["clustering", "measure"]).groupby("clustering", sort=False)
        named = [
            f"{name}: "
            + ", ".join(f"{one.measure} {one.truth:.3f}".replace("f1", "F1") for one in each.itertuples())
            for name, each in truths
        ]
        said += ["", f"True values: {'; '.join(named)}.", ""]
    return "\n".join(said)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--out", default="coverage_pairs.parquet")
    parser.add_argument("--corpus", choices=("paper scale", "example"), action="append")
    parser.add_argument("--way", choices=WAYS, action="append")
    parser.add_argument("--table", nargs="+", help="write these results as Markdown, and stop")
    options = parser.parse_args()
    if options.table:
        print(write_tables(pd.concat([pd.read_parquet(path) for path in options.table])))
        return
    ways = [way for way in WAYS if way in (options.way or WAYS)]
    rows = []
    for corpus in options.corpus or ("example", "paper scale"):
        x, theme = make_paper_scale() if corpus == "paper scale" else load_example()
        n_drafts, fine, threshold = (80, 309, 0.25) if corpus == "paper scale" else (80, 44, 0.03)
        drafts = tabulate(vc.cluster_once(x, n_clusters=n_drafts, seed=0).labels)
        finer = tabulate(vc.cluster_once(x, n_clusters=len(x) // 30 if len(x) < 9000 else 250, seed=1).labels)
        iterative = vc.cluster_iteratively(
            x, similarity_threshold=threshold, step_size=20 if len(x) > 9000 else 3, stop_size=20, seed=0
        ).labels
        clusterings = {
            f"k-means, {fine}": np.asarray(vc.cluster_once(x, n_clusters=fine, seed=0).labels),
            "iterative": np.asarray(iterative),
        }
        deck = Deck(drafts, x)
        cells = find_strata_of(vc.design_pairs(drafts, x, how="cells"))
        for share in SHARES:
            start = time.perf_counter()
            found = run_cell(
                lambda run, deck=deck, share=share: deck.draw(554, share, np.random.default_rng(run)),
                clusterings, theme, cells, runs=options.runs, ways=ways,
            )  # fmt: skip
            rows += [
                {"corpus": corpus, "design": f"cells, {share:.0%} random", "n": 554, **row} for row in found
            ]
            print(corpus, share, f"{time.perf_counter() - start:.0f} s", flush=True)
            vc.save_table(pd.DataFrame(rows), options.out)
        urn = Urn(vc.design_pairs({"coarse": drafts, "fine": finer}, x))
        for n in (554, 1500):
            start = time.perf_counter()
            quotas = split_quota(n, suggest_shares(urn.strata), urn.strata.totals.astype(np.int64))
            found = run_cell(
                lambda run, urn=urn, quotas=quotas: urn.draw(quotas, np.random.default_rng(run)),
                clusterings, theme, urn.strata, runs=options.runs,
                ways=[way for way in ways if way in WAYS[1:]],
            )  # fmt: skip
            rows += [{"corpus": corpus, "design": "likeness", "n": n, **row} for row in found]
            print(corpus, "likeness", n, quotas, f"{time.perf_counter() - start:.0f} s", flush=True)
            vc.save_table(pd.DataFrame(rows), options.out)
    table = pd.DataFrame(rows)
    print(table.round(3).to_string())


if __name__ == "__main__":
    main()
