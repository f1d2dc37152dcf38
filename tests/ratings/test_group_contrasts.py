import numpy as np
import pandas as pd
import pytest
from rating_surveys import make_survey

from visclust.ratings.cluster_contrasts import contrast_clusters
from visclust.ratings.crossed_bootstrap import resample_crossed, resample_pigeonhole, split_crossed
from visclust.ratings.group_contrasts import compare_groups
from visclust.ratings.mixed_model import fit_mixed_contrast
from visclust.ratings.simulation import simulate_ratings


def make_ratings(rows, *, item="proud"):
    table = pd.DataFrame(rows, columns=["respondent", "group", "image_id", "rating"])
    return table.assign(item=item, simulated=False, rating=table["rating"].astype(float))


@pytest.fixture
def sample():
    return pd.DataFrame(
        {
            "image_id": ["a", "b", "c"],
            "cluster": [0, 0, 1],
            "inclusion_probability": [0.5, 0.5, 0.1],
            "weight": [2.0, 2.0, 10.0],
        }
    )


@pytest.fixture
def by_hand():
    # D feels 2, 4, 9 about a, b, c, and R feels 1 about all of them.
    rows = [("d", "D", "a", 2), ("d", "D", "c", 9), ("e", "D", "b", 4)]
    rows += [("r", "R", "a", 1), ("r", "R", "c", 1), ("s", "R", "b", 1)]
    return make_ratings(rows)


def compare(ratings, sample, **options):
    found = compare_groups(ratings, sample, dimensions={}, n_bootstrap=20, **options).differences
    return found.set_index("weighting")["estimate"]


def test_the_three_weightings_are_those_of_a_hand_calculation(by_hand, sample):
    found = compare(by_hand, sample)
    assert found["clusters"] == pytest.approx((3 + 9) / 2 - 1)  # cluster means 3 and 9
    assert found["images"] == pytest.approx((2 + 4 + 9) / 3 - 1)
    assert found["corpus"] == pytest.approx((2 * 2 + 2 * 4 + 10 * 9) / 14 - 1)


def test_a_second_rating_of_an_image_does_not_make_it_count_double(by_hand, sample):
    more = pd.concat([by_hand, make_ratings([("f", "D", "c", 9)])], ignore_index=True)
    assert compare(more, sample).to_dict() == pytest.approx(compare(by_hand, sample).to_dict())


def test_an_image_that_one_group_did_not_rate_is_left_out_and_its_cluster_keeps_its_weight(by_hand, sample):
    fewer = by_hand[~(by_hand["group"].eq("R") & by_hand["image_id"].eq("b"))]
    found = compare_groups(fewer, sample, dimensions={}, n_bootstrap=5).differences.set_index("weighting")
    assert set(found["images"]) == {2}
    assert found.loc["corpus", "estimate"] == pytest.approx((4 * 2 + 10 * 9) / 14 - 1)


def test_a_missing_rating_leaves_the_other_items_alone(by_hand, sample):
    both = pd.concat([by_hand, by_hand.assign(item="calm")], ignore_index=True)
    both.loc[both["item"].eq("calm") & both["image_id"].eq("b"), "rating"] = np.nan
    found = compare_groups(both, sample, dimensions={}, weightings=["images"], n_bootstrap=5).differences
    assert found.set_index("item")["images"].to_dict() == {"calm": 2, "proud": 3}


def test_the_reference_turns_the_sign(by_hand, sample):
    assert compare(by_hand, sample, reference="D").to_dict() == pytest.approx(
        (-compare(by_hand, sample, reference="R")).to_dict()
    )


def test_unassigned_images_do_not_count_where_clusters_weigh_alike(by_hand, sample):
    found = compare(by_hand, sample.assign(cluster=[0, 0, -1]))
    assert found["clusters"] == pytest.approx(3 - 1)
    assert found["images"] == pytest.approx(5 - 1)


def test_the_corpus_is_not_represented_without_weights(by_hand, sample):
    assert set(compare(by_hand, sample[["image_id", "cluster"]]).index) == {"clusters", "images"}
    with pytest.raises(ValueError, match="needs the sample table"):
        compare_groups(by_hand, sample[["image_id", "cluster"]], weightings=["corpus"])


def test_a_single_weighting_needs_no_list(by_hand, sample):
    found = compare_groups(by_hand, sample, weightings="images", dimensions={}, n_bootstrap=2)
    assert set(found.differences["weighting"]) == {"images"}


def test_one_group_alone_is_not_compared(by_hand, sample):
    with pytest.raises(ValueError, match="at least two groups, got D only"):
        compare_groups(by_hand[by_hand["group"].eq("D")], sample, dimensions={})


def test_images_without_a_cluster_are_named(by_hand, sample):
    with pytest.raises(ValueError, match="the first is c"):
        compare_groups(by_hand, sample[:2], dimensions={})


def test_results_say_that_ratings_were_simulated():
    sample, assignment = make_survey()
    compared = compare_groups(simulate_ratings(assignment).ratings, sample, n_bootstrap=10)
    assert compared.means["simulated"].all()
    assert compared.differences["simulated"].all()
    assert len(compared.means) == 3 * 13 * 2


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


def test_an_emotion_that_everybody_rates_alike_is_no_difference_anywhere():
    sample, assignment = make_survey()
    ratings = simulate_ratings(assignment).ratings
    ratings.loc[ratings["item"].eq("hateful"), "rating"] = 1.0
    tables = [
        compare_groups(ratings, sample, n_bootstrap=20).differences,
        fit_mixed_contrast(ratings[ratings["item"].isin(["hateful", "proud"])], dimensions={}).differences,
        contrast_clusters(ratings, sample),
    ]
    for table in tables:
        rows = table[table["item"].eq("hateful")]
        assert (rows["estimate"] == 0).all()
        assert (rows["p"] == 1).all()
        assert table["p_adjusted"].notna().all()
