"""A second look at the pairs whose answer moves weighted scores most, and one gold table of all looks.

Of all pairs of a corpus hardly one in a hundred is the same, and a pair of the random stratum speaks for
hundreds of thousands. One that two careful annotators call the same by mistake then outweighs all that were
found. So these pairs are asked about again, unseen among others, before they are believed.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from visclust.annotation.answers import current_answers, refuse_mixture
from visclust.annotation.identity import is_same_person
from visclust.annotation.judgements import Resolution, resolve
from visclust.base.columns import check_pairs_of
from visclust.base.provenance import digest_text, recorded
from visclust.base.simulated import mark_simulated
from visclust.base.tables import TABLES, check_table, check_used
from visclust.validation.looks import (
    OPEN,
    SAME,
    STATES,
    Course,
    choose_pairs,
    is_settled,
    measure_effects,
    start_course,
    take_look,
    weigh_pairs,
)
from visclust.validation.pair_weights import find_strata, invert_probabilities
from visclust.validation.waves import find_waves

_IMAGES = ["image_a", "image_b"]
_PAIR = ["pair_id", *_IMAGES]
_ANSWERS = ("same", "different", "unsure")
_NOT_COMPLETE = -2
_MOST = 100  # decoys for each pair in doubt; more is a slip


class Looks(NamedTuple):
    """The gold table of all looks, the pairs without a gold answer, and sentences on what the looks did."""

    gold: pd.DataFrame
    unresolved: pd.DataFrame
    said: str


class _Judged(NamedTuple):
    """The pairs that anybody has answered, their first look, and what they have been through."""

    pairs: pd.DataFrame
    first: Resolution
    course: Course
    waiting: dict[int, int]  # of each later look, how many of its pairs are not complete
    decoys: tuple[int, int]  # shown and complete, and of these with another answer than the first time


@recorded
def select_for_review(
    answers: pd.DataFrame,
    pairs: pd.DataFrame,
    *,
    reviews: pd.DataFrame | None = None,
    n: int | None = None,
    decoys: float = 0.5,
    min_effect: float = 0.01,
    rare: float = 0.2,
    rule: str = "unanimous",
    third: str | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Select the judged pairs whose answer moves weighted scores most, to be shown to the annotators again.

    In strata where "same" is rare, and one pair moves the weighted number of same pairs by `min_effect` or
    more, all pairs are selected that are called the same by one look alone, and all that are open: those on
    which the annotators are not of one mind are not left out as if that were chance. What two looks called
    the same is believed, and what all call different is taken at its word. Where "same" is not rare, a wrong
    "same" weighs no more than a wrong "different", and nothing is selected. Do this once the first look is
    complete; label the selected pairs as any others (`label_pairs`), put the answers together by
    `merge_looks`, and select again, with `reviews`, until nothing is selected: two or three looks do.

    Parameters
    ----------
    answers : DataFrame
        An answers table, raw: the first answers to `pairs`, and those to `reviews`, if any.
    pairs : DataFrame, n rows
        The pairs table that was labelled. Of several draws (a column ``wave``) only pairs of the last are
        selected, on which weighted scores rest.
    reviews : DataFrame, optional
        What this function has given before, of all looks so far.
    n : int, optional
        Pairs to show at most, decoys included. By default as many as are in doubt. Where it is too small for
        all, the pairs are drawn by lot within each group, with the probability that the table tells.
    decoys : float, default 0.5
        Pairs on which all agree, mixed among them, as a share of the others: being shown a pair again then
        does not say that something was wrong with it.
    min_effect : float, default 0.01
        How much one pair must move the weighted number of same pairs for its stratum to be looked at again,
        as a share of those that are surer, see ``effect`` below. With 0.05 a quarter fewer pairs are shown
        and the errors that are left cost intervals of recall and F1 4 to 7 points of coverage.
    rare : float, default 0.2
        The share of judged pairs called the same up to which "same" is rare in a stratum.
    rule, third : optional
        As in `resolve`; how the first look was resolved.
    seed : int, default 0
        Seed of the draws, the order, and left and right.

    Returns
    -------
    DataFrame
        A row per pair to show, in random order: ``pair_id`` (a new one, a digest of the pair and the look, so
        that the first answer stays and is not shown), ``image_a, image_b``, ``judged_pair`` (its id in
        `pairs`), ``look`` (2 for the second), ``decoy``, ``stratum``, ``first_look`` ("same", "different" or
        "open"), ``effect`` (the design weight of a pair of this stratum, on average, as a share of the weight
        of the same pairs that are surer: of strata where "same" is not rare, or by two looks) and
        ``review_probability`` (of being selected, among the pairs of its stratum, first answer and present
        state). No row where nothing is in doubt.

    Raises
    ------
    ValueError
        If an answer is to no pair of the tables, the last look is not yet answered, `n` has no room for two
        pairs of each group, or a number is out of range.

    Source
    ------
    Two-phase sampling: Särndal, Swensson & Wretman (1992), Model Assisted Survey Sampling, chapter 9. That
    what all call different is not asked again, and the rule of two looks, are ours.

    Examples
    --------
    >>> pairs = pd.DataFrame({"pair_id": list("pqr"), "image_a": list("aab"), "image_b": list("bcc"),
    ...                       "stratum": "random", "inclusion_probability": 0.001})
    >>> answers = pd.DataFrame({"item_id": list("pqr") * 2, "annotator": ["ana"] * 3 + ["ben"] * 3,
    ...     "answer": ["same", "different", "same", "same", "different", "different"],
    ...     "answered_at": "2026-01-05T10:00:00Z", "seconds": 1.0, "retracts": None})
    >>> again = select_for_review(answers, pairs, rare=0.5)
    >>> again = again.sort_values("judged_pair", ignore_index=True)
    >>> again[["judged_pair", "look", "decoy", "first_look"]]
      judged_pair  look  decoy first_look
    0           p     2  False       same
    1           q     2   True  different
    2           r     2  False       open
    """
    for name, value in (("decoys", decoys), ("min_effect", min_effect)):
        if not 0 <= value <= _MOST:
            raise ValueError(f"Expected {name} from 0 to {_MOST}, got {value}.")
    if not 0 <= rare <= 1:
        raise ValueError(f"Expected rare to be a share between 0 and 1, got {rare}.")
    check_used(pairs, "pairs", TABLES["pairs"].columns)
    judged = _follow_looks(answers, pairs, reviews, rule=rule, third=third)
    look = max(judged.waiting, default=1) + 1
    if judged.waiting.get(look - 1):
        raise ValueError(
            f"Expected all answers to look {look - 1} before another; {judged.waiting[look - 1]} of its "
            f"pairs wait for answers. Let all annotators label the reviews first."
        )
    inside = judged.pairs
    waves = find_waves(inside)
    last = np.ones(len(inside), dtype=bool) if waves is None else waves == waves.max(initial=0)
    design, drawn = np.zeros(len(inside)), inside[last]
    probability = drawn["inclusion_probability"].to_numpy(dtype=np.float64)
    design[last] = invert_probabilities(probability, drawn, kind="pair")
    effect = measure_effects(judged.course, design, rare=rare)
    rng = np.random.default_rng(seed)
    choice = choose_pairs(
        judged.course, effect, min_effect=min_effect, n=n, decoys=decoys, open_to=last, rng=rng
    )
    chosen = inside.iloc[choice.at].reset_index(drop=True)
    sides = chosen[_IMAGES].to_numpy(dtype=object)
    sides = np.where((rng.random(len(chosen)) < 0.5)[:, None], sides[:, ::-1], sides)
    found = pd.DataFrame(
        {
            "pair_id": [digest_text(f"{pair}\nlook {look}") for pair in chosen["pair_id"]],
            "image_a": sides[:, 0],
            "image_b": sides[:, 1],
            "judged_pair": chosen["pair_id"],
            "look": look,
            "decoy": choice.decoy,
            "stratum": chosen["stratum"],
            "first_look": _name_states(judged.course.first[choice.at]),
            "effect": effect[choice.at],
            "review_probability": choice.probability,
        }
    ).astype({"pair_id": "str", "image_a": "str", "image_b": "str", "look": "int64", "decoy": "bool"})
    return check_table(mark_simulated(found, answers), "reviews")


@recorded
def merge_looks(
    answers: pd.DataFrame,
    *,
    pairs: pd.DataFrame,
    reviews: pd.DataFrame,
    rule: str = "unanimous",
    third: str | None = None,
) -> Looks:
    """Resolve the answers of all looks into one gold table, and say how many pairs each gold pair speaks for.

    What the last complete look says of a pair decides: "different" at once, "same" where an earlier look said
    so too. A pair that is first called the same by a later look is open until another look confirms it: where
    hardly a pair is the same, it is more likely a mistake than not. A look at a pair is complete once it has
    as many answers as most pairs got in the first, and a complete one that is split leaves the pair open.

    Parameters
    ----------
    answers : DataFrame
        An answers table, raw, with the answers to `pairs` and to `reviews`; it stays as it is.
    pairs : DataFrame
        The pairs that were judged first, as for `resolve`.
    reviews : DataFrame
        What `select_for_review` gave, of all looks.
    rule, third : optional
        As in `resolve`, of every look; "third" holds for the looks in which the third annotator took part,
        and the others are resolved by "unanimous".

    Returns
    -------
    Looks
        ``gold``: as `resolve` gives it, of all resolved pairs, and ``first_look`` ("same", "different" or
        "open"), ``looks`` (complete ones) and ``look_weight``: how many judged pairs of its stratum and first
        answer this one speaks for, 1 or more. A design weight is multiplied by it. ``unresolved``:
        ``pair_id, image_a, image_b, first_look, looks, reason``. ``said``: what became of the looks, in
        sentences.

    Raises
    ------
    ValueError
        As `resolve` does; and if `reviews` are not of `pairs`.

    Notes
    -----
    Where only some of the pairs of one stratum and first answer were drawn for a look, these speak for all:
    the weight is the inverse of the probability of the draw. Pairs that stay open hand their weight to the
    resolved pairs of their stratum and first answer, which takes the truth of both to be alike; so does what
    is not answered yet. Answers to decoys change nothing, since their like were not asked again; `said` tells
    how many of them differ from the first.

    Weighted scores are then right as far as the last looks are. What all call different is not asked again:
    a same pair that all miss stays missed. Where annotators err independently, in 10% of their answers, two
    looks take most of the error out of recall, and intervals then hold the truth in 94 to 97% (and F1 in 92%
    after more looks, since they do not know of the errors that are left where "same" is common and nothing
    is looked at again; ``benchmarks/second_look.md``). Where annotators err on the same pairs again and
    again, no look helps.

    Source
    ------
    See `select_for_review`.

    Examples
    --------
    >>> pairs = pd.DataFrame({"pair_id": list("pq"), "image_a": list("aa"), "image_b": list("bc"),
    ...                       "stratum": "random", "inclusion_probability": 0.001})
    >>> answers = pd.DataFrame({"item_id": list("pq"), "annotator": "ana", "answer": ["same", "different"],
    ...     "answered_at": "2026-01-05T10:00:00Z", "seconds": 1.0, "retracts": None})
    >>> reviews = select_for_review(answers, pairs, decoys=0, rare=0.5)
    >>> again = answers.head(1).assign(item_id=reviews["pair_id"], answer="different")
    >>> looks = merge_looks(pd.concat([answers, again]), pairs=pairs, reviews=reviews)
    >>> looks.gold[["pair_id", "same", "first_look", "looks", "look_weight"]]
      pair_id   same first_look  looks  look_weight
    0       p  False       same      2          1.0
    1       q  False  different      1          1.0
    """
    judged = _follow_looks(answers, pairs, reviews, rule=rule, third=third)
    course, inside = judged.course, judged.pairs
    weight = weigh_pairs(course)
    told = inside[_PAIR].assign(
        first_look=_name_states(course.first), looks=course.looks, look_weight=weight, state=course.state
    )
    counts = _count_answers(answers, pairs, reviews)
    first = judged.first.gold.set_index("pair_id")
    speaks = weight > 0
    gold = inside[speaks].reset_index(drop=True)
    facts = told[speaks].reset_index(drop=True)
    by_look = facts["looks"].gt(1)
    gold = gold.assign(
        same=facts["state"].eq(SAME),
        n_answers=gold["pair_id"].map(counts).astype("int64"),
        decided_by=np.where(
            by_look, "look " + facts["looks"].astype(str), gold["pair_id"].map(first["decided_by"])
        ),
        simulated=refuse_mixture(answers),
        **({"wave_judged": gold["pair_id"].map(_share_judged(pairs, inside))} if "wave" in pairs else {}),
        first_look=facts["first_look"],
        looks=facts["looks"].astype("int64"),
        look_weight=facts["look_weight"],
    )
    silent = told[~speaks].drop(columns=["look_weight", "state"])
    reason = np.where(
        course.weight[~speaks] > 0,
        np.where(
            course.state[~speaks] == SAME,
            "called the same by the last look alone: another one decides",
            np.where(course.looks[~speaks] > 1, "open after its last look", "annotators are not of one mind"),
        ),
        "its like were looked at again and speak for it",
    )
    unanswered = judged.first.unresolved
    unanswered = unanswered.loc[~unanswered["pair_id"].isin(inside["pair_id"]), _PAIR]
    unresolved = pd.concat(
        [silent.assign(reason=reason), unanswered.assign(first_look="", looks=0, reason="no answer yet")],
        ignore_index=True,
    ).astype({"looks": "int64"})
    return Looks(check_table(gold, "gold"), mark_simulated(unresolved, answers), _describe(judged, reviews))


def _follow_looks(
    answers: pd.DataFrame,
    pairs: pd.DataFrame,
    reviews: pd.DataFrame | None,
    *,
    rule: str,
    third: str | None,
) -> _Judged:
    """Go through all looks in their order."""
    again = pd.DataFrame(columns=list(TABLES["reviews"].columns)) if reviews is None else reviews
    check_used(again, "reviews", TABLES["reviews"].columns)
    check_used(pairs, "pairs", _PAIR)
    check_pairs_of(pairs, "pairs")
    check_table(answers, "answers")
    strange = set(again["judged_pair"]) - set(pairs["pair_id"])
    if strange:
        raise ValueError(
            f"Expected reviews of the pairs given; {len(strange)} are of others, such as "
            f"{min(map(str, strange))!r}. Give the pairs table that the reviews were selected from."
        )
    of_look = answers["item_id"].isin(again["pair_id"])
    first = resolve(answers[~of_look], pairs=pairs, rule=rule, third=third)
    unanswered = first.unresolved.loc[first.unresolved["reason"].eq("no answer yet"), "pair_id"]
    inside = pairs[~pairs["pair_id"].isin(unanswered)].reset_index(drop=True)
    said = inside["pair_id"].map(first.gold.set_index("pair_id")["same"].astype("int64"))
    strata = find_strata(inside)
    course = start_course(
        np.zeros(len(inside)) if strata is None else strata,
        said.fillna(OPEN).to_numpy(dtype=np.int64),
    )
    standing = current_answers(answers)
    needed = _count_needed(standing, inside, third)
    waiting, n_decoys, n_other = {}, 0, 0
    for look, rows in again.groupby("look", sort=True):
        of_this = answers[of_look & answers["item_id"].isin(rows["pair_id"])]
        here = standing[standing["item_id"].isin(rows["pair_id"])]
        spoken = here[here["answer"].isin(_ANSWERS)].groupby("item_id").size()
        seen = here.groupby("item_id").size().reindex(rows["pair_id"], fill_value=0)
        waiting[int(str(look))] = int((seen < needed).sum())
        complete = rows[rows["pair_id"].map(spoken).ge(needed)]
        took_part = third is not None and any(is_same_person(str(third), one) for one in here["annotator"])
        how = {"rule": rule, "third": third} if rule != "third" or took_part else {"rule": "unanimous"}
        gold = resolve(of_this, pairs=rows[_PAIR], **how).gold.set_index("pair_id")["same"]  # type: ignore[arg-type]
        decided = complete["pair_id"].map(gold.astype("int64")).fillna(OPEN).to_numpy(dtype=np.int64)
        at = pd.Index(inside["pair_id"]).get_indexer(pd.Index(complete["judged_pair"]))
        answer = np.full(len(inside), _NOT_COMPLETE)
        answer[at[at >= 0]] = decided[at >= 0]
        names = inside["pair_id"]
        is_decoy = names.isin(rows.loc[rows["decoy"].astype(bool), "judged_pair"]).to_numpy(dtype=bool)
        shown = is_decoy & (answer != _NOT_COMPLETE)
        n_decoys, n_other = n_decoys + int(shown.sum()), n_other + int((answer != course.first)[shown].sum())
        reviewed = names.isin(rows["judged_pair"]).to_numpy(dtype=bool) & ~is_decoy
        course = take_look(course, reviewed, answer)
    return _Judged(inside, first, course, waiting, (n_decoys, n_other))


def _count_needed(standing: pd.DataFrame, pairs: pd.DataFrame, third: str | None) -> int:
    """Count how many answers a look needs to be complete: as many as most pairs have in the first."""
    first = standing[standing["item_id"].isin(pairs["pair_id"]) & standing["answer"].isin(_ANSWERS)]
    if third is not None:
        first = first[[not is_same_person(str(third), str(one)) for one in first["annotator"]]]
    sizes = first.groupby("item_id").size()
    return int(sizes.mode().max()) if len(sizes) else 1


def _count_answers(answers: pd.DataFrame, pairs: pd.DataFrame, reviews: pd.DataFrame) -> pd.Series:
    """Count the answers that each pair got in all looks."""
    standing = current_answers(answers)
    names = pd.concat(
        [
            pd.Series(pairs["pair_id"].to_numpy(), index=pairs["pair_id"]),
            reviews.set_index("pair_id")["judged_pair"],
        ]
    )
    return standing.loc[standing["answer"].isin(_ANSWERS), "item_id"].map(names).value_counts()


def _share_judged(pairs: pd.DataFrame, inside: pd.DataFrame) -> pd.Series:
    """Say for each pair which share of the pairs of its draw anybody has answered, as `resolve` does."""
    share = pairs["pair_id"].isin(inside["pair_id"]).groupby(pairs["wave"]).transform("mean")
    return pd.Series(share.to_numpy(dtype=np.float64), index=pairs["pair_id"])


def _name_states(states: np.ndarray) -> np.ndarray:
    return np.array([STATES[int(state)] for state in states], dtype=object)


def _describe(judged: _Judged, reviews: pd.DataFrame) -> str:
    """Say in sentences what became of the pairs that were looked at again."""
    course = judged.course
    sentences = []
    asked = reviews[~reviews["decoy"].astype(bool)]
    again = judged.pairs["pair_id"].isin(asked["judged_pair"]).to_numpy() & (course.looks > 1)
    if again.any():
        kept = again & (course.first == SAME)
        parts = [f"of {int(kept.sum())} pairs called the same first, {_tell(course.state[kept])}"]
        opened = again & (course.first == OPEN)
        parts += [f"of {int(opened.sum())} open ones, {_tell(course.state[opened])}"] if opened.any() else []
        sentences.append(f"After {int(course.looks.max())} looks: {'; '.join(parts)}.")
    for look, n in judged.waiting.items():
        if n:
            sentences.append(f"{n} pairs of look {look} wait for answers: read no score before.")
    open_now = int((~is_settled(course) & (course.weight > 0)).sum())
    if open_now:
        sentences.append(
            f"{open_now} pairs are open: the resolved pairs of their stratum and first answer speak for them."
        )
    left = int((course.weight == 0).sum())
    if left:
        sentences.append(f"{left} pairs were not drawn or not answered: those that were speak for them.")
    n_decoys, n_other = judged.decoys
    if n_decoys:
        sentences.append(f"Of {n_decoys} decoys {n_other} got another answer than the first time.")
    return " ".join(sentences) or "No pair was looked at again."


def _tell(states: np.ndarray) -> str:
    counts = [(int((states == state).sum()), name) for state, name in STATES.items()]
    return ", ".join(f"{n} {'are' if n != 1 else 'is'} {name}" for n, name in counts)
