import pandas as pd
import pytest
from PIL import Image

import visclust as vc


@pytest.fixture
def shown(tmp_path):
    Image.new("RGB", (40, 10), "red").save(tmp_path / "wide.png")
    images = pd.DataFrame(
        {
            "image_id": ["a", "b"],
            "path": [str(tmp_path / "wide.png"), str(tmp_path / "<gone>.png")],
            "status": "ok",
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
    html = shown({"image_id": ["b"], "cluster": [1]}).html
    assert "<gone>" not in html
    assert "alt='" in html


def test_an_unknown_image_is_an_error(shown):
    with pytest.raises(ValueError, match="the first is zz"):
        shown({"image_id": ["zz"], "cluster": [1]})
