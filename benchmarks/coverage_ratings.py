"""How often the intervals of group comparisons hold the truth, over many simulated surveys.

Ratings come from the stated model of `vc.simulate_ratings`, whose true means after rounding are known.
Part 1 holds the clusters fixed and draws respondents, images and ratings anew in each survey. Part 2 draws
the clusters anew too, since shrunk estimates are right on average over clusters. Part 3 counts how often a
difference is found, against what `power_for_contrast` says. Part 4 repeats the differences of part 1 in four
times as many other surveys: with the variance of `split_crossed` itself, and with its bootstrap of 500 and
of 2,000 resamples.

Runs alone: `python benchmarks/coverage_ratings.py --surveys 500`.
"""

import argparse
import time

import numpy as np
import pandas as pd
from scipy.stats import norm, t

from visclust.base.bootstrap import find_interval
from visclust.ratings.cluster_contrasts import contrast_clusters
from visclust.ratings.crossed_bootstrap import measure_contrast, resample_crossed, split_crossed
from visclust.ratings.designs import WEIGHTINGS, list_designs, spread_ratings, weigh_images
from visclust.ratings.group_contrasts import compare_groups
from visclust.ratings.mixed_model import fit_mixed_contrast
from visclust.ratings.power import power_for_contrast
from visclust.ratings.simulation import (
    _expect_ratings,
    draw_cluster_effects,
    expect_contrasts,
    make_rating_model,
    simulate_ratings,
)
from visclust.ratings.summaries import summarize_emotions
from visclust.sampling.samples import draw_stratified_sample
from visclust.survey.assignment import assign_respondents

SOME = ["hopeful", "hateful", "afraid"]


def make_design(*, clusters, people, largest=120):
    """Clusters with a heavy tail of sizes, up to five images of each, eight images per respondent."""
    sizes = np.maximum(2, np.round(largest / np.arange(1, clusters + 1) ** 0.8)).astype(int)
    labels = np.repeat(np.arange(clusters), sizes)
    names = [f"i{number:05d}" for number in range(len(labels))]
    table = pd.DataFrame({"image_id": names, "cluster": labels, "iteration": 1, "silhouette": 0.1})
    sample = draw_stratified_sample(table)
    respondents = pd.DataFrame(
        {
            "respondent": [f"r{number:04d}" for number in range(2 * people)],
            "group": np.repeat(["Democrat", "Republican"], people),
        }
    )
    return sample, assign_respondents(sample, respondents, per_respondent=8, seed=0)


def add_truth(table, truth, *, kind):
    """Join the true values of means, or of differences."""
    names = ["weighting", "item", "group"]
    expected = truth.set_index(names)["expected"]
    value = expected.reindex(pd.MultiIndex.from_frame(table[names])).to_numpy()
    if kind == "difference":
        other = table.assign(group=table["reference"])[names]
        value = value - expected.reindex(pd.MultiIndex.from_frame(other)).to_numpy()
    return table.assign(truth=value, kind=kind)


def fixed_clusters(sample, assignment, *, surveys, n_bootstrap):
    """Part 1: means and differences, by each method."""
    model = make_rating_model(["Democrat", "Republican"])
    effects = draw_cluster_effects(model, sample["cluster"], seed=1)
    found = []
    for seed in range(surveys):
        simulated = simulate_ratings(assignment, model=model, cluster_effects=effects, seed=seed)
        truth = expect_contrasts(simulated, sample)
        for method in ("crossed", "pigeonhole"):
            compared = compare_groups(
                simulated.ratings, sample, method=method, n_bootstrap=n_bootstrap, seed=seed
            )
            found.append(add_truth(compared.means, truth, kind="mean").assign(method=method))
            found.append(add_truth(compared.differences, truth, kind="difference").assign(method=method))
            if method == "crossed":
                # The same estimates with a normal interval from the standard error of single ratings.
                found.append(_ignore_crossing(simulated.ratings, found[-1]))
        some = simulated.ratings[simulated.ratings["item"].isin(SOME)]
        mixed = fit_mixed_contrast(some, dimensions={}).differences.assign(weighting="images")
        found.append(add_truth(mixed, truth, kind="difference").assign(method="mixed model"))
        summary = summarize_emotions(simulated.ratings, sample)
        if seed == 0:
            cells = _expect_ratings(model, effects).groupby(["cluster", "item"])["expected"].mean()
        value = cells.reindex(pd.MultiIndex.from_frame(summary[["cluster", "item"]])).to_numpy()
        found.append(summary.assign(truth=value, kind="mean of a cluster", method="moderated", weighting="-"))
    return pd.concat(found, ignore_index=True)


def _ignore_crossing(ratings, differences):
    """Give what a t test of all ratings as if independent says, for comparison."""
    spread = ratings.pivot_table(index=["respondent", "group", "image_id"], columns="item", values="rating")
    rows = differences[differences["weighting"].eq("images") & differences["level"].eq("emotion")].copy()
    groups = spread.groupby("group")
    apart = (groups.mean().diff().iloc[-1] * -1)[rows["item"]].to_numpy()
    error = np.sqrt((groups.var() / groups.count()).sum())[rows["item"]].to_numpy()
    return rows.assign(
        estimate=apart, standard_error=error, low=apart - 1.96 * error, high=apart + 1.96 * error,
        method="ratings as independent",
    )  # fmt: skip


def drawn_clusters(sample, assignment, *, surveys):
    """Part 2: differences in each cluster, raw and shrunk."""
    found = []
    for seed in range(surveys):
        simulated = simulate_ratings(assignment, seed=10_000 + seed)
        cells = _expect_ratings(simulated.model, simulated.cluster_effects)
        wide = cells.pivot(index=["cluster", "item"], columns="group", values="expected")
        truth = wide["Democrat"] - wide["Republican"]
        table = contrast_clusters(simulated.ratings, sample)
        value = truth.reindex(pd.MultiIndex.from_frame(table[["cluster", "item"]])).to_numpy()
        raw = table.assign(
            low=table["estimate"] - 1.96 * table["standard_error"],
            high=table["estimate"] + 1.96 * table["standard_error"],
            method="raw",
        )
        shrunk = table.assign(estimate=table["shrunk"], method="shrunk")
        rows = pd.concat([raw, shrunk]).assign(
            truth=np.tile(value, 2), kind="difference in a cluster", weighting="-", survey=seed
        )
        found.append(rows)
    return pd.concat(found, ignore_index=True)


def summarize(table):
    """Coverage, mean standard error, and the spread of the errors that it should equal."""
    table = table.assign(
        covered=table["low"].le(table["truth"]) & table["truth"].le(table["high"]),
        error=table["estimate"] - table["truth"],
        width=table["high"] - table["low"],
    )
    keys = ["kind", "method", "weighting"]
    per_item = table.groupby([*keys, "item"])
    spread = per_item["error"].std().groupby(keys).mean()
    lowest = per_item["covered"].mean().groupby(keys).min()
    summary = table.groupby(keys).agg(
        intervals=("covered", "size"), coverage=("covered", "mean"), bias=("error", "mean"),
        standard_error=("standard_error", "mean"), width=("width", "mean"),
        root_mean_square=("error", lambda error: float(np.sqrt((error**2).mean()))),
    )  # fmt: skip
    return summary.assign(lowest_item=lowest, spread_of_errors=spread).reset_index()


def false_findings(table):
    """How often a raw difference in a cluster is called a finding, and has the wrong sign then."""
    raw = table[table["method"].eq("raw") & table["level"].eq("emotion")]
    return {
        "differences": len(raw),
        "p < 0.05 alone": float(raw["p"].lt(0.05).mean()),
        "p adjusted < 0.05": float(raw["p_adjusted"].lt(0.05).mean()),
        "of those, wrong direction": float(
            (np.sign(raw["estimate"]) != np.sign(raw["truth"]))[raw["p_adjusted"].lt(0.05)].mean()
        ),
        "wrong direction, p < 0.05 alone": float(
            (np.sign(raw["estimate"]) != np.sign(raw["truth"]))[raw["p"].lt(0.05)].mean()
        ),
    }


def check_power(sample, assignment, *, surveys):
    """Part 3: one item on an open scale, where the components are known."""
    sds = {"respondent_sd": 1.2, "group_image_sd": 0.4, "residual_sd": 1.5}
    people = int(assignment["respondent"].nunique() // 2)
    predicted = power_for_contrast(
        pd.DataFrame([sds]), difference=0.5, n_images=len(sample), respondents=[people]
    )
    codes = {name: pd.factorize(assignment[name])[0] for name in ("respondent", "image_id")}
    democrat = assignment["group"].eq("Democrat").to_numpy()
    cells = codes["image_id"] * 2 + democrat
    found = 0
    for seed in range(surveys):
        rng = np.random.default_rng(20_000 + seed)
        felt = rng.normal(size=codes["respondent"].max() + 1)[codes["respondent"]] * sds["respondent_sd"]
        felt = felt + rng.normal(size=cells.max() + 1)[cells] * sds["group_image_sd"]
        felt = felt + rng.normal(size=len(felt)) * sds["residual_sd"] + 0.5 * democrat
        ratings = assignment[["respondent", "group", "image_id"]].assign(
            item="proud", rating=felt, simulated=True
        )
        compared = compare_groups(
            ratings, sample, weightings=["images"], dimensions={}, n_bootstrap=300, seed=seed
        )
        found += int(compared.differences["low"].iloc[0] > 0)
    return {"predicted": float(predicted["power"].iloc[0]), "found": found / surveys}


def check_variance(sample, assignment, *, surveys, first):
    """Part 4: how often intervals hold the true difference, by the variance itself and by its bootstrap."""
    model, contrast = make_rating_model(["Democrat", "Republican"]), np.array([1.0, -1.0])
    effects = draw_cluster_effects(model, sample["cluster"], seed=1)
    found = []
    for seed in range(surveys):
        simulated = simulate_ratings(assignment, model=model, cluster_effects=effects, seed=first + seed)
        spread = spread_ratings(simulated.ratings)
        if seed == 0:
            truth = expect_contrasts(simulated, sample)
            truth = truth.pivot(index=["weighting", "item"], columns="group", values="expected")
            truth = truth["Democrat"] - truth["Republican"]
        (design,) = list_designs(spread, sample)
        for weighting in WEIGHTINGS:
            weights = weigh_images(design, sample, weighting)
            parts = split_crossed(design.values, weights, strata=design.clusters, seed=seed, **design.codes)
            variance, freedom = measure_contrast(parts, contrast)
            error = np.sqrt(variance)
            reach = t.ppf(0.975, freedom) * error
            apart = contrast @ parts.means - truth[weighting][spread.outcomes["item"]].to_numpy()
            rows = {"item": spread.outcomes["item"], "no_bootstrap": np.abs(apart) < reach}
            replicates = np.einsum(
                "g,bgk->bk", contrast, resample_crossed(parts, n_bootstrap=2000, seed=seed)
            )
            for count in (500, 2000):
                ends = np.array(find_interval(replicates[:count])) - contrast @ parts.means
                ends = ends * reach / (norm.ppf(0.975) * error) + apart
                rows[f"resamples_{count}"] = (ends[0] <= 0) & (ends[1] >= 0)
            found.append(pd.DataFrame({**rows, "error": apart, "variance": error**2, "weighting": weighting}))
    table = pd.concat(found).groupby("weighting", sort=False)
    spread_of_errors = pd.concat(found).groupby(["weighting", "item"])["error"].std()
    return pd.DataFrame(
        {
            **{name: table[name].mean() for name in ("no_bootstrap", "resamples_500", "resamples_2000")},
            "root_mean_variance": np.sqrt(table["variance"].mean()),
            "spread_of_errors": spread_of_errors.groupby("weighting").mean(),
        }
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--surveys", type=int, default=500)
    parser.add_argument("--bootstrap", type=int, default=400)
    parser.add_argument("--clusters", type=int, default=48)
    parser.add_argument("--people", type=int, default=72)
    parser.add_argument("--first", type=int, default=100_000, help="seed of the first survey of part 4")
    parser.add_argument("--parts", default="1234", help="which parts to run")
    options = parser.parse_args()
    sample, assignment = make_design(clusters=options.clusters, people=options.people)
    print(f"{options.surveys} surveys: {len(sample)} images in {options.clusters} clusters, "
          f"{2 * options.people} respondents, {len(assignment)} rated images")  # fmt: skip
    start = time.perf_counter()
    if "1" in options.parts:
        found = fixed_clusters(sample, assignment, surveys=options.surveys, n_bootstrap=options.bootstrap)
        print(summarize(found).round(3).to_string(index=False), flush=True)
    if "2" in options.parts:
        found = drawn_clusters(sample, assignment, surveys=options.surveys)
        print(summarize(found).round(3).to_string(index=False), flush=True)
        for name, value in false_findings(found).items():
            print(f"{name}: {value:.4g}", flush=True)
    if "3" in options.parts:
        print("Power", check_power(sample, assignment, surveys=options.surveys))
    if "4" in options.parts:
        print(
            check_variance(sample, assignment, surveys=4 * options.surveys, first=options.first)
            .round(4)
            .to_string()
        )
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
