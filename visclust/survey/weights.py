"""Weights that make the respondents of a survey like the people they are to speak for."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.cells import clean_identity, fold_answer, fold_identity
from visclust.base.checks import check_numbers
from visclust.base.provenance import recorded
from visclust.base.tables import check_columns

_EXACT = 1e-9  # by how much a share may miss its target
_ROUNDED = 0.005  # by how much shares given as targets may miss a sum of 1
_MOST_ROUNDS = 5000


class RakedRespondents(NamedTuple):
    """A weight for each respondent, the margins before and after, and what the weights cost."""

    weights: pd.DataFrame
    margins: pd.DataFrame
    cost: pd.DataFrame


@recorded
def rake_respondents(
    respondents: pd.DataFrame,
    targets: pd.DataFrame,
    *,
    within: str | None = None,
    max_weight: float | None = None,
) -> RakedRespondents:
    """Weigh respondents so that their shares by age, gender and the like are those of the population.

    With one variable these are the weights of quotas (post-stratification). With several, the shares of one
    after the other are set right until all are: raking. For quotas on two variables crossed, make a column
    that joins them, such as "woman, 18 to 29", and give its shares.

    Parameters
    ----------
    respondents : DataFrame
        A row per respondent: ``respondent``, and a column per variable. The ``respondents`` of
        `read_ratings`, joined with what people said of themselves.
    targets : DataFrame
        A row per variable and category: ``variable`` (a column of `respondents`), ``category``, ``share``
        (of the population, above 0; those of a variable sum to 1). With `within` a column of that name may
        give each group targets of its own.
    within : str, optional
        Column of the respondents with groups to weigh each on its own, such as "group": to compare
        Democrats with Republicans, Democrats should be like Democrats. By default all are weighed together.
    max_weight : float, optional
        The largest weight, where their mean is 1. Such weights vary less, and fit the targets only if there
        is room; where there is none, it is refused.

    Returns
    -------
    weights : DataFrame
        ``respondent``, `within` where given, ``weight`` (mean 1 in each group): for `compare_groups`,
        `contrast_clusters`, `summarize_emotions`, `fit_mixed_contrast`, `measure_reliability` and
        `confirm_factors`, as ``respondent_weights``. Saved as ``respondent_weights.parquet`` in a
        study's results, the notebook of the emotions uses them.
    margins : DataFrame
        A row per group, variable and category: ``respondents, target, before, after`` (shares).
    cost : DataFrame
        A row per group: ``respondents, smallest, largest`` (weights), ``design_effect`` (by how much unequal
        weights blow up a variance, where they have nothing to do with the ratings; Kish), ``n_effective``
        and ``rounds`` of raking.

    Raises
    ------
    ValueError
        If a respondent has no category or one without a target, a category of the targets has no
        respondent, shares are none or do not sum to 1, or no weights meet all targets.

    Source
    ------
    Deming & Stephan (1940), "On a least squares adjustment of a sampled frequency table when the expected
    marginal totals are known"; Kish (1965), Survey Sampling, section 11.7, for the design effect.

    Examples
    --------
    >>> respondents = pd.DataFrame({"respondent": ["r1", "r2", "r3", "r4"],
    ...                             "gender": ["woman", "man", "man", "man"]})
    >>> targets = pd.DataFrame({"variable": "gender", "category": ["woman", "man"], "share": [0.5, 0.5]})
    >>> rake_respondents(respondents, targets).weights["weight"].round(3).tolist()
    [2.0, 0.667, 0.667, 0.667]
    """
    wanted = _read_targets(targets, within, respondents.columns)
    names = [] if within is None else [within]
    variables = list(wanted["variable"].unique())
    check_columns(respondents, ["respondent", *names, *variables], "the respondents")
    if respondents["respondent"].duplicated().any() or not len(respondents):
        twice = respondents.loc[respondents["respondent"].duplicated(), "respondent"].head(1).tolist()
        got = f"{twice[0]!r} comes twice" if twice else "the table is empty"
        raise ValueError(f"Expected one row per respondent in the respondents; {got}.")
    if max_weight is not None and max_weight <= 1:
        raise ValueError(f"Expected max_weight above 1, which is the mean weight, got {max_weight}.")
    for name in [*names, *variables]:
        if respondents[name].isna().any():
            who = respondents.loc[respondents[name].isna(), "respondent"].iloc[0]
            raise ValueError(
                f"{respondents[name].isna().sum()} respondents have no {name!r} (the first is {who!r}). Give "
                f"them a category of their own with a target, or leave them out knowingly."
            )
    groups: list[Any] = [None]
    if within is not None:  # of the spellings of one group, the first names it
        named = pd.Series(respondents[within].map(fold_answer).to_numpy(), respondents[within].to_numpy())
        groups = sorted(named.drop_duplicates().index)
    weights, margins, costs = [], [], []
    for group in groups:
        mine, goals = respondents, wanted
        if group is not None:
            mine = mine[mine[within].map(fold_answer).eq(fold_answer(group))]
        if within in wanted.columns:
            goals = wanted[wanted[within].map(fold_answer).eq(fold_answer(group))]
        who = "" if group is None else f" in {group!r}"
        if goals.empty:
            raise ValueError(f"Expected targets for each group of {within!r}; there are none{who}.")
        codes, shares = _match_categories(mine, goals, who)
        found, rounds = _rake(codes, shares, max_weight, list(goals["variable"].unique()), who)
        head: dict[str, Any] = {} if within is None else {within: group}
        ids = {"respondent": mine["respondent"].to_numpy(), **head}
        weights.append(pd.DataFrame({**ids, "weight": found}))
        margins.append(_describe_margins(goals, codes, shares, found).assign(**head))
        effect = float((found**2).mean())
        costs.append({
            **head, "respondents": len(mine), "smallest": found.min(), "largest": found.max(),
            "design_effect": effect, "n_effective": len(mine) / effect, "rounds": rounds,
        })  # fmt: skip
    table = pd.concat(weights, ignore_index=True).set_index("respondent")
    columns = [*names, "variable", "category", "respondents", "target", "before", "after"]
    return RakedRespondents(
        table.loc[respondents["respondent"]].reset_index(),
        pd.concat(margins, ignore_index=True)[columns],
        pd.DataFrame(costs),
    )


def _read_targets(targets: pd.DataFrame, within: str | None, columns: pd.Index) -> pd.DataFrame:
    """Check the targets; give categories as text, and shares that sum to exactly 1."""
    check_columns(targets, ["variable", "category", "share"], "the targets")
    own = [within] if within is not None and within in targets.columns else []
    key = [*own, "variable", "category"]
    if not len(targets) or targets[key].isna().any(axis=None):
        raise ValueError(
            f"Expected a row per {' and '.join(key)} in the targets, got none, or one with a gap."
        )
    table = targets[[*key, "share"]].assign(**{name: targets[name].map(_spell) for name in key})
    table["share"] = check_numbers("share in the targets", targets["share"])
    columns_by_fold = {fold_identity(name): name for name in reversed(columns) if isinstance(name, str)}
    table["variable"] = [
        name if name in columns else columns_by_fold.get(fold_identity(name), name)
        for name in table["variable"]
    ]
    if (again := table[key].map(fold_answer).duplicated()).any():
        twice = table.loc[again, key].iloc[0].tolist()
        raise ValueError(f"Expected each category once in the targets; {twice} comes twice.")
    if not (table["share"] > 0).all():
        row = table[table["share"].le(0)].iloc[0]
        raise ValueError(
            f"Expected shares above 0 in the targets, got {row['share']:g} for {row['category']!r} of "
            f"{row['variable']!r}. Leave such respondents out knowingly."
        )
    sums = table.groupby([table[name].map(fold_answer) for name in key[:-1]])["share"].transform("sum")
    if (sums - 1).abs().gt(_ROUNDED).any():
        at = int((sums - 1).abs().to_numpy().argmax())
        row = table.iloc[at]
        raise ValueError(
            f"Expected the shares of {row['variable']!r} in the targets to sum to 1, got "
            f"{sums.iloc[at]:.4g}. Give shares, not percentages, of every category."
        )
    return table.assign(share=table["share"] / sums)


def _spell(value: object) -> str:
    """Write a category as text to be shown; which are one is said by `fold_answer`."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return clean_identity(str(value))


def _match_categories(
    respondents: pd.DataFrame, goals: pd.DataFrame, who: str
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Give each respondent's category of each variable as a number, in the targets' order, and the shares."""
    codes, shares = [], []
    for variable, part in goals.groupby("variable", sort=False):
        place = {fold_answer(category): number for number, category in enumerate(part["category"])}
        said = respondents[variable].map(fold_answer)
        strange = sorted(respondents.loc[~said.isin(list(place)), variable].map(_spell))
        if strange:
            raise ValueError(
                f"Respondents{who} have the {variable} {strange[0]!r}, for which the targets have no share "
                f"(they have {', '.join(part['category'])}). Add it, or spell it as there."
            )
        empty = sorted(set(range(len(part))) - set(said.map(place)))
        if empty:
            raise ValueError(
                f"No respondent{who} has the {variable} {part['category'].iloc[empty[0]]!r}, which the "
                f"targets give {part['share'].iloc[empty[0]]:.1%}: nobody can stand for it. Join it with "
                f"another category in both tables."
            )
        codes.append(said.map(place).to_numpy(dtype=np.int64))
        shares.append(part["share"].to_numpy(dtype=np.float64))
    return codes, shares


def _rake(
    codes: list[np.ndarray], shares: list[np.ndarray], most: float | None, variables: list[str], who: str
) -> tuple[np.ndarray, int]:
    """Set one variable's shares right after the other, until all are, and no weight is too large."""
    size = len(codes[0])
    weights = np.ones(size)
    for done in range(1, _MOST_ROUNDS + 1):
        for code, share in zip(codes, shares, strict=True):
            weights = weights * (share * size / np.bincount(code, weights=weights))[code]
        if most is not None:
            weights = np.minimum(weights, most)
        missed = [
            np.abs(np.bincount(code, weights=weights) / weights.sum() - share).max()
            for code, share in zip(codes, shares, strict=True)
        ]
        if max(missed) < _EXACT and (most is None or weights.max() / weights.mean() <= most + 1e-6):
            return weights / weights.mean(), done
    worst = int(np.argmax(missed))
    raise ValueError(
        f"No weights found that meet all targets{who}: after {_MOST_ROUNDS} rounds the shares of "
        f"{variables[worst]!r} miss theirs by {missed[worst]:.3f}. "
        + (
            "Join small categories: some combination of the targets has no respondent."
            if most is None
            else f"Give a max_weight above {most:g}, or join small categories."
        )
    )


def _describe_margins(
    goals: pd.DataFrame, codes: list[np.ndarray], shares: list[np.ndarray], weights: np.ndarray
) -> pd.DataFrame:
    """Set the shares of each category before and after beside their targets."""
    counts = [np.bincount(code, minlength=len(share)) for code, share in zip(codes, shares, strict=True)]
    after = [np.bincount(code, weights=weights) / weights.sum() for code in codes]
    ordered = goals.assign(order=pd.factorize(goals["variable"])[0]).sort_values("order", kind="stable")
    return ordered[["variable", "category"]].assign(
        respondents=np.concatenate(counts),
        target=np.concatenate(shares),
        before=np.concatenate(counts) / len(weights),
        after=np.concatenate(after),
    )
