"""Tasks of a study and one person's desk, without a web."""

import pandas as pd
import pytest
from served_studies import make_desks, make_event, make_links, make_plan, make_results

import visclust as vc
from visclust.widgets.annotate_desks import Desk, NotOfferedError, StudyTasks, check_writable
from visclust.widgets.tasks import pair_task


def open_desk(tmp_path, *, clock=None, **options):
    images, pairs = make_results(tmp_path)
    task = pair_task(pairs, images, images_folder=tmp_path)
    more = {"clock": clock} if clock else {}
    return Desk(task, annotator="Ana", save_to=tmp_path / "answers", **options, **more)


def test_each_person_is_offered_what_is_theirs(tmp_path):
    make_results(tmp_path)
    tasks, (_, people) = StudyTasks(make_plan(tmp_path)), make_links(tmp_path)
    offered = {name: tasks.list_kinds(person) for name, person in people.items()}
    assert offered == {
        "Ana": ["pairs", "features", "ratings"],
        "Ben": ["pairs", "features"],
        "Cem": ["disputed", "features"],
        "r2": ["ratings"],
    }
    only = StudyTasks(make_plan(tmp_path, kinds=("features",)))
    assert only.list_kinds(people["Ana"]) == ["features"]
    assert only.list_kinds(people["r2"]) == []


def test_a_task_without_its_files_or_its_features_is_not_offered(tmp_path):
    make_results(tmp_path)
    _, people = make_links(tmp_path)
    (tmp_path / "pairs.parquet").unlink()
    assert StudyTasks(make_plan(tmp_path, features=())).list_kinds(people["Ana"]) == ["ratings"]


def test_a_respondent_rates_the_images_of_the_assignment_however_the_link_spells_the_name(tmp_path):
    desks = make_desks(tmp_path)
    links, _ = make_links(tmp_path)
    desk = desks.open(links.add("ANA"), "ratings")
    assert desk.settings["annotator"] == "Ana"
    assert desk.tell("t")["upcoming"] == ["img0", "img1"]
    assert sorted(desk.settings["items"]) == ["happy", "sad"]


def test_pairs_drawn_anew_while_the_server_runs_are_taken_in_and_answers_stay(tmp_path):
    desks, (_, people) = make_desks(tmp_path), make_links(tmp_path)
    desk = desks.open(people["Ana"], "pairs")
    assert desk.record("t", make_event(1, "p0"))["acknowledged"] == ["e1"]
    assert desks.open(people["Ana"], "pairs") is desk
    pairs = pd.read_parquet(tmp_path / "pairs.parquet")
    pairs.iloc[[0, 3]].to_parquet(tmp_path / "pairs.parquet")
    changed = desks.open(people["Ana"], "pairs")
    assert changed.tell("t")["upcoming"] == ["p3"]
    (tmp_path / "pairs.parquet").write_bytes(b"damaged")
    with pytest.raises(NotOfferedError, match=r"pairs\.parquet"):
        desks.open(people["Ana"], "pairs")


def test_pairs_to_look_at_again_come_after_the_others_and_like_them(tmp_path):
    desks, (_, people) = make_desks(tmp_path), make_links(tmp_path)
    assert "look" not in desks.open(people["Ana"], "pairs").task.items
    pairs = pd.read_parquet(tmp_path / "pairs.parquet")
    reviews = pairs.iloc[[1, 2]].assign(
        judged_pair=["p1", "of an earlier draw"], pair_id=["look", "gone"], look=2, decoy=False,
        review_probability=1.0,
    )  # fmt: skip
    reviews.to_parquet(tmp_path / "reviews.parquet")
    for name in ("Ana", "Ben"):
        desk = desks.open(people[name], "pairs")
        assert list(desk.task.items) == [*pairs["pair_id"], "look"]
    assert desk.record("t", make_event(1, "look"))["acknowledged"] == ["e1"]
    (tmp_path / "reviews.parquet").write_bytes(b"damaged")  # the first look goes on
    assert list(desks.open(people["Ben"], "pairs").task.items) == pairs["pair_id"].tolist()


def test_who_decides_sees_exactly_the_pairs_on_which_others_disagree_and_not_what_they_said(tmp_path):
    desks, (_, people) = make_desks(tmp_path), make_links(tmp_path)
    with pytest.raises(NotOfferedError, match="nothing to decide"):
        desks.open(people["Cem"], "disputed", afresh=True)
    ana, ben = (desks.open(people[name], "pairs") for name in ("Ana", "Ben"))
    for number, (said, other) in enumerate([("same", "different"), ("same", "same"), ("different", "same")]):
        ana.record("a", make_event(number, f"p{number}", said))
        ben.record("b", make_event(10 + number, f"p{number}", other))
    desk = desks.open(people["Cem"], "disputed", afresh=True)
    told = desk.tell("c")
    assert told["upcoming"] == ["p0", "p2"]
    assert "different" not in str(told)
    desk.record("c", make_event(20, "p0", "same"))
    # Ben comes round: what is decided stays in the list, the other dispute is over once Cem opens the page.
    ben.record("b", make_event(30, "p2", "different"))
    assert desks.open(people["Cem"], "disputed") is desk
    assert desks.open(people["Cem"], "disputed", afresh=True).tell("c")["progress"]["total"] == 1
    answers = vc.read_answers(tmp_path / "answers")
    gold = vc.resolve(
        answers, pairs=pd.read_parquet(tmp_path / "pairs.parquet"), rule="third", third="Cem"
    ).gold
    assert gold.set_index("pair_id")["same"].to_dict() == {"p0": True, "p1": True, "p2": False}


def test_two_tabs_of_one_person_are_never_asked_the_same_and_see_each_others_answers(tmp_path):
    desk = open_desk(tmp_path)
    assert desk.tell("one")["upcoming"][0] == "p0"
    assert desk.tell("two")["upcoming"][0] == "p1"
    assert desk.record("one", make_event(1, "p0"))["upcoming"][0] == "p2"  # the second tab holds p1
    told = desk.tell("two")
    assert (told["upcoming"][0], told["progress"]["done"]) == ("p1", 1)
    shown = [told["upcoming"][0], "p2"]
    number, tabs = 2, ["two", "one"]
    asked = []
    while any(shown):
        for place, tab in enumerate(tabs):
            if shown[place]:
                asked.append(shown[place])
                number += 1
                upcoming = desk.record(tab, make_event(number, shown[place]))["upcoming"]
                shown[place] = upcoming[0] if upcoming else None
    assert sorted(asked) == ["p1", "p2", "p3", "p4"]


def test_what_only_another_tab_holds_is_said_to_be_elsewhere_and_comes_back_when_that_leaves(tmp_path):
    now = [0.0]
    desk = open_desk(tmp_path, clock=lambda: now[0])
    for number in range(4):
        desk.record("one", make_event(number, f"p{number}"))
    assert desk.tell("one")["upcoming"] == ["p4"]
    told = desk.tell("two")
    assert (told["upcoming"], told["elsewhere"], told["progress"]["left"]) == ([], True, 1)
    desk.leave("one")
    assert desk.tell("two")["upcoming"] == ["p4"]
    now[0] += 60  # nothing was heard of the second tab
    assert desk.tell("three")["upcoming"] == ["p4"]


def test_what_is_taken_back_returns_to_the_tab_that_took_it_back(tmp_path):
    desk = open_desk(tmp_path)
    desk.tell("one"), desk.tell("two")
    told = desk.record("one", make_event(1, "p0"))
    undo = make_event(2, "p0", None, retracts=told["undoable"]["event_id"])
    assert desk.record("one", undo)["upcoming"][0] == "p0"
    assert desk.tell("two")["upcoming"][0] == "p1"
    assert desk.tell("one")["progress"]["done"] == 0


def test_a_tab_keeps_what_it_shows_when_the_server_was_started_again(tmp_path):
    first = open_desk(tmp_path)
    first.tell("one"), first.tell("two")
    again = Desk(first.task, annotator="Ana", save_to=tmp_path / "answers")
    assert again.tell("two", shown=["p1"])["upcoming"][0] == "p1"
    assert again.tell("one", shown=["p0", "not an item"])["upcoming"][0] == "p0"


def test_answers_of_another_process_are_seen_with_the_next_look(tmp_path):
    desk, other = open_desk(tmp_path), open_desk(tmp_path)
    other.record("x", make_event(1, "p0"))
    assert desk.tell("one")["upcoming"][0] == "p1"
    assert desk.count()["done"] == 1


def test_far_away_annotators_hold_what_they_may_show_before_it_is_confirmed(tmp_path):
    desk = open_desk(tmp_path, max_unsaved=2)
    assert desk.tell("one")["upcoming"] == ["p0", "p1", "p2", "p3", "p4"]
    assert desk.tell("two")["upcoming"] == ["p3", "p4"]


def test_a_hundred_tabs_do_not_pile_up(tmp_path):
    desk = open_desk(tmp_path)
    for number in range(300):
        desk.tell(f"tab {number}")
    assert len(desk._held) <= 64


def test_a_folder_that_cannot_be_written_is_said_before_people_begin(tmp_path):
    (tmp_path / "answers").write_text("a file where the folder should be")
    with pytest.raises(ValueError, match=r"Expected to write answers into .*answers, but the system says"):
        check_writable(tmp_path / "answers")
    check_writable(tmp_path / "rating_answers")
    assert list((tmp_path / "rating_answers").iterdir()) == []
