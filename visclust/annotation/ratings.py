"""Ratings of images: the items and their scale, one image's ratings as text, and the table made of them."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from visclust.annotation.answer_files import SKIP
from visclust.annotation.answers import current_answers, read_answers, refuse_mixture
from visclust.annotation.constructs import EMOTIONS, check_names
from visclust.annotation.identity import clean_name
from visclust.base.cells import fold_identity
from visclust.base.provenance import note_run, recorded
from visclust.base.tables import check_table

_COLUMNS = [
    "respondent", "group", "image_id", "item", "rating", "simulated", "position", "place", "reason",
    "seconds", "answered_at",
]  # fmt: skip


@recorded
def read_rating_answers(
    answers: str | os.PathLike | pd.DataFrame,
    assignment: pd.DataFrame,
    *,
    items: Mapping[str, Sequence[str]] | Sequence[str] = EMOTIONS,
    scale: Sequence[int] = (1, 10),
) -> pd.DataFrame:
    """Read what respondents answered in `rate_images` or its page as a ratings table.

    Parameters
    ----------
    answers : str, path or DataFrame
        The folder of the answers, or what `read_answers` made of it: of each respondent's answers to an
        image, the latest one not taken back counts.
    assignment : DataFrame
        The assignment table that the images were shown by.
    items : mapping of str to sequence of str, or sequence of str, default `visclust.EMOTIONS`
        The items shown.
    scale : sequence of two int, default (1, 10)
        The scale shown.

    Returns
    -------
    DataFrame
        A ratings table with a row for every respondent, assigned image and item, in the order of the
        assignment and of `items`: nobody is dropped. Its columns ``respondent, group, image_id, item,
        rating, simulated`` and further ``position`` (of the image), ``place`` (of the item as shown, from
        1), ``reason`` (why a rating is missing: "cannot say", "skipped" or "not answered"; empty where it is
        there), ``seconds`` (for the whole image) and ``answered_at``.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If an answer is by somebody, or about an image, that the assignment does not have, is not about
        these items on this scale, or if simulated answers stand among people's.

    Examples
    --------
    >>> assignment = pd.DataFrame({"respondent": "r1", "group": "democrat", "position": [1, 2],
    ...                            "image_id": ["x", "y"], "cluster": [0, 1]})
    >>> answers = pd.DataFrame({"item_id": ["x"], "annotator": "r1", "seconds": 9.0, "retracts": None,
    ...     "answer": '{"scale":[1,10],"ratings":[["proud",7]]}', "answered_at": "2026-01-05T10:00:00Z"})
    >>> read_rating_answers(answers, assignment, items=["proud"])[["image_id", "rating", "reason"]]
      image_id  rating        reason
    0        x     7.0
    1        y     NaN  not answered
    """
    names, scale = list_items(items), check_scale(scale)
    check_table(assignment, "assignment")
    table = answers if isinstance(answers, pd.DataFrame) else read_answers(answers)
    note_run(inputs={"answers": table})
    standing = current_answers(table)
    simulated = refuse_mixture(standing)
    said = {
        (fold_identity(row["annotator"]), str(row["item_id"])): row for row in standing.to_dict("records")
    }
    people = {name: fold_identity(name) for name in assignment["respondent"].unique()}
    if len(set(people.values())) < len(people):
        raise ValueError(
            "Expected respondents whose names differ by more than case, spaces and accents typed "
            "in two ways. Rename some."
        )
    assigned = [people[name] for name in assignment["respondent"]]
    _refuse_strangers(said, set(zip(assigned, assignment["image_id"], strict=True)))
    rows = []
    for name, row in zip(assigned, assignment.to_dict("records"), strict=True):
        answer = said.get((name, str(row["image_id"])))
        ratings: dict[str, int | None] = {}
        reason = "not answered" if answer is None else "skipped"
        if answer is not None and answer["answer"] != SKIP:
            ratings = read_rating_answer(str(answer["answer"]), items=names, scale=scale)
            reason = "cannot say"
        places = {item: place for place, item in enumerate(ratings, start=1)}
        shown = {"respondent": row["respondent"], "group": row["group"], "image_id": row["image_id"],
                 "simulated": simulated, "position": row["position"]}  # fmt: skip
        if answer is not None:
            shown |= {"seconds": answer["seconds"], "answered_at": answer["answered_at"]}
        for item in names:
            rating = ratings.get(item)
            why = reason if rating is None else ""
            rows.append(shown | {"item": item, "rating": rating, "place": places.get(item), "reason": why})
    ratings_table = pd.DataFrame(rows, columns=_COLUMNS).astype(
        {"rating": float, "seconds": float, "simulated": bool, "place": "Int64"}
    )
    return check_table(ratings_table, "ratings")


def _refuse_strangers(said: Mapping[tuple[str, str], object], assigned: set[tuple[str, str]]) -> None:
    """Refuse answers that the assignment does not foresee, rather than leave them out."""
    strange = [key for key in said if key not in assigned]
    if not strange:
        return
    name, image = strange[0]
    known = {respondent for respondent, _ in assigned}
    what = f"image {image!r}, which {name!r} was not assigned" if name in known else f"respondent {name!r}"
    raise ValueError(
        f"Expected ratings of the {len(assigned)} images assigned to {len(known)} respondents, got "
        f"{len(strange)} answers that are not among them (first: about {what}). Give the assignment that was "
        "used, or leave these answers out."
    )


def list_items(items: Mapping[str, Sequence[str]] | Sequence[str]) -> tuple[str, ...]:
    """List the items to rate, whether they come by dimension, as `EMOTIONS` does, or as a plain list."""
    parts = [items] if not isinstance(items, Mapping) else list(items.values())
    if any(isinstance(part, str) for part in parts) or not (names := [one for part in parts for one in part]):
        raise ValueError(
            f"Expected items as a list of names, or as lists of names by dimension, got {items!r}."
        )
    return check_names(names, "item")


def check_scale(scale: Sequence[int]) -> tuple[int, int]:
    """Check a scale: its lowest and its highest whole number, at most 100 apart."""
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
    image to image, so that nobody has to search for an item. The same seed, respondent and items give the
    same order everywhere.
    """
    names = list_items(items)
    digest = hashlib.sha256(json.dumps([seed, clean_name(respondent)]).encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8]))
    return tuple(names[at] for at in rng.permutation(len(names)))


def write_rating_answer(ratings: Mapping[str, int | None], scale: Sequence[int]) -> str:
    """Write the ratings of one image, in the order shown, as JSON without spaces; None is "can't say"."""
    answer = {"scale": list(scale), "ratings": [[name, value] for name, value in ratings.items()]}
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def read_rating_answer(
    answer: str, *, items: Mapping[str, Sequence[str]] | Sequence[str], scale: Sequence[int] = (1, 10)
) -> dict[str, int | None]:
    """Read the ratings of one image, in the order shown; other items and another scale are refused."""
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
