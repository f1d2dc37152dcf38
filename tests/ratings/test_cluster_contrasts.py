import numpy as np
import pandas as pd
import pytest
from rating_surveys import make_survey

import visclust as vc
from visclust.ratings.cluster_contrasts import _moderate_variances, _shrink_estimates


@pytest.fixture(scope="module")
def survey():
    sample, assignment = make_survey(n_clusters=12, images=3, people=36)
    return sample, vc.simulate_ratings(assignment, seed=2).ratings


def test_a_raw_difference_is_the_one_of_the_cluster_s_image_means(survey):
    sample, ratings = survey
    one = ratings[ratings["item"].eq("proud")].merge(sample[["image_id", "cluster"]])
    means = (
        one.groupby(["cluster", "image_id", "group"])["rating"].mean().groupby(["cluster", "group"]).mean()
    )
    expected = means.unstack()["Democrat"] - means.unstack()["Republican"]
    found = vc.contrast_clusters(ratings, sample)
    found = found[found["item"].eq("proud")].set_index("cluster")["estimate"]
    assert found.to_dict() == pytest.approx(expected.to_dict())


def test_a_raw_difference_takes_respondents_by_their_weights(survey):
    sample, ratings = survey
    one = ratings[ratings["item"].eq("proud")].merge(sample[["image_id", "cluster"]])
    weights = pd.Series(np.linspace(0.5, 3, one["respondent"].nunique()), sorted(one["respondent"].unique()))
    one["share"] = one["respondent"].map(weights)
    one["share"] /= one.groupby(["image_id", "group"])["rating"].transform("size")
    sums = (
        one.assign(said=one["share"] * one["rating"]).groupby(["cluster", "group"])[["said", "share"]].sum()
    )
    means = (sums["said"] / sums["share"]).unstack()
    table = weights.rename("weight").rename_axis("respondent").reset_index()
    found = vc.contrast_clusters(ratings, sample, respondent_weights=table)
    found = found[found["item"].eq("proud")].set_index("cluster")
    assert found["estimate"].to_dict() == pytest.approx((means["Democrat"] - means["Republican"]).to_dict())
    alike = vc.contrast_clusters(ratings, sample)
    assert found["standard_error"].mean() > alike.loc[alike["item"].eq("proud"), "standard_error"].mean()


def test_differences_are_pulled_towards_their_mean(survey):
    found = vc.contrast_clusters(survey[1], survey[0])
    one = found[found["item"].eq("proud")]
    center = one["shrunk"].mean()
    assert (one["shrunk"] - center).abs().sum() < (one["estimate"] - one["estimate"].mean()).abs().sum()
    assert one["kept"].between(0, 1).all()
    assert (one["p_adjusted"] >= one["p"]).all()
    assert found["simulated"].all()


def test_the_noisiest_estimate_is_pulled_most():
    shrunk = _shrink_estimates(pd.Series([0.0, 1.0, 2.0, 9.0]), pd.Series([0.3, 0.3, 0.3, 5.0]))
    assert shrunk["kept"].idxmin() == 3
    assert shrunk["shrunk"][3] < 5  # more than half of the way from 9 to the others' 1
    assert shrunk["low"][3] < shrunk["shrunk"][3] < shrunk["high"][3]


def test_shrunk_intervals_hold_the_truth_as_often_as_they_say_on_average():
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(200):
        errors = rng.uniform(0.3, 1.5, size=40)
        truth = 1 + 0.4 * rng.normal(size=40)
        shared = 0.3 * rng.normal()
        estimates = truth + shared + np.sqrt(errors**2 - 0.09) * rng.normal(size=40)
        found = _shrink_estimates(pd.Series(estimates), pd.Series(errors), shared_error=0.3)
        covered.append(found["low"].le(truth) & found["high"].ge(truth))
    # The shared error makes a survey's 40 intervals fail together: 200 surveys know the share to 0.01.
    assert np.mean(covered) == pytest.approx(0.95, abs=0.03)


def test_three_estimates_are_too_few_to_shrink():
    with pytest.raises(ValueError, match="four or more"):
        _shrink_estimates(pd.Series([0.0, 1.0, 2.0]), pd.Series([1.0, 1.0, 1.0]))


def test_variances_that_truly_differ_keep_more_of_themselves():
    rng = np.random.default_rng(0)
    alike = rng.chisquare(4, size=(300, 1)) / 4
    factors = np.where(np.arange(300) < 150, 0.2, 1.8)[:, None]
    (same, many), (apart, few) = (_moderate_variances(v, np.full(300, 4)) for v in (alike, alike * factors))
    assert many.min() > 3 * few.min()
    assert np.corrcoef(apart[:, 0], factors[:, 0])[0, 1] > 0.7
    assert same.std() < 0.5 * alike.std()


def test_ratings_that_are_all_alike_leave_a_standard_error(survey):
    sample, ratings = survey
    flat = ratings.assign(
        rating=ratings["rating"].where(
            ~ratings["image_id"].isin(sample.loc[sample["cluster"].eq(0), "image_id"]), 1.0
        )
    )
    found = vc.contrast_clusters(flat, sample)
    assert (found.loc[found["cluster"].eq(0), "standard_error"] > 0).all()
