import gzip
import json
import warnings

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import visclust as vc
from visclust.base.provenance import digest_file

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
    result = vc.read_posts(tmp_path, progress=False)
    assert result.posts["post_id"].tolist() == [TWEET["id"], "2", "3"]
    assert result.posts["text"][0] == "first"
    assert result.files["repeated"].tolist() == [0, 1, 1]
    assert result.files["format"].tolist() == ["twarc2", "twarc2", "csv"]
    assert result.summary == "3 posts read from 3 files; 2 repeated ids left out, 0 malformed lines."


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
