"""Whether a comparison of groups hangs on who was excluded: run with and without, as one table."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from visclust.annotation.constructs import EMOTIONS
from visclust.base.checks import settle_options
from visclust.base.progress import WorkBar
from visclust.base.provenance import recorded
from visclust.ratings.group_contrasts import compare_groups
from visclust.survey.respondents import drop_respondents

_NOBODY, _ANY = "nobody", "any of these"
# What a comparison that could not be made has no number for.
_NUMBERS = [
    "estimate", "standard_error", "degrees_of_freedom", "low", "high", "p", "p_adjusted", "ratings", "images",
    "covered",
]  # fmt: skip


@recorded
def compare_exclusions(
    ratings: pd.DataFrame,
    respondents: pd.DataFrame,
    sample: pd.DataFrame,
    *,
    because: Sequence[str] = ("straight_lining", "too_fast"),
    progress: bool = True,
    **options: Any,
) -> pd.DataFrame:
    """Compare groups with everybody, and without those who are flagged, for each reason and for all together.

    Excluding people after the answers are in is a choice that can make a result. This table shows what each
    choice does to every difference.

    Parameters
    ----------
    ratings, respondents : DataFrame
        From `read_ratings`, before anybody was dropped.
    sample : DataFrame
        As for `compare_groups`.
    because : sequence of str, default ("straight_lining", "too_fast")
        Columns of `respondents` that are True for those to drop: of `read_ratings`, "inattentive" of
        `flag_inattentive`, or one that you added.
    progress : bool, default True
        Show a bar over the reasons.
    **options
        For `compare_groups`: ``weightings, reference, dimensions, respondent_weights``, and so on. Weights
        stay those of the respondents who are left; rake again without those dropped for margins that hold
        exactly.

    Returns
    -------
    DataFrame
        The ``differences`` of `compare_groups`, once for each reason: ``excluded`` ("nobody", each reason,
        and "any of these"), ``dropped`` and ``left`` (respondents with ratings), the columns of
        `compare_groups`, ``shift`` (the estimate less that with everybody), ``changed`` (whether the interval
        leaves out zero where that with everybody does not, or the other way round, or the sign of a
        difference found has turned) and ``note``: why there is no result, where a group was left with too
        little.

    Raises
    ------
    ValueError
        If a reason is no True-or-False column of the respondents, or the comparison with everybody is
        refused.

    Source
    ------
    Steegen et al. (2016), "Increasing transparency through a multiverse analysis".

    Examples
    --------
    >>> sample = pd.DataFrame({"image_id": ["a", "b"], "cluster": [0, 1]})
    >>> rows = [(f"{g}{n}", g, i, "calm", 3.0 + n % 3 + (g == "D"), True)
    ...     for g in "DR" for n in range(6) for i in "ab"]
    >>> names = ["respondent", "group", "image_id", "item", "rating", "simulated"]
    >>> ratings = pd.DataFrame(rows, columns=names)
    >>> respondents = ratings[["respondent", "group"]].drop_duplicates()
    >>> respondents["too_fast"] = respondents["respondent"].eq("D0")
    >>> found = compare_exclusions(ratings, respondents, sample, because=["too_fast"],
    ...     weightings="images", n_bootstrap=50)
    >>> found[["excluded", "dropped", "left", "estimate", "shift"]].round(2)
       excluded  dropped  left  estimate  shift
    0    nobody        0    12       1.0    0.0
    1  too_fast        1    11       1.2    0.2
    """
    reasons = list(because)
    if not reasons or len(set(reasons)) < len(reasons):
        raise ValueError(f"Expected each reason once in because, and one at least, got {reasons}.")
    settled = settle_options(compare_groups, options, but=("ratings", "sample", "progress"))
    settled = {"dimensions": EMOTIONS, **settled}
    # Everything is checked before anything is resampled.
    sets = {_NOBODY: [], **{reason: [reason] for reason in reasons}}
    sets |= {_ANY: reasons} if len(reasons) > 1 else {}
    kept = {
        name: drop_respondents(ratings, respondents, because=those).ratings for name, those in sets.items()
    }
    everybody = ratings["respondent"].nunique()
    found, base = [], None
    for name in WorkBar(list(sets), desc="Exclusions", unit="reason", progress=progress):
        left = kept[name]["respondent"].nunique()
        note = ""
        try:
            if base is not None and kept[name].empty:
                raise ValueError("Nobody is left.")
            table = compare_groups(kept[name], sample, progress=False, **settled).differences
        except ValueError as reason:
            if base is None:
                raise
            table, note = base.assign(**dict.fromkeys(_NUMBERS, np.nan)), str(reason)
        if base is None:
            base = table
            settled["reference"] = table["reference"].iloc[0]
        found.append(
            _compare(table, base).assign(excluded=name, dropped=everybody - left, left=left, note=note)
        )
    whole = pd.concat(found, ignore_index=True)
    first = ["excluded", "dropped", "left"]
    last = ["shift", "changed", "note", "simulated"]
    return whole[[*first, *(name for name in whole.columns if name not in (*first, *last)), *last]]


def _compare(table: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
    """Set each difference beside the one with everybody."""
    key = ["weighting", "level", "item", "group"]
    before = base.set_index(key)[["estimate", "low", "high"]].reindex(pd.MultiIndex.from_frame(table[key]))
    sides = [
        np.sign(each["low"].to_numpy()) + np.sign(each["high"].to_numpy()) for each in (table, before)
    ]  # 2 or -2 where the interval leaves out zero
    claims = [np.where(np.abs(side) == 2, side, 0.0) for side in sides]
    missing = table["estimate"].isna().to_numpy() | before["estimate"].isna().to_numpy()
    return table.assign(
        shift=table["estimate"].to_numpy() - before["estimate"].to_numpy(),
        changed=(claims[0] != claims[1]) & ~missing,
    )
