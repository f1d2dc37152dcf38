"""The map of very many images in squares: what a square holds, and the one image that is shown for it."""

from typing import NamedTuple

import numpy as np
import pandas as pd

# More points than these no browser draws quickly, and they hide one another.
MANY = 50_000
_SIDE = 4  # pixels of a square


class MapSquares(NamedTuple):
    """Squares on a map, `table` a row per square that holds an image, and `row` (s,) the image shown for it.

    `table`: ``x, x_end, y, y_end`` (its sides, in units of the map), ``images``, ``shown_as`` (the commonest
    among its images; of equally many the first of the legend), ``share`` (of its images that are shown so),
    ``clusters`` (how many different ones it holds images of).
    """

    table: pd.DataFrame
    row: np.ndarray


def divide_map(table: pd.DataFrame, legend: list[str], *, width: int, height: int) -> MapSquares:
    """Divide a map into squares of some pixels of a chart of this size.

    `table` has ``x, y, cluster, shown_as``, and `legend` the words of ``shown_as`` in their order. Shown is
    the image nearest to the middle of its square among those of the square's ``shown_as``, one with a picture
    (column ``image``) before one without. Places that are no numbers raise ValueError.
    """
    places = table[["x", "y"]].to_numpy(dtype=np.float64)
    if not np.isfinite(places).all():
        row = int(np.flatnonzero(~np.isfinite(places).all(axis=1))[0])
        raise ValueError(
            f"Expected x and y as numbers for every image of the map, got {places[row].tolist()} in row "
            f"{row}. Leave out what has no place."
        )
    least, span = places.min(axis=0), np.ptp(places, axis=0)
    number = np.maximum(1, np.array([width, height]) // _SIDE)
    side = np.where(span > 0, span / number, 1.0)
    at = np.minimum(np.floor((places - least) / side), number - 1).astype(np.int64)
    square, held = np.unique(at[:, 0] * number[1] + at[:, 1], return_inverse=True)
    n = len(square)
    images = np.bincount(held, minlength=n)
    # How many of each square are shown in each way, and of those ways the most frequent.
    code = pd.Categorical(table["shown_as"], categories=legend).codes.astype(np.int64)
    both, counts = np.unique(held * len(legend) + code, return_counts=True)
    order = np.lexsort((both % len(legend), -counts, both // len(legend)))
    first = order[np.searchsorted(both[order] // len(legend), np.arange(n))]
    main, most = both[first] % len(legend), counts[first]
    of_cluster = pd.factorize(table["cluster"])[0].astype(np.int64)
    clusters = np.bincount(np.unique(held * (of_cluster.max() + 1) + of_cluster) // (of_cluster.max() + 1))
    # Of each square one image.
    away = (np.abs((places - least) / side - at - 0.5) ** 2).sum(axis=1)
    bare = table["image"].isna().to_numpy() if "image" in table.columns else np.zeros(len(table), dtype=bool)
    by_square = np.lexsort((away, bare, code != main[held], held))
    row = by_square[np.searchsorted(held[by_square], np.arange(n))]
    corner = least + np.column_stack([square // number[1], square % number[1]]) * side
    found = pd.DataFrame(
        {
            "x": corner[:, 0],
            "x_end": corner[:, 0] + side[0],
            "y": corner[:, 1],
            "y_end": corner[:, 1] + side[1],
            "images": images,
            "shown_as": np.array(legend, dtype=object)[main],
            "share": most / images,
            "clusters": clusters,
        }
    )
    return MapSquares(found, row)
