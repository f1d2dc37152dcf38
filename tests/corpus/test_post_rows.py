"""Posts as rows: texts that are text, halves of emoji, names each once."""

import pytest

from visclust.corpus.post_rows import (
    MalformedPostError,
    PostRow,
    check_texts,
    mend_text,
    strip_hash_sign,
    unique,
)

TWEET = {"id": "1", "text": "Never again"}


def test_half_an_emoji_in_what_is_no_tweet_is_listed(read):
    with pytest.warns(UserWarning, match="2 malformed"):
        listed = read(TWEET, '"cut \\ud83d"', '{"\\ud83d": 1}').malformed
    assert listed["start"][0] == "cut \ufffd"


def test_half_an_emoji_is_mended_rather_than_fatal(read):
    posts = read('{"id": "1", "text": "cut \\ud83d", "author_id": "\\ud83d\\ude00"}').posts
    assert posts["text"].tolist() == ["cut \ufffd"]


def test_half_a_surrogate_pair_becomes_the_replacement_character():
    assert mend_text("a\ud83d") == "a\ufffd"
    assert mend_text("\U0001f600") == "\U0001f600"


def test_what_should_be_text_must_be_text():
    row = PostRow("1", text="hello", hashtags=["A"])
    assert check_texts(row) is row
    with pytest.raises(MalformedPostError, match="expected text as text, got 5"):
        check_texts(PostRow("1", text=5))
    with pytest.raises(MalformedPostError, match="expected media as text, got 5"):
        check_texts(PostRow("1", media=[5]))


def test_a_hash_sign_of_either_width_is_taken_from_the_front_only():
    assert [strip_hash_sign(tag) for tag in (" #One", "＃Two", "Th#ree")] == ["One", "Two", "Th#ree"]


def test_names_are_kept_once_in_their_order_without_the_empty():
    assert unique(["b", None, "a", "", "b"]) == ["b", "a"]
