import numpy as np

from visclust.base.backend import to_host
from visclust.clustering.workspace import (
    measure_squares,
    narrow_workspace,
    open_workspace,
    recall,
    sum_distances,
)


def test_distances_held_and_distances_recomputed_agree(xp, blobs):
    x, _ = blobs([300, 20, 3], spread=0.7)
    remaining = np.flatnonzero(np.arange(323) % 5 != 0)
    codes = np.arange(len(remaining)) % 4
    held = open_workspace(xp(x), memory_budget=2**30)
    blocks = open_workspace(xp(x), memory_budget=10_000)
    assert blocks.distances is None
    np.testing.assert_allclose(
        to_host(sum_distances(held, remaining, codes, n_clusters=4)),
        to_host(sum_distances(blocks, remaining, codes, n_clusters=4)),
        rtol=1e-6,  # float32 sums of at most 512 distances, in another order
    )


def test_some_of_the_rows_keep_their_distances():
    workspace = open_workspace(np.array([[0.0], [3.0], [9.0]]))
    assert narrow_workspace(workspace, np.array([0, 2])).distances.tolist() == [[0, 9], [9, 0]]
    blocks = open_workspace(np.array([[0.0], [3.0], [9.0]]), memory_budget=1)
    assert blocks.distances is None
    assert narrow_workspace(blocks, np.array([0, 2])).distances.tolist() == [[0, 9], [9, 0]]


def test_squared_distances_are_given_where_distances_are_held():
    x = np.array([[0.0], [3.0], [9.0]])
    measure = measure_squares(open_workspace(x), np.array([0, 2]))
    assert measure(np.array([1])).tolist() == [[81, 0]]
    assert measure_squares(open_workspace(x, memory_budget=1), np.array([0, 2])) is None


def test_a_result_is_made_once_per_key():
    workspace = open_workspace(np.zeros((2, 1)))
    calls = []
    for _ in range(2):
        recall(workspace, "key", lambda: calls.append(1))
    assert calls == [1]
