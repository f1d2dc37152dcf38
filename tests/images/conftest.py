"""A folder of images and near copies, which hashes and duplicates are tested on."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def folder(tmp_path):
    """An image, the same smaller, its bytes again, another image, two plain ones, a broken file."""
    rng = np.random.default_rng(0)
    for name, size in {"a": 6, "other": 7}.items():
        noise = Image.fromarray(rng.integers(0, 256, (size, size, 3), dtype=np.uint8))
        noise.resize((300, 200), Image.Resampling.BICUBIC).save(tmp_path / f"{name}.png")
    Image.open(tmp_path / "a.png").resize((150, 100)).save(tmp_path / "0_small.jpg")
    (tmp_path / "b_copy.png").write_bytes((tmp_path / "a.png").read_bytes())
    Image.new("RGB", (40, 40), "black").save(tmp_path / "plain_black.png")
    Image.new("RGB", (40, 40), "white").save(tmp_path / "plain_white.png")
    (tmp_path / "broken.png").write_text("not an image")
    return tmp_path
