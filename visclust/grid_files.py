"""Save each finished configuration of a search, so that an interrupted search goes on where it stopped."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from visclust.base.files import write_atomically
from visclust.clusters import ClusteringResult

__all__ = ["load_configuration", "name_configuration", "save_configuration"]

# Raised when the algorithm changes, so that results of an older one are computed again.
_ALGORITHM = 1


def name_configuration(input_digest: str, method: str, settings: dict[str, Any], seed: int) -> str:
    """Name a configuration by everything that its result depends on.

    Parameters
    ----------
    input_digest : str
        Digest of the embedding.
    method : str
        "iterative" or "single".
    settings : dict
        Settings; values that JSON can hold.
    seed : int
        Seed.

    Returns
    -------
    str
        32 hexadecimal digits.

    Examples
    --------
    >>> len(name_configuration("ab", "single", {"n_clusters": 3}, 0))
    32
    """
    parts = json.dumps([_ALGORITHM, input_digest, method, settings, seed], sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def save_configuration(folder: Path | None, key: str, result: ClusteringResult) -> None:
    """Save a result in one step; without a folder, do nothing.

    Parameters
    ----------
    folder : pathlib.Path or None
        The cache.
    key : str
        From `name_configuration`.
    result : ClusteringResult
        The result.

    Examples
    --------
    >>> save_configuration(None, "ab", None)
    """
    if folder is None:
        return
    record = {
        "log": json.loads(result.log.to_json(orient="split", double_precision=15)),
        "stop_reason": result.stop_reason,
        "provenance": result.provenance,
    }
    write_atomically(
        folder / f"{key}.npz",
        lambda file: np.savez_compressed(
            file,
            labels=result.labels,
            iterations=result.iterations,
            silhouettes=result.silhouettes,
            record=np.frombuffer(json.dumps(record).encode(), dtype=np.uint8),
        ),
    )


def load_configuration(folder: Path | None, key: str, *, n: int) -> ClusteringResult | None:
    """Load a saved result.

    Parameters
    ----------
    folder : pathlib.Path or None
        The cache.
    key : str
        From `name_configuration`.
    n : int
        Images that it must speak of.

    Returns
    -------
    ClusteringResult or None
        None where it was not saved.

    Raises
    ------
    ValueError
        If the file speaks of another number of images.

    Examples
    --------
    >>> load_configuration(Path("nowhere"), "ab", n=3) is None
    True
    """
    if folder is None or not (folder / f"{key}.npz").exists():
        return None
    with np.load(folder / f"{key}.npz", allow_pickle=False) as saved:
        record = json.loads(saved["record"].tobytes())
        result = ClusteringResult(
            saved["labels"],
            pd.DataFrame(record["log"]["data"], columns=record["log"]["columns"]),
            saved["iterations"],
            saved["silhouettes"],
            record["stop_reason"],
            record["provenance"],
        )
    if len(result.labels) != n:
        raise ValueError(
            f"Expected {n} labels in {folder / f'{key}.npz'}, got {len(result.labels)}: remove the file."
        )
    return result
