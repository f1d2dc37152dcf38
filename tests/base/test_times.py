from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.base.times import take_times

EAST = timezone(timedelta(hours=3))
DAY = datetime(2018, 6, 14, 9, 30)


def take(values, **options):
    return take_times(pd.DataFrame({"day": pd.Series(values, **options)}), "day", "the table")


@pytest.mark.parametrize(
    "values",
    [
        ["2018-06-14 09:30", None],
        ["2018-06-14T09:30:00", pd.NA],
        [DAY, pd.NaT],
        [pd.Timestamp(DAY), np.nan],
        [DAY, "2018-06-14"],
    ],
)
def test_texts_and_datetimes_are_times_and_what_is_missing_stays_so(values):
    taken = take(values, dtype=object)
    assert pd.api.types.is_datetime64_any_dtype(taken.dtype)
    assert taken.dt.tz is None
    assert taken[0] == pd.Timestamp(DAY)


def test_times_stay_as_they_are():
    times = pd.Series(pd.to_datetime(["2018-06-14"]).tz_localize("Asia/Tokyo"))
    assert take(times).equals(times)


def test_one_zone_stays_and_several_become_utc():
    assert take([DAY.replace(tzinfo=EAST)] * 2, dtype=object).dt.hour.tolist() == [9, 9]
    mixed = take([DAY.replace(tzinfo=EAST), "2018-06-14T09:30:00+00:00"], dtype=object)
    assert mixed.tolist() == [pd.Timestamp("2018-06-14 06:30", tz="UTC"), pd.Timestamp(DAY, tz=UTC)]


def test_the_index_stays_and_nothing_but_missing_is_times():
    table = pd.DataFrame({"day": [None, None]}, index=[7, 3], dtype=object)
    taken = take_times(table, "day", "the table")
    assert taken.index.tolist() == [7, 3]
    assert taken.isna().all()
    assert pd.api.types.is_datetime64_any_dtype(taken.dtype)


@pytest.mark.parametrize("value", ["06/07/2018", "soon", 20180614, 1.5, ["2018"], True])
def test_what_is_no_time_is_refused_with_its_row(value):
    with pytest.raises(ValueError, match=r"column 'day' of the table as times.* in row 1"):
        take([DAY, value], dtype=object)


def test_a_zone_in_some_rows_only_is_refused():
    with pytest.raises(ValueError, match=r"in all rows or in none.*row 0 has"):
        take([DAY, DAY.replace(tzinfo=UTC)], dtype=object)


DAYS = {"images": 3, "new_images": 1, "posts": 5, "posts_with_images": 3, "unique_images": 2}
SPAN = {"hashtag": "a", "entered_by": "b", "kind": "c", "uses": 3, "renewals": 0, "reason": "d", "posts": 12}


@pytest.mark.parametrize("day", ["2018-06-14", DAY, DAY.replace(tzinfo=EAST)])
def test_figures_take_days_of_any_kind_and_refuse_what_is_none(day):
    table = pd.DataFrame([{"day": day, **DAYS}]).astype({"day": object})
    spans = pd.DataFrame([{"entered": day, "left": day, **SPAN}]).astype({"entered": object, "left": object})
    assert "2018-06-14" in vc.plot_images_per_day(table).to_json()
    assert "2018-06-14" in vc.plot_hashtag_spans(spans).to_json()
    with pytest.raises(ValueError, match="column 'day' of the days as times"):
        vc.plot_images_per_day(table.assign(day="soon"))
    with pytest.raises(ValueError, match="column 'left' of the spans as times"):
        vc.plot_hashtag_spans(spans.assign(left=12))


def test_ranked_clusters_take_days_that_are_texts():
    clusters = pd.DataFrame({"image_id": list("ab"), "cluster": [0, 0]})
    posts = pd.DataFrame({"post_id": ["p"], "author": ["x"], "text": ["t"]})
    posts["posted_at"] = pd.to_datetime(["2018-06-30"])
    links = pd.DataFrame({"post_id": ["p"], "image_id": ["a"]})
    found = vc.describe_clusters(clusters, np.eye(2), posts=posts, links=links).clusters
    texts = found.assign(first_day="2018-06-30", last_day="2018-07-01")
    assert vc.rank_clusters(texts)["Days"].tolist() == ["2018-06-30 – 2018-07-01"]
    with pytest.raises(ValueError, match="column 'last_day' of the descriptions"):
        vc.rank_clusters(texts.assign(last_day="soon"))
