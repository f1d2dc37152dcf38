import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image
from small_encoders import paint
from trainings import train

import visclust as vc
from visclust.finetuning.labels import group_copies, match_groups, match_labels, split_labelled
from visclust.images.batches import list_files


@pytest.mark.parametrize(("value", "word"), [(0.0, "positive"), (1.0, "negative"), (np.nan, "positive")])
def test_a_feature_with_one_answer_only_is_an_error_that_names_it(labelled, tmp_path, value, word):
    labels = labelled[1]
    with pytest.raises(ValueError, match=rf"at least one {word} label .* 'anger'"):
        train(labelled, tmp_path / "a.safetensors", labels=labels.assign(anger=value))


@pytest.mark.parametrize("value", [2.0, "yes"])
def test_a_label_that_is_neither_1_nor_0_is_refused(labelled, tmp_path, value):
    labels = labelled[1].assign(odd=[value] + [0] * 29)
    with pytest.raises(ValueError, match=f"labels of 'odd', got {value!r}"):
        train(labelled, tmp_path / "a.safetensors", labels=labels)


def test_a_label_of_an_unknown_image_is_refused(labelled, tmp_path):
    labels = labelled[1].assign(image_id=["elsewhere", *labelled[1]["image_id"][1:]])
    with pytest.raises(ValueError, match="'elsewhere'"):
        train(labelled, tmp_path / "a.safetensors", labels=labels)


def test_labels_are_in_the_order_of_the_images(labelled):
    images, labels = labelled
    matched = match_labels(images, labels.iloc[::-1], features=["red"])
    assert [file.image_id for file in matched.files] == images["image_id"].tolist()
    assert matched.targets[:, 0].tolist() == labels["red"].tolist()
    assert matched.targets.dtype == np.float32
    assert (matched.features, matched.unlabelled, matched.simulated) == (["red"], 0, False)


def test_a_labels_table_without_features_is_refused(labelled):
    images, labels = labelled
    with pytest.raises(ValueError, match="a column per feature in the labels table, got image_id only"):
        match_labels(images, labels[["image_id"]])


def test_groups_come_as_a_series_or_a_table_and_an_image_without_one_is_alone():
    table = pd.DataFrame({"image_id": ["a", "b", "b"], "group": [1, 1, 1], "path": ["x", "y", "z"]})
    assert match_groups(table, ["c", "a", "d", "b"]).tolist() == [0, 1, 2, 1]
    assert match_groups(pd.Series({"a": 1, "b": 2}), ["a", "b"]).tolist() == [0, 1]
    with pytest.raises(ValueError, match="image 'a' has several"):
        match_groups(pd.Series([1, 2], index=["a", "a"]), ["a"])
    with pytest.raises(ValueError, match="none of them has one"):
        match_groups(pd.Series({"a": 1}), ["z"])
    with pytest.raises(ValueError, match="group is missing"):
        match_groups(table[["image_id"]], ["a"])
    with pytest.raises(ValueError, match="as a Series by image id or a table, got dict"):
        match_groups({"a": 1}, ["a"])


@given(
    groups=st.lists(st.integers(0, 14), min_size=60, max_size=60),
    answers=st.lists(st.sampled_from([0.0, 1.0, np.nan]), min_size=120, max_size=120),
    seed=st.integers(0, 20),
)
@settings(deadline=None, max_examples=40)
def test_a_group_is_never_on_two_sides(groups, answers, seed):
    groups = np.unique(groups, return_inverse=True)[1]
    targets = np.array(answers).reshape(60, 2)
    try:
        held = split_labelled(targets, groups, features=["a", "b"], held_out=0.3, seed=seed)
    except ValueError as error:
        assert "on both sides" in str(error)
        return
    assert pd.Series(held).groupby(groups).nunique().max() == 1
    for column in targets.T:
        for side in (held, ~held):
            assert {0.0, 1.0} <= set(column[side])


def test_the_split_gives_each_feature_its_share():
    rng = np.random.default_rng(0)
    rates = np.array([0.5, 0.2, 0.05, 0.02])
    targets = (rng.random((500, 4)) < rates).astype(float)
    held = split_labelled(targets, np.arange(500), features=list("abcd"), held_out=0.2, seed=0)
    assert abs(held.mean() - 0.2) < 0.01
    # Single images can be given out, so that each feature is within one image of its fifth.
    assert np.all(np.abs(targets[held].sum(axis=0) - 0.2 * targets.sum(axis=0)) <= 1)


def test_the_split_depends_on_the_seed():
    targets = np.array([[0.0], [1.0]] * 30)
    one, same, other = (
        split_labelled(targets, np.arange(60), features=["a"], held_out=0.2, seed=seed) for seed in (0, 0, 1)
    )
    assert one.tolist() == same.tolist()
    assert one.tolist() != other.tolist()


def test_a_feature_whose_positives_are_all_copies_of_one_is_an_error(labelled, tmp_path):
    labels = labelled[1]
    rare = labels.assign(rare=[1.0, 1.0, *[0.0] * 28])
    groups = pd.Series(["same", "same"], index=labels["image_id"][:2])
    with pytest.raises(ValueError, match=r"'rare' on both sides .* in 1 group\(s\) of copies"):
        train(labelled, tmp_path / "a.safetensors", labels=rare, groups=groups)


@pytest.mark.parametrize("kind", ["saved anew", "cropped", "captioned"])
def test_copies_are_on_one_side_of_the_split_whatever_was_done_to_them(tmp_path, kind):
    folder = tmp_path / "corpus"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for number in range(20):
        image = paint(rng, number % 2 == 0, side=120)
        image.save(folder / f"{number:02}.png")
        if kind == "saved anew":
            image.save(folder / f"{number:02} copy.jpg", quality=60)
        elif kind == "cropped":
            image.crop((12, 12, 108, 108)).save(folder / f"{number:02} copy.png")
        else:
            captioned = Image.new("RGB", (120, 136), "white")
            captioned.paste(image, (0, 0))
            captioned.save(folder / f"{number:02} copy.png")
    images = vc.index_images(folder, progress=False)
    numbers = images["path"].str.extract(r"(\d\d)(?: copy)?\.\w+$")[0].astype(int)
    labels = pd.DataFrame({"image_id": images["image_id"], "red": (numbers % 2 == 0).astype(float)})
    result = train((images, labels), tmp_path / "a.safetensors", epochs=1, held_out=0.3, groups=None)
    sides = result.split.assign(number=numbers).groupby("number")["part"].nunique()
    assert sides.max() == 1
    assert set(result.split["part"]) == {"train", "held out"}


def test_different_pictures_are_not_all_taken_for_copies(labelled):
    assert group_copies(list_files(labelled[0])).max() + 1 >= 25  # a few of thirty may look alike


def test_no_images_have_no_groups():
    assert group_copies([]).tolist() == []


def test_features_with_too_few_answers_of_a_kind_are_listed_with_the_reason(labelled):
    images, labels = labelled
    rare = np.where(np.arange(30) < 3, 1.0, 0.0)
    table = vc.list_trainable_features(images, labels.assign(never=0.0, rare=rare)).set_index("feature")
    assert table.loc[["red", "other"], "reason"].tolist() == ["", ""]
    assert table.loc["red", ["positives", "negatives"]].tolist() == [10, 20]
    assert "positives are 0" in table.loc["never", "reason"]
    assert "positives are 3" in table.loc["rare", "reason"]


def test_a_feature_whose_yes_is_all_copies_of_one_picture_cannot_be_learned(tmp_path):
    rng = np.random.default_rng(0)
    one = paint(rng, red=True).resize((128, 128))
    for number in range(6):
        one.save(tmp_path / f"a{number}.jpg", quality=90 - number)
    for number in range(20):
        paint(rng, red=False).resize((128, 128)).save(tmp_path / f"b{number}.png")
    images = vc.index_images(tmp_path, progress=False)
    copy = images["path"].str.contains("/a").to_numpy()
    labels = pd.DataFrame({"image_id": images["image_id"], "copy": copy.astype(float)})
    (row,) = vc.list_trainable_features(images, labels).itertuples()
    assert "near copies" in row.reason


def test_labels_without_rows_have_no_trainable_feature():
    images = pd.DataFrame(columns=["image_id", "path", "status", "reason", "width", "height"])
    assert vc.list_trainable_features(images, pd.DataFrame({"image_id": []})).empty
