"""Estimate what holds for the corpus from what was seen in a sample, with standard errors by its strata."""

import math
from typing import Any

import numpy as np
import pandas as pd

from visclust.base.checks import check_level
from visclust.base.copies import take_pictures
from visclust.base.provenance import recorded
from visclust.sampling.guesses import Guess, is_cross_fitted, pick_guesses, tune_guess, warn_of_constant
from visclust.sampling.intervals import Certainty, find_interval
from visclust.sampling.samples import SampleDesign, find_design, name_left_out
from visclust.sampling.variances import measure_variance

_STATISTICS = ("mean", "total", "proportion")


@recorded
def estimate_corpus(
    sample: pd.DataFrame,
    value: str | pd.Series | pd.DataFrame,
    *,
    clusters: pd.DataFrame,
    statistic: str = "mean",
    estimator: str = "hajek",
    by: str | pd.Series | None = None,
    missing: str = "error",
    design: str = "auto",
    variance: str = "moderated",
    level: float = 0.95,
    guesses: pd.Series | pd.DataFrame | None = None,
    tuning: float | None = None,
) -> pd.DataFrame:
    """Estimate means, totals or proportions over the corpus from a sample of its images.

    Clusters that cannot enter the sample (of one image, or the unassigned, unless asked for) are not
    covered: the table says for how many images an estimate speaks. Where the clusters table names
    representatives (see `add_copies`), pictures were sampled, and what was seen in one holds for its near
    copies: estimates are of all images, by ratio. `leave_out_copies` of the clusters gives those of pictures;
    prefer them where a few pictures hold most of the copies, since intervals for images then fall short (in
    simulations 94% held the truth where no picture had more than 17 copies, and 79% where one had 500). No
    interval knows of a few huge values that the sample missed, as of images posted hundreds of times: prefer
    shares there.

    Parameters
    ----------
    sample : DataFrame
        From `draw_stratified_sample` or `draw_random_sample`, whole.
    value : str, Series or DataFrame
        What people saw: a numeric, true-or-false or (for proportions) any column of `sample`; a Series
        indexed by image id; or a table with ``image_id`` and one or more columns of values.
    clusters : DataFrame
        The clusters table that the sample was drawn from.
    statistic : {"mean", "total", "proportion"}, default "mean"
        "proportion" gives a row per category of the value.
    estimator : {"hajek", "horvitz-thompson"}, default "hajek"
        Horvitz-Thompson: sums weighted by inverse inclusion probabilities, for a mean divided by the known
        number of images. Hájek: the weighted mean, divided by the sum of weights; its total is that mean
        times the number of images, if known. The two are equal unless `by` cuts across the clusters.
    by : str or Series, optional
        Estimate within each domain: a column of `sample` or `clusters`, or a Series by image id.
    missing : {"error", "adjust"}, default "error"
        What to do with sampled images without a value. "adjust" takes those with a value for a random part
        of their cluster and weighs them up; clusters left without any are no longer covered.
    design : {"auto", "stratified", "random"}, default "auto"
        How the sample was drawn. "auto" reads it from the probabilities; where they fit both, it says
        stratified, so name "random" if a random sample should happen to be in proportion to all clusters.
    variance : {"moderated", "own", "pooled"}, default "moderated"
        "own": each cluster's variance from its own sampled images, as in the textbooks. Unbiased where every
        cluster has two sampled images or more (of those with one, pairs of clusters stand in, which is too
        large on average: ``strata_collapsed``), but shaky where a few large clusters hold most of the corpus
        and give five images each: shares and domains are often not seen there at all, and intervals are far
        too short then. "moderated": each cluster's own,
        averaged with that of all clusters as if that were one more of its images. "pooled": one variance
        within clusters for all; steady, but far off if large clusters are more, or less, alike than small.
    level : float, default 0.95
        Confidence level of the intervals.
    guesses : Series or DataFrame, optional
        What a computer guesses for **all** images, sampled or not: a fine-tuned network's probabilities, any
        model's scores, likeness to the centre of a cluster. A Series indexed by image id, or a table with
        ``image_id`` and a column per value, named as it is. For proportions: the guessed category of each
        image, probabilities of True (for a value of True and False), or a column of probabilities per
        category, named as it is. The estimate is right on average whatever the guesses are worth, and the
        narrower the better they are. But they must not have learned from the very labels that they stand
        beside: the model that guesses a labelled image must not have been trained on it (cross-fitting), or
        intervals are too short. `guess_labels` makes such guesses from the embedding; of any others this
        cannot be checked, and the table says so.
    tuning : float, optional
        How much of the guesses is taken. Without it, what makes the variance least, found from the sample
        (power tuning; not below 0 for guesses of `guess_labels`): bad guesses are then left aside. 1 is the
        plain difference estimator, 0 none of them.

    Returns
    -------
    DataFrame
        A row per value, domain and category: ``value``; ``domain`` and ``category`` where asked for;
        ``estimate, standard_error, low, high``; ``n``, images seen; ``n_effective``, the size of a simple
        random sample with the same standard error; ``design_effect``, the variance over that of a simple
        random sample of n; ``degrees_of_freedom`` (Satterthwaite); ``strata_collapsed``, clusters with one
        seen image of several, whose "own" variance rests on pairs of clusters of like size; ``covered`` and
        ``corpus``: images of the clusters that the estimate rests on, for which it speaks, and all images;
        ``left_out``, in words, those for which it does not (see ``n_rest`` of `draw_stratified_sample`).
        With guesses also ``tuning``; ``standard_error_alone``, that of the labels without the guesses; and
        ``labels_saved``: the share of labels that the guesses save, 1 - (standard error / alone)²; and
        ``cross_fitted``: "yes" where the guesses are those of `guess_labels`, otherwise "not known".

    Warns
    -----
    UserWarning
        If the guesses do not differ within any cluster of a stratified sample: they cancel out there and save
        nothing, since what is known of whole clusters such a sample uses already.

    Raises
    ------
    ValueError
        If the sample was not drawn from these clusters or is not whole, a value is missing or of the wrong
        kind, a Horvitz-Thompson mean of a domain of unknown size is asked for, or guesses are missing or come
        with a domain that is not known of all images.

    Source
    ------
    Särndal, Swensson and Wretman (1992), Model Assisted Survey Sampling, sections 2.8, 3.7, 5.6 to 5.8 and
    10.3; Hájek (1971). Intervals for proportions, and for means and totals where only 0 and 1 were seen:
    Wilson's with the effective sample size of Korn and Graubard (1998), Survey Methodology 24, as compared by
    Franco et al. (2019), Journal of Survey Statistics and Methodology 7; all others: Student's t. Variance:
    Cochran (1977), Sampling Techniques, sections 5.6 and 5A.12 (collapsed strata; by size: Hansen, Hurwitz
    and Madow 1953) and formula 5.16 (degrees of freedom); moderated after Smyth (2004), Statistical
    Applications in Genetics and Molecular Biology 3(1), with one prior degree of freedom instead of an
    estimated number. Guesses: the difference estimator of Särndal et al., section 6.3; its tuning is that of
    Angelopoulos, Duchi and Zrnic (2023), PPI++, arXiv 2311.01453, with the variance of the strata for that of
    independent labels. Where hardly an error of the guesses was seen, shares have two more sampled images in
    the variance, one wrong each way, after Bonett and Price (2012), Journal of Educational and Behavioral
    Statistics 37.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": list("abcdefg"), "cluster": [0] * 4 + [1] * 3, "iteration": 1,
    ...                          "silhouette": 0.1})
    >>> import visclust as vc
    >>> sample = vc.draw_stratified_sample(clusters, max_per_cluster=2).assign(crowd=[1, 0, 1, 1])
    >>> estimate_corpus(sample, "crowd", clusters=clusters)[["estimate", "low", "high", "covered"]].round(2)
       estimate   low  high  covered
    0      0.71  0.05  0.99        7
    """
    _check_choice("statistic", statistic, _STATISTICS)
    _check_choice("estimator", estimator, ("hajek", "horvitz-thompson"))
    _check_choice("missing", missing, ("error", "adjust"))
    _check_choice("variance", variance, ("moderated", "own", "pooled"))
    _check_choice("design", design, ("auto", "stratified", "random"))
    check_level(level)
    plan = find_design(sample, clusters, design=design)
    values = join_values(sample, value, numeric=statistic != "proportion")
    pictures = take_pictures(clusters)
    place_of = pd.Index(pictures["image_id"]).get_indexer(sample["image_id"])
    domains, known = _join_domains(sample, by, pictures)
    if guesses is not None and by is not None and known is None:
        raise ValueError(
            "Guesses for domains need the domain of every image: give `by` as a column of the clusters "
            "table, or as a Series with a value for each of its images, or leave out the guesses."
        )
    if guesses is None and tuning is not None:
        raise ValueError("tuning says how much of the guesses is taken: give guesses too, or leave it out.")
    if by is not None and known is None and (statistic, estimator) == ("mean", "horvitz-thompson"):
        raise ValueError(
            "The Horvitz-Thompson mean of a domain needs the domain's size, which is only known if `by` is a "
            "column of the clusters table. Use estimator='hajek', or statistic='total'."
        )
    fitted = is_cross_fitted(guesses)
    rows = []
    for name, column in values.items():
        seen = column.notna().to_numpy()
        if not seen.all() and missing == "error":
            raise ValueError(
                f"{(~seen).sum()} of {len(seen)} sampled images have no value of {name!r}. Complete them, or "
                "take those seen for a random part of their cluster with missing='adjust'."
            )
        part = plan.narrow(seen)
        present = column[seen].reset_index(drop=True)
        categories: list[Any] = sorted(present.unique(), key=str) if statistic == "proportion" else [None]
        guessed = {
            category: pick_guesses(
                guesses, name, category=category, categories=categories, image_ids=pictures["image_id"],
                needed=part.covers,
            )
            for category in categories
            if guesses is not None
        }  # fmt: skip
        constant = bool(guessed)
        rest = name_left_out(clusters, part.covers)
        for domain in [None] if domains is None else pd.unique(domains[seen]):
            mine, rows_kept, inside, size = _enter_domain(part, domain, known, domains, seen)
            within = mine.covers if domain is None or known is None else mine.covers & (known == domain)
            for category in categories:
                y = present.eq(category) if statistic == "proportion" else present
                numbers = y.to_numpy(float)[rows_kept]
                options = (statistic, estimator, variance, level)
                is_share = bool(y.isin([0, 1]).all())
                guess = None
                if category in guessed:
                    everyone = guessed[category]
                    total = float((everyone * part.copies)[within].sum())
                    least = 0.0 if fitted else -math.inf
                    guess = Guess(everyone[place_of][seen][rows_kept], total, least)
                found = _estimate(numbers, inside, mine, size, options, guess, tuning, is_share=is_share)
                constant &= not found.pop("varies", False)
                head: dict[str, Any] = {"value": name}
                head |= {} if domains is None else {"domain": domain}
                head |= {} if category is None else {"category": category}
                if guess is not None:
                    found["cross_fitted"] = "yes" if fitted else "not known"
                speaks = {"covered": mine.covered, "corpus": plan.corpus, "left_out": rest}
                rows.append(head | found | speaks)
        if constant:
            warn_of_constant(name, one_stratum=len(part.sizes) == 1)
    return pd.DataFrame(rows)


def _check_choice(name: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise ValueError(f"Expected {name} to be one of {', '.join(allowed)}, got {given!r}.")


def _enter_domain(
    part: SampleDesign, domain: Any, known: Any, domains: Any, seen: np.ndarray
) -> tuple[SampleDesign, np.ndarray, np.ndarray, float | None]:
    """Leave out the strata known to lie outside a domain; give the rest, its rows, which are in, its size."""
    everything = np.ones(len(part.strata), dtype=bool)
    if domain is None:
        return part, everything, everything, part.covered
    inside = domains[seen] == domain
    if known is None:
        return part, everything, inside, None
    mine = (known == domain) & part.covers
    kept = np.isin(part.strata, part.stratum_of_corpus[mine])
    return part.narrow(kept), kept, inside[kept], int(part.copies[mine].sum())


def _estimate(
    y: np.ndarray,
    inside: np.ndarray,
    part: SampleDesign,
    size: float | None,
    options: tuple[str, str, str, float],
    guess: Guess | None = None,
    tuning: float | None = None,
    *,
    is_share: bool,
) -> dict[str, Any]:
    """Estimate one number: the point, its linearised values, their variance, and what follows from it."""
    statistic, estimator, kind, level = options
    weights = part.weights
    images = inside * part.multiples  # what was seen in a picture holds for all its copies
    in_domain = weights * images
    weighed = float(in_domain.sum())
    # A domain of unknown size leaves the sum of weights alone as an estimate of its total.
    is_sum = estimator == "horvitz-thompson" or (statistic == "total" and size is None)
    by_size = float(size or math.nan)
    if is_sum:
        divisor, factor = (1.0, weighed) if statistic == "total" else (by_size, 1.0)
        whole = part.covered / divisor
    else:
        whole = factor = by_size if statistic == "total" else 1.0

    def linearise(values: np.ndarray) -> tuple[float, np.ndarray]:
        """Give the estimate from some values of the rows, and what each adds to its error."""
        total = float((in_domain * values).sum())
        if is_sum:
            return total / divisor, images * values / divisor
        return total / weighed * factor, images * (values - total / weighed) / weighed * factor

    estimate, linear = linearise(y)
    variance, freedom, collapsed = measure_variance(linear, part.strata, part.sizes, kind=kind)
    n = int(inside.sum())
    if n == 1 and not (is_sum and statistic == "total") and weighed > 1:
        variance = freedom = math.nan  # one image lies on its own mean and tells nothing about spread
    mean = float((in_domain * y).sum()) / weighed
    spread = float((in_domain * (y - mean) ** 2).sum()) / weighed * n / (n - 1) if n > 1 else math.nan
    simple = max(0.0, 1 - n / weighed) * spread / n * factor**2
    # A sum is a share of all images covered, a mean one of those in the domain.
    base = weights * part.multiples if is_sum else in_domain
    squares = float((base**2).sum())
    kish, left_open = float(base.sum()) ** 2 / squares, float((base**2 * (1 - 1 / weights)).sum()) / squares
    extra: dict[str, Any] = {}
    if guess is not None:
        alone = variance
        guessed, of_guess = linearise(guess.sampled)
        free = float(len(y) - len(part.sizes))
        tuned = tune_guess(
            linear,
            of_guess,
            part.strata,
            lambda values: measure_variance(values, part.strata, part.sizes, kind=kind).variance,
            tuning=tuning,
            least=guess.least,
        )
        share = tuned.share
        whole_guess = guess.total / divisor if is_sum else guess.total / by_size * factor
        estimate += share * (whole_guess - guessed)
        if share and not math.isnan(alone):
            left = linear - share * of_guess
            variance, freedom, collapsed = measure_variance(left, part.strata, part.sizes, kind=kind)
            if tuning is None and free > 1:  # the share was found from the same labels
                variance *= free / (free - 1)
                freedom = max(1.0, freedom - 1)
        extra = {
            "tuning": share,
            "standard_error_alone": math.sqrt(alone),
            "labels_saved": 1 - variance / alone if alone > 0 else math.nan,
            "varies": tuned.varies,
        }
    relative = variance / factor**2
    effective = spread / (relative + spread / weighed) if spread > 0 else math.nan
    known = Certainty(variance, freedom, len(y) if is_sum else n, kish, left_open)
    bounds = find_interval(
        estimate, known, level=level, whole=whole if is_share else None, taken=extra.get("tuning", 0.0)
    )
    if is_share and guess is not None:
        estimate = min(max(estimate, 0.0), whole)
    return {
        "estimate": estimate,
        "standard_error": math.sqrt(variance),
        "low": bounds.low,
        "high": bounds.high,
        "n": n,
        "n_effective": effective,
        "design_effect": variance / simple if simple > 0 else math.nan,
        "degrees_of_freedom": freedom,
        "strata_collapsed": collapsed,
        **extra,
    }


def join_values(
    sample: pd.DataFrame, value: str | pd.Series | pd.DataFrame, *, numeric: bool = True
) -> dict[str, pd.Series]:
    """Give each sampled image its values by name, in the order of the sample; missing where it has none."""
    if isinstance(value, str):
        if value not in sample.columns:
            raise ValueError(
                f"The sample has no column {value!r} (it has {', '.join(map(str, sample.columns))}). Join "
                "it, or give the values as a Series indexed by image id."
            )
        found = {value: sample[value].reset_index(drop=True)}
    elif isinstance(value, pd.Series):
        found = {str(value.name or "value"): _look_up(value, sample)}
    else:
        if not isinstance(value, pd.DataFrame):
            raise ValueError(
                "Expected values as a column of the sample, a Series indexed by image id, or a table with "
                f"image_id, got {type(value).__name__}."
            )
        if "image_id" not in value.columns or len(value.columns) < 2:
            raise ValueError(
                f"Expected a table with image_id and at least one column of values, got the columns "
                f"{list(map(str, value.columns))}."
            )
        indexed = value.set_index("image_id")
        found = {str(name): _look_up(indexed[name], sample) for name in indexed.columns}
    for name, column in found.items():
        if numeric and not (pd.api.types.is_numeric_dtype(column) or _is_truth(column)):
            raise ValueError(
                f"Expected numbers, or True and False, in {name!r}, got {column.dropna().iloc[0]!r}. For the "
                "shares of categories use statistic='proportion'."
            )
        if numeric and np.isinf(column.dropna().to_numpy(float)).any():
            raise ValueError(f"Expected finite numbers in {name!r}, got an infinite one. Correct it.")
    return found


def _join_domains(
    sample: pd.DataFrame, by: str | pd.Series | None, clusters: pd.DataFrame
) -> tuple[Any, Any]:
    """Give each sampled image its domain, and each image of the corpus its own where all are known."""
    if by is None:
        return None, None
    everyone = None
    if isinstance(by, pd.Series):
        mine = _look_up(by, sample)
        whole = _look_up(by, clusters)
        everyone = whole.to_numpy() if whole.notna().all() else None
    elif by in clusters.columns:
        mine, everyone = _look_up(clusters.set_index("image_id")[by], sample), clusters[by].to_numpy()
    elif by in sample.columns:
        mine = sample[by]
    else:
        raise ValueError(
            f"Neither the sample nor the clusters table has a column {by!r} (by). Name one that is there."
        )
    if mine.isna().any():
        raise ValueError(
            f"{int(mine.isna().sum())} sampled images have no domain in `by`. Fill it in, or give them one "
            "of their own, such as 'unknown'."
        )
    return mine.to_numpy(), everyone


def _look_up(values: pd.Series, table: pd.DataFrame) -> pd.Series:
    """Take values by image id, in the order of a table."""
    if values.index.duplicated().any():
        raise ValueError(
            f"Expected one value per image; {values.index[values.index.duplicated()][0]!r} comes twice. "
            "Average or choose first."
        )
    found = values.reindex(table["image_id"]).reset_index(drop=True)
    if found.isna().all():
        raise ValueError(
            "None of the images has a value. Index the Series by image_id, and check that the ids match."
        )
    return found


def _is_truth(column: pd.Series) -> bool:
    """Say whether a column holds True and False, possibly with gaps."""
    return bool(column.dropna().map(lambda each: isinstance(each, (bool, np.bool_))).all())
