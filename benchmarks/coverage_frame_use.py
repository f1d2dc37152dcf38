"""How often do the intervals of `test_frame_use` hold the truth, where users repeat themselves?

    python benchmarks/coverage_frame_use.py [--runs 1000]

Each run draws users with a score, posts per user, and whether each post uses a frame. The use is exactly
logistic in the score: with a chance of 60% a post does what its user always does, and that habit and every
other post are drawn with the same probability. So the true slope over posts is known, and posts of a user are
correlated at 0.36. Per design: the coverage of the 95% intervals of the log-odds ratio (clustered with t,
clustered with the normal distribution, naive) and of the average marginal effect; how the standard errors
compare with the standard deviation of the estimates; and how often a slope of 0 is called significant at 5%.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit

from visclust.frame_tests import test_frame_use

REPEAT, INTERCEPT = 0.6, -1.5
# Users, and the standard deviation of the logarithm of their expected posts: 0 is even, 1.5 very uneven.
DESIGNS = [(30, 0.0), (100, 0.0), (500, 0.0), (100, 1.0), (500, 1.0), (500, 1.5), (1200, 1.5)]


def run_once(seed: int, *, n_users: int, spread: float, slope: float) -> dict[str, float]:
    """Draw one corpus and compare the estimates with the truth."""
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
    found = test_frame_use(posts, pd.DataFrame({"author": names, "ideology": score}), min_users=5)
    row = found.effects.iloc[0]
    if row["reason"]:
        return {"tested": 0.0}
    deviation = found.counts["ideology_sd"].iloc[0]
    error = row["log_odds"] - slope * deviation
    # The truth of the marginal effect, averaged over the posts of this corpus.
    effect = (slope * deviation * probability * (1 - probability))[user].mean()
    t = stats.t.ppf(0.975, n_users - 1)
    return {
        "tested": 1.0,
        "error": error,
        "clustered": row["standard_error"],
        "naive": row["naive_standard_error"],
        "covered_t": abs(error) < t * row["standard_error"],
        "covered_normal": abs(error) < 1.96 * row["standard_error"],
        "covered_naive": abs(error) < 1.96 * row["naive_standard_error"],
        "covered_effect": row["effect_low"] < effect < row["effect_high"],
        "rejected": row["p_value"] < 0.05,
        "effective": found.counts["effective_users"].iloc[0],
    }


def main() -> None:
    """Run the designs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    print(
        "| users | spread | effective users | tested | clustered, t | clustered, normal | naive | effect |",
        end="",
    )
    print(" clustered SE / SD | naive SE / SD | rejected at slope 0 |")
    print("|" + " --- |" * 11)
    with ProcessPoolExecutor(given.processes) as pool:
        for n_users, spread in DESIGNS:
            results = []
            for slope in (0.5, 0.0):
                draw = partial(run_once, n_users=n_users, spread=spread, slope=slope)
                results.append(pd.DataFrame(list(pool.map(draw, range(given.runs), chunksize=20))))
            truth, null = results
            deviation = truth["error"].std()
            numbers = [
                f"{truth['effective'].mean():.0f}",
                f"{truth['tested'].mean():.1%}",
                *(f"{truth[f'covered_{kind}'].mean():.1%}" for kind in ("t", "normal", "naive", "effect")),
                *(f"{np.sqrt((truth[kind] ** 2).mean()) / deviation:.2f}" for kind in ("clustered", "naive")),
                f"{null['rejected'].mean():.1%}",
            ]
            print(f"| {n_users} | {spread} | " + " | ".join(numbers) + " |", flush=True)


if __name__ == "__main__":
    main()
