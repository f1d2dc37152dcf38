import pandas as pd
import pytest
from PIL import Image

import visclust as vc
from visclust.images.hashes import pack_hashes


def test_hashes_are_those_of_the_package(folder):
    import imagehash

    images = vc.index_images(folder, progress=False)
    hashes = vc.hash_images(images, progress=False).set_index("image_id")["hash"]
    (image_id,) = images.loc[images["path"].eq(str(folder / "a.png")), "image_id"]
    assert hashes[image_id] == str(imagehash.phash(Image.open(folder / "a.png")))


def test_cached_hashes_are_read_and_completed(folder, tmp_path_factory, monkeypatch):
    cache = tmp_path_factory.mktemp("cache") / "hashes.parquet"
    images = vc.index_images(folder, progress=False)
    first = vc.hash_images(images.iloc[:3], cache=cache, progress=False)
    whole = vc.hash_images(images, cache=cache, progress=False)
    pd.testing.assert_frame_equal(whole.head(len(first)), first)
    monkeypatch.setattr("visclust.images.hashes._hash_file", None)  # any new hash would fail
    pd.testing.assert_frame_equal(vc.hash_images(images, cache=cache, progress=False), whole)


def test_hashes_of_another_version_are_not_used(folder, tmp_path_factory, monkeypatch):
    cache = tmp_path_factory.mktemp("cache") / "hashes.parquet"
    images = vc.index_images(folder, progress=False)
    with monkeypatch.context() as patch:
        patch.setattr("visclust.images.hashes.describe_hashes", lambda: {"imagehash": "0"})
        patch.setattr("visclust.images.hashes._hash_file", lambda i, _: (i, "0" * 16, "ok", ""))
        vc.hash_images(images, cache=cache, progress=False)
    assert "0" * 16 not in set(vc.hash_images(images, cache=cache, progress=False)["hash"])


def test_some_other_file_is_no_cache(folder, tmp_path_factory):
    images = vc.index_images(folder, progress=False)
    other = tmp_path_factory.mktemp("cache") / "other.parquet"
    images.to_parquet(other)
    for path in (other, folder / "broken.png"):
        with pytest.raises(ValueError, match=r"Expected .*hashes"):
            vc.hash_images(images, cache=path, progress=False)


def test_hashes_are_packed_into_the_bits_that_their_digits_say():
    assert pack_hashes(["00000000000000ff", "8000000000000000"]).tolist() == [255, 2**63]
    assert pack_hashes([]).dtype == "uint64"
