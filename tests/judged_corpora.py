"""A small corpus whose themes are known: its pairs judged rightly, and the scores that these should give."""

import numpy as np
import pandas as pd

N = 90


def make_corpus(seed=0, n=N):
    """Images of six themes; clusters that are right for four fifths of them."""
    rng = np.random.default_rng(seed)
    theme = rng.integers(6, size=n)
    x = (np.eye(6)[theme] * 2.5 + rng.normal(size=(n, 6))).astype(np.float32)
    cluster = np.where(rng.random(n) < 0.8, theme, rng.integers(-1, 6, n))
    return x, theme, pd.DataFrame({"image_id": [f"i{i:03d}" for i in range(n)], "cluster": cluster})


def judge(pairs, theme, clusters):
    """Answer each pair rightly, as a gold table."""
    of = dict(zip(clusters["image_id"], theme, strict=True))
    same = [of[a] == of[b] for a, b in zip(pairs["image_a"], pairs["image_b"], strict=True)]
    return pairs.assign(same=same)


def find_truth(theme, clusters, kept=None):
    labels = clusters["cluster"].to_numpy()
    i, j = np.triu_indices(len(theme), 1)
    if kept is not None:
        use = kept[i] & kept[j]
        i, j = i[use], j[use]
    joined = (labels[i] == labels[j]) & (labels[i] >= 0)
    same = theme[i] == theme[j]
    both = (joined & same).sum()
    return {
        "precision": both / joined.sum(),
        "recall": both / same.sum(),
        "f1": 2 * both / (joined.sum() + same.sum()),
        "coverage": ((labels[i] >= 0) & (labels[j] >= 0)).mean(),
    }


def get_weighted(scores):
    return scores[scores["weighting"] == "post-stratified"].set_index("measure")
