"""Bars that end full, and long work that is announced."""

import time
from types import SimpleNamespace

import pytest

from visclust.base import progress
from visclust.base.progress import WorkBar


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on when the test says so."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])

    def wait(seconds):
        now[0] += seconds

    return wait


def test_work_that_ends_before_its_total_ends_full_and_one_that_fails_stays():
    with WorkBar(total=10) as done:
        done.update(7)
    assert (done.n, done.total) == (7, 7)
    with pytest.raises(RuntimeError), WorkBar(total=10) as failed:
        failed.update(7)
        raise RuntimeError
    assert (failed.n, failed.total) == (7, 10)


def test_the_bar_of_a_notebook_ends_full_too():
    drawn = [SimpleNamespace(), SimpleNamespace(max=10), SimpleNamespace()]
    with WorkBar(total=10) as bar:
        bar.container = SimpleNamespace(children=drawn)
        bar.update(7)
    assert drawn[1].max == 7


def test_long_work_is_announced_once_from_its_first_part(clock, capsys):
    with WorkBar(total=1000, work="Embedding 1,000 images") as bar:
        bar.update(1)  # too little to tell
        clock(5)
        bar.update(9)
        clock(5)
        bar.update(10)
    said = capsys.readouterr().out
    assert said == "Embedding 1,000 images will take about 8 minutes on this machine.\n"


def test_what_was_done_before_a_run_that_was_killed_is_not_counted_as_quick(clock, capsys):
    with WorkBar(total=1000, initial=900, work="Embedding", bound="at most about") as bar:
        clock(60)
        bar.update(20)
    assert capsys.readouterr().out == "Embedding will take at most about 4 minutes on this machine.\n"


@pytest.mark.parametrize(("seconds", "shown"), [(5, True), (100, False)])
def test_short_work_is_not_announced_nor_is_any_with_the_bar_off(clock, capsys, seconds, shown):
    with WorkBar(total=10, work="Indexing", progress=shown) as bar:
        clock(seconds)
        bar.update(5)
    assert capsys.readouterr().out == ""


def test_short_work_shows_no_bar(capsys):
    with WorkBar(total=2, desc="Reading") as bar:
        bar.update(2)
    assert capsys.readouterr().err == ""


def test_a_bar_of_work_without_parts_is_drawn_again_while_it_runs(monkeypatch):
    drawn = []
    monkeypatch.setattr(WorkBar, "refresh", lambda bar, *_args, **_options: drawn.append(bar.desc))
    with WorkBar(desc="k-means") as bar, bar.ticking(every=0.01):
        time.sleep(0.2)
    during = len(drawn)
    assert during >= 3
    time.sleep(0.05)
    assert len(drawn) <= during + 1  # closing it may draw it once; the clock stopped
    with WorkBar(desc="silent", progress=False) as bar, bar.ticking(every=0.01):
        time.sleep(0.05)
    assert "silent" not in drawn
