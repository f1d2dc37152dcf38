"""Which column of a table holds what: named, known or guessed, and refused where it is not clear."""

import pytest

import visclust as vc


@pytest.fixture
def read(tmp_path):
    def write_and_read(text, name="posts.csv", **options):
        (tmp_path / name).write_text(text)
        return vc.read_posts(tmp_path / name, **{"progress": False, **options})

    return write_and_read


def say_how(result):
    return {row.ours: (row.theirs, row.how) for row in result.columns.itertuples() if row.ours}


@pytest.mark.parametrize(
    ("header", "ours"),
    [
        ("tweet_id,user,created_at,full_text,image_file", "post_id author posted_at text media"),
        ("id_str,screen_name,Date,Tweet,Photos", "post_id author posted_at text media"),
        ("Tweet ID,User Name,Created At,Tweet Text,Image URL", "post_id author posted_at text media"),
        ("ID,Handle,Timestamp,Content,Filename", "post_id author posted_at text media"),
        ("statusId,userName,createdAt,tweetText,mediaUrls", "post_id author posted_at text media"),
        ("message_id,channel_name,date,message,photo", "post_id author posted_at text media"),
        ("shortcode,owner_username,taken_at,caption,x,thumbnail_url", "post_id author posted_at text  media"),
        ("id,likes,retweet_count,followers_count,following,is_repost",
         "post_id favourites retweets followers friends is_retweet"),
    ],
)  # fmt: skip
def test_columns_are_guessed_by_their_names_and_the_guess_is_listed(read, header, ours):
    names = header.split(",")
    result = read(f"{header}\n{','.join('1' if name == names[0] else '' for name in names)}\n")
    wanted = {mine: (theirs, "guessed") for mine, theirs in zip(ours.split(" "), names, strict=True) if mine}
    assert say_how(result) == wanted


def test_a_guess_is_printed_before_it_is_used_a_line_per_column_and_so_is_what_is_not_used(read, capsys):
    read("tweet_id,full_text,lang,mood\n1,hello,en,good\n", progress=True)
    assert capsys.readouterr().out.splitlines() == [
        "Columns of posts.csv (say others with columns=):",
        "  post_id is guessed to be 'tweet_id'",
        "  text is guessed to be 'full_text'",
        "  not used: lang, mood",
    ]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("tweet_id,id_str,text", r"post_id may be 'tweet_id' or 'id_str'.*columns=\{'post_id': 'tweet_id'\}"),
        ("id,username,screen_name", "author may be 'username' or 'screen_name'"),
        ("id,date,time", "posted_at may be 'date' or 'time'"),
        ("id,image_file,image_url", "media may be 'image_file' or 'image_url'"),
        ("id,body,caption,likes,like_count", "text may be .*; favourites may be 'likes' or 'like_count'"),
        ("post_id,Text,TEXT", "text may be 'Text' or 'TEXT'"),
    ],
)
def test_a_guess_that_could_go_two_ways_is_refused_with_what_to_give(read, header, message):
    with pytest.raises(ValueError, match=message):
        read(f"{header}\n{','.join('1' for _ in header.split(','))}\n")


def test_a_name_given_decides_and_none_leaves_a_column_out(read):
    text = "tweet_id,id_str,image_file,image_url\n1,2,a.jpg,b.jpg\n"
    result = read(text, columns={"post_id": "ID STR", "media": None})
    assert result.posts[["post_id", "media"]].to_numpy().tolist() == [["2", []]]
    assert say_how(result) == {"post_id": ("id_str", "given")}


def test_names_of_ours_go_before_guesses_and_are_compared_without_case_and_spaces(read):
    result = read("Post ID,Author,Posted_At,TEXT,user,created_at,id\n1,ann,2018-06-14,hello,bob,2019,9\n")
    post = result.posts.iloc[0]
    assert (post["post_id"], post["author"], post["text"]) == ("1", "ann", "hello")
    assert set(say_how(result)) == {"post_id", "author", "posted_at", "text"}


TWITTER = (
    "id,thread_id,timestamp,body,author,hashtags,retweet_count,like_count,images,is_retweet,missing_fields\n"
    '12,12,2018-06-14 12:00:00,"line one\nline two",ann,A,3,0,https://p.org/1.jpg,no,"like_count, images"\n'
)


def test_what_4cat_calls_missing_is_missing_and_names_given_go_over_the_known_ones(read):
    result = read(TWITTER, columns={"post_id": "thread_id"})
    post = result.posts.iloc[0]
    assert (post["text"], post["retweets"], post["media"]) == ("line one\nline two", 3, [])
    assert post.isna()["favourites"]
    assert say_how(result)["post_id"] == ("thread_id", "given")


@pytest.mark.parametrize(
    ("header", "row", "media", "likes"),
    [
        ("likes,shares,hashtags,thumbnail_url,video_url", "5,6,A,https://t.example/a~tplv.jpeg?x=1,https://t/v.mp4",
         ["https://t.example/a~tplv.jpeg?x=1"], 5),
        ("type,media_url,hashtags,num_likes,num_comments", "photo,https://i.example/1.jpg,A,5,2",
         ["https://i.example/1.jpg"], 5),
        ("views,forwards,attachment_filename,hashtags", "10,1,1.jpg,A", ["1.jpg"], None),
    ],
)  # fmt: skip
def test_4cats_other_platforms_are_read_as_what_they_are(read, header, row, media, likes):
    start = "id,thread_id,timestamp,body,author"
    result = read(f"{start},{header}\n71,chan,2018-06-14 12:00:00,hello,ann,{row}\n")
    post = result.posts.iloc[0]
    assert (result.files["format"].item(), post["author"], post["text"]) == ("4cat", "ann", "hello")
    assert (post["media"], None if likes is None else post["favourites"]) == (media, likes)
    assert post.isna()["retweets"]
    unused = result.columns.loc[result.columns["how"].eq("not used"), "theirs"].tolist()
    assert "thread_id" in unused
