"""Every kind of file that the package writes or reads, damaged in the same ways: made anew, or named."""

import contextlib
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from small_encoders import colour_encoder

import visclust as vc
from visclust.base.freshness import read_record
from visclust.base.withdrawals import note_withdrawn, read_withdrawn
from visclust.embedding.embed import Embedding
from visclust.embedding.weights import read_weights
from visclust.finetuning.training import Checkpoint, read_checkpoint, write_checkpoint
from visclust.images.looks import read_looks


def save_links(folder):
    table = pd.DataFrame(
        {"post_id": [f"p{i}" for i in range(200)], "image_id": [f"i{i}" for i in range(200)]}
    )
    path = vc.save_table(table, folder / "posts_images.parquet", "posts_images")
    return path, lambda: vc.read_table(path, "posts_images").to_dict("list")


def save_words(folder):
    path = vc.save_csv(pd.DataFrame({"word": ["a"], "z": [1.0]}), folder / "words.csv")
    return path.with_name("words.csv.json"), lambda: vc.read_provenance(path).get("result")


def save_posts(folder):
    posts = pd.DataFrame({"post_id": ["1", "2"], "author": ["a", "b"], "text": ["one", "two"]})
    posts.to_parquet(folder / "mine.parquet")
    path = folder / "mine.parquet"
    return path, lambda: vc.read_posts(path, progress=False).posts["text"].tolist()


def save_matrix(folder):
    x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    path = vc.save_embedding(Embedding(x, [str(i) for i in range(40)], {}), folder, name="toy")
    return path, lambda: vc.load_embedding(folder, name="toy").x.tolist()


def save_sidecar(folder):
    path, _ = save_matrix(folder)
    return path.with_suffix(".json"), lambda: vc.load_embedding(folder, name="toy").image_ids


def make_images(folder):
    (folder / "pictures").mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        noise = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        noise.resize((64, 64)).save(folder / "pictures" / f"{number}.png")
    return vc.index_images(folder / "pictures", progress=False)


def save_chunk(folder, ending=".npy"):
    images = make_images(folder)
    options = {"batch_size": 2, "chunk_size": 2, "device": "cpu", "progress": False, "cache": folder / "c"}

    def embed():
        return vc.embed_images(images, encoder=colour_encoder(), **options).x.tolist()

    embed()
    return min((folder / "c").rglob(f"*{ending}")), embed


def save_chunk_settings(folder):
    return save_chunk(folder, ending=".json")


def save_hashes(folder):
    images = make_images(folder)
    path = folder / "hashes.parquet"

    def make_hashes():
        return vc.hash_images(images, cache=path, progress=False)["hash"].tolist()

    make_hashes()
    return path, make_hashes


def save_thumbnails(folder):
    images = make_images(folder)

    def look():
        found = read_looks(
            images, images["image_id"].tolist(), cache=folder / "hashes.parquet", progress=False
        )
        return found.pixels.tolist(), found.detail.tolist()

    look()
    return folder / "hashes_thumbnails.parquet", look


def save_grid(folder):
    x = np.repeat(np.eye(4), 8, axis=0) + np.linspace(0, 0.1, 32)[:, None]
    grid = {"step_sizes": [2], "similarity_thresholds": [0.0], "baselines": [3], "matched_baselines": False}
    grid["seeds"] = [0]

    def search():
        found = vc.grid_search({"toy": x}, **grid, cache=folder / "grid", progress=False)
        return [each[0].labels.tolist() for each in found.results.values()]

    search()
    return min((folder / "grid").iterdir()), search


def save_weights(folder, ending=".safetensors"):
    tensors = {"a.weight": torch.rand(20, 5), "a.bias": torch.rand(20)}
    path = folder / f"mine{ending}"
    (save_file if ending == ".safetensors" else torch.save)(tensors, path)
    return path, lambda: {name: each.tolist() for name, each in read_weights(path).tensors.items()}


def save_pth(folder):
    return save_weights(folder, ending=".pth")


def save_checkpoint(folder):
    path = folder / "mine.checkpoint.safetensors"
    made = Checkpoint({"a": torch.rand(20)}, {"epoch": 1})
    write_checkpoint(path, made, digest="d")

    def go_on():
        found = read_checkpoint(path, digest="d") or made  # none there: trained anew
        return found.tensors["a"].tolist()

    return path, go_on


def save_encoder_sidecar(folder):
    path, _ = save_weights(folder)
    sidecar = path.with_suffix(".json")
    sidecar.write_text(json.dumps({"settings": "s", "provenance": {"function": "finetune"}}))
    return sidecar, lambda: read_record(path).get("function")


def save_study(folder):
    (folder / "photos").mkdir()
    path = folder / "study.toml"
    path.write_text('name = "march"\nimages = "photos"\nfeatures = ["flags"]\n')
    return path, lambda: vc.open_study(folder).name


def save_withdrawn(folder):
    note_withdrawn(folder, [("image", "a"), ("author", "b")])
    path = next(folder.glob("*.csv"))
    return path, lambda: read_withdrawn(folder)


# Those that hold nothing but what can be made again from what is given: they are made again.
CACHES = (save_chunk, save_chunk_settings, save_hashes, save_thumbnails, save_grid, save_checkpoint)
# Those that hold no checksum: a flipped byte may be another text, which nobody can know.
UNSUMMED = (save_words, save_posts, save_encoder_sidecar, save_study, save_withdrawn, save_pth, save_weights)
OTHERS = (save_links, save_matrix, save_sidecar)
FILES = [*CACHES, *UNSUMMED, *OTHERS]


def flip(share):
    def change(content):
        place = int(share * (len(content) - 1))
        return content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :]

    return change


DAMAGES = {
    "empty": lambda content: b"",
    "one byte": lambda content: content[:1],
    "cut at a quarter": lambda content: content[: len(content) // 4],
    "cut at half": lambda content: content[: len(content) // 2],
    "cut by a byte": lambda content: content[:-1],
    "first byte flipped": flip(0),
    "byte at a tenth flipped": flip(0.1),
    "byte in the middle flipped": flip(0.5),
    "byte near the end flipped": flip(0.95),
    "last byte flipped": flip(1),
    "noise": lambda content: np.random.default_rng(0).bytes(len(content)),
    "nothing but zeros": lambda content: bytes(len(content)),
    "a page of a proxy": lambda content: b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "another JSON": lambda content: b'{"a": [1, 2]}',
}


WORDED = (ValueError, PermissionError, IsADirectoryError, FileNotFoundError)


def try_file(use, expected, path):
    """Use a damaged file: it gives what it gave, or an error that names it in words."""
    try:
        return use() == expected
    except (ValueError, OSError) as error:
        assert type(error).__module__.partition(".")[0] in ("builtins", "visclust"), repr(error)
        assert isinstance(error, WORDED) and type(error) is not UnicodeDecodeError, repr(error)
        assert path.name in str(error) or path.parent.name in str(error), str(error)
        return None


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("make", FILES, ids=lambda make: make.__name__.removeprefix("save_"))
def test_a_damaged_file_gives_what_it_gave_or_is_named(make, damage, tmp_path, capsys):
    path, use = make(tmp_path)
    expected = use()
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    capsys.readouterr()
    same = try_file(use, expected, path)
    if make in CACHES and not (make is save_hashes and same is None):
        assert same  # made again
    elif make is save_hashes:  # what never was Parquet may be somebody's other file
        assert path.read_bytes()[:4] != b"PAR1"
    elif make in (save_words, save_encoder_sidecar) and damage == "another JSON":
        assert use() is None  # no record is known
    elif make not in UNSUMMED or "flipped" not in damage:
        assert same in (None, True)


@pytest.mark.parametrize("make", FILES, ids=lambda make: make.__name__.removeprefix("save_"))
def test_a_folder_in_the_place_of_a_file_is_named(make, tmp_path):
    path, use = make(tmp_path)
    expected = use()
    path.unlink()
    path.mkdir()
    try:
        assert use() == expected
    except (OSError, ValueError) as error:
        assert type(error).__module__ in ("builtins", "visclust.base.freshness")
        assert path.name in str(error)
        assert "[Errno" not in str(error)


@contextlib.contextmanager
def as_nobody(folder):
    """Let this process be another user: root reads and writes everything."""
    if os.name == "nt" or os.geteuid():
        yield
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 65534, 65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.name == "nt", reason="Windows knows other rights")
@pytest.mark.parametrize("make", FILES, ids=lambda make: make.__name__.removeprefix("save_"))
def test_a_file_that_may_not_be_read_is_named(make):
    with tempfile.TemporaryDirectory() as name:
        path, use = make(Path(name))
        expected = use()
        with as_nobody(Path(name)):
            path.chmod(0)
            try:
                assert use() == expected
            except OSError as error:
                assert isinstance(error, PermissionError)
                assert path.name in str(error)
                assert "[Errno" not in str(error)


@pytest.mark.skipif(os.name == "nt", reason="Windows knows other rights")
@pytest.mark.parametrize("make", FILES, ids=lambda make: make.__name__.removeprefix("save_"))
def test_files_in_a_folder_that_may_not_be_written_are_read_and_writing_is_refused_in_words(make):
    with tempfile.TemporaryDirectory() as name:
        path, use = make(Path(name))
        expected = use()
        with as_nobody(Path(name)):
            path.chmod(0o444)
            path.parent.chmod(0o555)
            try:
                assert try_file(use, expected, path) in (None, True)
                with pytest.raises(PermissionError, match=r"^Expected to write note.txt into"):
                    vc.write_atomically(path.parent / "note.txt", lambda file: file.write(b"a"))
            finally:
                path.parent.chmod(0o755)
