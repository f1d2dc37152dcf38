import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_samples

import visclust as vc
from visclust.base.tables import UNASSIGNED


def test_one_k_means_assigns_every_image(xp, blobs):
    x, groups = blobs([20, 15, 10])
    result = vc.cluster_once(xp(x), n_clusters=3)
    assert adjusted_rand_score(groups, result.labels) == 1
    # 1e-5: distances are float32.
    np.testing.assert_allclose(
        result.silhouettes, silhouette_samples(x.astype("float64"), result.labels), atol=1e-5
    )


def test_one_k_means_with_one_cluster_has_no_silhouettes():
    result = vc.cluster_once(np.eye(4), n_clusters=1)
    assert np.isnan(result.silhouettes).all()
    assert result.labels.tolist() == [0] * 4


def test_one_k_means_says_when_there_are_fewer_distinct_images():
    result = vc.cluster_once(np.repeat(np.eye(2), 5, axis=0), n_clusters=4)
    assert result.stop_reason == "one k-means; only 2 distinct images"


@pytest.mark.parametrize("n_clusters", [0, 5])
def test_one_k_means_refuses_a_number_outside_1_to_n(n_clusters):
    with pytest.raises(ValueError, match=f"got (n_clusters=)?{n_clusters}"):
        vc.cluster_once(np.eye(4), n_clusters=n_clusters)


def test_the_clusters_table_follows_the_images(blobs, make_images):
    x, _ = blobs([15, 15, 2])
    result = vc.cluster_iteratively(x, step_size=1, convergence_window=1, stop_size=10)
    images = make_images([f"image{i}" for i in range(32)])
    clusters = vc.assign_clusters(images, result)
    assert clusters["image_id"].tolist() == images["image_id"].tolist()
    assert clusters["cluster"].tolist() == result.labels.tolist()
    assert clusters.loc[clusters["cluster"].eq(UNASSIGNED), "silhouette"].isna().all()


def test_unreadable_images_are_no_rows_of_the_clusters_table(make_images):
    images = make_images("abc")
    images.loc[1, "status"] = "unreadable"
    clusters = vc.assign_clusters(images, vc.cluster_once(np.eye(2), n_clusters=2))
    assert clusters["image_id"].tolist() == ["a", "c"]


def test_labels_for_other_images_are_an_error(make_images):
    with pytest.raises(ValueError, match="each of the 3 usable images, got 2"):
        vc.assign_clusters(make_images("abc"), vc.cluster_once(np.eye(2), n_clusters=2))


def test_leftovers_go_to_the_nearest_centre_and_the_others_stay(xp):
    x = np.array([[0.0], [2.0], [10.0], [1.0], [9.0]], dtype="float32")
    labels = np.array([5, 5, 8, UNASSIGNED, UNASSIGNED])
    assert vc.assign_nearest(xp(x), labels).tolist() == [5, 5, 8, 5, 8]
    assert labels.tolist() == [5, 5, 8, -1, -1]


def test_leftovers_need_a_centre_to_go_to():
    with pytest.raises(ValueError, match="at least one assigned image"):
        vc.assign_nearest(np.eye(2), np.array([-1, -1]))


def test_the_summary_puts_the_largest_first_and_the_unassigned_last(make_clusters):
    summary = vc.summarize_clusters(make_clusters([-1, -1, -1, 0, 1, 1]))
    assert summary["cluster"].tolist() == [1, 0, -1]
    assert summary["share"].sum() == pytest.approx(1)


def test_picked_rows_are_repeatable_and_never_unassigned(make_clusters):
    clusters = make_clusters([-1] * 5 + [i // 4 for i in range(40)])
    picked = vc.pick_cluster_rows(clusters, n_clusters=3, n_images=2, seed=1)
    assert picked.equals(vc.pick_cluster_rows(clusters, n_clusters=3, n_images=2, seed=1))
    assert picked["cluster"].value_counts().tolist() == [2, 2, 2]
    assert (picked["cluster"] >= 0).all()


def test_a_curve_of_an_iteration_that_was_not_is_an_error(blobs):
    x, _ = blobs([15, 15])
    log = vc.cluster_iteratively(x).log
    assert vc.list_k_curve(log)["chosen"].sum() == 1
    with pytest.raises(ValueError, match="got 99"):
        vc.list_k_curve(log, iteration=99)


def test_decisions_are_listed_by_cluster_where_samples_made_them(blobs):
    x, _ = blobs([60, 50, 40, 30, 20], spread=0.6)
    options = {"step_size": 2, "stop_size": 5, "similarity_threshold": 0.05}
    result = vc.cluster_iteratively(x, silhouette="adaptive", **options)
    table = vc.list_decisions(result.log)
    assert table.groupby("iteration").size().tolist() == result.log["clusters"].tolist()
    assert table.groupby("iteration")["size"].sum().tolist() == result.log["remaining"].tolist()
    out = (table["low"] > 0.05) | (table["decided_by"].eq("exact") & (table["silhouette"] > 0.05))
    assert out.groupby(table["iteration"]).sum().tolist() == result.log["cohesive"].tolist()
    assert (table["low"] <= table["silhouette"]).all() and (table["silhouette"] <= table["high"]).all()
    exact = vc.cluster_iteratively(x, silhouette="exact", **options)
    assert len(vc.list_decisions(exact.log)) == 0
