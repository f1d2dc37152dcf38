"""Whether groups use the items of a dimension alike, so that their means on it can be compared.

Models of several groups, each sharing more than the last: the pattern (configural), loadings (metric), and
intercepts (scalar). Where one fails, the items that stand apart are freed and named.
"""

import contextlib
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import chi2, t

from visclust.base.progress import WorkBar
from visclust.ratings.designs import RatingEvents
from visclust.ratings.group_contrasts import choose_reference
from visclust.ratings.group_factors import (
    GroupFit,
    GroupMoments,
    fit_group_factors,
    measure_errors,
    measure_group_scaling,
    measure_moments,
)

MOST_CHANGE = 0.01  # by which CFI may fall: Cheung & Rensvold (2002)
LEAST_CFI = 0.90  # of the configural model, below which the dimensions do not fit the groups
_LEAST_PEOPLE = 10  # of a group: fewer say nothing of how people differ
_STEPS = ("configural", "metric", "scalar")
# The tables, each with the column simulated besides.
COLUMNS = {
    "invariance": [
        *("model", "freed", "chi2", "df", "p", "scaling", "cfi", "tli", "rmsea", "rmsea_low", "rmsea_high"),
        *("srmr", "against", "cfi_change", "chi2_change", "df_change", "p_change", "holds", "improper"),
    ],
    "items": [
        *("group", "dimension", "item", "loading", "intercept", "residual", "loading_shared"),
        "intercept_shared",
    ],
    "contrasts": [
        *("dimension", "group", "reference", "observed", "latent", "standard_error", "low", "high"),
        *("latent_sd", "invariance", "freed", "sentence"),
    ],
    "counts": ["group", "respondents", "images", "ratings", "incomplete", "not_shared"],
}


class GroupRatings(NamedTuple):
    """Complete ratings of images that all groups rated, the reference group first.

    ``values`` (n, p) with ``people, images, groups`` (n,) numbered from 0; ``names`` of the groups; ``items``
    (p,), the numbers of their ``factors`` (p,), and the ``dimensions`` by these; ``rows`` (n,) of the events;
    ``counts`` as in the result; ``weights`` (n,) of the respondents, with a mean of 1.
    """

    values: np.ndarray
    people: np.ndarray
    images: np.ndarray
    groups: np.ndarray
    names: list[str]
    items: list[str]
    factors: np.ndarray
    dimensions: list[str]
    rows: np.ndarray
    counts: pd.DataFrame
    weights: np.ndarray | None = None


class Model(NamedTuple):
    """A fitted model, and of which items the groups share loadings and intercepts (p,)."""

    fit: GroupFit
    loadings: np.ndarray
    intercepts: np.ndarray


def take_groups(spread: RatingEvents, scales: dict[str, list[int]], *, reference: str | None) -> GroupRatings:
    """Take what the models of several groups are fitted to, and refuse what cannot decide anything."""
    names = sorted(spread.events["group"].unique())
    reference = choose_reference(names, reference)
    names = [reference, *(name for name in names if name != reference)]
    columns = [column for members in scales.values() for column in members]
    items = spread.outcomes["item"].iloc[columns].tolist()
    factors = np.array([place for place, members in enumerate(scales.values()) for _ in members])
    if len(items) == 2:
        raise ValueError(
            f"Expected three items of a dimension, or two dimensions of two items or more; got only "
            f"{' and '.join(items)}. Two items fit any groups, so that nothing can be tested."
        )
    events = spread.events
    group = pd.Index(names).get_indexer(events["group"])
    complete = ~np.isnan(spread.values[:, columns]).any(axis=1)
    rated = events[complete].groupby("image_id")["group"].nunique()
    shared = events["image_id"].map(rated).fillna(0).eq(len(names)).to_numpy()
    used = complete & shared
    counts = []
    for number, name in enumerate(names):
        own = group == number
        inside = events[own & used]
        counts.append(
            {
                "group": name,
                "respondents": inside["respondent"].nunique(),
                "images": inside["image_id"].nunique(),
                "ratings": len(inside),
                "incomplete": int((own & ~complete).sum()),
                "not_shared": int((own & complete & ~shared).sum()),
            }
        )
    values = spread.values[used][:, columns]
    _check_groups(values, group[used], counts, items, factors)
    return GroupRatings(
        values,
        pd.factorize(events.loc[used, "respondent"])[0],
        pd.factorize(events.loc[used, "image_id"])[0],
        group[used],
        names,
        items,
        factors,
        list(scales),
        np.flatnonzero(used),
        pd.DataFrame(counts).assign(simulated=spread.simulated),
        weigh_rows(spread, used),
    )


def fit_invariance(
    spread: RatingEvents, ratings: GroupRatings, *, level: float, progress: bool
) -> dict[str, pd.DataFrame]:
    """Fit the models in turn, free items where one fails, and give the tables named in `COLUMNS`."""
    moments = measure_moments(ratings.values, ratings.groups, ratings.weights)
    shared = np.ones(len(ratings.items), dtype=bool)
    free = ~shared
    rows: list[dict[str, Any]] = []
    work = "Fitting the models of the groups"
    with WorkBar(total=5, desc="Measurement invariance", unit="model", work=work, progress=progress) as bar:
        best = fit_model(moments, ratings.factors, free, free)
        rows.append(_describe("configural", best, ratings, None, ""))
        bar.update()
        for step in _STEPS[1:]:
            last, against = best, str(rows[-1]["model"])
            loadings, intercepts = (shared, free) if step == "metric" else (last.loadings, last.loadings)
            best = fit_model(
                moments, ratings.factors, loadings, intercepts, last if step == "metric" else None
            )
            rows.append(_describe(step, best, ratings, last, against))
            bar.update()
            if not rows[-1]["holds"]:
                best = free_items(moments, ratings.factors, best, last, step)
                rows.append(_describe(f"partial {step}", best, ratings, last, against))
                bar.update()
    models = pd.DataFrame(rows)
    tables = {
        "invariance": models,
        "items": _list_items(ratings, best),
        "contrasts": _contrast(spread, ratings, best, models, level),
        "counts": ratings.counts,
    }
    return {
        name: table.reindex(columns=COLUMNS[name]).assign(simulated=spread.simulated)
        for name, table in tables.items()
    }


def weigh_rows(spread: RatingEvents, rows: np.ndarray) -> np.ndarray:
    """Give the respondents' weights of some rows (a mask), with a mean of 1."""
    weights = spread.events.loc[rows, "weight"].to_numpy(dtype=float)
    return weights / weights.mean()


def _check_groups(
    values: np.ndarray,
    groups: np.ndarray,
    counts: list[dict[str, Any]],
    items: list[str],
    factors: np.ndarray,
) -> None:
    """Refuse groups that are too small, or whose items do not vary."""
    n_factors = int(factors.max()) + 1
    needed = 3 * len(items) + n_factors * (n_factors - 1) // 2
    for number, count in enumerate(counts):
        if not count["ratings"]:
            raise ValueError(
                "Expected images that every group rated with all items; there are none, so that groups could "
                "differ by their images alone."
            )
        if count["respondents"] < _LEAST_PEOPLE or count["ratings"] <= needed:
            raise ValueError(
                f"Expected {_LEAST_PEOPLE} respondents or more in each group and more than {needed} complete "
                f"ratings of images that all groups rated, since the model has {needed} parameters a group; "
                f"{count['group']!r} has {count['respondents']} respondents and {count['ratings']} such "
                f"ratings ({count['incomplete']} lack an item, {count['not_shared']} are of images that not "
                f"all groups rated). Ask more people, join groups, or test fewer dimensions."
            )
        own = values[groups == number]
        constant = np.flatnonzero(np.ptp(own, axis=0) == 0)
        if len(constant):
            raise ValueError(
                f"Expected items that vary in each group; all of {count['group']!r} rated "
                f"{items[constant[0]]!r} {own[0, constant[0]]:g}. Leave that item out of `dimensions`."
            )
        if np.linalg.eigvalsh(np.corrcoef(own.T))[0] <= 1e-10:
            raise ValueError(
                f"Expected items that differ from each other in each group; in {count['group']!r} one is the "
                f"copy or the sum of others. Leave it out of `dimensions`."
            )


def fit_model(
    moments: GroupMoments,
    factors: np.ndarray,
    loadings: np.ndarray,
    intercepts: np.ndarray,
    start: Model | None = None,
) -> Model:
    """Fit the model in which the groups share some loadings and intercepts (p,)."""
    fit = fit_group_factors(
        moments, factors=factors.tolist(), loadings=loadings, intercepts=intercepts,
        start=None if start is None else start.fit,
    )  # fmt: skip
    return Model(fit, loadings, intercepts)


def free_items(moments: GroupMoments, factors: np.ndarray, model: Model, against: Model, step: str) -> Model:
    """Free the item that lowers chi-square most, and again, until CFI is near enough to the other model's.

    Where only two items of a dimension are left, one cannot be told from the other, and both are freed.
    """
    while against.fit.measures["cfi"] - model.fit.measures["cfi"] > MOST_CHANGE:
        shared = model.loadings if step == "metric" else model.intercepts
        left = np.bincount(factors, weights=shared)
        candidates = [np.array([item]) for item in np.flatnonzero(shared & (left[factors] > 2))]
        candidates += [np.flatnonzero(factors == one) for one in np.flatnonzero(left == 2)]
        tried = []
        for items in candidates:
            now = shared.copy()
            now[items] = False
            both = (now, model.intercepts) if step == "metric" else (model.loadings, now)
            with contextlib.suppress(ValueError):  # a model that is not found is no candidate
                tried.append(fit_model(moments, factors, *both, start=model if len(items) == 1 else None))
        if not tried:
            raise ValueError(
                "No partial model of the groups converged: too little varies together in one of them. Test "
                "fewer dimensions, or join groups."
            )
        model = min(tried, key=lambda one: one.fit.measures["chi2"])
    return model


def _describe(
    name: str, model: Model, ratings: GroupRatings, against: Model | None, other: str
) -> dict[str, Any]:
    """Make a row of the table of models."""
    fit, factors = model.fit, ratings.factors.tolist()
    row: dict[str, Any] = {"model": name, "freed": "", **fit.measures, "improper": fit.improper}
    if fit.measures["df"]:
        ways = (ratings.people, ratings.images, np.arange(len(ratings.values)))
        parts = [
            measure_group_scaling(
                ratings.values, ratings.groups, fit, factors=factors, clusters=each, weights=ratings.weights
            )
            for each in ways
        ]
        # What respondents and images add is not negative, but its estimate can be.
        row["scaling"] = max(parts[0] + parts[1] - parts[2], parts[2])
    if against is None:
        return row | {"against": "", "holds": fit.measures["cfi"] >= LEAST_CFI}
    change = {key: fit.measures[key] - against.fit.measures[key] for key in ("cfi", "chi2", "df")}
    free = ~model.loadings if "metric" in name else ~model.intercepts
    row |= {f"{key}_change": value for key, value in change.items()}
    row["freed"] = ", ".join(item for item, own in zip(ratings.items, free, strict=True) if own)
    row["p_change"] = float(chi2.sf(max(change["chi2"], 0.0), change["df"])) if change["df"] else np.nan
    return row | {"against": other, "holds": change["cfi"] >= -MOST_CHANGE}


def _list_items(ratings: GroupRatings, model: Model) -> pd.DataFrame:
    own = [ratings.dimensions[factor] for factor in ratings.factors]
    named = pd.DataFrame({"dimension": own, "item": ratings.items})
    parts = [
        named.assign(
            group=name,
            loading=model.fit.loadings[g],
            intercept=model.fit.intercepts[g],
            residual=model.fit.residuals[g],
            loading_shared=model.loadings,
            intercept_shared=model.intercepts,
        )
        for g, name in enumerate(ratings.names)
    ]
    return pd.concat(parts, ignore_index=True)


def measure_latent(
    ratings: GroupRatings, model: Model, *, level: float
) -> dict[tuple[int, int], dict[str, float]]:
    """Measure latent differences from the first group, by dimension and group, with intervals.

    In points: by how much the mean of a dimension's items differs for no other reason than the dimension.
    """
    fit, layout, factors = model.fit, model.fit.layout, ratings.factors
    ways = (ratings.people, ratings.images, np.arange(len(ratings.values)))
    spreads = measure_errors(
        ratings.values, ratings.groups, fit,
        factors=factors.tolist(), clusters=ways, weights=ratings.weights,
    )  # fmt: skip
    n_people, n_images, n_groups = (int(codes.max()) + 1 for codes in (*ways[:2], ratings.groups))
    # Of two crossed samples the smaller one limits what is known.
    reach = t.ppf((1 + level) / 2, max(min(n_people - n_groups, n_images - 1), 1))
    found = {}
    for g, place in zip(*np.nonzero(layout.means >= 0), strict=True):
        own = factors == place
        kappa, loading = fit.means[g, place], fit.loadings[0, own].mean()
        weight = np.zeros(layout.size)
        weight[layout.loadings[0, own]] = kappa / own.sum()
        weight[layout.means[g, place]] = loading
        parts = [float(weight @ each @ weight) for each in spreads]
        error = np.sqrt(max(parts[0] + parts[1] - parts[2], *parts))
        row = {"latent": kappa * loading, "standard_error": error, "latent_sd": kappa}
        row |= {"low": kappa * loading - reach * error, "high": kappa * loading + reach * error}
        found[int(place), int(g)] = row
    return found


def _contrast(
    spread: RatingEvents, ratings: GroupRatings, model: Model, models: pd.DataFrame, level: float
) -> pd.DataFrame:
    """Set the latent differences of each dimension beside the observed ones, and say what they are worth."""
    latent = measure_latent(ratings, model, level=level)
    columns = np.flatnonzero(spread.outcomes["level"].eq("dimension"))
    numbers = {name: place for place, name in enumerate(ratings.dimensions)}
    rows = []
    for column in columns:
        dimension = spread.outcomes["item"].iloc[column]
        rated = spread.values[ratings.rows, column]
        known = ~np.isnan(rated)
        weights = spread.events["weight"].to_numpy()[ratings.rows] * known
        totals = np.bincount(ratings.groups, weights=weights, minlength=len(ratings.names))
        sums = np.bincount(ratings.groups, weights=weights * np.where(known, rated, 0.0))
        means = np.divide(sums, totals, out=np.full(len(totals), np.nan), where=totals > 0)
        place = numbers.get(dimension)
        for g, name in enumerate(ratings.names[1:], start=1):
            row = {"dimension": dimension, "group": name, "reference": ratings.names[0]}
            row |= {"observed": means[g] - means[0], "invariance": "untested", "freed": ""}
            if place is not None:
                row |= _judge(ratings, model, models, ratings.factors == place)
                row |= latent.get((place, g), {})
            sentence = _say(row, ratings, model, models, spread, place, g)
            if place is not None:
                sentence += _tell_improper(models)
            rows.append(row | {"sentence": sentence})
    return pd.DataFrame(rows)


def _judge(ratings: GroupRatings, model: Model, models: pd.DataFrame, own: np.ndarray) -> dict[str, str]:
    """Say how far a dimension's items are shared: scalar, partial, none, or misfit of the dimensions."""
    freed = ", ".join(ratings.items[item] for item in np.flatnonzero(own & ~model.intercepts))
    if not models["holds"].iloc[0]:
        return {"invariance": "misfit", "freed": freed}
    if not model.intercepts[own].any():
        return {"invariance": "none", "freed": freed}
    return {"invariance": "partial" if freed else "scalar", "freed": freed}


def _tell_improper(models: pd.DataFrame) -> str:
    """Name the models of which a residual variance stopped at zero; nothing where none did."""
    wrong = models[models["improper"] > 0]
    if wrong.empty:
        return ""
    named = ", ".join(
        f"{name} ({count} residual variance{'' if count == 1 else 's'})"
        for name, count in zip(wrong["model"], wrong["improper"], strict=True)
    )
    return (
        f" Improper: {named} stopped at zero, below which the data would have it, as where a model is wrong "
        f"or the ratings are too few; chi-square and CFI of such a fit are not those of programs that let "
        f"variances be negative, and what follows from them is uncertain."
    )


def _say(
    row: dict[str, Any],
    ratings: GroupRatings,
    model: Model,
    models: pd.DataFrame,
    spread: RatingEvents,
    place: int | None,
    g: int,
) -> str:
    """Say in one or two sentences how a dimension's difference between two groups can be read."""
    mark = "SIMULATED ratings. " if spread.simulated else ""
    dimension, group, reference = row["dimension"], row["group"], row["reference"]
    if place is None:
        return (
            f"{mark}One item: whether {group} and {reference} use it alike cannot be tested, and a "
            f"difference may be one in that item only."
        )
    if row["invariance"] == "misfit":
        return (
            f"{mark}The dimensions do not fit the groups (CFI {models['cfi'].iloc[0]:.3f}, below "
            f"{LEAST_CFI:.2f}): neither the observed nor the latent difference is known to be one in "
            f"{dimension}."
        )
    apart = f"{group} less {reference}: observed {row['observed']:+.2f} points"
    if "latent" in row:
        apart = (
            f"{group} less {reference}: latent {row['latent']:+.2f} points [{row['low']:+.2f}, "
            f"{row['high']:+.2f}], observed {row['observed']:+.2f}"
        )
    failed = models[~models["holds"] & models["model"].isin(_STEPS)]
    if failed.empty:
        change = models.loc[models["model"].eq("scalar"), "cfi_change"].iloc[0]
        return f"{mark}Scalar invariance holds (CFI changes by {change:+.3f}). {apart}."
    steps = failed["model"].tolist()
    what = {1: f"{steps[0].capitalize()} invariance fails", 2: "Metric and scalar invariance fail"}[
        len(steps)
    ]
    if steps == ["metric"]:
        what = "Metric invariance fails, and scalar with it"
    falls = " and ".join(f"{-change:.3f}" for change in failed["cfi_change"])
    fails = f"{mark}{what} (CFI falls by {falls})"
    if row["invariance"] == "none":
        return (
            f"{fails}, and no two items of {dimension} shift together: the observed difference cannot be "
            f"told from a different use of the items. {apart}. Compare the single items."
        )
    if row["invariance"] == "scalar":
        others = ", ".join(ratings.items[item] for item in np.flatnonzero(~model.intercepts))
        return (
            f"{fails}, by items of other dimensions ({others}); those of {dimension} are used alike. {apart}."
        )
    said = []
    for item in np.flatnonzero((ratings.factors == place) & ~model.intercepts):
        shift = model.fit.intercepts[g, item] - model.fit.intercepts[0, item]
        more = f"{ratings.items[item]} is {abs(shift):.2f} points {'higher' if shift > 0 else 'lower'}"
        if not model.loadings[item]:
            steeper = model.fit.loadings[g, item] > model.fit.loadings[0, item]
            more += f", and follows {dimension} {'more' if steeper else 'less'} steeply,"
        said.append(more)
    return (
        f"{fails}: at the same {dimension}, {' and '.join(said)} for {group} than for {reference}, and that "
        f"is part of the observed difference. With {'it' if len(said) == 1 else 'them'} left free, {apart}."
    )
