"""How often intervals of group contrasts hold the truth, where respondents weigh or clusters are drawn too.

Each cell draws many surveys: everything that is said to be random anew, on one assignment of 72 respondents
per party to 8 of the sampled images each. Ratings are normal, so that the truth is known exactly. Part 1 is
`compare_groups` by its own variance and degrees of freedom (`split_crossed`, `measure_contrast`); its
bootstrap of that variance is compared with it in coverage_ratings.md. Part 2 is the mixed model with few
images, and how often it finds a difference against what `power_for_contrast` says. Part 3 is the same where
all rate all images, by mean squares.

Runs alone: `python benchmarks/coverage_contrasts.py --runs 2000`.
"""

import argparse
import time

import numpy as np
import pandas as pd
from coverage_ratings import make_design

import visclust as vc
from visclust.ratings.crossed_bootstrap import measure_contrast, split_crossed
from visclust.ratings.designs import find_fractions, list_designs, spread_ratings, weigh_images
from visclust.ratings.intervals import find_student_interval
from visclust.ratings.mixed_model import _Crossed
from visclust.ratings.power import _find_power

CONTRAST = np.array([1.0, -1.0])
PERSON_SD, IMAGE_SD, CELL_SD, RATING_SD, CLUSTER_SD = 1.0, 0.6, 0.4, 1.4, 0.5
BLOCK = 20  # surveys that share one composition of the respondents
DIFFERENCE = 0.3


def prepare(sample, assignment):
    """Number the ratings once."""
    table = assignment[["respondent", "group", "image_id"]].assign(item="x", rating=1.0, simulated=True)
    (design,) = list_designs(spread_ratings(table, dimensions={}), sample)
    owner = np.zeros(design.codes["respondents"].max() + 1, dtype=int)
    owner[design.codes["respondents"]] = design.codes["groups"]
    return design, owner


def draw_values(rng, design, owner, size, *, effects, cells):
    """Draw ratings (n, size); `effects` (m, g, size) of clusters and images, `cells` adds to them."""
    codes = design.codes
    people = PERSON_SD * rng.normal(size=(len(owner), size))
    felt = (effects + cells)[codes["images"], codes["groups"]] + people[codes["respondents"]]
    return felt + RATING_SD * rng.normal(size=felt.shape) + DIFFERENCE * (codes["groups"] == 0)[:, None]


def tell(design, share, values, truth, **options):
    """Give whether intervals hold the truth, squared standard errors, and errors."""
    parts = split_crossed(values, share, strata=design.clusters, **design.codes, **options)
    variance, freedom = measure_contrast(parts, CONTRAST)
    estimate = CONTRAST @ parts.means
    low, high, _ = find_student_interval(estimate, np.sqrt(variance), freedom, level=0.95)
    return np.column_stack([(low <= truth) & (truth <= high), variance, estimate - truth])


def run_contrasts(sample, assignment, runs):
    """Part 1."""
    design, owner = prepare(sample, assignment)
    clusters, code = np.unique(design.clusters, return_inverse=True)
    rng = np.random.default_rng(1)
    fixed = CLUSTER_SD * rng.normal(size=(len(clusters), 2))
    shares = {name: weigh_images(design, sample, name) for name in ("clusters", "images", "corpus")}
    found = []

    def keep(what, weighting, result):
        found.append(pd.DataFrame(result, columns=["held", "variance", "error"]).assign(
            what=what, weighting=weighting))  # fmt: skip

    n_images, n_people = len(code), len(owner)
    sizes = sample.groupby("cluster")["weight"].sum().round().astype(int).reindex(clusters).to_numpy()
    fractions = find_fractions(design, sample)
    for _ in range(runs // BLOCK):
        shape = (n_images, 2, BLOCK)
        images = IMAGE_SD * rng.normal(size=(n_images, 1, BLOCK)) + CELL_SD * rng.normal(size=shape)
        values = draw_values(rng, design, owner, BLOCK, effects=fixed[code][..., None], cells=images)
        drawn = CLUSTER_SD * rng.normal(size=(len(clusters), 2, BLOCK))
        random = draw_values(rng, design, owner, BLOCK, effects=drawn[code], cells=images)
        # Respondents of three kinds, who feel differently; the kinds are raked to their true shares.
        kinds = rng.choice(3, size=n_people, p=[0.5, 0.3, 0.2])
        people = pd.DataFrame({"respondent": np.arange(n_people).astype(str), "kind": kinds, "group": owner})
        targets = pd.DataFrame({"variable": "kind", "category": [0, 1, 2], "share": [0.25, 0.35, 0.4]})
        raked = vc.rake_respondents(people, targets, within="group").weights["weight"].to_numpy()
        shift = np.array([[0.8, 0.0], [-0.2, 0.1], [-0.6, 0.5]])  # by kind and group
        told = values + shift[kinds, owner][design.codes["respondents"]][:, None]
        chance = np.exp(0.7 * rng.normal(size=n_people))[design.codes["respondents"]]
        more = DIFFERENCE + np.array([0.25, 0.35, 0.4]) @ shift @ CONTRAST
        # A finite corpus: its images' effects are drawn, and then the sample's from them.
        own = np.array([0.0, 0.0])[:, None] + np.zeros((len(clusters), 2, BLOCK))
        finite = np.empty(shape)
        for cluster, size in enumerate(sizes):
            everything = IMAGE_SD * rng.normal(size=(size, 1, BLOCK)) + 3 * CELL_SD * rng.normal(
                size=(size, 2, BLOCK)
            )
            inside = np.flatnonzero(code == cluster)
            finite[inside] = everything[: len(inside)]
            own[cluster] = everything.mean(axis=0)
        limited = draw_values(rng, design, owner, BLOCK, effects=fixed[code][..., None], cells=finite)
        for name, share in shares.items():
            by_cluster = np.bincount(code, weights=share) / share.sum()
            center = by_cluster @ fixed @ CONTRAST
            keep("fixed clusters", name, tell(design, share, values, DIFFERENCE + center))
            weights = raked[design.codes["respondents"]]
            keep("raked weights", name, tell(design, share, told, more + center, weights=weights))
            keep("weights left out", name, tell(design, share, told, more + center))
            keep("weights by chance (design effect 1.6)", name,
                 tell(design, share, values, DIFFERENCE + center, weights=chance))  # fmt: skip
            keep("clusters drawn: random_clusters", name,
                 tell(design, share, random, DIFFERENCE, random_strata=True))  # fmt: skip
            keep("clusters drawn: taken as given", name, tell(design, share, random, DIFFERENCE))
            truth = DIFFERENCE + center + np.einsum("c,cgk,g->k", by_cluster, own, CONTRAST)
            keep("finite corpus: finite_population", name,
                 tell(design, share, limited, truth, fractions=fractions))  # fmt: skip
            keep("finite corpus: as if from many", name, tell(design, share, limited, truth))
    return pd.concat(found, ignore_index=True)


def summarize(table):
    """Give coverage with its Monte Carlo error, and the standard error beside the spread of errors."""
    keys = ["what", "weighting"]
    summary = table.groupby(keys, sort=False).agg(
        runs=("held", "size"), coverage=("held", "mean"),
        standard_error=("variance", lambda each: float(np.sqrt(each.mean()))), spread=("error", "std"),
    )  # fmt: skip
    summary.insert(2, "mc_error", np.sqrt(0.95 * 0.05 / summary["runs"]))
    return summary.reset_index()


CELLS = (
    # people per party, images, rated by each, standard deviation of images within a party, difference, and
    # whether respondents are weighed.
    (40, 8, 4, 0.5, 0.9, False),
    (30, 12, 4, 0.4, 0.8, True),
    (120, 8, 4, 0.4, 0.6, False),
    (20, 24, 6, 0.4, 0.8, False),
    (300, 8, 8, 0.4, 0.6, False),
    (300, 8, 4, 0.4, 0.6, False),
)


def run_mixed(runs, cells):
    """Part 2: images few, respondents many."""
    rows = []
    for people, images, load, cell_sd, difference, weighted in cells:
        person = np.repeat(np.arange(2 * people), load)
        group = person // people
        image = (person % people * load + np.tile(np.arange(load), 2 * people)) % images
        table = pd.DataFrame({
            "respondent": [f"r{each:04d}" for each in person], "group": group.astype(str),
            "image_id": image.astype(str), "item": "x", "rating": 1.0, "simulated": True,
        })  # fmt: skip
        (design,) = list_designs(spread_ratings(table, dimensions={}), None)
        codes = design.codes
        # Three in ten are of a kind that is six in ten of the population, and feels more in the first party.
        kind = np.arange(2 * people) % 10 < 3
        weights = np.where(kind, 0.6 / 0.3, 0.4 / 0.7) if weighted else np.ones(2 * people)
        shift = 1.5 * weighted * (np.arange(2 * people) < people) * (kind - 0.6)
        crossed = _Crossed(design._replace(weights=weights[codes["respondents"]]), 2)
        sds = {"respondent_sd": 1.0, "image_sd": 0.6, "group_image_sd": cell_sd, "residual_sd": 1.4}
        expected = vc.power_for_contrast(
            pd.DataFrame([sds]), difference=difference, n_images=images, per_respondent=load,
            respondents=[people], design_effect=float((weights**2).mean() / weights.mean() ** 2),
        ).iloc[0]  # fmt: skip
        found, start = [], time.time()
        for seed in range(runs):
            rng = np.random.default_rng([people, images, load, seed])
            felt = (shift + rng.normal(size=2 * people))[codes["respondents"]]
            felt = felt + difference * (codes["groups"] == 0)
            felt = felt + 0.6 * rng.normal(size=images)[codes["images"]]
            felt = felt + cell_sd * rng.normal(size=2 * images)[codes["images"] * 2 + codes["groups"]]
            ratios, fit, judgement = crossed.fit(felt + 1.4 * rng.normal(size=len(felt)))
            error, own = judgement.judge(CONTRAST)
            freedom = {"new": own, "old": 2.0 * people - 2}
            estimate = CONTRAST @ fit.means
            row = {"freedom": own, "zero": ratios[2] < 1e-3, "variance": error**2}
            row["error"] = estimate - difference
            for name, each in freedom.items():
                low, high, p = find_student_interval(estimate, error, each, level=0.95)
                row |= {f"held_{name}": low <= difference <= high, f"power_{name}": p < 0.05}
            found.append(row)
        table = pd.DataFrame(found)
        mean = table.mean()
        rows.append({
            "people": people, "images": images, "load": load, "weighted": weighted, "runs": runs,
            "mc_error": np.sqrt(0.95 * 0.05 / runs), "coverage": mean["held_new"],
            "coverage_old": mean["held_old"], "standard_error": np.sqrt(mean["variance"]),
            "spread": table["error"].std(), "effect_zero": mean["zero"],
            "coverage_where_not_zero": table.loc[~table["zero"], "held_new"].mean(),
            "freedom_median": table["freedom"].median(), "freedom_predicted": expected["degrees_of_freedom"],
            "found": mean["power_new"], "found_old": mean["power_old"], "predicted": expected["power"],
            "predicted_old": _find_power(difference, expected["standard_error"], 2 * people - 2, 0.95),
            "seconds": time.time() - start,
        })  # fmt: skip
        print(pd.DataFrame(rows[-1:]).round(3).T.to_string(), flush=True)
    return pd.DataFrame(rows)


def run_complete(runs):
    """Part 3: all rate all images, where the fit has a closed form by mean squares; cells beside zero."""
    rng, rows = np.random.default_rng(3), []
    for people, images, cell_sd in (
        (300, 8, 0.4), (300, 8, 0.1), (120, 8, 0.4), (60, 8, 0.4), (40, 8, 0.5), (40, 8, 0.2), (40, 8, 0.0),
        (30, 24, 0.4),
    ):  # fmt: skip
        free = np.array([2 * (people - 1), images - 1, 2 * (people - 1) * (images - 1)])[:, None]
        expected = np.array([1.4**2 + images, 1.4**2 + people * cell_sd**2, 1.4**2])[:, None]
        person, cell, rest = expected * rng.chisquare(free, size=(3, runs)) / free
        error = np.sqrt(2 / (people * images) * (expected * [[1], [1], [-1]]).sum()) * rng.normal(size=runs)
        # A mean square of cells below the rest's is pooled with it: their variance is estimated as zero.
        zero = cell < rest
        pooled = (cell * free[1] + rest * free[2]) / (free[1] + free[2])
        cell, rest = np.where(zero, pooled, cell), np.where(zero, pooled, rest)
        total = person + cell - rest
        freedom = total**2 / (np.array([person, cell, rest]) ** 2 / free).sum(axis=0)
        found = find_student_interval(error, np.sqrt(2 * total / (people * images)), freedom, level=0.95)
        held = found.p >= 0.05
        rows.append({"people": people, "images": images, "cell_sd": cell_sd, "runs": runs,
                     "coverage": held.mean(), "mc_error": np.sqrt(0.95 * 0.05 / runs),
                     "effect_zero": zero.mean()})  # fmt: skip
    return pd.DataFrame(rows)


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--parts", default="123")
    parser.add_argument("--cells", default="012345", help="of part 2")
    options = parser.parse_args()
    sample, assignment = make_design(clusters=48, people=72)
    if "1" in options.parts:
        start = time.time()
        print(summarize(run_contrasts(sample, assignment, options.runs)).round(4).to_string(), flush=True)
        print(f"{time.time() - start:.0f} s", flush=True)
    if "2" in options.parts:
        run_mixed(options.runs, [CELLS[int(number)] for number in options.cells])
    if "3" in options.parts:
        print(run_complete(20 * options.runs).round(4).to_string(), flush=True)


if __name__ == "__main__":
    main()
