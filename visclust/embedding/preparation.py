"""Prepare rows for clustering: raw, of unit length, principal components, or UMAP in a few dimensions."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.backend import check_embedding, get_namespace, is_on_gpu, to_host
from visclust.base.checks import check_whole_number
from visclust.base.freshness import say_once
from visclust.base.origins import find_row_ids
from visclust.base.provenance import digest_input, is_embedding, note_run, recorded
from visclust.base.rows import match_rows
from visclust.embedding.layouts import lay_out_rows

# How rows can be prepared, each with the number of dimensions it leaves where none is given.
PREPARATIONS: dict[str, int | None] = {"none": None, "unit": None, "pca": 128, "umap": 5}
# New rows go where the mean of so many nearest rows lies.
_PLACED_BY = 5
# Rows on which the error of such places is measured, at most.
_MEASURED = 2_000
_BLOCK = 2_048
# Of the rows in the map, so many per hundred are farther than this from the row nearest to them.
_FAR = 99


class PreparedRows(NamedTuple):
    """Rows ``x`` (n, d) ready for clustering: an embedding that says how it was prepared.

    ``image_ids`` are None where a bare array of unknown images was given. ``how`` is what was done; ``parts``
    (name to array) is what new rows need for the same, and ``placement`` (name to number) tells how well they
    can be placed.
    """

    x: Any
    image_ids: list[str] | None
    provenance: dict[str, Any]
    how: str
    parts: dict[str, np.ndarray]
    placement: dict[str, float]


@recorded
def prepare_rows(
    x: Any,
    *,
    how: str = "umap",
    n_components: int | None = None,
    n_neighbors: int = 15,
    min_dist: float = 0.0,
    image_ids: Sequence[str] | pd.Series | None = None,
    seed: int = 0,
    progress: bool = True,
) -> PreparedRows:
    """Prepare the rows of an embedding for clustering, so that near images are told from far ones.

    The activations of a network are crowded: a few rows are near to many others, and all distances are much
    alike, so k-means heaps up one giant cluster. What is done about it is `how`.

    Parameters
    ----------
    x : Embedding, or ndarray, shape (n, d), float32 or float64
        The embedding, or its matrix; NumPy, or CuPy, whose rows stay on the GPU.
    how : {"none", "unit", "pca", "umap"}, default "umap"
        "none": the raw rows, as in the paper. "unit": each row divided by its length, so that distances
        follow the angle between rows; a row of zeros stays one. "pca": principal components, then unit
        length. "umap": UMAP by the angle between rows. Fewer than ``2 * n_neighbors`` different rows are
        too few for UMAP: they are brought to unit length, and a line says so.
    n_components : int, optional
        Dimensions of "pca" (128 by default; fewer where the rows have fewer) and "umap" (5 by default).
    n_neighbors : int, default 15
        Neighbours of each row that UMAP keeps together.
    min_dist : float, default 0.0
        How close rows may come in UMAP: 0 lets clusters be tight, which suits clustering.
    image_ids : sequence of str, length n, optional
        Ids of the rows of a bare matrix. An embedding brings them.
    seed : int, default 0
        Seed of UMAP; the same seed gives the same rows.
    progress : bool, default True
        Show a bar while umap-learn works; cuML has none.

    Returns
    -------
    PreparedRows
        ``x`` (float32; "none" leaves the rows as they are), ``image_ids``, ``provenance``, ``how`` (what was
        done), ``parts`` (the mean and the components of "pca") and ``placement``. `save_embedding` saves it
        and `load_embedding` gives it back; `apply_preparation` puts new images into the same space. For
        "umap", ``placement`` says how far from its own place a row is put by its nearest others:
        ``median_error`` and ``error_90`` (nine in ten are nearer) in units of the distance between two rows
        drawn at random, measured on ``measured_rows``; and ``far``, the distance (1 minus cosine) to the
        nearest row that 1 in 100 rows exceed. Copies are left out of the search; since UMAP saw the rows
        measured, new images fare somewhat worse.

    Raises
    ------
    TypeError, ValueError
        Before any work, if the array or a setting is not as described.
    RuntimeError
        If umap-learn, or cuML for a CuPy array, is not installed.

    Source
    ------
    Radovanović, Nanopoulos and Ivanović (2010), "Hubs in Space", Journal of Machine Learning Research 11, for
    what is wrong with raw rows; McInnes, Healy and Melville (2018) for UMAP. Which one is best on labelled
    corpora: ``benchmarks/prepared_rows.md`` in the repository. The paper of Casas et al. clusters raw rows.

    Examples
    --------
    >>> prepare_rows(np.array([[3.0, 4.0], [0.0, 2.0]]), how="unit").x.round(1).tolist()
    [[0.6..., 0.8...], [0.0, 1.0]]
    """
    ids, rows = _find_ids(x, image_ids)
    check_embedding(rows)
    _check_settings(how, n_components, n_neighbors, min_dist, seed)
    parts: dict[str, np.ndarray] = {}
    placement: dict[str, float] = {}
    if how == "umap" and (n_different := _count_different(rows)) < 2 * n_neighbors:
        say_once(
            f"{n_different} different images are too few for UMAP with n_neighbors={n_neighbors}: their rows "
            'are brought to unit length instead, as with how="unit".'
        )
        how = "unit"
    size = n_components or PREPARATIONS[how]
    if how == "none":
        made = rows
    elif how == "unit":
        made = _scale_to_unit(rows)
    elif how == "pca":
        made, parts = _find_components(rows, n_components=int(size or 0))
    else:
        made, placement = _lay_out(
            rows, int(size or 0), n_neighbors=n_neighbors, min_dist=min_dist, seed=seed, progress=progress
        )
    note_run(parameters={"done": how, "dimensions": made.shape[1]})
    return PreparedRows(made, ids, {}, how, parts, placement)


@recorded
def apply_preparation(
    x: Any,
    prepared: PreparedRows,
    *,
    trained_on: Any = None,
    image_ids: Sequence[str] | pd.Series | None = None,
) -> PreparedRows:
    """Put the rows of new images into the space of rows prepared before.

    Raw rows, unit length and principal components are exactly what the new rows would have got then. UMAP has
    no formula: a new row goes to the mean place of the 5 rows of `trained_on` at the smallest angle to it.

    Parameters
    ----------
    x : Embedding, or ndarray, shape (m, d)
        The new images, embedded by the same encoder.
    prepared : PreparedRows
        From `prepare_rows`, or from its file by `load_embedding`.
    trained_on : Embedding, or ndarray, shape (n, d), optional
        For "umap": the rows that were prepared then, which the file of the embedding still has. They are held
        against the record of `prepared`.
    image_ids : sequence of str, length m, optional
        Ids of the rows of a bare matrix.

    Returns
    -------
    PreparedRows
        ``x`` (m, d), ``image_ids, provenance, how, parts``, and ``placement``: that of `prepared`, for "umap"
        with ``new_rows_far``, the share of new rows that are farther from every row of the map than all but
        1 in 100 rows in it. Their places mean little, and a line says how many they are.

    Raises
    ------
    ValueError
        If `trained_on` is needed and not given, or is not what was prepared, or rows differ in length.

    Examples
    --------
    >>> prepared = prepare_rows(np.array([[3.0, 4.0], [0.0, 2.0]]), how="unit")
    >>> apply_preparation(np.array([[5.0, 0.0]]), prepared).x.tolist()
    [[1.0, 0.0]]
    """
    ids, rows = _find_ids(x, image_ids)
    check_embedding(rows)
    how, placement = prepared.how, dict(prepared.placement)
    wide = prepared.parts["mean"].shape[0] if how == "pca" else None
    if how in ("none", "unit"):
        wide = prepared.x.shape[1]
    if wide is not None and rows.shape[1] != wide:
        raise ValueError(
            f"Expected new rows of {wide} values, as those that were prepared, got {rows.shape[1]}: embed "
            "the new images by the same encoder."
        )
    if how == "none":
        made = rows
    elif how == "unit":
        made = _scale_to_unit(rows)
    elif how == "pca":
        made = _project(rows, prepared.parts)
    else:
        known = _check_trained_on(trained_on, prepared, rows)
        made, nearest = _place_by_neighbours(_scale_to_unit(rows), known, prepared.x)
        far = nearest > placement["far"]
        placement["new_rows_far"] = float(far.mean())
        if far.any():
            print(
                f"{int(far.sum())} of {len(far)} new images are unlike every image that the rows were "
                "prepared from: their places mean little. Prepare all images together to have them placed."
            )
    return PreparedRows(made, ids, {}, how, dict(prepared.parts), placement)


def _find_ids(x: Any, image_ids: Any) -> tuple[list[str] | None, Any]:
    """Give the ids of the rows, as far as they are known, and the bare matrix."""
    ids = None if image_ids is None else [str(each) for each in image_ids]
    if is_embedding(x):
        rows = x.x if ids is None else match_rows(x, pd.DataFrame({"image_id": ids}), what="image_ids")
        return (ids or x.image_ids), rows
    if ids is not None and hasattr(x, "__len__") and len(ids) != len(x):
        raise ValueError(f"Expected an id for each of the {len(x)} rows, got {len(ids)}.")
    if ids is None and hasattr(x, "dtype"):
        ids = find_row_ids(digest_input(x))
    return ids, x


def _check_settings(how: Any, n_components: Any, n_neighbors: Any, min_dist: Any, seed: Any) -> None:
    if how not in PREPARATIONS:
        raise ValueError(f"Expected how to be one of {', '.join(PREPARATIONS)}, got {how!r}.")
    check_whole_number("seed", seed, least=0)
    check_whole_number("n_neighbors", n_neighbors, least=2)
    if not isinstance(min_dist, int | float | np.number) or not 0 <= min_dist <= 1:
        raise ValueError(f"Expected min_dist from 0 to 1, got {min_dist!r}.")
    if n_components is None:
        return
    check_whole_number("n_components", n_components, least=1)
    if how not in ("pca", "umap"):
        raise ValueError(
            f'Expected n_components only with how="pca" or how="umap": how={how!r} keeps all dimensions.'
        )


def _count_different(rows: Any) -> int:
    return len(_find_different(to_host(rows))[0])


def _find_different(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the first of each set of equal rows, and which of these every row equals."""
    keys = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).ravel()
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")  # as they come, whatever their bytes
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[which]


def _scale_to_unit(rows: Any) -> Any:
    """Divide each row by its length; a row of zeros, which has no direction, stays as it is."""
    xp = get_namespace(rows)
    # The largest value first, so that no square overflows or vanishes.
    largest = xp.abs(rows).max(axis=1, keepdims=True)
    scaled = rows / xp.where(largest > 0, largest, 1)
    lengths = xp.sqrt((scaled.astype(xp.float64) ** 2).sum(axis=1, keepdims=True))
    return (scaled / xp.where(lengths > 0, lengths, 1)).astype(xp.float32)


def _find_components(rows: Any, *, n_components: int) -> tuple[Any, dict[str, np.ndarray]]:
    """Find the principal components, and the rows in them at unit length.

    In float64 from the smaller of the two products, by the same code on CPU and GPU: exact, without a seed.
    Each component points to where its largest loading is positive.
    """
    xp = get_namespace(rows)
    mean = rows.mean(axis=0, dtype=xp.float64)
    centred = rows.astype(xp.float64) - mean
    tall = len(rows) > rows.shape[1]
    values, vectors = xp.linalg.eigh(centred.T @ centred if tall else centred @ centred.T)
    values, vectors = values[::-1], vectors[:, ::-1]  # the largest first
    # What rounding leaves of a dimension that the rows do not have is no component.
    trace = max(float(values[0]), 0.0) * max(rows.shape) * np.finfo(np.float64).eps
    kept = min(n_components, int((values > trace).sum())) if trace > 0 else 0
    if kept == 0:  # one row, or all alike
        components = xp.zeros((1, rows.shape[1]))
    elif tall:
        components = vectors[:, :kept].T
    else:
        components = (vectors[:, :kept] / xp.sqrt(values[:kept])).T @ centred
    signs = xp.sign(xp.take_along_axis(components, xp.abs(components).argmax(axis=1)[:, None], axis=1))
    components = components * xp.where(signs == 0, 1, signs)
    parts = {"mean": to_host(mean), "components": to_host(components)}
    return _project(rows, parts), parts


def _project(rows: Any, parts: dict[str, np.ndarray]) -> Any:
    """Bring rows into the components, and to unit length."""
    xp = get_namespace(rows)
    mean, components = xp.asarray(parts["mean"]), xp.asarray(parts["components"])
    return _scale_to_unit((rows.astype(xp.float64) - mean) @ components.T)


def _lay_out(
    rows: Any, n_components: int, *, n_neighbors: int, min_dist: float, seed: int, progress: bool
) -> tuple[Any, dict[str, float]]:
    """Lay the different rows out by UMAP, where copies share a place; measure how new ones would fare."""
    xp = get_namespace(rows)
    first, which = _find_different(to_host(rows))
    unit = _scale_to_unit(rows[xp.asarray(first)])
    places = lay_out_rows(
        unit,
        n_components=n_components,
        n_neighbors=n_neighbors,
        min_dist=min_dist,
        metric="cosine",
        seed=seed,
        what="Preparing rows by UMAP",
        progress=progress,
    ).astype(xp.float32)
    if not bool(xp.isfinite(places).all()):
        raise RuntimeError(
            "UMAP gave places that are no numbers. Try another seed or more n_neighbors, or how='pca'."
        )
    return places[xp.asarray(which)], _measure_placement(unit, places, seed=seed)


def _measure_placement(unit: Any, places: Any, *, seed: int) -> dict[str, float]:
    """Measure how far from its own place a row is put by its nearest others."""
    xp = get_namespace(unit)
    rng = np.random.default_rng(seed)
    n = len(unit)
    asked = np.sort(rng.choice(n, min(n, _MEASURED), replace=False))
    own = xp.asarray(asked)
    guessed, nearest = _place_by_neighbours(unit[own], unit, places, without=asked)
    errors = to_host(xp.sqrt(((guessed - places[own]) ** 2).sum(axis=1)))
    one, other = rng.integers(n, size=(2, _MEASURED))
    apart = to_host(xp.sqrt(((places[xp.asarray(one)] - places[xp.asarray(other)]) ** 2).sum(axis=1)))
    typical = float(np.median(apart[one != other]))
    return {
        "median_error": float(np.median(errors)) / typical,
        "error_90": float(np.quantile(errors, 0.9)) / typical,
        "measured_rows": float(len(asked)),
        "far": float(np.percentile(nearest, _FAR)),
    }


def _place_by_neighbours(
    new: Any, known: Any, places: Any, *, without: np.ndarray | None = None
) -> tuple[Any, np.ndarray]:
    """Give new rows the mean place of the nearest known ones, and their distance (1 - cosine) to the nearest.

    Both are of unit length. `without` names for each new row the known one that does not count.
    """
    xp = get_namespace(known)
    new, places = xp.asarray(new), xp.asarray(places)
    n_neighbours = min(_PLACED_BY, len(known) - (without is not None))
    found, nearest = [], []
    for start in range(0, len(new), _BLOCK):
        likeness = new[start : start + _BLOCK] @ known.T
        if without is not None:
            block = without[start : start + _BLOCK]
            likeness[xp.arange(len(block)), xp.asarray(block)] = -np.inf
        chosen = xp.argpartition(-likeness, n_neighbours - 1, axis=1)[:, :n_neighbours]
        found.append(places[chosen].mean(axis=1))
        nearest.append(to_host(1 - likeness.max(axis=1)))
    return xp.concatenate(found).astype(xp.float32), np.concatenate(nearest)


def _check_trained_on(trained_on: Any, prepared: PreparedRows, rows: Any) -> Any:
    """Check that these are the rows that were prepared, and give them at unit length, on their device."""
    if trained_on is None:
        raise ValueError(
            "Expected trained_on, the embedding that was prepared: new images are put into UMAP's space by "
            'their nearest rows in it. Load it: load_embedding(folder, name="…").'
        )
    known = trained_on.x if is_embedding(trained_on) else trained_on
    check_embedding(known)
    wanted = prepared.provenance.get("inputs", {}).get("x")
    if len(known) != len(prepared.x) or (wanted and digest_input(known) != wanted):
        raise ValueError(
            f"Expected the {len(prepared.x)} rows that were prepared as trained_on, got others "
            f"({len(known)} rows). Load the embedding of that time, or prepare the rows again."
        )
    if known.shape[1] != rows.shape[1]:
        raise ValueError(
            f"Expected new rows of {known.shape[1]} values, as those that were prepared, got "
            f"{rows.shape[1]}: embed the new images by the same encoder."
        )
    if is_on_gpu(rows) != is_on_gpu(known):
        known = get_namespace(rows).asarray(to_host(known))
    return _scale_to_unit(known)
