"""What annotators' errors can do to weighted scores: a sensitivity analysis, and when they outweigh chance.

Where .8% of all pairs are the same, the share of same pairs among those called different by a clustering is
near 0, and a rate of false "same" of a hundredth is larger than what is to be measured. Correcting for an
estimated rate (Rogan & Gladen) then divides small differences of uncertain numbers. So no score is corrected
here: scores are given for stated rates, beside the rates that the double answers speak for.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import chi2

from visclust.annotation.answers import current_answers, refuse_mixture
from visclust.base.bootstrap import find_interval
from visclust.base.checks import checked
from visclust.base.columns import check_gold
from visclust.base.provenance import recorded
from visclust.base.simulated import mark_simulated
from visclust.base.tables import check_table, check_used
from visclust.validation.pair_design import find_strata_of
from visclust.validation.pair_weights import find_strata, read_design_weights, read_weights
from visclust.validation.poststratified import count_cells, estimate_shares
from visclust.validation.scores import predict_same, score_pairs

_RATES = (0.0, 0.001, 0.0025, 0.005, 0.01, 0.02)
_MISSED = (0.0, 0.05, 0.1)
_MEASURES = ("precision", "recall", "f1")
_STEPS = 2000  # of expectation and maximization, at most
_START = 0.1  # error rate to start from: below a half, so that "same" stays the class of pairs called same


class _Patterns(NamedTuple):
    """What was answered, by kind: p patterns of answers of a annotators in h strata."""

    says_same: np.ndarray  # (p, a), 1 or 0; 0 where there is no answer
    says: np.ndarray  # (p, a), 1 where there is an answer
    stratum: np.ndarray  # (p,)
    times: np.ndarray  # (p,)


class _Model(NamedTuple):
    """Rates of B fits: false same and false different (B, a), share of same pairs in the strata (B, h)."""

    false_same: np.ndarray
    false_different: np.ndarray
    prevalence: np.ndarray
    likelihood: np.ndarray  # (B,), its logarithm


@recorded
def estimate_label_errors(
    answers: pd.DataFrame,
    pairs: pd.DataFrame,
    *,
    n_bootstrap: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Estimate from double answers how often annotators call different pairs the same, and the reverse.

    A model of two latent classes: each pair is the same or not, a share of each stratum is, and each
    annotator errs at two rates. Nobody knows the truth of any pair, so that this rests on conditions: an
    annotator's **rates are the same in all strata**, and, given the truth, annotators **err independently**
    of each other. Two annotators identify the rates only if, besides, the strata hold different shares of
    same pairs (Hui & Walter 1980); three identify them in one stratum too. Pairs that are hard for everybody
    break independence, and the rates come out too low: take them as a guide to the rates that
    `score_under_errors` is given, not as known.

    Parameters
    ----------
    answers : DataFrame
        An answers table, raw. Answers to other items than `pairs`, such as those of later looks, are left
        out; "unsure" and "skip" count as no answer.
    pairs : DataFrame
        The pairs table, with a column ``stratum`` where pairs were drawn in strata.
    n_bootstrap : int, default 500
        Resamples of the pairs within strata, each with a fit of its own.
    level : float, default 0.95
        Confidence level of the percentile intervals.
    seed : int, default 0
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        ``quantity, annotator, stratum, estimate, low, high, n, note``. Per annotator "false_same" and
        "false_different", `n` being their answers; per stratum "prevalence" (share of same pairs among those
        drawn), "called_same" (pairs that all call the same, a plain count) and "false_same_pairs" (how many
        of these the model expects to be different), `n` being the pairs with two answers or more; and
        "gold_false_same" and "gold_false_different": how often a pair that all annotators call alike is
        called so wrongly. ``note`` says of each row what it rests on, and whether the answers contradict the
        conditions. ``simulated`` where the answers are.

    Raises
    ------
    ValueError
        If fewer than two annotators answered the same pairs, or two did in one stratum only.

    Source
    ------
    Hui & Walter (1980), Estimating the error rates of diagnostic tests, Biometrics 36, doi:10.2307/2530508;
    the steps are those of Dawid & Skene (1979), doi:10.2307/2346806, with one set of shares per stratum.

    Examples
    --------
    >>> pairs = pd.DataFrame({"pair_id": [f"p{i}" for i in range(80)], "image_a": "a", "image_b": "b",
    ...                       "stratum": ["within"] * 40 + ["random"] * 40})
    >>> ana = ["same"] * 27 + ["different"] * 13 + ["same"] * 6 + ["different"] * 34
    >>> ben = ["same"] * 24 + ["different"] * 13 + ["same"] * 6 + ["different"] * 37
    >>> answers = pd.DataFrame({"item_id": [*pairs["pair_id"]] * 2, "annotator": ["ana"] * 80 + ["ben"] * 80,
    ...     "answer": ana + ben, "answered_at": "2026-01-05T10:00:00Z", "seconds": 1.0, "retracts": None})
    >>> found = estimate_label_errors(answers, pairs, n_bootstrap=20)
    >>> found.loc[found["quantity"].eq("prevalence"), ["stratum", "estimate", "n"]].round(2)
      stratum  estimate   n
    4  random      0.08  40
    7  within      0.74  40
    """
    check_used(pairs, "pairs", ["pair_id"])
    check_table(answers, "answers")
    standing = current_answers(answers)
    refuse_mixture(standing)
    standing = standing[
        standing["item_id"].isin(pairs["pair_id"]) & standing["answer"].isin(["same", "different"])
    ]
    wide = standing.pivot(index="item_id", columns="annotator", values="answer")
    wide = wide[wide.notna().sum(axis=1) >= 2].dropna(axis="columns", how="all")
    strata = find_strata(pairs)
    of_pair = pd.Series("all" if strata is None else strata, index=pairs["pair_id"])
    names, code = np.unique(of_pair.reindex(wide.index).to_numpy(dtype=str), return_inverse=True)
    n_annotators = wide.shape[1]
    _check_identified(n_annotators, len(names), len(wide))
    _check_both_answers(wide)
    says = wide.notna().to_numpy(dtype=np.int64)
    says_same = (wide == "same").to_numpy(dtype=np.int64)
    kinds, count = np.unique(np.column_stack([says_same, says, code]), axis=0, return_counts=True)
    patterns = _Patterns(
        kinds[:, :n_annotators], kinds[:, n_annotators:-1], kinds[:, -1], count.astype(np.float64)
    )
    fit = _fit(patterns, count[None].astype(np.float64))
    rng = np.random.default_rng(seed)
    drawn = np.zeros((n_bootstrap, len(count)))
    for stratum in range(len(names)):
        inside = patterns.stratum == stratum
        total = int(count[inside].sum())
        drawn[:, inside] = rng.multinomial(total, count[inside] / total, size=n_bootstrap)
    fits = _fit(patterns, drawn)
    note = _describe_fit(patterns, fit, n_annotators, names)
    rows = _list_rows(patterns, fit, fits, wide, names, level=level)
    return mark_simulated(pd.DataFrame(rows).assign(note=note), answers)


def _check_identified(n_annotators: int, n_strata: int, n_pairs: int) -> None:
    if n_annotators < 2:
        raise ValueError(
            f"Expected answers of two annotators or more to the same pairs, got {n_pairs} pairs with two "
            f"answers. Let a second person label them: one person's answers tell nothing of their errors."
        )
    if n_annotators == 2 and n_strata < 2:
        raise ValueError(
            "Expected pairs of two strata or more, or three annotators: two annotators' answers in one "
            "stratum fit many pairs of error rates equally well. State rates in score_under_errors instead."
        )


def _check_both_answers(wide: pd.DataFrame) -> None:
    found = set(wide.stack().unique())
    if len(found) < 2:
        raise ValueError(
            f"Expected both answers, same and different, to the pairs that two people judged, got "
            f"{min(found)!r} alone: where all answers are alike they tell nothing of errors. State rates in "
            f"score_under_errors instead."
        )


def _fit(patterns: _Patterns, counts: np.ndarray) -> _Model:
    """Fit the model to B sets of counts (B, p) at once, by expectation and maximization."""
    n_fits, n_strata = len(counts), int(patterns.stratum.max()) + 1
    n_annotators = patterns.says.shape[1]
    member = np.eye(n_strata)[patterns.stratum]  # (p, h)
    says_same, says_different = patterns.says_same, patterns.says - patterns.says_same
    majority = says_same.sum(axis=1) > says_different.sum(axis=1)
    totals = counts @ member
    prevalence = np.clip((counts @ (member * majority[:, None])) / np.maximum(totals, 1), 0.01, 0.99)
    false_same = np.full((n_fits, n_annotators), _START)
    false_different = np.full((n_fits, n_annotators), _START)
    before = np.full(n_fits, -np.inf)
    for _ in range(_STEPS):
        posterior, logarithm = _expect(prevalence, false_same, false_different, patterns)
        likelihood = (counts * logarithm).sum(axis=1)
        if (likelihood - before < 1e-9 * np.maximum(1.0, np.abs(likelihood))).all():
            break
        before = likelihood
        same, different = counts * posterior, counts * (1 - posterior)
        prevalence = (same @ member) / np.maximum(totals, 1e-12)
        false_same = _share(different @ says_same, different @ patterns.says)
        false_different = _share(same @ says_different, same @ patterns.says)
    return _Model(false_same, false_different, prevalence, likelihood)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 1e-12)


def _expect(
    prevalence: np.ndarray, false_same: np.ndarray, false_different: np.ndarray, patterns: _Patterns
) -> tuple[np.ndarray, np.ndarray]:
    """Give the chance that a pair of each pattern is the same, (B, p), and its log likelihood."""
    says_same, says_different = patterns.says_same.T, (patterns.says - patterns.says_same).T
    tiny = 1e-300

    def log(value: np.ndarray) -> np.ndarray:
        return np.log(np.maximum(value, tiny))

    share = prevalence[:, patterns.stratum]
    same = log(share) + log(1 - false_different) @ says_same + log(false_different) @ says_different
    different = log(1 - share) + log(false_same) @ says_same + log(1 - false_same) @ says_different
    both = np.logaddexp(same, different)
    return np.exp(same - both), both


def _agree(rates: np.ndarray) -> np.ndarray:
    """Give the rate of error of pairs that all call alike, from annotators' rates (…, a)."""
    wrong, right = np.prod(rates, axis=-1), np.prod(1 - rates, axis=-1)
    return _share(wrong, wrong + right)


def _list_rows(
    patterns: _Patterns, fit: _Model, fits: _Model, wide: pd.DataFrame, names: np.ndarray, *, level: float
) -> list[dict]:
    """List the rows of the table, with intervals from the fits to resamples."""
    rows: list[dict] = []

    def add(
        quantity: str, value: float, values: np.ndarray, n: int, *, who: str = "", where: str = ""
    ) -> None:
        low, high = find_interval(values, level=level)
        rows.append(
            {"quantity": quantity, "annotator": who, "stratum": where, "estimate": float(value),
             "low": float(low), "high": float(high), "n": n}
        )  # fmt: skip

    for at, who in enumerate(wide.columns):
        n = int(wide[who].notna().sum())
        add("false_same", fit.false_same[0, at], fits.false_same[:, at], n, who=who)
        add("false_different", fit.false_different[0, at], fits.false_different[:, at], n, who=who)
    all_same = (patterns.says_same == patterns.says).all(axis=1)
    wrong, wrongs = (_expect_false(patterns, model) for model in (fit, fits))
    for at, where in enumerate(names):
        inside = patterns.stratum == at
        n = int(patterns.times[inside].sum())
        add("prevalence", fit.prevalence[0, at], fits.prevalence[:, at], n, where=where)
        called = float(patterns.times[inside & all_same].sum())
        add("called_same", called, np.full(1, called), n, where=where)
        add("false_same_pairs", wrong[0, at], wrongs[:, at], n, where=where)
    n = len(wide)
    add("gold_false_same", _agree(fit.false_same)[0], _agree(fits.false_same), n)
    add("gold_false_different", _agree(fit.false_different)[0], _agree(fits.false_different), n)
    return rows


def _expect_false(patterns: _Patterns, model: _Model) -> np.ndarray:
    """Count the different pairs that all annotators who answered are expected to call the same, (B, h)."""
    kinds, back = np.unique(np.column_stack([patterns.says, patterns.stratum]), axis=0, return_inverse=True)
    answered = np.bincount(back.ravel(), weights=patterns.times)
    expected = np.zeros(model.prevalence.shape)
    for kind, n in zip(kinds, answered, strict=True):
        stratum, said = kind[-1], kind[:-1].astype(bool)
        together = np.prod(model.false_same[:, said], axis=1)
        expected[:, stratum] += n * (1 - model.prevalence[:, stratum]) * together
    return expected


def _describe_fit(patterns: _Patterns, fit: _Model, n_annotators: int, names: np.ndarray) -> str:
    """Say on what the estimates rest, and whether the answers contradict it."""
    said = "rests on error rates that are the same in all strata and independent given the truth"
    shares = fit.prevalence[0]
    if n_annotators == 2:
        said += ", and on strata that differ in their share of same pairs (Hui and Walter 1980)"
        if np.ptp(shares) < 0.2:
            said += "; these differ little, so that the rates are hardly identified"
    if patterns.says.all():
        groups = pd.DataFrame({"stratum": patterns.stratum, "count": patterns.times})
        alone = (patterns.times * np.log(patterns.times)).sum()
        alone -= sum(n * np.log(n) for n in groups.groupby("stratum")["count"].sum())
        distance = max(0.0, 2 * (alone - float(fit.likelihood[0])))
        freedom = len(names) * (2**n_annotators - 1) - 2 * n_annotators - len(names)
        if freedom > 0:
            p = float(chi2.sf(distance, freedom))
            verdict = "contradict that" if p < 0.05 else "do not contradict that"
            return f"{said}; the answers {verdict} (G2 = {distance:.1f} on {freedom} df, p = {p:.3f})"
    return f"{said}, which these answers cannot contradict"


@recorded
def score_under_errors(
    clusters: pd.DataFrame,
    gold: pd.DataFrame,
    *,
    false_same: Sequence[float] = _RATES,
    false_different: Sequence[float] = _MISSED,
    weights: pd.DataFrame | pd.Series | np.ndarray | str = "inclusion_probability",
    design: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Say what the weighted scores would be, were gold answers wrong at stated rates: a sensitivity analysis.

    Parameters
    ----------
    clusters : DataFrame
        A clusters table with a row for every image of the pairs.
    gold : DataFrame, n rows
        A gold table, of `resolve` or `merge_looks`.
    false_same : sequence of float, default (0, 0.001, 0.0025, 0.005, 0.01, 0.02)
        Assumed shares of different pairs that are "same" in gold. Two annotators who err in a share e each,
        independently, agree on a wrong answer in e² / (e² + (1 - e)²) of the pairs on which they agree:
        .0028 for 5%, .0122 for 10%. After a second look that confirms each "same" it is the square of that,
        if errors of the two looks are independent.
    false_different : sequence of float, default (0, 0.05, 0.1)
        Assumed shares of same pairs that are "different" in gold.
    weights, design : optional
        As in `score_pairs`; by default the gold table's inclusion probabilities, and no pair design.

    Returns
    -------
    DataFrame
        A row per combination: ``false_same, false_different, precision, recall, f1``, ``same_share`` (of all
        pairs of the corpus, the share that would then be the same) and ``reason``: where fewer pairs are
        called the same than the stated errors alone would give, none is taken to be the same. At rates of
        0 they are the weighted scores. ``simulated`` where the gold pairs are.

    Raises
    ------
    ValueError
        If the tables do not match, a rate is no share, or two rates add up to 1 or more.

    Notes
    -----
    In each stratum, among the pairs in one cluster and among the others, the observed share p of "same" is
    taken for (p - a) / (1 - a - b), a and b being the stated rates (Rogan & Gladen 1978). With p near 0 that
    is a small difference of two uncertain numbers: hence a table, and no interval. The rates are the same in
    all strata.

    Source
    ------
    Rogan & Gladen (1978), Estimating prevalence from the results of a screening test,
    doi:10.1093/oxfordjournals.aje.a112510.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abcd"), "cluster": [0, 0, 1, 1]})
    >>> gold = pd.DataFrame({"pair_id": list("pqrst"), "image_a": list("acaab"), "image_b": list("bdcdd"),
    ...                      "same": [True, True, True, False, False], "stratum": ["in"] * 2 + ["out"] * 3,
    ...                      "inclusion_probability": [0.5, 0.5, 0.1, 0.1, 0.1]})
    >>> score_under_errors(clusters, gold, false_same=[0, 0.2], false_different=[0]).round(3)[
    ...     ["false_same", "precision", "recall", "same_share"]]
       false_same  precision  recall  same_share
    0         0.0        1.0   0.286       0.412
    1         0.2        1.0   0.444       0.265
    """
    gold = _check_judged(gold, weights)
    rates = [(a, b) for b in _check_rates("false_different", false_different)
             for a in _check_rates("false_same", false_same)]  # fmt: skip
    if any(a + b >= 1 for a, b in rates):
        raise ValueError("Expected false_same and false_different to add up to less than 1, got more.")
    cells = _count_cells(clusters, gold, weights, design)
    rows = []
    for a, b in rates:
        scores, reason = _correct(cells, a, b)
        rows.append({"false_same": a, "false_different": b, **scores, "reason": reason})
    return mark_simulated(pd.DataFrame(rows), gold)


@checked
def explain_label_error(
    clusters: pd.DataFrame,
    gold: pd.DataFrame,
    *,
    false_same: float,
    false_different: float = 0.0,
    weights: pd.DataFrame | pd.Series | np.ndarray | str = "inclusion_probability",
    design: pd.DataFrame | None = None,
    n_bootstrap: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> str:
    """Say in words whether annotators' errors at a stated rate outweigh the chance of which pairs were drawn.

    Parameters
    ----------
    clusters, gold, weights, design : see `score_under_errors`
        The clusters, the judged pairs, and how they were drawn.
    false_same, false_different : float
        Rates at which gold answers are taken to be wrong, such as ``gold_false_same`` of
        `estimate_label_errors`; the second is 0 by default.
    n_bootstrap, level, seed : see `score_pairs`
        Of the intervals that the errors are compared with.

    Returns
    -------
    str
        By how much the errors move recall, precision and F1, whether that is more than half the width of the
        interval, and what to do then.

    Raises
    ------
    ValueError
        As `score_under_errors` does.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abcd"), "cluster": [0, 0, 1, 1]})
    >>> gold = pd.DataFrame({"pair_id": list("pqrst"), "image_a": list("acaab"), "image_b": list("bdcdd"),
    ...                      "same": [True, True, True, False, False], "stratum": ["in"] * 2 + ["out"] * 3,
    ...                      "inclusion_probability": [0.5, 0.5, 0.1, 0.1, 0.1]})
    >>> explain_label_error(clusters, gold, false_same=0.01, n_bootstrap=200).split(",")[0]
    'Were 1.00% of different pairs called the same and 0.00% of same ones different'
    """
    table = score_under_errors(
        clusters,
        gold,
        false_same=sorted({0.0, false_same}),
        false_different=sorted({0.0, false_different}),
        weights=weights,
        design=design,
    )
    plain = table[table["false_same"].eq(0) & table["false_different"].eq(0)].iloc[0]
    assumed = table[table["false_same"].eq(false_same) & table["false_different"].eq(false_different)].iloc[0]
    scores = score_pairs(
        clusters, gold, weights=weights, design=design, n_bootstrap=n_bootstrap, level=level, seed=seed
    )
    scores = scores[scores["weighting"].ne("raw")].set_index("measure")
    half = (scores["high"] - scores["low"]) / 2
    moved = {name: abs(assumed[name] - plain[name]) for name in _MEASURES}
    known = [name for name in _MEASURES if np.isfinite(moved[name]) and np.isfinite(half[name])]
    unknown = _name_undefined([name for name in _MEASURES if name not in known])
    if not known:
        return f"{unknown}, with the answers as they are or with the stated errors: nothing is said of these."
    outweighed = [name for name in known if moved[name] > half[name]]
    worst = max(outweighed or known, key=lambda name: moved[name])
    start = (
        f"Were {false_same:.2%} of different pairs called the same and {false_different:.2%} of same ones "
        f"different, {_name(worst)} would be {_write(assumed[worst])}, not {_write(plain[worst])}"
    )
    said = (
        f"{start}: it moves by {_write(moved[worst])}, and half its interval is {_write(half[worst])} wide."
    )
    if outweighed:
        end = " Label error outweighs the chance of the draw: no interval covers that."
        advice = " Take a second look at the pairs that weigh most (select_for_review)."
        return said + end + advice + (f" {unknown}." if unknown else "")
    return f"{said} The chance of the draw outweighs label error." + (f" {unknown}." if unknown else "")


def _name_undefined(measures: list[str]) -> str:
    """Say which measures are undefined, or nothing where all are defined."""
    names = [_name(each) for each in measures]
    listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    verb = "are" if len(names) > 1 else "is"
    return f"{listed[:1].upper()}{listed[1:]} {verb} undefined" if names else ""


def _name(measure: str) -> str:
    return measure.upper() if measure == "f1" else measure


def _write(value: float) -> str:
    return f"{value:.3f}".removeprefix("0") if value < 1 else f"{value:.3f}"


def _check_rates(name: str, rates: Sequence[float]) -> list[float]:
    found = [float(rate) for rate in rates]
    if not found or any(not 0 <= rate < 1 for rate in found):
        raise ValueError(f"Expected {name} to be shares of at least 0 and below 1, got {found}.")
    return found


def _check_judged(gold: pd.DataFrame, weights: pd.DataFrame | pd.Series | np.ndarray | str) -> pd.DataFrame:
    gold = check_gold(gold, named=isinstance(weights, pd.DataFrame))
    if not len(gold):
        raise ValueError("Expected at least one gold pair, got none. Label and resolve some pairs first.")
    return gold


def _count_cells(
    clusters: pd.DataFrame,
    gold: pd.DataFrame,
    weights: pd.DataFrame | pd.Series | np.ndarray | str,
    design: pd.DataFrame | None,
) -> pd.DataFrame:
    """Count pairs by stratum and by what the clusters say, and estimate the share called the same in each."""
    prediction = predict_same(clusters, gold)
    if design is not None:
        weight = read_design_weights(gold, weights, design)
        counted = count_cells(
            [clusters], [prediction], gold, design, weight=weight, weights=weights, unassigned="different"
        )
        names = np.repeat(find_strata_of(design).names, 2)
        joined = np.tile([False, True], len(names) // 2)
        table = pd.DataFrame({"stratum": names, "joined": joined, "all": counted.totals[0]})
        return table.assign(share=estimate_shares(counted))[table["all"] > 0].reset_index(drop=True)
    weight = read_weights(gold, weights)
    strata = find_strata(gold, weights)
    where = np.full(len(gold), "all") if strata is None else strata
    same = weight * gold["same"].to_numpy(dtype=bool)
    table = pd.DataFrame({"stratum": where, "joined": prediction.same, "all": weight, "same": same})
    table = table[weight > 0].groupby(["stratum", "joined"], as_index=False)[["all", "same"]].sum()
    return table.assign(share=table["same"] / table["all"])


def _correct(cells: pd.DataFrame, a: float, b: float) -> tuple[dict[str, float], str]:
    """Compute the scores with the shares of same pairs that stated rates leave."""
    share = (cells["share"].to_numpy() - a) / (1 - a - b)
    weight, joined = cells["all"].to_numpy(), cells["joined"].to_numpy(dtype=bool)
    found = weight * np.clip(share, 0, 1)
    both, same, predicted = found[joined].sum(), found.sum(), weight[joined].sum()
    below, above = share < 0, share > 1
    reasons = []
    for wrong, said in ((below, "none"), (above, "all")):
        if wrong.any():
            places = [
                f"{stratum} {'in' if inside else 'not in'} one cluster"
                for stratum, inside in cells.loc[wrong, ["stratum", "joined"]].itertuples(index=False)
            ]
            reasons.append(f"{said} taken to be the same of the pairs {', '.join(places)}")
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = {
            "precision": float(np.float64(both) / predicted),
            "recall": float(np.float64(both) / same),
            "f1": float(np.float64(2 * both) / (predicted + same)),
        }
    return {**scores, "same_share": float(same / weight.sum())}, "; ".join(reasons)
