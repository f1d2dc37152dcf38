"""Tables of a study name its images from its folder, so that they are found after a move of the folder."""

import shutil

import pandas as pd
import pytest
from PIL import Image

import visclust as vc
from visclust.base.provenance import digest_input


@pytest.fixture
def study(tmp_path):
    """A study with two images of which one is there twice, and its saved images table."""
    folder = tmp_path / "march"
    (folder / "photos" / "deep").mkdir(parents=True)
    (folder / "study.toml").write_text('images = "photos"')
    for name, colour in (("a.png", "red"), ("b.png", "red"), ("deep/c.png", "blue")):
        Image.new("RGB", (4, 3), colour).save(folder / "photos" / name)
    images = vc.index_images(folder / "photos", progress=False)
    vc.save_table(images, folder / "results" / "images.parquet", "images")
    return folder


def test_a_file_of_a_study_names_images_from_the_study(study):
    stored = pd.read_parquet(study / "results" / "images.parquet")
    assert stored["path"].tolist() == ["photos/a.png", "photos/b.png", "photos/deep/c.png"]
    assert stored["reason"][1] == "same bytes as photos/a.png"


def test_it_is_read_as_it_was_saved(study):
    images = vc.index_images(study / "photos", progress=False)
    pd.testing.assert_frame_equal(vc.read_table(study / "results" / "images.parquet", "images"), images)


@pytest.mark.parametrize("move", [shutil.move, shutil.copytree])
def test_a_moved_or_copied_study_reads_its_own_images_and_nothing_counts_as_changed(study, tmp_path, move):
    before = vc.read_table(study / "results" / "images.parquet", "images")
    move(study, tmp_path / "april")
    images = vc.read_table(tmp_path / "april" / "results" / "images.parquet", "images")
    assert images["path"].tolist()[0] == str(tmp_path / "april" / "photos" / "a.png")
    assert images["reason"].tolist()[1].endswith(str(tmp_path / "april" / "photos" / "a.png"))
    assert digest_input(images) == digest_input(before) == images.attrs["provenance"]["result"]


def test_images_elsewhere_keep_their_absolute_paths(study, tmp_path):
    (tmp_path / "other").mkdir()
    Image.new("RGB", (4, 3), "green").save(tmp_path / "other" / "d.png")
    images = vc.index_images(tmp_path / "other", progress=False)
    path = vc.save_table(images, study / "results" / "images.parquet", "images")
    assert pd.read_parquet(path)["path"].tolist() == [str(tmp_path / "other" / "d.png")]
    pd.testing.assert_frame_equal(vc.read_table(path, "images"), images)


def test_paths_from_the_working_directory_are_found_from_any_other(study, tmp_path, monkeypatch):
    monkeypatch.chdir(study.parent)
    images = vc.index_images("march/photos", progress=False)
    path = vc.save_table(images, study / "results" / "images.parquet", "images")
    monkeypatch.chdir(study / "photos")
    assert vc.read_table(path, "images")["path"][0] == str(study / "photos" / "a.png")


def test_without_a_study_paths_stay_as_they_are(tmp_path, make_images):
    path = vc.save_table(make_images(["a", "b"]), tmp_path / "images.parquet", "images")
    assert vc.read_table(path, "images")["path"].tolist() == ["a.jpg", "b.jpg"]


def test_files_of_other_names_have_another_digest(make_images):
    one, other = make_images(["a", "b"]), make_images(["a", "b"])
    other["path"] = ["a.jpg", "c.jpg"]
    assert digest_input(one) != digest_input(other)
