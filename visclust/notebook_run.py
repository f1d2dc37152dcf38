"""Execute the notebook series in order without a browser, and gather its pictures on one page.

Run ``python -m visclust.notebook_run notebooks --to results``.
"""

import argparse
import os
import re
import sys
import time
from pathlib import Path

import nbformat
import pandas as pd
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellTimeoutError, DeadKernelError

from visclust.base.files import write_atomically
from visclust.notebook_index import write_index

_TERMINAL_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def list_notebooks(folder: str | os.PathLike) -> list[Path]:
    """List the notebooks of a folder in the order of their numbers.

    Parameters
    ----------
    folder : str or path
        Folder with files named like ``01_build_corpus.ipynb``.

    Returns
    -------
    list of pathlib.Path
        Sorted by name.

    Raises
    ------
    FileNotFoundError
        If there is no notebook.

    Examples
    --------
    >>> list_notebooks("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: Expected notebooks (*.ipynb) in nowhere, found none: name the folder that holds them.
    """
    found = sorted(Path(folder).glob("*.ipynb"))
    if not found:
        raise FileNotFoundError(
            f"Expected notebooks (*.ipynb) in {folder}, found none: name the folder that holds them."
        )
    return found


def run_notebooks(
    folder: str | os.PathLike,
    *,
    to: str | os.PathLike,
    work: str | os.PathLike | None = None,
    timeout: float = 900,
) -> pd.DataFrame:
    """Execute every notebook of a folder in order, until one fails, and print one line for each.

    Parameters
    ----------
    folder : str or path
        Folder with the notebooks. They are read only.
    to : str or path
        Folder for the executed copies (in ``notebooks``), with their outputs so far where one failed.
    work : str or path, optional
        Folder for the tables and matrices that the notebooks write, which they get as the environment
        variable VISCLUST_RESULTS; by default `to`, so that JupyterLab finds them afterwards.
    timeout : float, seconds, default 900
        Limit for one cell.

    Returns
    -------
    DataFrame
        One row per notebook: ``notebook`` (its name), ``seconds``, ``status`` ("ok", "failed" or
        "not run") and ``error`` (source of the failing cell and what went wrong; empty otherwise).

    Raises
    ------
    FileNotFoundError
        If there is no notebook.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> note = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("Hello")])
    >>> nbformat.write(note, folder / "00_hello.ipynb")
    >>> run_notebooks(folder, to=folder / "results").status.tolist()
    00_hello ... s  ok
    ['ok']
    """
    notebooks = list_notebooks(folder)
    to = Path(to).resolve()
    environment = {**os.environ, "VISCLUST_RESULTS": str(Path(work).resolve() if work else to)}
    rows, failed = [], False
    for path in notebooks:
        if failed:
            rows.append((path.stem, 0.0, "not run", ""))
            continue
        print(f"{path.stem:<28}", end="", flush=True)
        start = time.perf_counter()
        error = _execute(path, to / "notebooks" / path.name, environment, timeout)
        seconds, failed = time.perf_counter() - start, bool(error)
        print(f"{seconds:7.1f} s  {'failed' if failed else 'ok'}", flush=True)
        rows.append((path.stem, seconds, "failed" if failed else "ok", error))
    return pd.DataFrame(rows, columns=["notebook", "seconds", "status", "error"])


def _execute(path: Path, copy: Path, environment: dict[str, str], timeout: float) -> str:
    """Execute one notebook in its own folder, save the copy, and return the error, empty where none."""
    notebook = nbformat.read(path, as_version=4)
    started: list[int] = []
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        extra_arguments=["--log-level=ERROR"],  # the kernel's remarks on its transport would break the lines
        on_cell_execute=lambda cell, cell_index: started.append(cell_index),  # noqa: ARG005
    )
    error = ""
    try:
        client.execute(env=environment)
    # A failing cell, one that ran out of time, and a kernel that died, for want of memory for example.
    except (CellControlSignal, DeadKernelError) as reason:
        error = (
            _describe_failure(notebook.cells[started[-1]], started[-1], reason) if started else str(reason)
        )
    write_atomically(
        copy, lambda file: file.write(nbformat.writes(notebook).encode("utf-8", "backslashreplace"))
    )
    return error


def _describe_failure(cell: nbformat.NotebookNode, index: int, reason: Exception) -> str:
    """Give the source of the cell that failed and what went wrong, without the terminal's colours."""
    errors = [output for output in cell.outputs if output.output_type == "error"]
    text = f"{type(reason).__name__}: {reason}"
    if errors and not isinstance(reason, CellTimeoutError):  # there it is only how the cell was interrupted
        text = "\n".join(errors[0].traceback)
    return f"Cell {index + 1}:\n{cell.source}\n\n{_TERMINAL_COLOURS.sub('', text)}"


def main(arguments: list[str] | None = None) -> int:
    """Run the series from the command line.

    Parameters
    ----------
    arguments : list of str, optional
        The command line's words; by default those of this process.

    Returns
    -------
    int
        0, or 1 where a notebook failed.
    """
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
