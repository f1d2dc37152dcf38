"""The state of a study, and the chain from images to ratings."""

import re
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from saved_results import (
    N,
    save_assignment,
    save_clusters,
    save_embedding,
    save_images,
    save_ratings,
    save_sample,
)

import visclust as vc
from visclust.base.freshness import WRITERS
from visclust.check import tell_study
from visclust.embedding.embed import Embedding

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.fixture
def folder(tmp_path):
    save_images(tmp_path)
    for step in (save_embedding, save_clusters, save_sample, save_assignment, save_ratings):
        step(tmp_path)
    return tmp_path


def list_status(folder):
    table = vc.check_study(folder).set_index("name")
    return table.loc[~table["status"].isin(["missing"]), "status"].drop("images.parquet").to_dict()


CHAIN = (
    "embeddings/pretrained.npy",
    "clusters.parquet",
    "sample.parquet",
    "assignment.parquet",
    "simulated_ratings.parquet",
)


def test_a_study_that_was_run_in_order_is_fresh(folder):
    assert list_status(folder) == dict.fromkeys(CHAIN, "fresh")


def test_clusters_made_anew_make_sample_assignment_and_ratings_stale_and_each_is_refused(folder):
    save_clusters(folder, k=6)
    states = dict.fromkeys(CHAIN[:2], "fresh") | dict.fromkeys(CHAIN[2:], "stale")
    assert list_status(folder) == states
    for name, kind in (("sample", "sample"), ("assignment", "assignment"), ("simulated_ratings", "ratings")):
        with pytest.raises(vc.StaleError, match=rf"{name}\.parquet is stale: .*clusters\.parquet"):
            vc.read_table(folder / f"{name}.parquet", kind)


def test_each_step_that_is_run_again_is_fresh_again_and_what_follows_is_not(folder):
    save_clusters(folder, k=6)
    save_sample(folder)
    assert list_status(folder) == dict.fromkeys(CHAIN[:3], "fresh") | dict.fromkeys(CHAIN[3:], "stale")
    save_assignment(folder)
    save_ratings(folder)
    assert list_status(folder) == dict.fromkeys(CHAIN, "fresh")


def test_more_images_make_everything_after_them_stale(folder):
    save_images(folder, N + 1)
    assert list_status(folder) == dict.fromkeys(CHAIN, "stale")
    table = vc.check_study(folder).set_index("name")
    assert table.loc["simulated_ratings.parquet", "next"] == "02_embed_images"
    with pytest.raises(vc.StaleError, match="02_embed_images and then 04_cluster_images"):
        vc.read_table(folder / "clusters.parquet", "clusters")


def test_another_embedding_that_gives_the_same_clusters_leaves_the_ratings_fresh(folder):
    save_embedding(folder, seed=0)
    x = vc.load_embedding(folder / "embeddings", name="pretrained").x
    record = vc.read_provenance(folder / "embeddings" / "pretrained.npy")
    ids = vc.read_table(folder / "images.parquet", "images")["image_id"].tolist()
    vc.save_embedding(Embedding(x + np.float32(1e-4), ids, record), folder / "embeddings", name="pretrained")
    assert list_status(folder)["simulated_ratings.parquet"] == "stale"  # as the clusters are
    save_clusters(folder)
    assert list_status(folder) == dict.fromkeys(CHAIN, "fresh")


def test_a_copied_study_is_as_fresh_as_it_was(folder, tmp_path_factory):
    copy = tmp_path_factory.mktemp("elsewhere") / "results"
    folder.rename(copy)
    assert list_status(copy) == dict.fromkeys(CHAIN, "fresh")


def test_files_of_another_study_do_not_pass_for_those_of_this_one(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    save_images(other)
    save_embedding(other, seed=5)
    save_clusters(other, k=3)
    for name in ("sample", "assignment"):
        (other / f"{name}.parquet").write_bytes((folder / f"{name}.parquet").read_bytes())
        with pytest.raises(vc.StaleError, match=r"clusters\.parquet"):
            vc.read_table(other / f"{name}.parquet", name)


def test_what_is_not_there_names_the_notebook_that_makes_it(folder):
    table = vc.check_study(folder).set_index("name")
    assert table.loc["gold.parquet", ["status", "next"]].tolist() == ["missing", "05_label_pairs"]
    assert table.loc["images.parquet", "status"] == "no record"
    assert list(table.index[:2]) == ["images.parquet", "posts.parquet"]


def test_a_damaged_file_does_not_hide_the_others(folder):
    (folder / "gold.parquet").write_bytes(b"PAR1")
    table = vc.check_study(folder).set_index("name")
    assert "cannot be read" in table.loc["gold.parquet", "why"]
    assert table.loc["sample.parquet", "status"] == "fresh"


def test_the_lines_for_a_terminal_say_what_is_stale_why_and_what_comes_next(folder):
    save_clusters(folder, k=6)
    said = tell_study(vc.check_study(folder))
    assert re.search(
        r"^stale +sample.parquet +draw_stratified_sample, [-\d]+ [:\d]+ UTC$", said, re.MULTILINE
    )
    assert "from clusters.parquet with the digest" in said
    assert said.endswith("Next: 08_sample_and_survey.")  # before the posts, which are missing


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="Expected a results folder"):
        vc.check_study(tmp_path / "nowhere")


def test_the_study_folder_stands_for_its_results(folder, tmp_path_factory):
    study = tmp_path_factory.mktemp("study")
    folder.rename(study / "results")
    (study / "study.toml").write_text("")
    assert len(vc.check_study(study)) == len(vc.check_study(study / "results"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_table_of_writers_is_what_the_notebooks_say_that_they_write(notebook):
    first = nbformat.read(notebook, as_version=4).cells[0].source
    said = re.search(r"\*Writes\*:(.*?)(?:\n\n|$)", first, re.DOTALL).group(1)
    for name in (name for name, writer in WRITERS.items() if writer == notebook.stem):
        start = name.split("*")[0]
        assert start in said or f"`{start.split('/')[0]}/`" in said, f"{notebook.name} does not say {name}"
    for file in re.findall(r"`([\w/]+\.(?:parquet|npy|csv))`", said):
        assert any(re.fullmatch(name.replace(".", r"\.").replace("*", ".*"), file) for name in WRITERS), file


def test_the_cache_of_hashes_is_no_file_of_the_study(folder):
    pd.DataFrame({"a": [1]}).to_parquet(folder / "hashes.parquet")
    assert "hashes.parquet" not in vc.check_study(folder)["name"].tolist()


def test_what_waits_for_the_researcher_is_listed_with_what_to_do_and_not_as_next(folder):
    said = tell_study(vc.check_study(folder))
    assert "  name features in study.toml and label images: 03_fine_tune" in said
    assert said.endswith("Next: 01_build_corpus.")  # the posts, which it always writes
