import bz2
import gzip
import json
import lzma
import random
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

import visclust as vc
from visclust.base.provenance import digest_file
from visclust.corpus.posts import _RoundedIds

# One tweet as the search gives it; all that a tweet can hold is in test_tweets.py.
TWEET = {"id": "1050118621198921728", "text": "Never again #FamiliesBelongTogether", "author_id": "7"}


def test_columns_have_the_types_of_the_posts_table(read):
    posts = read(TWEET).posts
    assert {name: str(posts[name].dtype) for name in ("posted_at", "retweets", "friends", "is_retweet")} == {
        "posted_at": "datetime64[us, UTC]",
        "retweets": "Int64",
        "friends": "Int64",
        "is_retweet": "boolean",
    }
    assert type(posts["media"][0]) is list


def test_malformed_lines_are_listed_with_line_reason_and_start(read):
    with pytest.warns(UserWarning, match=r"6 malformed lines.*line 2: not JSON"):
        result = read(TWEET, '{"id": "2", "te', "", "[1, 2]", '{"delete": {}}', {"id": 1.5e18, "text": ""},
                      {"errors": [{"title": "Gone"}]}, {"id": "3", "text": "x", "entities": 5})  # fmt: skip
    assert len(result.posts) == 1
    listed = result.malformed
    assert listed["line"].tolist() == [2, 4, 5, 6, 7, 8]
    for reason, words in zip(
        listed["reason"],
        ["not JSON", "got list", "keys are delete", "last digits are lost", "error report", "unknown shape"],
        strict=True,
    ):
        assert words in reason
    assert listed["start"][0] == '{"id": "2", "te'
    assert result.files[["posts", "repeated", "malformed"]].to_numpy().tolist() == [[1, 0, 6]]


def test_a_file_without_any_post_is_an_error_that_says_why(read):
    with pytest.raises(ValueError, match=r"None of 1 lines .* not JSON"):
        read("hello")


def test_a_folder_is_read_in_the_order_of_its_paths_and_the_first_of_an_id_stays(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "b.jsonl").write_text(json.dumps({**TWEET, "text": "second"}))
    with gzip.open(tmp_path / "a.jsonl.gz", "wt") as file:
        file.write(json.dumps({**TWEET, "text": "first"}) + "\n" + json.dumps({**TWEET, "id": "2"}))
    (tmp_path / "deep/c.csv").write_text("post_id,text\n3,third\n2,again\n")
    (tmp_path / "notes.txt").write_text("not posts")
    with pytest.warns(UserWarning, match="2 posts have an id that came before with another author or text"):
        result = vc.read_posts(tmp_path, progress=False)
    assert result.posts["post_id"].tolist() == [TWEET["id"], "2", "3"]
    assert result.posts["text"][0] == "first"
    assert result.files["repeated"].tolist() == [0, 1, 1, 0]
    assert result.files["format"].tolist() == ["twarc2", "twarc2", "csv", ""]
    assert result.files["note"].tolist() == ["", "", "", "no file of posts by its ending .txt"]
    assert result.summary == (
        "3 posts read from 3 files; 2 repeated ids left out, 0 malformed lines. 1 other file not read."
    )


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("nowhere.jsonl", FileNotFoundError, "there is no .*nowhere"),
        ("", FileNotFoundError, "none ending in"),
        ("posts.xlsx", ValueError, "format="),
    ],
)
def test_a_path_without_posts_is_an_error(tmp_path, path, error, message):
    if path.endswith("xlsx"):
        (tmp_path / path).write_text("")
    with pytest.raises(error, match=message):
        vc.read_posts(tmp_path / path, progress=False)


@pytest.mark.parametrize("options", [{"columns": {"text": "body"}}, {"time_format": "%d/%m/%Y"}])
def test_what_is_for_tables_is_refused_for_tweets(read, options):
    with pytest.raises(ValueError, match="are for tables"):
        read(TWEET, **options)


def test_saving_while_reading_gives_the_same_table_and_its_record(read, tmp_path):
    lines = [{**TWEET, "id": str(number)} for number in range(3)] + [{"id": "9", "text": "bare"}]
    plain = read(*lines).posts
    saved = read(*lines, save_to=tmp_path / "out/posts.parquet").posts
    pd.testing.assert_frame_equal(saved, plain)
    loaded = vc.read_table(tmp_path / "out/posts.parquet", "posts")
    loaded["media"], loaded["hashtags"] = loaded["media"].map(list), loaded["hashtags"].map(list)
    pd.testing.assert_frame_equal(loaded, plain)
    record = vc.read_provenance(tmp_path / "out/posts.parquet")
    assert (record["kind"], record["function"]) == ("posts", "read_posts")
    assert record["inputs"] == {"path": digest_file(tmp_path / "posts.jsonl")[:32]}
    assert saved.attrs["provenance"]["inputs"] == record["inputs"]


def test_nothing_is_saved_where_nothing_was_read(read, tmp_path):
    with pytest.raises(ValueError, match="None of"):
        read("hello", save_to=tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2**63 - 1), st.text(), st.lists(st.text(min_size=1), max_size=3)),
        min_size=1,
        max_size=8,
        unique_by=lambda row: row[0],
    )
)
def test_whatever_a_tweet_says_comes_back_as_it_was(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("any") / "a.jsonl"
    tweets = [
        {"id": str(number), "text": text, "entities": {"hashtags": [{"tag": tag} for tag in tags]}}
        for number, text, tags in rows
    ]
    path.write_text("".join(json.dumps(tweet) + "\n" for tweet in tweets))
    posts = vc.read_posts(path, progress=False).posts
    assert posts["post_id"].tolist() == [str(number) for number, _, _ in rows]
    assert posts["text"].tolist() == [text for _, text, _ in rows]
    assert posts["hashtags"].tolist() == [list(dict.fromkeys(tags)) for _, _, tags in rows]


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_crash_the_reader(tmp_path_factory, noise):
    path = tmp_path_factory.mktemp("noise") / "a.jsonl"
    path.write_bytes(json.dumps(TWEET).encode() + b"\n" + noise)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        posts = vc.read_posts(path, progress=False).posts
    assert posts["post_id"].tolist() == [TWEET["id"]]


def write_packed(path, text):
    opens = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    if path.suffix.lower() == ".zst":
        path.write_bytes(pa.compress(text.encode(), codec="zstd", asbytes=True))
    else:
        with opens.get(path.suffix.lower(), open)(path, "wt") as file:
            file.write(text)


@pytest.mark.parametrize(
    "name",
    ["a.JSONL", "a.Json", "a.ndJSON.GZ", "a.jsonl.bz2", "a.jsonl.xz", "a.jsonl.zst", "deep/a.jsonl.ZST"],
)
def test_every_file_of_a_folder_is_read_whatever_its_case_and_packing(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    write_packed(tmp_path / name, json.dumps(TWEET) + "\n")
    result = vc.read_posts(tmp_path, progress=False)
    assert result.posts["post_id"].tolist() == [TWEET["id"]]


def test_a_packed_file_of_several_frames_is_read_to_its_end(tmp_path):
    frames = [json.dumps({**TWEET, "id": str(number)}) + "\n" for number in (1, 2)]
    packed = [pa.compress(frame.encode(), codec="zstd", asbytes=True) for frame in frames]
    (tmp_path / "a.jsonl.zst").write_bytes(b"".join(packed))
    assert vc.read_posts(tmp_path, progress=False).posts["post_id"].tolist() == ["1", "2"]


@pytest.mark.parametrize("name", ["a.CSV.gz", "a.csv.zst", "a.tsv.bz2", "a.TAB", "a.txt", "a.csv"])
def test_tables_are_read_packed_and_with_other_endings(tmp_path, name):
    write_packed(tmp_path / name, "post_id\ttext\n1\thello\n")
    assert vc.read_posts(tmp_path, progress=False).posts["text"].tolist() == ["hello"]
    assert vc.read_posts(tmp_path / name, progress=False).posts["text"].tolist() == ["hello"]


def test_what_is_not_read_in_a_folder_is_listed_with_why(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps(TWEET))
    (tmp_path / "b.jsonl.zst").write_bytes(b"\x28\xb5\x2f\xfd")
    (tmp_path / "c.jsonl").write_text("[]")
    (tmp_path / "d.xlsx").write_text("")
    (tmp_path / "e.zip").write_text("")
    (tmp_path / ".hidden.jsonl").write_text("")
    (tmp_path / "f.txt").write_text("some notes, of mine\n")
    (tmp_path / "g.jsonl").symlink_to(tmp_path / "gone")
    with pytest.warns(UserWarning, match="3 files of the folder could not be read"):
        result = vc.read_posts(tmp_path, progress=False)
    notes = {
        Path(file).name: note for file, note in zip(result.files["file"], result.files["note"], strict=True)
    }
    assert set(notes) == {
        "a.jsonl",
        "b.jsonl.zst",
        "c.jsonl",
        "d.xlsx",
        "e.zip",
        ".hidden.jsonl",
        "f.txt",
        "g.jsonl",
    }
    assert [name for name, note in notes.items() if not note] == ["a.jsonl"]
    assert "Truncated" in notes["b.jsonl.zst"]
    assert "jq" in notes["c.jsonl"]
    assert result.summary.endswith("7 other files not read.")


def test_ids_that_are_unique_within_a_channel_only_are_warned_of_and_every_post_left_out_has_a_row(tmp_path):
    (tmp_path / "a.csv").write_text("post_id,text\n1,a\n2,b\n")
    (tmp_path / "b.csv").write_text("post_id,text\n1,x\n2,b\n")
    with pytest.warns(UserWarning, match="1 posts have an id that came before with another author or text"):
        result = vc.read_posts(tmp_path, progress=False)
    assert result.files["repeated"].tolist() == [0, 2]
    assert result.notes["note"].tolist() == ["1 in record 1 ('x') came before as another post"]


@pytest.mark.parametrize(
    ("ids", "rounded"),
    [
        (["1234567890123450000", "1294030472428120000"], True),
        (["1234567890123450000"], True),
        (["1234567890123456789"] * 1, False),
        ([str(10**18 + 7 * n + 1) for n in range(50)], False),
        (["1000", "20000"], False),
        ([f"{n}000000000000000" for n in range(1, 9)], False),  # 16 digits: one in ten ends so
    ],
)
def test_ids_that_a_spreadsheet_rounded_are_warned_of(tmp_path, ids, rounded):
    (tmp_path / "a.csv").write_text("post_id,text\n" + "".join(f"{each},x\n" for each in ids))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        vc.read_posts(tmp_path / "a.csv", progress=False)
    assert any("a spreadsheet has rounded them" in str(each.message) for each in caught) is rounded


def test_ten_thousand_true_ids_are_not_called_rounded():
    ids = _RoundedIds()
    generator = random.Random(0)
    for _ in range(10_000):
        ids.see(str(generator.randrange(10**18, 2 * 10**18)))
    assert not ids.are_rounded()


def test_posts_that_are_not_loaded_are_the_same_rows_in_a_file_and_the_same_problems(read, tmp_path):
    lines = [TWEET, '{"id": "2', {"id": "3", "text": "x"}, {"id": "3", "text": "y"}, {"id": "3", "text": "x"}]
    with pytest.warns(UserWarning, match="1 malformed"):
        loaded = read(*lines)
    with pytest.warns(UserWarning, match="1 malformed"):
        kept = read(*lines, save_to=tmp_path / "posts.parquet", load=False)
    assert kept.posts == tmp_path / "posts.parquet"
    again = vc.read_table(kept.posts, "posts")
    for name in again.columns:
        assert again[name].map(repr).tolist() == loaded.posts[name].map(
            lambda value: repr(np.array(value, dtype=object)) if isinstance(value, list) else repr(value)
        ).tolist()  # fmt: skip
    assert again.attrs["provenance"]["function"] == "read_posts"
    for one, other in zip(loaded[1:], kept[1:], strict=True):
        assert one.equals(other) if isinstance(one, pd.DataFrame) else one == other
    assert kept.notes["note"].str.contains("came before as another post").tolist() == [True]


def test_posts_that_are_neither_loaded_nor_saved_are_refused(read):
    with pytest.raises(ValueError, match=r"save_to beside load=False"):
        read(TWEET, load=False)


@pytest.mark.parametrize(("rounded", "expected"), [(1000, False), (1120, True)])
def test_ids_of_millions_of_posts_end_in_zeros_by_chance(rounded, expected):
    ids = _RoundedIds()
    ids.long, ids.rounded, ids.expected = 10_000_000, rounded, 1000.0
    assert ids.are_rounded() is expected  # 1,100 or more have a probability below .001
