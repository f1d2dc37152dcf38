"""Ratings of groups that use the items of two dimensions differently: lavaan was run on the same."""

import numpy as np
import pandas as pd

DIMENSIONS = {"joy": ["hopeful", "keen", "proud"], "anger": ["angry", "bitter", "hateful", "resentful"]}
ITEMS = [item for items in DIMENSIONS.values() for item in items]
FACTORS = [0, 0, 0, 1, 1, 1, 1]


def make_apart_ratings(*, groups="ab", people=40, images=4):
    """Give ratings of eight images, of which each person rated some.

    Group b has half a point more of joy, and rates proud 0.9 points lower at the same joy. Group c rates
    hateful by its own 1.6 instead of 0.7 points for a point of anger.
    """
    rng = np.random.default_rng(15)
    loadings = np.array([1.0, 0.9, 0.8, 1.0, 0.9, 0.7, 0.8])
    means = np.array([5.0, 5.5, 5.0, 4.5, 5.0, 4.5, 5.0])
    moods, rows = rng.normal(size=(8, 2)) * 0.6, []
    for group in groups:
        for number in range(people):
            person = rng.normal(size=2) * 0.8
            for image in rng.choice(8, images, replace=False):
                felt = moods[image] + person + rng.normal(size=2)
                felt[1] -= 0.3 * felt[0]
                felt[0] += 0.5 * (group == "b")
                rated = means + loadings * felt[FACTORS] + rng.normal(size=7) * 0.9
                rated[2] -= 0.9 * (group == "b")
                rated[5] += 0.9 * felt[1] * (group == "c")
                scores = np.clip(np.rint(rated), 1, 10)
                who = (f"{group}{number:02d}", group, f"i{image}")
                rows += [(*who, item, score, True) for item, score in zip(ITEMS, scores, strict=True)]
    columns = ["respondent", "group", "image_id", "item", "rating", "simulated"]
    return pd.DataFrame(rows, columns=columns)
