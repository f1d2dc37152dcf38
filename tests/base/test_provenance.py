"""The record of a run: what the function's arguments say, what it puts on its result, and every digest."""

import hashlib
import inspect
import json
from collections.abc import Sized
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.base import provenance
from visclust.base.provenance import (
    describe_saved,
    digest_file,
    digest_ids,
    digest_input,
    digest_text,
    note_run,
    recorded,
)


class Settings(NamedTuple):
    """Settings, which are parameters."""

    size: int = 3
    names: tuple[str, ...] = ("a", "b")


class Result(NamedTuple):
    """A result with tables, an array and a record."""

    table: pd.DataFrame
    labels: np.ndarray
    reason: str
    provenance: dict[str, Any]


@recorded
def double(table, *, by=2, seed=0, **more):
    """Double the numbers."""
    return table * by


@recorded
def explain(value, *, path: str | Path | None = None):
    return pd.DataFrame({"a": [1]})


@recorded
def find_labels(x, *, seed=0):
    note_run(parameters={"found": np.int64(2)}, inputs={"x": "known better"}, device="gpu: other")
    return Result(pd.DataFrame({"k": [1]}), np.arange(2), "done", {})


def numbers(**columns):
    return pd.DataFrame(columns or {"a": [1, 2]})


def record_of(table):
    return table.attrs["provenance"]


def explained(value):
    return record_of(explain(value))


def test_the_record_holds_every_argument_defaults_included():
    record = record_of(double(numbers(), extra="x"))
    assert record["function"] == "double"
    assert record["parameters"] == {"by": 2, "extra": "x"}
    assert record["seed"] == 0
    assert record["inputs"] == {"table": digest_input(numbers())}
    assert record["device"] == "cpu"
    assert {"python", "numpy", "pandas", "visclust"} <= record["versions"].keys()
    assert record["result"] == digest_input(numbers() * 2)
    assert list(record)[:7] == list(vc.describe_run("x"))


def test_signature_and_documentation_are_those_of_the_function():
    assert str(inspect.signature(double)) == "(table, *, by=2, seed=0, **more)"
    assert double.__doc__ == "Double the numbers."
    assert double.__module__ == __name__


def test_a_wrong_call_fails_by_the_name_of_the_function():
    with pytest.raises(TypeError, match=r"double\(\) missing 1 required positional argument: 'table'"):
        double()


def test_the_record_is_plain_json_whatever_the_arguments():
    value = {
        "settings": Settings(),
        "number": np.float32(0.5),
        "undefined": float("nan"),
        "path": Path("a/b"),
        "set": {"b", "a"},
        "series": pd.Series([1, 2]),
        "function": digest_text,
        "object": object(),
        "range": range(2),
        "time": pd.Timestamp("2018-06-14"),
        "many": list(range(1000)),
    }
    told = json.loads(json.dumps(explained(value), allow_nan=False))["parameters"]["value"]
    series, many = told.pop("series"), told.pop("many")
    assert (series["length"], many["length"]) == (2, 1000)
    assert told == {
        "settings": {"size": 3, "names": ["a", "b"]},
        "number": 0.5,
        "undefined": "nan",
        "path": "a/b",
        "set": ["a", "b"],
        "function": "visclust.base.provenance.digest_text",
        "object": "builtins.object",
        "range": [0, 1],
        "time": "2018-06-14 00:00:00",
    }


def test_an_iterator_is_not_used_up():
    given = iter([1, 2])
    explain(given)
    assert list(given) == [1, 2]
    given = (each for each in "ab")
    assert explained(given)["parameters"]["value"] == "builtins.generator"
    assert list(given) == ["a", "b"]


class Tensor(Sized):
    """An array of another library, as PyTorch makes them: its elements are arrays again, without end."""

    def __array__(self, dtype=None, copy=None):
        return np.zeros(2)

    def __iter__(self):
        raise TypeError("iteration over a 0-d tensor")

    def __contains__(self, value):
        return False

    def __len__(self):
        return 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Tensor(), f"{__name__}.Tensor"),
        (np.datetime64("2018-06-14"), "2018-06-14"),
        (np.timedelta64(2, "D"), "2 days"),
        ([].append, "builtins.builtin_function_or_method"),
    ],
    ids=["tensor", "date", "span", "method"],
)
def test_no_argument_stops_a_call_by_what_the_record_says_of_it(value, expected):
    assert json.loads(json.dumps(explained(value)["parameters"]["value"])) == expected


def test_an_index_of_several_levels_is_told_by_its_digest():
    index = pd.MultiIndex.from_product([["a", "b"], [1]])
    assert explained(index)["parameters"]["value"] == {"length": 2, "digest": digest_input(index.to_frame())}


def test_what_people_keep_under_the_name_of_the_record_is_none():
    table = numbers()
    table.attrs["provenance"] = "from the archive"
    assert "inputs_made_by" not in explained(table)
    assert describe_saved(table)["function"] is None


def test_data_inside_mappings_lists_and_results_become_inputs_by_name():
    result = find_labels(np.zeros(2))
    record = explained({"first": numbers(), "more": [np.zeros(1), 3]})
    assert record["inputs"].keys() == {"value.first", "value.more.0"}
    assert record["parameters"] == {"value": {"more": [3]}, "path": None}
    record = explained(result)
    assert record["inputs"].keys() == {"value.table", "value.labels"}
    assert record["parameters"]["value"]["reason"] == "done"
    assert record["parameters"]["value"]["provenance"]["function"] == "find_labels"


def test_a_file_is_a_parameter_and_its_bytes_an_input(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_bytes(b"post_id\n")
    record = record_of(explain(1, path=path))
    assert record["parameters"]["path"] == str(path)
    assert record["inputs"] == {"path": digest_file(path)[:32]}
    assert record_of(explain(1, path=tmp_path))["inputs"] == {}


def test_a_result_gets_its_record_and_so_do_its_tables():
    result = find_labels(np.zeros(3), seed=4)
    assert result.provenance["seed"] == 4
    assert result.provenance["result"] == {
        "table": digest_input(result.table),
        "labels": digest_input(result.labels),
    }
    assert record_of(result.table)["function"] == "find_labels"
    assert record_of(result.table)["result"] == digest_input(result.table)


def test_a_function_adds_what_its_arguments_do_not_show():
    made = find_labels(np.zeros(3)).provenance
    assert made["parameters"] == {"found": 2}
    assert made["inputs"] == {"x": "known better"}
    assert made["device"] == "gpu: other"
    assert note_run(parameters={"nobody": "runs"}) == {}


def test_a_result_read_from_a_cache_keeps_the_record_it_brings():
    old = {"function": "find_labels", "made_at": "2020-01-01"}

    @recorded
    def recall():
        return Result(numbers(), np.zeros(1), "cached", old)

    assert recall().provenance == old
    assert record_of(recall().table)["made_at"] == "2020-01-01"


def test_what_a_call_within_a_recorded_call_notes_is_not_said_of_the_outer_one():
    @recorded
    def inner(table):
        assert note_run(parameters={"inside": 1})["parameters"] == {"inside": 1}
        return double(table, by=3)

    @recorded
    def outer(table):
        note_run(parameters={"before": 1})
        made = inner(table)
        note_run(parameters={"after": 3})
        return made

    record = record_of(outer(numbers()))
    assert record["function"] == "outer"
    assert record["parameters"] == {"before": 1, "after": 3}


def test_a_failed_call_leaves_no_record_behind():
    @recorded
    def fail(table):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail(numbers())
    assert note_run() == {}


def test_no_argument_is_changed_not_even_one_that_is_returned():
    @recorded
    def give_back(table):
        return table

    table = numbers()
    returned = give_back(table)
    pd.testing.assert_frame_equal(returned, table)
    assert "provenance" in returned.attrs
    assert table.attrs == {}


@pytest.mark.parametrize("result", [None, "text", Path("x"), np.arange(2)])
def test_what_cannot_carry_a_record_is_returned_as_it_is(result):
    assert recorded(lambda: result)() is result


def test_a_generator_runs_as_it_would():
    @recorded
    def count(n):
        yield from range(n)

    assert list(count(2)) == [0, 1]


def test_the_record_of_an_input_tells_which_function_made_it():
    table = double(numbers(), by=5)
    record = record_of(explain(table))
    assert record["inputs_made_by"] == {"value": {"function": "double", "parameters": {"by": 5}, "seed": 0}}
    changed = record_of(explain(table[:1]))
    assert changed["inputs_made_by"]["value"]["changed_after"] is True
    assert "inputs_made_by" not in record_of(explain(numbers()))


def test_the_device_is_that_of_the_arrays(strict):
    record = explained({"x": strict(np.arange(3.0))})
    assert record["device"] == "gpu: Stand-in"
    assert record["inputs"] == {"value.x": digest_input(np.arange(3.0))}


def test_pandas_copies_a_record_as_the_same_object():
    table = double(numbers())
    assert record_of(table[table["a"] > 2]) is record_of(table)


def test_a_table_changed_after_its_run_is_saved_with_a_record_that_says_so():
    table = double(numbers())
    assert "changed_after" not in describe_saved(table)
    later = describe_saved(table.assign(b=1))
    assert later["function"] == "double"
    assert later["changed_after"] is True
    assert later["result"] == digest_input(table.assign(b=1))


def test_a_record_from_before_digests_leaves_open_whether_the_table_was_changed():
    table = numbers()
    table.attrs["provenance"] = vc.describe_run("double")
    assert describe_saved(table)["changed_after"] is None


def test_a_table_without_a_record_is_saved_with_one_that_says_so():
    record = describe_saved(numbers())
    assert record["function"] is None
    assert "not known" in record["note"]
    assert record["versions"]


def test_a_table_put_together_by_hand_names_the_records_of_its_parts():
    one, other = double(numbers()), double(numbers(), by=4)
    both = pd.concat([one, other])
    record = describe_saved(both, made_from=[one, other[:1], numbers(), find_labels(np.zeros(1))])
    assert record["function"] is None
    assert [each.get("function") for each in record["made_from"]] == ["double", "double", None, "find_labels"]
    assert [each.get("changed_after") for each in record["made_from"]] == [None, True, None, None]
    assert record["result"] == digest_input(both)


def test_what_is_given_on_saving_adds_to_the_record_or_takes_its_place():
    table = double(numbers())
    added = describe_saved(table, provenance={"note": "without bots"})
    assert (added["function"], added["note"]) == ("double", "without bots")
    replaced = describe_saved(table, provenance=vc.describe_run("mine", seed=3))
    assert (replaced["function"], replaced["parameters"], replaced["seed"]) == ("mine", {}, 3)


def spell_slowly(table):
    state = hashlib.sha256("\x1f".join(map(str, table.columns)).encode())
    for column in table.columns:
        state.update("\x1f".join(map(str, table[column])).encode("utf-8", "surrogatepass") + b"\x1e")
    return state.hexdigest()[:32]


as_objects = partial(pd.Series, dtype=object)
COLUMNS = {
    "whole": [1, 2],
    "number": [1.5, np.nan],
    "small number": np.array([0.1, 1e-9], dtype="float32"),
    "truth": [True, False],
    "text": ["a", None],
    "half a character": as_objects(["\ud83d", "b"]),
    "objects": as_objects(["a", None]),
    "mixed": as_objects([1, "x"]),
    "other text": pd.array(["a", pd.NA], dtype="string"),
    "whole with gaps": pd.array([1, pd.NA], dtype="Int64"),
    "categories": pd.Categorical(["x", "y"]),
    "times": pd.to_datetime(["2018-01-01", "2018-01-01 03:04:05.006"], format="ISO8601"),
    "times with gaps": pd.to_datetime(["2018-01-01", None]).tz_localize("UTC"),
    "summer and winter": pd.to_datetime(["2018-07-01", "2018-01-01"]).tz_localize("Europe/Berlin"),
    "nanoseconds": pd.Series(np.array([1, 2], dtype="M8[ns]")),
    "spans": pd.to_timedelta([1, 2], unit="s"),
    "lists": [["a"], []],
    "arrays": as_objects([np.array(["a", "b"], dtype=object), np.array([], dtype=object)]),
    "arrays of numbers": as_objects([np.arange(3.0), np.array([1], dtype="float32")]),
}


def test_digests_of_tables_are_those_that_older_files_hold():
    differ = []
    for name, values in COLUMNS.items():
        table = pd.DataFrame({name: values})
        if digest_input(table) != spell_slowly(table):
            differ.append(name)
    assert differ == []
    assert digest_input(numbers(a=[1], b=["x"])) == "3193654f9db135fcb60dc0a40fa0075c"


def test_digests_tell_values_order_and_type_apart():
    x = np.arange(4.0)
    assert digest_input(x) == digest_input(x.copy())
    assert len({digest_input(v) for v in (x, x[::-1], x.astype("float32"), x.reshape(2, 2))}) == 4
    assert digest_input(numbers()) == digest_input(numbers())
    assert digest_input(numbers()) != digest_input(numbers(a=[2, 1]))
    texts = np.array(["a", "b"], dtype=object)
    assert digest_input(texts) == digest_input(np.array(["".join("a"), "b"], dtype=object))
    assert digest_input(np.array(["2018"], dtype="M8[D]")) != digest_input(np.array(["2019"], dtype="M8[D]"))


def test_a_digest_of_a_file_is_what_sha256sum_prints(tmp_path):
    path = tmp_path / "empty"
    path.write_bytes(b"")
    assert digest_file(path) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_digests_of_ids_depend_on_their_order_and_those_of_texts_are_short():
    assert digest_ids(["a", "b"]) != digest_ids(["b", "a"])
    assert digest_text("answers/ana.jsonl") == "ad5e98aafbbf518a"
    assert len(digest_text("\ud83d", digits=8)) == 8


def test_a_call_within_a_recorded_call_makes_no_record_but_where_a_result_keeps_one(monkeypatch):
    made = []
    begin = provenance._begin
    monkeypatch.setattr(
        provenance, "_begin", lambda *arguments: made.append(arguments[0]) or begin(*arguments)
    )

    @recorded
    def inner(x):
        return pd.DataFrame({"sum": [x.sum()]})

    @recorded
    def outer(x):
        assert inner(x).attrs == {}
        assert vc.cluster_once(x, n_clusters=2).provenance["function"] == "cluster_once"
        return inner(x)

    x = np.arange(8, dtype="float32").reshape(4, 2)
    assert outer(x).attrs["provenance"]["function"] == "outer"
    assert made == ["outer", "cluster_once"]
