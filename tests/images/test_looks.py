import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFont

import visclust as vc

WORDS = [
    *("people", "march", "for", "our", "families", "today", "we", "stand", "with", "every", "child", "and"),
    *("mother", "no", "more", "silence", "join", "the", "vote", "now", "tomorrow", "together", "freedom"),
    *("justice", "water", "land", "house", "city", "right", "change", "home", "street", "power", "school"),
]


def write_post(seed, *, n_words=24, size=44, side=800):
    """Make a post of one layout: a heading, some words, a seal."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (side, side), "#f3e9d2")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=size)
    draw.rectangle((0, 0, side, side // 8), fill="#1f3a5f")
    draw.ellipse((side * 0.8, side * 0.85, side * 0.95, side * 0.97), fill="#c0392b")
    words = list(rng.choice(WORDS, n_words))
    for row, start in enumerate(range(0, n_words, 4)):
        text = " ".join(words[start : start + 4])
        draw.text((side * 0.06, side * 0.2 + row * size * 1.35), text, fill="#222", font=font)
    return image


def write_caption(image, seed):
    """Write five words on a white bar at the bottom of a picture."""
    words = " ".join(np.random.default_rng(seed).choice(WORDS, 5))
    image, top = image.copy(), round(image.height * 0.86)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, top, image.width, image.height), fill="white")
    draw.text((8, top + 6), words, fill="black", font=ImageFont.load_default(size=image.height // 14))
    return image


def paint(seed, side=400):
    """Paint a picture of smooth shapes with grain."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (7, 7, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), dtype=float)
    return Image.fromarray(np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8))


def find(folder, pictures, **options):
    for name, picture in pictures.items():
        picture.save(folder / f"{name}.png")
    images = vc.index_images(folder, progress=False)
    options = {"method": "perceptual", "progress": False} | options
    return vc.find_duplicates(images, **options).groups


def test_posts_of_one_layout_with_other_words_are_no_copies(tmp_path):
    pictures = {f"post_{seed:02}": write_post(seed) for seed in range(30)}
    by_hash = find(tmp_path, pictures, confirm=False)
    assert by_hash["size"].max() > 5, "hashes alone take them for copies"
    assert find(tmp_path, pictures)["group"].nunique() == 30


def test_twenty_captions_on_one_picture_are_no_copies_of_one_another(tmp_path):
    template = paint(0)
    pictures = {f"caption_{seed:02}": write_caption(template, seed) for seed in range(20)}
    assert find(tmp_path, pictures, confirm=False)["size"].max() > 3
    assert find(tmp_path, pictures)["group"].nunique() == 20
    assert find(tmp_path, pictures, grouping="connected")["group"].nunique() == 20


def save_again(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def add_border(image, width):
    bordered = Image.new("RGB", (image.width + 2 * width, image.height + 2 * width), "white")
    bordered.paste(image, (width, width))
    return bordered


def add_watermark(image):
    image = image.copy()
    font = ImageFont.load_default(size=image.height // 28)
    ImageDraw.Draw(image).text((image.width * 0.7, image.height * 0.94), "@page", fill="white", font=font)
    return image


COPIES = {
    "saved anew": lambda image: save_again(image, 15),
    "smaller": lambda image: image.resize((image.width // 2, image.height // 2)),
    "lighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "with less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.8),
    "grey": lambda image: image.convert("L"),
    "cropped a little": lambda image: image.crop((4, 4, image.width - 4, image.height - 4)),
    "with a border": lambda image: add_border(image, 6),
    "with a watermark": add_watermark,
}


@pytest.mark.parametrize("kind", COPIES)
@pytest.mark.parametrize("make", [paint, write_post])
def test_a_copy_is_a_copy(tmp_path, kind, make):
    image = make(3)
    found = find(tmp_path, {"image": image, "copy": COPIES[kind](image)}, threshold=16)
    assert found["group"].nunique() == 1
    assert found["difference"].between(0, 0.015).all()


def test_a_mirrored_picture_is_no_copy(tmp_path):
    image = paint(1)
    mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert find(tmp_path, {"image": image, "mirrored": mirrored}, threshold=63)["group"].nunique() == 2


def test_thumbnails_are_made_for_candidates_only_and_once(tmp_path, monkeypatch):
    pictures = {"a": paint(1), "b": save_again(paint(1), 40), "c": paint(2)}
    cache = tmp_path / "hashes.parquet"
    (folder := tmp_path / "images").mkdir()
    opened = []
    monkeypatch.setattr(
        "visclust.images.looks.read_image",
        lambda path, **options: opened.append(path) or read_image(path, **options),
    )
    from visclust.images.reading import read_image

    first = find(folder, pictures, cache=cache)
    assert len(opened) == 2
    assert find(folder, pictures, cache=cache).equals(first)
    assert len(opened) == 2
    (tmp_path / "hashes_thumbnails.parquet").write_bytes(b"no table")
    assert find(folder, pictures, cache=cache).equals(first)
    assert len(opened) == 4


def test_without_files_nothing_is_confirmed(tmp_path):
    (folder := tmp_path / "images").mkdir()
    cache = tmp_path / "hashes.parquet"
    pictures = {"a": paint(1), "b": save_again(paint(1), 40), "c": paint(2), "d": save_again(paint(2), 40)}
    assert find(folder, pictures, cache=cache, confirm=False)["group"].nunique() == 2
    images = vc.index_images(folder, progress=False)
    (folder / "a.png").unlink()
    with pytest.warns(UserWarning, match="1 of them are not there"):
        groups = vc.find_duplicates(images, method="perceptual", cache=cache, progress=False).groups
    assert groups["group"].nunique() == 3


def test_near_rows_can_be_confirmed_by_the_pixels(tmp_path):
    pictures = {"a": paint(1), "b": save_again(paint(1), 40), "c": paint(2)}
    options = {"method": "embedding", "x": np.ones((3, 2))}
    assert find(tmp_path, pictures, **options)["group"].nunique() == 1
    assert find(tmp_path, pictures, **options, confirm=True)["group"].nunique() == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"confirm": "yes"}, "confirm to be True"),
        ({"method": "exact", "confirm": True}, "nothing to confirm"),
    ],
)
def test_a_wrong_confirm_is_refused_before_any_file_is_read(tmp_path, options, said):
    with pytest.raises(ValueError, match=said):
        find(tmp_path, {"a": paint(1)}, **options)
