"""Files of posts of every format: tweets line by line, CSV and Parquet, those of 4CAT among them."""

import gzip
import json
import random
from datetime import UTC, datetime

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import visclust as vc

TWEET = {"id": "1", "text": "Never again"}
FOURCAT_HEADER = (
    "id,thread_id,timestamp,unix_timestamp,link,subject,body,author,author_fullname,author_id,source,"
    "language_guess,possibly_sensitive,retweet_count,reply_count,like_count,quote_count,is_retweet,"
    "retweeted_user,is_quote_tweet,quoted_user,is_reply,replied_user,hashtags,urls,images,videos,mentions,"
    "long_lat,place_name"
)
FOURCAT_ROW = (
    "1050118621198921728,1050118621198921728,2018-06-14 12:00:00,1528977600,https://twitter.com/ada/status/1,,"
    '"Never again, ever\n#FamiliesBelongTogether",ada,"Lovelace, Ada",7,Twitter Web App,en,'
    "no,3,0,4,1,no,,no,,no,,"
    '"FamiliesBelongTogether,EndIt",https://example.com,'
    '"https://pbs.twimg.com/media/ABC.jpg,https://pbs.twimg.com/media/DEF.png",'
    '"https://pbs.twimg.com/ext_tw_video_thumb/2/img/XYZ.jpg,https://video.twimg.com/2.mp4",,,'
)


@pytest.fixture
def read(tmp_path):
    def write_and_read(text, name="posts.csv", **options):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return vc.read_posts(tmp_path / name, progress=False, **options)

    return write_and_read


def test_an_export_of_4cat_is_known_by_its_header(read):
    result = read(f"{FOURCAT_HEADER}\n{FOURCAT_ROW}\n")
    assert result.files["format"].tolist() == ["4cat"]
    post = result.posts.iloc[0].to_dict()
    assert post["post_id"] == "1050118621198921728"
    assert post["author"] == "ada"
    assert post["posted_at"] == pd.Timestamp("2018-06-14 12:00", tz="UTC")
    assert post["text"] == "Never again, ever\n#FamiliesBelongTogether"
    assert post["hashtags"] == ["FamiliesBelongTogether", "EndIt"]
    assert (post["retweets"], post["favourites"], post["is_retweet"]) == (3, 4, False)
    assert pd.isna(post["followers"])
    assert pd.isna(post["friends"])


def test_of_4cats_videos_thumbnails_are_images_and_films_are_not(read):
    media = read(f"{FOURCAT_HEADER}\n{FOURCAT_ROW}\n").posts["media"][0]
    assert [name.rpartition("/")[2] for name in media] == ["ABC.jpg", "DEF.png", "XYZ.jpg"]


def test_columns_are_named_by_a_map(read):
    text = "tweet,when,hearts,pictures\n12,1528977600,5,a.jpg|b.jpg\n"
    names = {"post_id": "tweet", "posted_at": "when", "favourites": "hearts", "media": "pictures"}
    post = read(text, columns=names).posts.iloc[0]
    assert post["post_id"] == "12"
    assert post["posted_at"] == pd.Timestamp("2018-06-14 12:00", tz="UTC")
    assert (post["favourites"], post["media"]) == (5, ["a.jpg", "b.jpg"])


def test_hashtags_come_from_the_text_where_no_column_has_them(read):
    posts = read("post_id,text\n1,#NeverAgain and #НеНасилию\n").posts
    assert posts["hashtags"].tolist() == [["NeverAgain", "НеНасилию"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_cells_are_parted_by_comma_semicolon_or_tab(read, delimiter):
    posts = read(f"\ufeffpost_id{delimiter}text\n1{delimiter}hello\n").posts
    assert posts[["post_id", "text"]].to_numpy().tolist() == [["1", "hello"]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": {"post_id": None}}, "No column of posts.csv .* The columns of posts.csv are id, text"),
        ({"columns": {"post_id": "tweet"}}, "no column 'tweet'"),
        ({"columns": {"id": "id"}}, "names of ours"),
        ({"format": "excel"}, "one of twarc2, 4cat, csv, parquet"),
    ],
)
def test_columns_that_are_not_there_are_an_error_before_reading(read, options, message):
    with pytest.raises(ValueError, match=message):
        read("id,text\n1,hello\n", **options)


def test_a_column_that_comes_twice_is_an_error_where_it_is_needed(read):
    with pytest.raises(ValueError, match="'text' comes twice"):
        read("post_id,text,text\n1,first,second\n")
    assert len(read("post_id,other,other\n1,first,second\n").posts) == 1


def test_malformed_rows_of_a_csv_are_listed_with_the_lines_they_begin_on(read):
    rows = [
        "post_id,posted_at,retweets,text",
        '1,2018-06-14,3,"two\nlines"',
        "2,2018-06-14",
        "3,14 June,3,x",
        "4,,many,x",
        "1.05E+18,,,x",
        ",,,x",
        b"5,,,caf\xe9".decode("latin-1"),
        "6,,,fine",
        '7,,,"never closed',
    ]
    text = "\n".join(rows).encode("latin-1")
    with pytest.warns(UserWarning, match="7 malformed"):
        result = read(text)
    assert result.posts["post_id"].tolist() == ["1", "6"]
    assert result.malformed["line"].tolist() == [4, 5, 6, 7, 8, 9, 11]
    wanted = ["2 cells", "14 June", "'many'", "last digits", "no post id", "not UTF-8", "not CSV"]
    for reason, words in zip(result.malformed["reason"], wanted, strict=True):
        assert words in reason


def test_times_of_another_form_are_read_as_told(read):
    posts = read("post_id,posted_at\n1,14/06/2018 12:00\n", time_format="%d/%m/%Y %H:%M").posts
    assert posts["posted_at"][0] == pd.Timestamp("2018-06-14 12:00", tz="UTC")


def test_a_parquet_file_keeps_numbers_lists_and_times(tmp_path):
    table = pa.table(
        {
            "tweet_id": pa.array([2**62 + 1, None], pa.int64()),
            "posted_at": pa.array(
                [datetime(2018, 6, 14, 12, tzinfo=UTC), None], pa.timestamp("ns", "US/Eastern")
            ),
            "hashtags": [["#A", "B"], []],
            "media": [[{"url": "a.jpg", "type": "photo"}], None],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.warns(UserWarning, match="line 2: no post id"):
        posts = vc.read_posts(tmp_path / "a.parquet", columns={"post_id": "tweet_id"}, progress=False).posts
    assert posts["post_id"].tolist() == [str(2**62 + 1)]
    assert posts["posted_at"][0] == pd.Timestamp("2018-06-14 12:00", tz="UTC")
    assert (posts["hashtags"][0], posts["media"][0]) == (["A", "B"], ["a.jpg"])


def test_ids_kept_as_floats_are_refused(tmp_path):
    pd.DataFrame({"post_id": [1e18]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="last digits are lost"):
        vc.read_posts(tmp_path / "a.parquet", progress=False)


def test_a_file_that_is_no_parquet_is_an_error_that_names_it(tmp_path):
    (tmp_path / "a.parquet").write_text("hello")
    with pytest.raises(ValueError, match=r"Expected a\.parquet as parquet"):
        vc.read_posts(tmp_path / "a.parquet", progress=False)


def test_bytes_that_are_no_text_are_malformed(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(json.dumps(TWEET).encode() + b'\n{"id": "\xff"}\n')
    with pytest.warns(UserWarning, match="not UTF-8"):
        assert len(vc.read_posts(tmp_path / "a.jsonl", progress=False).posts) == 1


def test_a_packed_file_that_breaks_off_gives_what_came_before(tmp_path):
    generator = random.Random(0)  # noise, so that the packed file is long enough to be cut in its middle
    lines = [json.dumps({**TWEET, "id": str(i), "text": str(generator.random())}) for i in range(500)]
    packed = gzip.compress("\n".join(lines).encode())
    (tmp_path / "a.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.warns(UserWarning, match="breaks off"):
        result = vc.read_posts(tmp_path / "a.jsonl.gz", progress=False)
    assert 0 < len(result.posts) < 500
    assert result.malformed["line"].tolist()[-1] > len(result.posts)


def test_one_json_list_is_an_error_that_says_what_to_do(read):
    with pytest.raises(ValueError, match="jq -c"):
        read(f"[\n{json.dumps(TWEET)}\n]", name="posts.jsonl")


OPEN = """post_id,author,posted_at,text,retweets,media
12,ann,2018-06-14T12:00:00Z,"open here,1,a.jpg
13,bob,2018-06-14T12:00:00Z,ok,1,b.jpg
14,ann,2018-06-14T12:00:00Z,and closes here",1,a.jpg
44,cy,2018-06-14T12:00:00Z,ok,1,b.jpg
"""


def test_posts_that_a_quotation_mark_swallows_are_listed_each(read):
    with pytest.warns(UserWarning, match="3 malformed lines"):
        result = read(OPEN)
    assert result.posts["post_id"].tolist() == ["44"]
    assert result.malformed["line"].tolist() == [2, 3, 4]


def test_a_text_of_many_lines_stays_a_text(read):
    posts = read('post_id,author,text\n12,ann,"one, two\nthree, four\n\n5, 6, 7"\n13,bob,ok\n').posts
    assert posts["text"].tolist() == ["one, two\nthree, four\n\n5, 6, 7", "ok"]


def test_words_for_missing_are_missing_in_every_column_and_that_is_noted(read):
    rows = '"12","ann","2018-06-14T12:00:00Z","hello","A",3,"a.jpg"\n"13",NA,NA,NA,NA,NA,NA\n'
    rows += "14,NULL,None,n/a,\\N,#N/A,nan\n"
    result = read(f"post_id,author,posted_at,text,hashtags,retweets,media\n{rows}")
    missing = result.posts.loc[1:, ["author", "posted_at", "text", "retweets"]]
    assert missing.isna().all(axis=None)
    assert result.posts.loc[1:, ["hashtags", "media"]].map(len).eq(0).all(axis=None)
    noted = result.notes.loc[result.notes["column"].eq("author"), ["note", "posts"]]
    assert noted.to_numpy().tolist() == [["NA read as missing", 1], ["NULL read as missing", 1]]


@pytest.mark.parametrize(
    "footer", ["\nTotal,,2", "Total,,2", "Gesamt,,2", "Generated by Tool 2018,,", "(end),,", "Итого,,2"]
)
def test_rows_that_programs_put_under_a_table_are_listed(read, footer):
    with pytest.warns(UserWarning, match="footer"):
        result = read(f"post_id,text,retweets\n1,a,2\n{footer}\n")
    assert result.posts["post_id"].tolist() == ["1"]


@pytest.mark.parametrize("ids", [["abc", "12", "def"], ["BkQa", "BxYz"], ["p 1", "p 2"], ["1_2", "x"]])
def test_ids_of_other_shapes_are_no_footers(read, ids):
    text = "".join(f"{each},x\n" for each in ids)
    assert read(f"post_id,text\n{text}").posts["post_id"].tolist() == ids


def test_a_table_may_name_its_separator_first(read):
    assert read("sep=;\npost_id;text\n12;a, b\n").posts["text"].tolist() == ["a, b"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_tables_and_tweets_in_utf_16_are_read(read, encoding):
    assert read("post_id\ttext\n1\tétait\n".encode(encoding)).posts["text"].tolist() == ["était"]
    lines = json.dumps({**TWEET, "text": "été"}, ensure_ascii=False) + "\n"
    assert read(lines.encode(encoding), name="a.jsonl").posts["text"].tolist() == ["été"]


def test_a_table_whose_times_all_need_a_form_says_which_argument_to_give(read):
    with pytest.raises(ValueError, match=r"None of 1 lines.*time_format='%d/%m/%Y %H:%M' \(day first\)\.$"):
        read("post_id,posted_at\n1,14/06/2018 12:00\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time_format": "%Q"}, "as strptime takes it"),
        ({"time_zone": "Mars/Base"}, "time_zone to be the name of a zone"),
        ({"time_zone": 5}, "time_zone to be the name of a zone"),
    ],
)
def test_forms_and_zones_that_are_none_are_refused_before_reading(read, options, message):
    with pytest.raises(ValueError, match=message):
        read("post_id,posted_at\n1,2018-06-14\n", **options)


def test_times_without_a_zone_are_of_the_zone_that_is_said(read):
    text = "post_id,posted_at\n1,2018-06-14 08:00\n"
    assert read(text, time_zone="America/New_York").posts["posted_at"][0].hour == 12
    result = read(text)
    assert result.posts["posted_at"][0].hour == 8
    assert "taken for UTC" in result.notes["note"].item()


@pytest.mark.parametrize(
    ("name", "text"),
    [("posts.csv", ""), ("posts.csv", "post_id,text\n"), ("posts.csv", "\n\n"), ("posts.jsonl", ""),
     ("posts.jsonl", "\n\n"), ("posts.jsonl", '{"meta": {"result_count": 0}}')],
)  # fmt: skip
def test_a_file_without_posts_is_an_error(read, text, name):
    with pytest.raises(ValueError, match=r"Nothing in posts|No column of posts"):
        read(text, name=name)
