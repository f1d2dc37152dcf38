"""The looks that pairs were given, as arrays: which are looked at again, and what each pair then speaks for.

Every pair has a first answer of all its annotators together, and belongs for good to the class of its stratum
and that answer. A look asks about a part of it again, all or drawn at random, so that the chance of each pair
to be asked is known (two-phase sampling: Särndal, Swensson & Wretman 1992, Model Assisted Survey Sampling,
chapter 9).
"""

from typing import NamedTuple

import numpy as np

SAME, DIFFERENT, OPEN = 1, 0, -1
"""What a look says of a pair: all call it the same, all call it different, or they are not of one mind."""
STATES = {SAME: "same", DIFFERENT: "different", OPEN: "open"}


class Course(NamedTuple):
    """What n pairs have been through; every field is an array (n,).

    `stratum` and `first` make a pair's class. `state` is what the last complete look said; `looks` counts the
    complete ones, `sames` those of them that said the same. `weight` is how many pairs of
    its class a pair speaks for by the looks alone: 0 where its like were looked at again and it was not.
    """

    stratum: np.ndarray
    first: np.ndarray
    state: np.ndarray
    looks: np.ndarray
    sames: np.ndarray
    weight: np.ndarray


class Choice(NamedTuple):
    """Pairs to look at again, (m,) each: their places, the chance that each had, whether it is a decoy."""

    at: np.ndarray
    probability: np.ndarray
    decoy: np.ndarray


def start_course(stratum: np.ndarray, first: np.ndarray) -> Course:
    """Start with the first look: the stratum of each pair as text or number, and what all said of it."""
    code = np.unique(stratum, return_inverse=True)[1]
    once = np.ones(len(first), dtype=np.int64)
    return Course(code, first, first.copy(), once, (first == SAME).astype(np.int64), np.ones(len(first)))


def take_look(course: Course, reviewed: np.ndarray, said: np.ndarray) -> Course:
    """Go on with one more look.

    `reviewed` (n,) is True for pairs that the look was about, other than decoys; `said` (n,) is `SAME`,
    `DIFFERENT` or `OPEN` where the look is complete, and -2 elsewhere. Among the pairs of a
    class that stood alike, those that were not looked at again, or not yet completely, hand their weight to
    those that were. As long as none of them was, they stay as they were.
    """
    complete = said != -2
    counts = reviewed & complete & (course.weight > 0)
    group = _name_groups(course)
    total = np.bincount(group, weights=course.weight)
    answered = np.bincount(group, weights=course.weight * counts)
    under_review = answered > 0
    factor = np.divide(total, answered, out=np.ones(len(total)), where=under_review)
    passed_over = under_review[group] & ~counts
    weight = np.where(passed_over, 0.0, course.weight * factor[group])
    state = np.where(counts, said, course.state)
    sames = course.sames + (counts & (said == SAME))
    return course._replace(state=state, looks=course.looks + counts, sames=sames, weight=weight)


def is_settled(course: Course) -> np.ndarray:
    """Say which pairs are resolved, (n,).

    Called different by the last look, or called the same by it and an earlier one, or by the only one. Where
    hardly a pair is the same, a "same" after an answer that was none is more likely a mistake than not.
    """
    twice = (course.looks == 1) | (course.sames >= 2)
    return (course.state == DIFFERENT) | ((course.state == SAME) & twice)


def weigh_pairs(course: Course) -> np.ndarray:
    """Say how many pairs of its class each resolved pair speaks for, (n,); 0 for those that do not speak.

    The weight of pairs that stayed open goes to the resolved ones of their class, in equal shares of what
    these have; of a class without any resolved pair, to those of its stratum.
    """
    weight = np.where(is_settled(course), course.weight, 0.0)
    for group in (course.stratum * 3 + course.first + 1, course.stratum):
        wanted, found = np.bincount(group).astype(np.float64), np.bincount(group, weights=weight)
        factor = np.divide(wanted, found, out=np.ones(len(wanted)), where=found > 0)
        weight = weight * factor[group]
    return weight


def measure_effects(course: Course, design: np.ndarray, *, rare: float = 0.2) -> np.ndarray:
    """Measure by how much one pair of each one's stratum moves the weighted number of same pairs, (n,).

    That is the mean design weight (n,) of the stratum's pairs, as a share of the weight of the same pairs
    that are surer: those of strata where more than a share `rare` is the same, and those that two looks
    called the same; of all where there is none, and infinite where none is the same. Where "same" is not rare
    a wrong one weighs no more than a wrong "different", and the effect is 0.
    """
    weight = design * weigh_pairs(course)
    same = np.where(course.state == SAME, weight, 0.0)
    found, whole = (np.bincount(course.stratum, weights=one) for one in (same, weight))
    is_rare = (found <= rare * whole)[course.stratum]
    sure = same[~is_rare | (course.sames >= 2)].sum() or same.sum()
    mean = (np.bincount(course.stratum, weights=design) / np.bincount(course.stratum))[course.stratum]
    effect = mean / sure if sure else np.where(mean > 0, np.inf, 0.0)
    return np.where(is_rare, effect, 0.0)


def choose_pairs(
    course: Course,
    effect: np.ndarray,
    *,
    min_effect: float,
    n: int | None,
    decoys: float,
    open_to: np.ndarray,
    rng: np.random.Generator,
) -> Choice:
    """Choose pairs to look at again, and decoys among them.

    In strata with an effect of `min_effect` or more these are the pairs called the same, unless two looks
    called them that, and the open ones. All of them where `n` is enough; otherwise each group (a class,
    and what its pairs are now) gets two, and the rest is given in the order of the effect, those called same
    first; within a group it is drawn by lot. `open_to` (n,) marks pairs that can be shown at all.
    """
    there = open_to & (course.weight > 0)
    doubt = (course.state == OPEN) | ((course.state == SAME) & (course.sames < 2))
    wanted = there & doubt & (effect > 0) & (effect >= min_effect)
    group = _name_groups(course)
    names, size = np.unique(group[wanted], return_counts=True)
    room = int(size.sum()) if n is None else min(int(size.sum()), int(n / (1 + decoys)))
    given = np.minimum(size, 2)
    if given.sum() > room:
        raise ValueError(
            f"Expected n to have room for two pairs of each of the {len(names)} kinds in doubt and for the "
            f"decoys, got n={n}. Give at least {int(np.ceil(given.sum() * (1 + decoys)))}, or leave n out to "
            f"ask about all {int(size.sum())}."
        )
    of_group = {name: np.flatnonzero(wanted & (group == name)) for name in names}
    order = sorted(
        range(len(names)),
        key=lambda i: (-effect[of_group[names[i]][0]], course.state[of_group[names[i]][0]] != SAME),
    )
    for i in order:
        more = min(size[i] - given[i], room - given.sum())
        given[i] += more
    at, probability = [], []
    for i, name in enumerate(names):
        drawn = rng.choice(of_group[name], size=given[i], replace=False)
        at.append(drawn)
        probability.append(np.full(given[i], given[i] / size[i]))
    n_decoys = round(decoys * int(given.sum()))
    # From strata that are not looked at again, as far as there are such.
    spare = there & ~wanted & is_settled(course) & (course.looks == 1)
    for light in (effect < min_effect, effect >= min_effect):
        pool = np.flatnonzero(spare & light)
        some = rng.choice(pool, size=min(n_decoys, len(pool)), replace=False)
        at.append(some)
        probability.append(np.full(len(some), len(some) / max(1, len(pool))))
        n_decoys -= len(some)
    places = np.concatenate(at).astype(np.int64)
    decoy = np.arange(len(places)) >= given.sum()
    shuffled = rng.permutation(len(places))
    return Choice(places[shuffled], np.concatenate(probability)[shuffled], decoy[shuffled])


def _name_groups(course: Course) -> np.ndarray:
    """Name by a number, (n,), the class of each pair and what it is now, or that two looks called it same."""
    confirmed = (course.state == SAME) & (course.sames >= 2)
    return (course.stratum * 3 + course.first + 1) * 4 + np.where(confirmed, 3, course.state + 1)
