import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import visclust
from visclust.base.files import write_atomically
from visclust.base.provenance import describe_run, digest_input
from visclust.base.tables import TABLES, check_table, read_provenance, read_table, save_table


def links(**changes):
    return pd.DataFrame({"post_id": ["p", "q"], "image_id": ["a", "a"], **changes})


def test_a_table_comes_back_from_its_file_as_it_was(tmp_path, make_clusters):
    clusters = make_clusters([0, 1, -1])
    read = read_table(save_table(clusters, tmp_path / "clusters.parquet", "clusters"), "clusters")
    pd.testing.assert_frame_equal(read, clusters, check_dtype=False)


def test_the_file_says_how_it_was_made(tmp_path):
    made = describe_run("link_posts", seed=3, inputs={"posts": links()})
    path = save_table(links(), tmp_path / "links.parquet", "posts_images", provenance=made)
    assert read_provenance(path) == {"kind": "posts_images", **made}


def test_missing_columns_are_named():
    with pytest.raises(ValueError, match="image_id is missing"):
        check_table(links().drop(columns="image_id"), "posts_images")


@pytest.mark.parametrize("wrong", [[1, 2], [1.5, 2.5], [True, False]])
def test_numbers_where_text_belongs_are_an_error(wrong):
    with pytest.raises(ValueError, match="'post_id' of the posts_images table should hold text"):
        check_table(links(post_id=wrong), "posts_images")


def test_truth_values_are_no_numbers(make_clusters):
    with pytest.raises(ValueError, match=r"'cluster' .* should hold whole numbers"):
        check_table(make_clusters([0, 1]).assign(cluster=[True, False]), "clusters")


def test_a_row_named_twice_is_an_error():
    with pytest.raises(ValueError, match=re.escape("['p', 'a'] comes twice")):
        check_table(links(post_id=["p", "p"]), "posts_images")


def test_a_row_without_its_name_is_an_error():
    with pytest.raises(ValueError, match=r"'post_id' .* missing in some"):
        check_table(links(post_id=["p", None]), "posts_images")


def test_gaps_in_other_columns_are_allowed(make_images):
    images = make_images("ab").astype({"width": "Int64"})
    images.loc[1, "width"] = pd.NA
    assert check_table(images, "images") is images


def test_an_unknown_kind_and_another_type_are_errors():
    with pytest.raises(ValueError, match="got 'tweets'"):
        check_table(links(), "tweets")
    with pytest.raises(TypeError, match="got dict"):
        check_table({}, "posts_images")


def test_a_table_from_elsewhere_has_no_provenance(tmp_path):
    links().to_parquet(tmp_path / "other.parquet")
    assert read_provenance(tmp_path / "other.parquet") == {}


def test_a_wrong_table_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="missing"):
        save_table(links().drop(columns="post_id"), tmp_path / "x.parquet", "posts_images")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = write_atomically(tmp_path / "note.txt", lambda file: file.write(b"old"))

    def fail(file):
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_digests_tell_values_order_and_type_apart():
    x = np.arange(4.0)
    assert digest_input(x) == digest_input(x.copy())
    assert len({digest_input(v) for v in (x, x[::-1], x.astype("float32"), x.reshape(2, 2))}) == 4
    assert digest_input(links()) == digest_input(links())
    assert digest_input(links()) != digest_input(links(image_id=["a", "b"]))


def test_the_page_documents_every_table_and_column():
    page = (Path(visclust.__file__).parent / "TABLES.md").read_text()
    sections = {part.splitlines()[0].strip(): part for part in page.split("\n## ")[1:]}
    assert list(sections) == list(TABLES)
    for kind, (columns, _) in TABLES.items():
        documented = re.findall(r"^\| `(\w+)` \|", sections[kind], flags=re.MULTILINE)
        assert documented == list(columns), kind
