import numpy as np
import pandas as pd
import pytest
from rating_surveys import make_survey

import visclust as vc
from visclust.ratings.reliability import _alpha, _fit_one_factor


@pytest.fixture(scope="module")
def ratings():
    return vc.simulate_ratings(make_survey(people=40)[1], seed=1).ratings


def test_alpha_is_that_of_a_hand_calculation():
    # Two items: alpha = 2 (1 - (sum of variances) / variance of the sum).
    values = np.array([[1.0, 2.0], [2.0, 2.0], [3.0, 5.0], [4.0, 3.0]])
    rows = [(f"r{r}", "all", "i", "ab"[k], values[r, k], True) for r in range(4) for k in range(2)]
    table = pd.DataFrame(rows, columns=["respondent", "group", "image_id", "item", "rating", "simulated"])
    found = vc.measure_reliability(table, dimensions={"mood": ["a", "b"]}, n_bootstrap=5)
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
    found = vc.measure_reliability(ratings, dimensions=scales, n_bootstrap=5).query(
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
    table = vc.measure_reliability(ratings, n_bootstrap=20).set_index(["dimension", "differences"])
    # In the model people differ by dimension and not by item: between them the items are almost alike.
    for dimension in ("enthusiasm", "aversion", "anxiety"):
        row = table["alpha"][dimension]
        assert row["between respondents"] > row["all ratings"] > row["within respondents"]
    inside = table["alpha_low"].le(table["alpha"]) & table["alpha"].le(table["alpha_high"])
    assert inside.mean() > 0.8


def test_a_respondent_of_weight_two_counts_like_two():
    _, assignment = make_survey(people=10)
    ratings = vc.simulate_ratings(assignment).ratings
    names = ratings["respondent"].unique()
    weights = pd.DataFrame(
        {"respondent": names, "weight": np.where(np.arange(len(names)) % 3 == 0, 2.0, 1.0)}
    )
    twice = ratings[ratings["respondent"].isin(weights.loc[weights["weight"].eq(2), "respondent"])]
    doubled = pd.concat([ratings, twice.assign(respondent=twice["respondent"] + " again")])
    found = vc.measure_reliability(ratings, respondent_weights=weights, n_bootstrap=5)
    expected = vc.measure_reliability(doubled, n_bootstrap=5)
    rows = found["differences"].eq("all ratings")
    for measure in ("alpha", "omega"):
        assert found.loc[rows, measure].tolist() == pytest.approx(expected.loc[rows, measure].tolist())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_reliability_is_above_one_however_few_the_respondents(seed):
    # With 15 people a group these gave alphas of 1.003 and upper ends of 1.027.
    ratings = vc.simulate_ratings(make_survey(people=15)[1], seed=seed).ratings
    table = vc.measure_reliability(ratings, n_bootstrap=100, seed=seed)
    for name in ("alpha", "alpha_low", "alpha_high", "omega", "omega_low", "omega_high"):
        assert table[name].le(1).all()
    assert table["alpha_low"].le(table["alpha_high"]).all()


def test_covariances_beyond_a_correlation_of_one_give_one_and_those_without_variance_nothing():
    beyond = np.array([[1.0, 1.2], [1.2, 1.0]])
    assert _alpha(beyond) == 1  # 2 (1 - 2 / 4.4) = 1.09
    assert _alpha(np.array([[1.0, 0.5], [0.5, 1.0]])) == pytest.approx(2 / 3)  # as it was
    assert np.isnan(_alpha(np.array([[-0.1, 0.4], [0.4, -0.1]])))  # 2 (1 + 0.2 / 0.6) = 2.7 would be no share


def test_people_who_do_not_differ_have_no_reliability_between_them_and_it_says_how_often():
    # Each rating is new: between the 30 people there is nothing but what within them leaves by chance.
    rng = np.random.default_rng(0)
    rows = [
        (f"r{r}", "all", f"i{i}", item, mood + rng.normal(), True)
        for r in range(30) for i in range(6) for mood in [rng.normal()] for item in "abc"
    ]  # fmt: skip
    names = ["respondent", "group", "image_id", "item", "rating", "simulated"]
    table = vc.measure_reliability(
        pd.DataFrame(rows, columns=names), dimensions={"mood": list("abc")}, n_bootstrap=200
    ).set_index("differences")
    assert table.loc["all ratings", "undefined"] == 0
    assert table.loc["between respondents", "undefined"] > 0.1
    assert np.isnan(table.loc["between respondents", "alpha_low"])
    assert table.loc["between respondents", "alpha_high"] <= 1
