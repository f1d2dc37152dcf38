"""The rows of a matrix beside the rows of a table: whether they are the same images, in the same order."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.freshness import say_once
from visclust.base.origins import MATRIX, find_file, find_row_ids, has_row_ids, recall_origins
from visclust.base.provenance import digest_input, is_embedding


class Rows(NamedTuple):
    """A matrix, the images of its rows where they are known, and how the rows were prepared."""

    x: Any
    image_ids: list[str] | None
    how: str


def take_rows(x: Any) -> Rows:
    """Take an embedding or a bare matrix apart; how a bare matrix was prepared nobody knows ("none")."""
    if not is_embedding(x):
        return Rows(x, None, "none")
    ids = None if x.image_ids is None else [str(each) for each in x.image_ids]
    n_rows = x.x.shape[0] if getattr(x.x, "ndim", 0) == 2 else None
    if ids is not None and n_rows is not None and len(ids) != n_rows:
        raise ValueError(f"Expected an id for each row of the embedding, got {len(ids)} for {n_rows} rows.")
    return Rows(x.x, ids, getattr(x, "how", "none"))


def match_rows(x: Any, table: pd.DataFrame, *, what: str = "the clusters table") -> Any:
    """Give the matrix of an embedding or a bare matrix, whose rows are held against a table's ``image_id``.

    An embedding brings the ids of its rows. Of a bare matrix they are known where this process made, saved or
    loaded it; of any other one nothing but the number of rows can be compared, which is left to the caller.
    Another embedding of the same images passes with a line that says so, where the record of the table tells
    which one it was made from: it may be the distances of that other one that are wanted.

    Raises
    ------
    ValueError
        If the rows are other images, or the same in another order.
    """
    rows = x.x if is_embedding(x) else x
    brought = x.image_ids if is_embedding(x) else None
    made = {digest: find_file(digest) for digest in recall_origins(table).get(MATRIX, ())}
    n_rows = rows.shape[0] if getattr(rows, "ndim", 0) == 2 else 0
    digest = digest_input(rows) if any(made.values()) or (brought is None and has_row_ids(n_rows)) else ""
    ids = find_row_ids(digest) if brought is None else [str(each) for each in brought]
    if ids is not None:
        _check_ids(ids, table["image_id"].astype(str).tolist(), what)
    given, clustered = find_file(digest), next((file for file in made.values() if file), None)
    if given and clustered and digest not in made and given != clustered:
        say_once(f"{what.capitalize()} was made from {clustered}; distances here are those of {given}.")
    return rows


def _check_ids(ids: list[str], wanted: list[str], what: str) -> None:
    if ids == wanted:
        return
    if sorted(ids) == sorted(wanted):
        place = int(np.flatnonzero(np.asarray(ids, dtype=object) != np.asarray(wanted, dtype=object))[0])
        raise ValueError(
            f"Expected the rows of the embedding in the order of {what}; they are the same images in another "
            f"order, from row {place} on ({ids[place]} instead of {wanted[place]}). Bring the table into the "
            'order of the embedding: table.set_index("image_id").loc[embedding.image_ids].reset_index().'
        )
    missing, more = len(set(wanted) - set(ids)), len(set(ids) - set(wanted))
    raise ValueError(
        f"Expected an embedding of the {len(wanted)} images of {what}, got one of {len(ids)}: {missing} "
        f"of the images are not in it, and {more} of its rows are other images. Load theirs: "
        'load_embedding(folder, name=…, image_ids=table["image_id"]).'
    )
