"""What the view of features to switch is told, and which answers it can give."""

import os
from collections.abc import Sequence
from typing import Any

from visclust.annotation.answer_files import SKIP
from visclust.annotation.constructs import FEATURES
from visclust.annotation.features import check_features, read_feature_answer, write_feature_answer
from visclust.widgets.view_settings import describe_view

__all__ = ["FEATURE_QUESTION", "describe_feature_view", "is_feature_answer"]

FEATURE_QUESTION = "Which of these does the image show?"

_KEYS = "1234567890-="


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
    """Describe to a view the features to toggle.

    Parameters
    ----------
    features : sequence of str
        Names; the first twelve have a key.
    annotator, save_to, question, construct, prefetch, max_unsaved
        As for `visclust.widgets.view_settings.describe_view`.

    Returns
    -------
    dict
        Settings that JSON can hold.

    Raises
    ------
    ValueError
        If the features, a text or a number is not usable.

    Examples
    --------
    >>> describe_feature_view(["anger", "men"], annotator="ana", save_to="answers")["toggles"]
    [{'name': 'anger', 'key': '1'}, {'name': 'men', 'key': '2'}]
    """
    names = check_features(features)
    keys = _KEYS.ljust(len(names))  # those without a key are toggled by click or with Tab and space
    shared = describe_view(
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
    """Tell whether a text is an answer about just these features, or a skip.

    Parameters
    ----------
    said : str
        What a browser sent, or a file holds.
    features : sequence of str
        The features asked about.

    Returns
    -------
    bool
        False also for the same answer spelt otherwise.

    Examples
    --------
    >>> is_feature_answer('{"asked":["men"],"present":[]}', ["men"]), is_feature_answer("same", ["men"])
    (True, False)
    """
    if said == SKIP:
        return True
    try:
        marks = read_feature_answer(said)
    except ValueError:
        return False
    return said == write_feature_answer(
        features, [name for name in marks if marks[name] and name in features]
    )
