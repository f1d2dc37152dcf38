"""Counts over all shards: every row once, whatever the buckets."""

import numpy as np
import pandas as pd
import pytest

import visclust as vc


def make_images(ids, unreadable=()):
    return pd.DataFrame(
        {
            "image_id": ids,
            "path": [f"{i}.jpg" for i in range(len(ids))],
            "status": ["unreadable" if i in unreadable else "ok" for i in range(len(ids))],
            "reason": "",
            "width": 4,
            "height": 3,
        }
    )


@pytest.mark.parametrize("buckets", [1, 7, 64])
def test_repeated_images_are_counted_over_shards_and_every_row_once(tmp_path, buckets):
    ids = [str(each) for each in np.random.default_rng(0).integers(0, 60, 100)]
    corpus = vc.make_shards(make_images(ids, {3, 50}), tmp_path / "c", shard_size=30, progress=False)
    counts = vc.count_shards(corpus, buckets=buckets, progress=False)
    total = counts.iloc[-1]
    assert total["rows"] == 100
    assert total["unreadable"] == 2
    assert total["unique"] == len({each for i, each in enumerate(ids) if i not in {3, 50}})
    assert (counts[["unique", "repeated", "unreadable"]].sum(axis=1) == counts["rows"]).all()
    assert counts["rows"].tolist() == [30, 30, 30, 10, 100]


def test_posts_that_come_in_two_files_are_repeated(tmp_path):
    (tmp_path / "posts").mkdir()
    for name, ids in (("a", [1, 2]), ("b", [2, 3])):
        lines = "".join(f"{each},hello\n" for each in ids)
        (tmp_path / "posts" / f"{name}.csv").write_text(f"post_id,text\n{lines}")
    corpus = vc.make_shards(tmp_path / "posts", tmp_path / "c", kind="posts", progress=False)
    with pytest.raises(ValueError, match="for each of 2 shards, but 2 cannot be used"):
        vc.count_shards(corpus, progress=False)
    vc.run_shards(corpus, "read", progress=False)
    counts = vc.count_shards(corpus, progress=False)
    assert counts[["rows", "unique", "repeated"]].values.tolist() == [[2, 2, 0], [2, 1, 1], [4, 3, 1]]
