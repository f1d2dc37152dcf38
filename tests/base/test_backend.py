import importlib.util
import sys
import types

import numpy as np
import pytest

from visclust.base import backend


@pytest.fixture(autouse=True)
def forget():
    """What is said once per process is said once per test here."""
    for cached in (backend.explain_gpu, backend._announce):
        cached.cache_clear()
    yield
    for cached in (backend.explain_gpu, backend._announce):
        cached.cache_clear()


def pretend_cupy(monkeypatch, module):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if module else None)
    if module:
        monkeypatch.setitem(sys.modules, "cupy", module)


def test_not_installed_and_no_driver_are_told_apart(monkeypatch):
    pretend_cupy(monkeypatch, None)
    assert "not installed" in backend.explain_gpu()
    backend.explain_gpu.cache_clear()
    pretend_cupy(monkeypatch, types.SimpleNamespace(is_available=lambda: False))
    assert "no GPU or no NVIDIA driver" in backend.explain_gpu()
    backend.explain_gpu.cache_clear()
    pretend_cupy(monkeypatch, types.SimpleNamespace(is_available=lambda: True))
    assert backend.explain_gpu() == ""


def test_a_gpu_that_was_asked_for_and_is_not_there_is_an_error(monkeypatch):
    pretend_cupy(monkeypatch, None)
    with pytest.raises(RuntimeError, match='device="gpu" was asked for'):
        backend.to_device(np.zeros(2), device="gpu")


def test_auto_falls_back_and_says_so_once(monkeypatch, capsys):
    pretend_cupy(monkeypatch, None)
    x = np.zeros(2)
    assert backend.to_device(x) is x
    backend.to_device(x)
    assert capsys.readouterr().out.count("No GPU is used") == 1


def test_auto_takes_the_gpu_that_is_there(monkeypatch):
    pretend_cupy(
        monkeypatch, types.SimpleNamespace(is_available=lambda: True, asarray=lambda x: "on the gpu")
    )
    assert backend.to_device(np.zeros(2)) == "on the gpu"


def test_cpu_is_silent(capsys):
    backend.to_device(np.zeros(2), device="cpu")
    assert capsys.readouterr().out == ""


def test_an_unknown_device_is_an_error():
    with pytest.raises(ValueError, match="got 'cuda'"):
        backend.to_device(np.zeros(2), device="cuda")


@pytest.mark.gpu
def test_an_array_goes_to_the_gpu_and_back():
    if backend.explain_gpu():
        pytest.skip(backend.explain_gpu())
    x = backend.to_device(np.arange(3.0), device="gpu")
    assert backend.is_on_gpu(x)
    assert backend.to_host(x).tolist() == [0, 1, 2]
    assert backend.describe_device(x).startswith("gpu: ")
