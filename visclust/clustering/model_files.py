"""Models of clusters as plain files: a matrix of centres, and beside it the rest in words and numbers."""

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from visclust.base.checks import checked
from visclust.base.damage import read_json, read_matrix
from visclust.base.freshness import require_fresh
from visclust.base.origins import list_sources, register_file
from visclust.base.pairs import hold_folder, settle_pair, write_pair
from visclust.base.provenance import digest_input
from visclust.clustering.new_images import ClusterModel

_COLUMNS = ("cluster", "size", "distance", "threshold", "false_alarm")
_AGAIN = "Make and save the model again (make_cluster_model, save_cluster_model)."


@checked
def save_cluster_model(model: ClusterModel, folder: str | os.PathLike, *, name: str) -> Path:
    """Save a model of clusters as ``<name>.npy`` (the centres) with ``<name>.json`` (all the rest).

    Parameters
    ----------
    model : ClusterModel
        From `make_cluster_model`.
    folder : str or path
        Conventionally ``models``.
    name : str
        Letters, digits, ``_``, ``-`` and ``.``.

    Returns
    -------
    pathlib.Path
        The matrix's file. Both files are replaced as one. The ``.json`` holds a digest of each, thresholds,
        the space of the rows, and the record with the digests of the embedding and of the clusters.

    Raises
    ------
    ValueError
        If the name cannot be a file name, or centres and table do not belong together.

    Examples
    --------
    >>> import tempfile
    >>> from visclust.clustering.new_images import make_cluster_model
    >>> clusters = pd.DataFrame({"image_id": list("abc"), "cluster": [0, 0, 1]})
    >>> model = make_cluster_model(np.array([[0.0], [1.0], [9.0]]), clusters)
    >>> folder = Path(tempfile.mkdtemp())
    >>> save_cluster_model(model, folder, name="toy").name
    'toy.npy'
    >>> load_cluster_model(folder, name="toy").table["size"].tolist()
    [2, 1]
    """
    matrix = _name_file(folder, name)
    centers = np.ascontiguousarray(model.centers, dtype=np.float64)
    if centers.ndim != 2 or len(centers) != len(model.table) or not set(_COLUMNS) <= set(model.table.columns):
        raise ValueError(
            f"Expected a model with a centre for each row of its table ({', '.join(_COLUMNS)}), got "
            f"{centers.shape} and {len(model.table)} rows: make it by make_cluster_model."
        )
    digest = digest_input(centers)
    record = dict(model.provenance)
    content = {
        "name": name,
        "quantile": model.quantile,
        "space": model.space,
        "unassigned_flagged": _spell(model.unassigned_flagged),
        "clusters": [
            {column: _spell(value) for column, value in row.items()}
            for row in model.table[list(_COLUMNS)].to_dict("records")
        ],
    }
    sidecar = {
        **content,
        "digest": digest,
        "content_digest": _digest(content),
        "provenance": {**record, "sources": list_sources(matrix, record.get("origins", {}))},
    }
    write_pair(
        matrix,
        lambda file: np.save(file, centers, allow_pickle=False),
        matrix.with_suffix(".json"),
        lambda _: json.dumps(sidecar, indent=1),
    )
    register_file(matrix, [digest])
    return matrix


@checked
def load_cluster_model(folder: str | os.PathLike, *, name: str, stale: str = "refuse") -> ClusterModel:
    """Load a model of clusters, and refuse one that is damaged or stale.

    Parameters
    ----------
    folder : str or path
        Where `save_cluster_model` put it.
    name : str
        Its name.
    stale : {"refuse", "warn"}, default "refuse"
        What to do if the clusters or the embedding have been made anew since, as in `read_table`.

    Returns
    -------
    ClusterModel
        As it was saved, to the last bit.

    Raises
    ------
    FileNotFoundError
        If there is no such model.
    StaleError
        If it was made from a file that has been made anew since.
    ValueError
        If a file is damaged, was changed, or the two do not belong together.

    Examples
    --------
    >>> import tempfile
    >>> from visclust.clustering.new_images import make_cluster_model
    >>> clusters = pd.DataFrame({"image_id": list("abc"), "cluster": [0, 0, 1]})
    >>> folder = Path(tempfile.mkdtemp())
    >>> model = make_cluster_model(np.array([[0.0], [1.0], [9.0]]), clusters)
    >>> _ = save_cluster_model(model, folder, name="toy")
    >>> load_cluster_model(folder, name="toy").table["size"].tolist()
    [2, 1]
    """
    matrix = _name_file(folder, name)
    if not matrix.parent.is_dir():
        raise _miss(matrix, matrix)
    with hold_folder(matrix.parent):
        sidecar = settle_pair(matrix, matrix.with_suffix(".json"))
        for path in (matrix, sidecar):
            if not path.exists():
                raise _miss(matrix, path)
        centers = read_matrix(matrix, advice=_AGAIN)
        found = read_json(sidecar, "the sidecar of a model of clusters", _AGAIN)
    try:
        content = {key: found[key] for key in ("name", "quantile", "space", "unassigned_flagged", "clusters")}
        right = digest_input(centers) == found["digest"] and _digest(content) == found["content_digest"]
        record = dict(found["provenance"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{sidecar} is no sidecar of a model of clusters ({error!r}). {_AGAIN}") from error
    if not right:
        raise ValueError(
            f"{matrix.name} and {sidecar.name} are not as they were saved (their digests differ): one of "
            f"them was changed, is damaged, or another model's. {_AGAIN}"
        )
    require_fresh(matrix, stale=stale)
    table = pd.DataFrame(content["clusters"], columns=list(_COLUMNS))
    table = table.astype({"cluster": "int64", "size": "int64", **dict.fromkeys(_COLUMNS[2:], "float64")})
    flagged = content["unassigned_flagged"]
    return ClusterModel(
        table,
        centers,
        float(content["quantile"]),
        content["space"],
        float("nan") if flagged is None else float(flagged),
        record,
    )


def _name_file(folder: str | os.PathLike, name: str) -> Path:
    if not name or name != Path(name).name or name.startswith(".") or set(name) & set('\\/:*?"<>|\0'):
        raise ValueError(f"Expected the name of a model as a plain file name, got {name!r}.")
    return Path(folder) / f"{name}.npy"


def _miss(matrix: Path, path: Path) -> FileNotFoundError:
    return FileNotFoundError(
        f"No model of clusters {matrix.stem!r} in {matrix.parent}: {path.name} is missing. {_AGAIN}"
    )


def _spell(value: Any) -> Any:
    """Spell a number as JSON holds it: Python writes floats so that every bit comes back; NaN is null."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and math.isnan(value) else value


def _digest(content: dict[str, Any]) -> str:
    return digest_input(np.frombuffer(json.dumps(content, sort_keys=True).encode(), dtype=np.uint8))
