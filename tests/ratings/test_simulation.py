import numpy as np
import pandas as pd
import pytest
from rating_surveys import make_survey

import visclust as vc
from visclust.ratings.simulation import _expect_ratings


@pytest.fixture(scope="module")
def survey():
    return make_survey()


def test_ratings_are_whole_numbers_of_the_scale_and_all_marked_as_simulated(survey):
    ratings = vc.simulate_ratings(survey[1]).ratings
    assert set(ratings["rating"]) <= set(range(1, 11))
    assert ratings["simulated"].all()
    assert len(ratings) == 10 * len(survey[1])


def test_the_same_seed_gives_the_same_ratings_whatever_the_order_of_the_rows(survey):
    key = ["respondent", "image_id", "item"]
    tables = [
        vc.simulate_ratings(rows, seed=3).ratings.sort_values(key, ignore_index=True)
        for rows in (survey[1], survey[1].iloc[::-1].reset_index(drop=True))
    ]
    pd.testing.assert_frame_equal(*tables)
    assert not tables[0]["rating"].equals(vc.simulate_ratings(survey[1], seed=4).ratings["rating"])


def test_the_exact_expectation_is_the_mean_of_very_many_ratings():
    # 40,000 people rate one image: people and chance average out; the one image has no effect of its own.
    model = vc.make_rating_model(["Democrat", "Republican"])._replace(image_sd=0.0, group_image_sd=0.0)
    n = 40_000
    assignment = pd.DataFrame(
        {
            "respondent": np.arange(n).astype(str),
            "group": np.repeat(["Democrat", "Republican"], n // 2),
            "position": 1,
            "image_id": "a",
            "cluster": 0,
        }
    )
    simulated = vc.simulate_ratings(assignment, model=model, seed=5)
    mean = simulated.ratings.groupby(["group", "item"])["rating"].mean()
    expected = _expect_ratings(model, simulated.cluster_effects).set_index(["group", "item"])["expected"]
    # Five standard errors: a rating's standard deviation is below 2.5, each group has 20,000.
    assert (mean - expected[mean.index]).abs().max() < 5 * 2.5 / np.sqrt(n / 2)


def test_by_default_the_groups_differ_in_the_directions_of_the_paper():
    model = vc.make_rating_model(["Democrat", "Republican"])
    effects = vc.draw_cluster_effects(model, [0]).assign(effect=0.0)
    expected = _expect_ratings(model, effects).pivot(index="item", columns="group", values="expected")
    apart = expected["Democrat"] - expected["Republican"]
    assert (apart[["hopeful", "proud", "worried", "scared", "afraid"]] > 0.3).all()
    assert (apart[["resentful", "bitter", "hateful"]] == 0).all()


def test_a_dimension_is_the_mean_of_its_items_in_the_truth_too(survey):
    truth = vc.expect_contrasts(vc.simulate_ratings(survey[1]), survey[0])
    one = truth[truth["weighting"].eq("corpus") & truth["group"].eq("Democrat")].set_index("item")["expected"]
    assert one["anxiety"] == pytest.approx(one[["worried", "scared", "afraid"]].mean())


def test_an_empty_assignment_is_refused(survey):
    with pytest.raises(ValueError, match="at least one image"):
        vc.simulate_ratings(survey[1].head(0))


def test_a_group_that_the_model_does_not_know_is_named(survey):
    with pytest.raises(ValueError, match="not 'Green'"):
        vc.simulate_ratings(
            survey[1].assign(group="Green"), model=vc.make_rating_model(["Democrat", "Republican"])
        )


def test_simulated_and_real_ratings_are_not_compared_together(survey):
    ratings = vc.simulate_ratings(survey[1]).ratings
    ratings.loc[:4, "simulated"] = False
    with pytest.raises(ValueError, match="keep one"):
        vc.compare_groups(ratings, survey[0])


def test_the_truth_stands_beside_the_estimates():
    sample, assignment = make_survey(people=24)
    simulated = vc.simulate_ratings(assignment, seed=1)
    compared = vc.compare_groups(simulated.ratings, sample, n_bootstrap=100)
    table = vc.compare_with_truth(compared, simulated, sample).set_index(["weighting", "item"])
    assert table.loc[("clusters", "hopeful"), "truth"] > 0.5
    assert (table["holds_truth"] == table["truth"].between(table["low"], table["high"])).all()


@pytest.mark.slow
def test_coverage_counts_the_intervals_of_all_surveys():
    sample, assignment = make_survey(people=24)
    table = vc.measure_coverage(assignment, sample, n_surveys=12, n_bootstrap=100, seed=3)
    assert table["intervals"].tolist() == [120, 36] * 3
    # Twelve surveys, in each of which most items succeed or fail together: far below would be a mistake.
    assert table["coverage"].between(0.8, 1).all()


def test_a_model_for_a_study_s_own_groups_items_and_scale_gives_such_ratings():
    model = vc.make_rating_model(["men", "women"], dimensions={"trust": ["honest", "fair"]}, scale=(1, 5))
    assignment = pd.DataFrame(
        {"respondent": [f"r{i}" for i in range(40)], "group": ["men", "women"] * 20, "position": 1,
         "image_id": "a", "cluster": 0}
    )  # fmt: skip
    ratings = vc.simulate_ratings(assignment, model=model).ratings
    assert set(ratings["item"]) == {"honest", "fair"}
    assert ratings["rating"].between(1, 5).all()
    assert ratings["rating"].nunique() > 2


def test_without_a_model_the_groups_are_those_of_the_assignment():
    assignment = pd.DataFrame(
        {"respondent": ["r"], "group": ["teachers"], "position": 1, "image_id": "a", "cluster": 0}
    )
    assert vc.simulate_ratings(assignment).model.effects.keys() == {"teachers"}


@pytest.mark.parametrize("options", [{"groups": []}, {"dimensions": {}}, {"scale": (5, 5)}])
def test_a_model_needs_groups_items_and_a_scale(options):
    with pytest.raises(ValueError, match="Expected groups, items and a scale"):
        vc.make_rating_model(**{"groups": ["men"], **options})


def test_an_index_that_repeats_changes_nothing():
    assignment = pd.DataFrame(
        {
            "respondent": ["r1", "r1", "r2", "r2"],
            "group": ["men", "men", "women", "women"],
            "position": [1, 2, 1, 2],
            "image_id": ["a", "b", "a", "b"],
            "cluster": [0, 1, 0, 1],
        }
    )
    plain = vc.simulate_ratings(assignment).ratings
    assignment.index = [7, 7, 7, 7]
    assert vc.simulate_ratings(assignment).ratings.equals(plain)
