"""What people are asked: a task holds the question, the items with their files, and the answers it takes.

A labeller in Jupyter and a page without a server are given the same task, and show it alike.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

import visclust
from visclust.annotation.answer_files import SKIP
from visclust.annotation.constructs import EMOTIONS, FEATURES
from visclust.annotation.features import check_features, read_feature_answer, write_feature_answer
from visclust.annotation.identity import clean_name, find_answer_file, is_same_person
from visclust.annotation.judgements import PAIR_ANSWERS
from visclust.annotation.ratings import check_scale, order_items, read_rating_answer, write_rating_answer
from visclust.base.checks import check_whole_number
from visclust.base.provenance import digest_text
from visclust.base.tables import check_used
from visclust.images.index import locate_images

PAIR_QUESTION = "Do these two images belong together?"
FEATURE_QUESTION = "Which of these does the image show?"
RATING_QUESTION = "How much does this image make you feel …"
RATING_ENDS = ("not at all", "very much")

_CHOICES = (
    {"value": "same", "label": "Same", "keys": ["S", "ArrowLeft"]},
    {"value": "different", "label": "Different", "keys": ["D", "ArrowRight"]},
    {"value": "unsure", "label": "Unsure", "keys": ["U", "ArrowDown"]},
    {"value": "skip", "label": "Skip", "keys": ["K"]},
)
_FEATURE_KEYS = "1234567890-="


class Task(NamedTuple):
    """What is asked about each of some items, whoever is asked.

    `items` gives the ids of the images of each item, from left to right, in the order in which the items are
    shown; `files` the file of each image. `accepts` tells whether a text is an answer. `controls` is what a
    view draws for this kind of task only. `asked` tells this task from others of its kind: a page that is
    made again for the same person and the same `asked` goes on where the first one stopped.
    """

    kind: str  # "pairs", "features" or "ratings"
    question: str
    construct: str
    items: dict[str, tuple[str, ...]]
    files: dict[str, str]
    accepts: Callable[[str], bool]
    controls: dict[str, Any]
    asked: list[Any]

    @property
    def marks(self) -> list[str]:
        """What tells files and keys of this kind from those of pairs, which came first and have no mark."""
        return [] if self.kind == "pairs" else [self.kind]

    def describe_item(self, item_id: str) -> dict[str, str]:
        """Name the two images of an item as they are shown, for the row of its answer.

        Empty for a single image, which is named by the item, and for an item of another list.
        """
        images = self.items.get(item_id, ())
        return dict(zip(("left", "right"), images, strict=True)) if len(images) == 2 else {}

    def describe_view(
        self, *, annotator: str, save_to: str | os.PathLike, prefetch: int = 4, max_unsaved: int = 0
    ) -> dict[str, Any]:
        """Describe to a view what it draws, as JSON can hold it: nothing about the images, and no path.

        Of the study's folder only a digest reaches the browser, which tells studies apart by it, and what one
        person does in two views of one study.
        """
        if not isinstance(self.question, str) or not self.question.strip():
            raise ValueError(f"Expected the question that annotators answer as text, got {self.question!r}.")
        if not isinstance(self.construct, str):
            raise ValueError(f"Expected the construct as text (empty for none), got {self.construct!r}.")
        check_whole_number("prefetch", prefetch, least=0)
        check_whole_number("max_unsaved", max_unsaved, least=0)
        study = str(find_answer_file(save_to, annotator).absolute())
        shared = {
            "annotator": clean_name(annotator),
            "person": "Annotator",
            "question": self.question,
            "construct": self.construct,
            "downloads": [{"format": "jsonl", "label": "Download answers"}],
            "note": True,
            "unit": "images",
            "n_images": 1,
            "prefetch": int(prefetch),
            "max_unsaved": int(max_unsaved),
            "revisit_skipped": False,
            "autofocus": False,
            "widget_version": f"{self.kind} {visclust.__version__}",
            "storage_key": digest_text(" ".join([study, *self.marks])),
        }
        return shared | self.controls


def pair_task(
    pairs: pd.DataFrame,
    images: pd.DataFrame,
    *,
    question: str = PAIR_QUESTION,
    construct: str = "",
    images_folder: str | os.PathLike | None = None,
) -> Task:
    """Ask whether the two images of each pair belong together, blind to strata and probabilities."""
    check_used(pairs, "pairs", ["pair_id", "image_a", "image_b"])
    if pairs.empty:
        raise ValueError("Expected at least one pair to label, got an empty pairs table. Draw some first.")
    sides = zip(pairs["image_a"], pairs["image_b"], strict=True)
    items = dict(zip(pairs["pair_id"], sides, strict=True))
    shown = pd.unique(pd.concat([pairs["image_a"], pairs["image_b"]]))
    choices = [dict(choice) for choice in _CHOICES]
    return Task(
        kind="pairs",
        question=question,
        construct=construct,
        items=items,
        files=locate_images(images, shown, folder=images_folder),
        accepts=PAIR_ANSWERS.__contains__,
        controls={"controls": "choices", "choices": choices, "n_images": 2, "unit": "labels"},
        asked=[items],
    )


def feature_task(
    images: pd.DataFrame,
    features: Sequence[str] = FEATURES,
    *,
    question: str = FEATURE_QUESTION,
    construct: str = "",
    images_folder: str | os.PathLike | None = None,
) -> Task:
    """Ask which features each usable image shows; the first twelve features have a key.

    An answer says what was asked, so that one about another list of features, or this one in another order,
    is none of this task.
    """
    names = check_features(features)
    keys = _FEATURE_KEYS.ljust(len(names))  # those without a key are toggled by click or with Tab and space
    toggles = [{"name": name, "key": key.strip()} for name, key in zip(names, keys, strict=False)]
    files = locate_images(images, folder=images_folder)
    return Task(
        kind="features",
        question=question,
        construct=construct,
        items={image: (image,) for image in files},
        files=files,
        accepts=lambda said: _is_feature_answer(said, names),
        controls={"controls": "toggles", "toggles": toggles},
        asked=[list(names), list(files)],
    )


def rating_task(
    assignment: pd.DataFrame,
    images: pd.DataFrame,
    *,
    respondent: str,
    items: Mapping[str, Sequence[str]] | Sequence[str] = EMOTIONS,
    scale: Sequence[int] = (1, 10),
    question: str = RATING_QUESTION,
    construct: str = "",
    ends: Sequence[str] = RATING_ENDS,
    allow_skip: bool = False,
    seed: int = 0,
    images_folder: str | os.PathLike | None = None,
) -> Task:
    """Ask a respondent to rate every item on each assigned image, the items in the respondent's own order.

    The view is told of no dimension, group or cluster.
    """
    respondent = find_respondent(assignment, respondent)  # the order of the items is that of this spelling
    shown = list(order_items(items, respondent=respondent, seed=seed))
    if isinstance(ends, str) or len(ends) != 2 or not all(isinstance(end, str) for end in ends):
        raise ValueError(f"Expected what the two ends of the scale mean, as two texts, got {ends!r}.")
    numbers = list(check_scale(scale))
    files = locate_images(images, list_assigned_images(assignment, respondent), folder=images_folder)
    return Task(
        kind="ratings",
        question=question,
        construct=construct,
        items={image: (image,) for image in files},
        files=files,
        accepts=lambda said: _is_rating_answer(said, shown, numbers),
        controls={
            "person": "Respondent",
            "controls": "ratings",
            "items": shown,
            "scale": numbers,
            "ends": list(ends),
            "allow_skip": bool(allow_skip),
            "note": False,
        },
        asked=[shown, numbers, list(files)],
    )


def find_respondent(assignment: pd.DataFrame, respondent: str) -> str:
    """Give a respondent's name as the assignment writes it."""
    check_used(assignment, "assignment", ["respondent", "position", "image_id"])
    name = clean_name(respondent)
    for known in assignment["respondent"].unique():
        if is_same_person(known, name):
            return str(known)
    raise ValueError(
        f"Expected one of the {assignment['respondent'].nunique()} respondents of the assignment table, "
        f"got {respondent!r}. Case, spaces and the way of typing accents do not count."
    )


def list_assigned_images(assignment: pd.DataFrame, respondent: str) -> list[str]:
    """List the images that a respondent rates, in the order in which the respondent sees them."""
    name = find_respondent(assignment, respondent)
    own = assignment[assignment["respondent"].map(lambda one: is_same_person(one, name))]
    if own["respondent"].nunique() > 1:
        raise ValueError(
            f"Expected respondents whose names differ by more than case, spaces and accents typed in "
            f"two ways, got {' and '.join(map(repr, own['respondent'].unique()))}. Rename one."
        )
    return own.sort_values("position", kind="stable")["image_id"].tolist()


def _is_feature_answer(said: str, features: Sequence[str]) -> bool:
    """Tell whether a text is an answer about just these features, spelt as a view spells it, or a skip."""
    if said == SKIP:
        return True
    try:
        marks = read_feature_answer(said)
    except ValueError:
        return False
    return said == write_feature_answer(
        features, [name for name in marks if marks[name] and name in features]
    )


def _is_rating_answer(said: str, items: Sequence[str], scale: Sequence[int]) -> bool:
    """Tell whether a text holds ratings of just these items on this scale, spelt as by a view, or a skip."""
    if said == SKIP:
        return True
    try:
        return said == write_rating_answer(read_rating_answer(said, items=items, scale=scale), scale)
    except ValueError:
        return False
