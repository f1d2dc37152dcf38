import numpy as np
import pytest

from visclust.images import close_pairs
from visclust.images.close_pairs import (
    Plan,
    _cut_bits,
    _plan_search,
    iterate_close_hashes,
    iterate_close_rows,
    measure_from_row,
    prepare_rows,
)


def list_pairs(blocks):
    return {tuple(sorted(pair)) for i, j in blocks for pair in zip(i.tolist(), j.tolist(), strict=True)}


def compare_all(hashes, threshold):
    close = np.bitwise_count(hashes[:, None] ^ hashes) <= threshold
    return {(int(i), int(j)) for i, j in zip(*np.nonzero(np.triu(close, 1)), strict=True)}


@pytest.fixture
def crowded():
    """Random hashes, each with near copies, in which distances of 1 to 12 bits all occur."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 1500, dtype=np.uint64)
    for bits in range(1, 13):
        rows = rng.integers(0, len(hashes), 100)
        masks = [sum(1 << int(place) for place in rng.choice(64, bits, replace=False)) for _ in rows]
        hashes = np.concatenate([hashes, hashes[rows] ^ np.array(masks, dtype=np.uint64)])
    return np.unique(hashes)


@pytest.mark.parametrize(
    ("threshold", "m"), [(1, 2), (3, 4), (5, 3), (6, 4), (6, 7), (8, 4), (8, 5), (11, 6), (12, 4)]
)
def test_the_search_by_chunks_misses_no_pair_and_invents_none(crowded, threshold, m):
    plan = Plan(_cut_bits(m, threshold=threshold), 0.0)
    found = list_pairs(iterate_close_hashes(crowded, threshold=threshold, plan=plan))
    assert found == compare_all(crowded, threshold)


@pytest.mark.parametrize("threshold", [0, 2, 6, 10])
def test_the_plan_that_is_chosen_finds_the_same(crowded, threshold, monkeypatch):
    monkeypatch.setattr("visclust.images.close_pairs._FEW", 1000)
    found = list_pairs(iterate_close_hashes(crowded, threshold=threshold))
    assert found == compare_all(crowded, threshold)
    assert _plan_search(crowded, threshold=6).chunks


def test_comparing_all_pairs_finds_the_same(crowded):
    found = list_pairs(iterate_close_hashes(crowded, threshold=6, plan=Plan((), 0.0)))
    assert found == compare_all(crowded, 6)


@pytest.mark.parametrize("bits", range(7))
def test_a_pair_is_found_wherever_its_bits_differ(bits):
    rng = np.random.default_rng(bits)
    plan = _plan_search(rng.integers(0, 2**64, 9000, dtype=np.uint64), threshold=6)
    assert plan.chunks
    for _ in range(200):
        mask = sum(1 << int(place) for place in rng.choice(64, bits, replace=False))
        pair = np.array([0, mask], dtype=np.uint64) ^ rng.integers(0, 2**64, dtype=np.uint64)
        assert list_pairs(iterate_close_hashes(pair, threshold=6, plan=plan)) == {(0, 1)}


def test_a_pair_just_beyond_the_threshold_is_not_found():
    pair = np.array([0, 0b1111111], dtype=np.uint64)
    assert list_pairs(iterate_close_hashes(pair, threshold=6)) == set()


def test_hashes_that_chunks_cannot_tell_apart_are_compared_in_order():
    # All bits but the last fourteen agree: nearly every chunk is the same in all of them.
    hashes = np.arange(2**14, dtype=np.uint64)
    assert _plan_search(hashes, threshold=6).chunks == ()


def test_no_hash_and_one_hash_have_no_pair():
    for n in (0, 1):
        assert list_pairs(iterate_close_hashes(np.zeros(n, dtype=np.uint64), threshold=6)) == set()


def test_the_threshold_is_dealt_out_to_the_chunks_so_that_no_more_is_searched_than_must_be():
    # Two hashes that differ in 5 bits differ in at most 1 bit of one of the first two chunks, or agree in one
    # of the others.
    assert _cut_bits(4, threshold=5) == ((0, 16, 1), (16, 16, 1), (32, 16, 0), (48, 16, 0))


def test_few_hashes_are_compared_without_a_plan():
    assert _plan_search(np.arange(3, dtype="uint64"), threshold=2) == Plan((), 3.0)


def test_blocks_give_the_pairs_that_all_distances_give(blobs):
    x, _ = blobs([40, 30, 30], spread=0.5)
    rows = prepare_rows(x, metric="euclidean")
    blocks = iterate_close_rows(rows, threshold=1.5, metric="euclidean", memory_budget=1)
    found = {pair for i, j in blocks for pair in zip(i.tolist(), j.tolist(), strict=True)}
    distances = np.linalg.norm(x[:, None].astype("float64") - x, axis=2)
    close = np.triu(distances <= 1.5, 1)
    assert found == {(int(i), int(j)) for i, j in zip(*np.nonzero(close), strict=True)}
    assert 0 < len(found) < 100 * 99 / 2


def test_rows_for_the_cosine_have_length_one_before_they_are_centred():
    x = np.array([[2.0, 0.0], [0.0, 3.0]])
    assert prepare_rows(x, metric="cosine").tolist() == [[0.5, -0.5], [-0.5, 0.5]]


def test_distances_from_a_row_are_those_of_the_metric():
    others = np.array([0, 1])
    assert measure_from_row(np.array([[0.0], [3.0]]), metric="euclidean")(0, others).tolist() == [0, 3]
    rows = prepare_rows(np.array([[2.0, 0.0], [0.0, 3.0]]), metric="cosine")
    assert measure_from_row(rows, metric="cosine")(0, others).tolist() == [0, 1]


def test_compiled_verification_finds_the_same_pairs_in_as_many_steps_as_its_room_asks_for(
    crowded, monkeypatch
):
    plain = list_pairs(iterate_close_hashes(crowded, threshold=8, plan=Plan(_cut_bits(4, threshold=8), 0.0)))
    monkeypatch.setattr(close_pairs, "_MANY", 0)
    for block in (8, 80, 2**21):
        monkeypatch.setattr(close_pairs, "_BLOCK", block)  # room for an eighth of it
        found = iterate_close_hashes(crowded, threshold=8, plan=Plan(_cut_bits(4, threshold=8), 0.0))
        assert list_pairs(found) == plain
