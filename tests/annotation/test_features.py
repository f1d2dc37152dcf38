"""Answers about features, and several annotators' votes as one table, worked out by hand on tiny cases."""

import krippendorff
import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.annotation.answer_files import append_answer, name_answer_file
from visclust.annotation.features import check_features, read_feature_answer, write_feature_answer
from visclust.base.tables import check_table

ASKED = ["anger", "men"]


def make_answers(*said):
    """Make an answers table from (image, annotator, features present, or "skip")."""
    rows = [
        {"item_id": image, "annotator": annotator,
         "answer": "skip" if present == "skip" else write_feature_answer(ASKED, present),
         "answered_at": f"2026-01-05T10:00:{at:02}Z", "seconds": 1.0, "retracts": None, "event_id": f"e{at}"}
        for at, (image, annotator, present) in enumerate(said)
    ]  # fmt: skip
    return pd.DataFrame(rows)


# Votes for anger: x 2 of 3, y 1 of 2, z 0 of 1, w nobody. For men: x 3 of 3, y 0 of 2, z 1 of 1.
EXAMPLE = make_answers(
    ("x", "ana", ["anger", "men"]), ("x", "ben", ["anger", "men"]), ("x", "cem", ["men"]),
    ("y", "ana", ["anger"]), ("y", "ben", []), ("y", "cem", "skip"),
    ("z", "ana", ["men"]), ("w", "ben", "skip"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("options", "anger", "men"),
    [
        ({}, [1, None, 0, None], [1, 0, 1, None]),
        ({"rule": "any"}, [1, 1, 0, None], [1, 0, 1, None]),
        ({"rule": "all"}, [0, 0, 0, None], [1, 0, 1, None]),
        ({"rule": "share", "threshold": 0.5}, [1, 1, 0, None], [1, 0, 1, None]),
        ({"rule": "share", "threshold": 0.7}, [0, 0, 0, None], [1, 0, 1, None]),
    ],
)
def test_each_rule_gives_the_labels_worked_out_by_hand(options, anger, men):
    labels = check_table(vc.aggregate_labels(EXAMPLE, **options).labels, "labels")
    wanted = pd.DataFrame({"image_id": list("xyzw"), "anger": anger, "men": men})
    pd.testing.assert_frame_equal(labels, wanted.astype({"anger": float, "men": float}))


def test_ties_and_images_without_a_vote_are_counted():
    agreement = vc.aggregate_labels(EXAMPLE).agreement.set_index("feature")
    assert agreement["n_ties"].tolist() == [1, 0]
    assert agreement["n_missing"].tolist() == [2, 1]
    assert agreement["n_positive"].tolist() == [1, 2]
    assert vc.aggregate_labels(EXAMPLE, rule="any").agreement["n_ties"].tolist() == [0, 0]


def test_every_vote_is_kept_and_a_skip_is_none():
    votes = vc.aggregate_labels(EXAMPLE).votes
    assert len(votes) == 2 * 6
    ana = votes[(votes["annotator"] == "ana") & (votes["feature"] == "anger")]
    assert ana[["image_id", "value"]].to_numpy().tolist() == [["x", 1], ["y", 1], ["z", 0]]
    assert not votes["simulated"].any()


def test_alpha_is_that_of_the_package_and_percent_agreement_counts_pairs_of_votes():
    anger = vc.aggregate_labels(EXAMPLE).agreement.set_index("feature").loc["anger"]
    by_annotator = [[1, 1, 0], [1, 0, np.nan], [0, np.nan, np.nan]]  # ana, ben, cem by x, y, z
    wanted = krippendorff.alpha(reliability_data=by_annotator, level_of_measurement="nominal")
    assert anger["alpha"] == pytest.approx(wanted, abs=1e-12)  # the same formula, summed in another order
    # x: one pair of three agrees; y: its one pair does not.
    assert anger["percent_agreement"] == 25
    assert anger[["n_images", "n_annotators", "n_votes", "n_shared"]].tolist() == [3, 3, 6, 2]
    assert anger["share_yes"] == 0.5


def test_where_agreement_cannot_be_measured_it_says_why():
    found = vc.aggregate_labels(make_answers(("x", "ana", ["men"]), ("x", "ben", ["men"]))).agreement
    assert found["alpha"].isna().all()
    assert found["note"].str.contains("all votes are the same").all()
    alone = vc.aggregate_labels(make_answers(("x", "ana", ["men"]))).agreement
    assert alone["note"].str.contains("no image has two votes").all()
    assert alone["percent_agreement"].isna().all()


def test_the_interval_of_alpha_holds_it_and_narrows_with_more_images():
    def simulate(n):
        images = pd.DataFrame({"image_id": [str(number) for number in range(n)]})
        truth = images.assign(men=np.arange(n) % 2)
        return vc.aggregate_labels(
            vc.simulate_features(images, truth, ["men"], error_rate=0.1)
        ).agreement.iloc[0]

    small, large = simulate(40), simulate(400)
    for found in (small, large):
        assert found["alpha_low"] < found["alpha"] < found["alpha_high"]
    # Two annotators right 9 times in 10 agree .82 of the time by .5 chance: alpha .64.
    # .05 is two standard errors at 400 images and three annotators.
    assert large["alpha"] == pytest.approx(0.64, abs=0.05)
    assert large["alpha_high"] - large["alpha_low"] < small["alpha_high"] - small["alpha_low"]


def test_files_read_whole_or_already_reduced_give_the_same(tmp_path):
    for row in EXAMPLE.to_dict("records"):
        append_answer(name_answer_file(tmp_path, row["annotator"]), row)
    undone = {"event_id": "u", "item_id": "x", "annotator": "ana", "retracts": "e0",
              "answered_at": "2026-01-05T10:01:00Z"}  # fmt: skip
    append_answer(name_answer_file(tmp_path, "ana"), undone)
    answers = vc.read_answers(tmp_path)
    whole, reduced = vc.aggregate_labels(answers), vc.aggregate_labels(vc.current_answers(answers))
    pd.testing.assert_frame_equal(whole.labels, reduced.labels)
    pd.testing.assert_frame_equal(whole.agreement, reduced.agreement)
    assert np.isnan(whole.labels.set_index("image_id").loc["x", "anger"])  # without ana, one against one


def test_a_feature_that_only_some_were_asked_about_has_only_their_votes():
    more = make_answers(("x", "dan", ["men"]))
    more["answer"], more["event_id"] = write_feature_answer(["men", "women"], ["women"]), "other"
    labels = vc.aggregate_labels(pd.concat([EXAMPLE, more])).labels.set_index("image_id")
    assert labels["women"].tolist()[0] == 1
    assert labels["women"].isna().sum() == 3


def test_an_earlier_answer_to_another_list_is_not_lost_silently():
    later = make_answers(("x", "ana", ["men"])).assign(event_id="late", answered_at="2026-01-06T10:00:00Z")
    later["answer"] = write_feature_answer(["men"], [])
    with pytest.raises(ValueError, match="'anger'"):
        vc.aggregate_labels(pd.concat([EXAMPLE, later]))


def test_simulated_votes_never_mix_with_peoples():
    images = pd.DataFrame({"image_id": ["x", "y"]})
    truth = images.assign(anger=[1, 0], men=[0, 0])
    simulated = vc.simulate_features(images, truth, ASKED, error_rate=0.0)
    found = vc.aggregate_labels(simulated)
    assert found.votes["simulated"].all()
    assert found.agreement["simulated"].all()
    marked = truth.astype({"anger": float, "men": float}).assign(simulated=True)
    pd.testing.assert_frame_equal(found.labels, marked)  # the mark goes where the labels go
    assert "simulated" not in vc.aggregate_labels(EXAMPLE).labels
    with pytest.raises(ValueError, match="mixture"):
        vc.aggregate_labels(pd.concat([EXAMPLE, simulated]))


def test_what_cannot_be_aggregated_is_refused_with_the_reason():
    with pytest.raises(ValueError, match="rule"):
        vc.aggregate_labels(EXAMPLE, rule="mean")
    with pytest.raises(ValueError, match="threshold"):
        vc.aggregate_labels(EXAMPLE, rule="share")
    with pytest.raises(ValueError, match="threshold"):
        vc.aggregate_labels(EXAMPLE, rule="share", threshold=0)
    with pytest.raises(ValueError, match="threshold"):
        vc.aggregate_labels(EXAMPLE, rule="share", threshold="0.5")
    for bad in ({"seed": None}, {"seed": -1}, {"n_bootstrap": 0}):
        with pytest.raises(ValueError, match=f"Expected {next(iter(bad))} to be a whole number"):
            vc.aggregate_labels(EXAMPLE, **bad)
    with pytest.raises(ValueError, match="only"):
        vc.aggregate_labels(EXAMPLE, threshold=0.5)
    with pytest.raises(ValueError, match="at least one answer"):
        vc.aggregate_labels(EXAMPLE[:0])
    with pytest.raises(ValueError, match="answer about features"):
        vc.aggregate_labels(EXAMPLE.assign(answer="same"))


def test_answers_are_left_as_they_were():
    before = EXAMPLE.copy(deep=True)
    vc.aggregate_labels(EXAMPLE)
    pd.testing.assert_frame_equal(EXAMPLE, before)


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        ("anger", "list of features"),
        ([], "list of features"),
        (["anger", ""], "text on one line"),
        (["anger", " men"], "text on one line"),
        (["anger", 3], "text on one line"),
        (["anger\n"], "text on one line"),
        (["\ud83d"], "text on one line"),
        (["men", "Men"], "'Men' again"),
        (["image_id"], "Rename"),
        (["simulated"], "Rename"),
    ],
)
def test_a_list_that_annotators_or_tables_could_not_use_is_refused(features, reason):
    with pytest.raises(ValueError, match=reason):
        check_features(features)


def test_an_answer_written_is_read_back_the_same():
    asked = ["anger", "Größe „5“", "men"]
    text = write_feature_answer(asked, {"men"})
    assert read_feature_answer(text) == {name: name == "men" for name in asked}
    # The spelling of a browser's JSON.stringify, which the answer has when it comes from a page.
    assert text == '{"asked":["anger","Größe „5“","men"],"present":["men"]}'
    with pytest.raises(ValueError, match="'women'"):
        write_feature_answer(asked, ["women"])


def vote(*rows):
    return pd.DataFrame(
        [
            {"item_id": "x", "annotator": who, "answered_at": f"2026-01-05T10:00:0{k}Z", "seconds": 1.0,
             "answer": write_feature_answer([feature], [feature] * yes), "retracts": None}
            for k, (who, feature, yes) in enumerate(rows)
        ]
    )  # fmt: skip


@pytest.mark.parametrize("other", ["Ana", " ana", "ANA", "ana "])
def test_one_person_has_one_vote_however_the_name_is_written_and_that_is_said(other):
    answers = vote(("ana", "men", 1), (other, "men", 1), ("ben", "men", 0))
    with pytest.warns(UserWarning, match="taken for one person: '.*' for 'ana'"):
        found = vc.aggregate_labels(answers, n_bootstrap=10)
    assert found.labels["men"].isna().all()  # one vote each: a tie
    assert set(found.votes["annotator"]) == {"ana", "ben"}


@pytest.mark.parametrize("other", ["cafe\u0301", "CAF\u00c9", "Caf\u00e9"])
def test_one_feature_has_one_column_however_it_is_written_and_that_is_said(other):
    with pytest.warns(UserWarning, match="taken for one: '.*' for 'caf"):
        found = vc.aggregate_labels(vote(("ana", "caf\u00e9", 1), ("ben", other, 1)), n_bootstrap=10)
    assert found.labels.columns.tolist() == ["image_id", "caf\u00e9"]
    assert found.labels["caf\u00e9"].tolist() == [1]
