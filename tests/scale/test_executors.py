"""Where tasks run: results in order, with one thread of BLAS, and words when a process dies."""

import pytest
from dask_tasks import kill_self, kill_self_once
from threadpoolctl import threadpool_info

from visclust.scale.executors import Executor, WorkerDiedError, open_executor


def count_blas_threads():
    return max(each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas")


def test_a_task_runs_with_one_thread_of_blas():
    assert list(Executor().map(count_blas_threads, [()])) == [1]


@pytest.mark.slow
def test_processes_give_results_in_order_and_a_dead_one_ends_in_words(tmp_path):
    with open_executor("processes", workers=1) as executor:
        (tmp_path / "killed").touch()
        arguments = [(str(tmp_path / "killed"), i) for i in range(9)]
        assert list(executor.map(kill_self_once, arguments)) == [i * i for i in range(9)]
        with pytest.raises(WorkerDiedError, match=r"memory.*run the same again"):
            list(executor.map(kill_self, [()]))
