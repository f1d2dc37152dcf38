"""Small tables of posts for the tests of exploration, and posts whose use of a frame has a known slope."""

import numpy as np
import pandas as pd
from scipy.special import expit


def make_posts(texts, authors=None, days=None):
    """Give a posts table with these texts; posts are called p0, p1, …"""
    """Give a posts table with these texts; posts are called p0, p1, …"""
    number = len(texts)
    return pd.DataFrame(
        {
            "post_id": [f"p{i}" for i in range(number)],
            "author": authors or [f"author {i}" for i in range(number)],
            "posted_at": pd.to_datetime(days or ["2018-06-30"] * number, utc=True),
            "text": texts,
        }
    )


def make_links(image_ids):
    """Link post p0 to the first image, p1 to the second, and so on."""
    """Link post p0 to the first image, p1 to the second, and so on."""
    return pd.DataFrame({"post_id": [f"p{i}" for i in range(len(image_ids))], "image_id": image_ids})


def simulate_frame_use(n_users, *, slope=0.5, repeat=0.6, mean_posts=8, seed=0, intercept=-1.0):
    """Posts whose use of a frame is exactly logistic in ideology, though users repeat themselves.

    With probability `repeat` a post does what its user always does; that habit and every other post are drawn
    with the same probability, so that the regression over posts has the slope given.
    """
    rng = np.random.default_rng(seed)
    score = rng.normal(size=n_users)
    number = 1 + rng.poisson(mean_posts - 1, n_users)
    user = np.repeat(np.arange(n_users), number)
    probability = expit(intercept + slope * score)
    habit = (rng.random(n_users) < probability)[user]
    fresh = rng.random(len(user)) < probability[user]
    uses = np.where(rng.random(len(user)) < repeat, habit, fresh)
    names = np.array([f"user {i}" for i in range(n_users)])
    posts = pd.DataFrame(
        {"post_id": np.arange(len(user)).astype(str), "author": names[user], "frame a": uses}
    )
    return posts, pd.DataFrame({"author": names, "ideology": score})
