"""Models of several groups, held against lavaan 0.6-14 on the same ratings (tests/apart_ratings.py)."""

import numpy as np
import pandas as pd
import pytest
from apart_ratings import FACTORS, ITEMS, make_apart_ratings

from visclust.ratings.group_factors import (
    _differentiate,
    _imply,
    _pack,
    _read,
    _slope,
    _take_slopes,
    _unpack,
    fit_group_factors,
    measure_errors,
    measure_group_scaling,
    measure_moments,
)

ALL, NONE = np.ones(7, dtype=bool), np.zeros(7, dtype=bool)
BUT_PROUD = np.array([name != "proud" for name in ITEMS])
BUT_HATEFUL = np.array([name != "hateful" for name in ITEMS])
MEASURES = ("chi2", "df", "cfi", "tli", "rmsea", "rmsea_low", "rmsea_high", "srmr")

# The R call, with d the ratings side by side, and m <-
#   "E =~ hopeful + keen + proud
#    A =~ angry + bitter + hateful + resentful":
# x <- cfa(m, d, group = "group", std.lv = TRUE, meanstructure = TRUE, group.label = c("b", "a"),
#          group.equal = <shared>, group.partial = <free>)
# fitMeasures(x, c("chisq", "df", "cfi", "tli", "rmsea", "rmsea.ci.lower", "rmsea.ci.upper", "srmr"))
TWO_GROUPS = {  # loadings and intercepts shared: lavaan's measures
    "configural": (NONE, NONE, (16.476, 26, 1.000, 1.017, 0.000, 0.000, 0.021, 0.024)),
    "metric": (ALL, NONE, (21.770, 31, 1.000, 1.014, 0.000, 0.000, 0.028, 0.033)),
    "scalar": (ALL, ALL, (103.198, 36, 0.927, 0.914, 0.108, 0.084, 0.133, 0.071)),
    "scalar, proud ~ 1 free": (ALL, BUT_PROUD, (23.230, 35, 1.000, 1.015, 0.000, 0.000, 0.015, 0.034)),
}
# The same with group.label = c("c", "a", "b") and the groups "abc".
THREE_GROUPS = {
    "configural": (NONE, NONE, (28.986, 39, 1.000, 1.011, 0.000, 0.000, 0.028, 0.028)),
    "metric": (ALL, NONE, (99.824, 49, 0.965, 0.956, 0.080, 0.058, 0.103, 0.076)),
    "metric, A =~ hateful free": (BUT_HATEFUL, NONE, (35.420, 47, 1.000, 1.011, 0.0, 0.0, 0.024, 0.035)),
    "scalar, hateful free": (
        BUT_HATEFUL,
        BUT_HATEFUL,
        (124.533, 55, 0.953, 0.946, 0.089, 0.068, 0.110, 0.063),
    ),
    "scalar, proud ~ 1 free too": (
        BUT_HATEFUL,
        BUT_HATEFUL & BUT_PROUD,
        (36.820, 53, 1.000, 1.013, 0.000, 0.000, 0.000, 0.035),
    ),
}  # fmt: skip


def spread_out(groups):
    """Give the ratings side by side, and the numbers of their groups in the order given."""
    ratings = make_apart_ratings(groups="".join(sorted(groups)))
    wide = ratings.pivot(index=["respondent", "group", "image_id"], columns="item", values="rating")
    wide = wide.reset_index()
    return wide, wide[ITEMS].to_numpy(), pd.Index(list(groups)).get_indexer(wide["group"])


@pytest.mark.parametrize(
    ("groups", "name"), [*(("ba", name) for name in TWO_GROUPS), *(("cab", name) for name in THREE_GROUPS)]
)
def test_every_model_fits_as_in_lavaan_to_three_digits(groups, name):
    loadings, intercepts, expected = (TWO_GROUPS if groups == "ba" else THREE_GROUPS)[name]
    _, values, codes = spread_out(groups)
    fit = fit_group_factors(
        measure_moments(values, codes), factors=FACTORS, loadings=loadings, intercepts=intercepts
    )
    # lavaan's own are rounded to three digits: half a unit of the last, and its optimiser's tolerance.
    assert [fit.measures[measure] for measure in MEASURES] == pytest.approx(expected, abs=0.0006)
    assert fit.improper == 0


@pytest.fixture(scope="module")
def partial():
    wide, values, codes = spread_out("ba")
    fit = fit_group_factors(
        measure_moments(values, codes), factors=FACTORS, loadings=ALL, intercepts=BUT_PROUD
    )
    return wide, values, codes, fit


def test_estimates_of_the_partial_model_are_those_of_lavaan(partial):
    fit = partial[3]
    # parameterEstimates(x)
    assert fit.loadings[0] == pytest.approx(
        [1.3574, 1.1029, 1.0079, 1.3852, 1.2931, 0.9792, 1.1165], abs=2e-4
    )
    assert (fit.loadings[1] == fit.loadings[0]).all()
    intercepts = [5.1369, 5.6490, 4.1750, 4.9458, 5.3251, 4.9494, 5.2571]
    assert fit.intercepts[0] == pytest.approx(intercepts, abs=2e-4)
    intercepts[2] = 5.3324
    assert fit.intercepts[1] == pytest.approx(intercepts, abs=2e-4)
    residuals = [0.6794, 0.8161, 0.8274, 0.8747, 1.0538, 0.9571, 0.7707]
    assert fit.residuals[1] == pytest.approx(residuals, abs=2e-4)
    assert fit.covariances[0] == pytest.approx(np.array([[1, -0.2681], [-0.2681, 1]]), abs=2e-4)
    assert fit.covariances[1] == pytest.approx(np.array([[1.1287, -0.2811], [-0.2811, 0.8822]]), abs=2e-4)
    assert fit.means == pytest.approx(np.array([[0, 0], [-0.2244, -0.0124]]), abs=2e-4)


def test_standard_errors_by_respondent_are_those_of_lavaan(partial):
    wide, values, codes, fit = partial
    people = pd.factorize(wide["respondent"])[0]
    (spread,) = measure_errors(values, codes, fit, factors=FACTORS, clusters=[people])
    layout, roots = fit.layout, np.sqrt(np.diag(spread))
    # cfa(..., cluster = "respondent"): se of E ~ 1 and A ~ 1 in the second group, and of proud ~ 1 there.
    assert roots[layout.means[1]] == pytest.approx([0.16862, 0.15240], abs=2e-4)
    assert roots[layout.intercepts[1, 2]] == pytest.approx(0.14517, abs=2e-4)
    # In points, by hand from its vcov(): the latent mean times the mean of the loadings.
    for factor, expected in ((0, 0.19665), (1, 0.18212)):
        own = np.array(FACTORS) == factor
        weight = np.zeros(layout.size)
        weight[layout.loadings[0, own]] = fit.means[1, factor] / own.sum()
        weight[layout.means[1, factor]] = fit.loadings[0, own].mean()
        assert np.sqrt(weight @ spread @ weight) == pytest.approx(expected, abs=2e-4)


def test_scaling_by_rating_is_that_of_lavaan():
    _, values, codes = spread_out("ba")
    fit = fit_group_factors(measure_moments(values, codes), factors=FACTORS, loadings=ALL, intercepts=ALL)
    rows = np.arange(len(values))
    # cfa(..., estimator = "MLM"): chisq.scaling.factor
    assert measure_group_scaling(values, codes, fit, factors=FACTORS, clusters=rows) == pytest.approx(
        0.926, abs=0.001
    )


def test_the_gradient_is_that_of_the_discrepancy(partial):
    _, values, codes, fit = partial
    layout, moments = fit.layout, measure_moments(values, codes)
    x = _pack(_read(fit), layout) + np.random.default_rng(0).normal(size=layout.size) * 0.05
    slope = _slope(x, moments, np.array(FACTORS), layout)[1]
    assert _take_slopes(x[None], moments, np.array(FACTORS), layout)[0] == pytest.approx(slope, abs=1e-12)
    for place in range(layout.size):
        step = np.zeros(layout.size)
        step[place] = 1e-6
        ends = [_slope(x + sign * step, moments, np.array(FACTORS), layout)[0] for sign in (1, -1)]
        # Central differences of a value near 1 keep some nine digits, over a step of 2e-6.
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(slope[place], abs=1e-6)


def test_derivatives_of_the_moments_are_those_of_small_steps(partial):
    fit = partial[3]
    codes, layout = np.array(FACTORS), fit.layout
    x = _pack(_read(fit), layout)
    slopes = _differentiate(_read(fit), codes, layout)
    lower = np.tril_indices(7)
    for place in range(layout.size):
        step = np.zeros(layout.size)
        step[place] = 1e-6
        ends = []
        for sign in (1, -1):
            means, implied = _imply(_unpack(x + sign * step, codes, layout), codes)
            ends.append(np.column_stack([means, implied[:, lower[0], lower[1]]]))
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(slopes[:, :, place], abs=1e-6)


def test_moments_that_a_model_made_are_fitted_without_misfit_from_a_cold_start():
    loadings = np.array([0.9, -0.8, 0.7, 0.6, 0.7, 0.8, 0.5])  # one item is turned round
    pattern = np.zeros((7, 2))
    pattern[np.arange(7), FACTORS] = loadings
    factors = np.array([[[1.0, -0.4], [-0.4, 1.0]], [[2.0, 0.5], [0.5, 0.7]]])
    kappa = np.array([[0.0, 0.0], [0.6, -0.9]])
    moments = measure_moments(np.random.default_rng(0).normal(size=(200, 7)), np.arange(200) % 2)
    moments = moments._replace(
        means=3 + kappa @ pattern.T, covariances=pattern @ factors @ pattern.T + 0.5 * np.eye(7)
    )
    fit = fit_group_factors(moments, factors=FACTORS, loadings=ALL, intercepts=ALL)
    assert fit.measures["chi2"] == pytest.approx(0, abs=1e-8)
    assert fit.loadings == pytest.approx(np.tile(loadings, (2, 1)), abs=1e-5)
    assert fit.covariances == pytest.approx(factors, abs=1e-5)
    assert fit.means == pytest.approx(kappa, abs=1e-5)


def test_one_group_alone_is_fitted_as_the_textbook_prints_it(holzinger):
    moments = measure_moments(np.zeros((301, 9)), np.zeros(301, dtype=int))._replace(
        covariances=holzinger[None]
    )
    fit = fit_group_factors(moments, factors=[0, 0, 0, 1, 1, 1, 2, 2, 2])
    printed = {"chi2": 85.306, "df": 24, "cfi": 0.931, "tli": 0.896, "rmsea": 0.092}
    assert {name: round(fit.measures[name], 3) for name in printed} == printed


def test_two_items_that_nothing_else_identifies_are_refused():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 2)) @ np.array([[1, 0.5, 0, 0], [0, 0, 1, 0.5]]) + rng.normal(
        size=(400, 4)
    )
    codes = np.arange(400) % 2
    moments = measure_moments(values, codes)
    apart = moments.covariances.copy()
    apart[:, :2, 2:] = apart[:, 2:, :2] = 0  # two dimensions that have nothing to do with each other
    with pytest.raises(ValueError, match=r"not identified|did not converge"):
        fit_group_factors(moments._replace(covariances=apart), factors=[0, 0, 1, 1])


def test_weighted_respondents_give_the_figures_of_lavaan(partial):
    wide, values, codes, _ = partial
    weights = 1 + 0.5 * (wide["respondent"].str[1:].astype(int).to_numpy() % 3)
    weights = weights / weights.mean()
    moments = measure_moments(values, codes, weights)
    fit = fit_group_factors(moments, factors=FACTORS, loadings=ALL, intercepts=BUT_PROUD)
    # cfa(..., sampling.weights = "w", cluster = "respondent") of the partial model
    assert fit.measures["chi2"] == pytest.approx(23.878, abs=0.0006)
    assert fit.means[1] == pytest.approx([-0.18659, -0.02904], abs=5e-5)
    people = pd.factorize(wide["respondent"])[0]
    (spread,) = measure_errors(values, codes, fit, factors=FACTORS, clusters=[people], weights=weights)
    assert np.sqrt(np.diag(spread))[fit.layout.means[1]] == pytest.approx([0.17986, 0.14659], abs=2e-4)
