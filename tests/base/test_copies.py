"""Which rows of a table stand for a picture."""

import numpy as np
import pandas as pd

from visclust.base.copies import count_copies, take_picture_rows, take_pictures

TABLE = pd.DataFrame(
    {"image_id": list("abcde"), "cluster": [0, 0, 0, 1, 1], "representative": ["b", "b", "b", "d", None]}
)


def test_the_representative_stands_for_its_copies_and_an_image_without_one_for_itself():
    assert take_pictures(TABLE)["image_id"].tolist() == ["b", "d", "e"]
    assert count_copies(TABLE).to_dict() == {"b": 3, "d": 1, "e": 1}


def test_where_the_representative_was_filtered_out_the_first_copy_stands():
    some = TABLE[TABLE["image_id"] != "b"]
    assert take_pictures(some)["image_id"].tolist() == ["a", "d", "e"]
    assert count_copies(some).to_dict() == {"a": 2, "d": 1, "e": 1}


def test_a_table_that_names_no_representatives_is_left_as_it_is():
    plain = TABLE.drop(columns="representative")
    assert take_pictures(plain) is plain
    assert count_copies(plain).tolist() == [1] * 5


def test_the_rows_of_a_matrix_go_with_those_of_the_table(xp):
    x = xp(np.arange(5.0)[:, None])
    table, rows = take_picture_rows(TABLE, x)
    assert table["image_id"].tolist() == ["b", "d", "e"]
    assert rows.tolist() == [[1.0], [3.0], [4.0]]
    assert take_picture_rows(TABLE, x[:4])[1].shape == (
        4,
        1,
    )  # what does not fit is left to the caller's check
