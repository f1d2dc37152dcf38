import numpy as np
import pandas as pd
import pytest
from rating_surveys import make_survey

import visclust as vc


def make_differences(rows):
    table = pd.DataFrame(rows, columns=["estimate", "standard_error", "degrees_of_freedom"])
    return table.assign(item=[f"item{number}" for number in range(len(rows))], simulated=False)


def test_p_values_and_intervals_are_those_of_r():
    # R 4.2.2: max(pt((e + .5) / s, d, lower.tail = FALSE), pt((e - .5) / s, d)), e -/+ qt(.95, d) * s.
    found = vc.assess_equivalence(
        make_differences([(0.2, 0.15, 12.3), (-0.9, 0.15, 40), (-0.3, 0.08, 200), (0.1, 0.4, 7)]), margin=0.5
    )
    expected = [0.0340396241339, 0.9944990013, 0.006611586321, 0.17530833141]
    assert found["p_equivalence"].tolist() == pytest.approx(expected)
    low = [-0.06680088, -1.152577652, -0.4322006481, -0.65783144204]
    high = [0.46680088, -0.647422348, -0.1677993519, 0.85783144204]
    assert found["inner_low"].tolist() == pytest.approx(low)
    assert found["inner_high"].tolist() == pytest.approx(high)
    words = ["similar", "different", "different, by less than the margin", "undecided"]
    assert found["verdict"].tolist() == words


def test_two_one_sided_tests_of_two_samples_are_those_of_r():
    # t.test(x, y, mu = -.6, alternative = "greater") and (mu = .6, alternative = "less") of Welch, with the
    # estimate, standard error and degrees of freedom that t.test(x, y) gives, and its 90% interval.
    row = (0.115277777778, 0.237704126518, 14.400331896657)
    found = vc.assess_equivalence(make_differences([row]), margin=0.6).iloc[0]
    assert found["p_equivalence"] == pytest.approx(max(0.004569896194, 0.030111912363))
    assert found[["inner_low", "inner_high"]].tolist() == pytest.approx([-0.302572027425, 0.533127582981])


def test_the_inner_interval_lies_within_the_margin_exactly_where_p_is_small():
    rng = np.random.default_rng(0)
    rows = np.column_stack(
        [rng.normal(size=2000) * 0.4, rng.uniform(0.05, 0.5, 2000), rng.uniform(2, 200, 2000)]
    )
    for level in (0.9, 0.95, 0.99):
        found = vc.assess_equivalence(make_differences(rows), margin=0.5, level=level)
        inside = found["inner_low"].gt(-0.5) & found["inner_high"].lt(0.5)
        assert (inside == found["p_equivalence"].lt(1 - level)).all()
        assert 0.05 < inside.mean() < 0.95
        assert (inside == found["verdict"].isin(["similar", "different, by less than the margin"])).all()


def test_groups_at_the_margin_are_seldom_called_similar():
    rng = np.random.default_rng(1)
    # Two groups of 40 whose means differ by just the margin of 0.5, 2,000 times.
    values = rng.normal(size=(2, 40, 2000)) + np.array([0.5, 0.0])[:, None, None]
    error = np.sqrt(values.var(axis=1, ddof=1).sum(axis=0) / 40)
    rows = np.column_stack([values[0].mean(axis=0) - values[1].mean(axis=0), error, np.full(2000, 78.0)])
    wrong = vc.assess_equivalence(make_differences(rows), margin=0.5)["p_equivalence"].lt(0.05).mean()
    assert wrong == pytest.approx(0.05, abs=0.015)  # known to 0.0049; three of these


def test_margins_may_differ_by_item_and_none_may_be_missing():
    table = make_differences([(0.2, 0.1, 50), (0.2, 0.1, 50)])
    found = vc.assess_equivalence(table, margin={"item0": 0.5, "item1": 0.25})
    assert found["margin"].tolist() == [0.5, 0.25]
    assert found["verdict"].tolist() == ["similar", "undecided"]
    with pytest.raises(ValueError, match="a margin for each item of the differences; 'item1' has none"):
        vc.assess_equivalence(table, margin={"item0": 0.5})
    with pytest.raises(ValueError, match="a margin above 0, in points of the scale, got 0"):
        vc.assess_equivalence(table, margin=0)


def test_without_any_spread_nothing_is_decided():
    found = vc.assess_equivalence(make_differences([(0.0, 0.0, np.inf), (1.0, 0.0, np.inf)]), margin=0.5)
    assert found["verdict"].tolist() == ["undecided", "undecided"]
    assert found["p_equivalence"].isna().all()


def test_all_kinds_of_contrasts_can_be_asked():
    sample, assignment = make_survey(people=24)
    ratings = vc.simulate_ratings(assignment).ratings
    ratings = ratings[ratings["item"].isin(["proud", "calm", "afraid", "hopeful"])]
    items = ratings["item"].nunique()
    options = {"dimensions": {}}
    compared = vc.compare_groups(ratings, sample, n_bootstrap=20, **options).differences
    mixed = vc.fit_mixed_contrast(ratings, **options).differences
    found = vc.assess_equivalence(pd.concat([compared, mixed], ignore_index=True), margin=1.0)
    assert set(found["weighting"]) == {"clusters", "images", "corpus", "mixed model"}
    assert (found["p_equivalence_adjusted"] >= found["p_equivalence"]).all()
    assert found["simulated"].all()
    by_cluster = vc.contrast_clusters(ratings, sample, **options)
    assert len(vc.assess_equivalence(by_cluster, margin=1.0)) == 12 * items
