"""The parts of fine-tuning: crops, the split, scores with intervals, batches, and the figures."""

import hashlib

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings, strategies as st
from PIL import Image
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from visclust.embedding.embed import Embedding
from visclust.embedding.encoders import load_encoder
from visclust.embedding.figures import (
    list_embedding_values,
    plot_channels,
    plot_embedding_values,
    split_channels,
)
from visclust.finetuning.batches import (
    CachedBatches,
    ImageBatches,
    TrainingImages,
    _draw_crop,
    cache_activations,
    order_batches,
)
from visclust.finetuning.labels import match_groups, split_labelled
from visclust.finetuning.network import choose_precision
from visclust.finetuning.plots import plot_feature_scores, plot_training
from visclust.finetuning.scores import _measure_all, average_precisions, score_features
from visclust.images.batches import ImageFile
from visclust.images.reading import read_image


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Three images, their files, and TrainingImages of them for EfficientNet-Lite0 at 32 pixels."""
    folder = tmp_path_factory.mktemp("pictures")
    files, rng = [], np.random.default_rng(0)
    for number, size in enumerate([(90, 60), (50, 70), (40, 40)]):
        path = folder / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)).save(path)
        files.append(ImageFile(hashlib.sha256(path.read_bytes()).hexdigest()[:32], str(path)))
    encoder = load_encoder("efficientnet_lite0")
    return files, TrainingImages(files, encoder, image_size=32, seed=5), encoder


@given(width=st.integers(1, 300), height=st.integers(1, 300), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=60)
def test_a_crop_lies_inside_the_image_and_is_not_empty(width, height, seed):
    left, top, right, bottom = _draw_crop(width, height, rng=np.random.default_rng(seed))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


def test_crops_have_the_areas_and_aspects_of_imagenet_training():
    rng = np.random.default_rng(0)
    boxes = np.array([_draw_crop(400, 400, rng=rng) for _ in range(2000)])
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    # Sides are rounded to whole pixels, which moves the ratio by at most 1 / 113 where a crop is smallest.
    assert (wide / high).min() > 3 / 4 - 0.02
    assert (wide / high).max() < 4 / 3 + 0.02
    assert (wide * high / 160_000).min() > 0.07
    # Uniform from .08 to 1 has mean .54; large crops that do not fit are drawn again, so it is a bit less.
    assert 0.45 < (wide * high / 160_000).mean() < 0.54


def test_an_augmented_image_depends_on_seed_epoch_and_image_alone(pictures):
    files, images, encoder = pictures
    first = images.give_augmented(1, 7)
    again = TrainingImages(files[1:], encoder, image_size=32, seed=5)
    assert torch.equal(again.give_augmented(0, 7), first)
    assert not torch.equal(images.give_augmented(1, 8), first)
    other = TrainingImages(files, encoder, image_size=32, seed=6)
    assert not torch.equal(other.give_augmented(1, 7), first)


def test_about_half_of_the_augmented_images_are_flipped(tmp_path):
    pixels = np.zeros((40, 40, 3), dtype=np.uint8)
    pixels[:] = (np.arange(40) * 6)[None, :, None]
    Image.fromarray(pixels).save(tmp_path / "ramp.png")
    files = [ImageFile("", str(tmp_path / "ramp.png"))]  # every digest starts with an empty id
    images = TrainingImages(files, load_encoder("efficientnet_lite0"), image_size=16, seed=0)
    flipped = [
        bool((tensor[0, :, 0] > tensor[0, :, -1]).all())
        for tensor in (images.give_augmented(0, epoch) for epoch in range(200))
    ]
    # 200 fair draws stay within 70 and 130 but for one time in 50,000; the seed is fixed besides.
    assert 70 < sum(flipped) < 130


def test_a_plain_image_is_as_the_encoder_has_it(pictures):
    files, _, encoder = pictures
    images = TrainingImages(files, encoder, image_size=None, seed=0)
    assert torch.equal(images.give_plain(0), encoder.transform(read_image(files[0].path)))


def test_images_that_do_not_fit_into_memory_are_decoded_again_with_the_same_result(pictures):
    files, images, encoder = pictures
    forgetful = TrainingImages(files, encoder, image_size=32, seed=5)
    forgetful._room = 0
    assert torch.equal(forgetful.give_augmented(0, 1), images.give_augmented(0, 1))
    assert forgetful._kept == {}
    assert images._kept


def test_an_encoder_with_a_transform_of_its_own_kind_is_refused(pictures):
    files, _, encoder = pictures
    with pytest.raises(ValueError, match="PixelScaling"):
        TrainingImages(files, encoder._replace(transform=torch.nn.Identity()), image_size=None, seed=0)


def test_cached_activations_are_those_of_the_plain_image_and_of_views(pictures):
    _, images, _ = pictures
    batches = ImageBatches(images, workers=2)
    cached = cache_activations(torch.nn.Flatten(), batches, views=2, batch_size=2, progress=False)
    assert cached.shape == (3, 3, 3 * 32 * 32)
    assert torch.equal(cached[0, 2], images.give_plain(2).flatten())
    assert torch.equal(cached[2, 1], images.give_augmented(1, 2).flatten())


def test_an_epoch_shows_each_image_in_one_of_its_views_and_plain_batches_show_none():
    values = torch.arange(40.0).reshape(4, 10, 1)
    source = CachedBatches(values, seed=0)
    rows = np.arange(10)
    plain = next(source.iterate([rows], epoch=None)).flatten()
    assert plain.tolist() == list(range(10))
    shown = [next(source.iterate([rows], epoch=epoch)).flatten() for epoch in (1, 2)]
    assert all((values.long() % 10).flatten()[each.long()].tolist() == list(range(10)) for each in shown)
    assert not torch.equal(*shown)


def test_an_epoch_s_batches_hold_every_row_once_in_an_order_of_their_own():
    rows = np.arange(3, 20)
    one, two = (order_batches(rows, batch_size=5, seed=0, epoch=epoch) for epoch in (1, 2))
    assert sorted(np.concatenate(one)) == sorted(np.concatenate(two)) == rows.tolist()
    assert np.concatenate(one).tolist() != np.concatenate(two).tolist()
    assert [len(batch) for batch in one] == [5, 5, 5, 2]


@given(
    groups=st.lists(st.integers(0, 14), min_size=60, max_size=60),
    answers=st.lists(st.sampled_from([0.0, 1.0, np.nan]), min_size=120, max_size=120),
    seed=st.integers(0, 20),
)
@settings(deadline=None, max_examples=40)
def test_a_group_is_never_on_two_sides(groups, answers, seed):
    groups = np.unique(groups, return_inverse=True)[1]
    targets = np.array(answers).reshape(60, 2)
    try:
        held = split_labelled(targets, groups, features=["a", "b"], held_out=0.3, seed=seed)
    except ValueError as error:
        assert "on both sides" in str(error)
        return
    assert pd.Series(held).groupby(groups).nunique().max() == 1
    for column in targets.T:
        for side in (held, ~held):
            assert {0.0, 1.0} <= set(column[side])


def test_the_split_gives_each_feature_its_share():
    rng = np.random.default_rng(0)
    rates = np.array([0.5, 0.2, 0.05, 0.02])
    targets = (rng.random((500, 4)) < rates).astype(float)
    held = split_labelled(targets, np.arange(500), features=list("abcd"), held_out=0.2, seed=0)
    assert abs(held.mean() - 0.2) < 0.01
    # Single images can be given out, so that each feature is within one image of its fifth.
    assert np.all(np.abs(targets[held].sum(axis=0) - 0.2 * targets.sum(axis=0)) <= 1)


def test_the_split_depends_on_the_seed():
    targets = np.array([[0.0], [1.0]] * 30)
    one, same, other = (
        split_labelled(targets, np.arange(60), features=["a"], held_out=0.2, seed=seed) for seed in (0, 0, 1)
    )
    assert one.tolist() == same.tolist()
    assert one.tolist() != other.tolist()


def test_groups_come_as_a_series_or_a_table_and_an_image_without_one_is_alone():
    table = pd.DataFrame({"image_id": ["a", "b", "b"], "group": [1, 1, 1], "path": ["x", "y", "z"]})
    assert match_groups(table, ["c", "a", "d", "b"]).tolist() == [0, 1, 2, 1]
    assert match_groups(pd.Series({"a": 1, "b": 2}), ["a", "b"]).tolist() == [0, 1]
    with pytest.raises(ValueError, match="image 'a' has several"):
        match_groups(pd.Series([1, 2], index=["a", "a"]), ["a"])
    with pytest.raises(ValueError, match="none of them has one"):
        match_groups(pd.Series({"a": 1}), ["z"])


@given(seed=st.integers(0, 500), levels=st.sampled_from([3, 1000]))
@settings(deadline=None, max_examples=40)
def test_scores_are_those_of_scikit_learn_ties_and_weights_included(seed, levels):
    rng = np.random.default_rng(seed)
    truth = rng.random(25) < 0.4
    truth[:2] = True, False
    score = rng.integers(0, levels, 25) / levels
    weights = np.stack([np.ones(25), np.append([1, 1], rng.integers(0, 4, 23))])
    found = _measure_all(score, truth, weights, 0.5)
    for row, weight in zip(found.T, weights, strict=True):
        expected = [
            average_precision_score(truth, score, sample_weight=weight),
            roc_auc_score(truth, score, sample_weight=weight),
            f1_score(truth, score >= 0.5, sample_weight=weight, zero_division=0),
        ]
        # Sums of at most 100 small whole numbers and their ratios, in float64.
        np.testing.assert_allclose(row, expected, rtol=1e-12, atol=1e-12)


def test_missing_labels_are_left_out_of_the_scores():
    probabilities = np.array([[0.9], [0.8], [0.1], [0.95]])
    scores = score_features(probabilities, np.array([[1.0], [0.0], [0.0], [np.nan]]), features=["a"])
    assert scores["n"].tolist() == [3, 3, 3]
    assert scores["estimate"].tolist()[:2] == [1.0, 1.0]
    assert average_precisions(probabilities, np.array([[0.0], [1.0], [np.nan], [np.nan]])).tolist() == [0.5]


def test_what_guessing_gives_stands_beside_each_score():
    targets = np.array([[1.0], [0.0], [0.0], [0.0]])
    scores = score_features(np.full((4, 1), 0.7), targets, features=["a"]).set_index("measure")
    # All alike: the score of guessing is reached exactly.
    assert scores["by_guessing"].to_dict() == {"average_precision": 0.25, "roc_auc": 0.5, "f1": 0.4}
    assert scores["estimate"].to_dict() == scores["by_guessing"].to_dict()


def test_intervals_are_wider_where_images_are_copies_of_one_another():
    rng = np.random.default_rng(0)
    truth = np.repeat(rng.random(30) < 0.5, 6).astype(float)[:, None]
    score = np.repeat(np.clip(truth[::6, 0] * 0.3 + rng.random(30) * 0.7, 0, 1), 6)[:, None]
    copies = np.repeat(np.arange(30), 6)
    widths = []
    for groups in (None, copies):
        scores = score_features(score, truth, features=["a"], groups=groups).set_index("measure")
        widths.append((scores["high"] - scores["low"])["roc_auc"])
    # Six copies of each: about the square root of six wider.
    assert widths[1] > 1.8 * widths[0]


def test_a_score_that_cannot_be_or_says_little_has_a_reason():
    targets = np.array([[0.0, 1.0, np.nan], [0.0, 0.0, np.nan]])
    scores = score_features(np.full((2, 3), 0.5), targets, features=["none", "few", "unknown"])
    reasons = scores.drop_duplicates("feature").set_index("feature")["reason"]
    assert reasons["none"] == "no positive label"
    assert reasons["few"].startswith("fewer than 5 labels of one kind")
    assert reasons["unknown"] == "no image with a label"
    assert scores.set_index("feature").loc["none", "estimate"].isna().all()


def test_a_cpu_computes_in_float32_unless_asked():
    assert choose_precision("auto", torch.device("cpu")) == "float32"
    assert choose_precision("bfloat16", torch.device("cpu")) == "bfloat16"


def test_the_channels_of_an_image_add_up_to_it(tmp_path):
    pixels = np.zeros((4, 8, 3), dtype=np.uint8)
    pixels[:, 2:6] = (10, 20, 30)  # the square in the middle
    Image.fromarray(pixels).save(tmp_path / "a.png")
    table = split_channels(tmp_path / "a.png", side=2, detail=2)
    assert table.groupby("panel", sort=False)["colour"].unique().str[0].to_dict() == {
        "image": "#0a141e",
        "red": "#0a0000",
        "green": "#001400",
        "blue": "#00001e",
    }
    assert table.loc[table["panel"] == "green", "value"].tolist() == [20.0] * 4
    assert table["in_detail"].all()
    assert plot_channels(table).to_dict()


def test_embedding_values_are_those_of_the_images_asked_for_and_name_the_training():
    trained = {"parameters": {"training": {"layers": "all", "learning_rate": "0.01"}}}
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    embeddings = {
        "pretrained": Embedding(x, ["a", "b", "c"], {}),
        "finetuned_01": Embedding(-x, ["a", "b", "c"], trained),
    }
    table = list_embedding_values(embeddings, of=["c"], n=2)
    assert table["value"].tolist() == [4.0, 5.0, -4.0, -5.0]
    assert table["trained_on"].unique().tolist() == [
        "ImageNet",
        "ImageNet, then labels: all layers, learning rate 0.01",
    ]
    with pytest.raises(ValueError, match="'z'"):
        list_embedding_values(embeddings, of=["z"])
    pixels = pd.DataFrame({"image_id": ["c"], "panel": "image", "row": 0, "column": 0, "colour": "#000000"})
    assert len(plot_embedding_values(table, pixels).to_dict()["vconcat"]) == 1


def test_plots_of_a_training_show_the_tables_rows():
    curve = pd.DataFrame(
        {"epoch": [1, 2], "train_loss": 0.5, "held_out_loss": 0.6, "held_out_average_precision": 0.7}
    )
    data = plot_training(curve).to_dict()["datasets"]
    assert [len(rows) for rows in data.values()] == [2]
    scores = score_features(np.array([[0.9, 0.1], [0.2, 0.3]]), np.eye(2), features=["a", "b"])
    data = plot_feature_scores(scores).to_dict()["datasets"]
    assert [len(rows) for rows in data.values()] == [2, 2, 2]
