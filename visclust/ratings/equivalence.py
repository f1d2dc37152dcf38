"""Whether groups are similar: differences tested against a stated margin, since "similar" is a claim too."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import t

from visclust.base.checks import check_level, check_numbers
from visclust.base.provenance import recorded
from visclust.base.tables import check_columns
from visclust.ratings.designs import find_simulated
from visclust.ratings.intervals import ROUNDING, adjust_p, find_student_interval

_VERDICTS = {
    (True, True): "different, by less than the margin",
    (True, False): "different",
    (False, True): "similar",
    (False, False): "undecided",
}


@recorded
def assess_equivalence(
    differences: pd.DataFrame, *, margin: float | Mapping[str, float], level: float = 0.95
) -> pd.DataFrame:
    """Test whether differences are smaller than a margin, by two one-sided t tests.

    A difference with a large p value was not found, which is no evidence that there is none. This asks the
    other way round: can a difference as large as the margin be ruled out, in both directions? State the
    margin before you see the ratings: the smallest difference that would matter to you.

    Parameters
    ----------
    differences : DataFrame
        The ``differences`` of `compare_groups` or `fit_mixed_contrast`, or what `contrast_clusters` gives
        (of which the raw differences are tested): ``estimate, standard_error, degrees_of_freedom,
        simulated``.
    margin : float or mapping of str to float, points of the scale
        The smallest difference that matters, above 0: one for all, or one for each ``item``.
    level : float, default 0.95
        One less the probability with which each claim may be wrong.

    Returns
    -------
    DataFrame
        The rows of `differences` with ``margin``; ``p_equivalence``, the larger p value of the two tests;
        ``p_equivalence_adjusted`` (Benjamini-Hochberg among the rows of one weighting and level of outcomes);
        ``inner_low, inner_high``, the interval of level 2 x `level` - 1 (90% for 0.95), which lies within the
        margin exactly where p_equivalence is below 1 - level; and ``verdict``, from this and the interval of
        `level`: "similar" (no difference found, and one as large as the margin ruled out), "different",
        "different, by less than the margin", or "undecided" (neither: more respondents or images are needed).
        Where there was no spread among the ratings, nothing is decided.

    Raises
    ------
    ValueError
        If a margin is missing or not above 0, or the table is of another kind.

    Source
    ------
    Schuirmann (1987), "A comparison of the two one-sided tests procedure and the power approach"; Lakens
    (2017), "Equivalence tests: a practical primer".

    Examples
    --------
    >>> differences = pd.DataFrame({"item": ["proud", "angry"], "estimate": [0.05, 0.9],
    ...     "standard_error": 0.15, "degrees_of_freedom": 60.0, "simulated": True})
    >>> assess_equivalence(differences, margin=0.5)[["item", "p_equivalence", "verdict"]].round(3)
        item  p_equivalence    verdict
    0  proud          0.002    similar
    1  angry          0.995  different
    """
    check_level(level)
    if level <= 0.5:
        raise ValueError(f"Expected a level above 0.5 for two one-sided tests, got level={level}.")
    needed = ["estimate", "standard_error", "degrees_of_freedom", "simulated"]
    needed += ["item"] if isinstance(margin, Mapping) else []
    check_columns(differences, needed, "the differences", hint="compare_groups makes such a table.")
    find_simulated(differences)
    margins = _read_margins(differences, margin)
    estimate, error, freedom = (differences[name].to_numpy(dtype=np.float64) for name in needed[:3])
    known = error > ROUNDING
    scale = np.where(known, error, np.nan)
    sides = t.sf((estimate + margins) / scale, freedom), t.cdf((estimate - margins) / scale, freedom)
    found = np.maximum(*sides)
    inner = find_student_interval(estimate, scale, freedom, level=2 * level - 1)
    differs = find_student_interval(estimate, scale, freedom, level=level).p < 1 - level
    similar = found < 1 - level
    table = differences.assign(
        margin=margins,
        p_equivalence=found,
        inner_low=np.where(known, inner.low, np.nan),
        inner_high=np.where(known, inner.high, np.nan),
        verdict=[
            _VERDICTS[bool(one), bool(other)] for one, other in zip(differs & known, similar, strict=True)
        ],
    )
    families = [name for name in ("weighting", "level") if name in table.columns]
    adjusted = adjust_p(table.assign(all=0), families or ["all"], column="p_equivalence")
    table.insert(list(table.columns).index("p_equivalence") + 1, "p_equivalence_adjusted", adjusted)
    return table


def _read_margins(differences: pd.DataFrame, margin: float | Mapping[str, float]) -> np.ndarray:
    """Give the margin of each row."""
    if isinstance(margin, Mapping):
        items = differences["item"]
        missing = sorted(set(items) - set(margin))
        if missing:
            raise ValueError(
                f"Expected a margin for each item of the differences; {missing[0]!r} has none (there are "
                f"{', '.join(map(str, margin)) or 'none'}). Leave out the rows of others, or state theirs."
            )
        found = check_numbers("margin", items.map(dict(margin)))
    else:
        found = np.full(len(differences), float(check_numbers("margin", margin)))
    if not (found > 0).all():
        raise ValueError(f"Expected a margin above 0, in points of the scale, got {margin}.")
    return found
