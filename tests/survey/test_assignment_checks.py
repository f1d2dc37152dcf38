"""An assignment's promises checked, and its numbers."""

import pandas as pd
from survey_runs import make_respondents, make_sample

import visclust as vc


def test_checks_name_what_a_made_up_assignment_breaks():
    sample = make_sample([2, 1])
    broken = pd.DataFrame(
        {
            "respondent": ["a", "a", "b"],
            "group": "D",
            "position": [1, 3, 1],
            "image_id": ["i0", "i1", "elsewhere"],
            "cluster": [0, 0, 5],
        }
    )
    checks = vc.check_assignment(broken, sample).set_index("promise")
    assert checks.loc[~checks["holds"], "found"].to_dict() == {
        "images without a rating": 1,
        "ratings of images that are not in the sample": 1,
        "respondents who see two images of one cluster": 1,
        "largest less smallest load": 1,
        "respondents whose positions do not run from 1": 1,
    }


def test_the_description_counts_pairs_that_several_respondents_share():
    assigned = vc.assign_respondents(make_sample([1, 1]), make_respondents(D=3, R=2), per_respondent=2)
    described = vc.describe_assignment(assigned).set_index("group")
    assert described["most_shared"].to_dict() == {"D": 3, "R": 2, "all": 5}
    assert described["pairs_shared"].to_dict() == {"D": 1, "R": 1, "all": 1}
