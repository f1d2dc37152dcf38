"""What respondents rate on which scale, the order in which they see it, and one image's ratings as text."""

import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np

from visclust.answer_rows import clean_name

__all__ = ["check_scale", "list_items", "order_items", "read_rating_answer", "write_rating_answer"]


def list_items(items: Mapping[str, Sequence[str]] | Sequence[str]) -> tuple[str, ...]:
    """List the items to rate, whether or not they are sorted by dimension.

    Parameters
    ----------
    items : mapping of str to sequence of str, or sequence of str
        Items by the dimension that they measure, such as `EMOTIONS`, or a plain list of them.

    Returns
    -------
    tuple of str
        The items.

    Raises
    ------
    ValueError
        If there is none, one is empty or has spaces at its ends, or one comes twice.

    Examples
    --------
    >>> list_items({"enthusiasm": ["hopeful", "proud"], "anxiety": ["afraid"]})
    ('hopeful', 'proud', 'afraid')
    """
    parts = [items] if not isinstance(items, Mapping) else list(items.values())
    if any(isinstance(part, str) for part in parts) or not (names := [one for part in parts for one in part]):
        raise ValueError(
            f"Expected items as a list of names, or as lists of names by dimension, got {items!r}."
        )
    for name in names:
        if not isinstance(name, str) or not name.isprintable() or not name or name != " ".join(name.split()):
            raise ValueError(
                f"Expected each item's name as text on one line without spaces at its ends, got {name!r}."
            )
    if len({name.casefold() for name in names}) < len(names):
        raise ValueError(f"Expected each item once, got {', '.join(names)}. Drop or rename the copies.")
    return tuple(names)


def check_scale(scale: Sequence[int]) -> tuple[int, int]:
    """Check a scale of whole numbers.

    Parameters
    ----------
    scale : sequence of two int
        Its lowest and its highest number.

    Returns
    -------
    tuple of two int
        The same.

    Raises
    ------
    ValueError
        If it is not two whole numbers, the lower one first, with 2 to 101 steps from end to end.

    Examples
    --------
    >>> check_scale([1, 10])
    (1, 10)
    """
    ends = list(scale) if isinstance(scale, Sequence) and not isinstance(scale, str) else []
    whole = all(isinstance(end, int | np.integer) and not isinstance(end, bool) for end in ends)
    if len(ends) != 2 or not whole or not 1 <= ends[1] - ends[0] <= 100:
        raise ValueError(
            f"Expected a scale as its lowest and highest whole number, such as (1, 10) and at most 100 "
            f"apart, got {scale!r}."
        )
    return int(ends[0]), int(ends[1])


def order_items(
    items: Mapping[str, Sequence[str]] | Sequence[str], *, respondent: str, seed: int = 0
) -> tuple[str, ...]:
    """Shuffle the items for one respondent, who sees them in this order with every image.

    The order differs between respondents, so that no item profits from its place, and stays the same from
    image to image, so that nobody has to search for an item.

    Parameters
    ----------
    items : mapping of str to sequence of str, or sequence of str
        The items, by dimension or not.
    respondent : str
        Who will see them.
    seed : int, default 0
        Seed of the study. The same seed, respondent and items give the same order everywhere.

    Returns
    -------
    tuple of str
        The items in this respondent's order.

    Raises
    ------
    ValueError
        If the items or the respondent's name are not usable.

    Examples
    --------
    >>> order_items(["proud", "angry", "afraid"], respondent="r1", seed=0)
    ('proud', 'angry', 'afraid')
    """
    names = list_items(items)
    digest = hashlib.sha256(json.dumps([seed, clean_name(respondent)]).encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8]))
    return tuple(names[at] for at in rng.permutation(len(names)))


def write_rating_answer(ratings: Mapping[str, int | None], scale: Sequence[int]) -> str:
    """Write the ratings of one image as text.

    Parameters
    ----------
    ratings : mapping of str to int or None
        Rating of each item, in the order in which the items were shown; None for "can't say".
    scale : sequence of two int
        Lowest and highest number of the scale.

    Returns
    -------
    str
        JSON without spaces.

    Examples
    --------
    >>> write_rating_answer({"proud": 7, "angry": None}, (1, 10))
    '{"scale":[1,10],"ratings":[["proud",7],["angry",null]]}'
    """
    answer = {"scale": list(scale), "ratings": [[name, value] for name, value in ratings.items()]}
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def read_rating_answer(
    answer: str, *, items: Mapping[str, Sequence[str]] | Sequence[str], scale: Sequence[int] = (1, 10)
) -> dict[str, int | None]:
    """Read the ratings of one image, and check them.

    Parameters
    ----------
    answer : str
        Text as `write_rating_answer` writes it.
    items : mapping of str to sequence of str, or sequence of str
        The items that were asked about.
    scale : sequence of two int, default (1, 10)
        The scale that was shown.

    Returns
    -------
    dict of str to int or None
        Rating of each item, in the order in which the items were shown; None for "can't say".

    Raises
    ------
    ValueError
        If the text is something else, is about other items or another scale, or a rating is off the scale.

    Examples
    --------
    >>> read_rating_answer('{"scale":[1,10],"ratings":[["angry",null],["proud",7]]}',
    ...                    items=["proud", "angry"])
    {'angry': None, 'proud': 7}
    """
    wanted, (low, high) = list_items(items), check_scale(scale)
    try:
        said = json.loads(answer)
        shown = said["scale"]
        names = [str(name) for name, _ in said["ratings"]]
        ratings = dict(said["ratings"])
    except (ValueError, TypeError, KeyError):
        raise ValueError(
            f'Expected ratings, such as {{"scale":[1,10],"ratings":[["proud",7]]}}, got {answer!r}. '
            "Read the files of ratings only."
        ) from None
    if sorted(names) != sorted(wanted) or shown != [low, high]:
        raise ValueError(
            f"Expected ratings of {', '.join(wanted)} from {low} to {high}, got ratings of "
            f"{', '.join(names)} on the scale {shown}. Give the items and the scale that were shown."
        )
    for name, value in ratings.items():
        if value is not None and (type(value) is not int or not low <= value <= high):
            raise ValueError(
                f"Expected a whole number from {low} to {high}, or null, for {name!r}, got {value!r}."
            )
    return ratings
