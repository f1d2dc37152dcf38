import gzip
import json
import random
import warnings

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from visclust.base.provenance import digest_file
from visclust.base.tables import read_provenance, read_table
from visclust.corpus.posts import read_posts

USER = {
    "id": "7",
    "username": "ada",
    "public_metrics": {"followers_count": 12, "following_count": 5, "tweet_count": 99},
}
PHOTO = {"media_key": "3_1", "type": "photo", "url": "https://pbs.twimg.com/media/ABC.jpg"}
VIDEO = {
    "media_key": "7_2",
    "type": "video",
    "preview_image_url": "https://pbs.twimg.com/ext_tw_video_thumb/2/pu/img/XYZ.jpg",
    "variants": [{"url": "https://video.twimg.com/2.mp4"}],
}
TWEET = {
    "id": "1050118621198921728",
    "author_id": "7",
    "created_at": "2018-06-14T12:00:00.000Z",
    "text": "Never again #FamiliesBelongTogether",
    "entities": {"hashtags": [{"start": 12, "end": 35, "tag": "FamiliesBelongTogether"}]},
    "public_metrics": {"retweet_count": 3, "reply_count": 0, "like_count": 4, "quote_count": 1},
    "attachments": {"media_keys": ["3_1", "7_2"]},
}
FLAT = {**TWEET, "author": USER, "attachments": {"media_keys": ["3_1", "7_2"], "media": [PHOTO, VIDEO]}}
PAGE = {
    "data": [TWEET],
    "includes": {"users": [USER], "media": [PHOTO, VIDEO]},
    "meta": {"result_count": 1},
    "__twarc": {"version": "2.14.0"},
}
EXPECTED = {
    "post_id": "1050118621198921728",
    "author": "ada",
    "posted_at": pd.Timestamp("2018-06-14 12:00", tz="UTC"),
    "text": "Never again #FamiliesBelongTogether",
    "hashtags": ["FamiliesBelongTogether"],
    "retweets": 3,
    "favourites": 4,
    "followers": 12,
    "friends": 5,
    "media": [PHOTO["url"], VIDEO["preview_image_url"]],
    "is_retweet": False,
}


@pytest.fixture
def read(tmp_path):
    """Write lines (text, or things to write as JSON) into a file and read them."""

    def write_and_read(*lines, name="posts.jsonl", **options):
        path = tmp_path / name
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        path.write_text(text, encoding="utf-8")
        return read_posts(path, progress=False, **options)

    return write_and_read


def only(read_result):
    assert len(read_result.posts) == 1
    return read_result.posts.iloc[0].to_dict()


@pytest.mark.parametrize("line", [FLAT, PAGE, {**PAGE, "data": TWEET}], ids=["flat", "page", "one"])
def test_a_tweet_reads_the_same_flattened_and_in_a_page(read, line):
    assert only(read(line)) == EXPECTED


def test_columns_have_the_types_of_the_posts_table(read):
    posts = read(FLAT).posts
    assert {name: str(posts[name].dtype) for name in ("posted_at", "retweets", "friends", "is_retweet")} == {
        "posted_at": "datetime64[us, UTC]",
        "retweets": "Int64",
        "friends": "Int64",
        "is_retweet": "boolean",
    }
    assert type(posts["media"][0]) is list


def test_a_video_without_a_thumbnail_and_an_image_that_is_not_included_give_their_keys(read):
    page = {**PAGE, "includes": {"users": [USER], "media": [{"media_key": "7_2", "type": "video"}]}}
    assert only(read(page))["media"] == ["media_key:3_1", "media_key:7_2"]


def test_tweets_that_a_page_only_includes_are_no_posts(read):
    other = {**TWEET, "id": "5"}
    page = {**PAGE, "includes": {**PAGE["includes"], "tweets": [other]}}
    assert read(page).posts["post_id"].tolist() == [TWEET["id"]]


RETWEET = {
    "id": "9",
    "author_id": "8",
    "created_at": "2018-06-15T00:00:00.000Z",
    "text": "RT @ada: Never again #Fam…",
    "referenced_tweets": [{"type": "retweeted", "id": TWEET["id"]}],
}


def test_a_retweet_is_a_post_with_the_images_hashtags_and_whole_text_of_the_original(read):
    page = {"data": [RETWEET], "includes": {**PAGE["includes"], "tweets": [TWEET]}}
    post = only(read(page))
    assert post["is_retweet"] is True
    assert post["text"] == "RT @ada: Never again #FamiliesBelongTogether"
    assert post["hashtags"] == ["FamiliesBelongTogether"]
    assert post["media"] == EXPECTED["media"]


def test_a_flattened_retweet_reads_as_in_a_page(read):
    page = {"data": [RETWEET], "includes": {**PAGE["includes"], "tweets": [TWEET]}}
    flat = {**RETWEET, "referenced_tweets": [{**FLAT, "type": "retweeted"}]}
    assert only(read(flat)).keys() == only(read(page, name="page.jsonl")).keys()
    for name in ("text", "hashtags", "media", "is_retweet", "author"):
        assert only(read(flat))[name] == only(read(page, name="page.jsonl"))[name]


@pytest.mark.parametrize("kind", ["quoted", "replied_to"])
def test_images_of_a_quoted_or_answered_tweet_do_not_belong_to_the_post(read, kind):
    answer = {"id": "9", "text": "So true", "referenced_tweets": [{**FLAT, "type": kind}]}
    post = only(read(answer))
    assert (post["media"], post["hashtags"], post["is_retweet"]) == ([], [], False)


def test_a_long_tweet_has_its_whole_text_and_the_hashtags_of_its_end(read):
    note = {"text": "Never again … #AndTheEnd", "entities": {"hashtags": [{"tag": "AndTheEnd"}]}}
    post = only(read({**FLAT, "note_tweet": note}))
    assert post["text"] == note["text"]
    assert post["hashtags"] == ["FamiliesBelongTogether", "AndTheEnd"]


def test_what_the_data_do_not_say_is_missing_and_not_zero(read):
    post = only(read({"id": "1", "text": "bare", "author_id": "77"}))
    missing = ["posted_at", "retweets", "favourites", "followers", "friends"]
    assert [name for name in missing if not pd.isna(post[name])] == []
    assert post["author"] == "77"  # the name is not known, so the id stands for it


def test_4cats_ndjson_keeps_media_in_the_place_of_their_keys(read):
    item = {**TWEET, "author_user": USER, "attachments": {"media_keys": [PHOTO, VIDEO, "3_9"]}}
    post = only(read(item, name="4cat.ndjson"))
    assert sorted(post["media"]) == sorted([*EXPECTED["media"], "media_key:3_9"])
    assert (post["author"], post["followers"]) == ("ada", 12)


V1 = {
    "id": 1050118621198921728,
    "id_str": "1050118621198921728",
    "created_at": "Thu Jun 14 12:00:00 +0000 2018",
    "text": "Never again #Fam… https://t.co/x",
    "truncated": True,
    "user": {"id_str": "7", "screen_name": "ada", "followers_count": 12, "friends_count": 5},
    "retweet_count": 3,
    "favorite_count": 4,
    "entities": {"hashtags": []},
    "extended_tweet": {
        "full_text": "Never again #FamiliesBelongTogether",
        "entities": {"hashtags": [{"text": "FamiliesBelongTogether"}]},
        "extended_entities": {
            "media": [
                {"type": "photo", "media_url_https": PHOTO["url"]},
                {"type": "video", "media_url_https": VIDEO["preview_image_url"]},
            ]
        },
    },
}


def test_a_truncated_tweet_of_version_1_is_read_whole(read):
    assert only(read(V1)) == EXPECTED


def test_a_retweet_of_version_1_shows_what_it_shares(read):
    retweet = {
        "id_str": "9",
        "text": "RT @ada: Never a…",
        "user": {"screen_name": "bob"},
        "retweeted_status": V1,
    }
    post = only(read(retweet))
    assert post["text"] == "RT @ada: Never again #FamiliesBelongTogether"
    assert post["media"] == EXPECTED["media"]
    assert post["is_retweet"] is True


def test_malformed_lines_are_listed_with_line_reason_and_start(read):
    with pytest.warns(UserWarning, match=r"6 malformed lines.*line 2: not JSON"):
        result = read(FLAT, '{"id": "2", "te', "", "[1, 2]", '{"delete": {}}', {"id": 1.5e18, "text": ""},
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


def list_places(item, place=()):
    """List where something stands in nested lists and dicts, as keys from the outside in."""
    inside = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
    return [place, *(deeper for key, value in inside for deeper in list_places(value, (*place, key)))]


def replace_at(item, place, value):
    """Copy nested lists and dicts with something else in one place."""
    if not place:
        return value
    copy = dict(item) if isinstance(item, dict) else list(item)
    copy[place[0]] = replace_at(item[place[0]], place[1:], value)
    return copy


WRONG = [None, 5, 1.5, True, "", "x", [], [1], [[]], {}, {"a": 1}, 10**30, "9999-12-31T23:59:59-10:00",
         "0001-01-01T00:00:00+10:00", "\ud83d", [{"tag": 5}], {"id": [1]}]  # fmt: skip


@pytest.mark.parametrize("tweet", [FLAT, PAGE, V1], ids=["flat", "page", "version 1"])
def test_whatever_stands_where_something_else_should_costs_its_own_tweet_only(read, tweet):
    places = [place for place in list_places(tweet) if place not in ((), ("data",))]  # there a page ends
    lines = [replace_at(tweet, place, value) for place in places for value in WRONG]
    with pytest.warns(UserWarning, match="malformed lines"):
        found = read({**FLAT, "id": "1"}, *lines)
    assert int(found.files[["posts", "repeated", "malformed"]].sum(axis=1).item()) == 1 + len(lines)
    assert found.posts["text"].map(type).isin([str, type(None), float]).all()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"text": 5}, "expected text as text, got 5"),
        ({"author": {"username": ["a"]}}, "expected author as text"),
        ({"entities": {"hashtags": [{"tag": 5}]}}, "expected hashtags as text, got 5"),
        ({"id": True}, "post id as text or a whole number, got True"),
        ({"created_at": "9999-12-31T23:59:59-10:00"}, "beyond the calendar"),
    ],
)
def test_a_field_of_the_wrong_type_is_listed_with_what_was_expected(read, change, reason):
    with pytest.warns(UserWarning, match="1 malformed"):
        assert reason in read(FLAT, {**FLAT, "id": "2", **change}).malformed["reason"].item()


def test_half_an_emoji_in_what_is_no_tweet_is_listed(read):
    with pytest.warns(UserWarning, match="2 malformed"):
        listed = read(FLAT, '"cut \\ud83d"', '{"\\ud83d": 1}').malformed
    assert listed["start"][0] == "cut \ufffd"


def test_one_bad_tweet_does_not_cost_its_page(read):
    with pytest.warns(UserWarning, match="1 malformed"):
        result = read({**PAGE, "data": [TWEET, {"id": "2"}, {**TWEET, "id": "3"}]})
    assert result.posts["post_id"].tolist() == [TWEET["id"], "3"]
    assert result.malformed["line"].tolist() == [1]


def test_an_empty_page_is_no_error(read):
    assert len(read(FLAT, {"meta": {"result_count": 0}}).malformed) == 0


def test_bytes_that_are_no_text_are_malformed(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(json.dumps(FLAT).encode() + b'\n{"id": "\xff"}\n')
    with pytest.warns(UserWarning, match="not UTF-8"):
        assert len(read_posts(tmp_path / "a.jsonl", progress=False).posts) == 1


def test_half_an_emoji_is_mended_rather_than_fatal(read):
    assert (
        only(read('{"id": "1", "text": "cut \\ud83d", "author_id": "\\ud83d\\ude00"}'))["text"]
        == "cut \ufffd"
    )


def test_a_packed_file_that_breaks_off_gives_what_came_before(tmp_path):
    generator = random.Random(0)  # noise, so that the packed file is long enough to be cut in its middle
    lines = [json.dumps({**FLAT, "id": str(i), "text": str(generator.random())}) for i in range(500)]
    packed = gzip.compress("\n".join(lines).encode())
    (tmp_path / "a.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.warns(UserWarning, match="breaks off"):
        result = read_posts(tmp_path / "a.jsonl.gz", progress=False)
    assert 0 < len(result.posts) < 500
    assert result.malformed["line"].tolist()[-1] > len(result.posts)


def test_a_file_without_any_post_is_an_error_that_says_why(read):
    with pytest.raises(ValueError, match=r"None of 1 lines .* not JSON"):
        read("hello")


def test_one_json_list_is_an_error_that_says_what_to_do(read):
    with pytest.raises(ValueError, match="jq -c"):
        read("[", json.dumps(FLAT), "]")


def test_a_folder_is_read_in_the_order_of_its_paths_and_the_first_of_an_id_stays(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "b.jsonl").write_text(json.dumps({**FLAT, "text": "second"}))
    with gzip.open(tmp_path / "a.jsonl.gz", "wt") as file:
        file.write(json.dumps({**FLAT, "text": "first"}) + "\n" + json.dumps({**FLAT, "id": "2"}))
    (tmp_path / "deep/c.csv").write_text("post_id,text\n3,third\n2,again\n")
    (tmp_path / "notes.txt").write_text("not posts")
    result = read_posts(tmp_path, progress=False)
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
        read_posts(tmp_path / path, progress=False)


@pytest.mark.parametrize("options", [{"columns": {"text": "body"}}, {"time_format": "%d/%m/%Y"}])
def test_what_is_for_tables_is_refused_for_tweets(read, options):
    with pytest.raises(ValueError, match="are for tables"):
        read(FLAT, **options)


def test_saving_while_reading_gives_the_same_table_and_its_record(read, tmp_path):
    lines = [{**FLAT, "id": str(number)} for number in range(3)] + [{"id": "9", "text": "bare"}]
    plain = read(*lines).posts
    saved = read(*lines, save_to=tmp_path / "out/posts.parquet").posts
    pd.testing.assert_frame_equal(saved, plain)
    loaded = read_table(tmp_path / "out/posts.parquet", "posts")
    loaded["media"], loaded["hashtags"] = loaded["media"].map(list), loaded["hashtags"].map(list)
    pd.testing.assert_frame_equal(loaded, plain)
    record = read_provenance(tmp_path / "out/posts.parquet")
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
    posts = read_posts(path, progress=False).posts
    assert posts["post_id"].tolist() == [str(number) for number, _, _ in rows]
    assert posts["text"].tolist() == [text for _, text, _ in rows]
    assert posts["hashtags"].tolist() == [list(dict.fromkeys(tags)) for _, _, tags in rows]


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_crash_the_reader(tmp_path_factory, noise):
    path = tmp_path_factory.mktemp("noise") / "a.jsonl"
    path.write_bytes(json.dumps(FLAT).encode() + b"\n" + noise)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        posts = read_posts(path, progress=False).posts
    assert posts["post_id"].tolist() == [TWEET["id"]]
