"""The finer look at two images whose hashes are near: one picture, or other words on one layout."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from scipy.ndimage import uniform_filter
from threadpoolctl import threadpool_limits

from visclust.base.damage import explain_damage
from visclust.base.files import write_atomically
from visclust.base.freshness import PROVENANCE_KEY, say_once
from visclust.base.machine import choose_workers
from visclust.base.progress import WorkBar
from visclust.base.provenance import digest_file, note_run
from visclust.images.hashes import describe_decoding, is_record_of
from visclust.images.index import locate_images
from visclust.images.reading import UnreadableImageError, read_image
from visclust.images.ruling_out import hold, prepare, rule_out

# The side of the grey thumbnails that are compared, in pixels: the words of a post fill some pixels each.
SIDE = 128
# Grey levels, of 255, from which on a place differs: what a strong compression changes stays below.
_DIFFERS = 30
# Of the area: what may be darker in one and elsewhere darker in the other, as when words are exchanged, and
# what may be added or gone, as by a small watermark. Eight and 250 of 16,384 pixels.
_MOST_EXCHANGED = 0.0005
_MOST_ADDED = 0.015
# Of the area: what a crop may cut away, where it is not plain, as the border around a screenshot is.
_MOST_CUT = 0.12
_PLAIN = 12  # grey levels, standard deviation along each strip of a border
# Below this correlation after alignment the two are different pictures, whatever differs where.
_LEAST_ALIKE = 0.9
# Share of the other's size from which on two pictures are as sharp as one another.
_AS_SHARP = 0.95
# Wider differences are those of light, of a filter or of a curve, and no other picture.
_WIDE = 31
_SOFT = 2
_AT_ONCE = 2000
_CACHE_KEY = b"visclust_thumbnails"
# Raised when the way from a file to its thumbnail changes, so that those of an older one are made again.
_ALGORITHM = 1


class Looks(NamedTuple):
    """Grey thumbnails (n, SIDE, SIDE), uint8, and the pixels of detail (n,) of each; 0 where unreadable."""

    pixels: np.ndarray
    detail: np.ndarray


class Frame(NamedTuple):
    """Where one picture lies in the other: y there is ``scale_y * y + shift_y``, from -1 to 1."""

    scale_y: float
    shift_y: float
    scale_x: float
    shift_x: float


_IN_PLACE = Frame(1.0, 0.0, 1.0, 0.0)


def read_looks(
    images: pd.DataFrame,
    ids: list[str],
    *,
    cache: str | os.PathLike | None = None,
    images_folder: str | os.PathLike | None = None,
    progress: bool = True,
) -> Looks:
    """Read the grey thumbnails of some images, in threads, or from the cache beside that of hashes.

    Half a gigabyte of them is held in memory at most; more of them wait in a file that goes with the process.
    """
    pixels = hold((len(ids), SIDE, SIDE), np.uint8)
    detail = np.zeros(len(ids), dtype=np.int16)
    place = {image: row for row, image in enumerate(ids)}
    for image, buffer, known in _iterate_cache(cache):
        if image in place:
            pixels[place[image]] = np.frombuffer(buffer, np.uint8).reshape(SIDE, SIDE)
            detail[place[image]] = known
    todo = [image for image in ids if not detail[place[image]]]
    paths = locate_images(images, todo, folder=images_folder) if todo else {}
    with ThreadPoolExecutor(choose_workers()) as pool:
        made = WorkBar(
            pool.map(_make_look, paths.keys(), paths.values()),
            total=len(todo),
            desc="Looking closer",
            unit="image",
            work=f"Looking closer at {len(todo):,} images",
            progress=progress,
        )
        for image, (thumbnail, known) in zip(todo, made, strict=True):
            pixels[place[image]] = thumbnail
            detail[place[image]] = known
    if cache is not None and todo:
        _write_cache(cache, {image: (pixels[place[image]], detail[place[image]]) for image in todo})
    return Looks(pixels, detail)


def make_comparison(looks: Looks) -> Callable[[int, np.ndarray], np.ndarray]:
    """Make the function from one image, and others by position, to the share of the area that differs, (m,).

    It is infinite where they are no copies, and where one of them could not be read. Those that are ruled out
    at once are not laid over one another.
    """
    prepared = prepare(looks.pixels)

    def compare(one: int, others: np.ndarray) -> np.ndarray:
        if not looks.detail[one]:
            return np.full(len(others), np.inf)
        found = np.full(len(others), np.inf)
        left = np.ones(len(others), dtype=bool)
        # What is ruled out by pixels that a smaller file does not have is not ruled out.
        if looks.detail[one] == SIDE and len(sharp := np.flatnonzero(looks.detail[others] == SIDE)):
            left[sharp] = ~rule_out(prepared, one, others[sharp], differs=_DIFFERS, soft=_SOFT, wide=_WIDE)
        # Small products: threads that share one cost more than they save, most of all on a busy machine.
        with threadpool_limits(1, user_api="blas"):
            found[left] = [_compare_two(looks, one, int(other)) for other in others[left]]
        return found

    return compare


def describe_looks() -> dict[str, Any]:
    """Say where the line is drawn, for the record."""
    return {
        "side": SIDE,
        "differs": _DIFFERS,
        "most_exchanged": _MOST_EXCHANGED,
        "most_added": _MOST_ADDED,
        "most_cut": _MOST_CUT,
    }


def name_thumbnail_cache(cache: str | os.PathLike) -> Path:
    """Name the file of thumbnails that lies beside a cache of hashes."""
    path = Path(cache)
    return path.with_name(f"{path.stem}_thumbnails{path.suffix}")


def _make_look(image_id: str, path: str) -> tuple[np.ndarray, int]:
    """Make one thumbnail; one that cannot be read, or is no longer the image of this id, has no detail."""
    nothing = np.zeros((SIDE, SIDE), dtype=np.uint8), 0
    try:
        if not digest_file(path).startswith(image_id):
            return nothing
        grey = read_image(path, min_side=2 * SIDE).convert("L")
    except (OSError, UnreadableImageError):
        return nothing
    detail = max(16, min(SIDE, *grey.size))
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.LANCZOS)), detail


def _compare_two(looks: Looks, one: int, other: int) -> float:
    """Give the share of the area that differs between two images, or infinity where they are no copies."""
    less, more = sorted((int(looks.detail[one]), int(looks.detail[other])))
    if not less:
        return np.inf
    a, b = looks.pixels[one], looks.pixels[other]
    if np.array_equal(a, b):
        return 0.0
    # Of two files of one size both are as sharp; otherwise only what the smaller one can show is compared.
    a, b = (_soften(each, less / 2 if less < _AS_SHARP * more else SIDE) for each in (a, b))
    found = _measure(a, b, _IN_PLACE)
    if np.isfinite(found):
        return found
    frame = _align(a, b)
    return np.inf if frame is None else _measure(a, b, frame)


def _soften(pixels: np.ndarray, detail: float) -> np.ndarray:
    """Give a thumbnail in float32 with no more than so many pixels of detail along each side."""
    if detail >= SIDE:
        return pixels.astype(np.float32)
    side = max(8, round(detail))
    small = Image.fromarray(pixels).resize((side, side), Image.Resampling.BOX)
    return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.float32)


def _measure(a: np.ndarray, b: np.ndarray, frame: Frame) -> float:
    """Measure which share of the area differs where the two overlap; infinity where they are no copies."""
    side = len(a)
    rows, ys = _sample(side, frame.scale_y, frame.shift_y)
    columns, xs = _sample(side, frame.scale_x, frame.shift_x)
    if frame is not _IN_PLACE and (_cut_away(a, ys, xs) > _MOST_CUT or _overhang(b, frame) > _MOST_CUT):
        return np.inf
    a, b = a[ys, xs], (b if frame is _IN_PLACE else rows @ b @ columns.T)[ys, xs]
    if min(a.shape) < side // 2:
        return np.inf
    a, b = a - a.mean(), b - b.mean()
    spread_a, spread_b = float((a * a).mean()), float((b * b).mean())
    if min(spread_a, spread_b) < 1e-6:
        return np.inf
    if float((a * b).mean()) < _LEAST_ALIKE * (spread_a * spread_b) ** 0.5:
        return np.inf
    gain = (spread_b / spread_a) ** 0.25  # half of the contrast's change is given to each
    gaps = uniform_filter(b / gain - a * gain, _SOFT)
    gaps -= uniform_filter(gaps, _WIDE)
    darker, lighter = float((gaps < -_DIFFERS).mean()), float((gaps > _DIFFERS).mean())
    if min(darker, lighter) > _MOST_EXCHANGED or darker + lighter > _MOST_ADDED:
        return np.inf
    return darker + lighter


def _align(a: np.ndarray, b: np.ndarray) -> Frame | None:
    """Find where `a` lies in `b`, by size and place, from coarse to fine; nothing where it is nowhere near.

    Gauss-Newton steps on the squared differences, with the contrast and the brightness of the two left free
    (Lucas and Kanade 1981).
    """
    place = np.array(_IN_PLACE, dtype=np.float64)
    for side, steps in ((16, 6), (32, 5), (64, 4)):
        small_a, small_b = (each.reshape(side, SIDE // side, side, -1).mean((1, 3)) for each in (a, b))
        at = _centres(side)
        for _ in range(steps):
            rows, ys = _sample(side, *place[:2])
            columns, xs = _sample(side, *place[2:])
            if min(ys.stop - ys.start, xs.stop - xs.start) < side // 2:
                return None
            moved = (rows @ small_b @ columns.T)[ys, xs]
            slope_y, slope_x = np.gradient(moved)
            slope_y *= side / 2 / place[0]
            slope_x *= side / 2 / place[2]
            fit = np.empty((6, moved.size), dtype=np.float32)
            fit[0], fit[1] = (slope_y * at[ys, None]).ravel(), slope_y.ravel()
            fit[2], fit[3] = (slope_x * at[None, xs]).ravel(), slope_x.ravel()
            fit[4], fit[5] = -small_a[ys, xs].ravel(), -1
            squares = (fit @ fit.T).astype(np.float64)
            squares.flat[::7] += 1e-6 * squares.trace()
            step = np.linalg.solve(squares, -(fit @ moved.ravel()).astype(np.float64))[:4]
            place += np.clip(step, -0.15, 0.15)
            if np.abs(place[::2] - 1).max() > 0.35 or np.abs(place[1::2]).max() > 0.35:
                return None
            if np.abs(step).max() < 0.1 / side:
                break
    return Frame(*place)


def _centres(side: int) -> np.ndarray:
    """Give the centres of a row of pixels, from -1 to 1."""
    return (2 * np.arange(side, dtype=np.float32) + 1) / side - 1


def _sample(side: int, scale: float, shift: float) -> tuple[np.ndarray, slice]:
    """Make the matrix that reads a row of pixels at other places, and say which of them lie inside."""
    at = ((scale * _centres(side) + shift + 1) * side - 1) / 2
    inside = np.flatnonzero((at > -0.5) & (at < side - 0.5))
    at = np.clip(at, 0, side - 1)
    left = np.minimum(at.astype(np.int64), side - 2)
    weights = np.zeros((side, side), dtype=np.float32)
    every = np.arange(side)
    weights[every, left] = 1 - (at - left)
    weights[every, left + 1] = at - left
    return weights, slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0)


def _overhang(b: np.ndarray, frame: Frame) -> float:
    """Give the share of the other picture that lies beyond this one, unless it is plain."""
    ranges = []
    for scale, shift in (frame[:2], frame[2:]):
        low, high = (((edge * scale + shift) + 1) / 2 * len(b) for edge in (-1, 1))
        # The edge itself is blurred: two pixels of it do not make a plain border a picture.
        ranges.append(slice(max(0, round(low) - 2), min(len(b), round(high) + 2)))
    return _cut_away(b, *ranges)


def _cut_away(pixels: np.ndarray, ys: slice, xs: slice) -> float:
    """Give the share of a picture outside of a box, without the strips beside it that are plain."""
    strips = (pixels[: ys.start], pixels[ys.stop :], pixels[ys, : xs.start], pixels[ys, xs.stop :])
    return sum(each.size for each in strips if each.size and float(each.std()) > _PLAIN) / pixels.size


def _iterate_cache(cache: str | os.PathLike | None) -> Any:
    """Give ``image_id, pixels, detail`` of thumbnails made before, a block of them in memory at a time."""
    if cache is None or not (path := name_thumbnail_cache(cache)).exists():
        return
    try:
        with (
            explain_damage(path, "a Parquet file of thumbnails"),
            pq.ParquetFile(path, page_checksum_verification=True) as file,
        ):
            record = (file.schema_arrow.metadata or {}).get(_CACHE_KEY)
            if record is None or not is_record_of(record, _describe_cache()):
                return
            for batch in file.iter_batches(_AT_ONCE):
                for image, buffer, known in zip(*(each.to_pylist() for each in batch.columns), strict=True):
                    if image is not None and len(buffer or b"") == SIDE * SIDE and 0 < (known or 0) <= SIDE:
                        yield image, buffer, known
    except PermissionError:
        raise
    except ValueError:
        say_once(f"{path} is damaged: what cannot be read of it is made again, and the file is written anew.")


def _describe_cache() -> dict[str, Any]:
    return {"algorithm": _ALGORITHM, "side": SIDE, **describe_decoding()}


def _write_cache(cache: str | os.PathLike, fresh: dict[str, tuple[np.ndarray, int]]) -> None:
    """Write the thumbnails of before and the new ones, a block at a time; not those of unreadable files."""
    schema = pa.schema(
        {"image_id": pa.string(), "pixels": pa.binary(SIDE * SIDE), "detail": pa.int16()},
        metadata={
            _CACHE_KEY: json.dumps(_describe_cache()).encode(),
            PROVENANCE_KEY: json.dumps(note_run()).encode(),  # of the run that completed it
        },
    )

    def write(file: Any) -> None:
        with pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True) as writer:
            rows: list[tuple[str, bytes, int]] = []
            known = (each for each in _iterate_cache(cache) if each[0] not in fresh)
            made = ((name, each.tobytes(), int(detail)) for name, (each, detail) in fresh.items() if detail)
            for source in (known, made):
                for row in source:
                    rows.append(row)
                    if len(rows) == _AT_ONCE:
                        writer.write_table(_tabulate(rows, schema))
                        rows = []
            writer.write_table(_tabulate(rows, schema))

    write_atomically(name_thumbnail_cache(cache), write)


def _tabulate(rows: list[tuple[str, bytes, int]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    arrays = [pa.array(list(each), field.type) for each, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)
