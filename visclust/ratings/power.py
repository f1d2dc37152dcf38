"""How many respondents a difference between two groups needs, when they rate images."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import nct, t

from visclust.base.checks import check_whole_number
from visclust.base.provenance import recorded
from visclust.base.tables import check_columns

_MOST = 1_000_000  # respondents of a group


@recorded
def power_for_contrast(
    components: pd.DataFrame,
    *,
    difference: float,
    n_images: int,
    per_respondent: int = 8,
    respondents: Sequence[int] | None = None,
    power: float = 0.8,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compute the respondents per group that a difference needs, or the power that given numbers have.

    Respondents belong to one of two groups of equal size; both groups rate the same images, evenly. The
    difference between the groups' means then has the variance

        2 [respondent^2 / n  +  residual^2 / (n per_respondent)  +  group_image^2 / n_images],

    in which what an image makes everybody feel cancels out. The last term does not fall with n: with few
    images there are differences that no number of respondents finds.

    Parameters
    ----------
    components : DataFrame
        The ``components`` of `fit_mixed_contrast`, from an earlier survey or a simulated one; or any table
        with ``respondent_sd, group_image_sd, residual_sd`` in points of the scale.
    difference : float
        The difference to be found, in points of the scale.
    n_images : int
        Images in the survey.
    per_respondent : int, default 8
        Images that each respondent rates.
    respondents : sequence of int, optional
        Numbers of respondents per group to compute the power of; by default the smallest that reaches
        `power`.
    power : float, default 0.8
        Probability with which the difference is to be found.
    level : float, default 0.95
        Level of the interval that is to exclude zero.

    Returns
    -------
    DataFrame
        The columns of `components` that name its rows (``level, item``), with ``difference, respondents``
        (per group; missing where no number will do), ``ratings_per_image`` (by each group), ``standard_error,
        power`` (that of a two-sided t test), ``smallest`` (the difference below which no number of
        respondents reaches `power`) and ``simulated`` where the components say so.

    Raises
    ------
    ValueError
        If a number is out of range, or a column or a standard deviation is missing.

    Source
    ------
    Westfall, Kenny & Judd (2014), "Statistical power and optimal design in experiments in which samples of
    participants respond to samples of stimuli": participants within condition, stimuli crossed with it.

    Examples
    --------
    >>> components = pd.DataFrame({"respondent_sd": [1.2], "group_image_sd": [0.3], "residual_sd": [1.5]})
    >>> power_for_contrast(components, difference=0.3, n_images=500)["respondents"].tolist()
    [311]
    """
    needed = ["respondent_sd", "group_image_sd", "residual_sd"]
    check_columns(components, needed, "the components", hint="fit_mixed_contrast makes such a table.")
    sds = components[needed].to_numpy(dtype=float)
    if not (np.isfinite(sds).all() and (sds >= 0).all() and (sds > 0).any(axis=1).all()):
        raise ValueError(
            "Expected standard deviations of 0 or more, and one above 0 in each row; got others. Leave out "
            "outcomes that everybody rated alike."
        )
    if respondents is not None and not len(respondents):
        raise ValueError("Expected at least one number of respondents, got none; None finds the smallest.")
    for number in [] if respondents is None else respondents:
        check_whole_number("respondents", number, least=2)
    if (
        not np.isfinite(difference)
        or difference == 0
        or n_images < 1
        or per_respondent < 1
        or not 0 < power < 1
        or not 0 < level < 1
    ):
        raise ValueError(
            f"Expected a difference other than zero, an image or more, and power and level between 0 and 1, "
            f"got difference={difference}, n_images={n_images}, per_respondent={per_respondent}, "
            f"power={power}, level={level}."
        )
    if per_respondent > n_images:
        raise ValueError(f"A respondent cannot rate {per_respondent} of {n_images} images.")
    rows = []
    for _, row in components.iterrows():
        people = row["respondent_sd"] ** 2 + row["residual_sd"] ** 2 / per_respondent
        fixed = 2 * row["group_image_sd"] ** 2 / n_images
        asked = (
            [_find_smallest(difference, people, fixed, power, level)] if respondents is None else respondents
        )
        for count in asked:
            error = np.nan if count is None else float(np.sqrt(2 * people / count + fixed))
            rows.append(
                {
                    **{name: row[name] for name in ("level", "item") if name in components.columns},
                    "difference": difference,
                    "respondents": count,
                    "ratings_per_image": np.nan if count is None else count * per_respondent / n_images,
                    "standard_error": error,
                    "power": np.nan if count is None else _find_power(difference, error, count, level),
                    "smallest": float(np.sqrt(fixed) * (t.ppf((1 + level) / 2, 1e9) + t.ppf(power, 1e9))),
                    **({"simulated": row["simulated"]} if "simulated" in components.columns else {}),
                }
            )
    return pd.DataFrame(rows).astype({"respondents": "Int64"})


def _find_power(difference: float, error: float, count: int, level: float) -> float:
    """Compute the power of a two-sided t test with the respondents' degrees of freedom."""
    freedom = 2 * count - 2
    edge = t.ppf((1 + level) / 2, freedom)
    far = abs(difference) / error
    return float(nct.sf(edge, freedom, far) + nct.cdf(-edge, freedom, far))


def _find_smallest(difference: float, people: float, fixed: float, power: float, level: float) -> int | None:
    """Find the smallest number of respondents per group by halving; None where none will do."""

    def suffices(count: int) -> bool:
        return _find_power(difference, float(np.sqrt(2 * people / count + fixed)), count, level) >= power

    low, high = 1, 2
    while not suffices(high):
        low, high = high, 2 * high
        if high > _MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high
