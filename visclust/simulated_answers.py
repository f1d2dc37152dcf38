"""Answers made up from known groups, for runs without people: always marked, never mixed with a person's."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

__all__ = ["check_simulated_names", "make_simulated_rows", "refuse_mixture", "simulate_answers"]

_PREFIX = "simulated"
# A placeholder: nobody answered at any time, but the answer files ask for one.
_NO_TIME = "1970-01-01T00:00:00.000Z"


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
    if not 0 <= error_rate <= 1:
        raise ValueError(f"Expected an error_rate between 0 and 1, got {error_rate!r}.")
    check_simulated_names(annotators)
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
            make_simulated_rows(name, pairs["pair_id"], said, left=pairs["image_a"], right=pairs["image_b"])
        )
    return pd.concat(parts, ignore_index=True)


def check_simulated_names(annotators: Sequence[str]) -> None:
    """Check the names of made-up annotators.

    Parameters
    ----------
    annotators : sequence of str
        The names.

    Raises
    ------
    ValueError
        If two are the same, or one does not start with "simulated".

    Examples
    --------
    >>> check_simulated_names(["Ana"])
    Traceback (most recent call last):
    ValueError: Expected names that start with 'simulated', so that nobody takes them for people, got ['Ana'].
    """
    if isinstance(annotators, str) or len(set(annotators)) < max(1, len(annotators)):
        raise ValueError(f"Expected a list of different annotators' names, got {annotators!r}.")
    wrong = [name for name in annotators if not name.startswith(_PREFIX)]
    if wrong:
        raise ValueError(
            f"Expected names that start with {_PREFIX!r}, so that nobody takes them for people, got {wrong}."
        )


def make_simulated_rows(
    annotator: str,
    items: pd.Series,
    said: Sequence[str] | np.ndarray,
    *,
    left: pd.Series | None = None,
    right: pd.Series | None = None,
) -> pd.DataFrame:
    """Make one made-up annotator's rows of an answers table.

    Parameters
    ----------
    annotator : str
        The name.
    items : Series, n
        Ids of the items.
    said : sequence of n str
        The answer to each.
    left, right : Series, n, optional
        Image ids as shown, for pairs.

    Returns
    -------
    DataFrame, n rows
        Marked as simulated, without a time taken, and at a placeholder for the time.

    Examples
    --------
    >>> make_simulated_rows("simulated-1", pd.Series(["x"]), ["same"])[["item_id", "answer", "simulated"]]
      item_id answer  simulated
    0       x   same       True
    """
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


def refuse_mixture(answers: pd.DataFrame) -> bool:
    """Raise an error where simulated answers stand among people's.

    Parameters
    ----------
    answers : DataFrame
        An answers table. A row is simulated if its column ``simulated`` says so, or if its annotator's
        name starts with "simulated".

    Returns
    -------
    bool
        Whether the answers are simulated, all of them.

    Raises
    ------
    ValueError
        If some are and some are not.

    Examples
    --------
    >>> refuse_mixture(pd.DataFrame({"annotator": ["simulated-1", "simulated-2"]}))
    True
    """
    simulated = answers["annotator"].astype(str).str.startswith(_PREFIX)
    if "simulated" in answers.columns:
        simulated = simulated | answers["simulated"].isin([True])
    if simulated.nunique() > 1:
        people = answers.loc[~simulated, "annotator"].iloc[0]
        made_up = answers.loc[simulated, "annotator"].iloc[0]
        raise ValueError(
            f"Expected either people's answers or simulated ones, got both ({people!r} and {made_up!r}): "
            f"numbers from a mixture would pass for people's. Keep only one kind."
        )
    return bool(simulated.any())
