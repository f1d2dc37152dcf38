"""What is read of tweets, as versions 1.1 and 2 of Twitter's API gave them."""

import pandas as pd
import pytest

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


def only(read_result):
    assert len(read_result.posts) == 1
    return read_result.posts.iloc[0].to_dict()


@pytest.mark.parametrize("line", [FLAT, PAGE, {**PAGE, "data": TWEET}], ids=["flat", "page", "one"])
def test_a_tweet_reads_the_same_flattened_and_in_a_page(read, line):
    assert only(read(line)) == EXPECTED


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


def test_one_bad_tweet_does_not_cost_its_page(read):
    with pytest.warns(UserWarning, match="1 malformed"):
        result = read({**PAGE, "data": [TWEET, {"id": "2"}, {**TWEET, "id": "3"}]})
    assert result.posts["post_id"].tolist() == [TWEET["id"], "3"]
    assert result.malformed["line"].tolist() == [1]


def test_an_empty_page_is_no_error(read):
    assert len(read(FLAT, {"meta": {"result_count": 0}}).malformed) == 0


@pytest.mark.parametrize(
    "post",
    [
        {"id": 4250000000000001, "idstr": "4250000000000001", "text": "x", "user": {"screen_name": "ann"},
         "pic_urls": [], "created_at": "Thu Jun 14 20:00:00 +0800 2018", "reposts_count": 3},
        {"id": 7, "type": "message", "date": "2018-06-14T12:00:00", "from": "ann", "text": "x"},
        {"id": "1", "text": "x", "timestamp": "2018-06-14T12:00:00Z", "username": "ann", "media_url": "u"},
        {"id": 1, "text": "x", "date": 1528977600, "owner_id": -1, "attachments": [], "likes": {"count": 3}},
        {"id": "1", "text": "x", "author": "ann"},
        {"id": "1", "text": "x", "user": {"name": "ann"}, "image_url": "u"},
    ],
    ids=["weibo", "telegram", "threads", "vk", "comments", "other"],
)  # fmt: skip
def test_posts_of_other_platforms_are_no_tweets(read, post):
    with pytest.raises(ValueError, match=r"a post of another platform: it has .*columns="):
        read(post)


def test_a_tweet_with_fields_of_ones_own_is_a_tweet(read):
    assert len(read({**FLAT, "my_label": 1, "__twarc": {}}).posts) == 1
    old = {"id": 1, "text": "x", "user": {"screen_name": "ann"}, "favorited": False, "source": "web"}
    assert read(old).posts["author"].tolist() == ["ann"]
