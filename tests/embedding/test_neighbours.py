import numpy as np
import pytest

import visclust as vc


def test_an_image_comes_first_and_its_copies_next():
    x = np.array([[0.0], [0.0], [3.0], [0.0]])
    found = vc.list_neighbours(x, list("abcd"), of=["d", "c"], n=2)
    assert found["query"].tolist() == list("dddccc")
    assert found["image_id"].iloc[0] == "d"
    assert set(found["image_id"].iloc[1:3]) == {"a", "b"}
    assert found["image_id"].iloc[3] == "c"
    assert found["distance"].tolist() == [0, 0, 0, 0, 3, 3]


def test_more_neighbours_than_images_are_all_images():
    assert len(vc.list_neighbours(np.eye(3), list("abc"), of=["a"], n=99)) == 3


def test_an_unknown_image_is_an_error():
    with pytest.raises(ValueError, match="'z' is not among"):
        vc.list_neighbours(np.eye(2), ["a", "b"], of=["z"])
