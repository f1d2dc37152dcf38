"""Features labelled by made-up annotators, for runs without people: marked like all simulated answers."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from visclust.constructs import FEATURES
from visclust.feature_answers import check_features, write_feature_answer
from visclust.simulated_answers import check_simulated_names, make_simulated_rows

__all__ = ["simulate_features"]


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
    features : sequence of str, default `visclust.constructs.FEATURES`
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
    if not 0 <= error_rate <= 1:
        raise ValueError(f"Expected an error_rate between 0 and 1, got {error_rate!r}.")
    check_simulated_names(annotators)
    names = list(check_features(features))
    lacking = [name for name in ["image_id", *names] if name not in truth.columns]
    if lacking:
        raise ValueError(
            f"Expected image_id and a column for each feature in `truth`, got none for {', '.join(lacking)}."
        )
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
        parts.append(make_simulated_rows(annotator, ids, texts))
    return pd.concat(parts, ignore_index=True)
