import json
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import visclust
import visclust as vc
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
    read = read_provenance(path)
    assert read == read | {"kind": "posts_images", **made, "result": digest_input(links()), "sources": {}}


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


def test_a_table_read_carries_the_record_of_its_file(tmp_path):
    first = save_table(
        links(), tmp_path / "a.parquet", "posts_images", provenance=describe_run("mine", seed=3)
    )
    read = read_table(first, "posts_images")
    assert read.attrs["provenance"]["seed"] == 3
    again = read_provenance(save_table(read, tmp_path / "b.parquet", "posts_images"))
    assert again == read_provenance(first)
    other = read_provenance(save_table(read, tmp_path / "d.parquet"))
    assert other == {**again, "kind": None}
    less = read_provenance(save_table(read[:1], tmp_path / "c.parquet", "posts_images"))
    assert (less["function"], less["changed_after"]) == ("mine", True)


def test_a_file_from_before_records_held_digests_still_opens(tmp_path):
    arrow = pa.Table.from_pandas(links(), preserve_index=False)
    old = json.dumps({"kind": "posts_images", "function": "link_posts", "seed": 1}).encode()
    pq.write_table(arrow.replace_schema_metadata({b"visclust": old}), tmp_path / "old.parquet")
    read = read_table(tmp_path / "old.parquet", "posts_images")
    later = read_provenance(save_table(read, tmp_path / "new.parquet", "posts_images"))
    assert (later["function"], later["seed"], later["changed_after"]) == ("link_posts", 1, None)


def test_the_digest_in_a_file_is_that_of_the_table_as_it_is_read(tmp_path):
    table = pd.DataFrame({"lists": [["a"], []], "gaps": pd.Series(["a", None], dtype=object), "n": [1, 2]})
    path = save_table(table, tmp_path / "log.parquet")
    assert read_provenance(path)["result"] == digest_input(pd.read_parquet(path))
    assert read_provenance(path)["kind"] is None


def test_what_else_a_table_carries_stays_out_of_its_file(tmp_path, recwarn):
    table = links()
    table.attrs["unmatched"] = links()
    path = save_table(table, tmp_path / "links.parquet", "posts_images")
    assert list(read_table(path, "posts_images").attrs) == ["provenance"]
    assert len(recwarn) == 0
    assert list(table.attrs) == ["unmatched"]


def test_a_csv_file_has_its_record_beside_it_and_nothing_a_spreadsheet_would_run(tmp_path):
    table = pd.DataFrame(
        {"=word": ["=1+1", "+wall", None, "plain"], "z": [-2.5, 1, 0, np.nan], "n": [1, 2, 3, 4]}
    )
    table = table.assign(kind=pd.Categorical(["-a", "b", "b", "b"]))
    path = vc.save_csv(table, tmp_path / "words.csv", provenance={"note": "by hand"})
    assert path.read_bytes() == (
        "\ufeff'=word,z,n,kind\n'=1+1,-2.5,1,'-a\n'+wall,1.0,2,b\n,0.0,3,b\nplain,,4,b\n".encode()
    )
    record = json.loads((tmp_path / "words.csv.json").read_text())
    assert record == read_provenance(path)
    assert record["note"] == "by hand"
    assert record["result"] == digest_input(table)
    (tmp_path / "elsewhere.csv").write_text("a\n")
    assert read_provenance(tmp_path / "elsewhere.csv") == {}


def test_the_page_documents_every_table_and_column():
    page = (Path(visclust.__file__).parent / "TABLES.md").read_text()
    sections = {part.splitlines()[0].strip(): part for part in page.split("\n## ")[1:]}
    assert list(sections) == list(TABLES)
    for kind, (columns, _) in TABLES.items():
        documented = re.findall(r"^\| `(\w+)` \|", sections[kind], flags=re.MULTILINE)
        assert documented == list(columns), kind


def test_what_a_table_carries_is_plain_so_that_pandas_saves_it_too(tmp_path, make_images):
    posts = pd.DataFrame({"post_id": ["p"], "media": [["a.jpg", "gone.jpg"]]})
    found = vc.link_posts(posts, make_images("a"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = read_table(save_table(found, tmp_path / "links.parquet", "posts_images"), "posts_images")
        vc.save_csv(found, tmp_path / "links.csv")
        found.to_parquet(tmp_path / "by_pandas.parquet")
    assert vc.list_unmatched(found)["media"].tolist() == ["gone.jpg"]
    assert vc.list_unmatched(pd.read_parquet(tmp_path / "by_pandas.parquet"))["media"].tolist() == [
        "gone.jpg"
    ]
    assert read["image_id"].tolist() == ["a"]
    with pytest.raises(ValueError, match="Call link_posts again"):
        vc.list_unmatched(read)
