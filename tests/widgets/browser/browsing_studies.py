"""Small corpora for the tests of the cluster browser, and the benchmark's large one."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

HOSTILE = '<img src=x onerror="window.hacked=1"></script><script>window.hacked=1</script> <b>bold</b>'
FRAMES = ["family", "security & order", "<i>justice</i>"]


def make_corpus(folder, sizes, *, n_files, side=400, d=8, unassigned=0, seed=5):
    """Write images, clusters, embedding, posts and links; several images may share a file."""
    folder = Path(folder)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.repeat(np.arange(len(sizes)), sizes), np.full(unassigned, -1)])
    order = rng.permutation(len(labels))
    labels = labels[order]
    colours = rng.integers(60, 220, (len(sizes) + 1, 3))
    paths = []
    for number in range(n_files):
        picture = Image.new("RGB", (side, side * 2 // 3), tuple(map(int, colours[labels[number]])))
        draw = ImageDraw.Draw(picture)
        draw.ellipse((10, 10, side // 2, side // 2), fill=tuple(map(int, rng.integers(0, 255, 3))))
        draw.text((side // 3, side // 3), f"{labels[number]}/{number}", fill="black", font_size=side // 6)
        path = folder / "images" / f"{number:05}.jpg"
        picture.save(path, quality=80)
        paths.append(str(path))
    n = len(labels)
    ids = [f"img{number:05}" for number in range(n)]
    images = pd.DataFrame(
        {"image_id": ids, "path": [f"{paths[i % n_files]}" for i in range(n)], "status": "ok", "reason": "",
         "width": side, "height": side * 2 // 3}
    )  # fmt: skip
    if n_files < n:  # a path names a row of the images table: other ways to write the same one
        images["path"] = [f"{folder}/images/{'./' * (i // n_files)}{i % n_files:05}.jpg" for i in range(n)]
    clusters = pd.DataFrame(
        {"image_id": ids, "cluster": labels, "iteration": np.where(labels < 0, -1, 1 + labels % 3),
         "silhouette": np.where(labels < 0, np.nan, rng.uniform(0, 0.5, n).round(3))}
    )  # fmt: skip
    centers = rng.normal(size=(len(sizes) + 1, d))
    x = (centers[labels] + rng.normal(scale=0.05, size=(n, d))).astype("float32")
    posts = pd.DataFrame(
        {"post_id": [f"p{i}" for i in range(n)], "author": [f"user {i % 7}" for i in range(n)],
         "posted_at": pd.Timestamp("2018-06-15T10:00Z") + pd.to_timedelta(np.arange(n), unit="h"),
         "text": [f"Post of image {i}, number{i % 10} {'peace' if i % 5 else HOSTILE}" for i in range(n)]}
    )  # fmt: skip
    links = pd.DataFrame({"post_id": posts["post_id"], "image_id": ids})
    images.to_parquet(folder / "images.parquet")
    clusters.to_parquet(folder / "clusters.parquet")
    posts.to_parquet(folder / "posts.parquet")
    links.to_parquet(folder / "posts_images.parquet")
    np.save(folder / "x.npy", x)
    return images, clusters, x, posts, links


def write_cells(path, cells):
    """Write a notebook of these cells."""
    notebook = {
        "cells": [
            {"cell_type": "code", "id": f"cell{at}", "metadata": {}, "execution_count": None, "outputs": [],
             "source": source}
            for at, source in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }  # fmt: skip
    Path(path).write_text(json.dumps(notebook))


READ = """import numpy as np
import pandas as pd
import visclust as vc
images = pd.read_parquet("images.parquet")
clusters = pd.read_parquet("clusters.parquet")
posts = pd.read_parquet("posts.parquet")
links = pd.read_parquet("posts_images.parquet")
x = np.load("x.npy")"""
BROWSE = f"""browser = vc.browse_clusters(clusters, images, x, save_to="answers", posts=posts, links=links,
                             frames={FRAMES!r}, researcher="Ana")
browser"""
