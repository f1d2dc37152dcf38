"""Take matrices and labels in whatever form they come, or say why not: the same in every function."""

import math
from typing import Any

import numpy as np
import pandas as pd

from visclust.base.backend import get_namespace, is_on_gpu, to_host
from visclust.base.provenance import is_embedding, note_run

_LISTED = 5
_PIECE = 2**24  # numbers looked at together
# Whole numbers beyond this one have no float64 of their own.
_LARGEST_WHOLE = 2**53
# Squares of numbers within these bounds, and sums of many of them, are far from the ends of float32.
_SMALLEST, _LARGEST = 2.0**-30, 2.0**30


def take_matrix(x: Any, *, name: str = "x") -> Any:
    """Give an embedding's rows as a finite matrix (n, d) of float32 or float64, on the device they are on.

    Taken are an `Embedding`, arrays of NumPy and CuPy, lists of lists, DataFrames of numbers and torch
    tensors; float16 becomes float32, whole numbers become float64. TypeError and ValueError say what else
    came. Forms that records do not know by themselves are noted under the argument's name.
    """
    given = x.x if is_embedding(x) else x
    x = _to_array(given, name)
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"Expected {name} of shape (n, d) with at least one row and column, got {x.shape}.")
    x = _to_float(x, name)
    bad = _find_unfinite(x)
    if len(bad):
        raise ValueError(
            f"Expected finite numbers in {name}, but {len(bad)} of {len(x)} rows hold NaN or infinity "
            f"({_list_places(bad)}): embed those images again or leave them out."
        )
    if not (isinstance(given, np.ndarray | pd.DataFrame) or is_on_gpu(given)):
        note_run(inputs={name: x})
    return x


def _find_unfinite(x: Any) -> np.ndarray:
    """Find the rows that hold NaN or infinity, in pieces: a mask of a large matrix is large as well."""
    xp = get_namespace(x)
    size = max(1, _PIECE // x.shape[1])
    found = [
        to_host(xp.flatnonzero(~xp.isfinite(x[i : i + size]).all(axis=1))) + i for i in range(0, len(x), size)
    ]
    return np.concatenate(found)


def _to_array(x: Any, name: str) -> Any:
    if is_on_gpu(x):
        return x
    library = type(x).__module__.partition(".")[0]
    if library == "torch":
        x = x.detach().cpu()
        x = x.float().numpy() if "bfloat16" in str(x.dtype) else x.numpy()
    elif isinstance(x, pd.DataFrame):
        wrong = [str(name) for name in x.columns if not _holds_numbers(x[name])]
        if wrong:
            raise TypeError(
                f"Expected {name} as a table of numbers, but {', '.join(wrong[:_LISTED])} hold others: "
                "leave these columns out."
            )
        x = x.to_numpy(dtype=np.float64, na_value=np.nan) if len(x.columns) else np.empty(x.shape)
    elif hasattr(x, "toarray"):
        raise TypeError(
            f"Expected {name} as a dense array of shape (n, d), got {type(x).__name__}. Use x.toarray()."
        )
    elif isinstance(x, list | tuple):
        try:
            x = np.asarray(x)
        except ValueError as error:
            raise ValueError(f"Expected {name} with rows of one length, got rows of several.") from error
        except TypeError as error:
            raise TypeError(
                f"Expected {name} as rows of numbers, got {type(x).__name__} of others."
            ) from error
    elif not isinstance(x, np.ndarray):
        raise TypeError(
            f"Expected {name} as an array of shape (n, d), got {type(x).__name__}. Give an Embedding, "
            "an array, a table of numbers, or lists."
        )
    if isinstance(x, np.ma.MaskedArray):
        if np.ma.is_masked(x):
            raise ValueError(
                f"Expected {name} with numbers in all places, got masked ones: leave those rows out."
            )
        x = x.data
    return np.asarray(x)


def _holds_numbers(column: Any) -> bool:
    if not isinstance(column, pd.Series):  # two columns of one name
        return False
    kinds = pd.api.types
    return kinds.is_numeric_dtype(column) and not (
        kinds.is_bool_dtype(column) or kinds.is_complex_dtype(column)
    )


def _to_float(x: Any, name: str) -> Any:
    """Give a matrix of numbers as float32 or float64 in the machine's own order of bytes."""
    if x.dtype in (np.float32, np.float64):
        return x if is_on_gpu(x) or x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))
    if x.dtype == np.float16:
        return x.astype(np.float32)
    if x.dtype.kind in "iu":
        if max(abs(int(x.max())), abs(int(x.min()))) > _LARGEST_WHOLE:
            raise ValueError(
                f"Expected whole numbers up to 2^53 in {name}, got larger ones: float64 confuses them."
            )
        return x.astype(np.float64)
    if x.dtype.kind == "f":
        with np.errstate(over="ignore"):
            rounded = x.astype(np.float64)
        if not np.array_equal(np.isfinite(x), np.isfinite(rounded)):
            raise ValueError(f"Expected {name} within float64, got larger ones in {x.dtype}: scale them.")
        return rounded
    raise TypeError(f'Expected {name} of dtype float32 or float64, got {x.dtype}. Use x.astype("float32").')


def _list_places(places: np.ndarray) -> str:
    some = ", ".join(map(str, places[:_LISTED].tolist()))
    more = f" and {len(places) - _LISTED} more" if len(places) > _LISTED else ""
    return f"row {some}" if len(places) == 1 else f"rows {some}{more}"


def take_labels(labels: Any, *, n: int) -> np.ndarray:
    """Give the cluster of each of n rows as a flat array on the host: whole numbers, or texts.

    Whole numbers in floats become whole numbers; a label that is missing is an error that names its row.
    """
    if type(labels).__module__.partition(".")[0] == "torch":
        labels = labels.detach().cpu().numpy()
    elif isinstance(labels, pd.Series | pd.Index | pd.Categorical):
        labels = np.asarray(labels.astype(object))
        labels = np.array([None if pd.isna(each) else each for each in labels], dtype=object)
    elif isinstance(labels, list | tuple) and any(each is None for each in labels):
        labels = np.array(labels, dtype=object)
    found = to_host(labels)
    if found.ndim != 1 or len(found) != n:
        raise ValueError(f"Expected labels, one for each of the {n} rows, got {_describe_shape(found)}.")
    if found.dtype.kind == "O":
        missing = np.flatnonzero([each is None or each != each for each in found])  # NaN
        _refuse_labels(missing)
        found = np.array(found.tolist())
    if found.dtype.kind == "f":
        _refuse_labels(np.flatnonzero(np.isnan(found)))
        if not (np.isfinite(found) & (found == np.floor(found)) & (np.abs(found) <= _LARGEST_WHOLE)).all():
            raise ValueError("Expected labels as whole numbers, got fractions or infinity among them.")
        found = found.astype(np.int64)
    if found.dtype.kind not in "iubUT":
        raise TypeError(f"Expected labels as whole numbers or texts, got dtype {found.dtype}.")
    return found.astype(np.int64) if found.dtype.kind == "b" else found


def _refuse_labels(missing: np.ndarray) -> None:
    if len(missing):
        raise ValueError(
            f"Expected labels for each row, but {len(missing)} are missing ({_list_places(missing)}): leave "
            "those rows out, or give -1 where an image is unassigned."
        )


def _describe_shape(found: np.ndarray) -> str:
    return f"{len(found)} labels" if found.ndim == 1 else f"labels of shape {found.shape}"


def find_scale(x: Any) -> float:
    """Find the power of two by which a matrix is multiplied so that its squares stay within floats.

    1 for ordinary numbers. Powers of two round nothing.
    """
    largest = max(float(x.max()), -float(x.min()))
    if largest == 0 or _SMALLEST <= largest <= _LARGEST:
        return 1.0
    # Two factors could be needed from the smallest to 1; what is that small stays below 1 then.
    return 2.0 ** max(-1022, min(1022, -math.frexp(largest)[1]))


def rescale(x: Any) -> Any:
    """Give the matrix times `find_scale`, in float64 where that is another one; the same object where not."""
    scale = find_scale(x)
    return x if scale == 1 else x.astype(np.float64) * scale
