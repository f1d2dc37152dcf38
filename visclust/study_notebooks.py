"""The notebooks of a study: written when it is started, and brought to a newer version with changes kept."""

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd

from visclust.base.files import write_json, write_text
from visclust.base.provenance import digest_text

# In the study's folder: the notebooks as they were shipped, by which changes of the user's are told.
_SHIPPED = ".visclust_notebooks.json"


def find_shipped_notebooks() -> Path:
    """Find the folder of notebooks that came with visclust: in the package, or beside it in a clone."""
    package = Path(__file__).parent
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if any(folder.glob("0*.ipynb")):
            return folder
    raise FileNotFoundError(
        f"Expected the notebooks of visclust in {package / 'notebooks'}, found none. Install visclust again: "
        "pip install --force-reinstall visclust."
    )


def write_notebooks(folder: Path) -> list[Path]:
    """Write the notebooks into a study, and keep there how they were shipped."""
    shipped = _read_shipped()
    for name, text in shipped.items():
        write_text(folder / "notebooks" / name, text)
    _write_tables_page(folder)
    _keep_shipped(folder, shipped)
    return [folder / "notebooks" / name for name in shipped]


def upgrade_notebooks(folder: Path) -> pd.DataFrame:
    """Bring a study's notebooks to the installed version; what a user changed is kept.

    Returns ``notebook, done``, a row per notebook. One that was left as it was shipped, outputs aside, is
    replaced. Where only cells of parameters were changed, the new notebook gets these cells; everything else
    that was changed is left, and the new notebook is put beside it as ``<name>.new.ipynb``.
    """
    shipped, before = _read_shipped(), _read_kept(folder)
    rows = []
    for name, new in shipped.items():
        path = folder / "notebooks" / name
        rows.append((name, _upgrade(path, new, before.get(name))))
    old = [path.name for path in sorted((folder / "notebooks").glob("*.ipynb")) if path.name in before]
    rows += [(name, "kept: this version has no such notebook") for name in old if name not in shipped]
    _write_tables_page(folder)
    _keep_shipped(folder, shipped)
    return pd.DataFrame(rows, columns=["notebook", "done"])


def _upgrade(path: Path, new: str, before: str | None) -> str:
    """Upgrade one notebook, and say what was done."""
    if not path.exists():
        write_text(path, new)
        return "added" if before is None else "added again: it had been removed"
    try:
        mine = json.loads(path.read_text(encoding="utf-8"))
        cells = _list_sources(mine)
    except (ValueError, KeyError, TypeError):
        return _put_beside(path, new, "it cannot be read as a notebook")
    wanted = json.loads(new)
    if cells == _list_sources(wanted):
        return "up to date"
    if before is None:
        return _put_beside(path, new, "how it was shipped is not known")
    old = json.loads(before)
    if _list_sources(old) == _list_sources(wanted):
        return "up to date, with your changes"
    changed = _list_changed(mine, old)
    if changed is None:
        return _put_beside(path, new, "you changed more than its parameters")
    if not changed:
        write_text(path, new)
        return "replaced by the new version"
    return _take_over(path, new, wanted, old, changed)


def _take_over(
    path: Path, new: str, wanted: dict[str, Any], old: dict[str, Any], changed: dict[int, str]
) -> str:
    """Write the new notebook with the user's parameters, where the new one has the same cells for them."""
    places, olds = _list_parameters(wanted), _list_parameters(old)
    for place, source in changed.items():
        number = olds.index(place)
        same = number < len(places) and _join(wanted["cells"][places[number]]) == _join(old["cells"][place])
        if not same:
            return _put_beside(path, new, "you changed parameters that the new version changed too")
        wanted["cells"][places[number]]["source"] = source.splitlines(keepends=True)
    write_text(path, _spell(wanted))
    return "replaced by the new version, with your parameters"


def _put_beside(path: Path, new: str, why: str) -> str:
    beside = path.with_name(f"{path.stem}.new.ipynb")
    write_text(beside, new)
    return f"kept, since {why}; the new version is beside it as {beside.name}"


def _list_changed(mine: dict[str, Any], old: dict[str, Any]) -> dict[int, str] | None:
    """Give the changed cells of parameters by their place; None where any other cell was changed."""
    sources, olds = _list_sources(mine), _list_sources(old)
    if len(sources) != len(olds):
        return None
    changed = {
        place: text for place, (text, was) in enumerate(zip(sources, olds, strict=True)) if text != was
    }
    texts = {place: source for place, (_, source) in changed.items()}
    return texts if set(changed) <= set(_list_parameters(old)) else None


def _list_parameters(notebook: dict[str, Any]) -> list[int]:
    return [
        place
        for place, cell in enumerate(notebook["cells"])
        if "parameters" in cell.get("metadata", {}).get("tags", ())
    ]


def _list_sources(notebook: dict[str, Any]) -> list[tuple[str, str]]:
    """List kind and source of every cell that is not empty at its end: what a person could have changed."""
    cells = [(str(cell["cell_type"]), _join(cell)) for cell in notebook["cells"]]
    while cells and not cells[-1][1].strip():  # Jupyter leaves an empty cell at the end
        cells.pop()
    return cells


def _join(cell: dict[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def _read_shipped() -> dict[str, str]:
    """Read the notebooks that came with visclust, their links as they lead from a study's folder."""
    folder = find_shipped_notebooks()
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.ipynb"))}
    return {name: text.replace("(../visclust/TABLES.md)", "(../TABLES.md)") for name, text in texts.items()}


def _write_tables_page(folder: Path) -> None:
    text = (Path(__file__).parent / "TABLES.md").read_text(encoding="utf-8")
    write_text(folder / "TABLES.md", text)


def _keep_shipped(folder: Path, shipped: dict[str, str]) -> None:
    import visclust

    kept = {name: {"digest": digest_text(text, digits=32), "text": text} for name, text in shipped.items()}
    write_json(folder / _SHIPPED, {"version": visclust.__version__, "notebooks": kept})


def _read_kept(folder: Path) -> dict[str, str]:
    """Read how the notebooks were shipped to this study; nothing of those whose text and digest differ."""
    path = folder / _SHIPPED
    if not path.exists():
        return {}
    kept = _read(path).get("notebooks", {})
    return {
        name: each["text"]
        for name, each in kept.items()
        if digest_text(each["text"], digits=32) == each["digest"]
    }


def _read(path: str | os.PathLike) -> dict[str, Any]:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def _spell(notebook: dict[str, Any]) -> str:
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
