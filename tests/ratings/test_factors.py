import numpy as np
import pytest
from rating_surveys import make_survey

import visclust as vc
from visclust.ratings.factors import _fit_factor_model, _measure_scaling


def test_fit_and_loadings_are_those_that_lavaan_prints(holzinger):
    fit = _fit_factor_model(holzinger, 301, factors=[0, 0, 0, 1, 1, 1, 2, 2, 2])
    # As printed in the manual of lavaan, to its three digits.
    printed = {"chi2": 85.306, "df": 24, "cfi": 0.931, "tli": 0.896, "rmsea": 0.092, "srmr": 0.065}
    printed |= {"rmsea_low": 0.071, "rmsea_high": 0.114}
    assert {name: round(fit.measures[name], 3) for name in printed} == printed
    assert fit.standardized.round(3).tolist() == [
        0.772,
        0.424,
        0.581,
        0.852,
        0.855,
        0.838,
        0.57,
        0.723,
        0.665,
    ]
    assert fit.correlations[np.triu_indices(3, 1)].round(3).tolist() == [0.459, 0.471, 0.283]


def test_a_matrix_that_the_model_made_is_fitted_without_misfit():
    loadings = np.array([0.9, 0.8, 0.7, 0.6, 0.7, 0.8])
    factors = np.array([0, 0, 0, 1, 1, 1])
    correlations = np.array([[1.0, -0.4], [-0.4, 1.0]])[np.ix_(factors, factors)]
    matrix = np.outer(loadings, loadings) * correlations
    np.fill_diagonal(matrix, 1.0)
    fit = _fit_factor_model(matrix, 500, factors=factors)
    assert fit.measures["chi2"] == pytest.approx(0, abs=1e-6)  # the optimiser's tolerance times n
    assert fit.measures["cfi"] == 1
    assert fit.correlations[0, 1] == pytest.approx(-0.4, abs=1e-4)  # the optimiser's


def test_normal_rows_that_are_independent_need_no_scaling():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4000, 1)) + rng.normal(size=(4000, 5))
    fit = _fit_factor_model(np.cov(values.T, bias=True), 4000, factors=[0] * 5)
    # The factor is a mean over 5 degrees of freedom of fourth moments, each known to about sqrt(8 / 4000).
    assert _measure_scaling(values, fit, factors=[0] * 5, clusters=np.arange(4000)) == pytest.approx(
        1, abs=0.1
    )


def test_more_parameters_than_numbers_are_refused():
    with pytest.raises(ValueError, match="4 parameters, the 2 items give 3"):
        _fit_factor_model(np.eye(2), 10, factors=[0, 0])


def test_a_copy_of_an_item_is_refused():
    with pytest.raises(ValueError, match="singular"):
        _fit_factor_model(np.ones((3, 3)), 10, factors=[0, 0, 0])


@pytest.fixture(scope="module")
def ratings():
    return vc.simulate_ratings(make_survey(people=40)[1], seed=1).ratings


def test_the_dimensions_fit_better_than_one_factor(ratings):
    check = vc.confirm_factors(ratings)
    fit = check.fit.set_index("model")
    assert fit.loc["dimensions", "cfi"] > fit.loc["one factor", "cfi"] + 0.1
    assert check.loadings["item"].tolist()[:3] == ["hopeful", "enthusiastic", "proud"]
    assert all(table["simulated"].all() for table in check)
