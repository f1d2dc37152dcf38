"""What functions ask of their arguments, by their own signatures: refused or settled before any work starts.

What an argument may be stands in the annotation of each parameter; which numbers make sense stands here by
the names of the parameters, which mean the same in every function. What depends on more than one argument,
or on what is in a table, the functions check themselves.
"""

import collections.abc
import functools
import inspect
import itertools
import math
import numbers
import operator
import os
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

P = ParamSpec("P")
R = TypeVar("R")

_read_signature = functools.cache(inspect.signature)
_LARGEST = 2**31 - 1  # what any count of images, resamples or pixels stays below
# fmt: off
_AT_LEAST_ONE = (
    "baselines", "batch_size", "cell", "chunk_size", "columns", "convergence_window", "days", "detail",
    "draws", "epochs", "folds", "height", "iteration", "ks", "least", "max_images_per_cluster",
    "max_iter", "max_per_cluster", "max_rows", "max_side", "min_cluster_size", "min_length", "min_size",
    "n", "n_bootstrap", "n_clusters", "n_images", "n_init", "n_neighbors", "n_neighbours", "n_pairs",
    "n_points", "n_simulations", "n_surveys", "n_typical", "n_words", "per_cluster", "per_group",
    "per_respondent", "row", "row_height", "side", "size", "step_size", "step_sizes", "theme_size",
    "thumbnail_side", "width",
)
# fmt: on
# Whole numbers by their names: the least and the most. All others are at least 0.
_WHOLE: dict[str, tuple[int, int]] = {
    "seed": (0, 2**32 - 1),  # what all libraries take that draw at random
    "seeds": (0, 2**32 - 1),
    "memory": (0, 2**63 - 1),
    "memory_budget": (0, 2**63 - 1),
    "scale": (-_LARGEST, _LARGEST),  # the ends of a rating scale may be negative
    "clusters": (-1, _LARGEST),
    "names": (-1, _LARGEST),
    "noise": (-1, _LARGEST),
    "highlight": (-1, _LARGEST),
    "chosen": (-1, _LARGEST),
    **dict.fromkeys(_AT_LEAST_ONE, (1, _LARGEST)),
}
# Numbers by their names: the ends, and whether these belong to it.
_NUMBERS: dict[str, tuple[float, float, bool]] = {
    **dict.fromkeys(("confidence", "level", "power", "probability", "risk"), (0, 1, False)),
    **dict.fromkeys(("coverage", "error_rate", "min_jaccard", "share", "shares"), (0, 1, True)),
    "learning_rate": (0, math.inf, False),
    "point_size": (0, math.inf, False),
    "prior_size": (0, math.inf, False),
}
# All other texts are names, words or paths, and none of these is empty. ("file" of a notebook that has none.)
# A cluster that nobody named has an empty one among "names".
_MAY_BE_EMPTY = ("colours", "construct", "file", "names", "question", "text", "title")
_ZONES = ("timezone", "time_zone")
_MOST_GONE_THROUGH = 1_000_000  # values of a generator, which may have no end
_SHOWN = 60  # characters of a value that are shown


class _WrongError(Exception):
    """What a value should have been, on the way to the words for the whole argument."""

    def __init__(
        self, expected: str, got: str = "", *, kind: type[Exception] = ValueError, of_kind: bool | None = None
    ) -> None:
        self.expected, self.got, self.kind = expected, got, kind
        # Whether it was of the kind that was wanted, but for something in it.
        self.of_kind = bool(got) if of_kind is None else of_kind


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function refuse or settle its arguments by its own signature, before its first line.

    Whole numbers, numbers, truth values and texts of NumPy become plain ones, and what can be gone through
    once, such as a generator, a tuple. `recorded` does the same.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        args, kwargs = settle_call(function, args, kwargs)
        return function(*args, **kwargs)

    run.checks_arguments = True  # type: ignore[attr-defined]
    return run


def settle_call(function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, Any]:
    """Check the arguments of a call as `checked` does, and give the plain form of them."""
    try:
        bound = _read_signature(function).bind(*args, **kwargs)
    except TypeError:
        return args, kwargs  # the function itself says by its own name what is wrong
    settle_arguments(function, bound)
    return bound.args, bound.kwargs


def settle_arguments(function: Callable[..., Any], bound: inspect.BoundArguments) -> None:
    """Check the arguments of a call, and put the plain form of each in its place."""
    wanted = _read_annotations(inspect.unwrap(function))
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            continue
        if kind is inspect.Parameter.VAR_POSITIONAL:
            settled = [_settle(name, each, wanted.get(name, Any)) for each in value]
            bound.arguments[name] = tuple(settled)
        else:
            bound.arguments[name] = _settle(name, value, wanted.get(name, Any))


@functools.cache
def _read_annotations(function: Callable[..., Any]) -> dict[str, Any]:
    """Read what each parameter is annotated with; one that only type checkers can read stays open."""
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        note = parameter.annotation
        if isinstance(note, str):
            try:
                note = eval(note, function.__globals__)  # noqa: S307 - our own annotation
            except NameError:
                note = Any
        found[name] = Any if note is inspect.Parameter.empty else note
    return found


def _settle(name: str, value: Any, wanted: Any) -> Any:
    try:
        return _take(name, value, wanted)
    except _WrongError as wrong:
        kind, words = wrong.kind, f"Expected {name} to be {wrong.expected}, got {wrong.got or show(value)}."
    raise kind(words)


def settle_options(
    function: Callable[..., Any], options: Mapping[str, Any], *, but: Collection[str] = ()
) -> dict[str, Any]:
    """Check options that are handed on to another function by its signature; `but` are not handed on."""
    wanted = {name: each for name, each in _read_annotations(function).items() if name not in but}
    for name in options:
        if name not in wanted:
            raise TypeError(f"Expected settings among {', '.join(wanted)}, got {name!r}.")
    return {name: _settle(name, value, wanted[name]) for name, value in options.items()}


def check_each_once(**lists: Collection[Any] | None) -> None:
    """Refuse a list of settings to try, or one of several by name, in which a value comes twice."""
    for name, given in lists.items():
        for values in given.values() if isinstance(given, Mapping) else [given or ()]:
            if len(set(values)) < len(values):
                raise ValueError(f"Expected each value once in {name}, got {list(values)}.")


def check_whole_number(name: str, value: object, *, least: int) -> None:
    """Refuse an argument that is not a whole number, or too small."""
    number = take_whole(value)
    if number is None or number < least:
        raise ValueError(f"Expected {name} to be a whole number of at least {least}, got {show(value)}.")


def check_level(level: object) -> None:
    """Refuse a confidence level that is none, such as one in percent."""
    if isinstance(level, bool) or not isinstance(level, int | float | np.number) or not 0 < level < 1:
        raise ValueError(f"Expected a level between 0 and 1, such as 0.95, got {show(level)}.")


def check_choice(name: str, value: object, choices: Collection[Any]) -> None:
    """Refuse a word that is not one of the words that an argument knows."""
    if not any(type(value) is type(each) and value == each for each in choices):
        raise ValueError(f"Expected one of {', '.join(map(str, choices))} as {name}, got {show(value)}.")


def check_numbers(name: str, value: Any) -> np.ndarray:
    """Give one finite number, or an array of such of any kind, as float64."""
    try:
        found = value.to_numpy("float64") if isinstance(value, pd.Series | pd.Index) else np.asarray(value)
    except (TypeError, ValueError):  # texts, gaps, lists of several lengths
        found = np.asarray("")
    if found.dtype.kind not in "iuf" or not np.isfinite(found).all():
        raise ValueError(f"Expected {name} to be finite numbers, got {show(value)}.")
    return found.astype(np.float64)


def check_names(name: str, value: Any) -> list[str]:
    """Give several texts, such as ids of images, as a list."""
    return list(_settle(name, value, Sequence[str]))


def show(value: object) -> str:
    """Show what came in a few characters, whatever it is: tables and arrays by their shapes."""
    kind = type(value).__name__
    if isinstance(value, pd.DataFrame | pd.Series | pd.Index | np.ndarray):
        return f"a {kind} of {' x '.join(map(str, value.shape))}"
    if value is None or isinstance(value, bool | str | bytes | numbers.Number):
        text = repr(value)
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({kind})"
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - of a class that we do not know
        return kind
    return f"{kind} {text}" if len(text) <= _SHOWN else f"{kind} {text[:_SHOWN]}…"


def _take(name: str, value: Any, wanted: Any) -> Any:
    """Give a value in its plain form, or raise what was wanted instead."""
    if wanted is Any or isinstance(wanted, TypeVar):
        return value
    origin, parts = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (typing.Union, types.UnionType):
        return _take_one_of(name, value, parts)
    if wanted is None or wanted is type(None):
        return _hold(value, "None", right=value is None)
    if wanted in _PLAIN:
        return _PLAIN[wanted](name, value)
    if origin is None and isinstance(wanted, type):
        return _take_instance(value, wanted)
    if origin is collections.abc.Callable:
        return _hold(value, "a function", right=callable(value))
    if isinstance(origin, type) and issubclass(origin, collections.abc.Mapping):
        return _take_mapping(name, value, parts)
    if isinstance(origin, type) and issubclass(origin, collections.abc.Iterable):
        return _take_several(name, value, parts[0], ordered=issubclass(origin, collections.abc.Sequence))
    return value


def _hold(value: Any, expected: str, *, right: bool) -> Any:
    if not right:
        raise _WrongError(expected)
    return value


def _take_one_of(name: str, value: Any, options: tuple[Any, ...]) -> Any:
    """Take the first of several kinds that a value is; a path in one argument is one kind, not two."""
    rest = [each for each in options if each not in (os.PathLike, Path)]
    if len(rest) < len(options):
        options = (os.PathLike, *(each for each in rest if each is not str))
    wrongs = []
    # A table or a series is taken as what it is, before anything that it could be read as.
    for option in sorted(options, key=lambda each: typing.get_origin(each) is not None):
        try:
            return _take(name, value, option)
        except _WrongError as wrong:
            if wrong.of_kind:
                raise
            wrongs.append(wrong)
    said = dict.fromkeys(each.expected for each in wrongs if each.expected != "None")
    if value is not None and type(None) in options:
        said["None"] = None
    kind = TypeError if any(each.kind is TypeError for each in wrongs) else ValueError
    got = next((each.got for each in wrongs if each.got), "")
    raise _WrongError(" or ".join(said), got, kind=kind, of_kind=False)


def _take_truth(_: str, value: Any) -> bool:
    return bool(_hold(value, "True or False", right=isinstance(value, bool | np.bool_)))


def take_whole(value: object) -> int | None:
    """Give a whole number of any library as a plain one; None for what is none, True and 2.0 among it."""
    if isinstance(value, bool | np.bool_) or str(getattr(value, "dtype", "")).endswith("bool"):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 - what has no such number says so in many ways
        return None


def _take_whole(name: str, value: Any) -> int:
    least, most = _WHOLE.get(name, (0, _LARGEST))
    number = take_whole(value)
    if number is None or number < least:
        raise _WrongError(f"a whole number of at least {least}")
    return int(_hold(number, f"a whole number of at most {most}", right=number <= most))


def _take_number(name: str, value: Any) -> float:
    low, high, with_ends = _NUMBERS.get(name, (-math.inf, math.inf, True))
    whole = take_whole(value)
    if whole is None and isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind == "f":
        value = value.item()
    if whole is None and (not isinstance(value, numbers.Real) or isinstance(value, bool | np.bool_)):
        raise _WrongError(_describe_numbers(low, high, with_ends=with_ends))
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    inside = low <= number <= high if with_ends else low < number < high
    if not math.isfinite(number) or not inside:
        raise _WrongError(_describe_numbers(low, high, with_ends=with_ends))
    return number if whole is None or abs(whole) > _LARGEST else whole


def _describe_numbers(low: float, high: float, *, with_ends: bool) -> str:
    if not math.isinf(high):
        return f"a number between {low:g} and {high:g}{'' if with_ends else ', such as 0.95'}"
    return "a number" if math.isinf(low) else f"a number above {low}"


def _take_text(name: str, value: Any) -> str:
    if name in _ZONES:
        return str(
            _hold(value, "the name of a zone, such as 'Europe/Berlin' or 'UTC'", right=_is_zone(value))
        )
    _hold(value, "a text", right=isinstance(value, str))
    _hold(value, "a text that is not empty", right=bool(value.strip()) or name in _MAY_BE_EMPTY)
    return str(_hold(value, "a text of whole characters", right=_is_writable(value)))


def _is_zone(name: Any) -> bool:
    try:
        return isinstance(name, str) and bool(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, IndexError, OSError):
        return False


def _is_writable(text: str) -> bool:
    """Tell whether a file, or its name, can hold a text: halves of characters and zeros cannot be written."""
    try:
        text.encode("utf-8", "surrogateescape")  # which names of files that are not UTF-8 come with
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _take_path(name: str, value: Any) -> Any:
    if not isinstance(value, str | os.PathLike):
        raise _WrongError("a path (a text or a pathlib.Path)")
    text = os.fspath(value)
    if not isinstance(text, str) or not _is_writable(text) or not (text.strip() or name in _MAY_BE_EMPTY):
        raise _WrongError("a path that names a file or folder", f"{text!r}")
    return str(value) if isinstance(value, np.str_) else value


_PLAIN: dict[Any, Callable[[str, Any], Any]] = {
    bool: _take_truth,
    int: _take_whole,
    float: _take_number,
    str: _take_text,
    os.PathLike: _take_path,
    Path: _take_path,
}


def _take_instance(value: Any, wanted: type) -> Any:
    if wanted is dict:
        return _take_mapping("", value, ())
    if issubclass(wanted, pd.DataFrame | pd.Series):
        if not isinstance(value, wanted):
            said = _name_tables(value)
            raise _WrongError(f"a pandas {wanted.__name__}", said, kind=TypeError, of_kind=False)
        columns = getattr(value, "columns", pd.Index([]))
        if isinstance(columns, pd.MultiIndex):
            raise _WrongError("a pandas DataFrame with one row of column names", f"{columns.nlevels} rows")
        if not columns.is_unique:
            twice = columns[columns.duplicated()][0]
            raise _WrongError("a pandas DataFrame with each column once", f"{twice!r} twice or more")
        return value
    if wanted is np.ndarray:  # or what can be made into one, which the function looks at
        return _hold(value, "an array", right=isinstance(value, np.ndarray | list | tuple | pd.Index))
    if not isinstance(value, wanted):
        kind = wanted.__name__
        raise _WrongError(f"{'an' if kind[0] in 'AEIOU' else 'a'} {kind}", kind=TypeError)
    return value


def _name_tables(value: Any) -> str:
    """Say of a result of several tables, given in the place of one, which it has."""
    fields = getattr(value, "_fields", ())
    tables = [name for name in fields if isinstance(getattr(value, name), pd.DataFrame)]
    return f"a {type(value).__name__}: give one of its tables, {', '.join(tables)}" if tables else ""


def _take_several(name: str, value: Any, of: Any, *, ordered: bool) -> Any:
    """Take a list, or whatever can be gone through, once; the same object where nothing in it changes."""
    expected = f"a list, each value {_describe(name, of)}"
    unordered = isinstance(value, collections.abc.Set)
    single = isinstance(value, str | bytes | collections.abc.Mapping | pd.DataFrame)
    if single or (unordered and ordered) or not isinstance(value, collections.abc.Iterable):
        raise _WrongError(expected)
    if isinstance(value, np.ndarray) and value.ndim != 1:
        raise _WrongError(expected)
    if isinstance(value, range) and of in (int, float):
        ends = (value[0], value[-1]) if value else ()
        for end in ends:
            _take_item(name, end, of, expected)
        return value
    endless = not isinstance(value, collections.abc.Sized)
    given = list(itertools.islice(value, _MOST_GONE_THROUGH + 1) if endless else value)
    if endless and len(given) > _MOST_GONE_THROUGH:
        raise _WrongError(expected, f"more than {_MOST_GONE_THROUGH:,} from {show(value)}")
    items = [_take_item(name, each, of, expected) for each in given]
    same = all(new is old for new, old in zip(items, given, strict=True))
    return value if same and isinstance(value, list | tuple | frozenset | set) else tuple(items)


def _take_item(name: str, value: Any, of: Any, expected: str) -> Any:
    try:
        return _take(name, value, of)
    except _WrongError as wrong:
        got = wrong.got or f"{show(value)} in it"
        raise _WrongError(expected, got, kind=wrong.kind) from None


def _take_mapping(name: str, value: Any, parts: tuple[Any, ...]) -> Any:
    """Take a mapping; what loads its values when they are asked for is not asked."""
    if not isinstance(value, collections.abc.Mapping):
        raise _WrongError("a mapping, such as a dict")
    if not parts or not isinstance(value, dict | types.MappingProxyType):
        return value
    keys, of = parts
    expected = f"a mapping from {_describe(name, keys)} to {_describe(name, of)}"
    settled = {
        _take_item(name, key, keys, expected): _take_item(name, each, of, expected)
        for key, each in value.items()
    }
    same = all(a is b and value[a] is settled[b] for a, b in zip(value, settled, strict=True))
    return value if same else settled


def _describe(name: str, wanted: Any) -> str:
    """Say in a few words what a value inside another should be."""
    if wanted is Any or wanted is object:
        return "anything"
    try:
        _take(name, _Nothing(), wanted)
    except _WrongError as wrong:
        return wrong.expected
    return "anything"


class _Nothing:
    """A value of no kind that anybody asks for."""
