"""Where tasks run: in this process, in a pool of processes, or on workers of Dask; with the same results.

A task is a function of a module with plain arguments. Each runs with one thread of BLAS, so that sums do not
depend on the cores of the machine that they are made on.
"""

import contextlib
import functools
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from threadpoolctl import ThreadpoolController

from visclust.base.checks import check_choice, check_whole_number, show
from visclust.base.distances import count_threads

PLACES = ("here", "processes")
# Tasks that are handed out at once, per worker: enough that none waits, few enough that results stay few.
_AHEAD = 4
# Seconds of waiting for one result, after which it is asked whether there are workers at all.
_PATIENCE = 60.0


class Executor:
    """Runs a function on each of some arguments, and gives the results in the order of the arguments."""

    workers = 1

    def map(self, function: Callable[..., Any], arguments: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        """Run the function on each tuple of arguments; results come in order, a few ahead at most."""
        for each in arguments:
            yield run_alone(function, each)


class WorkerDiedError(RuntimeError):
    """A worker process died in the middle of a task, as where it took more memory than it may.

    Examples
    --------
    >>> issubclass(WorkerDiedError, RuntimeError)
    True
    """

    def __init__(self, said: str = "") -> None:
        super().__init__(
            f"A worker died in the middle of its work{said}. Mostly that is memory: take smaller shards, "
            "fewer workers on a machine, or a higher limit. What was finished is kept: run the same again, "
            "and it goes on from there."
        )


def run_alone(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Run a task with one thread of BLAS."""
    with _control_blas().limit(limits=1, user_api="blas"):
        return function(*arguments)


@functools.cache
def _control_blas() -> ThreadpoolController:
    """Find the libraries of products once: looking for them takes longer than small tasks do."""
    return ThreadpoolController()


class _Pool(Executor):
    """Processes of this machine."""

    def __init__(self, pool: ProcessPoolExecutor, workers: int) -> None:
        self._pool, self.workers = pool, workers

    def map(self, function: Callable[..., Any], arguments: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        try:
            yield from _keep_order(
                lambda each: self._pool.submit(run_alone, function, each), arguments, _AHEAD * self.workers
            )
        except BrokenProcessPool as error:
            raise WorkerDiedError from error


class _Dask(Executor):
    """The workers of a Dask cluster; a task whose worker died goes to another one."""

    def __init__(self, client: Any) -> None:
        self._client, self._told = client, False

    @property
    def workers(self) -> int:  # type: ignore[override]
        """Count the threads of all workers, which may come and go."""
        return max(1, sum(self._client.nthreads().values()))

    def map(self, function: Callable[..., Any], arguments: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        from distributed import KilledWorker

        def submit(each: tuple[Any, ...]) -> Any:
            # Not pure: a task is done when it is asked for, whatever the scheduler remembers.
            return self._client.submit(run_alone, function, each, pure=False, retries=0)

        try:
            yield from _keep_order(submit, arguments, _AHEAD * self.workers, self._wait)
        except KilledWorker as error:
            raise WorkerDiedError(f", {error.allowed_failures + 1} times") from error

    def _wait(self, future: Any) -> Any:
        """Wait for a result; say once where no worker is left that could make it."""
        while True:
            try:
                return future.result(timeout=_PATIENCE)
            except TimeoutError:
                if future.done():
                    raise  # the task's own
                if not self._told and not self._client.nthreads():
                    print("No worker of Dask is there now: waiting for one. Ctrl+C ends it; parts are kept.")
                    self._told = True


def _keep_order(
    submit: Callable[[tuple[Any, ...]], Any],
    arguments: Iterable[tuple[Any, ...]],
    ahead: int,
    get: Callable[[Any], Any] = lambda future: future.result(),
) -> Iterator[Any]:
    waiting: list[Any] = []
    try:
        for each in arguments:
            waiting.append(submit(each))
            if len(waiting) >= ahead:
                yield get(waiting.pop(0))
        while waiting:
            yield get(waiting.pop(0))
    finally:
        for future in waiting:
            future.cancel()


@contextlib.contextmanager
def open_executor(on: Any = "here", *, workers: int | None = None) -> Iterator[Executor]:
    """Open what runs tasks: "here", "processes", or a client of Dask, which stays open.

    `workers` is for processes: by default one per core.
    """
    check_place(on)
    if workers is not None:
        check_whole_number("workers", workers, least=1)
    if not isinstance(on, str):
        yield _Dask(on)
        return
    if on == "here":
        yield Executor()
        return
    count = workers or count_threads()
    # Spawned, not forked: threads of BLAS and of torch do not survive a fork.
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield _Pool(pool, count)


def check_place(on: Any) -> None:
    """Refuse what no task can run on."""
    if isinstance(on, str):
        check_choice("on", on, PLACES)
    elif not (callable(getattr(on, "submit", None)) and callable(getattr(on, "nthreads", None))):
        raise TypeError(
            f'Expected on to be "here", "processes" or a client of Dask (see open_workers), got {show(on)}.'
        )
