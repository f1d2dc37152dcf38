import numpy as np
import pandas as pd

from visclust.base.components import connect_pairs


def test_components_do_not_depend_on_how_pairs_come(monkeypatch):
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 500, (400, 2))
    whole = connect_pairs([(pairs[:, 0], pairs[:, 1])], 500)
    monkeypatch.setattr("visclust.base.components._PENDING", 3)
    piecemeal = connect_pairs([(pairs[i : i + 7, 0], pairs[i : i + 7, 1]) for i in range(0, 400, 7)], 500)
    assert pd.Series(whole).groupby(piecemeal).nunique().eq(1).all()
    assert len(np.unique(whole)) == len(np.unique(piecemeal))
