import pandas as pd
import pytest

import visclust as vc

DAY = pd.Timestamp("2018-06-14", tz="UTC")


def spans_of(*hashtags):
    """Spans of tracking, one a day."""
    begins = [DAY + pd.Timedelta(days=number) for number in range(len(hashtags))]
    return pd.DataFrame(
        {
            "hashtag": hashtags,
            "entered": pd.Series(begins, dtype="datetime64[ns, UTC]"),
            "left": pd.Series(
                [begin + pd.Timedelta(days=2) for begin in begins], dtype="datetime64[ns, UTC]"
            ),
            "entered_by": "ACLU",
            "kind": "organization",
            "uses": 3,
            "renewals": 0,
            "reason": "not renewed",
            "posts": 12,
        }
    )


def test_images_per_day_are_drawn_as_in_the_timezone_of_the_table():
    days = pd.DataFrame({"day": [DAY, DAY + pd.Timedelta(days=1)], "posts": 1, "posts_with_images": 1,
                         "images": [1, 2], "unique_images": [1, 2], "new_images": 1})  # fmt: skip
    spec = vc.plot_images_per_day(days).to_dict()
    (rows,) = spec["datasets"].values()
    assert [row["images"] for row in rows] == [1, 2]
    assert rows[0]["day"].startswith("2018-06-14T00:00:00")


def test_the_lorenz_curve_stands_against_the_line_of_equal_use():
    lorenz = pd.DataFrame({"unique_share": [0, 2 / 3, 1], "images_share": [0, 0.4, 1]})
    assert len(vc.plot_lorenz(lorenz).to_dict()["layer"]) == 3


def test_uses_by_rank_are_drawn_on_log_scales():
    uses = pd.DataFrame({"image_id": ["a", "b"], "posts": [2, 1], "rank": [1, 2]})
    encoding = vc.plot_image_uses(uses).to_dict()["encoding"]
    assert [encoding[axis]["scale"]["type"] for axis in "xy"] == ["log", "log"]


def test_the_figure_has_a_row_per_hashtag_in_the_order_of_entry():
    chart = vc.plot_hashtag_spans(spans_of("FamiliesBelongTogether", "AnotherHashtag")).to_dict()
    assert chart["layer"][0]["encoding"]["y"]["sort"] == ["#FamiliesBelongTogether", "#AnotherHashtag"]


def test_a_hashtag_cannot_end_the_script_of_a_page_that_the_figure_is_saved_to():
    html = vc.plot_hashtag_spans(spans_of("</script><script>stealFamilies()")).to_html()
    assert "stealFamilies" in html
    assert "<script>stealFamilies" not in html


def test_nothing_tracked_is_nothing_to_draw():
    with pytest.raises(ValueError, match="no hashtag was tracked"):
        vc.plot_hashtag_spans(spans_of())
