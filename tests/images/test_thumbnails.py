import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import visclust as vc
from visclust.images.reading import UnreadableImageError
from visclust.images.thumbnails import encode_data_url, encode_thumbnail, thumbnail_or_none


@pytest.fixture
def shown(tmp_path):
    Image.new("RGB", (40, 10), "red").save(tmp_path / "wide.png")
    images = pd.DataFrame(
        {
            "image_id": ["a", "b"],
            "path": [str(tmp_path / "wide.png"), str(tmp_path / "<gone>.png")],
            "status": "ok",
            "reason": "",
            "width": 40,
            "height": 10,
        }
    )
    return lambda rows, **options: vc.show_thumbnail_rows(pd.DataFrame(rows), images, **options)


def test_rows_follow_the_table_and_hold_their_pictures(shown):
    html = shown({"image_id": ["a", "a"], "cluster": [7, 3]}).html
    assert html.index("cluster 7") < html.index("cluster 3")
    assert html.count("src='data:image/jpeg;base64,") == 2
    assert "object-fit:contain" in html  # not stretched to the box


def test_names_are_escaped(shown):
    html = shown({"image_id": ["a"], "cluster": [1]}, names={1: "<script>alert(1)</script>"}).html
    assert "<script>" not in html


def test_a_file_that_has_gone_leaves_an_empty_box_with_the_reason(shown):
    with pytest.warns(UserWarning, match="1 image files, but 1 of them are not there"):
        html = shown({"image_id": ["b"], "cluster": [1]}).html
    assert "<gone>" not in html
    assert "alt='" in html


def test_an_unknown_image_is_an_error(shown):
    with pytest.raises(ValueError, match="the first is 'zz'"):
        shown({"image_id": ["zz"], "cluster": [1]})


def test_a_column_of_rows_that_is_missing_is_an_error(shown):
    with pytest.raises(ValueError, match="cluster is missing"):
        shown({"image_id": ["a"]})


def size_of(jpeg):
    return Image.open(io.BytesIO(jpeg)).size


def test_a_thumbnail_is_at_most_so_large_and_never_enlarged(tmp_path):
    Image.new("RGB", (800, 400)).save(tmp_path / "wide.png")
    assert size_of(encode_thumbnail(tmp_path / "wide.png", max_side=200)) == (200, 100)
    assert size_of(encode_thumbnail(tmp_path / "wide.png", max_side=2000)) == (800, 400)


def test_metadata_of_the_original_stay_out_of_a_thumbnail(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "the maker of a camera"
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    assert b"camera" in (tmp_path / "a.jpg").read_bytes()
    assert b"camera" not in encode_thumbnail(tmp_path / "a.jpg")


def test_a_file_that_was_replaced_is_encoded_anew(tmp_path):
    path = tmp_path / "a.png"
    for side in (8, 6):
        Image.new("RGB", (side, side)).save(path)
        assert size_of(encode_thumbnail(path)) == (side, side)


def test_a_thumbnail_of_what_cannot_be_read_is_an_error_or_none(tmp_path):
    with pytest.raises(UnreadableImageError, match="missing"):
        encode_thumbnail(tmp_path / "gone.png")
    assert thumbnail_or_none(encode_thumbnail, tmp_path / "gone.png", max_side=8) is None
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    url = thumbnail_or_none(encode_data_url, tmp_path / "dot.png", max_side=8)
    assert url.startswith("data:image/jpeg;base64,")


def test_of_a_chosen_cluster_the_most_typical_images_that_can_be_read_are_encoded(tmp_path):
    for name in "abd":
        Image.new("RGB", (8, 4), "red").save(tmp_path / f"{name}.png")
    (tmp_path / "c.png").write_text("broken")
    images = pd.DataFrame({"image_id": list("abcd"), "path": [f"{name}.png" for name in "abcd"],
                           "status": "ok", "reason": "", "width": 8, "height": 4})  # fmt: skip
    clusters = pd.DataFrame({"image_id": list("abcd"), "cluster": [7, 7, 7, 2], "iteration": 1,
                             "silhouette": np.array([0.1, 0.2, 0.3, 0.4])})  # fmt: skip
    chosen = pd.DataFrame({"cluster": [2, 7], "letter": ["A", "B"]})
    made = vc.encode_cluster_thumbnails(chosen, clusters, images, n_images=2, images_folder=tmp_path)
    assert made[["letter", "block", "place", "image_id"]].to_numpy().tolist() == [
        ["A", 0, 0, "d"], ["B", 1, 0, "b"], ["B", 1, 1, "a"]]  # fmt: skip
    with pytest.raises(ValueError, match="'d'"):
        vc.encode_cluster_thumbnails(chosen, clusters, images[:3], images_folder=tmp_path)
