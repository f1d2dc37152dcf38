"""What the machine has: memory as containers and Binder limit it, threads, the device of torch."""

import os
import types

import pytest

from visclust.base import machine


@pytest.fixture(autouse=True)
def nothing_announced(monkeypatch):
    monkeypatch.delenv("MEM_LIMIT", raising=False)


def pretend_files(monkeypatch, **texts):
    found = {"meminfo": "MemTotal: 9 kB\nMemAvailable:  2048 kB\n", "max": "max", "limit": "max"} | texts
    names = {"/proc/meminfo": "meminfo", machine._CGROUP_LIMITS[0]: "max", machine._CGROUP_LIMITS[1]: "limit"}
    monkeypatch.setattr(machine, "_read_text", lambda path: found[names[path]])


def test_the_least_of_all_limits_counts(monkeypatch):
    pretend_files(monkeypatch)
    assert machine.memory_at_hand() == 2048 * 1024
    pretend_files(monkeypatch, max=str(2**20))
    assert machine.memory_at_hand() == 2**20
    pretend_files(monkeypatch, limit=str(2**19))
    assert machine.memory_at_hand() == 2**19
    monkeypatch.setenv("MEM_LIMIT", str(2**18))
    assert machine.memory_at_hand() == 2**18


def test_an_announced_limit_that_is_none_is_passed_over(monkeypatch):
    pretend_files(monkeypatch)
    for nothing in ("", "0", "2G"):
        monkeypatch.setenv("MEM_LIMIT", nothing)
        assert machine.memory_at_hand() == 2048 * 1024


def test_without_proc_half_of_the_memory_is_taken(monkeypatch):
    pretend_files(monkeypatch, meminfo="")
    sizes = {"SC_PHYS_PAGES": 100, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(machine.os, "sysconf", sizes.__getitem__)
    assert machine.memory_at_hand() == 50 * 4096


def test_threads_are_few_where_memory_is_short_and_never_more_than_16(monkeypatch):
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: range(40), raising=False)
    monkeypatch.setattr(machine, "memory_at_hand", lambda: 2**35)
    assert machine.choose_workers() == 16
    monkeypatch.setattr(machine, "memory_at_hand", lambda: 2**31)
    assert machine.choose_workers() == 1


def pretend_torch(monkeypatch, *, available, built):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    monkeypatch.setattr(torch.backends, "cuda", types.SimpleNamespace(is_built=lambda: built))


def test_torch_takes_the_gpu_that_is_there(monkeypatch):
    pretend_torch(monkeypatch, available=True, built=True)
    assert str(machine.pick_torch_device()) == "cuda:0"
    assert str(machine.pick_torch_device("gpu")) == "cuda:0"
    assert machine.pick_torch_device("cpu").type == "cpu"


@pytest.mark.parametrize(("built", "reason"), [(True, "sees no NVIDIA GPU"), (False, "built without CUDA")])
def test_torch_without_a_gpu_says_why(monkeypatch, built, reason):
    pretend_torch(monkeypatch, available=False, built=built)
    assert machine.pick_torch_device("auto").type == "cpu"
    with pytest.raises(RuntimeError, match=f'device="gpu" was asked for. PyTorch .*{reason}'):
        machine.pick_torch_device("gpu")
    with pytest.raises(ValueError, match="got 'cuda'"):
        machine.pick_torch_device("cuda")
    assert machine.describe_torch_device(machine.pick_torch_device("cpu")) == "cpu"


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no limits of a process")
def test_what_the_shell_allows_a_process_counts(monkeypatch):
    import resource

    def limit(kind):
        allowed = 2 * 2**30 if kind == resource.RLIMIT_AS else resource.RLIM_INFINITY
        return allowed, resource.RLIM_INFINITY

    monkeypatch.setattr(resource, "getrlimit", limit)
    assert machine.memory_at_hand() <= 2 * 2**30
    assert machine.choose_workers() == 1
    assert machine.choose_batch_size() == 8
