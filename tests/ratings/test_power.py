import numpy as np
import pandas as pd
import pytest
from rating_surveys import make_survey

import visclust as vc
from visclust.base.bootstrap import find_interval
from visclust.ratings.crossed_bootstrap import resample_crossed, split_crossed

COMPONENTS = pd.DataFrame({"respondent_sd": [1.0], "group_image_sd": [0.5], "residual_sd": [2.0]})


def test_the_standard_error_is_that_of_the_formula():
    row = vc.power_for_contrast(
        COMPONENTS, difference=1, n_images=50, per_respondent=4, respondents=[20]
    ).iloc[0]
    assert row["standard_error"] == pytest.approx(np.sqrt(2 * (1 / 20 + 4 / 80 + 0.25 / 50)))
    assert row["ratings_per_image"] == pytest.approx(1.6)


def test_the_smallest_number_suffices_and_one_less_does_not():
    smallest = int(vc.power_for_contrast(COMPONENTS, difference=0.5, n_images=200)["respondents"].iloc[0])
    around = vc.power_for_contrast(
        COMPONENTS, difference=0.5, n_images=200, respondents=[smallest - 1, smallest]
    )["power"]
    assert around.iloc[0] < 0.8 <= around.iloc[1]


def test_with_few_images_no_number_of_respondents_will_do():
    found = vc.power_for_contrast(COMPONENTS, difference=0.4, n_images=10, per_respondent=8).iloc[0]
    assert pd.isna(found["respondents"])
    assert found["smallest"] > 0.4


def test_without_random_images_the_power_is_that_of_a_t_test():
    # From statsmodels: TTestIndPower().power(effect_size=0.5, nobs1=64, alpha=0.05) = 0.80146.
    plain = pd.DataFrame({"respondent_sd": [1.0], "group_image_sd": [0.0], "residual_sd": [0.0]})
    found = vc.power_for_contrast(plain, difference=0.5, n_images=8, respondents=[64])
    assert found["power"].iloc[0] == pytest.approx(0.80146, abs=1e-5)


def test_where_everybody_rates_everything_freedom_is_that_of_the_mean_squares():
    people, images = 30, 8
    found = vc.power_for_contrast(
        COMPONENTS, difference=1, n_images=images, per_respondent=images, respondents=[people]
    ).iloc[0]
    # Westfall, Kenny and Judd (2014): expected mean squares of respondents, images by group, and the rest.
    squares = np.array([4 + images * 1, 4 + people * 0.25, -4])
    free = np.array([2 * (people - 1), images - 1, 2 * (people - 1) * (images - 1)])
    assert found["degrees_of_freedom"] == pytest.approx(squares.sum() ** 2 / (squares**2 / free).sum())
    assert found["standard_error"] ** 2 == pytest.approx(2 * squares.sum() / (people * images))


@pytest.mark.parametrize("image_sd", ["known", "unknown"])
def test_where_people_rate_some_images_freedom_is_that_of_a_fit(image_sd):
    # The standard deviations that lmer finds in the tables of test_mixed_model.py, and lmerTest's freedom.
    names = ["respondent_sd", "image_sd", "group_image_sd", "residual_sd"]
    for sds, survey, freedom in (
        ((0.87335292, 0.22118331, 0.67824277, 0.93605386), (30, 8, 4), 12.752360),
        ((0.81914817, 0.30688939, 0.62719082, 0.91703890), (80, 8, 4), 9.3477762),
        ((0.93853811, 0.40675847, 0.24056286, 0.94273082), (20, 12, 3), 28.478907),
    ):
        people, images, load = survey
        sizes = pd.DataFrame([sds], columns=names)
        sizes = sizes if image_sd == "known" else sizes.drop(columns="image_sd")
        found = vc.power_for_contrast(
            sizes, difference=1, n_images=images, per_respondent=load, respondents=[people]
        )
        # The surveys are not balanced incomplete blocks, only nearly so.
        assert found["degrees_of_freedom"].iloc[0] == pytest.approx(freedom, rel=0.04)


def test_a_single_image_cannot_show_how_images_differ():
    with pytest.raises(ValueError, match="two images or more, got n_images=1"):
        vc.power_for_contrast(COMPONENTS, difference=1, n_images=1, per_respondent=1)
    plain = COMPONENTS.assign(group_image_sd=0.0)
    assert vc.power_for_contrast(plain, difference=1, n_images=1, per_respondent=1)["smallest"].iloc[0] == 0


def test_below_the_smallest_difference_even_very_many_respondents_fall_short():
    options = {"n_images": 10, "per_respondent": 8, "respondents": [100_000]}
    smallest = vc.power_for_contrast(COMPONENTS, difference=1, **options)["smallest"].iloc[0]
    found = [
        vc.power_for_contrast(COMPONENTS, difference=smallest * factor, **options)["power"].iloc[0]
        for factor in (0.97, 1.03)
    ]
    assert found[0] < 0.8 < found[1]


def test_differences_are_found_as_often_as_the_formula_says():
    people, load = 24, 6
    sample, assignment = make_survey(people=people, load=load)
    sds = pd.DataFrame({"respondent_sd": [1.0], "group_image_sd": [0.6], "residual_sd": [1.0]})
    expected = vc.power_for_contrast(
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
        ({}, {"difference": np.nan}, "difference to be a number, got nan"),
    ],
)
def test_a_power_that_cannot_be_computed_is_refused(change, options, message):
    sds = {"respondent_sd": 1.2, "group_image_sd": 0.3, "residual_sd": 1.5} | change
    with pytest.raises(ValueError, match=message):
        vc.power_for_contrast(pd.DataFrame([sds]), **({"difference": 0.3, "n_images": 500} | options))


def test_weights_of_respondents_count_as_fewer_of_them():
    options = {"difference": 1, "n_images": 50, "per_respondent": 4, "respondents": [30]}
    row = vc.power_for_contrast(COMPONENTS, **options, design_effect=1.5).iloc[0]
    assert row["standard_error"] == pytest.approx(np.sqrt(2 * (1.5 / 30 + 1.5 * 4 / 120 + 0.25 / 50)))
    plain = vc.power_for_contrast(COMPONENTS, **options).iloc[0]
    assert row["power"] < plain["power"]
    assert row["degrees_of_freedom"] < plain["degrees_of_freedom"]
    with pytest.raises(ValueError, match=r"design_effect of 1 or more, got 0\.5"):
        vc.power_for_contrast(COMPONENTS, **options, design_effect=0.5)
