"""What the paper asks can be asked, and names that could not be told apart are refused."""

import pytest

import visclust as vc
from visclust.annotation.constructs import check_names
from visclust.annotation.features import check_features
from visclust.annotation.ratings import list_items


def test_the_papers_features_and_emotions_can_be_asked_about():
    assert check_features(vc.FEATURES) == vc.FEATURES
    assert len(list_items(vc.EMOTIONS)) == 10


def test_names_that_nobody_could_tell_apart_are_refused_and_the_error_says_of_what():
    assert check_names(["proud", "angry"], "item") == ("proud", "angry")
    with pytest.raises(ValueError, match="Expected each item once, got 'Proud' again"):
        check_names(["proud", "Proud"], "item")
    with pytest.raises(ValueError, match="Expected each feature's name as text on one line"):
        check_names([" men"], "feature")
