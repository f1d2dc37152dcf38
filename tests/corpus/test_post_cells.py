import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from visclust.corpus.post_cells import (
    find_hashtags,
    list_hashtags,
    list_media,
    read_author,
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
    with pytest.raises(MalformedPostError, match="notation that is not known"):
        list_hashtags(cell)
    assert list_media(cell) == [cell[1:-1]]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("a, b.jpg", ["a, b.jpg"]),
        ("2021/smoke; fire, ash.jpg", ["2021/smoke; fire, ash.jpg"]),
        ("a.jpg;smoke;fire.jpg;b.jpg", ["a.jpg", "smoke;fire.jpg", "b.jpg"]),
        ("ABC;DEF", ["ABC", "DEF"]),
        ("notes.txt;a.jpg", ["notes.txt", "a.jpg"]),
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


@pytest.mark.parametrize(
    "cell",
    ["['a' 'b']", "['a'\n 'b']", "[#a,#b]", "[a, b]", "[a b]", "{a,b}", '{"a","b"}', "('a', 'b')",
     'c("a", "b")', "[['a', 'b']]", '"a","b"', "'a', 'b'", "array(['a', 'b'], dtype=object)",
     "list('a', 'b')", "{'a', 'b'}", '["a", "b"]',
     "[{'text': 'a'}, {'text': 'b'}]", "WrappedArray(a, b)", "['a', None, 'b', nan]",
     "a;b", "#a#b", ("a", "b")],
)  # fmt: skip
def test_hashtags_are_read_in_the_notation_of_any_language(cell):
    assert list_hashtags(cell) == ["a", "b"]


@pytest.mark.parametrize(
    "cell", ["NA", "nan", "None", "NULL", "\\N", "[]", "{}", "()", "c()", "character(0)", "[nan]"]
)
def test_lists_of_nothing_hold_nothing(cell):
    assert list_hashtags(cell) == list_media(cell) == []


@pytest.mark.parametrize("cell", ["<a>", "[a", "a(b)", '["a', "{'a': 1}", "[{'count': 3}]"])
def test_lists_in_a_notation_that_is_not_known_are_refused(cell):
    with pytest.raises(MalformedPostError, match=r"not known|none of them is known"):
        list_hashtags(cell)


@pytest.mark.parametrize("name", ["photo (1).jpg", "a[1].jpg", "(1).jpg", "'a'.jpg", "a, b.jpg", "{x}.png"])
def test_a_file_name_with_brackets_is_a_name(name):
    assert list_media(name) == [name]
    assert list_media(f'["{name}"]') == [name]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#เลือกตั้ง today", ["เลือกตั้ง"]),
        ("#एकता #একতা", ["एकता", "একতা"]),
        ("#کمک‌کنید now", ["کمک‌کنید"]),
        ("#காதல்!", ["காதல்"]),
        ("#cafe\u0301 x", ["cafe\u0301"]),
        ("#スター・ウォーズ", ["スター・ウォーズ"]),
        ("#צה״ל", ["צה״ל"]),
    ],
)
def test_hashtags_of_any_script_are_whole(text, expected):
    assert find_hashtags(text) == expected


@pytest.mark.parametrize(
    "value",
    [1528977600000, "1528977600000", 1528977600000000, 1528977600000000000, 1528977600.0, "1528977600.0",
     "201806141200", 20180614120000, "2018-06-14 12:00:00 UTC", "2018-06-14 12:00 GMT",
     "2018-06-14T12:00:00+0000", "Thu, 14 Jun 2018 12:00:00 GMT", "Thu, 14 Jun 2018 08:00:00 -0400"],
)  # fmt: skip
def test_numbers_and_zones_of_other_programs_are_the_same_moment(value):
    assert read_time(value) == datetime(2018, 6, 14, 12, tzinfo=UTC)


@pytest.mark.parametrize("value", [20180614, "20180614", 20180614.0])
def test_a_date_as_a_number_is_no_second_of_1970_and_that_is_noted(value):
    notes = Counter()
    assert read_time(value, notes=notes) == datetime(2018, 6, 14, tzinfo=UTC)
    assert ("posted_at", "numbers such as 20180614 read as year, month and day") in notes


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (43265.5, "spreadsheet's count of days"),
        (0, "no year from 1980 on"),
        (2018, "no year from 1980 on"),
        (-5, "no year from 1980 on"),
        ("14/06/2018 12:00", r"time_format='%d/%m/%Y %H:%M' \(day first\)$"),
        ("6/14/2018", r"time_format='%m/%d/%Y' \(month first\)$"),
        ("06.07.2018", r"'%d.%m.%Y' \(day first\) or time_format='%m.%d.%Y' \(month first\)"),
        ("6/7/18 1:05:30 PM", "%d/%m/%y %I:%M:%S %p"),
        ("14 June 2018", "say its form with time_format="),
        ("2021-06-01 17:06:27 EDT", "zone as an offset"),
        ("2021-06-01 17:06:27 CST", "zone as an offset"),
    ],
)
def test_a_time_that_cannot_be_decided_is_refused_with_the_argument_to_give(value, message):
    with pytest.raises(MalformedPostError, match=message):
        read_time(value)


@pytest.mark.parametrize("machine", ["America/New_York", "Europe/Berlin", "UTC"])
@pytest.mark.parametrize("zone", ["EDT", "EST", "CET", "CEST", "BST"])
def test_a_named_zone_is_refused_whatever_the_zone_of_the_machine(monkeypatch, machine, zone):
    monkeypatch.setenv("TZ", machine)
    time.tzset()
    try:
        with pytest.raises(MalformedPostError, match="only UTC and GMT mean the same"):
            read_time(f"2021-06-01 17:06:27 {zone}", form="%Y-%m-%d %H:%M:%S %Z")
        assert read_time("2021-06-01 17:06 UTC", form="%Y-%m-%d %H:%M %Z").hour == 17
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_time_without_a_zone_is_noted_unless_its_zone_is_said():
    notes = Counter()
    assert read_time("2018-06-14 12:00", notes=notes).hour == 12
    assert read_time("2018-06-14 12:00", zone=ZoneInfo("America/New_York"), notes=notes).hour == 16
    assert sum(notes.values()) == 1


def test_years_that_posts_do_not_have_are_noted():
    notes = Counter()
    for text in ("1970-01-01T00:00:00Z", "2918-06-14T00:00:00Z", "2018-06-14T00:00:00Z"):
        read_time(text, notes=notes)
    assert notes == {("posted_at", "before 1980 or in the future, kept as it stands"): 2}


@pytest.mark.parametrize(
    ("value", "expected"),
    [('="1234567890123456789"', "1234567890123456789"), ("'1234567890123456789", "1234567890123456789")],
)
def test_an_id_kept_as_text_by_a_spreadsheet_is_unwrapped(value, expected):
    assert read_id(value) == expected


@pytest.mark.parametrize("value", ["NA", "NULL", "#N/A", "1,23E+18", "1,23E18"])
def test_an_id_that_is_none_or_rounded_in_another_language_is_refused(value):
    with pytest.raises(MalformedPostError):
        read_id(value)


def test_a_word_that_is_neither_yes_nor_no_is_refused():
    assert read_truth("WAHR") is True
    with pytest.raises(MalformedPostError, match="neither true nor false"):
        read_truth("perhaps")


@pytest.mark.parametrize(
    "value", ["ann", "{'username': 'ann', 'id': 5}", '{"screen_name": "ann"}', {"handle": "ann", "id": 5}]
)
def test_an_author_whom_a_dictionary_describes_is_read_by_name(value):
    assert read_author(value) == "ann"


@pytest.mark.parametrize("value", ["{ann}", "{}", "{'x': 1"])
def test_a_name_in_braces_that_is_no_dictionary_is_a_name(value):
    assert read_author(value) in (value, None)
