"""Answers of made-up annotators, for runs without people: always marked, never mixed with a person's."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from visclust.annotation.answer_files import SIMULATED
from visclust.annotation.constructs import FEATURES
from visclust.annotation.features import check_features, write_feature_answer
from visclust.base.provenance import recorded
from visclust.base.tables import check_columns

# A placeholder: nobody answered at any time, but the answer files ask for one.
_NO_TIME = "1970-01-01T00:00:00.000Z"


@recorded
def simulate_answers(
    pairs: pd.DataFrame,
    groups: Mapping[str, object] | pd.Series,
    *,
    error_rate: float,
    annotators: Sequence[str] = ("simulated-1", "simulated-2"),
    seed: int = 0,
) -> pd.DataFrame:
    """Simulate annotators who know each image's group and err at a stated rate, each on their own.

    Parameters
    ----------
    pairs : DataFrame, n rows
        A pairs table, blind or not: ``pair_id, image_a, image_b``.
    groups : mapping or Series
        Known group of each image, by image id.
    error_rate : float
        Probability, between 0 and 1, that an answer is the wrong one of "same" and "different".
    annotators : sequence of str, default ("simulated-1", "simulated-2")
        Names; each must start with "simulated".
    seed : int, default 0
        Seed of the errors.

    Returns
    -------
    DataFrame, n rows per annotator
        An answers table with ``simulated`` True throughout. ``seconds`` is missing and ``answered_at`` the
        same placeholder everywhere, since nobody took any time.

    Raises
    ------
    ValueError
        If an image has no group, a name does not start with "simulated", or the rate is not a probability.

    Examples
    --------
    >>> pairs = pd.DataFrame({"pair_id": ["p"], "image_a": ["a"], "image_b": ["b"]})
    >>> simulate_answers(pairs, {"a": "cat", "b": "cat"}, error_rate=0.0)[["annotator", "answer"]]
         annotator answer
    0  simulated-1   same
    1  simulated-2   same
    """
    _check_simulated_names(annotators)
    check_columns(pairs, ("pair_id", "image_a", "image_b"), "the pairs")
    group_of = dict(groups)
    images = pd.concat([pairs["image_a"], pairs["image_b"]])
    unknown = sorted({image for image in images if pd.isna(group_of.get(image))})
    if unknown:
        raise ValueError(
            f"Expected a known group for every image in the pairs; {len(unknown)} have none, such as "
            f"{unknown[0]!r}. Add them to `groups`, or draw pairs from the images that have one."
        )
    same = np.array(
        [group_of[a] == group_of[b] for a, b in zip(pairs["image_a"], pairs["image_b"], strict=True)],
        dtype=bool,
    )
    rng = np.random.default_rng(seed)
    parts = []
    for name in annotators:
        says_same = same ^ (rng.random(len(same)) < error_rate)
        said = np.where(says_same, "same", "different").astype(object)
        parts.append(
            _make_simulated_rows(name, pairs["pair_id"], said, left=pairs["image_a"], right=pairs["image_b"])
        )
    return pd.concat(parts, ignore_index=True)


@recorded
def simulate_features(
    images: pd.DataFrame,
    truth: pd.DataFrame,
    features: Sequence[str] = FEATURES,
    *,
    error_rate: float,
    annotators: Sequence[str] = ("simulated-1", "simulated-2", "simulated-3"),
    seed: int = 0,
) -> pd.DataFrame:
    """Simulate annotators who know which features each image has and err at a stated rate, each on their own.

    Parameters
    ----------
    images : DataFrame, n rows
        The images to label, in order: column ``image_id``. If there is a column ``status``, only its "ok"
        rows are labelled, as `label_features` does.
    truth : DataFrame
        What is there: a labels table with ``image_id`` and a column of 1 and 0 for each feature.
    features : sequence of str, default `visclust.FEATURES`
        The features asked about.
    error_rate : float
        Probability, between 0 and 1, that one feature of one image is switched wrongly.
    annotators : sequence of str, default ("simulated-1", "simulated-2", "simulated-3")
        Names; each must start with "simulated".
    seed : int, default 0
        Seed of the errors.

    Returns
    -------
    DataFrame, n rows per annotator
        An answers table with ``simulated`` True throughout, for `aggregate_labels`.

    Raises
    ------
    ValueError
        If an image has no known value of a feature, a name does not start with "simulated", or the rate is
        not a probability.

    Examples
    --------
    >>> images = pd.DataFrame({"image_id": ["x"]})
    >>> truth = pd.DataFrame({"image_id": ["x"], "men": [1], "women": [0]})
    >>> simulate_features(images, truth, ["men", "women"], error_rate=0.0)["answer"].iloc[0]
    '{"asked":["men","women"],"present":["men"]}'
    """
    _check_simulated_names(annotators)
    names = list(check_features(features))
    check_columns(truth, ["image_id", *names], "`truth`", hint="Add what is known of each feature.")
    check_columns(images, ("image_id",), "the images")
    shown = images[images["status"] == "ok"] if "status" in images.columns else images
    ids = shown["image_id"].drop_duplicates()
    known = truth.drop_duplicates("image_id").set_index("image_id")[names].reindex(ids)
    present = known.to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = ~np.isin(present, (0.0, 1.0))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"Expected 1 or 0 in `truth` for every image and feature, got {present[row, column]} for "
            f"{names[column]!r} of image {ids.iloc[row]!r} ({wrong.sum()} such). Fill them in, or leave "
            "these images out."
        )
    rng = np.random.default_rng(seed)
    parts = []
    for annotator in annotators:
        seen = (present == 1) ^ (rng.random(present.shape) < error_rate)
        texts = [write_feature_answer(names, [names[at] for at in np.flatnonzero(row)]) for row in seen]
        parts.append(_make_simulated_rows(annotator, ids, texts))
    return pd.concat(parts, ignore_index=True)


def _check_simulated_names(annotators: Sequence[str]) -> None:
    """Check the names of made-up annotators: all different, and each starting with "simulated"."""
    if isinstance(annotators, str) or len(set(annotators)) < max(1, len(annotators)):
        raise ValueError(f"Expected a list of different annotators' names, got {annotators!r}.")
    wrong = [name for name in annotators if not name.startswith(SIMULATED)]
    if wrong:
        raise ValueError(
            f"Expected names that start with {SIMULATED!r}, so that nobody takes them for people, "
            f"got {wrong}."
        )


def _make_simulated_rows(
    annotator: str,
    items: pd.Series,
    said: Sequence[str] | np.ndarray,
    *,
    left: pd.Series | None = None,
    right: pd.Series | None = None,
) -> pd.DataFrame:
    """Make one made-up annotator's rows of an answers table: marked, and without any time taken."""
    return pd.DataFrame(
        {
            "item_id": items.to_numpy(dtype=object),
            "annotator": annotator,
            "answer": said,
            "answered_at": _NO_TIME,
            "seconds": np.nan,
            "retracts": None,
            "event_id": [f"{annotator}:{item}" for item in items],
            "left": None if left is None else left.to_numpy(dtype=object),
            "right": None if right is None else right.to_numpy(dtype=object),
            "simulated": True,
        }
    )
