"""How often do intervals that rest on guesses and on labels of a sample hold the truth?

    python benchmarks/coverage_guesses.py [--runs 2000] [--part shares|frames]

Part "shares": `estimate_corpus` with guesses of several worths, samples at random and stratified, of one
made-up corpus of 309 clusters. Coverage of 95% intervals, their mean width, and that of the labels alone.

Part "frames": posts of users with a score; a frame that the score does (odds ratio 1.49) or does not (1.00)
predict; a cluster that holds 90% of it and takes in other images, which one side posts more. The regression
of the guesses, and the one corrected by labels of a sample: mean odds ratios (of the mean log) and coverage.
"""

import argparse

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit

from visclust.exploration.frame_corrections import PostLabels, correct_outcomes, fit_corrected
from visclust.exploration.frame_models import fit_frame
from visclust.exploration.post_samples import draw_post_sample
from visclust.sampling.estimates import _estimate
from visclust.sampling.guesses import Guess
from visclust.sampling.samples import SampleDesign

OPTIONS = ("mean", "hajek", "moderated", 0.95)


def make_corpus(
    rng: np.random.Generator, share: float
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Make 309 clusters of lognormal sizes, a label per image, and guesses of several worths."""
    sizes = np.maximum(2, rng.lognormal(3.3, 0.9, 309)).astype(int)
    cluster = np.repeat(np.arange(309), sizes)
    chance = rng.beta(2 * share, 2 * (1 - share), 309)[cluster]
    y = (rng.random(len(cluster)) < chance).astype(float)
    logit = np.log((0.02 + 0.96 * chance) / (1 - 0.02 - 0.96 * chance))
    guesses = {
        "noise": rng.random(len(y)),
        "cluster's share": chance,
        "probabilities": expit(logit + 1.5 * (2 * y - 1) + rng.normal(size=len(y))),
        "5% wrong": np.where(rng.random(len(y)) < 0.05, 1 - y, y),
    }
    return cluster, y, guesses


def draw(
    rng: np.random.Generator, cluster: np.ndarray, *, size: int | None
) -> tuple[np.ndarray, SampleDesign]:
    """Draw a simple random sample of a size, or min(5, N - 1) of each cluster."""
    ones = np.ones(len(cluster), dtype=np.int64)
    if size:
        rows = rng.choice(len(cluster), size, replace=False)
        zeros = np.zeros(size, dtype=np.int64)
        return rows, SampleDesign(zeros, np.array([len(cluster)]), 0 * ones, ones, np.ones(size))
    counts = np.bincount(cluster)
    order = np.lexsort((rng.random(len(cluster)), cluster))
    place = np.arange(len(cluster)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = order[place < np.minimum(5, counts - 1)[cluster]]
    return rows, SampleDesign(cluster[rows], counts, cluster, ones, np.ones(len(rows)))


def run_shares(runs: int) -> None:
    """Print the coverage of shares."""
    print("| sample | labels | true share | guesses | coverage | width | alone | width alone | saved |")
    print("|" + " --- |" * 9, flush=True)
    for share in (0.3, 0.05):
        cluster, y, guesses = make_corpus(np.random.default_rng(1), share)
        for size in (500, None):
            found: dict[str, list] = {name: [] for name in ["alone", *guesses]}
            for run in range(runs):
                rows, design = draw(np.random.default_rng([run, size or 0]), cluster, size=size)
                inside = np.ones(len(rows), dtype=bool)
                for name in found:
                    guess = None if name == "alone" else Guess(guesses[name][rows], guesses[name].sum())
                    one = _estimate(y[rows], inside, design, len(y), OPTIONS, guess, is_share=True)
                    held = one["low"] <= y.mean() <= one["high"]
                    found[name].append((held, one["high"] - one["low"], one.get("labels_saved", 0.0)))
            alone = np.mean(found.pop("alone"), axis=0)
            for name, each in found.items():
                held, width, saved = np.mean(each, axis=0)
                how = "random" if size else "stratified"
                print(
                    f"| {how} | {len(rows)} | {y.mean():.3f} | {name} | {held:.3f} "
                    f"| {width:.4f} | {alone[0]:.3f} | {alone[1]:.4f} | {saved:.0%} |",
                    flush=True,
                )


def run_frame(seed: int, *, slope: float, size: int) -> tuple[float, ...] | None:
    """Draw one corpus of posts and give the estimates and errors with and without the correction."""
    rng = np.random.default_rng([seed, round(10 * slope), size])
    score = rng.normal(size=400)
    user = np.repeat(np.arange(400), 1 + rng.poisson(12 * rng.lognormal(-0.3, 0.7, 400)))
    chance = expit(-1.6 + slope * score)
    habit = (rng.random(400) < chance)[user]
    uses = np.where(rng.random(len(user)) < 0.3, habit, rng.random(len(user)) < chance[user])
    others = rng.random(len(user)) < expit(-2.85 + 0.95 * score[user])
    guess = (uses & (rng.random(len(user)) < 0.9)) | others
    matrix = np.column_stack([np.ones(len(user)), score[user]])
    posts = pd.DataFrame({"post_id": np.arange(len(user)), "frame": guess})
    drawn = draw_post_sample.__wrapped__(posts, size=size, seed=seed)  # type: ignore[attr-defined]
    chances = np.full(len(user), np.nan)
    chances[drawn["post_id"]] = drawn["inclusion_probability"]
    sampled = ~np.isnan(chances)
    labels = PostLabels(sampled, np.where(sampled, chances, 1.0), pd.DataFrame({"frame": uses}))
    outcomes = correct_outcomes(
        guess.astype(float), labels, "frame", matrix=matrix, users=user, folds=5, seed=0
    )
    naive, fit = fit_frame(matrix, guess, user), fit_corrected(matrix, outcomes, user, sampled)
    knife = fit_corrected(matrix, outcomes, user, sampled, errors="jackknife")
    if isinstance(naive, str) or isinstance(fit, str) or isinstance(knife, str):
        return None
    reach = stats.t.ppf(0.975, fit.degrees_of_freedom)
    wide, narrow = (reach * np.sqrt(each.covariance[1, 1]) for each in (knife, fit))
    slope_guessed, slope_found = naive.parameters[1], fit.parameters[1]
    of_guess = stats.t.ppf(0.975, naive.degrees_of_freedom) * np.sqrt(naive.covariance[1, 1])
    return (
        slope_guessed,
        slope_found,
        abs(slope_guessed - slope) < of_guess,
        abs(slope_found - slope) < narrow,
        abs(slope_found - slope) < wide,
        narrow / reach,
    )


def run_frames(runs: int) -> None:
    """Print what guesses and corrected guesses make of a true odds ratio."""
    print(
        "| true odds ratio | labelled posts | of guesses | coverage | corrected | coverage | jackknife "
        "| standard error | spread | runs |"
    )
    print("|" + " --- |" * 10, flush=True)
    for slope in (0.0, 0.4):
        for size in (300, 600):
            rows = [row for seed in range(runs) if (row := run_frame(seed, slope=slope, size=size))]
            mean, spread = np.mean(rows, axis=0), np.std(rows, axis=0)[1]
            print(
                f"| {np.exp(slope):.2f} | {size} | {np.exp(mean[0]):.2f} | {mean[2]:.3f} "
                f"| {np.exp(mean[1]):.3f} | {mean[3]:.3f} | {mean[4]:.3f} | {mean[5]:.4f} "
                f"| {spread:.4f} | {len(rows)} |",
                flush=True,
            )


def main() -> None:
    """Run the parts and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--part", choices=["shares", "frames"])
    given = parser.parse_args()
    if given.part != "frames":
        run_shares(given.runs)
    if given.part != "shares":
        run_frames(given.runs)


if __name__ == "__main__":
    main()
