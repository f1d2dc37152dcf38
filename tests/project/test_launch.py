import importlib.metadata
import runpy
from pathlib import Path

import pytest

from visclust import launch

GIB = 2**30


@pytest.fixture
def make_distribution(tmp_path, monkeypatch):
    """Make distributions that importlib.metadata finds, in a folder put before all others."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(name, version="1.0", *, requires=()):
        folder = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        (folder / "METADATA").write_text(
            "\n".join(lines + [f"Requires-Dist: {each}" for each in requires]) + "\n"
        )

    return make


class Recorder:
    """Stands in for pip: keeps the commands, and makes the distributions it is told to."""

    def __init__(self, make_distribution=None, requires=None):
        self.commands = []
        self.make_distribution = make_distribution
        self.requires = requires or {}

    def __call__(self, command):
        self.commands.append(command)
        for name, requires in self.requires.items():
            if any(word.startswith(name) for word in command):
                self.make_distribution(name, requires=requires)


def test_only_what_is_missing_altogether_is_installed(make_distribution):
    make_distribution("fake-here", "2.0")
    make_distribution("fake-top", requires=["fake-here>=1", "fake-gone>=1.5,<3"])
    pip = Recorder(make_distribution, {"fake-gone": []})
    done = launch.install_missing(distribution="fake-top", run=pip)
    assert done == (("fake-gone<3,>=1.5",), (), ())
    assert len(pip.commands) == 1
    assert pip.commands[0][1:] == ["-m", "pip", "install", "--quiet", "--no-deps", "fake-gone<3,>=1.5"]


def test_a_version_below_the_floor_is_reported_and_left_as_it_is(make_distribution, capsys):
    make_distribution("fake-old", "0.9")
    make_distribution("fake-top", requires=["fake-old>=1"])
    pip = Recorder()
    done = launch.install_missing(distribution="fake-top", run=pip)
    assert done.too_old == ("fake-old 0.9 (asked for: >=1)",)
    assert pip.commands == []
    assert "left as they are: fake-old 0.9" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["torch", "torchvision", "numpy", "ipywidgets", "cupy-cuda12x", "cuml-cu12"])
def test_what_colab_provides_itself_is_never_installed(make_distribution, monkeypatch, name):
    found = importlib.metadata.version
    make_distribution("fake-top", requires=[f"{name}>=1"])

    def hide(asked):
        if asked == name:
            raise importlib.metadata.PackageNotFoundError(asked)
        return found(asked)

    monkeypatch.setattr(importlib.metadata, "version", hide)
    pip = Recorder()
    done = launch.install_missing(distribution="fake-top", run=pip)
    assert done == ((), (), (f"{name}>=1",))
    assert pip.commands == []


def test_what_an_installed_package_needs_in_turn_is_installed_too(make_distribution):
    make_distribution("fake-top", requires=["fake-first"])
    pip = Recorder(make_distribution, {"fake-first": ["fake-second>=2"], "fake-second": ["fake-first"]})
    done = launch.install_missing(distribution="fake-top", run=pip)
    assert done.installed == ("fake-first", "fake-second>=2")
    assert len(pip.commands) == 2


def test_extras_and_other_systems_are_not_asked_for(make_distribution, capsys):
    make_distribution(
        "fake-top", requires=['fake-extra; extra == "gpu"', 'fake-windows; sys_platform == "neverland"']
    )
    assert launch.install_missing(distribution="fake-top", run=Recorder()) == ((), (), ())
    assert capsys.readouterr().out == "Everything needed is here.\n"


def test_a_distribution_that_is_not_installed_is_an_error():
    with pytest.raises(ValueError, match="the name of an installed package, got 'fake-nowhere'"):
        launch.install_missing(distribution="fake-nowhere", run=Recorder())


def test_the_launch_file_runs_alone_since_colab_lacks_what_the_package_imports():
    pip = Recorder()
    names = runpy.run_path(launch.__file__)
    assert names["install_missing"](distribution="packaging", run=pip) == ((), (), ())
    imports = [
        line for line in Path(launch.__file__).read_text().splitlines() if line.startswith(("import", "from"))
    ]
    assert not [line for line in imports if "visclust" in line or "numpy" in line or "torch" in line]


def test_results_go_beside_the_notebooks_folder_when_working_in_it(tmp_path, monkeypatch):
    monkeypatch.delenv("VISCLUST_RESULTS", raising=False)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert launch.results_folder() == (tmp_path / "results").resolve()
    monkeypatch.chdir(tmp_path)
    assert launch.results_folder() == (tmp_path / "results").resolve()


def test_the_environment_names_another_results_folder_and_it_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("VISCLUST_RESULTS", str(tmp_path / "deep" / "er"))
    assert launch.results_folder() == (tmp_path / "deep" / "er").resolve()
    assert (tmp_path / "deep" / "er").is_dir()


def test_binders_two_gigabytes_get_small_batches_and_one_process():
    settings = launch.suggest_settings(memory=2 * GIB)
    assert (settings.batch_size, settings.workers) == (8, 1)
    assert settings.memory_budget == GIB // 2


def test_suggested_settings_follow_the_limit_that_binder_announces(monkeypatch):
    monkeypatch.setenv("MEM_LIMIT", str(2 * GIB))
    assert launch.suggest_settings().batch_size <= 8
    assert launch.suggest_settings().memory_budget <= GIB // 2


@pytest.mark.parametrize("memory", [1, GIB, 2 * GIB, 4 * GIB, 8 * GIB, 1024 * GIB])
def test_suggested_batches_stay_between_4_and_64_and_grow_with_memory(memory):
    settings = launch.suggest_settings(memory=memory)
    assert 4 <= settings.batch_size <= 64
    assert settings.batch_size <= launch.suggest_settings(memory=2 * memory).batch_size
    assert settings.workers >= 1


def test_memory_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="positive whole number of bytes, got 0"):
        launch.suggest_settings(memory=0)
