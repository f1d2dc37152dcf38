"""The map of very many images in squares: what each holds, and the image that is shown for it."""

import numpy as np
import pandas as pd
import pytest

from visclust.exploration.map_cells import divide_map


@pytest.fixture
def table():
    # Two squares wide and one high: in the left one three images of "a", in the right one "b", "b" and "a".
    return pd.DataFrame(
        {"x": [0, 4, 5, 6, 10, 7.5], "y": [0, 1, 0, 1, 0.5, 0.5], "cluster": [1, 1, 1, 2, 3, 1],
         "shown_as": ["a", "a", "a", "b", "b", "a"]}
    ).assign(x=lambda each: each["x"].replace({5: 4.9}))  # fmt: skip


def test_each_square_counts_its_images_and_has_the_commonest_of_their_colours(table):
    squares = divide_map(table, ["a", "b"], width=8, height=4).table
    assert squares[["x", "x_end", "y", "y_end"]].to_numpy().tolist() == [[0, 5, 0, 1], [5, 10, 0, 1]]
    assert squares["images"].tolist() == [3, 3]
    assert squares["shown_as"].tolist() == ["a", "b"]
    assert squares["share"].round(3).tolist() == [1, 0.667]
    assert squares["clusters"].tolist() == [1, 3]


def test_of_equally_many_the_first_of_the_legend_gives_the_colour(table):
    table["shown_as"] = ["a", "b", "a", "b", "a", "b"]
    for legend in (["a", "b"], ["b", "a"]):
        squares = divide_map(table.iloc[[0, 1, 4, 5]], legend, width=4, height=4).table
        assert squares["shown_as"].tolist() == [legend[0]]


def test_shown_is_the_image_in_the_middle_of_those_that_most_are_and_one_with_a_picture_first(table):
    assert divide_map(table, ["a", "b"], width=8, height=4).row.tolist() == [1, 4]
    table["image"] = [None, None, "picture", "picture", None, "picture"]
    assert divide_map(table, ["a", "b"], width=8, height=4).row.tolist() == [2, 3]


def test_all_images_in_one_place_are_one_square(table):
    squares = divide_map(table.assign(x=3.0, y=3.0), ["a", "b"], width=640, height=520).table
    assert squares["images"].tolist() == [6]


def test_counts_agree_with_going_through_the_images_one_by_one():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(3000, 2)), columns=["x", "y"])
    table["cluster"] = rng.integers(5, size=3000)
    table["shown_as"] = table["cluster"].map("abcde".__getitem__)
    found = divide_map(table, list("abcde"), width=40, height=40)
    assert found.table["images"].sum() == 3000
    for square, row in zip(found.table.itertuples(), found.row, strict=True):
        inside = table[
            table["x"].between(square.x, square.x_end) & table["y"].between(square.y, square.y_end)
        ]
        counts = inside["shown_as"].value_counts()
        assert (len(inside), counts.max()) == (square.images, round(square.share * square.images))
        assert counts[square.shown_as] == counts.max()
        assert inside["cluster"].nunique() == square.clusters
        assert table["shown_as"][row] == square.shown_as


def test_a_place_that_is_no_number_is_an_error(table):
    table.loc[2, "y"] = np.nan
    with pytest.raises(ValueError, match=r"every image of the map, got \[4.9, nan\] in row 2"):
        divide_map(table, ["a", "b"], width=8, height=4)
