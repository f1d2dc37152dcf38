"""Arguments of every kind, refused by their names or brought to plain forms, before any work starts."""

import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.base.checks import (
    check_each_once,
    check_level,
    check_names,
    check_numbers,
    check_whole_number,
    checked,
)


class Result(NamedTuple):
    table: pd.DataFrame


@checked
def take(
    *,
    seed: int = 0,
    n_images: int = 1,
    scale: Sequence[int] = (1, 10),
    threshold: float | None = None,
    level: float = 0.95,
    progress: bool = True,
    name: str = "a",
    names: Iterable[str] = (),
    path: str | Path | None = None,
    table: pd.DataFrame | None = None,
    groups: Mapping[str, Sequence[int]] | None = None,
    score: Callable[[int], int] | None = None,
    timezone: str = "UTC",
    result: pd.DataFrame | Result | None = None,
    anything: Any = None,
):
    """Give back what arrived."""
    return dict(locals())


@pytest.mark.parametrize(
    ("given", "arrived"),
    [
        ({"n_images": np.int64(3)}, 3),
        ({"n_images": np.array(3)}, 3),
        ({"threshold": np.float32(0.5)}, 0.5),
        ({"threshold": np.int8(2)}, 2),
        ({"progress": np.True_}, True),
        ({"name": np.str_("b")}, "b"),
        ({"scale": np.array([-3, 3])}, (-3, 3)),
        ({"scale": pd.Series([1, 7])}, (1, 7)),
        ({"names": (letter for letter in "ab")}, ("a", "b")),
        ({"groups": {"a": np.arange(2)}}, {"a": (0, 1)}),
    ],
)
def test_numbers_and_lists_of_any_library_arrive_as_plain_ones(given, arrived):
    (name,) = given
    found = take(**given)[name]
    assert (type(found), found) == (type(arrived), arrived)
    assert json.loads(json.dumps(found)) is not None


def test_what_is_plain_already_arrives_as_the_same_object():
    for name, value in {
        "scale": [1, 5],
        "names": ["a"],
        "table": pd.DataFrame(),
        "groups": {"a": [1]},
    }.items():
        assert take(**{name: value})[name] is value
    assert take(result=Result(pd.DataFrame()))["result"].table.empty
    assert take(scale=range(2, 9))["scale"] == range(2, 9)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"seed": -1}, ValueError, "Expected seed to be a whole number of at least 0, got -1."),
        ({"seed": 2**32}, ValueError, "seed to be a whole number of at most 4294967295, got 4294967296"),
        ({"n_images": 0}, ValueError, "Expected n_images to be a whole number of at least 1, got 0."),
        ({"n_images": 2.0}, ValueError, "n_images to be a whole number of at least 1, got 2.0"),
        ({"n_images": True}, ValueError, "got True"),
        ({"threshold": "0.5"}, ValueError, "threshold to be a number or None, got '0.5'"),
        ({"threshold": np.nan}, ValueError, "threshold to be a number or None, got nan"),
        ({"level": 95}, ValueError, "level to be a number between 0 and 1, such as 0.95, got 95"),
        ({"progress": 1}, ValueError, "progress to be True or False, got 1"),
        ({"progress": "no"}, ValueError, "progress to be True or False, got 'no'"),
        ({"name": "  "}, ValueError, "name to be a text that is not empty, got '  '"),
        ({"name": "a\0"}, ValueError, "a text of whole characters"),
        ({"names": "march"}, ValueError, "names to be a list, each value a text, got 'march'"),
        ({"names": ["a", 7]}, ValueError, "names to be a list, each value a text, got 7 in it"),
        ({"scale": itertools.count()}, ValueError, r"got more than 1,000,000 from count"),
        ({"scale": {1, 10}}, ValueError, r"scale to be a list, .* got set \{1, 10\}"),
        ({"path": b"a"}, ValueError, "path to be a path .* or None, got b'a'"),
        ({"path": ""}, ValueError, "path to be a path that names a file or folder, got ''"),
        ({"table": [1]}, TypeError, r"table to be a pandas DataFrame or None, got list \[1\]"),
        (
            {"table": pd.DataFrame([[1, 2]], columns=["a", "a"])},
            ValueError,
            "each column once.*got 'a' twice",
        ),
        ({"table": Result(pd.DataFrame())}, TypeError, "got a Result: give one of its tables, table"),
        ({"groups": {"a": "b"}}, ValueError, "groups to be a mapping from a text to a list"),
        ({"score": 3}, ValueError, "score to be a function or None, got 3"),
        ({"timezone": "Mars/Base"}, ValueError, "timezone to be the name of a zone"),
    ],
)
def test_what_an_argument_may_not_be_is_refused_by_its_name(given, error, message):
    with pytest.raises(error, match=message):
        take(**given)


def test_a_wrong_number_of_arguments_is_said_by_the_function_s_own_name():
    with pytest.raises(TypeError, match=r"take\(\) got an unexpected keyword argument 'colour'"):
        take(colour="red")


def test_numbers_are_finite_and_names_are_texts():
    assert check_numbers("prior", pd.Series([1, 2], dtype="Int64")).tolist() == [1, 2]
    for numbers in (["1"], [None], [np.inf], pd.Series([1, None], dtype="Int64"), [[1], [1, 2]], "7"):
        with pytest.raises(ValueError, match="Expected prior to be finite numbers"):
            check_numbers("prior", numbers)
    assert check_names("of", np.array(["a", "b"])) == ["a", "b"]
    with pytest.raises(ValueError, match="of to be a list"):
        check_names("of", "a")
    check_each_once(steps=[1, 2], thresholds=None, by_rows={"none": [0.1]})
    with pytest.raises(ValueError, match=r"each value once in by_rows, got \[0.1, 0.1\]"):
        check_each_once(by_rows={"none": [0.1, 0.1]})


@pytest.mark.parametrize("value", [2.5, 0, -1, True, "3", None, np.float64(3)])
def test_what_is_no_whole_number_or_too_small_is_refused_by_its_name(value):
    message = f"Expected size to be a whole number of at least 1, got {value!r}."
    with pytest.raises(ValueError, match=re.escape(message)):
        check_whole_number("size", value, least=1)


@pytest.mark.parametrize("value", [1, 7, np.int64(3)])
def test_whole_numbers_of_python_and_numpy_pass(value):
    check_whole_number("size", value, least=1)


@pytest.mark.parametrize("level", [95, 0, 1, -0.1, "0.95", None, float("nan")])
def test_a_level_that_is_none_is_refused(level):
    with pytest.raises(ValueError, match=re.escape(f"such as 0.95, got {level!r}.")):
        check_level(level)


def test_levels_between_0_and_1_pass():
    check_level(0.95)
    check_level(np.float32(0.5))


# Settings of a search, as notebooks and other libraries give them.
GRID = {"baselines": [2], "matched_baselines": False, "progress": False, "stop_size": 3}


def test_a_grid_of_numpy_s_numbers_is_the_grid_of_plain_ones(blobs, tmp_path):
    x, _ = blobs([6, 6, 6])
    plain = vc.grid_search({"a": x}, step_sizes=[2, 3], similarity_thresholds=[0.0], seeds=[0, 1], **GRID)
    given = vc.grid_search(
        {"a": x},
        step_sizes=(step for step in np.array([2, 3])),
        similarity_thresholds=np.zeros(1, dtype="float32"),
        seeds=np.arange(2),
        cache=tmp_path,
        **{**GRID, "baselines": np.array([2]), "stop_size": np.int64(3)},
    )
    columns = ["configuration", "clusters", "coverage"]
    assert given.table[columns].equals(plain.table[columns])
    assert given.table["seed"].nunique() == given.table["step_size"].nunique() == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"baselines": [2.5]},
            "baselines to be a list, each value a whole number .*, got 2.5 in it",
        ),
        ({"seeds": [0, 0]}, "each value once in seeds"),
        ({"seeds": 3}, "seeds to be a list"),
        ({"stop_size": "3"}, "stop_size to be a whole number"),
        ({"step_sizes": {2, 3}}, "step_sizes to be a list"),
    ],
)
def test_a_grid_with_a_wrong_setting_is_refused_before_any_work(blobs, change, message):
    x, _ = blobs([6, 6, 6])
    with pytest.raises(ValueError, match=message):
        vc.grid_search({"a": x}, **{**GRID, **change})


def test_settings_that_the_grid_sets_itself_or_nobody_knows_are_refused(blobs):
    x, _ = blobs([6, 6, 6])
    for name in ("step_size", "stopsize"):
        with pytest.raises(TypeError, match=f"Expected settings among sample_size, .* got '{name}'"):
            vc.grid_search({"a": x}, **GRID, **{name: 3})


def test_thresholds_that_hardly_differ_have_names_of_their_own(blobs):
    x, _ = blobs([6, 6, 6])
    found = vc.grid_search({"a": x}, step_sizes=[2], similarity_thresholds=[0.01, 0.010000001], **GRID)
    assert found.table.groupby("configuration")["seed"].nunique().eq(5).all()
    assert found.table["configuration"].nunique() == len(found.results)
