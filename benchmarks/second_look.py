"""What annotators' errors do to weighted scores, and what a second look mends, over many simulated studies.

A made-up corpus of the paper's size: 18,096 images of 309 themes with a heavy tail of sizes, so that .8% of
all pairs are the same. In each study pairs are drawn anew by `sample_pairs`, two annotators judge each, wrong
in a stated share of their answers and independently of all else, and gold is what both call alike. Then the
pairs that `select_for_review` names are judged again by both, and what is still in doubt a third and a fourth
time.

Runs alone: `python benchmarks/second_look.py --studies 2000`.
"""

import argparse
import time

import numpy as np
import pandas as pd

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

MEASURES = ("precision", "recall", "f1")
STRATA = {"within": 0.375, "neighbouring": 0.225, "random": 0.4}  # as notebook 05 draws them


def make_corpus(*, n=18_096, themes=309, d=24, seed=3):
    """Make images in themes, (x, theme): some themes come in several looks, and many overlap."""
    rng = np.random.default_rng(seed)
    sizes, low, high = rng.lognormal(0, 1, themes), 0.1, 3.0
    for _ in range(60):  # the exponent at which .8% of pairs share a theme
        middle = (low + high) / 2
        share = sizes**middle / (sizes**middle).sum()
        low, high = (low, middle) if (share**2).sum() > 0.008 else (middle, high)
    theme = rng.choice(themes, n, p=share)
    families = rng.normal(0, 1.0, (40, d))
    centres = families[rng.integers(40, size=(themes, 3))] + rng.normal(0, 0.6, (themes, 3, d))
    kind = np.where((rng.random(themes) < 0.35)[theme], rng.choice(3, n, p=[0.75, 0.15, 0.1]), 0)
    spread = rng.uniform(0.3, 0.6, themes)[theme]
    x = centres[theme, kind] + rng.normal(0, 1, (n, d)) * spread[:, None]
    return x.astype(np.float32), theme


def make_clusters(labels):
    """Make a clusters table."""
    names = [f"i{number:05d}" for number in range(len(labels))]
    return pd.DataFrame({"image_id": names, "cluster": labels, "iteration": 1, "silhouette": 0.1})


def count_pairs(codes):
    """Count the pairs within groups."""
    sizes = np.unique(codes, return_counts=True)[1].astype(float)
    return (sizes * (sizes - 1) / 2).sum()


def find_truth(labels, theme):
    """The scores over all pairs of the corpus."""
    inside = labels >= 0
    joined = count_pairs(labels[inside])
    both = count_pairs(labels[inside].astype(np.int64) * 10_000 + theme[inside])
    same = count_pairs(theme)
    return dict(zip(MEASURES, (both / joined, both / same, 2 * both / (joined + same)), strict=True))


def judge(same, error, rng):
    """What two annotators say of each pair: one state."""
    says = same[:, None] ^ (rng.random((len(same), 2)) < error)
    return np.select([says.all(axis=1), ~says.any(axis=1)], [SAME, DIFFERENT], OPEN)


def look_again(course, design, same, error, rng, *, decoys=0.5):
    """One more look; gives the course after it, and how many pairs were shown."""
    effect = measure_effects(course, design)
    everything = np.ones(len(same), dtype=bool)
    chosen = choose_pairs(course, effect, min_effect=0.05, n=None, decoys=decoys, open_to=everything, rng=rng)
    said = np.full(len(same), -2)
    said[chosen.at] = judge(same[chosen.at], error, rng)
    reviewed = np.zeros(len(same), dtype=bool)
    reviewed[chosen.at[~chosen.decoy]] = True
    return take_look(course, reviewed, said), len(chosen.at)


def score(clusters, pairs, state, weight, *, n_bootstrap):
    """The weighted scores of what is resolved."""
    there = weight > 0
    gold = pairs[there].assign(same=state[there] == SAME).reset_index(drop=True)
    found = vc.score_pairs(
        clusters, gold, weights=weight[there] / gold["inclusion_probability"], n_bootstrap=n_bootstrap
    )
    found = found[found["weighting"].ne("raw")].set_index("measure")
    return {
        (measure, column): float(found.loc[measure, column])
        for measure in MEASURES
        for column in ("estimate", "low", "high")
    }


def simulate(*, studies, errors, n_pairs, n_bootstrap, k_scored):
    """One row per study, error rate and look."""
    x, theme = make_corpus()
    drafts = make_clusters(vc.cluster_once(x, n_clusters=80, seed=0).labels)
    labels = vc.cluster_once(x, n_clusters=k_scored, seed=1).labels
    clusters = make_clusters(labels)
    truth = find_truth(labels, theme)
    theme_of = pd.Series(theme, index=clusters["image_id"])
    rows = []
    for seed in range(studies):
        pairs = vc.sample_pairs(drafts, x, n_pairs=n_pairs, strata=STRATA, seed=seed)
        same = theme_of[pairs["image_a"]].to_numpy() == theme_of[pairs["image_b"]].to_numpy()
        design = 1 / pairs["inclusion_probability"].to_numpy()
        stratum = pairs["stratum"].to_numpy()
        rng = np.random.default_rng([seed, 1])

        def add(error, look, state, weight, shown, pairs=pairs, seed=seed):
            found = score(clusters, pairs, state, weight, n_bootstrap=n_bootstrap)
            rows.append({"seed": seed, "error": error, "look": look, "shown": shown, **found})

        add(0.0, "1", np.where(same, SAME, DIFFERENT), np.ones(len(same)), 0)
        for error in errors:
            course = start_course(stratum, judge(same, error, rng))
            # As before there was a second look: pairs that are not unanimous are left out.
            add(error, "1, open left out", course.state, (course.state != OPEN).astype(float), 0)
            total = 0
            for look in (2, 3, 4):
                course, shown = look_again(course, design, same, error, rng)
                total += shown
                add(error, f"{look}", course.state, weigh_pairs(course), total)
                if not shown:
                    break
            # Where nothing was in doubt any more, later looks are as the last.
            for later in range(look + 1, 5):
                rows.append({**rows[-1], "look": f"{later}"})
    return pd.DataFrame(rows), truth


def summarize(rows, truth):
    """Mean estimate, its bias, and coverage, with Monte Carlo errors."""
    lines = []
    for (error, look), part in rows.groupby(["error", "look"], sort=False):
        for measure in MEASURES:
            estimate = part[(measure, "estimate")].dropna()
            covered = part[(measure, "low")].le(truth[measure]) & part[(measure, "high")].ge(truth[measure])
            lines.append(
                {
                    "error": error,
                    "looks": look,
                    "shown again": part["shown"].mean(),
                    "measure": measure,
                    "truth": truth[measure],
                    "mean": estimate.mean(),
                    "bias": estimate.mean() - truth[measure],
                    "MC error": estimate.std() / np.sqrt(len(estimate)),
                    "RMSE": np.sqrt(((estimate - truth[measure]) ** 2).mean()),
                    "coverage": covered.mean(),
                    "width": (part[(measure, "high")] - part[(measure, "low")]).mean(),
                }
            )
    return pd.DataFrame(lines)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=554)
    parser.add_argument("--bootstrap", type=int, default=500)
    parser.add_argument("--clusters", type=int, default=300)
    options = parser.parse_args()
    start = time.perf_counter()
    rows, truth = simulate(
        studies=options.studies,
        errors=(0.05, 0.1),
        n_pairs=options.pairs,
        n_bootstrap=options.bootstrap,
        k_scored=options.clusters,
    )
    table = summarize(rows, truth)
    print(table.round(3).to_string(index=False))
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
