"""A participant's right: an image or an author is taken out of every file of a study, and stays out."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import visclust as vc
from visclust.annotation.answer_files import append_answer, name_answer_file, read_rows
from visclust.commands import main
from visclust.embedding.embed import Embedding
from visclust.exploration.notes import key_clusters

TEXTS = (".parquet", ".csv", ".json", ".jsonl", ".html", ".ipynb")


def make_row(event, item, answer="same", **more):
    row = {"event_id": event, "item_id": item, "annotator": "ben", "answer": answer}
    return row | {"answered_at": "2026-01-05T10:00:00.000Z"} | more


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study with four images a, b, c, d; ana alone posts a, ana and ben both post b."""
    monkeypatch.delenv("VISCLUST_RESULTS", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name, colour in zip("abcd", ("red", "green", "blue", "white"), strict=True):
        Image.new("RGB", (8, 6), colour).save(tmp_path / "photos" / f"{name}.png")
    assert main(["start", "march", "--images", "photos"]) == 0
    study = vc.open_study("march")
    results = study.results
    images = vc.index_images(study.images, progress=False)
    vc.save_table(images, results / "images.parquet", "images")
    ids = images["image_id"].tolist()

    posts = pd.DataFrame(
        {"post_id": ["post-1", "post-2"], "author": ["ana", "ben"], "text": ["mine", "yours"]}
    )
    posts["posted_at"] = pd.Timestamp("2026-01-01", tz="UTC")
    counts = dict.fromkeys(("retweets", "favourites", "followers", "friends"), 1)
    posts = posts.assign(**counts, hashtags=[["x"], ["y"]], media=[["a.png", "b.png"], ["b.png"]])
    vc.save_table(posts, results / "posts.parquet", "posts")
    links = pd.DataFrame({"post_id": ["post-1", "post-1", "post-2"], "image_id": [ids[0], ids[1], ids[1]]})
    vc.save_table(links, results / "posts_images.parquet", "posts_images")

    duplicates = images[["image_id", "path"]].assign(
        group=[0, 0, 0, 1],
        representative=[ids[0]] * 3 + [ids[3]],
        is_representative=[True, False, False, True],
    )
    duplicates = duplicates.assign(distance=0.0, size=[3, 3, 3, 1], radius=0.0, status="ok")
    vc.save_table(duplicates, results / "duplicates.parquet", "duplicates")
    clusters = pd.DataFrame({"image_id": ids, "cluster": [0, 0, 1, 1], "iteration": 1, "silhouette": 0.5})
    vc.save_table(clusters, results / "clusters.parquet", "clusters")
    pairs = pd.DataFrame({"pair_id": ["pair-1", "pair-2"], "image_a": [ids[0], ids[1]], "image_b": ids[2:]})
    pairs = pairs.assign(stratum="random", inclusion_probability=0.5)
    vc.save_table(pairs, results / "pairs.parquet", "pairs")
    record = {"function": "embed_images", "inputs": {}, "result": {}}
    x = np.arange(8, dtype="float32").reshape(4, 2)
    vc.save_embedding(Embedding(x, ids, record), results / "embeddings", name="pretrained")

    answers = name_answer_file(results / "answers", "ben")
    append_answer(answers, make_row("e1", "pair-1", left=ids[0], right=ids[2]))
    append_answer(answers, make_row("e2", "pair-2", left=ids[1], right=ids[3]))
    append_answer(answers, make_row("e3", "pair-1", answer=None, retracts="e1"))
    note = make_row("e4", f"cluster:{key_clusters(clusters)[0]}:name", "written", note="marches")
    append_answer(name_answer_file(results / "cluster_notes", "ben"), note)

    described = pd.DataFrame({"cluster": [0, 1], "medoid": [ids[0], ids[2]], "top_author": ["ana", "ben"]})
    vc.save_csv(described, results / "cluster_descriptions.csv")
    vc.save_table(pairs.iloc[:0], results / "gold.parquet")  # nobody has judged any pair so that it counts
    (results / "clusters.html").write_text(f"<p>{ids[0]}</p>")
    (results / "other.html").write_text(f"<p>{ids[3]}</p>")
    (results / "index.html").write_text("<p>pictures</p>")
    (results / "embedding_chunks").mkdir()
    (results / "embedding_chunks" / "x.npy").write_bytes(b"x")
    (results / "encoders").mkdir()
    (results / "encoders" / "one.json").write_text(json.dumps({"split": {"train": ids[:2], ids[0]: 1}}))
    (results / "talk.pptx").write_bytes(b"x")
    return study, ids


def read_all(study):
    """Give everything in a study's folder that is text or a table, as text by file."""
    found = {}
    for path in study.folder.rglob("*"):
        if path.suffix in TEXTS and path.is_file():
            table = path.suffix == ".parquet"
            found[path.name] = pd.read_parquet(path).to_string() if table else path.read_text()
    return found


def test_an_image_is_in_no_file_of_the_study_any_more(study, capsys):
    study, (a, b, c, d) = study
    assert main(["withdraw", "march", "--image", a]) == 0
    said = capsys.readouterr().out
    assert [name for name, text in read_all(study).items() if a in text] == []
    results = study.results
    for name, lines in {
        "images.parquet": "1 row ",
        "clusters.parquet": "1 row ",
        "pairs.parquet": "1 row ",
        "embeddings/pretrained.npy": "1 row ",
        "cluster_descriptions.csv": "1 value ",
        "clusters.html": "deleted",
        "index.html": "deleted",
        "embedding_chunks": "1 file deleted",
    }.items():
        line = next(line for line in said.splitlines() if line.startswith(f"  results/{name}:"))
        assert lines in line
    assert vc.read_table(results / "clusters.parquet", "clusters")["image_id"].tolist() == [b, c, d]
    embedding = vc.load_embedding(results / "embeddings", name="pretrained", image_ids=[b, c, d])
    assert embedding.x.tolist() == [[2, 3], [4, 5], [6, 7]]
    assert (results / "other.html").exists()
    posts = vc.read_table(results / "posts.parquet", "posts")
    assert [list(media) for media in posts["media"]] == [["b.png"], ["b.png"]]


def test_answers_on_it_are_gone_and_all_others_stay(study):
    study, (a, *_) = study
    main(["withdraw", "march", "--image", a])
    rows = read_rows(name_answer_file(study.results / "answers", "ben"))
    assert [row["event_id"] for row in rows] == ["e2"]


def test_records_name_what_is_left_of_the_answers_of_their_time(study):
    study, (a, *_) = study
    path = name_answer_file(study.results / "answers", "ben")
    lines = path.read_bytes().splitlines(keepends=True)
    whole = b"".join(lines[:2])  # the third answer came later
    described = f"{len(whole)}:{hashlib.sha256(whole).hexdigest()[:32]}"
    record = vc.describe_run("mine", parameters={"answers": described})
    vc.save_table(
        pd.DataFrame({"image_id": ["x"]}), study.results / "labels.parquet", "labels", provenance=record
    )
    main(["withdraw", "march", "--image", a])
    assert path.read_bytes() == lines[1]
    now = vc.read_provenance(study.results / "labels.parquet")["parameters"]["answers"]
    assert now == f"{len(lines[1])}:{hashlib.sha256(lines[1]).hexdigest()[:32]}"


def test_notes_stay_with_the_cluster_that_lost_the_image(study):
    study, (a, *_) = study
    main(["withdraw", "march", "--image", a])
    clusters = vc.read_table(study.results / "clusters.parquet", "clusters")
    notes = vc.read_cluster_notes(study.results / "cluster_notes", clusters)
    assert notes.names.set_index("cluster")["name"][0] == "marches"


def test_another_copy_stands_for_a_group_whose_representative_is_gone(study):
    study, (a, b, *_) = study
    main(["withdraw", "march", "--image", a])
    copies = vc.read_table(study.results / "duplicates.parquet", "duplicates")
    assert copies["representative"].tolist()[:2] == [b, b]
    assert copies["is_representative"].tolist() == [True, False, True]


def test_records_say_so_and_name_the_files_as_they_are_now(study):
    study, (a, *_) = study
    images = vc.read_table(study.results / "images.parquet", "images")
    old = images.attrs["provenance"]["result"]
    labels = pd.DataFrame({"image_id": ["none"], "flags": [1]})
    record = vc.describe_run("mine", inputs={"images": images})
    vc.save_table(labels, study.results / "labels.parquet", "labels", provenance=record)
    main(["withdraw", "march", "--image", a])
    now = vc.read_provenance(study.results / "images.parquet")
    assert now["withdrawn"][0]["rows"] == 1
    assert now["result"] != old
    assert vc.read_provenance(study.results / "labels.parquet")["inputs"]["images"] == now["result"]
    table = vc.read_table(study.results / "images.parquet", "images")
    assert vc.describe_run("x", inputs={"images": table})["inputs"]["images"] == now["result"]


def test_what_was_fresh_before_is_not_stale_after(study):
    study, _ = study
    results = study.results
    clusters = vc.read_table(results / "clusters.parquet", "clusters")
    sample = vc.draw_stratified_sample(clusters)
    vc.save_table(sample, results / "sample.parquet", "sample")
    vc.save_csv(vc.summarize_clusters(clusters), results / "cluster_descriptions.csv")
    before = vc.check_study(study.folder).set_index("name")["status"]
    assert before["sample.parquet"] == before["cluster_descriptions.csv"] == "fresh"
    drawn, other = sample["image_id"]
    main(["withdraw", "march", "--image", drawn])
    after = vc.check_study(study.folder).set_index("name")["status"]
    assert (before == after).all()
    assert vc.read_table(results / "sample.parquet", "sample")["image_id"].tolist() == [other]


def test_an_author_goes_with_their_posts_and_the_images_that_only_they_show(study):
    study, (a, b, *_) = study
    assert main(["withdraw", "march", "--author", "@Ana"]) == 0
    found = read_all(study)
    assert [name for name, text in found.items() if a in text or "post-1" in text] == []
    assert "ana" not in found["cluster_descriptions.csv"]
    assert vc.read_table(study.results / "posts.parquet", "posts")["author"].tolist() == ["ben"]
    assert vc.read_table(study.results / "posts_images.parquet", "posts_images")["image_id"].tolist() == [b]


def test_a_dry_run_says_where_it_is_and_changes_nothing(study, capsys):
    study, (a, *_) = study
    before = {path: path.read_bytes() for path in study.folder.rglob("*") if path.is_file()}
    assert main(["withdraw", "march", "--image", a, "--dry-run"]) == 0
    dry = capsys.readouterr().out
    assert {path: path.read_bytes() for path in study.folder.rglob("*") if path.is_file()} == before
    main(["withdraw", "march", "--image", a])
    done = capsys.readouterr().out
    assert [line for line in dry.splitlines() if line.startswith("  results/")] == [
        line for line in done.splitlines() if line.startswith("  results/")
    ]


def test_what_it_cannot_reach_is_said(study, capsys):
    study, _ = study
    main(["withdraw", "march", "--image", str(study.images / "a.png")])  # by its file
    said = capsys.readouterr().out
    assert f"{study.images / 'a.png'} is still there: delete it." in said
    assert "not looked into: results/talk.pptx." in said
    assert "with co-authors" in said


def test_the_file_of_a_moved_folder_of_images_is_named_at_its_new_place(study, capsys):
    study, (a, *_) = study
    study.images.rename(study.images.with_name("pictures"))
    study.file.write_text(study.file.read_text().replace("/photos", "/pictures"))
    main(["withdraw", "march", "--image", a])
    assert (
        f"{study.images.with_name('pictures') / 'a.png'} is still there: delete it."
        in capsys.readouterr().out
    )


def test_it_stays_out_when_the_corpus_is_indexed_anew(study, capsys):
    study, (a, b, c, d) = study
    main(["withdraw", "march", "--image", a])
    again = vc.leave_out_withdrawn(vc.index_images(study.images, progress=False), study.folder)
    assert again["image_id"].tolist() == [b, c, d]


def test_posts_that_are_read_anew_do_not_name_its_file_again(study, capsys):
    study, (a, *_) = study
    posts = pd.DataFrame({"author": ["ana", "ben"], "media": [["a.png", "b.png"], ["b.png"]]})
    main(["withdraw", "march", "--image", a])
    kept = vc.leave_out_withdrawn(posts, study.folder)
    assert "names of files left out" in capsys.readouterr().out
    assert kept["media"].tolist() == [["b.png"], ["b.png"]]
    assert posts["media"].tolist() == [["a.png", "b.png"], ["b.png"]]


def test_another_file_whose_path_ends_alike_stays_in_the_posts(study):
    study, _ = study
    (study.images / "more").mkdir()
    Image.new("RGB", (9, 9), (1, 200, 3)).save(study.images / "more" / "a.png")
    images = vc.index_images(study.images, progress=False)
    vc.save_table(images, study.results / "images.parquet", "images")
    withdrawn = images.loc[images["path"].str.contains("more"), "image_id"].item()
    main(["withdraw", "march", "--image", withdrawn])
    posts = pd.read_parquet(study.results / "posts.parquet")
    assert [list(media) for media in posts["media"]] == [["a.png", "b.png"], ["b.png"]]


def test_a_run_that_was_interrupted_can_be_repeated(study):
    study, (a, *_) = study
    path = study.results / "clusters.parquet"
    before = path.read_bytes()
    main(["withdraw", "march", "--image", a])
    path.write_bytes(before)  # as if it had not come so far
    assert main(["withdraw", "march", "--image", a]) == 0
    assert a not in pd.read_parquet(path)["image_id"].tolist()


@pytest.mark.parametrize(
    ("what", "message"),
    [(["--image", "0" * 32], "no image has it"), (["--author", "nobody"], "has none in this study")],
)
def test_what_the_study_does_not_have_is_refused_and_nothing_noted(study, capsys, what, message):
    study, _ = study
    assert main(["withdraw", "march", *what]) == 2
    assert message in capsys.readouterr().err
    assert not (study.folder / "withdrawn.csv").exists()


def test_outputs_of_the_notebooks_are_cleared_and_executed_copies_deleted(study):
    study, (a, *_) = study
    path = study.notebooks / "00_start_here.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    code["outputs"] = [{"output_type": "stream", "name": "stdout", "text": a}]
    path.write_text(json.dumps(notebook), encoding="utf-8")
    copy = study.results / "notebooks" / path.name
    copy.parent.mkdir()
    copy.write_text(path.read_text(encoding="utf-8"))
    main(["withdraw", "march", "--image", a])
    assert not copy.exists()
    assert a not in path.read_text(encoding="utf-8")
    assert "import visclust as vc" in path.read_text(encoding="utf-8")
