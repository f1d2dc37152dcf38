"""The images most like a given image: a first look at what an embedding sees."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from visclust.base.arrays import find_scale, take_matrix
from visclust.base.backend import to_host
from visclust.base.checks import check_names
from visclust.base.distances import center_rows
from visclust.base.provenance import recorded


@recorded
def list_neighbours(x: Any, image_ids: Any, *, of: Any, n: int = 8) -> pd.DataFrame:
    """List the nearest neighbours of some images by Euclidean distance.

    Parameters
    ----------
    x : ndarray, shape (n, d), float32
        The embedding.
    image_ids : sequence of str, length n
        Ids of its rows.
    of : sequence of str
        Ids of the images whose neighbours are sought.
    n : int, default 8
        Neighbours of each.

    Returns
    -------
    DataFrame
        ``query`` and ``image_id`` (both ids), ``rank`` (0 is the image itself) and ``distance``, by query
        in the order given and from near to far.

    Raises
    ------
    ValueError
        If an id is not among `image_ids`.

    Examples
    --------
    >>> list_neighbours(np.array([[0.0], [1.0], [5.0]]), ["a", "b", "c"], of=["a"], n=1)
      query image_id  rank  distance
    0     a        a     0       0.0
    1     a        b     1       1.0
    """
    x = to_host(take_matrix(x))
    rows = center_rows(x)  # a large common offset would swamp the distances
    ids = np.asarray(check_names("image_ids", image_ids), dtype=object)
    of = check_names("of", of)
    if not of:
        raise ValueError("Expected at least one image in of, got none.")
    if len(ids) != len(rows):
        raise ValueError(f"Expected an id for each of the {len(rows)} rows, got {len(ids)}.")
    where = pd.Series(np.arange(len(ids)), index=ids)
    unknown = [image_id for image_id in of if image_id not in where.index]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not among the ids of the embedding: give ids of its rows.")
    queries = where[list(of)].to_numpy()
    distances, found = NearestNeighbors(n_neighbors=min(n + 1, len(rows))).fit(rows).kneighbors(rows[queries])
    # Copies are at distance 0 as well, so the image itself need not come back first.
    for order, gaps, query in zip(found, distances, queries, strict=True):
        others = order != query
        order[:], gaps[:] = [query, *order[others]][: len(order)], [0.0, *gaps[others]][: len(order)]
    per_query = found.shape[1]
    return pd.DataFrame(
        {
            "query": np.repeat(ids[queries], per_query),
            "image_id": ids[found.ravel()],
            "rank": np.tile(np.arange(per_query), len(queries)),
            "distance": distances.ravel() / find_scale(x),
        }
    )
