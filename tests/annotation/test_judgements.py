"""Agreement on pairs against published values and other packages; gold answers worked out by hand."""

import krippendorff
import numpy as np
import pandas as pd
import pytest
from made_up_answers import make_answers, make_pairs, make_table
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa

import visclust as vc
from visclust.annotation.agreement_measures import compute_kappa


def measure(answers, **options):
    return vc.agreement(answers, n_bootstrap=200, **options).measures.set_index("measure")


def test_the_papers_87_percent_and_kappa_of_64():
    # Constructed: both annotators call 131 of the 554 pairs the same (23.6%), 95 of them together.
    found = measure(make_table([[95, 36], [36, 387]]))
    assert found["n_pairs"].tolist() == [554, 554, 554]
    # As many decimals as the paper prints.
    assert round(found.loc["percent_agreement", "estimate"]) == 87
    assert round(found.loc["cohens_kappa", "estimate"], 2) == 0.64


@pytest.mark.parametrize(
    ("counts", "published"),
    [([[20, 5], [10, 15]], 0.40), ([[45, 15], [25, 15]], 0.1304), ([[25, 35], [5, 35]], 0.2593)],
)
def test_kappa_of_well_known_tables(counts, published):
    # The worked examples of the encyclopedia article "Cohen's kappa", to the decimals printed there.
    assert measure(make_table(counts)).loc["cohens_kappa", "estimate"] == pytest.approx(published, abs=5e-5)


def test_kappa_of_fleiss_three_diagnoses():
    # Fleiss, Statistical Methods for Rates and Proportions, table 13.1: kappa .68 (2 decimals printed).
    counts = [[75, 1, 4], [5, 4, 1], [0, 0, 10]]
    found = measure(make_table(counts), unsure="answer").loc["cohens_kappa", "estimate"]
    assert found == pytest.approx(0.68, abs=0.005)
    assert found == pytest.approx(cohens_kappa(counts).kappa, abs=1e-12)  # rounding of floats


def test_alpha_of_krippendorffs_two_observers_with_binary_data():
    # Krippendorff (2011), section A: alpha .095 (3 decimals printed).
    meg, owen = "0100000010", "1110010000"
    words = {"0": "different", "1": "same"}
    answers = make_answers({"meg": [words[v] for v in meg], "owen": [words[v] for v in owen]})
    assert measure(answers).loc["krippendorffs_alpha", "estimate"] == pytest.approx(0.095, abs=5e-4)


def test_measures_agree_with_the_packages_on_random_answers():
    rng = np.random.default_rng(3)
    for _ in range(20):
        given = rng.choice(["same", "different", "unsure"], size=(2, 30), p=[0.4, 0.4, 0.2])
        found = measure(make_answers({"ana": given[0], "ben": given[1]}), unsure="answer")["estimate"]
        table = pd.crosstab(given[0], given[1]).reindex(
            index=["same", "different", "unsure"], columns=["same", "different", "unsure"], fill_value=0
        )
        # Rounding of floats.
        assert found["cohens_kappa"] == pytest.approx(cohen_kappa_score(*given), abs=1e-12)
        assert found["cohens_kappa"] == pytest.approx(cohens_kappa(table).kappa, abs=1e-12)
        assert compute_kappa(table.to_numpy()) == pytest.approx(found["cohens_kappa"], abs=1e-12)
        assert found["krippendorffs_alpha"] == pytest.approx(
            krippendorff.alpha(
                reliability_data=given,
                level_of_measurement="nominal",
                value_domain=["same", "different", "unsure"],
            ),
            abs=1e-12,
        )
        assert found["percent_agreement"] == pytest.approx(100 * (given[0] == given[1]).mean(), abs=1e-12)


def test_alpha_of_many_annotators_tends_to_the_fleiss_kappa_of_statsmodels():
    # With m answers to each of n pairs, alpha = 1 - (1 - kappa) (1 - 1 / (n m)), exactly.
    rng = np.random.default_rng(8)
    given = rng.choice(["same", "different"], size=(4, 50))
    given[1:, :25] = given[0, :25]
    alpha = measure(make_answers(dict(zip("abcd", given, strict=True)))).loc[
        "krippendorffs_alpha", "estimate"
    ]
    table = np.stack([(given == value).sum(axis=0) for value in ("same", "different")], axis=1)
    expected = 1 - (1 - fleiss_kappa(table)) * (1 - 1 / given.size)
    assert alpha == pytest.approx(expected, abs=1e-12)  # rounding of floats


def test_the_bootstrap_interval_of_kappa_is_near_the_one_from_its_standard_error():
    counts = [[95, 36], [36, 387]]
    row = vc.agreement(make_table(counts)).measures.set_index("measure").loc["cohens_kappa"]
    known = cohens_kappa(counts)
    # Two different approximations at n = 554, and the Monte Carlo error of a quantile of 2,000: within .01,
    # an eighth of the half width.
    assert row["low"] == pytest.approx(known.kappa_low, abs=0.01)
    assert row["high"] == pytest.approx(known.kappa_upp, abs=0.01)


def test_missing_answers_leave_kappa_to_the_pairs_that_both_answered():
    found = measure(
        make_answers(
            {"ana": ["same", "same", "different", None], "ben": ["same", "different", "different", "same"]}
        )
    )
    assert found["n_pairs"].tolist() == [3, 3, 3]
    assert found.loc["cohens_kappa", "estimate"] == pytest.approx(0.4, abs=1e-12)  # rounding of floats


def test_unsure_and_skipped_answers_count_as_missing_and_are_counted():
    answers = make_answers({"ana": ["same", "unsure", "different"], "ben": ["same", "same", "skip"]})
    found = measure(answers)
    assert found.loc["percent_agreement", ["estimate", "n_pairs"]].tolist() == [100, 1]
    assert found["note"].str.endswith("2 answers unsure or skipped count as missing").all()


def test_unsure_can_count_as_a_third_answer_but_skip_never():
    answers = make_answers({"ana": ["same", "unsure", "different"], "ben": ["same", "same", "skip"]})
    found = measure(answers, unsure="answer")
    assert found.loc["percent_agreement", ["estimate", "n_pairs"]].tolist() == [50, 2]


def test_three_annotators_have_alpha_and_no_kappa():
    found = measure(
        make_answers({"a": ["same", "different"], "b": ["same", "different"], "c": ["same", "same"]})
    )
    assert np.isnan(found.loc["cohens_kappa", "estimate"])
    assert "it compares two annotators, and there are 3" in found.loc["cohens_kappa", "note"]
    # Of three answers each: 3 of 3 agree on the first pair, 1 of 3 on the second.
    assert found.loc["percent_agreement", "estimate"] == pytest.approx(100 * 4 / 6, abs=1e-12)


def test_one_answer_throughout_leaves_chance_nothing_to_explain():
    found = measure(make_answers({"ana": ["same"] * 4, "ben": ["same"] * 4}))
    assert found.loc["percent_agreement", "estimate"] == 100
    for name in ("cohens_kappa", "krippendorffs_alpha"):
        assert found.loc[name, ["estimate", "low", "high"]].isna().all()
        assert found.loc[name, "note"].startswith("undefined: all answers are the same one")


@pytest.mark.parametrize(
    "by_annotator", [{}, {"ana": ["same", "different"]}, {"ana": ["same", None], "ben": [None, "same"]}]
)
def test_without_two_answers_to_a_pair_nothing_is_measured(by_annotator):
    found = measure(make_answers(by_annotator))
    assert found["estimate"].isna().all()
    assert found["note"].str.startswith("undefined").all()


def test_disagreements_list_the_pairs_to_adjudicate_with_every_answer():
    answers = make_answers({"ana": ["same", "same", "unsure"], "ben": ["same", "different", "same"]})
    assert vc.agreement(answers, n_bootstrap=10).disagreements.to_dict("records") == [
        {"item_id": "p1", "ana": "same", "ben": "different"}
    ]


def test_prevalence_is_the_share_of_same_among_the_decided():
    answers = make_answers({"ana": ["same", "different", "different", "different", "unsure", "skip"]})
    assert vc.agreement(answers).prevalence.to_dict("records") == [
        {"annotator": "ana", "same": 1, "different": 3, "unsure": 1, "skip": 1, "prevalence": 0.25}
    ]


def test_the_latest_answer_counts_and_an_undone_one_does_not():
    answers = make_answers({"ana": ["same", "same"], "ben": ["same", "same"]})
    # Ana thinks again about p0; Ben takes back p1 and gives another answer.
    later = answers.iloc[[0, 3, 3]].assign(
        event_id=["e4", "e5", "e6"],
        answer=["different", None, "different"],
        retracts=[None, "e3", None],
        answered_at=["2026-01-05T11:00:00Z", "2026-01-05T11:00:01Z", "2026-01-05T11:00:02Z"],
    )
    found = vc.agreement(pd.concat([answers, later]), n_bootstrap=10)
    assert found.disagreements.to_dict("records") == [
        {"item_id": "p0", "ana": "different", "ben": "same"},
        {"item_id": "p1", "ana": "same", "ben": "different"},
    ]


def test_an_unknown_answer_is_named():
    with pytest.raises(ValueError, match="got 'maybe'"):
        vc.agreement(make_answers({"ana": ["maybe"]}))


def test_the_same_seed_gives_the_same_intervals_and_the_answers_stay_as_they_were():
    answers = make_table([[5, 2], [1, 7]])
    before = answers.copy()
    first, second = (vc.agreement(answers, seed=4).measures for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    vc.resolve(answers, pairs=make_pairs(15))
    pd.testing.assert_frame_equal(answers, before)


# p0 agreed, p1 two of three, p2 one of each, p3 only skipped, p4 not seen
THREE = {
    "ana": ["same", "same", "same", "skip", None],
    "ben": ["same", "same", "unsure", None, None],
    "cat": ["same", "different", "different", None, None],
}


def test_unanimous_takes_only_pairs_that_nobody_contests_or_doubts():
    found = vc.resolve(make_answers(THREE), pairs=make_pairs(5), rule="unanimous")
    assert found.gold[["pair_id", "same", "n_answers", "decided_by"]].to_dict("records") == [
        {"pair_id": "p0", "same": True, "n_answers": 3, "decided_by": "unanimous"}
    ]
    assert dict(zip(found.unresolved["pair_id"], found.unresolved["reason"], strict=True)) == {
        "p1": "annotators disagree",
        "p2": "annotators disagree",
        "p3": "no answer yet",
        "p4": "no answer yet",
    }


def test_majority_needs_more_than_half_with_unsure_on_neither_side():
    found = vc.resolve(make_answers(THREE), pairs=make_pairs(5), rule="majority")
    assert found.gold[["pair_id", "same", "decided_by"]].values.tolist() == [
        ["p0", True, "unanimous"],
        ["p1", True, "majority"],
    ]
    assert "p2" in set(found.unresolved["pair_id"])  # one same, one different, one unsure


def test_the_third_annotator_decides_only_where_the_others_are_not_unanimous():
    answers = make_answers(
        {
            "ana": ["same", "same", "same", "unsure", "same", None],
            "ben": ["same", "different", "different", "same", "different", None],
            "cat": ["different", "different", "unsure", "same", None, "same"],
        }
    )
    found = vc.resolve(answers, pairs=make_pairs(6), rule="third", third="cat")
    assert found.gold[["pair_id", "same", "decided_by"]].values.tolist() == [
        ["p0", True, "unanimous"],
        ["p1", False, "third"],
        ["p3", True, "third"],
    ]
    assert found.unresolved["reason"].tolist() == [
        "annotators disagree, the third annotator is unsure",
        "annotators disagree, the third annotator has not answered",
        "no answer yet",
    ]


@pytest.mark.parametrize("rule", ["unanimous", "majority"])
def test_every_pair_is_either_gold_or_unresolved(rule):
    found = vc.resolve(make_answers(THREE), pairs=make_pairs(5), rule=rule)
    assert sorted([*found.gold["pair_id"], *found.unresolved["pair_id"]]) == [f"p{i}" for i in range(5)]


def test_gold_keeps_the_design_of_its_pairs():
    pairs = make_pairs(5).assign(stratum="within", inclusion_probability=0.25)
    gold = vc.resolve(make_answers(THREE), pairs=pairs).gold
    assert gold[["stratum", "inclusion_probability"]].values.tolist() == [["within", 0.25]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "vote"}, "one of the rules unanimous, majority, third, got 'vote'"),
        ({"rule": "third"}, "rule='third' and third=None"),
        ({"rule": "third", "third": "dan"}, "one of ana, ben, cat, got .* third='dan'"),
        ({"rule": "majority", "third": "cat"}, "rule='majority' and third='cat'"),
        ({"pairs": make_pairs(2)}, "2 items are not among them, such as 'p2'"),
        ({"pairs": make_pairs(2)[["pair_id"]]}, "image_a, image_b is missing"),
    ],
)
def test_bad_input_to_resolve_says_what_was_expected(options, message):
    with pytest.raises(ValueError, match=message):
        vc.resolve(make_answers(THREE), **{"pairs": make_pairs(5), **options})


def test_the_pairs_to_decide_are_those_that_some_call_same_and_others_different():
    answers = pd.DataFrame(
        {
            "item_id": ["p", "q", "r", "p", "q", "r"],
            "annotator": ["ana"] * 3 + ["ben"] * 3,
            "answer": ["same", "same", "unsure", "different", "same", "same"],
            "answered_at": "2026-01-05T10:00:00Z",
            "seconds": 1.0,
            "retracts": None,
        }
    )
    pairs = pd.DataFrame(
        {"pair_id": list("rqp"), "image_a": list("abc"), "image_b": list("def"), "stratum": "random"}
    )
    chosen = vc.select_disagreements(answers, pairs)
    assert chosen.to_dict("list") == {
        "pair_id": ["p"],
        "image_a": ["c"],
        "image_b": ["f"],
        "stratum": ["random"],
    }
    one = answers[answers["annotator"].eq("ana")]
    assert vc.select_disagreements(one, pairs).empty
    assert vc.select_disagreements(answers.head(0), pairs).empty


def test_agreement_of_simulated_annotators_is_marked():
    pairs = pd.DataFrame({"pair_id": ["p", "q"], "image_a": ["a", "a"], "image_b": ["b", "c"]})
    answers = vc.simulate_answers(pairs, {"a": 1, "b": 1, "c": 2}, error_rate=0.0)
    assert all(table["simulated"].all() for table in vc.agreement(answers, n_bootstrap=10) if len(table))
