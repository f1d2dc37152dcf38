"""Bars appear by default in what can take more than some seconds, end full, and can be turned off."""

import re

import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.base import progress

IDS = [f"i{number:03}" for number in range(60)]
X = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
IMAGES = pd.DataFrame({"image_id": IDS, "path": IDS, "status": "ok"})
CLUSTERS = pd.DataFrame({"image_id": IDS, "cluster": np.arange(60) // 6})


def make_ratings():
    rng = np.random.default_rng(0)
    rows = [
        (f"r{r}", "all", f"i{i}", item, mood + rng.normal(), False)
        for r in range(20) for i in range(3) for mood in [rng.normal()] for item in "abcd"
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["respondent", "group", "image_id", "item", "rating", "simulated"])


LONG = {
    "find_consensus": lambda **o: vc.find_consensus({"a": CLUSTERS, "b": CLUSTERS}, **o),
    "find_duplicates": lambda **o: vc.find_duplicates(IMAGES, method="embedding", x=X, threshold=0.5, **o),
    "confirm_factors": lambda **o: vc.confirm_factors(make_ratings(), dimensions={"mood": list("abcd")}, **o),
    "cluster_iteratively": lambda **o: vc.cluster_iteratively(X, stop_size=5, **o),
    "scan_k": lambda **o: vc.scan_k(X, ks=range(2, 6), **o),
}


@pytest.mark.parametrize("name", LONG)
def test_long_work_shows_a_bar_that_ends_full_and_none_where_it_is_turned_off(name, monkeypatch, capsys):
    monkeypatch.setattr(progress, "DELAY", 0)
    LONG[name]()
    shown = capsys.readouterr().err
    assert re.search(r"100%\|", shown), shown
    LONG[name](progress=False)
    assert "%|" not in capsys.readouterr().err


def test_short_work_shows_none(capsys):
    LONG["find_consensus"]()
    assert "%|" not in capsys.readouterr().err
