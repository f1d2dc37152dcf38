import numpy as np
import pandas as pd
import pytest

import visclust as vc


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
    assert len(links.attrs["unmatched"]) == 0


def test_media_that_cannot_be_linked_are_listed(make_images):
    images = make_images(["a", "b"])
    images.loc[1, ["status", "reason"]] = ["unreadable", "truncated"]
    posts = pd.DataFrame({"post_id": ["p"], "media": [["a.jpg", "./b.jpg", "gone.jpg"]]})
    links = vc.link_posts(posts, images)
    assert links["image_id"].tolist() == ["a"]
    assert links.attrs["unmatched"].to_numpy().tolist() == [
        ["p", "./b.jpg", "truncated"],
        ["p", "gone.jpg", "no such file in the images table"],
    ]


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
