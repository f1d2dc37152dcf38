"""Tasks: which items with which files, what a view is told of them, and which answers they take."""

import json

import pandas as pd
import pytest

import visclust as vc
from visclust.annotation.answer_files import name_answer_file
from visclust.annotation.features import write_feature_answer
from visclust.annotation.judgements import PAIR_ANSWERS
from visclust.annotation.ratings import order_items, write_rating_answer
from visclust.base.provenance import digest_text
from visclust.widgets.tasks import feature_task, list_assigned_images, pair_task, rating_task

ASKED = ["anger", "Größe „5“", "men"]
ITEMS = {"pleasant": ["proud", "hopeful"], "unpleasant": ["angry"]}


@pytest.fixture
def images(tmp_path):
    rows = [
        (name, f"file of {name}.png", status, "", 60, 40)
        for name, status in (("b", "ok"), ("a", "ok"), ("x", "unreadable"), ("c", "ok"))
    ]
    rows.append(("b", "copy of b.png", "duplicate", "", 60, 40))
    for row in rows:
        (tmp_path / row[1]).touch()  # a task knows of files only that they are there
    return pd.DataFrame(rows, columns=["image_id", "path", "status", "reason", "width", "height"])


@pytest.fixture
def pairs():
    return pd.DataFrame({"pair_id": ["p2", "p1"], "image_a": ["b", "a"], "image_b": ["c", "b"],
                         "stratum": "secret-stratum", "inclusion_probability": 0.123456})  # fmt: skip


@pytest.fixture
def assignment():
    return pd.DataFrame({"respondent": ["r1", "r2", "r1"], "group": "secret-party", "position": [2, 1, 1],
                         "image_id": ["a", "b", "c"], "cluster": 777})  # fmt: skip


@pytest.fixture
def make_task(pairs, images, assignment, tmp_path):
    """Make a task by its kind."""

    def make(kind, **options):
        options = {"images_folder": tmp_path} | options
        if kind == "pairs":
            return pair_task(pairs, images, **options)
        if kind == "features":
            return feature_task(images, **{"features": ASKED, **options})
        return rating_task(assignment, images, **{"respondent": "r1", "items": ITEMS, **options})

    return make


each_kind = pytest.mark.parametrize("kind", ["pairs", "features", "ratings"])


@pytest.mark.parametrize(
    ("kind", "items"),
    [
        ("pairs", {"p2": ("b", "c"), "p1": ("a", "b")}),
        ("features", {"b": ("b",), "a": ("a",), "c": ("c",)}),
        ("ratings", {"c": ("c",), "a": ("a",)}),
    ],
)
def test_items_come_in_the_order_of_their_table_each_image_with_its_first_usable_file(
    make_task, kind, items, tmp_path
):
    task = make_task(kind)
    assert list(task.items.items()) == list(items.items())
    wanted = {image for shown in items.values() for image in shown}
    assert task.files == {image: str(tmp_path / f"file of {image}.png") for image in wanted}


def test_the_row_of_an_answer_names_the_images_of_a_pair_as_shown_and_nothing_else(make_task):
    assert make_task("pairs").describe_item("p1") == {"left": "a", "right": "b"}
    assert make_task("pairs").describe_item("pair of last week") == {}
    assert make_task("features").describe_item("a") == make_task("ratings").describe_item("a") == {}


@each_kind
def test_a_view_is_told_no_file_no_image_and_nothing_that_unblinds(make_task, kind, tmp_path):
    view = make_task(kind).describe_view(annotator=" r1 ", save_to=tmp_path)
    told = json.dumps(view)
    for secret in ("secret-stratum", "0.123456", "secret-party", "777", "pleasant", "file of", str(tmp_path)):
        assert secret not in told
    assert (view["annotator"], view["n_images"]) == ("r1", 2 if kind == "pairs" else 1)


@each_kind
def test_texts_and_numbers_that_no_view_could_use_are_refused(make_task, kind, tmp_path):
    for bad in ({"question": " "}, {"question": None}, {"construct": None}):
        with pytest.raises(ValueError, match="Expected the"):
            make_task(kind, **bad).describe_view(annotator="Ana", save_to=tmp_path)
    for bad in ({"annotator": " "}, {"prefetch": -1}, {"max_unsaved": True}):
        with pytest.raises(ValueError, match="Expected"):
            make_task(kind).describe_view(**({"annotator": "Ana", "save_to": tmp_path} | bad))


def test_what_one_person_does_in_several_views_of_one_study_is_kept_apart_in_the_browser(make_task, tmp_path):
    def find_key(kind, annotator="Ana"):
        return make_task(kind).describe_view(annotator=annotator, save_to=tmp_path)["storage_key"]

    file = name_answer_file(tmp_path, "Ana")
    assert find_key("pairs") == digest_text(str(file))  # answers that wait in a browser are found by these
    assert find_key("features") == digest_text(f"{file} features")
    assert find_key("ratings") == digest_text(f"{file} ratings")
    assert find_key("pairs") != find_key("pairs", "Ben")


def test_a_pair_takes_the_four_answers_that_its_buttons_give(make_task):
    task = make_task("pairs")
    assert [choice["value"] for choice in task.controls["choices"]] == list(PAIR_ANSWERS)
    assert all(map(task.accepts, PAIR_ANSWERS))
    assert not any(map(task.accepts, ("banana", "", "Same", write_feature_answer(ASKED, []))))


def spell_as_a_browser_does(asked, present):
    return json.dumps({"asked": asked, "present": present}, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize(
    "said",
    [
        "same",
        "{}",
        "[1]",
        '{"asked":["anger"],"present":[]}',
        spell_as_a_browser_does(ASKED, ["women"]),
        spell_as_a_browser_does(ASKED, ["men", "anger"]),  # not in the order shown: no browser of ours
        json.dumps({"asked": ASKED, "present": []}),
    ],
)
def test_what_is_no_answer_about_these_features_is_not_taken(make_task, said):
    task = make_task("features")
    assert not task.accepts(said)
    assert task.accepts(spell_as_a_browser_does(ASKED, ["anger", "men"]))
    assert task.accepts("skip")


@pytest.mark.parametrize(
    "said",
    [
        "same",
        "{}",
        '{"scale":[1,10],"ratings":[["proud",1],["hopeful",2]]}',
        '{"scale":[1,10],"ratings":[["proud",1],["hopeful",2],["angry",11]]}',
        '{"scale":[1,10],"ratings":[["proud",1],["hopeful",2],["angry",0]]}',
        '{"scale":[1,10],"ratings":[["proud",1],["hopeful",2],["angry",2.5]]}',
        '{"scale":[1,10],"ratings":[["proud",1],["hopeful",2],["angry",true]]}',
        '{"scale":[1,10],"ratings":[["proud",1],["hopeful",2],["angry",3],["angry",4]]}',
        '{"scale":[1,7],"ratings":[["proud",1],["hopeful",2],["angry",3]]}',
        '{"scale": [1,10],"ratings":[["proud",1],["hopeful",2],["angry",3]]}',
    ],
)
def test_what_is_no_full_answer_on_this_scale_is_not_taken(make_task, said):
    task = make_task("ratings")
    assert not task.accepts(said)
    assert task.accepts(write_rating_answer({"proud": 1, "hopeful": 2, "angry": None}, (1, 10)))
    assert task.accepts("skip")


def test_the_first_twelve_features_have_a_key(make_task):
    toggles = make_task("features", features=[*vc.FEATURES, "music"]).controls["toggles"]
    assert [toggle["name"] for toggle in toggles] == [*vc.FEATURES, "music"]
    assert [toggle["key"] for toggle in toggles] == [*"1234567890-=", ""]


def test_a_respondent_rates_the_items_in_their_own_order_on_the_scale_given(make_task):
    controls = make_task("ratings", scale=(1, 7), seed=5).controls
    assert controls["items"] == list(order_items(ITEMS, respondent="r1", seed=5))
    assert controls["scale"] == [1, 7]


def test_tables_that_do_not_suit_the_task_are_refused_with_the_reason(make_task, images, assignment):
    with pytest.raises(ValueError, match="at least one image"):
        feature_task(images[:0], ASKED)
    with pytest.raises(ValueError, match="one of the 2 respondents"):
        make_task("ratings", respondent="r3")
    with pytest.raises(ValueError, match="two ends"):
        make_task("ratings", ends="low")
    with pytest.raises(ValueError, match="'c'"):
        rating_task(assignment, images[:2], respondent="r1")
    with pytest.raises(ValueError, match="differ by more than case"):
        list_assigned_images(assignment.assign(respondent=["r1", "r2", " R1"]), "r1")
