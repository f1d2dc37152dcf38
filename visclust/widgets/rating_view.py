"""What the view of items to rate is told, and which answers it can give."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from visclust.annotation.answer_files import SKIP
from visclust.annotation.constructs import EMOTIONS
from visclust.annotation.ratings import check_scale, order_items, read_rating_answer, write_rating_answer
from visclust.widgets.view_settings import describe_view

__all__ = ["RATING_ENDS", "RATING_QUESTION", "describe_rating_view", "is_rating_answer"]

RATING_QUESTION = "How much does this image make you feel …"
RATING_ENDS = ("not at all", "very much")


def describe_rating_view(
    items: Mapping[str, Sequence[str]] | Sequence[str] = EMOTIONS,
    scale: Sequence[int] = (1, 10),
    *,
    respondent: str,
    save_to: str | os.PathLike,
    question: str = RATING_QUESTION,
    construct: str = "",
    ends: Sequence[str] = RATING_ENDS,
    allow_skip: bool = False,
    seed: int = 0,
    prefetch: int = 4,
    max_unsaved: int = 0,
) -> dict[str, Any]:
    """Describe to a view the items to rate, in the respondent's own order.

    Parameters
    ----------
    items : mapping of str to sequence of str, or sequence of str
        Items, by dimension or not; the view is told no dimension.
    scale : sequence of two int
        Lowest and highest number.
    respondent : str
        Who rates.
    ends : sequence of two str
        What the lowest and the highest number mean.
    allow_skip : bool, default False
        Whether an image may be left without any rating.
    seed : int, default 0
        Seed of the order.
    save_to, question, construct, prefetch, max_unsaved
        As for `visclust.widgets.view_settings.describe_view`.

    Returns
    -------
    dict
        Settings that JSON can hold.

    Raises
    ------
    ValueError
        If the items, the scale, a text or a number is not usable.

    Examples
    --------
    >>> view = describe_rating_view(["proud", "angry"], respondent="r1", save_to="answers")
    >>> sorted(view["items"]), view["scale"]
    (['angry', 'proud'], [1, 10])
    """
    shown = order_items(items, respondent=respondent, seed=seed)
    if isinstance(ends, str) or len(ends) != 2 or not all(isinstance(end, str) for end in ends):
        raise ValueError(f"Expected what the two ends of the scale mean, as two texts, got {ends!r}.")
    shared = describe_view(
        "ratings",
        annotator=respondent,
        save_to=save_to,
        question=question,
        construct=construct,
        prefetch=prefetch,
        max_unsaved=max_unsaved,
    )
    return shared | {
        "person": "Respondent",
        "controls": "ratings",
        "items": list(shown),
        "scale": list(check_scale(scale)),
        "ends": list(ends),
        "allow_skip": bool(allow_skip),
        "note": False,
        "n_images": 1,
        "unit": "images",
    }


def is_rating_answer(
    said: str, items: Mapping[str, Sequence[str]] | Sequence[str], scale: Sequence[int]
) -> bool:
    """Tell whether a text holds ratings of just these items on this scale, or is a skip.

    Parameters
    ----------
    said : str
        What a browser sent, or a file holds.
    items : mapping of str to sequence of str, or sequence of str
        The items asked about.
    scale : sequence of two int
        The scale shown.

    Returns
    -------
    bool
        False also for the same answer spelt otherwise.

    Examples
    --------
    >>> is_rating_answer('{"scale":[1,7],"ratings":[["proud",7]]}', ["proud"], (1, 7))
    True
    """
    if said == SKIP:
        return True
    try:
        return said == write_rating_answer(read_rating_answer(said, items=items, scale=scale), scale)
    except ValueError:
        return False
