"""Turn several annotators' answers into one gold answer per pair, and list what stays open."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from visclust.annotator_agreement import spread_answers
from visclust.base.tables import check_table
from visclust.simulated_answers import refuse_mixture

__all__ = ["Resolution", "resolve"]

_RULES = ("unanimous", "majority", "third")
_PAIR = ["pair_id", "image_a", "image_b"]


class Resolution(NamedTuple):
    """The gold table, and the pairs without a gold answer with the reason."""

    gold: pd.DataFrame
    unresolved: pd.DataFrame


def resolve(
    answers: pd.DataFrame, *, pairs: pd.DataFrame, rule: str = "unanimous", third: str | None = None
) -> Resolution:
    """Resolve the answers of several annotators into one gold answer per pair.

    "skip" is no answer. "unsure" is an answer that decides nothing: it prevents unanimity, and counts against
    both sides in a majority.

    Parameters
    ----------
    answers : DataFrame
        An answers table, raw; it stays as it is.
    pairs : DataFrame
        The pairs that were judged, ``pair_id, image_a, image_b``; further columns, such as ``stratum`` and
        ``inclusion_probability``, are passed on to the gold table.
    rule : {"unanimous", "majority", "third"}, default "unanimous"
        "unanimous": all answers to the pair are the same one. "majority": more than half of them are.
        "third": where all others are unanimous, they stand; elsewhere the annotator named `third` decides.
    third : str, optional
        Annotator who adjudicates; needed for the rule "third" only.

    Returns
    -------
    Resolution
        ``gold``: the columns of `pairs`, ``same`` (bool), ``n_answers`` (answers that count, the third
        annotator's included), ``decided_by`` ("unanimous", "majority" or "third") and ``simulated`` (whether
        the answers are), in the order of `pairs`. ``unresolved``: ``pair_id, image_a, image_b``, a column
        per annotator with the answer, and ``reason``. Each pair is in one of the two.

    Raises
    ------
    ValueError
        If the rule or the third annotator is unknown, an answer is to no pair of `pairs`, or simulated
        answers stand among people's.

    Source
    ------
    Krippendorff (2018), Content Analysis, 4th edition, chapter 11, on what to do with disagreements.

    Examples
    --------
    >>> answers = pd.DataFrame({"item_id": ["p", "q"] * 2, "annotator": ["ana"] * 2 + ["ben"] * 2,
    ...     "answer": ["same", "same", "same", "different"],
    ...     "answered_at": "2026-01-05T10:00:00Z", "seconds": 1.0, "retracts": None})
    >>> pairs = pd.DataFrame({"pair_id": ["p", "q"], "image_a": ["a", "b"], "image_b": ["c", "d"]})
    >>> resolve(answers, pairs=pairs).gold[["pair_id", "same"]].values.tolist()
    [['p', True]]
    >>> resolve(answers, pairs=pairs).unresolved["reason"].tolist()
    ['annotators disagree']
    """
    if rule not in _RULES:
        raise ValueError(f"Expected one of the rules {', '.join(_RULES)}, got {rule!r}.")
    absent = [name for name in _PAIR if name not in pairs.columns]
    if absent or pairs["pair_id"].duplicated().any():
        raise ValueError(
            f"Expected a pairs table with one row per pair_id and the columns {', '.join(_PAIR)}, got "
            f"{', '.join(absent) + ' missing' if absent else 'a pair_id that comes twice'}."
        )
    wide = spread_answers(answers)
    strange = wide.index.difference(pd.Index(pairs["pair_id"]))
    if len(strange):
        raise ValueError(
            f"Expected answers to the pairs given; {len(strange)} items are not among them, such as "
            f"{strange[0]!r}. Give the pairs table that was labelled."
        )
    if (rule == "third") != (third is not None) or (third is not None and third not in wide.columns):
        raise ValueError(
            f'Expected third=… with the rule "third" and only there, one of {", ".join(wide.columns)}, '
            f"got rule={rule!r} and third={third!r}."
        )
    wide = wide.reindex(pairs["pair_id"])
    others = wide.drop(columns=third) if third is not None else wide
    same, decided_by = _decide(others, rule)
    reason = _find_reasons(others)
    if third is not None:
        same, decided_by, reason = _ask_third(same, decided_by, reason, wide[third].to_numpy(dtype=object))
    decided = decided_by != ""
    gold = pairs[decided].reset_index(drop=True)
    gold = gold.assign(
        same=same[decided],
        n_answers=wide.isin(["same", "different", "unsure"]).sum(axis=1).to_numpy()[decided],
        decided_by=decided_by[decided],
        simulated=refuse_mixture(answers),
    )
    unresolved = pairs[_PAIR].merge(wide, left_on="pair_id", right_index=True)[~decided]
    unresolved = unresolved.assign(reason=reason[~decided]).reset_index(drop=True)
    return Resolution(check_table(gold, "gold"), unresolved)


def _decide(wide: pd.DataFrame, rule: str) -> tuple[np.ndarray, np.ndarray]:
    """Decide each pair by its own answers: is it the same, and by what was that decided ("" if open)."""
    n_same, n_different, n_unsure = (
        (wide == answer).sum(axis=1).to_numpy() for answer in ("same", "different", "unsure")
    )
    n_answers = n_same + n_different + n_unsure
    most = np.maximum(n_same, n_different)
    unanimous = (n_answers > 0) & (most == n_answers)
    majority = (rule == "majority") & (2 * most > n_answers)
    decided_by = np.select([unanimous, majority], ["unanimous", "majority"], default="").astype(object)
    return n_same > n_different, decided_by


def _find_reasons(wide: pd.DataFrame) -> np.ndarray:
    """Say for each pair why it would stay open."""
    disagree = (wide == "same").any(axis=1) & (wide == "different").any(axis=1)
    unsure = (wide == "unsure").any(axis=1)
    reasons = ["annotators disagree", "an annotator is unsure"]
    return np.select([disagree, unsure], reasons, default="no answer yet").astype(object)


def _ask_third(
    same: np.ndarray, decided_by: np.ndarray, reason: np.ndarray, answer: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Let the third annotator decide the pairs that the others answered and left open."""
    is_open = (decided_by == "") & (reason != "no answer yet")
    decides = is_open & ((answer == "same") | (answer == "different"))
    unsure = is_open & (answer == "unsure")
    waiting = is_open & ~decides & ~unsure
    reason = np.where(unsure, reason + ", the third annotator is unsure", reason)
    reason = np.where(waiting, reason + ", the third annotator has not answered", reason)
    return np.where(decides, answer == "same", same), np.where(decides, "third", decided_by), reason
