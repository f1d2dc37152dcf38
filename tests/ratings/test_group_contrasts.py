import numpy as np
import pandas as pd
import pytest
from rating_surveys import make_survey

import visclust as vc


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
    found = vc.compare_groups(ratings, sample, dimensions={}, n_bootstrap=20, **options).differences
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
    found = vc.compare_groups(fewer, sample, dimensions={}, n_bootstrap=5).differences.set_index("weighting")
    assert set(found["images"]) == {2}
    assert found.loc["corpus", "estimate"] == pytest.approx((4 * 2 + 10 * 9) / 14 - 1)


def test_a_missing_rating_leaves_the_other_items_alone(by_hand, sample):
    both = pd.concat([by_hand, by_hand.assign(item="calm")], ignore_index=True)
    both.loc[both["item"].eq("calm") & both["image_id"].eq("b"), "rating"] = np.nan
    found = vc.compare_groups(both, sample, dimensions={}, weightings=["images"], n_bootstrap=5).differences
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
        vc.compare_groups(by_hand, sample[["image_id", "cluster"]], weightings=["corpus"])


def test_a_single_weighting_needs_no_list(by_hand, sample):
    found = vc.compare_groups(by_hand, sample, weightings="images", dimensions={}, n_bootstrap=2)
    assert set(found.differences["weighting"]) == {"images"}


def test_one_group_alone_is_not_compared(by_hand, sample):
    with pytest.raises(ValueError, match="at least two groups, got D only"):
        vc.compare_groups(by_hand[by_hand["group"].eq("D")], sample, dimensions={})


def test_images_without_a_cluster_are_named(by_hand, sample):
    with pytest.raises(ValueError, match="the first is c"):
        vc.compare_groups(by_hand, sample[:2], dimensions={})


def test_results_say_that_ratings_were_simulated():
    sample, assignment = make_survey()
    compared = vc.compare_groups(vc.simulate_ratings(assignment).ratings, sample, n_bootstrap=10)
    assert compared.means["simulated"].all()
    assert compared.differences["simulated"].all()
    assert len(compared.means) == 3 * 13 * 2


def test_an_emotion_that_everybody_rates_alike_is_no_difference_anywhere():
    sample, assignment = make_survey()
    ratings = vc.simulate_ratings(assignment).ratings
    ratings.loc[ratings["item"].eq("hateful"), "rating"] = 1.0
    tables = [
        vc.compare_groups(ratings, sample, n_bootstrap=20).differences,
        vc.fit_mixed_contrast(ratings[ratings["item"].isin(["hateful", "proud"])], dimensions={}).differences,
        vc.contrast_clusters(ratings, sample),
    ]
    for table in tables:
        rows = table[table["item"].eq("hateful")]
        assert (rows["estimate"] == 0).all()
        assert (rows["p"] == 1).all()
        assert table["p_adjusted"].notna().all()


@pytest.mark.parametrize("analyse", [vc.compare_groups, vc.contrast_clusters, vc.summarize_emotions])
def test_a_level_in_percent_is_refused_before_any_work(by_hand, analyse):
    with pytest.raises(ValueError, match=r"level to be a number between 0 and 1, such as 0\.95, got 95"):
        analyse(by_hand, pd.DataFrame(), level=95)
