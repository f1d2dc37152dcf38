"""Execute the notebook series in order without a browser, and gather its pictures on one page.

Run ``python -m visclust.notebook_run notebooks --to results``.
"""

import argparse
import ast
import base64
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import pandas as pd
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellTimeoutError, DeadKernelError
from nbclient.util import run_sync

from visclust.base.files import write_atomically, write_text
from visclust.base.html import build_pictures_page

_TERMINAL_COLOURS = re.compile(r"\x1b\[[0-9;]*m")

# What a notebook leaves in the kernel is taken out before the next: its variables and their history, its
# widgets, how it had tables shown, and that its cells wait for files.
_AFRESH = """\
import sys
if "ipywidgets" in sys.modules:
    sys.modules["ipywidgets"].Widget.close_all()
if "pandas" in sys.modules:
    sys.modules["pandas"].reset_option("^display")
get_ipython().input_transformers_post.clear()  # what wait_for_results put there
get_ipython().reset(new_session=True)
__import__("gc").collect()
"""

_TITLE = "visclust: pictures of a run"
_STYLE = """\
body { font: 16px/1.5 sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h2 { margin-top: 3rem; border-bottom: 1px solid #ccc; }
figure { margin: 1.5rem 0 2.5rem; overflow-x: auto; }
figure > img { max-width: 100%; height: auto; }
figcaption { max-width: 45rem; white-space: pre-line; margin-bottom: .75rem; }
"""


class Picture(NamedTuple):
    """One output: the text before it, its PNG or its HTML, and the width to show the PNG at (0: its own)."""

    caption: str
    png: bytes
    html: str
    width: int


def list_notebooks(folder: str | os.PathLike) -> list[Path]:
    """List the notebooks of a folder by name, which begins with their number; FileNotFoundError if none."""
    # A newer version that `visclust upgrade` put beside a changed notebook is not of the series.
    found = sorted(path for path in Path(folder).glob("*.ipynb") if not path.stem.endswith(".new"))
    if not found:
        raise FileNotFoundError(
            f"Expected notebooks (*.ipynb) in {folder}, found none: name the folder that holds them."
        )
    return found


def choose_notebooks(paths: Sequence[Path], only: Sequence[str]) -> list[Path]:
    """Choose notebooks by their numbers or how their names begin, all where none is named.

    One that is not there is a ValueError.
    """
    wanted = [] if only else list(paths)
    for each in only:
        found = [path for path in paths if path.stem.startswith(each)]
        if not found:
            raise ValueError(
                f"Expected the numbers of notebooks, such as 01 or 04, got {each!r}. There are: "
                f"{', '.join(path.stem for path in paths)}."
            )
        wanted += found
    return [path for path in paths if path in wanted]


def run_notebooks(
    folder: str | os.PathLike,
    *,
    to: str | os.PathLike,
    work: str | os.PathLike | None = None,
    only: Sequence[str] = (),
    study: str | os.PathLike | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    timeout: float = 900,
) -> pd.DataFrame:
    """Execute every notebook of a folder in order, until one fails, and print one line for each.

    One kernel executes all of them, since its start and its imports take longer than most notebooks; none
    sees the variables of an earlier one. The notebooks are read only; executed copies go to the folder
    ``notebooks`` below `to`, with their outputs
    so far where one failed. What they write themselves goes to `work`, which they get as the environment
    variable VISCLUST_RESULTS: by default `to`, so that JupyterLab finds it afterwards. `study`, the folder
    of a study, they get as VISCLUST_STUDY. `only` names some by their numbers. `parameters` gives values of
    parameters by the name of a notebook or how it begins, ``{"07": {"n_runs": 2}}``: they stand in a cell of
    the copy, after the one tagged "parameters". A cell may take `timeout` seconds. Returns one row per
    notebook: ``notebook`` (its name), ``seconds``, ``status`` ("ok", "failed" or "not run") and ``error``
    (source of the failing cell and what went wrong; empty otherwise).
    """
    notebooks = choose_notebooks(list_notebooks(folder), only)
    to = Path(to).resolve()
    environment = {**os.environ, "VISCLUST_RESULTS": str(Path(work).resolve() if work else to)}
    if study is not None:
        environment["VISCLUST_STUDY"] = str(Path(study).resolve())
    for name in parameters or {}:
        choose_notebooks(notebooks, [name])  # refuses a name that is not there
    rows, failed = [], False
    kernel = _Kernel(Path(folder), environment, timeout)
    try:
        for path in notebooks:
            if failed:
                rows.append((path.stem, 0.0, "not run", ""))
                continue
            print(f"{path.stem:<28}", end="", flush=True)
            start = time.perf_counter()
            given = [values for name, values in (parameters or {}).items() if path.stem.startswith(name)]
            error = _execute(path, to / "notebooks" / path.name, kernel, given)
            seconds, failed = time.perf_counter() - start, bool(error)
            print(f"{seconds:7.1f} s  {'failed' if failed else 'ok'}", flush=True)
            rows.append((path.stem, seconds, "failed" if failed else "ok", error))
    finally:
        kernel.shut_down()
    return pd.DataFrame(rows, columns=["notebook", "seconds", "status", "error"])


class _Kernel:
    """The one kernel of a run: started by the first notebook, and emptied before each other one."""

    def __init__(self, folder: Path, environment: dict[str, str], timeout: float) -> None:
        self._folder, self._environment, self._timeout = folder, environment, timeout
        self._client: NotebookClient | None = None

    def execute(self, notebook: nbformat.NotebookNode, started: list[int]) -> None:
        """Execute a notebook's cells, whose outputs go into it; the number of each cell goes to `started`."""
        if self._client is not None:
            cell = nbformat.v4.new_code_cell(_AFRESH)
            self._run(nbformat.v4.new_notebook(cells=[cell]), [])
        self._run(notebook, started)

    def _run(self, notebook: nbformat.NotebookNode, started: list[int]) -> None:
        client = NotebookClient(
            notebook,
            timeout=self._timeout,
            kernel_name="python3",
            resources={"metadata": {"path": str(self._folder)}},
            extra_arguments=[
                "--log-level=ERROR"
            ],  # the kernel's remarks on its transport would break the lines
            on_cell_execute=lambda cell, cell_index: started.append(cell_index),  # noqa: ARG005
        )
        if self._client is not None:
            client.km, client.kc = self._client.km, self._client.kc
        self._client = client
        client.execute(env=self._environment, cleanup_kc=False)

    def shut_down(self) -> None:
        """End the kernel, where there is one."""
        if self._client is None:
            return
        if self._client.kc is not None:
            self._client.kc.stop_channels()
        if self._client.km is not None and self._client.km.has_kernel:
            shutdown: Any = self._client.km.shutdown_kernel  # a coroutine here, whatever its annotation says
            run_sync(shutdown)()


def _execute(path: Path, copy: Path, kernel: _Kernel, given: Sequence[Mapping[str, Any]] = ()) -> str:
    """Execute one notebook in its own folder, save the copy, and return the error, empty where none."""
    notebook = nbformat.read(path, as_version=4)
    for values in given:
        _write_parameters(notebook, values, path.stem)
    started: list[int] = []
    error = ""
    try:
        kernel.execute(notebook, started)
    # A failing cell, one that ran out of time, and a kernel that died, for want of memory for example.
    except (CellControlSignal, DeadKernelError) as reason:
        error = (
            _describe_failure(notebook.cells[started[-1]], started[-1], reason) if started else str(reason)
        )
    write_atomically(
        copy, lambda file: file.write(nbformat.writes(notebook).encode("utf-8", "backslashreplace"))
    )
    return error


def _write_parameters(notebook: nbformat.NotebookNode, values: Mapping[str, Any], name: str) -> None:
    """Put a cell with values of parameters after the one tagged so; each must be a parameter there."""
    places = [i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])]
    known: set[str] = set()
    if places:
        tree = ast.parse(notebook.cells[places[0]].source)
        known = {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
    if unknown := [each for each in values if each not in known]:
        raise ValueError(
            f"Expected parameters of {name} ({', '.join(sorted(known)) or 'it has none'}), "
            f"got {unknown[0]!r}."
        )
    lines = [f"{each} = {value!r}" for each, value in values.items()]
    cell = nbformat.v4.new_code_cell("\n".join(lines), metadata={"tags": ["injected-parameters"]})
    notebook.cells.insert(places[0] + 1, cell)


def _describe_failure(cell: nbformat.NotebookNode, index: int, reason: Exception) -> str:
    """Give the source of the cell that failed and what went wrong, without the terminal's colours."""
    errors = [output for output in cell.outputs if output.output_type == "error"]
    text = f"{type(reason).__name__}: {reason}"
    if errors and not isinstance(reason, CellTimeoutError):  # there it is only how the cell was interrupted
        text = "\n".join(errors[0].traceback)
    return f"Cell {index + 1}:\n{cell.source}\n\n{_TERMINAL_COLOURS.sub('', text)}"


def find_pictures(notebook: nbformat.NotebookNode) -> Iterator[Picture]:
    """Go through the pictures among an executed notebook's outputs, cell by cell: PNGs, and HTML with images.

    The caption is the text of the nearest markdown cell before a picture, given to the first picture after
    that cell only.
    """
    caption = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            caption = _strip_marks(cell.source)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            html = _join(data.get("text/html", ""))
            if "image/png" in data:
                png = base64.b64decode(_join(data["image/png"]))
                width = output.get("metadata", {}).get("image/png", {}).get("width", 0)
                yield Picture(caption, png, "", int(width))
            elif "<img" in html:
                yield Picture(caption, b"", html, 0)
            else:
                continue
            caption = ""


def write_index(notebooks: Sequence[str | os.PathLike], *, to: str | os.PathLike) -> Path:
    """Write the pictures of executed notebooks as files, and as one page with their titles and captions.

    The folder `to` gets ``index.html``, whose path is returned, and ``pictures/<notebook>-<number>.png``.
    Titles and captions are escaped; HTML that a notebook put out stands as it is, and the page's content
    policy lets no script of it run.
    """
    to = Path(to)
    parts = ["<h1>Pictures of a run</h1>\n"]
    for path in map(Path, notebooks):
        notebook = nbformat.read(path, as_version=4)
        parts.append(f"<h2>{escape(_find_title(notebook) or path.stem)}</h2>\n")
        pictures = list(find_pictures(notebook))
        for old in (to / "pictures").glob(f"{path.stem}-*.png"):
            old.unlink()  # an earlier run may have made more of them
        for number, picture in enumerate(pictures, start=1):
            name = f"{path.stem}-{number}"
            if picture.png:
                _write_bytes(to / "pictures" / f"{name}.png", picture.png)
            parts.append(_draw_figure(picture, name))
        if not pictures:
            parts.append("<p>No pictures.</p>\n")
    page = build_pictures_page(title=_TITLE, style=_STYLE, body="".join(parts))
    return write_text(to / "index.html", page)


def _write_bytes(path: Path, content: bytes) -> None:
    write_atomically(path, lambda file: file.write(content))


def _draw_figure(picture: Picture, name: str) -> str:
    # Images that load when scrolled to would be missing from a printed page.
    shown = re.sub(r"""loading=(["']?)lazy\1""", "", picture.html)
    if picture.png:
        address = "data:image/png;base64," + base64.b64encode(picture.png).decode()
        width = f' width="{picture.width}"' if picture.width else ""
        shown = f'<img src="{address}" alt="{escape(picture.caption or name)}"{width}>'
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>\n" if picture.caption else ""
    return f"<figure>\n{caption}{shown}\n</figure>\n"


def _find_title(notebook: nbformat.NotebookNode) -> str:
    """Give the first heading of a notebook, empty where it has none."""
    for cell in notebook.cells:
        heading = (
            re.search(r"^#+ +(.+)$", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else None
        )
        if heading:
            return _strip_marks(heading.group(1))
    return ""


def _strip_marks(markdown: str) -> str:
    """Take away the marks of Markdown that a reader of plain text stumbles over."""
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", markdown)  # images, badges among them
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"^#+ +", "", text, flags=re.MULTILINE)
    text = re.sub(r"(?<!\n)\n(?=[^\n|\-\d])", " ", text)  # lines wrapped within a paragraph
    return re.sub(r"[*`]", "", text).strip()


def _join(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def main(arguments: list[str] | None = None) -> int:
    """Run the series from the command line; returns 1 where a notebook failed, else 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", help="folder with the notebooks")
    parser.add_argument("--to", default="results", help="folder for the executed notebooks and the page")
    parser.add_argument("--work", help="folder for the tables they write (default: the same)")
    parser.add_argument("--timeout", type=float, default=900, help="seconds allowed for one cell")
    options = parser.parse_args(arguments)
    try:
        runs = run_notebooks(options.folder, to=options.to, work=options.work, timeout=options.timeout)
    except FileNotFoundError as error:
        parser.error(str(error))
    to = Path(options.to).resolve()
    executed = runs.loc[runs.status != "not run", "notebook"]
    page = write_index([to / "notebooks" / f"{name}.ipynb" for name in executed], to=to)
    print()
    for row in runs[runs.status == "failed"].itertuples():
        print(f"{row.notebook} failed, and the notebooks after it were not run.\n\n{row.error}\n")
    print(f"Pictures:           {page}")
    print(f"Executed notebooks: {to / 'notebooks'}")
    print("Open JupyterLab:    make lab")
    return int((runs.status == "failed").any())


if __name__ == "__main__":
    sys.exit(main())
