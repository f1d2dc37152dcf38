"""What one annotator has answered, what comes next and how far it is: a state and its transitions.

It knows no browser and no file. It knows items by their ids and answers as text, so that it serves pairs of
images, one image with several features, and ratings alike; what an answer may say is the task's affair.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from statistics import median
from types import MappingProxyType
from typing import Any

from visclust.annotation.answer_files import SKIP, place_event

_PACE_WINDOW = 20  # answers; the median over them forgives a coffee break and follows a growing routine


@dataclass(frozen=True)
class Event:
    """One answer, or, where `retracts` names an earlier event, the undoing of one."""

    event_id: str
    item_id: str
    answer: str | None
    answered_at: str
    seconds: float | None = None
    retracts: str | None = None
    note: str | None = None
    counter: int | None = None


@dataclass(frozen=True)
class Labelling:
    """Items in the order in which they are shown, the answers that stand, and the item shown now.

    `standing` holds, oldest first, the answers given and not taken back; `seen` the ids of all events, so
    that one sent twice counts once; `position` is the index of the item shown, None when all are answered.
    """

    items: tuple[str, ...]
    position: int | None
    standing: tuple[Event, ...] = ()
    seen: frozenset[str] = frozenset()
    revisit_skipped: bool = False
    places: Mapping[str, int] = field(default_factory=dict, repr=False, compare=False)

    @property
    def current(self) -> str | None:
        """The item shown now, or None when all are answered."""
        return None if self.position is None else self.items[self.position]

    @property
    def answers(self) -> dict[str, Event]:
        """The answer that stands for each item: the latest one."""
        return {event.item_id: event for event in self.standing}

    @property
    def undoable(self) -> Event | None:
        """The answer that an undo would take back."""
        return self.standing[-1] if self.standing else None


def start(items: Iterable[str], *, revisit_skipped: bool = False) -> Labelling:
    """Start on a list of items with nothing answered; an error where there is none, or one comes twice.

    With `revisit_skipped`, skipped items are shown once more after all others. Otherwise a skip is an answer
    like any other.
    """
    ordered = tuple(items)
    places = {item: place for place, item in enumerate(ordered)}
    if not ordered:
        raise ValueError("Expected at least one item to label, got none.")
    if len(places) < len(ordered):
        repeated = next(item for item, count in Counter(ordered).items() if count > 1)
        raise ValueError(f"Expected each item once, got {repeated!r} more than once. Drop the copies.")
    return Labelling(ordered, 0, revisit_skipped=revisit_skipped, places=MappingProxyType(places))


def resume(state: Labelling, events: Iterable[Event]) -> Labelling:
    """Go on after the events that are on file, at the first unanswered item.

    The events are one annotator's. Those already seen count once; those about items of another list are left
    alone. What an undo takes back may come after it, as where a spreadsheet sorted the rows of a download.
    """
    standing, seen = list(state.standing), set(state.seen)
    for event in events:
        if event.item_id not in state.places or event.event_id in seen:
            continue
        seen.add(event.event_id)
        if event.retracts is None:
            standing.append(event)
        else:
            standing = [one for one in standing if one.event_id != event.retracts]
            seen.add(event.retracts)
    return _show_first_open(replace(state, standing=_sort(standing), seen=frozenset(seen)))


def answer(state: Labelling, event: Event) -> Labelling:
    """Take an answer and show the first open item; an event seen before changes nothing.

    An answer to another item than the one shown (one that was sent again, or given in a second tab) counts
    too, as that item's latest.
    """
    if event.event_id in state.seen:
        return state
    if event.item_id not in state.places:
        raise ValueError(f"Expected an answer to one of the {len(state.items)} items, got {event.item_id!r}.")
    if event.retracts is not None or not event.answer:
        raise ValueError(f"Expected an answer, got {event.answer!r} (retracts {event.retracts!r}).")
    standing = _sort([*state.standing, event])
    return _show_first_open(replace(state, standing=standing, seen=state.seen | {event.event_id}))


def _sort(events: Iterable[Event]) -> tuple[Event, ...]:
    """Sort events by the counters of their person, so that a clock that was set back changes nothing."""
    return tuple(sorted(events, key=lambda event: place_event(vars(event))))


def undo(state: Labelling, event: Event) -> Labelling:
    """Take back the answer that the event `retracts`, usually `undoable`, and show its item again.

    Where that answer is not there (any more), the event is only noted.
    """
    if event.event_id in state.seen:
        return state
    if event.retracts is None:
        raise ValueError("Expected an event that retracts an answer, got one that retracts nothing.")
    kept = tuple(one for one in state.standing if one.event_id != event.retracts)
    undone = next((one for one in state.standing if one.event_id == event.retracts), None)
    position = state.position if undone is None else state.places[undone.item_id]
    seen = state.seen | {event.event_id, event.retracts}
    return replace(state, standing=kept, seen=seen, position=position)


def _list_open(state: Labelling) -> list[str]:
    """List the items still to be shown: unanswered ones, then those skipped once, where they come back."""
    answered = state.answers
    fresh = [item for item in state.items if item not in answered]
    if not state.revisit_skipped:
        return fresh
    skips = Counter(event.item_id for event in state.standing if event.answer == SKIP)
    again = [item for item in state.items if item in answered and answered[item].answer == SKIP]
    return fresh + [item for item in again if skips[item] == 1]


def _show_first_open(state: Labelling) -> Labelling:
    """Show the first item that is open."""
    waiting = _list_open(state)
    return replace(state, position=state.places[waiting[0]] if waiting else None)


def list_upcoming(state: Labelling, n: int) -> list[str]:
    """List the item shown and up to `n` that come after it, for fetching their images ahead."""
    if state.current is None:
        return []
    return [state.current, *(item for item in _list_open(state) if item != state.current)][: n + 1]


def describe_progress(state: Labelling) -> dict[str, Any]:
    """Count what is done and left, and estimate how long it takes.

    ``total, done, left`` are numbers of items; ``per_minute`` (answers) and ``minutes_left`` follow the
    median of the last 20 answers' seconds, and are None before the first timed answer.
    """
    left = len(_list_open(state))
    timed = [event.seconds for event in state.standing if event.seconds][-_PACE_WINDOW:]
    pace = median(timed) if timed else None
    return {
        "total": len(state.items),
        "done": len(state.items) - left,
        "left": left,
        "per_minute": None if pace is None else 60 / pace,
        "minutes_left": None if pace is None else left * pace / 60,
    }
