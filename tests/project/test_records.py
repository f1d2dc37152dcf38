"""Who makes the record of a run: every public function that gives tables, and what folders they read."""

import inspect
from typing import get_args

import visclust as vc
from visclust.annotation.answer_files import append_answer, name_answer_file
from visclust.base.provenance import digest_file, digest_ids

# They give arrays, which can carry no record; show or list what is there; or give back what a file holds.
WITHOUT_RECORD = {
    "assign_clusters",  # gives the record of the clustering on
    "assign_nearest",
    "check_study",
    "check_table",
    "encode_cluster_thumbnails",
    "gather_answers",  # this and the next two give people's tables, or those of the simulation, on
    "gather_feature_answers",
    "gather_frame_answers",
    "gather_looks",
    "gather_pair_design",
    "gather_pairs",
    "gather_ratings",
    "leave_out_withdrawn",  # gives the record of the table on
    "list_embedding_values",
    "list_embeddings",
    "list_encoders",
    "list_known_groups",
    "list_unmatched",
    "load_cluster_model",
    "load_embedding",
    "make_empty_table",
    "read_results",
    "read_table",
    "select_usable",
    "split_channels",
    "test_frame_use",  # calls model_frame_use
    "to_host",
    "weigh_log_odds",
}


def gives_tables(function):
    made = inspect.signature(function).return_annotation
    fields = {"": made}
    for each in get_args(made) or [made]:
        fields |= getattr(each, "__annotations__", {}) if hasattr(each, "_fields") else {}
    return any("DataFrame" in str(field) or "ndarray" in str(field) for field in fields.values())


def test_every_public_function_that_gives_tables_records_its_run():
    functions = {name: getattr(vc, name) for name in vc.__all__}
    functions = {name: each for name, each in functions.items() if inspect.isfunction(each)}
    tables = {name for name, each in functions.items() if gives_tables(each)}
    assert {name for name in tables if not hasattr(functions[name], "records_run")} == WITHOUT_RECORD


def test_the_record_of_a_folder_read_holds_the_digest_of_what_was_in_it(tmp_path):
    path = name_answer_file(tmp_path / "answers", "ana")
    row = {"event_id": "e1", "item_id": "p1", "annotator": "ana", "answer": "same", "seconds": 1.0}
    append_answer(path, {**row, "answered_at": "2026-01-05T10:00:00.000Z"})
    record = vc.read_answers(path.parent).attrs["provenance"]
    assert record["parameters"] == {"source": str(path.parent), "simulated": None}
    assert record["inputs"] == {"source": digest_file(path)[:32]}
    example = vc.load_example()
    images = vc.index_images(example.folder, progress=False)
    assert images.attrs["provenance"]["inputs"] == {"folder": digest_ids(images["image_id"])}
    assert example.posts.attrs["provenance"]["parameters"] == {"posts": "synthetic"}
    posts = tmp_path / "posts"
    posts.mkdir()
    (posts / "a.csv").write_text("post_id,text\n1,now\n")
    read = vc.read_posts(posts, progress=False)
    assert read.posts.attrs["provenance"]["inputs"] == {
        str(posts / "a.csv"): digest_file(posts / "a.csv")[:32]
    }
