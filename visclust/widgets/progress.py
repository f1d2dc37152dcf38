"""What the annotator sees of the way ahead: the next items, what is left, the pace."""

from statistics import median
from typing import Any

from visclust.widgets.labelling import Labelling, list_open

__all__ = ["describe_progress", "list_upcoming"]

_PACE_WINDOW = 20  # answers; the median over them forgives a coffee break and follows a growing routine


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
