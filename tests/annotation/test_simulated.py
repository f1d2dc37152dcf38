"""Made-up annotators err as stated, say what they are, and mix with nobody."""

import numpy as np
import pandas as pd
import pytest
from made_up_answers import make_answers, make_pairs

import visclust as vc
from visclust.annotation.answers import refuse_mixture


def simulate(n=2000, **options):
    pairs = make_pairs(n)
    groups = {**dict.fromkeys(pairs["image_a"], "cat"), **dict.fromkeys(pairs["image_b"], "cat")}
    return vc.simulate_answers(pairs, groups, **{"error_rate": 0.1, **options})


def test_simulated_annotators_err_at_the_stated_rate_each_on_their_own():
    wide = simulate(seed=1).pivot(index="item_id", columns="annotator", values="answer")
    wrong = wide == "different"  # every pair is of one group
    # 4 binomial standard errors of .1 in 2,000.
    assert wrong.mean().tolist() == pytest.approx([0.1, 0.1], abs=4 * 0.0067)
    # Both err on 1% if they err independently; 4 standard errors.
    assert wrong.all(axis=1).mean() == pytest.approx(0.01, abs=4 * 0.0022)


def test_without_errors_simulated_answers_are_the_known_groups():
    answers = vc.simulate_answers(make_pairs(2), {"a0": 1, "b0": 1, "a1": 1, "b1": 2}, error_rate=0)
    assert answers["answer"].tolist() == ["same", "different"] * 2


def test_simulated_answers_say_so_in_a_column_in_the_name_and_in_gold():
    answers = simulate(5)
    assert answers["simulated"].all()
    assert answers["annotator"].str.startswith("simulated").all()
    assert vc.resolve(answers, pairs=make_pairs(5), rule="majority").gold["simulated"].all()
    with pytest.raises(ValueError, match="Expected names that start with 'simulated'"):
        simulate(5, annotators=["ana"])


@pytest.mark.parametrize("marked_by", ["column", "name"])
def test_simulated_answers_are_never_mixed_with_a_persons(marked_by):
    simulated = simulate(5)
    if marked_by == "name":
        simulated = simulated.drop(columns="simulated")
    mixed = pd.concat([make_answers({"ana": ["same"] * 5}), simulated], ignore_index=True)
    for use in (vc.agreement, refuse_mixture, lambda answers: vc.resolve(answers, pairs=make_pairs(5))):
        with pytest.raises(ValueError, match="got both \\('ana' and 'simulated-1'\\)"):
            use(mixed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"error_rate": 1.5}, "error_rate to be a number between 0 and 1"),
        ({"annotators": "simulated"}, "annotators to be a list"),
        ({"annotators": []}, "a list of different annotators' names"),
        ({"annotators": ["simulated", "simulated"]}, "a list of different annotators' names"),
    ],
)
def test_bad_input_to_the_simulation_says_what_was_expected(options, message):
    with pytest.raises(ValueError, match=message):
        simulate(3, **options)


def test_an_image_without_a_known_group_is_named():
    with pytest.raises(ValueError, match="1 have none, such as 'b0'"):
        vc.simulate_answers(make_pairs(1), {"a0": "cat"}, error_rate=0)


def test_simulated_votes_are_wrong_at_the_stated_rate_each_on_their_own():
    images = pd.DataFrame({"image_id": [str(number) for number in range(2000)], "status": "ok"})
    truth = images[["image_id"]].assign(men=1.0, anger=0.0)
    answers = vc.simulate_features(
        images, truth, ["anger", "men"], error_rate=0.2, annotators=["simulated-a", "simulated-b"]
    )
    votes = vc.aggregate_labels(answers, n_bootstrap=10).votes
    wrong = votes["value"] != (votes["feature"] == "men")
    # Four standard errors of a share of .2 among 8000 votes.
    assert wrong.mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.2 * 0.8 / 8000))
    one, other = (wrong[votes["annotator"] == name].to_numpy() for name in ("simulated-a", "simulated-b"))
    # Both wrong: .04 among 4000, again within four standard errors.
    assert (one & other).mean() == pytest.approx(0.04, abs=4 * np.sqrt(0.04 * 0.96 / 4000))


def test_simulations_are_refused_without_a_truth_for_every_image():
    images = pd.DataFrame({"image_id": ["x", "y"]})
    truth = images.assign(men=[1, np.nan])
    with pytest.raises(ValueError, match="'y'"):
        vc.simulate_features(images, truth, ["men"], error_rate=0.1)
    with pytest.raises(ValueError, match="women"):
        vc.simulate_features(images, truth, ["women"], error_rate=0.1)
    with pytest.raises(ValueError, match="between 0 and 1"):
        vc.simulate_features(images, truth, ["men"], error_rate=2)
    with pytest.raises(ValueError, match="simulated"):
        vc.simulate_features(images, truth, ["men"], error_rate=0.1, annotators=["Ana"])
