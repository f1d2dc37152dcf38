import numpy as np
import pandas as pd
import pytest
from rating_surveys import make_survey
from statsmodels.regression.mixed_linear_model import MixedLM

import visclust as vc
from visclust.ratings.designs import list_designs, spread_ratings
from visclust.ratings.intervals import find_student_interval
from visclust.ratings.mixed_model import _Crossed, _find_ratios


def make_waves(people, images, load, cell_size, shift):
    """Give ratings from sines, which every machine and every program makes alike."""
    person = np.repeat(np.arange(2 * people), load)
    group, turn = person // people, np.tile(np.arange(load), 2 * people)
    image = (person % people * load + turn) % images
    felt = np.sin(37.0 * person) + 0.7 * np.cos(17.0 * image)
    felt = felt + cell_size * (1 - 2 * group) * np.sin(29.0 * image + 1) + shift * (group == 0)
    felt = felt + 1.4 * np.sin(1000.0 * person + 77.0 * image**2 + 0.5)
    return pd.DataFrame(
        {
            "respondent": [f"r{number:03d}" for number in person],
            "group": np.where(group == 0, "D", "R"),
            "image_id": [f"i{number:02d}" for number in image],
            "item": "proud", "rating": np.round(5 + felt, 2), "simulated": True,
        }
    )  # fmt: skip


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


@pytest.mark.parametrize(
    ("survey", "expected"),
    [
        ((30, 8, 4, 0.6, 0.5), (0.47, 0.424801804, 12.317761044, 0.289694218)),
        ((80, 8, 4, 0.6, 0.5), (0.56359375, 0.346971628, 9.085764103, 0.138434952)),
        ((20, 12, 3, 0.4, 0.6), (0.6705, 0.3568763178, 29.0059564428, 0.0703549967)),
        # More images than respondents, and lmer finds no variance of images within a group, twice.
        ((12, 20, 5, 0.5, 0.4), (0.3266666667, 0.351072333, 18.852474189, 0.363884109)),
        ((30, 8, 4, 0.0, 0.5), (0.4340833333, 0.2545541366, 39.3585041889, 0.0960261765)),
    ],
)
def test_degrees_of_freedom_are_those_of_pbkrtest(survey, expected):
    # R 4.2.2, lmerTest 3.1-3, pbkrtest 0.5.2, on the table as a file:
    # m <- lmer(rating ~ group + (1 | respondent) + (1 | image_id) + (1 | group:image_id), d); v <- vcovAdj(m)
    # fixef(m)[2]; sqrt(v[2, 2]); Lb_ddf(c(0, 1), vcov(m), v); coef(summary(m, ddf = "Kenward-Roger"))[2, 5]
    row = vc.fit_mixed_contrast(make_waves(*survey), dimensions={}).differences.iloc[0]
    found = row[["estimate", "standard_error", "degrees_of_freedom", "p"]].to_numpy(dtype=float)
    # Both programs stop where the likelihood is flat.
    assert found == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize("dropped", [0, 3])
def test_both_ways_to_eliminate_give_one_fit(dropped):
    table = make_waves(16, 8, 4, 0.6, 0.5).iloc[dropped:]
    (design,) = list_designs(spread_ratings(table, dimensions={}), None)
    by_cells, by_people = (_Crossed(design, 2, few_cells=way) for way in (True, False))
    (ratios, one, judged), (others, two, again) = (
        each.fit(design.values[:, 0]) for each in (by_cells, by_people)
    )
    assert ratios == pytest.approx(others, abs=1e-5)
    assert one.means == pytest.approx(two.means, abs=1e-7)
    assert one.criterion == pytest.approx(two.criterion, abs=1e-9)
    for part, other in zip(judged, again, strict=True):
        assert part == pytest.approx(other, rel=1e-3, abs=1e-7)


def test_a_search_that_comes_to_zero_leaves_it_where_more_is_better():
    # The criterion is even in each ratio, so that at zero no slope tells the way out.
    def judge(ratios):
        return float(((ratios**2 - [0.3, 0.2, 0.004]) ** 2).sum() + 100 * (ratios[2] > 0.4))

    def slope(ratios):
        stuck = 1e3 * (ratios[2] > 0.3) * np.array([0, 0, 1])  # the first step goes too far, to zero
        return 4 * ratios * (ratios**2 - [0.3, 0.2, 0.004]) + stuck

    assert _find_ratios(judge, slope) ** 2 == pytest.approx([0.3, 0.2, 0.004], abs=1e-4)


def test_images_that_a_group_did_not_rate_are_counted_and_told():
    table = make_waves(30, 8, 4, 0.6, 0.5)
    gone = table["image_id"].isin(["i00", "i03"]) & table["group"].eq("R")
    with pytest.warns(
        UserWarning, match=r"2 of 8 images, with 30 of 210 ratings of 'proud'.*not rated by R 2"
    ):
        found = vc.fit_mixed_contrast(table[~gone], dimensions={})
    for each in found:
        assert each[["images", "images_left_out"]].to_numpy().tolist() == [[6, 2]]
    plain = vc.fit_mixed_contrast(table, dimensions={}).differences
    assert plain["images_left_out"].tolist() == [0]


def test_eight_images_are_few_however_many_people_rate_them():
    few, many = (
        vc.fit_mixed_contrast(make_waves(people, 8, 4, 0.6, 0.5), dimensions={}).differences.iloc[0]
        for people in (30, 120)
    )
    assert many["degrees_of_freedom"] < few["degrees_of_freedom"] < 60
    assert many["degrees_of_freedom"] == pytest.approx(7, abs=2.5)  # one less than images, and a little


def test_an_interval_of_the_mixed_model_leaves_out_zero_exactly_where_p_is_below_its_level():
    found = []
    for shift in np.linspace(0, 1.5, 8):
        table = vc.fit_mixed_contrast(make_waves(12, 8, 3, 0.4, shift), dimensions={}, level=0.9).differences
        found.append(table.iloc[0][["low", "high", "p"]].to_numpy(dtype=float))
    low, high, p = np.array(found).T
    assert (((low > 0) | (high < 0)) == (p < 0.1)).all()
    assert 0 < (p < 0.1).mean() < 1


def test_a_respondent_of_weight_two_counts_like_two():
    table = make_waves(14, 8, 3, 0.6, 0.5)
    weights = dict(zip(sorted(table["respondent"].unique()), [2.0, 1.0, 1.0, 3.0] * 7, strict=True))
    copies = [
        table[table["respondent"].map(weights).gt(number)].assign(
            respondent=lambda each, number=number: each["respondent"] + f"-{number}"
        )
        for number in range(3)
    ]
    fits = []
    for ratings in (table, pd.concat(copies)):
        (design,) = list_designs(spread_ratings(ratings, dimensions={}), None)
        if ratings is table:
            people = np.array(
                [weights[name] for name in pd.unique(table.sort_values("respondent")["respondent"])]
            )
            design = design._replace(weights=people[design.codes["respondents"]])
        fits.append(_Crossed(design, 2).fit(design.values[:, 0]))
    (ratios, one, judged), (others, two, copied) = fits
    assert ratios == pytest.approx(others, abs=2e-3)
    assert one.means == pytest.approx(two.means, abs=1e-4)
    assert one.residual_sd == pytest.approx(two.residual_sd, rel=1e-4)
    assert one.criterion == pytest.approx(two.criterion, abs=1e-4)
    # Copies are no new people: the error is larger than if they were.
    assert (np.diag(judged.covariance) > np.diag(copied.covariance)).all()


def test_equal_weights_change_nothing_in_the_mixed_model():
    table = make_waves(14, 8, 3, 0.6, 0.5)
    weights = pd.DataFrame({"respondent": table["respondent"].unique(), "weight": 2.0})
    # A weight by a hair off one takes the way of weights.
    weights.loc[0, "weight"] += 1e-9
    found = vc.fit_mixed_contrast(table, dimensions={}, respondent_weights=weights)
    plain = vc.fit_mixed_contrast(table, dimensions={})
    pd.testing.assert_frame_equal(found.differences, plain.differences, rtol=1e-5)
    pd.testing.assert_frame_equal(found.components, plain.components, rtol=1e-3)


@pytest.mark.slow
def test_weighted_intervals_of_the_mixed_model_hold_the_truth():
    person = np.repeat(np.arange(60), 4)
    image, group = (person % 30 * 4 + np.tile(np.arange(4), 60)) % 12, person // 30
    young = np.arange(60) % 10 < 3  # six in ten are young where the survey is to speak for
    weights = np.where(young, 0.6 / 0.3, 0.4 / 0.7)
    base = pd.DataFrame({"respondent": person.astype(str), "group": group.astype(str)})
    base = base.assign(image_id=image.astype(str), item="x", rating=1.0, simulated=True)
    (design,) = list_designs(spread_ratings(base, dimensions={}), None)
    names = pd.unique(base.sort_values(["respondent", "group", "image_id"])["respondent"]).astype(int)
    people = names[design.codes["respondents"]]
    crossed = _Crossed(design._replace(weights=weights[people]), 2)
    held, truth = [], 0.6 * 1.5
    for seed in range(100):
        rng = np.random.default_rng(seed)
        felt = rng.normal(size=60)[people] + 1.5 * (young & (np.arange(60) < 30))[people]
        felt = felt + 0.4 * rng.normal(size=24)[design.codes["images"] * 2 + design.codes["groups"]]
        _, fit, judgement = crossed.fit(felt + rng.normal(size=len(felt)))
        contrast = np.array([1.0, -1.0])
        ends = find_student_interval(contrast @ fit.means, *judgement.judge(contrast), level=0.95)
        held.append(ends.low <= truth <= ends.high)
    # 100 surveys know 0.95 to 0.022; three of these.
    assert np.mean(held) == pytest.approx(0.95, abs=0.066)


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
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(ValueError, match="several images"),
    ):
        vc.fit_mixed_contrast(first, dimensions={})


def test_results_say_that_ratings_were_simulated(ratings):
    found = vc.fit_mixed_contrast(ratings, dimensions={})
    assert found.differences["simulated"].all()
    assert found.components["simulated"].all()
