import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import visclust as vc
from visclust.images import looks, ruling_out

WORDS = [
    *("people", "march", "for", "our", "families", "today", "we", "stand", "with", "every", "child", "and"),
    *("mother", "no", "more", "silence", "join", "the", "vote", "now", "tomorrow", "together", "freedom"),
]
LIMITS = {"differs": 30, "soft": 2, "wide": 31}


def write_post(seed, side=512):
    rng = np.random.default_rng(seed)
    image = Image.new("L", (side, side), 240)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=side / 18)
    draw.rectangle((0, 0, side, side // 8), fill=60)
    draw.ellipse((side * 0.8, side * 0.85, side * 0.95, side * 0.97), fill=100)
    for row in range(6):
        text = " ".join(rng.choice(WORDS, 4))
        draw.text((side * 0.06, side * (0.2 + 0.075 * row)), text, fill=30, font=font)
    return image


def save_again(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("L")


def crop(image, *parts):
    left, top, right, bottom = (part * image.width for part in parts)
    return image.crop((round(left), round(top), round(image.width - right), round(image.height - bottom)))


COPIES = {
    "saved anew": lambda image: save_again(image, 20),
    "smaller": lambda image: image.resize((200, 200)),
    "cropped by half a hundredth": lambda image: crop(image, 0.005, 0.005, 0.005, 0.005),
    "cropped by a hundredth": lambda image: crop(image, 0.01, 0.01, 0.01, 0.01),
    "cropped on one side": lambda image: crop(image, 0.02, 0, 0, 0),
    "cropped by three hundredths": lambda image: crop(image, 0.03, 0.03, 0.03, 0.03),
    "cropped and saved anew": lambda image: save_again(crop(image, 0.004, 0.008, 0, 0.01), 30),
    "darker": lambda image: image.point(lambda level: level * 0.7),
}


def prepare(*pictures):
    shrink = [np.asarray(each.resize((128, 128), Image.Resampling.LANCZOS)) for each in pictures]
    return ruling_out.prepare(np.stack(shrink))


def test_other_words_on_one_layout_are_ruled_out():
    prepared = prepare(*(write_post(seed) for seed in range(20)))
    out = [ruling_out.rule_out(prepared, one, np.arange(one + 1, 20), **LIMITS) for one in range(19)]
    assert np.concatenate(out).mean() > 0.9


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_never_ruled_out(kind):
    for seed in range(4):
        image = write_post(seed)
        prepared = prepare(image, COPIES[kind](image))
        for one in (0, 1):
            assert not ruling_out.rule_out(prepared, one, np.array([1 - one]), **LIMITS).any()


def test_a_picture_of_one_grey_rules_nothing_out():
    prepared = prepare(Image.new("L", (128, 128), 90), write_post(0))
    for one in (0, 1):
        assert not ruling_out.rule_out(prepared, one, np.array([1 - one]), **LIMITS).any()


def test_what_does_not_fit_into_memory_waits_on_disk_and_says_the_same(monkeypatch):
    posts = [write_post(seed) for seed in range(4)]
    held = ruling_out.rule_out(prepare(*posts), 0, np.arange(1, 4), **LIMITS)
    monkeypatch.setattr(ruling_out, "_IN_MEMORY", 1000)
    prepared = prepare(*posts)
    assert isinstance(prepared.fine, np.memmap)
    assert (ruling_out.rule_out(prepared, 0, np.arange(1, 4), **LIMITS) == held).all()


def find(folder, monkeypatch, n):
    """Find the copies among n posts, two of each sixth: how many groups, and how many fine looks."""
    for seed in range(n):
        post = write_post(seed)
        post.save(folder / f"post_{seed:03}.png")
        if seed % 6 == 0:
            save_again(post, 30).save(folder / f"post_{seed:03}_again.jpg")
            crop(post, 0.004, 0.004, 0.004, 0.004).save(folder / f"post_{seed:03}_cropped.png")
    fine = []
    compare = looks._compare_two
    monkeypatch.setattr(looks, "_compare_two", lambda *given: fine.append(given[1:]) or compare(*given))
    images = vc.index_images(folder, progress=False)
    groups = vc.find_duplicates(images, method="perceptual", progress=False).groups
    name = groups["path"].str.extract(r"post_(\d+)")[0]
    assert name.groupby(groups["group"]).nunique().eq(1).all()
    return groups["group"].nunique(), len(fine), len(groups)


def test_few_pairs_of_posts_get_a_fine_look_and_copies_are_found(tmp_path, monkeypatch):
    n_groups, n_fine, n_files = find(tmp_path, monkeypatch, 18)
    assert n_groups == 18
    assert n_fine < n_files * (n_files - 1) / 2 / 4


@pytest.mark.slow
def test_of_many_posts_of_one_layout_hardly_a_pair_gets_a_fine_look(tmp_path, monkeypatch):
    n_groups, n_fine, n_files = find(tmp_path, monkeypatch, 120)
    assert n_groups == 120
    assert n_fine < n_files * (n_files - 1) / 2 / 10
