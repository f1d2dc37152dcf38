from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from visclust.corpus.post_cells import (
    find_hashtags,
    list_hashtags,
    list_media,
    read_count,
    read_id,
    read_text,
    read_time,
    read_truth,
)
from visclust.corpus.post_rows import MalformedPostError


@pytest.mark.parametrize("value", ["1050118621198921728", 1050118621198921728, " 1050118621198921728 "])
def test_an_id_is_text_whatever_it_was(value):
    assert read_id(value) == "1050118621198921728"


@pytest.mark.parametrize("value", ["12e5", "CxYz_.12", "p00001"])
def test_an_id_need_not_be_a_number(value):
    assert read_id(value) == value


@pytest.mark.parametrize("value", ["1.05E+18", 1.05e18, "1050118621198921728.0", None, float("nan"), ""])
def test_an_id_that_lost_its_digits_is_refused(value):
    with pytest.raises(MalformedPostError):
        read_id(value)


@pytest.mark.parametrize(("value", "expected"), [("1,234", None), ("3.5", None), (True, None), ("3.0", 3)])
def test_a_count_is_whole_or_refused(value, expected):
    if expected is None:
        with pytest.raises(MalformedPostError):
            read_count(value, "retweets")
    else:
        assert read_count(value, "retweets") == expected


@pytest.mark.parametrize("value", [None, float("nan"), "", "null"])
def test_an_empty_count_is_missing(value):
    assert read_count(value, "retweets") is None


@pytest.mark.parametrize("value", [None, float("nan"), pd.NaT, " ", "NaT", "nan", "None"])
def test_an_empty_time_is_missing(value):
    assert read_time(value) is None


@pytest.mark.parametrize(
    "text",
    [
        "2018-06-14T12:00:00Z",
        "2018-06-14T12:00:00.000Z",
        "2018-06-14 12:00:00",
        "2018-06-14T08:00:00-04:00",
        "Thu Jun 14 12:00:00 +0000 2018",
        "1528977600",
        1528977600,
    ],
)
def test_times_of_every_known_form_are_utc(text):
    assert read_time(text) == datetime(2018, 6, 14, 12, tzinfo=UTC)


@settings(deadline=None)
@given(st.datetimes(), st.integers(-12 * 60, 14 * 60))
def test_any_iso_time_is_the_same_moment_in_utc(moment, minutes):
    moment = moment.replace(year=max(2, min(moment.year, 9998)))  # so that the zone cannot leave the calendar
    zone = timedelta(minutes=minutes)
    hours, rest = divmod(abs(minutes), 60)
    text = f"{(moment + zone).isoformat()}{'+' if minutes >= 0 else '-'}{hours:02}:{rest:02}"
    assert read_time(text) == moment.replace(tzinfo=UTC)


@pytest.mark.parametrize(("word", "expected"), [("yes", True), ("No", False), (True, True), ("", None)])
def test_yes_and_no_are_read(word, expected):
    assert read_truth(word) is expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("A,B", ["A", "B"]),
        ("#A #B", ["A", "B"]),
        ("#A#B", ["A", "B"]),
        ("['A', 'B']", ["A", "B"]),
        ('["A", "B"]', ["A", "B"]),
        ([{"tag": "A"}, {"text": "B"}], ["A", "B"]),
        (["A", None, "A"], ["A"]),
        ("", []),
        (None, []),
    ],
)
def test_hashtags_are_listed_however_they_are_written(cell, expected):
    assert list_hashtags(cell) == expected


def test_nothing_in_a_cell_is_run():
    cell = "[__import__('os').getcwd()]"
    assert list_hashtags(cell) == list_media(cell) == [cell]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("a, b.jpg", ["a, b.jpg"]),
        ("a.jpg|b.jpg;c.jpg", ["a.jpg", "b.jpg", "c.jpg"]),
        ("https://x.org/a.jpg,https://x.org/b.jpg", ["https://x.org/a.jpg", "https://x.org/b.jpg"]),
        ([{"preview_image_url": "t.jpg"}], ["t.jpg"]),
        ("['a.jpg']", ["a.jpg"]),
        (float("nan"), []),
    ],
)
def test_media_are_listed_however_they_are_written(cell, expected):
    assert list_media(cell) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#One, (#Two) #3 #4th", ["One", "Two", "4th"]),
        ("a#No &#39; https://x.org/#no", []),
        ("＃日本語 #été", ["日本語", "été"]),
        (None, []),
    ],
)
def test_hashtags_are_found_in_a_text_as_twitter_does(text, expected):
    assert find_hashtags(text) == expected


def test_text_is_kept_as_it_is_and_missing_where_there_is_none():
    assert read_text("<b>hello</b>") == "<b>hello</b>"
    assert [read_text(value) for value in ("", None, float("nan"))] == [None, None, None]
