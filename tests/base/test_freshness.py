"""Files against those that they were made from."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.annotation.answer_files import append_answer, name_answer_file
from visclust.base import freshness
from visclust.base.freshness import find_state, require_fresh
from visclust.base.provenance import recorded
from visclust.embedding.embed import Embedding


def save_clusters(folder, cluster=(0, 0, 0, 1, 1, 1), **columns):
    ids = list("abcdef")
    table = pd.DataFrame({"image_id": ids, "cluster": list(cluster), "iteration": 1, "silhouette": 0.1})
    return vc.save_table(table.assign(**columns), folder / "clusters.parquet", "clusters")


def save_sample(folder, *, seed=0):
    clusters = vc.read_table(folder / "clusters.parquet", "clusters")
    sample = vc.draw_stratified_sample(clusters, seed=seed)
    return vc.save_table(sample, folder / "sample.parquet", "sample")


def answer(folder, number):
    row = {"event_id": f"e{number}", "item_id": "p1", "annotator": "ana", "answer": "same"}
    append_answer(name_answer_file(folder, "ana"), {**row, "answered_at": f"2026-01-05T10:00:0{number}Z"})


def test_a_table_is_fresh_while_its_source_is_as_it_was(tmp_path):
    save_clusters(tmp_path)
    path = save_sample(tmp_path)
    assert set(vc.read_provenance(path)["sources"]) == {"clusters.parquet"}
    assert find_state(path).status == "fresh"


def test_a_stale_table_is_refused_and_the_error_names_file_source_and_notebook(tmp_path):
    save_clusters(tmp_path)
    path = save_sample(tmp_path)
    save_clusters(tmp_path, [0, 0, 1, 1, 1, 1])
    with pytest.raises(vc.StaleError) as refused:
        vc.read_table(path, "sample")
    said = str(refused.value)
    assert said.startswith("sample.parquet is stale: it was made on ")
    assert "from clusters.parquet with the digest" in said
    assert "the clusters.parquet that is there now has the digest" in said
    assert "Run 08_sample_and_survey again" in said


def test_the_same_clusters_made_again_leave_the_sample_fresh(tmp_path):
    save_clusters(tmp_path)
    path = save_sample(tmp_path)
    save_clusters(tmp_path, silhouette=0.2, name="march")
    assert find_state(path).status == "fresh"


def test_a_stale_table_can_be_looked_at_when_asked_for(tmp_path, capsys):
    save_clusters(tmp_path)
    path = save_sample(tmp_path)
    save_clusters(tmp_path, [0, 0, 1, 1, 1, 1])
    assert len(vc.read_table(path, "sample", stale="warn")) == 4
    assert "It is taken as it is, as asked." in capsys.readouterr().out
    with pytest.raises(ValueError, match="one of refuse, warn as stale"):
        vc.read_table(path, "sample", stale="ignore")


def test_a_table_that_was_filtered_and_saved_in_its_place_is_not_made_from_itself(tmp_path):
    save_clusters(tmp_path)
    path = save_sample(tmp_path)
    filtered = vc.read_table(path, "sample").query("cluster == 0")
    vc.save_table(filtered, path, "sample")
    record = vc.read_provenance(path)
    assert record["changed_after"] is True
    assert set(record["sources"]) == {"clusters.parquet"}
    assert len(vc.read_table(path, "sample")) == 2
    save_clusters(tmp_path, [0, 0, 1, 1, 1, 1])
    assert find_state(path).status == "stale"


def test_a_source_rewritten_by_another_tool_is_compared_by_its_values(tmp_path):
    source = save_clusters(tmp_path)
    path = save_sample(tmp_path)
    table = pd.read_parquet(source)
    table.to_parquet(source)
    assert find_state(path).status == "fresh"
    table.assign(cluster=0).to_parquet(source)
    assert find_state(path).status == "stale"


def test_a_file_without_a_record_is_taken_with_a_line_that_comes_once(tmp_path, capsys):
    path = tmp_path / "clusters.parquet"
    pd.DataFrame({"image_id": ["a"], "cluster": [0], "iteration": [1], "silhouette": [0.1]}).to_parquet(path)
    vc.read_table(path, "clusters")
    vc.read_table(path, "clusters")
    said = capsys.readouterr().out
    assert said.count("clusters.parquet is taken as it is: it carries no record") == 1


def test_a_record_of_an_older_version_is_taken_with_a_line(tmp_path, capsys):
    embedding = tmp_path / "embeddings" / "toy.npy"
    vc.save_embedding(
        Embedding(np.full((2, 2), 0.625), ["a", "b"], {"function": "embed_images"}),
        embedding.parent,
        name="toy",
    )
    sidecar = json.loads(embedding.with_suffix(".json").read_text())
    del sidecar["provenance"]["sources"]
    embedding.with_suffix(".json").write_text(json.dumps(sidecar))
    vc.load_embedding(embedding.parent, name="toy")
    assert "its record does not say what it was made from" in capsys.readouterr().out


def test_more_answers_are_an_update_and_changed_ones_make_stale(tmp_path):
    answers = tmp_path / "answers"
    answer(answers, 1)
    pairs = pd.DataFrame({"pair_id": ["p1"], "image_a": ["a"], "image_b": ["b"], "stratum": "random"})
    pairs["inclusion_probability"] = 0.5
    gold = vc.resolve(vc.read_answers(answers), pairs=pairs).gold
    path = vc.save_table(gold, tmp_path / "gold.parquet", "gold")
    assert find_state(path).status == "fresh"
    answer(answers, 2)
    assert find_state(path).status == "update available"
    vc.read_table(path, "gold")
    file = next(answers.glob("*.jsonl"))
    file.write_text(file.read_text().replace('"same"', '"different"'))
    with pytest.raises(
        vc.StaleError, match=r"answers/ana-\w+\.jsonl that it rests on were changed or taken out"
    ):
        vc.read_table(path, "gold")


def test_answers_of_another_annotator_are_an_update(tmp_path):
    answers = tmp_path / "answers"
    answer(answers, 1)
    path = vc.save_table(vc.read_answers(answers), tmp_path / "answers.parquet", "answers")
    (answers / "bea.jsonl").write_text("")
    state = find_state(path)
    assert state.status == "update available"
    assert "answers/bea.jsonl" in state.why


def test_pairs_hold_for_any_clustering(tmp_path):
    save_clusters(tmp_path)
    clusters = vc.read_table(tmp_path / "clusters.parquet", "clusters")
    pairs = vc.sample_pairs(clusters, np.arange(6.0)[:, None], n_pairs=4)
    path = vc.save_table(pairs, tmp_path / "pairs.parquet", "pairs")
    save_clusters(tmp_path, [0, 0, 1, 1, 1, 1])
    assert find_state(path).status == "fresh"


def test_a_moved_folder_stays_fresh(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    save_clusters(old)
    save_sample(old)
    old.rename(new)
    assert find_state(new / "sample.parquet").status == "fresh"


def test_a_source_that_is_gone_is_said_and_not_held_against_the_file(tmp_path):
    source = save_clusters(tmp_path)
    path = save_sample(tmp_path)
    source.unlink()
    assert find_state(path) == ("fresh", "clusters.parquet is not there to compare with", ())


def test_a_file_is_read_once_until_it_changes(tmp_path, monkeypatch):
    save_clusters(tmp_path)
    path = save_sample(tmp_path)
    find_state(path)
    opened = []
    monkeypatch.setattr(freshness, "_read_metadata", lambda file: opened.append(file) or {})
    require_fresh(path)
    assert opened == []
    save_clusters(tmp_path, [0, 0, 1, 1, 1, 1])
    find_state(path)
    assert [file.name for file in opened] == ["clusters.parquet"]


def test_what_was_made_from_a_stale_file_that_a_path_named_is_stale_too(tmp_path):
    @recorded
    def embed(*, weights: Path) -> Embedding:
        return Embedding(np.full((2, 2), 0.875), ["a", "b"], {})

    labels = pd.DataFrame({"image_id": ["a"], "red": [1.0]})
    vc.save_table(labels, tmp_path / "labels.parquet", "labels")
    encoder = tmp_path / "encoders" / "mine.safetensors"
    encoder.parent.mkdir()
    encoder.write_bytes(b"weights")
    sources = {"labels.parquet": [vc.read_provenance(tmp_path / "labels.parquet")["result"]]}
    record = {"provenance": {"function": "finetune", "sources": sources}}
    encoder.with_suffix(".json").write_text(json.dumps(record))
    path = vc.save_embedding(embed(weights=encoder), tmp_path / "embeddings", name="finetuned")
    assert set(vc.read_provenance(path)["sources"]) == {"encoders/mine.safetensors"}
    assert find_state(path).status == "fresh"
    vc.save_table(labels.assign(red=0.0), tmp_path / "labels.parquet", "labels")
    with pytest.raises(
        vc.StaleError, match=r"made from encoders/mine\.safetensors, which is stale: .*labels"
    ):
        vc.load_embedding(path.parent, name="finetuned")


def test_two_files_that_were_made_from_each_other_are_no_endless_question(tmp_path):
    source = save_clusters(tmp_path)
    path = save_sample(tmp_path)
    sample = vc.read_table(path, "sample")
    clusters = vc.read_table(source, "clusters")
    vc.save_table(clusters.assign(drawn=1), source, "clusters", made_from=[clusters, sample])
    assert set(vc.read_provenance(source)["sources"]) == {"sample.parquet"}
    assert find_state(path).status == find_state(source).status == "fresh"
