import hashlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from visclust.corpus.links import link_posts
from visclust.images.index import index_images, select_usable


def save(path, color="red", size=(8, 6), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path, **options)
    return path


def index(folder):
    images = index_images(folder, progress=False)
    images["name"] = [path.rpartition("/")[2] for path in images["path"]]
    return images.set_index("name")


def test_an_image_is_named_by_the_hash_that_sha256sum_prints(tmp_path):
    path = save(tmp_path / "red.png")
    images = index(tmp_path)
    assert images.loc["red.png", "image_id"] == hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    assert images.loc["red.png", ["status", "reason", "width", "height"]].tolist() == ["ok", "", 8, 6]


def test_subfolders_are_searched_in_the_order_of_the_paths(tmp_path):
    for name in ("b/two.png", "a/one.jpg", "c.GIF"):
        save(tmp_path / name)
    assert index(tmp_path).index.tolist() == ["one.jpg", "two.png", "c.GIF"]


def test_other_files_and_hidden_files_are_left_out(tmp_path):
    save(tmp_path / "one.png")
    save(tmp_path / ".hidden.png")
    (tmp_path / "posts.csv").write_text("id")
    assert index(tmp_path).index.tolist() == ["one.png"]


def test_copies_are_duplicates_of_the_first(tmp_path):
    first = save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(first.read_bytes())
    images = index(tmp_path)
    assert images["status"].tolist() == ["ok", "duplicate"]
    assert images["image_id"].nunique() == 1
    assert images.loc["b.png", "reason"] == f"same bytes as {first}"
    assert len(select_usable(images)) == 1


def test_files_that_are_no_images_become_rows_with_a_reason(tmp_path):
    whole = save(tmp_path / "whole.jpg", size=(200, 200)).read_bytes()
    (tmp_path / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "page.jpg").write_text("<html><body>404 not found</body></html>")
    images = index(tmp_path)
    assert images["status"].to_dict() == {
        "empty.jpg": "unreadable",
        "page.jpg": "unreadable",
        "truncated.jpg": "unreadable",
        "whole.jpg": "ok",
    }
    assert "empty" in images.loc["empty.jpg", "reason"]
    assert "<html" in images.loc["page.jpg", "reason"]
    assert "truncated" in images.loc["truncated.jpg", "reason"]
    assert images.loc["truncated.jpg", ["width", "height"]].isna().all()


def test_a_decompression_bomb_becomes_a_row_before_it_is_unpacked(tmp_path):
    # 400 megapixels of one colour are a file of some 50 kB.
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    images = index(tmp_path)
    assert images.loc["bomb.png", "status"] == "unreadable"
    assert "pixels" in images.loc["bomb.png", "reason"]


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "I;16", "1", "F", "YCbCr"])
def test_every_kind_of_pixel_is_read(tmp_path, mode):
    ending = {"CMYK": "jpg", "YCbCr": "jpg", "F": "tif"}.get(mode, "png")
    Image.new(mode, (7, 5)).save(tmp_path / f"image.{ending}")
    assert index(tmp_path)["status"].tolist() == ["ok"]


def test_a_photograph_on_its_side_has_the_size_it_is_seen_with(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    save(tmp_path / "turned.jpg", size=(8, 6), exif=exif)
    assert index(tmp_path).loc["turned.jpg", ["width", "height"]].tolist() == [6, 8]


def test_an_animation_is_one_image(tmp_path):
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert index(tmp_path)["status"].tolist() == ["ok"]


def test_file_names_with_markup_and_accents_are_kept_as_they_are(tmp_path):
    save(tmp_path / "<b>é 🐈.png")
    assert index(tmp_path).index.tolist() == ["<b>é 🐈.png"]


def test_a_missing_folder_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere is no folder"):
        index_images(tmp_path / "nowhere")


def test_a_folder_without_images_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="found none"):
        index_images(tmp_path)


def test_no_usable_image_is_an_error_that_counts_the_others(make_images):
    with pytest.raises(ValueError, match="'unreadable': 2"):
        select_usable(make_images("ab").assign(status="unreadable"))


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
    links = link_posts(posts, images, folder="folder")
    assert links.to_numpy().tolist() == [["p", "a"], ["p", "b"], ["q", "a"], ["t", "a"]]
    assert len(links.attrs["unmatched"]) == 0


def test_media_that_cannot_be_linked_are_listed(make_images):
    images = make_images(["a", "b"])
    images.loc[1, ["status", "reason"]] = ["unreadable", "truncated"]
    posts = pd.DataFrame({"post_id": ["p"], "media": [["a.jpg", "./b.jpg", "gone.jpg"]]})
    links = link_posts(posts, images)
    assert links["image_id"].tolist() == ["a"]
    assert links.attrs["unmatched"].to_numpy().tolist() == [
        ["p", "./b.jpg", "truncated"],
        ["p", "gone.jpg", "no such file in the images table"],
    ]


def test_posts_without_any_media_give_no_links(make_images):
    assert link_posts(pd.DataFrame({"post_id": ["p"], "media": [[]]}), make_images("a")).empty


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
        link_posts(pd.DataFrame(posts), make_images("a"))
