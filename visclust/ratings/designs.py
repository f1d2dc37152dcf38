"""Ratings before any analysis: one row per respondent and image, as designs in which the two are crossed.

A table of ratings is real or simulated, never both, and what comes of it says which.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from visclust.annotation.constructs import EMOTIONS
from visclust.base.checks import check_numbers
from visclust.base.columns import check_clusters
from visclust.base.tables import UNASSIGNED, check_columns, check_table
from visclust.sampling.samples import check_weights

# Which images count how much in a mean: the paper's first.
WEIGHTINGS = ("clusters", "images", "corpus")


class RatingEvents(NamedTuple):
    """Ratings side by side: a row per respondent and image, a column per item and then per dimension.

    ``events`` has ``respondent, group, image_id`` and the respondent's ``weight`` (n rows); ``values`` (n, k)
    is NaN where an item was not rated; ``outcomes`` has ``level`` ("emotion" or "dimension"), ``item,
    dimension`` (k rows).
    """

    events: pd.DataFrame
    values: np.ndarray
    outcomes: pd.DataFrame
    simulated: bool


class CrossedDesign(NamedTuple):
    """Ratings of some outcomes without gaps, numbered for `split_crossed`.

    ``columns`` (k,) says which outcomes, ``values`` is (n, k); ``codes`` holds ``respondents, images,
    groups`` from 0, each (n,), and ``weights`` those of the respondents, (n,); ``clusters`` and ``image_ids``
    are those of the images, (m,).
    """

    columns: np.ndarray
    values: np.ndarray
    codes: dict[str, np.ndarray]
    weights: np.ndarray
    clusters: np.ndarray
    image_ids: np.ndarray


def spread_ratings(
    ratings: pd.DataFrame,
    *,
    dimensions: Mapping[str, Sequence[str]] = EMOTIONS,
    groups: str = "group",
    respondent_weights: pd.DataFrame | None = None,
) -> RatingEvents:
    """Set all items of one respondent's rating of one image side by side, with their means by dimension.

    A dimension needs all of its items; items that no dimension names are kept as items only. `groups` is the
    column with the groups; a respondent is in one. Respondents' weights are taken to a mean of 1.
    """
    simulated = _check_ratings(ratings)
    if groups not in ratings.columns or ratings[groups].isna().any():
        raise ValueError(
            f"Expected a column {groups!r} with the group of every respondent; it is missing or has gaps. "
            f"Name the column, or leave out respondents without a group knowingly."
        )
    rated = set(ratings["item"])
    known = {name: tuple(items) for name, items in dimensions.items() if set(items) <= rated}
    partial = [name for name, items in dimensions.items() if name not in known and set(items) & rated]
    if partial:
        raise ValueError(
            f"The dimension {partial[0]!r} needs the items {', '.join(dimensions[partial[0]])}, and not all "
            f"of them were rated. Give `dimensions` with the items that were."
        )
    owner = {item: name for name, items in known.items() for item in items}
    items = [*owner, *sorted(rated - owner.keys())]
    wide = ratings.set_index(["respondent", groups, "image_id", "item"])["rating"].unstack("item")
    events = wide.index.to_frame(index=False).set_axis(["respondent", "group", "image_id"], axis=1)
    if (events.groupby("respondent")["group"].nunique() > 1).any():
        raise ValueError(f"Expected one group per respondent; some have two in the column {groups!r}.")
    events["weight"] = 1.0 if respondent_weights is None else _look_up_weights(events, respondent_weights)
    values = wide[items].to_numpy(dtype=np.float64)
    means = [values[:, [items.index(item) for item in members]].mean(axis=1) for members in known.values()]
    outcomes = pd.DataFrame(
        {
            "level": ["emotion"] * len(items) + ["dimension"] * len(known),
            "item": [*items, *known],
            "dimension": [*(owner.get(item, item) for item in items), *known],
        }
    )
    return RatingEvents(events, np.column_stack([values, *means]), outcomes, simulated)


def list_designs(spread: RatingEvents, sample: pd.DataFrame | None) -> Iterator[CrossedDesign]:
    """Go through the outcomes, those together that the same ratings have.

    Images that a group did not rate are left out. Without a sample, all images count as one cluster.
    """
    n_rows = len(spread.events)
    clusters = np.zeros(n_rows, dtype=np.int64) if sample is None else _join_clusters(spread.events, sample)
    names, group = np.unique(spread.events["group"].to_numpy(dtype=object), return_inverse=True)
    image = pd.factorize(spread.events["image_id"])[0]
    known = ~np.isnan(spread.values)
    patterns, pattern_of = np.unique(known, axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        rows = patterns[:, number]
        columns = np.flatnonzero(pattern_of == number)
        cells = np.unique(image[rows] * len(names) + group[rows]) // len(names)
        rated_by_all = np.bincount(cells, minlength=image.max() + 1) == len(names)
        rows = np.flatnonzero(rows & rated_by_all[image])
        if not len(rows):
            raise ValueError(
                f"No image has ratings of {spread.outcomes['item'].iloc[columns[0]]!r} by all groups "
                f"({', '.join(names)}): nothing can be compared."
            )
        events = spread.events.iloc[rows]
        ids, first, images = np.unique(
            events["image_id"].to_numpy(dtype=object), return_index=True, return_inverse=True
        )
        codes = {
            "respondents": pd.factorize(events["respondent"])[0],
            "images": images,
            "groups": group[rows],
        }
        weights = events["weight"].to_numpy(dtype=np.float64)
        values = spread.values[np.ix_(rows, columns)]
        yield CrossedDesign(columns, values, codes, weights, clusters[rows][first], ids)


def weigh_images(design: CrossedDesign, sample: pd.DataFrame, weighting: str) -> np.ndarray:
    """Weigh the images that were rated (m,); in a cluster they stand for those that were not.

    The weightings are those of `compare_groups`; the sample's own weights are used for "corpus" only.
    """
    clusters = pd.Series(design.clusters)
    if weighting == "images":
        return np.ones(len(clusters))
    rated = clusters.map(clusters.value_counts()).to_numpy(dtype=float)
    if weighting == "clusters":
        weights = np.where(clusters == UNASSIGNED, 0.0, 1 / rated)
    else:
        weights = clusters.map(sample.groupby("cluster")["weight"].sum()).to_numpy(dtype=float) / rated
    if not weights.any():
        raise ValueError('The weighting "clusters" needs images in clusters: all rated ones are unassigned.')
    return weights


class Coverage(NamedTuple):
    """Images of the clusters that an estimate rests on, and of the whole corpus."""

    covered: float
    corpus: float


def count_covered(design: CrossedDesign, sample: pd.DataFrame, weighting: str) -> Coverage:
    """Count the images that a mean of some weighting speaks for: those of the clusters that all groups rated.

    A sample's weights say how many images each of its own stands for; in other tables each counts as one.
    """
    sizes = _count_images(sample)
    rated = set(design.clusters) - ({UNASSIGNED} if weighting == "clusters" else set())
    return Coverage(*(_settle_count(each.sum()) for each in (sizes[sizes.index.isin(rated)], sizes)))


def warn_of_gaps(spread: RatingEvents, designs: Sequence[CrossedDesign], sample: pd.DataFrame) -> None:
    """Say which clusters of the sample no comparison covers, and whose ratings they lack."""
    sizes = _count_images(sample)
    least = min(designs, key=lambda design: sizes.reindex(np.unique(design.clusters)).sum())
    gone = sizes[~sizes.index.isin(least.clusters)]
    if gone.empty:
        return
    outcome = least.columns[0]
    events = spread.events[~np.isnan(spread.values[:, outcome])]
    places = sample[["image_id", "cluster"]].drop_duplicates("image_id").set_index("image_id")["cluster"]
    seen = pd.crosstab(events["image_id"].map(places), events["group"]).reindex(gone.index, fill_value=0)
    lacking = [f"{name} in {count}" for name, count in seen.eq(0).sum().items() if count]
    missing = f"rated nothing: {', '.join(lacking)}" if lacking else "no image of them was rated by all"
    names = ", ".join(map(str, gone.index[:5])) + (", ..." if len(gone) > 5 else "")
    warnings.warn(
        f"{len(gone)} of {len(sizes)} clusters ({names}), with {gone.sum() / sizes.sum():.0%} of the images, "
        f"are in no comparison of {spread.outcomes['item'].iloc[outcome]!r} ({missing}): every group is "
        f"compared on the other clusters only, and the results speak for those (columns covered and corpus).",
        stacklevel=4,
    )


def count_left_out(spread: RatingEvents, design: CrossedDesign) -> int:
    """Count the images that are left out because not all groups rated them."""
    rated = ~np.isnan(spread.values[:, design.columns[0]])
    return int(spread.events.loc[rated, "image_id"].nunique()) - len(design.image_ids)


def warn_of_left_out(spread: RatingEvents, designs: Sequence[CrossedDesign]) -> None:
    """Say how many images a model leaves out, with how many ratings, and who did not rate them."""
    most = max(designs, key=lambda design: count_left_out(spread, design))
    if not count_left_out(spread, most):
        return
    outcome = most.columns[0]
    events = spread.events[~np.isnan(spread.values[:, outcome])]
    gone = events[~events["image_id"].isin(most.image_ids)]
    seen = pd.crosstab(gone["image_id"], gone["group"]).reindex(
        columns=sorted(events["group"].unique()), fill_value=0
    )
    lacking = ", ".join(f"{name} {count}" for name, count in seen.eq(0).sum().items() if count)
    warnings.warn(
        f"{len(seen)} of {events['image_id'].nunique()} images, with {len(gone)} of {len(events)} ratings of "
        f"{spread.outcomes['item'].iloc[outcome]!r}, are left out, since not every group rated them (not "
        f"rated by {lacking}): the groups are compared on the other images (columns images and "
        f"images_left_out).",
        stacklevel=4,
    )


def count_people(design: CrossedDesign, weights: np.ndarray | None = None) -> np.ndarray:
    """Count each group's respondents (g,) who rated an image; with the images' `weights`, one that counts."""
    groups, respondents = design.codes["groups"], design.codes["respondents"]
    rows = slice(None) if weights is None else weights[design.codes["images"]] > 0
    pairs = np.unique(np.column_stack([groups[rows], respondents[rows]]), axis=0)
    return np.bincount(pairs[:, 0], minlength=int(groups.max()) + 1)


def name_lone_groups(names: Sequence[str], people: np.ndarray) -> str:
    """Say which groups one respondent, or none, stands for; nothing where all have two or more."""
    lone = [str(name) for name, count in zip(names, people, strict=True) if count < 2]
    return f"one respondent stands for {', '.join(lone)}" if lone else ""


def warn_of_lone(reasons: set[str]) -> None:
    """Say why standard errors are missing, if any are."""
    if reasons:
        warnings.warn(
            f"Standard errors, intervals and p values are missing in part: {'; '.join(sorted(reasons))}. "
            f"Claims about new respondents and new images need two of each at least: nothing else says how "
            f"much they differ. The estimates stand for these respondents and images alone.",
            stacklevel=4,
        )


def find_fractions(design: CrossedDesign, sample: pd.DataFrame) -> np.ndarray:
    """Find which share of each rated image's cluster was rated by all groups, (m,), by a sample's weights."""
    clusters = pd.Series(design.clusters)
    held = clusters.map(_count_images(sample)).to_numpy(dtype=np.float64)
    return np.minimum(clusters.map(clusters.value_counts()).to_numpy(dtype=np.float64) / held, 1.0)


def _count_images(sample: pd.DataFrame) -> pd.Series:
    """Count the images of each cluster: by the weights of a sample, or else those of the table."""
    once = sample.drop_duplicates("image_id")
    return (
        (once["weight"] if "weight" in once.columns else pd.Series(1, once.index))
        .groupby(once["cluster"].astype("int64"))
        .sum()
    )


def _settle_count(count: float) -> float:
    """Give a sum of weights that rounding alone keeps from being whole as a whole number."""
    return round(count) if abs(count - round(count)) < 1e-6 * max(count, 1.0) else float(count)


def add_up(values: np.ndarray, codes: np.ndarray, size: int = 0) -> np.ndarray:
    """Sum the rows of `values` (n, k) that have the same code; `size` codes at least."""
    return np.column_stack([np.bincount(codes, weights=column, minlength=size) for column in values.T])


def find_simulated(table: pd.DataFrame) -> bool:
    """Tell from the column ``simulated`` whether a table of results rests on simulated ratings."""
    if "simulated" not in table.columns:
        raise ValueError(
            "Expected a table with the column simulated, which says whether its ratings were made by a "
            "computer. Use the table that the analysis function returned, with all its columns."
        )
    return bool(table["simulated"].any())


def _check_ratings(ratings: pd.DataFrame) -> bool:
    """Check a ratings table, and refuse one in which simulated ratings stand among real ones."""
    check_table(ratings, "ratings")
    if ratings["rating"].isna().all():
        raise ValueError(
            "Expected ratings, got a table without any: every rating is missing, or no row is there."
        )
    if np.isinf(ratings["rating"].to_numpy(dtype=float, na_value=np.nan)).any():
        raise ValueError("Expected finite ratings, got an infinite one. Correct it, or set it to missing.")
    if ratings["simulated"].nunique() > 1:
        raise ValueError(
            f"Expected either people's ratings or simulated ones, got both: {ratings['simulated'].sum()} of "
            f"{len(ratings)} rows are simulated. Numbers from a mixture would pass for people's: keep one."
        )
    return bool(ratings["simulated"].iloc[0])


def _look_up_weights(events: pd.DataFrame, weights: pd.DataFrame) -> np.ndarray:
    """Look up the weight of each rating's respondent; over the respondents, their mean is 1."""
    check_columns(
        weights, ("respondent", "weight"), "respondent_weights", hint="rake_respondents makes such a table."
    )
    if weights["respondent"].duplicated().any():
        twice = weights.loc[weights["respondent"].duplicated(), "respondent"].iloc[0]
        raise ValueError(f"Expected one weight per respondent in respondent_weights; {twice!r} has several.")
    people = events["respondent"].drop_duplicates()
    found = people.map(weights.set_index("respondent")["weight"])
    if found.isna().any():
        raise ValueError(
            f"{found.isna().sum()} respondents of the ratings have no weight in respondent_weights (the "
            f"first is {people[found.isna()].iloc[0]!r}). Weigh all of them, or drop their ratings knowingly."
        )
    numbers = check_numbers("the weights in respondent_weights", found)
    if not (numbers > 0).all():
        raise ValueError(
            f"Expected weights above 0 in respondent_weights, got {numbers.min():g}. Drop the ratings of who "
            f"is not to count."
        )
    return events["respondent"].map(dict(zip(people, numbers / numbers.mean(), strict=True))).to_numpy()


def _check_image_weights(sample: pd.DataFrame, what: str) -> None:
    """Check that a table's weights, if it has any, can count images, and are those of its probabilities."""
    if "weight" not in sample.columns:
        return
    numbers = pd.to_numeric(sample["weight"], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = ~((numbers > 0) & np.isfinite(numbers))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"Expected weights above 0 in {what}: of how many images each stands for; {int(wrong.sum())} are "
            f"not, such as {numbers[first]:g} of image {sample['image_id'].iloc[first]!r}. Give the sample "
            f"as it was drawn, or leave out the images knowingly."
        )
    if "inclusion_probability" in sample.columns:
        chances = pd.to_numeric(sample["inclusion_probability"], errors="coerce")
        check_weights(sample, chances.to_numpy(dtype=np.float64, na_value=np.nan))


def _join_clusters(events: pd.DataFrame, clusters: pd.DataFrame) -> np.ndarray:
    """Look up the cluster of each rated image."""
    what = "the sample, assignment or clusters table"
    check_columns(clusters, ("image_id", "cluster"), what)
    _check_image_weights(clusters, what)
    # An assignment names an image once for each of its respondents.
    known = check_clusters(clusters[["image_id", "cluster"]].drop_duplicates(), what)
    found = events["image_id"].map(known.set_index("image_id")["cluster"])
    if found.isna().any():
        raise ValueError(
            f"{events.loc[found.isna(), 'image_id'].nunique()} rated images have no cluster (the first is "
            f"{events.loc[found.isna(), 'image_id'].iloc[0]}). Give the sample that the survey was made from."
        )
    return found.to_numpy(dtype=np.int64)
