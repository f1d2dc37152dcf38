"""Save and load embeddings: a matrix, and beside it the ids of its rows and how it was made."""

import base64
import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from visclust.base.backend import to_host
from visclust.base.checks import checked
from visclust.base.damage import read_json, read_matrix
from visclust.base.freshness import find_writer, require_fresh
from visclust.base.origins import list_sources, register_file, register_rows
from visclust.base.pairs import hold_folder, settle_pair, write_pair
from visclust.base.provenance import digest_ids, digest_input
from visclust.base.withdrawals import refuse_withdrawn
from visclust.embedding.embed import Embedding
from visclust.embedding.preparation import PREPARATIONS, PreparedRows


@checked
def save_embedding(embedding: Embedding | PreparedRows, folder: str | os.PathLike, *, name: str) -> Path:
    """Save an embedding as ``<name>.npy`` with its sidecar ``<name>.json``.

    Parameters
    ----------
    embedding : Embedding or PreparedRows
        From `embed_images`, or from `prepare_rows`: then the sidecar also holds what new rows need.
    folder : str or path
        Conventionally ``embeddings``.
    name : str
        Letters, digits, ``_``, ``-`` and ``.``.

    Returns
    -------
    pathlib.Path
        The matrix's file. Matrix and sidecar are replaced as one: whenever the writer dies, both are the old
        ones or both the new. The sidecar holds the matrix's digest, so that others put together are noticed.

    Raises
    ------
    ValueError
        If the name cannot be a file name, ids and rows differ in number, an id is no text or comes twice, or
        the matrix does not hold finite numbers.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> embedding = Embedding(np.zeros((2, 3), dtype="float32"), ["a", "b"], {})
    >>> save_embedding(embedding, folder, name="toy").name
    'toy.npy'
    >>> load_embedding(folder, name="toy", image_ids=["a", "b"]).x.shape
    (2, 3)
    """
    matrix = _name_file(folder, name)
    x = np.ascontiguousarray(to_host(embedding.x))
    if embedding.image_ids is None:
        raise ValueError(
            "Expected rows whose images are known, got a bare matrix that was prepared without ids. Give "
            "prepare_rows the embedding, or image_ids=."
        )
    ids = list(embedding.image_ids)
    if x.ndim != 2 or len(ids) != len(x):
        raise ValueError(f"Expected an id for each row of a matrix, got shape {x.shape} and {len(ids)} ids.")
    _check_rows(x, ids)
    refuse_withdrawn(matrix, images=ids)
    digest = digest_input(x)
    record = _describe_saved(embedding.provenance, digest)
    sidecar = {
        "name": name,
        "shape": list(x.shape),
        "dtype": str(x.dtype),
        "digest": digest,
        "ids_digest": digest_ids(ids),
        "provenance": {**record, "sources": list_sources(matrix, record.get("origins", {}))},
        "image_ids": ids,
    }
    if isinstance(embedding, PreparedRows):
        sidecar["preparation"] = {
            "how": embedding.how,
            "placement": embedding.placement,
            "parts": {part: _spell_array(value) for part, value in embedding.parts.items()},
        }
    write_pair(
        matrix,
        lambda file: np.save(file, x, allow_pickle=False),
        matrix.with_suffix(".json"),
        lambda _: json.dumps(sidecar, indent=1),
    )
    register_file(matrix, [digest])
    register_rows(digest, ids)
    return matrix


def _spell_array(value: np.ndarray) -> dict[str, Any]:
    """Spell an array as JSON holds it: its bytes in base64, lowest first, which keeps every bit."""
    plain = np.ascontiguousarray(value, dtype="<f8")
    return {"shape": list(plain.shape), "float64": base64.b64encode(plain.tobytes()).decode()}


def _read_preparation(sidecar: dict[str, Any], path: Path) -> tuple[str, dict[str, Any], dict[str, float]]:
    """Read what new rows need from a sidecar, and refuse one that is damaged."""
    try:
        content = sidecar["preparation"]
        how, placement = content["how"], dict(content["placement"])
        if how not in PREPARATIONS:
            raise ValueError(f"the preparation {how!r} is not known here")
        parts = {
            part: np.frombuffer(base64.b64decode(each["float64"]), dtype="<f8").reshape(each["shape"])
            for part, each in content["parts"].items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}): prepare the rows again.") from error
    return how, parts, placement


def _describe_saved(record: dict[str, Any], now: str) -> dict[str, Any]:
    """Give the record of an embedding, which says so where the matrix is not the one that was made."""
    made = record.get("result", {}).get("x")
    if made in (None, now):  # files written before records held digests leave it open
        return record
    return {**record, "changed_after": True, "result": {"x": now}}


def _check_rows(x: np.ndarray, ids: list[str]) -> None:
    if not np.issubdtype(x.dtype, np.number) or not np.isfinite(x).all():
        raise ValueError(f"Expected a matrix of finite numbers, got dtype {x.dtype} or missing values in it.")
    wrong = next((each for each in ids if not isinstance(each, str)), None)
    if wrong is not None:
        raise ValueError(f"Expected ids as text, got {wrong!r}.")
    if len(set(ids)) < len(ids):
        twice = next(each for each, count in Counter(ids).items() if count > 1)
        raise ValueError(f"Expected one row per image, but {twice!r} has several.")


@checked
def load_embedding(
    folder: str | os.PathLike,
    *,
    name: str,
    image_ids: Sequence[str] | pd.Series | None = None,
    mmap: bool = False,
    stale: str = "refuse",
) -> Embedding | PreparedRows:
    """Load an embedding, and refuse one whose rows are not the images asked for, or that is stale.

    Parameters
    ----------
    folder : str or path
        Where `save_embedding` put it.
    name : str
        Its name.
    image_ids : sequence of str, optional
        Ids that its rows must have, in this order; not checked if left out.
    mmap : bool, default False
        Leave the matrix on disk and read the rows that are used, for matrices larger than memory; they
        cannot be written to. Checking the digest reads the file once all the same.
    stale : {"refuse", "warn"}, default "refuse"
        What to do if the images, or the encoder, have been made anew since, as in `read_table`.

    Returns
    -------
    Embedding or PreparedRows
        ``x, image_ids, provenance``; of prepared rows also ``how, parts, placement``.

    Raises
    ------
    FileNotFoundError
        If there is no such embedding.
    StaleError
        If it was made from a file that has been made anew since; names both, and the notebooks to run.
    ValueError
        If ids differ, or matrix and sidecar do not belong together.

    Examples
    --------
    >>> load_embedding("nowhere", name="toy")
    Traceback (most recent call last):
    FileNotFoundError: No embedding 'toy' in nowhere: toy.npy is missing. Run the notebook that ...
    """
    matrix = _name_file(folder, name)
    x, sidecar = _read_both(matrix, mmap=mmap)
    if digest_input(x) != sidecar["digest"]:
        raise ValueError(
            f"{matrix} is not the matrix that {name}.json describes (their digests differ): one of them is "
            f"damaged, or another file's. {_advise(matrix)}"
        )
    ids = sidecar["image_ids"]
    if len(ids) != len(x):
        raise ValueError(f"Expected {len(x)} ids in {name}.json, got {len(ids)}: embed the images again.")
    if digest_ids(ids) != sidecar["ids_digest"]:
        raise ValueError(f"The ids in {name}.json have changed since it was written: embed the images again.")
    if image_ids is not None:
        _check_ids(ids, list(image_ids), name)
    require_fresh(matrix, stale=stale)
    register_rows(sidecar["digest"], ids)
    if "preparation" in sidecar:
        how, parts, placement = _read_preparation(sidecar, matrix.with_suffix(".json"))
        return PreparedRows(x, ids, sidecar["provenance"], how, parts, placement)
    return Embedding(x, ids, sidecar["provenance"])


def _read_both(matrix: Path, *, mmap: bool) -> tuple[np.ndarray, dict[str, Any]]:
    """Read a matrix and its sidecar, while nobody replaces them."""
    if not matrix.parent.is_dir():
        raise _miss(matrix.parent, matrix.stem, matrix)
    with hold_folder(matrix.parent):
        sidecar = settle_pair(matrix, matrix.with_suffix(".json"))
        for path in (matrix, sidecar):
            if not path.exists():
                raise _miss(matrix.parent, matrix.name.removesuffix(".npy"), path)
        return read_matrix(matrix, mmap=mmap, advice=_advise(matrix)), _read_sidecar(sidecar)


def _miss(folder: Path, name: str, path: Path) -> FileNotFoundError:
    return FileNotFoundError(
        f"No embedding {name!r} in {folder}: {path.name} is missing. Run the notebook that writes it first."
    )


def _check_ids(found: list[str], wanted: list[str], name: str) -> None:
    if found == wanted:
        return
    if set(found) == set(wanted):
        reason = "it has the same images in another order"
    else:
        reason = (
            f"{len(set(wanted) - set(found))} images are not in it, and "
            f"{len(set(found) - set(wanted))} of its rows are other images"
        )
    row = next((i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), None)
    if row is not None:
        reason += f"; the first difference is row {row}: {found[row]!r} instead of {wanted[row]!r}"
    raise ValueError(
        f"The embedding {name!r} has {len(found)} rows and does not match the {len(wanted)} images given: "
        f"{reason}. Embed the images again, or load the images table it was made from."
    )


@checked
def list_embeddings(folder: str | os.PathLike) -> pd.DataFrame:
    """List the embeddings saved in a folder.

    Parameters
    ----------
    folder : str or path
        Conventionally ``embeddings``.

    Returns
    -------
    DataFrame
        ``name, images, dimension, encoder, device, made_at``, by name; no rows where there is no folder.

    Examples
    --------
    >>> len(list_embeddings("nowhere"))
    0
    """
    rows = []
    for path in sorted(Path(folder).glob("*.json")):
        if not path.with_suffix(".npy").exists():
            continue  # another file's
        sidecar = _read_sidecar(settle_pair(path.with_suffix(".npy"), path))
        made = sidecar["provenance"]
        rows.append(
            {
                "name": sidecar["name"],
                "images": sidecar["shape"][0],
                "dimension": sidecar["shape"][1],
                "encoder": made.get("parameters", {}).get("encoder", ""),
                "device": made.get("device", ""),
                "made_at": made.get("made_at", ""),
            }
        )
    return pd.DataFrame(rows, columns=["name", "images", "dimension", "encoder", "device", "made_at"])


def _name_file(folder: str | os.PathLike, name: str) -> Path:
    if not name or name != Path(name).name or name.startswith(".") or set(name) & set('\\/:*?"<>|\0'):
        raise ValueError(f"Expected the name of an embedding as a plain file name, got {name!r}.")
    return Path(folder) / f"{name}.npy"


def _advise(path: Path) -> str:
    writer = find_writer(path)
    return f"Embed the images again{f' (notebook {writer})' if writer else ''}."


def _read_sidecar(path: Path) -> dict[str, Any]:
    wanted = {"name", "shape", "dtype", "digest", "ids_digest", "provenance", "image_ids"}
    sidecar = read_json(path, "the sidecar of an embedding", _advise(path.with_suffix(".npy")))
    if not isinstance(sidecar, dict) or not wanted <= sidecar.keys():
        raise ValueError(
            f"{path} is damaged, or no sidecar of an embedding: it needs {', '.join(sorted(wanted))}. "
            f"{_advise(path.with_suffix('.npy'))}"
        )
    fits = isinstance(sidecar["image_ids"], list) and all(
        isinstance(each, str) for each in sidecar["image_ids"]
    )
    shape = sidecar["shape"]
    fits &= isinstance(shape, list) and len(shape) == 2 and isinstance(sidecar["provenance"], dict)
    if not fits:
        raise ValueError(f"{path} is damaged: ids, shape or record are none. {_advise(path)}")
    return sidecar
