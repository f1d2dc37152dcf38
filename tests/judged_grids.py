"""Clusterings of 400 images in known groups, and pairs of them as people would judge them."""

import numpy as np
import pandas as pd

N_IMAGES = 400


def make_clusters(labels):
    return pd.DataFrame(
        {
            "image_id": [f"i{i:03d}" for i in range(len(labels))],
            "cluster": labels,
            "iteration": 0,
            "silhouette": 0.5,
        }
    )


def make_gold(groups, n_pairs=200, *, disjoint=True, seed=0):
    """Judged pairs, half within groups; disjoint ones use each image once."""
    rng = np.random.default_rng(seed)
    if disjoint:
        shuffled_within_groups = np.lexsort((rng.random(len(groups)), groups))
        couples = rng.permutation(shuffled_within_groups.reshape(-1, 2))  # groups of even size: both of one
        others = rng.permutation(couples[n_pairs // 2 :].ravel()).reshape(-1, 2)
        rows = np.concatenate([couples[: n_pairs // 2], others])[:n_pairs]
    else:
        rows = np.array([rng.choice(len(groups), 2, replace=False) for _ in range(n_pairs)])
    return pd.DataFrame(
        {
            "pair_id": [f"p{i}" for i in range(len(rows))],
            "image_a": [f"i{a:03d}" for a in rows[:, 0]],
            "image_b": [f"i{b:03d}" for b in rows[:, 1]],
            "same": groups[rows[:, 0]] == groups[rows[:, 1]],
        }
    )


GROUPS = np.repeat(np.arange(20), 20)


def make_grid(error_rates, seed=1):
    """Clusterings that are the groups, but for a share of images put anywhere."""
    rng = np.random.default_rng(seed)
    return {
        f"error {rate}": make_clusters(
            np.where(rng.random(N_IMAGES) < rate, rng.integers(20, size=N_IMAGES), GROUPS)
        )
        for rate in error_rates
    }


GRID = make_grid([0.5, 0.1, 0.3])


GOLD = make_gold(GROUPS)


def make_seeds(error_rate, seeds=5, *, spread=0.0, seed=1):
    """Clusterings of one configuration, by seed: the groups, but for a share of images that varies."""
    rng = np.random.default_rng(seed)
    rates = np.clip(error_rate + spread * rng.normal(size=seeds), 0, 1)
    return {
        number: make_clusters(np.where(rng.random(N_IMAGES) < rate, rng.integers(20, size=N_IMAGES), GROUPS))
        for number, rate in enumerate(rates)
    }
