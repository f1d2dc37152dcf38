import json

import numpy as np
import pandas as pd
import pytest

import visclust as vc


@pytest.fixture
def model():
    clusters = pd.DataFrame({"image_id": list("abcdef"), "cluster": [0, 0, 0, 3, 3, -1]})
    return vc.make_cluster_model(np.random.default_rng(0).normal(size=(6, 3)), clusters)


def test_a_model_comes_back_to_the_last_bit_and_assigns_alike(model, tmp_path):
    vc.save_cluster_model(model, tmp_path, name="ours")
    again = vc.load_cluster_model(tmp_path, name="ours")
    pd.testing.assert_frame_equal(again.table, model.table, check_exact=True)
    assert np.array_equal(again.centers, model.centers)
    assert (again.space, again.quantile) == (model.space, model.quantile)
    new = np.random.default_rng(1).normal(size=(5, 3))
    pd.testing.assert_frame_equal(vc.assign_new(new, again), vc.assign_new(new, model))


def test_the_files_are_plain_and_tell_what_the_model_was_made_from(model, tmp_path):
    path = vc.save_cluster_model(model, tmp_path, name="ours")
    assert np.load(path, allow_pickle=False).shape == (2, 3)
    record = json.loads(path.with_suffix(".json").read_text())["provenance"]
    assert record["function"] == "make_cluster_model"
    assert set(record["inputs"]) == {"x", "clusters"}


def test_a_model_that_was_changed_by_hand_is_refused(model, tmp_path):
    path = vc.save_cluster_model(model, tmp_path, name="ours")
    side = path.with_suffix(".json")
    content = json.loads(side.read_text())
    content["clusters"][0]["threshold"] = 99.0
    side.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="not as they were saved"):
        vc.load_cluster_model(tmp_path, name="ours")


def test_a_file_that_is_no_model_is_refused_and_a_missing_one_named(model, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"ours\.npy is missing"):
        vc.load_cluster_model(tmp_path, name="ours")
    path = vc.save_cluster_model(model, tmp_path, name="ours")
    path.with_suffix(".json").write_text("{}")
    with pytest.raises(ValueError, match="is no sidecar of a model"):
        vc.load_cluster_model(tmp_path, name="ours")


def test_a_name_that_is_no_file_name_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="plain file name"):
        vc.save_cluster_model(model, tmp_path, name="../ours")
