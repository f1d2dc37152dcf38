import numpy as np
import pytest
from rating_surveys import make_survey

from visclust.ratings.crossed_bootstrap import resample_crossed, resample_pigeonhole, split_crossed


def draw_survey(*, respondent_sd, residual_sd, seed, people=24, load=6):
    _, assignment = make_survey(people=people, load=load)
    rng = np.random.default_rng(seed)
    codes = {
        name: np.unique(assignment[column], return_inverse=True)[1]
        for name, column in (("respondents", "respondent"), ("images", "image_id"), ("groups", "group"))
    }
    values = rng.normal(size=codes["respondents"].max() + 1)[codes["respondents"]] * respondent_sd
    return (values + rng.normal(size=len(values)) * residual_sd)[:, None], codes


@pytest.mark.parametrize(("respondent_sd", "residual_sd"), [(1.0, 0.5), (0.0, 1.0)])
def test_the_spread_of_replicates_is_the_standard_error_that_theory_gives(respondent_sd, residual_sd):
    people, load = 24, 6
    found = []
    for seed in range(40):
        values, codes = draw_survey(respondent_sd=respondent_sd, residual_sd=residual_sd, seed=seed)
        parts = split_crossed(values, np.ones(36), strata=np.arange(36) // 3, **codes)
        drawn = resample_crossed(parts, n_bootstrap=200, seed=seed)
        found.append(np.var(drawn[:, 0] - drawn[:, 1]))
    # Every image is rated equally often, so the means are plain means of 24 people with 6 ratings each.
    expected = 2 * (respondent_sd**2 + residual_sd**2 / load) / people
    # A variance from about 22 people's totals has a relative error of 0.3, the mean of 40 one of 0.05.
    assert np.mean(found) == pytest.approx(expected, rel=0.2)


def test_the_pigeonhole_bootstrap_counts_the_error_of_single_ratings_three_times():
    crossed, pigeonhole = [], []
    for seed in range(20):
        values, codes = draw_survey(respondent_sd=0.0, residual_sd=1.0, seed=seed)
        parts = split_crossed(values, np.ones(36), strata=np.arange(36) // 3, **codes)
        drawn = resample_crossed(parts, n_bootstrap=200, seed=seed)
        crossed.append(np.var(drawn[:, 0] - drawn[:, 1]))
        drawn = resample_pigeonhole(values, np.ones(36), n_bootstrap=200, seed=seed, **codes)
        pigeonhole.append(np.var(drawn[:, 0] - drawn[:, 1]))
    # Owen & Eckles: three times; 20 surveys know each mean to about 0.07.
    assert np.mean(pigeonhole) / np.mean(crossed) == pytest.approx(3, rel=0.3)


def test_an_image_alone_in_its_cluster_is_not_taken_to_be_without_error():
    rng = np.random.default_rng(0)
    codes = {
        "respondents": np.arange(40),
        "images": np.repeat(np.arange(10), 4),
        "groups": np.tile([0, 1], 20),
    }
    parts = split_crossed(
        rng.normal(size=(40, 1)), np.ones(10), strata=np.array([0] * 5 + [1, 2, 3, 4, 5]), **codes
    )
    assert (np.abs(parts.image_parts[5:]) > 0).all()
