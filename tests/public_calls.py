"""One valid small call of each public function, taken from the first Example in its docstring that calls it.

The call is caught before it runs, so that whatever the function would do, tests can make it again with other
arguments.
"""

import ast
import doctest
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from small_encoders import colour_encoder

import visclust as vc
from visclust.embedding.embed import Embedding

PACKAGE = Path(vc.__file__).parent


class Call(NamedTuple):
    """A call: the function, what it is given by the names of its parameters, and what may be given."""

    function: Any
    given: dict[str, Any]
    parameters: dict[str, inspect.Parameter]

    def run(self, **others: Any) -> Any:
        """Call the function with other values for some parameters; `_` of a list stands for its elements."""
        given = {**self.given, **others}
        bound = inspect.BoundArguments(inspect.signature(self.function), {})
        for name, parameter in self.parameters.items():
            if name in given:
                value = given[name]
                bound.arguments[name] = (
                    (value,) if name in others and parameter.kind is parameter.VAR_POSITIONAL else value
                )
        return self.function(*bound.args, **bound.kwargs)


class _CaughtError(Exception):
    pass


def _save_links() -> dict[str, Any]:
    path = Path("saved", "posts_images.parquet")
    vc.save_table(pd.DataFrame({"post_id": ["p1"], "image_id": ["a"]}), path, "posts_images")
    return {"path": path, "kind": "posts_images"}


def _paint_one() -> dict[str, Any]:
    Path("photos").mkdir()
    Image.new("RGB", (4, 4), "red").save("photos/a.png")
    images = vc.index_images(Path("photos").absolute(), progress=False)
    return {"images": images, "encoder": colour_encoder()}


def _cluster_few() -> dict[str, Any]:
    x = np.repeat(np.eye(3, dtype="float32"), 4, axis=0) + np.linspace(0, 0.1, 12, dtype="float32")[:, None]
    return {"clusters": vc.cluster_once(x, n_clusters=3), "x": x, "progress": False}


def _save_toy() -> dict[str, Any]:
    vc.save_embedding(Embedding(np.eye(3, dtype="float32"), ["a", "b", "c"], {}), Path("saved"), name="toy")
    return {"folder": Path("saved"), "name": "toy"}


# Functions whose Example is an error, or takes seconds, as what they do takes files or time.
_OTHERS: dict[str, Callable[[], dict[str, Any]]] = {
    "embed_images": _paint_one,
    "read_table": _save_links,
    "load_embedding": _save_toy,
    "diagnose_clusters": _cluster_few,
    "project_map": lambda: {"x": np.eye(6, dtype="float32"), "n_neighbors": 3, "progress": False},
    "finetune": lambda: {
        "images": pd.DataFrame({"image_id": ["a"], "path": ["a.png"], "status": ["ok"]}),
        "labels": pd.DataFrame({"image_id": ["a"], "flags": [1]}),
        "save_to": "mine.safetensors",
    },
}


# Draws enough for a call that nobody looks at.
_FEW = {"n_bootstrap": 4, "draws": 4, "n_simulations": 4, "n_surveys": 2}


def list_functions(folder: str = "") -> list[str]:
    """List the public functions with parameters, of all folders or of one; doors are the folder "doors"."""
    names = []
    for name in sorted(vc.__all__):
        thing = getattr(vc, name)
        if inspect.isfunction(thing) and inspect.signature(thing).parameters:
            home = inspect.unwrap(thing).__module__.split(".")
            if not folder or folder == (home[1] if len(home) > 2 else "doors"):
                names.append(name)
    return names


def catch_call(name: str) -> Call:
    """Run the Examples of a public function up to the first call of it, and give that call."""
    function = getattr(vc, name)
    module = sys.modules[inspect.unwrap(function).__module__]
    signature = inspect.signature(function)
    caught: list[dict[str, Any]] = []

    def spy(*args: Any, **kwargs: Any) -> None:
        caught.append(dict(signature.bind(*args, **kwargs).arguments))
        raise _CaughtError

    names = {**vars(module), name: spy}
    if name in _OTHERS:
        caught.append(_OTHERS[name]())
    for example in () if caught else doctest.DocTestParser().get_examples(inspect.getdoc(function) or ""):
        if example.exc_msg:  # what is wrong on purpose
            continue
        try:
            exec(compile(ast.parse(example.source), f"<example of {name}>", "exec"), names)
        except _CaughtError:
            break
    if not caught:
        raise AssertionError(f"The docstring of {name} has no Example that calls it, and no error comes.")
    parameters = dict(signature.parameters)
    few = {each: number for each, number in _FEW.items() if each in parameters}
    given = {**few, **caught[0]}
    for key, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            del parameters[key]
            given |= given.pop(key, {})
    return Call(function, given, parameters)


def is_our_own(error: BaseException) -> bool:
    """Tell whether an error was raised by a `raise` of ours, and not on the way by a library or by Python."""
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    file = Path(trace.tb_frame.f_code.co_filename)
    return PACKAGE in file.parents and trace.tb_lineno in _list_raises(file)


_raises: dict[Path, set[int]] = {}


def _list_raises(file: Path) -> set[int]:
    if file not in _raises:
        nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        lines = [range(node.lineno, node.end_lineno + 1) for node in nodes if isinstance(node, ast.Raise)]
        _raises[file] = {line for each in lines for line in each}
    return _raises[file]
