import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import visclust as vc
from visclust.corpus.summary import _draw_lorenz, _measure_concentration, number_days, start_of_days


def make(uses, days=None, media=None):
    """Make a corpus of posts that show images: `uses` gives each post's images as letters."""
    posts = pd.DataFrame({"post_id": [str(number) for number in range(len(uses))]})
    posts["media"] = media or [[f"{letter}.jpg" for letter in letters] for letters in uses]
    day = pd.Series(days if days is not None else [1] * len(uses), dtype="float64")
    posts["posted_at"] = pd.Timestamp("2018-06-13 12:00", tz="UTC") + pd.to_timedelta(day, unit="D")
    letters = sorted(set("".join(uses)))
    images = pd.DataFrame({"image_id": letters, "path": [f"{letter}.jpg" for letter in letters]})
    images = images.assign(status="ok", reason="", width=4, height=3)
    pairs = [(str(number), letter) for number, each in enumerate(uses) for letter in dict.fromkeys(each)]
    return posts, images, pd.DataFrame(pairs, columns=["post_id", "image_id"], dtype="str")


def count(*tables, **options):
    return vc.describe_corpus(*tables, **options).counts.set_index("measure")["count"]


def measure(uses):
    return vc.describe_corpus(*make(uses)).concentration.set_index("measure")["value"]


def test_an_image_in_three_posts_is_three_images_and_one_unique_image():
    counts = count(*make(["a", "a", "ab", ""]))
    assert counts[["posts", "posts with images", "images", "unique images"]].tolist() == [4, 3, 4, 2]


def test_a_post_that_names_an_image_twice_shows_it_once():
    counts = count(*make(["aa"], media=[["a.jpg", "a.jpg"]]))
    assert counts[["media named", "images"]].tolist() == [1, 1]


def test_media_that_are_not_here_are_named_but_are_no_images():
    counts = count(*make(["a", ""], media=[["a.jpg", "gone.jpg"], ["gone.jpg"]]))
    assert counts[["posts with media", "posts with images", "media named", "images"]].tolist() == [2, 1, 3, 1]


def test_copies_unreadable_files_and_unused_images_are_counted_apart():
    posts, images, links = make(["a", "b"])
    more = images.iloc[[0, 1, 1]].assign(path=["copy.jpg", "page.jpg", "spare.jpg"])
    more["image_id"] = ["a", "x", "y"]
    more["status"] = ["duplicate", "unreadable", "ok"]
    counts = count(posts, pd.concat([images, more], ignore_index=True), links)
    assert counts["image files"] == 5
    assert counts["unreadable files"] == 1
    assert counts["unique images"] == 2
    assert counts["unique images that no post shows"] == 1


def test_the_papers_numbers_stand_beside_ones_own():
    counts = vc.describe_corpus(*make(["a"])).counts.set_index("measure")["paper"]
    assert counts.dropna().to_dict() == {"posts": 174_172, "images": 88_075, "unique images": 18_096}


def test_the_share_of_the_most_posted_image_is_of_all_images_posted():
    values = measure(["a", "a", "a", "b"])
    assert values["share of the most posted image"] == 0.75
    assert values["images per unique image"] == 2
    assert values["posted once"] == 0.5


def test_one_per_cent_of_two_images_is_rounded_up_to_one():
    assert measure(["a", "a", "a", "b"])["share of the most posted 1%"] == 0.75


def test_images_posted_equally_often_have_a_gini_of_zero():
    # Sums of fractions with small denominators: rounding of a few units in the last place.
    assert measure(["ab", "ab"])["Gini coefficient"] == pytest.approx(0, abs=1e-12)


def test_the_gini_of_one_and_three_is_a_quarter():
    assert measure(["a", "a", "a", "b"])["Gini coefficient"] == pytest.approx(0.25, abs=1e-12)


def test_the_lorenz_curve_bends_where_the_number_of_posts_changes():
    lorenz = vc.describe_corpus(*make(["a", "a", "abc"])).lorenz
    np.testing.assert_allclose(lorenz.to_numpy(), [[0, 0], [2 / 3, 2 / 5], [1, 1]], rtol=1e-12)


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=20))
def test_the_gini_is_twice_the_area_between_the_curve_and_the_diagonal(often):
    uses = np.sort(often)[::-1]  # as `count_image_uses` counts them, the most posted first
    gini = _measure_concentration(uses).set_index("measure")["value"]["Gini coefficient"]
    curve = _draw_lorenz(uses)
    area = np.trapezoid(curve["images_share"], curve["unique_share"])
    # Both sum at most 20 fractions near 1 in float64.
    assert gini == pytest.approx(1 - 2 * area, abs=1e-12)
    assert (curve["images_share"] <= curve["unique_share"] + 1e-12).all()


def test_every_day_has_a_row_and_new_images_are_those_not_seen_before():
    days = vc.describe_corpus(*make(["a", "ab", "", "a"], days=[1, 1, 1, 3])).days
    assert [str(day)[:10] for day in days["day"]] == ["2018-06-14", "2018-06-15", "2018-06-16"]
    columns = ["posts", "posts_with_images", "images", "unique_images", "new_images"]
    assert days[columns].to_numpy().tolist() == [[3, 2, 3, 2, 2], [0, 0, 0, 0, 0], [1, 1, 1, 1, 0]]


def test_days_are_those_of_the_timezone():
    tables = make(["a"], days=[1 - 9 / 24])  # 3 in the morning of the 14th in UTC
    days = vc.describe_corpus(*tables, timezone="America/New_York").days
    assert str(days["day"][0]) == "2018-06-13 00:00:00-04:00"


def test_posts_without_a_time_are_counted_but_in_no_day():
    description = vc.describe_corpus(*make(["a", "b"], days=[1, np.nan]))
    assert description.counts["count"][0] == 2
    assert description.days[["posts", "images"]].to_numpy().tolist() == [[1, 1]]


def test_a_corpus_without_any_image_has_no_concentration():
    description = vc.describe_corpus(*make(["", ""]))
    assert description.concentration["value"].isna().all()
    assert description.days["images"].tolist() == [0]


def test_links_of_other_tables_are_an_error():
    posts, images, links = make(["a", "b"])
    with pytest.raises(ValueError, match="1 of 2 links name a post_id"):
        vc.describe_corpus(posts.head(1), images, links)
    with pytest.raises(ValueError, match="image_id that is not there, the first 'b'"):
        vc.describe_corpus(posts, images.head(1), links)


def test_a_day_whose_midnight_a_clock_change_skips_begins_with_its_first_moment():
    # In São Paulo clocks went from midnight to one o'clock on 4 November 2018.
    days = number_days(pd.Series([pd.Timestamp("2018-11-04 12:00")]), timezone="America/Sao_Paulo")
    assert str(start_of_days(days.to_numpy(), timezone="America/Sao_Paulo")[0]) == "2018-11-04 01:00:00-02:00"


@settings(deadline=None)
@given(st.integers(-20_000, 40_000))
def test_a_day_begins_on_itself(day):
    start = start_of_days(np.array([day]), timezone="Europe/Berlin")
    assert number_days(pd.Series(start), timezone="Europe/Berlin").tolist() == [day]
