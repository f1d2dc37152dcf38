import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.embedding.embed import Embedding


def _make_clusters(labels):
    return pd.DataFrame({"image_id": [str(i) for i in range(len(labels))], "cluster": labels})


def _embed(x, weights="abc", **more):
    record = {"function": "embed_images", "parameters": {"encoder": "some", "weights_digest": weights}}
    ids = more.get("ids") or [str(i) for i in range(len(x))]
    return Embedding(np.asarray(x, dtype="float32"), ids, record)


def test_new_images_go_to_the_nearest_cluster_and_far_ones_are_flagged(xp, blobs):
    x, groups = blobs([120, 110])
    model = vc.make_cluster_model(xp(x), _make_clusters(groups))
    found = vc.assign_new(xp(np.vstack([x[:1], x[-1:], x[:1] + 3])), model, image_ids=["a", "b", "c"])
    assert found["image_id"].tolist() == ["a", "b", "c"]
    assert found["cluster"].tolist()[:2] == [0, 1]
    assert found["perhaps_new"].tolist() == [False, False, True]
    centre = x[groups == 0].mean(axis=0)
    assert found["distance"][0] == pytest.approx(np.linalg.norm(x[0] - centre), rel=1e-5)


def test_images_of_the_same_kind_are_flagged_no_more_often_than_promised():
    rng = np.random.default_rng(0)
    flagged = []
    for _ in range(60):
        x = rng.normal(size=(60, 5))
        model = vc.make_cluster_model(x, _make_clusters(np.repeat([0, 1], [40, 20])), quantile=0.9)
        new = vc.assign_new(rng.normal(size=(40, 5)), model._replace(centers=model.centers[[0, 0]]))
        flagged.append(new["perhaps_new"].mean())
    promised = model.table["false_alarm"][0]
    assert promised == pytest.approx(1 - 37 / 41)
    # Four standard errors; that one member moves the centre of 40 counts for less.
    assert abs(np.mean(flagged) - promised) < 4 * np.std(flagged) / len(flagged) ** 0.5 + 0.005


def test_few_members_say_how_often_their_like_is_flagged_and_one_says_nothing():
    x = np.array([[0.0], [2.0], [1.0], [50.0]])
    model = vc.make_cluster_model(x, _make_clusters([7, 7, 7, 9]))
    assert model.table["false_alarm"].round(3).tolist()[0] == 0.25
    assert model.table["threshold"].tolist()[0] == pytest.approx(
        1.5
    )  # 1 to the mean of all, 1.5 to the others'
    found = vc.assign_new(np.array([[49.0]]), model)
    assert found["cluster"].tolist() == [9]
    assert found["perhaps_new"].isna().all()


def test_how_many_of_the_unassigned_would_be_flagged_is_told():
    x = np.array([[0.0], [1.0], [2.0], [0.9], [30.0]])
    model = vc.make_cluster_model(x, _make_clusters([0, 0, 0, -1, -1]))
    assert model.unassigned_flagged == 0.5


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (_embed(np.zeros((2, 3))), "of 2 dimensions, as those of the model, got 3"),
        (
            _embed(np.zeros((2, 2)), weights="xyz"),
            "encoder of the model, some with weights abc, got some with",
        ),
    ],
)
def test_rows_of_another_dimension_or_encoder_are_refused(new, said):
    model = vc.make_cluster_model(_embed([[0, 1], [1, 1], [9, 9], [8, 9]]), _make_clusters([0, 0, 1, 1]))
    with pytest.raises(ValueError, match=said):
        vc.assign_new(new, model)


def test_rows_prepared_otherwise_or_anew_are_refused_and_those_put_in_place_are_taken():
    rng = np.random.default_rng(0)
    old, new = _embed(rng.normal(size=(30, 6))), _embed(rng.normal(size=(30, 6)) + 1)
    prepared = vc.prepare_rows(old, how="pca", n_components=3, progress=False)
    model = vc.make_cluster_model(prepared, _make_clusters(np.arange(30) % 2))
    with pytest.raises(ValueError, match="prepared by 'pca', got 'unit'"):
        vc.assign_new(vc.prepare_rows(_embed(np.ones((2, 3))), how="unit", progress=False), model)
    with pytest.raises(ValueError, match="but anew, from other images"):
        vc.assign_new(vc.prepare_rows(new, how="pca", n_components=3, progress=False), model)
    assert len(vc.assign_new(vc.apply_preparation(new, prepared), model)) == 30


def test_what_the_records_do_not_tell_is_said(capsys):
    x = np.array([[0.0], [1.0], [9.0]])
    vc.assign_new(x, vc.make_cluster_model(x, _make_clusters([0, 0, 0])))
    assert "Not checked, since the records do not tell it of both: how the rows" in capsys.readouterr().out


def test_the_clusters_of_other_images_are_refused():
    other = _make_clusters([0, 0, 1]).assign(image_id=["x", "y", "z"])
    with pytest.raises(ValueError, match="3 of the images are not in it"):
        vc.make_cluster_model(_embed([[0.0], [1.0], [9.0]]), other)


def test_drift_is_the_share_flagged_by_period_beside_what_is_expected():
    times = ["2018-01-30"] * 40 + ["2018-02-01"] * 40 + [None]
    assigned = pd.DataFrame({"perhaps_new": [False] * 39 + [True] + [True] * 20 + [False] * 20 + [pd.NA]})
    assigned = assigned.assign(relative_distance=1.0, false_alarm=0.01, day=pd.to_datetime(times))
    drift = vc.measure_drift(assigned, time="day")
    assert drift["images"].tolist() == [40, 40, 1]
    assert drift["share"].round(3).tolist()[:2] == [0.025, 0.5]
    assert drift["judged"].tolist()[2] == 0
    # prop.test(20, 40, correct = FALSE)$conf.int
    assert drift.loc[1, ["low", "high"]].tolist() == pytest.approx([0.35199527, 0.64800473])
    assert drift["expected"].tolist()[0] == pytest.approx(0.01)
    assert drift["period"].isna().tolist() == [False, False, True]


def test_the_figure_of_drift_has_its_two_panels_without_the_images_of_no_time():
    drift = vc.measure_drift(
        pd.DataFrame(
            {
                "perhaps_new": [True, False, False],
                "relative_distance": 1.5,
                "false_alarm": 0.01,
                "time": pd.to_datetime(["2018-01-01", "2018-01-02", None]),
            }
        )
    )
    chart = vc.plot_drift(drift)
    assert len(chart.vconcat) == 2
    assert drift["images"].tolist() == [2, 1]
