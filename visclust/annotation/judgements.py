"""Answers to pairs of images: how far annotators agree on them, and one gold answer of several."""

from typing import NamedTuple

import krippendorff
import numpy as np
import pandas as pd

from visclust.annotation.agreement_measures import (
    compute_alpha,
    compute_kappa,
    compute_percent_agreement,
    count_coincidences,
)
from visclust.annotation.answer_files import SKIP
from visclust.annotation.answers import current_answers, refuse_mixture
from visclust.annotation.identity import is_same_person
from visclust.base.bootstrap import find_interval, resample_sums
from visclust.base.provenance import note_run, recorded
from visclust.base.simulated import mark_simulated
from visclust.base.tables import check_columns, check_table

# The answers that an annotator can give to a pair.
PAIR_ANSWERS = ("same", "different", "unsure", SKIP)

_RULES = ("unanimous", "majority", "third")
_PAIR = ["pair_id", "image_a", "image_b"]


class Agreement(NamedTuple):
    """Agreement between annotators of pairs: the measures, the disagreements, and each one's answers."""

    measures: pd.DataFrame
    disagreements: pd.DataFrame
    prevalence: pd.DataFrame


class Resolution(NamedTuple):
    """The gold table, and the pairs that have no gold answer, with the reason."""

    gold: pd.DataFrame
    unresolved: pd.DataFrame


@recorded
def agreement(
    answers: pd.DataFrame,
    *,
    unsure: str = "missing",
    n_bootstrap: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Agreement:
    """Measure from answers to pairs how far annotators agree beyond chance, and list the pairs to adjudicate.

    For answers about features of single images, see `aggregate_labels`.

    Parameters
    ----------
    answers : DataFrame
        The answers to pairs, raw: of each annotator's answers to one, the latest not taken back counts.
    unsure : {"missing", "answer"}, default "missing"
        Whether "unsure" counts as no answer, or as a third answer beside "same" and "different". "skip" is
        never an answer.
    n_bootstrap : int, default 2000
        Resamples of the pairs.
    level : float, default 0.95
        Confidence level of the percentile intervals.
    seed : int, default 0
        Seed of the bootstrap.

    Returns
    -------
    Agreement
        ``measures``: ``measure`` (percent_agreement, 0 to 100, over every two answers to the same pair;
        cohens_kappa, for two annotators; krippendorffs_alpha, nominal), ``estimate, low, high``,
        ``n_pairs`` (those with two answers or more), ``n_annotators, note``.
        ``disagreements``: ``item_id`` and a column per annotator with the answer given (missing where there
        is none), for pairs that some call same and others different.
        ``prevalence``: per ``annotator`` the number of each answer and ``prevalence``, the share of "same"
        among "same" and "different". All three have a column ``simulated`` where the answers are simulated.

    Raises
    ------
    ValueError
        If an answer is none of the four, or simulated answers stand among people's.

    Source
    ------
    Cohen (1960), Educational and Psychological Measurement 20, 37-46; Krippendorff (2011), Computing
    Krippendorff's Alpha-Reliability. The paper (Casas et al.) reports percent agreement and kappa of two
    annotators. Estimates are those of the packages scikit-learn and krippendorff; the bootstrap uses the same
    formulas on resampled counts.

    Notes
    -----
    Kappa and alpha depend on how common "same" is, and `sample_pairs` makes it commoner than in the corpus:
    they describe the labelling of these pairs. Leave out the answers of an adjudicator, who sees only the
    pairs that others disagree about.

    Examples
    --------
    >>> answers = pd.DataFrame({"item_id": ["p", "q", "r"] * 2, "annotator": ["ana"] * 3 + ["ben"] * 3,
    ...     "answer": ["same", "same", "different", "same", "different", "different"],
    ...     "answered_at": "2026-01-05T10:00:00Z", "seconds": 1.0, "retracts": None})
    >>> found = agreement(answers)
    >>> found.measures.set_index("measure")["estimate"].round(2).to_dict()
    {'percent_agreement': 66.67, 'cohens_kappa': 0.4, 'krippendorffs_alpha': 0.44}
    >>> found.disagreements["item_id"].tolist()
    ['q']
    """
    if unsure not in ("missing", "answer"):
        raise ValueError(f'Expected unsure="missing" or "answer", got {unsure!r}.')
    wide = _spread_answers(answers)
    values = list(PAIR_ANSWERS[: 2 if unsure == "missing" else 3])
    # Code of each answer, items by annotators; -1 where there is none that counts.
    codes = np.column_stack(
        [pd.Index(values).get_indexer(pd.Index(wide[name])) for name in wide.columns]
        or [np.empty((len(wide), 0), dtype=np.intp)]
    )
    left_out = int(((codes < 0) & wide.notna().to_numpy(dtype=bool)).sum())
    codes = codes[(codes >= 0).sum(axis=1) >= 2]
    measures = _measure(codes, len(values), n_bootstrap=n_bootstrap, level=level, seed=seed)
    if left_out:
        kinds = "unsure or skipped" if unsure == "missing" else "skipped"
        notes = measures["note"].where(measures["note"] == "", measures["note"] + "; ")
        measures["note"] = notes + f"{left_out} answers {kinds} count as missing"
    tables = (measures, wide[_find_conflicts(wide)].reset_index(), _count_answers(wide))
    return Agreement(*(mark_simulated(table, answers) for table in tables))


@recorded
def select_disagreements(answers: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Select the pairs that some annotators call same and others different, for a third one to decide.

    Parameters
    ----------
    answers : DataFrame
        An answers table, raw.
    pairs : DataFrame
        The pairs table that was labelled.

    Returns
    -------
    DataFrame
        The rows of `pairs` on which the annotators disagree, in their order and with all their columns, and
        without the answers: whoever decides should not know them. It is a pairs table, to be given to
        `label_pairs`; then `resolve` with the rule "third" decides by what the third annotator said.

    Raises
    ------
    ValueError
        If a column is missing, an answer is no answer to a pair, or simulated answers stand among people's.

    Source
    ------
    Krippendorff (2018), Content Analysis, 4th edition, chapter 11, on what to do with disagreements.

    Examples
    --------
    >>> answers = pd.DataFrame({"item_id": ["p", "q"] * 2, "annotator": ["ana"] * 2 + ["ben"] * 2,
    ...     "answer": ["same", "same", "same", "different"],
    ...     "answered_at": "2026-01-05T10:00:00Z", "seconds": 1.0, "retracts": None})
    >>> pairs = pd.DataFrame({"pair_id": ["p", "q"], "image_a": ["a", "b"], "image_b": ["c", "d"]})
    >>> select_disagreements(answers, pairs)["pair_id"].tolist()
    ['q']
    """
    check_columns(pairs, _PAIR, "the pairs", hint="sample_pairs makes such a table.")
    wide = _spread_answers(answers)
    disputed = wide.index[_find_conflicts(wide)]
    return pairs[pairs["pair_id"].isin(disputed)].reset_index(drop=True)


def _find_conflicts(wide: pd.DataFrame) -> pd.Series:
    """Say of each pair whether some call it same and others different."""
    return (wide == "same").any(axis=1) & (wide == "different").any(axis=1)


def _spread_answers(answers: pd.DataFrame) -> pd.DataFrame:
    """Spread the answers that stand into a table of pairs (in the order first seen) by annotators (by name).

    Cells are missing where an annotator gave no answer.
    """
    standing = current_answers(answers)
    refuse_mixture(standing)
    unknown = standing.loc[~standing["answer"].isin(PAIR_ANSWERS), "answer"]
    if len(unknown):
        raise ValueError(
            f"Expected the answers {', '.join(PAIR_ANSWERS)}, got {unknown.iloc[0]!r} ({len(unknown)} such "
            f"rows). Read the answers to pairs only, and leave other items out."
        )
    first_seen = answers.loc[answers["item_id"].isin(standing["item_id"]), "item_id"].drop_duplicates()
    wide = standing.pivot(index="item_id", columns="annotator", values="answer").reindex(first_seen)
    wide = wide.astype(object)
    return wide.rename_axis(columns=None)


def _measure(codes: np.ndarray, n_values: int, *, n_bootstrap: int, level: float, seed: int) -> pd.DataFrame:
    """Compute the measures and their intervals from the coded answers, pairs by annotators; -1 is none."""
    from sklearn.metrics import cohen_kappa_score  # takes seconds, and who labels needs only PAIR_ANSWERS

    n_items, n_annotators = codes.shape
    counts = np.stack([(codes == value).sum(axis=1) for value in range(n_values)], axis=1)
    sizes = counts.sum(axis=1)
    agreeing = np.column_stack([(counts * (counts - 1) // 2).sum(axis=1), sizes * (sizes - 1) // 2])
    coincidences = count_coincidences(counts).reshape(n_items, n_values**2)
    parts = [agreeing, coincidences]
    if n_annotators == 2:
        parts.append(np.eye(n_values**2)[codes[:, 0] * n_values + codes[:, 1]])
    several_values = (counts.sum(axis=0) > 0).sum() > 1
    estimates = {"percent_agreement": np.nan, "cohens_kappa": np.nan, "krippendorffs_alpha": np.nan}
    notes = dict.fromkeys(estimates, "undefined: no pair has two answers")
    intervals = dict.fromkeys(estimates, (np.nan, np.nan))
    if n_items:
        square = (n_bootstrap, n_values, n_values)
        sums = resample_sums(np.column_stack(parts), n_bootstrap=n_bootstrap, seed=seed)
        replicates = {
            "percent_agreement": compute_percent_agreement(sums[:, :2]),
            "krippendorffs_alpha": compute_alpha(sums[:, 2 : 2 + n_values**2].reshape(square)),
        }
        estimates["percent_agreement"] = float(compute_percent_agreement(agreeing.sum(axis=0)))
        one_value = (
            "" if several_values else "undefined: all answers are the same one, so that chance explains all"
        )
        notes = dict.fromkeys(estimates, one_value) | {"percent_agreement": ""}
        if several_values:
            estimates["krippendorffs_alpha"] = float(
                krippendorff.alpha(value_counts=counts, level_of_measurement="nominal")
            )
        if n_annotators != 2:
            notes["cohens_kappa"] = (
                f"undefined: it compares two annotators, and there are {n_annotators}: keep two"
            )
        elif several_values:
            replicates["cohens_kappa"] = compute_kappa(sums[:, -(n_values**2) :].reshape(square))
            estimates["cohens_kappa"] = float(
                cohen_kappa_score(codes[:, 0], codes[:, 1], labels=range(n_values))
            )
        for name, values in replicates.items():
            if np.isnan(estimates[name]):
                continue
            low, high = find_interval(values, level=level)
            intervals[name] = (float(low), float(high))
            if n_undefined := int(np.isnan(values).sum()):
                notes[name] = (
                    f"undefined in {n_undefined} of {n_bootstrap} resamples, which the interval leaves out"
                )
            elif low == high:
                notes[name] = "every resample gives the same, so that the interval shows no uncertainty"
    return pd.DataFrame(
        {
            "measure": list(estimates),
            "estimate": list(estimates.values()),
            "low": [intervals[name][0] for name in estimates],
            "high": [intervals[name][1] for name in estimates],
            "n_pairs": n_items,
            "n_annotators": n_annotators,
            "note": [notes[name] for name in estimates],
        }
    )


def _count_answers(wide: pd.DataFrame) -> pd.DataFrame:
    """Count each annotator's answers by kind."""
    rows = []
    for name in wide.columns:
        counts = {answer: int((wide[name] == answer).sum()) for answer in PAIR_ANSWERS}
        decided = counts["same"] + counts["different"]
        prevalence = counts["same"] / decided if decided else np.nan
        rows.append({"annotator": name, **counts, "prevalence": prevalence})
    return pd.DataFrame(rows, columns=["annotator", *PAIR_ANSWERS, "prevalence"])


@recorded
def resolve(
    answers: pd.DataFrame, *, pairs: pd.DataFrame, rule: str = "unanimous", third: str | None = None
) -> Resolution:
    """Resolve several annotators' answers to pairs into one gold answer per pair.

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
        the answers are), in the order of `pairs`; where these are of several draws (a column ``wave``), also
        ``wave_judged``, the share of that draw's pairs that anybody has answered. ``unresolved``:
        ``pair_id, image_a, image_b``, a column per annotator with the answer, and ``reason``. Each pair is
        in one of the two.

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
    check_columns(pairs, _PAIR, "the pairs", hint="sample_pairs makes such a table.")
    if (twice := pairs["pair_id"].duplicated()).any():
        raise ValueError(
            f"Expected one row per pair_id in the pairs; {pairs.loc[twice, 'pair_id'].iloc[0]!r} comes twice."
        )
    wide = _spread_answers(answers)
    strange = wide.index.difference(pd.Index(pairs["pair_id"]))
    if len(strange):
        raise ValueError(
            f"Expected answers to the pairs given; {len(strange)} items are not among them, such as "
            f"{strange[0]!r}. Give the pairs table that was labelled."
        )
    if third is not None:
        third = next((name for name in wide.columns if is_same_person(name, str(third))), third)
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
    simulated = refuse_mixture(answers)
    note_run(parameters={"simulated": simulated})
    gold = pairs[decided].reset_index(drop=True)
    gold = gold.assign(
        same=same[decided],
        n_answers=wide.isin(["same", "different", "unsure"]).sum(axis=1).to_numpy()[decided],
        decided_by=decided_by[decided],
        simulated=simulated,
    )
    if "wave" in pairs.columns:
        judged = wide.notna().any(axis=1).to_numpy().astype(float)
        shares = pd.Series(judged).groupby(pairs["wave"].to_numpy()).mean()
        gold = gold.assign(wave_judged=gold["wave"].map(shares))
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
