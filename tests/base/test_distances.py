import numpy as np

from visclust.base.distances import choose_block_size, count_threads, measure_block


def test_blocks_respect_the_budget_and_the_cache():
    x = np.zeros((2, 2), dtype="float32")
    assert choose_block_size(x, memory_budget=10**12) == 512
    assert choose_block_size(x, memory_budget=1) == 16
    assert count_threads() >= 1


def test_many_close_pairs_and_few_close_pairs_agree():
    rng = np.random.default_rng(7)
    rows = (rng.normal(size=(64, 8)) * 1e-3 + 5).astype("float32")
    few = np.concatenate([rows[:1], -rows[1:] * np.arange(1, 64)[:, None]]).astype("float32")
    for others in (rows, few):
        norms, other_norms = (rows * rows).sum(1), (others * others).sum(1)
        block = measure_block(rows, others, norms, other_norms, same=False)
        exact = np.sqrt(((rows[:, None].astype("float64") - others) ** 2).sum(2))
        # 2e-5: what the threshold for measuring again leaves of float32's cancellation.
        np.testing.assert_allclose(block, exact, rtol=2e-5, atol=1e-12)
