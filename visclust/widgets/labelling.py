"""What one annotator has answered and what comes next: a state and its transitions, without a browser.

It knows items by their ids and answers as text, so that it serves pairs of images, one image with several
features, and ratings alike; what an answer may say is the view's affair.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from statistics import median
from types import MappingProxyType
from typing import Any

from visclust.annotation.answer_files import SKIP

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
    """Start on a list of items with nothing answered.

    Parameters
    ----------
    items : sequence of str
        Ids of the items, in the order in which they are shown.
    revisit_skipped : bool, default False
        Show skipped items once more after all others. Otherwise a skip is an answer like any other.

    Returns
    -------
    Labelling
        The first item is shown.

    Raises
    ------
    ValueError
        If there is no item, or one comes twice.

    Examples
    --------
    >>> start(["p1", "p2"]).current
    'p1'
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

    Parameters
    ----------
    state : Labelling
        From `start`, or any later state.
    events : sequence of Event
        One annotator's events in the order in which they were given. Those already seen count once;
        those about items of another list are left alone.

    Returns
    -------
    Labelling
        The first unanswered item is shown; None when there is none.

    Examples
    --------
    >>> done = Event("e1", "p1", "same", "2026-01-05T10:00:00Z")
    >>> resume(start(["p1", "p2"]), [done]).current
    'p2'
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
    return _show_first_open(replace(state, standing=tuple(standing), seen=frozenset(seen)))


def answer(state: Labelling, event: Event) -> Labelling:
    """Take an answer and show the next item.

    Parameters
    ----------
    state : Labelling
        The state.
    event : Event
        The answer. Usually to the item shown; an answer to another item (one that was sent again, or given
        in a second tab) counts too, as that item's latest.

    Returns
    -------
    Labelling
        The first open item is shown. The same state if the event has been seen before.

    Raises
    ------
    ValueError
        If the item is not one of this list, or the event is not an answer.

    Examples
    --------
    >>> state = answer(start(["p1", "p2"]), Event("e1", "p1", "same", "2026-01-05T10:00:00Z"))
    >>> state.current, state.answers["p1"].answer
    ('p2', 'same')
    """
    if event.event_id in state.seen:
        return state
    if event.item_id not in state.places:
        raise ValueError(f"Expected an answer to one of the {len(state.items)} items, got {event.item_id!r}.")
    if event.retracts is not None or not event.answer:
        raise ValueError(f"Expected an answer, got {event.answer!r} (retracts {event.retracts!r}).")
    answered = replace(state, standing=(*state.standing, event), seen=state.seen | {event.event_id})
    return _show_first_open(answered)


def skip(state: Labelling, *, event_id: str, answered_at: str, seconds: float | None = None) -> Labelling:
    """Leave the item shown without a judgement; this is recorded as the answer "skip".

    Parameters
    ----------
    state : Labelling
        The state; an item must be shown.
    event_id : str
        Id of the new event.
    answered_at : str
        Time, ISO 8601 in UTC.
    seconds : float, optional
        Seconds taken.

    Returns
    -------
    Labelling
        The next item is shown.

    Raises
    ------
    ValueError
        If no item is shown.

    Examples
    --------
    >>> skip(start(["p1", "p2"]), event_id="e1", answered_at="2026-01-05T10:00:00Z").current
    'p2'
    """
    if state.current is None:
        raise ValueError("Expected an item to skip, but all are answered. Undo the last answer to go back.")
    return answer(state, Event(event_id, state.current, SKIP, answered_at, seconds))


def undo(state: Labelling, event: Event) -> Labelling:
    """Take back an answer and show its item again.

    Parameters
    ----------
    state : Labelling
        The state.
    event : Event
        Its `retracts` names the answer, usually `undoable`. If that answer is not there (any more), only the
        event is noted.

    Returns
    -------
    Labelling
        The item whose answer was taken back is shown. The same state if the event has been seen before.

    Raises
    ------
    ValueError
        If the event retracts nothing.

    Examples
    --------
    >>> state = answer(start(["p1", "p2"]), Event("e1", "p1", "same", "2026-01-05T10:00:00Z"))
    >>> undo(state, Event("e2", "p1", None, "2026-01-05T10:00:02Z", retracts="e1")).current
    'p1'
    """
    if event.event_id in state.seen:
        return state
    if event.retracts is None:
        raise ValueError("Expected an event that retracts an answer, got one that retracts nothing.")
    kept = tuple(one for one in state.standing if one.event_id != event.retracts)
    undone = next((one for one in state.standing if one.event_id == event.retracts), None)
    position = state.position if undone is None else state.places[undone.item_id]
    return replace(state, standing=kept, seen=state.seen | {event.event_id}, position=position)


def list_open(state: Labelling) -> list[str]:
    """List the items still to be shown: unanswered ones, then those skipped once, where they come back.

    Parameters
    ----------
    state : Labelling
        The state.

    Returns
    -------
    list of str
        In the order in which they come.

    Examples
    --------
    >>> list_open(start(["p1", "p2"]))
    ['p1', 'p2']
    """
    answered = state.answers
    fresh = [item for item in state.items if item not in answered]
    if not state.revisit_skipped:
        return fresh
    skips = Counter(event.item_id for event in state.standing if event.answer == SKIP)
    again = [item for item in state.items if item in answered and answered[item].answer == SKIP]
    return fresh + [item for item in again if skips[item] == 1]


def _show_first_open(state: Labelling) -> Labelling:
    """Show the first item that is open."""
    waiting = list_open(state)
    return replace(state, position=state.places[waiting[0]] if waiting else None)


def list_upcoming(state: Labelling, n: int) -> list[str]:
    """List the item shown and those that come after it, for fetching their images ahead.

    Parameters
    ----------
    state : Labelling
        The state.
    n : int
        Items after the one shown, at most.

    Returns
    -------
    list of str
        Empty when all items are answered.

    Examples
    --------
    >>> from visclust.widgets.labelling import start
    >>> list_upcoming(start(["p1", "p2", "p3"]), 1)
    ['p1', 'p2']
    """
    if state.current is None:
        return []
    return [state.current, *(item for item in list_open(state) if item != state.current)][: n + 1]


def describe_progress(state: Labelling) -> dict[str, Any]:
    """Count what is done and left, and estimate how long it takes.

    Parameters
    ----------
    state : Labelling
        The state.

    Returns
    -------
    dict
        ``total, done, left`` (items), ``per_minute`` (labels per minute, from the median of the last 20
        answers' seconds) and ``minutes_left``; the last two are None before the first timed answer.

    Examples
    --------
    >>> from visclust.widgets.labelling import Event, answer, start
    >>> state = answer(start(["p1", "p2"]), Event("e1", "p1", "same", "2026-01-05T10:00:00Z", seconds=3.0))
    >>> describe_progress(state)
    {'total': 2, 'done': 1, 'left': 1, 'per_minute': 20.0, 'minutes_left': 0.05}
    """
    left = len(list_open(state))
    timed = [event.seconds for event in state.standing if event.seconds][-_PACE_WINDOW:]
    pace = median(timed) if timed else None
    return {
        "total": len(state.items),
        "done": len(state.items) - left,
        "left": left,
        "per_minute": None if pace is None else 60 / pace,
        "minutes_left": None if pace is None else left * pace / 60,
    }
