"""Ids that came before, kept as text or packed."""

import numpy as np
import pytest

from visclust.corpus import seen_posts
from visclust.corpus.seen_posts import SeenPosts


def test_an_id_is_found_with_what_was_said_whether_it_is_packed_or_not():
    rng = np.random.default_rng(0)
    seen, plain = SeenPosts(young=7), {}
    for number in rng.integers(300, size=1000).tolist():
        said = hash((number, "text"))
        assert seen.find(str(number)) == plain.get(str(number))
        if str(number) not in plain:
            plain[str(number)] = said
            seen.add(str(number), said)
    assert [seen.find(each) for each in plain] == list(plain.values())
    assert seen.find("another") is None
    assert [packed.shape[1] for packed in seen._old] == sorted(
        [packed.shape[1] for packed in seen._old], reverse=True
    )
    assert len(seen._old) <= 6  # 42 packed sevens in arrays that double


def test_ids_whose_first_64_bits_are_the_same_are_told_apart(monkeypatch):
    # Where `hash` gives all ids one number, and only those with the salt their own.
    monkeypatch.setattr(
        seen_posts, "hash", lambda text: hash(text) if text.endswith(seen_posts._SALT) else 5, raising=False
    )
    seen = SeenPosts(young=3)
    for number in range(9):
        seen.add(f"p{number}", number)
    assert [seen.find(f"p{number}") for number in range(10)] == [*range(9), None]


@pytest.mark.parametrize("said", [-(2**63), 2**63 - 1])
def test_numbers_of_64_bits_are_kept_as_they_are(said):
    seen = SeenPosts(young=1)
    seen.add("p", said)
    assert seen.find("p") == said
