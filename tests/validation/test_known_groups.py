import numpy as np
import pandas as pd
import pytest

import visclust as vc


def score(clusters, groups):
    table = pd.DataFrame({"image_id": clusters["image_id"], "group": list(groups)})
    return vc.score_against_groups(clusters, table).iloc[0]


def test_the_clusters_that_are_the_groups_score_one(make_clusters):
    found = score(make_clusters([3, 3, 7, 7]), "aabb")
    assert found[["pair_precision", "pair_recall", "pair_f1", "adjusted_rand"]].tolist() == [1, 1, 1, 1]


def test_the_toy_of_figure_4(make_clusters):
    one = score(make_clusters([0] * 10), "aaaaabbbbb")
    assert one["pair_precision"] == pytest.approx(20 / 45)
    assert one["pair_recall"] == 1
    split = score(make_clusters([0, 0, 0, 1, 1, 2, 2, 2, 3, 3]), "aaaaabbbbb")
    assert split["pair_precision"] == 1
    assert split["pair_recall"] == pytest.approx(8 / 20)


def test_unassigned_images_are_with_no_other(make_clusters):
    found = score(make_clusters([0, 0, -1, -1]), "aabb")
    assert found["pair_recall"] == pytest.approx(1 / 2)
    assert found["unassigned"] == 2


def test_all_apart_has_no_precision(make_clusters):
    assert np.isnan(score(make_clusters([-1, -1, -1]), "aab")["pair_precision"])


def test_an_image_without_a_group_is_an_error(make_clusters):
    with pytest.raises(ValueError, match="1 of 3 images have no known group"):
        score(make_clusters([0, 0, 0]), ["a", "a", None])
