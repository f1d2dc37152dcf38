"""The package as its users meet it: its names, their stubs and documentation, and what importing it costs."""

import ast
import inspect
import os
import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path

import pytest

import visclust as vc

FOLDER = Path(vc.__file__).parent
STUBS = sorted(FOLDER.glob("*/__init__.pyi"))


def list_public(stub):
    """Give (module, name) for each name that a stub lists."""
    for node in ast.parse(stub.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name) for alias in node.names if alias.name != "*")


def test_every_name_is_there_with_a_documented_example():
    missing = []
    for name in vc.__all__:
        headings = ("Examples\n", "Returns\n" if name != "show_charts" else "Parameters\n")
        if isinstance(getattr(vc, name), type) and issubclass(getattr(vc, name), Exception):
            headings = headings[:1]  # it returns nothing
        documentation = getattr(vc, name).__doc__ if callable(getattr(vc, name)) else "".join(headings)
        missing += [f"{name}: {heading.strip()}" for heading in headings if heading not in documentation]
    assert missing == []


def test_a_name_whose_own_lines_raise_says_so():
    silent = []
    for name in vc.__all__:
        function = inspect.unwrap(getattr(vc, name))
        if inspect.isfunction(function):
            tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
            raises = any(isinstance(node, ast.Raise) for node in ast.walk(tree))
            silent += [name] if raises and "Raises\n" not in function.__doc__ else []
    assert silent == []


def test_a_folder_shows_the_names_of_its_own_stage_and_the_package_shows_all():
    seen = {}
    for stub in STUBS:
        folder = getattr(vc, stub.parent.name)
        names = [name for _, name in list_public(stub)]
        assert dir(folder) == sorted(names)
        assert all(module.startswith(f"visclust.{stub.parent.name}.") for module, _ in list_public(stub))
        assert [name for name in names if getattr(folder, name) is not getattr(vc, name)] == []
        seen |= dict.fromkeys(names, stub.parent.name)
    doors = {name for module, name in list_public(FOLDER / "__init__.pyi") if module != "visclust"}
    assert set(vc.__all__) == set(seen) | doors
    assert set(dir(vc)) == set(vc.__all__) | {stub.parent.name for stub in STUBS}


def test_a_name_in_a_stub_stands_in_the_module_that_the_stub_names():
    wrong = []
    for stub in [FOLDER / "__init__.pyi", *STUBS]:
        for module, name in list_public(stub):
            value = getattr(import_module(module), name, None)
            if module != "visclust" and getattr(value, "__module__", module) != module:
                wrong.append(f"{name}: {value.__module__}, not {module}")
    assert wrong == []


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'cluster_magically'"):
        vc.cluster_magically  # noqa: B018


def test_importing_the_package_imports_no_library_and_is_quick():
    libraries = {"numpy", "pandas", "pyarrow", "altair", "sklearn", "statsmodels", "torch", "cupy", "cuml"}
    code = f"import sys, visclust; print(sorted({libraries} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
    code = "import time; start = time.process_time(); import visclust; print(time.process_time() - start)"
    # Processor time, the least of three: other programs must not decide it.
    assert min(float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(3)) < 0.1


def test_no_name_is_that_of_a_module_or_folder_which_would_take_its_place():
    for folder in [FOLDER, *(stub.parent for stub in STUBS)]:
        package = ".".join(folder.relative_to(FOLDER.parent).parts)
        modules = {path.stem for path in folder.glob("*.py")} | {
            path.parent.name for path in folder.glob("*/*.py")
        }
        assert not modules & set(import_module(package).__all__)


def test_a_wrong_name_and_a_wrong_keyword_are_errors_to_mypy(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import visclust as vc\n"
        'vc.read_posts("posts.jsonl")\n'
        'vc.read_postz("posts.jsonl")\n'
        'vc.index_images("folder", colour=True)\n'
        "vc.clustering.cluster_iteratively\n"
        "vc.clustering.read_posts\n"
    )
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--follow-imports=silent",
        "--ignore-missing-imports",
        "program.py",
    ]
    environment = {**os.environ, "MYPYPATH": str(FOLDER.parent)}
    found = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    errors = [line.removeprefix("program.py:") for line in found.stdout.splitlines() if ": error:" in line]
    assert [line.partition(":")[0] for line in errors] == ["3", "4", "6"], found.stdout
    assert "read_postz" in errors[0]
    assert "colour" in errors[1]
