"""A study is a folder: its file is read and checked, and its paths lead to the same files from anywhere."""

import pandas as pd
import pytest
from made_up_answers import make_row
from PIL import Image

import visclust as vc
from visclust.annotation.answer_files import append_answer, name_answer_file
from visclust.study import _ENTRIES
from visclust.widgets.labelling import list_upcoming


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch, tmp_path):
    """Work in a folder that is no study, with no study or results named."""
    monkeypatch.delenv("VISCLUST_STUDY", raising=False)
    monkeypatch.delenv("VISCLUST_RESULTS", raising=False)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)


@pytest.fixture
def write_study(tmp_path):
    """Write a study file of the given lines beside a folder of images."""

    def write(*lines, images='images = "photos"'):
        folder = tmp_path / "march"
        (folder / "photos").mkdir(parents=True, exist_ok=True)
        (folder / "study.toml").write_text("\n".join([images, *lines]), encoding="utf-8")
        return folder

    return write


def test_without_any_study_it_is_the_example_with_simulated_people():
    study = vc.open_study()
    assert (study.is_example, study.simulate, study.posts) == (True, True, None)
    assert study.images.is_dir()
    assert study.results == vc.results_folder()


def test_images_are_all_that_a_study_must_name(write_study):
    folder = write_study()
    study = vc.open_study(folder)
    assert (study.name, study.images, study.results) == ("march", folder / "photos", folder / "results")
    assert (study.is_example, study.simulate) == (False, False)
    assert (study.posts, study.features, study.groups) == (None, (), {})
    assert study.results.is_dir()


def test_every_entry_arrives(write_study, tmp_path):
    for name in ("posts.csv", "accounts.csv", "ideology.csv", "ratings.csv"):
        (tmp_path / name).write_text("a\n")
    (tmp_path / "media").mkdir()
    folder = write_study(
        'name = "March"',
        "simulate = true",
        'posts = "../posts.csv"',
        'posts_columns = {post_id = "tweet_id"}',
        'posts_options = {time_format = "%d.%m.%Y"}',
        f"media_folder = '{tmp_path / 'media'}'",
        'accounts = "../accounts.csv"',
        'ideology = "../ideology.csv"',
        'ratings = "../ratings.csv"',
        'construct = "Both show one theme."',
        'question = "Do they?"',
        'features = ["flags"]',
        'frames = ["family"]',
        'annotators = ["ana", "ben"]',
        'encoder = "efficientnet_lite0"',
        'items = {anger = ["angry", "bitter"]}',
        "scale = [0, 6]",
        'group_column = "gender"',
        'groups = {women = "#7b3294", men = "#008837"}',
    )
    study = vc.open_study(folder)
    assert study.posts == tmp_path / "posts.csv"
    assert study.media_folder == tmp_path / "media"
    assert (study.posts_columns, study.posts_options) == (
        {"post_id": "tweet_id"},
        {"time_format": "%d.%m.%Y"},
    )
    assert (study.items, study.scale) == ({"anger": ("angry", "bitter")}, (0, 6))
    assert (study.annotators, study.features) == (("ana", "ben"), ("flags",))
    assert study.groups == {"women": "#7b3294", "men": "#008837"}
    assert study.simulate


def test_groups_may_be_named_without_colours(write_study):
    assert vc.open_study(write_study('groups = ["women", "men"]')).groups == {"women": "", "men": ""}


def test_paths_lead_to_the_same_files_from_any_working_directory(write_study, monkeypatch):
    folder = write_study()
    monkeypatch.chdir(folder.parent)
    assert vc.open_study("march").images == folder / "photos"
    monkeypatch.chdir(folder / "photos")
    assert vc.open_study().images == folder / "photos"


def test_the_environment_names_a_study_before_the_working_directory_does(write_study, monkeypatch):
    monkeypatch.setenv("VISCLUST_STUDY", str(write_study()))
    assert vc.open_study().name == "march"


def test_a_moved_study_finds_its_images_at_the_new_place(write_study, tmp_path):
    write_study().rename(tmp_path / "april")
    study = vc.open_study(tmp_path / "april")
    assert (study.images, study.name) == (tmp_path / "april" / "photos", "april")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('pots = "posts.csv"', "entry pots, which no study has. Did you mean posts"),
        ('features = "flags"', r"a list of names.* in the entry features .* got .flags."),
        ('features = ["flags", "Flags"]', "each feature once"),
        ("scale = [10, 1]", "entry scale .* at most 100"),
        ("scale = [1, 2, 3]", "the lowest and the highest rating"),
        ("simulate = 1", "true or false in the entry simulate"),
        ('posts = ""', "a file or folder of posts, as text in the entry posts"),
        ('posts_options = {sep = ";"}', "sep is no option there"),
        ("posts_columns = {post_id = 1}", "your names of columns"),
        ('items = ["angry"]', "lists of items by dimension"),
        ("example = true", "Remove the entries images and posts"),
        ("name = March", "cannot be read.*Text stands in quotes"),
    ],
)
def test_an_entry_that_is_wrong_is_named_with_what_was_expected(write_study, line, message):
    with pytest.raises(ValueError, match=message):
        vc.open_study(write_study(line))


def test_an_unknown_entry_lists_those_that_there_are(write_study):
    with pytest.raises(ValueError, match="unheard") as caught:
        vc.open_study(write_study('unheard = "x"'))
    assert ", ".join(_ENTRIES) in str(caught.value)


def test_a_study_without_images_says_which_entry_is_missing(write_study):
    with pytest.raises(ValueError, match="Expected the entry images"):
        vc.open_study(write_study(images=""))


def test_files_that_are_not_there_are_named_with_their_entry(write_study):
    with pytest.raises(FileNotFoundError, match=r"a file at .*march.posts\.csv, which the entry posts"):
        vc.open_study(write_study('posts = "posts.csv"'))


def test_a_folder_that_is_no_study_says_how_to_make_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="visclust start elsewhere --images FOLDER"):
        vc.open_study(tmp_path / "elsewhere")


def test_the_example_may_have_a_file_and_a_place_of_its_own(tmp_path):
    (tmp_path / "study.toml").write_text('example = true\nannotators = ["ana"]')
    study = vc.open_study(tmp_path)
    assert (study.is_example, study.annotators, study.results) == (True, ("ana",), tmp_path / "results")


def test_a_study_says_what_it_names_and_what_is_not_there(write_study, tmp_path):
    study = vc.open_study(write_study('features = ["flags"]'))
    study.images.rmdir()
    said = repr(study)
    assert "The study 'march'" in said
    assert "photos (not there)" in said
    assert "posts         none named" in said
    assert "flags" in said


def test_a_second_wave_of_images_keeps_labels_and_answers(write_study):
    study = vc.open_study(write_study())
    for name, colour in (("m.png", "red"), ("n.png", "blue")):
        Image.new("RGB", (8, 6), colour).save(study.images / name)
    first = vc.index_images(study.images, progress=False)
    ids = first["image_id"].tolist()
    labels = pd.DataFrame({"image_id": ids, "flags": [1, 0]})
    vc.save_table(labels, study.results / "labels.parquet", "labels")
    pairs = pd.DataFrame({"pair_id": ["p1"], "image_a": ids[:1], "image_b": ids[1:]})
    pairs = pairs.assign(stratum="random", inclusion_probability=1.0)
    append_answer(name_answer_file(study.results / "answers", "Ana"), make_row("e1", "p1"))

    Image.new("RGB", (8, 6), "green").save(study.images / "a.png")  # comes before the others by name
    (study.images / "m.png").rename(study.images / "z.png")
    second = vc.index_images(study.images, progress=False)
    assert set(ids) < set(second["image_id"])
    kept = vc.read_table(study.results / "labels.parquet", "labels")
    assert second.merge(kept, on="image_id", how="left").set_index("image_id")["flags"][ids].tolist() == [
        1,
        0,
    ]
    widget = vc.label_pairs(pairs, second, annotator="Ana", save_to=study.results / "answers")
    assert list_upcoming(widget.labelling, 5) == []
