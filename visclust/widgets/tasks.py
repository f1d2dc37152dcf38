"""What every labelling view is told: who answers, the texts, how far ahead to fetch. No path among it."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

import visclust
from visclust.annotation.answer_files import SKIP, clean_name, name_answer_file
from visclust.annotation.constructs import EMOTIONS, FEATURES
from visclust.annotation.features import check_features, read_feature_answer, write_feature_answer
from visclust.annotation.ratings import check_scale, order_items, read_rating_answer, write_rating_answer
from visclust.base.checks import check_whole_number
from visclust.base.provenance import digest_text
from visclust.base.tables import check_table
from visclust.images.index import locate_images

PAIR_QUESTION = "Do these two images belong together?"
PAIR_ANSWERS = ("same", "different", "unsure", "skip")

_CHOICES = (
    {"value": "same", "label": "Same", "keys": ["S", "ArrowLeft"]},
    {"value": "different", "label": "Different", "keys": ["D", "ArrowRight"]},
    {"value": "unsure", "label": "Unsure", "keys": ["U", "ArrowDown"]},
    {"value": "skip", "label": "Skip", "keys": ["K"]},
)


class PairItems(NamedTuple):
    """The image ids of each pair, left and right, and the file of each image."""

    sides: dict[str, tuple[str, str]]
    files: dict[str, str]


FEATURE_QUESTION = "Which of these does the image show?"

_KEYS = "1234567890-="

RATING_QUESTION = "How much does this image make you feel …"
RATING_ENDS = ("not at all", "very much")


def _describe_view(
    kind: str,
    *,
    annotator: str,
    save_to: str | os.PathLike,
    question: str,
    construct: str,
    prefetch: int,
    max_unsaved: int = 0,
) -> dict[str, Any]:
    """Describe what all labelling views share."""
    if not isinstance(question, str) or not question.strip():
        raise ValueError(f"Expected the question that annotators answer as text, got {question!r}.")
    if not isinstance(construct, str):
        raise ValueError(f"Expected the construct as text (empty for none), got {construct!r}.")
    check_whole_number("prefetch", prefetch, least=0)
    check_whole_number("max_unsaved", max_unsaved, least=0)
    study = str(name_answer_file(save_to, annotator).absolute())
    return {
        "annotator": clean_name(annotator),
        "person": "Annotator",
        "question": question,
        "construct": construct,
        "downloads": [{"format": "jsonl", "label": "Download answers"}],
        "note": True,
        "unit": "labels",
        "prefetch": int(prefetch),
        "max_unsaved": int(max_unsaved),
        "revisit_skipped": False,
        "autofocus": False,
        "widget_version": f"{kind} {getattr(visclust, '__version__', '0.1.0')}",
        "storage_key": digest_text(study if kind == "pairs" else f"{study} {kind}"),
    }


def find_pair_files(
    pairs: pd.DataFrame, images: pd.DataFrame, *, folder: str | os.PathLike | None = None
) -> PairItems:
    """Find the image files of every pair."""
    check_table(pairs, "pairs")
    if pairs.empty:
        raise ValueError("Expected at least one pair to label, got an empty pairs table. Draw some first.")
    wanted = pd.unique(pd.concat([pairs["image_a"], pairs["image_b"]]))
    files = locate_images(images, wanted, folder=folder)
    sides = zip(pairs["image_a"], pairs["image_b"], strict=True)
    return PairItems(dict(zip(pairs["pair_id"], sides, strict=True)), files)


def describe_pair_view(
    *,
    annotator: str,
    save_to: str | os.PathLike,
    question: str,
    construct: str,
    prefetch: int,
    max_unsaved: int = 0,
) -> dict[str, Any]:
    """Describe to a view what it draws: nothing about the images, and no path."""
    shared = _describe_view(
        "pairs",
        annotator=annotator,
        save_to=save_to,
        question=question,
        construct=construct,
        prefetch=prefetch,
        max_unsaved=max_unsaved,
    )
    choices = [dict(choice) for choice in _CHOICES]
    return shared | {"controls": "choices", "choices": choices, "n_images": 2}


def name_sides(items: PairItems, pair_id: str) -> Mapping[str, str]:
    """Name the images of a pair as they are shown, for the row of its answer."""
    sides = items.sides.get(pair_id)
    return {} if sides is None else {"left": sides[0], "right": sides[1]}


def list_assigned_images(assignment: pd.DataFrame, respondent: str) -> list[str]:
    """List the images that a respondent rates, in the order in which the respondent sees them."""
    check_table(assignment, "assignment")
    name = clean_name(respondent)
    own = assignment[assignment["respondent"].map(clean_name) == name]
    if own.empty:
        raise ValueError(
            f"Expected one of the {assignment['respondent'].nunique()} respondents of the assignment table, "
            f"got {respondent!r}. Names must be written alike, upper case included."
        )
    if own["respondent"].nunique() > 1:
        raise ValueError(
            f"Expected respondents whose names differ by more than spaces, got "
            f"{' and '.join(map(repr, own['respondent'].unique()))}. Rename one."
        )
    return own.sort_values("position", kind="stable")["image_id"].tolist()


def describe_feature_view(
    features: Sequence[str] = FEATURES,
    *,
    annotator: str,
    save_to: str | os.PathLike,
    question: str = FEATURE_QUESTION,
    construct: str = "",
    prefetch: int = 4,
    max_unsaved: int = 0,
) -> dict[str, Any]:
    """Describe to a view the features to toggle."""
    names = check_features(features)
    keys = _KEYS.ljust(len(names))  # those without a key are toggled by click or with Tab and space
    shared = _describe_view(
        "features",
        annotator=annotator,
        save_to=save_to,
        question=question,
        construct=construct,
        prefetch=prefetch,
        max_unsaved=max_unsaved,
    )
    toggles = [{"name": name, "key": key.strip()} for name, key in zip(names, keys, strict=False)]
    return shared | {"controls": "toggles", "toggles": toggles, "n_images": 1, "unit": "images"}


def is_feature_answer(said: str, features: Sequence[str]) -> bool:
    """Tell whether a text is an answer about just these features, or a skip."""
    if said == SKIP:
        return True
    try:
        marks = read_feature_answer(said)
    except ValueError:
        return False
    return said == write_feature_answer(
        features, [name for name in marks if marks[name] and name in features]
    )


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
    """Describe to a view the items to rate, in the respondent's own order."""
    shown = order_items(items, respondent=respondent, seed=seed)
    if isinstance(ends, str) or len(ends) != 2 or not all(isinstance(end, str) for end in ends):
        raise ValueError(f"Expected what the two ends of the scale mean, as two texts, got {ends!r}.")
    shared = _describe_view(
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
    """Tell whether a text holds ratings of just these items on this scale, or is a skip."""
    if said == SKIP:
        return True
    try:
        return said == write_rating_answer(read_rating_answer(said, items=items, scale=scale), scale)
    except ValueError:
        return False
