import pandas as pd
import pytest

import visclust as vc
from visclust.images.addresses import _name_file, is_address, is_image_address, match_addresses


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://pbs.twimg.com/media/ABC.jpg", "ABC.jpg"),
        ("https://pbs.twimg.com/media/ABC?format=jpg&name=large", "ABC.jpg"),
        ("https://pbs.twimg.com/media/ABC.jpg:large", "ABC.jpg"),
        ("https://pbs.twimg.com/media/ABC.jpg?name=orig", "ABC.jpg"),
        ("https://pbs.twimg.com/media/ABC.png?format=jpg&name=360x360", "ABC.png"),
        ("https://pbs.twimg.com/ext_tw_video_thumb/1/pu/img/XYZ.jpg", "XYZ.jpg"),
        ("https://example.org/a%20b.JPG", "a b.JPG"),
        ("https://example.org/", ""),
        ("https://[broken/a.jpg", ""),
    ],
)
def test_an_address_is_saved_under_the_last_part_of_its_path(address, name):
    assert _name_file(address) == name


def test_a_film_is_no_image():
    assert not is_image_address("https://video.twimg.com/1/vid/720x720/a.mp4?tag=12")
    assert is_image_address("https://pbs.twimg.com/1.jpg")


def test_an_address_is_told_from_the_name_of_a_file():
    assert is_address("https://pbs.twimg.com/media/ABC.jpg")
    assert not is_address("media/ABC.jpg")
    assert not is_address(r"C:\media\ABC.jpg")


def make(paths, ids=None, status="ok"):
    return pd.DataFrame(
        {
            "image_id": list(ids or paths),
            "path": list(paths),
            "status": status,
            "reason": "",
            "width": 4,
            "height": 3,
        }
    )


def test_addresses_of_posts_are_linked_to_files_in_any_folder():
    posts = pd.DataFrame(
        {
            "post_id": ["p", "q", "r"],
            "media": [
                ["https://pbs.twimg.com/media/ABC?format=jpg&name=large"],
                ["https://pbs.twimg.com/media/ABC.jpg", "2018/DEF.png"],
                ["https://pbs.twimg.com/media/gone.jpg"],
            ],
        }
    )
    links = vc.link_posts(posts, make(["2018/ABC.jpg", "2018/DEF.png"], ids="ab"))
    assert links.to_numpy().tolist() == [["p", "a"], ["q", "a"], ["q", "b"]]
    assert vc.list_unmatched(links).to_numpy().tolist() == [
        ["r", "https://pbs.twimg.com/media/gone.jpg", "no file called gone.jpg in the images table"]
    ]


def find(address, *files, **options):
    return match_addresses([address], make(files, **options)).loc[0].tolist()[1:]


def test_a_file_saved_with_another_ending_is_found_too():
    assert find("https://x.org/ABC.png", "ABC.jpg")[0] == "ABC.jpg"


def test_the_whole_name_goes_before_the_name_without_its_ending():
    assert find("https://x.org/ABC.png", "ABC.jpg", "ABC.png")[0] == "ABC.png"


def test_upper_and_lower_case_are_different_files():
    assert find("https://x.org/abc.jpg", "ABC.jpg") == [None, "no file called abc.jpg in the images table"]


def test_copies_of_one_image_under_one_name_are_no_ambiguity():
    assert find("https://x.org/a.jpg", "one/a.jpg", "two/a.jpg", ids="aa")[0] == "one/a.jpg"


def test_different_images_under_one_name_are_not_guessed_between():
    path, reason = find("https://x.org/a.jpg", "one/a.jpg", "two/a.jpg", ids="ab")
    assert pd.isna(path)
    assert reason.startswith("2 different images are called a.jpg")


def test_a_readable_file_goes_before_an_unreadable_one():
    images = make(["one/a.jpg", "two/a.jpg"])
    images.loc[0, ["status", "reason"]] = ["unreadable", "empty"]
    assert match_addresses(["https://x.org/a.jpg"], images)["path"].tolist() == ["two/a.jpg"]


def test_an_unreadable_file_gives_its_own_reason():
    images = make(["a.jpg", "b.jpg"])
    images.loc[0, ["status", "reason"]] = ["unreadable", "empty: the file has 0 bytes"]
    posts = pd.DataFrame({"post_id": ["p"], "media": [["https://x.org/a.jpg", "b.jpg"]]})
    unmatched = vc.list_unmatched(vc.link_posts(posts, images))
    assert unmatched["reason"].tolist() == ["empty: the file has 0 bytes"]


@pytest.mark.parametrize("files", [8, 9, 300])
def test_among_many_files_of_one_name_the_folders_decide(files):
    images = make([f"f/{number}/a.jpg" for number in range(files)] + ["a.jpg"])
    found = match_addresses(
        [
            "https://x.org/f/7/a.jpg",
            "https://x.org/g/7/a.jpg",
            "https://x.org/f/a.jpg",
            "https://x.org/3/a.png",
        ],
        images,
    )
    # The first two have the file "7/a.jpg" in common, and the first more of its folders.
    assert found["path"].tolist()[:1] == ["f/7/a.jpg"]
    assert found["reason"].tolist() == [
        "", "the file of this name fits another address better",
        f"{files + 1} different images are called a.jpg: name the file itself", "",
    ]  # fmt: skip
    assert found["path"].tolist()[3] == "f/3/a.jpg"
