"""What groups of respondents feel about a corpus, and by how much they differ."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.annotation.constructs import EMOTIONS
from visclust.base.checks import check_level, check_whole_number
from visclust.base.origins import check_origin
from visclust.base.progress import WorkBar
from visclust.base.provenance import recorded
from visclust.ratings.crossed_bootstrap import (
    CrossedParts,
    measure_contrast,
    resample_crossed,
    resample_pigeonhole,
    split_crossed,
)
from visclust.ratings.designs import (
    WEIGHTINGS,
    RatingEvents,
    count_covered,
    count_left_out,
    count_people,
    find_fractions,
    list_designs,
    name_lone_groups,
    spread_ratings,
    warn_of_gaps,
    warn_of_lone,
    weigh_images,
)
from visclust.ratings.intervals import ROUNDING, adjust_p, find_student_interval

_LAST = ("ratings", "images", "images_left_out", "covered", "corpus", "simulated")


class GroupComparison(NamedTuple):
    """Means of each group, and differences from the reference group."""

    means: pd.DataFrame
    differences: pd.DataFrame


@recorded
def compare_groups(
    ratings: pd.DataFrame,
    sample: pd.DataFrame,
    *,
    weightings: str | Sequence[str] | None = None,
    reference: str | None = None,
    dimensions: Mapping[str, Sequence[str]] = EMOTIONS,
    groups: str = "group",
    respondent_weights: pd.DataFrame | None = None,
    primary: str | None = None,
    random_clusters: bool = False,
    finite_population: bool = False,
    method: str = "crossed",
    n_bootstrap: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = True,
) -> GroupComparison:
    """Compare what groups feel, per emotion and per dimension, with intervals for new respondents and images.

    A group's mean is a weighted mean over images of the mean of the group's ratings of that image. So all
    groups are compared on the same images, however many ratings one of them gave. Images that a group did not
    rate are left out for all.

    With weights of respondents, a group's mean is the weighted mean of all its ratings, each by its
    respondent's weight times the image's share of the group's ratings of it. (To divide by the sum of weights
    image by image would take the weights out again where an image has few ratings.)

    Parameters
    ----------
    ratings : DataFrame
        The ratings table.
    sample : DataFrame
        The sample table that the survey was made from (``image_id, cluster, weight``). For other weightings
        than "corpus" a clusters or assignment table will do.
    weightings : str or sequence of str, optional
        Which images count how much. "clusters": each cluster alike, and each of its images alike (the
        paper's; unassigned images do not count). "images": each rated image alike. "corpus": by the
        sample's weights, so that the mean speaks for all images of the corpus. By default all that the
        sample allows.
    reference : str, optional
        Group that the others are compared with; by default the last in alphabetical order.
    dimensions : mapping of str to sequence of str, default EMOTIONS
        Items by dimension; a dimension's rating is the mean of its items.
    groups : str, default "group"
        Column of the ratings table with the groups.
    respondent_weights : DataFrame, optional
        From `rake_respondents`: ``respondent, weight``. By default all respondents count alike. The weights
        count as known: where what they were raked to predicts ratings, intervals are rather too wide.
    primary : str, optional
        The weighting that was to be the main result, before anybody saw the ratings; by default the first.
        "mixed model" where that is `fit_mixed_contrast`.
    random_clusters : bool, default False
        Take the clusters, too, as drawn from many: for claims about themes like these, and not about these.
        Each unassigned image then is a theme of its own.
    finite_population : bool, default False
        Take images as drawn from the finitely many of their clusters, so that a cluster of which all were
        rated adds no error of its own; for claims about this corpus alone. Needs the sample's weights, and
        images rated twice by a group.
    method : {"crossed", "pigeonhole"}, default "crossed"
        "crossed" resamples images within clusters and respondents within groups, and counts each rating's own
        error once. "pigeonhole" is Owen's bootstrap, which is wider than it need be. Of either, the standard
        error is taken; interval and p are those of one t distribution with it, so that an interval of level
        0.95 leaves out zero exactly where p is below 0.05.
    n_bootstrap : int, default 2000
        Resamples.
    level : float, default 0.95
        Confidence level.
    seed : int, default 0
        Seed of the resampling.
    progress : bool, default True
        Show a bar over the weightings.

    Returns
    -------
    GroupComparison
        ``means``: a row per weighting, outcome and group: ``weighting, specification`` ("primary" or
        "robustness"), ``level, dimension, item, group,
        estimate, standard_error, degrees_of_freedom`` (Satterthwaite), ``low, high, ratings, images,
        images_left_out`` (that not all groups rated), ``covered, corpus, simulated``.
        ``differences``: a row per weighting, outcome and group but the reference, with ``reference``, ``p``
        (t, two-sided) and ``p_adjusted`` (Benjamini-Hochberg among the emotions or the dimensions of one
        weighting) besides.

        ``covered`` and ``corpus``: images of the clusters that the row rests on, for which it speaks, and all
        images, as in `estimate_corpus`. A cluster of which some group rated nothing is not covered, for no
        group; a warning names the group and the share of the images that goes. Where the sample has no
        weights, the images of the table given are counted.

        Where all ratings of each group were alike and the groups differ, nothing says how sure that is:
        standard error, interval and p are missing. So they are, with a warning, where one respondent stands
        for a group, or one image for all (but one of a finite population that was rated whole): how much
        respondents, or images, differ is not seen then.

        Unless said otherwise, the clusters count as given, images as drawn from them (each as if from very
        many, which is conservative where most of a cluster was rated), respondents as drawn from their
        groups.

    Raises
    ------
    ValueError
        If a table is not of its kind, simulated ratings are mixed with real ones, there are fewer than two
        groups, no image was rated by all of them, or options do not go together.

    Source
    ------
    Casas et al., section on partisanship and emotions, Figure 10. Bootstrap: Cameron, Gelbach & Miller
    (2011), "Robust inference with multiway clustering", for the variance, Menzel (2021), "Bootstrap with
    cluster-dependence in two or more dimensions", for splitting before resampling; Owen (2007), "The
    pigeonhole bootstrap". Degrees of freedom: Satterthwaite (1946). Finite population: the
    variance of two stages, Cochran (1977), Sampling Techniques, formula 10.17, with ratings as the second.
    Benjamini & Hochberg (1995).

    Examples
    --------
    >>> sample = pd.DataFrame({"image_id": ["a", "b"], "cluster": [0, 1], "inclusion_probability": [0.5, 0.1],
    ...                        "weight": [2.0, 10.0]})
    >>> ratings = pd.DataFrame({"respondent": ["r", "s", "t", "u"], "group": ["D", "R"] * 2,
    ...     "image_id": ["a", "a", "b", "b"], "item": "proud", "rating": [5.0, 1.0, 4.0, 3.0],
    ...     "simulated": True})
    >>> compared = compare_groups(ratings, sample, dimensions={}, n_bootstrap=10)
    >>> compared.differences[["weighting", "group", "reference", "estimate"]]
      weighting group reference  estimate
    0  clusters     D         R       2.5
    1    images     D         R       2.5
    2    corpus     D         R       1.5
    """
    if method not in ("crossed", "pigeonhole"):
        raise ValueError(f'Expected the method "crossed" or "pigeonhole", got {method!r}.')
    check_level(level)
    check_whole_number("n_bootstrap", n_bootstrap, least=2)  # one resample has no spread
    possible = WEIGHTINGS if "weight" in sample.columns else WEIGHTINGS[:2]
    weightings = [weightings] if isinstance(weightings, str) else weightings
    wanted = tuple(possible if weightings is None else weightings)
    if not wanted:
        raise ValueError(f"Expected weightings among {', '.join(possible)}, got none.")
    if set(wanted) - set(possible):
        raise ValueError(
            f"Expected weightings among {', '.join(possible)}, got {', '.join(wanted)}. The weighting "
            f'"corpus" needs the sample table with its weights.'
        )
    main = wanted[0] if primary is None else primary
    if main not in (*wanted, "mixed model"):
        raise ValueError(
            f"Expected primary to be one of {', '.join(wanted)}, or mixed model, got {primary!r}."
        )
    _check_population(sample, method, random_clusters=random_clusters, finite_population=finite_population)
    check_origin(ratings, sample, what="the ratings", made_from="the sample")
    spread = spread_ratings(
        ratings, dimensions=dimensions, groups=groups, respondent_weights=respondent_weights
    )
    names = sorted(spread.events["group"].unique())
    reference = choose_reference(names, reference)
    means, differences = [], []
    reasons: set[str] = set()
    designs = list(list_designs(spread, sample))
    warn_of_gaps(spread, designs, sample)
    each = list(product(designs, wanted))
    work = f"Resampling {n_bootstrap:,} times"
    with WorkBar(each, desc="Comparing groups", unit="weighting", work=work, progress=progress) as bar:
        for design, weighting in bar:
            weights = weigh_images(design, sample, weighting)
            options: dict[str, Any] = {**design.codes, "weights": design.weights, "seed": seed}
            parts = split_crossed(
                design.values,
                weights,
                strata=design.clusters,
                random_strata=random_clusters,
                fractions=find_fractions(design, sample) if finite_population else None,
                **options,
            )
            if method == "crossed":
                replicates = resample_crossed(parts, n_bootstrap=n_bootstrap, seed=seed)
            else:
                replicates = resample_pigeonhole(design.values, weights, n_bootstrap=n_bootstrap, **options)
            reasons |= {name_lone_groups(names, count_people(design, weights))} - {""}
            reasons |= {"one image stands for all"} if parts.lone_image else set()
            described = spread.outcomes.iloc[design.columns].assign(
                weighting=weighting,
                specification="primary" if weighting == main else "robustness",
                ratings=len(design.values),
                images=int((weights > 0).sum()),
                images_left_out=count_left_out(spread, design),
                **count_covered(design, sample, weighting)._asdict(),
            )
            against = names.index(reference)
            for number, name in enumerate(names):
                own = np.eye(len(names))[number]
                rows = described.assign(group=name)
                means.append(_estimate(rows, parts, replicates, own, level))
                if number != against:
                    apart = own - np.eye(len(names))[against]
                    rows = rows.assign(reference=reference)
                    differences.append(_estimate(rows, parts, replicates, apart, level))
    warn_of_lone(reasons)
    return GroupComparison(
        _arrange(means, spread, wanted, ["group"]),
        _adjust(_arrange(differences, spread, wanted, ["group", "reference"], ["p"])),
    )


def _check_population(
    sample: pd.DataFrame, method: str, *, random_clusters: bool, finite_population: bool
) -> None:
    """Refuse what images and clusters cannot be at once."""
    if random_clusters and finite_population:
        raise ValueError(
            "Expected random_clusters or finite_population, got both: where clusters stand for others like "
            "them, how many images each holds does not matter. Leave one out."
        )
    if method == "pigeonhole" and (random_clusters or finite_population):
        raise ValueError(
            'Expected method="crossed" with random_clusters or finite_population, got "pigeonhole", which '
            "knows images and respondents only."
        )
    if finite_population and "weight" not in sample.columns:
        raise ValueError(
            "Expected the sample table with its weights for finite_population=True: they say how many images "
            "each cluster holds."
        )


def choose_reference(names: Sequence[str], reference: str | None) -> str:
    """Choose the group that the others are compared with: by default the last."""
    if len(names) < 2:
        raise ValueError(f"Expected ratings by at least two groups, got {', '.join(map(str, names))} only.")
    if reference is not None and reference not in names:
        raise ValueError(f"Expected one of the groups {', '.join(names)} as reference, got {reference!r}.")
    return names[-1] if reference is None else reference


def _estimate(
    rows: pd.DataFrame,
    parts: CrossedParts,
    replicates: np.ndarray,
    contrast: np.ndarray,
    level: float,
) -> pd.DataFrame:
    """Give a contrast of the groups with its interval and p value, both of one t distribution."""
    estimate = contrast @ parts.means
    drawn = np.einsum("g,bgk->bk", contrast, replicates)
    error = drawn.std(axis=0, ddof=1)
    error = np.where(error > ROUNDING, error, 0.0)
    variance, freedom = measure_contrast(parts, contrast)
    error = np.where(np.isnan(variance), np.nan, error)
    found = find_student_interval(estimate, error, freedom, level=level)
    error, freedom = (np.where(np.isnan(found.p), np.nan, each) for each in (error, freedom))
    return rows.assign(estimate=estimate, standard_error=error, degrees_of_freedom=freedom, **found._asdict())


def _arrange(
    parts: list[pd.DataFrame],
    spread: RatingEvents,
    wanted: tuple[str, ...],
    names: list[str],
    more: Sequence[str] = (),
) -> pd.DataFrame:
    table = pd.concat(parts)
    table = table.assign(
        order=table["weighting"].map(wanted.index), outcome=table.index, simulated=spread.simulated
    )
    columns = [
        "weighting",
        "specification",
        *spread.outcomes.columns,
        *names,
        "estimate",
        "standard_error",
        "degrees_of_freedom",
        "low",
        "high",
        *more,
    ]
    table = table.sort_values(["order", "outcome", "group"], ignore_index=True)
    return table[[*columns, *_LAST]]


def _adjust(table: pd.DataFrame) -> pd.DataFrame:
    """Add p values adjusted within a family: emotions or dimensions of one weighting."""
    order = [name for name in table.columns if name not in _LAST]
    return table.assign(p_adjusted=adjust_p(table, ["weighting", "level"]))[[*order, "p_adjusted", *_LAST]]
