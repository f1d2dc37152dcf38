"""Check the estimates by simulation, and time and describe the assignment, at the size of the paper's corpus.

Run ``python benchmarks/bench_survey.py --draws 500``. Prints tables; takes a few minutes.
"""

import argparse
import time

import numpy as np
import pandas as pd

import visclust as vc

N_IMAGES, N_CLUSTERS = 18_096, 309


def make_corpus(seed):
    """Make clusters with a long tail of sizes, and values that differ between clusters in several ways."""
    rng = np.random.default_rng(seed)
    sizes = np.minimum(2 + (rng.pareto(0.9, N_CLUSTERS) * 4).astype(int), 1500)
    n = int(sizes.sum())
    labels = np.concatenate([np.repeat(np.arange(N_CLUSTERS), sizes), np.full(N_IMAGES - n, -1)])
    clusters = pd.DataFrame(
        {
            "image_id": [f"{i:05d}" for i in range(N_IMAGES)],
            "cluster": labels,
            "iteration": np.where(labels < 0, -1, 1),
            "silhouette": np.where(labels < 0, np.nan, 0.1),
        }
    )
    effect = rng.normal(size=N_CLUSTERS + 1)[labels]
    size = np.append(sizes, 1)[labels]
    few, rare = (rng.beta(0.6, 0.6 * (1 - p) / p, size=N_CLUSTERS + 1)[labels] for p in (0.2, 0.02))
    values = pd.DataFrame(
        {
            "image_id": clusters["image_id"],
            "unrelated to clusters": rng.normal(size=N_IMAGES),
            "alike in clusters": 2 * effect + rng.normal(size=N_IMAGES),
            "skewed": np.exp(0.7 * effect + 0.7 * rng.normal(size=N_IMAGES)),
            "spread grows with size": effect + size**0.25 * rng.normal(size=N_IMAGES),
            "share, clusters differ": rng.random(N_IMAGES) < few,
            "rare share, clusters differ": rng.random(N_IMAGES) < rare,
            "5%, clusters alike": rng.random(N_IMAGES) < 0.05,
        }
    )
    uneven = rng.random(N_IMAGES) < rng.beta(0.5, 5, size=N_CLUSTERS + 1)[labels]
    domains = pd.DataFrame(
        {
            "30% of images": np.where(rng.random(N_IMAGES) < 0.3, "in", "out"),
            "9%, uneven": np.where(uneven, "in", "out"),
        },
        index=clusters["image_id"],
    )
    return clusters, values, domains


def check_estimates(clusters, values, domains, draws):
    """Draw many samples, and compare estimates, standard errors and intervals with the known corpus."""
    frame = clusters["cluster"].ge(0).to_numpy()
    known = values[frame].drop(columns="image_id")
    truths = {("mean", "all images"): known.mean()}
    for name, domain in domains.items():
        inside = domain.eq("in").to_numpy()[frame]
        truths["mean", name], truths["total", name] = known[inside].mean(), known[inside].sum()
    found = []
    for seed in range(draws):
        sample = vc.draw_stratified_sample(clusters, seed=seed)
        # Sizes of domains are not known beforehand, as with anything that is seen in sampled images alone.
        seen = {name: domain[sample["image_id"]] for name, domain in domains.items()}
        for variance in ("moderated", "own", "pooled"):
            for statistic, name in truths:
                table = vc.estimate_corpus(
                    sample,
                    values,
                    clusters=clusters,
                    variance=variance,
                    statistic=statistic,
                    estimator="hajek" if statistic == "mean" else "horvitz-thompson",
                    by=seen.get(name),
                )
                if name in seen:
                    table = table[table["domain"] == "in"]
                truth = table["value"].map(truths[statistic, name]).astype(float)
                found.append(table.assign(statistic=statistic, of=name, truth=truth, variance=variance))
    table = pd.concat(found, ignore_index=True)
    table["held"] = table["low"].le(table["truth"]) & table["high"].ge(table["truth"])
    table["width"] = table["high"] - table["low"]
    rows = []
    keys = ["statistic", "of", "value"]
    for names, part in table.groupby(keys, sort=False):
        one = part.loc[part["variance"] == "own", "estimate"]
        row = dict(zip(keys, names, strict=True)) | {
            "truth": part["truth"].iloc[0],
            "bias / error": (one.mean() - part["truth"].iloc[0]) / one.std(),
        }
        for variance, mine in part.groupby("variance", sort=False):
            row[f"held: {variance}"] = mine["held"].mean()
            row[f"width / ideal: {variance}"] = mine["width"].mean() / (2 * 1.96 * one.std())
        rows.append(row)
    print(f"{draws} stratified samples; {frame.sum()} of {len(frame)} images covered.")
    print(pd.DataFrame(rows).round(3).to_string(index=False), "\n")


def time_assignment():
    """Time the paper's design, and compare how often two images share a respondent with pure chance."""
    rng = np.random.default_rng(0)
    sizes = np.full(N_CLUSTERS, 5)
    while sizes.sum() > 1087:
        sizes[rng.choice(np.flatnonzero(sizes > 1))] -= 1
    labels = np.repeat(np.arange(N_CLUSTERS), sizes)
    sample = pd.DataFrame(
        {
            "image_id": [f"{i:04d}" for i in range(len(labels))],
            "cluster": labels,
            "inclusion_probability": 0.5,
            "weight": 2.0,
        }
    )
    people = pd.DataFrame({"respondent": [f"r{i:03d}" for i in range(720)], "group": ["D", "R"] * 360})
    start = time.perf_counter()
    assigned = vc.assign_respondents(sample, people)
    print(f"720 x 8 images of {len(sample)} in {N_CLUSTERS} clusters: {time.perf_counter() - start:.2f} s")
    print("All promises kept:", vc.check_assignment(assigned, sample)["holds"].all())
    print(vc.describe_assignment(assigned).round(2).to_string(index=False))
    seen = pd.crosstab(assigned["respondent"], assigned["cluster"]).to_numpy()
    together = (seen.T @ seen)[np.triu_indices(N_CLUSTERS, 1)]
    shares = seen.mean(axis=0)
    # If a respondent's clusters were independent but for their number, pairs would meet about this often.
    expected = (720 * np.outer(shares, shares) * 7 / 8)[np.triu_indices(N_CLUSTERS, 1)]
    print(
        f"Pairs of clusters seen by one respondent: mean {together.mean():.3f} (independent: "
        f"{expected.mean():.3f}), variance {together.var():.3f} (Poisson: {together.mean():.3f})\n"
    )


def show_plan(clusters):
    """Print what annotation costs in this corpus."""
    for size in (2, 5, 10):
        start = time.perf_counter()
        plan = vc.plan_annotation(clusters, theme_size=size).plan
        print(f"Themes of {size} images or more ({time.perf_counter() - start:.1f} s)")
        print(plan.round(3).to_string(index=False), "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    corpus, seen_values, seen_domains = make_corpus(arguments.seed)
    time_assignment()
    show_plan(corpus)
    check_estimates(corpus, seen_values, seen_domains, arguments.draws)
