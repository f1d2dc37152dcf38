"""What the browser tests and the labelling benchmark share: servers, a browser, small studies."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
RESULTS = Path(__file__).parents[3] / "results" / "browser"
STARTUP_SECONDS = 120


def find_missing():
    """Say what a browser test would need and does not find; empty if it can run."""
    if not any(map(shutil.which, BROWSERS)):
        return f"no browser: none of {', '.join(BROWSERS)} is on the PATH (apt install chromium)"
    for module in ("playwright", "jupyterlab"):
        try:
            __import__(module)
        except ImportError:
            return f"no {module}: pip install 'visclust[test]'"
    return ""


@contextmanager
def open_browser(profile):
    """Start the browser with a profile folder, so that its storage outlives it."""
    from playwright.sync_api import sync_playwright

    executable = next(path for path in map(shutil.which, BROWSERS) if path)
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile),
            executable_path=executable,
            headless=True,
            args=BROWSER_FLAGS,
            viewport={"width": 1400, "height": 1000},
            accept_downloads=True,
        )
        try:
            yield context
        finally:
            context.close()


def find_free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def start_server(command, *, address, folder, environment=None):
    """Start a server in a folder, wait until it answers, and end it and its kernels afterwards."""
    log = Path(folder) / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + STARTUP_SECONDS
            while True:
                try:
                    urllib.request.urlopen(address, timeout=5).close()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError(f"The server did not start:\n{log.read_text()[-3000:]}") from None
                    time.sleep(0.3)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def start_jupyterlab(folder):
    """Start JupyterLab on a folder, with its configuration and settings inside that folder."""
    folder = Path(folder)
    settings = folder / ".lab-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false"}))
    port = find_free_port()
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
        f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=", "--ServerApp.password=",
        "--ServerApp.disable_check_xsrf=True", "--LabApp.expose_app_in_browser=True",
        f"--ServerApp.root_dir={folder}",
    ]  # fmt: skip
    environment = {
        "JUPYTERLAB_SETTINGS_DIR": str(folder / ".lab-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / ".lab-workspaces"),
        "JUPYTER_CONFIG_DIR": str(folder / ".jupyter"),
        "IPYTHONDIR": str(folder / ".ipython"),
    }
    address = f"http://127.0.0.1:{port}"
    with start_server(command, address=f"{address}/api", folder=folder, environment=environment):
        yield address


def read_json(address):
    with urllib.request.urlopen(address, timeout=10) as reply:
        return json.load(reply)


def wait_until(condition, *, seconds=60, what="the condition"):
    """Poll a condition; browsers and kernels tell no one when they are done."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


def open_notebook(page, address, name):
    """Open a notebook and wait for its kernel: cells run before that would be dropped."""
    page.goto(f"{address}/lab/tree/{name}?reset")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=STARTUP_SECONDS * 1000)
    wait_for_idle_kernel(address)


def close_notebooks(address):
    """End all kernels of a server, so that the next test starts without them."""
    for session in read_json(f"{address}/api/sessions"):
        request = urllib.request.Request(f"{address}/api/sessions/{session['id']}", method="DELETE")
        urllib.request.urlopen(request, timeout=20).close()


def wait_for_idle_kernel(address):
    def is_idle():
        sessions = read_json(f"{address}/api/sessions")
        kernels = [session["kernel"] for session in sessions]
        return kernels and all(k["connections"] > 0 and k["execution_state"] == "idle" for k in kernels)

    wait_until(is_idle, seconds=STARTUP_SECONDS, what="an idle kernel")


def run_command(page, command):
    """Run one of JupyterLab's own commands, as its menu does, without waiting for its end."""
    page.evaluate("(command) => { void window.jupyterapp.commands.execute(command); }", command)


def restart_kernel(page, address):
    """Restart the kernel as its menu does, the question whether to do so included."""
    run_command(page, "kernelmenu:restart")
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    page.locator(".jp-Dialog").wait_for(state="detached")
    wait_for_idle_kernel(address)


def save_screenshot(page, name):
    """Keep a picture of the page for people to look at."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=RESULTS / name)


def wait_for_labeller(page):
    """Wait for a labeller that takes answers."""
    page.wait_for_selector(
        ".visclust-choice[aria-disabled=false]", timeout=STARTUP_SECONDS * 1000, state="attached"
    )
    return page.locator(".visclust-labeller").last


def read_done(labeller):
    """Read the number of items done from the line of progress."""
    return int(labeller.locator(".visclust-progress").inner_text().split(" ")[0] or 0)


def answer(page, labeller, answers, *, by):
    """Give answers by key or by click, each when the last is saved and the next pair shows."""
    for said in answers:
        before = read_done(labeller)
        labeller.locator(".visclust-choice[aria-disabled=false]").first.wait_for()
        if by == "key":
            labeller.press(said)
        else:
            labeller.locator(f".visclust-choice[data-value={said}]").click()
        wait_until(lambda before=before: read_done(labeller) == before + 1, what="the answer to count")


def make_study(folder, *, n_pairs=30, side=900):
    """Write a tiny study: images of several shapes, the images table and the pairs table."""
    folder = Path(folder)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    rows = []
    for number in range(n_pairs + 1):
        shape = (side, side * 2 // 3) if number % 3 else (side * 2 // 3, side)
        picture = Image.new("RGB", shape, tuple(int(value) for value in rng.integers(60, 200, 3)))
        draw = ImageDraw.Draw(picture)
        draw.ellipse((50, 50, 350, 350), fill="white")  # a circle: distortion would show
        draw.text((150, 180), f"image {number}", fill="black", font_size=40)
        path = folder / "images" / f"<b>picture {number}.jpg"
        picture.save(path, quality=80)
        rows.append((f"img{number:03}", str(path), "ok", "", *shape))
    images = pd.DataFrame(rows, columns=["image_id", "path", "status", "reason", "width", "height"])
    ids = images["image_id"]
    pairs = pd.DataFrame(
        {
            "pair_id": [f"pair{number:03}" for number in range(n_pairs)],
            "image_a": ids[:-1].to_numpy(),
            "image_b": ids[1:].to_numpy(),
            "stratum": "secret-stratum",
            "inclusion_probability": 0.5,
        }
    )
    images.to_parquet(folder / "images.parquet")
    pairs.to_parquet(folder / "pairs.parquet")
    return images, pairs


MARKUP = '<img src=x onerror="window.hacked=1"> <b>Protest & crowd</b>'


def write_notebook(path, *, annotator="Ana", options="", then=""):
    """Write a notebook that labels the study beside it."""
    read = """import time
import pandas as pd
from visclust.widgets.labeller import label_pairs
pairs = pd.read_parquet("pairs.parquet")
images = pd.read_parquet("images.parquet")"""
    show = f"""widget = label_pairs(
    pairs, images, annotator={annotator!r}, save_to="answers", construct={MARKUP!r}{options})
{then}
widget"""
    cells = [read, show]
    notebook = {
        "cells": [
            {"cell_type": "code", "id": f"cell{at}", "metadata": {}, "execution_count": None, "outputs": [],
             "source": source}
            for at, source in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }  # fmt: skip
    Path(path).write_text(json.dumps(notebook))
