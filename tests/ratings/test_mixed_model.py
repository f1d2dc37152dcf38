import numpy as np
import pandas as pd
import pytest
from rating_surveys import make_survey
from statsmodels.regression.mixed_linear_model import MixedLM

from visclust.base.bootstrap import find_interval
from visclust.ratings.crossed_bootstrap import resample_crossed, split_crossed
from visclust.ratings.mixed_model import fit_mixed_contrast
from visclust.ratings.power import power_for_contrast
from visclust.ratings.simulation import simulate_ratings


@pytest.fixture(scope="module")
def ratings():
    _, assignment = make_survey(n_clusters=6, images=2, people=8, load=6)
    table = simulate_ratings(assignment, seed=1).ratings
    return table[table["item"].eq("proud")]


def test_the_fit_is_that_of_statsmodels(ratings):
    table = ratings.assign(one=1, cell=ratings["group"] + ratings["image_id"])
    parts = {"respondent": "0 + C(respondent)", "image": "0 + C(image_id)", "cell": "0 + C(cell)"}
    reference = MixedLM.from_formula(
        "rating ~ group", table, groups="one", re_formula="0", vc_formula=parts
    ).fit(reml=True, method="lbfgs")
    found = fit_mixed_contrast(ratings, dimensions={})
    row = found.differences.iloc[0]
    # Both stop where the likelihood is flat: estimates agree to about three digits.
    assert row["estimate"] == pytest.approx(-reference.fe_params.iloc[1], abs=2e-3)
    assert row["standard_error"] == pytest.approx(reference.bse.iloc[1], rel=5e-3)
    sds = found.components.iloc[0][["group_image_sd", "image_sd", "respondent_sd"]].to_numpy(dtype=float)
    assert sds == pytest.approx(np.sqrt(reference.vcomp), abs=0.02)  # vcomp is in the order of the names
    assert found.components["residual_sd"].iloc[0] == pytest.approx(np.sqrt(reference.scale), rel=5e-3)


def test_components_that_were_put_in_are_found():
    _, assignment = make_survey(n_clusters=20, images=3, people=120, load=15)
    rng = np.random.default_rng(1)
    codes = {name: pd.factorize(assignment[name])[0] for name in ("respondent", "image_id")}
    cell = codes["image_id"] * 2 + assignment["group"].eq("Democrat").to_numpy()
    felt = rng.normal(size=240)[codes["respondent"]] + rng.normal(size=60)[codes["image_id"]]
    felt = felt + 0.5 * rng.normal(size=120)[cell] + 1.5 * rng.normal(size=len(cell))
    table = assignment[["respondent", "group", "image_id"]].assign(item="calm", rating=felt, simulated=True)
    row = fit_mixed_contrast(table, dimensions={}).components.iloc[0]
    # Standard deviations from 240 people, 60 images, 120 cells and 3,600 ratings: errors of about
    # sd / sqrt(2 n), and somewhat more for the cells; three of them are allowed.
    assert row["respondent_sd"] == pytest.approx(1, abs=0.15)
    assert row["image_sd"] == pytest.approx(1, abs=0.3)
    assert row["group_image_sd"] == pytest.approx(0.5, abs=0.15)
    assert row["residual_sd"] == pytest.approx(1.5, abs=0.06)


def test_one_rating_per_respondent_is_refused(ratings):
    first = ratings.drop_duplicates("respondent")
    first = pd.concat([first, first.assign(group="R", respondent=first["respondent"] + "x")])
    with pytest.raises(ValueError, match="several images"):
        fit_mixed_contrast(first, dimensions={})


def test_results_say_that_ratings_were_simulated(ratings):
    found = fit_mixed_contrast(ratings, dimensions={})
    assert found.differences["simulated"].all()
    assert found.components["simulated"].all()


COMPONENTS = pd.DataFrame({"respondent_sd": [1.0], "group_image_sd": [0.5], "residual_sd": [2.0]})


def test_the_standard_error_is_that_of_the_formula():
    row = power_for_contrast(COMPONENTS, difference=1, n_images=50, per_respondent=4, respondents=[20]).iloc[
        0
    ]
    assert row["standard_error"] == pytest.approx(np.sqrt(2 * (1 / 20 + 4 / 80 + 0.25 / 50)))
    assert row["ratings_per_image"] == pytest.approx(1.6)


def test_the_smallest_number_suffices_and_one_less_does_not():
    smallest = int(power_for_contrast(COMPONENTS, difference=0.5, n_images=200)["respondents"].iloc[0])
    around = power_for_contrast(
        COMPONENTS, difference=0.5, n_images=200, respondents=[smallest - 1, smallest]
    )["power"]
    assert around.iloc[0] < 0.8 <= around.iloc[1]


def test_with_few_images_no_number_of_respondents_will_do():
    found = power_for_contrast(COMPONENTS, difference=0.4, n_images=10, per_respondent=8).iloc[0]
    assert pd.isna(found["respondents"])
    assert found["smallest"] > 0.4


def test_without_random_images_the_power_is_that_of_a_t_test():
    # From statsmodels: TTestIndPower().power(effect_size=0.5, nobs1=64, alpha=0.05) = 0.80146.
    plain = pd.DataFrame({"respondent_sd": [1.0], "group_image_sd": [0.0], "residual_sd": [0.0]})
    found = power_for_contrast(plain, difference=0.5, n_images=8, respondents=[64])
    assert found["power"].iloc[0] == pytest.approx(0.80146, abs=1e-5)


def test_differences_are_found_as_often_as_the_formula_says():
    people, load = 24, 6
    sample, assignment = make_survey(people=people, load=load)
    sds = pd.DataFrame({"respondent_sd": [1.0], "group_image_sd": [0.6], "residual_sd": [1.0]})
    expected = power_for_contrast(
        sds, difference=0.8, n_images=36, per_respondent=load, respondents=[people]
    )["power"].iloc[0]
    codes = {
        name: np.unique(assignment[column], return_inverse=True)[1]
        for name, column in (("respondents", "respondent"), ("images", "image_id"), ("groups", "group"))
    }
    strata = sample.sort_values("image_id")["cluster"].to_numpy()
    found = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        felt = rng.normal(size=2 * people)[codes["respondents"]] - 0.8 * codes["groups"]
        felt = felt + 0.6 * rng.normal(size=72)[codes["images"] * 2 + codes["groups"]]
        felt = felt + rng.normal(size=len(felt))
        parts = split_crossed(felt[:, None], np.ones(36), strata=strata, **codes)
        drawn = resample_crossed(parts, n_bootstrap=200, seed=seed)[..., 0]
        found += find_interval(drawn[:, 0] - drawn[:, 1])[0] > 0
    # 200 surveys know a share to 0.035; three of these.
    assert found / 200 == pytest.approx(expected, abs=0.105)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"residual_sd": np.nan}, {}, "one above 0 in each row"),
        ({"respondent_sd": 0, "group_image_sd": 0, "residual_sd": 0}, {}, "one above 0 in each row"),
        ({}, {"respondents": [0]}, "respondents to be a whole number of at least 2"),
        ({}, {"difference": np.nan}, "difference other than zero"),
    ],
)
def test_a_power_that_cannot_be_computed_is_refused(change, options, message):
    sds = {"respondent_sd": 1.2, "group_image_sd": 0.3, "residual_sd": 1.5} | change
    with pytest.raises(ValueError, match=message):
        power_for_contrast(pd.DataFrame([sds]), **({"difference": 0.3, "n_images": 500} | options))
