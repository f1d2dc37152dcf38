"""What each respondent did, the flags, and who is dropped when that is asked for."""

import pandas as pd
import pytest
from survey_runs import ITEMS, NAMES

import visclust as vc


def test_flags_name_who_is_incomplete_double_straight_or_too_fast(spoiled):
    people = spoiled.respondents.set_index("respondent")
    flags = people[["incomplete", "duplicate", "straight_lining", "too_fast"]]
    assert flags.loc["=R1()"].tolist() == [True, True, False, False]
    assert flags.loc["Zoë, the second"].tolist() == [False, True, True, False]
    assert flags.loc["r3"].tolist() == [True, False, False, True]
    assert people["missing"].tolist() == [4, 0, 3]
    assert people["submissions"].tolist() == [2, 2, 1]


def test_who_never_answered_is_there_all_the_same(assignment, tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("respondent,image_id,hopeful,proud,angry\nr3,a,1,2,3\n")
    found = vc.read_ratings(path, assignment, items=ITEMS)
    assert len(found.ratings) == len(assignment) * len(ITEMS)
    people = found.respondents.set_index("respondent")
    assert people["submissions"].to_dict() == dict(zip(NAMES, [0, 0, 1], strict=True))
    assert people["too_fast"].sum() == 0  # nobody's speed is known


def test_nobody_is_dropped_unless_it_is_asked_for_and_then_with_a_log(spoiled, assignment):
    assert set(spoiled.ratings["respondent"]) == set(assignment["respondent"])
    kept, log = vc.drop_respondents(
        spoiled.ratings, spoiled.respondents, because=["straight_lining", "too_fast", "incomplete"]
    )
    assert kept.empty
    assert log.set_index("respondent")["because"].to_dict() == {
        "=R1()": "incomplete",
        "Zoë, the second": "straight_lining",
        "r3": "too_fast, incomplete",
    }
    assert log["ratings"].sum() == spoiled.ratings["rating"].notna().sum()
    with pytest.raises(ValueError, match="True and False named 'rude'"):
        vc.drop_respondents(spoiled.ratings, spoiled.respondents, because=["rude"])


def test_who_failed_attention_checks_is_flagged():
    people = pd.DataFrame(
        {
            "respondent": list("abcd"),
            "colour": ["Blue ", "red", None, "blue"],
            "number": [3, 3.0, 3.0, 4.0],
        }
    )
    right = {"colour": "blue", "number": 3}
    found = vc.flag_inattentive(people, right)
    assert found["checks_failed"].tolist() == [0, 1, 1, 1]
    assert found["checks_missing"].tolist() == [0, 0, 1, 0]
    assert found["inattentive"].tolist() == [False, True, True, True]
    passed = vc.flag_inattentive(people, right, missing="passed")
    assert passed["inattentive"].tolist() == [False, True, False, True]
    assert not vc.flag_inattentive(people, right, most_failed=1)["inattentive"].any()
    assert "inattentive" not in people


@pytest.mark.parametrize(
    ("right", "said"),
    [("caf\u00e9", "Cafe\u0301"), (3, "3.00"), ("3.0", 3), ("two  words", "Two words")],
)
def test_answers_meant_alike_pass_and_others_do_not(right, said):
    people = pd.DataFrame({"respondent": ["a", "b", "c"], "check": [said, right, "v1.0"]})
    assert vc.flag_inattentive(people, {"check": right})["inattentive"].tolist() == [False, False, True]
    versions = people.assign(check=["v1", "v1.0", "v1"])
    assert vc.flag_inattentive(versions, {"check": "v1"})["checks_failed"].tolist() == [0, 1, 0]


def test_a_right_answer_that_nobody_gave_is_a_mistake_in_the_answers():
    people = pd.DataFrame({"respondent": ["a", "b"], "colour": ["1", "2"]})
    with pytest.raises(ValueError, match=r"'blue' to 'colour', .* they said '1', '2'"):
        vc.flag_inattentive(people, {"colour": "blue"})
    with pytest.raises(ValueError, match="answers by column"):
        vc.flag_inattentive(people, {})


def test_flags_by_ratings_alone_are_those_of_the_whole_description(spoiled):
    found = vc.flag_respondents(spoiled.ratings)
    expected = spoiled.respondents[found.columns]
    # The whole time of a survey is not in the ratings; where pages have none, speed is not known here.
    same = found.columns.drop(["seconds_per_image", "too_fast"])
    pd.testing.assert_frame_equal(found[same], expected[same])
    known = found["seconds_per_image"].notna()
    assert (found.loc[known, "too_fast"] == expected.loc[known, "too_fast"]).all()
    bare = vc.flag_respondents(spoiled.ratings.drop(columns="seconds"))
    assert bare["seconds_per_image"].isna().all()
    assert not bare["too_fast"].any()
