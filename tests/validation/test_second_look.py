"""A second look: what is asked again, unseen, and what each gold pair then speaks for."""

import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.widgets.tasks import pair_task

WHO = ("ana", "ben")


def make_pairs(n, *, stratum="random", probability=0.001, start=0):
    names = [f"{stratum[0]}{number:03d}" for number in range(start, start + n)]
    return pd.DataFrame(
        {
            "pair_id": names,
            "image_a": [f"{name}-left" for name in names],
            "image_b": [f"{name}-right" for name in names],
            "stratum": stratum,
            "inclusion_probability": probability,
        }
    )


def answer(said):
    """Make answers from what both said of each item: "ss", "sd", "dd", "du" and so on; "-" is no answer."""
    words = {"s": "same", "d": "different", "u": "unsure", "k": "skip"}
    rows = [
        (item, who, words[letter])
        for item, both in said.items()
        for who, letter in zip(WHO, both, strict=False)
        if letter != "-"
    ]
    table = pd.DataFrame(rows, columns=["item_id", "annotator", "answer"])
    return table.assign(answered_at="2026-01-05T10:00:00Z", seconds=1.0, retracts=None)


def answer_reviews(reviews, said, default="dd"):
    """Make answers to reviews by the pairs that they are about."""
    return answer(
        {
            item: said.get(pair, default)
            for item, pair in zip(reviews["pair_id"], reviews["judged_pair"], strict=True)
        }
    )


def select(answers, pairs, **options):
    """Select where "same" is never too frequent, as these tiny tables have it."""
    return vc.select_for_review(answers, pairs, **{"rare": 1.0, **options})


def resolve(pairs, reviews, *answers):
    return vc.merge_looks(pd.concat(answers, ignore_index=True), pairs=pairs, reviews=reviews)


def weights_of(looks):
    return looks.gold.set_index("pair_id")["look_weight"].to_dict()


def test_the_same_and_the_open_pairs_of_the_stratum_that_weighs_most_are_asked_again():
    pairs = pd.concat([make_pairs(5), make_pairs(200, stratum="within", probability=0.5)], ignore_index=True)
    first = {"r000": "ss", "r001": "sd", "r002": "du", "r003": "dd", "r004": "dd"}
    first |= {f"w{number:03d}": "ss" if number % 2 else "sd" for number in range(200)}
    found = select(answer(first), pairs, decoys=0)
    assert sorted(found["judged_pair"]) == ["r000", "r001", "r002"]
    assert set(found["look"]) == {2}
    assert found["review_probability"].eq(1).all()
    # One pair of the random stratum stands for 1,000. Those called same weigh 1,000, times 5 by 3 for the two
    # open ones, and 100 times 2, times 2 for the 100 open ones.
    assert found["effect"].round(6).eq(round(1000 / (5000 / 3 + 400), 6)).all()


def test_being_shown_again_tells_nothing_decoys_new_ids_and_a_view_of_images_alone(tmp_path):
    pairs = pd.concat([make_pairs(8), make_pairs(40, stratum="within", probability=0.9)], ignore_index=True)
    first = dict.fromkeys(pairs["pair_id"], "dd") | {"r000": "ss", "r001": "ss", "r002": "sd", "r003": "sd"}
    found = select(answer(first), pairs, decoys=0.5)
    assert found["decoy"].sum() == 2
    # A slip at a decoy should not move the scores: they come from the stratum that weighs little.
    assert set(found.loc[found["decoy"], "stratum"]) == {"within"}
    assert not set(found["pair_id"]) & set(pairs["pair_id"])
    ids = [*pairs["image_a"], *pairs["image_b"]]
    for image in ids:
        (tmp_path / image).touch()
    images = pd.DataFrame({"image_id": ids, "path": ids, "status": "ok"})
    shown = pair_task(found, images, images_folder=tmp_path)
    assert list(shown.items) == found["pair_id"].tolist()
    told = str(shown.items) + str(shown.controls)
    assert not any(word in told for word in ("decoy", "random", "first_look", "look'"))
    assert vc.blind_pairs(found).columns.tolist() == ["pair_id", "image_a", "image_b"]
    sides = found.merge(pairs, left_on="judged_pair", right_on="pair_id")
    assert 0 < sides["image_a_x"].eq(sides["image_a_y"]).sum() < len(found)


def test_what_two_looks_call_the_same_is_believed_and_what_the_second_takes_back_is_not():
    pairs = make_pairs(6)
    first = answer({"r000": "ss", "r001": "ss", "r002": "sd", "r003": "dd", "r004": "dd", "r005": "dd"})
    reviews = select(first, pairs, decoys=0)
    second = answer_reviews(reviews, {"r000": "ss", "r001": "dd", "r002": "ss"})
    looks = resolve(pairs, reviews, first, second)
    gold = looks.gold.set_index("pair_id")
    assert gold["same"].to_dict() == {
        "r000": True, "r001": False, "r003": False, "r004": False, "r005": False,
    }  # fmt: skip
    assert gold["first_look"].tolist() == ["same", "same", "different", "different", "different"]
    assert gold["looks"].tolist() == [2, 2, 1, 1, 1]
    assert gold["n_answers"].tolist() == [4, 4, 2, 2, 2]
    assert "of 2 pairs called the same first, 1 is same, 1 is different, 0 are open" in looks.said
    # The open pair was called the same by one look alone.
    assert looks.unresolved["reason"].str.startswith("called the same by the last look alone").tolist() == [
        True
    ]
    assert gold["look_weight"].tolist() == [1.2] * 5
    third = select(pd.concat([first, second]), pairs, reviews=reviews, decoys=0)
    # Only the one that has been called the same once.
    assert third[["judged_pair", "look"]].to_numpy().tolist() == [["r002", 3]]
    reviews = pd.concat([reviews, third], ignore_index=True)
    answers = [first, second, answer_reviews(third, {"r002": "ss"})]
    gold = resolve(pairs, reviews, *answers).gold.set_index("pair_id")
    assert gold.loc["r002", ["same", "looks", "look_weight"]].tolist() == [True, 3, 1.0]
    assert select(pd.concat(answers), pairs, reviews=reviews).empty


def test_a_split_second_look_leaves_the_pair_open_and_the_resolved_of_its_class_speak_for_it():
    pairs = make_pairs(8)
    first = answer(dict.fromkeys(pairs["pair_id"], "dd") | {f"r00{i}": "sd" for i in range(4)})
    reviews = select(first, pairs, decoys=0)
    second = answer_reviews(reviews, {"r003": "du"})
    looks = resolve(pairs, reviews, first, second)
    weights = weights_of(looks)
    assert [weights[f"r00{i}"] for i in range(3)] == [pytest.approx(4 / 3)] * 3
    assert [weights[f"r00{i}"] for i in range(4, 8)] == [1.0] * 4
    assert sum(weights.values()) == pytest.approx(8)
    assert looks.unresolved[["pair_id", "reason"]].to_numpy().tolist() == [
        ["r003", "open after its last look"]]  # fmt: skip
    assert "1 pairs are open" in looks.said
    again = select(pd.concat([first, second]), pairs, reviews=reviews)
    assert set(again.loc[~again["decoy"], "judged_pair"]) == {"r003"}


def test_of_a_class_whose_pairs_all_stay_open_its_stratum_speaks():
    pairs = make_pairs(6)
    first = answer(dict.fromkeys(pairs["pair_id"], "dd") | {"r000": "sd", "r001": "sd"})
    none = select(first, pairs, min_effect=0).iloc[:0]
    assert weights_of(resolve(pairs, none, first)) == {f"r00{i}": 1.5 for i in range(2, 6)}


def test_where_the_budget_does_not_suffice_the_drawn_ones_speak_for_the_others():
    pairs = make_pairs(12)
    first = answer(dict.fromkeys(pairs["pair_id"], "sd") | {f"r00{i}": "ss" for i in range(4)})
    reviews = select(first, pairs, n=6, decoys=0)
    of_class = reviews.groupby("first_look")["review_probability"].agg(["size", "first"])
    assert of_class.loc["same"].tolist() == [4, 1.0]
    assert of_class.loc["open"].tolist() == [2, 0.25]
    looks = resolve(pairs, reviews, first, answer_reviews(reviews, {}))
    weights = looks.gold.groupby("first_look")["look_weight"].agg(["size", "first"])
    assert weights.loc["open"].tolist() == [2, 4.0]
    assert weights.loc["same"].tolist() == [4, 1.0]
    assert looks.unresolved["reason"].unique().tolist() == ["its like were looked at again and speak for it"]
    with pytest.raises(ValueError, match=r"Expected n to have room .* Give at least 6"):
        select(first, pairs, n=5, decoys=0.5)


def test_another_answer_to_a_decoy_changes_nothing_and_is_told():
    pairs = pd.concat([make_pairs(3), make_pairs(30, stratum="within", probability=0.9)], ignore_index=True)
    first = answer(dict.fromkeys(pairs["pair_id"], "dd") | {"r000": "ss", "r001": "ss"})
    reviews = select(first, pairs, decoys=1.0)
    decoys = reviews.loc[reviews["decoy"], "judged_pair"].tolist()
    second = answer_reviews(reviews, dict.fromkeys(["r000", "r001"], "ss") | {decoys[0]: "ss"})
    looks = resolve(pairs, reviews, first, second)
    assert weights_of(looks) == dict.fromkeys(pairs["pair_id"], 1.0)
    assert not looks.gold.set_index("pair_id").loc[decoys[0], "same"]
    assert "Of 2 decoys 1 got another answer than the first time" in looks.said


def test_where_same_is_not_rare_nothing_is_asked_again():
    pairs = make_pairs(10)
    first = answer(dict.fromkeys(pairs["pair_id"], "dd") | {"r000": "ss", "r001": "ss", "r002": "sd"})
    assert vc.select_for_review(first, pairs).empty  # 2 of 9
    assert len(vc.select_for_review(first, pairs, rare=0.25, decoys=0)) == 3
    with pytest.raises(ValueError, match="rare to be a share"):
        vc.select_for_review(first, pairs, rare=20)


def test_pairs_are_asked_again_where_one_moves_a_hundredth_of_the_surer_same_pairs():
    kinds = {"within": 0.5, "near": 0.25, "edge": 1.0}  # each stands for 2, 4 and 1 pairs
    pairs = pd.concat([make_pairs(100, stratum=name, probability=p) for name, p in kinds.items()])
    same = [pair for pair in pairs["pair_id"] if pair[0] == "w" or pair in ("n001", "e001")]
    first = answer(dict.fromkeys(pairs["pair_id"], "dd") | dict.fromkeys(same, "ss"))
    # Those called the same within weigh 200: a pair nearby moves a fiftieth of that, one at the edge half of
    # a hundredth, and within "same" is not rare.
    assert vc.select_for_review(first, pairs, decoys=0)["judged_pair"].tolist() == ["n001"]
    assert vc.select_for_review(first, pairs, decoys=0, min_effect=0.05).empty
    least = vc.select_for_review(first, pairs, decoys=0, min_effect=0)
    assert sorted(least["judged_pair"]) == ["e001", "n001"]


def test_a_look_that_is_not_answered_by_all_changes_nothing_yet_and_no_other_follows():
    pairs = make_pairs(4)
    first = answer({"r000": "ss", "r001": "ss", "r002": "dd", "r003": "dd"})
    reviews = select(first, pairs, decoys=0)
    half = answer_reviews(reviews, {"r000": "d-", "r001": "--"})
    looks = resolve(pairs, reviews, first, half)
    assert looks.gold["same"].tolist() == [True, True, False, False]
    assert "2 pairs of look 2 wait for answers" in looks.said
    with pytest.raises(ValueError, match=r"all answers to look 2 .* 2 of its pairs"):
        select(pd.concat([first, half]), pairs, reviews=reviews)
    # One of the two is answered: it speaks for the other.
    looks = resolve(pairs, reviews, first, answer_reviews(reviews, {"r000": "dd", "r001": "s-"}))
    assert weights_of(looks) == {"r000": 2.0, "r002": 1.0, "r003": 1.0}


def test_a_skipped_pair_holds_no_other_look_up():
    pairs = make_pairs(4)
    first = answer({"r000": "ss", "r001": "ss", "r002": "dd", "r003": "dd"})
    reviews = select(first, pairs, decoys=0)
    second = answer_reviews(reviews, {"r000": "sk", "r001": "ss"})
    assert select(pd.concat([first, second]), pairs, reviews=reviews).empty


def test_pairs_that_nobody_answered_are_neither_asked_again_nor_spoken_for():
    pairs = make_pairs(5)
    first = answer({"r000": "ss", "r001": "dd", "r002": "dd"})
    reviews = select(first, pairs, decoys=0)
    assert reviews["judged_pair"].tolist() == ["r000"]
    looks = resolve(pairs, reviews, first, answer_reviews(reviews, {"r000": "ss"}))
    assert sum(weights_of(looks).values()) == 3
    assert looks.unresolved["reason"].tolist() == ["no answer yet"] * 2
    assert len(looks.gold) + len(looks.unresolved) == len(pairs)


def test_only_pairs_of_the_last_draw_are_asked_again():
    pairs = pd.concat([make_pairs(3).assign(wave=1), make_pairs(3, start=3).assign(wave=2)])
    first = answer(dict.fromkeys(pairs["pair_id"], "ss"))
    found = select(first, pairs.reset_index(drop=True), decoys=0)
    assert sorted(found["judged_pair"]) == ["r003", "r004", "r005"]
    gold = vc.merge_looks(first, pairs=pairs, reviews=found.iloc[:0]).gold
    pd.testing.assert_frame_equal(
        gold[["wave", "wave_judged"]], vc.resolve(first, pairs=pairs).gold[["wave", "wave_judged"]]
    )


def test_without_any_second_look_the_gold_table_is_that_of_resolve():
    pairs = make_pairs(4)
    first = answer({"r000": "ss", "r001": "sd", "r002": "dd", "r003": "dd"})
    none = select(first, pairs).iloc[:0]
    looks, before = vc.merge_looks(first, pairs=pairs, reviews=none), vc.resolve(first, pairs=pairs)
    shared = before.gold.columns.tolist()
    pd.testing.assert_frame_equal(looks.gold[shared], before.gold, check_dtype=False)
    assert looks.said.startswith("1 pairs are open")


def test_a_third_annotator_decides_the_first_look_and_need_not_take_part_in_the_second():
    pairs = make_pairs(3)
    first = answer({"r000": "sd", "r001": "dd", "r002": "ss"})
    cy = first.head(1).assign(annotator="cy", answer="same")
    first = pd.concat([first, cy], ignore_index=True)
    reviews = select(first, pairs, decoys=0, rule="third", third="Cy")
    assert set(reviews["judged_pair"]) == {"r000", "r002"}
    answers = pd.concat([first, answer_reviews(reviews, {"r002": "ss"})])
    looks = vc.merge_looks(answers, pairs=pairs, reviews=reviews, rule="third", third="cy")
    assert looks.gold["same"].tolist() == [False, False, True]


def test_simulated_answers_stay_marked_and_are_not_mixed_with_peoples():
    pairs = make_pairs(6)
    groups = {image: image[:4] for side in ("image_a", "image_b") for image in pairs[side]}
    first = vc.simulate_answers(pairs, groups, error_rate=0.5, seed=1)
    reviews = select(first, pairs)
    assert reviews["simulated"].all()
    second = vc.simulate_answers(reviews, groups, error_rate=0, seed=2)
    looks = resolve(pairs, reviews, first, second)
    assert looks.gold["simulated"].all()
    with pytest.raises(ValueError, match="people's answers or simulated ones"):
        resolve(pairs, reviews, first, answer_reviews(reviews, {}))


def test_reviews_of_other_pairs_and_answers_to_none_of_them_are_refused():
    pairs = make_pairs(3)
    first = answer({"r000": "ss", "r001": "dd", "r002": "dd"})
    reviews = select(first, pairs)
    with pytest.raises(ValueError, match="reviews of the pairs given; 1 are of others"):
        vc.merge_looks(first, pairs=pairs, reviews=reviews.head(1).assign(judged_pair="elsewhere"))
    with pytest.raises(ValueError, match="items are not among them"):
        vc.merge_looks(pd.concat([first, answer({"x": "ss"})]), pairs=pairs, reviews=reviews)
    for name in ("decoys", "min_effect"):
        with pytest.raises(ValueError, match=f"Expected {name} from 0 to 100"):
            select(first, pairs, **{name: -0.1})


@pytest.mark.parametrize("wrong", [np.nan, 0.0, -0.1, 2.0])
def test_a_pair_without_a_probability_is_named(wrong):
    pairs = make_pairs(3)
    pairs.loc[1, "inclusion_probability"] = wrong
    with pytest.raises(ValueError, match=f"for every pair, got {wrong} for '{pairs['pair_id'].iloc[1]}'"):
        vc.select_for_review(answer(dict.fromkeys(pairs["pair_id"], "ss")), pairs, rare=0.5)


def test_an_image_with_itself_is_no_pair():
    pairs = make_pairs(3)
    pairs.loc[1, "image_b"] = pairs.loc[1, "image_a"]
    with pytest.raises(ValueError, match="of an image with itself"):
        vc.select_for_review(answer(dict.fromkeys(pairs["pair_id"], "ss")), pairs, rare=0.5)
