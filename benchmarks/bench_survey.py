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
    share = rng.beta(0.6, 2.4, size=N_CLUSTERS + 1)[labels]
    values = pd.DataFrame(
        {
            "image_id": clusters["image_id"],
            "unrelated to clusters": rng.normal(size=N_IMAGES),
            "alike in clusters": 2 * effect + rng.normal(size=N_IMAGES),
            "skewed": np.exp(0.7 * effect + 0.7 * rng.normal(size=N_IMAGES)),
            "yes or no": (rng.random(N_IMAGES) < share).astype(float),
        }
    )
    domain = pd.Series(rng.choice(["a", "b"], N_IMAGES, p=[0.3, 0.7]), index=clusters["image_id"])
    return clusters, values, domain


def check_estimates(clusters, values, domain, draws, variance):
    """Draw many samples, and compare estimates, standard errors and intervals with the known corpus."""
    frame = clusters["cluster"].ge(0).to_numpy()
    inside = (domain == "a").to_numpy()[frame]
    known = values[frame].drop(columns="image_id")
    truths = {
        "mean": known.mean(),
        "total": known.sum(),
        "mean in a domain": known[inside].mean(),
        "share": known[["yes or no"]].mean(),
        "share in a domain": known.loc[inside, ["yes or no"]].mean(),
    }
    found = []
    yes = values.set_index("image_id")["yes or no"]
    for seed in range(draws):
        sample = vc.draw_stratified_sample(clusters, seed=seed)
        options = {"clusters": clusters, "variance": variance}
        found += [
            vc.estimate_corpus(sample, values, **options).assign(what="mean"),
            vc.estimate_corpus(
                sample, values, statistic="total", estimator="horvitz-thompson", **options
            ).assign(what="total"),
            vc.estimate_corpus(sample, values, by=domain, **options)
            .query("domain == 'a'")
            .assign(what="mean in a domain"),
            vc.estimate_corpus(sample, yes, statistic="proportion", **options)
            .query("category == 1")
            .assign(what="share"),
            vc.estimate_corpus(sample, yes, statistic="proportion", by=domain, **options)
            .query("category == 1 and domain == 'a'")
            .assign(what="share in a domain"),
        ]
    table = pd.concat(found)
    table["truth"] = [truths[what][value] for what, value in zip(table["what"], table["value"], strict=True)]
    table["held"] = table["low"].le(table["truth"]) & table["high"].ge(table["truth"])
    rows = []
    for (what, value), part in table.groupby(["what", "value"], sort=False):
        spread = part["estimate"].std()
        rows.append(
            {
                "estimate of": what,
                "value": value,
                "truth": part["truth"].iloc[0],
                "bias / standard error": (part["estimate"].mean() - part["truth"].iloc[0]) / spread,
                "estimated / true variance": (part["standard_error"] ** 2).mean() / spread**2,
                "coverage of 95% intervals": part["held"].mean(),
                "its error": np.sqrt(part["held"].mean() * (1 - part["held"].mean()) / len(part)),
                "design effect": part["design_effect"].median(),
                "degrees of freedom": part["degrees_of_freedom"].median(),
            }
        )
    print(f"{draws} stratified samples, variance {variance}; {frame.sum()} of {len(frame)} images covered.")
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
    people = pd.DataFrame({"respondent": [f"r{i:03d}" for i in range(720)], "party": ["D", "R"] * 360})
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
    corpus, seen_values, domains = make_corpus(arguments.seed)
    time_assignment()
    show_plan(corpus)
    for kind in ("own", "pooled"):
        check_estimates(corpus, seen_values, domains, arguments.draws, kind)
