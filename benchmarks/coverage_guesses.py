"""How often do intervals that rest on guesses and on labels of a sample hold the truth?

    python benchmarks/coverage_guesses.py [--runs 2000] [--part shares|learned|frames]

Part "shares": `estimate_corpus` with guesses of several worths, samples at random and stratified, of one
made-up corpus of 309 clusters. Coverage of 95% intervals, their mean width, and that of the labels alone. All
samples are reckoned at once; that this is what `estimate_corpus` gives is checked on the first draws.

Part "learned": the same with the guesses of `guess_labels`, learned anew from the labels of each sample and
an embedding of ten dimensions. The regression is fitted here by Newton's method, in a fiftieth of the time of
scikit-learn's for so few rows; that both find the same is checked first.

Part "frames": posts of users with a score; a frame that the score does (odds ratio 1.49) or does not (1.00)
predict; a cluster that holds 90% of it and takes in other images, which one side posts more. The regression
of the guesses, and the one corrected by labels of a sample: mean odds ratios (of the mean log) and coverage.
"""

import argparse
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit, ndtri, stdtrit

from visclust.exploration.frame_corrections import PostLabels, correct_outcomes, fit_corrected
from visclust.exploration.post_samples import draw_post_sample
from visclust.sampling import label_guesses
from visclust.sampling.estimates import _estimate
from visclust.sampling.guesses import Guess
from visclust.sampling.samples import SampleDesign
from visclust.sampling.variances import _group_by_size

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
        "0.5% wrong": np.where(rng.random(len(y)) < 0.005, 1 - y, y),
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


class Draws(NamedTuple):
    """Rows of many samples of one design (runs, n), by stratum; sizes of the strata, and images in all."""

    rows: np.ndarray
    drawn: np.ndarray
    sizes: np.ndarray
    total: int


def vary(values: np.ndarray, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
    """Give variance and degrees of freedom of each run (runs,), moderated, as `measure_variance` does."""
    drawn, sizes = draws.drawn, draws.sizes
    starts = np.cumsum(drawn) - drawn
    means = np.add.reduceat(values, starts, axis=1) / drawn
    squares = np.add.reduceat((values - np.repeat(means, drawn, axis=1)) ** 2, starts, axis=1)
    factors, free = sizes * (sizes - drawn) / drawn, drawn - 1
    typical = squares.sum(axis=1) / free.sum()
    moderated = (factors * (squares + typical[:, None]) / (free + 1)).sum(axis=1)
    counted, totals, parts, frees = drawn > 1, means * sizes, [], []
    for group in _group_by_size(np.flatnonzero((drawn == 1) & (sizes > 1)), sizes):
        counted[group] = False
        gap = totals[:, group] - sizes[group] / sizes[group].sum() * totals[:, group].sum(axis=1)[:, None]
        parts.append(len(group) / (len(group) - 1) * (gap**2).sum(axis=1))
        frees.append(len(group) - 1)
    own = np.column_stack([(factors * squares)[:, counted] / free[counted], *parts])
    spread = (own**2 / np.append(free[counted], frees)).sum(axis=1)
    known = own.sum(axis=1) ** 2 / np.where(spread > 0, spread, 1)
    known[spread == 0] = np.inf
    return moderated, np.minimum(known, free.sum())


def estimate_all(y: np.ndarray, guess: np.ndarray | None, draws: Draws) -> dict[str, np.ndarray]:
    """Give what `_estimate` gives of a share, of many samples at once: low, high, labels_saved (runs,)."""
    rows, drawn, sizes, total = draws
    n = rows.shape[1]
    weights = np.repeat(sizes / drawn, drawn)
    kish = total**2 / (weights**2).sum()
    point = y[rows] @ weights / total
    linear = (y[rows] - point[:, None]) / total
    variance, freedom = vary(linear, draws)
    unseen, saved = np.zeros(len(rows)), np.zeros(len(rows))
    if guess is not None:
        mean = guess[rows] @ weights / total
        of_guess = (guess[rows] - mean[:, None]) / total
        alone, free = variance, n - len(sizes)
        shared = (vary(linear + of_guess, draws)[0] - vary(linear - of_guess, draws)[0]) / 4
        own = vary(of_guess, draws)[0]
        share = np.where(own > 1e-16 * (of_guess**2).max(), shared / own, 0)
        point = np.clip(point + share * (guess.sum() / total - mean), 0, 1)
        left, freed = vary(linear - share[:, None] * of_guess, draws)
        variance = np.where(share != 0, left * free / (free - 1), alone)
        freedom = np.where(share != 0, np.maximum(1, freed - 1), freedom)
        unseen = 2 * np.minimum(np.abs(share), 1) ** 2 / ((kish + 2) * (n + 2))
        saved = 1 - variance / alone
    likely, inside = variance + unseen, (point > 0) & (point < 1)
    known = (likely > 0) & inside
    size = np.where(known, point * (1 - point) / np.where(known, likely, 1), kish)
    size *= np.where(np.isfinite(freedom), (stdtrit(n - 1, 0.975) / stdtrit(freedom, 0.975)) ** 2, 1)
    z2 = ndtri(0.975) ** 2
    middle = (point + z2 / (2 * size)) / (1 + z2 / size)
    half = np.sqrt(z2 * (point * (1 - point) / size + z2 / (4 * size**2))) / (1 + z2 / size)
    return {"low": np.maximum(0, middle - half), "high": np.minimum(1, middle + half), "labels_saved": saved}


def check_against_code(y: np.ndarray, guess: np.ndarray, draws: Draws, design: SampleDesign) -> None:
    """Check on some draws that the arithmetic for many samples is that of `estimate_corpus`."""
    few = Draws(draws.rows[:5], *draws[1:])
    for one in (None, guess):
        found = estimate_all(y, one, few)
        for run, rows in enumerate(few.rows):
            given = None if one is None else Guess(one[rows], float(one.sum()))
            inside = np.ones(len(rows), dtype=bool)
            wanted = _estimate(y[rows], inside, design, len(y), OPTIONS, given, is_share=True)
            for name in ("low", "high"):
                np.testing.assert_allclose(found[name][run], wanted[name], rtol=1e-6, atol=1e-9)


def run_shares(runs: int) -> None:
    """Print the coverage of shares."""
    print("| sample | labels | true share | guesses | coverage | width | alone | width alone | saved |")
    print("|" + " --- |" * 9, flush=True)
    for share in (0.3, 0.05):
        cluster, y, guesses = make_corpus(np.random.default_rng(1), share)
        for size in (500, None):
            drawn = [draw(np.random.default_rng([run, size or 0]), cluster, size=size) for run in range(runs)]
            design = drawn[0][1]
            counts = np.bincount(design.strata)
            draws = Draws(np.stack([rows for rows, _ in drawn]), counts, design.sizes, len(y))
            check_against_code(y, guesses["probabilities"], draws, design)
            found = {}
            for name in ["alone", *guesses]:
                parts = [
                    estimate_all(y, guesses.get(name), Draws(draws.rows[start : start + 100], *draws[1:]))
                    for start in range(0, runs, 100)
                ]
                low, high, saved = (
                    np.concatenate([part[key] for part in parts]) for key in ("low", "high", "labels_saved")
                )
                found[name] = [
                    ((low <= y.mean()) & (y.mean() <= high)).mean(),
                    (high - low).mean(),
                    saved.mean(),
                ]
            alone = found.pop("alone")
            for name, (held, width, saved) in found.items():
                print(
                    f"| {'random' if size else 'stratified'} | {draws.rows.shape[1]} | {y.mean():.3f} "
                    f"| {name} | {held:.3f} | {width:.4f} | {alone[0]:.3f} | {alone[1]:.4f} | {saved:.0%} |",
                    flush=True,
                )


def make_embedding(rng: np.random.Generator, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make 309 clusters in ten dimensions, and a label that hangs on two of them, also within clusters."""
    sizes = np.maximum(2, rng.lognormal(3.3, 0.9, 309)).astype(int)
    cluster = np.repeat(np.arange(309), sizes)
    x = rng.normal(size=(309, 10))[cluster] + rng.normal(size=(len(cluster), 10))
    pull = 1.5 * (x[:, 0] + x[:, 1])
    low, high = -20.0, 20.0
    for _ in range(60):  # the constant that gives the share
        middle = (low + high) / 2
        low, high = (middle, high) if expit(middle + pull).mean() < share else (low, middle)
    return cluster, (rng.random(len(cluster)) < expit(low + pull)).astype(float), x


def fit_newton(
    seen: np.ndarray, y: np.ndarray, weights: np.ndarray, kind: str, strength: float
) -> tuple[np.ndarray, float]:
    """Find what `label_guesses._fit` finds of a share."""
    if np.ptp(y) == 0:
        return SLOW_FIT(seen, y, weights, kind, strength)
    features = np.column_stack([seen, np.ones(len(y))])
    weights, prior = weights / weights.mean(), np.append(np.full(seen.shape[1], 1 / strength), 0.0)
    found = np.zeros(len(prior))
    for _ in range(30):
        chance = expit(features @ found)
        slope = features.T @ (weights * (y - chance)) - prior * found
        curvature = (features * (weights * chance * (1 - chance))[:, None]).T @ features
        step = np.linalg.solve(curvature + np.diag(prior), slope)
        found += step * min(1.0, 4 / np.abs(step).max())
        if np.abs(step).max() < 1e-5:
            break
    return found[:-1], float(found[-1])


SLOW_FIT = label_guesses._fit


def run_learned(runs: int) -> None:
    """Print the coverage of shares with guesses that are learned from the same labels."""
    rng = np.random.default_rng(2)
    seen, weights = rng.normal(size=(300, 10)), rng.random(300) + 0.1
    y = (rng.random(300) < expit(seen[:, 0])).astype(float)
    ours, theirs = (fit(seen, y, weights, "share", 0.1) for fit in (fit_newton, SLOW_FIT))
    np.testing.assert_allclose(np.append(*ours), np.append(*theirs), atol=1e-3)
    label_guesses._fit = fit_newton
    print(
        "| sample | labels | true share | coverage | width | alone | width alone | bias | its error | saved |"
    )
    print("|" + " --- |" * 10, flush=True)
    for share in (0.3, 0.05):
        cluster, y, x = make_embedding(np.random.default_rng(1), share)
        features, groups = (x - x.mean(0)) / x.std(), np.arange(len(y))
        for size in (500, None):
            found = [learn(run, cluster, y, features, groups, size) for run in range(runs)]
            held, width, bias, saved, alone, wide, n = np.mean(found, axis=0)
            error = np.std(found, axis=0)[2] / np.sqrt(runs)
            print(
                f"| {'random' if size else 'stratified'} | {n:.0f} | {y.mean():.3f} | {held:.3f} "
                f"| {width:.4f} | {alone:.3f} | {wide:.4f} | {bias:.5f} | {error:.5f} | {saved:.0%} |",
                flush=True,
            )


def learn(
    run: int, cluster: np.ndarray, y: np.ndarray, features: np.ndarray, groups: np.ndarray, size: int | None
) -> list[float]:
    """Draw a sample, learn guesses from it, and estimate with and without them."""
    rng = np.random.default_rng([run, size or 0])
    rows, design = draw(rng, cluster, size=size)
    splits = label_guesses._split(design.strata, design.stratum_of_corpus, rows, groups, 5, rng)
    made, _ = label_guesses._cross_fit(features, y[rows], design.weights, rows, splits, "share", 0.1)
    inside, truth = np.ones(len(rows), dtype=bool), y.mean()
    guess = Guess(made[rows], made.sum())
    with_it, alone = (
        _estimate(y[rows], inside, design, len(y), OPTIONS, each, is_share=True) for each in (guess, None)
    )
    (held, width), (held_alone, width_alone) = (
        (one["low"] <= truth <= one["high"], one["high"] - one["low"]) for one in (with_it, alone)
    )
    bias, saved = with_it["estimate"] - truth, with_it["labels_saved"]
    return [held, width, bias, saved, held_alone, width_alone, len(rows)]


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
    everyone = np.ones(len(user), dtype=bool)
    naive = fit_corrected(matrix, guess.astype(float), user, everyone)
    fit = fit_corrected(matrix, outcomes, user, sampled)
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
    parser.add_argument("--part", choices=["shares", "learned", "frames"])
    given = parser.parse_args()
    parts = {"shares": run_shares, "learned": run_learned, "frames": run_frames}
    for name, run in parts.items():
        if given.part in (None, name):
            run(given.runs)


if __name__ == "__main__":
    main()
