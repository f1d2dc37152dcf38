import numpy as np
import pandas as pd
import pytest
from rating_surveys import make_survey

from visclust.ratings.factors import _fit_factor_model, _measure_scaling, confirm_factors
from visclust.ratings.reliability import _fit_one_factor, measure_reliability
from visclust.ratings.simulation import simulate_ratings

# Covariances (divisor n = 301) of the nine tests of Holzinger & Swineford (1939) that textbooks use.
HOLZINGER = """
1.35837
0.407371 1.381784
0.579899 0.451064 1.274865
0.504835 0.208923 0.20817 1.350665
0.440616 0.211091 0.112296 1.097753 1.659786
0.454808 0.247545 0.244109 0.895516 1.014524 1.196358
0.084765 -0.096751 0.088342 0.219743 0.143 0.144078 1.183139
0.263838 0.109659 0.212323 0.125593 0.180605 0.165431 0.535245 1.021983
0.458339 0.244009 0.373853 0.243363 0.295241 0.235997 0.373297 0.457317 1.015004
"""


@pytest.fixture(scope="module")
def holzinger():
    lower = np.zeros((9, 9))
    for row, line in enumerate(HOLZINGER.split("\n")[1:-1]):
        lower[row, : row + 1] = np.array(line.split(), dtype=float)
    return lower + np.tril(lower, -1).T


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
    return simulate_ratings(make_survey(people=40)[1], seed=1).ratings


def test_the_dimensions_fit_better_than_one_factor(ratings):
    check = confirm_factors(ratings)
    fit = check.fit.set_index("model")
    assert fit.loc["dimensions", "cfi"] > fit.loc["one factor", "cfi"] + 0.1
    assert check.loadings["item"].tolist()[:3] == ["hopeful", "enthusiastic", "proud"]
    assert all(table["simulated"].all() for table in check)


def test_alpha_is_that_of_a_hand_calculation():
    # Two items: alpha = 2 (1 - (sum of variances) / variance of the sum).
    values = np.array([[1.0, 2.0], [2.0, 2.0], [3.0, 5.0], [4.0, 3.0]])
    rows = [(f"r{r}", "all", "i", "ab"[k], values[r, k], True) for r in range(4) for k in range(2)]
    table = pd.DataFrame(rows, columns=["respondent", "group", "image_id", "item", "rating", "simulated"])
    found = measure_reliability(table, dimensions={"mood": ["a", "b"]}, n_bootstrap=5)
    expected = 2 * (1 - values.var(axis=0, ddof=1).sum() / values.sum(axis=1).var(ddof=1))
    assert found["alpha"].iloc[0] == pytest.approx(expected)
    assert found["omega"].isna().all()  # two items do not identify a factor


def test_alpha_and_omega_are_those_published_for_holzinger_and_swineford(holzinger):
    # 301 rows, a respondent each, whose covariances are exactly the published ones.
    noise = np.random.default_rng(0).normal(size=(301, 9))
    noise -= noise.mean(axis=0)
    rows = noise @ np.linalg.inv(np.linalg.cholesky(np.cov(noise.T, bias=True))).T
    rows = rows @ np.linalg.cholesky(holzinger).T
    names = [f"x{number}" for number in range(1, 10)]
    wide = pd.DataFrame(rows, columns=names).assign(respondent=[f"r{i}" for i in range(301)])
    ratings = wide.melt("respondent", var_name="item", value_name="rating").assign(
        group="all", image_id="i", simulated=True
    )
    scales = {"visual": names[:3], "textual": names[3:6], "speed": names[6:]}
    found = measure_reliability(ratings, dimensions=scales, n_bootstrap=5).query(
        "differences == 'all ratings'"
    )
    # As the manual of semTools prints them, to three digits.
    assert found["alpha"].round(3).tolist() == [0.626, 0.883, 0.688]
    # Its omega is from three factors fitted together, which moves loadings a little.
    assert found["omega"].tolist() == pytest.approx([0.625, 0.885, 0.688], abs=0.01)
    # One factor of three items is exact: a loading is the root of a product of covariances over the third.
    first = np.sqrt(0.407371 * 0.579899 / 0.451064)
    common = (first + 0.407371 / first + 0.579899 / first) ** 2
    # The fit takes 300 steps.
    assert found["omega"].iloc[0] == pytest.approx(common / holzinger[:3, :3].sum(), abs=1e-4)


def test_three_items_give_the_loadings_that_their_covariances_determine():
    loadings = np.array([[0.9, 0.5, 0.3], [1.5, 2.0, 0.5]])
    matrices = loadings[:, :, None] * loadings[:, None, :] + np.eye(3)
    assert _fit_one_factor(matrices) == pytest.approx(loadings, abs=1e-3)  # 300 steps


def test_within_and_between_respondents_are_told_apart(ratings):
    table = measure_reliability(ratings, n_bootstrap=20).set_index(["dimension", "differences"])
    # In the model people differ by dimension and not by item: between them the items are almost alike.
    for dimension in ("enthusiasm", "aversion", "anxiety"):
        row = table["alpha"][dimension]
        assert row["between respondents"] > row["all ratings"] > row["within respondents"]
    inside = table["alpha_low"].le(table["alpha"]) & table["alpha"].le(table["alpha_high"])
    assert inside.mean() > 0.8
