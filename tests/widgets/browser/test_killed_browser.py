"""A browser that dies: nothing is lost that the page had called saved."""

import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest
from browser_tools import (
    BROWSER_FLAGS,
    BROWSERS,
    make_study,
    read_done,
    wait_for_labeller,
    wait_until,
)

import visclust as vc

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TRIALS = 20
STATE = """() => ({
  done: Number(document.querySelector(".visclust-progress").textContent.split(" ")[0]),
  saved: document.querySelector(".visclust-saved").textContent,
})"""


@contextmanager
def start_mortal_browser(playwright, profile):
    """Start a browser in a process group of its own, and give its page and what kills all of it at once."""
    executable = next(path for path in map(shutil.which, BROWSERS) if path)
    port_file = profile / "DevToolsActivePort"
    port_file.unlink(missing_ok=True)
    command = [executable, *BROWSER_FLAGS, "--headless=new", "--remote-debugging-port=0",
               f"--user-data-dir={profile}", "about:blank"]  # fmt: skip
    process = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def kill():
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    try:
        wait_until(lambda: port_file.exists() and port_file.read_text().strip(), what="the browser's port")
        port = port_file.read_text().splitlines()[0]
        browser = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
        yield browser.contexts[0].pages[0], kill
    finally:
        if process.poll() is None:
            kill()


def is_gone(page, error):
    """Tell whether a page answers no more; the last answers of a killed browser may still be on their way."""
    try:
        page.title()
    except error:
        return True
    return False


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is a signal of POSIX systems")
def test_a_browser_killed_after_the_last_answer_loses_nothing_shown_as_saved(needs_browser, tmp_path):
    from playwright.sync_api import Error, sync_playwright

    images, pairs = make_study(tmp_path, n_pairs=100, side=300)
    address = vc.export_pair_page(pairs, images, annotator="Ana", save_to=tmp_path / "pages").as_uri()
    chance = random.Random(11)
    profile = tmp_path / "profile"
    profile.mkdir()
    promised, kept = 0, []
    with sync_playwright() as playwright:
        for trial in range(TRIALS + 1):
            with start_mortal_browser(playwright, profile) as (page, kill):
                page.goto(address)
                labeller = wait_for_labeller(page)
                kept.append((promised, read_done(labeller)))
                if trial == TRIALS:
                    break
                for _ in range(chance.randint(1, 3)):
                    before = read_done(labeller)
                    labeller.press("s")
                    wait_until(lambda before=before: page.evaluate(STATE)["done"] > before, what="the answer")
                # Half of the trials do not wait for a last answer, which may be on its way.
                if trial % 2:
                    labeller.press("d")
                time.sleep(0.05 * 60 ** (trial / (TRIALS - 1)))  # 0.05 to 3 s
                shown = page.evaluate(STATE)
                kill()
                promised = shown["done"] if shown["saved"] == "All answers are saved" else promised
                assert shown["done"] >= promised
            wait_until(lambda page=page: is_gone(page, Error), what="the browser's end")
    assert [pair for pair in kept if pair[1] < pair[0]] == []
    assert promised >= TRIALS
