import numpy as np
import pandas as pd
import pytest

from visclust.ratings.designs import _check_ratings, _join_clusters, find_simulated, spread_ratings

MOODS = {"mood": ["glad", "calm"]}


@pytest.fixture
def ratings():
    rows = [("r", "D", "a", "glad", 2.0), ("r", "D", "a", "calm", 4.0), ("s", "R", "a", "glad", 5.0)]
    rows += [("s", "R", "a", "calm", np.nan), ("s", "R", "a", "loud", 1.0), ("r", "D", "a", "loud", 3.0)]
    table = pd.DataFrame(rows, columns=["respondent", "group", "image_id", "item", "rating"])
    return table.assign(simulated=False)


def test_a_dimension_is_the_mean_of_its_items_and_missing_where_one_is(ratings):
    spread = spread_ratings(ratings, dimensions=MOODS)
    assert spread.outcomes["item"].tolist() == ["glad", "calm", "loud", "mood"]
    assert spread.outcomes["level"].tolist() == ["emotion"] * 3 + ["dimension"]
    assert spread.values[0].tolist() == [2, 4, 3, 3]
    assert np.isnan(spread.values[1, 3])


def test_a_dimension_of_which_only_some_items_were_rated_is_refused(ratings):
    with pytest.raises(ValueError, match="needs the items glad, calm, sad"):
        spread_ratings(ratings, dimensions={"mood": ["glad", "calm", "sad"]})


def test_a_dimension_that_was_not_rated_at_all_is_passed_over(ratings):
    assert "fear" not in set(spread_ratings(ratings, dimensions={"fear": ["afraid"]}).outcomes["item"])


def test_a_respondent_has_one_group(ratings):
    ratings.loc[0, "group"] = "R"
    with pytest.raises(ValueError, match="some have two"):
        spread_ratings(ratings, dimensions={})


def test_another_column_can_hold_the_groups(ratings):
    spread = spread_ratings(ratings.assign(age="old"), dimensions={}, groups="age")
    assert set(spread.events["group"]) == {"old"}
    with pytest.raises(ValueError, match="column 'height'"):
        spread_ratings(ratings, groups="height")


def test_real_and_simulated_ratings_are_told_apart_and_not_mixed(ratings):
    assert _check_ratings(ratings) is False
    assert _check_ratings(ratings.assign(simulated=True)) is True
    with pytest.raises(ValueError, match="1 of 6 rows are simulated"):
        _check_ratings(ratings.assign(simulated=[True] + [False] * 5))


def test_an_infinite_rating_is_refused(ratings):
    with pytest.raises(ValueError, match="finite ratings"):
        spread_ratings(ratings.assign(rating=np.inf))


def test_a_table_without_any_rating_is_refused(ratings):
    with pytest.raises(ValueError, match="without any"):
        _check_ratings(ratings.assign(rating=np.nan))


def test_one_simulated_row_marks_a_table_of_results():
    assert find_simulated(pd.DataFrame({"simulated": [False, True]}))


def test_an_image_has_one_cluster():
    events = pd.DataFrame({"image_id": ["a"]})
    with pytest.raises(ValueError, match="come twice or more"):
        _join_clusters(events, pd.DataFrame({"image_id": ["a", "a"], "cluster": [0, 1]}))
