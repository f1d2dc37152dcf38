"""Centred float32 rows of a matrix that is never copied as a whole: in memory, or mapped from a file."""

from typing import Any

import numpy as np

from visclust.base.arrays import find_scale
from visclust.base.distances import count_distinct, find_origin, square_lengths

# Rows looked at to tell whether float32 keeps apart what float64 does.
_SOME = 20_000
# Samples up to so many bytes are held in memory; larger ones are read row by row each time.
_HELD = 2**28


class RowView:
    """Rows (n, d) of a matrix, or some of them by number, minus an origin: float32, made when asked for.

    ``view[part]``, with a slice, row numbers or a mask, gives them as an array, which must not be changed:
    where there is nothing to subtract it may be the matrix itself.
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(
        self,
        x: np.ndarray,
        origin: np.ndarray | None,
        *,
        scale: float = 1.0,
        numbers: np.ndarray | None = None,
    ) -> None:
        self.origin, self.scale = origin, scale
        """The centred rows are the matrix's times the scale, minus the origin (d; None for none)."""
        self.numbers = numbers
        """The rows that are meant, or None for all."""
        self.given = x.dtype
        """The type of the matrix."""
        self._x = x

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), int(self._x.shape[1])

    def __len__(self) -> int:
        return len(self._x) if self.numbers is None else len(self.numbers)

    def __getitem__(self, part: Any) -> np.ndarray:
        rows = self._x[part if self.numbers is None else self.numbers[part]]
        if self.scale != 1:
            rows = rows.astype(np.float64) * self.scale
        if self.origin is None:
            return rows
        if np.may_share_memory(rows, self._x):
            rows = rows - self.origin
        else:
            rows -= self.origin
        return rows.astype(np.float32, copy=False)

    def select(self, numbers: np.ndarray) -> "RowView":
        """Give a view of some of these rows, by number; in memory where they are few."""
        if len(numbers) == len(self) and bool((numbers == np.arange(len(self))).all()):
            return self
        if 4 * len(numbers) * self.shape[1] <= _HELD:
            return RowView(self[numbers], None)
        some = numbers if self.numbers is None else self.numbers[numbers]
        return RowView(self._x, self.origin, scale=self.scale, numbers=some)


def view_rows(x: np.ndarray) -> RowView | None:
    """Make a view of the rows (n, d) near the origin; None where float32 could not tell them apart.

    It is `center_rows` without the copy. The origin, and whether float32 will do, are told from some rows,
    spread over all: which origin is subtracted changes no distance.
    """
    scale = find_scale(x)
    some = x[:: -(-len(x) // _SOME)]
    origin = find_origin(some * scale)
    if scale == 1 and x.dtype == np.float32:
        # The difference of two float32 is rounded once, as that of two float64 would be.
        origin = origin.astype(np.float32)
        if float((origin * origin).sum()) <= float(np.median(square_lengths(some - origin))):
            origin = None  # products lose less than a bit by it
    view = RowView(x, origin, scale=scale)
    if 2 * count_distinct(view[:: -(-len(x) // _SOME)]) <= count_distinct(some):
        return None
    return view
