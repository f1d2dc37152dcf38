"""Shards and their manifest: the whole corpus, in order, and never another one under its name."""

import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.embedding.embed import Embedding


def test_rows_come_back_in_order_from_an_embedding_and_from_a_memory_map(tmp_path):
    x = np.arange(20, dtype="float32").reshape(10, 2)
    ids = list("abcdefghij")
    corpus = vc.make_shards(Embedding(x, ids, {}), tmp_path / "one", shard_size=4, progress=False)
    files = [corpus.folder / name for name in corpus.shards["file"]]
    np.testing.assert_array_equal(np.concatenate([np.load(file) for file in files]), x)
    names = [pd.read_parquet(file.with_suffix(".parquet")) for file in files]
    assert pd.concat(names)["image_id"].tolist() == ids
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    other = vc.make_shards(mapped, tmp_path / "two", shard_size=4, progress=False)
    assert other.shards["digest"].tolist() == corpus.shards["digest"].tolist()


def test_the_same_corpus_is_left_alone_and_another_one_is_refused(tmp_path):
    x = np.eye(5, dtype="float32")
    corpus = vc.make_shards(x, tmp_path / "corpus", shard_size=2, progress=False)
    before = {path: path.stat().st_mtime_ns for path in corpus.folder.rglob("*.*")}
    again = vc.make_shards(x, tmp_path / "corpus", shard_size=2, progress=False)
    assert again.shards.equals(corpus.shards)
    assert {path: path.stat().st_mtime_ns for path in corpus.folder.rglob("*.*")} == before
    for other, size in ((x * 2, 2), (x[:4], 2), (x, 3), (x[::-1].copy(), 2)):
        with pytest.raises(FileExistsError, match="another corpus lies there"):
            vc.make_shards(other, tmp_path / "corpus", shard_size=size, progress=False)
    assert vc.check_shards(corpus, progress=False)["whole"].tolist() == [3]


def test_a_cut_that_was_killed_is_finished_and_other_files_are_never_written_between(tmp_path):
    x = np.eye(5, dtype="float32")
    corpus = vc.make_shards(x, tmp_path / "corpus", shard_size=2, progress=False)
    (corpus.folder / "manifest.json").unlink()
    (corpus.folder / "shards" / "00002.npy").unlink()
    assert len(vc.make_shards(x, tmp_path / "corpus", shard_size=2, progress=False).shards) == 3
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    with pytest.raises(FileExistsError, match="holds other files"):
        vc.make_shards(x, tmp_path / "mine", progress=False)


def test_a_number_that_is_none_is_refused_with_its_row(tmp_path):
    x = np.zeros((6, 2), dtype="float32")
    x[4, 1] = np.nan
    with pytest.raises(ValueError, match="another one in row 4"):
        vc.make_shards(x, tmp_path / "corpus", shard_size=2, progress=False)
    with pytest.raises(FileNotFoundError, match="which has none"):
        vc.open_shards(tmp_path / "corpus")


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"format": 9}'])
def test_a_damaged_manifest_is_refused_by_name(tmp_path, text):
    corpus = vc.make_shards(np.eye(2, dtype="float32"), tmp_path / "corpus", progress=False)
    (corpus.folder / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=r"manifest\.json"):
        vc.open_shards(corpus.folder)
