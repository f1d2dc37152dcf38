"""Steps over shards: the same parts wherever they are made, never made twice, and nothing half."""

import errno
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_encoders import paint

import visclust as vc
from visclust.scale import parts


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Paint seven images, one of them twice, and a file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(7):
        paint(rng, i % 2 == 0, side=40).save(folder / f"{i}.png")
    shutil.copy(folder / "0.png", folder / "6_copy.png")
    (folder / "8.jpg").write_text("<html>not found</html>")
    return folder


def make_rows(folder, n=10, shard_size=4):
    x = np.random.default_rng(1).normal(size=(n, 3)).astype("float32")
    np.save(folder / "centers.npy", np.eye(3)[:2])
    return x, vc.make_shards(x, folder / "corpus", shard_size=shard_size, progress=False)


def assign(corpus, **options):
    centers = corpus.folder.parent / "centers.npy"
    return vc.run_shards(corpus, "assign", centers=centers, progress=False, **options)


def list_bytes(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_indexed_shards_are_the_images_table_of_the_whole_folder(photos, tmp_path, capsys):
    corpus = vc.make_shards(photos, tmp_path / "corpus", shard_size=4, progress=False)
    done = vc.run_shards(corpus, "index", progress=False)
    assert done["status"].tolist() == ["made"] * 3
    whole = vc.index_images(photos, progress=False)
    pd.testing.assert_frame_equal(vc.read_parts(corpus, "index"), whole)


def test_hashes_and_rows_of_shards_are_those_of_the_whole_table(photos, tmp_path):
    images = vc.index_images(photos, progress=False)
    corpus = vc.make_shards(images, tmp_path / "corpus", shard_size=4, progress=False)
    vc.run_shards(corpus, "hash", progress=False)
    whole = vc.hash_images(images, progress=False)
    pd.testing.assert_frame_equal(vc.read_parts(corpus, "hash"), whole, check_dtype=False)
    encoder = {"encoder": "efficientnet_lite0", "batch_size": 4}
    done = vc.run_shards(corpus, "embed", progress=False, **encoder)
    assert done["rows"].tolist() == [4, 3, 0]  # what is a copy or no image has no row
    x, ids, _ = vc.read_parts(corpus, "embed", **encoder)
    assert ids == images.loc[images["status"].eq("ok"), "image_id"].tolist()
    whole = vc.embed_images(images, device="cpu", progress=False, **encoder).x
    np.testing.assert_allclose(x, whole, rtol=1e-4, atol=1e-4)  # sums of one thread and of several


def test_posts_are_read_file_by_file_and_nothing_malformed_is_lost(tmp_path):
    folder = tmp_path / "posts"
    folder.mkdir()
    (folder / "a.csv").write_text("post_id,text\n1,one\n2,two\n")
    (folder / "b.csv").write_text('post_id,text\n3,three\n4,"never closed\n')
    corpus = vc.make_shards(folder, tmp_path / "corpus", kind="posts", progress=False)
    done = vc.run_shards(corpus, "read", progress=False)
    assert set(done["status"]) == {"made"}
    posts = vc.read_parts(corpus, "read")["post_id"].tolist()
    place = next((corpus.folder / "parts" / "read").iterdir())
    malformed = pd.read_parquet(place / "00001_malformed.parquet")
    assert posts[:3] == ["1", "2", "3"]
    assert len(posts) + len(malformed) == 4


def test_the_nearest_centre_and_its_distance_are_those_by_hand(tmp_path):
    x, corpus = make_rows(tmp_path)
    assert assign(corpus)["status"].tolist() == ["made"] * 3
    found = vc.read_parts(corpus, "assign", centers=tmp_path / "centers.npy")
    distances = np.linalg.norm(x[:, None] - np.eye(3)[:2], axis=2)
    assert found["cluster"].tolist() == distances.argmin(axis=1).tolist()
    np.testing.assert_allclose(found["distance"], distances.min(axis=1), rtol=1e-6)
    assert found["image_id"].tolist() == [str(i) for i in range(10)]


@pytest.mark.slow
def test_processes_and_jobs_of_one_shard_each_write_the_same_bytes(tmp_path):
    written = []
    for way in ("here", "processes", "jobs"):
        folder = tmp_path / way
        folder.mkdir()
        _, corpus = make_rows(folder)
        if way == "jobs":
            for number in (2, 0, 1):
                assign(corpus, shards=[number])
        else:
            assign(corpus, on=way, workers=2)
        written.append(list_bytes(corpus.folder))
    assert len(written[0]) == 3 * 2 + 3 * 2 + 1
    assert written[0] == written[1] == written[2]


def test_a_rerun_does_nothing(tmp_path):
    _, corpus = make_rows(tmp_path)
    assign(corpus)
    before = {path: path.stat().st_mtime_ns for path in corpus.folder.rglob("*")}
    assert assign(corpus)["status"].tolist() == ["there"] * 3
    assert {path: path.stat().st_mtime_ns for path in corpus.folder.rglob("*")} == before


@pytest.mark.parametrize("kind", ["changed", "cut", "gone", "no record", "broken record"])
def test_a_damaged_part_is_made_again_and_says_so(tmp_path, kind):
    _, corpus = make_rows(tmp_path)
    assign(corpus)
    (place,) = (corpus.folder / "parts" / "assign").iterdir()
    part, record = place / "00001.parquet", place / "00001.json"
    good = list_bytes(place)
    damage = {
        "changed": lambda: part.write_bytes(part.read_bytes()[:-9] + b"123456789"),
        "cut": lambda: part.write_bytes(part.read_bytes()[:50]),
        "gone": part.unlink,
        "no record": record.unlink,
        "broken record": lambda: record.write_text("{"),
    }
    damage[kind]()
    done = assign(corpus)
    assert done["status"].tolist() == ["there", "made again", "there"]
    assert done["reason"][1]
    assert list_bytes(place) == good


def test_a_damaged_shard_is_refused_and_the_others_go_on(tmp_path, capsys):
    x, corpus = make_rows(tmp_path)
    path = corpus.folder / "shards" / "00001.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    done = assign(corpus)
    assert done["status"].tolist() == ["made", "refused", "made"]
    assert "00001.npy is damaged" in done["reason"][1]
    assert "1 of 3 shards have no part" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"for each of 3 shards, but 1 cannot be used; shard 1"):
        vc.read_parts(corpus, "assign", centers=tmp_path / "centers.npy")
    checked = vc.check_shards(corpus, progress=False)
    assert checked[["step", "whole", "damaged"]].values.tolist() == [["shards", 2, 1], ["assign", 2, 1]]
    vc.make_shards(x, corpus.folder, shard_size=4, progress=False)  # puts it right
    assert assign(corpus)["status"].tolist() == ["there", "made", "there"]


def test_a_full_disk_fails_the_shard_in_words_and_leaves_nothing_half(tmp_path, monkeypatch):
    _, corpus = make_rows(tmp_path)

    def fill(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(parts.pq, "write_table", fill)
        done = assign(corpus)
    assert done["status"].tolist() == ["failed"] * 3
    assert "is full: make room" in done["reason"][0]
    assert [path for path in (corpus.folder / "parts").rglob("*") if path.is_file()] == []
    assert assign(corpus)["status"].tolist() == ["made"] * 3


def test_a_disk_that_is_really_full_fails_the_shard_too(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)]
    if not shutil.which("mount") or subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here: that takes root")
    try:
        _, corpus = make_rows(small)
        (small / "ballast").write_bytes(bytes(24 * 1024))
        done = assign(corpus)
        assert done["status"].iloc[-1] == "failed"
        assert "is full: make room" in done["reason"].iloc[-1]
        assert list(small.rglob("*.part")) == []
        (small / "ballast").unlink()
        assert set(assign(corpus)["status"]) <= {"made", "made again", "there"}
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_step_without_what_it_needs_is_refused(photos, tmp_path):
    corpus = vc.make_shards(photos, tmp_path / "corpus", shard_size=4, progress=False)
    vc.run_shards(corpus, "index", shards=[0], progress=False)
    done = vc.run_shards(corpus, "hash", progress=False)
    assert done["status"].tolist() == ["made", "refused", "refused"]
    assert "run the step 'index'" in done["reason"][1]


def test_other_settings_make_other_parts_and_other_centres_too(tmp_path):
    _, corpus = make_rows(tmp_path)
    assign(corpus)
    np.save(tmp_path / "centers.npy", np.eye(3))
    assert assign(corpus)["status"].tolist() == ["made"] * 3
    assert len(list((corpus.folder / "parts" / "assign").iterdir())) == 2


@pytest.mark.parametrize(
    ("step", "options", "match"),
    [
        ("paint", {}, "as step, got 'paint'"),
        ("embed", {}, "corpus of images or files for the step 'embed'"),
        ("assign", {}, "value for centers"),
        ("assign", {"centers": "nowhere.npy"}, "as centers, but there is none"),
        ("assign", {"centers": "c.npy", "colour": 1}, "settings among"),
        ("assign", {"centers": "c.npy", "shards": [3]}, "from 0 to 2, got 3"),
        ("assign", {"centers": "c.npy", "on": "moon"}, "here, processes as on"),
        ("assign", {"centers": "c.npy", "on": 3}, "a client of Dask"),
    ],
)
def test_what_is_wrong_is_said_before_any_work(tmp_path, monkeypatch, step, options, match):
    _, corpus = make_rows(tmp_path)
    monkeypatch.chdir(tmp_path)
    np.save("c.npy", np.eye(3))
    with pytest.raises((TypeError, ValueError, FileNotFoundError), match=match):
        vc.run_shards(corpus, step, progress=False, **options)
    assert not (corpus.folder / "parts").exists()


def test_a_part_of_an_image_that_changed_says_so(photos, tmp_path):
    shutil.copytree(photos, tmp_path / "photos")
    images = vc.index_images(tmp_path / "photos", progress=False)
    corpus = vc.make_shards(images, tmp_path / "corpus", shard_size=9, progress=False)
    Image.new("RGB", (8, 8)).save(tmp_path / "photos" / "1.png")
    done = vc.run_shards(corpus, "embed", encoder="efficientnet_lite0", progress=False)
    assert done["status"].tolist() == ["failed"]
    assert "1.png" in done["reason"][0]
