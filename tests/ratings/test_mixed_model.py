import numpy as np
import pandas as pd
import pytest
from rating_surveys import make_survey
from statsmodels.regression.mixed_linear_model import MixedLM

import visclust as vc


@pytest.fixture(scope="module")
def ratings():
    _, assignment = make_survey(n_clusters=6, images=2, people=8, load=6)
    table = vc.simulate_ratings(assignment, seed=1).ratings
    return table[table["item"].eq("proud")]


def test_the_fit_is_that_of_statsmodels(ratings):
    table = ratings.assign(one=1, cell=ratings["group"] + ratings["image_id"])
    parts = {"respondent": "0 + C(respondent)", "image": "0 + C(image_id)", "cell": "0 + C(cell)"}
    reference = MixedLM.from_formula(
        "rating ~ group", table, groups="one", re_formula="0", vc_formula=parts
    ).fit(reml=True, method="lbfgs")
    found = vc.fit_mixed_contrast(ratings, dimensions={})
    row = found.differences.iloc[0]
    # Both stop where the likelihood is flat: estimates agree to about three digits.
    assert row["estimate"] == pytest.approx(-reference.fe_params.iloc[1], abs=2e-3)
    assert row["standard_error"] == pytest.approx(reference.bse.iloc[1], rel=5e-3)
    sds = found.components.iloc[0][["group_image_sd", "image_sd", "respondent_sd"]].to_numpy(dtype=float)
    assert sds == pytest.approx(np.sqrt(reference.vcomp), abs=0.02)  # vcomp is in the order of the names
    assert found.components["residual_sd"].iloc[0] == pytest.approx(np.sqrt(reference.scale), rel=5e-3)


def test_components_that_were_put_in_are_found():
    _, assignment = make_survey(n_clusters=20, images=3, people=120, load=15)
    rng = np.random.default_rng(1)
    codes = {name: pd.factorize(assignment[name])[0] for name in ("respondent", "image_id")}
    cell = codes["image_id"] * 2 + assignment["group"].eq("Democrat").to_numpy()
    felt = rng.normal(size=240)[codes["respondent"]] + rng.normal(size=60)[codes["image_id"]]
    felt = felt + 0.5 * rng.normal(size=120)[cell] + 1.5 * rng.normal(size=len(cell))
    table = assignment[["respondent", "group", "image_id"]].assign(item="calm", rating=felt, simulated=True)
    row = vc.fit_mixed_contrast(table, dimensions={}).components.iloc[0]
    # Standard deviations from 240 people, 60 images, 120 cells and 3,600 ratings: errors of about
    # sd / sqrt(2 n), and somewhat more for the cells; three of them are allowed.
    assert row["respondent_sd"] == pytest.approx(1, abs=0.15)
    assert row["image_sd"] == pytest.approx(1, abs=0.3)
    assert row["group_image_sd"] == pytest.approx(0.5, abs=0.15)
    assert row["residual_sd"] == pytest.approx(1.5, abs=0.06)


def test_one_rating_per_respondent_is_refused(ratings):
    first = ratings.drop_duplicates("respondent")
    first = pd.concat([first, first.assign(group="R", respondent=first["respondent"] + "x")])
    with pytest.raises(ValueError, match="several images"):
        vc.fit_mixed_contrast(first, dimensions={})


def test_results_say_that_ratings_were_simulated(ratings):
    found = vc.fit_mixed_contrast(ratings, dimensions={})
    assert found.differences["simulated"].all()
    assert found.components["simulated"].all()
