"""A small survey for the tests of ratings: clusters, images drawn from them, and who rates which."""

import numpy as np
import pandas as pd


def make_survey(*, n_clusters=12, images=3, people=20, load=6, groups=("Democrat", "Republican"), seed=0):
    """Give (sample, assignment): nobody rates two images of a cluster, loads are equal."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(n_clusters), images)
    weight = np.repeat(np.linspace(1, 8, n_clusters), images)
    sample = pd.DataFrame(
        {
            "image_id": [f"i{number:03d}" for number in range(len(cluster))],
            "cluster": cluster,
            "inclusion_probability": 1 / weight,
            "weight": weight,
        }
    )
    rows = []
    for group in groups:
        for person in range(people):
            # Clusters in turn, and in each the next image: even to one rating.
            for position in range(load):
                turn = person * load + position
                image = turn % n_clusters * images + turn // n_clusters % images
                rows.append((f"{group}-{person:03d}", group, position + 1, f"i{image:03d}"))
    table = pd.DataFrame(rows, columns=["respondent", "group", "position", "image_id"])
    table["cluster"] = table["image_id"].map(sample.set_index("image_id")["cluster"])
    return sample, table.sample(frac=1, random_state=int(rng.integers(1000)), ignore_index=True)
