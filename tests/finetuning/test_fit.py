import json
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from killed_runs import kill_once
from small_encoders import tiny_encoder
from trainings import assert_same_result, train

from visclust.embedding.weights import read_weights, write_tensors
from visclust.finetuning import fit


class Killed(BaseException):
    pass


@pytest.mark.parametrize("layers", ["all", "last_block"])
@pytest.mark.parametrize("moment", ["after an epoch", "within an epoch"])
def test_a_training_that_was_killed_goes_on_to_the_same_bytes(
    labelled, tmp_path, monkeypatch, layers, moment
):
    views = 0 if layers == "all" else 2
    whole = train(labelled, tmp_path / "whole.safetensors", layers=layers, views=views)
    calls = []

    def fail(name, at):
        original = getattr(fit, name)

        def work(*arguments, **options):
            calls.append(name)
            result = original(*arguments, **options)
            if len(calls) == at:
                raise Killed
            return result

        return work

    with monkeypatch.context() as patched:
        if moment == "after an epoch":
            patched.setattr(fit, "write_checkpoint", fail("write_checkpoint", 2))
        else:
            original = torch.optim.SGD.step

            def step(*arguments, **options):
                calls.append("step")
                if len(calls) == 5:  # three steps are an epoch
                    raise Killed
                return original(*arguments, **options)

            patched.setattr(torch.optim.SGD, "step", step)
        with pytest.raises(Killed):
            train(labelled, tmp_path / "killed.safetensors", layers=layers, views=views)
    assert not (tmp_path / "killed.safetensors").exists()
    assert (tmp_path / "killed.checkpoint.safetensors").exists()
    steps = []
    original = torch.optim.SGD.step
    monkeypatch.setattr(torch.optim.SGD, "step", lambda *a, **o: (steps.append(1), original(*a, **o))[1])
    resumed = train(labelled, tmp_path / "killed.safetensors", layers=layers, views=views)
    assert len(steps) == (3 if moment == "after an epoch" else 6)
    assert_same_result(resumed, whole)
    assert not (tmp_path / "killed.checkpoint.safetensors").exists()


KILLED_TRAINING = """
import sys

import pandas as pd
import torch
from trainings import train

import visclust as vc
from visclust.finetuning import fit

write_checkpoint = fit.write_checkpoint

def write_and_never_end(path, checkpoint, **options):
    write_checkpoint(path, checkpoint, **options)
    if len(checkpoint.record["curve"]) == 20:
        sys.stdin.read()

folder, labels, path = sys.argv[1:]
fit.write_checkpoint = write_and_never_end
torch.set_num_threads(1)
train((vc.index_images(folder, progress=False), pd.read_parquet(labels)), path, epochs=25)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_training_in_a_process_that_is_killed_goes_on_to_the_same_bytes(labelled, tmp_path):
    images, labels = labelled
    labels.to_parquet(tmp_path / "labels.parquet")
    path, checkpoint = tmp_path / "killed.safetensors", tmp_path / "killed.checkpoint.safetensors"
    folder = Path(images["path"].iloc[0]).parent
    kill_once(checkpoint.exists, KILLED_TRAINING, folder, tmp_path / "labels.parquet", path)
    assert not path.exists()
    finished = len(json.loads(read_weights(checkpoint).training["record"])["curve"])
    assert 1 <= finished <= 20
    whole = train(labelled, tmp_path / "whole.safetensors", epochs=25)
    steps = []
    original = torch.optim.SGD.step
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch.optim.SGD, "step", lambda *a, **o: (steps.append(1), original(*a, **o))[1])
        resumed = train(labelled, path, epochs=25)
    assert len(steps) == 3 * (25 - finished)  # three batches are an epoch; finished ones are not done again
    assert_same_result(resumed, whole)
    assert not checkpoint.exists()


def test_the_number_of_workers_changes_nothing(labelled, tmp_path):
    one = train(labelled, tmp_path / "one.safetensors", workers=0)
    assert_same_result(train(labelled, tmp_path / "two.safetensors", workers=3), one)


def test_another_seed_gives_other_weights(labelled, tmp_path):
    one = train(labelled, tmp_path / "one.safetensors", epochs=1)
    other = train(labelled, tmp_path / "other.safetensors", epochs=1, seed=1)
    assert one.weights.read_bytes() != other.weights.read_bytes()


def test_the_caller_s_random_state_and_encoder_are_left_as_they_were(labelled, tmp_path):
    encoder = tiny_encoder()
    before = {name: each.clone() for name, each in encoder.module.state_dict().items()}
    torch.manual_seed(11)
    expected = torch.rand(1)
    torch.manual_seed(11)
    train(labelled, tmp_path / "a.safetensors", encoder=encoder)
    assert torch.rand(1) == expected
    assert all(torch.equal(each, before[name]) for name, each in encoder.module.state_dict().items())
    assert not encoder.module.training


def test_other_settings_train_anew(labelled, tmp_path):
    first = train(labelled, tmp_path / "a.safetensors", epochs=1).weights.read_bytes()
    assert (
        train(labelled, tmp_path / "a.safetensors", epochs=1, learning_rate=0.1).weights.read_bytes() != first
    )


@pytest.mark.parametrize("damage", ["other settings", "cut off"])
def test_a_checkpoint_that_does_not_fit_is_not_used(labelled, tmp_path, damage):
    expected = train(labelled, tmp_path / "expected.safetensors")
    checkpoint = tmp_path / "a.checkpoint.safetensors"
    write_tensors(checkpoint, {"head.weight": torch.zeros(1)}, {"settings": "other", "record": "{}"})
    if damage == "cut off":
        checkpoint.write_bytes(checkpoint.read_bytes()[:20])
    assert_same_result(train(labelled, tmp_path / "a.safetensors"), expected)


def test_the_network_learns_what_can_be_seen(labelled, tmp_path):
    result = train(labelled, tmp_path / "a.safetensors", features=["red"], epochs=15, learning_rate=0.1)
    scores = result.scores.set_index("measure")
    # Red against blue is told by the mean colours, which these few weights hold at the start already.
    assert scores.loc["average_precision", "estimate"] == 1
    assert result.curve["train_loss"].iloc[-1] < result.curve["train_loss"].iloc[0] / 2
    assert result.curve["epoch"].tolist() == list(range(1, 16))
    assert (result.curve.filter(like="seconds") >= 0).all(axis=None)


def test_only_the_last_layer_is_trained_with_head(labelled, tmp_path):
    result = train(labelled, tmp_path / "a.safetensors", layers="head")
    before = tiny_encoder().module.state_dict()
    assert all(torch.equal(each, before[name]) for name, each in read_weights(result.weights).tensors.items())


def test_only_the_last_block_changes_with_last_block(labelled, tmp_path):
    result = train(labelled, tmp_path / "a.safetensors", layers="last_block")
    before = tiny_encoder().module.state_dict()
    changed = {
        name
        for name, each in read_weights(result.weights).tensors.items()
        if not torch.equal(each, before[name])
    }
    assert changed == {"4.weight", "4.bias"}


def test_all_layers_change_with_all(labelled, tmp_path):
    result = train(labelled, tmp_path / "a.safetensors", epochs=1)
    before = tiny_encoder().module.state_dict()
    assert [
        name for name, each in read_weights(result.weights).tensors.items() if torch.equal(each, before[name])
    ] == []


@pytest.mark.parametrize("learning_rate", [1e4, 1e30])
def test_a_learning_rate_that_diverges_says_so_and_keeps_finite_weights(labelled, tmp_path, learning_rate):
    result = train(labelled, tmp_path / "a.safetensors", learning_rate=learning_rate)
    assert result.stop_reason.startswith("diverged in epoch")
    assert "lower learning rate" in result.stop_reason
    assert all(torch.isfinite(each).all() for each in read_weights(result.weights).tensors.values())
    assert read_weights(result.weights).training["stop_reason"] == result.stop_reason


def test_weighting_rare_features_is_on_request_and_recorded(labelled, tmp_path):
    plain = train(labelled, tmp_path / "a.safetensors", epochs=1)
    weighted = train(labelled, tmp_path / "b.safetensors", epochs=1, weight_rare=True)
    assert plain.weights.read_bytes() != weighted.weights.read_bytes()
    assert weighted.provenance["parameters"]["weight_rare"] is True


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": "some"}, "layers"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 1}, "batch_size"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"held_out": 1.0}, "held_out"),
        ({"views": 2}, "views are for frozen layers"),
        ({"precision": "half"}, "precision"),
        ({"epochs": True}, "epochs"),
        ({"learning_rate": "0.1"}, "learning_rate"),
        ({"held_out": "0.2"}, "held_out"),
        ({"seed": None}, "seed"),
        ({"seed": -1}, "seed"),
        ({"n_bootstrap": 0}, "n_bootstrap"),
        ({"features": "red"}, "features to be a list"),
        ({"features": ["image_id"]}, "features that are columns"),
        ({"encoder": tiny_encoder()._replace(source={})}, "source has weights, weights_digest, training"),
        ({"features": ["no such"]}, "features"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(labelled, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        train(labelled, tmp_path / "a.safetensors", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_nothing_can_be_written_to_is_refused_before_training(labelled, tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "match_labels", None)
    (tmp_path / "file").touch()
    (tmp_path / "folder.safetensors").mkdir()
    for path in (tmp_path / "file" / "a.safetensors", tmp_path / "folder.safetensors"):
        with pytest.raises(OSError, match="Expected save_to as a file that can be written"):
            train(labelled, path)


def test_numbers_of_numpy_are_the_same_settings(labelled, tmp_path, monkeypatch):
    first = train(labelled, tmp_path / "a.safetensors", epochs=1, seed=3, learning_rate=0.5)
    monkeypatch.setattr(fit, "train_network", None)
    numbers = {"epochs": np.int64(1), "seed": np.int64(3), "learning_rate": np.float32(0.5)}
    again = train(labelled, tmp_path / "a.safetensors", **numbers)
    pd.testing.assert_frame_equal(again.curve, first.curve)
    monkeypatch.undo()
    assert_same_result(train(labelled, tmp_path / "b.safetensors", **numbers), first)


def test_a_checkpoint_left_beside_a_finished_training_is_deleted(labelled, tmp_path):
    train(labelled, tmp_path / "a.safetensors", epochs=1)
    checkpoint = tmp_path / "a.checkpoint.safetensors"
    checkpoint.touch()
    train(labelled, tmp_path / "a.safetensors", epochs=1)
    assert not checkpoint.exists()


def test_images_without_any_label_are_left_out_and_counted(labelled, tmp_path):
    labels = labelled[1].copy()
    labels.loc[[20, 21], ["red", "other"]] = np.nan
    result = train(labelled, tmp_path / "a.safetensors", labels=labels, epochs=1)
    assert len(result.split) == 28
    assert result.provenance["parameters"]["images_without_label"] == 2
