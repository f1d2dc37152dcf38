"""Tables of other tools: what is used is checked and made one of ours, what is not used may be missing."""

import io
import re

import pandas as pd
import pytest

import visclust as vc
from visclust.base.columns import check_clusters, check_frames, check_gold


def clusters(*labels, ids=None):
    return pd.DataFrame(
        {"image_id": list("abcdefgh")[: len(labels)] if ids is None else ids, "cluster": labels}
    )


@pytest.mark.parametrize(
    "labels",
    [[3.0, -1.0], ["3", "-1"], ["3.0", "-1.0"], pd.array([3, -1], dtype="Int64"), pd.Categorical([3, -1])],
)
def test_whole_numbers_come_back_as_such_however_they_were_kept(labels):
    given = pd.DataFrame({"image_id": ["a", "b"], "cluster": labels})
    before = given.copy()
    found = check_clusters(given)
    assert found["cluster"].dtype == "int64"
    assert found["cluster"].tolist() == [3, -1]
    pd.testing.assert_frame_equal(given, before)


def test_a_table_that_is_right_is_not_copied():
    given = clusters(0, -1)
    assert check_clusters(given) is given


@pytest.mark.parametrize("wrong", [True, pd.Timestamp("2020-01-01"), float("inf"), 1e300, "nan", [1]])
def test_what_could_be_mistaken_for_a_number_is_none(wrong):
    with pytest.raises(ValueError, match="1 whose cluster is no whole number"):
        check_clusters(pd.DataFrame({"image_id": ["a", "b"], "cluster": pd.Series([0, wrong], dtype=object)}))


def test_truth_values_are_no_clusters():
    with pytest.raises(ValueError, match="2 whose cluster is no whole number"):
        check_clusters(clusters(True, False))  # noqa: FBT003


def test_ids_that_a_csv_file_made_numbers_are_refused_with_what_to_do():
    table = pd.read_csv(io.StringIO("image_id,cluster\n007,0\n008,1\n"))
    with pytest.raises(ValueError, match=re.escape("2 whose image_id is no text (7, 8; read or turn")):
        check_clusters(table)


def test_many_faults_are_counted_and_the_first_shown():
    with pytest.raises(ValueError, match=re.escape("5 without a cluster ('a', 'b', 'c' and 2 more)")):
        check_clusters(clusters(*[None] * 5))


def test_the_table_is_called_as_its_user_knows_it():
    with pytest.raises(ValueError, match="in the clusters table of run 'theirs'"):
        vc.compare_runs({"ours": clusters(0, 1), "theirs": clusters(0, None)})


def test_an_empty_table_is_one_of_no_clusters():
    assert check_clusters(pd.DataFrame({"image_id": [], "cluster": []}))["cluster"].dtype == "int64"


def test_iterations_and_silhouettes_are_missing_where_another_tool_gave_none():
    found = vc.summarize_clusters(clusters(0, 0, -1))
    assert found["size"].tolist() == [2, 1]
    assert found[["silhouette", "iteration"]].isna().all(axis=None)


def test_silhouettes_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="Expected numbers in the column 'silhouette'"):
        vc.summarize_clusters(clusters(0, 0).assign(silhouette="high"))


def test_frames_of_a_csv_file_are_taken_and_one_of_no_cluster_is_not():
    assert check_frames(pd.DataFrame({"cluster": [1.0], "frame": ["march"]}))["cluster"].tolist() == [1]
    with pytest.raises(ValueError, match=re.escape("1 without a cluster ('march')")):
        check_frames(pd.DataFrame({"cluster": [None], "frame": ["march"]}))


def gold(**changes):
    return pd.DataFrame({"image_a": ["a", "b"], "image_b": ["c", "d"], "same": [True, False], **changes})


@pytest.mark.parametrize("same", [[True, False], [1, 0], [1.0, 0.0], pd.Series([True, False], dtype=object)])
def test_gold_needs_two_images_and_whether_they_are_the_same(same):
    assert check_gold(gold(same=same))["same"].tolist() == [True, False]


@pytest.mark.parametrize("same", [["yes", "no"], [2, 0], [0.5, 1.0]])
def test_other_words_for_the_same_are_not_guessed(same):
    with pytest.raises(ValueError, match="'same' of the gold table should hold True or False"):
        check_gold(gold(same=same))


@pytest.mark.parametrize("column", ["image_a", "same"])
def test_gold_has_no_gaps(column):
    with pytest.raises(ValueError, match=f"{column} is missing in some"):
        check_gold(gold().astype(object).assign(**{column: [None, gold()[column][1]]}))


def test_a_pair_judged_twice_is_found_without_names_too():
    with pytest.raises(ValueError, match=re.escape("('a', 'c') comes twice")):
        check_gold(gold(image_a=["a", "c"], image_b=["c", "a"]))


def test_weights_by_pair_need_the_names_of_pairs():
    pairs = pd.DataFrame({"pair_id": ["p", "q"], "inclusion_probability": 0.5})
    with pytest.raises(ValueError, match="pair_id is missing"):
        vc.score_pairs(clusters(0, 0, 0, 1), gold(), weights=pairs)
    scored = vc.score_pairs(clusters(0, 0, 0, 1), gold(pair_id=["p", "q"]), weights=pairs, n_bootstrap=9)
    assert set(scored["weighting"]) == {"raw", "design-weighted"}


def test_images_need_ids_paths_and_states_only():
    images = pd.DataFrame(
        {"image_id": ["a", "b"], "path": ["1.jpg", "2.jpg"], "status": ["ok", "unreadable"]}
    )
    assert vc.select_usable(images)["image_id"].tolist() == ["a"]
    assert vc.find_duplicates(images).groups["representative"].tolist() == ["a", "b"]
    posts = pd.DataFrame({"post_id": ["p"], "media": [["1.jpg", "2.jpg"]]})
    assert vc.link_posts(posts, images)["image_id"].tolist() == ["a"]
