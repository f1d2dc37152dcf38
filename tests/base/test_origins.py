"""What tables go back to, and which tables do not belong together."""

import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.base.origins import check_origin, check_same_clusters, find_core, find_root


def make_clusters(cluster=(0, 0, 0, 1, 1, 1)):
    ids = list("abcdefgh")[: len(cluster)]
    return pd.DataFrame({"image_id": ids, "cluster": list(cluster), "iteration": 1, "silhouette": 0.1})


def test_a_table_is_known_by_its_columns():
    clusters = make_clusters()
    assert find_core(clusters).kind == "clusters"
    assert find_core(vc.draw_stratified_sample(clusters)).kind == "sample"
    assert find_core(pd.DataFrame({"cluster": [0], "frame": ["march"]})).kind == "frames"
    assert find_core(pd.DataFrame({"word": ["march"]})) is None


def test_what_makes_no_sample_wrong_is_not_digested():
    clusters = make_clusters()
    core = find_core(clusters)
    assert find_core(clusters.assign(silhouette=0.2, name="march")) == core
    assert find_core(clusters[::-1]) == core
    assert find_core(clusters.astype({"cluster": "float64"})) == core
    assert find_core(clusters.assign(cluster=[0, 0, 1, 1, 1, 1])) != core


def test_images_are_digested_by_the_ids_of_the_usable_ones_in_their_order():
    images = pd.DataFrame(
        {"image_id": ["a", "b", "a"], "path": ["1", "2", "3"], "status": ["ok", "ok", "duplicate"]}
    )
    core = find_core(images)
    assert find_core(images.assign(path=["/moved/1", "/moved/2", "/moved/3"])) == core
    assert find_core(images[:2]) == core
    assert find_core(images[::-1]) != core


def test_a_sample_of_other_clusters_is_refused_by_its_record():
    sample = vc.draw_stratified_sample(make_clusters())
    others = make_clusters([0, 0, 0, 1, 1, 2])
    with pytest.raises(ValueError, match="the clusters that the sample was made from, got another"):
        check_origin(sample, others, what="the sample", made_from="the clusters")
    check_origin(sample, make_clusters(), what="the sample", made_from="the clusters")


def test_the_record_reaches_over_tables_between():
    clusters = make_clusters()
    respondents = pd.DataFrame({"respondent": list("rs"), "group": ["D", "R"]})
    sample = vc.draw_stratified_sample(clusters, max_per_cluster=1)
    assignment = vc.assign_respondents(sample, respondents, per_respondent=2)
    with pytest.raises(ValueError, match="the clusters that the assignment was made from"):
        others = make_clusters([0, 0, 0, 1, 1, 2])
        check_origin(assignment, others, what="the assignment", made_from="the clusters")


def test_rows_chosen_from_the_right_table_pass_and_so_does_a_table_without_a_record():
    clusters = vc.assign_clusters(
        pd.DataFrame(
            {
                "image_id": list("abcd"),
                "path": list("abcd"),
                "status": "ok",
                "reason": "",
                "width": 1,
                "height": 1,
            }
        ),
        vc.cluster_once(np.array([[0.0], [0.1], [9.0], [9.1]]), n_clusters=2),
    )
    sample = vc.draw_stratified_sample(clusters)
    check_origin(sample, clusters[clusters["cluster"] == 0], what="the sample", made_from="the clusters")
    bare = pd.DataFrame(sample.to_dict("list"))
    check_origin(bare, make_clusters(), what="the sample", made_from="the clusters")


def test_images_in_another_cluster_are_refused_without_any_record():
    sample = pd.DataFrame({"image_id": ["a", "d"], "cluster": [0, 1]})
    check_same_clusters(sample, make_clusters(), what="the sample")
    with pytest.raises(ValueError, match="1 of 2 rows of the sample name another cluster"):
        check_same_clusters(sample, make_clusters([0, 0, 0, 2, 1, 1]), what="the sample")
    with pytest.raises(ValueError, match="1 images of the sample are not in the clusters table"):
        check_same_clusters(sample, make_clusters([0, 0, 0]), what="the sample")


def test_files_in_a_subfolder_belong_to_the_results_folder(tmp_path):
    assert find_root(tmp_path / "embeddings" / "x.npy") == tmp_path
    assert find_root(tmp_path / "clusters.parquet") == tmp_path
