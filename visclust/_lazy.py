"""The public names of a package, listed once in its stub, and imported when they are first used.

Own lines rather than a library, since `visclust.launch` must work on Colab before anything is installed.
"""

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def attach(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Make a package's ``__getattr__``, ``__dir__`` and ``__all__`` from the ``__init__.pyi`` beside it."""
    homes = _read_stub(Path(file).with_suffix(".pyi"))
    names = sorted(name for name, home in homes.items() if home != package)

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if homes[name] == package:  # `from visclust import clustering` in the stub: a folder
            return import_module(f"{package}.{name}")
        return getattr(import_module(homes[name]), name)

    return get, lambda: sorted(homes), names


def _read_stub(stub: Path) -> dict[str, str]:
    """Give the module of each name that a stub imports; a star stands for all names of a folder of ours."""
    homes: dict[str, str] = {}
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if alias.name == "*":
                    homes |= _read_stub(stub.parent / node.module.rpartition(".")[2] / "__init__.pyi")
                else:
                    homes[alias.name] = node.module
    return homes
