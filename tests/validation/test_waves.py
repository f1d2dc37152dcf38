"""Several draws of pairs: nothing answered is lost, and weighted scores rest on one design."""

import numpy as np
import pandas as pd
import pytest

import visclust as vc


def make_pairs(names, probability=0.5, stratum="random"):
    rows = [(a + b, a, b, stratum, probability) for a, b in names]
    return pd.DataFrame(rows, columns=["pair_id", "image_a", "image_b", "stratum", "inclusion_probability"])


def answer(*items):
    return pd.DataFrame({"item_id": list(items)})


def test_answered_pairs_of_an_earlier_draw_stay_and_each_keeps_its_own_probability():
    earlier, drawn = make_pairs(["ab", "ac"]), make_pairs(["ad", "bd"], 0.25)
    pairs = vc.keep_answered_pairs(drawn, earlier, answer("ac"))
    shown = pairs[["pair_id", "inclusion_probability", "wave"]].to_numpy().tolist()
    assert shown == [["ac", 0.5, 1], ["ad", 0.25, 2], ["bd", 0.25, 2]]
    third = vc.keep_answered_pairs(make_pairs(["cd"], 0.1), pairs, answer("ac", "bd"))
    assert third[["pair_id", "wave"]].to_numpy().tolist() == [["ac", 1], ["bd", 2], ["cd", 3]]


def test_the_same_draw_again_is_no_new_wave_whatever_the_order():
    earlier = make_pairs(["ab", "ac"])
    again = vc.keep_answered_pairs(earlier[::-1], earlier, answer("ab"))
    pd.testing.assert_frame_equal(again, earlier)
    two = vc.keep_answered_pairs(make_pairs(["ad"]), earlier, answer("ab"))
    pd.testing.assert_frame_equal(vc.keep_answered_pairs(make_pairs(["ad"]), two, answer("ab", "ad")), two)


def test_a_pair_drawn_again_belongs_to_the_last_wave_and_stands_once():
    pairs = vc.keep_answered_pairs(
        make_pairs(["ab", "ad"], 0.2), make_pairs(["ab", "ac"]), answer("ab", "ac")
    )
    assert pairs[["pair_id", "inclusion_probability", "wave"]].to_numpy().tolist() == [
        ["ac", 0.5, 1], ["ab", 0.2, 2], ["ad", 0.2, 2]]  # fmt: skip


def test_where_nobody_answered_the_new_draw_takes_the_place_of_the_old_one():
    drawn = make_pairs(["ad"])
    assert "wave" not in vc.keep_answered_pairs(drawn, make_pairs(["ab"]), answer())
    assert "wave" not in vc.keep_answered_pairs(drawn, make_pairs([]), answer("xy"))


def test_pairs_of_images_that_are_gone_are_left_out():
    images = pd.DataFrame({"image_id": list("abd")})
    pairs = vc.keep_answered_pairs(
        make_pairs(["ad"]), make_pairs(["ab", "ac"]), answer("ab", "ac"), images=images
    )
    assert pairs["pair_id"].tolist() == ["ab", "ad"]


def test_weighted_scores_rest_on_the_last_wave_and_say_so_and_raw_ones_on_all():
    clusters = pd.DataFrame({"image_id": list("abcd"), "cluster": [0, 0, 0, 1]})
    gold = pd.concat([make_pairs(["ab", "ac"]).assign(same=[True, False], wave=1),
                      make_pairs(["bc", "ad"], 0.25).assign(same=[True, False], wave=2)])  # fmt: skip
    for weights in ("inclusion_probability", gold[["pair_id", "stratum", "inclusion_probability", "wave"]]):
        given = gold if isinstance(weights, str) else gold.drop(columns="wave")
        found = vc.score_pairs(clusters, given.reset_index(drop=True), weights=weights)
        precision = found[found["measure"].eq("precision")].set_index("weighting")
        assert precision["estimate"].round(3).to_dict() == {"raw": 0.667, "design-weighted": 1.0}
        assert precision["n"].to_dict() == {"raw": 3, "design-weighted": 1}
        assert "rests on the 2 pairs of wave 2, not on the 2 of other waves" in precision["reason"].iloc[1]
        assert "wave" not in precision["reason"].iloc[0]
    table = vc.compare_configurations({"one": clusters}, gold, weights="inclusion_probability")
    assert table["precision"].tolist() == [1.0]
    assert "wave 2" in table["reason"].iloc[0]


def test_a_wave_that_is_judged_in_part_is_said_to_lean_to_the_images_of_then():
    pairs = vc.keep_answered_pairs(
        make_pairs(["ab", "ad"], 0.2), make_pairs(["ab", "ac"]), answer("ab", "ac")
    )
    said = answer("ab", "ac").assign(annotator="ana", answer=["same", "different"], seconds=1.0)
    said = said.assign(answered_at="2026-01-05T10:00:00Z", retracts=None)
    clusters = pd.DataFrame({"image_id": list("abcd"), "cluster": [0, 0, 0, 1]})
    gold = vc.resolve(said, pairs=pairs).gold
    scores = vc.score_pairs(clusters, gold, weights="inclusion_probability")
    assert "50% of wave 2 is judged" in scores["reason"].iloc[-1]
    more = pd.concat([said, said.head(1).assign(item_id="ad")])
    gold = vc.resolve(more, pairs=pairs).gold
    scores = vc.score_pairs(clusters, gold, weights="inclusion_probability")
    assert "is judged" not in scores["reason"].iloc[-1]


@pytest.mark.slow
def test_over_many_second_waves_the_weighted_share_of_same_pairs_is_unbiased_and_the_pooled_one_is_not():
    # A first wave of 12 images, most alike; a second adds 12 that are not. The truth is of all 276 pairs.
    ids = [f"i{number:02}" for number in range(24)]
    kinds = dict(zip(ids, [0] * 12 + list(range(1, 13)), strict=True))
    x = np.random.default_rng(0).normal(size=(24, 2))
    everything = pd.DataFrame({"image_id": ids, "cluster": 0})
    truth = (12 * 11 / 2) / (24 * 23 / 2)
    weighted, pooled = [], []
    for seed in range(120):
        first = vc.sample_pairs(everything[:12], x[:12], n_pairs=30, strata={"within": 1}, seed=seed)
        second = vc.sample_pairs(everything, x, n_pairs=30, strata={"within": 1}, seed=seed + 1000)
        pairs = vc.keep_answered_pairs(second, first, first.rename(columns={"pair_id": "item_id"}))
        same = [kinds[a] == kinds[b] for a, b in zip(pairs["image_a"], pairs["image_b"], strict=True)]
        # One cluster holds all images, so that precision is the share of pairs that are the same.
        scores = vc.score_pairs(
            everything, pairs.assign(same=same), weights="inclusion_probability", n_bootstrap=1
        )
        weighted.append(scores.query("measure == 'precision' and weighting != 'raw'")["estimate"].item())
        pooled.append(np.average(same, weights=1 / pairs["inclusion_probability"]))
    # Four standard errors of a mean of 120 surveys.
    assert abs(np.mean(weighted) - truth) < 4 * np.std(weighted) / np.sqrt(120)
    assert np.mean(pooled) - truth > 4 * np.std(pooled) / np.sqrt(120)
