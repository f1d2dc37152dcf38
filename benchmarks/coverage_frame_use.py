"""How often do the intervals of `model_frame_use` hold the truth, where users repeat themselves?

    python benchmarks/coverage_frame_use.py [--runs 500]

Each run draws users with a score, posts per user, and whether each post uses a frame. The use is exactly
logistic in the score: with a chance of 60% a post does what its user always does, and that habit and every
other post are drawn with the same probability. So the true slope over posts is known, and posts of a user are
correlated at 0.36. Per design and kind of standard error (naive, clustered, jackknife): the coverage of the
95% intervals of the log-odds ratio and of the average marginal effect; how the standard errors compare with
the standard deviation of the estimates; and how often a slope of 0 is called significant at 5%.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit

from visclust.exploration.frame_use import model_frame_use

REPEAT, INTERCEPT = 0.6, -1.5
# Users, and the standard deviation of the logarithm of their expected posts: 0 is even, 1.5 very uneven.
DESIGNS = [(30, 0.0), (100, 0.0), (100, 1.0), (500, 1.0), (500, 1.5)]


def run_once(seed: int, *, n_users: int, spread: float, slope: float) -> list[dict]:
    """Draw one corpus and compare the estimates with the truth, a row per kind of standard error."""
    rng = np.random.default_rng([seed, n_users, int(10 * spread), int(10 * slope)])
    score = rng.normal(size=n_users)
    number = 1 + rng.poisson(4 * rng.lognormal(-(spread**2) / 2, spread, n_users))
    user = np.repeat(np.arange(n_users), number)
    probability = expit(INTERCEPT + slope * score)
    habit = (rng.random(n_users) < probability)[user]
    fresh = rng.random(len(user)) < probability[user]
    uses = np.where(rng.random(len(user)) < REPEAT, habit, fresh)
    names = np.array([f"user {i}" for i in range(n_users)])
    posts = pd.DataFrame({"author": names[user], "frame": uses})
    ideology = pd.DataFrame({"author": names, "ideology": score})
    deviation = score.std(ddof=1)
    # The truth of the marginal effect, averaged over the posts of this corpus.
    effect = (slope * deviation * probability * (1 - probability))[user].mean()
    t = stats.t.ppf(0.975, n_users - 1)
    rows = []
    for kind in ("clustered", "jackknife"):
        found = model_frame_use(posts, ideology, errors=kind, min_users=5, n_points=2)
        row = found.effects.iloc[0]
        if row["reason"]:
            return []
        error, p_value = row["log_odds"] - slope * deviation, row["p_value"]
        effective = found.counts["effective_users"].iloc[0]
        shared = {"users": n_users, "spread": spread, "effective": effective, "slope": slope, "error": error}
        if kind == "clustered":
            naive = row["naive_standard_error"]
            shown = {"kind": "naive", "se": naive, "covered": abs(error) < t * naive}
            rows.append({**shared, **shown, "rejected": abs(row["log_odds"]) > t * naive})
        shown = {"kind": kind, "se": row["standard_error"], "covered": abs(error) < t * row["standard_error"]}
        within = row["effect_low"] < effect < row["effect_high"]
        rows.append({**shared, **shown, "rejected": p_value < 0.05, "effect": within})
    return rows


def main() -> None:
    """Run the designs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    print(
        "| users | spread | effective users | errors | coverage | SE / SD | coverage of effect | rejected |"
    )
    print("|" + " --- |" * 8)
    with ProcessPoolExecutor(given.processes) as pool:
        for n_users, spread in DESIGNS:
            rows = []
            for slope in (0.5, 0.0):
                draw = partial(run_once, n_users=n_users, spread=spread, slope=slope)
                for part in pool.map(draw, range(given.runs), chunksize=20):
                    rows += part
            table = pd.DataFrame(rows)
            for kind, part in table.groupby("kind", sort=False):
                true, null = part[part["slope"] > 0], part[part["slope"] == 0]
                ratio = np.sqrt((true["se"] ** 2).mean()) / true["error"].std()
                effect = true["effect"].mean()
                print(
                    f"| {n_users} | {spread} | {true['effective'].mean():.0f} | {kind} "
                    f"| {true['covered'].mean():.1%} ({len(true)} runs) | {ratio:.2f} "
                    f"| {'' if np.isnan(effect) else f'{effect:.1%}'} | {null['rejected'].mean():.1%} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
