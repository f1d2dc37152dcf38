"""Every public function, called with values that nobody should pass for each of its parameters in turn.

The valid call in which one argument is replaced is that of the function's own docstring (public_calls.py), so
that a new function is walked from its first day. Right is a result, or an error of ours that names the
argument or shows what came; wrong is a traceback from a library, or an argument that was changed.
"""

import contextlib
import copy
import inspect
import io
import re
import tempfile
import warnings

import altair as alt
import numpy as np
import pandas as pd
import pytest
from bad_values import BAD_VALUES
from public_calls import catch_call, is_our_own, list_functions

import visclust as vc

# Loading a network, or drawing a page around a map, takes seconds: these are walked with the slow tests.
SLOW = {"choose_encoder", "load_encoder", "finetune", "link_map", "project_map"}
# Old names, which hand everything on to the new one.
HANDED_ON = {"test_frame_use", "plot_party_means"}
# What is not ours to refuse: functions that are called, and what is handed on to them.
NOT_OURS = {("try_analysis", "function"), ("try_analysis", "arguments"), ("install_missing", "run")}
# A call that goes as far as it can without hours of work, and what it says there.
STOPS = {"finetune": "Expected at least one feature"}
# Words by which errors name these arguments.
ALSO_CALLED = {
    "annotators": ["annotator"],
    "image_ids": ["images given", "an id for each"],
    "prior_size": ["prior"],
    "source": ["answers"],
    "strata": ["shares"],
    "weights": ["pairs"],
    "dimensions": ["items"],
    "links": ["posts_images"],
    "researcher": ["annotator"],
    "respondent": ["annotator"],
}
FOLDERS = ("base", "images", "corpus", "annotation", "embedding", "finetuning", "clustering", "scale")
FOLDERS += ("validation", "sampling", "exploration", "widgets", "survey", "ratings", "doors")


@contextlib.contextmanager
def elsewhere():
    """Work in a new folder, in silence: some of the values are names of files to write."""
    said = io.StringIO()
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
        alt.data_transformers.enable("default"),  # which show_charts sets, for all charts after it
        alt.renderers.enable("default"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


def list_faults(name, values):
    """Call a function with each value for each parameter, and list what is wrong with what comes."""
    faults = []
    for parameter, kind in inspect.signature(getattr(vc, name)).parameters.items():
        if (name, parameter) in NOT_OURS or kind.kind is kind.VAR_KEYWORD:
            continue
        with elsewhere():
            call = catch_call(name)
            beside = {each: value for each, value in call.given.items() if each != parameter}
            before = copy_what_can_be(beside)
            for said in values:
                if said == "a function" and "Callable" in str(kind.annotation):
                    continue
                value, like = BAD_VALUES[said](), BAD_VALUES[said]()
                fault = find_fault(call, parameter, value)
                if fault:
                    faults.append(f"{name}, {parameter}={said}: {fault}")
                if not is_same(beside, before) or not is_same(value, like):
                    faults.append(f"{name}, {parameter}={said}: an argument was changed")
    return faults


def find_fault(call, parameter, value):
    """Say what is wrong with what comes from a call; empty where nothing is."""
    try:
        call.run(**{parameter: value})
    except Exception as error:  # noqa: BLE001 - which ones may come is what is tested
        if not is_our_own(error):
            return f"raw {type(error).__name__}: {error}"
        enough = STOPS.get(call.function.__name__)
        if not (enough and enough in str(error)) and not is_named(str(error), parameter, value):
            return f"not named in {error}"
    return ""


def copy_what_can_be(given):
    """Copy arguments; widgets, which cannot be copied, stand for themselves."""
    copied = {}
    for name, value in given.items():
        try:
            copied[name] = copy.deepcopy(value)
        except NotImplementedError:
            copied[name] = value
    return copied


def is_named(message, parameter, value):
    """Tell whether a message names an argument, also as one of several, or shows the text that came."""
    names = [parameter, parameter.removesuffix("s"), *ALSO_CALLED.get(parameter, [])]
    shown = [str(value)] if isinstance(value, str | int | np.integer) else []
    if isinstance(value, list | np.ndarray) and len(value):
        shown.append(str(value[0]))
    return any(re.search(rf"(?<![a-z]){re.escape(each)}", message) for each in names) or any(
        each and each in message for each in shown
    )


def is_same(one, other):
    """Tell whether two values hold the same; what cannot be compared counts as the same where the kind is."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, pd.DataFrame | pd.Series):
        return one.equals(other)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")
    if isinstance(one, str | bytes | int | range | set):
        return one == other
    return type(one) is type(other)


@pytest.mark.parametrize("folder", FOLDERS)
def test_functions_refuse_what_makes_no_sense_by_name_or_give_a_result(folder):
    names = [name for name in list_functions(folder) if name not in SLOW | HANDED_ON]
    few = list(BAD_VALUES)[:: 1 if folder == "base" else 4]
    faults = [fault for name in names for fault in list_faults(name, few)]
    assert not faults, "\n".join(faults)


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS)
def test_functions_refuse_each_bad_value_by_name_or_give_a_result(folder):
    names = [name for name in list_functions(folder) if name not in HANDED_ON]
    faults = [fault for name in names for fault in list_faults(name, BAD_VALUES)]
    assert not faults, "\n".join(faults)


def test_every_public_function_is_walked_and_checks_its_arguments():
    walked = [name for folder in FOLDERS for name in list_functions(folder)]
    assert sorted(walked) == list_functions()
    unchecked = [
        name
        for name in walked
        if not getattr(getattr(vc, name), "checks_arguments", False) and name not in HANDED_ON
    ]
    # `launch` runs before NumPy is there, and checks by itself.
    assert unchecked == ["install_missing", "suggest_settings"]


SEEDED = [
    (name, parameter)
    for name in list_functions()
    for parameter in inspect.signature(getattr(vc, name)).parameters
    if parameter in ("seed", "seeds") and name not in SLOW
]


NO_SEEDS = (-1, 1.5, True, "0", None, 2**32, np.float64(1), np.array([1, 2]), pd.NA)


@pytest.mark.parametrize(("name", "parameter"), SEEDED)
def test_what_is_no_seed_is_refused_alike_by_all_that_draw(name, parameter):
    said = rf"Expected {parameter} to be .*whole number of at (least 0|most {2**32 - 1})"
    with elsewhere():
        call = catch_call(name)
        for seed in NO_SEEDS:
            if seed is None and name == "describe_run":  # of a run without any
                continue
            with pytest.raises(ValueError, match=said):
                call.run(**{parameter: [seed] if parameter == "seeds" else seed})


@pytest.mark.parametrize(("name", "parameter"), SEEDED)
def test_a_seed_of_numpy_is_taken_by_all_that_draw(name, parameter):
    with elsewhere():
        call = catch_call(name)
        for seed in (np.int64(3), np.uint8(3), np.array(3)):
            call.run(**{parameter: np.array([seed, 4]) if parameter == "seeds" else seed})


def test_the_walk_knows_a_raw_error_from_one_of_ours():
    def go_through(score):
        return vc.cluster_once(np.eye(4), n_clusters=2, score=score)

    with pytest.raises(TypeError) as raw:
        go_through(len)
    assert not is_our_own(raw.value)
    with pytest.raises(ValueError, match="score to be a function") as ours:
        go_through("len")
    assert is_our_own(ours.value)


def test_the_walk_sees_an_argument_that_was_changed():
    table = pd.DataFrame({"a": [1]})
    before = copy.deepcopy({"table": table})
    table["b"] = 2
    assert not is_same({"table": table}, before)
