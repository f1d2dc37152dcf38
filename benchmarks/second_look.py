"""What annotators' errors do to weighted scores, and what a second look mends, over many simulated studies.

A made-up corpus of the paper's size: 18,096 images of 309 themes with a heavy tail of sizes, so that .8% of
all pairs are the same. In each study pairs are drawn anew by `sample_pairs`, two annotators judge each, wrong
in a stated share of their answers and independently of all else, and gold is what both call alike. Then the
pairs that `select_for_review` names are judged again by both, and what is still in doubt a third and a fourth
time.

Runs alone: `python benchmarks/second_look.py --studies 2000`; with `--repeat 0.5` people say of half the
pairs what they said before, mistakes included.
"""

import argparse
import inspect
import time

import numpy as np
import pandas as pd
from coverage_pairs import Deck, Urn, make_paper_scale, measure_truth

import visclust as vc
from visclust.validation.looks import (
    DIFFERENT,
    OPEN,
    SAME,
    choose_pairs,
    measure_effects,
    start_course,
    take_look,
    weigh_pairs,
)
from visclust.validation.pair_design import count_joined, find_strata_of
from visclust.validation.pairs import split_quota, suggest_shares
from visclust.validation.poststratified import CellCounts, estimate_scores, find_ends

MEASURES = ("precision", "recall", "f1")
RANDOM_SHARE = 0.4  # as notebook 05 draws them
MIN_EFFECT = inspect.signature(vc.select_for_review).parameters["min_effect"].default


def make_clusters(labels):
    """Make a clusters table."""
    names = [f"i{number:05d}" for number in range(len(labels))]
    return pd.DataFrame({"image_id": names, "cluster": labels, "iteration": 1, "silhouette": 0.1})


class Annotators:
    """Two people, who err in a share of their answers.

    With `repeat`, that share of what they say of a pair again is what they said of it the time before.
    """

    def __init__(self, same, error, repeat, rng):
        self.same, self.error, self.repeat, self.rng = same, error, repeat, rng
        self.wrong = rng.random((len(same), 2)) < error

    def judge(self, at):
        """What both say of some pairs: one state for each."""
        says = self.same[at, None] ^ self.wrong[at]
        anew = self.rng.random((len(at), 2)) >= self.repeat
        # For the next look.
        self.wrong[at] = np.where(anew, self.rng.random((len(at), 2)) < self.error, self.wrong[at])
        return np.select([says.all(axis=1), ~says.any(axis=1)], [SAME, DIFFERENT], OPEN)


def look_again(course, design, people, rng, *, min_effect=MIN_EFFECT, decoys=0.5):
    """One more look; gives the course after it, and how many pairs were shown."""
    effect = measure_effects(course, design)
    everything = np.ones(len(design), dtype=bool)
    chosen = choose_pairs(
        course, effect, min_effect=min_effect, n=None, decoys=decoys, open_to=everything, rng=rng
    )
    said = np.full(len(design), -2)
    said[chosen.at] = people.judge(chosen.at)
    reviewed = np.zeros(len(design), dtype=bool)
    reviewed[chosen.at[~chosen.decoy]] = True
    return take_look(course, reviewed, said), len(chosen.at)


class Draws:
    """Pairs as `vc.sample_pairs` draws them, and post-stratified scores, without making tables."""

    def __init__(self, x, labels, how):
        drafts = make_clusters(vc.cluster_once(x, n_clusters=80, seed=0).labels)
        if how == "cells":
            strata = find_strata_of(vc.design_pairs(drafts, x, how="cells"))
            self.deck = Deck(drafts, x)
        else:
            finer = make_clusters(vc.cluster_once(x, n_clusters=250, seed=1).labels)
            self.urn = Urn(vc.design_pairs({"coarse": drafts, "fine": finer}, x))
            strata = self.urn.strata
        joined = count_joined(strata, make_clusters(labels))
        self.totals = np.column_stack([strata.totals - joined, joined]).ravel()
        self.labels, self.how, self.strata = labels, how, strata

    def draw(self, n_pairs, seed):
        """Rows of the images, stratum and design weight of each pair."""
        rng = np.random.default_rng(seed)
        if self.how == "cells":
            return self.deck.draw(n_pairs, RANDOM_SHARE, rng)
        shares = suggest_shares(self.strata)
        return self.urn.draw(split_quota(n_pairs, shares, self.strata.totals.astype(np.int64)), rng)

    def score(self, left, right, stratum, weight, same, *, n_draws, seed):
        """Estimate, low and high of each measure; pairs of weight 0 do not count."""
        used = weight > 0
        joined = self.labels[left] == self.labels[right]
        cell = (2 * stratum + joined)[used]
        counted = CellCounts(
            same[used], weight[used], stratum[used], cell[None], self.totals[None], np.array([1.0])
        )
        estimate = estimate_scores(counted)[0, :3]
        low, high = find_ends(counted, n_draws=n_draws, seed=seed)
        return np.stack([estimate, low[0, :3], high[0, :3]])


def simulate(*, studies, errors, repeat, how, n_pairs, n_draws, k_scored):
    """One row per study, error rate and look."""
    x, theme = make_paper_scale()
    labels = np.asarray(vc.cluster_once(x, n_clusters=k_scored, seed=1).labels)
    truth = measure_truth(labels, theme)
    draws = Draws(x, labels, how)
    rows = []
    for seed in range(studies):
        left, right, stratum, design = draws.draw(n_pairs, seed)
        same = theme[left] == theme[right]
        rng = np.random.default_rng([seed, 1])

        def add(error, look, state, weight, shown, drawn=(left, right, stratum), design=design, seed=seed):
            found = draws.score(*drawn, design * weight, state == SAME, n_draws=n_draws, seed=seed)
            rows.append({"error": error, "look": look, "shown": shown, "scores": found})

        add(0.0, "one", np.where(same, SAME, DIFFERENT), np.ones(len(same)), 0)
        for error in errors:
            people = Annotators(same, error, repeat, rng)
            course = start_course(stratum, people.judge(np.arange(len(same))))
            # As before there was a second look: pairs that are not unanimous are left out.
            add(error, "one, open left out", course.state, (course.state != OPEN).astype(float), 0)
            total = 0
            for look in ("two", "three", "four"):
                course, shown = look_again(course, design, people, rng)
                total += shown
                if shown:
                    add(error, look, course.state, weigh_pairs(course), total)
                else:  # nothing was in doubt any more
                    rows.append({**rows[-1], "look": look})
    return pd.DataFrame(rows), truth


def summarize(rows, truth):
    """Mean estimate, its bias, and coverage, with Monte Carlo errors."""
    lines = []
    for (error, look), part in rows.groupby(["error", "look"], sort=False):
        estimate, low, high = np.moveaxis(np.stack(part["scores"]), 1, 0)
        inside = (low <= truth) & (truth <= high)
        for at, measure in enumerate(MEASURES):
            values = estimate[:, at]
            lines.append(
                {
                    "error": f"{error:.0%}",
                    "looks": look,
                    "pairs shown again": part["shown"].mean(),
                    "measure": measure,
                    "truth": truth[at],
                    "mean": np.nanmean(values),
                    "Monte Carlo error": np.nanstd(values) / np.sqrt(len(values)),
                    "RMSE": np.sqrt(np.nanmean((values - truth[at]) ** 2)),
                    "coverage": inside[:, at].mean(),
                    "width": np.nanmean((high - low)[:, at]),
                }
            )
    return pd.DataFrame(lines)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=554)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--clusters", type=int, default=300)
    parser.add_argument("--repeat", type=float, default=0.0, help="share of answers that are those of before")
    parser.add_argument("--design", choices=("cells", "likeness"), default="cells")
    options = parser.parse_args()
    start = time.perf_counter()
    rows, truth = simulate(
        studies=options.studies,
        errors=(0.05, 0.1),
        repeat=options.repeat,
        how=options.design,
        n_pairs=options.pairs,
        n_draws=options.draws,
        k_scored=options.clusters,
    )
    table = summarize(rows, truth)
    names = table.columns.tolist()
    print("| " + " | ".join(names) + " |")
    print("| " + " | ".join("---" for _ in names) + " |")
    for row in table.round(3).itertuples(index=False):
        print("| " + " | ".join(f"{one:.3f}" if isinstance(one, float) else str(one) for one in row) + " |")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
