import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import visclust


@pytest.mark.parametrize("name", visclust.__all__)
def test_every_name_of_the_package_is_there_with_a_documented_example(name):
    documentation = getattr(visclust, name).__doc__
    for heading in ("Examples\n", "Returns\n" if name != "show_charts" else "Parameters\n"):
        assert heading in documentation


def test_every_name_is_public_in_its_module():
    for module, names in visclust._EXPORTS.items():
        assert set(names) <= set(importlib.import_module(f"visclust.{module}").__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'cluster_magically'"):
        visclust.cluster_magically  # noqa: B018


def test_importing_the_package_imports_no_library():
    libraries = {"numpy", "pandas", "torch", "cupy", "cuml"}
    code = f"import sys, visclust; print(sorted({libraries} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_no_name_is_that_of_a_module_which_would_take_its_place():
    folder = Path(visclust.__file__).parent
    modules = {path.stem for path in [*folder.glob("*.py"), *folder.glob("*/__init__.py")]}
    assert not modules & set(visclust.__all__)
