"""The record of a run: made by the function itself from its arguments; and every digest that records hold."""

import dataclasses
import functools
import hashlib
import inspect
import math
import os
import platform
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
import pandas as pd

from visclust.base.backend import describe_device, is_on_gpu, to_host
from visclust.base.checks import checked, settle_arguments
from visclust.base.damage import explain_damage
from visclust.base.origins import (
    ANSWERS,
    describe_answer_file,
    describe_origins,
    find_core,
    find_record,
    join_origins,
    keep_origins,
    list_sources,
    recall_origins,
    register_file,
    register_rows,
)
from visclust.base.places import drop_common_folder
from visclust.base.simulated import MARK, is_simulated

P = ParamSpec("P")
R = TypeVar("R")

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
# Parameters that name files to write or to complete: what lay there before is no input.
_WRITTEN = ("save_to", "cache")
# A longer list, such as one of image ids, stands in the record as its length and digest.
_LISTED = 200
_DATA = object()


class Record(dict):
    """The record of a run, for reading only.

    pandas copies what a table carries in `attrs` with every column that is taken from it; a record stays the
    same object then, which makes it free.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> "Record":
        return self


# The record of the recorded function that is running, innermost.
_running: ContextVar["_Run | None"] = ContextVar("visclust_running", default=None)


@checked
def describe_run(
    function: str,
    *,
    parameters: dict[str, Any] | None = None,
    seed: int | None = None,
    inputs: dict[str, Any] | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """Describe a run of code of your own, for the record that every saved result carries.

    The functions of visclust make their record themselves; `save_table` and `save_embedding` take it from
    what they return.

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
    >>> describe_run("my_own_sampling", seed=1)["seed"]
    1
    """
    return {
        "function": function,
        "parameters": parameters or {},
        "seed": seed,
        "inputs": _digest_all(inputs),
        "device": device,
        "versions": list_versions(),
        "made_at": _now(),
    }


def recorded(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function make the record of its run from its arguments, and put it on what it returns.

    Tables and arrays among the arguments, also inside mappings, lists and results, become digests in
    ``inputs``, named ``x`` or ``runs.first``; so do the bytes of a file that a path names. Everything else
    becomes a parameter that JSON can hold. ``inputs_made_by`` tells of inputs that carry a record themselves
    which function made them. What the arguments do not show, the function adds by `note_run`.

    A table that is returned carries the record in ``attrs["provenance"]``, with ``result``, the digest of
    that table. Of a NamedTuple its tables do, and its field ``provenance`` is filled, unless it brings a
    whole record, as results read from a cache do. Anything else is returned as it is. No argument is changed.
    Arguments are refused or brought to their plain form first, as `checked` does.
    """
    signature = inspect.signature(function)
    paths = {
        name
        for name, parameter in signature.parameters.items()
        if "Path" in str(parameter.annotation) and name not in _WRITTEN
    }

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return function(*args, **kwargs)  # which says by its own name what is wrong
        settle_arguments(function, bound)
        args, kwargs = bound.args, bound.kwargs  # type: ignore[assignment]
        bound.apply_defaults()
        arguments = dict(bound.arguments)
        for name, parameter in signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                arguments |= arguments.pop(name)
        begin = functools.partial(_begin, function.__name__, arguments, paths)
        nested = _running.get() is not None
        current = _Run(begin) if nested else _Run(begin, begin())
        token = _running.set(current)
        try:
            result = function(*args, **kwargs)
        finally:
            _running.reset(token)
        # The outer call marks what an inner one returns: only a result that keeps its record in a field needs
        # one of its own, and digests inside loops cost more than the work.
        if nested and "provenance" not in getattr(result, "_fields", ()):
            return result
        return _stamp(result, {**current.open(), "made_at": _now()})

    run.checks_arguments = run.records_run = True  # type: ignore[attr-defined]
    return run


class _Run:
    """The record of a call that is running, made when it is first asked for."""

    def __init__(self, begin: Callable[[], dict[str, Any]], record: dict[str, Any] | None = None) -> None:
        self._begin = begin
        self._record = record

    def open(self) -> dict[str, Any]:
        """Give the record, to be added to."""
        if self._record is None:
            self._record = self._begin()
        return self._record


def note_run(
    *,
    parameters: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    device: str | None = None,
    answer_files: Iterable[str | os.PathLike] = (),
) -> dict[str, Any]:
    """Add to the record of the recorded function that is running what its arguments do not show.

    Gives the record as it is then, for files that the function writes itself; outside any recorded function
    an empty one. What is added stands in the place of what the arguments said under the same name.
    `answer_files` were read, and only ever grow: more answers later make the result no worse.
    """
    run = _running.get()
    if run is None:
        return {}
    record = run.open()
    record["parameters"] |= {name: _describe(value) for name, value in (parameters or {}).items()}
    record["inputs"] |= _digest_all(inputs)
    if device is not None:
        record["device"] = device
    for path in answer_files:
        read = describe_answer_file(path)
        register_file(path, [read])
        record["origins"] = join_origins(record["origins"], {ANSWERS: [read]})
        record["direct"] = [*record["direct"], read]
    return {**record, "parameters": dict(record["parameters"]), "inputs": dict(record["inputs"])}


def record_stream(path: str | os.PathLike, kind: str | None) -> dict[str, Any]:
    """Give the record for a file that the recorded function that is running writes a part at a time.

    Its table is never there as a whole to be digested: a name that no other file has stands for it.
    """
    record = {"kind": kind, **note_run()}
    record["sources"] = list_sources(path, record.get("origins", {}))
    return record | {"digest": secrets.token_hex(16)}


def carry_record(table: pd.DataFrame, record: Mapping[str, Any]) -> pd.DataFrame:
    """Give a table with the record of the run that made it, and the table's own digest in the record."""
    # A copy, as the table may be an argument of the function that returns it; its columns are shared.
    table = table.copy(deep=False)
    table.attrs["provenance"] = Record({**record, **_digest_result(table)})
    return table


def _digest_result(table: pd.DataFrame) -> dict[str, Any]:
    """Digest a table for its record: all of it, and what others build on, where it is of a known kind."""
    core = find_core(table)
    digests: dict[str, Any] = {"result": digest_input(table), "kind_of_core": None, "core": None}
    digests[MARK] = is_simulated(table)
    return digests if core is None else digests | {"kind_of_core": core.kind, "core": core.digest}


def add_inputs(record: Mapping[str, Any], **inputs: Any) -> dict[str, Any]:
    """Add inputs to a record that was made without them, as where two calls make one table."""
    digests = _digest_all(inputs)
    added = describe_origins((value, digests[name]) for name, value in inputs.items())
    return {
        **record,
        "inputs": {**record.get("inputs", {}), **digests},
        "origins": join_origins(record.get("origins"), added["origins"]),
        "direct": [*record.get("direct", []), *added["direct"]],
    }


def describe_saved(
    table: pd.DataFrame,
    *,
    provenance: Mapping[str, Any] | None = None,
    made_from: Iterable[Any] = (),
) -> dict[str, Any]:
    """Make the record that goes into a table's file, and say there if the table was changed since its run.

    `provenance` with a function is the record itself; otherwise it is added to what is known. `made_from`
    are tables and results that the table was put together from outside any recorded function.
    """
    unknown: dict[str, Any] = {"origins": {}, "direct": []}
    if provenance is not None and "function" in provenance:
        return {**unknown, **provenance, **_digest_result(table)}
    nobody = {**describe_run("nobody"), "function": None, "device": None, **unknown}
    made_from = list(made_from)
    sources = [_recall(each) for each in made_from]
    if sources:
        tables = [
            (each, source["result"])
            for each, source in zip(made_from, sources, strict=True)
            if isinstance(each, pd.DataFrame)
        ]
        known = describe_origins(tables)
        known["origins"] = join_origins(known["origins"], *map(recall_origins, made_from))
        record = {**nobody, "made_from": sources, **known, **_digest_result(table)}
    elif find_record(table):
        record = {**unknown, **_recall(table)}
    else:
        note = "How the table was made is not known: it came without a record."
        record = {**nobody, "note": note, **_digest_result(table)}
    return record | dict(provenance or {})


def _recall(made: Any) -> dict[str, Any]:
    """Give the record that a table or a result carries, with the digest of a table as it is now."""
    record = find_record(made)
    if not isinstance(made, pd.DataFrame):
        return record
    returned, now = record.get("result"), _digest_result(made)
    if record and returned != now["result"]:
        # Files written before records held digests leave it open.
        record["changed_after"] = None if returned is None else True
    return {**record, **now}


def _begin(function: str, arguments: dict[str, Any], paths: Collection[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    parameters = {}
    for name, value in arguments.items():
        plain = _describe(value, name, found)
        if plain is not _DATA:
            parameters[name] = plain
    seed = parameters.pop("seed", None)
    inputs = {name: digest_input(value) for name, value in found.items()}
    known = describe_origins((value, inputs[name]) for name, value in found.items())
    for name in paths:
        named = _digest_paths(name, arguments[name])
        known["direct"] += named.values()
        known["origins"] = join_origins(known["origins"], {"file": named.values()})
        inputs |= named
    known["origins"] = join_origins(known["origins"], *map(recall_origins, arguments.values()))
    devices = [describe_device(value) for value in found.values() if is_on_gpu(value)]
    device = devices[0] if devices else "cpu"
    record = describe_run(function, parameters=parameters, seed=seed, inputs=inputs, device=device)
    record |= {**known, "origins": keep_origins(function, known["origins"])}
    made_by = {}
    for name, value in found.items():
        own = find_record(value)
        if own:
            made_by[name] = {key: own.get(key) for key in ("function", "parameters", "seed")}
            if own.get("result") != inputs[name]:
                made_by[name]["changed_after"] = None if own.get("result") is None else True
    return {**record, "inputs_made_by": made_by} if made_by else record


def _describe(value: Any, name: str = "", found: dict[str, Any] | None = None) -> Any:
    """Give a value as JSON holds it.

    Where `found` is given, tables and arrays go there by name; what is nothing but such gives _DATA.
    """
    if is_embedding(value):
        value = value.x  # its ids are held against the tables beside it, and its record is in the origins
    if _is_data(value):
        if found is None:
            return digest_input(value)
        found[name] = value
        return _DATA
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, os.PathLike | date | np.datetime64 | np.timedelta64):  # a datetime is a date
        return str(value)
    if isinstance(value, float | np.generic):
        plain = value.item() if isinstance(value, np.generic) else value
        return plain if not isinstance(plain, float) or math.isfinite(plain) else str(plain)
    if isinstance(value, pd.Series | pd.Index):
        return {"length": len(value), "digest": digest_input(_frame(value))}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif _is_named_tuple(value):
        value = value._asdict()
    if isinstance(value, Mapping):
        parts = {str(key): _describe(each, f"{name}.{key}", found) for key, each in value.items()}
        rest = {key: each for key, each in parts.items() if each is not _DATA}
        return rest if rest or not parts else _DATA
    # Arrays of other libraries are not taken apart: the function says what it expected instead of them.
    if isinstance(value, Collection) and not isinstance(value, bytes) and not hasattr(value, "__array__"):
        # A set has no order of its own.
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
        listed = [_describe(each, f"{name}.{place}", found) for place, each in enumerate(items)]
        listed = [each for each in listed if each is not _DATA]
        if len(listed) > _LISTED:
            return {"length": len(listed), "digest": digest_ids(map(str, listed))}
        return listed if listed or not items else _DATA
    # A generator has a name but no module, and some built-in methods have none either.
    kind = value if hasattr(value, "__qualname__") and getattr(value, "__module__", None) else type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def _is_data(value: Any) -> bool:
    return isinstance(value, pd.DataFrame | np.ndarray) or is_on_gpu(value)


def is_embedding(value: Any) -> bool:
    """Tell an embedding, a matrix with the ids of its rows, without knowing its class.

    The ids are None for rows that were prepared from a bare matrix of unknown images.
    """
    return _is_named_tuple(value) and {"x", "image_ids"} <= set(value._fields)


def _is_named_tuple(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


def _frame(values: pd.Series | pd.Index) -> pd.DataFrame:
    if isinstance(values, pd.MultiIndex):
        return values.to_frame(index=False)
    if isinstance(values, pd.Index):
        return values.to_frame(index=False, name="values")
    return pd.DataFrame({"index": values.index, "values": values.array})


def _digest_paths(name: str, value: Any) -> dict[str, str]:
    """Digest the files that a path or a list of paths names; of a folder, the function says what it read."""
    if isinstance(value, str | os.PathLike):
        path = Path(value)
        if not path.is_file():
            return {}
        with explain_damage(path, "a file"):
            digest = digest_files([path])
        register_file(path, [digest])
        return {name: digest}
    if isinstance(value, list | tuple) and not _is_named_tuple(value):
        found: dict[str, str] = {}
        for place, each in enumerate(value):
            found |= _digest_paths(f"{name}.{place}", each)
        return found
    return {}


def _stamp(result: Any, record: dict[str, Any]) -> Any:
    if isinstance(result, pd.DataFrame):
        return carry_record(result, record)
    if not _is_named_tuple(result):
        return result
    fields = result._asdict()
    own = fields.get("provenance")
    brought = isinstance(own, Mapping) and "made_at" in own
    if "provenance" in fields and not brought:
        record["result"] = {name: digest_input(value) for name, value in fields.items() if _is_data(value)}
        fields["provenance"] = Record(record)
        if is_embedding(result) and result.image_ids is not None:
            register_rows(record["result"]["x"], result.image_ids)
    known = own if brought else record
    for name, value in fields.items():
        if isinstance(value, pd.DataFrame):
            fields[name] = carry_record(value, known)
    return result._replace(**fields)


def _digest_all(inputs: Mapping[str, Any] | None) -> dict[str, str]:
    given = (inputs or {}).items()
    return {name: value if isinstance(value, str) else digest_input(value) for name, value in given}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def list_versions() -> dict[str, str]:
    """List the versions of Python and of the packages that results can depend on, where installed."""
    return {"python": platform.python_version(), **_find_versions()}


@functools.cache  # looking into the installed packages takes some 50 ms
def _find_versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def digest_input(value: Any) -> str:
    """Digest an array or a table to 32 hexadecimal digits, so that two can be known to be the same.

    Arrays are digested by dtype, shape and bytes, wherever they are; tables by column names and values as
    text, in their order, without the index, and paths of image files from the folder that they share.
    """
    state = hashlib.sha256()
    if isinstance(value, pd.DataFrame):
        value = drop_common_folder(value)
        state.update("\x1f".join(map(str, value.columns)).encode("utf-8", "surrogatepass"))
        for position in range(value.shape[1]):
            texts = _spell_values(value.iloc[:, position])
            state.update("\x1f".join(texts).encode("utf-8", "surrogatepass"))
            state.update(b"\x1e")
    else:
        array = np.ascontiguousarray(to_host(value))
        state.update(f"{array.dtype.str}{array.shape}".encode())
        if array.dtype.kind == "O":  # whose bytes are addresses in memory
            state.update("\x1f".join(map(str, array.ravel())).encode("utf-8", "surrogatepass"))
        elif array.size:
            state.update(array.tobytes() if array.dtype.kind in "mM" else array.data)
    return state.hexdigest()[:32]


def _spell_values(column: pd.Series) -> Iterable[str]:
    """Give what ``map(str, column)`` gives, several times faster for the types that large tables have."""
    if column.dtype.kind in "biuf" and isinstance(column.dtype, np.dtype):
        return map(str, column.to_numpy().tolist())
    if column.dtype.kind == "M":
        times = pd.DatetimeIndex(column)
        if not times.nanosecond.any():  # a datetime has none
            return map(str, times.to_pydatetime())
        return map(str, column)
    if isinstance(column.dtype, pd.StringDtype):
        return map(str, column.to_numpy(dtype=object))
    if column.dtype == object:
        return map(_make_speller(), column)
    return map(str, column)


def _make_speller() -> Callable[[Any], str]:
    """Make a `str` that spells equal arrays, such as hashtags of posts, once: NumPy takes long for each."""
    written: dict[tuple[str, str], str] = {}

    def spell(value: Any) -> str:
        if not isinstance(value, np.ndarray) or value.ndim != 1:
            return str(value)
        key = (value.dtype.str, repr(value.tolist()))
        if key not in written:
            written[key] = str(value)
        return written[key]

    return spell


def digest_ids(image_ids: Iterable[str]) -> str:
    """Digest ids in their order to 32 hexadecimal digits, as the sidecar of an embedding records them."""
    return hashlib.sha256("\n".join(image_ids).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def digest_file(path: str | os.PathLike) -> str:
    """Digest the bytes of a file to 64 hexadecimal digits, as ``sha256sum`` prints them."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_files(paths: Collection[str | os.PathLike]) -> str:
    """Digest several files with their names to 32 hexadecimal digits; of one file, its own first ones."""
    listed = sorted((Path(path).name, digest_file(path)) for path in paths)
    return (
        listed[0][1][:32] if len(listed) == 1 else digest_ids(f"{digest} {name}" for name, digest in listed)
    )


def digest_text(text: str, *, digits: int = 16) -> str:
    """Digest a text, halves of characters included, by default to 16 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
