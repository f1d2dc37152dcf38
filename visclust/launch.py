"""Start the notebooks anywhere: where results go, settings for the memory at hand, what Colab lacks.

Imports nothing of visclust or beyond it at the top: on Colab this file runs before those are installed.
"""

import importlib
import operator
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Colab's own: built for its GPU driver and for its page; a second copy of one of these breaks the other.
# fmt: off
_COLABS_OWN = frozenset([
    "torch", "torchvision", "torchaudio", "triton", "numpy", "scipy", "pandas", "pyarrow", "scikit-learn",
    "ipywidgets", "ipykernel", "ipython", "jupyter-server", "notebook", "traitlets", "tornado",
    "jax", "jaxlib", "cuda-bindings", "cuda-python", "cuda-toolkit",
])
# fmt: on
_COLABS_OWN_STARTS = ("cupy", "cuml", "cudf", "rmm-", "nvidia-", "google-")

# Measured with PyTorch 2.14 on two CPU cores, 224 px, float32: importing it and loading VGG-16 takes
# 1.25 GiB, and each image of a batch 41 MiB for VGG-16 (19 for EfficientNet-Lite0, 7 for ResNet-18).
_BASE_BYTES = 5 * 2**28
_BYTES_PER_IMAGE = 41 * 2**20
_LARGEST_BATCH = 64


class Settings(NamedTuple):
    """Settings that fit the machine: where to work, images per batch, processes, bytes for distances."""

    device: str
    batch_size: int
    workers: int
    memory_budget: int


class Installation(NamedTuple):
    """What `install_missing` did: requirements installed, too old and left, absent and left."""

    installed: tuple[str, ...]
    too_old: tuple[str, ...]
    left_out: tuple[str, ...]


def results_folder() -> Path:
    """Give the folder that the notebooks write to and read from, and make it where it is missing.

    Returns
    -------
    pathlib.Path
        The folder named by the environment variable VISCLUST_RESULTS; otherwise ``results`` beside the
        ``notebooks`` folder when working in that one, and ``results`` in the working folder elsewhere.

    Examples
    --------
    >>> import tempfile
    >>> from unittest import mock
    >>> with mock.patch.dict(os.environ, VISCLUST_RESULTS=tempfile.mkdtemp()):
    ...     results_folder().is_dir()
    True
    """
    named = os.environ.get("VISCLUST_RESULTS", "")
    here = Path.cwd()
    folder = Path(named) if named else (here.parent if here.name == "notebooks" else here) / "results"
    folder = folder.expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def suggest_settings(*, memory: int | None = None) -> Settings:
    """Suggest settings that fit the memory, the cores and the GPU at hand, so that a small machine copes.

    Parameters
    ----------
    memory : int, bytes, optional
        Memory to plan for; by default what `visclust.base.machine.memory_at_hand` finds.

    Returns
    -------
    Settings
        ``device`` ("gpu" where PyTorch and CuPy both see one, "cpu" where neither does, otherwise "auto"),
        ``batch_size`` (a power of two, 4 to 64 images), ``workers`` (processes), ``memory_budget`` (bytes).

    Raises
    ------
    ValueError
        If `memory` is not positive.

    Examples
    --------
    >>> suggest_settings(memory=2 * 2**30).batch_size
    8
    """
    from visclust.base.machine import memory_at_hand

    memory = memory_at_hand() if memory is None else memory
    try:
        whole = 0 if isinstance(memory, bool) else operator.index(memory)
    except TypeError:
        whole = 0
    if whole <= 0:
        raise ValueError(f"Expected memory as a positive whole number of bytes, got {memory!r:.60}.")
    memory = whole
    # Half of what the encoder leaves: the other half holds the decoded images and the notebook's tables.
    fitting = max(memory - _BASE_BYTES, 0) // 2 // _BYTES_PER_IMAGE
    batch_size = min(max(2 ** (int(fitting).bit_length() - 1) if fitting else 0, 4), _LARGEST_BATCH)
    cores = os.cpu_count() or 1
    # A second process holds a second copy of the libraries, which 2 GB do not have room for.
    workers = min(cores, max(1, memory // (2 * _BASE_BYTES)))
    return Settings(_suggest_device(), batch_size, workers, memory // 4)


def _suggest_device() -> str:
    from visclust.base.backend import explain_gpu

    try:
        import torch

        seen = [not explain_gpu(), torch.cuda.is_available()]
    except ImportError:
        seen = [not explain_gpu(), False]
    return "gpu" if all(seen) else "auto" if any(seen) else "cpu"


def install_missing(
    *, distribution: str = "visclust", run: Callable[[Sequence[str]], Any] = subprocess.check_call
) -> Installation:
    """Install what is missing altogether and touch nothing that is there: for Colab's own environment.

    Parameters
    ----------
    distribution : str, default "visclust"
        The installed distribution whose requirements, and theirs in turn, are looked through.
    run : callable
        Called with the command of each installation; by default it runs it.

    Returns
    -------
    Installation
        ``installed``; ``too_old`` (present but below what is asked for: left as they are, and reported);
        ``left_out`` (absent, but Colab's own to provide: PyTorch, NumPy, CuPy and the like).

    Raises
    ------
    importlib.metadata.PackageNotFoundError
        If the distribution itself is not installed.
    subprocess.CalledProcessError
        If pip fails.

    Examples
    --------
    >>> install_missing(distribution="packaging", run=print)
    Everything needed is here.
    Installation(installed=(), too_old=(), left_out=())
    """
    try:
        metadata.version(distribution)
    except Exception:  # noqa: BLE001 - what is no name fails in many ways
        raise ValueError(
            f"Expected distribution as the name of an installed package, got {distribution!r:.60}."
        ) from None
    waiting, seen = [distribution], {canonicalize_name(distribution)}
    installed: list[str] = []
    too_old: list[str] = []
    left_out: list[str] = []
    while waiting:
        missing: list[str] = []
        for requirement in [each for name in waiting for each in _list_requirements(name)]:
            name = canonicalize_name(requirement.name)
            if name in seen:
                continue
            seen.add(name)
            version = _find_version(name)
            if version is None:
                (left_out if _is_colabs_own(name) else missing).append(_without_marker(requirement))
            elif not requirement.specifier.contains(version, prereleases=True):
                too_old.append(f"{name} {version} (asked for: {requirement.specifier})")
        if missing:
            run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *missing])
            importlib.invalidate_caches()
        # What was just installed came without its own requirements: look through those next.
        waiting = [Requirement(each).name for each in missing]
        installed += missing
    _report(installed, too_old, left_out)
    return Installation(tuple(installed), tuple(too_old), tuple(left_out))


def _list_requirements(name: str) -> list[Requirement]:
    found = map(Requirement, metadata.requires(name) or [])
    return [each for each in found if each.marker is None or each.marker.evaluate({"extra": ""})]


def _find_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _is_colabs_own(name: str) -> bool:
    return name in _COLABS_OWN or name.startswith(_COLABS_OWN_STARTS)


def _without_marker(requirement: Requirement) -> str:
    return f"{requirement.name}{requirement.specifier}"


def _report(installed: list[str], too_old: list[str], left_out: list[str]) -> None:
    for heading, items in (
        ("Installed", installed),
        ("Other versions than asked for, left as they are", too_old),
        ("Missing and not installed, since the platform provides its own", left_out),
    ):
        if items:
            print(f"{heading}: {', '.join(items)}.")
    if not (installed or too_old or left_out):
        print("Everything needed is here.")
