"""Workers of Dask: started on this machine, or of a cluster that is there, with their addresses shown."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from visclust.base.checks import check_whole_number, checked
from visclust.base.distances import count_threads
from visclust.base.machine import memory_at_hand

_MISSING = "Expected the package {}, which workers of Dask need: pip install 'visclust[dask]'."


class MissingDaskError(ImportError):
    """Dask is not installed; the message says how to install it.

    Examples
    --------
    >>> issubclass(MissingDaskError, ImportError)
    True
    """


@contextlib.contextmanager
@checked
def open_workers(
    address: str | os.PathLike | None = None,
    *,
    workers: int | None = None,
    memory: str | int | None = None,
    dashboard: bool = False,
) -> Iterator[Any]:
    """Start workers of Dask on this machine, or connect to a cluster; for ``with``, which ends them again.

    What runs on them is the same code, in the same order of sums, as in this process: `run_shards` and
    `cluster_shards` take the client as ``on``. A task whose worker dies is done by another one. Workers on
    other machines need the folder of the corpus under the same path, and the same version of visclust.

    Parameters
    ----------
    address : str or path, optional
        Of a scheduler, such as ``tcp://10.0.0.1:8786``, or its file (``scheduler.json``); by default workers
        are started here, and listen to this machine only.
    workers : int, optional
        Processes to start here; by default one per core. Each has one thread.
    memory : str or int, optional
        What each of them may take, such as "4GB" or a number of bytes; a worker that needs more is ended and
        started again. By default the memory at hand, in equal parts.
    dashboard : bool, default False
        Show the dashboard, whose address is printed; it needs the package bokeh.

    Returns
    -------
    context manager
        That gives a ``distributed.Client``, for ``on``.

    Raises
    ------
    ImportError
        If Dask is not installed (`MissingDaskError`).
    FileNotFoundError, ConnectionError
        If there is no such file, or nobody answers at the address.

    Examples
    --------
    >>> with open_workers(workers=1) as client:  # doctest: +SKIP
    ...     run_shards("corpus", "embed", on=client)
    """
    distributed = _import_dask(dashboard=dashboard)
    if workers is not None:
        check_whole_number("workers", workers, least=1)
    if address is not None:
        if workers is not None or memory is not None:
            raise ValueError(
                "Expected no workers and no memory with an address: the cluster there has its own."
            )
        with _connect(distributed, address) as client:
            _tell(client, dashboard=dashboard)
            yield client
        return
    count = workers or count_threads()
    limit = memory if memory is not None else memory_at_hand() // count
    _check_memory(limit)
    with (
        distributed.LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            memory_limit=limit,
            dashboard_address="127.0.0.1:0" if dashboard else None,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        _tell(client, dashboard=dashboard)
        yield client


def _import_dask(*, dashboard: bool) -> Any:
    try:
        import distributed
    except ImportError as error:
        raise MissingDaskError(_MISSING.format("dask[distributed]")) from error
    if dashboard:
        try:
            import bokeh  # noqa: F401
        except ImportError as error:
            raise MissingDaskError(_MISSING.format("bokeh")) from error
    return distributed


def _connect(distributed: Any, address: str | os.PathLike) -> Any:
    text = os.fspath(address)
    try:
        if "://" in text:
            return distributed.Client(text, timeout=10)
        if not Path(text).is_file():
            raise FileNotFoundError(
                f"Expected the address of a scheduler (tcp://…) or its file, but there is no {text}."
            )
        return distributed.Client(scheduler_file=text, timeout=10)
    except (OSError, TimeoutError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ConnectionError(
            f"Expected a scheduler of Dask at {text}, but nobody answers there. Start one (dask scheduler), "
            "or look at its address."
        ) from error


def _check_memory(limit: str | int) -> None:
    from dask.utils import parse_bytes

    try:
        right = parse_bytes(limit) >= 2**26
    except ValueError:
        right = False
    if not right:
        raise ValueError(
            f'Expected memory to be an amount of 64 MB or more, such as "4GB" or a number of bytes, got '
            f"{limit!r}."
        )


def _tell(client: Any, *, dashboard: bool) -> None:
    count = len(client.scheduler_info(n_workers=-1)["workers"])
    said = f"{count} workers of Dask at {client.scheduler.address}."
    if dashboard:
        said += f" Dashboard: {client.dashboard_link}"
    print(said)
