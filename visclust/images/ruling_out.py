"""Pairs that are no copies, known at once: they lie on one another as they are, and other things stand there.

Posts of one layout are near by their hashes, each to all others, and laying every pair over one another takes
hours. What makes them near makes them easy too: their layout lies where it lies in the other, so that there
is nothing to lay anywhere.
"""

import tempfile
from typing import NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter, uniform_filter

# Pixels of 128, at the corners, which two pictures may seem to lie apart at each of these scales, to be taken
# as lying on one another. Of 8,000 comparisons of near copies, crops of a hundredth and less among them,
# those that do not pass as they lie stayed below a third of the second limit within this displacement.
_NEAR = 1.5
_SCALES = (16, 32, 64)
# Of the area: darker in one place and lighter in another by `differs` as they lie. Thrice what a copy may be.
_EXCHANGED = 0.0015
# The same by fewer grey levels where every pixel may come from its neighbours, per pixel of displacement.
_LEVELS = 20
_EXCHANGED_NEARBY = 0.0006
_LEAST_APART = 0.5
_AT_ONCE = 256
_IN_MEMORY = 2**29


def hold(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Make an array of zeros; one of more than half a gigabyte waits in a file that goes with the process."""
    if int(np.prod(shape)) * np.dtype(dtype).itemsize <= _IN_MEMORY:
        return np.zeros(shape, dtype)
    return np.memmap(tempfile.TemporaryFile(), dtype=dtype, mode="w+", shape=shape)


class Prepared(NamedTuple):
    """What is computed once for each thumbnail (n, side, side).

    The fine differences in it (n, side, side); cells of two by two pixels (n, cells); the spread of its
    grey levels (n,), -1 where not prepared yet.
    """

    pixels: np.ndarray
    fine: np.ndarray
    cells: np.ndarray
    spread: np.ndarray


def prepare(pixels: np.ndarray) -> Prepared:
    """Make room for what is computed of some thumbnails, each when it is first asked for."""
    n, side, _ = pixels.shape
    cells = hold((n, _SCALES[-1] ** 2), np.float32)
    return Prepared(pixels, hold((n, side, side), np.float32), cells, np.full(n, -1.0, np.float32))


def rule_out(
    prepared: Prepared, one: int, others: np.ndarray, *, differs: float, soft: int, wide: int
) -> np.ndarray:
    """Say which others (m,) are surely no copies of one picture, a mask (m,); of the rest nothing is known.

    `differs` are the grey levels from which on a place differs, after it was softened over `soft` pixels and
    without differences wider than `wide`.
    """
    out = np.zeros(len(others), dtype=bool)
    _fill(prepared, np.append(others, one), soft, wide)
    if not prepared.spread[one]:
        return out
    solve = _prepare_steps(prepared.cells[one])
    mine = np.asarray(prepared.fine[one])
    highest, lowest = maximum_filter(mine, 3), minimum_filter(mine, 3)
    for start in range(0, len(others), _AT_ONCE):
        block = others[start : start + _AT_ONCE]
        apart = _measure_displacement(prepared.cells[block], solve)
        for place in np.flatnonzero((apart < _NEAR) & (prepared.spread[block] > 0)):
            fine, ratio = prepared.fine[block[place]], prepared.spread[block[place]] / prepared.spread[one]
            if _measure_exchange(fine, mine, mine, ratio, differs) >= _EXCHANGED:
                nearby = _measure_exchange(fine, highest, lowest, ratio, _LEVELS)
                out[start + place] = nearby >= _EXCHANGED_NEARBY * max(apart[place], _LEAST_APART)
    return out


def _fill(prepared: Prepared, wanted: np.ndarray, soft: int, wide: int) -> None:
    """Compute what is not there yet."""
    missing = np.unique(wanted[prepared.spread[wanted] < 0])
    for start in range(0, len(missing), _AT_ONCE):
        rows = missing[start : start + _AT_ONCE]
        pixels = prepared.pixels[rows].astype(np.float32)
        fine = uniform_filter(pixels, (0, soft, soft))
        fine -= uniform_filter(fine, (0, wide, wide))
        prepared.fine[rows] = fine
        prepared.cells[rows] = _shrink(pixels, _SCALES[-1]).reshape(len(rows), -1)
        prepared.spread[rows] = pixels.std((1, 2))


def _shrink(pixels: np.ndarray, side: int) -> np.ndarray:
    """Take the means of square cells: (..., side, side)."""
    times = pixels.shape[-1] // side
    return pixels.reshape(*pixels.shape[:-2], side, times, side, times).mean((-3, -1))


def _prepare_steps(cells: np.ndarray) -> np.ndarray:
    """Make the matrix from another picture's cells to its displacement and contrast at each scale.

    One Gauss-Newton step from where they lie (Lucas and Kanade 1981), with the slopes of this picture, so
    that it is one product for all others. Returns (cells, 6 x scales): by scale the change of size and the
    shift along y, the same along x, contrast and brightness.
    """
    finest = _SCALES[-1]
    image, steps = cells.reshape(finest, finest), []
    for side in _SCALES:
        small = _shrink(image, side)
        slope_y, slope_x = np.gradient(small, 2 / side)
        at = (2 * np.arange(side, dtype=np.float32) + 1) / side - 1
        columns = (slope_y * at[:, None], slope_y, slope_x * at, slope_x, small, np.ones_like(small))
        fit = np.stack(columns).reshape(6, -1).astype(np.float64)
        squares = fit @ fit.T
        squares.flat[::7] *= 1 + 1e-6
        squares.flat[::7] += 1e-9
        step = np.linalg.solve(squares, fit).reshape(6, side, side)
        times = finest // side
        # The mean of a cell is a sum over the finest ones.
        steps.append(step.repeat(times, 1).repeat(times, 2).reshape(6, -1) / times**2)
    return np.concatenate(steps).T.astype(np.float32)


def _measure_displacement(cells: np.ndarray, solve: np.ndarray) -> np.ndarray:
    """Measure how far others (m, cells) lie apart at their corners, in pixels of 128, at the worst scale."""
    found = (cells @ solve).reshape(len(cells), len(_SCALES), 6)
    contrast = found[..., 4:5]
    moved = np.abs(found[..., :4]) / np.where(np.abs(contrast) < 0.2, 0.2, np.abs(contrast))
    return 64 * np.maximum(moved[..., 0] + moved[..., 1], moved[..., 2] + moved[..., 3]).max(axis=1)


def _measure_exchange(
    fine: np.ndarray, highest: np.ndarray, lowest: np.ndarray, ratio: float, levels: float
) -> float:
    """Measure the smaller of two shares of the area: where another is above the highest, below the lowest.

    Half of the contrast's change, `ratio`, is given to each of the two.
    """
    more = np.float32(levels * ratio**0.5)
    above = np.count_nonzero(fine > highest * ratio + more)
    below = np.count_nonzero(fine < lowest * ratio - more) if above else 0
    return min(above, below) / fine.size
