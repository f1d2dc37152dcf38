"""Small studies of anybody's: images drawn here, with or without posts and a person's labels."""

import json
import random
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

SHAPES = ("stripes", "discs", "squares", "waves")


def draw_images(folder, *, n=60, seed=0):
    """Draw images of four kinds of shapes, in colours of their own; gives the kind of each file."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    kinds = {}
    for number in range(n):
        kind = SHAPES[number % len(SHAPES)]
        name = f"{number:03d}.png"
        _draw(kind, rng).save(folder / name)
        kinds[name] = kind
    return kinds


def _draw(kind, rng, side=96):
    grounds = {
        "stripes": (40, 60, 160),
        "discs": (200, 60, 40),
        "squares": (60, 150, 70),
        "waves": (225, 200, 90),
    }
    image = Image.new("RGB", (side, side), tuple(c + rng.randrange(-25, 25) for c in grounds[kind]))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.randrange(4, 9)):
        x, y, r = rng.randrange(side), rng.randrange(side), rng.randrange(8, 22)
        ink = tuple(rng.randrange(256) for _ in range(3))
        if kind == "stripes":
            draw.line((0, y, side, y), fill=ink, width=r // 3)
        elif kind == "discs":
            draw.ellipse((x - r, y - r, x + r, y + r), fill=ink)
        elif kind == "squares":
            draw.rectangle((x - r, y - r, x + r, y + r), fill=ink)
        else:
            heights = y + r * np.sin(np.arange(side) / r)
            draw.line(list(enumerate(heights)), fill=ink, width=3)
    return image


def write_study(folder, *, posts=False, labels=False, **images):
    """Write a study: a folder of images, ``study.toml``, and posts and words to label where asked for.

    A person's answers come later, when there is a table to answer: `answer_features`, `answer_pairs`.
    """
    folder = Path(folder)
    kinds = draw_images(folder / "photos", **images)
    lines = ['images = "photos"', 'encoder = "efficientnet_lite0"']
    if posts:
        write_posts(folder / "tweets.csv", kinds)
        lines.append('posts = "tweets.csv"')
        lines.append(
            'posts_columns = { post_id = "no", author = "who", posted_at = "when", media = "picture" }'
        )
    if labels:
        lines += ['features = ["round", "straight"]', 'frames = ["calm", "loud"]']
    folder.joinpath("study.toml").write_text("\n".join(lines) + "\n")
    return kinds


def write_posts(path, kinds, *, seed=0):
    """Write three posts for each image, by twelve authors, in a table with names of its own."""
    rng = random.Random(seed)
    names = [name for name in kinds for _ in range(3)]
    days = pd.date_range("2024-03-01", periods=14, tz="UTC")
    pd.DataFrame(
        {
            "no": [f"{10**17 + number}" for number in range(len(names))],
            "who": [f"person{rng.randrange(12)}" for _ in names],
            "when": [str(rng.choice(days)) for _ in names],
            "text": [f"look at these {kinds[name]} #Art" for name in names],
            "picture": names,
        }
    ).to_csv(path, index=False)


def answer_features(study_results, images, kinds, *, annotator="ana"):
    """Have one person say of every image which features it shows."""
    asked = ["round", "straight"]
    present = {"discs": ["round"], "waves": ["round"], "squares": ["straight"], "stripes": ["straight"]}
    items = {row.image_id: present[kinds[Path(row.path).name]] for row in images.itertuples()}
    answers = {
        item: json.dumps({"asked": asked, "present": shown}, separators=(",", ":"))
        for item, shown in items.items()
    }
    _write_answers(study_results / "feature_answers", answers, annotator)


def answer_pairs(study_results, pairs, images, kinds, *, annotator="ana"):
    """Have one person say of every pair whether it shows the same kind of shape."""
    kind = {row.image_id: kinds[Path(row.path).name] for row in images.itertuples()}
    answers = {
        pair.pair_id: "same" if kind[pair.image_a] == kind[pair.image_b] else "different"
        for pair in pairs.itertuples()
    }
    _write_answers(study_results / "answers", answers, annotator)


def _write_answers(folder, answers, annotator):
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"event_id": f"e{number}", "item_id": item, "annotator": annotator, "answer": answer,
         "answered_at": "2026-01-05T10:00:00.000Z", "seconds": 2.0}
        for number, (item, answer) in enumerate(answers.items())
    ]  # fmt: skip
    folder.joinpath(f"{annotator}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
