import numpy as np
import pandas as pd
import pytest
from rating_surveys import make_survey

import visclust as vc
from visclust.ratings.crossed_bootstrap import (
    measure_contrast,
    resample_crossed,
    resample_pigeonhole,
    split_crossed,
)
from visclust.ratings.intervals import find_student_interval


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


def test_the_variance_is_the_one_that_its_resamples_have():
    values, codes = draw_survey(respondent_sd=1.0, residual_sd=1.0, seed=0)
    weights = np.random.default_rng(1).uniform(0.5, 2, size=48)[codes["respondents"]]
    for options in ({}, {"weights": weights}, {"random_strata": True}, {"fractions": np.full(36, 0.5)}):
        parts = split_crossed(values, np.ones(36), strata=np.arange(36) // 3, **codes, **options)
        drawn = resample_crossed(parts, n_bootstrap=4000, seed=0)
        variance, _ = measure_contrast(parts, np.array([1.0, -1.0]))
        # 4,000 resamples know a variance to 2.2%; three of these.
        assert np.var(drawn[:, 0] - drawn[:, 1]) == pytest.approx(variance[0], rel=0.067)


def test_few_who_hold_most_of_the_weight_leave_few_degrees_of_freedom():
    values, codes = draw_survey(respondent_sd=3.0, residual_sd=0.5, seed=0)
    weights = np.where(codes["respondents"] % 12 == 0, 20.0, 1.0)
    freedom = [
        measure_contrast(
            split_crossed(values, np.ones(36), strata=np.arange(36) // 3, weights=each, **codes),
            np.array([1.0, -1.0]),
        )[1][0]
        for each in (None, weights)
    ]
    assert freedom[1] < 0.3 * freedom[0]


@pytest.mark.parametrize("kind", ["raked", "random clusters", "finite corpus"])
def test_intervals_hold_the_truth_as_often_as_they_say(kind):
    # 60 surveys share each of 10 compositions: 600 in all, which know 0.95 to 0.009; four of these.
    _, codes = draw_survey(respondent_sd=0, residual_sd=1, seed=0)
    rng, held = np.random.default_rng(0), []
    people, images, groups = codes["respondents"], codes["images"], codes["groups"]
    owner = np.zeros(48, dtype=int)
    owner[people] = groups
    for _ in range(10):
        felt = rng.normal(size=(48, 60))[people] + rng.normal(size=(len(people), 60))
        truth, options = 0.0, {}
        if kind == "raked":
            young = rng.random(48) < 0.3
            felt += 1.5 * (young & (owner == 0))[people][:, None]
            truth = 1.5 * 0.6  # six in ten are young where the survey is to speak for
            table = pd.DataFrame({"respondent": np.arange(48).astype(str), "group": owner, "young": young})
            targets = pd.DataFrame({"variable": "young", "category": [True, False], "share": [0.6, 0.4]})
            found = vc.rake_respondents(table, targets, within="group").weights
            options["weights"] = found["weight"].to_numpy()[people]
        elif kind == "random clusters":
            felt += rng.normal(size=(12, 2, 60))[images // 3, groups]
            options["random_strata"] = True
        else:  # three of four images of each cluster
            corpus = 1.5 * rng.normal(size=(12, 4, 2, 60))
            felt += corpus[:, :3].reshape(36, 2, 60)[images, groups]
            truth = np.array([1.0, -1.0]) @ corpus.mean(axis=(0, 1))
            options["fractions"] = np.full(36, 0.75)
        parts = split_crossed(felt, np.ones(36), strata=np.arange(36) // 3, **codes, **options)
        variance, freedom = measure_contrast(parts, np.array([1.0, -1.0]))
        low, high, _ = find_student_interval(
            parts.means[0] - parts.means[1], np.sqrt(variance), freedom, level=0.95
        )
        held.append((low <= truth) & (truth <= high))
    assert np.mean(held) == pytest.approx(0.95, abs=0.036)
