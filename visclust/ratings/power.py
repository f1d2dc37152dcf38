"""How many respondents a difference between two groups needs, when they rate images."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import brentq
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
    design_effect: float = 1.0,
) -> pd.DataFrame:
    """Compute the respondents per group that a difference needs, or the power that given numbers have.

    Respondents belong to one of two groups of equal size; both groups rate the same images, evenly. The
    difference between the groups' means then has the variance

        2 [respondent^2 / m  +  residual^2 / (m per_respondent)  +  group_image^2 / n_images],

    where n respondents count like m = n / design_effect, and in which what an image makes
    everybody feel cancels out. The last term does not fall with n: with few images there are differences that
    no number of respondents finds.

    Parameters
    ----------
    components : DataFrame
        The ``components`` of `fit_mixed_contrast`, from an earlier survey or a simulated one; or any table
        with ``respondent_sd, group_image_sd, residual_sd`` in points of the scale, and ``image_sd`` where it
        is known.
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
    design_effect : float, default 1
        By how much weights of respondents enlarge what respondents add to the variance, 1 or more: 1 where
        all count alike, and otherwise the ``design_effect`` that `rake_respondents` gives, of an earlier
        survey or as you expect it.

    Returns
    -------
    DataFrame
        The columns of `components` that name its rows (``level, item``), with ``difference, respondents``
        (per group; missing where no number will do), ``ratings_per_image`` (by each group), ``standard_error,
        degrees_of_freedom`` (as `fit_mixed_contrast` will have them: few where images are few), ``power``
        (that of a two-sided t test with them), ``smallest`` (the difference below which no number of
        respondents reaches `power`) and ``simulated`` where the components say so.

    Raises
    ------
    ValueError
        If a number is out of range, or a column or a standard deviation is missing.

    Source
    ------
    Westfall, Kenny & Judd (2014), "Statistical power and optimal design in experiments in which samples of
    participants respond to samples of stimuli": participants within condition, stimuli crossed with it.
    Degrees of freedom: Satterthwaite (1946), from the information that a balanced survey holds on the
    variances; where respondents rate some of the images only, as in a balanced incomplete block design.

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
    if not (np.isfinite(design_effect) and design_effect >= 1):
        raise ValueError(
            f"Expected a design_effect of 1 or more, got {design_effect}: 1 where all respondents count "
            f"alike; rake_respondents gives that of its weights."
        )
    if per_respondent > n_images:
        raise ValueError(f"A respondent cannot rate {per_respondent} of {n_images} images.")
    if n_images < 2 and components["group_image_sd"].gt(0).any():
        raise ValueError(
            f"Expected two images or more, got n_images={n_images}: with one, what an image does to a group "
            f"cannot be told from what the group feels."
        )
    rows = []
    for _, row in components.iterrows():
        survey = _Survey(
            people=row["respondent_sd"] ** 2,
            shared=row["image_sd"] ** 2 if "image_sd" in components.columns else None,
            images=row["group_image_sd"] ** 2,
            ratings=row["residual_sd"] ** 2,
            n_images=n_images,
            per_respondent=per_respondent,
            effect=design_effect,
        )
        asked = [_find_smallest(difference, survey, power, level)] if respondents is None else respondents
        for count in asked:
            error, freedom = (np.nan, np.nan) if count is None else survey.expect(count)
            found = np.nan if count is None else _find_power(difference, error, freedom, level)
            rows.append(
                {
                    **{name: row[name] for name in ("level", "item") if name in components.columns},
                    "difference": difference,
                    "respondents": count,
                    "ratings_per_image": np.nan if count is None else count * per_respondent / n_images,
                    "standard_error": error,
                    "degrees_of_freedom": freedom,
                    "power": found,
                    "smallest": survey.find_limit(power, level),
                    **({"simulated": row["simulated"]} if "simulated" in components.columns else {}),
                }
            )
    return pd.DataFrame(rows).astype({"respondents": "Int64"})


class _Survey(NamedTuple):
    """Variances of the random effects and the size of a survey, of which both groups rate the same images.

    ``shared`` is that of what an image makes everybody feel; without it nothing is known of that.
    """

    people: float
    shared: float | None
    images: float
    ratings: float
    n_images: int
    per_respondent: int
    effect: float = 1.0

    def expect(self, count: int) -> tuple[float, float]:
        """Give the standard error of the difference, and the degrees of freedom that its estimate will have.

        The latter are Satterthwaite's, from the information on the variances that a balanced survey of
        `count` respondents per group holds for a fit by REML, less what weights take of it.
        """
        total = count * self.per_respondent
        images = min(self.n_images, total)  # those that can be rated at all
        slopes = np.array([2 * self.effect / count, 0.0, 2 / images, 2 * self.effect / total])
        variances = np.array([self.people, self.shared or 0.0, self.images, self.ratings])
        variance = float(slopes @ variances)
        # What is zero counts as known, as for a fit that finds zero.
        free = variances > 0
        information = self._inform(count, images)[np.ix_(free, free)]
        noise = float(slopes[free] @ np.linalg.pinv(information, hermitian=True) @ slopes[free])
        return float(np.sqrt(variance)), 2 * variance**2 / (self.effect * noise)

    def _inform(self, count: int, images: int) -> np.ndarray:
        """Compute the information (4, 4) on the variances.

        Sums and differences of what the groups rate are independent. In each, respondents and images span
        directions with one angle between them, as in a balanced incomplete block design: none where everybody
        rates all images. Beside them there are directions of respondents or of images alone, and of single
        ratings.
        """
        total = count * self.per_respondent
        per_image, both = total / images, min(count, images) - 1
        cosine = min((images / self.per_respondent - 1) / both, 1.0) ** 0.5 if both else 0.0
        directions: list[tuple[int, list[float], list[float]]] = [
            (both, [1.0, 0.0], [cosine, float(np.sqrt(1 - cosine**2))]),
            (count - 1 - both, [1.0], [0.0]),
            (images - 1 - both, [0.0], [1.0]),
        ]
        if cosine > 1 - 1e-9:  # respondents cannot be told from images
            directions[0] = (both, [1.0], [1.0])
        rest = total - 1 - sum(number * len(person) for number, person, _ in directions)
        directions.append((max(rest, 0), [0.0], [0.0]))
        known = self.people + self.images + self.ratings
        shared = 1e6 * known if self.shared is None else self.shared
        # Without any error of single ratings the rest would be known exactly; so nearly it is.
        variances = np.array([self.people, shared, self.images, max(self.ratings, 1e-9 * known)])
        found = np.zeros((4, 4))
        for in_sum in (2.0, 0.0):  # what an image does to everybody stands in the sum, twice
            for number, person, image in directions:
                by_person = self.per_respondent * np.outer(person, person)
                by_image = per_image * np.outer(image, image)
                parts = np.array([by_person, in_sum * by_image, by_image, np.eye(len(person))])
                solved = np.linalg.solve(np.einsum("k,kij->ij", variances, parts), parts)
                found += number / 2 * np.einsum("aij,bji->ab", solved, solved)
        return found

    def find_limit(self, power: float, level: float) -> float:
        """Find the difference below which no number of respondents will do: images alone set it."""
        if self.images == 0:
            return 0.0
        if power <= 1 - level:  # which chance alone reaches
            return 0.0

        def miss(far: float) -> float:
            return _find_power(far, 1.0, self.n_images - 1, level) - power

        most = 1.0
        while miss(most) < 0:
            most *= 2
        return float(brentq(miss, 0.0, most)) * float(np.sqrt(2 * self.images / self.n_images))


def _find_power(difference: float, error: float, freedom: float, level: float) -> float:
    """Compute the power of a two-sided t test."""
    edge, far = t.ppf((1 + level) / 2, freedom), abs(difference) / error
    # Far out the lower tail is no number in SciPy; it is nothing there.
    return float(nct.sf(edge, freedom, far) + np.nan_to_num(nct.cdf(-edge, freedom, far)))


def _find_smallest(difference: float, survey: _Survey, power: float, level: float) -> int | None:
    """Find the smallest number of respondents per group by halving; None where none will do."""

    def suffices(count: int) -> bool:
        return _find_power(difference, *survey.expect(count), level) >= power

    low, high = 1, 2
    while not suffices(high):
        low, high = high, 2 * high
        if high > _MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high
