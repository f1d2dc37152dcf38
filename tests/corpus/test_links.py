import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.corpus.links import ImagePosts


def test_posts_are_linked_many_to_many_through_copies(make_images):
    images = make_images(["a", "b", "a"])
    images["path"] = ["folder/1.jpg", "folder/2.jpg", "folder/3.jpg"]
    images.loc[2, "status"] = "duplicate"
    posts = pd.DataFrame(
        {
            "post_id": ["p", "q", "r", "s", "t"],
            "media": [["1.jpg", "2.jpg"], "3.jpg", None, np.nan, ["3.jpg", "1.jpg"]],
        }
    )
    links = vc.link_posts(posts, images, folder="folder")
    assert links.to_numpy().tolist() == [["p", "a"], ["p", "b"], ["q", "a"], ["t", "a"]]
    assert len(vc.list_unmatched(links)) == 0


def test_media_that_cannot_be_linked_are_listed(make_images):
    images = make_images(["a", "b"])
    images.loc[1, ["status", "reason"]] = ["unreadable", "truncated"]
    posts = pd.DataFrame({"post_id": ["p"], "media": [["a.jpg", "./b.jpg", "gone.jpg"]]})
    links = vc.link_posts(posts, images)
    assert links["image_id"].tolist() == ["a"]
    assert vc.list_unmatched(links).to_numpy().tolist() == [
        ["p", "./b.jpg", "truncated"],
        ["p", "gone.jpg", "no such file in the images table"],
    ]


def test_links_of_two_waves_are_joined_whatever_could_not_be_linked(make_images):
    waves = [
        vc.link_posts(pd.DataFrame({"post_id": [post], "media": [["a.jpg", lost]]}), make_images("a"))
        for post, lost in (("p", "1.jpg"), ("q", "2.jpg"))
    ]
    assert pd.concat(waves)["post_id"].tolist() == ["p", "q"]
    assert waves[0].merge(waves[1], on="image_id").shape == (1, 3)
    assert vc.list_unmatched(pd.concat([waves[0], waves[0]]))["media"].tolist() == ["1.jpg"]
    assert waves[0].assign(more=1).attrs["unmatched"] is waves[0].attrs["unmatched"]


def test_posts_without_any_media_give_no_links(make_images):
    assert vc.link_posts(pd.DataFrame({"post_id": ["p"], "media": [[]]}), make_images("a")).empty


@pytest.mark.parametrize(
    ("posts", "message"),
    [
        ({"post_id": ["p"]}, "media is missing"),
        ({"post_id": ["p", "p"], "media": [[], []]}, "'p' comes twice"),
        ({"post_id": ["p"], "media": [["elsewhere/a.jpg"]]}, "folder="),
    ],
)
def test_posts_that_cannot_be_linked_at_all_are_an_error(make_images, posts, message):
    with pytest.raises(ValueError, match=message):
        vc.link_posts(pd.DataFrame(posts), make_images("a"))


@pytest.fixture
def tables():
    posts = pd.DataFrame({"post_id": ["p", "q"], "text": ["Families belong together", None], "author": "ana"})
    posts["posted_at"] = pd.to_datetime(["2018-07-02", "2018-07-01"], utc=True)
    return posts, pd.DataFrame({"post_id": ["p", "p", "q"], "image_id": ["b", "gone", "b"]})


def test_posts_of_an_image_come_as_text_the_earliest_first(tables):
    found = ImagePosts(["a", "b"], *tables)
    first = {"author": "ana", "posted_at": "2018-07-01 00:00", "text": ""}
    assert found.list_posts(1, limit=1) == [first]
    assert [post["text"] for post in found.list_posts(1, limit=5)] == ["", "Families belong together"]
    assert [found.count_posts(image) for image in (0, 1)] == [0, 2]


def test_images_are_found_by_words_of_their_posts_in_any_case(tables):
    found = ImagePosts(["a", "b"], *tables)
    assert found.find_images("FAMILIES") == frozenset({1})
    assert found.find_images("together families") == frozenset()


def test_posts_without_links_are_an_error_and_no_posts_are_none(tables):
    with pytest.raises(ValueError, match="posts and links together"):
        ImagePosts(["a"], tables[0])
    assert ImagePosts(["a"]).find_images("x") == frozenset()


def link_addresses(make_images, paths, *addresses):
    images = make_images([f"i{number}" for number in range(len(paths))])
    images["path"] = paths
    posts = pd.DataFrame({"post_id": [str(n) for n in range(len(addresses))], "media": list(addresses)})
    links = vc.link_posts(posts, images)
    return links.to_numpy().tolist(), vc.list_unmatched(links)


FILMS = ["https://i.example/vi/A/hqdefault.jpg", "https://i.example/vi/B/hqdefault.jpg"]


@pytest.mark.parametrize(
    ("path", "addresses"),
    [
        ("img/hqdefault.jpg", FILMS),
        ("img/1.webp", ["https://a.example/1.png", "https://b.example/1.jpg"]),
        ("img/1.jpg", ["https://x.example/a/1.jpg", "https://y.example/a/1.jpg"]),
        ("img/p.jpg", [f"https://a.example/{n}/p.jpg" for n in range(30)]),
    ],
)
def test_one_file_is_linked_to_none_of_several_addresses_that_end_alike(make_images, path, addresses):
    links, unmatched = link_addresses(make_images, [path], *addresses)
    assert links == []
    assert unmatched["media"].tolist() == addresses
    assert unmatched["reason"].str.contains(f"{len(addresses)} different addresses end so").all()


@pytest.mark.parametrize(
    ("paths", "addresses", "expected"),
    [
        (["img/A/hqdefault.jpg", "img/B/hqdefault.jpg"], FILMS, [["0", "i0"], ["1", "i1"]]),
        (["img/A/hqdefault.jpg"], FILMS, [["0", "i0"]]),
        (["i.example/vi/B/hqdefault.jpg"], FILMS, [["1", "i0"]]),
        (["img\\A\\hqdefault.jpg"], FILMS, [["0", "i0"]]),
        # The same picture in two sizes, and from two machines of one network.
        (["1.jpg"], ["https://p.example/m/1.jpg:small", "https://p.example/m/1?format=jpg&name=orig"],
         [["0", "i0"], ["1", "i0"]]),
        (["1.jpg"], ["https://lax.cdn.example/v/1.jpg?a=1", "https://fra.cdn.example/v/1.jpg"],
         [["0", "i0"], ["1", "i0"]]),
        (["1.jpg"], ["https://p.example/a/1.png", "https://p.example/b/1.jpg"], [["1", "i0"]]),
    ],
)  # fmt: skip
def test_folders_before_the_name_decide_whose_a_file_is(make_images, paths, addresses, expected):
    links, unmatched = link_addresses(make_images, paths, *addresses)
    assert links == expected
    assert len(unmatched) == len(addresses) - len(expected)


@pytest.fixture
def large(make_images, tmp_path, monkeypatch):
    """Posts of every kind in a table and in a file, read in parts of three."""
    monkeypatch.setattr("visclust.corpus.linking._PART", 3)
    images = make_images([f"i{number}" for number in range(6)])
    images["path"] = ["f/1.jpg", "f/A/2.jpg", "f/B/2.jpg", "f/./1.jpg", "f/4.jpg", "f/5.webp"]
    images.loc[4, ["status", "reason"]] = ["unreadable", "empty"]
    media = [["1.jpg", "1.jpg"], [], None, ["4.jpg", "gone.jpg"], ["https://x.org/A/2.jpg"], ["A/2.jpg"],
             ["https://x.org/2.jpg", "https://x.org/C/2.jpg"], ["https://x.org/5.png", "https://x.org/no.jpg"],
             ["https://y.org/5.jpg"], ["https://x.org/4.jpg"]]  # fmt: skip
    posts = pd.DataFrame({"post_id": [f"p{number}" for number in range(10)], "media": media})
    posts.to_parquet(tmp_path / "posts.parquet")
    return posts, tmp_path / "posts.parquet", images


def test_links_of_posts_in_a_file_are_those_of_the_table(large, tmp_path):
    posts, path, images = large
    expected = vc.link_posts(posts, images, folder="f")
    assert expected.to_numpy().tolist() == [["p0", "i0"], ["p0", "i3"], ["p4", "i1"], ["p5", "i1"]]
    assert len(vc.list_unmatched(expected)) == 8
    saved = vc.link_posts(path, images, folder="f", save_to=tmp_path / "links.parquet", load=False)
    for found, unmatched in (
        (vc.link_posts(path, images, folder="f"), None),
        (vc.link_posts(path, images, folder="f", save_to=tmp_path / "also.parquet"), None),
        (vc.read_table(saved, "posts_images"), saved),
    ):
        pd.testing.assert_frame_equal(found, expected)
        listed = vc.list_unmatched(found if unmatched is None else unmatched)
        pd.testing.assert_frame_equal(listed, vc.list_unmatched(expected))
    record = vc.read_provenance(saved)
    assert record["function"] == "link_posts"
    assert set(record["inputs"]) == {"posts", "images"}


def test_links_that_cannot_be_saved_leave_no_file(large, tmp_path):
    _, path, images = large
    with pytest.raises(ValueError, match="None of the"):
        vc.link_posts(path, images.iloc[[4]], save_to=tmp_path / "links.parquet", load=False)
    with pytest.raises(ValueError, match="save_to beside load=False"):
        vc.link_posts(path, images, load=False)
    assert [each.name for each in tmp_path.iterdir()] == ["posts.parquet"]


def test_files_of_posts_are_checked_as_tables_are(large, tmp_path):
    posts, path, images = large
    pd.concat([posts, posts.iloc[[7]]]).to_parquet(path)
    with pytest.raises(ValueError, match="'p7' comes twice"):
        vc.link_posts(path, images)
    posts.drop(columns="media").to_parquet(path)
    with pytest.raises(ValueError, match="media is missing"):
        vc.link_posts(path, images)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.parquet"):
        vc.link_posts(tmp_path / "nowhere.parquet", images)
    with pytest.raises(FileNotFoundError, match=r"posts_unmatched\.parquet"):
        vc.list_unmatched(path)
