"""The transitions of a labelling, without a browser or a file."""

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, strategies as some

from visclust.annotation.answer_files import SKIP
from visclust.widgets.labelling import (
    Event,
    _list_open,
    answer,
    describe_progress,
    list_upcoming,
    resume,
    start,
    undo,
)

NOW = "2026-01-05T10:00:00Z"


def say(state, event_id, said="same", *, item=None, seconds=None):
    return answer(state, Event(event_id, item or state.current, said, NOW, seconds))


def take_back(state, event_id):
    last = state.undoable
    return undo(state, Event(event_id, last.item_id, None, NOW, retracts=last.event_id))


def test_items_are_shown_in_their_order_until_all_are_answered():
    state = start(["a", "b"])
    shown = [state.current]
    for event in ("e1", "e2"):
        state = say(state, event)
        shown.append(state.current)
    assert shown == ["a", "b", None]
    assert list_upcoming(state, 4) == []


def test_a_transition_leaves_the_state_before_it_as_it_was():
    before = start(["a", "b"])
    after = say(before, "e1")
    assert (before.current, before.standing, before.seen) == ("a", (), frozenset())
    assert after.current == "b"
    with pytest.raises(FrozenInstanceError):
        after.position = 0


def test_undo_goes_back_to_the_pair_undone_and_then_on_to_the_next_open_one():
    state = say(say(start(["a", "b", "c"]), "e1"), "e2")
    state = take_back(state, "e3")
    assert state.current == "b"
    assert list_upcoming(state, 4) == ["b", "c"]
    state = say(state, "e4", "different")
    assert (state.current, state.answers["b"].answer) == ("c", "different")


def test_undo_again_goes_one_further_back():
    state = take_back(take_back(say(say(start(["a", "b", "c"]), "e1"), "e2"), "e3"), "e4")
    assert state.current == "a"
    assert state.undoable is None
    assert _list_open(state) == ["a", "b", "c"]


def test_undo_of_a_second_thought_brings_the_first_back():
    state = say(say(start(["a", "b"]), "e1"), "e2", "different", item="a")
    assert take_back(state, "e3").answers["a"].answer == "same"


def test_undo_of_what_is_not_there_changes_nothing_but_is_noted():
    state = say(start(["a", "b"]), "e1")
    after = undo(state, Event("e2", "a", None, NOW, retracts="gone"))
    assert (after.current, after.standing) == (state.current, state.standing)
    assert "e2" in after.seen


def test_an_event_that_comes_twice_counts_once():
    state = say(start(["a", "b"]), "e1")
    assert answer(state, Event("e1", "a", "different", NOW)) is state
    undone = take_back(state, "e2")
    assert undo(undone, Event("e2", "a", None, NOW, retracts="e1")) is undone


def test_an_answer_to_another_item_than_the_one_shown_counts_for_that_item():
    state = say(start(["a", "b", "c"]), "e1", item="b")
    assert state.current == "a"
    assert say(state, "e2").current == "c"


def test_skip_is_an_answer_and_the_item_does_not_come_back():
    state = say(start(["a", "b"]), "e1", SKIP)
    assert state.answers["a"].answer == SKIP
    assert say(state, "e2").current is None


def test_skipped_items_come_back_once_at_the_end_where_that_is_wished():
    state = say(start(["a", "b", "c"], revisit_skipped=True), "e1", SKIP)
    state = say(say(state, "e2"), "e3")
    assert state.current == "a"
    assert say(state, "e4", SKIP).current is None
    assert say(state, "e4").current is None


def test_resume_starts_at_the_first_unanswered_item():
    answers = [Event(f"e{item}", item, "same", NOW) for item in ("a", "c", "b", "of another study")]
    events = [*answers, Event("undo", "b", None, NOW, retracts="eb")]
    state = resume(start(["a", "b", "c", "d"]), events)
    assert state.current == "b"
    assert _list_open(state) == ["b", "d"]
    assert state.undoable.event_id == "ec"


def test_what_cannot_be_done_is_refused_with_the_reason():
    state = start(["a"])
    with pytest.raises(ValueError, match="one of the 1 items"):
        answer(state, Event("e1", "z", "same", NOW))
    with pytest.raises(ValueError, match="Expected an answer"):
        answer(state, Event("e1", "a", None, NOW))
    with pytest.raises(ValueError, match="retracts nothing"):
        undo(state, Event("e1", "a", None, NOW))
    with pytest.raises(ValueError, match="got None"):
        say(say(state, "e1"), "e2")  # all are answered
    with pytest.raises(ValueError, match="at least one"):
        start([])
    with pytest.raises(ValueError, match="'a' more than once"):
        start(["a", "a"])


def test_the_pace_is_that_of_the_median_answer_so_that_a_coffee_break_does_not_count():
    state = start([str(number) for number in range(10)])
    for number, seconds in enumerate([3.0, 900.0, 3.0]):
        state = say(state, f"e{number}", seconds=seconds)
    progress = describe_progress(state)
    assert progress == {"total": 10, "done": 3, "left": 7, "per_minute": 20.0, "minutes_left": 7 * 3 / 60}
    assert describe_progress(start(["a"]))["per_minute"] is None


@given(some.lists(some.sampled_from(["same", "different", SKIP, "undo"]), max_size=25), some.booleans())
def test_resuming_from_the_events_gives_the_state_that_they_led_to(moves, revisit):
    state = start(["a", "b", "c", "d"], revisit_skipped=revisit)
    events = []
    for number, move in enumerate(moves):
        if move == "undo" and state.undoable:
            event = Event(f"e{number}", state.undoable.item_id, None, NOW, retracts=state.undoable.event_id)
            state = undo(state, event)
        elif move != "undo" and state.current:
            event = Event(f"e{number}", state.current, move, NOW)
            state = answer(state, event)
        else:
            continue
        events.append(event)
    resumed = resume(start(["a", "b", "c", "d"], revisit_skipped=revisit), events)
    assert (resumed.standing, resumed.seen) == (state.standing, state.seen)
    assert resumed.current == (_list_open(state) or [None])[0]
    # Sent again in any number, the events change nothing.
    assert resume(resumed, events).standing == resumed.standing
