"""A notebook opened before its time says which one comes first, and leaves out its cells until then."""

import ast
import textwrap
from collections.abc import Callable
from fnmatch import fnmatch
from typing import Any

from visclust.base.checks import checked
from visclust.base.freshness import WRITERS
from visclust.study import Study

_CALL = "wait_for_results"


@checked
def wait_for_results(study: Study, *names: str, shows: str) -> bool:
    """Say which notebooks come first where a file of theirs is not made yet, and let the cells below wait.

    Until the files are there, every cell run in this kernel is left out with a line that says so, but for
    cells that only import or set a value, and those that call this function. Once they are there, run the
    cells again. Outside Jupyter, where there are no cells, only the sentence is said.

    Parameters
    ----------
    study : Study
        From `open_study`.
    *names : str
        What the notebook cannot do without, as in the study's folder of results: "images.parquet",
        "embeddings/pretrained.npy".
    shows : str
        What the cells show once it is there, such as "which images belong together".

    Returns
    -------
    bool
        Whether all is there.

    Raises
    ------
    ValueError
        If no notebook writes a file of such a name.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = Path(tempfile.mkdtemp())
    >>> study = Study(folder=folder, results=folder, name="mine", images=folder)
    >>> wait_for_results(study, "images.parquet", "clusters.parquet", shows="the clusters")
    There is no images.parquet and no clusters.parquet in the results yet: run 01_build_corpus and
    04_cluster_images, then the cells below, to see here the clusters. Until then they are left out.
    False
    """
    writers = {name: _find_writer(name) for name in names}

    def list_missing() -> list[str]:
        return [name for name in names if not (study.results / name).exists()]

    _let_cells_wait(list_missing, writers)
    missing = list_missing()
    if missing:
        files = " and ".join(f"no {name}" for name in missing)
        first = _list_notebooks(missing, writers)
        said = f"There is {files} in the results yet: run {first}, then the cells below, to see here {shows}."
        said += " Until then they are left out."
        print(textwrap.fill(said, 105, break_long_words=False, break_on_hyphens=False))
    return not missing


def _find_writer(name: str) -> str:
    for pattern, writer in WRITERS.items():
        if fnmatch(name, pattern):
            return writer
    if fnmatch(name, "embeddings/*.npy"):
        return WRITERS["embeddings/finetuned*.npy"]
    raise ValueError(f"Expected in names a file that a notebook writes ({', '.join(WRITERS)}), got {name!r}.")


def _list_notebooks(missing: list[str], writers: dict[str, str]) -> str:
    return " and ".join(sorted({writers[name] for name in missing}))


class _Gate:
    """Leaves cells out while files are missing: it gets the lines of each, and gives those to be run."""

    def __init__(self, list_missing: Callable[[], list[str]], writers: dict[str, str]) -> None:
        self._list_missing, self._writers = list_missing, writers

    def __call__(self, lines: list[str]) -> list[str]:
        missing = self._list_missing()
        source = "".join(lines)
        if not missing or not source.strip() or _CALL in source or _only_sets(source):
            return lines
        said = f"Left out: {_list_notebooks(missing, self._writers)} comes first, as said above."
        return [f"print({said!r})\n"]


def _only_sets(source: str) -> bool:
    """Whether a cell only imports, or sets names to plain values: parameters, which are not to be lost."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return True  # Python says it better
    return all(
        isinstance(each, ast.Import | ast.ImportFrom)
        or (isinstance(each, ast.Assign) and _is_plain(each.value))
        for each in statements
    )


def _is_plain(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except ValueError:
        return False
    return True


def _let_cells_wait(list_missing: Callable[[], list[str]], writers: dict[str, str]) -> None:
    """Put the gate where IPython changes cells before it runs them, in the place of an earlier one."""
    try:
        from IPython import get_ipython
    except ImportError:  # a script, where visclust is used without Jupyter
        return
    shell: Any = get_ipython()  # type: ignore[no-untyped-call]
    if shell is None:
        return
    changes = shell.input_transformers_post
    changes[:] = [each for each in changes if not isinstance(each, _Gate)] + [_Gate(list_missing, writers)]
