"""Say how a result was made: parameters, seed, versions, digest of the inputs, device."""

import hashlib
import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

_PACKAGES = (
    "visclust",
    "numpy",
    "pandas",
    "scikit-learn",
    "scipy",
    "statsmodels",
    "imagehash",
    "umap-learn",
    "torch",
    "torchvision",
    "timm",
    "pillow",
    "cuml-cu13",
    "cuml-cu12",
)


def digest_input(value: Any) -> str:
    """Digest an array or a table, so that two results can be known to rest on the same input."""
    state = hashlib.sha256()
    if isinstance(value, pd.DataFrame):
        state.update("\x1f".join(map(str, value.columns)).encode())
        for column in value.columns:
            state.update("\x1f".join(map(str, value[column])).encode("utf-8", "surrogatepass"))
            state.update(b"\x1e")
    else:
        array = np.ascontiguousarray(value)
        state.update(f"{array.dtype.str}{array.shape}".encode())
        state.update(array.data if array.size else b"")
    return state.hexdigest()[:32]


def digest_ids(image_ids: Any) -> str:
    """Digest a sequence of image ids in their order, as a sidecar records it."""
    return hashlib.sha256("\n".join(image_ids).encode()).hexdigest()[:32]


def describe_run(
    function: str,
    *,
    parameters: dict[str, Any] | None = None,
    seed: int | None = None,
    inputs: dict[str, Any] | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """Describe one run of a function for the record that every saved result carries.

    Parameters
    ----------
    function : str
        Name of the function that made the result.
    parameters : dict, optional
        Its settings; values that JSON can hold.
    seed : int, optional
        The seed, where there is one.
    inputs : dict, optional
        Arrays, tables, or digests already made, by name.
    device : str, default "cpu"
        Where it ran: "cpu" or "gpu", or a fuller name of the device.

    Returns
    -------
    dict
        Keys ``function, parameters, seed, inputs, device, versions, made_at``; JSON holds it all.

    Examples
    --------
    >>> describe_run("draw_stratified_sample", seed=1)["seed"]
    1
    """
    return {
        "function": function,
        "parameters": parameters or {},
        "seed": seed,
        "inputs": {
            name: value if isinstance(value, str) else digest_input(value)
            for name, value in (inputs or {}).items()
        },
        "device": device,
        "versions": {"python": platform.python_version(), **_list_versions()},
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _list_versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def digest_file(path: str | os.PathLike) -> str:
    """Digest a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_text(text: str) -> str:
    """Digest a text to 16 hexadecimal digits, under which a browser keeps what belongs to it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
