import numpy as np
import pytest
from rating_surveys import make_survey

import visclust as vc


@pytest.fixture(scope="module")
def survey():
    sample, assignment = make_survey(people=24)
    ratings = vc.simulate_ratings(assignment, seed=3).ratings
    ratings = ratings[ratings["item"].isin(["proud", "hopeful"])].reset_index(drop=True)
    people = ratings[["respondent", "group"]].drop_duplicates().reset_index(drop=True)
    number = np.arange(len(people))
    return sample, ratings, people.assign(straight_lining=number % 7 == 0, too_fast=number % 5 == 0)


OPTIONS = {"dimensions": {}, "n_bootstrap": 20, "weightings": "images"}


def test_each_reason_has_the_rows_of_a_comparison_without_those_flagged(survey):
    sample, ratings, people = survey
    found = vc.compare_exclusions(ratings, people, sample, **OPTIONS)
    assert found["excluded"].unique().tolist() == ["nobody", "straight_lining", "too_fast", "any of these"]
    for name, flagged in (
        ("nobody", people["respondent"].eq("")),
        ("too_fast", people["too_fast"]),
        ("any of these", people["too_fast"] | people["straight_lining"]),
    ):
        rows = found[found["excluded"].eq(name)]
        left = ratings[~ratings["respondent"].isin(people.loc[flagged, "respondent"])]
        expected = vc.compare_groups(left, sample, **OPTIONS).differences
        assert rows["estimate"].tolist() == expected["estimate"].tolist()
        assert rows["p"].tolist() == expected["p"].tolist()
        assert (rows["dropped"] == flagged.sum()).all()
        assert (rows["left"] == len(people) - flagged.sum()).all()
    assert found["note"].eq("").all()
    assert found["simulated"].all()
    whole = found[found["excluded"].eq("nobody")].set_index("item")["estimate"]
    assert found["shift"].tolist() == pytest.approx((found["estimate"] - found["item"].map(whole)).tolist())


def test_a_claim_that_hangs_on_who_is_left_out_is_marked(survey):
    sample, ratings, people = survey
    told = ratings.assign(rating=3 + np.random.default_rng(0).normal(size=len(ratings)))
    fast = people["group"].eq("Democrat") & people["respondent"].str[-1].isin(list("01234567"))
    told.loc[told["respondent"].isin(people.loc[fast, "respondent"]), "rating"] += 1.5
    found = vc.compare_exclusions(told, people.assign(too_fast=fast), sample, because=["too_fast"], **OPTIONS)
    marked = found.groupby("excluded")["changed"].all()
    assert marked.to_dict() == {"nobody": False, "too_fast": True}


def test_a_reason_that_leaves_a_group_empty_has_rows_that_say_so(survey):
    sample, ratings, people = survey
    flagged = people.assign(late=people["group"].eq("Democrat"), everyone=True)
    found = vc.compare_exclusions(ratings, flagged, sample, because=["late", "everyone"], **OPTIONS)
    rows = found[found["excluded"].eq("late")]
    assert len(rows) == 2
    assert rows[["estimate", "low", "p"]].isna().all(axis=None)
    assert rows["note"].str.contains("at least two groups, got Republican only").all()
    assert found.loc[found["excluded"].eq("everyone"), "note"].eq("Nobody is left.").all()
    assert not found["changed"].any()


def test_reasons_and_options_are_checked_first(survey):
    sample, ratings, people = survey
    for change, message in (
        ({"because": ["rude"]}, "True and False named 'rude'"),
        ({"because": []}, "at least, got"),
        ({"because": ["too_fast", "too_fast"]}, "each reason once"),
        ({"weightings": "posts"}, "weightings among"),
    ):
        with pytest.raises(ValueError, match=message):
            vc.compare_exclusions(ratings, people, sample, **(OPTIONS | change))
    with pytest.raises(TypeError, match="settings among"):
        vc.compare_exclusions(ratings, people, sample, colour="red")


def test_weights_of_respondents_are_handed_on(survey):
    sample, ratings, people = survey
    weights = people[["respondent"]].assign(weight=np.linspace(0.5, 2, len(people)))
    found = vc.compare_exclusions(ratings, people, sample, respondent_weights=weights, **OPTIONS)
    expected = vc.compare_groups(ratings, sample, respondent_weights=weights, **OPTIONS).differences
    assert found["estimate"].head(2).tolist() == expected["estimate"].tolist()
