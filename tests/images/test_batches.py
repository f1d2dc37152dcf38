import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from visclust.images.batches import ImageFile, iterate_batches, list_files, map_ahead, read_unchanged


@pytest.fixture
def files(tmp_path):
    """Files whose pixels are 0, 1, 2 and so on, in a format that keeps them."""

    def make(n):
        made = []
        for number in range(n):
            path = tmp_path / f"{number}.png"
            Image.new("RGB", (4, 3), (number, number, number)).save(path)
            made.append(ImageFile(hashlib.sha256(path.read_bytes()).hexdigest()[:32], str(path)))
        return made

    return make


def to_tensor(image):
    return torch.from_numpy(np.array(image, dtype=np.float32)).permute(2, 0, 1)


@pytest.mark.parametrize(("workers", "overlap"), [(0, True), (3, True), (3, False)])
def test_batches_come_in_the_order_of_the_files_and_the_last_may_be_smaller(files, workers, overlap):
    options = {"transform": to_tensor, "min_side": None, "workers": workers, "overlap": overlap}
    batches = list(iterate_batches(files(5), batch_size=2, **options))
    assert [tuple(batch.shape) for batch in batches] == [(2, 3, 3, 4), (2, 3, 3, 4), (1, 3, 3, 4)]
    assert [int(image[0, 0, 0]) for batch in batches for image in batch] == [0, 1, 2, 3, 4]
    assert list(iterate_batches([], batch_size=2, **options)) == []


def test_mapping_ahead_keeps_the_order_and_makes_no_more_than_it_may():
    begun = []

    def note(number):
        begun.append(number)
        return -number

    with ThreadPoolExecutor(2) as pool:
        results = map_ahead(pool, note, range(20), ahead=3)
        assert [next(results), next(results)] == [0, -1]
        assert len(begun) <= 2 + 3  # two were taken, three may be ready
        assert list(results) == [-number for number in range(2, 20)]


def test_an_image_is_read_only_as_long_as_its_bytes_are_those_of_its_id(files, tmp_path):
    (file,) = files(1)
    assert read_unchanged(file, None).size == (4, 3)
    Image.new("RGB", (4, 3), "red").save(file.path)
    with pytest.raises(ValueError, match=r"its bytes have changed.* finished chunks"):
        read_unchanged(file, None)
    with pytest.raises(ValueError, match=r"none\.png to be readable as it was when"):
        read_unchanged(ImageFile("a", str(tmp_path / "none.png")), None)


def test_an_image_with_two_usable_rows_is_refused(make_images):
    with pytest.raises(ValueError, match="'a' has several"):
        list_files(make_images("aba").assign(path=["1.png", "2.png", "3.png"]))


def test_files_to_embed_must_all_be_there(make_images, files, tmp_path):
    files(2)
    images = make_images(["0", "1"]).assign(path=["0.png", "1.png"])
    assert list_files(images, folder=tmp_path) == [
        ImageFile("0", str(tmp_path / "0.png")), ImageFile("1", str(tmp_path / "1.png"))]  # fmt: skip
    (tmp_path / "1.png").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"Expected 2 image files, but 1 of them are not there.*1\.png"
    ):
        list_files(images, folder=tmp_path)
