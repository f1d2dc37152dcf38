"""Errors of annotators: estimated from double answers, stated as assumptions, weighed against chance."""

import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.validation import label_errors

WORDS = {"s": "same", "d": "different"}
# Answers of three annotators to 200 pairs, and what crowd-kit 1.4.2 makes of them:
# DawidSkene(n_iter=200, tol=-1e9).fit(...), .errors_ and .priors_.
KINDS = {"sss": 40, "ssd": 9, "sds": 7, "dss": 12, "sdd": 6, "dsd": 10, "dds": 5, "ddd": 111}
CROWD_KIT = {"ana": (0.039144, 0.227839), "ben": (0.063002, 0.146765), "cy": (0.026163, 0.178627)}
PRIOR = 0.369509


def answer(said, who=("ana", "ben", "cy")):
    rows = [
        (item, name, WORDS[letter])
        for item, letters in said.items()
        for name, letter in zip(who, letters, strict=False)
    ]
    table = pd.DataFrame(rows, columns=["item_id", "annotator", "answer"])
    return table.assign(answered_at="2026-01-05T10:00:00Z", seconds=1.0, retracts=None)


def simulate(rng, *, shares, n, false_same, false_different):
    """Pairs in strata of stated shares of same pairs, and answers of annotators who err at stated rates."""
    stratum = np.repeat(list(shares), n)
    same = rng.random(len(stratum)) < np.repeat(list(shares.values()), n)
    names = [f"p{number}" for number in range(len(same))]
    parts = []
    for who, a, b in zip(("ana", "ben", "cy"), false_same, false_different, strict=False):
        says = np.where(same, rng.random(len(same)) >= b, rng.random(len(same)) < a)
        parts.append(
            pd.DataFrame({"item_id": names, "annotator": who, "answer": np.where(says, "same", "different")})
        )
    answers = pd.concat(parts, ignore_index=True)
    answers = answers.assign(answered_at="2026-01-05T10:00:00Z", seconds=1.0, retracts=None)
    return answers, pd.DataFrame({"pair_id": names, "stratum": stratum})


def rate(found, quantity, who=""):
    return found[found["quantity"].eq(quantity) & found["annotator"].eq(who)].iloc[0]


def make_gold(rows):
    """Gold pairs from (stratum, joined, same, probability), and clusters that join them so."""
    gold = pd.DataFrame(rows, columns=["stratum", "joined", "same", "inclusion_probability"])
    names = [f"{number:03d}" for number in range(len(gold))]
    gold = gold.assign(pair_id=names, image_a=[f"{n}a" for n in names], image_b=[f"{n}b" for n in names])
    places = np.arange(len(gold))
    clusters = pd.DataFrame(
        {
            "image_id": [*gold["image_a"], *gold["image_b"]],
            "cluster": [*places, *np.where(gold["joined"], places, places + len(gold))],
        }
    )
    return clusters, gold.drop(columns="joined")


@pytest.fixture
def paper_like():
    """Two strata, of which the second weighs a thousand times as much: 1 of its 200 pairs is called same."""
    rows = [("within", True, True, 0.5)] * 90 + [("within", True, False, 0.5)] * 10
    rows += [("random", False, True, 0.0005)] + [("random", False, False, 0.0005)] * 199
    return make_gold(rows)


def test_without_strata_three_annotators_rates_are_those_of_crowd_kits_dawid_and_skene():
    said = {f"{kind}{number}": kind for kind, n in KINDS.items() for number in range(n)}
    found = vc.estimate_label_errors(answer(said), pd.DataFrame({"pair_id": list(said)}), n_bootstrap=20)
    for who, (false_same, false_different) in CROWD_KIT.items():
        assert rate(found, "false_same", who)["estimate"] == pytest.approx(false_same, abs=2e-4)
        assert rate(found, "false_different", who)["estimate"] == pytest.approx(false_different, abs=2e-4)
    assert rate(found, "prevalence")["estimate"] == pytest.approx(PRIOR, abs=2e-4)


def test_two_annotators_in_two_strata_are_fitted_exactly_as_hui_and_walter_count():
    # As many numbers as the two tables of four have: the fit gives back the tables.
    said = {"w": {"ss": 60, "sd": 12, "ds": 9, "dd": 19}, "r": {"ss": 6, "sd": 8, "ds": 5, "dd": 181}}
    items = {
        f"{s}{kind}{i}": kind for s, kinds in said.items() for kind, n in kinds.items() for i in range(n)
    }
    pairs = pd.DataFrame({"pair_id": list(items), "stratum": [item[0] for item in items]})
    found = vc.estimate_label_errors(answer(items), pairs, n_bootstrap=20).set_index("quantity")
    (a, b), (c, d) = (found.loc[name, "estimate"].tolist() for name in ("false_same", "false_different"))
    shares = dict(zip(found.loc["prevalence", "stratum"], found.loc["prevalence", "estimate"], strict=True))
    for stratum, kinds in said.items():
        share, n = shares[stratum], sum(kinds.values())
        expected = {
            "ss": share * (1 - c) * (1 - d) + (1 - share) * a * b,
            "sd": share * (1 - c) * d + (1 - share) * a * (1 - b),
            "ds": share * c * (1 - d) + (1 - share) * (1 - a) * b,
            "dd": share * c * d + (1 - share) * (1 - a) * (1 - b),
        }
        for kind, count in kinds.items():
            assert n * expected[kind] == pytest.approx(count, abs=0.05)
    called = found.loc["called_same"].set_index("stratum")["estimate"].to_dict()
    assert called == {"r": 6.0, "w": 60.0}
    wrong = found.loc["false_same_pairs"].set_index("stratum")["estimate"]
    assert wrong["r"] == pytest.approx(200 * (1 - shares["r"]) * a * b)
    assert found.loc["gold_false_same", "estimate"] == pytest.approx(a * b / (a * b + (1 - a) * (1 - b)))


def test_rates_are_found_again_where_the_conditions_hold_and_their_intervals_hold_them():
    # 20 studies of 600 pairs: the standard error of an estimated rate of .1 is about .02, of a mean .005;
    # of 80 intervals of 95% fewer than 68 hold with a chance below .001, were they independent.
    rng, wanted = np.random.default_rng(1), {"false_same": (0.05, 0.1), "false_different": (0.1, 0.2)}
    estimates, inside = {name: [] for name in wanted}, 0
    for seed in range(20):
        answers, pairs = simulate(rng, shares={"within": 0.7, "random": 0.05}, n=300, **wanted)
        found = vc.estimate_label_errors(answers, pairs, n_bootstrap=60, seed=seed)
        for name, truths in wanted.items():
            rows = [rate(found, name, who) for who in ("ana", "ben")]
            estimates[name].append([row["estimate"] for row in rows])
            inside += sum(row["low"] <= truth <= row["high"] for row, truth in zip(rows, truths, strict=True))
    for name, truths in wanted.items():
        assert np.mean(estimates[name], axis=0) == pytest.approx(truths, abs=0.02)
    assert inside >= 68


def test_answers_that_contradict_the_conditions_are_said_to():
    rng = np.random.default_rng(0)
    one, pairs = simulate(
        rng, shares={"a": 0.8, "b": 0.5, "c": 0.1}, n=500, false_same=(0.05, 0.05), false_different=(0.1, 0.1)
    )
    assert (
        "the answers do not contradict that" in vc.estimate_label_errors(one, pairs, n_bootstrap=5)["note"][0]
    )
    # In the last stratum both fall for the same pairs.
    fooled = pairs.loc[pairs["stratum"].eq("c"), "pair_id"].iloc[:150]
    both = one.assign(answer=one["answer"].where(~one["item_id"].isin(fooled), "same"))
    part = pairs.loc[pairs["stratum"].eq("a"), "pair_id"].iloc[:250]
    first = both["item_id"].isin(part) & both["annotator"].eq("ana")
    both.loc[first, "answer"] = "different"
    assert "the answers contradict that" in vc.estimate_label_errors(both, pairs, n_bootstrap=5)["note"][0]


def test_what_is_not_identified_is_refused():
    said = {"p": "ss", "q": "dd"}
    with pytest.raises(ValueError, match="two annotators or more"):
        vc.estimate_label_errors(answer(said, who=("ana",)), pd.DataFrame({"pair_id": ["p", "q"]}))
    with pytest.raises(ValueError, match="two strata or more, or three annotators"):
        vc.estimate_label_errors(answer(said), pd.DataFrame({"pair_id": ["p", "q"]}))
    pairs = pd.DataFrame({"pair_id": list("pqrs"), "stratum": ["a", "a", "b", "b"]})
    close = vc.estimate_label_errors(
        answer({"p": "ss", "q": "dd", "r": "ss", "s": "dd"}), pairs, n_bootstrap=5
    )
    assert "these differ little, so that the rates are hardly identified" in close["note"][0]


def test_at_rates_of_0_the_scores_are_the_weighted_ones_looks_included(paper_like):
    clusters, gold = paper_like
    gold = gold.assign(look_weight=np.where(gold["stratum"].eq("random"), 1.25, 1.0))
    found = vc.score_under_errors(clusters, gold, false_same=[0], false_different=[0]).iloc[0]
    scores = vc.score_pairs(clusters, gold, weights="inclusion_probability", n_bootstrap=10)
    scores = scores[scores["weighting"].ne("raw")].set_index("measure")["estimate"]
    for measure in ("precision", "recall", "f1"):
        assert found[measure] == pytest.approx(scores[measure])


def test_with_a_pair_design_they_are_the_post_stratified_ones():
    x, theme = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 4
    x[:, 0] += 6 * theme
    clusters = pd.DataFrame({"image_id": [f"i{i:02d}" for i in range(60)], "cluster": np.minimum(theme, 2)})
    drafts = clusters.assign(cluster=theme // 2)
    design = vc.design_pairs(drafts, x, how="cells")
    pairs = vc.sample_pairs(drafts, x, n_pairs=120)
    of = pd.Series(theme, index=clusters["image_id"])
    same = of[pairs["image_a"]].to_numpy() == of[pairs["image_b"]].to_numpy()
    gold = pairs.assign(same=same, look_weight=1.0)
    found = vc.score_under_errors(clusters, gold, design=design)
    scores = vc.score_pairs(clusters, gold, design=design, n_bootstrap=20)
    scores = scores[scores["weighting"].eq("post-stratified")].set_index("measure")["estimate"]
    for measure in ("precision", "recall", "f1"):
        assert found[measure].iloc[0] == pytest.approx(scores[measure])
    said = vc.explain_label_error(clusters, gold, false_same=0.01, design=design, n_bootstrap=50)
    assert said.startswith("Were 1.00% of different pairs called the same")


def test_a_false_same_of_one_in_a_thousand_moves_recall_and_the_table_is_rogan_and_gladens(paper_like):
    found = vc.score_under_errors(*paper_like, false_same=[0, 0.001, 0.01], false_different=[0, 0.1])
    at = found.set_index(["false_same", "false_different"])
    # 180 of 200 joined pairs are the same, and 2,000 of 400,000 others.
    assert at.loc[(0, 0), "recall"] == pytest.approx(180 / 2180)
    joined, apart = (0.9 - 0.001) / 0.999, (0.005 - 0.001) / 0.999
    assert at.loc[(0.001, 0), "recall"] == pytest.approx(200 * joined / (200 * joined + 400_000 * apart))
    assert at.loc[(0.001, 0), "reason"] == ""
    # More errors than there are pairs called the same: none is taken to be.
    assert at.loc[(0.01, 0), "recall"] == 1
    assert at.loc[(0.01, 0), "reason"] == "none taken to be the same of the pairs random not in one cluster"
    assert at.loc[(0, 0.1), "reason"] == ""
    assert at.loc[(0, 0.1), "same_share"] == pytest.approx(2180 / 0.9 / 400_200)


def test_rates_that_are_none_or_too_large_together_are_refused(paper_like):
    with pytest.raises(ValueError, match="false_same to be shares"):
        vc.score_under_errors(*paper_like, false_same=[-0.1])
    with pytest.raises(ValueError, match="add up to less than 1"):
        vc.score_under_errors(*paper_like, false_same=[0.6], false_different=[0.4])


def test_label_error_that_outweighs_the_draw_is_said_with_what_to_do(paper_like):
    clusters, gold = paper_like
    # Nine more pairs that both called the same by mistake: chance says that it is between 5 and 20.
    random = gold.index[gold["stratum"].eq("random")]
    gold.loc[random[1:10], "same"] = True
    said = vc.explain_label_error(clusters, gold, false_same=0.049, n_bootstrap=300)
    assert "Label error outweighs the chance of the draw" in said
    assert "select_for_review" in said
    little = vc.explain_label_error(clusters, gold, false_same=0.0001, n_bootstrap=300)
    assert little.endswith("The chance of the draw outweighs label error.")


def test_a_gold_table_of_simulated_answers_stays_marked(paper_like):
    clusters, gold = paper_like
    assert "simulated" not in vc.score_under_errors(clusters, gold)
    assert vc.score_under_errors(clusters, gold.assign(simulated=True))["simulated"].all()


def test_two_annotators_of_ten_percent_agree_on_a_wrong_answer_as_often_as_is_written():
    assert label_errors._agree(np.array([0.1, 0.1])) == pytest.approx(0.0122, abs=5e-5)
    assert label_errors._agree(np.array([0.05, 0.05])) == pytest.approx(0.0028, abs=5e-5)


def test_undefined_scores_are_named_and_nothing_is_said_of_them(paper_like):
    clusters, gold = paper_like
    alone = clusters.assign(cluster=range(len(clusters)))
    said = vc.explain_label_error(alone, gold, false_same=0.01, n_bootstrap=50)
    assert "nan" not in said
    assert said.endswith("Precision and F1 are undefined.")
    nothing = vc.explain_label_error(alone, gold.assign(same=False), false_same=0.01, n_bootstrap=50)
    assert nothing.startswith("Precision, recall and F1 are undefined")
    assert "outweighs" not in nothing


@pytest.mark.parametrize("answer", ["same", "different"])
def test_answers_that_are_all_alike_tell_nothing_of_errors(answer):
    names = [f"p{i}" for i in range(40)]
    pairs = pd.DataFrame({"pair_id": names, "stratum": ["within", "random"] * 20})
    answers = pd.DataFrame(
        {"item_id": names * 2, "annotator": ["ana"] * 40 + ["ben"] * 40, "answer": answer,
         "answered_at": "2026-01-05T10:00:00Z", "seconds": 1.0, "retracts": None}
    )  # fmt: skip
    with pytest.raises(ValueError, match=f"got '{answer}' alone"):
        vc.estimate_label_errors(answers, pairs, n_bootstrap=10)
