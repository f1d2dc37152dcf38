"""Which post ids came before, of tens of millions, without keeping them as text."""

import numpy as np

_YOUNG = 100_000  # ids kept as text before they are packed
_BITS = 2**28  # of the map that says at once of most ids that they are new: 32 MB
_SALT = "\x00again"


class SeenPosts:
    """By id a number that stands for what the post said; an id kept as text takes ten times as much memory.

    The newest ids are in a dictionary; the others are 24 bytes each in sorted arrays: 128 bits that stand for
    the id, so that two different ids are never taken for one, and the number.
    """

    def __init__(self, *, young: int = _YOUNG) -> None:
        self._limit = young
        self._young: dict[str, int] = {}
        self._old: list[np.ndarray] = []  # each (3, m), sorted by its first row, the longest first
        self._maybe = bytearray(_BITS // 8)

    def find(self, post_id: str) -> int | None:
        """Give the number of an id that came before, else None."""
        found = self._young.get(post_id)
        if found is not None or not self._old:
            return found
        key = hash(post_id)
        at = key % _BITS
        if not self._maybe[at >> 3] & (1 << (at & 7)):
            return None
        second = hash(post_id + _SALT)
        for keys, seconds, said in self._old:
            place = int(np.searchsorted(keys, key))
            while place < len(keys) and keys[place] == key:
                if seconds[place] == second:
                    return int(said[place])
                place += 1
        return None

    def add(self, post_id: str, said: int) -> None:
        """Keep an id that is new; `said` has 64 bits."""
        self._young[post_id] = said
        if len(self._young) >= self._limit:
            self._pack()

    def _pack(self) -> None:
        """Put the newest ids into a sorted array, and arrays together so that there are few."""
        packed = np.array(
            [
                [hash(post_id) for post_id in self._young],
                [hash(post_id + _SALT) for post_id in self._young],
                list(self._young.values()),
            ],
            dtype=np.int64,
        )
        for at in (packed[0] % _BITS).tolist():
            self._maybe[at >> 3] |= 1 << (at & 7)
        self._young = {}
        while self._old and self._old[-1].shape[1] <= packed.shape[1]:
            packed = np.concatenate([self._old.pop(), packed], axis=1)
        order = np.argsort(packed[0], kind="stable")
        self._old.append(packed[:, order])
