"""What every labelling view is told: who answers, the texts, how far ahead to fetch. No path among it."""

import os
from typing import Any

import visclust
from visclust.annotation.answer_files import clean_name, name_answer_file
from visclust.base.checks import check_whole_number
from visclust.base.provenance import digest_text


def describe_view(
    kind: str,
    *,
    annotator: str,
    save_to: str | os.PathLike,
    question: str,
    construct: str,
    prefetch: int,
    max_unsaved: int = 0,
) -> dict[str, Any]:
    """Describe what all labelling views share.

    Parameters
    ----------
    kind : str
        "pairs", "features" or "ratings": recorded with every answer, and keeps apart in one browser what
        one person does in two views of one study.
    annotator : str
        Who answers.
    save_to : str or path
        Folder of the study; only a digest of it reaches the browser, to tell studies apart there.
    question, construct : str
        Texts above the images.
    prefetch : int
        Items whose images are fetched ahead.
    max_unsaved : int, default 0
        Answers that may be on their way to the disk when the next item shows.

    Returns
    -------
    dict
        Settings that JSON can hold.

    Raises
    ------
    ValueError
        If a text or number is not usable.

    Examples
    --------
    >>> view = describe_view("pairs", annotator=" Ana ", save_to="answers", question="Same?", construct="",
    ...                      prefetch=4)
    >>> view["annotator"], view["max_unsaved"]
    ('Ana', 0)
    """
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
