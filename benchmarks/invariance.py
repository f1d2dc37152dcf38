"""What the tests of measurement invariance decide, and how often intervals of latent differences hold.

Each cell draws respondents, images and ratings anew in every run, from a factor model of two dimensions of
three items with random effects of respondents, images, images within a group, and each respondent's own
habit with each item. The rule (CFI falls by more than .01) stands beside the chi-square difference at 5%.

Runs alone: `python benchmarks/invariance.py --runs 2000`.
"""

import argparse
import time

import numpy as np
import pandas as pd
from scipy.stats import chi2

from visclust.ratings.group_factors import measure_group_scaling, measure_moments
from visclust.ratings.invariance import MOST_CHANGE, GroupRatings, fit_model, free_items, measure_latent

LOADINGS = np.array([1.0, 0.9, 0.8, 1.0, 0.9, 0.8])
FACTORS = np.array([0, 0, 0, 1, 1, 1])
TRUTH = 0.5 * LOADINGS[:3].mean()  # points of the first dimension; the groups are alike on the second
IMAGES, PER_PERSON = 96, 8
# people of each group, standard deviation of habits, points by which an item is lower in one group
CELLS = [(48, 0.0, 0.0), (48, 0.4, 0.0), (24, 0.4, 0.0), (48, 0.4, 1.0)]


def make_design(people):
    """Give who rates what, as far as it is the same in all runs."""
    person = np.repeat(np.arange(2 * people), PER_PERSON)
    turn = np.arange(len(person)) % (people * PER_PERSON)
    image = turn % IMAGES
    group = (person >= people).astype(int)
    items = [f"item {number}" for number in range(6)]
    rows = np.arange(len(person))
    counts = pd.DataFrame()
    return GroupRatings(
        np.empty(0), person, image, group, ["b", "a"], items, FACTORS, ["one", "two"], rows, counts
    )


def draw_ratings(design, *, habit, lower, rng):
    """Draw the ratings (n, 6) of a run."""
    people, n = design.people.max() + 1, len(design.people)
    felt = rng.normal(size=(people, 2))[design.people] * 0.9
    felt += rng.normal(size=(IMAGES, 2))[design.images] * 0.5
    felt += rng.normal(size=(2, IMAGES, 2))[design.groups, design.images] * 0.2
    felt += rng.normal(size=(n, 2)) * 1.3
    felt[:, 0] += 0.5 * design.groups
    values = 5 + LOADINGS * felt[:, FACTORS] + rng.normal(size=(n, 6))
    values += habit * rng.normal(size=(people, 6))[design.people]
    values[:, 1] -= lower * design.groups
    return values


def run_cell(people, habit, lower, *, runs, seed):
    """Count over many runs what is found."""
    rng = np.random.default_rng(seed)
    design = make_design(people)
    every = np.ones(6, dtype=bool)
    starts, rows = [None] * 3, []
    for _ in range(runs):
        values = draw_ratings(design, habit=habit, lower=lower, rng=rng)
        ratings = design._replace(values=values)
        moments = measure_moments(values, design.groups)
        steps = ((~every, ~every), (every, ~every), (every, every))
        models = [
            fit_model(moments, FACTORS, *step, start) for step, start in zip(steps, starts, strict=True)
        ]
        starts = models if starts[0] is None else starts
        found = [model.fit.measures for model in models]
        row = {}
        for name, low, high in (("metric", 0, 1), ("scalar", 1, 2)):
            change = found[high]["chi2"] - found[low]["chi2"]
            row[f"{name} chi2"] = chi2.sf(change, found[high]["df"] - found[low]["df"]) < 0.05
            row[f"{name} rule"] = found[low]["cfi"] - found[high]["cfi"] > MOST_CHANGE
        final = models[2]
        if row["scalar rule"]:
            final = free_items(moments, FACTORS, models[2], models[1], "scalar")
        row["right item"] = (~final.intercepts).tolist() == [False, True, False, False, False, False]
        latent = measure_latent(ratings, final, level=0.95)
        for place, truth in ((0, TRUTH), (1, 0.0)):
            if (place, 1) in latent:
                one = latent[place, 1]
                row[f"holds {place}"] = one["low"] <= truth <= one["high"]
                row[f"latent {place}"] = one["latent"]
                row[f"error {place}"] = one["standard_error"]
        own = values[:, :3].mean(axis=1)
        row["observed"] = own[design.groups == 1].mean() - own[design.groups == 0].mean()
        if len(rows) < 200:
            ways = (design.people, design.images, np.arange(len(values)))
            parts = [
                measure_group_scaling(
                    values, design.groups, models[2].fit, factors=FACTORS.tolist(), clusters=each
                )
                for each in ways
            ]
            row["scaling"] = parts[0] + parts[1] - parts[2]
        rows.append(row)
    return pd.DataFrame(rows)


def summarize(table):
    """Give shares and means of a cell."""
    found = {
        name: table[name].astype(float).mean()
        for name in (
            "metric chi2",
            "metric rule",
            "scalar chi2",
            "scalar rule",
            "right item",
            "observed",
            "scaling",
        )
    }
    for place in (0, 1):
        held = table[f"holds {place}"].dropna().astype(float)
        found |= {f"coverage {place}": held.mean(), f"latent {place}": table[f"latent {place}"].mean()}
        found |= {
            f"spread {place}": table[f"latent {place}"].std(),
            f"error {place}": table[f"error {place}"].mean(),
        }
        found[f"decided {place}"] = len(held) / len(table)
    return found


def main():
    """Print a row per cell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    runs = parser.parse_args().runs
    pd.set_option("display.width", 250, "display.max_columns", 40)
    for number, (people, habit, lower) in enumerate(CELLS):
        start = time.perf_counter()
        found = summarize(run_cell(people, habit, lower, runs=runs, seed=number))
        print(
            f"people {people}, habit {habit}, item lower by {lower}: {time.perf_counter() - start:.0f} s",
            flush=True,
        )
        print({name: round(float(value), 4) for name, value in found.items()}, flush=True)


if __name__ == "__main__":
    main()
