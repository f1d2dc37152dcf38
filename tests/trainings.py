"""Trainings that take a moment, and what their tests compare; a killed process imports them too."""

import pandas as pd
from small_encoders import tiny_encoder

import visclust as vc
from visclust.finetuning.network import TrainingSettings


def make_settings(**changed):
    """Give the settings of a training of one epoch, as `finetune` checks and completes them."""
    settings = TrainingSettings(
        layers="all",
        epochs=1,
        learning_rate=0.1,
        batch_size=2,
        weight_rare=False,
        views=0,
        held_out=0.2,
        image_size=8,
        precision="float32",
        seed=0,
        workers=0,
        n_bootstrap=10,
    )
    return settings._replace(**changed)


def train(labelled, path, **options):
    """Fine-tune the tiny encoder for three epochs on images and labels, one group per image unless given."""
    images, labels = labelled
    # Hashing the images for copies takes longer than such a training.
    groups = pd.Series(images["image_id"].to_numpy(), index=images["image_id"])
    options = {
        "groups": groups,
        "encoder": tiny_encoder(),
        "epochs": 3,
        "batch_size": 8,
        "n_bootstrap": 50,
        "workers": 0,
        "progress": False,
        **options,
    }
    return vc.finetune(images, options.pop("labels", labels), save_to=path, **options)


def assert_same_result(one, other):
    """The files are the same to the last byte, and the tables but for the seconds that were measured."""
    assert one.weights.read_bytes() == other.weights.read_bytes()
    for name in ("curve", "scores", "split", "predictions"):
        left, right = (
            getattr(each, name).drop(columns=getattr(each, name).filter(like="seconds"))
            for each in (one, other)
        )
        pd.testing.assert_frame_equal(left, right, check_exact=True)
    assert one.stop_reason == other.stop_reason
