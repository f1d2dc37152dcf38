"""The answer to "which of these does the image show": text that says what was asked and what was seen."""

import json
from collections.abc import Sequence

__all__ = ["check_features", "read_feature_answer", "write_feature_answer"]

_RESERVED = ("image_id", "simulated")  # the other columns of a labels table


def check_features(features: Sequence[str]) -> tuple[str, ...]:
    """Check a list of features, before anybody is asked about them.

    Parameters
    ----------
    features : sequence of str
        Their names, in the order in which they are shown.

    Returns
    -------
    tuple of str
        The same names.

    Raises
    ------
    ValueError
        If there is none, one is empty or has spaces at its ends, or two are alike but for upper case.

    Examples
    --------
    >>> check_features(["anger", "Anger"])
    Traceback (most recent call last):
    ValueError: Expected each feature once, got 'Anger' again: annotators could not tell them apart. ...
    """
    if isinstance(features, str) or not (names := list(features)):
        raise ValueError(f"Expected a list of features' names, such as ['anger', 'men'], got {features!r}.")
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not name.isprintable() or not name or name != " ".join(name.split()):
            raise ValueError(
                f"Expected each feature's name as text on one line without spaces at its ends, got {name!r}."
            )
        if name in _RESERVED:
            raise ValueError(
                f"Expected a name other than {name!r}, which has another meaning in labels tables. Rename it."
            )
        if name.casefold() in seen:
            raise ValueError(
                f"Expected each feature once, got {name!r} again: annotators could not tell them apart. "
                "Rename or drop one."
            )
        seen.add(name.casefold())
    return tuple(names)


def write_feature_answer(asked: Sequence[str], present: Sequence[str]) -> str:
    """Write the answer to one image as text: the features asked about, and those that are there.

    Parameters
    ----------
    asked : sequence of str
        All features that were asked about, in the order shown: what is among them and not in `present` was
        seen to be absent, what is not among them is unknown.
    present : sequence of str
        Those that the image shows.

    Returns
    -------
    str
        JSON without spaces; the same answer is always the same text.

    Raises
    ------
    ValueError
        If a feature is present that was not asked about.

    Examples
    --------
    >>> write_feature_answer(["anger", "men", "women"], ["women", "anger"])
    '{"asked":["anger","men","women"],"present":["anger","women"]}'
    """
    unknown = [name for name in present if name not in asked]
    if unknown:
        raise ValueError(f"Expected only features that were asked about, got {unknown[0]!r} too.")
    answer = {"asked": list(asked), "present": [name for name in asked if name in present]}
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def read_feature_answer(answer: str) -> dict[str, bool]:
    """Read the answer to one image.

    Parameters
    ----------
    answer : str
        Text as `write_feature_answer` writes it.

    Returns
    -------
    dict of str to bool
        For each feature that was asked about, in the order shown, whether it is there.

    Raises
    ------
    ValueError
        If the text is something else.

    Examples
    --------
    >>> read_feature_answer('{"asked":["anger","men"],"present":["men"]}')
    {'anger': False, 'men': True}
    """
    try:
        said = json.loads(answer)
        asked, present = said["asked"], said["present"]
        right = isinstance(asked, list) and isinstance(present, list) and set(present) <= set(asked)
        check_features(asked)
    except (ValueError, TypeError, KeyError):
        right = False
    if not right:
        raise ValueError(
            f'Expected an answer about features, such as {{"asked":["anger","men"],"present":["men"]}}, '
            f"got {answer!r}. Read the files of feature labelling only."
        )
    return {name: name in present for name in asked}
