"""Seeds as replicates of a configuration: means over them, and intervals that carry pairs and seeds.

The pairs that people judged are the same for all seeds, so that their chance does not average out; that of
the seeds does, as one over their number. Both are in every interval here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t

from visclust.clustering.consensus import SeedConsensus

SEEDS, CONSENSUS, ONE = "mean over seeds", "consensus", "one clustering"
"""What a row of a comparison stands for, in its column ``kind``."""


class Members(NamedTuple):
    """Which of the g clusterings of a grid belong to one configuration, and how.

    ``estimate`` are those whose scores are averaged; ``without`` those that leave one seed out each, of a
    consensus; ``seeds`` names the seeds that the chance is measured by, in the order of either.
    """

    kind: str
    seeds: tuple[Any, ...]
    estimate: np.ndarray
    without: np.ndarray


def unfold_grid(grid: Mapping[str, Any]) -> tuple[list[tuple[str, pd.DataFrame]], list[Members]]:
    """List the clusterings of a grid, with words for each, and which of them each configuration has."""
    flat: list[tuple[str, pd.DataFrame]] = []
    members = []
    none = np.array([], dtype=np.int64)
    for name, given in grid.items():
        start = len(flat)
        if isinstance(given, SeedConsensus):
            flat.append((f"{name!r}", given.clusters))
            flat += [(f"{name!r} without seed {seed}", each) for seed, each in given.without.items()]
            rest = np.arange(start + 1, len(flat))
            members.append(Members(CONSENSUS, tuple(given.without), np.array([start]), rest))
        elif isinstance(given, Mapping):
            if not given:
                raise ValueError(f"Expected a clusters table for each seed of {name!r}, got none.")
            flat += [(f"{name!r}, seed {seed}", each) for seed, each in given.items()]
            kind = SEEDS if len(given) > 1 else ONE
            members.append(Members(kind, tuple(given), np.arange(start, len(flat)), none))
        else:
            flat.append((f"{name!r}", given))
            members.append(Members(ONE, (), np.array([start]), none))
    return flat, members


def average_over_seeds(scores: np.ndarray, members: Sequence[Members]) -> np.ndarray:
    """Average the scores of clusterings (…, g, k) over the seeds of each configuration: (…, c, k).

    Where a score is undefined with one seed, so is the mean: a mean over the lucky ones would flatter.
    """
    return np.stack([scores[..., each.estimate, :].mean(axis=-2) for each in members], axis=-2)


def list_seed_values(scores: np.ndarray, each: Members) -> np.ndarray:
    """List what each seed of a configuration says (…, S), from the scores of clusterings (…, g).

    Of a consensus these are the jackknife's pseudo-values, which for a mean are the values themselves: S
    times the score less S - 1 times that without the seed. Efron & Tibshirani (1993), chapter 11.
    """
    if each.kind != CONSENSUS:
        return scores[..., each.estimate]
    n_seeds = len(each.without)
    return n_seeds * scores[..., each.estimate] - (n_seeds - 1) * scores[..., each.without]


def measure_seed_error(values: np.ndarray) -> float:
    """Measure the standard error of a mean over seeds (S,) that is owed to the seeds; NaN with one."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan


class SeedChance:
    """Draws (B,) from Student's t: its quantiles, in one shuffled order."""

    def __init__(self, n_bootstrap: int, *, seed: int) -> None:
        places = (np.arange(n_bootstrap) + 0.5) / n_bootstrap
        self._places = np.random.default_rng(seed).permutation(places)
        self._made: dict[float, np.ndarray] = {}

    def __call__(self, freedom: float) -> np.ndarray:
        """Draw with so many degrees of freedom."""
        if freedom not in self._made:
            self._made[freedom] = t.ppf(self._places, freedom)
        return self._made[freedom]


def add_seeds(
    replicates: np.ndarray,
    estimate: float,
    seed_values: np.ndarray,
    seed_replicates: np.ndarray,
    draw: SeedChance,
) -> np.ndarray:
    """Let the bootstrap replicates (B,) of an estimate carry the chance of its seeds too.

    ``seed_values`` (S,) say what each seed says on the judged pairs, ``seed_replicates`` (B, S) the same on
    each resample of the pairs. The variance between seeds, over S, is the seeds' part; since each seed's
    own luck with the pairs is in it, that is taken out of the pairs' part, where it is as well. The seeds'
    part is drawn from Student's t with S - 1 degrees of freedom, as few seeds know their variance badly.
    """
    return _add_chance(replicates, estimate, [(seed_values, seed_replicates)], draw)


def _add_chance(
    replicates: np.ndarray, estimate: float, parts: list[tuple[np.ndarray, np.ndarray]], draw: SeedChance
) -> np.ndarray:
    """Add the chance of one set of seeds, or of two that have nothing to do with each other.

    The degrees of freedom of two are Welch's.
    """
    parts = [(values, resampled) for values, resampled in parts if len(values) > 1]
    if not parts:
        return replicates
    known = ~np.isnan(replicates)
    for values, resampled in parts:
        known &= ~np.isnan(resampled).any(axis=1) & ~np.isnan(values).any()
    if not known.any():
        return np.full_like(replicates, np.nan)
    own = sum(
        (resampled - values)[known].var(axis=1, ddof=1).mean() / len(values) for values, resampled in parts
    )
    total = replicates[known].var()
    kept = np.sqrt(max(0.0, 1 - own / total)) if total > 0 else 1.0
    moved = estimate + (replicates - estimate) * kept
    variances = np.array([measure_seed_error(values) ** 2 for values, _ in parts])
    if not variances.any():
        return moved
    freedom = variances.sum() ** 2 / sum(
        v**2 / (len(x) - 1) for v, (x, _) in zip(variances, parts, strict=True)
    )
    return moved + draw(round(float(freedom), 6)) * np.sqrt(variances.sum())


def add_seeds_to_difference(
    replicates: np.ndarray,
    estimate: float,
    ours: tuple[Members, np.ndarray, np.ndarray],
    theirs: tuple[Members, np.ndarray, np.ndarray],
    draw: SeedChance,
) -> np.ndarray:
    """Let the bootstrap replicates (B,) of a difference of two configurations carry their seeds' chance.

    Each comes as its members, what its seeds say (S,), and what they say on each resample (B, S). Two with
    the same seeds are compared seed by seed; otherwise each brings its own chance, and one clustering none.
    """
    members, values, resampled = ours
    others, other_values, other_resampled = theirs
    if len(members.seeds) > 1 and set(members.seeds) == set(others.seeds):
        order = [others.seeds.index(seed) for seed in members.seeds]
        differences = values - other_values[order]
        return add_seeds(replicates, estimate, differences, resampled - other_resampled[:, order], draw)
    parts = [(values, resampled), (other_values, other_resampled)]
    return _add_chance(replicates, estimate, parts, draw)


def share_wins(scores: np.ndarray, members: Sequence[Members]) -> np.ndarray:
    """Share out the seeds (c,) by the configuration that scores (g,) best with each, ties in equal parts.

    NaN for what has no seeds, and for all where they have none in common: only with the same seeds do all
    stand in every contest.
    """
    shares = np.full(len(members), np.nan)
    table = np.nan_to_num(list_by_seed(scores, members), nan=-1.0)
    if table.size:
        best = table == table.max(axis=0)
        own = [c for c, each in enumerate(members) if each.kind == SEEDS]
        shares[own] = (best / best.sum(axis=0)).mean(axis=1)
    return shares


def list_by_seed(scores: np.ndarray, members: Sequence[Members]) -> np.ndarray:
    """List the scores (g,) of the configurations that have seeds, by the seeds that all of these have."""
    with_seeds = [each for each in members if each.kind == SEEDS]
    if not with_seeds:
        return np.empty((0, 0))
    common = [seed for seed in with_seeds[0].seeds if all(seed in each.seeds for each in with_seeds)]
    rows = [[scores[each.estimate[each.seeds.index(seed)]] for seed in common] for each in with_seeds]
    return np.array(rows).reshape(len(with_seeds), len(common))
