import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from PIL import Image

from visclust.finetuning.batches import (
    CachedBatches,
    ImageBatches,
    TrainingImages,
    _draw_crop,
    cache_activations,
    order_batches,
)
from visclust.images.batches import ImageFile
from visclust.images.reading import read_image


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, lite0):
    """Three images, their files, and TrainingImages of them for EfficientNet-Lite0 at 32 pixels."""
    folder = tmp_path_factory.mktemp("pictures")
    files, rng = [], np.random.default_rng(0)
    for number, size in enumerate([(90, 60), (50, 70), (40, 40)]):
        path = folder / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)).save(path)
        files.append(ImageFile(hashlib.sha256(path.read_bytes()).hexdigest()[:32], str(path)))
    return files, TrainingImages(files, lite0, image_size=32, seed=5), lite0


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


def test_about_half_of_the_augmented_images_are_flipped(tmp_path, lite0):
    pixels = np.zeros((40, 40, 3), dtype=np.uint8)
    pixels[:] = (np.arange(40) * 6)[None, :, None]
    Image.fromarray(pixels).save(tmp_path / "ramp.png")
    files = [ImageFile("", str(tmp_path / "ramp.png"))]  # every digest starts with an empty id
    images = TrainingImages(files, lite0, image_size=16, seed=0)
    flipped = [
        bool((tensor[0, :, 0] > tensor[0, :, -1]).all())
        for tensor in (images.give_augmented(0, epoch) for epoch in range(200))
    ]
    # 200 fair draws stay within 70 and 130 but for one time in 50,000; the seed is fixed besides.
    assert 70 < sum(flipped) < 130


def test_a_plain_image_is_as_the_encoder_has_it(pictures):
    files, _, encoder = pictures
    images = TrainingImages(files, encoder, image_size=None, seed=0)
    assert images.size == 224
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


def test_a_last_batch_of_one_row_joins_the_one_before():
    batches = order_batches(np.arange(9), batch_size=4, seed=0, epoch=1)
    assert [len(batch) for batch in batches] == [4, 5]


@pytest.mark.parametrize("workers", [0, 2])
def test_no_rows_are_no_batches(pictures, workers):
    assert list(ImageBatches(pictures[1], workers=workers).iterate([], epoch=None)) == []


def test_activations_beyond_half_of_the_memory_are_refused_with_their_size(pictures, monkeypatch):
    monkeypatch.setattr("visclust.finetuning.batches.memory_at_hand", lambda: 2**10)
    batches = ImageBatches(pictures[1], workers=0)
    with pytest.raises(MemoryError, match=r"more than half of the 0\.0 GB at hand"):
        cache_activations(torch.nn.Flatten(), batches, views=0, batch_size=2, progress=False)
