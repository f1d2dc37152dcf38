"""Weights of respondents, against those of R, and what is refused."""

import numpy as np
import pandas as pd
import pytest

import visclust as vc

SHARES = [
    ("gender", "woman", 0.52), ("gender", "man", 0.48),
    ("age", "young", 0.3), ("age", "middle", 0.45), ("age", "old", 0.25),
    ("school", "low", 0.6), ("school", "high", 0.4),
]  # fmt: skip


@pytest.fixture
def targets():
    return pd.DataFrame(SHARES, columns=["variable", "category", "share"])


@pytest.fixture
def people():
    numbers = range(40)
    return pd.DataFrame(
        {
            "respondent": [f"r{n:02d}" for n in numbers],
            "gender": ["woman" if n * n % 5 < 2 else "man" for n in numbers],
            "age": [["young", "middle", "old"][n * 7 // 3 % 3] for n in numbers],
            "school": ["low" if n**3 % 7 < 3 else "high" for n in numbers],
        }
    )


def test_weights_are_those_of_r(people, targets):
    # R 4.2.2, survey 4.1-1: rake(svydesign(ids = ~1, weights = ~rep(1, 40), data = d), list(~gender, ~age,
    # ~school), list(... 40 times the shares ...), control = list(maxit = 500, epsilon = 1e-10)).
    expected = [
        0.776757129, 0.665352918, 1.591832133, 1.577208728, 0.776757129, 0.659240637,
        0.659240637, 1.591832133, 1.101220108, 0.776757129, 0.659240637, 1.122815455,
    ]  # fmt: skip
    found = vc.rake_respondents(people, targets)
    assert found.weights["weight"].head(12).tolist() == pytest.approx(expected, abs=1e-7)
    assert found.weights["respondent"].tolist() == people["respondent"].tolist()


def test_margins_say_what_was_and_what_is(people, targets):
    found = vc.rake_respondents(people, targets)
    margins = found.margins.set_index("category")
    assert margins["after"].tolist() == pytest.approx(margins["target"].tolist())
    assert margins.loc["woman", ["respondents", "before", "target"]].tolist() == [24, 0.6, 0.52]
    weights, cost = found.weights["weight"], found.cost.iloc[0]
    assert cost["n_effective"] == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert weights.mean() == pytest.approx(1)


def test_one_variable_is_a_quota(people, targets):
    found = vc.rake_respondents(people, targets[targets["variable"].eq("gender")])
    by_gender = found.weights["weight"].groupby(people["gender"]).unique()
    assert by_gender["woman"].tolist() == pytest.approx([0.52 / 0.6])
    assert by_gender["man"].tolist() == pytest.approx([0.48 / 0.4])


def test_groups_are_weighed_each_on_its_own_with_targets_of_their_own_or_the_same(people, targets):
    people = people.assign(group=["D", "R"] * 20)
    gender = targets[targets["variable"].eq("gender")]
    same = vc.rake_respondents(people, gender, within="group")
    own = pd.concat([gender.assign(group="D"), gender.assign(group="R", share=[0.4, 0.6])])
    apart = vc.rake_respondents(people, own, within="group")
    for found, shares in ((same, [0.52, 0.52]), (apart, [0.52, 0.4])):
        women = found.weights["weight"].where(people["gender"].eq("woman"), 0)
        assert women.groupby(people["group"]).mean().tolist() == pytest.approx(shares)
        assert found.weights.groupby("group")["weight"].mean().tolist() == pytest.approx([1, 1])
    assert len(apart.margins) == 4
    with pytest.raises(ValueError, match="targets for each group of 'group'; there are none in 'R'"):
        vc.rake_respondents(people, own[own["group"].eq("D")], within="group")


def test_a_largest_weight_is_kept_and_the_targets_met_or_it_is_refused(people, targets):
    found = vc.rake_respondents(people, targets, max_weight=1.55)
    assert found.cost["largest"].iloc[0] <= 1.55 + 1e-6
    assert found.margins["after"].tolist() == pytest.approx(found.margins["target"].tolist())
    with pytest.raises(ValueError, match=r"Give a max_weight above 1\.2"):
        vc.rake_respondents(people, targets, max_weight=1.2)


def test_categories_may_be_numbers_in_either_table(people, targets):
    numbers = people.assign(age=people["age"].map({"young": 1.0, "middle": 2.0, "old": 3.0}))
    codes = targets.assign(category=targets["category"].replace({"young": "1", "middle": "2", "old": "3"}))
    found = vc.rake_respondents(numbers, codes).weights["weight"]
    assert found.tolist() == vc.rake_respondents(people, targets).weights["weight"].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda p, t: (p.assign(age=p["age"].replace("old", "ancient")), t),
            "have the age 'ancient'",
        ),
        (
            lambda p, t: (p[p["age"].ne("old")], t),
            "No respondent has the age 'old', which the",
        ),
        (
            lambda p, t: (p.assign(age=p["age"].where(p.index > 0)), t),
            "have no 'age' .* is 'r00'",
        ),
        (lambda p, t: (p, t.assign(share=t["share"] * 100)), "to sum to 1, got 100"),
        (lambda p, t: (p, pd.concat([t, t.head(1)])), "each category once"),
        (
            lambda p, t: (p, t.assign(share=t["share"].where(t.index > 0, 0.0))),
            "above 0 in the targets",
        ),
        (lambda p, t: (pd.concat([p, p.head(1)]), t), "'r00' comes twice"),
    ],
)
def test_what_cannot_be_weighed_is_refused_in_words(people, targets, change, message):
    with pytest.raises(ValueError, match=message):
        vc.rake_respondents(*change(people, targets))


def test_targets_that_no_weights_can_meet_are_refused(targets):
    # All women are young: they cannot be half of all where the young are to be a tenth.
    people = pd.DataFrame({"respondent": list("abcd"), "gender": ["woman", "woman", "man", "man"]})
    people["age"] = ["young", "young", "old", "old"]
    shares = [("gender", "woman", 0.5), ("gender", "man", 0.5), ("age", "young", 0.1), ("age", "old", 0.9)]
    with pytest.raises(ValueError, match="some combination of the targets has no respondent"):
        vc.rake_respondents(people, pd.DataFrame(shares, columns=targets.columns))


def test_tables_stay_as_they_were(people, targets):
    before = people.copy(), targets.copy()
    vc.rake_respondents(people, targets)
    pd.testing.assert_frame_equal(people, before[0])
    pd.testing.assert_frame_equal(targets, before[1])
    assert np.isfinite(targets["share"]).all()


def test_categories_meant_alike_are_one():
    people = pd.DataFrame(
        {
            "respondent": list("abcd"),
            "r\u00e9gion": ["Qu\u00e9bec", "Que\u0301bec", "que\u0301bec", "Ontario"],
            "wave": ["1", "1.0", 1, 2.0],
        }
    )
    targets = pd.DataFrame(
        {
            "variable": ["re\u0301gion", "re\u0301gion", "wave", "wave"],
            "category": ["Que\u0301bec", "Ontario", "1.00", "2"],
            "share": 0.5,
        }
    )
    found = vc.rake_respondents(people, targets)
    assert found.weights["weight"].tolist() == pytest.approx([2 / 3] * 3 + [2])
    inside = vc.rake_respondents(people, targets.iloc[2:].assign(category=["1", "2"]).head(2))
    assert inside.margins["after"].tolist() == pytest.approx([0.5, 0.5])
    by_group = vc.rake_respondents(
        people.assign(group=["caf\u00e9", "cafe\u0301", "CAF\u00c9", "caf\u00e9"]), targets, within="group"
    )
    assert len(by_group.cost) == 1
    twice = pd.concat([targets, targets.iloc[[0]].assign(category="qu\u00e9bec")])
    with pytest.raises(ValueError, match="comes twice"):
        vc.rake_respondents(people, twice)
